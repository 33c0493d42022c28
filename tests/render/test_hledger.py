"""The journal for hledger: the program accepts it, and finds the same entries and the same sums to the unit."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings

from tallystick.core.ledger import Entry
from tallystick.core.money import UINT256_MAX, Token
from tests.hledger import balances_of, hledger, require_accepted, rows_of, signed_units
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
    address,
    books,
    charge,
    journal,
    sums_of,
    text_of,
)

pytestmark = pytest.mark.hledger


@contextmanager
def written(entries: Iterable[Entry], tokens: Iterable[Token] = (USDC, DAI, OTHER)) -> Iterator[Path]:
    """The journal in a file that hledger has accepted."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "books.hledger"
        path.write_text(text_of("hledger", entries, tokens), encoding="utf-8")
        require_accepted(path)
        yield path


def commodities(rows: Sequence[dict[str, str]], entries: Iterable[Entry]) -> dict[str, str]:
    """The token of each commodity in what hledger prints; none has the name of two, and none two names."""
    tokens = [posting.token for entry in entries for posting in entry.postings]
    pairs = set(zip([row["commodity"] for row in rows], tokens, strict=True))
    assert len({name for name, _ in pairs}) == len({token for _, token in pairs}) == len(pairs)
    return dict(pairs)


@settings(max_examples=60)
@given(books())
def test_hledger_accepts_every_entry_and_its_balance_is_ours(found: tuple[list[Entry], list[Token]]) -> None:
    """Every posting in its place, and the trial balance to the unit."""
    entries, tokens = found
    with written(entries, tokens) as path:
        rows = rows_of(path, "print")
        token_of = commodities(rows, entries)
        decimals = {
            name: token.decimals for name, address in token_of.items() for token in tokens if token.address == address
        }
        balances = balances_of(path, decimals)
    assert [
        (
            row["date"],
            row["code"],
            row["description"],
            row["account"],
            signed_units(row["amount"], decimals[row["commodity"]]),
        )
        for row in rows
    ] == [
        (
            dt.datetime.fromtimestamp(entry.origin.block_time, dt.UTC).date().isoformat(),
            *(str(entry.number), entry.kind, posting.account),
            posting.units if posting.side == "D" else -posting.units,
        )
        for entry in entries
        for posting in entry.postings
    ]
    assert {(account, token_of[name]): units for (account, name), units in balances.items()} == {
        key: units for key, units in sums_of(entries).items() if units
    }


@pytest.mark.parametrize("units", [1, 2**64 + 1, 10**28 + 1, UINT256_MAX])
@pytest.mark.parametrize("token", [USDC, DAI, OTHER], ids=lambda token: token.symbol)
@pytest.mark.parametrize("plan", [1, 10_000], ids=["plain", "with a fee"])
def test_E68_amounts_to_the_largest_are_exact(units: int, token: Token, plan: int) -> None:
    step = (ALICE, token, plan, units, DAY_S)
    entries = journal(step, step, (ALICE, token, plan, -units, DAY_S))
    with written(entries) as path:
        read = balances_of(path, {token.symbol: token.decimals})
    expected = {(account, token.symbol): total for (account, _), total in sums_of(entries).items() if total}
    assert read == expected
    assert sum(read.values()) == 0


def test_what_does_not_balance_by_one_unit_is_refused() -> None:
    """So that what it accepts says something: it rounds to a commodity's digits, and those are all there are."""
    (entry,) = journal(charge(10**30, DAI))
    debit, credit = entry.postings
    changed = entry._replace(postings=(debit, credit._replace(units=credit.units + 1)))
    with pytest.raises(AssertionError, match="should be 0"), written([changed]):
        pass


@pytest.mark.parametrize("symbol", HOSTILE)
def test_no_symbol_adds_an_entry(symbol: str) -> None:
    tokens = (USDC, Token(8453, DAI.address, symbol, 18))
    with written(journal(charge(9_990_000), charge(5 * 10**18, DAI)), tokens) as path:
        assert [row["code"] for row in rows_of(path, "print")] == ["1", "1", "2", "2"]


def test_tokens_of_one_symbol_are_told_apart_as_in_beancount() -> None:
    tokens = [
        Token(1, address(0xA00000 + number), symbol, 6) for number, symbol in enumerate(("USDC", "usdc", "1INCH"))
    ]
    entries = journal(*(charge(1_000_000, token) for token in tokens))
    with written(entries, tokens) as path:
        found = commodities(rows_of(path, "print"), entries)
    assert sorted(found) == ["T1INCH", "USDC-A00000", "USDC-A00001"]


def test_an_entry_is_found_by_what_it_says_of_the_chain() -> None:
    entries = journal(
        charge(9_990_000), (BOB, DAI, 2, UINT256_MAX, DAY_S), (CAROL, USDC, CLAIM, 5, 0), (ALICE, USDC, 1, -5, 0)
    )
    with written(entries) as path:
        for query in ("code:^2$", "tag:block=^102$", f"tag:transaction=^0x{'02' * 32}$", "tag:log_index=^2$"):
            assert {row["code"] for row in rows_of(path, "print", query)} == {"2"}, query
        assert {row["code"] for row in rows_of(path, "print", "tag:time=^2026-02-02T08:00:00Z$")} == {"2", "3", "4"}
        assert hledger(path, "accounts", "--declared") == hledger(path, "accounts", "--used")
        assert hledger(path, "commodities").split() == ["DAI", "USDC"]
        assert len(rows_of(path, "print", "tag:journal=^subscriptions$")) == 8


def test_empty_books() -> None:
    with written([]) as path:
        assert rows_of(path, "print") == []
