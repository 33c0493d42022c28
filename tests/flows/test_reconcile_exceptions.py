"""The queue: what did not go as agreed is in it until it is put right, the oldest first."""

from __future__ import annotations

import shlex

import pytest
from eth_utils.crypto import keccak
from sqlalchemy import Engine

from tallystick.chain.node import connect
from tallystick.chain.rpc import Rpc
from tallystick.chain.sender import Sender
from tallystick.chain.signer import KeySigner
from tallystick.chain.subscriptions import Subscriptions
from tallystick.config import Config
from tallystick.core.open_item import ItemKind, OpenItem
from tallystick.flows.bill import bill_once
from tallystick.flows.ingest import Target, ingest
from tallystick.flows.mirror import StoredBooks
from tallystick.flows.recognise import ANY_PLAN, OwnPlans
from tallystick.flows.reconcile_exceptions import reconcile_exceptions
from tallystick.storage.database import open_database, reading
from tallystick.storage.sources import find_source
from tests.business import PRICE_UNITS, Business
from tests.databases import NewDatabase
from tests.payments import Payments
from tests.sales import AMOUNT, DAY, Sales

MONTH = 31 * DAY


def subscriptions_target(business: Business) -> Target:
    contract = business.contract
    return Target(business.anvil.chain_id, contract.address, contract.start_block)


def books_of(business: Business, engine: Engine, *others: Target) -> StoredBooks:
    """The books as of now, pending blocks included; of subscriptions, and of the other contracts that are given."""
    found = {}
    for target in (subscriptions_target(business), *others):
        ingest(engine, Rpc(business.anvil.url), target)
        with reading(engine) as connection:
            found[target.kind.name] = find_source(connection, target.chain_id, target.contract)
    source = found["Subscriptions"]
    assert source is not None
    return StoredBooks(engine, source, found.get("Escrow"), found.get("Checkout"))


def queue(books: StoredBooks, own: OwnPlans = ANY_PLAN) -> list[OpenItem]:
    items = [item for item, _ in reconcile_exceptions(books, own)]
    assert [item.since for item in items] == sorted(item.since for item in items)
    return items


def kinds(items: list[OpenItem]) -> dict[str, tuple[ItemKind, int | None]]:
    return {item.about: (item.kind, item.units) for item in items}


@pytest.fixture
def sales(business: Business) -> Sales:
    return Sales(business)


# --- deposits ---


def test_every_way_in_which_money_comes_wrong(sales: Sales, new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    for invoice in ("exact", "short", "over", "late", "twice", "other", "nothing"):
        sales.expect(engine, invoice, valid_s=DAY if invoice == "late" else None)
    sales.mirror(engine)
    sales.send("exact", AMOUNT)
    sales.send("short", 20_000_000)
    sales.send("over", AMOUNT + 1)
    sales.send("twice", AMOUNT)
    sales.send("twice", AMOUNT - 3)
    sales.send("other", 7, token=sales.other)
    sales.anvil.advance(DAY)
    sales.send("late", AMOUNT)
    sales.send("never expected", 5)
    sales.sweep("never expected")
    items = queue(books_of(sales.business, engine, sales.target()))
    assert kinds(items) == {
        "short": (ItemKind.SHORT, 5_000_000),
        "over": (ItemKind.OVER, 1),
        "twice": (ItemKind.DUPLICATE, AMOUNT - 3),
        "other": (ItemKind.FOREIGN, 7),
        "late": (ItemKind.LATE, AMOUNT),
        "never expected": (ItemKind.UNMATCHED, 5),
    }
    by_about = {item.about: item for item in items}
    assert by_about["other"].token == sales.other
    assert by_about["over"].account == sales.exchange
    assert by_about["never expected"].account is None, "no transfer told who sent it"
    assert shlex.split(by_about["never expected"].to_do)[:4] == ["tallystick", "checkout", "refund", "never expected"]


def test_what_is_given_back_is_open_no_more(sales: Sales, new_database: NewDatabase) -> None:
    """Of two transfers that came too often the older is given back first."""
    engine = open_database(new_database())
    sales.expect(engine, "twice")
    sales.mirror(engine)
    for units in (AMOUNT, 10, 20):
        sales.send("twice", units)
    assert [item.units for item in queue(books_of(sales.business, engine, sales.target()))] == [10, 20]
    sales.refund("twice", 15)
    assert [item.units for item in queue(books_of(sales.business, engine, sales.target()))] == [15]
    sales.refund("twice", 15)
    assert queue(books_of(sales.business, engine, sales.target())) == []


def test_a_part_that_came_in_time_is_lacking_the_rest_then_is_owed_back(
    sales: Sales, new_database: NewDatabase
) -> None:
    engine = open_database(new_database())
    valid_before = sales.expect(engine, "INV-1", valid_s=DAY).valid_before
    sales.mirror(engine)
    sales.send("INV-1", 20_000_000)
    (lacking,) = queue(books_of(sales.business, engine, sales.target()))
    assert (lacking.kind, lacking.units, lacking.next_at) == (ItemKind.SHORT, AMOUNT - 20_000_000, valid_before)
    assert lacking.to_do.startswith("tallystick checkout deposit INV-1")
    sales.anvil.advance(DAY)
    (owed,) = queue(books_of(sales.business, engine, sales.target()))
    assert (owed.kind, owed.units, owed.next_at) == (ItemKind.SHORT, 20_000_000, None)
    assert owed.to_do.startswith("tallystick checkout refund INV-1")
    assert owed.since == lacking.since


def test_a_token_that_the_books_do_not_know_is_open_until_it_is_swept(sales: Sales, new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    sales.expect(engine, "INV-1")
    sales.mirror(engine)
    sales.send("INV-1", 30, token=sales.spam)
    sales.send("INV-1", 12, token=sales.spam)
    books = books_of(sales.business, engine, sales.target())
    ((item, token),) = reconcile_exceptions(books)
    assert (item.kind, item.units, item.token) == (ItemKind.UNKNOWN, 42, sales.spam)
    assert (token.address, token.decimals, token.symbol) == (sales.spam, 0, f"units of {sales.spam}")
    sales.sweep("INV-1", token=sales.spam)
    assert queue(books_of(sales.business, engine, sales.target())) == []


def test_of_the_own_receivers_alone(sales: Sales, new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    sales.expect(engine, "INV-1")
    sales.mirror(engine)
    sales.send("INV-1", 30)
    books = books_of(sales.business, engine, sales.target())
    assert queue(books, OwnPlans(frozenset({sales.payer}))) == []
    assert len(queue(books, OwnPlans(frozenset({sales.merchant})))) == 1


# --- charges ---


def test_a_due_charge_nobody_tried_then_with_the_reason_and_the_next_try(
    business: Business, new_database: NewDatabase
) -> None:
    engine = open_database(new_database())
    plan = business.create_plan()
    poor = business.payer("poor", units=PRICE_UNITS)
    number = business.subscribe(poor, plan)
    due = business.anvil.timestamp + MONTH
    business.anvil.set_time(due)
    (untried,) = queue(books_of(business, engine))
    assert (untried.kind, untried.units, untried.account) == (ItemKind.OVERDUE, PRICE_UNITS, poor)
    assert (untried.about, untried.next_at) == (f"subscription {number}", None)
    node = connect(business.anvil.url)
    sender = Sender(node, KeySigner.from_key(business.anvil.key(3)), Config().gas)
    contract = Subscriptions(node, business.subscriptions, sender)
    report = bill_once(engine, subscriptions_target(business), contract, max_gas=10**7, retry_after_s=(3_600,))
    (declined,) = queue(books_of(business, engine))
    assert (declined.kind, declined.since, declined.units) == (ItemKind.DECLINED, untried.since, PRICE_UNITS)
    assert declined.why.startswith("balance: the payer has too little")
    assert declined.next_at == report.declined[0].retry_at
    business.mint(poor, PRICE_UNITS)
    business.charge(number)
    assert queue(books_of(business, engine)) == []


def test_a_charge_that_anybody_tried_on_chain(business: Business, new_database: NewDatabase) -> None:
    """Its decline of an older period is none of the one that is due now."""
    engine = open_database(new_database())
    number = business.subscribe(business.payer("ada"), business.create_plan())
    business.anvil.advance(MONTH)
    business.approve(business.account("ada"), 0)
    business.charge(number)
    (item,) = queue(books_of(business, engine))
    assert (item.kind, item.next_at) == (ItemKind.DECLINED, None)
    assert item.why.startswith("allowance: ")
    business.approve(business.account("ada"), 10**12)
    business.charge(number)
    business.anvil.advance(MONTH)
    (item,) = queue(books_of(business, engine))
    assert item.kind is ItemKind.OVERDUE
    assert queue(books_of(business, engine), OwnPlans(frozenset({business.operator}))) == []


# --- escrow ---


def test_disputes_wait_for_their_arbiter_then_for_anybody(business: Business, new_database: NewDatabase) -> None:
    engine, payments = open_database(new_database()), Payments(business)
    terms = payments.disputed()
    name = f"0x{payments.id_of(terms).hex()}"
    (item,) = queue(books_of(business, engine, payments.target()))
    assert (item.kind, item.units, item.about) == (ItemKind.DISPUTED, terms.amount_units, f"payment {name}")
    assert item.next_at == item.since + terms.ruling_timeout_s
    assert item.to_do == f"tallystick escrow evidence submit {name} FILE"
    business.anvil.advance(terms.ruling_timeout_s)
    (item,) = queue(books_of(business, engine, payments.target()))
    assert (item.next_at, item.to_do) == (None, f"tallystick escrow rule {name} --default")
    payments.call(payments.payer, "ruleByDefault", terms.words)
    assert queue(books_of(business, engine, payments.target())) == []


def test_what_the_escrow_holds_after_the_payees_time(business: Business, new_database: NewDatabase) -> None:
    engine, payments = open_database(new_database()), Payments(business)
    terms = payments.held()
    assert queue(books_of(business, engine, payments.target())) == []
    business.anvil.set_time(terms.capture_before)
    (item,) = queue(books_of(business, engine, payments.target()))
    assert (item.kind, item.since, item.units) == (ItemKind.UNCAPTURED, terms.capture_before, terms.amount_units)
    assert item.to_do == f"tallystick escrow reclaim 0x{payments.id_of(terms).hex()}"
    payments.call(payments.arbiter, "reclaim", terms.words)
    assert queue(books_of(business, engine, payments.target())) == []


# --- what is kept ---


def test_what_is_kept_is_open_since_the_first_of_it_until_it_is_claimed(
    sales: Sales, new_database: NewDatabase
) -> None:
    """By each contract, with the command of each. What was claimed before does not make it older."""
    business, engine = sales.business, open_database(new_database())
    payments = Payments(business)
    receiver = business.account("receiver")
    plan = business.create_plan(fee_bps=1_000, fee_receiver=receiver)
    ada, bob, eve = (business.subscribe(business.payer(name), plan) for name in ("ada", "bob", "eve"))
    business.anvil.advance(MONTH)
    business.block(receiver)
    business.charge(ada)
    business.unblock(receiver)
    business.call(receiver, "claim", receiver, business.token)
    business.block(receiver)
    business.charge(bob)
    first = business.anvil.timestamp
    business.anvil.advance(60)
    business.charge(eve)
    business.unblock(receiver)
    business.block(business.payee)
    payments.capture_blocked()
    business.unblock(business.payee)
    business.anvil.advance(60)
    business.block(sales.platform)
    sales.pay(sales.quote("quoted", [(sales.merchant, 20), (sales.platform, 5)]))
    business.unblock(sales.platform)
    targets = payments.target(), sales.target()
    kept = [item for item in queue(books_of(business, engine, *targets)) if item.kind is ItemKind.UNCLAIMED]
    assert [(item.account, item.units) for item in kept] == [
        (receiver, 2 * (PRICE_UNITS // 10)),
        (business.payee, 7_000_000),
        (sales.platform, 5),
    ]
    assert kept[0].since == first
    assert [item.to_do for item in kept] == [
        f"tallystick claims pay {business.token} --account {receiver}",
        f"tallystick escrow claim {business.token} --account {business.payee}",
        f"tallystick checkout claim {sales.platform} {business.token}",
    ]
    business.call(receiver, "claim", receiver, business.token)
    payments.call(business.payee, "claim", business.payee, business.token)
    sales.call(sales.platform, "claim", sales.platform, business.token)
    assert ItemKind.UNCLAIMED not in {item.kind for item in queue(books_of(business, engine, *targets))}


def test_items_of_all_contracts_stand_in_the_order_of_their_age(sales: Sales, new_database: NewDatabase) -> None:
    business, engine, payments = sales.business, open_database(new_database()), Payments(sales.business)
    sales.expect(engine, "INV-1")
    sales.mirror(engine)
    terms = payments.disputable()
    payments.authorize(terms)
    sales.send("INV-1", AMOUNT + 1)
    business.anvil.advance(1)
    payments.call(payments.payer, "dispute", terms.words, keccak(text="a photograph"))
    items = queue(books_of(business, engine, payments.target(), sales.target()))
    assert [item.kind for item in items] == [ItemKind.OVER, ItemKind.DISPUTED]
