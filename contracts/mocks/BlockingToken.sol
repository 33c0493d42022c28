// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockToken} from "./MockToken.sol";

/// @notice A token that moves nothing of whom it has blocked, and that answers in a way of one's choice where it is
/// asked whom that is, by whatever name of the function.
contract BlockingToken is MockToken {
    enum Answer {
        None, // there is no such function
        Yes,
        No,
        Two, // neither yes nor no
        Half, // of a word
        BurnGas,
        ReturnBomb,
        RevertBomb
    }

    /// @dev As large as 250,000 gas can pay for; to copy it costs the caller the same again.
    uint256 private constant BOMB_BYTES = 320_000;

    mapping(address account => bool) public blocked;
    mapping(bytes4 selector => Answer) public answerOf;

    constructor() MockToken("Blocking Token", "BLOCK", 6) {}

    function blockAccount(address account) external {
        blocked[account] = true;
    }

    function play(bytes4 selector, Answer answer) external {
        answerOf[selector] = answer;
    }

    fallback() external {
        Answer answer = answerOf[msg.sig];
        if (answer == Answer.Yes) _return(1, 32);
        if (answer == Answer.No) _return(0, 32);
        if (answer == Answer.Two) _return(2, 32);
        if (answer == Answer.Half) _return(1, 31);
        if (answer == Answer.ReturnBomb) _return(1, BOMB_BYTES);
        if (answer == Answer.None) revert("no such function");
        assembly {
            if eq(answer, 7) { revert(0, BOMB_BYTES) } // RevertBomb
            invalid() // BurnGas
        }
    }

    function _update(address from, address to, uint256 value) internal override {
        require(!blocked[from], "blocked");
        super._update(from, to, value);
    }

    function _return(uint256 word, uint256 size) private pure {
        assembly {
            mstore(0, word)
            return(0, size)
        }
    }
}
