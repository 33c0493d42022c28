// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IChannels} from "../interfaces/IChannels.sol";

/// @title ChannelHash
/// @notice The hashes of what is signed for a channel (EIP-712's hashStruct), without the domain.
/// @dev Hashed in memory that is free and stays so: a batch would pay for every word of it that it kept.
library ChannelHash {
    bytes32 internal constant CHANNEL_CONFIG = keccak256(
        "ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)"
    );
    bytes32 private constant VOUCHER = keccak256("Voucher(bytes32 channelId,uint128 maxClaimableAmount)");
    bytes32 private constant REFUND = keccak256("Refund(bytes32 channelId,uint256 nonce,uint128 amount)");
    bytes32 private constant CLAIM_ENTRY =
        keccak256("ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)");
    bytes32 private constant CLAIM_BATCH = keccak256(
        "ClaimBatch(ClaimEntry[] claims)ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)"
    );
    bytes32 private constant SPENDING_KEY =
        keccak256("SpendingKey(bytes32 channelId,address key,uint128 maxClaimableAmount,uint40 validBefore)");

    /// @dev The terms lie in the calldata as their type is encoded, a word for each field.
    function ofConfig(IChannels.ChannelConfig calldata config) internal pure returns (bytes32 structHash) {
        bytes32 typehash = CHANNEL_CONFIG;
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(words, typehash)
            calldatacopy(add(words, 0x20), config, 0xe0)
            structHash := keccak256(words, 0x100)
        }
    }

    function ofVoucher(bytes32 channelId, uint256 maxClaimableAmount) internal pure returns (bytes32 structHash) {
        bytes32 typehash = VOUCHER;
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(words, typehash)
            mstore(add(words, 0x20), channelId)
            mstore(add(words, 0x40), maxClaimableAmount)
            structHash := keccak256(words, 0x60)
        }
    }

    function ofRefund(bytes32 channelId, uint256 nonce, uint128 amount) internal pure returns (bytes32) {
        return keccak256(abi.encode(REFUND, channelId, nonce, amount));
    }

    /// @param ids Of the rows' channels, in their order.
    function ofClaimBatch(IChannels.VoucherClaim[] calldata rows, bytes32[] memory ids)
        internal
        pure
        returns (bytes32)
    {
        bytes32[] memory entries = new bytes32[](rows.length);
        for (uint256 i; i < rows.length; ++i) {
            entries[i] = keccak256(
                abi.encode(CLAIM_ENTRY, ids[i], rows[i].voucher.maxClaimableAmount, rows[i].totalClaimed)
            );
        }
        return keccak256(abi.encode(CLAIM_BATCH, keccak256(abi.encodePacked(entries))));
    }

    function ofSpendingKey(bytes32 channelId, address key, uint128 maxClaimableAmount, uint40 validBefore)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(SPENDING_KEY, channelId, key, maxClaimableAmount, validBefore));
    }
}
