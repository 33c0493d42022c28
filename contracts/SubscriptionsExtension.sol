// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SubscriptionsState} from "./SubscriptionsState.sol";
import {ISubscriptionsExtension} from "./interfaces/ISubscriptions.sol";
import {Calendar} from "./libraries/Calendar.sol";
import {ExtrasSlot, ExtrasSlots} from "./libraries/ExtrasSlot.sol";
import {PlanWords, PlanWordsOf} from "./libraries/PlanWords.sol";
import {RegisterSlot} from "./libraries/RegisterSlot.sol";
import {Step} from "./libraries/Schedule.sol";
import {SubscriptionSlot, SubscriptionSlots} from "./libraries/SubscriptionSlot.sol";
import {TokenCall} from "./libraries/TokenCall.sol";

/// @title SubscriptionsExtension
/// @notice The part of {Subscriptions} for plans, changes of mind and refunds. It works on that contract's storage;
/// called by itself it is an empty contract that nobody uses. What it does not have, {SubscriptionsConsent} has.
contract SubscriptionsExtension is ISubscriptionsExtension, SubscriptionsState {
    bytes32 private constant REVOCATION_TYPEHASH = keccak256("Revocation(address payer,uint256 salt)");
    bytes32 private constant CANCELLATION_TYPEHASH =
        keccak256("Cancellation(address payer,uint256 subscriptionId,uint256 validBefore)");
    bytes32 private constant PAYER_CHANGE_TYPEHASH = keccak256(
        "PayerChange(uint256 subscriptionId,address payer,address newPayer,bytes32 terms,uint256 seats,uint256 salt,uint256 validBefore)"
    );
    bytes32 private constant FALLBACK_TYPEHASH = keccak256(
        "Fallback(uint256 subscriptionId,address payer,address wallet,bytes32 terms,uint256 salt,uint256 validBefore)"
    );
    uint256 private constant MAX_PERIOD = 100 * 366 days;
    uint256 private constant MAX_FEE_BPS = 9_999;
    /// @dev Half of the numbers stay for the charges of periods, or a biller's key could end subscriptions for ever.
    uint256 private constant MAX_USAGE_CHARGES = SubscriptionSlots.MAX_CHARGES / 2;

    address private immutable _NEXT;

    constructor(address consent) {
        if (consent.code.length == 0) revert NotAContract(consent);
        _NEXT = consent;
    }

    fallback() external {
        _delegate(_NEXT);
    }

    // ------------------------------------------------------------------ plans

    /// @inheritdoc ISubscriptionsExtension
    function createPlan(PlanTerms calldata terms) external nonReentrant returns (uint256 planId) {
        if (terms.payee == address(0)) revert ZeroAddress();
        if (msg.sender != terms.payee) revert NotAuthorized(msg.sender);
        if (terms.payee == address(this)) revert PayeeRefused(terms.payee);
        if (terms.price == 0 && terms.seatPrice == 0) revert ZeroAmount();
        if (terms.token.code.length == 0) revert NotAContract(terms.token);
        uint256 periodSeconds = terms.every * _unitSeconds(terms.unit);
        if (periodSeconds == 0 || periodSeconds > MAX_PERIOD) revert PeriodOutOfRange(periodSeconds, MAX_PERIOD);
        if (terms.feeBps > MAX_FEE_BPS) revert FeeTooHigh(terms.feeBps, MAX_FEE_BPS);
        if ((terms.feeBps == 0) != (terms.feeReceiver == address(0)) || terms.feeReceiver == terms.payee) {
            revert TermsContradict();
        }
        if (terms.feeReceiver == address(this)) revert PayeeRefused(terms.feeReceiver);
        if (terms.maxCharges != 0 && terms.minCharges > terms.maxCharges) revert TermsContradict();
        // Charges of usage are numbered among the others, which such terms count.
        bool isCounted = terms.minCharges != 0 || terms.maxCharges != 0;
        if (terms.usageCap != 0 && (isCounted || terms.usagePrice == 0)) revert TermsContradict();
        if (terms.usageCap == 0 && (terms.usagePrice != 0 || terms.biller != address(0))) revert TermsContradict();

        if (terms.alignTo > block.timestamp) revert AlignedToFuture(terms.alignTo, block.timestamp);
        if (terms.quoter != address(0) && terms.quoter.code.length == 0) revert NotAContract(terms.quoter);
        // What is left of a period with a quoted price has no exact value.
        if (terms.quoter != address(0) && terms.refundsUnused) revert TermsContradict();

        uint256 registerId = _registerOf(terms.payee, terms.token);
        planId = ++_counters.plans;
        PlanWordsOf.store(planId, terms, registerId);
        emit PlanCreated(planId, registerId, terms);
    }

    /// @inheritdoc ISubscriptionsExtension
    function archivePlan(uint256 planId) external nonReentrant {
        PlanWords words = _existingPlan(planId);
        if (msg.sender != words.payee()) revert NotAuthorized(msg.sender);
        if (_archived[planId]) revert PlanIsArchived(planId);
        _archived[planId] = true;
        _registers[words.registerId()] = _registers[words.registerId()].withArchived();
        emit PlanArchived(planId);
    }

    function _registerOf(address payee, address token) private returns (uint256 registerId) {
        uint256 after_ = _registerAfter[payee][token];
        if (after_ != 0) return after_ - 1;
        registerId = _counters.registers++;
        _registerAfter[payee][token] = registerId + 1;
        emit RegisterOpened(registerId, payee, token);
    }

    /// @dev The longest that a unit can be: what bounds a period.
    function _unitSeconds(Unit unit) private pure returns (uint256) {
        if (unit == Unit.Month) return 31 days;
        if (unit == Unit.Year) return 366 days;
        if (unit == Unit.Week) return 7 days;
        if (unit == Unit.Day) return 1 days;
        return 1;
    }

    // ---------------------------------------------------------------- consent

    /// @inheritdoc ISubscriptionsExtension
    function revokeMandate(uint256 salt) external nonReentrant {
        _useSalt(msg.sender, salt);
        emit MandateRevoked(msg.sender, salt);
    }

    /// @inheritdoc ISubscriptionsExtension
    function revokeMandateBySignature(address payer, uint256 salt, bytes calldata signature) external nonReentrant {
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(REVOCATION_TYPEHASH, payer, salt)));
        _requireSignature(payer, digest, signature);
        _useSalt(payer, salt);
        emit MandateRevoked(payer, salt);
    }

    /// @inheritdoc ISubscriptionsExtension
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

    /// @inheritdoc ISubscriptionsExtension
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

    /// @inheritdoc ISubscriptionsExtension
    function pause(uint256 subscriptionId) external nonReentrant {
        SubscriptionSlot slot = _ofCaller(subscriptionId);
        _requireInPeriod(subscriptionId, slot);
        uint256 left = slot.nextDue() - block.timestamp;
        _subscriptions[subscriptionId] = slot.withDue(left, slot.anchorDay()).withStatus(Status.Paused);
        emit Paused(subscriptionId, left);
    }

    /// @inheritdoc ISubscriptionsExtension
    function resume(uint256 subscriptionId) external nonReentrant {
        SubscriptionSlot slot = _ofCaller(subscriptionId);
        if (slot.status() != Status.Paused) revert NotPaused(subscriptionId, slot.status());
        uint256 due = block.timestamp + slot.nextDue(); // the time left of at most 100 years: below 2^39
        _subscriptions[subscriptionId] =
            slot.withShiftedDue(due, Calendar.dayOfMonth(due)).withStatus(Status.Active);
        emit Resumed(subscriptionId, due);
    }

    // ----------------------------------------------------------------- change

    /// @inheritdoc ISubscriptionsExtension
    function scheduleChange(uint256 subscriptionId, uint256 planId, bytes32 expectedTerms, uint256 seats)
        external
        nonReentrant
    {
        SubscriptionSlot slot = _ofCaller(subscriptionId);
        _requireInPeriod(subscriptionId, slot);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        PlanWords words = _agreedPlan(planId, expectedTerms);
        if (planId == slot.planId() && seats == extras.seats()) {
            if (!extras.isScheduled()) revert NothingToChange(subscriptionId);
            _extras[subscriptionId] = extras.withScheduled(false);
            emit ChangeScheduled(subscriptionId, planId, seats);
            return;
        }
        PlanWords old = PlanWordsOf.load(slot.planId());
        _requireChangeable(subscriptionId, slot, old, planId, words, _registers[words.registerId()]);
        _rate(words, seats);
        bool hasMaximum = extras.isLimited() && _limits[subscriptionId].maxPerPeriod() != 0;
        if (words.quoter() != address(0) && !hasMaximum) revert MaximumMissing(planId);
        _schedule(subscriptionId, slot, extras, planId, seats);
    }

    /// @inheritdoc ISubscriptionsExtension
    function lowerPrice(uint256[] calldata subscriptionIds, uint256 planId) external nonReentrant {
        PlanWords words = _existingPlan(planId);
        if (msg.sender != words.payee()) revert NotAuthorized(msg.sender);
        for (uint256 i = 0; i < subscriptionIds.length; ++i) {
            uint256 id = subscriptionIds[i];
            SubscriptionSlot slot = _existingSubscription(id);
            if (slot.status() == Status.Cancelled) revert NotActive(id, Status.Cancelled);
            ExtrasSlot extras = _extrasOf(id, slot);
            // What the payer has scheduled stays.
            if (extras.isScheduled()) revert NothingToChange(id);
            if (!words.isCheaperThan(PlanWordsOf.load(slot.planId()))) revert TermsWorse(planId);
            if (words.feeReceiver() == slot.payer()) revert PayerIsPayee(slot.payer());
            _schedule(id, slot, extras, planId, extras.seats());
        }
    }

    function _schedule(uint256 id, SubscriptionSlot slot, ExtrasSlot extras, uint256 planId, uint256 seats) private {
        _subscriptions[id] = slot.withExtras();
        _extras[id] = extras.withScheduled(true);
        _scheduled[id] = _packScheduled(planId, seats);
        emit ChangeScheduled(id, planId, seats);
    }

    /// @inheritdoc ISubscriptionsExtension
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
        PlanWords words = PlanWordsOf.load(slot.planId());
        if (newPayer == address(0)) revert ZeroAddress();
        if (newPayer == payer) revert NothingToChange(subscriptionId);
        if (newPayer == words.payee() || newPayer == words.feeReceiver()) revert PayerIsPayee(newPayer);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        bytes32 digest = _payerChangeDigest(subscriptionId, slot, extras.seats(), newPayer, salt, validBefore);
        if (msg.sender != payer) _requireSignature(payer, digest, payerSignature);
        if (msg.sender != newPayer) _requireSignature(newPayer, digest, newPayerSignature);
        _useSalt(payer, salt);

        _subscriptions[subscriptionId] = slot.withPayer(newPayer);
        if (words.trial() != 0) _trialUsed[_familyOf(words)][newPayer] = true;
        // The new payer agreed to the present plan alone.
        if (extras.isScheduled()) {
            extras = extras.withScheduled(false);
            _extras[subscriptionId] = extras;
            emit ChangeScheduled(subscriptionId, slot.planId(), extras.seats());
        }
        if (extras.hasFallback()) _dropFallback(subscriptionId, extras);
        emit PayerChanged(subscriptionId, payer, newPayer);
    }

    function _payerChangeDigest(
        uint256 subscriptionId,
        SubscriptionSlot slot,
        uint256 seats,
        address newPayer,
        uint256 salt,
        uint256 validBefore
    ) private view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    PAYER_CHANGE_TYPEHASH,
                    subscriptionId,
                    slot.payer(),
                    newPayer,
                    PlanWordsOf.load(slot.planId()).hash(),
                    seats,
                    salt,
                    validBefore
                )
            )
        );
    }

    // --------------------------------------------------------------- fallback

    /// @inheritdoc ISubscriptionsExtension
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
        PlanWords words = PlanWordsOf.load(slot.planId());
        if (wallet == address(0)) revert ZeroAddress();
        if (wallet == words.payee() || wallet == words.feeReceiver()) revert PayerIsPayee(wallet);
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(
                    FALLBACK_TYPEHASH,
                    subscriptionId,
                    msg.sender,
                    wallet,
                    PlanWordsOf.load(slot.planId()).hash(),
                    salt,
                    validBefore
                )
            )
        );
        _requireSignature(wallet, digest, signature);
        _useSalt(wallet, salt);
        _subscriptions[subscriptionId] = slot.withExtras();
        _extras[subscriptionId] = _extrasOf(subscriptionId, slot).withFallback(true);
        _fallbacks[subscriptionId] = wallet;
        emit FallbackSet(subscriptionId, wallet);
    }

    /// @inheritdoc ISubscriptionsExtension
    function dropFallback(uint256 subscriptionId) external nonReentrant {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        if (!extras.hasFallback()) revert NothingToChange(subscriptionId);
        if (msg.sender != slot.payer() && msg.sender != _fallbacks[subscriptionId]) {
            revert NotAuthorized(msg.sender);
        }
        _dropFallback(subscriptionId, extras);
    }

    // ------------------------------------------------------------------ usage

    /// @inheritdoc ISubscriptionsExtension
    function chargeUsage(
        uint256 subscriptionId,
        uint256 chargeNumber,
        uint256 amount,
        uint256 quantity,
        bytes32 usageHash
    ) external nonReentrant {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        PlanWords words = PlanWordsOf.load(slot.planId());
        if (msg.sender != words.payee() && (msg.sender != words.biller() || msg.sender == address(0))) {
            revert NotAuthorized(msg.sender);
        }
        if (amount == 0) revert ZeroAmount();
        uint256 charges = slot.charges();
        if (chargeNumber != charges + 1) revert AnotherChargeIsNext(chargeNumber, charges + 1);
        _requireUsable(subscriptionId, slot, words, charges);
        uint256 dearest = quantity > type(uint128).max ? 0 : words.usageLimit(quantity);
        if (amount > dearest) revert UsageTooDear(amount, dearest);
        uint256 left = _usageLeft(subscriptionId, words, charges);
        if (amount > left) revert UsageAboveCap(amount, left);

        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        uint256 history =
            ExtrasSlots.extend(extras.history(), charges, words.rate(extras.seats()), amount);
        _extras[subscriptionId] = extras.with(extras.seats(), extras.credit(), history);
        _usage[subscriptionId] = words.usageCap() - left + amount | chargeNumber << 96;
        _subscriptions[subscriptionId] = slot.withExtras().withCharges(chargeNumber);
        uint256 registerId = words.registerId();
        _registers[registerId] = _registers[registerId].withCharges(1, amount);

        uint256 due = slot.nextDue();
        emit UsageCharged(subscriptionId, chargeNumber, quantity, usageHash);
        emit Charged(subscriptionId, chargeNumber, words.step().earlier(due, slot.anchorDay()), due, amount);
        _spend(subscriptionId, extras, amount);
        _collect(words, slot.payer(), amount, extras.isByPermit2());
    }

    /// @dev Something was served that can still be charged: after the trial, and until the subscription has ended.
    function _requireUsable(uint256 subscriptionId, SubscriptionSlot slot, PlanWords words, uint256 charges)
        private
        view
    {
        Status status = slot.status();
        if (status != Status.Active && status != Status.Ending) revert NotActive(subscriptionId, status);
        if (charges == 0) revert TrialRunning(subscriptionId);
        uint256 grace = words.grace();
        bool isLate = grace != 0 && block.timestamp >= slot.nextDue() + grace;
        if (isLate || charges >= MAX_USAGE_CHARGES) revert UsageEnded(subscriptionId);
    }

    // ----------------------------------------------------------------- refund

    /// @inheritdoc ISubscriptionsExtension
    function refund(uint256 subscriptionId, uint256 chargeNumber, uint256 amount) external nonReentrant {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        if (extras.history() != 0) revert HistoryMismatch(subscriptionId);
        PlanWords words = PlanWordsOf.load(slot.planId());
        _refund(subscriptionId, slot, words, chargeNumber, amount, words.rate(extras.seats()));
    }

    /// @inheritdoc ISubscriptionsExtension
    function refundChanged(
        uint256 subscriptionId,
        uint256 chargeNumber,
        uint256 amount,
        Segment[] calldata history
    ) external nonReentrant {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        PlanWords words = PlanWordsOf.load(slot.planId());
        _requireHistory(subscriptionId, extras, history);
        uint256 cost = _costOf(chargeNumber, history, words.rate(extras.seats()));
        _refund(subscriptionId, slot, words, chargeNumber, amount, cost);
    }

    function _requireHistory(uint256 subscriptionId, ExtrasSlot extras, Segment[] calldata history) private pure {
        uint256 commitment;
        for (uint256 i = 0; i < history.length; ++i) {
            commitment =
                ExtrasSlots.extend(commitment, history[i].lastCharge, history[i].rate, history[i].next);
        }
        if (commitment != extras.history()) revert HistoryMismatch(subscriptionId);
    }

    /// @dev What was paid for a charge. From the newest to the oldest it belongs to the last segment that covers it; where
    /// none does, it cost `rate`.
    function _costOf(uint256 chargeNumber, Segment[] calldata history, uint256 rate)
        private
        pure
        returns (uint256 cost)
    {
        cost = rate;
        for (uint256 i = history.length; i > 0; --i) {
            Segment calldata segment = history[i - 1];
            if (chargeNumber <= segment.lastCharge) {
                cost = segment.rate;
            } else if (chargeNumber == segment.lastCharge + 1 && segment.next != ExtrasSlots.NO_CHARGE) {
                cost = segment.next;
            }
        }
    }

    function _refund(
        uint256 subscriptionId,
        SubscriptionSlot slot,
        PlanWords words,
        uint256 chargeNumber,
        uint256 amount,
        uint256 cost
    ) private {
        if (msg.sender != words.payee()) revert NotAuthorized(msg.sender);
        if (amount == 0) revert ZeroAmount();
        uint256 refundable = _refundable(subscriptionId, slot, chargeNumber, cost);
        if (amount > refundable) revert RefundTooHigh(amount, refundable);
        _countRefund(subscriptionId, words.registerId(), chargeNumber, amount);
        _move(words.token(), words.payee(), slot.payer(), amount, false);
    }

    function _refundable(uint256 subscriptionId, SubscriptionSlot slot, uint256 chargeNumber, uint256 cost)
        private
        view
        returns (uint256)
    {
        if (chargeNumber == 0 || chargeNumber > slot.charges()) {
            revert UnknownCharge(subscriptionId, chargeNumber, slot.charges());
        }
        return cost - _refunded[subscriptionId][chargeNumber];
    }

    /// @dev In the slot the count is the low 64 bits, the sum stands above: added as one number. 2^64 refunds cannot be
    /// paid for in gas, and that many of a 96-bit amount stay below 2^192.
    function _countRefund(uint256 subscriptionId, uint256 registerId, uint256 chargeNumber, uint256 amount) private {
        _refunded[subscriptionId][chargeNumber] += amount;
        emit Refunded(subscriptionId, chargeNumber, amount);
        Total storage total = _refundTotals[registerId];
        assembly ("memory-safe") {
            sstore(total.slot, add(sload(total.slot), or(1, shl(64, amount))))
        }
    }

    /// @inheritdoc ISubscriptionsExtension
    function cancelWithRefund(uint256 subscriptionId, uint256[] calldata chargeNumbers, Segment[] calldata history)
        external
        nonReentrant
    {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        PlanWords words = PlanWordsOf.load(slot.planId());
        if (msg.sender != words.payee()) revert NotAuthorized(msg.sender);
        if (words.quoter() != address(0)) revert PlanIsQuoted(slot.planId());
        if (slot.status() == Status.Cancelled) revert NotActive(subscriptionId, Status.Cancelled);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        _requireHistory(subscriptionId, extras, history);
        uint256 needed = _unusedOf(subscriptionId, slot, extras, words);
        _end(subscriptionId, slot);
        if (extras.credit() != 0) _extras[subscriptionId] = extras.with(extras.seats(), 0, extras.history());

        uint256 sum;
        for (uint256 i = 0; i < chargeNumbers.length && sum < needed; ++i) {
            uint256 cost = _costOf(chargeNumbers[i], history, words.rate(extras.seats()));
            uint256 amount = _refundable(subscriptionId, slot, chargeNumbers[i], cost);
            if (amount > needed - sum) amount = needed - sum;
            if (amount == 0) continue;
            sum += amount;
            _countRefund(subscriptionId, words.registerId(), chargeNumbers[i], amount);
        }
        if (sum < needed) revert UnusedNotRefunded(sum, needed);
        if (sum != 0) _move(words.token(), words.payee(), slot.payer(), sum, false);
    }

    // ------------------------------------------------------------------ claim

    /// @inheritdoc ISubscriptionsExtension
    function claim(address account, address token) external nonReentrant {
        uint256 amount = _claimable[account][token];
        if (amount == 0) revert NothingToClaim(account, token);
        _claimable[account][token] = 0;
        emit Claimed(account, token, amount);
        if (!SafeERC20.trySafeTransfer(IERC20(token), account, amount)) revert TokenRefused(token);
    }
}
