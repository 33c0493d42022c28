// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IQuoter} from "../interfaces/IQuoter.sol";

/// @notice A quoter at a rate that anyone sets, which misbehaves when told to. Until then it is an honest one.
contract MockQuoter is IQuoter {
    enum Trick {
        None,
        Stale,
        Refuse,
        AnswerNothing,
        AnswerShort,
        AnswerZero,
        AnswerTooMuch,
        BurnGas,
        ReturnBomb,
        RevertBomb,
        StaleBomb, // the words of a stale price, then a bomb
        CallBack
    }

    uint256 private constant ONE = 1e6;
    /// @dev As large as 250,000 gas can pay for; to copy it costs the caller the same again.
    uint256 private constant BOMB_BYTES = 320_000;

    /// @notice Units of the token for a million units of price.
    uint256 public rate = ONE;
    Trick public trick;
    address private _target;
    bytes private _call;

    function setRate(uint256 newRate) external {
        rate = newRate;
    }

    function play(Trick newTrick) external {
        trick = newTrick;
    }

    /// @notice Calls `target` with `data` before every answer, which is one unit if that call succeeds.
    function callBack(address target, bytes calldata data) external {
        (trick, _target, _call) = (Trick.CallBack, target, data);
    }

    /// @notice Rounded down.
    function quote(address, uint256 price) external view returns (uint256) {
        uint256 amount = price * rate / ONE;
        if (trick == Trick.None) return amount;
        if (trick == Trick.CallBack) {
            (bool ok,) = _target.staticcall(_call);
            return ok ? 1 : amount;
        }
        if (trick == Trick.Stale) revert QuoteStale(1, 2);
        if (trick == Trick.Refuse) revert("no price");
        if (trick == Trick.AnswerNothing) _return(amount, 0);
        if (trick == Trick.AnswerShort) _return(amount, 31); // a lower price, if read as a word;
        if (trick == Trick.AnswerZero) return 0;
        if (trick == Trick.AnswerTooMuch) return uint256(type(uint96).max) + 1;
        if (trick == Trick.ReturnBomb) _return(amount, BOMB_BYTES);
        bytes32 stale = trick == Trick.StaleBomb ? bytes32(QuoteStale.selector) : bytes32(0);
        if (trick == Trick.BurnGas) {
            assembly {
                invalid()
            }
        }
        assembly {
            mstore(0, stale)
            revert(0, BOMB_BYTES)
        }
    }

    function _return(uint256 word, uint256 size) private pure {
        assembly {
            mstore(0, word)
            return(0, size)
        }
    }
}
