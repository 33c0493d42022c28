"""refund: the payee gives back what was captured, from its own balance."""

from __future__ import annotations

import pytest

from tests.contracts.payments import (
    ALL,
    ALLOWANCE,
    AMOUNT,
    CLOSED,
    OPEN,
    REFUND_BEFORE,
    Payments,
    Terms,
)
from tests.contracts.stage import UNLIMITED, Contract, Stage, reverts

PART = 30_000_000


@pytest.fixture
def captured(payments: Payments) -> Terms:
    """A payment of which a part was captured, and the rest is held."""
    terms = payments.authorized()
    payments.escrow.capture(terms, PART, 0, sender=payments.payee)
    return terms


def test_gives_back_in_parts_what_was_captured(payments: Payments, captured: Terms) -> None:
    with payments.moves(payer=PART - 1, payee=1 - PART):
        receipt = payments.escrow.refund(captured, PART - 1, sender=payments.payee)
    assert payments.events(receipt) == [("PaymentRefunded", {"paymentId": payments.id(captured), "amount": PART - 1})]
    assert payments.state(captured)[:3] == (OPEN, AMOUNT - PART, 1)
    payments.escrow.refund(captured, 1, sender=payments.payee)
    assert payments.state(captured)[:3] == (OPEN, AMOUNT - PART, 0)


def test_E36_refuses_more_than_was_captured_and_not_given_back(payments: Payments, captured: Terms) -> None:
    """What is held is not refunded, but voided."""
    for amount in (PART + 1, AMOUNT, UNLIMITED):
        with payments.nothing_changes(), reverts("RefundTooHigh", requested=amount, refundable=PART):
            payments.escrow.refund(captured, amount, sender=payments.payee)
    payments.escrow.refund(captured, PART, sender=payments.payee)
    with payments.nothing_changes(), reverts("RefundTooHigh", requested=1, refundable=0):
        payments.escrow.refund(captured, 1, sender=payments.payee)


@pytest.mark.parametrize(("second", "good"), [(-1, True), (0, False), (1, False)])
def test_E36_E20_until_refunds_end(payments: Payments, captured: Terms, stage: Stage, second: int, good: bool) -> None:
    time = REFUND_BEFORE + second
    stage.at(time)
    if good:
        payments.escrow.refund(captured, 1, sender=payments.payee)
    else:
        with payments.nothing_changes(), reverts("RefundEnded", refundBefore=REFUND_BEFORE, time=time):
            payments.escrow.refund(captured, 1, sender=payments.payee)


def test_of_what_was_charged_at_once_and_of_what_is_closed(payments: Payments) -> None:
    charged, captured = payments.terms(), payments.authorized()
    payments.escrow.charge(charged, 0, ALLOWANCE, b"", sender=payments.payer)
    payments.escrow.capture(captured, ALL, 0, sender=payments.payee)
    for terms in (charged, captured):
        with payments.moves(payer=AMOUNT, payee=-AMOUNT):
            payments.escrow.refund(terms, AMOUNT, sender=payments.payee)
        assert payments.state(terms)[:3] == (CLOSED, 0, 0)


def test_E36_the_fee_is_the_payees_to_give_back(payments: Payments, token: Contract) -> None:
    terms = payments.with_fee()
    payments.authorize(terms)
    payments.escrow.capture(terms, ALL, 300, sender=payments.payee)
    with payments.nothing_changes(), reverts("BalanceTooLow", found=97_000_000, needed=AMOUNT):
        payments.escrow.refund(terms, AMOUNT, sender=payments.payee)
    token.mint(payments.payee, 3_000_000, sender=payments.payee)
    with payments.moves(payer=AMOUNT, payee=-AMOUNT):
        payments.escrow.refund(terms, AMOUNT, sender=payments.payee)


def test_of_the_payees_part_of_a_ruling_and_no_more(payments: Payments) -> None:
    terms = payments.disputed(min_fee_bps=0)
    payments.escrow.rule(terms, PART, 0, sender=payments.arbiter)
    with payments.nothing_changes(), reverts("RefundTooHigh", requested=PART + 1, refundable=PART):
        payments.escrow.refund(terms, PART + 1, sender=payments.payee)
    payments.escrow.refund(terms, PART, sender=payments.payee)


@pytest.mark.parametrize("who", ["payer", "operator", "anyone", "arbiter"])
def test_only_the_payee_may(payments: Payments, who: str) -> None:
    terms = payments.disputed()
    payments.escrow.capture(terms, ALL, 100, sender=payments.payer)
    sender = getattr(payments, who)
    with payments.nothing_changes(), reverts("NotAuthorized", caller=sender):
        payments.escrow.refund(terms, 1, sender=sender)


def test_refuses_what_never_was_or_never_will_be(payments: Payments) -> None:
    unknown, revoked = payments.terms(), payments.terms()
    payments.escrow.revoke(revoked, sender=payments.payer)
    with payments.nothing_changes(), reverts("UnknownPayment", paymentId=payments.id(unknown)):
        payments.escrow.refund(unknown, 1, sender=payments.payee)
    with payments.nothing_changes(), reverts("RefundTooHigh", requested=1, refundable=0):
        payments.escrow.refund(revoked, 1, sender=payments.payee)


def test_E32_refuses_nothing(payments: Payments, captured: Terms) -> None:
    with payments.nothing_changes(), reverts("ZeroAmount"):
        payments.escrow.refund(captured, 0, sender=payments.payee)


def test_E37_no_reserve_stands_behind_it(payments: Payments, captured: Terms, token: Contract) -> None:
    """Neither what is held of this payment nor what is held of others pays for it."""
    token.transfer(payments.anyone, token.balanceOf(payments.payee) - 5, sender=payments.payee)
    with payments.nothing_changes(), reverts("BalanceTooLow", found=5, needed=PART):
        payments.escrow.refund(captured, PART, sender=payments.payee)
    token.approve(payments.escrow, 4, sender=payments.payee)
    with payments.nothing_changes(), reverts("AllowanceTooLow", found=4, needed=5):
        payments.escrow.refund(captured, 5, sender=payments.payee)


def test_E05_refuses_while_the_token_is_paused_or_blocks_the_payer(
    payments: Payments, usdc: Contract, stage: Stage
) -> None:
    terms = payments.authorized(token=usdc)
    payments.escrow.capture(terms, ALL, 0, sender=payments.payee)
    usdc.pause(sender=stage.anyone)
    with payments.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        payments.escrow.refund(terms, 1, sender=payments.payee)
    usdc.unpause(sender=stage.anyone)
    usdc.blacklist(payments.payer, sender=stage.anyone)
    with payments.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        payments.escrow.refund(terms, 1, sender=payments.payee)


def test_E02_refuses_a_token_that_takes_a_fee(payments: Payments, usdt: Contract, stage: Stage) -> None:
    usdt.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    usdt.approve(payments.escrow, UNLIMITED, sender=payments.payee)
    terms = payments.authorized(token=usdt)
    payments.escrow.capture(terms, ALL, 0, sender=payments.payee)
    usdt.setParams(100, UNLIMITED, sender=stage.anyone)
    with payments.nothing_changes(usdt), reverts("AmountMismatch", received=PART * 99 // 100, expected=PART):
        payments.escrow.refund(terms, PART, sender=payments.payee)
