"""How the mirror keeps the books of `Subscriptions`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from tallystick.chain import decode
from tallystick.chain.decoder import Decoder
from tallystick.chain.logs import LogEntry
from tallystick.chain.rpc import Rpc
from tallystick.core.books import Books, Change, ClaimableBalance, touched
from tallystick.core.events import Event, Origin, Recorded, RegisterOpened
from tallystick.core.invoice import Invoice
from tallystick.core.ledger import Entry
from tallystick.core.pegs import PegHistory
from tallystick.core.plan import Plan
from tallystick.core.subscription import Register, Subscription
from tallystick.flows.kind import Stored, WatchesNothing
from tallystick.flows.pending import derive_present
from tallystick.flows.recount import accounts_of, recount
from tallystick.storage import sources
from tallystick.storage.books import fill_books, load_books
from tallystick.storage.claimables import save_claimables
from tallystick.storage.invoices import add_invoices
from tallystick.storage.journal import add_entries
from tallystick.storage.sources import Source
from tallystick.storage.subscriptions import save_plans, save_registers, save_subscriptions

KEEP_SUBSCRIPTIONS = 100_000
"""How many subscriptions stay in memory between ranges."""


class SubscriptionRows(NamedTuple):
    """What follows from a range of blocks: what is new, and what stands differently after them."""

    registers: list[Register]
    plans: list[Plan]
    subscriptions: list[Subscription]
    claimables: list[ClaimableBalance]
    entries: list[Entry]
    invoices: list[Invoice]


@dataclass(frozen=True)
class SubscriptionBooks(WatchesNothing):
    """A `SourceKind`."""

    name: str = sources.SUBSCRIPTIONS
    decoder: Decoder[Event] = decode.SUBSCRIPTIONS
    opening: tuple[type, ...] = (RegisterOpened,)

    def tokens_of(self, event: RegisterOpened) -> tuple[str, ...]:
        """That of a register, which a payee's first plan in it opens."""
        return (event.token,)

    def load(self, connection: Connection, source: Source, pegs: PegHistory) -> Books:
        """Without subscriptions and invoices."""
        return load_books(connection, source.source_id, pegs)

    def derive(self, stored: Stored, source: Source, books: Books, logs: Sequence[LogEntry]) -> SubscriptionRows:
        """What final events make."""
        subscriptions, charges = touched(log.event for log in logs)
        if not books.has(subscriptions, charges):
            fill_books(stored(), source.source_id, books, subscriptions, charges)
        rows = _rows([books.apply(Recorded(log.origin, log.event)) for log in logs])
        books.act.require_whole()
        return rows

    def present(
        self, connection: Connection, source: Source, pending: Sequence[tuple[Origin, Event]]
    ) -> tuple[Books, SubscriptionRows]:
        """What pending events make."""
        books, changes = derive_present(connection, source, {}, [Recorded(*found) for found in pending])
        return books, _rows(change for _, change in changes)

    def recount(self, rpc: Rpc, source: Source, block: int, books: Books, rows: SubscriptionRows) -> None:
        """By the contract's control totals."""
        accounts = accounts_of(books, rows.registers, rows.subscriptions, rows.invoices, rows.claimables)
        recount(rpc, source.contract, block, books, accounts)

    def write(self, connection: Connection, source_id: int, rows: SubscriptionRows) -> None:
        """Each kind of row."""
        save_registers(connection, source_id, rows.registers)
        save_plans(connection, source_id, rows.plans)
        save_subscriptions(connection, source_id, rows.subscriptions)
        save_claimables(connection, source_id, rows.claimables)
        add_entries(connection, source_id, rows.entries)
        add_invoices(connection, source_id, rows.invoices)

    def trim(self, books: Books) -> None:
        """Subscriptions, all at once."""
        if len(books.subscriptions) > KEEP_SUBSCRIPTIONS:
            books.subscriptions.clear()


SUBSCRIPTIONS = SubscriptionBooks()


def _rows(changes: Iterable[Change]) -> SubscriptionRows:
    registers: dict[int, Register] = {}
    plans: dict[int, Plan] = {}
    subscriptions: dict[int, Subscription] = {}
    claimables: dict[tuple[str, str], ClaimableBalance] = {}
    entries: list[Entry] = []
    invoices: list[Invoice] = []
    for plan, subscription, entry, invoice, register, kept in changes:
        if subscription is not None:
            subscriptions[subscription.subscription_id] = subscription
        if entry is not None:
            entries.append(entry)
        if invoice is not None:
            invoices.append(invoice)
        if plan is not None:
            plans[plan.plan_id] = plan
        if register is not None:
            registers[register.register_id] = register
        for balance in kept:
            claimables[balance[:2]] = balance
    return SubscriptionRows(
        list(registers.values()),
        list(plans.values()),
        list(subscriptions.values()),
        list(claimables.values()),
        entries,
        invoices,
    )
