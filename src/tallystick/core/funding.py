"""How a payer's money comes to a contract that takes payments by signed words, as `IFunding` has it.

The words are what the payer agrees to: the terms of an escrow payment, the quote of a checkout. One signature is
consent and money where the token, or Permit2, has the words in what it asks to be signed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from eth_utils.crypto import keccak

from tallystick.core.permit import TokenDomain
from tallystick.core.permit2 import PERMIT2
from tallystick.core.signed import DOMAIN_FIELDS, domain, types_of

_AUTHORIZATION_TYPE = (
    "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,"
    "bytes32 nonce)"
)
AUTHORIZATION_TYPEHASH = keccak(text=_AUTHORIZATION_TYPE)
"""What a token's `RECEIVE_WITH_AUTHORIZATION_TYPEHASH()` is where it takes ERC-3009 authorizations."""


class Funding(IntEnum):
    """How the payer's money comes, as `IFunding.Funding`."""

    ALLOWANCE = 0
    PERMIT = 1
    PERMIT2 = 2
    AUTHORIZATION = 3
    COLLECTOR = 4


def parse_funding(text: str) -> Funding:
    """A way in which a payer's own money comes, by its name in small letters. Raises ValueError."""
    found = Funding.__members__.get(text.upper())
    if found is None or found is Funding.COLLECTOR:
        raise ValueError(f"{text!r} is no way in which a payer's money comes")
    return found


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a payer agrees to pay to a contract, and what is signed for it in each way, as typed data: `consent` to the
    words where an allowance pays, `by_permit2` for a nonce, `by_authorization` for a token's domain. `valid_before` is
    the Unix second at which the words end."""

    token: str
    payer: str
    contract: str
    amount_units: int
    valid_before: int
    consent: Mapping[str, Any]
    by_permit2: Callable[[int], dict[str, Any]]
    by_authorization: Callable[[TokenDomain], dict[str, Any]]


def permit2_typed_data(
    token: str,
    amount_units: int,
    valid_before: int,
    witness: Mapping[str, Any],
    witness_types: Mapping[str, list[dict[str, str]]],
    *,
    nonce: int,
    chain_id: int,
    contract: str,
) -> dict[str, Any]:
    """Permit2's SignatureTransfer with the words as its witness, the first of `witness_types`.

    `nonce` is any that the payer has not used with Permit2. The message is that of `permitWitnessTransferFrom`:
    https://github.com/Uniswap/permit2/blob/main/src/libraries/PermitHash.sol
    """
    return {
        "types": {
            "EIP712Domain": [field for field in DOMAIN_FIELDS if field["name"] != "version"],
            "PermitWitnessTransferFrom": [
                {"name": "permitted", "type": "TokenPermissions"},
                {"name": "spender", "type": "address"},
                {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
                {"name": "witness", "type": next(iter(witness_types))},
            ],
            "TokenPermissions": [{"name": "token", "type": "address"}, {"name": "amount", "type": "uint256"}],
        }
        | dict(witness_types),
        "primaryType": "PermitWitnessTransferFrom",
        "domain": {"name": "Permit2", "chainId": chain_id, "verifyingContract": PERMIT2},
        "message": {
            "permitted": {"token": token, "amount": amount_units},
            "spender": contract,
            "nonce": nonce,
            "deadline": valid_before - 1,
            "witness": dict(witness),
        },
    }


def authorization_typed_data(
    token: TokenDomain, payer: str, amount_units: int, valid_before: int, *, nonce: bytes, contract: str
) -> dict[str, Any]:
    """An ERC-3009 authorization to the contract, whose `nonce` is the digest that names the payment.

    https://eips.ethereum.org/EIPS/eip-3009
    """
    return {
        "types": {"EIP712Domain": DOMAIN_FIELDS} | types_of(_AUTHORIZATION_TYPE),
        "primaryType": "ReceiveWithAuthorization",
        "domain": domain(token.chain_id, token.token, name=token.name, version=token.version),
        "message": {
            "from": payer,
            "to": contract,
            "value": amount_units,
            "validAfter": 0,
            "validBefore": valid_before,
            "nonce": nonce,
        },
    }


def permit_data(value_units: int, deadline: int, v: int, r: bytes, s: bytes, signature: bytes = b"") -> bytes:
    """What `Funding.PERMIT` carries: an EIP-2612 permit, and the signature of the words where another sends it."""
    return b"".join(value.to_bytes(32, "big") for value in (value_units, deadline, v)) + r + s + signature


def permit2_data(nonce: int, signature: bytes) -> bytes:
    """What `Funding.PERMIT2` carries."""
    return nonce.to_bytes(32, "big") + signature
