"""Work that goes on until it is interrupted: the mirror block by block, the billing round by round."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

from tallystick.core.health import FAILED, OUTVOTED
from tallystick.errors import NodeError, NodeOutvoted, ReorganizationTooDeep, TallystickError
from tallystick.flows.ingest import Ingested, Progress, Target, ingest
from tallystick.flows.lead import Lease, leading
from tallystick.flows.mirror import Mirror
from tallystick.flows.quorum import Quorum
from tallystick.storage.waits import Wait

LONGEST_PAUSE_S = 60.0

Say = Callable[[str], object]
OnProgress = Callable[[Progress], None]


def index_role(mirror: Mirror) -> str:
    """The name under which processes agree who mirrors a deployment, by its first contract."""
    return f"index {mirror.target.chain_id} {mirror.target.contract}"


def ingest_once(mirror: Mirror, *, on_progress: OnProgress = lambda _: None, say: Say = lambda _: None) -> Ingested:
    """One ingestion of each contract, as the leader. Raises AnotherLeads where another process mirrors into the same
    database."""
    with leading(mirror.engine, index_role(mirror), wait=False) as lease:
        return _ingest_leading(mirror, lease, on_progress, say)


def follow_chain(
    mirror: Mirror,
    *,
    poll_s: float,
    say: Say,
    on_progress: OnProgress = lambda _: None,
    wait: Callable[[float], None] = time.sleep,
) -> NoReturn:
    """Mirrors again and again, as the leader, each time when `wait` ends: after `poll_s`, or when there is a hint."""
    with leading(mirror.engine, index_role(mirror), wait=True, say=say) as lease:
        head, agreement = -1, Agreement(say)

        def step() -> None:
            nonlocal head
            mirror.nodes.glance()
            done = _ingest_leading(mirror, lease, on_progress, say)
            agreement.tell(done)
            if done.rolled_back_events is not None:
                say(f"reorganisation: {done.rolled_back_events} pending events were replaced")
            if done.head_block != head:
                head = done.head_block
                say(f"block {head}, final {done.final_block}, {done.final_events} new final events")

        repeat(step, poll_s=poll_s, say=say, wait=wait)


def repeat(
    step: Callable[[], None],
    *,
    poll_s: float,
    say: Say,
    sleep: Callable[[float], None] = time.sleep,
    wait: Callable[[float], None] | None = None,
) -> NoReturn:
    """Does `step` for ever, with `wait` between (`sleep`, unless there is something to wait for). Sleeps with growing
    pauses over what may pass, raises what will not."""
    pause = poll_s
    while True:
        try:
            step()
            pause = poll_s
            (wait or sleep)(poll_s)
        except TallystickError as error:
            if not error.retryable:
                raise
            say(f"trying again in {pause:.0f} s: {error}")
            sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)


class Agreement:
    """Says of which contract finality begins to wait because too few nodes agree, which nodes disagree, and when it is
    over.

    Nodes are some seconds apart: a wait without a disagreement is told when it lasts.
    """

    def __init__(self, say: Say) -> None:
        self._say = say
        self._before: set[str] = set()
        self._told: dict[str, frozenset[str]] = {}
        self._outvoted: frozenset[str] = frozenset()

    def tell(self, done: Ingested) -> None:
        """Takes the next report."""
        waiting = {wait.contract: wait for wait in done.waits}
        disagreeing = frozenset(said.node for said in done.disagreements)
        for contract in sorted(self._told.keys() - waiting.keys()):
            del self._told[contract]
            self._say(f"{contract}: enough nodes agree again, finality goes on")
        for contract, wait in waiting.items():
            if self._told.get(contract) != disagreeing and (contract in self._before or disagreeing):
                self._told[contract] = disagreeing
                self._say(waiting_line(wait))
        for said in done.disagreements if not waiting else ():
            if said.node not in self._outvoted:
                self._say(f"{said.text}; it is outvoted, finality goes on")
        self._before, self._outvoted = set(waiting), disagreeing


def waiting_line(wait: Wait) -> str:
    """What waits, and why, for people."""
    return (
        f"{wait.contract}: finality waits since block {wait.since_block}, which goes on as pending, because "
        f"{wait.agreeing} of the {wait.needed} nodes needed agree: {wait.why}"
    )


def _ingest_leading(mirror: Mirror, lease: Lease, on_progress: OnProgress, say: Say) -> Ingested:
    def renew(progress: Progress) -> None:
        lease.renew()
        on_progress(progress)

    lease.renew()
    done = [ingest_from_any(mirror, target, on_progress=renew, say=say) for target in mirror.targets]
    return functools.reduce(Ingested.beside, done)


def ingest_from_any(
    mirror: Mirror, target: Target, *, on_progress: OnProgress = lambda _: None, say: Say = lambda _: None
) -> Ingested:
    """One ingestion of a contract from the healthiest node; where that one fails the next goes on.

    Where all fail, an error that may pass is raised if there is any: that node may be right when it is back.
    """
    written, errors = 0, []
    for reader in mirror.nodes.by_health():
        last = Progress(0, 0, 0)

        def follow(progress: Progress) -> None:
            nonlocal last
            last = progress
            on_progress(progress)

        quorum = Quorum.beside(mirror.nodes, reader, mirror.quorum)
        try:
            done = ingest(mirror.engine, reader.rpc, target, quorum=quorum, on_progress=follow)
        except (NodeError, ReorganizationTooDeep) as error:
            written += last.events
            errors.append(error)
            reader.failed(error, OUTVOTED if isinstance(error, NodeOutvoted) else FAILED)
            if mirror.nodes.are_several:
                say(f"{reader.name} fails, the next node is read: {error}")
            continue
        return replace(done, final_events=done.final_events + written)
    raise next((error for error in errors if error.retryable), errors[0])
