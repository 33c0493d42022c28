// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SubscriptionsState} from "./SubscriptionsState.sol";
import {Calendar} from "./libraries/Calendar.sol";
import {DiscountSlot} from "./libraries/DiscountSlot.sol";
import {ExtrasSlot} from "./libraries/ExtrasSlot.sol";
import {LimitsSlot} from "./libraries/LimitsSlot.sol";
import {Permit2Call} from "./libraries/Permit2Call.sol";
import {PlanWords} from "./libraries/PlanWords.sol";
import {QuoterCall} from "./libraries/QuoterCall.sol";
import {Step} from "./libraries/Schedule.sol";
import {SubscriptionSlot} from "./libraries/SubscriptionSlot.sol";
import {TokenCall} from "./libraries/TokenCall.sol";

/// @title SubscriptionsDue
/// @notice What a subscription owes now, whatever it has: what {SubscriptionsCharges} charges and {SubscriptionsViews}
/// shows.
abstract contract SubscriptionsDue is SubscriptionsState {
    /// @dev A charge of a period, worked out.
    struct Due {
        DeclineReason reason; // why it cannot be charged, as far as terms and conditions tell
        uint256 found; // what was too much or too late,
        uint256 allowed; // and for what
        uint256 planId; // after a scheduled change
        uint256 seats;
        uint256 rate; // of a whole period
        uint256 anchorDay;
        uint256 periodStart;
        uint256 periodEnd;
        uint256 quoted; // the price in the quoter's units; 0 where there is none
        uint256 price; // in units of the token
        uint256 discount;
        uint256 creditUsed;
        uint256 alternativeId; // the plan under which it is paid in another token; 0: its own
        uint256 amount; // what is left to pay, in the token in which it is paid
    }

    /// @dev Where the money of a charge comes from.
    struct Source {
        address wallet;
        bool byPermit2;
        bool mayKeep; // what its receiver cannot receive
    }

    /// @dev Of one that is due (see `_standing`), with `words` of the plan that holds: where a change is scheduled, the
    /// new one.
    function _dueOf(uint256 id, SubscriptionSlot slot, ExtrasSlot extras)
        internal
        view
        returns (Due memory due, PlanWords words)
    {
        bool isStub;
        (words, isStub) = _termsOf(id, slot, extras, due);
        due.rate = words.rate(due.seats);
        due.price = due.rate;
        _setPeriod(slot, words, isStub, due);
        LimitsSlot limits = extras.isLimited() ? _limits[id] : LimitsSlot.wrap(0);
        if (limits.hasEnded(block.timestamp)) {
            (due.reason, due.found, due.allowed) = (DeclineReason.Ended, block.timestamp, limits.endsAt());
            return (due, words);
        }
        if (words.quoter() != address(0)) {
            due.quoted = due.price;
            (due.reason, due.price) = QuoterCall.tryQuote(words.quoter(), words.token(), due.quoted);
            if (due.reason != DeclineReason.None) return (due, words);
        }
        if (extras.isDiscounted()) due.discount = _discounts[id].takenOff(due.planId, due.price);
        due.amount = due.price - due.discount;
        due.creditUsed = extras.credit() < due.amount ? extras.credit() : due.amount;
        _limit(limits, words, due);
        due.amount -= due.creditUsed;
    }

    /// @dev Plan and seats that hold from the next period on, and whether that begins off the plan's grid.
    function _termsOf(uint256 id, SubscriptionSlot slot, ExtrasSlot extras, Due memory due)
        private
        view
        returns (PlanWords words, bool isStub)
    {
        (due.planId, due.seats, due.anchorDay) = (slot.planId(), extras.seats(), slot.anchorDay());
        words = _planOf(due.planId);
        isStub = slot.charges() == 0 || slot.isShifted();
        if (extras.isScheduled()) {
            PlanWords old = words;
            (due.planId, due.seats) = _unpackScheduled(_scheduled[id]);
            words = _planOf(due.planId);
            bool sameStep = Step.unwrap(old.step()) == Step.unwrap(words.step());
            if (!sameStep || words.alignTo() != old.alignTo()) {
                isStub = true;
                due.anchorDay = Calendar.dayOfMonth(slot.nextDue());
            }
        }
        isStub = isStub && words.alignTo() != 0;
    }

    /// @dev What is left of a period on the plan's grid comes first. One that has passed is not collected.
    function _setPeriod(SubscriptionSlot slot, PlanWords words, bool isStub, Due memory due) private view {
        uint256 start = slot.nextDue();
        if (isStub) {
            due.anchorDay = words.alignedDay();
            (bool isWhole, uint256 end, uint256 price) = words.stubOf(start, due.rate);
            if (!isWhole && end > block.timestamp) {
                (due.periodStart, due.periodEnd, due.price) = (start, end, price);
                return;
            }
            if (!isWhole) start = end;
        }
        (due.periodStart, due.periodEnd) = _periodOf(slot.withDue(start, due.anchorDay), words, words.step());
    }

    /// @dev The payer's limits. `due.amount` is what the period costs, credit included.
    function _limit(LimitsSlot limits, PlanWords words, Due memory due) private view {
        uint256 cost = due.amount + words.usageCap();
        (due.reason, due.found, due.allowed) = limits.objection(cost, due.amount - due.creditUsed, block.timestamp);
        if (due.quoted != 0 && cost > limits.maxPerPeriod()) {
            (due.reason, due.found, due.allowed) = (DeclineReason.Slippage, cost, limits.maxPerPeriod());
        }
    }

    /// @dev Who pays under which plan: the payer or, where they lack allowance or balance, the fallback wallet, or the
    /// payer under the fallback plan.
    function _choose(uint256 id, ExtrasSlot extras, PlanWords words, Due memory due, Source memory source)
        internal
        view
        returns (PlanWords)
    {
        due.reason = _lack(words.token(), source, due.amount, due);
        if (due.reason == DeclineReason.None || !extras.hasFallback()) return words;
        uint256 agreed = _fallbacks[id];
        (address wallet, uint256 planId, uint256 seats) = _unpackFallback(agreed);
        if (planId != due.planId || seats != due.seats) return words; // it was agreed to for something else
        uint256 alternativeId = _alternativeIn(agreed);
        if (alternativeId != 0) return _chooseAlternative(id, extras, alternativeId, words, due, source);
        Source memory second = Source(wallet, false, source.mayKeep);
        if (_lack(words.token(), second, due.amount, due) != DeclineReason.None) return words;
        due.reason = DeclineReason.None;
        (source.wallet, source.byPermit2) = (second.wallet, false);
        return words;
    }

    /// @dev The alternative plan, where the charge can be made under it: at its rate for just this period, without
    /// discount and credit, which are amounts of the first token.
    function _chooseAlternative(
        uint256 id,
        ExtrasSlot extras,
        uint256 alternativeId,
        PlanWords words,
        Due memory due,
        Source memory source
    ) private view returns (PlanWords) {
        if (extras.isLimited() && _limits[id].isOfAmounts()) return words;
        PlanWords alternative = _planOf(alternativeId);
        if (!_isAlternative(due.planId, words, alternativeId, alternative)) return words;
        uint256 amount = alternative.rate(due.seats);
        // Both have one grid. Of a whole period on it, this is all of the rate.
        if (alternative.alignTo() != 0) (,, amount) = alternative.stubOf(due.periodStart, amount);
        if (_lack(alternative.token(), source, amount, due) != DeclineReason.None) return words;
        (due.reason, due.alternativeId, due.amount) = (DeclineReason.None, alternativeId, amount);
        (due.discount, due.creditUsed) = (0, 0);
        return alternative;
    }

    function _lack(address token, Source memory source, uint256 amount, Due memory due)
        private
        view
        returns (DeclineReason)
    {
        address spender = source.byPermit2 ? Permit2Call.PERMIT2 : address(this);
        (bool ok, uint256 found) = TokenCall.tryAllowance(token, source.wallet, spender, TokenCall.reserved());
        if (source.byPermit2 && ok && found >= amount) {
            (ok, found) = Permit2Call.tryAllowance(token, source.wallet, address(this));
        }
        (due.found, due.allowed) = (found, amount);
        if (ok && found < amount) return DeclineReason.Allowance;
        (ok, due.found) = TokenCall.tryBalanceOf(token, source.wallet, TokenCall.reserved());
        return ok && due.found < amount ? DeclineReason.Balance : DeclineReason.None;
    }
}
