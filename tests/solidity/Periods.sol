// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Calendar} from "../../contracts/libraries/Calendar.sol";
import {Step} from "../../contracts/libraries/Schedule.sol";
import {Plans} from "./Plans.sol";

/// @notice Subscriptions as their events tell them, and the periods that they may be charged for.
abstract contract Periods is Plans {
    uint256[] internal ids;
    mapping(uint256 id => Subscription) internal rows;
    /// @dev Where the period began that is being served.
    mapping(uint256 id => uint256) internal periodStart;
    /// @dev That period is what was left of one on the plan's grid.
    mapping(uint256 id => bool) internal isStub;
    /// @dev That period was paused.
    mapping(uint256 id => bool) internal shifted;
    /// @dev E25, counted by the clock alone: the end of the last charged period, moved on by the time of each pause.
    mapping(uint256 id => uint256) private _paidUntil;
    mapping(uint256 id => uint256) private _pausedAt;

    /// @dev To a boundary of a subscription's periods or of its grace, or to the second before or after it.
    function passToBoundary(uint256 seed, uint256 periods, uint256 offset) external {
        uint256 id = _anyId(seed);
        Subscription storage row = rows[id];
        // Of a paused one: where its period would end if it went on now.
        uint256 due = row.status == Status.Paused ? _now() + row.nextDue : row.nextDue;
        uint256 time = _stepOf(row.planId).later(due, bound(periods, 0, 3), row.anchorDay);
        if (periods % 4 == 3) time = due + _termsOf(row.planId).grace;
        _passTo(time + bound(offset, 0, 2) - 1);
    }

    /// @dev To some moment within a subscription's period.
    function passWithin(uint256 seed, uint256 part) external {
        Subscription storage row = rows[_anyId(seed)];
        if (row.status != Status.Paused && row.nextDue > _now()) _passTo(bound(part, _now(), row.nextDue - 1));
    }

    function _anyId(uint256 seed) internal view returns (uint256) {
        return ids[seed % ids.length];
    }

    /// @dev Three quarters: the next one with that status, if there is one; if active, within its period.
    function _someId(uint256 seed, Status status) internal view returns (uint256 id) {
        for (uint256 i = 0; i < ids.length && seed % 4 > 0; ++i) {
            id = _anyId(bound(seed, 0, type(uint128).max) + i);
            if (status == Status.Active ? _isInPeriod(id) : rows[id].status == status) return id;
        }
        return _anyId(seed);
    }

    // --------------------------------------------------------------- standing

    /// @dev Why a subscription cannot be charged now, money aside.
    function _standing(uint256 id) internal view returns (DeclineReason) {
        Subscription storage row = rows[id];
        if (row.payer == address(0)) return DeclineReason.Unknown;
        if (row.status == Status.Paused) return DeclineReason.Paused;
        if (row.status == Status.Cancelled) return DeclineReason.Cancelled;
        if (row.status == Status.Ending) return DeclineReason.Ended;
        if (_now() < row.nextDue) return DeclineReason.NotDue;
        PlanTerms storage terms = _termsOf(row.planId);
        if (terms.maxCharges > 0 && row.charges >= terms.maxCharges) return DeclineReason.Ended;
        if (terms.grace > 0 && _now() - row.nextDue >= terms.grace) return DeclineReason.Ended;
        return DeclineReason.None;
    }

    /// @dev Within a period that is paid for, or a trial, and going on.
    function _isInPeriod(uint256 id) internal view returns (bool) {
        return rows[id].status == Status.Active && rows[id].nextDue > _now();
    }

    /// @dev Whether the payer is free to leave: in the trial, and after the charges agreed to.
    function _mayLeave(uint256 id) internal view returns (bool) {
        return rows[id].charges == 0 || rows[id].charges >= _termsOf(rows[id].planId).minCharges;
    }

    // ----------------------------------------------------------------- events

    function _opens(uint256 id, address payer, uint256 planId, uint256 seats, uint256 firstDue, uint256 startsAt)
        internal
    {
        PlanTerms storage terms = _termsOf(planId);
        uint256 registerId = registerOf[planId - 1];
        vm.assertEq(id, _nextIn(registerId), "subscriptions are numbered without gaps");
        vm.assertTrue(!archived[planId], "Inv-1: an archived plan takes nobody");
        vm.assertTrue(_sells(planId, seats), "Inv-1: seats that the plan sells");
        vm.assertTrue(payer != _payeeOf(planId) && payer != terms.feeReceiver, "nobody pays themselves");
        bool trial = terms.trial > 0 && !trialUsed[registerId][terms.family][payer];
        uint256 begins = _now() + (trial ? terms.trial : 0);
        if (startsAt > begins) begins = startsAt;
        vm.assertEq(firstDue, begins, "Inv-15: one trial, as long as agreed, and no start before the payer's");
        if (trial) {
            trialUsed[registerId][terms.family][payer] = true;
            ++done["trials"];
        }
        ++opened[registerId];
        ids.push(id);
        _paidUntil[id] = firstDue;
        rows[id] = Subscription(payer, planId, firstDue, 0, Status.Active, Calendar.dayOfMonth(firstDue), seats, 0, 0);
    }

    /// @dev A whole period is charged because it is due, on a grid that `nextDue` lies on.
    function _serves(uint256 id, uint256 start, uint256 end) internal {
        Subscription storage row = rows[id];
        PlanTerms storage terms = _termsOf(row.planId);
        _judgeGrid(row, start, end);
        Step step = _stepOf(row.planId);
        uint256 skipped = step.wholePeriods(row.nextDue, start, row.anchorDay);
        uint256 missed = step.wholePeriods(start, _now(), row.anchorDay);
        vm.assertLe(missed, terms.catchUp, "Inv-1: no more missed periods than agreed");
        if (skipped > 0) vm.assertEq(missed, terms.catchUp, "no more periods skipped than needed");
        isStub[id] = false;
        _servesUntil(id, start, end);
    }

    /// @dev What is left of a period on the plan's grid.
    function _servesStub(uint256 id, uint256 start, uint256 end) internal {
        vm.assertEq(start, rows[id].nextDue, "Inv-2, Inv-5: it begins where the paid one ended");
        vm.assertLe(start, _now(), "Inv-1: no period is charged before it begins");
        vm.assertTrue(end > _now(), "Inv-1: no stub is charged after it ended");
        isStub[id] = true;
        _servesUntil(id, start, end);
    }

    function _servesUntil(uint256 id, uint256 start, uint256 end) private {
        vm.assertLe(_paidUntil[id], start, "Inv-13: what was paid is served first, whatever was paused");
        rows[id].nextDue = end;
        _paidUntil[id] = end;
        periodStart[id] = start;
        shifted[id] = false;
        uint256 planId = rows[id].planId;
        if (_termsOf(planId).alignTo == 0) return;
        (uint256 before,) = _gridAround(planId, end);
        vm.assertEq(before, end, "Inv-5: on the plan's own grid");
    }

    function _judgeGrid(Subscription storage row, uint256 start, uint256 end) private view {
        Step step = _stepOf(row.planId);
        vm.assertLe(row.nextDue, start, "Inv-2: no period is charged twice");
        vm.assertLe(start, _now(), "Inv-1: no period is charged before it begins");
        uint256 skipped = step.wholePeriods(row.nextDue, start, row.anchorDay);
        vm.assertEq(step.later(row.nextDue, skipped, row.anchorDay), start, "Inv-5: periods start on the grid");
        vm.assertEq(step.later(start, 1, row.anchorDay), end, "Inv-5: periods end on the grid");
    }

    /// @dev A change of plan begins a new period, and a new grid.
    function _restarts(uint256 id, uint256 planId) internal {
        Subscription storage row = rows[id];
        uint256 alignTo = _termsOf(planId).alignTo;
        row.anchorDay = Calendar.dayOfMonth(alignTo > 0 ? alignTo : _now());
        if (alignTo > 0) (, row.nextDue) = _gridAround(planId, _now());
        else row.nextDue = _stepOf(planId).later(_now(), 1, row.anchorDay);
        _paidUntil[id] = row.nextDue;
        periodStart[id] = _now();
        (shifted[id], isStub[id]) = (false, alignTo > 0);
    }

    /// @dev Cancelled while paused: what was left of the paid period is left from now.
    function _onCancelled(uint256 id) internal {
        Subscription storage row = rows[id];
        vm.assertTrue(row.status != Status.Cancelled, "Inv-6: cancelled once");
        if (row.status == Status.Paused) row.nextDue += _now();
        row.status = Status.Cancelled;
    }

    function _onEnding(uint256 id, bytes memory data) internal {
        Subscription storage row = rows[id];
        vm.assertEq(uint256(row.status), uint256(Status.Active), "only an active one ends with its period");
        vm.assertEq(abi.decode(data, (uint256)), row.nextDue, "the paid period is served");
        row.status = Status.Ending;
    }

    function _onPaused(uint256 id, bytes memory data) internal {
        Subscription storage row = rows[id];
        uint256 left = abi.decode(data, (uint256));
        vm.assertTrue(_isInPeriod(id), "Inv-13: no pause is a way around a charge that is due");
        vm.assertEq(left, row.nextDue - _now(), "Inv-13: what is left is kept");
        (row.status, row.nextDue, _pausedAt[id]) = (Status.Paused, left, _now());
    }

    function _onResumed(uint256 id, bytes memory data) internal {
        Subscription storage row = rows[id];
        uint256 due = abi.decode(data, (uint256));
        vm.assertEq(uint256(row.status), uint256(Status.Paused), "Inv-13: only a paused one goes on");
        vm.assertEq(due, _now() + row.nextDue, "Inv-13: it goes on where it stopped");
        _paidUntil[id] += _now() - _pausedAt[id];
        vm.assertEq(due, _paidUntil[id], "Inv-13: as much later as it was paused");
        (row.status, row.nextDue, shifted[id]) = (Status.Active, due, true);
        row.anchorDay = Calendar.dayOfMonth(due);
    }
}
