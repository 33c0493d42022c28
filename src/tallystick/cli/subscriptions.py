"""`tallystick subscriptions`: from a payer's consent to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, TextIO

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.output import Record, Table, Time, shown
from tallystick.config import Config
from tallystick.core.money import Amount, Token
from tallystick.core.subscription import Status, Subscription

if TYPE_CHECKING:
    from tallystick.chain.subscriptions import Sent
    from tallystick.flows.connect import Connection

FUNDINGS = ("auto", "permit", "approve", "allowance")
_STATUSES = tuple(status.name.lower() for status in Status)
_periods = click.option(
    "--periods",
    type=click.IntRange(1),
    default=12,
    show_default=True,
    help="For how many periods the contract may move the price; the first is paid at once.",
)


@click.group()
def subscriptions() -> None:
    """Subscribe, sign mandates, show, cancel.

    A payer subscribes directly, or signs a mandate that anyone submits: then the payer needs no coin for gas.
    """


@subscriptions.command(
    epilog=examples(
        "TALLYSTICK_KEY=0x... tallystick subscriptions subscribe 1",
        "tallystick subscriptions subscribe 1 --funding approve --periods 6",
    )
)
@click.argument("plan_id", type=int)
@click.option(
    "--funding",
    type=click.Choice(FUNDINGS),
    default="auto",
    show_default=True,
    help="How the contract gets the right to move the tokens: by a permit, an approval, or an allowance that is there.",
)
@_periods
@configured
@shown
def subscribe(config: Config, plan_id: int, funding: str, periods: int) -> Record:
    """Subscribe the account that signs to a plan. It pays the first period now."""
    from tallystick.flows.connect import open_contract
    from tallystick.flows.subscribe import Funding
    from tallystick.flows.subscribe import subscribe as subscribe_payer

    connection = open_contract(unlocked(config), signing=True)
    return _opened(connection, subscribe_payer(connection, plan_id, funding=Funding(funding), periods=periods))


@subscriptions.command(
    epilog=examples(
        "TALLYSTICK_KEY=0x... tallystick subscriptions sign 1 --out mandate.json",
        "tallystick subscriptions sign 1 --valid-hours 24 | ssh merchant tallystick subscriptions submit -",
    )
)
@click.argument("plan_id", type=int)
@click.option(
    "--funding",
    type=click.Choice([funding for funding in FUNDINGS if funding != "approve"]),
    default="auto",
    show_default=True,
    help="With a permit where the token takes one, or from an allowance that is there.",
)
@_periods
@click.option(
    "--valid-hours", type=click.IntRange(1), default=168, show_default=True, help="How long it may be submitted."
)
@click.option("--out", type=click.File("w", encoding="utf-8"), default="-", metavar="FILE", help="Write it here.")
@configured
def sign(config: Config, plan_id: int, funding: str, periods: int, valid_hours: int, out: TextIO) -> None:
    """Sign a mandate: consent to a plan, for anyone to submit. Nothing is sent, and no gas is needed.

    The mandate is JSON, on standard output or in a file. Whoever has it can subscribe the payer to this plan, once,
    and to nothing else.
    """
    from tallystick.flows.connect import open_contract
    from tallystick.flows.subscribe import Funding, sign_mandate

    connection = open_contract(unlocked(config), signing=True)
    signed = sign_mandate(connection, plan_id, funding=Funding(funding), periods=periods, valid_s=valid_hours * 3600)
    out.write(signed.render())
    click.echo(f"{signed.mandate.payer} agrees to plan {plan_id}, salt {signed.mandate.salt}", err=True)
    if signed.permit is None:
        click.echo(f"without a permit: first `tallystick subscriptions approve {plan_id}`", err=True)


@subscriptions.command(
    epilog=examples("tallystick subscriptions submit mandate.json", "tallystick subscriptions submit - < mandate.json")
)
@click.argument("file", type=click.File("rb"))
@configured
@shown
def submit(config: Config, file: BinaryIO) -> Record:
    """Submit a payer's signed mandate. The account that signs here pays the gas, the payer the first period."""
    from tallystick.core.mandate import parse_mandate
    from tallystick.flows.connect import open_contract
    from tallystick.flows.subscribe import submit_mandate

    signed = parse_mandate(file.read())
    connection = open_contract(unlocked(config), signing=True)
    return _opened(connection, submit_mandate(connection, signed))


@subscriptions.command(
    epilog=examples("tallystick subscriptions revoke 8123771     the salt, as it stands in the mandate")
)
@click.argument("salt", type=click.IntRange(0, 2**256 - 1))
@configured
@shown
def revoke(config: Config, salt: int) -> Record:
    """Make the mandate with this SALT worthless before anybody submits it.

    A subscription that it began already stays: cancel that.
    """
    from tallystick.flows.connect import open_contract

    connection = open_contract(unlocked(config), signing=True)
    sent = connection.contract.revoke_mandate(salt)
    return Record({"payer": connection.sender.address, "salt": salt, "transaction": sent.receipt.transaction})


@subscriptions.command(epilog=examples("tallystick subscriptions approve 1 --periods 12"))
@click.argument("plan_id", type=int)
@_periods
@configured
@shown
def approve(config: Config, plan_id: int, periods: int) -> Record:
    """Let the contract move more of the signing account's tokens: PERIODS more periods of a plan."""
    from tallystick.flows.connect import open_contract
    from tallystick.flows.subscribe import approve as approve_periods

    connection = open_contract(unlocked(config), signing=True)
    terms = connection.contract.plan(plan_id).terms
    receipts = approve_periods(connection, plan_id, periods)
    token = connection.token(terms.token)
    allowance_units = token.allowance(connection.sender.address, connection.contract.address)
    return Record(
        {
            "payer": connection.sender.address,
            "allowance": Amount(allowance_units, token.describe()),
            "transactions": [receipt.transaction for receipt in receipts],
        }
    )


@subscriptions.command(epilog=examples("tallystick subscriptions show 118 --json"))
@click.argument("subscription_id", type=int)
@configured
@shown
def show(config: Config, subscription_id: int) -> Record:
    """One subscription as it stands on the chain, and what its payer could pay now."""
    from tallystick.flows.connect import open_contract

    connection = open_contract(config)
    return Record(_values(connection, connection.contract.subscription(subscription_id)))


@subscriptions.command(
    epilog=examples("tallystick subscriptions cancel 118 --at-period-end", "tallystick subscriptions cancel 118")
)
@click.argument("subscription_id", type=int)
@click.option("--at-period-end", is_flag=True, help="Let the paid period run out first.")
@configured
@shown
def cancel(config: Config, subscription_id: int, at_period_end: bool) -> Record:
    """End a subscription, now or with its paid period. Its payer and its payee may."""
    from tallystick.flows.connect import open_contract

    connection = open_contract(unlocked(config), signing=True)
    contract = connection.contract
    sent = contract.cancel_at_period_end(subscription_id) if at_period_end else contract.cancel(subscription_id)
    found = contract.subscription(subscription_id)
    return Record(
        {
            "subscription_id": subscription_id,
            "status": found.status,
            "paid_until": Time(found.next_due),
            "transaction": sent.receipt.transaction,
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
        rows.append(_row(subscription) | {"price": Amount(terms.price_units, token), "period": str(terms.period)})
    return Table(rows, empty="no such subscriptions in the mirror: `tallystick index --once` brings it up to date")


def _row(subscription: Subscription) -> dict[str, object]:
    return {
        "subscription_id": subscription.subscription_id,
        "status": subscription.status,
        "payer": subscription.payer,
        "plan_id": subscription.plan_id,
        "charges": subscription.charges,
        "next_due": Time(subscription.next_due) if subscription.status is Status.ACTIVE else None,
    }


def _values(connection: Connection, subscription: Subscription) -> dict[str, object]:
    """A subscription with its plan, and whether the payer's next charge would find money."""
    terms = connection.contract.plan(subscription.plan_id).terms
    contract = connection.token(terms.token)
    token = contract.describe()
    return _row(subscription) | {
        "price": Amount(terms.price_units, token),
        "period": str(terms.period),
        "payee": terms.payee,
        "paid_until": None if subscription.status is Status.PAUSED else Time(subscription.next_due),
        "payer_balance": Amount(contract.balance(subscription.payer), token),
        "payer_allowance": Amount(contract.allowance(subscription.payer, connection.contract.address), token),
    }


def _opened(connection: Connection, sent: Sent) -> Record:
    from tallystick.core.events import Charged, Subscribed

    opened, charged = sent.one(Subscribed), sent.one(Charged)
    token = connection.token(connection.contract.plan(opened.plan_id).terms.token).describe()
    return Record(
        {
            "subscription_id": opened.subscription_id,
            "payer": opened.payer,
            "plan_id": opened.plan_id,
            "paid": Amount(charged.amount_units, token),
            "paid_until": Time(charged.period_end),
            "transaction": sent.receipt.transaction,
        },
        note="Next: tallystick index --once brings it into the books",
    )
