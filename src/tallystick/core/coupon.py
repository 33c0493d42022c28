"""Coupons: a payee's promise of a discount, signed as EIP-712 typed data, good once for each payer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tallystick.core.address import ZERO_ADDRESS, parse_address
from tallystick.core.signed import message_of, parse_bytes, parse_uint256, reading_signed, rendered, shown_bytes

BASIS = 10_000
"""Basis points of a whole."""

_TYPE = (
    "Coupon(address payee,address token,uint256 planId,uint256 basisPointsOff,uint256 amountOff,uint256 periods,"
    "address payer,uint256 code,uint256 validBefore)"
)


@dataclass(frozen=True, slots=True)
class Coupon:
    """What the next `periods` charges of periods cost less: `basis_points_off` of the price, rounded down, and
    `amount_off_units` of the token, at most the price.

    `plan_id`: for which plan; 0: every plan of the payee in the token. `payer`: for whom; None: everybody. `code` is
    the payee's own numbering; coupons with the same values and code are one. `valid_before` (Unix seconds): the first
    second at which it can no longer be redeemed.
    """

    plan_id: int
    basis_points_off: int
    amount_off_units: int
    periods: int
    code: int
    valid_before: int
    payer: str | None = None


NO_COUPON = Coupon(0, 0, 0, 0, 0, 0)
"""What the contract takes where there is none."""


@dataclass(frozen=True, slots=True)
class SignedCoupon:
    """A coupon with the signature of the payee; `chain_id` and `contract` say where it is good."""

    chain_id: int
    contract: str
    payee: str
    token: str
    coupon: Coupon
    signature: bytes

    def render(self) -> str:
        """The text that a payee hands to payers: JSON, numbers beyond 64 bits as text, bytes as hex."""
        coupon = self.coupon
        return rendered(
            _CouponText(
                chain_id=self.chain_id,
                contract=self.contract,
                payee=self.payee,
                token=self.token,
                plan_id=coupon.plan_id,
                basis_points_off=coupon.basis_points_off,
                amount_off=str(coupon.amount_off_units),
                periods=coupon.periods,
                payer=coupon.payer,
                code=str(coupon.code),
                valid_before=str(coupon.valid_before),
                signature=shown_bytes(self.signature),
            )
        )

    def typed_data(self) -> dict[str, Any]:
        """What was signed."""
        return typed_data(
            self.coupon, payee=self.payee, token=self.token, chain_id=self.chain_id, contract=self.contract
        )


def typed_data(coupon: Coupon, *, payee: str, token: str, chain_id: int, contract: str) -> dict[str, Any]:
    """The whole EIP-712 message, as `eth_signTypedData_v4` takes it; its digest is the contract's `couponHash`."""
    values = {
        "payee": payee,
        "token": token,
        "planId": coupon.plan_id,
        "basisPointsOff": coupon.basis_points_off,
        "amountOff": coupon.amount_off_units,
        "periods": coupon.periods,
        "payer": coupon.payer or ZERO_ADDRESS,
        "code": coupon.code,
        "validBefore": coupon.valid_before,
    }
    return message_of(_TYPE, values, chain_id=chain_id, contract=contract)


# --- The text form ----------------------------------------------------------------------------------------------------


class _CouponText(msgspec.Struct, forbid_unknown_fields=True):
    chain_id: int
    contract: str
    payee: str
    token: str
    plan_id: int
    basis_points_off: int
    amount_off: str
    periods: int
    payer: str | None
    code: str
    valid_before: str
    signature: str


def parse_coupon(text: bytes | str) -> SignedCoupon:
    """The coupon that `SignedCoupon.render` wrote. Raises InputError when it is not one, or a value is impossible."""
    with reading_signed("a signed coupon", "have the payee write it anew with `tallystick plans sign-coupon`"):
        found = msgspec.json.decode(text, type=_CouponText)
        coupon = Coupon(
            plan_id=found.plan_id,
            basis_points_off=found.basis_points_off,
            amount_off_units=parse_uint256(found.amount_off),
            periods=found.periods,
            code=parse_uint256(found.code),
            valid_before=parse_uint256(found.valid_before),
            payer=None if found.payer is None else parse_address(found.payer),
        )
        return SignedCoupon(
            chain_id=found.chain_id,
            contract=parse_address(found.contract),
            payee=parse_address(found.payee),
            token=parse_address(found.token),
            coupon=coupon,
            signature=parse_bytes(found.signature),
        )
