"""`tallystick audit pack`, `blocks` and `check-pack`: books that prove themselves to a machine without a node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tallystick.cli import configured, examples
from tallystick.cli.audit import audited, described, details, report_writer, reported, summary, tell
from tallystick.cli.output import Record, shown, to_json, to_text
from tallystick.cli.progress import Meter
from tallystick.config import Config

if TYPE_CHECKING:
    from tallystick.flows.check_pack import PackReport

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("pack", epilog=examples("tallystick audit pack books.pack", "tallystick audit pack books.pack --json"))
@click.argument("file", type=FILE)
@configured
@shown
def pack(config: Config, file: Path) -> Record:
    """Write the books, with proofs that each event happened on chain, into one FILE.

    The books are audited first; what differs is not packed. FILE has the journal, invoices and rates, the headers of
    blocks with their transactions and receipts as far as they matter, and the contracts' own counts, each with the
    nodes of the tries that prove it (Merkle-Patricia). `tallystick audit check-pack` needs nothing else but the hashes
    of the blocks.
    """
    from tallystick.chain.pack_chain import RecordingRpc
    from tallystick.flows.mirror import open_mirror
    from tallystick.flows.pack import write_pack

    mirror, rpc = open_mirror(config), RecordingRpc(config.rpc_url)
    with Meter("blocks") as meter:
        audits = audited(config, mirror, meter, rpc)
        done = write_pack(mirror, rpc, audits, file, on_progress=meter.show)
    return Record(
        {
            "file": done.path,
            "pack": done.name,
            "bytes": file.stat().st_size,
            "blocks": done.blocks,
            "events": done.events,
            "proven_words": done.slots,
            "unproven_answers": done.told,
        },
        note=f"Next, on any machine: tallystick audit check-pack {file} --trusted HASHES",
    )


@click.command(
    "blocks",
    epilog=examples(
        "tallystick audit blocks books.pack --rpc https://... > trusted.txt   what your own node says of them",
        "tallystick audit blocks books.pack --claimed                         what the pack says of them",
    ),
)
@click.argument("file", type=FILE)
@click.option("--claimed", is_flag=True, help="The hashes that the pack has, instead of those that the node gives.")
@configured
def blocks(config: Config, file: Path, claimed: bool) -> None:
    """The hashes of the blocks on which a pack rests, as a node that you trust gives them.

    A line for each block: its number and its hash. Compare them with an explorer, or take them from a node of your own;
    `check-pack --trusted` reads them.
    """
    from tallystick.flows.check_pack import block_hashes, trusted_hashes

    found = block_hashes(file)
    if not claimed:
        found = trusted_hashes(config.rpc_url, list(found))
    for number, found_hash in found.items():
        click.echo(f"{number} 0x{found_hash.hex()}")


@click.command(
    "check-pack",
    epilog=examples(
        "tallystick audit check-pack books.pack --trusted trusted.txt",
        "tallystick audit check-pack books.pack --unanchored --json",
        "tallystick audit check-pack books.pack --trusted trusted.txt --report audit.pdf",
    ),
)
@click.argument("file", type=FILE)
@click.option("--trusted", type=FILE, metavar="FILE", help="Hashes of blocks that you trust: number and hash a line.")
@click.option("--unanchored", is_flag=True, help="Compare no hashes: what is proven, is if the pack's blocks are real.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
@reported
def check_pack(file: Path, trusted: Path | None, unanchored: bool, as_json: bool, report_file: Path | None) -> None:
    """Prove books by a pack alone, without a node, a database or a network.

    Everything is derived again from the events, each of which is proven to be in its block, and compared with the
    books; the contracts' own counts, proven by their storage, say that none is left out. Ends with 0 only if everything
    agrees, with 1 and the name of what does not otherwise.
    """
    from tallystick.flows.check_pack import check_pack as run
    from tallystick.flows.check_pack import read_hashes

    if (trusted is None) != unanchored:
        raise click.UsageError(
            "name the hashes that you trust with --trusted FILE, or say --unanchored to compare none"
        )
    write = report_writer(report_file)
    with Meter("blocks") as meter:
        report = run(file, None if trusted is None else read_hashes(trusted), on_progress=meter.show)
    if as_json:
        more = {name: found | details(other) for name, (other, found) in described(report.audits).items()}
        click.echo(to_json(Record(_values(report) | {"subscriptions": _subscriptions(report)} | more)))
    else:
        _tell(report)
    if write is not None:
        from tallystick.flows.state_audit import state_pack

        write(state_pack(report))
    if not report.ok:
        raise click.exceptions.Exit(1)


def _values(report: PackReport) -> dict[str, object]:
    return {
        "ok": report.ok,
        "pack": report.name,
        "made_by": f"Tallystick {report.about.made_by}",
        "chain_id": report.about.chain_id,
        "blocks": len(report.blocks),
        "blocks_compared": report.compared,
        "transactions": report.transactions,
        "unsigned_transactions": report.unsigned,
        "proven_answers": report.proven_answers,
        "unproven_answers": report.told_answers,
        "difference_count": report.audits.difference_count,
    }


def _subscriptions(report: PackReport) -> dict[str, object]:
    return summary(report.audits.subscriptions) | details(report.audits.subscriptions)


def _tell(report: PackReport) -> None:
    audits = report.audits
    click.echo(to_text(Record(_values(report))))
    for name, found in audits.reports.items():
        tell(found, "" if found is audits.subscriptions else f"{name}, ")
    click.echo("")
    if report.ok:
        what = f"{sum(found.events for found in audits.reports.values())} events"
        click.echo(f"The halves match: {what} are proven, and journal, invoices and counts follow from them.")
    if not report.compared:
        click.echo(
            f"All of it rests on the hashes of {len(report.blocks)} blocks, which were not compared with anything: "
            "`tallystick audit blocks` lists them."
        )
    if report.unsigned:
        click.echo(f"{report.unsigned} transactions have no signature: the chain is a test chain.")
    if report.told_answers:
        click.echo(
            f"{report.told_answers} answers of tokens (symbol, decimals, balances) are the word of the node with which "
            "the pack was made: no proof of them is known."
        )
