// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Schedules} from "./Schedules.sol";

/// @notice What becomes of subscriptions at random: changed, paused, resumed, ended, by those who may and by
/// those who may not.
abstract contract Lives is Schedules {
    // ----------------------------------------------------------------- change

    /// @dev A sixteenth of the callers agreed to other terms, a fourth to any sum.
    function changePlan(uint256 seed, uint256 planSeed, uint256 seats, uint256 maxToPay, uint256 caller)
        external
        clocked
    {
        uint256 id = _someId(seed, Status.Active);
        uint256 planId = _somePlan(id, planSeed);
        seats = _someSeats(planId, seats);
        bool changeable = _isChangeable(id, planId, seats) && _affords(id, planId, seats);
        Quote memory quote;
        try subscriptions.quote(id, planId, seats) returns (Quote memory found) {
            vm.assertTrue(changeable, "no quote for what may not be done");
            quote = found;
        } catch {
            vm.assertTrue(!changeable, "a quote for each change that may be made");
        }
        maxToPay = maxToPay % 4 == 0 ? bound(maxToPay, 0, quote.toPay) : type(uint256).max;
        asked[id] = Terms(planId, seats, maxToPay);
        bool agreed = changeable && quote.toPay <= maxToPay && caller % 16 != 5;
        _change(id, _senderOf(rows[id].payer, caller), caller % 16 != 5, agreed, quote);
    }

    /// @dev The quote is what happens.
    function _change(uint256 id, address sender, bool sameTerms, bool agreed, Quote memory quote) private {
        Subscription memory before = rows[id];
        uint256 paidBefore = paidFor[id];
        bool allowed = agreed && sender == before.payer;
        (bool ok, bytes memory failure) = _tries("changed", sender, _changeData(id, sameTerms));
        vm.assertTrue(allowed || !ok, "who may change, and when");
        if (!ok) {
            if (!allowed) return;
            vm.assertTrue(quote.toPay > 0, "nothing can be lacking");
            if (!limits[id].byPermit2) _assertLack(failure, _termsOf(asked[id].planId).token);
            return;
        }
        Subscription storage row = rows[id];
        vm.assertEq(paidFor[id] - paidBefore, quote.toPay, "Inv-16: the quote, to pay");
        vm.assertEq(row.credit, quote.credit, "Inv-16: the quote, credit");
        vm.assertEq(row.nextDue, quote.nextDue, "Inv-16: the quote, next due");
        if (row.charges == 0) ++done["changed in the trial"];
        else if (row.nextDue != before.nextDue) ++done["restarted"];
        else if (row.charges > before.charges) ++done["upgraded"];
        else if (row.credit > before.credit) ++done["downgraded"];
    }

    function _changeData(uint256 id, bool sameTerms) private view returns (bytes memory) {
        Terms memory terms = asked[id];
        bytes32 agreed = subscriptions.termsHash(sameTerms ? terms.planId : terms.planId % plans.length + 1);
        return abi.encodeCall(subscriptions.changePlan, (id, terms.planId, agreed, terms.seats, terms.maxToPay));
    }

    // ----------------------------------------------------------------- cancel

    function cancel(uint256 seed, uint256 caller) external clocked {
        uint256 id = _anyId(seed);
        if (caller % 2 == 0) return; // seldom: what is cancelled is dull
        bool allowed = _mayCancel(id, _leaver(id, caller)) && rows[id].status != Status.Cancelled;
        bool refunds = _termsOf(rows[id].planId).refundsUnused && _leaver(id, caller) != rows[id].payer;
        if (refunds && allowed) allowed = _unusedOf(id) == 0; // Inv-21
        _mustDo("cancelled", _leaver(id, caller), abi.encodeCall(subscriptions.cancel, (id)), allowed);
    }

    function cancelAtPeriodEnd(uint256 seed, uint256 caller) external clocked {
        uint256 id = _anyId(seed);
        if (caller % 2 == 0) return;
        bool allowed = _mayCancel(id, _leaver(id, caller)) && rows[id].status == Status.Active;
        _mustDo("ending", _leaver(id, caller), abi.encodeCall(subscriptions.cancelAtPeriodEnd, (id)), allowed);
    }

    function cancelBySignature(uint256 seed, uint256 forger, uint256 validBefore) external clocked {
        uint256 id = _anyId(seed);
        validBefore = bound(validBefore, _now() - 1, _now() + 5);
        address payer = rows[id].payer;
        uint256 signer = forger % PAYERS;
        if (forger % 3 > 0) {
            while (payers[signer] != payer) {
                signer = (signer + 1) % PAYERS;
            }
        }
        bytes32 typehash = keccak256("Cancellation(address payer,uint256 subscriptionId,uint256 validBefore)");
        bytes memory signature = _sign(signer, _digest(keccak256(abi.encode(typehash, payer, id, validBefore))));
        bool allowed =
            payers[signer] == payer && _now() < validBefore && _mayLeave(id) && rows[id].status != Status.Cancelled;
        bytes memory data = abi.encodeCall(subscriptions.cancelBySignature, (id, validBefore, signature));
        _mustDo("cancelled by signature", address(0xc0ffee), data, allowed);
    }

    /// @dev Two subscriptions, often of two payers, and two salts. What is not the caller's is passed over.
    function stop(uint256 seed, uint256 salt, uint256 caller) external clocked {
        if (caller % 4 != 1) return;
        uint256[] memory ends = new uint256[](2);
        uint256[] memory salts = new uint256[](2);
        ends[0] = _anyId(seed);
        ends[1] = caller % 8 == 1 ? _anyId(seed / 2) : ends[0];
        (salts[0], salts[1]) = (salt % 12, salt / 12 % 12);
        address sender = _senderOf(rows[ends[0]].payer, caller / 8);
        Status[2] memory before = [rows[ends[0]].status, rows[ends[1]].status];
        _mustDo("stopped", sender, abi.encodeCall(subscriptions.stop, (ends, salts)), true);
        for (uint256 i = 0; i < 2; ++i) {
            Status expected = rows[ends[i]].payer == sender ? Status.Cancelled : before[i];
            vm.assertEq(uint256(rows[ends[i]].status), uint256(expected), "Inv-6: the caller's are stopped, no others");
            vm.assertTrue(saltUsed[sender][salts[i]], "Inv-1: revoked");
        }
    }

    /// @dev The payee, the payer after what was agreed.
    function _mayCancel(uint256 id, address sender) private view returns (bool) {
        if (sender == _payeeOf(rows[id].planId)) return true;
        return sender == rows[id].payer && _mayLeave(id);
    }

    function _leaver(uint256 id, uint256 caller) private view returns (address) {
        return _senderOf(caller % 4 == 1 ? _payeeOf(rows[id].planId) : rows[id].payer, caller / 4);
    }

    // ------------------------------------------------------------------ pause

    function pause(uint256 seed, uint256 caller) external clocked {
        uint256 id = _someId(seed, Status.Active);
        address sender = _senderOf(rows[id].payer, caller);
        bool allowed = sender == rows[id].payer && _isInPeriod(id);
        _mustDo("paused", sender, abi.encodeCall(subscriptions.pause, (id)), allowed);
    }

    function resume(uint256 seed, uint256 caller) external clocked {
        uint256 id = _someId(seed, Status.Paused);
        address sender = _senderOf(rows[id].payer, caller);
        bool allowed = sender == rows[id].payer && rows[id].status == Status.Paused;
        _mustDo("resumed", sender, abi.encodeCall(subscriptions.resume, (id)), allowed);
    }
}
