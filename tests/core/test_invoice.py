"""Invoices and credit notes: fiat values at par rounded once, half to even; a note corrects its invoice."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.change import Quote
from tallystick.core.events import Charged, Origin, Refunded
from tallystick.core.invoice import Kind, Parts, Peg, QuotedPrice, Usage, credit_note_for, invoice_for, period_word
from tallystick.core.money import UINT256_MAX
from tallystick.core.period import Period, Unit
from tallystick.core.plan import PlanTerms

PAYEE, PAYER, TOKEN, OTHER, QUOTER = ("0x" + digit * 40 for digit in "12345")
JANUARY, MID_JANUARY, FEBRUARY = 1_767_225_600, 1_768_564_800, 1_769_904_000
TERMS = PlanTerms(PAYEE, 9_990_000, TOKEN, 1, Unit.MONTH)
USD = Peg("USDC", 6, "USD", 2)


def peg(decimals: int, exponent: int) -> Peg:
    return Peg("T", decimals, "XTS", exponent)


@pytest.mark.parametrize(
    ("units", "expected"),
    [(9_990_000, 999), (9_995_000, 1000), (9_985_000, 998), (9_985_001, 999), (9_984_999, 998), (4_999, 0), (5_001, 1)],
)
def test_half_a_cent_goes_to_the_even_one(units: int, expected: int) -> None:
    assert USD.value(units).units == expected


@given(st.integers(0, UINT256_MAX), st.integers(0, 77), st.integers(0, 4))
def test_the_value_at_par_is_the_amount_rounded_half_to_even(units: int, decimals: int, exponent: int) -> None:
    value = peg(decimals, exponent).value(units)
    with localcontext(prec=200):
        exact = Decimal(units).scaleb(exponent - decimals)
        assert value.units == int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def test_a_value_says_how_one_knows_it() -> None:
    value = USD.value(1)
    assert (value.currency, value.evidence) == ("USD", "par: 1 USDC = 1 USD, declared by the merchant")


def test_an_invoice_and_its_credit_note() -> None:
    charged, origin = Charged(7, 2, 100, 200, 9_990_000), Origin(5, b"b" * 32, 150, b"t" * 32, 3)
    invoice = invoice_for(charged, origin, number=4, payer=PAYER, plan_id=3, terms=TERMS, peg=USD)
    assert (invoice.kind, invoice.number, invoice.payee, invoice.payer) == (Kind.INVOICE, 4, PAYEE, PAYER)
    assert (invoice.period_start, invoice.period_end, invoice.total_units) == (100, 200, 9_990_000)
    assert [line.amount_units for line in invoice.lines] == [invoice.total_units]
    assert invoice.lines[0].description == "Plan 3, one month"
    assert invoice.corrects is None

    later = origin._replace(block_number=9)
    note = credit_note_for(Refunded(7, 2, 4_000_000), later, invoice, payee=PAYEE, payer=OTHER, number=1, peg=USD)
    assert (note.kind, note.number, note.corrects, note.origin) == (Kind.CREDIT_NOTE, 1, 4, later)
    assert (note.subscription_id, note.charge_number, note.period_start, note.period_end) == (7, 2, 100, 200)
    assert (note.total_units, [line.amount_units for line in note.lines]) == (4_000_000, [4_000_000])
    assert note.fiat is not None
    assert note.fiat.units == 400


@pytest.mark.parametrize(
    ("quantity", "described"),
    [(1, "1 unit"), (1_250_000, "1,250,000 units"), (2**128 - 1, f"{2**128 - 1:,} units")],
)
def test_usage_is_a_line_over_its_amount(quantity: int, described: str) -> None:
    charged, origin = Charged(7, 2, 100, 200, 7), Origin(5, b"b" * 32, 150, b"t" * 32, 3)
    used = Usage(quantity, b"u" * 32)
    named: dict[str, Any] = {"number": 4, "payer": PAYER, "plan_id": 3, "terms": TERMS, "peg": USD, "seats": 9}
    invoice = invoice_for(charged, origin, parts=Parts(usage=used), **named)
    assert invoice.lines == ((f"Plan 3, {described} of usage", 1, 7, 7),)
    assert (invoice.total_units, invoice.usage) == (7, used)


ORIGIN = Origin(5, b"b" * 32, 150, b"t" * 32, 3)


def lines_of(
    units: int, terms: PlanTerms, seats: int = 0, start: int = JANUARY, **parts: Any
) -> list[tuple[object, ...]]:
    named: dict[str, Any] = {"number": 4, "payer": PAYER, "plan_id": 3, "terms": terms, "peg": USD, "seats": seats}
    charged = Charged(7, 2, start, FEBRUARY, units)
    invoice = invoice_for(charged, ORIGIN, parts=Parts(**parts), **named)
    assert invoice.total_units == units == sum(line.amount_units for line in invoice.lines)
    assert all(line.quantity * line.price_units == line.amount_units for line in invoice.lines)
    return [tuple(line) for line in invoice.lines]


def test_the_lines_of_seats_and_credit() -> None:
    seated = replace(TERMS, seat_price_units=500_000)
    both = [("Plan 3, one month", 1, 9_990_000, 9_990_000), ("Plan 3, seats for one month", 4, 500_000, 2_000_000)]
    assert lines_of(11_990_000, seated, seats=4) == both
    only = replace(TERMS, price_units=0, seat_price_units=500_000, every=2)
    assert lines_of(500_000, only, seats=1) == [("Plan 3, seats for one period of 2 months", 1, 500_000, 500_000)]
    credit = ("Credit from a change of plan", 1, -11_990_000, -11_990_000)
    assert lines_of(0, seated, seats=4, credit_units=11_990_000) == [*both, credit]


def test_the_lines_of_a_change() -> None:
    """For the rest of the period one line, for a new period those of any; each says that it is a change."""
    rest = Quote(1_000, 300, 0, 200, 1, restarts=False)
    credit = ("Credit from a change of plan", 1, -300, -300)
    assert lines_of(700, TERMS, credit_units=300, change=rest) == [
        ("Change to plan 3, rest of the period", 1, 1_000, 1_000),
        credit,
    ]
    for seats, words in ((1, "with 1 seat"), (2, "with 2 seats")):
        (line, _) = lines_of(700, TERMS, seats=seats, credit_units=300, change=rest)
        assert line[0] == f"Change to plan 3 {words}, rest of the period"
    anew = Quote(9_990_000, 300, 0, 200, 1, restarts=True)
    assert lines_of(9_989_700, TERMS, credit_units=300, change=anew) == [
        ("Change to plan 3, one month", 1, 9_990_000, 9_990_000),
        credit,
    ]


def test_what_is_left_of_a_period_is_one_line_for_plan_and_seats() -> None:
    aligned = replace(TERMS, align_to=JANUARY - 31 * 86_400)
    assert lines_of(9_990_000, aligned) == [("Plan 3, one month", 1, 9_990_000, 9_990_000)]
    part = ("Plan 3, part of one month", 1, 4_995_000, 4_995_000)
    assert lines_of(4_995_000, aligned, start=MID_JANUARY) == [part]
    seated = replace(aligned, seat_price_units=500_000)
    anew = Quote(5_000_000, 1, 0, FEBRUARY, 1, restarts=True)
    assert lines_of(4_999_999, seated, 4, MID_JANUARY, credit_units=1, change=anew) == [
        ("Change to plan 3 with 4 seats, part of one month", 1, 5_000_000, 5_000_000),
        ("Credit from a change of plan", 1, -1, -1),
    ]


def test_a_discount_and_a_quoted_price_are_lines() -> None:
    assert lines_of(8_000_000, TERMS, discount_units=1_000_000, credit_units=990_000) == [
        ("Plan 3, one month", 1, 9_990_000, 9_990_000),
        ("Discount by coupon", 1, -1_000_000, -1_000_000),
        ("Credit from a change of plan", 1, -990_000, -990_000),
    ]
    quoted = QuotedPrice(10_490, 11_234_567, QUOTER)
    priced = replace(TERMS, price_units=9_990, seat_price_units=500, quoter=QUOTER)
    assert lines_of(11_234_566, priced, 1, quoted=quoted, discount_units=1) == [
        ("Plan 3 with 1 seat, one month, as quoted", 1, 11_234_567, 11_234_567),
        ("Discount by coupon", 1, -1, -1),
    ]


def test_who_paid_for_whom_and_at_which_price_are_told_beside_the_lines() -> None:
    quoted, event = QuotedPrice(999, 5, QUOTER), Charged(1, 1, 0, 1, 5)
    named: dict[str, Any] = {"number": 1, "payer": PAYER, "plan_id": 1, "terms": TERMS, "peg": None}
    invoice = invoice_for(event, ORIGIN, beneficiary=OTHER, parts=Parts(quoted=quoted, paid_by=QUOTER), **named)
    assert (invoice.payer, invoice.paid_by, invoice.beneficiary, invoice.quoted) == (PAYER, QUOTER, OTHER, quoted)
    note = credit_note_for(Refunded(1, 1, 5), ORIGIN, invoice, payee=PAYEE, payer=OTHER, number=1, peg=None)
    assert (note.payer, note.paid_by, note.beneficiary, note.quoted) == (OTHER, None, OTHER, None)


def test_what_is_pending_or_without_a_currency_says_so() -> None:
    origin = Origin(5, b"b" * 32, 150, b"t" * 32, 3)
    invoice = invoice_for(Charged(1, 1, 0, 1, 5), origin, number=None, payer=PAYER, plan_id=1, terms=TERMS, peg=None)
    note = credit_note_for(Refunded(1, 1, 5), origin, invoice, payee=PAYEE, payer=PAYER, number=None, peg=None)
    assert (invoice.number, invoice.fiat, note.number, note.corrects, note.fiat) == (None, None, None, None, None)


def test_periods_in_words() -> None:
    assert period_word(Period(1, Unit.YEAR)) == "year"
    assert period_word(Period(30, Unit.SECOND)) == "period of 30 seconds"
