// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ChannelsHandler} from "./ChannelsHandler.sol";
import {Campaign} from "./Campaign.sol";

/// @notice Whatever the parties of channels do, in whatever order: money stays where it belongs. See docs/invariants.md.
contract ChannelsTest is Campaign {
    uint256 private constant CAMPAIGN = 4_000;

    ChannelsHandler private _handler;

    function setUp() public {
        _handler = new ChannelsHandler();
    }

    function _target() internal view override returns (address) {
        return address(_handler);
    }

    /// @dev What brings and claims money more often than the rest.
    function _actions() internal view override returns (bytes4[] memory actions) {
        bytes4[18] memory often = [
            _handler.fund.selector,
            _handler.fund.selector,
            _handler.fund.selector,
            _handler.claim.selector,
            _handler.claim.selector,
            _handler.claim.selector,
            _handler.claimRows.selector,
            _handler.claimRows.selector,
            _handler.claimRows.selector,
            _handler.settle.selector,
            _handler.refund.selector,
            _handler.initiateWithdraw.selector,
            _handler.initiateWithdraw.selector,
            _handler.finalizeWithdraw.selector,
            _handler.finalizeWithdraw.selector,
            _handler.pass.selector,
            _handler.passToBoundary.selector,
            _handler.blockAccount.selector
        ];
        actions = new bytes4[](often.length + 1);
        for (uint256 i = 0; i < often.length; ++i) {
            actions[i] = often[i];
        }
        actions[often.length] = _handler.donate.selector;
    }

    /// @dev A campaign in which nothing happens would prove nothing: here is one in which everything does. It begins
    /// anew every hundred steps, as Forge's runs do.
    function test_the_handler_does_everything_that_can_be_done() public {
        string[18] memory all = [
            "funded",
            "by the payer",
            "by a stranger",
            "by a collector",
            "by ERC-3009",
            "by Permit2",
            "claimed",
            "claimed by rows",
            "skipped",
            "by a spending key",
            "kept",
            "settled",
            "refunded",
            "withdrawal announced",
            "withdrawn",
            "closed",
            "closed and opened",
            "refused"
        ];
        uint256[18] memory sums;
        uint256 told;
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
            told += _handler.done("told that it is skipped");
            _handler = new ChannelsHandler();
        }
        for (uint256 i = 0; i < all.length; ++i) {
            vm.assertTrue(sums[i] > 0, all[i]);
        }
        vm.assertLe(sums[8], told, "each row that is skipped is told"); // those of another token's channels as well
    }

    function _act(bytes4[] memory actions, uint256 step) private {
        uint256[5] memory seeds;
        for (uint256 i = 0; i < seeds.length; ++i) {
            seeds[i] = uint256(keccak256(abi.encode(step, i)));
        }
        bytes4 action = actions[seeds[4] % actions.length];
        if (action == _handler.blockAccount.selector) seeds[1] &= 1; // a bool
        _actAs(abi.encodePacked(action, seeds));
    }

    function invariant_money_stays_where_it_belongs() public {
        _handler.assertInvariants();
    }

    /// @dev Forge asks for this one by name, at the end of each run: anyone can end every channel.
    function afterInvariant() public {
        _handler.endAll();
        _handler.assertInvariants();
    }
}
