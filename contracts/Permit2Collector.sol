// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IDepositCollector} from "./interfaces/IDepositCollector.sol";
import {DepositFunding} from "./libraries/DepositFunding.sol";

/// @title Permit2Collector
/// @notice Brings deposits by Permit2, as x402's clients sign them: a SignatureTransfer of which this contract is the
/// spender, with `DepositWitness(bytes32 channelId)` as the witness. The money does not pass through it.
contract Permit2Collector is IDepositCollector {
    /// @notice The contract that its deposits go to, and which alone may ask for them.
    address public immutable channels;

    error NotAuthorized(address caller);

    constructor(address channels_) {
        channels = channels_;
    }

    /// @inheritdoc IDepositCollector
    /// @param collectorData abi.encode(uint256 nonce, uint256 deadline, bytes signature, bytes permit); see
    /// {DepositFunding-byPermit2}.
    function collect(address payer, address token, uint256 amount, bytes32 channelId, bytes calldata collectorData)
        external
    {
        if (msg.sender != channels) revert NotAuthorized(msg.sender);
        DepositFunding.byPermit2(token, payer, msg.sender, amount, channelId, collectorData);
    }
}
