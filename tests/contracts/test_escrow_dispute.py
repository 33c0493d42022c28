"""dispute and submitEvidence: payer or payee calls the arbiter, and documents are named by their hashes."""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak

from tests.contracts.payments import (
    ALL,
    AMOUNT,
    CAPTURE_BEFORE,
    CLOSED,
    DISPUTED,
    NO_HASH,
    Payments,
    State,
)
from tests.contracts.stage import DAY, Stage, reverts

DOCUMENT = keccak(text="photographs of what arrived")


# --- dispute ---


@pytest.mark.parametrize("who", ["payer", "payee"])
def test_E45_either_disputes_with_the_hash_of_a_document(payments: Payments, who: str) -> None:
    terms, sender = payments.with_all(), getattr(payments, who)
    payments.authorize(terms)
    with payments.moves():
        receipt = payments.escrow.dispute(terms, DOCUMENT, sender=sender)
    values = {"paymentId": payments.id(terms), "by": sender.address, "evidenceHash": DOCUMENT}
    assert payments.events(receipt) == [("DisputeOpened", values)]
    assert payments.state(terms) == State(DISPUTED, AMOUNT, 0, payments.stage.now)


def test_of_what_is_left(payments: Payments) -> None:
    terms = payments.with_all()
    payments.authorize(terms)
    payments.escrow.capture(terms, 30_000_000, 100, sender=payments.payee)
    payments.escrow.dispute(terms, NO_HASH, sender=payments.payer)
    assert payments.state(terms)[:3] == (DISPUTED, AMOUNT - 30_000_000, 30_000_000)


def test_milestones_stay_as_they_are(payments: Payments) -> None:
    terms = payments.disputed(milestones_root=b"\x05" * 32)
    assert payments.state(terms).milestones == 0


@pytest.mark.parametrize("who", ["payer", "payee"])
@pytest.mark.parametrize(("second", "good"), [(-1, True), (0, False), (1, False)])
def test_E43_E20_until_the_last_second_before_capture_ends(
    payments: Payments, stage: Stage, who: str, second: int, good: bool
) -> None:
    terms, time = payments.with_all(), CAPTURE_BEFORE + second
    payments.authorize(terms)
    stage.at(time)
    if good:
        payments.escrow.dispute(terms, NO_HASH, sender=getattr(payments, who))
        assert payments.state(terms) == State(DISPUTED, AMOUNT, 0, time)
        return
    with payments.nothing_changes(), reverts("CaptureEnded", captureBefore=CAPTURE_BEFORE, time=time):
        payments.escrow.dispute(terms, NO_HASH, sender=getattr(payments, who))


def test_within_the_dispute_window(payments: Payments) -> None:
    terms = payments.with_all(dispute_window=DAY)
    payments.authorize(terms)
    payments.escrow.dispute(terms, NO_HASH, sender=payments.payer)
    assert payments.state(terms).status == DISPUTED


@pytest.mark.parametrize("who", ["operator", "arbiter", "receiver", "anyone"])
def test_nobody_else_may(payments: Payments, who: str) -> None:
    terms, sender = payments.with_all(), getattr(payments, who)
    payments.authorize(terms)
    with payments.nothing_changes(), reverts("NotAuthorized", caller=sender):
        payments.escrow.dispute(terms, NO_HASH, sender=sender)


def test_refuses_where_the_terms_name_no_arbiter(payments: Payments) -> None:
    terms = payments.authorized()
    for sender in (payments.payer, payments.payee):
        with payments.nothing_changes(), reverts("NoArbiter", paymentId=payments.id(terms)):
            payments.escrow.dispute(terms, NO_HASH, sender=sender)


def test_refuses_a_second_time_what_is_over_and_what_never_was(payments: Payments) -> None:
    terms, unknown = payments.disputed(), payments.with_all()
    payment_id = payments.id(terms)
    for sender in (payments.payer, payments.payee):
        with payments.nothing_changes(), reverts("NotOpen", paymentId=payment_id, status=DISPUTED):
            payments.escrow.dispute(terms, NO_HASH, sender=sender)
    payments.escrow.rule(terms, 1, 0, sender=payments.arbiter)
    with payments.nothing_changes(), reverts("NotOpen", paymentId=payment_id, status=CLOSED):
        payments.escrow.dispute(terms, NO_HASH, sender=payments.payer)
    with payments.nothing_changes(), reverts("UnknownPayment", paymentId=payments.id(unknown)):
        payments.escrow.dispute(unknown, NO_HASH, sender=payments.payer)


def test_a_capture_and_a_dispute_in_one_second_the_first_wins(payments: Payments) -> None:
    """Both outcomes are defined: nothing is left to dispute, or nothing can be captured."""
    first, second = payments.with_all(), payments.with_all()
    payments.authorize(first)
    payments.authorize(second)
    payments.escrow.capture(first, ALL, 100, sender=payments.payee)
    with payments.nothing_changes(), reverts("NotOpen", paymentId=payments.id(first), status=CLOSED):
        payments.escrow.dispute(first, NO_HASH, sender=payments.payer)
    payments.escrow.dispute(second, NO_HASH, sender=payments.payer)
    with payments.nothing_changes(), reverts("NotOpen", paymentId=payments.id(second), status=DISPUTED):
        payments.escrow.capture(second, ALL, 100, sender=payments.payee)
