"""Several nodes of one chain: which of them is read, and what the others say meanwhile.

Each node has connections of its own for what is asked of it in the background, because an `Rpc` is one thread's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Any, Final, NamedTuple, TypeVar

from tallystick.chain.rpc import ATTEMPTS, TIMEOUT_S, Rpc
from tallystick.config import shown_url
from tallystick.core.health import FAILED, MS_PER_S, Health, by_health
from tallystick.errors import ConfigError, NodeInvalid, TallystickError

ATTEMPTS_OF_SEVERAL: Final = 3
TIMEOUT_OF_SEVERAL_S: Final = 15
"""Where others can take over, nobody waits for one as long as for the only one, and less than a lease lasts."""
GLANCE_S: Final = 1.0
"""How long is waited for all nodes to name their heads."""
GLANCE_TIMEOUT_S: Final = 5.0
"""After that the request is given up."""

T = TypeVar("T")


class Aside:
    """A connection for what is asked in the background, one after the other."""

    def __init__(self, rpc: Rpc) -> None:
        self.rpc = rpc
        self._turn = threading.Lock()
        self._running: Future[Any] | None = None
        self._overdue: Future[Any] | None = None

    def ask(self, work: Callable[[], T]) -> Future[T]:
        """Does `work`, which uses `rpc`, when its turn comes, unless it is cancelled before. Nothing waits for it when
        the program ends."""
        future: Future[T] = Future()

        def run() -> None:
            with self._turn:
                if not future.set_running_or_notify_cancel():
                    return
                self._running = future
                try:
                    future.set_result(work())
                except BaseException as error:  # noqa: BLE001 (raised where the result is taken)
                    future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return future

    def give_up(self, future: Future[Any]) -> None:
        """Nobody waits any longer for an answer; what is being asked now goes on, and `is_overdue` until it ends."""
        future.cancel()
        self._overdue = self._running

    @property
    def is_overdue(self) -> bool:
        """Whether it still owes an answer that was given up: then it is not worth waiting for another."""
        return self._overdue is not None and not self._overdue.done()


class Look(NamedTuple):
    """What a node said of itself, and how long it took to name its head."""

    chain_id: int
    head: int
    latency_ms: int


class Member:
    """One of the nodes. `rpc` is to read it by, `aside` to ask it in the background. `is_ours`: it has said that it
    serves the chain that is wanted. `trouble` is what was wrong with it when it was last looked at or used."""

    def __init__(self, rpc: Rpc, aside: Rpc, glance: Rpc, clock: Callable[[], float]) -> None:
        self.rpc = rpc
        self.aside = Aside(aside)
        self.health = Health()
        self.trouble: TallystickError | None = None
        self.chain_id: int | None = None
        self.is_ours = False
        self._glance = Aside(glance)
        self._looking: Future[Look] | None = None
        self._clock = clock

    @property
    def name(self) -> str:
        """Its address, as messages may show it."""
        return self.rpc.name

    def failed(self, error: TallystickError, points: int = FAILED) -> None:
        """Takes notice that it did not serve as it should."""
        self.trouble = error
        self.health = self.health.failed(self.now_ms, points)

    @property
    def now_ms(self) -> int:
        """As its health counts time."""
        return int(self._clock() * MS_PER_S)

    def look(self) -> Future[Look] | None:
        """Asks for its head, unless it still owes the answer to the question before."""
        if self._looking is not None and not self._looking.done():
            return None
        self._looking = self._glance.ask(self._look)
        return self._looking

    def _look(self) -> Look:
        rpc = self._glance.rpc
        chain_id = read_chain_id(rpc) if self.chain_id is None else self.chain_id
        before = self.now_ms
        head = _number(rpc, "eth_blockNumber", "head")
        return Look(chain_id, head, self.now_ms - before)

    def seen(self, looked: Future[Look]) -> None:
        """Takes notice of what it said, or that it has not said anything so far."""
        if not looked.done():
            self.failed(NodeInvalid(f"{self.name} did not name its head within {GLANCE_S:.0f} s: wait, or use another"))
            return
        try:
            found = looked.result()
        except TallystickError as error:
            self.failed(error)
            return
        self.trouble, self.chain_id = None, found.chain_id
        self.health = self.health.answered(found.head, found.latency_ms)


class Nodes:
    """The nodes at `urls`, of which the first is read as long as it is as healthy as the others.

    With a single one nothing is asked but what its `rpc` is asked for. `sleep` is what waits between two attempts,
    `clock` gives seconds.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        shown = [shown_url(url) for url in urls]
        attempts, timeout_s = (ATTEMPTS_OF_SEVERAL, TIMEOUT_OF_SEVERAL_S) if len(urls) > 1 else (ATTEMPTS, TIMEOUT_S)
        self.chain_id: int | None = None
        self.members: list[Member] = []
        for place, url in enumerate(urls):
            name = shown[place] if shown.count(shown[place]) == 1 else f"{shown[place]} (node {place + 1})"

            def rpc(attempts: int, timeout_s: float, url: str = url, name: str = name) -> Rpc:
                return Rpc(url, name=name, attempts=attempts, timeout_s=timeout_s, sleep=sleep)

            reading, aside, glance = rpc(attempts, timeout_s), rpc(ATTEMPTS, timeout_s), rpc(1, GLANCE_TIMEOUT_S)
            self.members.append(Member(reading, aside, glance, clock))

    @property
    def are_several(self) -> bool:
        """Whether there is any choice."""
        return len(self.members) > 1

    def open(self) -> int:
        """The number of the chain that the nodes serve, of those that answer now. Raises ConfigError where they serve
        several chains, NodeError where none answers."""
        if self.are_several:
            self.glance(GLANCE_TIMEOUT_S)
            served = {member.chain_id: member.name for member in self.members if member.chain_id is not None}
            if len(served) > 1:
                chains = ", ".join(f"{name} chain {chain_id}" for chain_id, name in served.items())
                raise ConfigError(
                    f"the nodes of rpc_url and index.rpc_urls serve different chains ({chains}): name nodes of one"
                )
        found = next((member.chain_id for member in self.members if member.chain_id is not None), None)
        if found is None:
            first = self.members[0]
            found = first.chain_id = read_chain_id(first.rpc)
        self.chain_id = found
        self._recognise()
        return found

    def glance(self, patience_s: float | None = None) -> None:
        """Looks at the heads of all nodes at once, and remembers how each answered; waits `GLANCE_S` unless told."""
        if not self.are_several:
            return
        looks = [(member, looked) for member in self.members if (looked := member.look()) is not None]
        wait([looked for _, looked in looks], timeout=GLANCE_S if patience_s is None else patience_s)
        for member, looked in looks:
            member.seen(looked)
        self._recognise()

    def _recognise(self) -> None:
        for member in self.members:
            member.is_ours = self.chain_id is not None and member.chain_id == self.chain_id
            if self.chain_id is not None and member.chain_id is not None and not member.is_ours:
                member.trouble = ConfigError(
                    f"{member.name} serves chain {member.chain_id}, not {self.chain_id}: name a node of this chain"
                )

    def by_health(self) -> list[Member]:
        """Those that serve the chain, the healthiest first. After `open`."""
        usable = [member for member in self.members if member.is_ours]
        now_ms = usable[0].now_ms
        return [usable[place] for place in by_health([member.health for member in usable], now_ms)]


def read_chain_id(rpc: Rpc) -> int:
    """The number of a node's chain. Raises NodeError."""
    return _number(rpc, "eth_chainId", "chain")


def _number(rpc: Rpc, method: str, what: str) -> int:
    answer = rpc.call(str, method)
    try:
        return int(answer, 16)
    except ValueError as error:
        raise NodeInvalid(
            f"{rpc.name} says its {what} is {answer[:80]!r}, a number such as 0x1 is allowed: check that this is a node"
        ) from error
