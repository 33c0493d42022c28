// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SubscriptionsCoupons} from "./SubscriptionsCoupons.sol";
import {SubscriptionsDigests} from "./SubscriptionsDigests.sol";
import {WalletDeployer} from "./WalletDeployer.sol";
import {ISubscriptionsConsent, ISubscriptionsFrames} from "./interfaces/ISubscriptions.sol";
import {Calendar} from "./libraries/Calendar.sol";
import {ExtrasSlots} from "./libraries/ExtrasSlot.sol";
import {PlanWords} from "./libraries/PlanWords.sol";
import {RegisterSlot} from "./libraries/RegisterSlot.sol";
import {SubscriptionSlot, SubscriptionSlots} from "./libraries/SubscriptionSlot.sol";
import {WalletSignature} from "./libraries/WalletSignature.sol";

/// @title SubscriptionsConsent
/// @notice The part of {Subscriptions} for consent with conditions and coupons. It works on that contract's storage, as
/// {SubscriptionsPayee}. What it does not have, {SubscriptionsViews} has.
contract SubscriptionsConsent is ISubscriptionsConsent, SubscriptionsDigests, SubscriptionsCoupons {
    uint256 private constant LATEST_START = 100 * 366 days;

    address private immutable _NEXT;
    WalletDeployer private immutable _DEPLOYER = new WalletDeployer();

    constructor(address next) {
        if (next.code.length == 0) revert NotAContract(next);
        _NEXT = next;
    }

    fallback() external {
        _delegate(_NEXT);
    }

    // ---------------------------------------------------------------- consent

    /// @inheritdoc ISubscriptionsConsent
    function subscribeWithConditions(
        uint256 planId,
        bytes32 expectedTerms,
        uint256 seats,
        Conditions calldata conditions,
        Coupon calldata coupon,
        bytes calldata couponSignature
    ) external nonReentrant returns (uint256 subscriptionId) {
        (PlanWords words,) = _agreedPlan(planId, expectedTerms);
        bytes32 couponHash;
        if (coupon.periods != 0) couponHash = _redeem(msg.sender, planId, words, coupon, couponSignature);
        return _open(msg.sender, planId, words, seats, conditions, coupon, couponHash);
    }

    /// @inheritdoc ISubscriptionsConsent
    function submitMandateWithConditions(
        MandateWithConditions calldata mandate,
        uint256 planId,
        bytes calldata signature,
        Coupon calldata coupon,
        bytes calldata couponSignature
    ) external nonReentrant returns (uint256 subscriptionId) {
        if (block.timestamp >= mandate.validBefore) revert MandateExpired(mandate.validBefore, block.timestamp);
        PlanWords words = _existingPlan(planId);
        _requireAgreed(mandate, planId, words);
        bytes32 digest = _conditionalMandateDigest(mandate, words);
        if (!WalletSignature.isValid(mandate.payer, digest, signature, _DEPLOYER)) {
            revert InvalidSignature(mandate.payer);
        }
        _useSalt(mandate.payer, mandate.salt);
        bytes32 couponHash;
        if (coupon.periods != 0) couponHash = _redeem(mandate.payer, planId, words, coupon, couponSignature);
        if (couponHash != mandate.coupon) revert AnotherCoupon(couponHash, mandate.coupon);

        subscriptionId = _open(mandate.payer, planId, words, mandate.seats, mandate.conditions, coupon, couponHash);
        emit MandateAccepted(subscriptionId, mandate.payer, mandate.salt, digest);
    }

    function _requireAgreed(MandateWithConditions calldata mandate, uint256 planId, PlanWords words) private pure {
        uint256 shortest = words.step().shortest();
        if (shortest < mandate.minSecondsPerPeriod) revert PeriodTooShort(shortest, mandate.minSecondsPerPeriod);
        bytes32 terms = words.hash();
        for (uint256 i = 0; i < mandate.plans.length; ++i) {
            if (mandate.plans[i] == terms) return;
        }
        revert PlanNotAgreed(planId);
    }

    /// @dev Opens it as one that is due when it begins, and charges it where that is now.
    function _open(
        address payer,
        uint256 planId,
        PlanWords words,
        uint256 seats,
        Conditions calldata conditions,
        Coupon calldata coupon,
        bytes32 couponHash
    ) private returns (uint256 subscriptionId) {
        RegisterSlot register;
        (subscriptionId, register) = _nextSubscription(payer, planId, words);
        if (payer == words.feeReceiver() || payer == words.arbiter()) revert PayerIsPayee(payer);
        _rate(words, seats);
        uint256 firstDue = _firstDue(payer, words, conditions);
        SubscriptionSlot slot =
            SubscriptionSlots.open(payer, planId, firstDue, 0, Calendar.dayOfMonth(firstDue)).withExtras();
        _subscriptions[subscriptionId] = slot;
        _extras[subscriptionId] = ExtrasSlots.pack(seats, 0, 0);
        _registers[words.registerId()] = register.withSubscription();
        emit Subscribed(subscriptionId, payer, planId, firstDue);
        if (seats != 0) emit SeatsSet(subscriptionId, seats);
        _setConditions(subscriptionId, words, planId, conditions);
        if (couponHash != 0) _discount(subscriptionId, coupon, couponHash);
        if (firstDue != block.timestamp) return subscriptionId;

        (DeclineReason reason, uint256 found, uint256 allowed, uint256 amount) =
            ISubscriptionsFrames(address(this)).chargeFirst(subscriptionId);
        if (reason != DeclineReason.None) revert FirstChargeDeclined(reason, found, allowed);
        _registers[words.registerId()] = register.withSubscription().withCharges(1, amount);
    }

    /// @dev The end of the trial, which is used up here, or the start that the payer asked for: the later of both.
    function _firstDue(address payer, PlanWords words, Conditions calldata conditions)
        private
        returns (uint256 firstDue)
    {
        firstDue = block.timestamp;
        if (words.trial() != 0 && !_isTrialUsed(payer, words)) {
            _trialUsed[_familyOf(words)][payer] = true;
            firstDue += words.trial();
        }
        if (conditions.startsAt > firstDue) firstDue = conditions.startsAt;
        uint256 latest = block.timestamp + LATEST_START;
        if (conditions.endsAt != 0 && conditions.endsAt <= latest) latest = conditions.endsAt - 1;
        if (firstDue > latest) revert StartOutOfRange(firstDue, latest);
    }
}
