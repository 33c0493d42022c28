// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ICollector} from "../interfaces/ICollector.sol";

/// @notice Brings the money of payments from what it has, or less than it should, and makes a call of one's choice on the
/// way, whose outcome it keeps.
contract MockCollector is ICollector {
    /// @notice How much less than asked for it brings.
    uint256 public shortBy;
    /// @notice What it was asked for last.
    bytes32 public paymentId;
    address public payer;
    bool public detourSucceeded;
    bytes public detourAnswer;
    address private _detour;
    bytes private _detourCall;

    function setShortBy(uint256 units) external {
        shortBy = units;
    }

    /// @notice Calls `target` with `data` before it brings anything.
    function setDetour(address target, bytes calldata data) external {
        (_detour, _detourCall) = (target, data);
    }

    function execute(address target, bytes calldata data) external returns (bytes memory answer) {
        bool ok;
        (ok, answer) = target.call(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }

    function collect(bytes32 id, address token, address payer_, uint256 amount) external {
        (paymentId, payer) = (id, payer_);
        if (_detour != address(0)) (detourSucceeded, detourAnswer) = _detour.call(_detourCall);
        if (amount > shortBy) require(IERC20(token).transfer(msg.sender, amount - shortBy), "refused");
    }
}
