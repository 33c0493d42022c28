"""revoke: the payer takes back, for ever, the consent to a payment that was not made."""

from __future__ import annotations

import pytest

from tests.contracts.payments import (
    ALL,
    ALLOWANCE,
    AUTHORIZATION,
    AUTHORIZE_BEFORE,
    CLOSED,
    COLLECTOR,
    PERMIT2_WITNESS,
    Payments,
    State,
)
from tests.contracts.stage import DAY, UNLIMITED, Contract, Stage, reverts


def test_makes_the_consent_worthless(payments: Payments) -> None:
    terms = payments.terms()
    with payments.moves():
        receipt = payments.escrow.revoke(terms, sender=payments.payer)
    assert payments.events(receipt) == [("PaymentRevoked", {"paymentId": payments.id(terms)})]
    assert payments.state(terms) == State(CLOSED, 0, 0, 0)
    assert payments.total() == (0, 0)


def test_E17_in_whatever_way_it_was_given(payments: Payments, usdc: Contract, permit2: Contract) -> None:
    usdc.approve(permit2, UNLIMITED, sender=payments.payer)
    terms = payments.terms(token=usdc)
    payments.escrow.revoke(terms, sender=payments.payer)
    refused = {"paymentId": payments.id(terms), "status": CLOSED}
    ways = {
        ALLOWANCE: payments.consent(terms),
        PERMIT2_WITNESS: payments.by_permit2(terms),
        AUTHORIZATION: payments.by_authorization(terms),
        COLLECTOR: b"",
    }
    for funding, data in ways.items():
        with payments.nothing_changes(usdc), reverts("PaymentExists", **refused):
            payments.escrow.authorize(terms, funding, data, sender=payments.anyone)
        with payments.nothing_changes(usdc), reverts("PaymentExists", **refused):
            payments.escrow.charge(terms, 0, funding, data, sender=payments.payee)
    with payments.nothing_changes(usdc), reverts("PaymentExists", **refused):
        payments.escrow.authorize(terms, ALLOWANCE, b"", sender=payments.payer)


def test_another_salt_is_another_payment(payments: Payments) -> None:
    terms = payments.terms()
    payments.escrow.revoke(terms, sender=payments.payer)
    payments.authorize(terms._replace(salt=terms.salt + 1_000))


@pytest.mark.parametrize("who", ["payee", "operator", "arbiter", "anyone"])
def test_only_the_payer_may(payments: Payments, who: str) -> None:
    terms, sender = payments.with_all(), getattr(payments, who)
    with payments.nothing_changes(), reverts("NotAuthorized", caller=sender):
        payments.escrow.revoke(terms, sender=sender)


def test_refuses_what_was_made_or_revoked(payments: Payments) -> None:
    held, captured, disputed, revoked = (
        payments.authorized(),
        payments.authorized(),
        payments.disputed(),
        payments.terms(),
    )
    payments.escrow.capture(captured, ALL, 0, sender=payments.payee)
    payments.escrow.revoke(revoked, sender=payments.payer)
    for terms, status in ((held, 1), (captured, CLOSED), (disputed, 2), (revoked, CLOSED)):
        with payments.nothing_changes(), reverts("PaymentExists", paymentId=payments.id(terms), status=status):
            payments.escrow.revoke(terms, sender=payments.payer)


def test_of_terms_that_could_not_be_kept_or_have_expired(payments: Payments, stage: Stage) -> None:
    """Whatever was signed can be taken back."""
    stage.at(AUTHORIZE_BEFORE + DAY)
    for terms in (payments.terms(), payments.terms(amount=0), payments.terms(refund_before=0)):
        payments.escrow.revoke(terms, sender=payments.payer)
        assert payments.state(terms).status == CLOSED
