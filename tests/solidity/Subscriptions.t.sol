// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Forge} from "./Forge.sol";
import {Handler} from "./Handler.sol";

/// @notice Whatever people and tokens do, in whatever order: the books stay right. See docs/invariants.md.
contract SubscriptionsTest is Forge {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Handler private _handler;

    function setUp() public {
        _handler = new Handler();
    }

    /// @dev Forge asks for these two by name.
    function targetContracts() public view returns (address[] memory contracts) {
        contracts = new address[](1);
        contracts[0] = address(_handler);
    }

    /// @dev Charging and the passing of time more often than the rest.
    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[22] memory often = [
            _handler.charge.selector,
            _handler.charge.selector,
            _handler.charge.selector,
            _handler.pass.selector,
            _handler.passToBoundary.selector,
            _handler.passToBoundary.selector,
            _handler.chargeOne.selector,
            _handler.chargeStarved.selector,
            _handler.createPlan.selector,
            _handler.subscribe.selector,
            _handler.submitMandate.selector,
            _handler.revokeMandate.selector,
            _handler.cancel.selector,
            _handler.pause.selector,
            _handler.resume.selector,
            _handler.resume.selector,
            _handler.refund.selector,
            _handler.approve.selector,
            _handler.mint.selector,
            _handler.spend.selector,
            _handler.misbehave.selector,
            _handler.setFee.selector
        ];
        bytes4[] memory actions = new bytes4[](often.length);
        for (uint256 i = 0; i < often.length; ++i) {
            actions[i] = often[i];
        }
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(_handler), actions);
    }

    /// @dev A campaign in which nothing is paid would prove nothing.
    function test_the_handler_gets_payers_to_pay() public {
        _handler.pass(59 days + 1); // not a multiple of 3: a long time
        _handler.charge([uint256(1), 2, 3, 4, 1, 5], 6);
        vm.assertEq(_handler.done("paid"), 4, "paid");
        vm.assertEq(_handler.done("declined"), 2, "declined");
        _handler.assertInvariants();
    }

    function test_E25_the_handler_pauses_across_a_renewal() public {
        _handler.pause(1, 1);
        _handler.pass(59 days + 1);
        _handler.charge([uint256(1), 2, 0, 0, 0, 0], 2);
        vm.assertEq(_handler.done("paid"), 1, "the other one");
        _handler.resume(1, 1);
        _handler.charge([uint256(1), 1, 0, 0, 0, 0], 2);
        vm.assertEq(_handler.done("paid"), 1, "nothing is due yet");
        _handler.pass(31 days + 1);
        _handler.charge([uint256(1), 1, 0, 0, 0, 0], 2);
        vm.assertEq(_handler.done("paid"), 2, "once");
        vm.assertEq(_handler.done("paused") + _handler.done("resumed"), 2, "paused and resumed");
        _handler.assertInvariants();
    }

    function invariant_the_halves_match() public {
        _handler.assertInvariants();
    }
}
