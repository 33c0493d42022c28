// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IArbitrator
/// @notice A court, as ERC-792 has it (https://eips.ethereum.org/EIPS/eip-792): what we use of it.
interface IArbitrator {
    /// @notice Opens a dispute of the caller, who pays at least `arbitrationCost` for it.
    /// @param choices How many rulings there are, from 1 on; 0 is a refusal to rule.
    function createDispute(uint256 choices, bytes calldata extraData) external payable returns (uint256 disputeId);

    /// @notice In wei.
    function arbitrationCost(bytes calldata extraData) external view returns (uint256);
}

/// @title IArbitrable
/// @notice Who asks a court, as ERC-792 has it.
interface IArbitrable {
    event Ruling(IArbitrator indexed arbitrator, uint256 indexed disputeId, uint256 ruling);

    /// @notice The court's ruling; called by the court.
    function rule(uint256 disputeId, uint256 ruling) external;
}
