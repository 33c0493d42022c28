// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Calendar} from "../../contracts/libraries/Calendar.sol";
import {Schedule, Step} from "../../contracts/libraries/Schedule.sol";
import {Forge} from "./Forge.sol";

/// @notice What holds for every schedule. Against a calendar: tests/contracts/test_schedule.py.
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

    /// @dev What is left of a paid period is measured by where it began.
    function testFuzz_E31_one_period_earlier_is_where_it_began(uint256 start, uint256 length, bool months, uint256 n)
        public
        pure
    {
        (Step step, uint256 due, uint256 anchorDay) = _schedule(start, length, months);
        uint256 begun = step.later(due, bound(n, 0, 400), anchorDay);
        uint256 end = step.later(begun, 1, anchorDay);
        vm.assertEq(step.earlier(end, anchorDay), begun, "earlier undoes later");
        vm.assertLe(end - begun, step.longest(), "no period is longer than the longest");
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
