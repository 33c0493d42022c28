"""Revenue by when it is earned, of a chain's charges: it and what is deferred are what the journal has as income."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

from tallystick.chain.rpc import Rpc
from tallystick.core.ledger import imbalance
from tallystick.core.period import Unit
from tallystick.flows.ingest import Target, ingest
from tallystick.flows.revenue import (
    PlanKey,
    Revenue,
    by_accrual,
    deferral_postings,
    read_deferrals,
    revenue_by_month,
    revenue_until,
)
from tallystick.storage.database import open_database, reading
from tallystick.storage.journal import read_balances
from tallystick.storage.sources import Source, find_source
from tests.business import PRICE_UNITS, UNLIMITED, Business
from tests.databases import NewDatabase

MONTH_AND_MORE = 32 * 86_400
YEAR_UNITS = 120_000_000


def mirrored(business: Business, url: str) -> tuple[Source, dict[PlanKey, Revenue]]:
    """A monthly and a yearly plan over half a year, one charge given back in part; all that there is at the end."""
    monthly = business.create_plan()
    yearly = business.create_plan(YEAR_UNITS, unit=Unit.YEAR)
    ids = [business.subscribe(business.payer("ada"), monthly), business.subscribe(business.payer("bob"), yearly)]
    for _ in range(5):
        business.anvil.advance(MONTH_AND_MORE)
        business.charge(ids[0])
    business.token_call(business.payee, "approve", business.subscriptions, UNLIMITED)
    business.call(business.payee, "refund", ids[0], 6, 3_000_000)
    business.call(business.payee, "refund", ids[0], 1, 1_000_000)
    business.anvil.finalize()
    contract = business.contract
    engine = open_database(url)
    ingest(engine, Rpc(business.anvil.url), Target(business.anvil.chain_id, contract.address, contract.start_block))
    with reading(engine) as connection:
        source = find_source(connection, business.anvil.chain_id, business.subscriptions)
        assert source is not None
        return source, revenue_until(connection, source, source.final_time + 1)


def test_what_is_earned_and_what_is_deferred_is_what_was_paid(business: Business, new_database: NewDatabase) -> None:
    url = new_database()
    source, found = mirrored(business, url)
    monthly, yearly = found.values()
    assert (monthly.charged_units, monthly.refunded_units) == (6 * PRICE_UNITS, 4_000_000)
    assert (yearly.charged_units, yearly.refunded_units) == (YEAR_UNITS, 0)
    assert 0 < yearly.earned_units < YEAR_UNITS / 2
    with reading(open_database(url)) as connection:
        balances = read_balances(connection, source.source_id)
        earned = by_accrual(connection, source, balances, source.final_time)
    income = sum(row.credit_units - row.debit_units for row in balances if row.account.startswith("Income:"))
    assert income == sum(revenue.earned_units + revenue.deferred_units for revenue in found.values())
    sums = {(row.account, row.token): row.credit_units - row.debit_units for row in earned}
    assert sum(sums.values()) == 0
    assert sum(units for (account, _), units in sums.items() if account.startswith("Income:")) == sum(
        revenue.earned_units for revenue in found.values()
    )
    assert [(row.account, row.token) for row in earned] == sorted((row.account, row.token) for row in earned)
    assert {row.account for row in balances} <= {row.account for row in earned}
    postings = deferral_postings(found)
    assert imbalance(postings) == {}
    liabilities = {posting.account: posting.units for posting in postings if posting.side == "C"}
    assert liabilities == {
        f"Liabilities:Deferred:{business.payee}:Plan-1": monthly.deferred_units,
        f"Liabilities:Deferred:{business.payee}:Plan-2": yearly.deferred_units,
    }


def test_months_add_up(business: Business, new_database: NewDatabase) -> None:
    """Each month begins with what was deferred at the end of the one before, and all of them are the whole."""
    url = new_database()
    source, found = mirrored(business, url)
    with reading(open_database(url)) as connection:
        charges = list(read_deferrals(connection, source))
        first = min(charge.time for _, charge in charges)
        last = max(charge.end for _, charge in charges)
        months = revenue_by_month(connection, source, first, last).months
        short = revenue_by_month(connection, source, first + 2 * MONTH_AND_MORE, first + 3 * MONTH_AND_MORE).months
    assert {charge.units for _, charge in charges} == {PRICE_UNITS, YEAR_UNITS}
    sums: defaultdict[PlanKey, Revenue] = defaultdict(Revenue)
    for start, plans in months.items():
        assert dt.datetime.fromtimestamp(start, dt.UTC).day == 1
        for key, month in plans.items():
            before = sums[key].deferred_units
            assert before + month.charged_units == month.refunded_units + month.earned_units + month.deferred_units
            sums[key] = sums[key].plus(month)._replace(deferred_units=month.deferred_units)
    for key, whole in found.items():
        assert sums[key] == Revenue(
            whole.charged_units, whole.refunded_units, whole.charged_units - whole.refunded_units, 0
        ), "by the end of the last period everything is earned"
    assert short
    assert all(months[start] == plans for start, plans in short.items()), "wherever one begins to look"
