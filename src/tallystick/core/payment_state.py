"""Where a payment stands, and what each event may do to it: the rules of `Escrow`, checked again.

At any time `held + captured + returned + arbiter = amount`: what is still held, what was captured for the payee (the
platform's fee included), what went back to the payer, and what rulings cost. Refunds come out of what was captured.

Whatever the contract could not have done is refused by EventsInconsistent. Who called is not in the events: the payer
may capture while anything is held, disputed or not, so that times and milestones bind a capture only as far as it is
told to be for a milestone.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from tallystick.core.act import refuse
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.payment import PaymentStatus, PaymentTerms
from tallystick.core.payment_events import (
    Authorized,
    Captured,
    DisputeOpened,
    EvidenceSubmitted,
    MilestoneReached,
    PaymentCharged,
    PaymentRefunded,
    Reclaimed,
    RecordedPayment,
    Ruled,
    Voided,
)
from tallystick.core.plan import BASIS


class Payment(NamedTuple):
    """A payment as it stands. `since` is when it was authorized or charged; while disputed, when the dispute began, in
    Unix seconds. `milestones` has a bit for each that was captured."""

    payment_id: bytes
    terms: PaymentTerms
    collector: str | None
    status: PaymentStatus
    held_units: int
    captured_units: int
    returned_units: int
    arbiter_units: int
    refunded_units: int
    since: int
    milestones: int

    @property
    def refundable_units(self) -> int:
        """What was captured and not refunded."""
        return self.captured_units - self.refunded_units


class Part(Enum):
    """In which part an account is paid."""

    PAYEE = "payee"
    FEE = "fee"
    PAYER = "payer"
    ARBITER = "arbiter"


class Payout(NamedTuple):
    """What an event paid to an account."""

    part: Part
    account: str
    units: int


def objection(terms: PaymentTerms) -> str | None:
    """What is wrong with terms on which the contract makes no payment, whatever the time; None where nothing is."""
    payer, payee, arbiter, receiver = terms.payer, terms.payee, terms.arbiter, terms.fee_receiver
    disputes, fee_bps = arbiter != ZERO_ADDRESS, terms.max_fee_bps
    named = [party for party in (payer, payee, arbiter) if party != ZERO_ADDRESS]
    rules: tuple[tuple[bool, str], ...] = (
        (ZERO_ADDRESS in {payer, payee}, "no payer or payee"),
        (len(set(named)) < len(named) or receiver in {payer, payee}, "one account in two parts"),
        (terms.amount_units == 0, "no amount"),
        (not terms.authorize_before <= terms.capture_before <= terms.refund_before, "deadlines out of their order"),
        (not terms.min_fee_bps <= fee_bps <= BASIS, "a fee that is out of bounds"),
        ((receiver != ZERO_ADDRESS) != (fee_bps != 0), "a fee without a receiver, or the other way"),
        (max(terms.default_payee_bps, terms.max_arbiter_fee_bps) > BASIS, "more than all of it for one side"),
        (disputes != (terms.ruling_timeout_s != 0), "an arbiter without a time for the ruling, or the other way"),
        (not disputes and bool(terms.default_payee_bps or terms.max_arbiter_fee_bps), "a ruling without an arbiter"),
    )
    return next((text for wrong, text in rules if wrong), None)


def opened(recorded: RecordedPayment, event: Authorized | PaymentCharged) -> Payment:
    """A payment that begins. Raises EventsInconsistent, as all of these."""
    terms, time = event.terms, recorded.origin.block_time
    if wrong := objection(terms):
        refuse(recorded, f"the contract makes no payment with {wrong}")
    if time >= terms.authorize_before:
        refuse(recorded, f"it could be made before {terms.authorize_before}, its block has the time {time}")
    units = terms.amount_units
    if isinstance(event, Authorized):
        amounts = (units, 0, 0, 0, 0)
        return Payment(event.payment_id, terms, event.collector, PaymentStatus.OPEN, *amounts, time, 0)
    if terms.dispute_window_s or any(terms.milestones_root):
        refuse(recorded, "it is charged at once, and its terms have a dispute window or milestones")
    _require_fee(recorded, terms, units, event.fee_units)
    return Payment(event.payment_id, terms, event.collector, PaymentStatus.CLOSED, 0, units, 0, 0, 0, time, 0)


def captured(recorded: RecordedPayment, event: Captured, payment: Payment, milestone: int | None) -> Payment:
    """After a capture, of a milestone where one was told before it."""
    _require_held(recorded, payment)
    units = event.amount_units
    if not 0 < units <= payment.held_units:
        refuse(recorded, f"{units} units are captured of {payment.held_units} that are held")
    _require_fee(recorded, payment.terms, units, event.fee_units)
    held = payment.held_units - units
    return payment._replace(
        status=payment.status if held else PaymentStatus.CLOSED,
        held_units=held,
        captured_units=payment.captured_units + units,
        milestones=payment.milestones | (0 if milestone is None else 1 << milestone),
    )


def require_milestone(recorded: RecordedPayment, event: MilestoneReached, payment: Payment) -> None:
    """The payee's alone: within its time, once."""
    terms, time = payment.terms, recorded.origin.block_time
    if payment.status is not PaymentStatus.OPEN or not any(terms.milestones_root):
        refuse(recorded, "a milestone is captured of a payment that is not open, or has none")
    if not payment.since + terms.dispute_window_s <= time < terms.capture_before:
        refuse(recorded, f"a milestone is captured at {time}, which is not between dispute window and deadline")
    if payment.milestones >> event.milestone & 1:
        refuse(recorded, f"milestone {event.milestone} was captured before")


def given_back(recorded: RecordedPayment, event: Voided | Reclaimed, payment: Payment) -> Payment:
    """After all that was held went back to the payer."""
    _require_held(recorded, payment)
    if isinstance(event, Reclaimed):
        if payment.status is not PaymentStatus.OPEN:
            refuse(recorded, "it is reclaimed while it is disputed")
        if recorded.origin.block_time < payment.terms.capture_before:
            refuse(recorded, f"it is reclaimed before {payment.terms.capture_before}")
    if event.amount_units != payment.held_units:
        refuse(recorded, f"{event.amount_units} units go back of {payment.held_units} that are held")
    return payment._replace(
        status=PaymentStatus.CLOSED, held_units=0, returned_units=payment.returned_units + payment.held_units
    )


def refunded(recorded: RecordedPayment, event: PaymentRefunded, payment: Payment) -> Payment:
    """After the payee gave back what was captured."""
    if recorded.origin.block_time >= payment.terms.refund_before:
        refuse(recorded, f"it is refunded after {payment.terms.refund_before}")
    if not 0 < event.amount_units <= payment.refundable_units:
        refuse(recorded, f"{event.amount_units} units are refunded of {payment.refundable_units} that can be")
    return payment._replace(refunded_units=payment.refunded_units + event.amount_units)


def disputed(recorded: RecordedPayment, event: DisputeOpened, payment: Payment) -> Payment:
    """After payer or payee called the arbiter."""
    terms, time = payment.terms, recorded.origin.block_time
    if payment.status is not PaymentStatus.OPEN or terms.arbiter == ZERO_ADDRESS:
        refuse(recorded, f"a payment that is {payment.status.name.lower()}, or has no arbiter, is disputed")
    if event.by not in {terms.payer, terms.payee} or time >= terms.capture_before:
        refuse(recorded, f"{event.by} disputes it at {time}: payer or payee may, before {terms.capture_before}")
    return payment._replace(status=PaymentStatus.DISPUTED, since=time)


def require_evidence(recorded: RecordedPayment, event: EvidenceSubmitted, payment: Payment) -> None:
    """By one of the three, in a dispute."""
    parties = {payment.terms.payer, payment.terms.payee, payment.terms.arbiter}
    if payment.status is not PaymentStatus.DISPUTED or event.by not in parties:
        refuse(recorded, f"{event.by} names a document of a payment that is {payment.status.name.lower()}")


def ruled(recorded: RecordedPayment, event: Ruled, payment: Payment) -> Payment:
    """After what was held was divided, by the arbiter or by the terms."""
    terms, held, time = payment.terms, payment.held_units, recorded.origin.block_time
    if payment.status is not PaymentStatus.DISPUTED:
        refuse(recorded, f"a payment that is {payment.status.name.lower()} is ruled on")
    gross = event.to_payee_units + event.fee_units
    total = gross + event.to_payer_units + event.arbiter_fee_units
    if total != held:
        refuse(recorded, f"{total} units are divided of {held} that are held")
    if event.fee_units != gross * terms.min_fee_bps // BASIS:
        refuse(recorded, f"the fee of a ruling is {event.fee_units} units of {gross}")
    late = time >= payment.since + terms.ruling_timeout_s
    most = held * terms.max_arbiter_fee_bps // BASIS
    if event.by_default:
        fits = late and not event.arbiter_fee_units and gross == held * terms.default_payee_bps // BASIS
    else:
        fits = not late and event.arbiter_fee_units <= most
    if not fits:
        refuse(recorded, "the ruling is not what the terms allow at that time")
    return payment._replace(
        status=PaymentStatus.CLOSED,
        held_units=0,
        captured_units=payment.captured_units + gross,
        returned_units=payment.returned_units + event.to_payer_units,
        arbiter_units=payment.arbiter_units + event.arbiter_fee_units,
    )


def payouts_of(
    event: PaymentCharged | Captured | Voided | Reclaimed | Ruled, terms: PaymentTerms
) -> tuple[Payout, ...]:
    """What the event paid out, in the contract's order."""
    payee = fee = payer = arbiter = 0
    match event:
        case PaymentCharged():
            payee, fee = terms.amount_units - event.fee_units, event.fee_units
        case Captured():
            payee, fee = event.amount_units - event.fee_units, event.fee_units
        case Ruled():
            payee, fee = event.to_payee_units, event.fee_units
            payer, arbiter = event.to_payer_units, event.arbiter_fee_units
        case _:
            payer = event.amount_units
    found = (
        Payout(Part.PAYEE, terms.payee, payee),
        Payout(Part.FEE, terms.fee_receiver, fee),
        Payout(Part.PAYER, terms.payer, payer),
        Payout(Part.ARBITER, terms.arbiter, arbiter),
    )
    return tuple(payout for payout in found if payout.units)


def _require_held(recorded: RecordedPayment, payment: Payment) -> None:
    if payment.status not in {PaymentStatus.OPEN, PaymentStatus.DISPUTED}:
        refuse(recorded, f"nothing is held of a payment that is {payment.status.name.lower()}")


def _require_fee(recorded: RecordedPayment, terms: PaymentTerms, units: int, fee_units: int) -> None:
    least, most = (units * bps // BASIS for bps in (terms.min_fee_bps, terms.max_fee_bps))
    if not least <= fee_units <= most:
        refuse(recorded, f"the fee is {fee_units} units, the terms allow {least} to {most} of {units}")
