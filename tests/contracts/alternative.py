"""Plans in a second token, under which a charge is made where the payer lacks the first."""

from __future__ import annotations

from typing import Any

from tests.contracts.stage import Account, Contract, Receipt, Stage

OTHER_PRICE = 12_345_678
"""What the alternative costs, in units of another token: no two amounts of the tests are the same by chance."""


def offer(stage: Stage, plan_id: int, alternative_id: int, sender: Account | None = None) -> Receipt:
    """The merchant declares the two prices equivalent."""
    return stage.subscriptions.offerAlternative(plan_id, alternative_id, sender=sender or stage.merchant)


def withdraw(stage: Stage, plan_id: int, alternative_id: int, sender: Account | None = None) -> Receipt:
    """The merchant takes it back."""
    return stage.subscriptions.withdrawAlternative(plan_id, alternative_id, sender=sender or stage.merchant)


def offered(stage: Stage, plan_id: int, token: Contract, *, price: int = OTHER_PRICE, **terms: Any) -> int:
    """A new plan in another token, offered as an alternative."""
    alternative_id = stage.create_plan(price=price, token=token, **terms)
    offer(stage, plan_id, alternative_id)
    return alternative_id


def set_fallback_plan(stage: Stage, payer: Account, subscription_id: int, alternative_id: int) -> Receipt:
    """The payer names it."""
    terms = stage.subscriptions.termsHash(alternative_id)
    return stage.subscriptions.setFallbackPlan(subscription_id, alternative_id, terms, sender=payer)
