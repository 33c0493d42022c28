// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Scene} from "./Scene.sol";

/// @notice Charges of usage: every error with its values, and what they do where nothing is refused.
contract MeteredTest is Scene {
    uint96 private constant CAP = 5_000_000;
    uint96 private constant PER_MILLION = 2_000_000;
    uint256 private constant CHARGES_AT = 232;
    bytes32 private constant HASH = keccak256("usage");
    address private biller = address(0xb111);

    // --------------------------------------------------------------- refusals

    function test_createPlan_refuses_usage_that_contradicts() public {
        bytes memory failure = abi.encodeWithSelector(TermsContradict.selector);
        PlanTerms[5] memory contradictions = [_metered(), _metered(), _metered(), _metered(), _terms()];
        contradictions[0].usagePrice = 0;
        contradictions[1].minCharges = 1;
        contradictions[2].maxCharges = 1;
        (contradictions[3].usageCap, contradictions[3].biller) = (0, address(0));
        contradictions[4].biller = biller;
        for (uint256 i = 0; i < contradictions.length; ++i) {
            _refuses(payee, abi.encodeCall(subscriptions.createPlan, (contradictions[i])), failure);
        }
    }

    function test_chargeUsage_is_the_payee_s_and_the_biller_s() public {
        uint256 id = _subscribe(_metered());
        address[3] memory others = [payer, stranger, address(0)];
        for (uint256 i = 0; i < others.length; ++i) {
            _refuses(others[i], _using(id, 1, 1), abi.encodeWithSelector(NotAuthorized.selector, others[i]));
        }
        PlanTerms memory terms = _metered();
        terms.biller = address(0);
        id = _subscribe(terms);
        _refuses(address(0), _using(id, 1, 1), abi.encodeWithSelector(NotAuthorized.selector, address(0)));
        _refuses(biller, _using(id, 1, 1), abi.encodeWithSelector(NotAuthorized.selector, biller));
        bytes memory failure = abi.encodeWithSelector(UnknownSubscription.selector, id + 1);
        _refuses(payee, _using(id + 1, 1, 1, 1), failure);
    }

    function test_chargeUsage_refuses_nothing_and_too_much() public {
        uint256 id = _subscribe(_metered());
        _refuses(payee, _using(id, 0, 1), abi.encodeWithSelector(ZeroAmount.selector));
        _refuses(payee, _using(id, 3, 1), abi.encodeWithSelector(UsageTooDear.selector, 3, 2));
        _refuses(payee, _using(id, 1, 0), abi.encodeWithSelector(UsageTooDear.selector, 1, 0));
        _refuses(payee, _using(id, 1, 2 ** 128), abi.encodeWithSelector(UsageTooDear.selector, 1, 0));
        bytes memory failure = abi.encodeWithSelector(UsageAboveCap.selector, CAP + 1, CAP);
        _refuses(payee, _using(id, CAP + 1, 2 ** 128 - 1), failure);
        _use(biller, id, CAP - 1);
        _refuses(payee, _using(id, 2, CAP), abi.encodeWithSelector(UsageAboveCap.selector, 2, 1));
    }

    function test_chargeUsage_refuses_where_none_is_sold() public {
        uint256 id = _subscribe(_terms());
        _refuses(payee, _using(id, 1, 1e12), abi.encodeWithSelector(UsageTooDear.selector, 1, 0));
        vm.assertEq(subscriptions.usageLeft(id), 0, "none");
    }

    function test_chargeUsage_refuses_what_is_not_served() public {
        PlanTerms memory terms = _metered();
        terms.trial = 1 days;
        uint256 id = _subscribe(terms);
        _refuses(payee, _using(id, 1, 1), abi.encodeWithSelector(TrialRunning.selector, id));
        id = _subscribe(_metered());
        vm.prank(payer);
        subscriptions.pause(id);
        _refuses(payee, _using(id, 1, 1), abi.encodeWithSelector(NotActive.selector, id, Status.Paused));
        vm.prank(payer);
        subscriptions.cancel(id);
        _refuses(payee, _using(id, 1, 1), abi.encodeWithSelector(NotActive.selector, id, Status.Cancelled));
    }

    function test_chargeUsage_refuses_after_the_end() public {
        PlanTerms memory terms = _metered();
        terms.grace = 1 days;
        uint256 id = _subscribe(terms);
        vm.warp(_nextDue(id) + 1 days - 1);
        _use(payee, id, 1);
        vm.warp(_nextDue(id) + 1 days);
        _refuses(payee, _using(id, 1, 1), abi.encodeWithSelector(UsageEnded.selector, id));
    }

    function test_chargeUsage_leaves_half_of_the_numbers_to_periods() public {
        uint256 id = _subscribe(_metered());
        _mark(id, 32_764 << CHARGES_AT);
        bytes memory failure = abi.encodeWithSelector(UsageEnded.selector, id);
        _use(payee, id, 1);
        _use(payee, id, 1);
        vm.assertEq(subscriptions.subscription(id).charges, 32_767, "the last for usage");
        _refuses(payee, _using(id, 1, 1), failure);
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.None);
        vm.assertEq(subscriptions.subscription(id).charges, 32_768, "of a period");
        _refuses(payee, _using(id, 1, 1), failure);
        _mark(id, 0xffff << CHARGES_AT);
        _refuses(payee, _using(id, 1, 1), failure);
    }

    function test_chargeUsage_refuses_any_number_but_the_next() public {
        uint256 id = _subscribe(_metered());
        uint256[5] memory wrong = [0, 1, 3, 65_538, type(uint256).max];
        for (uint256 i = 0; i < wrong.length; ++i) {
            _refuses(payee, _using(id, wrong[i], 1, 1), _anotherIsNext(wrong[i], 2));
        }
        bytes memory bill = _using(id, 2, 1, 1);
        _use(payee, id, 1);
        _refuses(payee, bill, _anotherIsNext(2, 3));
        bill = _using(id, 3, 1, 1);
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.None);
        _refuses(payee, bill, _anotherIsNext(3, 4));
        _refuses(payee, _using(id, 1, 0, 1), abi.encodeWithSelector(ZeroAmount.selector));
    }

    function test_chargeUsage_says_what_the_payer_lacks() public {
        uint256 id = _subscribe(_metered());
        vm.prank(payer);
        token.approve(address(subscriptions), 4);
        _refuses(payee, _using(id, 5, 5), abi.encodeWithSelector(AllowanceTooLow.selector, 4, 5));
        _fund(payer, token);
        uint256 rest = token.balanceOf(payer) - 3;
        vm.prank(payer);
        token.transfer(stranger, rest);
        _refuses(payee, _using(id, 5, 5), abi.encodeWithSelector(BalanceTooLow.selector, 3, 5));
    }

    // ------------------------------------------------------------------ paths

    function test_usage_is_paid_and_moves_no_due_time() public {
        PlanTerms memory terms = _metered();
        (terms.feeBps, terms.feeReceiver) = (250, address(0xfee));
        uint256 id = _subscribe(terms);
        (uint256 due, uint256 before) = (_nextDue(id), token.balanceOf(payer));
        uint256 fee = token.balanceOf(address(0xfee));
        _use(biller, id, 1_039);
        vm.assertEq(before - token.balanceOf(payer), 1_039, "paid");
        vm.assertEq(token.balanceOf(address(0xfee)) - fee, 25, "the fee, rounded down");
        vm.assertEq(_nextDue(id), due, "as before");
        vm.assertEq(subscriptions.subscription(id).charges, 2, "numbered");
        vm.assertEq(subscriptions.controlTotals(payee, address(token)).charges.sum, PRICE + 1_039, "counted");
        vm.assertEq(subscriptions.usageLeft(id), CAP - 1_039, "left");
    }

    function test_another_charge_ends_what_was_counted() public {
        uint256 id = _subscribe(_metered());
        _use(payee, id, CAP - 1);
        _use(payee, id, 1);
        vm.assertEq(subscriptions.usageLeft(id), 0, "used");
        vm.warp(_nextDue(id));
        vm.assertEq(subscriptions.usageLeft(id), 0, "until the next period is charged");
        _declines(id, DeclineReason.None);
        vm.assertEq(subscriptions.usageLeft(id), CAP, "anew");
        _use(payee, id, CAP);
    }

    /// @dev A change that charges nothing ends no count; the new plan's cap holds from now on.
    function test_a_lower_cap_holds_at_once() public {
        uint256 id = _subscribe(_metered());
        _use(payee, id, CAP - 1);
        PlanTerms memory terms = _metered();
        (terms.price, terms.usageCap) = (1, CAP - 2);
        _change(id, _create(terms), 0);
        vm.assertEq(subscriptions.usageLeft(id), 0, "more was used than is allowed");
        _refuses(payee, _using(id, 1, 1), abi.encodeWithSelector(UsageAboveCap.selector, 1, 0));
    }

    /// @dev Credit is for what was paid in advance: usage leaves it alone.
    function test_credit_pays_no_usage_and_each_charge_can_be_given_back() public {
        PlanTerms memory terms = _metered();
        uint256 dear = _create(terms);
        uint256 id = _subscribe(dear, 0);
        terms.price = PRICE / 2;
        _change(id, _create(terms), 0);
        uint256 credit = subscriptions.subscription(id).credit;
        _use(biller, id, 1_000);
        vm.assertEq(subscriptions.subscription(id).credit, credit, "left alone");
        Segment[] memory history = new Segment[](2);
        history[0] = Segment(1, PRICE, type(uint256).max);
        history[1] = Segment(1, PRICE / 2, 1_000);
        _givesBack(id, 1, PRICE, history);
        _givesBack(id, 2, 1_000, history);
    }

    function test_what_is_ending_can_be_settled() public {
        uint256 id = _subscribe(_metered());
        vm.prank(payer);
        subscriptions.cancelAtPeriodEnd(id);
        vm.warp(_nextDue(id) + 1);
        _use(payee, id, CAP);
    }

    // ------------------------------------------------------------------ parts

    function _metered() private view returns (PlanTerms memory terms) {
        terms = _terms();
        (terms.usageCap, terms.usagePrice, terms.biller) = (CAP, PER_MILLION, biller);
    }

    function _using(uint256 id, uint256 amount, uint256 quantity) private view returns (bytes memory) {
        return _using(id, _nextNumber(id), amount, quantity);
    }

    function _using(uint256 id, uint256 number, uint256 amount, uint256 quantity)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeCall(subscriptions.chargeUsage, (id, number, amount, quantity, HASH));
    }

    function _use(address sender, uint256 id, uint256 amount) private {
        uint256 number = _nextNumber(id);
        vm.prank(sender);
        subscriptions.chargeUsage(id, number, amount, amount, HASH);
    }

    function _nextNumber(uint256 id) private view returns (uint256) {
        return subscriptions.subscription(id).charges + 1;
    }

    function _anotherIsNext(uint256 found, uint256 expected) private pure returns (bytes memory) {
        return abi.encodeWithSelector(AnotherChargeIsNext.selector, found, expected);
    }

    /// @dev All of it, and not a unit more.
    function _givesBack(uint256 id, uint256 chargeNumber, uint256 cost, Segment[] memory history) private {
        bytes memory data = abi.encodeCall(subscriptions.refundChanged, (id, chargeNumber, cost + 1, history));
        _refuses(payee, data, abi.encodeWithSelector(RefundTooHigh.selector, cost + 1, cost));
        vm.prank(payee);
        subscriptions.refundChanged(id, chargeNumber, cost, history);
        vm.assertEq(subscriptions.refunded(id, chargeNumber), cost, "all of it");
    }
}
