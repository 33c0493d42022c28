// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title ICollector
/// @notice A contract that pays with money that it brings itself: {IEscrow}, {ICheckout} and {IChannels} ask it for what
/// it pays, and measure what came.
interface ICollector {
    /// @notice Moves `amount` of `token` to the caller, now. Called by the contract that is being paid.
    /// @param paymentId The payment, quote or channel that it is for.
    function collect(bytes32 paymentId, address token, address payer, uint256 amount) external;
}
