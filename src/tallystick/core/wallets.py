"""What moved at wallets: as the ledger has it, as tokens tell it, and the difference, transaction by transaction.

A transaction may hold both what the ledger knows and what it does not (a payee that is a contract, and passes on what
it was charged), so nothing is matched transfer by transfer: of each transaction the ledger's sum is taken from the
tokens' sum, and what is left was moved outside of the contracts.

    all that is left = all that tokens tell - all that is booked
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tallystick.core.conversion_books import WALLET
from tallystick.core.ledger import Entry


class Holding(NamedTuple):
    """A wallet and a token: what has a balance. Both are checksummed addresses."""

    wallet: str
    token: str


class Movement(NamedTuple):
    """Base units that came into a wallet, or left it (negative), in a transaction. `other` is the account on the other
    side, where one is known."""

    holding: Holding
    block_number: int
    block_time: int
    transaction: bytes
    units: int
    other: str | None = None


class Unbooked(NamedTuple):
    """What of a transaction no journal has: base units, in or out (negative). `others` are the accounts on the other
    side of the wallet's transfers in it."""

    holding: Holding
    block_number: int
    block_time: int
    transaction: bytes
    units: int
    others: tuple[str, ...]


def booked_movements(entries: Iterable[Entry]) -> Iterator[Movement]:
    """What entries have of wallets."""
    for entry in entries:
        origin = entry.origin
        for account, side, token, units in entry.postings:
            if account.startswith(WALLET):
                holding = Holding(account.removeprefix(WALLET), token)
                signed = units if side == "D" else -units
                yield Movement(holding, origin.block_number, origin.block_time, origin.transaction_hash, signed)


def sums(movements: Iterable[Movement]) -> dict[Holding, int]:
    """What came in less what left, by wallet and token."""
    found: defaultdict[Holding, int] = defaultdict(int)
    for movement in movements:
        found[movement.holding] += movement.units
    return dict(found)


def unbooked(told: Iterable[Movement], booked: Iterable[Movement]) -> list[Unbooked]:
    """What tokens tell and the ledger does not have, in the order of the chain; nothing of transactions in which both
    are the same."""
    left: defaultdict[tuple[int, int, bytes, Holding], int] = defaultdict(int)
    others: defaultdict[tuple[int, int, bytes, Holding], set[str]] = defaultdict(set)
    for sign, movements in ((1, told), (-1, booked)):
        for holding, number, time, transaction, units, other in movements:
            key = number, time, transaction, holding
            left[key] += sign * units
            if other is not None:
                others[key].add(other)
    return [
        Unbooked(holding, number, time, transaction, units, tuple(sorted(others[number, time, transaction, holding])))
        for (number, time, transaction, holding), units in sorted(left.items())
        if units
    ]
