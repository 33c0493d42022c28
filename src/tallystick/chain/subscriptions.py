"""Typed calls of `Subscriptions`, over the one ABI artefact.

Reads need a node alone, writes a sender as well. Every call raises the contract's own errors (`errors.ContractError`)
and NodeErrors; writes also SignerErrors and TransactionErrors. Amounts are base units of the plan's token, times Unix
seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from eth_utils.address import to_checksum_address

from tallystick.chain.calls import call_data, decoded
from tallystick.chain.consent import ConsentCalls, Discount
from tallystick.chain.contract import Sent
from tallystick.chain.plans import read_plans, terms_values
from tallystick.chain.sender import Call
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.change import Segment
from tallystick.core.payee_change import SignedPayeeChange
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.plan_change import SignedPlanChange
from tallystick.core.subscription import DeclineReason, Status, Subscription
from tallystick.errors import InputError, UnusedNotRefunded

__all__ = ["ControlTotals", "Discount", "Preview", "Quote", "ScheduledChange", "Sent", "Subscriptions"]


class ControlTotals(NamedTuple):
    """How many subscriptions, and count and sum of all charges and refunds, a payee ever had in one token."""

    subscriptions: int
    charge_count: int
    charged_units: int
    refund_count: int
    refunded_units: int


class Quote(NamedTuple):
    """What a change of plan or seats would do now: what the payer pays at once, the credit that is left for later
    charges, and when the next one is due."""

    to_pay_units: int
    credit_units: int
    next_due: int


class ScheduledChange(NamedTuple):
    """The plan and the number of seats from the next period on."""

    plan_id: int
    seats: int


class Preview(NamedTuple):
    """What a charge would do now: why it would decline (NONE: it would pay), the period [start, end) that it pays for
    (0, 0 while paused), what the payer pays, and the credit that is used before."""

    reason: DeclineReason
    period_start: int
    period_end: int
    amount_units: int
    credit_used_units: int


class Subscriptions(ConsentCalls):
    """The contract at one address on one chain."""

    # --- Reads ---

    def plan_count(self) -> int:
        """How many plans there are; they are numbered from 1."""
        return int(self._read("planCount"))

    def plan(self, plan_id: int) -> Plan:
        """Raises UnknownPlan."""
        return self.plans([plan_id])[0]

    def plans(self, plan_ids: Iterable[int]) -> list[Plan]:
        """Many plans in few requests. Raises UnknownPlan."""
        return read_plans(self.node, self.address, plan_ids)

    def register_count(self) -> int:
        """How many registers there are, one for each payee and token; they are numbered from 0."""
        return int(self._read("registerCount"))

    def is_archived(self, plan_id: int) -> bool:
        """Whether a plan takes no more subscriptions."""
        return bool(self._read("isArchived", plan_id))

    def is_trial_used(self, plan_id: int, payer: str) -> bool:
        """Whether the payer had the trial of the plan's family. Raises UnknownPlan."""
        return bool(self._read("isTrialUsed", plan_id, payer))

    def subscription(self, subscription_id: int) -> Subscription:
        """As it stands; `shifted` is not told by the contract. Raises UnknownSubscription."""
        return _subscription(subscription_id, self._read("subscription", subscription_id))

    def commitment(self, subscription_id: int) -> int:
        """What the contract remembers of charges that were not the plan's rate, a hash; 0 where there are none.

        Raises UnknownSubscription.
        """
        return int(self._read("subscription", subscription_id)[-1])

    def quote(self, subscription_id: int, plan_id: int, seats: int) -> Quote:
        """What `change_plan` would do in the newest block. Raises what it would."""
        return Quote(*self._read("quote", subscription_id, plan_id, seats))

    def preview(self, subscription_id: int) -> Preview:
        """What `charge` would do in the newest block, as far as allowance and balance tell.

        Raises UnknownSubscription.
        """
        reason, start, end, amount, credit = self._read("preview", subscription_id)
        return Preview(DeclineReason(reason), start, end, amount, credit)

    def scheduled_change(self, subscription_id: int) -> ScheduledChange | None:
        """What is scheduled for the end of the paid period; None where nothing is. Raises UnknownSubscription."""
        found = ScheduledChange(*self._read("scheduledChange", subscription_id))
        return found if found.plan_id else None

    def usage_left(self, subscription_id: int) -> int:
        """Units that usage may still cost in the period being served; 0 where the plan charges none.

        Raises UnknownSubscription.
        """
        return int(self._read("usageLeft", subscription_id))

    def claimable(self, account: str, token: str) -> int:
        """Units that the contract keeps for an account that could not receive them."""
        return int(self._read("claimable", account, token))

    def refunded(self, subscription_id: int, charge_number: int) -> int:
        """Units that were given back of one charge."""
        return int(self._read("refunded", subscription_id, charge_number))

    def control_totals(self, payee: str, token: str) -> ControlTotals:
        """What the contract counted for a payee in a token; zeros where it never charged."""
        subscriptions, charges, refunds = self._read("controlTotals", payee, token)
        return ControlTotals(subscriptions, *charges, *refunds)

    # --- Plans ---

    def create_plan(self, terms: PlanTerms) -> Sent:
        """The sender, who is the payee, creates a plan. Events: RegisterOpened for its first in the token, PlanCreated.

        The contract checks payee, token, price, period, fee and that the terms do not contradict each other. Raises
        ZeroAddress, NotAuthorized, PayeeRefused, ZeroAmount, NotAContract, PeriodOutOfRange, FeeTooHigh or
        TermsContradict.
        """
        return self._send("createPlan", terms_values(terms))

    def payee_of(self, register_id: int) -> str | None:
        """Who is paid now in a register that moved to another payee; None where it never did."""
        found = str(to_checksum_address(self._read("payeeOf", register_id)))
        return None if found == ZERO_ADDRESS else found

    def change_payee(self, signed: SignedPayeeChange) -> Sent:
        """A register moves to another payee, with its plans, subscriptions and totals; whoever sends it needs no
        signature of their own. Event: PayeeChanged.

        Raises SignatureExpired, ZeroAddress, PayeeRefused, UnknownRegister, RegisterExists, InvalidSignature or
        SaltUsed.
        """
        change = signed.change
        accounts = change.payee, change.token, change.new_payee
        signatures = signed.payee_signature, signed.new_payee_signature
        return self._send("changePayee", *accounts, change.salt, change.valid_before, *signatures)

    def archive_plan(self, plan_id: int) -> Sent:
        """The payee lets a plan take no more subscriptions; those that it has go on. Event: PlanArchived.

        Raises UnknownPlan, NotAuthorized or PlanIsArchived.
        """
        return self._send("archivePlan", plan_id)

    # --- Charges, cancellations, refunds ---

    def charge_dry_run(self, subscription_ids: Sequence[int]) -> list[DeclineReason]:
        """What `charge` would do in the next block: for each row why it would not be paid, NONE where it would be."""
        _require_rows(subscription_ids)
        call = Call(self.address, call_data("charge", list(subscription_ids)))
        answer = (
            self.node.call(call.to, call.data, block="pending") if self._sender is None else self._sender.dry_run(call)
        )
        return [DeclineReason(reason) for reason in decoded("charge", answer)]

    def charge_gas(self, subscription_ids: Sequence[int]) -> int:
        """The gas that `charge` would need in the next block."""
        _require_rows(subscription_ids)
        return self.sender.estimate(Call(self.address, call_data("charge", list(subscription_ids))))

    def charge(self, subscription_ids: Sequence[int]) -> Sent:
        """Charges what is due; `reasons` of the answer says how each row went. Events: Charged or Declined for each."""
        _require_rows(subscription_ids)
        return self._send("charge", list(subscription_ids))

    def charge_usage(
        self, subscription_id: int, charge_number: int, amount_units: int, quantity: int, usage_hash: bytes
    ) -> Sent:
        """The sender, who is the plan's payee or its biller, charges what was used in the period being served.

        `charge_number`: one more than the charges that were made; sent twice, it charges once. `usage_hash`: 32 bytes,
        of the document that lists the usage. Events: UsageCharged, then Charged. Raises UnknownSubscription,
        NotAuthorized, ZeroAmount, AnotherChargeIsNext, NotActive, TrialRunning, UsageEnded, UsageTooDear,
        UsageAboveCap, AllowanceTooLow, BalanceTooLow, TokenRefused or AmountMismatch.
        """
        return self._send("chargeUsage", subscription_id, charge_number, amount_units, quantity, usage_hash)

    def change_plan(self, subscription_id: int, plan: Plan, seats: int, max_to_pay_units: int) -> Sent:
        """The payer changes plan, seats or both, within a paid period or a trial, and pays at most that much now.

        Events: CreditUsed and Charged where the change charges, then PlanChanged; where something is paid, and seats
        and due time stay, Upgraded in place of the last two. Raises UnknownSubscription, NotAuthorized, UnknownPlan,
        TermsChanged, NotActive, ChargeDue, NothingToChange, AnotherRegister, FixedTerm, MinimumTerm, TrialRunning,
        PayerIsPayee, PlanIsArchived, SeatsOutOfRange, CreditTooHigh, ToPayTooHigh, AllowanceTooLow, BalanceTooLow,
        TokenRefused or AmountMismatch.
        """
        values = (subscription_id, plan.plan_id, plan.terms_hash(), seats, max_to_pay_units)
        return self._send("changePlan", *values)

    def schedule_change(self, subscription_id: int, plan: Plan, seats: int) -> Sent:
        """The payer changes plan, seats or both when the paid period ends; the present ones take back what was
        scheduled.

        Event: ChangeScheduled. Raises UnknownSubscription, NotAuthorized, NotActive, ChargeDue, UnknownPlan,
        TermsChanged, NothingToChange, AnotherRegister, FixedTerm, MinimumTerm, TrialRunning, PayerIsPayee,
        PlanIsArchived, SeatsOutOfRange or MaximumMissing.
        """
        return self._send("scheduleChange", subscription_id, plan.plan_id, plan.terms_hash(), seats)

    def schedule_change_by_signature(self, signed: SignedPlanChange) -> Sent:
        """As `schedule_change`, signed by the payer and sent by anyone. Event: ChangeScheduled.

        Raises what that does, and SignatureExpired, InvalidSignature or SaltUsed.
        """
        change = signed.change
        values = (change.subscription_id, change.plan_id, change.seats, change.salt, change.valid_before)
        return self._send("scheduleChangeBySignature", *values, signed.signature)

    def try_schedule(self, subscription_id: int, plan: Plan, seats: int, payer: str) -> None:
        """Raises what `schedule_change` would raise for that payer now. Sends nothing."""
        self._try("scheduleChange", subscription_id, plan.plan_id, plan.terms_hash(), seats, sender=payer)

    def lower_price(self, subscription_ids: Sequence[int], plan_id: int) -> Sent:
        """The payee moves subscriptions, from the next charge on, to a plan that differs by lower prices alone from the
        one that would be charged next. Those for which it does not, or that have ended, are passed over.

        Event: PriceLowered for each other. Raises UnknownPlan, NotAuthorized, or TermsWorse where none is left.
        """
        return self._send("lowerPrice", list(subscription_ids), plan_id)

    def cancel(self, subscription_id: int) -> Sent:
        """Payer or payee end a subscription now; the payer only once the plan's minimum is charged. Event: Cancelled.

        Raises UnknownSubscription, NotAuthorized, MinimumTerm, NotActive, or UnusedNotRefunded where the plan promises
        the payer a refund: `cancel_with_refund`.
        """
        return self._send("cancel", subscription_id)

    def cancel_at_period_end(self, subscription_id: int) -> Sent:
        """Ends a subscription when the paid period does. Event: CancellationScheduled. Raises as `cancel`."""
        return self._send("cancelAtPeriodEnd", subscription_id)

    def cancel_by_signature(self, subscription_id: int, valid_before: int, signature: bytes) -> Sent:
        """Ends a subscription now, signed by its payer and sent by anyone. Event: Cancelled.

        Raises UnknownSubscription, SignatureExpired, InvalidSignature, MinimumTerm or NotActive.
        """
        return self._send("cancelBySignature", subscription_id, valid_before, signature)

    def stop(self, subscription_ids: Sequence[int], salts: Sequence[int] = ()) -> Sent:
        """The payer's emergency stop, whatever the plans' minimum: Cancelled for each of its subscriptions that had not
        ended, MandateRevoked for each salt that was not used. What is not the sender's is passed over."""
        return self._send("stop", list(subscription_ids), list(salts))

    def pause(self, subscription_id: int) -> Sent:
        """The payer stops the clock within a paid period. Event: Paused.

        Raises UnknownSubscription, NotAuthorized, NotActive or ChargeDue.
        """
        return self._send("pause", subscription_id)

    def resume(self, subscription_id: int) -> Sent:
        """The payer lets the clock go on. Event: Resumed. Raises UnknownSubscription, NotAuthorized or NotPaused."""
        return self._send("resume", subscription_id)

    def refund(
        self, subscription_id: int, charge_number: int, amount_units: int, history: Sequence[Segment] = ()
    ) -> Sent:
        """The sender, who is the payee, gives back a part or all of a charge, by its allowance. Event: Refunded.

        `history`: what was paid for charges that were not the plan's rate, oldest first. Raises UnknownSubscription,
        HistoryMismatch, NotAuthorized, ZeroAmount, UnknownCharge, RefundTooHigh, AllowanceTooLow, BalanceTooLow or
        TokenRefused.
        """
        if not history:
            return self._send("refund", subscription_id, charge_number, amount_units)
        return self._send("refundChanged", subscription_id, charge_number, amount_units, list(history))

    def unused(self, subscription_id: int, payee: str, history: Sequence[Segment] = ()) -> int:
        """Units that `cancel_with_refund` would give back now: what is left of the paid period, and the credit.

        Raises what it would, for that payee.
        """
        try:
            self._try("cancelWithRefund", subscription_id, [], list(history), sender=payee)
        except UnusedNotRefunded as error:
            return error.needed
        return 0

    def cancel_with_refund(
        self, subscription_id: int, charge_numbers: Sequence[int], history: Sequence[Segment] = ()
    ) -> Sent:
        """The sender, who is the payee, ends a subscription now and gives back what is unused out of these charges,
        from the first on, by its allowance. Events: Cancelled, Refunded for each charge of which something is given
        back.

        Raises UnknownSubscription, NotAuthorized, PlanIsQuoted, NotActive, HistoryMismatch, UnknownCharge,
        UnusedNotRefunded, AllowanceTooLow, BalanceTooLow or TokenRefused.
        """
        return self._send("cancelWithRefund", subscription_id, list(charge_numbers), list(history))

    def claim(self, account: str, token: str) -> Sent:
        """Anyone has paid out what the contract keeps for an account. Event: Claimed.

        Raises NothingToClaim, or TokenRefused where the account still cannot receive it.
        """
        return self._send("claim", account, token)


def _require_rows(subscription_ids: Sequence[int]) -> None:
    if not subscription_ids:
        raise InputError("found no subscription to charge, at least one is needed: name its number")


def _subscription(subscription_id: int, values: Any) -> Subscription:
    payer, plan_id, next_due, charges, status, anchor_day, seats, credit_units, _ = values
    address = to_checksum_address(payer)
    return Subscription(
        subscription_id, address, plan_id, next_due, charges, Status(status), anchor_day, seats, credit_units
    )
