"""Typed calls of `Subscriptions` for a payer's consent: direct or signed, with conditions, coupons, other wallets."""

from __future__ import annotations

from typing import Any, NamedTuple

from eth_utils.address import to_checksum_address

from tallystick.chain.contract import Contract, Sent
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.conditions import Conditions, MandateWithConditions, SignedMandateWithConditions
from tallystick.core.coupon import NO_COUPON, Coupon, SignedCoupon
from tallystick.core.fallback import SignedFallback
from tallystick.core.mandate import Mandate
from tallystick.core.payer_change import SignedPayerChange
from tallystick.core.permit import SignedPermit
from tallystick.core.plan import Plan


class Discount(NamedTuple):
    """What a coupon takes off the next `periods` charges of periods: hundredths of a percent of the price, and units of
    the token. With 0 periods it was used up, and the next charge is at the full price."""

    basis_points_off: int
    amount_off_units: int
    periods: int


class FallbackWallet(NamedTuple):
    """Who pays where the payer cannot, and the plan and number of seats that they agreed to pay for."""

    wallet: str
    plan_id: int
    seats: int


class FallbackPlan(NamedTuple):
    """The plan in another token under which the payer pays where they cannot under their own, and the plan and number
    of seats for which they named it."""

    alternative_id: int
    plan_id: int
    seats: int


class ConsentCalls(Contract):
    """The part of `Subscriptions` that a payer, and those who help them pay, consent by."""

    # --- Reads ---

    def is_salt_used(self, account: str, salt: int) -> bool:
        """Whether what the account signed with this salt was submitted or revoked."""
        return bool(self._read("isSaltUsed", account, salt))

    def mandate_hash(self, mandate: Mandate) -> bytes:
        """The EIP-712 digest that the contract expects to be signed. Raises UnknownPlan."""
        return bytes(self._read("mandateHash", _mandate(mandate)))

    def mandate_with_conditions_hash(self, mandate: MandateWithConditions, plan_id: int) -> bytes:
        """The EIP-712 digest that the contract expects to be signed, for a plan of it. Raises UnknownPlan."""
        return bytes(self._read("mandateWithConditionsHash", _mandate_with_conditions(mandate), plan_id))

    def coupon_hash(self, plan_id: int, coupon: Coupon) -> bytes:
        """The EIP-712 digest that the payee of a plan signs. Raises UnknownPlan."""
        return bytes(self._read("couponHash", plan_id, _coupon(coupon)))

    def is_coupon_used(self, coupon_hash: bytes, payer: str) -> bool:
        """Whether a payer has redeemed the coupon with this digest."""
        return bool(self._read("isCouponUsed", coupon_hash, payer))

    def conditions(self, subscription_id: int) -> Conditions:
        """What the payer added to the plan's terms: `max_total_units` is what is left of it, `starts_at` is 0.

        Where nothing is left of it `is_spent` says so. Raises UnknownSubscription.
        """
        found, _ = self._read("conditions", subscription_id)
        most, total, starts_at, ends_at, beneficiary, by_permit2 = found
        return Conditions(most, total, starts_at, ends_at, _account(beneficiary), by_permit2)

    def is_spent(self, subscription_id: int) -> bool:
        """Whether the payer limited what all charges may cost, and nothing is left of it. Raises
        UnknownSubscription."""
        return bool(self._read("conditions", subscription_id)[1])

    def beneficiary(self, subscription_id: int) -> str:
        """Whom a subscription serves: the payer, where no one else was named. Raises UnknownSubscription."""
        return str(to_checksum_address(self._read("beneficiary", subscription_id)))

    def discount(self, subscription_id: int) -> Discount | None:
        """What a coupon takes off; None where none does. Raises UnknownSubscription."""
        found = Discount(*self._read("discount", subscription_id))
        return found if any(found) else None

    def fallback_wallet(self, subscription_id: int) -> FallbackWallet | None:
        """The wallet that pays where the payer cannot; None where there is none. Raises UnknownSubscription."""
        wallet, plan_id, seats = self._read("fallbackWallet", subscription_id)
        account = _account(wallet)
        return None if account is None else FallbackWallet(account, plan_id, seats)

    def fallback_plan(self, subscription_id: int) -> FallbackPlan | None:
        """The plan in another token under which charges are made where the payer lacks the first one; None where there
        is none. Raises UnknownSubscription."""
        found = FallbackPlan(*self._read("fallbackPlan", subscription_id))
        return found if found.alternative_id else None

    # --- Direct or by mandate ---

    def subscribe(self, plan: Plan, seats: int = 0, permit: SignedPermit | None = None) -> Sent:
        """The sender subscribes on exactly these terms, and pays the first period unless it begins with a trial.

        Events: Subscribed, SeatsSet where there are seats, Charged. Raises UnknownPlan, TermsChanged, PlanIsArchived,
        SeatsOutOfRange, PayerIsPayee, RegisterFull, AllowanceTooLow, BalanceTooLow, TokenRefused or AmountMismatch.
        Plans with a quoted price need `subscribe_with_conditions`: MaximumMissing.
        """
        if permit is None:
            return self._send("subscribe", plan.plan_id, plan.terms_hash(), seats)
        return self._send("subscribeWithPermit", plan.plan_id, plan.terms_hash(), seats, _permit(permit))

    def subscribe_with_conditions(
        self, plan: Plan, seats: int, conditions: Conditions, coupon: SignedCoupon | None = None
    ) -> Sent:
        """As `subscribe`, with conditions and perhaps a coupon. The first charge, where it is due now, must succeed.

        Events: those of `subscribe`, and ConditionsSet, CouponRedeemed, Quoted and Discounted before Charged. Raises
        what `subscribe` does, and FirstChargeDeclined, MaximumMissing, StartOutOfRange, AccountBlocked, and what
        `redeem_coupon` raises.
        """
        return self._send("subscribeWithConditions", *_opening(plan, seats, conditions, coupon))

    def try_subscribe(
        self, plan: Plan, seats: int, conditions: Conditions, coupon: SignedCoupon | None, payer: str
    ) -> None:
        """Raises what `subscribe_with_conditions` would raise for that payer now. Sends nothing."""
        self._try("subscribeWithConditions", *_opening(plan, seats, conditions, coupon), sender=payer)

    def submit_mandate(self, mandate: Mandate, signature: bytes, permit: SignedPermit | None = None) -> Sent:
        """Subscribes the mandate's payer. Events: those of `subscribe`, then MandateAccepted.

        Raises what `subscribe` does, and MandateExpired, InvalidSignature or SaltUsed.
        """
        if permit is None:
            return self._send("submitMandate", _mandate(mandate), signature)
        return self._send("submitMandateWithPermit", _mandate(mandate), signature, _permit(permit))

    def submit_mandate_with_conditions(
        self, signed: SignedMandateWithConditions, plan_id: int, coupon: SignedCoupon | None = None
    ) -> Sent:
        """Subscribes the mandate's payer to one of its plans. Events: those of `subscribe_with_conditions`, then
        MandateAccepted.

        Raises what `subscribe_with_conditions` does, and MandateExpired, InvalidSignature, SaltUsed, PlanNotAgreed,
        PeriodTooShort or AnotherCoupon.
        """
        return self._send("submitMandateWithConditions", *_submission(signed, plan_id, coupon))

    def try_submit(
        self, signed: SignedMandateWithConditions, plan_id: int, coupon: SignedCoupon | None, sender: str
    ) -> None:
        """Raises what `submit_mandate_with_conditions` would raise for that sender now. Sends nothing."""
        self._try("submitMandateWithConditions", *_submission(signed, plan_id, coupon), sender=sender)

    def revoke_mandate(self, salt: int) -> Sent:
        """Makes what the sender signed with this salt worthless: a mandate, a change of payer, a consent to pay in
        another's place. Event: MandateRevoked. Raises SaltUsed."""
        return self._send("revokeMandate", salt)

    def revoke_mandate_by_signature(self, payer: str, salt: int, signature: bytes) -> Sent:
        """The same, signed by the payer and sent by anyone. Event: MandateRevoked.

        Raises InvalidSignature or SaltUsed.
        """
        return self._send("revokeMandateBySignature", payer, salt, signature)

    # --- Conditions, coupons, other wallets ---

    def set_conditions(self, subscription_id: int, conditions: Conditions) -> Sent:
        """The payer states the conditions anew: all of them; `max_total_units` counts from now, `starts_at` is not
        asked.

        Event: ConditionsSet. Raises UnknownSubscription, NotAuthorized, NotActive or MaximumMissing.
        """
        return self._send("setConditions", subscription_id, _conditions(conditions))

    def redeem_coupon(self, subscription_id: int, coupon: SignedCoupon) -> Sent:
        """The payer redeems a coupon: the next charges of periods cost less. Event: CouponRedeemed.

        Raises UnknownSubscription, NotAuthorized, NotActive, DiscountRunning, SignatureExpired, CouponNotFor,
        CouponUsed, SaltUsed where the payee revoked it by its code, or InvalidSignature.
        """
        return self._send("redeemCoupon", subscription_id, _coupon(coupon.coupon), coupon.signature)

    def change_payer(self, signed: SignedPayerChange) -> Sent:
        """Another wallet pays from now on; whoever sends it needs no signature of their own. Event: PayerChanged, and
        before it ChangeScheduled and FallbackSet where what was scheduled and the fallback are dropped.

        Raises UnknownSubscription, SignatureExpired, NotActive, ChargeDue, ZeroAddress, NothingToChange, PayerIsPayee,
        InvalidSignature or SaltUsed.
        """
        change = signed.change
        return self._send(
            "changePayer",
            *(change.subscription_id, change.new_payer, change.salt, change.valid_before),
            *(signed.payer_signature, signed.new_payer_signature),
        )

    def set_fallback(self, signed: SignedFallback) -> Sent:
        """The payer names a wallet, which signed, that pays for periods where the payer cannot. Event: FallbackSet.

        Raises UnknownSubscription, NotAuthorized, SignatureExpired, NotActive, ZeroAddress, PayerIsPayee, PlanIsQuoted,
        InvalidSignature or SaltUsed.
        """
        consent = signed.consent
        values = consent.subscription_id, consent.wallet, consent.salt, consent.valid_before, signed.signature
        return self._send("setFallback", *values)

    def set_fallback_plan(self, subscription_id: int, alternative: Plan) -> Sent:
        """The payer names a plan in another token, which the payee offers as an alternative, under which periods are
        paid where the payer lacks the first token. It takes the place of a fallback wallet. Event: FallbackPlanSet.

        Raises UnknownSubscription, NotAuthorized, NotActive, UnknownPlan, TermsChanged, NotAnAlternative,
        PlanIsArchived, PayerIsPayee, SeatsOutOfRange or AmountsLimited.
        """
        return self._send("setFallbackPlan", subscription_id, alternative.plan_id, alternative.terms_hash())

    def drop_fallback(self, subscription_id: int) -> Sent:
        """Payer or wallet end that a wallet pays, or the payer under a fallback plan. Event: FallbackSet, to none.

        Raises UnknownSubscription, NotAuthorized, or NothingToChange where there is none.
        """
        return self._send("dropFallback", subscription_id)


# --- Structs as tuples ------------------------------------------------------------------------------------------------


def _mandate(mandate: Mandate) -> tuple[str, int, int, int, int]:
    return mandate.payer, mandate.plan_id, mandate.seats, mandate.salt, mandate.valid_before


def _permit(permit: SignedPermit) -> tuple[int, int, int, bytes, bytes]:
    return permit.value_units, permit.deadline, permit.v, permit.r, permit.s


def _conditions(conditions: Conditions) -> tuple[int, int, int, int, str, bool]:
    beneficiary = conditions.beneficiary or ZERO_ADDRESS
    amounts = conditions.max_per_period_units, conditions.max_total_units
    return *amounts, conditions.starts_at, conditions.ends_at, beneficiary, conditions.by_permit2


def _coupon(coupon: Coupon) -> tuple[int, int, int, int, str, int, int]:
    off = coupon.basis_points_off, coupon.amount_off_units, coupon.periods
    return coupon.plan_id, *off, coupon.payer or ZERO_ADDRESS, coupon.code, coupon.valid_before


def _signed_coupon(signed: SignedCoupon | None) -> tuple[object, bytes]:
    return (_coupon(NO_COUPON), b"") if signed is None else (_coupon(signed.coupon), signed.signature)


def _mandate_with_conditions(mandate: MandateWithConditions) -> tuple[object, ...]:
    conditions = _conditions(mandate.conditions)
    agreed = mandate.payer, mandate.plans, mandate.seats, mandate.min_seconds_per_period
    return *agreed, conditions, mandate.coupon, mandate.salt, mandate.valid_before


def _opening(plan: Plan, seats: int, conditions: Conditions, coupon: SignedCoupon | None) -> tuple[object, ...]:
    return plan.plan_id, plan.terms_hash(), seats, _conditions(conditions), *_signed_coupon(coupon)


def _submission(signed: SignedMandateWithConditions, plan_id: int, coupon: SignedCoupon | None) -> tuple[object, ...]:
    return _mandate_with_conditions(signed.mandate), plan_id, signed.signature, *_signed_coupon(coupon)


def _account(address: Any) -> str | None:
    return None if address == ZERO_ADDRESS else str(to_checksum_address(address))
