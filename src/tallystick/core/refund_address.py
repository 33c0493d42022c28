"""Where a payer wants money back: an account that signs that it is the one, for one invoice of one receiver.

What comes from an exchange comes from the exchange's account, which cannot receive for its customer. So the customer
names another, and a signature of that account proves that somebody has it; that they are the customer, the merchant
knows from where it comes: an answer to the invoice's mail, a session of its shop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tallystick.core.address import parse_address
from tallystick.core.quote import DOMAIN_NAME
from tallystick.core.reference import parse_reference, shown_reference
from tallystick.core.signed import message_of, parse_bytes, reading_signed, rendered, shown_bytes

TYPE = "RefundAddress(address receiver,bytes32 invoice,address to)"


@dataclass(frozen=True, slots=True)
class RefundAddress:
    """`to` is where the receiver's money for the invoice is to go back, on one chain and for one checkout."""

    chain_id: int
    contract: str
    receiver: str
    invoice: bytes
    to: str

    @property
    def typed_data(self) -> dict[str, Any]:
        """What the account `to` signs, as `eth_signTypedData_v4` takes it."""
        values = {"receiver": self.receiver, "invoice": self.invoice, "to": self.to}
        return message_of(TYPE, values, chain_id=self.chain_id, contract=self.contract, name=DOMAIN_NAME)


@dataclass(frozen=True, slots=True)
class SignedRefundAddress:
    """What a payer sends to the merchant."""

    address: RefundAddress
    signature: bytes

    def render(self) -> str:
        """The text for the way to the merchant: JSON."""
        found = self.address
        return rendered(
            _Text(
                found.chain_id,
                found.contract,
                found.receiver,
                shown_reference(found.invoice),
                found.to,
                shown_bytes(self.signature),
            )
        )


class _Text(msgspec.Struct, forbid_unknown_fields=True):
    chain_id: int
    checkout: str
    receiver: str
    invoice: str
    to: str
    signature: str


def parse_refund_address(text: str | bytes) -> SignedRefundAddress:
    """From its text. Raises InputError where it is not one; whether the signature is good only the chain can tell."""
    advice = "have the payer sign one with `tallystick checkout refund-address`"
    with reading_signed("a signed address for a refund", advice):
        found = msgspec.json.decode(text, type=_Text)
        address = RefundAddress(
            found.chain_id,
            parse_address(found.checkout),
            parse_address(found.receiver),
            parse_reference(found.invoice),
            parse_address(found.to),
        )
        return SignedRefundAddress(address, parse_bytes(found.signature))
