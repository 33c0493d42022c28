// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Calendar} from "../../contracts/libraries/Calendar.sol";
import {Schedule, Step} from "../../contracts/libraries/Schedule.sol";
import {SubscriptionSlot, SubscriptionSlots} from "../../contracts/libraries/SubscriptionSlot.sol";
import {ISubscriptions} from "../../contracts/interfaces/ISubscriptions.sol";
import {Forge} from "./Forge.sol";

/// @notice What holds for every schedule and every packed slot. Against a calendar: tests/contracts/test_schedule.py.
contract ScheduleTest is Forge {
    uint256 private constant LAST_START = 2 ** 40 - 1001 * 366 days;

    function testFuzz_E21_grid_points_add_up(uint256 start, uint256 length, bool months, uint256 n, uint256 m)
        public
        pure
    {
        (Step step, uint256 due, uint256 anchorDay) = _schedule(start, length, months);
        (n, m) = (bound(n, 0, 400), bound(m, 0, 400));
        uint256 together = step.later(due, n + m, anchorDay);
        vm.assertEq(step.later(step.later(due, n, anchorDay), m, anchorDay), together, "n, then m");
        if (m > 0) vm.assertTrue(step.later(due, n, anchorDay) < together, "later is later");
    }

    function testFuzz_E20_periods_are_half_open(uint256 start, uint256 length, bool months, uint256 n) public pure {
        (Step step, uint256 due, uint256 anchorDay) = _schedule(start, length, months);
        n = bound(n, 1, 400);
        uint256 end = step.later(due, n, anchorDay);
        vm.assertEq(step.wholePeriods(due, end - 1, anchorDay), n - 1, "a second before");
        vm.assertEq(step.wholePeriods(due, end, anchorDay), n, "at the boundary");
        uint256 next = step.later(due, n + 1, anchorDay);
        vm.assertEq(step.wholePeriods(due, end + 1, anchorDay), end + 1 == next ? n + 1 : n, "a second after");
    }

    function testFuzz_E22_whole_periods_is_the_largest(uint256 start, uint256 length, bool months, uint256 elapsed)
        public
        pure
    {
        (Step step, uint256 due, uint256 anchorDay) = _schedule(start, length, months);
        uint256 time = due + bound(elapsed, 0, 400 * 366 days);
        uint256 n = step.wholePeriods(due, time, anchorDay);
        vm.assertLe(step.later(due, n, anchorDay), time, "begun");
        vm.assertTrue(step.later(due, n + 1, anchorDay) > time, "not over");
    }

    function testFuzz_E24_the_day_is_the_anchor_or_the_last_of_a_short_month(uint256 start, uint256 n) public pure {
        (Step step, uint256 due, uint256 anchorDay) = _schedule(start, 1, true);
        uint256 later = step.later(due, bound(n, 0, 5_000), anchorDay);
        uint256 day = Calendar.dayOfMonth(later);
        vm.assertEq(later % 1 days, due % 1 days, "time of day");
        if (day == anchorDay) return;
        vm.assertTrue(day < anchorDay, "clamped");
        vm.assertEq(Calendar.dayOfMonth(later + 1 days), 1, "the month's last day");
    }

    function testFuzz_a_slot_gives_back_what_was_put_in(
        address payer,
        uint32 planId,
        uint40 nextDue,
        uint256 anchorDay,
        uint40 later,
        uint16 charges,
        uint256 status
    ) public pure {
        anchorDay = bound(anchorDay, 1, 31);
        ISubscriptions.Status set = ISubscriptions.Status(bound(status, 0, 3));
        SubscriptionSlot slot = SubscriptionSlots.open(payer, planId, nextDue, anchorDay);
        _assertSlot(slot, payer, planId, nextDue, 1, anchorDay, ISubscriptions.Status.Active);
        slot = slot.withStatus(set);
        _assertSlot(slot, payer, planId, nextDue, 1, anchorDay, set);
        slot = slot.advance(later, charges);
        _assertSlot(slot, payer, planId, later, charges, anchorDay, set);
        slot = slot.withDue(nextDue, 32 - anchorDay);
        _assertSlot(slot, payer, planId, nextDue, charges, 32 - anchorDay, set);
    }

    function _assertSlot(
        SubscriptionSlot slot,
        address payer,
        uint256 planId,
        uint256 nextDue,
        uint256 charges,
        uint256 anchorDay,
        ISubscriptions.Status status
    ) private pure {
        vm.assertEq(slot.payer(), payer, "payer");
        vm.assertEq(slot.planId(), planId, "plan");
        vm.assertEq(slot.nextDue(), nextDue, "next due");
        vm.assertEq(slot.charges(), charges, "charges");
        vm.assertEq(slot.anchorDay(), anchorDay, "anchor day");
        vm.assertEq(uint256(slot.status()), uint256(status), "status");
        vm.assertTrue(slot.isActive() == (status == ISubscriptions.Status.Active), "active");
    }

    /// @dev A step of up to 100 years, a grid point and its anchor day, within the range that the contract keeps.
    function _schedule(uint256 start, uint256 length, bool months)
        private
        pure
        returns (Step step, uint256 due, uint256 anchorDay)
    {
        due = bound(start, 0, LAST_START);
        anchorDay = Calendar.dayOfMonth(due);
        step = months ? Schedule.step(0, bound(length, 1, 30)) : Schedule.step(bound(length, 1, 366 days), 0);
    }
}
