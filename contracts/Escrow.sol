// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Payouts} from "./Payouts.sol";
import {WalletDeployer} from "./WalletDeployer.sol";
import {ICollector} from "./interfaces/ICollector.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";
import {PaymentFunding} from "./libraries/PaymentFunding.sol";
import {PaymentSlot, PaymentSlots} from "./libraries/PaymentSlot.sol";
import {WalletSignature} from "./libraries/WalletSignature.sol";

/// @title Escrow
/// @notice See {IEscrow}. Terms are hashed and come with each call; a payment is one word of storage.
contract Escrow is IEscrow, Payouts, EIP712 {
    string private constant TYPE =
        "Payment(address payer,address payee,address token,uint256 amount,address operator,uint256 authorizeBefore,uint256 captureBefore,uint256 refundBefore,uint256 disputeWindowSeconds,address arbiter,uint256 rulingTimeoutSeconds,uint256 defaultPayeeBasisPoints,uint256 maxArbiterFeeBasisPoints,uint256 minFeeBasisPoints,uint256 maxFeeBasisPoints,address feeReceiver,bytes32 milestonesRoot,uint256 salt)";
    bytes32 private constant TYPEHASH = keccak256(bytes(TYPE));
    uint256 private constant TERMS_SIZE = 18 * 0x20;
    uint256 private constant BASIS = 10_000;

    /// @dev For wallets that are not there yet (ERC-6492): it has no say over anything.
    WalletDeployer private immutable _DEPLOYER = new WalletDeployer();

    mapping(bytes32 paymentId => PaymentSlot) private _payments;
    mapping(address payee => mapping(address token => PaymentTotal)) private _totals;

    constructor() EIP712("Tallystick Escrow", "1") {}

    // ------------------------------------------------------------------ consent

    /// @inheritdoc IEscrow
    function authorize(PaymentTerms calldata terms, Funding funding, bytes calldata data)
        external
        nonReentrant
        returns (bytes32 id)
    {
        bytes32 structHash;
        (id, structHash) = _create(terms);
        if (block.timestamp + terms.disputeWindow >= terms.captureBefore) revert TermsContradict();
        _payments[id] = PaymentSlots.pack(Status.Open, terms.amount, 0, block.timestamp);
        emit Authorized(id, terms.payer, terms.payee, terms, _collectorOf(funding));
        _collect(terms, id, structHash, address(this), funding, data);
    }

    /// @inheritdoc IEscrow
    function charge(PaymentTerms calldata terms, uint256 feeBps, Funding funding, bytes calldata data)
        external
        nonReentrant
        returns (bytes32 id)
    {
        bytes32 structHash;
        (id, structHash) = _create(terms);
        if (msg.sender != terms.payer) _requirePayee(terms);
        if (terms.disputeWindow != 0) revert WindowOpen(block.timestamp + terms.disputeWindow, block.timestamp);
        if (terms.milestonesRoot != 0) revert MilestonesOnly(id);
        uint256 amount = terms.amount;
        uint256 fee = _feeOf(terms, amount, feeBps);
        _payments[id] = PaymentSlots.pack(Status.Closed, 0, amount, block.timestamp);
        emit PaymentCharged(id, terms.payer, terms.payee, terms, _collectorOf(funding), fee);
        // What has one receiver goes there at once, if the way that it comes allows.
        bool direct = fee == 0 && funding != Funding.Authorization && funding != Funding.Collector;
        _collect(terms, id, structHash, direct ? terms.payee : address(this), funding, data);
        if (!direct) _payWithFee(terms, id, amount, fee);
    }

    /// @inheritdoc IEscrow
    function revoke(PaymentTerms calldata terms) external nonReentrant {
        if (msg.sender != terms.payer) revert NotAuthorized(msg.sender);
        (bytes32 id,) = _idOf(terms);
        if (_payments[id].status() != Status.None) revert PaymentExists(id, _payments[id].status());
        _payments[id] = PaymentSlots.pack(Status.Closed, 0, 0, 0);
        emit PaymentRevoked(id);
    }

    /// @dev Terms that can be kept, of a payment that was not made before; it is counted.
    function _create(PaymentTerms calldata terms) private returns (bytes32 id, bytes32 structHash) {
        _requireSound(terms);
        (id, structHash) = _idOf(terms);
        Status status = _payments[id].status();
        if (status != Status.None) revert PaymentExists(id, status);
        // In the slot the count is the low 64 bits, the sum stands above: added as one number. 2^64 payments cannot be
        // paid for in gas, and that many of a 96-bit amount stay below 2^192.
        PaymentTotal storage total = _totals[terms.payee][terms.token];
        uint256 amount = terms.amount;
        assembly ("memory-safe") {
            sstore(total.slot, add(sload(total.slot), or(1, shl(64, amount))))
        }
    }

    function _requireSound(PaymentTerms calldata terms) private view {
        (address payer, address payee, address arbiter) = (terms.payer, terms.payee, terms.arbiter);
        if (payer == address(0) || payee == address(0)) revert ZeroAddress();
        if (payer == payee || payer == address(this)) revert PartyRefused(payer);
        if (payee == address(this) || payee == arbiter) revert PartyRefused(payee);
        if (payer == arbiter || arbiter == address(this)) revert PartyRefused(arbiter);
        if (terms.amount == 0) revert ZeroAmount();
        if (terms.token.code.length == 0) revert NotAContract(terms.token);
        if (block.timestamp >= terms.authorizeBefore) {
            revert AuthorizationExpired(terms.authorizeBefore, block.timestamp);
        }
        if (!_isCoherent(terms)) revert TermsContradict();
        address receiver = terms.feeReceiver;
        if (receiver == payer || receiver == payee || receiver == address(this)) revert PartyRefused(receiver);
    }

    /// @dev One deadline after the other, fees that have a receiver, and all that a dispute needs or none of it.
    function _isCoherent(PaymentTerms calldata terms) private pure returns (bool) {
        (uint256 feeBps, uint256 payeeBps, uint256 arbiterBps) =
            (terms.maxFeeBps, terms.defaultPayeeBps, terms.maxArbiterFeeBps);
        bool disputes = terms.arbiter != address(0);
        bool inOrder =
            terms.authorizeBefore <= terms.captureBefore && terms.captureBefore <= terms.refundBefore;
        bool inBounds =
            terms.minFeeBps <= feeBps && feeBps <= BASIS && payeeBps <= BASIS && arbiterBps <= BASIS;
        return inOrder && inBounds && (terms.feeReceiver != address(0)) == (feeBps != 0)
            && disputes == (terms.rulingTimeout != 0) && (disputes || payeeBps | arbiterBps == 0);
    }

    /// @dev Consent and money: whoever brings its own money needs no consent but the receiver's of the terms.
    function _collect(
        PaymentTerms calldata terms,
        bytes32 id,
        bytes32 structHash,
        address to,
        Funding funding,
        bytes calldata data
    ) private {
        (address token, address payer, uint256 amount) = (terms.token, terms.payer, terms.amount);
        if (funding == Funding.Permit2) {
            PaymentFunding.byPermit2(
                token, payer, to, amount, terms.authorizeBefore, structHash, _witnessType(), data
            );
        } else if (funding == Funding.Authorization) {
            PaymentFunding.byAuthorization(token, payer, amount, terms.authorizeBefore, id, data);
        } else if (funding == Funding.Collector) {
            uint256 balanceBefore = PaymentFunding.balanceOf(token, to);
            ICollector(msg.sender).collect(id, token, payer, amount);
            PaymentFunding.requireReceived(balanceBefore, PaymentFunding.balanceOf(token, to), amount);
        } else {
            if (funding == Funding.Permit) {
                PaymentFunding.tryPermit(token, payer, data);
                data = data[PaymentFunding.PERMIT_SIZE:];
            }
            if (msg.sender != payer && !WalletSignature.isValid(payer, id, data, _DEPLOYER)) {
                revert InvalidSignature(payer);
            }
            PaymentFunding.byAllowance(token, payer, to, amount);
        }
    }

    function _collectorOf(Funding funding) private view returns (address) {
        return funding == Funding.Collector ? msg.sender : address(0);
    }

    function _witnessType() private pure returns (string memory) {
        return string.concat("Payment witness)", TYPE, "TokenPermissions(address token,uint256 amount)");
    }

    // -------------------------------------------------------------------- held

    /// @inheritdoc IEscrow
    function capture(PaymentTerms calldata terms, uint256 amount, uint256 feeBps) external nonReentrant {
        (bytes32 id, PaymentSlot slot) = _heldOf(terms);
        uint256 held = slot.held();
        if (amount == type(uint256).max) amount = held;
        if (msg.sender != terms.payer) {
            _requirePayee(terms);
            _requireCapturable(terms, id, slot);
            if (terms.milestonesRoot != 0) revert MilestonesOnly(id);
        } else if (amount != held && slot.status() != Status.Open) {
            // A part would make the ruling fail that the arbiter has sent, again and again until the default applies.
            revert NotOpen(id, slot.status());
        }
        if (amount > held) revert CaptureTooHigh(amount, held);
        _capture(terms, id, slot, amount, feeBps);
    }

    /// @inheritdoc IEscrow
    function captureMilestone(
        PaymentTerms calldata terms,
        uint256 index,
        uint256 amount,
        uint256 releasableAt,
        uint256 feeBps,
        bytes32[] calldata proof
    ) external nonReentrant {
        (bytes32 id, PaymentSlot slot) = _heldOf(terms);
        _requirePayee(terms);
        _requireCapturable(terms, id, slot);
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(index, amount, releasableAt))));
        bool known = index < PaymentSlots.MILESTONES && MerkleProof.verifyCalldata(proof, terms.milestonesRoot, leaf);
        if (!known) revert UnknownMilestone(id, index);
        if (slot.milestones() >> index & 1 != 0) revert MilestoneCaptured(id, index);
        if (block.timestamp < releasableAt) revert MilestoneTooEarly(releasableAt, block.timestamp);
        emit MilestoneReached(id, index);
        // Less may be left than the terms meant, because the payer released a part: that denies the payee nothing (E44).
        if (amount > slot.held()) amount = slot.held();
        _capture(terms, id, slot.withMilestone(index), amount, feeBps);
    }

    /// @dev The caller holds the bound: no more than is held.
    function _capture(PaymentTerms calldata terms, bytes32 id, PaymentSlot slot, uint256 amount, uint256 feeBps)
        private
    {
        if (amount == 0) revert ZeroAmount();
        uint256 fee = _feeOf(terms, amount, feeBps);
        _payments[id] = slot.withCaptured(amount);
        emit Captured(id, amount, fee);
        _payWithFee(terms, id, amount, fee);
    }

    function _payWithFee(PaymentTerms calldata terms, bytes32 id, uint256 amount, uint256 fee) private {
        _payOut(id, terms.token, terms.payee, amount - fee);
        _payOut(id, terms.token, terms.feeReceiver, fee);
    }

    /// @inheritdoc IEscrow
    function void(PaymentTerms calldata terms) external nonReentrant {
        (bytes32 id, PaymentSlot slot) = _heldOf(terms);
        _requirePayee(terms);
        emit Voided(id, slot.held());
        _giveBack(terms, id, slot);
    }

    /// @inheritdoc IEscrow
    function reclaim(PaymentTerms calldata terms) external nonReentrant {
        (bytes32 id, PaymentSlot slot) = _heldOf(terms);
        if (slot.status() != Status.Open) revert NotOpen(id, slot.status());
        if (block.timestamp < terms.captureBefore) revert CaptureNotEnded(terms.captureBefore, block.timestamp);
        emit Reclaimed(id, slot.held());
        _giveBack(terms, id, slot);
    }

    function _giveBack(PaymentTerms calldata terms, bytes32 id, PaymentSlot slot) private {
        _payments[id] = slot.close(0);
        _payOut(id, terms.token, terms.payer, slot.held());
    }

    /// @inheritdoc IEscrow
    function refund(PaymentTerms calldata terms, uint256 amount) external nonReentrant {
        (bytes32 id,) = _idOf(terms);
        PaymentSlot slot = _payments[id];
        if (slot.status() == Status.None) revert UnknownPayment(id);
        if (msg.sender != terms.payee) revert NotAuthorized(msg.sender);
        if (block.timestamp >= terms.refundBefore) revert RefundEnded(terms.refundBefore, block.timestamp);
        if (amount == 0) revert ZeroAmount();
        if (amount > slot.refundable()) revert RefundTooHigh(amount, slot.refundable());
        _payments[id] = slot.withRefunded(amount);
        emit PaymentRefunded(id, amount);
        PaymentFunding.byAllowance(terms.token, msg.sender, terms.payer, amount);
    }

    /// @dev Of which something is held.
    function _heldOf(PaymentTerms calldata terms) private view returns (bytes32 id, PaymentSlot slot) {
        (id,) = _idOf(terms);
        slot = _payments[id];
        Status status = slot.status();
        if (status == Status.None) revert UnknownPayment(id);
        if (status == Status.Closed) revert NotOpen(id, status);
    }

    function _requirePayee(PaymentTerms calldata terms) private view {
        if (msg.sender != terms.payee && msg.sender != terms.operator) revert NotAuthorized(msg.sender);
    }

    /// @dev Whether the payee can take it now, not asking the payer.
    function _requireCapturable(PaymentTerms calldata terms, bytes32 id, PaymentSlot slot) private view {
        if (slot.status() != Status.Open) revert NotOpen(id, slot.status());
        uint256 windowEnd = slot.since() + terms.disputeWindow;
        if (block.timestamp < windowEnd) revert WindowOpen(windowEnd, block.timestamp);
        if (block.timestamp >= terms.captureBefore) revert CaptureEnded(terms.captureBefore, block.timestamp);
    }

    /// @dev The platform's part, rounded down.
    function _feeOf(PaymentTerms calldata terms, uint256 amount, uint256 feeBps) private pure returns (uint256) {
        (uint256 least, uint256 most) = (terms.minFeeBps, terms.maxFeeBps);
        if (feeBps < least || feeBps > most) revert FeeOutOfRange(feeBps, least, most);
        return amount * feeBps / BASIS;
    }

    // ----------------------------------------------------------------- dispute

    /// @inheritdoc IEscrow
    function dispute(PaymentTerms calldata terms, bytes32 evidenceHash) external nonReentrant {
        (bytes32 id, PaymentSlot slot) = _heldOf(terms);
        if (msg.sender != terms.payer && msg.sender != terms.payee) revert NotAuthorized(msg.sender);
        if (terms.arbiter == address(0)) revert NoArbiter(id);
        if (slot.status() != Status.Open) revert NotOpen(id, slot.status());
        if (block.timestamp >= terms.captureBefore) revert CaptureEnded(terms.captureBefore, block.timestamp);
        _payments[id] = slot.withDispute(block.timestamp);
        emit DisputeOpened(id, msg.sender, evidenceHash);
    }

    /// @inheritdoc IEscrow
    function submitEvidence(PaymentTerms calldata terms, bytes32 evidenceHash) external nonReentrant {
        (bytes32 id,) = _disputedOf(terms);
        bool isParty = msg.sender == terms.payer || msg.sender == terms.payee || msg.sender == terms.arbiter;
        if (!isParty) revert NotAuthorized(msg.sender);
        emit EvidenceSubmitted(id, msg.sender, evidenceHash);
    }

    /// @inheritdoc IEscrow
    function rule(PaymentTerms calldata terms, uint256 payeeAmount, uint256 arbiterFee) external nonReentrant {
        (bytes32 id, PaymentSlot slot) = _disputedOf(terms);
        if (msg.sender != terms.arbiter) revert NotAuthorized(msg.sender);
        uint256 rulingBefore = slot.since() + terms.rulingTimeout;
        if (block.timestamp >= rulingBefore) revert RulingEnded(rulingBefore, block.timestamp);
        uint256 held = slot.held();
        uint256 maxFee = held * terms.maxArbiterFeeBps / BASIS;
        if (arbiterFee > maxFee) revert RulingTooHigh(arbiterFee, maxFee);
        if (payeeAmount > held - arbiterFee) revert RulingTooHigh(payeeAmount, held - arbiterFee);
        _divide(terms, id, slot, payeeAmount, arbiterFee, false);
    }

    /// @inheritdoc IEscrow
    function ruleByDefault(PaymentTerms calldata terms) external nonReentrant {
        (bytes32 id, PaymentSlot slot) = _disputedOf(terms);
        uint256 rulingBefore = slot.since() + terms.rulingTimeout;
        if (block.timestamp < rulingBefore) revert RulingNotEnded(rulingBefore, block.timestamp);
        _divide(terms, id, slot, slot.held() * terms.defaultPayeeBps / BASIS, 0, true);
    }

    function _disputedOf(PaymentTerms calldata terms) private view returns (bytes32 id, PaymentSlot slot) {
        (id,) = _idOf(terms);
        slot = _payments[id];
        if (slot.status() != Status.Disputed) revert NotDisputed(id, slot.status());
    }

    /// @dev The payer receives what the others leave, so that the parts are what was held.
    function _divide(
        PaymentTerms calldata terms,
        bytes32 id,
        PaymentSlot slot,
        uint256 payeeAmount,
        uint256 arbiterFee,
        bool byDefault
    ) private {
        uint256 toPayer = slot.held() - payeeAmount - arbiterFee;
        uint256 fee = _feeOf(terms, payeeAmount, terms.minFeeBps);
        _payments[id] = slot.close(payeeAmount);
        emit Ruled(id, payeeAmount - fee, toPayer, arbiterFee, fee, byDefault);
        _payWithFee(terms, id, payeeAmount, fee);
        _payOut(id, terms.token, terms.payer, toPayer);
        _payOut(id, terms.token, terms.arbiter, arbiterFee);
    }

    // ------------------------------------------------------------------- views

    /// @inheritdoc IEscrow
    function paymentId(PaymentTerms calldata terms) external view returns (bytes32 id) {
        (id,) = _idOf(terms);
    }

    /// @inheritdoc IEscrow
    function payment(bytes32 id) external view returns (Payment memory) {
        PaymentSlot slot = _payments[id];
        return Payment(slot.status(), slot.held(), slot.refundable(), slot.since(), slot.milestones());
    }

    /// @inheritdoc IEscrow
    function paymentTotal(address payee, address token) external view returns (PaymentTotal memory) {
        return _totals[payee][token];
    }

    /// @dev The terms lie in the calldata as their type is encoded, a word for each field.
    function _idOf(PaymentTerms calldata terms) private view returns (bytes32 id, bytes32 structHash) {
        bytes32 typehash = TYPEHASH;
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(words, typehash)
            calldatacopy(add(words, 0x20), terms, TERMS_SIZE)
            structHash := keccak256(words, add(TERMS_SIZE, 0x20))
        }
        id = _hashTypedDataV4(structHash);
    }
}
