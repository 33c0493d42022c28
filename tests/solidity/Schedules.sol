// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Step} from "../../contracts/libraries/Schedule.sol";
import {Wallets} from "./Wallets.sol";

/// @notice What is arranged at random for the end of a period, by payers and by payees, and what payees give back when
/// they end it before.
abstract contract Schedules is Wallets {
    bytes32 private constant PLAN_CHANGE_TYPEHASH = keccak256(
        "PlanChange(uint256 subscriptionId,address payer,uint256 planId,uint256 pricePerPeriod,uint256 pricePerSeat,uint256 seats,uint256 periodCount,string periodUnit,bytes32 terms,uint256 salt,uint256 validBefore)"
    );

    // ---------------------------------------------------------------- schedule

    /// @dev An eighth takes back what was scheduled; half of them are signed, a fourth of these by somebody else.
    function scheduleChange(uint256 seed, uint256 planSeed, uint256 seats, uint256 caller, uint256 salt)
        external
        clocked
    {
        uint256 id = _someId(seed, Status.Active);
        uint256 planId = _somePlan(id, planSeed);
        seats = _someSeats(planId, seats);
        if (planSeed >> 128 & 7 == 0) (planId, seats) = (rows[id].planId, rows[id].seats);
        askedSchedule = Scheduled(true, planId, seats);
        bool allowed = _isSchedulable(id, planId, seats);
        if (salt % 2 == 0) return _schedulesBySignature(id, salt / 2, allowed);
        address sender = _senderOf(rows[id].payer, caller);
        bytes memory data =
            abi.encodeCall(subscriptions.scheduleChange, (id, planId, subscriptions.termsHash(planId), seats));
        _mustDo("scheduled", sender, data, allowed && sender == rows[id].payer);
    }

    function _schedulesBySignature(uint256 id, uint256 seed, bool allowed) private {
        (uint256 planId, uint256 seats, uint256 salt) = (askedSchedule.planId, askedSchedule.seats, seed % SALTS);
        address payer = rows[id].payer;
        bool forged = seed / SALTS % 4 == 0;
        bytes memory signature =
            _sign((_indexOf(payer) + (forged ? 1 : 0)) % PAYERS, _planChangeDigest(id, planId, seats, salt));
        bytes memory data = abi.encodeCall(
            subscriptions.scheduleChangeBySignature, (id, planId, seats, salt, _now() + 1, signature)
        );
        allowed = allowed && !forged && !saltUsed[payer][salt];
        _mustDo("scheduled by signature", address(0xc0ffee), data, allowed);
        if (allowed) saltUsed[payer][salt] = true;
    }

    function _planChangeDigest(uint256 id, uint256 planId, uint256 seats, uint256 salt) private view returns (bytes32) {
        PlanTerms storage terms = _termsOf(planId);
        string[5] memory units = ["second", "day", "week", "month", "year"];
        bytes memory first =
            abi.encode(PLAN_CHANGE_TYPEHASH, id, rows[id].payer, planId, uint256(terms.price), uint256(terms.seatPrice));
        bytes32 unit = keccak256(bytes(units[uint256(terms.unit)]));
        bytes32 hash = subscriptions.termsHash(planId);
        bytes memory second = abi.encode(seats, uint256(terms.every), unit, hash, salt, _now() + 1);
        return _digest(keccak256(bytes.concat(first, second)));
    }

    /// @dev Whether the payer may move to that plan and these seats with the next period.
    function _isSchedulable(uint256 id, uint256 planId, uint256 seats) private view returns (bool) {
        Subscription storage row = rows[id];
        if (!_isInPeriod(id)) return false;
        if (planId == row.planId && seats == row.seats) return scheduled[id].isOn;
        (PlanTerms storage old, PlanTerms storage terms) = (_termsOf(row.planId), _termsOf(planId));
        if (row.charges < old.minCharges || old.maxCharges > 0 || terms.maxCharges > 0) return false;
        if (registerOf[row.planId - 1] != registerOf[planId - 1] || !_sells(planId, seats)) return false;
        if (terms.feeReceiver == row.payer) return false;
        if (row.charges == 0 && (terms.trial == 0 || terms.family != old.family)) return false;
        if (terms.quoter != address(0) && limits[id].maxPerPeriod == 0) return false;
        return planId == row.planId || (!archived[planId] && terms.minCharges == 0);
    }

    /// @dev Mostly of its register, half of these with the same period.
    function _somePlan(uint256 id, uint256 seed) internal view returns (uint256 planId) {
        planId = seed % plans.length + 1;
        if (seed % 8 == 0) return planId;
        uint256 registerId = registerOf[rows[id].planId - 1];
        Step step = _stepOf(rows[id].planId);
        bool same = seed % 2 == 0;
        while (registerOf[planId - 1] != registerId || (same && Step.unwrap(_stepOf(planId)) != Step.unwrap(step))) {
            planId = planId % plans.length + 1;
        }
    }

    // ------------------------------------------------------------------- lower

    /// @dev Two subscriptions at once; mostly to a plan that is cheaper for the first, if there is one.
    function lowerPrice(uint256 seed, uint256 second, uint256 planSeed, uint256 caller) external clocked {
        uint256[] memory some = new uint256[](2);
        (some[0], some[1]) = (_anyId(seed), _anyId(second));
        uint256 planId = planSeed % plans.length + 1;
        if (planSeed % 4 > 0) (some[0], planId) = _cheaper(seed % ids.length);
        address sender = _senderOf(_payeeOf(planId), caller);
        bool allowed = sender == _payeeOf(planId) && (_isLowered(some[0], planId) || _isLowered(some[1], planId));
        _mustDo("lowered", sender, abi.encodeCall(subscriptions.lowerPrice, (some, planId)), allowed);
    }

    function _isLowered(uint256 id, uint256 planId) private view returns (bool) {
        if (rows[id].status == Status.Cancelled || _termsOf(planId).feeReceiver == rows[id].payer) return false;
        (uint256 before,) = _nextTerms(id);
        return _isCheaper(planId, before);
    }

    /// @dev A subscription and a plan cheaper for it, from the one named on.
    function _cheaper(uint256 first) private view returns (uint256 id, uint256 planId) {
        for (uint256 i = 0; i < ids.length; ++i) {
            id = ids[(first + i) % ids.length];
            for (planId = plans.length; planId > 0; --planId) {
                (uint256 before,) = _nextTerms(id);
                if (_termsOf(planId).price < _termsOf(before).price && _isLowered(id, planId)) return (id, planId);
            }
        }
        return (ids[first], 1);
    }

    // ------------------------------------------------------------------ refund

    /// @dev Of an active one mostly; what is unused is refunded out of all charges, the last one first, or of too few.
    function cancelWithRefund(uint256 seed, uint256 caller) external clocked {
        uint256 id = _someId(seed, Status.Active);
        if (caller % 4 > 1) return; // seldom: what is cancelled is dull
        uint256[] memory numbers = _lastCharges(id, caller / 4 % 4 == 0 ? 1 : rows[id].charges);
        (uint256 unused, uint256 given) = (_unusedOf(id), givenBack[id][rows[id].charges]);
        address sender = _senderOf(_payeeOf(rows[id].planId), caller / 16);
        _cancelsWithRefund(id, sender, numbers, unused > given ? unused - given : 0);
    }

    function _lastCharges(uint256 id, uint256 count) private view returns (uint256[] memory numbers) {
        numbers = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            numbers[i] = rows[id].charges > i ? rows[id].charges - i : 0;
        }
    }

    function _cancelsWithRefund(uint256 id, address sender, uint256[] memory numbers, uint256 needed) private {
        Subscription storage row = rows[id];
        uint256 before = refundedOf[id];
        bytes memory data = abi.encodeCall(subscriptions.cancelWithRefund, (id, numbers, segments[id]));
        bool allowed = sender == _payeeOf(row.planId) && row.status != Status.Cancelled
            && _termsOf(row.planId).quoter == address(0) && !inAlternative[id];
        refundsAll = true;
        bool ok = _does("cancelled with refund", sender, data, allowed);
        refundsAll = false;
        if (!ok) return _assertNotRefunded(id, numbers, needed, allowed);
        vm.assertEq(refundedOf[id] - before, needed, "Inv-21: what is left was refunded, no less and no more");
        vm.assertEq(uint256(row.status), uint256(Status.Cancelled), "Inv-21: and it has ended");
    }

    /// @dev An honest token's payee lacks money, or the charges named had less in them, or none is named.
    function _assertNotRefunded(uint256 id, uint256[] memory numbers, uint256 needed, bool allowed) private view {
        PlanTerms storage terms = _termsOf(rows[id].planId);
        if (!allowed || terms.token != tokens[HONEST]) return;
        uint256 sum;
        for (uint256 i = 0; i < numbers.length && numbers[i] > 0; ++i) {
            if (sum < needed && paidUnder[id][numbers[i]] != 0) return; // it is no charge to give back from
            sum += paidIn[id][numbers[i]] - givenBack[id][numbers[i]];
        }
        bool none = rows[id].charges == 0 && numbers.length > 0 && needed > 0;
        bool broke = owned[terms.token][_payeeOf(rows[id].planId)] < needed;
        vm.assertTrue(none || broke || sum < needed, "Inv-21: what can be refunded");
    }
}
