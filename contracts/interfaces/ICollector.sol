// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title ICollector
/// @notice A contract that authorizes payments with money that it brings itself: {IEscrow} asks it for them, and
/// measures what came.
interface ICollector {
    /// @notice Moves `amount` of `token` to the caller, now. Called by the escrow within `authorize`.
    /// @param paymentId The payment that it is for.
    function collect(bytes32 paymentId, address token, address payer, uint256 amount) external;
}
