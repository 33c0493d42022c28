"""Open items: what did not go as agreed and waits for somebody, in the order in which it began to wait."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, TypeVar

from tallystick.core.expected import Treatment

T = TypeVar("T")


class ItemKind(Enum):
    """What is open."""

    UNMATCHED = "unmatched"
    """Money at a deposit address at which nothing was expected."""
    SHORT = "short"
    OVER = "over"
    LATE = "late"
    DUPLICATE = "duplicate"
    """Money for an invoice that was paid before."""
    FOREIGN = "other-token"
    """Money in another token than the one that was expected."""
    UNKNOWN = "unknown-token"
    """A transfer of a token that the books do not know, so that it is in no journal."""
    DECLINED = "declined"
    OVERDUE = "overdue"
    """A charge that is due and that nobody tried."""
    UNCLAIMED = "unclaimed"
    """Money that a contract keeps for an account that could not receive it."""
    DISPUTED = "disputed"
    UNCAPTURED = "uncaptured"
    """Money that the escrow still holds after the payee's time."""


KIND_OF = {
    Treatment.OVER: ItemKind.OVER,
    Treatment.LATE: ItemKind.LATE,
    Treatment.AGAIN: ItemKind.DUPLICATE,
    Treatment.FOREIGN: ItemKind.FOREIGN,
    Treatment.UNEXPECTED: ItemKind.UNMATCHED,
}
"""Why money is a customer's credit."""


class OpenItem(NamedTuple):
    """Something that is open `since` a time in Unix seconds. `account` is whose money it is, or who is to pay it, where
    that is known; `about` names the invoice, subscription or payment. `units` are base units of `token`; None where the
    amount is not known. `why` says more, `next_at` when something happens by itself (None: nothing does), `to_do` is
    the command with which to go on."""

    kind: ItemKind
    since: int
    about: str
    account: str | None
    token: str
    units: int | None
    why: str
    next_at: int | None
    to_do: str


def what_is_left(amounts: Sequence[tuple[T, int]], left_units: int) -> list[tuple[T, int]]:
    """Of amounts in the order in which they came, what is left where `left_units` are left of all: what was given back
    was the oldest. The parts add up to `left_units`, which is at most the sum of the amounts; none of them is 0."""
    left: list[tuple[T, int]] = []
    for what, units in reversed(amounts):
        part = min(units, left_units)
        left_units -= part
        if part:
            left.append((what, part))
    return left[::-1]
