// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IFunding} from "./interfaces/IFunding.sol";
import {IPayouts} from "./interfaces/IPayouts.sol";
import {TokenCall} from "./libraries/TokenCall.sol";

/// @title Payouts
/// @notice See {IPayouts}.
abstract contract Payouts is IPayouts, ReentrancyGuardTransient {
    mapping(address account => mapping(address token => uint256)) private _claimable;

    /// @inheritdoc IPayouts
    function claim(address account, address token) external nonReentrant {
        uint256 amount = _claimable[account][token];
        if (amount == 0) revert NothingToClaim(account, token);
        _claimable[account][token] = 0;
        emit PayoutClaimed(account, token, amount);
        // With all gas: a receipt that costs more than a payout may would never succeed otherwise.
        if (!SafeERC20.trySafeTransfer(IERC20(token), account, amount)) revert IFunding.TokenRefused(token);
    }

    /// @dev What its receiver cannot receive is kept for them (E07), so that it stops nobody else's part.
    function _payOut(bytes32 id, address token, address to, uint256 amount) internal {
        if (amount == 0 || TokenCall.tryTransfer(token, to, amount)) return;
        _claimable[to][token] += amount;
        emit PayoutKept(to, token, id, amount);
    }

    /// @inheritdoc IPayouts
    function claimable(address account, address token) external view returns (uint256) {
        return _claimable[account][token];
    }
}
