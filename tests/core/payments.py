"""Payments for tests: terms that may be what the contract takes, and a contract in Python that lives random lives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from tallystick.core.events import Origin
from tallystick.core.payment import PaymentStatus, PaymentTerms
from tallystick.core.payment_events import (
    Authorized,
    Captured,
    DisputeOpened,
    EvidenceSubmitted,
    MilestoneReached,
    PaymentCharged,
    PaymentEvent,
    PaymentRefunded,
    PayoutKept,
    Reclaimed,
    RecordedPayment,
    Ruled,
    Voided,
)
from tallystick.core.plan import BASIS

CHAIN_ID, CONTRACT = 31_337, "0x" + "5" * 40
PAYER, PAYEE, TOKEN, ARBITER, PLATFORM, COLLECTOR = ("0x" + digit * 40 for digit in "123467")
START, WINDOW, DEADLINE, LAST, TIMEOUT = 1_000, 100, 10_000, 20_000, 500
TERMS = PaymentTerms(
    *(PAYER, PAYEE, TOKEN),
    amount_units=1_000,
    authorize_before=START + 1,
    capture_before=DEADLINE,
    refund_before=LAST,
    salt=7,
)
FULL = replace(
    TERMS,
    dispute_window_s=WINDOW,
    arbiter=ARBITER,
    ruling_timeout_s=TIMEOUT,
    default_payee_bps=3_333,
    max_arbiter_fee_bps=500,
    min_fee_bps=100,
    max_fee_bps=300,
    fee_receiver=PLATFORM,
    milestones_root=b"m" * 32,
)


def id_of(terms: PaymentTerms) -> bytes:
    return terms.payment_id(chain_id=CHAIN_ID, contract=CONTRACT)


class Told:
    """Events in their order, one transaction each unless they belong together."""

    def __init__(self) -> None:
        self.recorded: list[RecordedPayment] = []
        self.time = START
        self.transactions = 0

    def tell(self, *events: PaymentEvent) -> None:
        """In one transaction, now."""
        self.transactions += 1
        for event in events:
            index = len(self.recorded)
            origin = Origin(index, index.to_bytes(32, "big"), self.time, self.transactions.to_bytes(32, "big"), index)
            self.recorded.append(RecordedPayment(origin, event))


def authorized(terms: PaymentTerms, collector: str | None = None) -> Authorized:
    return Authorized(id_of(terms), terms, collector)


@st.composite
def terms_of_payments(draw: st.DrawFn) -> PaymentTerms:
    """Any that the contract takes."""
    units = draw(st.one_of(st.integers(1, 30), st.integers(1, 2**96 - 1)))
    terms = replace(TERMS, amount_units=units, salt=draw(st.integers(0, 2**256 - 1)))
    if draw(st.booleans()):
        most = draw(st.integers(1, BASIS))
        terms = replace(terms, fee_receiver=PLATFORM, max_fee_bps=most, min_fee_bps=draw(st.integers(0, most)))
    if draw(st.booleans()):
        terms = replace(
            terms,
            arbiter=ARBITER,
            ruling_timeout_s=TIMEOUT,
            default_payee_bps=draw(st.integers(0, BASIS)),
            max_arbiter_fee_bps=draw(st.integers(0, BASIS)),
        )
    if draw(st.booleans()):
        terms = replace(terms, dispute_window_s=WINDOW)
    return replace(terms, milestones_root=b"m" * 32) if draw(st.booleans()) else terms


class Life:
    """A payment as `Escrow.sol` would let it live, told event by event."""

    def __init__(self, draw: st.DrawFn, terms: PaymentTerms) -> None:
        self.draw, self.terms, self.id, self.told = draw, terms, id_of(terms), Told()
        self.status, self.held, self.refundable, self.since, self.reached = PaymentStatus.NONE, 0, 0, 0, 0
        self.payouts: dict[str, int] = {}
        self.kept: dict[str, int] = {}

    def live(self, steps: int) -> None:
        self._begin()
        for _ in range(steps):
            verbs = [verb for verb, allowed in self._verbs() if allowed]
            if not verbs:
                return
            self.draw(st.sampled_from(verbs))()

    def _verbs(self) -> list[tuple[Callable[[], None], bool]]:
        is_open, is_disputed = self.status is PaymentStatus.OPEN, self.status is PaymentStatus.DISPUTED
        time, has_arbiter = self.told.time, self.terms.ruling_timeout_s > 0
        in_time = self.since + self.terms.dispute_window_s <= time < DEADLINE
        return [
            (self._wait, True),
            (self._capture, is_open or is_disputed),
            (self._milestone, is_open and in_time and any(self.terms.milestones_root)),
            (self._void, is_open or is_disputed),
            (self._reclaim, is_open and time >= DEADLINE),
            (self._dispute, is_open and has_arbiter and time < DEADLINE),
            (self._hear, is_disputed),
            (self._rule, is_disputed),
            (self._refund, self.refundable > 0 and time < LAST),
        ]

    def _wait(self) -> None:
        self.told.time += self.draw(st.sampled_from((1, WINDOW, TIMEOUT, DEADLINE, LAST)))

    def _fee(self, units: int) -> int:
        return units * self.draw(st.integers(self.terms.min_fee_bps, self.terms.max_fee_bps)) // BASIS

    def _begin(self) -> None:
        terms, units = self.terms, self.terms.amount_units
        collector = self.draw(st.sampled_from((None, COLLECTOR)))
        self.since = self.told.time
        if not terms.dispute_window_s and not any(terms.milestones_root) and self.draw(st.booleans()):
            fee = self._fee(units)
            self.status, self.refundable = PaymentStatus.CLOSED, units
            self._pay(PaymentCharged(self.id, terms, collector, fee), payee=units - fee, fee=fee)
        else:
            self.status, self.held = PaymentStatus.OPEN, units
            self.told.tell(authorized(terms, collector))

    def _pay(self, *events: PaymentEvent, **parts: int) -> None:
        accounts = {"payee": PAYEE, "fee": PLATFORM, "payer": PAYER, "arbiter": ARBITER}
        kept: list[PaymentEvent] = []
        for part, units in parts.items():
            account = accounts[part]
            if units and self.draw(st.booleans()):
                kept.append(PayoutKept(account, TOKEN, self.id, units))
                self.kept[account] = self.kept.get(account, 0) + units
            self.payouts[account] = self.payouts.get(account, 0) + units
        self.told.tell(*events, *kept)

    def _take(self, *before: PaymentEvent) -> None:
        units = self.draw(st.one_of(st.just(self.held), st.integers(1, self.held)))
        fee = self._fee(units)
        self.held, self.refundable = self.held - units, self.refundable + units
        if not self.held:
            self.status = PaymentStatus.CLOSED
        self._pay(*before, Captured(self.id, units, fee), payee=units - fee, fee=fee)

    def _capture(self) -> None:
        self._take()

    def _milestone(self) -> None:
        left = [index for index in range(20) if not self.reached >> index & 1]
        if left:
            index = self.draw(st.sampled_from(left))
            self.reached |= 1 << index
            self._take(MilestoneReached(self.id, index))

    def _back(self, kind: Any) -> None:
        units, self.held, self.status = self.held, 0, PaymentStatus.CLOSED
        self._pay(kind(self.id, units), payer=units)

    def _void(self) -> None:
        self._back(Voided)

    def _reclaim(self) -> None:
        self._back(Reclaimed)

    def _dispute(self) -> None:
        self.status, self.since = PaymentStatus.DISPUTED, self.told.time
        self.told.tell(DisputeOpened(self.id, self.draw(st.sampled_from((PAYER, PAYEE))), bytes(32)))

    def _hear(self) -> None:
        self.told.tell(EvidenceSubmitted(self.id, self.draw(st.sampled_from((PAYER, PAYEE, ARBITER))), b"e" * 32))

    def _rule(self) -> None:
        terms, held = self.terms, self.held
        by_default = self.told.time >= self.since + TIMEOUT
        if by_default:
            gross, arbiter = held * terms.default_payee_bps // BASIS, 0
        else:
            arbiter = self.draw(st.integers(0, held * terms.max_arbiter_fee_bps // BASIS))
            gross = self.draw(st.integers(0, held - arbiter))
        fee, payer = gross * terms.min_fee_bps // BASIS, held - gross - arbiter
        self.held, self.refundable, self.status = 0, self.refundable + gross, PaymentStatus.CLOSED
        event = Ruled(self.id, gross - fee, payer, arbiter, fee, by_default)
        self._pay(event, payee=gross - fee, fee=fee, payer=payer, arbiter=arbiter)

    def _refund(self) -> None:
        units = self.draw(st.integers(1, self.refundable))
        self.refundable -= units
        self.told.tell(PaymentRefunded(self.id, units))


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """A life of up to ten steps."""
    life = Life(draw, draw(terms_of_payments()))
    life.live(draw(st.integers(0, 10)))
    return life
