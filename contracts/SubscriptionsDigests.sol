// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SubscriptionsState} from "./SubscriptionsState.sol";
import {PlanWords} from "./libraries/PlanWords.sol";

/// @title SubscriptionsDigests
/// @notice The EIP-712 digest of mandates with conditions: what {SubscriptionsConsent} checks and {SubscriptionsViews}
/// shows.
abstract contract SubscriptionsDigests is SubscriptionsState {
    bytes32 private constant CONDITIONAL_MANDATE_TYPEHASH = keccak256(
        "MandateWithConditions(address payer,address payee,address token,bytes32[] plans,uint256 seats,uint256 trialSeconds,uint256 maxPerPeriod,uint256 minSecondsPerPeriod,uint256 maxTotal,uint256 startsAt,uint256 endsAt,address beneficiary,bool byPermit2,bytes32 coupon,uint256 salt,uint256 validBefore)"
    );

    function _conditionalMandateDigest(MandateWithConditions calldata mandate, PlanWords words)
        internal
        view
        returns (bytes32)
    {
        Conditions calldata conditions = mandate.conditions;
        bytes32[17] memory fields; // as abi.encode would lay them out, which has no room for so many on the stack
        fields[0] = CONDITIONAL_MANDATE_TYPEHASH;
        fields[1] = bytes32(uint256(uint160(mandate.payer)));
        fields[2] = bytes32(uint256(uint160(words.payee())));
        fields[3] = bytes32(uint256(uint160(words.token())));
        fields[4] = keccak256(abi.encodePacked(mandate.plans));
        fields[5] = bytes32(mandate.seats);
        fields[6] = bytes32(_isTrialUsed(mandate.payer, words) ? 0 : words.trial());
        fields[7] = bytes32(uint256(conditions.maxPerPeriod));
        fields[8] = bytes32(mandate.minSecondsPerPeriod);
        fields[9] = bytes32(uint256(conditions.maxTotal));
        fields[10] = bytes32(uint256(conditions.startsAt));
        fields[11] = bytes32(uint256(conditions.endsAt));
        fields[12] = bytes32(uint256(uint160(conditions.beneficiary)));
        fields[13] = bytes32(uint256(conditions.byPermit2 ? 1 : 0));
        fields[14] = mandate.coupon;
        fields[15] = bytes32(mandate.salt);
        fields[16] = bytes32(mandate.validBefore);
        return _hashTypedDataV4(keccak256(abi.encode(fields)));
    }
}
