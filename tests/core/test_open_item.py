"""What is left of amounts of which some was given back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.expected import Treatment
from tallystick.core.open_item import KIND_OF, what_is_left

amounts = st.lists(st.integers(0, 10**30))


@given(amounts, st.data())
def test_the_parts_that_are_left_add_up_and_what_was_given_back_was_the_oldest(
    units: list[int], data: st.DataObject
) -> None:
    left_units = data.draw(st.integers(0, sum(units)))
    left = what_is_left(list(enumerate(units)), left_units)
    assert sum(part for _, part in left) == left_units
    assert all(0 < part <= units[place] for place, part in left)
    assert [place for place, _ in left] == sorted(place for place, _ in left)
    for place, _ in left[1:]:
        assert (place, units[place]) in left, "only the first that is left may be a part of what came"


def test_every_way_to_become_credit_has_a_kind() -> None:
    assert set(KIND_OF) == set(Treatment) - {Treatment.COUNTED}
