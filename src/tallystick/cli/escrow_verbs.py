"""`tallystick escrow`: what brings the money, pays it out and gives it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.escrow_files import Named, done, fee_option, payment_argument
from tallystick.cli.output import Record, shown
from tallystick.config import Config
from tallystick.core.money import Amount

if TYPE_CHECKING:
    from tallystick.core.payment_texts import PaymentOffer
    from tallystick.flows.connect import Connection


def opened(config: Config, named: Named) -> tuple[Connection, PaymentOffer]:
    """The connection of the account that signs, and the payment's terms, which are good here."""
    from tallystick.flows.connect import open_contract
    from tallystick.flows.payment_terms import require_escrow

    offer = named.offer(config)
    connection = open_contract(unlocked(config), signing=True)
    require_escrow(connection, offer)
    return connection, offer


def units_of(connection: Connection, offer: PaymentOffer, amount: str | None) -> int | None:
    """Base units of an amount as people type it, where one is given."""
    from tallystick.core.money import parse_units

    return None if amount is None else parse_units(amount, connection.token(offer.terms.token).describe().decimals)


@click.command(
    epilog=examples(
        "tallystick escrow authorize signed.json                      what the payer signed, sent by anyone",
        "TALLYSTICK_KEY=0x... tallystick escrow authorize terms.json  the payer themselves",
    )
)
@payment_argument
@configured
@shown
def authorize(config: Config, named: Named) -> Record:
    """Take the payer's money and hold it, on the terms that the payer agreed to.

    PAYMENT is what the payer signed, or the terms where the account that signs here is the payer, whose allowance is
    raised where it is too low.
    """
    from tallystick.core.payment_texts import SignedPayment
    from tallystick.flows.authorize import authorize as take
    from tallystick.flows.connect import open_contract

    payment = named.payment()
    connection = open_contract(unlocked(config), signing=True)
    sent = take(connection, payment)
    return done(connection, payment.offer if isinstance(payment, SignedPayment) else payment, sent)


@click.command(
    epilog=examples("tallystick escrow charge signed.json", "tallystick escrow charge signed.json --fee 2.5")
)
@payment_argument
@fee_option
@configured
@shown
def charge(config: Config, named: Named, fee_bps: int | None) -> Record:
    """Take the payer's money for the payee at once: for payee, operator or payer, without dispute window and
    milestones."""
    from tallystick.core.payment_texts import SignedPayment
    from tallystick.flows.authorize import charge_payment
    from tallystick.flows.connect import open_contract

    payment = named.payment()
    connection = open_contract(unlocked(config), signing=True)
    sent = charge_payment(connection, payment, fee_bps)
    return done(connection, payment.offer if isinstance(payment, SignedPayment) else payment, sent)


@click.command(
    epilog=examples(
        "tallystick escrow capture terms.json                 all that is held",
        "tallystick escrow capture terms.json --amount 10.00",
        "tallystick escrow capture 0x5e1f...a392              by its id, where the mirror knows it",
    )
)
@payment_argument
@click.option("--amount", metavar="AMOUNT", help="How much of it.  [default: all that is held]")
@fee_option
@configured
@shown
def capture(config: Config, named: Named, amount: str | None, fee_bps: int | None) -> Record:
    """Pay what is held to the payee: by payee or operator within the terms' times, or by the payer, who releases it."""
    from tallystick.core.payment_events import Captured
    from tallystick.flows.release import capture as take

    connection, offer = opened(config, named)
    sent = take(connection, offer, units_of(connection, offer, amount), fee_bps)
    captured = sent.one(Captured)
    return done(connection, offer, sent, captured=captured.amount_units, fee=captured.fee_units)


@click.command(epilog=examples("tallystick escrow milestone terms.json 0", "tallystick escrow milestone terms.json 1"))
@payment_argument
@click.argument("index", type=click.IntRange(0, 19))
@fee_option
@configured
@shown
def milestone(config: Config, named: Named, index: int, fee_bps: int | None) -> Record:
    """Pay a milestone to the payee, once. PAYMENT is the file, which has the list of them; the first is 0."""
    from tallystick.core.payment_events import Captured
    from tallystick.flows.release import capture_milestone

    connection, offer = opened(config, named)
    sent = capture_milestone(connection, offer, index, fee_bps)
    captured = sent.one(Captured)
    return done(connection, offer, sent, captured=captured.amount_units, fee=captured.fee_units)


@click.command(epilog=examples("tallystick escrow void terms.json"))
@payment_argument
@configured
@shown
def void(config: Config, named: Named) -> Record:
    """Give back what is held, disputed or not: by payee or operator."""
    from tallystick.core.payment_events import Voided

    connection, offer = opened(config, named)
    sent = connection.escrow.void(offer.terms)
    return done(connection, offer, sent, given_back=sent.one(Voided).amount_units)


@click.command(epilog=examples("tallystick escrow reclaim terms.json"))
@payment_argument
@configured
@shown
def reclaim(config: Config, named: Named) -> Record:
    """Give back what the payee did not capture in time. Anyone may."""
    from tallystick.core.payment_events import Reclaimed

    connection, offer = opened(config, named)
    sent = connection.escrow.reclaim(offer.terms)
    return done(connection, offer, sent, given_back=sent.one(Reclaimed).amount_units)


@click.command(
    epilog=examples("tallystick escrow refund terms.json", "tallystick escrow refund terms.json --amount 5.00")
)
@payment_argument
@click.option("--amount", metavar="AMOUNT", help="How much.  [default: all that was captured and not refunded]")
@configured
@shown
def refund(config: Config, named: Named, amount: str | None) -> Record:
    """Give back what was captured, from the payee's own balance. Its credit note comes with `tallystick index`."""
    from tallystick.core.payment_events import PaymentRefunded
    from tallystick.flows.release import refund_payment

    connection, offer = opened(config, named)
    sent = refund_payment(connection, offer, units_of(connection, offer, amount))
    return done(connection, offer, sent, refunded=sent.one(PaymentRefunded).amount_units)


@click.command(epilog=examples("TALLYSTICK_KEY=0x... tallystick escrow revoke terms.json"))
@payment_argument
@configured
@shown
def revoke(config: Config, named: Named) -> Record:
    """Take back the consent to a payment that was not made, for ever: by the payer."""
    connection, offer = opened(config, named)
    return done(connection, offer, connection.escrow.revoke(offer.terms))


@click.command(
    epilog=examples(
        "tallystick escrow claim 0xA0b8...eB48                          to the account that signs",
        "tallystick escrow claim 0xA0b8...eB48 --account 0x7099...79C8  to another; anyone may send it",
    )
)
@click.argument("token")
@click.option("--account", metavar="ADDRESS", help="Whose it is.  [default: the account that signs]")
@configured
@shown
def claim(config: Config, token: str, account: str | None) -> Record:
    """Have everything that the escrow keeps for an account in a TOKEN, because it could not receive it, paid out."""
    from tallystick.core.address import parse_address
    from tallystick.core.payment_events import PayoutClaimed
    from tallystick.flows.connect import open_contract

    address, wanted = parse_address(token), parse_address(account) if account else None
    connection = open_contract(unlocked(config), signing=True)
    sent = connection.escrow.claim(wanted or connection.sender.address, address)
    claimed = sent.one(PayoutClaimed)
    amount = Amount(claimed.amount_units, connection.token(address).describe())
    return Record({"account": claimed.account, "claimed": amount, "transaction": sent.receipt.transaction})
