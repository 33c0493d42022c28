// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISubscriptionsTypes} from "../interfaces/ISubscriptionsTypes.sol";

/// @dev What a payer limited charges to, in one word. From the low bits:
///
///     maxPerPeriod 96 | left 96 | endsAt 40 | hasTotal 1 | (23 free)
///
/// `left`: what all charges together may still cost, where `hasTotal` says that there is such a limit.
type LimitsSlot is uint256;

using LimitsSlots for LimitsSlot global;

library LimitsSlots {
    uint256 private constant LEFT_AT = 96;
    uint256 private constant ENDS_AT = 192;
    uint256 private constant HAS_TOTAL = 1 << 232;

    /// @dev Zeros limit nothing.
    function pack(uint96 maxPerPeriod_, uint96 maxTotal, uint40 endsAt_) internal pure returns (LimitsSlot) {
        uint256 word = maxPerPeriod_ | uint256(maxTotal) << LEFT_AT | uint256(endsAt_) << ENDS_AT;
        return LimitsSlot.wrap(maxTotal == 0 ? word : word | HAS_TOTAL);
    }

    function maxPerPeriod(LimitsSlot slot) internal pure returns (uint256) {
        return uint96(LimitsSlot.unwrap(slot));
    }

    function hasTotal(LimitsSlot slot) internal pure returns (bool) {
        return LimitsSlot.unwrap(slot) & HAS_TOTAL != 0;
    }

    function left(LimitsSlot slot) internal pure returns (uint256) {
        return uint96(LimitsSlot.unwrap(slot) >> LEFT_AT);
    }

    /// @dev 0: never.
    function endsAt(LimitsSlot slot) internal pure returns (uint256) {
        return uint40(LimitsSlot.unwrap(slot) >> ENDS_AT);
    }

    /// @dev Whether it limits amounts, which are units of the plan's token.
    function isOfAmounts(LimitsSlot slot) internal pure returns (bool) {
        return slot.hasTotal() || slot.maxPerPeriod() != 0;
    }

    function hasEnded(LimitsSlot slot, uint256 time) internal pure returns (bool) {
        uint256 end = slot.endsAt();
        return end != 0 && time >= end;
    }

    /// @dev Why a period may not cost `cost`, of which `toPay` is paid now, or `None`; what was found, and what is
    /// allowed.
    function objection(LimitsSlot slot, uint256 cost, uint256 toPay, uint256 time)
        internal
        pure
        returns (ISubscriptionsTypes.DeclineReason reason, uint256 found, uint256 allowed)
    {
        if (slot.hasEnded(time)) return (ISubscriptionsTypes.DeclineReason.Ended, time, slot.endsAt());
        uint256 maximum = slot.maxPerPeriod();
        if (maximum != 0 && cost > maximum) return (ISubscriptionsTypes.DeclineReason.OverMandate, cost, maximum);
        if (slot.hasTotal() && toPay > slot.left()) {
            return (ISubscriptionsTypes.DeclineReason.OverMandate, toPay, slot.left());
        }
    }

    /// @dev The caller holds the bound: amount at most `left`.
    function withSpent(LimitsSlot slot, uint256 amount) internal pure returns (LimitsSlot) {
        unchecked {
            return LimitsSlot.wrap(LimitsSlot.unwrap(slot) - (amount << LEFT_AT));
        }
    }
}
