"""The journal: balanced entries, and a chain of hashes that nothing can be changed under unseen."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.events import Charged, Claimed, Origin, Refunded
from tallystick.core.ledger import (
    GENESIS_HASH,
    Entry,
    Kept,
    Posting,
    claim_entry,
    entry_for,
    entry_hash,
    imbalance,
    postings_for,
)
from tallystick.core.money import UINT256_MAX
from tallystick.core.period import Unit
from tallystick.core.plan import PlanTerms

PAYEE, TOKEN, RECEIVER = ("0x" + digit * 40 for digit in "123")
TERMS = PlanTerms(PAYEE, 5, TOKEN, 1, Unit.MONTH)
ORIGIN = Origin(17, bytes(range(32)), 1_700_000_000, bytes(range(32, 64)), 3)
ENTRY = entry_for(1, Charged(1, 1, 0, 9, 5), ORIGIN, 4, TERMS, GENESIS_HASH)


def rehashed(entry: Entry) -> bytes:
    return entry_hash(entry.number, entry.kind, entry.origin, entry.postings, entry.previous_hash)


def test_a_charge_and_a_refund_in_the_chart_of_accounts() -> None:
    assert postings_for(Charged(1, 1, 0, 9, 5), 4, TERMS) == (
        Posting(f"Assets:Wallet:{PAYEE}", "D", TOKEN, 5),
        Posting(f"Income:Subscriptions:{PAYEE}:Plan-4", "C", TOKEN, 5),
    )
    assert postings_for(Charged(1, 1, 0, 9, 5), 4, TERMS, is_usage=True) == (
        Posting(f"Assets:Wallet:{PAYEE}", "D", TOKEN, 5),
        Posting(f"Income:Usage:{PAYEE}:Plan-4", "C", TOKEN, 5),
    )
    assert postings_for(Refunded(1, 1, 2), 4, TERMS) == (
        Posting(f"Income:Refunds:{PAYEE}:Plan-4", "D", TOKEN, 2),
        Posting(f"Assets:Wallet:{PAYEE}", "C", TOKEN, 2),
    )


def test_a_fee_is_an_expense_of_the_payee_and_income_of_its_receiver() -> None:
    terms = replace(TERMS, fee_bps=250, fee_receiver=RECEIVER)
    charged, income = Charged(1, 1, 0, 9, 1_019), f"Income:Subscriptions:{PAYEE}:Plan-4"
    assert postings_for(charged, 4, terms) == (
        Posting(f"Assets:Wallet:{PAYEE}", "D", TOKEN, 994),
        Posting(f"Expenses:Fees:{PAYEE}:Plan-4", "D", TOKEN, 25),  # 25.475, rounded down
        Posting(income, "C", TOKEN, 1_019),
        Posting(f"Assets:Wallet:{RECEIVER}", "D", TOKEN, 25),
        Posting(f"Income:Fees:{RECEIVER}", "C", TOKEN, 25),
    )
    kept = [
        [posting.account for posting in postings_for(charged, 4, terms, one)][::3]
        for one in (Kept(True), Kept(fee=True))
    ]
    assert kept == [
        [f"Assets:Claimable:{PAYEE}", f"Assets:Wallet:{RECEIVER}"],
        [f"Assets:Wallet:{PAYEE}", f"Assets:Claimable:{RECEIVER}"],
    ]
    assert len(postings_for(charged._replace(amount_units=39), 4, terms)) == 2, "a fee of less than a unit is none"
    assert postings_for(charged._replace(amount_units=0), 4, terms) == ()


def test_a_claim_moves_from_what_was_kept_into_the_wallet() -> None:
    entry = claim_entry(7, Claimed(RECEIVER, TOKEN, 25), ORIGIN, ENTRY.hash)
    assert (entry.number, entry.kind, entry.previous_hash, entry.hash) == (7, "claim", ENTRY.hash, rehashed(entry))
    assert entry.postings == (
        Posting(f"Assets:Wallet:{RECEIVER}", "D", TOKEN, 25),
        Posting(f"Assets:Claimable:{RECEIVER}", "C", TOKEN, 25),
    )


def test_the_hash_is_of_the_text_that_is_documented() -> None:
    """Written out, because everybody who checks a journal has to write it again."""
    text = (
        f"1|charge|17|{bytes(range(32)).hex()}|1700000000|{bytes(range(32, 64)).hex()}|3|"
        f"Assets:Wallet:{PAYEE},D,{TOKEN},5;Income:Subscriptions:{PAYEE}:Plan-4,C,{TOKEN},5"
    )
    assert ENTRY.hash == sha256(bytes(32) + text.encode()).digest()


CHANGES: dict[str, Any] = {
    "number": 2,
    "kind": "refund",
    "origin": ORIGIN._replace(block_number=18),
    "postings": ENTRY.postings[::-1],
    "previous_hash": b"\1" * 32,
}


@pytest.mark.parametrize("part", CHANGES)
def test_every_part_of_an_entry_is_in_its_hash(part: str) -> None:
    assert rehashed(ENTRY) == ENTRY.hash
    assert rehashed(ENTRY._replace(**{part: CHANGES[part]})) != ENTRY.hash


@pytest.mark.parametrize("part", Origin._fields)
def test_every_part_of_the_origin_is_in_the_hash(part: str) -> None:
    value = getattr(ORIGIN, part)
    change: dict[str, Any] = {part: value + 1 if isinstance(value, int) else bytes(32)}
    other = ORIGIN._replace(**change)
    assert rehashed(ENTRY._replace(origin=other)) != ENTRY.hash


addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
origins = st.builds(
    Origin,
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**37),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**63 - 1),
)
amounts = st.integers(1, UINT256_MAX)
movements = st.one_of(
    st.builds(Charged, st.just(1), st.just(1), st.just(0), st.just(1), amounts),
    st.builds(Refunded, st.just(1), st.just(1), amounts),
)
plain = st.builds(PlanTerms, addresses, amounts, addresses, st.just(1), st.just(Unit.DAY))
with_fee = st.builds(
    lambda terms, fee_bps, receiver: replace(terms, fee_bps=fee_bps, fee_receiver=receiver),
    plain,
    st.integers(1, 9_999),
    addresses,
)
numbers = st.integers(1, 2**63 - 1)
kept = st.builds(Kept, st.booleans(), st.booleans())
claims = st.builds(Claimed, addresses, addresses, amounts)
entries = st.builds(
    entry_for, numbers, movements, origins, st.integers(1, 2**32), plain | with_fee, st.binary(), kept
) | st.builds(claim_entry, numbers, claims, origins, st.binary())


@given(entries)
def test_every_entry_balances_E68(entry: Entry) -> None:
    assert imbalance(entry.postings) == {}
    assert all(posting.units > 0 for posting in entry.postings)


@given(entries)
def test_no_separator_of_the_text_can_come_from_an_event(entry: Entry) -> None:
    """So that no two entries have one text: what stands between separators holds none."""
    for posting in entry.postings:
        assert not set("|,;\n") & set(posting.account + posting.side + posting.token)
    assert not set("|,;\n") & set(entry.kind)


@given(entries, entries)
def test_two_entries_have_two_hashes(first: Entry, second: Entry) -> None:
    assert (first.hash == second.hash) == (first == second)


def test_what_does_not_balance_is_said_for_each_token() -> None:
    lines = [Posting("a", "D", "x", 5), Posting("b", "C", "x", 3), Posting("a", "D", "y", 1), Posting("b", "C", "y", 1)]
    assert imbalance(lines) == {"x": 2}
    assert imbalance([]) == {}
