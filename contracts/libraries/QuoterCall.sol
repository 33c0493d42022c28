// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IQuoter} from "../interfaces/IQuoter.sol";
import {ISubscriptionsTypes} from "../interfaces/ISubscriptionsTypes.sol";
import {TokenCall} from "./TokenCall.sol";

/// @title QuoterCall
/// @notice Asks a plan's quoter so that it can only answer or fail: no state, bounded gas, bounded copy.
library QuoterCall {
    /// @return reason `None`, `QuoteStale`, or `QuoteUnavailable` where the quoter fails, answers nothing, zero or more
    /// than 96 bits.
    /// @return amount Units of the token.
    function tryQuote(address quoter, address token, uint256 price)
        internal
        view
        returns (ISubscriptionsTypes.DeclineReason reason, uint256 amount)
    {
        uint256 gasLimit = TokenCall.reserved();
        bytes memory question = abi.encodeCall(IQuoter.quote, (token, price));
        bool ok;
        bool isWord;
        assembly ("memory-safe") {
            mstore(0x00, 0)
            ok := staticcall(gasLimit, quoter, add(question, 0x20), mload(question), 0x00, 0x20)
            isWord := gt(returndatasize(), 0x1f)
            amount := mload(0x00)
        }
        if (ok && isWord && amount != 0 && amount <= type(uint96).max) {
            return (ISubscriptionsTypes.DeclineReason.None, amount);
        }
        bool isStale = !ok && bytes4(bytes32(amount)) == IQuoter.QuoteStale.selector;
        reason = isStale
            ? ISubscriptionsTypes.DeclineReason.QuoteStale
            : ISubscriptionsTypes.DeclineReason.QuoteUnavailable;
        amount = 0;
    }
}
