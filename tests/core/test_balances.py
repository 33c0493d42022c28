"""Running balances: how accounts stand follows from the entries, in whatever pieces they come, and little is kept."""

from __future__ import annotations

from collections import defaultdict
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from tallystick.core import balances
from tallystick.core.balances import Standing, Standings, kept_before, moves_of
from tallystick.core.ledger import Entry, balances_of
from tests.journals import journals, pieces

STRETCHES = st.integers(1, 8)


def standings_of(*parts: list[Entry]) -> Standings:
    standings = Standings()
    for part in parts:
        standings.add(moves_of(part))
    return standings


@given(journals(), STRETCHES)
def test_accounts_stand_as_their_postings_add_up(journal: list[Entry], stretch: int) -> None:
    with patch.object(balances, "STRETCH", stretch):
        now = standings_of(journal).now
    assert [standing.balance for _, standing in sorted(now.items())] == balances_of(
        posting for entry in journal for posting in entry.postings
    )


@given(st.data(), journals(), STRETCHES)
def test_the_pieces_in_which_entries_come_make_no_difference(
    data: st.DataObject, journal: list[Entry], stretch: int
) -> None:
    with patch.object(balances, "STRETCH", stretch):
        at_once, piecewise = standings_of(journal), standings_of(*data.draw(pieces(journal)))
    assert (piecewise.now, piecewise.kept) == (at_once.now, at_once.kept)


@given(journals(), STRETCHES)
def test_a_standing_is_kept_for_each_stretch_in_which_its_account_moved(journal: list[Entry], stretch: int) -> None:
    """The last one of the account is not among them: that is how it stands."""
    with patch.object(balances, "STRETCH", stretch):
        standings = standings_of(journal)
    last: defaultdict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for entry in journal:
        for posting in entry.postings:
            last[posting.account, posting.token][(entry.number - 1) // stretch] = entry.number
    rows = sorted([*standings.kept, *standings.now.values()])
    assert [row[:3] for row in rows] == sorted((*place, number) for place in last for number in last[place].values())
    for row in rows:
        until = [posting for entry in journal[: row.entry_number] for posting in entry.postings]
        assert row.balance in balances_of(until)


def test_a_balance_is_kept_when_its_account_moves_in_a_later_stretch_and_not_before() -> None:
    wallet, token = "Assets:Wallet:a", "0xT"
    standings = Standings([Standing(wallet, token, balances.STRETCH, 5, 0)])
    standings.add({0: {(wallet, token): [balances.STRETCH, 1, 0]}})
    assert standings.kept == []
    standings.add({1: {(wallet, token): [balances.STRETCH + 1, 0, 2]}})
    assert standings.kept == [Standing(wallet, token, balances.STRETCH, 6, 0)]
    assert standings.now == {(wallet, token): Standing(wallet, token, balances.STRETCH + 1, 6, 2)}


def test_what_is_kept_is_enough_up_to_the_end_of_a_stretch() -> None:
    numbers = (0, 1, balances.STRETCH - 1, balances.STRETCH, balances.STRETCH + 1)
    assert [kept_before(number) for number in numbers] == [0, 0, 0, balances.STRETCH, balances.STRETCH]
