"""The books of conversions: what each event of `UniswapSwapper` does to the journal.

An exchange moves two assets, and its entry balances in each of them by a clearing account of the caller's: what went
out stands there as a debit, what came in as a credit. Valued in a currency, what is left there is the gain or the loss
that `core.gains` works out; no rate is needed to keep these books.

    Assets:Wallet:<account>       as in the other journals
    Equity:Conversion:<caller>    what the caller gave (debit) and what came in for it (credit)

The contract counts nothing, so that a node which leaves out one of its events is not found by a count: only by another
node that does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tallystick.core.events import Origin
from tallystick.core.ledger import GENESIS_HASH, Entry, Posting, Side, new_entry
from tallystick.core.pegs import PegHistory
from tallystick.core.swap import Swapped
from tallystick.errors import EventsInconsistent

CONVERSION = "conversion"
"""How an entry calls its event."""
WALLET, CLEARING = "Assets:Wallet:", "Equity:Conversion:"


class ConversionChange(NamedTuple):
    """What one event makes. There are no documents of it."""

    entry: Entry | None
    invoice: None = None


class ConversionBooks:
    """All that the next event needs to know: where the journal stands. `pegs` are what its readers value it with."""

    def __init__(self, pegs: PegHistory) -> None:
        self.pegs = pegs
        self.entry_number = 0
        self.entry_hash = GENESIS_HASH

    def apply(self, origin: Origin, event: Swapped, *, final: bool = True) -> ConversionChange:
        """The entry of an exchange; none while its block is not final. Raises EventsInconsistent for one that brought
        nothing, which the contract does not make."""
        if not event.amount_out_units:
            raise EventsInconsistent(
                f"the exchange in block {origin.block_number}, log {origin.log_index} brought nothing, which the "
                "contract refuses: ask another node"
            )
        if not final:
            return ConversionChange(None)
        self.entry_number += 1
        entry = new_entry(self.entry_number, CONVERSION, origin, postings_for(event), self.entry_hash)
        self.entry_hash = entry.hash
        return ConversionChange(entry)


def postings_for(event: Swapped) -> tuple[Posting, ...]:
    """The balanced postings of an exchange: out of the caller's wallet, into the receiver's."""
    clearing = f"{CLEARING}{event.caller}"
    lines: Iterable[tuple[str, Side, str, int]] = (
        (clearing, "D", event.token_in, event.amount_in_units),
        (f"{WALLET}{event.caller}", "C", event.token_in, event.amount_in_units),
        (f"{WALLET}{event.receiver}", "D", event.token_out, event.amount_out_units),
        (clearing, "C", event.token_out, event.amount_out_units),
    )
    return tuple(Posting(*line) for line in lines if line[3])


class Exchange(NamedTuple):
    """An entry of a conversion, read back: what the caller gave and the receiver got."""

    caller: str
    token_in: str
    units_in: int
    receiver: str
    token_out: str
    units_out: int


def exchange_of(entry: Entry) -> Exchange | None:
    """What the entry of an exchange says; None where nothing was given for what came in."""
    given = next((line for line in entry.postings if line.side == "C" and line.account.startswith(WALLET)), None)
    came = next((line for line in entry.postings if line.side == "D" and line.account.startswith(WALLET)), None)
    if given is None or came is None:
        return None
    owners = given.account.removeprefix(WALLET), came.account.removeprefix(WALLET)
    return Exchange(owners[0], given.token, given.units, owners[1], came.token, came.units)
