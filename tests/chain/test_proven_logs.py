"""Logs that are proven by the hashes of their blocks: a node can leave none out, and change none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_bloom.bloom import BloomFilter
from hypothesis import given
from hypothesis import strategies as st

from tallystick.chain.decode import topic_of
from tallystick.chain.logs import ChainLogs, LogEntry, LogReader
from tallystick.chain.proven_logs import ProvenLogReader
from tallystick.chain.rpc import Rpc
from tallystick.core.block import parse_header
from tallystick.errors import NodeInvalid
from tallystick.storage.database import open_database, reading
from tallystick.storage.sources import find_source
from tests.business import Business
from tests.sales import AMOUNT, Sales

MONTH_AND_MORE = 32 * 86_400
Change = Callable[[Any], Any]


def sell(business: Business) -> int:
    """Charges, a decline, a cancellation, blocks with nothing of ours; the last block."""
    ids = [business.subscribe(business.payer(name), business.create_plan()) for name in ("ada", "bob")]
    business.anvil.advance(MONTH_AND_MORE)
    business.charge(*ids)
    business.charge(*ids)  # declines both
    business.anvil.rpc("anvil_mine", "0xff")
    business.call(business.payee, "cancel", ids[0])
    return int(business.anvil.rpc("eth_blockNumber"), 16)


def all_of(reader: ChainLogs, end: int, parent: bytes = b"") -> list[LogEntry]:
    return [log for chunk in reader.read(0, end, parent=parent) for log in chunk.logs]


class Lying(Rpc):
    """Changes what a node answers to a method."""

    def __init__(self, url: str, method: str, change: Change) -> None:
        super().__init__(url, sleep=lambda _: None)
        self.method, self.change = method, change

    def call(self, kind: Any, method: str, *params: Any) -> Any:
        found = super().call(kind, method, *params)
        return self.change(found) if method == self.method else found

    def batch(self, kind: Any, method: str, params: Any) -> list[Any]:
        found = super().batch(kind, method, params)
        return [self.change(one) for one in found] if method == self.method else found


def test_they_are_the_logs_that_the_node_tells(business: Business) -> None:
    end = sell(business)
    rpc = Rpc(business.anvil.url)
    told = all_of(LogReader(rpc, business.subscriptions), end)
    assert {log.name for log in told} >= {"Charged", "Declined", "Cancelled"}
    assert all_of(ProvenLogReader(rpc, business.subscriptions), end) == told
    pieces = list(ProvenLogReader(rpc, business.subscriptions, target_logs=1).read(0, end))
    assert [log for piece in pieces for log in piece.logs] == told
    assert [piece.start for piece in pieces] == [0, *(piece.end.number + 1 for piece in pieces[:-1])]
    proven, plain = ProvenLogReader(rpc, business.subscriptions), LogReader(rpc, business.subscriptions)
    for block in (0, 7, end, "latest", "finalized", end + 1):
        assert proven.header(block) == plain.header(block)
    assert proven.headers(range(end)) == plain.headers(range(end))


def test_transfers_that_are_watched_are_among_them(business: Business, tmp_path: Path) -> None:
    sales, engine = Sales(business), open_database(f"sqlite:///{tmp_path}/books.db")
    sales.expect(engine, "X")
    sales.mirror(engine)  # it is watched from here on
    sales.send("X", AMOUNT)
    target, rpc = sales.target(), Rpc(business.anvil.url)
    with reading(engine) as connection:
        source = find_source(connection, target.chain_id, target.contract)
        assert source is not None
        watched, decoder = target.kind.watched(connection, source), target.kind.decoder
    end = int(business.anvil.rpc("eth_blockNumber"), 16)
    told = all_of(LogReader(rpc, target.contract, decoder=decoder, watched=watched), end)
    assert [log.name for log in told] == ["Transfer"]
    assert all_of(ProvenLogReader(rpc, target.contract, decoder=decoder, watched=watched), end) == told


def without(topic: str) -> Change:
    """Receipts without the logs of an event."""
    return lambda receipts: [
        receipt | {"logs": [log for log in receipt["logs"] if log["topics"][0] != topic]} for receipt in receipts
    ]


def doubled_amount(receipts: Any) -> Any:
    return [
        receipt | {"logs": [log | {"data": log["data"][:-1] + "7"} for log in receipt["logs"]]} for receipt in receipts
    ]


LIES: dict[str, tuple[str, Change, str]] = {
    "a decline that nothing counts is left out": ("eth_getBlockReceipts", without(topic_of("Declined")), "receipts of"),
    "a cancellation is left out": ("eth_getBlockReceipts", without(topic_of("Cancelled")), "the receipts of block"),
    "a charge is left out": ("eth_getBlockReceipts", without(topic_of("Charged")), "the receipts of block"),
    "another amount": ("eth_getBlockReceipts", doubled_amount, "the receipts of block"),
    "no receipts": ("eth_getBlockReceipts", lambda _: [], "not of a kind known here|the receipts of block"),
    "a bloom that says that there is nothing": (
        "eth_getBlockByNumber",
        lambda block: block and block | {"logsBloom": "0x" + "00" * 256},
        "does not make its hash",
    ),
    "another time": ("eth_getBlockByNumber", lambda block: block | {"timestamp": "0x1"}, "does not make its hash"),
    "a header without its root": (
        "eth_getBlockByNumber",
        lambda block: {name: value for name, value in block.items() if name != "receiptsRoot"},
        "a header that cannot be read",
    ),
    "no header": ("eth_getBlockByNumber", lambda _: None, "has no block"),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_a_node_leaves_out_or_changes_is_refused_E62(business: Business, lie: str) -> None:
    end = sell(business)
    method, change, message = LIES[lie]
    reader = ProvenLogReader(Lying(business.anvil.url, method, change), business.subscriptions)
    with pytest.raises(NodeInvalid, match=message):
        all_of(reader, end)


def test_blocks_must_follow_each_other(business: Business) -> None:
    end = sell(business)
    rpc = Rpc(business.anvil.url)
    reader = ProvenLogReader(rpc, business.subscriptions)
    genesis = reader.headers([0])[0]
    assert list(reader.read(1, end, parent=genesis.hash))
    with pytest.raises(NodeInvalid, match="does not follow the block read before it"):
        list(reader.read(2, end, parent=genesis.hash))
    shifted = Lying(
        business.anvil.url, "eth_getBlockByNumber", lambda _: rpc.call(Any, "eth_getBlockByNumber", "0x3", False)
    )
    with pytest.raises(NodeInvalid, match="gave another"):
        ProvenLogReader(shifted, business.subscriptions).headers([5])
    with pytest.raises(NodeInvalid, match="gave block 3"):
        ProvenLogReader(shifted, business.subscriptions).header(5)


@given(st.lists(st.binary(min_size=20, max_size=32), max_size=30), st.binary(min_size=20, max_size=32))
def test_a_bloom_never_hides_what_is_in_it(values: list[bytes], other: bytes) -> None:
    """As eth-bloom makes it."""
    bloom = BloomFilter.from_iterable(values)
    fields = [bytes(32)] * 6 + [int(bloom).to_bytes(256, "big")] + [b""] * 8
    header = parse_header(rlp.encode(fields))
    assert all(map(header.may_have, values))
    assert header.may_have(other) == (other in bloom)
