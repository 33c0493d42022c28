// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @dev What a channel has, one word. From the low bits:
///
///     balance 128 | totalClaimed 128
///
/// Each of the two is the number of the opening, 32 bits, above an amount of 96 bits. Both have the same opening, and
/// the balance is never less than what was claimed.
type ChannelSlot is uint256;

using ChannelSlots for ChannelSlot global;

library ChannelSlots {
    uint256 internal constant MAX_AMOUNT = type(uint96).max;

    uint256 private constant CLAIMED_AT = 128;
    uint256 private constant SUM_MASK = type(uint128).max;
    uint256 private constant OPENING_AT = 96;
    uint256 private constant LAST_OPENING = type(uint32).max;

    function balance(ChannelSlot slot) internal pure returns (uint256) {
        return ChannelSlot.unwrap(slot) & SUM_MASK;
    }

    function totalClaimed(ChannelSlot slot) internal pure returns (uint256) {
        return ChannelSlot.unwrap(slot) >> CLAIMED_AT;
    }

    /// @dev What was not claimed.
    function available(ChannelSlot slot) internal pure returns (uint256) {
        unchecked {
            return slot.balance() - slot.totalClaimed();
        }
    }

    function opening(ChannelSlot slot) internal pure returns (uint256) {
        return openingOf(slot.balance());
    }

    function openingOf(uint256 sum) internal pure returns (uint256) {
        return sum >> OPENING_AT;
    }

    /// @dev The amount of a sum, without the number of its opening.
    function amountOf(uint256 sum) internal pure returns (uint256) {
        return sum & MAX_AMOUNT;
    }

    /// @dev The caller holds the bound: together with what was deposited, no more than `MAX_AMOUNT`.
    function withDeposit(ChannelSlot slot, uint256 amount) internal pure returns (ChannelSlot) {
        unchecked {
            return ChannelSlot.wrap(ChannelSlot.unwrap(slot) + amount);
        }
    }

    /// @dev The caller holds the bound: between what was claimed and the balance.
    function withClaimed(ChannelSlot slot, uint256 total) internal pure returns (ChannelSlot) {
        return ChannelSlot.wrap(slot.balance() | total << CLAIMED_AT);
    }

    /// @dev The caller holds the bound: no more than is available.
    function withPaidBack(ChannelSlot slot, uint256 amount) internal pure returns (ChannelSlot) {
        unchecked {
            return ChannelSlot.wrap(ChannelSlot.unwrap(slot) - amount);
        }
    }

    /// @dev The next opening, with what is available. There are 2^32, more than can be paid for in gas; the last of them
    /// goes on, so that nobody's money could ever be stuck.
    function reopened(ChannelSlot slot) internal pure returns (ChannelSlot) {
        uint256 last = slot.opening();
        if (last == LAST_OPENING) return slot;
        uint256 start = (last + 1) << OPENING_AT;
        return ChannelSlot.wrap(start + slot.available() | start << CLAIMED_AT);
    }
}
