"""What subscriptions of aligned plans are charged, computed from the documentation in fractions, by a calendar that is
walked month by month: nothing is shared with the contract, nor with the package's own model."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import NamedTuple

from tallystick.core.period import Unit
from tests.contracts.stage import NO_CHARGE, Segment
from tests.contracts.test_schedule import Question, walk


class Plan(NamedTuple):
    """What of a plan's terms decides when and what is charged; `align_to` 0: each subscription has its own grid."""

    price: int
    every: int = 1
    unit: Unit = Unit.MONTH
    align_to: int = 0
    catch_up: int = 0

    def point(self, origin: int, number: int) -> int:
        """The grid point so many periods after `origin`."""
        return walk(Question(origin, self.every, self.unit, 0, 0, 0), number)

    def number(self, origin: int, time: int) -> int:
        """How many whole periods lie between `origin` and `time`."""
        assert origin <= time
        number = 0
        while self.point(origin, number + 1) <= time:
            number += 1
        return number

    def around(self, time: int) -> tuple[int, int]:
        """The points of the plan's own grid at or before `time`, and after it."""
        number = self.number(self.align_to, time)
        return self.point(self.align_to, number), self.point(self.align_to, number + 1)

    def part(self, start: int, end: int) -> int:
        """What [start, end of its period) costs, rounded up."""
        before, after = self.around(start)
        assert before <= start < end == after
        return ceil(Fraction(self.price) * Fraction(end - start, after - before))


class Charge(NamedTuple):
    """A period that was charged."""

    start: int
    end: int
    amount: int


class Life:
    """A subscription from its first charge on, at `now` or where its trial ends."""

    def __init__(self, plan: Plan, due: int):
        self.plan = plan
        self.due = due
        self.origin = due
        self.scheduled: Plan | None = None
        self.left: int | None = None
        self.paid: list[int] = []
        self.history: list[Segment] = []

    def charge(self, now: int) -> Charge:
        """The period that is charged now: what is left of one on the grid, or else a whole one."""
        assert self.left is None
        assert self.due <= now
        self._move()
        plan, start, end = self.plan, self.due, 0
        if plan.align_to:
            before, after = plan.around(start)
            if before != start:
                if after > now:
                    return self._pay(Charge(start, after, plan.part(start, after)))
                start = after  # what is left of a period that has passed is not collected
            origin = plan.align_to
        else:
            origin = self.origin
        first, last = plan.number(origin, start), plan.number(origin, now)
        number = max(first, last - plan.catch_up)
        start, end = plan.point(origin, number), plan.point(origin, number + 1)
        return self._pay(Charge(start, end, plan.price))

    def _move(self) -> None:
        """To what was scheduled; a grid of its own begins here, unless it is the same one."""
        old, new = self.plan, self.scheduled
        if new is None:
            return
        if (old.every, old.unit, old.align_to) != (new.every, new.unit, new.align_to):
            self.origin = self.due
        if self.paid:
            self.history.append((len(self.paid), old.price, NO_CHARGE))
        self.plan, self.scheduled = new, None

    def _pay(self, charge: Charge) -> Charge:
        if charge.amount != self.plan.price:
            self.history.append((len(self.paid), self.plan.price, charge.amount))
        self.paid.append(charge.amount)
        self.due = charge.end
        return charge

    def pause(self, now: int) -> None:
        """The clock stands."""
        self.left = self.due - now

    def resume(self, now: int) -> None:
        """It goes on, off the grid that was."""
        assert self.left is not None
        self.due = self.origin = now + self.left
        self.left = None
