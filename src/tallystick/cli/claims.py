"""`tallystick claims`: what the contract keeps for accounts that could not be paid."""

from __future__ import annotations

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.output import Record, Table, shown
from tallystick.config import Config
from tallystick.core.money import Amount


@click.group()
def claims() -> None:
    """What the contract keeps for accounts that could not be paid, and paying it out.

    Where a token refuses to pay a payee or the receiver of a fee (the account is blocked), the payer has paid all the
    same, and the contract keeps the money for that account until somebody has it paid out.
    """


@claims.command(
    "list", epilog=examples("tallystick claims list", "tallystick claims list --account 0x7099...79C8 --json")
)
@click.option("--account", metavar="ADDRESS", help="Of this account only.")
@configured
@shown
def list_claims(config: Config, account: str | None) -> Table:
    """What can be claimed now, by account and token, found by the contract's logs."""
    from tallystick.core.address import parse_address
    from tallystick.flows.claim import find_claims
    from tallystick.flows.connect import open_contract

    wanted = parse_address(account) if account else None
    connection = open_contract(config)
    rows = [
        {
            "account": claim.account,
            "token": claim.token,
            "amount": Amount(claim.amount_units, connection.token(claim.token).describe()),
        }
        for claim in find_claims(connection, wanted)
    ]
    return Table(rows, empty="nothing to claim")


@claims.command(
    epilog=examples(
        "tallystick claims pay 0xA0b8...eB48                          to the account that signs",
        "tallystick claims pay 0xA0b8...eB48 --account 0x7099...79C8  to another; anyone may send it",
    )
)
@click.argument("token")
@click.option("--account", metavar="ADDRESS", help="Whose it is.  [default: the account that signs]")
@configured
@shown
def pay(config: Config, token: str, account: str | None) -> Record:
    """Have everything that the contract keeps for an account in a TOKEN paid out to it."""
    from tallystick.core.address import parse_address
    from tallystick.core.events import Claimed
    from tallystick.flows.connect import open_contract

    token_address, wanted = parse_address(token), parse_address(account) if account else None
    connection = open_contract(unlocked(config), signing=True)
    sent = connection.contract.claim(wanted or connection.sender.address, token_address)
    claimed = sent.one(Claimed)
    return Record(
        {
            "account": claimed.account,
            "token": claimed.token,
            "paid": Amount(claimed.amount_units, connection.token(token_address).describe()),
            "transaction": sent.receipt.transaction,
        },
        note="Next: tallystick index --once brings it into the ledger",
    )
