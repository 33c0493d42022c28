// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAggregatorV3} from "../interfaces/IAggregatorV3.sol";

/// @notice A feed of Chainlink's, as its proxy shows it, whose rounds anyone sets, and which misbehaves when told to. A
/// round's id is that of its aggregator's phase, and the number within it.
contract MockFeed is IAggregatorV3 {
    enum Trick {
        None,
        Refuse,
        AnswerNothing,
        AnswerShort, // four words of five
        BurnGas,
        ReturnBomb, // a round, and what is behind it
        RevertBomb
    }

    /// @dev As large as 250,000 gas can pay for; to copy it costs the caller the same again.
    uint256 private constant BOMB_BYTES = 320_000;
    uint256 private constant ROUND_BYTES = 5 * 0x20;

    uint8 public decimals;
    string public description;
    uint16 public phaseId = 1;
    Trick public trick;
    uint256 private _number;
    uint256[5] private _round;

    constructor(string memory description_, uint8 decimals_) {
        (description, decimals) = (description_, decimals_);
    }

    /// @notice The next round, complete, as of now.
    function answer(int256 found) external {
        _set(uint256(found), block.timestamp, block.timestamp);
    }

    /// @notice The next round, complete, as of another time; of a sequencer's feed, when it began.
    function answerAt(int256 found, uint256 startedAt, uint256 updatedAt) external {
        _set(uint256(found), startedAt, updatedAt);
    }

    /// @notice Another aggregator behind the proxy: rounds begin anew in the next phase, perhaps with other decimals.
    function changePhase(uint8 newDecimals) external {
        (decimals, _number) = (newDecimals, 0);
        ++phaseId;
    }

    /// @notice Any words at all.
    function setRound(uint256[5] calldata words) external {
        _round = words;
    }

    function play(Trick newTrick) external {
        trick = newTrick;
    }

    function _set(uint256 word, uint256 startedAt, uint256 updatedAt) private {
        uint256 roundId = uint256(phaseId) << 64 | ++_number;
        _round = [roundId, word, startedAt, updatedAt, roundId];
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        uint256[5] memory words = _round;
        uint256 size = ROUND_BYTES;
        bool fails = trick == Trick.RevertBomb;
        if (trick == Trick.Refuse) revert("No data present");
        if (trick == Trick.AnswerNothing) size = 0;
        if (trick == Trick.AnswerShort) size = ROUND_BYTES - 0x20;
        if (trick == Trick.ReturnBomb || fails) size = BOMB_BYTES;
        bool burns = trick == Trick.BurnGas;
        assembly {
            if burns { invalid() }
            if fails { revert(words, size) }
            return(words, size) // as they are: words that the types do not have, too
        }
    }
}
