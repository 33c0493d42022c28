// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "./Forge.sol";
import {Changes} from "./Changes.sol";

/// @notice Charges of usage as their events tell them: who may make them, and how much they may come to.
abstract contract Usage is Changes {
    struct Bill {
        address sender;
        uint256 chargeNumber;
        uint256 amount;
        uint256 quantity;
        bytes32 usageHash;
    }

    /// @dev What somebody asked a subscription's payer for.
    mapping(uint256 id => Bill) internal billed;
    mapping(uint256 id => mapping(uint256 chargeNumber => bool)) internal isForUsage;

    /// @dev Whether that may be charged now, money aside.
    function _isBillable(uint256 id, Bill memory bill) internal view returns (bool) {
        if (bill.chargeNumber != rows[id].charges + 1 || !_isUsable(id)) return false;
        if (bill.amount == 0 || bill.amount > _usageLeft(id)) return false;
        if (bill.amount > _dearest(rows[id].planId, bill.quantity)) return false;
        PlanTerms storage terms = _termsOf(rows[id].planId);
        if (!_maySpend(id, bill.amount) || !_isWithinMaximum(id, bill.amount)) return false;
        return bill.sender == _payeeOf(rows[id].planId) || (bill.sender == terms.biller && bill.sender != address(0));
    }

    /// @dev Something was served that can still be charged.
    function _isUsable(uint256 id) private view returns (bool) {
        Subscription storage row = rows[id];
        if (row.charges == 0 || (row.status != Status.Active && row.status != Status.Ending)) return false;
        uint256 grace = _termsOf(row.planId).grace;
        return grace == 0 || _now() < row.nextDue + grace;
    }

    /// @dev Inv-18: with what the period cost and all its usage so far. A quoted price was judged with the plan's cap.
    function _isWithinMaximum(uint256 id, uint256 amount) private view returns (bool) {
        (uint256 most, uint256 planId) = (limits[id].maxPerPeriod, rows[id].planId);
        if (most == 0 || _termsOf(planId).quoter != address(0)) return true;
        uint256 paid = _rateOf(planId, rows[id].seats) - (discounts[id].isOn ? discounts[id].last : 0);
        return paid + usedSince[id] + amount <= most;
    }

    /// @dev What usage may still cost before the next charge of another kind.
    function _usageLeft(uint256 id) internal view returns (uint256) {
        uint256 cap = _termsOf(rows[id].planId).usageCap;
        return usedSince[id] < cap ? cap - usedSince[id] : 0;
    }

    /// @dev The most that so much usage may cost, rounded down.
    function _dearest(uint256 planId, uint256 quantity) internal view returns (uint256) {
        return quantity < 2 ** 128 ? quantity * _termsOf(planId).usagePrice / 1e6 : 0;
    }

    // ----------------------------------------------------------------- events

    /// @dev UsageCharged Charged: all of one call.
    function _onUsage(Vm.Log[] memory logs) internal {
        vm.assertEq(logs.length, 2, "usage, its charge and nothing else");
        vm.assertEq(logs[1].topics[0], Charged.selector, "Inv-17: usage is charged");
        uint256 id = uint256(logs[0].topics[1]);
        vm.assertEq(uint256(logs[1].topics[1]), id, "its own charge");
        Bill storage bill = billed[id];
        (uint256 number, uint256 quantity, bytes32 usageHash) = abi.decode(logs[0].data, (uint256, uint256, bytes32));
        vm.assertEq(quantity, bill.quantity, "Inv-17: the usage that was told");
        vm.assertEq(usageHash, bill.usageHash, "Inv-17: the document that was told");
        vm.assertTrue(_isBillable(id, bill), "Inv-17: usage that may be charged");
        _onUsageCharged(id, number, logs[1].data);
    }

    function _onUsageCharged(uint256 id, uint256 told, bytes memory data) private {
        (uint256 number, uint256 start, uint256 end, uint256 amount) =
            abi.decode(data, (uint256, uint256, uint256, uint256));
        vm.assertEq(number, told, "Inv-17: the charge that was told");
        vm.assertEq(number, billed[id].chargeNumber, "Inv-17: the charge that was meant");
        vm.assertEq(amount, billed[id].amount, "Inv-17: the amount that was asked for");
        _judgeServed(id, start, end);
        Subscription storage row = rows[id];
        usedSince[id] += amount;
        vm.assertLe(usedSince[id], _termsOf(row.planId).usageCap, "Inv-17: no more than agreed to for a period");
        _tellsOf(id, row.charges, _rateOf(row.planId, row.seats), amount);
        isForUsage[id][number] = true;
        _spends(id, amount);
        _paysIn(id, number, amount);
    }

    /// @dev The period being served, which stays as it is. One that was paused lies elsewhere than it was charged.
    function _judgeServed(uint256 id, uint256 start, uint256 end) private view {
        Subscription storage row = rows[id];
        vm.assertEq(end, row.nextDue, "Inv-5, Inv-17: the period ends as it did");
        vm.assertEq(_stepOf(row.planId).later(start, 1, row.anchorDay), end, "Inv-5: a period of the plan");
        if (shifted[id] || isStub[id]) return;
        vm.assertEq(start, periodStart[id], "Inv-17: the period that was charged last");
    }
}
