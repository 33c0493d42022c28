"""`tallystick index`: the mirror."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from tallystick.cli import configured, examples
from tallystick.cli.output import Below, Record, shown
from tallystick.cli.progress import Meter, say
from tallystick.config import Config

if TYPE_CHECKING:
    from tallystick.storage.waits import Wait

POLL_S = 2.0
NEXT = "Next: tallystick invoices list, tallystick ledger trial-balance, tallystick audit verify"
NOTHING_FINAL = (
    "No block with events is final yet, so that the ledger is empty and invoices are pending. On a chain of your own "
    "TALLYSTICK_INDEX_FINALITY=0 makes each block final at once."
)


@click.command(
    epilog=examples(
        "tallystick index --once                        up to the chain's present, then end",
        "tallystick index --follow                      and on from there, until Ctrl-C",
        "tallystick index --once --db postgresql+psycopg://user@host/books",
    )
)
@click.option("--once/--follow", default=True, help="End when the mirror is up to date (the default), or go on.")
@configured
@shown
def index(config: Config, once: bool) -> Record:
    """Mirror the chain into events, invoices and the ledger.

    Only final blocks enter the ledger and number invoices; younger ones are kept as pending. It can be stopped at any
    moment and goes on where it was. Of several on one database one leads, the others wait.
    """
    from tallystick.chain.heads import HeadHints
    from tallystick.flows.follow import follow_chain, ingest_once, waiting_line
    from tallystick.flows.mirror import open_mirror

    mirror = open_mirror(config, all_nodes=True)
    with Meter("blocks") as meter:
        if not once:
            hints = HeadHints(config.index.ws_url, say) if config.index.ws_url else None
            wait = hints.wait if hints else time.sleep
            follow_chain(mirror, poll_s=POLL_S, on_progress=meter.show, say=say, wait=wait)
        done = ingest_once(mirror, on_progress=meter.show, say=say)
    notes = [*map(waiting_line, done.waits), *(said.text for said in done.disagreements if not done.waits)]
    return Record(
        {
            "chain_id": mirror.target.chain_id,
            "contract": mirror.target.contract,
            "escrow": mirror.escrow.contract,
            "checkout": mirror.checkout.contract,
            "channels": mirror.channels.contract,
            "conversion": mirror.conversion and mirror.conversion.contract,
            "x402": mirror.x402 and mirror.x402.contract,
            "final_block": done.final_block,
            "head_block": done.head_block,
            "new_final_events": done.final_events,
            "pending_blocks": done.pending_blocks,
            "rolled_back_events": done.rolled_back_events or 0,
            "finality_waits": waits_of(done.waits),
            "disagreements": [{"node": said.node, "why": Below(said.text)} for said in done.disagreements],
        },
        note="\n".join(notes) or (NEXT if done.final_block >= mirror.target.start_block else NOTHING_FINAL),
    )


def waits_of(waits: Sequence[Wait]) -> list[dict[str, object]]:
    """What waits to become final, as commands show it."""
    return [wait._asdict() | {"why": Below(wait.why)} for wait in waits]
