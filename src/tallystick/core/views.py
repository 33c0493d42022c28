"""What our contracts answer of what they count, worked out from their storage as the contracts do it: so that a proof
of storage proves the answer.

Each view reads words by their slots. Slots are those that solc lays out (`tests/core/test_views.py` compares them with
it, and each answer with the contract's own); those of mappings are hashes (Solidity's documentation, "Layout of State
Variables in Storage").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.crypto import keccak

Read = Callable[[int], int]
"""A word of storage, by its slot."""
View = Callable[..., tuple[int, ...]]
"""Takes `Read` and the call's arguments, a word each; the words of its answer."""

_COUNTERS: Final = 2
_REGISTERS: Final = 3
_REFUND_TOTALS: Final = _REGISTERS + 2**32 + 2 * 2**63
_REGISTER_AFTER: Final = _REFUND_TOTALS + 2**32
_SUBSCRIPTIONS_CLAIMABLE: Final = _REGISTER_AFTER + 5
_PAYOUTS_CLAIMABLE: Final = 0
_ESCROW_PAYMENTS, _ESCROW_TOTALS = 3, 4
_CHECKOUT_USED, _CHECKOUT_TOTALS = 3, 4
_CHANNELS, _CHANNEL_EXITS, _CHANNEL_TOTALS = 2, 3, 4
_X402_WITHDRAWALS, _X402_TOTALS = 4, 5
_AMOUNT: Final = 2**96 - 1


def mapped(slot: int, *keys: int) -> int:
    """The slot of a mapping's value, or of a mapping of mappings'."""
    for key in keys:
        slot = int.from_bytes(keccak(key.to_bytes(32, "big") + slot.to_bytes(32, "big")), "big")
    return slot


def _bits(word: int, at: int, size: int) -> int:
    return word >> at & (1 << size) - 1


# --- Subscriptions --------------------------------------------------------------------------------------------------


def _plan_count(read: Read) -> tuple[int, ...]:
    return (_bits(read(_COUNTERS), 0, 32),)


def _register_count(read: Read) -> tuple[int, ...]:
    return (_bits(read(_COUNTERS), 32, 32),)


def _control_totals(read: Read, payee: int, token: int) -> tuple[int, ...]:
    """As `RegisterSlot` packs them: sum 144 | count 48 | subscriptions 32; refunds: count 64 | sum 192."""
    after = read(mapped(_REGISTER_AFTER, payee, token))
    if not after:
        return (0, 0, 0, 0, 0)
    register, refunds = read(_REGISTERS + after - 1), read(_REFUND_TOTALS + after - 1)
    charges = _bits(register, 144, 48), _bits(register, 0, 144)
    return _bits(register, 192, 32), *charges, *_total(refunds)


def _total(word: int) -> tuple[int, int]:
    """Count 64 | sum 192."""
    return _bits(word, 0, 64), _bits(word, 64, 192)


def _claimable(slot: int) -> View:
    return lambda read, account, token: (read(mapped(slot, account, token)),)


# --- Escrow, Checkout, Channels ---------------------------------------------------------------------------------------


def _payment_total(read: Read, payee: int, token: int) -> tuple[int, ...]:
    return _total(read(mapped(_ESCROW_TOTALS, payee, token)))


def _payment(read: Read, payment_id: int) -> tuple[int, ...]:
    """As `PaymentSlot` packs it: held 96 | refundable 96 | since 40 | milestones 20 | status 2."""
    word = read(mapped(_ESCROW_PAYMENTS, payment_id))
    return _bits(word, 252, 2), _bits(word, 0, 96), _bits(word, 96, 96), _bits(word, 192, 40), _bits(word, 232, 20)


def _quote_total(read: Read, merchant: int, token: int) -> tuple[int, ...]:
    return _total(read(mapped(_CHECKOUT_TOTALS, merchant, token)))


def _used_numbers(read: Read, merchant: int, word: int) -> tuple[int, ...]:
    return (read(mapped(_CHECKOUT_USED, merchant, word)),)


def _receivers(read: Read, receiver: int, token: int) -> tuple[int, ...]:
    """Claimed 128 | settled 128."""
    word = read(mapped(_CHANNEL_TOTALS, receiver, token))
    return _bits(word, 0, 128), _bits(word, 128, 128)


def _channel(read: Read, channel_id: int) -> tuple[int, ...]:
    """As `ChannelSlot` packs it: balance 128 | claimed 128, each an opening 32 above an amount 96; and what is rare:
    amount 128 | since 40 | closing 8 | refunds 80."""
    word, rare = read(mapped(_CHANNELS, channel_id)), read(mapped(_CHANNEL_EXITS, channel_id))
    sums = _bits(word, 96, 32), word & _AMOUNT, word >> 128 & _AMOUNT
    return *sums, _bits(rare, 0, 128), _bits(rare, 128, 40), _bits(rare, 168, 8), _bits(rare, 176, 80)


# --- x402's own channels ----------------------------------------------------------------------------------------------


def _x402_channels(read: Read, channel_id: int) -> tuple[int, ...]:
    """Balance 128 | claimed 128."""
    word = read(mapped(_CHANNELS, channel_id))
    return _bits(word, 0, 128), _bits(word, 128, 128)


def _x402_withdrawals(read: Read, channel_id: int) -> tuple[int, ...]:
    """Amount 128 | since 40."""
    word = read(mapped(_X402_WITHDRAWALS, channel_id))
    return _bits(word, 0, 128), _bits(word, 128, 40)


def _x402_receivers(read: Read, receiver: int, token: int) -> tuple[int, ...]:
    word = read(mapped(_X402_TOTALS, receiver, token))
    return _bits(word, 0, 128), _bits(word, 128, 128)


VIEWS: Final[Mapping[str, Mapping[str, View]]] = {
    "Subscriptions": {
        "planCount()": _plan_count,
        "registerCount()": _register_count,
        "controlTotals(address,address)": _control_totals,
        "claimable(address,address)": _claimable(_SUBSCRIPTIONS_CLAIMABLE),
    },
    "Escrow": {
        "paymentTotal(address,address)": _payment_total,
        "payment(bytes32)": _payment,
        "claimable(address,address)": _claimable(_PAYOUTS_CLAIMABLE),
    },
    "Checkout": {
        "quoteTotal(address,address)": _quote_total,
        "usedNumbers(address,uint256)": _used_numbers,
        "claimable(address,address)": _claimable(_PAYOUTS_CLAIMABLE),
    },
    "Channels": {"receivers(address,address)": _receivers, "channel(bytes32)": _channel},
    "x402": {
        "receivers(address,address)": _x402_receivers,
        "channels(bytes32)": _x402_channels,
        "pendingWithdrawals(bytes32)": _x402_withdrawals,
    },
}
"""The views of each kind of source, by their signatures."""
_BY_SELECTOR: Final = {
    kind: {function_signature_to_4byte_selector(name): view for name, view in views.items()}
    for kind, views in VIEWS.items()
}


def answer(kind: str, calldata: bytes, read: Read) -> bytes | None:
    """What a contract of this kind answers a call; None for a call of which it is not known how it is answered."""
    view = _BY_SELECTOR.get(kind, {}).get(calldata[:4])
    if view is None:
        return None
    arguments = [int.from_bytes(calldata[at : at + 32], "big") for at in range(4, len(calldata), 32)]
    return b"".join(word.to_bytes(32, "big") for word in view(read, *arguments))
