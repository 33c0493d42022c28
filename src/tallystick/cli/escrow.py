"""`tallystick escrow`: payments that are held until they are earned."""

from __future__ import annotations

from typing import Any, TextIO

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.escrow_court import court
from tallystick.cli.escrow_disputes import dispute, evidence, rule
from tallystick.cli.escrow_files import Named, option_row, payment_argument, when
from tallystick.cli.escrow_verbs import (
    authorize,
    capture,
    charge,
    claim,
    milestone,
    reclaim,
    refund,
    revoke,
    void,
)
from tallystick.cli.files import funding_option, out_option
from tallystick.cli.output import Record, Span, Table, Time, shown
from tallystick.cli.spans import DATE, PERCENT, SPAN
from tallystick.config import Config
from tallystick.core.money import Amount

STATUSES = ["open", "disputed", "closed"]


@click.group()
def escrow() -> None:
    """Payments that are held until they are earned: terms, consent, captures, disputes.

    A merchant makes terms, the payer signs or sends them, the escrow holds the money, and the merchant captures it once
    what was sold is delivered. Nobody owns the escrow: what is not captured in time goes back. PAYMENT is a file, of
    terms or of what was signed, or the id of a payment that the mirror knows.
    """


for _command in (
    *(authorize, charge, capture, milestone, void, reclaim, refund, dispute, evidence, rule, court, revoke, claim),
):
    escrow.add_command(_command)


class _MilestoneType(click.ParamType):
    """An amount, and from when on."""

    name = "milestone"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """From `10.00` or `10.00@2027-01-01`."""
        if isinstance(value, tuple):
            return value
        amount, _, date = str(value).partition("@")
        return amount, DATE.convert(date, param, ctx) if date else 0


@escrow.command(
    epilog=examples(
        "tallystick escrow terms --payer 0x3C44... --amount 25.00 --token 0xA0b8... --out terms.json",
        "tallystick escrow terms --payer 0x3C4... --amount 25 --token 0xA0b... --arbiter 0x90F... --ruling-within 7d",
        "tallystick escrow terms --payer 0x3C4... --amount 9 --token 0xA0b... --milestone 4 --milestone 5@2027-01-01",
    )
)
@click.option("--payer", required=True, metavar="ADDRESS", help="Who pays.")
@click.option("--amount", required=True, metavar="AMOUNT", help="How much of the token: 25.00.")
@click.option("--token", required=True, metavar="ADDRESS", help="In which token.")
@click.option("--payee", metavar="ADDRESS", help="Who is paid.  [default: the account that signs]")
@click.option("--authorize-within", type=SPAN, default="7d", show_default=True, help="How long the payer may take.")
@click.option("--capture-within", type=SPAN, default="30d", show_default=True, help="After that, how long the payee.")
@click.option("--refund-within", type=SPAN, default="60d", show_default=True, help="After that, how long refunds go.")
@click.option("--operator", metavar="ADDRESS", help="Who else may capture, charge and void for the payee.")
@click.option("--arbiter", metavar="ADDRESS", help="Who rules in a dispute; without one there are none.")
@click.option("--dispute-window", type=SPAN, default=0, help="In which only the payer can release anything: 3d.")
@click.option("--ruling-within", type=SPAN, default="14d", show_default=True, help="How long the arbiter may take.")
@click.option(
    "--default-payee",
    type=PERCENT,
    default="50",
    show_default=True,
    metavar="PERCENT",
    help="The payee's part where the arbiter is silent.",
)
@click.option("--max-arbiter-fee", type=PERCENT, default=0, metavar="PERCENT", help="The most that a ruling costs.")
@click.option("--min-fee", type=PERCENT, default=0, metavar="PERCENT", help="A platform's part, at least.")
@click.option("--max-fee", type=PERCENT, metavar="PERCENT", help="And at most.  [default: the least]")
@click.option("--fee-receiver", metavar="ADDRESS", help="Who receives it.")
@click.option(
    "--milestone",
    "milestones",
    type=_MilestoneType(),
    multiple=True,
    metavar="AMOUNT[@DATE]",
    help="A part that can be captured, from a date on; may be repeated. Together they are the amount.",
)
@click.option("--salt", type=click.IntRange(0, 2**256 - 1), help="Your own number for it.  [default: random]")
@out_option
@configured
def terms(config: Config, /, out: TextIO, payer: str, amount: str, token: str, payee: str | None, **more: Any) -> None:
    """Make the terms of a payment, for the payer to agree to.

    Nothing is sent, and with --payee no key is needed.
    """
    from tallystick.core.address import ZERO_ADDRESS, parse_address
    from tallystick.core.money import parse_units
    from tallystick.core.payment import Milestone
    from tallystick.flows.connect import open_contract
    from tallystick.flows.payment_terms import make_terms

    connection = open_contract(unlocked(config) if payee is None else config, signing=payee is None)
    token = parse_address(token)
    decimals = connection.token(token).describe().decimals
    accounts = {
        name: parse_address(more[name]) if more[name] else ZERO_ADDRESS
        for name in ("operator", "arbiter", "fee_receiver")
    }
    parts = [
        Milestone(index, parse_units(part, decimals), releasable_at)
        for index, (part, releasable_at) in enumerate(more["milestones"])
    ]
    offer = make_terms(
        connection,
        payer=parse_address(payer),
        payee=parse_address(payee) if payee else connection.sender.address,
        token=token,
        amount_units=parse_units(amount, decimals),
        authorize_s=more["authorize_within"],
        capture_s=more["capture_within"],
        refund_s=more["refund_within"],
        dispute_window_s=more["dispute_window"],
        ruling_s=more["ruling_within"],
        default_payee_bps=more["default_payee"],
        max_arbiter_fee_bps=more["max_arbiter_fee"],
        min_fee_bps=more["min_fee"],
        max_fee_bps=more["max_fee"],
        milestones=parts,
        salt=more["salt"],
        **accounts,
    )
    out.write(offer.render())
    click.echo(f"payment 0x{offer.payment_id.hex()}; the payer signs next: tallystick escrow sign FILE", err=True)


@escrow.command(
    epilog=examples(
        "TALLYSTICK_KEY=0x... tallystick escrow sign terms.json --out signed.json",
        "tallystick escrow sign terms.json --funding permit2 --out signed.json",
    )
)
@payment_argument
@funding_option
@out_option
@configured
def sign(config: Config, named: Named, funding: str, out: TextIO) -> None:
    """Agree to a payment's terms, for anyone to send. Nothing is sent, and no gas is needed.

    Whoever has it can have this payment made, once, on these terms, and nothing else.
    """
    from tallystick.flows.bring import PaymentFunding
    from tallystick.flows.connect import open_contract
    from tallystick.flows.sign_payment import sign_payment

    offer = named.offer(config)
    signed = sign_payment(open_contract(unlocked(config), signing=True), offer, PaymentFunding(funding))
    out.write(signed.render())
    way = signed.funding.name.lower()
    click.echo(f"{offer.terms.payer} agrees, by {way}; next: tallystick escrow authorize FILE, or charge", err=True)


@escrow.command(epilog=examples("tallystick escrow show terms.json", "tallystick escrow show 0x5e1f...a392 --json"))
@payment_argument
@configured
@shown
def show(config: Config, named: Named) -> Record:
    """A payment as it stands on chain: what is held, its deadlines, and what may be done next and by whom."""
    from tallystick.core.address import ZERO_ADDRESS
    from tallystick.core.payment import PaymentStatus
    from tallystick.flows.connect import open_contract
    from tallystick.flows.describe_payment import describe_payment

    connection = open_contract(config)
    state = describe_payment(connection, named.offer(config))
    found, token = state.offer.terms, state.token
    values: dict[str, object] = {
        "payment": state.payment_id,
        "status": state.status,
        "revoked": state.is_revoked or None,
        "payer": found.payer,
        "payee": found.payee,
        "amount": Amount(found.amount_units, token),
        "held": state.held,
        "refundable": state.refundable,
        "reference": str(found.salt),
        "authorize_before": Time(found.authorize_before),
        "capture_before": Time(found.capture_before),
        "refund_before": Time(found.refund_before),
        "operator": None if found.operator == ZERO_ADDRESS else found.operator,
        "arbiter": None if found.arbiter == ZERO_ADDRESS else found.arbiter,
        "ruling_within": Span(found.ruling_timeout_s) if found.ruling_timeout_s else None,
        "only_payer_until": when(state.window_until),
        "ruling_before": when(state.ruling_before),
        "fee_bps": [found.min_fee_bps, found.max_fee_bps] if found.max_fee_bps else None,
        "milestones_captured": list(state.milestones) or None,
    }
    kept = {name: value for name, value in values.items() if value is not None}
    has_court = state.status is PaymentStatus.DISPUTED and connection.node.code(found.arbiter)
    note = "Its arbiter is a contract, which may have a court: tallystick escrow court show" if has_court else ""
    return Record(kept | {"options": [option_row(option, state.time) for option in state.options]}, note=note)


@escrow.command(
    "list",
    epilog=examples("tallystick escrow list --status open", "tallystick escrow list --payee 0x7099...79C8 --json"),
)
@click.option("--status", type=click.Choice(STATUSES), help="Only these.")
@click.option("--payer", metavar="ADDRESS", help="Of this payer.")
@click.option("--payee", metavar="ADDRESS", help="To this payee.")
@configured
@shown
def list_payments(config: Config, status: str | None, payer: str | None, payee: str | None) -> Table:
    """The payments in the mirror (`tallystick index`), the newest first."""
    from tallystick.core.address import parse_address
    from tallystick.core.payment import PaymentStatus
    from tallystick.flows.find_payments import find_payments
    from tallystick.flows.mirror import open_books

    found = find_payments(
        open_books(config),
        payer=parse_address(payer) if payer else None,
        payee=parse_address(payee) if payee else None,
        status=PaymentStatus[status.upper()] if status else None,
    )
    rows = [
        {
            "payment": payment.payment_id,
            "status": payment.status,
            "payer": payment.terms.payer,
            "payee": payment.terms.payee,
            "amount": Amount(payment.terms.amount_units, token),
            "held": Amount(payment.held_units, token),
            "captured": Amount(payment.captured_units, token),
            "refunded": Amount(payment.refunded_units, token),
            "capture_before": Time(payment.terms.capture_before),
        }
        for payment, token in found
    ]
    return Table(rows, empty="no such payments in the mirror: `tallystick index --once` brings it up to date")
