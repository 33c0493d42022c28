// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Scene} from "./Scene.sol";

/// @notice What waits for the end of a period: changes of the payer, lower prices of the payee; and what is refunded
/// where the period is ended before.
contract SchedulesTest is Scene {
    bytes32 private constant PLAN_CHANGE_TYPEHASH = keccak256(
        "PlanChange(uint256 subscriptionId,address payer,uint256 planId,uint256 pricePerPeriod,uint256 pricePerSeat,uint256 seats,uint256 periodCount,string periodUnit,bytes32 terms,uint256 salt,uint256 validBefore)"
    );

    function _plan(uint96 price) private returns (uint256) {
        PlanTerms memory terms = _terms();
        terms.price = price;
        return _create(terms);
    }

    // ---------------------------------------------------------------- schedule

    function test_a_change_waits_for_the_next_charge() public {
        uint256 id = _subscribe(_terms());
        uint256 planId = _plan(PRICE / 2);
        uint256 before = token.balanceOf(payer);
        _schedule(id, planId, 0);
        (uint256 next, uint256 seats) = subscriptions.scheduledChange(id);
        vm.assertTrue(next == planId && seats == 0, "scheduled");
        vm.assertEq(before, token.balanceOf(payer), "nothing moves before");
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.None);
        vm.assertEq(before - token.balanceOf(payer), PRICE / 2, "the new price");
        (next,) = subscriptions.scheduledChange(id);
        vm.assertEq(next, 0, "done");
        Segment[] memory history = new Segment[](1);
        history[0] = Segment(1, PRICE, type(uint256).max);
        vm.prank(payee);
        subscriptions.refundChanged(id, 1, PRICE, history);
        bytes memory data = abi.encodeCall(subscriptions.refundChanged, (id, 2, PRICE / 2 + 1, history));
        _refuses(payee, data, abi.encodeWithSelector(RefundTooHigh.selector, PRICE / 2 + 1, PRICE / 2));
    }

    function test_a_decline_leaves_it_scheduled() public {
        uint256 id = _subscribe(_terms());
        _schedule(id, _plan(1), 0);
        vm.warp(_nextDue(id));
        vm.prank(payer);
        token.approve(address(subscriptions), 0);
        _declines(id, DeclineReason.Allowance);
        (uint256 next,) = subscriptions.scheduledChange(id);
        vm.assertEq(next, 2, "still");
        vm.assertEq(subscriptions.subscription(id).planId, 1, "not yet");
    }

    function test_present_plan_and_seats_take_it_back() public {
        uint256 planId = _create(_terms());
        uint256 id = _subscribe(planId, 0);
        _refuses(payer, _scheduling(id, planId, 0), abi.encodeWithSelector(NothingToChange.selector, id));
        _schedule(id, _plan(1), 0);
        _schedule(id, planId, 0);
        (uint256 next,) = subscriptions.scheduledChange(id);
        vm.assertEq(next, 0, "nothing");
        _schedule(id, _plan(2), 0);
        _change(id, _plan(3), 0);
        (next,) = subscriptions.scheduledChange(id);
        vm.assertEq(next, 0, "a change at once takes its place");
    }

    function test_scheduleChange_refuses_what_a_change_would() public {
        uint256 id = _subscribe(_terms());
        uint256 planId = _plan(1);
        bytes memory data = _scheduling(id, planId, 0);
        _refuses(stranger, data, abi.encodeWithSelector(NotAuthorized.selector, stranger));
        _refuses(payer, _scheduling(id, planId, 1), abi.encodeWithSelector(SeatsOutOfRange.selector, 1, 0));
        PlanTerms memory terms = _terms();
        terms.maxCharges = 3;
        uint256 fixedId = _create(terms);
        _refuses(payer, _scheduling(id, fixedId, 0), abi.encodeWithSelector(FixedTerm.selector, fixedId, 3));
        vm.warp(_nextDue(id));
        _refuses(payer, data, abi.encodeWithSelector(ChargeDue.selector, id, _nextDue(id)));
    }

    function test_a_signed_change_is_sent_by_anyone() public {
        uint256 id = _subscribe(_terms());
        uint256 planId = _plan(1);
        bytes memory data = _signedChange(id, planId, START + 1);
        bytes memory wrong = abi.encodeCall(subscriptions.scheduleChangeBySignature, (id, planId, 0, 5, START, ""));
        _refuses(stranger, wrong, abi.encodeWithSelector(SignatureExpired.selector, START, START));
        wrong = abi.encodeCall(subscriptions.scheduleChangeBySignature, (id, planId, 0, 5, START + 1, ""));
        _refuses(stranger, wrong, abi.encodeWithSelector(InvalidSignature.selector, payer));
        (bool ok,) = address(subscriptions).call(data);
        vm.assertTrue(ok, "scheduled");
        _refuses(stranger, data, abi.encodeWithSelector(SaltUsed.selector, payer, 5));
        (uint256 next,) = subscriptions.scheduledChange(id);
        vm.assertEq(next, planId, "by its signature");
    }

    function _signedChange(uint256 id, uint256 planId, uint256 validBefore) private view returns (bytes memory) {
        bytes memory first =
            abi.encode(PLAN_CHANGE_TYPEHASH, id, payer, planId, uint256(1), uint256(0), uint256(0), uint256(1));
        bytes32 terms = subscriptions.termsHash(planId);
        bytes memory rest = abi.encode(keccak256("month"), terms, uint256(5), validBefore);
        bytes memory signature = _signed(_typed(keccak256(bytes.concat(first, rest))));
        return abi.encodeCall(subscriptions.scheduleChangeBySignature, (id, planId, 0, 5, validBefore, signature));
    }

    // ------------------------------------------------------------------- lower

    function test_the_payee_lowers_prices_and_nothing_else() public {
        uint256 id = _subscribe(_terms());
        uint256 lower = _plan(PRICE - 1);
        vm.prank(payee);
        subscriptions.lowerPrice(_one(id), lower);
        (uint256 next,) = subscriptions.scheduledChange(id);
        vm.assertEq(next, lower, "scheduled");
        PlanTerms memory terms = _terms();
        terms.price = 1;
        terms.catchUp = 1;
        _refusesLower(id, _create(terms));
        (terms.catchUp, terms.grace) = (0, 1);
        _refusesLower(id, _create(terms));
        (terms.grace, terms.usageCap, terms.usagePrice) = (0, 1, 1);
        _refusesLower(id, _create(terms));
        (terms.usageCap, terms.usagePrice, terms.seatPrice) = (0, 0, 1);
        _refusesLower(id, _create(terms));
        _refusesLower(id, _plan(PRICE));
        _refusesLower(id, lower);
        (terms.seatPrice, terms.feeBps, terms.feeReceiver) = (0, 1, payer);
        _refusesLower(id, _create(terms));
        _refusesLower(id + 1, _plan(1));
        bytes memory data = abi.encodeCall(subscriptions.lowerPrice, (_one(id), lower));
        _refuses(payer, data, abi.encodeWithSelector(NotAuthorized.selector, payer));
        vm.warp(_nextDue(id));
        uint256 before = token.balanceOf(payer);
        _declines(id, DeclineReason.None);
        vm.assertEq(before - token.balanceOf(payer), PRICE - 1, "the lower price");
        vm.prank(payer);
        subscriptions.cancel(id);
        _refusesLower(id, _plan(1));
    }

    function _refusesLower(uint256 id, uint256 planId) private {
        bytes memory data = abi.encodeCall(subscriptions.lowerPrice, (_one(id), planId));
        _refuses(payee, data, abi.encodeWithSelector(TermsWorse.selector, planId));
    }

    function _one(uint256 id) private pure returns (uint256[] memory ids) {
        ids = new uint256[](1);
        ids[0] = id;
    }

    // ------------------------------------------------------------------ refund

    function test_the_payee_ends_it_with_what_is_left() public {
        PlanTerms memory terms = _terms();
        (terms.unit, terms.every, terms.refundsUnused) = (Unit.Day, 30, true);
        uint256 id = _subscribe(terms);
        vm.warp(START + 10 days);
        uint256 unused = PRICE * 2 / 3;
        bytes memory failure = abi.encodeWithSelector(UnusedNotRefunded.selector, 0, unused);
        _refuses(payee, abi.encodeCall(subscriptions.cancel, (id)), failure);
        _refuses(payer, _ending(id, 1), abi.encodeWithSelector(NotAuthorized.selector, payer));
        _refuses(payee, _ending(id, 0), failure);
        _refuses(payee, _ending(id, 2), abi.encodeWithSelector(UnknownCharge.selector, id, 2, 1));
        vm.prank(payee);
        subscriptions.refund(id, 1, 7);
        uint256 before = token.balanceOf(payer);
        vm.prank(payee);
        (bool ok,) = address(subscriptions).call(_ending(id, 1));
        vm.assertTrue(ok && subscriptions.subscription(id).status == Status.Cancelled, "ended");
        vm.assertEq(token.balanceOf(payer) - before, unused - 7, "what was refunded of it counts");
        _refuses(payee, _ending(id, 1), abi.encodeWithSelector(NotActive.selector, id, Status.Cancelled));
    }

    function test_what_is_over_or_paused_or_not_begun() public {
        PlanTerms memory terms = _terms();
        (terms.unit, terms.every, terms.refundsUnused) = (Unit.Day, 30, true);
        uint256 planId = _create(terms);
        (uint256 over, uint256 paused) = (_subscribe(planId, 0), _subscribe(planId, 0));
        vm.prank(payer);
        subscriptions.pause(paused);
        terms.trial = 60 days;
        uint256 trying = _subscribe(terms);
        vm.warp(START + 30 days);
        vm.prank(payee);
        subscriptions.cancel(over);
        vm.prank(payee);
        subscriptions.cancel(trying);
        bytes memory failure = abi.encodeWithSelector(UnusedNotRefunded.selector, 0, PRICE);
        _refuses(payee, abi.encodeCall(subscriptions.cancel, (paused)), failure);
        vm.prank(payee);
        (bool ok,) = address(subscriptions).call(_ending(paused, 1));
        vm.assertTrue(ok && subscriptions.refunded(paused, 1) == PRICE, "all of it");
    }

    function test_credit_is_refunded_too_and_the_payer_may_end_it_for_nothing() public {
        PlanTerms memory terms = _terms();
        (terms.seatPrice, terms.refundsUnused) = (1_000_000, true);
        uint256 planId = _create(terms);
        uint256 id = _subscribe(planId, 3);
        _change(id, planId, 1);
        Segment[] memory history = new Segment[](1);
        history[0] = Segment(1, PRICE + 3_000_000, type(uint256).max);
        uint256[] memory numbers = new uint256[](3);
        (numbers[0], numbers[1], numbers[2]) = (1, 1, 1);
        vm.prank(payee);
        subscriptions.cancelWithRefund(id, numbers, history);
        vm.assertEq(subscriptions.refunded(id, 1), PRICE + 3_000_000, "the period and the credit");
        vm.assertEq(subscriptions.subscription(id).credit, 0, "which is gone");
        uint256 other = _subscribe(planId, 1);
        vm.prank(payer);
        subscriptions.cancel(other);
    }

    /// @dev Charge `number`, or none where it is 0.
    function _ending(uint256 id, uint256 number) private view returns (bytes memory) {
        uint256[] memory numbers = new uint256[](number == 0 ? 0 : 1);
        if (number > 0) numbers[0] = number;
        Segment[] memory history;
        return abi.encodeCall(subscriptions.cancelWithRefund, (id, numbers, history));
    }
}
