"""`tallystick subscriptions`, its first half: a payer's consent."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, TextIO

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.output import Record, Time, shown
from tallystick.config import Config
from tallystick.core.money import Amount
from tallystick.errors import InputError

if TYPE_CHECKING:
    from tallystick.chain.subscriptions import Sent
    from tallystick.core.cancellation import Cancellation, Revocation, SignedEnd
    from tallystick.flows.connect import Connection

FUNDINGS = ("auto", "permit", "approve", "allowance")
_periods = click.option(
    "--periods",
    type=click.IntRange(1),
    default=12,
    show_default=True,
    help="For how many periods the contract may move the price, and usage up to its cap; the first is paid at once.",
)
_seats = click.option(
    "--seats", type=click.IntRange(0), default=0, help="How many, where the plan sells seats; else leave it out."
)


@click.command(
    epilog=examples(
        "TALLYSTICK_KEY=0x... tallystick subscriptions subscribe 1",
        "tallystick subscriptions subscribe 1 --funding approve --periods 6",
        "tallystick subscriptions subscribe 2 --seats 5       a plan that sells seats",
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
@_seats
@configured
@shown
def subscribe(config: Config, plan_id: int, funding: str, periods: int, seats: int) -> Record:
    """Subscribe the account that signs to a plan. It pays the first period now, or begins the plan's trial."""
    from tallystick.flows.connect import open_contract
    from tallystick.flows.subscribe import Funding
    from tallystick.flows.subscribe import subscribe as subscribe_payer

    connection = open_contract(unlocked(config), signing=True)
    sent = subscribe_payer(connection, plan_id, seats=seats, funding=Funding(funding), periods=periods)
    return _opened(connection, sent)


@click.command(
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
@_seats
@click.option(
    "--valid-hours", type=click.IntRange(1), default=168, show_default=True, help="How long it may be submitted."
)
@click.option("--out", type=click.File("w", encoding="utf-8"), default="-", metavar="FILE", help="Write it here.")
@configured
def sign(config: Config, plan_id: int, funding: str, periods: int, seats: int, valid_hours: int, out: TextIO) -> None:
    """Sign a mandate: consent to a plan, for anyone to submit. Nothing is sent, and no gas is needed.

    The mandate is JSON, on standard output or in a file. Whoever has it can subscribe the payer to this plan, once,
    and to nothing else.
    """
    from tallystick.flows.connect import open_contract
    from tallystick.flows.fund import Funding
    from tallystick.flows.sign import sign_mandate

    connection = open_contract(unlocked(config), signing=True)
    signed = sign_mandate(
        connection,
        plan_id,
        seats=seats,
        funding=Funding(funding),
        periods=periods,
        valid_s=valid_hours * 3600,
    )
    out.write(signed.render())
    click.echo(f"{signed.mandate.payer} agrees to plan {plan_id}, salt {signed.mandate.salt}", err=True)
    if signed.permit is None:
        click.echo(f"without a permit: first `tallystick subscriptions approve {plan_id}`", err=True)


@click.command(
    epilog=examples("tallystick subscriptions submit mandate.json", "tallystick subscriptions submit - < mandate.json")
)
@click.argument("file", type=click.File("rb"))
@configured
@shown
def submit(config: Config, file: BinaryIO) -> Record:
    """Submit a payer's signed mandate. The account that signs here pays the gas, the payer the first period."""
    from tallystick.core.mandate import parse_mandate
    from tallystick.flows.connect import open_contract
    from tallystick.flows.submit import submit_mandate

    signed = parse_mandate(file.read())
    connection = open_contract(unlocked(config), signing=True)
    return _opened(connection, submit_mandate(connection, signed))


@click.command(
    epilog=examples(
        "tallystick subscriptions revoke 8123771                  the salt, as it stands in the mandate",
        "tallystick subscriptions revoke --signed revoked.json    what the payer signed, sent by anyone",
    )
)
@click.argument("salt", type=click.IntRange(0, 2**256 - 1), required=False)
@click.option("--signed", type=click.File("rb"), metavar="FILE", help="A payer's `sign-revocation`, instead of a salt.")
@configured
@shown
def revoke(config: Config, salt: int | None, signed: BinaryIO | None) -> Record:
    """Make the mandate with this SALT worthless before anybody submits it.

    A subscription that it began already stays: cancel that.
    """
    from tallystick.core.cancellation import Revocation
    from tallystick.core.events import MandateRevoked
    from tallystick.flows.cancel import submit_end
    from tallystick.flows.connect import open_contract

    if (salt is None) == (signed is None):
        raise click.UsageError("name the salt, or give what the payer signed with --signed FILE")
    end = read_signed(signed, Revocation) if signed else None
    connection = open_contract(unlocked(config), signing=True)
    if end is not None:
        sent = submit_end(connection, end)
    else:
        assert salt is not None
        sent = connection.contract.revoke_mandate(salt)
    revoked = sent.one(MandateRevoked)
    return Record({"payer": revoked.payer, "salt": revoked.salt, "transaction": sent.receipt.transaction})


@click.command(
    "sign-revocation",
    epilog=examples("TALLYSTICK_KEY=0x... tallystick subscriptions sign-revocation 8123771 --out revoked.json"),
)
@click.argument("salt", type=click.IntRange(0, 2**256 - 1))
@click.option("--out", type=click.File("w", encoding="utf-8"), default="-", metavar="FILE", help="Write it here.")
@configured
def sign_revocation(config: Config, salt: int, out: TextIO) -> None:
    """Sign that the mandate with this SALT is worthless, for anyone to send. No gas is needed."""
    from tallystick.flows.cancel import sign_revocation as sign_it
    from tallystick.flows.connect import open_contract

    out.write(sign_it(open_contract(unlocked(config), signing=True), salt).render())
    click.echo("to send it: tallystick subscriptions revoke --signed FILE", err=True)


def read_signed(file: BinaryIO, kind: type[Cancellation | Revocation]) -> SignedEnd:
    """What a payer signed to end something. Raises InputError where it is something else."""
    from tallystick.core.cancellation import parse_end

    signed = parse_end(file.read())
    if not isinstance(signed.end, kind):
        found = type(signed.end).__name__.lower()
        raise InputError(
            f"found a signed {found}, this takes a {kind.__name__.lower()}: send it with the other command"
        )
    return signed


@click.command(epilog=examples("tallystick subscriptions approve 1 --periods 12"))
@click.argument("plan_id", type=int)
@_periods
@click.option("--seats", type=click.IntRange(0), help="How many seats they are for.  [default: as few as it sells]")
@configured
@shown
def approve(config: Config, plan_id: int, periods: int, seats: int | None) -> Record:
    """Let the contract move more of the signing account's tokens: PERIODS more periods of a plan."""
    from tallystick.flows.connect import open_contract
    from tallystick.flows.fund import approve as approve_periods

    connection = open_contract(unlocked(config), signing=True)
    terms = connection.contract.plan(plan_id).terms
    receipts = approve_periods(connection, plan_id, periods, seats)
    token = connection.token(terms.token)
    allowance_units = token.allowance(connection.sender.address, connection.contract.address)
    return Record(
        {
            "payer": connection.sender.address,
            "allowance": Amount(allowance_units, token.describe()),
            "transactions": [receipt.transaction for receipt in receipts],
        }
    )


def _opened(connection: Connection, sent: Sent) -> Record:
    from tallystick.core.events import Charged, Subscribed

    opened = sent.one(Subscribed)
    charged = next((event for event in sent.events if isinstance(event, Charged)), None)
    token = connection.token(connection.contract.plan(opened.plan_id).terms.token).describe()
    return Record(
        {
            "subscription_id": opened.subscription_id,
            "payer": opened.payer,
            "plan_id": opened.plan_id,
            "paid": Amount(charged.amount_units if charged else 0, token),
            "paid_until": Time(charged.period_end if charged else opened.first_due),
            "trial": charged is None,
            "transaction": sent.receipt.transaction,
        },
        note="Next: tallystick index --once brings it into the books",
    )
