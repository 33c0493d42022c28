// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IAggregatorV3} from "./interfaces/IAggregatorV3.sol";
import {IChainlinkQuoter} from "./interfaces/IChainlinkQuoter.sol";
import {IQuoter} from "./interfaces/IQuoter.sol";

/// @title ChainlinkQuoter
/// @notice See {IChainlinkQuoter}. It has no storage and no owner.
contract ChainlinkQuoter is IChainlinkQuoter {
    /// @dev With answers and prices of 96 bits, this keeps every factor below within 256 (see `quote`).
    uint256 private constant MAX_DECIMALS = 24;
    uint256 private constant MOST = type(uint96).max;
    uint256 private constant ROUND_SIZE = 0xa0;

    address private immutable _TOKEN;
    uint8 private immutable _PRICE_DECIMALS;
    address private immutable _PRICE_FEED;
    uint32 private immutable _PRICE_MAX_AGE;
    uint96 private immutable _PRICE_MIN;
    uint96 private immutable _PRICE_MAX;
    address private immutable _TOKEN_FEED;
    uint32 private immutable _TOKEN_MAX_AGE;
    uint96 private immutable _TOKEN_MIN;
    uint96 private immutable _TOKEN_MAX;
    address private immutable _SEQUENCER;
    uint32 private immutable _GRACE_PERIOD;
    /// @dev All decimals in one power of ten: one of the two is that, the other 1.
    uint256 private immutable _SCALE_UP;
    uint256 private immutable _SCALE_DOWN;

    constructor(Config memory given) {
        (Feed memory price, Feed memory token) = (given.priceFeed, given.tokenFeed);
        if (price.aggregator == address(0) && token.aggregator == address(0)) revert ConfigContradicts();
        if ((given.sequencer == address(0)) != (given.gracePeriod == 0)) revert ConfigContradicts();
        if (given.sequencer != address(0) && given.sequencer.code.length == 0) revert NotAContract(given.sequencer);
        _requireSound(price);
        _requireSound(token);
        if (given.priceDecimals > MAX_DECIMALS) {
            revert DecimalsTooHigh(address(0), given.priceDecimals, MAX_DECIMALS);
        }

        (_TOKEN, _PRICE_DECIMALS) = (given.token, given.priceDecimals);
        (_PRICE_FEED, _PRICE_MAX_AGE, _PRICE_MIN, _PRICE_MAX) = (price.aggregator, price.maxAge, price.min, price.max);
        (_TOKEN_FEED, _TOKEN_MAX_AGE, _TOKEN_MIN, _TOKEN_MAX) = (token.aggregator, token.maxAge, token.min, token.max);
        (_SEQUENCER, _GRACE_PERIOD) = (given.sequencer, given.gracePeriod);
        uint256 up = _decimalsOf(given.token) + _decimalsOfFeed(token.aggregator);
        uint256 down = given.priceDecimals + _decimalsOfFeed(price.aggregator);
        _SCALE_UP = up > down ? 10 ** (up - down) : 1;
        _SCALE_DOWN = down > up ? 10 ** (down - up) : 1;
    }

    function _requireSound(Feed memory feed) private pure {
        bool isSound = feed.aggregator == address(0)
            ? feed.maxAge | feed.min | feed.max == 0
            : feed.maxAge != 0 && feed.min != 0 && feed.min <= feed.max;
        if (!isSound) revert ConfigContradicts();
    }

    function _decimalsOfFeed(address feed) private view returns (uint256) {
        return feed == address(0) ? 0 : _decimalsOf(feed);
    }

    /// @dev Token and feed tell it alike.
    function _decimalsOf(address account) private view returns (uint256 found) {
        if (account.code.length == 0) revert NotAContract(account);
        found = IERC20Metadata(account).decimals();
        if (found > MAX_DECIMALS) revert DecimalsTooHigh(account, found, MAX_DECIMALS);
    }

    /// @inheritdoc IQuoter
    /// @dev Price and answer are of 96 bits each, the power of ten of 160: neither product overflows.
    function quote(address token, uint256 price) external view returns (uint256 amount) {
        if (token != _TOKEN) revert AnotherToken(token, _TOKEN);
        if (price > MOST) revert PriceTooHigh(price, MOST);
        (Round memory ofPrice, Round memory ofToken) = rounds();
        uint256 worth = price * ofPrice.answer;
        uint256 unit = ofToken.answer * _SCALE_DOWN;
        (uint256 high,) = Math.mul512(worth, _SCALE_UP);
        if (high >= unit) revert AmountTooHigh(type(uint256).max, MOST);
        amount = Math.mulDiv(worth, _SCALE_UP, unit, Math.Rounding.Ceil);
        if (amount > MOST) revert AmountTooHigh(amount, MOST);
    }

    /// @inheritdoc IChainlinkQuoter
    function rounds() public view returns (Round memory price, Round memory token) {
        _requireSequencer();
        price = _roundOf(_PRICE_FEED, _PRICE_MAX_AGE, _PRICE_MIN, _PRICE_MAX);
        token = _roundOf(_TOKEN_FEED, _TOKEN_MAX_AGE, _TOKEN_MIN, _TOKEN_MAX);
    }

    /// @inheritdoc IChainlinkQuoter
    function config() external view returns (Config memory) {
        return Config({
            token: _TOKEN,
            priceDecimals: _PRICE_DECIMALS,
            priceFeed: Feed(_PRICE_FEED, _PRICE_MAX_AGE, _PRICE_MIN, _PRICE_MAX),
            tokenFeed: Feed(_TOKEN_FEED, _TOKEN_MAX_AGE, _TOKEN_MIN, _TOKEN_MAX),
            sequencer: _SEQUENCER,
            gracePeriod: _GRACE_PERIOD
        });
    }

    /// @dev It is up where its feed says 0, since `startedAt`.
    function _requireSequencer() private view {
        if (_SEQUENCER == address(0)) return;
        (, int256 answer, uint256 startedAt,,) = _read(_SEQUENCER);
        if (answer != 0) revert SequencerDown(startedAt, block.timestamp);
        // A feed that was never told anything says 0 for both (Arbitrum).
        if (startedAt == 0) revert RoundIncomplete(_SEQUENCER, 0, 0);
        if (block.timestamp < startedAt) revert RoundInFuture(_SEQUENCER, startedAt, block.timestamp);
        uint256 until = startedAt + _GRACE_PERIOD;
        if (block.timestamp < until) revert SequencerRecovering(until, block.timestamp);
    }

    function _roundOf(address feed, uint256 maxAge, uint256 min, uint256 max)
        private
        view
        returns (Round memory)
    {
        if (feed == address(0)) return Round(0, 1, 0);
        (uint256 roundId, int256 answer,, uint256 updatedAt, uint256 answeredInRound) = _read(feed);
        if (updatedAt == 0 || answeredInRound < roundId) revert RoundIncomplete(feed, roundId, answeredInRound);
        if (updatedAt > block.timestamp) revert RoundInFuture(feed, updatedAt, block.timestamp);
        uint256 oldest = block.timestamp + 1 - Math.min(maxAge, block.timestamp);
        if (updatedAt < oldest) revert QuoteStale(updatedAt, oldest);
        if (answer < int256(min) || answer > int256(max)) revert AnswerOutOfBounds(feed, answer, min, max);
        return Round(uint80(roundId), uint256(answer), updatedAt);
    }

    /// @dev A call that can only answer or fail, of whose answer no more than a round is copied.
    function _read(address feed)
        private
        view
        returns (uint256 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint256 answeredInRound)
    {
        bool ok;
        assembly ("memory-safe") {
            let round := mload(0x40)
            mstore(0x00, shl(224, 0xfeaf968c)) // latestRoundData()
            ok := and(
                gt(returndatasize(), 0x9f), staticcall(gas(), feed, 0x00, 0x04, round, ROUND_SIZE)
            )
            roundId := mload(round)
            answer := mload(add(round, 0x20))
            startedAt := mload(add(round, 0x40))
            updatedAt := mload(add(round, 0x60))
            answeredInRound := mload(add(round, 0x80))
        }
        bool fits = roundId <= type(uint80).max && answeredInRound <= type(uint80).max;
        if (!ok || !fits) revert FeedUnavailable(feed);
    }
}
