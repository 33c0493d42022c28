// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title ISubscriptionsTypes
/// @notice The words of {ISubscriptions}: what is passed, stored, told and refused.
interface ISubscriptionsTypes {
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

    /// @notice Why a row of a batch did not pay. `None`: it paid. `Ended`: cancelled at period end, all charges of the
    /// plan were made, or the plan's grace has passed. `TokenRefused`: the payer has allowance and balance, yet the
    /// token did not pay (paused, blocked, a fee on transfer, hostile).
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
    /// @param payee Who receives the charges, and who creates the plan and may cancel and refund.
    /// @param price Units of the token per period.
    /// @param token The ERC-20 token in which charges are made.
    /// @param every How many of `unit` make a period.
    /// @param unit What the period is counted in.
    /// @param catchUp How many missed periods stay collectible, one per charge. 0, the usual choice: a late charge pays
    /// the current period only and nothing accumulates.
    /// @param seatPrice Units of the token per period for each seat, on top of `price`. 0: no seats are sold.
    /// @param trial Seconds before the first charge, once for each payer and `family`. 0: none.
    /// @param grace Seconds after the start of a period in which it can still be charged, or the subscription has
    /// ended. 0: no end.
    /// @param minCharges How many charges the payer agrees to before they may cancel. 0: none.
    /// @param maxCharges After how many charges a subscription ends. 0: never.
    /// @param feeBps The part of each charge, in hundredths of a percent, that goes to `feeReceiver`; rounded down.
    /// @param family Plans of a payee and token that share one trial; the payee's own numbering.
    /// @param feeReceiver Who receives the fee. Zero: no fee.
    /// @param usageCap The most that usage may cost in a period, in units of the token. 0: no usage is charged.
    /// @param usagePrice The most that a million units of usage may cost, in units of the token.
    /// @param biller Who charges usage beside the payee. Zero: nobody.
    struct PlanTerms {
        address payee;
        uint96 price;
        address token;
        uint32 every;
        Unit unit;
        uint8 catchUp;
        uint96 seatPrice;
        uint32 trial;
        uint32 grace;
        uint16 minCharges;
        uint16 maxCharges;
        uint16 feeBps;
        uint16 family;
        address feeReceiver;
        uint96 usageCap;
        uint96 usagePrice;
        address biller;
    }

    /// @notice A payer's consent to a plan, signed as EIP-712 and submitted by anyone.
    ///
    /// The signed type names what a person should see, and the contract fills it from the plan, so that the consent
    /// binds the terms and not just a number:
    /// `Mandate(address payer,uint256 planId,address payee,address token,uint256 pricePerPeriod,uint256 pricePerSeat,
    /// uint256 seats,uint256 maxUsagePerPeriod,uint256 periodCount,string periodUnit,uint256 missedPeriods,
    /// uint256 trialSeconds,bytes32 terms,uint256 salt,uint256 validBefore)`,
    /// with periodUnit one of "second", "day", "week", "month", "year", trialSeconds 0 where the payer had the trial
    /// already, and terms the plan's `termsHash`, which binds the rest of them.
    /// @param payer Who pays and signs.
    /// @param planId The plan.
    /// @param seats How many seats; 0 where the plan sells none.
    /// @param salt Chosen by the payer, good for one subscription, ever.
    /// @param validBefore The first second at which the mandate can no longer be submitted.
    struct Mandate {
        address payer;
        uint256 planId;
        uint256 seats;
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
    /// @param seats How many seats are paid for.
    /// @param credit Units of the token that the next charges take less.
    /// @param history Commits to what was paid for charges that were not the plan's price; 0 where there are none.
    struct Subscription {
        address payer;
        uint256 planId;
        uint256 nextDue;
        uint256 charges;
        Status status;
        uint256 anchorDay;
        uint256 seats;
        uint256 credit;
        uint256 history;
    }

    /// @notice What the payer paid for charges: `rate` for each up to number `lastCharge`, and `next` for the one after
    /// it. Written down where a charge is not the plan's price any more: before a change, and where credit pays a part.
    /// @param next 2^256 - 1 where the change charged nothing.
    struct Segment {
        uint256 lastCharge;
        uint256 rate;
        uint256 next;
    }

    /// @notice What a charge would do now.
    /// @param reason Why it would decline, or `None`.
    /// @param amount What the payer would pay.
    struct Preview {
        DeclineReason reason;
        uint256 periodStart;
        uint256 periodEnd;
        uint256 amount;
        uint256 creditUsed;
    }

    /// @notice What a change of plan or seats would do now.
    /// @param toPay What the payer pays at once.
    /// @param credit What is left for the next charges.
    /// @param nextDue When the next charge is due.
    struct Quote {
        uint256 toPay;
        uint256 credit;
        uint256 nextDue;
    }

    /// @notice How many, and the sum of their amounts.
    struct Total {
        uint64 count;
        uint192 sum;
    }

    /// @notice All subscriptions, charges and refunds ever made of one payee in one token: a ledger is complete if, and
    /// only if, it has the same.
    struct ControlTotals {
        uint256 subscriptions;
        Total charges;
        Total refunds;
    }

    /// @notice A payee's first plan in a token. Its subscriptions are numbered from `registerId` x 1,000,000,000 + 1.
    event RegisterOpened(uint256 indexed registerId, address indexed payee, address indexed token);
    event PlanCreated(uint256 indexed planId, uint256 indexed registerId, PlanTerms terms);
    /// @notice The plan takes no new subscriptions.
    event PlanArchived(uint256 indexed planId);
    /// @param firstDue The start of the first period that is charged: now, or the end of the trial.
    event Subscribed(
        uint256 indexed subscriptionId, address indexed payer, uint256 indexed planId, uint256 firstDue
    );
    /// @notice How many seats are paid for from now on.
    event SeatsSet(uint256 indexed subscriptionId, uint256 seats);
    /// @notice The consent behind a subscription that was opened by mandate.
    event MandateAccepted(
        uint256 indexed subscriptionId, address indexed payer, uint256 salt, bytes32 mandateHash
    );
    event MandateRevoked(address indexed payer, uint256 salt);
    /// @param chargeNumber 1 for the subscription's first charge, without gaps.
    /// @param amount What the payer paid, the fee included.
    event Charged(
        uint256 indexed subscriptionId,
        uint256 chargeNumber,
        uint256 periodStart,
        uint256 periodEnd,
        uint256 amount
    );
    /// @notice What a charge of usage is for, told before its `Charged`, whose period is the one that is served.
    /// @param quantity Units of usage.
    /// @param usageHash Of the document that lists the usage.
    event UsageCharged(
        uint256 indexed subscriptionId, uint256 chargeNumber, uint256 quantity, bytes32 usageHash
    );
    /// @notice The part of a charge that the subscription's credit paid, told before its `Charged`.
    event CreditUsed(uint256 indexed subscriptionId, uint256 chargeNumber, uint256 amount);
    /// @notice The account could not receive what it was paid; the contract keeps it until `claim`.
    event Claimable(address indexed account, address indexed token, uint256 indexed subscriptionId, uint256 amount);
    event Claimed(address indexed account, address indexed token, uint256 amount);
    /// @notice Another plan or number of seats, from now on. What it costs at once is a `Charged` before this, whose
    /// period ends with the one being served, or is a new one.
    /// @param credit What the next charges take less.
    event PlanChanged(uint256 indexed subscriptionId, uint256 indexed planId, uint256 seats, uint256 credit);
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
    /// @notice The payer would receive the charge or its fee: nothing would be paid.
    error PayerIsPayee(address account);
    /// @notice A period is between one second and 100 years.
    error PeriodOutOfRange(uint256 foundSeconds, uint256 allowedSeconds);
    error UnknownPlan(uint256 planId);
    error UnknownSubscription(uint256 subscriptionId);
    /// @notice The plan with this number has other terms than the payer agreed to (a reorganisation can renumber
    /// plans).
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
    error PlanIsArchived(uint256 planId);
    /// @notice A fee without receiver or a receiver without fee, the payee as its own receiver, a minimum above the
    /// maximum.
    error TermsContradict();
    error FeeTooHigh(uint256 found, uint256 allowed);
    /// @notice Seats are sold from 1, by plans with a price per seat.
    error SeatsOutOfRange(uint256 found, uint256 allowed);
    /// @notice The payer agreed to more charges. Within the trial they may cancel all the same.
    error MinimumTerm(uint256 charges, uint256 agreed);
    error RegisterFull(uint256 registerId);
    /// @notice Plans with a maximum are not changed, nor changed to, nor are those with a minimum changed to: a change
    /// may charge on its own, and charges are what such terms count.
    error FixedTerm(uint256 planId, uint256 charges);
    /// @notice In its trial a subscription changes to plans of the same family that have a trial.
    error TrialRunning(uint256 subscriptionId);
    error NothingToChange(uint256 subscriptionId);
    /// @notice More than the payer agreed to for usage in this period.
    error UsageAboveCap(uint256 found, uint256 allowed);
    /// @notice It was charged already, or another charge was made since.
    error AnotherChargeIsNext(uint256 found, uint256 expected);
    /// @notice More than this quantity may cost.
    error UsageTooDear(uint256 found, uint256 allowed);
    /// @notice The subscription's last charge can no longer be followed by one of usage: it ended, or its charges are
    /// used.
    error UsageEnded(uint256 subscriptionId);
    /// @notice A subscription stays with its payee and token.
    error AnotherRegister(uint256 found, uint256 expected);
    /// @notice The change costs more than the payer agreed to pay now.
    error ToPayTooHigh(uint256 found, uint256 allowed);
    error CreditTooHigh(uint256 found, uint256 allowed);
    /// @notice The segments are not those of the subscription's changes.
    error HistoryMismatch(uint256 subscriptionId);
    error SignatureExpired(uint256 validBefore, uint256 time);
    error NothingToClaim(address account, address token);
}
