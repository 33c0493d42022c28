// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IPayouts
/// @notice What a contract pays and its receiver cannot receive: it is kept, for that account alone.
interface IPayouts {
    /// @notice The account could not receive what it was paid; the contract keeps it until `claim`.
    event PayoutKept(address indexed account, address indexed token, bytes32 indexed paymentId, uint256 amount);
    event PayoutClaimed(address indexed account, address indexed token, uint256 amount);

    error NothingToClaim(address account, address token);

    /// @notice Pays what the contract keeps for an account, to that account.
    function claim(address account, address token) external;

    function claimable(address account, address token) external view returns (uint256);
}
