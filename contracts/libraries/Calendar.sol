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
        unchecked {
            day = uint16(_monthAndRest(timestamp)) / 2141 + 1; // days of the month that are over, and this one
        }
    }

    /// @notice `timestamp` moved by whole months: same time of day, on `anchorDay` or, where the month is shorter, on
    /// its last day.
    function addMonths(uint256 timestamp, uint256 months, uint256 anchorDay) internal pure returns (uint256) {
        unchecked {
            uint256 month = (_monthAndRest(timestamp) >> 16) + months;
            uint256 before = _dayBefore(month);
            uint256 day = anchorDay;
            if (day > 28) {
                uint256 last = _dayBefore(month + 1) - before;
                if (day > last) day = last;
            }
            return (before + day) * DAY + timestamp % DAY;
        }
    }

    /// @notice Months from the month of `earlier` to the month of `later`, days ignored.
    function monthsApart(uint256 earlier, uint256 later) internal pure returns (uint256) {
        unchecked {
            return (_monthAndRest(later) >> 16) - (_monthAndRest(earlier) >> 16);
        }
    }

    /// @dev The month, and in the low 16 bits what tells the day. In one number: most callers need the month alone.
    ///
    /// The year is four times the days, plus 3, over 1461; 2,939,745 / 2^32 is 1 / 1461 as exactly as is needed within
    /// a century, and what the shift leaves behind tells the day of the year. In the same way 2141 / 2^16 divides by
    /// the length of a month, 30.6 days on average over the five that repeat; 1305 makes the first one number 0.
    function _monthAndRest(uint256 timestamp) private pure returns (uint256) {
        unchecked {
            uint256 quarters = (timestamp / DAY + EPOCH_OFFSET) * 4 + 3;
            uint256 yearAndRest = 2_939_745 * (quarters % 146_097 | 3);
            uint256 dayOfYear = uint32(yearAndRest) / 11_758_980;
            uint256 year = quarters / 146_097 * 100 + (yearAndRest >> 32);
            return (year * 12 << 16) + 2141 * dayOfYear + 1305;
        }
    }

    /// @dev Days since 1970 of the day before the first of a month. Before 1970 it wraps, as sums with it do.
    function _dayBefore(uint256 month) private pure returns (uint256) {
        unchecked {
            uint256 year = month / 12;
            uint256 century = year / 100;
            return 1461 * year / 4 - century + century / 4 + (979 * (month % 12) + 18) / 32 - EPOCH_OFFSET - 1;
        }
    }
}
