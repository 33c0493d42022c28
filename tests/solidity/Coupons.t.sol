// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Scene} from "./Scene.sol";

/// @notice What payees sign to take something off: for whom, for which plan, for how long.
contract CouponsTest is Scene {
    function test_a_discount_lasts_for_its_periods() public {
        uint256 before = token.balanceOf(payer);
        uint256 id = _open(_create(_terms()), _none(), _coupon(5_000, 1, 2));
        uint256 off = PRICE / 2 + 1;
        vm.assertEq(before - token.balanceOf(payer), PRICE - off, "the first period");
        (uint256 bps, uint256 amount, uint256 left) = subscriptions.discount(id);
        vm.assertTrue(bps == 5_000 && amount == 1 && left == 1, "one period more");
        _next(id);
        vm.assertEq(before - token.balanceOf(payer), 2 * (PRICE - off), "and the second");
        vm.assertTrue(subscriptions.couponHash(1, _coupon(5_000, 1, 2)) != bytes32(0), "hashed");
        _next(id);
        vm.assertEq(before - token.balanceOf(payer), 3 * PRICE - 2 * off, "not the third");
        (bps, amount, left) = subscriptions.discount(id);
        vm.assertTrue(bps + amount + left == 0, "it is over");
    }

    function test_at_most_the_price_is_taken_off() public {
        uint256 before = token.balanceOf(payer);
        uint256 id = _open(_create(_terms()), _none(), _coupon(0, type(uint96).max, 1));
        vm.assertEq(before, token.balanceOf(payer), "for nothing");
        vm.assertEq(subscriptions.subscription(id).charges, 1, "charged all the same");
    }

    function test_redeemed_later_it_counts_from_the_next_charge() public {
        uint256 id = _subscribe(_terms());
        uint256 planId = subscriptions.subscription(id).planId;
        Coupon memory coupon = _coupon(10_000, 0, 1);
        bytes memory data = _redeeming(id, coupon, PAYEE_KEY);
        _refuses(payee, data, abi.encodeWithSelector(NotAuthorized.selector, payee));
        vm.prank(payer);
        (bool ok,) = address(subscriptions).call(data);
        vm.assertTrue(ok && subscriptions.isCouponUsed(subscriptions.couponHash(planId, coupon), payer), "redeemed");
        _refuses(payer, data, abi.encodeWithSelector(DiscountRunning.selector, id));
        uint256 before = token.balanceOf(payer);
        _next(id);
        vm.assertEq(before, token.balanceOf(payer), "for nothing");
        _next(id);
        bytes32 hash = subscriptions.couponHash(planId, coupon);
        _refuses(payer, data, abi.encodeWithSelector(CouponUsed.selector, hash, payer));
        vm.prank(payer);
        subscriptions.cancel(id);
        _refuses(payer, data, abi.encodeWithSelector(NotActive.selector, id, Status.Cancelled));
    }

    function test_a_coupon_that_is_not_for_this() public {
        uint256 id = _subscribe(_terms());
        bytes memory failure = abi.encodeWithSelector(CouponNotFor.selector, 1, payer);
        Coupon[5] memory wrong =
            [_coupon(1, 0, 1), _coupon(1, 0, 1), _coupon(0, 0, 1), _coupon(10_001, 0, 1), _coupon(1, 0, 0)];
        wrong[0].planId = 2;
        wrong[1].payer = stranger;
        for (uint256 i = 0; i < wrong.length; ++i) {
            _refuses(payer, _redeeming(id, wrong[i], PAYEE_KEY), failure);
        }
        Coupon memory coupon = _coupon(1, 0, 1);
        (coupon.planId, coupon.payer) = (1, payer);
        _refuses(payer, _redeeming(id, coupon, KEY), abi.encodeWithSelector(InvalidSignature.selector, payee));
        coupon.validBefore = START;
        failure = abi.encodeWithSelector(SignatureExpired.selector, START, START);
        _refuses(payer, _redeeming(id, coupon, PAYEE_KEY), failure);
        coupon.validBefore = START + 1;
        vm.prank(payee);
        subscriptions.revokeMandate(coupon.code);
        failure = abi.encodeWithSelector(SaltUsed.selector, payee, coupon.code);
        _refuses(payer, _redeeming(id, coupon, PAYEE_KEY), failure);
    }

    /// @dev What is left of a period with a discount is not measured.
    function test_no_change_at_once_while_it_runs() public {
        uint256 id = _open(_create(_terms()), _none(), _coupon(1, 0, 1));
        PlanTerms memory terms = _terms();
        terms.price = 1;
        uint256 planId = _create(terms);
        _refuses(payer, _changing(id, planId, 0, 0), abi.encodeWithSelector(DiscountRunning.selector, id));
        _next(id);
        _change(id, planId, 0);
    }

    /// @dev For one plan it is not for a dearer one, and ends with the change.
    function test_a_coupon_of_one_plan_ends_with_another() public {
        uint256 cheap = _create(_terms());
        PlanTerms memory terms = _terms();
        terms.price = 50_000 * PRICE;
        uint256 dear = _create(terms);
        Coupon memory coupon = _coupon(10_000, 0, 12);
        coupon.planId = uint32(cheap);
        uint256 id = _open(cheap, _none(), coupon);
        _schedule(id, dear, 0);
        uint256 before = token.balanceOf(payer);
        _next(id);
        vm.assertEq(before - token.balanceOf(payer), terms.price, "the dear plan costs its price");
        (,, uint256 left) = subscriptions.discount(id);
        vm.assertEq(left, 0, "it is over");
    }

    /// @dev A plan that the payee made cheaper keeps it.
    function test_a_coupon_goes_along_with_a_lower_price() public {
        uint256 planId = _create(_terms());
        Coupon memory coupon = _coupon(10_000, 0, 2);
        coupon.planId = uint32(planId);
        uint256 id = _open(planId, _none(), coupon);
        PlanTerms memory terms = _terms();
        terms.price = PRICE - 1;
        uint256[] memory ids = new uint256[](1);
        ids[0] = id;
        uint256 lower = _create(terms);
        vm.prank(payee);
        subscriptions.lowerPrice(ids, lower);
        uint256 before = token.balanceOf(payer);
        _next(id);
        vm.assertEq(before, token.balanceOf(payer), "still for nothing");
    }

    function test_a_discount_counts_in_what_is_refunded() public {
        uint256 id = _open(_create(_terms()), _none(), _coupon(5_000, 0, 1));
        uint256[] memory numbers = new uint256[](1);
        numbers[0] = 1;
        Segment[] memory history = new Segment[](1);
        history[0] = Segment(0, PRICE, PRICE / 2);
        vm.prank(payee);
        subscriptions.cancelWithRefund(id, numbers, history);
        vm.assertEq(subscriptions.refunded(id, 1), PRICE / 2, "what was paid");
    }

    function _next(uint256 id) private {
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.None);
    }

    function _redeeming(uint256 id, Coupon memory coupon, uint256 key) private view returns (bytes memory) {
        bytes32 hash = subscriptions.couponHash(subscriptions.subscription(id).planId, coupon);
        return abi.encodeCall(subscriptions.redeemCoupon, (id, coupon, _signed(key, hash)));
    }

    function _none() private pure returns (Conditions memory none) {}
}
