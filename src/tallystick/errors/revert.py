"""What code on the chain refuses."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields

from tallystick.errors.base import TallystickError


class RevertError(TallystickError):
    """Code on the chain refused a call."""


class CallReverted(RevertError):
    """With a reason that is not one of our contracts': `reason` in words, `data` as it came."""

    def __init__(self, reason: str, data: bytes = b"") -> None:
        super().__init__(f"the call was reverted: {reason}; nothing was changed. Look at the arguments and the address")
        self.reason = reason
        self.data = data

    def __reduce__(self) -> tuple[type[CallReverted], tuple[str, bytes]]:
        return type(self), (self.reason, self.data)


class TokenReverted(CallReverted):
    """The token refused, and said why: an ERC-6093 error, or words such as USDC's."""


@dataclass(eq=False)
class ContractError(RevertError):
    """One of our contracts refused. The class has its error's name, the attributes are its values, in its order."""

    def __post_init__(self) -> None:
        self.args = tuple(getattr(self, field.name) for field in fields(self))  # so that it can be pickled


def status_word(number: int) -> str:
    """A subscription's status, by its number."""
    words = ("active", "ending", "cancelled", "paused")
    return words[number] if number < len(words) else f"in state {number}"


def payment_word(number: int) -> str:
    """An escrow payment's status, by its number (`core.payment.PaymentStatus`)."""
    words = ("not made", "open", "disputed", "closed")
    return words[number] if number < len(words) else f"in state {number}"


def decline_word(number: int) -> str:
    """Why a charge would decline, by the reason's number (`core.subscription.DeclineReason`)."""
    words = (
        *("none", "unknown", "not due", "cancelled", "ended", "allowance", "balance", "token refused", "paused"),
        *("blocked", "over mandate", "quote unavailable", "quote stale", "slippage"),
    )
    return words[number] if number < len(words) else f"for reason {number}"


def utc(timestamp: int) -> str:
    """A time as people read it; far-off ones stay numbers."""
    try:
        return dt.datetime.fromtimestamp(timestamp, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):
        return f"second {timestamp}"
