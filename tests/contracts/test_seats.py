"""Seats: a period costs the plan's price and so many times the price of a seat, within 96 bits."""

from __future__ import annotations

import pytest

from tallystick.core.subscription import DeclineReason
from tests.contracts.signing import Mandate, signed_mandate, signed_permit
from tests.contracts.stage import (
    FIRST_DUE,
    FUNDS,
    PRICE,
    SUBSCRIBED,
    UNLIMITED,
    Account,
    Contract,
    Stage,
    reverts,
    utc,
)

SEAT = 1_500_001
MOST = 2**96 - 1
MOST_SEATS = 2**24 - 1
PAID = DeclineReason.NONE


def test_subscribe_takes_the_price_and_that_of_each_seat(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account
) -> None:
    plan_id = stage.create_plan(seat_price=SEAT)
    stage.at(SUBSCRIBED)
    receipt = subscriptions.subscribe(plan_id, subscriptions.termsHash(plan_id), 3, sender=payer)
    amount = PRICE + 3 * SEAT
    assert stage.events(receipt) == [
        ("Subscribed", {"subscriptionId": 1, "payer": payer, "planId": plan_id, "firstDue": SUBSCRIBED}),
        ("SeatsSet", {"subscriptionId": 1, "seats": 3}),
        (
            "Charged",
            {
                "subscriptionId": 1,
                "chargeNumber": 1,
                "periodStart": SUBSCRIBED,
                "periodEnd": FIRST_DUE,
                "amount": amount,
            },
        ),
    ]
    found = subscriptions.subscription(1)
    assert (found.seats, found.credit, found.history) == (3, 0, 0)
    assert (token.balanceOf(payer), token.balanceOf(stage.merchant)) == (FUNDS - amount, amount)
    assert stage.totals() == (1, amount, 0, 0)


def test_charge_takes_the_same(stage: Stage, subscriptions: Contract, token: Contract, payer: Account) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(seat_price=SEAT), seats=7, at=SUBSCRIBED)
    amount = PRICE + 7 * SEAT
    stage.at(FIRST_DUE)
    ((name, charged),) = stage.events(subscriptions.charge([subscription_id], sender=stage.anyone))
    assert (name, charged["amount"], charged["periodEnd"]) == ("Charged", amount, utc(2027, 3, 31, 12))
    assert token.balanceOf(stage.merchant) == 2 * amount
    assert subscriptions.subscription(subscription_id).seats == 7


def test_a_plan_may_cost_its_seats_alone(stage: Stage, token: Contract, payer: Account) -> None:
    stage.subscribe(payer, stage.create_plan(price=0, seat_price=SEAT), seats=2)
    assert token.balanceOf(stage.merchant) == 2 * SEAT


def test_rows_of_a_batch_pay_for_their_own_seats(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account], monthly: int
) -> None:
    with_seats = stage.create_plan(seat_price=SEAT)
    rows = [stage.subscribe(payer, with_seats, seats=at + 1, at=SUBSCRIBED + at) for at, payer in enumerate(payers)]
    plain = stage.subscribe(payers[0], monthly)
    token.approve(subscriptions, PRICE + 2 * SEAT - 1, sender=payers[1])
    before = token.balanceOf(stage.merchant)
    outcomes = stage.charge(plain, *rows, rows[0], at=FIRST_DUE + 9)
    assert outcomes == [PAID, PAID, DeclineReason.ALLOWANCE, PAID, PAID, DeclineReason.NOT_DUE]
    assert token.balanceOf(stage.merchant) - before == 4 * PRICE + (1 + 3 + 4) * SEAT
    assert stage.totals() == (9, 9 * PRICE + (1 + 2 + 3 + 4 + 1 + 3 + 4) * SEAT, 0, 0)


def test_a_mandate_states_how_many(stage: Stage, subscriptions: Contract, token: Contract, payer: Account) -> None:
    mandate = Mandate(payer.address, stage.create_plan(seat_price=SEAT), seats=4)
    signature = signed_mandate(stage, payer, mandate)
    for seats in (0, 3, 5):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
            subscriptions.submitMandate(mandate._replace(seats=seats), signature, sender=stage.anyone)
    receipt = subscriptions.submitMandate(mandate, signature, sender=stage.anyone)
    names = [name for name, _ in stage.events(receipt)]
    assert names == ["Subscribed", "SeatsSet", "Charged", "MandateAccepted"]
    assert token.balanceOf(stage.merchant) == PRICE + 4 * SEAT


def test_a_permit_pays_for_them(stage: Stage, subscriptions: Contract, token: Contract, payer: Account) -> None:
    plan_id = stage.create_plan(seat_price=SEAT)
    permit = signed_permit(stage, token, payer, value=PRICE + 2 * SEAT)
    terms = subscriptions.termsHash(plan_id)
    subscriptions.subscribeWithPermit(plan_id, terms, 2, permit, sender=payer)
    assert (token.balanceOf(stage.merchant), token.allowance(payer, subscriptions)) == (PRICE + 2 * SEAT, 0)


def test_says_what_all_of_them_would_need(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account
) -> None:
    plan_id = stage.create_plan(seat_price=SEAT)
    needed = PRICE + 2 * SEAT
    token.approve(subscriptions, needed - 1, sender=payer)
    with stage.nothing_changes(), reverts("AllowanceTooLow", found=needed - 1, needed=needed):
        stage.subscribe(payer, plan_id, seats=2)


# --- How many ---


@pytest.mark.parametrize("seats", [1, 2**24, UNLIMITED])
def test_refuses_seats_where_none_are_sold(
    stage: Stage, subscriptions: Contract, payer: Account, monthly: int, seats: int
) -> None:
    rich = stage.create_plan(grace=1)  # a plan with more than a price, and no seats either
    for plan_id in (monthly, rich):
        with stage.nothing_changes(), reverts("SeatsOutOfRange", found=seats, allowed=0):
            stage.subscribe(payer, plan_id, seats=seats)
        mandate = Mandate(payer.address, plan_id, seats=seats)
        with stage.nothing_changes(), reverts("SeatsOutOfRange", found=seats, allowed=0):
            subscriptions.submitMandate(mandate, signed_mandate(stage, payer, mandate), sender=stage.anyone)


@pytest.mark.parametrize(
    ("price", "seat_price", "allowed"),
    [
        (PRICE, SEAT, MOST_SEATS),
        (0, 1, MOST_SEATS),
        (MOST - 10 * SEAT, SEAT, 10),
        (MOST - 11 * SEAT + 1, SEAT, 10),
        (0, MOST, 1),
        (1, MOST - 1, 1),
        (0, MOST // MOST_SEATS, MOST_SEATS),
        (0, MOST // MOST_SEATS + 1, MOST_SEATS - 1),
    ],
)
def test_E28_as_many_as_96_bits_and_24_bits_hold_and_no_more(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, price: int, seat_price: int, allowed: int
) -> None:
    plan_id = stage.create_plan(price=price, seat_price=seat_price)
    token.mint(payer, MOST, sender=payer)
    for seats in (0, allowed + 1, 2**24, 2**160, UNLIMITED):
        with stage.nothing_changes(), reverts("SeatsOutOfRange", found=seats, allowed=allowed):
            stage.subscribe(payer, plan_id, seats=seats)
    subscription_id = stage.subscribe(payer, plan_id, seats=allowed, at=SUBSCRIBED)
    amount = price + allowed * seat_price
    assert token.balanceOf(stage.merchant) == amount <= MOST
    assert subscriptions.subscription(subscription_id).seats == allowed
    token.mint(payer, MOST, sender=payer)
    assert stage.charge(subscription_id, at=FIRST_DUE) == [PAID]
    assert stage.totals() == (2, 2 * amount, 0, 0)


@pytest.mark.parametrize(("price", "seat_price"), [(MOST, 1), (1, MOST), (MOST, MOST)])
def test_E28_a_plan_whose_first_seat_is_too_much_sells_none(
    stage: Stage, payer: Account, price: int, seat_price: int
) -> None:
    plan_id = stage.create_plan(price=price, seat_price=seat_price)
    for seats in (0, 1):
        with stage.nothing_changes(), reverts("SeatsOutOfRange", found=seats, allowed=0):
            stage.subscribe(payer, plan_id, seats=seats)


def test_E36_a_refund_gives_back_what_the_seats_cost(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(seat_price=SEAT), seats=3)
    amount = PRICE + 3 * SEAT
    with stage.nothing_changes(), reverts("RefundTooHigh", requested=amount + 1, refundable=amount):
        subscriptions.refund(subscription_id, 1, amount + 1, sender=stage.merchant)
    subscriptions.refund(subscription_id, 1, amount, sender=stage.merchant)
    assert token.balanceOf(payer) == FUNDS
