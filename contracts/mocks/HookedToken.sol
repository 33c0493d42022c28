// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockToken} from "./MockToken.sol";

interface ITokenHooks {
    function tokensToSend() external;
    function tokensReceived() external;
}

/// @notice A token that calls sender and receiver in every transfer where they are contracts, as ERC-777 does.
contract HookedToken is MockToken {
    /// @notice Contracts that are not called, as those are not that ERC-777's registry does not know.
    mapping(address account => bool) public spared;

    constructor() MockToken("Hooked Token", "HOOK", 6) {}

    function spare(address account) external {
        spared[account] = true;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (from.code.length > 0 && !spared[from]) ITokenHooks(from).tokensToSend();
        super._update(from, to, value);
        if (to.code.length > 0 && !spared[to]) ITokenHooks(to).tokensReceived();
    }
}
