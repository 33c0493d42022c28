"""Charges that are made of more than a plan's price: what is told before them must be all of it, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.books import Books, Change
from tallystick.core.events import (
    Cancelled,
    ChangeScheduled,
    Charged,
    ConditionsSet,
    CouponRedeemed,
    CreditUsed,
    Discounted,
    Event,
    FallbackSet,
    Origin,
    PaidByFallback,
    Paused,
    PayeeChanged,
    PayerChanged,
    PlanChanged,
    PlanCreated,
    PriceLowered,
    Quoted,
    Recorded,
    Refunded,
    RegisterOpened,
    Resumed,
    SeatsSet,
    Subscribed,
    UsageCharged,
)
from tallystick.core.period import Period, Unit, anchor_day_of
from tallystick.core.plan import MOST_UNITS, PlanTerms
from tallystick.core.subscription import Discount, Fallback, Limits, Scheduled, Status, Subscription, next_charge
from tallystick.errors import EventsInconsistent

DAY = 86_400
PAYEE, TOKEN, PAYER, OTHER, UNCLE, QUOTER = ("0x" + digit * 40 for digit in "123456")
SMALL = PlanTerms(PAYEE, 3_000, TOKEN, 30, Unit.DAY)
CHEAPER = replace(SMALL, price_units=2_000)
WEEKLY = replace(SMALL, price_units=700, every=7)
ALIGNED = replace(SMALL, align_to=5 * DAY)
QUOTED = replace(SMALL, price_units=10, quoter=QUOTER)
SEATED = replace(SMALL, seat_price_units=500)
METERED = replace(SMALL, usage_cap_units=1_000, usage_price_units=10**6)
HASH = b"c" * 32


class Story:
    """Plans 1 to 7; subscription 1 is to the small one, paid on day 0. Each act in a block."""

    def __init__(self) -> None:
        self.books = Books({}, keep_all=True)
        self.blocks = 0
        terms = (SMALL, CHEAPER, WEEKLY, ALIGNED, QUOTED, SEATED, METERED)
        self.at(0, RegisterOpened(0, PAYEE, TOKEN), PlanCreated(1, 0, terms[0]))
        for number, one in enumerate(terms[1:], start=2):
            self.at(5, PlanCreated(number, 0, one))  # when the grid of the aligned one begins
        self.at(0, Subscribed(1, PAYER, 1, 0), charged(1, 0, 30, 3_000))

    def at(self, day: int, *act: Event) -> Change:
        """What the last event of a transaction does."""
        self.blocks += 1
        change = Change()
        for log, event in enumerate(act):
            origin = Origin(self.blocks, b"block", day * DAY, b"%d" % self.blocks, log)
            change = self.books.apply(Recorded(origin, event))
        self.books.act.require_whole()
        return change

    def lines(self, day: int, *act: Event) -> list[tuple[str, int]]:
        """The lines of the invoice of a charge."""
        invoice = self.at(day, *act).invoice
        assert invoice is not None
        assert invoice.total_units == sum(line.amount_units for line in invoice.lines)
        return [(line.description, line.amount_units) for line in invoice.lines]

    @property
    def subscription(self) -> Subscription:
        return self.books.subscriptions[1]


def charged(number: int, start: int, end: int, units: int, subscription_id: int = 1) -> Charged:
    return Charged(subscription_id, number, start * DAY, end * DAY, units)


def conditions(most: int = 0, total: int = 0, end: int = 0, who: str | None = None, of: int = 1) -> ConditionsSet:
    return ConditionsSet(of, most, total, end * DAY, who, False)


SCHEDULED: list[tuple[int, list[Event]]] = [(10, [ChangeScheduled(1, 3, 0)])]
DISCOUNTED: list[tuple[int, list[Event]]] = [(10, [CouponRedeemed(1, HASH, 0, 1_000, 100, 2)])]
HELPED: list[tuple[int, list[Event]]] = [(10, [FallbackSet(1, UNCLE)])]
LIMITED: list[tuple[int, list[Event]]] = [(10, [conditions(2_999)])]
QUOTING: list[tuple[int, list[Event]]] = [
    (0, [Subscribed(2, PAYER, 5, 0), conditions(9_000, of=2), Quoted(2, 1, 10, 9_000), charged(1, 0, 30, 9_000, 2)])
]


def test_a_scheduled_change_begins_with_its_period() -> None:
    story = Story()
    story.at(10, ChangeScheduled(1, 3, 0))
    assert (story.subscription.plan_id, story.subscription.scheduled) == (1, Scheduled(3, 0))
    lines = story.lines(30, PlanChanged(1, 3, 0, 0), charged(2, 30, 37, 700))
    assert lines == [("Plan 3, one period of 7 days", 700)]
    assert (story.subscription.plan_id, story.subscription.scheduled, story.subscription.next_due) == (
        3,
        None,
        37 * DAY,
    )


def test_what_is_scheduled_is_taken_back_or_replaced() -> None:
    story = Story()
    story.at(10, ChangeScheduled(1, 3, 0))
    story.at(11, ChangeScheduled(1, 1, 0))
    assert story.subscription.scheduled is None
    story.at(12, ChangeScheduled(1, 3, 0))
    story.at(15, PlanChanged(1, 2, 0, 500))  # at once, which gives credit
    assert story.subscription.scheduled is None
    assert story.lines(30, CreditUsed(1, 2, 500), charged(2, 30, 60, 1_500))[0][1] == 2_000


def test_a_lower_price_takes_coupon_and_fallback_wallet_along() -> None:
    story = Story()
    story.at(10, CouponRedeemed(1, HASH, 1, 1_000, 0, 5))
    story.at(10, FallbackSet(1, UNCLE))
    story.at(11, PriceLowered(1, 2, 0))
    lines = story.lines(
        *(30, PlanChanged(1, 2, 0, 0), Discounted(1, 2, 200), PaidByFallback(1, 2, UNCLE)), charged(2, 30, 60, 1_800)
    )
    assert lines == [("Plan 2, one period of 30 days", 2_000), ("Discount by coupon", -200)]
    assert story.subscription.fallback == Fallback(UNCLE, 2, 0)
    assert story.subscription.discount == Discount(1_000, 0, 4, 2, 200)


def test_a_discount_runs_for_its_periods_and_one_charge_more() -> None:
    story = Story()
    story.at(10, *DISCOUNTED[0][1])
    assert story.lines(30, Discounted(1, 2, 400), charged(2, 30, 60, 2_600))[1] == ("Discount by coupon", -400)
    story.at(60, Discounted(1, 3, 400), charged(3, 60, 90, 2_600))
    assert story.subscription.discount == Discount(1_000, 100, 0, 0, 400)
    story.at(90, charged(4, 90, 120, 3_000))
    assert story.subscription.discount is None


def test_all_of_a_charge_can_be_discounted() -> None:
    story = Story()
    story.at(10, CouponRedeemed(1, HASH, 0, 0, MOST_UNITS, 1))
    change = story.at(30, Discounted(1, 2, 3_000), charged(2, 30, 60, 0))
    assert change.entry is None
    assert change.invoice is not None
    assert change.register is not None
    assert (change.invoice.total_units, change.register.charges) == (0, 2)


def test_a_quoted_price_is_kept_with_its_evidence() -> None:
    story = Story()
    change = story.at(*QUOTING[0][:1], *QUOTING[0][1])
    assert change.invoice is not None
    assert change.invoice.quoted == (10, 9_000, QUOTER)
    assert change.invoice.lines == (("Plan 5, one period of 30 days, as quoted", 1, 9_000, 9_000),)
    assert change.entry is not None


def test_the_first_period_on_a_fixed_grid_is_a_part() -> None:
    story = Story()
    change = story.at(25, Subscribed(2, PAYER, 4, 25 * DAY), charged(1, 25, 35, 1_000, 2))
    assert change.invoice is not None
    assert change.invoice.lines == (("Plan 4, part of one period of 30 days", 1, 1_000, 1_000),)
    story.at(40, charged(2, 35, 65, 3_000, 2))
    story.at(45, Paused(2, 20 * DAY))
    story.at(47, Resumed(2, 67 * DAY))
    assert story.at(67, charged(3, 67, 95, 2_800, 2)).subscription is not None
    assert not story.books.subscriptions[2].shifted


def test_what_has_passed_of_a_first_period_is_not_collected() -> None:
    story = Story()
    story.at(1, Subscribed(2, PAYER, 4, 20 * DAY), conditions(of=2))  # it starts later
    story.at(36, charged(1, 35, 65, 3_000, 2))


def test_a_fallback_wallet_pays_and_is_named() -> None:
    story = Story()
    story.at(10, FallbackSet(1, UNCLE))
    change = story.at(30, PaidByFallback(1, 2, UNCLE), charged(2, 30, 60, 3_000))
    assert change.invoice is not None
    assert (change.invoice.payer, change.invoice.paid_by) == (PAYER, UNCLE)
    change = story.at(60, charged(3, 60, 90, 3_000))
    assert change.invoice is not None
    assert change.invoice.paid_by is None


def test_limits_are_counted_down() -> None:
    story = Story()
    story.at(10, conditions(4_000, 7_000, 100, OTHER))
    change = story.at(30, charged(2, 30, 60, 3_000))
    assert change.invoice is not None
    assert change.invoice.beneficiary == OTHER
    assert story.subscription.limits == Limits(4_000, 4_000, 100 * DAY)
    story.at(60, charged(3, 60, 90, 3_000))
    with pytest.raises(EventsInconsistent, match="3000 units, 1000 are left of what the payer agreed to in all"):
        story.at(90, charged(4, 90, 120, 3_000))
    story.at(91, conditions())
    assert story.at(91, charged(4, 90, 120, 3_000)).entry is not None


def test_usage_counts_towards_the_limits() -> None:
    story = Story()
    story.at(0, Subscribed(2, PAYER, 7, 0), conditions(4_000, 3_500, of=2), charged(1, 0, 30, 3_000, 2))
    story.at(1, UsageCharged(2, 2, 500, HASH), charged(2, 0, 30, 500, 2))
    assert story.books.subscriptions[2].limits.left_units == 0
    story.at(2, conditions(3_600, of=2))
    with pytest.raises(EventsInconsistent, match="3700 units for a period, its usage included, of at most 3600"):
        story.at(3, UsageCharged(2, 3, 500, HASH), charged(3, 0, 30, 200, 2))


def test_another_payer_pays_from_then_on_and_gets_refunds() -> None:
    story = Story()
    story.at(10, ChangeScheduled(1, 3, 0))
    story.at(10, FallbackSet(1, UNCLE))
    story.at(11, ChangeScheduled(1, 1, 0), FallbackSet(1, None), PayerChanged(1, PAYER, OTHER))
    change = story.at(30, charged(2, 30, 60, 3_000))
    assert change.invoice is not None
    assert change.invoice.payer == OTHER
    note = story.at(31, Refunded(1, 1, 5)).invoice
    assert note is not None
    assert (note.payer, story.books.charge_invoices[1, 1].payer) == (OTHER, PAYER)


def test_a_cancellation_with_refund_is_a_cancellation_and_refunds() -> None:
    story = Story()
    story.at(10, Cancelled(1), Refunded(1, 1, 2_000))
    assert story.subscription.status == Status.CANCELLED
    assert story.books.registers[0].refunds == 1


def test_a_register_belongs_to_another_payee_from_then_on() -> None:
    story = Story()
    story.at(10, PayeeChanged(0, PAYEE, OTHER))
    change = story.at(30, charged(2, 30, 60, 3_000))
    assert change.invoice is not None
    assert (change.invoice.payee, change.invoice.number) == (OTHER, 1)
    assert change.entry is not None
    assert change.entry.postings[1].account == f"Income:Subscriptions:{OTHER}:Plan-1"
    plan = story.books.plans[1]
    assert (plan.terms.payee, plan.first_payee, plan.terms_hash()) == (OTHER, PAYEE, SMALL.hash(0))
    story.at(31, RegisterOpened(1, PAYEE, TOKEN), PlanCreated(8, 1, SMALL))
    story.at(31, PlanCreated(9, 0, replace(SMALL, payee=OTHER)))


IMPOSSIBLE: list[tuple[list[tuple[int, list[Event]]], int, list[Event], str]] = [
    # changes that are scheduled
    (SCHEDULED, 30, [charged(2, 30, 37, 700)], "expected is PlanChanged of (3, 0, 0), told were none"),
    (SCHEDULED, 30, [charged(2, 30, 60, 3_000)], "expected 700 units for [2592000, 3196800)"),
    (SCHEDULED, 30, [PlanChanged(1, 2, 0, 0), charged(2, 30, 37, 700)], "told were [(2, 0, 0)]"),
    (SCHEDULED, 30, [PlanChanged(1, 3, 0, 1), charged(2, 30, 37, 700)], "told were [(3, 0, 1)]"),
    (SCHEDULED, 30, [PlanChanged(1, 3, 0, 0)], "what belongs to it is missing"),
    ([], 30, [PlanChanged(1, 3, 0, 0), charged(2, 30, 37, 700)], "a charge is due since 2592000"),
    ([], 10, [ChangeScheduled(1, 1, 0)], "nothing changes"),
    ([], 10, [ChangeScheduled(1, 6, 0)], "plan 6 has 1 to 16777215 seats, not 0"),
    ([], 10, [ChangeScheduled(1, 5, 0)], "plan 5 has a quoted price, and the payer has no maximum"),
    ([], 30, [ChangeScheduled(1, 3, 0)], "a charge is due since 2592000"),
    ([], 10, [ChangeScheduled(1, 99, 0)], "plan 99 is unknown"),
    ([(9, [Cancelled(1)])], 10, [ChangeScheduled(1, 3, 0)], "subscription 1 is cancelled"),
    ([], 10, [PriceLowered(1, 3, 0)], "plan 3 is not plan 1 at lower prices"),
    ([], 10, [PriceLowered(1, 2, 1)], "it is for 1 seats, 0 would be charged next"),
    ([(9, [Cancelled(1)])], 10, [PriceLowered(1, 2, 0)], "subscription 1 is cancelled"),
    (SCHEDULED, 11, [PriceLowered(1, 2, 0)], "plan 2 is not plan 3 at lower prices"),
    # discounts
    (DISCOUNTED, 30, [charged(2, 30, 60, 3_000)], "expected 2600 units"),
    (DISCOUNTED, 30, [charged(2, 30, 60, 2_600)], "expected is Discounted of (2, 400), told were none"),
    (DISCOUNTED, 30, [Discounted(1, 2, 399), charged(2, 30, 60, 2_600)], "told were [(2, 399)]"),
    (DISCOUNTED, 30, [Discounted(1, 3, 400), charged(2, 30, 60, 2_600)], "told were [(3, 400)]"),
    (DISCOUNTED, 15, [PlanChanged(1, 2, 0, 500)], "a subscription with a discount is changed at the end of its period"),
    (DISCOUNTED, 15, [CouponRedeemed(1, HASH, 0, 1, 0, 1)], "another coupon is running"),
    ([], 15, [CouponRedeemed(1, HASH, 0, 0, 0, 1)], "it takes nothing off"),
    ([], 15, [CouponRedeemed(1, HASH, 0, 1, 0, 0)], "it takes nothing off"),
    ([], 15, [CouponRedeemed(1, HASH, 2, 1, 0, 1)], "it is for plan 2, the subscription is of 1"),
    ([], 30, [Discounted(1, 2, 1), charged(2, 30, 60, 3_000)], "expected is Discounted of nothing, told were [(2, 1)]"),
    # quotes
    ([], 0, [Subscribed(2, PAYER, 5, 0), Quoted(2, 1, 10, 9), charged(1, 0, 30, 9, 2)], "what belongs to Subscribed"),
    ([], 0, [Subscribed(2, PAYER, 5, 0), charged(1, 0, 30, 0, 2)], "the conditions with which it was opened"),
    ([], 0, [Subscribed(2, PAYER, 5, 0), conditions(of=2)], "it has no maximum, which plan 5"),
    (QUOTING, 30, [charged(2, 30, 60, 0, 2)], "expected is Quoted of (2, 10, 0), told were none"),
    (QUOTING, 30, [Quoted(2, 2, 11, 8_000), charged(2, 30, 60, 8_000, 2)], "told were [(2, 11, 8000)]"),
    (QUOTING, 30, [Quoted(2, 2, 10, 8_000), charged(2, 30, 60, 8_001, 2)], "expected 8000 units"),
    (
        QUOTING,
        30,
        [Quoted(2, 2, 10, 9_001), charged(2, 30, 60, 9_001, 2)],
        "9001 units for a period, its usage included",
    ),
    (QUOTING, 10, [PlanChanged(2, 1, 0, 0)], "a plan with a quoted price is changed at the end of its period"),
    (QUOTING, 10, [conditions(of=2)], "it has no maximum, which plan 5"),
    ([], 30, [Quoted(1, 2, 3_000, 3_000), charged(2, 30, 60, 3_000)], "expected is Quoted of nothing"),
    # limits
    (LIMITED, 30, [charged(2, 30, 60, 3_000)], "3000 units for a period, its usage included, of at most 2999"),
    (LIMITED, 15, [charged(2, 15, 30, 3_000), PlanChanged(1, 6, 6, 0)], "6000 units for a period, its usage included"),
    ([(10, [conditions(end=30)])], 30, [charged(2, 30, 60, 3_000)], "subscription 1 has ended"),
    ([(10, [conditions(total=1_249)])], 15, [charged(2, 15, 30, 1_250), PlanChanged(1, 6, 5, 0)], "1249 are left of"),
    (
        [(10, [conditions(end=15)])],
        15,
        [charged(2, 15, 30, 1_250), PlanChanged(1, 6, 5, 0)],
        "the payer's end has come",
    ),
    ([(9, [Cancelled(1)])], 10, [conditions()], "subscription 1 is cancelled"),
    # openings
    (
        [],
        1,
        [Subscribed(2, PAYER, 1, 2 * DAY), conditions(end=2, of=2)],
        "it ends at 172800, before it begins at 172800",
    ),
    ([], 1, [Subscribed(2, PAYER, 6, 2 * DAY), conditions(of=2)], "how many seats it is for was not told"),
    ([], 1, [Subscribed(2, PAYER, 6, 2 * DAY), SeatsSet(2, 1)], "what belongs to it is missing"),
    ([], 25, [Subscribed(2, PAYER, 4, 25 * DAY), charged(1, 25, 35, 999, 2)], "expected 1000 units"),
    # fallback wallets
    ([], 30, [PaidByFallback(1, 2, UNCLE), charged(2, 30, 60, 3_000)], "did not agree to pay for plan 1 with 0 seats"),
    (HELPED, 30, [PaidByFallback(1, 2, OTHER), charged(2, 30, 60, 3_000)], f"told were [(2, '{OTHER}')]"),
    (HELPED, 30, [PaidByFallback(1, 3, UNCLE), charged(2, 30, 60, 3_000)], f"told were [(3, '{UNCLE}')]"),
    (
        [*HELPED, *SCHEDULED],
        30,
        [PlanChanged(1, 3, 0, 0), PaidByFallback(1, 2, UNCLE), charged(2, 30, 37, 700)],
        "did not agree to pay for plan 3 with 0 seats",
    ),
    ([], 10, [FallbackSet(1, None)], "there is no fallback that could be dropped"),
    ([], 10, [FallbackSet(1, PAYEE)], "receives the charges, or their fee"),
    (QUOTING, 10, [FallbackSet(2, UNCLE)], "the price of plan 5 is quoted, for which no other wallet pays"),
    # other payers and payees
    ([], 10, [PayerChanged(1, OTHER, UNCLE)], f"{OTHER} paid until then"),
    ([], 10, [PayerChanged(1, PAYER, PAYER)], "pays already, or is paid"),
    ([], 10, [PayerChanged(1, PAYER, PAYEE)], "pays already, or is paid"),
    ([], 30, [PayerChanged(1, PAYER, OTHER)], "a charge is due since 2592000"),
    (SCHEDULED, 11, [PayerChanged(1, PAYER, OTHER)], "was not dropped before"),
    (HELPED, 11, [PayerChanged(1, PAYER, OTHER)], "was not dropped before"),
    ([], 1, [PlanCreated(8, 0, replace(SMALL, align_to=DAY + 1))], "its grid begins at 86401, after it"),
    ([], 10, [PayeeChanged(1, PAYEE, OTHER)], "register 1 is none of"),
    ([], 10, [PayeeChanged(0, OTHER, UNCLE)], "register 0 is none of"),
    ([], 10, [PayeeChanged(0, PAYEE, PAYEE)], "has a register in"),
    ([], 10, [RegisterOpened(1, PAYEE, TOKEN), PlanCreated(8, 1, SMALL)], "has a register in"),
]


@pytest.mark.parametrize(("before", "day", "act", "message"), IMPOSSIBLE)
def test_E62_a_charge_that_cannot_be_is_refused(
    before: list[tuple[int, list[Event]]], day: int, act: list[Event], message: str
) -> None:
    story = Story()
    for earlier_day, earlier in before:
        story.at(earlier_day, *earlier)
    entries = story.books.entry_number
    with pytest.raises(EventsInconsistent, match=re.escape(message)):
        story.at(day, *act)
    assert story.books.entry_number == entries


# --- parts of periods -------------------------------------------------------------------------------------------------

periods = st.one_of(
    st.builds(Period, st.integers(1, 10**7), st.just(Unit.SECOND)),
    st.builds(Period, st.integers(1, 400), st.just(Unit.DAY)),
    st.builds(Period, st.integers(1, 60), st.just(Unit.WEEK)),
    st.builds(Period, st.integers(1, 40), st.just(Unit.MONTH)),
    st.builds(Period, st.integers(1, 5), st.just(Unit.YEAR)),
)
times = st.integers(1, 2**32 - 1)


@given(periods, times, st.integers(0, 10**9), st.integers(1, 2**40) | st.integers(1, MOST_UNITS))
def test_a_part_costs_something_and_no_more_than_the_whole(period: Period, grid: int, wait: int, rate: int) -> None:
    terms = PlanTerms(PAYEE, rate, TOKEN, period.every, period.unit, align_to=grid)
    start, day = grid + wait, anchor_day_of(grid)
    end, price = terms.stub(start, rate)
    before = period.later(end, -1, day)
    assert before <= start < end
    assert 1 <= price <= rate
    assert price * (end - before) >= rate * (end - start) > (price - 1) * (end - before)
    assert terms.is_stub(start, end) == (before != start)
    assert (price == rate) or terms.is_stub(start, end)
    points = period.whole_periods(grid, end, day)
    assert period.later(grid, points, day) == end


@given(periods, times, st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 3))
def test_on_a_fixed_grid_every_period_ends_on_it(
    period: Period, grid: int, wait: int, late: int, catch_up: int
) -> None:
    terms = PlanTerms(PAYEE, 1_000, TOKEN, period.every, period.unit, catch_up, align_to=grid)
    opened, day = grid + wait, anchor_day_of(grid)
    subscription = Subscription(1, PAYER, 1, opened, 0, Status.ACTIVE, anchor_day_of(opened))
    due = next_charge(subscription, terms, opened + late)
    assert due.anchor_day == day
    assert period.later(grid, period.whole_periods(grid, due.period_end, day), day) == due.period_end
    assert due.period_start >= opened
    if due.period_start != opened:  # what had passed was not collected
        assert period.later(grid, period.whole_periods(grid, due.period_start, day), day) == due.period_start
        assert due.price_units == due.rate_units
    if not catch_up:
        assert due.period_start <= opened + late < due.period_end


@given(
    st.integers(0, 10_000), st.integers(0, MOST_UNITS), st.integers(0, MOST_UNITS), st.integers(0, MOST_UNITS),
    st.integers(1, MOST_UNITS),
)  # fmt: skip
def test_what_is_taken_off_and_paid_is_the_price(
    basis_points: int, amount_off: int, credit: int, quoted: int, price: int
) -> None:
    discount = Discount(basis_points, amount_off, 1)
    subscription = Subscription(1, PAYER, 1, 0, 1, Status.ACTIVE, 1, credit_units=credit, discount=discount)
    for terms, expected in ((replace(SMALL, price_units=price), price), (QUOTED, quoted)):
        due = next_charge(subscription, terms, 0, quoted_units=quoted)
        assert due.amount_units + due.credit_units + due.discount_units == due.price_units == expected
        assert min(due.amount_units, due.credit_units, due.discount_units) >= 0
        assert due.discount_units == min(expected, expected * basis_points // 10_000 + amount_off)
