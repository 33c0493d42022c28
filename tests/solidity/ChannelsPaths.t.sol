// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IChannels} from "../../contracts/interfaces/IChannels.sol";
import {IDepositCollector} from "../../contracts/interfaces/IDepositCollector.sol";
import {HostileToken} from "../../contracts/mocks/HostileToken.sol";
import {MockDepositCollector} from "../../contracts/mocks/MockDepositCollector.sol";
import {ChannelsScene} from "./ChannelsScene.sol";
import {Vm} from "./Forge.sol";
import {PERMIT2} from "./Permit2.sol";

/// @dev Errors that are not of the interface.
interface ChannelsErrors {
    error InsufficientGas(uint256 found, uint256 needed);
    error ReentrancyGuardReentrantCall();
    function multicall(bytes[] calldata data) external returns (bytes[] memory);
    function MIN_WITHDRAW_DELAY() external view returns (uint40);
    function MAX_WITHDRAW_DELAY() external view returns (uint40);
    function channels() external view returns (address);
}

/// @notice Every branch of Channels by one call each, and every path of money with any amounts.
contract ChannelsPathsTest is ChannelsScene {
    uint256 private constant UNLIMITED = type(uint256).max;
    uint128 private constant AMOUNT = 100_000_000;
    uint128 private constant EVERYTHING = type(uint128).max;

    HostileToken private _hostile;
    MockDepositCollector private _collector;
    address private _byAuthorization;
    address private _byPermit2;

    function setUp() public {
        _build();
        (_hostile, _collector) = (new HostileToken(), new MockDepositCollector());
        bytes memory of_ = abi.encode(channels);
        _byAuthorization = _create(bytes.concat(_creationCode("AuthorizationCollector"), of_));
        _byPermit2 = _create(bytes.concat(_creationCode("Permit2Collector"), of_));
        address[3] memory rich = [payer, address(wallet), stranger];
        for (uint256 i = 0; i < 3; ++i) {
            token.mint(rich[i], 1e30);
            usdc.mint(rich[i], 1e12);
            _hostile.mint(rich[i], 1e12);
            vm.prank(rich[i]);
            token.approve(address(channels), UNLIMITED);
            vm.prank(rich[i]);
            usdc.approve(address(channels), UNLIMITED);
            vm.prank(rich[i]);
            _hostile.approve(address(channels), UNLIMITED);
        }
        token.mint(address(bringer), 1e12);
        token.mint(address(_collector), 1e12);
    }

    // ------------------------------------------------------------------- fuzz

    /// @dev Whatever is claimed in two steps and given back: the parts are the whole, and nothing else moves.
    function testFuzz_what_is_claimed_and_given_back_is_what_came(
        uint96 amount,
        uint128 first,
        uint128 second,
        bool rows,
        bool withdraws
    ) public {
        amount = uint96(bound(amount, 1, type(uint96).max));
        (first, second) = (uint128(bound(first, 1, OPENING - 1)), uint128(bound(second, 1, OPENING - 1)));
        IChannels.ChannelConfig memory config = _config(1);
        (uint256 had, uint256 claimed) = (token.balanceOf(payer), 0);
        _fund(config, amount);
        for (uint256 i = 0; i < 2; ++i) {
            uint128 most = i == 0 ? first : second;
            if (rows) {
                _as(receiver, _claimingRows(_rowOf(config, most, 0)));
                uint256 paid = most < amount ? most : amount; // E51: up to what there is
                if (paid > claimed) claimed = paid;
            } else if (most > claimed && most > amount) {
                bytes memory refused = _claimRefused(config, IChannels.Refusal.AboveBalance);
                _refuses(receiver, _claiming(config, most, most), refused);
            } else {
                _as(receiver, _claiming(config, most, most)); // E50: an older one does nothing
                if (most > claimed) claimed = most;
            }
        }
        _expect(config, amount, claimed, 0);
        _as(stranger, abi.encodeCall(channels.settle, (receiver, address(token))));
        vm.assertEq(token.balanceOf(receiver), claimed, "the receiver's");
        if (claimed < amount) withdraws ? _withdraw(config, EVERYTHING) : _refund(config, EVERYTHING);
        vm.assertEq(token.balanceOf(payer), had - claimed, "the payer's");
        vm.assertEq(token.balanceOf(address(channels)), 0, "nothing is left");
    }

    /// @dev E54: whatever was signed before, up to what a channel takes, is worthless however often it was closed.
    function testFuzz_E54_closed_and_opened_again(uint128 most, uint8 closings, bool withdraws, bool rows) public {
        IChannels.ChannelConfig memory config = _config(2);
        most = uint128(bound(most, 1, OPENING - 1));
        uint256 times = bound(closings, 1, 5);
        for (uint256 i = 0; i < times; ++i) {
            _fund(config, AMOUNT);
            withdraws ? _withdraw(config, EVERYTHING) : _refund(config, AMOUNT);
        }
        _fund(config, AMOUNT);
        for (uint256 opening = 0; opening < times; ++opening) {
            uint128 old = uint128(opening * OPENING + most);
            _as(receiver, rows ? _claimingRows(_rowOf(config, old, 0)) : _claiming(config, old, old));
        }
        _expect(config, AMOUNT, 0, times);
        vm.assertEq(token.balanceOf(receiver), 0, "nothing");
        uint128 current = uint128(times * OPENING + AMOUNT);
        _as(receiver, _claimingRows(_rowOf(config, current, 0)));
        vm.assertEq(token.balanceOf(receiver), AMOUNT, "what was signed since");
    }

    /// @dev E20, E53: whenever it is tried, and whoever added what: from the delay on, not before.
    function testFuzz_E53_a_withdrawal_waits_for_its_delay(uint40 delay, uint40 waited, uint96 added) public {
        IChannels.ChannelConfig memory config = _config(3);
        config.withdrawDelay = delay = uint40(bound(delay, 900, 30 days));
        added = uint96(bound(added, 1, AMOUNT));
        waited = uint40(bound(waited, 0, 2 * uint256(delay)));
        _fund(config, AMOUNT);
        _as(payer, abi.encodeCall(channels.initiateWithdraw, (config, EVERYTHING)));
        _as(stranger, abi.encodeCall(channels.fill, (config, added, IChannels.Funding.Allowance, "")));
        vm.warp(START + waited);
        bytes memory call = abi.encodeCall(channels.finalizeWithdraw, (config));
        if (waited < delay) {
            uint256 until = START + delay;
            _refuses(payer, call, abi.encodeWithSelector(IChannels.WithdrawalTooEarly.selector, until, START + waited));
        } else {
            _as(payer, call);
            _expect(config, added, 0, 1);
        }
    }

    /// @dev E51: a bad row among good ones changes nothing, wherever it stands and whatever is wrong with it.
    function testFuzz_E51_a_bad_row_changes_nothing(uint256 at, uint256 wrong, uint128 most) public {
        at = bound(at, 0, 4);
        most = uint128(bound(most, 1, AMOUNT));
        IChannels.ChannelConfig memory bad = _config(100);
        bytes memory packed;
        for (uint256 i = 0; i < 5; ++i) {
            if (i == at) packed = bytes.concat(packed, _badRow(bad, wrong));
            _fund(_config(i), AMOUNT);
            packed = bytes.concat(packed, _rowOf(_config(i), most, 0));
        }
        bytes32 before = keccak256(abi.encode(channels.channel(_idOf(bad))));
        _as(authorizer, _claimingRows(packed));
        vm.assertEq(keccak256(abi.encode(channels.channel(_idOf(bad)))), before, "as it was");
        vm.assertEq(token.balanceOf(receiver), 5 * uint256(most), "the others");
        for (uint256 i = 0; i < 5; ++i) {
            _expect(_config(i), AMOUNT, most, 0);
        }
    }

    /// @dev Bytes that are nobody's: no signature of whatever length pays anything.
    function testFuzz_E13_no_other_bytes_are_a_signature(bytes calldata junk, bool byKey, uint256 key) public {
        IChannels.ChannelConfig memory config = _config(4);
        bytes memory signature = junk.length > 8_000 ? junk[:8_000] : junk;
        _fund(config, AMOUNT);
        _as(receiver, _claimingRows(_row(config, AMOUNT, 0, signature, byKey)));
        key = bound(key, 1, 1e18);
        if (vm.addr(key) != payer) {
            _as(receiver, _claimingRows(_row(config, AMOUNT, 0, _voucher(key, config, AMOUNT), byKey)));
        }
        _expect(config, AMOUNT, 0, 0);
    }

    function testFuzz_the_digests(IChannels.ChannelConfig memory config, uint128 most, uint256 nonce) public view {
        bytes32 id = _idOf(config);
        vm.assertEq(channels.getChannelId(config), id, "channel");
        vm.assertEq(channels.getVoucherDigest(id, most), _voucherDigest(id, most), "voucher");
        bytes32 kind = keccak256("Refund(bytes32 channelId,uint256 nonce,uint128 amount)");
        vm.assertEq(channels.getRefundDigest(id, nonce, most), _digest(keccak256(abi.encode(kind, id, nonce, most))), "refund");
        kind = keccak256("SpendingKey(bytes32 channelId,address key,uint128 maxClaimableAmount,uint40 validBefore)");
        bytes32 key = _digest(keccak256(abi.encode(kind, id, config.payer, most, config.withdrawDelay)));
        vm.assertEq(channels.getSpendingKeyDigest(id, config.payer, most, config.withdrawDelay), key, "spending key");
    }

    // ---------------------------------------------------------------- funding

    function test_each_way_brings_the_money() public {
        for (uint256 way = 0; way < 5; ++way) {
            IChannels.ChannelConfig memory config = _config(200 + way);
            if (way == 3) config.token = address(usdc);
            bytes memory data;
            vm.prank(payer);
            token.approve(address(channels), way == 1 ? 0 : UNLIMITED);
            vm.prank(payer);
            token.approve(PERMIT2, UNLIMITED);
            if (way == 1) data = _permit(PAYER_KEY, address(channels), AMOUNT);
            if (way == 2) data = _agreesInPermit2(config, address(channels), AMOUNT, 1, "");
            if (way == 3) data = _packedAuthorization(config, 7);
            bytes memory call = abi.encodeCall(channels.fill, (config, AMOUNT, IChannels.Funding(way), data));
            if (way == 4) {
                (bool ok,) = bringer.call(address(channels), call);
                vm.assertTrue(ok, "brought");
            } else {
                _as(way < 2 ? payer : stranger, call);
            }
            _expect(config, AMOUNT, 0, 0);
        }
        vm.assertEq(token.balanceOf(address(channels)), 4 * AMOUNT, "all of it");
        vm.assertEq(usdc.balanceOf(address(channels)), AMOUNT, "and of the other");
    }

    function test_x402s_collectors_bring_the_money() public {
        IChannels.ChannelConfig memory config = _config(210);
        vm.prank(payer);
        token.approve(PERMIT2, 0);
        bytes memory permit = _permit(PAYER_KEY, PERMIT2, AMOUNT);
        bytes memory data = _agreesInPermit2(config, _byPermit2, AMOUNT, 1, permit);
        _as(stranger, abi.encodeCall(channels.deposit, (config, AMOUNT, _byPermit2, data)));
        config.token = address(usdc);
        bytes32 id = _idOf(config);
        bytes memory signature = _authorization(PAYER_KEY, payer, _byAuthorization, AMOUNT, START + 1, id, 7);
        data = abi.encode(uint256(0), START + 1, uint256(7), signature);
        _as(stranger, abi.encodeCall(channels.deposit, (config, AMOUNT, _byAuthorization, data)));
        _expect(config, AMOUNT, 0, 0);
        bytes memory refused = abi.encodeWithSelector(IChannels.NotAuthorized.selector, stranger);
        address[2] memory collectors = [_byAuthorization, _byPermit2];
        for (uint256 i = 0; i < 2; ++i) {
            vm.assertEq(ChannelsErrors(collectors[i]).channels(), address(channels), "whose it is");
            vm.prank(stranger);
            (bool ok, bytes memory answer) = collectors[i].call(
                abi.encodeCall(IDepositCollector.collect, (payer, address(usdc), AMOUNT, id, data))
            );
            vm.assertTrue(!ok && keccak256(answer) == keccak256(refused), "nobody else");
        }
    }

    function test_E10_E11_a_permit_that_is_worthless_is_judged_by_the_allowance() public {
        IChannels.ChannelConfig memory config = _config(211);
        bytes memory worthless = abi.encode(AMOUNT, UNLIMITED, uint8(27), bytes32("r"), bytes32("s"));
        _as(payer, abi.encodeCall(channels.fill, (config, AMOUNT, IChannels.Funding.Permit, worthless)));
        vm.prank(payer);
        token.approve(PERMIT2, UNLIMITED);
        bytes memory data = _agreesInPermit2(config, address(channels), AMOUNT, 1, worthless);
        _as(stranger, abi.encodeCall(channels.fill, (config, AMOUNT, IChannels.Funding.Permit2, data)));
        _expect(config, 2 * AMOUNT, 0, 0);
    }

    function test_an_authorization_of_other_bytes_is_judged_by_the_token() public {
        IChannels.ChannelConfig memory config = _config(212);
        (config.payer, config.token) = (address(wallet), address(usdc));
        bytes memory data = bytes.concat(_packedAuthorization(config, 7), "more");
        (bool ok,) = address(channels)
            .call(abi.encodeCall(channels.fill, (config, AMOUNT, IChannels.Funding.Authorization, data)));
        vm.assertTrue(!ok, "refused by the token");
        _as(stranger, abi.encodeCall(channels.fill, (config, AMOUNT, IChannels.Funding.Authorization, _packedAuthorization(config, 7))));
        _expect(config, AMOUNT, 0, 0);
    }

    function test_E02_money_that_does_not_come() public {
        IChannels.ChannelConfig memory config = _config(213);
        _collector.setShortBy(1);
        bytes memory short_ = abi.encodeWithSelector(IChannels.AmountMismatch.selector, AMOUNT - 1, AMOUNT);
        _refuses(stranger, abi.encodeCall(channels.deposit, (config, AMOUNT, address(_collector), "")), short_);
        bytes memory call = abi.encodeCall(channels.fill, (config, AMOUNT, IChannels.Funding.Allowance, ""));
        vm.prank(payer);
        token.approve(address(channels), 5);
        _refuses(payer, call, abi.encodeWithSelector(IChannels.AllowanceTooLow.selector, 5, AMOUNT));
        config.token = address(_hostile);
        call = abi.encodeCall(channels.fill, (config, AMOUNT, IChannels.Funding.Allowance, ""));
        _hostile.play(_hostile.transferFrom.selector, HostileToken.Trick.ReturnFalse);
        _refuses(payer, call, abi.encodeWithSelector(IChannels.TokenRefused.selector, _hostile));
    }

    function test_terms_that_are_refused() public {
        bytes4 zero = IChannels.ZeroAddress.selector;
        IChannels.ChannelConfig memory config = _config(214);
        config.payer = address(0);
        _refusesTerms(config, abi.encodeWithSelector(zero));
        config = _config(214);
        config.receiver = address(0);
        _refusesTerms(config, abi.encodeWithSelector(zero));
        config = _config(214);
        config.receiverAuthorizer = address(0);
        _refusesTerms(config, abi.encodeWithSelector(zero));
        config = _config(214);
        config.payer = address(channels);
        bytes memory itself = abi.encodeWithSelector(IChannels.PartyRefused.selector, channels);
        _refusesTerms(config, itself);
        config = _config(214);
        config.receiver = address(channels);
        _refusesTerms(config, itself);
        config = _config(214);
        config.token = stranger;
        _refusesTerms(config, abi.encodeWithSelector(IChannels.NotAContract.selector, stranger));
        config = _config(214);
        (uint256 least, uint256 most) =
            (ChannelsErrors(address(channels)).MIN_WITHDRAW_DELAY(), ChannelsErrors(address(channels)).MAX_WITHDRAW_DELAY());
        uint40[2] memory delays = [uint40(least - 1), uint40(most + 1)];
        for (uint256 i = 0; i < 2; ++i) {
            config.withdrawDelay = delays[i];
            _refusesTerms(
                config,
                abi.encodeWithSelector(IChannels.WithdrawDelayOutOfRange.selector, delays[i], least, most)
            );
        }
        config = _config(214);
        bytes memory call = abi.encodeCall(channels.fill, (config, 0, IChannels.Funding.Allowance, ""));
        _refuses(payer, call, abi.encodeWithSelector(IChannels.ZeroAmount.selector));
        call = abi.encodeCall(channels.deposit, (config, AMOUNT, stranger, ""));
        _refuses(payer, call, abi.encodeWithSelector(IChannels.NotAContract.selector, stranger));
        _fund(config, 1);
        call = abi.encodeCall(channels.fill, (config, uint128(OPENING - 1), IChannels.Funding.Allowance, ""));
        _refuses(payer, call, abi.encodeWithSelector(IChannels.DepositTooHigh.selector, OPENING - 1, OPENING - 2));
    }

    // ------------------------------------------------------------------ claim

    function test_why_a_row_pays_nothing() public {
        IChannels.ChannelConfig memory config = _config(300);
        _fund(config, AMOUNT);
        _as(receiver, _claimingRows(_rowOf(config, 10, 0)));
        bytes32 id = _idOf(config);
        IChannels.Refusal[8] memory reasons;
        bytes[8] memory rows;
        (rows[0], reasons[0]) = (_rowOf(config, 10, 0), IChannels.Refusal.Stale);
        (rows[1], reasons[1]) = (_rowOf(config, 11, 12), IChannels.Refusal.AboveVoucher);
        (rows[2], reasons[2]) = (_rowOf(config, uint128(OPENING), 11), IChannels.Refusal.LaterOpening);
        (rows[3], reasons[3]) = (_rowOf(_config(301), 1, 0), IChannels.Refusal.AboveBalance);
        (rows[4], reasons[4]) =
            (_row(config, 11, 0, _voucher(VOUCHER_KEY, config, 11), false), IChannels.Refusal.InvalidSignature);
        (rows[5], reasons[5]) = (_byKey(config, id, 11, 10, 1 days), IChannels.Refusal.AboveLimit);
        (rows[6], reasons[6]) = (_byKey(config, id, 11, 11, 0), IChannels.Refusal.KeyExpired);
        (rows[7], reasons[7]) = (_row(config, 11, 0, "short", true), IChannels.Refusal.InvalidSignature);
        bytes memory packed;
        for (uint256 i = 0; i < 8; ++i) {
            packed = bytes.concat(packed, rows[i]);
        }
        vm.recordLogs();
        _as(receiver, _claimingRows(packed));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 8, "each is told");
        for (uint256 i = 0; i < 8; ++i) {
            vm.assertEq(abi.decode(logs[i].data, (uint256)), uint256(reasons[i]), "its reason");
        }
        _expect(config, AMOUNT, 10, 0);
        _as(receiver, _claimingRows(_byKey(config, id, 11, 11, 1 days)));
        _expect(config, AMOUNT, 11, 0);
    }

    function test_who_may_sign_vouchers() public {
        IChannels.ChannelConfig memory named = _config(310);
        named.payerAuthorizer = vm.addr(VOUCHER_KEY);
        IChannels.ChannelConfig memory ofWallet = _config(311);
        ofWallet.payer = address(wallet);
        _fund(named, AMOUNT);
        _as(stranger, abi.encodeCall(channels.fill, (ofWallet, AMOUNT, IChannels.Funding.Allowance, "")));
        bytes memory signed = _voucher(VOUCHER_KEY, named, 5);
        _as(receiver, _claimingRows(_row(named, 5, 0, signed, false)));
        _as(receiver, _claimingRows(_row(ofWallet, 5, 0, _voucher(PAYER_KEY, ofWallet, 5), false)));
        IChannels.VoucherClaim[] memory both = new IChannels.VoucherClaim[](2);
        both[0] = _claimOf(VOUCHER_KEY, named, 9, 8);
        both[1] = _claimOf(PAYER_KEY, ofWallet, 9, 8);
        bytes memory signature = _batchSignature(AUTHORIZER_KEY, both);
        vm.assertTrue(
            keccak256(_signed(AUTHORIZER_KEY, channels.getClaimBatchDigest(both))) == keccak256(signature), "digest"
        );
        bytes memory call = abi.encodeCall(channels.claimWithSignature, (both, signature));
        _as(stranger, call);
        _expect(named, AMOUNT, 8, 0);
        _expect(ofWallet, AMOUNT, 8, 0);
        both[1] = _claimOf(VOUCHER_KEY, ofWallet, 9, 9);
        _refuses(receiver, abi.encodeCall(channels.claim, (both)), _claimRefused(ofWallet, IChannels.Refusal.InvalidSignature));
        bytes memory byAnother = abi.encodeCall(channels.claimWithSignature, (both, _batchSignature(PAYER_KEY, both)));
        _refuses(stranger, byAnother, abi.encodeWithSelector(IChannels.InvalidSignature.selector, authorizer));
        both[1].voucher.channel.receiverAuthorizer = stranger;
        call = abi.encodeCall(channels.claimWithSignature, (both, _batchSignature(AUTHORIZER_KEY, both)));
        bytes memory mixed = abi.encodeWithSelector(IChannels.NotReceiverAuthorizer.selector, stranger, authorizer);
        _refuses(stranger, call, mixed);
    }

    function test_who_may_claim() public {
        IChannels.ChannelConfig memory config = _config(312);
        _fund(config, AMOUNT);
        bytes memory refused = abi.encodeWithSelector(IChannels.NotAuthorized.selector, stranger);
        _refuses(stranger, _claiming(config, 1, 1), refused);
        _refuses(stranger, _claimingRows(_rowOf(config, 1, 0)), refused);
        bytes memory empty = abi.encodeWithSelector(IChannels.EmptyBatch.selector);
        IChannels.VoucherClaim[] memory none;
        _refuses(receiver, abi.encodeCall(channels.claim, (none)), empty);
        _refuses(receiver, abi.encodeCall(channels.claimWithSignature, (none, "")), empty);
        _refuses(receiver, _claimingRows(""), empty);
        bytes memory row = _rowOf(config, 1, 0);
        bytes memory cut = abi.encodeWithSelector(IChannels.RowCutOff.selector, 155 + 1, 155 + 90);
        _refuses(receiver, _claimingRows(bytes.concat(row, row[0])), cut);
    }

    function test_E07_a_receiver_who_cannot_receive_keeps_it() public {
        IChannels.ChannelConfig memory config = _config(313);
        config.token = address(usdc);
        _fund(config, AMOUNT);
        usdc.blacklist(receiver);
        bytes memory call =
            abi.encodeCall(channels.claimRows, (receiver, authorizer, address(usdc), DELAY, _rowOf(config, 7, 0)));
        _as(receiver, call);
        bytes memory settle = abi.encodeCall(channels.settle, (receiver, address(usdc)));
        _refuses(stranger, settle, abi.encodeWithSelector(IChannels.TokenRefused.selector, usdc));
        usdc.unBlacklist(receiver);
        _as(stranger, settle);
        _as(stranger, settle); // nothing more
        vm.assertEq(usdc.balanceOf(receiver), 7, "its own");
        (uint128 claimed, uint128 settled) = channels.receivers(receiver, address(usdc));
        vm.assertTrue(claimed == 7 && settled == 7, "totals");
    }

    /// @dev E06: with whatever gas, a wallet's voucher is claimed or the call fails; it is never skipped.
    function testFuzz_E06_too_little_gas_skips_no_row(uint256 gas) public {
        IChannels.ChannelConfig memory config = _config(314);
        config.payer = address(wallet);
        _as(stranger, abi.encodeCall(channels.fill, (config, AMOUNT, IChannels.Funding.Allowance, "")));
        bytes memory call = _claimingRows(_row(config, 5, 0, _voucher(PAYER_KEY, config, 5), false));
        vm.prank(receiver);
        (bool ok,) = address(channels).call{gas: bound(gas, 20_000, 700_000)}(call);
        vm.assertEq(channels.channel(_idOf(config)).claimed, ok ? 5 : 0, "claimed, or not called");
    }

    // --------------------------------------------------------------- the rest

    function test_refunds() public {
        IChannels.ChannelConfig memory config = _config(400);
        _fund(config, AMOUNT);
        bytes32 id = _idOf(config);
        bytes memory zero = abi.encodeWithSelector(IChannels.ZeroAmount.selector);
        _refuses(receiver, abi.encodeCall(channels.refund, (config, 0)), zero);
        bytes memory refused = abi.encodeWithSelector(IChannels.NotAuthorized.selector, payer);
        _refuses(payer, abi.encodeCall(channels.refund, (config, 1)), refused);
        _as(payer, abi.encodeCall(channels.initiateWithdraw, (config, 10)));
        bytes memory call =
            abi.encodeCall(channels.refundWithSignature, (config, 4, 0, _refundSignature(AUTHORIZER_KEY, id, 0, 4)));
        _as(stranger, call);
        vm.assertEq(channels.channel(id).withdrawing, 6, "counts");
        (uint128 pending, uint40 since) = channels.pendingWithdrawals(id);
        vm.assertTrue(pending == 6 && since == START, "as x402 reads it");
        _refuses(stranger, call, abi.encodeWithSelector(IChannels.InvalidRefundNonce.selector, 0, 1));
        call = abi.encodeCall(channels.refundWithSignature, (config, 4, 1, _refundSignature(PAYER_KEY, id, 1, 4)));
        _refuses(stranger, call, abi.encodeWithSelector(IChannels.InvalidSignature.selector, authorizer));
        _refund(config, 6);
        vm.assertEq(channels.channel(id).withdrawalSince, 0, "fulfilled");
        _refund(config, EVERYTHING);
        _refund(config, 1); // nothing is left: its number alone
        vm.assertEq(channels.refundNonce(id), 4, "numbers");
        _expect(config, 0, 0, 1);
    }

    /// @dev E53, E54: a third party's money that keeps a channel from being empty keeps no old voucher alive.
    function test_E54_a_channel_that_closes_with_money_in_it_opens_again() public {
        for (uint256 way = 0; way < 2; ++way) {
            IChannels.ChannelConfig memory config = _config(410 + way);
            _fund(config, AMOUNT);
            _as(payer, abi.encodeCall(channels.initiateWithdraw, (config, AMOUNT)));
            _as(stranger, abi.encodeCall(channels.fill, (config, 5, IChannels.Funding.Allowance, "")));
            if (way == 0) {
                _refund(config, AMOUNT);
            } else {
                vm.warp(START + DELAY);
                _as(payer, abi.encodeCall(channels.finalizeWithdraw, (config)));
            }
            _expect(config, 5, 0, 1);
            _as(receiver, _claimingRows(_rowOf(config, AMOUNT, 0)));
            _expect(config, 5, 0, 1);
        }
    }

    function test_withdrawals_that_are_refused() public {
        IChannels.ChannelConfig memory config = _config(420);
        _fund(config, AMOUNT);
        bytes32 id = _idOf(config);
        bytes memory refused = abi.encodeWithSelector(IChannels.NotAuthorized.selector, receiver);
        _refuses(receiver, abi.encodeCall(channels.initiateWithdraw, (config, 1)), refused);
        _refuses(receiver, abi.encodeCall(channels.finalizeWithdraw, (config)), refused);
        bytes memory none = abi.encodeWithSelector(IChannels.NoWithdrawal.selector, id);
        _refuses(payer, abi.encodeCall(channels.finalizeWithdraw, (config)), none);
        bytes memory zero = abi.encodeWithSelector(IChannels.ZeroAmount.selector);
        _refuses(payer, abi.encodeCall(channels.initiateWithdraw, (config, 0)), zero);
        bytes memory tooHigh = abi.encodeWithSelector(IChannels.WithdrawalTooHigh.selector, AMOUNT + 1, AMOUNT);
        _refuses(payer, abi.encodeCall(channels.initiateWithdraw, (config, AMOUNT + 1)), tooHigh);
        _as(payer, abi.encodeCall(channels.initiateWithdraw, (config, 1)));
        bytes memory pending = abi.encodeWithSelector(IChannels.WithdrawalPending.selector, id, START);
        _refuses(payer, abi.encodeCall(channels.initiateWithdraw, (config, 1)), pending);
    }

    function test_E03_whom_it_calls_comes_in_nowhere() public {
        IChannels.ChannelConfig memory config = _config(430);
        bytes memory inner = abi.encodeCall(channels.settle, (receiver, address(token)));
        bytes memory call =
            abi.encodeCall(channels.deposit, (config, AMOUNT, address(_collector), abi.encode(channels, inner)));
        _as(stranger, call);
        vm.assertTrue(!_collector.detourSucceeded(), "locked");
        bytes memory locked = abi.encodeWithSelector(ChannelsErrors.ReentrancyGuardReentrantCall.selector);
        vm.assertEq(keccak256(_collector.detourAnswer()), keccak256(locked), "by the guard");
    }

    function test_many_calls_in_one() public {
        IChannels.ChannelConfig memory config = _config(431);
        _fund(config, AMOUNT);
        bytes[] memory calls = new bytes[](2);
        (calls[0], calls[1]) = (_claiming(config, 7, 7), abi.encodeCall(channels.refund, (config, AMOUNT - 7)));
        _as(receiver, abi.encodeCall(ChannelsErrors.multicall, (calls)));
        _expect(config, 0, 0, 1);
    }

    // ------------------------------------------------------------------ parts

    function _fund(IChannels.ChannelConfig memory config, uint256 amount) private {
        _as(payer, abi.encodeCall(channels.fill, (config, uint128(amount), IChannels.Funding.Allowance, "")));
    }

    function _refund(IChannels.ChannelConfig memory config, uint128 amount) private {
        _as(receiver, abi.encodeCall(channels.refund, (config, amount)));
    }

    function _withdraw(IChannels.ChannelConfig memory config, uint128 amount) private {
        _as(payer, abi.encodeCall(channels.initiateWithdraw, (config, amount)));
        vm.warp(block.timestamp + config.withdrawDelay);
        _as(payer, abi.encodeCall(channels.finalizeWithdraw, (config)));
    }

    function _claiming(IChannels.ChannelConfig memory config, uint128 most, uint128 total)
        private
        view
        returns (bytes memory)
    {
        IChannels.VoucherClaim[] memory claims = new IChannels.VoucherClaim[](1);
        claims[0] = _claimOf(PAYER_KEY, config, most, total);
        return abi.encodeCall(channels.claim, (claims));
    }

    function _claimingRows(bytes memory rows) private view returns (bytes memory) {
        return abi.encodeCall(channels.claimRows, (receiver, authorizer, address(token), DELAY, rows));
    }

    function _claimRefused(IChannels.ChannelConfig memory config, IChannels.Refusal reason)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeWithSelector(IChannels.ClaimRefused.selector, _idOf(config), reason);
    }

    function _rowOf(IChannels.ChannelConfig memory config, uint128 most, uint128 total)
        private
        view
        returns (bytes memory)
    {
        return _row(config, most, total, _voucher(PAYER_KEY, config, most), false);
    }

    function _byKey(IChannels.ChannelConfig memory config, bytes32 id, uint128 most, uint128 limit, uint256 time)
        private
        view
        returns (bytes memory)
    {
        bytes memory signature = _bySpendingKey(PAYER_KEY, id, most, limit, uint40(block.timestamp + time));
        return _row(config, most, 0, signature, true);
    }

    /// @dev Of a channel that is not there, closed, used, or signed for by another.
    function _badRow(IChannels.ChannelConfig memory config, uint256 wrong) private returns (bytes memory) {
        wrong %= 4;
        if (wrong == 0) return _rowOf(config, AMOUNT, 0);
        _fund(config, AMOUNT);
        if (wrong == 1) _refund(config, AMOUNT);
        if (wrong == 2) _as(receiver, _claiming(config, AMOUNT, AMOUNT));
        if (wrong == 2) _as(stranger, abi.encodeCall(channels.settle, (receiver, address(token))));
        if (wrong == 2) vm.prank(receiver);
        if (wrong == 2) token.transfer(stranger, AMOUNT);
        return wrong == 3 ? _row(config, AMOUNT, 0, _voucher(VOUCHER_KEY, config, AMOUNT), false) : _rowOf(config, AMOUNT, 0);
    }

    function _packedAuthorization(IChannels.ChannelConfig memory config, uint256 salt)
        private
        view
        returns (bytes memory)
    {
        uint40 before = uint40(START + 1);
        bytes memory signature =
            _authorization(PAYER_KEY, config.payer, address(channels), AMOUNT, before, _idOf(config), salt);
        return abi.encodePacked(before, salt, signature);
    }

    function _expect(IChannels.ChannelConfig memory config, uint256 deposited, uint256 claimed, uint256 opening)
        private
        view
    {
        IChannels.Channel memory found = channels.channel(_idOf(config));
        vm.assertEq(found.deposited, deposited, "deposited");
        vm.assertEq(found.claimed, claimed, "claimed");
        vm.assertEq(found.opening, opening, "opening");
        (uint128 balance, uint128 sum) = channels.channels(_idOf(config));
        vm.assertEq(balance, opening * OPENING + deposited, "balance");
        vm.assertEq(sum, opening * OPENING + claimed, "sum");
    }

    function _as(address sender, bytes memory call) private {
        vm.prank(sender);
        (bool ok, bytes memory failure) = address(channels).call(call);
        if (ok) return;
        assembly ("memory-safe") {
            revert(add(failure, 0x20), mload(failure))
        }
    }

    function _refusesTerms(IChannels.ChannelConfig memory config, bytes memory error_) private {
        _refuses(payer, abi.encodeCall(channels.fill, (config, AMOUNT, IChannels.Funding.Allowance, "")), error_);
    }

    function _refuses(address sender, bytes memory call, bytes memory error_) private {
        vm.prank(sender);
        (bool ok, bytes memory answer) = address(channels).call(call);
        vm.assertTrue(!ok, "refused");
        vm.assertEq(keccak256(answer), keccak256(error_), "for this reason");
    }
}
