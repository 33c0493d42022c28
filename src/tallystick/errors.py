"""Every error that Tallystick raises, as one tree.

    TallystickError
      InputError              a value from the caller that is not what it should be
        AddressInvalid          too short, or mistyped by its checksum
        PermitUnsupported       the token takes no EIP-2612 permits
        ForeignPlan             a plan that is not the merchant's own
      MoneyError
        AmountInvalid           text or weights that are no amount
        AssetMismatch           two assets in one sum
      ConfigError             tallystick.toml, a TALLYSTICK_* variable or a flag
      DatabaseError
        DatabaseUnreachable     (retryable)
        DatabaseTooNew          written by a newer Tallystick
        AnotherLeads            (retryable) another process does the same work on the same database
      NodeError               the JSON-RPC node
        NodeUnreachable         (retryable) no connection, a timeout, a server error
        NodeBusy                (retryable) 429: it wants fewer requests
        NodeInvalid             (retryable) an answer that is not JSON-RPC, or truncated, or contradicts itself
        NodeRefused             it understood, and answered with an error
        RangeTooLarge           (retryable) with a smaller range of blocks
        EventsInconsistent      (retryable) events that cannot follow those already mirrored
        WrongChain              it serves another chain
      ReorganizationTooDeep   finalized blocks were replaced
      DocumentError           an invoice or a credit note on paper
        UnknownDocument         no invoice or credit note has this number
        DocumentInvalid         it contradicts itself, and is not shown
        PdfUnavailable          typst is not installed
        PdfFailed               typst cannot typeset it
        PdfNotWritten           its file cannot be written
      LedgerError
        CorruptionError         stored rows contradict each other or the chain
      DeploymentError
        DeploymentMissing       no manifest, no code at its address, or no factory to create it with
        DeploymentMismatch      another chain, another version or other code than this package was made for
        ManifestInvalid         the manifest's file is not what it should be
      SignerError
        KeyMissing              nothing to sign with
        KeyLocked               a keystore without its password, or with a wrong one
        KeyInvalid              not a key, or not a keystore
      TransactionError
        FundsTooLow             the sender cannot pay the gas
        FeeTooHigh              (retryable) the chain asks more than the configured limit
        TransactionRefused      the node did not take it
        TransactionStuck        (retryable) not mined in time, and not to be replaced any more
        TransactionDropped      (retryable) another transaction with its nonce was mined
        TransactionReverted     mined, without effect
      RevertError             code on the chain refused a call
        CallReverted            with a reason that is not one of our contracts'
          TokenReverted           the token's words, or an ERC-6093 error
        ContractError           ours did; one class per Solidity error, same name, its values as attributes
          AllowanceTooLow, AmountMismatch, BalanceTooLow, ChargeDue, InsufficientGas, InvalidShortString,
          InvalidSignature, MandateExpired, NotAContract, NotActive, NotAuthorized, NotPaused, PayeeRefused,
          PayerIsPayee, PeriodOutOfRange, ReentrancyGuardReentrantCall, RefundTooHigh, SaltUsed, StringTooLong,
          TermsChanged, TokenRefused, UnknownCharge, UnknownPlan, UnknownSubscription, ZeroAddress, ZeroAmount

The second axis is `retryable`: whether the same call may succeed later without anybody changing anything.
Each message says what was found, what was allowed, and what to do.
"""

from __future__ import annotations

import builtins
import datetime as dt
from dataclasses import dataclass, fields


class TallystickError(Exception):
    """Base of all. `retryable`: the same call may succeed later without anybody changing anything."""

    retryable: bool = False

    def __init__(self, message: str, *, retryable: bool | None = None) -> None:
        super().__init__(message)
        if retryable is not None:
            self.retryable = retryable


class InputError(TallystickError):
    """A value from the caller is not what it should be."""


class AddressInvalid(InputError):
    """Not 0x and 40 hex digits, or its checksum (EIP-55) says that it was mistyped."""


class PermitUnsupported(InputError):
    """The token takes no EIP-2612 permits, or none that can be built for certain."""


class ForeignPlan(InputError):
    """A plan that is not the merchant's own: `what` of it (payee, token or number) was `found`, which is none of those
    `allowed`."""

    def __init__(self, plan_id: int, what: str, found: str | int, allowed: tuple[str | int, ...]) -> None:
        self.plan_id = plan_id
        self.what = what
        self.found = found
        self.allowed = allowed
        super().__init__(str(self))
        self.args = (plan_id, what, found, allowed)  # so that it can be pickled

    def __str__(self) -> str:
        names = ", ".join(map(str, self.allowed))
        does = {"payee": "pays", "token": "is paid in"}.get(self.what, "has the number")
        return (
            f"plan {self.plan_id} is not the merchant's: it {does} {self.found}, allowed are {names}. Anyone can "
            f"create a plan, so give nothing for it; if it is yours, add the {self.what} to {OWN_PLAN_KEYS[self.what]}"
        )


OWN_PLAN_KEYS = {"payee": "merchant.payees", "token": "merchant.tokens", "number": "merchant.plans"}
"""Where the configuration says what makes a plan the merchant's own."""


class MoneyError(TallystickError):
    """An amount that is none, or a sum that cannot be."""


class AmountInvalid(MoneyError):
    """Text or weights that are no amount."""


class AssetMismatch(MoneyError):
    """Two assets in one sum."""


class ConfigError(TallystickError):
    """tallystick.toml, a TALLYSTICK_* variable or a flag is wrong, or something needed is nowhere."""


# --- Database and books ---------------------------------------------------------------------------------------------


class DatabaseError(TallystickError):
    """The database cannot be used."""


class DatabaseUnreachable(DatabaseError):
    """No connection, or no room."""

    retryable = True


class DatabaseTooNew(DatabaseError):
    """The database was written by a newer Tallystick."""


class AnotherLeads(DatabaseError):
    """Another process does the same work on the same database."""

    retryable = True


class LedgerError(TallystickError):
    """The books refuse what was asked of them."""


class CorruptionError(LedgerError):
    """Stored rows contradict each other or the chain."""


class ReorganizationTooDeep(TallystickError):
    """Blocks that were final were replaced; nothing is written until the operator has decided."""


# --- Documents ------------------------------------------------------------------------------------------------------


class DocumentError(TallystickError):
    """An invoice or a credit note cannot be shown."""


class UnknownDocument(DocumentError):
    """No invoice or credit note has this number."""


class DocumentInvalid(DocumentError):
    """The document contradicts itself, and is not shown."""


class PdfUnavailable(DocumentError):
    """typst is not installed."""


class PdfFailed(DocumentError):
    """typst cannot typeset the document."""


class PdfNotWritten(DocumentError):
    """The PDF's file cannot be written."""


# --- Node -----------------------------------------------------------------------------------------------------------


class NodeError(TallystickError):
    """The JSON-RPC node cannot be used, or did not do what was asked."""


class NodeUnreachable(NodeError):
    """No connection, a timeout, or a server error."""

    retryable = True


class NodeBusy(NodeError):
    """The node wants fewer requests (HTTP 429)."""

    retryable = True


class NodeInvalid(NodeError):
    """An answer that is not JSON-RPC, is truncated, or contradicts itself."""

    retryable = True


class NodeRefused(NodeError):
    """The node understood, and answered with an error. `code` is JSON-RPC's, `data` what came with it."""

    def __init__(self, message: str, *, code: int | None = None, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


class RangeTooLarge(NodeError):
    """The node refuses so many blocks or logs at once: ask for fewer."""

    retryable = True


class EventsInconsistent(NodeError):
    """The node's events cannot follow those already mirrored: it left some out, or is on another branch."""

    retryable = True


class WrongChain(NodeError):
    """The node serves another chain than the one that is wanted."""

    def __init__(self, message: str, *, found: int, expected: int) -> None:
        super().__init__(message)
        self.found = found
        self.expected = expected

    def __reduce__(self) -> tuple[object, ...]:
        return _wrong_chain, (str(self), self.found, self.expected)


def _wrong_chain(message: str, found: int, expected: int) -> WrongChain:
    return WrongChain(message, found=found, expected=expected)


# --- Deployment -----------------------------------------------------------------------------------------------------


class DeploymentError(TallystickError):
    """The contracts are not there, or not the right ones."""


class DeploymentMissing(DeploymentError):
    """No manifest, no code at its address, or no factory to create it with."""


class DeploymentMismatch(DeploymentError):
    """Another chain, another version or other code than this package was made for."""


class ManifestInvalid(DeploymentError):
    """The manifest's file is not what it should be."""


# --- Signing and sending --------------------------------------------------------------------------------------------


class SignerError(TallystickError):
    """Nothing can be signed; nothing was sent."""


class KeyMissing(SignerError):
    """There is no key to sign with."""


class KeyLocked(SignerError):
    """A keystore without its password, or with a wrong one."""


class KeyInvalid(SignerError):
    """Not a private key, or not a keystore."""


class TransactionError(TallystickError):
    """A transaction that was not sent, or had no effect. `transaction` is its hash where it has one."""

    def __init__(self, message: str, *, transaction: str | None = None, retryable: bool | None = None) -> None:
        super().__init__(message, retryable=retryable)
        self.transaction = transaction


class FundsTooLow(TransactionError):
    """The sender cannot pay the gas."""


class FeeTooHigh(TransactionError):
    """The chain asks more for gas than the configured limit."""

    retryable = True


class TransactionRefused(TransactionError):
    """The node did not take the transaction."""


class TransactionStuck(TransactionError):
    """Not mined in time, and not to be replaced any more. It may still be mined: look before sending again."""

    retryable = True


class TransactionDropped(TransactionError):
    """Another transaction with its nonce was mined; this one never will be."""

    retryable = True


class TransactionReverted(TransactionError):
    """Mined, without effect."""


# --- Reverts --------------------------------------------------------------------------------------------------------


class RevertError(TallystickError):
    """Code on the chain refused a call."""


class CallReverted(RevertError):
    """With a reason that is not one of our contracts': `reason` in words, `data` as it came."""

    def __init__(self, reason: str, data: bytes = b"") -> None:
        super().__init__(f"the call was reverted: {reason}; nothing was changed. Look at the arguments and the address")
        self.reason = reason
        self.data = data

    def __reduce__(self) -> tuple[type[CallReverted], tuple[str, bytes]]:
        return type(self), (self.reason, self.data)


class TokenReverted(CallReverted):
    """The token refused, and said why: an ERC-6093 error, or words such as USDC's."""


@dataclass(eq=False)
class ContractError(RevertError):
    """One of our contracts refused. The class has its error's name, the attributes are its values, in its order."""

    def __post_init__(self) -> None:
        self.args = tuple(getattr(self, field.name) for field in fields(self))  # so that it can be pickled


@dataclass(eq=False)
class AllowanceTooLow(ContractError):
    """Units of the token that the contract may move, and that it needs to."""

    found: int
    needed: int

    def __str__(self) -> str:
        return (
            f"the contract may move {self.found} units of the token, {self.needed} are needed: approve at least "
            f"{self.needed}, or subscribe with a permit"
        )


@dataclass(eq=False)
class AmountMismatch(ContractError):
    """Units of the token that arrived, and that should have."""

    received: int
    expected: int

    def __str__(self) -> str:
        return (
            f"{self.received} units of the token arrived, {self.expected} were sent: it takes a fee on transfers or "
            "changes balances, and cannot be billed in. Nothing was moved; make the plan in another token"
        )


@dataclass(eq=False)
class BalanceTooLow(ContractError):
    """Units of the token that the account has, and that it needs."""

    found: int
    needed: int

    def __str__(self) -> str:
        return f"the account has {self.found} units of the token, {self.needed} are needed: send it the difference"


@dataclass(eq=False)
class ChargeDue(ContractError):
    """`due` in Unix seconds."""

    subscription_id: int
    due: int

    def __str__(self) -> str:
        return (
            f"subscription {self.subscription_id} is due since {_utc(self.due)}: it can be paused within a paid "
            "period, so have it charged first, or cancel it"
        )


@dataclass(eq=False)
class InsufficientGas(ContractError):
    """Gas that was left before a token call, and that must be."""

    found: int
    needed: int

    def __str__(self) -> str:
        return (
            f"{self.found} gas was left before a token call, {self.needed} must be: send the transaction with more "
            "gas, or fewer subscriptions in a batch"
        )


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
            f"the signature is not {self.signer}'s: sign the same mandate (plan, salt, time) with that account, for "
            "this chain and this contract"
        )


@dataclass(eq=False)
class MandateExpired(ContractError):
    """Unix seconds: the end of the mandate's validity, and the block's time."""

    valid_before: int
    time: int

    def __str__(self) -> str:
        return (
            f"the mandate could be submitted before {_utc(self.valid_before)}, it is {_utc(self.time)}: have the payer "
            "sign a new one"
        )


@dataclass(eq=False)
class NotAContract(ContractError):
    """The address that should be a token."""

    account: str

    def __str__(self) -> str:
        return f"there is no token at {self.account} on this chain: check the address and the chain"


@dataclass(eq=False)
class NotActive(ContractError):
    """`status`: 0 active, 1 ending, 2 cancelled, 3 paused."""

    subscription_id: int
    status: int

    def __str__(self) -> str:
        status = _status_word(self.status)
        advice = "resume it first" if status == "paused" else "nothing is left to do"
        return f"subscription {self.subscription_id} is {status}, this needs an active one: {advice}"


@dataclass(eq=False)
class NotPaused(ContractError):
    """`status`: as in NotActive."""

    subscription_id: int
    status: int

    def __str__(self) -> str:
        return f"subscription {self.subscription_id} is {_status_word(self.status)}, not paused: nothing to resume"


@dataclass(eq=False)
class NotAuthorized(ContractError):
    """Who called."""

    caller: str

    def __str__(self) -> str:
        return (
            f"{self.caller} may not do this: a subscription is cancelled by its payer or its payee, paused and resumed "
            "by its payer, a charge refunded by its payee. Sign with that account"
        )


@dataclass(eq=False)
class PayeeRefused(ContractError):
    """Who was to be paid: the contract itself."""

    payee: str

    def __str__(self) -> str:
        return f"{self.payee} is the contract itself, out of which no money could come: name the merchant's account"


@dataclass(eq=False)
class PayerIsPayee(ContractError):
    """The account that would pay itself."""

    account: str

    def __str__(self) -> str:
        return f"{self.account} is the plan's payee and cannot subscribe to it: subscribe from another account"


@dataclass(eq=False)
class PeriodOutOfRange(ContractError):
    """Seconds that the period may last, and the most that is allowed."""

    found_seconds: int
    allowed_seconds: int

    def __str__(self) -> str:
        return (
            f"the period lasts up to {self.found_seconds} seconds, allowed are 1 to {self.allowed_seconds} (100 "
            "years): choose another `every` or `unit`"
        )


@dataclass(eq=False)
class ReentrancyGuardReentrantCall(ContractError):
    """OpenZeppelin's: the token called back into the contract."""

    def __str__(self) -> str:
        return "the token called back into the contract, which is refused: do not bill in this token"


@dataclass(eq=False)
class RefundTooHigh(ContractError):
    """Units of the token that were asked for, and that are left of the charge."""

    requested: int
    refundable: int

    def __str__(self) -> str:
        return (
            f"a refund of {self.requested} units was asked for, {self.refundable} are left of this charge: refund at "
            "most that"
        )


@dataclass(eq=False)
class SaltUsed(ContractError):
    """Whose salt, and which."""

    payer: str
    salt: int

    def __str__(self) -> str:
        return (
            f"the mandate of {self.payer} with salt {self.salt} was submitted or revoked before, and is good only "
            "once: look for its subscription, or have the payer sign a new one"
        )


@dataclass(eq=False)
class StringTooLong(ContractError):
    """OpenZeppelin's; `str` is its argument's name."""

    str: builtins.str

    def __str__(self) -> builtins.str:
        return f"the name {self.str!r} is too long for the contract: at most 31 bytes"


@dataclass(eq=False)
class TermsChanged(ContractError):
    """Hashes of the plan's terms: on the chain, and as the payer saw them."""

    found: bytes
    expected: bytes

    def __str__(self) -> str:
        return (
            f"the plan's terms hash to 0x{self.found.hex()} on the chain, the payer agreed to 0x{self.expected.hex()}: "
            "plans were renumbered by a reorganisation. Read the plan again, and subscribe if its terms are right"
        )


@dataclass(eq=False)
class TokenRefused(ContractError):
    """The token that reverted, returned false, or is no contract."""

    token: str

    def __str__(self) -> str:
        return (
            f"the token {self.token} refused the transfer although allowance and balance suffice: it is paused, or "
            "blocks one of the accounts. Ask its issuer, or try again later"
        )


@dataclass(eq=False)
class UnknownCharge(ContractError):
    """`charges`: how many the subscription has had; they are numbered from 1."""

    subscription_id: int
    charge_number: int
    charges: int

    def __str__(self) -> str:
        return (
            f"subscription {self.subscription_id} has no charge {self.charge_number}, only 1 to {self.charges}: "
            "choose one of these"
        )


@dataclass(eq=False)
class UnknownPlan(ContractError):
    """Plans are numbered from 1."""

    plan_id: int

    def __str__(self) -> str:
        return f"there is no plan {self.plan_id} on this chain: `tallystick plans list` shows those there are"


@dataclass(eq=False)
class UnknownSubscription(ContractError):
    """Subscriptions are numbered from 1."""

    subscription_id: int

    def __str__(self) -> str:
        return (
            f"there is no subscription {self.subscription_id} on this chain: `tallystick subscriptions list` shows "
            "those there are"
        )


@dataclass(eq=False)
class ZeroAddress(ContractError):
    """The payee is the zero address."""

    def __str__(self) -> str:
        return "the payee is the zero address, and what is paid to it is lost: name an account that you hold"


@dataclass(eq=False)
class ZeroAmount(ContractError):
    """A price or a refund of nothing."""

    def __str__(self) -> str:
        return "the amount is 0 units of the token, at least 1 is needed: name another price or refund"


def _status_word(number: int) -> str:
    words = ("active", "ending", "cancelled", "paused")
    return words[number] if number < len(words) else f"in state {number}"


def _utc(timestamp: int) -> str:
    """A time as people read it; far-off ones stay numbers."""
    try:
        return dt.datetime.fromtimestamp(timestamp, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):
        return f"second {timestamp}"
