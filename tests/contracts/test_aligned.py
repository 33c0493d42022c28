"""Plans whose periods lie on a fixed grid: what is left of a period comes first, at that part of the price."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason
from tests.contracts.aligned import Charge, Life, Plan
from tests.contracts.proration import worth
from tests.contracts.signing import Conditions, Mandate, signed_mandate
from tests.contracts.special import open_with, opened
from tests.contracts.stage import (
    DAY,
    FUNDS,
    NO_CHARGE,
    PRICE,
    UNLIMITED,
    Account,
    Contract,
    Receipt,
    Stage,
    reverts,
    utc,
)
from tests.contracts.test_refund_changed import bounds_are
from tests.contracts.test_schedule_change import changed, charged

FIRST_OF_MONTH = utc(2026, 1, 1)
MIDDLE = utc(2027, 2, 15)
MARCH, APRIL, MAY = utc(2027, 3, 1), utc(2027, 4, 1), utc(2027, 5, 1)
DEARER = 3 * PRICE
PAID = DeclineReason.NONE


def create(stage: Stage, plan: Plan, **terms: Any) -> int:
    """The merchant's plan of that kind."""
    kind: dict[str, Any] = {"price": plan.price, "every": plan.every, "unit": plan.unit, "align_to": plan.align_to}
    return stage.create_plan(catch_up=plan.catch_up, **kind, **terms)


def charge_of(receipt_events: list[tuple[str, dict[str, Any]]]) -> Charge:
    """The period of the one charge among events."""
    ((_, values),) = [event for event in receipt_events if event[0] == "Charged"]
    return Charge(values["periodStart"], values["periodEnd"], values["amount"])


def subscribe(stage: Stage, payer: Account, plan_id: int, how: str, at: int) -> Receipt:
    """In each way that there is; the transaction."""
    terms = stage.subscriptions.termsHash(plan_id)
    if how == "subscribe":
        stage.at(at)
        return stage.subscriptions.subscribe(plan_id, terms, 0, sender=payer)
    if how == "with conditions":
        return open_with(stage, payer, plan_id, Conditions(max_total=FUNDS), at=at)
    mandate = Mandate(payer.address, plan_id)
    signature = signed_mandate(stage, payer, mandate)
    stage.at(at)
    return stage.subscriptions.submitMandate(mandate, signature, sender=stage.anyone)


@pytest.fixture
def aligned(stage: Stage) -> int:
    """The merchant's plan of which each period begins on the first of a month."""
    return stage.create_plan(align_to=FIRST_OF_MONTH)


# --- The first period ---


@pytest.mark.parametrize("how", ["subscribe", "with conditions", "by mandate"])
@pytest.mark.parametrize("at", [utc(2027, 2, 1) + 1, MIDDLE, MIDDLE + 12_345, MARCH - 2, MARCH - 1])
def test_E38_within_a_period_what_is_left_is_charged_rounded_up(
    stage: Stage, token: Contract, payer: Account, aligned: int, how: str, at: int
) -> None:
    receipt = subscribe(stage, payer, aligned, how, at)
    amount = -(-PRICE * (MARCH - at) // (28 * DAY))
    assert 0 < amount < PRICE
    subscription_id = opened(stage, receipt)
    assert stage.events(receipt)[0][1]["firstDue"] == at
    assert charge_of(stage.events(receipt)) == (at, MARCH, amount)
    assert token.balanceOf(payer) == FUNDS - amount
    found = stage.subscriptions.subscription(subscription_id)
    assert (found.nextDue, found.charges, found.anchorDay) == (MARCH, 1, 1)
    assert stage.charge_as_previewed(subscription_id, at=MARCH) == [charged(subscription_id, 2, MARCH, APRIL, PRICE)]
    bounds_are(stage, subscription_id, [(0, PRICE, amount)], [amount, PRICE])


@pytest.mark.parametrize("how", ["subscribe", "with conditions", "by mandate"])
@pytest.mark.parametrize(("offset_s", "end"), [(-1, MARCH), (0, APRIL), (1, APRIL)])
def test_E20_around_a_point_of_the_grid(
    stage: Stage, payer: Account, aligned: int, how: str, offset_s: int, end: int
) -> None:
    at = MARCH + offset_s
    receipt = subscribe(stage, payer, aligned, how, at)
    amount = {-1: -(-PRICE // (28 * DAY)), 0: PRICE, 1: -(-PRICE * (31 * DAY - 1) // (31 * DAY))}[offset_s]
    assert charge_of(stage.events(receipt)) == (at, end, amount)
    history = [] if offset_s == 0 else [(0, PRICE, amount)]
    bounds_are(stage, opened(stage, receipt), history, [amount])


def test_E32_what_is_left_is_never_free(stage: Stage, payer: Account) -> None:
    plan_id = stage.create_plan(price=1, align_to=FIRST_OF_MONTH)
    assert charge_of(stage.events(subscribe(stage, payer, plan_id, "subscribe", MARCH - 1))).amount == 1


@pytest.mark.parametrize("how", ["subscribe", "with conditions"])
@pytest.mark.parametrize(
    ("plan", "at", "periods"),
    [
        (
            Plan(PRICE, unit=Unit.WEEK, align_to=utc(2026, 1, 5)),  # a Monday
            utc(2027, 3, 4, 9),
            [utc(2027, 3, 8), utc(2027, 3, 15), utc(2027, 3, 22)],
        ),
        (
            Plan(PRICE, align_to=utc(2026, 1, 31, 6)),
            utc(2027, 2, 10),
            [utc(2027, 2, 28, 6), utc(2027, 3, 31, 6), utc(2027, 4, 30, 6), utc(2027, 5, 31, 6)],
        ),
        (
            Plan(PRICE, unit=Unit.YEAR, align_to=utc(2024, 2, 29)),
            utc(2027, 6, 1),
            [utc(2028, 2, 29), utc(2029, 2, 28), utc(2030, 2, 28)],
        ),
        (
            Plan(PRICE, every=3, align_to=utc(2025, 11, 30)),
            utc(2027, 2, 1),
            [utc(2027, 2, 28), utc(2027, 5, 30), utc(2027, 8, 30)],
        ),
        (
            Plan(PRICE, every=1_000, unit=Unit.SECOND, align_to=1_000_000_007),
            utc(2027, 2, 1),
            [utc(2027, 2, 1) + 1_000 - (utc(2027, 2, 1) - 1_000_000_007) % 1_000 + 1_000 * n for n in range(3)],
        ),
    ],
)
def test_E24_every_period_lies_on_the_grid(
    stage: Stage, payer: Account, plan: Plan, at: int, periods: list[int], how: str
) -> None:
    life = Life(plan, at)
    receipt = subscribe(stage, payer, create(stage, plan), how, at)
    first = life.charge(at)
    assert first.end == periods[0]
    assert charge_of(stage.events(receipt)) == first
    subscription_id = opened(stage, receipt)
    for start, end in pairwise(periods):
        assert life.charge(start) == (start, end, PRICE)
        (event,) = stage.charge_as_previewed(subscription_id, at=start)
        assert charge_of([event]) == (start, end, PRICE)
    bounds_are(stage, subscription_id, life.history, life.paid)


@pytest.mark.parametrize("late_s", [0, 1, 5 * DAY])
def test_after_a_trial_what_is_left_is_charged(stage: Stage, payer: Account, late_s: int) -> None:
    plan_id = stage.create_plan(trial=7 * DAY, align_to=FIRST_OF_MONTH)
    subscription_id = stage.subscribe(payer, plan_id, at=MIDDLE - 7 * DAY)
    assert stage.token.balanceOf(payer) == FUNDS
    amount = -(-PRICE * 14 // 28)
    assert stage.charge_as_previewed(subscription_id, at=MIDDLE + late_s) == [
        charged(subscription_id, 1, MIDDLE, MARCH, amount)
    ]
    bounds_are(stage, subscription_id, [(0, PRICE, amount)], [amount])


def test_after_a_later_start_what_is_left_is_charged(stage: Stage, payer: Account, aligned: int) -> None:
    receipt = open_with(stage, payer, aligned, Conditions(starts_at=MIDDLE), at=utc(2027, 2, 3))
    subscription_id = opened(stage, receipt)
    amount = -(-PRICE * 14 // 28)
    assert stage.charge_as_previewed(subscription_id, at=MIDDLE) == [charged(subscription_id, 1, MIDDLE, MARCH, amount)]


def test_a_trial_that_ends_on_the_grid_begins_a_whole_period(stage: Stage, payer: Account) -> None:
    plan_id = stage.create_plan(trial=14 * DAY, align_to=FIRST_OF_MONTH)
    subscription_id = stage.subscribe(payer, plan_id, at=MIDDLE)
    assert stage.charge_as_previewed(subscription_id, at=MARCH) == [charged(subscription_id, 1, MARCH, APRIL, PRICE)]
    stage.subscriptions.refund(subscription_id, 1, PRICE, sender=stage.merchant)


# --- Late charges ---


@pytest.mark.parametrize("catch_up", [0, 1, 2, 255])
@pytest.mark.parametrize("missed", [0, 1, 3])
def test_E22_a_stub_that_has_passed_is_not_collected(stage: Stage, payer: Account, catch_up: int, missed: int) -> None:
    plan = Plan(PRICE, align_to=FIRST_OF_MONTH, catch_up=catch_up)
    subscription_id = stage.subscribe(payer, create(stage, plan, trial=7 * DAY), at=MIDDLE - 7 * DAY)
    now = plan.point(MARCH, missed) + 5
    first = max(0, missed - catch_up)
    expected = [Charge(plan.point(MARCH, n), plan.point(MARCH, n + 1), PRICE) for n in range(first, missed + 1)]
    found = []
    for _ in expected:
        found += [charge_of(stage.charge_as_previewed(subscription_id, at=now))]
    assert found == expected
    assert stage.charge(subscription_id, at=now) == [DeclineReason.NOT_DUE]
    bounds_are(stage, subscription_id, [], [PRICE] * len(expected))


@pytest.mark.parametrize(
    ("offset_s", "start", "amount"), [(-1, MIDDLE, PRICE // 2), (0, MARCH, PRICE), (1, MARCH, PRICE)]
)
def test_E20_until_the_stub_has_passed(stage: Stage, payer: Account, offset_s: int, start: int, amount: int) -> None:
    plan_id = stage.create_plan(trial=7 * DAY, align_to=FIRST_OF_MONTH, catch_up=3)
    subscription_id = stage.subscribe(payer, plan_id, at=MIDDLE - 7 * DAY)
    (event,) = stage.charge_as_previewed(subscription_id, at=MARCH + offset_s)
    assert (event[1]["periodStart"], event[1]["amount"]) == (start, amount)


@pytest.mark.parametrize("catch_up", [0, 1, 2, 255])
def test_E22_missed_periods_are_collected_up_to_the_plans_number(stage: Stage, payer: Account, catch_up: int) -> None:
    plan = Plan(PRICE, align_to=FIRST_OF_MONTH, catch_up=catch_up)
    subscription_id = stage.subscribe(payer, create(stage, plan), at=MIDDLE)
    life = Life(plan, MIDDLE)
    life.charge(MIDDLE)
    now = utc(2027, 6, 10)
    for _ in range(min(catch_up, 3) + 1):
        assert charge_of(stage.charge_as_previewed(subscription_id, at=now)) == life.charge(now)
    assert stage.charge(subscription_id, at=now) == [DeclineReason.NOT_DUE]
    assert life.due == utc(2027, 7, 1)


# --- Pause and resume ---


def test_E25_after_a_pause_what_is_left_leads_back_to_the_grid(
    stage: Stage, subscriptions: Contract, payer: Account, aligned: int
) -> None:
    subscription_id = stage.subscribe(payer, aligned, at=utc(2027, 2, 1))
    stage.at(MIDDLE)
    subscriptions.pause(subscription_id, sender=payer)
    stage.at(MIDDLE + 20 * DAY)
    subscriptions.resume(subscription_id, sender=payer)
    due = MARCH + 20 * DAY
    amount = -(-PRICE * 11 // 31)
    assert stage.charge_as_previewed(subscription_id, at=due) == [charged(subscription_id, 2, due, APRIL, amount)]
    assert stage.charge_as_previewed(subscription_id, at=APRIL) == [charged(subscription_id, 3, APRIL, MAY, PRICE)]
    bounds_are(stage, subscription_id, [(1, PRICE, amount)], [PRICE, amount, PRICE])


@pytest.mark.parametrize("offset_s", [-1, 0, 1])
def test_E20_E25_a_pause_that_ends_around_the_grid(
    stage: Stage, subscriptions: Contract, payer: Account, aligned: int, offset_s: int
) -> None:
    subscription_id = stage.subscribe(payer, aligned, at=utc(2027, 2, 1))
    stage.at(MIDDLE)
    subscriptions.pause(subscription_id, sender=payer)
    stage.at(MIDDLE + 31 * DAY + offset_s)
    subscriptions.resume(subscription_id, sender=payer)
    due = APRIL + offset_s
    (event,) = stage.charge_as_previewed(subscription_id, at=due)
    amount = {-1: -(-PRICE // (31 * DAY)), 0: PRICE, 1: -(-PRICE * (30 * DAY - 1) // (30 * DAY))}[offset_s]
    assert charge_of([event]) == (due, APRIL if offset_s < 0 else MAY, amount)


# --- Changes ---


def test_E31_a_change_within_a_stub_is_measured_by_a_whole_period(
    stage: Stage, subscriptions: Contract, payer: Account, aligned: int
) -> None:
    """14 of 28 days were paid for, of which 7 are left: a quarter of the difference of the prices."""
    dearer = stage.create_plan(price=DEARER, align_to=FIRST_OF_MONTH)
    subscription_id = stage.subscribe(payer, aligned, at=MIDDLE)
    stub = -(-PRICE // 2)
    difference = worth(DEARER, 7 * DAY, 28 * DAY) - worth(PRICE, 7 * DAY, 28 * DAY)
    at = MARCH - 7 * DAY
    stage.at(at)
    stage.rpc("evm_mine")
    quote = subscriptions.quote(subscription_id, dearer, 0)
    assert (quote.toPay, quote.credit, quote.nextDue) == (difference, 0, MARCH)
    values = stage.charged_of(stage.change_plan(payer, subscription_id, dearer, at=at))
    assert (stage.next_due(subscription_id), values["amount"]) == (MARCH, difference)
    assert stage.charge_as_previewed(subscription_id, at=MARCH) == [charged(subscription_id, 3, MARCH, APRIL, DEARER)]
    history = [(0, PRICE, stub), (1, PRICE, difference)]
    bounds_are(stage, subscription_id, history, [stub, difference, DEARER])


def test_E31_a_downgrade_within_a_stub_credits_no_more_than_it_cost(
    stage: Stage, subscriptions: Contract, payer: Account
) -> None:
    dear, cheap = (stage.create_plan(price=price, align_to=FIRST_OF_MONTH) for price in (DEARER, 1))
    for at in (MIDDLE + 17, MARCH - 3):
        subscription_id = stage.subscribe(payer, dear, at=at)
        stub = -(-DEARER * (MARCH - at) // (28 * DAY))
        stage.change_plan(payer, subscription_id, cheap, at=at)
        credit = subscriptions.subscription(subscription_id).credit
        assert credit == worth(DEARER, MARCH - at, 28 * DAY)
        assert stub - 1 <= credit <= stub


@pytest.mark.parametrize("to_aligned", [True, False])
def test_a_change_between_grids_begins_a_period_now(
    stage: Stage, payer: Account, aligned: int, to_aligned: bool
) -> None:
    own = stage.create_plan(price=DEARER)
    start = utc(2027, 2, 1)
    subscription_id = stage.subscribe(payer, own if to_aligned else aligned, at=start)
    price, new_price = (DEARER, PRICE) if to_aligned else (PRICE, DEARER)
    at = MIDDLE
    old_value = worth(price, MARCH - at, 28 * DAY)
    whole = -(-PRICE // 2) if to_aligned else DEARER
    used = min(old_value, whole)
    receipt = stage.change_plan(payer, subscription_id, aligned if to_aligned else own, at=at)
    values = stage.charged_of(receipt)
    end = MARCH if to_aligned else utc(2027, 3, 15)
    assert (values["periodStart"], values["periodEnd"], values["amount"]) == (at, end, whole - used)
    found = stage.subscriptions.subscription(subscription_id)
    assert (found.credit, found.nextDue, found.anchorDay) == (old_value - used, end, 1 if to_aligned else 15)
    credit = found.credit
    then = APRIL if to_aligned else utc(2027, 4, 15)
    now_used = min(credit, new_price)
    event = stage.charge_as_previewed(subscription_id, at=end)[-1]
    assert charge_of([event]) == (end, then, new_price - now_used)


def test_a_change_to_another_grid_of_the_same_periods_begins_a_period_now(
    stage: Stage, payer: Account, aligned: int
) -> None:
    mid_month = stage.create_plan(align_to=utc(2026, 1, 15))
    subscription_id = stage.subscribe(payer, aligned, at=utc(2027, 2, 1))
    values = stage.charged_of(stage.change_plan(payer, subscription_id, mid_month, at=utc(2027, 2, 8)))
    amount = -(-PRICE * 7 // 31)  # of 15 January to 15 February
    assert (values["periodEnd"], values["amount"]) == (MIDDLE, 0)
    assert stage.subscriptions.subscription(subscription_id).credit == worth(PRICE, 21 * DAY, 28 * DAY) - amount


def test_E24_a_change_that_was_scheduled_leads_to_the_grid(stage: Stage, payer: Account, aligned: int) -> None:
    own = stage.create_plan(price=DEARER)
    subscription_id = stage.subscribe(payer, own, at=MIDDLE)
    stage.schedule_change(payer, subscription_id, aligned)
    due = utc(2027, 3, 15)
    amount = -(-PRICE * 17 // 31)
    assert stage.charge_as_previewed(subscription_id, at=due) == [
        changed(subscription_id, aligned),
        charged(subscription_id, 2, due, APRIL, amount),
    ]
    assert stage.charge_as_previewed(subscription_id, at=APRIL) == [charged(subscription_id, 3, APRIL, MAY, PRICE)]
    history = [(1, DEARER, NO_CHARGE), (1, PRICE, amount)]
    bounds_are(stage, subscription_id, history, [DEARER, amount, PRICE])


# --- What else depends on it ---


def test_the_payers_maximum_is_for_what_a_stub_costs(stage: Stage, payer: Account, aligned: int) -> None:
    stub = -(-PRICE // 2)
    conditions = Conditions(max_per_period=stub)
    subscription_id = opened(stage, open_with(stage, payer, aligned, conditions, at=MIDDLE))
    (event,) = stage.charge_as_previewed(subscription_id, at=MARCH)
    assert event[1]["reason"] == DeclineReason.OVER_MANDATE
    over = conditions._replace(max_per_period=stub - 1)
    stage.at(MIDDLE + 10 * 365 * DAY)
    with reverts("FirstChargeDeclined", reason=DeclineReason.OVER_MANDATE, found=PRICE, allowed=stub - 1):
        open_with(stage, payer, aligned, over, at=utc(2037, 3, 1))


def test_a_stub_is_charged_beside_others_in_a_batch(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account]
) -> None:
    plan_id = stage.create_plan(trial=7 * DAY, align_to=FIRST_OF_MONTH)
    at = MIDDLE - 7 * DAY
    rows = [stage.subscribe(payer, plan_id, at=at + i) for i, payer in enumerate(payers)]
    token.approve(subscriptions, 0, sender=payers[1])
    token.approve(subscriptions, UNLIMITED, sender=payers[2])
    assert stage.charge(*rows, rows[0], at=MIDDLE + 10) == [
        PAID,
        DeclineReason.ALLOWANCE,
        PAID,
        PAID,
        DeclineReason.NOT_DUE,
    ]
    stubs = [-(-PRICE * (14 * DAY - i) // (28 * DAY)) for i in (0, 2, 3)]
    assert stage.totals() == (3, sum(stubs), 0, 0)
    assert token.balanceOf(stage.merchant) == sum(stubs)


# --- Whatever happens ---


class Step(NamedTuple):
    """What the payer does, and so many seconds before it."""

    verb: str
    wait_s: int
    plan: int = 0


KINDS = [
    Plan(PRICE, align_to=FIRST_OF_MONTH, catch_up=2),
    Plan(7_777_777, align_to=utc(2026, 1, 31, 5)),
    Plan(1_000_003, unit=Unit.WEEK, align_to=utc(2026, 1, 5, 1, 2, 3), catch_up=1),
    Plan(PRICE + 1),
    Plan(99, every=2, align_to=utc(2025, 12, 30), catch_up=255),
    Plan(1, every=10, unit=Unit.DAY),
]
STEPS = st.builds(
    Step,
    st.sampled_from(["charge", "charge", "charge", "schedule", "pause", "resume"]),
    st.integers(1, 5) | st.integers(1, 100 * DAY),
    st.integers(0, len(KINDS) - 1),
)


@pytest.mark.fuzz
@settings(max_examples=settings().max_examples // 5)  # each one is many transactions
@given(first=st.integers(0, len(KINDS) - 1), steps=st.lists(STEPS, min_size=4, max_size=12))
def test_E24_E25_any_life_is_charged_as_the_calendar_says(
    stage: Stage, subscriptions: Contract, payers: list[Account], first: int, steps: list[Step]
) -> None:
    payer, snapshot = payers[0], stage.rpc("evm_snapshot")
    plans = {kind: create(stage, kind) for kind in KINDS}
    now = stage.now + 10
    subscription_id = stage.subscribe(payer, plans[KINDS[first]], at=now)
    life = Life(KINDS[first], now)
    life.charge(now)
    for step in steps:
        now += step.wait_s
        if step.verb == "charge" and life.left is None:
            now = max(now, life.due) if step.plan % 2 else now
            events = stage.charge_as_previewed(subscription_id, at=now)
            if now < life.due:
                assert events[-1][1]["reason"] == DeclineReason.NOT_DUE
            else:
                assert charge_of(events) == life.charge(now)
        elif step.verb == "resume" and life.left is not None:
            stage.at(now)
            subscriptions.resume(subscription_id, sender=payer)
            life.resume(now)
        elif life.left is None and now < life.due and step.verb == "pause":
            stage.at(now)
            subscriptions.pause(subscription_id, sender=payer)
            life.pause(now)
        elif life.left is None and now < life.due and KINDS[step.plan] not in (life.plan, life.scheduled):
            stage.schedule_change(payer, subscription_id, plans[KINDS[step.plan]], at=now)
            life.scheduled = KINDS[step.plan]
    bounds_are(stage, subscription_id, life.history, life.paid)
    stage.rpc("evm_revert", snapshot)
