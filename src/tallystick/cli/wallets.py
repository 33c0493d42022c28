"""`tallystick subscriptions`: another wallet that pays from now on, and one that pays where the payer cannot."""

from __future__ import annotations

from typing import BinaryIO, TextIO

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.output import Record, shown
from tallystick.cli.spans import SPAN
from tallystick.config import Config

_valid = click.option(
    "--valid", type=SPAN, default="7d", show_default=True, metavar="SPAN", help="How long it may be sent."
)
_out = click.option("--out", type=click.File("w", encoding="utf-8"), default="-", metavar="FILE", help="Write it here.")


@click.command(
    "sign-payer-change",
    epilog=examples(
        "tallystick subscriptions sign-payer-change 118 0x3C44...93BC --out change.json      one of the wallets",
        "tallystick subscriptions sign-payer-change --signed change.json --out both.json     the other one",
        "tallystick subscriptions change-payer both.json                                     anyone",
    ),
)
@click.argument("subscription_id", type=int, required=False)
@click.argument("new_payer", required=False)
@click.option("--signed", type=click.File("rb"), metavar="FILE", help="What the other wallet signed, to sign as well.")
@_valid
@_out
@configured
def sign_payer_change(
    config: Config,
    subscription_id: int | None,
    new_payer: str | None,
    signed: BinaryIO | None,
    valid: int,
    out: TextIO,
) -> None:
    """Sign that NEW_PAYER pays for a subscription from now on. Both wallets must sign; nothing is sent.

    It is good while the subscription keeps its plan and seats.
    """
    from tallystick.core.address import parse_address
    from tallystick.core.payer_change import parse_payer_change
    from tallystick.flows.connect import open_contract
    from tallystick.flows.hand_over import countersign_payer_change
    from tallystick.flows.hand_over import sign_payer_change as sign_it

    if (subscription_id is None) == (signed is None) or (new_payer is None) != (subscription_id is None):
        raise click.UsageError("name the subscription and its new payer, or give what was signed with --signed FILE")
    if signed is not None:
        change = parse_payer_change(signed.read())
        change = countersign_payer_change(open_contract(unlocked(config), signing=True), change)
    else:
        address = parse_address(str(new_payer))
        connection = open_contract(unlocked(config), signing=True)
        assert subscription_id is not None
        change = sign_it(connection, subscription_id, address, valid_s=valid)
    out.write(change.render())
    if change.payer_signature and change.new_payer_signature:
        click.echo("both have signed; to send it: tallystick subscriptions change-payer FILE", err=True)
    else:
        missing = change.change.payer if not change.payer_signature else change.change.new_payer
        click.echo(f"{missing} signs next: tallystick subscriptions sign-payer-change --signed FILE", err=True)


@click.command("change-payer", epilog=examples("tallystick subscriptions change-payer both.json"))
@click.argument("file", type=click.File("rb"))
@configured
@shown
def change_payer(config: Config, file: BinaryIO) -> Record:
    """Have another wallet pay from now on, as both wallets signed it in FILE. Anyone may send it.

    One of the two needs no signature where it is the account that signs here. Refunds go to the new payer; a fallback
    and what was scheduled are dropped.
    """
    from tallystick.core.events import PayerChanged
    from tallystick.core.payer_change import parse_payer_change
    from tallystick.flows.connect import open_contract
    from tallystick.flows.hand_over import change_payer as change_it

    signed = parse_payer_change(file.read())
    connection = open_contract(unlocked(config), signing=True)
    sent = change_it(connection, signed)
    changed = sent.one(PayerChanged)
    plan_id = connection.contract.subscription(changed.subscription_id).plan_id
    return Record(
        {
            "subscription_id": changed.subscription_id,
            "payer": changed.new_payer,
            "former_payer": changed.payer,
            "transaction": sent.receipt.transaction,
        },
        note=f"Next: the new payer allows charges with `tallystick subscriptions approve {plan_id}`",
    )


@click.command(
    "sign-fallback",
    epilog=examples("TALLYSTICK_KEY=0x... tallystick subscriptions sign-fallback 118 --out fallback.json"),
)
@click.argument("subscription_id", type=int)
@_valid
@_out
@configured
def sign_fallback(config: Config, subscription_id: int, valid: int, out: TextIO) -> None:
    """Sign, as a wallet, that it pays for periods of a subscription where the payer lacks allowance or balance.

    Nothing is sent: the payer does that with `set-fallback`. The wallet needs an allowance of its own (`approve`).
    """
    from tallystick.flows.connect import open_contract
    from tallystick.flows.stand_in import sign_fallback as sign_it

    signed = sign_it(open_contract(unlocked(config), signing=True), subscription_id, valid_s=valid)
    out.write(signed.render())
    payer = signed.consent.payer
    click.echo(f"to send it, {payer} uses: tallystick subscriptions set-fallback FILE", err=True)


@click.command("set-fallback", epilog=examples("tallystick subscriptions set-fallback fallback.json"))
@click.argument("file", type=click.File("rb"))
@configured
@shown
def set_fallback(config: Config, file: BinaryIO) -> Record:
    """Name the wallet that signed FILE as the one that pays where the payer cannot. Its payer may.

    It pays for periods alone, not for changes or usage.
    """
    from tallystick.core.events import FallbackSet
    from tallystick.core.fallback import parse_fallback
    from tallystick.flows.connect import open_contract
    from tallystick.flows.stand_in import set_fallback as set_it

    signed = parse_fallback(file.read())
    sent = set_it(open_contract(unlocked(config), signing=True), signed)
    found = sent.one(FallbackSet)
    return Record(
        {
            "subscription_id": found.subscription_id,
            "fallback_wallet": found.wallet,
            "transaction": sent.receipt.transaction,
        }
    )


@click.command("set-fallback-plan", epilog=examples("tallystick subscriptions set-fallback-plan 118 4"))
@click.argument("subscription_id", type=int)
@click.argument("plan_id", type=int)
@configured
@shown
def set_fallback_plan(config: Config, subscription_id: int, plan_id: int) -> Record:
    """Name a plan in another token under which periods are paid where the payer lacks the first one. Its payer may.

    The payee must offer it (`plans offer-alternative`). It takes the place of a fallback wallet, and needs an allowance
    in its own token (`approve`).
    """
    from tallystick.core.events import FallbackPlanSet
    from tallystick.flows.connect import open_contract

    contract = open_contract(unlocked(config), signing=True).contract
    sent = contract.set_fallback_plan(subscription_id, contract.plan(plan_id))
    found = sent.one(FallbackPlanSet)
    return Record(
        {
            "subscription_id": found.subscription_id,
            "fallback_plan_id": found.alternative_plan_id,
            "transaction": sent.receipt.transaction,
        },
        note=f"Next: allow charges in its token with `tallystick subscriptions approve {plan_id}`",
    )


@click.command("drop-fallback", epilog=examples("tallystick subscriptions drop-fallback 118"))
@click.argument("subscription_id", type=int)
@configured
@shown
def drop_fallback(config: Config, subscription_id: int) -> Record:
    """End that a fallback wallet pays, or the payer under a fallback plan. The payer and the wallet may."""
    from tallystick.flows.connect import open_contract

    sent = open_contract(unlocked(config), signing=True).contract.drop_fallback(subscription_id)
    return Record(
        {
            "subscription_id": subscription_id,
            "fallback_wallet": None,
            "fallback_plan_id": None,
            "transaction": sent.receipt.transaction,
        }
    )
