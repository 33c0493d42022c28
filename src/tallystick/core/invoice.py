"""Invoices and credit notes: what a charge or a refund looks like on paper.

A charge is paid in the moment in which it happens, so its invoice is either pending (its block can still be reorganised
away: no number yet) or final and paid. Numbers are given at finality only, without gaps, one series for each payee and
kind.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tallystick.core.change import Quote
from tallystick.core.events import Charged, Origin, Refunded
from tallystick.core.period import Period
from tallystick.core.plan import PlanTerms


class Kind(StrEnum):
    """An invoice for a charge, a credit note for a refund."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class Line(NamedTuple):
    """One line: a whole quantity at a price in base units of the invoice's token. The line of a credit is negative."""

    description: str
    quantity: int
    price_units: int
    amount_units: int


class FiatValue(NamedTuple):
    """What an amount was worth when it moved, in minor units of a currency of ISO 4217, and how one knows."""

    currency: str
    units: int
    evidence: str


class Usage(NamedTuple):
    """What a charge of usage is for: so many units of usage, listed in the merchant's document with this hash."""

    quantity: int
    usage_hash: bytes


class QuotedPrice(NamedTuple):
    """A period's price in units of the plan's quoter, what that was in units of the token, and the quoter's address."""

    price_units: int
    amount_units: int
    quoter: str


class Parts(NamedTuple):
    """Of what a charge is made: what credit paid and a discount took off, the price that was quoted, and who paid in
    the payer's place. `change` says so where it was made by a change of plan or seats at once, `usage` what it is for
    where it was made for usage, `payment_id` in which payment the escrow holds it where it is protected."""

    credit_units: int = 0
    discount_units: int = 0
    quoted: QuotedPrice | None = None
    paid_by: str | None = None
    change: Quote | None = None
    usage: Usage | None = None
    payment_id: bytes | None = None


PLAIN = Parts()


class Invoice(NamedTuple):
    """An invoice or a credit note. `number` is None while its block is not final.

    Amounts are base units of `token`, times Unix seconds, the period is [period_start, period_end). A credit note has
    the period and charge number of the charge that it corrects, and that charge's invoice number in `corrects`. The
    lines add up to the total, which is what was paid: 0 where credit paid all of it. `usage` is None unless it is the
    invoice of a charge of usage, `quoted` unless its price was quoted, `paid_by` unless another wallet paid in the
    payer's place, `beneficiary` unless it serves somebody else than the payer. Payee and payer of a credit note are who
    gave the money back, and who got it. `payment_id` is None unless the escrow holds what was paid, for the buyer's
    protection: then the payee has it when it was captured there.
    """

    kind: Kind
    number: int | None
    payee: str
    payer: str
    token: str
    subscription_id: int
    plan_id: int
    charge_number: int
    period_start: int
    period_end: int
    total_units: int
    lines: tuple[Line, ...]
    fiat: FiatValue | None
    corrects: int | None
    origin: Origin
    usage: Usage | None = None
    quoted: QuotedPrice | None = None
    paid_by: str | None = None
    beneficiary: str | None = None
    payment_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class Peg:
    """A token that its merchant declares to be worth a currency at par."""

    token_symbol: str
    token_decimals: int
    currency: str
    currency_exponent: int

    def value(self, units: int) -> FiatValue:
        """The amount in the currency at par, rounded half to even to its minor unit where the token has more digits."""
        evidence = f"par: 1 {self.token_symbol} = 1 {self.currency}, declared by the merchant"
        shift = self.currency_exponent - self.token_decimals
        if shift >= 0:
            return FiatValue(self.currency, units * 10**shift, evidence)
        whole, rest = divmod(units, 10**-shift)
        half = 10**-shift // 2
        rounded = whole + (rest > half or (rest == half and whole % 2 == 1))
        return FiatValue(self.currency, rounded, evidence)


def invoice_for(
    event: Charged,
    origin: Origin,
    *,
    number: int | None,
    payer: str,
    plan_id: int,
    terms: PlanTerms,
    peg: Peg | None,
    seats: int = 0,
    beneficiary: str | None = None,
    parts: Parts = PLAIN,
) -> Invoice:
    """The invoice of a charge.

    `plan_id`, `terms` and `seats` are those under which it was made: where a change made it, those it changed to.
    """
    units, change, usage = event.amount_units, parts.change, parts.usage
    if usage:  # one line, because its amount need not be a whole price for each unit
        unit = "unit" if usage.quantity == 1 else "units"
        lines: tuple[Line, ...] = (Line(f"Plan {plan_id}, {usage.quantity:,} {unit} of usage", 1, units, units),)
    elif change and not change.restarts:
        charged = change.charged_units
        lines = (Line(f"Change to {_seated(f'plan {plan_id}', seats)}, rest of the period", 1, charged, charged),)
    else:
        lines = _period_lines(event, f"{'Change to plan' if change else 'Plan'} {plan_id}", terms, seats, parts)
    if parts.discount_units:
        lines += (Line("Discount by coupon", 1, -parts.discount_units, -parts.discount_units),)
    if parts.credit_units:
        lines += (Line("Credit from a change of plan", 1, -parts.credit_units, -parts.credit_units),)
    return Invoice(
        Kind.INVOICE,
        number,
        terms.payee,
        payer,
        terms.token,
        event.subscription_id,
        plan_id,
        event.charge_number,
        event.period_start,
        event.period_end,
        units,
        lines,
        peg.value(units) if peg else None,
        None,
        origin,
        usage,
        parts.quoted,
        parts.paid_by,
        beneficiary,
        parts.payment_id,
    )


def _period_lines(event: Charged, plan: str, terms: PlanTerms, seats: int, parts: Parts) -> tuple[Line, ...]:
    """A period: what the plan costs, then its seats. A part of one, and a quoted price, are of both together."""
    word, price, seat_price = period_word(terms.period), terms.price_units, terms.seat_price_units
    is_stub = terms.is_stub(event.period_start, event.period_end)
    if is_stub or parts.quoted:
        units = event.amount_units + parts.credit_units + parts.discount_units
        what = f"{_seated(plan, seats)}, {'part of one' if is_stub else 'one'} {word}"
        return (Line(f"{what}, as quoted" if parts.quoted else what, 1, units, units),)
    if not seats:
        return (Line(f"{plan}, one {word}", 1, price, price),)
    seat_line = Line(f"{plan}, seats for one {word}", seats, seat_price, seats * seat_price)
    if not price:
        return (seat_line,)
    return Line(f"{plan}, one {word}", 1, price, price), seat_line


def _seated(plan: str, seats: int) -> str:
    return f"{plan} with {seats} seat{'s' if seats > 1 else ''}" if seats else plan


def credit_note_for(
    event: Refunded,
    origin: Origin,
    charge: Invoice,
    *,
    payee: str,
    payer: str,
    number: int | None,
    peg: Peg | None,
) -> Invoice:
    """The credit note of a refund from `payee` to `payer`, who may be others by now than those of `charge`, the invoice
    that it corrects."""
    units = event.amount_units
    line = Line(f"Refund of charge {event.charge_number}, plan {charge.plan_id}", 1, units, units)
    return charge._replace(
        kind=Kind.CREDIT_NOTE,
        number=number,
        payee=payee,
        payer=payer,
        total_units=units,
        lines=(line,),
        fiat=peg.value(units) if peg else None,
        corrects=charge.number,
        origin=origin,
        usage=None,
        quoted=None,
        paid_by=None,
        payment_id=None,
    )


@functools.lru_cache(maxsize=1_024)
def period_word(period: Period) -> str:
    """How a line names the period: `month`, `period of 30 seconds`."""
    return str(period) if period.every == 1 else f"period of {period}"
