// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISubscriptionsTypes} from "../interfaces/ISubscriptionsTypes.sol";

/// @title TokenCall
/// @notice Token calls that can fail without failing the caller: bounded gas, bounded copy of the answer, no revert.
/// @dev OpenZeppelin's `trySafeTransferFrom` forwards all gas; inside a batch a hostile token could burn it and take
/// the other rows down with it.
library TokenCall {
    /// @notice Gas that a token call may use. The dearest tokens in use (lending receipts, proxies with hooks) need
    /// about half of it.
    uint256 internal constant GAS = 250_000;

    /// @dev Gas that must remain beside `GAS`, so that the caller can still write down what happened.
    uint256 private constant RESERVE = 30_000;

    /// @notice The call was sent with too little gas to tell a refusing token from a starved one.
    /// @param found Gas left before the token call.
    /// @param needed Gas that must be left there.
    error InsufficientGas(uint256 found, uint256 needed);

    /// @notice Moves `amount` of `token` from `from` to `to` by allowance.
    /// @return ok False where the token reverted, ran over `GAS`, or is no contract. A token that returns nothing
    /// counts as moved: the caller compares balances. One that answers anything but true may have moved all the same:
    /// what it did must be undone, so this reverts with AmountMismatch.
    function tryTransferFrom(address token, address from, address to, uint256 amount) internal returns (bool ok) {
        uint256 gasLimit = reserved();
        bool lied;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, shl(224, 0x23b872dd)) // transferFrom(address,address,uint256)
            mstore(add(data, 0x04), shr(96, shl(96, from))) // what stands above an address in a word is undefined
            mstore(add(data, 0x24), shr(96, shl(96, to)))
            mstore(add(data, 0x44), amount)
            ok := call(gasLimit, token, 0, data, 0x64, 0x00, 0x20)
            if ok {
                switch returndatasize()
                case 0 { ok := iszero(iszero(extcodesize(token))) }
                default { lied := iszero(and(gt(returndatasize(), 0x1f), eq(mload(0x00), 1))) }
            }
        }
        if (lied) revert ISubscriptionsTypes.AmountMismatch(0, amount);
    }

    /// @notice Moves `amount` of `token` from this contract to `to`.
    /// @return ok False where the token reverted, answered anything but true, ran over `GAS`, or is no contract. One that
    /// returns nothing counts as moved. Nobody can undo a payment to somebody else, so a token that moves and denies it
    /// is taken at its word.
    function tryTransfer(address token, address to, uint256 amount) internal returns (bool ok) {
        uint256 gasLimit = reserved();
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, shl(224, 0xa9059cbb)) // transfer(address,uint256)
            mstore(add(data, 0x04), shr(96, shl(96, to)))
            mstore(add(data, 0x24), amount)
            ok := call(gasLimit, token, 0, data, 0x44, 0x00, 0x20)
            if ok {
                switch returndatasize()
                case 0 { ok := iszero(iszero(extcodesize(token))) }
                default { ok := and(gt(returndatasize(), 0x1f), eq(mload(0x00), 1)) }
            }
        }
    }

    /// @notice The balance of `account`, or (false, 0) where the token does not say within `gasLimit`.
    function tryBalanceOf(address token, address account, uint256 gasLimit)
        internal
        view
        returns (bool ok, uint256 found)
    {
        assembly ("memory-safe") {
            mstore(0x00, shl(224, 0x70a08231)) // balanceOf(address)
            mstore(0x04, shr(96, shl(96, account)))
            ok := and(gt(returndatasize(), 0x1f), staticcall(gasLimit, token, 0x00, 0x24, 0x00, 0x20))
            if ok { found := mload(0x00) }
        }
    }

    /// @notice The balance of `account`, asked with all gas that is left. Reverts with TokenRefused where the token does
    /// not say.
    function balanceOf(address token, address account) internal view returns (uint256 found) {
        bool ok;
        assembly ("memory-safe") {
            mstore(0x00, shl(224, 0x70a08231)) // balanceOf(address)
            mstore(0x04, shr(96, shl(96, account)))
            ok := and(gt(returndatasize(), 0x1f), staticcall(gas(), token, 0x00, 0x24, 0x00, 0x20))
            found := mload(0x00)
        }
        if (!ok) revert ISubscriptionsTypes.TokenRefused(token);
    }

    /// @notice What `owner` lets `spender` move, or (false, 0) where the token does not say within `gasLimit`.
    function tryAllowance(address token, address owner, address spender, uint256 gasLimit)
        internal
        view
        returns (bool ok, uint256 found)
    {
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, shl(224, 0xdd62ed3e)) // allowance(address,address)
            mstore(add(data, 0x04), shr(96, shl(96, owner)))
            mstore(add(data, 0x24), shr(96, shl(96, spender)))
            ok := and(gt(returndatasize(), 0x1f), staticcall(gasLimit, token, data, 0x44, 0x00, 0x20))
            if ok { found := mload(0x00) }
        }
    }

    /// @notice Whether the token says that `account` is blocked: `isBlacklisted` (USDC), `isBlackListed` (USDT) or
    /// `isFrozen` (PYUSD).
    function isBlocked(address token, address account) internal view returns (bool) {
        return _isYes(token, 0xfe575a87, account) || _isYes(token, 0xe47d6060, account)
            || _isYes(token, 0xe5839836, account);
    }

    function _isYes(address token, uint256 selector, address account) private view returns (bool yes) {
        uint256 gasLimit = reserved();
        assembly ("memory-safe") {
            mstore(0x00, shl(224, selector))
            mstore(0x04, shr(96, shl(96, account)))
            yes := and(gt(returndatasize(), 0x1f), staticcall(gasLimit, token, 0x00, 0x24, 0x00, 0x20))
            yes := and(yes, eq(mload(0x00), 1))
        }
    }

    /// @notice `GAS`, after making sure that it is there.
    /// @dev A call gets at most 63/64 of the gas that is left (EIP-150); less than `GAS` would let a caller fake a
    /// decline by sending too little.
    function reserved() internal view returns (uint256) {
        uint256 needed = GAS + GAS / 63 + RESERVE;
        if (gasleft() < needed) revert InsufficientGas(gasleft(), needed);
        return GAS;
    }
}
