"""Random lives of subscriptions on a real chain that have everything: conditions, coupons, changes that are scheduled,
lower prices, plans on a fixed grid, with quoted prices and with protected charges, fallback wallets and plans in a
second token, other payers, cancellations with refund.
The mirror follows each step, what it expects of the next charge is what the contract charges, and the audit proves it
all.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.alternative import offer_objection
from tallystick.core.books import Books
from tallystick.core.change import schedule_objection
from tallystick.core.invoice import Kind
from tallystick.core.period import Unit
from tallystick.core.subscription import NO_LIMITS, Status
from tallystick.flows.audit import audit
from tallystick.flows.compare import require_source
from tallystick.flows.history import segments_of
from tallystick.flows.ingest import ingest
from tallystick.flows.reconcile_charges import reconcile_charges
from tallystick.storage.database import open_database, reading
from tallystick.storage.events import count_events
from tallystick.storage.invoices import read_invoices
from tallystick.storage.subscriptions import read_subscriptions
from tallystick.testing import AnvilError
from tests.business import UNLIMITED, Business
from tests.databases import RANDOM_LIVES, NewDatabase
from tests.flows.test_change import DAY, SEATS, Town
from tests.flows.test_ingest import content

STEPS = 130
GRID = 1_580_428_800  # 31 January 2020
ANSWER_STORED = "0x5f545f5260205ff3"
"""A quoter that answers what is stored in its first slot."""
SIGNS_ALL = "0x631626ba7e60e01b5f5260205ff3"
"""A wallet that finds every signature good (ERC-1271)."""
EVERYTHING = (
    *("ChangeScheduled", "ConditionsSet", "CouponRedeemed", "Discounted", "Quoted", "FallbackSet", "PaidByFallback"),
    *("PayerChanged", "PlanChanged", "CreditUsed", "AlternativeOffered", "AlternativeWithdrawn", "FallbackPlanSet"),
    *("PaidInAlternative", "PlanProposed", "Protected"),
)
NO_COUPON = (0, 0, 0, 0, ZERO_ADDRESS, 0, 0)


class City(Town):
    """A town whose people use everything that there is."""

    def open_plans(self) -> None:
        super().open_plans()  # 1 to 14
        rpc = self.business.anvil.rpc
        self.quoter = self.business.account("quoter")
        rpc("anvil_setCode", self.quoter, ANSWER_STORED)
        self.set_quote(11_000_000)
        rpc("anvil_setCode", self.business.payee, SIGNS_ALL)
        create = self.business.create_plan
        fee: dict[str, Any] = {"fee_bps": 333, "fee_receiver": self.platform}
        create(10_000_001, align_to=GRID)
        create(4_000_003, align_to=GRID, seat_price_units=777_777, **fee)
        create(3_000_000, 1, Unit.WEEK, align_to=GRID + 5_000, trial=3 * DAY, catch_up=2)
        create(999, quoter=self.quoter)
        create(500, quoter=self.quoter, seat_price_units=3, align_to=GRID, **fee)
        create(9_000_000)  # as plan 1, cheaper
        create(20_000_000, refunds_unused=True)
        create(9_999_999, align_to=GRID)  # as plan 15, cheaper
        create(11_000_000, 1, Unit.WEEK, usage_cap_units=2_000_000, usage_price_units=2**90, align_to=1)
        self.second = self.business.create_token()
        self.business.token_call(
            self.business.payee, "approve", self.business.subscriptions, UNLIMITED, token=self.second
        )
        for terms in ({}, {"align_to": GRID}, fee, {"align_to": GRID, "seat_price_units": 555_555} | fee):
            create(13_131_313, token=self.second, **terms)  # 24 to 27
        shield: dict[str, Any] = {"arbiter": self.business.account("arbiter"), "ruling_timeout": 7 * DAY}
        create(8_000_000, protection=14 * DAY, default_payee_bps=5_000, **shield)
        create(9_000_000, protection=DAY, max_arbiter_fee_bps=500, seat_price_units=1_000_000, **shield, **fee)
        self.verbs: list[Callable[[random.Random, Books], None]] = [
            *(self.schedule, self.schedule, self.lower, self.set_conditions, self.redeem, self.set_fallback),
            *(self.change_payer, self.cancel_with_refund, self.subscribe_with_conditions, self.lean_on_others),
            *(self.offer, self.name_a_plan, self.propose, self.lean_on_another_token, self.subscribe_with_conditions),
        ]

    def set_quote(self, units: int) -> None:
        self.quoted_units = units
        self.business.anvil.rpc("anvil_setStorageAt", self.quoter, "0x" + "0" * 64, f"0x{units:064x}")

    def tried(self, sender: str, name: str, *arguments: Any) -> Any:
        """The receipt of a transaction, None where the contract refused it."""
        try:
            return self.business.call(sender, name, *arguments)
        except AnvilError:
            return None

    def step(self, draw: random.Random) -> None:
        chance = draw.random()
        if chance < 0.2:
            self.wait(draw, self.present())
        elif chance < 0.6:
            draw.choice(self.verbs)(draw, self.present())
        else:
            super().step(draw)

    def deed_of(self, event: str) -> Callable[[random.Random, Books], None]:
        """What brings an event about, sooner or later."""
        deeds: dict[str, Callable[[random.Random, Books], None]] = {
            **dict.fromkeys(("AlternativeOffered", "AlternativeWithdrawn"), self.offer),
            **dict.fromkeys(("FallbackPlanSet", "PaidInAlternative"), self.lean_on_another_token),
            **dict.fromkeys(("FallbackSet", "PaidByFallback"), self.lean_on_others),
            **dict.fromkeys(("PlanChanged", "CreditUsed"), self.change),
            "ChangeScheduled": self.schedule,
            "PayerChanged": self.change_payer,
            "PlanProposed": self.propose,
        }
        return deeds.get(event, self.subscribe_with_conditions)

    def one(self, draw: random.Random, books: Books) -> int:
        """One that has not ended, where there is such."""
        alive = [n for n, found in books.subscriptions.items() if found.status != Status.CANCELLED]
        return draw.choice(alive or list(self.payers))

    # --- what people do ---

    def wait(self, draw: random.Random, books: Books) -> None:
        self.set_quote(draw.choice((1, 10_999_999, 11_000_000, 12_345_678)))
        if draw.random() < 0.8:
            self.open_wallets()
        super().wait(draw, books)

    def conditions(self, draw: random.Random, *, quoted: bool = False) -> tuple[Any, ...]:
        now = self.business.anvil.timestamp
        most = draw.choice((0, 12_000_000, 60_000_000, 2**96 - 1))
        return (
            most or (12_000_000 if quoted else 0),
            draw.choice((0, 0, 40_000_000, 2**96 - 1)),
            draw.choice((0, 0, now + 2 * DAY, now + 40 * DAY)),
            draw.choice((0, 0, 0, now + 45 * DAY, now + 200 * DAY)),
            draw.choice((ZERO_ADDRESS, self.business.account("friend"))),
            False,
        )

    def coupon(self, draw: random.Random, number: int) -> tuple[Any, ...]:
        percent, units = draw.choice(((1_000, 0), (0, 2_000_000), (3_333, 7), (10_000, 0), (0, 2**96 - 1), (1, 0)))
        return (0, percent, units, draw.choice((1, 2, 4)), ZERO_ADDRESS, number, UNLIMITED)

    def subscribe_with_conditions(self, draw: random.Random, books: Books) -> None:
        plan = books.plans[draw.choice([*range(1, 6), *range(13, 24), 15, 16, 18, 19, 28, 28, 29, 29])]
        payer = self.business.payer(draw.randint(1, 4))
        seats = draw.choice(SEATS[1:]) if plan.terms.seat_price_units else 0
        coupon = draw.choice((NO_COUPON, self.coupon(draw, draw.getrandbits(64))))
        arguments = (plan.plan_id, self.business.terms_hash(plan.plan_id), seats)
        conditions = self.conditions(draw, quoted=plan.terms.quoter is not None)
        receipt = self.tried(payer, "subscribeWithConditions", *arguments, conditions, coupon, b"\1")
        if receipt is not None:
            (number, *_) = self.business.events(receipt)[0]
            self.payers[int(number)] = payer

    def subscribe(self, draw: random.Random, books: Books) -> None:
        if draw.random() < 0.5:
            self.subscribe_with_conditions(draw, books)
            return
        if draw.random() < 0.5:
            super().subscribe(draw, books)
            return
        plan = books.plans[draw.choice((15, 16, 17, 21, 22, 23))]
        if self.blocked:
            return
        self.open_wallets()
        payer = self.business.payer(draw.randint(1, 4))
        seats = draw.choice(SEATS[1:]) if plan.terms.seat_price_units else 0
        self.payers[self.business.subscribe(payer, plan.plan_id, seats)] = payer

    def schedule(self, draw: random.Random, books: Books) -> None:
        """Something that may be asked for, or is refused by contract and books alike."""
        for number in draw.sample(sorted(self.payers), min(3, len(self.payers))):
            found, plan = books.subscriptions[number], books.plans[draw.choice([*range(1, 24), 28, 29])]
            own = books.plans[found.plan_id]
            if draw.random() < 0.2:
                plan = own
            seats = draw.choice(SEATS) if plan.terms.seat_price_units else draw.choice((0, 0, 0, 1))
            terms_hash = self.business.terms_hash(plan.plan_id)
            receipt = self.tried(found.payer, "scheduleChange", number, plan.plan_id, terms_hash, seats)
            refused = schedule_objection(found, own, plan, seats, self.business.anvil.timestamp)
            if receipt is not None:
                assert refused is None
            elif found.next_due > self.business.anvil.timestamp and not plan.terms.is_cheaper_than(own.terms):
                is_same = (plan.plan_id, seats) == (found.plan_id, found.seats)
                assert refused is not None or (is_same and found.status != Status.ACTIVE)

    def lower(self, draw: random.Random, books: Books) -> None:
        for number, found in books.subscriptions.items():
            coming = {1: 20, 15: 22}.get(found.plan_id)
            if coming and draw.random() < 0.5:
                self.tried(self.business.payee, "lowerPrice", [number], coming)

    def set_conditions(self, draw: random.Random, books: Books) -> None:
        number = self.one(draw, books)
        self.tried(books.subscriptions[number].payer, "setConditions", number, self.conditions(draw))

    def redeem(self, draw: random.Random, books: Books) -> None:
        for number in draw.sample(sorted(self.payers), min(3, len(self.payers))):
            coupon = self.coupon(draw, draw.randint(0, 9))
            self.tried(books.subscriptions[number].payer, "redeemCoupon", number, coupon, b"\1")

    def set_fallback(self, draw: random.Random, books: Books) -> None:
        for number, found in books.subscriptions.items():
            if draw.random() < 0.5:
                self.agree_to_pay(draw, number, found.payer)
            elif draw.random() < 0.3:
                self.tried(found.payer, "dropFallback", number)

    def agree_to_pay(self, draw: random.Random, number: int, payer: str) -> None:
        wallet = self.business.payer("rich uncle")
        self.business.anvil.rpc("anvil_setCode", wallet, SIGNS_ALL)
        self.tried(payer, "setFallback", number, wallet, draw.getrandbits(64), UNLIMITED, b"\1")

    def lean_on_others(self, draw: random.Random, books: Books) -> None:
        """No payer can pay when something is due."""
        self.open_wallets()
        if not self.blocked:
            payer = self.business.payer(1)
            number = self.business.subscribe(payer, 1)
            self.payers[number] = payer
            self.agree_to_pay(draw, number, payer)
        for name in range(1, 5):
            self.business.approve(self.business.account(name), 0)
        self.business.anvil.advance(32 * DAY)
        self.charge(draw, books)

    def offer(self, draw: random.Random, books: Books) -> None:
        """Or withdraw, where it is offered."""
        for plan_id, alternative_id in ((1, 24), (20, 24), (13, 24), (1, 26), (15, 25), (16, 27), (22, 25)):
            chance = draw.random()
            if chance < 0.5:
                self.tried(self.business.payee, "offerAlternative", plan_id, alternative_id)
            elif chance < 0.75:
                self.tried(self.business.payee, "withdrawAlternative", plan_id, alternative_id)
        refused = (draw.randint(1, 27), draw.randint(1, 27))
        if self.tried(self.business.payee, "offerAlternative", *refused) is None:
            plans = [books.plans[number] for number in refused]
            assert (
                offer_objection(*plans) is not None or refused[1] in self.present_after().plans[refused[0]].alternatives
            )

    def present_after(self) -> Books:
        self.index()
        return self.present()

    def name_a_plan(self, draw: random.Random, books: Books) -> None:
        for number, found in books.subscriptions.items():
            alternatives = books.plans[found.plan_id].alternatives
            if alternatives and draw.random() < 0.7:
                plan_id = draw.choice(alternatives)
                self.tried(found.payer, "setFallbackPlan", number, plan_id, self.business.terms_hash(plan_id))

    def propose(self, draw: random.Random, books: Books) -> None:
        number, plan_id = self.one(draw, books), draw.randint(1, 27)
        self.tried(self.business.payee, "proposePlan", [number], plan_id)

    def lean_on_another_token(self, draw: random.Random, books: Books) -> None:
        """No payer has the first token when something is due, and each has the second."""
        self.open_wallets()
        if not self.blocked:
            payer = self.business.payer(2)
            self.tried(self.business.payee, "offerAlternative", 1, 24)
            number = self.business.subscribe(payer, 1)
            self.payers[number] = payer
            self.tried(payer, "setFallbackPlan", number, 24, self.business.terms_hash(24))
        self.name_a_plan(draw, books)
        for name in range(1, 5):
            payer = self.business.account(name)
            self.business.mint(payer, 10**10, token=self.second)
            self.business.approve(payer, UNLIMITED, token=self.second)
            self.business.approve(payer, 0)
        self.business.anvil.advance(32 * DAY)
        self.charge(draw, books)

    def change_payer(self, draw: random.Random, books: Books) -> None:
        number, name = self.one(draw, books), draw.randint(1, 4)
        new, found = self.business.payer(name), books.subscriptions[number]
        self.business.anvil.rpc("anvil_setCode", found.payer, SIGNS_ALL)
        salt = draw.getrandbits(64)
        if self.tried(new, "changePayer", number, new, salt, UNLIMITED, b"\1", b""):
            self.payers[number] = new

    def cancel_with_refund(self, draw: random.Random, books: Books) -> None:
        number = self.one(draw, books)
        found = books.subscriptions[number]
        payee = books.plans[found.plan_id].terms.payee
        if payee in self.blocked:
            return
        self.business.mint(payee, 10**10)
        history = [tuple(segment) for segment in segments_of(self.recorded(number), books.plans)]
        charges = list(range(found.charges, 0, -1))
        self.tried(payee, "cancelWithRefund", number, charges, history)

    def change(self, draw: random.Random, books: Books) -> None:
        self.open_wallets()
        super().change(draw, books)

    def use(self, draw: random.Random, books: Books) -> None:
        self.open_wallets()
        for number, found in list(books.subscriptions.items()):
            terms = books.plans[found.plan_id].terms
            if found.limits != NO_LIMITS and terms.usage_cap_units:  # they may allow less than the cap
                units = draw.choice((1, found.usage_left(terms), terms.usage_cap_units // 2))
                numbers = (number, found.charges + 1, units, 2**127)
                self.tried(terms.payee, "chargeUsage", *numbers, draw.randbytes(32))
                del books.subscriptions[number]
        super().use(draw, books)

    def end(self, draw: random.Random, books: Books) -> None:
        """By the payee, who may have promised a refund."""
        number = self.one(draw, books)
        payee = books.plans[books.subscriptions[number].plan_id].terms.payee
        self.tried(payee, draw.choice(("cancel", "cancelAtPeriodEnd")), number)

    def open_wallets(self) -> None:
        for name in range(1, 5):
            self.business.approve(self.business.account(name), UNLIMITED)

    # --- what must be true ---

    def require_as_on_chain(self) -> Books:
        books = super().require_as_on_chain()
        for number, found in books.subscriptions.items():
            assert self.read("scheduledChange", number) == list(found.scheduled or (0, 0))
            limits = found.limits
            most, left, start, end, beneficiary, by_permit2, is_spent = self.read("conditions", number)
            assert (most, left, start, end) == (limits.max_per_period_units, limits.left_units or 0, 0, limits.ends_at)
            assert bool(is_spent) == (limits.left_units == 0)
            assert (beneficiary, by_permit2) == (int(found.beneficiary or "0", 16), found.by_permit2)
            assert self.read("discount", number) == list((found.discount or (0, 0, 0))[:3])
            wallet, *agreed, alternative_id = found.fallback or (None, 0, 0, None)
            nothing = [0, 0, 0]
            assert self.read("fallbackWallet", number) == ([int(wallet, 16), *agreed] if wallet else nothing)
            assert self.read("fallbackPlan", number) == ([alternative_id, *agreed] if alternative_id else nothing)
        for plan in books.plans.values():
            for alternative_id in plan.alternatives:
                assert self.read("isAlternative", plan.plan_id, alternative_id) == [1]
        return books


@RANDOM_LIVES
def test_whatever_payers_add_the_mirror_follows_and_the_audit_agrees(
    business: Business, new_database: NewDatabase, seed: int
) -> None:
    draw = random.Random(seed)
    city = City(business, new_database())
    city.open_plans()
    city.index()
    for _ in range(8):
        city.subscribe(draw, city.present())
        city.index()
    for number in range(STEPS):
        if number % 40 == 20:
            city.lean_on_others(draw, city.present())
            city.index()
        if number % 40 == 10:
            city.offer(draw, city.present())
            city.index()
            city.lean_on_another_token(draw, city.present())
            city.index()
        city.step(draw)
        city.index(final=number % 9 == 8)
        city.require_as_on_chain()
    counted: dict[str, int] = {}
    for _ in range(200):  # how much time passes between two blocks is nobody's choice, and so neither what happens
        with reading(city.engine) as connection:
            counted = count_events(connection, 1)
        missing = [name for name in EVERYTHING if not counted.get(name)]
        if not missing:
            break
        if draw.random() < 0.5:
            city.deed_of(missing[0])(draw, city.present())
        else:
            city.step(draw)
        city.index()
        city.require_as_on_chain()
    assert all(counted.get(name) for name in EVERYTHING), counted
    city.index(final=True)
    assert city.refund_all() > 10
    city.index(final=True)
    city.require_as_on_chain()

    report = audit(city.engine, city.rpc, city.target)
    assert report.differences == []
    assert report.charges_in_ledger == report.charges_on_chain == len(city.invoices())
    again = open_database(new_database())
    ingest(again, city.rpc, city.target)
    assert content(again) == content(city.engine)
    with reading(city.engine) as connection:
        assert read_subscriptions(connection, 1) == city.present().subscriptions
        rows = reconcile_charges(connection, require_source(connection, city.target))
        invoices = list(read_invoices(connection, 1))
    paid = sum(found.total_units * (1 if found.kind is Kind.INVOICE else -1) for found in invoices)
    assert sum(row.received_units for row in rows.values()) == paid
    assert any(row.declined_units for row in rows.values()) or any(row.uncharged_units for row in rows.values())
