// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {ISignatureTransfer} from "./PaymentFunding.sol";
import {Permit2Call} from "./Permit2Call.sol";

/// @title DepositFunding
/// @notice Brings a payer's money for a channel by a signature that names the channel. Whoever calls measures what came.
library DepositFunding {
    string private constant WITNESS_TYPE =
        "DepositWitness witness)DepositWitness(bytes32 channelId)TokenPermissions(address token,uint256 amount)";
    bytes32 private constant WITNESS_TYPEHASH = keccak256("DepositWitness(bytes32 channelId)");

    /// @notice The nonce of an authorization for a channel.
    function nonceOf(bytes32 channelId, uint256 salt) internal pure returns (bytes32) {
        return Hashes.efficientKeccak256(channelId, bytes32(salt));
    }

    /// @notice By Permit2's SignatureTransfer to `to`, with the channel as the witness.
    /// @param data abi.encode(uint256 nonce, uint256 deadline, bytes signature, bytes permit): the last is a permit of the
    /// token (EIP-2612) for Permit2, abi.encode(uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s), or
    /// empty.
    function byPermit2(
        address token,
        address payer,
        address to,
        uint256 amount,
        bytes32 channelId,
        bytes calldata data
    ) internal {
        (uint256 nonce, uint256 deadline, bytes memory signature, bytes memory permit) =
            abi.decode(data, (uint256, uint256, bytes, bytes));
        if (permit.length != 0) _tryPermit(token, payer, permit);
        ISignatureTransfer(Permit2Call.PERMIT2)
            .permitWitnessTransferFrom(
                ISignatureTransfer.PermitTransferFrom(
                    ISignatureTransfer.TokenPermissions(token, amount), nonce, deadline
                ),
                ISignatureTransfer.SignatureTransferDetails(to, amount),
                payer,
                keccak256(abi.encode(WITNESS_TYPEHASH, channelId)),
                WITNESS_TYPE,
                signature
            );
    }

    /// @dev Anyone may have used it before, and some tokens swallow the call: what Permit2 can move tells (E10, E11).
    function _tryPermit(address token, address payer, bytes memory permit) private {
        (uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s) =
            abi.decode(permit, (uint256, uint256, uint8, bytes32, bytes32));
        try IERC20Permit(token).permit(payer, Permit2Call.PERMIT2, value, deadline, v, r, s) {} catch {}
    }
}
