"""A subscription as the mirror knows it: the contract's slot, rebuilt from events."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from tallystick.core.period import anchor_day_of
from tallystick.core.plan import PlanTerms


class Status(IntEnum):
    """Where a subscription stands; the numbers are the contract's. ENDING: cancelled at the end of the paid period."""

    ACTIVE = 0
    ENDING = 1
    CANCELLED = 2
    PAUSED = 3


class DeclineReason(IntEnum):
    """Why a charge did not happen; the numbers are the contract's. NONE: it did."""

    NONE = 0
    UNKNOWN = 1
    NOT_DUE = 2
    CANCELLED = 3
    ENDED = 4
    ALLOWANCE = 5
    BALANCE = 6
    TOKEN_REFUSED = 7
    PAUSED = 8
    BLOCKED = 9
    OVER_MANDATE = 10
    QUOTE_UNAVAILABLE = 11
    QUOTE_STALE = 12
    SLIPPAGE = 13

    @property
    def word(self) -> str:
        """As people read it: `over mandate`."""
        return self.name.lower().replace("_", " ")


MAX_CHARGES = 65_535
"""How many charges one consent can carry; the contract counts them in 16 bits."""

MAX_USAGE_CHARGES = MAX_CHARGES // 2
"""Usage is charged up to this number: the other half stays for periods, so that nobody who charges usage can end a
subscription by it."""

PER_REGISTER = 1_000_000_000
"""Subscription numbers are the register's number, then nine digits: 3000000017 is number 17 in register 3."""


class Register(NamedTuple):
    """A payee's subscriptions in one token, which are numbered without gaps: `subscriptions` is how many there are.
    `charges` and `refunds` are how many were ever made of them."""

    register_id: int
    payee: str
    token: str
    subscriptions: int = 0
    charges: int = 0
    refunds: int = 0

    @property
    def next_id(self) -> int:
        """The number of its next subscription."""
        return self.register_id * PER_REGISTER + self.subscriptions + 1


class Limits(NamedTuple):
    """What the payer limited charges to: the most that a period may cost, its usage included (0: no limit), what all
    charges together may still cost (None: no limit), and the first second at which nothing is charged any more (0:
    never)."""

    max_per_period_units: int = 0
    left_units: int | None = None
    ends_at: int = 0

    @property
    def are_amounts(self) -> bool:
        """Whether they limit amounts, which are units of the plan's token."""
        return self.max_per_period_units != 0 or self.left_units is not None

    def spent(self, units: int) -> Limits:
        """After a charge of so much, which is within them."""
        return self if self.left_units is None else self._replace(left_units=self.left_units - units)


NO_LIMITS = Limits()


class Discount(NamedTuple):
    """What a coupon takes off: hundredths of a percent, rounded down, and so much, for so many charges of periods more,
    of one plan or of any (0). `last_units` is what it took off the period being served, of a whole one."""

    basis_points_off: int
    amount_off_units: int
    periods: int
    plan_id: int = 0
    last_units: int = 0

    def is_over(self, plan_id: int) -> bool:
        """Whether it takes nothing off a charge of this plan any more."""
        return not self.periods or self.plan_id not in (0, plan_id)

    def taken_off(self, plan_id: int, price_units: int) -> int:
        """What it takes off a price of this plan, at most all of it."""
        if self.is_over(plan_id):
            return 0
        return min(price_units, price_units * self.basis_points_off // 10_000 + self.amount_off_units)

    def after(self, plan_id: int, taken_units: int) -> Discount | None:
        """After a charge of this plan from which it took so much of a whole period; None where it was over."""
        return None if self.is_over(plan_id) else self._replace(periods=self.periods - 1, last_units=taken_units)


class Scheduled(NamedTuple):
    """The plan and the number of seats from the next period on."""

    plan_id: int
    seats: int


class Fallback(NamedTuple):
    """What pays for periods of one plan and number of seats, where the payer cannot: a wallet, or the payer under
    another plan, an alternative in another token."""

    wallet: str | None
    plan_id: int
    seats: int
    alternative_id: int | None = None


class Subscription(NamedTuple):
    """One subscription. `next_due` is the start of the next period to be charged, or while it is paused the seconds
    that were left to it; `charges` is how many were made. `credit_units` is what later charges take less; what of it
    was refunded with a cancellation still stands there, because nothing is told of it. `shifted`: the period being
    served was paused, so that it does not lie on the grid as it was paid for. `usage_units` is what usage cost up to
    its last charge, number `usage_charge` (0: there was none); any other charge ends the count.

    The rest is what the payer added, or the payee: a change that is scheduled, limits, a discount that is running,
    whom it serves in the payer's place, the wallet or plan that pays where the payer cannot, and whether the payer's
    money is taken through Permit2. `in_alternative`: the period being served was paid in another token.
    """

    subscription_id: int
    payer: str
    plan_id: int
    next_due: int
    charges: int
    status: Status
    anchor_day: int
    seats: int = 0
    credit_units: int = 0
    shifted: bool = False
    usage_units: int = 0
    usage_charge: int = 0
    scheduled: Scheduled | None = None
    limits: Limits = NO_LIMITS
    discount: Discount | None = None
    beneficiary: str | None = None
    fallback: Fallback | None = None
    by_permit2: bool = False
    in_alternative: bool = False

    def is_due(self, terms: PlanTerms, time: int) -> bool:
        """Whether a charge at `time` would be tried: [next_due, next_due + grace) of an active subscription that has
        charges left, before the payer's end. `terms` are its plan's."""
        return self.status == Status.ACTIVE and self.next_due <= time and not self.has_ended(terms, time)

    def has_ended(self, terms: PlanTerms, time: int) -> bool:
        """Whether an active subscription cannot be charged again: it had all its charges, one was not made within the
        plan's grace, or the payer's end has come."""
        if self.charges >= (terms.max_charges or MAX_CHARGES):
            return True
        if self.limits.ends_at and time >= self.limits.ends_at:
            return True
        return terms.grace != 0 and time >= self.next_due + terms.grace

    def paid_rate(self, terms: PlanTerms) -> int:
        """What a whole period costs now, less the discount of the one that is served. `terms` are its plan's."""
        return terms.rate(self.seats) - (self.discount.last_units if self.discount else 0)

    def after(self, due: NextCharge, terms: PlanTerms) -> Subscription:
        """As it stands after a charge that it had to pay. `terms` are of the plan that holds from it on."""
        taken = due.discount_units
        if due.asked_units != due.rate_units and not terms.quoter:  # of a stub: what it would be of a whole period
            taken = -(-taken * due.rate_units // due.asked_units)
        return self._replace(
            plan_id=due.plan_id,
            next_due=due.period_end,
            charges=self.charges + 1,
            anchor_day=due.anchor_day,
            seats=due.seats,
            credit_units=self.credit_units - due.credit_units,
            shifted=False,
            scheduled=None,
            limits=self.limits.spent(due.amount_units),
            discount=self.discount and self.discount.after(due.plan_id, taken),
            in_alternative=False,
        )

    def usage_left(self, terms: PlanTerms) -> int:
        """What may still be charged for usage until the next other charge, as the contract's `usageLeft`. `terms` are
        its plan's, which after a change may allow less than was charged already."""
        spent = self.usage_units if self.usage_charge == self.charges else 0
        return max(terms.usage_cap_units - spent, 0)


class NextCharge(NamedTuple):
    """What a charge is for and how much it takes: `amount_units` from the payer, `credit_units` from the credit, and
    `discount_units` from nobody, which together are `price_units`. Plan and seats are those that hold from it on.
    `rate_units` is the price of a whole period, `asked_units` that of this one: both in units of the plan's quoter,
    where it has one."""

    period_start: int
    period_end: int
    amount_units: int
    credit_units: int
    discount_units: int
    price_units: int
    asked_units: int
    rate_units: int
    anchor_day: int
    plan_id: int
    seats: int


def next_charge(
    subscription: Subscription,
    terms: PlanTerms,
    time: int,
    scheduled_terms: PlanTerms | None = None,
    quoted_units: int | None = None,
) -> NextCharge:
    """What a charge at `time` would be; `time` is not before the subscription's next due time.

    As the contract's (`SubscriptionsDue`): a change that is scheduled comes first. On a plan's fixed grid the first
    period, or the one after a pause, is what is left of one, and is forgiven where it has passed. A charge that is late
    by more periods than the plan's `catch_up` forgives those beyond. A discount is taken off, and credit is used before
    the payer pays.

    `terms` are the plan's, `scheduled_terms` those of the one that is scheduled, and must be given where one is.
    `quoted_units` is what the plan's quoter makes of the price; without it the amounts of such a plan are 0.
    """
    plan_id, seats, anchor_day = subscription.plan_id, subscription.seats, subscription.anchor_day
    off_grid = not subscription.charges or subscription.shifted
    if subscription.scheduled:
        old, (plan_id, seats) = terms, subscription.scheduled
        assert scheduled_terms is not None, f"the terms of plan {plan_id}, which is scheduled, must be given"
        terms = scheduled_terms
        if (old.period.step, old.align_to) != (terms.period.step, terms.align_to):
            off_grid, anchor_day = True, anchor_day_of(subscription.next_due)
    start, rate = subscription.next_due, terms.rate(seats)
    end = asked = 0
    if off_grid and terms.align_to:
        anchor_day = anchor_day_of(terms.align_to)
        end, asked = terms.stub(start, rate)
        if not terms.is_stub(start, end):
            end = 0
    if end <= time:
        start, end = _whole_period(end or start, anchor_day, terms, time)
        asked = rate
    price = (quoted_units or 0) if terms.quoter else asked
    discount = subscription.discount.taken_off(plan_id, price) if subscription.discount else 0
    used = min(subscription.credit_units, price - discount)
    amount = price - discount - used
    return NextCharge(start, end, amount, used, discount, price, asked, rate, anchor_day, plan_id, seats)


def _whole_period(start: int, anchor_day: int, terms: PlanTerms, time: int) -> tuple[int, int]:
    """Start and end of the whole period that is charged at `time`, where the next one is due at `start`."""
    period = terms.period
    end = period.later(start, 1, anchor_day)
    if end <= time:
        missed = period.whole_periods(start, time, anchor_day)
        if missed > terms.catch_up:
            start = period.later(start, missed - terms.catch_up, anchor_day)
            end = period.later(start, 1, anchor_day)
    return start, end


def over_limit(subscription: Subscription, terms: PlanTerms, due: NextCharge) -> str | None:
    """Why the payer's limits do not allow a charge; None where they do. `terms` are of the plan that holds from it
    on."""
    limits = subscription.limits
    cost = due.price_units - due.discount_units + terms.usage_cap_units
    if (limits.max_per_period_units or terms.quoter) and cost > limits.max_per_period_units:
        return f"{cost} units for a period, its usage included, of at most {limits.max_per_period_units}"
    if limits.left_units is not None and due.amount_units > limits.left_units:
        return f"{due.amount_units} units, {limits.left_units} are left of what the payer agreed to in all"
    return None
