"""Another wallet pays from now on: what both wallets sign, as EIP-712 typed data, and anyone sends."""

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
    "PayerChange(uint256 subscriptionId,address payer,address newPayer,bytes32 terms,uint256 seats,"
    "uint256 maxPerPeriod,uint256 endsAt,uint256 salt,uint256 validBefore)"
)


@dataclass(frozen=True, slots=True)
class PayerChange:
    """`new_payer` pays for a subscription in place of `payer`, on the terms of its plan (their hash), for so many seats
    and under the conditions `max_per_period_units` and `ends_at` (0: none), all as they are at present. `salt` is the
    old payer's, good once; `valid_before` in Unix seconds."""

    subscription_id: int
    payer: str
    new_payer: str
    terms: bytes
    seats: int
    max_per_period_units: int
    ends_at: int
    salt: int
    valid_before: int


@dataclass(frozen=True, slots=True)
class SignedPayerChange:
    """A change with the signatures that it has so far; an empty one is missing. Whoever sends it needs none of their
    own. `chain_id` and `contract` say where it is good."""

    chain_id: int
    contract: str
    change: PayerChange
    payer_signature: bytes = b""
    new_payer_signature: bytes = b""

    def render(self) -> str:
        """The text for the other wallet, or for whoever submits it: JSON, large numbers as text, bytes as hex."""
        change = self.change
        return rendered(
            _PayerChangeText(
                chain_id=self.chain_id,
                contract=self.contract,
                subscription_id=str(change.subscription_id),
                payer=change.payer,
                new_payer=change.new_payer,
                terms=shown_bytes(change.terms),
                seats=change.seats,
                max_per_period=str(change.max_per_period_units),
                ends_at=change.ends_at,
                salt=str(change.salt),
                valid_before=str(change.valid_before),
                payer_signature=shown_bytes(self.payer_signature),
                new_payer_signature=shown_bytes(self.new_payer_signature),
            )
        )


def typed_data(change: PayerChange, *, chain_id: int, contract: str) -> dict[str, Any]:
    """The whole EIP-712 message, as `eth_signTypedData_v4` takes it."""
    values = {
        "subscriptionId": change.subscription_id,
        "payer": change.payer,
        "newPayer": change.new_payer,
        "terms": change.terms,
        "seats": change.seats,
        "maxPerPeriod": change.max_per_period_units,
        "endsAt": change.ends_at,
        "salt": change.salt,
        "validBefore": change.valid_before,
    }
    return message_of(_TYPE, values, chain_id=chain_id, contract=contract)


# --- The text form ----------------------------------------------------------------------------------------------------


class _PayerChangeText(msgspec.Struct, forbid_unknown_fields=True):
    chain_id: int
    contract: str
    subscription_id: str
    payer: str
    new_payer: str
    terms: str
    seats: int
    max_per_period: str
    ends_at: int
    salt: str
    valid_before: str
    payer_signature: str
    new_payer_signature: str


def parse_payer_change(text: bytes | str) -> SignedPayerChange:
    """What `SignedPayerChange.render` wrote. Raises InputError when it is not that, or a value is impossible."""
    advice = "have one of the wallets write it anew with `tallystick subscriptions sign-payer-change`"
    with reading_signed("a signed change of payer", advice):
        found = msgspec.json.decode(text, type=_PayerChangeText)
        change = PayerChange(
            subscription_id=parse_uint256(found.subscription_id),
            payer=parse_address(found.payer),
            new_payer=parse_address(found.new_payer),
            terms=parse_word(found.terms),
            seats=found.seats,
            max_per_period_units=parse_uint256(found.max_per_period),
            ends_at=found.ends_at,
            salt=parse_uint256(found.salt),
            valid_before=parse_uint256(found.valid_before),
        )
        return SignedPayerChange(
            chain_id=found.chain_id,
            contract=parse_address(found.contract),
            change=change,
            payer_signature=parse_bytes(found.payer_signature),
            new_payer_signature=parse_bytes(found.new_payer_signature),
        )
