"""Plans with terms of their own, changes, and every way to end, from the command line on a real chain."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from tests.business import Business
from tests.cli.conftest import BILLER, MERCHANT, PAYER, Run, Say

DAY_S = 86_400


def units(text: str) -> dict[str, str]:
    whole, _, fraction = text.partition(".")
    return {"units": str(int(whole + fraction)), "amount": text, "asset": "USDC"}


def seconds(shown: str) -> int:
    return int(datetime.fromisoformat(shown).timestamp())


def test_a_plan_shows_all_of_its_terms(say: Say, run: Run, business: Business, sell: Callable[..., Any]) -> None:
    platform = business.account("platform")
    made = sell(
        *("--price", "20", "--seat-price", "5", "--trial", "14d", "--family", 3, "--grace", "36h"),
        *("--min-charges", 2, "--max-charges", 12, "--fee-bps", 250, "--fee-receiver", platform),
    )
    expected = {
        "seat_price": units("5.000000"),
        "trial": 14 * DAY_S,
        "family": 3,
        "grace": 36 * 3_600,
        "min_charges": 2,
        "max_charges": 12,
        "fee_bps": 250,
        "fee_receiver": platform,
        "usage_cap": None,
        "usage_price": None,
        "biller": None,
        "archived": False,
    }
    found = say(None, "plans", "show", 1)
    assert {key: found[key] for key in expected} == {key: made[key] for key in expected} == expected
    assert found["terms_hash"] == "0x" + business.terms_hash(1).hex()
    text = run("plans", "show", 1).stdout
    assert "trial                14 days" in text
    assert "grace                36 hours" in text
    assert say(MERCHANT, "plans", "archive", 1)["archived"] is True
    assert say(None, "plans", "list")[0]["archived"] is True
    key = {"TALLYSTICK_KEY": business.anvil.key(PAYER)}
    refused = run("subscriptions", "subscribe", 1, "--seats", 1, env=key, exit_code=1)
    assert "plan 1 is archived and takes no more subscriptions" in refused.stderr


def test_terms_that_cannot_be_are_refused(run: Run, business: Business, say: Say) -> None:
    del say
    key = {"TALLYSTICK_KEY": business.anvil.key(MERCHANT)}
    create = ("plans", "create", "--token", business.token)
    assert "the amount is 0 units of the token" in run(*create, env=key, exit_code=1).stderr
    fee = run(*create, "--price", 1, "--fee-bps", 10, env=key, exit_code=1)
    assert "the plan's terms contradict each other: a fee needs a receiver" in fee.stderr
    span = run(*create, "--price", 1, "--trial", "fortnight", env=key, exit_code=2)
    assert "found 'fortnight', allowed is a number of s, m, h, d or w, such as 14d" in span.stderr
    assert "10000 is not in the range 0<=x<=9999" in run(*create, "--fee-bps", 10_000, exit_code=2).stderr


def test_a_trial_begins_and_is_shown(say: Say, sell: Callable[..., Any], business: Business) -> None:
    sell("--price", "9.99", "--trial", "14d")
    opened = say(PAYER, "subscriptions", "subscribe", 1)
    assert (opened["trial"], opened["paid"]) == (True, units("0.000000"))
    assert seconds(opened["paid_until"]) == business.anvil.timestamp + 14 * DAY_S
    shown = say(None, "subscriptions", "show", 1)
    assert (shown["charges"], shown["next_charge"]["amount"]) == (0, units("9.990000"))
    assert shown["next_charge"]["would_decline"] == "not_due"
    again = say(PAYER, "subscriptions", "subscribe", 1)
    assert (again["trial"], again["paid"]) == (False, units("9.990000"))


def test_seats_are_quoted_changed_and_credited(
    say: Say, run: Run, sell: Callable[..., Any], business: Business
) -> None:
    sell("--price", "20", "--seat-price", "5")
    sell("--price", "5")
    say(PAYER, "subscriptions", "subscribe", 1, "--seats", 3)
    quoted = say(None, "subscriptions", "quote", 1, 1, "--seats", 5)
    assert (quoted["seats"], quoted["to_pay"], quoted["credit"]) == (5, units("10.000000"), units("0.000000"))
    key = {"TALLYSTICK_KEY": business.anvil.key(PAYER)}
    change = ("subscriptions", "change", 1, 1, "--seats", 5)
    low = run(*change, "--max-to-pay", "9", env=key, exit_code=1)
    assert "agreed are at most 9000000: ask for a new quote" in low.stderr
    changed = say(PAYER, *change)
    assert int(quoted["at_most"]["units"]) >= int(changed["paid"]["units"]) > 9_990_000
    assert changed["next_due"] == quoted["next_due"]
    same = run(*change, env=key, exit_code=1)
    assert "subscription 1 has this plan and as many seats already" in same.stderr
    solo = say(PAYER, "subscriptions", "change", 1, 2, "--when", "now", "--max-to-pay", "0")
    assert (solo["seats"], solo["paid"]) == (0, units("0.000000"))
    shown = say(None, "subscriptions", "show", 1, "--history")
    assert shown["credit"] == solo["credit"]
    assert shown["next_charge"]["credit_used"] == units("5.000000")
    assert [row["event"] for row in shown["history"]] == [
        *("subscribed", "seats_set", "charged", "charged", "plan_changed", "plan_changed")
    ]
    assert shown["history"][2]["values"]["amount"] == units("35.000000")
    assert shown["history"][0]["values"]["payer"] == business.anvil.address(PAYER)
    text = run("subscriptions", "show", 1, "--history").stdout
    assert "plan_changed" in text
    assert "amount 35.000000 USDC" in text


def test_what_a_charge_would_do(say: Say, run: Run, sell: Callable[..., Any], business: Business) -> None:
    sell("--price", "9.99")
    say(PAYER, "subscriptions", "subscribe", 1, "--periods", 1)
    shown = say(None, "subscriptions", "show", 1)["next_charge"]
    assert (shown["would_decline"], shown["missing"]) == ("not_due", "allowance")
    assert say(None, "subscriptions", "preview", 1)["would_decline"] == "not_due"
    business.anvil.advance(31 * DAY_S)
    found = say(None, "subscriptions", "preview", 1)
    assert (found["would_decline"], found["amount"]) == ("allowance", units("9.990000"))
    say(PAYER, "subscriptions", "approve", 1)
    assert say(None, "subscriptions", "preview", 1)["would_decline"] is None
    say(MERCHANT, "subscriptions", "cancel", 1)
    assert say(None, "subscriptions", "show", 1)["next_charge"] is None
    assert "there is no subscription 7 on this chain" in run("subscriptions", "preview", 7, exit_code=1).stderr


def test_refunds_find_what_was_paid_before_a_change(say: Say, sell: Callable[..., Any]) -> None:
    sell("--price", "30")
    sell("--price", "10")
    say(PAYER, "subscriptions", "subscribe", 1)
    say(PAYER, "subscriptions", "change", 1, 2, "--when", "now")
    back = say(MERCHANT, "refunds", "create", 1, 1)
    assert (back["refunded"], back["left"]) == (units("30.000000"), units("0.000000"))


def test_usage_is_charged_for_a_document(
    say: Say, run: Run, sell: Callable[..., Any], business: Business, tmp_path: Path
) -> None:
    biller = business.anvil.address(BILLER)
    made = sell("--price", "10", "--usage-cap", "5", "--usage-price", "2.50", "--biller", biller)
    expected = {"usage_cap": units("5.000000"), "usage_price": units("2.500000"), "biller": biller}
    shown = say(None, "plans", "show", 1)
    assert {key: shown[key] for key in expected} == {key: made[key] for key in expected} == expected
    say(PAYER, "subscriptions", "subscribe", 1)
    document = tmp_path / "november.csv"
    document.write_bytes(b"calls,1000000\r\n\xff")  # as it is, whatever it is
    hashed = "0x" + keccak(document.read_bytes()).hex()

    charge = ("subscriptions", "charge-usage", 1, "2.40", "--quantity", 1_000_000)
    by_file = say(BILLER, *charge, "--document", document)
    due = by_file["period_end"]
    assert by_file == {
        "subscription_id": 1,
        "charge_number": 2,
        "charged": units("2.400000"),
        "quantity": 1_000_000,
        "usage_hash": hashed,
        "period_start": by_file["period_start"],
        "period_end": due,
        "usage_left": units("2.600000"),
        "transaction": by_file["transaction"],
    }
    assert seconds(due) - seconds(by_file["period_start"]) == 30 * DAY_S
    by_hash = say(MERCHANT, *charge, "--hash", hashed)
    assert (by_hash["usage_hash"], by_hash["charge_number"], by_hash["usage_left"]["amount"]) == (hashed, 3, "0.200000")
    repeated = run(
        *charge, "--hash", hashed, "--number", 3, env={"TALLYSTICK_KEY": business.anvil.key(BILLER)}, exit_code=1
    )
    assert "usage was to be charge 3, charge 4 is next" in repeated.stderr
    shown = say(None, "subscriptions", "show", 1, "--history")
    assert (shown["usage_left"], shown["paid_until"]) == (units("0.200000"), due)
    assert [row["event"] for row in shown["history"]][-2:] == ["usage_charged", "charged"]
    told = {"charge_number": 3, "quantity": 1_000_000, "usage_hash": hashed}
    assert shown["history"][-2]["values"] == told
    assert "usage left" in run("subscriptions", "show", 1).stdout
    back = say(MERCHANT, "refunds", "create", 1, 3)
    assert back["refunded"] == units("2.400000")

    key = {"TALLYSTICK_KEY": business.anvil.key(BILLER)}
    for options in ((), ("--document", document, "--hash", hashed)):
        refused = run(*charge, *options, env=key, exit_code=2).stderr
        assert "give what lists the usage with --document FILE, or its hash with --hash 0x..." in refused
    assert "'0x12' for the hash of the usage" in run(*charge, "--hash", "0x12", env=key, exit_code=1).stderr
    capped = run(*charge, "--hash", hashed, env=key, exit_code=1).stderr
    assert "200000 are left of what the payer agreed to for this period" in capped
    dear = run(*charge[:3], "0.20", "--quantity", 1, "--hash", hashed, env=key, exit_code=1).stderr
    assert "by the plan's price so much of it costs at most 2" in dear
    assert "not in the range x>=1" in run(*charge[:4], "--quantity", 0, "--hash", hashed, exit_code=2).stderr


def test_signed_ends_are_sent_by_anyone(say: Say, run: Run, sell: Callable[..., Any], business: Business) -> None:
    sell("--price", "9.99")
    key = {"TALLYSTICK_KEY": business.anvil.key(PAYER)}
    for _ in range(2):
        say(PAYER, "subscriptions", "subscribe", 1)
    business.anvil.rpc("anvil_setBalance", business.anvil.address(PAYER), "0x0")
    run("subscriptions", "sign-cancellation", 1, "--valid", "1h", "--out", "cancelled.json", env=key)
    ended = say(BILLER, "subscriptions", "cancel", "--signed", "cancelled.json")
    assert (ended["subscription_id"], ended["status"]) == (1, "cancelled")

    salt = json.loads(run("subscriptions", "sign", 1, "--out", "mandate.json", env=key).stdout or "{}").get("salt")
    assert salt is None  # it went into the file
    salt = json.loads(Path("mandate.json").read_text())["salt"]
    run("subscriptions", "sign-revocation", salt, "--out", "revoked.json", env=key)
    revoked = say(BILLER, "subscriptions", "revoke", "--signed", "revoked.json")
    assert revoked == {"payer": business.anvil.address(PAYER), "salt": salt, "transaction": revoked["transaction"]}
    biller = {"TALLYSTICK_KEY": business.anvil.key(BILLER)}
    used = run("subscriptions", "submit", "mandate.json", env=biller, exit_code=1)
    assert "was submitted or revoked before" in used.stderr

    mixed = run("subscriptions", "cancel", "--signed", "revoked.json", env=biller, exit_code=1)
    assert "found a signed revocation, this takes a cancellation" in mixed.stderr
    wrong = run("subscriptions", "revoke", "--signed", "mandate.json", env=biller, exit_code=1)
    assert "this is not a signed cancellation" in wrong.stderr
    for arguments in (("cancel",), ("cancel", 1, "--signed", "cancelled.json"), ("revoke",)):
        assert "--signed FILE" in run("subscriptions", *arguments, env=biller, exit_code=2).stderr
    not_theirs = run("subscriptions", "sign-cancellation", 2, env=biller, exit_code=1)
    assert "may not do this" in not_theirs.stderr


def test_stop_ends_what_is_named_or_everything(
    say: Say, run: Run, sell: Callable[..., Any], business: Business
) -> None:
    sell("--price", "9.99", "--min-charges", 12)
    for _ in range(3):
        say(PAYER, "subscriptions", "subscribe", 1)
    key = {"TALLYSTICK_KEY": business.anvil.key(PAYER)}
    refused = run("subscriptions", "cancel", 1, env=key, exit_code=1)
    assert "1 charges were made, and the payer agreed to 12" in refused.stderr
    assert "name the subscriptions to end, or --all" in run("subscriptions", "stop", env=key, exit_code=2).stderr
    assert "name the subscriptions to end" in run("subscriptions", "stop", 1, "--all", env=key, exit_code=2).stderr
    one = say(PAYER, "subscriptions", "stop", 2, "--salt", 7, "--salt", 8)
    assert (one["cancelled"], one["revoked_salts"]) == ([2], [7, 8])
    assert say(PAYER, "subscriptions", "stop", "--salt", 9)["revoked_salts"] == [9]
    rest = say(PAYER, "subscriptions", "stop", "--all")
    assert rest["cancelled"] == [1, 3]
    nothing = say(PAYER, "subscriptions", "stop", "--all")
    assert (nothing["cancelled"], nothing["transaction"]) == ([], None)


def test_E07_claims_are_listed_and_paid(say: Say, run: Run, sell: Callable[..., Any], business: Business) -> None:
    sell("--price", "9.99")
    say(PAYER, "subscriptions", "subscribe", 1)
    assert "nothing to claim" in run("claims", "list").stdout
    merchant = business.anvil.address(MERCHANT)
    business.block(merchant)
    business.anvil.advance(31 * DAY_S)
    business.charge(1)
    (claim,) = say(None, "claims", "list")
    assert claim == {"account": merchant, "token": business.token, "amount": units("9.990000")}
    assert say(None, "claims", "list", "--account", business.payee) == []
    key = {"TALLYSTICK_KEY": business.anvil.key(MERCHANT)}
    assert "refused the transfer" in run("claims", "pay", business.token, env=key, exit_code=1).stderr
    business.unblock(merchant)
    paid = say(BILLER, "claims", "pay", business.token, "--account", merchant)
    assert (paid["account"], paid["paid"]) == (merchant, units("9.990000"))
    none = run("claims", "pay", business.token, env=key, exit_code=1)
    assert f"the contract keeps nothing for {merchant}" in none.stderr


def test_help_teaches(run: Run) -> None:
    for words in (
        ("plans", "create"),
        *(("subscriptions", verb) for verb in ("show", "quote", "change", "stop", "cancel", "sign-cancellation")),
        ("subscriptions", "charge-usage"),
        ("claims", "pay"),
    ):
        text = run(*words, "--help").stdout
        assert "Example" in text
        assert f"tallystick {' '.join(words)}" in text
