// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISwapper} from "../../contracts/interfaces/ISwapper.sol";
import {HostileToken} from "../../contracts/mocks/HostileToken.sol";
import {MockToken} from "../../contracts/mocks/MockToken.sol";
import {Campaign} from "./Campaign.sol";
import {SwapHandler} from "./SwapHandler.sol";
import {SwapScene} from "./SwapScene.sol";

/// @notice Whoever swaps what, in whatever order: the bounds hold, and nothing is left. See docs/invariants.md.
contract UniswapSwapperTest is Campaign {
    SwapHandler private _handler;

    function setUp() public {
        _handler = new SwapHandler();
        _handler.begin();
    }

    function _target() internal view override returns (address) {
        return address(_handler);
    }

    function _actions() internal view override returns (bytes4[] memory actions) {
        actions = new bytes4[](4);
        (actions[0], actions[1]) = (_handler.buy.selector, _handler.sell.selector);
        (actions[2], actions[3]) = (_handler.trade.selector, _handler.donate.selector);
    }

    /// @dev It is judged in each step.
    function invariant_E35_bounds_hold_and_nothing_is_left() public view {}

    /// @dev A campaign in which nothing happens would prove nothing: here is one in which everything does.
    function test_the_swap_handler_does_everything_that_can_be_done() public {
        for (uint256 i = 0; i < 300; ++i) {
            uint256 seed = uint256(keccak256(abi.encode("swaps", i)));
            if (i % 8 < 3) _handler.buy(seed, seed >> 200, seed >> 64);
            else if (i % 8 < 6) _handler.sell(seed, seed >> 210, seed >> 64);
            else if (i % 8 == 6) _handler.trade(seed, seed >> 218);
            else _handler.donate(seed, seed >> 230);
        }
        string[11] memory all = [
            "bought",
            "bought over two pools",
            "bought for all of the maximum",
            "sold",
            "sold in part",
            "above the maximum",
            "beyond the liquidity",
            "below the minimum",
            "too late",
            "traded",
            "donated"
        ];
        for (uint256 i = 0; i < all.length; ++i) {
            vm.assertTrue(_handler.done(all[i]) != 0, all[i]);
        }
    }
}

/// @notice What the swapper refuses, one after the other, and single swaps of any size.
contract SwapPathsTest is SwapScene {
    address private _caller = address(0xCA11);
    address private _stranger = address(0xc0ffee);

    function setUp() public {
        _build();
        for (uint256 i = 0; i < tokens.length; ++i) {
            _fund(_caller, i, FUNDS, address(swapper));
        }
    }

    /// @dev E35: exactly what was wanted for at most what was said, or nothing at all.
    function testFuzz_E35_an_exact_output_within_the_maximum(uint256 amountOut, uint256 most, bool overTwo) public {
        uint256 to = overTwo ? 2 : 1;
        amountOut = bound(amountOut, 1, LIQUIDITY);
        most = bound(most, 1, FUNDS);
        (bool exists, uint256 cost) = _cost(0, to, amountOut);
        ISwapper.Swap memory swap = _swap(0, to, most, amountOut, true);
        vm.prank(_caller);
        try swapper.swapExactOutput(swap) returns (uint256 used) {
            vm.assertTrue(exists && used == cost && used <= most, "for what it costs");
            vm.assertEq(tokens[0].balanceOf(_caller), FUNDS - used, "the rest came back");
            vm.assertEq(tokens[to].balanceOf(receiver), amountOut, "exactly");
        } catch {
            vm.assertTrue(!exists || cost > most, "refused");
            vm.assertEq(tokens[0].balanceOf(_caller), FUNDS, "nothing moved");
        }
        _assertNothingIsLeft();
    }

    function test_refuses_swaps_that_contradict_themselves() public {
        ISwapper.Swap memory swap = _good();
        swap.amountIn = 0;
        _refuses(swap, abi.encodeWithSelector(ISwapper.ZeroAmount.selector));
        swap = _good();
        swap.amountOut = 0;
        _refuses(swap, abi.encodeWithSelector(ISwapper.ZeroAmount.selector));
        swap = _good();
        swap.validBefore = START;
        _refuses(swap, abi.encodeWithSelector(ISwapper.SwapExpired.selector, START, START));
        swap = _good();
        swap.tokenIn = swap.tokenOut;
        _refuses(swap, abi.encodeWithSelector(ISwapper.SameToken.selector, swap.tokenOut));
        address[3] memory wrong = [address(0), address(swapper), address(router)];
        for (uint256 i = 0; i < wrong.length; ++i) {
            swap = _good();
            swap.receiver = wrong[i];
            _refuses(swap, abi.encodeWithSelector(ISwapper.ReceiverRefused.selector, wrong[i]));
        }
    }

    function test_E35_refuses_other_routes() public {
        ISwapper.Swap memory swap = _good();
        swap.route = _route(0, 1);
        _refuses(swap, abi.encodeWithSelector(ISwapper.AnotherRoute.selector, address(tokens[1]), address(tokens[0])));
        swap = _swap(0, 1, 100, 50, false);
        swap.route = _route(0, 2);
        bytes memory data = abi.encodeCall(swapper.swapExactInput, (swap));
        bytes memory failure =
            abi.encodeWithSelector(ISwapper.AnotherRoute.selector, address(tokens[0]), address(tokens[2]));
        _refuses(_caller, data, failure);
        bytes[3] memory malformed =
            [abi.encodePacked(tokens[1]), bytes.concat(_route(1, 0), hex"00"), bytes.concat(_route(1, 0), hex"0001f4")];
        for (uint256 i = 0; i < malformed.length; ++i) {
            swap = _good();
            swap.route = malformed[i];
            _refuses(swap, abi.encodeWithSelector(ISwapper.RouteMalformed.selector, malformed[i].length));
        }
    }

    function test_only_the_caller_pays_and_has_it() public {
        bytes memory data = abi.encodeCall(swapper.swapExactOutput, (_good()));
        _refuses(_stranger, data, abi.encodeWithSelector(ISwapper.AllowanceTooLow.selector, 0, 100));
        vm.prank(_stranger);
        tokens[0].approve(address(swapper), 100);
        _refuses(_stranger, data, abi.encodeWithSelector(ISwapper.BalanceTooLow.selector, 0, 100));
    }

    function test_says_in_the_router_s_words_why_it_failed() public {
        ISwapper.Swap memory swap = _swap(0, 1, 50, 50, true);
        bytes memory words = abi.encodeWithSignature("Error(string)", "STF");
        _refuses(swap, abi.encodeWithSelector(ISwapper.SwapFailed.selector, words));
        swap = _swap(0, 1, 50, 50, false);
        words = abi.encodeWithSignature("Error(string)", "Too little received");
        bytes memory data = abi.encodeCall(swapper.swapExactInput, (swap));
        _refuses(_caller, data, abi.encodeWithSelector(ISwapper.SwapFailed.selector, words));
    }

    function test_E01_E35_refuses_tokens_that_cheat() public {
        HostileToken hostile = new HostileToken();
        hostile.mint(_caller, 1_000);
        vm.prank(_caller);
        hostile.approve(address(swapper), 1_000);
        ISwapper.Swap memory swap = _good();
        (swap.tokenIn, swap.route) = (address(hostile), abi.encodePacked(swap.tokenOut, FEE, hostile));
        hostile.play(hostile.transferFrom.selector, HostileToken.Trick.ReturnFalse);
        _refuses(swap, abi.encodeWithSelector(ISwapper.TokenRefused.selector, address(hostile)));
        hostile.play(hostile.transferFrom.selector, HostileToken.Trick.ReturnTrue);
        _refuses(swap, abi.encodeWithSelector(ISwapper.AmountMismatch.selector, 0, 100));
        hostile.play(hostile.balanceOf.selector, HostileToken.Trick.Refuse);
        _refuses(swap, abi.encodeWithSelector(ISwapper.TokenRefused.selector, address(hostile)));
        _refuses(_swapForWhatStays(), abi.encodeWithSelector(ISwapper.OutputTooLow.selector, 0, 50));
    }

    /// @dev Over a router of one's own: whatever it does, the balances are judged.
    function test_E35_a_router_that_takes_or_brings_too_much_is_refused() public {
        Cheat cheat = new Cheat(tokens[1]);
        tokens[1].mint(address(cheat), 1_000);
        tokens[0].mint(address(cheat), 1_000);
        ISwapper cheated = ISwapper(_create(bytes.concat(_creationCode(), abi.encode(cheat))));
        vm.prank(_caller);
        tokens[0].approve(address(cheated), 1_000);
        ISwapper.Swap memory swap = _good();
        cheat.plan(tokens[0], 50, 7);
        bytes memory data = abi.encodeCall(swapper.swapExactOutput, (swap));
        vm.prank(_caller);
        (bool ok, bytes memory found) = address(cheated).call(data);
        bytes memory failure = abi.encodeWithSelector(ISwapper.InputMismatch.selector, 107, 100);
        vm.assertTrue(!ok && keccak256(found) == keccak256(failure), "more than there was");
        cheat.plan(tokens[0], 49, 0);
        vm.prank(_caller);
        (ok, found) = address(cheated).call(data);
        failure = abi.encodeWithSelector(ISwapper.OutputTooLow.selector, 49, 50);
        vm.assertTrue(!ok && keccak256(found) == keccak256(failure), "too little");
        cheat.plan(tokens[0], 51, 0);
        vm.prank(_caller);
        vm.assertEq(cheated.swapExactOutput(swap), 0, "a present is no harm");
        vm.assertEq(tokens[0].allowance(address(cheated), address(cheat)), 0, "and leaves no allowance");
    }

    /// @dev What lies there by mistake is no part of what the caller agreed to use.
    function test_E35_a_token_that_knows_no_allowance_is_held_to_the_most() public {
        LooseToken loose = new LooseToken();
        Cheat cheat = new Cheat(tokens[1]);
        tokens[1].mint(address(cheat), 1_000);
        ISwapper cheated = ISwapper(_create(bytes.concat(_creationCode(), abi.encode(cheat))));
        loose.mint(_caller, 1_000);
        loose.mint(address(cheated), 7);
        ISwapper.Swap memory swap = _good();
        (swap.tokenIn, swap.route) = (address(loose), abi.encodePacked(swap.tokenOut, FEE, loose));
        bytes memory data = abi.encodeCall(swapper.swapExactOutput, (swap));
        cheat.take(loose, 50, 101);
        vm.prank(_caller);
        (bool ok, bytes memory found) = address(cheated).call(data);
        bytes memory failure = abi.encodeWithSelector(ISwapper.InputMismatch.selector, 6, 107);
        vm.assertTrue(!ok && keccak256(found) == keccak256(failure), "more than the most");
        cheat.take(loose, 50, 100);
        vm.prank(_caller);
        vm.assertEq(cheated.swapExactOutput(swap), 100, "all of it");
        vm.assertEq(loose.balanceOf(_caller), 907, "and what lay there");
    }

    function test_a_router_has_code() public {
        bytes memory code = bytes.concat(_creationCode(), abi.encode(_stranger));
        address created;
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
        }
        vm.assertEq(created, address(0), "not created");
    }

    // ------------------------------------------------------------------ parts

    function _good() private view returns (ISwapper.Swap memory) {
        return _swap(0, 1, 100, 50, true);
    }

    /// @dev Through a token that moves nothing where it says so.
    function _swapForWhatStays() private returns (ISwapper.Swap memory swap) {
        HostileToken hostile = new HostileToken();
        hostile.mint(address(this), 1e18);
        tokens[0].mint(address(this), 1e18);
        (, bytes memory factory) = address(router).staticcall(abi.encodeWithSignature("factory()"));
        _pool(abi.decode(factory, (address)), address(tokens[0]), address(hostile), 2_000);
        hostile.play(hostile.transfer.selector, HostileToken.Trick.ReturnTrue);
        swap = _good();
        (swap.tokenOut, swap.route) = (address(hostile), abi.encodePacked(hostile, FEE, tokens[0]));
    }

    function _refuses(ISwapper.Swap memory swap, bytes memory failure) private {
        _refuses(_caller, abi.encodeCall(swapper.swapExactOutput, (swap)), failure);
    }

    function _refuses(address sender, bytes memory data, bytes memory failure) private {
        vm.prank(sender);
        (bool ok, bytes memory found) = address(swapper).call(data);
        vm.assertTrue(!ok, "refused");
        vm.assertEq(keccak256(found), keccak256(failure), "the error and its values");
    }
}

/// @notice A token that moves whatever anyone tells it to.
contract LooseToken is MockToken {
    constructor() MockToken("Loose Token", "LOOSE", 6) {}

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        _transfer(from, to, value);
        return true;
    }
}

/// @notice A router that pays the receiver out of its own, as much as it was told to, takes as much as it was told to, and
/// brings back what nobody asked.
contract Cheat {
    MockToken private _out;
    MockToken private _in;
    uint256 private _pays;
    uint256 private _brings;
    uint256 private _takes;

    constructor(MockToken out) {
        _out = out;
    }

    function plan(MockToken tokenIn, uint256 pays, uint256 brings) external {
        (_in, _pays, _brings) = (tokenIn, pays, brings);
    }

    function take(MockToken tokenIn, uint256 pays, uint256 takes) external {
        (_in, _pays, _takes) = (tokenIn, pays, takes);
    }

    fallback() external {
        (,, address to) = abi.decode(msg.data[4:], (uint256, uint256, address));
        _out.transfer(to, _pays);
        if (_brings != 0) _in.transfer(msg.sender, _brings);
        if (_takes != 0) _in.transferFrom(msg.sender, address(this), _takes);
        assembly {
            return(0, 0x20)
        }
    }
}
