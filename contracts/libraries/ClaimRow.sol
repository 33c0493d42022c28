// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IChannels} from "../interfaces/IChannels.sol";
import {ChannelHash} from "./ChannelHash.sol";

/// @dev A row of `claimRows`, over the terms that all rows have in common. The first eight words are what a channel's id
/// is hashed of, where they stand.
/// @param most What the voucher says.
/// @param total What is asked for of it.
/// @param bySpendingKey Whether the voucher is signed by one.
struct ClaimRow {
    bytes32 typehash;
    address payer;
    address payerAuthorizer;
    address receiver;
    address receiverAuthorizer;
    address token;
    uint256 withdrawDelay;
    bytes32 salt;
    uint256 most;
    uint256 total;
    bool bySpendingKey;
}

/// @dev What is said of a spending key in front of its signature.
struct SpendingKey {
    address key;
    uint128 limit;
    uint40 validBefore;
}

using ClaimRows for ClaimRow global;

/// @title ClaimRows
/// @notice Reads the rows of `claimRows`; their layout is in {IChannels}.
library ClaimRows {
    uint256 private constant HEAD = 90;
    uint256 private constant SIZE_MASK = 0x3fff;
    /// @dev Of a spending key's signature, before the payer's begins.
    uint256 private constant KEY_HEAD = 106;
    uint256 private constant KEY_SIGNATURE_AT = 41;

    /// @notice A row of which the first word and the common terms are there.
    function blank(address receiver, address receiverAuthorizer, address token, uint256 withdrawDelay)
        internal
        pure
        returns (ClaimRow memory row)
    {
        (row.typehash, row.receiver, row.receiverAuthorizer) =
            (ChannelHash.CHANNEL_CONFIG, receiver, receiverAuthorizer);
        (row.token, row.withdrawDelay) = (token, withdrawDelay);
    }

    /// @notice Puts the row that begins at `start` into `row`, over the one before: a batch pays for memory once.
    /// @return signature Of the voucher.
    /// @return end Where the next row begins.
    function read(ClaimRow memory row, bytes calldata rows, uint256 start)
        internal
        pure
        returns (bytes calldata signature, uint256 end)
    {
        assembly ("memory-safe") {
            let at := add(rows.offset, start)
            let most := shr(128, calldataload(add(at, 72)))
            let size := shr(240, calldataload(add(at, 88)))
            let isPart := and(shr(14, size), 1)
            mstore(add(row, 0x20), shr(96, calldataload(at)))
            mstore(add(row, 0x40), shr(96, calldataload(add(at, 20))))
            mstore(add(row, 0xe0), calldataload(add(at, 40)))
            mstore(add(row, 0x100), most)
            mstore(add(row, 0x120), most)
            if isPart { mstore(add(row, 0x120), shr(128, calldataload(add(at, HEAD)))) }
            mstore(add(row, 0x140), shr(15, size))
            signature.offset := add(add(at, HEAD), shl(4, isPart))
            signature.length := and(size, SIZE_MASK)
            end := sub(add(signature.offset, signature.length), rows.offset)
        }
        // What lies beyond the rows was read as well, and is of no consequence: the call ends here.
        if (end > rows.length) revert IChannels.RowCutOff(rows.length, end);
    }

    /// @notice The hash of the channel's terms (EIP-712's hashStruct).
    function hash(ClaimRow memory row) internal pure returns (bytes32 structHash) {
        assembly ("memory-safe") {
            structHash := keccak256(row, 0x100)
        }
    }

    /// @notice What a spending key may, its signature of the voucher, and the payer's of the key. Where it is too short to
    /// be one, the key is zero, which has no signature.
    function readKey(bytes calldata signature)
        internal
        pure
        returns (SpendingKey memory key, bytes calldata ofVoucher, bytes calldata ofKey)
    {
        if (signature.length < KEY_HEAD) return (key, signature[:0], signature[:0]);
        key.key = address(bytes20(signature));
        key.limit = uint128(bytes16(signature[20:]));
        key.validBefore = uint40(bytes5(signature[36:]));
        return (key, signature[KEY_SIGNATURE_AT:KEY_HEAD], signature[KEY_HEAD:]);
    }
}
