"""Recognises the merchant's own plans.

Anyone may create plans, but only such as pay themselves: the contract lets an account create none for another. So a
plan is the merchant's where it pays the merchant; neither the gas of a charge nor a product is given for any other.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from tallystick.config import MerchantConfig
from tallystick.core.plan import PlanTerms
from tallystick.errors import ForeignPlan, InputError


@dataclass(frozen=True, slots=True)
class OwnPlans:
    """What a plan of the merchant's is: it pays one of `payees`, in one of `tokens`, and has one of the numbers
    `plan_ids`. What is empty allows any."""

    payees: frozenset[str] = frozenset()
    tokens: frozenset[str] = frozenset()
    plan_ids: frozenset[int] = frozenset()

    @classmethod
    def of(cls, merchant: MerchantConfig, signer: str | None, plan_ids: Collection[int] | None = None) -> Self:
        """As the merchant is configured: where no payee is named, the account that signs is the only one. `plan_ids`
        are taken instead of the configured ones, and must be some. Raises InputError."""
        if plan_ids is not None and not plan_ids:
            raise InputError("found no plans, at least one number is needed: give those of the merchant's own plans")
        payees = merchant.payees or (() if signer is None else (signer,))
        return cls(
            frozenset(payees), frozenset(merchant.tokens), frozenset(merchant.plans if plan_ids is None else plan_ids)
        )

    def objection(self, plan_id: int, terms: PlanTerms) -> ForeignPlan | None:
        """Why a plan is not the merchant's; None where it is."""
        if self.payees and terms.payee not in self.payees:
            return ForeignPlan(plan_id, "payee", terms.payee, tuple(sorted(self.payees)))
        if self.tokens and terms.token not in self.tokens:
            return ForeignPlan(plan_id, "token", terms.token, tuple(sorted(self.tokens)))
        if self.plan_ids and plan_id not in self.plan_ids:
            return ForeignPlan(plan_id, "number", plan_id, tuple(sorted(self.plan_ids)))
        return None

    def require(self, plan_id: int, terms: PlanTerms) -> None:
        """Raises ForeignPlan."""
        if objection := self.objection(plan_id, terms):
            raise objection


ANY_PLAN = OwnPlans()
