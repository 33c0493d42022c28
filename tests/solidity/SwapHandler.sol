// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISwapRouter} from "../../contracts/interfaces/ISwapRouter.sol";
import {ISwapper} from "../../contracts/interfaces/ISwapper.sol";
import {SwapScene} from "./SwapScene.sol";

/// @notice Swaps at random, for and against each other, and knows beforehand what each swap must cost or why it must fail,
/// because the router itself was asked for the same in the same state.
contract SwapHandler is SwapScene {
    /// @notice How often each thing was done.
    mapping(string what => uint256) public done;

    address[3] private _callers = [address(0xCA11), address(0xCA12), address(0xCA13)];
    mapping(uint256 i => uint256) private _lying; // of a token, at the swapper, by mistake
    mapping(uint256 i => mapping(address account => uint256)) private _owned;
    mapping(uint256 i => uint256) private _received;

    /// @dev Once, at first; a contract that is being created cannot answer the pools.
    function begin() external {
        _build();
        for (uint256 i = 0; i < tokens.length; ++i) {
            for (uint256 c = 0; c < _callers.length; ++c) {
                _fund(_callers[c], i, FUNDS, address(swapper));
                _owned[i][_callers[c]] = FUNDS;
            }
        }
    }

    /// @dev An exact output, with a maximum that is around what it costs, or anything.
    function buy(uint256 seed, uint256 amountOut, uint256 most) external {
        seed = uint256(keccak256(abi.encode(seed))); // Forge likes small numbers, whose high bits choose nothing
        (address caller, uint256 from, uint256 to) = _parties(seed);
        amountOut = bound(amountOut, 1, LIQUIDITY / 2);
        (bool exists, uint256 cost) = _cost(from, to, amountOut);
        most = (seed >> 24) % 4 == 0 ? bound(most, 1, 2 * FUNDS) : bound(cost + most % 3, 2, type(uint128).max) - 1;
        ISwapper.Swap memory swap = _swap(from, to, most, amountOut, true);
        bool isLate = (seed >> 32) % 16 == 0;
        if (isLate) swap.validBefore = block.timestamp;
        bool expected = exists && !isLate && cost <= most && most <= _owned[from][caller];

        vm.prank(caller);
        try swapper.swapExactOutput(swap) returns (uint256 used) {
            vm.assertTrue(expected, "made where it may be");
            vm.assertEq(used, cost, "what it costs at the router");
            _moves(caller, from, to, used, amountOut);
            ++done[from + to == 2 ? "bought over two pools" : "bought"];
            if (used == most) ++done["bought for all of the maximum"];
        } catch (bytes memory reason) {
            vm.assertTrue(!expected, "refused where it must be");
            _assertReason(reason, isLate, most > _owned[from][caller]);
            ++done[isLate ? "too late" : exists ? "above the maximum" : "beyond the liquidity"];
        }
        _assertAll();
    }

    /// @dev An exact input, with a minimum that is around what there is for it.
    function sell(uint256 seed, uint256 amountIn, uint256 least) external {
        seed = uint256(keccak256(abi.encode(seed))); // Forge likes small numbers, whose high bits choose nothing
        (address caller, uint256 from, uint256 to) = _parties(seed);
        amountIn = bound(amountIn, 1, LIQUIDITY);
        (bool exists, uint256 used, uint256 worth) = _worth(from, to, amountIn);
        least = bound(worth + least % 3, 2, type(uint128).max) - 1;
        ISwapper.Swap memory swap = _swap(from, to, amountIn, least, false);
        bool isLate = (seed >> 32) % 16 == 0;
        if (isLate) swap.validBefore = block.timestamp - 1;
        bool expected = exists && !isLate && least <= worth && amountIn <= _owned[from][caller];

        vm.prank(caller);
        try swapper.swapExactInput(swap) returns (uint256 usedOf, uint256 received) {
            vm.assertTrue(expected, "made where it may be");
            vm.assertEq(usedOf, used, "what it takes at the router");
            vm.assertEq(received, worth, "what it brings there");
            _moves(caller, from, to, usedOf, received);
            ++done[used < amountIn ? "sold in part" : "sold"];
        } catch (bytes memory reason) {
            vm.assertTrue(!expected, "refused where it must be");
            _assertReason(reason, isLate, amountIn > _owned[from][caller]);
            ++done[isLate ? "too late" : "below the minimum"];
        }
        _assertAll();
    }

    /// @dev Somebody else's trade, which moves the price.
    function trade(uint256 seed, uint256 amountIn) external {
        (, uint256 from, uint256 to) = _parties(seed);
        amountIn = bound(amountIn, 1, LIQUIDITY / 4);
        bytes memory path = _route(from, to);
        vm.prank(trader);
        try router.exactInput(ISwapRouter.ExactInputParams(path, trader, block.timestamp, amountIn, 0)) {
            ++done["traded"];
        } catch {}
    }

    /// @dev By mistake: it goes to who swaps that token next.
    function donate(uint256 seed, uint256 units) external {
        uint256 i = seed % tokens.length;
        units = bound(units, 1, 1e6);
        vm.prank(trader);
        tokens[i].transfer(address(swapper), units);
        _lying[i] += units;
        ++done["donated"];
        _assertAll();
    }

    function _parties(uint256 seed) private view returns (address caller, uint256 from, uint256 to) {
        caller = _callers[seed % _callers.length];
        from = (seed >> 8) % tokens.length;
        to = (from + 1 + (seed >> 16) % 2) % tokens.length;
    }

    function _moves(address caller, uint256 from, uint256 to, uint256 used, uint256 received) private {
        _owned[from][caller] = _owned[from][caller] - used + _lying[from];
        _lying[from] = 0;
        _received[to] += received;
    }

    function _assertReason(bytes memory reason, bool isLate, bool isPoor) private pure {
        bytes4 expected = isLate
            ? ISwapper.SwapExpired.selector
            : isPoor ? ISwapper.BalanceTooLow.selector : ISwapper.SwapFailed.selector;
        vm.assertEq(bytes32(bytes4(reason)), bytes32(expected), "the error");
    }

    /// @dev Everyone has what they should have, to the unit, and the swapper nothing but what lies there by mistake.
    function _assertAll() private view {
        for (uint256 i = 0; i < tokens.length; ++i) {
            vm.assertEq(tokens[i].balanceOf(address(swapper)), _lying[i], "nothing is left");
            vm.assertEq(tokens[i].balanceOf(receiver), _received[i], "the receiver's");
            for (uint256 c = 0; c < _callers.length; ++c) {
                vm.assertEq(tokens[i].balanceOf(_callers[c]), _owned[i][_callers[c]], "the caller's");
            }
        }
        _assertNothingIsLeft();
    }
}
