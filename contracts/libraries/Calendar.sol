// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Calendar
/// @notice Proleptic Gregorian calendar in UTC on Unix timestamps (seconds): just what a billing schedule needs.
/// @dev Algorithms: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". Months are counted from March of
/// year 0, so that the leap day is the last day of its year and no month needs a branch.
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

    function _monthAndDay(uint256 timestamp) private pure returns (uint256 month, uint256 day) {
        unchecked {
            uint256 shifted = timestamp / DAY + EPOCH_OFFSET;
            uint256 dayOfEra = shifted % 146_097;
            uint256 yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365;
            uint256 dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
            uint256 monthOfYear = (5 * dayOfYear + 2) / 153;
            month = (shifted / 146_097 * 400 + yearOfEra) * 12 + monthOfYear;
            day = dayOfYear - (153 * monthOfYear + 2) / 5 + 1;
        }
    }

    /// @dev Days since 1970 of the first day of a month.
    function _firstDay(uint256 month) private pure returns (uint256) {
        unchecked {
            uint256 year = month / 12;
            return 365 * year + year / 4 - year / 100 + year / 400 + (153 * (month % 12) + 2) / 5 - EPOCH_OFFSET;
        }
    }
}
