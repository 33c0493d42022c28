// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IQuoter
/// @notice Prices in another unit than the token: a currency, or another token. A plan names its quoter, so a payer
/// knows it before they agree, and it cannot be exchanged.
interface IQuoter {
    /// @notice There is a price, but only an old one. Any other failure means that there is none.
    error QuoteStale(uint256 updatedAt, uint256 oldest);

    /// @notice How many units of `token` are `price` units of what the quoter prices in, rounded as it states.
    function quote(address token, uint256 price) external view returns (uint256 amount);
}
