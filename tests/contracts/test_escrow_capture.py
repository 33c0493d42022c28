"""capture: a part of what is held, or all of it, by payee or operator in their time, by the payer at any time."""

from __future__ import annotations

from typing import Any

import pytest
from ape.exceptions import CustomError

from tests.contracts.hostile import REFUSALS, UNMOVED, play
from tests.contracts.payments import (
    ALL,
    AMOUNT,
    CAPTURE_BEFORE,
    CLOSED,
    DISPUTED,
    OPEN,
    Payments,
    State,
    Terms,
)
from tests.contracts.stage import DAY, UNLIMITED, Contract, Stage, reverts
from tests.tricks import Trick

PART = 30_000_000


@pytest.fixture
def held(payments: Payments) -> Terms:
    """A payment without fees or disputes."""
    return payments.authorized()


# --- Who, and how much ---


@pytest.mark.parametrize("who", ["payee", "operator", "payer"])
def test_pays_a_part_and_then_the_rest(payments: Payments, held: Terms, who: str) -> None:
    sender, payment_id, since = getattr(payments, who), payments.id(held), payments.state(held).since
    with payments.moves(payee=PART, escrow=-PART):
        receipt = payments.escrow.capture(held, PART, 0, sender=sender)
    assert payments.events(receipt) == [("Captured", {"paymentId": payment_id, "amount": PART, "fee": 0})]
    assert payments.state(held) == State(OPEN, AMOUNT - PART, PART, since)
    with payments.moves(payee=AMOUNT - PART, escrow=PART - AMOUNT):
        payments.escrow.capture(held, AMOUNT - PART, 0, sender=sender)
    assert payments.state(held) == State(CLOSED, 0, AMOUNT, since)


@pytest.mark.parametrize("who", ["anyone", "arbiter", "receiver"])
def test_nobody_else_may(payments: Payments, who: str) -> None:
    terms = payments.with_all()
    payments.authorize(terms)
    sender = getattr(payments, who)
    with payments.nothing_changes(), reverts("NotAuthorized", caller=sender):
        payments.escrow.capture(terms, PART, 100, sender=sender)


def test_without_an_operator_nobody_is_one(payments: Payments) -> None:
    terms = payments.authorized(operator="0x" + "0" * 40)
    with payments.nothing_changes(), reverts("NotAuthorized", caller=payments.operator):
        payments.escrow.capture(terms, PART, 0, sender=payments.operator)


@pytest.mark.parametrize("who", ["payee", "operator", "payer"])
def test_refuses_more_than_is_held(payments: Payments, held: Terms, who: str) -> None:
    sender = getattr(payments, who)
    payments.escrow.capture(held, PART, 0, sender=sender)
    for amount in (AMOUNT - PART + 1, AMOUNT, 2**96, UNLIMITED - 1):
        with payments.nothing_changes(), reverts("CaptureTooHigh", requested=amount, held=AMOUNT - PART):
            payments.escrow.capture(held, amount, 0, sender=sender)


@pytest.mark.parametrize("who", ["payee", "operator", "payer"])
def test_all_is_whatever_is_held(payments: Payments, held: Terms, who: str) -> None:
    payments.escrow.capture(held, 1, 0, sender=payments.payer)
    with payments.moves(payee=AMOUNT - 1, escrow=1 - AMOUNT):
        receipt = payments.escrow.capture(held, ALL, 0, sender=getattr(payments, who))
    assert payments.events(receipt)[0][1]["amount"] == AMOUNT - 1
    assert payments.state(held)[:3] == (CLOSED, 0, AMOUNT)


def test_E44_a_dust_capture_uses_up_nothing_of_the_rest(payments: Payments, held: Terms) -> None:
    """Neither of the payee's own, nor of a payer who is in the same block, before the payee's capture of all."""
    payments.escrow.capture(held, 1, 0, sender=payments.operator)
    payments.escrow.capture(held, 1, 0, sender=payments.payer)
    payments.escrow.capture(held, ALL, 0, sender=payments.payee)
    assert payments.state(held)[:3] == (CLOSED, 0, AMOUNT)


@pytest.mark.parametrize("who", ["payee", "payer"])
def test_E32_refuses_nothing(payments: Payments, held: Terms, who: str) -> None:
    with payments.nothing_changes(), reverts("ZeroAmount"):
        payments.escrow.capture(held, 0, 0, sender=getattr(payments, who))


def test_refuses_what_is_over_or_never_was(payments: Payments, held: Terms) -> None:
    unknown = payments.terms()
    for sender in (payments.payee, payments.payer, payments.anyone):
        with payments.nothing_changes(), reverts("UnknownPayment", paymentId=payments.id(unknown)):
            payments.escrow.capture(unknown, PART, 0, sender=sender)
    payments.escrow.capture(held, AMOUNT, 0, sender=payments.payee)
    for sender in (payments.payee, payments.payer, payments.anyone):
        with payments.nothing_changes(), reverts("NotOpen", paymentId=payments.id(held), status=CLOSED):
            payments.escrow.capture(held, ALL, 0, sender=sender)


# --- When ---


@pytest.mark.parametrize("who", ["payee", "operator"])
@pytest.mark.parametrize(("second", "good"), [(-1, False), (0, True), (1, True)])
def test_E20_after_the_dispute_window(payments: Payments, stage: Stage, who: str, second: int, good: bool) -> None:
    terms = payments.authorized(dispute_window=DAY)
    until = payments.state(terms).since + DAY
    stage.at(until + second)
    if good:
        payments.escrow.capture(terms, PART, 0, sender=getattr(payments, who))
    else:
        with payments.nothing_changes(), reverts("WindowOpen", until=until, time=until - 1):
            payments.escrow.capture(terms, PART, 0, sender=getattr(payments, who))


@pytest.mark.parametrize("who", ["payee", "operator"])
@pytest.mark.parametrize(("second", "good"), [(-1, True), (0, False), (1, False)])
def test_E20_until_capture_ends(
    payments: Payments, held: Terms, stage: Stage, who: str, second: int, good: bool
) -> None:
    time = CAPTURE_BEFORE + second
    stage.at(time)
    if good:
        payments.escrow.capture(held, PART, 0, sender=getattr(payments, who))
    else:
        with payments.nothing_changes(), reverts("CaptureEnded", captureBefore=CAPTURE_BEFORE, time=time):
            payments.escrow.capture(held, PART, 0, sender=getattr(payments, who))


@pytest.mark.parametrize("at", [CAPTURE_BEFORE - 1, CAPTURE_BEFORE, CAPTURE_BEFORE + 400 * DAY])
def test_the_payer_releases_within_the_window_and_after_the_end(payments: Payments, stage: Stage, at: int) -> None:
    terms = payments.authorized(dispute_window=DAY)
    payments.escrow.capture(terms, PART, 0, sender=payments.payer)
    stage.at(at)
    with payments.moves(payee=PART, escrow=-PART):
        payments.escrow.capture(terms, PART, 0, sender=payments.payer)


# --- Disputed ---


@pytest.mark.parametrize("who", ["payee", "operator"])
def test_E43_a_dispute_stops_payee_and_operator(payments: Payments, who: str) -> None:
    terms = payments.disputed()
    with payments.nothing_changes(), reverts("NotOpen", paymentId=payments.id(terms), status=DISPUTED):
        payments.escrow.capture(terms, PART, 100, sender=getattr(payments, who))


@pytest.mark.parametrize("amount", [AMOUNT, ALL])
def test_a_payer_who_gives_in_pays_all_of_it(payments: Payments, amount: int) -> None:
    terms = payments.disputed()
    with payments.moves(payee=99_000_000, receiver=1_000_000, escrow=-AMOUNT):
        payments.escrow.capture(terms, amount, 100, sender=payments.payer)
    assert payments.state(terms)[:3] == (CLOSED, 0, AMOUNT)


@pytest.mark.parametrize("amount", [1, AMOUNT - 1, AMOUNT + 1])
def test_a_payer_does_not_spoil_a_ruling_by_paying_a_part(payments: Payments, amount: int) -> None:
    """What the arbiter is about to divide would be less than what the arbiter has seen: each ruling could be made to
    fail, until the default applies."""
    terms = payments.disputed()
    with payments.nothing_changes(), reverts("NotOpen", paymentId=payments.id(terms), status=DISPUTED):
        payments.escrow.capture(terms, amount, 100, sender=payments.payer)
    payments.escrow.rule(terms, AMOUNT - 5_000_000, 5_000_000, sender=payments.arbiter)


# --- Milestones ---


def test_by_milestones_the_payer_alone_captures_otherwise(payments: Payments) -> None:
    terms = payments.authorized(milestones_root=b"\x01" * 32)
    for sender in (payments.payee, payments.operator):
        with payments.nothing_changes(), reverts("MilestonesOnly", paymentId=payments.id(terms)):
            payments.escrow.capture(terms, PART, 0, sender=sender)
    payments.escrow.capture(terms, PART, 0, sender=payments.payer)
    assert payments.state(terms)[1:3] == (AMOUNT - PART, PART)


# --- Fees ---


@pytest.mark.parametrize("who", ["payee", "operator", "payer"])
@pytest.mark.parametrize("fee_bps", [100, 200, 300])
def test_E38_payee_and_platform_receive_all_of_it(payments: Payments, who: str, fee_bps: int) -> None:
    terms = payments.with_fee()
    payments.authorize(terms)
    fee = PART * fee_bps // 10_000
    with payments.moves(payee=PART - fee, receiver=fee, escrow=-PART):
        receipt = payments.escrow.capture(terms, PART, fee_bps, sender=getattr(payments, who))
    assert payments.events(receipt)[0][1]["fee"] == fee


@pytest.mark.parametrize("fee_bps", [0, 99, 301, 10_000, UNLIMITED])
@pytest.mark.parametrize("who", ["payee", "payer"])
def test_refuses_a_fee_beyond_the_terms(payments: Payments, who: str, fee_bps: int) -> None:
    terms = payments.with_fee()
    payments.authorize(terms)
    with payments.nothing_changes(), reverts("FeeOutOfRange", found=fee_bps, least=100, most=300):
        payments.escrow.capture(terms, PART, fee_bps, sender=getattr(payments, who))


@pytest.mark.parametrize(("amount", "fee"), [(1, 0), (33, 0), (34, 1), (66, 1), (67, 2), (9_999, 299)])
def test_E33_a_fee_is_rounded_down_and_the_parts_are_the_whole(payments: Payments, amount: int, fee: int) -> None:
    terms = payments.with_fee()
    payments.authorize(terms)
    received = {"payee": amount - fee, "receiver": fee}
    with payments.moves(escrow=-amount, **{name: units for name, units in received.items() if units}):
        payments.escrow.capture(terms, amount, 300, sender=payments.payee)


def test_E33_a_fee_may_be_all_of_it(payments: Payments) -> None:
    terms = payments.terms(fee_receiver=payments.receiver, max_fee_bps=10_000)
    payments.authorize(terms)
    with payments.moves(receiver=PART, escrow=-PART):
        payments.escrow.capture(terms, PART, 10_000, sender=payments.payee)
    with payments.moves(payee=PART, escrow=-PART):
        payments.escrow.capture(terms, PART, 0, sender=payments.payee)


# --- Tokens ---


@pytest.mark.parametrize("blocked", ["payee", "receiver"])
def test_E07_what_a_blocked_account_was_paid_is_kept_for_it(
    payments: Payments, usdc: Contract, stage: Stage, blocked: str
) -> None:
    terms = payments.with_fee(token=usdc)
    payments.authorize(terms)
    account = getattr(payments, blocked)
    usdc.blacklist(account, sender=stage.anyone)
    parts = {"payee": 97_000_000, "receiver": 3_000_000}
    kept = parts.pop(blocked)
    with payments.moves(usdc, escrow=kept - AMOUNT, **parts):
        receipt = payments.escrow.capture(terms, ALL, 300, sender=payments.payee)
    values = {"account": account.address, "token": usdc.address, "paymentId": payments.id(terms), "amount": kept}
    assert payments.events(receipt)[1:] == [("PayoutKept", values)]
    assert payments.claimable(account, usdc) == kept


def test_E07_both_may_be_blocked(payments: Payments, usdc: Contract, stage: Stage) -> None:
    terms = payments.with_fee(token=usdc)
    payments.authorize(terms)
    usdc.blacklist(payments.escrow, sender=stage.anyone)
    with payments.moves(usdc):
        payments.escrow.capture(terms, ALL, 300, sender=payments.payee)
    assert (payments.claimable(payments.payee, usdc), payments.claimable(payments.receiver, usdc)) == (
        97_000_000,
        3_000_000,
    )


def test_E05_a_paused_token_stops_nobody(payments: Payments, usdc: Contract, stage: Stage) -> None:
    terms = payments.authorized(token=usdc)
    usdc.pause(sender=stage.anyone)
    payments.escrow.capture(terms, ALL, 0, sender=payments.payee)
    assert payments.claimable(payments.payee, usdc) == AMOUNT
    usdc.unpause(sender=stage.anyone)
    with payments.moves(usdc, payee=AMOUNT, escrow=-AMOUNT):
        payments.escrow.claim(payments.payee, usdc, sender=stage.anyone)


@pytest.fixture
def in_hostile(payments: Payments, hostile: Contract) -> Terms:
    """A payment in a token that will misbehave, with a fee."""
    hostile.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    terms = payments.with_fee(token=hostile)
    payments.authorize(terms)
    return terms


@pytest.mark.parametrize("trick", REFUSALS)
def test_E01_E06_what_the_token_refuses_is_kept(
    payments: Payments, hostile: Contract, in_hostile: Terms, trick: Trick
) -> None:
    play(hostile, "transfer", trick)
    payments.escrow.capture(in_hostile, ALL, 100, sender=payments.payee)
    found = payments.claimable(payments.payee, hostile), payments.claimable(payments.receiver, hostile)
    assert found == (99_000_000, 1_000_000)
    assert hostile.balanceOf(payments.escrow) == AMOUNT


@pytest.mark.parametrize("trick", UNMOVED)
def test_E01_a_token_that_says_it_moved_is_taken_at_its_word(
    payments: Payments, hostile: Contract, in_hostile: Terms, trick: Trick
) -> None:
    play(hostile, "transfer", trick)
    payments.escrow.capture(in_hostile, ALL, 100, sender=payments.payee)
    assert payments.claimable(payments.payee, hostile) == 0


def test_E01_a_token_that_returns_nothing_pays(payments: Payments, usdt: Contract) -> None:
    usdt.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    terms = payments.authorized(token=usdt)
    with payments.moves(usdt, payee=AMOUNT, escrow=-AMOUNT):
        payments.escrow.capture(terms, ALL, 0, sender=payments.payee)


def test_E02_a_fee_that_a_token_takes_later_is_the_receivers_loss_and_no_other_payments(
    payments: Payments, usdt: Contract, stage: Stage
) -> None:
    usdt.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    one, other = payments.authorized(token=usdt), payments.authorized(token=usdt)
    usdt.setParams(1_000, UNLIMITED, sender=stage.anyone)
    with payments.moves(usdt, payee=AMOUNT * 9 // 10, escrow=-AMOUNT):
        payments.escrow.capture(one, ALL, 0, sender=payments.payee)
    assert usdt.balanceOf(payments.escrow) == payments.state(other).held


def test_E01_a_token_that_is_gone_keeps_it(payments: Payments, in_hostile: Terms, stage: Stage) -> None:
    stage.rpc("anvil_setCode", in_hostile.token, "0x")
    payments.escrow.capture(in_hostile, ALL, 100, sender=payments.payee)
    assert payments.escrow.claimable(payments.payee, in_hostile.token) == 99_000_000


@pytest.mark.parametrize("gas", [100_000, 200_000, 310_000])
def test_E06_too_little_gas_reverts_and_keeps_nothing(payments: Payments, held: Terms, gas: int) -> None:
    """A payout that a starved call made fail would have to be claimed."""
    with payments.nothing_changes(), pytest.raises(CustomError) as caught:
        payments.escrow.capture(held, ALL, 0, sender=payments.payee, gas=gas)
    assert (type(caught.value).__name__, caught.value.inputs["needed"]) == ("InsufficientGas", 283_968)
    assert caught.value.inputs["found"] < min(gas, 283_968)


def test_E03_a_hook_comes_in_nowhere(payments: Payments, project: Any, hooked: Contract, stage: Stage) -> None:
    hooked.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    hooked.spare(payments.escrow, sender=stage.anyone)
    payee = project.MockWallet.deploy(sender=stage.anyone)
    terms = payments.authorized(token=hooked, payee=payee)
    payee.setHook(payments.escrow, payments.escrow.capture.encode_input(terms, 1, 0), sender=stage.anyone)
    payee.execute(payments.escrow, payments.escrow.capture.encode_input(terms, PART, 0), sender=stage.anyone)
    assert (payee.hooks(), payee.hookSucceeded()) == (1, False)
    assert payments.state(terms)[1:3] == (AMOUNT - PART, PART)
