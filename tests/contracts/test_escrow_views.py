"""What the contract tells: ids, payments, totals, claims; and that the package computes the same."""

from __future__ import annotations

import random
from typing import Any

import pytest
from eth_utils.crypto import keccak

from tallystick.core import payment as package
from tallystick.core.funding import permit2_data, permit_data
from tallystick.core.permit import TokenDomain
from tests.contracts.payments import (
    ALL,
    ALLOWANCE,
    AMOUNT,
    AUTHORIZATION,
    CAPTURE_BEFORE,
    PERMIT,
    PERMIT2_WITNESS,
    Payments,
    State,
    Terms,
    digest,
    signed,
)
from tests.contracts.stage import UNLIMITED, Account, Contract, Stage, reverts


def of_the_package(terms: Terms) -> package.PaymentTerms:
    """The same terms as the package has them."""
    names = (
        *("payer", "payee", "token", "amount_units", "operator", "authorize_before", "capture_before"),
        *("refund_before", "dispute_window_s", "arbiter", "ruling_timeout_s", "default_payee_bps"),
        *("max_arbiter_fee_bps", "min_fee_bps", "max_fee_bps", "fee_receiver", "milestones_root", "salt"),
    )
    values: dict[str, Any] = dict(zip(names, terms, strict=True))
    return package.PaymentTerms(**values)


def random_terms(seed: int) -> Terms:
    """Any, kept or not: what names a payment does not ask whether its terms are sound."""
    chance = random.Random(seed)

    def address() -> str:
        return "0x" + chance.randbytes(20).hex()

    def below(bits: int) -> int:
        chosen: int = chance.choice([0, 1, 2**bits - 1, chance.getrandbits(bits)])
        return chosen

    return Terms(
        *(address(), address(), address(), below(96), address(), below(40), below(40), below(40), below(32)),
        *(address(), below(32), below(16), below(16), below(16), below(16), address()),
        *(chance.randbytes(32), below(256)),
    )


@pytest.mark.parametrize("seed", range(25))
def test_a_payment_is_named_by_the_digest_of_its_terms(payments: Payments, seed: int) -> None:
    """By the contract, by the documentation, and by the package."""
    terms = random_terms(seed)
    named = bytes(payments.escrow.paymentId(terms))
    assert named == payments.id(terms)
    found = of_the_package(terms)
    assert found.payment_id(chain_id=31_337, contract=payments.escrow.address) == named
    assert digest(package.typed_data(found, chain_id=31_337, contract=payments.escrow.address)) == named


def test_the_package_signs_what_the_contract_takes(
    payments: Payments, usdc: Contract, permit2: Contract, stage: Stage
) -> None:
    usdc.approve(permit2, UNLIMITED, sender=payments.payer)
    where = {"chain_id": 31_337, "contract": payments.escrow.address}
    domain = TokenDomain("USD Coin", "2", 31_337, usdc.address)
    for funding in (ALLOWANCE, PERMIT, PERMIT2_WITNESS, AUTHORIZATION):
        terms = payments.with_all(token=usdc)
        found = of_the_package(terms)
        consent = signed(payments.payer, package.typed_data(found, **where))
        witness = signed(payments.payer, package.permit2_typed_data(found, nonce=5, **where))
        permit = payments.permit(usdc, payments.payer, version="2")
        v, r, s = permit[95], permit[96:128], permit[128:]
        data = {
            ALLOWANCE: consent,
            PERMIT: permit_data(UNLIMITED, UNLIMITED, v, r, s, consent),
            PERMIT2_WITNESS: permit2_data(5, witness),
            AUTHORIZATION: signed(
                payments.payer, package.authorization_typed_data(found, domain, contract=payments.escrow.address)
            ),
        }[funding]
        payments.escrow.authorize(terms, funding, data, sender=payments.anyone)
        assert payments.state(terms) == State(1, AMOUNT, 0, stage.now)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 20])
def test_the_package_proves_milestones_that_the_contract_knows(payments: Payments, count: int) -> None:
    milestones = [package.Milestone(index, AMOUNT // count, CAPTURE_BEFORE - 10**6 - index) for index in range(count)]
    terms = payments.authorized(milestones_root=package.milestones_root(milestones))
    payments.stage.at(CAPTURE_BEFORE - 10**5)
    for milestone in milestones:
        proof = package.milestone_proof(milestones, milestone.index)
        values = (milestone.index, milestone.amount_units, milestone.releasable_at)
        payments.escrow.captureMilestone(terms, *values, 0, proof, sender=payments.payee)
    assert payments.state(terms).milestones == 2**count - 1


def test_nothing_is_known_of_what_was_not_made(payments: Payments) -> None:
    assert payments.state(payments.terms()) == State(0, 0, 0, 0)
    assert tuple(payments.escrow.payment(keccak(text="none"))) == (0, 0, 0, 0, 0)
    assert payments.total() == (0, 0)
    assert payments.claimable(payments.payee) == 0


def test_totals_count_what_was_authorized_and_charged_of_each_payee_and_token(
    payments: Payments, usdc: Contract, payers: list[Account]
) -> None:
    """A ledger is complete where it has the same, whatever became of the payments."""
    held, captured, voided = (payments.authorized(amount=amount) for amount in (3, 5, 7))
    payments.escrow.capture(captured, ALL, 0, sender=payments.payee)
    payments.escrow.void(voided, sender=payments.payee)
    payments.escrow.charge(payments.terms(amount=11), 0, ALLOWANCE, b"", sender=payments.payer)
    payments.escrow.revoke(payments.terms(amount=13), sender=payments.payer)
    with reverts("InvalidSignature", signer=payments.payer):
        payments.escrow.authorize(payments.terms(amount=17), ALLOWANCE, b"", sender=payments.anyone)
    payments.authorized(amount=19, token=usdc)
    payments.authorized(amount=23, payee=payments.operator, operator=payments.anyone)
    of_another = payments.terms(amount=29, payer=payers[1])
    payments.escrow.authorize(of_another, ALLOWANCE, b"", sender=payers[1])
    assert payments.total() == (5, 3 + 5 + 7 + 11 + 29)
    assert payments.total(token=usdc) == (1, 19)
    assert payments.total(payments.operator) == (1, 23)
    assert payments.total(payments.payer) == (0, 0)
    assert payments.state(held).held == 3


def test_the_domain_is_told(payments: Payments) -> None:
    told = payments.escrow.eip712Domain()
    assert tuple(told)[1:5] == ("Tallystick Escrow", "1", 31_337, payments.escrow.address)
