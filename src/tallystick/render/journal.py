"""The journal as text that other programs read: JSON lines, CSV, beancount.

The same entries always give the same bytes. Amounts are decimal numbers with all of a token's digits, exact.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from tallystick.core.ledger import Entry, Posting
from tallystick.core.money import Token, decimal_text

Tokens = Mapping[str, Token]

CSV_COLUMNS = (
    *("entry", "kind", "time", "account", "side", "amount", "units", "asset", "token"),
    *("block", "transaction", "log_index", "hash"),
)


def journal_jsonl(entries: Iterable[Entry], tokens: Tokens) -> Iterator[str]:
    """One JSON object a line, one entry each; units are text, because many readers round large integers."""
    for entry in entries:
        origin = entry.origin
        document = {
            "entry": entry.number,
            "kind": entry.kind,
            "time": _time(origin.block_time),
            "block": origin.block_number,
            "block_hash": "0x" + origin.block_hash.hex(),
            "transaction": "0x" + origin.transaction_hash.hex(),
            "log_index": origin.log_index,
            "postings": [
                {
                    "account": posting.account,
                    "side": "debit" if posting.side == "D" else "credit",
                    "units": str(posting.units),
                    "amount": decimal_text(posting.units, tokens[posting.token].decimals),
                    "asset": tokens[posting.token].symbol,
                    "token": posting.token,
                }
                for posting in entry.postings
            ],
            "previous_hash": "0x" + entry.previous_hash.hex(),
            "hash": "0x" + entry.hash.hex(),
        }
        yield msgspec.json.encode(document).decode() + "\n"


def journal_csv(entries: Iterable[Entry], tokens: Tokens) -> Iterator[str]:
    """One posting a line, under a header (RFC 4180)."""
    yield _csv_line(CSV_COLUMNS)
    for entry in entries:
        origin = entry.origin
        for posting in entry.postings:
            token = tokens[posting.token]
            yield _csv_line(
                (
                    entry.number,
                    entry.kind,
                    _time(origin.block_time),
                    posting.account,
                    "debit" if posting.side == "D" else "credit",
                    decimal_text(posting.units, token.decimals),
                    posting.units,
                    token.symbol,
                    posting.token,
                    origin.block_number,
                    "0x" + origin.transaction_hash.hex(),
                    origin.log_index,
                    "0x" + entry.hash.hex(),
                )
            )


def journal_beancount(entries: Iterable[Entry], tokens: Tokens) -> Iterator[str]:
    """A beancount file that `bean-check` accepts: every account opened on the day of its first posting, one transaction
    for each entry. Source: the Beancount Language Syntax, version 3."""
    commodities = _commodities(tokens)
    opened: set[str] = set()
    yield 'option "title" "Tallystick"\n'
    for entry in entries:
        day = _day(entry.origin.block_time)
        for posting in entry.postings:
            if posting.account not in opened:
                opened.add(posting.account)
                yield f"\n{day} open {posting.account}\n"
        yield f'\n{day} * "{entry.kind}"\n'
        yield f'  entry: "{entry.number}"\n'
        yield f'  transaction: "0x{entry.origin.transaction_hash.hex()}"\n'
        yield f'  log: "{entry.origin.log_index}"\n'
        for posting in entry.postings:
            yield f"  {posting.account}  {_signed(posting, tokens)} {commodities[posting.token]}\n"


FORMATS: dict[str, Callable[[Iterable[Entry], Tokens], Iterator[str]]] = {
    "jsonl": journal_jsonl,
    "csv": journal_csv,
    "beancount": journal_beancount,
}


def _signed(posting: Posting, tokens: Tokens) -> str:
    units = posting.units if posting.side == "D" else -posting.units
    return decimal_text(units, tokens[posting.token].decimals)


def _commodities(tokens: Tokens) -> dict[str, str]:
    """A beancount commodity for each token: its symbol, with the end of its address where two share one."""
    names = {address: _commodity(token.symbol) for address, token in tokens.items()}
    return {
        address: name if list(names.values()).count(name) == 1 else f"{name[:16]}-{address[-6:].upper()}"
        for address, name in names.items()
    }


def _commodity(symbol: str) -> str:
    """Upper-case letters, digits and -, beginning with a letter, ending with a letter or digit, at most 24 long."""
    plain = re.sub("[^A-Z0-9]+", "-", symbol.upper()).strip("-")
    return (plain if plain[:1].isalpha() else f"T{plain}")[:24].strip("-") or "TOKEN"


def _csv_line(values: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()


def _time(timestamp: int) -> str:
    return dt.datetime.fromtimestamp(timestamp, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _day(timestamp: int) -> str:
    return dt.datetime.fromtimestamp(timestamp, dt.UTC).strftime("%Y-%m-%d")
