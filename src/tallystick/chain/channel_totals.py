"""What `Channels` counts itself: each channel's state, and what was claimed for each receiver. The judge over a node
that leaves events out and over a database in which a row was changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eth_utils.abi import function_signature_to_4byte_selector

from tallystick.chain.rpc import Rpc
from tallystick.chain.totals import address_word, words_of
from tallystick.core.channel import ChannelState

_RECEIVERS = function_signature_to_4byte_selector("receivers(address,address)")
_CHANNEL = function_signature_to_4byte_selector("channel(bytes32)")


class CountedChannels(NamedTuple):
    """The totals (claimed and settled units) of the pairs of receiver and token asked for, and the channels by their
    ids."""

    totals: dict[tuple[str, str], tuple[int, ...]]
    states: dict[bytes, ChannelState]


def read_counted_channels(
    rpc: Rpc, contract: str, pairs: Sequence[tuple[str, str]], ids: Sequence[bytes], block: int
) -> CountedChannels:
    """What the contract had by the end of a block; zeros where there was no contract yet.

    Raises NodeRefused where the node does not keep the state of that block any more.
    """
    calls = [_RECEIVERS + address_word(receiver) + address_word(token) for receiver, token in pairs]
    calls += [_CHANNEL + channel_id for channel_id in ids]
    params = [({"to": contract, "data": "0x" + data.hex()}, hex(block)) for data in calls]
    answers: list[str] = rpc.batch(str, "eth_call", params) if calls else []
    totals = [tuple(words_of(rpc, answer, 2)) for answer in answers[: len(pairs)]]
    found = [words_of(rpc, answer, len(ChannelState._fields)) for answer in answers[len(pairs) :]]
    states = [_state(*words) for words in found]
    return CountedChannels(dict(zip(pairs, totals, strict=True)), dict(zip(ids, states, strict=True)))


def _state(
    opening: int, deposited: int, claimed: int, withdrawing: int, since: int, closing: int, refunds: int
) -> ChannelState:
    return ChannelState(opening, deposited, claimed, withdrawing, since, bool(closing), refunds)
