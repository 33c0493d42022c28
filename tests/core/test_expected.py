"""What becomes of money at a deposit address: exact, short, over, late, twice, in another token, and not expected."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.expected import (
    Deposit,
    DepositStatus,
    Expected,
    Returned,
    Taken,
    Treatment,
    give_back,
    require_sound,
    status_of,
    take,
)
from tallystick.errors import InputError

RECEIVER, ADDRESS, TOKEN, OTHER = ("0x" + digit * 40 for digit in "1234")
INVOICE = b"INV-1".ljust(32, b"\0")
DUE, DEADLINE = 25_000_000, 1_000


def expected(*, tolerance: int = 0, deadline: int | None = DEADLINE, due: int = DUE) -> Expected:
    return Expected(RECEIVER, INVOICE, ADDRESS, TOKEN, due, deadline, tolerance, "TKN", 6, 0)


def nothing(token: str = TOKEN) -> Deposit:
    return Deposit(RECEIVER, INVOICE, token)


def test_exactly_what_is_due_pays_the_invoice() -> None:
    after, taken = take(expected(), nothing(), DUE, DEADLINE - 1)
    assert taken == Taken(Treatment.COUNTED, DUE, 0, paid_units=DUE, waived_units=0)
    assert (after.advance_units, after.credit_units, after.is_paid) == (0, 0, True)


def test_too_little_is_an_advance_until_the_rest_comes() -> None:
    first, taken = take(expected(), nothing(), DUE - 1, 0)
    assert taken == Taken(Treatment.COUNTED, DUE - 1, 0)
    assert (first.advance_units, first.is_paid) == (DUE - 1, False)
    second, taken = take(expected(), first, 1, DEADLINE - 1)
    assert taken == Taken(Treatment.COUNTED, 1, 0, paid_units=DUE, waived_units=0)
    assert (second.advance_units, second.received_units, second.is_paid) == (0, DUE, True)


def test_what_is_too_much_is_the_customers_credit() -> None:
    after, taken = take(expected(), nothing(), DUE + 7, 0)
    assert taken == Taken(Treatment.OVER, DUE, 7, paid_units=DUE, waived_units=0)
    assert after.credit_units == 7


@pytest.mark.parametrize(("units", "is_paid"), [(DUE - 50, True), (DUE - 51, False), (DUE, True)])
def test_no_more_than_the_tolerance_may_be_lacking(units: int, is_paid: bool) -> None:
    after, taken = take(expected(tolerance=50), nothing(), units, 0)
    assert (after.is_paid, after.waived_units) == (is_paid, DUE - units if is_paid else None)
    assert taken.paid_units == (units if is_paid else None)


def test_what_comes_at_the_deadline_or_later_is_late() -> None:
    after, taken = take(expected(), nothing(), DUE, DEADLINE)
    assert taken == Taken(Treatment.LATE, 0, DUE)
    assert (after.credit_units, after.is_paid) == (DUE, False)
    assert take(expected(deadline=None), nothing(), DUE, 2**40)[1].treatment is Treatment.COUNTED


def test_what_comes_again_is_credit() -> None:
    paid, _ = take(expected(), nothing(), DUE, 0)
    again, taken = take(expected(), paid, DUE, 1)
    assert (taken, again.credit_units) == (Taken(Treatment.AGAIN, 0, DUE), DUE)


def test_another_token_is_credit_in_that_token() -> None:
    after, taken = take(expected(), nothing(OTHER), DUE, 0)
    assert (taken, after.token, after.credit_units) == (Taken(Treatment.FOREIGN, 0, DUE), OTHER, DUE)


def test_what_nobody_expected_is_credit() -> None:
    after, taken = take(None, nothing(), DUE, 0)
    assert (taken, after.credit_units) == (Taken(Treatment.UNEXPECTED, 0, DUE), DUE)


def test_what_is_given_back_is_credit_first_then_advance_then_of_what_was_sold() -> None:
    deposit = nothing()._replace(credit_units=5, advance_units=3)
    assert give_back(deposit, 4) == (deposit._replace(credit_units=1), Returned(4, 0, 0))
    assert give_back(deposit, 7)[1] == Returned(5, 2, 0)
    assert give_back(deposit, 10) == (deposit._replace(credit_units=0, advance_units=0), Returned(5, 3, 2))


@pytest.mark.parametrize(
    ("received", "time", "status"),
    [
        (0, 0, DepositStatus.OPEN),
        (1, 0, DepositStatus.PARTIAL),
        (DUE, 0, DepositStatus.PAID),
        (DUE, DEADLINE, DepositStatus.PAID),
        (1, DEADLINE, DepositStatus.EXPIRED),
        (0, DEADLINE, DepositStatus.EXPIRED),
    ],
)
def test_where_it_stands(received: int, time: int, status: DepositStatus) -> None:
    deposit = take(expected(), nothing(), received, 0)[0] if received else None
    assert status_of(expected(), deposit, time) is status


@pytest.mark.parametrize(("amount", "tolerance"), [(0, 0), (-1, 0), (2**256, 0), (5, 5), (5, -1), (5, 6)])
def test_what_cannot_be_expected_is_refused(amount: int, tolerance: int) -> None:
    with pytest.raises(InputError, match="allowed"):
        require_sound(amount, tolerance)


@given(
    st.integers(1, 100),
    st.integers(0, 99),
    st.lists(st.tuples(st.integers(1, 120), st.integers(0, 20), st.booleans()), max_size=12),
)
def test_what_came_in_is_income_advance_credit_or_given_back(
    due: int, tolerance: int, moves: list[tuple[int, int, bool]]
) -> None:
    """Whatever comes when, and is given back when: no unit is lost, the invoice is paid once, and no more counts for it
    than was due."""
    wanted = expected(tolerance=min(tolerance, due - 1), deadline=10, due=due)
    deposit, income, back, payments, time = nothing(), 0, 0, 0, 0
    for units, later, is_refund in moves:
        time += later
        if is_refund:
            deposit, returned = give_back(deposit, units)
            back += returned.credit_units + returned.advance_units
            assert units == sum(returned)
            continue
        deposit, taken = take(wanted, deposit, units, time)
        assert units == taken.counted_units + taken.credited_units
        assert not (taken.counted_units and time >= 10)
        if taken.paid_units is not None and taken.waived_units is not None:
            payments += 1
            income += taken.paid_units
            assert taken.paid_units + taken.waived_units == due
            assert taken.waived_units <= wanted.tolerance_units
    assert payments == deposit.is_paid
    assert deposit.received_units == income + deposit.advance_units + deposit.credit_units + back
