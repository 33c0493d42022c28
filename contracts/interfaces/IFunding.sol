// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IFunding
/// @notice How a payer's money comes to a contract that takes payments by signed words, and what can be wrong with it.
interface IFunding {
    /// @notice How the payer's money comes, and what `data` is. The words are what the contract has the payer agree to.
    ///
    /// `Allowance`: the payer's to this contract; data is the payer's signature of the words, empty where the payer
    /// calls. `Permit`: as before, with an EIP-2612 permit: value, deadline, v, r and s, a word each, and that signature
    /// behind them. `Permit2`: by its SignatureTransfer with the words as the witness, so that one signature is consent
    /// and money: the nonce, a word, and the signature behind it; its deadline is the last second in which the words
    /// allow it. `Authorization`: an ERC-3009 `receiveWithAuthorization`, valid from 0 until the words end, whose nonce
    /// is the digest that names the payment; data is its signature. `Collector`: the caller is an {ICollector} and
    /// brings it; data is not read.
    enum Funding {
        Allowance,
        Permit,
        Permit2,
        Authorization,
        Collector
    }

    error ZeroAddress();
    error ZeroAmount();
    error NotAContract(address account);
    error InvalidSignature(address signer);
    error AllowanceTooLow(uint256 found, uint256 needed);
    error BalanceTooLow(uint256 found, uint256 needed);
    /// @notice The token reverted, returned false, or is no contract.
    error TokenRefused(address token);
    /// @notice The token moved less than it was told to (a fee on transfer, a rebase).
    error AmountMismatch(uint256 received, uint256 expected);
}
