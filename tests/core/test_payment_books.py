"""The books of escrow payments: random lives keep every sum, and what cannot have happened is refused."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from tallystick.core.invoice import Kind, Peg
from tallystick.core.ledger import GENESIS_HASH, Entry, entry_hash, imbalance
from tallystick.core.payment import PaymentStatus
from tallystick.core.payment_books import PaymentBooks, PaymentChange, touched_payments
from tallystick.core.payment_events import (
    Captured,
    DisputeOpened,
    EvidenceSubmitted,
    MilestoneReached,
    PaymentCharged,
    PaymentEvent,
    PaymentRefunded,
    PaymentRevoked,
    PayoutClaimed,
    PayoutKept,
    Reclaimed,
    RecordedPayment,
    Ruled,
    Voided,
)
from tallystick.core.payment_invoice import Occasion, PaymentInvoice, refunded_parts
from tallystick.core.payment_state import Payment, objection
from tallystick.errors import EventsInconsistent
from tests.core.payments import (
    ARBITER,
    CHAIN_ID,
    COLLECTOR,
    CONTRACT,
    DEADLINE,
    FULL,
    LAST,
    PAYEE,
    PAYER,
    PLATFORM,
    START,
    TERMS,
    TIMEOUT,
    TOKEN,
    WINDOW,
    Life,
    Told,
    authorized,
    id_of,
    lives,
)

Balances = dict[str, int]
Story = list[tuple[int, list[PaymentEvent]]]
"""Transactions: their time, and their events."""


def books() -> PaymentBooks:
    return PaymentBooks(CHAIN_ID, CONTRACT, {})


def applied(told: Told, *, onto: PaymentBooks | None = None) -> list[PaymentChange]:
    onto = onto or books()
    changes = [onto.apply(recorded) for recorded in told.recorded]
    onto.require_whole()
    return changes


def balances(entries: list[Entry]) -> Balances:
    """Debits less credits by account."""
    sums: defaultdict[str, int] = defaultdict(int)
    for entry in entries:
        for posting in entry.postings:
            sums[posting.account] += posting.units if posting.side == "D" else -posting.units
    return {account: units for account, units in sums.items() if units}


def told(*transactions: tuple[int, list[PaymentEvent]]) -> Told:
    """Events by their time."""
    story = Told()
    for time, events in transactions:
        story.time = time
        story.tell(*events)
    return story


@given(lives())
def test_random_lives_keep_every_sum(life: Life) -> None:
    onto = books()
    changes = applied(life.told, onto=onto)
    payment: Payment = onto.payments[life.id]
    parts = payment.held_units, payment.captured_units, payment.returned_units, payment.arbiter_units
    assert sum(parts) == life.terms.amount_units
    assert (payment.status, payment.held_units, payment.refundable_units, payment.since, payment.milestones) == (
        *(life.status, life.held, life.refundable),
        *(life.since, life.reached),
    )
    assert onto.totals[PAYEE, TOKEN][2:] == (1, life.terms.amount_units)
    assert {account: units for (account, _), units in onto.claimables.items() if units} == life.kept

    entries = [change.entry for change in changes if change.entry is not None]
    before = GENESIS_HASH
    for number, entry in enumerate(entries, start=1):
        assert (entry.number, entry.previous_hash, imbalance(entry.postings)) == (number, before, {})
        assert all(posting.units > 0 for posting in entry.postings)
        assert entry.hash == entry_hash(*entry[:5])
        before = entry.hash
    sums = balances(entries)
    assert sums.get(f"Assets:Escrow:{PAYEE}", 0) == payment.held_units
    is_collected = payment.collector is not None
    assert sums.get(f"Liabilities:Held:{PAYEE}", 0) == (0 if is_collected else -payment.held_units)
    assert sums.get(f"Income:Payments:{PAYEE}", 0) == (0 if is_collected else -payment.captured_units)
    assert sums.get(f"Assets:Protected:{PAYEE}", 0) == (-life.terms.amount_units if is_collected else 0)
    received = life.payouts.get(PAYEE, 0) - life.kept.get(PAYEE, 0) - payment.refunded_units
    assert sums.get(f"Assets:Wallet:{PAYEE}", 0) == received
    assert {account: sums.get(f"Assets:Claimable:{account}", 0) for account in life.kept} == life.kept

    invoices = [change.invoice for change in changes if change.invoice is not None]
    charged = [invoice for invoice in invoices if invoice.kind is Kind.INVOICE]
    notes = [invoice for invoice in invoices if invoice.kind is Kind.CREDIT_NOTE]
    assert sum(invoice.total_units for invoice in charged) == (0 if is_collected else payment.captured_units)
    assert sum(note.total_units for note in notes) == (0 if is_collected else payment.refunded_units)
    for series in (charged, notes):
        assert [document.number for document in series] == list(range(1, len(series) + 1))
    kept = refunded_parts([invoice.total_units for invoice in charged], sum(note.total_units for note in notes))
    assert sum(kept) == sum(note.total_units for note in notes)


@given(lives())
def test_pending_events_make_the_same_state_and_nothing_that_is_numbered(life: Life) -> None:
    final, pending = books(), books()
    applied(life.told, onto=final)
    changes = [pending.apply(recorded, final=False) for recorded in life.told.recorded]
    assert (pending.payments, pending.totals, pending.claimables) == (final.payments, final.totals, final.claimables)
    assert pending.entry_number == 0
    assert all(change.entry is None for change in changes)
    assert {change.invoice.number for change in changes if change.invoice} <= {None}


@given(lives())
def test_an_event_that_is_told_twice_is_refused(life: Life) -> None:
    onto = books()
    for recorded in life.told.recorded:
        onto.apply(recorded)
        if not isinstance(recorded.event, EvidenceSubmitted | Captured | PaymentRefunded):
            with pytest.raises(EventsInconsistent):
                onto.apply(recorded)
            return


def accounts(change: PaymentChange) -> list[str]:
    assert change.entry is not None
    names = {PAYEE: "payee", PLATFORM: "platform", PAYER: "payer", ARBITER: "arbiter"}
    shown = []
    for account, side, token, units in change.entry.postings:
        assert token == TOKEN
        named = account
        for address, name in names.items():
            named = named.replace(address, name)
        shown.append(f"{side} {named} {units}")
    return [change.entry.kind, *shown]


HOLD = authorized(replace(FULL, milestones_root=bytes(32)))
ID = HOLD.payment_id


def test_every_event_in_the_chart_of_accounts() -> None:
    story = told(
        (START, [HOLD]),
        (START + WINDOW, [Captured(ID, 400, 8), PayoutKept(PLATFORM, TOKEN, ID, 8)]),
        (START + WINDOW, [DisputeOpened(ID, PAYER, bytes(32))]),
        (START + WINDOW, [EvidenceSubmitted(ID, ARBITER, b"e" * 32)]),
        (START + WINDOW + 9, [Ruled(ID, 198, 380, 20, 2, False), PayoutKept(PAYER, TOKEN, ID, 380)]),
        (START + WINDOW + 9, [PaymentRefunded(ID, 100)]),
        (LAST, [PayoutClaimed(PLATFORM, TOKEN, 8)]),
    )
    changes = [accounts(change) for change in applied(story) if change.entry]
    assert changes == [
        ["authorization", "D Assets:Escrow:payee 1000", "C Liabilities:Held:payee 1000"],
        [
            *("capture", "D Assets:Wallet:payee 392", "D Expenses:Fees:payee:Payments 8", "C Assets:Escrow:payee 400"),
            *("D Liabilities:Held:payee 400", "C Income:Payments:payee 400"),
            *("D Assets:Wallet:platform 8", "C Income:Fees:platform 8"),
        ],
        ["kept", "D Assets:Claimable:platform 8", "C Assets:Wallet:platform 8"],
        [
            *("ruling", "D Assets:Wallet:payee 198", "D Expenses:Fees:payee:Payments 2", "C Assets:Escrow:payee 200"),
            *("D Liabilities:Held:payee 200", "C Income:Payments:payee 200"),
            *("D Assets:Wallet:platform 2", "C Income:Fees:platform 2"),
            *("D Liabilities:Held:payee 380", "C Assets:Escrow:payee 380"),
            *("D Liabilities:Held:payee 20", "C Assets:Escrow:payee 20"),
            *("D Assets:Wallet:arbiter 20", "C Income:Rulings:arbiter 20"),
        ],
        ["kept", "D Assets:Claimable:payer 380", "C Equity:Returned:payer 380"],
        ["refund", "D Income:Refunds:payee:Payments 100", "C Assets:Wallet:payee 100"],
        ["claim", "D Assets:Wallet:platform 8", "C Assets:Claimable:platform 8"],
    ]


def test_what_a_collector_brings_has_its_income_elsewhere() -> None:
    other = replace(TERMS, salt=8)
    story = told(
        (START, [authorized(TERMS, COLLECTOR)]),
        (START, [Captured(id_of(TERMS), 600, 0)]),
        (START, [PaymentCharged(id_of(other), other, COLLECTOR, 0)]),
        (DEADLINE, [Reclaimed(id_of(TERMS), 400)]),
    )
    changes = applied(story)
    assert [accounts(change) for change in changes] == [
        ["authorization", "D Assets:Escrow:payee 1000", "C Assets:Protected:payee 1000"],
        ["capture", "D Assets:Wallet:payee 600", "C Assets:Escrow:payee 600"],
        ["charge", "D Assets:Wallet:payee 1000", "C Assets:Protected:payee 1000"],
        ["reclaim", "D Income:Refunds:payee:Payments 400", "C Assets:Escrow:payee 400"],
    ]
    assert [change.invoice for change in changes] == [None] * 4


def test_documents_are_numbered_for_each_payee_and_say_what_for() -> None:
    peg = Peg("USDC", 2, "USD", 2)
    onto = PaymentBooks(CHAIN_ID, CONTRACT, {TOKEN: [(0, peg)]})
    charged = replace(TERMS, salt=8)
    story = told(
        (START, [authorized(FULL)]),
        (START, [PaymentCharged(id_of(charged), charged, None, 0)]),
        (START + WINDOW, [MilestoneReached(id_of(FULL), 3), Captured(id_of(FULL), 500, 5)]),
        (START + WINDOW, [Captured(id_of(FULL), 100, 1)]),
        (START + WINDOW, [PaymentRefunded(id_of(FULL), 550)]),
    )
    found: list[PaymentInvoice] = [change.invoice for change in applied(story, onto=onto) if change.invoice]
    assert [(document.kind.value, document.number, document.occasion.value) for document in found] == [
        ("invoice", 1, "charge"),
        ("invoice", 2, "milestone"),
        ("invoice", 3, "capture"),
        ("credit_note", 1, "refund"),
    ]
    assert [document.lines[0].description for document in found] == [
        "Payment",
        "Payment, milestone 3",
        "Payment, captured",
        "Refund of the payment",
    ]
    assert [document.fiat.units for document in found if document.fiat] == [1000, 500, 100, 550]
    assert found[1].salt == FULL.salt
    assert refunded_parts([500, 100], 550) == [500, 50]
    assert Occasion("ruling") is Occasion.RULING


MILESTONES = authorized(FULL)
AFTER = START + WINDOW
OPEN: Story = [(START, [HOLD])]
DISPUTED: Story = [*OPEN, (START, [DisputeOpened(ID, PAYER, bytes(32))])]
REVOKED: Story = [(START, [PaymentRevoked(ID)])]
PAID: Story = [*OPEN, (START, [Captured(ID, 400, 4)])]
REACHED: Story = [(AFTER, [MilestoneReached(MILESTONES.payment_id, 0), Captured(MILESTONES.payment_id, 100, 1)])]
WRONG: dict[str, tuple[Story, str]] = {
    "an unknown payment": ([(START, [Captured(ID, 1, 0)])], "is unknown"),
    "made twice": ([*OPEN, *OPEN], "was made, or revoked, before"),
    "made after it was revoked": ([*REVOKED, *OPEN], "was made, or revoked, before"),
    "revoked after it was made": ([*OPEN, *REVOKED], "was made, or revoked, before"),
    "terms of another payment": ([(START, [HOLD._replace(payment_id=bytes(32))])], "its terms are those of payment"),
    "authorized too late": ([(START + 1, [HOLD])], "it could be made before 1001"),
    "charged at once despite a window": (
        [(START, [PaymentCharged(ID, HOLD.terms, None, 10)])],
        "has a dispute window|dispute window or milestones",
    ),
    "a fee below the terms'": ([*OPEN, (START, [Captured(ID, 1_000, 9)])], "allow 10 to 30 of 1000"),
    "a fee above the terms'": ([*OPEN, (START, [Captured(ID, 1_000, 31)])], "allow 10 to 30 of 1000"),
    "captured beyond what is held": ([*PAID, (START, [Captured(ID, 601, 7)])], "601 units are captured of 600"),
    "nothing captured": ([*OPEN, (START, [Captured(ID, 0, 0)])], "0 units are captured"),
    "captured once closed": ([*OPEN, (START, [Voided(ID, 1_000)]), (START, [Captured(ID, 1, 0)])], "nothing is held"),
    "another amount given back": ([*PAID, (START, [Voided(ID, 1_000)])], "1000 units go back of 600"),
    "reclaimed too early": ([*OPEN, (DEADLINE - 1, [Reclaimed(ID, 1_000)])], "reclaimed before 10000"),
    "reclaimed in dispute": ([*DISPUTED, (DEADLINE, [Reclaimed(ID, 1_000)])], "while it is disputed"),
    "refunded beyond": ([*PAID, (START, [PaymentRefunded(ID, 401)])], "401 units are refunded of 400"),
    "refunded too late": ([*PAID, (LAST, [PaymentRefunded(ID, 1)])], "refunded after 20000"),
    "disputed by a stranger": ([*OPEN, (START, [DisputeOpened(ID, PLATFORM, bytes(32))])], "payer or payee may"),
    "disputed too late": ([*OPEN, (DEADLINE, [DisputeOpened(ID, PAYER, bytes(32))])], "before 10000"),
    "disputed twice": ([*DISPUTED, (START, [DisputeOpened(ID, PAYEE, bytes(32))])], "that is disputed"),
    "disputed without an arbiter": (
        [(START, [authorized(TERMS)]), (START, [DisputeOpened(id_of(TERMS), PAYER, bytes(32))])],
        "has no arbiter",
    ),
    "evidence without a dispute": ([*OPEN, (START, [EvidenceSubmitted(ID, PAYER, bytes(32))])], "that is open"),
    "evidence by a stranger": ([*DISPUTED, (START, [EvidenceSubmitted(ID, TOKEN, bytes(32))])], "names a document"),
    "ruled without a dispute": ([*OPEN, (START, [Ruled(ID, 0, 1_000, 0, 0, False)])], "is ruled on"),
    "ruled on another amount": ([*DISPUTED, (START, [Ruled(ID, 0, 999, 0, 0, False)])], "999 units are divided of"),
    "ruled with another fee": ([*DISPUTED, (START, [Ruled(ID, 998, 0, 0, 2, False)])], "the fee of a ruling is 2"),
    "an arbiter's fee too high": ([*DISPUTED, (START, [Ruled(ID, 0, 949, 51, 0, False)])], "not what the terms allow"),
    "ruled too late": ([*DISPUTED, (START + TIMEOUT, [Ruled(ID, 0, 1_000, 0, 0, False)])], "not what the terms allow"),
    "a default too early": (
        [*DISPUTED, (START + TIMEOUT - 1, [Ruled(ID, 330, 667, 0, 3, True)])],
        "not what the terms allow",
    ),
    "another default": ([*DISPUTED, (START + TIMEOUT, [Ruled(ID, 0, 1_000, 0, 0, True)])], "not what the terms allow"),
    "a milestone of a payment without": ([*OPEN, (AFTER, [MilestoneReached(ID, 0)])], "is not open, or has none"),
    "a milestone in the window": (
        [(START, [MILESTONES]), (AFTER - 1, [MilestoneReached(MILESTONES.payment_id, 0)])],
        "not between dispute window and deadline",
    ),
    "a milestone twice": (
        [
            (START, [MILESTONES]),
            *REACHED,
            *REACHED,
        ],
        "was captured before",
    ),
    "a milestone without its capture": (
        [(START, [MILESTONES]), (AFTER, [MilestoneReached(MILESTONES.payment_id, 0)])],
        "belongs to it is missing",
    ),
    "something else after a milestone": (
        [
            (START, [MILESTONES]),
            (AFTER, [MilestoneReached(MILESTONES.payment_id, 0), Voided(MILESTONES.payment_id, 1_000)]),
        ],
        "the capture of a milestone is missing",
    ),
    "the capture in another transaction": (
        [
            (START, [MILESTONES]),
            (AFTER, [MilestoneReached(MILESTONES.payment_id, 0)]),
            (AFTER, [Captured(MILESTONES.payment_id, 100, 1)]),
        ],
        "the capture of a milestone is missing",
    ),
    "kept without a payout": ([*OPEN, (START, [PayoutKept(PAYEE, TOKEN, ID, 1)])], "nothing before it paid"),
    "kept in another transaction": ([*PAID, (START, [PayoutKept(PAYEE, TOKEN, ID, 396)])], "nothing before it paid"),
    "kept of another amount": (
        [*OPEN, (START, [Captured(ID, 400, 4), PayoutKept(PAYEE, TOKEN, ID, 400)])],
        "nothing before it paid",
    ),
    "kept twice": (
        [*OPEN, (START, [Captured(ID, 400, 4), *[PayoutKept(PAYEE, TOKEN, ID, 396)] * 2])],
        "nothing before it paid",
    ),
    "claimed more than kept": ([*OPEN, (START, [PayoutClaimed(PAYEE, TOKEN, 1)])], "0 are kept"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_have_happened_is_refused(wrong: str) -> None:
    story, reason = WRONG[wrong]
    with pytest.raises(EventsInconsistent, match=reason):
        applied(told(*story))


def test_a_ruling_by_default_is_what_the_terms_say() -> None:
    """A third rounded down, and at the second at which the arbiter's time is over."""
    (*_, change) = applied(told(*DISPUTED, (START + TIMEOUT, [Ruled(ID, 330, 667, 0, 3, True)])))
    assert change.payment is not None
    assert (change.payment.status, change.payment.captured_units) == (PaymentStatus.CLOSED, 333)


CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "no payer or payee": {"payer": "0x" + "0" * 40},
    "one account in two parts": {"payee": PAYER},
    "no amount": {"amount_units": 0},
    "deadlines out of their order": {"capture_before": START},
    "a fee that is out of bounds": {"min_fee_bps": 301},
    "a fee without a receiver": {"fee_receiver": "0x" + "0" * 40},
    "more than all of it": {"max_arbiter_fee_bps": 10_001},
    "an arbiter without a time": {"ruling_timeout_s": 0},
    "a ruling without an arbiter": {"arbiter": "0x" + "0" * 40, "ruling_timeout_s": 0},
}


@pytest.mark.parametrize("wrong", CONTRADICTIONS)
def test_terms_that_the_contract_does_not_take(wrong: str) -> None:
    assert objection(FULL) is None
    terms = replace(FULL, **CONTRADICTIONS[wrong])
    assert (objection(terms) or "").startswith(wrong)
    with pytest.raises(EventsInconsistent, match=f"no payment with {wrong}"):
        books().apply(RecordedPayment(told((START, [authorized(terms)])).recorded[0].origin, authorized(terms)))


def test_what_events_touch() -> None:
    events: list[PaymentEvent] = [HOLD, Captured(ID, 1, 0), PayoutClaimed(PAYEE, TOKEN, 1), PaymentRevoked(bytes(32))]
    assert touched_payments(events) == [bytes(32), ID]
