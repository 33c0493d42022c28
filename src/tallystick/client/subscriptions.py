"""`Tallystick`'s verbs for the life of a subscription."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tallystick.chain.subscriptions import Preview, Sent
from tallystick.client.base import Client, Money
from tallystick.core.cancellation import SignedEnd
from tallystick.core.plan import Plan
from tallystick.core.plan_change import SignedPlanChange
from tallystick.core.subscription import Subscription
from tallystick.errors import InputError
from tallystick.flows.cancel import (
    CANCELLATION_VALID_S,
    cancel_with_refund,
    sign_cancellation,
    stop,
    submit_end,
)
from tallystick.flows.change import (
    PLAN_CHANGE_VALID_S,
    Offer,
    When,
    change_plan,
    quote,
    sign_plan_change,
    submit_plan_change,
)
from tallystick.flows.describe import SubscriptionState, describe
from tallystick.flows.fund import Funding
from tallystick.flows.recognise import OwnPlans


class SubscriptionVerbs(Client):
    """What becomes of a subscription."""

    def subscription(
        self, subscription_id: int, *, plans: Collection[int] | None = None, history: bool = False
    ) -> SubscriptionState:
        """A subscription as it stands, after it was found to be of a plan of the merchant's own, or the signer's.

        With its plan, what is charged next (for which plan, where a change is scheduled) and why that would decline,
        the payer's conditions, discount, beneficiary and fallback, and with `history` everything that happened,
        which is read from the contract's logs and takes a while on a long chain.

        Anyone can create a plan that pays themselves, and subscribe to it. So the plan must pay one of merchant.payees
        in the configuration (the signer where none is named), in one of merchant.tokens (any where none is named), and
        have one of the numbers `plans`, or of merchant.plans (any where none is named). A payer reads their own without
        that. `contract.subscription` reads any.

        Raises UnknownSubscription, ForeignPlan, or InputError where nothing says which plans are the merchant's.
        """
        found = self.contract.subscription(subscription_id)
        signer = self._connection.signer
        address = signer.address if signer else None
        if plans is not None or found.payer != address:
            own = OwnPlans.of(self._merchant, address, plans)
            if not (own.payees or own.plan_ids):
                raise InputError(
                    f"subscription {subscription_id} is of plan {found.plan_id}, and nothing says which plans are the "
                    "merchant's, though anyone can create some: give numbers as plans=[...], or set merchant.payees"
                )
            own.require(found.plan_id, self.contract.plan(found.plan_id).terms)
        return describe(self._connection, found, history=history)

    def preview(self, subscription_id: int) -> Preview:
        """What a charge would do now: reason, period, amount and credit used; a scheduled change, a discount, a quoted
        price, conditions and a fallback are all considered. Raises UnknownSubscription."""
        return self.contract.preview(subscription_id)

    def quote(
        self, subscription_id: int, plan: int | Plan, seats: int | None = None, *, when: When | str | None = None
    ) -> Offer:
        """What `change_plan` would do; sends nothing. `seats`: as many as now unless given. `Offer.when` is when it
        would be: `when`, or what `change_plan` would choose.

        Raises UnknownSubscription, UnknownPlan, and what `change_plan` raises for a change that is not allowed.
        """
        return quote(self._connection, subscription_id, plan, seats, _when(when))

    def change_plan(
        self,
        subscription_id: int,
        plan: int | Plan,
        *,
        seats: int | None = None,
        when: When | str | None = None,
        max_to_pay: Money | None = None,
        funding: Funding = Funding.AUTO,
    ) -> Subscription:
        """The payer, who is the signer, changes to another plan, other seats, or both, within a paid period or trial.

        `when`: "now" or "period-end". Unless given, a change to a lower rate is made when the paid period ends, so that
        what was paid is used, and so is one from or to a quoted price; anything else now. At the period's end
        nothing is paid before, and the present plan and seats take back what was scheduled (`schedule_change`).

        Now: where the period stays the same the difference for the rest of it is paid or credited; another period
        begins now and is paid, less what was left of the old one. `seats`: as many as now unless given. `max_to_pay`:
        the most to be paid now; where it is not given the change is quoted first, and costs no more than the quote and
        what a delay of ten minutes may add. An allowance that is too low for it is raised by an approval, unless
        `funding` is ALLOWANCE.

        The contract checks payer, terms, seats, that the plan pays the same payee in the same token and is not
        archived, that no charge is due, the old plan's minimum, that neither plan ends after a number of charges and
        the new one has no minimum, that a trial goes on in a plan of its family with a trial, and the payer's
        conditions. Raises NotAuthorized, UnknownSubscription, UnknownPlan, TermsChanged, NothingToChange,
        SeatsOutOfRange, AnotherRegister, TrialRunning, PayerIsPayee, PlanIsArchived, NotActive, ChargeDue, MinimumTerm,
        FixedTerm, MaximumMissing, CreditTooHigh, ToPayTooHigh, OverMandate, PlanIsQuoted, DiscountRunning,
        PaidInAnotherToken, ConditionsEnded, BalanceTooLow, AllowanceTooLow, TokenRefused, AmountMismatch, or InputError
        for another `when`."""
        bound = None
        if max_to_pay is not None:
            bound = self.units(max_to_pay, self._terms(subscription_id).token)
        change_plan(
            self._connection,
            subscription_id,
            plan,
            seats=seats,
            when=_when(when),
            max_to_pay_units=bound,
            funding=funding,
        )
        return self.contract.subscription(subscription_id)

    def schedule_change(self, subscription_id: int, plan: int | Plan, *, seats: int | None = None) -> Subscription:
        """`change_plan` at the period's end: the next charge is for the new plan and seats, and nothing moves before.

        `SubscriptionState.scheduled` shows it; the present plan and seats take it back. Raises what `change_plan` does.
        """
        return self.change_plan(subscription_id, plan, seats=seats, when=When.PERIOD_END)

    def sign_plan_change(
        self,
        subscription_id: int,
        plan: int | Plan,
        *,
        seats: int | None = None,
        valid_s: int = PLAN_CHANGE_VALID_S,
        salt: int | None = None,
    ) -> SignedPlanChange:
        """The payer, who is the signer, changes plan, seats or both at the period's end without sending anything;
        anyone may submit it within `valid_s` seconds. `SignedPlanChange.render()` is its text.

        Raises NotAuthorized, KeyMissing, and what `schedule_change` raises for a change that is not allowed.
        """
        return sign_plan_change(self._connection, subscription_id, plan, seats=seats, valid_s=valid_s, salt=salt)

    def submit_plan_change(self, signed: SignedPlanChange) -> Sent:
        """Submits a payer's change of plan; the signer here pays the gas. Raises what `schedule_change` does, and
        SignatureExpired, InvalidSignature, SaltUsed, or InputError for one for elsewhere."""
        return submit_plan_change(self._connection, signed)

    def lower_price(self, subscription_ids: Sequence[int], plan: int | Plan) -> Sent:
        """The payee, who is the signer, moves subscriptions to a plan that differs by lower prices alone, from the next
        charge on. Higher prices need the payer: `change_plan`. Subscriptions for which it is not cheaper than what
        would be charged next, or that have ended, are passed over; each other has a `PriceLowered`.

        Raises UnknownPlan, NotAuthorized, TermsWorse where none is left, or InputError for no subscription.
        """
        if not subscription_ids:
            raise InputError("found no subscription to lower the price of, at least one is needed: name its number")
        return self.contract.lower_price(subscription_ids, plan if isinstance(plan, int) else plan.plan_id)

    def propose_plan(self, subscription_ids: Sequence[int], plan: int | Plan) -> Sent:
        """The payee, who is the signer, tells payers on the chain which plan it asks them to change to, as one at a
        higher price; nothing changes before they do (`schedule_change`). Subscriptions that were cancelled are passed
        over; each other has a `PlanProposed`.

        Raises UnknownPlan, NotAuthorized, PlanIsArchived, UnknownSubscription, AnotherRegister, or InputError for no
        subscription.
        """
        if not subscription_ids:
            raise InputError("found no subscription to propose the plan for, at least one is needed: name its number")
        return self.contract.propose_plan(subscription_ids, plan if isinstance(plan, int) else plan.plan_id)

    def cancel(self, subscription_id: int) -> Subscription:
        """Ends a subscription now; its payer may in the trial and once the plan's minimum is charged, its payee always.

        Raises UnknownSubscription, NotAuthorized, MinimumTerm, NotActive, or UnusedNotRefunded where the plan promises
        the payer a refund of what is unused: `cancel_with_refund`.
        """
        self.contract.cancel(subscription_id)
        return self.contract.subscription(subscription_id)

    def cancel_with_refund(self, subscription_id: int) -> Sent:
        """The payee, who is the signer, ends a subscription now and gives back what is left of the paid period, and the
        credit, out of the newest charges (a `Refunded` for each).

        What was paid is read from the contract's logs; an allowance that is too low is raised by an approval first.
        Raises UnknownSubscription, NotAuthorized, NotActive, PlanIsQuoted, PaidInAnotherToken, UnusedNotRefunded where
        refunds were made before and too little is left, BalanceTooLow, TokenRefused or NodeErrors.
        """
        return cancel_with_refund(self._connection, subscription_id)

    def cancel_at_period_end(self, subscription_id: int) -> Subscription:
        """Ends a subscription with the paid period. Who may, and what it raises: as `cancel`."""
        self.contract.cancel_at_period_end(subscription_id)
        return self.contract.subscription(subscription_id)

    def sign_cancellation(self, subscription_id: int, *, valid_s: int = CANCELLATION_VALID_S) -> SignedEnd:
        """The payer, who is the signer, ends a subscription without sending anything; anyone may submit it within
        `valid_s` seconds. `SignedEnd.render()` is its text. Raises UnknownSubscription, NotAuthorized or KeyMissing."""
        return sign_cancellation(self._connection, subscription_id, valid_s=valid_s)

    def submit_cancellation(self, signed: SignedEnd) -> Sent:
        """Submits a payer's cancellation; the signer here pays the gas. The contract checks time, signature and the
        plan's minimum. Raises SignatureExpired, InvalidSignature, MinimumTerm, NotActive, UnknownSubscription, or
        InputError for one for elsewhere."""
        return submit_end(self._connection, signed)

    def stop(self, subscription_ids: Sequence[int] | None = None, *, salts: Sequence[int] = ()) -> Sent | None:
        """The payer's emergency stop: ends these of the signer's subscriptions now, or all that they ever opened, also
        before a plan's minimum, and makes mandates with these salts worthless. None where nothing is left to stop.

        All of them are found in the contract's logs, which takes a while on a long chain. The contract passes over what
        is not the signer's. Raises NodeErrors.
        """
        return stop(self._connection, subscription_ids, salts)

    def pause(self, subscription_id: int) -> Subscription:
        """The payer stops the clock: nothing is charged, and what is left of the paid period is kept.

        Raises UnknownSubscription, NotAuthorized, NotActive, or ChargeDue where a period is not paid.
        """
        self.contract.pause(subscription_id)
        return self.contract.subscription(subscription_id)

    def resume(self, subscription_id: int) -> Subscription:
        """The payer lets the clock go on: the next charge is due when what was left has passed.

        Raises UnknownSubscription, NotAuthorized or NotPaused.
        """
        self.contract.resume(subscription_id)
        return self.contract.subscription(subscription_id)


def _when(when: When | str | None) -> When | None:
    if when is None or isinstance(when, When):
        return when
    try:
        return When(when)
    except ValueError as error:
        allowed = ", ".join(known.value for known in When)
        raise InputError(f"found {when!r} for when to change, allowed are {allowed}") from error
