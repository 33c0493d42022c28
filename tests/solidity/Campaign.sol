// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Forge} from "./Forge.sol";

/// @notice What a stateful test has: one handler, whose actions Forge calls at random, and a campaign of its own that
/// shows that each of them succeeds.
abstract contract Campaign is Forge {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// @dev Forge asks for these two by name.
    function targetContracts() public view returns (address[] memory contracts) {
        contracts = new address[](1);
        contracts[0] = _target();
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(_target(), _actions());
    }

    /// @dev The handler.
    function _target() internal view virtual returns (address);

    /// @dev What of it is called; what comes more often is called more often.
    function _actions() internal view virtual returns (bytes4[] memory);

    /// @dev Makes a call to the handler; reverts as it does.
    function _actAs(bytes memory call) internal {
        (bool ok, bytes memory failure) = _target().call(call);
        if (ok) return;
        assembly ("memory-safe") {
            revert(add(failure, 0x20), mload(failure))
        }
    }
}
