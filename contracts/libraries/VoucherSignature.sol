// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {TokenCall} from "./TokenCall.sol";

/// @title VoucherSignature
/// @notice Judges a signature of a key, or of an account: by its key, by its code (ERC-1271), by either where it has both
/// (EIP-7702). It calls nothing but the account's code, which cannot change anything, with as much gas as the caller
/// says: so it can judge one in a batch that others share.
library VoucherSignature {
    /// @notice Whether `key` signed `digest`. Zero signed nothing.
    function isByKey(address key, bytes32 digest, bytes calldata signature) internal pure returns (bool) {
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature); // zero with every error
        return recovered != address(0) && recovered == key;
    }

    /// @notice Whether `account` signed `digest`, within the gas that a token call may use.
    function isByAccount(address account, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        if (isByKey(account, digest, signature)) return true;
        return account.code.length != 0 && _accepts(account, digest, signature, TokenCall.reserved());
    }

    /// @notice Whether `account` signed `digest`, with `gasLimit` for its code.
    function isByAccount(address account, bytes32 digest, bytes calldata signature, uint256 gasLimit)
        internal
        view
        returns (bool)
    {
        return isByKey(account, digest, signature) || _accepts(account, digest, signature, gasLimit);
    }

    /// @dev An account without code answers nothing, which is no.
    function _accepts(address account, bytes32 digest, bytes calldata signature, uint256 gasLimit)
        private
        view
        returns (bool yes)
    {
        bytes4 magic = IERC1271.isValidSignature.selector;
        assembly ("memory-safe") {
            let data := mload(0x40)
            let size := signature.length
            mstore(data, magic)
            mstore(add(data, 0x04), digest)
            mstore(add(data, 0x24), 0x40)
            mstore(add(data, 0x44), size)
            calldatacopy(add(data, 0x64), signature.offset, size)
            let padded := and(add(size, 0x1f), not(0x1f))
            mstore(add(add(data, 0x64), size), 0)
            yes := staticcall(gasLimit, account, data, add(0x64, padded), 0x00, 0x20)
            yes := and(and(yes, gt(returndatasize(), 0x1f)), eq(mload(0x00), magic))
        }
    }
}
