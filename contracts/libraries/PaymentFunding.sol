// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IFunding} from "../interfaces/IFunding.sol";
import {Permit2Call} from "./Permit2Call.sol";
import {TokenCall} from "./TokenCall.sol";

/// @notice What we use of Permit2's SignatureTransfer (https://github.com/Uniswap/permit2).
interface ISignatureTransfer {
    struct TokenPermissions {
        address token;
        uint256 amount;
    }

    struct PermitTransferFrom {
        TokenPermissions permitted;
        uint256 nonce;
        uint256 deadline;
    }

    struct SignatureTransferDetails {
        address to;
        uint256 requestedAmount;
    }

    function permitWitnessTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata transferDetails,
        address owner,
        bytes32 witness,
        string calldata witnessTypeString,
        bytes calldata signature
    ) external;
}

/// @notice What we use of ERC-3009: with the parts of a key's signature, which every such token has, and with the bytes
/// of any (FiatToken v2.2), for wallets that are contracts.
interface IERC3009 {
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;
}

/// @title PaymentFunding
/// @notice Brings a payer's money to this contract or to a payee, in each way that has a signature or allowance of its
/// own, and measures what arrived.
library PaymentFunding {
    /// @dev A permit in `data`: value, deadline, v, r and s, each in a word, before the signature of the terms.
    uint256 internal constant PERMIT_SIZE = 0xa0;
    uint256 private constant KEY_SIGNATURE_SIZE = 65;

    /// @notice Moves `amount` by the payer's allowance to this contract, or reverts with what was missing.
    function byAllowance(address token, address payer, address to, uint256 amount) internal {
        uint256 balanceBefore = balanceOf(token, to);
        if (!SafeERC20.trySafeTransferFrom(IERC20(token), payer, to, amount)) _explain(token, payer, amount);
        requireReceived(balanceBefore, balanceOf(token, to), amount);
    }

    /// @notice Hands the token a permit. Anyone may have used it before us, and some tokens swallow the call: only the
    /// allowance tells (E10, E11).
    function tryPermit(address token, address payer, bytes calldata permit) internal {
        (uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s) =
            abi.decode(permit[:PERMIT_SIZE], (uint256, uint256, uint8, bytes32, bytes32));
        try IERC20Permit(token).permit(payer, address(this), value, deadline, v, r, s) {} catch {}
    }

    /// @notice By Permit2's SignatureTransfer; what the payer signed there names the words as its witness.
    function byPermit2(
        address token,
        address payer,
        address to,
        uint256 amount,
        uint256 validBefore,
        bytes32 witness,
        string memory witnessType,
        bytes calldata data
    ) internal {
        uint256 balanceBefore = balanceOf(token, to);
        ISignatureTransfer(Permit2Call.PERMIT2)
            .permitWitnessTransferFrom(
                ISignatureTransfer.PermitTransferFrom({
                    permitted: ISignatureTransfer.TokenPermissions(token, amount),
                    nonce: uint256(bytes32(data)),
                    deadline: validBefore - 1
                }),
                ISignatureTransfer.SignatureTransferDetails(to, amount),
                payer,
                witness,
                witnessType,
                data[0x20:]
            );
        requireReceived(balanceBefore, balanceOf(token, to), amount);
    }

    /// @notice By an ERC-3009 authorization to this contract, whose nonce is `id`.
    function byAuthorization(
        address token,
        address payer,
        uint256 amount,
        uint256 validBefore,
        bytes32 id,
        bytes calldata signature
    ) internal {
        uint256 balanceBefore = balanceOf(token, address(this));
        receiveAuthorized(token, payer, amount, 0, validBefore, id, signature);
        requireReceived(balanceBefore, balanceOf(token, address(this)), amount);
    }

    /// @notice An ERC-3009 authorization to this contract; whoever calls measures what came.
    function receiveAuthorized(
        address token,
        address payer,
        uint256 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) internal {
        if (signature.length == KEY_SIGNATURE_SIZE) {
            (uint8 v, bytes32 r, bytes32 s) = _split(signature);
            IERC3009(token)
                .receiveWithAuthorization(payer, address(this), amount, validAfter, validBefore, nonce, v, r, s);
        } else {
            IERC3009(token)
                .receiveWithAuthorization(payer, address(this), amount, validAfter, validBefore, nonce, signature);
        }
    }

    /// @dev The caller holds the bound: 65 bytes.
    function _split(bytes calldata signature) private pure returns (uint8 v, bytes32 r, bytes32 s) {
        assembly ("memory-safe") {
            r := calldataload(signature.offset)
            s := calldataload(add(signature.offset, 0x20))
            v := byte(0, calldataload(add(signature.offset, 0x40)))
        }
    }

    function _explain(address token, address payer, uint256 amount) private view {
        (bool ok, uint256 found) = TokenCall.tryAllowance(token, payer, address(this), TokenCall.reserved());
        if (ok && found < amount) revert IFunding.AllowanceTooLow(found, amount);
        (ok, found) = TokenCall.tryBalanceOf(token, payer, TokenCall.reserved());
        if (ok && found < amount) revert IFunding.BalanceTooLow(found, amount);
        revert IFunding.TokenRefused(token);
    }

    /// @notice The balance of an account, or reverts where the token does not say, with bounded gas: a collector may have
    /// others in the same call.
    function balanceOf(address token, address account) internal view returns (uint256 balance) {
        bool ok;
        (ok, balance) = TokenCall.tryBalanceOf(token, account, TokenCall.reserved());
        if (!ok) revert IFunding.TokenRefused(token);
    }

    /// @notice At least `expected` arrived, by the balances before and after (E02).
    function requireReceived(uint256 balanceBefore, uint256 balanceAfter, uint256 expected) internal pure {
        uint256 received = balanceAfter > balanceBefore ? balanceAfter - balanceBefore : 0;
        if (received < expected) revert IFunding.AmountMismatch(received, expected);
    }
}
