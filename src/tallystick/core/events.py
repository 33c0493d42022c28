"""What happened on chain: one frozen type for each event of `Subscriptions`, and what identifies it.

An event is a plain tuple of its values, because the mirror handles tens of thousands of them a second. Addresses are
checksummed (EIP-55), amounts are base units of the plan's token, times are Unix seconds.
"""

from __future__ import annotations

from typing import NamedTuple

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason


class Origin(NamedTuple):
    """Where an event stands on chain. Its identity is (chain, block hash, transaction hash, log index); number and time
    only say where and when."""

    block_number: int
    block_hash: bytes
    block_time: int
    transaction_hash: bytes
    log_index: int


class PlanCreated(NamedTuple):
    """A plan was created."""

    plan_id: int
    payee: str
    token: str
    price_units: int
    every: int
    unit: Unit
    catch_up: int


class Subscribed(NamedTuple):
    """A payer subscribed; the charge of the first period follows as an event of its own."""

    subscription_id: int
    payer: str
    plan_id: int
    first_due: int


class MandateAccepted(NamedTuple):
    """The signed consent behind a subscription."""

    subscription_id: int
    payer: str
    salt: int
    mandate_hash: bytes


class MandateRevoked(NamedTuple):
    """A payer made a mandate worthless."""

    payer: str
    salt: int


class Charged(NamedTuple):
    """The payer paid for [period_start, period_end)."""

    subscription_id: int
    charge_number: int
    period_start: int
    period_end: int
    amount_units: int


class Declined(NamedTuple):
    """A charge did not happen."""

    subscription_id: int
    due: int
    reason: DeclineReason


class Cancelled(NamedTuple):
    """A subscription ended."""

    subscription_id: int


class CancellationScheduled(NamedTuple):
    """A subscription will end with its paid period, at `ends_at`."""

    subscription_id: int
    ends_at: int


class Paused(NamedTuple):
    """The payer stopped the clock, with so many seconds of the paid period left."""

    subscription_id: int
    left: int


class Resumed(NamedTuple):
    """The clock goes on: the next charge is due at `next_due`, which also anchors those after it."""

    subscription_id: int
    next_due: int


class Refunded(NamedTuple):
    """The payee gave back all or a part of a charge."""

    subscription_id: int
    charge_number: int
    amount_units: int


Event = (
    PlanCreated
    | Subscribed
    | MandateAccepted
    | MandateRevoked
    | Charged
    | Declined
    | Cancelled
    | CancellationScheduled
    | Paused
    | Resumed
    | Refunded
)


class Recorded(NamedTuple):
    """An event together with where it stands on chain."""

    origin: Origin
    event: Event
