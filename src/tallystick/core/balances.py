"""Running balances of a journal: how each account stands, and how it stood, so that nobody has to add up a journal from
its beginning.

A journal is cut into stretches of `STRETCH` entries by their numbers. Where an account moves for the first time in a
later stretch than before, its balance until then is kept for good. So a balance as of any entry is one that is kept
from before that entry's stretch, and the postings of a part of one stretch; and there is at most a balance for each
posting, of few accounts one for each account and stretch. All of it follows from the entries alone, and not from the
pieces in which they come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from tallystick.core.ledger import Balance, Entry

STRETCH = 10_000
"""Entries. With fewer more balances are kept, with more one as of an entry takes longer. Part of what is stored."""

Place = tuple[str, str]
"""An account and a token."""

Moves = dict[int, dict[Place, list[int]]]
"""What entries move, by stretch: of each account and token the number of the last entry, and the base units debited and
credited."""


class Standing(NamedTuple):
    """What an account had been debited and credited in a token, in base units, after an entry, which moved it."""

    account: str
    token: str
    entry_number: int
    debit_units: int
    credit_units: int

    @property
    def balance(self) -> Balance:
        """Without the entry."""
        return Balance(self.account, self.token, self.debit_units, self.credit_units)


class Standings:
    """How accounts stand (`now`), and what is to be kept of how they stood (`kept`). It begins with those accounts that
    the next entries move."""

    def __init__(self, begin: Iterable[Standing] = ()) -> None:
        self.now = {(standing.account, standing.token): standing for standing in begin}
        self.kept: list[Standing] = []

    def add(self, moves: Moves) -> None:
        """The next entries."""
        for stretch, moved in moves.items():
            before = stretch * STRETCH
            for place, (number, debit, credit) in moved.items():
                last = self.now.get(place)
                if last is None:
                    last = Standing(*place, 0, 0, 0)
                elif last.entry_number <= before:
                    self.kept.append(last)
                self.now[place] = Standing(*place, number, last.debit_units + debit, last.credit_units + credit)


def moves_of(entries: Iterable[Entry]) -> Moves:
    """What entries move, which come in their order."""
    moves: Moves = {}
    moved: defaultdict[Place, list[int]] = defaultdict(lambda: [0, 0, 0])
    end = 0
    for number, _, _, postings, _, _ in entries:
        if number > end:
            stretch = (number - 1) // STRETCH
            moved = moves[stretch] = defaultdict(lambda: [0, 0, 0])
            end = (stretch + 1) * STRETCH
        for account, side, token, units in postings:
            sums = moved[account, token]
            sums[0] = number
            sums[1 if side == "D" else 2] += units
    return moves


def kept_before(number: int) -> int:
    """The last entry of the stretches that end with or before an entry: up to it, what is kept is enough."""
    return number // STRETCH * STRETCH
