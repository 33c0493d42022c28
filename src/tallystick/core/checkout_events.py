"""What happened on chain to quotes and deposit addresses: one frozen type for each event of `Checkout`.

As in `core.events`: addresses are checksummed (EIP-55), amounts are base units, times are Unix seconds. What is kept
for a payee is told as for escrow payments (`PayoutKept`, `PayoutClaimed`), with the quote's id as the payment's.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from tallystick.core.events import Origin
from tallystick.core.payment_events import PayoutClaimed, PayoutKept
from tallystick.core.quote import Quote


class Unswept(Enum):
    """Why nothing was swept, as `ICheckout.Unswept`."""

    EMPTY = 0
    REFUSED = 1


class QuotePaid(NamedTuple):
    """Each payee of the quote received its part, or it is kept. `collector` is the contract that brought the money;
    None where it is the payer's own."""

    quote_id: bytes
    payer: str
    quote: Quote
    collector: str | None


class QuoteWithdrawn(NamedTuple):
    """The number cannot be paid any more."""

    merchant: str
    number: int


class Swept(NamedTuple):
    """All that stood on the invoice's deposit address went to the receiver. `token` is None for the chain's own
    currency."""

    receiver: str
    invoice: bytes
    token: str | None
    amount_units: int


class NotSwept(NamedTuple):
    """What stands on the deposit address, if anything, stays there."""

    receiver: str
    invoice: bytes
    token: str | None
    reason: Unswept


class ReceivedOtherwise(NamedTuple):
    """The receiver has `received_units` more, and not the `swept_units` of the call."""

    receiver: str
    token: str
    received_units: int
    swept_units: int


class InvoiceRefunded(NamedTuple):
    """`by` gave something back of what was received for the invoice."""

    by: str
    invoice: bytes
    to: str
    token: str
    amount_units: int


class TokenReceived(NamedTuple):
    """A token says that `sender` moved so much to a deposit address that somebody watches: a `Transfer` of ERC-20. Any
    contract may say so."""

    token: str
    sender: str | None
    address: str
    amount_units: int


CheckoutEvent = (
    QuotePaid
    | QuoteWithdrawn
    | Swept
    | NotSwept
    | ReceivedOtherwise
    | InvoiceRefunded
    | PayoutKept
    | PayoutClaimed
    | TokenReceived
)


class RecordedCheckout(NamedTuple):
    """An event together with where it stands on chain."""

    origin: Origin
    event: CheckoutEvent
