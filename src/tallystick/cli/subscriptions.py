"""`tallystick subscriptions`: from a payer's consent to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.changes import change, lower_price, propose_plan, quote, sign_change
from tallystick.cli.conditions import percent, redeem, set_conditions
from tallystick.cli.consent import approve, revoke, sign, sign_revocation, submit, subscribe
from tallystick.cli.endings import cancel, sign_cancellation, stop
from tallystick.cli.output import Record, Span, Table, Time, shown
from tallystick.cli.usage import charge_usage
from tallystick.cli.wallets import (
    change_payer,
    drop_fallback,
    set_fallback,
    set_fallback_plan,
    sign_fallback,
    sign_payer_change,
)
from tallystick.config import Config
from tallystick.core.money import Amount, Token
from tallystick.core.plan import PlanTerms
from tallystick.core.subscription import DeclineReason, Status, Subscription

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tallystick.core.events import Recorded
    from tallystick.flows.connect import Connection
    from tallystick.flows.describe import SubscriptionState

_STATUSES = tuple(status.name.lower() for status in Status)
_TIMES = {"first_due", "period_start", "period_end", "due", "ends_at", "next_due"}
"""Values of events that are times."""


@click.group()
def subscriptions() -> None:
    """Subscribe, sign mandates, show, set conditions, redeem, change, hand over, charge usage, pause, cancel, stop.

    A payer subscribes directly, or signs a mandate that anyone submits: then the payer needs no coin for gas.
    """


for _command in (
    subscribe,
    sign,
    submit,
    revoke,
    sign_revocation,
    approve,
    set_conditions,
    redeem,
    quote,
    change,
    sign_change,
    lower_price,
    propose_plan,
    sign_payer_change,
    change_payer,
    sign_fallback,
    set_fallback,
    set_fallback_plan,
    drop_fallback,
    cancel,
    sign_cancellation,
    stop,
    charge_usage,
):
    subscriptions.add_command(_command)


@subscriptions.command(
    epilog=examples(
        "tallystick subscriptions show 118 --json",
        "tallystick subscriptions show 118 --history          and everything that happened to it",
    )
)
@click.argument("subscription_id", type=int)
@click.option("--history", is_flag=True, help="What happened so far, from the contract's logs; it may take a while.")
@configured
@shown
def show(config: Config, subscription_id: int, history: bool) -> Record:
    """One subscription as it stands on the chain, what is charged next, and whether its payer could pay that now."""
    from tallystick.flows.connect import open_contract
    from tallystick.flows.describe import describe

    connection = open_contract(config)
    found = connection.contract.subscription(subscription_id)
    return Record(_values(connection, describe(connection, found, history=history)))


@subscriptions.command(epilog=examples("tallystick subscriptions preview 118"))
@click.argument("subscription_id", type=int)
@configured
@shown
def preview(config: Config, subscription_id: int) -> Record:
    """What a charge would do now, and why it would decline."""
    from tallystick.flows.connect import open_contract

    connection = open_contract(config)
    found = connection.contract.preview(subscription_id)
    token = connection.token(connection.contract.plan(found.plan_id).terms.token).describe()
    return Record(
        {
            "subscription_id": subscription_id,
            "plan_id": found.plan_id,
            "would_decline": None if found.reason is DeclineReason.NONE else found.reason,
            "amount": Amount(found.amount_units, token),
            "credit_used": Amount(found.credit_used_units, token),
            "period_start": Time(found.period_start) if found.period_end else None,
            "period_end": Time(found.period_end) if found.period_end else None,
        }
    )


@subscriptions.command(epilog=examples("tallystick subscriptions pause 118"))
@click.argument("subscription_id", type=int)
@configured
@shown
def pause(config: Config, subscription_id: int) -> Record:
    """Stop the clock within a paid period: nothing is charged, and what is left is kept. Its payer may."""
    from tallystick.core.events import Paused
    from tallystick.flows.connect import open_contract

    sent = open_contract(unlocked(config), signing=True).contract.pause(subscription_id)
    return Record(
        {
            "subscription_id": subscription_id,
            "status": Status.PAUSED,
            "seconds_left": sent.one(Paused).left,
            "transaction": sent.receipt.transaction,
        },
        note=f"To go on: tallystick subscriptions resume {subscription_id}",
    )


@subscriptions.command(epilog=examples("tallystick subscriptions resume 118"))
@click.argument("subscription_id", type=int)
@configured
@shown
def resume(config: Config, subscription_id: int) -> Record:
    """Let the clock of a paused subscription go on. Its payer may."""
    from tallystick.core.events import Resumed
    from tallystick.flows.connect import open_contract

    sent = open_contract(unlocked(config), signing=True).contract.resume(subscription_id)
    return Record(
        {
            "subscription_id": subscription_id,
            "status": Status.ACTIVE,
            "next_due": Time(sent.one(Resumed).next_due),
            "transaction": sent.receipt.transaction,
        }
    )


@subscriptions.command(
    "list",
    epilog=examples(
        "tallystick subscriptions list --status active --plan 1",
        "tallystick subscriptions list --payer 0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC --json",
    ),
)
@click.option("--payer", metavar="ADDRESS", help="Of this payer only.")
@click.option("--plan", "plan_id", type=int, metavar="NUMBER", help="To this plan only.")
@click.option("--status", type=click.Choice(_STATUSES), help="In this state only.")
@configured
@shown
def list_subscriptions(config: Config, payer: str | None, plan_id: int | None, status: str | None) -> Table:
    """The subscriptions in the mirror (`tallystick index`), pending blocks included."""
    from tallystick.core.address import parse_address
    from tallystick.flows.find import find_subscriptions
    from tallystick.flows.mirror import open_books

    wanted = parse_address(payer) if payer else None
    books = open_books(config)
    found = find_subscriptions(books, payer=wanted, plan_id=plan_id, status=Status[status.upper()] if status else None)
    chain_id = books.source.chain_id
    rows = []
    for subscription, terms, known in found:
        token = known or Token(chain_id, terms.token, f"units of {terms.token}", 0)
        rows.append(
            _row(subscription) | {"price": _price(terms, subscription.seats, token), "period": str(terms.period)}
        )
    return Table(rows, empty="no such subscriptions in the mirror: `tallystick index --once` brings it up to date")


def _price(terms: PlanTerms, seats: int, token: Token) -> Amount | None:
    """Of a period; None where it is quoted at each charge."""
    return None if terms.quoter else Amount(terms.rate(seats), token)


def _row(subscription: Subscription) -> dict[str, object]:
    return {
        "subscription_id": subscription.subscription_id,
        "status": subscription.status,
        "payer": subscription.payer,
        "plan_id": subscription.plan_id,
        "seats": subscription.seats or None,
        "charges": subscription.charges,
        "next_due": Time(subscription.next_due) if subscription.status is Status.ACTIVE else None,
    }


def _values(connection: Connection, state: SubscriptionState) -> dict[str, object]:
    """A subscription with its plan, its next charge, and what its payer has and allows."""
    from tallystick.flows.fund import allowance_of

    subscription, terms, coming = state.subscription, state.plan.terms, state.next_charge
    limits, discount, scheduled = state.conditions, state.discount, state.scheduled
    contract = connection.token(terms.token)
    token = contract.describe()
    coming_token = connection.token(coming.token).describe() if coming else token
    values = _row(subscription) | {
        "price": _price(terms, subscription.seats, token),
        "period": str(terms.period),
        "payee": terms.payee,
        "credit": Amount(state.credit_units, token),
        "paid_until": None if subscription.status is Status.PAUSED else Time(subscription.next_due),
        "next_charge": coming
        and {
            "amount": Amount(coming.amount_units, coming_token),
            "credit_used": Amount(coming.credit_units, coming_token),
            "period_start": Time(coming.period_start),
            "period_end": Time(coming.period_end),
            "plan_id": coming.plan_id,
            "seats": coming.seats or None,
            "alternative_plan_id": coming.alternative_id,
            "would_decline": None if coming.decline is DeclineReason.NONE else coming.decline,
            "missing": None if coming.missing is DeclineReason.NONE else coming.missing,
        },
        "scheduled": scheduled and {"plan_id": scheduled.plan_id, "seats": scheduled.seats or None},
        "discount": discount
        and {
            "percent_off": percent(discount.basis_points_off),
            "amount_off": Amount(discount.amount_off_units, token),
            "periods": discount.periods,
        },
        "max_per_period": Amount(limits.max_per_period_units, token) if limits.max_per_period_units else None,
        "max_total_left": Amount(limits.max_total_units, token) if limits.max_total_units else None,
        "ends_at": Time(limits.ends_at) if limits.ends_at else None,
        "beneficiary": state.beneficiary,
        "by_permit2": limits.by_permit2,
        "fallback_wallet": state.fallback_wallet,
        "fallback_plan_id": state.fallback_plan_id,
        "usage_left": None if state.usage_left_units is None else Amount(state.usage_left_units, token),
        "payer_balance": Amount(contract.balance(subscription.payer), token),
        "payer_allowance": Amount(
            allowance_of(connection, terms.token, subscription.payer, by_permit2=limits.by_permit2), token
        ),
    }
    if state.history is not None:
        values["history"] = _past(connection, state.history, token)
    return values


def _past(connection: Connection, history: Sequence[Recorded], token: Token) -> list[dict[str, object]]:
    """Everything that happened; what was paid in another token, and refunds of it, in that one."""
    from tallystick.core.events import PaidInAlternative

    others: dict[int, Token] = {}
    found = []
    for recorded in history:
        event = recorded.event
        if isinstance(event, PaidInAlternative):
            address = connection.contract.plan(event.alternative_plan_id).terms.token
            others[event.charge_number] = connection.token(address).describe()
        found.append(_happened(recorded, others.get(getattr(event, "charge_number", 0), token)))
    return found


def _happened(recorded: Recorded, token: Token) -> dict[str, object]:
    """An event as people and programs read it."""
    name = type(recorded.event).__name__
    values: dict[str, object] = {}
    for field, value in recorded.event._asdict().items():
        if field == "subscription_id":
            continue
        if field.endswith("_units"):
            values[field.removesuffix("_units")] = Amount(value, token)
        elif field == "left":
            values[field] = Span(value)
        else:
            values[field] = Time(value) if field in _TIMES else value
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).removeprefix("_")
    return {
        "time": Time(recorded.origin.block_time),
        "block": recorded.origin.block_number,
        "event": words,
        "values": values,
        "transaction": recorded.origin.transaction_hash,
    }
