"""submitMandate: anyone brings a payer's signed consent, once, and only as it was signed."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from tallystick.core.period import Unit
from tests.contracts.signing import (
    NO_PERMIT,
    Mandate,
    digest,
    mandate_data,
    signed_mandate,
    signed_permit,
)
from tests.contracts.stage import PRICE, SUBSCRIBED, UNLIMITED, Account, Contract, Stage, deploy, reverts

CURVE_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


@pytest.fixture
def mandate(payer: Account, monthly: int) -> Mandate:
    """The payer's consent to the monthly plan."""
    return Mandate(payer.address, monthly, salt=7)


def test_anyone_submits_what_the_payer_signed(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, mandate: Mandate
) -> None:
    stage.at(SUBSCRIBED)
    receipt = subscriptions.submitMandate(mandate, signed_mandate(stage, payer, mandate), sender=anyone)
    events = stage.events(receipt)
    assert [name for name, _ in events] == ["Subscribed", "Charged", "MandateAccepted"]
    assert events[0][1] == {"subscriptionId": 1, "payer": payer, "planId": 1, "firstDue": SUBSCRIBED}
    assert events[2][1] == {
        "subscriptionId": 1,
        "payer": payer,
        "salt": 7,
        "mandateHash": subscriptions.mandateHash(mandate),
    }
    assert subscriptions.subscription(1).payer == payer
    assert subscriptions.isSaltUsed(payer, 7)
    assert stage.totals() == (1, PRICE, 0, 0)


@pytest.mark.parametrize("unit", list(Unit))
def test_what_is_signed_is_what_the_documentation_says(
    stage: Stage, subscriptions: Contract, payer: Account, unit: Unit
) -> None:
    plan_id = stage.create_plan(price=2**96 - 1, every=100, unit=unit, catch_up=200)
    mandate = Mandate(payer.address, plan_id, salt=UNLIMITED, valid_before=1_900_000_000)
    assert bytes(subscriptions.mandateHash(mandate)) == digest(mandate_data(stage, mandate))


def test_refuses_an_unknown_plan(subscriptions: Contract, anyone: Account, payer: Account) -> None:
    mandate = Mandate(payer.address, 5)
    with reverts("UnknownPlan", planId=5):
        subscriptions.submitMandate(mandate, b"", sender=anyone)
    with reverts("UnknownPlan", planId=5):
        subscriptions.submitMandateWithPermit(mandate, b"", NO_PERMIT, sender=anyone)
    with reverts("UnknownPlan", planId=5):
        subscriptions.mandateHash.transact(mandate, sender=anyone)  # Ape decodes errors of transactions alone


@pytest.mark.parametrize(("offset_s", "works"), [(-1, True), (0, False), (1, False)])
def test_E20_a_mandate_is_good_before_validBefore(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, monthly: int, offset_s: int, works: bool
) -> None:
    mandate = Mandate(payer.address, monthly, valid_before=SUBSCRIBED)
    signature = signed_mandate(stage, payer, mandate)
    time = SUBSCRIBED + offset_s
    stage.at(time)
    if works:
        subscriptions.submitMandate(mandate, signature, sender=anyone)
        assert stage.charges(1) == 1
    else:
        with stage.nothing_changes(), reverts("MandateExpired", validBefore=SUBSCRIBED, time=time):
            subscriptions.submitMandate(mandate, signature, sender=anyone)


def test_E28_a_mandate_with_no_end_is_accepted_and_one_without_a_beginning_is_not(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, monthly: int
) -> None:
    endless = Mandate(payer.address, monthly, salt=1, valid_before=UNLIMITED)
    never = Mandate(payer.address, monthly, salt=2, valid_before=0)
    subscriptions.submitMandate(endless, signed_mandate(stage, payer, endless), sender=anyone)
    stage.at(SUBSCRIBED)
    with reverts("MandateExpired", validBefore=0, time=SUBSCRIBED):
        subscriptions.submitMandate(never, signed_mandate(stage, payer, never), sender=anyone)


# --- Whose signature ---


def test_refuses_what_was_not_signed_as_it_is_submitted(
    stage: Stage, subscriptions: Contract, anyone: Account, payers: list[Account], mandate: Mandate
) -> None:
    other_plan = stage.create_plan(price=PRICE + 1)
    signature = signed_mandate(stage, payers[0], mandate)
    for changed in (
        mandate._replace(payer=payers[1].address),
        mandate._replace(plan_id=other_plan),
        mandate._replace(seats=1),
        mandate._replace(salt=8),
        mandate._replace(valid_before=UNLIMITED - 1),
    ):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=changed.payer):
            subscriptions.submitMandate(changed, signature, sender=anyone)


def test_a_reorganisation_that_renumbers_plans_takes_nobody_in(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account
) -> None:
    mandate = Mandate(payer.address, stage.create_plan())
    signature = signed_mandate(stage, payer, mandate)
    stage.rpc("anvil_reorg", 1, [])
    assert stage.create_plan(price=100 * PRICE) == mandate.plan_id
    with reverts("InvalidSignature", signer=payer):
        subscriptions.submitMandate(mandate, signature, sender=anyone)


def test_E12_a_mandate_for_another_contract_is_refused(
    stage: Stage, project: Any, subscriptions: Contract, anyone: Account, payer: Account, mandate: Mandate
) -> None:
    twin = deploy(project, anyone)
    twin.createPlan(subscriptions.plan(mandate.plan_id), sender=stage.merchant)
    assert twin.termsHash(1) == subscriptions.termsHash(1)
    with reverts("InvalidSignature", signer=payer):
        twin.submitMandate(mandate, signed_mandate(stage, payer, mandate), sender=anyone)


def test_E12_a_mandate_for_another_chain_is_refused(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, mandate: Mandate
) -> None:
    with reverts("InvalidSignature", signer=payer):
        subscriptions.submitMandate(mandate, signed_mandate(stage, payer, mandate, chain_id=1), sender=anyone)


def test_E12_a_fork_with_a_new_chain_id_refuses_what_was_signed_before_it(
    stage: Stage, subscriptions: Contract, mandate: Mandate
) -> None:
    before, after = (digest(mandate_data(stage, mandate, chain_id=chain_id)) for chain_id in (31_337, 31_338))
    assert bytes(subscriptions.mandateHash(mandate)) == before
    stage.rpc("anvil_setChainId", 31_338)
    try:
        call = {"to": subscriptions.address, "data": "0x" + subscriptions.mandateHash.encode_input(mandate).hex()}
        assert stage.rpc("eth_call", call, "latest") == "0x" + after.hex()
    finally:
        stage.rpc("anvil_setChainId", 31_337)


def test_E13_a_second_form_of_a_signature_is_refused(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, mandate: Mandate
) -> None:
    signature = signed_mandate(stage, payer, mandate)
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    high_s = r + (CURVE_ORDER - s).to_bytes(32, "big") + bytes([55 - v])
    compact = r + (s | (v - 27) << 255).to_bytes(32, "big")
    for malleable in (high_s, compact, signature[:64] + bytes([v - 27]), signature + b"\x00", b""):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
            subscriptions.submitMandate(mandate, malleable, sender=anyone)


def test_E13_nobody_is_no_signer(stage: Stage, subscriptions: Contract, anyone: Account, monthly: int) -> None:
    mandate = Mandate("0x" + "00" * 20, monthly)
    for signature in (b"", b"\x00" * 65, b"\x00" * 64 + b"\x1b"):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=mandate.payer):
            subscriptions.submitMandate(mandate, signature, sender=anyone)


@pytest.mark.parametrize("precompile", range(1, 18))
def test_E13_a_precompiled_contract_is_no_signer(
    stage: Stage, subscriptions: Contract, anyone: Account, monthly: int, precompile: int
) -> None:
    mandate = Mandate(to_checksum_address(precompile.to_bytes(20, "big")), monthly)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=mandate.payer):
        subscriptions.submitMandate(mandate, b"\x00" * 65, sender=anyone)


# --- How often ---


def test_E17_a_mandate_is_good_once_even_after_cancelling(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, mandate: Mandate
) -> None:
    signature = signed_mandate(stage, payer, mandate)
    subscriptions.submitMandate(mandate, signature, sender=anyone)
    with stage.nothing_changes(), reverts("SaltUsed", payer=payer, salt=7):
        subscriptions.submitMandate(mandate, signature, sender=anyone)
    subscriptions.cancel(1, sender=payer)
    with stage.nothing_changes(), reverts("SaltUsed", payer=payer, salt=7):
        subscriptions.submitMandate(mandate, signature, sender=anyone)


def test_E17_a_new_subscription_needs_a_new_salt(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, mandate: Mandate
) -> None:
    salts = (7, 8, 255, 256, UNLIMITED)
    for salt in salts:
        again = mandate._replace(salt=salt)
        subscriptions.submitMandate(again, signed_mandate(stage, payer, again), sender=anyone)
    assert stage.opened() == 5
    assert all(subscriptions.isSaltUsed(payer, salt) for salt in salts)
    assert not any(subscriptions.isSaltUsed(payer, salt) for salt in (0, 6, 9, 254, 257, 263, UNLIMITED - 1))


def test_salts_of_payers_are_their_own(
    stage: Stage, subscriptions: Contract, anyone: Account, payers: list[Account], monthly: int
) -> None:
    for payer in payers:
        mandate = Mandate(payer.address, monthly, salt=1)
        subscriptions.submitMandate(mandate, signed_mandate(stage, payer, mandate), sender=anyone)
    assert stage.opened() == len(payers)


# --- What cannot be paid ---


def test_a_mandate_that_cannot_be_paid_stays_good(
    stage: Stage, subscriptions: Contract, token: Contract, anyone: Account, payer: Account, mandate: Mandate
) -> None:
    signature = signed_mandate(stage, payer, mandate)
    token.approve(subscriptions, 0, sender=payer)
    with stage.nothing_changes(), reverts("AllowanceTooLow", found=0, needed=PRICE):
        subscriptions.submitMandate(mandate, signature, sender=anyone)
    token.approve(subscriptions, PRICE, sender=payer)
    subscriptions.submitMandate(mandate, signature, sender=anyone)
    assert token.balanceOf(stage.merchant) == PRICE


def test_refuses_a_payer_who_would_pay_themselves(
    stage: Stage, subscriptions: Contract, anyone: Account, merchant: Account, monthly: int
) -> None:
    mandate = Mandate(merchant.address, monthly)
    with stage.nothing_changes(), reverts("PayerIsPayee", account=merchant):
        subscriptions.submitMandate(mandate, signed_mandate(stage, merchant, mandate), sender=anyone)


# --- With permit ---


def test_two_signatures_and_no_transaction_of_the_payer_suffice(
    stage: Stage, subscriptions: Contract, token: Contract, anyone: Account, payer: Account, mandate: Mandate
) -> None:
    token.approve(subscriptions, 0, sender=payer)
    signature, permit = signed_mandate(stage, payer, mandate), signed_permit(stage, token, payer)
    subscriptions.submitMandateWithPermit(mandate, signature, permit, sender=anyone)
    assert token.balanceOf(stage.merchant) == PRICE


def test_E10_a_permit_used_before_the_mandate_is_no_obstacle(
    stage: Stage, subscriptions: Contract, token: Contract, anyone: Account, payer: Account, mandate: Mandate
) -> None:
    token.approve(subscriptions, 0, sender=payer)
    signature, permit = signed_mandate(stage, payer, mandate), signed_permit(stage, token, payer)
    token.permit(payer, subscriptions, *permit, sender=anyone)
    subscriptions.submitMandateWithPermit(mandate, signature, permit, sender=anyone)
    assert token.balanceOf(stage.merchant) == PRICE


def test_a_permit_is_no_consent(
    stage: Stage, subscriptions: Contract, token: Contract, anyone: Account, payer: Account, mandate: Mandate
) -> None:
    permit = signed_permit(stage, token, payer)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
        subscriptions.submitMandateWithPermit(mandate, permit.r + permit.s + bytes([permit.v]), permit, sender=anyone)
