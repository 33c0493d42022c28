// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ISwapRouter} from "./interfaces/ISwapRouter.sol";
import {ISwapper} from "./interfaces/ISwapper.sol";
import {TokenCall} from "./libraries/TokenCall.sol";

/// @title UniswapSwapper
/// @notice See {ISwapper}: over Uniswap v3's router. It has no storage and no owner.
///
/// A route is Uniswap's path: tokens of 20 bytes with the fee of the pool between two of them in 3. For an exact output it
/// leads from `tokenOut` back to `tokenIn`, for an exact input from `tokenIn` on.
contract UniswapSwapper is ISwapper, ReentrancyGuardTransient {
    uint256 private constant ADDRESS_SIZE = 20;
    /// @dev A token and a fee.
    uint256 private constant HOP_SIZE = 23;

    ISwapRouter public immutable ROUTER;

    constructor(ISwapRouter router) {
        if (address(router).code.length == 0) revert NotAContract(address(router));
        ROUTER = router;
    }

    /// @inheritdoc ISwapper
    function swapExactOutput(Swap calldata swap) external nonReentrant returns (uint256 used) {
        _requireSound(swap);
        _requireRoute(swap, swap.tokenOut, swap.tokenIn);
        (uint256 brought, uint256 before) = _bring(swap);
        try ROUTER.exactOutput(
            ISwapRouter.ExactOutputParams({
                path: swap.route,
                recipient: swap.receiver,
                deadline: block.timestamp,
                amountOut: swap.amountOut,
                amountInMaximum: swap.amountIn
            })
        ) returns (
            uint256
        ) {} catch (bytes memory reason) {
            revert SwapFailed(reason);
        }
        (used,) = _settle(swap, brought, before);
    }

    /// @inheritdoc ISwapper
    function swapExactInput(Swap calldata swap) external nonReentrant returns (uint256 used, uint256 received) {
        _requireSound(swap);
        _requireRoute(swap, swap.tokenIn, swap.tokenOut);
        (uint256 brought, uint256 before) = _bring(swap);
        try ROUTER.exactInput(
            ISwapRouter.ExactInputParams({
                path: swap.route,
                recipient: swap.receiver,
                deadline: block.timestamp,
                amountIn: swap.amountIn,
                amountOutMinimum: swap.amountOut
            })
        ) returns (
            uint256
        ) {} catch (bytes memory reason) {
            revert SwapFailed(reason);
        }
        return _settle(swap, brought, before);
    }

    /// @dev The router keeps for anyone what it receives, and takes nobody for itself.
    function _requireSound(Swap calldata swap) private view {
        if (swap.amountIn == 0 || swap.amountOut == 0) revert ZeroAmount();
        if (block.timestamp >= swap.validBefore) revert SwapExpired(swap.validBefore, block.timestamp);
        if (swap.tokenIn == swap.tokenOut) revert SameToken(swap.tokenIn);
        address receiver = swap.receiver;
        if (receiver == address(0) || receiver == address(this) || receiver == address(ROUTER)) {
            revert ReceiverRefused(receiver);
        }
    }

    function _requireRoute(Swap calldata swap, address first, address last) private pure {
        bytes calldata route = swap.route;
        uint256 length = route.length;
        if (length < ADDRESS_SIZE + HOP_SIZE || (length - ADDRESS_SIZE) % HOP_SIZE != 0) revert RouteMalformed(length);
        address start = address(bytes20(route));
        address end = address(bytes20(route[length - ADDRESS_SIZE:]));
        if (start == first && end == last) return;
        (address tokenIn, address tokenOut) = first == swap.tokenIn ? (start, end) : (end, start);
        revert AnotherRoute(tokenIn, tokenOut);
    }

    /// @dev The caller's tokens to this contract, and as many of them to the router, if it asks.
    /// @return brought What this contract has of them now.
    /// @return before What the receiver has of the other token.
    function _bring(Swap calldata swap) private returns (uint256 brought, uint256 before) {
        (address token, uint256 amount) = (swap.tokenIn, swap.amountIn);
        uint256 found = _balanceOf(token, address(this));
        if (!SafeERC20.trySafeTransferFrom(IERC20(token), msg.sender, address(this), amount)) _explain(token, amount);
        brought = _balanceOf(token, address(this));
        uint256 received = brought > found ? brought - found : 0;
        if (received < amount) revert AmountMismatch(received, amount);
        SafeERC20.forceApprove(IERC20(token), address(ROUTER), amount);
        before = _balanceOf(swap.tokenOut, swap.receiver);
    }

    /// @dev Both sides by their balances; what is left goes back, and the rest of the allowance with it.
    function _settle(Swap calldata swap, uint256 brought, uint256 before)
        private
        returns (uint256 used, uint256 received)
    {
        uint256 balance = _balanceOf(swap.tokenOut, swap.receiver);
        received = balance > before ? balance - before : 0;
        if (received < swap.amountOut) revert OutputTooLow(received, swap.amountOut);
        uint256 left = _balanceOf(swap.tokenIn, address(this));
        if (left > brought || brought - left > swap.amountIn) revert InputMismatch(left, brought);
        used = brought - left;
        if (used != swap.amountIn) SafeERC20.forceApprove(IERC20(swap.tokenIn), address(ROUTER), 0);
        if (left != 0) SafeERC20.safeTransfer(IERC20(swap.tokenIn), msg.sender, left);
        emit Swapped(msg.sender, swap.tokenIn, swap.tokenOut, swap.receiver, used, received);
    }

    function _explain(address token, uint256 amount) private view {
        (bool ok, uint256 found) = TokenCall.tryAllowance(token, msg.sender, address(this), gasleft());
        if (ok && found < amount) revert AllowanceTooLow(found, amount);
        (ok, found) = TokenCall.tryBalanceOf(token, msg.sender, gasleft());
        if (ok && found < amount) revert BalanceTooLow(found, amount);
        revert TokenRefused(token);
    }

    function _balanceOf(address token, address account) private view returns (uint256 balance) {
        bool ok;
        (ok, balance) = TokenCall.tryBalanceOf(token, account, gasleft());
        if (!ok) revert TokenRefused(token);
    }
}
