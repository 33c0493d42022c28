// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockToken} from "./MockToken.sol";

/// @notice A token that misbehaves when told to, each function in a way of its own. Until then it is an honest one.
contract HostileToken is MockToken {
    enum Trick {
        None,
        ReturnFalse,
        ReturnTrue, // without moving anything
        ReturnTwo, // neither true nor false
        ReturnOneByte,
        ReturnNothing,
        Refuse,
        RevertBomb,
        ReturnBomb,
        BurnGas,
        MoveAndDeny // moves, but says false
    }

    /// @dev As large as 250,000 gas can pay for; to copy it costs the caller the same again.
    uint256 private constant BOMB_BYTES = 320_000;

    mapping(bytes4 selector => Trick) public trickOf;
    /// @notice How `transferFrom` misbehaves towards one receiver.
    mapping(address receiver => Trick) public trickTo;
    /// @notice Nothing moves to this account.
    address public blocked;

    constructor() MockToken("Hostile Token", "HOST", 6) {}

    function play(bytes4 selector, Trick trick) external {
        trickOf[selector] = trick;
    }

    /// @notice Refuses to move anything to one account from now on; zero: to nobody.
    function blockAccount(address account) external {
        blocked = account;
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        _misbehave();
        return super.transfer(to, value);
    }

    function playTo(address receiver, Trick trick) external {
        trickTo[receiver] = trick;
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        _play(trickTo[to]);
        _misbehave();
        return super.transferFrom(from, to, value) && trickOf[msg.sig] != Trick.MoveAndDeny;
    }

    function _update(address from, address to, uint256 value) internal override {
        require(blocked == address(0) || to != blocked, "blocked");
        super._update(from, to, value);
    }

    function balanceOf(address account) public view override returns (uint256) {
        _misbehave();
        return super.balanceOf(account);
    }

    function allowance(address owner, address spender) public view override returns (uint256) {
        _misbehave();
        return super.allowance(owner, spender);
    }

    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        public
        override
    {
        _misbehave();
        super.permit(owner, spender, value, deadline, v, r, s);
    }

    /// @dev A `transferFrom` that denies what it did moves first; it comes here once more to read the allowance.
    function _misbehave() private view {
        Trick trick = trickOf[msg.sig];
        if (trick != Trick.MoveAndDeny || msg.sig != this.transferFrom.selector) _play(trick);
    }

    /// @dev Every trick ends the call.
    function _play(Trick trick) private view {
        if (trick == Trick.None) return;
        if (trick == Trick.ReturnFalse || trick == Trick.MoveAndDeny) _return(0, 32);
        if (trick == Trick.ReturnTrue) _return(1, 32);
        if (trick == Trick.ReturnTwo) _return(2, 32);
        if (trick == Trick.ReturnOneByte) _return(1 << 248, 1);
        if (trick == Trick.ReturnNothing) _return(0, 0);
        if (trick == Trick.ReturnBomb) _return(1, BOMB_BYTES);
        if (trick == Trick.Refuse) revert("refused");
        assembly {
            if eq(trick, 7) { revert(0, BOMB_BYTES) } // RevertBomb
            invalid() // BurnGas
        }
    }

    function _return(uint256 word, uint256 size) private pure {
        assembly {
            mstore(0, word)
            return(0, size)
        }
    }
}
