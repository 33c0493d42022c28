"""The mirror of payment channels: every event once, in order, and the journal of what receivers claimed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from sqlalchemy import text

from tallystick.chain.decode_channels import CHANNELS as DECODER
from tallystick.chain.rpc import Rpc
from tallystick.contracts import load_artefact
from tallystick.core.channel import Channel, ChannelState, ChannelTerms, authorization_typed_data
from tallystick.core.channel_books import ChannelBooks
from tallystick.core.channel_events import ChannelEvent, ClaimSkipped, RecordedChannel, Refusal
from tallystick.core.events import Origin
from tallystick.core.ledger import GENESIS_HASH, imbalance
from tallystick.core.permit import TokenDomain
from tallystick.core.voucher import Voucher, voucher_typed_data
from tallystick.errors import EventsInconsistent
from tallystick.flows.audit_channels import audit_channels
from tallystick.flows.channel_books import CHANNELS
from tallystick.flows.ingest import Target, ingest
from tallystick.storage.database import open_database, reading, transaction
from tallystick.storage.journal import read_balances, read_entries
from tallystick.storage.mirrored_channels import read_channels, read_sums
from tallystick.storage.sources import find_source
from tests.business import UNLIMITED, Business, calldata
from tests.databases import NewDatabase

DAY = 86_400
EVERYTHING = 2**128 - 1


class Life:
    """A payer with a key, a receiver that claims for itself, and everything that happens to channels between them."""

    def __init__(self, business: Business) -> None:
        self.business, self.anvil = business, business.anvil
        self.contract = business.manifest.contract("Channels")
        self.payer, self.key = business.anvil.address(2), business.anvil.key(2)
        self.receiver = business.account("receiver")
        business.mint(self.payer, 10**12)
        business.token_call(self.payer, "approve", self.contract.address, UNLIMITED)

    def channel(self, salt: int, **changes: Any) -> Channel:
        terms = ChannelTerms(
            self.payer, None, self.receiver, self.receiver, self.business.token, DAY, salt.to_bytes(32, "big")
        )
        return Channel(self.anvil.chain_id, self.contract.address, replace(terms, **changes))

    def call(self, sender: str, name: str, *arguments: Any) -> Any:
        return self.business.send(sender, self.contract.address, calldata("Channels", name, *arguments))

    def fill(self, channel: Channel, units: int) -> None:
        self.call(self.payer, "fill", channel.terms.words, units, 0, b"")

    def voucher(self, channel: Channel, sum_units: int) -> Voucher:
        message = voucher_typed_data(channel, sum_units)
        return Voucher(channel, sum_units, bytes(Account.sign_typed_data(self.key, full_message=message).signature))

    def claim(self, *vouchers: Voucher) -> None:
        common = self.receiver, self.receiver, self.business.token, DAY
        self.call(self.receiver, "claimRows", *common, b"".join(voucher.row() for voucher in vouchers))

    def by_collector(self, channel: Channel, units: int) -> None:
        """As x402's clients deposit."""
        domain = TokenDomain("USD Coin", "2", self.anvil.chain_id, self.business.token)
        message = authorization_typed_data(channel, units, domain, salt=7, valid_before=2**40 - 1)
        collector = load_artefact("AuthorizationCollector").address
        message["message"]["to"] = collector
        signature = bytes(Account.sign_typed_data(self.key, full_message=message).signature)
        data = encode(["uint256", "uint256", "uint256", "bytes"], [0, 2**40 - 1, 7, signature])
        self.call(self.payer, "deposit", channel.terms.words, units, collector, data)

    def live(self) -> None:
        """Each event of the contract, in each of its ways."""
        one, two, three = (self.channel(salt) for salt in (1, 2, 3))
        self.fill(one, 1_000)
        self.fill(one, 500)
        self.by_collector(two, 2_000)
        self.claim(self.voucher(one, 400), self.voucher(one, 300), self.voucher(two, 70))
        claim = ((two.terms.words, 100), self.voucher(two, 100).signature, 90)
        self.call(self.receiver, "claim", [claim])
        self.call(self.payer, "settle", self.receiver, self.business.token)
        self.call(self.receiver, "refund", one.terms.words, 200)
        self.call(self.payer, "initiateWithdraw", one.terms.words, 500)
        self.call(self.receiver, "refund", one.terms.words, 100)  # of what was asked back
        self.anvil.advance(DAY)
        self.call(self.payer, "finalizeWithdraw", one.terms.words)
        self.call(self.payer, "initiateWithdraw", two.terms.words, EVERYTHING)
        self.fill(two, 33)  # comes in meanwhile
        self.anvil.advance(DAY)
        self.call(self.payer, "finalizeWithdraw", two.terms.words)
        self.claim(self.voucher(two, 2**96 + 3), self.voucher(self.channel(9), 5))
        self.fill(three, 10)
        self.call(self.receiver, "refund", three.terms.words, EVERYTHING)  # closes it
        self.fill(three, 20)
        self.call(self.payer, "initiateWithdraw", three.terms.words, 5)

    def target(self, **more: Any) -> Target:
        contract = self.contract
        return Target(self.anvil.chain_id, contract.address, contract.start_block, kind=CHANNELS, **more)

    def events(self) -> list[RecordedChannel]:
        """All that the contract told."""
        logs = self.anvil.rpc("eth_getLogs", {"address": self.contract.address, "fromBlock": "0x0"})
        return [RecordedChannel(_origin(log), _event(log)) for log in logs]


def _origin(log: Any) -> Origin:
    hashes = bytes.fromhex(log["blockHash"][2:]), bytes.fromhex(log["transactionHash"][2:])
    return Origin(int(log["blockNumber"], 16), hashes[0], 0, hashes[1], int(log["logIndex"], 16))


def _event(log: Any) -> ChannelEvent:
    topics = b"".join(bytes.fromhex(topic[2:]) for topic in log["topics"][1:])
    return DECODER.decode(DECODER.names()[log["topics"][0]], topics, bytes.fromhex(log["data"][2:]))


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
        source = find_source(connection, life.anvil.chain_id, life.contract.address)
        assert source is not None
        entries = list(read_entries(connection, source.source_id))
        channels = read_channels(connection, source.source_id)
        sums = read_sums(connection, source.source_id)
        balances = {(row.account, row.token): row for row in read_balances(connection, source.source_id)}
    claimed = 400 + 70 + 20 + 3
    assert [entry.kind for entry in entries] == [
        *("channel_claim", "channel_claim", "settlement"),
        *("channel_claim", "settlement", "channel_claim", "settlement"),
    ]
    assert entries[0].previous_hash == GENESIS_HASH
    assert all(imbalance(entry.postings) == {} for entry in entries)
    token = life.business.token
    wallet, income = (
        balances[f"Assets:Wallet:{life.receiver}", token],
        balances[f"Income:Channels:{life.receiver}", token],
    )
    assert (wallet.debit_units, income.credit_units) == (claimed, claimed)
    assert sums[life.receiver, token][2:] == (claimed, claimed)
    report = audit_channels(engine, Rpc(life.anvil.url), life.target())
    assert (report.differences, report.channels, report.claims, report.settlements) == ([], 3, 4, 3)
    held = life.business.connection().token(token).balance(life.contract.address)
    assert [(each.owed_units, each.balance_units, each.is_covered) for each in report.holdings] == [(held, held, True)]
    one, two, three = (life.channel(salt).channel_id for salt in (1, 2, 3))
    assert channels[one].state == ChannelState(0, 1_500 - 200 - 100 - 400, 400)
    assert channels[two].state == ChannelState(1, 33, 3)
    assert channels[three].state[:4] == (1, 20, 0, 5)


def test_an_event_that_is_left_out_is_noticed(life: Life) -> None:
    """At the next that cannot follow it, or because the books are then not what the contract counts."""
    life.live()
    events = life.events()
    assert {type(recorded.event) for recorded in events} == set(ChannelBooks._VERBS)
    whole = books_of(life, events)
    assert whole is not None
    skipped = [recorded.event for recorded in events if isinstance(recorded.event, ClaimSkipped)]
    assert [event.reason for event in skipped] == [Refusal.STALE, Refusal.ABOVE_BALANCE]
    for place, recorded in enumerate(events):
        if isinstance(recorded.event, ClaimSkipped):
            continue
        without = books_of(life, events[:place] + events[place + 1 :])
        assert without is None or (without.channels, without.sums) != (whole.channels, whole.sums), recorded.event
        twice = books_of(life, [*events[: place + 1], *events[place:]])
        assert twice is None or (twice.channels, twice.sums) != (whole.channels, whole.sums), recorded.event


def books_of(life: Life, events: list[RecordedChannel]) -> ChannelBooks | None:
    """None where they cannot be."""
    books = ChannelBooks(life.anvil.chain_id, life.contract.address)
    try:
        for recorded in events:
            books.apply(recorded)
        books.require_whole()
    except EventsInconsistent:
        return None
    return books


def test_a_changed_row_and_a_node_that_leaves_out_are_found_by_the_contract_s_count(
    life: Life, new_database: NewDatabase
) -> None:
    channel = life.channel(1)
    life.fill(channel, 1_000)
    engine = open_database(new_database())
    life.anvil.finalize()
    ingest(engine, Rpc(life.anvil.url), life.target())
    with transaction(engine) as connection:
        connection.execute(text("UPDATE mirrored_channels SET deposited_units = '999'"))
    life.claim(life.voucher(channel, 10))
    with pytest.raises(EventsInconsistent, match=r"as the state of channel 0x[0-9a-f]{64}, the events"):
        ingest(engine, Rpc(life.anvil.url), life.target())
    with transaction(engine) as connection:
        connection.execute(text("UPDATE mirrored_channels SET deposited_units = '1000'"))
    ingest(engine, Rpc(life.anvil.url), life.target())
