"""Compares the books of escrow payments with what the contract has: events that a node leaves out are found before they
are missed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tallystick.chain.payment_totals import PaymentFacts, read_counted_payments
from tallystick.chain.rpc import Rpc
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.payment import PaymentStatus, PaymentTerms
from tallystick.core.payment_books import PaymentBooks
from tallystick.core.payment_state import Payment
from tallystick.errors import EventsInconsistent, NodeRefused

MOST_PAIRS = 50
"""Payees and their tokens, and accounts with something to claim, up to which all are compared each time."""
REVOKED = PaymentFacts(int(PaymentStatus.CLOSED))
"""How the contract has a payment that its payer will not have made."""


def recount_payments(
    rpc: Rpc, contract: str, block: int, books: PaymentBooks, changed: Collection[bytes], revoked: Collection[bytes]
) -> None:
    """Raises EventsInconsistent unless the books, which stand at `block`, say of the payments that `changed` or were
    `revoked` what the contract says, have as many payments of each payee, and of the same sum, and keep for each
    account what the contract keeps for it.

    Where there are more than `MOST_PAIRS`, those that changed are compared. A node that does not keep the state of the
    block cannot say; then nothing is compared.
    """
    terms = [books.payments[payment_id].terms for payment_id in changed]
    pairs = sorted(books.totals)
    if len(pairs) > MOST_PAIRS:
        pairs = sorted({(found.payee, found.token) for found in terms})
    owed = {pair for pair, units in books.claimables.items() if units}
    if len(owed) > MOST_PAIRS:
        owed.clear()
    owed |= paid_accounts(terms)
    try:
        counted = read_counted_payments(rpc, contract, pairs, sorted(owed), [*changed, *revoked], block)
    except NodeRefused:
        return
    facts: list[tuple[str, object, object]] = []
    for (payee, token), total in counted.totals.items():
        counted_here = books.totals[payee, token][2:]
        facts.append((f"payments to {payee} in {token}, and their sum", (*total,), counted_here))
    for (account, token), units in counted.claimables.items():
        facts.append((f"units of {token} kept for {account}", units, books.claimables.get((account, token), 0)))
    for payment_id, stated in counted.payments.items():
        expected = REVOKED if payment_id in revoked else facts_of(books.payments[payment_id])
        facts.append(
            (f"status, held, refundable, since and milestones of payment 0x{payment_id.hex()}", stated, expected)
        )
    for name, count, found in facts:
        if count != found:
            raise EventsInconsistent(
                f"by block {block} the contract has {_shown(count)} {name}, the events that {rpc.name} gave make "
                f"{_shown(found)}: it left some out, or changed its branch. Ask another node; if all say so, build the "
                "books anew in a new database"
            )


def paid_accounts(terms: Iterable[PaymentTerms]) -> set[tuple[str, str]]:
    """Every account and token for which the contract may keep something of these payments."""
    return {
        (account, found.token)
        for found in terms
        for account in (found.payee, found.payer, found.fee_receiver, found.arbiter)
        if account != ZERO_ADDRESS
    }


def facts_of(payment: Payment) -> PaymentFacts:
    """A payment of the books as the contract states it."""
    amounts = payment.held_units, payment.refundable_units
    return PaymentFacts(int(payment.status), *amounts, payment.since, payment.milestones)


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
