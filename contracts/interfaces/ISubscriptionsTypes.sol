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
    /// plan were made, the plan's grace has passed, or the payer's own end has come. `TokenRefused`: the payer has
    /// allowance and balance, yet the token did not pay (paused, a fee on transfer, hostile). `Blocked`: because it
    /// says that the payer is blocked. `OverMandate`: more than the payer's maximum, per period or in all.
    /// `QuoteUnavailable`, `QuoteStale`: the plan's quoter gave no price, or only an old one. `Slippage`: its price is
    /// above the payer's maximum per period.
    enum DeclineReason {
        None,
        Unknown,
        NotDue,
        Cancelled,
        Ended,
        Allowance,
        Balance,
        TokenRefused,
        Paused,
        Blocked,
        OverMandate,
        QuoteUnavailable,
        QuoteStale,
        Slippage
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
    /// @param alignTo A time, not in the future, on whose grid all periods lie: with 2026-01-01T00:00Z and months, each
    /// begins on the first. The first period is what is left of one, at that part of the price, rounded up. 0: each
    /// subscription has its own grid, from its first period.
    /// @param quoter Says how much of the token `price` and `seatPrice` are, which are then in its units: an {IQuoter}.
    /// Zero: they are units of the token.
    /// @param refundsUnused Whether the payee can end a subscription at once only with a refund of what is left of the
    /// paid period.
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
        uint32 alignTo;
        address quoter;
        bool refundsUnused;
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

    /// @notice What a payer adds to the terms of a plan. Zeros add nothing.
    /// @param maxPerPeriod The most that a period may cost, all usage that the plan allows included, in units of the
    /// token. A plan whose price is quoted needs one.
    /// @param maxTotal The most that all charges together may cost from now on.
    /// @param startsAt When the first period begins, where that is later than the plan would have it.
    /// @param endsAt The first second at which nothing is charged any more.
    /// @param beneficiary Whom the subscription serves. Zero: the payer.
    /// @param byPermit2 Whether charges take the payer's money through Permit2 (its AllowanceTransfer).
    struct Conditions {
        uint96 maxPerPeriod;
        uint96 maxTotal;
        uint40 startsAt;
        uint40 endsAt;
        address beneficiary;
        bool byPermit2;
    }

    /// @notice A payer's consent to one of some plans, with conditions, signed as EIP-712 and submitted by anyone:
    /// `MandateWithConditions(address payer,address payee,address token,bytes32[] plans,uint256 seats,
    /// uint256 trialSeconds,uint256 maxPerPeriod,uint256 minSecondsPerPeriod,uint256 maxTotal,uint256 startsAt,
    /// uint256 endsAt,address beneficiary,bool byPermit2,bytes32 coupon,uint256 salt,uint256 validBefore)`,
    /// where the contract fills in payee, token and trialSeconds from the plan that is chosen.
    /// @param plans The `termsHash` of each plan that the payer agrees to; whoever submits the mandate chooses one.
    /// @param minSecondsPerPeriod The shortest that a period of the chosen plan may be.
    /// @param coupon `couponHash` of the coupon that comes with it, or zero.
    struct MandateWithConditions {
        address payer;
        bytes32[] plans;
        uint256 seats;
        uint256 minSecondsPerPeriod;
        Conditions conditions;
        bytes32 coupon;
        uint256 salt;
        uint256 validBefore;
    }

    /// @notice A payee's promise of a discount, signed as EIP-712, good once for each payer:
    /// `Coupon(address payee,address token,uint256 planId,uint256 basisPointsOff,uint256 amountOff,uint256 periods,
    /// address payer,uint256 code,uint256 validBefore)`, with payee and token of the plan.
    /// @param planId The plan that it is for. 0: every plan of the payee in the token.
    /// @param basisPointsOff Hundredths of a percent of a period's price; rounded down.
    /// @param amountOff Units of the token for each period, at most its price.
    /// @param periods How many charges of periods it lowers.
    /// @param payer Whom it is for. Zero: everybody.
    /// @param code The payee's own numbering; `revokeMandate` with it as the salt makes the coupon worthless.
    /// @param validBefore The first second at which it can no longer be redeemed.
    struct Coupon {
        uint32 planId;
        uint16 basisPointsOff;
        uint96 amountOff;
        uint16 periods;
        address payer;
        uint256 code;
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
    /// @notice The register, with its plans, subscriptions and totals, belongs to another payee from now on.
    event PayeeChanged(uint256 indexed registerId, address indexed payee, address indexed newPayee);
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
    /// period ends with the one being served, or is a new one. Or both are one `Upgraded`.
    /// @param credit What the next charges take less.
    event PlanChanged(uint256 indexed subscriptionId, uint256 indexed planId, uint256 seats, uint256 credit);
    /// @notice `Charged` and `PlanChanged` in one: a dearer plan from now on, of which the payer pays the difference.
    /// The charge is for what is left of the period being served; seats stay as they are, and no credit is left.
    /// @param chargeNumber As of `Charged`.
    /// @param amount What the payer paid, the fee included; never nothing.
    event Upgraded(uint256 indexed subscriptionId, uint256 indexed planId, uint256 chargeNumber, uint256 amount);
    /// @notice The plan and the number of seats from the next period on. Where they are the present ones, nothing is
    /// scheduled any more. The `PlanChanged` comes before the first `Charged` of that period.
    event ChangeScheduled(uint256 indexed subscriptionId, uint256 indexed planId, uint256 seats);
    /// @notice The payee scheduled a plan that differs by lower prices alone, with as many seats as would be charged
    /// next. A coupon or fallback wallet for the plan before is for this one now.
    event PriceLowered(uint256 indexed subscriptionId, uint256 indexed planId, uint256 seats);
    /// @notice What the payer adds to the plan's terms, from now on.
    event ConditionsSet(
        uint256 indexed subscriptionId,
        uint256 maxPerPeriod,
        uint256 maxTotal,
        uint256 endsAt,
        address beneficiary,
        bool byPermit2
    );
    /// @notice The next `periods` charges of periods cost less, while they are of the plan, or of any where it is 0.
    event CouponRedeemed(
        uint256 indexed subscriptionId,
        bytes32 indexed couponHash,
        uint256 planId,
        uint256 basisPointsOff,
        uint256 amountOff,
        uint256 periods
    );
    /// @notice What a coupon takes off a charge, told before its `Charged`.
    event Discounted(uint256 indexed subscriptionId, uint256 chargeNumber, uint256 amount);
    /// @notice What `price`, in units of the plan's quoter, is in units of the token, told before its `Charged`.
    event Quoted(uint256 indexed subscriptionId, uint256 chargeNumber, uint256 price, uint256 amount);
    /// @notice The wallet that pays where the payer cannot; zero: none.
    event FallbackSet(uint256 indexed subscriptionId, address indexed wallet);
    /// @notice Who paid in the payer's place, told before its `Charged`.
    event PaidByFallback(uint256 indexed subscriptionId, uint256 chargeNumber, address wallet);
    /// @notice Its charges take no money through Permit2 any more, unless the new payer says so.
    event PayerChanged(uint256 indexed subscriptionId, address indexed payer, address indexed newPayer);
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
    error UnknownRegister(address payee, address token);
    /// @notice The account is paid in that token already: its totals are its own.
    error RegisterExists(address payee, address token);
    error RegisterFull(uint256 registerId);
    /// @notice Plans with a maximum are not changed, nor changed to, nor are those with a minimum changed to: a change
    /// may charge on its own, and charges are what such terms count.
    error FixedTerm(uint256 planId, uint256 charges);
    /// @notice In its trial a subscription changes to plans of the same family that have a trial.
    error TrialRunning(uint256 subscriptionId);
    error NothingToChange(uint256 subscriptionId);
    /// @notice What is left of a period with a quoted price has no exact value: such plans are changed at its end.
    error PlanIsQuoted(uint256 planId);
    /// @notice A plan with a quoted price needs the payer's maximum per period.
    error MaximumMissing(uint256 planId);
    /// @notice A grid begins in the past.
    error AlignedToFuture(uint256 found, uint256 time);
    /// @notice To none of the subscriptions is the plan cheaper and otherwise the same: that needs the payer's consent.
    error TermsWorse(uint256 planId);
    /// @notice More than the payer agreed to, per period or in all.
    error OverMandate(uint256 found, uint256 allowed);
    /// @notice The first charge, which is due now, would decline: more or later than allowed, less than needed.
    error FirstChargeDeclined(DeclineReason reason, uint256 found, uint256 allowed);
    /// @notice The payer's own end has come.
    error ConditionsEnded(uint256 subscriptionId, uint256 endsAt);
    /// @notice The first period begins at most 100 years from now, and before the end.
    error StartOutOfRange(uint256 found, uint256 allowed);
    /// @notice The mandate does not name the plan.
    error PlanNotAgreed(uint256 planId);
    /// @notice A period of the plan can be shorter than the payer agreed to.
    error PeriodTooShort(uint256 found, uint256 allowed);
    /// @notice The mandate names another coupon, or none.
    error AnotherCoupon(bytes32 found, bytes32 expected);
    /// @notice The coupon is for another plan or payer, or takes nothing off.
    error CouponNotFor(uint256 planId, address payer);
    error CouponUsed(bytes32 couponHash, address payer);
    /// @notice One coupon at a time; and what is left of a period with a discount is not measured: such a subscription
    /// is changed at its end.
    error DiscountRunning(uint256 subscriptionId);
    /// @notice The plan promises that the payee refunds what is left of the period; `cancelWithRefund` does.
    error UnusedNotRefunded(uint256 found, uint256 needed);
    /// @notice The token says that the account is blocked.
    error AccountBlocked(address account);
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
