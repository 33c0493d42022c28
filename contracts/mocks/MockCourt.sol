// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IArbitrable, IArbitrator} from "../interfaces/IArbitrator.sol";

/// @notice A court for tests: whoever asks it decides.
contract MockCourt is IArbitrator {
    uint256 public cost = 0.01 ether;
    uint256 public disputes;
    mapping(uint256 disputeId => address) public arbitrables;
    mapping(uint256 disputeId => uint256) public choices;

    error Underpaid(uint256 found, uint256 needed);

    function setCost(uint256 cost_) external {
        cost = cost_;
    }

    function arbitrationCost(bytes calldata) external view returns (uint256) {
        return cost;
    }

    function createDispute(uint256 choices_, bytes calldata) external payable returns (uint256 disputeId) {
        if (msg.value < cost) revert Underpaid(msg.value, cost);
        disputeId = ++disputes;
        arbitrables[disputeId] = msg.sender;
        choices[disputeId] = choices_;
    }

    function giveRuling(uint256 disputeId, uint256 ruling) external {
        IArbitrable(arbitrables[disputeId]).rule(disputeId, ruling);
    }
}
