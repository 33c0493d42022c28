// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "./Forge.sol";
import {Money} from "./Money.sol";

/// @notice Changes of plan and seats as their events tell them: what each must cost, and what the period's payer has
/// paid beside what was served.
///
/// A period of W seconds begins with a charge of the rate r0. Change number i is made when l_i seconds of it are left,
/// and costs floor(r_i l_i / W) - floor(r_(i-1) l_i / W), credited where it is negative. What is served or bought is
/// worth, without rounding, r0 + sum of (r_i - r_(i-1)) l_i / W. Each term of the two sums differs by the difference of
/// two fractions of W, each from 0 to (W - 1) / W. So after k changes, in units times W:
///
///     | paid x W - worth x W | <= k (W - 1)
///
/// less than one base unit for each change, whoever it favours; and exactly nothing where changes of one second lead
/// back to where they began, because then l is the same and the floors cancel out. A change that begins a new period
/// gives back floor(r l / W) once, never more than what is left is worth: the period that it ends cost its payer at
/// least what was served, up to the same bound.
abstract contract Changes is Money {
    /// @dev One period that was charged.
    struct Worth {
        uint256 whole; // W, its seconds
        uint256 left; // seconds, at the last look
        uint256 rate; // since then
        uint256 served; // until then, times W
        int256 paid; // less what was credited
        uint256 changes;
        // At the first look of the last second in which something was changed.
        uint256 second;
        uint256 rateThen;
        int256 paidThen;
    }

    struct Terms {
        uint256 planId;
        uint256 seats;
        uint256 maxToPay;
    }

    struct Change {
        uint256 credited;
        uint256 charged;
        bool restarts;
    }

    /// @dev What the payer of a subscription asked for.
    mapping(uint256 id => Terms) internal asked;
    mapping(uint256 id => Worth) private _worth;

    /// @dev A period of `whole` seconds was charged or, for less than its rate, what is left of one.
    function _buys(uint256 id, uint256 whole, uint256 left, uint256 rate, uint256 paid) internal {
        Worth memory worth;
        (worth.whole, worth.left, worth.rate, worth.paid) = (whole, left, rate, int256(paid));
        if (left < whole) worth.changes = 1; // rounded up, by less than a unit
        _worth[id] = worth;
    }

    /// @dev Whether the payer may change to that plan and number of seats now.
    function _isChangeable(uint256 id, uint256 planId, uint256 seats) internal view returns (bool) {
        Subscription storage row = rows[id];
        (PlanTerms storage old, PlanTerms storage terms) = (_termsOf(row.planId), _termsOf(planId));
        if (!_isInPeriod(id) || row.charges < old.minCharges || old.maxCharges > 0 || terms.maxCharges > 0) {
            return false;
        }
        if (registerOf[row.planId - 1] != registerOf[planId - 1] || !_sells(planId, seats)) return false;
        if (terms.feeReceiver == row.payer || terms.quoter != address(0) || old.quoter != address(0)) return false;
        uint256 most = limits[id].maxPerPeriod;
        if (discounts[id].isOn || (most > 0 && _rateOf(planId, seats) + terms.usageCap > most)) return false;
        if (row.charges == 0 && (terms.trial == 0 || terms.family != old.family)) return false;
        return planId == row.planId ? seats != row.seats : !archived[planId] && terms.minCharges == 0;
    }

    /// @dev What it must cost, from the clock and the events alone.
    function _costOf(uint256 id, uint256 planId, uint256 seats) internal view returns (Change memory change) {
        Subscription storage row = rows[id];
        if (row.charges == 0) return change; // within the trial
        Worth storage worth = _worth[id];
        uint256 left = row.nextDue - _now();
        uint256 newRate = _rateOf(planId, seats);
        bool lostItsPlace = shifted[id] && _isCalendar(row.planId);
        uint256 whole = lostItsPlace ? _longestOf(row.planId) : worth.whole;
        uint256 oldValue = worth.rate * left / whole;
        if (lostItsPlace || !_hasGridOf(planId, row.planId)) {
            return Change(oldValue, _firstPrice(planId, newRate), true);
        }
        uint256 newValue = newRate * left / whole;
        if (newValue > oldValue) change.charged = newValue - oldValue;
        else change.credited = oldValue - newValue;
    }

    /// @dev Of the period that begins now: of an aligned plan what is left of one.
    function _firstPrice(uint256 planId, uint256 rate) internal view returns (uint256) {
        if (_termsOf(planId).alignTo == 0) return rate;
        (uint256 before, uint256 after_) = _gridAround(planId, _now());
        return rate - rate * (_now() - before) / (after_ - before);
    }

    /// @dev What the payer has paid for and not had yet: what is left of the period, rounded down, and the credit.
    function _unusedOf(uint256 id) internal view returns (uint256) {
        Subscription storage row = rows[id];
        bool paused = row.status == Status.Paused;
        if (row.charges == 0 || _termsOf(row.planId).quoter != address(0)) return 0; // a quoted price has no part
        if (!paused && row.nextDue <= _now()) return row.credit;
        uint256 left = paused ? row.nextDue : row.nextDue - _now();
        uint256 whole = _worth[id].whole;
        if ((paused || shifted[id]) && _isCalendar(row.planId)) whole = _longestOf(row.planId);
        uint256 paid = _rateOf(row.planId, row.seats) - (discounts[id].isOn ? discounts[id].last : 0);
        return paid * left / whole + row.credit;
    }

    /// @dev Whether the payer's own limits let through what a change takes from them now.
    function _affords(uint256 id, uint256 planId, uint256 seats) internal view returns (bool) {
        Change memory change = _costOf(id, planId, seats);
        uint256 credit = rows[id].credit + change.credited;
        return change.charged <= credit || _maySpend(id, change.charged - credit);
    }

    // ----------------------------------------------------------------- events

    /// @dev [CreditUsed] [Charged] PlanChanged, or [CreditUsed] Upgraded: all of one change.
    function _onChange(Vm.Log[] memory logs) internal {
        Vm.Log memory last = logs[logs.length - 1];
        uint256 id = uint256(last.topics[1]);
        bool isUpgrade = last.topics[0] == Upgraded.selector;
        uint256 planId = uint256(last.topics[2]);
        uint256 seats = isUpgrade ? rows[id].seats : abi.decode(last.data, (uint256));
        vm.assertEq(planId, asked[id].planId, "Inv-1: the plan that was asked for");
        vm.assertEq(seats, asked[id].seats, "Inv-1: the seats that were asked for");
        vm.assertTrue(_isChangeable(id, planId, seats), "Inv-1: a change that may be made");
        Change memory change = _costOf(id, planId, seats);

        Subscription storage row = rows[id];
        (uint256 charges, uint256 oldRate) = (row.charges, _rateOf(row.planId, row.seats));
        bool isAlike = seats == row.seats;
        uint256 due = row.nextDue;
        _judge(id, change, planId, seats);
        (row.planId, row.seats, row.credit) = (planId, seats, row.credit + change.credited);
        scheduled[id].isOn = false; // this one takes its place
        if (change.restarts) {
            _restarts(id, planId);
            _begins(id, planId, _rateOf(planId, seats));
        }
        if (change.charged == 0) vm.assertEq(logs.length, 1, "Inv-1: this change charges nothing");
        else if (isUpgrade) _onUpgrade(id, logs, change.charged);
        else _onCharge(id, logs, change.charged);
        if (charges > 0) {
            _tellsOf(id, charges, oldRate, change.charged > 0 ? paidIn[id][charges + 1] : type(uint256).max);
        }
        isAlike = isAlike && due == row.nextDue;
        vm.assertTrue(isUpgrade == (isAlike && charges > 0 && paidIn[id][charges + 1] > 0), "one event or two");
        (, uint256 credit) = isUpgrade ? (0, 0) : abi.decode(last.data, (uint256, uint256));
        vm.assertEq(credit, row.credit, "Inv-14: the credit that is left");
        vm.assertLe(credit, paidFor[id], "Inv-14: no more credit than was paid");
    }

    function _begins(uint256 id, uint256 planId, uint256 rate) private {
        uint256 left = rows[id].nextDue - _now();
        uint256 whole = left;
        if (_termsOf(planId).alignTo > 0) {
            (uint256 before, uint256 after_) = _gridAround(planId, _now());
            whole = after_ - before;
        }
        _buys(id, whole, left, rate, _firstPrice(planId, rate));
    }

    /// @dev Of what it costs, beside the credit.
    function _onUpgrade(uint256 id, Vm.Log[] memory logs, uint256 cost) private {
        vm.assertTrue(logs.length == 1 || logs.length == 2, "Inv-1: this change charges");
        if (logs.length == 2) _onCredit(id, logs[0]);
        (uint256 number, uint256 amount) = abi.decode(logs[logs.length - 1].data, (uint256, uint256));
        vm.assertLe(amount, asked[id].maxToPay, "Inv-1: no more than the payer agreed to pay");
        _pays(id, number, amount, cost);
    }

    function _onCredit(uint256 id, Vm.Log memory log) private {
        vm.assertEq(log.topics[0], CreditUsed.selector, "credit first");
        vm.assertEq(uint256(log.topics[1]), id, "its own credit");
        _onCreditUsed(id, log.data);
    }

    function _onCharge(uint256 id, Vm.Log[] memory logs, uint256 cost) private {
        vm.assertTrue(logs.length == 2 || logs.length == 3, "Inv-1: this change charges");
        if (logs.length == 3) _onCredit(id, logs[0]);
        Vm.Log memory log = logs[logs.length - 2];
        vm.assertEq(log.topics[0], Charged.selector, "then the charge");
        vm.assertEq(uint256(log.topics[1]), id, "its own charge");
        (uint256 number, uint256 from, uint256 to, uint256 amount) =
            abi.decode(log.data, (uint256, uint256, uint256, uint256));
        vm.assertEq(from, _now(), "what is charged begins now");
        vm.assertEq(to, rows[id].nextDue, "Inv-5: and ends with the period");
        vm.assertLe(amount, asked[id].maxToPay, "Inv-1: no more than the payer agreed to pay");
        _pays(id, number, amount, cost);
    }

    /// @dev The bound above, after the change or, of a period that it ends, before the next.
    function _judge(uint256 id, Change memory change, uint256 planId, uint256 seats) private {
        Worth storage worth = _worth[id];
        if (worth.whole == 0) return; // nothing was charged yet
        uint256 left = rows[id].nextDue - _now();
        worth.served += worth.rate * (worth.left - left);
        worth.left = left;
        if (worth.second != _now()) {
            (worth.second, worth.rateThen, worth.paidThen) = (_now(), worth.rate, worth.paid);
        }
        int256 whole = int256(worth.whole);
        worth.paid -= int256(change.credited);
        if (change.restarts) {
            int256 kept = worth.paid * whole - int256(worth.served);
            int256 slack = int256(worth.changes) * (whole - 1);
            vm.assertTrue(kept >= -slack, "Inv-14: what was served was paid for");
            bool exact = !(shifted[id] && _isCalendar(rows[id].planId));
            vm.assertTrue(!exact || kept <= slack + whole - 1, "Inv-14: what was left was given back");
            return;
        }
        worth.rate = _rateOf(planId, seats);
        worth.paid += int256(change.charged);
        ++worth.changes;
        int256 gap = worth.paid * whole - int256(worth.served + worth.rate * left);
        int256 most = int256(worth.changes) * (whole - 1);
        vm.assertTrue(-most <= gap && gap <= most, "Inv-14: less than a unit for each change");
        int256 moved = int256(worth.rate * left / worth.whole) - int256(worth.rateThen * left / worth.whole);
        vm.assertTrue(worth.paid - worth.paidThen == moved, "Inv-14: back and forth in a second is nothing");
    }

    /// @dev A month is at most 31 days, a year 366.
    function _longestOf(uint256 planId) private view returns (uint256) {
        PlanTerms storage terms = _termsOf(planId);
        uint256 months = terms.unit == Unit.Year ? 12 * uint256(terms.every) : terms.every;
        return months / 12 * 366 days + months % 12 * 31 days;
    }
}
