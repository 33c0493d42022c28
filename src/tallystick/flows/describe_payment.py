"""A payment as people want to see it: how it stands, and what may be done next, by whom and until when."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.core.money import Amount, Token
from tallystick.core.payment import MOST_MILESTONES, PaymentStatus
from tallystick.core.payment_options import Option, options
from tallystick.core.payment_texts import PaymentOffer
from tallystick.flows.connect import Connection
from tallystick.flows.payment_terms import require_escrow


@dataclass(frozen=True, slots=True)
class PaymentState:
    """A payment as it stands on chain at `time`, the head's, in Unix seconds.

    `since`: when it was authorized or charged; while disputed, when the dispute began; 0 where it was not made.
    `milestones` are the indices of those that were captured. `is_revoked`: its payer will not have it made.
    `window_until` is when the payee can capture without the payer, `ruling_before` until when the arbiter can rule;
    None where the status has no such time. `options` are what may be done now or later, if nothing else happens.
    """

    offer: PaymentOffer
    token: Token
    status: PaymentStatus
    held: Amount
    refundable: Amount
    since: int
    milestones: tuple[int, ...]
    is_revoked: bool
    window_until: int | None
    ruling_before: int | None
    options: tuple[Option, ...]
    time: int

    @property
    def payment_id(self) -> bytes:
        """What names it everywhere."""
        return self.offer.payment_id


def describe_payment(connection: Connection, offer: PaymentOffer) -> PaymentState:
    """Raises InputError for a payment of another chain or contract, or a NodeError."""
    require_escrow(connection, offer)
    terms, facts = offer.terms, connection.escrow.payment(offer.payment_id)
    token, time = connection.token(terms.token).describe(), connection.node.timestamp()
    status = PaymentStatus(facts.status)
    is_revoked = status is PaymentStatus.CLOSED and not facts.since
    is_open, is_disputed = status is PaymentStatus.OPEN, status is PaymentStatus.DISPUTED
    return PaymentState(
        offer,
        token,
        status,
        Amount(facts.held_units, token),
        Amount(facts.refundable_units, token),
        facts.since,
        tuple(index for index in range(MOST_MILESTONES) if facts.milestones >> index & 1),
        is_revoked,
        facts.since + terms.dispute_window_s if is_open and terms.dispute_window_s else None,
        facts.since + terms.ruling_timeout_s if is_disputed else None,
        options(terms, status, since=facts.since, refundable_units=facts.refundable_units, time=time),
        time,
    )
