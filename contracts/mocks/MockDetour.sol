// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ISwapper} from "../interfaces/ISwapper.sol";

/// @notice Stands in for a swapper: gives what is wanted of its own, takes nothing, and makes a call of one's choice on
/// the way, whose outcome it keeps.
contract MockDetour {
    bool public detourSucceeded;
    bytes public detourAnswer;
    address private _detour;
    bytes private _detourCall;

    function setDetour(address target, bytes calldata data) external {
        (_detour, _detourCall) = (target, data);
    }

    function swapExactOutput(ISwapper.Swap calldata swap) external returns (uint256) {
        (detourSucceeded, detourAnswer) = _detour.call(_detourCall);
        require(IERC20(swap.tokenOut).transfer(swap.receiver, swap.amountOut), "refused");
        return 0;
    }
}
