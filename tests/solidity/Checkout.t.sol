// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {CheckoutHandler} from "./CheckoutHandler.sol";
import {Campaign} from "./Campaign.sol";

/// @notice Whatever merchants, payers and strangers do, in whatever order: money stays where it belongs. See
/// docs/invariants.md.
contract CheckoutTest is Campaign {
    uint256 private constant CAMPAIGN = 1_500;

    CheckoutHandler private _handler;

    function setUp() public {
        _handler = new CheckoutHandler();
    }

    function _target() internal view override returns (address) {
        return address(_handler);
    }

    function _actions() internal view override returns (bytes4[] memory actions) {
        bytes4[16] memory often = [
            _handler.pay.selector,
            _handler.pay.selector,
            _handler.pay.selector,
            _handler.pay.selector,
            _handler.pay.selector,
            _handler.withdrawQuote.selector,
            _handler.send.selector,
            _handler.send.selector,
            _handler.send.selector,
            _handler.sweep.selector,
            _handler.sweep.selector,
            _handler.refund.selector,
            _handler.claim.selector,
            _handler.blockAccount.selector,
            _handler.donate.selector,
            _handler.pass.selector
        ];
        actions = new bytes4[](often.length);
        for (uint256 i = 0; i < often.length; ++i) {
            actions[i] = often[i];
        }
    }

    /// @dev A campaign in which nothing happens would prove nothing: here is one in which everything does. Each step is a
    /// transaction of its own, because an address is swept once in each.
    /// forge-config: default.isolate = true
    function test_the_handler_does_everything_that_can_be_done() public {
        string[14] memory all = [
            "paid",
            "by acceptance",
            "by permit",
            "by Permit2",
            "by ERC-3009",
            "collected",
            "withdrawn",
            "sent",
            "swept",
            "emptied",
            "refunded",
            "kept",
            "claimed",
            "refused"
        ];
        bytes4[] memory actions = _actions();
        for (uint256 step = 0; step < CAMPAIGN; ++step) {
            uint256[3] memory seeds;
            for (uint256 i = 0; i < seeds.length; ++i) {
                seeds[i] = uint256(keccak256(abi.encode(step, i)));
            }
            bytes4 action = actions[uint256(keccak256(abi.encode(step))) % actions.length];
            _actAs(abi.encodePacked(action, seeds));
            if (step % 100 == 99) _handler.assertInvariants();
        }
        for (uint256 i = 0; i < all.length; ++i) {
            vm.assertTrue(_handler.done(all[i]) > 0, all[i]);
        }
    }

    function invariant_money_stays_where_it_belongs() public view {
        _handler.assertInvariants();
    }
}
