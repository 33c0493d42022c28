"""`tallystick refunds`: giving back what was charged."""

from __future__ import annotations

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.output import Record, Table, Time, shown
from tallystick.config import Config
from tallystick.core.money import Amount


@click.group()
def refunds() -> None:
    """Give back all or a part of a charge.

    Only the plan's payee can, from its own balance, and never more than the charge. Each refund becomes a credit note.
    """


@refunds.command(
    epilog=examples(
        "tallystick refunds create 118 7 --amount 4.99       a part of the 7th charge of subscription 118",
        "tallystick refunds create 118 7                     all that is left of it",
    )
)
@click.argument("subscription_id", type=int)
@click.argument("charge_number", type=int)
@click.option("--amount", metavar="AMOUNT", help="A decimal number of the plan's token.  [default: all that is left]")
@configured
@shown
def create(config: Config, subscription_id: int, charge_number: int, amount: str | None) -> Record:
    """Refund a charge. Where the contract may not move enough of the payee's tokens, an approval is sent first."""
    from tallystick.core.events import Refunded
    from tallystick.core.money import parse_units
    from tallystick.flows.connect import open_contract
    from tallystick.flows.refund import refund, refundable

    connection = open_contract(unlocked(config), signing=True)
    found = refundable(connection, subscription_id, charge_number)
    token = connection.token(found.terms.token).describe()
    units = parse_units(amount, token.decimals) if amount else None
    sent = refund(connection, subscription_id, charge_number, units)
    refunded = sent.one(Refunded)
    return Record(
        {
            "subscription_id": refunded.subscription_id,
            "charge_number": refunded.charge_number,
            "refunded": Amount(refunded.amount_units, token),
            "left": Amount(found.left_units - refunded.amount_units, token),
            "transaction": sent.receipt.transaction,
        },
        note="Next: tallystick index --once makes a credit note of it",
    )


@refunds.command("list", epilog=examples("tallystick refunds list", "tallystick refunds list --payer 0x3C44... --json"))
@click.option("--payer", metavar="ADDRESS", help="To this payer only.")
@configured
@shown
def list_refunds(config: Config, payer: str | None) -> Table:
    """The refunds in the mirror (`tallystick index`), with their credit notes; a pending one has no number yet."""
    from tallystick.core.address import parse_address
    from tallystick.core.invoice import Kind
    from tallystick.flows.mirror import open_books
    from tallystick.flows.present import Presenter, Selection

    wanted = parse_address(payer) if payer else None
    presenter = Presenter(open_books(config), config)
    rows = [
        {
            "credit_note": note.number,
            "refunded_at": Time(note.payment.block_time),
            "subscription_id": note.subscription_id,
            "charge_number": note.charge_number,
            "payer": note.customer.account,
            "amount": note.total,
            "transaction": note.payment.transaction_hash,
        }
        for note in presenter.documents(Selection(kind=Kind.CREDIT_NOTE, payer=wanted))
    ]
    return Table(rows, empty="no refunds in the mirror: `tallystick index --once` brings it up to date")
