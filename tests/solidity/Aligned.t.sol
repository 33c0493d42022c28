// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Scene} from "./Scene.sol";

/// @notice Plans whose periods lie on a grid of their own: what is left of one, and what comes after.
contract AlignedTest is Scene {
    uint256 private constant FIRST_OF_FEBRUARY = 1_801_440_000;
    uint256 private constant FIRST_OF_MARCH = FIRST_OF_FEBRUARY + 28 days;
    uint32 private constant FIRST_OF_JANUARY = 1_798_761_600;

    function _aligned() private view returns (PlanTerms memory terms) {
        terms = _terms();
        terms.alignTo = FIRST_OF_JANUARY;
    }

    /// @dev A thousand seconds at a price of 100, half of which have passed.
    function _half() private view returns (PlanTerms memory terms) {
        terms = _terms();
        (terms.price, terms.unit, terms.every, terms.alignTo) = (100, Unit.Second, 1000, uint32(START - 500));
    }

    function test_createPlan_refuses_a_grid_that_begins_later() public {
        PlanTerms memory terms = _terms();
        terms.alignTo = uint32(START + 1);
        bytes memory failure = abi.encodeWithSelector(AlignedToFuture.selector, START + 1, START);
        _refuses(payee, abi.encodeCall(subscriptions.createPlan, (terms)), failure);
        terms.alignTo = uint32(START);
        _create(terms);
    }

    function test_the_first_period_is_what_is_left_of_one() public {
        uint256 before = token.balanceOf(payer);
        uint256 id = _subscribe(_aligned());
        uint256 left = FIRST_OF_FEBRUARY - START;
        vm.assertEq(_nextDue(id), FIRST_OF_FEBRUARY, "to the first");
        uint256 stub = PRICE - PRICE * (31 days - left) / 31 days;
        vm.assertEq(before - token.balanceOf(payer), stub, "its part of the price, rounded up");
        vm.warp(FIRST_OF_FEBRUARY);
        _declines(id, DeclineReason.None);
        vm.assertEq(before - token.balanceOf(payer), stub + PRICE, "then whole periods");
        vm.assertEq(_nextDue(id), FIRST_OF_MARCH, "on the first");
    }

    function test_a_start_on_the_grid_begins_a_whole_period() public {
        PlanTerms memory terms = _half();
        terms.alignTo = uint32(START - 3000);
        uint256 id = _subscribe(terms);
        vm.assertEq(subscriptions.subscription(id).history, 0, "the whole price");
        vm.assertEq(_nextDue(id), START + 1000, "a whole period");
        uint256 other = _open(subscriptions.subscription(id).planId, _none());
        vm.assertEq(_nextDue(other), START + 1000, "with conditions as well");
        vm.assertEq(subscriptions.subscription(other).history, 0, "the whole price");
    }

    function test_after_a_trial_the_first_period_is_a_stub() public {
        PlanTerms memory terms = _aligned();
        terms.trial = 10 days;
        uint256 id = _subscribe(terms);
        vm.warp(START + 10 days);
        uint256 stub = subscriptions.preview(id).amount;
        vm.assertEq(stub, PRICE - PRICE * (START + 10 days - FIRST_OF_FEBRUARY) / 28 days, "of February");
        _declines(id, DeclineReason.None);
        vm.assertEq(_nextDue(id), FIRST_OF_MARCH, "to the first");
    }

    /// @dev Charged too late, nothing is collected for it.
    function test_a_stub_that_has_passed_is_not_collected() public {
        PlanTerms memory terms = _aligned();
        terms.trial = 10 days;
        uint256 id = _subscribe(terms);
        vm.warp(FIRST_OF_MARCH + 5 days);
        vm.assertEq(subscriptions.preview(id).amount, PRICE, "all of March");
        _declines(id, DeclineReason.None);
        vm.assertEq(_nextDue(id), FIRST_OF_MARCH + 31 days, "to the first of April");
    }

    function test_after_a_pause_it_comes_back_to_its_grid() public {
        uint256 id = _subscribe(_half());
        vm.prank(payer);
        subscriptions.pause(id);
        vm.warp(START + 700);
        vm.prank(payer);
        subscriptions.resume(id);
        vm.warp(START + 1200);
        Preview memory due = subscriptions.preview(id);
        vm.assertEq(due.periodEnd, START + 1500, "the grid's next point");
        vm.assertEq(due.amount, 30, "three tenths of it");
        _declines(id, DeclineReason.None);
        vm.assertEq(_nextDue(id), START + 1500, "as previewed");
    }

    function test_a_change_to_an_aligned_plan_begins_with_a_stub() public {
        uint256 id = _subscribe(_terms());
        PlanTerms memory terms = _half();
        uint256 planId = _create(terms);
        vm.warp(START + 250);
        uint256 toPay = subscriptions.quote(id, planId, 0).toPay;
        vm.assertEq(toPay, 0, "paid with what was left of the month");
        _change(id, planId, 0);
        vm.assertEq(_nextDue(id), START + 500, "on the plan's grid");
        terms.price = 200;
        uint256 dearer = _create(terms);
        _change(id, dearer, 0);
        vm.assertEq(_nextDue(id), START + 500, "the same grid goes on");
    }

    function test_a_scheduled_change_to_an_aligned_plan_begins_with_a_stub() public {
        uint256 id = _subscribe(_terms());
        uint256 planId = _create(_half());
        _schedule(id, planId, 0);
        vm.warp(_nextDue(id));
        uint256 begun = (block.timestamp - (START - 500)) / 1000 * 1000 + START - 500;
        vm.assertEq(subscriptions.preview(id).amount, 100 - (block.timestamp - begun) / 10, "what is left");
        _declines(id, DeclineReason.None);
        vm.assertEq(_nextDue(id), begun + 1000, "on the plan's grid");
        _schedule(id, _create(_terms()), 0);
        vm.warp(begun + 1000);
        _declines(id, DeclineReason.None);
        vm.assertTrue(_nextDue(id) > begun + 28 days, "and back to months of its own");
    }

    function test_a_stub_can_be_given_back_and_no_more() public {
        uint256 id = _subscribe(_half());
        Segment[] memory history = new Segment[](1);
        history[0] = Segment(0, 100, 50);
        bytes memory data = abi.encodeCall(subscriptions.refundChanged, (id, 1, 51, history));
        _refuses(payee, data, abi.encodeWithSelector(RefundTooHigh.selector, 51, 50));
        vm.prank(payee);
        subscriptions.refundChanged(id, 1, 50, history);
    }

    /// @dev A discounted stub is not worth more than was paid for it.
    function test_what_is_unused_of_a_discounted_stub() public {
        PlanTerms memory terms = _half();
        terms.refundsUnused = true;
        uint256 id = _open(_create(terms), _none(), _coupon(5_000, 0, 2));
        uint256[] memory numbers = new uint256[](1);
        numbers[0] = 1;
        Segment[] memory history = new Segment[](1);
        history[0] = Segment(0, 100, 25);
        vm.prank(payee);
        subscriptions.cancelWithRefund(id, numbers, history);
        vm.assertEq(subscriptions.refunded(id, 1), 25, "all that was paid");
    }

    function _none() private pure returns (Conditions memory none) {}
}
