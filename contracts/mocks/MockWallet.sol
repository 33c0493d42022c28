// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {ITokenHooks} from "./HookedToken.sol";

/// @notice A contract account: signs by ERC-1271 with a key that can be changed, calls what it is told to, and answers
/// token hooks with a call of one's choice, whose outcome it keeps. It works as the code of an EIP-7702 account as
/// well.
contract MockWallet is IERC1271, ITokenHooks {
    address public signer;
    bool public burnsGas;
    address private _hookTarget;
    bytes private _hookCall;

    /// @notice What became of the calls made in hooks.
    uint256 public hooks;
    bool public hookSucceeded;
    bytes public hookAnswer;

    function setSigner(address newSigner) external {
        signer = newSigner;
    }

    /// @notice Calls `target` with `data` in every hook from now on.
    function setHook(address target, bytes calldata data) external {
        (_hookTarget, _hookCall) = (target, data);
    }

    /// @notice Uses up all gas in every hook and signature check.
    function setBurnsGas(bool burns) external {
        burnsGas = burns;
    }

    function execute(address target, bytes calldata data) external returns (bytes memory answer) {
        bool ok;
        (ok, answer) = target.call(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        _mayBurnGas();
        (address recovered,,) = ECDSA.tryRecover(hash, signature);
        return recovered != address(0) && recovered == signer ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    function tokensToSend() external {
        _hook();
    }

    function tokensReceived() external {
        _hook();
    }

    function _hook() private {
        _mayBurnGas();
        address target = _hookTarget;
        if (target == address(0)) return;
        _hookTarget = address(0); // no hook within the hook
        (hookSucceeded, hookAnswer) = target.call(_hookCall);
        _hookTarget = target;
        ++hooks;
    }

    function _mayBurnGas() private view {
        if (!burnsGas) return;
        assembly {
            invalid()
        }
    }
}
