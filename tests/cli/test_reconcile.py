"""`tallystick reconcile`, typed as finance people type it."""

from __future__ import annotations

from tests.business import PRICE_UNITS, Business
from tests.cli.conftest import MERCHANT, Run, Say


def units(amount: dict[str, str]) -> int:
    return int(amount["units"])


def test_wallets_against_the_ledger(say: Say, run: Run, business: Business) -> None:
    assert run("reconcile", "wallets", exit_code=1).stderr.startswith("error: there is no database")
    business.subscribe(business.payer("ada"), business.create_plan())
    spent = business.token_call(business.payee, "transfer", business.operator, 90)
    business.anvil.finalize()
    run("index", "--once")
    (row,) = say(None, "reconcile", "wallets")
    assert (units(row["ledger"]), units(row["on_chain"]), units(row["outside"])) == (PRICE_UNITS, PRICE_UNITS - 90, -90)
    assert (row["wallet"], row["token"]) == (business.payee, business.token)
    assert say(None, "reconcile", "wallets", "--block", row["block"]) == [row]
    (part,) = say(None, "reconcile", "wallets", "--explain")
    assert (part["what"], units(part["outside"]), part["others"]) == ("moved out", -90, [business.operator])
    assert part["transaction"] == spent["transactionHash"]
    merchant = {"TALLYSTICK_MERCHANT_PAYEES": f'["{business.account("nobody")}"]'}
    shown = run("reconcile", "wallets", env=merchant).stdout
    assert shown == f"no wallet has anything, on chain or in the ledger, at block {row['block']}\n"
    late = run("reconcile", "wallets", "--block", 10**6, exit_code=1).stderr
    assert late.startswith("error: found block 1000000, the books have final blocks up to")


def test_exceptions_say_what_to_do_next(say: Say, run: Run, business: Business) -> None:
    run("index", "--once")
    assert run("reconcile", "exceptions").stdout == "nothing is open\n"
    poor = business.payer("poor", units=PRICE_UNITS)
    number = business.subscribe(poor, business.create_plan())
    business.anvil.advance(32 * 86_400)
    business.charge(number)
    run("index", "--once")
    (item,) = say(None, "reconcile", "exceptions")
    assert (item["kind"], item["about"], item["account"]) == ("declined", f"subscription {number}", poor)
    assert (units(item["amount"]), item["to_do"]) == (PRICE_UNITS, "tallystick bill --once")
    assert item["why"].startswith("balance: ")
    assert say(None, "reconcile", "exceptions", "--kind", "late") == []
    assert say(MERCHANT, "reconcile", "exceptions") == [], "of other plans than those of the account with the key"
    assert "declined" in run("reconcile", "exceptions", "--kind", "declined").stdout
    assert "'soon' is not one of" in run("reconcile", "exceptions", "--kind", "soon", exit_code=2).stderr


def test_expected_against_received_by_month(say: Say, run: Run, business: Business) -> None:
    run("index", "--once")
    assert run("reconcile", "charges").stdout.startswith("nothing fell due in final blocks")
    business.anvil.set_time(2_210_148_000)  # 2040-01-14
    plan, ada = business.create_plan(), business.payer("ada")
    business.subscribe(ada, plan)
    business.subscribe(business.payer("bob"), plan)
    business.anvil.advance(32 * 86_400)
    business.anvil.finalize()
    run("index", "--once")
    january, february = say(None, "reconcile", "charges", "--payer", ada)
    assert (january["month"], january["plan"], january["payer"]) == ("2040-01", plan, ada)
    assert (units(january["expected"]), units(january["received"]), january["why"]) == (PRICE_UNITS, PRICE_UNITS, [])
    assert (units(february["missing"]), units(february["open"])) == (PRICE_UNITS, PRICE_UNITS)
    assert february["why"] == ["not charged yet"]
    assert len(say(None, "reconcile", "charges")) == 4
    assert {row["month"] for row in say(None, "reconcile", "charges", "--since", "2040-02-28")} == {"2040-02"}
    assert {row["month"] for row in say(None, "reconcile", "charges", "--until", "2040-01-31")} == {"2040-01"}
    assert "not charged yet" in run("reconcile", "charges").stdout
