"""Transfers to watched addresses, as the log reader finds them between a contract's own logs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tallystick.chain.decode_checkout import CHECKOUT
from tallystick.chain.logs import LogReader
from tallystick.chain.rpc import Rpc
from tallystick.chain.transfers import ADDRESSES_IN_A_QUERY, TRANSFER_TOPIC, queries
from tallystick.core.checkout_events import TokenReceived
from tallystick.errors import NodeInvalid
from tests.business import Business
from tests.chain.bad_node import bad_node
from tests.sales import AMOUNT, Sales


@pytest.fixture
def sales(business: Business) -> Sales:
    return Sales(business)


def log_code(topics: list[str], data: str) -> str:
    """Code that emits one log with these topics and this data, whatever it is called with."""
    words = [data[at : at + 64].ljust(64, "0") for at in range(0, len(data), 64)]
    stores = "".join(f"7f{word}61{position * 32:04x}52" for position, word in enumerate(words))
    pushed = "".join(f"7f{topic[2:]}" for topic in reversed(topics))
    return f"0x{stores}{pushed}61{len(data) // 2:04x}5fa{len(topics)}00"


def padded(address: str) -> str:
    return "0x" + address[2:].lower().rjust(64, "0")


def read(sales: Sales, watched: dict[str, int], url: str = "") -> list[Any]:
    rpc = Rpc(url or sales.anvil.url, sleep=lambda _: None)
    reader = LogReader(rpc, sales.contract.address, decoder=CHECKOUT, watched=watched)
    (chunk,) = reader.read(1, sales.anvil.block_number)
    return [log.event for log in chunk.logs]


def test_transfers_to_watched_addresses_are_read_in_the_order_of_the_chain(sales: Sales) -> None:
    first, second = (sales.checkout.deposit_address(sales.merchant, name.ljust(32, b"\0")) for name in (b"a", b"b"))
    sales.send("a", 1)
    sales.send("unwatched", 2)
    sales.call(sales.merchant, "withdrawQuote", 1)
    sales.send("b", 3, token=sales.other)
    sales.send("a", 4)
    seen_from = sales.anvil.block_number
    events = read(sales, {first.lower(): 1, second.lower(): 1})
    assert [getattr(event, "amount_units", None) for event in events] == [1, None, 3, 4]
    assert events[0] == TokenReceived(sales.token, sales.exchange, first, 1)
    assert events[2] == TokenReceived(sales.other, sales.exchange, second, 3)
    assert [event.amount_units for event in read(sales, {first.lower(): seen_from})[1:]] == [4]
    assert [type(event).__name__ for event in read(sales, {})] == ["QuoteWithdrawn"]


def test_logs_that_only_look_like_transfers_are_left_out_E67(sales: Sales) -> None:
    """Any contract may emit what it likes: nothing of it stops the mirror."""
    place = sales.checkout.deposit_address(sales.merchant, b"a".ljust(32, b"\0"))
    sender, receiver, word = padded(sales.exchange), padded(place), "0" * 63 + "7"
    other_topic = "0x" + "ee" * 32
    for number, (topics, data) in enumerate(
        [
            ([TRANSFER_TOPIC, sender, receiver, other_topic], ""),  # ERC-721
            ([TRANSFER_TOPIC, sender, receiver], ""),
            ([TRANSFER_TOPIC, sender, receiver], word + word),
            ([TRANSFER_TOPIC, other_topic, receiver], word),  # from no address
            ([TRANSFER_TOPIC, sender, other_topic[:26] + receiver[26:]], word),  # to no address
            ([other_topic, sender, receiver], word),
        ]
    ):
        liar = sales.business.account(f"liar {number}")
        sales.anvil.rpc("anvil_setCode", liar, log_code(topics, data))
        sales.business.send(sales.exchange, liar, "0x")
    assert read(sales, {place.lower(): 1}) == []
    honest = sales.business.account("honest")
    sales.anvil.rpc("anvil_setCode", honest, log_code([TRANSFER_TOPIC, padded("0x" + "0" * 40), receiver], word))
    sales.business.send(sales.exchange, honest, "0x")
    assert read(sales, {place.lower(): 1}) == [TokenReceived(honest, None, place, 7)]


@pytest.mark.parametrize(
    "changed",
    [
        lambda log: log | {"topics": [*log["topics"][:2], padded("0x" + "ab" * 20)]},
        lambda log: log | {"topics": ["0x" + "ab" * 32, *log["topics"][1:]]},
        lambda log: log | {"topics": []},
        lambda log: log | {"blockNumber": "0xzz"},
        lambda log: log | {"removed": True},
        lambda log: log | {"blockHash": "0x" + "ab" * 32},
    ],
    ids=["to another", "another event", "no topics", "no number", "removed", "another block"],
)
def test_E62_a_node_that_answers_with_other_logs_is_refused(
    sales: Sales, changed: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    place = sales.checkout.deposit_address(sales.merchant, b"a".ljust(32, b"\0"))
    sales.send("a", AMOUNT)

    def lying(_: object, answer: bytes) -> tuple[int, bytes]:
        documents = msgspec.json.decode(answer)
        for document in documents if isinstance(documents, list) else []:
            if isinstance(document.get("result"), list):
                document["result"] = [changed(log) for log in document["result"]]
        return 200, msgspec.json.encode(documents)

    with bad_node(sales.anvil.url, seed=0, rate=0) as node:
        node._answer = lying  # type: ignore[method-assign, assignment]  # an honest node, but for transfers
        with pytest.raises(NodeInvalid):
            read(sales, {place.lower(): 1}, node.url)


def test_many_addresses_are_asked_for_in_parts() -> None:
    watched = {f"0x{number:040x}": number for number in range(2 * ADDRESSES_IN_A_QUERY + 1)}
    parts = [query["topics"][2] for query in queries(watched, 0, 2 * ADDRESSES_IN_A_QUERY)]
    assert [len(part) for part in parts] == [ADDRESSES_IN_A_QUERY, ADDRESSES_IN_A_QUERY, 1]
    assert {topic[26:] for part in parts for topic in part} == {address[2:] for address in watched}
    assert list(queries(watched, 0, -1)) == []
