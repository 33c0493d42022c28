"""`tallystick plans`: another account that is paid from now on, as the old and the new payee sign it."""

from __future__ import annotations

from typing import BinaryIO, TextIO

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.output import Record, shown
from tallystick.cli.spans import SPAN
from tallystick.config import Config


@click.command(
    "sign-payee-change",
    epilog=examples(
        "tallystick plans sign-payee-change 0xA0b8...eB48 0x3C44...93BC --out change.json      who is paid now",
        "tallystick plans sign-payee-change --signed change.json --out both.json               the new payee",
        "tallystick plans change-payee both.json                                               anyone",
        "tallystick plans sign-payee-change 0xA0b8...eB48 0x3C44...93BC --payee 0x7099...79C8  the new payee begins",
    ),
)
@click.argument("token", required=False)
@click.argument("new_payee", required=False)
@click.option("--payee", metavar="ADDRESS", help="Who is paid now.  [default: the account that signs]")
@click.option("--signed", type=click.File("rb"), metavar="FILE", help="What the other account signed, to sign as well.")
@click.option("--valid", type=SPAN, default="7d", show_default=True, metavar="SPAN", help="How long it may be sent.")
@click.option("--out", type=click.File("w", encoding="utf-8"), default="-", metavar="FILE", help="Write it here.")
@configured
def sign_payee_change(
    config: Config,
    token: str | None,
    new_payee: str | None,
    payee: str | None,
    signed: BinaryIO | None,
    valid: int,
    out: TextIO,
) -> None:
    """Sign that NEW_PAYEE is paid in TOKEN from now on, for all plans and subscriptions of the old payee.

    Both accounts must sign, in either order; nothing is sent, and no gas is needed. The new one must not be paid in
    this token yet. Until it is sent, either takes its signature back with `subscriptions revoke` and the salt in it.
    """
    from tallystick.core.address import parse_address
    from tallystick.core.payee_change import parse_payee_change
    from tallystick.flows.connect import open_contract
    from tallystick.flows.move_register import countersign_payee_change
    from tallystick.flows.move_register import sign_payee_change as sign_it

    named = token is not None and new_payee is not None
    if named == (signed is not None) or (signed is not None and (token or payee)):
        raise click.UsageError("name the token and the new payee, or give what was signed with --signed FILE alone")
    if signed is not None:
        change = parse_payee_change(signed.read())
        change = countersign_payee_change(open_contract(unlocked(config), signing=True), change)
    else:
        addresses = parse_address(str(token)), parse_address(str(new_payee))
        old = parse_address(payee) if payee else None
        connection = open_contract(unlocked(config), signing=True)
        change = sign_it(connection, old or connection.sender.address, *addresses, valid_s=valid)
    out.write(change.render())
    if change.payee_signature and change.new_payee_signature:
        click.echo("both have signed; to send it: tallystick plans change-payee FILE", err=True)
    else:
        missing = change.change.payee if not change.payee_signature else change.change.new_payee
        click.echo(f"{missing} signs next: tallystick plans sign-payee-change --signed FILE", err=True)


@click.command("change-payee", epilog=examples("tallystick plans change-payee both.json"))
@click.argument("file", type=click.File("rb"))
@configured
@shown
def change_payee(config: Config, file: BinaryIO) -> Record:
    """Have another account be paid from now on, as both accounts signed it in FILE. Anyone may send it.

    One of the two needs no signature where it is the account that signs here. The new payee is paid, refunds, cancels
    and archives from now on; mandates and coupons that name the old one and were not used are worthless. What the
    contract keeps for the old payee stays theirs (`tallystick claims`).
    """
    from tallystick.core.events import PayeeChanged
    from tallystick.core.payee_change import parse_payee_change
    from tallystick.flows.connect import open_contract
    from tallystick.flows.move_register import change_payee as change_it

    signed = parse_payee_change(file.read())
    sent = change_it(open_contract(unlocked(config), signing=True), signed)
    changed = sent.one(PayeeChanged)
    return Record(
        {
            "register_id": changed.register_id,
            "token": signed.change.token,
            "payee": changed.new_payee,
            "former_payee": changed.payee,
            "transaction": sent.receipt.transaction,
        },
        note="Next: name the new payee in merchant.payees where `tallystick bill` runs, so that it goes on charging",
    )
