"""`tallystick plans`: which plan in another token stands in for one."""

from __future__ import annotations

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.output import Record, shown
from tallystick.config import Config


@click.command("offer-alternative", epilog=examples("tallystick plans offer-alternative 1 4"))
@click.argument("plan_id", type=int)
@click.argument("alternative_id", type=int)
@configured
@shown
def offer_alternative(config: Config, plan_id: int, alternative_id: int) -> Record:
    """Declare that a plan in another token costs as much: payers may name it as their fallback plan. The payee may.

    A period is then paid under it where the payer lacks the first token and has the other.
    """
    from tallystick.core.events import AlternativeOffered
    from tallystick.flows.connect import open_contract

    sent = open_contract(unlocked(config), signing=True).contract.offer_alternative(plan_id, alternative_id)
    offered = sent.one(AlternativeOffered)
    return _record(*offered, sent.receipt.transaction)


@click.command("withdraw-alternative", epilog=examples("tallystick plans withdraw-alternative 1 4"))
@click.argument("plan_id", type=int)
@click.argument("alternative_id", type=int)
@configured
@shown
def withdraw_alternative(config: Config, plan_id: int, alternative_id: int) -> Record:
    """Take an alternative back, as where its token lost its worth: nothing is charged under it. The payee may."""
    from tallystick.core.events import AlternativeWithdrawn
    from tallystick.flows.connect import open_contract

    sent = open_contract(unlocked(config), signing=True).contract.withdraw_alternative(plan_id, alternative_id)
    withdrawn = sent.one(AlternativeWithdrawn)
    return _record(*withdrawn, sent.receipt.transaction)


def _record(plan_id: int, alternative_id: int, transaction: str) -> Record:
    return Record({"plan_id": plan_id, "alternative_plan_id": alternative_id, "transaction": transaction})
