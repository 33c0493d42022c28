"""Routes: what Uniswap reads is what was written, and nothing that leads elsewhere is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.swap import MOST_FEE, route_of
from tallystick.errors import AddressInvalid, InputError
from tests.core.test_quote import ADDRESSES
from tests.uniswap import path_of

ONE, TWO, THREE = (f"0x{number:040d}" for number in (11, 12, 13))
FEES = st.integers(1, MOST_FEE)


@given(st.lists(ADDRESSES, min_size=2, max_size=9, unique=True), st.lists(FEES, min_size=8, max_size=8))
def test_a_route_is_tokens_with_fees_between_them_and_the_same_back(tokens: list[str], fees: list[int]) -> None:
    between: list[int | str] = [part for pair in zip(fees, tokens[1:-1], strict=False) for part in pair]
    between.append(fees[len(tokens) - 2])
    route = route_of(tokens[0], tokens[-1], between)
    parts = [tokens[0], *(part for pair in zip(fees, tokens[1:], strict=False) for part in pair)]
    assert route.path == path_of(*parts)
    assert route.back.path == path_of(*reversed(parts))
    assert route.back.back == route


@pytest.mark.parametrize(
    "between",
    [[], [500, TWO], [500, 3000], [TWO], [500, ONE, 500], [0], [MOST_FEE + 1], [True], [500] + [TWO, 500] * 8],
    ids=["nothing", "no end", "two fees", "no fee", "twice", "free", "all of it", "a truth", "too long"],
)
def test_what_leads_nowhere_is_refused(between: list[int | str]) -> None:
    with pytest.raises(InputError):
        route_of(ONE, THREE, between)


def test_a_mistyped_token_is_refused() -> None:
    with pytest.raises(AddressInvalid):
        route_of(ONE, THREE, [500, "0x12", 500])
