"""Vouchers: what a payer signs off chain for what it has used, and keys that may sign some of them.

A voucher is for all that was used so far, so that the newest one is the only one that counts. Digests are worked out
here, without a general encoder: a till judges thousands in a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sha3
from eth_utils.crypto import keccak

from tallystick.core.channel import DOMAIN_NAME, Channel, separator
from tallystick.core.signed import message_of

VOUCHER_TYPE = "Voucher(bytes32 channelId,uint128 maxClaimableAmount)"
SPENDING_KEY_TYPE = "SpendingKey(bytes32 channelId,address key,uint128 maxClaimableAmount,uint40 validBefore)"
_VOUCHER_TYPEHASH = keccak(text=VOUCHER_TYPE)
_SPENDING_KEY_TYPEHASH = keccak(text=SPENDING_KEY_TYPE)
KEY_SIGNATURE_BYTES = 65
_PART_BIT, _KEY_BIT = 1 << 14, 1 << 15
_MOST_SIGNATURE_BYTES = _PART_BIT - 1


@dataclass(frozen=True, slots=True)
class SpendingKey:
    """A key that signs vouchers of no more than `limit_sum`, claimed before `valid_before` (Unix seconds), and the
    payer's signature for it."""

    key: str
    limit_sum: int
    valid_before: int
    signature: bytes

    def digest(self, channel: Channel) -> bytes:
        """What the payer signs."""
        return spending_key_digest(channel, self.key, self.limit_sum, self.valid_before)


@dataclass(frozen=True, slots=True)
class Voucher:
    """The receiver of `channel` may claim up to `sum_units`. The signature is the spending key's where there is
    one."""

    channel: Channel
    sum_units: int
    signature: bytes
    spending_key: SpendingKey | None = None

    @property
    def digest(self) -> bytes:
        """What is signed."""
        return voucher_digest(self.channel, self.sum_units)

    def row(self, part_sum: int | None = None) -> bytes:
        """As `claimRows` takes it; `part_sum` where no more than that is to be claimed of it."""
        terms, signature, flags = self.channel.terms, self.signature, 0
        if self.spending_key is not None:
            key = self.spending_key
            limits = key.limit_sum.to_bytes(16, "big") + key.valid_before.to_bytes(5, "big")
            signature, flags = bytes.fromhex(key.key[2:]) + limits + signature + key.signature, _KEY_BIT
        part = b""
        if part_sum is not None:
            part, flags = part_sum.to_bytes(16, "big"), flags | _PART_BIT
        authorizer = bytes.fromhex(terms.payer_authorizer[2:]) if terms.payer_authorizer else bytes(20)
        head = bytes.fromhex(terms.payer[2:]) + authorizer + terms.salt + self.sum_units.to_bytes(16, "big")
        return head + (len(signature) | flags).to_bytes(2, "big") + part + signature

    @property
    def is_sound(self) -> bool:
        """Whether it has the form that a row can hold: a spending key's signature has 65 bytes, and none is longer than
        two bytes can say."""
        if self.spending_key is None:
            return len(self.signature) <= _MOST_SIGNATURE_BYTES
        whole = 41 + KEY_SIGNATURE_BYTES + len(self.spending_key.signature)
        return len(self.signature) == KEY_SIGNATURE_BYTES and whole <= _MOST_SIGNATURE_BYTES


def voucher_digest(channel: Channel, sum_units: int) -> bytes:
    """What is signed for a sum."""
    words = _VOUCHER_TYPEHASH + channel.channel_id + sum_units.to_bytes(32, "big")
    return _signed_over(channel, sha3.keccak_256(words).digest())


def spending_key_digest(channel: Channel, key: str, limit_sum: int, valid_before: int) -> bytes:
    """What a payer signs for a key."""
    owner = bytes.fromhex(key[2:]).rjust(32, b"\0")
    words = channel.channel_id + owner + limit_sum.to_bytes(32, "big") + valid_before.to_bytes(32, "big")
    return _signed_over(channel, sha3.keccak_256(_SPENDING_KEY_TYPEHASH + words).digest())


def _signed_over(channel: Channel, struct_hash: bytes) -> bytes:
    whole = b"\x19\x01" + separator(channel.chain_id, channel.contract) + struct_hash
    found: bytes = sha3.keccak_256(whole).digest()
    return found


def voucher_typed_data(channel: Channel, sum_units: int) -> dict[str, Any]:
    """What is signed for a sum, as `eth_signTypedData_v4` takes it."""
    values = {"channelId": channel.channel_id, "maxClaimableAmount": sum_units}
    return _message(VOUCHER_TYPE, values, channel)


def spending_key_typed_data(channel: Channel, key: str, limit_sum: int, valid_before: int) -> dict[str, Any]:
    """What a payer signs for a key, as `eth_signTypedData_v4` takes it."""
    values = {
        "channelId": channel.channel_id,
        "key": key,
        "maxClaimableAmount": limit_sum,
        "validBefore": valid_before,
    }
    return _message(SPENDING_KEY_TYPE, values, channel)


def _message(type_text: str, values: Mapping[str, object], channel: Channel) -> dict[str, Any]:
    return message_of(type_text, values, chain_id=channel.chain_id, contract=channel.contract, name=DOMAIN_NAME)
