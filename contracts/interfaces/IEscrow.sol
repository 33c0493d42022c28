// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IFunding} from "./IFunding.sol";
import {IPayouts} from "./IPayouts.sol";

/// @title IEscrow
/// @notice Holds payments between authorization and capture, by terms that the payer agreed to. Nobody owns it: a
/// payment goes to its payee, back to its payer, or is divided between the two by the arbiter whom its terms name.
///
/// Not protected: tokens whose balances change by themselves (all payments in a token share what the contract has of
/// it), a payer who agrees to terms without reading them, a payee who did not make the terms and does not check them.
interface IEscrow is IFunding, IPayouts {
    /// @notice Where a payment stands. `Open`: money is held. `Disputed`: it is held until there is a ruling, or one of
    /// the two gives in. `Closed`: nothing is held any more, and nothing will be; what was captured can be refunded.
    enum Status {
        None,
        Open,
        Disputed,
        Closed
    }

    /// @notice What a payer agrees to, signed as EIP-712:
    /// `Payment(address payer,address payee,address token,uint256 amount,address operator,uint256 authorizeBefore,
    /// uint256 captureBefore,uint256 refundBefore,uint256 disputeWindowSeconds,address arbiter,
    /// uint256 rulingTimeoutSeconds,uint256 defaultPayeeBasisPoints,uint256 maxArbiterFeeBasisPoints,
    /// uint256 minFeeBasisPoints,uint256 maxFeeBasisPoints,address feeReceiver,bytes32 milestonesRoot,uint256 salt)`.
    /// All times end an interval: at that second it is over.
    /// @param amount Units of the token, all of which are authorized or charged at once.
    /// @param operator Who may capture, charge and void for the payee. Zero: nobody else.
    /// @param authorizeBefore Until when the money can be taken.
    /// @param captureBefore Until when the payee can capture; from then on anyone gives back what is held.
    /// @param refundBefore Until when the payee can refund what was captured.
    /// @param disputeWindow Seconds after the authorization in which only the payer can release anything.
    /// @param arbiter Who rules in a dispute. Zero: there are no disputes.
    /// @param rulingTimeout Seconds after the dispute in which the arbiter can rule; then the default applies.
    /// @param defaultPayeeBps The payee's part of a default ruling, in hundredths of a percent, rounded down.
    /// @param maxArbiterFeeBps The most that a ruling may cost, of what is held.
    /// @param minFeeBps The platform's part of what is captured, at least, and in a ruling.
    /// @param maxFeeBps And at most. Rounded down.
    /// @param feeReceiver Who receives it. Zero: there is none.
    /// @param milestonesRoot Of a Merkle tree of (index, amount, releasableAt), as OpenZeppelin's StandardMerkleTree
    /// makes it. Where it is not zero the payee captures by milestones alone.
    /// @param salt Makes two payments with the same terms two.
    struct PaymentTerms {
        address payer;
        address payee;
        address token;
        uint96 amount;
        address operator;
        uint40 authorizeBefore;
        uint40 captureBefore;
        uint40 refundBefore;
        uint32 disputeWindow;
        address arbiter;
        uint32 rulingTimeout;
        uint16 defaultPayeeBps;
        uint16 maxArbiterFeeBps;
        uint16 minFeeBps;
        uint16 maxFeeBps;
        address feeReceiver;
        bytes32 milestonesRoot;
        uint256 salt;
    }

    /// @notice A payment as readers see it.
    /// @param held Units that the contract holds for it.
    /// @param refundable Units that were captured and not refunded.
    /// @param since When it was authorized; while disputed, when the dispute began.
    /// @param milestones A bit for each that was captured.
    struct Payment {
        Status status;
        uint256 held;
        uint256 refundable;
        uint256 since;
        uint256 milestones;
    }

    /// @notice How many payments, and the sum of their amounts.
    struct PaymentTotal {
        uint64 count;
        uint192 sum;
    }

    /// @notice The contract holds `terms.amount`.
    /// @param collector Who brought it; zero where it is the payer's own.
    event Authorized(
        bytes32 indexed paymentId,
        address indexed payer,
        address indexed payee,
        PaymentTerms terms,
        address collector
    );
    /// @notice The payee received `terms.amount` less the fee, at once.
    event PaymentCharged(
        bytes32 indexed paymentId,
        address indexed payer,
        address indexed payee,
        PaymentTerms terms,
        address collector,
        uint256 fee
    );
    /// @notice The payee received `amount` of what was held, less the fee.
    event Captured(bytes32 indexed paymentId, uint256 amount, uint256 fee);
    /// @notice Which milestone the `Captured` after it is for.
    event MilestoneReached(bytes32 indexed paymentId, uint256 index);
    /// @notice The payee gave back what was held.
    event Voided(bytes32 indexed paymentId, uint256 amount);
    /// @notice The payee did not capture in time; what was held went back.
    event Reclaimed(bytes32 indexed paymentId, uint256 amount);
    event PaymentRefunded(bytes32 indexed paymentId, uint256 amount);
    /// @notice The payer will not have this payment made.
    event PaymentRevoked(bytes32 indexed paymentId);
    /// @notice What is held stays so. `evidenceHash` is of a document that the two and the arbiter can be shown.
    event DisputeOpened(bytes32 indexed paymentId, address indexed by, bytes32 evidenceHash);
    event EvidenceSubmitted(bytes32 indexed paymentId, address indexed by, bytes32 evidenceHash);
    /// @notice What was held was divided: the four add up to it. `fee` is the platform's.
    event Ruled(
        bytes32 indexed paymentId, uint256 toPayee, uint256 toPayer, uint256 arbiterFee, uint256 fee, bool byDefault
    );

    /// @notice Payer, payee or a receiver is this contract, or two are one who may not be.
    error PartyRefused(address party);
    /// @notice The terms' times, fees, or what they say of disputes do not fit each other.
    error TermsContradict();
    error AuthorizationExpired(uint256 authorizeBefore, uint256 time);
    /// @notice It was authorized, charged or revoked before.
    error PaymentExists(bytes32 paymentId, Status status);
    error UnknownPayment(bytes32 paymentId);
    /// @notice Nothing is held, or it is disputed.
    error NotOpen(bytes32 paymentId, Status status);
    error NotDisputed(bytes32 paymentId, Status status);
    error NotAuthorized(address caller);
    /// @notice Until then the payer alone can release it.
    error WindowOpen(uint256 until, uint256 time);
    error CaptureEnded(uint256 captureBefore, uint256 time);
    error CaptureNotEnded(uint256 captureBefore, uint256 time);
    error RefundEnded(uint256 refundBefore, uint256 time);
    /// @notice More than is held.
    error CaptureTooHigh(uint256 requested, uint256 held);
    error RefundTooHigh(uint256 requested, uint256 refundable);
    error FeeOutOfRange(uint256 found, uint256 least, uint256 most);
    /// @notice The payee captures this payment by milestones, or there are none.
    error MilestonesOnly(bytes32 paymentId);
    error UnknownMilestone(bytes32 paymentId, uint256 index);
    error MilestoneCaptured(bytes32 paymentId, uint256 index);
    error MilestoneTooEarly(uint256 releasableAt, uint256 time);
    error NoArbiter(bytes32 paymentId);
    error RulingEnded(uint256 rulingBefore, uint256 time);
    error RulingNotEnded(uint256 rulingBefore, uint256 time);
    /// @notice The parts of a ruling are more than is held, or its fee is more than the terms allow.
    error RulingTooHigh(uint256 found, uint256 allowed);

    // ------------------------------------------------------------------ consent

    /// @notice Takes the payer's money and holds it. Anyone may send what the payer signed.
    function authorize(PaymentTerms calldata terms, Funding funding, bytes calldata data)
        external
        returns (bytes32 paymentId);

    /// @notice Takes the payer's money for the payee at once: authorize and capture in one. By payee, operator or payer;
    /// only of terms without dispute window and milestones.
    /// @param feeBps The platform's part, within the terms' bounds.
    function charge(PaymentTerms calldata terms, uint256 feeBps, Funding funding, bytes calldata data)
        external
        returns (bytes32 paymentId);

    /// @notice The payer takes back the consent to a payment that was not made, for ever.
    function revoke(PaymentTerms calldata terms) external;

    // -------------------------------------------------------------------- held

    /// @notice Pays all or a part of what is held to the payee: by payee or operator, after the dispute window and
    /// before `captureBefore`, or by the payer, while anything is held; while disputed, the payer pays all or nothing.
    /// @param amount 2^256 - 1: all that is held then, whatever was released before.
    function capture(PaymentTerms calldata terms, uint256 amount, uint256 feeBps) external;

    /// @notice Pays a milestone to the payee, once: by payee or operator, as `capture` and from `releasableAt` on.
    /// Where less is held than that, because milestones together are more than the amount or the payer released a part,
    /// it pays what is left.
    /// @param index At most 19.
    function captureMilestone(
        PaymentTerms calldata terms,
        uint256 index,
        uint256 amount,
        uint256 releasableAt,
        uint256 feeBps,
        bytes32[] calldata proof
    ) external;

    /// @notice Payee or operator gives back what is held, disputed or not.
    function void(PaymentTerms calldata terms) external;

    /// @notice Anyone gives back what the payee did not capture in time.
    function reclaim(PaymentTerms calldata terms) external;

    /// @notice The payee gives back all or a part of what was captured, from its own balance by allowance to this
    /// contract. No reserve stands behind it.
    function refund(PaymentTerms calldata terms, uint256 amount) external;

    // ----------------------------------------------------------------- dispute

    /// @notice Payer or payee calls the arbiter, while money is held and before `captureBefore`.
    /// @param evidenceHash keccak256 of a document, or zero.
    function dispute(PaymentTerms calldata terms, bytes32 evidenceHash) external;

    /// @notice Payer, payee or arbiter names a document.
    function submitEvidence(PaymentTerms calldata terms, bytes32 evidenceHash) external;

    /// @notice The arbiter divides what is held: the payer receives what the other two parts leave.
    /// @param payeeAmount The payee's part, of which the platform receives `minFeeBps`.
    /// @param arbiterFee The arbiter's, at most `maxArbiterFeeBps` of what is held.
    function rule(PaymentTerms calldata terms, uint256 payeeAmount, uint256 arbiterFee) external;

    /// @notice Anyone divides what is held as the terms say, where the arbiter did not rule in time.
    function ruleByDefault(PaymentTerms calldata terms) external;

    // ------------------------------------------------------------------- views

    /// @notice What names a payment everywhere: the EIP-712 digest of its terms, of this contract on this chain.
    function paymentId(PaymentTerms calldata terms) external view returns (bytes32);

    function payment(bytes32 id) external view returns (Payment memory);

    /// @notice All payments ever authorized or charged of a payee in a token: a ledger is complete if, and only if, it
    /// has the same.
    function paymentTotal(address payee, address token) external view returns (PaymentTotal memory);
}
