// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISubscriptionsTypes} from "../interfaces/ISubscriptionsTypes.sol";

/// @dev Everything that a charge reads and writes of one subscription, in one word. From the low bits:
///
///     payer 160 | planId 32 | nextDue 39 | shifted 1 | charges 16 | anchorDay 5 | status 2 | hasExtras 1
///
/// `shifted`: the period being served was paused, and so does not lie on the grid as it was paid for.
///
/// A struct would pack the same way; reading and writing it field by field costs a charge about 800 gas more.
type SubscriptionSlot is uint256;

using SubscriptionSlots for SubscriptionSlot global;

library SubscriptionSlots {
    uint256 internal constant MAX_CHARGES = type(uint16).max;

    uint256 private constant PLAN_AT = 160;
    uint256 private constant PLAN_MASK = uint256(type(uint32).max) << PLAN_AT;
    uint256 private constant DUE_AT = 192;
    uint256 private constant CHARGES_AT = 232;
    uint256 private constant ANCHOR_AT = 248;
    uint256 private constant STATUS_AT = 253;
    uint256 private constant STATUS_MASK = 3 << STATUS_AT;
    uint256 private constant HAS_EXTRAS_AT = 255;
    uint256 private constant HAS_EXTRAS = 1 << HAS_EXTRAS_AT;
    uint256 private constant DUE_MASK = (1 << 39) - 1;
    uint256 private constant SHIFTED = 1 << 39; // beside nextDue
    uint256 private constant DUE_AND_CHARGES_MASK = (1 << 56) - 1 << DUE_AT;
    uint256 private constant DUE_AND_ANCHOR_MASK = (1 << 40) - 1 << DUE_AT | 31 << ANCHOR_AT;

    /// @dev The caller holds the bounds: planId below 2^32, nextDue below 2^39, charges_ at most 1, anchorDay at most
    /// 31. Status: active.
    function open(address payer_, uint256 planId_, uint256 nextDue_, uint256 charges_, uint256 anchorDay_)
        internal
        pure
        returns (SubscriptionSlot)
    {
        return SubscriptionSlot.wrap(
            uint160(payer_) | planId_ << PLAN_AT | nextDue_ << DUE_AT | charges_ << CHARGES_AT
                | anchorDay_ << ANCHOR_AT
        );
    }

    /// @dev One charge later. The caller holds the bounds: nextDue below 2^39, chargeNumber at most MAX_CHARGES.
    function advance(SubscriptionSlot slot, uint256 nextDue_, uint256 chargeNumber)
        internal
        pure
        returns (SubscriptionSlot)
    {
        return SubscriptionSlot.wrap(
            (SubscriptionSlot.unwrap(slot) & ~DUE_AND_CHARGES_MASK) | nextDue_ << DUE_AT | chargeNumber << CHARGES_AT
        );
    }

    /// @dev The caller holds the bounds: nextDue below 2^39, anchorDay at most 31.
    function withDue(SubscriptionSlot slot, uint256 nextDue_, uint256 anchorDay_)
        internal
        pure
        returns (SubscriptionSlot)
    {
        return SubscriptionSlot.wrap(
            (SubscriptionSlot.unwrap(slot) & ~DUE_AND_ANCHOR_MASK) | nextDue_ << DUE_AT | anchorDay_ << ANCHOR_AT
        );
    }

    /// @dev As `withDue`, of a period that was paused.
    function withShiftedDue(SubscriptionSlot slot, uint256 nextDue_, uint256 anchorDay_)
        internal
        pure
        returns (SubscriptionSlot)
    {
        return slot.withDue(nextDue_ | SHIFTED, anchorDay_);
    }

    function withStatus(SubscriptionSlot slot, ISubscriptionsTypes.Status status_)
        internal
        pure
        returns (SubscriptionSlot)
    {
        return SubscriptionSlot.wrap((SubscriptionSlot.unwrap(slot) & ~STATUS_MASK) | uint256(status_) << STATUS_AT);
    }

    /// @dev The caller holds the bound: charges_ at most MAX_CHARGES.
    function withCharges(SubscriptionSlot slot, uint256 charges_) internal pure returns (SubscriptionSlot) {
        return SubscriptionSlot.wrap(
            (SubscriptionSlot.unwrap(slot) & ~(MAX_CHARGES << CHARGES_AT)) | charges_ << CHARGES_AT
        );
    }

    /// @dev The caller holds the bound: fewer charges than MAX_CHARGES.
    function withOneMoreCharge(SubscriptionSlot slot) internal pure returns (SubscriptionSlot) {
        unchecked {
            return SubscriptionSlot.wrap(SubscriptionSlot.unwrap(slot) + (1 << CHARGES_AT));
        }
    }

    /// @dev On another plan, with extras. The caller holds the bound: planId_ below 2^32.
    function withPlan(SubscriptionSlot slot, uint256 planId_) internal pure returns (SubscriptionSlot) {
        return SubscriptionSlot.wrap((SubscriptionSlot.unwrap(slot) & ~PLAN_MASK) | planId_ << PLAN_AT | HAS_EXTRAS);
    }

    function withPayer(SubscriptionSlot slot, address payer_) internal pure returns (SubscriptionSlot) {
        return SubscriptionSlot.wrap(SubscriptionSlot.unwrap(slot) >> PLAN_AT << PLAN_AT | uint160(payer_));
    }

    function withExtras(SubscriptionSlot slot) internal pure returns (SubscriptionSlot) {
        return SubscriptionSlot.wrap(SubscriptionSlot.unwrap(slot) | HAS_EXTRAS);
    }

    function payer(SubscriptionSlot slot) internal pure returns (address) {
        return address(uint160(SubscriptionSlot.unwrap(slot)));
    }

    function planId(SubscriptionSlot slot) internal pure returns (uint256) {
        return uint32(SubscriptionSlot.unwrap(slot) >> PLAN_AT);
    }

    function nextDue(SubscriptionSlot slot) internal pure returns (uint256) {
        return SubscriptionSlot.unwrap(slot) >> DUE_AT & DUE_MASK;
    }

    function isShifted(SubscriptionSlot slot) internal pure returns (bool) {
        return SubscriptionSlot.unwrap(slot) >> DUE_AT & SHIFTED != 0;
    }

    function charges(SubscriptionSlot slot) internal pure returns (uint256) {
        return uint16(SubscriptionSlot.unwrap(slot) >> CHARGES_AT);
    }

    function anchorDay(SubscriptionSlot slot) internal pure returns (uint256) {
        return SubscriptionSlot.unwrap(slot) >> ANCHOR_AT & 31;
    }

    function status(SubscriptionSlot slot) internal pure returns (ISubscriptionsTypes.Status) {
        return ISubscriptionsTypes.Status(SubscriptionSlot.unwrap(slot) >> STATUS_AT & 3);
    }

    function isActive(SubscriptionSlot slot) internal pure returns (bool) {
        return SubscriptionSlot.unwrap(slot) & STATUS_MASK == 0;
    }

    function hasExtras(SubscriptionSlot slot) internal pure returns (bool) {
        return SubscriptionSlot.unwrap(slot) >> HAS_EXTRAS_AT != 0; // as cheap as the mask, and 31 bytes less code
    }
}
