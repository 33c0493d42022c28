// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {CourtArbiter} from "../../contracts/CourtArbiter.sol";
import {ICourtArbiter} from "../../contracts/interfaces/ICourtArbiter.sol";
import {IEscrow} from "../../contracts/interfaces/IEscrow.sol";
import {IFunding} from "../../contracts/interfaces/IFunding.sol";
import {MockCourt} from "../../contracts/mocks/MockCourt.sol";
import {EscrowScene} from "./EscrowScene.sol";
import {Vm} from "./Forge.sol";

/// @notice An arbiter of two instances, by itself: who may do what when, and what a decision divides.
contract CourtTest is EscrowScene {
    uint96 private constant AMOUNT = 9_990_000;
    uint256 private constant WINDOW = 3 days;
    uint256 private constant COST = 0.01 ether;
    string private constant QUESTION = "/ipfs/QmQuestion/question.json";
    string private constant DOCUMENT = "/ipfs/QmDocument/evidence.json";

    MockCourt private _court = new MockCourt();
    address private _judge = address(0x10D6E);
    CourtArbiter private _arbiter;

    function setUp() public {
        _build();
        _arbiter = new CourtArbiter(escrow, _court, _judge, WINDOW, "", QUESTION);
        token.mint(payer, 1e12);
        vm.prank(payer);
        token.approve(address(escrow), type(uint256).max);
    }

    // ------------------------------------------------------------- the judge

    function test_what_was_judged_is_done_when_nobody_appealed() public {
        IEscrow.PaymentTerms memory terms = _disputed();
        _refuses(_judge, _judging(terms, 10_001, 0), _outOfRange(10_001, 10_000));
        _refuses(_judge, _judging(terms, 0, 501), _outOfRange(501, 500));
        _refuses(stranger, _judging(terms, 0, 0), _notAuthorized(stranger));
        _refuses(stranger, abi.encodeCall(_arbiter.execute, (terms)), _anotherStage(terms, ICourtArbiter.Stage.None));
        _does(_judge, _judging(terms, 7_500, 200));
        _refuses(_judge, _judging(terms, 0, 0), _anotherStage(terms, ICourtArbiter.Stage.Judged));
        bytes memory failure =
            abi.encodeWithSelector(ICourtArbiter.AppealNotEnded.selector, START + WINDOW, START);
        _refuses(stranger, abi.encodeCall(_arbiter.execute, (terms)), failure);
        vm.warp(START + WINDOW);
        failure = abi.encodeWithSelector(ICourtArbiter.AppealEnded.selector, START + WINDOW, START + WINDOW);
        _refuses(payer, abi.encodeCall(_arbiter.appeal, (terms)), failure);
        _arbiter.execute(terms);
        uint256 fee = AMOUNT * 200 / BASIS;
        vm.assertEq(token.balanceOf(payee), (AMOUNT - fee) * 7_500 / BASIS, "the payee's");
        _arbiter.payJudge(address(token));
        vm.assertEq(token.balanceOf(_judge), fee, "the judge's");
        bytes memory pay = abi.encodeCall(_arbiter.payJudge, (address(token)));
        failure = abi.encodeWithSelector(ICourtArbiter.NothingToClaim.selector, _judge, address(token));
        _refuses(stranger, pay, failure);
        failure = abi.encodeWithSelector(
            ICourtArbiter.NotDisputed.selector, escrow.paymentId(terms), IEscrow.Status.Closed
        );
        _refuses(stranger, abi.encodeCall(_arbiter.execute, (terms)), failure);
    }

    function test_another_arbiter_s_payment_is_not_its_own() public {
        IEscrow.PaymentTerms memory terms = _disputed();
        terms.arbiter = stranger;
        bytes memory failure = abi.encodeWithSelector(ICourtArbiter.AnotherArbiter.selector, stranger);
        _refuses(_judge, _judging(terms, 0, 0), failure);
    }

    // ------------------------------------------------------------- the court

    function test_an_appeal_is_a_party_s_and_costs_what_the_court_asks() public {
        IEscrow.PaymentTerms memory terms = _disputed();
        bytes memory data = abi.encodeCall(_arbiter.appeal, (terms));
        _refuses(payer, data, _anotherStage(terms, ICourtArbiter.Stage.None));
        _does(_judge, _judging(terms, 7_500, 200));
        _refuses(stranger, data, _notAuthorized(stranger));
        _refuses(payer, data, abi.encodeWithSelector(ICourtArbiter.AppealUnderpaid.selector, 0, COST));
        _appeal(terms, 5 * COST);
        vm.assertEq(address(_court).balance, COST, "the court's");
        vm.assertEq(payer.balance, 4 * COST, "the rest came back");
        vm.assertEq(_arbiter.paymentOf(1), escrow.paymentId(terms), "known");
        data = abi.encodeCall(_arbiter.execute, (terms));
        _refuses(stranger, data, _anotherStage(terms, ICourtArbiter.Stage.Appealed));
    }

    function test_a_ruling_is_the_court_s_one_of_the_choices_once() public {
        IEscrow.PaymentTerms memory terms = _appealed();
        _refuses(stranger, abi.encodeCall(_arbiter.rule, (1, 1)), _notAuthorized(stranger));
        address court = address(_court);
        _refuses(
            court,
            abi.encodeCall(_arbiter.rule, (1, 4)),
            abi.encodeWithSelector(ICourtArbiter.UnknownRuling.selector, 4, 3)
        );
        bytes memory failure = abi.encodeWithSelector(ICourtArbiter.UnknownDispute.selector, 2);
        _refuses(court, abi.encodeCall(_arbiter.rule, (2, 1)), failure);
        _court.giveRuling(1, 1);
        _refuses(court, abi.encodeCall(_arbiter.rule, (1, 2)), _anotherStage(terms, ICourtArbiter.Stage.Ruled));
    }

    /// @dev Refused: by the terms' default. For the payer, for the payee: all of it. As judged: with the fee.
    function test_what_each_ruling_divides() public {
        IEscrow.PaymentTerms memory terms = _appealed();
        uint256 fee = AMOUNT * 200 / BASIS;
        uint256[4] memory parts =
            [uint256(AMOUNT) * 4_000 / BASIS, 0, AMOUNT, (AMOUNT - fee) * 7_500 / BASIS];
        for (uint256 ruling = 0; ruling < 4; ++ruling) {
            uint256 state = vm.snapshotState();
            _court.giveRuling(1, ruling);
            _arbiter.execute(terms);
            vm.assertEq(token.balanceOf(payee), parts[ruling], "the payee's");
            vm.assertEq(token.balanceOf(address(_arbiter)), ruling == 3 ? fee : 0, "the judge's");
            vm.assertTrue(_arbiter.caseOf(escrow.paymentId(terms)).stage == ICourtArbiter.Stage.Ruled, "ruled");
            vm.revertToState(state);
        }
    }

    function test_without_a_judge_the_court_decides_first() public {
        _arbiter = new CourtArbiter(escrow, _court, address(0), 0, "", QUESTION);
        IEscrow.PaymentTerms memory terms = _disputed();
        _appeal(terms, COST);
        _court.giveRuling(1, 3);
        _arbiter.execute(terms);
        vm.assertEq(token.balanceOf(payee), uint256(AMOUNT) * 4_000 / BASIS, "nothing was judged");
    }

    struct Draw {
        uint256 payeeBps;
        uint256 feeBps;
        uint256 released;
        uint256 ruling;
        bool isAppealed;
    }

    /// @dev E38, E42: whatever judge and court decide of whatever is held, the three parts are what was held, the judge's
    /// is within the terms, and nothing stays with the arbiter.
    function testFuzz_E38_E42_the_parts_are_what_was_held(Draw memory draw) public {
        (draw.payeeBps, draw.feeBps) = (bound(draw.payeeBps, 0, BASIS), bound(draw.feeBps, 0, 500));
        (draw.released, draw.ruling) = (bound(draw.released, 0, AMOUNT - 1), bound(draw.ruling, 0, 3));
        IEscrow.PaymentTerms memory terms = _disputed(draw.released);
        _does(_judge, _judging(terms, draw.payeeBps, draw.feeBps));
        if (draw.isAppealed) _appeal(terms, COST);
        if (draw.isAppealed) _court.giveRuling(1, draw.ruling);
        else vm.warp(START + WINDOW);
        (uint256 toPayer, uint256 toPayee) = (token.balanceOf(payer), token.balanceOf(payee));
        _arbiter.execute(terms);
        toPayer = token.balanceOf(payer) - toPayer;
        toPayee = token.balanceOf(payee) - toPayee;
        _judgeParts(draw, toPayer, toPayee, token.balanceOf(address(_arbiter)));
    }

    function _judgeParts(Draw memory draw, uint256 toPayer, uint256 toPayee, uint256 fee) private {
        uint256 held = AMOUNT - draw.released;
        vm.assertEq(toPayer + toPayee + fee, held, "the parts are the whole");
        bool isAsJudged = !draw.isAppealed || draw.ruling == 3;
        vm.assertEq(fee, isAsJudged ? held * draw.feeBps / BASIS : 0, "the judge's, where it stands");
        uint256 expected = draw.ruling == 0 ? held * 4_000 / BASIS : draw.ruling == 1 ? 0 : held;
        vm.assertEq(toPayee, isAsJudged ? (held - fee) * draw.payeeBps / BASIS : expected, "the payee's");
        if (fee != 0) _arbiter.payJudge(address(token));
        vm.assertEq(token.balanceOf(address(_arbiter)), 0, "nothing stays");
        vm.assertEq(token.balanceOf(_judge), fee, "the judge has it");
    }

    // ------------------------------------------------- what the court is shown

    /// @dev ERC-1497: the question once at creation, what belongs to a dispute with the appeal, and documents between.
    function test_the_court_finds_question_dispute_and_documents() public {
        vm.recordLogs();
        _arbiter = new CourtArbiter(escrow, _court, _judge, WINDOW, "", QUESTION);
        _isLog(0, keccak256("MetaEvidence(uint256,string)"), 0, 0, abi.encode(QUESTION));
        IEscrow.PaymentTerms memory terms = _disputed();
        uint256 group = uint256(escrow.paymentId(terms));
        address[3] memory parties = [payer, payee, _judge];
        bytes memory data = abi.encodeCall(_arbiter.submitEvidence, (terms, DOCUMENT));
        bytes32 court = bytes32(uint256(uint160(address(_court))));
        for (uint256 party = 0; party < 3; ++party) {
            vm.recordLogs();
            _does(parties[party], data);
            bytes32 signature = keccak256("Evidence(address,uint256,address,string)");
            _isLog(0, signature, court, bytes32(group), abi.encode(DOCUMENT));
        }
        _refuses(stranger, data, _notAuthorized(stranger));
        _does(_judge, _judging(terms, 7_500, 200));
        vm.recordLogs();
        _appeal(terms, COST);
        bytes32 dispute = keccak256("Dispute(address,uint256,uint256,uint256)");
        _isLog(1, dispute, court, bytes32(uint256(1)), abi.encode(0, group));
    }

    function test_who_refuses_the_change_has_not_appealed() public {
        IEscrow.PaymentTerms memory terms = _disputed();
        _does(_judge, _judging(terms, 7_500, 200));
        vm.assertEq(_arbiter.appealCost(), COST, "what it costs");
        (bool isPaid,) = payer.call{value: COST + 1}("");
        vm.assertTrue(isPaid, "has ether");
        vm.etch(payer, hex"60006000fd");
        vm.prank(payer);
        (bool ok, bytes memory found) =
            address(_arbiter).call{value: COST + 1}(abi.encodeCall(_arbiter.appeal, (terms)));
        vm.assertTrue(!ok, "refused");
        bytes memory failure = abi.encodeWithSelector(ICourtArbiter.ChangeRefused.selector, payer, 1);
        vm.assertEq(keccak256(found), keccak256(failure), "the change");
    }

    /// @dev E07.
    function test_a_judge_whom_the_token_blocks_is_paid_later() public {
        usdc.mint(address(_arbiter), AMOUNT);
        usdc.blacklist(_judge);
        bytes memory pay = abi.encodeCall(_arbiter.payJudge, (address(usdc)));
        _refuses(stranger, pay, abi.encodeWithSelector(ICourtArbiter.TokenRefused.selector, address(usdc)));
        usdc.unBlacklist(_judge);
        _does(stranger, pay);
        vm.assertEq(usdc.balanceOf(_judge), AMOUNT, "the judge's");
    }

    // ----------------------------------------------------------------- parts

    function _isLog(uint256 place, bytes32 signature, bytes32 first, bytes32 second, bytes memory data) private {
        Vm.Log memory log = vm.getRecordedLogs()[place];
        vm.assertEq(log.topics[0], signature, "the standard's event");
        vm.assertEq(log.topics[1], first, "its first value");
        if (log.topics.length > 2) vm.assertEq(log.topics[2], second, "its second");
        vm.assertEq(keccak256(log.data), keccak256(data), "its data");
    }

    function _disputed() private returns (IEscrow.PaymentTerms memory) {
        return _disputed(0);
    }

    /// @param released What the payer has released to the payee before.
    function _disputed(uint256 released) private returns (IEscrow.PaymentTerms memory terms) {
        (terms.payer, terms.payee, terms.token, terms.amount) = (payer, payee, address(token), AMOUNT);
        terms.authorizeBefore = uint40(START + 1);
        (terms.captureBefore, terms.refundBefore) = (uint40(START + 90 days), uint40(START + 90 days));
        (terms.arbiter, terms.rulingTimeout) = (address(_arbiter), 30 days);
        (terms.defaultPayeeBps, terms.maxArbiterFeeBps) = (4_000, 500);
        vm.prank(payer);
        escrow.authorize(terms, IFunding.Funding.Allowance, "");
        if (released != 0) {
            vm.prank(payer);
            escrow.capture(terms, released, 0);
        }
        vm.prank(payer);
        escrow.dispute(terms, NO_HASH);
    }

    function _appealed() private returns (IEscrow.PaymentTerms memory terms) {
        terms = _disputed();
        _does(_judge, _judging(terms, 7_500, 200));
        _appeal(terms, COST);
    }

    function _appeal(IEscrow.PaymentTerms memory terms, uint256 value) private {
        (bool isPaid,) = payer.call{value: value}("");
        vm.assertTrue(isPaid, "has ether");
        vm.prank(payer);
        _arbiter.appeal{value: value}(terms);
    }

    function _judging(IEscrow.PaymentTerms memory terms, uint256 payeeBps, uint256 feeBps)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeCall(_arbiter.judge, (terms, payeeBps, feeBps));
    }

    function _notAuthorized(address account) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ICourtArbiter.NotAuthorized.selector, account);
    }

    function _outOfRange(uint256 found, uint256 allowed) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ICourtArbiter.BpsOutOfRange.selector, found, allowed);
    }

    function _anotherStage(IEscrow.PaymentTerms memory terms, ICourtArbiter.Stage stage)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeWithSelector(ICourtArbiter.AnotherStage.selector, escrow.paymentId(terms), stage);
    }

    function _does(address sender, bytes memory data) private {
        vm.prank(sender);
        (bool ok,) = address(_arbiter).call(data);
        vm.assertTrue(ok, "done");
    }

    function _refuses(address sender, bytes memory data, bytes memory failure) private {
        vm.prank(sender);
        (bool ok, bytes memory found) = address(_arbiter).call(data);
        vm.assertTrue(!ok, "refused");
        vm.assertEq(keccak256(found), keccak256(failure), "the error and its values");
    }
}
