"""`tallystick subscriptions`, its first half: a payer's consent."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, TextIO

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.conditions import Stated, conditions_options, coupon_option, read_coupon
from tallystick.cli.output import Record, Time, shown
from tallystick.cli.spans import SPAN
from tallystick.config import Config
from tallystick.core.money import Amount
from tallystick.errors import InputError

if TYPE_CHECKING:
    from tallystick.chain.subscriptions import Sent
    from tallystick.core.cancellation import Cancellation, Revocation, SignedEnd
    from tallystick.core.conditions import SignedMandateWithConditions
    from tallystick.core.mandate import SignedMandate
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
        "tallystick subscriptions subscribe 1 --max-per-period 12 --ends 2027-12-31 --coupon coupon.json",
        "tallystick subscriptions subscribe 1 --permit2       charged through Permit2",
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
@conditions_options(start=True)
@coupon_option
@configured
@shown
def subscribe(
    config: Config,
    plan_id: int,
    funding: str,
    periods: int,
    seats: int,
    stated: Stated,
    coupon_file: BinaryIO | None,
) -> Record:
    """Subscribe the account that signs to a plan. It pays the first period now, or begins the plan's trial.

    What is stated beside the plan bounds every charge, and is tried as a whole before anything is sent. A plan with a
    quoted price needs --max-per-period.
    """
    from tallystick.flows.connect import open_contract
    from tallystick.flows.subscribe import Funding
    from tallystick.flows.subscribe import subscribe as subscribe_payer

    coupon = read_coupon(coupon_file)
    connection = open_contract(unlocked(config), signing=True)
    plan = connection.contract.plan(plan_id)
    sent = subscribe_payer(
        connection,
        plan,
        seats=seats,
        funding=Funding(funding),
        periods=periods,
        conditions=stated.of(connection.token(plan.terms.token).describe()),
        coupon=coupon,
    )
    return _opened(connection, sent)


@click.command(
    epilog=examples(
        "TALLYSTICK_KEY=0x... tallystick subscriptions sign 1 --out mandate.json",
        "tallystick subscriptions sign 1 --valid-hours 24 | ssh merchant tallystick subscriptions submit -",
        "tallystick subscriptions sign 1 2 3 --max-per-period 25 --ends 2027-12-31      any one of three plans",
    )
)
@click.argument("plan_ids", type=int, nargs=-1, required=True, metavar="PLAN_ID...")
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
@conditions_options(start=True)
@click.option(
    "--min-period",
    type=SPAN,
    default=0,
    metavar="SPAN",
    help="The shortest that a period of the plan may be: 28d.",
)
@coupon_option
@configured
def sign(
    config: Config,
    plan_ids: tuple[int, ...],
    funding: str,
    periods: int,
    seats: int,
    valid_hours: int,
    out: TextIO,
    stated: Stated,
    min_period: int,
    coupon_file: BinaryIO | None,
) -> None:
    """Sign a mandate: consent to a plan, or to any one of several, for anyone to submit. Nothing is sent, and no gas is
    needed.

    The mandate is JSON, on standard output or in a file. Whoever has it can subscribe the payer to one of these plans,
    once, under these conditions, and to nothing else. Several plans have one payee, token and trial.
    """
    from tallystick.core.conditions import NO_CONDITIONS
    from tallystick.flows.connect import open_contract
    from tallystick.flows.fund import Funding
    from tallystick.flows.sign import sign_mandate, sign_mandate_with_conditions

    coupon = read_coupon(coupon_file)
    connection = open_contract(unlocked(config), signing=True)
    found = connection.contract.plans(plan_ids)
    conditions = stated.of(connection.token(found[0].terms.token).describe())
    valid_s, source = valid_hours * 3600, Funding(funding)
    signed: SignedMandate | SignedMandateWithConditions
    if len(found) == 1 and conditions == NO_CONDITIONS and coupon is None and not min_period:
        signed = sign_mandate(connection, found[0], seats=seats, funding=source, periods=periods, valid_s=valid_s)
    else:
        signed = sign_mandate_with_conditions(
            connection,
            found,
            seats=seats,
            conditions=conditions,
            min_period_s=min_period,
            coupon=coupon,
            funding=source,
            periods=periods,
            valid_s=valid_s,
        )
    out.write(signed.render())
    numbers = ", ".join(map(str, plan_ids))
    what = f"plan {numbers}" if len(plan_ids) == 1 else f"one of the plans {numbers}"
    click.echo(f"{signed.mandate.payer} agrees to {what}, salt {signed.mandate.salt}", err=True)
    if signed.permit is None:
        option = " --permit2" if conditions.by_permit2 else ""
        click.echo(f"without a permit: first `tallystick subscriptions approve {plan_ids[0]}{option}`", err=True)


@click.command(
    epilog=examples(
        "tallystick subscriptions submit mandate.json",
        "tallystick subscriptions submit - < mandate.json",
        "tallystick subscriptions submit mandate.json --plan 2 --coupon coupon.json",
    )
)
@click.argument("file", type=click.File("rb"))
@click.option("--plan", "plan_id", type=int, metavar="NUMBER", help="Which of its plans, where it names several.")
@coupon_option
@configured
@shown
def submit(config: Config, file: BinaryIO, plan_id: int | None, coupon_file: BinaryIO | None) -> Record:
    """Submit a payer's signed mandate. The account that signs here pays the gas, the payer the first period.

    Permits that came with a mandate with conditions are sent first where they are needed.
    """
    from tallystick.core.conditions import SignedMandateWithConditions, parse_any_mandate
    from tallystick.flows.connect import open_contract
    from tallystick.flows.submit import submit_mandate, submit_mandate_with_conditions

    signed, coupon = parse_any_mandate(file.read()), read_coupon(coupon_file)
    if not isinstance(signed, SignedMandateWithConditions) and (
        coupon or plan_id not in {None, signed.mandate.plan_id}
    ):
        raise click.UsageError(
            f"the mandate is for plan {signed.mandate.plan_id} and names no coupon: leave --plan and --coupon out"
        )
    connection = open_contract(unlocked(config), signing=True)
    if isinstance(signed, SignedMandateWithConditions):
        return _opened(connection, submit_mandate_with_conditions(connection, signed, plan_id=plan_id, coupon=coupon))
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


@click.command(
    epilog=examples(
        "tallystick subscriptions approve 1 --periods 12",
        "tallystick subscriptions approve 1 --permit2              through Permit2",
    )
)
@click.argument("plan_id", type=int)
@_periods
@click.option("--seats", type=click.IntRange(0), help="How many seats they are for.  [default: as few as it sells]")
@click.option("--max-per-period", metavar="AMOUNT", help="The payer's maximum, of a plan with a quoted price.")
@click.option("--permit2", "by_permit2", is_flag=True, help="For Permit2 in the token, for the contract in Permit2.")
@configured
@shown
def approve(
    config: Config, plan_id: int, periods: int, seats: int | None, max_per_period: str | None, by_permit2: bool
) -> Record:
    """Let the contract move more of the signing account's tokens: PERIODS more periods of a plan."""
    from tallystick.core.conditions import Conditions
    from tallystick.core.money import parse_units
    from tallystick.flows.connect import open_contract
    from tallystick.flows.fund import allowance_of
    from tallystick.flows.fund import approve as approve_periods

    connection = open_contract(unlocked(config), signing=True)
    terms = connection.contract.plan(plan_id).terms
    token = connection.token(terms.token)
    most = parse_units(max_per_period, token.describe().decimals) if max_per_period else 0
    conditions = Conditions(max_per_period_units=most, by_permit2=by_permit2)
    receipts = approve_periods(connection, plan_id, periods, seats, conditions=conditions)
    payer = connection.sender.address
    allowance_units = allowance_of(connection, terms.token, payer, by_permit2=by_permit2)
    return Record(
        {
            "payer": payer,
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
