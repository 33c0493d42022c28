"""What a payer can end by a signature alone: a subscription, or a mandate that nobody has submitted yet.

Both are EIP-712 typed data, as `ISubscriptions.cancelBySignature` and `revokeMandateBySignature` say, and are sent by
anyone: a payer without coin for gas can end what they began.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tallystick.core.address import parse_address
from tallystick.core.signed import message_of, parse_bytes, parse_uint256, reading_signed, rendered, shown_bytes

_CANCELLATION = "Cancellation(address payer,uint256 subscriptionId,uint256 validBefore)"
_REVOCATION = "Revocation(address payer,uint256 salt)"


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The payer ends a subscription, if this is submitted before `valid_before` (Unix seconds)."""

    payer: str
    subscription_id: int
    valid_before: int


@dataclass(frozen=True, slots=True)
class Revocation:
    """The payer makes the mandate with this salt worthless, for ever."""

    payer: str
    salt: int


@dataclass(frozen=True, slots=True)
class SignedEnd:
    """A cancellation or a revocation with its signature; `chain_id` and `contract` say where it is good."""

    chain_id: int
    contract: str
    end: Cancellation | Revocation
    signature: bytes

    def render(self) -> str:
        """The text that a payer hands to whoever submits it: JSON, large numbers as text, bytes as hex."""
        end, signature = self.end, shown_bytes(self.signature)
        document: _CancellationText | _RevocationText
        if isinstance(end, Cancellation):
            document = _CancellationText(
                *(self.chain_id, self.contract, end.payer),
                *(str(end.subscription_id), str(end.valid_before), signature),
            )
        else:
            document = _RevocationText(self.chain_id, self.contract, end.payer, str(end.salt), signature)
        return rendered(document)


def typed_data(end: Cancellation | Revocation, *, chain_id: int, contract: str) -> dict[str, Any]:
    """The whole EIP-712 message, as `eth_signTypedData_v4` takes it."""
    if isinstance(end, Cancellation):
        type_text, number = _CANCELLATION, {"subscriptionId": end.subscription_id, "validBefore": end.valid_before}
    else:
        type_text, number = _REVOCATION, {"salt": end.salt}
    return message_of(type_text, {"payer": end.payer, **number}, chain_id=chain_id, contract=contract)


# --- The text form ----------------------------------------------------------------------------------------------------


class _CancellationText(msgspec.Struct, forbid_unknown_fields=True, tag_field="ends", tag="subscription"):
    chain_id: int
    contract: str
    payer: str
    subscription_id: str
    valid_before: str
    signature: str


class _RevocationText(msgspec.Struct, forbid_unknown_fields=True, tag_field="ends", tag="mandate"):
    chain_id: int
    contract: str
    payer: str
    salt: str
    signature: str


def parse_end(text: bytes | str) -> SignedEnd:
    """What `SignedEnd.render` wrote. Raises InputError when it is not that, or a value is impossible."""
    advice = (
        "have the payer write it anew with `tallystick subscriptions sign-cancellation` or "
        "`tallystick subscriptions sign-revocation`"
    )
    with reading_signed("a signed cancellation or revocation", advice):
        found = msgspec.json.decode(text, type=_CancellationText | _RevocationText)
        payer = parse_address(found.payer)
        if isinstance(found, _CancellationText):
            number, valid_before = parse_uint256(found.subscription_id), parse_uint256(found.valid_before)
            end: Cancellation | Revocation = Cancellation(payer, number, valid_before)
        else:
            end = Revocation(payer, parse_uint256(found.salt))
        return SignedEnd(found.chain_id, parse_address(found.contract), end, parse_bytes(found.signature))
