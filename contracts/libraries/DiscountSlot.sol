// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @dev What a coupon takes off, in one word. From the low bits:
///
///     amountOff 96 | basisPointsOff 16 | periods 16 | last 96 | (32 free)
///
/// `periods`: for how many charges more. `last`: what it took off the period being served.
type DiscountSlot is uint256;

using DiscountSlots for DiscountSlot global;

library DiscountSlots {
    uint256 internal constant BASIS = 10_000;

    uint256 private constant BASIS_POINTS_AT = 96;
    uint256 private constant PERIODS_AT = 112;
    uint256 private constant LAST_AT = 128;

    function pack(uint96 amountOff_, uint16 basisPointsOff_, uint16 periods_) internal pure returns (DiscountSlot) {
        return DiscountSlot.wrap(
            amountOff_ | uint256(basisPointsOff_) << BASIS_POINTS_AT | uint256(periods_) << PERIODS_AT
        );
    }

    function amountOff(DiscountSlot slot) internal pure returns (uint256) {
        return uint96(DiscountSlot.unwrap(slot));
    }

    function basisPointsOff(DiscountSlot slot) internal pure returns (uint256) {
        return uint16(DiscountSlot.unwrap(slot) >> BASIS_POINTS_AT);
    }

    function periods(DiscountSlot slot) internal pure returns (uint256) {
        return uint16(DiscountSlot.unwrap(slot) >> PERIODS_AT);
    }

    function last(DiscountSlot slot) internal pure returns (uint256) {
        return uint96(DiscountSlot.unwrap(slot) >> LAST_AT);
    }

    /// @dev What it takes off a price of at most 96 bits: the part rounded down, then the amount, at most all of it.
    function takenOff(DiscountSlot slot, uint256 price) internal pure returns (uint256 discount) {
        if (slot.periods() == 0) return 0;
        unchecked {
            discount = price * slot.basisPointsOff() / BASIS + slot.amountOff();
        }
        if (discount > price) discount = price;
    }

    /// @dev One charge later, from which it took `discount`. The caller holds the bounds: a period is left, 96 bits.
    function withTaken(DiscountSlot slot, uint256 discount) internal pure returns (DiscountSlot) {
        unchecked {
            uint256 kept = DiscountSlot.unwrap(slot) & ((1 << LAST_AT) - 1);
            return DiscountSlot.wrap(kept - (1 << PERIODS_AT) | discount << LAST_AT);
        }
    }
}
