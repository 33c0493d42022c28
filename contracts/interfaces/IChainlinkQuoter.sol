// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IQuoter} from "./IQuoter.sol";

/// @title IChainlinkQuoter
/// @notice Prices in a currency, or in another token, by Chainlink's feeds: one quoter for one currency and one token, as
/// it was configured when it was created. Nobody can change it, and any number of plans may name it. A payer reads
/// {config}: what a feed is of, the feed itself says (`description()`).
///
/// A price is a whole number of units, `priceDecimals` of which are behind the point: 999 with 2 decimals is 9.99. What
/// one of the currency and one of the token are worth is said by a feed each, in a third unit that both have in common:
/// EUR / USD and USDC / USD make EUR / USDC. Where the currency is that unit itself, or the token is taken for one of it
/// at par, that feed is left out.
///
/// Amounts are rounded up, once, at the end: a payee gets at least what the price is worth, less than one unit above it,
/// and a price above zero never costs nothing. What a payer pays at most they say themselves, in units of the token.
///
/// There is a price, or an error that says why there is none; never one out of what should not be trusted: an answer that
/// is old, zero, negative, of a round that is not complete or lies in the future, or beyond the bounds that the
/// configuration sets each feed, or any while a rollup's sequencer is down or came back only just now.
///
/// Not protected: a feed that lies within its bounds, or changes its decimals and stays within them, so bounds should be
/// narrow; a token taken at par that is not worth it; a token whose decimals change.
interface IChainlinkQuoter is IQuoter {
    /// @param aggregator Zero: there is none, and all else of it is zero.
    /// @param maxAge Seconds: an answer is good in [updatedAt, updatedAt + maxAge). A little above the feed's heartbeat.
    /// @param min Answers below are refused, in the feed's own units; at least 1. Of a stablecoin, with `max`, how far it
    /// may be from its peg.
    /// @param max Answers above are refused.
    struct Feed {
        address aggregator;
        uint32 maxAge;
        uint96 min;
        uint96 max;
    }

    /// @param token What it quotes in. Its decimals, and those of the feeds, are read once, at creation.
    /// @param priceDecimals Of prices.
    /// @param priceFeed What one of the currency is worth, as EUR / USD.
    /// @param tokenFeed What one token is worth, as USDC / USD.
    /// @param sequencer The rollup's uptime feed; zero where the chain has no sequencer.
    /// @param gracePeriod Seconds after the sequencer came back, in which feeds catch up and there is no price.
    struct Config {
        address token;
        uint8 priceDecimals;
        Feed priceFeed;
        Feed tokenFeed;
        address sequencer;
        uint32 gracePeriod;
    }

    /// @notice What a quote was made of. Of a feed that is left out: round and time 0, answer 1.
    struct Round {
        uint80 roundId;
        uint256 answer;
        uint256 updatedAt;
    }

    // ----------------------------------------------------------------- creation

    error NotAContract(address account);
    error DecimalsTooHigh(address account, uint256 found, uint256 allowed);
    /// @notice No feed at all, bounds that no answer meets, an answer without age, or one of a pair without the other.
    error ConfigContradicts();

    // ------------------------------------------------------------------ quotes

    error AnotherToken(address found, address allowed);
    error PriceTooHigh(uint256 found, uint256 allowed);
    /// @notice More units of the token than 96 bits; `found` is 2^256 - 1 where it is more than 256.
    error AmountTooHigh(uint256 found, uint256 allowed);
    /// @notice The feed reverts, answers less than a round, or one that its own types do not have.
    error FeedUnavailable(address feed);
    /// @notice The round has no answer yet, or carries one over from a round before.
    error RoundIncomplete(address feed, uint256 roundId, uint256 answeredInRound);
    error RoundInFuture(address feed, uint256 updatedAt, uint256 time);
    /// @notice Zero and negative answers are below any minimum.
    error AnswerOutOfBounds(address feed, int256 found, uint256 min, uint256 max);
    error SequencerDown(uint256 since, uint256 time);
    error SequencerRecovering(uint256 until, uint256 time);

    function config() external view returns (Config memory);

    /// @notice The rounds that {quote} goes by now, or the error that it fails with: so that what was charged in a block
    /// can be worked out again from what the feeds said in it.
    function rounds() external view returns (Round memory price, Round memory token);
}
