"""`tallystick plans`: what is sold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.output import Record, Table, shown
from tallystick.config import Config
from tallystick.core.money import Amount, Token

if TYPE_CHECKING:
    from tallystick.core.plan import Plan

UNITS = ("second", "day", "week", "month", "year")


@click.group()
def plans() -> None:
    """Create and show plans.

    A plan says who is paid how much in which token how often. It is never changed: other terms are another plan.
    """


@plans.command(
    epilog=examples(
        "tallystick plans create --price 9.99 --every 1 --unit month --token 0xA0b8...eB48",
        "tallystick plans create --price 99 --unit year --token 0xA0b8...eB48 --payee 0x7099...79C8 --catch-up 1",
    )
)
@click.option("--price", required=True, metavar="AMOUNT", help="Per period, as a decimal number of the token: 9.99.")
@click.option("--token", required=True, metavar="ADDRESS", help="The ERC-20 token in which it is paid.")
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="How many units make a period.")
@click.option("--unit", type=click.Choice(UNITS), default="month", show_default=True, help="Calendar months and years.")
@click.option("--payee", metavar="ADDRESS", help="Who is paid.  [default: the account that signs]")
@click.option(
    "--catch-up",
    type=click.IntRange(0, 255),
    default=0,
    show_default=True,
    help="Missed periods that stay collectible; with 0 a late charge pays the current period only.",
)
@configured
@shown
def create(config: Config, price: str, token: str, every: int, unit: str, payee: str | None, catch_up: int) -> Record:
    """Create a plan. It costs gas, and is final."""
    from tallystick.core.address import parse_address
    from tallystick.core.events import PlanCreated
    from tallystick.core.money import parse_units
    from tallystick.core.period import Unit
    from tallystick.core.plan import Plan, PlanTerms
    from tallystick.flows.connect import open_contract

    token_address, payee_address = parse_address(token), parse_address(payee) if payee else None
    connection = open_contract(unlocked(config), signing=True)
    found = connection.token(token_address).describe()
    terms = PlanTerms(
        payee=payee_address or connection.sender.address,
        price_units=parse_units(price, found.decimals),
        token=token_address,
        every=every,
        unit=Unit[unit.upper()],
        catch_up=catch_up,
    )
    sent = connection.contract.create_plan(terms)
    plan = Plan(sent.one(PlanCreated).plan_id, terms)
    return Record(
        plan_values(plan, found) | {"transaction": sent.receipt.transaction},
        note=f"Next: a payer subscribes with `tallystick subscriptions subscribe {plan.plan_id}`",
    )


@plans.command("list", epilog=examples("tallystick plans list", "tallystick plans list --payee 0x7099...79C8 --json"))
@click.option("--payee", metavar="ADDRESS", help="Of this merchant account only.")
@configured
@shown
def list_plans(config: Config, payee: str | None) -> Table:
    """All plans of the contract, in their order."""
    from tallystick.core.address import parse_address
    from tallystick.flows.connect import open_contract

    wanted = parse_address(payee) if payee else None
    connection = open_contract(config)
    contract = connection.contract
    found = [plan for plan in contract.plans(range(1, contract.plan_count() + 1)) if wanted in {None, plan.terms.payee}]
    tokens = {address: connection.token(address).describe() for address in {plan.terms.token for plan in found}}
    return Table([plan_values(plan, tokens[plan.terms.token]) for plan in found], empty="no plans yet")


@plans.command(epilog=examples("tallystick plans show 1"))
@click.argument("plan_id", type=int)
@configured
@shown
def show(config: Config, plan_id: int) -> Record:
    """One plan, with what its payee has taken in its token so far."""
    from tallystick.flows.connect import open_contract

    connection = open_contract(config)
    plan = connection.contract.plan(plan_id)
    token = connection.token(plan.terms.token).describe()
    totals = connection.contract.control_totals(plan.terms.payee, plan.terms.token)
    return Record(
        plan_values(plan, token)
        | {
            "terms_hash": plan.terms.hash(),
            "payee_charges": totals.charge_count,
            "payee_charged": Amount(totals.charged_units, token),
            "payee_refunds": totals.refund_count,
            "payee_refunded": Amount(totals.refunded_units, token),
        }
    )


def plan_values(plan: Plan, token: Token) -> dict[str, object]:
    """A plan as commands show it."""
    terms = plan.terms
    return {
        "plan_id": plan.plan_id,
        "price": Amount(terms.price_units, token),
        "period": str(terms.period),
        "payee": terms.payee,
        "token": terms.token,
        "catch_up": terms.catch_up,
    }
