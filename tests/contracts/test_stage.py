"""The means of these tests see what they are there to see."""

from __future__ import annotations

import pytest

from tests.contracts.stage import PRICE, Account, Contract, Stage, reverts, reverts_bare


def test_nothing_changes_sees_a_change(stage: Stage, token: Contract, payer: Account, monthly: int) -> None:
    with pytest.raises(AssertionError), stage.nothing_changes():
        token.mint(payer, 1, sender=payer)
    with pytest.raises(AssertionError), stage.nothing_changes():
        stage.subscribe(payer, monthly)


def test_reverts_wants_the_very_error_with_all_its_values(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, monthly: int
) -> None:
    token.approve(subscriptions, 0, sender=payer)
    for error, values in [
        ("AllowanceTooLow", {"found": 1, "needed": PRICE}),
        ("AllowanceTooLow", {"found": 0}),
        ("BalanceTooLow", {"found": 0, "needed": PRICE}),
    ]:
        with pytest.raises(AssertionError), reverts(error, **values):
            stage.subscribe(payer, monthly)
    with pytest.raises(AssertionError), reverts_bare():
        stage.subscribe(payer, monthly)
    with pytest.raises(pytest.fail.Exception), reverts("AllowanceTooLow", found=0, needed=PRICE):
        stage.create_plan()
