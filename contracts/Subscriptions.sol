// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ISubscriptions} from "./interfaces/ISubscriptions.sol";
import {Calendar} from "./libraries/Calendar.sol";
import {PlanSlot, PlanSlots} from "./libraries/PlanSlot.sol";
import {Step} from "./libraries/Schedule.sol";
import {SubscriptionSlot, SubscriptionSlots} from "./libraries/SubscriptionSlot.sol";
import {TokenCall} from "./libraries/TokenCall.sol";

/// @title Subscriptions
/// @notice See {ISubscriptions}.
contract Subscriptions is ISubscriptions, EIP712, ReentrancyGuardTransient {
    struct Counters {
        uint32 plans;
        uint64 subscriptions;
    }

    bytes32 private constant MANDATE_TYPEHASH = keccak256(
        "Mandate(address payer,uint256 planId,address payee,address token,uint256 pricePerPeriod,uint256 periodCount,string periodUnit,uint256 missedPeriods,uint256 salt,uint256 validBefore)"
    );
    uint256 private constant MAX_PERIOD = 100 * 366 days;

    Counters private _counters;
    // Arrays of a fixed, unreachable length: the slot of an element is an addition, not a hash.
    PlanSlot[2 ** 32] private _plans;
    SubscriptionSlot[2 ** 63] private _subscriptions;
    mapping(address payee => mapping(address token => ControlTotals)) private _totals;
    mapping(uint256 subscriptionId => mapping(uint256 chargeNumber => uint256)) private _refunded;
    mapping(address payer => mapping(uint256 saltWord => uint256)) private _usedSalts;

    constructor() EIP712("Tallystick Subscriptions", "1") {}

    // ------------------------------------------------------------------ plans

    /// @inheritdoc ISubscriptions
    function createPlan(PlanTerms calldata terms) external nonReentrant returns (uint256 planId) {
        if (terms.payee == address(0)) revert ZeroAddress();
        if (terms.payee == address(this)) revert PayeeRefused(terms.payee);
        if (terms.price == 0) revert ZeroAmount();
        if (terms.token.code.length == 0) revert NotAContract(terms.token);
        uint256 periodSeconds = terms.every * _unitSeconds(terms.unit);
        if (periodSeconds == 0 || periodSeconds > MAX_PERIOD) revert PeriodOutOfRange(periodSeconds, MAX_PERIOD);

        planId = ++_counters.plans;
        _plans[planId] = PlanSlots.pack(terms);

        emit PlanCreated(planId, terms.payee, terms.token, terms.price, terms.every, terms.unit, terms.catchUp);
    }

    // ---------------------------------------------------------------- consent

    /// @inheritdoc ISubscriptions
    function subscribe(uint256 planId, bytes32 expectedTerms) external nonReentrant returns (uint256 subscriptionId) {
        PlanSlot memory terms = _agreedPlan(planId, expectedTerms);
        return _open(msg.sender, planId, terms);
    }

    /// @inheritdoc ISubscriptions
    function subscribeWithPermit(uint256 planId, bytes32 expectedTerms, Permit calldata permit)
        external
        nonReentrant
        returns (uint256 subscriptionId)
    {
        PlanSlot memory terms = _agreedPlan(planId, expectedTerms);
        _tryPermit(terms.token(), msg.sender, permit);
        return _open(msg.sender, planId, terms);
    }

    /// @inheritdoc ISubscriptions
    function submitMandate(Mandate calldata mandate, bytes calldata signature)
        external
        nonReentrant
        returns (uint256 subscriptionId)
    {
        PlanSlot memory terms = _existingPlan(mandate.planId);
        return _accept(mandate, signature, terms);
    }

    /// @inheritdoc ISubscriptions
    function submitMandateWithPermit(Mandate calldata mandate, bytes calldata signature, Permit calldata permit)
        external
        nonReentrant
        returns (uint256 subscriptionId)
    {
        PlanSlot memory terms = _existingPlan(mandate.planId);
        _tryPermit(terms.token(), mandate.payer, permit);
        return _accept(mandate, signature, terms);
    }

    /// @inheritdoc ISubscriptions
    function revokeMandate(uint256 salt) external nonReentrant {
        _useSalt(msg.sender, salt);
        emit MandateRevoked(msg.sender, salt);
    }

    /// @dev Check, effect, interaction of every way to subscribe. The first period is charged here, or all reverts.
    function _open(address payer, uint256 planId, PlanSlot memory terms) private returns (uint256 subscriptionId) {
        if (payer == terms.payee()) revert PayerIsPayee(payer);

        uint256 anchorDay = Calendar.dayOfMonth(block.timestamp);
        uint256 nextDue = terms.step().later(block.timestamp, 1, anchorDay);
        subscriptionId = ++_counters.subscriptions;
        // Plans are counted in 32 bits, and a period of at most 100 years from now ends before 2^40.
        _subscriptions[subscriptionId] = SubscriptionSlots.open(payer, planId, nextDue, anchorDay);
        _countCharges(terms, 1);

        emit Subscribed(subscriptionId, payer, planId, block.timestamp);
        emit Charged(subscriptionId, 1, block.timestamp, nextDue, terms.price());
        _move(terms.token(), payer, terms.payee(), terms.price());
    }

    function _accept(Mandate calldata mandate, bytes calldata signature, PlanSlot memory terms)
        private
        returns (uint256 subscriptionId)
    {
        if (block.timestamp >= mandate.validBefore) revert MandateExpired(mandate.validBefore, block.timestamp);
        bytes32 digest = _mandateDigest(mandate, terms);
        _requireSignature(mandate.payer, digest, signature);
        _useSalt(mandate.payer, mandate.salt);

        subscriptionId = _open(mandate.payer, mandate.planId, terms);
        emit MandateAccepted(subscriptionId, mandate.payer, mandate.salt, digest);
    }

    function _useSalt(address payer, uint256 salt) private {
        uint256 bit = 1 << (salt & 0xff);
        uint256 used = _usedSalts[payer][salt >> 8];
        if (used & bit != 0) revert SaltUsed(payer, salt);
        _usedSalts[payer][salt >> 8] = used | bit;
    }

    /// @dev An account may have a key and code at once (EIP-7702), so both kinds of signature are tried.
    function _requireSignature(address signer, bytes32 digest, bytes calldata signature) private view {
        (address recovered, ECDSA.RecoverError err,) = ECDSA.tryRecover(digest, signature);
        if (err == ECDSA.RecoverError.NoError && recovered == signer) return;
        if (SignatureChecker.isValidERC1271SignatureNow(signer, digest, signature)) return;
        revert InvalidSignature(signer);
    }

    /// @dev Anyone may have used the permit before us, and some tokens swallow the call: only the allowance tells.
    function _tryPermit(address token, address owner, Permit calldata permit) private {
        try IERC20Permit(token).permit(
            owner, address(this), permit.value, permit.deadline, permit.v, permit.r, permit.s
        ) {} catch {}
    }

    // ----------------------------------------------------------------- charge

    /// @inheritdoc ISubscriptions
    function charge(uint256[] calldata subscriptionIds) external nonReentrant returns (bytes memory reasons) {
        if (subscriptionIds.length == 1) return _run(subscriptionIds);
        while (reasons.length < subscriptionIds.length) {
            reasons = bytes.concat(reasons, _tryRun(subscriptionIds[reasons.length:]));
        }
    }

    /// @dev A run that moved less money than it should have is undone as a whole, and its rows are tried one by one. Any
    /// other failure is the caller's (too little gas) and reverts everything. A batch of one row has nobody to be kept
    /// safe from it: the frame is spared, and the whole call reverts with {AmountMismatch}.
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

    /// @notice Charges the leading rows that share the first row's plan, in a frame of their own, so that what the token
    /// did can be undone. Only this contract calls it.
    /// @return reasons A byte for each row of the run; the caller goes on behind it.
    function chargeRun(uint256[] calldata subscriptionIds) external returns (bytes memory reasons) {
        if (msg.sender != address(this)) revert NotAuthorized(msg.sender);
        return _run(subscriptionIds);
    }

    function _run(uint256[] calldata subscriptionIds) private returns (bytes memory reasons) {
        uint256 id = subscriptionIds[0];
        SubscriptionSlot slot = _slotOf(id);
        uint256 planId = slot.planId();
        PlanSlot memory terms = _plans[planId];
        Step step = terms.step();
        reasons = new bytes(subscriptionIds.length);
        uint256 balanceBefore;
        uint256 paid;
        uint256 row;
        // Unchecked: the length of the calldata bounds rows and charges.
        unchecked {
            while (true) {
                DeclineReason reason = _standing(slot);
                if (reason == DeclineReason.None) {
                    if (paid == 0) balanceBefore = _payeeBalance(terms);
                    reason = _chargeRow(id, slot, terms, step);
                }
                if (reason == DeclineReason.None) ++paid;
                else _decline(reasons, row, id, slot, reason);

                if (++row == subscriptionIds.length) break;
                id = subscriptionIds[row];
                slot = _slotOf(id);
                if (slot.planId() != planId) break;
            }
        }
        _truncate(reasons, row);
        if (paid == 0) return reasons;

        _countCharges(terms, paid);
        _requireReceived(balanceBefore, _payeeBalance(terms), paid * terms.price());
    }

    /// @dev The slot moves on before the token is called, and goes back where the token refuses.
    function _chargeRow(uint256 id, SubscriptionSlot slot, PlanSlot memory terms, Step step)
        private
        returns (DeclineReason)
    {
        uint256 anchorDay = slot.anchorDay();
        uint256 periodStart = slot.nextDue();
        uint256 periodEnd = step.later(periodStart, 1, anchorDay);
        if (periodEnd <= block.timestamp) {
            uint256 missed = step.wholePeriods(periodStart, block.timestamp, anchorDay);
            if (missed > terms.catchUp()) {
                periodStart = step.later(periodStart, missed - terms.catchUp(), anchorDay);
                periodEnd = step.later(periodStart, 1, anchorDay);
            }
        }
        // `_standing` declined the last charge number, and a period that has begun ends before 2^40.
        uint256 chargeNumber = slot.charges() + 1;
        _subscriptions[id] = slot.advance(periodEnd, chargeNumber);

        if (!TokenCall.tryTransferFrom(terms.token(), slot.payer(), terms.payee(), terms.price())) {
            _subscriptions[id] = slot;
            return _whyRefused(terms, slot.payer());
        }
        emit Charged(id, chargeNumber, periodStart, periodEnd, terms.price());
        return DeclineReason.None;
    }

    function _decline(bytes memory reasons, uint256 row, uint256 id, SubscriptionSlot slot, DeclineReason reason)
        private
    {
        reasons[row] = bytes1(uint8(reason));
        emit Declined(id, slot.nextDue(), reason);
    }

    /// @dev Empty where there is none, whatever the number: no row may fail the others.
    function _slotOf(uint256 id) private view returns (SubscriptionSlot) {
        return id < _subscriptions.length ? _subscriptions[id] : SubscriptionSlot.wrap(0);
    }

    /// @dev Why a subscription cannot be charged now, money aside.
    function _standing(SubscriptionSlot slot) private view returns (DeclineReason) {
        if (slot.isActive()) {
            if (block.timestamp < slot.nextDue()) return DeclineReason.NotDue;
            if (slot.payer() == address(0)) return DeclineReason.Unknown;
            if (slot.charges() == SubscriptionSlots.MAX_CHARGES) return DeclineReason.Ended;
            return DeclineReason.None;
        }
        Status status = slot.status();
        if (status == Status.Paused) return DeclineReason.Paused;
        return status == Status.Ending ? DeclineReason.Ended : DeclineReason.Cancelled;
    }

    function _whyRefused(PlanSlot memory terms, address payer) private view returns (DeclineReason) {
        (bool ok, uint256 found) = TokenCall.tryAllowance(terms.token(), payer, address(this), TokenCall.reserved());
        if (ok && found < terms.price()) return DeclineReason.Allowance;
        (ok, found) = TokenCall.tryBalanceOf(terms.token(), payer, TokenCall.reserved());
        if (ok && found < terms.price()) return DeclineReason.Balance;
        return DeclineReason.TokenRefused;
    }

    // ----------------------------------------------------------------- cancel

    /// @inheritdoc ISubscriptions
    function cancel(uint256 subscriptionId) external nonReentrant {
        SubscriptionSlot slot = _cancellable(subscriptionId);
        Status status = slot.status();
        if (status == Status.Cancelled) revert NotActive(subscriptionId, Status.Cancelled);
        if (status == Status.Paused) slot = slot.withDue(block.timestamp + slot.nextDue(), slot.anchorDay());
        _subscriptions[subscriptionId] = slot.withStatus(Status.Cancelled);
        emit Cancelled(subscriptionId);
    }

    /// @inheritdoc ISubscriptions
    function cancelAtPeriodEnd(uint256 subscriptionId) external nonReentrant {
        SubscriptionSlot slot = _cancellable(subscriptionId);
        if (!slot.isActive()) revert NotActive(subscriptionId, slot.status());
        _subscriptions[subscriptionId] = slot.withStatus(Status.Ending);
        emit CancellationScheduled(subscriptionId, slot.nextDue());
    }

    function _cancellable(uint256 subscriptionId) private view returns (SubscriptionSlot slot) {
        slot = _existingSubscription(subscriptionId);
        if (msg.sender != slot.payer() && msg.sender != _plans[slot.planId()].payee()) revert NotAuthorized(msg.sender);
    }

    // ------------------------------------------------------------------ pause

    /// @inheritdoc ISubscriptions
    function pause(uint256 subscriptionId) external nonReentrant {
        SubscriptionSlot slot = _ofCaller(subscriptionId);
        if (!slot.isActive()) revert NotActive(subscriptionId, slot.status());
        uint256 due = slot.nextDue();
        if (due <= block.timestamp) revert ChargeDue(subscriptionId, due);
        uint256 left = due - block.timestamp;
        _subscriptions[subscriptionId] = slot.withDue(left, slot.anchorDay()).withStatus(Status.Paused);
        emit Paused(subscriptionId, left);
    }

    /// @inheritdoc ISubscriptions
    function resume(uint256 subscriptionId) external nonReentrant {
        SubscriptionSlot slot = _ofCaller(subscriptionId);
        if (slot.status() != Status.Paused) revert NotPaused(subscriptionId, slot.status());
        uint256 due = block.timestamp + slot.nextDue(); // the time left of at most 100 years: below 2^40
        _subscriptions[subscriptionId] = slot.withDue(due, Calendar.dayOfMonth(due)).withStatus(Status.Active);
        emit Resumed(subscriptionId, due);
    }

    function _ofCaller(uint256 subscriptionId) private view returns (SubscriptionSlot slot) {
        slot = _existingSubscription(subscriptionId);
        if (msg.sender != slot.payer()) revert NotAuthorized(msg.sender);
    }

    // ----------------------------------------------------------------- refund

    /// @inheritdoc ISubscriptions
    function refund(uint256 subscriptionId, uint256 chargeNumber, uint256 amount) external nonReentrant {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        PlanSlot memory terms = _plans[slot.planId()];
        if (msg.sender != terms.payee()) revert NotAuthorized(msg.sender);
        if (amount == 0) revert ZeroAmount();
        if (chargeNumber == 0 || chargeNumber > slot.charges()) {
            revert UnknownCharge(subscriptionId, chargeNumber, slot.charges());
        }
        uint256 refundable = terms.price() - _refunded[subscriptionId][chargeNumber];
        if (amount > refundable) revert RefundTooHigh(amount, refundable);

        _refunded[subscriptionId][chargeNumber] += amount;
        _add(_totals[terms.payee()][terms.token()].refunds, 1, amount);

        emit Refunded(subscriptionId, chargeNumber, amount);
        _move(terms.token(), terms.payee(), slot.payer(), amount);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc ISubscriptions
    function planCount() external view returns (uint256) {
        return _counters.plans;
    }

    /// @inheritdoc ISubscriptions
    function subscriptionCount() external view returns (uint256) {
        return _counters.subscriptions;
    }

    /// @inheritdoc ISubscriptions
    function plan(uint256 planId) external view returns (PlanTerms memory) {
        return _existingPlan(planId).unpack();
    }

    /// @inheritdoc ISubscriptions
    function termsHash(uint256 planId) external view returns (bytes32) {
        return _hashTerms(_existingPlan(planId));
    }

    /// @inheritdoc ISubscriptions
    function subscription(uint256 subscriptionId) external view returns (Subscription memory) {
        SubscriptionSlot slot = _existingSubscription(subscriptionId);
        return Subscription({
            payer: slot.payer(),
            planId: slot.planId(),
            nextDue: slot.nextDue(),
            charges: slot.charges(),
            status: slot.status(),
            anchorDay: slot.anchorDay()
        });
    }

    /// @inheritdoc ISubscriptions
    function mandateHash(Mandate calldata mandate) external view returns (bytes32) {
        return _mandateDigest(mandate, _existingPlan(mandate.planId));
    }

    /// @inheritdoc ISubscriptions
    function isSaltUsed(address payer, uint256 salt) external view returns (bool) {
        return _usedSalts[payer][salt >> 8] & (1 << (salt & 0xff)) != 0;
    }

    /// @inheritdoc ISubscriptions
    function refunded(uint256 subscriptionId, uint256 chargeNumber) external view returns (uint256) {
        return _refunded[subscriptionId][chargeNumber];
    }

    /// @inheritdoc ISubscriptions
    function controlTotals(address payee, address token) external view returns (ControlTotals memory) {
        return _totals[payee][token];
    }

    // ------------------------------------------------------------------ parts

    function _existingPlan(uint256 planId) private view returns (PlanSlot memory terms) {
        if (planId == 0 || planId > _counters.plans) revert UnknownPlan(planId);
        return _plans[planId];
    }

    function _agreedPlan(uint256 planId, bytes32 expectedTerms) private view returns (PlanSlot memory terms) {
        terms = _existingPlan(planId);
        bytes32 found = _hashTerms(terms);
        if (found != expectedTerms) revert TermsChanged(found, expectedTerms);
    }

    function _existingSubscription(uint256 subscriptionId) private view returns (SubscriptionSlot) {
        if (subscriptionId == 0 || subscriptionId > _counters.subscriptions) {
            revert UnknownSubscription(subscriptionId);
        }
        return _subscriptions[subscriptionId];
    }

    function _hashTerms(PlanSlot memory terms) private pure returns (bytes32) {
        return keccak256(
            abi.encode(terms.payee(), terms.price(), terms.token(), terms.every(), terms.unit(), terms.catchUp())
        );
    }

    function _mandateDigest(Mandate calldata mandate, PlanSlot memory terms) private view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    MANDATE_TYPEHASH,
                    mandate.payer,
                    mandate.planId,
                    terms.payee(),
                    terms.token(),
                    terms.price(),
                    terms.every(),
                    _unitHash(terms.unit()),
                    terms.catchUp(),
                    mandate.salt,
                    mandate.validBefore
                )
            )
        );
    }

    function _unitHash(Unit unit) private pure returns (bytes32) {
        if (unit == Unit.Month) return keccak256("month");
        if (unit == Unit.Year) return keccak256("year");
        if (unit == Unit.Week) return keccak256("week");
        if (unit == Unit.Day) return keccak256("day");
        return keccak256("second");
    }

    /// @dev The longest that a unit can be: what bounds a period.
    function _unitSeconds(Unit unit) private pure returns (uint256) {
        if (unit == Unit.Month) return 31 days;
        if (unit == Unit.Year) return 366 days;
        if (unit == Unit.Week) return 7 days;
        if (unit == Unit.Day) return 1 days;
        return 1;
    }

    function _countCharges(PlanSlot memory terms, uint256 count) private {
        _add(_totals[terms.payee()][terms.token()].charges, count, count * terms.price());
    }

    /// @dev In the slot the count is the low 64 bits, the sum stands above: added as one number. 2^64 movements cannot be
    /// paid for in gas, and that many of a 96-bit price stay below 2^192.
    function _add(Total storage total, uint256 count, uint256 sum) private {
        assembly ("memory-safe") {
            sstore(total.slot, add(sload(total.slot), or(count, shl(64, sum))))
        }
    }

    /// @dev Moves money by allowance or reverts with what was missing.
    function _move(address token, address from, address to, uint256 amount) private {
        uint256 balanceBefore = _readableBalance(token, to);
        if (!SafeERC20.trySafeTransferFrom(IERC20(token), from, to, amount)) {
            (bool ok, uint256 found) = TokenCall.tryAllowance(token, from, address(this), gasleft());
            if (ok && found < amount) revert AllowanceTooLow(found, amount);
            (ok, found) = TokenCall.tryBalanceOf(token, from, gasleft());
            if (ok && found < amount) revert BalanceTooLow(found, amount);
            revert TokenRefused(token);
        }
        _requireReceived(balanceBefore, _readableBalance(token, to), amount);
    }

    function _readableBalance(address token, address account) private view returns (uint256 balance) {
        bool ok;
        (ok, balance) = TokenCall.tryBalanceOf(token, account, gasleft());
        if (!ok) revert TokenRefused(token);
    }

    function _requireReceived(uint256 balanceBefore, uint256 balanceAfter, uint256 expected) private pure {
        uint256 received = balanceAfter > balanceBefore ? balanceAfter - balanceBefore : 0;
        if (received < expected) revert AmountMismatch(received, expected);
    }

    function _payeeBalance(PlanSlot memory terms) private view returns (uint256 balance) {
        bool ok;
        (ok, balance) = TokenCall.tryBalanceOf(terms.token(), terms.payee(), TokenCall.reserved());
        if (!ok) revert AmountMismatch(0, terms.price());
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
