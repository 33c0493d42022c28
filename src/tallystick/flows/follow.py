"""Work that goes on until it is interrupted: the mirror block by block, the billing round by round."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import NoReturn

from tallystick.errors import TallystickError
from tallystick.flows.ingest import Ingested, Progress, ingest
from tallystick.flows.lead import Lease, leading
from tallystick.flows.mirror import Mirror

LONGEST_PAUSE_S = 60.0

Say = Callable[[str], object]


def index_role(mirror: Mirror) -> str:
    """The name under which processes agree who mirrors a deployment, by its first contract."""
    return f"index {mirror.target.chain_id} {mirror.target.contract}"


def ingest_once(mirror: Mirror, *, on_progress: Callable[[Progress], None] = lambda _: None) -> Ingested:
    """One ingestion of each contract, as the leader. Raises AnotherLeads where another process mirrors into the same
    database."""
    with leading(mirror.engine, index_role(mirror), wait=False) as lease:
        return _ingest_leading(mirror, lease, on_progress)


def follow_chain(
    mirror: Mirror,
    *,
    poll_s: float,
    say: Say,
    on_progress: Callable[[Progress], None] = lambda _: None,
    wait: Callable[[float], None] = time.sleep,
) -> NoReturn:
    """Mirrors again and again, as the leader, each time when `wait` ends: after `poll_s`, or when there is a hint."""
    with leading(mirror.engine, index_role(mirror), wait=True, say=say) as lease:
        head = -1

        def step() -> None:
            nonlocal head
            done = _ingest_leading(mirror, lease, on_progress)
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


def _ingest_leading(mirror: Mirror, lease: Lease, on_progress: Callable[[Progress], None]) -> Ingested:
    def renew(progress: Progress) -> None:
        lease.renew()
        on_progress(progress)

    lease.renew()
    done = [ingest(mirror.engine, mirror.rpc, target, on_progress=renew) for target in mirror.targets]
    return functools.reduce(Ingested.beside, done)
