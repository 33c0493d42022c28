"""The queue of what did not go as agreed and waits for somebody, of all contracts of a chain, the oldest first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import Connection

from tallystick.chain.decode import SUBSCRIPTIONS
from tallystick.chain.decode_checkout import CHECKOUT
from tallystick.chain.decode_payments import PAYMENTS
from tallystick.chain.decoder import Decoder
from tallystick.core.dunning import advice
from tallystick.core.events import Claimable, Claimed, Declined
from tallystick.core.money import Token
from tallystick.core.open_item import ItemKind, OpenItem
from tallystick.core.payment import PaymentStatus
from tallystick.core.payment_events import PayoutClaimed, PayoutKept
from tallystick.core.subscription import DeclineReason, NextCharge, Subscription, next_charge
from tallystick.flows.checkout_books import read_checkout_present
from tallystick.flows.mirror import StoredBooks
from tallystick.flows.pending import read_present
from tallystick.flows.pending_payments import all_payments, read_payments_present
from tallystick.flows.recognise import ANY_PLAN, OwnPlans
from tallystick.flows.reconcile_deposits import open_deposits
from tallystick.storage.attempts import last_attempts
from tallystick.storage.database import reading
from tallystick.storage.events import read_events
from tallystick.storage.expected import read_expected
from tallystick.storage.pending import newest_time
from tallystick.storage.sources import Source
from tallystick.storage.subscriptions import due_subscription_ids
from tallystick.storage.tokens import read_tokens


def reconcile_exceptions(books: StoredBooks, own: OwnPlans = ANY_PLAN) -> list[tuple[OpenItem, Token]]:
    """Everything that is open in the books, as of the newest mirrored block: of the merchant's `own` plans and payees,
    each with its token, a nameless one where the books do not know it. No node is asked. Raises DatabaseError."""
    items: list[OpenItem] = []
    with reading(books.engine) as connection:
        tokens = read_tokens(connection, books.source.chain_id)
        items += _charges(connection, books.source, own)
        present = read_present(connection, books.source, {}).books
        items += _kept(connection, books.source, SUBSCRIPTIONS, present.claimables, own.payees, _claim_charges)
        if books.escrow is not None:
            items += _payments(connection, books.escrow, own.payees)
            owed = read_payments_present(connection, books.escrow, {}).books.claimables
            items += _kept(connection, books.escrow, PAYMENTS, owed, own.payees, _claim_payments)
        if books.checkout is not None:
            for one in read_expected(connection, books.checkout.source_id, unseen=True):
                tokens.setdefault(one.token, Token(books.source.chain_id, one.token, one.symbol, one.decimals))
            items += open_deposits(connection, books.checkout, own.payees)
            owed = read_checkout_present(connection, books.checkout, {}).books.claimables
            items += _kept(connection, books.checkout, CHECKOUT, owed, own.payees, _claim_sales)
    items.sort(key=lambda item: (item.since, item.kind.value, item.about))
    nameless = Token(books.source.chain_id, "", "", 0)
    return [
        (item, tokens.get(item.token) or replace(nameless, address=item.token, symbol=f"units of {item.token}"))
        for item in items
    ]


# --- charges ---


class _Decline(NamedTuple):
    time: int
    reason: DeclineReason
    retry_at: int | None


def _charges(connection: Connection, source: Source, own: OwnPlans) -> Iterator[OpenItem]:
    """Charges that are due now, and why they did not happen: tried by the biller, or by anybody on chain."""
    now = newest_time(connection, source)
    books = read_present(connection, source, {}, due_subscription_ids(connection, source.source_id, now)).books
    due: list[tuple[Subscription, NextCharge]] = []
    for subscription in books.subscriptions.values():
        plan = books.plans[subscription.plan_id]
        if subscription.is_due(plan.terms, now) and not own.objection(plan.plan_id, plan.terms):
            scheduled = subscription.scheduled and books.plans[subscription.scheduled.plan_id].terms
            due.append((subscription, next_charge(subscription, plan.terms, now, scheduled)))
    declines = _declines(connection, source, due)
    for subscription, charge in due:
        number, terms = subscription.subscription_id, books.plans[charge.plan_id].terms
        last = declines.get(number)
        advised = advice(last.reason) if last else None
        yield OpenItem(
            ItemKind.DECLINED if last else ItemKind.OVERDUE,
            charge.period_start,
            f"subscription {number}",
            subscription.payer,
            terms.token,
            None if terms.quoter else charge.amount_units,
            f"{last.reason.word}: {advised.text}" if last and advised else "nobody tried to charge it",
            last.retry_at if last else None,
            "tallystick bill --once",
        )


def _declines(
    connection: Connection, source: Source, due: Collection[tuple[Subscription, NextCharge]]
) -> dict[int, _Decline]:
    """The last decline of what is due, by subscription. On chain it names the due time that the subscription had."""
    found: dict[int, _Decline] = {}
    waiting = {subscription.subscription_id: (subscription, charge) for subscription, charge in due}
    for row in read_events(connection, source.source_id, names=("Declined",)) if waiting else ():
        event = SUBSCRIPTIONS.decode(row.name, row.topics, row.data)
        assert isinstance(event, Declined)
        if event.subscription_id in waiting and event.due == waiting[event.subscription_id][0].next_due:
            found[event.subscription_id] = _Decline(row.origin.block_time, event.reason, None)
    for (number, start), attempt in last_attempts(connection, source.source_id, sorted(waiting)).items():
        before = found.get(number)
        if start == waiting[number][1].period_start and (before is None or before.time <= attempt.time):
            found[number] = _Decline(attempt.time, DeclineReason[attempt.reason.upper()], attempt.retry_at)
    return found


# --- escrow ---


def _payments(connection: Connection, source: Source, payees: Collection[str]) -> Iterator[OpenItem]:
    """Disputes, and what is held after the payee's time."""
    now = newest_time(connection, source)
    for payment in all_payments(connection, source).values():
        terms, name = payment.terms, f"0x{payment.payment_id.hex()}"
        if payees and terms.payee not in payees:
            continue
        whose = f"payment {name}", terms.payer, terms.token, payment.held_units
        if payment.status is PaymentStatus.DISPUTED:
            until = payment.since + terms.ruling_timeout_s
            if now < until:
                why, to_do = "the arbiter has not ruled: show it what you have", f"evidence submit {name} FILE"
            else:
                why, to_do = "the arbiter was silent: anyone may divide it by the terms", f"rule {name} --default"
            yield OpenItem(
                ItemKind.DISPUTED,
                payment.since,
                *whose,
                why,
                until if now < until else None,
                f"tallystick escrow {to_do}",
            )
        elif payment.status is PaymentStatus.OPEN and now >= terms.capture_before:
            why = "the payee can capture no more: give it back, as anyone may"
            to_do = f"tallystick escrow reclaim {name}"
            yield OpenItem(ItemKind.UNCAPTURED, terms.capture_before, *whose, why, None, to_do)


# --- what is kept ---


def _kept(
    connection: Connection,
    source: Source,
    decoder: Decoder[Any],
    owed: Mapping[tuple[str, str], int],
    payees: Collection[str],
    claim: Callable[[str, str], str],
) -> Iterator[OpenItem]:
    """What a contract keeps for accounts that could not receive it, since the first of it came after the last claim."""
    left = {pair: units for pair, units in owed.items() if units and (not payees or pair[0] in payees)}
    if not left:
        return
    since: dict[tuple[str, str], int] = {}
    names = tuple(name for name in ("Claimable", "Claimed", "PayoutKept", "PayoutClaimed") if name in decoder.shapes)
    for row in read_events(connection, source.source_id, names=names):
        match decoder.decode(row.name, row.topics, row.data):
            case Claimable(account=account, token=token) | PayoutKept(account=account, token=token):
                since.setdefault((account, token), row.origin.block_time)
            case Claimed(account=account, token=token) | PayoutClaimed(account=account, token=token):
                since.pop((account, token), None)
    for (account, token), units in left.items():
        yield OpenItem(
            ItemKind.UNCLAIMED,
            since[account, token],
            f"kept by {source.kind}",
            account,
            token,
            units,
            "the account could not receive it: have it paid out when it can",
            None,
            claim(account, token),
        )


def _claim_charges(account: str, token: str) -> str:
    return f"tallystick claims pay {token} --account {account}"


def _claim_payments(account: str, token: str) -> str:
    return f"tallystick escrow claim {token} --account {account}"


def _claim_sales(account: str, token: str) -> str:
    return f"tallystick checkout claim {account} {token}"
