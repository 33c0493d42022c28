"""What the contract refuses because a payer's conditions do not allow it, or do not fit the plan."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.errors.revert import ContractError, decline_word, utc


@dataclass(eq=False)
class ConditionsEnded(ContractError):
    """The subscription, and its payer's own end in Unix seconds."""

    subscription_id: int
    ends_at: int

    def __str__(self) -> str:
        return (
            f"the payer of subscription {self.subscription_id} let it be charged until {utc(self.ends_at)}, and that "
            "time has come: have the payer set another end with `tallystick subscriptions set-conditions`"
        )


@dataclass(eq=False)
class FirstChargeDeclined(ContractError):
    """The number of the reason for which a charge would decline, what was found, and what was allowed or needed: units
    of the token, or for an end that has come Unix seconds; 0 where the quoter gave no price."""

    reason: int
    found: int
    allowed: int

    def __str__(self) -> str:
        why = f"the first charge, which is due now, would decline ({decline_word(self.reason)}): "
        match decline_word(self.reason):
            case "allowance":
                return why + (
                    f"the contract may move {self.found} units of the token, {self.allowed} are needed. Approve the "
                    "contract, or Permit2 and there the contract where charges go through it"
                )
            case "balance":
                return why + f"the payer has {self.found} units of the token, {self.allowed} are needed. Send it some"
            case "over mandate" | "slippage":
                return why + (
                    f"it costs {self.found} units of the token, usage up to its cap included, the payer agreed to "
                    f"{self.allowed}. Agree to more, or choose another plan"
                )
            case "ended":
                return why + f"it is second {self.found}, and the payer's own end is {self.allowed}. Choose a later end"
            case _:
                return why + (
                    f"the plan's quoter gave no price that can be used (found {self.found}, allowed {self.allowed}). "
                    "Try again later, or ask the payee"
                )


@dataclass(eq=False)
class MaximumMissing(ContractError):
    """The plan whose price is quoted."""

    plan_id: int

    def __str__(self) -> str:
        return (
            f"the price of plan {self.plan_id} is quoted at each charge, and the payer set no maximum for it: set the "
            "most that a period may cost (max per period) above 0"
        )


@dataclass(eq=False)
class OverMandate(ContractError):
    """Units of the token: what it would cost, and what the payer agreed to, per period or in all."""

    found: int
    allowed: int

    def __str__(self) -> str:
        return (
            f"it would cost {self.found} units of the token, the payer agreed to at most {self.allowed} (per period, "
            "usage up to its cap included, or in all): charge less, or have the payer set higher maxima with "
            "`tallystick subscriptions set-conditions`"
        )


@dataclass(eq=False)
class PeriodTooShort(ContractError):
    """Seconds: the shortest that a period of the plan can be, and the shortest that the payer agreed to."""

    found: int
    allowed: int

    def __str__(self) -> str:
        return (
            f"a period of the plan can last {self.found} seconds, the payer agreed to {self.allowed} or more: choose "
            "another plan of the mandate, or have the payer sign a new one"
        )


@dataclass(eq=False)
class PlanNotAgreed(ContractError):
    """The plan that was chosen."""

    plan_id: int

    def __str__(self) -> str:
        return (
            f"the mandate does not name plan {self.plan_id} as it is now: choose one of its plans, or have the payer "
            "sign a new mandate"
        )


@dataclass(eq=False)
class StartOutOfRange(ContractError):
    """Unix seconds: when the first period would begin, and the last second at which it may."""

    found: int
    allowed: int

    def __str__(self) -> str:
        return (
            f"the first period would begin at {utc(self.found)} (second {self.found}), allowed is {utc(self.allowed)} "
            f"(second {self.allowed}) at the latest, before the payer's own end and within 100 years: begin earlier, "
            "or end later"
        )
