// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {TokenCall} from "./TokenCall.sol";

/// @notice What we use of Permit2's AllowanceTransfer (https://github.com/Uniswap/permit2).
interface IPermit2 {
    /// @param expiration Last second at which the allowance can be used.
    /// @param nonce Of owner, token and spender; each permit uses the next.
    struct PermitDetails {
        address token;
        uint160 amount;
        uint48 expiration;
        uint48 nonce;
    }

    struct PermitSingle {
        PermitDetails details;
        address spender;
        uint256 sigDeadline;
    }

    function permit(address owner, PermitSingle calldata permitSingle, bytes calldata signature) external;

    function transferFrom(address from, address to, uint160 amount, address token) external;

    function allowance(address owner, address token, address spender)
        external
        view
        returns (uint160 amount, uint48 expiration, uint48 nonce);
}

/// @title Permit2Call
/// @notice Calls of Permit2 that can fail without failing the caller: no revert, bounded copy of the answer, and
/// bounded gas where a token may have a say in it.
/// @dev Two allowances stand behind a transfer: the payer's to Permit2, in the token, and the payer's to us, in
/// Permit2. Permit2's address is made of its code (CREATE2), so what is there is Permit2 or nothing. Not protected:
/// chains whose own rules for addresses put Permit2 elsewhere; there every call here fails.
library Permit2Call {
    /// @notice Permit2's address on every chain that has it.
    address internal constant PERMIT2 = 0x000000000022D473030F116dDEE9F6B43aC78BA3;

    /// @notice Gas that a transfer may use: `TokenCall.GAS` for the token, which gets 63/64 of what Permit2 has left
    /// (EIP-150), and 16,000 for Permit2 itself, which uses some 6,000.
    uint256 internal constant GAS = TokenCall.GAS + TokenCall.GAS / 63 + 16_000;

    /// @dev Gas that must remain beside `GAS`, so that the caller can still write down what happened.
    uint256 private constant RESERVE = 30_000;

    /// @notice Moves `amount` of `token` from `from` to `to` by their allowance to this contract in Permit2.
    /// @return ok False where Permit2 or the token refused, the call ran over `GAS`, token or Permit2 is no contract,
    /// or the amount is above 160 bits, Permit2's largest. As in TokenCall, the caller compares balances: Permit2 takes
    /// a token that returns nothing at its word. Whatever else but true a token answers, Permit2 undoes what it did.
    function tryTransferFrom(address token, address from, address to, uint256 amount) internal returns (bool ok) {
        uint256 gasLimit = reserved();
        uint256 selector = uint32(IPermit2.transferFrom.selector);
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, shl(224, selector))
            mstore(add(data, 0x04), shr(96, shl(96, from))) // what stands above an address in a word is undefined
            mstore(add(data, 0x24), shr(96, shl(96, to)))
            mstore(add(data, 0x44), amount) // above 160 bits, Permit2 refuses it
            mstore(add(data, 0x64), shr(96, shl(96, token)))
            // To Permit2, a token without code is one that returns nothing.
            if and(iszero(iszero(extcodesize(PERMIT2))), iszero(iszero(extcodesize(token)))) {
                ok := call(gasLimit, PERMIT2, 0, data, 0x84, 0x00, 0x00)
            }
        }
    }

    /// @notice What `owner` lets `spender` move of `token` through Permit2, 0 once it has expired; (false, 0) where
    /// there is no Permit2. The largest amount, 2^160 - 1, is not used up.
    /// @dev With all gas: Permit2 needs some 3,000, and where that is not left, the 64th part of it that the caller
    /// keeps is too little to do anything with the answer.
    function tryAllowance(address token, address owner, address spender)
        internal
        view
        returns (bool ok, uint256 allowance)
    {
        uint256 selector = uint32(IPermit2.allowance.selector);
        uint256 expiration;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, shl(224, selector))
            mstore(add(data, 0x04), shr(96, shl(96, owner)))
            mstore(add(data, 0x24), shr(96, shl(96, token)))
            mstore(add(data, 0x44), shr(96, shl(96, spender)))
            ok := and(gt(returndatasize(), 0x5f), staticcall(gas(), PERMIT2, data, 0x64, data, 0x60))
            if ok {
                allowance := mload(data)
                expiration := mload(add(data, 0x20))
            }
        }
        if (block.timestamp > expiration) allowance = 0;
    }

    /// @notice Hands a permit to Permit2 and does not look at what becomes of it: somebody may have used it before
    /// (E10), and whatever it says, only `tryAllowance` tells what may be moved.
    /// @dev With all gas: where the owner is a contract, its signature check is between it and who submits the permit.
    function tryPermit(address owner, IPermit2.PermitSingle calldata permitSingle, bytes calldata signature) internal {
        uint256 selector = uint32(IPermit2.permit.selector);
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, shl(224, selector))
            mstore(add(data, 0x04), shr(96, shl(96, owner)))
            calldatacopy(add(data, 0x24), permitSingle, 0xc0) // its six words as they came: Permit2 checks them
            mstore(add(data, 0xe4), 0x100) // where the signature begins
            mstore(add(data, 0x104), signature.length)
            calldatacopy(add(data, 0x124), signature.offset, signature.length)
            pop(call(gas(), PERMIT2, 0, data, add(0x124, signature.length), 0x00, 0x00))
        }
    }

    /// @notice `GAS`, after making sure that it is there (see `TokenCall.reserved`).
    function reserved() internal view returns (uint256) {
        uint256 needed = GAS + GAS / 63 + RESERVE;
        if (gasleft() < needed) revert TokenCall.InsufficientGas(gasleft(), needed);
        return GAS;
    }
}
