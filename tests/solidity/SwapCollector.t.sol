// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SwapCollector} from "../../contracts/SwapCollector.sol";
import {ICheckout} from "../../contracts/interfaces/ICheckout.sol";
import {IFunding} from "../../contracts/interfaces/IFunding.sol";
import {ISwapCollector} from "../../contracts/interfaces/ISwapCollector.sol";
import {ISwapper} from "../../contracts/interfaces/ISwapper.sol";
import {MockToken} from "../../contracts/mocks/MockToken.sol";
import {CheckoutScene} from "./CheckoutScene.sol";

/// @notice Stands in for a swapper whose price is known: takes `cost` of what it may, gives what is wanted.
contract PricedSwapper {
    uint256 public cost;

    function setCost(uint256 units) external {
        cost = units;
    }

    function swapExactOutput(ISwapper.Swap calldata swap) external returns (uint256) {
        MockToken(swap.tokenIn).transferFrom(msg.sender, address(this), cost);
        MockToken(swap.tokenOut).mint(swap.receiver, swap.amountOut);
        return cost;
    }
}

/// @notice Whatever a swap costs, and however long its route is: payees have the whole, the payer pays that and no more.
contract SwapCollectorTest is CheckoutScene {
    SwapCollector private _collector;
    PricedSwapper private _swapper;
    MockToken private _paid;

    function setUp() public {
        _build();
        (_collector, _swapper) = (new SwapCollector(checkout), new PricedSwapper());
        _paid = new MockToken("Paid", "PAID", 6);
    }

    function testFuzz_E35_the_payer_pays_what_it_costs(uint256 parts, uint96 amount, uint256 most, uint256 cost, bytes calldata route)
        public
    {
        (parts, amount, most) = (bound(parts, 1, 16), uint96(bound(amount, 1, 1e28)), bound(most, 1, 1e30));
        cost = bound(cost, 0, most);
        ICheckout.Quote memory quote = _quote(7, parts, amount);
        _paid.mint(payer, most);
        vm.prank(payer);
        _paid.approve(address(_collector), most);
        _swapper.setCost(cost);
        ISwapCollector.Payment memory payment =
            ISwapCollector.Payment(ISwapper(address(_swapper)), address(_paid), most, route, "");
        bytes memory offer = _offer(quote);
        vm.prank(payer);
        vm.assertEq(_collector.payQuote(quote, offer, payment), _digest(_structHash(quote)), "named");
        vm.assertEq(_paid.balanceOf(payer), most - cost, "the rest came back");
        vm.assertEq(_paid.allowance(address(_collector), address(_swapper)), 0, "no allowance is left");
        vm.assertEq(_paid.balanceOf(address(_collector)), 0, "nothing is left");
        for (uint256 i = 0; i < parts; ++i) {
            vm.assertEq(token.balanceOf(_payeeOf(i)), amount + i, "part");
        }
    }

    function test_a_permit_that_fails_leaves_the_allowance_to_decide() public {
        ISwapCollector.Payment memory payment =
            ISwapCollector.Payment(ISwapper(address(_swapper)), address(_paid), 5, "", new bytes(160));
        _refuses(payer, _quote(7, 1, 5), payment, abi.encodeWithSelector(IFunding.AllowanceTooLow.selector, 0, 5));
    }

    function test_nobody_else_asks_for_money() public {
        vm.prank(stranger);
        (bool ok, bytes memory failure) =
            address(_collector).call(abi.encodeCall(_collector.collect, (0, address(token), payer, 1)));
        vm.assertTrue(!ok, "refused");
        bytes memory expected = abi.encodeWithSelector(ISwapCollector.NotAuthorized.selector, stranger);
        vm.assertEq(keccak256(failure), keccak256(expected), "refused with");
    }

    /// @dev E02: a token that takes from the collector what it keeps by mistake.
    function test_E02_more_is_gone_than_came() public {
        TakingToken taking = new TakingToken();
        taking.mint(address(_collector), 10);
        taking.mint(payer, 5);
        vm.prank(payer);
        taking.approve(address(_collector), 5);
        taking.take(address(_swapper));
        _swapper.setCost(5);
        ISwapCollector.Payment memory payment =
            ISwapCollector.Payment(ISwapper(address(_swapper)), address(taking), 5, "", "");
        _refuses(payer, _quote(7, 1, 5), payment, abi.encodeWithSelector(ISwapCollector.InputMismatch.selector, 9, 10));
    }

    function _refuses(
        address sender,
        ICheckout.Quote memory quote,
        ISwapCollector.Payment memory payment,
        bytes memory expected
    ) private {
        bytes memory call = abi.encodeCall(_collector.payQuote, (quote, _offer(quote), payment));
        vm.prank(sender);
        (bool ok, bytes memory failure) = address(_collector).call(call);
        vm.assertTrue(!ok, "refused");
        vm.assertEq(keccak256(failure), keccak256(expected), "refused with");
    }
}

/// @notice Takes a unit more from whom it moves to one account.
contract TakingToken is MockToken {
    address private _taker;

    constructor() MockToken("Taking", "TAKE", 6) {}

    function take(address taker) external {
        _taker = taker;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, to == _taker && value != 0 ? value + 1 : value);
    }
}
