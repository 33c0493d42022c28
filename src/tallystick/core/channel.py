"""Payment channels: their terms, what names one, what it has, and what a payer signs to put money into it.

`IChannels` says what each word means. A channel is named by the EIP-712 digest of its terms, of one contract on one
chain, under x402's domain: https://github.com/coinbase/x402 (`batch-settlement`).

A sum is what vouchers and the contract count in: the number of the channel's opening above an amount of 96 bits, so
that sums only grow, also where a channel was closed and opened again.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from eth_utils.crypto import keccak

from tallystick.core import funding
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.funding import Agreement
from tallystick.core.permit import TokenDomain
from tallystick.core.signed import types_of

DOMAIN_NAME = "x402 Batch Settlement"
DOMAIN_VERSION = "1"
MIN_WITHDRAW_DELAY_S = 900
MAX_WITHDRAW_DELAY_S = 30 * 86_400
MOST_UNITS = 2**96 - 1
"""The most that a channel takes between two closings, and the largest amount of a sum."""
EVERYTHING = 2**128 - 1
"""In place of an amount to withdraw: all that there is then."""

CONFIG_TYPE = (
    "ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,"
    "uint40 withdrawDelay,bytes32 salt)"
)
_CONFIG_TYPEHASH = keccak(text=CONFIG_TYPE)
_DEPOSIT_WITNESS = "DepositWitness(bytes32 channelId)"
_OPENING_AT = 96


def opening_of(sum_units: int) -> int:
    """How many times the channel was closed before the opening that a sum belongs to."""
    return sum_units >> _OPENING_AT


def amount_of(sum_units: int) -> int:
    """The amount of a sum, in base units: without the number of its opening."""
    return sum_units & MOST_UNITS


def sum_of(opening: int, units: int) -> int:
    """The sum of an amount in an opening."""
    return (opening << _OPENING_AT) + units


@dataclass(frozen=True, slots=True)
class ChannelTerms:
    """Between whom a channel is. `payer_authorizer` is the key that signs vouchers, None: the payer itself.
    `withdraw_delay_s` is how long the receiver has to claim once a withdrawal is announced; `salt`, 32 bytes, makes two
    channels with the same terms two."""

    payer: str
    payer_authorizer: str | None
    receiver: str
    receiver_authorizer: str
    token: str
    withdraw_delay_s: int
    salt: bytes

    @property
    def words(self) -> tuple[Any, ...]:
        """In the order of the contract's struct."""
        key = self.payer_authorizer or ZERO_ADDRESS
        parties = self.payer, key, self.receiver, self.receiver_authorizer
        return *parties, self.token, self.withdraw_delay_s, self.salt

    @property
    def message(self) -> dict[str, Any]:
        """By the names that are hashed."""
        names = (field["name"] for field in types_of(CONFIG_TYPE)["ChannelConfig"])
        return dict(zip(names, self.words, strict=True))

    def struct_hash(self) -> bytes:
        """`hashStruct` of EIP-712."""
        *addresses, delay, salt = self.words
        words = [bytes.fromhex(address[2:]).rjust(32, b"\0") for address in addresses]
        return keccak(b"".join((_CONFIG_TYPEHASH, *words, delay.to_bytes(32, "big"), salt)))


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel: its terms, and where they are good."""

    chain_id: int
    contract: str
    terms: ChannelTerms

    @property
    def channel_id(self) -> bytes:
        """What names the channel everywhere, 32 bytes."""
        return _channel_id(self)


@functools.lru_cache(maxsize=65_536)
def _channel_id(channel: Channel) -> bytes:
    return keccak(b"\x19\x01" + separator(channel.chain_id, channel.contract) + channel.terms.struct_hash())


@functools.lru_cache(maxsize=64)
def separator(chain_id: int, contract: str) -> bytes:
    """EIP-712's domain separator of the contract."""
    return TokenDomain(DOMAIN_NAME, DOMAIN_VERSION, chain_id, contract).separator()


class ChannelState(NamedTuple):
    """What a channel has, as the contract's `channel` tells it. Amounts are base units since it was opened:
    `deposited`, less what was given back, and `claimed` of it; `withdrawing` is what the payer asked back at
    `withdrawal_since` (Unix seconds; 0: it did not), `closing` whether that was everything."""

    opening: int
    deposited: int
    claimed: int
    withdrawing: int = 0
    withdrawal_since: int = 0
    closing: bool = False
    refunds: int = 0

    @property
    def available(self) -> int:
        """Units that were not claimed."""
        return self.deposited - self.claimed

    @property
    def balance_sum(self) -> int:
        """What was deposited, as a sum: no voucher is worth more."""
        return sum_of(self.opening, self.deposited)

    @property
    def claimed_sum(self) -> int:
        """What was claimed, as a sum: no voucher is worth anything that is not more."""
        return sum_of(self.opening, self.claimed)

    def withdrawable_at(self, terms: ChannelTerms) -> int | None:
        """From which second on the payer can have what was announced; None where nothing is."""
        return self.withdrawal_since + terms.withdraw_delay_s if self.withdrawal_since else None


# --- What a payer signs for a deposit ---------------------------------------------------------------------------------


def permit2_typed_data(channel: Channel, units: int, *, nonce: int, valid_before: int) -> dict[str, Any]:
    """Permit2's SignatureTransfer to the contract, with the channel as its witness."""
    return funding.permit2_typed_data(
        *(channel.terms.token, units, valid_before, {"channelId": channel.channel_id}),
        types_of(_DEPOSIT_WITNESS),
        nonce=nonce,
        chain_id=channel.chain_id,
        contract=channel.contract,
    )


def authorization_typed_data(
    channel: Channel, units: int, token: TokenDomain, *, salt: int, valid_before: int
) -> dict[str, Any]:
    """An ERC-3009 authorization to the contract, whose nonce names the channel and the salt."""
    nonce = keccak(channel.channel_id + salt.to_bytes(32, "big"))
    asked = token, channel.terms.payer, units, valid_before
    return funding.authorization_typed_data(*asked, nonce=nonce, contract=channel.contract)


def permit2_deposit(nonce: int, valid_before: int, signature: bytes) -> bytes:
    """What `fill` takes with Permit2: abi.encode(nonce, deadline, signature, no permit)."""
    padded = signature.ljust(-(-len(signature) // 32) * 32, b"\0")
    words = (nonce, valid_before - 1, 4 * 32, 5 * 32 + len(padded), len(signature))
    return b"".join(word.to_bytes(32, "big") for word in words) + padded + bytes(32)


def authorization_deposit(salt: int, valid_before: int, signature: bytes) -> bytes:
    """What `fill` takes with an ERC-3009 authorization."""
    return valid_before.to_bytes(5, "big") + salt.to_bytes(32, "big") + signature


def own_agreement(channel: Channel, owner: str, units: int, *, valid_before: int) -> Agreement:
    """What `owner`, whoever it is, brings of its own in a call of its own: nothing but the money is agreed to."""
    nothing: Mapping[str, Any] = {}
    return Agreement(
        *(channel.terms.token, owner, channel.contract, units, valid_before, nothing),
        by_permit2=lambda nonce: permit2_typed_data(channel, units, nonce=nonce, valid_before=valid_before),
        by_authorization=lambda token: authorization_typed_data(
            channel, units, token, salt=0, valid_before=valid_before
        ),
    )
