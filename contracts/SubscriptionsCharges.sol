// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SubscriptionsDue} from "./SubscriptionsDue.sol";
import {ICollector} from "./interfaces/ICollector.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";
import {IFunding} from "./interfaces/IFunding.sol";
import {ISubscriptionsFrames} from "./interfaces/ISubscriptions.sol";
import {DiscountSlot} from "./libraries/DiscountSlot.sol";
import {ExtrasSlot, ExtrasSlots} from "./libraries/ExtrasSlot.sol";
import {Permit2Call} from "./libraries/Permit2Call.sol";
import {PlanWords, PlanWordsOf} from "./libraries/PlanWords.sol";
import {SubscriptionSlot} from "./libraries/SubscriptionSlot.sol";
import {TokenCall} from "./libraries/TokenCall.sol";

/// @title SubscriptionsCharges
/// @notice The part of {Subscriptions} for the charges of subscriptions that have more than seats, credit and limits, and
/// for charges that {IEscrow} protects. It works on that contract's storage, as {SubscriptionsPayee}. What it does not
/// have, {SubscriptionsConsent} has.
contract SubscriptionsCharges is ISubscriptionsFrames, ICollector, SubscriptionsDue {
    /// @dev After its window the payee has this long to capture a protected charge, or anyone gives it back.
    uint256 private constant CAPTURE_TIME = 366 days;
    /// @dev What the escrow does before it asks for gas itself, and some more.
    uint256 private constant ESCROW_GAS = TokenCall.GAS + 150_000;
    uint256 private constant CHARGES_BITS = 16;
    uint256 private constant BY_PERMIT2 = 1 << 160;

    address private immutable _NEXT;
    IEscrow private immutable _ESCROW;

    /// @dev Whose money the escrow may collect now, beside the flag: nobody's, but within a protected charge.
    uint256 private transient _source;

    constructor(address next, IEscrow escrow) {
        if (next.code.length == 0) revert NotAContract(next);
        if (address(escrow).code.length == 0) revert NotAContract(address(escrow));
        (_NEXT, _ESCROW) = (next, escrow);
    }

    fallback() external {
        _delegate(_NEXT);
    }

    /// @inheritdoc ISubscriptionsFrames
    function chargeSpecialRow(uint256 subscriptionId)
        external
        returns (DeclineReason reason, uint256 paid, uint256 amount, uint256 received)
    {
        if (msg.sender != address(this)) revert NotAuthorized(msg.sender);
        SubscriptionSlot slot = _slotOf(subscriptionId);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        Due memory due;
        (due, received) = _charge(subscriptionId, slot, extras, Source(slot.payer(), extras.isByPermit2(), true));
        if (due.reason != DeclineReason.None) return (due.reason, 0, 0, 0);
        return due.alternativeId == 0 ? (due.reason, 1, due.amount, received) : (due.reason, 0, 0, 0);
    }

    /// @inheritdoc ISubscriptionsFrames
    function chargeFirst(uint256 subscriptionId)
        external
        returns (DeclineReason reason, uint256 found, uint256 allowed, uint256 amount)
    {
        if (msg.sender != address(this)) revert NotAuthorized(msg.sender);
        SubscriptionSlot slot = _slotOf(subscriptionId);
        ExtrasSlot extras = _extrasOf(subscriptionId, slot);
        (Due memory due,) =
            _charge(subscriptionId, slot, extras, Source(slot.payer(), extras.isByPermit2(), false));
        return (due.reason, due.found, due.allowed, due.amount);
    }

    /// @dev Check, effect, interaction of one charge. Where it declines, nothing has changed.
    function _charge(uint256 id, SubscriptionSlot slot, ExtrasSlot extras, Source memory source)
        private
        returns (Due memory due, uint256 received)
    {
        PlanWords words;
        (due, words) = _dueOf(id, slot, extras);
        if (due.reason == DeclineReason.None && due.amount != 0) words = _choose(id, extras, words, due, source);
        if (due.reason != DeclineReason.None) return (due, 0);

        uint256 chargeNumber = slot.charges() + 1;
        _subscriptions[id] =
            slot.withPlan(due.planId).withDue(due.periodEnd, due.anchorDay).withOneMoreCharge();
        _extras[id] = _extrasAfter(id, slot, extras, due);
        _spend(id, extras, due.amount);
        if (due.alternativeId != 0) _countElsewhere(id, chargeNumber, due, words);
        if (due.quoted != 0) emit Quoted(id, chargeNumber, due.quoted, due.price);
        if (due.discount != 0) emit Discounted(id, chargeNumber, due.discount);
        if (due.creditUsed != 0) emit CreditUsed(id, chargeNumber, due.creditUsed);
        if (source.wallet != slot.payer()) emit PaidByFallback(id, chargeNumber, source.wallet);
        if (due.amount != 0) {
            if (!words.isProtected()) received = _pay(id, words, due.amount, source);
            else _protect(id, chargeNumber, slot.payer(), words, due.amount, source);
        }
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
        bool isElsewhere = due.alternativeId != 0;
        if (isElsewhere || due.amount != due.rate || due.quoted != 0) {
            history = ExtrasSlots.extend(history, charges, due.rate, due.amount | due.alternativeId << 96);
        }
        if (extras.isDiscounted() && !isElsewhere) {
            DiscountSlot discount = _discounts[id];
            if (discount.isOver(due.planId)) extras = extras.withDiscounted(false);
            else _discounts[id] = discount.withTaken(_ofWhole(due));
        }
        return extras.withInAlternative(isElsewhere).with(due.seats, credit, history);
    }

    /// @dev The register of the other token counts the charge; that of the subscription does not.
    function _countElsewhere(uint256 id, uint256 chargeNumber, Due memory due, PlanWords alternative) private {
        uint256 registerId = alternative.registerId();
        _registers[registerId] = _registers[registerId].withCharges(1, due.amount);
        emit PaidInAlternative(id, chargeNumber, due.alternativeId);
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

    // -------------------------------------------------------------- protection

    /// @dev The escrow holds it for the plan's window. Whatever goes wrong there declines this row alone.
    function _protect(
        uint256 id,
        uint256 chargeNumber,
        address payer,
        PlanWords words,
        uint256 amount,
        Source memory source
    ) private {
        if (gasleft() < ESCROW_GAS) revert TokenCall.InsufficientGas(gasleft(), ESCROW_GAS);
        IEscrow.PaymentTerms memory terms;
        (terms.payer, terms.payee, terms.token) = (payer, words.payee(), words.token());
        terms.amount = uint96(amount);
        terms.authorizeBefore = uint40(block.timestamp + 1);
        terms.captureBefore = uint40(block.timestamp + words.protection() + CAPTURE_TIME);
        terms.refundBefore = type(uint40).max; // a charge can be refunded at any time
        terms.disputeWindow = uint32(words.protection());
        (terms.arbiter, terms.rulingTimeout) = (words.arbiter(), uint32(words.rulingTimeout()));
        terms.defaultPayeeBps = uint16(words.defaultPayeeBps());
        terms.maxArbiterFeeBps = uint16(words.maxArbiterFeeBps());
        (terms.minFeeBps, terms.maxFeeBps) = (uint16(words.feeBps()), uint16(words.feeBps()));
        terms.feeReceiver = words.feeReceiver();
        terms.salt = id << CHARGES_BITS | chargeNumber;

        _source = uint160(source.wallet) | (source.byPermit2 ? BY_PERMIT2 : 0);
        try _ESCROW.authorize(terms, IFunding.Funding.Collector, "") returns (bytes32 paymentId) {
            emit Protected(id, chargeNumber, paymentId);
        } catch (bytes memory failure) {
            bytes4 kind = bytes4(failure);
            if (kind == TokenCall.InsufficientGas.selector) revert TokenCall.InsufficientGas(0, ESCROW_GAS);
            if (kind == AccountBlocked.selector) revert AccountBlocked(source.wallet);
            revert TokenRefused(words.token());
        }
        _source = 0;
    }

    /// @inheritdoc ICollector
    /// @dev Called by the escrow alone, and within `_protect` alone: there the payer is the one of this charge.
    function collect(bytes32, address token, address, uint256 amount) external {
        uint256 packed = _source;
        if (msg.sender != address(_ESCROW) || packed == 0) revert NotAuthorized(msg.sender);
        Source memory source = Source(address(uint160(packed)), packed & BY_PERMIT2 != 0, false);
        if (!_tryMove(token, msg.sender, amount, source)) _refuse(token, source.wallet);
    }
}
