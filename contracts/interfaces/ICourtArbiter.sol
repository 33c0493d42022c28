// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IArbitrable} from "./IArbitrator.sol";
import {IEscrow} from "./IEscrow.sol";

/// @title ICourtArbiter
/// @notice An arbiter for {IEscrow} in two instances: a judge decides, and either party can take that to a court
/// (ERC-792), at its own cost. Payments name it as their arbiter.
///
/// Not protected: a `rulingTimeout` that is too short for judge, appeal and court. Once it has passed, the terms' default
/// applies, whatever is still being decided.
interface ICourtArbiter is IArbitrable {
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
    error UnknownDispute(uint256 disputeId);
    error UnknownRuling(uint256 found, uint256 allowed);

    /// @notice The judge decides how a disputed payment is to be divided; it is done when nobody appealed. By parts,
    /// because the payer may give in to some of it meanwhile.
    function judge(IEscrow.PaymentTerms calldata terms, uint256 payeeBps, uint256 feeBps) external;

    /// @notice Payer or payee takes it to the court, before the appeal window ends, and pays what the court costs; what is
    /// sent above that comes back. Where there is no judge, the court decides first.
    function appeal(IEscrow.PaymentTerms calldata terms) external payable returns (uint256 disputeId);

    /// @notice Anyone has the escrow divide the payment, as the court ruled or, after the appeal window, as was judged.
    function execute(IEscrow.PaymentTerms calldata terms) external;

    /// @notice Anyone sends the judge all fees in a token.
    function payJudge(address token) external;

    function caseOf(bytes32 paymentId) external view returns (Case memory);

    /// @notice Of a dispute at the court.
    function paymentOf(uint256 disputeId) external view returns (bytes32 paymentId);
}
