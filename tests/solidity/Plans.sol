// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Calendar} from "../../contracts/libraries/Calendar.sol";
import {Schedule, Step} from "../../contracts/libraries/Schedule.sol";
import {Vm} from "./Forge.sol";
import {Market} from "./Market.sol";

/// @notice Plans and registers as their events tell them, and what a plan's terms come to.
abstract contract Plans is Market {
    uint256 private constant PER_REGISTER = 1_000_000_000;

    PlanTerms[] internal plans; // plan n at n - 1
    uint256[] internal registerOf; // of plan n at n - 1
    uint256 internal registers;
    mapping(uint256 planId => bool) internal archived;
    /// @dev Who is paid in a register now; its plans name who was when they were created.
    mapping(uint256 registerId => address) internal payeeNow;
    mapping(uint256 registerId => uint256) internal opened; // subscriptions
    mapping(uint256 registerId => mapping(uint256 family => mapping(address payer => bool))) internal trialUsed;
    /// @dev keccak256 of the terms that somebody asked for.
    bytes32 internal askedTerms;

    bytes32[] private _termsHashes;
    bytes32[] private _termsBytes;
    mapping(address payee => mapping(address token => uint256)) internal registerAfter; // its number + 1

    /// @dev Plans in other tokens that their payee offers in a plan's place.
    mapping(uint256 planId => mapping(uint256 alternativeId => bool)) internal offered;

    // ----------------------------------------------------------------- events

    function _onRegisterOpened(Vm.Log memory log) internal {
        vm.assertEq(uint256(log.topics[1]), registers, "registers are numbered without gaps");
        (address payee, address token) = (_account(log.topics[2]), _account(log.topics[3]));
        vm.assertEq(registerAfter[payee][token], 0, "one register for a payee and token");
        payeeNow[registers] = payee;
        registerAfter[payee][token] = ++registers;
    }

    /// @dev Inv-4: its totals go along.
    function _onPayeeChanged(Vm.Log memory log) internal {
        uint256 registerId = uint256(log.topics[1]);
        (address payee, address newPayee) = (_account(log.topics[2]), _account(log.topics[3]));
        address token = plans[_firstPlanOf(registerId)].token;
        vm.assertEq(payeeNow[registerId], payee, "handed over by its payee");
        vm.assertEq(registerAfter[newPayee][token], 0, "Inv-4: whose own totals are not mixed with it");
        (registerAfter[payee][token], registerAfter[newPayee][token]) = (0, registerId + 1);
        payeeNow[registerId] = newPayee;
    }

    function _firstPlanOf(uint256 registerId) private view returns (uint256 found) {
        while (registerOf[found] != registerId) {
            ++found;
        }
    }

    function _onPlanCreated(Vm.Log memory log) internal {
        PlanTerms memory terms = abi.decode(log.data, (PlanTerms));
        uint256 registerId = uint256(log.topics[2]);
        vm.assertEq(keccak256(log.data), askedTerms, "the terms that were asked for");
        vm.assertEq(uint256(log.topics[1]), plans.length + 1, "plans are numbered without gaps");
        vm.assertEq(registerId + 1, registerAfter[terms.payee][terms.token], "the register of payee and token");
        plans.push(terms);
        registerOf.push(registerId);
        _termsBytes.push(keccak256(log.data));
        _termsHashes.push(_hashOf(terms, registerId));
    }

    function _onArchived(uint256 planId) internal {
        vm.assertTrue(!archived[planId], "archived once");
        archived[planId] = true;
    }

    /// @dev Inv-22: by the payee of both, for the same periods in another token.
    function _onOffered(Vm.Log memory log) internal {
        (uint256 planId, uint256 alternativeId) = (uint256(log.topics[1]), uint256(log.topics[2]));
        vm.assertTrue(_isOfferable(planId, alternativeId), "Inv-22: an alternative that may be offered");
        vm.assertTrue(!offered[planId][alternativeId], "offered once");
        offered[planId][alternativeId] = true;
    }

    function _onWithdrawn(Vm.Log memory log) internal {
        (uint256 planId, uint256 alternativeId) = (uint256(log.topics[1]), uint256(log.topics[2]));
        vm.assertTrue(offered[planId][alternativeId], "withdrawn once");
        offered[planId][alternativeId] = false;
    }

    function _isOfferable(uint256 planId, uint256 alternativeId) internal view returns (bool) {
        (PlanTerms storage terms, PlanTerms storage other) = (_termsOf(planId), _termsOf(alternativeId));
        if (_payeeOf(planId) != _payeeOf(alternativeId) || terms.token == other.token) return false;
        if (Step.unwrap(_stepOf(planId)) != Step.unwrap(_stepOf(alternativeId))) return false;
        if (terms.alignTo != other.alignTo || (terms.seatPrice == 0) != (other.seatPrice == 0)) return false;
        if (terms.refundsUnused || other.refundsUnused) return false;
        return terms.quoter == address(0) && other.quoter == address(0);
    }

    /// @dev Whether a charge may be made under the second in the place of the first.
    function _isAlternative(uint256 planId, uint256 alternativeId) internal view returns (bool) {
        return offered[planId][alternativeId] && _payeeOf(planId) == _payeeOf(alternativeId);
    }

    /// @dev The number of the register's next subscription.
    function _nextIn(uint256 registerId) internal view returns (uint256) {
        return registerId * PER_REGISTER + opened[registerId] + 1;
    }

    /// @dev Inv-9: plans never change.
    function _assertPlansNeverChange() internal view {
        vm.assertEq(subscriptions.planCount(), plans.length, "plans");
        vm.assertEq(subscriptions.registerCount(), registers, "registers");
        _assertPlan(_now() % plans.length); // one at a time: all of them take long
    }

    function _assertPlan(uint256 i) private view {
        vm.assertEq(subscriptions.termsHash(i + 1), _termsHashes[i], "Inv-9: what was agreed to");
        vm.assertTrue(subscriptions.isArchived(i + 1) == archived[i + 1], "archived");
    }

    function _assertTermsAreRead() internal view {
        for (uint256 i = 0; i < plans.length; ++i) {
            _assertPlan(i);
            vm.assertEq(keccak256(abi.encode(subscriptions.plan(i + 1))), _termsBytes[i], "Inv-9: the plan's terms");
        }
    }

    /// @dev Inv-15: nobody has two trials of a family.
    function _assertTrials() internal view {
        for (uint256 i = 0; i < plans.length; ++i) {
            for (uint256 p = 0; p < PAYERS; ++p) {
                bool used = trialUsed[registerOf[i]][plans[i].family][payers[p]];
                vm.assertTrue(subscriptions.isTrialUsed(i + 1, payers[p]) == used, "Inv-15: the trial");
            }
        }
    }

    // ------------------------------------------------------------------ terms

    function _termsOf(uint256 planId) internal view returns (PlanTerms storage) {
        return plans[planId - 1];
    }

    function _isValid(PlanTerms memory terms) internal view returns (bool) {
        if (terms.payee == address(0) || terms.token == address(0) || terms.every == 0) return false;
        if (terms.price == 0 && terms.seatPrice == 0) return false;
        if (terms.feeBps > 9_999 || (terms.feeBps == 0) != (terms.feeReceiver == address(0))) return false;
        if (terms.feeReceiver == terms.payee) return false;
        if (!_isUsageValid(terms) || terms.alignTo > _now()) return false;
        if (terms.quoter != address(0) && (terms.quoter.code.length == 0 || terms.refundsUnused)) return false;
        return terms.maxCharges == 0 || terms.minCharges <= terms.maxCharges;
    }

    /// @dev Usage has a cap and a price, nothing of it is told where none is sold, and no other term counts charges.
    function _isUsageValid(PlanTerms memory terms) private pure returns (bool) {
        if (terms.usageCap == 0) return terms.usagePrice == 0 && terms.biller == address(0);
        return terms.usagePrice > 0 && terms.minCharges == 0 && terms.maxCharges == 0;
    }

    /// @dev Whether a plan sells that many seats.
    function _sells(uint256 planId, uint256 seats) internal view returns (bool) {
        PlanTerms storage terms = _termsOf(planId);
        if (terms.seatPrice == 0) return seats == 0;
        return seats > 0 && seats < 2 ** 24 && _rateOf(planId, seats) <= type(uint96).max;
    }

    function _rateOf(uint256 planId, uint256 seats) internal view returns (uint256) {
        PlanTerms storage terms = _termsOf(planId);
        return uint256(terms.price) + uint256(terms.seatPrice) * seats;
    }

    function _stepOf(uint256 planId) internal view returns (Step) {
        PlanTerms storage terms = _termsOf(planId);
        if (terms.unit == Unit.Month) return Schedule.step(0, terms.every);
        if (terms.unit == Unit.Year) return Schedule.step(0, 12 * uint256(terms.every));
        if (terms.unit == Unit.Week) return Schedule.step(7 days * uint256(terms.every), 0);
        if (terms.unit == Unit.Day) return Schedule.step(1 days * uint256(terms.every), 0);
        return Schedule.step(terms.every, 0);
    }

    function _payeeOf(uint256 planId) internal view returns (address) {
        return payeeNow[registerOf[planId - 1]];
    }

    /// @dev Whether a plan differs from another by prices and its fee alone: none higher, one lower.
    function _isCheaper(uint256 planId, uint256 other) internal view returns (bool) {
        if (registerOf[planId - 1] != registerOf[other - 1]) return false;
        (PlanTerms memory terms, PlanTerms memory old) = (_termsOf(planId), _termsOf(other));
        uint256[4] memory prices = [uint256(terms.price), terms.seatPrice, terms.usageCap, terms.usagePrice];
        uint256[4] memory before = [uint256(old.price), old.seatPrice, old.usageCap, old.usagePrice];
        bool isLower;
        for (uint256 i = 0; i < prices.length; ++i) {
            if (prices[i] > before[i]) return false;
            isLower = isLower || prices[i] < before[i];
        }
        if (terms.minCharges > old.minCharges || (terms.seatPrice == 0) != (old.seatPrice == 0)) return false;
        (terms.price, terms.seatPrice, terms.usageCap, terms.usagePrice) =
            (old.price, old.seatPrice, old.usageCap, old.usagePrice);
        (terms.minCharges, terms.feeBps, terms.feeReceiver) = (old.minCharges, old.feeBps, old.feeReceiver);
        terms.payee = old.payee; // who was paid when they were created
        return isLower && keccak256(abi.encode(terms)) == keccak256(abi.encode(old));
    }

    /// @dev Of the grid of an aligned plan: the last point not after `time`, and the one behind it.
    function _gridAround(uint256 planId, uint256 time) internal view returns (uint256 before, uint256 after_) {
        (uint256 first, Step step) = (_termsOf(planId).alignTo, _stepOf(planId));
        uint256 day = Calendar.dayOfMonth(first);
        uint256 n = step.isCalendar() ? 0 : (time - first) / (step.longest());
        while (step.later(first, n + 1, day) <= time) {
            ++n;
        }
        return (step.later(first, n, day), step.later(first, n + 1, day));
    }

    function _isCalendar(uint256 planId) internal view returns (bool) {
        return _termsOf(planId).unit >= Unit.Month;
    }

    /// @dev keccak256 of a zero byte and the words in which the terms are kept.
    function _hashOf(PlanTerms memory terms, uint256 registerId) private pure returns (bytes32) {
        bytes memory life = abi.encodePacked(
            terms.alignTo,
            terms.family,
            terms.feeBps,
            terms.maxCharges,
            terms.minCharges,
            terms.grace,
            terms.trial,
            terms.seatPrice
        );
        bytes memory fee = abi.encodePacked(terms.usageCap, terms.feeReceiver);
        bytes memory usage = abi.encodePacked(terms.usagePrice, terms.biller);
        bytes memory quote = abi.encodePacked(uint96(0), terms.quoter);
        bool more = bytes32(life) | bytes32(fee) | bytes32(usage) | bytes32(quote) != 0;
        bytes memory grid = abi.encodePacked(
            uint16((more ? 1 : 0) | (terms.refundsUnused ? 2 : 0)),
            uint32(registerId),
            terms.catchUp,
            uint8(terms.unit),
            terms.every,
            terms.token
        );
        bytes memory words = abi.encodePacked(bytes1(0), terms.price, terms.payee, grid);
        return keccak256(more ? bytes.concat(words, life, fee, usage, quote) : words);
    }

    function _account(bytes32 topic) internal pure returns (address) {
        return address(uint160(uint256(topic)));
    }
}
