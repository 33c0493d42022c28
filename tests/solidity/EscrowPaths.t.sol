// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IEscrow} from "../../contracts/interfaces/IEscrow.sol";
import {IFunding} from "../../contracts/interfaces/IFunding.sol";
import {IPayouts} from "../../contracts/interfaces/IPayouts.sol";
import {HostileToken} from "../../contracts/mocks/HostileToken.sol";
import {MockWallet} from "../../contracts/mocks/MockWallet.sol";
import {EscrowErrors, EscrowScene} from "./EscrowScene.sol";
import {PERMIT2} from "./Permit2.sol";

/// @notice Every branch of Escrow by one call each, and every path of money with any amounts.
contract EscrowPathsTest is EscrowScene {
    HostileToken private _hostile;
    uint256 private constant UNLIMITED = type(uint256).max;

    function setUp() public {
        _build();
        _hostile = new HostileToken();
        address[2] memory rich = [payer, payee];
        for (uint256 i = 0; i < 2; ++i) {
            token.mint(rich[i], 1e12);
            usdc.mint(rich[i], 1e12);
            _hostile.mint(rich[i], 1e12);
            vm.prank(rich[i]);
            token.approve(address(escrow), UNLIMITED);
            vm.prank(rich[i]);
            token.approve(PERMIT2, UNLIMITED);
            vm.prank(rich[i]);
            usdc.approve(address(escrow), UNLIMITED);
            vm.prank(rich[i]);
            _hostile.approve(address(escrow), UNLIMITED);
        }
        token.mint(address(bringer), 1e12);
    }

    // ------------------------------------------------------------------- fuzz

    /// @dev Whoever captures whatever, then refunds whatever: the parts are the whole, and nothing else moves.
    function testFuzz_E38_capture_and_refund(uint96 amount, uint256 first, uint256 refunded, uint16 feeBps) public {
        IEscrow.PaymentTerms memory terms = _rich(1);
        terms.amount = uint96(bound(amount, 2, type(uint96).max));
        (terms.minFeeBps, terms.maxFeeBps) = (0, 10_000);
        feeBps = uint16(bound(feeBps, 0, 10_000));
        first = bound(first, 1, terms.amount - 1);
        _authorize(terms);
        _as(first % 2 == 0 ? payee : payer, abi.encodeCall(escrow.capture, (terms, first, feeBps)));
        uint256 fee = first * feeBps / BASIS;
        vm.assertEq(token.balanceOf(receiver), fee, "the platform's part, rounded down");
        vm.assertEq(token.balanceOf(payee), 1e12 + first - fee, "the payee's part");
        _expect(terms, IEscrow.Status.Open, terms.amount - first, first);
        refunded = bound(refunded, 1, first);
        token.mint(payee, fee);
        _as(payee, abi.encodeCall(escrow.refund, (terms, refunded)));
        _expect(terms, IEscrow.Status.Open, terms.amount - first, first - refunded);
        vm.assertEq(token.balanceOf(payer), 1e12 + refunded, "given back");
        vm.warp(terms.captureBefore);
        _as(stranger, abi.encodeCall(escrow.reclaim, (terms)));
        _expect(terms, IEscrow.Status.Closed, 0, first - refunded);
        vm.assertEq(token.balanceOf(address(escrow)), 0, "nothing is left");
        vm.assertEq(token.balanceOf(payer), 1e12 + refunded + terms.amount - first, "and the rest");
    }

    /// @dev E42: whatever the arbiter says, it divides what is held and takes no more than the terms allow.
    function testFuzz_E42_rule(uint96 amount, uint256 toPayee, uint256 fee, uint16 maxFeeBps, uint16 feeBps) public {
        IEscrow.PaymentTerms memory terms = _rich(2);
        terms.amount = uint96(bound(amount, 1, type(uint96).max));
        terms.maxArbiterFeeBps = uint16(bound(maxFeeBps, 0, 10_000));
        (terms.minFeeBps, terms.maxFeeBps) = (uint16(bound(feeBps, 1, 10_000)), 10_000);
        if (toPayee > terms.amount && toPayee % 4 > 0) toPayee = bound(toPayee, 0, terms.amount);
        if (fee > terms.amount && fee % 4 > 0) fee = bound(fee, 0, uint256(terms.amount) / 8);
        _authorize(terms);
        _as(payer, abi.encodeCall(escrow.dispute, (terms, NO_HASH)));
        uint256 maxFee = uint256(terms.amount) * terms.maxArbiterFeeBps / BASIS;
        vm.prank(arbiter);
        (bool ok,) = address(escrow).call(abi.encodeCall(escrow.rule, (terms, toPayee, fee)));
        vm.assertTrue(ok == (fee <= maxFee && toPayee <= terms.amount - fee), "ruled within the bounds");
        if (!ok) {
            _expect(terms, IEscrow.Status.Disputed, terms.amount, 0);
            return;
        }
        uint256 platform = toPayee * terms.minFeeBps / BASIS;
        vm.assertEq(token.balanceOf(payee), 1e12 + toPayee - platform, "payee");
        vm.assertEq(token.balanceOf(receiver), platform, "platform");
        vm.assertEq(token.balanceOf(arbiter), fee, "arbiter");
        vm.assertEq(token.balanceOf(payer), 1e12 + uint256(terms.amount) - toPayee - fee, "payer");
        _expect(terms, IEscrow.Status.Closed, 0, toPayee);
    }

    /// @dev E41.
    function testFuzz_E41_rule_by_default(uint96 amount, uint16 payeeBps, uint256 captured) public {
        IEscrow.PaymentTerms memory terms = _rich(3);
        terms.amount = uint96(bound(amount, 2, type(uint96).max));
        terms.defaultPayeeBps = uint16(bound(payeeBps, 0, 10_000));
        (terms.minFeeBps, terms.maxFeeBps, terms.feeReceiver) = (0, 0, address(0));
        captured = bound(captured, 1, terms.amount - 1);
        _authorize(terms);
        _as(payee, abi.encodeCall(escrow.capture, (terms, captured, 0)));
        _as(payee, abi.encodeCall(escrow.dispute, (terms, NO_HASH)));
        vm.warp(START + 7 days);
        _as(stranger, abi.encodeCall(escrow.ruleByDefault, (terms)));
        uint256 toPayee = (uint256(terms.amount) - captured) * terms.defaultPayeeBps / BASIS;
        vm.assertEq(token.balanceOf(payee), 1e12 + captured + toPayee, "the payee's part, rounded down");
        vm.assertEq(token.balanceOf(payer), 1e12 + uint256(terms.amount) - captured - toPayee, "the rest");
    }

    function testFuzz_charge(uint96 amount, uint16 feeBps) public {
        IEscrow.PaymentTerms memory terms = _rich(4);
        terms.amount = uint96(bound(amount, 1, type(uint96).max));
        (terms.minFeeBps, terms.maxFeeBps) = (0, 10_000);
        feeBps = uint16(bound(feeBps, 0, 10_000));
        token.mint(payer, terms.amount);
        uint256 before = token.balanceOf(payee);
        bytes memory data = abi.encodeCall(escrow.charge, (terms, feeBps, IFunding.Funding.Allowance, _consent(terms)));
        _as(payee, data);
        uint256 fee = uint256(terms.amount) * feeBps / BASIS;
        vm.assertEq(token.balanceOf(payee) - before, terms.amount - fee, "payee");
        vm.assertEq(token.balanceOf(receiver), fee, "platform");
        _expect(terms, IEscrow.Status.Closed, 0, terms.amount);
    }

    /// @dev Milestones of any amounts: never more than is held, each once, and all of it where they are enough.
    function testFuzz_milestones(uint96 amount, uint96 first, uint96 second, uint96 released) public {
        IEscrow.PaymentTerms memory terms = _terms(5);
        terms.amount = uint96(bound(amount, 2, type(uint96).max));
        (first, second) = (uint96(bound(first, 1, type(uint96).max)), uint96(bound(second, 1, type(uint96).max)));
        (bytes32 one, bytes32 other) = (_leaf(3, first, 0), _leaf(19, second, START));
        terms.milestonesRoot = _pair(one, other);
        _authorize(terms);
        uint256 held = terms.amount;
        released = uint96(bound(released, 0, terms.amount - 1));
        if (released > 0) _as(payer, abi.encodeCall(escrow.capture, (terms, released, 0)));
        held -= released;
        bytes memory again = _milestone(terms, 3, first, 0, other);
        _as(operator, again);
        held -= first < held ? first : held;
        IEscrow.Status status = held == 0 ? IEscrow.Status.Closed : IEscrow.Status.Open;
        _expect(terms, status, held, terms.amount - held);
        if (held == 0) return;
        _refuses(payee, again, abi.encodeWithSelector(IEscrow.MilestoneCaptured.selector, _idOf(terms), 3));
        _as(payee, _milestone(terms, 19, second, START, one));
        held -= second < held ? second : held;
        vm.assertEq(token.balanceOf(address(escrow)), held, "what is left");
        vm.assertEq(escrow.payment(_idOf(terms)).milestones, 1 << 3 | 1 << 19, "both");
    }

    /// @dev E20: whenever it is tried, one of the two may, and never both.
    function testFuzz_E20_capture_or_reclaim(uint256 time, uint32 window) public {
        IEscrow.PaymentTerms memory terms = _terms(6);
        terms.disputeWindow = uint32(bound(window, 0, 10 days - 1));
        _authorize(terms);
        time = bound(time, START, START + 12 days);
        vm.warp(time);
        bytes memory capture = abi.encodeCall(escrow.capture, (terms, 1, 0));
        bytes memory reclaim = abi.encodeCall(escrow.reclaim, (terms));
        if (time < START + terms.disputeWindow) {
            _refuses(payee, capture, abi.encodeWithSelector(IEscrow.WindowOpen.selector, START + terms.disputeWindow, time));
        }
        if (time < terms.captureBefore) {
            _refuses(stranger, reclaim, abi.encodeWithSelector(IEscrow.CaptureNotEnded.selector, terms.captureBefore, time));
            if (time >= START + terms.disputeWindow) _as(payee, capture);
        } else {
            _refuses(payee, capture, abi.encodeWithSelector(IEscrow.CaptureEnded.selector, terms.captureBefore, time));
            _as(stranger, reclaim);
        }
    }

    function testFuzz_the_id_is_the_digest(IEscrow.PaymentTerms memory terms) public view {
        vm.assertEq(escrow.paymentId(terms), _idOf(terms), "EIP-712");
    }

    // ---------------------------------------------------------------- funding

    function test_each_way_brings_the_money() public {
        for (uint256 way = 0; way < 5; ++way) {
            for (uint256 direct = 0; direct < 2; ++direct) {
                IEscrow.PaymentTerms memory terms = _terms(100 + 2 * way + direct);
                if (way == 3) terms.token = address(usdc);
                if (way == 4) terms.operator = address(bringer);
                bytes memory data = _dataOf(way, terms);
                IFunding.Funding funding = IFunding.Funding(way);
                bytes memory call = direct == 1
                    ? abi.encodeCall(escrow.charge, (terms, 0, funding, data))
                    : abi.encodeCall(escrow.authorize, (terms, funding, data));
                if (way == 4) {
                    (bool ok,) = bringer.call(address(escrow), call);
                    vm.assertTrue(ok, "brought");
                } else {
                    _as(direct == 1 ? operator : stranger, call);
                }
                if (direct == 1) _expect(terms, IEscrow.Status.Closed, 0, terms.amount);
                else _expect(terms, IEscrow.Status.Open, terms.amount, 0);
            }
        }
        vm.assertEq(escrow.paymentTotal(payee, address(token)).count, 8, "counted");
    }

    function _dataOf(uint256 way, IEscrow.PaymentTerms memory terms) private returns (bytes memory data) {
        if (way == 0) return _consent(terms);
        if (way == 1) return bytes.concat(_permit(PAYER_KEY, terms.amount), _consent(terms));
        if (way == 2) return _agreesInPermit2(terms, 7);
        if (way == 3) return _authorization(PAYER_KEY, terms);
    }

    function test_a_wallet_authorizes_by_its_own_bytes() public {
        MockWallet wallet = new MockWallet();
        wallet.setSigner(payer);
        usdc.mint(address(wallet), 1e12);
        IEscrow.PaymentTerms memory terms = _terms(1);
        (terms.payer, terms.token) = (address(wallet), address(usdc));
        vm.etch(address(wallet), hex"631626ba7e60e01b5f5260205ff3"); // yes to everything
        _as(stranger, abi.encodeCall(escrow.authorize, (terms, IFunding.Funding.Authorization, hex"0102")));
        _expect(terms, IEscrow.Status.Open, terms.amount, 0);
        (terms.token, terms.salt) = (address(token), 2);
        token.mint(address(wallet), 1e12);
        vm.prank(address(wallet));
        token.approve(address(escrow), UNLIMITED);
        _as(stranger, abi.encodeCall(escrow.authorize, (terms, IFunding.Funding.Allowance, hex"0102")));
        terms.salt = 3;
        bytes memory wrap = bytes.concat(
            abi.encode(stranger, bytes(""), bytes("")),
            bytes32(0x6492649264926492649264926492649264926492649264926492649264926492)
        );
        _as(stranger, abi.encodeCall(escrow.authorize, (terms, IFunding.Funding.Allowance, wrap)));
        terms.payer = address(0x5160);
        bytes memory invalid = abi.encodeWithSelector(IFunding.InvalidSignature.selector, terms.payer);
        _refuses(stranger, abi.encodeCall(escrow.authorize, (terms, IFunding.Funding.Allowance, wrap)), invalid);
    }

    function test_money_that_does_not_come() public {
        IEscrow.PaymentTerms memory terms = _terms(1);
        bytes memory call = abi.encodeCall(escrow.authorize, (terms, IFunding.Funding.Collector, ""));
        bringer.setShortBy(1);
        (, bytes memory answer) = bringer.call(address(escrow), call);
        bytes memory short_ = abi.encodeWithSelector(IFunding.AmountMismatch.selector, terms.amount - 1, terms.amount);
        vm.assertEq(keccak256(answer), keccak256(short_), "measured");
        call = _authorizing(terms);
        _refuses(stranger, call, abi.encodeWithSelector(IFunding.InvalidSignature.selector, payer));
        vm.prank(payer);
        token.approve(address(escrow), 5);
        _refuses(payer, call, abi.encodeWithSelector(IFunding.AllowanceTooLow.selector, 5, terms.amount));
        vm.prank(payer);
        token.approve(address(escrow), UNLIMITED);
        vm.prank(payer);
        token.transfer(stranger, 1e12 - 5);
        _refuses(payer, call, abi.encodeWithSelector(IFunding.BalanceTooLow.selector, 5, terms.amount));
        terms.token = address(_hostile);
        call = _authorizing(terms);
        _hostile.play(_hostile.transferFrom.selector, HostileToken.Trick.ReturnTrue);
        _refuses(payer, call, abi.encodeWithSelector(IFunding.AmountMismatch.selector, 0, terms.amount));
        _hostile.play(_hostile.transferFrom.selector, HostileToken.Trick.Refuse);
        _refuses(payer, call, abi.encodeWithSelector(IFunding.TokenRefused.selector, _hostile));
        _hostile.play(_hostile.balanceOf.selector, HostileToken.Trick.Refuse);
        _refuses(payer, call, abi.encodeWithSelector(IFunding.TokenRefused.selector, _hostile));
        _hostile.play(_hostile.allowance.selector, HostileToken.Trick.Refuse);
        _refuses(payer, call, abi.encodeWithSelector(IFunding.TokenRefused.selector, _hostile));
    }

    // ------------------------------------------------------------------ terms

    function test_terms_that_are_refused() public {
        IEscrow.PaymentTerms memory terms = _rich(1);
        terms.payer = address(0);
        _refusesTerms(terms, abi.encodeWithSelector(IFunding.ZeroAddress.selector));
        (terms.payer, terms.payee) = (payer, address(0));
        _refusesTerms(terms, abi.encodeWithSelector(IFunding.ZeroAddress.selector));
        terms.payee = payer;
        _refusesParty(terms, payer);
        (terms.payer, terms.payee) = (address(escrow), payee);
        _refusesParty(terms, address(escrow));
        (terms.payer, terms.payee) = (payer, address(escrow));
        _refusesParty(terms, address(escrow));
        (terms.payee, terms.arbiter) = (payee, payee);
        _refusesParty(terms, payee);
        terms.arbiter = payer;
        _refusesParty(terms, payer);
        terms.arbiter = address(escrow);
        _refusesParty(terms, address(escrow));
        (terms.arbiter, terms.feeReceiver) = (arbiter, payer);
        _refusesParty(terms, payer);
        terms.feeReceiver = payee;
        _refusesParty(terms, payee);
        terms.feeReceiver = address(escrow);
        _refusesParty(terms, address(escrow));
        (terms.feeReceiver, terms.amount) = (receiver, 0);
        _refusesTerms(terms, abi.encodeWithSelector(IFunding.ZeroAmount.selector));
        (terms.amount, terms.token) = (1, stranger);
        _refusesTerms(terms, abi.encodeWithSelector(IFunding.NotAContract.selector, stranger));
        (terms.token, terms.authorizeBefore) = (address(token), uint40(START));
        _refusesTerms(terms, abi.encodeWithSelector(IEscrow.AuthorizationExpired.selector, START, START));
        terms = _rich(1);
        terms.authorizeBefore = terms.captureBefore + 1;
        _contradict(terms);
        terms = _rich(1);
        terms.captureBefore = terms.refundBefore + 1;
        _contradict(terms);
        terms = _rich(1);
        terms.minFeeBps = terms.maxFeeBps + 1;
        _contradict(terms);
        terms = _rich(1);
        terms.maxFeeBps = 10_001;
        _contradict(terms);
        terms = _rich(1);
        terms.defaultPayeeBps = 10_001;
        _contradict(terms);
        terms = _rich(1);
        terms.maxArbiterFeeBps = 10_001;
        _contradict(terms);
        terms = _rich(1);
        terms.feeReceiver = address(0);
        _contradict(terms);
        terms = _rich(1);
        terms.rulingTimeout = 0;
        _contradict(terms);
        (terms.arbiter, terms.defaultPayeeBps) = (address(0), 1);
        _contradict(terms);
        terms = _rich(1);
        terms.disputeWindow = 10 days;
        _contradict(terms);
    }

    function _refusesTerms(IEscrow.PaymentTerms memory terms, bytes memory failure) private {
        _refuses(payer, _authorizing(terms), failure);
    }

    function _refusesParty(IEscrow.PaymentTerms memory terms, address party) private {
        _refusesTerms(terms, abi.encodeWithSelector(IEscrow.PartyRefused.selector, party));
    }

    function _contradict(IEscrow.PaymentTerms memory terms) private {
        _refusesTerms(terms, abi.encodeWithSelector(IEscrow.TermsContradict.selector));
    }

    function test_charge_refuses() public {
        IEscrow.PaymentTerms memory terms = _rich(1);
        _refuses(stranger, _charging(terms, 100), abi.encodeWithSelector(IEscrow.NotAuthorized.selector, stranger));
        _refuses(payer, _charging(terms, 99), abi.encodeWithSelector(IEscrow.FeeOutOfRange.selector, 99, 100, 300));
        _refuses(payer, _charging(terms, 301), abi.encodeWithSelector(IEscrow.FeeOutOfRange.selector, 301, 100, 300));
        terms.disputeWindow = 5;
        _refuses(payer, _charging(terms, 100), abi.encodeWithSelector(IEscrow.WindowOpen.selector, START + 5, START));
        (terms.disputeWindow, terms.milestonesRoot) = (0, bytes32(uint256(1)));
        _refuses(payer, _charging(terms, 100), abi.encodeWithSelector(IEscrow.MilestonesOnly.selector, _idOf(terms)));
    }

    // ----------------------------------------------------------------- states

    function test_what_was_never_made() public {
        IEscrow.PaymentTerms memory terms = _rich(1);
        bytes memory unknown = abi.encodeWithSelector(IEscrow.UnknownPayment.selector, _idOf(terms));
        _refuses(payer, abi.encodeCall(escrow.capture, (terms, 1, 100)), unknown);
        _refuses(payee, abi.encodeCall(escrow.void, (terms)), unknown);
        _refuses(payee, abi.encodeCall(escrow.reclaim, (terms)), unknown);
        _refuses(payee, abi.encodeCall(escrow.refund, (terms, 1)), unknown);
        _refuses(payer, abi.encodeCall(escrow.dispute, (terms, NO_HASH)), unknown);
        unknown = abi.encodeWithSelector(IEscrow.NotDisputed.selector, _idOf(terms), IEscrow.Status.None);
        _refuses(arbiter, abi.encodeCall(escrow.rule, (terms, 1, 0)), unknown);
        _refuses(payer, abi.encodeCall(escrow.submitEvidence, (terms, NO_HASH)), unknown);
        _refuses(payer, abi.encodeCall(escrow.ruleByDefault, (terms)), unknown);
    }

    function test_who_may_not() public {
        IEscrow.PaymentTerms memory terms = _rich(1);
        bytes memory not = abi.encodeWithSelector(IEscrow.NotAuthorized.selector, stranger);
        _refuses(stranger, abi.encodeCall(escrow.revoke, (terms)), not);
        _authorize(terms);
        _refuses(stranger, abi.encodeCall(escrow.capture, (terms, 1, 100)), not);
        _refuses(stranger, abi.encodeCall(escrow.captureMilestone, (terms, 0, 1, 0, 100, new bytes32[](0))), not);
        _refuses(stranger, abi.encodeCall(escrow.void, (terms)), not);
        _refuses(stranger, abi.encodeCall(escrow.refund, (terms, 1)), not);
        _refuses(stranger, abi.encodeCall(escrow.dispute, (terms, NO_HASH)), not);
        _as(payee, abi.encodeCall(escrow.dispute, (terms, NO_HASH)));
        _refuses(stranger, abi.encodeCall(escrow.submitEvidence, (terms, NO_HASH)), not);
        _refuses(stranger, abi.encodeCall(escrow.rule, (terms, 1, 0)), not);
    }

    function test_revoked_is_revoked() public {
        IEscrow.PaymentTerms memory terms = _terms(1);
        _as(payer, abi.encodeCall(escrow.revoke, (terms)));
        bytes memory exists =
            abi.encodeWithSelector(IEscrow.PaymentExists.selector, _idOf(terms), IEscrow.Status.Closed);
        _refuses(payer, _authorizing(terms), exists);
        _refuses(payer, abi.encodeCall(escrow.revoke, (terms)), exists);
    }

    function test_capture_refuses() public {
        IEscrow.PaymentTerms memory terms = _terms(1);
        terms.disputeWindow = 1 days;
        _authorize(terms);
        _refuses(payee, abi.encodeCall(escrow.capture, (terms, 1, 0)), abi.encodeWithSelector(IEscrow.WindowOpen.selector, START + 1 days, START));
        vm.warp(START + 1 days);
        _refuses(payee, abi.encodeCall(escrow.capture, (terms, 0, 0)), abi.encodeWithSelector(IFunding.ZeroAmount.selector));
        uint256 more = uint256(terms.amount) + 1;
        _refuses(payee, abi.encodeCall(escrow.capture, (terms, more, 0)), abi.encodeWithSelector(IEscrow.CaptureTooHigh.selector, more, terms.amount));
        _refuses(payer, abi.encodeCall(escrow.dispute, (terms, NO_HASH)), abi.encodeWithSelector(IEscrow.NoArbiter.selector, _idOf(terms)));
        _as(payee, abi.encodeCall(escrow.capture, (terms, UNLIMITED, 0)));
        _refuses(payee, abi.encodeCall(escrow.capture, (terms, UNLIMITED, 0)), _notOpen(terms, IEscrow.Status.Closed));
        (terms.milestonesRoot, terms.disputeWindow) = (_leaf(0, 5, START + 2 days), 0);
        _authorizeAt(terms, 1 days);
        bytes memory only = abi.encodeWithSelector(IEscrow.MilestonesOnly.selector, _idOf(terms));
        _refuses(payee, abi.encodeCall(escrow.capture, (terms, 1, 0)), only);
        bytes32[] memory none = new bytes32[](0);
        bytes memory early = abi.encodeWithSelector(IEscrow.MilestoneTooEarly.selector, START + 2 days, block.timestamp);
        _refuses(payee, abi.encodeCall(escrow.captureMilestone, (terms, 0, 5, START + 2 days, 0, none)), early);
        bytes memory unknown = abi.encodeWithSelector(IEscrow.UnknownMilestone.selector, _idOf(terms), 0);
        _refuses(payee, abi.encodeCall(escrow.captureMilestone, (terms, 0, 6, START + 2 days, 0, none)), unknown);
        unknown = abi.encodeWithSelector(IEscrow.UnknownMilestone.selector, _idOf(terms), 20);
        _refuses(payee, abi.encodeCall(escrow.captureMilestone, (terms, 20, 5, START + 2 days, 0, none)), unknown);
        vm.warp(terms.captureBefore);
        bytes memory ended = abi.encodeWithSelector(IEscrow.CaptureEnded.selector, terms.captureBefore, block.timestamp);
        _refuses(payee, abi.encodeCall(escrow.captureMilestone, (terms, 0, 5, START + 2 days, 0, none)), ended);
    }

    function test_a_dispute_and_its_ends() public {
        IEscrow.PaymentTerms memory terms = _rich(1);
        _authorize(terms);
        bytes memory part = abi.encodeCall(escrow.capture, (terms, 1, 100));
        _as(payer, abi.encodeCall(escrow.dispute, (terms, NO_HASH)));
        _refuses(payer, part, _notOpen(terms, IEscrow.Status.Disputed));
        _refuses(payee, part, _notOpen(terms, IEscrow.Status.Disputed));
        _refuses(payee, abi.encodeCall(escrow.dispute, (terms, NO_HASH)), _notOpen(terms, IEscrow.Status.Disputed));
        _refuses(payer, abi.encodeCall(escrow.reclaim, (terms)), _notOpen(terms, IEscrow.Status.Disputed));
        _as(payee, abi.encodeCall(escrow.submitEvidence, (terms, NO_HASH)));
        uint256 end = START + 7 days;
        bytes memory early = abi.encodeWithSelector(IEscrow.RulingNotEnded.selector, end, START);
        _refuses(payer, abi.encodeCall(escrow.ruleByDefault, (terms)), early);
        uint256 most = terms.amount / 20;
        bytes memory high = abi.encodeWithSelector(IEscrow.RulingTooHigh.selector, most + 1, most);
        _refuses(arbiter, abi.encodeCall(escrow.rule, (terms, 1, most + 1)), high);
        high = abi.encodeWithSelector(IEscrow.RulingTooHigh.selector, terms.amount, terms.amount - 1);
        _refuses(arbiter, abi.encodeCall(escrow.rule, (terms, terms.amount, 1)), high);
        vm.warp(end);
        bytes memory late = abi.encodeWithSelector(IEscrow.RulingEnded.selector, end, end);
        _refuses(arbiter, abi.encodeCall(escrow.rule, (terms, 1, 0)), late);
        _as(payer, abi.encodeCall(escrow.capture, (terms, UNLIMITED, 100)));
        terms.salt = 2;
        _authorizeAt(terms, 7 days);
        vm.warp(terms.captureBefore);
        bytes memory ended = abi.encodeWithSelector(IEscrow.CaptureEnded.selector, terms.captureBefore, block.timestamp);
        _refuses(payer, abi.encodeCall(escrow.dispute, (terms, NO_HASH)), ended);
    }

    function test_refund_refuses() public {
        IEscrow.PaymentTerms memory terms = _terms(1);
        _as(payer, _charging(terms, 0));
        _refuses(payee, abi.encodeCall(escrow.refund, (terms, 0)), abi.encodeWithSelector(IFunding.ZeroAmount.selector));
        uint256 more = uint256(terms.amount) + 1;
        _refuses(payee, abi.encodeCall(escrow.refund, (terms, more)), abi.encodeWithSelector(IEscrow.RefundTooHigh.selector, more, terms.amount));
        vm.warp(terms.refundBefore);
        _refuses(payee, abi.encodeCall(escrow.refund, (terms, 1)), abi.encodeWithSelector(IEscrow.RefundEnded.selector, terms.refundBefore, block.timestamp));
    }

    // ------------------------------------------------------------------- kept

    function test_E07_what_cannot_be_received_is_claimed() public {
        IEscrow.PaymentTerms memory terms = _rich(1);
        terms.token = address(_hostile);
        _authorize(terms);
        _hostile.blockAccount(payee);
        _as(payee, abi.encodeCall(escrow.capture, (terms, UNLIMITED, 300)));
        vm.assertEq(escrow.claimable(payee, address(_hostile)), 97_000_000, "kept");
        bytes memory claim = abi.encodeCall(escrow.claim, (payee, address(_hostile)));
        _refuses(stranger, claim, abi.encodeWithSelector(IFunding.TokenRefused.selector, _hostile));
        _hostile.blockAccount(address(0));
        _as(stranger, claim);
        _refuses(stranger, claim, abi.encodeWithSelector(IPayouts.NothingToClaim.selector, payee, _hostile));
        vm.assertEq(_hostile.balanceOf(payee), 1e12 + 97_000_000, "claimed");
    }

    /// @dev E06: with any gas a capture reverts as a whole, or pays; nothing is kept that could have been received.
    function test_E06_with_any_gas_all_or_nothing() public {
        IEscrow.PaymentTerms memory terms = _rich(1);
        _authorize(terms);
        bytes memory data = abi.encodeCall(escrow.capture, (terms, 1_000, 300));
        uint256 starved;
        for (uint256 gasLimit = 30_000; gasLimit < 700_000; gasLimit += 5_000) {
            vm.prank(payee);
            (bool ok, bytes memory answer) = address(escrow).call{gas: gasLimit}(data);
            if (!ok && bytes4(answer) == EscrowErrors.InsufficientGas.selector) ++starved;
            vm.assertEq(escrow.claimable(payee, address(token)) + escrow.claimable(receiver, address(token)), 0, "E06");
        }
        vm.assertTrue(starved > 0 && token.balanceOf(receiver) > 0, "both happened");
    }

    // ------------------------------------------------------------------ parts

    function _authorizing(IEscrow.PaymentTerms memory terms) private view returns (bytes memory) {
        return abi.encodeCall(escrow.authorize, (terms, IFunding.Funding.Allowance, ""));
    }

    function _charging(IEscrow.PaymentTerms memory terms, uint256 feeBps) private view returns (bytes memory) {
        return abi.encodeCall(escrow.charge, (terms, feeBps, IFunding.Funding.Allowance, ""));
    }

    function _milestone(IEscrow.PaymentTerms memory terms, uint256 index, uint256 amount, uint256 time, bytes32 sibling)
        private
        view
        returns (bytes memory)
    {
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = sibling;
        return abi.encodeCall(escrow.captureMilestone, (terms, index, amount, time, 0, proof));
    }

    function _notOpen(IEscrow.PaymentTerms memory terms, IEscrow.Status status) private view returns (bytes memory) {
        return abi.encodeWithSelector(IEscrow.NotOpen.selector, _idOf(terms), status);
    }

    /// @dev The payer has just what it needs for it, beside what it had.
    function _authorize(IEscrow.PaymentTerms memory terms) private {
        if (terms.token == address(token)) token.mint(payer, terms.amount);
        _as(payer, _authorizing(terms));
    }

    /// @dev Where a day has passed, with a later end of the authorization.
    function _authorizeAt(IEscrow.PaymentTerms memory terms, uint256 later) private {
        terms.authorizeBefore = uint40(START + later + 1);
        _authorize(terms);
    }

    function _as(address sender, bytes memory data) private {
        vm.prank(sender);
        (bool ok, bytes memory answer) = address(escrow).call(data);
        if (ok) return;
        assembly ("memory-safe") {
            revert(add(answer, 0x20), mload(answer))
        }
    }

    function _refuses(address sender, bytes memory data, bytes memory failure) private {
        vm.prank(sender);
        (bool ok, bytes memory answer) = address(escrow).call(data);
        vm.assertTrue(!ok, "refused");
        vm.assertEq(keccak256(answer), keccak256(failure), "refused as it should");
    }

    function _expect(IEscrow.PaymentTerms memory terms, IEscrow.Status status, uint256 held, uint256 refundable)
        private
        view
    {
        IEscrow.Payment memory found = escrow.payment(_idOf(terms));
        vm.assertTrue(found.status == status, "status");
        vm.assertEq(found.held, held, "held");
        vm.assertEq(found.refundable, refundable, "refundable");
    }
}
