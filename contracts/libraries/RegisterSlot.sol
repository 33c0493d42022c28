// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @dev A payee's register in one token: it numbers subscriptions and counts charges, in one word, so that a charge and
/// a subscription write it once. From the low bits:
///
///     sum of charges 144 | count of charges 48 | subscriptions 32 | hasArchived 1 | moved 1 | (30 free)
///
/// 2^48 charges of a 96-bit amount stay below 2^144, and nobody can pay the gas of more.
type RegisterSlot is uint256;

using RegisterSlots for RegisterSlot global;

library RegisterSlots {
    /// @notice Subscription numbers are the register's number, then nine digits: 3000000017 is number 17 in register 3.
    uint256 internal constant PER_REGISTER = 1_000_000_000;

    uint256 private constant COUNT_AT = 144;
    uint256 private constant OPENED_AT = 192;
    uint256 private constant HAS_ARCHIVED = 1 << 224;
    uint256 private constant MOVED = 1 << 225;

    function withCharges(RegisterSlot slot, uint256 count_, uint256 sum_) internal pure returns (RegisterSlot) {
        unchecked {
            return RegisterSlot.wrap(RegisterSlot.unwrap(slot) + (count_ << COUNT_AT) + sum_);
        }
    }

    function withSubscription(RegisterSlot slot) internal pure returns (RegisterSlot) {
        unchecked {
            return RegisterSlot.wrap(RegisterSlot.unwrap(slot) + (1 << OPENED_AT));
        }
    }

    function withArchived(RegisterSlot slot) internal pure returns (RegisterSlot) {
        return RegisterSlot.wrap(RegisterSlot.unwrap(slot) | HAS_ARCHIVED);
    }

    /// @dev To another payee than its plans name.
    function withMoved(RegisterSlot slot) internal pure returns (RegisterSlot) {
        return RegisterSlot.wrap(RegisterSlot.unwrap(slot) | MOVED);
    }

    function isMoved(RegisterSlot slot) internal pure returns (bool) {
        return RegisterSlot.unwrap(slot) & MOVED != 0;
    }

    function sum(RegisterSlot slot) internal pure returns (uint256) {
        return uint144(RegisterSlot.unwrap(slot));
    }

    function count(RegisterSlot slot) internal pure returns (uint256) {
        return uint48(RegisterSlot.unwrap(slot) >> COUNT_AT);
    }

    function opened(RegisterSlot slot) internal pure returns (uint256) {
        return uint32(RegisterSlot.unwrap(slot) >> OPENED_AT);
    }

    function hasArchived(RegisterSlot slot) internal pure returns (bool) {
        return RegisterSlot.unwrap(slot) & HAS_ARCHIVED != 0;
    }
}
