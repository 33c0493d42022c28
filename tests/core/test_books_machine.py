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
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from tallystick.core.alternative import offer_objection, under
from tallystick.core.books import Books, Change
from tallystick.core.change import lowering_objection, objection, quote, schedule_objection
from tallystick.core.due_period import DuePeriod, DuePeriods, due_periods
from tallystick.core.events import (
    AlternativeOffered,
    AlternativeWithdrawn,
    CancellationScheduled,
    Cancelled,
    ChangeScheduled,
    Charged,
    Claimable,
    Claimed,
    ConditionsSet,
    CouponRedeemed,
    CreditUsed,
    Declined,
    Discounted,
    Event,
    FallbackPlanSet,
    FallbackSet,
    MandateAccepted,
    MandateRevoked,
    Origin,
    PaidByFallback,
    PaidInAlternative,
    Paused,
    PayeeChanged,
    PayerChanged,
    PlanArchived,
    PlanChanged,
    PlanCreated,
    PlanProposed,
    PriceLowered,
    Quoted,
    Recorded,
    Refunded,
    RegisterOpened,
    Resumed,
    SeatsSet,
    Subscribed,
    Upgraded,
    UsageCharged,
)
from tallystick.core.invoice import Kind, Peg
from tallystick.core.ledger import GENESIS_HASH, entry_hash, imbalance
from tallystick.core.money import Token
from tallystick.core.period import Unit, anchor_day_of
from tallystick.core.plan import MOST_UNITS, Plan, PlanTerms
from tallystick.core.subscription import (
    NO_LIMITS,
    PER_REGISTER,
    DeclineReason,
    Discount,
    Fallback,
    Limits,
    NextCharge,
    Status,
    Subscription,
    next_charge,
    over_limit,
)
from tallystick.errors import EventsInconsistent
from tallystick.render.journal import TEXT_FORMATS

PAYEES = ["0x" + f"{number:040x}" for number in (1, 2)]
TOKENS = ["0x" + f"{number:040x}" for number in (10, 11)]
PEGS = {TOKENS[0]: [(0, Peg("USDC", 6, "USD", 2))]}
KNOWN = {TOKENS[0]: Token(1, TOKENS[0], "USDC", 6), TOKENS[1]: Token(1, TOKENS[1], "DAI", 18)}
RECEIVER, QUOTER = f"0x{3:040x}", f"0x{4:040x}"
COUNTED = (
    *(RegisterOpened, PlanCreated, Subscribed, SeatsSet, Charged, UsageCharged, CreditUsed, Claimable, Claimed),
    *(Refunded, Quoted, Discounted),
)
"""Events of which one that is left out is noticed at once: the contract counts them, or the next of their act does not
follow. Of the others it is noticed when something builds on them."""


def with_parts(terms: PlanTerms) -> PlanTerms:
    """The same as the contract takes them: a fee has a receiver, and no usage is charged under a term."""
    if terms.min_charges or terms.max_charges or not terms.usage_cap_units:
        terms = replace(terms, usage_cap_units=0, usage_price_units=0)
    if terms.quoter:
        terms = replace(terms, refunds_unused=False)
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
    align_to=st.sampled_from([0, 0, 1, 1_580_428_800]),
    quoter=st.sampled_from([None, None, None, QUOTER]),
    refunds_unused=st.booleans(),
).map(with_parts)


offs = st.tuples(st.integers(1, 10_000), st.sampled_from([0, 1, 2**80]), st.integers(1, 3))
"""What a coupon takes off: basis points, an amount, for how many charges."""


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
        self.quote = 1_000
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
        start_s=st.sampled_from([0, 0, 0, 1, 10**6]),
        off=st.none() | offs,
        adds=st.booleans(),
    )
    def subscribe(
        self,
        number: int,
        payer: int,
        seats: int,
        trial: bool,
        start_s: int = 0,
        off: tuple[int, int, int] | None = None,
        adds: bool = False,
    ) -> tuple[int, int] | None:
        """With conditions and perhaps a coupon, where the payer `adds` them or the plan needs them."""
        plans = [plan for plan in self.books.plans.values() if not plan.archived]
        if not plans:
            return None
        plan = plans[number % len(plans)]
        subscription_id = self.books.registers[plan.register_id].next_id
        assert subscription_id // PER_REGISTER == plan.register_id
        adds = adds or plan.terms.quoter is not None
        first_due = self.time + (plan.terms.trial if trial else 0) + (start_s if adds else 0)
        seats = seats if plan.terms.seat_price_units else 0
        opened = Subscription(
            *(subscription_id, f"0x{payer:040x}", plan.plan_id, first_due, 0, Status.ACTIVE),
            *(anchor_day_of(first_due), seats),
            discount=Discount(*off) if adds and off else None,
        )
        act: list[Event] = [Subscribed(subscription_id, opened.payer, plan.plan_id, first_due)]
        act += [SeatsSet(subscription_id, seats)] if seats else []
        act += [ConditionsSet(subscription_id, MOST_UNITS, 0, 0, PAYEES[1], False)] if adds else []
        if opened.discount:
            act.append(CouponRedeemed(subscription_id, b"c" * 32, 0, *opened.discount[:3]))
        if first_due > self.time:
            self.emit(*act)
            assert self.books.subscriptions[subscription_id].seats == seats
            return None
        due = next_charge(opened, plan.terms, self.time, quoted_units=self.quote)
        if adds and over_limit(opened._replace(limits=Limits(MOST_UNITS)), plan.terms, due):
            return None
        self._charged(opened, due, plan.terms, [*act, *self._parts(opened, due, plan.terms)], [])
        return subscription_id, 1

    @rule(
        target=charges,
        number=st.integers(0, 30),
        late_s=st.integers(0, 10 * 86_400) | st.integers(0, 10**8),
        payee_blocked=st.booleans(),
        receiver_blocked=st.booleans(),
        quote=st.integers(1, 2**70),
        helped=st.booleans(),
    )
    def charge(
        self,
        number: int,
        late_s: int,
        payee_blocked: bool,
        receiver_blocked: bool,
        quote: int,
        helped: bool,
    ) -> tuple[int, int] | None:
        return self._charge(number, late_s, payee_blocked, receiver_blocked, quote, helped)

    def _charge(
        self, number: int, late_s: int, payee_blocked: bool, receiver_blocked: bool, quote: int, helped: bool
    ) -> tuple[int, int] | None:
        """Some time after it is due, if that is still to come."""
        subscription_id = self._one(number, Status.ACTIVE)
        if subscription_id is None:
            return None
        self.quote = quote
        subscription = self.books.subscriptions[subscription_id]
        terms = self.books.plans[subscription.plan_id].terms
        coming = self.books.plans[(subscription.scheduled or subscription).plan_id].terms
        self.wait(max(1, subscription.next_due - self.time + late_s), 1)
        if not subscription.is_due(terms, self.time):
            return None
        due = next_charge(subscription, terms, self.time, coming, self.quote)
        if over_limit(subscription, coming, due):
            return None
        number_told = (subscription_id, subscription.charges + 1)
        before = self._parts(subscription, due, coming)
        fallback = subscription.fallback
        agreed = fallback if helped and due.amount_units and fallback else None
        agreed = agreed if agreed and agreed[1:3] == (due.plan_id, due.seats) else None
        if agreed and agreed.wallet:
            before.append(PaidByFallback(*number_told, agreed.wallet))
        elsewhere = self._payable_elsewhere(subscription, agreed) if agreed else None
        if elsewhere:
            coming = self.books.plans[elsewhere].terms
            due = under(due, coming)
            before = [part for part in before if isinstance(part, PlanChanged)]
            before.append(PaidInAlternative(*number_told, elsewhere))
        fee, units = coming.fee(due.amount_units), due.amount_units
        parts = [(coming.payee, units - fee, payee_blocked), (coming.fee_receiver or "", fee, receiver_blocked)]
        kept = [(account, part) for account, part, blocked in parts if part and blocked]
        claimables: list[Event] = [Claimable(account, coming.token, subscription_id, part) for account, part in kept]
        is_simple = all(isinstance(part, CreditUsed) for part in before)
        change = self._charged(
            subscription, due, coming, claimables + before if is_simple else before + claimables, kept, elsewhere
        )
        assert change.invoice is not None
        assert (change.entry is None) == (units == 0)
        assert change.invoice.number == self.documents[Kind.INVOICE, coming.payee]
        assert (change.invoice.fiat is not None) == (coming.token in PEGS)
        assert self.books.subscriptions[subscription_id].in_alternative == (elsewhere is not None)
        assert (change.invoice.paid_by is not None) == any(isinstance(part, PaidByFallback) for part in before)
        return number_told

    def _payable_elsewhere(self, subscription: Subscription, agreed: Fallback) -> int | None:
        """The fallback plan, while payee and payer let it be used."""
        found, plan = agreed.alternative_id, self.books.plans[agreed.plan_id]
        if found is None or found not in plan.alternatives or subscription.limits.are_amounts:
            return None
        return found if self.books.plans[found].terms.payee == plan.terms.payee else None

    @rule(target=charges, numbers=st.lists(st.integers(0, 30), min_size=2, max_size=5), helped=st.booleans())
    def charge_some(self, numbers: list[int], helped: bool) -> MultipleResults[tuple[int, int] | None]:
        """Charges are what most events are."""
        return multiple(*(self._charge(number, 0, False, False, 10**6, helped) for number in numbers))

    def _parts(self, subscription: Subscription, due: NextCharge, terms: PlanTerms) -> list[Event]:
        """What is told of a charge before it, in its order."""
        key = (subscription.subscription_id, subscription.charges + 1)
        scheduled = subscription.scheduled
        parts: list[Event] = [PlanChanged(key[0], *scheduled, subscription.credit_units)] if scheduled else []
        parts += [Quoted(*key, due.asked_units, due.price_units)] if terms.quoter else []
        parts += [Discounted(*key, due.discount_units)] if due.discount_units else []
        return parts + ([CreditUsed(*key, due.credit_units)] if due.credit_units else [])

    def _charged(
        self,
        subscription: Subscription,
        due: NextCharge,
        terms: PlanTerms,
        before: list[Event],
        kept: list[tuple[str, int]],
        elsewhere: int | None = None,
    ) -> Change:
        key = (subscription.subscription_id, subscription.charges + 1)
        change = self.emit(*before, Charged(*key, *due[:3]))
        self.receive(terms, due.amount_units, kept)
        self.left[key] = due.amount_units
        self.spent[key[0]] = 0
        after = self.books.subscriptions[key[0]]
        assert (after.next_due, after.charges, after.shifted, after.scheduled) == (due.period_end, key[1], False, None)
        assert (after.plan_id, after.seats) == (due.plan_id, due.seats)
        assert after.credit_units == subscription.credit_units - due.credit_units
        invoice = change.invoice
        assert invoice is not None
        assert invoice.total_units == due.amount_units == sum(line.amount_units for line in invoice.lines)
        assert (invoice.plan_id, invoice.quoted is not None) == (elsewhere or due.plan_id, terms.quoter is not None)
        assert invoice.token == terms.token
        return change

    # --- what payers and payees agree to ---

    @rule(number=st.integers(0, 30), to=st.integers(0, 30), seats=st.integers(1, 50), back=st.booleans())
    def schedule(self, number: int, to: int, seats: int, back: bool) -> None:
        subscription_id = self._one(number, Status.ACTIVE)
        if subscription_id is None:
            return
        found = self.books.subscriptions[subscription_id]
        own = self.books.plans[found.plan_id]
        allowed = [
            (plan, one)
            for plan in self.books.plans.values()
            for one in (0, seats)
            if not schedule_objection(found, own, plan, one, self.time)
        ]
        if allowed and not (back and found.scheduled and found.next_due > self.time):
            plan, seats = allowed[to % len(allowed)]
            self.emit(ChangeScheduled(subscription_id, plan.plan_id, seats))
        elif found.scheduled and found.next_due > self.time:
            self.emit(ChangeScheduled(subscription_id, found.plan_id, found.seats))

    @rule(number=st.integers(0, 30))
    def lower_price(self, number: int) -> None:
        """To a plan that is made for it."""
        subscription_id = self._one(number, Status.ACTIVE, Status.ENDING, Status.PAUSED)
        if subscription_id is None:
            return
        found = self.books.subscriptions[subscription_id]
        plan_id, seats = found.scheduled or (found.plan_id, found.seats)
        coming = self.books.plans[plan_id]
        if coming.terms.price_units > 1:
            self.create_plan(replace(coming.terms, price_units=coming.terms.price_units // 2))
            cheaper = self.books.plans[len(self.books.plans)]
            assert lowering_objection(found, coming, cheaper) is None
            self.emit(PriceLowered(subscription_id, cheaper.plan_id, seats))

    @rule(
        number=st.integers(0, 30),
        most=st.sampled_from([0, 1, 2**60, MOST_UNITS]),
        total=st.sampled_from([0, 1, 2**62, MOST_UNITS]),
        end_s=st.sampled_from([0, 0, 1, 10**7]),
    )
    def set_conditions(self, number: int, most: int, total: int, end_s: int) -> None:
        subscription_id = self._one(number, Status.ACTIVE, Status.ENDING, Status.PAUSED)
        if subscription_id is None:
            return
        if self.books.plans[self.books.subscriptions[subscription_id].plan_id].terms.quoter:
            most = most or 1
        end = self.time + end_s if end_s else 0
        self.emit(ConditionsSet(subscription_id, most, total, end, None, False))
        found = self.books.subscriptions[subscription_id]
        assert (found.limits == NO_LIMITS) == (not most and not total and not end)

    @rule(number=st.integers(0, 30), off=offs, bound=st.booleans())
    def redeem(self, number: int, off: tuple[int, int, int], bound: bool) -> None:
        subscription_id = self._one(number, Status.ACTIVE, Status.ENDING, Status.PAUSED)
        if subscription_id is not None:
            found = self.books.subscriptions[subscription_id]
            if found.discount is None:
                self.emit(CouponRedeemed(subscription_id, b"c" * 32, found.plan_id if bound else 0, *off))

    @rule(number=st.integers(0, 30), wallet=st.none() | st.integers(200, 203))
    def set_fallback(self, number: int, wallet: int | None) -> None:
        subscription_id = self._one(number, Status.ACTIVE, Status.ENDING, Status.PAUSED)
        if subscription_id is None:
            return
        found = self.books.subscriptions[subscription_id]
        quoted = self.books.plans[found.plan_id].terms.quoter
        if wallet is None and found.fallback:
            self.emit(FallbackSet(subscription_id, None))
        elif wallet is not None and not quoted:
            self.emit(FallbackSet(subscription_id, f"0x{wallet:040x}"))

    @rule(number=st.integers(0, 30), price=st.integers(1, 2**64), fee_bps=st.sampled_from([0, 333]), new=st.booleans())
    def offer_alternative(self, number: int, price: int, fee_bps: int, new: bool) -> None:
        """A plan that is made for it, or one there is; one that is offered already is withdrawn."""
        plans = [plan for plan in self.books.plans.values() if not plan.terms.quoter and not plan.terms.refunds_unused]
        if not plans:
            return
        own = plans[number % len(plans)]
        if new:
            self._create_alternative(own, price, fee_bps)
        possible = [plan for plan in self.books.plans.values() if offer_objection(own, plan) is None]
        if possible:
            plan = possible[-1]
            offered = plan.plan_id in own.alternatives
            self.emit((AlternativeWithdrawn if offered else AlternativeOffered)(own.plan_id, plan.plan_id))

    def _create_alternative(self, own: Plan, price: int, fee_bps: int) -> None:
        other = next(token for token in TOKENS if token != own.terms.token)
        seat_price = own.terms.seat_price_units and 3
        terms = replace(own.terms, price_units=price, seat_price_units=seat_price, token=other)
        self.create_plan(with_parts(replace(terms, fee_bps=fee_bps, fee_receiver=None)))

    @rule(target=charges, number=st.integers(0, 30), price=st.integers(1, 2**64), fee_bps=st.sampled_from([0, 333]))
    def lean_on_an_alternative(self, number: int, price: int, fee_bps: int) -> tuple[int, int] | None:
        """All that a charge under one takes."""
        able = [
            subscription_id
            for subscription_id, found in self.books.subscriptions.items()
            if found.status == Status.ACTIVE
            and not (terms := self.books.plans[found.plan_id].terms).quoter
            and not terms.refunds_unused
            and found.scheduled is None
        ]
        if not able:
            return None
        subscription_id = able[number % len(able)]
        found = self.books.subscriptions[subscription_id]
        own = self.books.plans[found.plan_id]
        if not self._alternatives_to(found):
            self._create_alternative(own, price, fee_bps)
            self.emit(AlternativeOffered(own.plan_id, len(self.books.plans)))
        if found.limits.are_amounts:
            self.emit(ConditionsSet(subscription_id, 0, 0, 0, None, False))
        self.emit(FallbackPlanSet(subscription_id, self._alternatives_to(found)[0].plan_id))
        return self._charge(self._ones(Status.ACTIVE).index(subscription_id), 0, False, False, 10**6, True)

    @rule(number=st.integers(0, 30), which=st.integers(0, 5))
    def name_fallback_plan(self, number: int, which: int) -> None:
        named = {
            subscription_id: [plan.plan_id for plan in self._alternatives_to(found)]
            for subscription_id, found in self.books.subscriptions.items()
            if found.status != Status.CANCELLED and not found.limits.are_amounts
        }
        able = [subscription_id for subscription_id, plans in named.items() if plans]
        if able:
            subscription_id = able[number % len(able)]
            plans = named[subscription_id]
            self.emit(FallbackPlanSet(subscription_id, plans[which % len(plans)]))

    def _alternatives_to(self, subscription: Subscription) -> list[Plan]:
        own = self.books.plans[subscription.plan_id]
        found = [self.books.plans[number] for number in own.alternatives]
        return [
            plan
            for plan in found
            if not plan.archived
            and plan.terms.payee == own.terms.payee
            and subscription.payer not in {plan.terms.payee, plan.terms.fee_receiver}
            and plan.terms.seats_allowed()[0] <= subscription.seats <= plan.terms.seats_allowed()[1]
        ]

    @rule(number=st.integers(0, 30), to=st.integers(0, 30))
    def propose(self, number: int, to: int) -> None:
        subscription_id = self._one(number, Status.ACTIVE, Status.ENDING, Status.PAUSED)
        if subscription_id is not None:
            register_id = subscription_id // PER_REGISTER
            plans = [p for p in self.books.plans.values() if p.register_id == register_id and not p.archived]
            if plans:
                self.emit(PlanProposed(subscription_id, plans[to % len(plans)].plan_id))

    @rule(number=st.integers(0, 30), payer=st.integers(100, 103))
    def change_payer(self, number: int, payer: int) -> None:
        subscription_id = self._one(number, Status.ACTIVE, Status.ENDING, Status.PAUSED)
        if subscription_id is None:
            return
        found, new = self.books.subscriptions[subscription_id], f"0x{payer:040x}"
        if new == found.payer or (found.status == Status.ACTIVE and found.next_due <= self.time):
            return
        act: list[Event] = []
        act += [ChangeScheduled(subscription_id, found.plan_id, found.seats)] if found.scheduled else []
        act += [FallbackSet(subscription_id, None)] if found.fallback else []
        self.emit(*act, PayerChanged(subscription_id, found.payer, new))
        assert self.books.subscriptions[subscription_id].payer == new

    @rule(number=st.integers(0, 5), new=st.integers(5, 6))
    def change_payee(self, number: int, new: int) -> None:
        register = self.books.registers[number % len(self.books.registers)]
        payee = f"0x{new:040x}"
        if all(known[1:3] != (payee, register.token) for known in self.books.registers.values()):
            self.emit(PayeeChanged(register.register_id, register.payee, payee))

    # --- usage, changes, refunds ---

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
        most, in_all, _ = subscription.limits
        cost = subscription.paid_rate(terms) + terms.usage_cap_units - left + units
        if (in_all is not None and units > in_all) or (most and not terms.quoter and cost > most):
            return None
        key = (subscription_id, subscription.charges + 1)
        start = terms.period.later(subscription.next_due, -1, subscription.anchor_day)
        charged = Charged(*key, start, subscription.next_due, units)
        change = self.emit(UsageCharged(*key, quantity, b"u" * 32), charged)
        self.spent[subscription_id] += units
        self.receive(terms, units)
        self.left[key] = units
        assert self.books.subscriptions[subscription_id] == subscription._replace(
            charges=key[1],
            usage_units=self.spent[subscription_id],
            usage_charge=key[1],
            limits=subscription.limits.spent(units),
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
        stays = (seats, done.next_due) == (subscription.seats, subscription.next_due)
        in_one = done.to_pay_units != 0 and stays
        if done.charged_units and not in_one:
            act.append(Charged(*key, self.time, done.next_due, done.to_pay_units))
        if done.charged_units:
            self.receive(new_plan.terms, done.to_pay_units)
            self.left[key] = done.to_pay_units
            self.spent[subscription_id] = 0
        if in_one:
            act.append(Upgraded(subscription_id, new_plan.plan_id, key[1], done.to_pay_units))
        else:
            act.append(PlanChanged(subscription_id, new_plan.plan_id, seats, done.credit_units))
        change = self.emit(*act)
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
        terms = self.books.plans[self.books.charge_invoices[key].plan_id].terms
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
        found = self._ones(*wanted, metered=metered)
        return found[number % len(found)] if found else None

    def _ones(self, *wanted: Status, metered: bool = False) -> list[int]:
        return [
            key
            for key, value in self.books.subscriptions.items()
            if value.status in wanted
            and (not metered or (value.charges and self.books.plans[value.plan_id].terms.usage_cap_units))
        ]

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
        self.a_period_was_charged_as_expected_or_not_at_all()
        self.made_again_the_books_are_the_same()
        self.an_event_left_out_is_noticed()
        self.an_event_given_twice_is_noticed()

    def a_period_was_charged_as_expected_or_not_at_all(self) -> None:
        """Where nothing happened to a subscription between due time and charge, it was charged what was expected."""
        due = DuePeriods()
        before: dict[bytes, Mapping[tuple[int, int], DuePeriod]] = {}
        touched: defaultdict[int, int] = defaultdict(int)
        charged: set[tuple[int, int]] = set()
        for recorded in self.events:
            if isinstance(recorded.event, Refunded | Claimed):
                continue
            number, time = getattr(recorded.event, "subscription_id", 0), recorded.origin.block_time
            found = due.books.subscriptions.get(number)
            if recorded.origin.transaction_hash not in before:
                coming = due_periods(found, due.books.plans, touched[number], time) if found else ()
                before[recorded.origin.transaction_hash] = {
                    (number, period.start): period for period in coming if found and period.start == found.next_due
                }
            invoice = due.apply(recorded)
            touched[number] = time
            if invoice and isinstance(recorded.event, Charged) and not invoice.usage:
                charged.add((number, invoice.period_start))
                expected = before[recorded.origin.transaction_hash].get((number, invoice.period_start))
                if expected and expected.units is not None and expected.plan_id == invoice.plan_id:
                    assert invoice.total_units == expected.units
        due.finish(self.time + 1)
        assert not due.uncharged.keys() & charged
        assert all(period.start <= self.time for period in due.uncharged.values())

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
        for form in TEXT_FORMATS.values():
            first, second = (
                "".join(form((("subscriptions", c.entry) for c in made if c.entry), KNOWN))
                for made in (changes, self.changes)
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
