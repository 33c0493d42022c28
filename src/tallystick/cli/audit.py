"""`tallystick audit`: the proof that the halves match."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tallystick.cli import configured, examples
from tallystick.cli.output import Record, to_json, to_text
from tallystick.cli.progress import Meter
from tallystick.config import Config

if TYPE_CHECKING:
    from tallystick.chain.rpc import Caller
    from tallystick.flows.audit_all import Audits
    from tallystick.flows.audit_payments import Holding
    from tallystick.flows.compare import Report
    from tallystick.flows.mirror import Mirror
    from tallystick.render.statement import AuditStatement

UNSAID = {"block_hash", "holdings"}
"""What the text does not say of contracts other than `Subscriptions`; `--json` does."""


@click.group()
def audit() -> None:
    """Prove that chain, ledger and invoices agree."""


reported = click.option(
    "--report",
    "report_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A report in plain words as well, as PDF or JSON: FILE ends in .pdf or .json.",
)
"""For a command: where to write its report."""


@audit.command(
    epilog=examples(
        "tallystick audit verify",
        "tallystick audit verify --json",
        "tallystick audit verify --report audit.pdf",
        "tallystick audit verify --proven    believe the node nothing but which blocks there are",
    )
)
@click.option("--proven", is_flag=True, help="Prove each event by its block's receipts, and that there are no others.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
@reported
@configured
def verify(config: Config, proven: bool, as_json: bool, report_file: Path | None) -> None:
    """Read the chain again and compare it with journal, invoices and the contract's control totals.

    Ends with 0 only if everything agrees, with 1 and the name of each row that differs otherwise. Changes nothing.
    """
    from tallystick.flows.mirror import open_mirror

    write = report_writer(report_file)
    if proven:
        config = config.model_copy(update={"index": config.index.model_copy(update={"proven": True})})
    with Meter("blocks") as meter:
        audits = audited(config, open_mirror(config), meter)
    report, others, ok = audits.subscriptions, described(audits), audits.ok
    values = {"ok": ok, "chain_id": report.chain_id, **summary(report)}
    if as_json:
        more = {name: found | details(other) for name, (other, found) in others.items()}
        click.echo(to_json(Record(values | details(report) | more)))
    else:
        click.echo(to_text(Record(values)))
        for name, (_, found) in others.items():
            said = {f"{name}_{key}": value for key, value in found.items() if key not in UNSAID}
            click.echo("\n" + to_text(Record(said)))
        if ok:
            click.echo("\nThe halves match: chain, journal, invoices and control totals agree to the last unit.")
        tell(report, "")
        for name, (other, _) in others.items():
            tell(other, f"{name}, ")
        _tell_holdings("the escrow", audits.escrow.holdings)
        _tell_holdings("the contract of channels", audits.channels.holdings)
        _tell_holdings("x402's contract of channels", audits.x402.holdings if audits.x402 else [])
    if write is not None:
        from tallystick.flows.state_audit import state_audit

        write(state_audit(audits))
    if not ok:
        raise click.exceptions.Exit(1)


def report_writer(file: Path | None) -> Callable[[AuditStatement], None] | None:
    """What writes the report that was asked for; None: none was. Raises now what would keep it from being written."""
    if file is None:
        return None
    from tallystick.flows.state_audit import statement_writer

    write = statement_writer(file)

    def write_and_tell(statement: AuditStatement) -> None:
        if note := write(statement):
            click.echo(f"{file}: {note}", err=True)

    return write_and_tell


def audited(config: Config, mirror: Mirror, meter: Meter, chain: Caller | None = None) -> Audits:
    """The audit of all books, by the mirror's node unless another `chain` is given."""
    from tallystick.chain.node import connect
    from tallystick.flows.audit_all import audit_all
    from tallystick.flows.rates import RateSources

    node, rates = connect(config.rpc_url), RateSources(config.rate, config.peg)
    return audit_all(mirror.engine, chain or mirror.rpc, mirror, node=node, rates=rates, on_progress=meter.show)


def described(audits: Audits) -> dict[str, tuple[Report, dict[str, object]]]:
    """The reports on other contracts than `Subscriptions`, each with what is said of it."""
    others = {name: report for name, report in audits.reports.items() if report is not audits.subscriptions}
    return {name: (report, summary(report)) for name, report in others.items()}


def summary(report: Report) -> dict[str, object]:
    """What is said of the books of one contract."""
    from tallystick.flows.audit_channels import ChannelsReport
    from tallystick.flows.audit_payments import PaymentsReport

    held = {"holdings": _holdings(report.holdings)} if isinstance(report, PaymentsReport | ChannelsReport) else {}
    return {
        "contract": report.contract,
        "block": report.block_number,
        "block_hash": report.block_hash,
        **report.figures,
        **held,
        "difference_count": report.difference_count,
    }


def _holdings(holdings: list[Holding]) -> list[dict[str, object]]:
    return [
        {"token": token, "owed_units": str(owed), "balance_units": None if balance is None else str(balance)}
        for token, owed, balance in holdings
    ]


def details(report: Report) -> dict[str, object]:
    """Declarations and differences, for programs."""
    differences = [difference._asdict() for difference in report.differences]
    return {"pegs": [peg._asdict() for peg in report.pegs], "differences": differences}


def tell(report: Report, where: str) -> None:
    """Declarations and differences, for people."""
    for token, from_block, currency in report.pegs if not where else ():
        worth = f"worth {currency} at par" if currency else "worth no currency any more"
        click.echo(f"declared by the merchant: from block {from_block} on {token} is {worth}")
    for row, found, expected in report.differences:
        click.echo(f"\ndifference: {where}{row}\n  found     {found}\n  expected  {expected}")
    if report.difference_count > len(report.differences):
        click.echo(f"\nand {report.difference_count - len(report.differences)} more")


def _tell_holdings(who: str, holdings: list[Holding]) -> None:
    for holding in holdings:
        if not holding.is_covered:
            found = (
                "does not say what it has" if holding.balance_units is None else f"has {holding.balance_units} units"
            )
            click.echo(
                f"{who} {found} of {holding.token}, and owes {holding.owed_units}: the token is not to be trusted"
            )


def _add_pack_commands() -> None:
    """Those of other files."""
    from tallystick.cli import audit_fork, audit_pack

    for command in (audit_pack.pack, audit_pack.blocks, audit_pack.check_pack, audit_fork.fork):
        audit.add_command(command)


_add_pack_commands()
