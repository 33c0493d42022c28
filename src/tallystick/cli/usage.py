"""`tallystick subscriptions charge-usage`: what was used, charged within what the payer agreed to."""

from __future__ import annotations

from typing import BinaryIO

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.output import Record, Time, shown
from tallystick.config import Config
from tallystick.core.money import Amount


@click.command(
    epilog=examples(
        "tallystick subscriptions charge-usage 118 2.40 --quantity 960000 --document june.csv",
        "tallystick subscriptions charge-usage 118 2.40 --quantity 960000 --document - < june.csv",
        f"tallystick subscriptions charge-usage 118 2.40 --quantity 960000 --hash 0x{'5e' * 32}",
        "tallystick subscriptions charge-usage 118 2.40 --quantity 960000 --document june.csv --number 7",
    )
)
@click.argument("subscription_id", type=int)
@click.argument("amount")
@click.option(
    "--quantity", type=click.IntRange(1), required=True, help="How many units were used: calls, bytes, seconds."
)
@click.option(
    "--document", type=click.File("rb"), metavar="FILE", help="What lists the usage; its keccak-256 goes on chain."
)
@click.option("--hash", "hash_text", metavar="0x...", help="The document's keccak-256, where it is elsewhere.")
@click.option(
    "--number",
    "charge_number",
    type=click.IntRange(1),
    help="The number that this charge is to have: given, the command is safe to repeat. Default: the next.",
)
@configured
@shown
def charge_usage(
    config: Config,
    subscription_id: int,
    amount: str,
    quantity: int,
    document: BinaryIO | None,
    hash_text: str | None,
    charge_number: int | None,
) -> Record:
    """Charge AMOUNT, a decimal number of the token, for what was used in the period being served.

    The plan's payee and its biller may, at most at the plan's price for a million units and up to its cap for a period;
    `tallystick subscriptions show` says what is left of that as `usage left`. The document stays with you: only its
    hash goes on chain. Keep it as it is, byte for byte, for the payer who asks what they paid for.

    With --number, one more than the charges that were made, the same bill is charged once however often it is sent;
    without, each call takes the next number and charges again.
    """
    from tallystick.core.events import Charged
    from tallystick.core.money import parse_units
    from tallystick.flows.connect import open_contract
    from tallystick.flows.meter import hash_of_usage

    if (document is None) == (hash_text is None):
        raise click.UsageError("give what lists the usage with --document FILE, or its hash with --hash 0x...")
    hashed = hash_of_usage(None if document is None else document.read(), hash_text)
    connection = open_contract(unlocked(config), signing=True)
    contract = connection.contract
    found = contract.subscription(subscription_id)
    token = connection.token(contract.plan(found.plan_id).terms.token).describe()
    number = found.charges + 1 if charge_number is None else charge_number
    sent = contract.charge_usage(subscription_id, number, parse_units(amount, token.decimals), quantity, hashed)
    charged = sent.one(Charged)
    return Record(
        {
            "subscription_id": subscription_id,
            "charge_number": charged.charge_number,
            "charged": Amount(charged.amount_units, token),
            "quantity": quantity,
            "usage_hash": hashed,
            "period_start": Time(charged.period_start),
            "period_end": Time(charged.period_end),
            "usage_left": Amount(contract.usage_left(subscription_id), token),
            "transaction": sent.receipt.transaction,
        },
        note="Next: tallystick index --once makes an invoice of it. Keep the document as it is",
    )
