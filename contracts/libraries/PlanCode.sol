// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title PlanCode
/// @notice Keeps the words of plans as the code of accounts without behaviour: written once, they can never change, and
/// reading any number of them costs less than reading two storage slots.
/// @dev The n-th account that a contract creates has an address that follows from n (EIP-161: its nonce begins at 1),
/// so that no pointer is stored. The code is a STOP, then the words. It holds where CREATE is Ethereum's.
library PlanCode {
    /// @dev What creates the code behind it: copies all of it from behind these 11 bytes and returns it.
    uint256 private constant CREATION = 0x600b380380600b5f395ff300 << 160;
    uint256 private constant CREATION_SIZE = 11;

    error PlanNotStored();

    /// @notice Stores `words` as plan number `planId`.
    /// @dev The caller numbers plans from 1 and creates nothing else.
    function store(uint256 planId, bytes memory words) internal {
        bytes memory code = bytes.concat(bytes12(bytes32(CREATION)), words); // its last byte is the STOP
        address created;
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
        }
        if (created == address(0) || created != addressOf(planId)) revert PlanNotStored();
    }

    /// @notice Where plan number `planId` is or will be: the last 20 bytes of keccak256(rlp([this, planId])).
    /// @dev `planId` is below 2^32.
    function addressOf(uint256 planId) internal view returns (address at) {
        // Unchecked: every operand is below 2^32.
        unchecked {
            // RLP writes numbers below 128 as themselves, others behind their length.
            uint256 digits;
            if (planId > 0x7f) {
                digits = 1;
                if (planId > 0xff) digits = planId > 0xffff ? planId > 0xffffff ? 4 : 3 : 2;
                planId |= 0x80 + digits << 8 * digits;
            }
            uint256 preimage = 0xd694 + (digits << 8) << 240 | uint256(uint160(address(this))) << 80
                | planId << 72 - 8 * digits;
            assembly ("memory-safe") {
                mstore(0, preimage)
                at := and(keccak256(0, add(23, digits)), 0xffffffffffffffffffffffffffffffffffffffff)
            }
        }
    }
}
