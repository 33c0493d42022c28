// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ICollector} from "../../contracts/interfaces/ICollector.sol";
import {IEscrow} from "../../contracts/interfaces/IEscrow.sol";
import {ISubscriptionsFrames} from "../../contracts/interfaces/ISubscriptions.sol";
import {HostileToken} from "../../contracts/mocks/HostileToken.sol";
import {Scene} from "./Scene.sol";

/// @notice Plans whose charges the escrow holds: what goes there, what declines, and what such plans do not allow.
contract ProtectedTest is Scene {
    uint256 private constant CHARGES_BITS = 16;

    address private _arbiter = address(0xA4B1);

    // ---------------------------------------------------------------- charging

    function test_each_charge_is_a_payment_that_the_escrow_holds() public {
        uint256 id = _opened();
        vm.assertEq(token.balanceOf(address(escrow)), PRICE, "held");
        vm.assertEq(_held(id, 1, START), PRICE, "under the plan's terms");
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.None);
        vm.assertEq(_held(id, 2, block.timestamp), PRICE, "a payment of its own");
        vm.assertEq(subscriptions.controlTotals(payee, address(token)).charges.sum, 2 * PRICE, "counted");
        vm.assertEq(escrow.paymentTotal(payee, address(token)).sum, 2 * PRICE, "there too");
        IEscrow.PaymentTerms memory terms = _paymentOf(id, 1, START);
        vm.warp(START + 14 days);
        vm.prank(payee);
        escrow.capture(terms, PRICE, 0);
        vm.assertEq(token.balanceOf(address(escrow)), PRICE, "captured");
    }

    function test_what_the_token_refuses_declines_that_row_alone() public {
        PlanTerms memory terms = _protected();
        terms.token = address(hostile);
        uint256 bad = _open(_create(terms), _none());
        uint256 good = _opened();
        vm.warp(_nextDue(bad));
        hostile.play(hostile.transferFrom.selector, HostileToken.Trick.Refuse);
        bytes memory reasons = _charge(bad, good);
        vm.assertEq(uint8(reasons[0]), uint8(DeclineReason.TokenRefused), "refused");
        vm.assertEq(uint8(reasons[1]), uint8(DeclineReason.None), "charged");
        hostile.play(hostile.transferFrom.selector, HostileToken.Trick.ReturnTrue);
        _declines(bad, DeclineReason.TokenRefused);
    }

    function test_a_first_charge_that_is_refused_opens_nothing() public {
        PlanTerms memory terms = _protected();
        terms.token = address(hostile);
        uint256 planId = _create(terms);
        hostile.play(hostile.transferFrom.selector, HostileToken.Trick.Refuse);
        Coupon memory none;
        _refuses(
            payer, _opening(planId, _none(), none), abi.encodeWithSelector(TokenRefused.selector, address(hostile))
        );
    }

    function test_too_little_gas_for_the_escrow_reverts_the_whole() public {
        uint256 id = _opened();
        vm.warp(_nextDue(id));
        uint256[] memory ids = new uint256[](1);
        ids[0] = id;
        bytes memory data = abi.encodeCall(subscriptions.charge, (ids));
        for (uint256 gas_ = 300_000; gas_ < 520_000; gas_ += 4_000) {
            uint256 state = vm.snapshotState();
            (bool ok, bytes memory answer) = address(subscriptions).call{gas: gas_}(data);
            if (ok) vm.assertEq(uint8(abi.decode(answer, (bytes))[0]), uint8(DeclineReason.None), "paid");
            vm.assertEq(token.balanceOf(address(escrow)), ok ? 2 * PRICE : PRICE, "all or nothing");
            vm.revertToState(state);
        }
    }

    function test_only_the_escrow_has_it_collect_and_only_itself_has_frames() public {
        uint256 id = _opened();
        bytes memory failure = abi.encodeWithSelector(NotAuthorized.selector, stranger);
        bytes memory data = abi.encodeCall(ICollector.collect, (bytes32(0), address(token), payer, PRICE));
        _refuses(stranger, data, failure);
        _refuses(address(escrow), data, abi.encodeWithSelector(NotAuthorized.selector, address(escrow)));
        _refuses(stranger, abi.encodeCall(ISubscriptionsFrames.chargeFirst, (id)), failure);
        _refuses(stranger, abi.encodeCall(ISubscriptionsFrames.chargeSpecialRow, (id)), failure);
    }

    // ------------------------------------------------------------ what is not

    function test_a_protection_is_whole_or_none() public {
        PlanTerms memory terms = _terms();
        terms.arbiter = _arbiter;
        _contradicts(terms);
        terms = _terms();
        terms.rulingTimeout = 1;
        _contradicts(terms);
        terms = _terms();
        terms.defaultPayeeBps = 1;
        _contradicts(terms);
        terms = _protected();
        terms.arbiter = address(0);
        _contradicts(terms);
        terms.arbiter = payee;
        _contradicts(terms);
        terms.arbiter = address(subscriptions);
        _contradicts(terms);
        terms = _protected();
        terms.rulingTimeout = 0;
        _contradicts(terms);
        terms = _protected();
        terms.defaultPayeeBps = 10_001;
        _contradicts(terms);
        terms = _protected();
        terms.maxArbiterFeeBps = 10_001;
        _contradicts(terms);
        terms = _protected();
        terms.refundsUnused = true;
        _contradicts(terms);
        terms = _protected();
        (terms.usageCap, terms.usagePrice) = (1, 1);
        _contradicts(terms);
    }

    function test_it_is_opened_with_conditions_by_who_does_not_rule() public {
        uint256 planId = _create(_protected());
        bytes memory failure = abi.encodeWithSelector(PlanIsProtected.selector, planId);
        bytes32 terms = subscriptions.termsHash(planId);
        _refuses(payer, abi.encodeCall(subscriptions.subscribe, (planId, terms, 0)), failure);
        Coupon memory none;
        failure = abi.encodeWithSelector(PayerIsPayee.selector, _arbiter);
        _refuses(_arbiter, _opening(planId, _none(), none), failure);
    }

    function test_refunds_and_changes_at_once_are_refused() public {
        uint256 id = _opened();
        uint256 planId = subscriptions.subscription(id).planId;
        bytes memory failure = abi.encodeWithSelector(PlanIsProtected.selector, planId);
        _refuses(payee, abi.encodeCall(subscriptions.refund, (id, 1, 1)), failure);
        uint256[] memory numbers = new uint256[](1);
        numbers[0] = 1;
        Segment[] memory history;
        _refuses(payee, abi.encodeCall(subscriptions.cancelWithRefund, (id, numbers, history)), failure);
        uint256 dearer = _create(_protected());
        failure = abi.encodeWithSelector(PlanIsProtected.selector, dearer);
        _refuses(payer, _changing(id, dearer, 0, type(uint256).max), failure);
        uint256 plain = _create(_terms());
        failure = abi.encodeWithSelector(PlanIsProtected.selector, plain);
        _refuses(payer, _scheduling(id, plain, 0), failure);
        _schedule(id, dearer, 0);
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.None);
        vm.assertEq(_held(id, 2, block.timestamp), PRICE, "protected again");
    }

    function test_each_part_is_built_on_another() public {
        bytes memory there = abi.encode(subscriptions);
        bytes memory nowhere = abi.encode(stranger);
        _isNotBuilt("SubscriptionsConsent", nowhere);
        _isNotBuilt("SubscriptionsCharges", bytes.concat(nowhere, there));
        _isNotBuilt("SubscriptionsCharges", bytes.concat(there, nowhere));
        _isNotBuilt("SubscriptionsPayer", nowhere);
        _isNotBuilt("SubscriptionsPayee", nowhere);
    }

    // ------------------------------------------------------------------- parts

    function _protected() private view returns (PlanTerms memory terms) {
        terms = _terms();
        (terms.protection, terms.arbiter, terms.rulingTimeout) = (14 days, _arbiter, 7 days);
        (terms.defaultPayeeBps, terms.maxArbiterFeeBps) = (4_000, 500);
    }

    function _opened() private returns (uint256) {
        return _open(_create(_protected()), _none());
    }

    function _none() private pure returns (Conditions memory conditions) {}

    function _paymentOf(uint256 id, uint256 number, uint256 moment)
        private
        view
        returns (IEscrow.PaymentTerms memory terms)
    {
        (terms.payer, terms.payee, terms.token, terms.amount) = (payer, payee, address(token), PRICE);
        (terms.authorizeBefore, terms.refundBefore) = (uint40(moment + 1), type(uint40).max);
        terms.captureBefore = uint40(moment + 14 days + 366 days);
        (terms.disputeWindow, terms.arbiter, terms.rulingTimeout) = (14 days, _arbiter, 7 days);
        (terms.defaultPayeeBps, terms.maxArbiterFeeBps) = (4_000, 500);
        terms.salt = id << CHARGES_BITS | number;
    }

    function _held(uint256 id, uint256 number, uint256 moment) private view returns (uint256) {
        return escrow.payment(escrow.paymentId(_paymentOf(id, number, moment))).held;
    }

    function _contradicts(PlanTerms memory terms) private {
        bytes memory failure = abi.encodeWithSelector(TermsContradict.selector);
        _refuses(payee, abi.encodeCall(subscriptions.createPlan, (terms)), failure);
    }

    function _isNotBuilt(string memory name, bytes memory arguments) private {
        vm.assertEq(_deploy(bytes.concat(_creationCode(name), arguments)), address(0), name);
    }
}
