// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockQuoter} from "../../contracts/mocks/MockQuoter.sol";
import {MockToken} from "../../contracts/mocks/MockToken.sol";
import {Scene} from "./Scene.sol";

/// @notice Charges in a second token, where the payer lacks the first: every error with its values, and what each does.
contract AlternativesTest is Scene {
    uint96 private constant OTHER_PRICE = 12_345_678;

    MockToken private _other = new MockToken("Mock Euro", "MEUR", 6);
    uint256 private _planId;
    uint256 private _alternativeId;

    // ---------------------------------------------------------------- charging

    function test_a_period_is_paid_in_the_second_token() public {
        uint256 id = _backed();
        (uint256 alternativeId, uint256 planId, uint256 seats) = subscriptions.fallbackPlan(id);
        vm.assertEq(alternativeId, _alternativeId, "named");
        vm.assertEq(planId, _planId, "for this plan");
        vm.assertEq(seats, 0, "and these seats");
        (address wallet,,) = subscriptions.fallbackWallet(id);
        vm.assertEq(wallet, address(0), "no wallet");
        uint256 before = _other.balanceOf(payee);
        vm.warp(_nextDue(id));
        vm.assertEq(subscriptions.preview(id).planId, _alternativeId, "previewed");
        _declines(id, DeclineReason.None);
        vm.assertEq(_other.balanceOf(payee), before + OTHER_PRICE, "paid");
        vm.assertEq(subscriptions.controlTotals(payee, address(_other)).charges.sum, OTHER_PRICE, "counted there");
        vm.assertEq(subscriptions.controlTotals(payee, address(token)).charges.count, 1, "not here");
        bytes memory failure = abi.encodeWithSelector(PaidInAnotherToken.selector, id);
        _refuses(payer, _changing(id, _create(_terms()), 0, type(uint256).max), failure);
        _refuses(payee, _endingWithRefund(id, 2), failure);
        vm.prank(payee);
        subscriptions.refundChanged(id, 2, OTHER_PRICE, _history());
        vm.assertEq(_other.balanceOf(payee), before, "given back");
    }

    function test_an_earlier_one_is_no_charge_to_refund_from() public {
        uint256 id = _backed();
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.None);
        vm.prank(payer);
        token.approve(address(subscriptions), type(uint256).max);
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.None);
        _refuses(payee, _endingWithRefund(id, 2), abi.encodeWithSelector(PaidInAnotherToken.selector, id));
        vm.prank(payee);
        (bool ok,) = address(subscriptions).call(_endingWithRefund(id, 3));
        vm.assertTrue(ok, "ended");
    }

    function test_what_is_lacking_in_both_or_withdrawn_declines() public {
        uint256 id = _backed();
        vm.warp(_nextDue(id));
        vm.prank(payer);
        _other.approve(address(subscriptions), OTHER_PRICE - 1);
        _declines(id, DeclineReason.Allowance);
        vm.prank(payer);
        _other.approve(address(subscriptions), OTHER_PRICE);
        vm.prank(payee);
        subscriptions.withdrawAlternative(_planId, _alternativeId);
        vm.assertTrue(!subscriptions.isAlternative(_planId, _alternativeId), "withdrawn");
        _declines(id, DeclineReason.Allowance);
    }

    function test_limits_of_amounts_are_of_the_first_token() public {
        uint256 id = _backed();
        Conditions memory limits;
        limits.maxPerPeriod = 2 * PRICE;
        vm.prank(payer);
        subscriptions.setConditions(id, limits);
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.Allowance);
        bytes memory data = _naming(id);
        _refuses(payer, data, abi.encodeWithSelector(AmountsLimited.selector, id));
        (limits.maxPerPeriod, limits.endsAt) = (0, uint40(block.timestamp + 1));
        vm.prank(payer);
        subscriptions.setConditions(id, limits);
        _declines(id, DeclineReason.None);
    }

    function test_on_a_fixed_grid_the_first_piece_is_one_of_its_price() public {
        PlanTerms memory terms = _terms();
        (terms.every, terms.unit, terms.alignTo) = (30, Unit.Day, uint32(START - 10 days));
        _offer(terms);
        Conditions memory later;
        later.startsAt = uint40(START + 5 days);
        uint256 id = _open(_planId, later);
        _name(id);
        vm.prank(payer);
        token.approve(address(subscriptions), 0);
        vm.warp(START + 5 days);
        _declines(id, DeclineReason.None);
        uint256 paid = subscriptions.controlTotals(payee, address(_other)).charges.sum;
        vm.assertEq(paid, OTHER_PRICE / 2, "15 of 30 days");
    }

    // ---------------------------------------------------------------- offering

    function test_only_the_payee_offers_and_withdraws() public {
        _offer(_terms());
        bytes memory failure = abi.encodeWithSelector(NotAuthorized.selector, stranger);
        _refuses(stranger, abi.encodeCall(subscriptions.offerAlternative, (_planId, _alternativeId)), failure);
        _refuses(stranger, abi.encodeCall(subscriptions.withdrawAlternative, (_planId, _alternativeId)), failure);
        failure = abi.encodeWithSelector(AlternativeIsOffered.selector, _planId, _alternativeId);
        _refuses(payee, abi.encodeCall(subscriptions.offerAlternative, (_planId, _alternativeId)), failure);
        failure = abi.encodeWithSelector(NotAnAlternative.selector, _alternativeId, _planId);
        _refuses(payee, abi.encodeCall(subscriptions.withdrawAlternative, (_alternativeId, _planId)), failure);
    }

    function test_an_alternative_is_alike_but_for_its_token() public {
        _offer(_terms());
        bytes memory failure = abi.encodeWithSelector(SameToken.selector, token);
        _refusesOffer(_create(_terms()), failure);
        PlanTerms memory terms = _elsewhere(_terms());
        terms.every = 2;
        uint256 planId = _create(terms);
        _refusesOffer(planId, abi.encodeWithSelector(AnotherGrid.selector, _planId, planId));
        terms = _elsewhere(_terms());
        terms.seatPrice = 1;
        planId = _create(terms);
        _refusesOffer(planId, abi.encodeWithSelector(SeatsOfOneOnly.selector, _planId, planId));
        terms = _elsewhere(_terms());
        terms.quoter = address(new MockQuoter());
        planId = _create(terms);
        _refusesOffer(planId, abi.encodeWithSelector(PlanIsQuoted.selector, planId));
        terms = _elsewhere(_terms());
        terms.refundsUnused = true;
        planId = _create(terms);
        _refusesOffer(planId, abi.encodeWithSelector(PlanRefundsUnused.selector, planId));
        terms = _elsewhere(_terms());
        (terms.protection, terms.arbiter, terms.rulingTimeout) = (1 days, stranger, 1 days);
        planId = _create(terms);
        _refusesOffer(planId, abi.encodeWithSelector(PlanIsProtected.selector, planId));
    }

    // ------------------------------------------------------------------ naming

    function test_naming_refuses_what_could_not_be_charged() public {
        _offer(_terms());
        uint256 id = _subscribe(_planId, 0);
        vm.assertEq(_named(id), 0, "none");
        uint256 alternativeId = _create(_elsewhere(_terms()));
        bytes memory failure = abi.encodeWithSelector(NotAnAlternative.selector, _planId, alternativeId);
        _refuses(payer, _naming(id, alternativeId), failure);
        vm.prank(payee);
        subscriptions.offerAlternative(_planId, alternativeId);
        vm.prank(payee);
        subscriptions.archivePlan(alternativeId);
        _refuses(payer, _naming(id, alternativeId), abi.encodeWithSelector(PlanIsArchived.selector, alternativeId));
        PlanTerms memory terms = _elsewhere(_terms());
        (terms.feeBps, terms.feeReceiver) = (1, payer);
        alternativeId = _create(terms);
        vm.prank(payee);
        subscriptions.offerAlternative(_planId, alternativeId);
        _refuses(payer, _naming(id, alternativeId), abi.encodeWithSelector(PayerIsPayee.selector, payer));
        vm.prank(payer);
        subscriptions.cancel(id);
        _refuses(payer, _naming(id), abi.encodeWithSelector(NotActive.selector, id, Status.Cancelled));
    }

    // --------------------------------------------------------------- proposing

    function test_a_proposal_is_the_payee_s_for_its_own_register() public {
        _offer(_terms());
        uint256 planId = _create(_terms());
        uint256 id = _subscribe(_planId, 0);
        uint256 ended = _subscribe(_planId, 0);
        vm.prank(payer);
        subscriptions.cancel(ended);
        uint256[] memory ids = new uint256[](2);
        (ids[0], ids[1]) = (id, ended);
        bytes memory data = abi.encodeCall(subscriptions.proposePlan, (ids, planId));
        _refuses(stranger, data, abi.encodeWithSelector(NotAuthorized.selector, stranger));
        bytes memory elsewhere = abi.encodeCall(subscriptions.proposePlan, (ids, _alternativeId));
        _refuses(payee, elsewhere, abi.encodeWithSelector(AnotherRegister.selector, 1, 0));
        vm.recordLogs();
        vm.prank(payee);
        subscriptions.proposePlan(ids, planId);
        vm.assertEq(vm.getRecordedLogs().length, 1, "one that goes on");
        vm.prank(payee);
        subscriptions.archivePlan(planId);
        _refuses(payee, data, abi.encodeWithSelector(PlanIsArchived.selector, planId));
    }

    // ------------------------------------------------------------------- parts

    function _elsewhere(PlanTerms memory terms) private view returns (PlanTerms memory) {
        (terms.price, terms.token) = (OTHER_PRICE, address(_other));
        return terms;
    }

    /// @dev A plan and its alternative.
    function _offer(PlanTerms memory terms) private {
        _fund(payer, _other);
        _fund(payee, _other);
        _planId = _create(terms);
        _alternativeId = _create(_elsewhere(terms));
        vm.prank(payee);
        subscriptions.offerAlternative(_planId, _alternativeId);
    }

    /// @dev A subscription with a fallback plan, whose payer has taken back what could be moved of the first token.
    function _backed() private returns (uint256 id) {
        _offer(_terms());
        id = _subscribe(_planId, 0);
        _name(id);
        vm.prank(payer);
        token.approve(address(subscriptions), 0);
    }

    function _name(uint256 id) private {
        bytes memory data = _naming(id);
        vm.prank(payer);
        (bool ok,) = address(subscriptions).call(data);
        vm.assertTrue(ok, "named");
    }

    function _naming(uint256 id) private view returns (bytes memory) {
        return _naming(id, _alternativeId);
    }

    function _naming(uint256 id, uint256 alternativeId) private view returns (bytes memory) {
        bytes32 terms = subscriptions.termsHash(alternativeId);
        return abi.encodeCall(subscriptions.setFallbackPlan, (id, alternativeId, terms));
    }

    function _named(uint256 id) private view returns (uint256 alternativeId) {
        (alternativeId,,) = subscriptions.fallbackPlan(id);
    }

    function _history() private view returns (Segment[] memory history) {
        history = new Segment[](1);
        history[0] = Segment(1, PRICE, OTHER_PRICE | _alternativeId << 96);
    }

    function _endingWithRefund(uint256 id, uint256 chargeNumber) private view returns (bytes memory) {
        uint256[] memory numbers = new uint256[](1);
        numbers[0] = chargeNumber;
        return abi.encodeCall(subscriptions.cancelWithRefund, (id, numbers, _history()));
    }

    function _refusesOffer(uint256 alternativeId, bytes memory failure) private {
        _refuses(payee, abi.encodeCall(subscriptions.offerAlternative, (_planId, alternativeId)), failure);
    }
}
