// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Subscriptions} from "../../contracts/Subscriptions.sol";
import {SubscriptionsExtension} from "../../contracts/SubscriptionsExtension.sol";
import {PathsTest} from "../solidity/Paths.t.sol";
import {RefusalsTest} from "../solidity/Refusals.t.sol";

/// @notice Forge counts what runs of the code that it compiles itself: here that code takes the place of the one that is
/// shipped. Run by `make coverage`.
library Compiled {
    function deployBoth() internal returns (address) {
        return address(new Subscriptions(address(new SubscriptionsExtension())));
    }
}

contract RefusalsCoverage is RefusalsTest {
    function _deployBoth() internal override returns (address) {
        return Compiled.deployBoth();
    }
}

contract PathsCoverage is PathsTest {
    function _deployBoth() internal override returns (address) {
        return Compiled.deployBoth();
    }
}
