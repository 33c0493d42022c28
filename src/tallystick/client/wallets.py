"""`Tallystick`'s verbs for other wallets: one that takes over, one that stands in."""

from __future__ import annotations

from tallystick.client.base import Client
from tallystick.core.address import parse_address
from tallystick.core.fallback import SignedFallback
from tallystick.core.payer_change import SignedPayerChange
from tallystick.core.plan import Plan
from tallystick.core.subscription import Subscription
from tallystick.flows.hand_over import (
    PAYER_CHANGE_VALID_S,
    change_payer,
    countersign_payer_change,
    sign_payer_change,
)
from tallystick.flows.stand_in import FALLBACK_VALID_S, set_fallback, sign_fallback


class WalletVerbs(Client):
    """Who pays."""

    def sign_payer_change(
        self,
        subscription_id: int,
        new_payer: str,
        *,
        valid_s: int = PAYER_CHANGE_VALID_S,
        salt: int | None = None,
    ) -> SignedPayerChange:
        """The signer, who is the payer or `new_payer`, agrees that `new_payer` pays from now on; nothing is sent.

        `SignedPayerChange.render()` is its text for the other wallet, which signs it as well
        (`countersign_payer_change`). It can be submitted for `valid_s` seconds, while plan, seats and conditions stay
        as they are. Raises UnknownSubscription, AddressInvalid, NotAuthorized or KeyMissing.
        """
        return sign_payer_change(
            self._connection, subscription_id, parse_address(new_payer), valid_s=valid_s, salt=salt
        )

    def countersign_payer_change(self, signed: SignedPayerChange) -> SignedPayerChange:
        """The signer, who is the other wallet of a change of payer, agrees to it as well; nothing is sent.

        Raises UnknownSubscription, NotAuthorized, KeyMissing, or InputError for one for elsewhere, or which the
        subscription no longer fits.
        """
        return countersign_payer_change(self._connection, signed)

    def change_payer(self, signed: SignedPayerChange) -> Subscription:
        """Another wallet pays from now on, and receives refunds; anyone may submit what both signed, and one of the two
        needs no signature of its own. A fallback and what was scheduled are dropped.

        Not while a charge is due. The new payer needs an allowance (`approve`); Permit2 is left until they say so
        (`set_conditions`). Raises UnknownSubscription, ChargeDue, SignatureExpired, InvalidSignature, SaltUsed,
        NotActive, NothingToChange, PayerIsPayee, ZeroAddress, or InputError for one for elsewhere, which the
        subscription no longer fits, or without a signature.
        """
        change_payer(self._connection, signed)
        return self.contract.subscription(signed.change.subscription_id)

    def sign_fallback(
        self, subscription_id: int, *, valid_s: int = FALLBACK_VALID_S, salt: int | None = None
    ) -> SignedFallback:
        """The signer, a wallet, agrees to pay for periods of a subscription, on its present plan and for its present
        seats, where its payer lacks allowance or balance; nothing is sent. `SignedFallback.render()` is its text for
        the payer, who sets it within `valid_s` seconds.

        The wallet needs an allowance (`approve`). Raises UnknownSubscription or KeyMissing.
        """
        return sign_fallback(self._connection, subscription_id, valid_s=valid_s, salt=salt)

    def set_fallback(self, signed: SignedFallback) -> Subscription:
        """The payer, who is the signer, names the wallet that signed as the one that pays where they cannot.

        Raises UnknownSubscription, NotAuthorized, SignatureExpired, InvalidSignature, SaltUsed, NotActive, ZeroAddress,
        PayerIsPayee, PlanIsQuoted, or InputError for a consent for elsewhere, or which the subscription no longer fits.
        """
        set_fallback(self._connection, signed)
        return self.contract.subscription(signed.consent.subscription_id)

    def set_fallback_plan(self, subscription_id: int, plan: int | Plan) -> Subscription:
        """The payer, who is the signer, names a plan in another token that the payee offers as an alternative: where
        the payer's allowance or balance in the first token is too low, a period is paid under it, at its whole price.
        It holds for the present plan and seats, and takes the place of a fallback wallet.

        The payer needs an allowance in the other token (`approve` with the plan). Raises UnknownSubscription,
        NotAuthorized, NotActive, UnknownPlan, TermsChanged, NotAnAlternative, PlanIsArchived, PayerIsPayee,
        SeatsOutOfRange, or AmountsLimited where the payer limited what a period or all charges may cost.
        """
        found = self.contract.plan(plan) if isinstance(plan, int) else plan
        self.contract.set_fallback_plan(subscription_id, found)
        return self.contract.subscription(subscription_id)

    def drop_fallback(self, subscription_id: int) -> Subscription:
        """The signer, who is the payer or the fallback wallet, ends that the wallet pays, or the payer under a fallback
        plan.

        Raises UnknownSubscription, NotAuthorized, or NothingToChange where there is none.
        """
        self.contract.drop_fallback(subscription_id)
        return self.contract.subscription(subscription_id)
