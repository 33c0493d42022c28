"""submitEvidence: payer, payee or arbiter names a document while a payment is disputed."""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak

from tests.contracts.payments import AMOUNT, CLOSED, DISPUTED, NONE, OPEN, TIMEOUT, Payments
from tests.contracts.stage import DAY, Stage, reverts

DOCUMENT = keccak(text="the delivery note")


@pytest.mark.parametrize("who", ["payer", "payee", "arbiter"])
def test_E45_each_names_documents_by_their_hashes(payments: Payments, who: str) -> None:
    terms, sender = payments.disputed(), getattr(payments, who)
    values = {"paymentId": payments.id(terms), "by": sender.address}
    for document in (DOCUMENT, keccak(text="another"), DOCUMENT):
        with payments.moves():
            receipt = payments.escrow.submitEvidence(terms, document, sender=sender)
        assert payments.events(receipt) == [("EvidenceSubmitted", values | {"evidenceHash": document})]
    assert payments.state(terms)[:3] == (DISPUTED, AMOUNT, 0)


def test_after_the_time_of_the_ruling_while_nobody_has_ended_it(payments: Payments, stage: Stage) -> None:
    terms = payments.disputed()
    stage.at(stage.now + TIMEOUT + DAY)
    payments.escrow.submitEvidence(terms, DOCUMENT, sender=payments.payer)


@pytest.mark.parametrize("who", ["operator", "receiver", "anyone"])
def test_nobody_else_may(payments: Payments, who: str) -> None:
    terms, sender = payments.disputed(), getattr(payments, who)
    with payments.nothing_changes(), reverts("NotAuthorized", caller=sender):
        payments.escrow.submitEvidence(terms, DOCUMENT, sender=sender)


def test_refuses_where_nothing_is_disputed(payments: Payments) -> None:
    unknown, held, ruled = payments.with_all(), payments.with_all(), payments.disputed()
    payments.authorize(held)
    payments.escrow.rule(ruled, 1, 0, sender=payments.arbiter)
    for terms, status in ((unknown, NONE), (held, OPEN), (ruled, CLOSED)):
        for sender in (payments.payer, payments.arbiter, payments.anyone):
            expected = {"paymentId": payments.id(terms), "status": status}
            with payments.nothing_changes(), reverts("NotDisputed", **expected):
                payments.escrow.submitEvidence(terms, DOCUMENT, sender=sender)
