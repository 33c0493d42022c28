"""What a merchant expects at a deposit address, and what becomes of the money that comes there.

A transfer says nothing of what it is for: the address says for which invoice it is, and the merchant what was expected.
In time and in the expected token, money counts for the invoice until that is paid, or lacks no more than the merchant
lets be lacking (the tolerance). All other money is the customer's, and the merchant owes it back: what is too much, too
late, sent again or in another token.

    what came in = what counts as income + what is kept as an advance + what is owed as credit
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from tallystick.core.money import UINT256_MAX
from tallystick.errors import InputError


class Expected(NamedTuple):
    """What a merchant, the `receiver`, expects for an invoice at its deposit address: base units of a token, before a
    time in Unix seconds (None: whenever). So many `tolerance_units` may be lacking. `symbol` and `decimals` are the
    token's, as the merchant saw them. `from_block` is the first block in which transfers to the address are seen."""

    receiver: str
    invoice: bytes
    address: str
    token: str
    amount_units: int
    valid_before: int | None
    tolerance_units: int
    symbol: str
    decimals: int
    from_block: int


class Deposit(NamedTuple):
    """What came for an invoice in one token, in base units. `token` is the zero address for the chain's own currency.

    `standing_units` are at the address and not swept yet. `advance_units` count for the invoice as long as it is not
    paid, `credit_units` are owed to the customer. `waived_units` is what was lacking when the invoice was paid; None:
    it is not, or not in this token.
    """

    receiver: str
    invoice: bytes
    token: str
    received_units: int = 0
    standing_units: int = 0
    advance_units: int = 0
    credit_units: int = 0
    waived_units: int | None = None

    @property
    def is_paid(self) -> bool:
        """Whether the invoice is."""
        return self.waived_units is not None


class Treatment(Enum):
    """How money was taken: in part or in whole for the invoice, or all of it as credit, and then why."""

    COUNTED = "counted"
    OVER = "too much"
    LATE = "too late"
    AGAIN = "paid before"
    FOREIGN = "another token"
    UNEXPECTED = "not expected"


class Taken(NamedTuple):
    """What became of money that came in: `units = counted_units + credited_units`. Where it paid the invoice,
    `paid_units` is what it was paid with in all and `waived_units` what was lacking; else both are None."""

    treatment: Treatment
    counted_units: int
    credited_units: int
    paid_units: int | None = None
    waived_units: int | None = None


class Returned(NamedTuple):
    """Of what was given back for an invoice, what came out of the customer's credit and out of advances; what is left
    is of what was sold."""

    credit_units: int
    advance_units: int
    rest_units: int


def require_sound(amount_units: int, tolerance_units: int) -> None:
    """Raises InputError for what cannot be expected."""
    if not 0 < amount_units <= UINT256_MAX:
        raise InputError(f"found {amount_units} units to expect, allowed are 1 to 2^256 - 1: name another amount")
    if not 0 <= tolerance_units < amount_units:
        raise InputError(
            f"found a tolerance of {tolerance_units} units, allowed is less than the amount, {amount_units}: lower it"
        )


def take(expected: Expected | None, deposit: Deposit, units: int, time: int) -> tuple[Deposit, Taken]:
    """The deposit after so many units came in at a time, and what became of them."""
    treatment = _treatment(expected, deposit, time)
    before = deposit.advance_units
    counted = 0
    if treatment is Treatment.COUNTED and expected is not None:
        counted = min(units, expected.amount_units - before)
        if counted < units:
            treatment = Treatment.OVER
    credited = units - counted
    after = deposit._replace(
        received_units=deposit.received_units + units,
        advance_units=before + counted,
        credit_units=deposit.credit_units + credited,
    )
    if not counted or expected is None or after.advance_units < expected.amount_units - expected.tolerance_units:
        return after, Taken(treatment, counted, credited)
    waived = expected.amount_units - after.advance_units
    paid = after._replace(advance_units=0, waived_units=waived)
    return paid, Taken(treatment, counted, credited, after.advance_units, waived)


def _treatment(expected: Expected | None, deposit: Deposit, time: int) -> Treatment:
    if expected is None:
        return Treatment.UNEXPECTED
    if deposit.token != expected.token:
        return Treatment.FOREIGN
    if deposit.is_paid:
        return Treatment.AGAIN
    if expected.valid_before is not None and time >= expected.valid_before:
        return Treatment.LATE
    return Treatment.COUNTED


def give_back(deposit: Deposit, units: int) -> tuple[Deposit, Returned]:
    """The deposit after so many units were given back: of the credit first, then of advances."""
    credit = min(units, deposit.credit_units)
    advance = min(units - credit, deposit.advance_units)
    after = deposit._replace(credit_units=deposit.credit_units - credit, advance_units=deposit.advance_units - advance)
    return after, Returned(credit, advance, units - credit - advance)


class DepositStatus(Enum):
    """Where an expectation stands."""

    OPEN = "open"
    """Nothing that counts has come."""
    PARTIAL = "partly paid"
    PAID = "paid"
    EXPIRED = "expired"
    """It was not paid in time. What came in time is an advance still, to be given back."""


def status_of(expected: Expected, deposit: Deposit | None, time: int) -> DepositStatus:
    """Where it stands at a time; `deposit` is that in the expected token."""
    if deposit is not None and deposit.is_paid:
        return DepositStatus.PAID
    if expected.valid_before is not None and time >= expected.valid_before:
        return DepositStatus.EXPIRED
    return DepositStatus.PARTIAL if deposit is not None and deposit.advance_units else DepositStatus.OPEN
