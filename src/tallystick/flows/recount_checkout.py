"""Compares the books of quotes with what the contract has: events that a node leaves out are found before they are
missed."""

from __future__ import annotations

from collections.abc import Collection

from tallystick.chain.checkout_totals import read_counted_quotes
from tallystick.chain.rpc import Rpc
from tallystick.core.checkout_books import CheckoutBooks
from tallystick.errors import EventsInconsistent, NodeRefused

MOST_PAIRS = 50
"""Merchants and their tokens, and accounts with something to claim, up to which all are compared each time."""


def recount_checkout(
    rpc: Rpc,
    contract: str,
    block: int,
    books: CheckoutBooks,
    changed: Collection[tuple[str, str]],
    words: Collection[tuple[str, int]],
    paid: Collection[tuple[str, str]],
) -> None:
    """Raises EventsInconsistent unless the books, which stand at `block`, have as many quotes of each merchant, and of
    the same sum, as the contract, keep for each account what it keeps, and have the same numbers of these `words` as
    used.

    Where there are more than `MOST_PAIRS`, those that `changed` and the accounts that were `paid` are compared. A node
    that does not keep the state of the block cannot say; then nothing is compared. What comes to a deposit address is
    counted by nobody: the audit compares it with what is there.
    """
    pairs = sorted(books.totals if len(books.totals) <= MOST_PAIRS else changed)
    owed = {pair for pair, units in books.claimables.items() if units}
    owed = owed | set(paid) if len(owed) <= MOST_PAIRS else set(paid)
    try:
        counted = read_counted_quotes(rpc, contract, pairs, sorted(owed), sorted(words), block)
    except NodeRefused:
        return
    facts: list[tuple[str, object, object]] = []
    for (merchant, token), total in counted.totals.items():
        here = books.totals[merchant, token]
        facts.append((f"quotes of {merchant} in {token}", total.payments, here.quotes))
        facts.append((f"units in quotes of {merchant} in {token}", total.sum_units, here.sum_units))
    for (account, token), units in counted.claimables.items():
        facts.append((f"units of {token} kept for {account}", units, books.claimables.get((account, token), 0)))
    for (merchant, word), bits in counted.used.items():
        facts.append((f"as the used numbers of {merchant}, word {word},", bits, books.used[merchant, word].bits))
    for name, count, found in facts:
        if count != found:
            raise EventsInconsistent(
                f"by block {block} the contract has {count} {name}, the events that {rpc.name} gave make {found}: it "
                "left some out, or changed its branch. Ask another node; if all say so, build the books anew in a new "
                "database"
            )
