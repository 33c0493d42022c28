"""Plans with a protection: the escrow holds each charge for a window, in which the payer can dispute it."""

from __future__ import annotations

from typing import Any

import pytest
from ape.exceptions import VirtualMachineError
from eth_utils.crypto import keccak

from tests.contracts.hostile import REFUSALS, UNMOVED, play
from tests.contracts.signing import Conditions, Coupon
from tests.contracts.special import PAID, charge, open_with, opened
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    NOBODY,
    PRICE,
    SUBSCRIBED,
    UNLIMITED,
    Account,
    Contract,
    Receipt,
    Stage,
    reverts,
    utc,
)
from tests.tricks import UNREADABLE, Trick

WINDOW = 14 * DAY
RULING = 7 * DAY
YEAR = 366 * DAY
FOREVER = 2**40 - 1
OPEN, DISPUTED, CLOSED = 1, 2, 3
FIRST_PERIOD = {"periodStart": SUBSCRIBED, "periodEnd": FIRST_DUE}


@pytest.fixture
def arbiter(accounts: Any) -> Account:
    """Who divides what is disputed."""
    return accounts[9]


def protected_plan(stage: Stage, judge: Account, **terms: Any) -> int:
    """A monthly plan of the merchant's with a protection of WINDOW."""
    shield = {"protection": WINDOW, "arbiter": judge, "ruling_timeout": RULING, "default_payee_bps": 4_000}
    return stage.create_plan(**shield | {"max_arbiter_fee_bps": 500} | terms)


@pytest.fixture
def plan_id(stage: Stage, arbiter: Account) -> int:
    """One of them."""
    return protected_plan(stage, arbiter)


@pytest.fixture
def protected(stage: Stage, payer: Account, plan_id: int) -> int:
    """The first payer's subscription to it, whose first period the escrow holds since SUBSCRIBED."""
    return opened(stage, open_with(stage, payer, plan_id, at=SUBSCRIBED))


def terms_of(
    stage: Stage, arbiter: Account, payer: Account, number: int, at: int, amount: int = PRICE, **changes: Any
) -> tuple[Any, ...]:
    """The terms of the payment of charge `number` of subscription 1, as `PaymentTerms` has them."""
    terms = {
        "payer": payer.address,
        "payee": stage.merchant.address,
        "token": stage.token.address,
        "amount": amount,
        "operator": NOBODY,
        "authorizeBefore": at + 1,
        "captureBefore": at + WINDOW + YEAR,
        "refundBefore": FOREVER,
        "disputeWindow": WINDOW,
        "arbiter": arbiter.address,
        "rulingTimeout": RULING,
        "defaultPayeeBps": 4_000,
        "maxArbiterFeeBps": 500,
        "minFeeBps": 0,
        "maxFeeBps": 0,
        "feeReceiver": NOBODY,
        "milestonesRoot": bytes(32),
        "salt": 1 << 16 | number,
    }
    assert changes.keys() <= terms.keys()
    return tuple((terms | changes).values())


def held(stage: Stage, payment_id: bytes) -> tuple[int, int, int]:
    """Status, held and refundable units of a payment."""
    found = stage.escrow.payment(payment_id)
    return found.status, found.held, found.refundable


def authorized(stage: Stage, receipt: Receipt) -> list[dict[str, Any]]:
    """The payments that the escrow took in a transaction."""
    return [
        dict(event.event_arguments)
        for event in receipt.events
        if event.contract_address == stage.escrow.address and event.event_name == "Authorized"
    ]


# --- What a charge does ---


def test_the_first_charge_goes_into_escrow_by_the_plan_s_terms(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, arbiter: Account, plan_id: int
) -> None:
    balance = token.balanceOf(payer)
    receipt = open_with(stage, payer, plan_id, at=SUBSCRIBED)
    terms = terms_of(stage, arbiter, payer, 1, SUBSCRIBED)
    payment_id = bytes(stage.escrow.paymentId(terms))
    charged = {"subscriptionId": 1, "chargeNumber": 1, "amount": PRICE} | FIRST_PERIOD
    assert stage.events(receipt)[-2:] == [
        ("Protected", {"subscriptionId": 1, "chargeNumber": 1, "paymentId": payment_id}),
        ("Charged", charged),
    ]
    ((_, values),) = [event for event in stage.events(receipt) if event[0] == "Subscribed"]
    assert values["firstDue"] == SUBSCRIBED
    (payment,) = authorized(stage, receipt)
    assert (bytes(payment["paymentId"]), payment["payer"], payment["payee"]) == (payment_id, payer, stage.merchant)
    assert payment["collector"] == subscriptions.address
    assert held(stage, payment_id) == (OPEN, PRICE, 0)
    assert token.balanceOf(stage.escrow) == PRICE
    assert (token.balanceOf(stage.merchant), token.balanceOf(subscriptions)) == (0, 0)
    assert token.balanceOf(payer) == balance - PRICE
    assert stage.totals() == (1, PRICE, 0, 0)
    assert tuple(stage.escrow.paymentTotal(stage.merchant, token)) == (1, PRICE)


def test_later_charges_are_payments_of_their_own(
    stage: Stage, payer: Account, arbiter: Account, protected: int
) -> None:
    assert charge(stage, protected, at=FIRST_DUE + 5) == [PAID]
    assert charge(stage, protected, at=utc(2027, 3, 31, 12)) == [PAID]
    for number, at in ((1, SUBSCRIBED), (2, FIRST_DUE + 5), (3, utc(2027, 3, 31, 12))):
        terms = terms_of(stage, arbiter, payer, number, at)
        assert held(stage, stage.escrow.paymentId(terms)) == (OPEN, PRICE, 0)
    assert stage.totals() == (3, 3 * PRICE, 0, 0)
    assert tuple(stage.escrow.paymentTotal(stage.merchant, stage.token)) == (3, 3 * PRICE)


def test_preview_tells_it(stage: Stage, payer: Account, protected: int) -> None:
    stage.at(FIRST_DUE)
    stage.rpc("evm_mine")
    found = stage.subscriptions.preview(protected)
    assert (found.reason, found.amount, found.periodStart) == (0, PRICE, FIRST_DUE)
    stage.token.approve(stage.subscriptions, PRICE - 1, sender=payer)
    assert stage.subscriptions.preview(protected).reason == 5  # allowance


@pytest.mark.parametrize("late_s", [-1, 0, 1])
def test_E20_the_payee_captures_when_the_window_is_over(
    stage: Stage, token: Contract, payer: Account, arbiter: Account, protected: int, late_s: int
) -> None:
    assert protected == 1
    terms, end = terms_of(stage, arbiter, payer, 1, SUBSCRIBED), SUBSCRIBED + WINDOW
    stage.at(end + late_s)
    if late_s < 0:
        with reverts("WindowOpen", until=end, time=end + late_s):
            stage.escrow.capture(terms, PRICE, 0, sender=stage.merchant)
        return
    stage.escrow.capture(terms, PRICE, 0, sender=stage.merchant)
    assert token.balanceOf(stage.merchant) == PRICE


def test_E40_what_the_payee_leaves_for_a_year_goes_back(
    stage: Stage, token: Contract, payer: Account, arbiter: Account, protected: int
) -> None:
    assert protected == 1
    terms, balance = terms_of(stage, arbiter, payer, 1, SUBSCRIBED), token.balanceOf(payer)
    stage.at(SUBSCRIBED + WINDOW + YEAR)
    stage.escrow.reclaim(terms, sender=stage.anyone)
    assert token.balanceOf(payer) == balance + PRICE


def test_E42_a_dispute_ends_with_a_division(
    stage: Stage, token: Contract, payer: Account, arbiter: Account, protected: int
) -> None:
    assert protected == 1
    terms, balance = terms_of(stage, arbiter, payer, 1, SUBSCRIBED), token.balanceOf(payer)
    stage.at(SUBSCRIBED + WINDOW - 1)
    stage.escrow.dispute(terms, keccak(text="it did not work"), sender=payer)
    assert held(stage, stage.escrow.paymentId(terms))[0] == DISPUTED
    stage.escrow.rule(terms, PRICE // 4, PRICE // 100, sender=arbiter)
    back = PRICE - PRICE // 4 - PRICE // 100
    assert (token.balanceOf(payer), token.balanceOf(stage.merchant)) == (balance + back, PRICE // 4)
    assert charge(stage, 1, at=FIRST_DUE) == [PAID]  # the subscription goes on until it is cancelled


def test_a_fee_is_taken_when_it_is_captured(stage: Stage, token: Contract, payer: Account, arbiter: Account) -> None:
    plan_id = protected_plan(stage, arbiter, fee_bps=250, fee_receiver=stage.anyone)
    open_with(stage, payer, plan_id, at=SUBSCRIBED)
    terms = terms_of(
        stage, arbiter, payer, 1, SUBSCRIBED, minFeeBps=250, maxFeeBps=250, feeReceiver=stage.anyone.address
    )
    stage.at(SUBSCRIBED + WINDOW)
    stage.escrow.capture(terms, PRICE, 250, sender=stage.merchant)
    assert token.balanceOf(stage.anyone) == PRICE * 250 // 10_000
    assert token.balanceOf(stage.merchant) == PRICE - PRICE * 250 // 10_000


def test_discounts_seats_and_a_trial_come_before_it(stage: Stage, payer: Account, arbiter: Account) -> None:
    plan_id = protected_plan(stage, arbiter, seat_price=PRICE, trial=DAY)
    coupon = Coupon(plan_id=plan_id, basis_points_off=5_000, periods=1)
    assert opened(stage, open_with(stage, payer, plan_id, seats=2, coupon=coupon, at=SUBSCRIBED)) == 1
    due = SUBSCRIBED + DAY
    assert charge(stage, 1, at=due) == [PAID]
    terms = terms_of(stage, arbiter, payer, 1, due, amount=3 * PRICE // 2)
    assert held(stage, stage.escrow.paymentId(terms)) == (OPEN, 3 * PRICE // 2, 0)


def test_money_through_permit2_goes_into_escrow(
    stage: Stage, permit2: Contract, token: Contract, payers: list[Account], arbiter: Account, plan_id: int
) -> None:
    payer = payers[1]
    token.approve(stage.subscriptions, 0, sender=payer)
    token.approve(permit2, UNLIMITED, sender=payer)
    permit2.approve(token, stage.subscriptions, 2**160 - 1, 2**48 - 1, sender=payer)
    open_with(stage, payer, plan_id, Conditions(by_permit2=True), at=SUBSCRIBED)
    terms = terms_of(stage, arbiter, payer, 1, SUBSCRIBED)
    assert held(stage, stage.escrow.paymentId(terms)) == (OPEN, PRICE, 0)


# --- A row that cannot pay fails alone ---


def test_E05_E07_declines_have_their_reasons(
    stage: Stage, usdc: Contract, payers: list[Account], arbiter: Account
) -> None:
    plan_id = protected_plan(stage, arbiter, token=usdc)
    rows = [opened(stage, open_with(stage, payer, plan_id, at=SUBSCRIBED + n)) for n, payer in enumerate(payers)]
    usdc.approve(stage.subscriptions, PRICE - 1, sender=payers[0])
    usdc.transfer(stage.anyone, usdc.balanceOf(payers[1]), sender=payers[1])
    usdc.blacklist(payers[2], sender=stage.anyone)
    outcome = ["Allowance", "Balance", "Blocked", PAID, "NotDue"]
    assert charge(stage, *rows, rows[-1], at=FIRST_DUE + DAY) == outcome
    assert usdc.balanceOf(stage.escrow) == 5 * PRICE
    usdc.pause(sender=stage.anyone)
    assert charge(stage, rows[3], at=utc(2027, 4, 2)) == ["TokenRefused"]


@pytest.mark.parametrize("trick", [*REFUSALS, *UNMOVED, *UNREADABLE])
def test_E01_E02_E06_a_hostile_token_spoils_no_other_row(
    stage: Stage, hostile: Contract, payers: list[Account], arbiter: Account, trick: Trick, plan_id: int
) -> None:
    hostile_plan = protected_plan(stage, arbiter, token=hostile)
    bad = opened(stage, open_with(stage, payers[0], hostile_plan, at=SUBSCRIBED))
    good = opened(stage, open_with(stage, payers[0], plan_id, at=SUBSCRIBED + 1))
    play(hostile, "balanceOf" if trick in UNREADABLE else "transferFrom", trick)
    stage.at(FIRST_DUE + 9)
    receipt = stage.subscriptions.charge([bad, good, bad], sender=stage.anyone, gas_limit=15_000_000)
    names = [name for name, _ in stage.events(receipt) if name in ("Charged", "Declined")]
    assert names == ["Declined", "Charged", "Declined"]
    assert stage.charges(bad) == 1
    assert len(authorized(stage, receipt)) == 1


def test_a_payment_that_somebody_made_before_declines_its_row_alone(
    stage: Stage, token: Contract, payers: list[Account], arbiter: Account, plan_id: int
) -> None:
    """Who knows the second of the charge can make the very payment, with their own money: it is a gift to the payee."""
    rows = [opened(stage, open_with(stage, payer, plan_id, at=SUBSCRIBED + n)) for n, payer in enumerate(payers[:2])]
    at = FIRST_DUE + 100
    terms = terms_of(stage, arbiter, payers[0], 2, at)
    token.approve(stage.escrow, PRICE, sender=payers[0])
    calls = [
        (payers[0], stage.escrow, stage.escrow.authorize.encode_input(terms, 0, b"")),
        (stage.anyone, stage.subscriptions, stage.subscriptions.charge.encode_input(rows)),
    ]
    stage.rpc("evm_setAutomine", False)
    try:
        for fee, (sender, to, data) in zip((20 * 10**9, 10 * 10**9), calls, strict=True):
            call = {"from": sender.address, "to": to.address, "data": "0x" + data.hex(), "gas": hex(4 * 10**6)}
            stage.rpc("eth_sendTransaction", call | {"maxFeePerGas": hex(fee), "maxPriorityFeePerGas": hex(fee)})
        stage.at(at)
        stage.rpc("evm_mine")
    finally:
        stage.rpc("evm_setAutomine", True)
    assert [stage.charges(row) for row in rows] == [1, 2]
    assert charge(stage, rows[0], at=at + 1) == [PAID]


def test_E06_too_little_gas_reverts_everything(stage: Stage, protected: int) -> None:
    stage.at(FIRST_DUE)
    with stage.nothing_changes():
        for gas in (250_000, 350_000, 450_000):
            with pytest.raises(VirtualMachineError):
                stage.subscriptions.charge([protected], sender=stage.anyone, gas_limit=gas)


def test_nobody_else_has_the_contract_collect(
    stage: Stage, project: Any, subscriptions: Contract, payer: Account, protected: int
) -> None:
    part = project.SubscriptionsCharges.at(subscriptions.address)
    for sender in (stage.anyone, stage.merchant, payer):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            part.collect(bytes(32), stage.token, payer, PRICE, sender=sender)
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            part.chargeFirst(protected, sender=sender)


def test_a_part_is_built_on_contracts(project: Any, stage: Stage) -> None:
    for arguments in ((stage.escrow, stage.anyone), (stage.anyone, stage.escrow)):
        with pytest.raises(VirtualMachineError, match=keccak(text="NotAContract(address)")[:4].hex()):
            project.SubscriptionsCharges.deploy(*arguments, sender=stage.merchant)


# --- What goes with it, and what does not ---


def test_it_is_subscribed_to_with_conditions_alone(
    stage: Stage, subscriptions: Contract, payer: Account, plan_id: int
) -> None:
    terms = subscriptions.termsHash(plan_id)
    with stage.nothing_changes(), reverts("PlanIsProtected", planId=plan_id):
        subscriptions.subscribe(plan_id, terms, 0, sender=payer)


def test_the_arbiter_is_no_payer(stage: Stage, arbiter: Account, plan_id: int) -> None:
    stage.fund(arbiter)
    with stage.nothing_changes(), reverts("PayerIsPayee", account=arbiter):
        open_with(stage, arbiter, plan_id)


def test_refunds_are_made_in_escrow(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, arbiter: Account, protected: int
) -> None:
    plan_id = subscriptions.subscription(protected).planId
    for verb, arguments in (
        (subscriptions.refund, (protected, 1, 1)),
        (subscriptions.refundChanged, (protected, 1, 1, [])),
        (subscriptions.cancelWithRefund, (protected, [1], [])),
    ):
        with stage.nothing_changes(), reverts("PlanIsProtected", planId=plan_id):
            verb(*arguments, sender=stage.merchant)
    terms, balance = terms_of(stage, arbiter, payer, 1, SUBSCRIBED), token.balanceOf(payer)
    stage.escrow.void(terms, sender=stage.merchant)
    assert token.balanceOf(payer) == balance + PRICE
    assert charge(stage, protected, at=FIRST_DUE) == [PAID]
    terms = terms_of(stage, arbiter, payer, 2, FIRST_DUE)
    stage.escrow.capture(terms, PRICE, 0, sender=payer)  # who is content does not wait
    token.approve(stage.escrow, PRICE, sender=stage.merchant)
    stage.at(FIRST_DUE + 3 * YEAR)
    stage.escrow.refund(terms, PRICE, sender=stage.merchant)
    assert (token.balanceOf(payer), token.balanceOf(stage.merchant)) == (balance + PRICE, 0)
    assert held(stage, stage.escrow.paymentId(terms)) == (CLOSED, 0, 0)


def test_E31_it_is_changed_at_the_period_s_end_to_protected_plans_alone(
    stage: Stage, subscriptions: Contract, payer: Account, arbiter: Account, monthly: int, protected: int
) -> None:
    dearer = protected_plan(stage, arbiter, price=2 * PRICE)
    with stage.nothing_changes(), reverts("PlanIsProtected", planId=dearer):
        stage.change_plan(payer, protected, dearer)
    with reverts("PlanIsProtected", planId=dearer):
        subscriptions.quote.transact(protected, dearer, 0, sender=payer)  # Ape decodes errors of transactions alone
    with stage.nothing_changes(), reverts("PlanIsProtected", planId=monthly):
        stage.schedule_change(payer, protected, monthly)
    plain = stage.subscribe(payer, monthly)
    with stage.nothing_changes(), reverts("PlanIsProtected", planId=dearer):
        stage.schedule_change(payer, plain, dearer)
    stage.schedule_change(payer, protected, dearer)
    assert charge(stage, protected, at=FIRST_DUE) == [PAID]
    terms = terms_of(stage, arbiter, payer, 2, FIRST_DUE, amount=2 * PRICE)
    assert held(stage, stage.escrow.paymentId(terms)) == (OPEN, 2 * PRICE, 0)


def test_E30_a_lower_price_keeps_the_protection(
    stage: Stage, subscriptions: Contract, payer: Account, accounts: Any, arbiter: Account, protected: int
) -> None:
    cheap = {"price": PRICE - 1}
    worse: list[dict[str, Any]] = [
        {"protection": 0, "arbiter": None, "ruling_timeout": 0, "default_payee_bps": 0, "max_arbiter_fee_bps": 0},
        {"protection": WINDOW - 1},
        {"arbiter": accounts[8]},
        {"ruling_timeout": RULING + 1},
        {"default_payee_bps": 4_001},
        {"max_arbiter_fee_bps": 501},
    ]
    for change in worse:
        plan_id = protected_plan(stage, arbiter, **cheap | change)
        with stage.nothing_changes(), reverts("TermsWorse", planId=plan_id):
            subscriptions.lowerPrice([protected], plan_id, sender=stage.merchant)
    plan_id = protected_plan(stage, arbiter, **cheap)
    subscriptions.lowerPrice([protected], plan_id, sender=stage.merchant)
    assert charge(stage, protected, at=FIRST_DUE) == [PAID]
    terms = terms_of(stage, arbiter, payer, 2, FIRST_DUE, amount=PRICE - 1)
    assert held(stage, stage.escrow.paymentId(terms)) == (OPEN, PRICE - 1, 0)


def test_it_is_no_alternative(stage: Stage, subscriptions: Contract, usdc: Contract, arbiter: Account) -> None:
    plan_id, other = protected_plan(stage, arbiter), stage.create_plan(token=usdc)
    for pair in ((plan_id, other), (other, plan_id)):
        with stage.nothing_changes(), reverts("PlanIsProtected", planId=plan_id):
            subscriptions.offerAlternative(*pair, sender=stage.merchant)


def test_escrow_refuses_calldata_with_dirt_above_an_address(stage: Stage, payer: Account, arbiter: Account) -> None:
    """What names a payment is the calldata of its terms: a second form of the same terms would be a second payment."""
    terms = terms_of(stage, arbiter, payer, 1, SUBSCRIBED)
    data = bytearray(stage.escrow.void.encode_input(terms))
    data[4] = 1
    call = {"from": stage.merchant.address, "to": stage.escrow.address, "data": "0x" + data.hex()}
    with pytest.raises(Exception, match=r"revert|failed"):
        stage.rpc("eth_call", call, "latest")
