"""Quotes and deposit addresses that the contract refuses."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.errors.revert import ContractError, utc


@dataclass(eq=False)
class NumberUsed(ContractError):
    """The merchant, and its number."""

    merchant: str
    number: int

    def __str__(self) -> str:
        return (
            f"number {self.number} of {self.merchant} was paid or withdrawn: what is to be paid beside it needs a "
            "quote with a number of its own"
        )


@dataclass(eq=False)
class PayoutsOutOfRange(ContractError):
    """How many payees the quote has, and how many it may have at most."""

    found: int
    most: int

    def __str__(self) -> str:
        return f"the quote is for {self.found} payees, allowed are 1 to {self.most}: have it made for fewer"


@dataclass(eq=False)
class QuoteExpired(ContractError):
    """Unix seconds: until when the quote could be paid, and the block's time."""

    valid_before: int
    time: int

    def __str__(self) -> str:
        return f"the quote could be paid before {utc(self.valid_before)}, it is {utc(self.time)}: ask for a new one"


@dataclass(eq=False)
class SumMismatch(ContractError):
    """Units of the token: what the parts add up to, and what the quote says."""

    sum: int
    amount: int

    def __str__(self) -> str:
        return f"the parts of the quote are {self.sum} units, its amount is {self.amount}: have it made anew"


@dataclass(eq=False)
class SweptBefore(ContractError):
    """The receiver."""

    receiver: str

    def __str__(self) -> str:
        return (
            f"addresses of {self.receiver} were swept in this transaction before: sweep them in one call, or another "
            "token in another transaction"
        )
