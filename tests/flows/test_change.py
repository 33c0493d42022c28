"""Random lives of subscriptions on a real chain: seats, usage, changes of plan, trials, fees, pauses, accounts that
cannot be paid. The mirror follows each step, its quotes are the contract's and what then happens, and the audit proves
it all."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from eth_utils.abi import function_signature_to_4byte_selector

from tallystick.chain.decode import decode_event
from tallystick.chain.rpc import Rpc
from tallystick.core.alternative import under
from tallystick.core.books import Books
from tallystick.core.change import Segment, commitment, objection, quote
from tallystick.core.events import Charged, CreditUsed, Event, PlanChanged, Recorded, Upgraded
from tallystick.core.invoice import Invoice, Kind
from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason, Status, Subscription, next_charge, over_limit
from tallystick.flows.audit import audit
from tallystick.flows.history import segments_of
from tallystick.flows.ingest import Target, ingest
from tallystick.flows.pending import read_present
from tallystick.storage.database import open_database, reading
from tallystick.storage.events import count_events, read_events
from tallystick.storage.invoices import read_invoices
from tallystick.storage.journal import read_balances
from tallystick.storage.sources import find_source
from tallystick.storage.subscriptions import read_subscriptions
from tallystick.testing import AnvilError
from tests.business import UNLIMITED, Business
from tests.databases import RANDOM_LIVES, NewDatabase
from tests.flows.test_ingest import content

DAY = 86_400
SEATS = (0, 1, 2, 7)
STEPS = 70


class Town:
    """A merchant with plans of every kind, its payers, and the mirror of it all."""

    def __init__(self, business: Business, url: str) -> None:
        self.business = business
        contract = business.contract
        pegs = {business.token: "USD"}
        self.target = Target(business.anvil.chain_id, contract.address, contract.start_block, pegs=pegs)
        self.engine = open_database(url)
        self.rpc = Rpc(business.anvil.url)
        self.platform = business.account("platform")
        self.biller = business.account("biller")
        self.payers: dict[int, str] = {}
        self.blocked: set[str] = set()
        self.quoted_units: int | None = None
        for account in (business.payee, business.account("other payee")):
            business.token_call(account, "approve", business.subscriptions, UNLIMITED)

    def open_plans(self) -> None:
        create = self.business.create_plan
        fee: dict[str, Any] = {"fee_bps": 250, "fee_receiver": self.platform}
        create()
        create(49_000_001, seat_price_units=7_333_333)
        create(99_000_000, 1, Unit.YEAR, **fee)
        create(0, 1, Unit.WEEK, seat_price_units=3_000_000, min_charges=1)
        create(19_990_000, trial=14 * DAY, family=1)
        create(39_990_000, trial=DAY, family=1, seat_price_units=500_000)
        create(5_000_000, 30, Unit.DAY, grace=3 * DAY, catch_up=2)
        create(120_010_000, 12, **fee)
        create(1_000_003, 7, Unit.DAY, seat_price_units=1, fee_bps=9_999, fee_receiver=self.platform)
        create(8_000_000, max_charges=3)
        create(7_000_000, payee=self.business.account("other payee"))
        create(6_000_000)
        self.business.call(self.business.payee, "archivePlan", 12)
        create(12_000_000, usage_cap_units=5_000_000, usage_price_units=2_500_000, biller=self.biller)
        create(
            30_000_000, usage_cap_units=900_000, usage_price_units=1, seat_price_units=2_000_000, grace=9 * DAY, **fee
        )

    # --- what is known ---

    def read(self, name: str, *arguments: Any) -> list[int]:
        """The words of an answer of the contract."""
        data = bytes.fromhex(self.business.read(name, *arguments)[2:])
        return [int.from_bytes(data[at : at + 32], "big") for at in range(0, len(data), 32)]

    def index(self, *, final: bool = False) -> None:
        if final:
            self.business.anvil.finalize()
        ingest(self.engine, self.rpc, self.target)

    def present(self) -> Books:
        """The books with all subscriptions, pending blocks included."""
        with reading(self.engine) as connection:
            source = find_source(connection, self.target.chain_id, self.target.contract)
            assert source is not None
            return read_present(connection, source, {}, list(self.payers)).books

    def recorded(self, subscription_id: int) -> list[Recorded]:
        """All stored events of a subscription."""
        with reading(self.engine) as connection:
            stored = list(read_events(connection, 1))
        found = [Recorded(row.origin, decode_event(row.name, row.topics, row.data)) for row in stored]
        return [one for one in found if getattr(one.event, "subscription_id", None) == subscription_id]

    def invoices(self, kind: Kind = Kind.INVOICE) -> dict[tuple[int, int], Invoice]:
        with reading(self.engine) as connection:
            found = list(read_invoices(connection, 1, kind=kind))
        return {(invoice.subscription_id, invoice.charge_number): invoice for invoice in found}

    def require_as_on_chain(self) -> Books:
        """Every subscription, what is kept, and what the next charge would be, as the contract says."""
        books, now = self.present(), self.business.anvil.timestamp
        assert set(books.subscriptions) == set(self.payers)
        for number, found in books.subscriptions.items():
            payer, *words, _history = self.read("subscription", number)
            plan_id, next_due, charges, status, anchor_day, seats, credit = words
            assert int(found.payer, 16) == payer
            on_chain = (plan_id, next_due, charges, Status(status), anchor_day, seats)
            assert found[2:8] == on_chain
            # A cancellation with refund gives it back without telling.
            assert found.credit_units == credit or (found.status == Status.CANCELLED and not credit)
            assert self.read("usageLeft", number) == [found.usage_left(books.plans[plan_id].terms)]
            self.require_preview(found, books, now)
        for (account, token), units in books.claimables.items():
            assert self.read("claimable", account, token) == [units]
        return books

    def require_preview(self, found: Subscription, books: Books, now: int) -> None:
        reason, start, end, amount, credit_used, plan_id = self.read("preview", found.subscription_id)
        terms = books.plans[found.plan_id].terms
        coming = books.plans[found.scheduled.plan_id].terms if found.scheduled else terms
        hopeless = {DeclineReason.NOT_DUE, DeclineReason.CANCELLED, DeclineReason.ENDED, DeclineReason.PAUSED}
        assert found.is_due(terms, now) == (reason not in hopeless)
        if found.is_due(terms, now):
            due = next_charge(found, terms, now, coming, self.quoted_units)
            assert plan_id in {due.plan_id, found.fallback and found.fallback.alternative_id}
            paid = due if plan_id == due.plan_id else under(due, books.plans[plan_id].terms)
            assert paid[:4] == (start, end, amount, credit_used)
            too_dear = {DeclineReason.OVER_MANDATE, DeclineReason.SLIPPAGE}
            assert (over_limit(found, coming, due) is not None) == (reason in too_dear)

    def require_quotes(self, books: Books) -> int:
        """Every change that could be asked for now, quoted and refused as the contract does; how many may be made."""
        allowed, now = 0, self.business.anvil.timestamp
        for found, plan, seats in itertools.product(books.subscriptions.values(), books.plans.values(), SEATS):
            own = books.plans[found.plan_id]
            refused = objection(found, own, plan, seats, now)
            try:
                to_pay, credit, next_due = self.read("quote", found.subscription_id, plan.plan_id, seats)
            except AnvilError:
                assert refused is not None
                continue
            assert refused is None, (found, plan, seats)
            done = quote(found, own.terms, plan.terms, seats, now)
            assert (done.to_pay_units, done.credit_units, done.next_due) == (to_pay, credit, next_due)
            allowed += 1
        return allowed

    # --- what may happen ---

    def step(self, draw: random.Random) -> None:
        books = self.present()
        verb = draw.choices(
            (
                *(self.wait, self.subscribe, self.charge, self.use, self.change),
                *(self.pause, self.block, self.claim, self.end),
            ),
            (8, 3, 2, 9, 10, 3, 3, 2, 1),
        )[0]
        verb(draw, books)

    def wait(self, draw: random.Random, books: Books) -> None:
        """Usually what is due is charged soon after."""
        self.business.anvil.advance(draw.choice((1, 3_600, DAY + 7, 2 * DAY, 5 * DAY, 9 * DAY, 32 * DAY)))
        if draw.random() < 0.9:
            self.charge(draw, books)

    def subscribe(self, draw: random.Random, books: Books) -> None:
        plan = books.plans[draw.choice([*range(1, 12), 13, 13, 13, 13, 14, 14])]
        if plan.terms.payee in self.blocked or (self.platform in self.blocked and plan.terms.fee_receiver):
            return
        payer = self.business.payer(draw.randint(1, 4))
        seats = draw.choice(SEATS[1:]) if plan.terms.seat_price_units else 0
        self.payers[self.business.subscribe(payer, plan.plan_id, seats)] = payer

    def charge(self, draw: random.Random, _books: Books) -> None:
        ids = list(self.payers)
        draw.shuffle(ids)
        if ids:
            self.business.charge(*ids, *ids[:1])

    def use(self, draw: random.Random, books: Books) -> None:
        """Of all whose usage can be charged, some or all of what is left."""
        now = self.business.anvil.timestamp + 60
        for number, found in books.subscriptions.items():
            terms = books.plans[found.plan_id].terms
            left = found.usage_left(terms)
            if self.blocked & {terms.payee, terms.fee_receiver}:
                continue
            if found.status not in {Status.ACTIVE, Status.ENDING} or found.has_ended(terms, now) or not left:
                continue
            if found.charges and draw.random() < 0.8:
                units = draw.choice((1, left, draw.randint(1, left)))
                quantity = -(-units * 10**6 // terms.usage_price_units) + draw.randint(0, 10)
                sender = draw.choice((terms.payee, terms.biller or terms.payee))
                self.business.call(
                    sender, "chargeUsage", number, found.charges + 1, units, quantity, draw.randbytes(32)
                )

    def change(self, draw: random.Random, books: Books) -> None:
        """One or two of those that can be changed, up and down, to longer and shorter periods."""
        left = draw.choice((1, 2))
        for number in draw.sample(sorted(self.payers), len(self.payers)):
            found, now = books.subscriptions[number], self.business.anvil.timestamp
            own = books.plans[found.plan_id]
            choices = [
                (plan, seats)
                for plan, seats in itertools.product(books.plans.values(), SEATS)
                if objection(found, own, plan, seats, now + 60) is None and plan.terms.payee not in self.blocked
            ]
            if not choices or not left or self.platform in self.blocked:
                continue
            left -= 1
            upgrades = [  # told otherwise than other changes
                (plan, seats)
                for plan, seats in choices
                if seats == found.seats
                and (offer := quote(found, own.terms, plan.terms, seats, now + 60)).to_pay_units
                and offer.next_due == found.next_due
            ]
            plan, seats = draw.choice(upgrades if upgrades and draw.random() < 0.5 else choices)
            receipt = self.business.change_plan(self.payers[number], number, plan.plan_id, seats)
            header = self.business.anvil.rpc("eth_getBlockByNumber", receipt["blockNumber"], False)
            done = quote(found, own.terms, plan.terms, seats, int(header["timestamp"], 16))
            happened: dict[type[Event], Any] = {type(event): event for event in self.business.events(receipt)}
            if Upgraded in happened:
                assert happened[Upgraded] == (number, plan.plan_id, found.charges + 1, done.to_pay_units)
                assert (seats, done.credit_units, done.next_due) == (found.seats, 0, found.next_due)
            else:
                assert happened[PlanChanged] == (number, plan.plan_id, seats, done.credit_units)
                assert (Charged in happened) == (done.charged_units > 0)
            if Charged in happened:
                assert happened[Charged][3:] == (done.next_due, done.to_pay_units)
            assert (happened[CreditUsed][2] if CreditUsed in happened else 0) == done.credit_used_units

    def pause(self, draw: random.Random, books: Books) -> None:
        now = self.business.anvil.timestamp + 60
        for number in draw.sample(sorted(self.payers), min(2, len(self.payers))):
            found = books.subscriptions[number]
            if found.status == Status.PAUSED:
                self.business.call(found.payer, "resume", number)
            elif found.status == Status.ACTIVE and found.next_due > now:
                self.business.call(found.payer, "pause", number)

    def block(self, draw: random.Random, _books: Books) -> None:
        for account in (self.business.payee, self.platform):
            if account in self.blocked:
                self.business.unblock(account)
                self.blocked.remove(account)
            elif draw.random() < 0.3:
                self.business.block(account)
                self.blocked.add(account)

    def claim(self, _draw: random.Random, books: Books) -> None:
        for (account, token), units in books.claimables.items():
            if units and account not in self.blocked:
                self.business.call(self.business.operator, "claim", account, token)

    def end(self, draw: random.Random, books: Books) -> None:
        number = draw.choice(sorted(self.payers) or [0])
        if number and books.subscriptions[number].status in {Status.ACTIVE, Status.PAUSED}:
            verb = "cancel" if books.subscriptions[number].status == Status.PAUSED else "cancelAtPeriodEnd"
            payee = books.plans[books.subscriptions[number].plan_id].terms.payee
            self.business.call(payee, verb, number)

    def refund_all(self) -> int:
        """Gives back every charge to the last unit that the invoice allows, and finds that the contract allows no more;
        how many."""
        plans, count = self.present().plans, 0
        for account in list(self.blocked):
            self.business.unblock(account)
            self.blocked.remove(account)
        for (number, charge_number), invoice in self.invoices().items():
            history = segments_of(self.recorded(number), plans)
            *_, on_chain = self.read("subscription", number)
            assert commitment(history) == on_chain
            if plans[invoice.plan_id].terms.protection:  # the escrow has it
                with pytest.raises(AnvilError, match=_selector_of("PlanIsProtected(uint256)")):
                    self.refund(invoice, charge_number, 1, history)
                continue
            (refunded,) = self.read("refunded", number, charge_number)
            left = invoice.total_units - refunded
            self.business.mint(invoice.payee, left, token=invoice.token)
            if left:
                self.refund(invoice, charge_number, left, history)
            with pytest.raises(AnvilError, match=_selector_of("RefundTooHigh(uint256,uint256)")):
                self.refund(invoice, charge_number, 1, history)
            count += 1
        return count

    def refund(self, invoice: Invoice, charge_number: int, units: int, history: list[Segment]) -> None:
        number = invoice.subscription_id
        if history:
            self.business.call(
                invoice.payee, "refundChanged", number, charge_number, units, [tuple(s) for s in history]
            )
        else:
            self.business.call(invoice.payee, "refund", number, charge_number, units)


def _selector_of(error: str) -> str:
    return "0x" + function_signature_to_4byte_selector(error).hex()


@RANDOM_LIVES
def test_E31_whatever_is_changed_the_mirror_follows_and_the_audit_agrees(
    business: Business, new_database: NewDatabase, seed: int
) -> None:
    draw = random.Random(seed)
    town = Town(business, new_database())
    town.open_plans()
    town.index()
    for _ in range(6):
        town.subscribe(draw, town.present())
        town.index()
    allowed = 0
    for number in range(STEPS):
        if number % 6 == 3:
            town.use(draw, town.present())
            town.index()
        town.step(draw)
        town.index(final=number % 9 == 8)
        books = town.require_as_on_chain()
        if number % 6 == 0:
            allowed += town.require_quotes(books)
    assert allowed > 20
    town.index(final=True)
    assert town.refund_all() > 10
    town.index(final=True)
    town.require_as_on_chain()

    report = audit(town.engine, town.rpc, town.target)
    assert report.differences == []
    assert report.charges_in_ledger == report.charges_on_chain == len(town.invoices())
    again = open_database(new_database())
    ingest(again, town.rpc, town.target)
    assert content(again) == content(town.engine)
    with reading(town.engine) as connection:
        held = read_balances(connection, 1)
        assert read_subscriptions(connection, 1) == town.present().subscriptions
        counted = count_events(connection, 1)
    assert counted["PlanChanged"] + counted.get("Upgraded", 0) > 5
    assert counted["UsageCharged"] > 5
    assert any(balance.account.startswith("Income:Usage:") for balance in held)
    assert sum(balance.debit_units for balance in held) == sum(balance.credit_units for balance in held)
