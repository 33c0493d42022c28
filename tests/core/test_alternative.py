"""Charges under a plan in a second token: what payee and payer agreed to, and nothing else, in that token and its
register."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tallystick.core.change import Segment, in_another_token, paid_in
from tallystick.core.events import (
    AlternativeOffered,
    AlternativeWithdrawn,
    Cancelled,
    ChangeScheduled,
    Claimable,
    CouponRedeemed,
    CreditUsed,
    Discounted,
    Event,
    FallbackPlanSet,
    FallbackSet,
    Origin,
    PaidInAlternative,
    PayeeChanged,
    PayerChanged,
    PlanArchived,
    PlanChanged,
    PlanCreated,
    PlanProposed,
    PriceLowered,
    Recorded,
    Refunded,
    RegisterOpened,
    Subscribed,
)
from tallystick.core.invoice import Peg
from tallystick.core.period import Unit
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.subscription import Discount, Fallback, Register
from tallystick.errors import EventsInconsistent
from tallystick.flows.history import segments_of
from tests.core.test_charge import (
    ALIGNED,
    DAY,
    HASH,
    OTHER,
    PAYEE,
    PAYER,
    QUOTER,
    SMALL,
    TOKEN,
    UNCLE,
    Story,
    charged,
    conditions,
)

SECOND = "0x" + "7" * 40
EURO = replace(SMALL, price_units=4_444, token=SECOND)
TAXED = replace(EURO, fee_bps=1_000, fee_receiver=UNCLE)
WORTH = {SECOND: [(0, Peg("EURC", 6, "EUR", 2))]}
OFFERED: list[tuple[int, list[Event]]] = [(6, [AlternativeOffered(1, 8)])]
NAMED: list[tuple[int, list[Event]]] = [*OFFERED, (7, [FallbackPlanSet(1, 8)])]


class Tale(Story):
    """The same merchant sells in a second token: plan 8 as the small one, 9 with a fee, 10 on the grid, 11 of another
    payee."""

    def __init__(self) -> None:
        super().__init__()
        self.books.pegs = WORTH
        self.at(5, RegisterOpened(1, PAYEE, SECOND), PlanCreated(8, 1, EURO))
        self.at(5, PlanCreated(9, 1, TAXED))
        self.at(5, PlanCreated(10, 1, replace(EURO, align_to=ALIGNED.align_to)))
        self.at(5, RegisterOpened(2, OTHER, SECOND), PlanCreated(11, 2, replace(EURO, payee=OTHER)))

    def after(self, *acts: list[tuple[int, list[Event]]]) -> Tale:
        for day, act in [one for some in acts for one in some]:
            self.at(day, *act)
        return self


def paid(number: int, start: int, end: int, units: int, alternative: int = 8, of: int = 1) -> list[Event]:
    return [PaidInAlternative(of, number, alternative), charged(number, start, end, units, of)]


def test_a_charge_is_in_the_token_and_the_register_of_the_alternative() -> None:
    tale = Tale().after(NAMED)
    assert tale.subscription.fallback == Fallback(None, 1, 0, 8)
    change = tale.at(30, *paid(2, 30, 60, 4_444))
    invoice, entry = change.invoice, change.entry
    assert invoice is not None
    assert entry is not None
    assert (invoice.token, invoice.plan_id, invoice.payee, invoice.total_units) == (SECOND, 8, PAYEE, 4_444)
    assert (invoice.payer, invoice.paid_by, invoice.subscription_id) == (PAYER, None, 1)
    assert invoice.fiat is not None
    assert (invoice.fiat.currency, [line.description for line in invoice.lines]) == (
        "EUR",
        ["Plan 8, one period of 30 days"],
    )
    assert {posting.token for posting in entry.postings} == {SECOND}
    assert tale.books.registers[0] == Register(0, PAYEE, TOKEN, 1, 1)
    assert tale.books.registers[1] == change.register == Register(1, PAYEE, SECOND, 0, 1)
    assert (tale.subscription.in_alternative, tale.subscription.plan_id) == (True, 1)
    change = tale.at(60, charged(3, 60, 90, 3_000))
    assert change.invoice is not None
    assert (change.invoice.token, change.invoice.fiat) == (TOKEN, None)
    assert not tale.subscription.in_alternative


def test_its_fee_and_what_is_kept_are_by_its_terms() -> None:
    tale = Tale().after([(6, [AlternativeOffered(1, 9)]), (7, [FallbackPlanSet(1, 9)])])
    change = tale.at(30, PaidInAlternative(1, 2, 9), Claimable(UNCLE, SECOND, 1, 444), charged(2, 30, 60, 4_444))
    assert change.claimables == ((UNCLE, SECOND, 444),)


def test_a_part_of_a_period_costs_its_part() -> None:
    tale = Tale().after([(6, [AlternativeOffered(4, 10)])])
    tale.at(10, Subscribed(2, PAYER, 4, 20 * DAY), conditions(of=2))
    tale.at(11, FallbackPlanSet(2, 10))
    units = -(-4_444 * 15 // 30)
    lines = tale.lines(20, *paid(1, 20, 35, units, 10, of=2))
    assert lines == [("Plan 10, part of one period of 30 days", units)]
    tale.at(35, *paid(2, 35, 65, 4_444, 10, of=2))


def test_neither_credit_nor_a_discount_is_used() -> None:
    tale = Tale().after(OFFERED)
    tale.at(15, PlanChanged(1, 2, 0, 500))
    tale.at(16, ChangeScheduled(1, 1, 0))
    tale.at(17, CouponRedeemed(1, HASH, 0, 1_000, 0, 2))
    tale.at(30, PlanChanged(1, 1, 0, 500), Discounted(1, 2, 300), CreditUsed(1, 2, 500), charged(2, 30, 60, 2_200))
    tale.at(31, FallbackPlanSet(1, 8))
    before = tale.subscription.discount
    tale.at(60, *paid(3, 60, 90, 4_444))
    assert (tale.subscription.credit_units, tale.subscription.discount) == (0, before)
    assert before == Discount(1_000, 0, 1, 0, 300)


def test_a_refund_is_in_its_token_and_by_its_payee() -> None:
    tale = Tale().after(NAMED)
    tale.at(30, *paid(2, 30, 60, 4_444))
    tale.at(31, PayeeChanged(1, PAYEE, UNCLE))
    change = tale.at(32, Refunded(1, 2, 4_444))
    note = change.invoice
    assert note is not None
    assert (note.token, note.payee, note.total_units, note.plan_id) == (SECOND, UNCLE, 4_444, 8)
    assert change.register == Register(1, UNCLE, SECOND, 0, 1, 1)
    with pytest.raises(EventsInconsistent, match="4445 units refunded"):
        tale.at(33, Refunded(1, 2, 1))


def test_a_lower_price_takes_it_along() -> None:
    tale = Tale().after(NAMED)
    tale.at(10, PriceLowered(1, 2, 0))
    assert tale.subscription.fallback == Fallback(None, 2, 0, 8)
    with pytest.raises(EventsInconsistent, match="plan 8 is no alternative to plan 2"):
        tale.at(30, PlanChanged(1, 2, 0, 0), *paid(2, 30, 60, 4_444))
    tale = Tale().after(NAMED)
    tale.at(10, PriceLowered(1, 2, 0), AlternativeOffered(2, 8))
    tale.at(30, PlanChanged(1, 2, 0, 0), *paid(2, 30, 60, 4_444))


def test_a_wallet_and_a_plan_take_each_others_place() -> None:
    tale = Tale().after(NAMED)
    tale.at(8, FallbackSet(1, UNCLE))
    assert tale.subscription.fallback == Fallback(UNCLE, 1, 0)
    tale.at(9, FallbackPlanSet(1, 8))
    tale.at(10, FallbackSet(1, None))
    assert tale.subscription.fallback is None


def test_a_proposal_changes_nothing() -> None:
    tale = Tale()
    before = tale.subscription
    change = tale.at(10, PlanProposed(1, 6))
    assert (tale.subscription, change.subscription, change.invoice) == (before, None, None)


def test_its_segment_names_the_plan() -> None:
    told: list[Event] = [Subscribed(1, PAYER, 1, 0), charged(1, 0, 30, 3_000), *paid(2, 30, 60, 3_000)]
    told.append(charged(3, 60, 90, 3_000))
    recorded = [Recorded(Origin(1, b"block", 0 if event in told[:2] else 100 * DAY, b"1", 0), event) for event in told]
    plans = {1: Plan(1, 0, SMALL), 8: Plan(8, 1, EURO)}
    assert segments_of(recorded, plans) == [Segment(1, 3_000, in_another_token(8, 3_000))]
    assert in_another_token(8, 3_000) == 8 << 96 | 3_000
    assert paid_in(in_another_token(8, 3_000)) == (3_000, 8)
    assert paid_in(3_000) == (3_000, 0)


def _plan(terms: PlanTerms, number: int = 12, register: int = 1) -> tuple[int, list[Event]]:
    return 6, [PlanCreated(number, register, terms)]


IMPOSSIBLE: list[tuple[list[tuple[int, list[Event]]], int, list[Event], str]] = [
    # offers
    ([], 6, [AlternativeOffered(1, 11)], f"have two payees, {OTHER} and {PAYEE}"),
    ([], 6, [AlternativeOffered(1, 2)], "are in the same token"),
    ([], 6, [AlternativeOffered(1, 10)], "the periods of plan 10 and plan 1 differ"),
    ([_plan(replace(EURO, unit=Unit.MONTH))], 6, [AlternativeOffered(1, 12)], "the periods of plan 12 and plan 1"),
    ([], 6, [AlternativeOffered(6, 8)], "sells seats, the other does not"),
    ([], 6, [AlternativeOffered(5, 8)], "plan 5 has a quoted price"),
    ([_plan(replace(EURO, quoter=QUOTER))], 6, [AlternativeOffered(1, 12)], "plan 12 has a quoted price"),
    ([_plan(replace(EURO, refunds_unused=True))], 6, [AlternativeOffered(1, 12)], "plan 12 has a quoted price"),
    (OFFERED, 6, [AlternativeOffered(1, 8)], "is an alternative to plan 1 already"),
    ([], 6, [AlternativeOffered(1, 99)], "plan 99 is unknown"),
    ([], 6, [AlternativeWithdrawn(1, 8)], "plan 8 is no alternative to plan 1"),
    ([*OFFERED, (6, [AlternativeWithdrawn(1, 8)])], 7, [FallbackPlanSet(1, 8)], "no alternative to plan 1"),
    # naming
    ([], 6, [FallbackPlanSet(1, 8)], "plan 8 is no alternative to plan 1"),
    ([*OFFERED, (6, [Cancelled(1)])], 7, [FallbackPlanSet(1, 8)], "subscription 1 is cancelled"),
    ([*OFFERED, (6, [PlanArchived(8)])], 7, [FallbackPlanSet(1, 8)], "plan 8 is archived"),
    ([*OFFERED, (6, [PayerChanged(1, PAYER, OTHER)])], 7, [FallbackPlanSet(2, 8)], "subscription 2 is unknown"),
    ([(6, [AlternativeOffered(1, 9)]), (6, [PayerChanged(1, PAYER, UNCLE)])], 7, [FallbackPlanSet(1, 9)], "is paid"),
    ([*OFFERED, (6, [conditions(most=9_000)])], 7, [FallbackPlanSet(1, 8)], "amounts of the first token"),
    ([*OFFERED, (6, [conditions(total=9_000)])], 7, [FallbackPlanSet(1, 8)], "amounts of the first token"),
    ([*OFFERED, (6, [PayeeChanged(1, PAYEE, UNCLE)])], 7, [FallbackPlanSet(1, 8)], "no alternative to plan 1"),
    (NAMED, 10, [PayerChanged(1, PAYER, OTHER)], "was not dropped before"),
    # charges
    (OFFERED, 30, paid(2, 30, 60, 4_444), "the payer did not agree to pay for plan 1 under 8"),
    (NAMED, 30, paid(2, 30, 60, 4_444, 9), "the payer did not agree to pay for plan 1 under 9"),
    (NAMED, 30, paid(2, 30, 60, 4_444, 99), "the plan is unknown"),
    (NAMED, 30, [PaidInAlternative(1, 3, 8), charged(2, 30, 60, 4_444)], "it is told of charge 3"),
    (NAMED, 30, paid(2, 30, 60, 3_000), "expected 4444 units"),
    (NAMED, 30, [charged(2, 30, 60, 4_444)], "expected 3000 units"),
    (NAMED, 30, [PaidInAlternative(1, 2, 8)], "what belongs to it is missing"),
    ([*NAMED, (8, [AlternativeWithdrawn(1, 8)])], 30, paid(2, 30, 60, 4_444), "no alternative to plan 1"),
    ([*NAMED, (8, [conditions(most=9_000)])], 30, paid(2, 30, 60, 4_444), "amounts of the first token"),
    ([*NAMED, (8, [PayeeChanged(0, PAYEE, UNCLE)])], 30, paid(2, 30, 60, 4_444), "no alternative to plan 1"),
    ([*NAMED, (8, [conditions(end=30)])], 30, paid(2, 30, 60, 4_444), "subscription 1 has ended"),
    (
        [*NAMED, (8, [ChangeScheduled(1, 2, 0)])],
        30,
        [PlanChanged(1, 2, 0, 0), *paid(2, 30, 60, 4_444)],
        "the payer did not agree to pay for plan 2 under 8",
    ),
    (
        [*NAMED, (8, [CouponRedeemed(1, HASH, 0, 10_000, 0, 1)])],
        30,
        paid(2, 30, 60, 4_444),
        "the payer had to pay nothing",
    ),
    (NAMED, 30, [PaidInAlternative(1, 2, 8), Claimable(PAYEE, TOKEN, 1, 4_444)], "are kept for"),
    # afterwards
    (
        [*NAMED, (30, paid(2, 30, 60, 4_444))],
        40,
        [PlanChanged(1, 2, 0, 667)],
        "a period that was paid in another token is changed at its end",
    ),
    # proposals
    ([], 6, [PlanProposed(1, 8)], "plan 8 is of register 1"),
    ([(6, [PlanArchived(6)])], 6, [PlanProposed(1, 6)], "plan 6 is archived"),
    ([(6, [Cancelled(1)])], 6, [PlanProposed(1, 6)], "subscription 1 is cancelled"),
    ([], 6, [PlanProposed(1, 99)], "plan 99 is unknown"),
]


@pytest.mark.parametrize(("before", "day", "act", "message"), IMPOSSIBLE)
def test_E62_what_was_not_agreed_to_is_refused(
    before: list[tuple[int, list[Event]]], day: int, act: list[Event], message: str
) -> None:
    tale = Tale().after(before)
    if any(isinstance(event, Claimable) for event in act):
        act = [*act, charged(2, 30, 60, 4_444)]
    with pytest.raises(EventsInconsistent, match=re.escape(message)):
        tale.at(day, *act)


def test_the_seats_must_be_those_that_it_sells() -> None:
    tale = Tale()
    tale.at(6, PlanCreated(12, 1, replace(EURO, seat_price_units=2**95)))
    tale.at(6, AlternativeOffered(6, 12))
    difference = (3_000 + 7 * 500) * 20 // 30 - 3_000 * 20 // 30
    tale.at(10, charged(2, 10, 30, difference), PlanChanged(1, 6, 7, 0))
    with pytest.raises(EventsInconsistent, match="plan 12 has 1 to 1 seats, not 7"):
        tale.at(11, FallbackPlanSet(1, 12))
