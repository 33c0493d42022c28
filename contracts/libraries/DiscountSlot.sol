// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @dev What a coupon takes off, in one word. From the low bits:
///
///     amountOff 96 | basisPointsOff 16 | periods 16 | last 96 | planId 32
///
/// `periods`: for how many charges more. `last`: what it took off the period being served, of a whole one. `planId`:
/// the only plan that it is for, 0 where it is for all.
type DiscountSlot is uint256;

using DiscountSlots for DiscountSlot global;

library DiscountSlots {
    uint256 internal constant BASIS = 10_000;

    uint256 private constant BASIS_POINTS_AT = 96;
    uint256 private constant PERIODS_AT = 112;
    uint256 private constant LAST_AT = 128;
    uint256 private constant PLAN_AT = 224;
    uint256 private constant LAST_MASK = uint256(type(uint96).max) << LAST_AT;

    function pack(uint96 amountOff_, uint16 basisPointsOff_, uint16 periods_, uint32 planId_)
        internal
        pure
        returns (DiscountSlot)
    {
        return DiscountSlot.wrap(
            amountOff_ | uint256(basisPointsOff_) << BASIS_POINTS_AT | uint256(periods_) << PERIODS_AT
                | uint256(planId_) << PLAN_AT
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

    function planId(DiscountSlot slot) internal pure returns (uint256) {
        return DiscountSlot.unwrap(slot) >> PLAN_AT;
    }

    /// @dev Whether it takes nothing off a charge of this plan any more.
    function isOver(DiscountSlot slot, uint256 planId_) internal pure returns (bool) {
        return slot.periods() == 0 || (slot.planId() != 0 && slot.planId() != planId_);
    }

    /// @dev What it takes off a price of at most 96 bits: the part rounded down, then the amount, at most all of it.
    function takenOff(DiscountSlot slot, uint256 planId_, uint256 price) internal pure returns (uint256 discount) {
        if (slot.isOver(planId_)) return 0;
        unchecked {
            discount = price * slot.basisPointsOff() / BASIS + slot.amountOff();
        }
        if (discount > price) discount = price;
    }

    /// @dev One charge later, of which it took `last_` off. The caller holds the bounds: a period is left, 96 bits.
    function withTaken(DiscountSlot slot, uint256 last_) internal pure returns (DiscountSlot) {
        unchecked {
            uint256 kept = DiscountSlot.unwrap(slot) & ~LAST_MASK;
            return DiscountSlot.wrap(kept - (1 << PERIODS_AT) | last_ << LAST_AT);
        }
    }

    /// @dev For another plan. The caller holds the bound: planId_ below 2^32.
    function withPlan(DiscountSlot slot, uint256 planId_) internal pure returns (DiscountSlot) {
        return DiscountSlot.wrap(uint224(DiscountSlot.unwrap(slot)) | planId_ << PLAN_AT);
    }
}
