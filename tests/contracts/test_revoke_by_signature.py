"""revokeMandateBySignature: the payer signs, anyone sends, and the mandate is worthless for good."""

from __future__ import annotations

from typing import Any

import pytest

from tallystick.core.subscription import DeclineReason
from tests.contracts.signing import Mandate, cancellation_data, revocation_data, signed, signed_mandate
from tests.contracts.stage import FIRST_DUE, SUBSCRIBED, UNLIMITED, Account, Contract, Stage, deploy, reverts


def revocation_of(stage: Stage, key: Account, salt: int, **domain: Any) -> bytes:
    """The key's signature that makes its own salt worthless."""
    return signed(key, revocation_data(stage, domain.pop("payer", key.address), salt, **domain))


@pytest.mark.parametrize("salt", [0, 255, 256, UNLIMITED])
def test_a_revoked_mandate_is_refused(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, monthly: int, salt: int
) -> None:
    mandate = Mandate(payer.address, monthly, salt=salt)
    receipt = subscriptions.revokeMandateBySignature(payer, salt, revocation_of(stage, payer, salt), sender=anyone)
    assert stage.events(receipt) == [("MandateRevoked", {"payer": payer, "salt": salt})]
    assert subscriptions.isSaltUsed(payer, salt)
    with stage.nothing_changes(), reverts("SaltUsed", payer=payer, salt=salt):
        subscriptions.submitMandate(mandate, signed_mandate(stage, payer, mandate), sender=anyone)


def test_refuses_what_the_payer_did_not_sign(
    stage: Stage, subscriptions: Contract, anyone: Account, payers: list[Account], monthly: int
) -> None:
    mandate = Mandate(payers[0].address, monthly, salt=5)
    wrong = [
        revocation_of(stage, payers[1], 5),
        revocation_of(stage, payers[1], 5, payer=payers[0].address),
        revocation_of(stage, payers[0], 6),
        signed_mandate(stage, payers[0], mandate),
        signed(payers[0], cancellation_data(stage, payers[0].address, 5)),
        b"",
        b"\x00" * 65,
    ]
    for signature in wrong:
        with stage.nothing_changes(), reverts("InvalidSignature", signer=payers[0]):
            subscriptions.revokeMandateBySignature(payers[0], 5, signature, sender=anyone)
    assert not subscriptions.isSaltUsed(payers[0], 5)


def test_E12_is_good_for_this_contract_on_this_chain(
    stage: Stage, project: Any, subscriptions: Contract, anyone: Account, payer: Account
) -> None:
    twin = deploy(project, anyone)
    for domain in ({"contract": twin.address}, {"chain_id": 1}):
        signature = revocation_of(stage, payer, 5, **domain)
        with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
            subscriptions.revokeMandateBySignature(payer, 5, signature, sender=anyone)


def test_E17_cannot_be_replayed(stage: Stage, subscriptions: Contract, anyone: Account, payer: Account) -> None:
    signature = revocation_of(stage, payer, 5)
    subscriptions.revokeMandateBySignature(payer, 5, signature, sender=anyone)
    with stage.nothing_changes(), reverts("SaltUsed", payer=payer, salt=5):
        subscriptions.revokeMandateBySignature(payer, 5, signature, sender=anyone)


def test_concerns_the_payers_salt_alone(
    stage: Stage, subscriptions: Contract, anyone: Account, payers: list[Account], monthly: int
) -> None:
    subscriptions.revokeMandateBySignature(payers[1], 5, revocation_of(stage, payers[1], 5), sender=anyone)
    mandate = Mandate(payers[0].address, monthly, salt=5)
    subscriptions.submitMandate(mandate, signed_mandate(stage, payers[0], mandate), sender=anyone)


def test_does_not_end_a_subscription_that_was_opened_with_it(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, monthly: int
) -> None:
    mandate = Mandate(payer.address, monthly, salt=5)
    stage.at(SUBSCRIBED)
    subscriptions.submitMandate(mandate, signed_mandate(stage, payer, mandate), sender=anyone)
    with stage.nothing_changes(), reverts("SaltUsed", payer=payer, salt=5):
        subscriptions.revokeMandateBySignature(payer, 5, revocation_of(stage, payer, 5), sender=anyone)
    assert stage.charge(1, at=FIRST_DUE) == [DeclineReason.NONE]


def test_a_contract_accounts_signature_counts(
    stage: Stage, project: Any, subscriptions: Contract, payers: list[Account]
) -> None:
    wallet = project.MockWallet.deploy(sender=stage.anyone)
    wallet.setSigner(payers[1], sender=stage.anyone)
    foreign, own = (revocation_of(stage, key, 5, payer=wallet.address) for key in payers[:2])
    with stage.nothing_changes(), reverts("InvalidSignature", signer=wallet):
        subscriptions.revokeMandateBySignature(wallet, 5, foreign, sender=stage.anyone)
    subscriptions.revokeMandateBySignature(wallet, 5, own, sender=stage.anyone)
    assert subscriptions.isSaltUsed(wallet, 5)
