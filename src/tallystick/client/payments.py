"""`Tallystick`'s verbs for escrow payments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tallystick.chain.contract import Sent
from tallystick.chain.payment_totals import CountedTotal
from tallystick.client.base import Client, Money
from tallystick.core.address import ZERO_ADDRESS, parse_address
from tallystick.core.money import Amount
from tallystick.core.payment import Milestone
from tallystick.core.payment_texts import PaymentOffer, SignedPayment
from tallystick.flows.authorize import authorize, charge_payment
from tallystick.flows.bring import PaymentFunding
from tallystick.flows.describe_payment import PaymentState, describe_payment
from tallystick.flows.evidence import dispute, submit_evidence
from tallystick.flows.payment_terms import (
    AUTHORIZE_S,
    CAPTURE_S,
    DEFAULT_PAYEE_BPS,
    REFUND_S,
    RULING_S,
    make_terms,
    require_escrow,
)
from tallystick.flows.release import capture, capture_milestone, refund_payment
from tallystick.flows.sign_payment import sign_payment

Payment = PaymentOffer | SignedPayment
"""Terms, or what the payer signed for them."""


class PaymentVerbs(Client):
    """Payments that are held until they are earned."""

    def payment_terms(
        self,
        *,
        payer: str,
        amount: Money,
        token: str,
        payee: str | None = None,
        authorize_s: int = AUTHORIZE_S,
        capture_s: int = CAPTURE_S,
        refund_s: int = REFUND_S,
        operator: str | None = None,
        dispute_window_s: int = 0,
        arbiter: str | None = None,
        ruling_s: int = RULING_S,
        default_payee_bps: int = DEFAULT_PAYEE_BPS,
        max_arbiter_fee_bps: int = 0,
        min_fee_bps: int = 0,
        max_fee_bps: int | None = None,
        fee_receiver: str | None = None,
        milestones: Sequence[tuple[Money, int]] = (),
        salt: int | None = None,
    ) -> PaymentOffer:
        """Terms of a payment to the signer, or to `payee`; nothing is sent. `PaymentOffer.render()` is their text.

        The payer can agree for `authorize_s` seconds from now, the payee capture for `capture_s` after that, and refund
        for `refund_s` after that. `operator`: who may capture, charge and void as the payee may. With an `arbiter` the
        two can dispute it: for `dispute_window_s` after the authorization only the payer can release anything; the
        arbiter rules within `ruling_s`, for at most `max_arbiter_fee_bps` hundredths of a percent of what is held;
        where they are silent the payee gets `default_payee_bps` of it. Of what is captured `fee_receiver` gets
        `min_fee_bps`, or up to `max_fee_bps` where the payee says so. `milestones` are amounts with the Unix seconds
        from which on each can be captured; together they are the `amount`. `salt` tells payments with the same terms
        apart; it is random unless given, and can be the number of an order.

        Raises InputError for terms that the contract would not take, AddressInvalid, AmountInvalid, AssetMismatch
        or NotAContract.
        """
        optional = {"operator": operator, "arbiter": arbiter, "fee_receiver": fee_receiver}
        accounts = {name: parse_address(given) if given else ZERO_ADDRESS for name, given in optional.items()}
        return make_terms(
            self._connection,
            payer=parse_address(payer),
            payee=parse_address(payee) if payee else self.address,
            token=parse_address(token),
            amount_units=self.units(amount, token),
            authorize_s=authorize_s,
            capture_s=capture_s,
            refund_s=refund_s,
            dispute_window_s=dispute_window_s,
            ruling_s=ruling_s,
            default_payee_bps=default_payee_bps,
            max_arbiter_fee_bps=max_arbiter_fee_bps,
            min_fee_bps=min_fee_bps,
            max_fee_bps=max_fee_bps,
            milestones=[
                Milestone(index, self.units(part, token), releasable_at)
                for index, (part, releasable_at) in enumerate(milestones)
            ],
            salt=salt,
            **accounts,
        )

    def sign_payment(
        self, offer: PaymentOffer, *, funding: PaymentFunding | str = PaymentFunding.AUTO
    ) -> SignedPayment:
        """The payer, who is the signer, agrees to the terms; nothing is sent. `SignedPayment.render()` is its text.

        `funding`: "allowance", "permit" (EIP-2612), "permit2" or "authorization" (ERC-3009); unless given, the
        allowance where it is enough, else what the token takes. Raises NotAuthorized, PermitUnsupported,
        AllowanceTooLow, KeyMissing, or InputError for terms for elsewhere, or where the chain has no Permit2.
        """
        return sign_payment(self._connection, offer, PaymentFunding(funding))

    def authorize(self, payment: Payment) -> Sent:
        """The escrow takes the payer's money and holds it. What the payer signed anyone may send; of terms alone the
        signer must be the payer, whose allowance is raised where it is too low.

        Raises AuthorizationExpired, PaymentExists, InvalidSignature, AllowanceTooLow, BalanceTooLow, TokenRefused,
        AmountMismatch, PartyRefused, TermsContradict, NotAContract, NotAuthorized, TokenReverted, CallReverted, or
        InputError for terms for elsewhere.
        """
        return authorize(self._connection, payment)

    def charge_payment(self, payment: Payment, *, fee_bps: int | None = None) -> Sent:
        """The payee receives the money at once, less the fee; by payee, operator or payer, of terms without dispute
        window and milestones. Raises what `authorize` does, MilestonesOnly, WindowOpen or FeeOutOfRange."""
        return charge_payment(self._connection, payment, fee_bps)

    def revoke_payment(self, offer: PaymentOffer) -> Sent:
        """The payer, who is the signer, takes back the consent to a payment that was not made, for ever. Raises
        NotAuthorized or PaymentExists."""
        require_escrow(self._connection, offer)
        return self._connection.escrow.revoke(offer.terms)

    def capture(self, offer: PaymentOffer, amount: Money | None = None, *, fee_bps: int | None = None) -> Sent:
        """Pays a part of what is held, or all of it, to the payee: by payee or operator within the terms' times, or by
        the payer whenever something is held. Raises UnknownPayment, NotOpen, NotAuthorized, WindowOpen, CaptureEnded,
        CaptureTooHigh, MilestonesOnly, FeeOutOfRange or ZeroAmount."""
        return capture(self._connection, offer, self._units(offer, amount), fee_bps)

    def capture_milestone(self, offer: PaymentOffer, index: int, *, fee_bps: int | None = None) -> Sent:
        """Pays a milestone to the payee, by payee or operator. Raises what `capture` does, UnknownMilestone,
        MilestoneCaptured or MilestoneTooEarly."""
        return capture_milestone(self._connection, offer, index, fee_bps)

    def void(self, offer: PaymentOffer) -> Sent:
        """Payee or operator gives back what is held, disputed or not. Raises UnknownPayment, NotOpen or
        NotAuthorized."""
        require_escrow(self._connection, offer)
        return self._connection.escrow.void(offer.terms)

    def reclaim(self, offer: PaymentOffer) -> Sent:
        """Anyone gives back what the payee did not capture in time. Raises UnknownPayment, NotOpen or
        CaptureNotEnded."""
        require_escrow(self._connection, offer)
        return self._connection.escrow.reclaim(offer.terms)

    def refund_payment(self, offer: PaymentOffer, amount: Money | None = None) -> Sent:
        """The payee, who is the signer, gives back a part of what was captured, or all that is left of it. Raises
        UnknownPayment, NotAuthorized, RefundTooHigh, RefundEnded, BalanceTooLow, TokenRefused or AmountMismatch."""
        return refund_payment(self._connection, offer, self._units(offer, amount))

    def dispute(self, offer: PaymentOffer, *, document: bytes | Path | str | None = None) -> Sent:
        """Payer or payee calls the arbiter; what is held stays so. The keccak-256 of a `document`, given as bytes or as
        the path of a file, goes on chain; the document stays with the signer. Raises UnknownPayment, NotOpen,
        NotAuthorized, NoArbiter, CaptureEnded or InputError."""
        return dispute(self._connection, offer, document)

    def submit_evidence(self, offer: PaymentOffer, document: bytes | Path | str) -> Sent:
        """Payer, payee or arbiter names a document in a dispute. Raises NotDisputed, NotAuthorized or InputError."""
        return submit_evidence(self._connection, offer, document)

    def rule(self, offer: PaymentOffer, payee_amount: Money, *, arbiter_fee: Money = 0) -> Sent:
        """The arbiter, who is the signer, divides what is held: the payee gets `payee_amount`, less the platform's fee,
        the arbiter `arbiter_fee`, the payer the rest. Raises NotDisputed, NotAuthorized, RulingEnded or
        RulingTooHigh."""
        require_escrow(self._connection, offer)
        token = offer.terms.token
        units = self.units(payee_amount, token), self.units(arbiter_fee, token)
        return self._connection.escrow.rule(offer.terms, *units)

    def rule_by_default(self, offer: PaymentOffer) -> Sent:
        """Anyone divides what is held as the terms say, where the arbiter was silent. Raises NotDisputed or
        RulingNotEnded."""
        require_escrow(self._connection, offer)
        return self._connection.escrow.rule_by_default(offer.terms)

    def payment(self, payment: Payment) -> PaymentState:
        """A payment as it stands: status, what is held and can be refunded, its deadlines, and what may be done next
        and by whom. Raises InputError for terms for elsewhere."""
        return describe_payment(self._connection, payment.offer if isinstance(payment, SignedPayment) else payment)

    def payment_total(self, payee: str, token: str) -> CountedTotal:
        """How many payments to a payee in a token were ever made, and the sum of their amounts, as the contract counted
        them."""
        return self._connection.escrow.payment_total(parse_address(payee), parse_address(token))

    def payout_claimable(self, token: str, account: str | None = None) -> Amount:
        """What the escrow keeps for an account (the signer) that could not receive it."""
        account = parse_address(account) if account else self.address
        return Amount(self._connection.escrow.claimable(account, parse_address(token)), self.token(token))

    def claim_payout(self, token: str, account: str | None = None) -> Sent:
        """Has all that the escrow keeps for an account (the signer) in a token paid out to it; anyone may. Raises
        NothingToClaim, or TokenRefused where the account still cannot receive it."""
        return self._connection.escrow.claim(parse_address(account) if account else self.address, parse_address(token))

    def _units(self, offer: PaymentOffer, amount: Money | None) -> int | None:
        return None if amount is None else self.units(amount, offer.terms.token)
