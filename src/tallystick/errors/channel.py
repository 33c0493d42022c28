"""Payment channels: what the contract refuses, and what a payer's wallet or a merchant's till does, off chain."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.errors.base import TallystickError
from tallystick.errors.revert import ContractError, utc


class ChannelError(TallystickError):
    """Nothing was sent, and nothing was signed or taken."""


class UnknownChannel(ChannelError):
    """Neither the wallet nor the till of this database has it."""


class SpendingLimit(ChannelError):
    """The wallet's own limits do not allow a voucher: `limit` is which, units `asked` for and `allowed`."""

    def __init__(self, limit: str, asked: int, allowed: int) -> None:
        self.limit = limit
        self.asked = asked
        self.allowed = allowed
        super().__init__(str(self))
        self.args = (limit, asked, allowed)

    def __str__(self) -> str:
        return (
            f"{self.asked} units were asked for, the wallet allows {self.allowed} {self.limit}: sign for less, or "
            "raise the limit with `tallystick channels limit`"
        )


class ChannelExhausted(ChannelError):
    """Units `asked` for, and `found` in the channel that no voucher is out for."""

    def __init__(self, asked: int, found: int) -> None:
        self.asked = asked
        self.found = found
        super().__init__(str(self))
        self.args = (asked, found)

    def __str__(self) -> str:
        return (
            f"{self.asked} units were asked for, {self.found} are left in the channel: top it up with `tallystick "
            "channels top-up`"
        )


REFUSED_BECAUSE = {
    "foreign": "it is not for a channel that this till takes: another chain, contract, receiver, authorizer or token",
    "malformed": "its signature has no form that the contract takes",
    "delay_too_short": "the channel's delay of withdrawals is shorter than the till's rules ask for",
    "stale": "it is for no more than one that was taken or claimed before",
    "too_little": "it is for less than was asked",
    "another_opening": "the channel was closed since, or is not open yet: the payer's wallet has to look at the chain",
    "above_balance": "the channel has not that much, less the till's margin: the payer has to top it up",
    "withdrawal": "the payer withdraws, and too little time is left to claim it",
    "above_limit": "it is for more than the spending key may sign",
    "key_expired": "the spending key's time is over, or nearly",
    "invalid_signature": "it is not signed by who may sign for the channel",
}
"""Why a till takes no voucher, in words."""


class VoucherRefused(ChannelError):
    """The till takes no such voucher. `reason` is one of REFUSED_BECAUSE; `found` and `allowed` are units of the
    channel since it was opened, where the reason is an amount."""

    def __init__(self, channel_id: bytes, reason: str, found: int, allowed: int) -> None:
        self.channel_id = channel_id
        self.reason = reason
        self.found = found
        self.allowed = allowed
        super().__init__(str(self))
        self.args = (channel_id, reason, found, allowed)

    def __str__(self) -> str:
        return (
            f"the voucher for {self.found} units of channel 0x{self.channel_id.hex()} is refused ({self.reason}): "
            f"{REFUSED_BECAUSE[self.reason]}. Allowed are up to {self.allowed}"
        )


# --- What the contract refuses ----------------------------------------------------------------------------------------


def refusal_word(number: int) -> str:
    """Why a claim was refused, by its number (`core.channel_events.Refusal`)."""
    words = (
        *("none", "stale", "above the voucher", "for a later opening", "above the balance", "not signed rightly"),
        *("above the key's limit", "of an expired key"),
    )
    return words[number] if number < len(words) else f"for reason {number}"


@dataclass(eq=False)
class AddressEmptyCode(ContractError):
    """OpenZeppelin's, of several calls in one: the account without code that was called."""

    target: str

    def __str__(self) -> str:
        return f"{self.target} has no code that could be called: check the contract's address and the chain"


@dataclass(eq=False)
class AnotherPlan(ContractError):
    """The plan of the subscription, and the one whose charges fill channels here."""

    subscription_id: int
    found: int
    expected: int

    def __str__(self) -> str:
        return (
            f"subscription {self.subscription_id} is to plan {self.found}, and plan {self.expected} fills channels "
            "here: name the contract of its own plan"
        )


@dataclass(eq=False)
class ClaimRefused(ContractError):
    """The channel, and the number of the reason."""

    channel_id: bytes
    reason: int

    def __str__(self) -> str:
        return (
            f"a claim of channel 0x{self.channel_id.hex()} is {refusal_word(self.reason)}, and with it the whole batch "
            "is refused: leave it out, or claim by rows, where it is skipped"
        )


@dataclass(eq=False)
class DepositTooHigh(ContractError):
    """Units of the token that were to be deposited, and that the channel takes still."""

    amount: int
    most: int

    def __str__(self) -> str:
        return f"{self.amount} units were to be deposited, the channel takes {self.most} more: deposit less"


@dataclass(eq=False)
class EmptyBatch(ContractError):
    """No row at all."""

    def __str__(self) -> str:
        return "there is nothing to claim in the call: give it at least one voucher"


@dataclass(eq=False)
class FailedCall(ContractError):
    """OpenZeppelin's: one of several calls in one failed without saying why."""

    def __str__(self) -> str:
        return "one of the calls in the batch failed and says not why: send them one by one, with enough gas"


@dataclass(eq=False)
class InvalidRefundNonce(ContractError):
    """The nonce that was signed, and the channel's next."""

    found: int
    expected: int

    def __str__(self) -> str:
        return (
            f"the refund was signed with nonce {self.found}, the channel's next is {self.expected}: it was made "
            "already, or another was; have it signed anew"
        )


@dataclass(eq=False)
class NoWithdrawal(ContractError):
    """The channel."""

    channel_id: bytes

    def __str__(self) -> str:
        return (
            f"no withdrawal of channel 0x{self.channel_id.hex()} was announced, or a refund has fulfilled it: announce "
            "one with `tallystick channels withdraw`"
        )


@dataclass(eq=False)
class NotReceiverAuthorizer(ContractError):
    """The authorizer of a row, and the one who signed the batch."""

    found: str
    expected: str

    def __str__(self) -> str:
        return f"a row is {self.found}'s to claim, {self.expected} signed the batch: make a batch for each authorizer"


@dataclass(eq=False)
class RowCutOff(ContractError):
    """Bytes that the rows have, and that the last of them needs."""

    found: int
    needed: int

    def __str__(self) -> str:
        return f"the rows have {self.found} bytes, the last of them ends at {self.needed}: give all of it"


@dataclass(eq=False)
class WithdrawDelayOutOfRange(ContractError):
    """Seconds: the delay of the terms, and the least and the most that is allowed."""

    found: int
    least: int
    most: int

    def __str__(self) -> str:
        return (
            f"a delay of {self.found} seconds was asked for, allowed are {self.least} to {self.most}: choose one "
            "between"
        )


@dataclass(eq=False)
class WithdrawalPending(ContractError):
    """The channel, and the Unix second at which the withdrawal was announced."""

    channel_id: bytes
    since: int

    def __str__(self) -> str:
        return (
            f"a withdrawal of channel 0x{self.channel_id.hex()} was announced at {utc(self.since)}: finish that one "
            "first, with `tallystick channels finish-withdrawal`"
        )


@dataclass(eq=False)
class WithdrawalTooEarly(ContractError):
    """Unix seconds: from when on it can be paid out, and the block's time."""

    until: int
    time: int

    def __str__(self) -> str:
        return (
            f"the receiver has until {utc(self.until)} to claim, it is {utc(self.time)}: finish the withdrawal then, "
            "or ask the receiver for a refund"
        )


@dataclass(eq=False)
class WithdrawalTooHigh(ContractError):
    """Units of the token that were asked for, and that were not claimed."""

    requested: int
    available: int

    def __str__(self) -> str:
        return f"{self.requested} units were asked back, {self.available} are in the channel: withdraw at most that"
