"""Permit2: one allowance of a token to a contract of Uniswap's, and below it signed allowances for others.

Its typed data is that of AllowanceTransfer: https://github.com/Uniswap/permit2/blob/main/src/libraries/PermitHash.sol
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tallystick.core.address import parse_address
from tallystick.core.signed import parse_bytes, parse_uint256, shown_bytes

PERMIT2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3"
"""Its address on every chain that has it."""
MOST_UNITS = 2**160 - 1
"""The highest allowance that it keeps; it does not use this one up."""
NO_EXPIRY = 2**48 - 1

_TYPES = {
    "EIP712Domain": [
        {"name": "name", "type": "string"},
        {"name": "chainId", "type": "uint256"},
        {"name": "verifyingContract", "type": "address"},
    ],
    "PermitSingle": [
        {"name": "details", "type": "PermitDetails"},
        {"name": "spender", "type": "address"},
        {"name": "sigDeadline", "type": "uint256"},
    ],
    "PermitDetails": [
        {"name": "token", "type": "address"},
        {"name": "amount", "type": "uint160"},
        {"name": "expiration", "type": "uint48"},
        {"name": "nonce", "type": "uint48"},
    ],
}


@dataclass(frozen=True, slots=True)
class Permit2:
    """`spender` may move `amount_units` of a token before `expiration` has passed, if this is submitted before
    `deadline` has (both Unix seconds). `nonce` is the owner's next one for the token and the spender."""

    token: str
    amount_units: int
    expiration: int
    nonce: int
    spender: str
    deadline: int


@dataclass(frozen=True, slots=True)
class SignedPermit2:
    """A permit with the signature of its owner."""

    permit: Permit2
    signature: bytes


def typed_data(permit: Permit2, chain_id: int) -> dict[str, Any]:
    """The whole EIP-712 message, as `eth_signTypedData_v4` takes it."""
    return {
        "types": _TYPES,
        "primaryType": "PermitSingle",
        "domain": {"name": "Permit2", "chainId": chain_id, "verifyingContract": PERMIT2},
        "message": {
            "details": {
                "token": permit.token,
                "amount": permit.amount_units,
                "expiration": permit.expiration,
                "nonce": permit.nonce,
            },
            "spender": permit.spender,
            "sigDeadline": permit.deadline,
        },
    }


# --- The text form ----------------------------------------------------------------------------------------------------


class Permit2Text(msgspec.Struct, forbid_unknown_fields=True):
    """A signed permit as it travels within a mandate."""

    amount: str
    expiration: int
    nonce: int
    deadline: str
    signature: str
    token: str
    spender: str


def permit2_text(signed: SignedPermit2 | None) -> Permit2Text | None:
    """A permit for its way, where there is one."""
    if signed is None:
        return None
    permit = signed.permit
    return Permit2Text(
        amount=str(permit.amount_units),
        expiration=permit.expiration,
        nonce=permit.nonce,
        deadline=str(permit.deadline),
        signature=shown_bytes(signed.signature),
        token=permit.token,
        spender=permit.spender,
    )


def parse_permit2(text: Permit2Text | None) -> SignedPermit2 | None:
    """What `permit2_text` gave. Raises ValueError or AddressInvalid."""
    if text is None:
        return None
    permit = Permit2(
        parse_address(text.token),
        parse_uint256(text.amount),
        text.expiration,
        text.nonce,
        parse_address(text.spender),
        parse_uint256(text.deadline),
    )
    return SignedPermit2(permit, parse_bytes(text.signature))
