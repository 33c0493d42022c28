"""The journal as text: programs that read it find the same entries and the same sums, whatever a token calls itself."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import localcontext
from pathlib import Path
from typing import Any

import pytest
from beancount import loader
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tallystick.core.ledger import Entry
from tallystick.core.money import UINT256_MAX, Token, parse_units
from tallystick.errors import CorruptionError
from tallystick.render.journal import CSV_COLUMNS, TEXT_FORMATS
from tests.render.journals import (
    ALICE,
    BOB,
    CAROL,
    CLAIM,
    DAI,
    DAY_S,
    HOSTILE,
    OTHER,
    USDC,
    Sums,
    address,
    books,
    charge,
    journal,
    sums_of,
    text_of,
    texts,
)


def jsonl_rows(text: str) -> Iterator[dict[str, Any]]:
    assert text == "" or text.endswith("\n")
    for line in text.split("\n")[:-1]:
        yield json.loads(line)


def csv_rows(text: str) -> list[dict[str, str]]:
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert tuple(header) == CSV_COLUMNS
    return [dict(zip(header, row, strict=True)) for row in rows]


def beancount_transactions(text: str) -> list[Any]:
    """The transactions as beancount reads them, after its own checks, the same as `bean-check`'s."""
    directives, errors, _ = loader.load_string(text)
    assert [error.message for error in errors] == []
    kinds = [type(directive).__name__ for directive in directives]
    assert set(kinds) <= {"Open", "Transaction"}
    return [directive for directive in directives if type(directive).__name__ == "Transaction"]


def as_units(postings: Iterable[Any], decimals: Mapping[str, int]) -> Sums:
    """Beancount's postings in base units, by account and commodity; exact, unlike beancount's own sums."""
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    with localcontext(prec=200):
        for posting in postings:
            commodity = posting.units.currency
            units = posting.units.number.scaleb(decimals[commodity])
            assert units == units.to_integral_value()
            sums[posting.account, commodity] += int(units)
    return dict(sums)


@given(books())
def test_json_lines_hold_every_entry_exactly(found: tuple[list[Entry], list[Token]]) -> None:
    entries, tokens = found
    by_address = {token.address: token for token in tokens}
    rows = list(jsonl_rows(text_of("jsonl", entries, tokens)))
    assert [(row["entry"], row["kind"], row["hash"]) for row in rows] == [
        (entry.number, entry.kind, f"0x{entry.hash.hex()}") for entry in entries
    ]
    for row, entry in zip(rows, entries, strict=True):
        assert [(p["account"], p["side"][0].upper(), p["token"], int(p["units"])) for p in row["postings"]] == [
            (p.account, p.side, p.token, p.units) for p in entry.postings
        ]
        for posting in row["postings"]:
            token = by_address[posting["token"]]
            assert posting["asset"] == token.symbol
            assert parse_units(posting["amount"], token.decimals) == int(posting["units"])


@given(books())
def test_csv_holds_every_posting_exactly(found: tuple[list[Entry], list[Token]]) -> None:
    entries, tokens = found
    by_address = {token.address: token for token in tokens}
    rows = csv_rows(text_of("csv", entries, tokens))
    postings = [(entry, posting) for entry in entries for posting in entry.postings]
    for row, (entry, posting) in zip(rows, postings, strict=True):
        token = by_address[posting.token]
        assert (row["entry"], row["kind"], row["hash"]) == (str(entry.number), entry.kind, f"0x{entry.hash.hex()}")
        assert (row["account"], row["side"]) == (posting.account, {"D": "debit", "C": "credit"}[posting.side])
        assert (row["token"], row["asset"]) == (token.address, token.symbol)
        assert int(row["units"]) == parse_units(row["amount"], token.decimals) == posting.units


@settings(max_examples=60)
@given(books())
def test_beancount_accepts_every_entry_and_reads_it_exactly(found: tuple[list[Entry], list[Token]]) -> None:
    """In the file's order, and each token with a commodity of its own."""
    entries, tokens = found
    decimals = {token.address: token.decimals for token in tokens}
    commodities: dict[str, str] = {}
    transactions = beancount_transactions(text_of("beancount", entries, tokens))
    transactions.sort(key=lambda transaction: transaction.meta["lineno"])
    for transaction, entry in zip(transactions, entries, strict=True):
        (token,) = {posting.token for posting in entry.postings}
        (commodity,) = {posting.units.currency for posting in transaction.postings}
        assert commodities.setdefault(token, commodity) == commodity
        assert (transaction.narration, transaction.meta["entry"]) == (entry.kind, str(entry.number))
        assert transaction.date == dt.datetime.fromtimestamp(entry.origin.block_time, dt.UTC).date()
        expected = {(account, commodity): units for (account, _), units in sums_of([entry]).items()}
        assert as_units(transaction.postings, {commodity: decimals[token]}) == expected
    assert len(set(commodities.values())) == len(commodities)


@given(books(), st.randoms(use_true_random=False))
def test_the_same_entries_give_the_same_bytes(found: tuple[list[Entry], list[Token]], random: Any) -> None:
    """In whatever order the tokens were found; and a longer journal begins as the shorter one did."""
    entries, tokens = found
    for form in TEXT_FORMATS:
        first = text_of(form, entries, tokens)
        shuffled = random.sample(tokens, len(tokens))
        assert text_of(form, iter(entries), shuffled).encode() == first.encode()
        assert first.startswith(text_of(form, entries[: len(entries) // 2], tokens))


@pytest.mark.parametrize("units", [1, 2**64 + 1, 10**28 - 1, 10**28 + 1, 10**56 - 1, 10**56 + 1, UINT256_MAX])
@pytest.mark.parametrize("token", [USDC, DAI, OTHER], ids=lambda token: token.symbol)
def test_E68_amounts_to_the_largest_are_exact(units: int, token: Token) -> None:
    entries = journal(charge(units, token), charge(units, token), charge(-units, token))
    expected = {key: value for key, value in sums_of(entries).items() if key[0].startswith("Assets:")}
    assert list(expected.values()) == [units]
    sums = {"jsonl": 0, "csv": 0}
    for row in jsonl_rows(text_of("jsonl", entries)):
        for posting in row["postings"]:
            if posting["account"].startswith("Assets:"):
                sums["jsonl"] += int(posting["units"]) * (1 if posting["side"] == "debit" else -1)
    for line in csv_rows(text_of("csv", entries)):
        if line["account"].startswith("Assets:"):
            sums["csv"] += int(line["units"]) * (1 if line["side"] == "debit" else -1)
    assert sums == {"jsonl": units, "csv": units}
    transactions = beancount_transactions(text_of("beancount", entries))
    postings = [posting for transaction in transactions for posting in transaction.postings]
    assert as_units(postings, {token.symbol: token.decimals})[f"Assets:Wallet:{ALICE}", token.symbol] == units


@pytest.mark.parametrize("symbol", HOSTILE)
def test_no_symbol_adds_an_entry(symbol: str) -> None:
    """Two entries, one in a token that calls itself so: two are read."""
    tokens = (USDC, Token(8453, DAI.address, symbol, 18))
    entries = journal(charge(9_990_000), charge(5 * 10**18, DAI))
    assert [row["postings"][0]["asset"] for row in jsonl_rows(text_of("jsonl", entries, tokens))] == ["USDC", symbol]
    assert [row["asset"] for row in csv_rows(text_of("csv", entries, tokens))] == ["USDC", "USDC", symbol, symbol]
    transactions = beancount_transactions(text_of("beancount", entries, tokens))
    assert [len(transaction.postings) for transaction in transactions] == [2, 2]


def commodities(*symbols: str, addresses: Sequence[str] = ()) -> list[str]:
    """What tokens with these symbols are in beancount."""
    places = addresses or [address(0xA00000 + number) for number in range(len(symbols))]
    tokens = [Token(1, place, symbol, 6) for place, symbol in zip(places, symbols, strict=True)]
    text = text_of("beancount", journal(*(charge(1_000_000, token) for token in tokens)), tokens)
    return [transaction.postings[0].units.currency for transaction in beancount_transactions(text)]


def test_a_commodity_is_the_symbol_where_it_can_be() -> None:
    assert commodities("USDC") == ["USDC"]
    assert commodities("USDC.e", "usdt", "1INCH", "true", "", "💵") == [
        "USDC-E",
        "USDT",
        "T1INCH",
        "TTRUE",
        "T-A00004",
        "T-A00005",
    ]
    assert commodities("W" * 99) == ["W" * 23]


def test_tokens_of_one_symbol_are_told_apart() -> None:
    """By the end of the address; and where that was made alike by the whole, which no symbol can be as long as."""
    assert commodities("USDC", "usdc", "DAI") == ["USDC-A00000", "USDC-A00001", "DAI"]
    assert commodities("USDC", "USDC", "USDC-A00000") == ["T" + "0" * 23, "USDC-A00001", "T" + "0" * 23]


@given(st.lists(texts, min_size=2, max_size=5))
@example(["USDC", "USDC", "USDC-A00000", "T00000000000000000000000"])
@settings(max_examples=30)
def test_no_two_tokens_share_a_commodity(symbols: list[str]) -> None:
    addresses = [address((number << 120) + 7) for number in range(1, len(symbols) + 1)]
    assert len(set(commodities(*symbols, addresses=addresses))) == len(symbols)


def test_empty_books() -> None:
    assert text_of("jsonl", []) == ""
    assert csv_rows(text_of("csv", [])) == []
    assert text_of("csv", []) == ",".join(CSV_COLUMNS) + "\r\n"
    assert beancount_transactions(text_of("beancount", [])) == []


def test_bean_check_accepts_the_file(tmp_path: Path) -> None:
    """The program itself, as documented, on two payees, two tokens and midnight between two entries."""
    entries = journal(
        charge(9_990_000),
        (BOB, DAI, 2, UINT256_MAX, DAY_S * 2 // 3 - 1),
        (BOB, DAI, 2, -(2**64), 1),
        (ALICE, USDC, 1, -5_000_000, 0),
        (ALICE, USDC, 9_998, 2**96 - 1, 0),
        (CAROL, USDC, CLAIM, 5, 0),
    )
    for name, found in (("some", entries), ("none", [])):
        path = tmp_path / f"{name}.beancount"
        path.write_text(text_of("beancount", found), encoding="utf-8")
        done = subprocess.run(["bean-check", str(path)], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [entry.date.isoformat() for entry in beancount_transactions(text_of("beancount", entries))] == [
        *("2026-02-01", "2026-02-01", *["2026-02-02"] * 4)
    ]


def test_what_is_written_for_a_charge() -> None:
    """Each format once, whole: whoever reads it has to rely on every name in it."""
    (entry,) = entries = journal(charge(9_990_000))
    wallet, income = f"Assets:Wallet:{ALICE}", f"Income:Subscriptions:{ALICE}:Plan-1"
    hashes = {"transaction": f"0x{'01' * 32}", "hash": f"0x{entry.hash.hex()}"}
    common = {"amount": "9.990000", "units": "9990000", "asset": "USDC", "token": USDC.address}
    sides = [{"account": wallet, "side": "debit"} | common, {"account": income, "side": "credit"} | common]
    assert list(jsonl_rows(text_of("jsonl", entries))) == [
        {
            "journal": "subscriptions",
            "entry": 1,
            "kind": "charge",
            "time": "2026-02-01T08:00:00Z",
            "block": 101,
            "block_hash": f"0x{'01' * 32}",
            "log_index": 1,
            "postings": sides,
            "previous_hash": f"0x{'00' * 32}",
            **hashes,
        }
    ]
    place = {"journal": "subscriptions", "entry": "1", "kind": "charge", "time": "2026-02-01T08:00:00Z"}
    assert csv_rows(text_of("csv", entries)) == [
        place | {"block": "101", "log_index": "1"} | side | hashes for side in sides
    ]
    assert text_of("beancount", entries) == (
        'option "title" "Tallystick"\n'
        f"\n2026-02-01 open {wallet}\n"
        f"\n2026-02-01 open {income}\n"
        '\n2026-02-01 * "charge"\n'
        '  journal: "subscriptions"\n'
        '  entry: "1"\n'
        f'  transaction: "0x{"01" * 32}"\n'
        '  log: "1"\n'
        f"  {wallet}  9.990000 USDC\n"
        f"  {income}  -9.990000 USDC\n"
    )
    assert text_of("hledger", entries) == (
        "; Tallystick\n"
        "\ndecimal-mark .\n"
        f"\naccount {wallet}\n"
        f"\naccount {income}\n"
        "\ncommodity 0.000000 USDC\n"
        "\n2026-02-01 * (1) charge\n"
        "    ; journal:subscriptions\n"
        "    ; time:2026-02-01T08:00:00Z\n"
        "    ; block:101\n"
        f"    ; transaction:0x{'01' * 32}\n"
        "    ; log_index:1\n"
        f"    {wallet}  9.990000 USDC\n"
        f"    {income}  -9.990000 USDC\n"
    )


@pytest.mark.parametrize("form", TEXT_FORMATS)
def test_a_token_that_was_deleted_is_named(form: str) -> None:
    with pytest.raises(CorruptionError, match=f"postings in {DAI.address}, and the database does not know"):
        text_of(form, journal(charge(1, DAI)), [USDC])


@pytest.mark.parametrize("form", ["beancount", "hledger"])
@pytest.mark.parametrize(
    "account", ["Assets:Wallet:0x7\n2020-01-01 open Assets:Thief\n", "Assets:Wallet:0x7 ; ", "Capital:X", "Assets:Ä"]
)
def test_an_account_that_was_changed_gets_into_no_accountant_s_file(account: str, form: str) -> None:
    """What is written in the other formats can be told apart from what is around it."""
    (entry,) = journal(charge(5))
    changed = entry._replace(postings=(entry.postings[0]._replace(account=account), entry.postings[1]))
    with pytest.raises(CorruptionError, match=r"journal entry 1 has .*, allowed are accounts such as"):
        text_of(form, [changed])
    assert [posting["account"] for row in jsonl_rows(text_of("jsonl", [changed])) for posting in row["postings"]] == [
        *(account, entry.postings[1].account)
    ]
    assert csv_rows(text_of("csv", [changed]))[0]["account"] == account


@pytest.mark.parametrize("form", ["beancount", "hledger"])
def test_a_kind_that_was_changed_gets_into_no_accountant_s_file(form: str) -> None:
    (entry,) = journal(charge(5))
    with pytest.raises(
        CorruptionError, match=r"journal entry 1 has .*, allowed are charge, refund, claim, authorization"
    ):
        text_of(form, [entry._replace(kind='charge"\n2020-01-01 open Assets:Thief ;"')])


@pytest.mark.parametrize("plan", [19_997, 10_000, 2**64])
@pytest.mark.parametrize("units", [2**96 - 1, 10**28 - 1, 10**28, 10**29 - 1, UINT256_MAX])
def test_E68_parts_with_a_carry_between_them_balance(units: int, plan: int) -> None:
    """Of a charge with a fee the parts of its digits need not balance one by one."""
    entries = journal((ALICE, DAI, plan, units, 0))
    (transaction,) = beancount_transactions(text_of("beancount", entries))
    found = as_units(transaction.postings, {"DAI": 18})
    assert found == {(account, "DAI"): units for (account, _), units in sums_of(entries).items()}
    assert len(found) == 5
