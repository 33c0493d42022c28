"""`tallystick status`: where everything stands."""

from __future__ import annotations

from dataclasses import asdict

import click

from tallystick.cli import configured, examples
from tallystick.cli.output import Record, Time, shown
from tallystick.config import Config


@click.command(epilog=examples("tallystick status", "tallystick status --json"))
@configured
@shown
def status(config: Config) -> Record:
    """Heads, lag, finality, due and failed charges."""
    from tallystick.flows.mirror import open_mirror
    from tallystick.flows.status import read_state

    state = read_state(open_mirror(config))
    values = asdict(state) | {"time": Time(state.time)}
    lagging = state.mirror_head is None or (state.lag_blocks or 0) > 0
    notes = []
    if lagging:
        notes.append("The mirror is behind: tallystick index --once")
    if state.due:
        notes.append(f"{state.due} subscriptions are due: tallystick bill --once")
    return Record(values, note="\n".join(notes))
