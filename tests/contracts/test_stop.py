"""stop: the payer's emergency stop ends what is its own and makes what it signed worthless, all at once."""

from __future__ import annotations

from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.signing import Mandate, signed_mandate
from tests.contracts.stage import FIRST_DUE, UNLIMITED, Account, Contract, Stage, reverts


def test_ends_subscriptions_and_makes_mandates_worthless(
    stage: Stage, subscriptions: Contract, anyone: Account, payer: Account, monthly: int
) -> None:
    rows = [stage.subscribe(payer, monthly) for _ in range(3)]
    subscriptions.pause(rows[1], sender=payer)
    subscriptions.cancelAtPeriodEnd(rows[2], sender=payer)
    receipt = subscriptions.stop(rows, [7, 256, UNLIMITED], sender=payer)
    assert stage.events(receipt) == [
        *(("Cancelled", {"subscriptionId": row}) for row in rows),
        *(("MandateRevoked", {"payer": payer, "salt": salt}) for salt in (7, 256, UNLIMITED)),
    ]
    assert [stage.status(row) for row in rows] == [Status.CANCELLED] * 3
    assert stage.charge(*rows, at=FIRST_DUE + 9) == [DeclineReason.CANCELLED] * 3
    mandate = Mandate(payer.address, monthly, salt=256)
    with stage.nothing_changes(), reverts("SaltUsed", payer=payer, salt=256):
        subscriptions.submitMandate(mandate, signed_mandate(stage, payer, mandate), sender=anyone)


def test_passes_over_what_is_ended_used_or_named_twice(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, monthly: int
) -> None:
    other = stage.subscribe(payer, monthly)
    subscriptions.cancel(other, sender=payer)
    subscriptions.revokeMandate(5, sender=payer)
    receipt = subscriptions.stop([other, subscribed, subscribed], [5, 6, 6], sender=payer)
    assert stage.events(receipt) == [
        ("Cancelled", {"subscriptionId": subscribed}),
        ("MandateRevoked", {"payer": payer, "salt": 6}),
    ]
    with stage.nothing_changes():
        assert stage.events(subscriptions.stop([other, subscribed], [5, 6], sender=payer)) == []


def test_nothing_is_stopped_by_naming_nothing(stage: Stage, subscriptions: Contract, payer: Account) -> None:
    with stage.nothing_changes():
        assert stage.events(subscriptions.stop([], [], sender=payer)) == []


def test_passes_over_what_is_not_the_callers_or_does_not_exist(
    stage: Stage, subscriptions: Contract, payers: list[Account], subscribed: int, monthly: int
) -> None:
    others = stage.subscribe(payers[1], monthly)
    for sender in (stage.merchant, stage.anyone, payers[1]):
        with stage.nothing_changes():
            assert stage.events(subscriptions.stop([subscribed, 0, 99, 2**63, UNLIMITED], [], sender=sender)) == []
    receipt = subscriptions.stop([others, 99, UNLIMITED, subscribed], [], sender=payers[0])
    assert stage.events(receipt) == [("Cancelled", {"subscriptionId": subscribed})]
    assert (stage.status(subscribed), stage.status(others)) == (Status.CANCELLED, Status.ACTIVE)


def test_salts_are_the_callers_own(
    stage: Stage, subscriptions: Contract, anyone: Account, payers: list[Account], monthly: int
) -> None:
    subscriptions.stop([], [5], sender=payers[1])
    mandate = Mandate(payers[0].address, monthly, salt=5)
    subscriptions.submitMandate(mandate, signed_mandate(stage, payers[0], mandate), sender=anyone)
    assert stage.charges(1) == 1


def test_works_while_the_token_does_not(stage: Stage, subscriptions: Contract, usdc: Contract, payer: Account) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(token=usdc, min_charges=9))
    usdc.pause(sender=stage.anyone)
    subscriptions.stop([subscription_id], [], sender=payer)
    assert stage.status(subscription_id) == Status.CANCELLED
