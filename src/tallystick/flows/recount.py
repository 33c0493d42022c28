"""Compares the books with what the contract counted: a node that leaves events out is found before they are missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from tallystick.chain.rpc import Rpc
from tallystick.chain.totals import read_counted
from tallystick.core.books import Books
from tallystick.core.invoice import Kind
from tallystick.errors import EventsInconsistent, NodeRefused


def recount(
    rpc: Rpc,
    contract: str,
    block: int,
    books: Books,
    payees: Iterable[str],
    *,
    pending: Mapping[tuple[Kind, str], int] | None = None,
) -> None:
    """Raises EventsInconsistent unless the books, which stand at `block`, have as many plans and subscriptions as the
    contract counted, and as many charges and refunds of these payees; `pending` are documents without a number.

    A node that does not keep the state of the block cannot say; then nothing is compared.
    """
    wanted = set(payees)
    pairs = sorted({(terms.payee, terms.token) for terms in books.plans.values() if terms.payee in wanted})
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
