// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Campaign} from "./Campaign.sol";
import {Handler} from "./Handler.sol";

/// @notice Whatever people and tokens do, in whatever order: the books stay right. See docs/invariants.md.
contract SubscriptionsTest is Campaign {
    uint256 private constant HUNDRED_SEATS = 15 + 16 * 100; // as the handler's seeds say it
    uint256 private constant CAMPAIGN = 7_000;

    Handler private _handler;

    function setUp() public {
        _handler = new Handler();
    }

    function _target() internal view override returns (address) {
        return address(_handler);
    }

    /// @dev Charging, changing and the passing of time more often than the rest.
    function _actions() internal view override returns (bytes4[] memory actions) {
        bytes4[71] memory often = [
            _handler.charge.selector,
            _handler.charge.selector,
            _handler.charge.selector,
            _handler.chargeOne.selector,
            _handler.chargeOne.selector,
            _handler.chargeStarved.selector,
            _handler.chargeUsage.selector,
            _handler.chargeUsage.selector,
            _handler.claim.selector,
            _handler.claim.selector,
            _handler.claim.selector,
            _handler.pass.selector,
            _handler.passToBoundary.selector,
            _handler.passToBoundary.selector,
            _handler.passWithin.selector,
            _handler.createPlan.selector,
            _handler.archivePlan.selector,
            _handler.subscribe.selector,
            _handler.submitMandate.selector,
            _handler.revokeMandate.selector,
            _handler.revokeMandateBySignature.selector,
            _handler.changePlan.selector,
            _handler.changePlan.selector,
            _handler.changePlan.selector,
            _handler.cancel.selector,
            _handler.cancelAtPeriodEnd.selector,
            _handler.cancelBySignature.selector,
            _handler.stop.selector,
            _handler.pause.selector,
            _handler.resume.selector,
            _handler.resume.selector,
            _handler.refund.selector,
            _handler.approve.selector,
            _handler.mint.selector,
            _handler.spend.selector,
            _handler.misbehave.selector,
            _handler.blockAccount.selector,
            _handler.blockAccount.selector,
            _handler.setFee.selector,
            _handler.allow.selector,
            _handler.quotePrice.selector,
            _handler.charge.selector,
            _handler.charge.selector,
            _handler.chargeOne.selector,
            _handler.passToBoundary.selector,
            _handler.passToBoundary.selector,
            _handler.mint.selector,
            _handler.subscribeWithConditions.selector,
            _handler.subscribeWithConditions.selector,
            _handler.submitMandateWithConditions.selector,
            _handler.setConditions.selector,
            _handler.redeemCoupon.selector,
            _handler.redeemCoupon.selector,
            _handler.setFallback.selector,
            _handler.setFallback.selector,
            _handler.dropFallback.selector,
            _handler.changePayer.selector,
            _handler.changePayee.selector,
            _handler.scheduleChange.selector,
            _handler.lowerPrice.selector,
            _handler.cancelWithRefund.selector,
            _handler.refund.selector,
            _handler.offerAlternative.selector,
            _handler.offerAlternative.selector,
            _handler.withdrawAlternative.selector,
            _handler.setFallbackPlan.selector,
            _handler.setFallbackPlan.selector,
            _handler.setFallbackPlan.selector,
            _handler.proposePlan.selector,
            _handler.chargeElsewhere.selector,
            _handler.chargeElsewhere.selector
        ];
        actions = new bytes4[](often.length);
        for (uint256 i = 0; i < often.length; ++i) {
            actions[i] = often[i];
        }
    }

    /// @dev A campaign in which nothing happens would prove nothing: here is one in which everything does. It begins
    /// anew every hundred steps, as Forge's runs do.
    function test_the_handler_does_everything_that_can_be_done() public {
        string[57] memory all = [
            "plan created",
            "plan archived",
            "subscribed",
            "subscribed with a permit",
            "mandate",
            "mandate with a permit",
            "trials",
            "revoked",
            "revoked by signature",
            "paid",
            "paid alone",
            "declined",
            "undone",
            "starved",
            "previewed",
            "usage charged",
            "usage charged by a biller",
            "usage refunded",
            "kept",
            "claimed",
            "credit used",
            "upgraded",
            "downgraded",
            "restarted",
            "changed in the trial",
            "cancelled",
            "cancelled by signature",
            "ending",
            "stopped",
            "paused",
            "resumed",
            "refunded",
            "subscribed with conditions",
            "mandate with conditions",
            "conditions set",
            "coupon redeemed",
            "discounted",
            "quoted",
            "stub",
            "scheduled",
            "scheduled by signature",
            "scheduled change made",
            "lowered",
            "price lowered",
            "fallback set",
            "fallback dropped",
            "paid by a fallback",
            "payer changed",
            "payee changed",
            "cancelled with refund",
            "paid by a fallback",
            "alternative offered",
            "alternative withdrawn",
            "fallback plan set",
            "paid in another token",
            "refunded in another token",
            "proposed to a payer"
        ];
        uint256[57] memory sums;
        uint256 afterChange;
        bytes4[] memory actions = _actions();
        for (uint256 step = 0; step < CAMPAIGN; ++step) {
            _act(actions, step);
            if (step % 100 < 99) continue;
            _handler.assertInvariants();
            _handler.assertAtTheEnd();
            for (uint256 i = 0; i < all.length; ++i) {
                sums[i] += _handler.done(all[i]);
            }
            afterChange += _handler.done("refunded after a change");
            _handler = new Handler();
        }
        vm.assertTrue(afterChange > 0, "refunded after a change");
        for (uint256 i = 0; i < all.length; ++i) {
            vm.assertTrue(sums[i] > 0, all[i]);
        }
    }

    function _act(bytes4[] memory actions, uint256 step) private {
        uint256[8] memory seeds;
        for (uint256 i = 0; i < seeds.length; ++i) {
            seeds[i] = uint256(keccak256(abi.encode(step, i)));
        }
        _actAs(abi.encodePacked(actions[seeds[7] % actions.length], seeds));
    }

    function test_E25_the_handler_pauses_across_a_renewal() public {
        (uint256 monthly, uint256 payer) = (0, 1);
        _handler.pause(monthly, payer);
        _handler.pass(20 days + 2);
        _handler.pass(20 days + 2);
        _handler.chargeOne(monthly);
        _handler.resume(monthly, payer);
        _handler.chargeOne(monthly);
        vm.assertEq(_handler.done("paid alone"), 0, "nothing is due yet");
        _handler.pass(20 days - 2);
        _handler.pass(11 days + 3);
        _handler.chargeOne(monthly);
        _handler.chargeOne(monthly);
        vm.assertEq(_handler.done("paid alone"), 1, "once");
        vm.assertEq(_handler.done("paused") + _handler.done("resumed"), 2, "paused and resumed");
        _handler.assertInvariants();
    }

    /// @dev E31: whoever pauses a calendar period loses its place on the grid, and gains nothing by it: an upgrade after
    /// a downgrade costs no less than without.
    function test_E31_a_pause_makes_no_upgrade_cheaper() public {
        _handler.pass(10 days + 2);
        (uint256 monthly, uint256 payer) = (0, 1);
        _handler.changePlan(monthly, 1, HUNDRED_SEATS, 1, payer);
        _handler.changePlan(monthly, 15, 0, 1, payer); // back to the first of fifteen plans
        _handler.pause(monthly, payer);
        _handler.resume(monthly, payer);
        _handler.changePlan(monthly, 1, HUNDRED_SEATS, 1, payer);
        vm.assertEq(_handler.done("changed"), 3, "changed");
        _handler.assertInvariants();
    }

    /// @dev E02: a token that takes its fee from the larger part, which is the platform's.
    function test_E02_the_receiver_of_a_fee_gets_all_of_it() public {
        uint256 usdt = 7; // of a plan that pays all but a thousandth to the platform
        _handler.pass(1_000_002);
        _handler.setFee(5);
        _handler.chargeOne(usdt);
        vm.assertEq(_handler.done("undone"), 1, "the payee lacks nothing, the platform does");
        _handler.setFee(0);
        _handler.chargeOne(usdt);
        vm.assertEq(_handler.done("paid alone"), 1, "paid");
        _handler.assertInvariants();
    }

    function test_E07_what_a_blocked_payee_was_paid_is_kept_for_it() public {
        uint256 daily = 8; // in USDC
        _handler.pass(1 days + 2);
        _handler.blockAccount(1, 0); // USDC blocks the payee
        _handler.chargeOne(daily);
        _handler.claim(0, 0);
        vm.assertEq(_handler.done("kept"), 1, "kept");
        vm.assertEq(_handler.done("claimed"), 0, "still blocked");
        _handler.assertInvariants();
        _handler.blockAccount(3, 0); // nobody any more
        _handler.claim(0, 0);
        vm.assertEq(_handler.done("claimed"), 1, "claimed");
        _handler.assertInvariants();
    }

    function invariant_the_halves_match() public {
        _handler.assertInvariants();
    }

    /// @dev Forge asks for this one by name, at the end of each run.
    function afterInvariant() public view {
        _handler.assertAtTheEnd();
    }
}
