"""`tallystick checkout`: payments that are made once, of a quote or to a deposit address."""

from __future__ import annotations

from typing import TextIO

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.checkout_deposits import address, deposit, deposits, expect, refund, refund_address, sweep
from tallystick.cli.checkout_swap import SwapChoice, pay_by_swap, require_no_swap, swap_options
from tallystick.cli.files import content_of, funding_option, out_option
from tallystick.cli.output import Record, Time, shown
from tallystick.cli.spans import SPAN
from tallystick.config import Config
from tallystick.core.money import Amount
from tallystick.errors import InputError

_quote = click.argument("file", metavar="QUOTE")


@click.group()
def checkout() -> None:
    """Payments that are made once: of a quote that the merchant signed, or to the address that an invoice has.

    A merchant quotes, the payer pays it, or signs and lets anybody send it, and the payees receive their parts at once.
    Who can only send a transfer, as from an exchange, sends to the invoice's deposit address, from where anyone sweeps
    it to the receiver. Nobody owns the contract, and nothing stays in it.
    """


for command in (address, expect, deposits, deposit, sweep, refund_address, refund):
    checkout.add_command(command)


class _ShareType(click.ParamType):
    """A payee and a whole weight."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """From `0x7099...=70`."""
        if isinstance(value, tuple):
            return value
        payee, _, share = str(value).partition("=")
        if not share.isdigit() or not int(share):
            self.fail(f"found {value!r}, allowed is an address and a whole number: 0x7099...79C8=70", param, ctx)
        return payee, int(share)


@checkout.command(
    epilog=examples(
        "tallystick checkout quote --number 1001 --amount 25.00 --token 0xA0b8... --out quote.json",
        "tallystick checkout quote --number 1002 --amount 99 --token 0xA0b8... --invoice INV-2027-0042 --valid-for 1h",
        "tallystick checkout quote --number 7 --amount 9 --token 0xA0b... --share 0x709...=97 --share 0x90F...=3",
    )
)
@click.option("--number", required=True, type=click.IntRange(0, 2**256 - 1), help="Yours: it is paid once.")
@click.option("--amount", required=True, metavar="AMOUNT", help="How much of the token: 25.00.")
@click.option("--token", required=True, metavar="ADDRESS", help="In which token.")
@click.option("--invoice", metavar="TEXT", help="What it is for, up to 32 bytes, on chain.  [default: the number]")
@click.option("--valid-for", type=SPAN, default="1d", show_default=True, help="How long it can be paid.")
@click.option(
    "--share",
    "shares",
    type=_ShareType(),
    multiple=True,
    metavar="ADDRESS=SHARE",
    help="A payee and its share; may be repeated, up to 16.  [default: the account that signs, all]",
)
@out_option
@configured
def quote(
    config: Config,
    /,
    out: TextIO,
    number: int,
    amount: str,
    token: str,
    invoice: str | None,
    valid_for: int,
    shares: tuple[tuple[str, int], ...],
) -> None:
    """Sign what you ask to be paid, once, for whoever pays it. Nothing is sent.

    Of all quotes with one number, one can be paid: quote the same thing anew under the same number. Numbers in order
    cost payers less gas.
    """
    from tallystick.core.address import parse_address
    from tallystick.core.money import parse_units
    from tallystick.flows.connect import open_contract
    from tallystick.flows.make_quote import make_quote

    connection = open_contract(unlocked(config), signing=True)
    token = parse_address(token)
    signed = make_quote(
        connection,
        number=number,
        token=token,
        amount_units=parse_units(amount, connection.token(token).describe().decimals),
        invoice=invoice,
        valid_s=valid_for,
        shares=[(parse_address(payee), share) for payee, share in shares],
    )
    out.write(signed.render())
    click.echo(f"quote 0x{signed.quote_id.hex()}; the payer next: tallystick checkout pay FILE, or sign", err=True)


@checkout.command(
    epilog=examples(
        "TALLYSTICK_KEY=0x... tallystick checkout sign quote.json --out signed.json",
        "tallystick checkout sign quote.json --funding permit2 --out signed.json",
    )
)
@_quote
@funding_option
@out_option
@configured
def sign(config: Config, /, file: str, funding: str, out: TextIO) -> None:
    """Agree to pay a quote, for anyone to send. Nothing is sent, and no gas is needed."""
    from tallystick.core.quote_texts import parse_quote
    from tallystick.flows.bring import PaymentFunding
    from tallystick.flows.connect import open_contract
    from tallystick.flows.pay_quote import sign_checkout

    signed = parse_quote(_content(file))
    payment = sign_checkout(open_contract(unlocked(config), signing=True), signed, PaymentFunding(funding))
    out.write(payment.render())
    way = payment.funding.name.lower()
    click.echo(f"{payment.payer} agrees, by {way}; next, by anyone: tallystick checkout pay FILE", err=True)


@checkout.command(
    epilog=examples(
        "TALLYSTICK_KEY=0x... tallystick checkout pay quote.json  the payer themselves",
        "tallystick checkout pay signed.json                      what the payer signed, sent by anyone",
        "tallystick checkout pay quote.json --with 0x1aBa... --route 500 --dry-run",
    )
)
@_quote
@swap_options
@configured
@shown
def pay(config: Config, file: str, swap: SwapChoice) -> Record:
    """Pay a quote: with the money of the account that signs here, or by what a payer signed.

    QUOTE is the merchant's, or what `tallystick checkout sign` wrote. The allowance of the account that signs here is
    raised where it is too low.

    With --with another token pays: what the quote asks for is bought with it through Uniswap's pools in the same
    transaction, for no more than --most, or than the quoter's rate (without one, what the pools take now) and
    --max-slippage on top. What is not used comes back at once. Either the quote is paid whole, or nothing happens.
    """
    from tallystick.core.checkout_events import QuotePaid
    from tallystick.core.quote_texts import SignedCheckout, parse_checkout, parse_quote
    from tallystick.core.reference import shown_reference
    from tallystick.flows.connect import open_contract
    from tallystick.flows.pay_quote import pay_quote

    content = _content(file)
    payment = parse_checkout(content) if b'"funding"' in content else parse_quote(content)
    connection = open_contract(unlocked(config), signing=True)
    if swap.pay_with is not None:
        if isinstance(payment, SignedCheckout):
            raise InputError("found what a payer signed and --with: who pays with another token sends it too")
        return pay_by_swap(connection, payment, swap)
    require_no_swap(swap)
    sent = pay_quote(connection, payment)
    paid = sent.one(QuotePaid)
    token = connection.token(paid.quote.token).describe()
    kept = [event for event in sent.events if type(event).__name__ == "PayoutKept"]
    values = {
        "quote": paid.quote_id,
        "number": str(paid.quote.number),
        "invoice": shown_reference(paid.quote.invoice),
        "payer": paid.payer,
        "amount": Amount(paid.quote.amount_units, token),
        "payees": len(paid.quote.payouts),
        "transaction": sent.receipt.transaction,
    }
    note = "A payee could not be paid; the contract keeps it: tallystick checkout claim ACCOUNT TOKEN" if kept else ""
    return Record(values, note=note)


@checkout.command(epilog=examples("tallystick checkout show quote.json", "tallystick checkout show quote.json --json"))
@_quote
@configured
@shown
def show(config: Config, file: str) -> Record:
    """A quote as it stands: what it asks for, of whom, for whom, and whether it can be paid. Needs no key."""
    from tallystick.core.quote_texts import parse_quote
    from tallystick.core.reference import shown_reference
    from tallystick.flows.connect import open_contract
    from tallystick.flows.describe_quote import describe_quote

    signed = parse_quote(_content(file))
    state = describe_quote(open_contract(config), signed)
    found = signed.quote
    return Record(
        {
            "quote": signed.quote_id,
            "status": state.status.value,
            "merchant": found.merchant,
            "number": str(found.number),
            "invoice": shown_reference(found.invoice),
            "amount": state.amount,
            "valid_before": Time(found.valid_before),
            "payouts": [{"payee": payee, "amount": Amount(units, state.token)} for payee, units in found.payouts],
        }
    )


@checkout.command(epilog=examples("tallystick checkout withdraw 1001"))
@click.argument("number", type=click.IntRange(0, 2**256 - 1))
@configured
@shown
def withdraw(config: Config, number: int) -> Record:
    """Have a number of yours paid no more, whatever was quoted with it."""
    from tallystick.flows.connect import open_contract

    connection = open_contract(unlocked(config), signing=True)
    sent = connection.checkout.withdraw_quote(number)
    merchant = connection.sender.address
    return Record({"merchant": merchant, "number": str(number), "transaction": sent.receipt.transaction})


@checkout.command(epilog=examples("tallystick checkout claim 0x7099...79C8 0xA0b8..."))
@click.argument("account")
@click.argument("token")
@configured
@shown
def claim(config: Config, account: str, token: str) -> Record:
    """Pay what the contract keeps for an account that could not receive its part, to that account. Anyone may."""
    from tallystick.core.address import parse_address
    from tallystick.core.payment_events import PayoutClaimed
    from tallystick.flows.connect import open_contract

    connection = open_contract(unlocked(config), signing=True)
    sent = connection.checkout.claim(parse_address(account), parse_address(token))
    claimed = sent.one(PayoutClaimed)
    amount = Amount(claimed.amount_units, connection.token(claimed.token).describe())
    return Record({"account": claimed.account, "claimed": amount, "transaction": sent.receipt.transaction})


def _content(file: str) -> bytes:
    return content_of(file, "a quote", "is a file with one, or -")
