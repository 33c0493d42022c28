"""Proves the books of what is sold once, as `flows.audit` those of subscriptions: everything is derived again from the
chain and compared with what is stored, row by row.

The judge of quotes is the contract: how many each merchant's are and of what sum, which numbers were used, and what it
keeps for whom. The judge of deposits are the tokens: what came to an address and was not swept must stand there.

Not proven, because the chain knows nothing of it: what the merchant expected (`expected`, which the report counts).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from tallystick.chain.checkout_totals import CountedQuotes, read_counted_quotes, read_standing
from tallystick.chain.logs import LogEntry
from tallystick.chain.payment_totals import CountedTotal
from tallystick.chain.rpc import Caller
from tallystick.core.checkout_books import CheckoutBooks, CheckoutChange
from tallystick.core.checkout_events import RecordedCheckout
from tallystick.core.checkout_ledger import QUOTE
from tallystick.core.expected import Expected
from tallystick.core.ledger import Entry
from tallystick.core.pegs import peg_history
from tallystick.core.reference import shown_reference
from tallystick.errors import NodeRefused
from tallystick.flows.checkout_books import paid_accounts
from tallystick.flows.compare import (
    Report,
    Walk,
    chain_logs,
    compare_kept,
    compare_maps,
    compare_pending,
    compare_source,
    compare_strays,
    compare_tokens,
    extent,
    require_source,
)
from tallystick.flows.garbage import collector_at_rest
from tallystick.flows.ingest import Progress, Target
from tallystick.storage.checkout import read_deposits, read_quote_totals, read_sales, read_used
from tallystick.storage.claimables import read_claimables
from tallystick.storage.database import reading
from tallystick.storage.expected import read_expected
from tallystick.storage.pegs import read_pegs
from tallystick.storage.sale_invoices import last_sale_numbers, read_sale_invoices
from tallystick.storage.sources import Source
from tallystick.storage.tokens import read_tokens


@dataclass
class CheckoutReport(Report):
    """The report on the books of `Checkout`.

    `expected` is at how many deposit addresses the merchant expected something, which the chain does not know. In the
    tokens that the merchant declared (`pegs`) what came to so many of them (`standing`) was compared with what is
    there; other tokens may say anything.
    """

    quotes_on_chain: int = 0
    quotes_in_ledger: int = 0
    expected: int = 0
    standing: int = 0

    @property
    def figures(self) -> dict[str, int]:
        """With those of quotes and deposits."""
        return {
            **super().figures,
            "quotes_on_chain": self.quotes_on_chain,
            "quotes_in_ledger": self.quotes_in_ledger,
            "expected": self.expected,
            "standing_compared": self.standing,
        }


def audit_checkout(
    engine: Engine, rpc: Caller, target: Target, *, on_progress: Callable[[Progress], None] = lambda _: None
) -> CheckoutReport:
    """Compares chain, journal, invoices, the contract's own counts and what stands at deposit addresses up to the
    source's final block, and the events behind it that are pending. Writes nothing.

    Raises CorruptionError where the database knows nothing of the contract or has a row that cannot be read, NodeError
    for a node that cannot be used.
    """
    with reading(engine) as connection:
        source = require_source(connection, target)
        report = CheckoutReport(*extent(source))
        expected = read_expected(connection, source.source_id)
        node = chain_logs(rpc, target, target.kind.watched(connection, source))
        compare_source(report, node, source, target)
        tokens = read_tokens(connection, target.chain_id)
        report.pegs, report.expected = read_pegs(connection, source.source_id), len(expected)
        pegs = peg_history(report.pegs, tokens)
        books = CheckoutBooks(target.chain_id, target.contract, pegs, expected=expected, declared=report.pegs)
        tally, paid = _Tally(), set[tuple[str, str]]()

        def apply(log: LogEntry) -> CheckoutChange:
            paid.update(paid_accounts(log.event))
            return books.apply(RecordedCheckout(log.origin, log.event))

        walk = Walk(
            *(report, connection, source, target),
            apply=apply,
            read_documents=read_sale_invoices,
            last_numbers=last_sale_numbers,
            count_entry=tally.add,
        )
        with collector_at_rest():
            for chunk in node.read(source.start_block, source.final_number):
                walk.compare(chunk)
                on_progress(Progress(chunk.end.number, source.final_number, report.events))
        walk.finish()
        _compare_derived(report, connection, source.source_id, books)
        _compare_counted(report, books, tally, _read_counted(rpc, source, books, paid))
        _compare_standing(report, rpc, source, books, expected)
        compare_tokens(report, rpc, target.chain_id, tokens, walk.token_blocks)
        compare_pending(report, node, connection, source)
    return report


class _Tally:
    """What the stored journal adds up to."""

    def __init__(self) -> None:
        self.totals: defaultdict[tuple[str, str], CountedTotal] = defaultdict(CountedTotal)
        self.claimables: defaultdict[tuple[str, str], int] = defaultdict(int)

    def add(self, entry: Entry) -> None:
        """A quote is its merchant's income."""
        for account, side, token, units in entry.postings:
            name, _, owner = account.rpartition(":")
            if name == "Assets:Claimable":
                self.claimables[owner, token] += units if side == "D" else -units
            elif entry.kind == QUOTE and name == "Income:Sales":
                quotes, sum_units = self.totals[owner, token]
                self.totals[owner, token] = CountedTotal(quotes + 1, sum_units + units)


# --- comparisons ----------------------------------------------------------------------------------------------------


def _compare_derived(report: CheckoutReport, connection: Connection, source_id: int, books: CheckoutBooks) -> None:
    """What no event leads to."""
    compare_maps(report, "deposit", _named(books.deposits), _named(read_deposits(connection, source_id)))
    compare_maps(report, "sale", _named(books.sales), _named(read_sales(connection, source_id)))
    compare_maps(report, "quotes", _named(books.totals), _named(read_quote_totals(connection, source_id)))
    compare_maps(report, "used numbers", _named(books.used), _named(read_used(connection, source_id)))
    compare_kept(report, books.claimables, read_claimables(connection, source_id))
    compare_strays(report, connection, source_id)


def _named(rows: dict[Any, Any]) -> dict[str, Any]:
    """`of 0x7099..., INV-1, 0xA0b8...`."""
    return {"of " + ", ".join(map(_shown, key)): row for key, row in rows.items()}


def _shown(part: object) -> str:
    return shown_reference(part) if isinstance(part, bytes) else str(part)


def _read_counted(rpc: Caller, source: Source, books: CheckoutBooks, paid: set[tuple[str, str]]) -> CountedQuotes:
    owed = sorted(paid | books.claimables.keys())
    try:
        return read_counted_quotes(
            rpc, source.contract, sorted(books.totals), owed, sorted(books.used), source.final_number
        )
    except NodeRefused as error:
        raise NodeRefused(
            f"the totals of block {source.final_number}, with which the books end, cannot be read: {error}. Bring the "
            "books up to date with `tallystick index --once`, or use a node that keeps old state"
        ) from error


def _compare_counted(report: CheckoutReport, books: CheckoutBooks, tally: _Tally, counted: CountedQuotes) -> None:
    """What the contract counted and keeps with what is stored."""
    for merchant, token in sorted(counted.totals.keys() | tally.totals.keys()):
        on_chain = counted.totals.get((merchant, token), CountedTotal())
        in_ledger = tally.totals.get((merchant, token), CountedTotal())
        report.quotes_on_chain += on_chain.payments
        report.quotes_in_ledger += in_ledger.payments
        for label, found, expected in zip(("quotes", "sum units"), in_ledger, on_chain, strict=True):
            if found != expected:
                report.note(f"control total of {merchant} in {token}, {label}", found, expected)
    for key, bits in counted.used.items():
        if books.used[key].bits != bits:
            report.note(f"used numbers of {key[0]}, {key[1]}, on chain", hex(books.used[key].bits), hex(bits))
    for account, token in sorted(counted.claimables.keys() | tally.claimables.keys()):
        kept = counted.claimables.get((account, token), 0)
        if tally.claimables[account, token] != kept:
            report.note(f"claimable of {account} in {token}, journal", tally.claimables[account, token], kept)


def _compare_standing(
    report: CheckoutReport, rpc: Caller, source: Source, books: CheckoutBooks, expected: Iterable[Expected]
) -> None:
    """What came to the deposit addresses and was not swept with what is there.

    More than the books have may have come before the merchant expected anything there: it is booked when it is swept.
    """
    declared = {peg.token for peg in report.pegs}
    places: list[tuple[Expected, str]] = []
    came: defaultdict[tuple[str, bytes], set[str]] = defaultdict(set)
    for receiver, invoice, token in books.deposits:
        came[receiver, invoice].add(token)
    for one in expected:
        tokens = came[one.receiver, one.invoice] | {one.token}
        places += [(one, token) for token in sorted(tokens & declared)]
    on_chain = read_standing(rpc, [(one.address, token) for one, token in places], source.final_number)
    report.standing = len(places)
    for (one, token), found in zip(places, on_chain, strict=True):
        deposit = books.deposits.get((one.receiver, one.invoice, token))
        standing = deposit.standing_units if deposit else 0
        if found != standing:
            name = f"deposit address {one.address} of {shown_reference(one.invoice)} in {token}, on chain"
            report.note(name, standing, "nothing that the token says" if found is None else found)
