"""`tallystick subscriptions`, its end: cancelled, by a signature as well, or all at once."""

from __future__ import annotations

from typing import BinaryIO, TextIO

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.consent import read_signed
from tallystick.cli.output import Record, Time, shown
from tallystick.cli.spans import SPAN
from tallystick.config import Config
from tallystick.core.money import Amount


@click.command(
    epilog=examples(
        "tallystick subscriptions cancel 118 --at-period-end",
        "tallystick subscriptions cancel 118",
        "tallystick subscriptions cancel 118 --refund                the payee gives back what is unused",
        "tallystick subscriptions cancel --signed cancelled.json     what the payer signed, sent by anyone",
    )
)
@click.argument("subscription_id", type=int, required=False)
@click.option("--at-period-end", is_flag=True, help="Let the paid period run out first.")
@click.option("--refund", is_flag=True, help="As its payee: now, giving back what is unused, credit included.")
@click.option("--signed", type=click.File("rb"), metavar="FILE", help="A payer's `sign-cancellation`; ends it now.")
@configured
@shown
def cancel(
    config: Config, subscription_id: int | None, at_period_end: bool, refund: bool, signed: BinaryIO | None
) -> Record:
    """End a subscription, now or with its paid period.

    Its payer may, where the plan has a minimum in the trial or once that is charged; its payee may always, of a plan
    that promises it with --refund: what is left of the paid period goes back out of the newest charges.
    """
    from tallystick.core.cancellation import Cancellation
    from tallystick.core.events import Refunded
    from tallystick.flows.cancel import cancel_with_refund, submit_end
    from tallystick.flows.connect import open_contract

    if (subscription_id is None) == (signed is None) or (signed and (at_period_end or refund)):
        raise click.UsageError("name the subscription, or give what its payer signed with --signed FILE alone")
    if at_period_end and refund:
        raise click.UsageError("at the period's end nothing is unused: leave --refund or --at-period-end out")
    end = read_signed(signed, Cancellation) if signed else None
    connection = open_contract(unlocked(config), signing=True)
    contract = connection.contract
    if end is not None:
        assert isinstance(end.end, Cancellation)
        subscription_id, sent = end.end.subscription_id, submit_end(connection, end)
    else:
        assert subscription_id is not None
        if refund:
            sent = cancel_with_refund(connection, subscription_id)
        else:
            sent = contract.cancel_at_period_end(subscription_id) if at_period_end else contract.cancel(subscription_id)
    found = contract.subscription(subscription_id)
    values: dict[str, object] = {
        "subscription_id": subscription_id,
        "status": found.status,
        "paid_until": Time(found.next_due),
        "transaction": sent.receipt.transaction,
    }
    if refund:
        token = connection.token(contract.plan(found.plan_id).terms.token).describe()
        refunds = [event for event in sent.events if isinstance(event, Refunded)]
        values["refunded"] = Amount(sum(event.amount_units for event in refunds), token)
        values["charge_numbers"] = [event.charge_number for event in refunds]
    return Record(values)


@click.command(
    "sign-cancellation",
    epilog=examples("TALLYSTICK_KEY=0x... tallystick subscriptions sign-cancellation 118 --out cancelled.json"),
)
@click.argument("subscription_id", type=int)
@click.option("--valid", type=SPAN, default="7d", show_default=True, metavar="SPAN", help="How long it may be sent.")
@click.option("--out", type=click.File("w", encoding="utf-8"), default="-", metavar="FILE", help="Write it here.")
@configured
def sign_cancellation(config: Config, subscription_id: int, valid: int, out: TextIO) -> None:
    """Sign the end of a subscription, for anyone to send. Its payer may; no gas is needed."""
    from tallystick.flows.cancel import sign_cancellation as sign_it
    from tallystick.flows.connect import open_contract

    out.write(sign_it(open_contract(unlocked(config), signing=True), subscription_id, valid_s=valid).render())
    click.echo("to send it: tallystick subscriptions cancel --signed FILE", err=True)


@click.command(
    epilog=examples(
        "tallystick subscriptions stop --all            every subscription that the signing account ever opened",
        "tallystick subscriptions stop 118 119 --salt 8123771",
    )
)
@click.argument("subscription_ids", type=int, nargs=-1)
@click.option("--all", "every", is_flag=True, help="All of the signing account's, found by the contract's logs.")
@click.option(
    "--salt", "salts", type=click.IntRange(0, 2**256 - 1), multiple=True, help="Of a mandate to make worthless as well."
)
@configured
@shown
def stop(config: Config, subscription_ids: tuple[int, ...], every: bool, salts: tuple[int, ...]) -> Record:
    """The payer's emergency stop: end subscriptions now, whatever their plan's minimum. It is final."""
    from tallystick.core.events import Cancelled, MandateRevoked
    from tallystick.flows.cancel import stop as stop_all
    from tallystick.flows.connect import open_contract

    if every == bool(subscription_ids) and not (salts and not every):
        raise click.UsageError("name the subscriptions to end, or --all for every one of the account that signs")
    sent = stop_all(open_contract(unlocked(config), signing=True), None if every else subscription_ids, salts)
    events = sent.events if sent else ()
    return Record(
        {
            "cancelled": [event.subscription_id for event in events if isinstance(event, Cancelled)],
            "revoked_salts": [event.salt for event in events if isinstance(event, MandateRevoked)],
            "transaction": sent.receipt.transaction if sent else None,
        }
    )
