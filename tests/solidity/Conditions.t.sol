// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockWallet} from "../../contracts/mocks/MockWallet.sol";
import {Scene} from "./Scene.sol";

/// @notice What payers add to a plan's terms, directly and signed: every error with its values, and what each does.
contract ConditionsTest is Scene {
    Coupon private _noCoupon;

    // ----------------------------------------------------------------- opening

    function test_all_that_was_set_is_told() public {
        Conditions memory conditions = _limits(PRICE + 1, 3 * PRICE, START + 90 days);
        conditions.beneficiary = stranger;
        uint256 id = _open(_create(_terms()), conditions);
        (Conditions memory found, bool isSpent) = subscriptions.conditions(id);
        vm.assertEq(found.maxPerPeriod, PRICE + 1, "per period");
        vm.assertEq(found.maxTotal, 2 * PRICE, "the first charge counts");
        vm.assertEq(found.endsAt, START + 90 days, "the end");
        vm.assertTrue(!isSpent && !found.byPermit2, "something is left");
        vm.assertEq(subscriptions.beneficiary(id), stranger, "whom it serves");
        (found,) = subscriptions.conditions(_subscribe(_terms()));
        vm.assertEq(found.maxPerPeriod, 0, "none");
        vm.assertEq(subscriptions.beneficiary(id + 1), payer, "the payer");
    }

    function test_the_first_charge_must_be_within_them() public {
        uint256 planId = _create(_terms());
        _firstDeclines(planId, _limits(PRICE - 1, 0, 0), DeclineReason.OverMandate, PRICE, PRICE - 1);
        _firstDeclines(planId, _limits(0, PRICE - 1, 0), DeclineReason.OverMandate, PRICE, PRICE - 1);
        vm.prank(payer);
        token.approve(address(subscriptions), 5);
        _firstDeclines(planId, _limits(0, 0, 0), DeclineReason.Allowance, 5, PRICE);
        _fund(payer, token);
        uint256 rest = token.balanceOf(payer) - 3;
        vm.prank(payer);
        token.transfer(stranger, rest);
        _firstDeclines(planId, _limits(0, 0, 0), DeclineReason.Balance, 3, PRICE);
    }

    function test_a_start_of_the_payer_s_own() public {
        Conditions memory conditions = _limits(0, 0, START + 40 days);
        conditions.startsAt = uint40(START + 10 days);
        uint256 planId = _create(_terms());
        uint256 id = _open(planId, conditions);
        vm.assertEq(_nextDue(id), START + 10 days, "later than now");
        PlanTerms memory terms = _terms();
        terms.trial = 20 days;
        id = _open(_create(terms), conditions);
        vm.assertEq(_nextDue(id), START + 20 days, "the trial is longer");
        conditions.startsAt = uint40(START + 40 days);
        bytes memory failure = abi.encodeWithSelector(StartOutOfRange.selector, START + 40 days, START + 40 days - 1);
        _refuses(payer, _opening(planId, conditions, _noCoupon), failure);
        (conditions.startsAt, conditions.endsAt) = (uint40(START + 36_601 days), 0);
        failure = abi.encodeWithSelector(StartOutOfRange.selector, START + 36_601 days, START + 36_600 days);
        _refuses(payer, _opening(planId, conditions, _noCoupon), failure);
    }

    function test_opening_refuses_who_is_paid_and_seats_not_sold() public {
        PlanTerms memory terms = _terms();
        (terms.feeBps, terms.feeReceiver) = (1, payer);
        uint256 planId = _create(terms);
        bytes memory failure = abi.encodeWithSelector(PayerIsPayee.selector, payer);
        _refuses(payer, _opening(planId, _limits(0, 0, 0), _noCoupon), failure);
        planId = _create(_terms());
        failure = abi.encodeWithSelector(PayerIsPayee.selector, payee);
        _refuses(payee, _opening(planId, _limits(0, 0, 0), _noCoupon), failure);
    }

    function test_seats_and_a_fee_with_conditions() public {
        PlanTerms memory terms = _terms();
        (terms.seatPrice, terms.feeBps, terms.feeReceiver) = (1_000_000, 100, stranger);
        uint256 id = _open(_create(terms), _limits(0, 0, 0));
        vm.assertEq(subscriptions.subscription(id).seats, 1, "a seat");
        vm.assertEq(token.balanceOf(stranger), (PRICE + 1_000_000) / 100, "the fee");
    }

    // ------------------------------------------------------------------ limits

    function test_charges_stay_within_the_maxima_and_before_the_end() public {
        uint256 id = _open(_create(_terms()), _limits(0, 2 * PRICE - 1, 0));
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.OverMandate);
        _set(id, _limits(PRICE - 1, 0, 0));
        _declines(id, DeclineReason.OverMandate);
        _set(id, _limits(0, 0, block.timestamp));
        _declines(id, DeclineReason.Ended);
        _set(id, _limits(PRICE, PRICE, block.timestamp + 1));
        vm.assertTrue(subscriptions.preview(id).reason == DeclineReason.None, "previewed");
        _declines(id, DeclineReason.None);
        (, bool isSpent) = subscriptions.conditions(id);
        vm.assertTrue(isSpent, "nothing is left");
    }

    function test_a_change_stays_within_them() public {
        uint256 id = _open(_create(_terms()), _limits(2 * PRICE - 1, 0, 0));
        PlanTerms memory terms = _terms();
        terms.price = 2 * PRICE;
        uint256 planId = _create(terms);
        bytes memory data = _changing(id, planId, 0, type(uint256).max);
        _refuses(payer, data, abi.encodeWithSelector(OverMandate.selector, 2 * PRICE, 2 * PRICE - 1));
        _set(id, _limits(0, PRICE - 1, 0));
        _refuses(payer, data, abi.encodeWithSelector(OverMandate.selector, PRICE, PRICE - 1));
        _set(id, _limits(0, 0, START));
        _refuses(payer, data, abi.encodeWithSelector(ConditionsEnded.selector, id, START));
        _set(id, _limits(2 * PRICE, PRICE, START + 1));
        _change(id, planId, 0);
    }

    /// @dev With what the period cost and all of its usage so far, whenever the maximum was set.
    function test_usage_stays_within_them() public {
        PlanTerms memory terms = _terms();
        (terms.usageCap, terms.usagePrice) = (100, 1_000_000);
        uint256 id = _subscribe(terms);
        _set(id, _limits(PRICE + 10, 0, 0));
        _use(id, 2, 7);
        bytes memory failure = abi.encodeWithSelector(OverMandate.selector, PRICE + 11, PRICE + 10);
        _refuses(payee, _using(id, 3, 4), failure);
        _use(id, 3, 3);
        _set(id, _limits(0, 5, 0));
        _refuses(payee, _using(id, 4, 6), abi.encodeWithSelector(OverMandate.selector, 6, 5));
        _set(id, _limits(0, 0, START));
        _refuses(payee, _using(id, 4, 1), abi.encodeWithSelector(ConditionsEnded.selector, id, START));
    }

    function test_setConditions_is_the_payer_s_until_the_end() public {
        uint256 id = _subscribe(_terms());
        Conditions memory conditions = _limits(1, 0, 0);
        bytes memory data = abi.encodeCall(subscriptions.setConditions, (id, conditions));
        _refuses(payee, data, abi.encodeWithSelector(NotAuthorized.selector, payee));
        bytes memory unknown = abi.encodeCall(subscriptions.setConditions, (id + 1, conditions));
        _refuses(payer, unknown, abi.encodeWithSelector(UnknownSubscription.selector, id + 1));
        conditions.beneficiary = stranger;
        _set(id, conditions);
        conditions.beneficiary = address(0);
        _set(id, conditions);
        vm.assertEq(subscriptions.beneficiary(id), payer, "again the payer");
        vm.prank(payer);
        subscriptions.cancel(id);
        _refuses(payer, data, abi.encodeWithSelector(NotActive.selector, id, Status.Cancelled));
    }

    // ----------------------------------------------------------------- mandate

    function test_a_mandate_for_one_of_some_plans() public {
        uint256 planId = _create(_terms());
        MandateWithConditions memory mandate = _mandate(planId);
        bytes memory signature = _signed(subscriptions.mandateWithConditionsHash(mandate, planId));
        bytes memory data = _submitting(mandate, planId, signature);
        bytes memory forged = bytes.concat(signature);
        forged[0] = ~forged[0];
        bytes memory failure = abi.encodeWithSelector(InvalidSignature.selector, payer);
        _refuses(stranger, _submitting(mandate, planId, forged), failure);
        PlanTerms memory terms = _terms();
        terms.price = 1;
        uint256 other = _create(terms);
        failure = abi.encodeWithSelector(PlanNotAgreed.selector, other);
        _refuses(stranger, _submitting(mandate, other, signature), failure);
        (bool ok,) = address(subscriptions).call(data);
        vm.assertTrue(ok, "accepted");
        _refuses(stranger, data, abi.encodeWithSelector(SaltUsed.selector, payer, 7));
        vm.warp(START + 1);
        _refuses(stranger, data, abi.encodeWithSelector(MandateExpired.selector, START + 1, START + 1));
    }

    function test_a_mandate_says_the_shortest_period_and_the_coupon() public {
        uint256 planId = _create(_terms());
        MandateWithConditions memory mandate = _mandate(planId);
        mandate.minSecondsPerPeriod = 28 days + 1;
        bytes memory failure = abi.encodeWithSelector(PeriodTooShort.selector, 28 days, 28 days + 1);
        _refuses(stranger, _submitting(mandate, planId, ""), failure);
        mandate.minSecondsPerPeriod = 28 days;
        mandate.coupon = bytes32(uint256(1));
        bytes memory signature = _signed(subscriptions.mandateWithConditionsHash(mandate, planId));
        failure = abi.encodeWithSelector(AnotherCoupon.selector, bytes32(0), bytes32(uint256(1)));
        _refuses(stranger, _submitting(mandate, planId, signature), failure);
        Coupon memory coupon = _coupon(10_000, 0, 1);
        mandate.coupon = subscriptions.couponHash(planId, coupon);
        mandate.conditions.byPermit2 = true;
        signature = _signed(subscriptions.mandateWithConditionsHash(mandate, planId));
        uint256 id = subscriptions.submitMandateWithConditions(
            mandate, planId, signature, coupon, _couponSignature(planId, coupon)
        );
        vm.assertEq(subscriptions.subscription(id).charges, 1, "for nothing");
    }

    function test_a_mandate_for_a_plan_with_a_trial() public {
        PlanTerms memory terms = _terms();
        terms.trial = 1 days;
        uint256 planId = _create(terms);
        MandateWithConditions memory mandate = _mandate(planId);
        bytes memory signature = _signed(subscriptions.mandateWithConditionsHash(mandate, planId));
        Coupon memory none;
        uint256 id = subscriptions.submitMandateWithConditions(mandate, planId, signature, none, "");
        vm.assertEq(_nextDue(id), START + 1 days, "the trial first");
        mandate.salt = 8;
        signature = _signed(subscriptions.mandateWithConditionsHash(mandate, planId));
        id = subscriptions.submitMandateWithConditions(mandate, planId, signature, none, "");
        vm.assertEq(subscriptions.subscription(id).charges, 1, "once");
    }

    function test_a_contract_s_mandate() public {
        MockWallet wallet = new MockWallet();
        wallet.setSigner(payer);
        _fund(address(wallet), token);
        uint256 planId = _create(_terms());
        MandateWithConditions memory mandate = _mandate(planId);
        mandate.payer = address(wallet);
        bytes memory inner = _signed(subscriptions.mandateWithConditionsHash(mandate, planId));
        Coupon memory none;
        subscriptions.submitMandateWithConditions(mandate, planId, inner, none, "");
        mandate.salt = 8;
        inner = _signed(subscriptions.mandateWithConditionsHash(mandate, planId));
        subscriptions.submitMandateWithConditions(mandate, planId, _wrapped(address(0), "", inner), none, "");
    }

    /// @dev ERC-6492: the wallet is deployed, or not; what does not fit is no signature.
    function test_a_wrapped_signature_that_does_not_hold() public {
        uint256 planId = _create(_terms());
        MandateWithConditions memory mandate = _mandate(planId);
        bytes memory failure = abi.encodeWithSelector(InvalidSignature.selector, payer);
        bytes32 magic = 0x6492649264926492649264926492649264926492649264926492649264926492;
        bytes[6] memory wrong = [
            _wrapped(stranger, "", ""),
            bytes.concat(magic),
            abi.encodePacked(uint256(2 ** 160), uint256(0x60), uint256(0x60), uint256(0), magic),
            abi.encodePacked(uint256(1), uint256(0x1000), uint256(0x60), uint256(0), magic),
            abi.encodePacked(uint256(1), uint256(0x60), uint256(0x60), uint256(9), magic),
            abi.encodePacked(uint256(1), uint256(0x60), uint256(0x1000), uint256(0), magic)
        ];
        for (uint256 i = 0; i < wrong.length; ++i) {
            _refuses(stranger, _submitting(mandate, planId, wrong[i]), failure);
        }
    }

    // ------------------------------------------------------------------- parts

    function _limits(uint256 most, uint256 total, uint256 endsAt) private pure returns (Conditions memory limits) {
        (limits.maxPerPeriod, limits.maxTotal, limits.endsAt) = (uint96(most), uint96(total), uint40(endsAt));
    }

    function _set(uint256 id, Conditions memory conditions) private {
        vm.prank(payer);
        subscriptions.setConditions(id, conditions);
    }

    function _firstDeclines(
        uint256 planId,
        Conditions memory conditions,
        DeclineReason reason,
        uint256 found,
        uint256 allowed
    ) private {
        bytes memory failure = abi.encodeWithSelector(FirstChargeDeclined.selector, reason, found, allowed);
        _refuses(payer, _opening(planId, conditions, _noCoupon), failure);
    }

    function _using(uint256 id, uint256 number, uint256 amount) private view returns (bytes memory) {
        return abi.encodeCall(subscriptions.chargeUsage, (id, number, amount, amount, bytes32(0)));
    }

    function _use(uint256 id, uint256 number, uint256 amount) private {
        vm.prank(payee);
        subscriptions.chargeUsage(id, number, amount, amount, 0);
    }

    function _mandate(uint256 planId) private view returns (MandateWithConditions memory mandate) {
        mandate.payer = payer;
        mandate.plans = new bytes32[](2);
        mandate.plans[1] = subscriptions.termsHash(planId);
        (mandate.salt, mandate.validBefore) = (7, START + 1);
    }

    function _submitting(MandateWithConditions memory mandate, uint256 planId, bytes memory signature)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeCall(
            subscriptions.submitMandateWithConditions, (mandate, planId, signature, _noCoupon, "")
        );
    }

    function _wrapped(address factory, bytes memory data, bytes memory inner) private pure returns (bytes memory) {
        bytes32 magic = 0x6492649264926492649264926492649264926492649264926492649264926492;
        return bytes.concat(abi.encode(factory, data, inner), magic);
    }
}
