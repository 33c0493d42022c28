"""`tallystick audit`: the proof that the halves match."""

from __future__ import annotations

import click

from tallystick.cli import configured, examples
from tallystick.cli.output import Record, to_json, to_text
from tallystick.cli.progress import Meter
from tallystick.config import Config


@click.group()
def audit() -> None:
    """Prove that chain, ledger and invoices agree."""


@audit.command(epilog=examples("tallystick audit verify", "tallystick audit verify --json"))
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
@configured
def verify(config: Config, as_json: bool) -> None:
    """Read the chain again and compare it with journal, invoices and the contract's control totals.

    Ends with 0 only if everything agrees, with 1 and the name of each row that differs otherwise. Changes nothing.
    """
    from tallystick.flows.audit import audit as run_audit
    from tallystick.flows.mirror import open_mirror

    mirror = open_mirror(config)
    with Meter("blocks") as meter:
        report = run_audit(mirror.engine, mirror.rpc, mirror.target, on_progress=meter.show)
    values = {
        "ok": report.ok,
        "chain_id": report.chain_id,
        "contract": report.contract,
        "block": report.block_number,
        "block_hash": report.block_hash,
        "events": report.events,
        "invoices": report.invoices,
        "charges_on_chain": report.charges_on_chain,
        "charges_in_ledger": report.charges_in_ledger,
        "refunds_on_chain": report.refunds_on_chain,
        "refunds_in_ledger": report.refunds_in_ledger,
        "difference_count": report.difference_count,
    }
    if as_json:
        differences = [difference._asdict() for difference in report.differences]
        pegs = [peg._asdict() for peg in report.pegs]
        click.echo(to_json(Record(values | {"pegs": pegs, "differences": differences})))
    else:
        note = "The halves match: chain, journal, invoices and control totals agree to the last unit."
        click.echo(to_text(Record(values, note=note if report.ok else "")))
        for token, from_block, currency in report.pegs:
            worth = f"worth {currency} at par" if currency else "worth no currency any more"
            click.echo(f"declared by the merchant: from block {from_block} on {token} is {worth}")
        for row, found, expected in report.differences:
            click.echo(f"\ndifference: {row}\n  found     {found}\n  expected  {expected}")
        if report.difference_count > len(report.differences):
            click.echo(f"\nand {report.difference_count - len(report.differences)} more")
    if not report.ok:
        raise click.exceptions.Exit(1)
