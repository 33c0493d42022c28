// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SubscriptionsCoupons} from "./SubscriptionsCoupons.sol";
import {SubscriptionsDigests} from "./SubscriptionsDigests.sol";
import {SubscriptionsDue} from "./SubscriptionsDue.sol";
import {WalletDeployer} from "./WalletDeployer.sol";
import {ISubscriptionsConsent, ISubscriptionsFrames} from "./interfaces/ISubscriptions.sol";
import {Calendar} from "./libraries/Calendar.sol";
import {DiscountSlot} from "./libraries/DiscountSlot.sol";
import {ExtrasSlot, ExtrasSlots} from "./libraries/ExtrasSlot.sol";
import {Permit2Call} from "./libraries/Permit2Call.sol";
import {PlanWords, PlanWordsOf} from "./libraries/PlanWords.sol";
import {RegisterSlot} from "./libraries/RegisterSlot.sol";
import {SubscriptionSlot, SubscriptionSlots} from "./libraries/SubscriptionSlot.sol";
import {TokenCall} from "./libraries/TokenCall.sol";
import {WalletSignature} from "./libraries/WalletSignature.sol";

/// @title SubscriptionsConsent
/// @notice The part of {Subscriptions} for consent with conditions, coupons, and for the charges of subscriptions that
/// have more than seats and credit. It works on that contract's storage, as {SubscriptionsPayee}. What it does not
/// have, {SubscriptionsViews} has.
contract SubscriptionsConsent is
    ISubscriptionsConsent,
    ISubscriptionsFrames,
    SubscriptionsDigests,
    SubscriptionsCoupons,
    SubscriptionsDue
{
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
        if (payer == words.feeReceiver()) revert PayerIsPayee(payer);
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

        (Due memory due,) =
            _charge(subscriptionId, slot, _extras[subscriptionId], Source(payer, conditions.byPermit2, false));
        if (due.reason != DeclineReason.None) revert FirstChargeDeclined(due.reason, due.found, due.allowed);
        _registers[words.registerId()] = register.withSubscription().withCharges(1, due.amount);
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

    // ----------------------------------------------------------------- charge

    /// @inheritdoc ISubscriptionsFrames
    function chargeSpecialRow(uint256 subscriptionId)
        external
        returns (DeclineReason reason, uint256 amount, uint256 received)
    {
        if (msg.sender != address(this)) revert NotAuthorized(msg.sender);
        SubscriptionSlot slot = _slotOf(subscriptionId);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        Due memory due;
        (due, received) = _charge(subscriptionId, slot, extras, Source(slot.payer(), extras.isByPermit2(), true));
        return (due.reason, due.amount, received);
    }

    /// @dev Check, effect, interaction of one charge. Where it declines, nothing has changed.
    function _charge(uint256 id, SubscriptionSlot slot, ExtrasSlot extras, Source memory source)
        private
        returns (Due memory due, uint256 received)
    {
        PlanWords words;
        (due, words) = _dueOf(id, slot, extras);
        if (due.reason == DeclineReason.None && due.amount != 0) _choose(id, extras, words.token(), due, source);
        if (due.reason != DeclineReason.None) return (due, 0);

        uint256 chargeNumber = slot.charges() + 1;
        _subscriptions[id] =
            slot.withPlan(due.planId).withDue(due.periodEnd, due.anchorDay).withOneMoreCharge();
        _extras[id] = _extrasAfter(id, slot, extras, due);
        _spend(id, extras, due.amount);
        if (due.quoted != 0) emit Quoted(id, chargeNumber, due.quoted, due.price);
        if (due.discount != 0) emit Discounted(id, chargeNumber, due.discount);
        if (due.creditUsed != 0) emit CreditUsed(id, chargeNumber, due.creditUsed);
        if (source.wallet != slot.payer()) emit PaidByFallback(id, chargeNumber, source.wallet);
        if (due.amount != 0) received = _pay(id, words, due.amount, source);
        emit Charged(id, chargeNumber, due.periodStart, due.periodEnd, due.amount);
    }

    /// @dev Seats, credit and what commits to the charges, after this one; what was scheduled has happened.
    function _extrasAfter(uint256 id, SubscriptionSlot slot, ExtrasSlot extras, Due memory due)
        private
        returns (ExtrasSlot)
    {
        uint256 charges = slot.charges();
        uint256 history = extras.history();
        uint256 credit = extras.credit() - due.creditUsed;
        if (extras.isScheduled()) {
            if (charges != 0) {
                uint256 oldRate = PlanWordsOf.load(slot.planId()).rate(extras.seats());
                history = ExtrasSlots.extend(history, charges, oldRate, ExtrasSlots.NO_CHARGE);
            }
            extras = extras.withScheduled(false);
            emit PlanChanged(id, due.planId, due.seats, extras.credit());
        }
        if (due.amount != due.rate || due.quoted != 0) {
            history = ExtrasSlots.extend(history, charges, due.rate, due.amount);
        }
        if (extras.isDiscounted()) {
            DiscountSlot discount = _discounts[id];
            if (discount.isOver(due.planId)) extras = extras.withDiscounted(false);
            else _discounts[id] = discount.withTaken(_ofWhole(due));
        }
        return extras.with(due.seats, credit, history);
    }

    /// @dev The discount as it would be on a whole period, rounded up: at most all of it.
    function _ofWhole(Due memory due) private pure returns (uint256) {
        if (due.quoted != 0 || due.price == due.rate) return due.discount;
        return (due.discount * due.rate + due.price - 1) / due.price;
    }

    /// @dev The payee's part and the fee: both or none.
    function _pay(uint256 id, PlanWords words, uint256 amount, Source memory source)
        private
        returns (uint256 received)
    {
        uint256 fee = words.feeOf(amount);
        received = _deliver(id, words.token(), words.payee(), amount - fee, source);
        if (fee != 0) _deliver(id, words.token(), words.feeReceiver(), fee, source);
    }

    /// @dev What its receiver cannot receive is kept for them (E07).
    function _deliver(uint256 id, address token, address to, uint256 amount, Source memory source)
        private
        returns (uint256 received)
    {
        if (_tryMove(token, to, amount, source)) return amount;
        if (!source.mayKeep || !_tryMove(token, address(this), amount, source)) _refuse(token, source.wallet);
        _claimable[to][token] += amount;
        emit Claimable(to, token, id, amount);
    }

    function _tryMove(address token, address to, uint256 amount, Source memory source) private returns (bool moved) {
        uint256 balanceBefore = _balance(token, to, amount);
        moved = source.byPermit2
            ? Permit2Call.tryTransferFrom(token, source.wallet, to, amount)
            : TokenCall.tryTransferFrom(token, source.wallet, to, amount);
        if (moved) _requireReceived(balanceBefore, _balance(token, to, amount), amount);
    }

    function _refuse(address token, address wallet) private view {
        if (TokenCall.isBlocked(token, wallet)) revert AccountBlocked(wallet);
        revert TokenRefused(token);
    }
}
