"""Pauses in the mirror: as on chain after every step, proven by the audit, and left alone by the biller."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tallystick.chain.node import connect
from tallystick.chain.rpc import Rpc
from tallystick.chain.sender import Sender
from tallystick.chain.signer import KeySigner
from tallystick.chain.subscriptions import Subscriptions
from tallystick.core.subscription import DeclineReason, Status, Subscription
from tallystick.flows.audit import audit
from tallystick.flows.bill import BillReport, bill_once
from tallystick.flows.ingest import Ingested, Target, ingest
from tallystick.flows.pending import read_present
from tallystick.storage.attempts import count_attempts
from tallystick.storage.database import open_database, reading, transaction
from tallystick.storage.sources import find_source
from tallystick.storage.subscriptions import due_subscription_ids, read_subscriptions
from tests.business import PRICE_UNITS, Business
from tests.databases import NewDatabase

DAY = 86_400
MONTH_AND_MORE = 32 * DAY


class Shop:
    """A business with a monthly plan, a mirror and a biller."""

    def __init__(self, business: Business, url: str) -> None:
        self.business = business
        contract = business.contract
        self.target = Target(business.anvil.chain_id, contract.address, contract.start_block)
        self.engine = open_database(url)
        self.rpc = Rpc(business.anvil.url)
        node = connect(business.anvil.url)
        signer = KeySigner.from_key(business.anvil.key(1))
        self.contract = Subscriptions(node, contract.address, Sender(node, signer))
        self.plan = business.create_plan()
        self.payers: dict[int, str] = {}

    def subscribe(self, name: str) -> int:
        """A new payer's subscription."""
        payer = self.business.payer(name)
        number = self.business.subscribe(payer, self.plan)
        self.payers[number] = payer
        return number

    def tell(self, verb: str, number: int) -> None:
        """The payer says what becomes of the subscription."""
        self.business.call(self.payers[number], verb, number)

    def index(self, *, final: bool = False) -> Ingested:
        """Mirrors up to the head, or makes the head final before."""
        if final:
            self.business.anvil.finalize()
        return ingest(self.engine, self.rpc, self.target)

    def bill(self) -> BillReport:
        return bill_once(self.engine, self.target, self.contract, max_gas=12_000_000, retry_after_s=(DAY,))

    def on_chain(self) -> dict[int, Subscription]:
        """Every subscription as the contract has it now; that a pause moved its period is known to the mirror alone."""
        found = {number: self.contract.subscription(number) for number in self.payers}
        present = self.present()
        return {number: one._replace(shifted=present[number].shifted) for number, one in found.items()}

    def present(self) -> dict[int, Subscription]:
        """Every subscription as the mirror has it, pending blocks included."""
        with reading(self.engine) as connection:
            source = find_source(connection, self.target.chain_id, self.target.contract)
            assert source is not None
            return read_present(connection, source, {}, list(self.payers)).books.subscriptions

    def stored(self) -> dict[int, Subscription]:
        """Every subscription as of the final block."""
        with reading(self.engine) as connection:
            return read_subscriptions(connection, 1)


@pytest.fixture
def shop(business: Business, new_database: NewDatabase) -> Shop:
    return Shop(business, new_database())


def test_E25_the_mirror_follows_pause_resume_and_cancelling_while_paused(shop: Shop, new_database: NewDatabase) -> None:
    ada, bob, eve, joe = (shop.subscribe(name) for name in ("ada", "bob", "eve", "joe"))
    steps = [
        [("pause", ada), ("pause", bob), ("pause", eve)],
        [("resume", ada), ("cancel", eve)],
        [("pause", ada), ("resume", ada), ("cancelAtPeriodEnd", ada)],
    ]
    for number, step in enumerate(steps):
        shop.business.anvil.advance(10 * DAY)
        for verb, subscription in step:
            shop.tell(verb, subscription)
        shop.index()
        assert shop.present() == shop.on_chain()
        shop.index(final=number != 0)  # the first pauses become final together with what follows them
        assert shop.present() == shop.on_chain()
    shop.business.anvil.advance(MONTH_AND_MORE)
    shop.business.charge(ada, bob, eve, joe)
    shop.index(final=True)
    found = shop.stored()
    assert found == shop.on_chain()
    assert [found[number].status for number in (ada, bob, eve, joe)] == [
        Status.ENDING,
        Status.PAUSED,
        Status.CANCELLED,
        Status.ACTIVE,
    ]
    assert [found[number].charges for number in (ada, bob, eve, joe)] == [1, 1, 1, 2]

    report = audit(shop.engine, shop.rpc, shop.target)
    assert (report.differences, report.charges_on_chain, report.charges_in_ledger) == ([], 5, 5)
    again = Shop(shop.business, new_database())
    again.index()
    assert again.stored() == found


def test_E25_the_audit_names_a_pause_that_the_database_denies(shop: Shop) -> None:
    ada, bob = shop.subscribe("ada"), shop.subscribe("bob")
    shop.tell("pause", bob)
    shop.index(final=True)
    assert audit(shop.engine, shop.rpc, shop.target).ok
    for change in ("status = 'active'", "next_due = next_due + 1", "anchor_day = 32 - anchor_day"):
        with transaction(shop.engine) as connection:
            before = connection.execute(text("SELECT * FROM subscriptions WHERE subscription_id = 2")).one()
            connection.execute(text(f"UPDATE subscriptions SET {change} WHERE subscription_id = 2"))
        rows = [difference.row for difference in audit(shop.engine, shop.rpc, shop.target).differences]
        assert rows == [f"subscription {bob}"]
        with transaction(shop.engine) as connection:
            connection.execute(
                text("UPDATE subscriptions SET status = :s, next_due = :n, anchor_day = :a WHERE subscription_id = 2"),
                {"s": before.status, "n": before.next_due, "a": before.anchor_day},
            )
    assert shop.stored() == shop.on_chain()
    assert ada in shop.stored()


def test_E60_a_pause_that_is_reorganised_away_never_was(shop: Shop) -> None:
    number = shop.subscribe("ada")
    shop.index(final=True)
    active = shop.present()
    shop.business.anvil.mine(1)
    shop.tell("pause", number)
    shop.index()
    assert shop.present()[number].status == Status.PAUSED
    shop.business.anvil.reorg(1)
    assert shop.index().rolled_back_events == 1
    assert shop.present() == active == shop.on_chain()


def test_E25_the_biller_leaves_a_paused_one_alone_and_charges_it_once_after(shop: Shop) -> None:
    paused, other = shop.subscribe("ada"), shop.subscribe("bob")
    shop.business.anvil.advance(10 * DAY)
    shop.tell("pause", paused)
    left_s = shop.contract.subscription(paused).next_due
    for final in (False, True):  # a pause that is pending, then one that is final
        shop.business.anvil.advance(MONTH_AND_MORE)
        shop.index(final=final)
        report = shop.bill()
        assert (report.due, report.charged, report.already_done, report.declined) == (1, 1, 0, [])
    with reading(shop.engine) as connection:
        assert due_subscription_ids(connection, 1, 2**40) == [other]

    shop.tell("resume", paused)
    shop.index(final=True)
    assert shop.bill().due == 0
    shop.business.anvil.advance(left_s)
    shop.index()
    assert [shop.bill().charged for _ in range(2)] == [2, 0]  # the other one's next month is due as well
    assert shop.contract.subscription(paused).charges == 2
    shop.index(final=True)
    assert audit(shop.engine, shop.rpc, shop.target).ok


def test_E25_a_pause_that_the_mirror_has_not_seen_is_no_decline(shop: Shop) -> None:
    """Somebody else charged what is due, then the payer paused: the mirror still says that it is due."""
    number = shop.subscribe("ada")
    shop.index(final=True)
    shop.business.anvil.advance(MONTH_AND_MORE)
    shop.index()
    shop.business.charge(number)
    shop.tell("pause", number)
    assert shop.contract.charge_dry_run([number]) == [DeclineReason.PAUSED]
    report = shop.bill()
    assert (report.due, report.already_done, report.declined, report.transactions) == (1, 1, [], [])
    with reading(shop.engine) as connection:
        assert count_attempts(connection, 1) == 0


def test_a_charge_is_refunded_while_paused(shop: Shop) -> None:
    number = shop.subscribe("ada")
    shop.tell("pause", number)
    business = shop.business
    business.token_call(business.payee, "approve", business.subscriptions, PRICE_UNITS)
    business.call(business.payee, "refund", number, 1, PRICE_UNITS)
    shop.index(final=True)
    assert shop.stored() == shop.on_chain()
    report = audit(shop.engine, shop.rpc, shop.target)
    assert (report.ok, report.refunds_on_chain, report.refunds_in_ledger) == (True, 1, 1)
