// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice Numbers of up to 768 bits, by hand: what the contracts work out is held against them.
library Big {
    uint256 private constant LIMBS = 24; // of 32 bits each, the lowest first
    uint256 private constant BASE = 1 << 32;

    function number(uint256 value) internal pure returns (uint256[LIMBS] memory limbs) {
        for (uint256 i = 0; i < 8; ++i) {
            limbs[i] = value % BASE;
            value /= BASE;
        }
    }

    function times(uint256[LIMBS] memory one, uint256 value) internal pure returns (uint256[LIMBS] memory product) {
        uint256[LIMBS] memory other = number(value);
        for (uint256 i = 0; i < LIMBS; ++i) {
            uint256 carry = 0;
            for (uint256 j = 0; i + j < LIMBS; ++j) {
                uint256 sum = product[i + j] + one[i] * other[j] + carry;
                (product[i + j], carry) = (sum % BASE, sum / BASE);
            }
            require(carry == 0, "768 bits are too few");
        }
    }

    function isBelow(uint256[LIMBS] memory one, uint256[LIMBS] memory other) internal pure returns (bool) {
        for (uint256 i = LIMBS; i > 0; --i) {
            if (one[i - 1] != other[i - 1]) return one[i - 1] < other[i - 1];
        }
        return false;
    }
}
