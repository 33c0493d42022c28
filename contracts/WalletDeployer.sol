// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title WalletDeployer
/// @notice Makes the call that deploys or prepares a wallet (ERC-6492), so that what a stranger's calldata does is done
/// by an account that nobody trusts. It has no storage and no say over anything; anybody may call it.
/// @dev Not protected: tokens sent to it and allowances given to it are everybody's.
contract WalletDeployer {
    /// @notice Calls `factory` with `data`, without value. What becomes of it is not told: the wallet's answer to its
    /// signature is what counts, and somebody else may have deployed it before.
    function deploy(address factory, bytes calldata data) external {
        assembly ("memory-safe") {
            let input := mload(0x40)
            calldatacopy(input, data.offset, data.length)
            pop(call(gas(), factory, 0, input, data.length, 0x00, 0x00)) // copies no answer, however long
        }
    }
}
