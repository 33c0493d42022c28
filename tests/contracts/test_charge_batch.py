"""charge, many rows at once: no row's failure reaches another, and too little gas fails them all."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import decode
from eth_utils.crypto import keccak

from tallystick.core.subscription import DeclineReason
from tests.contracts.hostile import play
from tests.contracts.stage import (
    FIRST_DUE,
    PRICE,
    REGISTER,
    SUBSCRIBED,
    UNLIMITED,
    Account,
    Contract,
    Stage,
    reverts,
)
from tests.tricks import UNREADABLE, Trick

PAID = DeclineReason.NONE
REFUSED = DeclineReason.TOKEN_REFUSED
TRICKS = [trick for trick in Trick if trick != Trick.NONE]
TOKEN_CALL_GAS = 250_000
"""What one token call may use."""
REFUSED_CALLS = 3
"""Calls that a row makes of a token that burns in `transferFrom` and `allowance`: the payment, the allowance, and the
payment to the contract itself, which tells a blocked payee (E07) from a refusing token."""
OTHER_GAS = 200_000
"""More than everything else in a batch of four rows uses."""
CALL_NEEDS = TOKEN_CALL_GAS + TOKEN_CALL_GAS // 63 + 30_000
"""Gas that must be left where a token is called."""


@pytest.fixture
def hostile_plan(stage: Stage, hostile: Contract) -> int:
    """A plan in the token that misbehaves once told to."""
    return stage.create_plan(token=hostile)


@pytest.fixture
def rows(stage: Stage, payers: list[Account], monthly: int, hostile_plan: int) -> list[int]:
    """Good, hostile, hostile, good: three runs."""
    plans = [monthly, hostile_plan, hostile_plan, monthly]
    return [stage.subscribe(payer, plan, at=SUBSCRIBED) for payer, plan in zip(payers, plans, strict=True)]


def test_each_row_stands_for_itself(
    stage: Stage, subscriptions: Contract, token: Contract, usdc: Contract, payers: list[Account], monthly: int
) -> None:
    yearly, in_usdc = stage.create_plan(every=12), stage.create_plan(token=usdc)
    plans = [monthly, monthly, in_usdc, monthly, yearly, in_usdc]
    for payer, plan_id in zip([*payers, *payers[:2]], plans, strict=True):
        stage.subscribe(payer, plan_id, at=SUBSCRIBED + 1)
    token.approve(subscriptions, 0, sender=payers[1])
    usdc.blacklist(payers[2], sender=stage.anyone)
    before = stage.totals(), stage.totals(token=usdc)
    outcomes = stage.charge(1, 2, REGISTER + 1, 77, REGISTER + 2, 3, 4, 0, 1, at=FIRST_DUE + 1)
    assert outcomes == [
        PAID,
        DeclineReason.ALLOWANCE,
        DeclineReason.BLOCKED,
        DeclineReason.UNKNOWN,
        PAID,
        PAID,
        DeclineReason.NOT_DUE,
        DeclineReason.UNKNOWN,
        DeclineReason.NOT_DUE,
    ]
    assert before == ((4, 4 * PRICE, 0, 0), (2, 2 * PRICE, 0, 0))
    assert stage.totals() == (6, 6 * PRICE, 0, 0)
    assert stage.totals(token=usdc) == (3, 3 * PRICE, 0, 0)
    assert (token.balanceOf(stage.merchant), usdc.balanceOf(stage.merchant)) == (6 * PRICE, 3 * PRICE)


@pytest.mark.parametrize("function", ["transferFrom", "balanceOf"])
@pytest.mark.parametrize("trick", TRICKS)
def test_E06_a_hostile_token_fails_its_own_rows_alone(
    stage: Stage,
    subscriptions: Contract,
    token: Contract,
    hostile: Contract,
    rows: list[int],
    function: str,
    trick: Trick,
) -> None:
    play(hostile, function, trick)
    before = stage.totals(token=hostile)
    stage.at(FIRST_DUE)
    receipt = subscriptions.charge(rows, sender=stage.anyone)
    assert stage.outcomes(receipt) == [PAID, REFUSED, REFUSED, PAID]
    assert token.balanceOf(stage.merchant) == 4 * PRICE
    play(hostile, function, Trick.NONE)
    assert hostile.balanceOf(stage.merchant) == 2 * PRICE
    assert stage.totals(token=hostile) == before
    assert [stage.next_due(row) for row in rows[1:3]] == [FIRST_DUE] * 2
    assert stage.charge(*rows) == [DeclineReason.NOT_DUE, PAID, PAID, DeclineReason.NOT_DUE]


@pytest.mark.parametrize("trick", UNREADABLE)
def test_E06_a_reason_that_cannot_be_read_is_the_tokens_refusal(
    stage: Stage, hostile: Contract, rows: list[int], trick: Trick
) -> None:
    play(hostile, "transferFrom", Trick.REFUSE)
    play(hostile, "allowance", trick)
    assert stage.charge(*rows, at=FIRST_DUE) == [PAID, REFUSED, REFUSED, PAID]


def test_E06_a_row_burns_no_more_than_its_bound(
    stage: Stage, subscriptions: Contract, hostile: Contract, rows: list[int]
) -> None:
    play(hostile, "transferFrom", Trick.BURN_GAS)
    play(hostile, "allowance", Trick.BURN_GAS)
    stage.at(FIRST_DUE)
    used = subscriptions.charge(rows, sender=stage.anyone).gas_used
    burned = 2 * REFUSED_CALLS * TOKEN_CALL_GAS
    assert burned < used < burned + OTHER_GAS


@pytest.mark.parametrize(
    ("bomb", "calls"),
    [
        (Trick.REVERT_BOMB, 2 * REFUSED_CALLS),
        (Trick.RETURN_BOMB, 2 * 2),  # each row is called in the run, which is undone, and alone: "true", nothing moved
    ],
)
def test_E06_the_answer_of_a_token_is_not_copied(
    stage: Stage, subscriptions: Contract, hostile: Contract, rows: list[int], bomb: Trick, calls: int
) -> None:
    play(hostile, "transferFrom", bomb)
    play(hostile, "allowance", bomb)
    stage.at(FIRST_DUE)
    used = subscriptions.charge(rows, sender=stage.anyone).gas_used
    assert used < calls * TOKEN_CALL_GAS + OTHER_GAS  # copying would cost as much again as the bomb itself


def test_E06_a_payer_that_burns_gas_in_its_hook_fails_its_own_row_alone(
    stage: Stage, project: Any, hooked: Contract, payers: list[Account]
) -> None:
    hooked.spare(stage.subscriptions, sender=stage.anyone)  # which could take the money: it is the payer who refuses
    wallet = project.MockWallet.deploy(sender=stage.anyone)
    hooked.mint(wallet, 10 * PRICE, sender=stage.anyone)
    wallet.execute(hooked, hooked.approve.encode_input(stage.subscriptions, UNLIMITED), sender=stage.anyone)
    plan_id = stage.create_plan(token=hooked)
    terms = stage.subscriptions.termsHash(plan_id)
    stage.subscribe(payers[0], plan_id, at=SUBSCRIBED)
    subscribe = stage.subscriptions.subscribe.encode_input(plan_id, terms, 0)
    wallet.execute(stage.subscriptions, subscribe, sender=stage.anyone)
    stage.subscribe(payers[1], plan_id)
    wallet.setBurnsGas(True, sender=stage.anyone)
    assert stage.charge(1, 2, 3, at=FIRST_DUE + 60) == [PAID, REFUSED, PAID]
    assert hooked.balanceOf(stage.merchant) == 5 * PRICE


def test_E06_too_little_gas_reverts_the_whole_call_and_never_fakes_a_decline(
    stage: Stage, subscriptions: Contract, hostile: Contract, rows: list[int]
) -> None:
    play(hostile, "transferFrom", Trick.BURN_GAS)
    stage.at(FIRST_DUE)
    stage.rpc("evm_mine")
    data = "0x" + subscriptions.charge.encode_input(rows).hex()
    expected = bytes([PAID, REFUSED, REFUSED, PAID])
    assert dry_run(stage, data, 5_000_000) == expected
    burned = 2 * (REFUSED_CALLS - 1) * TOKEN_CALL_GAS  # by transfers; the allowance answers
    suffices = (burned + OTHER_GAS + CALL_NEEDS) * 64 // 63  # of which the frame of a run gets 63/64
    for gas in range(30_000, suffices + 100_000, 9_973):
        answer = dry_run(stage, data, gas)
        assert answer in (None, expected), f"with {gas} gas"
        assert gas > burned or answer is None, f"with {gas} gas"
        assert gas < suffices or answer == expected, f"with {gas} gas"


def test_E06_too_little_gas_is_said(stage: Stage, subscriptions: Contract, rows: list[int]) -> None:
    data = "0x" + subscriptions.charge.encode_input(rows[:1]).hex()
    stage.at(FIRST_DUE)
    stage.rpc("evm_mine")
    trace = {"tracer": "callTracer"}
    call = {"from": stage.anyone.address, "to": subscriptions.address, "data": data, "gas": hex(200_000)}
    output = bytes.fromhex(stage.rpc("debug_traceCall", call, "latest", trace)["output"][2:])
    assert output[:4] == keccak(text="InsufficientGas(uint256,uint256)")[:4]
    found, needed = decode(["uint256", "uint256"], output[4:])
    assert 150_000 < found < needed == CALL_NEEDS


def dry_run(stage: Stage, data: str, gas: int) -> bytes | None:
    """The reasons that a charge would answer, or None where it reverts."""
    call = {"from": stage.anyone.address, "to": stage.subscriptions.address, "data": data, "gas": hex(gas)}
    trace = stage.rpc("debug_traceCall", call, "latest", {"tracer": "callTracer"})
    if "error" in trace:
        return None
    (reasons,) = decode(["bytes"], bytes.fromhex(trace["output"][2:]))
    return bytes(reasons)


# --- Less received than was due ---


@pytest.mark.parametrize(("fee_bps", "maximum_fee", "received"), [(20, UNLIMITED, 9_970_020), (20, 1, PRICE - 1)])
def test_E02_a_single_row_that_moves_too_little_reverts(
    stage: Stage,
    subscriptions: Contract,
    usdt: Contract,
    payer: Account,
    fee_bps: int,
    maximum_fee: int,
    received: int,
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=usdt), at=SUBSCRIBED)
    usdt.setParams(fee_bps, maximum_fee, sender=stage.anyone)
    stage.at(FIRST_DUE)
    with stage.nothing_changes(usdt), reverts("AmountMismatch", received=received, expected=PRICE):
        subscriptions.charge([subscription_id], sender=stage.anyone)


def test_E02_a_run_that_moves_too_little_declines_as_a_whole_and_no_other(
    stage: Stage, token: Contract, usdt: Contract, payers: list[Account], monthly: int
) -> None:
    in_usdt = stage.create_plan(token=usdt)
    plans = [monthly, in_usdt, in_usdt, monthly]
    rows = [stage.subscribe(payer, plan_id, at=SUBSCRIBED + 1) for payer, plan_id in zip(payers, plans, strict=True)]
    usdt.setParams(1, UNLIMITED, sender=stage.anyone)
    before = stage.totals(token=usdt), usdt.balanceOf(stage.merchant), usdt.balanceOf(payers[1])
    assert stage.charge(*rows, at=FIRST_DUE + 1) == [PAID, REFUSED, REFUSED, PAID]
    assert (stage.totals(token=usdt), usdt.balanceOf(stage.merchant), usdt.balanceOf(payers[1])) == before
    assert token.balanceOf(stage.merchant) == 4 * PRICE
    usdt.setParams(0, 0, sender=stage.anyone)
    assert stage.charge(*rows) == [DeclineReason.NOT_DUE, PAID, PAID, DeclineReason.NOT_DUE]


def test_E02_rows_of_an_undone_run_keep_the_reasons_that_are_not_about_money(
    stage: Stage, subscriptions: Contract, usdt: Contract, payers: list[Account], monthly: int
) -> None:
    in_usdt = stage.create_plan(token=usdt)
    first, second, third, fourth = (stage.subscribe(payer, in_usdt, at=stage.now + 1) for payer in payers)
    other = stage.subscribe(payers[0], monthly)
    subscriptions.cancel(second, sender=payers[1])
    subscriptions.cancelAtPeriodEnd(third, sender=payers[2])
    usdt.setParams(1, UNLIMITED, sender=stage.anyone)
    assert stage.charge(first, second, third, fourth, first, other, at=FIRST_DUE) == [
        REFUSED,
        DeclineReason.CANCELLED,
        DeclineReason.ENDED,
        REFUSED,
        REFUSED,
        PAID,
    ]


def test_E02_a_payee_that_passes_on_what_it_receives_is_not_paid_behind_its_back(
    stage: Stage, project: Any, subscriptions: Contract, hooked: Contract, payers: list[Account], monthly: int
) -> None:
    payee = project.MockWallet.deploy(sender=stage.anyone)
    plan_id = stage.create_plan(token=hooked, payee=payee)
    subscription_id = stage.subscribe(payers[0], plan_id, at=SUBSCRIBED)
    other = stage.subscribe(payers[1], monthly, at=SUBSCRIBED + 1)
    payee.setHook(hooked, hooked.transfer.encode_input(stage.anyone, PRICE), sender=stage.anyone)
    stage.at(FIRST_DUE + 1)
    with stage.nothing_changes(hooked), reverts("AmountMismatch", received=0, expected=PRICE):
        subscriptions.charge([subscription_id], sender=stage.anyone)
    assert stage.charge(subscription_id, other) == [REFUSED, PAID]


# --- A token that is no contract any more ---


def test_E01_a_token_that_lost_its_code_declines(
    stage: Stage, token: Contract, hostile: Contract, rows: list[int]
) -> None:
    stage.rpc("anvil_setCode", hostile.address, "0x")
    assert stage.charge(*rows, at=FIRST_DUE) == [PAID, REFUSED, REFUSED, PAID]
    assert token.balanceOf(stage.merchant) == 4 * PRICE


def test_a_large_batch_of_one_plan_is_counted_once(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account], monthly: int
) -> None:
    size = 40
    for number in range(size):
        stage.subscribe(payers[number % 4], monthly, at=SUBSCRIBED + number)
    rows = list(range(1, size + 1))
    assert stage.charge(*rows, at=FIRST_DUE + size) == [PAID] * size
    assert token.balanceOf(stage.merchant) == 2 * size * PRICE
    assert stage.totals() == (2 * size, 2 * size * PRICE, 0, 0)
    with reverts("NotAuthorized", caller=stage.anyone):
        subscriptions.chargeRun(rows, sender=stage.anyone)
