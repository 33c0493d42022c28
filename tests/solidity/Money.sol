// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "./Forge.sol";
import {Dues} from "./Dues.sol";

/// @notice Where the money of charges, refunds and claims went, as their events tell it.
abstract contract Money is Dues {
    struct Kept {
        uint256 id;
        address token;
        address account;
        uint256 amount;
    }

    /// @dev What was paid for each charge, credit not counted: what can be given back of it.
    mapping(uint256 id => mapping(uint256 chargeNumber => uint256)) internal paidIn;
    /// @dev Of charges that were made under a plan in another token: which.
    mapping(uint256 id => mapping(uint256 chargeNumber => uint256)) internal paidUnder;
    /// @dev What refunds must tell of charges that were not the plan's price.
    mapping(uint256 id => Segment[]) internal segments;
    mapping(uint256 id => mapping(uint256 chargeNumber => uint256)) internal givenBack;
    /// @dev Of all charges.
    mapping(uint256 id => uint256) internal refundedOf;
    /// @dev What usage cost since the last charge that was for something else.
    mapping(uint256 id => uint256) internal usedSince;
    /// @dev What the payer paid in all charges.
    mapping(uint256 id => uint256) internal paidFor;
    mapping(address account => mapping(address token => uint256)) internal claimables;
    mapping(uint256 registerId => Total) private _charges;
    mapping(uint256 registerId => Total) private _refunds;

    // Told before the charge that they belong to.
    Kept[] private _kept;
    uint256 private _keptAt;
    uint256 private _creditUsed;
    address private _second; // who paid in the payer's place
    uint256 private _elsewhere; // the plan in another token under which it is paid

    // ----------------------------------------------------------------- events

    function _onClaimable(Vm.Log memory log) internal {
        uint256 amount = abi.decode(log.data, (uint256));
        _kept.push(Kept(uint256(log.topics[3]), _account(log.topics[2]), _account(log.topics[1]), amount));
    }

    function _onCreditUsed(uint256 id, bytes memory data) internal {
        (uint256 chargeNumber, uint256 amount) = abi.decode(data, (uint256, uint256));
        vm.assertEq(chargeNumber, rows[id].charges + 1, "credit is used by the next charge");
        vm.assertTrue(amount > 0 && _creditUsed == 0, "credit is used once");
        vm.assertLe(amount, rows[id].credit, "Inv-14: no more credit than there is");
        rows[id].credit -= amount;
        _creditUsed = amount;
        ++done["credit used"];
    }

    /// @dev Inv-20: another wallet pays only where the payer cannot, and only what it agreed to.
    function _onSecond(uint256 id, bytes memory data, Due memory due) internal {
        (uint256 chargeNumber, address wallet) = abi.decode(data, (uint256, address));
        vm.assertEq(chargeNumber, rows[id].charges + 1, "the charge that it paid");
        vm.assertEq(wallet, fallbacks[id].wallet, "Inv-20: the wallet that signed");
        vm.assertEq(due.planId, fallbacks[id].planId, "Inv-20: for the plan that it signed");
        vm.assertEq(due.seats, fallbacks[id].seats, "Inv-20: for the seats that it signed");
        if (_isHonestTo(id)) {
            vm.assertTrue(_payerLacks(id, due.amount) != DeclineReason.None, "Inv-20: the payer pays first");
        }
        _second = wallet;
        ++done["paid by a fallback"];
    }

    /// @dev Inv-22: under a plan in another token only where the payer lacks the first, as payer and payee agreed.
    function _onElsewhere(uint256 id, bytes memory data, Due memory due) internal {
        (uint256 chargeNumber, uint256 alternativeId) = abi.decode(data, (uint256, uint256));
        vm.assertEq(chargeNumber, rows[id].charges + 1, "the charge that is paid in another token");
        vm.assertEq(alternativeId, fallbacks[id].alternativeId, "Inv-22: the plan that the payer named");
        vm.assertTrue(_isAgreed(id, due), "Inv-22: as payer and payee agreed");
        vm.assertTrue(due.amount > 0, "Inv-22: where something is to be paid");
        if (_isHonestTo(id)) {
            vm.assertTrue(_payerLacks(id, due.amount) != DeclineReason.None, "Inv-22: the first token first");
        }
        (due.alternativeId, due.paid) = (alternativeId, _costUnder(alternativeId, due));
        (due.discount, due.creditUsed) = (0, 0);
        _elsewhere = alternativeId;
        ++done["paid in another token"];
    }

    /// @dev A charge of `cost` for a period, in another token: no credit pays for it.
    function _paysElsewhere(uint256 id, uint256 chargeNumber, uint256 amount, uint256 cost) internal {
        vm.assertEq(amount, cost, "Inv-22: the alternative's price");
        vm.assertEq(_creditUsed, 0, "Inv-22: no credit is used");
        vm.assertTrue(!_isOver(limits[id]), "Inv-18: nothing is charged after the payer's own end");
        usedSince[id] = 0;
        paidUnder[id][chargeNumber] = _elsewhere;
        _paysIn(id, chargeNumber, amount);
    }

    /// @dev A charge of `cost` for a period: credit pays what it can, the payer the rest of it.
    function _pays(uint256 id, uint256 chargeNumber, uint256 amount, uint256 cost) internal {
        vm.assertEq(amount + _creditUsed, cost, "Inv-1: the price agreed to, credit included");
        _spends(id, amount);
        if (amount > 0) vm.assertEq(rows[id].credit, 0, "Inv-14: credit is used before the payer pays");
        (_creditUsed, usedSince[id]) = (0, 0);
        _paysIn(id, chargeNumber, amount);
    }

    /// @dev What the payer pays in a charge arrives.
    function _paysIn(uint256 id, uint256 chargeNumber, uint256 amount) internal {
        vm.assertEq(chargeNumber, rows[id].charges + 1, "charges are numbered without gaps");
        Subscription storage row = rows[id];
        uint256 planId = _elsewhere == 0 ? row.planId : _elsewhere;
        PlanTerms storage terms = _termsOf(planId);
        (row.charges, paidIn[id][chargeNumber]) = (chargeNumber, amount);
        paidFor[id] += amount;
        Total storage total = _charges[registerOf[planId - 1]];
        (total.count, total.sum) = (total.count + 1, total.sum + uint192(amount));

        uint256 fee = amount * terms.feeBps / 10_000;
        _receives(id, terms.token, _payeeOf(planId), amount - fee);
        _receives(id, terms.token, terms.feeReceiver, fee);
        (_second, _elsewhere) = (address(0), 0);
        vm.assertEq(_keptAt, _kept.length, "Inv-3: only a part of the charge is kept");
        delete _kept;
        _keptAt = 0;
    }

    /// @dev One more segment of the subscription's history.
    function _tellsOf(uint256 id, uint256 lastCharge, uint256 rate, uint256 next) internal {
        segments[id].push(Segment(lastCharge, rate, next));
        bytes32 link = keccak256(abi.encode(rows[id].history, lastCharge, rate, next));
        rows[id].history = uint128(uint256(link)) | 1;
    }

    /// @dev Directly, or by the contract, which keeps it for them.
    function _receives(uint256 id, address token, address account, uint256 amount) private {
        if (amount == 0) return;
        address payer = _second == address(0) ? rows[id].payer : _second;
        if (_keptAt < _kept.length && _kept[_keptAt].account == account) {
            Kept storage kept = _kept[_keptAt++];
            vm.assertEq(kept.id, id, "kept of this subscription");
            vm.assertEq(kept.token, token, "kept in its token");
            vm.assertEq(kept.amount, amount, "Inv-3: all of the part is kept");
            claimables[account][token] += amount;
            account = address(subscriptions);
            ++done["kept"];
        }
        _moved(token, payer, account, amount);
    }

    function _onClaimed(Vm.Log memory log) internal {
        (address account, address token) = (_account(log.topics[1]), _account(log.topics[2]));
        uint256 amount = abi.decode(log.data, (uint256));
        vm.assertTrue(amount > 0, "something");
        vm.assertEq(amount, claimables[account][token], "Inv-3: what was kept is paid out");
        claimables[account][token] = 0;
        _moved(token, address(subscriptions), account, amount);
    }

    function _onRefunded(uint256 id, bytes memory data) internal {
        (uint256 chargeNumber, uint256 amount) = abi.decode(data, (uint256, uint256));
        Subscription storage row = rows[id];
        uint256 planId = _paidUnder(id, chargeNumber);
        vm.assertTrue(chargeNumber > 0 && chargeNumber <= row.charges, "Inv-8: a charge that was made");
        vm.assertTrue(amount > 0, "Inv-8: something");
        givenBack[id][chargeNumber] += amount;
        refundedOf[id] += amount;
        vm.assertLe(givenBack[id][chargeNumber], paidIn[id][chargeNumber], "Inv-8: refunds within what was paid");
        Total storage total = _refunds[registerOf[planId - 1]];
        (total.count, total.sum) = (total.count + 1, total.sum + uint192(amount));
        _moved(_termsOf(planId).token, _payeeOf(planId), row.payer, amount);
    }

    /// @dev The plan whose register counts a charge, and whose payee gives it back.
    function _paidUnder(uint256 id, uint256 chargeNumber) internal view returns (uint256) {
        return paidUnder[id][chargeNumber] == 0 ? rows[id].planId : paidUnder[id][chargeNumber];
    }

    /// @dev Inv-7: a row that could be charged lacked something.
    function _judgeLack(uint256 id, DeclineReason reason, Due memory due) internal view {
        bool allowance = reason == DeclineReason.Allowance;
        bool balance = reason == DeclineReason.Balance;
        Subscription storage row = rows[id];
        PlanTerms storage terms = _termsOf(row.planId);
        if (reason == DeclineReason.Blocked) {
            bool blocked = _isBlocked(terms.token, row.payer) || _isBlocked(terms.token, fallbacks[id].wallet);
            uint256 other = fallbacks[id].alternativeId;
            blocked = blocked || (other != 0 && _isBlocked(_termsOf(other).token, row.payer));
            vm.assertTrue(blocked, "Inv-7: whom the token says that it blocks");
            return;
        }
        vm.assertTrue(allowance || balance || reason == DeclineReason.TokenRefused, "Inv-7: what was lacking");
        if (!_isHonestTo(id)) return;
        // Allowances are as they are after the batch, in which they only sink.
        DeclineReason lack = _payerLacks(id, due.amount);
        bool sank = balance && lack == DeclineReason.Allowance;
        vm.assertTrue(sank || reason == lack, "Inv-7: what the payer lacks");
        vm.assertTrue(sank || !_fallbackPays(id, due), "Inv-20: the wallet that could have paid");
        vm.assertTrue(sank || !_alternativePays(id, due), "Inv-22: the other token that could have been paid");
    }

    // ------------------------------------------------------------- comparison

    /// @dev Inv-3: the contract holds what it keeps for those who could not receive it, and nothing else.
    function _assertKept() internal view {
        for (uint256 t = 0; t < TOKENS; ++t) {
            uint256 sum;
            for (uint256 i = 0; i < accounts.length; ++i) {
                uint256 amount = claimables[accounts[i]][tokens[t]];
                if (amount > 0) vm.assertEq(subscriptions.claimable(accounts[i], tokens[t]), amount, "claimable");
                sum += amount;
            }
            vm.assertEq(owned[tokens[t]][address(subscriptions)], sum, "Inv-3: nothing beyond what is claimable");
        }
    }

    /// @dev Inv-4: control totals are the sums of the events.
    function _assertControlTotalsAreTheEvents() internal view {
        for (uint256 i = 0; i < PAYEES; ++i) {
            for (uint256 t = 0; t < TOKENS; ++t) {
                bytes memory found = abi.encode(subscriptions.controlTotals(payees[i], tokens[t]));
                ControlTotals memory expected;
                uint256 after_ = registerAfter[payees[i]][tokens[t]];
                if (after_ > 0) {
                    expected = ControlTotals(opened[after_ - 1], _charges[after_ - 1], _refunds[after_ - 1]);
                }
                vm.assertEq(keccak256(found), keccak256(abi.encode(expected)), "Inv-4: control totals");
            }
        }
    }
}
