"""What is open at deposit addresses: money that did not come as it was expected, or came without being expected."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import Connection

from tallystick.core.expected import DepositStatus
from tallystick.core.open_item import KIND_OF, ItemKind, OpenItem, what_is_left
from tallystick.core.reference import parse_reference
from tallystick.flows.find_deposits import FoundDeposit, Movement, all_deposits, derive_movements
from tallystick.storage.events import read_events
from tallystick.storage.sources import Source

EVENTS = ("Transfer", "Swept", "InvoiceRefunded")
"""Those that say something of deposit addresses."""


def open_deposits(connection: Connection, source: Source, receivers: Collection[str] = ()) -> Iterator[OpenItem]:
    """Of these receivers, or of all: pending blocks included.

    An invoice for which nothing came is not open here: nobody knows whether anybody meant to pay it.
    """
    found = [one for one in all_deposits(connection, source) if not receivers or one.receiver in receivers]
    if not found:
        return
    by_invoice: defaultdict[tuple[str, bytes], list[Movement]] = defaultdict(list)
    for place, movement in derive_movements(
        connection, source, read_events(connection, source.source_id, names=EVENTS)
    ):
        by_invoice[place].append(movement)
    for deposit in found:
        movements = by_invoice[deposit.receiver, parse_reference(deposit.invoice)]
        yield from _credits(deposit, movements)
        yield from _short(deposit, movements)
        yield from _unknown(deposit, movements)


def _credits(found: FoundDeposit, movements: Sequence[Movement]) -> Iterator[OpenItem]:
    """Each part of the customer's credit that was not given back, by the transfer that it came with."""
    for deposit in found.deposits:
        came = [
            (movement, movement.taken.credited_units)
            for movement in movements
            if movement.taken is not None and movement.token == deposit.token
        ]
        for movement, units in what_is_left(came, deposit.credit_units):
            assert movement.taken is not None
            kind = KIND_OF[movement.taken.treatment]
            told = "it was found when the address was swept: " if movement.what == "swept" else ""
            yield OpenItem(
                kind,
                movement.origin.block_time,
                found.invoice,
                None if told else movement.account,
                deposit.token,
                units,
                f"{told}{_WHY[kind]}: it is the customer's, to be given back",
                None,
                _refund(found, deposit.token),
            )


_WHY = {
    ItemKind.UNMATCHED: "nothing was expected there",
    ItemKind.OVER: "more came than was expected",
    ItemKind.LATE: "it came after its time",
    ItemKind.DUPLICATE: "the invoice was paid before",
    ItemKind.FOREIGN: "another token was expected",
}


def _short(found: FoundDeposit, movements: Sequence[Movement]) -> Iterator[OpenItem]:
    """An invoice of which only a part came: what is lacking, or what to give back after its time."""
    expected = found.expected
    if expected is None or found.status not in {DepositStatus.PARTIAL, DepositStatus.EXPIRED}:
        return
    deposit = found.in_token(expected.token)
    if not deposit.advance_units:
        return
    counted = (movement for movement in movements if movement.taken and movement.taken.counted_units)
    first = next(counted)
    is_open = found.status is DepositStatus.PARTIAL
    yield OpenItem(
        ItemKind.SHORT,
        first.origin.block_time,
        found.invoice,
        first.account if first.what == "received" else None,
        expected.token,
        expected.amount_units - deposit.advance_units if is_open else deposit.advance_units,
        "so much is lacking: ask the customer for it"
        if is_open
        else "the rest did not come in time: what came is to be given back",
        expected.valid_before if is_open else None,
        f"tallystick checkout deposit {shlex.quote(found.invoice)} --receiver {found.receiver}"
        if is_open
        else _refund(found, expected.token),
    )


def _unknown(found: FoundDeposit, movements: Sequence[Movement]) -> Iterator[OpenItem]:
    """Transfers of tokens that the books do not know, as long as they are neither swept nor given back."""
    units: defaultdict[str, int] = defaultdict(int)
    first: dict[str, Movement] = {}
    booked = {deposit.token for deposit in found.deposits}
    for movement in movements:
        if movement.token in booked:
            continue
        if movement.what == "received":
            first.setdefault(movement.token, movement)
            units[movement.token] += movement.units
        else:
            units[movement.token] -= movement.units
    for token, movement in first.items():
        if units[token] > 0:
            sweep = f"tallystick checkout sweep {shlex.quote(found.invoice)} --token {token}"
            yield OpenItem(
                ItemKind.UNKNOWN,
                movement.origin.block_time,
                found.invoice,
                movement.account,
                token,
                units[token],
                "the books do not know the token, anyone can make one: look what it is before you touch it",
                None,
                f"{sweep} --receiver {found.receiver}",
            )


def _refund(found: FoundDeposit, token: str) -> str:
    """To the account that the customer signs: who sent it may be an exchange, which cannot receive for them."""
    return f"tallystick checkout refund {shlex.quote(found.invoice)} --token {token} --proof to.json"
