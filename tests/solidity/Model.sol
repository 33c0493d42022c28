// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "./Forge.sol";
import {Usage} from "./Usage.sol";

/// @notice The contract's state rebuilt from its events alone, as an indexer would; every event is judged on the way.
abstract contract Model is Usage {
    bytes32 private constant FEE_KEPT = bytes32(uint256(1)); // beside the kinds of events

    /// @dev Payer, plan and seats, hashed.
    mapping(bytes32 what => uint256) internal consents;
    mapping(address payer => mapping(uint256 salt => bool)) internal saltUsed;
    /// @dev Whether a subscription is being cancelled with all that is left of it, credit included.
    bool internal refundsAll;

    // ----------------------------------------------------------------- events

    /// @dev Takes in what a call that succeeded has emitted.
    function _follow() internal {
        Vm.Log[] memory logs = _ownLogs();
        bytes32 last = logs.length > 0 ? logs[logs.length - 1].topics[0] : bytes32(0);
        if (last == PlanChanged.selector || last == Upgraded.selector) {
            _onChange(logs);
            return;
        }
        if (logs.length > 0 && refundsAll) rows[uint256(logs[0].topics[1])].credit = 0;
        if (logs.length > 0 && logs[0].topics[0] == UsageCharged.selector) {
            _onUsage(logs);
            return;
        }
        _takeAll(logs, 0, logs.length);
    }

    /// @dev Events in their order; what is told of a charge before its `Charged` is taken in with it.
    function _takeAll(Vm.Log[] memory logs, uint256 first, uint256 end) private {
        uint256 parts = type(uint256).max;
        for (uint256 i = first; i < end; ++i) {
            bytes32 kind = logs[i].topics[0];
            if (kind == Subscribed.selector) {
                _onSubscribed(logs, i);
            } else if (kind == Charged.selector) {
                _onCharged(logs, parts < i ? parts : i, i);
                parts = type(uint256).max;
            } else if (_isPart(kind)) {
                if (parts > i) parts = i;
            } else {
                _take(logs[i]);
            }
        }
        vm.assertEq(parts, type(uint256).max, "nothing is told of a charge that is not made");
    }

    function _isPart(bytes32 kind) private pure returns (bool) {
        return kind == PlanChanged.selector || kind == Quoted.selector || kind == Discounted.selector
            || kind == CreditUsed.selector || kind == PaidByFallback.selector || kind == Claimable.selector;
    }

    /// @dev Forge also records what a frame emitted that was undone later. Looking back from the end, the first event
    /// that tells what became of a row is the one that counts, with what was told of it right before.
    function _followCharge(uint256[] memory charged, bytes memory reasons) internal {
        vm.assertEq(reasons.length, charged.length, "a reason for each row");
        Vm.Log[] memory logs = _ownLogs();
        uint256[] memory told = new uint256[](charged.length);
        uint256 left = logs.length;
        uint256 row = charged.length;
        while (row > 0) {
            --row;
            do {
                vm.assertTrue(left > 0, "an event for each row");
                told[row] = --left;
            } while (!_tells(logs[left], charged[row], uint8(reasons[row])));
        }
        for (; row < charged.length; ++row) {
            uint256 first = reasons[row] == 0 ? _firstOf(logs, told[row], charged[row]) : told[row];
            _takeAll(logs, first, told[row] + 1);
        }
    }

    function _tells(Vm.Log memory log, uint256 id, uint8 reason) private pure returns (bool) {
        bytes32 kind = log.topics[0];
        if (kind != Charged.selector && kind != Declined.selector) return false;
        if (uint256(log.topics[1]) != id) return false;
        if (kind == Charged.selector) return reason == 0;
        (, uint8 found) = abi.decode(log.data, (uint256, uint8));
        return found == reason;
    }

    /// @dev Where what is told of a charge before its `Charged` begins: each kind once, and what was kept for the
    /// payee and for the receiver of the fee.
    function _firstOf(Vm.Log[] memory logs, uint256 last, uint256 id) private view returns (uint256) {
        bytes32[7] memory seen;
        uint256 kinds;
        (uint256 planId,) = _nextTerms(id);
        address receiver = _termsOf(planId).feeReceiver;
        while (last > 0 && _isPart(logs[last - 1].topics[0])) {
            Vm.Log memory log = logs[last - 1];
            bytes32 kind = log.topics[0];
            bool kept = kind == Claimable.selector;
            if (uint256(log.topics[kept ? 3 : 1]) != id) break;
            // The receiver's part is told after the payee's.
            bool isFee = kept && _account(log.topics[1]) == receiver && !_isIn(seen, FEE_KEPT);
            if (isFee && _isIn(seen, Claimable.selector)) break;
            if (isFee) kind = FEE_KEPT;
            if (_isIn(seen, kind)) break;
            seen[kinds++] = kind;
            --last;
        }
        return last;
    }

    function _isIn(bytes32[7] memory seen, bytes32 kind) private pure returns (bool) {
        for (uint256 i = 0; i < seen.length; ++i) {
            if (seen[i] == kind) return true;
        }
        return false;
    }

    /// @dev The call failed: nothing that it emitted happened.
    function _forget() internal {
        vm.getRecordedLogs();
    }

    function _take(Vm.Log memory log) private {
        bytes32 kind = log.topics[0];
        uint256 id = uint256(log.topics[1]);
        if (kind == RegisterOpened.selector) _onRegisterOpened(log);
        else if (kind == PlanCreated.selector) _onPlanCreated(log);
        else if (kind == PlanArchived.selector) _onArchived(id);
        else if (kind == SeatsSet.selector) vm.assertEq(abi.decode(log.data, (uint256)), rows[id].seats, "seats");
        else if (kind == MandateAccepted.selector) _onSalt(_account(log.topics[2]), abi.decode(log.data, (uint256)));
        else if (kind == MandateRevoked.selector) _onSalt(_account(log.topics[1]), abi.decode(log.data, (uint256)));
        else if (kind == Claimed.selector) _onClaimed(log);
        else if (kind == Declined.selector) _onDeclined(id, log.data);
        else if (kind == Cancelled.selector) _onCancelled(id);
        else if (kind == CancellationScheduled.selector) _onEnding(id, log.data);
        else if (kind == Paused.selector) _onPaused(id, log.data);
        else if (kind == Resumed.selector) _onResumed(id, log.data);
        else if (kind == Refunded.selector) _onRefunded(id, log.data);
        else if (kind == ConditionsSet.selector) _onConditions(id, log.data);
        else if (kind == CouponRedeemed.selector) _onCoupon(log);
        else if (kind == ChangeScheduled.selector) _onScheduled(log);
        else if (kind == PriceLowered.selector) _onLowered(log);
        else if (kind == FallbackSet.selector) _onFallback(log);
        else if (kind == PayerChanged.selector) _onPayerChanged(log);
        else if (kind == PayeeChanged.selector) _onPayeeChanged(log);
        else vm.assertTrue(false, "an event that nobody expects");
    }

    function _ownLogs() private returns (Vm.Log[] memory logs) {
        logs = vm.getRecordedLogs();
        uint256 count;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == address(subscriptions)) logs[count++] = logs[i];
        }
        assembly ("memory-safe") {
            mstore(logs, count)
        }
    }

    /// @dev Inv-1: nothing begins without the payer's consent to this plan and these seats.
    function _onSubscribed(Vm.Log[] memory logs, uint256 first) private {
        (address payer, uint256 planId) = (_account(logs[first].topics[2]), uint256(logs[first].topics[3]));
        uint256 seats;
        if (first + 1 < logs.length && logs[first + 1].topics[0] == SeatsSet.selector) {
            seats = abi.decode(logs[first + 1].data, (uint256));
        }
        bytes32 consent = _consent(payer, planId, seats);
        vm.assertTrue(consents[consent] > 0, "Inv-1: consent");
        --consents[consent];
        uint256 firstDue = abi.decode(logs[first].data, (uint256));
        uint256 startsAt = _has(logs, ConditionsSet.selector) ? askedConditions.startsAt : 0;
        _opens(uint256(logs[first].topics[1]), payer, planId, seats, firstDue, startsAt);
        bool charged = _has(logs, Charged.selector);
        vm.assertTrue(charged == (firstDue == _now()), "the first period is paid first once, or there is a trial");
    }

    function _consent(address payer, uint256 planId, uint256 seats) internal pure returns (bytes32) {
        return keccak256(abi.encode(payer, planId, seats));
    }

    function _onSalt(address payer, uint256 salt) private {
        vm.assertTrue(!saltUsed[payer][salt], "Inv-1: a salt is good for one subscription");
        saltUsed[payer][salt] = true;
    }

    function _has(Vm.Log[] memory logs, bytes32 kind) private pure returns (bool) {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == kind) return true;
        }
        return false;
    }

    /// @dev A period is charged, at what must be due. What is told of it is told before.
    function _onCharged(Vm.Log[] memory logs, uint256 first, uint256 last) private {
        uint256 id = uint256(logs[last].topics[1]);
        vm.assertEq(uint256(_standing(id)), 0, "Inv-1, Inv-6: due, not ended, neither cancelled nor paused");
        Due memory due = _due(id);
        vm.assertEq(uint256(due.reason), 0, "Inv-18: within what the payer agreed to");
        _takeParts(id, logs, first, last, due);
        Subscription storage row = rows[id];
        if (scheduled[id].isOn) {
            if (row.charges > 0) _tellsOf(id, row.charges, _rateOf(row.planId, row.seats), type(uint256).max);
            (row.planId, row.seats, scheduled[id].isOn) = (due.planId, due.seats, false);
            ++done["scheduled change made"];
        }
        (uint256 number, uint256 start, uint256 end, uint256 amount) =
            abi.decode(logs[last].data, (uint256, uint256, uint256, uint256));
        (row.nextDue, row.anchorDay) = (due.from, due.anchorDay);
        if (due.isStub) {
            vm.assertEq(end, due.end, "Inv-5: a stub ends on the plan's grid");
            _servesStub(id, start, end);
            ++done["stub"];
        } else {
            _serves(id, start, end);
        }
        _pays(id, number, amount, due.price - due.discount);
        if (amount != due.rate || due.quoted > 0) _tellsOf(id, number - 1, due.rate, amount);
        _discounts(id, due);
        _buys(id, due.isStub ? due.whole : end - start, end - start, due.rate, due.price - due.discount);
    }

    /// @dev Each part of a charge that must be told is told, and no other.
    function _takeParts(uint256 id, Vm.Log[] memory logs, uint256 first, uint256 last, Due memory due) private {
        bool[3] memory told;
        for (uint256 i = first; i < last; ++i) {
            bytes32 kind = logs[i].topics[0];
            bytes memory data = logs[i].data;
            vm.assertEq(uint256(logs[i].topics[kind == Claimable.selector ? 3 : 1]), id, "told of its own charge");
            if (kind == Claimable.selector) {
                _onClaimable(logs[i]);
            } else if (kind == CreditUsed.selector) {
                _onCreditUsed(id, data);
            } else if (kind == PaidByFallback.selector) {
                _onSecond(id, data, due);
            } else if (kind == PlanChanged.selector) {
                told[0] = true;
                vm.assertEq(uint256(logs[i].topics[2]), due.planId, "Inv-1: the plan that was scheduled");
                bytes memory expected = abi.encode(due.seats, rows[id].credit);
                vm.assertEq(keccak256(data), keccak256(expected), "Inv-1: the seats that were scheduled");
            } else {
                bool isQuote = kind == Quoted.selector;
                told[isQuote ? 1 : 2] = true;
                uint256 number = rows[id].charges + 1;
                bytes memory expected =
                    isQuote ? abi.encode(number, due.quoted, due.price) : abi.encode(number, due.discount);
                vm.assertEq(keccak256(data), keccak256(expected), "Inv-18, Inv-19: the quote, the discount");
                ++done[isQuote ? "quoted" : "discounted"];
            }
        }
        vm.assertTrue(told[0] == scheduled[id].isOn, "a change that was scheduled is told");
        vm.assertTrue(told[1] == (due.quoted > 0), "a quote is told");
        vm.assertTrue(told[2] == (due.discount > 0), "Inv-19: a discount is told");
    }

    /// @dev Inv-19: no discount after its periods, nor on another plan than its own.
    function _discounts(uint256 id, Due memory due) private {
        Discount storage discount = discounts[id];
        if (!discount.isOn) return;
        if (!_isLowering(id, due.planId)) {
            discount.isOn = false;
            return;
        }
        vm.assertTrue(++discount.taken <= discount.coupon.periods, "Inv-19: for its periods only");
        discount.last = due.discount;
        // Of a stub as much as a whole period would have had, rounded up.
        if (due.isStub && due.quoted == 0) discount.last = (due.discount * due.rate + due.price - 1) / due.price;
    }

    function _onDeclined(uint256 id, bytes memory data) private view {
        (uint256 dueTime, DeclineReason reason) = abi.decode(data, (uint256, DeclineReason));
        vm.assertEq(dueTime, rows[id].nextDue, "what was due");
        DeclineReason standing = _standing(id);
        if (standing != DeclineReason.None) {
            vm.assertEq(uint256(reason), uint256(standing), "Inv-7: why it was not charged");
            return;
        }
        Due memory due = _due(id);
        bool refused = reason == DeclineReason.TokenRefused && !_isHonestTo(id);
        if (due.reason == DeclineReason.None || refused) _judgeLack(id, reason, due);
        else vm.assertEq(uint256(reason), uint256(due.reason), "Inv-7, Inv-18: why it was not charged");
    }

    // ------------------------------------------------------------- comparison

    /// @dev The contract's state is what its events say, neither more nor less.
    function _assertStateIsThatOfTheEvents() internal view {
        for (uint256 i = 0; i < ids.length; ++i) {
            uint256 id = ids[i];
            Subscription memory row = rows[id];
            vm.assertEq(
                keccak256(abi.encode(subscriptions.subscription(id))), keccak256(abi.encode(row)), "subscription"
            );
        }
        _assertRest(ids[_now() % ids.length]); // one at a time: it takes long
    }

    function _assertRest(uint256 id) private view {
        vm.assertEq(subscriptions.usageLeft(id), _usageLeft(id), "Inv-17: what usage may still cost");
        _assertExtrasAreThoseOfTheEvents(id);
    }

    function _assertRefunds() internal view {
        for (uint256 i = 0; i < ids.length; ++i) {
            _assertRest(ids[i]);
            for (uint256 n = 1; n <= rows[ids[i]].charges; ++n) {
                vm.assertEq(subscriptions.refunded(ids[i], n), givenBack[ids[i]][n], "Inv-8: refunded");
            }
        }
    }
}
