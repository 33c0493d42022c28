"""The journal as a Parquet file: typed columns, for programs that query them.

One row for each posting, in the journal's order. Hashes and addresses are text as everywhere else (0x and hex digits),
so that they join with explorers and other data sets without a conversion. So are units: 2^256 - 1 has 78 digits, the
widest decimal of Arrow 76, that of DuckDB 38, and a column that is empty where a number does not fit gives wrong sums.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from tallystick.core.money import decimal_text
from tallystick.errors import ParquetUnavailable
from tallystick.render.journal import SIDES, Entries, Tokens, known_token

if TYPE_CHECKING:
    from pyarrow import Schema

COLUMNS = {
    "journal": "string",
    "entry": "int64",
    "kind": "string",
    "time": "timestamp",
    "block": "int64",
    "block_hash": "string",
    "transaction": "string",
    "log_index": "int64",
    "position": "int64",
    "account": "string",
    "side": "string",
    "amount": "string",
    "units": "string",
    "asset": "string",
    "decimals": "int64",
    "token": "string",
    "previous_hash": "string",
    "hash": "string",
}
"""What is in a row, with its type. No column is ever empty. `position` counts an entry's postings from 1."""
REPEATED = ["journal", "kind", "account", "side", "asset", "token"]
"""Columns of few values, which are stored once: as a dictionary."""
GROUP_ROWS = 65_536
"""So many rows are held in memory, and are a row group of the file."""


def write_parquet(entries: Entries, tokens: Tokens, about: Mapping[str, str], file: IO[bytes]) -> None:
    """Writes the file, group by group; `about` becomes its metadata. The same entries give the same bytes by the same
    version of pyarrow, whose name is in the file. Raises ParquetUnavailable where pyarrow is not installed."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ParquetUnavailable(
            "Parquet needs pyarrow, which is not installed: run `pip install 'tallystick[parquet]'`, or choose another "
            "format"
        ) from error
    # Parquet has no timestamps in seconds: milliseconds are the coarsest.
    types = {"string": pa.string(), "int64": pa.int64(), "timestamp": pa.timestamp("ms", tz="UTC")}
    schema: Schema = pa.schema([pa.field(name, types[kind], nullable=False) for name, kind in COLUMNS.items()])
    rows = _rows(entries, tokens)
    # Without Arrow's own copy of the schema, which says nothing that Parquet's does not.
    with parquet.ParquetWriter(file, schema, compression="zstd", use_dictionary=REPEATED, store_schema=False) as writer:
        writer.add_key_value_metadata(dict(about))
        while group := list(islice(rows, GROUP_ROWS)):
            columns = [list(column) for column in zip(*group, strict=True)]
            group.clear()
            writer.write_batch(pa.record_batch(columns, schema=schema))
            columns.clear()


def _rows(entries: Entries, tokens: Tokens) -> Iterator[tuple[Any, ...]]:
    """The values of each posting, in the order of COLUMNS."""
    for journal, entry in entries:
        origin = entry.origin
        block_hash, transaction = f"0x{origin.block_hash.hex()}", f"0x{origin.transaction_hash.hex()}"
        head = (
            *(journal, entry.number, entry.kind, origin.block_time * 1000),
            *(origin.block_number, block_hash, transaction, origin.log_index),
        )
        hashes = f"0x{entry.previous_hash.hex()}", f"0x{entry.hash.hex()}"
        for position, posting in enumerate(entry.postings, start=1):
            token = known_token(tokens, posting.token)
            amount = decimal_text(posting.units, token.decimals)
            line = (position, posting.account, SIDES[posting.side], amount, str(posting.units))
            yield (*head, *line, token.symbol, token.decimals, token.address, *hashes)
