"""`Tallystick`'s verbs for plans, and the coupons for them."""

from __future__ import annotations

from tallystick.chain.subscriptions import Sent
from tallystick.client.base import Client, Money
from tallystick.core.address import parse_address
from tallystick.core.coupon import SignedCoupon
from tallystick.core.events import PlanCreated
from tallystick.core.payee_change import SignedPayeeChange
from tallystick.core.period import Unit
from tallystick.core.plan import Plan, PlanTerms
from tallystick.errors import InputError
from tallystick.flows.move_register import (
    PAYEE_CHANGE_VALID_S,
    change_payee,
    countersign_payee_change,
    sign_payee_change,
)
from tallystick.flows.redeem import COUPON_VALID_S, sign_coupon


class PlanVerbs(Client):
    """What a merchant sells."""

    def create_plan(
        self,
        *,
        token: str,
        price: Money = 0,
        every: int = 1,
        unit: Unit | str = Unit.MONTH,
        catch_up: int = 0,
        seat_price: Money = 0,
        trial_s: int = 0,
        grace_s: int = 0,
        min_charges: int = 0,
        max_charges: int = 0,
        fee_bps: int = 0,
        fee_receiver: str | None = None,
        family: int = 0,
        usage_cap: Money = 0,
        usage_price: Money = 0,
        biller: str | None = None,
        align_to: int = 0,
        quoter: str | None = None,
        refunds_unused: bool = False,
        protection_s: int = 0,
        arbiter: str | None = None,
        ruling_timeout_s: int = 0,
        default_payee_bps: int = 0,
        max_arbiter_fee_bps: int = 0,
    ) -> Plan:
        """Creates a plan, for ever as it is: `price` for each period of `every` units, paid to the signer, the payee.

        `unit`: second, day, week, month or year. `catch_up`: how many missed periods stay collectible. `seat_price`:
        on top of the price, for each seat. `trial_s`: seconds before the first charge, once for each payer and
        `family`, a number of the payee's own for plans that share a trial. `grace_s`: seconds in which a period can
        still be charged, or the subscription has ended. `min_charges`: from the first charge until so many were made
        the payer can neither cancel nor change. `max_charges`: with the last of them the subscription ends. `fee_bps`:
        hundredths of a percent of each charge, rounded down, that go to `fee_receiver`. `usage_cap`: the most
        that usage may cost in a period, beside the price; `usage_price`: the most that a million units of it may cost;
        `biller`: who may charge it as the payee may. What is 0 is not part of the plan.

        `align_to`: Unix seconds in the past, on whose grid all periods lie: with 1 January 00:00 UTC and months, each
        begins on a first; the first period is what is left of one, at that part of the price, rounded up. `quoter`: a
        contract (`IQuoter`) that says at each charge how much of the token `price` and `seat_price` are, which are then
        whole numbers of its units; payers set a maximum. `refunds_unused`: the payee ends a subscription at once only
        with a refund of what is unused (`cancel_with_refund`).

        `protection_s`: the escrow holds each charge for so many seconds, in which the payer can dispute it, before the
        payee can capture it. `arbiter`: who then divides it within `ruling_timeout_s` seconds, for at most
        `max_arbiter_fee_bps` hundredths of a percent of it; after that the payee gets `default_payee_bps` of it.

        The contract checks that there is a price or seat price, a token at the address, a period of at most 100 years,
        a fee below all of it with a receiver other than the payee, a minimum not above the maximum, a price of
        usage where there is a cap, and then no count of charges, a grid of the past, a quoter with code, and then no
        promise of refunds, an arbiter and time to rule where there is a protection, and then no usage and no promise of
        refunds. Raises AddressInvalid, AmountInvalid, InputError, NotAContract, ZeroAmount, PayeeRefused,
        PeriodOutOfRange, FeeTooHigh, AlignedToFuture or TermsContradict.
        """
        terms = PlanTerms(
            payee=self.address,
            price_units=self._price(price, token, quoter),
            token=parse_address(token),
            every=every,
            unit=_unit(unit),
            catch_up=catch_up,
            seat_price_units=self._price(seat_price, token, quoter),
            trial=trial_s,
            grace=grace_s,
            min_charges=min_charges,
            max_charges=max_charges,
            fee_bps=fee_bps,
            family=family,
            fee_receiver=parse_address(fee_receiver) if fee_receiver else None,
            usage_cap_units=self.units(usage_cap, token),
            usage_price_units=self.units(usage_price, token),
            biller=parse_address(biller) if biller else None,
            align_to=align_to,
            quoter=parse_address(quoter) if quoter else None,
            refunds_unused=refunds_unused,
            protection=protection_s,
            arbiter=parse_address(arbiter) if arbiter else None,
            ruling_timeout=ruling_timeout_s,
            default_payee_bps=default_payee_bps,
            max_arbiter_fee_bps=max_arbiter_fee_bps,
        )
        created = self.contract.create_plan(terms).one(PlanCreated)
        return Plan(created.plan_id, created.register_id, terms)

    def plan(self, plan_id: int) -> Plan:
        """One plan. Raises UnknownPlan."""
        return self.contract.plan(plan_id)

    def plans(self, *, payee: str | None = None) -> list[Plan]:
        """All plans of the chain in their order, archived ones too, or those of one payee."""
        wanted = parse_address(payee) if payee else None
        found = self.contract.plans(range(1, self.contract.plan_count() + 1))
        return [plan for plan in found if wanted in {None, plan.terms.payee}]

    def archive_plan(self, plan_id: int) -> Plan:
        """The payee, who is the signer, lets a plan take no more subscriptions; those that it has go on.

        The contract checks that the signer is its payee. Raises UnknownPlan, NotAuthorized or PlanIsArchived.
        """
        self.contract.archive_plan(plan_id)
        return self.contract.plan(plan_id)

    def offer_alternative(self, plan: int | Plan, alternative: int | Plan) -> Sent:
        """The signer, who is the payee of both plans, declares their prices in two tokens equivalent: payers of the
        first may name the second as their fallback plan (`set_fallback_plan`). The contract checks that the periods are
        the same, that both sell seats or neither, and that neither is quoted or promises refunds of what is unused.

        Raises UnknownPlan, NotAuthorized, SameToken, AnotherGrid, SeatsOfOneOnly, PlanIsQuoted, PlanRefundsUnused or
        AlternativeIsOffered.
        """
        return self.contract.offer_alternative(_number(plan), _number(alternative))

    def withdraw_alternative(self, plan: int | Plan, alternative: int | Plan) -> Sent:
        """The payee, who is the signer, takes an alternative back, as where its token lost its worth: nothing is
        charged under it in the plan's place any more. Raises UnknownPlan, NotAuthorized or NotAnAlternative."""
        return self.contract.withdraw_alternative(_number(plan), _number(alternative))

    def sign_payee_change(
        self,
        token: str,
        new_payee: str,
        *,
        payee: str | None = None,
        valid_s: int = PAYEE_CHANGE_VALID_S,
        salt: int | None = None,
    ) -> SignedPayeeChange:
        """The signer agrees that `new_payee` is paid in a token from now on, in place of `payee` (the signer), for all
        plans and subscriptions; nothing is sent. The other account signs as well (`countersign_payee_change`). It can
        be submitted for `valid_s` seconds; `salt` is random unless given, and either revokes it by that.

        Raises AddressInvalid, InputError where both are one account, NotAuthorized where the signer is neither, or
        KeyMissing.
        """
        old = parse_address(payee) if payee else self.address
        return sign_payee_change(
            self._connection, old, parse_address(token), parse_address(new_payee), valid_s=valid_s, salt=salt
        )

    def countersign_payee_change(self, signed: SignedPayeeChange) -> SignedPayeeChange:
        """The signer, who is the other account of a change of payee, agrees to it as well; nothing is sent.

        Raises NotAuthorized, KeyMissing, or InputError for one for elsewhere.
        """
        return countersign_payee_change(self._connection, signed)

    def change_payee(self, signed: SignedPayeeChange) -> Sent:
        """Plans, subscriptions and totals in a token go over to another payee; anyone may submit what both signed, and
        one of the two needs no signature. What the contract keeps for the old payee stays theirs.

        Raises SignatureExpired, InvalidSignature, SaltUsed, UnknownRegister, RegisterExists, PayeeRefused, ZeroAddress,
        or InputError for one for elsewhere, or without a signature.
        """
        return change_payee(self._connection, signed)

    def sign_coupon(
        self,
        plan: int | Plan | None = None,
        *,
        token: str | None = None,
        basis_points_off: int = 0,
        amount_off: Money = 0,
        periods: int = 1,
        payer: str | None = None,
        code: int | None = None,
        valid_s: int = COUPON_VALID_S,
    ) -> SignedCoupon:
        """The payee, who is the signer, promises a discount, good once for each payer; nothing is sent.

        For one `plan`, or for all of the signer's in a `token`. Each of the next `periods` charges of periods costs
        `basis_points_off` hundredths of a percent less, rounded down, and `amount_off` less, at most its price.
        `payer`: for whom alone. `code`: the signer's own number, which tells coupons with the same values apart and
        with which `revoke_mandate` makes them worthless; at
        random unless given. It can be redeemed for `valid_s` seconds. `SignedCoupon.render()` is its text for the way
        to payers.

        Raises UnknownPlan, NotAuthorized for another's plan, AddressInvalid, AmountInvalid, KeyMissing, or InputError
        for what takes nothing off, or where neither plan nor token is named.
        """
        found = self.contract.plan(plan) if isinstance(plan, int) else plan
        if (found is None) == (token is None):
            raise InputError("found both or neither of plan and token, allowed is one: name what the coupon is for")
        address = found.terms.token if found else parse_address(str(token))
        return sign_coupon(
            self._connection,
            found,
            address,
            basis_points_off=basis_points_off,
            amount_off_units=self.units(amount_off, address),
            periods=periods,
            payer=parse_address(payer) if payer else None,
            code=code,
            valid_s=valid_s,
        )

    def _price(self, price: Money, token: str, quoter: str | None) -> int:
        """In units of the token, or of the quoter where there is one."""
        if quoter is None:
            return self.units(price, token)
        if not isinstance(price, int):
            raise InputError(
                f"found the price {price!r} for a plan with a quoter, allowed is a whole number of the quoter's own "
                "units: give an int"
            )
        return price


def _number(plan: int | Plan) -> int:
    return plan if isinstance(plan, int) else plan.plan_id


def _unit(unit: Unit | str) -> Unit:
    words = {known.word: known for known in Unit}
    if isinstance(unit, str) and unit not in words:
        raise InputError(f"found {unit!r} for the unit of a period, allowed are {', '.join(words)}")
    return words[unit] if isinstance(unit, str) else unit
