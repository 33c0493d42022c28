// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Calendar} from "../libraries/Calendar.sol";
import {Schedule, Step} from "../libraries/Schedule.sol";

/// @notice The schedule's libraries by the array, so that a test can compare thousands of dates in a call.
contract ScheduleHarness {
    struct Question {
        uint256 lengthSeconds;
        uint256 lengthMonths;
        uint256 due;
        uint256 periods;
        uint256 anchorDay;
        uint256 time;
    }

    /// @return later For each question the grid point `periods` after `due`.
    /// @return wholePeriods How many whole periods lie in [due, time).
    function answer(Question[] calldata questions)
        external
        pure
        returns (uint256[] memory later, uint256[] memory wholePeriods)
    {
        later = new uint256[](questions.length);
        wholePeriods = new uint256[](questions.length);
        for (uint256 i = 0; i < questions.length; ++i) {
            Question calldata q = questions[i];
            Step step = Schedule.step(q.lengthSeconds, q.lengthMonths);
            later[i] = step.later(q.due, q.periods, q.anchorDay);
            wholePeriods[i] = step.wholePeriods(q.due, q.time, q.anchorDay);
        }
    }

    function daysOfMonth(uint256[] calldata timestamps) external pure returns (uint256[] memory found) {
        found = new uint256[](timestamps.length);
        for (uint256 i = 0; i < timestamps.length; ++i) {
            found[i] = Calendar.dayOfMonth(timestamps[i]);
        }
    }
}
