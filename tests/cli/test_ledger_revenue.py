"""`tallystick ledger deferred` and `revenue`, typed as people type them."""

from __future__ import annotations

from tests.business import PRICE_UNITS, Business
from tests.cli.conftest import Run, Say


def units(amount: dict[str, str]) -> int:
    return int(amount["units"])


def test_what_is_earned_and_deferred_by_month(say: Say, run: Run, business: Business) -> None:
    assert run("ledger", "deferred", exit_code=1).stderr.startswith("error: there is no database")
    run("index", "--once")
    assert run("ledger", "revenue").stdout.startswith("no invoices yet")
    subscription = business.subscribe(business.payer("ada"), business.create_plan())
    business.anvil.advance(32 * 86_400)
    business.charge(subscription)
    business.anvil.finalize()
    run("index", "--once")
    (now,) = say(None, "ledger", "deferred")
    assert units(now["charged"]) == 2 * PRICE_UNITS == units(now["earned"]) + units(now["deferred"])
    assert (now["plan"], now["payee"], units(now["refunded"])) == (1, business.payee, 0)
    rows = {row["account"].split(":0x")[0]: row for row in say(None, "ledger", "trial-balance", "--accrual")}
    income = rows["Income:Subscriptions"]
    assert units(income["credit"]) - units(income["debit"]) == units(now["earned"])
    assert units(rows["Liabilities:Deferred"]["credit"]) == units(now["deferred"])
    assert units(rows["Total"]["debit"]) == units(rows["Total"]["credit"])
    for options in (("--of", "escrow"), ("--block", 1)):
        refused = run("ledger", "trial-balance", "--accrual", *options, exit_code=2).stderr
        assert "--accrual is of subscriptions alone, and as of a time" in refused
    (later,) = say(None, "ledger", "deferred", "--at", "2100-01-01")
    assert (units(later["earned"]), units(later["deferred"])) == (2 * PRICE_UNITS, 0)
    assert run("ledger", "deferred", "--at", "1999-01-01").stdout.startswith("no invoices yet")
    months = say(None, "ledger", "revenue", "--until", "2100-01-01")
    assert sum(units(month["earned"]) for month in months) == sum(units(month["charged"]) for month in months)
    assert units(months[-1]["deferred"]) == 0
    assert [month["month"] for month in months] == sorted(month["month"] for month in months)
    shown = say(None, "ledger", "revenue")
    assert shown == months[: len(shown)]
    assert "found 'soon', allowed is a date" in run("ledger", "revenue", "--since", "soon", exit_code=2).stderr
