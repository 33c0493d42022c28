// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {HostileToken} from "../../contracts/mocks/HostileToken.sol";
import {Scene} from "./Scene.sol";

/// @notice Every error of the contract, with its values.
contract RefusalsTest is Scene {
    uint256 private constant LONGEST = 100 * 366 days;
    uint256 private constant CHARGES_AT = 232;
    uint256 private constant OPENED_AT = 192;

    function test_there_is_no_contract_without_its_extension() public {
        address deployed = _deploy(bytes.concat(_creationCode("Subscriptions"), abi.encode(stranger)));
        bytes memory failure;
        assembly ("memory-safe") {
            failure := mload(0x40)
            mstore(failure, returndatasize())
            returndatacopy(add(failure, 0x20), 0, returndatasize())
            mstore(0x40, add(failure, add(0x20, returndatasize())))
        }
        vm.assertEq(deployed, address(0), "refused");
        bytes memory expected = abi.encodeWithSelector(NotAContract.selector, stranger);
        vm.assertEq(keccak256(failure), keccak256(expected), "the error and its value");
    }

    // ------------------------------------------------------------------ plans

    function test_createPlan_is_the_payee_s() public {
        bytes memory data = abi.encodeCall(subscriptions.createPlan, (_terms()));
        _refuses(stranger, data, abi.encodeWithSelector(NotAuthorized.selector, stranger));
    }

    function test_createPlan_refuses_a_payee_who_could_not_be_paid() public {
        PlanTerms memory terms = _terms();
        terms.payee = address(0);
        _refusesPlan(terms, abi.encodeWithSelector(ZeroAddress.selector));
        terms.payee = address(subscriptions);
        _refusesPlan(terms, abi.encodeWithSelector(PayeeRefused.selector, address(subscriptions)));
    }

    function test_createPlan_refuses_what_costs_nothing_or_is_no_token() public {
        PlanTerms memory terms = _terms();
        terms.token = stranger;
        _refusesPlan(terms, abi.encodeWithSelector(NotAContract.selector, stranger));
        terms.price = 0;
        _refusesPlan(terms, abi.encodeWithSelector(ZeroAmount.selector));
    }

    function test_createPlan_refuses_periods_out_of_range() public {
        PlanTerms memory terms = _terms();
        terms.every = 0;
        _refusesPlan(terms, abi.encodeWithSelector(PeriodOutOfRange.selector, 0, LONGEST));
        (terms.every, terms.unit) = (101, Unit.Year);
        _refusesPlan(terms, abi.encodeWithSelector(PeriodOutOfRange.selector, 101 * 366 days, LONGEST));
        (terms.every, terms.unit) = (36_601, Unit.Day);
        _refusesPlan(terms, abi.encodeWithSelector(PeriodOutOfRange.selector, 36_601 days, LONGEST));
        (terms.every, terms.unit) = (5_229, Unit.Week);
        _refusesPlan(terms, abi.encodeWithSelector(PeriodOutOfRange.selector, 36_603 days, LONGEST));
        (terms.every, terms.unit) = (uint32(LONGEST + 1), Unit.Second);
        _refusesPlan(terms, abi.encodeWithSelector(PeriodOutOfRange.selector, LONGEST + 1, LONGEST));
    }

    function test_createPlan_refuses_fees_that_contradict() public {
        PlanTerms memory terms = _terms();
        terms.feeBps = 10_000;
        _refusesPlan(terms, abi.encodeWithSelector(FeeTooHigh.selector, 10_000, 9_999));
        terms.feeBps = 1;
        _refusesPlan(terms, abi.encodeWithSelector(TermsContradict.selector));
        terms.feeReceiver = payee;
        _refusesPlan(terms, abi.encodeWithSelector(TermsContradict.selector));
        terms.feeReceiver = address(subscriptions);
        _refusesPlan(terms, abi.encodeWithSelector(PayeeRefused.selector, address(subscriptions)));
    }

    function test_createPlan_refuses_a_minimum_above_the_maximum() public {
        PlanTerms memory terms = _terms();
        (terms.minCharges, terms.maxCharges) = (3, 2);
        _refusesPlan(terms, abi.encodeWithSelector(TermsContradict.selector));
    }

    function test_createPlan_refuses_where_the_plan_would_lie_elsewhere() public {
        cheats.setNonceUnsafe(address(subscriptions), 7);
        _refusesPlan(_terms(), abi.encodeWithSignature("PlanNotStored()"));
    }

    function test_archivePlan_refuses_others_and_twice() public {
        uint256 planId = _create(_terms());
        bytes memory data = abi.encodeCall(subscriptions.archivePlan, (planId));
        _refuses(stranger, data, abi.encodeWithSelector(NotAuthorized.selector, stranger));
        vm.prank(payee);
        subscriptions.archivePlan(planId);
        _refuses(payee, data, abi.encodeWithSelector(PlanIsArchived.selector, planId));
    }

    function test_there_is_no_such_plan() public {
        uint256[3] memory numbers = [uint256(0), 1, 2 ** 32];
        for (uint256 i = 0; i < numbers.length; ++i) {
            bytes memory failure = abi.encodeWithSelector(UnknownPlan.selector, numbers[i]);
            _refuses(payer, abi.encodeCall(subscriptions.plan, (numbers[i])), failure);
            _refuses(payer, abi.encodeCall(subscriptions.subscribe, (numbers[i], bytes32(0), 0)), failure);
        }
    }

    // ---------------------------------------------------------------- consent

    function test_subscribe_refuses_other_terms() public {
        uint256 planId = _create(_terms());
        bytes32 found = subscriptions.termsHash(planId);
        bytes memory failure = abi.encodeWithSelector(TermsChanged.selector, found, bytes32(uint256(1)));
        _refuses(payer, abi.encodeCall(subscriptions.subscribe, (planId, bytes32(uint256(1)), 0)), failure);
    }

    function test_subscribe_refuses_the_payee_and_an_archived_plan() public {
        uint256 planId = _create(_terms());
        _refuses(payee, _subscribing(planId, 0), abi.encodeWithSelector(PayerIsPayee.selector, payee));
        vm.prank(payee);
        subscriptions.archivePlan(planId);
        _refuses(payer, _subscribing(planId, 0), abi.encodeWithSelector(PlanIsArchived.selector, planId));
        _subscribe(_terms()); // the same plan, anew
    }

    function test_nobody_pays_a_fee_to_themselves() public {
        PlanTerms memory terms = _terms();
        uint256 id = _subscribe(terms);
        (terms.feeBps, terms.feeReceiver) = (1, payer);
        uint256 planId = _create(terms);
        bytes memory failure = abi.encodeWithSelector(PayerIsPayee.selector, payer);
        _refuses(payer, _subscribing(planId, 0), failure);
        _refuses(payer, _changing(id, planId, 0, 0), failure);
    }

    function test_subscribe_refuses_in_a_full_register() public {
        uint256 planId = _create(_terms());
        _markRegister(999_999_999 << OPENED_AT);
        _refuses(payer, _subscribing(planId, 0), abi.encodeWithSelector(RegisterFull.selector, 0));
    }

    function test_subscribe_refuses_seats_that_are_not_sold() public {
        PlanTerms memory terms = _terms();
        uint256 plain = _create(terms);
        _refuses(payer, _subscribing(plain, 1), abi.encodeWithSelector(SeatsOutOfRange.selector, 1, 0));
        terms.seatPrice = 1;
        uint256 planId = _create(terms);
        _refuses(payer, _subscribing(planId, 0), abi.encodeWithSelector(SeatsOutOfRange.selector, 0, 2 ** 24 - 1));
        (terms.price, terms.seatPrice) = (0, 2 ** 95);
        planId = _create(terms);
        _refuses(payer, _subscribing(planId, 2), abi.encodeWithSelector(SeatsOutOfRange.selector, 2, 1));
    }

    function test_subscribe_says_what_the_payer_lacks() public {
        uint256 planId = _create(_terms());
        vm.prank(payer);
        token.approve(address(subscriptions), PRICE - 1);
        bytes memory failure = abi.encodeWithSelector(AllowanceTooLow.selector, PRICE - 1, PRICE);
        _refuses(payer, _subscribing(planId, 0), failure);
        _fund(payer, token);
        uint256 rest = token.balanceOf(payer) - 1;
        vm.prank(payer);
        token.transfer(stranger, rest);
        _refuses(payer, _subscribing(planId, 0), abi.encodeWithSelector(BalanceTooLow.selector, 1, PRICE));
    }

    function test_subscribe_refuses_a_token_that_does_not_pay() public {
        PlanTerms memory terms = _terms();
        terms.token = address(hostile);
        uint256 planId = _create(terms);
        bytes memory failure = abi.encodeWithSelector(TokenRefused.selector, hostile);
        hostile.play(hostile.transferFrom.selector, HostileToken.Trick.Refuse);
        _refuses(payer, _subscribing(planId, 0), failure);
        hostile.play(hostile.transferFrom.selector, HostileToken.Trick.ReturnTrue);
        _refuses(payer, _subscribing(planId, 0), abi.encodeWithSelector(AmountMismatch.selector, 0, PRICE));
        hostile.play(hostile.balanceOf.selector, HostileToken.Trick.Refuse);
        _refuses(payer, _subscribing(planId, 0), failure);
    }

    function test_submitMandate_refuses_what_is_late_forged_or_used() public {
        Mandate memory mandate = Mandate(payer, _create(_terms()), 0, 7, START + 1);
        bytes memory signature = _signed(subscriptions.mandateHash(mandate));
        bytes memory forged = bytes.concat(signature);
        forged[0] = ~forged[0];
        bytes memory failure = abi.encodeWithSelector(InvalidSignature.selector, payer);
        _refuses(stranger, abi.encodeCall(subscriptions.submitMandate, (mandate, forged)), failure);
        bytes memory data = abi.encodeCall(subscriptions.submitMandate, (mandate, signature));
        subscriptions.submitMandate(mandate, signature);
        _refuses(stranger, data, abi.encodeWithSelector(SaltUsed.selector, payer, 7));
        vm.warp(START + 1);
        _refuses(stranger, data, abi.encodeWithSelector(MandateExpired.selector, START + 1, START + 1));
    }

    // ----------------------------------------------------------------- charge

    function test_chargeRun_is_the_contract_s_own() public {
        bytes memory data = abi.encodeWithSignature("chargeRun(uint256[])", new uint256[](1));
        _refuses(stranger, data, abi.encodeWithSelector(NotAuthorized.selector, stranger));
    }

    function test_charge_refuses_too_little_gas_as_a_whole() public {
        uint256 id = _subscribe(_terms());
        vm.warp(_nextDue(id));
        uint256[] memory ids = new uint256[](2);
        (ids[0], ids[1]) = (id, id);
        (bool ok, bytes memory failure) =
            address(subscriptions).call{gas: 250_000}(abi.encodeCall(subscriptions.charge, (ids)));
        vm.assertTrue(!ok && bytes4(failure) == bytes4(keccak256("InsufficientGas(uint256,uint256)")), "the whole");
    }

    // ----------------------------------------------------------------- change

    function test_changePlan_is_the_payer_s_within_a_paid_period() public {
        PlanTerms memory terms = _terms();
        uint256 id = _subscribe(terms);
        terms.price = 1;
        uint256 planId = _create(terms);
        _refuses(stranger, _changing(id, planId, 0, 0), abi.encodeWithSelector(NotAuthorized.selector, stranger));
        bytes memory failure = abi.encodeWithSelector(UnknownSubscription.selector, id + 1);
        _refuses(payer, _changing(id + 1, planId, 0, 0), failure);
        vm.warp(_nextDue(id));
        _refuses(payer, _changing(id, planId, 0, 0), abi.encodeWithSelector(ChargeDue.selector, id, _nextDue(id)));
        vm.prank(payer);
        subscriptions.cancel(id);
        failure = abi.encodeWithSelector(NotActive.selector, id, Status.Cancelled);
        _refuses(payer, _changing(id, planId, 0, 0), failure);
    }

    function test_changePlan_stays_with_payee_and_token() public {
        uint256 id = _subscribe(_terms());
        PlanTerms memory terms = _terms();
        terms.payee = stranger;
        uint256 planId = _create(terms);
        _refuses(payer, _changing(id, planId, 0, 0), abi.encodeWithSelector(AnotherRegister.selector, 1, 0));
    }

    function test_changePlan_keeps_terms_that_are_fixed() public {
        PlanTerms memory terms = _terms();
        uint256 plain = _create(terms);
        uint256 id = _subscribe(plain, 0);
        terms.maxCharges = 5;
        uint256 fixedId = _create(terms);
        bytes memory failure = abi.encodeWithSelector(FixedTerm.selector, fixedId, 5);
        _refuses(payer, _changing(id, fixedId, 0, 0), failure);
        _refuses(payer, _changing(_subscribe(fixedId, 0), plain, 0, 0), failure);
        (terms.maxCharges, terms.minCharges) = (0, 2);
        uint256 agreed = _subscribe(terms);
        uint256 agreedPlan = subscriptions.subscription(agreed).planId;
        _refuses(payer, _changing(id, agreedPlan, 0, 0), abi.encodeWithSelector(FixedTerm.selector, agreedPlan, 2));
        _refuses(payer, _changing(agreed, plain, 0, 0), abi.encodeWithSelector(MinimumTerm.selector, 1, 2));
        (terms.minCharges, terms.price) = (0, 1);
        _mark(id, 0xffff << CHARGES_AT);
        failure = abi.encodeWithSelector(FixedTerm.selector, plain, 0xffff);
        _refuses(payer, _changing(id, _create(terms), 0, 0), failure);
    }

    function test_changePlan_refuses_to_change_nothing() public {
        uint256 planId = _create(_terms());
        uint256 id = _subscribe(planId, 0);
        _refuses(payer, _changing(id, planId, 0, 0), abi.encodeWithSelector(NothingToChange.selector, id));
    }

    function test_changePlan_keeps_a_trial_in_its_family() public {
        PlanTerms memory terms = _terms();
        terms.trial = 1 days;
        uint256 id = _subscribe(terms);
        bytes memory failure = abi.encodeWithSelector(TrialRunning.selector, id);
        terms.trial = 0;
        _refuses(payer, _changing(id, _create(terms), 0, 0), failure);
        (terms.trial, terms.family) = (1 days, 1);
        _refuses(payer, _changing(id, _create(terms), 0, 0), failure);
    }

    function test_changePlan_refuses_an_archived_plan_but_keeps_one() public {
        PlanTerms memory terms = _terms();
        terms.seatPrice = 1;
        uint256 id = _subscribe(terms);
        uint256 other = _create(_terms());
        vm.prank(payee);
        subscriptions.archivePlan(other);
        _refuses(payer, _changing(id, other, 0, 0), abi.encodeWithSelector(PlanIsArchived.selector, other));
        uint256 own = subscriptions.subscription(id).planId;
        vm.prank(payee);
        subscriptions.archivePlan(own);
        _change(id, own, 2);
    }

    function test_changePlan_refuses_to_take_more_than_agreed() public {
        uint256 id = _subscribe(_terms());
        PlanTerms memory terms = _terms();
        terms.price = 2 * PRICE;
        uint256 planId = _create(terms);
        bytes memory failure = abi.encodeWithSelector(ToPayTooHigh.selector, PRICE, PRICE - 1);
        _refuses(payer, _changing(id, planId, 0, PRICE - 1), failure);
    }

    function test_changePlan_refuses_credit_beyond_96_bits() public {
        token.mint(payer, 2 ** 98);
        PlanTerms memory terms = _terms();
        uint256 cheap = _create(terms);
        terms.price = type(uint96).max;
        uint256 id = _richest(_create(terms), cheap);
        (terms.price, terms.every) = (1, 2); // another period: what is left of the old one is credited first
        uint256 planId = _create(terms);
        uint256 total = uint256(type(uint96).max) - PRICE + type(uint96).max - 1;
        bytes memory failure = abi.encodeWithSelector(CreditTooHigh.selector, total, type(uint96).max);
        _refuses(payer, _changing(id, planId, 0, type(uint256).max), failure);
    }

    /// @dev A subscription to the dear plan with a credit of nearly a period of it.
    function _richest(uint256 dear, uint256 cheap) private returns (uint256 id) {
        id = _subscribe(dear, 0);
        _change(id, cheap, 0);
        cheats.record();
        subscriptions.subscription(id);
        bytes32 extras = _slotRead(1);
        bytes32 word = cheats.load(address(subscriptions), extras);
        _change(id, dear, 0);
        cheats.store(address(subscriptions), extras, word); // as if the change back had been paid in cash
    }

    // ------------------------------------------------- cancel, pause, resume

    function test_cancel_is_the_payer_s_and_the_payee_s_once() public {
        uint256 id = _subscribe(_terms());
        bytes memory data = abi.encodeCall(subscriptions.cancel, (id));
        _refuses(stranger, data, abi.encodeWithSelector(NotAuthorized.selector, stranger));
        vm.prank(payee);
        subscriptions.cancelAtPeriodEnd(id);
        bytes memory failure = abi.encodeWithSelector(NotActive.selector, id, Status.Ending);
        _refuses(payer, abi.encodeCall(subscriptions.cancelAtPeriodEnd, (id)), failure);
        _refuses(payer, abi.encodeCall(subscriptions.pause, (id)), failure);
        vm.prank(payer);
        subscriptions.cancel(id);
        _refuses(payee, data, abi.encodeWithSelector(NotActive.selector, id, Status.Cancelled));
    }

    function test_cancel_waits_for_the_minimum_of_the_payer() public {
        PlanTerms memory terms = _terms();
        terms.minCharges = 2;
        uint256 id = _subscribe(terms);
        bytes memory failure = abi.encodeWithSelector(MinimumTerm.selector, 1, 2);
        _refuses(payer, abi.encodeCall(subscriptions.cancel, (id)), failure);
        _refuses(payer, abi.encodeCall(subscriptions.cancelAtPeriodEnd, (id)), failure);
        bytes memory signature = _signed(_cancellation(id));
        bytes memory data = abi.encodeCall(subscriptions.cancelBySignature, (id, type(uint256).max, signature));
        _refuses(stranger, data, failure);
        vm.prank(payee);
        subscriptions.cancel(id);
        _refuses(stranger, data, failure);
    }

    function test_cancelBySignature_refuses_what_is_late_or_done() public {
        uint256 id = _subscribe(_terms());
        bytes memory signature = _signed(_cancellation(id));
        bytes memory data = abi.encodeCall(subscriptions.cancelBySignature, (id, START, signature));
        _refuses(stranger, data, abi.encodeWithSelector(SignatureExpired.selector, START, START));
        subscriptions.cancelBySignature(id, type(uint256).max, signature);
        data = abi.encodeCall(subscriptions.cancelBySignature, (id, type(uint256).max, signature));
        _refuses(stranger, data, abi.encodeWithSelector(NotActive.selector, id, Status.Cancelled));
    }

    function test_resume_refuses_what_is_not_paused() public {
        uint256 id = _subscribe(_terms());
        bytes memory failure = abi.encodeWithSelector(NotPaused.selector, id, Status.Active);
        _refuses(payer, abi.encodeCall(subscriptions.resume, (id)), failure);
    }

    function _cancellation(uint256 id) private view returns (bytes32) {
        bytes32 kind = keccak256("Cancellation(address payer,uint256 subscriptionId,uint256 validBefore)");
        return _typed(keccak256(abi.encode(kind, payer, id, type(uint256).max)));
    }

    // ---------------------------------------------------------- refund, claim

    function test_refund_is_the_payee_s_up_to_the_charge() public {
        uint256 id = _subscribe(_terms());
        _refuses(payer, _refunding(id, 1, 1), abi.encodeWithSelector(NotAuthorized.selector, payer));
        _refuses(payee, _refunding(id, 1, 0), abi.encodeWithSelector(ZeroAmount.selector));
        _refuses(payee, _refunding(id, 0, 1), abi.encodeWithSelector(UnknownCharge.selector, id, 0, 1));
        _refuses(payee, _refunding(id, 2, 1), abi.encodeWithSelector(UnknownCharge.selector, id, 2, 1));
        bytes memory failure = abi.encodeWithSelector(RefundTooHigh.selector, PRICE + 1, PRICE);
        _refuses(payee, _refunding(id, 1, PRICE + 1), failure);
    }

    function test_refundChanged_asks_for_the_history() public {
        PlanTerms memory terms = _terms();
        terms.seatPrice = 1_000_000;
        uint256 id = _subscribe(terms);
        _change(id, subscriptions.subscription(id).planId, 2);
        bytes memory failure = abi.encodeWithSelector(HistoryMismatch.selector, id);
        _refuses(payee, _refunding(id, 1, 1), failure);
        Segment[] memory history = new Segment[](1);
        history[0] = Segment(1, PRICE + 1_000_001, 1_000_000);
        _refuses(payee, abi.encodeCall(subscriptions.refundChanged, (id, 1, 1, history)), failure);
    }

    function test_claim_refuses_where_nothing_is_kept() public {
        bytes memory data = abi.encodeCall(subscriptions.claim, (payee, address(token)));
        _refuses(stranger, data, abi.encodeWithSelector(NothingToClaim.selector, payee, token));
    }

    // ------------------------------------------------------------------ parts

    function _subscribing(uint256 planId, uint256 seats) private view returns (bytes memory) {
        return abi.encodeCall(subscriptions.subscribe, (planId, subscriptions.termsHash(planId), seats));
    }

    function _refunding(uint256 id, uint256 chargeNumber, uint256 amount) private view returns (bytes memory) {
        return abi.encodeCall(subscriptions.refund, (id, chargeNumber, amount));
    }

    function _refusesPlan(PlanTerms memory terms, bytes memory failure) private {
        _refuses(terms.payee, abi.encodeCall(subscriptions.createPlan, (terms)), failure);
    }
}
