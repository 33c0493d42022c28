"""Coupons that the contract refuses, and what a discount rules out."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.errors.revert import ContractError


@dataclass(eq=False)
class AnotherCoupon(ContractError):
    """Hashes of coupons: the one that was given, and the one that the mandate names; zeros where there is none."""

    found: bytes
    expected: bytes

    def __str__(self) -> str:
        return (
            f"the coupon that came with the mandate is 0x{self.found.hex()}, the mandate names 0x{self.expected.hex()} "
            "(zeros: none): submit the coupon for which the payer signed, or have them sign anew"
        )


@dataclass(eq=False)
class CouponNotFor(ContractError):
    """The plan and the payer for which it was to be redeemed."""

    plan_id: int
    payer: str

    def __str__(self) -> str:
        return (
            f"the coupon is not for plan {self.plan_id} and {self.payer}: it names another plan or payer, or takes "
            "nothing off (allowed are 1 to 10000 basis points or an amount, for 1 period or more). Ask the payee for "
            "another"
        )


@dataclass(eq=False)
class CouponUsed(ContractError):
    """The coupon's hash, and who redeemed it."""

    coupon_hash: bytes
    payer: str

    def __str__(self) -> str:
        return (
            f"{self.payer} has redeemed the coupon 0x{self.coupon_hash.hex()} before, and it is good once for each "
            "payer: go on without, or ask the payee for one with another code"
        )


@dataclass(eq=False)
class DiscountRunning(ContractError):
    """The subscription whose charges a coupon lowers."""

    subscription_id: int

    def __str__(self) -> str:
        return (
            f"a coupon lowers the charges of subscription {self.subscription_id}, until the first one at the full "
            "price: before that it takes no other coupon, and changes only when the paid period ends (`tallystick "
            "subscriptions change --when period-end`)"
        )
