// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ISubscriptions} from "../../contracts/interfaces/ISubscriptions.sol";
import {HostileToken} from "../../contracts/mocks/HostileToken.sol";
import {MockToken} from "../../contracts/mocks/MockToken.sol";
import {MockUSDT} from "../../contracts/mocks/MockUSDT.sol";
import {Forge} from "./Forge.sol";

/// @notice Everybody who meets at the contract: payers with keys, payees, tokens good and bad; and what each must own if
/// money moves only as the contract's events say.
abstract contract Market is Forge {
    uint256 internal constant PAYERS = 4;
    uint256 internal constant PAYEES = 2;
    uint256 internal constant TOKENS = 3;
    uint256 private constant START = 1_801_389_600; // 31 January 2027, 10:00

    ISubscriptions internal immutable subscriptions = ISubscriptions(_deploy("Subscriptions"));
    HostileToken private immutable _hostile = new HostileToken();
    MockUSDT private immutable _usdt = new MockUSDT();
    address[] internal tokens;
    address[] internal payers;
    address[] internal payees = [address(0xa11ce), address(0xb0b)];

    mapping(address token => mapping(address account => uint256)) private _owned;
    uint256 private _time = START;

    /// @dev Forge sets the clock back after each action.
    modifier clocked() {
        vm.warp(_time);
        _;
    }

    constructor() clocked {
        tokens = [address(new MockToken("Mock Dollar", "MUSD", 6)), address(_hostile), address(_usdt)];
        for (uint256 i = 0; i < PAYERS; ++i) {
            payers.push(vm.addr(_keyOf(i)));
        }
        for (uint256 t = 0; t < TOKENS; ++t) {
            for (uint256 i = 0; i < PAYERS; ++i) {
                mint(i, t, 1e12);
                _approve(payers[i], tokens[t], type(uint256).max);
            }
            for (uint256 i = 0; i < PAYEES; ++i) {
                _approve(payees[i], tokens[t], type(uint256).max);
            }
        }
    }

    // ---------------------------------------------------------------- actions

    function pass(uint256 time) external {
        _time += bound(time, 0, time % 3 == 0 ? 2 days : 90 days);
    }

    function mint(uint256 payer, uint256 token, uint256 amount) public {
        (address to, address asset) = (payers[payer % PAYERS], tokens[token % TOKENS]);
        amount = bound(amount, 0, 1e12);
        MockToken(asset).mint(to, amount);
        _owned[asset][to] += amount;
    }

    /// @dev A payer spends elsewhere, often all of it.
    function spend(uint256 payer, uint256 token, uint256 amount) external {
        (address from, address asset) = (payers[payer % PAYERS], tokens[token % TOKENS]);
        amount = amount % 2 == 0 ? _owned[asset][from] : bound(amount, 0, _owned[asset][from]);
        _call(from, asset, abi.encodeCall(IERC20.transfer, (address(0xdead), amount)));
        _owned[asset][from] -= amount;
    }

    function approve(uint256 payer, uint256 token, uint256 amount) external {
        if (amount % 4 == 0) amount = 0;
        if (amount % 4 == 1) amount = type(uint256).max;
        _approve(payers[payer % PAYERS], tokens[token % TOKENS], amount);
    }

    /// @dev The hostile token plays a trick in one of its functions; an even seed makes it behave.
    function misbehave(uint256 seed) external {
        bytes4[3] memory functions =
            [IERC20.transferFrom.selector, IERC20.balanceOf.selector, IERC20.allowance.selector];
        for (uint256 i = 0; i < 3; ++i) {
            _hostile.play(functions[i], HostileToken.Trick.None);
        }
        if (seed % 2 == 1) _hostile.play(functions[seed / 2 % 3], HostileToken.Trick(seed / 6 % 10));
    }

    /// @dev USDT's fee goes on or off.
    function setFee(uint256 feeBps) external {
        _usdt.setParams(feeBps % 2 == 0 ? 0 : feeBps % 20, type(uint256).max);
    }

    // ------------------------------------------------------------------ parts

    /// @dev As Ape compiled it: the code that is shipped, and nothing for Forge to compile.
    function _deploy(string memory name) private returns (address deployed) {
        string memory key = string.concat(".contractTypes.", name, ".deploymentBytecode.bytecode");
        bytes memory code = vm.parseJsonBytes(vm.readFile(".build/__local__.json"), key);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 0x20), mload(code))
        }
    }

    function _keyOf(uint256 payer) internal pure returns (uint256) {
        return 0xA000 + payer;
    }

    function _passTo(uint256 time) internal {
        if (time > _time) _time = time;
    }

    function _now() internal view returns (uint256) {
        return _time;
    }

    /// @dev An event of the contract says that money moved: nothing else may move it.
    function _moved(address token, address from, address to, uint256 amount) internal {
        _owned[token][from] -= amount;
        _owned[token][to] += amount;
    }

    /// @dev What left payers arrived at payees, to the unit, and nothing stayed in between.
    function _assertMoney() internal {
        HostileToken.Trick trick = _hostile.trickOf(IERC20.balanceOf.selector);
        _hostile.play(IERC20.balanceOf.selector, HostileToken.Trick.None);
        for (uint256 t = 0; t < TOKENS; ++t) {
            for (uint256 i = 0; i < PAYERS; ++i) {
                _assertOwns(tokens[t], payers[i], "a payer's balance");
            }
            for (uint256 i = 0; i < PAYEES; ++i) {
                _assertOwns(tokens[t], payees[i], "a payee's balance");
            }
            _assertOwns(tokens[t], address(subscriptions), "the contract's balance");
        }
        _hostile.play(IERC20.balanceOf.selector, trick);
    }

    function _assertOwns(address token, address account, string memory what) private view {
        vm.assertEq(IERC20(token).balanceOf(account), _owned[token][account], what);
    }

    /// @dev USDT wants a zero in between, and answers nothing.
    function _approve(address owner, address token, uint256 amount) private {
        _call(owner, token, abi.encodeCall(IERC20.approve, (address(subscriptions), 0)));
        _call(owner, token, abi.encodeCall(IERC20.approve, (address(subscriptions), amount)));
    }

    function _call(address sender, address target, bytes memory data) private {
        vm.prank(sender);
        (bool ok,) = target.call(data);
        vm.assertTrue(ok, "a payer's own call");
    }
}
