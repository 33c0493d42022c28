// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IDepositCollector} from "./interfaces/IDepositCollector.sol";
import {DepositFunding} from "./libraries/DepositFunding.sol";
import {PaymentFunding} from "./libraries/PaymentFunding.sol";

/// @title AuthorizationCollector
/// @notice Brings deposits by ERC-3009, as x402's clients sign them: `receiveWithAuthorization` to this contract, whose
/// nonce is keccak256(abi.encode(channelId, salt)). It keeps nothing.
contract AuthorizationCollector is IDepositCollector {
    /// @notice The contract that its deposits go to, and which alone may ask for them.
    address public immutable channels;

    /// @dev What `collectorData` encodes.
    struct Authorization {
        uint256 validAfter;
        uint256 validBefore;
        uint256 salt;
        bytes signature;
    }

    error NotAuthorized(address caller);

    constructor(address channels_) {
        channels = channels_;
    }

    /// @inheritdoc IDepositCollector
    /// @param collectorData abi.encode(uint256 validAfter, uint256 validBefore, uint256 salt, bytes signature).
    function collect(address payer, address token, uint256 amount, bytes32 channelId, bytes calldata collectorData)
        external
    {
        if (msg.sender != channels) revert NotAuthorized(msg.sender);
        Authorization calldata data = _read(collectorData);
        bytes32 nonce = DepositFunding.nonceOf(channelId, data.salt);
        (uint256 validAfter, uint256 validBefore) = (data.validAfter, data.validBefore);
        PaymentFunding.receiveAuthorized(token, payer, amount, validAfter, validBefore, nonce, data.signature);
        SafeERC20.safeTransfer(IERC20(token), msg.sender, amount);
    }

    /// @dev The fields lie in the bytes as they would in a struct; reading its signature checks that it lies there too.
    function _read(bytes calldata collectorData) private pure returns (Authorization calldata data) {
        assembly ("memory-safe") {
            data := collectorData.offset
        }
    }
}
