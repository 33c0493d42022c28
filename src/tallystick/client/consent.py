"""`Tallystick`'s verbs for a payer's consent."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tallystick.chain.subscriptions import Sent
from tallystick.client.base import Client
from tallystick.core.cancellation import SignedEnd
from tallystick.core.conditions import NO_CONDITIONS, Conditions, SignedMandateWithConditions
from tallystick.core.coupon import SignedCoupon
from tallystick.core.events import Subscribed
from tallystick.core.mandate import SignedMandate
from tallystick.core.plan import Plan
from tallystick.core.subscription import Subscription
from tallystick.errors import InputError
from tallystick.flows.cancel import sign_revocation, submit_end
from tallystick.flows.fund import PERIODS, Funding, approve
from tallystick.flows.recognise import ANY_PLAN, OwnPlans
from tallystick.flows.redeem import redeem_coupon
from tallystick.flows.sign import MANDATE_VALID_S, sign_mandate, sign_mandate_with_conditions
from tallystick.flows.submit import chosen_plan, submit_mandate, submit_mandate_with_conditions
from tallystick.flows.subscribe import subscribe


class ConsentVerbs(Client):
    """From a payer's consent to its conditions."""

    def subscribe(
        self,
        plan: int | Plan,
        *,
        seats: int = 0,
        funding: Funding = Funding.AUTO,
        periods: int = PERIODS,
        conditions: Conditions = NO_CONDITIONS,
        coupon: SignedCoupon | None = None,
    ) -> Subscription:
        """The signer subscribes to a plan and pays its first period, or begins its trial.

        Given as a Plan, exactly those terms are agreed to; given as a number, those that it has now. The contract may
        then move `periods` periods' worth of the token, usage up to its cap included: by permit where the token takes
        one, else by an approval, which is a transaction of its own; `funding` chooses. The contract checks terms,
        seats, that the plan is not archived and that the money arrives. Raises UnknownPlan, TermsChanged,
        PlanIsArchived, SeatsOutOfRange, PayerIsPayee, BalanceTooLow, AllowanceTooLow, TokenRefused, AmountMismatch,
        PermitUnsupported, SignerErrors or TransactionErrors.

        `conditions` are what the payer adds to the plan's terms (`Tallystick.conditions`), `coupon` what its payee
        signed. The whole is tried first, and an allowance that is too low is then raised by an approval, in Permit2 as
        well where the conditions say so. Raises besides FirstChargeDeclined, MaximumMissing for a quoted price without
        `max_per_period`, StartOutOfRange, SignatureExpired, CouponNotFor, CouponUsed, InvalidSignature, or InputError
        for a coupon of another payee or token, or a permit as funding.
        """
        sent = subscribe(
            self._connection,
            plan,
            seats=seats,
            funding=funding,
            periods=periods,
            conditions=conditions,
            coupon=coupon,
        )
        return self.contract.subscription(sent.one(Subscribed).subscription_id)

    def sign_mandate(
        self,
        plan: int | Plan,
        *,
        seats: int = 0,
        funding: Funding = Funding.AUTO,
        periods: int = PERIODS,
        valid_s: int = MANDATE_VALID_S,
        salt: int | None = None,
    ) -> SignedMandate:
        """The signer consents to a plan without sending anything; anyone may submit it within `valid_s` seconds.

        `SignedMandate.render()` is its text for the way to whoever submits it. Raises UnknownPlan, SeatsOutOfRange,
        PermitUnsupported, InputError or KeyMissing.
        """
        return sign_mandate(
            self._connection, plan, seats=seats, funding=funding, periods=periods, valid_s=valid_s, salt=salt
        )

    def sign_mandate_with_conditions(
        self,
        plans: Sequence[int | Plan],
        *,
        seats: int = 0,
        conditions: Conditions = NO_CONDITIONS,
        min_period_s: int = 0,
        coupon: SignedCoupon | None = None,
        funding: Funding = Funding.AUTO,
        periods: int = PERIODS,
        valid_s: int = MANDATE_VALID_S,
        salt: int | None = None,
    ) -> SignedMandateWithConditions:
        """The signer consents to any one of these plans, under these conditions and with this coupon, without sending
        anything; whoever submits it within `valid_s` seconds chooses the plan.

        The plans pay one payee in one token and begin with the same trial. `min_period_s`: the shortest that a period
        of the chosen one may be, in seconds. With a permit for `periods` periods of the dearest one, where the token
        takes one; by Permit2 with one of Permit2's. Raises what `sign_mandate` does, MaximumMissing, or InputError for
        plans that one signature cannot name, or a coupon that is not for them.
        """
        return sign_mandate_with_conditions(
            self._connection,
            plans,
            seats=seats,
            conditions=conditions,
            min_period_s=min_period_s,
            coupon=coupon,
            funding=funding,
            periods=periods,
            valid_s=valid_s,
            salt=salt,
        )

    def submit_mandate(
        self,
        signed: SignedMandate | SignedMandateWithConditions,
        *,
        plan_id: int | None = None,
        coupon: SignedCoupon | None = None,
        plans: Collection[int] | None = None,
    ) -> Subscription:
        """Subscribes the payer of a signed mandate, who pays the first period; the signer here pays the gas only.

        Of a mandate for several plans `plan_id` is the one that is chosen; `coupon` is the one that it names. Permits
        that came with it are sent first where they are needed. A merchant says by `plans`, or in the configuration,
        which plans are their own: a mandate for another raises ForeignPlan, and nothing is sent. Where neither says
        anything it is submitted whatever it is for.

        Raises what `subscribe` raises, and MandateExpired, InvalidSignature, SaltUsed, PlanNotAgreed, PeriodTooShort,
        AnotherCoupon, or InputError for a mandate for another chain or contract, or no choice among its plans.
        """
        if isinstance(signed, SignedMandateWithConditions):
            chosen = chosen_plan(signed, plan_id)
        elif coupon is None and plan_id in {None, signed.mandate.plan_id}:
            chosen = signed.mandate.plan_id
        else:
            raise InputError(
                f"found a choice of plan or a coupon, the mandate is for plan {signed.mandate.plan_id} and has no "
                "coupon: leave them out"
            )
        own = OwnPlans.of(self._merchant, None, plans)
        if own != ANY_PLAN:
            own.require(chosen, self.contract.plan(chosen).terms)
        if isinstance(signed, SignedMandateWithConditions):
            sent = submit_mandate_with_conditions(self._connection, signed, plan_id=chosen, coupon=coupon)
        else:
            sent = submit_mandate(self._connection, signed)
        return self.contract.subscription(sent.one(Subscribed).subscription_id)

    def approve(
        self,
        plan_id: int,
        *,
        periods: int = PERIODS,
        seats: int | None = None,
        conditions: Conditions = NO_CONDITIONS,
    ) -> None:
        """Lets the contract move `periods` more periods' worth of the signer's tokens, and waits until that is mined.

        For payers whose token takes no permits, those whose allowance ran out, and fallback wallets. `seats`: the
        fewest that the plan sells unless given. With `conditions` by Permit2, Permit2 may move as much of the token,
        and the contract of what Permit2 may; of a quoted price `max_per_period` counts. Raises UnknownPlan,
        SeatsOutOfRange, MaximumMissing, TokenReverted, InputError where the chain has no Permit2, or TransactionErrors.
        """
        approve(self._connection, plan_id, periods, seats, conditions=conditions)

    def revoke_mandate(self, salt: int) -> Sent:
        """Makes what the signer signed with this salt worthless: a mandate, a change of payer, a consent to be a
        fallback wallet, or a coupon (by its code). Raises SaltUsed where it was submitted or revoked."""
        return self.contract.revoke_mandate(salt)

    def sign_revocation(self, salt: int) -> SignedEnd:
        """The signer makes a mandate worthless once anyone submits this; nothing is sent. Raises KeyMissing."""
        return sign_revocation(self._connection, salt)

    def submit_revocation(self, signed: SignedEnd) -> Sent:
        """Submits a payer's revocation; the signer here pays the gas. The contract checks the payer's signature and
        that the salt is unused. Raises InvalidSignature, SaltUsed, or InputError for one for elsewhere."""
        return submit_end(self._connection, signed)

    def set_conditions(self, subscription_id: int, conditions: Conditions) -> Subscription:
        """The payer, who is the signer, states the conditions anew, all of them: what is left out is taken back.

        `max_total` counts from now on; `starts_at` is not asked. Raises UnknownSubscription, NotAuthorized, NotActive,
        or MaximumMissing for a quoted price without `max_per_period`.
        """
        self.contract.set_conditions(subscription_id, conditions)
        return self.contract.subscription(subscription_id)

    def redeem_coupon(self, subscription_id: int, coupon: SignedCoupon) -> Sent:
        """The payer, who is the signer, redeems a coupon: the next charges of periods cost less.

        Until the first charge at the full price the subscription takes no other coupon, and changes only when the paid
        period ends. Raises UnknownSubscription, NotAuthorized, NotActive, DiscountRunning, SignatureExpired,
        CouponNotFor, CouponUsed, InvalidSignature, or InputError for one for elsewhere, or of another payee or token.
        """
        return redeem_coupon(self._connection, subscription_id, coupon)
