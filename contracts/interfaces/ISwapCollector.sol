// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ICheckout} from "./ICheckout.sol";
import {ICollector} from "./ICollector.sol";
import {ISwapper} from "./ISwapper.sol";

/// @title ISwapCollector
/// @notice Pays quotes with another token than they ask for: what the quote asks for is bought with the payer's token, in
/// the transaction that pays it, and what is not needed goes back. Nobody owns it, and nothing stays in it.
///
/// Not protected: a payer who names a high `mostIn` may pay all of it; see {ISwapper}. Whoever names a swapper that is
/// not one can lose as much.
interface ISwapCollector is ICollector {
    /// @notice How the payer's money becomes the quote's.
    /// @param swapper What exchanges it.
    /// @param tokenIn The payer's token.
    /// @param mostIn The most that may be used of it, and what the payer must have and allow to this contract.
    /// @param route As the swapper's exact output has it.
    /// @param permit An EIP-2612 permit of `tokenIn` to this contract: value, deadline, v, r and s, a word each; or empty.
    struct Payment {
        ISwapper swapper;
        address tokenIn;
        uint256 mostIn;
        bytes route;
        bytes permit;
    }

    error NotAuthorized(address caller);
    /// @notice More of the payer's token is gone than `mostIn`: what there is of it now, and what there was before it was
    /// brought.
    error InputMismatch(uint256 left, uint256 brought);

    /// @notice The caller pays a quote. The quote's event names the caller as its payer, and this contract as collector.
    /// @return quoteId As {ICheckout-pay} gives it.
    function payQuote(ICheckout.Quote calldata quote, bytes calldata merchantSignature, Payment calldata payment)
        external
        returns (bytes32 quoteId);
}
