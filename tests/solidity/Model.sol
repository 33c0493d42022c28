// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISubscriptions} from "../../contracts/interfaces/ISubscriptions.sol";
import {Calendar} from "../../contracts/libraries/Calendar.sol";
import {Schedule, Step} from "../../contracts/libraries/Schedule.sol";
import {Vm} from "./Forge.sol";
import {Market} from "./Market.sol";

/// @notice The contract's state rebuilt from its events alone, as an indexer would; every event is judged on the way.
abstract contract Model is Market {
    struct Row {
        address payer;
        uint256 planId;
        uint256 nextDue;
        uint256 charges;
        ISubscriptions.Status status;
        uint256 anchorDay;
    }

    ISubscriptions.PlanTerms[] internal plans; // plan n at n - 1
    Row[] internal rows; // subscription n at n - 1
    mapping(address payer => mapping(uint256 planId => uint256)) internal consents;
    /// @dev E25, counted by the clock alone: the end of the last charged period, moved on by the time of each pause.
    mapping(uint256 subscriptionId => uint256) private _paidUntil;
    mapping(uint256 subscriptionId => uint256) private _pausedAt;
    mapping(uint256 subscriptionId => mapping(uint256 chargeNumber => uint256)) private _refunded;
    mapping(address payee => mapping(address token => ISubscriptions.ControlTotals)) private _totals;

    // ------------------------------------------------------------------- time

    /// @dev To a boundary of a subscription's periods, or to the second before or after it.
    function passToBoundary(uint256 seed, uint256 periods, uint256 offset) external {
        Row storage row = rows[bound(seed, 1, rows.length) - 1];
        Step step = _stepOf(plans[row.planId - 1]);
        // Of a paused one: where its period would end if it went on now.
        uint256 due = row.status == ISubscriptions.Status.Paused ? _now() + row.nextDue : row.nextDue;
        _passTo(step.later(due, bound(periods, 0, 3), row.anchorDay) + bound(offset, 0, 2) - 1);
    }

    // ----------------------------------------------------------------- events

    /// @dev Takes in what a call that succeeded has emitted.
    function _follow() internal {
        Vm.Log[] memory logs = _ownLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            _take(logs[i]);
        }
    }

    /// @dev Forge also records what a frame emitted that was undone later. Looking back from the end, the first event that
    /// tells what became of a row is the one that counts.
    function _followCharge(uint256[] memory ids, bytes memory reasons) internal {
        vm.assertEq(reasons.length, ids.length, "a reason for each row");
        Vm.Log[] memory logs = _ownLogs();
        Vm.Log[] memory told = new Vm.Log[](ids.length);
        uint256 left = logs.length;
        uint256 row = ids.length;
        while (row > 0) {
            --row;
            do {
                vm.assertTrue(left > 0, "an event for each row");
                told[row] = logs[--left];
            } while (!_tells(told[row], ids[row], uint8(reasons[row])));
        }
        for (; row < ids.length; ++row) {
            _take(told[row]);
        }
    }

    function _tells(Vm.Log memory log, uint256 id, uint8 reason) private pure returns (bool) {
        if (uint256(log.topics[1]) != id) return false;
        if (log.topics[0] == ISubscriptions.Charged.selector) return reason == 0;
        (, uint8 found) = abi.decode(log.data, (uint256, uint8));
        return log.topics[0] == ISubscriptions.Declined.selector && found == reason;
    }

    /// @dev The call failed: nothing that it emitted happened.
    function _forget() internal {
        vm.getRecordedLogs();
    }

    function _take(Vm.Log memory log) private {
        bytes32 kind = log.topics[0];
        uint256 id = uint256(log.topics[1]);
        if (kind == ISubscriptions.Subscribed.selector) _onSubscribed(id, log);
        if (kind == ISubscriptions.Charged.selector) _onCharged(id, log.data);
        if (kind == ISubscriptions.Declined.selector) _onDeclined(id, log.data);
        if (kind == ISubscriptions.Cancelled.selector) _onCancelled(rows[id - 1]);
        if (kind == ISubscriptions.CancellationScheduled.selector) rows[id - 1].status = ISubscriptions.Status.Ending;
        if (kind == ISubscriptions.Paused.selector) _onPaused(id, log.data);
        if (kind == ISubscriptions.Resumed.selector) _onResumed(id, log.data);
        if (kind == ISubscriptions.Refunded.selector) _onRefunded(id, log.data);
    }

    function _ownLogs() private returns (Vm.Log[] memory logs) {
        logs = vm.getRecordedLogs();
        uint256 count;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == address(subscriptions)) logs[count++] = logs[i];
        }
        assembly ("memory-safe") {
            mstore(logs, count)
        }
    }

    function _onSubscribed(uint256 id, Vm.Log memory log) private {
        vm.assertEq(id, rows.length + 1, "subscriptions are numbered without gaps");
        address payer = address(uint160(uint256(log.topics[2])));
        uint256 planId = uint256(log.topics[3]);
        // Inv-1: nothing begins without the payer's consent to this plan.
        vm.assertTrue(consents[payer][planId] > 0, "consent");
        --consents[payer][planId];
        vm.assertEq(abi.decode(log.data, (uint256)), _now(), "first due now");
        rows.push(Row(payer, planId, _now(), 0, ISubscriptions.Status.Active, Calendar.dayOfMonth(_now())));
    }

    function _onCharged(uint256 id, bytes memory data) private {
        (uint256 chargeNumber, uint256 start, uint256 end, uint256 amount) =
            abi.decode(data, (uint256, uint256, uint256, uint256));
        Row storage row = rows[id - 1];
        ISubscriptions.PlanTerms memory terms = plans[row.planId - 1];
        vm.assertEq(amount, terms.price, "Inv-1: the price agreed to");
        vm.assertEq(uint256(row.status), uint256(ISubscriptions.Status.Active), "Inv-6: neither cancelled nor paused");
        vm.assertEq(chargeNumber, row.charges + 1, "charges are numbered without gaps");
        _judgePeriod(row, terms, start, end);
        vm.assertLe(_paidUntil[id], start, "Inv-13: what was paid is served first, whatever was paused");

        (row.charges, row.nextDue) = (chargeNumber, end);
        _paidUntil[id] = end;
        ISubscriptions.Total storage total = _totals[terms.payee][terms.token].charges;
        (total.count, total.sum) = (total.count + 1, total.sum + uint192(amount));
        _moved(terms.token, row.payer, terms.payee, amount);
    }

    function _judgePeriod(Row storage row, ISubscriptions.PlanTerms memory terms, uint256 start, uint256 end)
        private
        view
    {
        Step step = _stepOf(terms);
        vm.assertLe(row.nextDue, start, "Inv-2: no period is charged twice");
        vm.assertLe(start, _now(), "Inv-1: no period is charged before it begins");
        uint256 skipped = step.wholePeriods(row.nextDue, start, row.anchorDay);
        vm.assertEq(step.later(row.nextDue, skipped, row.anchorDay), start, "Inv-5: periods start on the grid");
        vm.assertEq(step.later(start, 1, row.anchorDay), end, "Inv-5: periods end on the grid");
        uint256 missed = step.wholePeriods(start, _now(), row.anchorDay);
        vm.assertLe(missed, terms.catchUp, "Inv-1: no more missed periods than agreed");
        if (skipped > 0) vm.assertEq(missed, terms.catchUp, "no more periods skipped than needed");
    }

    /// @dev Cancelled while paused: what was left of the paid period is left from now.
    function _onCancelled(Row storage row) private {
        if (row.status == ISubscriptions.Status.Paused) row.nextDue += _now();
        row.status = ISubscriptions.Status.Cancelled;
    }

    function _onPaused(uint256 id, bytes memory data) private {
        Row storage row = rows[id - 1];
        uint256 left = abi.decode(data, (uint256));
        vm.assertEq(uint256(row.status), uint256(ISubscriptions.Status.Active), "Inv-13: only an active one is paused");
        vm.assertTrue(row.nextDue > _now(), "Inv-13: no pause is a way around a charge that is due");
        vm.assertEq(left, row.nextDue - _now(), "Inv-13: what is left is kept");
        (row.status, row.nextDue, _pausedAt[id]) = (ISubscriptions.Status.Paused, left, _now());
    }

    function _onResumed(uint256 id, bytes memory data) private {
        Row storage row = rows[id - 1];
        uint256 due = abi.decode(data, (uint256));
        vm.assertEq(uint256(row.status), uint256(ISubscriptions.Status.Paused), "Inv-13: only a paused one goes on");
        vm.assertEq(due, _now() + row.nextDue, "Inv-13: it goes on where it stopped");
        _paidUntil[id] += _now() - _pausedAt[id];
        vm.assertEq(due, _paidUntil[id], "Inv-13: as much later as it was paused");
        (row.status, row.nextDue) = (ISubscriptions.Status.Active, due);
        row.anchorDay = Calendar.dayOfMonth(due);
    }

    function _onDeclined(uint256 id, bytes memory data) private view {
        (uint256 due, ISubscriptions.DeclineReason reason) = abi.decode(data, (uint256, ISubscriptions.DeclineReason));
        if (reason == ISubscriptions.DeclineReason.Unknown) {
            vm.assertTrue(id == 0 || id > rows.length, "unknown");
            return;
        }
        Row storage row = rows[id - 1];
        vm.assertEq(due, row.nextDue, "what was due");
        bool early = reason == ISubscriptions.DeclineReason.NotDue;
        bool active = row.status == ISubscriptions.Status.Active;
        if (active) vm.assertTrue(early == (_now() < row.nextDue), "not due");
        bool paused = row.status == ISubscriptions.Status.Paused;
        vm.assertTrue(paused == (reason == ISubscriptions.DeclineReason.Paused), "paused");
        bool ended =
            reason == ISubscriptions.DeclineReason.Cancelled || reason == ISubscriptions.DeclineReason.Ended;
        vm.assertTrue(ended == !(active || paused), "ended");
    }

    function _onRefunded(uint256 id, bytes memory data) private {
        (uint256 chargeNumber, uint256 amount) = abi.decode(data, (uint256, uint256));
        Row storage row = rows[id - 1];
        ISubscriptions.PlanTerms memory terms = plans[row.planId - 1];
        vm.assertTrue(chargeNumber > 0 && chargeNumber <= row.charges, "Inv-8: a charge that was made");
        _refunded[id][chargeNumber] += amount;
        vm.assertLe(_refunded[id][chargeNumber], terms.price, "Inv-8: refunds within the charge");
        ISubscriptions.Total storage total = _totals[terms.payee][terms.token].refunds;
        (total.count, total.sum) = (total.count + 1, total.sum + uint192(amount));
        _moved(terms.token, terms.payee, row.payer, amount);
    }

    // ------------------------------------------------------------- comparison

    /// @dev The contract's state is what its events say, neither more nor less.
    function _assertStateIsThatOfTheEvents() internal view {
        vm.assertEq(subscriptions.planCount(), plans.length, "plans");
        vm.assertEq(subscriptions.subscriptionCount(), rows.length, "subscriptions");
        for (uint256 i = 0; i < rows.length; ++i) {
            vm.assertEq(
                keccak256(abi.encode(subscriptions.subscription(i + 1))), keccak256(abi.encode(rows[i])), "subscription"
            );
            for (uint256 n = 1; n <= rows[i].charges; ++n) {
                vm.assertEq(subscriptions.refunded(i + 1, n), _refunded[i + 1][n], "refunded");
            }
        }
    }

    /// @dev Inv-9: plans never change.
    function _assertPlansNeverChange() internal view {
        for (uint256 i = 0; i < plans.length; ++i) {
            bytes32 terms = keccak256(abi.encode(plans[i]));
            vm.assertEq(subscriptions.termsHash(i + 1), terms, "terms");
            vm.assertEq(keccak256(abi.encode(subscriptions.plan(i + 1))), terms, "plan");
        }
    }

    /// @dev Inv-4: control totals are the sums of the events.
    function _assertControlTotalsAreTheEvents() internal view {
        for (uint256 i = 0; i < PAYEES; ++i) {
            for (uint256 t = 0; t < TOKENS; ++t) {
                bytes memory found = abi.encode(subscriptions.controlTotals(payees[i], tokens[t]));
                vm.assertEq(keccak256(found), keccak256(abi.encode(_totals[payees[i]][tokens[t]])), "control totals");
            }
        }
    }

    function _stepOf(ISubscriptions.PlanTerms memory terms) private pure returns (Step) {
        if (terms.unit == ISubscriptions.Unit.Month) return Schedule.step(0, terms.every);
        if (terms.unit == ISubscriptions.Unit.Year) return Schedule.step(0, 12 * uint256(terms.every));
        if (terms.unit == ISubscriptions.Unit.Week) return Schedule.step(7 days * uint256(terms.every), 0);
        if (terms.unit == ISubscriptions.Unit.Day) return Schedule.step(1 days * uint256(terms.every), 0);
        return Schedule.step(terms.every, 0);
    }
}
