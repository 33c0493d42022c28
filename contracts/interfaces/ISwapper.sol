// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title ISwapper
/// @notice Exchanges one token for another, within bounds that the caller names, in one call that ends with nothing left
/// here: neither tokens nor an allowance.
///
/// The caller brings the tokens by its allowance to this contract, and gets back what was not used. It is never anyone
/// else's allowance: who calls pays. So a contract that swaps for others collects their tokens itself, allows this one
/// the most that it may use, calls, and gives back what came back; an allowance of no more than that is used up or can be
/// taken away in the same transaction. Nothing is to be sent here beforehand: what lies here goes to whoever swaps that
/// token next.
///
/// Not protected: a swap at the worst price within its bounds. They are all that stands between the caller and whoever
/// trades before them in the same block, so they should come from a price that was asked for elsewhere, as from an
/// {IQuoter}, and not from the pools that are swapped through. Nor a route through a token that cheats: it can only end in
/// an error, or within the bounds, but what it takes from the way in between is not seen.
interface ISwapper {
    /// @param tokenIn What the caller brings.
    /// @param tokenOut What the receiver gets.
    /// @param amountIn The most that is used, and what the caller must have and allow.
    /// @param amountOut The least that the receiver gets. Not zero: a swap without a bound is anybody's.
    /// @param receiver Anyone but this contract and those behind it.
    /// @param validBefore Seconds: the swap is made before this time or not at all.
    /// @param route How, as the exchange behind writes it for this verb.
    struct Swap {
        address tokenIn;
        address tokenOut;
        uint256 amountIn;
        uint256 amountOut;
        address receiver;
        uint256 validBefore;
        bytes route;
    }

    /// @notice What the caller paid and the receiver got.
    event Swapped(
        address indexed caller,
        address indexed tokenIn,
        address indexed tokenOut,
        address receiver,
        uint256 amountIn,
        uint256 amountOut
    );

    error NotAContract(address account);
    error ZeroAmount();
    error SwapExpired(uint256 validBefore, uint256 time);
    error ReceiverRefused(address receiver);
    /// @notice Both are one token.
    error SameToken(address token);
    /// @notice No route of the exchange has this many bytes.
    error RouteMalformed(uint256 length);
    /// @notice The route leads from and to other tokens than the swap.
    error AnotherRoute(address tokenIn, address tokenOut);
    error AllowanceTooLow(uint256 found, uint256 needed);
    error BalanceTooLow(uint256 found, uint256 needed);
    /// @notice The token refuses, is no contract, or does not say what somebody has of it.
    error TokenRefused(address token);
    /// @notice The token moves less than it is told to, as one with a fee on transfers.
    error AmountMismatch(uint256 received, uint256 expected);
    /// @notice The exchange fails, in its own words.
    error SwapFailed(bytes reason);
    /// @notice More is gone than `amountIn`, or something came back that was never there: by the balance before and after.
    error InputMismatch(uint256 left, uint256 brought);
    /// @notice The receiver got less than the least, by its balance before and after.
    error OutputTooLow(uint256 found, uint256 needed);

    /// @notice The receiver gets exactly `amountOut`, for as little as it costs, at most `amountIn`.
    /// @return used What it cost; the rest came back.
    function swapExactOutput(Swap calldata swap) external returns (uint256 used);

    /// @notice Exchanges `amountIn` for as much as there is for it, at least `amountOut`.
    /// @return used `amountIn`, or less where the pools could not take all of it; the rest came back.
    /// @return received What the receiver got.
    function swapExactInput(Swap calldata swap) external returns (uint256 used, uint256 received);
}
