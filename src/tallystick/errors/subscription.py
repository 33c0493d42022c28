"""What the contract refuses in the life of a subscription."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.errors.revert import ContractError, status_word, utc


@dataclass(eq=False)
class AnotherChargeIsNext(ContractError):
    """Numbers of charges: the one that was to be made, and the one that is next."""

    found: int
    expected: int

    def __str__(self) -> str:
        return (
            f"usage was to be charge {self.found}, charge {self.expected} is next: it was charged already, or another "
            "charge was made since. Look at the subscription's history, and charge what is missing with the next number"
        )


@dataclass(eq=False)
class ChargeDue(ContractError):
    """`due` in Unix seconds."""

    subscription_id: int
    due: int

    def __str__(self) -> str:
        return (
            f"subscription {self.subscription_id} is due since {utc(self.due)}: it can be paused or changed within a "
            "paid period, and only then go over to another payer, so have it charged first, or cancel it"
        )


@dataclass(eq=False)
class NotActive(ContractError):
    """`status`: 0 active, 1 ending, 2 cancelled, 3 paused."""

    subscription_id: int
    status: int

    def __str__(self) -> str:
        status = status_word(self.status)
        advice = "resume it first" if status == "paused" else "nothing is left to do"
        return f"subscription {self.subscription_id} is {status}, this needs an active one: {advice}"


@dataclass(eq=False)
class NotAuthorized(ContractError):
    """Who called."""

    caller: str

    def __str__(self) -> str:
        return (
            f"{self.caller} may not do this: that is another account's. Sign with the one whose it is. A subscription "
            "is its payer's, with what they add to it; its payee's are plans, prices and refunds; either cancels, and "
            "payee or biller state usage; a change of payer or payee is signed by the old and the new one. Of an "
            "escrow payment `tallystick escrow show` says who may do what"
        )


@dataclass(eq=False)
class NotPaused(ContractError):
    """`status`: as in NotActive."""

    subscription_id: int
    status: int

    def __str__(self) -> str:
        return f"subscription {self.subscription_id} is {status_word(self.status)}, not paused: nothing to resume"


@dataclass(eq=False)
class UnknownSubscription(ContractError):
    """Subscriptions are numbered from 1 in each register, behind the register's number: 3000000017."""

    subscription_id: int

    def __str__(self) -> str:
        return (
            f"there is no subscription {self.subscription_id} on this chain: `tallystick subscriptions list` shows "
            "those there are"
        )


@dataclass(eq=False)
class CreditTooHigh(ContractError):
    """Units of the token: what the subscription would be credited, and the most that it can hold."""

    found: int
    allowed: int

    def __str__(self) -> str:
        return (
            f"the change would leave a credit of {self.found} units of the token, at most {self.allowed} can be kept: "
            "have some of it used up by charges first"
        )


@dataclass(eq=False)
class HistoryMismatch(ContractError):
    """The subscription whose changes were told wrongly."""

    subscription_id: int

    def __str__(self) -> str:
        return (
            f"subscription {self.subscription_id} was changed, and what its charges cost before was not told as it "
            "happened: refund with `tallystick refunds create`, which reads it from the chain; if that was done, it "
            "was changed just now, or the node left events out. Try again, or ask another node"
        )


@dataclass(eq=False)
class MinimumTerm(ContractError):
    """How many charges were made, and to how many the payer agreed."""

    charges: int
    agreed: int

    def __str__(self) -> str:
        return (
            f"{self.charges} charges were made, and the payer agreed to {self.agreed} before cancelling or changing: "
            "wait until then, or ask the payee to cancel; `stop` ends it in an emergency"
        )


@dataclass(eq=False)
class NothingToChange(ContractError):
    """The subscription that is already as it was to become."""

    subscription_id: int

    def __str__(self) -> str:
        return (
            f"subscription {self.subscription_id} has this plan and as many seats already, this payer, or no fallback "
            "wallet or plan to drop: name another plan, or another number of seats"
        )


@dataclass(eq=False)
class ToPayTooHigh(ContractError):
    """Units of the token: what the change costs now, and the most that the payer agreed to pay."""

    found: int
    allowed: int

    def __str__(self) -> str:
        return (
            f"the change costs {self.found} units of the token now, agreed are at most {self.allowed}: ask for a new "
            "quote, and agree to it if it is right"
        )


@dataclass(eq=False)
class TrialRunning(ContractError):
    """The subscription that was not charged yet."""

    subscription_id: int

    def __str__(self) -> str:
        return (
            f"subscription {self.subscription_id} is in its trial: it changes to plans of the same family that have a "
            "trial, and no usage is charged. Choose such a plan, or wait for the first charge"
        )


@dataclass(eq=False)
class UsageAboveCap(ContractError):
    """Units of the token: what was to be charged, and what usage may still cost in this period."""

    found: int
    allowed: int

    def __str__(self) -> str:
        return (
            f"usage was to cost {self.found} units of the token, {self.allowed} are left of what the payer agreed to "
            "for this period: charge at most that; a change to a plan with a higher cap is the payer's to make"
        )


@dataclass(eq=False)
class UsageTooDear(ContractError):
    """Units of the token: what was to be charged, and the most that so much usage may cost by the plan."""

    found: int
    allowed: int

    def __str__(self) -> str:
        return (
            f"usage was to cost {self.found} units of the token, by the plan's price so much of it costs at most "
            f"{self.allowed}: charge at most that, or name the quantity that was used"
        )


@dataclass(eq=False)
class UsageEnded(ContractError):
    """The subscription whose last charge was made."""

    subscription_id: int

    def __str__(self) -> str:
        return (
            f"subscription {self.subscription_id} takes no charge of usage any more: it has ended by its plan's grace, "
            "or had 32767 charges, after which only periods are charged. What was used since its last charge cannot be "
            "charged here"
        )
