"""scheduleChange, scheduleChangeBySignature: another plan or other seats when the paid period ends; no money before."""

from __future__ import annotations

from typing import Any

import pytest

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.proration import worth
from tests.contracts.signing import Conditions, plan_change_data, signed
from tests.contracts.special import open_with, opened
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    FUNDS,
    NO_CHARGE,
    PRICE,
    SUBSCRIBED,
    UNLIMITED,
    Account,
    Contract,
    Receipt,
    Stage,
    deploy,
    reverts,
    utc,
)
from tests.contracts.test_refund_changed import bounds_are

DEARER = 3 * PRICE
SECOND_DUE = utc(2027, 3, 31, 12)
HALF = utc(2027, 2, 14, 12)
PAID = DeclineReason.NONE


@pytest.fixture
def dearer(stage: Stage) -> int:
    """The merchant's other monthly plan."""
    return stage.create_plan(price=DEARER)


def scheduled(stage: Stage, subscription_id: int) -> tuple[int, int]:
    """Plan and seats from the next period on, or zeros."""
    found = stage.subscriptions.scheduledChange(subscription_id)
    return (found.planId, found.seats)


def charged(subscription_id: int, number: int, start: int, end: int, amount: int) -> tuple[str, dict[str, Any]]:
    """The event of a charge."""
    values = {"chargeNumber": number, "periodStart": start, "periodEnd": end, "amount": amount}
    return ("Charged", {"subscriptionId": subscription_id, **values})


def changed(subscription_id: int, plan_id: int, *, seats: int = 0, credit: int = 0) -> tuple[str, dict[str, Any]]:
    """The event of a change."""
    return ("PlanChanged", {"subscriptionId": subscription_id, "planId": plan_id, "seats": seats, "credit": credit})


# --- What it does ---


def test_nothing_moves_before_the_period_ends(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int, dearer: int
) -> None:
    before = subscriptions.subscription(subscribed)
    receipt = stage.schedule_change(payer, subscribed, dearer, at=HALF)
    told = {"subscriptionId": subscribed, "planId": dearer, "seats": 0}
    assert stage.events(receipt) == [("ChangeScheduled", told)]
    assert scheduled(stage, subscribed) == (dearer, 0)
    assert subscriptions.subscription(subscribed) == before
    assert (token.balanceOf(payer), stage.totals()) == (FUNDS - PRICE, (1, PRICE, 0, 0))
    assert stage.charge(subscribed, at=FIRST_DUE - 1) == [DeclineReason.NOT_DUE]


@pytest.mark.parametrize("price", [DEARER, PRICE - 1, 1])
def test_the_next_charge_is_of_the_new_plan(
    stage: Stage, token: Contract, payer: Account, subscribed: int, price: int
) -> None:
    plan_id = stage.create_plan(price=price)
    stage.schedule_change(payer, subscribed, plan_id, at=HALF)
    assert stage.charge_as_previewed(subscribed, at=FIRST_DUE) == [
        changed(subscribed, plan_id),
        charged(subscribed, 2, FIRST_DUE, SECOND_DUE, price),
    ]
    assert scheduled(stage, subscribed) == (0, 0)
    assert stage.subscriptions.subscription(subscribed).planId == plan_id
    assert token.balanceOf(payer) == FUNDS - PRICE - price
    third_due = utc(2027, 4, 30, 12)
    assert stage.charge_as_previewed(subscribed, at=SECOND_DUE) == [
        charged(subscribed, 3, SECOND_DUE, third_due, price)
    ]
    bounds_are(stage, subscribed, [(1, PRICE, NO_CHARGE)], [PRICE, price, price])


@pytest.mark.parametrize("seats", [1, 4, 900])
def test_seats_change_when_the_period_ends(stage: Stage, payer: Account, seats: int) -> None:
    plan_id = stage.create_plan(price=7, seat_price=5)
    subscription_id = stage.subscribe(payer, plan_id, seats=3, at=SUBSCRIBED)
    stage.schedule_change(payer, subscription_id, plan_id, seats=seats)
    assert scheduled(stage, subscription_id) == (plan_id, seats)
    assert stage.charge_as_previewed(subscription_id, at=FIRST_DUE) == [
        changed(subscription_id, plan_id, seats=seats),
        charged(subscription_id, 2, FIRST_DUE, SECOND_DUE, 7 + 5 * seats),
    ]
    assert stage.subscriptions.subscription(subscription_id).seats == seats
    bounds_are(stage, subscription_id, [(1, 22, NO_CHARGE)], [22, 7 + 5 * seats])


@pytest.mark.parametrize(
    ("every", "unit", "end", "then"),
    [
        (1, Unit.MONTH, SECOND_DUE, utc(2027, 4, 30, 12)),  # goes on from the 31st
        (3, Unit.MONTH, utc(2027, 5, 28, 12), utc(2027, 8, 28, 12)),  # begins on the 28th
        (1, Unit.YEAR, utc(2028, 2, 28, 12), utc(2029, 2, 28, 12)),
        (2, Unit.WEEK, FIRST_DUE + 14 * DAY, FIRST_DUE + 28 * DAY),
        (10, Unit.SECOND, FIRST_DUE + 10, FIRST_DUE + 20),
    ],
)
def test_E24_other_periods_begin_where_the_paid_one_ends(
    stage: Stage, payer: Account, subscribed: int, every: int, unit: Unit, end: int, then: int
) -> None:
    plan_id = stage.create_plan(price=5, every=every, unit=unit)
    stage.schedule_change(payer, subscribed, plan_id, at=HALF)
    _, first = stage.charge_as_previewed(subscribed, at=FIRST_DUE)
    (second,) = stage.charge_as_previewed(subscribed, at=end)
    assert first == charged(subscribed, 2, FIRST_DUE, end, 5)
    assert second == charged(subscribed, 3, end, then, 5)


@pytest.mark.parametrize("catch_up", [0, 1, 5])
def test_E22_missed_periods_are_the_new_plans(stage: Stage, payer: Account, subscribed: int, catch_up: int) -> None:
    daily = stage.create_plan(price=5, unit=Unit.DAY, catch_up=catch_up)
    stage.schedule_change(payer, subscribed, daily, at=HALF)
    now = FIRST_DUE + 3 * DAY + 7
    start = FIRST_DUE + (3 - min(3, catch_up)) * DAY
    _, event = stage.charge_as_previewed(subscribed, at=now)
    assert event == charged(subscribed, 2, start, start + DAY, 5)


def test_the_present_plan_and_seats_take_it_back(
    stage: Stage, payer: Account, subscribed: int, monthly: int, dearer: int
) -> None:
    stage.schedule_change(payer, subscribed, dearer)
    receipt = stage.schedule_change(payer, subscribed, monthly)
    assert stage.events(receipt) == [("ChangeScheduled", {"subscriptionId": subscribed, "planId": monthly, "seats": 0})]
    assert scheduled(stage, subscribed) == (0, 0)
    assert stage.charge_as_previewed(subscribed, at=FIRST_DUE) == [charged(subscribed, 2, FIRST_DUE, SECOND_DUE, PRICE)]
    stage.subscriptions.refund(subscribed, 2, PRICE, sender=stage.merchant)  # no history


def test_where_nothing_is_scheduled_there_is_nothing_to_take_back(
    stage: Stage, payer: Account, subscribed: int, monthly: int, dearer: int
) -> None:
    with stage.nothing_changes(), reverts("NothingToChange", subscriptionId=subscribed):
        stage.schedule_change(payer, subscribed, monthly)
    stage.schedule_change(payer, subscribed, dearer)
    stage.schedule_change(payer, subscribed, monthly)
    with stage.nothing_changes(), reverts("NothingToChange", subscriptionId=subscribed):
        stage.schedule_change(payer, subscribed, monthly)


def test_another_one_takes_its_place(stage: Stage, payer: Account, subscribed: int, dearer: int) -> None:
    cheaper = stage.create_plan(price=1)
    stage.schedule_change(payer, subscribed, dearer)
    stage.schedule_change(payer, subscribed, cheaper)
    assert scheduled(stage, subscribed) == (cheaper, 0)
    assert stage.charge_as_previewed(subscribed, at=FIRST_DUE)[0] == changed(subscribed, cheaper)


def test_a_change_at_once_takes_its_place(stage: Stage, payer: Account, subscribed: int, dearer: int) -> None:
    stage.schedule_change(payer, subscribed, stage.create_plan(price=1))
    stage.change_plan(payer, subscribed, dearer, at=HALF)
    assert scheduled(stage, subscribed) == (0, 0)
    difference = DEARER // 2 - PRICE // 2
    assert stage.charge_as_previewed(subscribed, at=FIRST_DUE) == [
        charged(subscribed, 3, FIRST_DUE, SECOND_DUE, DEARER)
    ]
    bounds_are(stage, subscribed, [(1, PRICE, difference)], [PRICE, difference, DEARER])


def test_credit_pays_the_new_plan_too(stage: Stage, payer: Account, subscribed: int, dearer: int) -> None:
    cheaper = stage.create_plan(price=1_000_000)
    stage.change_plan(payer, subscribed, cheaper, at=HALF)
    credit = worth(PRICE, 14 * DAY, 28 * DAY) - worth(1_000_000, 14 * DAY, 28 * DAY)
    stage.schedule_change(payer, subscribed, dearer)
    assert stage.charge_as_previewed(subscribed, at=FIRST_DUE) == [
        changed(subscribed, dearer, credit=credit),
        ("CreditUsed", {"subscriptionId": subscribed, "chargeNumber": 2, "amount": credit}),
        charged(subscribed, 2, FIRST_DUE, SECOND_DUE, DEARER - credit),
    ]
    history = [(1, PRICE, NO_CHARGE), (1, 1_000_000, NO_CHARGE), (1, DEARER, DEARER - credit)]
    bounds_are(stage, subscribed, history, [PRICE, DEARER - credit])


def test_a_decline_keeps_it(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int, dearer: int
) -> None:
    stage.schedule_change(payer, subscribed, dearer)
    token.approve(subscriptions, DEARER - 1, sender=payer)
    with stage.nothing_changes():
        (event,) = stage.charge_as_previewed(subscribed, at=FIRST_DUE)
    assert event[1]["reason"] == DeclineReason.ALLOWANCE
    assert scheduled(stage, subscribed) == (dearer, 0)
    token.approve(subscriptions, DEARER, sender=payer)
    assert [name for name, _ in stage.charge_as_previewed(subscribed, at=FIRST_DUE + DAY)] == ["PlanChanged", "Charged"]


def test_E25_a_pause_keeps_it(stage: Stage, payer: Account, subscribed: int, dearer: int) -> None:
    stage.schedule_change(payer, subscribed, dearer)
    stage.at(HALF)
    stage.subscriptions.pause(subscribed, sender=payer)
    stage.at(HALF + 20 * DAY)
    stage.subscriptions.resume(subscribed, sender=payer)
    due = HALF + 34 * DAY
    assert stage.charge_as_previewed(subscribed, at=due) == [
        changed(subscribed, dearer),
        charged(subscribed, 2, due, utc(2027, 4, 20, 12), DEARER),
    ]


@pytest.mark.parametrize("verb", ["cancel", "cancelAtPeriodEnd"])
def test_what_is_cancelled_does_not_change_any_more(
    stage: Stage, payer: Account, subscribed: int, monthly: int, dearer: int, verb: str
) -> None:
    stage.schedule_change(payer, subscribed, dearer)
    getattr(stage.subscriptions, verb)(subscribed, sender=payer)
    with stage.nothing_changes():
        stage.charge(subscribed, at=FIRST_DUE)
    assert stage.subscriptions.subscription(subscribed).planId == monthly


def test_in_the_trial_it_is_the_first_charge(stage: Stage, payer: Account) -> None:
    plan_id = stage.create_plan(trial=7 * DAY, family=2)
    other = stage.create_plan(price=DEARER, trial=DAY, family=2)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    stage.schedule_change(payer, subscription_id, other)
    due = SUBSCRIBED + 7 * DAY
    assert stage.charge_as_previewed(subscription_id, at=due) == [
        changed(subscription_id, other),
        charged(subscription_id, 1, due, utc(2027, 3, 7, 12), DEARER),
    ]
    stage.subscriptions.refund(subscription_id, 1, DEARER, sender=stage.merchant)


def test_it_is_charged_within_the_payers_maximum_only(stage: Stage, payer: Account, monthly: int, dearer: int) -> None:
    subscription_id = opened(stage, open_with(stage, payer, monthly, Conditions(max_per_period=PRICE), at=SUBSCRIBED))
    stage.schedule_change(payer, subscription_id, dearer)
    (event,) = stage.charge_as_previewed(subscription_id, at=FIRST_DUE)
    assert event[1]["reason"] == DeclineReason.OVER_MANDATE
    stage.subscriptions.setConditions(subscription_id, Conditions(max_per_period=DEARER), sender=payer)
    assert stage.charge(subscription_id) == [PAID]


def test_to_a_quoted_price_with_a_maximum_only(stage: Stage, project: Any, payer: Account, subscribed: int) -> None:
    quoter = project.MockQuoter.deploy(sender=stage.anyone)
    quoter.setRate(2_000_000, sender=stage.anyone)
    quoted = stage.create_plan(price=100, quoter=quoter)
    with stage.nothing_changes(), reverts("MaximumMissing", planId=quoted):
        stage.schedule_change(payer, subscribed, quoted)
    stage.subscriptions.setConditions(subscribed, Conditions(max_total=FUNDS), sender=payer)
    with stage.nothing_changes(), reverts("MaximumMissing", planId=quoted):
        stage.schedule_change(payer, subscribed, quoted)
    stage.subscriptions.setConditions(subscribed, Conditions(max_per_period=200), sender=payer)
    stage.schedule_change(payer, subscribed, quoted)
    assert stage.charge_as_previewed(subscribed, at=FIRST_DUE) == [
        changed(subscribed, quoted),
        ("Quoted", {"subscriptionId": subscribed, "chargeNumber": 2, "price": 100, "amount": 200}),
        charged(subscribed, 2, FIRST_DUE, SECOND_DUE, 200),
    ]
    bounds_are(stage, subscribed, [(1, PRICE, NO_CHARGE), (1, 100, 200)], [PRICE, 200])


# --- What it refuses ---


def test_nobody_but_the_payer_may(stage: Stage, payers: list[Account], subscribed: int, dearer: int) -> None:
    for sender in (stage.merchant, stage.anyone, payers[1]):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            stage.schedule_change(sender, subscribed, dearer)


@pytest.mark.parametrize("subscription_id", [0, 2, 2**63, UNLIMITED])
def test_refuses_what_does_not_exist(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, dearer: int, subscription_id: int
) -> None:
    assert subscribed == 1
    with stage.nothing_changes(), reverts("UnknownSubscription", subscriptionId=subscription_id):
        stage.schedule_change(payer, subscription_id, dearer)
    with stage.nothing_changes(), reverts("UnknownSubscription", subscriptionId=subscription_id):
        subscriptions.scheduleChangeBySignature(subscription_id, dearer, 0, 0, UNLIMITED, b"", sender=payer)
    with reverts("UnknownSubscription", subscriptionId=subscription_id):
        subscriptions.scheduledChange.transact(subscription_id, sender=payer)
    for plan_id in (0, dearer + 1, 2**32 + dearer):
        with stage.nothing_changes(), reverts("UnknownPlan", planId=plan_id):
            subscriptions.scheduleChange(subscribed, plan_id, bytes(32), 0, sender=payer)
        with stage.nothing_changes(), reverts("UnknownPlan", planId=plan_id):
            subscriptions.scheduleChangeBySignature(subscribed, plan_id, 0, 0, UNLIMITED, b"", sender=payer)


@pytest.mark.parametrize(
    ("verb", "status"),
    [("cancel", Status.CANCELLED), ("cancelAtPeriodEnd", Status.ENDING), ("pause", Status.PAUSED)],
)
def test_refuses_what_is_not_active(
    stage: Stage, payer: Account, subscribed: int, dearer: int, verb: str, status: Status
) -> None:
    getattr(stage.subscriptions, verb)(subscribed, sender=payer)
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=subscribed, status=status):
        stage.schedule_change(payer, subscribed, dearer)


@pytest.mark.parametrize(("offset_s", "works"), [(-1, True), (0, False), (1, False)])
def test_E20_not_once_a_charge_is_due(
    stage: Stage, payer: Account, subscribed: int, dearer: int, offset_s: int, works: bool
) -> None:
    stage.at(FIRST_DUE + offset_s)
    if works:
        stage.schedule_change(payer, subscribed, dearer)
        assert stage.now == FIRST_DUE - 1
        return
    terms = stage.subscriptions.termsHash(dearer)
    with stage.nothing_changes(), reverts("ChargeDue", subscriptionId=subscribed, due=FIRST_DUE):
        stage.subscriptions.scheduleChange(subscribed, dearer, terms, 0, sender=payer)


def test_E30_refuses_other_terms_than_the_payer_saw(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, monthly: int, dearer: int
) -> None:
    found, expected = (subscriptions.termsHash(plan_id) for plan_id in (dearer, monthly))
    with stage.nothing_changes(), reverts("TermsChanged", found=found, expected=expected):
        subscriptions.scheduleChange(subscribed, dearer, expected, 0, sender=payer)


def test_refuses_seats_that_the_plan_does_not_sell(stage: Stage, payer: Account, subscribed: int, dearer: int) -> None:
    by_seats = stage.create_plan(seat_price=2**95)
    for plan_id, seats, allowed in ((dearer, 1, 0), (by_seats, 0, 1), (by_seats, 2, 1)):
        with stage.nothing_changes(), reverts("SeatsOutOfRange", found=seats, allowed=allowed):
            stage.schedule_change(payer, subscribed, plan_id, seats=seats)


def test_refuses_a_plan_of_another_register(stage: Stage, project: Any, payer: Account, subscribed: int) -> None:
    other = project.MockToken.deploy("Other", "O", 6, sender=stage.anyone)
    plans = stage.create_plan(payee=stage.anyone), stage.create_plan(token=other)
    for found, plan_id in enumerate(plans, 1):
        with stage.nothing_changes(), reverts("AnotherRegister", found=found, expected=0):
            stage.schedule_change(payer, subscribed, plan_id)


def test_refuses_fixed_terms(stage: Stage, payer: Account, subscribed: int, dearer: int) -> None:
    limited, bound = stage.create_plan(max_charges=3), stage.create_plan(min_charges=2)
    for plan_id, charges in ((limited, 3), (bound, 2)):
        with stage.nothing_changes(), reverts("FixedTerm", planId=plan_id, charges=charges):
            stage.schedule_change(payer, subscribed, plan_id)
    ends = stage.subscribe(payer, limited)
    with stage.nothing_changes(), reverts("FixedTerm", planId=limited, charges=3):
        stage.schedule_change(payer, ends, dearer)
    early = stage.subscribe(payer, bound)
    with stage.nothing_changes(), reverts("MinimumTerm", charges=1, agreed=2):
        stage.schedule_change(payer, early, dearer)
    assert stage.charge(early, at=stage.next_due(early)) == [PAID]
    stage.schedule_change(payer, early, dearer)


def test_refuses_an_archived_plan_but_not_more_seats_of_it(stage: Stage, payer: Account) -> None:
    archived, by_seats = stage.create_plan(price=1), stage.create_plan(seat_price=5)
    subscription_id = stage.subscribe(payer, by_seats, seats=1)
    for plan_id in (archived, by_seats):
        stage.subscriptions.archivePlan(plan_id, sender=stage.merchant)
    with stage.nothing_changes(), reverts("PlanIsArchived", planId=archived):
        stage.schedule_change(payer, subscription_id, archived)
    stage.schedule_change(payer, subscription_id, by_seats, seats=2)


def test_E27_within_the_trial_to_its_family_alone(stage: Stage, payer: Account, dearer: int) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(trial=DAY, family=1))
    for plan_id in (dearer, stage.create_plan(trial=DAY, family=2), stage.create_plan(family=1)):
        with stage.nothing_changes(), reverts("TrialRunning", subscriptionId=subscription_id):
            stage.schedule_change(payer, subscription_id, plan_id)


def test_refuses_a_fee_for_the_payer(stage: Stage, payer: Account, subscribed: int) -> None:
    plan_id = stage.create_plan(fee_bps=1, fee_receiver=payer)
    with stage.nothing_changes(), reverts("PayerIsPayee", account=payer):
        stage.schedule_change(payer, subscribed, plan_id)


# --- By signature ---


def send(
    stage: Stage,
    payer: Account,
    subscription_id: int,
    plan_id: int,
    *,
    signature: bytes | None = None,
    seats: int = 0,
    salt: int = 0,
    valid_before: int = UNLIMITED,
) -> Receipt:
    """Anyone sends what the payer signed."""
    if signature is None:
        data = plan_change_data(stage, subscription_id, payer.address, plan_id, seats=seats, salt=salt)
        signature = signed(payer, data)
    return stage.subscriptions.scheduleChangeBySignature(
        subscription_id, plan_id, seats, salt, valid_before, signature, sender=stage.anyone
    )


def test_anyone_sends_what_the_payer_signed(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, subscribed: int
) -> None:
    by_seats = stage.create_plan(seat_price=5, every=2, unit=Unit.WEEK)
    receipt = send(stage, payer, subscribed, by_seats, seats=3, salt=600)
    told = {"subscriptionId": subscribed, "planId": by_seats, "seats": 3}
    assert stage.events(receipt) == [("ChangeScheduled", told)]
    assert scheduled(stage, subscribed) == (by_seats, 3)
    assert (subscriptions.isSaltUsed(payer, 600), token.balanceOf(payer)) == (True, FUNDS - PRICE)
    assert stage.charge_as_previewed(subscribed, at=FIRST_DUE) == [
        changed(subscribed, by_seats, seats=3),
        charged(subscribed, 2, FIRST_DUE, FIRST_DUE + 14 * DAY, PRICE + 15),
    ]


def test_E30_refuses_what_the_payer_did_not_sign(
    stage: Stage, payers: list[Account], subscribed: int, monthly: int
) -> None:
    payer = payers[0]
    by_seats = stage.create_plan(seat_price=5)
    right = plan_change_data(stage, subscribed, payer.address, by_seats, seats=2, salt=3)
    assert set(right["message"]) == {field["name"] for field in right["types"]["PlanChange"]}
    others = {
        "subscriptionId": subscribed + 1,
        "payer": payers[1].address,
        "planId": monthly,
        "pricePerPeriod": PRICE - 1,
        "pricePerSeat": 4,
        "seats": 1,
        "periodCount": 2,
        "periodUnit": "year",
        "terms": bytes(stage.subscriptions.termsHash(monthly)),
        "salt": 4,
        "validBefore": UNLIMITED - 1,
    }
    assert set(others) == set(right["message"])
    wrong = [signed(payer, right | {"message": right["message"] | {name: value}}) for name, value in others.items()]
    for signature in (*wrong, signed(payers[1], right), signed(stage.merchant, right), b"", bytes(65)):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
            send(stage, payer, subscribed, by_seats, seats=2, salt=3, signature=signature)
    send(stage, payer, subscribed, by_seats, seats=2, salt=3, signature=signed(payer, right))


def test_E12_is_good_for_this_contract_on_this_chain(
    stage: Stage, project: Any, payer: Account, subscribed: int, dearer: int
) -> None:
    twin = deploy(project, stage.anyone)
    for domain in ({"contract": twin.address}, {"chain_id": 1}):
        signature = signed(payer, plan_change_data(stage, subscribed, payer.address, dearer, **domain))
        with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
            send(stage, payer, subscribed, dearer, signature=signature)


def test_E17_is_good_once(stage: Stage, payer: Account, subscribed: int, monthly: int, dearer: int) -> None:
    send(stage, payer, subscribed, dearer, salt=9)
    stage.schedule_change(payer, subscribed, monthly)
    with stage.nothing_changes(), reverts("SaltUsed", payer=payer, salt=9):
        send(stage, payer, subscribed, dearer, salt=9)
    send(stage, payer, subscribed, dearer, salt=10)


def test_E17_revoked_it_is_refused(stage: Stage, payer: Account, subscribed: int, dearer: int) -> None:
    stage.subscriptions.revokeMandate(9, sender=payer)
    with stage.nothing_changes(), reverts("SaltUsed", payer=payer, salt=9):
        send(stage, payer, subscribed, dearer, salt=9)


@pytest.mark.parametrize(("offset_s", "works"), [(-1, True), (0, False), (1, False)])
def test_E20_is_good_before_validBefore(
    stage: Stage, payer: Account, subscribed: int, dearer: int, offset_s: int, works: bool
) -> None:
    signature = signed(payer, plan_change_data(stage, subscribed, payer.address, dearer, valid_before=HALF))
    stage.at(HALF + offset_s)
    if works:
        send(stage, payer, subscribed, dearer, valid_before=HALF, signature=signature)
        assert scheduled(stage, subscribed) == (dearer, 0)
        return
    with stage.nothing_changes(), reverts("SignatureExpired", validBefore=HALF, time=HALF + offset_s):
        send(stage, payer, subscribed, dearer, valid_before=HALF, signature=signature)


def test_a_contract_accounts_signature_counts(
    stage: Stage,
    project: Any,
    subscriptions: Contract,
    token: Contract,
    payers: list[Account],
    monthly: int,
    dearer: int,
) -> None:
    wallet = project.MockWallet.deploy(sender=stage.anyone)
    wallet.setSigner(payers[2], sender=stage.anyone)
    token.mint(wallet, FUNDS, sender=stage.anyone)
    wallet.execute(token, token.approve.encode_input(subscriptions, UNLIMITED), sender=stage.anyone)
    terms = subscriptions.termsHash(monthly)
    wallet.execute(subscriptions, subscriptions.subscribe.encode_input(monthly, terms, 0), sender=stage.anyone)
    data = plan_change_data(stage, 1, wallet.address, dearer)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=wallet):
        send(stage, wallet, 1, dearer, signature=signed(payers[1], data))
    send(stage, wallet, 1, dearer, signature=signed(payers[2], data))
    assert scheduled(stage, 1) == (dearer, 0)


def test_what_cannot_be_scheduled_uses_no_salt(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, monthly: int
) -> None:
    with stage.nothing_changes(), reverts("NothingToChange", subscriptionId=subscribed):
        send(stage, payer, subscribed, monthly, salt=1)
    assert not subscriptions.isSaltUsed(payer, 1)
