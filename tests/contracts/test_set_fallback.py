"""setFallback, dropFallback: another wallet, which signed for it, pays a period's charge where the payer cannot."""

from __future__ import annotations

from typing import Any

import pytest

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.signing import Conditions, cancellation_data, fallback_data, signed
from tests.contracts.special import open_with, opened
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    FUNDS,
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

EXPIRES = FIRST_DUE - DAY
SECOND_DUE = utc(2027, 3, 31, 12)
DEARER = 3 * PRICE
ALLOWANCE, BALANCE, PAID = DeclineReason.ALLOWANCE, DeclineReason.BALANCE, DeclineReason.NONE


@pytest.fixture
def wallet(payers: list[Account]) -> Account:
    """Who pays in the first payer's place: another one, with funds and an unlimited allowance."""
    return payers[1]


@pytest.fixture
def backed(stage: Stage, payer: Account, wallet: Account, subscribed: int) -> int:
    """The first payer's subscription to the monthly plan, with a fallback wallet."""
    set_fallback(stage, payer, wallet, subscribed)
    return subscribed


def set_fallback(stage: Stage, payer: Account, wallet: Account, subscription_id: int, *, salt: int = 0) -> Receipt:
    """The wallet signs for the plan and the seats that the subscription has, and the payer names it."""
    found = stage.subscriptions.subscription(subscription_id)
    terms = {"plan_id": found.planId, "seats": found.seats, "salt": salt}
    data = fallback_data(stage, subscription_id, payer.address, wallet.address, **terms)
    signature = signed(wallet, data)
    return stage.subscriptions.setFallback(subscription_id, wallet, salt, UNLIMITED, signature, sender=payer)


# --- setFallback ---


def test_the_payer_names_a_wallet_that_signed(
    stage: Stage, subscriptions: Contract, payer: Account, wallet: Account, subscribed: int
) -> None:
    assert subscriptions.fallbackWallet(subscribed).wallet == NOBODY
    receipt = set_fallback(stage, payer, wallet, subscribed, salt=7)
    assert stage.events(receipt) == [("FallbackSet", {"subscriptionId": subscribed, "wallet": wallet})]
    assert tuple(subscriptions.fallbackWallet(subscribed)) == (wallet, 1, 0)
    assert (subscriptions.isSaltUsed(wallet, 7), subscriptions.isSaltUsed(payer, 7)) == (True, False)
    found = subscriptions.subscription(subscribed)
    assert (found.payer, found.charges, found.seats, found.credit, found.history) == (payer, 1, 0, 0, 0)
    assert stage.totals() == (1, PRICE, 0, 0)


def test_another_one_takes_its_place(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account], backed: int
) -> None:
    set_fallback(stage, payers[0], payers[2], backed)
    assert subscriptions.fallbackWallet(backed).wallet == payers[2]
    token.approve(subscriptions, 0, sender=payers[0])
    assert stage.charge(backed, at=FIRST_DUE) == [PAID]
    assert [token.balanceOf(wallet) for wallet in payers[:3]] == [FUNDS - PRICE, FUNDS, FUNDS - PRICE]


@pytest.mark.parametrize(("offset_s", "works"), [(-1, True), (0, False), (1, False)])
def test_E20_is_good_before_validBefore(
    stage: Stage,
    subscriptions: Contract,
    payer: Account,
    wallet: Account,
    subscribed: int,
    monthly: int,
    offset_s: int,
    works: bool,
) -> None:
    data = fallback_data(stage, subscribed, payer.address, wallet.address, plan_id=monthly, valid_before=EXPIRES)
    signature = signed(wallet, data)
    stage.at(EXPIRES + offset_s)
    if works:
        subscriptions.setFallback(subscribed, wallet, 0, EXPIRES, signature, sender=payer)
        assert subscriptions.fallbackWallet(subscribed).wallet == wallet
        return
    with stage.nothing_changes(), reverts("SignatureExpired", validBefore=EXPIRES, time=EXPIRES + offset_s):
        subscriptions.setFallback(subscribed, wallet, 0, EXPIRES, signature, sender=payer)


def test_nobody_but_the_payer_may(
    stage: Stage, subscriptions: Contract, payer: Account, wallet: Account, subscribed: int, monthly: int
) -> None:
    for sender in (stage.merchant, stage.anyone, wallet):
        for named in (payer, sender):
            data = fallback_data(stage, subscribed, named.address, wallet.address, plan_id=monthly)
            with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
                subscriptions.setFallback(subscribed, wallet, 0, UNLIMITED, signed(wallet, data), sender=sender)


@pytest.mark.parametrize("subscription_id", [0, 2, 2**63, UNLIMITED])
def test_refuses_what_does_not_exist(
    stage: Stage,
    subscriptions: Contract,
    payer: Account,
    wallet: Account,
    subscribed: int,
    monthly: int,
    subscription_id: int,
) -> None:
    assert subscribed == 1
    data = fallback_data(stage, subscription_id, payer.address, wallet.address, plan_id=monthly)
    with stage.nothing_changes(), reverts("UnknownSubscription", subscriptionId=subscription_id):
        subscriptions.setFallback(subscription_id, wallet, 0, UNLIMITED, signed(wallet, data), sender=payer)
    with stage.nothing_changes(), reverts("UnknownSubscription", subscriptionId=subscription_id):
        subscriptions.dropFallback(subscription_id, sender=payer)
    with reverts("UnknownSubscription", subscriptionId=subscription_id):
        subscriptions.fallbackWallet.transact(subscription_id, sender=payer)


def test_refuses_what_has_been_cancelled(
    stage: Stage, subscriptions: Contract, payer: Account, wallet: Account, subscribed: int
) -> None:
    subscriptions.cancel(subscribed, sender=payer)
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=subscribed, status=Status.CANCELLED):
        set_fallback(stage, payer, wallet, subscribed)


@pytest.mark.parametrize(("verb", "status"), [("pause", Status.PAUSED), ("cancelAtPeriodEnd", Status.ENDING)])
def test_what_is_paused_or_ending_may_have_one(
    stage: Stage, subscriptions: Contract, payer: Account, wallet: Account, subscribed: int, verb: str, status: Status
) -> None:
    getattr(subscriptions, verb)(subscribed, sender=payer)
    set_fallback(stage, payer, wallet, subscribed)
    assert (subscriptions.fallbackWallet(subscribed).wallet, stage.status(subscribed)) == (wallet, status)


def test_refuses_nobody_the_payee_and_the_receiver_of_its_fee(
    stage: Stage, accounts: list[Account], subscriptions: Contract, payer: Account
) -> None:
    platform = accounts[8]
    plan_id = stage.create_plan(fee_bps=100, fee_receiver=platform)
    subscription_id = stage.subscribe(payer, plan_id)
    with stage.nothing_changes(), reverts("ZeroAddress"):
        subscriptions.setFallback(subscription_id, NOBODY, 0, UNLIMITED, b"", sender=payer)
    for account in (stage.merchant, platform):
        with stage.nothing_changes(), reverts("PayerIsPayee", account=account):
            set_fallback(stage, payer, account, subscription_id)


def test_refuses_what_the_wallet_did_not_sign(
    stage: Stage, subscriptions: Contract, payers: list[Account], subscribed: int, monthly: int
) -> None:
    payer, wallet, other = payers[:3]
    cheaper = stage.create_plan(price=1)

    def told(key: Account = wallet, **changes: Any) -> bytes:
        fields = {"payer": payer.address, "wallet": wallet.address, "plan_id": monthly, "salt": 3} | changes
        return signed(key, fallback_data(stage, fields.pop("subscription_id", subscribed), **fields))

    wrong = [
        told(key=payer),
        told(key=stage.merchant),
        told(payer=other.address),
        told(wallet=payer.address),
        told(plan_id=cheaper),
        told(seats=1),
        told(subscription_id=subscribed + 1),
        told(salt=4),
        told(valid_before=EXPIRES),
        signed(wallet, cancellation_data(stage, wallet.address, subscribed)),
        b"",
        b"\x00" * 65,
    ]
    for signature in wrong:
        with stage.nothing_changes(), reverts("InvalidSignature", signer=wallet):
            subscriptions.setFallback(subscribed, wallet, 3, UNLIMITED, signature, sender=payer)
    subscriptions.setFallback(subscribed, wallet, 3, UNLIMITED, told(), sender=payer)


def test_E12_is_good_for_this_contract_on_this_chain(
    stage: Stage,
    project: Any,
    subscriptions: Contract,
    payer: Account,
    wallet: Account,
    subscribed: int,
    monthly: int,
) -> None:
    twin = deploy(project, stage.anyone)
    for domain in ({"contract": twin.address}, {"chain_id": 1}):
        data = fallback_data(stage, subscribed, payer.address, wallet.address, plan_id=monthly, **domain)
        with stage.nothing_changes(), reverts("InvalidSignature", signer=wallet):
            subscriptions.setFallback(subscribed, wallet, 0, UNLIMITED, signed(wallet, data), sender=payer)


def test_E17_replayed_it_is_refused_after_the_wallet_took_it_back(
    stage: Stage, subscriptions: Contract, payer: Account, wallet: Account, backed: int, monthly: int
) -> None:
    data = fallback_data(stage, backed, payer.address, wallet.address, plan_id=monthly)
    subscriptions.dropFallback(backed, sender=wallet)
    with stage.nothing_changes(), reverts("SaltUsed", payer=wallet, salt=0):
        subscriptions.setFallback(backed, wallet, 0, UNLIMITED, signed(wallet, data), sender=payer)
    set_fallback(stage, payer, wallet, backed, salt=1)
    assert subscriptions.fallbackWallet(backed).wallet == wallet


def test_E17_a_wallet_revokes_what_it_signed(
    stage: Stage, subscriptions: Contract, payer: Account, wallet: Account, subscribed: int
) -> None:
    subscriptions.revokeMandate(5, sender=wallet)
    with stage.nothing_changes(), reverts("SaltUsed", payer=wallet, salt=5):
        set_fallback(stage, payer, wallet, subscribed, salt=5)


def test_a_contract_accounts_signature_counts(
    stage: Stage,
    project: Any,
    subscriptions: Contract,
    token: Contract,
    payers: list[Account],
    subscribed: int,
    monthly: int,
) -> None:
    contract = project.MockWallet.deploy(sender=stage.anyone)
    contract.setSigner(payers[2], sender=stage.anyone)
    token.mint(contract, PRICE, sender=stage.anyone)
    contract.execute(token, token.approve.encode_input(subscriptions, UNLIMITED), sender=stage.anyone)
    data = fallback_data(stage, subscribed, payers[0].address, contract.address, plan_id=monthly)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=contract):
        subscriptions.setFallback(subscribed, contract, 0, UNLIMITED, signed(payers[1], data), sender=payers[0])
    subscriptions.setFallback(subscribed, contract, 0, UNLIMITED, signed(payers[2], data), sender=payers[0])
    token.approve(subscriptions, 0, sender=payers[0])
    assert stage.charge(subscribed, at=FIRST_DUE) == [PAID]
    assert token.balanceOf(contract) == 0


# --- dropFallback ---


@pytest.mark.parametrize("who", ["payer", "wallet"])
def test_payer_or_wallet_end_it(
    stage: Stage,
    subscriptions: Contract,
    token: Contract,
    payer: Account,
    wallet: Account,
    backed: int,
    who: str,
) -> None:
    receipt = subscriptions.dropFallback(backed, sender={"payer": payer, "wallet": wallet}[who])
    assert stage.events(receipt) == [("FallbackSet", {"subscriptionId": backed, "wallet": NOBODY})]
    assert subscriptions.fallbackWallet(backed).wallet == NOBODY
    token.approve(subscriptions, 0, sender=payer)
    assert stage.charge(backed, at=FIRST_DUE) == [ALLOWANCE]
    assert token.balanceOf(wallet) == FUNDS


def test_nobody_else_ends_it(stage: Stage, subscriptions: Contract, payers: list[Account], backed: int) -> None:
    for sender in (stage.merchant, stage.anyone, payers[2]):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            subscriptions.dropFallback(backed, sender=sender)


def test_where_there_is_none_there_is_nothing_to_end(
    stage: Stage, subscriptions: Contract, payer: Account, wallet: Account, backed: int, monthly: int
) -> None:
    subscriptions.dropFallback(backed, sender=payer)
    other = stage.subscribe(payer, monthly)
    for subscription_id in (backed, other):
        for sender in (payer, wallet):
            with stage.nothing_changes(), reverts("NothingToChange", subscriptionId=subscription_id):
                subscriptions.dropFallback(subscription_id, sender=sender)


# --- Charged by it ---


def test_pays_where_the_payer_lacks_allowance(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, wallet: Account, backed: int
) -> None:
    token.approve(subscriptions, PRICE - 1, sender=payer)
    assert stage.charge_as_previewed(backed, at=FIRST_DUE) == [
        ("PaidByFallback", {"subscriptionId": backed, "chargeNumber": 2, "wallet": wallet}),
        (
            "Charged",
            {
                "subscriptionId": backed,
                "chargeNumber": 2,
                "periodStart": FIRST_DUE,
                "periodEnd": SECOND_DUE,
                "amount": PRICE,
            },
        ),
    ]
    assert (token.balanceOf(payer), token.balanceOf(wallet)) == (FUNDS - PRICE, FUNDS - PRICE)
    assert token.balanceOf(stage.merchant) == 2 * PRICE
    assert stage.totals() == (2, 2 * PRICE, 0, 0)
    found = subscriptions.subscription(backed)
    assert (found.payer, found.nextDue, found.charges, found.history) == (payer, SECOND_DUE, 2, 0)
    assert stage.charge(backed) == [DeclineReason.NOT_DUE]


def test_pays_where_the_payer_lacks_balance(
    stage: Stage, token: Contract, payer: Account, wallet: Account, backed: int
) -> None:
    token.transfer(stage.anyone, token.balanceOf(payer) - PRICE + 1, sender=payer)
    names = [name for name, _ in stage.charge_as_previewed(backed, at=FIRST_DUE)]
    assert names == ["PaidByFallback", "Charged"]
    assert (token.balanceOf(payer), token.balanceOf(wallet)) == (PRICE - 1, FUNDS - PRICE)


def test_the_payer_pays_where_they_can(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, wallet: Account, backed: int
) -> None:
    token.approve(subscriptions, PRICE, sender=payer)
    assert [name for name, _ in stage.charge_as_previewed(backed, at=FIRST_DUE)] == ["Charged"]
    assert (token.balanceOf(payer), token.balanceOf(wallet)) == (FUNDS - 2 * PRICE, FUNDS)


def test_one_that_cannot_pay_either_changes_nothing_of_the_payers_reason(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, wallet: Account, backed: int
) -> None:
    token.approve(subscriptions, PRICE - 1, sender=payer)
    token.transfer(stage.anyone, FUNDS - PRICE + 1, sender=wallet)
    with stage.nothing_changes():
        declined = {"subscriptionId": backed, "due": FIRST_DUE, "reason": ALLOWANCE}
        assert stage.charge_as_previewed(backed, at=FIRST_DUE) == [("Declined", declined)]
    token.approve(subscriptions, UNLIMITED, sender=payer)
    token.transfer(stage.anyone, token.balanceOf(payer) - PRICE + 1, sender=payer)
    token.approve(subscriptions, PRICE - 1, sender=wallet)
    with stage.nothing_changes():
        assert stage.charge(backed) == [BALANCE]


def test_E07_a_blocked_payer_is_not_paid_for(stage: Stage, usdc: Contract, payer: Account, wallet: Account) -> None:
    """The payer lacks nothing: who is blocked has no charge, and nobody else's money is asked for."""
    subscription_id = stage.subscribe(payer, stage.create_plan(token=usdc), at=SUBSCRIBED)
    set_fallback(stage, payer, wallet, subscription_id)
    usdc.blacklist(payer, sender=stage.anyone)
    with stage.nothing_changes(usdc):
        assert stage.charge(subscription_id, at=FIRST_DUE) == [DeclineReason.BLOCKED]
    assert usdc.balanceOf(wallet) == FUNDS


def test_E07_a_blocked_wallet_declines(
    stage: Stage, subscriptions: Contract, usdc: Contract, payer: Account, wallet: Account
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=usdc), at=SUBSCRIBED)
    set_fallback(stage, payer, wallet, subscription_id)
    usdc.approve(subscriptions, 0, sender=payer)
    usdc.blacklist(wallet, sender=stage.anyone)
    with stage.nothing_changes(usdc):
        assert stage.charge(subscription_id, at=FIRST_DUE) == [DeclineReason.BLOCKED]


def test_E07_what_the_payee_cannot_receive_is_kept_for_them(
    stage: Stage, subscriptions: Contract, usdc: Contract, payer: Account, wallet: Account
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=usdc), at=SUBSCRIBED)
    set_fallback(stage, payer, wallet, subscription_id)
    usdc.approve(subscriptions, 0, sender=payer)
    usdc.blacklist(stage.merchant, sender=stage.anyone)
    names = [name for name, _ in stage.charge_as_previewed(subscription_id, at=FIRST_DUE)]
    assert names == ["PaidByFallback", "Claimable", "Charged"]
    assert subscriptions.claimable(stage.merchant, usdc) == PRICE == usdc.balanceOf(subscriptions)
    assert usdc.balanceOf(wallet) == FUNDS - PRICE


def test_E33_pays_the_fee_too(
    stage: Stage, accounts: list[Account], subscriptions: Contract, token: Contract, payer: Account, wallet: Account
) -> None:
    platform = accounts[8]
    plan_id = stage.create_plan(fee_bps=333, fee_receiver=platform)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    set_fallback(stage, payer, wallet, subscription_id)
    token.approve(subscriptions, 0, sender=payer)
    token.approve(subscriptions, PRICE, sender=wallet)
    stage.charge_as_previewed(subscription_id, at=FIRST_DUE)
    fee = PRICE * 333 // 10_000
    assert (token.balanceOf(platform), token.balanceOf(stage.merchant)) == (2 * fee, 2 * (PRICE - fee))
    assert (token.balanceOf(wallet), token.allowance(wallet, subscriptions)) == (FUNDS - PRICE, 0)


def test_is_charged_beside_others_in_a_batch(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account], backed: int, monthly: int
) -> None:
    plain = [stage.subscribe(payer, monthly, at=SUBSCRIBED + i) for i, payer in enumerate(payers[1:], 1)]
    token.approve(subscriptions, 0, sender=payers[0])
    token.approve(subscriptions, 0, sender=payers[2])
    outcomes = stage.charge(plain[0], backed, plain[1], plain[2], backed, at=FIRST_DUE + 10)
    assert outcomes == [PAID, PAID, ALLOWANCE, PAID, DeclineReason.NOT_DUE]
    assert [token.balanceOf(payer) for payer in payers] == [FUNDS - n * PRICE for n in (1, 3, 1, 2)]
    assert stage.totals() == (7, 7 * PRICE, 0, 0)


def test_does_not_pay_for_a_change_or_usage(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, wallet: Account
) -> None:
    plan_id = stage.create_plan(usage_cap=PRICE, usage_price=10**6)
    dearer = stage.create_plan(price=DEARER)
    subscription_id = stage.subscribe(payer, plan_id, at=SUBSCRIBED)
    set_fallback(stage, payer, wallet, subscription_id)
    token.approve(subscriptions, 0, sender=payer)
    with stage.nothing_changes(), reverts("AllowanceTooLow", found=0, needed=5):
        subscriptions.chargeUsage(subscription_id, 2, 5, 5, bytes(32), sender=stage.merchant)
    needed = DEARER // 2 - PRICE // 2
    with stage.nothing_changes(), reverts("AllowanceTooLow", found=0, needed=needed):
        stage.change_plan(payer, subscription_id, dearer, at=SUBSCRIBED + 14 * DAY)
    assert token.balanceOf(wallet) == FUNDS


def test_a_refund_goes_to_the_payer(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, wallet: Account, backed: int
) -> None:
    token.approve(subscriptions, 0, sender=payer)
    stage.charge(backed, at=FIRST_DUE)
    subscriptions.refund(backed, 2, PRICE, sender=stage.merchant)
    assert (token.balanceOf(payer), token.balanceOf(wallet)) == (FUNDS, FUNDS - PRICE)


# --- What the wallet did not agree to ---


@pytest.mark.parametrize("at_once", [True, False])
def test_E30_the_wallet_does_not_pay_for_a_dearer_plan(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, wallet: Account, backed: int, at_once: bool
) -> None:
    dearer = stage.create_plan(price=DEARER)
    (stage.change_plan if at_once else stage.schedule_change)(payer, backed, dearer)
    token.approve(subscriptions, 0, sender=payer)
    (event,) = stage.charge_as_previewed(backed, at=FIRST_DUE)
    assert event == ("Declined", {"subscriptionId": backed, "due": FIRST_DUE, "reason": ALLOWANCE})
    assert token.balanceOf(wallet) == FUNDS


@pytest.mark.parametrize("at_once", [True, False])
def test_E30_the_wallet_does_not_pay_for_shorter_periods(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, wallet: Account, backed: int, at_once: bool
) -> None:
    daily = stage.create_plan(every=DAY, unit=Unit.SECOND)
    (stage.change_plan if at_once else stage.schedule_change)(payer, backed, daily)
    token.approve(subscriptions, 0, sender=payer)
    (event,) = stage.charge_as_previewed(backed, at=FIRST_DUE + 2 * DAY)
    assert event[1]["reason"] == ALLOWANCE
    assert token.balanceOf(wallet) == FUNDS


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("seats", [1, 1_000])
def test_E30_the_wallet_does_not_pay_for_other_seats(
    stage: Stage,
    subscriptions: Contract,
    token: Contract,
    payer: Account,
    wallet: Account,
    at_once: bool,
    seats: int,
) -> None:
    plan_id = stage.create_plan(seat_price=5)
    subscription_id = stage.subscribe(payer, plan_id, seats=2, at=SUBSCRIBED)
    set_fallback(stage, payer, wallet, subscription_id)
    (stage.change_plan if at_once else stage.schedule_change)(payer, subscription_id, plan_id, seats=seats)
    token.approve(subscriptions, 0, sender=payer)
    (event,) = stage.charge_as_previewed(subscription_id, at=FIRST_DUE)
    assert event == ("Declined", {"subscriptionId": subscription_id, "due": FIRST_DUE, "reason": ALLOWANCE})
    assert token.balanceOf(wallet) == FUNDS


def test_E30_back_on_what_it_signed_the_wallet_pays_again(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, wallet: Account, backed: int, monthly: int
) -> None:
    dearer = stage.create_plan(price=DEARER)
    stage.change_plan(payer, backed, dearer)
    stage.schedule_change(payer, backed, monthly)
    token.approve(subscriptions, 0, sender=payer)
    names = [name for name, _ in stage.charge_as_previewed(backed, at=FIRST_DUE)]
    assert names == ["PlanChanged", "PaidByFallback", "Charged"]
    assert token.balanceOf(wallet) == FUNDS - PRICE


def test_a_quoted_price_has_no_fallback(stage: Stage, project: Any, payer: Account, wallet: Account) -> None:
    """Or the payee's quoter would say what the wallet pays."""
    quoted = stage.create_plan(quoter=project.MockQuoter.deploy(sender=stage.anyone))
    subscription_id = opened(stage, open_with(stage, payer, quoted, Conditions(max_per_period=PRICE)))
    with stage.nothing_changes(), reverts("PlanIsQuoted", planId=quoted):
        set_fallback(stage, payer, wallet, subscription_id)
