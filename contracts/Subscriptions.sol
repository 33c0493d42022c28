// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SubscriptionsState} from "./SubscriptionsState.sol";
import {ISubscriptionsCore, ISubscriptionsFrames} from "./interfaces/ISubscriptions.sol";
import {Calendar} from "./libraries/Calendar.sol";
import {ExtrasSlot, ExtrasSlots} from "./libraries/ExtrasSlot.sol";
import {LimitsSlot} from "./libraries/LimitsSlot.sol";
import {PlanWords, PlanWordsOf} from "./libraries/PlanWords.sol";
import {RegisterSlot} from "./libraries/RegisterSlot.sol";
import {Step} from "./libraries/Schedule.sol";
import {SubscriptionSlot, SubscriptionSlots} from "./libraries/SubscriptionSlot.sol";
import {TokenCall} from "./libraries/TokenCall.sol";

/// @title Subscriptions
/// @notice See {ISubscriptions}. Here are consent and charge, where gas counts; everything else is in
/// {SubscriptionsPayee} and the parts behind it, which work on this contract's storage. Its address is part of the
/// code: it cannot change.
contract Subscriptions is ISubscriptionsCore, SubscriptionsState {
    /// @dev What rows of a run came to that did not simply move the plan's price to the payee.
    struct Others {
        uint256 paid; // rows
        uint256 sum; // what their payers paid
        uint256 received; // the payee's part of it
        uint256 kept; // of the price of simple rows: what the payee could not receive
    }

    address private immutable _NEXT;

    constructor(address next) {
        if (next.code.length == 0) revert NotAContract(next);
        _NEXT = next;
    }

    // ---------------------------------------------------------------- consent

    /// @inheritdoc ISubscriptionsCore
    function subscribe(uint256 planId, bytes32 expectedTerms, uint256 seats)
        external
        nonReentrant
        returns (uint256 subscriptionId)
    {
        (PlanWords words,) = _agreedPlan(planId, expectedTerms);
        return _open(msg.sender, planId, words, seats);
    }

    /// @inheritdoc ISubscriptionsCore
    function subscribeWithPermit(uint256 planId, bytes32 expectedTerms, uint256 seats, Permit calldata permit)
        external
        nonReentrant
        returns (uint256 subscriptionId)
    {
        (PlanWords words,) = _agreedPlan(planId, expectedTerms);
        _tryPermit(words.token(), msg.sender, permit);
        return _open(msg.sender, planId, words, seats);
    }

    /// @inheritdoc ISubscriptionsCore
    function submitMandate(Mandate calldata mandate, bytes calldata signature)
        external
        nonReentrant
        returns (uint256 subscriptionId)
    {
        return _accept(mandate, signature, _existingPlan(mandate.planId));
    }

    /// @inheritdoc ISubscriptionsCore
    function submitMandateWithPermit(Mandate calldata mandate, bytes calldata signature, Permit calldata permit)
        external
        nonReentrant
        returns (uint256 subscriptionId)
    {
        PlanWords words = _existingPlan(mandate.planId);
        _tryPermit(words.token(), mandate.payer, permit);
        return _accept(mandate, signature, words);
    }

    /// @dev Check, effect, interaction of every way to subscribe. Without a trial the first period is charged here, or
    /// all reverts.
    function _open(address payer, uint256 planId, PlanWords words, uint256 seats)
        private
        returns (uint256 subscriptionId)
    {
        RegisterSlot register;
        (subscriptionId, register) = _nextSubscription(payer, planId, words);
        if (!words.isPlain()) return _openWithTerms(subscriptionId, payer, planId, words, seats, register);
        uint256 amount = _rate(words, seats);
        uint256 anchorDay = Calendar.dayOfMonth(block.timestamp);
        uint256 nextDue = words.step().later(block.timestamp, 1, anchorDay);
        // Plans are counted in 32 bits, and a period of at most 100 years from now ends before 2^39.
        _subscriptions[subscriptionId] = SubscriptionSlots.open(payer, planId, nextDue, 1, anchorDay);
        _registers[words.registerId()] = register.withSubscription().withCharges(1, amount);
        emit Subscribed(subscriptionId, payer, planId, block.timestamp);
        emit Charged(subscriptionId, 1, block.timestamp, nextDue, amount);
        _move(words.token(), payer, words.payee(), amount, false);
    }

    /// @dev Of plans with seats, a trial or a fee.
    function _openWithTerms(
        uint256 subscriptionId,
        address payer,
        uint256 planId,
        PlanWords words,
        uint256 seats,
        RegisterSlot register
    ) private returns (uint256) {
        if (payer == words.feeReceiver()) revert PayerIsPayee(payer);
        if (words.quoter() != address(0)) revert MaximumMissing(planId);
        uint256 rate = _rate(words, seats);
        uint256 firstDue = block.timestamp + _takeTrial(payer, words);
        bool charged = firstDue == block.timestamp;
        uint256 amount;
        uint256 history;
        SubscriptionSlot slot;
        if (charged) {
            uint256 nextDue;
            uint256 anchorDay;
            (nextDue, anchorDay, amount) = _firstPeriod(words, rate);
            slot = SubscriptionSlots.open(payer, planId, nextDue, 1, anchorDay);
            if (amount != rate) history = ExtrasSlots.extend(0, 0, rate, amount);
        } else {
            slot = SubscriptionSlots.open(payer, planId, firstDue, 0, Calendar.dayOfMonth(firstDue));
        }
        if (seats | history | words.minCharges() != 0) slot = slot.withExtras();
        if (seats | history != 0) _extras[subscriptionId] = ExtrasSlots.pack(seats, 0, history);
        _subscriptions[subscriptionId] = slot;
        register = register.withSubscription();
        _registers[words.registerId()] = charged ? register.withCharges(1, amount) : register;

        emit Subscribed(subscriptionId, payer, planId, firstDue);
        if (seats != 0) emit SeatsSet(subscriptionId, seats);
        if (charged) {
            emit Charged(subscriptionId, 1, block.timestamp, slot.nextDue(), amount);
            _collect(words, payer, amount, false);
        }
        return subscriptionId;
    }

    /// @dev The seconds of the plan's trial, the first time that a payer asks for one of its family.
    function _takeTrial(address payer, PlanWords words) private returns (uint256 trial) {
        trial = words.trial();
        if (_isTrialUsed(payer, words)) return 0;
        if (trial != 0) _trialUsed[_familyOf(words)][payer] = true;
    }

    function _accept(Mandate calldata mandate, bytes calldata signature, PlanWords words)
        private
        returns (uint256 subscriptionId)
    {
        if (block.timestamp >= mandate.validBefore) revert MandateExpired(mandate.validBefore, block.timestamp);
        bytes32 digest = _mandateDigest(mandate, words);
        _requireSignature(mandate.payer, digest, signature);
        _useSalt(mandate.payer, mandate.salt);

        subscriptionId = _open(mandate.payer, mandate.planId, words, mandate.seats);
        emit MandateAccepted(subscriptionId, mandate.payer, mandate.salt, digest);
    }

    /// @dev Anyone may have used the permit before us, and some tokens swallow the call: only the allowance tells.
    function _tryPermit(address token, address owner, Permit calldata permit) private {
        try IERC20Permit(token).permit(
            owner, address(this), permit.value, permit.deadline, permit.v, permit.r, permit.s
        ) {} catch {}
    }

    // ----------------------------------------------------------------- charge

    /// @inheritdoc ISubscriptionsCore
    function charge(uint256[] calldata subscriptionIds) external nonReentrant returns (bytes memory reasons) {
        if (subscriptionIds.length == 1) return _run(subscriptionIds);
        while (reasons.length < subscriptionIds.length) {
            reasons = bytes.concat(reasons, _tryRun(subscriptionIds[reasons.length:]));
        }
    }

    /// @dev A run that moved less money than it should have is undone as a whole, and its rows are tried one by one.
    /// Any other failure is the caller's (too little gas) and reverts everything. A batch of one row has nobody to be
    /// kept safe from it: the frame is spared, and the whole call reverts with {AmountMismatch}.
    function _tryRun(uint256[] calldata subscriptionIds) private returns (bytes memory reasons) {
        try this.chargeRun(subscriptionIds) returns (bytes memory answer) {
            return answer;
        } catch (bytes memory failure) {
            if (bytes4(failure) != AmountMismatch.selector) _bubble(failure);
            return _tryRows(subscriptionIds);
        }
    }

    /// @dev The rows of a run that was undone, each in a frame of its own: the one at fault declines, the others pay.
    function _tryRows(uint256[] calldata subscriptionIds) private returns (bytes memory reasons) {
        reasons = new bytes(subscriptionIds.length);
        uint256 planId = _slotOf(subscriptionIds[0]).planId();
        uint256 row;
        for (; row < reasons.length; ++row) {
            uint256 id = subscriptionIds[row];
            SubscriptionSlot slot = _slotOf(id);
            if (slot.planId() != planId) break;
            try this.chargeRun(subscriptionIds[row:row + 1]) returns (bytes memory answer) {
                reasons[row] = answer[0];
            } catch (bytes memory failure) {
                if (bytes4(failure) != AmountMismatch.selector) _bubble(failure);
                _decline(reasons, row, id, slot, DeclineReason.TokenRefused);
            }
        }
        _truncate(reasons, row);
    }

    /// @notice Charges the leading rows that share the first row's plan, in a frame of their own, so that what the
    /// token did can be undone. Only this contract calls it.
    /// @return reasons A byte for each row of the run; the caller goes on behind it.
    function chargeRun(uint256[] calldata subscriptionIds) external returns (bytes memory reasons) {
        if (msg.sender != address(this)) revert NotAuthorized(msg.sender);
        return _run(subscriptionIds);
    }

    function _run(uint256[] calldata subscriptionIds) private returns (bytes memory reasons) {
        uint256 id = subscriptionIds[0];
        SubscriptionSlot slot = _slotOf(id);
        uint256 planId = slot.planId();
        PlanWords words = PlanWordsOf.load(planId);
        RegisterSlot register = _registers[words.registerId()];
        if (register.isMoved()) _follow(words);
        Step step = words.step();
        reasons = new bytes(subscriptionIds.length);
        Others memory others;
        uint256 balanceBefore;
        uint256 paid;
        uint256 row;
        // Unchecked: the length of the calldata bounds rows and charges, 96 bits their amounts.
        unchecked {
            while (true) {
                DeclineReason reason = _standing(slot, words);
                if (reason == DeclineReason.None) {
                    if (paid + others.paid == 0) balanceBefore = _balance(words.token(), words.payee(), words.price());
                    if (words.isPlain() && !slot.hasExtras()) {
                        reason = _chargeRow(id, slot, words, step, others);
                        if (reason == DeclineReason.None) ++paid;
                    } else {
                        reason = _chargeRowWithTerms(id, slot, words, step, others);
                    }
                }
                if (reason != DeclineReason.None) _decline(reasons, row, id, slot, reason);

                if (++row == subscriptionIds.length) break;
                id = subscriptionIds[row];
                slot = _slotOf(id);
                if (slot.planId() != planId) break;
            }
            _truncate(reasons, row);
            if (paid + others.paid == 0) return reasons;

            uint256 sum = paid * words.price();
            _registers[words.registerId()] = register.withCharges(paid + others.paid, sum + others.sum);
            _requireReceived(
                balanceBefore,
                _balance(words.token(), words.payee(), words.price()),
                sum - others.kept + others.received
            );
        }
    }

    /// @dev The slot moves on before the token is called, and goes back where the token refuses.
    function _chargeRow(uint256 id, SubscriptionSlot slot, PlanWords words, Step step, Others memory others)
        private
        returns (DeclineReason)
    {
        (uint256 periodStart, uint256 periodEnd) = _periodOf(slot, words, step);
        // Unchecked: `_standing` declined the last charge number. A period that has begun ends before 2^39.
        unchecked {
            uint256 chargeNumber = slot.charges() + 1;
            _subscriptions[id] = slot.advance(periodEnd, chargeNumber);
            if (!TokenCall.tryTransferFrom(words.token(), slot.payer(), words.payee(), words.price())) {
                DeclineReason reason = _whyNot(words.token(), slot.payer(), words.price());
                bool kept = reason == DeclineReason.None
                    && _keep(id, words.token(), slot.payer(), words.payee(), words.price());
                if (!kept && reason == DeclineReason.None) reason = _refusal(words.token(), slot.payer());
                if (reason != DeclineReason.None) {
                    _subscriptions[id] = slot;
                    return reason;
                }
                others.kept += words.price();
            }
            emit Charged(id, chargeNumber, periodStart, periodEnd, words.price());
        }
        return DeclineReason.None;
    }

    /// @dev A row with seats, credit or limits, or of a plan with a fee.
    function _chargeRowWithTerms(uint256 id, SubscriptionSlot slot, PlanWords words, Step step, Others memory others)
        private
        returns (DeclineReason reason)
    {
        ExtrasSlot extras = _extrasOf(id, slot);
        if (_isSpecial(slot, words, extras)) return _trySpecialRow(id, others);
        uint256 rate = words.rate(extras.seats());
        uint256 amount = extras.credit() < rate ? rate - extras.credit() : 0;
        LimitsSlot limits;
        if (extras.isLimited()) {
            limits = _limits[id];
            reason = _trySpend(id, limits, rate + words.usageCap(), amount);
            if (reason != DeclineReason.None) return reason;
        }
        (uint256 periodStart, uint256 periodEnd) = _periodOf(slot, words, step);
        uint256 chargeNumber = slot.charges() + 1;
        _subscriptions[id] = slot.advance(periodEnd, chargeNumber);
        if (amount != rate) _extras[id] = extras.withCreditUsed(chargeNumber, rate, amount);

        if (amount != 0) reason = _take(id, slot.payer(), words, amount, others);
        if (reason != DeclineReason.None) {
            _subscriptions[id] = slot;
            if (amount != rate) _extras[id] = extras;
            if (extras.isLimited()) _limits[id] = limits;
            return reason;
        }
        ++others.paid;
        others.sum += amount;
        if (amount != rate) emit CreditUsed(id, chargeNumber, rate - amount);
        emit Charged(id, chargeNumber, periodStart, periodEnd, amount);
    }

    /// @dev In a frame of its own, which undoes what a token did before it refused.
    function _trySpecialRow(uint256 id, Others memory others) private returns (DeclineReason reason) {
        uint256 amount;
        uint256 received;
        try ISubscriptionsFrames(address(this)).chargeSpecialRow(id) returns (
            DeclineReason reason_, uint256 amount_, uint256 received_
        ) {
            (reason, amount, received) = (reason_, amount_, received_);
        } catch (bytes memory failure) {
            bytes4 kind = bytes4(failure);
            if (kind == AccountBlocked.selector) return DeclineReason.Blocked;
            if (kind == TokenRefused.selector || kind == AmountMismatch.selector) return DeclineReason.TokenRefused;
            _bubble(failure);
        }
        if (reason != DeclineReason.None) return reason;
        ++others.paid;
        others.sum += amount;
        others.received += received;
    }

    /// @dev The payee's part and the fee of one charge: both or none.
    function _take(uint256 id, address payer, PlanWords words, uint256 amount, Others memory others)
        private
        returns (DeclineReason reason)
    {
        address token = words.token();
        uint256 fee = words.feeOf(amount);
        if (fee != 0) reason = _whyNot(token, payer, amount);
        if (reason != DeclineReason.None) return reason;
        if (TokenCall.tryTransferFrom(token, payer, words.payee(), amount - fee)) {
            others.received += amount - fee;
        } else {
            if (fee == 0) reason = _whyNot(token, payer, amount);
            if (reason != DeclineReason.None) return reason;
            if (!_keep(id, token, payer, words.payee(), amount - fee)) return _refusal(token, payer);
        }
        if (fee != 0) _takeFee(id, payer, words, fee);
    }

    /// @dev The payee's part has moved: what moved without the fee must be undone.
    function _takeFee(uint256 id, address payer, PlanWords words, uint256 fee) private {
        (address token, address receiver) = (words.token(), words.feeReceiver());
        uint256 balanceBefore = _balance(token, receiver, fee);
        if (TokenCall.tryTransferFrom(token, payer, receiver, fee)) {
            _requireReceived(balanceBefore, _balance(token, receiver, fee), fee);
        } else if (!_keep(id, token, payer, receiver, fee)) {
            revert AmountMismatch(0, fee);
        }
    }

    /// @dev What the token refused to move to `to`, although the payer has it. Where that is the receiver's doing (E07:
    /// blocked, a hook that reverts), the contract takes it into its keeping.
    function _keep(uint256 id, address token, address payer, address to, uint256 amount) private returns (bool) {
        uint256 balanceBefore = _balance(token, address(this), amount);
        if (!TokenCall.tryTransferFrom(token, payer, address(this), amount)) return false;
        _requireReceived(balanceBefore, _balance(token, address(this), amount), amount);
        _claimable[to][token] += amount;
        emit Claimable(to, token, id, amount);
        return true;
    }

    /// @dev Why the token refused, although the payer has allowance and balance.
    function _refusal(address token, address payer) private view returns (DeclineReason) {
        return TokenCall.isBlocked(token, payer) ? DeclineReason.Blocked : DeclineReason.TokenRefused;
    }

    function _decline(bytes memory reasons, uint256 row, uint256 id, SubscriptionSlot slot, DeclineReason reason)
        private
    {
        reasons[row] = bytes1(uint8(reason));
        emit Declined(id, slot.nextDue(), reason);
    }

    // ----------------------------------------------------------------- change

    /// @inheritdoc ISubscriptionsCore
    function changePlan(uint256 subscriptionId, uint256 planId, bytes32 expectedTerms, uint256 seats, uint256 maxToPay)
        external
        nonReentrant
    {
        SubscriptionSlot slot = _ofCaller(subscriptionId);
        ExtrasSlot extras;
        if (slot.hasExtras()) extras = _extras[subscriptionId];
        (PlanWords words, RegisterSlot register) = _agreedPlan(planId, expectedTerms);
        (SubscriptionSlot changed, ExtrasSlot kept, uint256 toPay, uint256 creditUsed) =
            _changeOf(subscriptionId, slot, extras, planId, words, seats, register);
        if (toPay > maxToPay) revert ToPayTooHigh(toPay, maxToPay);

        _extras[subscriptionId] = kept;
        _subscriptions[subscriptionId] = changed;
        if (toPay | creditUsed == 0) {
            emit PlanChanged(subscriptionId, planId, seats, kept.credit());
        } else {
            uint256 chargeNumber = changed.charges();
            _registers[words.registerId()] = register.withCharges(1, toPay);
            if (creditUsed != 0) emit CreditUsed(subscriptionId, chargeNumber, creditUsed);
            if (toPay != 0 && seats == extras.seats() && changed.nextDue() == slot.nextDue()) {
                emit Upgraded(subscriptionId, planId, chargeNumber, toPay);
            } else {
                emit Charged(subscriptionId, chargeNumber, block.timestamp, changed.nextDue(), toPay);
                emit PlanChanged(subscriptionId, planId, seats, kept.credit());
            }
        }
        if (toPay != 0) {
            _spend(subscriptionId, extras, toPay);
            _collect(words, msg.sender, toPay, extras.isByPermit2());
        }
    }

    // ----------------------------------------------------------------- cancel

    /// @inheritdoc ISubscriptionsCore
    function cancel(uint256 subscriptionId) external nonReentrant {
        SubscriptionSlot slot = _cancellable(subscriptionId);
        if (slot.status() == Status.Cancelled) revert NotActive(subscriptionId, Status.Cancelled);
        if (msg.sender != slot.payer()) _requireNothingUnused(subscriptionId, slot);
        _end(subscriptionId, slot);
    }

    /// @inheritdoc ISubscriptionsCore
    function cancelAtPeriodEnd(uint256 subscriptionId) external nonReentrant {
        SubscriptionSlot slot = _cancellable(subscriptionId);
        if (!slot.isActive()) revert NotActive(subscriptionId, slot.status());
        _subscriptions[subscriptionId] = slot.withStatus(Status.Ending);
        emit CancellationScheduled(subscriptionId, slot.nextDue());
    }

    /// @dev The payee may always, the payer when the agreed charges were made.
    function _cancellable(uint256 subscriptionId) private view returns (SubscriptionSlot slot) {
        slot = _existingSubscription(subscriptionId);
        if (msg.sender == slot.payer()) {
            // A plan with a minimum has marked the slot: nobody else pays for reading the plan.
            if (slot.hasExtras()) _requireMinimum(slot);
        } else if (msg.sender != _planOf(slot.planId()).payee()) {
            revert NotAuthorized(msg.sender);
        }
    }

    /// @dev What the plan promises to refund is refunded with the cancellation.
    function _requireNothingUnused(uint256 subscriptionId, SubscriptionSlot slot) private view {
        PlanWords words = PlanWordsOf.load(slot.planId());
        if (!words.refundsUnused()) return;
        uint256 unused = _unusedOf(subscriptionId, slot, _extrasOf(subscriptionId, slot), words);
        if (unused != 0) revert UnusedNotRefunded(0, unused);
    }

    // ------------------------------------------------------------------ parts

    /// @dev Everything else: the code of the other parts on this contract's storage.
    fallback() external {
        _delegate(_NEXT);
    }

    function _truncate(bytes memory reasons, uint256 length) private pure {
        assembly ("memory-safe") {
            mstore(reasons, length)
        }
    }

    function _bubble(bytes memory failure) private pure {
        assembly ("memory-safe") {
            revert(add(failure, 0x20), mload(failure))
        }
    }
}
