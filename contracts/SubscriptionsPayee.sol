// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SubscriptionsState} from "./SubscriptionsState.sol";
import {ISubscriptionsPayee} from "./interfaces/ISubscriptions.sol";
import {ExtrasSlot, ExtrasSlots} from "./libraries/ExtrasSlot.sol";
import {PlanWords, PlanWordsOf} from "./libraries/PlanWords.sol";
import {RegisterSlot, RegisterSlots} from "./libraries/RegisterSlot.sol";
import {SubscriptionSlot, SubscriptionSlots} from "./libraries/SubscriptionSlot.sol";

/// @title SubscriptionsPayee
/// @notice The part of {Subscriptions} for those who are paid: plans, usage, refunds. It works on that contract's
/// storage; called by itself it is an empty contract that nobody uses. What it does not have, {SubscriptionsPayer} has.
contract SubscriptionsPayee is ISubscriptionsPayee, SubscriptionsState {
    bytes32 private constant PAYEE_CHANGE_TYPEHASH = keccak256(
        "PayeeChange(address payee,address token,address newPayee,uint256 salt,uint256 validBefore)"
    );
    uint256 private constant MAX_PERIOD = 100 * 366 days;
    uint256 private constant MAX_FEE_BPS = 9_999;
    uint256 private constant BASIS = 10_000;
    /// @dev Half of the numbers stay for the charges of periods, or a biller's key could end subscriptions for ever.
    uint256 private constant MAX_USAGE_CHARGES = SubscriptionSlots.MAX_CHARGES / 2;

    address private immutable _NEXT;

    constructor(address next) {
        if (next.code.length == 0) revert NotAContract(next);
        _NEXT = next;
    }

    fallback() external {
        _delegate(_NEXT);
    }

    // ------------------------------------------------------------------ plans

    /// @inheritdoc ISubscriptionsPayee
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
        if (!_isShieldCoherent(terms)) revert TermsContradict();

        uint256 registerId = _registerOf(terms.payee, terms.token);
        planId = ++_counters.plans;
        PlanWordsOf.store(planId, terms, registerId);
        emit PlanCreated(planId, registerId, terms);
    }

    /// @dev All that a protection needs, or none of it. What is refunded or charged without the escrow's knowledge would
    /// be outside of it.
    function _isShieldCoherent(PlanTerms calldata terms) private view returns (bool) {
        address arbiter = terms.arbiter;
        if (terms.protection == 0) {
            return arbiter == address(0) && terms.rulingTimeout == 0
                && terms.defaultPayeeBps | terms.maxArbiterFeeBps == 0;
        }
        bool isArbiter = arbiter != address(0) && arbiter != terms.payee && arbiter != address(this);
        return isArbiter && terms.rulingTimeout != 0 && terms.defaultPayeeBps <= BASIS
            && terms.maxArbiterFeeBps <= BASIS && !terms.refundsUnused && terms.usageCap == 0;
    }

    /// @inheritdoc ISubscriptionsPayee
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

    /// @inheritdoc ISubscriptionsPayee
    function offerAlternative(uint256 planId, uint256 alternativePlanId) external nonReentrant {
        PlanWords words = _existingPlan(planId);
        PlanWords alternative = _existingPlan(alternativePlanId);
        if (msg.sender != words.payee() || msg.sender != alternative.payee()) revert NotAuthorized(msg.sender);
        // One payee has one register in a token.
        if (words.registerId() == alternative.registerId()) revert SameToken(words.token());
        if (!alternative.hasGridOf(words)) revert AnotherGrid(planId, alternativePlanId);
        if ((words.seatPrice() == 0) != (alternative.seatPrice() == 0)) {
            revert SeatsOfOneOnly(planId, alternativePlanId);
        }
        _requireMeasurable(planId, words);
        _requireMeasurable(alternativePlanId, alternative);
        if (_alternatives[planId][alternativePlanId]) revert AlternativeIsOffered(planId, alternativePlanId);
        _alternatives[planId][alternativePlanId] = true;
        emit AlternativeOffered(planId, alternativePlanId);
    }

    /// @dev What a period costs is fixed, and what is left of it is nobody's to measure in two tokens.
    function _requireMeasurable(uint256 planId, PlanWords words) private pure {
        if (words.quoter() != address(0)) revert PlanIsQuoted(planId);
        if (words.refundsUnused()) revert PlanRefundsUnused(planId);
        if (words.isProtected()) revert PlanIsProtected(planId);
    }

    /// @inheritdoc ISubscriptionsPayee
    function withdrawAlternative(uint256 planId, uint256 alternativePlanId) external nonReentrant {
        PlanWords words = _existingPlan(planId);
        // Where the registers were handed over apart, either payee: it is not charged any more, and may not come back.
        if (msg.sender != words.payee() && msg.sender != _existingPlan(alternativePlanId).payee()) {
            revert NotAuthorized(msg.sender);
        }
        if (!_alternatives[planId][alternativePlanId]) revert NotAnAlternative(planId, alternativePlanId);
        _alternatives[planId][alternativePlanId] = false;
        emit AlternativeWithdrawn(planId, alternativePlanId);
    }

    // ----------------------------------------------------------------- change

    /// @inheritdoc ISubscriptionsPayee
    function proposePlan(uint256[] calldata subscriptionIds, uint256 planId) external nonReentrant {
        PlanWords words = _existingPlan(planId);
        if (msg.sender != words.payee()) revert NotAuthorized(msg.sender);
        if (_archived[planId]) revert PlanIsArchived(planId);
        for (uint256 i = 0; i < subscriptionIds.length; ++i) {
            uint256 id = subscriptionIds[i];
            SubscriptionSlot slot = _existingSubscription(id);
            uint256 registerId = id / RegisterSlots.PER_REGISTER;
            if (registerId != words.registerId()) revert AnotherRegister(words.registerId(), registerId);
            if (slot.status() != Status.Cancelled) emit PlanProposed(id, planId);
        }
    }

    /// @inheritdoc ISubscriptionsPayee
    function lowerPrice(uint256[] calldata subscriptionIds, uint256 planId) external nonReentrant {
        PlanWords words = _existingPlan(planId);
        if (msg.sender != words.payee()) revert NotAuthorized(msg.sender);
        bool any;
        for (uint256 i = 0; i < subscriptionIds.length; ++i) {
            if (_lower(subscriptionIds[i], planId, words)) any = true;
        }
        if (!any) revert TermsWorse(planId);
    }

    /// @dev What a coupon or a fallback was for goes along: it becomes cheaper.
    function _lower(uint256 id, uint256 planId, PlanWords words) private returns (bool) {
        SubscriptionSlot slot = _slotOf(id);
        bool isOpen = slot.payer() != address(0) && slot.status() != Status.Cancelled;
        if (!isOpen || words.feeReceiver() == slot.payer()) return false;
        ExtrasSlot extras = _extrasOf(id, slot);
        (uint256 before, uint256 seats) =
            extras.isScheduled() ? _unpackScheduled(_scheduled[id]) : (slot.planId(), extras.seats());
        if (!words.isCheaperThan(PlanWordsOf.load(before))) return false;
        if (extras.isDiscounted() && _discounts[id].planId() == before) {
            _discounts[id] = _discounts[id].withPlan(planId);
        }
        if (extras.hasFallback()) {
            uint256 packed = _fallbacks[id];
            (address wallet, uint256 agreed, uint256 agreedSeats) = _unpackFallback(packed);
            uint256 alternativeId = _alternativeIn(packed);
            bool goesAlong = agreed == before && (alternativeId != 0 || wallet != words.feeReceiver());
            if (goesAlong) {
                _fallbacks[id] = _packFallback(wallet, planId, agreedSeats) | alternativeId << 216;
            }
        }
        _schedule(id, slot, extras, planId, seats);
        emit PriceLowered(id, planId, seats);
        return true;
    }

    // ------------------------------------------------------------------ payee

    /// @inheritdoc ISubscriptionsPayee
    function changePayee(
        address payee,
        address token,
        address newPayee,
        uint256 salt,
        uint256 validBefore,
        bytes calldata payeeSignature,
        bytes calldata newPayeeSignature
    ) external nonReentrant {
        if (block.timestamp >= validBefore) revert SignatureExpired(validBefore, block.timestamp);
        if (newPayee == address(0)) revert ZeroAddress();
        if (newPayee == address(this)) revert PayeeRefused(newPayee);
        uint256 after_ = _registerAfter[payee][token];
        if (after_ == 0) revert UnknownRegister(payee, token);
        if (_registerAfter[newPayee][token] != 0) revert RegisterExists(newPayee, token);
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(PAYEE_CHANGE_TYPEHASH, payee, token, newPayee, salt, validBefore))
        );
        if (msg.sender != payee) _requireSignature(payee, digest, payeeSignature);
        if (msg.sender != newPayee) _requireSignature(newPayee, digest, newPayeeSignature);
        if (_isSaltUsed(newPayee, salt)) revert SaltUsed(newPayee, salt); // it revoked what it signed
        _useSalt(payee, salt);

        uint256 registerId = after_ - 1;
        _registerAfter[payee][token] = 0;
        _registerAfter[newPayee][token] = after_;
        _registers[registerId] = _registers[registerId].withMoved();
        _payees[registerId] = newPayee;
        emit PayeeChanged(registerId, payee, newPayee);
    }

    // ------------------------------------------------------------------ usage

    /// @inheritdoc ISubscriptionsPayee
    function chargeUsage(
        uint256 subscriptionId,
        uint256 chargeNumber,
        uint256 amount,
        uint256 quantity,
        bytes32 usageHash
    ) external nonReentrant {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        PlanWords words = _planOf(slot.planId());
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
        if (extras.isLimited() && words.quoter() == address(0)) {
            uint256 used = words.usageCap() - left + amount;
            _requireWithin(_limits[subscriptionId], _paidRate(subscriptionId, extras, words) + used);
        }
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

    /// @inheritdoc ISubscriptionsPayee
    function refund(uint256 subscriptionId, uint256 chargeNumber, uint256 amount) external nonReentrant {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        if (extras.history() != 0) revert HistoryMismatch(subscriptionId);
        PlanWords words = _planOf(slot.planId());
        _refund(subscriptionId, slot, words, chargeNumber, amount, words.rate(extras.seats()));
    }

    /// @inheritdoc ISubscriptionsPayee
    function refundChanged(
        uint256 subscriptionId,
        uint256 chargeNumber,
        uint256 amount,
        Segment[] calldata history
    ) external nonReentrant {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        PlanWords words = _planOf(slot.planId());
        _requireHistory(subscriptionId, extras, history);
        uint256 cost = _costOf(chargeNumber, history, words.rate(extras.seats()));
        uint256 alternativeId = cost >> 96;
        if (alternativeId != 0) words = _planOf(alternativeId);
        _refund(subscriptionId, slot, words, chargeNumber, amount, uint96(cost));
    }

    function _requireHistory(uint256 subscriptionId, ExtrasSlot extras, Segment[] calldata history) private pure {
        uint256 commitment;
        for (uint256 i = 0; i < history.length; ++i) {
            commitment =
                ExtrasSlots.extend(commitment, history[i].lastCharge, history[i].rate, history[i].next);
        }
        if (commitment != extras.history()) revert HistoryMismatch(subscriptionId);
    }

    /// @dev What was paid for a charge, and above 96 bits the plan under which it was, where that is one in another token.
    /// From the newest to the oldest it belongs to the last segment that covers it; where none does, it cost `rate`.
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
        if (words.isProtected()) revert PlanIsProtected(slot.planId());
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

    /// @inheritdoc ISubscriptionsPayee
    function cancelWithRefund(uint256 subscriptionId, uint256[] calldata chargeNumbers, Segment[] calldata history)
        external
        nonReentrant
    {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        PlanWords words = _planOf(slot.planId());
        if (msg.sender != words.payee()) revert NotAuthorized(msg.sender);
        if (words.quoter() != address(0)) revert PlanIsQuoted(slot.planId());
        if (words.isProtected()) revert PlanIsProtected(slot.planId());
        if (slot.status() == Status.Cancelled) revert NotActive(subscriptionId, Status.Cancelled);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        if (extras.isInAlternative()) revert PaidInAnotherToken(subscriptionId);
        _requireHistory(subscriptionId, extras, history);
        uint256 needed = _unusedOf(subscriptionId, slot, extras, words);
        uint256 refundedOfLast = _refunded[subscriptionId][slot.charges()];
        needed = needed > refundedOfLast ? needed - refundedOfLast : 0;
        _end(subscriptionId, slot);
        if (extras.credit() != 0) _extras[subscriptionId] = extras.with(extras.seats(), 0, extras.history());

        uint256 sum;
        for (uint256 i = 0; i < chargeNumbers.length && sum < needed; ++i) {
            uint256 cost = _costOf(chargeNumbers[i], history, words.rate(extras.seats()));
            if (cost >> 96 != 0) revert PaidInAnotherToken(subscriptionId);
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

    /// @inheritdoc ISubscriptionsPayee
    function claim(address account, address token) external nonReentrant {
        uint256 amount = _claimable[account][token];
        if (amount == 0) revert NothingToClaim(account, token);
        _claimable[account][token] = 0;
        emit Claimed(account, token, amount);
        if (!SafeERC20.trySafeTransfer(IERC20(token), account, amount)) revert TokenRefused(token);
    }
}
