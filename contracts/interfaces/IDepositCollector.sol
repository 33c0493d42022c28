// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IDepositCollector
/// @notice A way in which money comes into a channel, as x402 has it: whoever makes a deposit names the collector, and
/// {IChannels} trusts it with nothing and measures what came.
interface IDepositCollector {
    /// @notice Brings `amount` of `token` to the caller, now. Called by the channels' contract within `deposit`.
    /// @param payer The channel's payer, whose money it is by what is in `collectorData`.
    /// @param channelId What the payer's consent must name.
    function collect(address payer, address token, uint256 amount, bytes32 channelId, bytes calldata collectorData)
        external;
}
