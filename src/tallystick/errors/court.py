"""What an arbiter of two instances, a judge and a court, refuses."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.errors.revert import ContractError, utc


def stage_word(number: int) -> str:
    """Where a case stands, by its number (`core.court.Stage`)."""
    words = ("not judged", "judged", "at the court", "ruled by the court")
    return words[number] if number < len(words) else f"in state {number}"


@dataclass(eq=False)
class AnotherArbiter(ContractError):
    """The arbiter that the terms name."""

    found: str

    def __str__(self) -> str:
        return f"the terms name {self.found} as their arbiter, not the one that was called: call that one"


@dataclass(eq=False)
class AnotherStage(ContractError):
    """The payment, and the number of its case's stage."""

    payment_id: bytes
    stage: int

    def __str__(self) -> str:
        return (
            f"the case of payment 0x{self.payment_id.hex()} is {stage_word(self.stage)}: this is for a case that "
            "stands elsewhere, and `tallystick escrow court show` says what can be done with it"
        )


@dataclass(eq=False)
class AppealEnded(ContractError):
    """Unix seconds: until when an appeal was possible, and the block's time."""

    appeal_before: int
    time: int

    def __str__(self) -> str:
        return (
            f"an appeal was possible before {utc(self.appeal_before)}, it is {utc(self.time)}: what was judged stands, "
            "and anyone has it done with `tallystick escrow court execute`"
        )


@dataclass(eq=False)
class AppealNotEnded(ContractError):
    """Unix seconds: until when an appeal is possible, and the block's time."""

    appeal_before: int
    time: int

    def __str__(self) -> str:
        return (
            f"payer and payee can appeal until {utc(self.appeal_before)}, it is {utc(self.time)}: what was judged is "
            "done after that"
        )


@dataclass(eq=False)
class AppealUnderpaid(ContractError):
    """Wei that were sent, and that the court asks."""

    found: int
    needed: int

    def __str__(self) -> str:
        return f"{self.found} wei were sent for an appeal, the court asks {self.needed}: send as much, the rest returns"


@dataclass(eq=False)
class BpsOutOfRange(ContractError):
    """A part that the judge named, and the most that it may be, in hundredths of a percent."""

    found: int
    allowed: int

    def __str__(self) -> str:
        return (
            f"the judge named a part of {self.found} hundredths of a percent, allowed are {self.allowed}: the payee's "
            "part is at most the whole, the fee at most what the terms allow"
        )


@dataclass(eq=False)
class ChangeRefused(ContractError):
    """Who appealed, and the wei that they would not take back."""

    caller: str
    amount: int

    def __str__(self) -> str:
        return (
            f"{self.caller} sent {self.amount} wei more than the court asks and does not take them back: send what it "
            "asks, no more"
        )


@dataclass(eq=False)
class UnknownDispute(ContractError):
    """The number that the court named."""

    dispute_id: int

    def __str__(self) -> str:
        return f"the court ruled on its dispute {self.dispute_id}, which is none of this arbiter's: look at the court"


@dataclass(eq=False)
class UnknownRuling(ContractError):
    """The court's ruling, and the highest that there is."""

    found: int
    allowed: int

    def __str__(self) -> str:
        return f"the court ruled {self.found}, of the rulings 0 to {self.allowed}: look at the court"
