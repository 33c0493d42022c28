// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {HostileToken} from "../../contracts/mocks/HostileToken.sol";
import {MockWallet} from "../../contracts/mocks/MockWallet.sol";
import {Scene} from "./Scene.sol";

/// @notice What the contract does where it refuses nothing: each reason of a decline, money that is kept, credit, terms of
/// every kind.
contract PathsTest is Scene {
    uint256 private constant CHARGES_AT = 232;
    address private collector = address(0xfee);

    // --------------------------------------------------------------- declines

    function test_charge_declines_for_the_standing() public {
        uint256 id = _subscribe(_terms());
        _declines(id + 1, DeclineReason.Unknown);
        _declines(2 ** 63, DeclineReason.Unknown);
        _declines(id, DeclineReason.NotDue);
        vm.prank(payer);
        subscriptions.pause(id);
        _declines(id, DeclineReason.Paused);
        vm.prank(payer);
        subscriptions.resume(id);
        vm.prank(payer);
        subscriptions.cancelAtPeriodEnd(id);
        _declines(id, DeclineReason.Ended);
        vm.prank(payer);
        subscriptions.cancel(id);
        _declines(id, DeclineReason.Cancelled);
    }

    function test_charge_declines_after_the_last_charge() public {
        PlanTerms memory terms = _terms();
        uint256 carried = _subscribe(terms);
        _mark(carried, 0xffff << CHARGES_AT);
        terms.maxCharges = 2;
        uint256 id = _subscribe(terms);
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.None);
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.Ended);
        _declines(carried, DeclineReason.Ended);
    }

    function test_charge_declines_when_the_grace_has_passed() public {
        PlanTerms memory terms = _terms();
        terms.grace = 1 days;
        (uint256 early, uint256 late) = (_subscribe(terms), _subscribe(terms));
        vm.warp(_nextDue(early) + 1 days - 1);
        _declines(early, DeclineReason.None);
        vm.warp(_nextDue(late) + 1 days);
        _declines(late, DeclineReason.Ended);
    }

    function test_charge_declines_for_the_payer_s_money() public {
        PlanTerms memory terms = _terms();
        uint256 plain = _subscribe(terms);
        (terms.feeBps, terms.feeReceiver) = (100, collector);
        uint256 shared = _subscribe(terms);
        vm.warp(_nextDue(plain));
        vm.prank(payer);
        token.approve(address(subscriptions), PRICE - 1);
        _declinesBoth(plain, shared, DeclineReason.Allowance);
        _fund(payer, token);
        uint256 rest = token.balanceOf(payer) - 1;
        vm.prank(payer);
        token.transfer(stranger, rest);
        _declinesBoth(plain, shared, DeclineReason.Balance);
    }

    function test_charge_declines_where_the_token_refuses() public {
        (uint256 plain, uint256 shared) = _hostileTwo();
        hostile.play(hostile.transferFrom.selector, HostileToken.Trick.Refuse);
        _declinesBoth(plain, shared, DeclineReason.TokenRefused);
        hostile.play(hostile.allowance.selector, HostileToken.Trick.Refuse);
        _declinesBoth(plain, shared, DeclineReason.TokenRefused);
        vm.assertTrue(subscriptions.preview(plain).reason == DeclineReason.None, "a preview tells what can be read");
    }

    /// @dev Alone such a row reverts; beside others it declines.
    function test_charge_undoes_what_the_token_did_not_move() public {
        (uint256 plain, uint256 shared) = _hostileTwo();
        uint256 good = _subscribe(_terms());
        vm.warp(_nextDue(good));
        hostile.play(hostile.transferFrom.selector, HostileToken.Trick.ReturnTrue);
        bytes memory failure = abi.encodeWithSelector(AmountMismatch.selector, 0, PRICE);
        _refuses(stranger, _charging(plain), failure);
        hostile.play(hostile.transferFrom.selector, HostileToken.Trick.ReturnFalse); // and may have moved all the same
        _refuses(stranger, _charging(plain), failure);
        bytes memory refused = hex"0707";
        vm.assertEq(keccak256(_charge(plain, plain)), keccak256(refused), "both rows of a run");
        vm.assertEq(keccak256(_charge(shared, good)), keccak256(hex"0700"), "only its own run");
        hostile.play(hostile.balanceOf.selector, HostileToken.Trick.Refuse);
        vm.assertEq(keccak256(_charge(plain, shared)), keccak256(refused), "unreadable");
        _declinesNothing(plain, 1);
    }

    /// @dev A token that moves the money and denies it: whatever it did, the payer keeps it, and nothing counts as paid.
    function test_charge_undoes_what_the_token_moved_and_denied() public {
        (uint256 plain, uint256 shared) = _hostileTwo();
        uint256 good = _subscribe(_terms());
        vm.warp(_nextDue(good));
        hostile.play(hostile.transferFrom.selector, HostileToken.Trick.MoveAndDeny);
        vm.prank(address(subscriptions));
        bool told = hostile.transferFrom(payer, stranger, 1);
        vm.assertTrue(!told && hostile.balanceOf(stranger) == 1, "it moves, and says that it did not");
        uint256 before = hostile.balanceOf(payer);
        _refuses(stranger, _charging(plain), abi.encodeWithSelector(AmountMismatch.selector, 0, PRICE));
        vm.assertEq(keccak256(_charge(plain, plain)), keccak256(hex"0707"), "both rows of a run");
        vm.assertEq(keccak256(_charge(shared, good)), keccak256(hex"0700"), "only its own run");
        vm.assertEq(hostile.balanceOf(payer), before, "nothing was taken");
        _declinesNothing(plain, 1);
        _declinesNothing(shared, 1);
    }

    /// @dev Each of its rows keeps its own reason; rows of other plans behind it are not its own.
    function test_charge_of_an_undone_run_tries_its_rows_one_by_one() public {
        (uint256 plain,) = _hostileTwo();
        uint256[] memory ids = new uint256[](4);
        (ids[0], ids[1], ids[2]) = (plain, _subscribe(subscriptions.subscription(plain).planId, 0), plain);
        ids[3] = _subscribe(_terms());
        hostile.play(hostile.transferFrom.selector, HostileToken.Trick.ReturnTrue);
        vm.assertEq(keccak256(subscriptions.charge(ids)), keccak256(hex"07020702"), "undone, not due, undone, not due");
    }

    /// @dev E06: too little gas for a row of an undone run is the caller's failure as well, not a decline.
    function test_E06_an_undone_run_without_gas_reverts_as_a_whole() public {
        (uint256 plain,) = _hostileTwo();
        hostile.play(hostile.transferFrom.selector, HostileToken.Trick.ReturnTrue);
        uint256[] memory ids = new uint256[](12);
        for (uint256 i = 0; i < ids.length; ++i) {
            ids[i] = plain;
        }
        bytes memory data = abi.encodeCall(subscriptions.charge, (ids));
        uint256 reverted;
        for (uint256 gasLimit = 300_000; gasLimit < 2_300_000; gasLimit += 10_000) {
            (bool ok, bytes memory answer) = address(subscriptions).call{gas: gasLimit}(data);
            if (ok) vm.assertEq(keccak256(abi.decode(answer, (bytes))), keccak256(_bytes(12, 0x07)), "all or nothing");
            else ++reverted;
        }
        vm.assertTrue(reverted > 0 && reverted < 200, "both happened");
    }

    // ------------------------------------------------------------------- kept

    function test_E07_what_a_receiver_cannot_receive_is_kept() public {
        (uint256 plain, uint256 shared) = _hostileTwo();
        hostile.blockAccount(payee);
        _declinesBoth(plain, shared, DeclineReason.None);
        uint256 fee = PRICE / 100;
        vm.assertEq(subscriptions.claimable(payee, address(hostile)), 2 * uint256(PRICE) - fee, "the payee's parts");
        bytes memory data = abi.encodeCall(subscriptions.claim, (payee, address(hostile)));
        _refuses(stranger, data, abi.encodeWithSelector(TokenRefused.selector, hostile));
        hostile.blockAccount(collector);
        subscriptions.claim(payee, address(hostile));
        vm.warp(_nextDue(shared));
        _declines(shared, DeclineReason.None);
        vm.assertEq(subscriptions.claimable(collector, address(hostile)), fee, "the receiver's part");
    }

    function test_E07_a_fee_that_cannot_even_be_kept_undoes_the_charge() public {
        (, uint256 shared) = _hostileTwo();
        Refuser refuser = new Refuser();
        cheats.etch(address(hostile), address(refuser).code); // pays payees, nobody else
        cheats.store(address(hostile), bytes32(0), bytes32(uint256(uint160(payee))));
        bytes memory failure = abi.encodeWithSelector(AmountMismatch.selector, 0, PRICE / 100);
        _refuses(stranger, _charging(shared), failure);
        vm.assertEq(keccak256(_charge(shared, shared)), keccak256(hex"0707"), "in a batch it declines");
    }

    function test_E07_what_cannot_be_counted_is_not_kept() public {
        (uint256 plain,) = _hostileTwo();
        Refuser refuser = new Refuser();
        cheats.etch(address(hostile), address(refuser).code);
        cheats.store(address(hostile), bytes32(0), bytes32(uint256(uint160(address(subscriptions)))));
        // It moved to the contract, which it then does not tell.
        cheats.store(address(hostile), bytes32(uint256(1)), bytes32(uint256(1)));
        bytes memory failure = abi.encodeWithSelector(AmountMismatch.selector, 0, PRICE);
        _refuses(stranger, _charging(plain), failure);
    }

    // ----------------------------------------------------------------- credit

    function test_credit_pays_first_and_comes_back_where_the_rest_declines() public {
        PlanTerms memory terms = _terms();
        terms.seatPrice = 1_000_000;
        uint256 planId = _create(terms);
        uint256 id = _subscribe(planId, 5);
        _change(id, planId, 1);
        vm.assertEq(subscriptions.subscription(id).credit, 4_000_000, "four seats");
        vm.warp(_nextDue(id));
        vm.prank(payer);
        token.approve(address(subscriptions), 0);
        vm.assertTrue(subscriptions.preview(id).reason == DeclineReason.Allowance, "previewed");
        _declines(id, DeclineReason.Allowance);
        vm.assertEq(subscriptions.subscription(id).credit, 4_000_000, "as before");
        _fund(payer, token);
        vm.assertEq(subscriptions.preview(id).amount, PRICE - 3_000_000, "previewed");
        uint256 before = token.balanceOf(payer);
        _declines(id, DeclineReason.None);
        vm.assertEq(before - token.balanceOf(payer), PRICE - 3_000_000, "the rest");
        vm.assertEq(subscriptions.subscription(id).credit, 0, "used");
    }

    function test_credit_can_pay_all_of_it() public {
        PlanTerms memory terms = _terms();
        terms.price = 10 * PRICE;
        uint256 dear = _create(terms);
        uint256 id = _subscribe(dear, 0);
        uint256 cheap = _create(_terms());
        _change(id, cheap, 0);
        _change(id, dear, 0);
        vm.assertEq(subscriptions.subscription(id).credit, 0, "paid with the credit");
        _change(id, cheap, 0);
        vm.warp(_nextDue(id));
        vm.assertEq(subscriptions.preview(id).amount, 0, "nothing to pay");
        _declines(id, DeclineReason.None);
        vm.assertEq(subscriptions.subscription(id).credit, 8 * uint256(PRICE), "nine periods less one");
    }

    // ------------------------------------------------------------------ terms

    function test_a_trial_is_used_once_and_changed_for_nothing() public {
        PlanTerms memory terms = _terms();
        (terms.trial, terms.feeBps, terms.feeReceiver) = (7 days, 100, collector);
        uint256 planId = _create(terms);
        uint256 id = _subscribe(planId, 0);
        vm.assertEq(_nextDue(id), START + 7 days, "after the trial");
        vm.assertTrue(subscriptions.isTrialUsed(planId, payer), "used");
        terms.trial = 1;
        _change(id, _create(terms), 0);
        vm.assertEq(subscriptions.subscription(id).history, 0, "nothing was charged");
        _declines(_subscribe(planId, 0), DeclineReason.NotDue);
        vm.assertEq(token.balanceOf(collector), PRICE / 100, "the second one paid at once");
    }

    /// @dev A period of calendar months that was paused counts as the longest of its kind, and ends with the change.
    function test_a_change_after_a_pause_counts_the_longest_period() public {
        PlanTerms memory terms = _terms();
        terms.every = 14; // 366 days and two months
        uint256 id = _subscribe(terms);
        _pauseFor(id, 400 days);
        uint256 left = _nextDue(id) - block.timestamp;
        terms.price = 2 * PRICE;
        uint256 toPay = subscriptions.quote(id, _create(terms), 0).toPay;
        vm.assertEq(toPay, 2 * PRICE - PRICE * left / 428 days, "a new period, less what is left of the longest");
        terms.unit = Unit.Day;
        _change(id, _create(terms), 0);
        vm.assertEq(_nextDue(id), block.timestamp + 14 days, "a new period");
        _pauseFor(id, 3 days);
        vm.warp(block.timestamp + 7 days);
        uint256 before = subscriptions.subscription(id).credit;
        terms.price = PRICE;
        _change(id, _create(terms), 0);
        vm.assertEq(subscriptions.subscription(id).credit - before, PRICE / 2, "half of the days are left");
    }

    function test_a_late_charge_pays_what_the_plan_catches_up() public {
        PlanTerms memory terms = _terms();
        terms.catchUp = 1;
        _paysLate(_subscribe(terms));
        terms.unit = Unit.Day;
        _paysLate(_subscribe(terms));
    }

    function _paysLate(uint256 id) private {
        vm.warp(_nextDue(id) + 100 days);
        Preview memory due = subscriptions.preview(id);
        vm.assertTrue(due.periodEnd <= block.timestamp, "a missed one");
        _declines(id, DeclineReason.None);
        vm.assertEq(_nextDue(id), due.periodEnd, "as previewed");
    }

    function _pauseFor(uint256 id, uint256 time) private {
        vm.prank(payer);
        subscriptions.pause(id);
        vm.warp(block.timestamp + time);
        vm.prank(payer);
        subscriptions.resume(id);
    }

    function test_a_mandate_names_every_unit() public {
        for (uint256 unit = 0; unit < 5; ++unit) {
            PlanTerms memory terms = _terms();
            terms.unit = Unit(unit);
            Mandate memory mandate = Mandate(payer, _create(terms), 0, unit, START + 1);
            uint256 id = subscriptions.submitMandate(mandate, _signed(subscriptions.mandateHash(mandate)));
            vm.assertEq(subscriptions.subscription(id).payer, payer, "accepted");
        }
    }

    function test_a_contract_signs_and_a_permit_may_fail() public {
        MockWallet wallet = new MockWallet();
        wallet.setSigner(payer);
        _fund(address(wallet), token);
        Mandate memory mandate = Mandate(address(wallet), _create(_terms()), 0, 1, START + 1);
        bytes memory signature = _signed(subscriptions.mandateHash(mandate));
        Permit memory permit;
        subscriptions.submitMandateWithPermit(mandate, signature, permit);
        bytes32 terms = subscriptions.termsHash(mandate.planId);
        vm.prank(payer);
        subscriptions.subscribeWithPermit(mandate.planId, terms, 0, permit);
    }

    function test_a_plan_of_any_number_is_found() public {
        uint256[6] memory numbers = [uint256(0x7f), 0x80, 0xff, 0x100, 0x10000, 2 ** 32 - 1];
        for (uint256 i = 0; i < numbers.length; ++i) {
            cheats.record();
            subscriptions.planCount();
            bytes32 counters = _slotRead(0);
            uint256 word = uint256(cheats.load(address(subscriptions), counters)) >> 32 << 32;
            cheats.store(address(subscriptions), counters, bytes32(word | (numbers[i] - 1)));
            cheats.setNonceUnsafe(address(subscriptions), uint64(numbers[i]));
            PlanTerms memory terms = _terms();
            terms.price = uint96(i + 1);
            vm.assertEq(_create(terms), numbers[i], "numbered");
            vm.assertEq(subscriptions.plan(numbers[i]).price, i + 1, "found");
            address place = cheats.computeCreateAddress(address(subscriptions), numbers[i]);
            vm.assertEq(subscriptions.termsHash(numbers[i]), place.codehash, "and so is its hash");
        }
    }

    // ------------------------------------------------------------ stop, refund

    function test_stop_passes_over_what_is_done() public {
        (uint256 first, uint256 second) = (_subscribe(_terms()), _subscribe(_terms()));
        vm.prank(payer);
        subscriptions.cancel(first);
        vm.prank(payer);
        subscriptions.pause(second);
        vm.prank(payer);
        subscriptions.revokeMandate(3);
        uint256[] memory ids = new uint256[](2);
        uint256[] memory salts = new uint256[](2);
        (ids[0], ids[1], salts[0], salts[1]) = (first, second, 3, 4);
        vm.prank(payer);
        subscriptions.stop(ids, salts);
        vm.assertTrue(subscriptions.subscription(second).status == Status.Cancelled, "ended");
        vm.assertTrue(subscriptions.isSaltUsed(payer, 4), "revoked");
        vm.assertTrue(!subscriptions.isArchived(1), "the plan goes on");
    }

    function test_revokeMandateBySignature_by_anyone() public {
        bytes32 kind = keccak256("Revocation(address payer,uint256 salt)");
        bytes32 digest = _typed(keccak256(abi.encode(kind, payer, 9)));
        subscriptions.revokeMandateBySignature(payer, 9, _signed(digest));
        vm.assertTrue(subscriptions.isSaltUsed(payer, 9), "revoked");
    }

    function test_refundChanged_bounds_each_charge_by_what_it_cost() public {
        PlanTerms memory terms = _terms();
        terms.seatPrice = 1_000_000;
        uint256 id = _subscribe(terms);
        _change(id, subscriptions.subscription(id).planId, 3); // charge 2: two seats for the whole period
        vm.warp(_nextDue(id));
        _charge(id);
        Segment[] memory history = new Segment[](1);
        history[0] = Segment(1, PRICE + 1_000_000, 2_000_000);
        uint256[3] memory costs = [uint256(PRICE) + 1_000_000, 2_000_000, uint256(PRICE) + 3_000_000];
        for (uint256 i = 0; i < 3; ++i) {
            bytes memory failure = abi.encodeWithSelector(RefundTooHigh.selector, costs[i] + 1, costs[i]);
            _refuses(payee, abi.encodeCall(subscriptions.refundChanged, (id, i + 1, costs[i] + 1, history)), failure);
            vm.prank(payee);
            subscriptions.refundChanged(id, i + 1, costs[i], history);
            vm.assertEq(subscriptions.refunded(id, i + 1), costs[i], "all of it");
        }
        vm.assertEq(subscriptions.controlTotals(payee, address(token)).refunds.count, 3, "counted");
        vm.assertEq(subscriptions.controlTotals(stranger, address(token)).refunds.count, 0, "nobody else's");
    }

    function test_refund_of_a_plain_charge() public {
        uint256 id = _subscribe(_terms());
        vm.prank(payee);
        subscriptions.refund(id, 1, 1);
        vm.assertEq(subscriptions.refunded(id, 1), 1, "given back");
        vm.assertEq(subscriptions.registerCount(), 1, "one register");
    }

    function test_preview_of_what_stands_still() public {
        uint256 id = _subscribe(_terms());
        vm.assertTrue(subscriptions.preview(id).reason == DeclineReason.NotDue, "not due");
        vm.prank(payer);
        subscriptions.pause(id);
        vm.assertEq(subscriptions.preview(id).periodEnd, 0, "no period while it is paused");
        vm.prank(payer);
        subscriptions.resume(id);
        vm.warp(_nextDue(id));
        vm.assertTrue(subscriptions.preview(id).reason == DeclineReason.None, "due");
        uint256 rest = token.balanceOf(payer) - 1;
        vm.prank(payer);
        token.transfer(stranger, rest);
        vm.assertTrue(subscriptions.preview(id).reason == DeclineReason.Balance, "no money");
    }

    // ------------------------------------------------------------------ parts

    /// @dev Two due subscriptions in the hostile token: of a plain plan, and of one with a fee.
    function _hostileTwo() private returns (uint256 plain, uint256 shared) {
        PlanTerms memory terms = _terms();
        terms.token = address(hostile);
        plain = _subscribe(terms);
        (terms.feeBps, terms.feeReceiver) = (100, collector);
        shared = _subscribe(terms);
        vm.warp(_nextDue(plain));
    }

    function _declinesBoth(uint256 first, uint256 second, DeclineReason reason) private {
        _declines(first, reason);
        _declines(second, reason);
    }

    function _declinesNothing(uint256 id, uint256 charges) private view {
        vm.assertEq(subscriptions.subscription(id).charges, charges, "a decline changes nothing");
    }

    function _charging(uint256 id) private view returns (bytes memory) {
        uint256[] memory ids = new uint256[](1);
        ids[0] = id;
        return abi.encodeCall(subscriptions.charge, (ids));
    }

    function _bytes(uint256 length, bytes1 each) private pure returns (bytes memory filled) {
        filled = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            filled[i] = each;
        }
    }
}

/// @notice Takes the place of a token: whom it pays is in its first slot, everybody else it refuses. With the second slot
/// set it does not tell balances any more once it has paid.
contract Refuser {
    address private _paid;
    uint256 private _silent;

    function transferFrom(address, address to, uint256) external returns (bool) {
        require(to == _paid, "refused");
        if (_silent == 1) _silent = 2;
        return true;
    }

    function balanceOf(address) external view returns (uint256) {
        require(_silent != 2, "silent");
        return 1e18;
    }

    function allowance(address, address) external pure returns (uint256) {
        return type(uint256).max;
    }
}
