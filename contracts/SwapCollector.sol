// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICheckout} from "./interfaces/ICheckout.sol";
import {ICollector} from "./interfaces/ICollector.sol";
import {IFunding} from "./interfaces/IFunding.sol";
import {ISwapCollector} from "./interfaces/ISwapCollector.sol";
import {ISwapper} from "./interfaces/ISwapper.sol";
import {PaymentFunding} from "./libraries/PaymentFunding.sol";

/// @title SwapCollector
/// @notice See {ISwapCollector}. It has no storage and no owner.
contract SwapCollector is ISwapCollector, ReentrancyGuardTransient {
    ICheckout public immutable CHECKOUT;

    /// @dev Of the payment that is made, which waits in transient storage for the checkout to ask for the money.
    uint256 private transient _length;

    constructor(ICheckout checkout) {
        CHECKOUT = checkout;
    }

    /// @inheritdoc ISwapCollector
    function payQuote(ICheckout.Quote calldata quote, bytes calldata merchantSignature, Payment calldata payment)
        external
        nonReentrant
        returns (bytes32)
    {
        if (payment.permit.length != 0) PaymentFunding.tryPermit(payment.tokenIn, msg.sender, payment.permit);
        _keep(abi.encode(payment.swapper, payment.tokenIn, payment.mostIn, uint256(quote.validBefore), payment.route));
        return CHECKOUT.pay(quote, merchantSignature, msg.sender, IFunding.Funding.Collector, "");
    }

    /// @inheritdoc ICollector
    /// @dev The checkout asks whoever called it, so that it asks here only within `payQuote`, for that caller.
    function collect(bytes32, address token, address payer, uint256 amount) external {
        if (msg.sender != address(CHECKOUT)) revert NotAuthorized(msg.sender);
        (ISwapper swapper, address tokenIn, uint256 mostIn, uint256 validBefore, bytes memory route) =
            abi.decode(_kept(), (ISwapper, address, uint256, uint256, bytes));
        uint256 before = PaymentFunding.balanceOf(tokenIn, address(this));
        PaymentFunding.byAllowance(tokenIn, payer, address(this), mostIn);
        SafeERC20.forceApprove(IERC20(tokenIn), address(swapper), mostIn);
        swapper.swapExactOutput(
            ISwapper.Swap({
                tokenIn: tokenIn,
                tokenOut: token,
                amountIn: mostIn,
                amountOut: amount,
                receiver: msg.sender,
                validBefore: validBefore,
                route: route
            })
        );
        SafeERC20.forceApprove(IERC20(tokenIn), address(swapper), 0);
        uint256 left = PaymentFunding.balanceOf(tokenIn, address(this));
        if (left < before) revert InputMismatch(left, before);
        if (left != before) SafeERC20.safeTransfer(IERC20(tokenIn), payer, left - before);
    }

    /// @dev Words from the one behind `_length` on.
    function _keep(bytes memory data) private {
        _length = data.length;
        assembly ("memory-safe") {
            for { let at := 0x20 } iszero(gt(at, mload(data))) { at := add(at, 0x20) } {
                tstore(add(_length.slot, at), mload(add(data, at)))
            }
        }
    }

    function _kept() private view returns (bytes memory data) {
        data = new bytes(_length);
        assembly ("memory-safe") {
            for { let at := 0x20 } iszero(gt(at, mload(data))) { at := add(at, 0x20) } {
                mstore(add(data, at), tload(add(_length.slot, at)))
            }
        }
    }
}
