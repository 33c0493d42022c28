// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title ISubscriptions
/// @notice Recurring charges in a token, within what the payer agreed to, without custody: money goes from payer to
/// payee in the charge itself. Nobody owns the contract, nothing in it can be changed or stopped.
///
/// Amounts are base units of the plan's token. Times are Unix seconds, UTC. Intervals are [start, end).
///
/// Not protected: a payer who grants more allowance than they wish to spend is protected by the mandate alone; a payee
/// that spends what it received cannot be made to refund; a token that its issuer can freeze can be frozen.
interface ISubscriptions {
    /// @notice What a period is counted in. Months and years are calendar ones.
    enum Unit {
        Second,
        Day,
        Week,
        Month,
        Year
    }

    /// @notice Where a subscription stands. `Ending`: cancelled at the end of the paid period.
    enum Status {
        Active,
        Ending,
        Cancelled,
        Paused
    }

    /// @notice Why a row of a batch did not pay. `None`: it paid.
    /// `Ended`: cancelled at period end, or all 65,535 charges of one consent were made. `TokenRefused`: the payer has
    /// allowance and balance, yet the token did not pay (paused, blocked, a fee on transfer, hostile).
    enum DeclineReason {
        None,
        Unknown,
        NotDue,
        Cancelled,
        Ended,
        Allowance,
        Balance,
        TokenRefused,
        Paused
    }

    /// @notice The immutable terms of a plan.
    /// @param payee Who receives the charges, and who may cancel and refund.
    /// @param price Units of the token per period.
    /// @param token The ERC-20 token in which charges are made.
    /// @param every How many of `unit` make a period.
    /// @param unit What the period is counted in.
    /// @param catchUp How many missed periods stay collectible, one per charge. 0, the usual choice: a late charge pays
    /// the current period only and nothing accumulates.
    struct PlanTerms {
        address payee;
        uint96 price;
        address token;
        uint32 every;
        Unit unit;
        uint8 catchUp;
    }

    /// @notice A payer's consent to a plan, signed as EIP-712 and submitted by anyone.
    ///
    /// The signed type names what a person should see, and the contract fills it from the plan, so that the consent
    /// binds the terms and not just a number:
    /// `Mandate(address payer,uint256 planId,address payee,address token,uint256 pricePerPeriod,uint256 periodCount,
    /// string periodUnit,uint256 missedPeriods,uint256 salt,uint256 validBefore)`,
    /// with periodUnit one of "second", "day", "week", "month", "year".
    /// @param payer Who pays and signs.
    /// @param planId The plan.
    /// @param salt Chosen by the payer, good for one subscription, ever.
    /// @param validBefore The first second at which the mandate can no longer be submitted.
    struct Mandate {
        address payer;
        uint256 planId;
        uint256 salt;
        uint256 validBefore;
    }

    /// @notice An EIP-2612 permit of the payer to this contract.
    struct Permit {
        uint256 value;
        uint256 deadline;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    /// @notice A subscription as readers see it.
    /// @param payer Who pays.
    /// @param planId Its plan.
    /// @param nextDue The start of the next period to be charged; while paused, the seconds that were left to it.
    /// @param charges How many charges were made. Charges are numbered from 1.
    /// @param status Where it stands.
    /// @param anchorDay The day of the month on which calendar periods start, where the month has it.
    struct Subscription {
        address payer;
        uint256 planId;
        uint256 nextDue;
        uint256 charges;
        Status status;
        uint256 anchorDay;
    }

    /// @notice How many, and the sum of their amounts.
    struct Total {
        uint64 count;
        uint192 sum;
    }

    /// @notice All charges and refunds ever made of one payee in one token: a ledger is complete if, and only if, it has
    /// the same.
    struct ControlTotals {
        Total charges;
        Total refunds;
    }

    event PlanCreated(
        uint256 indexed planId,
        address indexed payee,
        address indexed token,
        uint256 price,
        uint256 every,
        Unit unit,
        uint256 catchUp
    );
    event Subscribed(
        uint256 indexed subscriptionId, address indexed payer, uint256 indexed planId, uint256 firstDue
    );
    /// @notice The consent behind a subscription that was opened by mandate.
    event MandateAccepted(
        uint256 indexed subscriptionId, address indexed payer, uint256 salt, bytes32 mandateHash
    );
    event MandateRevoked(address indexed payer, uint256 salt);
    /// @param chargeNumber 1 for the subscription's first charge, without gaps.
    event Charged(
        uint256 indexed subscriptionId,
        uint256 chargeNumber,
        uint256 periodStart,
        uint256 periodEnd,
        uint256 amount
    );
    /// @param due The start of the next period to be charged, as `Subscription.nextDue`.
    event Declined(uint256 indexed subscriptionId, uint256 due, DeclineReason reason);
    /// @notice Ended, now.
    event Cancelled(uint256 indexed subscriptionId);
    /// @notice Will end with the paid period, at `endsAt`.
    event CancellationScheduled(uint256 indexed subscriptionId, uint256 endsAt);
    /// @notice The clock stands; `left` seconds of the paid period are kept.
    event Paused(uint256 indexed subscriptionId, uint256 left);
    /// @notice The clock goes on; `nextDue` is also the anchor of the periods after it.
    event Resumed(uint256 indexed subscriptionId, uint256 nextDue);
    event Refunded(uint256 indexed subscriptionId, uint256 chargeNumber, uint256 amount);

    error ZeroAddress();
    error ZeroAmount();
    error NotAContract(address account);
    /// @notice Money that this contract were paid could never leave it.
    error PayeeRefused(address payee);
    /// @notice Payer and payee are one account: nothing would be paid.
    error PayerIsPayee(address account);
    /// @notice A period is between one second and 100 years.
    error PeriodOutOfRange(uint256 foundSeconds, uint256 allowedSeconds);
    error UnknownPlan(uint256 planId);
    error UnknownSubscription(uint256 subscriptionId);
    /// @notice The plan with this number has other terms than the payer agreed to (a reorganisation can renumber plans).
    error TermsChanged(bytes32 found, bytes32 expected);
    error MandateExpired(uint256 validBefore, uint256 time);
    error SaltUsed(address payer, uint256 salt);
    error InvalidSignature(address signer);
    error AllowanceTooLow(uint256 found, uint256 needed);
    error BalanceTooLow(uint256 found, uint256 needed);
    /// @notice The token reverted, returned false, or is no contract.
    error TokenRefused(address token);
    /// @notice The token moved less than it was told to (a fee on transfer, a rebase).
    error AmountMismatch(uint256 received, uint256 expected);
    error NotAuthorized(address caller);
    error NotActive(uint256 subscriptionId, Status status);
    /// @notice A charge is due first: a pause must not be a way around it.
    error ChargeDue(uint256 subscriptionId, uint256 due);
    error NotPaused(uint256 subscriptionId, Status status);
    error UnknownCharge(uint256 subscriptionId, uint256 chargeNumber, uint256 charges);
    error RefundTooHigh(uint256 requested, uint256 refundable);

    /// @notice Creates a plan; anyone may.
    /// @return planId Plans are numbered from 1.
    function createPlan(PlanTerms calldata terms) external returns (uint256 planId);

    /// @notice The caller subscribes to a plan and pays the first period now.
    /// @param termsHash `termsHash(planId)` as the payer saw it.
    function subscribe(uint256 planId, bytes32 termsHash) external returns (uint256 subscriptionId);

    /// @notice Like `subscribe`, funded by an EIP-2612 permit of the caller. A permit that fails is ignored: the
    /// allowance decides.
    function subscribeWithPermit(uint256 planId, bytes32 termsHash, Permit calldata permit)
        external
        returns (uint256 subscriptionId);

    /// @notice Subscribes the payer of a signed mandate, who pays the first period now. Anyone may submit it, once.
    /// @param signature ECDSA (65 bytes), or whatever the payer's contract accepts (ERC-1271).
    function submitMandate(Mandate calldata mandate, bytes calldata signature)
        external
        returns (uint256 subscriptionId);

    /// @notice Like `submitMandate`, funded by an EIP-2612 permit of the payer. A permit that fails is ignored: the
    /// allowance decides.
    function submitMandateWithPermit(Mandate calldata mandate, bytes calldata signature, Permit calldata permit)
        external
        returns (uint256 subscriptionId);

    /// @notice The caller makes its mandate with this salt worthless, whether it was submitted or not.
    function revokeMandate(uint256 salt) external;

    /// @notice Charges what is due; anyone may. A row that cannot pay is a `Declined` event and never fails the others.
    /// Rows of one plan side by side share their costs.
    /// @return reasons A byte for each row, a {DeclineReason}: 0 where it paid, else why not.
    function charge(uint256[] calldata subscriptionIds) external returns (bytes memory reasons);

    /// @notice Ends a subscription now. By its payer or its payee.
    function cancel(uint256 subscriptionId) external;

    /// @notice Ends a subscription when the paid period ends. By its payer or its payee.
    function cancelAtPeriodEnd(uint256 subscriptionId) external;

    /// @notice Stops the clock of an active subscription within its paid period: nothing is charged, and what is left of
    /// the period is kept. By its payer.
    function pause(uint256 subscriptionId) external;

    /// @notice Goes on where `pause` stopped: the next charge is due when what was left has passed. By its payer.
    function resume(uint256 subscriptionId) external;

    /// @notice The payee gives back all or a part of one charge, from its own balance by allowance to this contract.
    /// @param chargeNumber The number of the charge, from 1.
    function refund(uint256 subscriptionId, uint256 chargeNumber, uint256 amount) external;

    /// @notice How many plans there are.
    function planCount() external view returns (uint256);

    /// @notice How many subscriptions there are.
    function subscriptionCount() external view returns (uint256);

    /// @notice The terms of a plan.
    function plan(uint256 planId) external view returns (PlanTerms memory);

    /// @notice keccak256 of the ABI-encoded terms of a plan: what a payer agrees to.
    function termsHash(uint256 planId) external view returns (bytes32);

    /// @notice A subscription.
    function subscription(uint256 subscriptionId) external view returns (Subscription memory);

    /// @notice The EIP-712 digest that the payer signs.
    function mandateHash(Mandate calldata mandate) external view returns (bytes32);

    /// @notice Whether a payer's salt is used or revoked.
    function isSaltUsed(address payer, uint256 salt) external view returns (bool);

    /// @notice What was given back of one charge.
    function refunded(uint256 subscriptionId, uint256 chargeNumber) external view returns (uint256);

    /// @notice Count and sum of everything a payee was charged for and gave back in a token.
    function controlTotals(address payee, address token) external view returns (ControlTotals memory);
}
