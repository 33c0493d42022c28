// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SubscriptionsCoupons} from "./SubscriptionsCoupons.sol";
import {SubscriptionsDigests} from "./SubscriptionsDigests.sol";
import {SubscriptionsDue} from "./SubscriptionsDue.sol";
import {ISubscriptionsViews} from "./interfaces/ISubscriptions.sol";
import {Calendar} from "./libraries/Calendar.sol";
import {DiscountSlot} from "./libraries/DiscountSlot.sol";
import {ExtrasSlot} from "./libraries/ExtrasSlot.sol";
import {LimitsSlot} from "./libraries/LimitsSlot.sol";
import {PlanWords, PlanWordsOf} from "./libraries/PlanWords.sol";
import {RegisterSlot} from "./libraries/RegisterSlot.sol";
import {SubscriptionSlot} from "./libraries/SubscriptionSlot.sol";

/// @title SubscriptionsViews
/// @notice The part of {Subscriptions} that only reads. It works on that contract's storage, as {SubscriptionsPayee}.
contract SubscriptionsViews is ISubscriptionsViews, SubscriptionsDigests, SubscriptionsCoupons, SubscriptionsDue {
    /// @inheritdoc ISubscriptionsViews
    function quote(uint256 subscriptionId, uint256 planId, uint256 seats) external view returns (Quote memory) {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        PlanWords words = _existingPlan(planId);
        (SubscriptionSlot changed, ExtrasSlot kept, uint256 toPay,) =
            _changeOf(subscriptionId, slot, extras, planId, words, seats, _registers[words.registerId()]);
        return Quote(toPay, kept.credit(), changed.nextDue());
    }

    /// @inheritdoc ISubscriptionsViews
    function preview(uint256 subscriptionId) external view returns (Preview memory found) {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        DeclineReason standing = _standing(slot, PlanWordsOf.load(slot.planId()));
        bool isPaused = slot.status() == Status.Paused;
        if (isPaused) { // as if it were resumed now
            uint256 due_ = block.timestamp + slot.nextDue();
            slot = slot.withShiftedDue(due_, Calendar.dayOfMonth(due_));
        }
        (Due memory due, PlanWords words) = _dueOf(subscriptionId, slot, extras);
        if (!isPaused) (found.periodStart, found.periodEnd) = (due.periodStart, due.periodEnd);
        if (standing != DeclineReason.None) {
            due.reason = standing;
        } else if (due.reason == DeclineReason.None && due.amount != 0) {
            _choose(subscriptionId, extras, words, due, Source(slot.payer(), extras.isByPermit2(), true));
        }
        (found.reason, found.amount, found.creditUsed) = (due.reason, due.amount, due.creditUsed);
        found.planId = due.alternativeId == 0 ? due.planId : due.alternativeId;
    }

    /// @inheritdoc ISubscriptionsViews
    function usageLeft(uint256 subscriptionId) external view returns (uint256) {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        return _usageLeft(subscriptionId, PlanWordsOf.load(slot.planId()), slot.charges());
    }

    /// @inheritdoc ISubscriptionsViews
    function claimable(address account, address token) external view returns (uint256) {
        return _claimable[account][token];
    }

    /// @inheritdoc ISubscriptionsViews
    function registerCount() external view returns (uint256) {
        return _counters.registers;
    }

    /// @inheritdoc ISubscriptionsViews
    function planCount() external view returns (uint256) {
        return _counters.plans;
    }

    /// @inheritdoc ISubscriptionsViews
    function payeeOf(uint256 registerId) external view returns (address) {
        return registerId < _counters.registers ? _payees[registerId] : address(0);
    }

    /// @inheritdoc ISubscriptionsViews
    function plan(uint256 planId) external view returns (PlanTerms memory) {
        return _existingPlan(planId).unpack();
    }

    /// @inheritdoc ISubscriptionsViews
    function termsHash(uint256 planId) external view returns (bytes32) {
        return _existingPlan(planId).hash();
    }

    /// @inheritdoc ISubscriptionsViews
    function isArchived(uint256 planId) external view returns (bool) {
        return _archived[planId];
    }

    /// @inheritdoc ISubscriptionsViews
    function subscription(uint256 subscriptionId) external view returns (Subscription memory) {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        return Subscription({
            payer: slot.payer(),
            planId: slot.planId(),
            nextDue: slot.nextDue(),
            charges: slot.charges(),
            status: slot.status(),
            anchorDay: slot.anchorDay(),
            seats: extras.seats(),
            credit: extras.credit(),
            history: extras.history()
        });
    }

    /// @inheritdoc ISubscriptionsViews
    function isTrialUsed(uint256 planId, address payer) external view returns (bool) {
        return _trialUsed[_familyOf(_existingPlan(planId))][payer];
    }

    /// @inheritdoc ISubscriptionsViews
    function mandateHash(Mandate calldata mandate) external view returns (bytes32) {
        return _mandateDigest(mandate, _existingPlan(mandate.planId));
    }

    /// @inheritdoc ISubscriptionsViews
    function isSaltUsed(address payer, uint256 salt) external view returns (bool) {
        return _isSaltUsed(payer, salt);
    }

    /// @inheritdoc ISubscriptionsViews
    function refunded(uint256 subscriptionId, uint256 chargeNumber) external view returns (uint256) {
        return _refunded[subscriptionId][chargeNumber];
    }

    /// @inheritdoc ISubscriptionsViews
    function controlTotals(address payee, address token) external view returns (ControlTotals memory totals) {
        uint256 after_ = _registerAfter[payee][token];
        if (after_ == 0) return totals;
        RegisterSlot register = _registers[after_ - 1];
        totals.subscriptions = register.opened();
        totals.charges = Total(uint64(register.count()), uint192(register.sum()));
        totals.refunds = _refundTotals[after_ - 1];
    }

    /// @inheritdoc ISubscriptionsViews
    function scheduledChange(uint256 subscriptionId) external view returns (uint256 planId, uint256 seats) {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        if (_extrasOf(subscriptionId, slot).isScheduled()) return _unpackScheduled(_scheduled[subscriptionId]);
    }

    /// @inheritdoc ISubscriptionsViews
    function conditions(uint256 subscriptionId) external view returns (Conditions memory found, bool isSpent) {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        found.byPermit2 = extras.isByPermit2();
        found.beneficiary = _beneficiaries[subscriptionId];
        if (!extras.isLimited()) return (found, false);
        LimitsSlot limits = _limits[subscriptionId];
        found.maxPerPeriod = uint96(limits.maxPerPeriod());
        found.maxTotal = uint96(limits.left());
        isSpent = limits.hasTotal() && found.maxTotal == 0;
        found.endsAt = uint40(limits.endsAt());
    }

    /// @inheritdoc ISubscriptionsViews
    function beneficiary(uint256 subscriptionId) external view returns (address) {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        address named = _beneficiaries[subscriptionId];
        return named == address(0) ? slot.payer() : named;
    }

    /// @inheritdoc ISubscriptionsViews
    function discount(uint256 subscriptionId)
        external
        view
        returns (uint256 basisPointsOff, uint256 amountOff, uint256 periods)
    {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        if (!_extrasOf(subscriptionId, slot).isDiscounted()) return (0, 0, 0);
        DiscountSlot found = _discounts[subscriptionId];
        return (found.basisPointsOff(), found.amountOff(), found.periods());
    }

    /// @inheritdoc ISubscriptionsViews
    function fallbackWallet(uint256 subscriptionId)
        external
        view
        returns (address wallet, uint256 planId, uint256 seats)
    {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        if (!_extrasOf(subscriptionId, slot).hasFallback()) return (address(0), 0, 0);
        (wallet, planId, seats) = _unpackFallback(_fallbacks[subscriptionId]);
        if (wallet == address(0)) return (address(0), 0, 0);
    }

    /// @inheritdoc ISubscriptionsViews
    function fallbackPlan(uint256 subscriptionId)
        external
        view
        returns (uint256 alternativePlanId, uint256 planId, uint256 seats)
    {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        if (!_extrasOf(subscriptionId, slot).hasFallback()) return (0, 0, 0);
        uint256 agreed = _fallbacks[subscriptionId];
        alternativePlanId = _alternativeIn(agreed);
        if (alternativePlanId != 0) (, planId, seats) = _unpackFallback(agreed);
    }

    /// @inheritdoc ISubscriptionsViews
    function isAlternative(uint256 planId, uint256 alternativePlanId) external view returns (bool) {
        return _isAlternative(planId, _existingPlan(planId), alternativePlanId, _existingPlan(alternativePlanId));
    }

    /// @inheritdoc ISubscriptionsViews
    function couponHash(uint256 planId, Coupon calldata coupon) external view returns (bytes32) {
        return _couponDigest(coupon, _existingPlan(planId));
    }

    /// @inheritdoc ISubscriptionsViews
    function isCouponUsed(bytes32 hash, address payer) external view returns (bool) {
        return _couponUsed[hash][payer];
    }

    /// @inheritdoc ISubscriptionsViews
    function mandateWithConditionsHash(MandateWithConditions calldata mandate, uint256 planId)
        external
        view
        returns (bytes32)
    {
        return _conditionalMandateDigest(mandate, _existingPlan(planId));
    }
}
