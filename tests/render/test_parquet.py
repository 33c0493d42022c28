"""The journal as Parquet: what reads such files finds every posting exactly, in its order and with its type."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from pyarrow import parquet

from tallystick.core.ledger import Entry
from tallystick.core.money import UINT256_MAX, Token, parse_units
from tallystick.errors import CorruptionError, ParquetUnavailable
from tallystick.render.parquet import COLUMNS, write_parquet
from tests.docs.blocks import ROOT
from tests.render.journals import ALICE, DAI, DAY_S, OTHER, USDC, books, charge, journal, named

ABOUT = {"tallystick.chain_id": "8453", "tallystick.contract.subscriptions": ALICE}


def file_of(entries: Iterable[Entry], tokens: Iterable[Token] = (USDC, DAI, OTHER)) -> bytes:
    file = io.BytesIO()
    write_parquet(named(entries), {token.address: token for token in tokens}, ABOUT, file)
    return file.getvalue()


def rows_of(content: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(io.BytesIO(content)).to_pylist()
    return rows


@given(books())
def test_it_holds_every_posting_exactly(found: tuple[list[Entry], list[Token]]) -> None:
    entries, tokens = found
    by_address = {token.address: token for token in tokens}
    rows = rows_of(file_of(entries, tokens))
    postings = [(entry, number, line) for entry in entries for number, line in enumerate(entry.postings, start=1)]
    for row, (entry, position, posting) in zip(rows, postings, strict=True):
        token, origin = by_address[posting.token], entry.origin
        assert (row["journal"], row["entry"], row["kind"]) == ("subscriptions", entry.number, entry.kind)
        assert (row["time"].timestamp(), row["block"]) == (origin.block_time, origin.block_number)
        assert (row["log_index"], row["position"]) == (origin.log_index, position)
        assert (row["account"], row["side"]) == (posting.account, {"D": "debit", "C": "credit"}[posting.side])
        assert (row["token"], row["asset"], row["decimals"]) == (token.address, token.symbol, token.decimals)
        assert int(row["units"]) == parse_units(row["amount"], token.decimals) == posting.units
        for name, value in (
            *(("block_hash", origin.block_hash), ("transaction", origin.transaction_hash)),
            *(("previous_hash", entry.previous_hash), ("hash", entry.hash)),
        ):
            assert row[name] == f"0x{value.hex()}"


def test_the_types_and_what_it_says_of_itself() -> None:
    """As other programs see them: without what pyarrow alone could know."""
    file = parquet.ParquetFile(io.BytesIO(file_of(journal(charge(UINT256_MAX)))))
    physical = {"string": "BYTE_ARRAY", "int64": "INT64", "timestamp": "INT64"}
    columns = [file.schema.column(index) for index in range(len(COLUMNS))]
    assert {column.name: column.physical_type for column in columns} == {
        name: physical[kind] for name, kind in COLUMNS.items()
    }
    assert {column.max_definition_level for column in columns} == {0}  # none can be empty
    time = next(column for column in columns if column.name == "time")
    assert "isAdjustedToUTC=true, timeUnit=milliseconds" in str(time.logical_type)
    assert file.schema_arrow.field("time").type == pa.timestamp("ms", tz="UTC")
    assert file.metadata.metadata == {key.encode(): value.encode() for key, value in ABOUT.items()}
    assert rows_of(file_of(journal(charge(UINT256_MAX))))[0]["units"] == str(UINT256_MAX)


def test_the_same_entries_give_the_same_bytes_in_every_process() -> None:
    """Nothing of when, where or by whom it was written: not even of the order of a dictionary."""
    code = (
        "import sys; from tests.render.test_parquet import *;"
        "sys.stdout.buffer.write(file_of(journal(*[charge(units) for units in range(1, 2000)])))"
    )
    first, second = (
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        )
        for seed in ("1", "2")
    )
    assert first.stdout == second.stdout
    assert len(rows_of(first.stdout)) == 2 * 1999


def test_empty_books_have_columns_and_no_rows() -> None:
    table = parquet.read_table(io.BytesIO(file_of([])))
    assert (table.column_names, table.num_rows) == (list(COLUMNS), 0)


def many(entries: int) -> Iterator[Entry]:
    """The same entry again and again, made when it is asked for. Has two postings."""
    (entry,) = journal(charge(1))
    return (entry._replace(number=number) for number in range(1, entries + 1))


def test_a_long_journal_is_written_group_by_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """And takes no more memory than a short one: what is held is a group."""
    monkeypatch.setattr("tallystick.render.parquet.GROUP_ROWS", 1_000)

    def peak(groups: int) -> int:
        with Path(os.devnull).open("wb") as nowhere:
            tracemalloc.start()
            write_parquet(named(many(groups * 500)), {USDC.address: USDC}, ABOUT, nowhere)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        return most

    peak(2)  # pyarrow imports the rest of itself
    assert peak(40) < 2 * peak(2)
    file = parquet.ParquetFile(io.BytesIO(file_of(many(1_100))))
    assert [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)] == [1_000, 1_000, 200]
    assert file.read(["entry"])["entry"].to_pylist()[::2] == list(range(1, 1_101))


def test_without_pyarrow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ParquetUnavailable, match=r"pip install 'tallystick\[parquet\]'"):
        file_of([])


def test_nothing_else_needs_pyarrow() -> None:
    code = "import sys; sys.modules['pyarrow'] = None; import tallystick.client, tallystick.demo.run"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_token_that_was_deleted_is_named() -> None:
    with pytest.raises(CorruptionError, match=f"postings in {DAI.address}, and the database does not know"):
        file_of(journal((ALICE, DAI, 1, 1, DAY_S)), [USDC])
