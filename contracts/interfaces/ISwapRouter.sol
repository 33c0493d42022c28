// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title ISwapRouter
/// @notice What we use of Uniswap v3's router (https://github.com/Uniswap/v3-periphery), the one that takes a deadline.
interface ISwapRouter {
    struct ExactInputParams {
        bytes path;
        address recipient;
        uint256 deadline;
        uint256 amountIn;
        uint256 amountOutMinimum;
    }

    struct ExactOutputParams {
        bytes path;
        address recipient;
        uint256 deadline;
        uint256 amountOut;
        uint256 amountInMaximum;
    }

    function exactInput(ExactInputParams calldata params) external payable returns (uint256 amountOut);

    function exactOutput(ExactOutputParams calldata params) external payable returns (uint256 amountIn);
}
