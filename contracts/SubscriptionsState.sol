// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ISubscriptionsTypes} from "./interfaces/ISubscriptionsTypes.sol";
import {Calendar} from "./libraries/Calendar.sol";
import {DiscountSlot} from "./libraries/DiscountSlot.sol";
import {ExtrasSlot, ExtrasSlots} from "./libraries/ExtrasSlot.sol";
import {LimitsSlot, LimitsSlots} from "./libraries/LimitsSlot.sol";
import {Permit2Call} from "./libraries/Permit2Call.sol";
import {PlanWords, PlanWordsOf} from "./libraries/PlanWords.sol";
import {RegisterSlot, RegisterSlots} from "./libraries/RegisterSlot.sol";
import {Step} from "./libraries/Schedule.sol";
import {SubscriptionSlot, SubscriptionSlots} from "./libraries/SubscriptionSlot.sol";
import {TokenCall} from "./libraries/TokenCall.sol";

/// @title SubscriptionsState
/// @notice What {Subscriptions} stores, and what all its parts share.
abstract contract SubscriptionsState is ISubscriptionsTypes, EIP712, ReentrancyGuardTransient {
    bytes32 private constant MANDATE_TYPEHASH = keccak256(
        "Mandate(address payer,uint256 planId,address payee,address token,uint256 pricePerPeriod,uint256 pricePerSeat,uint256 seats,uint256 maxUsagePerPeriod,uint256 periodCount,string periodUnit,uint256 missedPeriods,uint256 trialSeconds,bytes32 terms,uint256 salt,uint256 validBefore)"
    );

    struct Counters {
        uint32 plans;
        uint32 registers;
    }

    Counters internal _counters;
    // Arrays of a fixed, unreachable length: the slot of an element is an addition, not a hash.
    RegisterSlot[2 ** 32] internal _registers;
    SubscriptionSlot[2 ** 63] internal _subscriptions;
    ExtrasSlot[2 ** 63] internal _extras;
    Total[2 ** 32] internal _refundTotals;
    /// @dev One more than the register's number: 0 where there is none.
    mapping(address payee => mapping(address token => uint256)) internal _registerAfter;
    mapping(uint256 planId => bool) internal _archived;
    mapping(uint256 registerAndFamily => mapping(address payer => bool)) internal _trialUsed;
    mapping(uint256 subscriptionId => mapping(uint256 chargeNumber => uint256)) internal _refunded;
    mapping(address payer => mapping(uint256 saltWord => uint256)) internal _usedSalts;
    mapping(address account => mapping(address token => uint256)) internal _claimable;
    /// @dev Of registers that were moved to another payee: who that is.
    mapping(uint256 registerId => address) internal _payees;
    /// @dev What usage cost in a period, 96 bits, above the number of its last charge: a period's own charge, which
    /// nobody counts here, ends what was counted.
    mapping(uint256 subscriptionId => uint256) internal _usage;
    /// @dev Of a change at the end of the paid period: plan 32 | seats 24.
    mapping(uint256 subscriptionId => uint256) internal _scheduled;
    mapping(uint256 subscriptionId => LimitsSlot) internal _limits;
    mapping(uint256 subscriptionId => DiscountSlot) internal _discounts;
    mapping(bytes32 couponHash => mapping(address payer => bool)) internal _couponUsed;
    /// @dev Who pays where the payer cannot, or under which plan, and for what: wallet 160 | plan 32 | seats 24 |
    /// alternative 32.
    mapping(uint256 subscriptionId => uint256) internal _fallbacks;
    /// @dev Zero: the payer.
    mapping(uint256 subscriptionId => address) internal _beneficiaries;
    mapping(uint256 planId => mapping(uint256 alternativePlanId => bool)) internal _alternatives;

    constructor() EIP712("Tallystick Subscriptions", "1") {}

    // ---------------------------------------------------------------- lookups

    function _existingPlan(uint256 planId) internal view returns (PlanWords words) {
        (words,) = _planAndRegister(planId);
    }

    /// @dev An existing plan, and the word of its register, which says who is paid.
    function _planAndRegister(uint256 planId) internal view returns (PlanWords words, RegisterSlot register) {
        if (planId > type(uint32).max) revert UnknownPlan(planId);
        words = PlanWordsOf.load(planId);
        if (!words.exists()) revert UnknownPlan(planId);
        register = _registers[words.registerId()];
        if (register.isMoved()) _follow(words);
    }

    /// @dev A plan with the payee that its register has now. Where the payee does not matter, `PlanWordsOf.load` does.
    function _planOf(uint256 planId) internal view returns (PlanWords words) {
        words = PlanWordsOf.load(planId);
        if (_registers[words.registerId()].isMoved()) _follow(words);
    }

    /// @dev Of a register that was moved, whose flag the caller has asked.
    function _follow(PlanWords words) internal view {
        words.setPayee(_payees[words.registerId()]);
    }

    /// @dev The plan, if its terms are those that the payer agreed to, and the word of its register.
    function _agreedPlan(uint256 planId, bytes32 expectedTerms)
        internal
        view
        returns (PlanWords words, RegisterSlot register)
    {
        (words, register) = _planAndRegister(planId);
        bytes32 found = words.hash();
        if (found != expectedTerms) revert TermsChanged(found, expectedTerms);
    }

    /// @dev Empty where there is none, whatever the number: no row may fail the others.
    function _slotOf(uint256 id) internal view returns (SubscriptionSlot) {
        if (id >= _subscriptions.length) return SubscriptionSlot.wrap(0);
        return _subscriptions[id];
    }

    function _existingSubscription(uint256 subscriptionId) internal view returns (SubscriptionSlot slot) {
        slot = _slotOf(subscriptionId);
        if (slot.payer() == address(0)) revert UnknownSubscription(subscriptionId);
    }

    function _ofCaller(uint256 subscriptionId) internal view returns (SubscriptionSlot slot) {
        if (subscriptionId >= _subscriptions.length) revert UnknownSubscription(subscriptionId);
        slot = _subscriptions[subscriptionId];
        if (msg.sender != slot.payer()) {
            if (slot.payer() == address(0)) revert UnknownSubscription(subscriptionId);
            revert NotAuthorized(msg.sender);
        }
    }

    /// @dev Whether charging it asks for more than a plan, seats, credit and limits: {SubscriptionsCharges} does it, in
    /// a frame of its own.
    function _isSpecial(SubscriptionSlot slot, PlanWords words, ExtrasSlot extras)
        internal
        pure
        returns (bool)
    {
        return extras.isSpecial() || words.isProtected() || words.quoter() != address(0)
            || (words.alignTo() != 0 && (slot.charges() == 0 || slot.isShifted()));
    }

    function _extrasOf(uint256 id, SubscriptionSlot slot) internal view returns (ExtrasSlot) {
        return slot.hasExtras() ? _extras[id] : ExtrasSlot.wrap(0);
    }

    /// @dev Hands the call to the next part, on this contract's storage, and ends with its answer.
    function _delegate(address part) internal {
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, 0, calldatasize())
            let ok := delegatecall(gas(), part, data, calldatasize(), 0, 0)
            returndatacopy(data, 0, returndatasize())
            if iszero(ok) { revert(data, returndatasize()) }
            return(data, returndatasize())
        }
    }

    function _packScheduled(uint256 planId, uint256 seats) internal pure returns (uint256) {
        return planId | seats << 32;
    }

    function _unpackScheduled(uint256 scheduled) internal pure returns (uint256 planId, uint256 seats) {
        return (uint32(scheduled), scheduled >> 32);
    }

    /// @dev The number of the next subscription of a plan's register, if the payer may have it.
    function _nextSubscription(address payer, uint256 planId, PlanWords words)
        internal
        view
        returns (uint256 subscriptionId, RegisterSlot register)
    {
        if (payer == words.payee()) revert PayerIsPayee(payer);
        uint256 registerId = words.registerId();
        register = _registers[registerId];
        if (register.hasArchived() && _archived[planId]) revert PlanIsArchived(planId);
        uint256 number = register.opened() + 1;
        if (number == RegisterSlots.PER_REGISTER) revert RegisterFull(registerId);
        subscriptionId = registerId * RegisterSlots.PER_REGISTER + number;
    }

    function _schedule(uint256 id, SubscriptionSlot slot, ExtrasSlot extras, uint256 planId, uint256 seats) internal {
        _subscriptions[id] = slot.withExtras();
        _extras[id] = extras.withScheduled(true);
        _scheduled[id] = _packScheduled(planId, seats);
    }

    function _dropFallback(uint256 subscriptionId) internal {
        _extras[subscriptionId] = _extras[subscriptionId].withFallback(false);
        emit FallbackSet(subscriptionId, address(0));
    }

    function _packFallback(address wallet, uint256 planId, uint256 seats) internal pure returns (uint256) {
        return uint160(wallet) | planId << 160 | seats << 192;
    }

    function _unpackFallback(uint256 packed) internal pure returns (address wallet, uint256 planId, uint256 seats) {
        return (address(uint160(packed)), uint32(packed >> 160), uint24(packed >> 192));
    }

    function _packFallbackPlan(uint256 alternativeId, uint256 planId, uint256 seats) internal pure returns (uint256) {
        return planId << 160 | seats << 192 | alternativeId << 216;
    }

    /// @dev 0 where it is a wallet.
    function _alternativeIn(uint256 packed) internal pure returns (uint256) {
        return packed >> 216;
    }

    /// @dev Whether one payee, who offered it, is paid under both plans: registers may have been handed over apart.
    function _isAlternative(uint256 planId, PlanWords words, uint256 alternativeId, PlanWords alternative)
        internal
        view
        returns (bool)
    {
        return _alternatives[planId][alternativeId] && words.payee() == alternative.payee();
    }

    // ------------------------------------------------------------- conditions

    function _setConditions(
        uint256 subscriptionId,
        PlanWords words,
        uint256 planId,
        Conditions calldata conditions
    ) internal {
        if (words.quoter() != address(0) && conditions.maxPerPeriod == 0) revert MaximumMissing(planId);
        bool isLimited = conditions.maxPerPeriod | conditions.maxTotal | conditions.endsAt != 0;
        _extras[subscriptionId] =
            _extras[subscriptionId].withLimited(isLimited).withPermit2(conditions.byPermit2);
        if (isLimited) {
            _limits[subscriptionId] =
                LimitsSlots.pack(conditions.maxPerPeriod, conditions.maxTotal, conditions.endsAt);
        }
        if (_beneficiaries[subscriptionId] != conditions.beneficiary) {
            _beneficiaries[subscriptionId] = conditions.beneficiary;
        }
        emit ConditionsSet(
            subscriptionId,
            conditions.maxPerPeriod,
            conditions.maxTotal,
            conditions.endsAt,
            conditions.beneficiary,
            conditions.byPermit2
        );
    }

    // ------------------------------------------------------------------- dues

    /// @dev Why a subscription cannot be charged now, money aside.
    function _standing(SubscriptionSlot slot, PlanWords words) internal view returns (DeclineReason) {
        if (slot.isActive()) {
            if (block.timestamp < slot.nextDue()) return DeclineReason.NotDue;
            if (slot.payer() == address(0)) return DeclineReason.Unknown;
            if (slot.charges() == SubscriptionSlots.MAX_CHARGES) return DeclineReason.Ended;
            return words.isPlain() ? DeclineReason.None : _term(slot, words);
        }
        Status status = slot.status();
        if (status == Status.Paused) return DeclineReason.Paused;
        return status == Status.Ending ? DeclineReason.Ended : DeclineReason.Cancelled;
    }

    /// @dev Whether the plan's own end has come.
    function _term(SubscriptionSlot slot, PlanWords words) private view returns (DeclineReason) {
        uint256 end = words.maxCharges();
        if (end != 0 && slot.charges() >= end) return DeclineReason.Ended;
        uint256 grace = words.grace();
        if (grace != 0 && block.timestamp >= slot.nextDue() + grace) return DeclineReason.Ended;
        return DeclineReason.None;
    }

    /// @dev The period that a charge pays for now.
    function _periodOf(SubscriptionSlot slot, PlanWords words, Step step)
        internal
        view
        returns (uint256 periodStart, uint256 periodEnd)
    {
        uint256 anchorDay = slot.anchorDay();
        periodStart = slot.nextDue();
        periodEnd = step.later(periodStart, 1, anchorDay);
        if (periodEnd <= block.timestamp) {
            uint256 missed = step.wholePeriods(periodStart, block.timestamp, anchorDay);
            uint256 catchUp = words.catchUp();
            if (missed > catchUp) {
                periodStart = step.later(periodStart, missed - catchUp, anchorDay);
                periodEnd = step.later(periodStart, 1, anchorDay);
            }
        }
    }

    /// @dev What a whole period costs with `seats`, which the plan must sell.
    function _rate(PlanWords words, uint256 seats) internal pure returns (uint256 rate) {
        uint256 seatPrice = words.seatPrice();
        if (seatPrice == 0) {
            if (seats != 0) revert SeatsOutOfRange(seats, 0);
            return words.price();
        }
        uint256 allowed = (type(uint96).max - words.price()) / seatPrice;
        if (allowed > ExtrasSlots.MAX_SEATS) allowed = ExtrasSlots.MAX_SEATS;
        if (seats == 0 || seats > allowed) revert SeatsOutOfRange(seats, allowed);
        return words.rate(seats);
    }

    /// @dev Ends a subscription now. Of a paused one the rest of the paid period begins now.
    function _end(uint256 id, SubscriptionSlot slot) internal {
        if (slot.status() == Status.Paused) slot = slot.withDue(block.timestamp + slot.nextDue(), slot.anchorDay());
        _subscriptions[id] = slot.withStatus(Status.Cancelled);
        emit Cancelled(id);
    }

    /// @dev The payer agreed to a number of charges, which begin after the trial.
    function _requireMinimum(SubscriptionSlot slot) internal view {
        uint256 charges = slot.charges();
        uint256 agreed = PlanWordsOf.load(slot.planId()).minCharges();
        if (charges != 0 && charges < agreed) revert MinimumTerm(charges, agreed);
    }

    function _requireInPeriod(uint256 subscriptionId, SubscriptionSlot slot) internal view {
        if (!slot.isActive()) revert NotActive(subscriptionId, slot.status());
        if (slot.nextDue() <= block.timestamp) revert ChargeDue(subscriptionId, slot.nextDue());
    }

    // ----------------------------------------------------------------- change

    /// @dev What a change costs now, and the words after it. Within a period the difference of what is left of it
    /// moves; where the new plan has other periods, or a calendar one was paused, a new one begins now and is charged,
    /// and what is left of the old one is credited.
    /// @return changed Where the subscription stands then.
    /// @return kept Its seats, what is left of its credit, and its history.
    /// @return toPay What is paid at once of what the change costs.
    /// @return creditUsed What credit pays of it. Where both are zero, nothing is charged.
    function _changeOf(
        uint256 subscriptionId,
        SubscriptionSlot slot,
        ExtrasSlot extras,
        uint256 planId,
        PlanWords words,
        uint256 seats,
        RegisterSlot register
    ) internal view returns (SubscriptionSlot changed, ExtrasSlot kept, uint256 toPay, uint256 creditUsed) {
        _requireInPeriod(subscriptionId, slot);
        if (planId == slot.planId()) {
            if (seats == extras.seats()) revert NothingToChange(subscriptionId);
        }
        PlanWords old = PlanWordsOf.load(slot.planId());
        _requireChangeable(slot, old, planId, words, register, true);

        uint256 newRate = _rate(words, seats);
        uint256 credit = extras.credit();
        uint256 history;
        changed = slot.withPlan(planId);
        // Unchecked: rates have 96 bits, times 40. The period is not over, and began before it ends.
        unchecked {
            if (slot.charges() == 0) {
                _requireTrialOf(subscriptionId, old, words);
                history = extras.history();
            } else {
                _requireChargeLeft(slot);
                uint256 charged;
                uint256 oldRate = old.rate(extras.seats());
                Step step = old.step();
                bool goesOn = words.hasGridOf(old);
                // As `_leftOf`, which would ask once more whether it was paused.
                uint256 left = slot.nextDue() - block.timestamp;
                uint256 whole;
                if (slot.isShifted()) {
                    whole = step.longest();
                    goesOn = goesOn && !step.isCalendar();
                } else {
                    whole = slot.nextDue() - step.earlier(slot.nextDue(), slot.anchorDay());
                }
                uint256 oldValue = oldRate * left / whole;
                if (goesOn) {
                    uint256 newValue = newRate * left / whole;
                    if (newValue > oldValue) charged = newValue - oldValue;
                    else credit += oldValue - newValue;
                } else {
                    credit += oldValue;
                    uint256 end;
                    uint256 anchorDay;
                    (end, anchorDay, charged) = _firstPeriod(words, newRate);
                    changed = changed.withDue(end, anchorDay);
                }
                if (credit != 0) {
                    creditUsed = credit < charged ? credit : charged;
                    credit -= creditUsed;
                    if (credit > ExtrasSlots.MAX_CREDIT) revert CreditTooHigh(credit, ExtrasSlots.MAX_CREDIT);
                }
                uint256 next = ExtrasSlots.NO_CHARGE;
                if (charged != 0) {
                    next = toPay = charged - creditUsed;
                    changed = changed.withOneMoreCharge();
                }
                history = ExtrasSlots.extend(extras.history(), slot.charges(), oldRate, next);
            }
            if (extras.hasFlags()) {
                if (extras.isDiscounted()) revert DiscountRunning(subscriptionId);
                if (extras.isInAlternative()) revert PaidInAnotherToken(subscriptionId);
                if (extras.isLimited()) {
                    LimitsSlot limits = _limits[subscriptionId];
                    _requireWithin(limits, newRate + words.usageCap());
                    if (toPay != 0) _requireSpendable(subscriptionId, limits, toPay);
                }
            }
            kept = extras.changed(seats, credit, history);
        }
    }

    function _requireWithin(LimitsSlot limits, uint256 costPerPeriod) internal pure {
        uint256 maximum = limits.maxPerPeriod();
        if (maximum != 0 && costPerPeriod > maximum) revert OverMandate(costPerPeriod, maximum);
    }

    /// @dev The period that begins now, and its price. On a grid that the plan has fixed, it is what is left of one.
    function _firstPeriod(PlanWords words, uint256 rate)
        internal
        view
        returns (uint256 end, uint256 anchorDay, uint256 price)
    {
        if (words.alignTo() == 0) {
            anchorDay = Calendar.dayOfMonth(block.timestamp);
            return (words.step().later(block.timestamp, 1, anchorDay), anchorDay, rate);
        }
        (, end, price) = words.stubOf(block.timestamp, rate);
        anchorDay = words.alignedDay();
    }

    /// @dev Whether the payer may move a subscription from the plan `old` to the plan `words`: at once, or else when
    /// the period ends. Its charges are asked by `_requireTrialOf` and `_requireChargeLeft`.
    function _requireChangeable(
        SubscriptionSlot slot,
        PlanWords old,
        uint256 planId,
        PlanWords words,
        RegisterSlot register,
        bool atOnce
    ) internal view {
        if (!words.hasRegisterOf(old)) revert AnotherRegister(words.registerId(), old.registerId());
        if (!words.arePlain(old)) {
            bool isProtected = words.isProtected();
            if (isProtected != old.isProtected() || (isProtected && atOnce)) revert PlanIsProtected(planId);
            if (old.maxCharges() != 0) revert FixedTerm(slot.planId(), old.maxCharges());
            if (slot.charges() < old.minCharges()) revert MinimumTerm(slot.charges(), old.minCharges());
            if (words.maxCharges() != 0) revert FixedTerm(planId, words.maxCharges());
            if (words.minCharges() != 0 && planId != slot.planId()) revert FixedTerm(planId, words.minCharges());
            if (words.feeReceiver() == slot.payer()) revert PayerIsPayee(slot.payer());
            if (atOnce && (old.quoter() != address(0) || words.quoter() != address(0))) revert PlanIsQuoted(planId);
        }
        if (register.hasArchived()) {
            if (_archived[planId] && planId != slot.planId()) revert PlanIsArchived(planId);
        }
    }

    /// @dev Before anything was paid, the trial goes on.
    function _requireTrialOf(uint256 subscriptionId, PlanWords old, PlanWords words) internal pure {
        if (words.trial() == 0 || words.family() != old.family()) revert TrialRunning(subscriptionId);
    }

    function _requireChargeLeft(SubscriptionSlot slot) internal pure {
        uint256 most = SubscriptionSlots.MAX_CHARGES;
        if (slot.charges() == most) revert FixedTerm(slot.planId(), most);
    }

    /// @dev The seconds left of the paid period, and those of a whole one. One that was paused has lost its place on
    /// the grid: it counts as the longest of its kind, so that a pause makes nothing worth more than was paid for it. A
    /// calendar one ends with a change, or an upgrade would be measured by another length than the downgrade before it.
    function _leftOf(SubscriptionSlot slot, Step step) internal view returns (uint256 left, uint256 whole) {
        uint256 due = slot.nextDue();
        // Unchecked: the caller made sure that the period is not over, and it began before it ends.
        unchecked {
            left = due - block.timestamp;
            whole = slot.isShifted() ? step.longest() : due - step.earlier(due, slot.anchorDay());
        }
    }

    /// @dev What the payer has paid for and not had yet: what is left of the period, rounded down, and the credit.
    function _unusedOf(uint256 subscriptionId, SubscriptionSlot slot, ExtrasSlot extras, PlanWords words)
        internal
        view
        returns (uint256)
    {
        if (slot.charges() == 0) return 0;
        Step step = words.step();
        uint256 left;
        uint256 whole;
        if (slot.status() == Status.Paused) (left, whole) = (slot.nextDue(), step.longest());
        else if (slot.nextDue() > block.timestamp) (left, whole) = _leftOf(slot, step);
        else return extras.credit();
        return _paidRate(subscriptionId, extras, words) * left / whole + extras.credit();
    }

    /// @dev What a whole period costs, less the discount of the one that is served.
    function _paidRate(uint256 subscriptionId, ExtrasSlot extras, PlanWords words)
        internal
        view
        returns (uint256 rate)
    {
        rate = words.rate(extras.seats());
        if (extras.isDiscounted()) rate -= _discounts[subscriptionId].last();
    }

    function _isTrialUsed(address payer, PlanWords words) internal view returns (bool) {
        return words.trial() != 0 && _trialUsed[_familyOf(words)][payer];
    }

    function _familyOf(PlanWords words) internal pure returns (uint256) {
        return words.registerId() << 16 | words.family();
    }

    function _usageLeft(uint256 subscriptionId, PlanWords words, uint256 charges)
        internal
        view
        returns (uint256)
    {
        uint256 counted = _usage[subscriptionId];
        uint256 cap = words.usageCap();
        if (counted >> 96 != charges) return cap;
        uint256 spent = uint96(counted);
        return spent < cap ? cap - spent : 0; // another plan may have another cap
    }

    // -------------------------------------------------------------- signatures

    /// @dev An account may have a key and code at once (EIP-7702), so both kinds of signature are tried.
    function _requireSignature(address signer, bytes32 digest, bytes calldata signature) internal view {
        (address recovered, ECDSA.RecoverError err,) = ECDSA.tryRecover(digest, signature);
        if (err == ECDSA.RecoverError.NoError && recovered == signer) return;
        if (SignatureChecker.isValidERC1271SignatureNow(signer, digest, signature)) return;
        revert InvalidSignature(signer);
    }

    function _mandateDigest(Mandate calldata mandate, PlanWords words) internal view returns (bytes32) {
        bytes32[16] memory fields; // as abi.encode would lay them out, which has no room for so many on the stack
        fields[0] = MANDATE_TYPEHASH;
        fields[1] = bytes32(uint256(uint160(mandate.payer)));
        fields[2] = bytes32(mandate.planId);
        fields[3] = bytes32(uint256(uint160(words.payee())));
        fields[4] = bytes32(uint256(uint160(words.token())));
        fields[5] = bytes32(words.price());
        fields[6] = bytes32(words.seatPrice());
        fields[7] = bytes32(mandate.seats);
        fields[8] = bytes32(words.usageCap());
        fields[9] = bytes32(words.every());
        fields[10] = _unitHash(words.unit());
        fields[11] = bytes32(words.catchUp());
        fields[12] = bytes32(_isTrialUsed(mandate.payer, words) ? 0 : words.trial());
        fields[13] = words.hash();
        fields[14] = bytes32(mandate.salt);
        fields[15] = bytes32(mandate.validBefore);
        return _hashTypedDataV4(keccak256(abi.encode(fields)));
    }

    function _unitHash(Unit unit) internal pure returns (bytes32) {
        if (unit == Unit.Month) return keccak256("month");
        if (unit == Unit.Year) return keccak256("year");
        if (unit == Unit.Week) return keccak256("week");
        if (unit == Unit.Day) return keccak256("day");
        return keccak256("second");
    }

    function _isSaltUsed(address payer, uint256 salt) internal view returns (bool) {
        return _usedSalts[payer][salt >> 8] & (1 << (salt & 0xff)) != 0;
    }

    function _useSalt(address payer, uint256 salt) internal {
        uint256 bit = 1 << (salt & 0xff);
        uint256 used = _usedSalts[payer][salt >> 8];
        if (used & bit != 0) revert SaltUsed(payer, salt);
        _usedSalts[payer][salt >> 8] = used | bit;
    }

    // ------------------------------------------------------------------ money

    /// @dev Counts `amount` towards what the payer agreed to in all, if they limited it.
    function _spend(uint256 subscriptionId, ExtrasSlot extras, uint256 amount) internal {
        if (extras.isLimited()) {
            LimitsSlot limits = _limits[subscriptionId];
            _requireSpendable(subscriptionId, limits, amount);
            if (limits.hasTotal()) _limits[subscriptionId] = limits.withSpent(amount);
        }
    }

    function _requireSpendable(uint256 subscriptionId, LimitsSlot limits, uint256 amount) private view {
        if (limits.hasEnded(block.timestamp)) revert ConditionsEnded(subscriptionId, limits.endsAt());
        if (limits.hasTotal() && amount > limits.left()) revert OverMandate(amount, limits.left());
    }

    /// @dev As `_spend`, for a charge of a period that costs `cost`, of which `toPay` is paid now; or why it may not.
    function _trySpend(uint256 subscriptionId, LimitsSlot limits, uint256 cost, uint256 toPay)
        internal
        returns (DeclineReason reason)
    {
        (reason,,) = limits.objection(cost, toPay, block.timestamp);
        if (reason == DeclineReason.None && limits.hasTotal()) _limits[subscriptionId] = limits.withSpent(toPay);
    }

    /// @dev What the payer lacks to pay `amount`, as far as the token tells.
    function _whyNot(address token, address payer, uint256 amount) internal view returns (DeclineReason) {
        (bool ok, uint256 found) = TokenCall.tryAllowance(token, payer, address(this), TokenCall.reserved());
        if (ok && found < amount) return DeclineReason.Allowance;
        (ok, found) = TokenCall.tryBalanceOf(token, payer, TokenCall.reserved());
        return ok && found < amount ? DeclineReason.Balance : DeclineReason.None;
    }

    /// @dev Collects a charge from a payer: the payee's part and the fee, or reverts with what was missing.
    function _collect(PlanWords words, address payer, uint256 amount, bool byPermit2) internal {
        uint256 fee;
        if (!words.isPlain()) fee = words.feeOf(amount);
        // Unchecked: a fee is a part of the amount.
        unchecked {
            _move(words.token(), payer, words.payee(), amount - fee, byPermit2);
        }
        if (fee != 0) _move(words.token(), payer, words.feeReceiver(), fee, byPermit2);
    }

    /// @dev Moves money by allowance or reverts with what was missing.
    function _move(address token, address from, address to, uint256 amount, bool byPermit2) internal {
        uint256 balanceBefore = TokenCall.balanceOf(token, to);
        bool moved = byPermit2
            ? Permit2Call.tryTransferFrom(token, from, to, amount)
            : SafeERC20.trySafeTransferFrom(IERC20(token), from, to, amount);
        if (!moved) _explain(token, from, amount, byPermit2);
        _requireReceived(balanceBefore, TokenCall.balanceOf(token, to), amount);
    }

    function _explain(address token, address from, uint256 amount, bool byPermit2) private view {
        address spender = byPermit2 ? Permit2Call.PERMIT2 : address(this);
        (bool ok, uint256 found) = TokenCall.tryAllowance(token, from, spender, gasleft());
        if (ok && found < amount) revert AllowanceTooLow(found, amount);
        if (byPermit2) {
            (ok, found) = Permit2Call.tryAllowance(token, from, address(this));
            if (ok && found < amount) revert AllowanceTooLow(found, amount);
        }
        (ok, found) = TokenCall.tryBalanceOf(token, from, gasleft());
        if (ok && found < amount) revert BalanceTooLow(found, amount);
        revert TokenRefused(token);
    }

    /// @dev Of an account that is to receive `amount`, with bounded gas. Where the token does not say, nothing can be
    /// shown to arrive.
    function _balance(address token, address account, uint256 amount) internal view returns (uint256 balance) {
        bool ok;
        (ok, balance) = TokenCall.tryBalanceOf(token, account, TokenCall.reserved());
        if (!ok) revert AmountMismatch(0, amount);
    }

    function _requireReceived(uint256 balanceBefore, uint256 balanceAfter, uint256 expected) internal pure {
        // Unchecked: subtracts the smaller from the greater.
        unchecked {
            uint256 received = balanceAfter > balanceBefore ? balanceAfter - balanceBefore : 0;
            if (received < expected) revert AmountMismatch(received, expected);
        }
    }
}
