"""Several nodes: which is read, and when it takes its place again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tallystick.chain import nodes as nodes_module
from tallystick.chain.nodes import Aside, Nodes
from tallystick.chain.rpc import Rpc
from tallystick.core.health import FAILED, HALF_LIFE_MS, MS_PER_S, OUTVOTED
from tallystick.errors import ConfigError, NodeOutvoted, NodeUnreachable
from tallystick.testing import Anvil
from tests.chain.conftest import Proxy

GONE = "http://127.0.0.1:9"


@pytest.fixture
def proxies(anvil: Anvil) -> Iterator[list[Proxy]]:
    found = [Proxy(anvil.url) for _ in range(3)]
    yield found
    for proxy in found:
        proxy.stop()


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def opened(*urls: str, clock: Clock | None = None) -> Nodes:
    nodes = Nodes(urls, sleep=lambda _: None, clock=clock or Clock())
    nodes.open()
    return nodes


def order(nodes: Nodes) -> list[str]:
    return [member.rpc.url for member in nodes.by_health()]


def test_the_first_is_read_and_again_some_minutes_after_it_failed(proxies: list[Proxy]) -> None:
    clock = Clock()
    urls = [proxy.url for proxy in proxies]
    nodes = opened(*urls, clock=clock)
    assert order(nodes) == urls
    nodes.members[0].failed(NodeUnreachable("away: wait"))
    assert order(nodes) == [urls[1], urls[2], urls[0]]
    clock.now_s += HALF_LIFE_MS // MS_PER_S * FAILED.bit_length()
    assert order(nodes) == urls
    nodes.members[1].failed(NodeOutvoted("wrong: use another"), OUTVOTED)
    nodes.members[0].failed(NodeUnreachable("away: wait"))
    assert order(nodes) == [urls[2], urls[0], urls[1]]


def test_a_node_that_is_away_when_the_mirror_is_opened_is_passed_over(anvil: Anvil) -> None:
    nodes = Nodes([GONE, anvil.url], sleep=lambda _: None)
    assert nodes.open() == anvil.chain_id
    assert order(nodes) == [anvil.url]
    assert isinstance(nodes.members[0].trouble, NodeUnreachable)


def test_it_is_used_when_it_is_back(proxies: list[Proxy]) -> None:
    clock = Clock()
    proxies[0].misbehave = lambda *_: None
    nodes = opened(proxies[0].url, proxies[1].url, clock=clock)
    assert order(nodes) == [proxies[1].url]
    proxies[0].misbehave = None
    nodes.glance()
    assert order(nodes) == [proxies[1].url, proxies[0].url]
    assert nodes.members[0].trouble is None
    clock.now_s += 600
    assert order(nodes) == [proxies[0].url, proxies[1].url]


def test_nodes_of_different_chains_are_an_error_of_the_configuration(anvil: Anvil) -> None:
    with Anvil("--chain-id", "8453") as other, pytest.raises(ConfigError) as caught:
        opened(anvil.url, other.url)
    assert f"serve different chains ({anvil.url} chain 31337, {other.url} chain 8453)" in str(caught.value)


def test_a_node_of_another_chain_that_comes_later_is_never_used(proxies: list[Proxy]) -> None:
    proxies[0].misbehave = lambda *_: None
    nodes = opened(proxies[0].url, proxies[1].url)
    proxies[0].misbehave = _of_chain_8453
    nodes.glance()
    assert order(nodes) == [proxies[1].url]
    assert "serves chain 8453, not 31337" in str(nodes.members[0].trouble)


def _of_chain_8453(method: str, answer: bytes) -> tuple[int, bytes]:
    return 200, answer.replace(b'"0x7a69"', b'"0x2105"') if method == "eth_chainId" else answer


def test_where_none_answers_the_first_says_why() -> None:
    with pytest.raises(NodeUnreachable, match=f"no answer from {GONE}"):
        opened(GONE, "http://127.0.0.1:10")


def test_a_node_that_is_silent_is_waited_for_shortly_and_once(
    proxies: list[Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes_module, "GLANCE_S", 0.1)
    nodes = opened(*(proxy.url for proxy in proxies))
    answer = threading.Event()

    def silent(_method: str, content: bytes) -> tuple[int, bytes]:
        answer.wait()
        return 200, content

    proxies[0].misbehave = silent
    started = time.monotonic()
    nodes.glance()
    assert order(nodes)[-1] == proxies[0].url
    asked = len(proxies[0].calls)
    for _ in range(5):
        nodes.glance()  # it still owes its answer: it is not asked again, nor waited for
    assert (len(proxies[0].calls), time.monotonic() - started < 2) == (asked, True)
    answer.set()


def test_addresses_that_look_alike_have_names_of_their_own() -> None:
    nodes = Nodes(["https://node.example/v3/one", "https://node.example/v3/two", "https://other.example/"])
    assert [member.name for member in nodes.members] == [
        "https://node.example/... (node 1)",
        "https://node.example/... (node 2)",
        "https://other.example/",
    ]


def test_what_is_asked_in_the_background_comes_one_after_the_other_and_can_be_given_up(anvil: Anvil) -> None:
    aside = Aside(Rpc(anvil.url))
    begun, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def first() -> None:
        begun.set()
        go_on.wait()
        done.append("first")

    one = aside.ask(first)
    begun.wait()
    two = aside.ask(first)
    assert two.cancel()
    three = aside.ask(lambda: aside.rpc.call(str, "eth_chainId"))
    assert not three.done()
    go_on.set()
    assert (one.result(), three.result(), done) == (None, "0x7a69", ["first"])
    assert isinstance(aside.ask(lambda: 1 // 0).exception(), ZeroDivisionError)
