"""Fallback wallets: what a wallet signs, as EIP-712 typed data, that pays where a payer cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tallystick.core.address import parse_address
from tallystick.core.signed import (
    message_of,
    parse_bytes,
    parse_uint256,
    parse_word,
    reading_signed,
    rendered,
    shown_bytes,
)

_TYPE = (
    "Fallback(uint256 subscriptionId,address payer,address wallet,bytes32 terms,uint256 seats,uint256 salt,"
    "uint256 validBefore)"
)


@dataclass(frozen=True, slots=True)
class Fallback:
    """`wallet` pays for periods of a subscription where `payer` cannot, on the terms of its plan (their hash) and for
    so many seats, and for no others. `salt` is the wallet's, good once; `valid_before` in Unix seconds."""

    subscription_id: int
    payer: str
    wallet: str
    terms: bytes
    seats: int
    salt: int
    valid_before: int


@dataclass(frozen=True, slots=True)
class SignedFallback:
    """The wallet's consent with its signature; `chain_id` and `contract` say where it is good."""

    chain_id: int
    contract: str
    consent: Fallback
    signature: bytes

    def render(self) -> str:
        """The text that the wallet hands to the payer: JSON, large numbers as text, bytes as hex."""
        consent = self.consent
        return rendered(
            _FallbackText(
                chain_id=self.chain_id,
                contract=self.contract,
                subscription_id=str(consent.subscription_id),
                payer=consent.payer,
                wallet=consent.wallet,
                terms=shown_bytes(consent.terms),
                seats=consent.seats,
                salt=str(consent.salt),
                valid_before=str(consent.valid_before),
                signature=shown_bytes(self.signature),
            )
        )


def typed_data(consent: Fallback, *, chain_id: int, contract: str) -> dict[str, Any]:
    """The whole EIP-712 message, as `eth_signTypedData_v4` takes it."""
    values = {
        "subscriptionId": consent.subscription_id,
        "payer": consent.payer,
        "wallet": consent.wallet,
        "terms": consent.terms,
        "seats": consent.seats,
        "salt": consent.salt,
        "validBefore": consent.valid_before,
    }
    return message_of(_TYPE, values, chain_id=chain_id, contract=contract)


# --- The text form ----------------------------------------------------------------------------------------------------


class _FallbackText(msgspec.Struct, forbid_unknown_fields=True):
    chain_id: int
    contract: str
    subscription_id: str
    payer: str
    wallet: str
    terms: str
    seats: int
    salt: str
    valid_before: str
    signature: str


def parse_fallback(text: bytes | str) -> SignedFallback:
    """What `SignedFallback.render` wrote. Raises InputError when it is not that, or a value is impossible."""
    advice = "have the wallet write it anew with `tallystick subscriptions sign-fallback`"
    with reading_signed("a signed consent to pay in another's place", advice):
        found = msgspec.json.decode(text, type=_FallbackText)
        consent = Fallback(
            subscription_id=parse_uint256(found.subscription_id),
            payer=parse_address(found.payer),
            wallet=parse_address(found.wallet),
            terms=parse_word(found.terms),
            seats=found.seats,
            salt=parse_uint256(found.salt),
            valid_before=parse_uint256(found.valid_before),
        )
        return SignedFallback(found.chain_id, parse_address(found.contract), consent, parse_bytes(found.signature))
