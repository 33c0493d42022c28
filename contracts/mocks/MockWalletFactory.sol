// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MockWallet} from "./MockWallet.sol";

/// @notice Deploys wallets by CREATE2 at addresses that are known before, and does on the way what it is told to.
contract MockWalletFactory {
    /// @notice Who called last, and what became of the call that was made on the way.
    address public caller;
    bool public detourSucceeded;
    bytes public detourAnswer;

    function create(address signer) public returns (MockWallet wallet) {
        caller = msg.sender;
        wallet = new MockWallet{salt: bytes32(uint256(uint160(signer)))}();
        wallet.setSigner(signer);
    }

    /// @notice Calls `target` with `data` before it deploys.
    function createWithDetour(address signer, address target, bytes calldata data) external {
        (detourSucceeded, detourAnswer) = target.call(data);
        create(signer);
    }

    function addressFor(address signer) external view returns (address) {
        bytes32 salt = bytes32(uint256(uint160(signer)));
        bytes32 codeHash = keccak256(type(MockWallet).creationCode);
        return address(uint160(uint256(keccak256(abi.encodePacked(bytes1(0xff), address(this), salt, codeHash)))));
    }
}
