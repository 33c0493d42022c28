// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IArbitrable} from "./IArbitrator.sol";
import {IEscrow} from "./IEscrow.sol";
import {IEvidence} from "./IEvidence.sol";

/// @title ICourtArbiter
/// @notice An arbiter for {IEscrow} in two instances: a judge decides, and either party can take that to a court
/// (ERC-792), at its own cost. Payments name it as their arbiter. What the court is shown it finds by the events of
/// {IEvidence}: the evidence group of a payment is the number of its id, and all payments have one `MetaEvidence`, 0,
/// which is told when this contract is created.
///
/// Not protected: a `rulingTimeout` that is too short for judge, appeal and court. Once it has passed, the terms' default
/// applies, whatever is still being decided. Nor a court that rules wrongly, or never: who agrees to terms agrees to it.
interface ICourtArbiter is IArbitrable, IEvidence {
    /// @notice Where a case stands. `Judged`: an appeal is possible, for a while. `Ruled`: by the court.
    enum Stage {
        None,
        Judged,
        Appealed,
        Ruled
    }

    /// @notice What the court may rule; 0, a refusal, means the default of the terms.
    enum CourtRuling {
        Refused,
        ForPayer,
        ForPayee,
        AsJudged
    }

    /// @param payeeBps The payee's part of what is held less the judge's fee, in hundredths of a percent.
    /// @param feeBps The judge's fee, of what is held.
    /// @param judgedAt When the judge decided.
    struct Case {
        Stage stage;
        CourtRuling ruling;
        uint16 payeeBps;
        uint16 feeBps;
        uint40 judgedAt;
    }

    event Judged(bytes32 indexed paymentId, uint256 payeeBps, uint256 feeBps);
    event Appealed(bytes32 indexed paymentId, address indexed by, uint256 indexed disputeId);

    error NotAuthorized(address caller);
    /// @notice The terms name another arbiter.
    error AnotherArbiter(address found);
    error NotDisputed(bytes32 paymentId, IEscrow.Status status);
    error AnotherStage(bytes32 paymentId, Stage stage);
    error BpsOutOfRange(uint256 found, uint256 allowed);
    error AppealEnded(uint256 appealBefore, uint256 time);
    error AppealNotEnded(uint256 appealBefore, uint256 time);
    error AppealUnderpaid(uint256 found, uint256 needed);
    /// @notice The caller does not take what it sent above the court's cost.
    error ChangeRefused(address caller, uint256 amount);
    error UnknownDispute(uint256 disputeId);
    error UnknownRuling(uint256 found, uint256 allowed);
    error NothingToClaim(address account, address token);
    error TokenRefused(address token);

    /// @notice The judge decides how a disputed payment is to be divided; it is done when nobody appealed, unless one of
    /// the parties gives in meanwhile.
    function judge(IEscrow.PaymentTerms calldata terms, uint256 payeeBps, uint256 feeBps) external;

    /// @notice Payer or payee takes it to the court, before the appeal window ends, and pays what the court costs; what is
    /// sent above that comes back. Where there is no judge, the court decides first.
    function appeal(IEscrow.PaymentTerms calldata terms) external payable returns (uint256 disputeId);

    /// @notice Payer, payee or judge show a document in a disputed payment, before an appeal or after it.
    /// @param evidence The address of a JSON document as ERC-1497 has it. The `fileHash` in it can be the hash by which
    /// {IEscrow} knows the same document.
    function submitEvidence(IEscrow.PaymentTerms calldata terms, string calldata evidence) external;

    /// @notice Anyone has the escrow divide the payment, as the court ruled or, after the appeal window, as was judged.
    function execute(IEscrow.PaymentTerms calldata terms) external;

    /// @notice Anyone sends the judge all fees in a token.
    function payJudge(address token) external;

    /// @notice What the court takes for an appeal now, in wei.
    function appealCost() external view returns (uint256);

    function caseOf(bytes32 paymentId) external view returns (Case memory);

    /// @notice Of a dispute at the court.
    function paymentOf(uint256 disputeId) external view returns (bytes32 paymentId);
}
