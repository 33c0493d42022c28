// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISubscriptionsTypes} from "./ISubscriptionsTypes.sol";

/// @title ISubscriptionsCore
/// @notice Consent, charge, cancel.
interface ISubscriptionsCore is ISubscriptionsTypes {
    /// @notice The caller subscribes to a plan and pays the first period now, unless the plan begins with a trial.
    /// @param expectedTerms `termsHash(planId)` as the payer saw it.
    /// @param seats How many seats; 0 where the plan sells none.
    function subscribe(uint256 planId, bytes32 expectedTerms, uint256 seats) external returns (uint256 subscriptionId);

    /// @notice Like `subscribe`, funded by an EIP-2612 permit of the caller. A permit that fails is ignored: the
    /// allowance decides.
    function subscribeWithPermit(uint256 planId, bytes32 expectedTerms, uint256 seats, Permit calldata permit)
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

    /// @notice Charges what is due; anyone may. A row that cannot pay is a `Declined` event and never fails the others.
    /// Rows of one plan side by side share their costs.
    /// @return reasons A byte for each row, a {DeclineReason}: 0 where it paid, else why not.
    function charge(uint256[] calldata subscriptionIds) external returns (bytes memory reasons);

    /// @notice The payer changes plan, seats or both, of the same payee and token. Where the period stays the same the
    /// payer pays or is credited the difference for the rest of it; otherwise, and where a period of calendar months
    /// was paused, a new period begins now, and what is left of the old one is credited. Rounded down, the old value as
    /// the new one.
    /// @param expectedTerms `termsHash(planId)` as the payer saw it.
    /// @param maxToPay The most to be paid now; `quote` tells how much it is.
    function changePlan(
        uint256 subscriptionId,
        uint256 planId,
        bytes32 expectedTerms,
        uint256 seats,
        uint256 maxToPay
    ) external;

    /// @notice Ends a subscription now. By its payer or its payee.
    function cancel(uint256 subscriptionId) external;

    /// @notice Ends a subscription when the paid period ends. By its payer or its payee.
    function cancelAtPeriodEnd(uint256 subscriptionId) external;
}

/// @title ISubscriptionsPayee
/// @notice Plans, usage, refunds: what payees do.
interface ISubscriptionsPayee is ISubscriptionsTypes {
    /// @notice Creates a plan, by its payee.
    /// @return planId Plans are numbered from 1.
    function createPlan(PlanTerms calldata terms) external returns (uint256 planId);

    /// @notice Lets a plan take no more subscriptions; those that it has go on. By its payee.
    function archivePlan(uint256 planId) external;

    /// @notice The payee moves subscriptions to a plan of the same payee and token that differs by lower prices alone:
    /// no price is higher and one is lower than those that would be charged next. It is scheduled, and so counts from
    /// the next charge on. Increases need the payer: `scheduleChange`. Subscriptions for which it is not cheaper, or
    /// that have ended, are passed over; all of them may not be.
    function lowerPrice(uint256[] calldata subscriptionIds, uint256 planId) external;

    /// @notice The payee tells payers of a plan, as to their price that rises, which they may change to; nothing changes
    /// before they do. All must be of the plan's payee and token; those that were cancelled are passed over.
    function proposePlan(uint256[] calldata subscriptionIds, uint256 planId) external;

    /// @notice The payee of two plans in different tokens, with one grid, declares their prices equivalent: payers of
    /// the first may name the second as their fallback plan. By both plans' payee.
    function offerAlternative(uint256 planId, uint256 alternativePlanId) external;

    /// @notice Ends what `offerAlternative` began, at once and for all who named it. By the payee.
    function withdrawAlternative(uint256 planId, uint256 alternativePlanId) external;

    /// @notice Hands a register over to a new payee, who has none in the token yet: its plans, its subscriptions and
    /// its totals. Both sign, anyone sends it; who sends it needs no signature:
    /// `PayeeChange(address payee,address token,address newPayee,uint256 salt,uint256 validBefore)`. What the contract
    /// keeps for the old payee stays theirs.
    /// @param salt Of the old payee: good for one consent, ever.
    function changePayee(
        address payee,
        address token,
        address newPayee,
        uint256 salt,
        uint256 validBefore,
        bytes calldata payeeSignature,
        bytes calldata newPayeeSignature
    ) external;

    /// @notice Charges usage of the period being served, by the plan's payee or biller, within the plan's cap and
    /// price. Not paid with credit.
    /// @param chargeNumber The number that this charge is to have, one more than were made: sent twice, or after a
    /// period was charged in between, it charges nothing.
    /// @param amount What the payer pays, in units of the token.
    /// @param quantity Units of usage.
    /// @param usageHash Of the document that lists the usage, so that the payer can ask for it and compare.
    function chargeUsage(
        uint256 subscriptionId,
        uint256 chargeNumber,
        uint256 amount,
        uint256 quantity,
        bytes32 usageHash
    ) external;

    /// @notice The payee gives back all or a part of one charge, from its own balance by allowance to this contract.
    /// Where plan or seats were changed, `refundChanged` is the one to call.
    /// @param chargeNumber The number of the charge, from 1.
    function refund(uint256 subscriptionId, uint256 chargeNumber, uint256 amount) external;

    /// @notice As `refund`, of a subscription whose plan or seats were changed, or that used credit. What was paid under
    /// a fallback plan is given back in its token, by its payee.
    /// @param history What was paid, oldest first.
    function refundChanged(
        uint256 subscriptionId,
        uint256 chargeNumber,
        uint256 amount,
        Segment[] calldata history
    ) external;

    /// @notice The payee ends a subscription now and refunds what is left of the paid period, credit included, out of
    /// these charges, from the first named on, as much as each still allows. What was refunded of the last charge
    /// before counts. Not where the period or a charge was paid in another token.
    /// @param history As for `refundChanged`; empty where there is none.
    function cancelWithRefund(uint256 subscriptionId, uint256[] calldata chargeNumbers, Segment[] calldata history)
        external;

    /// @notice Pays out what the contract keeps for an account that could not receive it. Anyone may send it.
    function claim(address account, address token) external;
}

/// @title ISubscriptionsPayer
/// @notice Changes of mind: what payers do.
interface ISubscriptionsPayer is ISubscriptionsTypes {
    /// @notice The caller makes its mandate with this salt worthless, whether it was submitted or not.
    function revokeMandate(uint256 salt) external;

    /// @notice As `revokeMandate`, signed by the payer and sent by anyone:
    /// `Revocation(address payer,uint256 salt)`.
    function revokeMandateBySignature(address payer, uint256 salt, bytes calldata signature) external;

    /// @notice Ends a subscription now, signed by its payer and sent by anyone:
    /// `Cancellation(address payer,uint256 subscriptionId,uint256 validBefore)`.
    function cancelBySignature(uint256 subscriptionId, uint256 validBefore, bytes calldata signature) external;

    /// @notice The caller's emergency stop: ends those of its subscriptions that have not ended yet, whatever their
    /// minimum, and makes mandates with these salts worthless. What is not the caller's, has ended or is used already
    /// is passed over.
    function stop(uint256[] calldata subscriptionIds, uint256[] calldata salts) external;

    /// @notice Stops the clock of an active subscription within its paid period: nothing is charged, and what is left
    /// of the period is kept. By its payer.
    function pause(uint256 subscriptionId) external;

    /// @notice Goes on where `pause` stopped: the next charge is due when what was left has passed. By its payer.
    function resume(uint256 subscriptionId) external;

    /// @notice The payer changes plan, seats or both when the paid period ends; nothing moves before. The present plan
    /// and seats take back what was scheduled.
    /// @param expectedTerms `termsHash(planId)` as the payer saw it.
    function scheduleChange(uint256 subscriptionId, uint256 planId, bytes32 expectedTerms, uint256 seats) external;

    /// @notice As `scheduleChange`, signed by the payer and sent by anyone:
    /// `PlanChange(uint256 subscriptionId,address payer,uint256 planId,uint256 pricePerPeriod,uint256 pricePerSeat,
    /// uint256 seats,uint256 periodCount,string periodUnit,bytes32 terms,uint256 salt,uint256 validBefore)`, with what
    /// the plan says.
    /// @param salt Of the payer: good for one consent, ever.
    function scheduleChangeBySignature(
        uint256 subscriptionId,
        uint256 planId,
        uint256 seats,
        uint256 salt,
        uint256 validBefore,
        bytes calldata signature
    ) external;

    /// @notice Another wallet pays from now on; both wallets sign, anyone sends it:
    /// `PayerChange(uint256 subscriptionId,address payer,address newPayer,bytes32 terms,uint256 seats,
    /// uint256 maxPerPeriod,uint256 endsAt,uint256 salt,uint256 validBefore)`, with what holds at present. Who sends it
    /// needs no signature. Refunds go to the new one; a fallback and what was scheduled are dropped.
    /// Not while a charge is due. A running discount goes along.
    /// @param salt Of the old payer: good for one consent, ever. The new one can revoke it, too.
    function changePayer(
        uint256 subscriptionId,
        address newPayer,
        uint256 salt,
        uint256 validBefore,
        bytes calldata payerSignature,
        bytes calldata newPayerSignature
    ) external;

    /// @notice The payer states the conditions anew; `maxTotal` counts from now, and `startsAt` is not asked.
    function setConditions(uint256 subscriptionId, Conditions calldata conditions) external;

    /// @notice The payer redeems a coupon of the payee: the next charges of periods cost less.
    function redeemCoupon(uint256 subscriptionId, Coupon calldata coupon, bytes calldata signature) external;

    /// @notice The payer names a wallet that pays where the payer's allowance or balance is too low, and which signs:
    /// `Fallback(uint256 subscriptionId,address payer,address wallet,bytes32 terms,uint256 seats,uint256 salt,
    /// uint256 validBefore)`, with the present plan and seats. It pays for periods of just these, not for others, for
    /// changes or for usage.
    /// @param salt Of the wallet: good for one consent, ever.
    function setFallback(
        uint256 subscriptionId,
        address wallet,
        uint256 salt,
        uint256 validBefore,
        bytes calldata signature
    ) external;

    /// @notice The payer names a plan in another token, which the payee offers as an alternative: where the payer's
    /// allowance or balance is too low, a period is paid under it, at its whole price, without discount and credit. It
    /// holds for the present plan and seats alone, while the payee offers it, and where neither a period nor all
    /// charges are limited. It takes the place of a fallback wallet, and a wallet its.
    /// @param expectedTerms `termsHash(alternativePlanId)` as the payer saw it.
    function setFallbackPlan(uint256 subscriptionId, uint256 alternativePlanId, bytes32 expectedTerms) external;

    /// @notice The fallback wallet or plan pays no more. By the payer or the wallet.
    function dropFallback(uint256 subscriptionId) external;
}

/// @title ISubscriptionsConsent
/// @notice Consent with conditions.
interface ISubscriptionsConsent is ISubscriptionsTypes {
    /// @notice As `subscribe`, with conditions and perhaps a coupon.
    /// @param coupon With `periods` 0: none.
    /// @param couponSignature Of the plan's payee.
    function subscribeWithConditions(
        uint256 planId,
        bytes32 expectedTerms,
        uint256 seats,
        Conditions calldata conditions,
        Coupon calldata coupon,
        bytes calldata couponSignature
    ) external returns (uint256 subscriptionId);

    /// @notice As `submitMandate`, for one of the plans that the payer agreed to. The signature may also be one of a
    /// wallet that does not exist yet (ERC-6492).
    /// @param planId The plan that whoever submits it chooses.
    /// @param coupon The one that the mandate names; with `periods` 0: none.
    function submitMandateWithConditions(
        MandateWithConditions calldata mandate,
        uint256 planId,
        bytes calldata signature,
        Coupon calldata coupon,
        bytes calldata couponSignature
    ) external returns (uint256 subscriptionId);
}

/// @title ISubscriptionsViews
/// @notice Everything that can be read.
interface ISubscriptionsViews is ISubscriptionsTypes {
    /// @notice What `changePlan` would do now. Reverts as it would.
    function quote(uint256 subscriptionId, uint256 planId, uint256 seats) external view returns (Quote memory);

    /// @notice What usage may still cost in the period being served; 0 where the plan has none.
    function usageLeft(uint256 subscriptionId) external view returns (uint256);

    /// @notice What `charge` would do now, as far as allowance and balance tell.
    function preview(uint256 subscriptionId) external view returns (Preview memory);

    /// @notice What the contract keeps for an account.
    function claimable(address account, address token) external view returns (uint256);

    /// @notice How many registers there are.
    function registerCount() external view returns (uint256);

    /// @notice How many plans there are.
    function planCount() external view returns (uint256);

    /// @notice The payee to whom a register was handed over; zero where its plans name who is paid.
    function payeeOf(uint256 registerId) external view returns (address);

    /// @notice The terms of a plan.
    function plan(uint256 planId) external view returns (PlanTerms memory);

    /// @notice What a payer agrees to: keccak256 of the plan as it is stored.
    function termsHash(uint256 planId) external view returns (bytes32);

    /// @notice Whether a plan takes no more subscriptions.
    function isArchived(uint256 planId) external view returns (bool);

    /// @notice A subscription.
    function subscription(uint256 subscriptionId) external view returns (Subscription memory);

    /// @notice Whether a payer had the trial of a family of plans.
    function isTrialUsed(uint256 planId, address payer) external view returns (bool);

    /// @notice The EIP-712 digest that the payer signs.
    function mandateHash(Mandate calldata mandate) external view returns (bytes32);

    /// @notice Whether a payer's salt is used or revoked.
    function isSaltUsed(address payer, uint256 salt) external view returns (bool);

    /// @notice What was given back of one charge.
    function refunded(uint256 subscriptionId, uint256 chargeNumber) external view returns (uint256);

    /// @notice Count and sum of everything a payee was charged for and gave back in a token.
    function controlTotals(address payee, address token) external view returns (ControlTotals memory);

    /// @notice What is scheduled for the end of the paid period; (0, 0) where nothing is.
    function scheduledChange(uint256 subscriptionId) external view returns (uint256 planId, uint256 seats);

    /// @notice What the payer added to the plan's terms; `maxTotal` is what is left of it, and `startsAt` is 0.
    /// @return found The conditions.
    /// @return isSpent Whether nothing is left of it.
    function conditions(uint256 subscriptionId) external view returns (Conditions memory found, bool isSpent);

    /// @notice Whom a subscription serves: the payer, where no one else was named.
    function beneficiary(uint256 subscriptionId) external view returns (address);

    /// @notice What a coupon takes off, for how many charges more.
    function discount(uint256 subscriptionId)
        external
        view
        returns (uint256 basisPointsOff, uint256 amountOff, uint256 periods);

    /// @notice The wallet that pays where the payer cannot, or zero, and the plan and seats that it agreed to.
    function fallbackWallet(uint256 subscriptionId)
        external
        view
        returns (address wallet, uint256 planId, uint256 seats);

    /// @notice The plan in another token under which a charge is made where the payer lacks the first one, or 0, and
    /// the plan and seats for which it was named.
    function fallbackPlan(uint256 subscriptionId)
        external
        view
        returns (uint256 alternativePlanId, uint256 planId, uint256 seats);

    /// @notice Whether the payee of both plans offers the second as an alternative to the first.
    function isAlternative(uint256 planId, uint256 alternativePlanId) external view returns (bool);

    /// @notice The EIP-712 digest that the payee of a plan signs.
    function couponHash(uint256 planId, Coupon calldata coupon) external view returns (bytes32);

    /// @notice Whether a payer has redeemed a coupon.
    function isCouponUsed(bytes32 hash, address payer) external view returns (bool);

    /// @notice The EIP-712 digest that the payer signs, for a plan of the mandate.
    function mandateWithConditionsHash(MandateWithConditions calldata mandate, uint256 planId)
        external
        view
        returns (bytes32);
}

/// @title ISubscriptionsFrames
/// @notice What the contract calls of itself, in frames whose effects can be undone. Nobody else can.
interface ISubscriptionsFrames {
    /// @notice Charges a row that needs more than a plan, seats and credit, and that is due. Reverts where the token
    /// refuses.
    /// @return reason Why it was not charged, or `None`.
    /// @return paid How many charges that makes in the plan's register: 0 where another one counts it.
    /// @return amount What was paid, in the plan's token.
    /// @return received The part of it that the payee received.
    function chargeSpecialRow(uint256 subscriptionId)
        external
        returns (ISubscriptionsTypes.DeclineReason reason, uint256 paid, uint256 amount, uint256 received);

    /// @notice Charges the first period of a subscription that was opened before in the same call. Reverts where the
    /// token refuses, and keeps nothing for who cannot receive it.
    /// @return reason Why it was not charged, or `None`.
    /// @return found What was too much or too little,
    /// @return allowed and for what.
    /// @return amount What was paid.
    function chargeFirst(uint256 subscriptionId)
        external
        returns (
            ISubscriptionsTypes.DeclineReason reason, uint256 found, uint256 allowed, uint256 amount
        );
}

/// @title ISubscriptions
/// @notice Recurring charges in a token, within what the payer agreed to, without custody: money goes from payer to
/// payee in the charge itself. Nobody owns the contract, nothing in it can be changed or stopped.
///
/// Amounts are base units of the plan's token. Times are Unix seconds, UTC. Intervals are [start, end).
///
/// Not protected: a payer who grants more allowance than they wish to spend is protected by the mandate alone; a payee
/// that spends what it received cannot be made to refund; a token that its issuer can freeze can be frozen.
interface ISubscriptions is
    ISubscriptionsCore,
    ISubscriptionsPayee,
    ISubscriptionsPayer,
    ISubscriptionsConsent,
    ISubscriptionsViews
{}
