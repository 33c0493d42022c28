// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Calendar
/// @notice Proleptic Gregorian calendar in UTC on Unix timestamps (seconds): just what a billing schedule needs.
/// @dev Algorithms: Cassio Neri and Lorenz Schneider, "Euclidean affine functions and their application to calendar
/// algorithms" (2022). Months are counted from March of year 0, so that the leap day is the last day of its year and no
/// month needs a branch.
///
/// Every function is exact for timestamps below 2^40 (year 36812) and months below 2^20; callers hold these bounds,
/// which is why the arithmetic is unchecked.
library Calendar {
    uint256 internal constant DAY = 86_400;
    /// @dev Days from 1 March of year 0 to 1 January 1970.
    uint256 private constant EPOCH_OFFSET = 719_468;

    /// @notice The day of the month, 1 to 31.
    function dayOfMonth(uint256 timestamp) internal pure returns (uint256 day) {
        (, day) = _monthAndDay(timestamp);
    }

    /// @notice `timestamp` moved by whole months: same time of day, on `anchorDay` or, where the month is shorter, on
    /// its last day.
    function addMonths(uint256 timestamp, uint256 months, uint256 anchorDay) internal pure returns (uint256) {
        unchecked {
            (uint256 month,) = _monthAndDay(timestamp);
            month += months;
            uint256 first = _firstDay(month);
            uint256 day = anchorDay;
            if (day > 28) {
                uint256 last = _firstDay(month + 1) - first;
                if (day > last) day = last;
            }
            return (first + day - 1) * DAY + timestamp % DAY;
        }
    }

    /// @notice Months from the month of `earlier` to the month of `later`, days ignored.
    function monthsApart(uint256 earlier, uint256 later) internal pure returns (uint256) {
        unchecked {
            (uint256 from,) = _monthAndDay(earlier);
            (uint256 to,) = _monthAndDay(later);
            return to - from;
        }
    }

    /// @dev The year is four times the days, plus 3, over 1461; 2,939,745 / 2^32 is 1 / 1461 as exactly as is needed
    /// within a century, and what the shift leaves behind tells the day of the year. In the same way 2141 / 2^16
    /// divides by the length of a month, 30.6 days on average over the five that repeat.
    function _monthAndDay(uint256 timestamp) private pure returns (uint256 month, uint256 day) {
        unchecked {
            uint256 quarters = (timestamp / DAY + EPOCH_OFFSET) * 4 + 3;
            uint256 yearAndRest = 2_939_745 * (quarters % 146_097 | 3);
            uint256 dayOfYear = uint32(yearAndRest) / 11_758_980;
            uint256 monthAndRest = 2141 * dayOfYear + 197_913;
            month = (quarters / 146_097 * 100 + (yearAndRest >> 32)) * 12 + (monthAndRest >> 16) - 3;
            day = uint16(monthAndRest) / 2141 + 1;
        }
    }

    /// @dev Days since 1970 of the first day of a month.
    function _firstDay(uint256 month) private pure returns (uint256) {
        unchecked {
            uint256 year = month / 12;
            uint256 century = year / 100;
            return 1461 * year / 4 - century + century / 4 + (979 * (month % 12) + 18) / 32 - EPOCH_OFFSET;
        }
    }
}
