// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @dev The second word of a subscription that has seats, credit or a change of plan behind it; the first word's flag says
/// that there is one. From the low bits:
///
///     seats 24 | credit 96 | history 128 | (8 free)
///
/// `history` commits to what was paid for charges that were not the plan's price, half of a keccak256: it bounds refunds.
type ExtrasSlot is uint256;

using ExtrasSlots for ExtrasSlot global;

library ExtrasSlots {
    uint256 internal constant MAX_SEATS = type(uint24).max;
    /// @dev In place of what the next charge paid, where a change charged nothing.
    uint256 internal constant NO_CHARGE = type(uint256).max;
    uint256 internal constant MAX_CREDIT = type(uint96).max;

    uint256 private constant CREDIT_AT = 24;
    uint256 private constant HISTORY_AT = 120;

    /// @dev The caller holds the bounds.
    function pack(uint256 seats_, uint256 credit_, uint256 history_) internal pure returns (ExtrasSlot) {
        return ExtrasSlot.wrap(seats_ | credit_ << CREDIT_AT | history_ << HISTORY_AT);
    }

    /// @dev The commitment to one more {ISubscriptionsTypes.Segment}. Zero only where there is none.
    function extend(uint256 history_, uint256 lastCharge, uint256 rate, uint256 next)
        internal
        pure
        returns (uint256)
    {
        uint256 digest;
        // In the same memory again and again: a long history would else cost by the square of its length.
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(words, history_)
            mstore(add(words, 0x20), lastCharge)
            mstore(add(words, 0x40), rate)
            mstore(add(words, 0x60), next)
            digest := keccak256(words, 0x80)
        }
        return uint128(digest) | 1;
    }

    function seats(ExtrasSlot slot) internal pure returns (uint256) {
        return uint24(ExtrasSlot.unwrap(slot));
    }

    function credit(ExtrasSlot slot) internal pure returns (uint256) {
        return uint96(ExtrasSlot.unwrap(slot) >> CREDIT_AT);
    }

    function history(ExtrasSlot slot) internal pure returns (uint256) {
        return uint128(ExtrasSlot.unwrap(slot) >> HISTORY_AT);
    }

    /// @dev After charge `chargeNumber`, for which credit paid all of `rate` but `paid`.
    function withCreditUsed(ExtrasSlot slot, uint256 chargeNumber, uint256 rate, uint256 paid)
        internal
        pure
        returns (ExtrasSlot)
    {
        unchecked {
            uint256 history_ = extend(slot.history(), chargeNumber - 1, rate, paid);
            return pack(slot.seats(), slot.credit() - (rate - paid), history_);
        }
    }
}
