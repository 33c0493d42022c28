"""E72: whatever happens around a transaction, it has its effect once where the sender says so, else never."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.chain.node import Node, connect
from tallystick.chain.sender import Call, Sender
from tallystick.chain.signer import KeySigner
from tallystick.config import GasConfig
from tallystick.errors import NodeError, TransactionDropped, TransactionError, TransactionStuck
from tallystick.testing import Anvil, AnvilError, start_anvil
from tests.chain.conftest import Proxy
from tests.chain.test_sender import GIFT_WEI, Clock, pooled, send_raw

GAS = GasConfig(wait_s=4, bumps=3, max_fee_gwei=Decimal(20))
ACTIONS = (
    "nothing",
    "mine",
    "forget",
    "other program",
    "answers get lost",
    "requests get lost",
    "lost requests arrive",
    "node is away",
    "node is back",
)
pytestmark = pytest.mark.fuzz


RECIPIENTS = itertools.count(1)


@pytest.fixture(scope="module")
def idle() -> Iterator[Anvil]:
    with start_anvil("--no-mining") as chain:
        yield chain


@pytest.fixture(scope="module")
def before(idle: Anvil) -> Iterator[Proxy]:
    """A node before the chain that loses what it is told to lose."""
    proxy = Proxy(idle.url)
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def node(before: Proxy) -> Node:
    """A failure counts at the first try, so that the examples take no real time."""
    return connect(before.url, attempts=1)


def happen(chain: Anvil, proxy: Proxy, action: str) -> None:
    match action:
        case "mine":
            chain.mine()
        case "forget":
            for found in pooled(chain):
                chain.rpc("anvil_dropTransaction", found["hash"])
        case "other program":
            nonce = int(chain.rpc("eth_getTransactionCount", chain.address(0), "latest"), 16)
            with contextlib.suppress(AnvilError):  # where ours offers as much, the pool keeps ours
                send_raw(chain, nonce, gwei=19)
        case "answers get lost":
            proxy.misbehave = lambda method, answer: None if method == "eth_sendRawTransaction" else (200, answer)
        case "requests get lost":
            proxy.swallowed.add("eth_sendRawTransaction")
        case "lost requests arrive":
            proxy.deliver_late()
        case "node is away":
            proxy.always(b"", 503)
        case "node is back":
            proxy.misbehave = None
            proxy.swallowed.clear()


@settings(max_examples=settings().max_examples // 5)  # each is a chain of its own, a fifth of a second
@given(st.lists(st.sampled_from(ACTIONS), max_size=14), st.integers(1, 3))
def test_E72_exactly_once_or_never_as_the_sender_says(
    idle: Anvil, before: Proxy, node: Node, actions: list[str], sends: int
) -> None:
    happen(idle, before, "node is back")
    happen(idle, before, "forget")
    before.late.clear()
    # Each example gives to an account of its own. What an earlier one sent may come late, on a machine with much to do:
    # it takes a nonce then, as another program's transaction does, and is no gift of this one.
    to = to_checksum_address(keccak(text=f"recipient {next(RECIPIENTS)}")[12:])
    present = Call(to, b"", GIFT_WEI)
    clock = Clock()
    for second, action in enumerate(actions):
        clock.at(second + 0.5, bound(idle, before, action))
    sender = Sender(node, KeySigner.from_key(idle.key(0)), GAS, clock=clock.time, sleep=clock.sleep)
    happened = maybe = 0
    for _ in range(sends):
        try:
            sender.send(present)
            happened += 1
        except TransactionDropped:
            pass
        except TransactionStuck:
            maybe += 1
        except (TransactionError, NodeError):
            pass  # before anything was sent
        assert happened <= arrived(idle, to) <= happened + maybe
    happen(idle, before, "node is back")
    before.deliver_late()
    for _ in range(3):
        idle.mine()
    assert happened <= arrived(idle, to) <= happened + maybe


def arrived(chain: Anvil, to: str) -> int:
    """How many gifts an account has got."""
    return int(chain.rpc("eth_getBalance", to, "latest"), 16) // GIFT_WEI


def bound(chain: Anvil, proxy: Proxy, action: str) -> Callable[[], None]:
    return lambda: happen(chain, proxy, action)
