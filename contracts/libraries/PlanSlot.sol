// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISubscriptions} from "../interfaces/ISubscriptions.sol";
import {Schedule, Step} from "./Schedule.sol";

/// @dev The terms of a plan in two words. From the low bits:
///
///     payee 160 | price 96
///     token 160 | every 32 | unit 8 | catchUp 8 | (48 free)
///
/// A struct would pack the same way; unpacking all of it costs a charge or a subscription about 250 gas more.
struct PlanSlot {
    uint256 low;
    uint256 high;
}

using PlanSlots for PlanSlot global;

library PlanSlots {
    /// @dev 32 bits for each {Unit}: seconds of those with a fixed length, months of the others.
    uint256 private constant SECONDS_OF_UNITS = 1 | 1 days << 32 | 7 days << 64;
    uint256 private constant MONTHS_OF_UNITS = 1 << 96 | 12 << 128;

    function pack(ISubscriptions.PlanTerms calldata terms) internal pure returns (PlanSlot memory) {
        return PlanSlot({
            low: uint160(terms.payee) | uint256(terms.price) << 160,
            high: uint160(terms.token) | uint256(terms.every) << 160 | uint256(terms.unit) << 192
                | uint256(terms.catchUp) << 200
        });
    }

    function unpack(PlanSlot memory slot) internal pure returns (ISubscriptions.PlanTerms memory) {
        return ISubscriptions.PlanTerms({
            payee: slot.payee(),
            price: uint96(slot.price()),
            token: slot.token(),
            every: uint32(slot.every()),
            unit: slot.unit(),
            catchUp: uint8(slot.catchUp())
        });
    }

    function payee(PlanSlot memory slot) internal pure returns (address) {
        return address(uint160(slot.low));
    }

    function price(PlanSlot memory slot) internal pure returns (uint256) {
        return slot.low >> 160;
    }

    function token(PlanSlot memory slot) internal pure returns (address) {
        return address(uint160(slot.high));
    }

    function every(PlanSlot memory slot) internal pure returns (uint256) {
        return uint32(slot.high >> 160);
    }

    function unit(PlanSlot memory slot) internal pure returns (ISubscriptions.Unit) {
        return ISubscriptions.Unit(uint8(slot.high >> 192));
    }

    function catchUp(PlanSlot memory slot) internal pure returns (uint256) {
        return uint8(slot.high >> 200);
    }

    /// @dev One period. By table, because a chain of comparisons would cost each batch 400 gas.
    function step(PlanSlot memory slot) internal pure returns (Step) {
        unchecked {
            uint256 shift = uint8(slot.high >> 192) * 32;
            uint256 count = slot.every();
            return Schedule.step(
                count * (SECONDS_OF_UNITS >> shift & type(uint32).max),
                count * (MONTHS_OF_UNITS >> shift & type(uint32).max)
            );
        }
    }
}
