"""changePayer: another wallet pays from now on; both agreed, and to what holds at present alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.permit2 import FOREVER
from tests.contracts.signing import Conditions, Coupon, payer_change_data, signed
from tests.contracts.special import open_with, opened
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    FUNDS,
    NO_CHARGE,
    NOBODY,
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
from tests.contracts.test_schedule_change import charged, scheduled
from tests.contracts.test_set_fallback import set_fallback

EXPIRES = FIRST_DUE - DAY
SECOND_DUE = utc(2027, 3, 31, 12)
PAID = DeclineReason.NONE


@pytest.fixture
def heir(payers: list[Account]) -> Account:
    """Who pays from now on: the second payer, with funds and an unlimited allowance."""
    return payers[1]


def change_payer(
    stage: Stage,
    payer: Account,
    heir: Account,
    subscription_id: int,
    *,
    salt: int = 0,
    sender: Account | None = None,
    **changes: Any,
) -> Receipt:
    """Both wallets sign and anyone sends it."""
    data = payer_change_data(stage, subscription_id, payer.address, heir.address, salt=salt, **changes)
    valid_before = changes.get("valid_before", UNLIMITED)
    return stage.subscriptions.changePayer(
        subscription_id,
        heir,
        salt,
        valid_before,
        signed(payer, data),
        signed(heir, data),
        sender=sender or stage.anyone,
    )


# --- What it does ---


def test_the_other_wallet_pays_from_now_on(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, heir: Account, subscribed: int
) -> None:
    before = subscriptions.subscription(subscribed)
    receipt = change_payer(stage, payer, heir, subscribed, salt=7)
    told = {"subscriptionId": subscribed, "payer": payer, "newPayer": heir}
    assert stage.events(receipt) == [("PayerChanged", told)]
    found = subscriptions.subscription(subscribed)
    assert tuple(found) == (heir, *tuple(before)[1:])
    assert (subscriptions.isSaltUsed(payer, 7), subscriptions.isSaltUsed(heir, 7)) == (True, False)
    assert (token.balanceOf(payer), token.balanceOf(heir), stage.totals()) == (FUNDS - PRICE, FUNDS, (1, PRICE, 0, 0))
    assert subscriptions.beneficiary(subscribed) == heir
    assert stage.charge_as_previewed(subscribed, at=FIRST_DUE) == [charged(subscribed, 2, FIRST_DUE, SECOND_DUE, PRICE)]
    assert (token.balanceOf(payer), token.balanceOf(heir)) == (FUNDS - PRICE, FUNDS - PRICE)


@pytest.mark.parametrize("who", ["payer", "heir"])
def test_who_sends_it_needs_no_signature(
    stage: Stage, subscriptions: Contract, payer: Account, heir: Account, subscribed: int, who: str
) -> None:
    data = payer_change_data(stage, subscribed, payer.address, heir.address)
    signatures = (b"", signed(heir, data)) if who == "payer" else (signed(payer, data), b"")
    sender = payer if who == "payer" else heir
    subscriptions.changePayer(subscribed, heir, 0, UNLIMITED, *signatures, sender=sender)
    assert subscriptions.subscription(subscribed).payer == heir


def test_the_new_one_decides_and_the_old_one_no_more(
    stage: Stage, subscriptions: Contract, payer: Account, heir: Account, subscribed: int
) -> None:
    change_payer(stage, payer, heir, subscribed)
    other = stage.create_plan(price=1)
    refused: list[Callable[[], object]] = [
        lambda: subscriptions.cancel(subscribed, sender=payer),
        lambda: subscriptions.pause(subscribed, sender=payer),
        lambda: subscriptions.setConditions(subscribed, Conditions(), sender=payer),
        lambda: stage.change_plan(payer, subscribed, other),
        lambda: stage.schedule_change(payer, subscribed, other),
        lambda: set_fallback(stage, payer, heir, subscribed),
    ]
    for action in refused:
        with stage.nothing_changes(), reverts("NotAuthorized", caller=payer):
            action()
    subscriptions.stop([subscribed], [], sender=payer)
    assert stage.status(subscribed) == Status.ACTIVE
    stage.schedule_change(heir, subscribed, other)
    subscriptions.cancel(subscribed, sender=heir)


def test_E36_refunds_go_to_the_new_one(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, heir: Account, subscribed: int
) -> None:
    change_payer(stage, payer, heir, subscribed)
    subscriptions.refund(subscribed, 1, PRICE, sender=stage.merchant)
    assert (token.balanceOf(payer), token.balanceOf(heir)) == (FUNDS - PRICE, FUNDS + PRICE)
    with stage.nothing_changes(), reverts("RefundTooHigh", requested=1, refundable=0):
        subscriptions.refund(subscribed, 1, 1, sender=stage.merchant)


def test_credit_seats_and_history_stay(stage: Stage, payer: Account, heir: Account) -> None:
    by_seats = stage.create_plan(seat_price=1_000)
    subscription_id = stage.subscribe(payer, by_seats, seats=9, at=SUBSCRIBED)
    stage.change_plan(payer, subscription_id, by_seats, seats=1, at=utc(2027, 2, 14, 12))
    change_payer(stage, payer, heir, subscription_id)
    found = stage.subscriptions.subscription(subscription_id)
    assert (found.seats, found.credit) == (1, 4_000)
    rate = PRICE + 1_000
    names = [name for name, _ in stage.charge_as_previewed(subscription_id, at=FIRST_DUE)]
    assert names == ["CreditUsed", "Charged"]
    history = [(1, PRICE + 9_000, NO_CHARGE), (1, rate, rate - 4_000)]
    bounds_are(stage, subscription_id, history, [PRICE + 9_000, rate - 4_000])


def test_conditions_and_a_running_discount_go_along(
    stage: Stage, subscriptions: Contract, payer: Account, heir: Account, monthly: int
) -> None:
    conditions = Conditions(PRICE, 3 * PRICE, ends_at=SECOND_DUE + 5, beneficiary=stage.anyone.address)
    coupon = Coupon(basis_points_off=1_000, periods=2)
    subscription_id = opened(stage, open_with(stage, payer, monthly, conditions, coupon=coupon, at=SUBSCRIBED))
    before = subscriptions.conditions(subscription_id)
    change_payer(stage, payer, heir, subscription_id)
    assert subscriptions.conditions(subscription_id) == before
    assert subscriptions.beneficiary(subscription_id) == stage.anyone
    assert stage.charge_as_previewed(subscription_id, at=FIRST_DUE)[-1][1]["amount"] == PRICE - PRICE // 10
    assert stage.charge(subscription_id, at=SECOND_DUE + 5) == [DeclineReason.ENDED]


def test_E30_what_was_scheduled_is_dropped(
    stage: Stage, payer: Account, heir: Account, subscribed: int, monthly: int
) -> None:
    stage.schedule_change(payer, subscribed, stage.create_plan(price=5 * PRICE))
    receipt = change_payer(stage, payer, heir, subscribed)
    assert stage.events(receipt)[0] == (
        "ChangeScheduled",
        {"subscriptionId": subscribed, "planId": monthly, "seats": 0},
    )
    assert [name for name, _ in stage.events(receipt)] == ["ChangeScheduled", "PayerChanged"]
    assert scheduled(stage, subscribed) == (0, 0)
    assert stage.charge_as_previewed(subscribed, at=FIRST_DUE)[0][1]["amount"] == PRICE


def test_a_fallback_wallet_is_dropped(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account], subscribed: int
) -> None:
    set_fallback(stage, payers[0], payers[2], subscribed)
    receipt = change_payer(stage, payers[0], payers[1], subscribed)
    assert stage.events(receipt)[0] == ("FallbackSet", {"subscriptionId": subscribed, "wallet": NOBODY})
    assert subscriptions.fallbackWallet(subscribed).wallet == NOBODY
    token.approve(subscriptions, 0, sender=payers[1])
    assert stage.charge(subscribed, at=FIRST_DUE) == [DeclineReason.ALLOWANCE]
    assert token.balanceOf(payers[2]) == FUNDS


def test_the_new_one_is_not_charged_through_permit2(
    stage: Stage,
    subscriptions: Contract,
    token: Contract,
    permit2: Contract,
    payer: Account,
    heir: Account,
    monthly: int,
) -> None:
    for wallet in (payer, heir):
        token.approve(permit2, UNLIMITED, sender=wallet)
        permit2.approve(token, subscriptions, 10 * PRICE, FOREVER, sender=wallet)
    subscription_id = opened(stage, open_with(stage, payer, monthly, Conditions(by_permit2=True), at=SUBSCRIBED))
    change_payer(stage, payer, heir, subscription_id)
    assert not Conditions(*subscriptions.conditions(subscription_id).found).by_permit2
    token.approve(subscriptions, 0, sender=heir)
    assert stage.charge(subscription_id, at=FIRST_DUE) == [DeclineReason.ALLOWANCE]
    token.approve(subscriptions, PRICE, sender=heir)
    assert stage.charge(subscription_id) == [PAID]
    assert permit2.allowance(heir, token, subscriptions).amount == 10 * PRICE


@pytest.mark.parametrize(("verb", "status"), [("pause", Status.PAUSED), ("cancelAtPeriodEnd", Status.ENDING)])
def test_what_is_paused_or_ending_may_be_handed_over(
    stage: Stage, subscriptions: Contract, payer: Account, heir: Account, subscribed: int, verb: str, status: Status
) -> None:
    getattr(subscriptions, verb)(subscribed, sender=payer)
    stage.at(FIRST_DUE + DAY)  # nothing is due of it
    change_payer(stage, payer, heir, subscribed)
    assert (subscriptions.subscription(subscribed).payer, stage.status(subscribed)) == (heir, status)


def test_E27_the_new_one_has_had_the_trial(
    stage: Stage, subscriptions: Contract, payer: Account, heir: Account
) -> None:
    plan_id = stage.create_plan(trial=7 * DAY, family=1)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    change_payer(stage, payer, heir, subscription_id)
    assert subscriptions.isTrialUsed(plan_id, heir)
    second = stage.subscribe(heir, stage.create_plan(trial=DAY, family=1))
    assert stage.charges(second) == 1


def test_there_and_back_again(stage: Stage, token: Contract, payer: Account, heir: Account, subscribed: int) -> None:
    change_payer(stage, payer, heir, subscribed)
    change_payer(stage, heir, payer, subscribed, salt=1)
    stage.charge(subscribed, at=FIRST_DUE)
    assert (token.balanceOf(payer), token.balanceOf(heir)) == (FUNDS - 2 * PRICE, FUNDS)
    with stage.nothing_changes(), reverts("SaltUsed", payer=payer, salt=0):
        change_payer(stage, payer, heir, subscribed)


# --- What it refuses ---


@pytest.mark.parametrize(("offset_s", "works"), [(-1, True), (0, False), (1, False)])
def test_E20_is_good_before_validBefore(
    stage: Stage, subscriptions: Contract, payer: Account, heir: Account, subscribed: int, offset_s: int, works: bool
) -> None:
    data = payer_change_data(stage, subscribed, payer.address, heir.address, valid_before=EXPIRES)
    arguments = (subscribed, heir, 0, EXPIRES, signed(payer, data), signed(heir, data))
    stage.at(EXPIRES + offset_s)
    if works:
        subscriptions.changePayer(*arguments, sender=stage.anyone)
        return
    with stage.nothing_changes(), reverts("SignatureExpired", validBefore=EXPIRES, time=EXPIRES + offset_s):
        subscriptions.changePayer(*arguments, sender=stage.anyone)


@pytest.mark.parametrize(("offset_s", "works"), [(-1, True), (0, False), (1, False)])
def test_E20_what_is_due_is_the_old_ones(
    stage: Stage, subscriptions: Contract, payer: Account, heir: Account, subscribed: int, offset_s: int, works: bool
) -> None:
    data = payer_change_data(stage, subscribed, payer.address, heir.address)
    arguments = (subscribed, heir, 0, UNLIMITED, signed(payer, data), signed(heir, data))
    stage.at(FIRST_DUE + offset_s)
    if works:
        subscriptions.changePayer(*arguments, sender=stage.anyone)
        return
    with stage.nothing_changes(), reverts("ChargeDue", subscriptionId=subscribed, due=FIRST_DUE):
        subscriptions.changePayer(*arguments, sender=stage.anyone)


def test_E22_nobody_inherits_arrears(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, heir: Account
) -> None:
    plan_id = stage.create_plan(catch_up=255, unit=Unit.DAY, price=1_000)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    data = payer_change_data(stage, subscription_id, payer.address, heir.address)
    arguments = (subscription_id, heir, 0, UNLIMITED, b"", signed(heir, data))
    missed = 5
    stage.at(SUBSCRIBED + (missed + 1) * DAY + 100)
    for number in range(missed + 1):
        due = SUBSCRIBED + (number + 1) * DAY
        with stage.nothing_changes(), reverts("ChargeDue", subscriptionId=subscription_id, due=due):
            subscriptions.changePayer(*arguments, sender=payer)
        assert stage.charge(subscription_id) == [PAID]
    subscriptions.changePayer(*arguments, sender=payer)
    assert stage.charge(subscription_id) == [DeclineReason.NOT_DUE]
    assert token.balanceOf(heir) == FUNDS


@pytest.mark.parametrize("subscription_id", [0, 2, 2**63, UNLIMITED])
def test_refuses_what_does_not_exist(
    stage: Stage, subscriptions: Contract, payer: Account, heir: Account, subscribed: int, subscription_id: int
) -> None:
    assert subscribed == 1
    with stage.nothing_changes(), reverts("UnknownSubscription", subscriptionId=subscription_id):
        subscriptions.changePayer(subscription_id, heir, 0, UNLIMITED, b"", b"", sender=payer)


def test_refuses_what_has_been_cancelled(stage: Stage, payer: Account, heir: Account, subscribed: int) -> None:
    stage.subscriptions.cancel(subscribed, sender=payer)
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=subscribed, status=Status.CANCELLED):
        change_payer(stage, payer, heir, subscribed)


def test_refuses_nobody_the_same_one_the_payee_and_the_receiver_of_its_fee(
    stage: Stage, accounts: Any, subscriptions: Contract, payer: Account
) -> None:
    platform = accounts[8]
    subscription_id = stage.subscribe(payer, stage.create_plan(fee_bps=1, fee_receiver=platform))
    with stage.nothing_changes(), reverts("ZeroAddress"):
        subscriptions.changePayer(subscription_id, NOBODY, 0, UNLIMITED, b"", b"", sender=payer)
    with stage.nothing_changes(), reverts("NothingToChange", subscriptionId=subscription_id):
        change_payer(stage, payer, payer, subscription_id)
    for account in (stage.merchant, platform):
        with stage.nothing_changes(), reverts("PayerIsPayee", account=account):
            change_payer(stage, payer, account, subscription_id)


def test_E30_refuses_what_either_did_not_sign(
    stage: Stage, subscriptions: Contract, payers: list[Account], monthly: int
) -> None:
    payer, heir, other = payers[:3]
    conditions = Conditions(max_per_period=2 * PRICE, ends_at=SECOND_DUE)
    subscription_id = opened(stage, open_with(stage, payer, monthly, conditions, at=SUBSCRIBED))
    right = payer_change_data(stage, subscription_id, payer.address, heir.address, salt=3)
    assert set(right["message"]) == {field["name"] for field in right["types"]["PayerChange"]}
    others = {
        "subscriptionId": subscription_id + 1,
        "payer": other.address,
        "newPayer": other.address,
        "terms": bytes(stage.subscriptions.termsHash(stage.create_plan(price=1))),
        "seats": 1,
        "maxPerPeriod": 2 * PRICE - 1,
        "endsAt": 0,
        "salt": 4,
        "validBefore": UNLIMITED - 1,
    }
    assert set(others) == set(right["message"])
    tampered = [right | {"message": right["message"] | {name: value}} for name, value in others.items()]
    good = {key: signed(key, right) for key in (payer, heir)}

    def sent(by_payer: bytes, by_heir: bytes) -> None:
        arguments = (subscription_id, heir, 3, UNLIMITED, by_payer, by_heir)
        subscriptions.changePayer(*arguments, sender=stage.anyone)

    for signature in (*(signed(payer, data) for data in tampered), good[heir], b"", bytes(65)):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
            sent(signature, good[heir])
    for signature in (*(signed(heir, data) for data in tampered), good[payer], b"", bytes(65)):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=heir):
            sent(good[payer], signature)
    sent(good[payer], good[heir])


@pytest.mark.parametrize("more", [{"max_per_period": 2**96 - 1}, {"ends_at": 0}, {"max_per_period": 0}])
def test_E30_the_old_one_cannot_widen_what_the_new_one_signed(
    stage: Stage, project: Any, subscriptions: Contract, payer: Account, heir: Account, more: dict[str, Any]
) -> None:
    agreed = Conditions(max_per_period=1_100_000, ends_at=SECOND_DUE)
    plan_id = stage.create_plan(price=100)
    if more.get("max_per_period") != 0:
        plan_id = stage.create_plan(price=100, quoter=project.MockQuoter.deploy(sender=stage.anyone))
    subscription_id = opened(stage, open_with(stage, payer, plan_id, agreed, at=SUBSCRIBED))
    signature = signed(heir, payer_change_data(stage, subscription_id, payer.address, heir.address))
    subscriptions.setConditions(subscription_id, agreed._replace(**more), sender=payer)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=heir):
        subscriptions.changePayer(subscription_id, heir, 0, UNLIMITED, b"", signature, sender=payer)


@pytest.mark.parametrize("at_once", [True, False])
def test_E30_the_old_one_cannot_change_the_plan_before(
    stage: Stage, payer: Account, heir: Account, subscribed: int, monthly: int, at_once: bool
) -> None:
    signature = signed(heir, payer_change_data(stage, subscribed, payer.address, heir.address))
    dearer = stage.create_plan(price=5 * PRICE)
    (stage.change_plan if at_once else stage.schedule_change)(payer, subscribed, dearer)
    arguments = (subscribed, heir, 0, UNLIMITED, b"", signature)
    if at_once:
        with stage.nothing_changes(), reverts("InvalidSignature", signer=heir):
            stage.subscriptions.changePayer(*arguments, sender=payer)
        return
    stage.subscriptions.changePayer(*arguments, sender=payer)
    stage.charge(subscribed, at=FIRST_DUE)
    assert stage.subscriptions.subscription(subscribed).planId == monthly


def test_E12_is_good_for_this_contract_on_this_chain(
    stage: Stage, project: Any, payer: Account, heir: Account, subscribed: int
) -> None:
    twin = deploy(project, stage.anyone)
    for domain in ({"contract": twin.address}, {"chain_id": 1}):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
            change_payer(stage, payer, heir, subscribed, **domain)


@pytest.mark.parametrize("who", ["payer", "heir"])
def test_E17_either_revokes_what_they_signed(
    stage: Stage, subscriptions: Contract, payer: Account, heir: Account, subscribed: int, who: str
) -> None:
    wallet = payer if who == "payer" else heir
    subscriptions.revokeMandate(5, sender=wallet)
    with stage.nothing_changes(), reverts("SaltUsed", payer=wallet, salt=5):
        change_payer(stage, payer, heir, subscribed, salt=5)
    change_payer(stage, payer, heir, subscribed, salt=6)


def test_E17_what_the_old_one_signed_before_is_worthless(
    stage: Stage, subscriptions: Contract, payers: list[Account], subscribed: int
) -> None:
    payer, heir, third = payers[:3]
    data = payer_change_data(stage, subscribed, payer.address, third.address, salt=1)
    change_payer(stage, payer, heir, subscribed)
    arguments = (subscribed, third, 1, UNLIMITED, signed(payer, data), signed(third, data))
    with stage.nothing_changes(), reverts("InvalidSignature", signer=heir):
        subscriptions.changePayer(*arguments, sender=stage.anyone)


def test_a_contract_accounts_signature_counts(
    stage: Stage, project: Any, subscriptions: Contract, token: Contract, payers: list[Account], subscribed: int
) -> None:
    wallet = project.MockWallet.deploy(sender=stage.anyone)
    wallet.setSigner(payers[2], sender=stage.anyone)
    token.mint(wallet, PRICE, sender=stage.anyone)
    wallet.execute(token, token.approve.encode_input(subscriptions, UNLIMITED), sender=stage.anyone)
    data = payer_change_data(stage, subscribed, payers[0].address, wallet.address)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=wallet):
        subscriptions.changePayer(subscribed, wallet, 0, UNLIMITED, b"", signed(payers[1], data), sender=payers[0])
    subscriptions.changePayer(subscribed, wallet, 0, UNLIMITED, b"", signed(payers[2], data), sender=payers[0])
    assert stage.charge(subscribed, at=FIRST_DUE) == [PAID]
    assert token.balanceOf(wallet) == 0
