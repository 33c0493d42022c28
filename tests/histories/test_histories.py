"""10,000 random plans and histories: the model in `tallystick.core` and the contract agree on every due time.

Python lives each history with the model and writes down what it says after each step; Forge lives it again with the
contract as it is shipped (`Histories.t.sol`), and compares. Late charges, missed periods, pauses, ends of months, leap
days, trials, graces, plans that end, changes between plans of equal and different periods, and charges of usage.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

from tallystick.core.change import changed, objection, quote
from tallystick.core.events import (
    CancellationScheduled,
    Cancelled,
    Charged,
    Origin,
    Paused,
    Recorded,
    Resumed,
    UsageCharged,
)
from tallystick.core.life import LifeEvent, lived
from tallystick.core.period import DAY_S, Unit, anchor_day_of
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.subscription import MAX_USAGE_CHARGES, DeclineReason, Status, Subscription, next_charge
from tallystick.core.usage import used
from tests.contracts.stage import utc

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".cache" / "histories"
SEED = 20_281_231
FILES, HISTORIES_IN_A_FILE = 20, 500
MOST_STEPS = 14
NOBODY = "0x" + "0" * 40
SPANS = {Unit.SECOND: 4 * 366 * DAY_S, Unit.DAY: 800, Unit.WEEK: 120, Unit.MONTH: 40, Unit.YEAR: 5}
"""The most of each unit that make a period here."""
EDGES = [utc(2027, 1, 31, 10), utc(2028, 2, 29), utc(2027, 12, 31, 23, 59, 59), utc(2027, 2, 28, 12), utc(2096, 2, 29)]


class Deed(IntEnum):
    """What is done in a step; the numbers are those of `Histories.t.sol`."""

    CHARGE = 0
    PAUSE = 1
    RESUME = 2
    CANCEL_AT_PERIOD_END = 3
    CANCEL = 4
    CHANGE_PLAN = 5
    CHARGE_USAGE = 6


class History:
    """One subscription's life, and the words by which Forge lives it again."""

    def __init__(self, chance: random.Random, number: int, seen: Counter[str]) -> None:
        self.chance, self.seen = chance, seen
        terms = random_terms(chance, number)
        other = random_terms(chance, number)
        if chance.random() < 0.5:  # the same periods at another price
            other = random_terms(chance, number, terms.every, terms.unit)
        self.plans = [Plan(1, 0, terms), Plan(2, 0, other)]
        self.time = (
            chance.choice(EDGES) if chance.random() < 0.3 else chance.randrange(utc(2024, 1, 1), utc(2110, 1, 1))
        )
        self.subscription = opened(terms, self.time)
        self.steps: list[list[int]] = []
        self.over = False
        begin = [self.time, *self.state()]
        while len(self.steps) < MOST_STEPS and not self.over:
            self.step()
        self.words = [*words_of(terms), *words_of(other), *begin, len(self.steps)]
        self.words += [word for step in self.steps for word in step]

    @property
    def plan(self) -> Plan:
        return self.plans[self.subscription.plan_id - 1]

    def state(self) -> list[int]:
        now = self.subscription
        left = now.usage_left(self.plan.terms)
        return [now.next_due, now.anchor_day, now.charges, now.status, now.credit_units, left]

    def step(self) -> None:
        """Some time passes, and something is done that is allowed then."""
        self.pass_time()
        deed = self.chance.choice(list(self.allowed()))
        self.seen[deed.name] += 1
        told: list[int] = []
        if deed == Deed.CHARGE:
            told = self.charge()
        elif deed == Deed.CHANGE_PLAN:
            told = self.change()
        elif deed == Deed.CHARGE_USAGE:
            told = self.charge_usage()
        else:
            event = self.event(deed)
            self.subscription = lived(Recorded(self.origin, event), event, self.subscription)
        self.steps.append([deed, self.time, *told, *self.state()])

    @property
    def origin(self) -> Origin:
        return Origin(0, b"", self.time, b"", 0)

    def pass_time(self) -> None:
        """To the very second of what happens next, beside it, or by anything up to several periods."""
        now, longest = self.subscription, self.plan.terms.period.longest
        if now.status == Status.PAUSED:
            self.time += self.chance.randrange(2 * longest)
            return
        boundaries = [now.next_due, now.next_due + self.plan.terms.grace]
        at = self.chance.choice(boundaries) + self.chance.choice((-1, 0, 0, 1))
        kind = self.chance.random()
        if kind > 0.5:
            at = self.time + self.chance.randrange(longest)
        if kind > 0.8:
            at = now.next_due + self.chance.randrange(5 * longest)
        self.time = max(self.time, at)

    def allowed(self) -> Iterator[Deed]:
        """Charging always, and more often."""
        now = self.subscription
        yield from [Deed.CHARGE] * 6
        if now.status == Status.PAUSED:
            yield from [Deed.RESUME] * 12
        if now.status == Status.ACTIVE and now.next_due > self.time:
            yield from [Deed.PAUSE] * 3
            for plan in self.plans:
                if objection(now, self.plan, plan, 0, self.time) is None:
                    yield from [Deed.CHANGE_PLAN] * (9 if now.shifted else 3)
        if self.is_usable():
            yield from [Deed.CHARGE_USAGE] * 3
        if len(self.steps) > 4 and now.status != Status.CANCELLED:
            yield Deed.CANCEL
            if now.status == Status.ACTIVE:
                yield Deed.CANCEL_AT_PERIOD_END

    def event(self, deed: Deed) -> LifeEvent:
        """What the contract would tell of it."""
        number, due = self.subscription.subscription_id, self.subscription.next_due
        if deed == Deed.PAUSE:
            return Paused(number, due - self.time)
        if deed == Deed.RESUME:
            return Resumed(number, due + self.time)
        return Cancelled(number) if deed == Deed.CANCEL else CancellationScheduled(number, due)

    def charge(self) -> list[int]:
        """The reason, and of one that pays its period and amount."""
        terms, now = self.plan.terms, self.subscription
        if not now.is_due(terms, self.time):
            reason = reason_of(now, self.time)
            self.seen[reason.name] += 1
            self.over = reason in (DeclineReason.ENDED, DeclineReason.CANCELLED)
            return [reason]
        start, end, amount, credit, *_ = next_charge(now, terms, self.time)
        self.seen["LATE"] += start > now.next_due
        self.seen["CAUGHT UP"] += end <= self.time
        self.seen["SHORT MONTH"] += anchor_day_of(end) < now.anchor_day and not terms.period.step[0]
        self.subscription = now._replace(
            next_due=end, charges=now.charges + 1, credit_units=now.credit_units - credit, shifted=False
        )
        return [DeclineReason.NONE, start, end, amount]

    def is_usable(self) -> bool:
        """Whether usage can be charged."""
        now, terms = self.subscription, self.plan.terms
        standing = now.status in (Status.ACTIVE, Status.ENDING) and not now.has_ended(terms, self.time)
        return standing and 0 < now.charges < MAX_USAGE_CHARGES and now.usage_left(terms) > 0

    def charge_usage(self) -> list[int]:
        """The amount and the period, of usage that costs a base unit each."""
        now, terms = self.subscription, self.plan.terms
        left = now.usage_left(terms)
        amount = self.chance.choice([1, left, self.chance.randint(1, left)])
        start = terms.period.later(now.next_due, -1, now.anchor_day)
        event = Charged(1, now.charges + 1, start, now.next_due, amount)
        told = UsageCharged(1, now.charges + 1, amount, b"")
        self.seen["USED AFTER A PAUSE"] += now.shifted
        self.subscription = used(Recorded(self.origin, event), event, told, now, terms)
        return [amount, start, now.next_due]

    def change(self) -> list[int]:
        """The place of the new plan."""
        now, choices = self.subscription, [0, 1]
        self.chance.shuffle(choices)
        at = next(one for one in choices if objection(now, self.plan, self.plans[one], 0, self.time) is None)
        done = quote(now, self.plan.terms, self.plans[at].terms, 0, self.time)
        self.seen["RESTARTED"] += done.restarts
        self.seen["CHANGED AFTER A PAUSE"] += now.shifted
        self.subscription = changed(now, at + 1, 0, done)
        return [at]


def random_terms(chance: random.Random, family: int, every: int | None = None, unit: Unit | None = None) -> PlanTerms:
    """A plan whose periods last from a second to some years."""
    unit = chance.choice(list(Unit)) if unit is None else unit
    every = every or chance.choice([1, chance.randint(1, SPANS[unit])])
    max_charges = chance.choice([0, 0, 0, 0, 4])
    usage_cap = 0 if max_charges else chance.choice([0, chance.randint(1, 10**9)])
    return PlanTerms(
        NOBODY,
        chance.randint(1, 10**9),
        NOBODY,
        every,
        unit,
        chance.choice([0, 0, 1, 2, 3, 255]),
        trial=chance.choice([0, 0, 0, chance.randint(1, 90 * DAY_S)]),
        grace=chance.choice([0, 0, 0, chance.randint(1, 400 * DAY_S)]),
        max_charges=max_charges,
        family=family,
        usage_cap_units=usage_cap,
        usage_price_units=10**6 if usage_cap else 0,
    )


def opened(terms: PlanTerms, time: int) -> Subscription:
    """The subscription of a payer who never had a trial of this family."""
    first_due = time + terms.trial
    trying = Subscription(1, NOBODY, 1, first_due, 0, Status.ACTIVE, anchor_day_of(first_due))
    if terms.trial:
        return trying
    return trying._replace(next_due=next_charge(trying, terms, time).period_end, charges=1)


def reason_of(subscription: Subscription, time: int) -> DeclineReason:
    """Why one that is not due would decline."""
    if subscription.status == Status.ACTIVE:
        return DeclineReason.NOT_DUE if time < subscription.next_due else DeclineReason.ENDED
    reasons = {Status.PAUSED: DeclineReason.PAUSED, Status.ENDING: DeclineReason.ENDED}
    return reasons.get(subscription.status, DeclineReason.CANCELLED)


def words_of(terms: PlanTerms) -> list[int]:
    """A plan, in the order of `Histories.t.sol`."""
    grid = [terms.price_units, terms.every, terms.unit, terms.catch_up]
    return [*grid, terms.trial, terms.grace, terms.max_charges, terms.family, terms.usage_cap_units]


def write(chance: random.Random) -> Counter[str]:
    """All histories; how often what was lived in them."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    seen: Counter[str] = Counter()
    for file in range(FILES):
        words = [HISTORIES_IN_A_FILE]
        for place in range(HISTORIES_IN_A_FILE):
            words += History(chance, file * HISTORIES_IN_A_FILE + place, seen).words
        (FOLDER / f"{file:02}").write_bytes(b"".join(word.to_bytes(32, "big") for word in words))
    return seen


def test_E20_E21_E22_E24_E25_contract_and_model_agree_on_10000_histories() -> None:
    seen = write(random.Random(SEED))
    wanted = [deed.name for deed in Deed] + ["NOT_DUE", "ENDED", "PAUSED", "LATE", "CAUGHT UP", "SHORT MONTH"]
    assert all(seen[what] > 200 for what in [*wanted, "RESTARTED", "CHANGED AFTER A PAUSE", "USED AFTER A PAUSE"]), seen
    environment = os.environ | {"FOUNDRY_PROFILE": "histories"}
    lived_again = subprocess.run(["forge", "test", "-vv"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert lived_again.returncode == 0, lived_again.stdout[-3000:] + lived_again.stderr[-3000:]
    assert "1 tests passed, 0 failed" in lived_again.stdout
