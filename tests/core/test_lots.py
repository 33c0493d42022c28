"""Lots: first in, first out, and every unit of cost and proceeds accounted for."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.lots import Lot, Lots, Part
from tallystick.core.money import Amount, Token, currency
from tallystick.errors import AmountInvalid, AssetMismatch, LedgerError

EURC, USD = Token(1, "0x" + "e0" * 20, "EURC", 6), currency("USD")
units = st.integers(1, 10**30)
costs = st.integers(0, 10**30)
receipts = st.lists(st.tuples(units, costs), min_size=1, max_size=8)


def euros(number: int) -> Amount:
    return Amount(number, EURC)


def dollars(number: int) -> Amount:
    return Amount(number, USD)


def filled(received: list[tuple[int, int]]) -> Lots:
    """A lot of each, by entries from 1 on."""
    lots = Lots(EURC, USD)
    for entry, (number, cost) in enumerate(received, start=1):
        lots.receive(entry, euros(number), dollars(cost))
    return lots


def test_the_oldest_goes_first_and_the_gain_is_what_it_brought_above_its_cost() -> None:
    lots = filled([(100, 108), (50, 60)])
    assert lots.give(euros(120), dollars(144)) == (Part(1, 100, 108, 120), Part(2, 20, 24, 24))
    assert [part.gain_units for part in filled([(100, 108)]).give(euros(100), dollars(99))] == [-9]
    assert list(lots) == [Lot(2, 50, 60, 20)]
    assert (lots.amount, lots.cost) == (euros(30), dollars(36))


def test_a_lot_in_thirds_costs_what_it_cost() -> None:
    lots = filled([(3, 100)])
    assert [lots.give(euros(1), dollars(0))[0].cost_units for _ in range(3)] == [33, 33, 34]
    assert (list(lots), lots.amount, lots.cost) == ([], euros(0), dollars(0))


@given(receipts, st.data())
def test_parts_add_up_and_nothing_is_lost(received: list[tuple[int, int]], data: st.DataObject) -> None:
    """Whatever is given in whatever pieces, until nothing is left."""
    lots = filled(received)
    cost = dict.fromkeys(range(1, len(received) + 1), 0)
    gone = dict.fromkeys(cost, 0)
    order: list[int] = []
    gain = brought = 0
    while held := lots.amount.units:
        number = data.draw(st.one_of(st.just(held), st.integers(1, held)))
        proceeds = data.draw(costs)
        before = lots.cost.units
        parts = lots.give(euros(number), dollars(proceeds))
        assert sum(part.units for part in parts) == number
        assert sum(part.proceeds_units for part in parts) == proceeds
        assert before - lots.cost.units == sum(part.cost_units for part in parts)
        assert lots.amount.units == held - number
        for part in parts:
            cost[part.entry] += part.cost_units
            gone[part.entry] += part.units
            assert abs(part.proceeds_units - Fraction(proceeds * part.units, number)) < 1
            of_lot, lot_cost = received[part.entry - 1]
            assert abs(part.cost_units - Fraction(lot_cost * part.units, of_lot)) < 1
        order += [part.entry for part in parts]
        gain += sum(part.gain_units for part in parts)
        brought += proceeds
    assert list(cost.values()) == [lot_cost for _, lot_cost in received]
    assert list(gone.values()) == [of_lot for of_lot, _ in received]
    assert all(one <= other for one, other in pairwise(order))  # first in, first out
    assert gain == brought - sum(lot_cost for _, lot_cost in received)


@given(receipts, st.data())
def test_it_does_not_matter_in_how_many_pieces(received: list[tuple[int, int]], data: st.DataObject) -> None:
    whole, pieces = filled(received), filled(received)
    number = data.draw(st.integers(1, whole.amount.units))
    first = data.draw(st.integers(0, number - 1))
    given_at_once = whole.give(euros(number), dollars(0))
    given_in_two = [
        *(pieces.give(euros(first), dollars(0)) if first else ()),
        *pieces.give(euros(number - first), dollars(0)),
    ]
    assert list(whole) == list(pieces)
    assert sum(part.cost_units for part in given_at_once) == sum(part.cost_units for part in given_in_two)


@given(receipts, st.integers(1, 10**30))
def test_more_than_is_held_is_refused_and_nothing_is_taken(received: list[tuple[int, int]], more: int) -> None:
    lots = filled(received)
    before = list(lots)
    with pytest.raises(LedgerError, match="are to go out"):
        lots.give(euros(lots.amount.units + more), dollars(1))
    assert list(lots) == before
    assert lots.amount.units == sum(number for number, _ in received)


@pytest.mark.parametrize(("number", "value"), [(0, 1), (-1, 1), (1, -1)])
def test_amounts_that_are_none_are_refused(number: int, value: int) -> None:
    lots = filled([(10, 10)])
    for verb in (lots.give, lambda amount, cost: lots.receive(2, amount, cost)):
        with pytest.raises(AmountInvalid, match="allowed is an amount above zero"):
            verb(euros(number), dollars(value))
    assert list(lots) == [Lot(1, 10, 10)]


def test_another_asset_is_refused() -> None:
    lots = filled([(10, 10)])
    for amount, value in ((dollars(1), dollars(1)), (euros(1), euros(1))):
        with pytest.raises(AssetMismatch, match="these are lots of EURC in USD"):
            lots.give(amount, value)
        with pytest.raises(AssetMismatch, match="these are lots of EURC in USD"):
            lots.receive(2, amount, value)
