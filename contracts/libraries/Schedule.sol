// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Calendar} from "./Calendar.sol";

/// @dev One period of a plan: its seconds in the low half, or its calendar months in the high half. One half is zero.
type Step is uint256;

using Schedule for Step global;

/// @title Schedule
/// @notice The grid of due times of a subscription.
/// @dev Every due time is computed from a grid point and the anchor day, so that a short month never moves the grid:
/// 31 January, 28 February, 31 March.
library Schedule {
    function step(uint256 lengthSeconds, uint256 lengthMonths) internal pure returns (Step) {
        return Step.wrap(lengthSeconds | lengthMonths << 128);
    }

    /// @notice The grid point `n` periods after the grid point `due`.
    function later(Step period, uint256 due, uint256 n, uint256 anchorDay) internal pure returns (uint256) {
        // Unchecked: the contract bounds a step to 100 years and n by the elapsed time, all far below 2^256.
        unchecked {
            uint256 months = Step.unwrap(period) >> 128;
            if (months == 0) return due + n * Step.unwrap(period);
            return Calendar.addMonths(due, n * months, anchorDay);
        }
    }

    /// @notice The grid point one period before the grid point `due`.
    function earlier(Step period, uint256 due, uint256 anchorDay) internal pure returns (uint256) {
        return period.later(due, type(uint256).max, anchorDay); // minus one, as sums wrap
    }

    /// @notice Whether a period is counted in calendar months, so that not every one is as long as the next.
    function isCalendar(Step period) internal pure returns (bool) {
        return Step.unwrap(period) >> 128 != 0;
    }

    /// @notice The longest that a period can be, in seconds.
    function longest(Step period) internal pure returns (uint256) {
        unchecked {
            uint256 months = Step.unwrap(period) >> 128;
            return months == 0 ? Step.unwrap(period) : months / 12 * 366 days + months % 12 * 31 days;
        }
    }

    /// @notice The shortest that a period can be, in seconds.
    function shortest(Step period) internal pure returns (uint256) {
        unchecked {
            uint256 months = Step.unwrap(period) >> 128;
            return months == 0 ? Step.unwrap(period) : months / 12 * 365 days + months % 12 * 28 days;
        }
    }

    /// @notice How many whole periods lie in [due, time): the largest n with `later(due, n) <= time`.
    /// @dev `time` must not be before `due`.
    function wholePeriods(Step period, uint256 due, uint256 time, uint256 anchorDay)
        internal
        pure
        returns (uint256 n)
    {
        // Unchecked: time >= due, steps are nonzero, and n is at least 1 where it is decremented, because
        // later(due, 0) is due itself.
        unchecked {
            uint256 months = Step.unwrap(period) >> 128;
            if (months == 0) return (time - due) / Step.unwrap(period);
            n = Calendar.monthsApart(due, time) / months;
            if (later(period, due, n, anchorDay) > time) --n;
        }
    }
}
