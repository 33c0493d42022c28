"""How well a node serves, in points: the node with the fewest is read. A healthy one has none.

    for a call that failed           8
    for a claim that was outvoted   64      both are halved every minute, rounded down
    for a block behind the others    1      beyond five
    for a second to answer           1

Of nodes with as many points the one that is configured first is read, so that a node takes its place again some minutes
after it failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

FAILED: Final = 8
OUTVOTED: Final = 64
HALF_LIFE_MS: Final = 60_000
MOST: Final = 1_024
"""More is not remembered, and no lag or slowness counts more: after eleven minutes everything is forgotten."""
TOLERATED_LAG: Final = 5
"""Nodes see a block some seconds apart."""
MS_PER_S: Final = 1_000


@dataclass(frozen=True, slots=True)
class Health:
    """What is remembered of a node: the head that it last named and how long it then took (None before it answered),
    and the points of failures as they were at `noted_at_ms`."""

    head: int | None = None
    latency_ms: int = 0
    fault_points: int = 0
    noted_at_ms: int = 0

    def answered(self, head: int, latency_ms: int) -> Health:
        """After it named its head. Half of the latency remembered is the one before, so that one pause is not all."""
        before = latency_ms if self.head is None else self.latency_ms
        return replace(self, head=head, latency_ms=(before + latency_ms) // 2)

    def failed(self, now_ms: int, points: int = FAILED) -> Health:
        """After it failed."""
        return replace(self, fault_points=min(MOST, self._faults(now_ms) + points), noted_at_ms=now_ms)

    def points(self, now_ms: int, common_head: int) -> int:
        """All points, where the nodes have blocks up to `common_head`."""
        lag = 0 if self.head is None else common_head - self.head - TOLERATED_LAG
        return self._faults(now_ms) + min(MOST, max(0, lag)) + min(MOST, self.latency_ms // MS_PER_S)

    def _faults(self, now_ms: int) -> int:
        return self.fault_points >> (max(0, now_ms - self.noted_at_ms) // HALF_LIFE_MS)


def common_head(healths: Sequence[Health]) -> int:
    """The highest block that half of the nodes that answered have, or more: of three or more no single one can make the
    others seem to lag."""
    heads = sorted((health.head for health in healths if health.head is not None), reverse=True)
    return heads[(len(heads) - 1) // 2] if heads else 0


def by_health(healths: Sequence[Health], now_ms: int) -> list[int]:
    """The places of the nodes, the healthiest first."""
    head = common_head(healths)
    return sorted(range(len(healths)), key=lambda place: healths[place].points(now_ms, head))
