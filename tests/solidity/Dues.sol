// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Calendar} from "../../contracts/libraries/Calendar.sol";
import {MockQuoter} from "../../contracts/mocks/MockQuoter.sol";
import {Step} from "../../contracts/libraries/Schedule.sol";
import {Extras} from "./Extras.sol";
import {Permit2, PERMIT2} from "./Permit2.sol";

/// @notice What a due charge must cost and why it must decline, from the terms that everybody agreed to and the clock.
abstract contract Dues is Extras {
    struct Due {
        DeclineReason reason;
        uint256 planId;
        uint256 seats;
        uint256 rate; // of a whole period
        uint256 from; // the first period that can be charged begins
        uint256 anchorDay;
        bool isStub;
        uint256 whole; // seconds, of a stub
        uint256 end; // of a stub
        uint256 quoted;
        uint256 price;
        uint256 discount;
        uint256 creditUsed;
        uint256 amount;
        uint256 alternativeId; // the plan in another token under which it is paid; 0: its own
        uint256 paid; // what the period costs there
    }

    /// @dev Of a subscription whose standing lets it be charged, money aside.
    function _due(uint256 id) internal view returns (Due memory due) {
        Subscription storage row = rows[id];
        (due.planId, due.seats) = _nextTerms(id);
        due.rate = due.price = _rateOf(due.planId, due.seats);
        (due.from, due.anchorDay) = (row.nextDue, row.anchorDay);
        if (!_hasGridOf(due.planId, row.planId)) due.anchorDay = Calendar.dayOfMonth(row.nextDue);
        if (_termsOf(due.planId).alignTo > 0 && _isOffGrid(id, due.planId)) _align(due);
        if (_isOver(limits[id])) {
            due.reason = DeclineReason.Ended;
            return due;
        }
        if (_termsOf(due.planId).quoter != address(0)) {
            due.quoted = due.price;
            (due.reason, due.price) = _quote(due.quoted);
            if (due.reason != DeclineReason.None) return due;
        }
        due.discount = _takenOff(id, due.planId, due.price);
        due.amount = due.price - due.discount;
        due.creditUsed = row.credit < due.amount ? row.credit : due.amount;
        _limit(id, due);
        due.amount -= due.creditUsed;
    }

    function _hasGridOf(uint256 planId, uint256 other) internal view returns (bool) {
        bool sameStep = Step.unwrap(_stepOf(planId)) == Step.unwrap(_stepOf(other));
        return sameStep && _termsOf(planId).alignTo == _termsOf(other).alignTo;
    }

    /// @dev The first period of all, after a pause, or after a change that comes from another grid.
    function _isOffGrid(uint256 id, uint256 planId) private view returns (bool) {
        return rows[id].charges == 0 || shifted[id] || !_hasGridOf(planId, rows[id].planId);
    }

    /// @dev What has passed of the period on the grid is not paid, rounded down; a stub that is over is not collected.
    function _align(Due memory due) private view {
        due.anchorDay = Calendar.dayOfMonth(_termsOf(due.planId).alignTo);
        (uint256 before, uint256 after_) = _gridAround(due.planId, due.from);
        if (before == due.from) return;
        if (after_ <= _now()) {
            due.from = after_;
            return;
        }
        (due.isStub, due.whole, due.end) = (true, after_ - before, after_);
        due.price = due.rate - due.rate * (due.from - before) / due.whole;
    }

    function _quote(uint256 price) private view returns (DeclineReason reason, uint256 amount) {
        MockQuoter.Trick trick = quoter.trick();
        amount = price * quoter.rate() / 1e6;
        if (trick == MockQuoter.Trick.None || trick == MockQuoter.Trick.ReturnBomb) {
            if (amount > 0 && amount <= type(uint96).max) return (DeclineReason.None, amount);
            return (DeclineReason.QuoteUnavailable, 0);
        }
        bool stale = trick == MockQuoter.Trick.Stale || trick == MockQuoter.Trick.StaleBomb;
        return (stale ? DeclineReason.QuoteStale : DeclineReason.QuoteUnavailable, 0);
    }

    /// @dev Inv-18: the most for a period with all usage that the plan allows, the most in all.
    function _limit(uint256 id, Due memory due) private view {
        Limits storage limit = limits[id];
        uint256 cost = due.amount + _termsOf(due.planId).usageCap;
        uint256 toPay = due.amount - due.creditUsed;
        if (cost > limit.maxPerPeriod && (limit.maxPerPeriod > 0 || due.quoted > 0)) {
            due.reason = due.quoted > 0 ? DeclineReason.Slippage : DeclineReason.OverMandate;
        } else if (limit.hasTotal && toPay > limit.left) {
            due.reason = DeclineReason.OverMandate;
        }
    }

    // ------------------------------------------------------------------ money

    /// @dev Whether a charge may count on what the token says of everybody who could pay it.
    function _isHonestTo(uint256 id) internal view returns (bool) {
        address token = _termsOf(rows[id].planId).token;
        address wallet = fallbacks[id].wallet;
        uint256 alternativeId = fallbacks[id].alternativeId;
        if (alternativeId != 0 && !_isHonest(_termsOf(alternativeId).token, rows[id].payer)) return false;
        return _isHonest(token, rows[id].payer) && (wallet == address(0) || _isHonest(token, wallet));
    }

    /// @dev What the payer lacks, now.
    function _payerLacks(uint256 id, uint256 amount) internal view returns (DeclineReason) {
        return _lacks(_termsOf(rows[id].planId).token, rows[id].payer, limits[id].byPermit2, amount);
    }

    /// @dev Whether the fallback wallet agreed to just this, and has it.
    function _fallbackPays(uint256 id, Due memory due) internal view returns (bool) {
        Fallback storage second = fallbacks[id];
        if (second.wallet == address(0) || second.planId != due.planId || second.seats != due.seats) return false;
        return _lacks(_termsOf(due.planId).token, second.wallet, false, due.amount) == DeclineReason.None;
    }

    /// @dev Inv-22: whether payer and payee agreed that just this may be paid under the alternative.
    function _isAgreed(uint256 id, Due memory due) internal view returns (bool) {
        Fallback storage second = fallbacks[id];
        if (second.alternativeId == 0 || second.planId != due.planId || second.seats != due.seats) return false;
        return _isAlternative(due.planId, second.alternativeId) && !_hasAmountLimits(id);
    }

    /// @dev Whether it would be paid under the alternative.
    function _alternativePays(uint256 id, Due memory due) internal view returns (bool) {
        if (!_isAgreed(id, due)) return false;
        uint256 alternativeId = fallbacks[id].alternativeId;
        uint256 amount = _costUnder(alternativeId, due);
        address token = _termsOf(alternativeId).token;
        return _lacks(token, rows[id].payer, limits[id].byPermit2, amount) == DeclineReason.None;
    }

    /// @dev Of a period on a fixed grid the part that is left, as of the plan's own price.
    function _costUnder(uint256 alternativeId, Due memory due) internal view returns (uint256 cost) {
        cost = _rateOf(alternativeId, due.seats);
        if (due.isStub) cost -= cost * (due.whole - (due.end - due.from)) / due.whole;
    }

    function _lacks(address token, address wallet, bool byPermit2, uint256 amount)
        private
        view
        returns (DeclineReason)
    {
        uint256 allowance = IERC20(token).allowance(wallet, byPermit2 ? PERMIT2 : address(subscriptions));
        if (byPermit2 && allowance >= amount) {
            (uint160 allowed, uint48 expiration,) = Permit2(PERMIT2).allowance(wallet, token, address(subscriptions));
            allowance = _now() > expiration ? 0 : allowed;
        }
        if (allowance < amount) return DeclineReason.Allowance;
        return owned[token][wallet] < amount ? DeclineReason.Balance : DeclineReason.None;
    }
}
