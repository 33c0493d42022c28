// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Campaign} from "./Campaign.sol";
import {EscrowHandler} from "./EscrowHandler.sol";

/// @notice Whatever the parties of payments do, in whatever order: money stays where it belongs. See docs/invariants.md.
contract EscrowTest is Campaign {
    uint256 private constant CAMPAIGN = 4_000;

    EscrowHandler private _handler;

    function setUp() public {
        _handler = new EscrowHandler();
    }

    function _target() internal view override returns (address) {
        return address(_handler);
    }

    /// @dev What opens payments, disputes and the passing of time more often than the rest.
    function _actions() internal view override returns (bytes4[] memory actions) {
        bytes4[30] memory often = [
            _handler.authorize.selector,
            _handler.authorize.selector,
            _handler.authorize.selector,
            _handler.authorize.selector,
            _handler.charge.selector,
            _handler.charge.selector,
            _handler.revoke.selector,
            _handler.replay.selector,
            _handler.capture.selector,
            _handler.capture.selector,
            _handler.capture.selector,
            _handler.captureMilestone.selector,
            _handler.captureMilestone.selector,
            _handler.void.selector,
            _handler.reclaim.selector,
            _handler.refund.selector,
            _handler.refund.selector,
            _handler.dispute.selector,
            _handler.dispute.selector,
            _handler.submitEvidence.selector,
            _handler.rule.selector,
            _handler.rule.selector,
            _handler.ruleByDefault.selector,
            _handler.claim.selector,
            _handler.pass.selector,
            _handler.passToBoundary.selector,
            _handler.passToBoundary.selector,
            _handler.blockAccount.selector,
            _handler.donate.selector,
            _handler.spend.selector
        ];
        actions = new bytes4[](often.length);
        for (uint256 i = 0; i < often.length; ++i) {
            actions[i] = often[i];
        }
    }

    /// @dev A campaign in which nothing happens would prove nothing: here is one in which everything does. It begins
    /// anew every hundred steps, as Forge's runs do.
    function test_the_handler_does_everything_that_can_be_done() public {
        string[22] memory all = [
            "authorized",
            "collected",
            "by permit",
            "by Permit2",
            "by ERC-3009",
            "charged",
            "revoked",
            "replayed",
            "captured",
            "released",
            "milestone captured",
            "voided",
            "reclaimed",
            "refunded",
            "disputed",
            "evidence",
            "ruled",
            "ruled by default",
            "kept",
            "claimed",
            "refused",
            "ended"
        ];
        uint256[22] memory sums;
        bytes4[] memory actions = _actions();
        for (uint256 step = 0; step < CAMPAIGN; ++step) {
            _act(actions, step);
            if (step % 100 < 99) continue;
            _handler.assertInvariants();
            _handler.endAll();
            _handler.assertInvariants();
            for (uint256 i = 0; i < all.length; ++i) {
                sums[i] += _handler.done(all[i]);
            }
            vm.assertEq(_handler.done("kept"), _handler.done("told that it is kept"), "told");
            _handler = new EscrowHandler();
        }
        for (uint256 i = 0; i < all.length; ++i) {
            vm.assertTrue(sums[i] > 0, all[i]);
        }
    }

    function _act(bytes4[] memory actions, uint256 step) private {
        uint256[5] memory seeds;
        for (uint256 i = 0; i < seeds.length; ++i) {
            seeds[i] = uint256(keccak256(abi.encode(step, i)));
        }
        _actAs(abi.encodePacked(actions[seeds[4] % actions.length], seeds));
    }

    function invariant_money_stays_where_it_belongs() public {
        _handler.assertInvariants();
    }

    /// @dev Forge asks for this one by name, at the end of each run: anyone can end every payment.
    function afterInvariant() public {
        _handler.endAll();
        _handler.assertInvariants();
    }
}
