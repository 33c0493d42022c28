"""Other wallets through the facade: one that takes a subscription over, one that stands in for its payer."""

from __future__ import annotations

import dataclasses

import pytest

from tallystick import DeclineReason, Tallystick, parse_fallback, parse_payee_change, parse_payer_change
from tallystick.chain.token import TokenContract
from tallystick.core.conditions import Conditions
from tallystick.core.events import PaidByFallback, PayerChanged, Refunded
from tallystick.core.plan import Plan
from tallystick.errors import (
    ChargeDue,
    InputError,
    InvalidSignature,
    NotActive,
    NotAuthorized,
    NothingToChange,
    PayerIsPayee,
    SaltUsed,
    SignatureExpired,
    UnknownRegister,
    UnknownSubscription,
)
from tests.business import Business
from tests.client.conftest import BILLER, Connect

OTHER = 4
DAY_S = 86_400


@pytest.fixture
def plan(merchant: Tallystick, business: Business) -> Plan:
    return merchant.create_plan(price="10", token=business.token, every=30, unit="day")


@pytest.fixture
def other(as_account: Connect, business: Business) -> Tallystick:
    """Another wallet, with money."""
    found = as_account(OTHER)
    business.mint(found.address, 10**9)
    return found


def at(business: Business, timestamp: int) -> None:
    business.anvil.rpc("evm_setNextBlockTimestamp", hex(timestamp))


# --- Handing over -----------------------------------------------------------------------------------------------------


def test_both_wallets_sign_and_anyone_hands_the_subscription_over(
    business: Business, payer: Tallystick, merchant: Tallystick, other: Tallystick, as_account: Connect, plan: Plan
) -> None:
    opened = payer.subscribe(plan, conditions=Conditions(max_per_period_units=11_000_000))
    first = parse_payer_change(payer.sign_payer_change(1, other.address.lower()).render())
    assert first.change.max_per_period_units == 11_000_000
    with pytest.raises(InputError, match=f"found no signature of {other.address}, both wallets must sign"):
        as_account(BILLER).change_payer(first)
    both = parse_payer_change(other.countersign_payer_change(first).render())
    changed = as_account(BILLER).change_payer(both)
    assert changed.payer == other.address
    with pytest.raises(InputError, match="something of that was changed since"):
        as_account(BILLER).change_payer(both)
    assert business.anvil.timestamp < opened.next_due
    assert merchant.refund(1, 1, "1").one(Refunded).amount_units == 1_000_000
    assert business.read("subscription", 1)  # the new payer has the refund
    other.approve(plan.plan_id, periods=2)
    at(business, opened.next_due)
    assert merchant.charge([1]).reasons == [DeclineReason.NONE]
    history = merchant.subscription(1, history=True).history or ()
    assert PayerChanged(1, payer.address, other.address) in [entry.event for entry in history]


def test_the_one_who_sends_needs_no_signature(
    payer: Tallystick, other: Tallystick, plan: Plan, merchant: Tallystick
) -> None:
    payer.subscribe(plan)
    asked = other.sign_payer_change(1, other.address)  # begun by the new one
    assert (asked.payer_signature, len(asked.new_payer_signature)) == (b"", 65)
    assert payer.change_payer(asked).payer == other.address
    back = other.sign_payer_change(1, payer.address)
    assert payer.change_payer(back).payer == payer.address
    del merchant


def test_changes_of_payer_that_cannot_be_are_refused_before_they_are_sent(
    business: Business, payer: Tallystick, merchant: Tallystick, other: Tallystick, as_account: Connect, plan: Plan
) -> None:
    stranger = as_account(BILLER)
    due = payer.subscribe(plan).next_due
    good = other.countersign_payer_change(payer.sign_payer_change(1, other.address, salt=5))
    late = other.countersign_payer_change(payer.sign_payer_change(1, other.address, valid_s=0))
    to_payee = payer.sign_payer_change(1, merchant.address)
    to_self = payer.sign_payer_change(1, payer.address)
    before = business.anvil.block_number
    with pytest.raises(NotAuthorized):
        stranger.sign_payer_change(1, other.address)
    with pytest.raises(NotAuthorized):
        stranger.countersign_payer_change(good)
    with pytest.raises(UnknownSubscription):
        payer.sign_payer_change(9, other.address)
    with pytest.raises(InputError, match="on chain 1, this is"):
        other.countersign_payer_change(dataclasses.replace(good, chain_id=1))
    with pytest.raises(InvalidSignature):
        stranger.change_payer(dataclasses.replace(good, new_payer_signature=good.payer_signature))
    with pytest.raises(InputError, match="have it signed anew"):
        stranger.change_payer(dataclasses.replace(good, change=dataclasses.replace(good.change, seats=3)))
    with pytest.raises(SignatureExpired):
        stranger.change_payer(late)
    with pytest.raises(PayerIsPayee):
        merchant.change_payer(to_payee)
    with pytest.raises(NothingToChange):
        payer.change_payer(to_self)
    assert business.anvil.block_number == before
    other.revoke_mandate(5)
    with pytest.raises(SaltUsed):
        stranger.change_payer(good)
    anew = other.countersign_payer_change(payer.sign_payer_change(1, other.address, valid_s=90 * DAY_S))
    business.anvil.set_time(due)
    with pytest.raises(ChargeDue):
        stranger.change_payer(anew)
    payer.cancel(1)
    with pytest.raises(NotActive):
        stranger.change_payer(anew)


# --- Standing in ------------------------------------------------------------------------------------------------------


def test_a_wallet_stands_in_where_the_payer_cannot(
    business: Business, payer: Tallystick, merchant: Tallystick, other: Tallystick, plan: Plan
) -> None:
    opened = payer.subscribe(plan, periods=1)
    lacking = merchant.subscription(1).next_charge
    assert lacking is not None
    assert lacking.missing is DeclineReason.ALLOWANCE
    signed = parse_fallback(other.sign_fallback(1).render())
    assert (signed.consent.payer, signed.consent.wallet) == (payer.address, other.address)
    payer.set_fallback(signed)
    other.approve(plan.plan_id, periods=1)
    state = merchant.subscription(1)
    assert state.fallback_wallet == other.address
    assert state.next_charge is not None
    assert state.next_charge.missing is DeclineReason.NONE
    at(business, opened.next_due)
    assert merchant.charge([1]).one(PaidByFallback).wallet == other.address
    other.drop_fallback(1)
    assert merchant.subscription(1).fallback_wallet is None
    with pytest.raises(NothingToChange):
        payer.drop_fallback(1)


def test_consents_to_stand_in_that_do_not_fit_are_refused_before_they_are_sent(
    business: Business, payer: Tallystick, merchant: Tallystick, other: Tallystick, plan: Plan
) -> None:
    payer.subscribe(plan)
    good = other.sign_fallback(1)
    late = other.sign_fallback(1, valid_s=0)
    before = business.anvil.block_number
    for error, signer, signed in (
        (NotAuthorized, other, good),
        (SignatureExpired, payer, late),
        (InvalidSignature, payer, dataclasses.replace(good, signature=late.signature)),
        (InputError, payer, dataclasses.replace(good, contract=payer.address)),
        (InputError, payer, dataclasses.replace(good, consent=dataclasses.replace(good.consent, seats=2))),
        (PayerIsPayee, payer, merchant.sign_fallback(1)),
    ):
        with pytest.raises(error):
            signer.set_fallback(signed)
    with pytest.raises(UnknownSubscription):
        other.sign_fallback(7)
    assert business.anvil.block_number == before
    payer.set_fallback(good)
    with pytest.raises(SaltUsed):
        payer.set_fallback(good)
    with pytest.raises(NotAuthorized):
        merchant.drop_fallback(1)
    payer.drop_fallback(1)


# --- Another payee ----------------------------------------------------------------------------------------------------


def test_both_payees_sign_and_anyone_moves_the_register(
    business: Business, payer: Tallystick, merchant: Tallystick, other: Tallystick, as_account: Connect, plan: Plan
) -> None:
    opened = payer.subscribe(plan)
    stranger = as_account(BILLER)
    first = parse_payee_change(merchant.sign_payee_change(business.token, other.address).render())
    late = merchant.sign_payee_change(business.token, other.address, valid_s=0)
    before = business.anvil.block_number
    with pytest.raises(InputError, match=f"found no signature of {other.address}"):
        stranger.change_payee(first)
    with pytest.raises(NotAuthorized):
        stranger.countersign_payee_change(first)
    with pytest.raises(InputError, match="on chain 1, this is"):
        other.countersign_payee_change(dataclasses.replace(first, chain_id=1))
    both = other.countersign_payee_change(first)
    with pytest.raises(SignatureExpired):
        other.change_payee(late)
    with pytest.raises(InvalidSignature):
        stranger.change_payee(dataclasses.replace(both, payee_signature=both.new_payee_signature))
    with pytest.raises(UnknownRegister):
        other.change_payee(stranger.sign_payee_change(business.token, other.address))
    with pytest.raises(InputError, match="allowed are two accounts: name the one that is paid now"):
        other.sign_payee_change(business.token, other.address.lower())
    assert business.anvil.block_number == before
    assert merchant.contract.payee_of(0) in {None, merchant.address}
    stranger.change_payee(both)
    assert merchant.contract.payee_of(0) == other.address
    at(business, opened.next_due)
    merchant.charge([1])
    assert TokenContract(payer.contract.node, business.token).balance(other.address) == 10**9 + 10_000_000
    assert other.totals(other.address, business.token).charge_count == 2
