"""Escrow payments that the contract refuses."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.errors.revert import ContractError, payment_word, utc


@dataclass(eq=False)
class AuthorizationExpired(ContractError):
    """Unix seconds: until when the payment could be made, and the block's time."""

    authorize_before: int
    time: int

    def __str__(self) -> str:
        return (
            f"the payment could be made before {utc(self.authorize_before)}, it is {utc(self.time)}: agree on new terms"
        )


@dataclass(eq=False)
class CaptureEnded(ContractError):
    """Unix seconds: until when the payee could capture, and the block's time."""

    capture_before: int
    time: int

    def __str__(self) -> str:
        return (
            f"what is held could be captured, or disputed, before {utc(self.capture_before)}, it is "
            f"{utc(self.time)}: the payer can release it still, and anyone can give it back with `tallystick "
            "escrow reclaim`"
        )


@dataclass(eq=False)
class CaptureNotEnded(ContractError):
    """Unix seconds: from when on anyone can give back what is held, and the block's time."""

    capture_before: int
    time: int

    def __str__(self) -> str:
        return (
            f"the payee can capture until {utc(self.capture_before)}, it is {utc(self.time)}: reclaim after that, "
            "or ask the payee to void it now"
        )


@dataclass(eq=False)
class CaptureTooHigh(ContractError):
    """Units of the token that were asked for, and that are held."""

    requested: int
    held: int

    def __str__(self) -> str:
        return f"a capture of {self.requested} units was asked for, {self.held} are held: capture at most that"


@dataclass(eq=False)
class FeeOutOfRange(ContractError):
    """The fee that was asked for, and the least and the most that the terms allow, in hundredths of a percent."""

    found: int
    least: int
    most: int

    def __str__(self) -> str:
        return (
            f"a fee of {self.found} hundredths of a percent was asked for, the terms allow {self.least} to "
            f"{self.most}: name one between"
        )


@dataclass(eq=False)
class MilestoneCaptured(ContractError):
    """The payment, and the milestone's index."""

    payment_id: bytes
    index: int

    def __str__(self) -> str:
        return f"milestone {self.index} of payment 0x{self.payment_id.hex()} was captured before: each can be once"


@dataclass(eq=False)
class MilestoneTooEarly(ContractError):
    """Unix seconds: from when on the milestone can be captured, and the block's time."""

    releasable_at: int
    time: int

    def __str__(self) -> str:
        return (
            f"the milestone can be captured from {utc(self.releasable_at)} on, it is {utc(self.time)}: wait, or "
            "ask the payer to release it"
        )


@dataclass(eq=False)
class MilestonesOnly(ContractError):
    """The payment."""

    payment_id: bytes

    def __str__(self) -> str:
        return (
            f"payment 0x{self.payment_id.hex()} is held, or captured by milestones: capture with `tallystick "
            "escrow milestone`, or charge terms that have neither milestones nor a dispute window"
        )


@dataclass(eq=False)
class NoArbiter(ContractError):
    """The payment."""

    payment_id: bytes

    def __str__(self) -> str:
        return (
            f"the terms of payment 0x{self.payment_id.hex()} name no arbiter: there is nobody to rule. The payee "
            "can void it or refund"
        )


@dataclass(eq=False)
class NotDisputed(ContractError):
    """The payment, and the number of its status."""

    payment_id: bytes
    status: int

    def __str__(self) -> str:
        return (
            f"payment 0x{self.payment_id.hex()} is {payment_word(self.status)}: only one that is disputed can be "
            "ruled on, and takes evidence"
        )


@dataclass(eq=False)
class NotOpen(ContractError):
    """The payment, and the number of its status."""

    payment_id: bytes
    status: int

    def __str__(self) -> str:
        word = payment_word(self.status)
        only = "this is for one that is open"
        if word == "disputed":
            only = "until there is a ruling its payer releases all that is held or nothing, and its payee may void it"
        return f"payment 0x{self.payment_id.hex()} is {word}: {only}. `tallystick escrow show` says what can be done"


@dataclass(eq=False)
class PartyRefused(ContractError):
    """Which account of the terms it is."""

    party: str

    def __str__(self) -> str:
        return (
            f"{self.party} has two parts in the terms, or is the escrow itself: payer, payee, arbiter and the "
            "receiver of the fee are accounts of their own"
        )


@dataclass(eq=False)
class PaymentExists(ContractError):
    """The payment, and the number of its status."""

    payment_id: bytes
    status: int

    def __str__(self) -> str:
        return (
            f"payment 0x{self.payment_id.hex()} was made or revoked before, it is {payment_word(self.status)}: "
            "for another one with the same terms choose another salt"
        )


@dataclass(eq=False)
class RefundEnded(ContractError):
    """Unix seconds: until when the payee could refund, and the block's time."""

    refund_before: int
    time: int

    def __str__(self) -> str:
        return (
            f"what was captured could be refunded before {utc(self.refund_before)}, it is {utc(self.time)}: send "
            "the payer a transfer instead"
        )


@dataclass(eq=False)
class RulingEnded(ContractError):
    """Unix seconds: until when the arbiter could rule, and the block's time."""

    ruling_before: int
    time: int

    def __str__(self) -> str:
        return (
            f"the arbiter could rule before {utc(self.ruling_before)}, it is {utc(self.time)}: now the terms "
            "divide it, with `tallystick escrow rule --default`"
        )


@dataclass(eq=False)
class RulingNotEnded(ContractError):
    """Unix seconds: from when on the terms divide what is held, and the block's time."""

    ruling_before: int
    time: int

    def __str__(self) -> str:
        return (
            f"the arbiter can rule until {utc(self.ruling_before)}, it is {utc(self.time)}: the terms decide after that"
        )


@dataclass(eq=False)
class RulingTooHigh(ContractError):
    """Units of the token that a part of a ruling comes to, and that it may."""

    found: int
    allowed: int

    def __str__(self) -> str:
        return (
            f"a part of the ruling is {self.found} units, {self.allowed} are allowed: the payee's part and the "
            "fee are at most what is held, and the fee within the terms"
        )


@dataclass(eq=False)
class UnknownMilestone(ContractError):
    """The payment, and the index that was asked for."""

    payment_id: bytes
    index: int

    def __str__(self) -> str:
        return (
            f"payment 0x{self.payment_id.hex()} has no milestone {self.index} with that amount and time: give the "
            "list with which its terms were made"
        )


@dataclass(eq=False)
class UnknownPayment(ContractError):
    """The payment."""

    payment_id: bytes

    def __str__(self) -> str:
        return (
            f"payment 0x{self.payment_id.hex()} was not made: authorize or charge it first, with the same terms "
            "to the last digit"
        )


@dataclass(eq=False)
class WindowOpen(ContractError):
    """Unix seconds: until when the payer alone can release it, and the block's time."""

    until: int
    time: int

    def __str__(self) -> str:
        return f"until {utc(self.until)} only the payer can release it, it is {utc(self.time)}: wait, or ask the payer"
