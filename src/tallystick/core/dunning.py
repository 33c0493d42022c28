"""When a declined charge is tried again, and what is to be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from tallystick.core.subscription import DeclineReason


class Remedy(Enum):
    """What helps against a decline. To try costs nothing, because it is done without sending."""

    RETRY = "retry"
    """Trying again by the schedule; nobody needs to do anything."""
    ASK_PAYER = "ask the payer"
    """The payer has to act; it is tried again by the schedule, so that it succeeds when they have."""
    NEVER = "never"
    """Nothing: there is nothing to charge, or not before the payer goes on."""


class Advice(NamedTuple):
    """What helps, and in words for people why it declined and what to do."""

    remedy: Remedy
    text: str


_ADVICE = {
    DeclineReason.UNKNOWN: Advice(Remedy.NEVER, "there is no such subscription"),
    DeclineReason.NOT_DUE: Advice(Remedy.NEVER, "it is paid already: the next charge comes at its time"),
    DeclineReason.CANCELLED: Advice(Remedy.NEVER, "it was cancelled"),
    DeclineReason.ENDED: Advice(
        Remedy.NEVER, "it has ended: by its payer, its last charge, its grace, or the payer's own end"
    ),
    DeclineReason.PAUSED: Advice(Remedy.NEVER, "its payer paused it: it goes on when they resume it"),
    DeclineReason.ALLOWANCE: Advice(
        Remedy.ASK_PAYER,
        "the contract may not move enough of the payer's tokens: ask the payer to approve more, in the token or, where "
        "charges go through it, in Permit2, or to name a fallback wallet or plan",
    ),
    DeclineReason.BALANCE: Advice(
        Remedy.ASK_PAYER,
        "the payer has too little of the token: ask the payer to send some, or to name a fallback wallet or plan",
    ),
    DeclineReason.TOKEN_REFUSED: Advice(
        Remedy.RETRY, "the token refused although the payer has enough; it may be paused: it is tried again"
    ),
    DeclineReason.BLOCKED: Advice(
        Remedy.ASK_PAYER,
        "the token's issuer has blocked the payer: ask the payer to hand the subscription over to another wallet",
    ),
    DeclineReason.OVER_MANDATE: Advice(
        Remedy.ASK_PAYER,
        "it costs more than the payer agreed to, per period or in all: ask the payer to set other conditions, or "
        "lower the price",
    ),
    DeclineReason.QUOTE_UNAVAILABLE: Advice(
        Remedy.RETRY, "the plan's quoter gave no price: it is tried again; if it goes on, look at the quoter"
    ),
    DeclineReason.QUOTE_STALE: Advice(
        Remedy.RETRY, "the plan's quoter has only an old price: it is tried again, and succeeds when there is a new one"
    ),
    DeclineReason.SLIPPAGE: Advice(
        Remedy.ASK_PAYER,
        "the quoted price is above the payer's maximum for a period: it is tried again at the price of the day; ask "
        "the payer to set a higher maximum",
    ),
}


def advice(reason: DeclineReason) -> Advice | None:
    """What to do about a decline; None where the charge was paid."""
    return _ADVICE.get(reason)


def retry_at(attempt: int, time: int, retry_after_s: Sequence[int], reason: DeclineReason) -> int | None:
    """When to try again after the `attempt`-th decline (from 1) of a period, which happened at `time`.

    None when the schedule is used up: then the next period's charge is the next try; and where trying never helps.
    """
    found = advice(reason)
    if found is None or found.remedy is Remedy.NEVER or attempt > len(retry_after_s):
        return None
    return time + retry_after_s[attempt - 1]
