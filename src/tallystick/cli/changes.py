"""`tallystick subscriptions`: other plans, other seats, lower prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, TextIO

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.consent import FUNDINGS
from tallystick.cli.output import Record, Time, shown
from tallystick.cli.spans import SPAN
from tallystick.config import Config
from tallystick.core.money import Amount

if TYPE_CHECKING:
    from tallystick.chain.subscriptions import Sent
    from tallystick.flows.change import Offer
    from tallystick.flows.connect import Connection

_seats = click.option("--seats", type=click.IntRange(0), help="How many.  [default: as many as now]")
_when = click.option(
    "--when",
    type=click.Choice(["now", "period-end"]),
    help="At once, or when the paid period ends.  [default: a lower or a quoted price at its end, else now]",
)


@click.command(
    epilog=examples(
        "tallystick subscriptions quote 118 2               to plan 2, with as many seats as now",
        "tallystick subscriptions quote 118 1 --seats 7     to 7 seats of plan 1",
    )
)
@click.argument("subscription_id", type=int)
@click.argument("plan_id", type=int)
@_seats
@_when
@configured
@shown
def quote(config: Config, subscription_id: int, plan_id: int, seats: int | None, when: str | None) -> Record:
    """What `change` would do. Sends nothing."""
    from tallystick.flows.change import When
    from tallystick.flows.change import quote as quote_change
    from tallystick.flows.connect import open_contract

    connection = open_contract(config)
    offer = quote_change(connection, subscription_id, plan_id, seats, When(when) if when else None)
    return Record(_offered(connection, subscription_id, offer))


@click.command(
    epilog=examples(
        "tallystick subscriptions change 118 2              to plan 2: a dearer one now, for what a quote says",
        "tallystick subscriptions change 118 1 --seats 7 --max-to-pay 12.50",
        "tallystick subscriptions change 118 3 --when now   a cheaper one now, the difference as credit",
        "tallystick subscriptions change 118 2 --when period-end",
        "tallystick subscriptions change --signed change.json          what the payer signed, sent by anyone",
    )
)
@click.argument("subscription_id", type=int, required=False)
@click.argument("plan_id", type=int, required=False)
@_seats
@_when
@click.option("--max-to-pay", metavar="AMOUNT", help="The most to be paid now.  [default: what `quote` says at_most]")
@click.option(
    "--funding",
    type=click.Choice([funding for funding in FUNDINGS if funding != "permit"]),
    default="auto",
    show_default=True,
    help="Where the allowance is too low: approve more, or take what is there.",
)
@click.option("--signed", type=click.File("rb"), metavar="FILE", help="A payer's `sign-change`; at the period's end.")
@configured
@shown
def change(
    config: Config,
    subscription_id: int | None,
    plan_id: int | None,
    seats: int | None,
    when: str | None,
    max_to_pay: str | None,
    funding: str,
    signed: BinaryIO | None,
) -> Record:
    """Change to another plan of the same payee and token, to other seats, or to both. Its payer may.

    Now: where the period stays the same the difference for the rest of it is paid, or credited to later charges;
    another period begins now and is paid, less what was left of the old one. At the period's end nothing is paid
    before; the present plan and seats take back what was scheduled.
    """
    from tallystick.core.money import parse_units
    from tallystick.core.plan_change import parse_plan_change
    from tallystick.flows.change import When, change_plan, submit_plan_change
    from tallystick.flows.connect import open_contract
    from tallystick.flows.subscribe import Funding

    if signed is not None:
        if (subscription_id, plan_id, seats, when, max_to_pay) != (None,) * 5:
            raise click.UsageError("give what the payer signed with --signed FILE alone")
        agreed = parse_plan_change(signed.read())
        connection = open_contract(unlocked(config), signing=True)
        return _changed(connection, agreed.change.subscription_id, submit_plan_change(connection, agreed))
    if subscription_id is None or plan_id is None:
        raise click.UsageError("name the subscription and the plan, or give what the payer signed with --signed FILE")
    connection = open_contract(unlocked(config), signing=True)
    plan = connection.contract.plan(plan_id)
    token = connection.token(plan.terms.token).describe()
    sent = change_plan(
        connection,
        subscription_id,
        plan,
        seats=seats,
        when=When(when) if when else None,
        max_to_pay_units=parse_units(max_to_pay, token.decimals) if max_to_pay else None,
        funding=Funding(funding),
    )
    return _changed(connection, subscription_id, sent)


def _changed(connection: Connection, subscription_id: int, sent: Sent) -> Record:
    from tallystick.core.events import ChangeScheduled, Charged, PlanChanged, Upgraded

    scheduled = next((event for event in sent.events if isinstance(event, ChangeScheduled)), None)
    upgraded = next((event for event in sent.events if isinstance(event, Upgraded)), None)
    changed = scheduled or upgraded or sent.one(PlanChanged)
    paid = next((event.amount_units for event in sent.events if isinstance(event, Charged | Upgraded)), 0)
    found = connection.contract.subscription(subscription_id)
    token = connection.token(connection.contract.plan(found.plan_id).terms.token).describe()
    return Record(
        {
            "subscription_id": subscription_id,
            "plan_id": changed.plan_id,
            "seats": scheduled.seats if scheduled else found.seats,
            "when": "period-end" if scheduled else "now",
            "paid": Amount(paid, token),
            "credit": Amount(found.credit_units, token),
            "next_due": Time(found.next_due),
            "transaction": sent.receipt.transaction,
        }
    )


@click.command(
    "sign-change",
    epilog=examples("TALLYSTICK_KEY=0x... tallystick subscriptions sign-change 118 2 --out change.json"),
)
@click.argument("subscription_id", type=int)
@click.argument("plan_id", type=int)
@_seats
@click.option("--valid", type=SPAN, default="7d", show_default=True, metavar="SPAN", help="How long it may be sent.")
@click.option("--out", type=click.File("w", encoding="utf-8"), default="-", metavar="FILE", help="Write it here.")
@configured
def sign_change(config: Config, subscription_id: int, plan_id: int, seats: int | None, valid: int, out: TextIO) -> None:
    """Sign a change to another plan, other seats, or both, at the period's end. Its payer may; no gas is needed."""
    from tallystick.flows.change import sign_plan_change
    from tallystick.flows.connect import open_contract

    connection = open_contract(unlocked(config), signing=True)
    out.write(sign_plan_change(connection, subscription_id, plan_id, seats=seats, valid_s=valid).render())
    click.echo("to send it: tallystick subscriptions change --signed FILE", err=True)


@click.command(
    "lower-price",
    epilog=examples("tallystick subscriptions lower-price 118 119 --plan 4     from the next charge on"),
)
@click.argument("subscription_ids", type=int, nargs=-1, required=True)
@click.option("--plan", "plan_id", type=int, required=True, metavar="NUMBER", help="The plan with the lower prices.")
@configured
@shown
def lower_price(config: Config, subscription_ids: tuple[int, ...], plan_id: int) -> Record:
    """Move subscriptions to a plan that differs by lower prices alone, from their next charge on. Its payee may.

    A higher price, or any other change, needs the payer: `change`.
    """
    from tallystick.core.events import PriceLowered
    from tallystick.flows.connect import open_contract

    sent = open_contract(unlocked(config), signing=True).contract.lower_price(subscription_ids, plan_id)
    return Record(
        {
            "subscriptions": [event.subscription_id for event in sent.events if isinstance(event, PriceLowered)],
            "plan_id": plan_id,
            "when": "period-end",
            "transaction": sent.receipt.transaction,
        }
    )


def _offered(connection: Connection, subscription_id: int, offer: Offer) -> dict[str, object]:
    token = connection.token(offer.plan.terms.token).describe()
    return {
        "subscription_id": subscription_id,
        "plan_id": offer.plan.plan_id,
        "seats": offer.seats,
        "when": offer.when.value,
        "to_pay": Amount(offer.to_pay_units, token),
        "credit": Amount(offer.credit_units, token),
        "next_due": Time(offer.next_due),
        "at_most": Amount(offer.max_to_pay_units, token),
    }
