// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @dev The second word of a subscription that has more than a plan: seats, credit, a change behind it, or something
/// that one of the flags stands for; the first word's flag says that there is one. From the low bits:
///
///     seats 24 | credit 96 | history 128 | limited 1 | scheduled 1 | discounted 1 | byPermit2 1 | fallback 1 |
///     inAlternative 1 | (2 free)
///
/// `history` commits to what was paid for charges that were not the plan's price, half of a keccak256: it bounds
/// refunds. `inAlternative`: the period being served was paid in another token.
type ExtrasSlot is uint256;

using ExtrasSlots for ExtrasSlot global;

library ExtrasSlots {
    uint256 internal constant MAX_SEATS = type(uint24).max;
    /// @dev In place of what the next charge paid, where a change charged nothing.
    uint256 internal constant NO_CHARGE = type(uint256).max;
    uint256 internal constant MAX_CREDIT = type(uint96).max;

    uint256 private constant CREDIT_AT = 24;
    uint256 private constant HISTORY_AT = 120;
    uint256 private constant FLAGS_AT = 248;
    uint256 private constant LIMITED = 1 << 248;
    uint256 private constant SCHEDULED = 1 << 249;
    uint256 private constant DISCOUNTED = 1 << 250;
    uint256 private constant BY_PERMIT2 = 1 << 251;
    uint256 private constant FALLBACK = 1 << 252;
    uint256 private constant IN_ALTERNATIVE = 1 << 253;
    uint256 private constant FLAGS = 0xff << FLAGS_AT;

    /// @dev The caller holds the bounds.
    function pack(uint256 seats_, uint256 credit_, uint256 history_) internal pure returns (ExtrasSlot) {
        return ExtrasSlot.wrap(seats_ | credit_ << CREDIT_AT | history_ << HISTORY_AT);
    }

    /// @dev With the same flags. The caller holds the bounds.
    function with(ExtrasSlot slot, uint256 seats_, uint256 credit_, uint256 history_)
        internal
        pure
        returns (ExtrasSlot)
    {
        return ExtrasSlot.wrap(
            ExtrasSlot.unwrap(slot) & FLAGS | seats_ | credit_ << CREDIT_AT | history_ << HISTORY_AT
        );
    }

    /// @dev As `with`, after a change at once: where one was scheduled, this one takes its place.
    function changed(ExtrasSlot slot, uint256 seats_, uint256 credit_, uint256 history_)
        internal
        pure
        returns (ExtrasSlot)
    {
        return ExtrasSlot.wrap(
            ExtrasSlot.unwrap(slot) & (FLAGS ^ SCHEDULED) | seats_ | credit_ << CREDIT_AT | history_ << HISTORY_AT
        );
    }

    function withScheduled(ExtrasSlot slot, bool on) internal pure returns (ExtrasSlot) {
        return _with(slot, SCHEDULED, on);
    }

    function withLimited(ExtrasSlot slot, bool on) internal pure returns (ExtrasSlot) {
        return _with(slot, LIMITED, on);
    }

    function withDiscounted(ExtrasSlot slot, bool on) internal pure returns (ExtrasSlot) {
        return _with(slot, DISCOUNTED, on);
    }

    function withPermit2(ExtrasSlot slot, bool on) internal pure returns (ExtrasSlot) {
        return _with(slot, BY_PERMIT2, on);
    }

    function withFallback(ExtrasSlot slot, bool on) internal pure returns (ExtrasSlot) {
        return _with(slot, FALLBACK, on);
    }

    function withInAlternative(ExtrasSlot slot, bool on) internal pure returns (ExtrasSlot) {
        return _with(slot, IN_ALTERNATIVE, on);
    }

    function _with(ExtrasSlot slot, uint256 flag, bool on) private pure returns (ExtrasSlot) {
        uint256 word = ExtrasSlot.unwrap(slot);
        return ExtrasSlot.wrap(on ? word | flag : word & ~flag);
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

    /// @dev Whether charges ask for more than seats, credit and limits.
    function isSpecial(ExtrasSlot slot) internal pure returns (bool) {
        return ExtrasSlot.unwrap(slot) & (FLAGS ^ LIMITED) != 0;
    }

    /// @dev Whether any flag is on.
    function hasFlags(ExtrasSlot slot) internal pure returns (bool) {
        return ExtrasSlot.unwrap(slot) >> FLAGS_AT != 0;
    }

    function isLimited(ExtrasSlot slot) internal pure returns (bool) {
        return ExtrasSlot.unwrap(slot) & LIMITED != 0;
    }

    function isScheduled(ExtrasSlot slot) internal pure returns (bool) {
        return ExtrasSlot.unwrap(slot) & SCHEDULED != 0;
    }

    function isDiscounted(ExtrasSlot slot) internal pure returns (bool) {
        return ExtrasSlot.unwrap(slot) & DISCOUNTED != 0;
    }

    function isByPermit2(ExtrasSlot slot) internal pure returns (bool) {
        return ExtrasSlot.unwrap(slot) & BY_PERMIT2 != 0;
    }

    function hasFallback(ExtrasSlot slot) internal pure returns (bool) {
        return ExtrasSlot.unwrap(slot) & FALLBACK != 0;
    }

    function isInAlternative(ExtrasSlot slot) internal pure returns (bool) {
        return ExtrasSlot.unwrap(slot) & IN_ALTERNATIVE != 0;
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
            return slot.with(slot.seats(), slot.credit() - (rate - paid), history_);
        }
    }
}
