// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IFunding} from "./interfaces/IFunding.sol";
import {ICheckout} from "./interfaces/ICheckout.sol";
import {TokenCall} from "./libraries/TokenCall.sol";

/// @title Deposit
/// @notice What is at a deposit address, for as long as it takes to empty it: it is created there, moves what its creator
/// says, and is gone at the end of the transaction. Its address is made of its creator, the receiver and the invoice
/// (CREATE2), so that nobody else ever has a say there.
/// @dev A contract that destroys itself in the transaction that created it is removed, also since EIP-6780, and can be
/// created again at the same address: that is how a late or second payment is swept. To keep code there would cost
/// a first sweep 200 gas for each byte of it, and a look at whether it is there. Not protected: chains that do not remove it; there an
/// address is swept once.
contract Deposit {
    constructor() {
        (address token, address receiver, uint256 amount) = ICheckout(msg.sender).nextSweep();
        bool isToken = token != address(0);
        if (isToken && !TokenCall.tryTransfer(token, receiver, amount)) revert IFunding.TokenRefused(token);
        uint256 coins = address(this).balance;
        if (coins == 0) selfdestruct(payable(msg.sender)); // which is warm, and gets nothing by it
        ICheckout(msg.sender).noteCoins(coins);
        selfdestruct(payable(receiver));
    }
}
