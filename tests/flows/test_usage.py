"""A metered plan on a real chain: charges of usage and their refunds in books, documents and audit."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tallystick.chain.rpc import Rpc
from tallystick.config import Config
from tallystick.core.invoice import Kind, Usage
from tallystick.flows.audit import AuditReport, audit
from tallystick.flows.connect import Connection
from tallystick.flows.history import read_segments
from tallystick.flows.ingest import Target, ingest
from tallystick.flows.mirror import StoredBooks
from tallystick.flows.present import Presenter
from tallystick.flows.revenue import read_deferrals
from tallystick.render.invoice_json import invoice_json
from tallystick.storage.database import open_database, reading, transaction
from tallystick.storage.invoices import read_invoices
from tallystick.storage.journal import read_balances
from tallystick.storage.sources import find_source
from tallystick.storage.subscriptions import read_plans, read_subscriptions
from tests.business import PRICE_UNITS, UNLIMITED, Business
from tests.databases import NewDatabase

DAY = 86_400
CAP, PER_MILLION = 5_000_000, 2_500_000
HASHES = [bytes([number]) * 32 for number in range(1, 5)]


class Meter:
    """A subscription with usage, two periods of it and some refunds, mirrored; one more charge is pending."""

    def __init__(self, business: Business, url: str) -> None:
        self.business = business
        self.biller, self.platform = business.account("biller"), business.account("platform")
        self.plan_id = business.create_plan(
            usage_cap_units=CAP,
            usage_price_units=PER_MILLION,
            biller=self.biller,
            fee_bps=1_000,
            fee_receiver=self.platform,
        )
        self.number = business.subscribe(business.payer("ada"), self.plan_id)
        business.token_call(business.payee, "approve", business.subscriptions, UNLIMITED)
        self.use(self.biller, 1_999_999, 800_000, HASHES[0])
        self.use(business.payee, CAP - 1_999_999, 2**128 - 1, HASHES[1])
        business.anvil.advance(32 * DAY)
        business.charge(self.number)
        self.use(self.biller, 7, 3, HASHES[2])
        connection = self.connection()
        self.history = read_segments(connection, self.number)
        for charge_number, units in ((2, 1_000_000), (5, 7), (1, PRICE_UNITS)):
            segments = [tuple(segment) for segment in self.history]
            business.call(business.payee, "refundChanged", self.number, charge_number, units, segments)
        business.anvil.finalize()
        contract = business.contract
        self.target = Target(
            business.anvil.chain_id, contract.address, contract.start_block, pegs={business.token: "USD"}
        )
        self.engine, self.rpc = open_database(url), Rpc(business.anvil.url)
        ingest(self.engine, self.rpc, self.target)
        self.use(self.biller, 9, 4, HASHES[3])
        ingest(self.engine, self.rpc, self.target)

    def use(self, sender: str, units: int, quantity: int, usage_hash: bytes) -> None:
        charge_number = self.connection().contract.subscription(self.number).charges + 1
        self.business.call(sender, "chargeUsage", self.number, charge_number, units, quantity, usage_hash)

    def connection(self) -> Connection:
        return self.business.connection()

    def audit(self) -> AuditReport:
        return audit(self.engine, self.rpc, self.target)


@pytest.fixture
def meter(business: Business, new_database: NewDatabase) -> Meter:
    return Meter(business, new_database())


def test_E36_usage_is_in_the_history_that_refunds_need(meter: Meter) -> None:
    assert meter.history == [(1, PRICE_UNITS, 1_999_999), (2, PRICE_UNITS, CAP - 1_999_999), (4, PRICE_UNITS, 7)]


def test_the_books_count_usage_as_the_contract_does(meter: Meter) -> None:
    report = meter.audit()
    assert report.differences == []
    assert (report.charges_on_chain, report.charges_in_ledger, report.refunds_in_ledger) == (5, 5, 3)
    with reading(meter.engine) as connection:
        (plan,) = read_plans(connection, 1).values()
        (found,) = read_subscriptions(connection, 1).values()
        held = {balance.account: balance.credit_units - balance.debit_units for balance in read_balances(connection, 1)}
    terms = plan.terms
    assert (terms.usage_cap_units, terms.usage_price_units, terms.biller) == (CAP, PER_MILLION, meter.biller)
    assert (found.charges, found.usage_units, found.usage_charge, found.usage_left(terms)) == (5, 7, 5, CAP - 7)
    account = f"{meter.business.payee}:Plan-{meter.plan_id}"
    assert held[f"Income:Usage:{account}"] == CAP + 7
    assert held[f"Income:Subscriptions:{account}"] == 2 * PRICE_UNITS
    assert held[f"Income:Refunds:{account}"] == -(1_000_000 + 7 + PRICE_UNITS)
    fees = [units // 10 for units in (1_999_999, CAP - 1_999_999, 7, PRICE_UNITS, PRICE_UNITS)]
    assert held[f"Income:Fees:{meter.platform}"] == sum(fees)


def test_an_invoice_says_which_usage_it_is_for(meter: Meter) -> None:
    with reading(meter.engine) as connection:
        source = find_source(connection, meter.target.chain_id, meter.target.contract)
        invoices = list(read_invoices(connection, 1, kind=Kind.INVOICE))
        notes = list(read_invoices(connection, 1, kind=Kind.CREDIT_NOTE))
    assert source is not None
    usages = [Usage(800_000, HASHES[0]), Usage(2**128 - 1, HASHES[1]), None, Usage(3, HASHES[2])]
    assert [invoice.usage for invoice in invoices] == [None, *usages]
    assert [note.usage for note in notes] == [None] * 3
    presenter = Presenter(StoredBooks(meter.engine, source), Config())
    shown = [invoice_json(presenter.find(f"{meter.number}/{number}")) for number in (2, 6)]
    assert [document["usage"] for document in shown] == [
        {"quantity": "800000", "hash": "0x" + "01" * 32},
        {"quantity": "4", "hash": "0x" + "04" * 32},
    ]
    assert [document["status"] for document in shown] == ["partly_refunded", "pending"]
    assert shown[0]["lines"][0]["description"] == f"Plan {meter.plan_id}, 800,000 units of usage"
    assert shown[0]["total"]["units"] == "1999999"


LIES = {
    "UPDATE invoices SET usage_quantity = '1' WHERE charge_number = 2 AND kind = 'invoice'": "invoice 2 of",
    "UPDATE invoices SET usage_hash = NULL WHERE charge_number = 2 AND kind = 'invoice'": "invoice 2 of",
    "UPDATE invoices SET usage_quantity = '1' WHERE charge_number = 1 AND kind = 'invoice'": "invoice 1 of",
    "UPDATE plans SET usage_cap_units = '1'": "plan 1",
    "UPDATE plans SET usage_price_units = '1'": "plan 1",
    "UPDATE plans SET biller = NULL": "plan 1",
    "UPDATE subscriptions SET usage_units = '8'": "subscription 1",
    "UPDATE subscriptions SET usage_charge = 4": "subscription 1",
}


def test_the_audit_finds_every_lie_about_usage(meter: Meter) -> None:
    for lie, row in LIES.items():
        table = lie.split()[1]
        with transaction(meter.engine) as connection:
            connection.execute(text(f"CREATE TABLE before AS SELECT * FROM {table}"))
            assert connection.execute(text(lie)).rowcount == 1
        assert any(difference.row.startswith(row) for difference in meter.audit().differences), lie
        with transaction(meter.engine) as connection:
            connection.execute(text(f"DELETE FROM {table}"))
            connection.execute(text(f"INSERT INTO {table} SELECT * FROM before"))
            connection.execute(text("DROP TABLE before"))
    assert meter.audit().differences == []


def test_usage_is_earned_when_it_is_charged(meter: Meter) -> None:
    with reading(meter.engine) as connection:
        source = find_source(connection, meter.target.chain_id, meter.target.contract)
        assert source is not None
        charges = [charge for _, charge in read_deferrals(connection, source)]
    usage = [charge for charge in charges if charge.units in {1_999_999, CAP - 1_999_999, 7}]
    assert len(usage) == 3
    assert [charge.deferred_units(charge.time + 1) for charge in usage] == [0, 0, 0]
    assert sum(charge.deferred_units(charge.time + 1) > 0 for charge in charges) == len(charges) - 3
