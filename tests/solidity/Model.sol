// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "./Forge.sol";
import {Usage} from "./Usage.sol";

/// @notice The contract's state rebuilt from its events alone, as an indexer would; every event is judged on the way.
abstract contract Model is Usage {
    /// @dev Payer, plan and seats, hashed.
    mapping(bytes32 what => uint256) internal consents;
    mapping(address payer => mapping(uint256 salt => bool)) internal saltUsed;

    // ----------------------------------------------------------------- events

    /// @dev Takes in what a call that succeeded has emitted.
    function _follow() internal {
        Vm.Log[] memory logs = _ownLogs();
        if (logs.length > 0 && logs[logs.length - 1].topics[0] == PlanChanged.selector) {
            _onChange(logs);
            return;
        }
        if (logs.length > 0 && logs[0].topics[0] == UsageCharged.selector) {
            _onUsage(logs);
            return;
        }
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == Subscribed.selector) _onSubscribed(logs, i);
            else _take(logs[i]);
        }
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
            for (uint256 i = first; i <= told[row]; ++i) {
                _take(logs[i]);
            }
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

    /// @dev What is told of a charge before its `Charged`: what was kept for the payee, for the fee's receiver, and the
    /// credit that was used.
    function _firstOf(Vm.Log[] memory logs, uint256 last, uint256 id) private view returns (uint256) {
        if (last > 0 && logs[last - 1].topics[0] == CreditUsed.selector && uint256(logs[last - 1].topics[1]) == id) {
            --last;
        }
        PlanTerms storage terms = _termsOf(rows[id].planId);
        if (last > 0 && terms.feeBps > 0 && _isKept(logs[last - 1], id, terms.feeReceiver)) --last;
        if (last > 0 && _isKept(logs[last - 1], id, terms.payee)) --last;
        return last;
    }

    function _isKept(Vm.Log memory log, uint256 id, address account) private pure returns (bool) {
        if (log.topics[0] != Claimable.selector) return false;
        return uint256(log.topics[3]) == id && _account(log.topics[1]) == account;
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
        else if (kind == Charged.selector) _onCharged(id, log.data);
        else if (kind == CreditUsed.selector) _onCreditUsed(id, log.data);
        else if (kind == Claimable.selector) _onClaimable(log);
        else if (kind == Claimed.selector) _onClaimed(log);
        else if (kind == Declined.selector) _onDeclined(id, log.data);
        else if (kind == Cancelled.selector) _onCancelled(id);
        else if (kind == CancellationScheduled.selector) _onEnding(id, log.data);
        else if (kind == Paused.selector) _onPaused(id, log.data);
        else if (kind == Resumed.selector) _onResumed(id, log.data);
        else if (kind == Refunded.selector) _onRefunded(id, log.data);
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
        _opens(uint256(logs[first].topics[1]), payer, planId, seats, firstDue);
        bool charged;
        for (uint256 i = first + 1; i < logs.length; ++i) {
            charged = charged || logs[i].topics[0] == Charged.selector;
        }
        vm.assertTrue(charged == (firstDue == _now()), "the first period is paid first once, or there is a trial");
    }

    function _consent(address payer, uint256 planId, uint256 seats) internal pure returns (bytes32) {
        return keccak256(abi.encode(payer, planId, seats));
    }

    function _onSalt(address payer, uint256 salt) private {
        vm.assertTrue(!saltUsed[payer][salt], "Inv-1: a salt is good for one subscription");
        saltUsed[payer][salt] = true;
    }

    function _onCharged(uint256 id, bytes memory data) private {
        (uint256 chargeNumber, uint256 start, uint256 end, uint256 amount) =
            abi.decode(data, (uint256, uint256, uint256, uint256));
        uint256 rate = _rateOf(rows[id].planId, rows[id].seats);
        _serves(id, start, end);
        _pays(id, chargeNumber, amount, rate);
        if (amount < rate) _tellsOf(id, chargeNumber - 1, rate, amount);
        _buys(id, end - start, rate);
    }

    function _onDeclined(uint256 id, bytes memory data) private view {
        (uint256 due, DeclineReason reason) = abi.decode(data, (uint256, DeclineReason));
        vm.assertEq(due, rows[id].nextDue, "what was due");
        DeclineReason standing = _standing(id);
        if (standing == DeclineReason.None) _judgeLack(id, reason);
        else vm.assertEq(uint256(reason), uint256(standing), "Inv-7: why it was not charged");
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
            vm.assertEq(subscriptions.usageLeft(id), _usageLeft(id), "Inv-17: what usage may still cost");
        }
    }

    function _assertRefunds() internal view {
        for (uint256 i = 0; i < ids.length; ++i) {
            for (uint256 n = 1; n <= rows[ids[i]].charges; ++n) {
                vm.assertEq(subscriptions.refunded(ids[i], n), givenBack[ids[i]][n], "Inv-8: refunded");
            }
        }
    }
}
