"""What `Channels`, and x402's own contract, count themselves: each channel's state, and what was claimed for each
receiver. The judge over a node that leaves events out and over a database in which a row was changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eth_utils.abi import function_signature_to_4byte_selector

from tallystick.chain.rpc import Caller
from tallystick.chain.totals import address_word, words_of
from tallystick.core.channel import ChannelState

_RECEIVERS = function_signature_to_4byte_selector("receivers(address,address)")
_CHANNEL = function_signature_to_4byte_selector("channel(bytes32)")
_SUMS = function_signature_to_4byte_selector("channels(bytes32)")
_WITHDRAWAL = function_signature_to_4byte_selector("pendingWithdrawals(bytes32)")


class CountedChannels(NamedTuple):
    """The totals (claimed and settled units) of the pairs of receiver and token asked for, and the channels by their
    ids; how many refunds there were is not in them."""

    totals: dict[tuple[str, str], tuple[int, ...]]
    states: dict[bytes, ChannelState]


def read_counted_channels(
    rpc: Caller, contract: str, pairs: Sequence[tuple[str, str]], ids: Sequence[bytes], block: int
) -> CountedChannels:
    """What `Channels` had by the end of a block; zeros where there was no contract yet.

    Raises NodeRefused where the node does not keep the state of that block any more.
    """
    totals, found = _read(rpc, contract, pairs, [_CHANNEL + channel_id for channel_id in ids], block)
    states = [_state(*words_of(rpc, answer, len(ChannelState._fields))) for answer in found]
    return CountedChannels(totals, dict(zip(ids, states, strict=True)))


def read_counted_x402(
    rpc: Caller, contract: str, pairs: Sequence[tuple[str, str]], ids: Sequence[bytes], block: int
) -> CountedChannels:
    """As `read_counted_channels`, of x402's own contract, which has no view of a channel as a whole."""
    calls = [selector + channel_id for channel_id in ids for selector in (_SUMS, _WITHDRAWAL)]
    totals, found = _read(rpc, contract, pairs, calls, block)
    words = [words_of(rpc, answer, 2) for answer in found]
    states = [
        ChannelState(0, deposited, claimed, withdrawing, since)
        for (deposited, claimed), (withdrawing, since) in zip(words[::2], words[1::2], strict=True)
    ]
    return CountedChannels(totals, dict(zip(ids, states, strict=True)))


def _read(
    rpc: Caller, contract: str, pairs: Sequence[tuple[str, str]], more: Sequence[bytes], block: int
) -> tuple[dict[tuple[str, str], tuple[int, ...]], list[str]]:
    """The totals of pairs, and what `more` calls answer, in one request."""
    calls = [_RECEIVERS + address_word(receiver) + address_word(token) for receiver, token in pairs]
    params = [({"to": contract, "data": "0x" + data.hex()}, hex(block)) for data in (*calls, *more)]
    answers: list[str] = rpc.batch(str, "eth_call", params) if params else []
    totals = [tuple(words_of(rpc, answer, 2)) for answer in answers[: len(pairs)]]
    return dict(zip(pairs, totals, strict=True)), answers[len(pairs) :]


def _state(
    opening: int, deposited: int, claimed: int, withdrawing: int, since: int, closing: int, _refunds: int
) -> ChannelState:
    return ChannelState(opening, deposited, claimed, withdrawing, since, bool(closing))
