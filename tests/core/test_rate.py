"""Rates: exact, worked out of their evidence alone, and read whole from files or not at all."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.money import Amount, Token, currency
from tallystick.core.rate import (
    Evidence,
    FeedAnswer,
    FeedEvidence,
    FileEvidence,
    ParEvidence,
    Rate,
    fraction_of,
    parse_evidence,
    rendered,
)
from tallystick.core.rate_file import HOLDS_DAYS, parse_rates
from tallystick.errors import InputError

TOKEN = Token(1, "0x" + "1" * 40, "USDC", 6)
DAY = 86_400
ANSWERS = st.builds(
    FeedAnswer,
    st.just("0x" + "2" * 40),
    st.text(max_size=20),
    st.integers(0, 18),
    st.integers(0, 2**80 - 1),
    st.integers(1, 2**96 - 1),
    st.integers(0, 2**40),
)
FEEDS = st.builds(
    FeedEvidence,
    st.just(1),
    st.integers(0, 2**40),
    st.just("0x12"),
    st.integers(0, 2**40),
    st.none() | ANSWERS,
    ANSWERS,
)
FILES = st.builds(
    FileEvidence, st.just("ecb.csv"), st.just("ab"), st.integers(1, 9), st.just("USDC"), st.just("2027-01-31"),
    st.decimals("0.000001", "9999", places=6).map(str),
)  # fmt: skip
EVIDENCE = FEEDS | FILES | st.builds(ParEvidence, st.integers(0, 2**40))


@given(EVIDENCE)
def test_evidence_survives_its_text_and_gives_the_same_rate(evidence: Evidence) -> None:
    again = parse_evidence(rendered(evidence))
    assert again == evidence
    assert fraction_of(again) == fraction_of(evidence) > 0
    assert rendered(again) == rendered(evidence)


@given(EVIDENCE, st.integers(0, 2**96), st.integers(0, 18), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_a_value_is_exact_to_half_a_minor_unit(evidence: Evidence, units: int, decimals: int, code: str) -> None:
    token, into = Token(1, TOKEN.address, "T", decimals), currency(code)
    value = Rate(token.address, code, evidence).value(Amount(units, token), into)
    exact = Fraction(units, 10**decimals) * fraction_of(evidence) * 10**into.exponent
    assert abs(value.units - exact) <= Fraction(1, 2)
    if abs(value.units - exact) == Fraction(1, 2):
        assert value.units % 2 == 0


def test_two_feeds_make_a_cross_rate() -> None:
    usdc = FeedAnswer("0xA", "USDC / USD", 8, 1, 99_987_654, 5)
    eur = FeedAnswer("0xB", "EUR / USD", 8, 2, 108_345_000, 5)
    rate = Rate(TOKEN.address, "EUR", FeedEvidence(1, 9, "0x12", 7, usdc, eur))
    assert rate.fraction == Fraction(99_987_654, 108_345_000)
    assert rate.value(Amount(100_000_000, TOKEN), currency("EUR")).decimal_text == "92.29"
    assert fraction_of(FeedEvidence(1, 9, "0x12", 7, usdc, None)) == Fraction(99_987_654, 10**8)
    with pytest.raises(InputError, match="this is a rate of"):
        rate.value(Amount(1, TOKEN), currency("USD"))


@pytest.mark.parametrize("text", ["", "{}", '{"kind":"file"}', '{"kind":"par","from_block":-1}', "[1]"])
def test_what_is_no_evidence_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_evidence(text)


def test_evidence_of_a_feed_that_said_nothing_above_zero_is_refused() -> None:
    good = rendered(FeedEvidence(1, 9, "0x12", 7, FeedAnswer("0xA", "", 8, 1, 5, 5), None))
    assert fraction_of(parse_evidence(good)) > 0
    with pytest.raises(InputError):
        parse_evidence(good.replace('"answer":5', '"answer":0'))


# --- Files ------------------------------------------------------------------------------------------------------------

CSV = "date,asset,currency,rate\n2027-01-29,USDC,EUR,0.9234\n2027-02-01,USDC,EUR,0.92\n2027-01-29,EURC,EUR,1\n"
RECORDS = [
    {"date": "2027-01-29", "asset": "USDC", "currency": "EUR", "rate": "0.9234"},
    {"date": "2027-02-01", "asset": "USDC", "currency": "EUR", "rate": "0.92"},
]
FRIDAY = 1_801_180_800  # 2027-01-29 00:00:00 UTC


def test_a_rate_is_of_a_day_and_holds_until_the_next_one() -> None:
    file = parse_rates(CSV.encode(), "ecb.csv")
    for time, line in ((FRIDAY, 2), (FRIDAY + DAY - 1, 2), (FRIDAY + 2 * DAY, 2), (FRIDAY + 3 * DAY, 3)):
        found = file.at("USDC", "EUR", time)
        assert (found.line, found.file, found.sha256) == (line, "ecb.csv", file.sha256)
    assert file.at("USDC", "EUR", FRIDAY).rate == "0.9234"


@pytest.mark.parametrize("time", [FRIDAY - 1, FRIDAY + (3 + HOLDS_DAYS) * DAY], ids=["before", "long after"])
def test_of_other_days_a_file_says_nothing(time: int) -> None:
    with pytest.raises(InputError, match="has no rate of USDC in EUR for"):
        parse_rates(CSV.encode(), "ecb.csv").at("USDC", "EUR", time)


def test_json_is_as_good_and_its_lines_are_told_too() -> None:
    file = parse_rates(json.dumps(RECORDS, indent=0).encode(), "ecb.json")
    assert file.at("USDC", "EUR", FRIDAY).line == 2
    assert file.at("USDC", "EUR", FRIDAY + 3 * DAY).line == 8
    plain = '[{"date":"2027-01-29","asset":"USDC","currency":"EUR","rate":0.92340000000000001}]'
    assert parse_rates(plain.encode(), "x").at("USDC", "EUR", FRIDAY).rate == "0.92340000000000001", "never a float"


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        (CSV + "2027-02-01,USDC,EUR,0.93\n", 5, "already"),
        (CSV + "2027-02-02,USDC,EUR,0\n", 5, "above 0"),
        (CSV + "2027-02-02,USDC,EUR,-1\n", 5, "above 0"),
        (CSV + "2027-02-02,USDC,EUR,1e3\n", 5, "above 0"),
        (CSV + "02.02.2027,USDC,EUR,1\n", 5, "for a day"),
        (CSV + "2027-02-02,USDC,eur,1\n", 5, "capital letters"),
        (CSV + "2027-02-02,USDC,EUR\n", 5, "allowed are"),
        (CSV + "2027-02-02,USDC,EUR,1,2\n", 5, "allowed are"),
        ("day,asset,currency,rate\n2027-02-02,USDC,EUR,1\n", 2, "allowed are"),
        ('[{"date":"2027-01-29"}]', 1, "allowed are"),
        ('[\n{"date":"2027-01-29",\n"asset" "USDC"}]', 3, "no JSON"),
        ("[1]", 1, "allowed are objects"),
        ("[\n{}", 2, "allowed are"),
        (json.dumps(RECORDS) + "x", 1, "behind"),
        (json.dumps(RECORDS)[:-1], 1, "no JSON"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named_and_nothing_of_the_file_is_taken(text: str, line: int, why: str) -> None:
    with pytest.raises(InputError, match=why) as refused:
        parse_rates(text.encode(), "ecb.csv")
    assert f"ecb.csv, line {line}:" in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"date,asset,currency,rate\n", b"[]", b"\xff\xfe"])
def test_a_file_without_rates_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"ecb\.csv"):
        parse_rates(content, "ecb.csv")


@given(st.lists(st.tuples(st.dates(), st.decimals("0.0001", "9999", places=4)), min_size=1, max_size=20))
def test_what_a_file_says_is_what_was_written(rows: list[tuple[object, Decimal]]) -> None:
    unique = dict(rows)
    text = "rate,date,currency,asset\n" + "".join(f"{rate},{day},EUR,USDC\n" for day, rate in unique.items())
    file = parse_rates(text.encode(), "x.csv")
    assert {(row.date, row.rate) for row in file.rows["USDC", "EUR"]} == {(d, str(r)) for d, r in unique.items()}
