"""void: payee or operator gives back what is held, at any time, disputed or not."""

from __future__ import annotations

import pytest

from tests.contracts.payments import (
    ALL,
    AMOUNT,
    AUTHORIZE_BEFORE,
    CAPTURE_BEFORE,
    CLOSED,
    TIMEOUT,
    Payments,
    State,
)
from tests.contracts.stage import DAY, Contract, Stage, reverts

PART = 30_000_000


@pytest.mark.parametrize("who", ["payee", "operator"])
def test_gives_all_of_it_back(payments: Payments, who: str) -> None:
    terms = payments.authorized()
    payment_id, since = payments.id(terms), payments.state(terms).since
    with payments.moves(payer=AMOUNT, escrow=-AMOUNT):
        receipt = payments.escrow.void(terms, sender=getattr(payments, who))
    assert payments.events(receipt) == [("Voided", {"paymentId": payment_id, "amount": AMOUNT})]
    assert payments.state(terms) == State(CLOSED, 0, 0, since)


def test_gives_back_what_was_not_captured(payments: Payments) -> None:
    terms = payments.authorized()
    payments.escrow.capture(terms, PART, 0, sender=payments.payee)
    with payments.moves(payer=AMOUNT - PART, escrow=PART - AMOUNT):
        payments.escrow.void(terms, sender=payments.payee)
    assert payments.state(terms)[:3] == (CLOSED, 0, PART)


@pytest.mark.parametrize("who", ["payee", "operator"])
@pytest.mark.parametrize("at", [CAPTURE_BEFORE - 1, CAPTURE_BEFORE, CAPTURE_BEFORE + TIMEOUT + DAY])
def test_a_payee_gives_in_while_it_is_disputed(payments: Payments, stage: Stage, who: str, at: int) -> None:
    terms = payments.disputed()
    stage.at(at)
    with payments.moves(payer=AMOUNT, escrow=-AMOUNT):
        payments.escrow.void(terms, sender=getattr(payments, who))
    assert payments.state(terms)[:3] == (CLOSED, 0, 0)


@pytest.mark.parametrize("at", [AUTHORIZE_BEFORE, CAPTURE_BEFORE, CAPTURE_BEFORE + 400 * DAY])
def test_within_the_window_and_at_any_time_after(payments: Payments, stage: Stage, at: int) -> None:
    first, second = payments.authorized(dispute_window=DAY), payments.authorized(dispute_window=DAY)
    payments.escrow.void(first, sender=payments.payee)
    stage.at(at)
    payments.escrow.void(second, sender=payments.payee)
    assert payments.state(second).status == CLOSED


@pytest.mark.parametrize("who", ["payer", "anyone", "arbiter", "receiver"])
def test_nobody_else_may(payments: Payments, who: str) -> None:
    terms = payments.with_all()
    payments.authorize(terms)
    sender = getattr(payments, who)
    with payments.nothing_changes(), reverts("NotAuthorized", caller=sender):
        payments.escrow.void(terms, sender=sender)


def test_refuses_what_is_over_or_never_was(payments: Payments) -> None:
    unknown, captured, revoked = payments.terms(), payments.authorized(), payments.terms()
    payments.escrow.capture(captured, ALL, 0, sender=payments.payee)
    payments.escrow.revoke(revoked, sender=payments.payer)
    with payments.nothing_changes(), reverts("UnknownPayment", paymentId=payments.id(unknown)):
        payments.escrow.void(unknown, sender=payments.payee)
    for terms in (captured, revoked):
        with payments.nothing_changes(), reverts("NotOpen", paymentId=payments.id(terms), status=CLOSED):
            payments.escrow.void(terms, sender=payments.payee)


def test_refuses_other_terms_than_were_authorized(payments: Payments) -> None:
    """Each value of the terms is a part of what names the payment."""
    terms = payments.disputed()
    others = [
        terms._replace(payer=payments.anyone.address),
        terms._replace(payee=payments.operator.address),
        terms._replace(amount=AMOUNT + 1),
        terms._replace(operator=payments.anyone.address),
        terms._replace(max_fee_bps=10_000),
        terms._replace(capture_before=CAPTURE_BEFORE + 1),
        terms._replace(salt=terms.salt + 1_000_000),
    ]
    for other in others:
        with payments.nothing_changes(), reverts("UnknownPayment", paymentId=payments.id(other)):
            payments.escrow.void(other, sender=payments.operator)


def test_E07_what_a_blocked_payer_gets_back_is_kept(payments: Payments, usdc: Contract, stage: Stage) -> None:
    terms = payments.authorized(token=usdc)
    usdc.blacklist(payments.payer, sender=stage.anyone)
    with payments.moves(usdc):
        receipt = payments.escrow.void(terms, sender=payments.payee)
    values = {"account": terms.payer, "token": terms.token, "paymentId": payments.id(terms), "amount": AMOUNT}
    assert payments.events(receipt)[1:] == [("PayoutKept", values)]
    usdc.unBlacklist(payments.payer, sender=stage.anyone)
    with payments.moves(usdc, payer=AMOUNT, escrow=-AMOUNT):
        payments.escrow.claim(payments.payer, usdc, sender=payments.anyone)
