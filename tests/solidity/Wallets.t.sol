// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockUSDC} from "../../contracts/mocks/MockUSDC.sol";
import {HostileToken} from "../../contracts/mocks/HostileToken.sol";
import {MockToken} from "../../contracts/mocks/MockToken.sol";
import {Permit2, PERMIT2} from "./Permit2.sol";
import {Scene} from "./Scene.sol";

/// @notice Other wallets: one that pays where the payer cannot, a new payer, a new payee, and money through Permit2.
contract WalletsTest is Scene {
    bytes32 private constant FALLBACK_TYPEHASH = keccak256(
        "Fallback(uint256 subscriptionId,address payer,address wallet,bytes32 terms,uint256 seats,uint256 salt,uint256 validBefore)"
    );
    bytes32 private constant PAYER_CHANGE_TYPEHASH = keccak256(
        "PayerChange(uint256 subscriptionId,address payer,address newPayer,bytes32 terms,uint256 seats,uint256 maxPerPeriod,uint256 endsAt,uint256 salt,uint256 validBefore)"
    );
    bytes32 private constant PAYEE_CHANGE_TYPEHASH =
        keccak256("PayeeChange(address payee,address token,address newPayee,uint256 salt,uint256 validBefore)");
    uint256 private constant EVER = type(uint256).max;

    // ---------------------------------------------------------------- fallback

    function test_the_fallback_pays_what_the_payer_lacks() public {
        uint256 id = _backed(_terms());
        vm.warp(_nextDue(id));
        uint256 before = token.balanceOf(second);
        _declines(id, DeclineReason.None);
        vm.assertEq(token.balanceOf(second), before, "the payer pays first");
        vm.prank(payer);
        token.approve(address(subscriptions), 0);
        vm.warp(_nextDue(id));
        vm.assertTrue(subscriptions.preview(id).reason == DeclineReason.None, "previewed");
        _declines(id, DeclineReason.None);
        vm.assertEq(before - token.balanceOf(second), PRICE, "then the wallet");
        vm.prank(second);
        token.approve(address(subscriptions), PRICE - 1);
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.Allowance);
    }

    function test_the_fallback_pays_for_what_it_signed_alone() public {
        uint256 id = _backed(_terms());
        PlanTerms memory terms = _terms();
        terms.price = 50_000 * PRICE;
        _schedule(id, _create(terms), 0);
        vm.prank(payer);
        token.approve(address(subscriptions), 0);
        vm.warp(_nextDue(id));
        uint256 before = token.balanceOf(second);
        _declines(id, DeclineReason.Allowance);
        vm.assertEq(before, token.balanceOf(second), "nothing for a plan that it never agreed to");
    }

    function test_the_fallback_pays_for_its_seats_alone() public {
        PlanTerms memory terms = _terms();
        terms.seatPrice = 1;
        uint256 id = _backed(terms);
        _change(id, subscriptions.subscription(id).planId, 2);
        vm.prank(payer);
        token.approve(address(subscriptions), 0);
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.Allowance);
    }

    function test_a_lower_price_takes_the_fallback_along() public {
        uint256 id = _backed(_terms());
        PlanTerms memory terms = _terms();
        terms.price = 1;
        uint256[] memory ids = new uint256[](1);
        ids[0] = id;
        uint256 lower = _create(terms);
        vm.prank(payee);
        subscriptions.lowerPrice(ids, lower);
        vm.prank(payer);
        token.approve(address(subscriptions), 0);
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.None);
    }

    function test_setFallback_refuses() public {
        uint256 id = _subscribe(_terms());
        bytes memory signature = _fallbackSignature(id, 1, EVER);
        _refuses(second, _naming(id, second, EVER, signature), abi.encodeWithSelector(NotAuthorized.selector, second));
        bytes memory failure = abi.encodeWithSelector(SignatureExpired.selector, START, START);
        _refuses(payer, _naming(id, second, START, signature), failure);
        _refuses(payer, _naming(id, address(0), EVER, ""), abi.encodeWithSelector(ZeroAddress.selector));
        _refuses(payer, _naming(id, payee, EVER, ""), abi.encodeWithSelector(PayerIsPayee.selector, payee));
        failure = abi.encodeWithSelector(InvalidSignature.selector, stranger);
        _refuses(payer, _naming(id, stranger, EVER, signature), failure);
        _name(id);
        failure = abi.encodeWithSelector(SaltUsed.selector, second, 1);
        _refuses(payer, _naming(id, second, EVER, signature), failure);
        vm.prank(payer);
        subscriptions.cancel(id);
        failure = abi.encodeWithSelector(NotActive.selector, id, Status.Cancelled);
        _refuses(payer, _naming(id, second, EVER, signature), failure);
    }

    function test_dropFallback_by_both() public {
        uint256 id = _subscribe(_terms());
        bytes memory data = abi.encodeCall(subscriptions.dropFallback, (id));
        _refuses(payer, data, abi.encodeWithSelector(NothingToChange.selector, id));
        _name(id);
        _refuses(stranger, data, abi.encodeWithSelector(NotAuthorized.selector, stranger));
        (address wallet, uint256 planId, uint256 seats) = subscriptions.fallbackWallet(id);
        vm.assertTrue(wallet == second && planId == 1 && seats == 0, "named");
        vm.prank(second);
        subscriptions.dropFallback(id);
        (wallet,,) = subscriptions.fallbackWallet(id);
        vm.assertEq(wallet, address(0), "dropped");
    }

    // ------------------------------------------------------------------- payer

    function test_another_wallet_pays_from_now_on() public {
        PlanTerms memory terms = _terms();
        terms.trial = 1 days;
        uint256 id = _backed(terms);
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.None);
        PlanTerms memory other = _terms();
        other.price = 1;
        _schedule(id, _create(other), 0);
        bytes memory data = _payerChange(id, second, 4, EVER);
        vm.prank(payer);
        (bool ok,) = address(subscriptions).call(data);
        vm.assertTrue(ok && subscriptions.subscription(id).payer == second, "changed");
        (address wallet,,) = subscriptions.fallbackWallet(id);
        vm.assertEq(wallet, address(0), "dropped");
        (uint256 next,) = subscriptions.scheduledChange(id);
        vm.assertEq(next, 0, "dropped as well");
        vm.assertTrue(subscriptions.isTrialUsed(1, second), "the trial is used by both");
        uint256 before = token.balanceOf(second);
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.None);
        vm.assertEq(before - token.balanceOf(second), PRICE, "it pays");
    }

    function test_changePayer_refuses() public {
        uint256 id = _subscribe(_terms());
        bytes memory failure = abi.encodeWithSelector(SignatureExpired.selector, START, START);
        _refuses(payer, _payerChange(id, second, 4, START), failure);
        _refuses(payer, _payerChange(id, address(0), 4, EVER), abi.encodeWithSelector(ZeroAddress.selector));
        failure = abi.encodeWithSelector(NothingToChange.selector, id);
        _refuses(payer, _payerChange(id, payer, 4, EVER), failure);
        _refuses(payer, _payerChange(id, payee, 4, EVER), abi.encodeWithSelector(PayerIsPayee.selector, payee));
        failure = abi.encodeWithSelector(InvalidSignature.selector, stranger);
        _refuses(payer, _payerChange(id, stranger, 4, EVER), failure);
        bytes memory data = abi.encodeCall(subscriptions.changePayer, (id, second, 4, EVER, "", ""));
        _refuses(second, data, abi.encodeWithSelector(InvalidSignature.selector, payer));
        vm.prank(second);
        subscriptions.revokeMandate(4);
        failure = abi.encodeWithSelector(SaltUsed.selector, second, 4);
        _refuses(stranger, _payerChange(id, second, 4, EVER), failure);
        vm.prank(payer);
        subscriptions.revokeMandate(5);
        failure = abi.encodeWithSelector(SaltUsed.selector, payer, 5);
        _refuses(stranger, _payerChange(id, second, 5, EVER), failure);
        data = _payerChange(id, second, 6, EVER);
        vm.warp(_nextDue(id));
        _refuses(payer, data, abi.encodeWithSelector(ChargeDue.selector, id, _nextDue(id)));
        vm.prank(payer);
        subscriptions.cancel(id);
        _refuses(payer, data, abi.encodeWithSelector(NotActive.selector, id, Status.Cancelled));
    }

    function test_the_new_payer_signs_the_payer_s_limits() public {
        uint256 id = _subscribe(_terms());
        bytes memory before = _payerChange(id, second, 4, EVER);
        Conditions memory conditions;
        (conditions.maxPerPeriod, conditions.byPermit2) = (PRICE, true);
        vm.prank(payer);
        subscriptions.setConditions(id, conditions);
        _refuses(payer, before, abi.encodeWithSelector(InvalidSignature.selector, second));
        vm.prank(payer);
        (bool ok,) = address(subscriptions).call(_payerChange(id, second, 4, EVER));
        (Conditions memory found,) = subscriptions.conditions(id);
        vm.assertTrue(ok && !found.byPermit2, "not through Permit2 any more");
    }

    // ------------------------------------------------------------------- payee

    function test_a_register_moves_with_its_totals() public {
        uint256 id = _subscribe(_terms());
        bytes32 terms = subscriptions.termsHash(1);
        vm.prank(payee);
        (bool ok,) = address(subscriptions).call(_payeeChange(second, 3, EVER));
        vm.assertTrue(ok && subscriptions.payeeOf(0) == second, "moved");
        vm.assertEq(subscriptions.payeeOf(1), address(0), "there is one alone");
        vm.assertEq(subscriptions.termsHash(1), terms, "what payers agreed to stays");
        vm.assertEq(subscriptions.controlTotals(second, address(token)).charges.sum, PRICE, "its totals");
        vm.assertEq(subscriptions.controlTotals(payee, address(token)).subscriptions, 0, "nobody else's");
        uint256 before = token.balanceOf(second);
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.None);
        vm.assertEq(token.balanceOf(second) - before, PRICE, "the new payee is paid");
        bytes memory data = abi.encodeCall(subscriptions.refund, (id, 1, 1));
        _refuses(payee, data, abi.encodeWithSelector(NotAuthorized.selector, payee));
        vm.prank(second);
        subscriptions.refund(id, 1, 1);
        vm.assertEq(subscriptions.controlTotals(second, address(token)).refunds.sum, 1, "counted");
    }

    function test_changePayee_refuses() public {
        _create(_terms());
        bytes memory failure = abi.encodeWithSelector(SignatureExpired.selector, START, START);
        _refuses(payee, _payeeChange(second, 3, START), failure);
        _refuses(payee, _payeeChange(address(0), 3, EVER), abi.encodeWithSelector(ZeroAddress.selector));
        failure = abi.encodeWithSelector(PayeeRefused.selector, address(subscriptions));
        _refuses(payee, _payeeChange(address(subscriptions), 3, EVER), failure);
        failure = abi.encodeWithSelector(RegisterExists.selector, payee, address(token));
        _refuses(payee, _payeeChange(payee, 3, EVER), failure);
        failure = abi.encodeWithSelector(InvalidSignature.selector, stranger);
        _refuses(payee, _payeeChange(stranger, 3, EVER), failure);
        bytes memory data =
            abi.encodeCall(subscriptions.changePayee, (payee, address(hostile), second, 3, EVER, "", ""));
        _refuses(payee, data, abi.encodeWithSelector(UnknownRegister.selector, payee, address(hostile)));
        data = abi.encodeCall(subscriptions.changePayee, (payee, address(token), second, 3, EVER, "", ""));
        _refuses(second, data, abi.encodeWithSelector(InvalidSignature.selector, payee));
        vm.prank(second);
        subscriptions.revokeMandate(3);
        failure = abi.encodeWithSelector(SaltUsed.selector, second, 3);
        _refuses(stranger, _payeeChange(second, 3, EVER), failure);
        vm.prank(payee);
        subscriptions.revokeMandate(4);
        failure = abi.encodeWithSelector(SaltUsed.selector, payee, 4);
        _refuses(stranger, _payeeChange(second, 4, EVER), failure);
    }

    // ----------------------------------------------------------------- Permit2

    function test_charges_through_Permit2() public {
        uint256 id = _byPermit2(token);
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.None);
        _allow(token, PRICE - 1, EVER);
        vm.warp(_nextDue(id));
        vm.assertTrue(subscriptions.preview(id).reason == DeclineReason.Allowance, "previewed");
        _declines(id, DeclineReason.Allowance);
        _allow(token, PRICE, block.timestamp - 1);
        _declines(id, DeclineReason.Allowance);
        _allow(token, PRICE, block.timestamp);
        uint256 rest = token.balanceOf(payer);
        vm.prank(payer);
        token.transfer(stranger, rest);
        _declines(id, DeclineReason.Balance);
    }

    function test_changes_through_Permit2_say_what_is_lacking() public {
        uint256 id = _byPermit2(token);
        PlanTerms memory terms = _terms();
        terms.price = 2 * PRICE;
        uint256 planId = _create(terms);
        bytes memory data = _changing(id, planId, 0, EVER);
        _allow(token, 5, EVER);
        _refuses(payer, data, abi.encodeWithSelector(AllowanceTooLow.selector, 5, PRICE));
        vm.prank(payer);
        token.approve(PERMIT2, 7);
        _refuses(payer, data, abi.encodeWithSelector(AllowanceTooLow.selector, 7, PRICE));
        vm.prank(payer);
        token.approve(PERMIT2, EVER);
        _allow(token, type(uint160).max, EVER);
        uint256 rest = token.balanceOf(payer) - 3;
        vm.prank(payer);
        token.transfer(stranger, rest);
        _refuses(payer, data, abi.encodeWithSelector(BalanceTooLow.selector, 3, PRICE));
        token.mint(payer, PRICE);
        _change(id, planId, 0);
    }

    /// @dev E06: a token that burns gas behind Permit2 takes no other row down with it.
    function test_E06_a_token_behind_Permit2_burns_gas() public {
        uint256 good = _subscribe(_terms());
        uint256 bad = _byPermit2(hostile);
        vm.warp(_nextDue(good));
        hostile.play(hostile.transferFrom.selector, HostileToken.Trick.BurnGas);
        uint256[] memory ids = new uint256[](2);
        (ids[0], ids[1]) = (bad, good);
        bytes memory data = abi.encodeCall(subscriptions.charge, (ids));
        (bool ok, bytes memory answer) = address(subscriptions).call{gas: 10_000_000}(data);
        vm.assertTrue(ok, "the others go on");
        vm.assertEq(keccak256(abi.decode(answer, (bytes))), keccak256(hex"0700"), "refused, paid");
    }

    /// @dev Too little gas is the caller's failure, through every frame.
    function test_E06_too_little_gas_declines_nothing() public {
        uint256 id = _byPermit2(token);
        vm.warp(_nextDue(id));
        uint256[] memory ids = new uint256[](1);
        ids[0] = id;
        bytes memory data = abi.encodeCall(subscriptions.charge, (ids));
        uint256 reverted;
        for (uint256 gasLimit = 250_000; gasLimit < 900_000; gasLimit += 5_000) {
            (bool ok, bytes memory answer) = address(subscriptions).call{gas: gasLimit}(data);
            if (!ok) ++reverted;
            else if (reverted < 1000) {
                vm.assertEq(keccak256(abi.decode(answer, (bytes))), keccak256(hex"00"), "it pays, or nothing happens");
                return;
            }
        }
        vm.assertTrue(false, "enough gas pays");
    }

    // ------------------------------------------------------------------- frames

    function test_chargeSpecialRow_is_the_contract_s_own() public {
        bytes memory data = abi.encodeWithSignature("chargeSpecialRow(uint256)", 1);
        _refuses(stranger, data, abi.encodeWithSelector(NotAuthorized.selector, stranger));
    }

    /// @dev E07: of a row with a coupon, too, and with the fee.
    function test_E07_what_cannot_be_received_is_kept() public {
        uint256 id = _discountedInHostile();
        uint256 fee = (PRICE - 1) / 100;
        hostile.blockAccount(payee);
        _declines(id, DeclineReason.None);
        vm.assertEq(subscriptions.claimable(payee, address(hostile)), PRICE - 1 - fee, "the payee's part");
        hostile.blockAccount(stranger);
        vm.warp(_nextDue(id));
        _declines(id, DeclineReason.None);
        vm.assertEq(subscriptions.claimable(stranger, address(hostile)), fee, "the fee");
        vm.warp(_nextDue(id));
        hostile.play(hostile.transferFrom.selector, HostileToken.Trick.ReturnTrue);
        _declines(id, DeclineReason.TokenRefused);
        hostile.play(hostile.transferFrom.selector, HostileToken.Trick.Refuse);
        _declines(id, DeclineReason.TokenRefused);
    }

    /// @dev The first charge is not kept for anybody: who subscribes learns that the payee cannot be paid.
    function test_E07_nothing_opens_where_the_payee_cannot_be_paid() public {
        PlanTerms memory terms = _terms();
        terms.token = address(hostile);
        uint256 planId = _create(terms);
        hostile.blockAccount(payee);
        Conditions memory none;
        Coupon memory noCoupon;
        bytes memory data = _opening(planId, none, noCoupon);
        _refuses(payer, data, abi.encodeWithSelector(TokenRefused.selector, address(hostile)));
    }

    function test_E07_a_blocked_payer_is_told() public {
        MockUSDC usdc = new MockUSDC();
        usdc.mint(payer, 1e12);
        vm.prank(payer);
        usdc.approve(address(subscriptions), EVER);
        PlanTerms memory terms = _terms();
        terms.token = address(usdc);
        uint256 planId = _create(terms);
        Conditions memory conditions;
        conditions.maxTotal = type(uint96).max;
        uint256 plain = _subscribe(planId, 0);
        uint256 limited = _open(planId, conditions);
        uint256 id = _open(planId, conditions, _coupon(0, 1, 100));
        vm.warp(_nextDue(id));
        usdc.blacklist(payer);
        _declines(plain, DeclineReason.Blocked);
        _declines(limited, DeclineReason.Blocked);
        _declines(id, DeclineReason.Blocked);
        Coupon memory none;
        bytes memory data = _opening(planId, conditions, none);
        _refuses(payer, data, abi.encodeWithSelector(AccountBlocked.selector, payer));
    }

    // -------------------------------------------------------------------- parts

    function _discountedInHostile() private returns (uint256 id) {
        PlanTerms memory terms = _terms();
        (terms.token, terms.feeBps, terms.feeReceiver) = (address(hostile), 100, stranger);
        Conditions memory none;
        id = _open(_create(terms), none, _coupon(0, 1, 100));
        vm.warp(_nextDue(id));
    }

    function _backed(PlanTerms memory terms) private returns (uint256 id) {
        id = _subscribe(terms);
        _name(id);
    }

    function _name(uint256 id) private {
        bytes memory data = _naming(id, second, EVER, _fallbackSignature(id, 1, EVER));
        vm.prank(payer);
        (bool ok,) = address(subscriptions).call(data);
        vm.assertTrue(ok, "named");
    }

    function _naming(uint256 id, address wallet, uint256 validBefore, bytes memory signature)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeCall(subscriptions.setFallback, (id, wallet, 1, validBefore, signature));
    }

    function _fallbackSignature(uint256 id, uint256 salt, uint256 validBefore) private view returns (bytes memory) {
        Subscription memory found = subscriptions.subscription(id);
        bytes32 terms = subscriptions.termsHash(found.planId);
        bytes32 hash = keccak256(
            abi.encode(FALLBACK_TYPEHASH, id, payer, second, terms, found.seats, salt, validBefore)
        );
        return _signed(SECOND_KEY, _typed(hash));
    }

    function _payerChange(uint256 id, address newPayer, uint256 salt, uint256 validBefore)
        private
        view
        returns (bytes memory)
    {
        Subscription memory found = subscriptions.subscription(id);
        (Conditions memory limits,) = subscriptions.conditions(id);
        bytes memory first = abi.encode(
            PAYER_CHANGE_TYPEHASH, id, payer, newPayer, subscriptions.termsHash(found.planId), found.seats
        );
        bytes memory rest =
            abi.encode(uint256(limits.maxPerPeriod), uint256(limits.endsAt), salt, validBefore);
        bytes32 digest = _typed(keccak256(bytes.concat(first, rest)));
        bytes memory bySecond = _signed(SECOND_KEY, digest);
        return abi.encodeCall(
            subscriptions.changePayer, (id, newPayer, salt, validBefore, _signed(digest), bySecond)
        );
    }

    function _payeeChange(address newPayee, uint256 salt, uint256 validBefore) private view returns (bytes memory) {
        bytes32 digest = _typed(
            keccak256(abi.encode(PAYEE_CHANGE_TYPEHASH, payee, address(token), newPayee, salt, validBefore))
        );
        bytes memory byPayee = _signed(PAYEE_KEY, digest);
        bytes memory bySecond = _signed(SECOND_KEY, digest);
        return abi.encodeCall(
            subscriptions.changePayee, (payee, address(token), newPayee, salt, validBefore, byPayee, bySecond)
        );
    }

    function _byPermit2(MockToken asset) private returns (uint256) {
        cheats.etch(PERMIT2, type(Permit2).runtimeCode);
        PlanTerms memory terms = _terms();
        terms.token = address(asset);
        vm.prank(payer);
        asset.approve(PERMIT2, EVER);
        _allow(asset, type(uint160).max, EVER);
        Conditions memory conditions;
        conditions.byPermit2 = true;
        return _open(_create(terms), conditions);
    }

    function _allow(MockToken asset, uint256 amount, uint256 expiration) private {
        uint48 until = expiration == EVER ? type(uint48).max : uint48(expiration);
        vm.prank(payer);
        Permit2(PERMIT2).approve(address(asset), address(subscriptions), uint160(amount), until);
    }
}
