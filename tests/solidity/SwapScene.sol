// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISwapRouter} from "../../contracts/interfaces/ISwapRouter.sol";
import {ISwapper} from "../../contracts/interfaces/ISwapper.sol";
import {MockToken} from "../../contracts/mocks/MockToken.sol";
import {MockWETH} from "../../contracts/mocks/MockWETH.sol";
import {Forge} from "./Forge.sol";

interface IFactory {
    function createPool(address one, address other, uint24 fee) external returns (address);
}

interface IPool {
    function initialize(uint160 sqrtPriceX96) external;

    function mint(address recipient, int24 lower, int24 upper, uint128 amount, bytes calldata data)
        external
        returns (uint256 amount0, uint256 amount1);

    function token0() external view returns (address);

    function token1() external view returns (address);
}

/// @notice Uniswap v3 as its authors compiled it, with three tokens and pools between them, and the swapper over it as
/// Ape compiled it.
abstract contract SwapScene is Forge {
    uint256 internal constant START = 1_801_389_600; // 31 January 2027, 10:00
    uint256 internal constant FUNDS = 1e15;
    uint24 internal constant FEE = 500;
    uint128 internal constant LIQUIDITY = 1e12;
    string private constant PACKAGES = "node_modules/@uniswap/";

    ISwapRouter internal router;
    ISwapper internal swapper;
    MockToken[3] internal tokens;
    /// @dev Trades at the router itself, with more than anyone has.
    address internal trader = address(0x74ade4);
    address internal receiver = address(0x4ece1);

    function _build() internal {
        vm.warp(START);
        address weth = address(new MockWETH());
        address factory = _create(_shipped("v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json"));
        bytes memory code = _shipped("v3-periphery/artifacts/contracts/SwapRouter.sol/SwapRouter.json");
        router = ISwapRouter(_create(bytes.concat(code, abi.encode(factory, weth))));
        swapper = ISwapper(_create(bytes.concat(_creationCode(), abi.encode(router))));
        for (uint256 i = 0; i < tokens.length; ++i) {
            tokens[i] = new MockToken("Mock", "MOCK", 6);
            tokens[i].mint(address(this), 1e24);
            _fund(trader, i, 1e24, address(router));
        }
        for (uint256 i = 1; i < tokens.length; ++i) {
            // As wide as it can be, and narrow: one price never ends, the liquidity of the other does.
            _pool(factory, address(tokens[i - 1]), address(tokens[i]), i == 1 ? int24(887_270) : int24(2_000));
        }
    }

    function _fund(address account, uint256 i, uint256 units, address spender) internal {
        tokens[i].mint(account, units);
        vm.prank(account);
        tokens[i].approve(spender, type(uint256).max);
    }

    function _pool(address factory, address one, address other, int24 edge) internal {
        IPool pool = IPool(IFactory(factory).createPool(one, other, FEE));
        pool.initialize(1 << 96);
        pool.mint(address(this), -edge, edge, LIQUIDITY, "");
    }

    /// @dev The pool asks its provider for what it is to have.
    function uniswapV3MintCallback(uint256 amount0, uint256 amount1, bytes calldata) external {
        MockToken(IPool(msg.sender).token0()).transfer(msg.sender, amount0);
        MockToken(IPool(msg.sender).token1()).transfer(msg.sender, amount1);
    }

    function _create(bytes memory code) internal returns (address created) {
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
        }
        vm.assertTrue(created != address(0), "created");
    }

    function _shipped(string memory path) private view returns (bytes memory) {
        return vm.parseJsonBytes(vm.readFile(string.concat(PACKAGES, path)), ".bytecode");
    }

    /// @dev As Ape compiled it: the code that is shipped.
    function _creationCode() internal view virtual returns (bytes memory) {
        string memory key = ".contractTypes.UniswapSwapper.deploymentBytecode.bytecode";
        return vm.parseJsonBytes(vm.readFile(".build/__local__.json"), key);
    }

    // ------------------------------------------------------------------ swaps

    /// @dev From one token to another, over the one between them where they are the first and the last.
    function _route(uint256 from, uint256 to) internal view returns (bytes memory) {
        if (from + to != 2) return abi.encodePacked(tokens[from], FEE, tokens[to]);
        return abi.encodePacked(tokens[from], FEE, tokens[1], FEE, tokens[to]);
    }

    function _swap(uint256 from, uint256 to, uint256 amountIn, uint256 amountOut, bool exactOutput)
        internal
        view
        returns (ISwapper.Swap memory)
    {
        return ISwapper.Swap({
            tokenIn: address(tokens[from]),
            tokenOut: address(tokens[to]),
            amountIn: amountIn,
            amountOut: amountOut,
            receiver: receiver,
            validBefore: block.timestamp + 1,
            route: exactOutput ? _route(to, from) : _route(from, to)
        });
    }

    /// @dev What an exact output costs at the router itself, for somebody who can pay anything. Nothing comes of it.
    function _cost(uint256 from, uint256 to, uint256 amountOut) internal returns (bool ok, uint256 cost) {
        uint256 state = vm.snapshotState();
        uint256 before = tokens[from].balanceOf(trader);
        bytes memory path = _route(to, from);
        vm.prank(trader);
        try router.exactOutput(
            ISwapRouter.ExactOutputParams(path, trader, block.timestamp, amountOut, type(uint256).max)
        ) {
            (ok, cost) = (true, before - tokens[from].balanceOf(trader));
        } catch {}
        vm.revertToState(state);
    }

    /// @dev What there is at the router itself for an exact input, and how much of that it takes. Nothing comes of it.
    function _worth(uint256 from, uint256 to, uint256 amountIn)
        internal
        returns (bool ok, uint256 used, uint256 worth)
    {
        uint256 state = vm.snapshotState();
        (uint256 had, uint256 had2) = (tokens[from].balanceOf(trader), tokens[to].balanceOf(trader));
        bytes memory path = _route(from, to);
        vm.prank(trader);
        try router.exactInput(ISwapRouter.ExactInputParams(path, trader, block.timestamp, amountIn, 0)) {
            (ok, used, worth) = (true, had - tokens[from].balanceOf(trader), tokens[to].balanceOf(trader) - had2);
        } catch {}
        vm.revertToState(state);
    }

    /// @dev Neither verb leaves anything of these behind.
    function _assertNothingIsLeft() internal view {
        for (uint256 i = 0; i < tokens.length; ++i) {
            vm.assertEq(tokens[i].allowance(address(swapper), address(router)), 0, "no allowance is left");
        }
    }
}
