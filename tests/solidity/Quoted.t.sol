// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockQuoter} from "../../contracts/mocks/MockQuoter.sol";
import {Scene} from "./Scene.sol";

/// @notice Plans whose price somebody quotes: what moves, what fails, and what the payer's maximum lets through.
contract QuotedTest is Scene {
    MockQuoter private _quoter = new MockQuoter();

    function _quoted() private view returns (PlanTerms memory terms) {
        terms = _terms();
        terms.quoter = address(_quoter);
    }

    function _most(uint256 amount) private pure returns (Conditions memory conditions) {
        conditions.maxPerPeriod = uint96(amount);
    }

    function test_createPlan_refuses_quoters_that_cannot_be() public {
        PlanTerms memory terms = _quoted();
        terms.refundsUnused = true;
        bytes memory data = abi.encodeCall(subscriptions.createPlan, (terms));
        _refuses(payee, data, abi.encodeWithSelector(TermsContradict.selector));
        terms.quoter = stranger;
        data = abi.encodeCall(subscriptions.createPlan, (terms));
        _refuses(payee, data, abi.encodeWithSelector(NotAContract.selector, stranger));
    }

    function test_a_quoted_plan_needs_a_maximum() public {
        uint256 planId = _create(_quoted());
        bytes memory failure = abi.encodeWithSelector(MaximumMissing.selector, planId);
        bytes32 terms = subscriptions.termsHash(planId);
        _refuses(payer, abi.encodeCall(subscriptions.subscribe, (planId, terms, 0)), failure);
        Coupon memory none;
        _refuses(payer, _opening(planId, _most(0), none), failure);
        uint256 id = _open(planId, _most(PRICE));
        _refuses(payer, abi.encodeCall(subscriptions.setConditions, (id, _most(0))), failure);
        uint256 plain = _subscribe(_terms());
        _refuses(payer, _scheduling(plain, planId, 0), failure);
        vm.prank(payer);
        subscriptions.setConditions(plain, _most(PRICE));
        _schedule(plain, planId, 0);
    }

    function test_the_price_moves_with_the_quote() public {
        uint256 id = _open(_create(_quoted()), _most(PRICE));
        uint256 before = token.balanceOf(payer);
        _quoter.setRate(500_000);
        vm.warp(_nextDue(id));
        vm.assertEq(subscriptions.preview(id).amount, PRICE / 2, "previewed");
        _declines(id, DeclineReason.None);
        vm.assertEq(before - token.balanceOf(payer), PRICE / 2, "half of it");
        Segment[] memory history = new Segment[](2);
        (history[0], history[1]) = (Segment(0, PRICE, PRICE), Segment(1, PRICE, PRICE / 2));
        bytes memory data = abi.encodeCall(subscriptions.refundChanged, (id, 2, PRICE / 2 + 1, history));
        _refuses(payee, data, abi.encodeWithSelector(RefundTooHigh.selector, PRICE / 2 + 1, PRICE / 2));
    }

    function test_above_the_maximum_it_declines() public {
        uint256 id = _open(_create(_quoted()), _most(PRICE));
        vm.warp(_nextDue(id));
        _quoter.setRate(1_000_001);
        vm.assertTrue(subscriptions.preview(id).reason == DeclineReason.Slippage, "previewed");
        _declines(id, DeclineReason.Slippage);
        _quoter.setRate(1_000_000);
        _declines(id, DeclineReason.None);
    }

    function test_a_quoter_that_fails_declines() public {
        uint256 id = _open(_create(_quoted()), _most(PRICE));
        vm.warp(_nextDue(id));
        for (uint256 i = 1; i < 11; ++i) {
            MockQuoter.Trick trick = MockQuoter.Trick(i);
            if (trick == MockQuoter.Trick.ReturnBomb) continue;
            _quoter.play(trick);
            bool stale = trick == MockQuoter.Trick.Stale || trick == MockQuoter.Trick.StaleBomb;
            _declines(id, stale ? DeclineReason.QuoteStale : DeclineReason.QuoteUnavailable);
        }
        vm.assertEq(subscriptions.subscription(id).charges, 1, "nothing was charged");
        _quoter.play(MockQuoter.Trick.ReturnBomb);
        _declines(id, DeclineReason.None);
    }

    function test_a_quoter_that_fails_opens_nothing() public {
        uint256 planId = _create(_quoted());
        _quoter.play(MockQuoter.Trick.Stale);
        Coupon memory none;
        bytes memory failure =
            abi.encodeWithSelector(FirstChargeDeclined.selector, DeclineReason.QuoteStale, 0, 0);
        _refuses(payer, _opening(planId, _most(PRICE), none), failure);
    }

    function test_it_changes_at_its_end_only() public {
        uint256 planId = _create(_quoted());
        uint256 id = _open(planId, _most(PRICE));
        uint256 plain = _create(_terms());
        _refuses(payer, _changing(id, plain, 0, 0), abi.encodeWithSelector(PlanIsQuoted.selector, plain));
        uint256 other = _subscribe(plain, 0);
        _refuses(payer, _changing(other, planId, 0, 0), abi.encodeWithSelector(PlanIsQuoted.selector, planId));
        uint256[] memory numbers;
        Segment[] memory history;
        bytes memory data = abi.encodeCall(subscriptions.cancelWithRefund, (id, numbers, history));
        _refuses(payee, data, abi.encodeWithSelector(PlanIsQuoted.selector, planId));
        bytes memory naming = abi.encodeCall(subscriptions.setFallback, (id, second, 1, START + 1, ""));
        _refuses(payer, naming, abi.encodeWithSelector(PlanIsQuoted.selector, planId));
        _schedule(id, plain, 0);
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.None);
        vm.assertEq(subscriptions.subscription(id).planId, plain, "changed");
    }

    /// @dev Its discount is of the quoted price; of a stub the quoted one is the stub's.
    function test_a_quoted_stub_with_a_coupon() public {
        PlanTerms memory terms = _quoted();
        (terms.price, terms.unit, terms.every, terms.alignTo) = (100, Unit.Second, 1000, uint32(START - 500));
        uint256 before = token.balanceOf(payer);
        uint256 id = _open(_create(terms), _most(100), _coupon(5_000, 0, 2));
        vm.assertEq(before - token.balanceOf(payer), 25, "half of a half");
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.None);
        vm.assertEq(before - token.balanceOf(payer), 75, "and half of a whole");
    }

    /// @dev With the maximum, usage that the plan allows counts, whatever is used.
    function test_usage_of_a_quoted_plan() public {
        PlanTerms memory terms = _quoted();
        (terms.usageCap, terms.usagePrice) = (100, 1_000_000);
        uint256 planId = _create(terms);
        Coupon memory none;
        bytes memory failure =
            abi.encodeWithSelector(FirstChargeDeclined.selector, DeclineReason.Slippage, PRICE + 100, PRICE + 99);
        _refuses(payer, _opening(planId, _most(PRICE + 99), none), failure);
        uint256 id = _open(planId, _most(PRICE + 100));
        vm.prank(payee);
        subscriptions.chargeUsage(id, 2, 100, 100, 0);
    }
}
