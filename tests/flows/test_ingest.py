"""The mirror: every event once, in order, whatever the chain and the machine do."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import settings
from sqlalchemy import Engine, create_engine, select, text

from tallystick.chain.rpc import Rpc
from tallystick.core import balances
from tallystick.core.invoice import Invoice, Kind
from tallystick.core.ledger import GENESIS_HASH, imbalance
from tallystick.core.money import UINT256_MAX
from tallystick.core.period import Unit
from tallystick.core.plan import PlanTerms
from tallystick.errors import CorruptionError, EventsInconsistent, NodeInvalid, ReorganizationTooDeep
from tallystick.flows.audit import audit
from tallystick.flows.ingest import Ingested, Target, ingest
from tallystick.flows.pending import read_present
from tallystick.storage.database import open_database, reading, transaction
from tallystick.storage.invoices import read_invoices
from tallystick.storage.journal import read_balances, read_entries
from tallystick.storage.schema import metadata, tokens
from tallystick.storage.sources import Source, find_source
from tallystick.testing import Anvil
from tests.business import PRICE_UNITS, UNLIMITED, Business, calldata, plan_tuple
from tests.databases import NewDatabase

MONTH_AND_MORE = 32 * 86_400
DERIVED = [table for table in metadata.sorted_tables if table.name not in {"attempts", "leases"}]


def target_of(business: Business) -> Target:
    contract = business.contract
    return Target(business.anvil.chain_id, contract.address, contract.start_block, pegs={business.token: "USD"})


def mirror(business: Business, engine: Engine) -> Ingested:
    return ingest(engine, Rpc(business.anvil.url), target_of(business))


def source_of(business: Business, engine: Engine) -> Source:
    with reading(engine) as connection:
        source = find_source(connection, business.anvil.chain_id, business.subscriptions)
    assert source is not None
    return source


def content(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Every row that follows from the chain."""
    with reading(engine) as connection:
        return {
            table.name: [
                tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
                for row in connection.execute(select(table).order_by(*table.primary_key))
            ]
            for table in DERIVED
        }


def pending_invoices(business: Business, engine: Engine) -> list[Invoice]:
    with reading(engine) as connection:
        changes = read_present(connection, source_of(business, engine), {}).changes
    return [change.invoice for _, change in changes if change.invoice is not None]


def test_one_charge_from_event_to_invoice_to_ledger(business: Business, new_database: NewDatabase) -> None:
    plan = business.create_plan()
    payer = business.payer("ada")
    subscription = business.subscribe(payer, plan)
    engine = open_database(new_database())

    mirror(business, engine)
    (pending,) = pending_invoices(business, engine)
    assert (pending.number, pending.payer, pending.total_units) == (None, payer, PRICE_UNITS)

    business.anvil.finalize()
    mirror(business, engine)
    assert pending_invoices(business, engine) == []
    with reading(engine) as connection:
        source_id = source_of(business, engine).source_id
        (invoice,) = read_invoices(connection, source_id)
        (entry,) = read_entries(connection, source_id)
        held = read_balances(connection, source_id)
    assert (invoice.kind, invoice.number, invoice.subscription_id, invoice.charge_number) == (
        Kind.INVOICE,
        1,
        subscription,
        1,
    )
    assert invoice.fiat is not None
    assert (invoice.fiat.currency, invoice.fiat.units) == ("USD", 999)
    assert invoice.origin == entry.origin == pending.origin
    assert (entry.number, entry.previous_hash, imbalance(entry.postings)) == (1, GENESIS_HASH, {})
    assert [(balance.debit_units, balance.credit_units) for balance in held] == [(PRICE_UNITS, 0), (0, PRICE_UNITS)]


def test_a_refund_becomes_a_credit_note_of_its_invoice(business: Business, new_database: NewDatabase) -> None:
    subscription = business.subscribe(business.payer("ada"), business.create_plan())
    business.token_call(business.payee, "approve", business.subscriptions, UNLIMITED)
    business.call(business.payee, "refund", subscription, 1, 4_000_000)
    engine = open_database(new_database())
    mirror(business, engine)
    assert pending_invoices(business, engine)[-1].kind == Kind.CREDIT_NOTE
    business.anvil.finalize()
    mirror(business, engine)
    in_one_range = open_database(new_database())
    mirror(business, in_one_range)
    assert content(in_one_range) == content(engine)
    with reading(engine) as connection:
        note, invoice = read_invoices(connection, source_of(business, engine).source_id)
    assert (note.kind, note.number, note.corrects, note.total_units) == (Kind.CREDIT_NOTE, 1, invoice.number, 4_000_000)


def test_only_final_blocks_number_invoices_E69(business: Business, new_database: NewDatabase) -> None:
    plan = business.create_plan()
    ids = [business.subscribe(business.payer(name), plan) for name in ("ada", "bob")]
    business.anvil.finalize()
    business.anvil.advance(MONTH_AND_MORE)
    engine = open_database(new_database())
    business.charge(*ids)
    mirror(business, engine)
    assert len(pending_invoices(business, engine)) == 2
    business.anvil.reorg(1)  # the charges are gone, and come again in another order
    business.charge(*reversed(ids))
    business.anvil.finalize()
    mirror(business, engine)
    with reading(engine) as connection:
        invoices = list(read_invoices(connection, source_of(business, engine).source_id))
    assert [invoice.number for invoice in invoices] == [1, 2, 3, 4]
    assert [invoice.subscription_id for invoice in invoices] == [*ids, *reversed(ids)]


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_a_reorganisation_above_finality_rolls_back_E60(new_database: NewDatabase, depth: int) -> None:
    with Anvil("--slots-in-an-epoch", "4") as anvil:  # eight blocks to finality
        business = Business(anvil)
        ids = [business.subscribe(business.payer(name), business.create_plan()) for name in range(depth)]
        business.anvil.finalize()
        anvil.advance(MONTH_AND_MORE)
        engine = open_database(new_database())
        for number in ids:
            business.charge(number)
        mirror(business, engine)
        assert len(pending_invoices(business, engine)) == depth
        anvil.reorg(depth)
        done = mirror(business, engine)
        assert done.rolled_back_events == depth
        assert pending_invoices(business, engine) == []
        business.charge(*ids)
        anvil.finalize()
        mirror(business, engine)
        undisturbed = open_database(new_database())
        mirror(business, undisturbed)
        assert content(engine) == content(undisturbed)


def test_a_reorganisation_below_finality_stops_the_mirror_E61(business: Business, new_database: NewDatabase) -> None:
    mark = business.anvil.snapshot()
    business.subscribe(business.payer("ada"), business.create_plan())
    business.anvil.finalize()
    engine = open_database(new_database())
    mirror(business, engine)
    before = content(engine)
    business.anvil.revert(mark)
    business.anvil.mine(20)
    with pytest.raises(ReorganizationTooDeep, match="nothing was changed"):
        mirror(business, engine)
    assert content(engine) == before


def test_a_head_that_goes_back_is_no_reorganisation_E62(business: Business, new_database: NewDatabase) -> None:
    business.subscribe(business.payer("ada"), business.create_plan())
    engine = open_database(new_database())
    mirror(business, engine)
    mark = business.anvil.snapshot()
    business.anvil.mine(2)
    mirror(business, engine)
    ahead = content(engine)
    business.anvil.revert(mark)  # as a node that has not seen the last blocks yet
    assert mirror_or_lag(business, engine) in {"lags", None}
    assert content(engine) == ahead


def mirror_or_lag(business: Business, engine: Engine) -> str | None:
    try:
        return None if mirror(business, engine).rolled_back_events is None else "rolled back"
    except NodeInvalid:
        return "lags"


def test_reading_in_any_steps_gives_the_same_books(
    business: Business, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(balances, "STRETCH", 5)
    plan = business.create_plan(every=30, unit=Unit.SECOND)
    ids = business.subscribe_many(3, plan)
    stepwise = open_database(new_database())
    for _ in range(6):
        business.anvil.advance(31)
        business.charge(*ids)
        mirror(business, stepwise)
    business.anvil.finalize()
    mirror(business, stepwise)
    at_once = open_database(new_database())
    mirror(business, at_once)
    assert content(stepwise) == content(at_once)
    assert len(content(at_once)["past_balances"]) > 2


def test_proven_by_their_blocks_they_are_the_same_books(business: Business, new_database: NewDatabase) -> None:
    ids = business.subscribe_many(3, business.create_plan())
    business.anvil.advance(MONTH_AND_MORE)
    business.charge(*ids)
    business.anvil.finalize()
    business.call(business.payee, "cancel", ids[0])  # stays pending
    told, proven = open_database(new_database()), open_database(new_database())
    mirror(business, told)
    target = replace(target_of(business), proven=True)
    ingest(proven, Rpc(business.anvil.url), target)
    assert content(proven) == content(told)
    assert audit(proven, Rpc(business.anvil.url), target).ok


def test_events_of_other_contracts_are_ignored_E67(business: Business, new_database: NewDatabase) -> None:
    plan = business.create_plan()
    business.subscribe(business.payer("ada"), plan)
    other = Business(business.anvil)  # the same address: found, not deployed again
    assert other.subscriptions == business.subscriptions
    copy = business.anvil.rpc("eth_getCode", business.subscriptions, "latest")
    business.anvil.rpc("anvil_setCode", "0x" + "77" * 20, copy)
    business.anvil.rpc("anvil_setNonce", "0x" + "77" * 20, "0x1")  # as a contract that was created has
    terms = plan_tuple(PlanTerms(business.payee, PRICE_UNITS, business.token, 1, Unit.MONTH))
    business.send(business.payee, "0x" + "77" * 20, calldata("Subscriptions", "createPlan", terms))
    business.anvil.finalize()
    engine = open_database(new_database())
    mirror(business, engine)
    assert len(content(engine)["plans"]) == 1


def test_a_missing_event_is_noticed_at_the_next_E62(business: Business, new_database: NewDatabase) -> None:
    """A node that left out a subscription's events: the next one cannot follow, and nothing of the range is kept."""
    plan = business.create_plan(every=30, unit=Unit.SECOND)
    (number,) = business.subscribe_many(1, plan)
    business.anvil.finalize()
    engine = open_database(new_database())
    mirror(business, engine)
    with transaction(engine) as connection:
        connection.execute(text("UPDATE subscriptions SET charges = 0"))  # as if charge 1 had never been seen
    before = content(engine)
    business.anvil.advance(31)
    business.charge(number)
    business.anvil.finalize()
    with pytest.raises(EventsInconsistent, match="charge 2 follows charge 0"):
        mirror(business, engine)
    assert content(engine)["events"] == before["events"]
    assert content(engine)["entries"] == before["entries"]


def test_a_decline_of_a_number_that_no_subscription_has_stops_nobody(
    business: Business, new_database: NewDatabase
) -> None:
    """Anyone may have any number charged, and so put any number into the contract's events."""
    number = business.subscribe(business.payer("ada"), business.create_plan())
    business.charge(2**256 - 1, number, 2**63, 77)
    engine = open_database(new_database())
    mirror(business, engine)
    business.anvil.finalize()
    mirror(business, engine)
    assert len(content(engine)["invoices"]) == 1
    assert [row[6] for row in content(engine)["events"]].count("Declined") == 4


def test_another_start_block_is_refused(business: Business, new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    mirror(business, engine)
    target = Target(business.anvil.chain_id, business.subscriptions, business.contract.start_block + 1)
    with pytest.raises(CorruptionError, match="the deployment manifest says"):
        ingest(engine, Rpc(business.anvil.url), target)


def test_amounts_of_256_bits_survive_storage_E68(new_database: NewDatabase) -> None:
    from tallystick.core.events import Origin
    from tallystick.core.ledger import Entry, Posting
    from tallystick.storage.journal import add_entries
    from tallystick.storage.sources import add_source

    engine = open_database(new_database())
    postings = (Posting("Assets:A", "D", "0xT", UINT256_MAX), Posting("Income:B", "C", "0xT", UINT256_MAX))
    entry = Entry(1, "charge", Origin(5, b"h", 1, b"t", 0), postings, GENESIS_HASH, b"x")
    with transaction(engine) as connection:
        source = add_source(connection, 1, "0xC", 1)
        add_entries(connection, source.source_id, [entry])
    with reading(engine) as connection:
        assert list(read_entries(connection, source.source_id)) == [entry]
        assert read_balances(connection, source.source_id)[0].debit_units == UINT256_MAX


def test_the_token_is_remembered_as_it_says(business: Business, new_database: NewDatabase) -> None:
    business.create_plan()
    business.anvil.finalize()
    engine = open_database(new_database())
    mirror(business, engine)
    with reading(engine) as connection:
        assert [tuple(row) for row in connection.execute(select(tokens))] == [
            (business.anvil.chain_id, business.token, "USDC", 6)
        ]


KILLED = """
import sys
from tallystick.chain.rpc import Rpc
from tallystick.core import balances
from tallystick.flows.ingest import Target, ingest
from tallystick.storage.database import open_database
balances.STRETCH = 20
url, rpc, chain_id, contract, start, token = sys.argv[1:]
target = Target(int(chain_id), contract, int(start), pegs={token: "USD"}, events_per_request=7)
print("started", flush=True)
ingest(open_database(url), Rpc(rpc), target)
print("done", flush=True)
"""


KILLS = max(10, settings().max_examples // 50)
"""For each database: 20 in `make test`, 200 in `make fuzz`."""


@pytest.mark.fuzz
def test_killed_at_any_moment_the_books_come_out_the_same_E64(
    anvil: Anvil, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(balances, "STRETCH", 20)
    business = Business(anvil)
    plan = business.create_plan(every=30, unit=Unit.SECOND)
    ids = business.subscribe_many(5, plan)
    for _ in range(40):
        anvil.advance(31)
        business.charge(*ids)
    anvil.finalize()
    undisturbed = open_database(new_database())
    mirror(business, undisturbed)
    expected = content(undisturbed)

    url = new_database()
    target = target_of(business)
    arguments = (url, anvil.url, target.chain_id, target.contract, target.start_block, business.token)
    command = [sys.executable, "-c", KILLED, *map(str, arguments)]
    draw = random.Random(64)
    for _ in range(KILLS):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(draw.uniform(0.0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert content(open_database(url)) == expected


def test_an_engine_of_our_own_sees_the_same_rows(new_database: NewDatabase) -> None:
    """What is written past SQLAlchemy's types is what its types read."""
    url = new_database()
    open_database(url)
    check: Callable[[str], Engine] = create_engine
    with check(url).connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "0001"
