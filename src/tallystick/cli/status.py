"""`tallystick status`: where everything stands."""

from __future__ import annotations

from dataclasses import asdict

import click

from tallystick.cli import configured, examples
from tallystick.cli.index import waits_of
from tallystick.cli.output import Below, Record, Time, shown
from tallystick.config import Config


@click.command(epilog=examples("tallystick status", "tallystick status --json"))
@configured
@shown
def status(config: Config) -> Record:
    """Heads, lag, finality, what waits to become final, due and failed charges.

    `due` counts subscriptions of the merchant's own plans, as `tallystick bill` would with TALLYSTICK_KEY; where
    neither that nor merchant.payees says who is paid, those of all payees.
    """
    from tallystick.chain.signer import KeySigner
    from tallystick.flows.follow import waiting_line
    from tallystick.flows.mirror import open_mirror
    from tallystick.flows.recognise import OwnPlans
    from tallystick.flows.status import read_state

    key = config.signer.key
    own = OwnPlans.of(config.merchant, KeySigner.from_key(key.get_secret_value()).address if key else None)
    state = read_state(open_mirror(config, all_nodes=True), own)
    nodes = [asdict(node) | {"trouble": node.trouble and Below(node.trouble)} for node in state.nodes]
    values = asdict(state) | {
        "time": Time(state.time),
        "nodes": nodes,
        "finality_waits": waits_of(state.finality_waits),
    }
    lagging = state.mirror_head is None or (state.lag_blocks or 0) > 0
    notes = [*map(waiting_line, state.finality_waits), *(node.trouble for node in state.nodes if node.trouble)]
    if lagging:
        notes.append("The mirror is behind: tallystick index --once")
    if state.due:
        notes.append(f"{state.due} subscriptions are due: tallystick bill --once")
    return Record(values, note="\n".join(notes))
