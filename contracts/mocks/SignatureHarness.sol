// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {WalletDeployer} from "../WalletDeployer.sol";
import {WalletSignature} from "../libraries/WalletSignature.sol";

/// @notice Judges signatures as a contract does that moves money: allowances are given to it, it guards itself.
contract SignatureHarness is ReentrancyGuardTransient {
    WalletDeployer public immutable deployer;

    event Judged(bool valid);

    constructor(WalletDeployer deployer_) {
        deployer = deployer_;
    }

    function isValid(address signer, bytes32 digest, bytes calldata signature)
        external
        nonReentrant
        returns (bool valid)
    {
        valid = WalletSignature.isValid(signer, digest, signature, deployer);
        emit Judged(valid);
    }

    /// @notice What a caller with authority could be talked into: moves what `owner` allowed, for who is `owner`.
    function collect(IERC20 token, address owner, address to, uint256 amount) external nonReentrant {
        require(msg.sender == owner, "not the owner");
        require(token.transferFrom(owner, to, amount), "refused");
    }
}
