"""`tallystick bill`: the charges."""

from __future__ import annotations

import click

from tallystick.cli import configured, examples
from tallystick.cli.output import Record, Time, shown
from tallystick.cli.progress import say
from tallystick.config import Config

POLL_S = 15.0


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
    """
    from tallystick.chain.node import connect
    from tallystick.chain.sender import Sender
    from tallystick.chain.signer import configured_signer
    from tallystick.chain.subscriptions import Subscriptions
    from tallystick.flows.bill import BillReport, bill_once, bill_role
    from tallystick.flows.follow import repeat
    from tallystick.flows.lead import leading
    from tallystick.flows.mirror import open_mirror

    signer = configured_signer(config.signer)
    mirror = open_mirror(config)
    node = connect(config.rpc_url, chain_id=mirror.target.chain_id)
    contract = Subscriptions(node, mirror.target.contract, Sender(node, signer, config.gas))

    with leading(mirror.engine, bill_role(mirror.target), wait=not once, say=say) as lease:

        def round_of_billing() -> BillReport:
            return bill_once(
                mirror.engine,
                mirror.target,
                contract,
                max_gas=config.bill.max_gas,
                retry_after_s=config.bill.retry_after_s,
                lease=lease,
            )

        def step() -> None:
            lease.renew()
            report = round_of_billing()
            if report.charged or report.declined:
                say(f"charged {report.charged}, declined {len(report.declined)}, waiting for a retry {report.waiting}")

        if not once:
            repeat(step, poll_s=POLL_S, say=say)
        report = round_of_billing()
    return Record(
        {
            "due": report.due,
            "charged": report.charged,
            "declined": [
                {
                    "subscription": declined.subscription_id,
                    "reason": declined.reason,
                    "attempt": declined.attempt,
                    "retry_at": None if declined.retry_at is None else Time(declined.retry_at),
                }
                for declined in report.declined
            ],
            "waiting_for_retry": report.waiting,
            "already_done": report.already_done,
            "transactions": report.transactions,
            "gas_used": report.gas_used,
        },
        note="Next: tallystick index --once brings the charges into invoices and the ledger.",
    )
