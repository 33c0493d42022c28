"""Escrow payments in the hands of payer, merchant and arbiter, by the facade."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tallystick import PaymentFunding, PaymentOffer, PaymentStatus, Tallystick, parse_payment, parse_signed_payment
from tallystick.core.funding import Funding
from tallystick.core.payment_events import Authorized, Captured, MilestoneReached, PayoutClaimed, Ruled
from tallystick.core.permit2 import PERMIT2
from tallystick.errors import (
    AllowanceTooLow,
    BalanceTooLow,
    CaptureNotEnded,
    CaptureTooHigh,
    InputError,
    ManifestInvalid,
    MilestoneCaptured,
    MilestonesOnly,
    MilestoneTooEarly,
    NoArbiter,
    NotAuthorized,
    NotDisputed,
    NotOpen,
    PaymentExists,
    PermitUnsupported,
    RefundTooHigh,
    RulingNotEnded,
    RulingTooHigh,
    UnknownMilestone,
    UnknownPayment,
    WindowOpen,
)
from tallystick.flows.deploy import read_manifest, write_manifest
from tests.business import UNLIMITED, Business
from tests.client.conftest import Connect
from tests.contracts.permit2 import place_permit2

DAY = 86_400
ARBITER, RELAYER = 4, 5


@pytest.fixture
def arbiter(as_account: Connect) -> Tallystick:
    return as_account(ARBITER)


def offered(merchant: Tallystick, payer: Tallystick, business: Business, **more: Any) -> PaymentOffer:
    return merchant.payment_terms(payer=payer.address, amount="25.00", token=business.token, **more)


def test_terms_have_defaults_that_the_contract_takes(
    merchant: Tallystick, payer: Tallystick, business: Business
) -> None:
    offer = offered(merchant, payer, business)
    assert parse_payment(offer.render()) == offer
    terms, now = offer.terms, business.anvil.timestamp
    assert (terms.payee, terms.amount_units) == (merchant.address, 25_000_000)
    assert (terms.authorize_before, terms.capture_before) == (now + 7 * DAY, now + 37 * DAY)
    assert offered(merchant, payer, business).payment_id != offer.payment_id
    assert payer.payment(offer).status is PaymentStatus.NONE
    sent = payer.authorize(offer)
    assert sent.one(Authorized).terms == terms
    state = merchant.payment(offer)
    assert (state.status, str(state.held), state.since) == (
        PaymentStatus.OPEN,
        "25.000000 USDC",
        business.anvil.timestamp,
    )
    merchant.capture(offer, "10.00")
    merchant.capture(offer)
    state = payer.payment(offer)
    assert (state.status, state.held.units, state.refundable.units) == (PaymentStatus.CLOSED, 0, 25_000_000)
    assert [option.verb for option in state.options] == ["refund"]
    merchant.refund_payment(offer, "5.00")
    merchant.refund_payment(offer)
    assert business.anvil.timestamp > 0
    assert payer.payment(offer).options == ()
    assert merchant.payment_total(merchant.address, business.token) == (1, 25_000_000)


@pytest.mark.parametrize(
    ("funding", "expected"),
    [
        ("auto", Funding.AUTHORIZATION),
        ("authorization", Funding.AUTHORIZATION),
        ("permit", Funding.PERMIT),
        ("permit2", Funding.PERMIT2),
        ("allowance", Funding.ALLOWANCE),
    ],
)
def test_what_the_payer_signed_anyone_may_send(
    merchant: Tallystick,
    payer: Tallystick,
    as_account: Connect,
    business: Business,
    funding: str,
    expected: Funding,
) -> None:
    relayer = as_account(RELAYER)
    if funding == "allowance":
        business.token_call(payer.address, "approve", business.manifest.contract("Escrow").address, UNLIMITED)
    if funding == "permit2":
        place_permit2(business.anvil.rpc)
        business.token_call(payer.address, "approve", PERMIT2, UNLIMITED)
    for _ in range(2):
        offer = offered(merchant, payer, business)
        signed = payer.sign_payment(offer, funding=funding)
        assert (parse_signed_payment(signed.render()), signed.funding) == (signed, expected)
        relayer.authorize(signed)
        assert relayer.payment(signed).held.units == 25_000_000
        with pytest.raises(PaymentExists):
            relayer.authorize(signed)
        charged = payer.sign_payment(offered(merchant, payer, business), funding=PaymentFunding(funding))
        merchant.charge_payment(charged)
        assert merchant.payment(charged).refundable.units == 25_000_000
    with pytest.raises(NotAuthorized):
        relayer.charge_payment(payer.sign_payment(offered(merchant, payer, business), funding=funding))


def test_a_payer_without_money_or_the_right_to_it(merchant: Tallystick, payer: Tallystick, business: Business) -> None:
    offer = merchant.payment_terms(payer=payer.address, amount=10**12 + 1, token=business.token)
    with pytest.raises(BalanceTooLow):
        payer.authorize(offer)
    with pytest.raises(NotAuthorized):
        merchant.authorize(offer)
    with pytest.raises(NotAuthorized):
        merchant.sign_payment(offer)
    signed = payer.sign_payment(offer, funding="allowance")
    with pytest.raises(AllowanceTooLow):
        merchant.authorize(signed)


def test_a_payment_of_two_and_an_arbiter(
    merchant: Tallystick, payer: Tallystick, arbiter: Tallystick, business: Business, tmp_path: Path
) -> None:
    offer = offered(
        merchant,
        payer,
        business,
        arbiter=arbiter.address,
        dispute_window_s=3 * DAY,
        max_arbiter_fee_bps=500,
        min_fee_bps=100,
        fee_receiver=business.account("platform"),
    )
    payer.authorize(offer)
    with pytest.raises(WindowOpen):
        merchant.capture(offer)
    assert payer.payment(offer).window_until == payer.payment(offer).since + 3 * DAY
    photograph = tmp_path / "photograph.png"
    photograph.write_bytes(b"a broken chair")
    sent = payer.dispute(offer, document=photograph)
    assert sent.receipt.transaction
    merchant.submit_evidence(offer, b"a letter")
    with pytest.raises(NotOpen):
        merchant.dispute(offer)
    with pytest.raises(NotAuthorized):
        merchant.rule(offer, "25.00")
    with pytest.raises(RulingTooHigh):
        arbiter.rule(offer, "25.00", arbiter_fee="1.00")
    with pytest.raises(RulingNotEnded):
        merchant.rule_by_default(offer)
    ruled = arbiter.rule(offer, "10.00", arbiter_fee="1.00").one(Ruled)
    assert ruled == (offer.payment_id, 9_900_000, 14_000_000, 1_000_000, 100_000, False)
    with pytest.raises(NotDisputed):
        merchant.submit_evidence(offer, b"too late")
    for wrong in (tmp_path / "nothing", tmp_path):
        with pytest.raises(InputError, match=r"cannot be read|allowed are 1 to"):
            payer.dispute(offer, document=wrong)


def test_an_arbiter_who_is_silent(
    merchant: Tallystick, payer: Tallystick, arbiter: Tallystick, business: Business
) -> None:
    offer = offered(merchant, payer, business, arbiter=arbiter.address, default_payee_bps=4_000)
    payer.authorize(offer)
    merchant.dispute(offer)
    state = payer.payment(offer)
    assert (state.status, state.ruling_before) == (PaymentStatus.DISPUTED, state.since + 14 * DAY)
    business.anvil.advance(14 * DAY)
    ruled = merchant.rule_by_default(offer).one(Ruled)
    assert (ruled.to_payee_units, ruled.to_payer_units, ruled.by_default) == (10_000_000, 15_000_000, True)


def test_milestones(merchant: Tallystick, payer: Tallystick, business: Business) -> None:
    later = business.anvil.timestamp + 10 * DAY
    offer = offered(merchant, payer, business, milestones=[("10.00", 0), ("15.00", later)])
    payer.authorize(offer)
    with pytest.raises(MilestonesOnly):
        merchant.capture(offer)
    sent = merchant.capture_milestone(offer, 0)
    assert (sent.one(MilestoneReached).milestone, sent.one(Captured).amount_units) == (0, 10_000_000)
    assert merchant.payment(offer).milestones == (0,)
    with pytest.raises(MilestoneCaptured):
        merchant.capture_milestone(offer, 0)
    with pytest.raises(MilestoneTooEarly):
        merchant.capture_milestone(offer, 1)
    with pytest.raises(UnknownMilestone):
        merchant.capture_milestone(offer, 2)
    payer.capture(offer)
    with pytest.raises(InputError, match="let them add up"):
        offered(merchant, payer, business, milestones=[("10.00", 0)])
    with pytest.raises(InputError, match="different ones from 0"):
        offered(merchant, payer, business, milestones=[("1.25", 0)] * 21)


def test_what_is_given_back(merchant: Tallystick, payer: Tallystick, business: Business) -> None:
    voided, late, never = (offered(merchant, payer, business) for _ in range(3))
    payer.revoke_payment(never)
    assert payer.payment(never).is_revoked
    with pytest.raises(PaymentExists):
        payer.authorize(never)
    with pytest.raises(UnknownPayment):
        merchant.void(voided)
    with pytest.raises(UnknownPayment):
        merchant.refund_payment(voided)
    payer.authorize(voided)
    payer.authorize(late)
    with pytest.raises(NoArbiter):
        payer.dispute(voided)
    with pytest.raises(CaptureTooHigh):
        merchant.capture(voided, "25.01")
    merchant.void(voided)
    with pytest.raises(RefundTooHigh):
        merchant.refund_payment(voided)
    with pytest.raises(CaptureNotEnded):
        payer.reclaim(late)
    business.anvil.advance(37 * DAY)
    business.token_call(business.operator, "blacklist", payer.address)
    merchant.reclaim(late)
    assert payer.payout_claimable(business.token).units == 25_000_000
    business.token_call(business.operator, "unBlacklist", payer.address)
    assert payer.claim_payout(business.token).one(PayoutClaimed).amount_units == 25_000_000


def test_terms_that_cannot_be_are_refused_before_anything_is_signed(
    merchant: Tallystick, payer: Tallystick, business: Business
) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "one account in two parts": {"payee": payer.address},
        "a fee without a receiver": {"min_fee_bps": 10},
        "an amount of 0 units": {"amount": 0},
    }
    for reason, changes in wrong.items():
        values: dict[str, Any] = {"payer": payer.address, "amount": "25.00", "token": business.token, **changes}
        with pytest.raises(InputError, match=reason):
            merchant.payment_terms(**values)


def test_a_payment_of_elsewhere_and_a_manifest_without_escrow(
    merchant: Tallystick, payer: Tallystick, business: Business, manifest: Path
) -> None:
    offer = offered(merchant, payer, business)
    with pytest.raises(InputError, match="use it there"):
        payer.authorize(replace(offer, chain_id=1))
    found = read_manifest(manifest)
    contracts = {name: contract for name, contract in found.contracts.items() if name != "Escrow"}
    write_manifest(manifest, msgspec.structs.replace(found, contracts=contracts))
    with pytest.raises(ManifestInvalid, match="names no Escrow"):
        Tallystick.connect(rpc_url=business.anvil.url, deployment=manifest)


def test_a_token_that_takes_no_signature_at_all(merchant: Tallystick, payer: Tallystick, business: Business) -> None:
    """Only an approval brings its money."""
    plain = business._create(bytes.fromhex(PLAIN_TOKEN))
    offer = merchant.payment_terms(payer=payer.address, amount=7, token=plain)
    for funding in ("authorization", "permit"):
        with pytest.raises(PermitUnsupported):
            payer.sign_payment(offer, funding=funding)
    with pytest.raises(AllowanceTooLow):
        payer.sign_payment(offer)


PLAIN_TOKEN = "6005600c60003960056000f3" + "60206000f3"
"""Answers 0 to everything: no balance, no allowance, no separator."""
