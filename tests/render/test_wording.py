"""Amounts are written exactly, whatever the token; times say that they are UTC; text of others does no harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.money import UINT256_MAX, Amount, Currency, Token
from tallystick.render.wording import (
    amount_text,
    decimals_needed,
    iso_text,
    money_text,
    period_text,
    printable,
    time_text,
)

UNITS = st.integers(-UINT256_MAX, UINT256_MAX)
DECIMALS = st.integers(0, 24)
AT = 1_795_292_525  # 21 November 2026, 20:22:05 UTC
DAY = 86_400


def units_of(text: str, exponent: int) -> int:
    """Reads an amount back, without any arithmetic on fractions."""
    whole, _, fraction = text.replace(",", "").partition(".")
    assert len(fraction) <= exponent
    return int(whole + fraction.ljust(exponent, "0"))


@given(UNITS, DECIMALS)
def test_E04_an_amount_with_0_to_24_decimals_is_written_exactly(units: int, exponent: int) -> None:
    assert units_of(amount_text(units, exponent), exponent) == units


@given(UNITS, DECIMALS, st.integers(0, 30))
def test_more_digits_change_nothing_but_the_zeros(units: int, exponent: int, decimals: int) -> None:
    text = amount_text(units, exponent, decimals)
    assert units_of(text, exponent) == units
    assert len(text.partition(".")[2]) >= min(decimals, exponent)


@given(st.lists(UNITS, min_size=1), DECIMALS)
def test_a_column_has_one_number_of_digits_and_no_more_than_it_needs(amounts: list[int], exponent: int) -> None:
    decimals = decimals_needed(amounts, exponent)
    texts = [amount_text(units, exponent, decimals) for units in amounts]
    assert {len(text.partition(".")[2]) for text in texts} == {decimals}
    assert decimals <= max(2, *(len(amount_text(units, exponent).partition(".")[2]) for units in amounts))


@pytest.mark.parametrize(
    ("units", "exponent", "text"),
    [
        (0, 0, "0"),
        (0, 6, "0.00"),
        (1, 6, "0.000001"),
        (9_990_000, 6, "9.99"),
        (9_000_000, 6, "9.00"),
        (9_100_000, 6, "9.10"),
        (1_234_567_890_000, 6, "1,234,567.89"),
        (-12_500_000, 6, "-12.50"),
        (-1, 6, "-0.000001"),
        (5, 1, "0.5"),
        (1_234, 0, "1,234"),
        (10**18, 18, "1.00"),
        (10**18 + 1, 18, "1.000000000000000001"),
        (UINT256_MAX, 0, f"{UINT256_MAX:,}"),
    ],
)
def test_amounts_as_people_write_them(units: int, exponent: int, text: str) -> None:
    assert amount_text(units, exponent) == text


def test_money_names_its_asset() -> None:
    token = Token(1, "0x6B175474E89094C44Da98b954EedeAC495271d0F", "DAI\x00\u202e", 18)
    assert money_text(Amount(5 * 10**17, token)) == "0.50 DAI□"
    assert money_text(Amount(1_250, Currency("JPY", 0))) == "1,250 JPY"


def test_times_are_utc() -> None:
    assert time_text(AT) == "21 November 2026, 20:22:05 UTC"
    assert iso_text(AT) == "2026-11-21T20:22:05Z"
    assert iso_text(0) == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (30, "21 Nov 2026, 20:22:05 – 20:22:35 UTC"),
        (4 * 3600, "21 Nov 2026, 20:22:05 – 22 Nov 2026, 00:22:05 UTC"),
        (DAY - 1, "21 Nov 2026, 20:22:05 – 22 Nov 2026, 20:22:04 UTC"),
        (DAY, "21 Nov 2026, 20:22 – 22 Nov 2026, 20:22 UTC"),
        (30 * DAY, "21 Nov 2026, 20:22 – 21 Dec 2026, 20:22 UTC"),
        (100 * 365 * DAY, "21 Nov 2026, 20:22 – 28 Oct 2126, 20:22 UTC"),
    ],
)
def test_a_period_says_where_it_starts_and_ends(seconds: int, text: str) -> None:
    assert period_text(AT, AT + seconds) == text


def test_what_has_no_shape_or_turns_the_text_around_is_taken_out() -> None:
    assert printable("a\nb\r\tc") == "a b  c"
    assert printable("\x00\x1b[31m") == "□□[31m"
    assert printable("100 \u202eCDSU 00.1") == "100 CDSU 00.1"
    assert printable("\ud800\ue000\ufdd0\U0010ffff") == "□□□□"
    assert printable("Đà Nẵng · 北京 · שלום · 👩‍💻") == "Đà Nẵng · 北京 · שלום · 👩‍💻"


@given(st.text())
def test_printable_text_is_one_line_and_stays_as_it_is(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert printable(shown) == shown
    shown.encode()  # raises where a lone surrogate is left
