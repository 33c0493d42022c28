// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IDepositCollector} from "../interfaces/IDepositCollector.sol";

/// @notice Brings deposits from what it has, or less than it should, and first makes the call that `collectorData` tells:
/// abi.encode(address target, bytes data), whose outcome it keeps.
contract MockDepositCollector is IDepositCollector {
    /// @notice How much less than asked for it brings.
    uint256 public shortBy;
    /// @notice What it was asked for last.
    bytes32 public channelId;
    address public payer;
    bool public detourSucceeded;
    bytes public detourAnswer;

    function setShortBy(uint256 units) external {
        shortBy = units;
    }

    function collect(address payer_, address token, uint256 amount, bytes32 id, bytes calldata collectorData) external {
        (channelId, payer) = (id, payer_);
        if (collectorData.length != 0) {
            (address target, bytes memory data) = abi.decode(collectorData, (address, bytes));
            (detourSucceeded, detourAnswer) = target.call(data);
        }
        if (amount > shortBy) require(IERC20(token).transfer(msg.sender, amount - shortBy), "refused");
    }
}
