"""Money that does not move."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.errors.revert import ContractError


@dataclass(eq=False)
class AllowanceTooLow(ContractError):
    """Units of the token that the contract may move, and that it needs to."""

    found: int
    needed: int

    def __str__(self) -> str:
        return (
            f"the contract may move {self.found} units of the token, {self.needed} are needed: approve at least "
            f"{self.needed} (to Permit2, and there to the contract, where charges go through it), or subscribe with a "
            "permit"
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
class NothingToClaim(ContractError):
    """Whose claim, and in which token."""

    account: str
    token: str

    def __str__(self) -> str:
        return (
            f"the contract keeps nothing for {self.account} in {self.token}: it was claimed already, or account or "
            "token is another"
        )


@dataclass(eq=False)
class AccountBlocked(ContractError):
    """The account that the token has on its blocklist."""

    account: str

    def __str__(self) -> str:
        return (
            f"the token has {self.account} on its blocklist and moves nothing for it: pay from another account, or ask "
            "the token's issuer"
        )


@dataclass(eq=False)
class UnusedNotRefunded(ContractError):
    """Units of the token: what the named charges give back, and what is left of the paid period, credit included."""

    found: int
    needed: int

    def __str__(self) -> str:
        return (
            f"{self.found} units of the token would be given back, {self.needed} are unused, which the plan promises "
            "to refund or the payee asked for: cancel with `tallystick subscriptions cancel --refund`, or at the "
            "period's end; where the charges have less left to refund, it can only end then"
        )
