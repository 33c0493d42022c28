"""Compares the books with what the contract counted: a node that leaves events out is found before they are missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from tallystick.chain.rpc import Rpc
from tallystick.chain.totals import read_counted
from tallystick.core.books import Books
from tallystick.core.invoice import Invoice, Kind
from tallystick.core.subscription import Subscription
from tallystick.errors import EventsInconsistent, NodeRefused

MOST_PAIRS = 50
"""Payees and their tokens up to which all are compared each time: so many fit into one small request."""


def recount(
    rpc: Rpc,
    contract: str,
    block: int,
    books: Books,
    payees: Iterable[str],
    *,
    pending: Mapping[tuple[Kind, str], int] | None = None,
) -> None:
    """Raises EventsInconsistent unless the books, which stand at `block`, have as many plans, subscriptions, charges
    and refunds as the contract counted; `pending` are documents without a number.

    Where there are more than `MOST_PAIRS` payees and tokens, those of `payees` are compared. A node that does not keep
    the state of the block cannot say; then nothing is compared.
    """
    pairs = sorted({(terms.payee, terms.token) for terms in books.plans.values()})
    if len(pairs) > MOST_PAIRS:
        wanted = set(payees)
        pairs = [pair for pair in pairs if pair[0] in wanted]
    try:
        counted = read_counted(rpc, contract, pairs, block)
    except NodeRefused:
        return
    documents: Counter[tuple[Kind, str]] = Counter()
    for (payee, _), totals in counted.totals.items():
        documents[Kind.INVOICE, payee] += totals.charge_count
        documents[Kind.CREDIT_NOTE, payee] += totals.refund_count
    facts = [
        ("plans", counted.plans, len(books.plans)),
        ("subscriptions", counted.subscriptions, books.subscription_count),
    ]
    for (kind, payee), count in documents.items():
        name = f"{'charges' if kind is Kind.INVOICE else 'refunds'} of {payee}"
        found = books.invoice_numbers.get((kind, payee), 0) + (pending or {}).get((kind, payee), 0)
        facts.append((name, count, found))
    for name, count, found in facts:
        if count != found:
            raise EventsInconsistent(
                f"by block {block} the contract counted {count} {name}, the events that {rpc.name} gave make {found}: "
                "it left some out, or changed its branch. Ask another node; if all say so, build the books anew in a "
                "new database"
            )


def payees_of(books: Books, subscriptions: Iterable[Subscription], invoices: Iterable[Invoice]) -> set[str]:
    """Whom a change is about."""
    payees = {books.plans[subscription.plan_id].payee for subscription in subscriptions}
    return payees | {invoice.payee for invoice in invoices}
