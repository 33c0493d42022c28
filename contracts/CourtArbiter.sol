// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IArbitrable, IArbitrator} from "./interfaces/IArbitrator.sol";
import {ICourtArbiter} from "./interfaces/ICourtArbiter.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";

/// @title CourtArbiter
/// @notice See {ICourtArbiter}. One for each judge and court; it has no owner, and holds nothing but the judge's fees.
contract CourtArbiter is ICourtArbiter, ReentrancyGuardTransient {
    uint256 private constant BASIS = 10_000;
    uint256 private constant CHOICES = uint256(CourtRuling.AsJudged);
    /// @dev All disputes put the same question.
    uint256 private constant META_EVIDENCE = 0;

    IEscrow public immutable ESCROW;
    IArbitrator public immutable COURT;
    /// @notice Zero: the court decides first.
    address public immutable JUDGE;
    /// @notice Seconds.
    uint256 public immutable APPEAL_WINDOW;
    /// @notice What the court is told: which of its courts, how many jurors.
    bytes public courtData;

    mapping(bytes32 paymentId => Case) private _cases;
    mapping(uint256 disputeId => bytes32) private _payments;

    /// @param metaEvidence Where the document is that tells the court what it is asked (ERC-1497).
    constructor(
        IEscrow escrow,
        IArbitrator court,
        address judge_,
        uint256 appealWindow,
        bytes memory courtData_,
        string memory metaEvidence
    ) {
        ESCROW = escrow;
        COURT = court;
        JUDGE = judge_;
        APPEAL_WINDOW = appealWindow;
        courtData = courtData_;
        emit MetaEvidence(META_EVIDENCE, metaEvidence);
    }

    /// @inheritdoc ICourtArbiter
    function judge(IEscrow.PaymentTerms calldata terms, uint256 payeeBps, uint256 feeBps) external nonReentrant {
        if (msg.sender != JUDGE) revert NotAuthorized(msg.sender);
        (bytes32 id,) = _disputed(terms);
        if (_cases[id].stage != Stage.None) revert AnotherStage(id, _cases[id].stage);
        if (payeeBps > BASIS) revert BpsOutOfRange(payeeBps, BASIS);
        if (feeBps > terms.maxArbiterFeeBps) revert BpsOutOfRange(feeBps, terms.maxArbiterFeeBps);
        _cases[id] =
            Case(Stage.Judged, CourtRuling.Refused, uint16(payeeBps), uint16(feeBps), uint40(block.timestamp));
        emit Judged(id, payeeBps, feeBps);
    }

    /// @inheritdoc ICourtArbiter
    function appeal(IEscrow.PaymentTerms calldata terms) external payable nonReentrant returns (uint256 disputeId) {
        if (msg.sender != terms.payer && msg.sender != terms.payee) revert NotAuthorized(msg.sender);
        (bytes32 id,) = _disputed(terms);
        Case storage found = _cases[id];
        if (found.stage != (JUDGE == address(0) ? Stage.None : Stage.Judged)) revert AnotherStage(id, found.stage);
        uint256 appealBefore = found.judgedAt + APPEAL_WINDOW;
        if (JUDGE != address(0) && block.timestamp >= appealBefore) revert AppealEnded(appealBefore, block.timestamp);
        uint256 cost = appealCost();
        if (msg.value < cost) revert AppealUnderpaid(msg.value, cost);

        found.stage = Stage.Appealed;
        disputeId = COURT.createDispute{value: cost}(CHOICES, courtData);
        _payments[disputeId] = id;
        emit Appealed(id, msg.sender, disputeId);
        emit Dispute(COURT, disputeId, META_EVIDENCE, uint256(id));
        uint256 change = msg.value - cost;
        if (change == 0) return disputeId;
        (bool isTaken,) = msg.sender.call{value: change}("");
        if (!isTaken) revert ChangeRefused(msg.sender, change);
    }

    /// @inheritdoc ICourtArbiter
    function submitEvidence(IEscrow.PaymentTerms calldata terms, string calldata evidence) external {
        (bytes32 id,) = _disputed(terms);
        if (msg.sender != terms.payer && msg.sender != terms.payee && msg.sender != JUDGE) {
            revert NotAuthorized(msg.sender);
        }
        emit Evidence(COURT, uint256(id), msg.sender, evidence);
    }

    /// @inheritdoc IArbitrable
    function rule(uint256 disputeId, uint256 ruling) external {
        if (msg.sender != address(COURT)) revert NotAuthorized(msg.sender);
        bytes32 id = _payments[disputeId];
        if (id == 0) revert UnknownDispute(disputeId);
        if (ruling > CHOICES) revert UnknownRuling(ruling, CHOICES);
        if (_cases[id].stage != Stage.Appealed) revert AnotherStage(id, _cases[id].stage);
        _cases[id].stage = Stage.Ruled;
        _cases[id].ruling = CourtRuling(ruling);
        emit Ruling(COURT, disputeId, ruling);
    }

    /// @inheritdoc ICourtArbiter
    function execute(IEscrow.PaymentTerms calldata terms) external nonReentrant {
        (bytes32 id, uint256 held) = _disputed(terms);
        (uint256 payeeBps, uint256 feeBps) = _decisionOf(id, terms.defaultPayeeBps);
        uint256 fee = held * feeBps / BASIS;
        ESCROW.rule(terms, (held - fee) * payeeBps / BASIS, fee);
    }

    /// @dev The judge is paid for what stands, not for what a court set aside.
    function _decisionOf(bytes32 id, uint256 defaultPayeeBps)
        private
        view
        returns (uint256 payeeBps, uint256 feeBps)
    {
        Case memory found = _cases[id];
        if (found.stage == Stage.Ruled && found.ruling != CourtRuling.AsJudged) {
            if (found.ruling == CourtRuling.Refused) return (defaultPayeeBps, 0);
            return (found.ruling == CourtRuling.ForPayee ? BASIS : 0, 0);
        }
        if (found.stage == Stage.Judged) {
            uint256 appealBefore = found.judgedAt + APPEAL_WINDOW;
            if (block.timestamp < appealBefore) revert AppealNotEnded(appealBefore, block.timestamp);
        } else if (found.stage != Stage.Ruled) {
            revert AnotherStage(id, found.stage);
        }
        if (JUDGE == address(0)) return (defaultPayeeBps, 0); // nothing was judged
        return (found.payeeBps, found.feeBps);
    }

    /// @inheritdoc ICourtArbiter
    function payJudge(address token) external nonReentrant {
        uint256 fees = IERC20(token).balanceOf(address(this));
        if (fees == 0) revert NothingToClaim(JUDGE, token);
        if (!SafeERC20.trySafeTransfer(IERC20(token), JUDGE, fees)) revert TokenRefused(token);
    }

    /// @inheritdoc ICourtArbiter
    function appealCost() public view returns (uint256) {
        return COURT.arbitrationCost(courtData);
    }

    /// @inheritdoc ICourtArbiter
    function caseOf(bytes32 paymentId) external view returns (Case memory) {
        return _cases[paymentId];
    }

    /// @inheritdoc ICourtArbiter
    function paymentOf(uint256 disputeId) external view returns (bytes32) {
        return _payments[disputeId];
    }

    function _disputed(IEscrow.PaymentTerms calldata terms) private view returns (bytes32 id, uint256 held) {
        if (terms.arbiter != address(this)) revert AnotherArbiter(terms.arbiter);
        id = ESCROW.paymentId(terms);
        IEscrow.Payment memory payment = ESCROW.payment(id);
        if (payment.status != IEscrow.Status.Disputed) revert NotDisputed(id, payment.status);
        held = payment.held;
    }
}
