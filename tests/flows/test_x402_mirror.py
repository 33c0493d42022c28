"""The mirror of x402's own contract of channels, whose sums stay where they are when a channel closes."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from tallystick.chain.rpc import Rpc
from tallystick.chain.x402 import require_x402
from tallystick.core.channel import ChannelState
from tallystick.core.channel_events import ChannelEvent, ChannelOpened, ClaimSkipped, RecordedChannel
from tallystick.core.ledger import imbalance
from tallystick.core.x402_books import X402Books
from tallystick.errors import DeploymentMismatch, DeploymentMissing, EventsInconsistent
from tallystick.flows.audit_channels import audit_channels
from tallystick.flows.channel_books import X402
from tallystick.flows.ingest import Target, ingest, log_reader
from tallystick.storage.database import open_database, reading, transaction
from tallystick.storage.journal import read_balances, read_entries
from tallystick.storage.mirrored_channels import read_channels
from tallystick.storage.sources import find_source
from tests.batch_settlement import DAY, BatchSettlement
from tests.business import Business
from tests.databases import NewDatabase


class Life(BatchSettlement):
    """All that x402's contract can tell."""

    def live(self) -> None:
        """Each event of the contract, in each of its ways."""
        one, two, three = (self.channel(salt) for salt in (1, 2, 3))
        refund, ask_back = "refund", "initiateWithdraw"
        self.deposit(one, 1_000)
        self.deposit(one, 500)
        self.deposit(two, 2**100)  # more than one of ours takes
        self.claim(one, 400, 400)
        self.claim(two, 100, 90)
        self.settle()
        self.call(self.receiver, refund, one.terms.words, 200)
        self.call(self.payer, ask_back, one.terms.words, 900)  # all that is there
        self.deposit(one, 50)
        self.call(self.receiver, refund, one.terms.words, 100)  # of what was asked back
        self.claim(one, 600, 600)
        self.anvil.advance(DAY)
        self.call(self.payer, "finalizeWithdraw", one.terms.words)  # what the claim left: not closed
        self.call(self.receiver, refund, two.terms.words, 2**101)  # leaves nothing: not closed
        self.deposit(two, 30)
        self.deposit(three, 10)
        self.call(self.receiver, refund, three.terms.words, 10)  # closes it
        self.deposit(three, 20)
        self.call(self.payer, ask_back, three.terms.words, 20)
        self.anvil.advance(DAY)
        self.call(self.payer, "finalizeWithdraw", three.terms.words)  # closes it
        self.deposit(three, 5)
        self.call(self.payer, ask_back, three.terms.words, 5)
        self.claim(three, 5, 5)
        self.anvil.advance(DAY)
        self.call(self.payer, "finalizeWithdraw", three.terms.words)  # of which nothing is left

    def target(self, **more: Any) -> Target:
        return Target(self.anvil.chain_id, self.address, 0, kind=X402, **more)

    def events(self) -> list[RecordedChannel]:
        """All that the contract told."""
        chunks = log_reader(Rpc(self.anvil.url), self.target()).read(0, int(self.anvil.rpc("eth_blockNumber"), 16))
        return [RecordedChannel(log.origin, log.event) for chunk in chunks for log in chunk.logs]


@pytest.fixture
def life(business: Business) -> Life:
    return Life(business)


def test_the_books_are_the_chain_s(life: Life, new_database: NewDatabase) -> None:
    life.live()
    engine = open_database(new_database())
    ingest(engine, Rpc(life.anvil.url), life.target(events_per_request=4))  # pending at first
    life.anvil.finalize()
    ingest(engine, Rpc(life.anvil.url), life.target(events_per_request=4))
    with reading(engine) as connection:
        source = find_source(connection, life.anvil.chain_id, life.address)
        assert source is not None
        entries = list(read_entries(connection, source.source_id))
        channels = read_channels(connection, source.source_id)
        balances = {row.account: row for row in read_balances(connection, source.source_id)}
    kinds = ["channel_claim", "channel_claim", "settlement", "channel_claim", "channel_claim"]
    assert [entry.kind for entry in entries] == kinds
    assert all(imbalance(entry.postings) == {} for entry in entries)
    assert balances[f"Income:Channels:{life.receiver}"].credit_units == 600 + 90 + 5
    assert balances[f"Assets:Wallet:{life.receiver}"].debit_units == 400 + 90
    one, two, three = (channels[life.channel(salt).channel_id].state for salt in (1, 2, 3))
    assert (one, two, three) == (ChannelState(0, 600, 600), ChannelState(0, 120, 90), ChannelState(0, 5, 5))
    report = audit_channels(engine, Rpc(life.anvil.url), life.target(), X402)
    assert (report.differences, report.channels, report.claims, report.settlements) == ([], 3, 4, 1)
    held = life.business.connection().token(life.business.token).balance(life.address)
    assert [(each.owed_units, each.balance_units, each.is_covered) for each in report.holdings] == [(held, held, True)]


def test_an_event_that_is_left_out_or_told_twice_is_noticed(life: Life) -> None:
    """At the next that cannot follow it, or because the books are then not what the contract counts."""
    life.live()
    events = life.events()
    whole = books_of(life, events)
    assert whole is not None
    never: set[type[ChannelEvent]] = {ChannelOpened, ClaimSkipped}
    assert {type(recorded.event) for recorded in events} == set(X402Books._VERBS) - never
    for place, recorded in enumerate(events):
        without = books_of(life, events[:place] + events[place + 1 :])
        assert without is None or (without.channels, without.sums) != (whole.channels, whole.sums), recorded.event
        twice = books_of(life, [*events[: place + 1], *events[place:]])
        assert twice is None or (twice.channels, twice.sums) != (whole.channels, whole.sums), recorded.event


def books_of(life: Life, events: list[RecordedChannel]) -> X402Books | None:
    """None where they cannot be."""
    books = X402Books(life.anvil.chain_id, life.address)
    try:
        for recorded in events:
            books.apply(recorded)
        books.require_whole()
    except EventsInconsistent:
        return None
    return books


@pytest.mark.parametrize(("refunded", "left"), [(6, 1), (7, 0), (8, 0)])
def test_a_refund_counts_towards_a_withdrawal(life: Life, refunded: int, left: int) -> None:
    channel = life.channel(1)
    life.deposit(channel, 100)
    life.call(life.payer, "initiateWithdraw", channel.terms.words, 7)
    life.call(life.receiver, "refund", channel.terms.words, refunded)
    books = books_of(life, life.events())
    assert books is not None
    state = books.channels[channel.channel_id].state
    assert (state.deposited, state.withdrawing, state.withdrawal_since != 0) == (100 - refunded, left, left != 0)
    head = int(life.anvil.rpc("eth_blockNumber"), 16)
    counted = X402.read_counted(Rpc(life.anvil.url), life.address, (), [channel.channel_id], head)
    assert counted.states == {channel.channel_id: state}


def test_a_changed_row_is_found_by_the_contract_s_count(life: Life, new_database: NewDatabase) -> None:
    channel = life.channel(1)
    life.deposit(channel, 1_000)
    engine = open_database(new_database())
    life.anvil.finalize()
    ingest(engine, Rpc(life.anvil.url), life.target())
    with transaction(engine) as connection:
        connection.execute(text("UPDATE mirrored_channels SET withdrawing_units = '1', withdrawal_since = 1"))
    (difference,) = audit_channels(engine, Rpc(life.anvil.url), life.target(), X402).differences
    assert difference.row == f"channel 0x{channel.channel_id.hex()}"
    life.claim(channel, 10, 10)
    with pytest.raises(EventsInconsistent, match=r"as the state of channel 0x[0-9a-f]{64}, the events"):
        ingest(engine, Rpc(life.anvil.url), life.target())


def test_another_contract_is_not_taken_for_x402_s(life: Life) -> None:
    rpc, chain_id = Rpc(life.anvil.url), life.anvil.chain_id
    require_x402(rpc, life.address, chain_id)
    require_x402(rpc, life.business.manifest.contract("Channels").address, chain_id)  # it has the same domain
    with pytest.raises(DeploymentMissing, match="there is no contract at"):
        require_x402(rpc, life.payer, chain_id)
    for other in ("Checkout", "Subscriptions"):
        address = life.business.manifest.contract(other).address
        with pytest.raises(DeploymentMismatch, match=rf"takes signatures for \('Tallystick.*{address}"):
            require_x402(rpc, address, chain_id)
    with pytest.raises(DeploymentMismatch, match="does not say for what it takes signatures"):
        require_x402(rpc, life.collector, chain_id)
    with pytest.raises(DeploymentMismatch):
        require_x402(rpc, life.address, chain_id + 1)
