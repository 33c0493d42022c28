"""What happened on chain to escrow payments: one frozen type for each event of `Escrow`.

As in `core.events`: addresses are checksummed (EIP-55), amounts are base units of the payment's token, times are Unix
seconds. A payment is named by the digest of its terms, 32 bytes.
"""

from __future__ import annotations

from typing import NamedTuple

from tallystick.core.events import Origin
from tallystick.core.payment import PaymentTerms


class Authorized(NamedTuple):
    """The contract holds the whole amount. `collector` is the contract that brought it; None where it is the payer's
    own."""

    payment_id: bytes
    terms: PaymentTerms
    collector: str | None


class PaymentCharged(NamedTuple):
    """The payee received the whole amount at once, less the fee."""

    payment_id: bytes
    terms: PaymentTerms
    collector: str | None
    fee_units: int


class Captured(NamedTuple):
    """The payee received `amount_units` of what was held, less the fee."""

    payment_id: bytes
    amount_units: int
    fee_units: int


class MilestoneReached(NamedTuple):
    """Which milestone the `Captured` that follows is for."""

    payment_id: bytes
    milestone: int


class Voided(NamedTuple):
    """The payee gave back what was held."""

    payment_id: bytes
    amount_units: int


class Reclaimed(NamedTuple):
    """The payee did not capture in time; what was held went back."""

    payment_id: bytes
    amount_units: int


class PaymentRefunded(NamedTuple):
    """The payee gave back all or a part of what was captured."""

    payment_id: bytes
    amount_units: int


class PaymentRevoked(NamedTuple):
    """The payer will not have this payment made."""

    payment_id: bytes


class DisputeOpened(NamedTuple):
    """What is held stays so until there is a ruling. `evidence_hash` is of a document, or zeros."""

    payment_id: bytes
    by: str
    evidence_hash: bytes


class EvidenceSubmitted(NamedTuple):
    """A document was named, by its keccak-256."""

    payment_id: bytes
    by: str
    evidence_hash: bytes


class Ruled(NamedTuple):
    """What was held was divided; the four add up to it. `fee_units` is the platform's, out of the payee's part."""

    payment_id: bytes
    to_payee_units: int
    to_payer_units: int
    arbiter_fee_units: int
    fee_units: int
    by_default: bool


class PayoutKept(NamedTuple):
    """An account could not receive what the event before paid it; the contract keeps it."""

    account: str
    token: str
    payment_id: bytes
    amount_units: int


class PayoutClaimed(NamedTuple):
    """An account received everything that the contract kept for it in a token."""

    account: str
    token: str
    amount_units: int


PaymentEvent = (
    Authorized
    | PaymentCharged
    | Captured
    | MilestoneReached
    | Voided
    | Reclaimed
    | PaymentRefunded
    | PaymentRevoked
    | DisputeOpened
    | EvidenceSubmitted
    | Ruled
    | PayoutKept
    | PayoutClaimed
)


class RecordedPayment(NamedTuple):
    """An event together with where it stands on chain."""

    origin: Origin
    event: PaymentEvent
