"""Amounts: exact, in one asset, and whole after every division."""

from __future__ import annotations

import re
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.money import UINT256_MAX, Amount, Currency, Token, currency, decimal_text, parse_units, split_units
from tallystick.errors import AmountInvalid, AssetMismatch

USDC = Token(1, "0x" + "a0" * 20, "USDC", 6)
USD = currency("USD")
units = st.integers(-UINT256_MAX, UINT256_MAX)
exponents = st.integers(0, 77)
weights = st.lists(st.integers(0, 10**30), min_size=1, max_size=12).filter(any)


def test_an_amount_is_shown_with_all_its_digits() -> None:
    assert str(Amount(9_990_000, USDC)) == "9.990000 USDC"
    assert str(Amount(-1, USDC)) == "-0.000001 USDC"
    assert str(Amount(0, Currency("JPY", 0))) == "0 JPY"
    assert str(Amount(UINT256_MAX, Token(1, "0x", "BIG", 18))).startswith(
        "11579208923731619542357098500868790785326998466564"
    )


@given(units, exponents)
def test_the_text_of_an_amount_is_its_exact_value(number: int, exponent: int) -> None:
    text = decimal_text(number, exponent)
    assert re.fullmatch(r"-?(0|[1-9]\d*)" + (rf"\.\d{{{exponent}}}" if exponent else ""), text)
    with localcontext(prec=200):
        assert Decimal(text).scaleb(exponent) == number


@given(st.integers(0, UINT256_MAX), exponents)
def test_what_is_shown_can_be_typed_in_again_E68(number: int, exponent: int) -> None:
    assert parse_units(decimal_text(number, exponent), exponent) == number


@pytest.mark.parametrize(
    ("text", "exponent", "expected"),
    [("9.99", 6, 9_990_000), (" 10 ", 2, 1_000), (".5", 1, 5), ("0007", 0, 7), ("1.500000", 1, 15), ("0.000", 0, 0)],
)
def test_amounts_as_people_type_them(text: str, exponent: int, expected: int) -> None:
    assert parse_units(text, exponent) == expected


@pytest.mark.parametrize(
    "text", ["", ".", "1.", "-1", "+1", "1e6", "1,000", "1_000", "0x10", "٣", "1.2.3", "nan", "1 000", "½", "²"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(AmountInvalid, match="allowed is a decimal number"):
        parse_units(text, 6)


def test_nothing_is_rounded_when_it_is_typed() -> None:
    with pytest.raises(AmountInvalid, match="found 3 digits behind the point"):
        parse_units("1.005", 2)


def test_an_amount_is_below_two_to_the_256() -> None:
    assert parse_units("0" * 5_000 + str(UINT256_MAX), 0) == UINT256_MAX
    assert parse_units("1." + "0" * 5_000, 6) == 10**6
    for text in (str(UINT256_MAX + 1), "9" * 79, "9" * 5_000, "1." + "1" * 5_000):
        with pytest.raises(AmountInvalid) as caught:
            parse_units(text, 0 if "." not in text else 6_000)
        assert "no token holds more than" in str(caught.value)
        assert len(str(caught.value)) < 300
    with pytest.raises(AmountInvalid) as caught:
        parse_units("1." + "1" * 5_000, 6)
    assert len(str(caught.value)) < 300


@given(units, units)
def test_sums_and_differences_are_exact(first: int, second: int) -> None:
    a, b = Amount(first, USDC), Amount(second, USDC)
    assert (a + b - b, a - b + b, (a < b), (a <= b)) == (a, a, first < second, first <= second)
    assert -a + a == Amount(0, USDC)


def test_two_assets_never_meet_in_one_sum() -> None:
    ours, theirs = Amount(1, USDC), Amount(1, Token(10, USDC.address, "USDC", 6))  # the same token on another chain
    for operation in (ours.__add__, ours.__sub__, ours.__lt__, ours.__le__):
        with pytest.raises(AssetMismatch, match="convert one of them first"):
            operation(theirs)
    assert ours != theirs
    assert Amount(1, USD) != Amount(1, currency("EUR"))


@given(units, weights)
def test_parts_add_up_and_lie_within_a_unit_of_their_share_E38(number: int, shares: list[int]) -> None:
    parts = split_units(number, shares)
    assert sum(parts) == number
    assert Amount(number, USDC).split(shares) == [Amount(part, USDC) for part in parts]
    for part, share in zip(parts, shares, strict=True):
        assert abs(part - Fraction(number * share, sum(shares))) < 1
        assert share > 0 or part == 0


@given(st.integers(0, 10**30), weights)
def test_of_equal_remainders_the_earlier_part_gets_the_unit_E33(number: int, shares: list[int]) -> None:
    parts = split_units(number, [1] * len(shares))
    assert parts == sorted(parts, reverse=True)
    assert parts[0] - parts[-1] in {0, 1}


@pytest.mark.parametrize("shares", [[], [0], [0, 0], [1, -1], [3, -1]])
def test_weights_that_divide_nothing_are_refused(shares: list[int]) -> None:
    with pytest.raises(AmountInvalid, match="non-negative ones with a positive sum"):
        split_units(10, shares)


def test_currencies_have_the_digits_of_iso_4217() -> None:
    assert [currency(code).exponent for code in ("USD", "JPY", "KWD", "CLF", "XXX")] == [2, 0, 3, 4, 2]
    assert currency("EUR").symbol == "EUR"
