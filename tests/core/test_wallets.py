"""What moved outside of the contracts: whatever tokens tell and journals have, what is left is the difference."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.events import Origin
from tallystick.core.ledger import Posting, new_entry
from tallystick.core.wallets import Holding, Movement, booked_movements, sums, unbooked

HOLDING = Holding("0xA", "0xT")
TRANSACTIONS = [bytes([number]) * 32 for number in range(6)]


def movement(transaction: int, units: int, holding: Holding = HOLDING, other: str | None = None) -> Movement:
    return Movement(holding, 100 + transaction, 1_000 + transaction, TRANSACTIONS[transaction], units, other)


movements = st.lists(
    st.builds(
        movement,
        st.integers(0, len(TRANSACTIONS) - 1),
        st.integers(-(2**256), 2**256).filter(bool),
        st.sampled_from([HOLDING, Holding("0xA", "0xU"), Holding("0xB", "0xT")]),
    )
)


@given(movements, movements)
def test_all_that_is_left_is_all_that_is_told_less_all_that_is_booked(
    told: list[Movement], booked: list[Movement]
) -> None:
    left = unbooked(told, booked)
    for holding in {one.holding for one in [*told, *booked]}:
        difference = sums(told).get(holding, 0) - sums(booked).get(holding, 0)
        assert sum(one.units for one in left if one.holding == holding) == difference
    assert all(one.units for one in left)
    assert [one.block_number for one in left] == sorted(one.block_number for one in left)
    assert unbooked(told, told) == []


def test_a_transaction_may_hold_what_is_booked_and_what_is_not() -> None:
    """A payee that is a contract passes on a part of what it was charged for, in the same transaction."""
    told = [movement(1, 10, other="0xPayer"), movement(1, -4, other="0xTreasury"), movement(2, 7)]
    (left,) = unbooked(told, [movement(1, 10), movement(2, 7)])
    assert (left.units, left.transaction, left.others) == (-4, TRANSACTIONS[1], ("0xPayer", "0xTreasury"))


def test_what_a_journal_has_of_wallets() -> None:
    """Debits came in, credits went out; other accounts are not wallets."""
    postings = (
        Posting("Assets:Wallet:0xA", "D", "0xT", 9),
        Posting("Expenses:Fees:0xA:Plan-1", "D", "0xT", 1),
        Posting("Income:Subscriptions:0xA:Plan-1", "C", "0xT", 10),
        Posting("Assets:Wallet:0xB", "C", "0xT", 3),
    )
    entry = new_entry(1, "charge", Origin(101, bytes(32), 1_001, TRANSACTIONS[1], 0), postings, bytes(32))
    assert list(booked_movements([entry])) == [movement(1, 9), movement(1, -3, Holding("0xB", "0xT"))]
