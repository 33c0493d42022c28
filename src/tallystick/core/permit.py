"""EIP-2612 permits: an allowance by signature, as typed data. https://eips.ethereum.org/EIPS/eip-2612"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from eth_utils.crypto import keccak

from tallystick.core.signed import DOMAIN_FIELDS, domain, parse_bytes, parse_uint256, shown_bytes

DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
PERMIT_TYPE = "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
PERMIT_TYPEHASH = keccak(text=PERMIT_TYPE)
"""What a token's `PERMIT_TYPEHASH()` is where it has one; DAI's older permit has another."""


@dataclass(frozen=True, slots=True)
class TokenDomain:
    """For what a token takes signatures (EIP-712)."""

    name: str
    version: str
    chain_id: int
    token: str

    def separator(self) -> bytes:
        """What the token's `DOMAIN_SEPARATOR()` must answer."""
        return keccak(
            b"".join(
                (
                    keccak(text=DOMAIN_TYPE),
                    keccak(text=self.name),
                    keccak(text=self.version),
                    self.chain_id.to_bytes(32, "big"),
                    bytes.fromhex(self.token.removeprefix("0x")).rjust(32, b"\0"),
                )
            )
        )


@dataclass(frozen=True, slots=True)
class Permit:
    """`spender` may move `value_units` of the owner's tokens, if submitted before `deadline` (Unix seconds) has passed;
    `nonce` is the owner's next one with this token."""

    owner: str
    spender: str
    value_units: int
    nonce: int
    deadline: int


@dataclass(frozen=True, slots=True)
class SignedPermit:
    """A permit as the contracts take it. `r` and `s` are 32 bytes each."""

    value_units: int
    deadline: int
    v: int
    r: bytes
    s: bytes


def typed_data(permit: Permit, token: TokenDomain) -> dict[str, Any]:
    """The whole EIP-712 message, as `eth_signTypedData_v4` takes it."""
    return {
        "types": {
            "EIP712Domain": DOMAIN_FIELDS,
            "Permit": [
                {"name": "owner", "type": "address"},
                {"name": "spender", "type": "address"},
                {"name": "value", "type": "uint256"},
                {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ],
        },
        "primaryType": "Permit",
        "domain": domain(token.chain_id, token.token, name=token.name, version=token.version),
        "message": {
            "owner": permit.owner,
            "spender": permit.spender,
            "value": permit.value_units,
            "nonce": permit.nonce,
            "deadline": permit.deadline,
        },
    }


def signed_permit(permit: Permit, signature: bytes) -> SignedPermit:
    """A permit with its signature of 65 bytes: r, s, v."""
    return SignedPermit(permit.value_units, permit.deadline, signature[64], signature[:32], signature[32:64])


# --- The text form ----------------------------------------------------------------------------------------------------


class PermitText(msgspec.Struct, forbid_unknown_fields=True):
    """A signed permit as it travels within a mandate."""

    value: str
    deadline: str
    v: int
    r: str
    s: str


def permit_text(permit: SignedPermit | None) -> PermitText | None:
    """A permit for its way, where there is one."""
    if permit is None:
        return None
    return PermitText(
        str(permit.value_units), str(permit.deadline), permit.v, shown_bytes(permit.r), shown_bytes(permit.s)
    )


def parse_permit(text: PermitText | None) -> SignedPermit | None:
    """What `permit_text` gave. Raises ValueError."""
    if text is None:
        return None
    return SignedPermit(
        parse_uint256(text.value), parse_uint256(text.deadline), text.v, parse_bytes(text.r), parse_bytes(text.s)
    )
