"""`tallystick checkout`: deposit addresses, what is expected there, what came, and giving it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.files import content_of, out_option
from tallystick.cli.output import Record, Table, Time, shown
from tallystick.cli.spans import SPAN
from tallystick.config import Config
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.money import Amount, Token
from tallystick.errors import InputError

if TYPE_CHECKING:
    from tallystick.flows.connect import Connection
    from tallystick.flows.find_deposits import FoundDeposit

COIN_DECIMALS = 18
STATUSES = ["open", "partly-paid", "paid", "expired"]
NO_DEPOSITS = (
    "nothing is expected yet, and nothing came: `tallystick checkout expect` says what is, and `tallystick index "
    "--once` brings the mirror up to date"
)
_invoices = click.argument("invoices", metavar="INVOICE...", nargs=-1, required=True)
_receiver = click.option("--receiver", metavar="ADDRESS", help="Whose they are.  [default: the account that signs]")
_of_receiver = click.option("--receiver", metavar="ADDRESS", help="Of this receiver.  [default: any]")


@click.command(
    epilog=examples(
        "tallystick checkout address INV-2027-0042 --token 0xA0b8... --receiver 0x7099...79C8",
        "tallystick checkout address INV-1 INV-2 INV-3 --token 0xA0b8... --json",
    )
)
@_invoices
@click.option("--token", required=True, metavar="ADDRESS", help="Of which what stands there is shown.")
@_receiver
@configured
@shown
def address(config: Config, invoices: tuple[str, ...], token: str, receiver: str | None) -> Table:
    """Where to send what is for an invoice, as from an exchange, and what stands there.

    The address is the receiver's for ever, whatever is sent there and when. Nothing is sent by this; with --receiver no
    key is needed.
    """
    from tallystick.core.address import parse_address
    from tallystick.flows.deposits import deposit_addresses

    connection = _opened(config, receiver)
    owner = parse_address(receiver) if receiver else connection.sender.address
    found = deposit_addresses(connection, owner, parse_address(token), invoices)
    return Table([{"invoice": row.invoice, "address": row.address, "balance": row.balance} for row in found])


@click.command(
    epilog=examples(
        "tallystick checkout sweep INV-2027-0042 --token 0xA0b8...",
        "tallystick checkout sweep INV-1 INV-2 INV-3 --token 0xA0b8... --receiver 0x7099...79C8",
        "tallystick checkout sweep INV-1 --coin   what was sent of the chain's own currency",
    )
)
@_invoices
@click.option("--token", metavar="ADDRESS", help="Of which token, also another than was expected.")
@click.option("--coin", is_flag=True, help="The chain's own currency, where nothing else is there.")
@_receiver
@configured
@shown
def sweep(config: Config, invoices: tuple[str, ...], token: str | None, coin: bool, receiver: str | None) -> Table:
    """Bring all that stands on deposit addresses to their receiver. Anyone may, at any time, as often as something
    comes; the account that signs here pays the gas."""
    from tallystick.core.address import parse_address
    from tallystick.flows.connect import open_contract
    from tallystick.flows.deposits import sweep as bring

    if (token is None) != coin:
        raise InputError("found neither or both of --token and --coin: say which of them is to be swept")
    connection = open_contract(unlocked(config), signing=True)
    wanted = parse_address(token) if token else None
    rows = bring(connection, parse_address(receiver) if receiver else connection.sender.address, wanted, invoices)
    coins = Token(connection.node.chain_id, ZERO_ADDRESS, "COIN", COIN_DECIMALS)
    assets = {None: coins} | ({wanted: connection.token(wanted).describe()} if wanted else {})
    return Table(
        [
            {
                "invoice": row.invoice,
                "swept": Amount(row.amount_units, assets[row.token]),
                "reason": None if row.reason is None else row.reason.name.lower(),
                "transaction": row.transaction,
            }
            for row in rows
        ]
    )


@click.command(
    epilog=examples(
        "tallystick checkout expect INV-2027-0042 --amount 25.00 --token 0xA0b8...",
        "tallystick checkout expect INV-7 --amount 99 --token 0xA0b8... --valid-for 2d --tolerance 0.10",
    )
)
@click.argument("invoice")
@click.option("--amount", required=True, metavar="AMOUNT", help="How much of the token: 25.00.")
@click.option("--token", required=True, metavar="ADDRESS", help="In which token.")
@click.option("--valid-for", type=SPAN, help="How long money counts for the invoice.  [default: whenever it comes]")
@click.option("--tolerance", metavar="AMOUNT", default="0", help="How much may be lacking, and is waived then.")
@_receiver
@configured
@shown
def expect(
    config: Config,
    invoice: str,
    amount: str,
    token: str,
    valid_for: int | None,
    tolerance: str,
    receiver: str | None,
) -> Record:
    """Say what is to come to an invoice's deposit address, and get the address to show to the payer.

    It is written into the books, nothing is sent; with --receiver no key is needed. From then on the mirror sees what
    comes there. What counts for the invoice is income when it is paid; what is too much, too late, sent twice or in
    another token is the customer's credit: see `tallystick checkout deposits`, and give it back with `refund`.
    """
    from tallystick.core.address import parse_address
    from tallystick.core.money import parse_units
    from tallystick.flows.expect import expect as declare
    from tallystick.storage.database import open_database

    connection = _opened(config, receiver)
    token = parse_address(token)
    described = connection.token(token).describe()
    expected = declare(
        open_database(config.database),
        connection,
        invoice,
        receiver=parse_address(receiver) if receiver else connection.sender.address,
        token=token,
        amount_units=parse_units(amount, described.decimals),
        valid_s=valid_for,
        tolerance_units=parse_units(tolerance, described.decimals),
    )
    return Record(
        {
            "invoice": invoice,
            "address": expected.address,
            "amount": Amount(expected.amount_units, described),
            "valid_before": None if expected.valid_before is None else Time(expected.valid_before),
            "tolerance": Amount(expected.tolerance_units, described),
            "receiver": expected.receiver,
        },
        note="Show the address to the payer; what comes there: tallystick index --once, tallystick checkout deposits",
    )


@click.command(
    epilog=examples(
        "tallystick checkout deposits",
        "tallystick checkout deposits --status partly-paid",
        "tallystick checkout deposits --json",
    )
)
@click.option("--status", type=click.Choice(STATUSES), help="Those that stand so.")
@_of_receiver
@configured
@shown
def deposits(config: Config, status: str | None, receiver: str | None) -> Table:
    """What is expected at deposit addresses, what came, and what is owed back, as the mirror knows it.

    `paid` is what counted for the invoice, `credit` what is the customer's. A line without a status is money that
    nobody expected: in another token, or for an invoice of which nothing was said.
    """
    from tallystick.core.address import parse_address
    from tallystick.core.expected import DepositStatus
    from tallystick.flows.find_deposits import find_deposits
    from tallystick.flows.mirror import open_books

    wanted = None if status is None else DepositStatus(status.replace("-", " "))
    found = find_deposits(open_books(config), receiver=parse_address(receiver) if receiver else None, status=wanted)
    return Table([row for one in found for row in _lines(one)], NO_DEPOSITS)


@click.command(
    epilog=examples("tallystick checkout deposit INV-2027-0042", "tallystick checkout deposit INV-2027-0042 --json")
)
@click.argument("invoice")
@_of_receiver
@configured
@shown
def deposit(config: Config, invoice: str, receiver: str | None) -> Table:
    """Everything that happened at an invoice's deposit address, the oldest first: what came, what it counted for and
    why not, what was swept and what was given back."""
    from tallystick.core.address import parse_address
    from tallystick.flows.find_deposits import find_deposit, token_named
    from tallystick.flows.mirror import open_books

    books = open_books(config)
    found, movements = find_deposit(books, invoice, receiver=parse_address(receiver) if receiver else None)
    rows = []
    for origin, what, token, units, account, taken in movements:
        asset = token_named(found, token)
        rows.append(
            {
                "time": Time(origin.block_time),
                "what": what,
                "amount": Amount(units, asset),
                "counted": None if taken is None else Amount(taken.counted_units, asset),
                "credit": None if taken is None else Amount(taken.credited_units, asset),
                "why": taken.treatment.value if taken else "token not known" if what == "received" else None,
                "account": account,
                "token": token,
                "transaction": origin.transaction_hash,
            }
        )
    return Table(rows, f"nothing came for {found.invoice} yet: `tallystick index --once` brings the mirror up to date")


@click.command(
    "refund-address",
    epilog=examples("TALLYSTICK_KEY=0x... tallystick checkout refund-address INV-7 --receiver 0x7099... --out to.json"),
)
@click.argument("invoice")
@click.option("--receiver", required=True, metavar="ADDRESS", help="The merchant's account that gives it back.")
@out_option
@configured
def refund_address(config: Config, /, invoice: str, receiver: str, out: TextIO) -> None:
    """As a payer, name the account that signs here as where money for an invoice is to go back. Nothing is sent.

    For money that was sent from an exchange, which cannot receive for its customer.
    """
    from tallystick.core.address import parse_address
    from tallystick.flows.connect import open_contract
    from tallystick.flows.refund_invoice import sign_refund_address

    signed = sign_refund_address(open_contract(unlocked(config), signing=True), invoice, parse_address(receiver))
    out.write(signed.render())
    click.echo(f"{signed.address.to} is where it is to go; send this to the merchant", err=True)


@click.command(
    epilog=examples(
        "tallystick checkout refund INV-2027-0042 --proof to.json   all that the books owe, to who signed",
        "tallystick checkout refund INV-2027-0042 --amount 5.00 --token 0xA0b8... --to 0x3C44...93BC",
    )
)
@click.argument("invoice")
@click.option("--amount", metavar="AMOUNT", help="How much of the token: 5.00.  [default: what the books owe]")
@click.option("--token", metavar="ADDRESS", help="In which token.  [default: the one that was expected]")
@click.option("--to", metavar="ADDRESS", help="Who gets it back.")
@click.option("--proof", metavar="FILE", help="Who signed to get it back: what `refund-address` wrote.")
@configured
@shown
def refund(
    config: Config, invoice: str, amount: str | None, token: str | None, to: str | None, proof: str | None
) -> Record:
    """Give back some of what was received for an invoice, from your own balance.

    Without an amount: the customer's credit, and what came in part of an invoice that was not paid in time, as the
    books have them. The chain does not know how much was received: with an amount of your own, look before you refund.
    """
    from tallystick.core.address import parse_address
    from tallystick.core.refund_address import parse_refund_address
    from tallystick.flows.connect import open_contract
    from tallystick.flows.refund_invoice import proven_address, refund_invoice

    if (to is None) == (proof is None):
        raise InputError("found neither or both of --to and --proof: say to whom it goes")
    connection = open_contract(unlocked(config), signing=True)
    if proof is not None:
        signed = parse_refund_address(content_of(proof, "a signed address", "is a file with one, or -"))
        to = proven_address(connection, signed, invoice, connection.sender.address)
    assert to is not None
    asset, units = _what_to_give_back(config, connection, invoice, amount, token)
    sent = refund_invoice(connection, invoice, asset.address, parse_address(to), units)
    values = {"invoice": invoice, "to": to, "refunded": Amount(units, asset)}
    return Record(values | {"transaction": sent.receipt.transaction})


def _what_to_give_back(
    config: Config, connection: Connection, invoice: str, amount: str | None, token: str | None
) -> tuple[Token, int]:
    """What is said, and else what the books owe in the token that was expected."""
    from tallystick.core.address import parse_address
    from tallystick.core.money import parse_units
    from tallystick.flows.find_deposits import find_deposit, owed_units
    from tallystick.flows.mirror import open_books

    if amount is not None and token is not None:
        described = connection.token(parse_address(token)).describe()
        return described, parse_units(amount, described.decimals)
    found, _ = find_deposit(open_books(config), invoice, receiver=connection.sender.address)
    token = token or (found.expected.token if found.expected else None)
    if token is None:
        raise InputError(f"nothing was expected for {invoice}: say with --token in which token to give back")
    token = parse_address(token)
    described = connection.token(token).describe()
    units = parse_units(amount, described.decimals) if amount is not None else owed_units(found, token)
    if not units:
        raise InputError(f"the books owe nothing for {invoice} in {described.symbol}: say how much with --amount")
    return described, units


def _lines(found: FoundDeposit) -> list[dict[str, object]]:
    """One for the token that is expected, and one for each other in which something came."""
    from tallystick.flows.find_deposits import token_named

    expected, lines = found.expected, list[dict[str, object]]()
    tokens = [expected.token] if expected else []
    tokens += [deposit.token for deposit in found.deposits if deposit.token not in tokens]
    for token in tokens:
        asset, came = token_named(found, token), found.in_token(token)
        is_main = expected is not None and token == expected.token
        status = found.status if is_main else None
        paid = came.advance_units
        if expected and is_main and came.waived_units is not None:
            paid = expected.amount_units - came.waived_units
        lines.append(
            {
                "invoice": found.invoice,
                "status": status and status.value,
                "expected": Amount(expected.amount_units, asset) if expected and is_main else None,
                "received": Amount(came.received_units, asset),
                "paid": Amount(paid, asset),
                "credit": Amount(came.credit_units, asset),
                "not_swept": Amount(came.standing_units, asset),
                "valid_before": Time(expected.valid_before) if is_main and expected and expected.valid_before else None,
                "address": expected.address if expected else None,
                "receiver": found.receiver,
            }
        )
    return lines


def _opened(config: Config, receiver: str | None) -> Connection:
    """With a key only where it says whose the addresses are."""
    from tallystick.flows.connect import open_contract

    return open_contract(config) if receiver else open_contract(unlocked(config), signing=True)
