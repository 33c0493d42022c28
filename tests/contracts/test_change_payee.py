"""changePayee: a register, with its plans, subscriptions and totals, goes to another payee; both sign."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.signing import (
    NO_COUPON,
    Coupon,
    Mandate,
    MandateWithConditions,
    mandate_data,
    mandate_with_conditions_data,
    payee_change_data,
    signed,
    signed_coupon,
)
from tests.contracts.special import open_with, opened
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    FUNDS,
    NOBODY,
    PRICE,
    REGISTER,
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
from tests.contracts.test_schedule_change import charged

EXPIRES = FIRST_DUE - DAY
SECOND_DUE = utc(2027, 3, 31, 12)
PAID = DeclineReason.NONE


@pytest.fixture
def buyer(stage: Stage, accounts: Any) -> Account:
    """Who is paid from now on; has approved refunds."""
    stage.token.approve(stage.subscriptions, UNLIMITED, sender=accounts[9])
    return accounts[9]


@pytest.fixture
def sold(stage: Stage, buyer: Account, subscribed: int) -> int:
    """The first payer's subscription, whose register the merchant has handed over."""
    change_payee(stage, stage.merchant, buyer)
    return subscribed


def change_payee(
    stage: Stage, payee: Account, buyer: Account, *, token: Contract | None = None, salt: int = 0, **changes: Any
) -> Receipt:
    """Both payees sign and anyone sends it."""
    token = token or stage.token
    data = payee_change_data(stage, payee.address, buyer.address, token=token.address, salt=salt, **changes)
    valid_before = changes.get("valid_before", UNLIMITED)
    signatures = (signed(payee, data), signed(buyer, data))
    return stage.subscriptions.changePayee(payee, token, buyer, salt, valid_before, *signatures, sender=stage.anyone)


# --- What it does ---


def test_the_register_belongs_to_the_other_payee(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, buyer: Account, subscribed: int
) -> None:
    stage.subscriptions.refund(subscribed, 1, 1_000, sender=stage.merchant)
    terms, before = subscriptions.termsHash(1), subscriptions.subscription(subscribed)
    totals = tuple(subscriptions.controlTotals(stage.merchant, token))
    receipt = change_payee(stage, stage.merchant, buyer, salt=7)
    told = {"registerId": 0, "payee": stage.merchant, "newPayee": buyer}
    assert stage.events(receipt) == [("PayeeChanged", told)]
    assert (subscriptions.payeeOf(0), subscriptions.registerCount()) == (buyer, 1)
    assert (subscriptions.isSaltUsed(stage.merchant, 7), subscriptions.isSaltUsed(buyer, 7)) == (True, False)
    assert tuple(subscriptions.controlTotals(buyer, token)) == totals
    assert stage.totals(buyer) == (1, PRICE, 1, 1_000)
    assert (stage.opened(), stage.totals()) == (0, (0, 0, 0, 0))
    assert (subscriptions.termsHash(1), subscriptions.subscription(subscribed)) == (terms, before)
    assert subscriptions.plan(1).payee == stage.merchant  # as it was agreed to
    assert (token.balanceOf(stage.merchant), token.balanceOf(payer)) == (PRICE - 1_000, FUNDS - PRICE + 1_000)


def test_charges_go_to_the_new_one(
    stage: Stage, token: Contract, payers: list[Account], buyer: Account, sold: int, monthly: int
) -> None:
    """Alone and side by side, opened before and after."""
    rows = [sold, *(stage.subscribe(payer, monthly, at=SUBSCRIBED + DAY + i) for i, payer in enumerate(payers[1:]))]
    assert rows == [1, 2, 3, 4]
    assert (token.balanceOf(stage.merchant), token.balanceOf(buyer)) == (PRICE, 3 * PRICE)
    assert stage.charge_as_previewed(sold, at=FIRST_DUE) == [charged(sold, 2, FIRST_DUE, SECOND_DUE, PRICE)]
    assert stage.charge(*rows, at=FIRST_DUE + 2 * DAY) == [DeclineReason.NOT_DUE, PAID, PAID, PAID]
    assert (token.balanceOf(stage.merchant), token.balanceOf(buyer)) == (PRICE, 7 * PRICE)
    assert stage.totals(buyer) == (8, 8 * PRICE, 0, 0)
    assert stage.opened(buyer) == 4


def test_charges_with_a_fee_seats_credit_and_conditions_go_to_the_new_one(
    stage: Stage, accounts: Any, token: Contract, payers: list[Account], buyer: Account
) -> None:
    platform = accounts[8]
    plan_id = stage.create_plan(seat_price=1_000, fee_bps=100, fee_receiver=platform)
    subscription_id = stage.subscribe(payers[0], plan_id, seats=9, at=SUBSCRIBED)
    special = opened(stage, open_with(stage, payers[1], plan_id, seats=2, coupon=Coupon(amount_off=5, periods=2)))
    stage.change_plan(payers[0], subscription_id, plan_id, seats=1, at=utc(2027, 2, 14, 12))
    before = token.balanceOf(stage.merchant), token.balanceOf(platform)
    change_payee(stage, stage.merchant, buyer)
    assert stage.charge(subscription_id, special, at=FIRST_DUE + DAY) == [PAID, PAID]
    amounts = [PRICE + 1_000 - 4_000, PRICE + 2_000 - 5]
    fees = [amount // 100 for amount in amounts]
    assert token.balanceOf(buyer) == sum(amounts) - sum(fees)
    assert (token.balanceOf(stage.merchant), token.balanceOf(platform)) == (before[0], before[1] + sum(fees))


def test_changes_and_usage_are_paid_to_the_new_one(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, buyer: Account
) -> None:
    plan_id = stage.create_plan(usage_cap=PRICE, usage_price=10**6)
    dearer = stage.create_plan(price=3 * PRICE)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    change_payee(stage, stage.merchant, buyer)
    with stage.nothing_changes(), reverts("NotAuthorized", caller=stage.merchant):
        subscriptions.chargeUsage(subscription_id, 2, 5, 5, bytes(32), sender=stage.merchant)
    subscriptions.chargeUsage(subscription_id, 2, 5, 5, bytes(32), sender=buyer)
    stage.change_plan(payer, subscription_id, dearer, at=utc(2027, 2, 14, 12))
    difference = 3 * PRICE // 2 - PRICE // 2
    assert (token.balanceOf(stage.merchant), token.balanceOf(buyer)) == (PRICE, 5 + difference)
    assert stage.totals(buyer) == (3, PRICE + 5 + difference, 0, 0)


def test_E36_refunds_are_the_new_ones_of_what_the_old_one_was_paid_too(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, buyer: Account, sold: int
) -> None:
    with stage.nothing_changes(), reverts("BalanceTooLow", found=0, needed=PRICE):
        subscriptions.refund(sold, 1, PRICE, sender=buyer)
    token.mint(buyer, PRICE, sender=buyer)
    subscriptions.refund(sold, 1, PRICE, sender=buyer)
    assert (token.balanceOf(payer), token.balanceOf(stage.merchant), token.balanceOf(buyer)) == (FUNDS, PRICE, 0)
    assert stage.totals(buyer) == (1, PRICE, 1, PRICE)
    with stage.nothing_changes(), reverts("RefundTooHigh", requested=1, refundable=0):
        subscriptions.refund(sold, 1, 1, sender=buyer)


def test_E07_what_is_kept_for_the_old_one_stays_theirs(
    stage: Stage, subscriptions: Contract, usdc: Contract, payer: Account, buyer: Account
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=usdc), at=SUBSCRIBED)
    usdc.blacklist(stage.merchant, sender=stage.anyone)
    stage.charge(subscription_id, at=FIRST_DUE)
    change_payee(stage, stage.merchant, buyer, token=usdc)
    assert (subscriptions.claimable(stage.merchant, usdc), subscriptions.claimable(buyer, usdc)) == (PRICE, 0)
    with reverts("NothingToClaim", account=buyer, token=usdc):
        subscriptions.claim(buyer, usdc, sender=buyer)
    assert stage.charge(subscription_id, at=SECOND_DUE) == [PAID]
    usdc.unBlacklist(stage.merchant, sender=stage.anyone)
    subscriptions.claim(stage.merchant, usdc, sender=buyer)
    assert (usdc.balanceOf(stage.merchant), usdc.balanceOf(buyer)) == (2 * PRICE, PRICE)


def test_E07_what_the_new_one_cannot_receive_is_kept_for_them(
    stage: Stage, subscriptions: Contract, usdc: Contract, payer: Account, buyer: Account
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=usdc), at=SUBSCRIBED)
    change_payee(stage, stage.merchant, buyer, token=usdc)
    usdc.blacklist(buyer, sender=stage.anyone)
    assert stage.charge(subscription_id, at=FIRST_DUE) == [PAID]
    assert (subscriptions.claimable(buyer, usdc), subscriptions.claimable(stage.merchant, usdc)) == (PRICE, 0)


def test_the_new_one_does_what_payees_do(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account], buyer: Account, sold: int
) -> None:
    lower = stage.create_plan(payee=buyer, price=PRICE - 1)
    assert (subscriptions.registerCount(), lower) == (1, 2)
    second = stage.subscribe(payers[1], lower)
    assert second == 2
    subscriptions.lowerPrice([sold], lower, sender=buyer)  # its own plan, beside the one that it took over
    assert stage.charge_as_previewed(sold, at=FIRST_DUE)[-1][1]["amount"] == PRICE - 1
    stage.schedule_change(payers[0], sold, 1)
    subscriptions.archivePlan(1, sender=buyer)
    token.mint(buyer, PRICE, sender=buyer)
    subscriptions.cancelWithRefund(second, [1], [], sender=buyer)
    subscriptions.cancel(sold, sender=buyer)
    assert [stage.status(row) for row in (sold, second)] == [Status.CANCELLED] * 2


def test_the_old_one_may_do_nothing_any_more(
    stage: Stage, subscriptions: Contract, payer: Account, sold: int, monthly: int
) -> None:
    old = stage.merchant
    refused: list[Callable[[], object]] = [
        lambda: subscriptions.cancel(sold, sender=old),
        lambda: subscriptions.cancelAtPeriodEnd(sold, sender=old),
        lambda: subscriptions.cancelWithRefund(sold, [1], [], sender=old),
        lambda: subscriptions.refund(sold, 1, 1, sender=old),
        lambda: subscriptions.refundChanged(sold, 1, 1, [], sender=old),
        lambda: subscriptions.archivePlan(monthly, sender=old),
        lambda: subscriptions.lowerPrice([sold], monthly, sender=old),
    ]
    for action in refused:
        with stage.nothing_changes(), reverts("NotAuthorized", caller=old):
            action()
    coupon = Coupon(amount_off=1)
    signature = signed_coupon(stage, coupon)
    assert stage.subscriptions.plan(monthly).payee == old
    with stage.nothing_changes(), reverts("InvalidSignature", signer=subscriptions.payeeOf(0)):
        subscriptions.redeemCoupon(sold, coupon, signature, sender=payer)


def test_the_new_ones_coupons_count(stage: Stage, payer: Account, buyer: Account, sold: int) -> None:
    coupon = Coupon(amount_off=1_000)
    signature = signed_coupon(stage, coupon, buyer, payee=buyer.address)
    stage.subscriptions.redeemCoupon(sold, coupon, signature, sender=payer)
    assert stage.charge_as_previewed(sold, at=FIRST_DUE)[-1][1]["amount"] == PRICE - 1_000


def test_the_old_one_opens_another_register(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account], buyer: Account, sold: int
) -> None:
    plan_id = stage.create_plan(price=5)
    assert (plan_id, subscriptions.registerCount()) == (2, 2)
    other = stage.subscribe(payers[1], plan_id, at=SUBSCRIBED + DAY)
    assert other == REGISTER + 1
    assert stage.charge(sold, other, at=FIRST_DUE + DAY) == [PAID, PAID]
    assert (token.balanceOf(stage.merchant), token.balanceOf(buyer)) == (PRICE + 10, PRICE)
    assert (stage.totals(), stage.totals(buyer)) == ((2, 10, 0, 0), (2, 2 * PRICE, 0, 0))
    with stage.nothing_changes(), reverts("AnotherRegister", found=1, expected=0):
        stage.schedule_change(payers[0], sold, plan_id)
    assert subscriptions.payeeOf(0) == buyer


def test_registers_in_other_tokens_stay(
    stage: Stage, subscriptions: Contract, usdc: Contract, payer: Account, buyer: Account, subscribed: int
) -> None:
    other = stage.subscribe(payer, stage.create_plan(token=usdc), at=SUBSCRIBED + DAY)
    change_payee(stage, stage.merchant, buyer)
    assert stage.charge(subscribed, other, at=FIRST_DUE + DAY) == [PAID, PAID]
    assert (usdc.balanceOf(stage.merchant), usdc.balanceOf(buyer)) == (2 * PRICE, 0)
    subscriptions.cancel(other, sender=stage.merchant)


def test_a_second_move_and_back_again(
    stage: Stage, accounts: Any, subscriptions: Contract, token: Contract, buyer: Account, sold: int
) -> None:
    third = accounts[10]
    change_payee(stage, buyer, third)
    assert stage.charge(sold, at=FIRST_DUE) == [PAID]
    change_payee(stage, third, stage.merchant, salt=1)
    assert stage.charge(sold, at=SECOND_DUE) == [PAID]
    assert [token.balanceOf(payee) for payee in (stage.merchant, buyer, third)] == [2 * PRICE, 0, PRICE]
    assert (subscriptions.payeeOf(0), stage.totals()) == (stage.merchant, (3, 3 * PRICE, 0, 0))
    for former in (buyer, third):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=former):
            subscriptions.cancel(sold, sender=former)
    subscriptions.refund(sold, 3, PRICE, sender=stage.merchant)
    assert stage.totals() == (3, 3 * PRICE, 1, PRICE)


def test_E36_bounds_of_refunds_stay(
    stage: Stage, token: Contract, payer: Account, monthly: int, buyer: Account
) -> None:
    subscription_id = stage.subscribe(payer, monthly, at=SUBSCRIBED)
    stage.charge(subscription_id, at=FIRST_DUE)
    change_payee(stage, stage.merchant, buyer)
    token.transfer(buyer, 2 * PRICE, sender=stage.merchant)
    change_payee(stage, buyer, stage.merchant, salt=1)
    token.transfer(stage.merchant, 2 * PRICE, sender=buyer)
    bounds_are(stage, subscription_id, [], [PRICE, PRICE])


# --- Consent after it ---


def test_E30_a_mandate_names_the_new_one(
    stage: Stage, subscriptions: Contract, payers: list[Account], buyer: Account, sold: int, monthly: int
) -> None:
    assert sold == 1
    mandate = Mandate(payers[1].address, monthly, salt=3)
    old = mandate_data(stage, mandate)
    assert old["message"]["payee"] == stage.merchant
    with stage.nothing_changes(), reverts("InvalidSignature", signer=payers[1]):
        subscriptions.submitMandate(mandate, signed(payers[1], old), sender=stage.anyone)
    new = old | {"message": old["message"] | {"payee": buyer.address}}
    subscriptions.submitMandate(mandate, signed(payers[1], new), sender=stage.anyone)
    assert stage.token.balanceOf(buyer) == PRICE


def test_E30_a_mandate_with_conditions_names_the_new_one(
    stage: Stage, subscriptions: Contract, payers: list[Account], buyer: Account, sold: int, monthly: int
) -> None:
    assert sold == 1
    mandate = MandateWithConditions(payers[1].address, [bytes(subscriptions.termsHash(monthly))])
    old = mandate_with_conditions_data(stage, mandate, monthly)
    new = old | {"message": old["message"] | {"payee": buyer.address}}
    arguments = (mandate, monthly)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=payers[1]):
        subscriptions.submitMandateWithConditions(
            *arguments, signed(payers[1], old), NO_COUPON, b"", sender=stage.anyone
        )
    subscriptions.submitMandateWithConditions(*arguments, signed(payers[1], new), NO_COUPON, b"", sender=stage.anyone)
    assert stage.token.balanceOf(buyer) == PRICE


def test_the_payee_does_not_subscribe_to_its_own_plans(
    stage: Stage, subscriptions: Contract, payer: Account, buyer: Account, sold: int, monthly: int
) -> None:
    stage.fund(buyer)
    with stage.nothing_changes(), reverts("PayerIsPayee", account=buyer):
        stage.subscribe(buyer, monthly)
    with stage.nothing_changes(), reverts("PayerIsPayee", account=buyer):
        subscriptions.changePayer(sold, buyer, 0, UNLIMITED, b"", b"", sender=payer)
    stage.fund(stage.merchant)
    assert stage.charges(stage.subscribe(stage.merchant, monthly)) == 1


def test_a_payer_who_becomes_the_payee_is_not_charged(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account], subscribed: int, monthly: int
) -> None:
    """Nothing would be paid, and nothing is counted; the others pay."""
    other = stage.subscribe(payers[1], monthly, at=SUBSCRIBED + 1)
    change_payee(stage, stage.merchant, payers[0])
    assert stage.charge(subscribed, other, at=FIRST_DUE + 1) == [DeclineReason.TOKEN_REFUSED, PAID]
    with stage.nothing_changes(), reverts("AmountMismatch", received=0, expected=PRICE):
        subscriptions.charge([subscribed], sender=stage.anyone)
    assert token.balanceOf(payers[0]) == FUNDS
    assert stage.totals(payers[0]) == (3, 3 * PRICE, 0, 0)


def test_E38_the_receiver_of_the_fee_may_become_the_payee(
    stage: Stage, accounts: Any, token: Contract, payer: Account
) -> None:
    platform = accounts[8]
    subscription_id = stage.subscribe(payer, stage.create_plan(fee_bps=100, fee_receiver=platform), at=SUBSCRIBED)
    change_payee(stage, stage.merchant, platform)
    assert stage.charge(subscription_id, at=FIRST_DUE) == [PAID]
    fee = PRICE // 100
    assert (token.balanceOf(platform), token.balanceOf(stage.merchant)) == (fee + PRICE, PRICE - fee)


# --- What it refuses ---


@pytest.mark.parametrize("who", ["payee", "buyer"])
def test_who_sends_it_needs_no_signature(
    stage: Stage, subscriptions: Contract, token: Contract, buyer: Account, monthly: int, who: str
) -> None:
    data = payee_change_data(stage, stage.merchant.address, buyer.address)
    signatures = (b"", signed(buyer, data)) if who == "payee" else (signed(stage.merchant, data), b"")
    sender = stage.merchant if who == "payee" else buyer
    subscriptions.changePayee(stage.merchant, token, buyer, 0, UNLIMITED, *signatures, sender=sender)
    subscriptions.archivePlan(monthly, sender=buyer)


def test_refuses_nobody_and_the_contract_itself(
    stage: Stage, subscriptions: Contract, token: Contract, monthly: int
) -> None:
    assert monthly == 1
    with stage.nothing_changes(), reverts("ZeroAddress"):
        subscriptions.changePayee(stage.merchant, token, NOBODY, 0, UNLIMITED, b"", b"", sender=stage.merchant)
    with stage.nothing_changes(), reverts("PayeeRefused", payee=subscriptions):
        subscriptions.changePayee(stage.merchant, token, subscriptions, 0, UNLIMITED, b"", b"", sender=stage.merchant)


def test_refuses_who_has_no_register(stage: Stage, usdc: Contract, token: Contract, buyer: Account, sold: int) -> None:
    assert sold == 1
    with stage.nothing_changes(), reverts("UnknownRegister", payee=stage.anyone, token=token):
        change_payee(stage, stage.anyone, buyer)
    with stage.nothing_changes(), reverts("UnknownRegister", payee=buyer, token=usdc):
        change_payee(stage, buyer, stage.anyone, token=usdc)
    with stage.nothing_changes(), reverts("UnknownRegister", payee=stage.merchant, token=token):
        change_payee(stage, stage.merchant, stage.anyone, salt=1)


def test_refuses_who_has_a_register_in_the_token(
    stage: Stage, usdc: Contract, token: Contract, buyer: Account, monthly: int
) -> None:
    assert monthly == 1
    with stage.nothing_changes(), reverts("RegisterExists", payee=stage.merchant, token=token):
        change_payee(stage, stage.merchant, stage.merchant)
    stage.create_plan(payee=buyer)
    with stage.nothing_changes(), reverts("RegisterExists", payee=buyer, token=token):
        change_payee(stage, stage.merchant, buyer)
    stage.create_plan(token=usdc)
    change_payee(stage, stage.merchant, buyer, token=usdc)


def test_refuses_what_either_did_not_sign(
    stage: Stage, accounts: Any, subscriptions: Contract, usdc: Contract, token: Contract, buyer: Account, monthly: int
) -> None:
    assert monthly == 1
    payee, other = stage.merchant, accounts[10]
    right = payee_change_data(stage, payee.address, buyer.address, salt=3)
    others = {
        "payee": other.address,
        "token": usdc.address,
        "newPayee": other.address,
        "salt": 4,
        "validBefore": UNLIMITED - 1,
    }
    assert set(others) == set(right["message"]) == {field["name"] for field in right["types"]["PayeeChange"]}
    tampered = [right | {"message": right["message"] | {name: value}} for name, value in others.items()]
    good = {key: signed(key, right) for key in (payee, buyer)}

    def sent(by_payee: bytes, by_buyer: bytes) -> None:
        subscriptions.changePayee(payee, token, buyer, 3, UNLIMITED, by_payee, by_buyer, sender=stage.anyone)

    for signature in (*(signed(payee, data) for data in tampered), good[buyer], b"", bytes(65)):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=payee):
            sent(signature, good[buyer])
    for signature in (*(signed(buyer, data) for data in tampered), good[payee], b"", bytes(65)):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=buyer):
            sent(good[payee], signature)
    sent(good[payee], good[buyer])


def test_E12_is_good_for_this_contract_on_this_chain(stage: Stage, project: Any, buyer: Account, monthly: int) -> None:
    assert monthly == 1
    twin = deploy(project, stage.anyone)
    for domain in ({"contract": twin.address}, {"chain_id": 1}):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=stage.merchant):
            change_payee(stage, stage.merchant, buyer, **domain)


@pytest.mark.parametrize("who", ["payee", "buyer"])
def test_E17_either_revokes_what_they_signed(
    stage: Stage, subscriptions: Contract, buyer: Account, monthly: int, who: str
) -> None:
    assert monthly == 1
    account = stage.merchant if who == "payee" else buyer
    subscriptions.revokeMandate(5, sender=account)
    with stage.nothing_changes(), reverts("SaltUsed", payer=account, salt=5):
        change_payee(stage, stage.merchant, buyer, salt=5)
    change_payee(stage, stage.merchant, buyer, salt=6)


def test_E17_is_good_once(stage: Stage, buyer: Account, sold: int) -> None:
    """Where the register came back, what was signed before does not take it away again."""
    assert sold == 1
    change_payee(stage, buyer, stage.merchant, salt=1)
    with stage.nothing_changes(), reverts("SaltUsed", payer=stage.merchant, salt=0):
        change_payee(stage, stage.merchant, buyer, salt=0)


@pytest.mark.parametrize(("offset_s", "works"), [(-1, True), (0, False), (1, False)])
def test_E20_is_good_before_validBefore(
    stage: Stage, subscriptions: Contract, token: Contract, buyer: Account, monthly: int, offset_s: int, works: bool
) -> None:
    assert monthly == 1
    data = payee_change_data(stage, stage.merchant.address, buyer.address, valid_before=EXPIRES)
    arguments = (stage.merchant, token, buyer, 0, EXPIRES, signed(stage.merchant, data), signed(buyer, data))
    stage.at(EXPIRES + offset_s)
    if works:
        subscriptions.changePayee(*arguments, sender=stage.anyone)
        assert subscriptions.payeeOf(0) == buyer
        return
    with stage.nothing_changes(), reverts("SignatureExpired", validBefore=EXPIRES, time=EXPIRES + offset_s):
        subscriptions.changePayee(*arguments, sender=stage.anyone)


def test_a_register_that_was_never_moved_or_opened_names_nobody(subscriptions: Contract, monthly: int) -> None:
    assert monthly == 1
    assert [subscriptions.payeeOf(number) for number in (0, 1, 2**32, UNLIMITED)] == [NOBODY] * 4
