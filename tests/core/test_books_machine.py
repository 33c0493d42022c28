"""Random lives of a business: whatever valid events come in whatever order, the books add up and can be made again.

A small model of the contract decides which events are possible and counts what the contract would count.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from tallystick.core.books import Books, Change
from tallystick.core.change import objection, quote
from tallystick.core.events import (
    CancellationScheduled,
    Cancelled,
    Charged,
    Claimable,
    Claimed,
    CreditUsed,
    Declined,
    Event,
    MandateAccepted,
    MandateRevoked,
    Origin,
    Paused,
    PlanArchived,
    PlanChanged,
    PlanCreated,
    Recorded,
    Refunded,
    RegisterOpened,
    Resumed,
    SeatsSet,
    Subscribed,
    UsageCharged,
)
from tallystick.core.invoice import Kind, Peg
from tallystick.core.ledger import GENESIS_HASH, entry_hash, imbalance
from tallystick.core.money import Token
from tallystick.core.period import Unit, anchor_day_of
from tallystick.core.plan import PlanTerms
from tallystick.core.subscription import PER_REGISTER, DeclineReason, Status, next_charge
from tallystick.errors import EventsInconsistent
from tallystick.render.journal import FORMATS

PAYEES = ["0x" + f"{number:040x}" for number in (1, 2)]
TOKENS = ["0x" + f"{number:040x}" for number in (10, 11)]
PEGS = {TOKENS[0]: [(0, Peg("USDC", 6, "USD", 2))]}
KNOWN = {TOKENS[0]: Token(1, TOKENS[0], "USDC", 6), TOKENS[1]: Token(1, TOKENS[1], "DAI", 18)}
RECEIVER = f"0x{3:040x}"
COUNTED = (
    *(RegisterOpened, PlanCreated, Subscribed, SeatsSet, Charged, UsageCharged, CreditUsed, Claimable, Claimed),
    Refunded,
)
"""Events of which one that is left out is noticed at once: the contract counts them, or the next of their act does not
follow. Of the others it is noticed when something builds on them."""


def with_parts(terms: PlanTerms) -> PlanTerms:
    """The same as the contract takes them: a fee has a receiver, and no usage is charged under a term."""
    if terms.min_charges or terms.max_charges or not terms.usage_cap_units:
        terms = replace(terms, usage_cap_units=0, usage_price_units=0)
    return replace(terms, fee_receiver=RECEIVER) if terms.fee_bps else terms


plans = st.builds(
    PlanTerms,
    st.sampled_from([PAYEES[0], *PAYEES]),
    st.integers(1, 2**64),
    st.sampled_from([TOKENS[0], *TOKENS]),
    st.integers(1, 3) | st.integers(1, 40),
    st.sampled_from([*Unit, Unit.MONTH, Unit.MONTH]),
    st.integers(0, 3),
    seat_price_units=st.sampled_from([0, 0, 1, 10**9, 2**72]),
    trial=st.sampled_from([0, 0, 86_400, 10**6]),
    grace=st.sampled_from([0, 0, 10**6]),
    min_charges=st.sampled_from([0, 0, 1, 2]),
    max_charges=st.sampled_from([0, 0, 0, 3]),
    fee_bps=st.sampled_from([0, 0, 1, 250, 9_999]),
    usage_cap_units=st.sampled_from([0, 1, 10**6, 2**96 - 1]),
    usage_price_units=st.sampled_from([1, 10**6, 2**96 - 1]),
).map(with_parts)


def applied(events: list[Recorded], *, final: bool = True) -> tuple[Books, list[Change]]:
    books = Books(PEGS, keep_all=True)
    changes = [books.apply(recorded, final=final) for recorded in events]
    books.act.require_whole()
    return books, changes


def nonzero(sums: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    return {key: units for key, units in sums.items() if units}


def counts(books: Books) -> tuple[object, ...]:
    """What `recount` compares with the contract."""
    return books.registers, len(books.plans), books.invoice_numbers, nonzero(books.claimables)


class Business(RuleBasedStateMachine):
    """Every rule is something that somebody may do on chain."""

    charges = Bundle("charges")

    @initialize(first=st.lists(plans, min_size=2, max_size=5), payer=st.integers(100, 103))
    def open(self, first: list[PlanTerms], payer: int) -> None:
        """Some plans, and a subscription to the first of them."""
        self.books = Books(PEGS, keep_all=True)
        self.events: list[Recorded] = []
        self.changes: list[Change] = []
        self.time = 1_700_000_000
        self.block = 1
        self.log = 0
        self.received: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.kept: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.documents: Counter[tuple[Kind, str]] = Counter()
        self.left: dict[tuple[int, int], int] = {}
        self.spent: defaultdict[int, int] = defaultdict(int)
        for terms in first:
            self.create_plan(terms)
        self.subscribe(0, payer, 3, trial=False)

    def emit(self, *act: Event) -> Change:
        """What the last of the events of a transaction does."""
        transaction = (self.block << 64 | self.log).to_bytes(32, "big")
        for event in act:
            self.log += 1
            origin = Origin(self.block, self.block.to_bytes(32, "big"), self.time, transaction, self.log)
            recorded = Recorded(origin, event)
            self.events.append(recorded)
            self.changes.append(self.books.apply(recorded))
        self.books.act.require_whole()
        return self.changes[-1]

    @rule(seconds=st.integers(1, 90 * 86_400), blocks=st.integers(1, 3))
    def wait(self, seconds: int, blocks: int) -> None:
        self.time, self.block, self.log = self.time + seconds, self.block + blocks, 0

    @rule(terms=plans)
    def create_plan(self, terms: PlanTerms) -> None:
        ids = {(register.payee, register.token): number for number, register in self.books.registers.items()}
        register_id = ids.get((terms.payee, terms.token), len(ids))
        created = PlanCreated(len(self.books.plans) + 1, register_id, terms)
        opened = [RegisterOpened(register_id, terms.payee, terms.token)] if register_id == len(ids) else []
        self.emit(*opened, created)

    @rule(number=st.integers(0, 10))
    def archive(self, number: int) -> None:
        plans = [plan.plan_id for plan in self.books.plans.values() if not plan.archived]
        if len(plans) > 2:
            self.emit(PlanArchived(plans[number % len(plans)]))

    @rule(
        target=charges,
        number=st.integers(0, 10),
        payer=st.integers(100, 103),
        seats=st.integers(1, 50),
        trial=st.booleans(),
    )
    def subscribe(self, number: int, payer: int, seats: int, trial: bool) -> tuple[int, int] | None:
        plans = [plan for plan in self.books.plans.values() if not plan.archived]
        if not plans:
            return None
        plan = plans[number % len(plans)]
        subscription_id = self.books.registers[plan.register_id].next_id
        assert subscription_id // PER_REGISTER == plan.register_id
        first_due = self.time + (plan.terms.trial if trial else 0)
        act: list[Event] = [Subscribed(subscription_id, f"0x{payer:040x}", plan.plan_id, first_due)]
        if plan.terms.seat_price_units:
            act.append(SeatsSet(subscription_id, seats))
        else:
            seats = 0
        rate = plan.terms.rate(seats)
        if first_due == self.time:
            end = plan.terms.period.later(self.time, 1, anchor_day_of(self.time))
            act.append(Charged(subscription_id, 1, self.time, end, rate))
            self.receive(plan.terms, rate)
            self.left[subscription_id, 1] = rate
        change = self.emit(*act)
        assert self.books.subscriptions[subscription_id].seats == seats
        assert (change.invoice is None) == (first_due > self.time)
        return None if change.invoice is None else (subscription_id, 1)

    @rule(
        target=charges,
        number=st.integers(0, 30),
        late_s=st.integers(0, 10 * 86_400) | st.integers(0, 10**8),
        payee_blocked=st.booleans(),
        receiver_blocked=st.booleans(),
    )
    def charge(self, number: int, late_s: int, payee_blocked: bool, receiver_blocked: bool) -> tuple[int, int] | None:
        """Some time after it is due, if that is still to come."""
        subscription_id = self._one(number, Status.ACTIVE)
        if subscription_id is None:
            return None
        subscription = self.books.subscriptions[subscription_id]
        terms = self.books.plans[subscription.plan_id].terms
        self.wait(max(1, subscription.next_due - self.time + late_s), 1)
        if not subscription.is_due(terms, self.time):
            return None
        start, end, units, credit, *_ = next_charge(subscription, terms, self.time)
        key = (subscription_id, subscription.charges + 1)
        fee = terms.fee(units)
        parts = [(terms.payee, units - fee, payee_blocked), (terms.fee_receiver or "", fee, receiver_blocked)]
        kept = [(account, part) for account, part, blocked in parts if part and blocked]
        act: list[Event] = [Claimable(account, terms.token, subscription_id, part) for account, part in kept]
        act += [CreditUsed(*key, credit)] if credit else []
        change = self.emit(*act, Charged(*key, start, end, units))
        self.receive(terms, units, kept)
        self.left[key] = units
        self.spent[subscription_id] = 0
        after = self.books.subscriptions[subscription_id]
        credit_after = subscription.credit_units - credit
        assert after == subscription._replace(next_due=end, charges=key[1], credit_units=credit_after, shifted=False)
        assert change.invoice is not None
        assert (change.entry is None) == (units == 0)
        assert change.invoice.total_units == units == sum(line.amount_units for line in change.invoice.lines)
        assert change.invoice.number == self.documents[Kind.INVOICE, terms.payee]
        assert (change.invoice.fiat is not None) == (terms.token in PEGS)
        return key

    @rule(target=charges, number=st.integers(0, 30), part=st.integers(0, 100), more=st.integers(0, 2**20))
    def charge_usage(self, number: int, part: int, more: int) -> tuple[int, int] | None:
        """A part of what is left of the cap, for as much usage as it takes, or more."""
        subscription_id = self._one(number, Status.ACTIVE, Status.ENDING, metered=True)
        if subscription_id is None:
            return None
        subscription = self.books.subscriptions[subscription_id]
        terms = self.books.plans[subscription.plan_id].terms
        left = max(terms.usage_cap_units - self.spent[subscription_id], 0)
        assert subscription.usage_left(terms) == left
        units = max(1, left * part // 100)
        quantity = -(-units * 10**6 // terms.usage_price_units) + more
        if subscription.has_ended(terms, self.time) or units > left or quantity >= 2**128:
            return None
        key = (subscription_id, subscription.charges + 1)
        start = terms.period.later(subscription.next_due, -1, subscription.anchor_day)
        charged = Charged(*key, start, subscription.next_due, units)
        change = self.emit(UsageCharged(*key, quantity, b"u" * 32), charged)
        self.spent[subscription_id] += units
        self.receive(terms, units)
        self.left[key] = units
        assert self.books.subscriptions[subscription_id] == subscription._replace(
            charges=key[1], usage_units=self.spent[subscription_id], usage_charge=key[1]
        )
        assert change.entry is not None
        assert sum(posting.account.startswith("Income:Usage:") for posting in change.entry.postings) == 1
        assert change.invoice is not None
        assert (change.invoice.total_units, change.invoice.usage) == (units, (quantity, b"u" * 32))
        return key

    def receive(self, terms: PlanTerms, units: int, kept: list[tuple[str, int]] | None = None) -> None:
        """A charge as the contract pays it out."""
        fee = terms.fee(units)
        self.received[terms.payee, terms.token] += units - fee
        if fee:
            self.received[terms.fee_receiver or "", terms.token] += fee
        for account, part in kept or []:
            self.received[account, terms.token] -= part
            self.kept[account, terms.token] += part
        self.documents[Kind.INVOICE, terms.payee] += 1

    @rule(target=charges, number=st.integers(0, 30), to=st.integers(0, 30), seats=st.integers(1, 50))
    def change_plan(self, number: int, to: int, seats: int) -> tuple[int, int] | None:
        subscription_id = self._one(number, Status.ACTIVE)
        if subscription_id is None:
            return None
        subscription = self.books.subscriptions[subscription_id]
        plan = self.books.plans[subscription.plan_id]
        allowed = [
            (other, one)
            for other in self.books.plans.values()
            for one in (0, seats)
            if not objection(subscription, plan, other, one, self.time)
        ]
        if not allowed:
            return None
        new_plan, seats = allowed[to % len(allowed)]
        done = quote(subscription, plan.terms, new_plan.terms, seats, self.time)
        key = (subscription_id, subscription.charges + 1)
        act: list[Event] = [CreditUsed(*key, done.credit_used_units)] if done.credit_used_units else []
        if done.charged_units:
            act.append(Charged(*key, self.time, done.next_due, done.to_pay_units))
            self.receive(new_plan.terms, done.to_pay_units)
            self.left[key] = done.to_pay_units
            self.spent[subscription_id] = 0
        change = self.emit(*act, PlanChanged(subscription_id, new_plan.plan_id, seats, done.credit_units))
        after = self.books.subscriptions[subscription_id]
        assert (after.plan_id, after.seats, after.credit_units) == (new_plan.plan_id, seats, done.credit_units)
        assert (after.next_due, after.charges) == (done.next_due, subscription.charges + bool(done.charged_units))
        if change.invoice is None:
            return None
        assert change.invoice.plan_id == new_plan.plan_id
        assert change.invoice.total_units == sum(line.amount_units for line in change.invoice.lines)
        return key

    @rule(number=st.integers(0, 5))
    def claim(self, number: int) -> None:
        kept = [(key, units) for key, units in self.kept.items() if units]
        if kept:
            (account, token), units = kept[number % len(kept)]
            self.emit(Claimed(account, token, units))
            self.kept[account, token] = 0
            self.received[account, token] += units

    @rule(key=consumes(charges), part=st.integers(1, 100), again=st.booleans())
    def refund(self, key: tuple[int, int] | None, part: int, again: bool) -> None:
        if key is None:
            return
        for percent in (part, 100) if again else (part,):
            units = max(1, self.left[key] * percent // 100)
            if self.left[key] >= units:
                self._refund(key, units)

    def _refund(self, key: tuple[int, int], units: int) -> None:
        terms = self.books.plans[self.books.subscriptions[key[0]].plan_id].terms
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

    @rule(number=st.integers(0, 2**63 - 1), reason=st.sampled_from(list(DeclineReason)[1:]), salt=st.integers(0, 9))
    def nothing(self, number: int, reason: DeclineReason, salt: int) -> None:
        """Anyone may ask to charge anything; of mandates nothing follows."""
        self.emit(Declined(number, 0, reason))
        self.emit(MandateRevoked(PAYEES[0], salt))
        self.emit(MandateAccepted(1, PAYEES[0], salt, b"m" * 32))

    def _one(self, number: int, *wanted: Status, metered: bool = False) -> int | None:
        """One of those that stand so; where it is to be `metered`, usage of it can be charged."""
        found = [
            key
            for key, value in self.books.subscriptions.items()
            if value.status in wanted
            and (not metered or (value.charges and self.books.plans[value.plan_id].terms.usage_cap_units))
        ]
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
        held: dict[str, defaultdict[tuple[str, str], int]] = {
            name: defaultdict(int) for name in ("Wallet", "Claimable")
        }
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
                kind, name, owner, *_ = account.split(":")
                if kind == "Assets":
                    held[name][owner, token] += signed
        assert nonzero(held["Wallet"]) == nonzero(self.received)
        assert nonzero(held["Claimable"]) == nonzero(self.kept) == nonzero(self.books.claimables)
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
            assert before._replace(invoice=None) == after._replace(invoice=None, entry=None)
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
TestBusiness.settings = settings(max_examples=100, stateful_step_count=30)


class LongBusiness(Business):
    """The same, for as long as the profile says."""


TestLongBusiness = pytest.mark.fuzz(LongBusiness.TestCase)
