// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SubscriptionsCoupons} from "./SubscriptionsCoupons.sol";
import {ISubscriptionsPayer} from "./interfaces/ISubscriptions.sol";
import {Calendar} from "./libraries/Calendar.sol";
import {ExtrasSlot} from "./libraries/ExtrasSlot.sol";
import {LimitsSlot} from "./libraries/LimitsSlot.sol";
import {PlanWords, PlanWordsOf} from "./libraries/PlanWords.sol";
import {SubscriptionSlot} from "./libraries/SubscriptionSlot.sol";

/// @title SubscriptionsPayer
/// @notice The part of {Subscriptions} for those who pay: changes of mind. It works on that contract's storage, as
/// {SubscriptionsPayee}. What it does not have, {SubscriptionsCharges} has.
contract SubscriptionsPayer is ISubscriptionsPayer, SubscriptionsCoupons {
    bytes32 private constant REVOCATION_TYPEHASH = keccak256("Revocation(address payer,uint256 salt)");
    bytes32 private constant CANCELLATION_TYPEHASH =
        keccak256("Cancellation(address payer,uint256 subscriptionId,uint256 validBefore)");
    bytes32 private constant PAYER_CHANGE_TYPEHASH = keccak256(
        "PayerChange(uint256 subscriptionId,address payer,address newPayer,bytes32 terms,uint256 seats,uint256 maxPerPeriod,uint256 endsAt,uint256 salt,uint256 validBefore)"
    );
    bytes32 private constant FALLBACK_TYPEHASH = keccak256(
        "Fallback(uint256 subscriptionId,address payer,address wallet,bytes32 terms,uint256 seats,uint256 salt,uint256 validBefore)"
    );
    bytes32 private constant PLAN_CHANGE_TYPEHASH = keccak256(
        "PlanChange(uint256 subscriptionId,address payer,uint256 planId,uint256 pricePerPeriod,uint256 pricePerSeat,uint256 seats,uint256 periodCount,string periodUnit,bytes32 terms,uint256 salt,uint256 validBefore)"
    );

    address private immutable _NEXT;

    constructor(address next) {
        if (next.code.length == 0) revert NotAContract(next);
        _NEXT = next;
    }

    fallback() external {
        _delegate(_NEXT);
    }

    // ---------------------------------------------------------------- consent

    /// @inheritdoc ISubscriptionsPayer
    function revokeMandate(uint256 salt) external nonReentrant {
        _useSalt(msg.sender, salt);
        emit MandateRevoked(msg.sender, salt);
    }

    /// @inheritdoc ISubscriptionsPayer
    function revokeMandateBySignature(address payer, uint256 salt, bytes calldata signature) external nonReentrant {
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(REVOCATION_TYPEHASH, payer, salt)));
        _requireSignature(payer, digest, signature);
        _useSalt(payer, salt);
        emit MandateRevoked(payer, salt);
    }

    /// @inheritdoc ISubscriptionsPayer
    function cancelBySignature(uint256 subscriptionId, uint256 validBefore, bytes calldata signature)
        external
        nonReentrant
    {
        if (block.timestamp >= validBefore) revert SignatureExpired(validBefore, block.timestamp);
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        address payer = slot.payer();
        bytes32 digest =
            _hashTypedDataV4(keccak256(abi.encode(CANCELLATION_TYPEHASH, payer, subscriptionId, validBefore)));
        _requireSignature(payer, digest, signature);
        if (slot.hasExtras()) _requireMinimum(slot);
        if (slot.status() == Status.Cancelled) revert NotActive(subscriptionId, Status.Cancelled);
        _end(subscriptionId, slot);
    }

    /// @inheritdoc ISubscriptionsPayer
    function stop(uint256[] calldata subscriptionIds, uint256[] calldata salts) external nonReentrant {
        for (uint256 i = 0; i < subscriptionIds.length; ++i) {
            SubscriptionSlot slot = _slotOf(subscriptionIds[i]);
            if (slot.payer() == msg.sender && slot.status() != Status.Cancelled) _end(subscriptionIds[i], slot);
        }
        for (uint256 i = 0; i < salts.length; ++i) {
            if (_isSaltUsed(msg.sender, salts[i])) continue;
            _useSalt(msg.sender, salts[i]);
            emit MandateRevoked(msg.sender, salts[i]);
        }
    }

    // ------------------------------------------------------------------ pause

    /// @inheritdoc ISubscriptionsPayer
    function pause(uint256 subscriptionId) external nonReentrant {
        SubscriptionSlot slot = _ofCaller(subscriptionId);
        _requireInPeriod(subscriptionId, slot);
        uint256 left = slot.nextDue() - block.timestamp;
        _subscriptions[subscriptionId] = slot.withDue(left, slot.anchorDay()).withStatus(Status.Paused);
        emit Paused(subscriptionId, left);
    }

    /// @inheritdoc ISubscriptionsPayer
    function resume(uint256 subscriptionId) external nonReentrant {
        SubscriptionSlot slot = _ofCaller(subscriptionId);
        if (slot.status() != Status.Paused) revert NotPaused(subscriptionId, slot.status());
        uint256 due = block.timestamp + slot.nextDue(); // the time left of at most 100 years: below 2^39
        _subscriptions[subscriptionId] =
            slot.withShiftedDue(due, Calendar.dayOfMonth(due)).withStatus(Status.Active);
        emit Resumed(subscriptionId, due);
    }

    // -------------------------------------------------- conditions and coupons

    /// @inheritdoc ISubscriptionsPayer
    function setConditions(uint256 subscriptionId, Conditions calldata conditions) external nonReentrant {
        SubscriptionSlot slot = _ofCaller(subscriptionId);
        if (slot.status() == Status.Cancelled) revert NotActive(subscriptionId, Status.Cancelled);
        _subscriptions[subscriptionId] = slot.withExtras();
        _setConditions(subscriptionId, PlanWordsOf.load(slot.planId()), slot.planId(), conditions);
    }

    /// @inheritdoc ISubscriptionsPayer
    function redeemCoupon(uint256 subscriptionId, Coupon calldata coupon, bytes calldata signature)
        external
        nonReentrant
    {
        SubscriptionSlot slot = _ofCaller(subscriptionId);
        if (slot.status() == Status.Cancelled) revert NotActive(subscriptionId, Status.Cancelled);
        if (_extrasOf(subscriptionId, slot).isDiscounted()) revert DiscountRunning(subscriptionId);
        uint256 planId = slot.planId();
        bytes32 couponHash = _redeem(msg.sender, planId, _planOf(planId), coupon, signature);
        _subscriptions[subscriptionId] = slot.withExtras();
        _discount(subscriptionId, coupon, couponHash);
    }

    // ----------------------------------------------------------------- change

    /// @inheritdoc ISubscriptionsPayer
    function scheduleChange(uint256 subscriptionId, uint256 planId, bytes32 expectedTerms, uint256 seats)
        external
        nonReentrant
    {
        SubscriptionSlot slot = _ofCaller(subscriptionId);
        (PlanWords words,) = _agreedPlan(planId, expectedTerms);
        _scheduleChange(subscriptionId, slot, planId, words, seats);
    }

    /// @inheritdoc ISubscriptionsPayer
    function scheduleChangeBySignature(
        uint256 subscriptionId,
        uint256 planId,
        uint256 seats,
        uint256 salt,
        uint256 validBefore,
        bytes calldata signature
    ) external nonReentrant {
        if (block.timestamp >= validBefore) revert SignatureExpired(validBefore, block.timestamp);
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        PlanWords words = _existingPlan(planId);
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(
                    PLAN_CHANGE_TYPEHASH,
                    subscriptionId,
                    slot.payer(),
                    planId,
                    words.price(),
                    words.seatPrice(),
                    seats,
                    words.every(),
                    _unitHash(words.unit()),
                    words.hash(),
                    salt,
                    validBefore
                )
            )
        );
        _requireSignature(slot.payer(), digest, signature);
        _useSalt(slot.payer(), salt);
        _scheduleChange(subscriptionId, slot, planId, words, seats);
    }

    function _scheduleChange(
        uint256 subscriptionId,
        SubscriptionSlot slot,
        uint256 planId,
        PlanWords words,
        uint256 seats
    ) private {
        _requireInPeriod(subscriptionId, slot);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        emit ChangeScheduled(subscriptionId, planId, seats);
        if (planId == slot.planId() && seats == extras.seats()) {
            if (!extras.isScheduled()) revert NothingToChange(subscriptionId);
            _extras[subscriptionId] = extras.withScheduled(false);
            return;
        }
        PlanWords old = PlanWordsOf.load(slot.planId());
        _requireChangeable(slot, old, planId, words, _registers[words.registerId()], false);
        if (slot.charges() == 0) _requireTrialOf(subscriptionId, old, words);
        else _requireChargeLeft(slot);
        _rate(words, seats);
        bool hasMaximum = extras.isLimited() && _limits[subscriptionId].maxPerPeriod() != 0;
        if (words.quoter() != address(0) && !hasMaximum) revert MaximumMissing(planId);
        _schedule(subscriptionId, slot, extras, planId, seats);
    }

    /// @inheritdoc ISubscriptionsPayer
    function changePayer(
        uint256 subscriptionId,
        address newPayer,
        uint256 salt,
        uint256 validBefore,
        bytes calldata payerSignature,
        bytes calldata newPayerSignature
    ) external nonReentrant {
        if (block.timestamp >= validBefore) revert SignatureExpired(validBefore, block.timestamp);
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        if (slot.status() == Status.Cancelled) revert NotActive(subscriptionId, Status.Cancelled);
        address payer = slot.payer();
        PlanWords words = _planOf(slot.planId());
        if (newPayer == address(0)) revert ZeroAddress();
        if (newPayer == payer) revert NothingToChange(subscriptionId);
        if (newPayer == words.payee() || newPayer == words.feeReceiver() || newPayer == words.arbiter()) {
            revert PayerIsPayee(newPayer);
        }
        // What is due is the old payer's.
        if (slot.isActive() && slot.nextDue() <= block.timestamp) revert ChargeDue(subscriptionId, slot.nextDue());
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        bytes32 digest = _payerChangeDigest(subscriptionId, slot, words, extras, newPayer, salt, validBefore);
        if (msg.sender != payer) _requireSignature(payer, digest, payerSignature);
        if (msg.sender != newPayer) _requireSignature(newPayer, digest, newPayerSignature);
        if (_isSaltUsed(newPayer, salt)) revert SaltUsed(newPayer, salt); // it revoked what it signed
        _useSalt(payer, salt);

        _subscriptions[subscriptionId] = slot.withPayer(newPayer);
        if (words.trial() != 0) _trialUsed[_familyOf(words)][newPayer] = true;
        // The new payer agreed to the present plan alone.
        if (extras.isScheduled()) emit ChangeScheduled(subscriptionId, slot.planId(), extras.seats());
        if (slot.hasExtras()) _extras[subscriptionId] = extras.withScheduled(false).withPermit2(false);
        if (extras.hasFallback()) _dropFallback(subscriptionId);
        emit PayerChanged(subscriptionId, payer, newPayer);
    }

    function _payerChangeDigest(
        uint256 subscriptionId,
        SubscriptionSlot slot,
        PlanWords words,
        ExtrasSlot extras,
        address newPayer,
        uint256 salt,
        uint256 validBefore
    ) private view returns (bytes32) {
        LimitsSlot limits = extras.isLimited() ? _limits[subscriptionId] : LimitsSlot.wrap(0);
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    PAYER_CHANGE_TYPEHASH,
                    subscriptionId,
                    slot.payer(),
                    newPayer,
                    words.hash(),
                    extras.seats(),
                    limits.maxPerPeriod(),
                    limits.endsAt(),
                    salt,
                    validBefore
                )
            )
        );
    }

    // --------------------------------------------------------------- fallback

    /// @inheritdoc ISubscriptionsPayer
    function setFallback(
        uint256 subscriptionId,
        address wallet,
        uint256 salt,
        uint256 validBefore,
        bytes calldata signature
    ) external nonReentrant {
        if (block.timestamp >= validBefore) revert SignatureExpired(validBefore, block.timestamp);
        SubscriptionSlot slot = _ofCaller(subscriptionId);
        if (slot.status() == Status.Cancelled) revert NotActive(subscriptionId, Status.Cancelled);
        PlanWords words = _planOf(slot.planId());
        if (wallet == address(0)) revert ZeroAddress();
        if (wallet == words.payee() || wallet == words.feeReceiver()) revert PayerIsPayee(wallet);
        // What a period costs would be the payer's to say.
        if (words.quoter() != address(0)) revert PlanIsQuoted(slot.planId());
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(
                    FALLBACK_TYPEHASH,
                    subscriptionId,
                    msg.sender,
                    wallet,
                    words.hash(),
                    extras.seats(),
                    salt,
                    validBefore
                )
            )
        );
        _requireSignature(wallet, digest, signature);
        _useSalt(wallet, salt);
        _subscriptions[subscriptionId] = slot.withExtras();
        _extras[subscriptionId] = extras.withFallback(true);
        _fallbacks[subscriptionId] = _packFallback(wallet, slot.planId(), extras.seats());
        emit FallbackSet(subscriptionId, wallet);
    }

    /// @inheritdoc ISubscriptionsPayer
    function setFallbackPlan(uint256 subscriptionId, uint256 alternativePlanId, bytes32 expectedTerms)
        external
        nonReentrant
    {
        SubscriptionSlot slot = _ofCaller(subscriptionId);
        if (slot.status() == Status.Cancelled) revert NotActive(subscriptionId, Status.Cancelled);
        (PlanWords alternative,) = _agreedPlan(alternativePlanId, expectedTerms);
        uint256 planId = slot.planId();
        if (!_isAlternative(planId, _planOf(planId), alternativePlanId, alternative)) {
            revert NotAnAlternative(planId, alternativePlanId);
        }
        if (_archived[alternativePlanId]) revert PlanIsArchived(alternativePlanId);
        if (msg.sender == alternative.payee() || msg.sender == alternative.feeReceiver()) {
            revert PayerIsPayee(msg.sender);
        }
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        _rate(alternative, extras.seats());
        if (extras.isLimited() && _limits[subscriptionId].isOfAmounts()) revert AmountsLimited(subscriptionId);
        _subscriptions[subscriptionId] = slot.withExtras();
        _extras[subscriptionId] = extras.withFallback(true);
        _fallbacks[subscriptionId] = _packFallbackPlan(alternativePlanId, planId, extras.seats());
        emit FallbackPlanSet(subscriptionId, alternativePlanId);
    }

    /// @inheritdoc ISubscriptionsPayer
    function dropFallback(uint256 subscriptionId) external nonReentrant {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        if (!extras.hasFallback()) revert NothingToChange(subscriptionId);
        (address wallet,,) = _unpackFallback(_fallbacks[subscriptionId]);
        if (msg.sender != slot.payer() && msg.sender != wallet) revert NotAuthorized(msg.sender);
        _dropFallback(subscriptionId);
    }
}
