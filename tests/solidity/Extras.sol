// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "./Forge.sol";
import {Periods} from "./Periods.sol";

/// @notice What a subscription has beside plan and seats, as events tell it: conditions, a coupon, a change to come, a
/// fallback wallet or plan, another payer.
abstract contract Extras is Periods {
    struct Limits {
        uint256 maxPerPeriod;
        bool hasTotal;
        uint256 left; // of the total
        uint256 endsAt;
        address beneficiary;
        bool byPermit2;
    }

    struct Discount {
        bool isOn;
        Coupon coupon;
        uint256 taken; // charges that it lowered
        uint256 last; // of the period being served, of a whole one
    }

    struct Scheduled {
        bool isOn;
        uint256 planId;
        uint256 seats;
    }

    struct Fallback {
        address wallet;
        uint256 planId;
        uint256 seats;
        uint256 alternativeId; // instead of a wallet
    }

    mapping(uint256 id => Limits) internal limits;
    mapping(uint256 id => Discount) internal discounts;
    mapping(uint256 id => Scheduled) internal scheduled;
    mapping(uint256 id => Fallback) internal fallbacks;
    /// @dev The period being served was paid in another token.
    mapping(uint256 id => bool) internal inAlternative;
    mapping(bytes32 couponHash => mapping(address payer => bool)) internal couponUsed;

    // What somebody asked for, before they call.
    Conditions internal askedConditions;
    Coupon internal askedCoupon;
    Scheduled internal askedSchedule;
    address internal askedWallet;
    uint256 internal askedAlternative;

    // ------------------------------------------------------------------ terms

    /// @dev Plan and seats of the next period.
    function _nextTerms(uint256 id) internal view returns (uint256 planId, uint256 seats) {
        Scheduled storage change = scheduled[id];
        if (change.isOn) return (change.planId, change.seats);
        return (rows[id].planId, rows[id].seats);
    }

    /// @dev What a coupon takes off a price of this plan.
    function _takenOff(uint256 id, uint256 planId, uint256 price) internal view returns (uint256 off) {
        Discount storage discount = discounts[id];
        if (!_isLowering(id, planId)) return 0;
        off = price * discount.coupon.basisPointsOff / 10_000 + discount.coupon.amountOff;
        return off < price ? off : price;
    }

    function _isLowering(uint256 id, uint256 planId) internal view returns (bool) {
        Discount storage discount = discounts[id];
        if (!discount.isOn || discount.taken == discount.coupon.periods) return false;
        return discount.coupon.planId == 0 || discount.coupon.planId == planId;
    }

    function _isOver(Limits storage limit) internal view returns (bool) {
        return limit.endsAt > 0 && _now() >= limit.endsAt;
    }

    /// @dev Whether the payer's own limits let through what is not the charge of a period.
    function _maySpend(uint256 id, uint256 amount) internal view returns (bool) {
        Limits storage limit = limits[id];
        return !_isOver(limit) && (!limit.hasTotal || amount <= limit.left);
    }

    /// @dev Inv-18: no charge of any kind beyond what the payer limited all of them to. Where credit paid all of it, no
    /// money moves.
    function _spends(uint256 id, uint256 amount) internal {
        if (amount == 0) return;
        Limits storage limit = limits[id];
        vm.assertTrue(!_isOver(limit), "Inv-18: nothing is charged after the payer's own end");
        if (!limit.hasTotal) return;
        vm.assertLe(amount, limit.left, "Inv-18: no more in all than the payer agreed to");
        limit.left -= amount;
    }

    // ----------------------------------------------------------------- events

    function _onConditions(uint256 id, bytes memory data) internal {
        (uint256 most, uint256 total, uint256 endsAt, address beneficiary, bool byPermit2) =
            abi.decode(data, (uint256, uint256, uint256, address, bool));
        Conditions storage conditions = askedConditions;
        bytes32 agreed = keccak256(
            abi.encode(
                conditions.maxPerPeriod,
                conditions.maxTotal,
                conditions.endsAt,
                conditions.beneficiary,
                conditions.byPermit2
            )
        );
        vm.assertEq(keccak256(data), agreed, "Inv-18: the payer's own conditions");
        bool quoted = _termsOf(rows[id].planId).quoter != address(0);
        vm.assertTrue(most > 0 || !quoted, "Inv-18: no quoted price without a maximum");
        limits[id] = Limits(most, total > 0, total, endsAt, beneficiary, byPermit2);
    }

    function _onCoupon(Vm.Log memory log) internal {
        uint256 id = uint256(log.topics[1]);
        Coupon storage coupon = askedCoupon;
        bytes memory agreed =
            abi.encode(coupon.planId, coupon.basisPointsOff, coupon.amountOff, coupon.periods);
        vm.assertEq(keccak256(log.data), keccak256(agreed), "Inv-19: the coupon that the payee signed");
        address payer = rows[id].payer;
        vm.assertTrue(!couponUsed[log.topics[2]][payer], "Inv-19: once for each payer");
        vm.assertTrue(!discounts[id].isOn, "Inv-19: one at a time");
        couponUsed[log.topics[2]][payer] = true;
        discounts[id] = Discount(true, coupon, 0, 0);
    }

    function _onScheduled(Vm.Log memory log) internal {
        (uint256 id, uint256 planId) = (uint256(log.topics[1]), uint256(log.topics[2]));
        uint256 seats = abi.decode(log.data, (uint256));
        Subscription storage row = rows[id];
        if (planId == row.planId && seats == row.seats) {
            vm.assertTrue(scheduled[id].isOn, "something was taken back");
            scheduled[id].isOn = false;
            return;
        }
        vm.assertTrue(_isInPeriod(id), "Inv-1: a change is scheduled before its period begins");
        vm.assertEq(planId, askedSchedule.planId, "Inv-1: the plan that the payer asked for");
        vm.assertEq(seats, askedSchedule.seats, "Inv-1: the seats that the payer asked for");
        scheduled[id] = Scheduled(true, planId, seats);
    }

    /// @dev What was for the plan before is for the cheaper one.
    function _onLowered(Vm.Log memory log) internal {
        (uint256 id, uint256 planId) = (uint256(log.topics[1]), uint256(log.topics[2]));
        (uint256 before, uint256 seats) = _nextTerms(id);
        vm.assertTrue(rows[id].status != Status.Cancelled, "Inv-6: what was cancelled stays so");
        vm.assertEq(abi.decode(log.data, (uint256)), seats, "Inv-1: as many seats");
        vm.assertTrue(_isCheaper(planId, before), "Inv-1: the payee alone can only lower prices");
        scheduled[id] = Scheduled(true, planId, seats);
        if (discounts[id].coupon.planId == before) discounts[id].coupon.planId = uint32(planId);
        Fallback storage second = fallbacks[id];
        bool receives = second.alternativeId == 0 && second.wallet == _termsOf(planId).feeReceiver;
        if (second.planId == before && !receives) second.planId = planId;
        ++done["price lowered"];
    }

    function _onFallback(Vm.Log memory log) internal {
        uint256 id = uint256(log.topics[1]);
        address wallet = _account(log.topics[2]);
        if (wallet == address(0)) {
            vm.assertTrue(_hasFallback(id), "dropped once");
            delete fallbacks[id];
            return;
        }
        vm.assertEq(wallet, askedWallet, "Inv-20: the wallet that signed");
        fallbacks[id] = Fallback(wallet, rows[id].planId, rows[id].seats, 0);
    }

    function _hasFallback(uint256 id) internal view returns (bool) {
        return fallbacks[id].wallet != address(0) || fallbacks[id].alternativeId != 0;
    }

    /// @dev Inv-22: the payer's own word, within what the payee offers, and not beside limits in the first token.
    function _onFallbackPlan(Vm.Log memory log) internal {
        (uint256 id, uint256 alternativeId) = (uint256(log.topics[1]), uint256(log.topics[2]));
        vm.assertEq(alternativeId, askedAlternative, "Inv-22: the plan that the payer named");
        vm.assertTrue(_isNameable(id, alternativeId), "Inv-22: a plan that the payer may name");
        fallbacks[id] = Fallback(address(0), rows[id].planId, rows[id].seats, alternativeId);
    }

    function _isNameable(uint256 id, uint256 alternativeId) internal view returns (bool) {
        Subscription storage row = rows[id];
        if (row.status == Status.Cancelled || !_isAlternative(row.planId, alternativeId)) return false;
        if (archived[alternativeId] || _hasAmountLimits(id) || !_sells(alternativeId, row.seats)) return false;
        return row.payer != _termsOf(alternativeId).feeReceiver;
    }

    function _hasAmountLimits(uint256 id) internal view returns (bool) {
        return limits[id].maxPerPeriod > 0 || limits[id].hasTotal;
    }

    /// @dev A notice: of a plan in the subscription's token, by its payee.
    function _onProposed(Vm.Log memory log) internal {
        (uint256 id, uint256 planId) = (uint256(log.topics[1]), uint256(log.topics[2]));
        vm.assertEq(registerOf[planId - 1], registerOf[rows[id].planId - 1], "of the same payee and token");
        vm.assertTrue(!archived[planId] && rows[id].status != Status.Cancelled, "a plan to change to");
        ++done["proposed to a payer"];
    }

    function _onPayerChanged(Vm.Log memory log) internal {
        uint256 id = uint256(log.topics[1]);
        Subscription storage row = rows[id];
        address newPayer = _account(log.topics[3]);
        vm.assertEq(_account(log.topics[2]), row.payer, "Inv-20: who paid until now");
        vm.assertEq(newPayer, askedWallet, "Inv-20: who signed to pay from now on");
        vm.assertTrue(row.status != Status.Cancelled, "Inv-6: what was cancelled stays so");
        vm.assertTrue(newPayer != _payeeOf(row.planId), "nobody pays themselves");
        bool alone = !scheduled[id].isOn && !_hasFallback(id);
        vm.assertTrue(alone, "Inv-20: to nothing but the present terms");
        PlanTerms storage terms = _termsOf(row.planId);
        if (terms.trial > 0) trialUsed[registerOf[row.planId - 1]][terms.family][newPayer] = true;
        limits[id].byPermit2 = false;
        row.payer = newPayer;
    }

    // ------------------------------------------------------------- comparison

    function _assertExtrasAreThoseOfTheEvents(uint256 id) internal view {
        Limits storage limit = limits[id];
        (Conditions memory found, bool isSpent) = subscriptions.conditions(id);
        vm.assertEq(found.maxPerPeriod, limit.maxPerPeriod, "Inv-18: the maximum");
        vm.assertEq(found.maxTotal, limit.left, "Inv-18: what is left");
        vm.assertTrue(isSpent == (limit.hasTotal && limit.left == 0), "Inv-18: nothing is left");
        vm.assertEq(found.endsAt, limit.endsAt, "Inv-18: the end");
        vm.assertEq(found.beneficiary, limit.beneficiary, "the beneficiary");
        vm.assertTrue(found.byPermit2 == limit.byPermit2, "Inv-18: through Permit2");
        (address wallet, uint256 agreed,) = subscriptions.fallbackWallet(id);
        vm.assertEq(wallet, fallbacks[id].wallet, "Inv-20: the fallback wallet");
        vm.assertEq(agreed, wallet == address(0) ? 0 : fallbacks[id].planId, "Inv-20: the plan that it agreed to");
        uint256 alternativeId;
        (alternativeId, agreed,) = subscriptions.fallbackPlan(id);
        vm.assertEq(alternativeId, fallbacks[id].alternativeId, "Inv-22: the fallback plan");
        vm.assertEq(agreed, alternativeId == 0 ? 0 : fallbacks[id].planId, "Inv-22: the plan that it is for");
        (uint256 planId, uint256 seats) = subscriptions.scheduledChange(id);
        Scheduled storage change = scheduled[id];
        vm.assertEq(planId, change.isOn ? change.planId : 0, "what is scheduled");
        vm.assertEq(seats, change.isOn ? change.seats : 0, "the seats that are scheduled");
        (uint256 bps,, uint256 periods) = subscriptions.discount(id);
        Discount storage discount = discounts[id];
        vm.assertEq(bps, discount.isOn ? discount.coupon.basisPointsOff : 0, "Inv-19: the discount");
        vm.assertEq(periods, discount.isOn ? discount.coupon.periods - discount.taken : 0, "Inv-19: periods left");
    }
}
