// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice Makes two calls in one transaction, and keeps what became of them.
contract CallTwice {
    bool public firstSucceeded;
    bool public secondSucceeded;
    /// @notice The second's.
    bytes public answer;

    function run(address target, bytes calldata first, bytes calldata second) external {
        (firstSucceeded,) = target.call(first);
        (secondSucceeded, answer) = target.call(second);
    }
}
