"""revokeMandate: a payer makes what it signed worthless."""

from __future__ import annotations

import pytest

from tallystick.core.subscription import DeclineReason
from tests.contracts.signing import Mandate, signed_mandate
from tests.contracts.stage import FIRST_DUE, SUBSCRIBED, UNLIMITED, Account, Contract, Stage, reverts


@pytest.mark.parametrize("salt", [0, 255, 256, UNLIMITED])
def test_a_revoked_mandate_is_refused(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, monthly: int, salt: int
) -> None:
    mandate = Mandate(payer.address, monthly, salt=salt)
    receipt = subscriptions.revokeMandate(salt, sender=payer)
    assert stage.events(receipt) == [("MandateRevoked", {"payer": payer, "salt": salt})]
    assert subscriptions.isSaltUsed(payer, salt)
    with stage.nothing_changes(), reverts("SaltUsed", payer=payer, salt=salt):
        subscriptions.submitMandate(mandate, signed_mandate(stage, payer, mandate), sender=anyone)


def test_revoking_concerns_the_callers_salt_alone(
    stage: Stage, subscriptions: Contract, anyone: Account, payers: list[Account], monthly: int
) -> None:
    subscriptions.revokeMandate(5, sender=payers[1])
    subscriptions.revokeMandate(4, sender=payers[0])
    mandate = Mandate(payers[0].address, monthly, salt=5)
    subscriptions.submitMandate(mandate, signed_mandate(stage, payers[0], mandate), sender=anyone)


def test_cannot_be_done_twice(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    subscriptions.revokeMandate(5, sender=payer)
    with stage.nothing_changes(), reverts("SaltUsed", payer=payer, salt=5):
        subscriptions.revokeMandate(5, sender=payer)


def test_does_not_end_a_subscription_that_was_opened_with_it(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, monthly: int
) -> None:
    mandate = Mandate(payer.address, monthly, salt=5)
    stage.at(SUBSCRIBED)
    subscriptions.submitMandate(mandate, signed_mandate(stage, payer, mandate), sender=anyone)
    with reverts("SaltUsed", payer=payer, salt=5):
        subscriptions.revokeMandate(5, sender=payer)
    assert stage.charge(1, at=FIRST_DUE) == [DeclineReason.NONE]
