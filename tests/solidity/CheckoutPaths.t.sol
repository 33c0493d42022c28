// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ICheckout} from "../../contracts/interfaces/ICheckout.sol";
import {IFunding} from "../../contracts/interfaces/IFunding.sol";
import {IPayouts} from "../../contracts/interfaces/IPayouts.sol";
import {HostileToken} from "../../contracts/mocks/HostileToken.sol";
import {CheckoutErrors, CheckoutScene} from "./CheckoutScene.sol";
import {Vm} from "./Forge.sol";
import {PERMIT2} from "./Permit2.sol";

/// @notice Each way through the checkout, with any numbers.
contract CheckoutPathsTest is CheckoutScene {
    uint96 private constant MOST = type(uint96).max - 16;

    function setUp() public {
        _build();
        for (uint256 i = 0; i < 2; ++i) {
            address spender = i == 0 ? address(checkout) : PERMIT2;
            vm.prank(payer);
            token.approve(spender, type(uint256).max);
        }
    }

    // ------------------------------------------------------------------- quotes

    /// @dev E38: each payee receives its part, all parts are the whole, and the number is used.
    function testFuzz_pays_each_payee_its_part(uint256 number, uint256 parts, uint96 amount, uint256 way) public {
        (parts, amount, way) = (bound(parts, 1, 16), uint96(bound(amount, 1, MOST)), bound(way, 0, 4));
        ICheckout.Quote memory quote = _quote(number, parts, amount);
        if (way == 3) quote.token = address(usdc);
        address from = way == 4 ? address(bringer) : payer;
        if (way == 3) usdc.mint(payer, quote.amount);
        else token.mint(from, quote.amount);
        bytes memory data = way == 0
            ? _acceptance(PAYER_KEY, quote)
            : way == 1
                ? bytes.concat(_permit(PAYER_KEY, quote.amount), _acceptance(PAYER_KEY, quote))
                : way == 2
                    ? _agreesInPermit2(payer, quote, 7)
                    : way == 3 ? _authorization(PAYER_KEY, quote) : bytes("");
        bytes memory call =
            abi.encodeCall(checkout.pay, (quote, _offer(quote), payer, IFunding.Funding(way), data));
        if (way == 4) _bring(call, "");
        else _as(stranger, call);
        MockBalance asset = MockBalance(quote.token);
        for (uint256 i = 0; i < parts; ++i) {
            vm.assertEq(asset.balanceOf(_payeeOf(i)), amount + i, "part");
        }
        vm.assertEq(asset.balanceOf(from) + asset.balanceOf(address(checkout)), 0, "all of it");
        vm.assertTrue(checkout.isUsed(merchant, number), "used");
        vm.assertEq(checkout.usedNumbers(merchant, number >> 8), 1 << (number & 255), "one bit");
        ICheckout.Total memory total = checkout.quoteTotal(merchant, quote.token);
        vm.assertEq(total.count, 1, "count");
        vm.assertEq(total.sum, quote.amount, "sum");
        bytes memory used = abi.encodeWithSelector(ICheckout.NumberUsed.selector, merchant, number);
        if (way == 4) _bring(call, used);
        else _refuses(stranger, call, used);
    }

    /// @dev By the payer's call alone, and by nobody else's.
    function testFuzz_the_payer_calls(uint256 number, uint96 amount, address other) public {
        amount = uint96(bound(amount, 1, MOST));
        if (other == payer) other = stranger;
        ICheckout.Quote memory quote = _quote(number, 1, amount);
        token.mint(payer, amount);
        bytes memory call = abi.encodeCall(checkout.pay, (quote, _offer(quote), payer, IFunding.Funding.Allowance, ""));
        _refuses(other, call, abi.encodeWithSelector(IFunding.InvalidSignature.selector, payer));
        _as(payer, call);
        vm.assertEq(token.balanceOf(_payeeOf(0)), amount, "paid");
    }

    function testFuzz_numbers_do_not_touch_each_other(uint256[6] calldata numbers) public {
        uint256 count = 0;
        token.mint(payer, 100);
        for (uint256 i = 0; i < numbers.length; ++i) {
            if (checkout.isUsed(merchant, numbers[i])) continue;
            ++count;
            if (i % 2 == 0) {
                vm.prank(merchant);
                checkout.withdrawQuote(numbers[i]);
                continue;
            }
            _payByCall(_quote(numbers[i], 1, 1));
        }
        uint256 found = 0;
        for (uint256 i = 0; i < numbers.length; ++i) {
            vm.assertTrue(checkout.isUsed(merchant, numbers[i]), "used");
            bool before = false;
            for (uint256 j = 0; j < i; ++j) {
                before = before || numbers[j] == numbers[i];
            }
            if (!before) ++found;
        }
        vm.assertEq(count, found, "each once");
    }

    function test_refuses_what_cannot_be() public {
        token.mint(payer, 1000);
        ICheckout.Quote memory quote = _quote(1, 1, 5);
        quote.validBefore = uint40(block.timestamp); // E20
        _refusesQuote(quote, abi.encodeWithSelector(ICheckout.QuoteExpired.selector, block.timestamp, block.timestamp));
        quote = _quote(1, 1, 5);
        quote.token = stranger;
        _refusesQuote(quote, abi.encodeWithSelector(IFunding.NotAContract.selector, stranger));
        _refusesQuote(_quote(1, 17, 5), abi.encodeWithSelector(ICheckout.PayoutsOutOfRange.selector, 17, 16));
        _refusesQuote(_quote(1, 0, 5), abi.encodeWithSelector(ICheckout.PayoutsOutOfRange.selector, 0, 16));
        quote = _quote(1, 2, 5);
        quote.payouts[1].payee = address(0);
        _refusesQuote(quote, abi.encodeWithSelector(IFunding.ZeroAddress.selector));
        quote.payouts[1].payee = address(checkout);
        _refusesQuote(quote, abi.encodeWithSelector(ICheckout.PartyRefused.selector, address(checkout)));
        quote = _quote(1, 2, 0); // E32
        _refusesQuote(quote, abi.encodeWithSelector(IFunding.ZeroAmount.selector));
        quote = _quote(1, 2, 5);
        ++quote.amount;
        _refusesQuote(quote, abi.encodeWithSelector(ICheckout.SumMismatch.selector, 11, 12));
        quote = _quote(1, 2, 5);
        bytes memory offer = _signed(PAYER_KEY, _digest(_structHash(quote)));
        bytes memory call = abi.encodeCall(checkout.pay, (quote, offer, payer, IFunding.Funding.Allowance, ""));
        _refuses(payer, call, abi.encodeWithSelector(IFunding.InvalidSignature.selector, merchant));
    }

    /// @dev E01, E02, E07: what a token does not move is not paid; what a payee cannot receive is kept for it.
    function test_tokens_that_do_not_move() public {
        HostileToken hostile = new HostileToken();
        hostile.mint(payer, 1000);
        vm.prank(payer);
        hostile.approve(address(checkout), type(uint256).max);
        ICheckout.Quote memory quote = _quote(1, 2, 5);
        quote.token = address(hostile);
        bytes4 move = hostile.transferFrom.selector;
        hostile.play(move, HostileToken.Trick.ReturnTrue);
        _refusesQuote(quote, abi.encodeWithSelector(IFunding.AmountMismatch.selector, 0, 11));
        hostile.play(move, HostileToken.Trick.Refuse);
        _refusesQuote(quote, abi.encodeWithSelector(IFunding.TokenRefused.selector, address(hostile)));
        hostile.play(hostile.balanceOf.selector, HostileToken.Trick.Refuse);
        _refusesQuote(quote, abi.encodeWithSelector(IFunding.TokenRefused.selector, address(hostile)));
        hostile.play(hostile.balanceOf.selector, HostileToken.Trick.None);
        hostile.play(move, HostileToken.Trick.None);
        hostile.play(hostile.transfer.selector, HostileToken.Trick.Refuse);
        _payByCall(quote);
        vm.assertEq(checkout.claimable(_payeeOf(1), address(hostile)), 6, "kept");
        bytes memory claim = abi.encodeCall(checkout.claim, (_payeeOf(1), address(hostile)));
        _refuses(stranger, claim, abi.encodeWithSelector(IFunding.TokenRefused.selector, address(hostile)));
        hostile.play(hostile.transfer.selector, HostileToken.Trick.None);
        _as(stranger, claim);
        vm.assertEq(hostile.balanceOf(_payeeOf(1)), 6, "claimed");
        bytes memory nothing =
            abi.encodeWithSelector(IPayouts.NothingToClaim.selector, _payeeOf(1), address(hostile));
        _refuses(stranger, claim, nothing);
    }

    function test_too_little_allowed_or_there() public {
        ICheckout.Quote memory quote = _quote(1, 1, 5);
        _refusesQuote(quote, abi.encodeWithSelector(IFunding.BalanceTooLow.selector, 0, 5));
        vm.prank(payer);
        token.approve(address(checkout), 4);
        _refusesQuote(quote, abi.encodeWithSelector(IFunding.AllowanceTooLow.selector, 4, 5));
    }

    // ------------------------------------------------------- deposit addresses

    /// @dev All that is there, to the receiver; what is nowhere stays nowhere.
    function testFuzz_sweeps_what_is_there(address receiver, bytes32[4] calldata names, uint256[4] calldata amounts)
        public
    {
        if (receiver == address(0) || receiver == address(checkout)) receiver = merchant;
        bytes32[] memory invoices = new bytes32[](4);
        uint256 sum = 0;
        for (uint256 i = 0; i < 4; ++i) {
            invoices[i] = keccak256(abi.encode(names[i], i % 3)); // the first may come again
            uint256 amount = amounts[i] % 3 == 0 ? 0 : amounts[i] % 2 ** 200;
            token.mint(checkout.depositAddress(receiver, invoices[i]), amount);
            sum += amount;
        }
        uint256 before = token.balanceOf(receiver);
        vm.recordLogs();
        _as(stranger, abi.encodeCall(checkout.sweep, (receiver, address(token), invoices)));
        vm.assertEq(token.balanceOf(receiver) - before, sum, "received");
        (uint256 told,) = _told();
        vm.assertEq(told, sum, "told");
        for (uint256 i = 0; i < 4; ++i) {
            vm.assertEq(token.balanceOf(checkout.depositAddress(receiver, invoices[i])), 0, "empty");
        }
        bytes memory again = abi.encodeWithSelector(ICheckout.SweptBefore.selector, receiver);
        _refuses(stranger, abi.encodeCall(checkout.sweep, (receiver, address(token), invoices)), again);
    }

    /// @dev E06: with whatever gas it is sent, a row is swept or the call reverts; none is told as refused.
    function testFuzz_too_little_gas_fakes_nothing(uint256 gas) public {
        gas = bound(gas, 30_000, 900_000);
        bytes32[] memory invoices = new bytes32[](1);
        address place = checkout.depositAddress(merchant, 0);
        token.mint(place, 5);
        vm.recordLogs();
        (bool ok, bytes memory answer) =
            address(checkout).call{gas: gas}(abi.encodeCall(checkout.sweep, (merchant, address(token), invoices)));
        vm.assertEq(token.balanceOf(merchant), ok ? 5 : 0, "all or nothing");
        (, uint256 refused) = _told();
        vm.assertEq(refused, 0, "no refusal");
        if (!ok && answer.length != 0) {
            vm.assertTrue(bytes4(answer) == CheckoutErrors.InsufficientGas.selector, "told why");
        }
        if (gas >= 700_000) vm.assertTrue(ok, "enough");
    }

    function test_coins_alone_and_beside_a_token() public {
        bytes32[] memory invoices = new bytes32[](2);
        invoices[1] = bytes32(uint256(1));
        payable(checkout.depositAddress(merchant, 0)).transfer(3);
        token.mint(checkout.depositAddress(merchant, 0), 5);
        _as(stranger, abi.encodeCall(checkout.sweep, (merchant, address(token), invoices)));
        vm.assertEq(merchant.balance, 3, "coins came along");
        vm.assertEq(token.balanceOf(merchant), 5, "token");
        payable(checkout.depositAddress(payer, 0)).transfer(4);
        _as(stranger, abi.encodeCall(checkout.sweep, (payer, address(0), invoices)));
        vm.assertEq(payer.balance, 4, "coins alone");
        bytes memory denied = abi.encodeWithSelector(ICheckout.NotAuthorized.selector, stranger);
        _refuses(stranger, abi.encodeCall(checkout.noteCoins, (1)), denied);
    }

    function test_what_a_token_refuses_or_keeps() public {
        HostileToken hostile = new HostileToken();
        bytes32[] memory invoices = new bytes32[](1);
        hostile.mint(checkout.depositAddress(merchant, 0), 5);
        hostile.mint(checkout.depositAddress(payer, 0), 5);
        hostile.play(hostile.transfer.selector, HostileToken.Trick.Refuse);
        vm.recordLogs();
        _as(stranger, abi.encodeCall(checkout.sweep, (merchant, address(hostile), invoices)));
        (, uint256 refused) = _told();
        vm.assertEq(refused, 1, "refused");
        hostile.play(hostile.transfer.selector, HostileToken.Trick.ReturnTrue);
        vm.recordLogs();
        _as(stranger, abi.encodeCall(checkout.sweep, (payer, address(hostile), invoices)));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        Vm.Log memory last = logs[logs.length - 1];
        vm.assertTrue(last.topics[0] == ICheckout.ReceivedOtherwise.selector, "told");
        vm.assertEq(keccak256(last.data), keccak256(abi.encode(0, 5)), "nothing of 5");
        bytes32[] memory none;
        _as(stranger, abi.encodeCall(checkout.sweep, (stranger, address(hostile), none)));
        _refuses(
            stranger,
            abi.encodeCall(checkout.sweep, (address(0), address(token), invoices)),
            abi.encodeWithSelector(IFunding.ZeroAddress.selector)
        );
        _refuses(
            stranger,
            abi.encodeCall(checkout.sweep, (address(checkout), address(token), invoices)),
            abi.encodeWithSelector(ICheckout.PartyRefused.selector, address(checkout))
        );
    }

    // ----------------------------------------------------------------- refunds

    function testFuzz_refunds(uint256 amount) public {
        amount = bound(amount, 1, type(uint128).max);
        token.mint(payer, amount);
        _as(payer, abi.encodeCall(checkout.refund, (0, address(token), stranger, amount)));
        vm.assertEq(token.balanceOf(stranger), amount, "given back");
        bytes memory refused = abi.encodeWithSelector(ICheckout.PartyRefused.selector, payer);
        _refuses(payer, abi.encodeCall(checkout.refund, (0, address(token), payer, 1)), refused);
        refused = abi.encodeWithSelector(ICheckout.PartyRefused.selector, address(checkout));
        _refuses(payer, abi.encodeCall(checkout.refund, (0, address(token), address(checkout), 1)), refused);
        refused = abi.encodeWithSelector(IFunding.ZeroAddress.selector);
        _refuses(payer, abi.encodeCall(checkout.refund, (0, address(token), address(0), 1)), refused);
        refused = abi.encodeWithSelector(IFunding.ZeroAmount.selector);
        _refuses(payer, abi.encodeCall(checkout.refund, (0, address(token), stranger, 0)), refused);
    }

    // ------------------------------------------------------------------- views

    function testFuzz_digests_are_those_of_the_documentation(uint256 number, uint256 parts, uint96 amount) public view {
        ICheckout.Quote memory quote = _quote(number, bound(parts, 0, 16), uint96(bound(amount, 0, MOST)));
        vm.assertEq(checkout.quoteId(quote), _digest(_structHash(quote)), "quote");
        bytes32 kind = keccak256(bytes(string.concat("Acceptance(address payer,Quote quote)", PAYOUT, QUOTE)));
        bytes32 accepted = _digest(keccak256(abi.encode(kind, payer, _structHash(quote))));
        vm.assertEq(checkout.acceptanceDigest(quote, payer), accepted, "acceptance");
        (address asset, address receiver, uint256 units) = checkout.nextSweep();
        vm.assertTrue(asset == address(0) && receiver == address(0) && units == 0, "nothing is swept");
    }

    // ------------------------------------------------------------------- calls

    /// @dev The sum of `Swept` tokens, and how many rows were refused.
    function _told() private returns (uint256 sum, uint256 refused) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter != address(checkout)) continue;
            uint256 word = abi.decode(logs[i].data, (uint256));
            if (logs[i].topics[0] == ICheckout.Swept.selector) sum += word;
            if (logs[i].topics[0] == ICheckout.NotSwept.selector && word != 0) ++refused;
        }
    }

    function _payByCall(ICheckout.Quote memory quote) private {
        bytes memory call = abi.encodeCall(checkout.pay, (quote, _offer(quote), payer, IFunding.Funding.Allowance, ""));
        _as(payer, call);
    }

    function _refusesQuote(ICheckout.Quote memory quote, bytes memory expected) private {
        bytes memory call = abi.encodeCall(checkout.pay, (quote, _offer(quote), payer, IFunding.Funding.Allowance, ""));
        _refuses(payer, call, expected);
    }

    function _bring(bytes memory call, bytes memory expected) private {
        (bool ok, bytes memory answer) = bringer.call(address(checkout), call);
        vm.assertTrue(ok == (expected.length == 0), "brought");
        if (!ok) vm.assertEq(keccak256(answer), keccak256(expected), "refused with");
    }

    function _as(address sender, bytes memory call) private {
        vm.prank(sender);
        (bool ok, bytes memory failure) = address(checkout).call(call);
        if (ok) return;
        assembly ("memory-safe") {
            revert(add(failure, 0x20), mload(failure))
        }
    }

    function _refuses(address sender, bytes memory call, bytes memory expected) private {
        vm.prank(sender);
        (bool ok, bytes memory failure) = address(checkout).call(call);
        vm.assertTrue(!ok, "refused");
        vm.assertEq(keccak256(failure), keccak256(expected), "refused with");
    }
}

interface MockBalance {
    function balanceOf(address account) external view returns (uint256);
}
