"""Expected against received: every unit that fell due is received or missing, and why it is missing is told."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

import pytest
from sqlalchemy import Engine, text

from tallystick.chain.node import connect
from tallystick.chain.rpc import Rpc
from tallystick.chain.sender import Sender
from tallystick.chain.signer import KeySigner
from tallystick.chain.subscriptions import Subscriptions
from tallystick.config import Config
from tallystick.core.reconciliation import ChargeRow
from tallystick.errors import CorruptionError
from tallystick.flows.bill import bill_once
from tallystick.flows.ingest import Target, ingest
from tallystick.flows.recognise import ANY_PLAN, OwnPlans
from tallystick.flows.reconcile_charges import reconcile_charges
from tallystick.storage.database import open_database, reading, transaction
from tallystick.storage.invoices import read_invoices
from tallystick.storage.sources import find_source
from tests.business import PRICE_UNITS, UNLIMITED, Business
from tests.databases import NewDatabase


def at(year: int, month: int, day: int = 1) -> int:
    return int(dt.datetime(year, month, day, 8, tzinfo=dt.UTC).timestamp())


@pytest.fixture
def begun(business: Business) -> Business:
    """In January 2040, so that months are known."""
    business.anvil.set_time(at(2040, 1, 15))
    return business


def target(business: Business) -> Target:
    contract = business.contract
    return Target(business.anvil.chain_id, contract.address, contract.start_block)


def reconciled(business: Business, engine: Engine, own: OwnPlans = ANY_PLAN) -> dict[tuple[str, int, str], ChargeRow]:
    """Of all that is on chain now, by month, plan and payer. What is received is what the invoices say."""
    business.anvil.finalize()
    ingest(engine, Rpc(business.anvil.url), target(business))
    with reading(engine) as connection:
        source = find_source(connection, business.anvil.chain_id, business.subscriptions)
        assert source is not None
        rows = reconcile_charges(connection, source, own)
        invoiced: defaultdict[str, int] = defaultdict(int)
        for invoice in read_invoices(connection, source.source_id):
            invoiced[invoice.token] += invoice.total_units * (1 if invoice.kind.value == "invoice" else -1)
    if own is ANY_PLAN:
        received: defaultdict[str, int] = defaultdict(int)
        for key, row in rows.items():
            received[key.token] += row.received_units
        assert received == invoiced
    for row in rows.values():
        assert row.expected_units == row.received_units + row.missing_units
    return {(key.month, key.plan_id, key.payer): row for key, row in rows.items()}


def test_what_is_paid_in_time_is_expected_and_received(begun: Business, new_database: NewDatabase) -> None:
    plan, ada = begun.create_plan(), begun.payer("ada")
    number = begun.subscribe(ada, plan)
    begun.anvil.set_time(at(2040, 2, 15) + 60)
    begun.charge(number)
    rows = reconciled(begun, open_database(new_database()))
    assert rows == {
        ("2040-01", plan, ada): ChargeRow(charged_units=PRICE_UNITS),
        ("2040-02", plan, ada): ChargeRow(charged_units=PRICE_UNITS),
    }
    assert [row.missing_units for row in rows.values()] == [0, 0]


def test_what_is_missing_has_its_reason(begun: Business, new_database: NewDatabase) -> None:
    """Of four payers: one cannot pay, one was never tried, one got something back, one cancelled too late."""
    plan = begun.create_plan()
    poor, untried, refunded, leaver = (begun.payer(name) for name in ("poor", "untried", "refunded", "leaver"))
    numbers = [begun.subscribe(payer, plan) for payer in (poor, untried, refunded, leaver)]
    begun.approve(poor, 0)
    begun.anvil.set_time(at(2040, 2, 15) + 60)
    begun.charge(numbers[0], numbers[2])
    begun.approve(begun.payee, UNLIMITED)
    begun.call(begun.payee, "refund", numbers[2], 2, 4_000_000)
    begun.call(leaver, "cancel", numbers[3])
    rows = reconciled(begun, open_database(new_database()))
    february = {payer: row for (month, _, payer), row in rows.items() if month == "2040-02"}
    assert february == {
        poor: ChargeRow(declined_units=PRICE_UNITS, open_units=PRICE_UNITS, reasons={"declined: allowance"}),
        untried: ChargeRow(uncharged_units=PRICE_UNITS, open_units=PRICE_UNITS, reasons={"not charged yet"}),
        refunded: ChargeRow(charged_units=PRICE_UNITS, refunded_units=4_000_000, reasons={"refunded"}),
        leaver: ChargeRow(uncharged_units=PRICE_UNITS, reasons={"not charged before it was cancelled"}),
    }


def test_paid_in_another_month_than_due_is_late(begun: Business, new_database: NewDatabase) -> None:
    """The month of February is settled in March: it is not missing, and February's row changes once."""
    engine = open_database(new_database())
    plan, ada = begun.create_plan(catch_up=1), begun.payer("ada")
    number = begun.subscribe(ada, plan)
    begun.anvil.set_time(at(2040, 2, 20))
    assert reconciled(begun, engine)["2040-02", plan, ada].open_units == PRICE_UNITS
    begun.anvil.set_time(at(2040, 3, 10))
    begun.charge(number)
    row = reconciled(begun, engine)["2040-02", plan, ada]
    assert (row.received_units, row.late_units, row.missing_units) == (PRICE_UNITS, PRICE_UNITS, 0)
    assert row.reasons == {"paid late"}


def test_the_biller_knows_why_before_anything_is_sent(begun: Business, new_database: NewDatabase) -> None:
    engine, plan = open_database(new_database()), begun.create_plan()
    poor = begun.payer("poor", units=PRICE_UNITS)
    begun.subscribe(poor, plan)
    begun.anvil.set_time(at(2040, 2, 20))
    reconciled(begun, engine)
    node = connect(begun.anvil.url)
    sender = Sender(node, KeySigner.from_key(begun.anvil.key(3)), Config().gas)
    bill_once(engine, target(begun), Subscriptions(node, begun.subscriptions, sender), max_gas=10**7, retry_after_s=())
    row = reconciled(begun, engine)["2040-02", plan, poor]
    assert (row.declined_units, row.reasons) == (PRICE_UNITS, {"declined: balance"})


def test_a_period_that_is_past_collecting_stays_missing(begun: Business, new_database: NewDatabase) -> None:
    """The plan collects no missed period: the charge in April is April's, February and March are lost."""
    engine, plan, ada = open_database(new_database()), begun.create_plan(), begun.payer("ada")
    number = begun.subscribe(ada, plan)
    begun.anvil.set_time(at(2040, 4, 20))
    begun.charge(number)
    rows = reconciled(begun, engine)
    lost = ChargeRow(uncharged_units=PRICE_UNITS, reasons={"not charged in time"})
    assert rows["2040-02", plan, ada] == rows["2040-03", plan, ada] == lost
    assert rows["2040-04", plan, ada] == ChargeRow(charged_units=PRICE_UNITS)


def test_a_subscription_that_ended_by_its_grace(begun: Business, new_database: NewDatabase) -> None:
    plan, ada = begun.create_plan(grace=86_400), begun.payer("ada")
    begun.subscribe(ada, plan)
    begun.anvil.set_time(at(2040, 5, 1))
    rows = reconciled(begun, open_database(new_database()))
    assert rows["2040-02", plan, ada].reasons == {"not charged before it ended"}
    assert set(rows) == {("2040-01", plan, ada), ("2040-02", plan, ada)}, "afterwards nothing is expected"


def test_seats_a_change_at_once_and_usage_are_in_what_was_received(begun: Business, new_database: NewDatabase) -> None:
    """A change at once, and usage, is expected when it is charged, and has no period that could be missing."""
    engine, ada = open_database(new_database()), begun.payer("ada")
    seats = begun.create_plan(1_000_000, seat_price_units=2_000_000)
    metered = begun.create_plan(usage_cap_units=5_000_000, usage_price_units=10**6)
    number = begun.subscribe(ada, seats, 3)
    used = begun.subscribe(ada, metered)
    begun.anvil.set_time(at(2040, 2, 1))
    begun.change_plan(ada, number, seats, 5)
    begun.call(begun.payee, "chargeUsage", used, 2, 700_000, 10**12, bytes(32))
    rows = reconciled(begun, engine)
    assert rows["2040-01", seats, ada].expected_units == 7_000_000
    assert 0 < rows["2040-02", seats, ada].received_units < 4_000_000
    assert rows["2040-02", metered, ada] == ChargeRow(charged_units=700_000)
    begun.anvil.set_time(at(2040, 2, 15) + 60)
    assert reconciled(begun, engine)["2040-02", seats, ada].uncharged_units == 11_000_000


def test_of_the_own_plans_alone(begun: Business, new_database: NewDatabase) -> None:
    engine, other = open_database(new_database()), begun.account("other")
    plan, theirs, ada = begun.create_plan(), begun.create_plan(payee=other), begun.payer("ada")
    for number in (plan, theirs):
        begun.subscribe(ada, number)
    assert {key[1] for key in reconciled(begun, engine)} == {plan, theirs}
    assert {key[1] for key in reconciled(begun, engine, OwnPlans(frozenset({begun.payee})))} == {plan}


def test_invoices_that_the_events_do_not_make_are_refused(begun: Business, new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    begun.subscribe(begun.payer("ada"), begun.create_plan())
    reconciled(begun, engine)
    with transaction(engine) as connection:
        connection.execute(text("UPDATE invoices SET total_units = '9990001'"))
    with pytest.raises(CorruptionError, match="invoices of 9990001 units are stored, the events make 9990000"):
        reconciled(begun, engine)
