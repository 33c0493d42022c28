"""Describes a subscription as people ask about it: where it stands, what is charged next, and what happened."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.chain.subscriptions import Discount, Preview, ScheduledChange
from tallystick.core.conditions import NO_CONDITIONS, Conditions
from tallystick.core.events import Recorded
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.subscription import DeclineReason, Status, Subscription
from tallystick.flows.connect import Connection
from tallystick.flows.fund import allowance_of


@dataclass(frozen=True, slots=True)
class NextCharge:
    """What the payer pays next, as things stand: `amount_units` for the period [period_start, period_end), after a
    coupon's discount and credit of `credit_units`; a quoted price as of today. It is for the plan `plan_id` and `seats`
    seats, which where a change is scheduled are not the present ones. Where it would be paid under the fallback plan
    now, `alternative_id` is that plan. The amounts are in units of `token`. `decline` is why it would decline now,
    NOT_DUE before its time, NONE where it would pay.

    `missing` is why it would decline when it is due, as far as the allowances and balances of payer and fallback tell
    today; NONE where they suffice.
    """

    period_start: int
    period_end: int
    amount_units: int
    credit_units: int
    decline: DeclineReason
    missing: DeclineReason
    plan_id: int
    seats: int
    token: str
    alternative_id: int | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """A subscription with its plan. `next_charge` is None where nothing will be charged: it has ended or is ending, had
    all of its charges, or is paused. `usage_left_units` is what usage may still cost in the period being served, None
    where the plan charges none. `history` is everything that happened, oldest first, where it was asked for.

    `conditions` is what the payer added to the plan's terms (`max_total_units`: what is left of it), `discount` what a
    coupon takes off, `scheduled` the change at the period's end, `fallback_wallet` who pays where the payer cannot,
    `fallback_plan_id` the plan in another token under which the payer does; None where there is none. `beneficiary` is
    whom it serves."""

    subscription: Subscription
    plan: Plan
    next_charge: NextCharge | None
    usage_left_units: int | None = None
    history: tuple[Recorded, ...] | None = None
    conditions: Conditions = NO_CONDITIONS
    discount: Discount | None = None
    scheduled: ScheduledChange | None = None
    fallback_wallet: str | None = None
    fallback_plan_id: int | None = None

    @property
    def subscription_id(self) -> int:
        """Its number."""
        return self.subscription.subscription_id

    @property
    def payer(self) -> str:
        """Who pays."""
        return self.subscription.payer

    @property
    def plan_id(self) -> int:
        """The plan's number."""
        return self.subscription.plan_id

    @property
    def status(self) -> Status:
        """Where it stands. One whose plan's grace or charges ran out stays ACTIVE, and `next_charge` is None."""
        return self.subscription.status

    @property
    def next_due(self) -> int:
        """The start of the next period to be charged; while paused the seconds that were left to it."""
        return self.subscription.next_due

    @property
    def charges(self) -> int:
        """How many charges were made."""
        return self.subscription.charges

    @property
    def seats(self) -> int:
        """How many seats are paid for."""
        return self.subscription.seats

    @property
    def credit_units(self) -> int:
        """Units of the token that the next charges take less."""
        return self.subscription.credit_units

    @property
    def beneficiary(self) -> str:
        """Whom it serves: the payer, where no one else was named."""
        return self.conditions.beneficiary or self.payer

    @property
    def rate_units(self) -> int:
        """What a whole period costs now, in units of the token, or of the plan's quoter where it has one."""
        return self.plan.terms.rate(self.subscription.seats)


ENDED = {DeclineReason.ENDED, DeclineReason.CANCELLED, DeclineReason.PAUSED}
"""Reasons for which nothing will be charged any more, or not before the payer resumes."""


def describe(connection: Connection, subscription: Subscription, *, history: bool = False) -> SubscriptionState:
    """The state of a subscription that was just read; `history` costs a walk through the contract's logs.

    Raises NodeErrors.
    """
    contract, number = connection.contract, subscription.subscription_id
    plan = contract.plan(subscription.plan_id)
    preview = contract.preview(number)
    conditions, scheduled = contract.conditions(number), contract.scheduled_change(number)
    fallback, other = contract.fallback_wallet(number), contract.fallback_plan(number)
    next_charge = None
    if preview.reason not in ENDED:
        plan_id = scheduled.plan_id if scheduled else subscription.plan_id
        seats = scheduled.seats if scheduled else subscription.seats
        alternative_id = preview.plan_id if preview.plan_id != plan_id else None
        if alternative_id:  # it would be paid just so now
            token, missing = contract.plan(alternative_id).terms.token, DeclineReason.NONE
        else:
            # For another plan or number of seats the fallback does not pay.
            wallet = fallback.wallet if fallback and fallback[1:] == (plan_id, seats) else None
            second = other.alternative_id if other and other[1:] == (plan_id, seats) else None
            token = plan.terms.token
            missing = _missing(connection, subscription.payer, token, preview, conditions, wallet)
            if missing is not DeclineReason.NONE and second and contract.is_alternative(plan_id, second):
                terms = contract.plan(second).terms
                if not _lacks_alternative(connection, subscription.payer, terms, seats, preview, conditions):
                    missing = DeclineReason.NONE
        next_charge = NextCharge(
            *(preview.period_start, preview.period_end, preview.amount_units, preview.credit_used_units),
            decline=preview.reason,
            missing=missing,
            plan_id=plan_id,
            seats=seats,
            token=token,
            alternative_id=alternative_id,
        )
    return SubscriptionState(
        subscription,
        plan,
        next_charge,
        usage_left_units=contract.usage_left(number) if plan.terms.usage_cap_units else None,
        history=tuple(connection.history().of_subscription(number)) if history else None,
        conditions=conditions,
        discount=contract.discount(number),
        scheduled=scheduled,
        fallback_wallet=fallback.wallet if fallback else None,
        fallback_plan_id=other.alternative_id if other else None,
    )


def _missing(
    connection: Connection,
    payer: str,
    token: str,
    preview: Preview,
    conditions: Conditions,
    fallback_wallet: str | None,
) -> DeclineReason:
    """What payer and fallback wallet lack; the contract asks the second where the first lacks something."""
    units = preview.amount_units
    lack = _lack(connection, token, payer, units, by_permit2=conditions.by_permit2)
    if lack is DeclineReason.NONE or fallback_wallet is None:
        return lack
    second = _lack(connection, token, fallback_wallet, units, by_permit2=False)
    return DeclineReason.NONE if second is DeclineReason.NONE else lack


def _lacks_alternative(
    connection: Connection, payer: str, terms: PlanTerms, seats: int, preview: Preview, conditions: Conditions
) -> bool:
    """Whether the payer cannot pay the period under the fallback plan either, which has these terms."""
    if conditions.max_per_period_units or conditions.max_total_units:
        return True
    units = terms.rate(seats)
    if preview.period_end and terms.is_stub(preview.period_start, preview.period_end):
        _, units = terms.stub(preview.period_start, units)
    lack = _lack(connection, terms.token, payer, units, by_permit2=conditions.by_permit2)
    return lack is not DeclineReason.NONE


def _lack(connection: Connection, token: str, account: str, units: int, *, by_permit2: bool) -> DeclineReason:
    if allowance_of(connection, token, account, by_permit2=by_permit2) < units:
        return DeclineReason.ALLOWANCE
    return DeclineReason.BALANCE if connection.token(token).balance(account) < units else DeclineReason.NONE
