"""The demo, run as a newcomer runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from beancount import loader
from pypdf import PdfReader

from tallystick.demo.market import GAS, Market
from tallystick.flows.check_pack import check_pack, read_hashes
from tallystick.testing import Anvil
from tests.business import Business
from tests.hledger import require_accepted


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["tallystick", "demo", "--out", str(folder), *options], capture_output=True, text=True)


def children_of(process: subprocess.Popen[str]) -> list[int]:
    """The processes that it started, by number."""
    listing = subprocess.run(["ps", "-eo", "pid=,ppid=,comm="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listing.splitlines()]
    return [int(pid) for pid, parent, _ in rows if int(parent) == process.pid]


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("demo") / "out"
    done = run(folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout, json.loads((folder / "summary.json").read_text())


def test_the_audit_passes_and_the_halves_match(year: tuple[Path, str, dict[str, Any]]) -> None:
    _, text, summary = year
    audit = summary["audit"]
    assert audit["ok"] is True
    assert audit["charges_on_chain"] == audit["charges_in_ledger"] == summary["charges"] == summary["invoices"]
    assert audit["refunds_on_chain"] == audit["refunds_in_ledger"] == summary["refunds"] == 2
    assert "the halves match" in text


def test_the_books_can_be_proven_when_the_chain_is_gone(year: tuple[Path, str, dict[str, Any]]) -> None:
    folder, _, summary = year
    report = check_pack(folder / "audit.pack", read_hashes(folder / "trusted.txt"))
    assert report.ok
    assert (report.compared, report.unsigned) == (len(report.blocks), 0)
    assert report.audits.subscriptions.charges_on_chain == summary["charges"]
    assert set(report.audits.reports) == {"subscriptions", "escrow", "checkout", "channels", "conversion"}


def test_everything_that_was_promised_happens(year: tuple[Path, str, dict[str, Any]]) -> None:
    summary = year[2]
    assert summary["subscriptions"] >= 25
    assert set(summary["ways"]) == {"approval", "permit", "mandate on an allowance", "mandate with permit"}
    assert summary["declines"] == summary["recovered"] == 2
    assert summary["reorgs"] == 1
    assert summary["rolled_back_events"] > 0
    assert summary["cancellations"] >= 1
    assert (summary["trials"], summary["changes"], summary["claims"]) == (2, 2, 1)
    accounts = {row["account"].split(":")[1]: row for row in summary["trial_balance"]}
    assert {"Claimable", "Fees"} <= set(accounts)
    assert accounts["Claimable"]["debit"] == accounts["Claimable"]["credit"] != "0.000000 USDC"


def test_an_order_in_escrow_ends_in_a_ruling(year: tuple[Path, str, dict[str, Any]]) -> None:
    escrow = year[2]["escrow"]
    assert escrow["audit"] == escrow["audit"] | {"ok": True, "payments_on_chain": 1, "payments_in_ledger": 1}
    assert (escrow["captured"], escrow["ruling"]["payer"], escrow["invoices"]) == (
        "100.000000 USDC",
        "85.000000 USDC",
        2,
    )
    held = next(row for row in escrow["trial_balance"] if row["account"].startswith("Assets:Escrow:"))
    assert held["debit"] == held["credit"] == "250.000000 USDC"


def test_an_invoice_is_underpaid_and_completed_from_an_exchange(year: tuple[Path, str, dict[str, Any]]) -> None:
    checkout = year[2]["checkout"]
    assert checkout["audit"] == checkout["audit"] | {"ok": True, "quotes_on_chain": 2, "quotes_in_ledger": 2}
    assert (checkout["deposit"]["first"], checkout["deposit"]["then"]) == ("100.000000 USDC", "partly paid")
    assert (checkout["quote"]["partner"], checkout["invoices"]) == ("8.000000 USDC", 3)
    rows = {
        row["account"].rpartition(":")[0]: (row["debit"], row["credit"])
        for row in checkout["trial_balance"]
        if row["debit"].endswith("USDC")
    }
    assert rows["Liabilities:Credit"] == ("5.000000 USDC", "5.000000 USDC")
    assert rows["Liabilities:Advances"] == ("100.000000 USDC", "100.000000 USDC")
    assert rows["Assets:Deposits"] == ("125.000000 USDC", "125.000000 USDC")


def test_a_price_in_euros_and_euros_that_are_converted(year: tuple[Path, str, dict[str, Any]]) -> None:
    euros, conversion = year[2]["priced_in_euros"], year[2]["conversion"]
    assert (euros["charges"], euros["first"], euros["last"]) == (13, "21.600000 USDC", "22.200000 USDC")
    assert conversion["audit"] == conversion["audit"] | {"ok": True, "conversions": 1, "rates": 1, "rates_unchecked": 0}
    assert (conversion["given"], conversion["cost"], conversion["gain"]) == (
        "190.000000 EURC",
        "207.10 USD",
        "3.65 USD",
    )
    (gain,) = (row for row in conversion["trial_balance"] if row["account"].startswith("Income:Gains:"))
    assert (gain["debit"], gain["credit"]) == ("0.00 USD", "3.65 USD")


def test_a_thousand_vouchers_are_one_claim(year: tuple[Path, str, dict[str, Any]]) -> None:
    channel = year[2]["channels"]
    assert channel["audit"] == channel["audit"] | {"ok": True, "channels": 1, "claims_in_ledger": 1}
    assert (channel["vouchers"], channel["claims"]) == (1_000, 1)
    assert (channel["claimed"], channel["refunded"]) == ("2.500000 USDC", "17.500000 USDC")
    income = next(row for row in channel["trial_balance"] if row["account"].startswith("Income:Channels:"))
    assert income["credit"] == "2.500000 USDC"


def test_a_change_of_plan_stands_in_the_invoices(year: tuple[Path, str, dict[str, Any]]) -> None:
    command = [
        "tallystick",
        "--config",
        str(year[0] / "tallystick.toml"),
        "invoices",
        "list",
        "--limit",
        "999",
        "--json",
    ]
    listing = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = {line["description"] for invoice in json.loads(listing.stdout) for line in invoice["lines"]}
    assert {"Change to plan 6, rest of the period", "Credit from a change of plan"} <= lines
    assert {"Plan 4, one month", "Plan 4, seats for one month", "Plan 5, one month"} <= lines


def test_the_folder_holds_what_it_says(year: tuple[Path, str, dict[str, Any]]) -> None:
    folder, _, summary = year
    pdfs = sorted((folder / "invoices").glob("*.pdf"))
    assert len(pdfs) == summary["invoices"] + summary["credit_notes"] + sum(
        summary[part]["invoices"] for part in ("escrow", "checkout")
    )
    for number in ("INV-000001", "PAY-000001", "SALE-000001"):
        assert number in PdfReader(folder / "invoices" / f"{number}.pdf").pages[0].extract_text()
    report = "".join(page.extract_text() for page in PdfReader(folder / "audit.pdf").pages)
    assert "The books match the chain" in report
    assert f"{summary['charges']:,} charges on chain" in " ".join(report.split())
    for name in ("ledger", "escrow", "checkout", "channels", "conversion"):
        _, errors, _ = loader.load_file(str(folder / f"{name}.beancount"))
        assert errors == []
    assert len((folder / "ledger.jsonl").read_text().splitlines()) == (
        summary["charges"] + summary["refunds"] + summary["claims"]
    )


@pytest.mark.hledger
@pytest.mark.parametrize("name", ["ledger", "escrow", "checkout", "channels", "conversion"])
def test_hledger_accepts_its_journals(year: tuple[Path, str, dict[str, Any]], name: str) -> None:
    require_accepted(year[0] / f"{name}.hledger")


def test_the_books_can_be_read_when_the_chain_is_gone(year: tuple[Path, str, dict[str, Any]]) -> None:
    folder = year[0]
    config = ["--config", str(folder / "tallystick.toml")]
    listing = subprocess.run(
        ["tallystick", *config, "invoices", "list", "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(listing.stdout)
    balance = subprocess.run(
        ["tallystick", *config, "ledger", "trial-balance", "--json"], capture_output=True, text=True, check=True
    )
    *_, total = json.loads(balance.stdout)
    assert total["debit"] == total["credit"]


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "taxes.txt").write_text("mine")
    done = run(tmp_path)
    assert done.returncode == 1
    assert "somebody else's" in done.stderr
    assert (tmp_path / "taxes.txt").read_text() == "mine"


def test_interrupted_it_leaves_no_process_behind(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    process = subprocess.Popen(
        ["tallystick", "demo", "--out", str(folder)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "month 2" in line:
            break
    children = children_of(process)
    assert len(children) == 1  # its Anvil
    os.kill(process.pid, signal.SIGINT)
    assert process.stderr.read().endswith("interrupted\n")
    assert process.wait(timeout=20) == 130
    with pytest.raises(ProcessLookupError):
        os.kill(children[0], 0)


def test_the_market_estimates_no_gas(anvil: Anvil) -> None:
    """What a pool takes is more in another second than in that of the estimate: its first money was refused."""
    token = Business(anvil).token
    first = anvil.block_number + 1
    Market(anvil, token)
    blocks = [anvil.rpc("eth_getBlockByNumber", hex(at), True) for at in range(first, anvil.block_number + 1)]
    assert {int(sent["gas"], 16) for block in blocks for sent in block["transactions"]} == {GAS}
