"""reclaim: anyone gives back what the payee did not capture in time."""

from __future__ import annotations

import pytest

from tests.contracts.payments import (
    ALL,
    AMOUNT,
    CAPTURE_BEFORE,
    CLOSED,
    DISPUTED,
    NO_HASH,
    TIMEOUT,
    Payments,
    State,
)
from tests.contracts.stage import DAY, Contract, Stage, reverts

PART = 30_000_000


@pytest.mark.parametrize("who", ["payer", "anyone", "payee", "operator"])
def test_E40_what_nobody_captured_goes_back(payments: Payments, stage: Stage, who: str) -> None:
    """Whoever sends it, and though payee and operator never act."""
    terms = payments.authorized()
    payment_id, since = payments.id(terms), payments.state(terms).since
    stage.at(CAPTURE_BEFORE)
    with payments.moves(payer=AMOUNT, escrow=-AMOUNT):
        receipt = payments.escrow.reclaim(terms, sender=getattr(payments, who))
    assert payments.events(receipt) == [("Reclaimed", {"paymentId": payment_id, "amount": AMOUNT})]
    assert payments.state(terms) == State(CLOSED, 0, 0, since)


def test_E40_the_rest_goes_back_and_what_was_captured_stays(payments: Payments, stage: Stage) -> None:
    terms = payments.authorized()
    payments.escrow.capture(terms, PART, 0, sender=payments.payee)
    stage.at(CAPTURE_BEFORE)
    with payments.moves(payer=AMOUNT - PART, escrow=PART - AMOUNT):
        payments.escrow.reclaim(terms, sender=payments.anyone)
    assert payments.state(terms)[:3] == (CLOSED, 0, PART)


@pytest.mark.parametrize(("second", "good"), [(-1, False), (0, True), (1, True)])
def test_E20_from_the_second_at_which_capture_ends(payments: Payments, stage: Stage, second: int, good: bool) -> None:
    terms = payments.authorized()
    stage.at(CAPTURE_BEFORE + second)
    if good:
        payments.escrow.reclaim(terms, sender=payments.anyone)
        return
    expected = {"captureBefore": CAPTURE_BEFORE, "time": CAPTURE_BEFORE - 1}
    with payments.nothing_changes(), reverts("CaptureNotEnded", **expected):
        payments.escrow.reclaim(terms, sender=payments.payer)


@pytest.mark.parametrize("at", [CAPTURE_BEFORE, CAPTURE_BEFORE + TIMEOUT + DAY])
def test_E43_a_dispute_of_the_last_second_keeps_it_from_both(payments: Payments, stage: Stage, at: int) -> None:
    terms = payments.disputed(at=CAPTURE_BEFORE - 1)
    payment_id = payments.id(terms)
    stage.at(at)
    with payments.nothing_changes(), reverts("NotOpen", paymentId=payment_id, status=DISPUTED):
        payments.escrow.reclaim(terms, sender=payments.payer)
    with payments.nothing_changes(), reverts("NotOpen", paymentId=payment_id, status=DISPUTED):
        payments.escrow.capture(terms, ALL, 100, sender=payments.payee)


def test_refuses_what_is_over_or_never_was(payments: Payments, stage: Stage) -> None:
    unknown, reclaimed, revoked = payments.terms(), payments.authorized(), payments.terms()
    payments.escrow.revoke(revoked, sender=payments.payer)
    stage.at(CAPTURE_BEFORE)
    payments.escrow.reclaim(reclaimed, sender=payments.anyone)
    with payments.nothing_changes(), reverts("UnknownPayment", paymentId=payments.id(unknown)):
        payments.escrow.reclaim(unknown, sender=payments.anyone)
    for terms in (reclaimed, revoked):
        with payments.nothing_changes(), reverts("NotOpen", paymentId=payments.id(terms), status=CLOSED):
            payments.escrow.reclaim(terms, sender=payments.anyone)


def test_after_it_nothing_else_is_possible(payments: Payments, stage: Stage) -> None:
    terms = payments.with_all()
    payments.authorize(terms)
    stage.at(CAPTURE_BEFORE)
    payments.escrow.reclaim(terms, sender=payments.anyone)
    closed = {"paymentId": payments.id(terms), "status": CLOSED}
    escrow = payments.escrow
    for verb, arguments, sender in (
        (escrow.capture, (ALL, 100), payments.payer),
        (escrow.void, (), payments.payee),
        (escrow.dispute, (NO_HASH,), payments.payer),
    ):
        with payments.nothing_changes(), reverts("NotOpen", **closed):
            verb(terms, *arguments, sender=sender)
    for verb, arguments, sender in (
        (escrow.rule, (1, 0), payments.arbiter),
        (escrow.ruleByDefault, (), payments.payer),
    ):
        with payments.nothing_changes(), reverts("NotDisputed", **closed):
            verb(terms, *arguments, sender=sender)


def test_E07_what_a_blocked_payer_gets_back_is_kept(payments: Payments, usdc: Contract, stage: Stage) -> None:
    terms = payments.authorized(token=usdc)
    usdc.blacklist(payments.payer, sender=stage.anyone)
    stage.at(CAPTURE_BEFORE)
    payments.escrow.reclaim(terms, sender=payments.anyone)
    assert payments.claimable(payments.payer, usdc) == usdc.balanceOf(payments.escrow) == AMOUNT
