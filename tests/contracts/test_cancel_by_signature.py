"""cancelBySignature: the payer signs, anyone sends, and the subscription ends now."""

from __future__ import annotations

from typing import Any

import pytest

from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.signing import Mandate, cancellation_data, revocation_data, signed, signed_mandate
from tests.contracts.stage import DAY, FIRST_DUE, PRICE, UNLIMITED, Account, Contract, Stage, deploy, reverts

EXPIRES = FIRST_DUE - DAY


def signature_of(stage: Stage, key: Account, subscription_id: int, **changes: Any) -> bytes:
    """The key's signature that ends one of its own subscriptions."""
    return signed(key, cancellation_data(stage, changes.pop("payer", key.address), subscription_id, **changes))


def test_anyone_sends_what_the_payer_signed(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, subscribed: int
) -> None:
    signature = signature_of(stage, payer, subscribed)
    receipt = subscriptions.cancelBySignature(subscribed, UNLIMITED, signature, sender=anyone)
    assert stage.events(receipt) == [("Cancelled", {"subscriptionId": subscribed})]
    assert stage.status(subscribed) == Status.CANCELLED
    assert stage.charge(subscribed, at=FIRST_DUE) == [DeclineReason.CANCELLED]


@pytest.mark.parametrize(("offset_s", "works"), [(-1, True), (0, False), (1, False)])
def test_E20_is_good_before_validBefore(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, subscribed: int, offset_s: int, works: bool
) -> None:
    signature = signature_of(stage, payer, subscribed, valid_before=EXPIRES)
    stage.at(EXPIRES + offset_s)
    if works:
        subscriptions.cancelBySignature(subscribed, EXPIRES, signature, sender=anyone)
        assert stage.status(subscribed) == Status.CANCELLED
        return
    with stage.nothing_changes(), reverts("SignatureExpired", validBefore=EXPIRES, time=EXPIRES + offset_s):
        subscriptions.cancelBySignature(subscribed, EXPIRES, signature, sender=anyone)


def test_refuses_what_the_payer_did_not_sign(
    stage: Stage, subscriptions: Contract, anyone: Account, payers: list[Account], subscribed: int, monthly: int
) -> None:
    other = stage.subscribe(payers[0], monthly)
    good = signature_of(stage, payers[0], subscribed, valid_before=EXPIRES)
    wrong = [
        (subscribed, EXPIRES, signature_of(stage, payers[1], subscribed, valid_before=EXPIRES)),
        (subscribed, EXPIRES, signature_of(stage, payers[1], subscribed, payer=payers[0].address)),
        (subscribed, EXPIRES, signature_of(stage, stage.merchant, subscribed, valid_before=EXPIRES)),
        (other, EXPIRES, good),
        (subscribed, EXPIRES + 1, good),
        (subscribed, EXPIRES, signed(payers[0], revocation_data(stage, payers[0].address, subscribed))),
        (subscribed, EXPIRES, signed_mandate(stage, payers[0], Mandate(payers[0].address, monthly))),
        (subscribed, EXPIRES, b""),
        (subscribed, EXPIRES, b"\x00" * 65),
    ]
    for arguments in wrong:
        with stage.nothing_changes(), reverts("InvalidSignature", signer=payers[0]):
            subscriptions.cancelBySignature(*arguments, sender=anyone)
    subscriptions.cancelBySignature(subscribed, EXPIRES, good, sender=anyone)


def test_E12_is_good_for_this_contract_on_this_chain(
    stage: Stage, project: Any, subscriptions: Contract, anyone: Account, payer: Account, subscribed: int
) -> None:
    twin = deploy(project, anyone)
    for domain in ({"contract": twin.address}, {"chain_id": 1}):
        signature = signature_of(stage, payer, subscribed, **domain)
        with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
            subscriptions.cancelBySignature(subscribed, UNLIMITED, signature, sender=anyone)


def test_E17_replayed_it_ends_nothing_more(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, subscribed: int, monthly: int
) -> None:
    signature = signature_of(stage, payer, subscribed)
    subscriptions.cancelBySignature(subscribed, UNLIMITED, signature, sender=anyone)
    again = stage.subscribe(payer, monthly)
    with stage.nothing_changes(), reverts("NotActive", subscriptionId=subscribed, status=Status.CANCELLED):
        subscriptions.cancelBySignature(subscribed, UNLIMITED, signature, sender=anyone)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
        subscriptions.cancelBySignature(again, UNLIMITED, signature, sender=anyone)
    assert stage.status(again) == Status.ACTIVE


@pytest.mark.parametrize("verb", ["pause", "cancelAtPeriodEnd"])
def test_ends_what_is_paused_or_ending(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, subscribed: int, verb: str
) -> None:
    getattr(subscriptions, verb)(subscribed, sender=payer)
    signature = signature_of(stage, payer, subscribed)
    subscriptions.cancelBySignature(subscribed, UNLIMITED, signature, sender=anyone)
    assert stage.status(subscribed) == Status.CANCELLED


@pytest.mark.parametrize("subscription_id", [0, 2, 2**63, UNLIMITED])
def test_refuses_what_does_not_exist(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, subscription_id: int
) -> None:
    assert subscribed == 1
    signature = signature_of(stage, payer, subscription_id)
    with stage.nothing_changes(), reverts("UnknownSubscription", subscriptionId=subscription_id):
        subscriptions.cancelBySignature(subscription_id, UNLIMITED, signature, sender=stage.anyone)


def test_a_contract_accounts_signature_counts(
    stage: Stage, project: Any, subscriptions: Contract, token: Contract, payers: list[Account], monthly: int
) -> None:
    wallet = project.MockWallet.deploy(sender=stage.anyone)
    wallet.setSigner(payers[1], sender=stage.anyone)
    token.mint(wallet, 10 * PRICE, sender=stage.anyone)
    wallet.execute(token, token.approve.encode_input(subscriptions, UNLIMITED), sender=stage.anyone)
    subscribe = subscriptions.subscribe.encode_input(monthly, subscriptions.termsHash(monthly), 0)
    wallet.execute(subscriptions, subscribe, sender=stage.anyone)
    foreign, own = (signature_of(stage, key, 1, payer=wallet.address) for key in payers[:2])
    with stage.nothing_changes(), reverts("InvalidSignature", signer=wallet):
        subscriptions.cancelBySignature(1, UNLIMITED, foreign, sender=stage.anyone)
    subscriptions.cancelBySignature(1, UNLIMITED, own, sender=stage.anyone)
    assert stage.status(1) == Status.CANCELLED
