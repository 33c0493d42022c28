// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISubscriptionsTypes} from "../interfaces/ISubscriptionsTypes.sol";
import {Calendar} from "./Calendar.sol";
import {PlanCode} from "./PlanCode.sol";
import {Schedule, Step} from "./Schedule.sol";

/// @dev The terms of a plan as they are stored. From the low bits:
///
///     hot    payee 160 | price 96
///     grid   token 160 | every 32 | unit 8 | catchUp 8 | registerId 32 | more 1 | refundsUnused 1 | (14 free)
///     life   seatPrice 96 | trial 32 | grace 32 | minCharges 16 | maxCharges 16 | feeBps 16 | family 16 | alignTo 32
///     fee    feeReceiver 160 | usageCap 96
///     usage  biller 160 | usagePrice 96
///     quote  quoter 160 | (96 free)
///
/// The last four are zero, and not stored, where the `more` bit is off.
struct PlanWords {
    uint256 hot;
    uint256 grid;
    uint256 life;
    uint256 fee;
    uint256 usage;
    uint256 quote;
}

using PlanWordsOf for PlanWords global;

library PlanWordsOf {
    uint256 private constant REGISTER_AT = 208;
    uint256 private constant MORE = 1 << 240;
    uint256 private constant REFUNDS_UNUSED = 1 << 241;
    uint256 private constant BASIS = 10_000;

    /// @dev 32 bits for each unit: seconds of those with a fixed length, months of the others.
    uint256 private constant SECONDS_OF_UNITS = 1 | 1 days << 32 | 7 days << 64;
    uint256 private constant MONTHS_OF_UNITS = 1 << 96 | 12 << 128;

    function store(uint256 planId, ISubscriptionsTypes.PlanTerms calldata terms, uint256 registerId_) internal {
        uint256 hot = uint160(terms.payee) | uint256(terms.price) << 160;
        uint256 grid = uint160(terms.token) | uint256(terms.every) << 160 | uint256(terms.unit) << 192
            | uint256(terms.catchUp) << 200 | registerId_ << REGISTER_AT;
        uint256 life = terms.seatPrice | uint256(terms.trial) << 96 | uint256(terms.grace) << 128
            | uint256(terms.minCharges) << 160 | uint256(terms.maxCharges) << 176 | uint256(terms.feeBps) << 192
            | uint256(terms.family) << 208 | uint256(terms.alignTo) << 224;
        uint256 fee_ = uint160(terms.feeReceiver) | uint256(terms.usageCap) << 160;
        uint256 usage_ = uint160(terms.biller) | uint256(terms.usagePrice) << 160;
        uint256 quote_ = uint160(terms.quoter);
        if (terms.refundsUnused) grid |= REFUNDS_UNUSED;
        PlanCode.store(
            planId,
            life | fee_ | usage_ | quote_ == 0
                ? abi.encodePacked(hot, grid)
                : abi.encodePacked(hot, grid | MORE, life, fee_, usage_, quote_)
        );
    }

    /// @dev Zeros where there is no such plan; see `exists`.
    function load(uint256 planId) internal view returns (PlanWords memory words) {
        address at = PlanCode.addressOf(planId);
        assembly ("memory-safe") {
            extcodecopy(at, words, 1, 0xc0)
        }
    }

    /// @dev What a payer agrees to: keccak256 of the code in which the plan is kept, a zero byte and its words.
    function hashOf(uint256 planId) internal view returns (bytes32) {
        return PlanCode.addressOf(planId).codehash;
    }

    function unpack(PlanWords memory words) internal pure returns (ISubscriptionsTypes.PlanTerms memory) {
        return ISubscriptionsTypes.PlanTerms({
            payee: words.payee(),
            price: uint96(words.price()),
            token: words.token(),
            every: uint32(words.every()),
            unit: words.unit(),
            catchUp: uint8(words.catchUp()),
            seatPrice: uint96(words.seatPrice()),
            trial: uint32(words.trial()),
            grace: uint32(words.grace()),
            minCharges: uint16(words.minCharges()),
            maxCharges: uint16(words.maxCharges()),
            feeBps: uint16(words.feeBps()),
            family: uint16(words.family()),
            feeReceiver: words.feeReceiver(),
            usageCap: uint96(words.usageCap()),
            usagePrice: uint96(words.usage >> 160),
            biller: words.biller(),
            alignTo: uint32(words.alignTo()),
            quoter: words.quoter(),
            refundsUnused: words.refundsUnused()
        });
    }

    /// @dev Every plan has a token.
    function exists(PlanWords memory words) internal pure returns (bool) {
        return words.grid != 0;
    }

    /// @dev No more than a payee, a price and a period.
    function isPlain(PlanWords memory words) internal pure returns (bool) {
        return words.grid & MORE == 0;
    }

    function payee(PlanWords memory words) internal pure returns (address) {
        return address(uint160(words.hot));
    }

    function price(PlanWords memory words) internal pure returns (uint256) {
        return words.hot >> 160;
    }

    function token(PlanWords memory words) internal pure returns (address) {
        return address(uint160(words.grid));
    }

    function every(PlanWords memory words) internal pure returns (uint256) {
        return uint32(words.grid >> 160);
    }

    function unit(PlanWords memory words) internal pure returns (ISubscriptionsTypes.Unit) {
        return ISubscriptionsTypes.Unit(uint8(words.grid >> 192));
    }

    function catchUp(PlanWords memory words) internal pure returns (uint256) {
        return uint8(words.grid >> 200);
    }

    function registerId(PlanWords memory words) internal pure returns (uint256) {
        return uint32(words.grid >> REGISTER_AT);
    }

    function seatPrice(PlanWords memory words) internal pure returns (uint256) {
        return uint96(words.life);
    }

    function trial(PlanWords memory words) internal pure returns (uint256) {
        return uint32(words.life >> 96);
    }

    function grace(PlanWords memory words) internal pure returns (uint256) {
        return uint32(words.life >> 128);
    }

    function minCharges(PlanWords memory words) internal pure returns (uint256) {
        return uint16(words.life >> 160);
    }

    function maxCharges(PlanWords memory words) internal pure returns (uint256) {
        return uint16(words.life >> 176);
    }

    function feeBps(PlanWords memory words) internal pure returns (uint256) {
        return uint16(words.life >> 192);
    }

    function family(PlanWords memory words) internal pure returns (uint256) {
        return uint16(words.life >> 208);
    }

    function alignTo(PlanWords memory words) internal pure returns (uint256) {
        return words.life >> 224;
    }

    function quoter(PlanWords memory words) internal pure returns (address) {
        return address(uint160(words.quote));
    }

    function refundsUnused(PlanWords memory words) internal pure returns (bool) {
        return words.grid & REFUNDS_UNUSED != 0;
    }

    function feeReceiver(PlanWords memory words) internal pure returns (address) {
        return address(uint160(words.fee));
    }

    function usageCap(PlanWords memory words) internal pure returns (uint256) {
        return words.fee >> 160;
    }

    function biller(PlanWords memory words) internal pure returns (address) {
        return address(uint160(words.usage));
    }

    /// @dev The most that so much usage may cost, rounded down. `quantity` is below 2^128.
    function usageLimit(PlanWords memory words, uint256 quantity) internal pure returns (uint256) {
        return quantity * (words.usage >> 160) / 1_000_000;
    }

    /// @dev Whether a plan differs from `old` by prices alone, and its fee: none higher, one lower.
    function isCheaperThan(PlanWords memory words, PlanWords memory old) internal pure returns (bool) {
        uint256 others = type(uint96).max | uint256(0xffff) << 160 | uint256(0xffff) << 192; // seatPrice, minCharges, feeBps
        bool isAlike = (words.grid ^ old.grid) & ~MORE == 0 && (words.life ^ old.life) & ~others == 0
            && words.biller() == old.biller() && words.quoter() == old.quoter()
            && words.minCharges() <= old.minCharges() && (words.seatPrice() == 0) == (old.seatPrice() == 0);
        bool isHigher = words.price() > old.price() || words.seatPrice() > old.seatPrice()
            || words.usageCap() > old.usageCap() || words.usage >> 160 > old.usage >> 160;
        bool isLower = words.price() < old.price() || words.seatPrice() < old.seatPrice()
            || words.usageCap() < old.usageCap() || words.usage >> 160 < old.usage >> 160;
        return isAlike && isLower && !isHigher;
    }

    /// @dev What a whole period costs with `seats`.
    function rate(PlanWords memory words, uint256 seats) internal pure returns (uint256) {
        return words.price() + words.seatPrice() * seats;
    }

    /// @dev The platform's part of a charge, rounded down.
    function feeOf(PlanWords memory words, uint256 amount) internal pure returns (uint256) {
        return amount * words.feeBps() / BASIS;
    }

    /// @dev The day of the month on which the grid of an aligned plan lies.
    function alignedDay(PlanWords memory words) internal pure returns (uint256) {
        return Calendar.dayOfMonth(words.alignTo());
    }

    /// @dev Of an aligned plan: the first point of its grid after `time`, and the one before that. `alignTo` is not
    /// after `time`: it had passed when the plan was created.
    function gridAround(PlanWords memory words, uint256 time) internal pure returns (uint256 before, uint256 after_) {
        Step period = words.step();
        uint256 day = words.alignedDay();
        uint256 n = period.wholePeriods(words.alignTo(), time, day);
        before = period.later(words.alignTo(), n, day);
        after_ = period.later(words.alignTo(), n + 1, day);
    }

    /// @dev What [start, end of its period on the grid) costs, at `rate` for a whole one: rounded up, so that it is
    /// never nothing, and never more than `rate`.
    function stubOf(PlanWords memory words, uint256 start, uint256 rate_)
        internal
        pure
        returns (uint256 end, uint256 price_)
    {
        uint256 before;
        (before, end) = words.gridAround(start);
        unchecked {
            price_ = (rate_ * (end - start) + (end - before) - 1) / (end - before); // 96 bits times 40
        }
    }

    /// @dev One period. By table, because a chain of comparisons would cost each batch 400 gas.
    function step(PlanWords memory words) internal pure returns (Step) {
        unchecked {
            uint256 shift = uint8(words.grid >> 192) * 32;
            uint256 count = words.every();
            return Schedule.step(
                count * (SECONDS_OF_UNITS >> shift & type(uint32).max),
                count * (MONTHS_OF_UNITS >> shift & type(uint32).max)
            );
        }
    }
}
