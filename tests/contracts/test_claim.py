"""claim: what an account could not receive is kept for it, and paid to it alone, once (E07)."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import decode

from tallystick.core.subscription import DeclineReason
from tests.contracts.hostile import DENIALS, UNMOVED, play, play_to
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
from tests.tricks import UNREADABLE, Trick

PAID, REFUSED, BLOCKED = DeclineReason.NONE, DeclineReason.TOKEN_REFUSED, DeclineReason.BLOCKED


@pytest.fixture
def in_usdc(stage: Stage, usdc: Contract, payer: Account) -> int:
    """The first payer's subscription to the merchant's plan in USDC, opened at SUBSCRIBED."""
    return stage.subscribe(payer, stage.create_plan(token=usdc), at=SUBSCRIBED)


@pytest.fixture
def kept(stage: Stage, usdc: Contract, in_usdc: int) -> int:
    """The same, charged while the merchant was blocked."""
    usdc.blacklist(stage.merchant, sender=stage.anyone)
    assert stage.charge(in_usdc, at=FIRST_DUE) == [PAID]
    return in_usdc


def test_E07_a_blocked_payees_money_is_kept_for_it_and_the_subscription_goes_on(
    stage: Stage, subscriptions: Contract, usdc: Contract, payer: Account, in_usdc: int
) -> None:
    usdc.blacklist(stage.merchant, sender=stage.anyone)
    stage.at(FIRST_DUE)
    receipt = subscriptions.charge([in_usdc], sender=stage.anyone)
    assert stage.events(receipt) == [
        ("Claimable", {"account": stage.merchant, "token": usdc, "subscriptionId": in_usdc, "amount": PRICE}),
        (
            "Charged",
            {
                "subscriptionId": in_usdc,
                "chargeNumber": 2,
                "periodStart": FIRST_DUE,
                "periodEnd": utc(2027, 3, 31, 12),
                "amount": PRICE,
            },
        ),
    ]
    assert bytes(receipt.return_value or b"\x00") == bytes([PAID])
    assert (usdc.balanceOf(payer), usdc.balanceOf(stage.merchant)) == (FUNDS - 2 * PRICE, PRICE)
    assert usdc.balanceOf(subscriptions) == subscriptions.claimable(stage.merchant, usdc) == PRICE
    assert stage.totals(token=usdc) == (2, 2 * PRICE, 0, 0)
    assert stage.charge(in_usdc) == [DeclineReason.NOT_DUE]
    assert stage.charge(in_usdc, at=utc(2027, 3, 31, 12)) == [PAID]
    assert usdc.balanceOf(subscriptions) == subscriptions.claimable(stage.merchant, usdc) == 2 * PRICE


def test_E07_the_batch_goes_on(
    stage: Stage, subscriptions: Contract, usdc: Contract, token: Contract, payers: list[Account], monthly: int
) -> None:
    blocked, other = stage.create_plan(token=usdc), stage.create_plan(token=usdc, payee=stage.anyone)
    plans = [monthly, blocked, blocked, other]
    rows = [stage.subscribe(payer, plan_id, at=SUBSCRIBED + 1) for payer, plan_id in zip(payers, plans, strict=True)]
    again = stage.subscribe(payers[0], blocked, at=SUBSCRIBED + 2)
    usdc.approve(subscriptions, PRICE - 1, sender=payers[1])
    usdc.blacklist(stage.merchant, sender=stage.anyone)
    outcomes = stage.charge(*rows, again, rows[2], 99, at=FIRST_DUE + 2)
    expected = [PAID, DeclineReason.ALLOWANCE, PAID, PAID, PAID, DeclineReason.NOT_DUE, DeclineReason.UNKNOWN]
    assert outcomes == expected
    assert subscriptions.claimable(stage.merchant, usdc) == usdc.balanceOf(subscriptions) == 2 * PRICE
    assert (token.balanceOf(stage.merchant), usdc.balanceOf(stage.anyone)) == (2 * PRICE, 2 * PRICE)
    assert stage.totals(token=usdc) == (5, 5 * PRICE, 0, 0)


def test_E07_rows_of_one_run_that_reach_the_payee_and_rows_that_do_not(
    stage: Stage, project: Any, subscriptions: Contract, hooked: Contract, payers: list[Account]
) -> None:
    """The payee's hook lets only some transfers through: the run's balance still adds up."""
    payee = project.MockWallet.deploy(sender=stage.anyone)
    hooked.spare(subscriptions, sender=stage.anyone)
    plan_id = stage.create_plan(token=hooked, payee=payee)
    rows = [stage.subscribe(payer, plan_id, at=SUBSCRIBED + at) for at, payer in enumerate(payers[:2])]
    wallet = project.MockWallet.deploy(sender=stage.anyone)
    hooked.mint(wallet, 2 * PRICE, sender=stage.anyone)
    wallet.execute(hooked, hooked.approve.encode_input(subscriptions, UNLIMITED), sender=stage.anyone)
    subscribe = subscriptions.subscribe.encode_input(plan_id, subscriptions.termsHash(plan_id), 0)
    wallet.execute(subscriptions, subscribe, sender=stage.anyone)
    # When this one pays, its hook makes the payee refuse from then on.
    wallet.setHook(payee, payee.setBurnsGas.encode_input(True), sender=stage.anyone)
    before = hooked.balanceOf(payee)
    assert stage.charge(rows[0], 3, rows[1], at=FIRST_DUE + 60) == [PAID, PAID, PAID]
    assert hooked.balanceOf(payee) - before == PRICE
    assert subscriptions.claimable(payee, hooked) == hooked.balanceOf(subscriptions) == 2 * PRICE


# --- What is not the receiver's doing ---


@pytest.mark.parametrize("payee_too", [False, True])
def test_E07_a_blocked_payer_declines(
    stage: Stage, subscriptions: Contract, usdc: Contract, payer: Account, in_usdc: int, payee_too: bool
) -> None:
    usdc.blacklist(payer, sender=stage.anyone)
    if payee_too:
        usdc.blacklist(stage.merchant, sender=stage.anyone)
    with stage.nothing_changes(usdc):
        assert stage.charge(in_usdc, at=FIRST_DUE) == [BLOCKED]
    assert subscriptions.claimable(stage.merchant, usdc) == 0


def test_E05_a_paused_token_declines_even_where_the_payee_is_blocked(
    stage: Stage, usdc: Contract, in_usdc: int
) -> None:
    usdc.blacklist(stage.merchant, sender=stage.anyone)
    usdc.pause(sender=stage.anyone)
    with stage.nothing_changes(usdc):
        assert stage.charge(in_usdc, at=FIRST_DUE) == [REFUSED]


def test_E07_a_token_that_blocks_the_contract_declines(
    stage: Stage, subscriptions: Contract, usdc: Contract, in_usdc: int
) -> None:
    usdc.blacklist(stage.merchant, sender=stage.anyone)
    usdc.blacklist(subscriptions, sender=stage.anyone)
    with stage.nothing_changes(usdc):
        assert stage.charge(in_usdc, at=FIRST_DUE) == [REFUSED]


@pytest.mark.parametrize("lack", [DeclineReason.ALLOWANCE, DeclineReason.BALANCE])
def test_what_the_payer_lacks_comes_before_what_the_payee_cannot(
    stage: Stage, subscriptions: Contract, usdc: Contract, payer: Account, in_usdc: int, lack: DeclineReason
) -> None:
    if lack == DeclineReason.ALLOWANCE:
        usdc.approve(subscriptions, PRICE - 1, sender=payer)
    else:
        usdc.transfer(stage.anyone, usdc.balanceOf(payer) - PRICE + 1, sender=payer)
    usdc.blacklist(stage.merchant, sender=stage.anyone)
    with stage.nothing_changes(usdc):
        assert stage.charge(in_usdc, at=FIRST_DUE) == [lack]


def test_E07_subscribe_and_change_plan_refuse_instead(
    stage: Stage, subscriptions: Contract, usdc: Contract, payer: Account, kept: int
) -> None:
    plan_id = int(subscriptions.subscription(kept).planId)
    dearer = stage.create_plan(token=usdc, price=2 * PRICE)
    with stage.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        stage.subscribe(payer, plan_id)
    with stage.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        stage.change_plan(payer, kept, dearer)


def test_E06_too_little_gas_never_keeps_what_could_be_paid(stage: Stage, subscriptions: Contract, in_usdc: int) -> None:
    """With whatever gas it is sent, a charge pays the payee, or does nothing at all."""
    stage.at(FIRST_DUE)
    stage.rpc("evm_mine")
    call = {
        "from": stage.anyone.address,
        "to": subscriptions.address,
        "data": "0x" + subscriptions.charge.encode_input([in_usdc]).hex(),
    }
    tracer = {"tracer": "callTracer", "tracerConfig": {"withLog": True}}
    outcomes = set()
    for gas in range(30_000, 700_000, 4_973):
        trace = stage.rpc("debug_traceCall", call | {"gas": hex(gas)}, "latest", tracer)
        if "error" in trace:
            outcomes.add("nothing")
            continue
        assert decode(["bytes"], bytes.fromhex(trace["output"][2:])) == (bytes([PAID]),)
        assert len(trace.get("logs", [])) == 1, f"Charged and nothing else, with {gas} gas"
        outcomes.add("paid")
    assert outcomes == {"nothing", "paid"}


# --- A token that lies ---


def test_E01_E07_a_token_that_refuses_payee_and_contract_declines(
    stage: Stage, subscriptions: Contract, hostile: Contract, payer: Account
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=hostile), at=SUBSCRIBED)
    play_to(hostile, stage.merchant, Trick.REFUSE)
    play_to(hostile, subscriptions, Trick.REFUSE)
    with stage.nothing_changes(hostile):
        assert stage.charge(subscription_id, at=FIRST_DUE) == [REFUSED]


@pytest.mark.parametrize("trick", DENIALS + UNMOVED)
def test_E02_E07_what_the_contract_did_not_receive_is_nobodys(
    stage: Stage, subscriptions: Contract, hostile: Contract, payers: list[Account], monthly: int, trick: Trick
) -> None:
    plan_id = stage.create_plan(token=hostile)
    plain = stage.subscribe(payers[1], monthly, at=SUBSCRIBED)
    subscription_id = stage.subscribe(payers[0], plan_id, at=SUBSCRIBED + 1)
    play_to(hostile, stage.merchant, Trick.REFUSE)
    play_to(hostile, subscriptions, trick)
    with stage.nothing_changes(hostile), reverts("AmountMismatch", received=0, expected=PRICE):
        stage.charge(subscription_id, at=FIRST_DUE + 1)
    assert stage.charge(subscription_id, plain) == [REFUSED, PAID]
    assert subscriptions.claimable(stage.merchant, hostile) == 0
    assert stage.charges(subscription_id) == 1


def test_E02_E07_a_fee_on_the_transfer_to_the_contract_is_seen(
    stage: Stage, subscriptions: Contract, hostile: Contract, payers: list[Account]
) -> None:
    """What others are kept is not taken for what this row brought."""
    plan_id = stage.create_plan(token=hostile)
    first, second = (stage.subscribe(payer, plan_id, at=SUBSCRIBED + at) for at, payer in enumerate(payers[:2]))
    play_to(hostile, stage.merchant, Trick.REFUSE)
    assert stage.charge(first, at=FIRST_DUE + 1) == [PAID]
    assert hostile.balanceOf(subscriptions) == PRICE
    play_to(hostile, subscriptions, Trick.RETURN_TRUE)
    with stage.nothing_changes(hostile), reverts("AmountMismatch", received=0, expected=PRICE):
        stage.charge(second)
    assert subscriptions.claimable(stage.merchant, hostile) == hostile.balanceOf(subscriptions) == PRICE


@pytest.mark.parametrize("trick", [*UNREADABLE, Trick.RETURN_TRUE, Trick.RETURN_FALSE, Trick.RETURN_TWO])
def test_E01_E07_a_token_that_hides_or_invents_balances_makes_nothing_claimable(
    stage: Stage, subscriptions: Contract, hostile: Contract, payers: list[Account], monthly: int, trick: Trick
) -> None:
    subscription_id = stage.subscribe(payers[0], stage.create_plan(token=hostile), at=SUBSCRIBED)
    plain = stage.subscribe(payers[1], monthly, at=SUBSCRIBED + 1)
    play_to(hostile, stage.merchant, Trick.REFUSE)
    play(hostile, "balanceOf", trick)
    outcomes = stage.charge(subscription_id, plain, at=FIRST_DUE + 1)
    assert outcomes in ([REFUSED, PAID], [DeclineReason.BALANCE, PAID])  # 0, 1 or 2 are balances too low
    assert (outcomes[0] == REFUSED) == (trick in UNREADABLE)
    assert subscriptions.claimable(stage.merchant, hostile) == 0
    assert stage.charges(subscription_id) == 1


# --- Paying out ---


@pytest.mark.usefixtures("kept")
def test_anyone_claims_and_the_account_alone_is_paid(
    stage: Stage, subscriptions: Contract, usdc: Contract, payers: list[Account]
) -> None:
    usdc.unBlacklist(stage.merchant, sender=stage.anyone)
    before = usdc.balanceOf(payers[3])
    receipt = subscriptions.claim(stage.merchant, usdc, sender=payers[3])
    assert stage.events(receipt) == [("Claimed", {"account": stage.merchant, "token": usdc, "amount": PRICE})]
    assert (usdc.balanceOf(stage.merchant), usdc.balanceOf(payers[3])) == (2 * PRICE, before)
    assert usdc.balanceOf(subscriptions) == subscriptions.claimable(stage.merchant, usdc) == 0
    assert stage.totals(token=usdc) == (2, 2 * PRICE, 0, 0)


@pytest.mark.usefixtures("kept")
def test_once(stage: Stage, subscriptions: Contract, usdc: Contract) -> None:
    usdc.unBlacklist(stage.merchant, sender=stage.anyone)
    subscriptions.claim(stage.merchant, usdc, sender=stage.merchant)
    with stage.nothing_changes(usdc), reverts("NothingToClaim", account=stage.merchant, token=usdc):
        subscriptions.claim(stage.merchant, usdc, sender=stage.merchant)


@pytest.mark.usefixtures("kept")
def test_nobody_has_a_claim_on_what_is_anothers(
    stage: Stage, subscriptions: Contract, usdc: Contract, token: Contract, payer: Account
) -> None:
    for account, in_token in [(payer, usdc), (stage.anyone, usdc), (stage.merchant, token), (subscriptions, usdc)]:
        with stage.nothing_changes(usdc), reverts("NothingToClaim", account=account, token=in_token):
            subscriptions.claim(account, in_token, sender=payer)


@pytest.mark.usefixtures("kept")
def test_stays_kept_while_the_account_is_blocked_or_the_token_paused(
    stage: Stage, subscriptions: Contract, usdc: Contract
) -> None:
    with stage.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        subscriptions.claim(stage.merchant, usdc, sender=stage.anyone)
    usdc.unBlacklist(stage.merchant, sender=stage.anyone)
    usdc.pause(sender=stage.anyone)
    with stage.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        subscriptions.claim(stage.merchant, usdc, sender=stage.anyone)
    usdc.unpause(sender=stage.anyone)
    subscriptions.claim(stage.merchant, usdc, sender=stage.anyone)


def test_claims_of_several_accounts_and_tokens_are_their_own(
    stage: Stage, subscriptions: Contract, usdc: Contract, hostile: Contract, payers: list[Account], kept: int
) -> None:
    others = stage.subscribe(payers[1], stage.create_plan(token=usdc, payee=stage.anyone, price=7), at=FIRST_DUE + 1)
    in_other_token = stage.subscribe(payers[2], stage.create_plan(token=hostile, price=11), at=FIRST_DUE + 2)
    usdc.blacklist(stage.anyone, sender=payers[0])
    play_to(hostile, stage.merchant, Trick.REFUSE)
    assert stage.charge(kept, others, in_other_token, at=utc(2027, 4, 1)) == [PAID, PAID, PAID]
    found = [
        subscriptions.claimable(account, token)
        for account, token in [(stage.merchant, usdc), (stage.anyone, usdc), (stage.merchant, hostile)]
    ]
    assert found == [2 * PRICE, 7, 11]
    assert (usdc.balanceOf(subscriptions), hostile.balanceOf(subscriptions)) == (2 * PRICE + 7, 11)
    usdc.unBlacklist(stage.merchant, sender=payers[0])
    subscriptions.claim(stage.merchant, usdc, sender=payers[0])
    assert (usdc.balanceOf(subscriptions), hostile.balanceOf(subscriptions)) == (7, 11)
    subscriptions.claim(stage.merchant, hostile, sender=payers[0])
    assert hostile.balanceOf(stage.merchant) == 22
