"""What the contract refuses of plans in a second token."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.errors.revert import ContractError


@dataclass(eq=False)
class SameToken(ContractError):
    """The token of both plans."""

    token: str

    def __str__(self) -> str:
        return (
            f"both plans are in {self.token}, an alternative is one in another token: name such a plan, or lower the "
            "price (`tallystick subscriptions lower-price`)"
        )


@dataclass(eq=False)
class AnotherGrid(ContractError):
    """The plan, and the one that was to be its alternative."""

    plan_id: int
    alternative_plan_id: int

    def __str__(self) -> str:
        return (
            f"the periods of plan {self.alternative_plan_id} are not as long as those of plan {self.plan_id}, or lie "
            "on another grid: create one with the same `every`, `unit` and `align_to`"
        )


@dataclass(eq=False)
class SeatsOfOneOnly(ContractError):
    """The plan, and the one that was to be its alternative."""

    plan_id: int
    alternative_plan_id: int

    def __str__(self) -> str:
        return (
            f"of plan {self.plan_id} and plan {self.alternative_plan_id} one sells seats and the other does not: "
            "create one that is like the other"
        )


@dataclass(eq=False)
class PlanRefundsUnused(ContractError):
    """The plan that promises refunds of what is unused."""

    plan_id: int

    def __str__(self) -> str:
        return (
            f"plan {self.plan_id} promises to refund what is left of a period, which is measured in one token: create "
            "one without the promise"
        )


@dataclass(eq=False)
class AlternativeIsOffered(ContractError):
    """The plan and its alternative."""

    plan_id: int
    alternative_plan_id: int

    def __str__(self) -> str:
        return (
            f"plan {self.alternative_plan_id} is offered as an alternative to plan {self.plan_id} already: nothing is "
            "left to do"
        )


@dataclass(eq=False)
class NotAnAlternative(ContractError):
    """The plan, and the one that is no alternative to it."""

    plan_id: int
    alternative_plan_id: int

    def __str__(self) -> str:
        return (
            f"the payee does not offer plan {self.alternative_plan_id} as an alternative to plan {self.plan_id}, or "
            "they have two payees: ask the payee (`tallystick plans offer-alternative`)"
        )


@dataclass(eq=False)
class AmountsLimited(ContractError):
    """The subscription whose payer limited amounts."""

    subscription_id: int

    def __str__(self) -> str:
        return (
            f"the payer of subscription {self.subscription_id} limited what a period or all charges may cost, in the "
            "plan's token, which cannot bind charges in another: take the limits back first (`tallystick subscriptions "
            "set-conditions`), or name a fallback wallet"
        )


@dataclass(eq=False)
class PaidInAnotherToken(ContractError):
    """The subscription of which a period was paid under its fallback plan."""

    subscription_id: int

    def __str__(self) -> str:
        return (
            f"the period, or the charge, of subscription {self.subscription_id} was paid in another token, and what is "
            "left of it has no exact value in the plan's: change when the paid period ends (`tallystick subscriptions "
            "change --when period-end`); instead of `cancel --refund` cancel, and refund a charge"
        )
