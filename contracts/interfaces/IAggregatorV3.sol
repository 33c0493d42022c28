// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IAggregatorV3
/// @notice What we use of Chainlink's feeds: the proxy in front of a price's aggregators, or of a rollup's sequencer.
interface IAggregatorV3 {
    function decimals() external view returns (uint8);

    /// @return roundId Phase and number: what the proxy reads from another aggregator has a higher phase.
    /// @return answer A price, or 1 where a sequencer is down.
    /// @return startedAt When the round began; of a sequencer, when it came to be as it is.
    /// @return updatedAt When the answer was computed; 0 where it was not.
    /// @return answeredInRound The round of which the answer is.
    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
}
