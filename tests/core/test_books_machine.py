"""Random lives of a business: whatever valid events come in whatever order, the books add up and can be made again.

A small model of the contract decides which events are possible and counts what the contract would count.
"""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from tallystick.core.books import Books, Change
from tallystick.core.events import (
    CancellationScheduled,
    Cancelled,
    Charged,
    Declined,
    Event,
    MandateAccepted,
    MandateRevoked,
    Origin,
    Paused,
    PlanCreated,
    Recorded,
    Refunded,
    Resumed,
    Subscribed,
)
from tallystick.core.invoice import Kind, Peg
from tallystick.core.ledger import GENESIS_HASH, entry_hash, imbalance
from tallystick.core.money import Token
from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason, Status, next_charge
from tallystick.errors import EventsInconsistent
from tallystick.render.journal import FORMATS

PAYEES = ["0x" + f"{number:040x}" for number in (1, 2)]
TOKENS = ["0x" + f"{number:040x}" for number in (10, 11)]
PEGS = {TOKENS[0]: [(0, Peg("USDC", 6, "USD", 2))]}
KNOWN = {TOKENS[0]: Token(1, TOKENS[0], "USDC", 6), TOKENS[1]: Token(1, TOKENS[1], "DAI", 18)}
MOST_UNITS = 2**96 - 1
COUNTED = (PlanCreated, Subscribed, Charged, Refunded)
"""Events that the contract counts; of the others nobody can say that one was left out."""


def applied(events: list[Recorded], *, final: bool = True) -> tuple[Books, list[Change]]:
    books = Books(PEGS, keep_all=True)
    return books, [books.apply(recorded, final=final) for recorded in events]


def counts(books: Books) -> tuple[int, int, dict[tuple[Kind, str], int]]:
    """What `recount` compares with the contract."""
    return len(books.plans), books.subscription_count, books.invoice_numbers


class Business(RuleBasedStateMachine):
    """Every rule is something that somebody may do on chain."""

    charges = Bundle("charges")

    @initialize()
    def open(self) -> None:
        self.books = Books(PEGS, keep_all=True)
        self.events: list[Recorded] = []
        self.changes: list[Change] = []
        self.time = 1_700_000_000
        self.block = 1
        self.log = 0
        self.received: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.documents: Counter[tuple[Kind, str]] = Counter()
        self.left: dict[tuple[int, int], int] = {}

    def emit(self, event: Event) -> Change:
        self.log += 1
        origin = Origin(self.block, self.block.to_bytes(32, "big"), self.time, self.log.to_bytes(32, "big"), self.log)
        recorded = Recorded(origin, event)
        self.events.append(recorded)
        self.changes.append(self.books.apply(recorded))
        return self.changes[-1]

    @rule(seconds=st.integers(1, 90 * 86_400), blocks=st.integers(1, 3))
    def wait(self, seconds: int, blocks: int) -> None:
        self.time, self.block, self.log = self.time + seconds, self.block + blocks, 0

    @rule(
        payee=st.sampled_from(PAYEES),
        token=st.sampled_from(TOKENS),
        price=st.integers(1, MOST_UNITS),
        every=st.integers(1, 40),
        unit=st.sampled_from(Unit),
        catch_up=st.integers(0, 3),
    )
    def create_plan(self, payee: str, token: str, price: int, every: int, unit: Unit, catch_up: int) -> None:
        self.emit(PlanCreated(len(self.books.plans) + 1, payee, token, price, every, unit, catch_up))

    @rule(target=charges, number=st.integers(0, 10), payer=st.integers(100, 103))
    def subscribe(self, number: int, payer: int) -> tuple[int, int] | None:
        if not self.books.plans:
            return None
        plan_id = number % len(self.books.plans) + 1
        subscription_id = self.books.subscription_count + 1
        self.emit(Subscribed(subscription_id, f"0x{payer:040x}", plan_id, self.time))
        return self._charge(subscription_id)

    @rule(target=charges, number=st.integers(0, 30))
    def charge(self, number: int) -> tuple[int, int] | None:
        subscription_id = self._one(number, Status.ACTIVE)
        if subscription_id is None or not self.books.subscriptions[subscription_id].is_due(self.time):
            return None
        return self._charge(subscription_id)

    def _charge(self, subscription_id: int) -> tuple[int, int]:
        subscription = self.books.subscriptions[subscription_id]
        terms = self.books.plans[subscription.plan_id]
        start, end = next_charge(subscription, terms, self.time)
        key = (subscription_id, subscription.charges + 1)
        change = self.emit(Charged(*key, start, end, terms.price_units))
        self.received[terms.payee, terms.token] += terms.price_units
        self.documents[Kind.INVOICE, terms.payee] += 1
        self.left[key] = terms.price_units
        after = self.books.subscriptions[subscription_id]
        assert after == subscription._replace(next_due=end, charges=key[1])
        assert change.invoice is not None
        assert change.invoice.number == self.documents[Kind.INVOICE, terms.payee]
        assert (change.invoice.fiat is not None) == (terms.token in PEGS)
        return key

    @rule(key=consumes(charges), part=st.integers(1, 100), again=st.booleans())
    def refund(self, key: tuple[int, int] | None, part: int, again: bool) -> None:
        if key is None:
            return
        for percent in (part, 100) if again else (part,):
            units = max(1, self.left[key] * percent // 100)
            if self.left[key] >= units:
                self._refund(key, units)

    def _refund(self, key: tuple[int, int], units: int) -> None:
        terms = self.books.plans[self.books.subscriptions[key[0]].plan_id]
        change = self.emit(Refunded(*key, units))
        self.received[terms.payee, terms.token] -= units
        self.documents[Kind.CREDIT_NOTE, terms.payee] += 1
        self.left[key] -= units
        note = change.invoice
        assert note is not None
        assert note.number == self.documents[Kind.CREDIT_NOTE, terms.payee]
        assert note.corrects == self.books.charge_invoices[key].number

    @rule(number=st.integers(0, 30), now=st.booleans())
    def cancel(self, number: int, now: bool) -> None:
        subscription_id = self._one(number, Status.ACTIVE)
        if subscription_id is not None:
            due = self.books.subscriptions[subscription_id].next_due
            self.emit(Cancelled(subscription_id) if now else CancellationScheduled(subscription_id, due))

    @rule(number=st.integers(0, 30))
    def pause_or_resume(self, number: int) -> None:
        subscription_id = self._one(number, Status.ACTIVE, Status.PAUSED)
        if subscription_id is None:
            return
        subscription = self.books.subscriptions[subscription_id]
        if subscription.status == Status.PAUSED:
            self.emit(Resumed(subscription_id, self.time + subscription.next_due))
        elif subscription.next_due > self.time:
            self.emit(Paused(subscription_id, subscription.next_due - self.time))

    @rule(number=st.integers(0, 2**63 - 1), reason=st.sampled_from(list(DeclineReason)[1:]))
    def decline(self, number: int, reason: DeclineReason) -> None:
        """Anyone may ask to charge anything."""
        self.emit(Declined(number, 0, reason))

    @rule(salt=st.integers(0, 2**256 - 1))
    def mandates(self, salt: int) -> None:
        self.emit(MandateRevoked(PAYEES[0], salt))
        self.emit(MandateAccepted(1, PAYEES[0], salt, b"m" * 32))

    def _one(self, number: int, *wanted: Status) -> int | None:
        found = [key for key, value in self.books.subscriptions.items() if value.status in wanted]
        return found[number % len(found)] if found else None

    # --- what always holds ---

    @invariant()
    def the_contract_counts_the_same(self) -> None:
        numbers = {key: number for key, number in self.books.invoice_numbers.items() if number}
        assert numbers == {key: count for key, count in self.documents.items() if count}

    @invariant()
    def the_last_entry_balances_and_follows(self) -> None:
        if self.changes and (entry := self.changes[-1].entry) is not None:
            assert imbalance(entry.postings) == {}
            assert entry.number == self.books.entry_number
            again = entry_hash(entry.number, entry.kind, entry.origin, entry.postings, entry.previous_hash)
            assert entry.hash == self.books.entry_hash == again

    def teardown(self) -> None:
        if not hasattr(self, "books"):
            return
        self.wallets_hold_what_was_received()
        self.made_again_the_books_are_the_same()
        self.an_event_left_out_is_noticed()
        self.an_event_given_twice_is_noticed()

    def wallets_hold_what_was_received(self) -> None:
        wallets: defaultdict[tuple[str, str], int] = defaultdict(int)
        everything: defaultdict[str, int] = defaultdict(int)
        previous = GENESIS_HASH
        entries = [change.entry for change in self.changes if change.entry is not None]
        assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
        for entry in entries:
            assert entry.previous_hash == previous
            previous = entry.hash
            for account, side, token, units in entry.postings:
                signed = units if side == "D" else -units
                everything[token] += signed
                if account.startswith("Assets:Wallet:"):
                    wallets[account.removeprefix("Assets:Wallet:"), token] += signed
        assert wallets == self.received
        assert not any(everything.values())

    def made_again_the_books_are_the_same(self) -> None:
        books, changes = applied(self.events)
        assert changes == self.changes
        assert vars(books) == vars(self.books)
        for form in FORMATS.values():
            first, second = (
                "".join(form((c.entry for c in made if c.entry), KNOWN)) for made in (changes, self.changes)
            )
            assert first.encode() == second.encode()
        _, pending = applied(self.events, final=False)
        for before, after in zip(pending, self.changes, strict=True):
            assert before.entry is None
            assert (before.plan, before.subscription) == (after.plan, after.subscription)
            if after.invoice is not None:
                assert before.invoice == after.invoice._replace(number=None, corrects=None)

    def an_event_left_out_is_noticed(self) -> None:
        """At the next event that builds on it, or by what the contract counted."""
        for index, recorded in enumerate(self.events):
            if isinstance(recorded.event, COUNTED):
                try:
                    books, _ = applied(self.events[:index] + self.events[index + 1 :])
                except EventsInconsistent:
                    continue
                assert counts(books) != counts(self.books), recorded

    def an_event_given_twice_is_noticed(self) -> None:
        for index, recorded in enumerate(self.events):
            if isinstance(recorded.event, PlanCreated | Subscribed | Charged):
                with pytest.raises(EventsInconsistent):
                    applied([*self.events[: index + 1], recorded])


TestBusiness = Business.TestCase
TestBusiness.settings = settings(max_examples=40, stateful_step_count=30)


class LongBusiness(Business):
    """The same, for as long as the profile says."""


TestLongBusiness = pytest.mark.fuzz(LongBusiness.TestCase)
