"""The mirror of what is sold once: quotes, and what comes to deposit addresses, beside the other two contracts."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from tallystick.core.expected import DepositStatus, Treatment
from tallystick.core.invoice import Kind
from tallystick.core.ledger import imbalance
from tallystick.core.reference import parse_reference
from tallystick.errors import CorruptionError, InputError, NotAContract
from tallystick.flows.checkout_books import read_checkout_present
from tallystick.flows.find_deposits import find_deposit, find_deposits
from tallystick.flows.mirror import StoredBooks
from tallystick.storage.checkout import read_deposits, read_sales
from tallystick.storage.database import open_database, reading, transaction
from tallystick.storage.events import count_events
from tallystick.storage.expected import read_expected
from tallystick.storage.journal import read_balances, read_entries
from tallystick.storage.sale_invoices import read_sale_invoices
from tallystick.storage.sources import Source, find_source
from tests.business import Business
from tests.databases import NewDatabase
from tests.flows.test_ingest import content
from tests.sales import AMOUNT, DAY, Sales


@pytest.fixture
def sales(business: Business) -> Sales:
    return Sales(business)


def source_of(sales: Sales, engine: Engine) -> Source:
    with reading(engine) as connection:
        source = find_source(connection, sales.anvil.chain_id, sales.contract.address)
    assert source is not None
    return source


def books_of(sales: Sales, engine: Engine) -> StoredBooks:
    source = source_of(sales, engine)
    return StoredBooks(engine, source, checkout=source)


def status_of(sales: Sales, engine: Engine, invoice: str) -> tuple[DepositStatus | None, int, int]:
    """Where it stands, and in its token advance and credit."""
    found, _ = find_deposit(books_of(sales, engine), invoice)
    deposit = found.in_token(sales.token)
    return found.status, deposit.advance_units, deposit.credit_units


def test_an_invoice_that_is_underpaid_and_completed(sales: Sales, new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    place = sales.expect(engine, "INV-1").address
    assert sales.expect(engine, "INV-1").address == place
    sales.mirror(engine)
    assert status_of(sales, engine, "INV-1") == (DepositStatus.OPEN, 0, 0)
    sales.send("INV-1", 20_000_000)
    sales.mirror(engine)
    assert status_of(sales, engine, "INV-1") == (DepositStatus.PARTIAL, 20_000_000, 0)
    sales.send("INV-1", 7_000_000)
    sales.mirror(engine)
    assert status_of(sales, engine, "INV-1") == (DepositStatus.PAID, 0, 2_000_000)
    sales.anvil.finalize()
    sales.sweep("INV-1")
    sales.anvil.finalize()
    sales.mirror(engine)
    source = source_of(sales, engine)
    with reading(engine) as connection:
        entries = list(read_entries(connection, source.source_id))
        (invoice,) = read_sale_invoices(connection, source.source_id)
        ((_, sale),) = read_sales(connection, source.source_id).items()
    assert [entry.kind for entry in entries] == ["deposit", "deposit", "sweep"]
    assert [imbalance(entry.postings) for entry in entries] == [{}, {}, {}]
    assert (invoice.kind, invoice.number, invoice.total_units) == (Kind.INVOICE, 1, AMOUNT)
    assert invoice.fiat is not None
    assert (invoice.fiat.currency, invoice.fiat.units) == ("USD", 2_500)
    assert (invoice.payer, invoice.origin) == (sales.exchange, entries[1].origin)
    assert (sale.sold_units, sale.refunded_units) == (AMOUNT, 0)
    found, movements = find_deposit(books_of(sales, engine), "INV-1")
    assert [(row.what, row.units, row.taken and row.taken.treatment) for row in movements] == [
        ("received", 20_000_000, Treatment.COUNTED),
        ("received", 7_000_000, Treatment.OVER),
        ("swept", 27_000_000, None),
    ]
    assert found.in_token(sales.token).standing_units == 0


def test_every_kind_of_event_in_one_range_and_in_many(sales: Sales, new_database: NewDatabase) -> None:
    one, many, pending = (open_database(new_database()) for _ in range(3))
    sales.expect_each(one, many, pending)
    sales.every_kind()
    sales.mirror(pending)
    sales.anvil.finalize()
    for engine in (one, pending):
        sales.mirror(engine)
    sales.mirror(many, events_per_request=1)
    assert content(one) == content(many) == content(pending)
    source = source_of(sales, one)
    with reading(one) as connection:
        assert set(count_events(connection, source.source_id)) == set(sales.target().kind.decoder.shapes) - {
            "ReceivedOtherwise"  # no token of this test takes a fee
        }
        documents = list(read_sale_invoices(connection, source.source_id, newest_first=True))[::-1]
        balances = {
            (balance.account.rpartition(":")[0], balance.token): balance.debit_units - balance.credit_units
            for balance in read_balances(connection, source.source_id)
            if sales.merchant in balance.account
        }
    assert [(document.kind.value, document.by.value) for document in documents] == [
        *[("invoice", "deposit")] * 4,
        ("credit_note", "refund"),
        *[("invoice", "quote")] * 2,
        ("credit_note", "refund"),
    ]
    assert balances["Assets:Deposits", sales.token] == 0
    assert balances["Liabilities:Advances", sales.token] == 0
    assert balances["Liabilities:Credit", sales.token] == -(AMOUNT + 1)  # what was never expected, and one too much
    assert balances["Liabilities:Credit", sales.other] == 0
    assert all(token != sales.spam for _, token in balances)


def test_what_comes_before_it_is_expected_is_booked_when_it_is_swept(sales: Sales, new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    sales.send("INV-1", AMOUNT)
    sales.anvil.finalize()
    sales.mirror(engine)
    sales.expect(engine, "INV-1")
    sales.mirror(engine)
    assert status_of(sales, engine, "INV-1") == (DepositStatus.OPEN, 0, 0)
    sales.sweep("INV-1")
    sales.mirror(engine)
    assert status_of(sales, engine, "INV-1") == (DepositStatus.PAID, 0, 0)


def test_expecting_more_reads_the_pending_blocks_again(sales: Sales, new_database: NewDatabase) -> None:
    """The payer was quicker than the mirror: what came after the last final block is seen."""
    engine = open_database(new_database())
    sales.anvil.finalize()
    sales.mirror(engine)
    sales.send("INV-1", 20_000_000)
    sales.mirror(engine)
    sales.expect(engine, "INV-1")
    sales.mirror(engine)
    assert status_of(sales, engine, "INV-1") == (DepositStatus.PARTIAL, 20_000_000, 0)


def test_E60_a_reorganisation_takes_a_deposit_back(sales: Sales, new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    sales.expect(engine, "INV-1")
    sales.anvil.finalize()
    sales.mirror(engine)
    snapshot = sales.anvil.rpc("evm_snapshot")
    sales.send("INV-1", AMOUNT)
    sales.mirror(engine)
    assert status_of(sales, engine, "INV-1") == (DepositStatus.PAID, 0, 0)
    sales.anvil.rpc("evm_revert", snapshot)
    sales.anvil.mine(1)
    sales.send("INV-1", 1_000_000)
    assert sales.mirror(engine).rolled_back_events == 1
    assert status_of(sales, engine, "INV-1") == (DepositStatus.PARTIAL, 1_000_000, 0)
    sales.anvil.finalize()
    sales.mirror(engine)
    with reading(engine) as connection:
        source = source_of(sales, engine)
        assert list(read_sale_invoices(connection, source.source_id)) == []
        assert read_checkout_present(connection, source, {}).changes == []


def test_a_deposit_stands_as_time_passes(sales: Sales, new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    sales.expect(engine, "INV-1", valid_s=DAY)
    sales.send("INV-1", 5_000_000)
    sales.mirror(engine)
    assert status_of(sales, engine, "INV-1") == (DepositStatus.PARTIAL, 5_000_000, 0)
    sales.anvil.advance(DAY)
    sales.anvil.mine(1)
    sales.mirror(engine)
    assert status_of(sales, engine, "INV-1") == (DepositStatus.EXPIRED, 5_000_000, 0)
    books = books_of(sales, engine)
    assert [one.invoice for one in find_deposits(books, status=DepositStatus.EXPIRED)] == ["INV-1"]
    assert find_deposits(books, status=DepositStatus.PAID) == []
    assert find_deposits(books, receiver=sales.payer) == []


def test_what_cannot_be_expected_is_refused_and_nothing_is_written(sales: Sales, new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    sales.expect(engine, "INV-1", valid_s=DAY)
    wrong: list[tuple[type[Exception], str, dict[str, object]]] = [
        (InputError, "in other terms", {"amount": AMOUNT + 1}),
        (InputError, "in other terms", {"token": sales.other}),
        (InputError, "in other terms", {"tolerance_units": 1, "valid_s": DAY}),
        (InputError, "in other terms", {}),
        (InputError, "name a time above zero", {"valid_s": 0}),
        (InputError, "allowed are 1 to", {"amount": 0}),
        (NotAContract, sales.payer, {"token": sales.payer}),
    ]
    for kind, message, more in wrong:
        with pytest.raises(kind, match=message):
            sales.expect(engine, "INV-1", **more)  # type: ignore[arg-type]
    with reading(engine) as connection:
        (expected,) = read_expected(connection, source_of(sales, engine).source_id, unseen=True)
    assert expected.amount_units == AMOUNT
    sales.mirror(engine)
    with pytest.raises(InputError, match="the books know of no deposit for 'INV-2'"):
        find_deposit(books_of(sales, engine), "INV-2")
    sales.expect(engine, "INV-1", receiver=sales.payer)
    with pytest.raises(InputError, match="of several receivers"):
        find_deposit(books_of(sales, engine), "INV-1")
    found, _ = find_deposit(books_of(sales, engine), "INV-1", receiver=sales.payer)
    assert found.receiver == sales.payer


def test_an_invoice_paid_by_what_there_is_not_is_corruption(sales: Sales, new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    sales.pay(sales.quote("INV-1"))
    sales.anvil.finalize()
    sales.mirror(engine)
    source = source_of(sales, engine)
    with transaction(engine) as connection:
        assert read_deposits(connection, source.source_id, [(sales.merchant, parse_reference("INV-1"))]) == {}
        connection.execute(text("UPDATE sale_invoices SET paid_by = 'gold'"))
        with pytest.raises(CorruptionError, match="is paid by 'gold'"):
            list(read_sale_invoices(connection, source.source_id))
