"""Compares the books with what the contract counted: a node that leaves events out is found before they are missed."""

from __future__ import annotations

from collections.abc import Iterable

from tallystick.chain.rpc import Rpc
from tallystick.chain.totals import read_counted
from tallystick.core.books import Books, ClaimableBalance
from tallystick.core.invoice import Invoice
from tallystick.core.subscription import Register, Subscription
from tallystick.errors import EventsInconsistent, NodeRefused

MOST_PAIRS = 50
"""Accounts and their tokens up to which all are compared each time: so many fit into one small request."""


def recount(
    rpc: Rpc,
    contract: str,
    block: int,
    books: Books,
    accounts: Iterable[str],
) -> None:
    """Raises EventsInconsistent unless the books, which stand at `block`, have as many registers, plans, subscriptions,
    charges and refunds as the contract counted, and keep for each account what the contract keeps for it.

    Where there are more than `MOST_PAIRS` accounts and tokens, those of `accounts` are compared. A node that does not
    keep the state of the block cannot say; then nothing is compared.
    """
    registers = {(register.payee, register.token): register for register in books.registers.values()}
    pairs, owed = sorted(registers), claimable_accounts(books)
    if len(owed) > MOST_PAIRS:
        wanted = set(accounts)
        pairs, owed = ([pair for pair in found if pair[0] in wanted] for found in (pairs, owed))
    try:
        counted = read_counted(rpc, contract, pairs, owed, block)
    except NodeRefused:
        return
    facts = [("plans", counted.plans, len(books.plans)), ("registers", counted.registers, len(books.registers))]
    for (payee, token), totals in counted.totals.items():
        register, whose = registers[payee, token], f"of {payee} in {token}"
        facts += [
            (f"subscriptions to {payee} in {token}", totals.subscriptions, register.subscriptions),
            (f"charges {whose}", totals.charge_count, register.charges),
            (f"refunds {whose}", totals.refund_count, register.refunds),
        ]
    for (account, token), units in counted.claimables.items():
        facts.append((f"units of {token} kept for {account}", units, books.claimables.get((account, token), 0)))
    for name, count, found in facts:
        if count != found:
            raise EventsInconsistent(
                f"by block {block} the contract counted {count} {name}, the events that {rpc.name} gave make {found}: "
                "it left some out, or changed its branch. Ask another node; if all say so, build the books anew in a "
                "new database"
            )


def claimable_accounts(books: Books) -> list[tuple[str, str]]:
    """Every account and token for which the contract may keep something: payees, those before them, and receivers of
    fees."""
    found = {(register.payee, register.token) for register in books.registers.values()} | books.claimables.keys()
    for plan in books.plans.values():
        found.add((plan.first_payee or plan.terms.payee, plan.terms.token))
        if plan.terms.fee_receiver is not None:
            found.add((plan.terms.fee_receiver, plan.terms.token))
    return sorted(found)


def accounts_of(
    books: Books,
    registers: Iterable[Register],
    subscriptions: Iterable[Subscription],
    invoices: Iterable[Invoice],
    claimables: Iterable[ClaimableBalance],
) -> set[str]:
    """Who is paid, or was to be, by what changed."""
    plans = [books.plans[plan_id].terms for plan_id in {subscription.plan_id for subscription in subscriptions}]
    found = {terms.payee for terms in plans} | {terms.fee_receiver for terms in plans if terms.fee_receiver}
    found |= {register.payee for register in registers}
    return found | {invoice.payee for invoice in invoices} | {balance.account for balance in claimables}
