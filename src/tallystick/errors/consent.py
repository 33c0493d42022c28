"""Consent that the contract refuses."""

from __future__ import annotations

import builtins
from dataclasses import dataclass

from tallystick.errors.revert import ContractError, utc


@dataclass(eq=False)
class InvalidShortString(ContractError):
    """OpenZeppelin's; cannot happen in a contract with a name of its own."""

    def __str__(self) -> str:
        return "the contract holds a name that cannot be read: it is not the one that this package ships"


@dataclass(eq=False)
class InvalidSignature(ContractError):
    """Whose signature it should have been."""

    signer: str

    def __str__(self) -> str:
        return (
            f"the signature is not {self.signer}'s, or was for other values: have that account sign anew, for this "
            "chain, this contract and the subscription or plan as it is now"
        )


@dataclass(eq=False)
class MandateExpired(ContractError):
    """Unix seconds: the end of the mandate's validity, and the block's time."""

    valid_before: int
    time: int

    def __str__(self) -> str:
        return (
            f"the mandate could be submitted before {utc(self.valid_before)}, it is {utc(self.time)}: have the payer "
            "sign a new one"
        )


@dataclass(eq=False)
class PayerIsPayee(ContractError):
    """The account that would pay itself, as payer or as fallback wallet."""

    account: str

    def __str__(self) -> str:
        return f"{self.account} would receive the plan's charge or its fee, and pay itself: pay from another account"


@dataclass(eq=False)
class SaltUsed(ContractError):
    """Whose salt, and which."""

    payer: str
    salt: int

    def __str__(self) -> str:
        return (
            f"what {self.payer} signed with salt {self.salt} was submitted or revoked before, and is good only once: "
            "look for its subscription, or have it signed anew"
        )


@dataclass(eq=False)
class StringTooLong(ContractError):
    """OpenZeppelin's; `str` is its argument's name."""

    str: builtins.str

    def __str__(self) -> builtins.str:
        return f"the name {self.str!r} is too long for the contract: at most 31 bytes"


@dataclass(eq=False)
class SignatureExpired(ContractError):
    """Unix seconds: the end of the signature's validity, and the block's time."""

    valid_before: int
    time: int

    def __str__(self) -> str:
        return (
            f"what was signed could be submitted before {utc(self.valid_before)}, it is {utc(self.time)}: have it "
            "signed anew"
        )
