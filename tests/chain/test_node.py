"""Connecting: the right chain or a clear error; what a node may answer instead of an answer."""

from __future__ import annotations

import pytest

from tallystick.chain.node import connect
from tallystick.errors import (
    CallReverted,
    NodeBusy,
    NodeError,
    NodeInvalid,
    NodeRefused,
    NodeUnreachable,
    RangeTooLarge,
    WrongChain,
)
from tallystick.testing import Anvil
from tests.chain.conftest import Proxy


def test_connects_to_the_chain_that_is_there(anvil: Anvil) -> None:
    node = connect(anvil.url)
    assert (node.chain_id, node.url) == (31337, anvil.url)
    assert node.timestamp() == anvil.timestamp
    assert node.request("eth_blockNumber", []) == "0x0"


def test_the_first_block_at_a_time_is_found_by_halving(anvil: Anvil) -> None:
    node, times = connect(anvil.url), [anvil.timestamp]
    for seconds in (1, 1, 60, 3_600, 1):
        anvil.advance(seconds)
        times.append(anvil.timestamp)
    for number, time in enumerate(times):
        assert node.first_block_at(time, start=0) == number
        assert node.first_block_at(time, start=3) == max(number, 3)
    assert node.first_block_at(times[2] + 1, start=0) == 3
    assert node.first_block_at(0, start=0) == 0
    assert node.first_block_at(times[-1] + 1, start=0) == 5
    assert node.balance_wei(anvil.address(0)) == int(anvil.rpc("eth_getBalance", anvil.address(0), "latest"), 16) > 0


def test_E73_another_chain_is_refused(anvil: Anvil) -> None:
    with pytest.raises(
        WrongChain, match=r"serves chain 31337, the deployment is on chain 8453: use a node of chain 8453"
    ) as caught:
        connect(anvil.url, chain_id=8453)
    assert (caught.value.found, caught.value.expected) == (31337, 8453)


def test_a_wrong_address_is_a_clear_error_that_shows_no_secret() -> None:
    with pytest.raises(NodeUnreachable) as caught:
        connect("http://127.0.0.1:1/v3/secret-key", attempts=1)
    assert str(caught.value) == (
        "no answer from http://127.0.0.1:1/... (ConnectionError): start the node, or give its address with --rpc"
    )


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (200, b"<html>hello</html>", NodeInvalid, "an answer that is not JSON-RPC"),
        (200, b'{"jsonrpc":"2.0","id":0,"resu', NodeInvalid, "an answer that is not JSON-RPC"),
        (200, b'{"jsonrpc":"2.0","id":0}', NodeInvalid, "an answer without a result"),
        (200, b"[]", NodeInvalid, "an answer without a result"),
        (200, b'{"jsonrpc":"2.0","id":0,"result":"a chain"}', NodeInvalid, "says its chain is 'a chain'"),
        (
            200,
            b'{"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"no"}}',
            NodeRefused,
            "refused eth_chainId with error -32601: no",
        ),
        (200, b'{"jsonrpc":"2.0","id":0,"error":"no"}', NodeRefused, "refused eth_chainId: no"),
        (
            200,
            b'{"jsonrpc":"2.0","id":0,"error":{"code":-32005,"message":"limit"}}',
            RangeTooLarge,
            "asks for fewer blocks",
        ),
        (500, b'{"id":0,"error":{"code":-32000,"message":"oops"}}', NodeRefused, "with error -32000: oops"),
        (400, b'{"id":0,"error":{"code":-32005,"message":"limit"}}', RangeTooLarge, "asks for fewer blocks"),
        (429, b'{"id":0,"error":{"code":-32005,"message":"limit"}}', NodeBusy, "wants fewer requests"),
        (429, b"slow down", NodeBusy, "wants fewer requests"),
        (401, b"who are you", NodeRefused, "HTTP 401: check that this is a node's address, and its key"),
        (502, b"", NodeUnreachable, "failed with HTTP 502"),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(
    proxy: Proxy, status: int, body: bytes, error: type[NodeError], message: str
) -> None:
    proxy.always(body, status)
    with pytest.raises(error, match=message):
        connect(proxy.url, attempts=1)


def test_a_node_that_fails_once_is_asked_again(proxy: Proxy) -> None:
    answers = [None, (503, b"")]
    proxy.misbehave = lambda _method, answer: answers.pop() if answers else (200, answer)
    assert connect(proxy.url).chain_id == 31337
    assert proxy.calls == ["eth_chainId"] * 3


def test_many_calls_are_few_requests_and_fail_as_one_does(anvil: Anvil, proxy: Proxy) -> None:
    node = connect(proxy.url)
    proxy.calls.clear()
    accounts = [anvil.address(index % 10) for index in range(150)]
    results = node.request_many([("eth_getBalance", [account, "latest"]) for account in accounts])
    assert {int(result, 16) for result in results} == {10_000 * 10**18}
    assert len(proxy.calls) == 2
    with pytest.raises(NodeRefused, match="Method not found"):
        node.request_many([("eth_chainId", []), ("eth_nothing", [])])
    proxy.always(b'{"id":1,"error":{"code":-32600,"message":"no batches"}}')
    with pytest.raises(NodeRefused, match="no batches"):
        node.request_many([("eth_chainId", []), ("eth_chainId", [])])
    proxy.always(b'[{"jsonrpc":"2.0","id":1,"result":"0x1"}]')
    with pytest.raises(NodeInvalid, match="1 answers to 2 calls"):
        node.request_many([("eth_chainId", []), ("eth_chainId", [])])


def test_of_many_that_are_tried_each_has_its_own_answer(anvil: Anvil) -> None:
    anvil.rpc("anvil_setCode", anvil.address(5), "0x60006000fd")
    node = connect(anvil.url)
    reverting = ("eth_call", [{"to": anvil.address(5)}, "latest"])
    results = node.try_many([reverting, *[("eth_chainId", [])] * 100, ("eth_nothing", [])])
    assert results[1:-1] == ["0x7a69"] * 100
    assert [type(results[0]), type(results[-1])] == [CallReverted, NodeRefused]


def test_bytes_that_are_none_are_refused(proxy: Proxy) -> None:
    node = connect(proxy.url)
    proxy.always(b'{"jsonrpc":"2.0","id":0,"result":"0xzz"}')
    with pytest.raises(NodeInvalid, match="'0xzz' where it should answer bytes"):
        node.code("0x" + "00" * 20)


def test_code_that_reverts_without_a_word_is_a_revert(anvil: Anvil) -> None:
    anvil.rpc("anvil_setCode", anvil.address(5), "0x60006000fd")
    with pytest.raises(CallReverted, match="no reason given"):
        connect(anvil.url).call(anvil.address(5), b"")
