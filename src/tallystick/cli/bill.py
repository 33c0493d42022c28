"""`tallystick bill`: the charges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.output import Record, Time, shown
from tallystick.cli.progress import say
from tallystick.config import Config
from tallystick.core.dunning import advice
from tallystick.core.money import Amount, Token
from tallystick.errors import ForeignPlan

if TYPE_CHECKING:
    from tallystick.flows.bill import BillReport
    from tallystick.flows.fill import PlanFill

POLL_S = 15.0
SHOWN_PLANS = 3
"""Of how many plans that are left out the reason is shown."""


@click.command(
    epilog=examples(
        "tallystick bill --once                         what is due now, then end",
        "TALLYSTICK_KEY=0x... tallystick bill --follow  and on from there, until Ctrl-C",
    )
)
@click.option("--once/--follow", default=True, help="End after one round (the default), or go on.")
@configured
@shown
def bill(config: Config, once: bool) -> Record:
    """Charge what is due, and retry declines by their schedule (bill.retry_after_s).

    What is due is read from the mirror, which `tallystick index` keeps up to date. Each charge is tried without sending
    first, so that a payer without money costs no gas. Anyone may charge: the key that pays the gas needs no rights.

    Anyone may create plans for themselves, so only yours are charged: those that pay one of merchant.payees, in one of
    merchant.tokens (any where none is named), with a number in merchant.plans (any where none is named). Where no payee
    is named it is the account whose key pays the gas.

    What plans that fill channels were charged is put into the channels then (bill.fill_channels). Name their contracts
    in merchant.payees.
    """
    from tallystick.chain.node import connect
    from tallystick.chain.sender import Sender
    from tallystick.chain.signer import configured_signer
    from tallystick.chain.subscriptions import Subscriptions
    from tallystick.chain.token import TokenContract
    from tallystick.flows.bill import bill_once, bill_role
    from tallystick.flows.fill import Filler
    from tallystick.flows.follow import repeat
    from tallystick.flows.lead import leading
    from tallystick.flows.mirror import open_mirror
    from tallystick.flows.recognise import OwnPlans

    signer = configured_signer(unlocked(config).signer)
    own = OwnPlans.of(config.merchant, signer.address)
    mirror = open_mirror(config)
    node = connect(config.rpc_url, chain_id=mirror.target.chain_id)
    contract = Subscriptions(node, mirror.target.contract, Sender(node, signer, config.gas))
    filler = Filler(contract, mirror.channels.contract) if config.bill.fill_channels else None

    with leading(mirror.engine, bill_role(mirror.target), wait=not once, say=say) as lease:
        told = False
        stuck: list[str] = []

        def round_of_billing() -> BillReport:
            nonlocal told
            report = bill_once(
                mirror.engine,
                mirror.target,
                contract,
                max_gas=config.bill.max_gas,
                retry_after_s=config.bill.retry_after_s,
                own=own,
                filler=filler,
                lease=lease,
            )
            if report.foreign and not report.due and not told:
                told = True
                say(left_out(report.foreign_due, report.foreign))
            return report

        def step() -> None:
            nonlocal stuck
            lease.renew()
            report = round_of_billing()
            filled = sum(len(fill.filled) for fill in report.fills)
            if report.charged or report.declined or filled:
                say(
                    f"charged {report.charged}, declined {len(report.declined)}, waiting for a retry {report.waiting}, "
                    f"channels filled {filled}"
                )
            before, stuck = stuck, not_filled(report.fills)
            for line in stuck:
                if line not in before:
                    say(line)

        if not once:
            repeat(step, poll_s=POLL_S, say=say)
        report = round_of_billing()
    tokens = {fill.plan.terms.token for fill in report.fills}
    return _record(report, {token: TokenContract(node, token).describe() for token in tokens})


def _record(report: BillReport, tokens: Mapping[str, Token]) -> Record:
    return Record(
        {
            "due": report.due,
            "charged": report.charged,
            "declined": [
                {
                    "subscription": declined.subscription_id,
                    "reason": declined.reason,
                    "to_do": advised.text if (advised := advice(declined.reason)) else None,
                    "attempt": declined.attempt,
                    "retry_at": None if declined.retry_at is None else Time(declined.retry_at),
                }
                for declined in report.declined
            ],
            "waiting_for_retry": report.waiting,
            "already_done": report.already_done,
            "transactions": report.transactions,
            "gas_used": report.gas_used,
            "due_to_others": report.foreign_due,
            "fills": [
                {
                    "plan": fill.plan.plan_id,
                    "contract": fill.plan.terms.payee,
                    "channels": len(fill.filled),
                    "amount": Amount(fill.units, tokens[fill.plan.terms.token]),
                    "not_filled": list(fill.failed),
                    "reasons": _reasons(fill),
                    "transactions": fill.transactions,
                    "gas_used": fill.gas_used,
                }
                for fill in report.fills
            ],
        },
        note="Next: tallystick index --once brings the charges into invoices and the ledger.",
    )


def not_filled(fills: Sequence[PlanFill]) -> list[str]:
    """Of each plan that has channels which could not be filled: how many, and why."""
    return [
        f"channels not filled {len(fill.failed)}, of plan {fill.plan.plan_id} ({fill.plan.terms.payee}): "
        + "; ".join(_reasons(fill))
        for fill in fills
        if fill.failed
    ]


def _reasons(fill: PlanFill) -> list[str]:
    return list(dict.fromkeys(map(str, fill.failed.values())))


def left_out(count: int, foreign: Sequence[ForeignPlan]) -> str:
    """Why nothing is charged although something is due: what was found, what is allowed, what to do."""
    reasons = [f"  {objection}" for objection in foreign[:SHOWN_PLANS]]
    if len(foreign) > SHOWN_PLANS:
        reasons.append(f"  and {len(foreign) - SHOWN_PLANS} more plans")
    return "\n".join([f"None of your plans is due. {count} subscriptions of other plans are:", *reasons])
