// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IEscrow} from "../interfaces/IEscrow.sol";

/// @dev A payment's state, one word. From the low bits:
///
///     held 96 | refundable 96 | since 40 | milestones 20 | status 2 | (2 free)
///
/// `since`: when it was authorized; while disputed, when the dispute began.
type PaymentSlot is uint256;

using PaymentSlots for PaymentSlot global;

library PaymentSlots {
    uint256 internal constant MILESTONES = 20;

    uint256 private constant REFUNDABLE_AT = 96;
    uint256 private constant SINCE_AT = 192;
    uint256 private constant MILESTONES_AT = 232;
    uint256 private constant STATUS_AT = 252;
    uint256 private constant HELD_MASK = type(uint96).max;
    uint256 private constant SINCE_MASK = uint256(type(uint40).max) << SINCE_AT;
    uint256 private constant STATUS_MASK = 3 << STATUS_AT;

    /// @dev The caller holds the bounds: 96 bits each, a time below 2^40.
    function pack(IEscrow.Status status_, uint256 held_, uint256 refundable_, uint256 since_)
        internal
        pure
        returns (PaymentSlot)
    {
        return PaymentSlot.wrap(
            held_ | refundable_ << REFUNDABLE_AT | since_ << SINCE_AT | uint256(status_) << STATUS_AT
        );
    }

    /// @dev `amount` of what is held is the payee's. Where nothing is left, it is closed. The caller holds the bound:
    /// no more than is held; held and refundable together never exceed what was authorized.
    function withCaptured(PaymentSlot slot, uint256 amount) internal pure returns (PaymentSlot captured) {
        unchecked {
            captured = PaymentSlot.wrap(PaymentSlot.unwrap(slot) - amount + (amount << REFUNDABLE_AT));
        }
        if (captured.held() == 0) captured = captured.withStatus(IEscrow.Status.Closed);
    }

    /// @dev Nothing is held any more, of which `captured` is the payee's. The caller holds the bound.
    function close(PaymentSlot slot, uint256 captured) internal pure returns (PaymentSlot) {
        unchecked {
            return PaymentSlot.wrap((PaymentSlot.unwrap(slot) & ~HELD_MASK) + (captured << REFUNDABLE_AT))
                .withStatus(IEscrow.Status.Closed);
        }
    }

    /// @dev The caller holds the bound: no more than is refundable.
    function withRefunded(PaymentSlot slot, uint256 amount) internal pure returns (PaymentSlot) {
        unchecked {
            return PaymentSlot.wrap(PaymentSlot.unwrap(slot) - (amount << REFUNDABLE_AT));
        }
    }

    function withDispute(PaymentSlot slot, uint256 time) internal pure returns (PaymentSlot) {
        return PaymentSlot.wrap(PaymentSlot.unwrap(slot) & ~SINCE_MASK | time << SINCE_AT)
            .withStatus(IEscrow.Status.Disputed);
    }

    function withMilestone(PaymentSlot slot, uint256 index) internal pure returns (PaymentSlot) {
        return PaymentSlot.wrap(PaymentSlot.unwrap(slot) | 1 << MILESTONES_AT + index);
    }

    function withStatus(PaymentSlot slot, IEscrow.Status status_) internal pure returns (PaymentSlot) {
        return PaymentSlot.wrap(PaymentSlot.unwrap(slot) & ~STATUS_MASK | uint256(status_) << STATUS_AT);
    }

    function held(PaymentSlot slot) internal pure returns (uint256) {
        return PaymentSlot.unwrap(slot) & HELD_MASK;
    }

    function refundable(PaymentSlot slot) internal pure returns (uint256) {
        return PaymentSlot.unwrap(slot) >> REFUNDABLE_AT & type(uint96).max;
    }

    function since(PaymentSlot slot) internal pure returns (uint256) {
        return uint40(PaymentSlot.unwrap(slot) >> SINCE_AT);
    }

    function milestones(PaymentSlot slot) internal pure returns (uint256) {
        return PaymentSlot.unwrap(slot) >> MILESTONES_AT & (1 << MILESTONES) - 1;
    }

    function status(PaymentSlot slot) internal pure returns (IEscrow.Status) {
        return IEscrow.Status(PaymentSlot.unwrap(slot) >> STATUS_AT & 3);
    }
}
