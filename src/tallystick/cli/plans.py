"""`tallystick plans`: what is sold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.alternatives import offer_alternative, withdraw_alternative
from tallystick.cli.coupons import sign_coupon
from tallystick.cli.output import Record, Span, Table, Time, shown
from tallystick.cli.payees import change_payee, sign_payee_change
from tallystick.cli.spans import DATE, SPAN
from tallystick.config import Config
from tallystick.core.money import Amount, Token
from tallystick.errors import InputError

if TYPE_CHECKING:
    from tallystick.core.plan import Plan

UNITS = ("second", "day", "week", "month", "year")


@click.group()
def plans() -> None:
    """Create, show and archive plans, sign coupons for them, and hand them over to another payee.

    A plan says who is paid how much in which token how often. It is never changed: other terms are another plan.
    """


for _command in (sign_coupon, offer_alternative, withdraw_alternative, sign_payee_change, change_payee):
    plans.add_command(_command)


@plans.command(
    epilog=examples(
        "tallystick plans create --price 9.99 --every 1 --unit month --token 0xA0b8...eB48",
        "tallystick plans create --price 99 --unit year --token 0xA0b8...eB48 --catch-up 1",
        "tallystick plans create --price 20 --seat-price 5 --token 0xA0b8...eB48      a team plan: 5 for each seat",
        "tallystick plans create --price 9.99 --trial 14d --family 1 --token 0xA0b8...eB48",
        "tallystick plans create --price 9.99 --fee-bps 250 --fee-receiver 0x3C44...93BC --token 0xA0b8...eB48",
        "tallystick plans create --price 30 --min-charges 3 --max-charges 12 --grace 7d --token 0xA0b8...eB48",
        "tallystick plans create --price 5 --usage-cap 50 --usage-price 2.50 --token 0xA0b8...eB48",
        "tallystick plans create --price 9.99 --align-to 2026-01-01 --token 0xA0b8...eB48      due on each first",
        "tallystick plans create --price 999 --quoter 0x5FbD...0aa3 --token 0xA0b8...eB48      in the quoter's units",
        "tallystick plans create --price 99 --unit year --refunds-unused --token 0xA0b8...eB48",
        "tallystick plans create --price 49 --protection 14d --arbiter 0x90F7...b906 --ruling-timeout 7d \\\n"
        "    --default-payee-bps 5000 --token 0xA0b8...eB48",
    )
)
@click.option("--price", default="0", metavar="AMOUNT", help="Per period, as a decimal number of the token: 9.99.")
@click.option("--token", required=True, metavar="ADDRESS", help="The ERC-20 token in which it is paid.")
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="How many units make a period.")
@click.option("--unit", type=click.Choice(UNITS), default="month", show_default=True, help="Calendar months and years.")
@click.option(
    "--catch-up",
    type=click.IntRange(0, 255),
    default=0,
    show_default=True,
    help="Missed periods that stay collectible; with 0 a late charge pays the current period only.",
)
@click.option("--seat-price", default="0", metavar="AMOUNT", help="Per period for each seat, on top of the price.")
@click.option(
    "--trial", type=SPAN, default=0, metavar="SPAN", help="Before the first charge, once for each payer: 14d, 12h."
)
@click.option(
    "--family",
    type=click.IntRange(0, 65_535),
    default=0,
    show_default=True,
    help="Your own number for plans that share one trial: who had it in one has none in the others.",
)
@click.option(
    "--grace",
    type=SPAN,
    default=0,
    metavar="SPAN",
    help="For how long a period can still be charged; then the subscription has ended.  [default: for ever]",
)
@click.option(
    "--min-charges",
    type=click.IntRange(0, 65_535),
    default=0,
    help="Charges to which the payer agrees before cancelling or changing.",
)
@click.option(
    "--max-charges", type=click.IntRange(0, 65_535), default=0, help="With the last of them the subscription ends."
)
@click.option(
    "--fee-bps",
    type=click.IntRange(0, 9_999),
    default=0,
    help="A platform's part of each charge in hundredths of a percent, rounded down: 250 is 2.5 %.",
)
@click.option("--fee-receiver", metavar="ADDRESS", help="Who receives the fee.")
@click.option(
    "--usage-cap", default="0", metavar="AMOUNT", help="The most that usage may cost in a period, beside the price."
)
@click.option("--usage-price", default="0", metavar="AMOUNT", help="The most that a million units of usage may cost.")
@click.option("--biller", metavar="ADDRESS", help="Who may charge usage, beside the account that signs.")
@click.option(
    "--align-to",
    type=DATE,
    default=0,
    metavar="DATE",
    help="A date in the past on whose grid all periods lie; the first one is what is left of one, at that part of the "
    "price.  [default: each subscription its own]",
)
@click.option(
    "--quoter",
    metavar="ADDRESS",
    help="A contract that says at each charge what the prices are in the token; they are whole numbers of its units.",
)
@click.option(
    "--refunds-unused",
    is_flag=True,
    help="Promise that you end a subscription at once only with a refund of what is unused.",
)
@click.option(
    "--protection",
    type=SPAN,
    default=0,
    metavar="SPAN",
    help="For how long the escrow holds each charge, so that the payer can dispute it: 14d.  [default: not at all]",
)
@click.option("--arbiter", metavar="ADDRESS", help="Who divides a disputed charge. Needed with --protection.")
@click.option(
    "--ruling-timeout",
    type=SPAN,
    default=0,
    metavar="SPAN",
    help="How long the arbiter has to rule; then the default applies. Needed with --protection.",
)
@click.option(
    "--default-payee-bps",
    type=click.IntRange(0, 10_000),
    default=0,
    help="Your part of a charge on which the arbiter did not rule, in hundredths of a percent.",
)
@click.option(
    "--max-arbiter-fee-bps",
    type=click.IntRange(0, 10_000),
    default=0,
    help="The most that a ruling may cost, in hundredths of a percent of the charge.",
)
@configured
@shown
def create(
    config: Config,
    price: str,
    token: str,
    every: int,
    unit: str,
    catch_up: int,
    seat_price: str,
    trial: int,
    family: int,
    grace: int,
    min_charges: int,
    max_charges: int,
    fee_bps: int,
    fee_receiver: str | None,
    usage_cap: str,
    usage_price: str,
    biller: str | None,
    align_to: int,
    quoter: str | None,
    refunds_unused: bool,
    protection: int,
    arbiter: str | None,
    ruling_timeout: int,
    default_payee_bps: int,
    max_arbiter_fee_bps: int,
) -> Record:
    """Create a plan that pays the account that signs. It costs gas, and is final."""
    from tallystick.core.address import parse_address
    from tallystick.core.events import PlanCreated
    from tallystick.core.money import parse_units
    from tallystick.core.period import Unit
    from tallystick.core.plan import Plan, PlanTerms
    from tallystick.flows.connect import open_contract

    token_address = parse_address(token)
    receiver = parse_address(fee_receiver) if fee_receiver else None
    usage_biller = parse_address(biller) if biller else None
    quoted_by = parse_address(quoter) if quoter else None
    connection = open_contract(unlocked(config), signing=True)
    found = connection.token(token_address).describe()
    terms = PlanTerms(
        payee=connection.sender.address,
        price_units=_units(price, found, quoted_by),
        token=token_address,
        every=every,
        unit=Unit[unit.upper()],
        catch_up=catch_up,
        seat_price_units=_units(seat_price, found, quoted_by),
        trial=trial,
        grace=grace,
        min_charges=min_charges,
        max_charges=max_charges,
        fee_bps=fee_bps,
        family=family,
        fee_receiver=receiver,
        usage_cap_units=parse_units(usage_cap, found.decimals),
        usage_price_units=parse_units(usage_price, found.decimals),
        biller=usage_biller,
        align_to=align_to,
        quoter=quoted_by,
        refunds_unused=refunds_unused,
        protection=protection,
        arbiter=parse_address(arbiter) if arbiter else None,
        ruling_timeout=ruling_timeout,
        default_payee_bps=default_payee_bps,
        max_arbiter_fee_bps=max_arbiter_fee_bps,
    )
    sent = connection.contract.create_plan(terms)
    created = sent.one(PlanCreated)
    plan = Plan(created.plan_id, created.register_id, terms)
    return Record(
        plan_values(plan, found) | {"transaction": sent.receipt.transaction},
        note=f"Next: a payer subscribes with `tallystick subscriptions subscribe {plan.plan_id}`",
    )


@plans.command("list", epilog=examples("tallystick plans list", "tallystick plans list --payee 0x7099...79C8 --json"))
@click.option("--payee", metavar="ADDRESS", help="Of this merchant account only.")
@configured
@shown
def list_plans(config: Config, payee: str | None) -> Table:
    """All plans of the contract, in their order; archived ones too."""
    from tallystick.core.address import parse_address
    from tallystick.flows.connect import open_contract

    wanted = parse_address(payee) if payee else None
    connection = open_contract(config)
    contract = connection.contract
    found = [plan for plan in contract.plans(range(1, contract.plan_count() + 1)) if wanted in {None, plan.terms.payee}]
    tokens = {address: connection.token(address).describe() for address in {plan.terms.token for plan in found}}
    rows = []
    for plan in found:
        values = plan_values(plan, tokens[plan.terms.token])
        rows.append({key: values[key] for key in LISTED})
    return Table(rows, empty="no plans yet")


@plans.command(epilog=examples("tallystick plans show 1", "tallystick plans show 1 --json"))
@click.argument("plan_id", type=int)
@configured
@shown
def show(config: Config, plan_id: int) -> Record:
    """One plan with all its terms, and what its payee has taken in its token so far."""
    from tallystick.flows.connect import open_contract

    connection = open_contract(config)
    plan = connection.contract.plan(plan_id)
    token = connection.token(plan.terms.token).describe()
    totals = connection.contract.control_totals(plan.terms.payee, plan.terms.token)
    return Record(
        plan_values(plan, token)
        | {
            "terms_hash": plan.terms_hash(),
            "payee_subscriptions": totals.subscriptions,
            "payee_charges": totals.charge_count,
            "payee_charged": Amount(totals.charged_units, token),
            "payee_refunds": totals.refund_count,
            "payee_refunded": Amount(totals.refunded_units, token),
        }
    )


@plans.command(epilog=examples("tallystick plans archive 1"))
@click.argument("plan_id", type=int)
@configured
@shown
def archive(config: Config, plan_id: int) -> Record:
    """Let a plan take no more subscriptions. Those that it has go on. Its payee may; it is final."""
    from tallystick.flows.connect import open_contract

    sent = open_contract(unlocked(config), signing=True).contract.archive_plan(plan_id)
    return Record({"plan_id": plan_id, "archived": True, "transaction": sent.receipt.transaction})


def _units(price: str, token: Token, quoter: str | None) -> int:
    """A price in units of the token, or of the plan's quoter. Raises AmountInvalid or InputError."""
    from tallystick.core.money import parse_units

    if quoter is None:
        return parse_units(price, token.decimals)
    if not (price.isascii() and price.isdigit()):
        raise InputError(
            f"found the price {price!r} for a plan with a quoter, allowed is a whole number of the quoter's own units: "
            "name it in those"
        )
    return int(price)


LISTED = ("plan_id", "price", "seat_price", "period", "trial", "payee", "token", "catch_up", "archived")
"""What a list shows of a plan."""


def plan_values(plan: Plan, token: Token) -> dict[str, object]:
    """A plan as commands show it; what is not part of it is None."""
    terms = plan.terms
    return {
        "plan_id": plan.plan_id,
        "register_id": plan.register_id,
        "price": None if terms.quoter else Amount(terms.price_units, token),
        "seat_price": Amount(terms.seat_price_units, token) if terms.seat_price_units and not terms.quoter else None,
        "period": str(terms.period),
        "payee": terms.payee,
        "token": terms.token,
        "catch_up": terms.catch_up,
        "trial": Span(terms.trial) if terms.trial else None,
        "family": terms.family,
        "grace": Span(terms.grace) if terms.grace else None,
        "min_charges": terms.min_charges or None,
        "max_charges": terms.max_charges or None,
        "fee_bps": terms.fee_bps or None,
        "fee_receiver": terms.fee_receiver,
        "usage_cap": Amount(terms.usage_cap_units, token) if terms.usage_cap_units else None,
        "usage_price": Amount(terms.usage_price_units, token) if terms.usage_cap_units else None,
        "biller": terms.biller,
        "align_to": Time(terms.align_to) if terms.align_to else None,
        "quoter": terms.quoter,
        "quoted_price": terms.price_units if terms.quoter else None,
        "quoted_seat_price": (terms.seat_price_units or None) if terms.quoter else None,
        "refunds_unused": terms.refunds_unused,
        "protection": Span(terms.protection) if terms.protection else None,
        "arbiter": terms.arbiter,
        "ruling_timeout": Span(terms.ruling_timeout) if terms.protection else None,
        "default_payee_bps": terms.default_payee_bps if terms.protection else None,
        "max_arbiter_fee_bps": terms.max_arbiter_fee_bps if terms.protection else None,
        "archived": plan.archived,
    }
