"""`tallystick plans sign-coupon`: a payee's promise of a discount."""

from __future__ import annotations

from typing import TextIO

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.spans import PERCENT, SPAN
from tallystick.config import Config


@click.command(
    "sign-coupon",
    epilog=examples(
        "tallystick plans sign-coupon 1 --percent-off 25 --periods 3 --out coupon.json",
        "tallystick plans sign-coupon 1 --amount-off 2.50 --payer 0x3C44...93BC --valid 7d",
        "tallystick plans sign-coupon --token 0xA0b8...eB48 --percent-off 10      all of your plans in a token",
    ),
)
@click.argument("plan_id", type=int, required=False)
@click.option("--token", metavar="ADDRESS", help="For all of your plans in this token, instead of one plan.")
@click.option(
    "--percent-off", type=PERCENT, default=0, metavar="PERCENT", help="Off the price of a period, rounded down: 12.5."
)
@click.option("--amount-off", default="0", metavar="AMOUNT", help="Off each period, at most its price.")
@click.option(
    "--periods", type=click.IntRange(1, 65_535), default=1, show_default=True, help="How many charges it lowers."
)
@click.option("--payer", metavar="ADDRESS", help="For this payer alone.  [default: everybody]")
@click.option(
    "--code",
    type=click.IntRange(0, 2**256 - 1),
    help="Your own number, which tells coupons with the same values apart.  [default: at random]",
)
@click.option("--valid", type=SPAN, default="30d", show_default=True, metavar="SPAN", help="How long it is good.")
@click.option("--out", type=click.File("w", encoding="utf-8"), default="-", metavar="FILE", help="Write it here.")
@configured
def sign_coupon(
    config: Config,
    plan_id: int | None,
    token: str | None,
    percent_off: int,
    amount_off: str,
    periods: int,
    payer: str | None,
    code: int | None,
    valid: int,
    out: TextIO,
) -> None:
    """Sign a coupon, good once for each payer: the next charges of periods cost less. The plan's payee signs.

    Nothing is sent, and no gas is needed. The coupon is JSON, on standard output or in a file; who has it redeems it
    with `subscriptions subscribe --coupon FILE` or `subscriptions redeem`.
    """
    from tallystick.core.address import parse_address
    from tallystick.core.money import parse_units
    from tallystick.flows.connect import open_contract
    from tallystick.flows.redeem import sign_coupon as sign_it

    if (plan_id is None) == (token is None):
        raise click.UsageError("name the plan, or with --token the token of all of your plans in it")
    wanted, address = parse_address(payer) if payer else None, parse_address(token) if token else None
    connection = open_contract(unlocked(config), signing=True)
    plan = None if plan_id is None else connection.contract.plan(plan_id)
    address = plan.terms.token if plan else str(address)
    signed = sign_it(
        connection,
        plan,
        address,
        basis_points_off=percent_off,
        amount_off_units=parse_units(amount_off, connection.token(address).describe().decimals),
        periods=periods,
        payer=wanted,
        code=code,
        valid_s=valid,
    )
    out.write(signed.render())
    click.echo(f"code {signed.coupon.code}; to redeem it: tallystick subscriptions redeem NUMBER FILE", err=True)
