"""What happened on chain to payment channels: one frozen type for each event of `Channels`.

As in `core.events`: addresses are checksummed (EIP-55), amounts are base units, times are Unix seconds. `..._sum` are
sums of the channel (`core.channel`). `by` is who sent it, also where another signed.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from tallystick.core.channel import ChannelTerms
from tallystick.core.events import Origin


class Refusal(Enum):
    """Why a row of a claim paid nothing, as `IChannels.Refusal`."""

    NONE = 0
    STALE = 1
    ABOVE_VOUCHER = 2
    LATER_OPENING = 3
    ABOVE_BALANCE = 4
    INVALID_SIGNATURE = 5
    ABOVE_LIMIT = 6
    KEY_EXPIRED = 7


class ChannelCreated(NamedTuple):
    """The channel is open, for the first time or again; its deposit is told by `Deposited`."""

    channel_id: bytes
    terms: ChannelTerms


class ChannelOpened(NamedTuple):
    """The channel is open with its first deposit."""

    channel_id: bytes
    by: str
    terms: ChannelTerms
    amount_units: int


class ChannelClosed(NamedTuple):
    """Vouchers signed until now are worth nothing any more."""

    channel_id: bytes
    terms: ChannelTerms


class Deposited(NamedTuple):
    """The channel has `amount_units` more."""

    channel_id: bytes
    by: str
    amount_units: int
    balance_sum: int


class Claimed(NamedTuple):
    """The receiver has a claim to `amount_units` more."""

    channel_id: bytes
    by: str
    amount_units: int
    claimed_sum: int


class ClaimSkipped(NamedTuple):
    """A row paid nothing."""

    channel_id: bytes
    reason: Refusal


class Settled(NamedTuple):
    """What was claimed went to the receiver."""

    receiver: str
    token: str
    by: str
    amount_units: int


class ChannelRefunded(NamedTuple):
    """The receiver gave back what it had not claimed."""

    channel_id: bytes
    by: str
    amount_units: int


class WithdrawalAnnounced(NamedTuple):
    """The payer asked for `amount_units`, and can have what is left of them at `finalize_after`."""

    channel_id: bytes
    amount_units: int
    finalize_after: int


class Withdrawn(NamedTuple):
    """The payer has it."""

    channel_id: bytes
    by: str
    amount_units: int


ChannelEvent = (
    ChannelCreated
    | ChannelOpened
    | ChannelClosed
    | Deposited
    | Claimed
    | ClaimSkipped
    | Settled
    | ChannelRefunded
    | WithdrawalAnnounced
    | Withdrawn
)


class RecordedChannel(NamedTuple):
    """An event together with where it stands on chain."""

    origin: Origin
    event: ChannelEvent
