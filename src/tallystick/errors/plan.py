"""Plans that the contract refuses."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.errors.revert import ContractError, utc


@dataclass(eq=False)
class NotAContract(ContractError):
    """The address that should be a token, or a plan's quoter."""

    account: str

    def __str__(self) -> str:
        return f"there is no token at {self.account} on this chain, nor a quoter: check the address and the chain"


@dataclass(eq=False)
class PayeeRefused(ContractError):
    """Who was to be paid, as payee or by a fee: the contract itself."""

    payee: str

    def __str__(self) -> str:
        return f"{self.payee} is the contract itself, out of which no money could come: name the merchant's account"


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
class UnknownPlan(ContractError):
    """Plans are numbered from 1."""

    plan_id: int

    def __str__(self) -> str:
        return f"there is no plan {self.plan_id} on this chain: `tallystick plans list` shows those there are"


@dataclass(eq=False)
class ZeroAddress(ContractError):
    """The payee, the new payer or the fallback wallet is the zero address."""

    def __str__(self) -> str:
        return (
            "the payee or a wallet that is to pay is the zero address, which nobody holds: name an account that you do"
        )


@dataclass(eq=False)
class ZeroAmount(ContractError):
    """A plan without a price, or a refund of nothing."""

    def __str__(self) -> str:
        return "the amount is 0 units of the token, at least 1 is needed: name another price or refund"


@dataclass(eq=False)
class AnotherRegister(ContractError):
    """Numbers of registers: the new plan's, and the subscription's."""

    found: int
    expected: int

    def __str__(self) -> str:
        return (
            f"the plan belongs to register {self.found}, the subscription to register {self.expected}: a subscription "
            "stays with its payee and token. Choose a plan of the same ones, or cancel and subscribe anew"
        )


@dataclass(eq=False)
class FeeTooHigh(ContractError):
    """Hundredths of a percent: the fee, and the most that is allowed."""

    found: int
    allowed: int

    def __str__(self) -> str:
        return (
            f"a fee of {self.found} hundredths of a percent was asked for, allowed are at most {self.allowed}: the "
            "payee must receive a part of each charge. Name a lower fee"
        )


@dataclass(eq=False)
class FixedTerm(ContractError):
    """The plan, and the number of charges that its terms fix: the most, or the fewest."""

    plan_id: int
    charges: int

    def __str__(self) -> str:
        return (
            f"the terms of plan {self.plan_id} count charges ({self.charges}): a subscription is changed neither to "
            "nor from a plan that ends after so many, nor to one with a minimum. Cancel, and subscribe to the other one"
        )


@dataclass(eq=False)
class PlanIsArchived(ContractError):
    """The plan that takes no more subscriptions."""

    plan_id: int

    def __str__(self) -> str:
        return (
            f"plan {self.plan_id} is archived and takes no more subscriptions: choose another, `tallystick plans list` "
            "shows those there are"
        )


@dataclass(eq=False)
class PlanNotStored(ContractError):
    """The chain does not number accounts as Ethereum does."""

    def __str__(self) -> str:
        return (
            "the plan could not be stored where the contract would look for it: this chain creates accounts in another "
            "way than Ethereum. Use another chain"
        )


@dataclass(eq=False)
class RegisterFull(ContractError):
    """The register whose numbers are used up."""

    register_id: int

    def __str__(self) -> str:
        return (
            f"register {self.register_id} has given out all of its subscription numbers, 999999999: create the plan "
            "with another payee"
        )


@dataclass(eq=False)
class SeatsOutOfRange(ContractError):
    """How many seats were asked for, and the most that the plan sells; 0 where it sells none."""

    found: int
    allowed: int

    def __str__(self) -> str:
        if self.allowed == 0:
            return f"{self.found} seats were asked for, the plan sells 0, none at all: leave the seats out"
        return f"{self.found} seats were asked for, the plan sells 1 to {self.allowed}: name as many"


@dataclass(eq=False)
class TermsContradict(ContractError):
    """The terms of a plan."""

    def __str__(self) -> str:
        return (
            "the plan's terms contradict each other: a fee needs a receiver, other than the payee, and a receiver a "
            "fee; the least number of charges may not be above the most; usage needs a cap and a price, a biller "
            "both, and such a plan counts no charges; a plan with a quoter cannot promise to refund what is unused. "
            "Change one of them"
        )


@dataclass(eq=False)
class AlignedToFuture(ContractError):
    """Unix seconds: the time on whose grid periods were to lie, and the block's."""

    found: int
    time: int

    def __str__(self) -> str:
        return (
            f"periods were to lie on the grid of {utc(self.found)} (second {self.found}), it is {utc(self.time)} "
            f"(second {self.time}): name a time in the past; any point of the same grid will do"
        )


@dataclass(eq=False)
class PlanIsProtected(ContractError):
    """The plan whose charges the escrow holds."""

    plan_id: int

    def __str__(self) -> str:
        return (
            f"charges of plan {self.plan_id} are held in escrow for the buyer's protection: subscribe with conditions, "
            "or sign a mandate with conditions (`tallystick subscriptions sign --max-per-period ...`); change when the "
            "paid period ends, to another plan that protects charges; refund in escrow, where the money is "
            "(`tallystick escrow void`, `tallystick escrow refund`)"
        )


@dataclass(eq=False)
class PlanIsQuoted(ContractError):
    """The plan whose price is quoted, or that was to be changed to."""

    plan_id: int

    def __str__(self) -> str:
        return (
            f"what is left of a period has no exact value where the price is quoted, as that of plan {self.plan_id} or "
            "of the present one: change when the paid period ends (`tallystick subscriptions change --when "
            "period-end`); instead of `cancel --refund` cancel, and refund a charge; and no fallback wallet pays for it"
        )


@dataclass(eq=False)
class TermsWorse(ContractError):
    """The plan to which the payee wanted to move subscriptions."""

    plan_id: int

    def __str__(self) -> str:
        return (
            f"plan {self.plan_id} does not differ by lower prices alone from what would be charged next of any of the "
            "subscriptions, or they have ended: the payee may only lower prices (price, seat price, usage), a shorter "
            "minimum or another fee included. Create such a plan, or have the payer change"
        )


@dataclass(eq=False)
class RegisterExists(ContractError):
    """The account that is paid in that token already, and the token."""

    payee: str
    token: str

    def __str__(self) -> str:
        return (
            f"{self.payee} is paid in {self.token} already, and one account's totals in a token are of one register: "
            "hand over to an account that never had a plan in it"
        )


@dataclass(eq=False)
class UnknownRegister(ContractError):
    """The account that has no plans in that token, and the token."""

    payee: str
    token: str

    def __str__(self) -> str:
        return f"{self.payee} has no plans in {self.token} on this chain: check both, and who is paid now"
