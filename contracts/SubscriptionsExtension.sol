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
/// @notice The part of {Subscriptions} that is called seldom. It works on that contract's storage; called by itself it
/// is an empty contract that nobody uses.
contract SubscriptionsExtension is ISubscriptionsExtension, SubscriptionsState {
    bytes32 private constant REVOCATION_TYPEHASH = keccak256("Revocation(address payer,uint256 salt)");
    bytes32 private constant CANCELLATION_TYPEHASH =
        keccak256("Cancellation(address payer,uint256 subscriptionId,uint256 validBefore)");
    uint256 private constant MAX_PERIOD = 100 * 366 days;
    uint256 private constant MAX_FEE_BPS = 9_999;
    /// @dev Half of the numbers stay for the charges of periods, or a biller's key could end subscriptions for ever.
    uint256 private constant MAX_USAGE_CHARGES = SubscriptionSlots.MAX_CHARGES / 2;

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
            if (isSaltUsed(msg.sender, salts[i])) continue;
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
        _extras[subscriptionId] = ExtrasSlots.pack(extras.seats(), extras.credit(), history);
        _usage[subscriptionId] = words.usageCap() - left + amount | chargeNumber << 96;
        _subscriptions[subscriptionId] = slot.withExtras().withCharges(chargeNumber);
        uint256 registerId = words.registerId();
        _registers[registerId] = _registers[registerId].withCharges(1, amount);

        uint256 due = slot.nextDue();
        emit UsageCharged(subscriptionId, chargeNumber, quantity, usageHash);
        emit Charged(subscriptionId, chargeNumber, words.step().earlier(due, slot.anchorDay()), due, amount);
        _collect(words, slot.payer(), amount);
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

    function _usageLeft(uint256 subscriptionId, PlanWords words, uint256 charges) private view returns (uint256) {
        uint256 counted = _usage[subscriptionId];
        uint256 cap = words.usageCap();
        if (counted >> 96 != charges) return cap;
        uint256 spent = uint96(counted);
        return spent < cap ? cap - spent : 0; // another plan may have another cap
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
        uint256 cost = words.rate(extras.seats());
        uint256 commitment;
        // From the newest to the oldest a charge belongs to the last segment that covers it.
        for (uint256 i = history.length; i > 0; --i) {
            Segment calldata segment = history[i - 1];
            if (chargeNumber <= segment.lastCharge) {
                cost = segment.rate;
            } else if (chargeNumber == segment.lastCharge + 1 && segment.next != ExtrasSlots.NO_CHARGE) {
                cost = segment.next;
            }
        }
        for (uint256 i = 0; i < history.length; ++i) {
            commitment =
                ExtrasSlots.extend(commitment, history[i].lastCharge, history[i].rate, history[i].next);
        }
        if (commitment != extras.history()) revert HistoryMismatch(subscriptionId);
        _refund(subscriptionId, slot, words, chargeNumber, amount, cost);
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
        if (chargeNumber == 0 || chargeNumber > slot.charges()) {
            revert UnknownCharge(subscriptionId, chargeNumber, slot.charges());
        }
        uint256 refundable = cost - _refunded[subscriptionId][chargeNumber];
        if (amount > refundable) revert RefundTooHigh(amount, refundable);

        _refunded[subscriptionId][chargeNumber] += amount;
        _countRefund(words.registerId(), amount);

        emit Refunded(subscriptionId, chargeNumber, amount);
        _move(words.token(), words.payee(), slot.payer(), amount);
    }

    /// @dev In the slot the count is the low 64 bits, the sum stands above: added as one number. 2^64 refunds cannot be
    /// paid for in gas, and that many of a 96-bit amount stay below 2^192.
    function _countRefund(uint256 registerId, uint256 amount) private {
        Total storage total = _refundTotals[registerId];
        assembly ("memory-safe") {
            sstore(total.slot, add(sload(total.slot), or(1, shl(64, amount))))
        }
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

    // ------------------------------------------------------------------ views

    /// @inheritdoc ISubscriptionsExtension
    function quote(uint256 subscriptionId, uint256 planId, uint256 seats) external view returns (Quote memory) {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        PlanWords words = _existingPlan(planId);
        (SubscriptionSlot changed, ExtrasSlot kept, uint256 toPay,) =
            _changeOf(subscriptionId, slot, extras, planId, words, seats, _registers[words.registerId()]);
        return Quote(toPay, kept.credit(), changed.nextDue());
    }

    /// @inheritdoc ISubscriptionsExtension
    function preview(uint256 subscriptionId) external view returns (Preview memory found) {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        PlanWords words = PlanWordsOf.load(slot.planId());
        found.reason = _standing(slot, words);
        uint256 rate = words.rate(extras.seats());
        found.creditUsed = extras.credit() < rate ? extras.credit() : rate;
        found.amount = rate - found.creditUsed;
        if (slot.status() != Status.Paused) {
            (found.periodStart, found.periodEnd) = _periodOf(slot, words, words.step());
        }
        if (found.reason != DeclineReason.None || found.amount == 0) return found;
        found.reason = _whyNot(words.token(), slot.payer(), found.amount);
    }

    /// @inheritdoc ISubscriptionsExtension
    function usageLeft(uint256 subscriptionId) external view returns (uint256) {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        return _usageLeft(subscriptionId, PlanWordsOf.load(slot.planId()), slot.charges());
    }

    /// @inheritdoc ISubscriptionsExtension
    function claimable(address account, address token) external view returns (uint256) {
        return _claimable[account][token];
    }

    /// @inheritdoc ISubscriptionsExtension
    function registerCount() external view returns (uint256) {
        return _counters.registers;
    }

    /// @inheritdoc ISubscriptionsExtension
    function planCount() external view returns (uint256) {
        return _counters.plans;
    }

    /// @inheritdoc ISubscriptionsExtension
    function plan(uint256 planId) external view returns (PlanTerms memory) {
        return _existingPlan(planId).unpack();
    }

    /// @inheritdoc ISubscriptionsExtension
    function termsHash(uint256 planId) external view returns (bytes32) {
        return _existingPlan(planId).hash();
    }

    /// @inheritdoc ISubscriptionsExtension
    function isArchived(uint256 planId) external view returns (bool) {
        return _archived[planId];
    }

    /// @inheritdoc ISubscriptionsExtension
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

    /// @inheritdoc ISubscriptionsExtension
    function isTrialUsed(uint256 planId, address payer) external view returns (bool) {
        return _trialUsed[_familyOf(_existingPlan(planId))][payer];
    }

    /// @inheritdoc ISubscriptionsExtension
    function mandateHash(Mandate calldata mandate) external view returns (bytes32) {
        return _mandateDigest(mandate, _existingPlan(mandate.planId));
    }

    /// @inheritdoc ISubscriptionsExtension
    function isSaltUsed(address payer, uint256 salt) public view returns (bool) {
        return _usedSalts[payer][salt >> 8] & (1 << (salt & 0xff)) != 0;
    }

    /// @inheritdoc ISubscriptionsExtension
    function refunded(uint256 subscriptionId, uint256 chargeNumber) external view returns (uint256) {
        return _refunded[subscriptionId][chargeNumber];
    }

    /// @inheritdoc ISubscriptionsExtension
    function controlTotals(address payee, address token) external view returns (ControlTotals memory totals) {
        uint256 after_ = _registerAfter[payee][token];
        if (after_ == 0) return totals;
        RegisterSlot register = _registers[after_ - 1];
        totals.subscriptions = register.opened();
        totals.charges = Total(uint64(register.count()), uint192(register.sum()));
        totals.refunds = _refundTotals[after_ - 1];
    }
}
