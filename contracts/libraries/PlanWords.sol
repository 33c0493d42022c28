// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISubscriptionsTypes} from "../interfaces/ISubscriptionsTypes.sol";
import {Calendar} from "./Calendar.sol";
import {PlanCode} from "./PlanCode.sol";
import {Step} from "./Schedule.sol";

/// @dev The terms of a plan as they are stored. From the low bits:
///
///     hot    payee 160 | price 96
///     grid   token 160 | every 32 | unit 8 | catchUp 8 | registerId 32 | more 1 | refundsUnused 1 | protected 1 |
///            (13 free)
///     life   seatPrice 96 | trial 32 | grace 32 | minCharges 16 | maxCharges 16 | feeBps 16 | family 16 | alignTo 32
///     fee    feeReceiver 160 | usageCap 96
///     usage  biller 160 | usagePrice 96
///     quote  quoter 160 | (96 free)
///     shield arbiter 160 | protection 32 | rulingTimeout 32 | defaultPayeeBps 16 | maxArbiterFeeBps 16
///
/// The last five are zero, and not stored, where the `more` bit is off; the last is not, where `protected` is.
///
/// This is where they lie in memory, with the payee's address behind them: one who was paid before may have handed it
/// over to another, and what a payer agreed to stays as it is. A struct would be zeroed by each function that returns
/// one before it is filled, and cost a charge some 200 gas more.
type PlanWords is uint256;

using PlanWordsOf for PlanWords global;

library PlanWordsOf {
    uint256 private constant HOT = 0x00;
    uint256 private constant GRID = 0x20;
    uint256 private constant LIFE = 0x40;
    uint256 private constant FEE = 0x60;
    uint256 private constant USAGE = 0x80;
    uint256 private constant QUOTE = 0xa0;
    uint256 private constant SHIELD = 0xc0;
    uint256 private constant SIZE = 0xe0;
    uint256 private constant PAYEE = 0xe0; // behind them
    uint256 private constant PLAIN_SIZE = 0x40;

    uint256 private constant REGISTER_AT = 208;
    uint256 private constant MORE = 1 << 240;
    uint256 private constant REFUNDS_UNUSED = 1 << 241;
    uint256 private constant PROTECTED = 1 << 242;
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
        if (terms.protection != 0) {
            grid |= MORE | PROTECTED;
            PlanCode.store(planId, abi.encodePacked(hot, grid, life, fee_, usage_, quote_, _shieldOf(terms)));
            return;
        }
        PlanCode.store(
            planId,
            life | fee_ | usage_ | quote_ == 0
                ? abi.encodePacked(hot, grid)
                : abi.encodePacked(hot, grid | MORE, life, fee_, usage_, quote_)
        );
    }

    function _shieldOf(ISubscriptionsTypes.PlanTerms calldata terms) private pure returns (uint256) {
        return uint160(terms.arbiter) | uint256(terms.protection) << 160 | uint256(terms.rulingTimeout) << 192
            | uint256(terms.defaultPayeeBps) << 224 | uint256(terms.maxArbiterFeeBps) << 240;
    }

    /// @dev Zeros where there is no such plan; see `exists`.
    function load(uint256 planId) internal view returns (PlanWords words) {
        address at = PlanCode.addressOf(planId);
        assembly ("memory-safe") {
            words := add(mload(0x40), 0x20) // behind the zero byte that is hashed with them
            mstore(0x40, add(words, add(SIZE, 0x20)))
            extcodecopy(at, sub(words, 1), 0, add(SIZE, 1))
            mstore(add(words, PAYEE), mload(words)) // `payee` cuts the price off
        }
    }

    /// @dev What a payer agrees to: keccak256 of the code in which the plan is kept, a zero byte and its words. Their
    /// account would tell the same for some 200 gas more.
    function hash(PlanWords words) internal pure returns (bytes32 digest) {
        uint256 size = words.isPlain() ? PLAIN_SIZE : words.isProtected() ? SIZE : SHIELD;
        assembly ("memory-safe") {
            digest := keccak256(sub(words, 1), add(size, 1))
        }
    }

    function unpack(PlanWords words) internal pure returns (ISubscriptionsTypes.PlanTerms memory) {
        return ISubscriptionsTypes.PlanTerms({
            payee: address(uint160(_at(words, HOT))),
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
            usagePrice: uint96(_at(words, USAGE) >> 160),
            biller: words.biller(),
            alignTo: uint32(words.alignTo()),
            quoter: words.quoter(),
            refundsUnused: words.refundsUnused(),
            protection: uint32(words.protection()),
            arbiter: words.arbiter(),
            rulingTimeout: uint32(words.rulingTimeout()),
            defaultPayeeBps: uint16(words.defaultPayeeBps()),
            maxArbiterFeeBps: uint16(words.maxArbiterFeeBps())
        });
    }

    /// @dev Every plan has a token.
    function exists(PlanWords words) internal pure returns (bool) {
        return _at(words, GRID) != 0;
    }

    /// @dev No more than a payee, a price and a period.
    function isPlain(PlanWords words) internal pure returns (bool) {
        return _at(words, GRID) & MORE == 0;
    }

    /// @dev Whether both are plain. In one test: an operation on two plans pays for no second one.
    function arePlain(PlanWords words, PlanWords other) internal pure returns (bool) {
        return (_at(words, GRID) | _at(other, GRID)) & MORE == 0;
    }

    function payee(PlanWords words) internal pure returns (address) {
        return address(uint160(_at(words, PAYEE)));
    }

    function setPayee(PlanWords words, address payee_) internal pure {
        assembly ("memory-safe") {
            mstore(add(words, PAYEE), shr(96, shl(96, payee_)))
        }
    }

    function price(PlanWords words) internal pure returns (uint256) {
        return _at(words, HOT) >> 160;
    }

    function token(PlanWords words) internal pure returns (address) {
        return address(uint160(_at(words, GRID)));
    }

    function every(PlanWords words) internal pure returns (uint256) {
        return uint32(_at(words, GRID) >> 160);
    }

    function unit(PlanWords words) internal pure returns (ISubscriptionsTypes.Unit) {
        return ISubscriptionsTypes.Unit(uint8(_at(words, GRID) >> 192));
    }

    function catchUp(PlanWords words) internal pure returns (uint256) {
        return uint8(_at(words, GRID) >> 200);
    }

    function registerId(PlanWords words) internal pure returns (uint256) {
        return uint32(_at(words, GRID) >> REGISTER_AT);
    }

    /// @dev Whether both are of one payee and token.
    function hasRegisterOf(PlanWords words, PlanWords other) internal pure returns (bool) {
        return uint32((_at(words, GRID) ^ _at(other, GRID)) >> REGISTER_AT) == 0;
    }

    function seatPrice(PlanWords words) internal pure returns (uint256) {
        return uint96(_at(words, LIFE));
    }

    function trial(PlanWords words) internal pure returns (uint256) {
        return uint32(_at(words, LIFE) >> 96);
    }

    function grace(PlanWords words) internal pure returns (uint256) {
        return uint32(_at(words, LIFE) >> 128);
    }

    function minCharges(PlanWords words) internal pure returns (uint256) {
        return uint16(_at(words, LIFE) >> 160);
    }

    function maxCharges(PlanWords words) internal pure returns (uint256) {
        return uint16(_at(words, LIFE) >> 176);
    }

    function feeBps(PlanWords words) internal pure returns (uint256) {
        return uint16(_at(words, LIFE) >> 192);
    }

    function family(PlanWords words) internal pure returns (uint256) {
        return uint16(_at(words, LIFE) >> 208);
    }

    function alignTo(PlanWords words) internal pure returns (uint256) {
        return _at(words, LIFE) >> 224;
    }

    function quoter(PlanWords words) internal pure returns (address) {
        return address(uint160(_at(words, QUOTE)));
    }

    function refundsUnused(PlanWords words) internal pure returns (bool) {
        return _at(words, GRID) & REFUNDS_UNUSED != 0;
    }

    /// @dev Whether its charges are held in escrow.
    function isProtected(PlanWords words) internal pure returns (bool) {
        return _at(words, GRID) & PROTECTED != 0;
    }

    function protection(PlanWords words) internal pure returns (uint256) {
        return uint32(_at(words, SHIELD) >> 160);
    }

    function arbiter(PlanWords words) internal pure returns (address) {
        return address(uint160(_at(words, SHIELD)));
    }

    function rulingTimeout(PlanWords words) internal pure returns (uint256) {
        return uint32(_at(words, SHIELD) >> 192);
    }

    function defaultPayeeBps(PlanWords words) internal pure returns (uint256) {
        return uint16(_at(words, SHIELD) >> 224);
    }

    function maxArbiterFeeBps(PlanWords words) internal pure returns (uint256) {
        return _at(words, SHIELD) >> 240;
    }

    function feeReceiver(PlanWords words) internal pure returns (address) {
        return address(uint160(_at(words, FEE)));
    }

    function usageCap(PlanWords words) internal pure returns (uint256) {
        return _at(words, FEE) >> 160;
    }

    function biller(PlanWords words) internal pure returns (address) {
        return address(uint160(_at(words, USAGE)));
    }

    /// @dev The most that so much usage may cost, rounded down. `quantity` is below 2^128.
    function usageLimit(PlanWords words, uint256 quantity) internal pure returns (uint256) {
        return quantity * (_at(words, USAGE) >> 160) / 1_000_000;
    }

    /// @dev Whether a plan differs from `old` by prices alone, and its fee: none higher, one lower.
    function isCheaperThan(PlanWords words, PlanWords old) internal pure returns (bool) {
        // seatPrice, minCharges, feeBps
        uint256 others = type(uint96).max | uint256(0xffff) << 160 | uint256(0xffff) << 192;
        bool isAlike = (_at(words, GRID) ^ _at(old, GRID)) & ~MORE == 0
            && (_at(words, LIFE) ^ _at(old, LIFE)) & ~others == 0 && words.biller() == old.biller()
            && words.quoter() == old.quoter() && _at(words, SHIELD) == _at(old, SHIELD)
            && words.minCharges() <= old.minCharges()
            && (words.seatPrice() == 0) == (old.seatPrice() == 0);
        return isAlike && words._isUpTo(old) && !old._isUpTo(words);
    }

    /// @dev Whether no price of a plan is above that of another.
    function _isUpTo(PlanWords words, PlanWords other) internal pure returns (bool) {
        return words.price() <= other.price() && words.seatPrice() <= other.seatPrice()
            && words.usageCap() <= other.usageCap() && _at(words, USAGE) >> 160 <= _at(other, USAGE) >> 160;
    }

    /// @dev What a whole period costs with `seats`, of which there are fewer than 2^24.
    function rate(PlanWords words, uint256 seats) internal pure returns (uint256) {
        // Unchecked: prices have 96 bits, seats 24.
        unchecked {
            return words.price() + words.seatPrice() * seats;
        }
    }

    /// @dev The platform's part of a charge, rounded down.
    function feeOf(PlanWords words, uint256 amount) internal pure returns (uint256) {
        return amount * words.feeBps() / BASIS;
    }

    /// @dev The day of the month on which the grid of an aligned plan lies.
    function alignedDay(PlanWords words) internal pure returns (uint256) {
        return Calendar.dayOfMonth(words.alignTo());
    }

    /// @dev Of an aligned plan: the first point of its grid after `time`, and the one before that. `alignTo` is not
    /// after `time`: it had passed when the plan was created.
    function gridAround(PlanWords words, uint256 time) internal pure returns (uint256 before, uint256 after_) {
        Step period = words.step();
        uint256 day = words.alignedDay();
        uint256 n = period.wholePeriods(words.alignTo(), time, day);
        before = period.later(words.alignTo(), n, day);
        after_ = period.later(words.alignTo(), n + 1, day);
    }

    /// @dev What [start, end of its period on the grid) costs, at `rate` for a whole one: rounded up, so that it is
    /// never nothing, and never more than `rate`.
    function stubOf(PlanWords words, uint256 start, uint256 rate_)
        internal
        pure
        returns (bool isWhole, uint256 end, uint256 price_)
    {
        uint256 before;
        (before, end) = words.gridAround(start);
        isWhole = before == start;
        unchecked {
            price_ = (rate_ * (end - start) + (end - before) - 1) / (end - before); // 96 bits times 40
        }
    }

    /// @dev Whether a subscription of one plan stays on its grid with the other: a period of both is as long, and
    /// begins where the subscription began or on the same fixed grid.
    function hasGridOf(PlanWords words, PlanWords other) internal pure returns (bool) {
        // What differs: count and unit of the period, and `alignTo`. Mostly nothing does, which one test tells.
        uint256 period = uint40((_at(words, GRID) ^ _at(other, GRID)) >> 160);
        uint256 grid = (_at(words, LIFE) ^ _at(other, LIFE)) >> 224;
        return period | grid == 0 || (grid == 0 && Step.unwrap(words.step()) == Step.unwrap(other.step()));
    }

    /// @dev One period. By table, because a chain of comparisons would cost each batch 400 gas.
    function step(PlanWords words) internal pure returns (Step) {
        unchecked {
            uint256 grid = _at(words, GRID);
            uint256 shift = uint8(grid >> 192) * 32;
            uint256 ofUnit = uint32(SECONDS_OF_UNITS >> shift) | uint256(uint32(MONTHS_OF_UNITS >> shift)) << 128;
            return Step.wrap(uint32(grid >> 160) * ofUnit);
        }
    }

    function _at(PlanWords words, uint256 place) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(words, place))
        }
    }
}
