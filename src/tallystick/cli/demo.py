"""`tallystick demo`: the main job, from the first plan to the audit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from tallystick.cli import examples
from tallystick.cli.progress import say


@click.command(epilog=examples("tallystick demo", "tallystick demo --out /tmp/year --json"))
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-out"),
    show_default=True,
    metavar="FOLDER",
    help="Where books, invoices and exports go.",
)
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON instead of text.")
def demo(folder: Path, as_json: bool) -> None:
    """A year of a business on a chain of its own.

    Starts Anvil, deploys the contracts, sells seven plans to 32 payers who subscribe in different ways, charges them
    for a year, with seats, trials, fees, a price in euros, an upgrade and a downgrade, declines, cancellations,
    refunds, a claim, a reorganisation, an order in escrow that ends in a ruling, an invoice that is paid from an
    exchange, a quote, a program that pays by the request over a channel, and euros that are converted; mirrors
    everything into invoices and a ledger, and audits it. Ends with 0 only if the audit passed.
    """
    from tallystick.demo.run import run_demo

    summary = run_demo(folder, say)
    if as_json:
        click.echo((folder / "summary.json").read_text(), nl=False)
    else:
        click.echo(_text(summary, folder))
    parts = [summary, *(summary[name] for name in ("escrow", "checkout", "channels", "conversion"))]
    if not all(part["audit"]["ok"] for part in parts if part is not None):
        raise click.exceptions.Exit(1)


def _program() -> str:
    """How the reader can call us again: a project's own environment is seldom on PATH."""
    called = Path(sys.argv[0]).absolute()
    return str(called.relative_to(Path.cwd())) if called.is_relative_to(Path.cwd()) else "tallystick"


def _text(summary: dict[str, Any], folder: Path) -> str:
    audit, escrow, checkout, channel = (summary[name] for name in ("audit", "escrow", "checkout", "channels"))
    deposit, euros, conversion = checkout["deposit"], summary["priced_in_euros"], _conversion(summary["conversion"])
    matched = "the halves match" if audit["ok"] else f"{len(audit['differences'])} DIFFERENCES, see summary.json"
    width = max(len(row["account"]) for row in summary["trial_balance"])
    amounts = max(len(row[side]) for row in summary["trial_balance"] for side in ("debit", "credit"))
    balance = "\n".join(
        f"  {row['account']:<{width}}  {row['debit']:>{amounts}}  {row['credit']:>{amounts}}"
        for row in summary["trial_balance"]
    )
    program = _program()
    return f"""
A year in {summary["seconds"]} s: {summary["subscriptions"]} subscriptions, {summary["charges"]} charges, \
{summary["declines"]} declines ({summary["recovered"]} recovered), {summary["refunds"]} refunds, \
{summary["changes"]} changes of plan, {summary["cancellations"]} cancellations, {summary["claims"]} claim, \
{summary["reorgs"]} reorganisation.

  {"account":<{width}}  {"debit":>{amounts}}  {"credit":>{amounts}}
{balance}

Audit at block {audit["block"]}: {audit["charges_on_chain"]} charges on chain, {audit["charges_in_ledger"]} in the \
ledger, {audit["refunds_on_chain"]} and {audit["refunds_in_ledger"]} refunds: {matched}.
Prices in euros: {euros["charges"]} charges of {euros["price"]}, the first {euros["first"]}, the last {euros["last"]}.
Escrow: an order over 250, {escrow["captured"]} captured, the rest divided by a ruling into \
{escrow["ruling"]["payee"]}, {escrow["ruling"]["payer"]} and {escrow["ruling"]["arbiter"]}: {_proven(escrow)}.
Checkout: {deposit["invoice"]} over {deposit["due"]} paid from an exchange, {deposit["first"]} at first, in the end \
too much, {deposit["given_back"]} given back; a quote over {checkout["quote"]["amount"]}: {_proven(checkout)}.
Channel: {channel["vouchers"]:,} vouchers, {channel["claimed"]} in {channel["claims"]} claim: {_proven(channel)}.
{conversion}

In {folder}/
  invoices/          {summary["pdfs"]} PDFs: {summary["invoices"]} invoices, {summary["credit_notes"]} credit notes, \
{escrow["invoices"]} of the order, {checkout["invoices"]} of what was sold once
  ledger.beancount   the journal; also as ledger.hledger, ledger.csv and ledger.jsonl; escrow.* is that of the order,
                     checkout.* that of what was sold once, channels.* that of the channel, conversion.* that of what
                     was exchanged
  audit.pdf          what the audit checked, in plain words
  audit.pack         proves the books without a chain, to whoever trusts the hashes in trusted.txt
  tallystick.db      the books
  summary.json       all these numbers

Try next
  {program} --config {folder}/tallystick.toml invoices list
  {program} --config {folder}/tallystick.toml invoices show INV-000001
  {program} --config {folder}/tallystick.toml ledger trial-balance
  {program} audit check-pack {folder}/audit.pack --trusted {folder}/trusted.txt"""


def _proven(part: dict[str, Any]) -> str:
    return "its halves match" if part["audit"]["ok"] else "DIFFERENCES, see summary.json"


def _conversion(part: dict[str, Any] | None) -> str:
    if part is None:
        return (
            "Conversion: nothing, because Uniswap's contracts are not here (npm packages @uniswap/v3-core and "
            "v3-periphery)."
        )
    return (
        f"Conversion: {part['given']} for {part['received']}, at least {part['least']}; they were worth {part['cost']} "
        f"when they came in, gain {part['gain']}: {_proven(part)}."
    )
