"""The mirror of escrow payments: every event once, in order, beside the mirror of subscriptions."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest
from sqlalchemy import Engine, text

from tallystick.chain.rpc import Rpc
from tallystick.core.invoice import Kind
from tallystick.core.ledger import GENESIS_HASH, imbalance
from tallystick.core.payment import PaymentStatus
from tallystick.core.payment_books import PaymentBooks
from tallystick.errors import CorruptionError, ReorganizationTooDeep
from tallystick.flows.ingest import Ingested, ingest
from tallystick.flows.pending_payments import read_payments_present
from tallystick.storage.database import open_database, reading, transaction
from tallystick.storage.events import count_events
from tallystick.storage.journal import read_entries
from tallystick.storage.payment_invoices import read_payment_invoices
from tallystick.storage.payments import read_payment_totals, read_payments, read_revoked
from tallystick.storage.sources import Source, add_source, find_source, find_sources
from tests.business import Business
from tests.databases import NewDatabase
from tests.flows.test_ingest import content, target_of
from tests.payments import AMOUNT, Payments


@pytest.fixture
def payments(business: Business) -> Payments:
    return Payments(business)


def mirror(payments: Payments, engine: Engine, **more: int) -> Ingested:
    target = payments.target(pegs={payments.token: "USD"}, **more)
    return ingest(engine, Rpc(payments.anvil.url), target)


def source_of(payments: Payments, engine: Engine) -> Source:
    with reading(engine) as connection:
        source = find_source(connection, payments.anvil.chain_id, payments.contract.address)
    assert source is not None
    return source


def present(payments: Payments, engine: Engine) -> PaymentBooks:
    with reading(engine) as connection:
        source = source_of(payments, engine)
        return read_payments_present(connection, source, {}).books


def test_one_payment_from_event_to_invoice_to_ledger(payments: Payments, new_database: NewDatabase) -> None:
    terms = payments.held()
    payments.capture(terms, 10_000_000)
    engine = open_database(new_database())
    mirror(payments, engine)
    payment_id = payments.id_of(terms)
    assert present(payments, engine).payments[payment_id].held_units == AMOUNT - 10_000_000
    with reading(engine) as connection:
        assert read_payments(connection, source_of(payments, engine).source_id) == {}

    payments.anvil.finalize()
    mirror(payments, engine)
    source = source_of(payments, engine)
    with reading(engine) as connection:
        found = read_payments(connection, source.source_id)
        (invoice,) = read_payment_invoices(connection, source.source_id)
        held, captured = read_entries(connection, source.source_id)
        totals = read_payment_totals(connection, source.source_id)
    payment = found[payment_id]
    assert (payment.terms, payment.status, payment.refundable_units) == (terms, PaymentStatus.OPEN, 10_000_000)
    assert totals[payments.payee, payments.token][2:] == (1, AMOUNT)
    assert (invoice.kind, invoice.number, invoice.total_units, invoice.payment_id) == (
        *(Kind.INVOICE, 1, 10_000_000),
        payment_id,
    )
    assert invoice.fiat is not None
    assert (invoice.fiat.currency, invoice.fiat.units) == ("USD", 1_000)
    assert (held.kind, captured.kind) == ("authorization", "capture")
    assert (held.previous_hash, captured.previous_hash) == (GENESIS_HASH, held.hash)
    assert invoice.origin == captured.origin
    assert [imbalance(entry.postings) for entry in (held, captured)] == [{}, {}]


def test_every_kind_of_event_in_one_range_and_in_many(payments: Payments, new_database: NewDatabase) -> None:
    one, many, pending = (open_database(new_database()) for _ in range(3))
    start = payments.anvil.block_number
    payments.every_kind()
    names = set(payments.target().kind.decoder.shapes)
    mirror(payments, pending)
    payments.anvil.finalize()
    for engine in (one, pending):
        mirror(payments, engine)
    mirror(payments, many, events_per_request=1)
    assert content(one) == content(many) == content(pending)
    source = source_of(payments, one)
    with reading(one) as connection:
        assert set(count_events(connection, source.source_id)) == names
        found = read_payments(connection, source.source_id)
        assert len(read_revoked(connection, source.source_id)) == 1
        documents = list(read_payment_invoices(connection, source.source_id))
        back = list(read_payment_invoices(connection, source.source_id, newest_first=True))
    for payment in found.values():
        parts = payment.held_units, payment.captured_units, payment.returned_units, payment.arbiter_units
        assert sum(parts) == payment.terms.amount_units
    assert [document.number for document in documents if document.kind is Kind.INVOICE] == list(range(1, 9))
    assert [document.occasion.value for document in back][::-1] == [
        *("capture", "capture", "ruling", "refund", "charge", "milestone", "milestone", "ruling", "capture"),
    ]
    assert start < min(document.origin.block_number for document in documents)


def test_E60_a_reorganisation_removes_what_is_pending(payments: Payments, new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    first = payments.held()
    payments.anvil.finalize()
    mirror(payments, engine)
    before = content(engine)
    snapshot = payments.anvil.rpc("evm_snapshot")
    payments.capture(first, 1_000_000)
    payments.held()
    assert mirror(payments, engine).pending_blocks > 0
    assert present(payments, engine).payments[payments.id_of(first)].captured_units == 1_000_000
    assert content(engine)["payments"] == before["payments"]
    payments.anvil.rpc("evm_revert", snapshot)
    payments.anvil.mine(1)
    payments.capture(first, 2_000_000)
    assert mirror(payments, engine).rolled_back_events == 2
    assert present(payments, engine).payments[payments.id_of(first)].captured_units == 2_000_000
    payments.anvil.finalize()
    mirror(payments, engine)
    undisturbed = open_database(new_database())
    mirror(payments, undisturbed)
    assert content(engine) == content(undisturbed)


def test_E61_a_reorganisation_of_final_blocks_stops(payments: Payments, new_database: NewDatabase) -> None:
    snapshot = payments.anvil.rpc("evm_snapshot")
    payments.held()
    payments.anvil.finalize()
    engine = open_database(new_database())
    mirror(payments, engine)
    before = content(engine)
    payments.anvil.rpc("evm_revert", snapshot)
    payments.anvil.advance(7)
    payments.anvil.finalize()
    payments.anvil.mine(9)
    with pytest.raises(ReorganizationTooDeep):
        mirror(payments, engine)
    assert content(engine) == before


KILLED = """
import sys
from tallystick.chain.rpc import Rpc
from tallystick.flows.ingest import Target, ingest
from tallystick.flows.payment_books import ESCROW
from tallystick.storage.database import open_database

url, node, chain_id, contract, start, token = sys.argv[1:]
target = Target(int(chain_id), contract, int(start), pegs={token: "USD"}, events_per_request=1, kind=ESCROW)
engine = open_database(url)
print("started", flush=True)
ingest(engine, Rpc(node), target)
"""


def test_killed_at_any_moment_the_books_come_out_the_same_E64(payments: Payments, new_database: NewDatabase) -> None:
    for _ in range(2):
        payments.every_kind()
    payments.anvil.finalize()
    undisturbed = open_database(new_database())
    mirror(payments, undisturbed)
    expected, url, target = content(undisturbed), new_database(), payments.target()
    arguments = (url, payments.anvil.url, target.chain_id, target.contract, target.start_block, payments.token)
    command = [sys.executable, "-c", KILLED, *map(str, arguments)]
    draw = random.Random(64)
    for _ in range(5):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(draw.uniform(0.0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert content(open_database(url)) == expected


def test_two_contracts_are_two_partitions_of_one_database(payments: Payments, new_database: NewDatabase) -> None:
    """Each has its own journal, numbers and cursor."""
    business, engine = payments.business, open_database(new_database())
    business.subscribe(business.payer("ada"), business.create_plan())
    payments.capture(payments.held(), AMOUNT)
    payments.anvil.finalize()
    rpc = Rpc(payments.anvil.url)
    ingest(engine, rpc, target_of(business))
    mirror(payments, engine)
    with reading(engine) as connection:
        (subscriptions,), (escrow,) = (find_sources(connection, kind) for kind in ("Subscriptions", "Escrow"))
        journals = [[*read_entries(connection, source.source_id)] for source in (subscriptions, escrow)]
    assert (subscriptions.contract, escrow.contract) == (business.subscriptions, payments.contract.address)
    assert [[entry.kind for entry in journal] for journal in journals] == [["charge"], ["authorization", "capture"]]
    assert [journal[0].number for journal in journals] == [1, 1]


def test_a_payment_with_a_status_that_there_is_not_is_corruption(payments: Payments, new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    payments.held()
    payments.anvil.finalize()
    mirror(payments, engine)
    source = source_of(payments, engine)
    with transaction(engine) as connection:
        connection.execute(text("UPDATE payments SET status = 'lost'"))
        with pytest.raises(CorruptionError, match="has the status 'lost'"):
            read_payments(connection, source.source_id)
        with pytest.raises(CorruptionError, match="from block"):
            add_source(connection, source.chain_id, source.contract, 0, "Escrow")
