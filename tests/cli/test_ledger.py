"""`tallystick ledger export`: to the terminal or into a file, of one contract or of all."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from pyarrow import parquet

from tests.business import Business
from tests.cli.conftest import Run, Say
from tests.payments import Payments


@pytest.fixture
def sold(say: Say, run: Run, business: Business) -> None:
    """The books of one charge and one escrow payment."""
    del say
    payments = Payments(business)
    payments.held()
    business.subscribe(business.payer("ada"), business.create_plan())
    business.anvil.finalize()
    run("index", "--once")


@pytest.mark.usefixtures("sold")
def test_what_is_printed_and_what_is_written_are_the_same(run: Run) -> None:
    for form in ("jsonl", "csv", "beancount", "hledger"):
        printed = run("ledger", "export", "--of", "all", "--format", form).stdout_bytes
        said = run("ledger", "export", "--of", "all", "--format", form, "--out", "books")
        assert (said.stdout, said.stderr) == ("", "wrote books\n")
        assert Path("books").read_bytes() == printed
        assert b"Assets:Wallet:" in printed


@pytest.mark.usefixtures("sold")
def test_of_one_contract_or_of_all_that_are_in_the_books(run: Run) -> None:
    def entries(*options: str) -> list[tuple[str, str]]:
        lines = run("ledger", "export", *options).stdout.splitlines()
        return [(row["journal"], row["kind"]) for row in map(json.loads, lines)]

    assert entries() == [("subscriptions", "charge")]
    assert entries("--of", "escrow") == [("escrow", "authorization")]
    assert entries("--of", "channels") == []
    assert entries("--of", "all") == [("escrow", "authorization"), ("subscriptions", "charge")]


@pytest.mark.usefixtures("sold")
def test_parquet_goes_into_a_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = run("ledger", "export", "--format", "parquet", exit_code=2)
    assert (refused.stdout, refused.stderr.splitlines()[-1]) == (
        *("", "Error: Parquet is no text for a terminal: say with --out FILE where it is to be written"),
    )
    run("ledger", "export", "--format", "parquet", "--out", "books.parquet")
    assert parquet.read_table("books.parquet", columns=["side", "amount", "asset"]).to_pylist() == [
        {"side": "debit", "amount": "9.990000", "asset": "USDC"},
        {"side": "credit", "amount": "9.990000", "asset": "USDC"},
    ]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    missing = run("ledger", "export", "--format", "parquet", "--out", "more.parquet", exit_code=1)
    assert missing.stderr.startswith("error: Parquet needs pyarrow, which is not installed: run `pip install")
    assert not Path("more.parquet").exists()
