"""`tallystick audit fork`: where books and chain part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tallystick.cli import configured, examples
from tallystick.cli.output import Record, shown
from tallystick.config import Config

if TYPE_CHECKING:
    from tallystick.flows.find_fork import Fork, KnownBlock

BELIEVE = (
    "Nothing was changed. Compare the hashes above with nodes of others and with explorers before you believe this: "
    "one node can say anything. If the chain itself went back, keep these books, build new ones from it in a new "
    "database, and correct the documents that are not in those."
)


@click.command(
    epilog=examples(
        "tallystick audit fork",
        "tallystick audit fork --json",
        "tallystick audit fork --rpc https://another.node    what another node says",
    )
)
@configured
@shown
def fork(config: Config) -> Record:
    """Show where the books and the chain part, and what of the books is above.

    For when the mirror has stopped because a block that was final is another one now. Of several nodes each is asked.
    Changes nothing. The sums are of debits, of entries of each kind of books by themselves.
    """
    from tallystick.flows.find_fork import find_forks
    from tallystick.flows.mirror import open_mirror

    mirror = open_mirror(config, all_nodes=True)
    forks = find_forks(mirror)
    values: dict[str, object] = {"chain_id": mirror.target.chain_id, "parted": bool(forks)}
    if not forks:
        note = f"{mirror.rpc.name} has every final block of the books: as it says, there is no fork."
        return Record(values | {"forks": [], "moved": [], "nodes": []}, note=note)
    nodes = [
        {"contract": found.kind, "node": said.node, "agrees": said.agrees, "why": said.why or None}
        for found in forks
        for said in found.testimonies
    ]
    moved = [{"contract": found.kind, "moved": amount} for found in forks for amount in found.moved]
    agreed = all(found.is_agreed for found in forks)
    values |= {"agreed": agreed, "needed": mirror.quorum, "forks": list(map(_row, forks)), "moved": moved}
    doubt = "" if agreed else f"Too few nodes say so: {mirror.quorum} must. "
    return Record(values | {"nodes": nodes}, note=doubt + BELIEVE)


def _row(found: Fork) -> dict[str, object]:
    return {
        "contract": found.kind,
        "events": found.events,
        "entries": found.entries,
        "documents": found.documents,
        **_block("common", found.common),
        **_block("gone", found.gone),
        "instead_hash": found.instead.hash,
        **_block("final", found.last),
        "final_instead_hash": found.last_instead.hash,
    }


def _block(name: str, block: KnownBlock | None) -> dict[str, object]:
    return {f"{name}_block": block and block.number, f"{name}_hash": block and block.hash}
