"""`tallystick audit`: the proof that the halves match."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tallystick.cli import configured, examples
from tallystick.cli.output import Record, to_json, to_text
from tallystick.cli.progress import Meter
from tallystick.config import Config

if TYPE_CHECKING:
    from tallystick.flows.audit_channels import ChannelsReport
    from tallystick.flows.audit_payments import Holding, PaymentsReport
    from tallystick.flows.compare import Report

SHOWN = ("contract", "block", "events", "invoices", "payments_on_chain", "payments_in_ledger", "difference_count")
"""What the text says of escrow payments; `--json` says more."""
SHOWN_OF_CHANNELS = ("contract", "block", "events", "channels", "claims", "settlements", "difference_count")


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
    from tallystick.flows.audit_channels import audit_channels
    from tallystick.flows.audit_payments import audit_payments
    from tallystick.flows.mirror import open_mirror

    mirror = open_mirror(config)
    with Meter("blocks") as meter:
        report = run_audit(mirror.engine, mirror.rpc, mirror.target, on_progress=meter.show)
        escrow = audit_payments(mirror.engine, mirror.rpc, mirror.escrow, on_progress=meter.show)
        channels = audit_channels(mirror.engine, mirror.rpc, mirror.channels, on_progress=meter.show)
    ok = report.ok and escrow.ok and channels.ok
    values = {
        "ok": ok,
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
    payments, claims = _payments(escrow), _claims(channels)
    if as_json:
        others = {"escrow": payments | _details(escrow), "channels": claims | _details(channels)}
        click.echo(to_json(Record(values | _details(report) | others)))
    else:
        click.echo(to_text(Record(values)))
        click.echo("\n" + to_text(Record({f"escrow_{name}": payments[name] for name in SHOWN})))
        click.echo("\n" + to_text(Record({f"channels_{name}": claims[name] for name in SHOWN_OF_CHANNELS})))
        if ok:
            click.echo("\nThe halves match: chain, journal, invoices and control totals agree to the last unit.")
        _tell(report, "")
        _tell(escrow, "escrow, ")
        _tell(channels, "channels, ")
        _tell_holdings("the escrow", escrow.holdings)
        _tell_holdings("the contract of channels", channels.holdings)
    if not ok:
        raise click.exceptions.Exit(1)


def _payments(report: PaymentsReport) -> dict[str, object]:
    return {
        "contract": report.contract,
        "block": report.block_number,
        "block_hash": report.block_hash,
        "events": report.events,
        "invoices": report.invoices,
        "payments_on_chain": report.payments_on_chain,
        "payments_in_ledger": report.payments_in_ledger,
        "holdings": _holdings(report.holdings),
        "difference_count": report.difference_count,
    }


def _claims(report: ChannelsReport) -> dict[str, object]:
    return {
        "contract": report.contract,
        "block": report.block_number,
        "block_hash": report.block_hash,
        "events": report.events,
        "channels": report.channels,
        "claims": report.claims,
        "settlements": report.settlements,
        "holdings": _holdings(report.holdings),
        "difference_count": report.difference_count,
    }


def _holdings(holdings: list[Holding]) -> list[dict[str, object]]:
    return [
        {"token": token, "owed_units": str(owed), "balance_units": None if balance is None else str(balance)}
        for token, owed, balance in holdings
    ]


def _details(report: Report) -> dict[str, object]:
    differences = [difference._asdict() for difference in report.differences]
    return {"pegs": [peg._asdict() for peg in report.pegs], "differences": differences}


def _tell(report: Report, where: str) -> None:
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
