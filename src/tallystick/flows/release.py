"""What becomes of money that is held: captures, and what the payee gives back."""

from __future__ import annotations

from tallystick.chain.contract import Sent
from tallystick.core.payment import milestone_proof
from tallystick.core.payment_texts import PaymentOffer
from tallystick.errors import BalanceTooLow, NotAuthorized, RefundTooHigh, UnknownMilestone, UnknownPayment
from tallystick.flows.connect import Connection
from tallystick.flows.payment_terms import require_escrow


def capture(
    connection: Connection, offer: PaymentOffer, amount_units: int | None = None, fee_bps: int | None = None
) -> Sent:
    """Pays `amount_units`, or all that is held, to the payee; the fee is the least that the terms allow unless given.

    Raises what `EscrowContract.capture` raises, before anything is sent.
    """
    require_escrow(connection, offer)
    units = connection.escrow.payment(offer.payment_id).held_units if amount_units is None else amount_units
    fee = offer.terms.min_fee_bps if fee_bps is None else fee_bps
    return connection.escrow.capture(offer.terms, units, fee)


def capture_milestone(connection: Connection, offer: PaymentOffer, index: int, fee_bps: int | None = None) -> Sent:
    """Pays one of the offer's milestones to the payee. Raises UnknownMilestone where it has none with that index."""
    require_escrow(connection, offer)
    milestone = next((one for one in offer.milestones if one.index == index), None)
    if milestone is None:
        raise UnknownMilestone(offer.payment_id, index)
    fee = offer.terms.min_fee_bps if fee_bps is None else fee_bps
    proof = milestone_proof(list(offer.milestones), index)
    return connection.escrow.capture_milestone(offer.terms, milestone, fee, proof)


def refund_payment(connection: Connection, offer: PaymentOffer, amount_units: int | None = None) -> Sent:
    """The signer, who is the payee, gives back `amount_units`, or all that was captured and not refunded.

    An allowance that is too low is raised by an approval first. Raises UnknownPayment, NotAuthorized, RefundTooHigh,
    BalanceTooLow, and what `EscrowContract.refund` raises, before anything is sent.
    """
    require_escrow(connection, offer)
    terms, sender = offer.terms, connection.sender
    facts = connection.escrow.payment(offer.payment_id)
    if not facts.status:
        raise UnknownPayment(offer.payment_id)
    units = facts.refundable_units if amount_units is None else amount_units
    if units > facts.refundable_units or not facts.refundable_units:
        raise RefundTooHigh(units, facts.refundable_units)
    if sender.address != terms.payee:
        raise NotAuthorized(sender.address)
    token = connection.token(terms.token)
    balance = token.balance(terms.payee)
    if balance < units:
        raise BalanceTooLow(balance, units)
    if token.allowance(terms.payee, offer.contract) < units:
        token.approve(sender, offer.contract, units)
    return connection.escrow.refund(terms, units)
