"""JSON-RPC over HTTP: what nodes answer instead of an answer, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tallystick.chain import rpc as rpc_module
from tallystick.chain.rpc import ATTEMPTS, FIRST_PAUSE_S, Rpc
from tallystick.errors import (
    NodeBusy,
    NodeError,
    NodeInvalid,
    NodeRefused,
    NodeUnreachable,
    RangeTooLarge,
    TallystickError,
)
from tallystick.testing import Anvil, start_anvil
from tests.chain.conftest import Proxy


@pytest.fixture(scope="module")
def chain() -> Iterator[Anvil]:
    with start_anvil() as anvil:
        anvil.mine(250)
        yield anvil


@pytest.fixture
def front(chain: Anvil) -> Iterator[Proxy]:
    found = Proxy(chain.url)
    yield found
    found.stop()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def rpc(front: Proxy, pauses: list[float]) -> Rpc:
    return Rpc(front.url, sleep=pauses.append)


def error(code: int, message: object, **more: object) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}} | more)


ANSWERS: list[tuple[int, bytes, type[NodeError], bool]] = [
    # status, body, what it becomes, whether it is asked again
    (200, b"", NodeInvalid, True),
    (200, b"<html>", NodeInvalid, True),
    (200, b"\xff\xfe\x00", NodeInvalid, True),
    (200, b"null", NodeInvalid, True),
    (200, b"[]", NodeInvalid, True),
    (200, b"{}", NodeInvalid, True),
    (200, b"[" * 200_000, NodeInvalid, True),
    (200, b'{"a":' * 200_000, NodeInvalid, True),
    (200, b'{"jsonrpc":"2.0","id":1,"result":"0x', NodeInvalid, True),
    (200, b'{"jsonrpc":"2.0","id":1,"result":null}', NodeInvalid, True),
    (200, b'{"jsonrpc":"2.0","id":1,"result":7}', NodeInvalid, True),
    (200, b'{"jsonrpc":"2.0","id":1}', NodeInvalid, True),
    (200, b'{"jsonrpc":"2.0","id":2,"result":"0x1"}', NodeInvalid, True),
    (200, b'{"jsonrpc":"2.0","id":"1","result":"0x1"}', NodeInvalid, True),
    (200, b'{"jsonrpc":"2.0","id":null,"result":"0x1"}', NodeInvalid, True),
    (200, b'{"jsonrpc":"2.0","id":1,"error":"no"}', NodeInvalid, True),
    (404, b"nothing here", NodeInvalid, True),
    (302, b"elsewhere", NodeInvalid, True),
    (429, b"slow down", NodeBusy, True),
    (500, b"oops", NodeUnreachable, True),
    (504, b"", NodeUnreachable, True),
    (500, error(-32000, "oops"), NodeUnreachable, True),
    (503, error(-32000, "you exceeded your requests per second"), NodeBusy, True),
    (200, error(-32005, "project ID request rate exceeded"), NodeBusy, True),
    (200, error(-32007, "50/second request limit reached"), NodeBusy, True),
    (200, error(429, "Your app has exceeded its compute units per second capacity"), NodeBusy, True),
    (200, error(-32005, "query returned more than 10000 results"), RangeTooLarge, False),
    (200, error(-32005, "limit exceeded"), RangeTooLarge, False),
    (400, error(-32600, "block range is too wide"), RangeTooLarge, False),
    (500, error(-32000, "Log response size exceeded"), RangeTooLarge, False),
    (413, b"", RangeTooLarge, False),
    (200, error(-32601, "the method eth_getLogs does not exist"), NodeRefused, False),
    (400, error(-32602, "invalid argument"), NodeRefused, False),
    (200, error(3, "execution reverted", result=None), NodeRefused, False),
    (200, error(-32603, "internal error"), NodeRefused, False),
]


@pytest.mark.parametrize(("status", "body", "expected", "again"), ANSWERS)
def test_every_answer_that_is_none_becomes_one_of_our_errors_E62(
    front: Proxy, rpc: Rpc, pauses: list[float], status: int, body: bytes, expected: type[NodeError], again: bool
) -> None:
    front.always(body, status)
    with pytest.raises(TallystickError) as caught:
        rpc.call(str, "eth_chainId")
    assert type(caught.value) is expected
    assert len(front.calls) == (ATTEMPTS if again else 1)
    assert pauses == [FIRST_PAUSE_S * 2**number for number in range(len(front.calls) - 1)]
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("body", [b"", b"[]", b"[{}]", b"[null]", b'{"jsonrpc":"2.0","id":1,"result":"0x1"}'])
def test_a_batch_that_is_not_answered_as_one_is_refused(front: Proxy, rpc: Rpc, body: bytes) -> None:
    front.always(body)
    with pytest.raises(NodeInvalid):
        rpc.batch(str, "eth_chainId", [(), ()])


def test_a_batch_refused_by_one_error_has_that_error(front: Proxy, rpc: Rpc) -> None:
    for body in (error(-32601, "no such method"), b"[" + error(-32601, "no such method") + b"]"):
        front.always(body)
        with pytest.raises(NodeRefused, match="no such method"):
            rpc.batch(str, "eth_chainId", [(), ()])


def test_a_batch_becomes_smaller_where_the_provider_wants_that(front: Proxy, rpc: Rpc) -> None:
    def at_most_seven(_: str, answer: bytes) -> tuple[int, bytes]:
        count = len(msgspec.json.decode(answer))
        return (200, answer) if count <= 7 else (400, error(-32600, "batch too large, the limit is 7"))

    front.misbehave = at_most_seven
    params = [(hex(number), False) for number in range(30)]
    found = rpc.batch(dict[str, Any], "eth_getBlockByNumber", params)
    assert [int(block["number"], 16) for block in found] == list(range(30))
    asked = len(front.calls)
    rpc.batch(dict[str, Any], "eth_getBlockByNumber", params)
    assert len(front.calls) - asked == 5  # the size that was found is kept


def test_answers_of_a_batch_may_come_in_any_order(front: Proxy, rpc: Rpc) -> None:
    front.misbehave = lambda _, answer: (200, msgspec.json.encode(msgspec.json.decode(answer)[::-1]))
    found = rpc.batch(dict[str, Any], "eth_getBlockByNumber", [(hex(number), False) for number in range(120)])
    assert [int(block["number"], 16) for block in found] == list(range(120))


def test_an_answer_given_twice_or_left_out_of_a_batch_is_refused(front: Proxy, rpc: Rpc) -> None:
    for spoil in (
        lambda answers: answers[:-1],
        lambda answers: [*answers[:-1], answers[0]],
        lambda answers: answers * 2,
    ):
        front.misbehave = lambda _, answer, spoil=spoil: (200, msgspec.json.encode(spoil(msgspec.json.decode(answer))))
        with pytest.raises(NodeInvalid, match="answers to a batch of 3"):
            rpc.batch(str, "eth_chainId", [(), (), ()])


def test_one_stumble_is_not_told(front: Proxy, rpc: Rpc) -> None:
    stumbles = iter([(429, b""), None, (200, b"{"), (502, b"")])
    front.misbehave = lambda _, answer: next(stumbles, (200, answer))
    assert rpc.call(str, "eth_chainId") == hex(31337)


def test_an_answer_without_end_is_not_read_to_its_end(front: Proxy, rpc: Rpc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_module, "MOST_BYTES", 1_000)
    front.always(b'{"jsonrpc":"2.0","id":1,"result":"0x' + b"0" * 10_000 + b'"}')
    with pytest.raises(RangeTooLarge, match="more than 1000 bytes"):
        rpc.call(str, "eth_chainId")
    front.misbehave = None
    assert rpc.call(str, "eth_chainId") == hex(31337)


def test_what_a_node_says_is_shown_without_control_characters(front: Proxy, rpc: Rpc) -> None:
    front.always(error(-32000, "\x1b[2J\x07nothing to see\n" + "x" * 5_000))
    with pytest.raises(NodeRefused, match="nothing to see") as caught:
        rpc.call(str, "eth_chainId")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://no.such.host.invalid", "http://", "http://a..b:99999"])
def test_nobody_there(url: str) -> None:
    with pytest.raises(NodeUnreachable, match="start the node, or give its address with --rpc"):
        Rpc(url, sleep=lambda _: None).call(str, "eth_chainId")


def test_the_key_in_an_address_is_not_shown(front: Proxy) -> None:
    front.always(b"oops", 500)
    with pytest.raises(NodeUnreachable) as caught:
        Rpc(f"{front.url}/v3/secret-key?token=secret", sleep=lambda _: None).call(str, "eth_chainId")
    assert "secret" not in str(caught.value)


# --- asked ahead ----------------------------------------------------------------------------------------------------


def test_a_call_that_was_begun_is_answered_whatever_was_asked_meanwhile(rpc: Rpc) -> None:
    begun = rpc.begin(dict[str, Any], "eth_getBlockByNumber", "0x7", False)
    assert rpc.call(str, "eth_blockNumber") == "0xfa"
    assert begun()["number"] == "0x7"


def test_a_call_that_nobody_waited_for_is_not_taken_for_the_next(rpc: Rpc) -> None:
    rpc.begin(dict[str, Any], "eth_getBlockByNumber", "0x7", False)
    assert rpc.begin(dict[str, Any], "eth_getBlockByNumber", "0x8", False)()["number"] == "0x8"


def test_a_call_that_was_begun_and_not_answered_is_made_the_ordinary_way(
    front: Proxy, rpc: Rpc, pauses: list[float]
) -> None:
    answers: list[tuple[int, bytes] | None] = [None, (503, b""), (429, b"")]
    front.misbehave = lambda _method, answer: answers.pop(0) if answers else (200, answer)
    assert rpc.begin(str, "eth_blockNumber")() == "0xfa"
    assert pauses == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S]
    assert rpc.begin(str, "eth_blockNumber")() == "0xfa"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ftp://nowhere", "http://[", "http://a:b"])
def test_a_call_that_cannot_be_begun_says_so_when_it_is_waited_for(url: str) -> None:
    begun = Rpc(url, attempts=1).begin(str, "eth_blockNumber")
    with pytest.raises(NodeUnreachable, match="no answer from"):
        begun()


@pytest.mark.parametrize(("status", "body", "becomes", "is_repeated"), ANSWERS)
def test_what_is_no_answer_becomes_the_same_error_when_it_was_begun(
    front: Proxy, rpc: Rpc, status: int, body: bytes, becomes: type[NodeError], is_repeated: bool
) -> None:
    for _ in range(2):  # the answers have the ids of the first calls
        rpc.call(str, "eth_blockNumber")
    front.calls.clear()
    front.always(body, status)
    with pytest.raises(becomes):
        rpc.begin(str, "eth_blockNumber")()
    assert len(front.calls) == (1 + ATTEMPTS if is_repeated else 1)
