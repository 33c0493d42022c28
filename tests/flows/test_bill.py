"""Billing: what is due is charged once, what is declined is remembered and tried again."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from sqlalchemy import Engine

from tallystick.chain.node import connect
from tallystick.chain.rpc import Rpc
from tallystick.chain.sender import Sender
from tallystick.chain.signer import KeySigner
from tallystick.chain.subscriptions import Subscriptions
from tallystick.core.subscription import DeclineReason
from tallystick.errors import AnotherLeads, CorruptionError
from tallystick.flows.bill import BillReport, bill_once, bill_role
from tallystick.flows.ingest import Target, ingest
from tallystick.flows.lead import leading
from tallystick.flows.recognise import ANY_PLAN, OwnPlans
from tallystick.storage.attempts import last_attempts
from tallystick.storage.database import open_database, reading
from tests.business import PRICE_UNITS, UNLIMITED, Business
from tests.databases import NewDatabase

DAY = 86_400
MONTH_AND_MORE = 32 * DAY
RETRIES = (DAY, 3 * DAY)


class Desk:
    """A business with a biller and a mirror."""

    def __init__(self, business: Business, url: str, *, key: int = 1) -> None:
        self.business = business
        contract = business.contract
        self.target = Target(business.anvil.chain_id, contract.address, contract.start_block)
        self.engine: Engine = open_database(url)
        signer = KeySigner.from_key(business.anvil.key(key))
        self.node = connect(business.anvil.url)
        self.contract = Subscriptions(self.node, contract.address, Sender(self.node, signer))

    def index(self) -> None:
        ingest(self.engine, Rpc(self.business.anvil.url), self.target)

    def bill(
        self, *, max_gas: int = 12_000_000, retries: Sequence[int] = RETRIES, own: OwnPlans = ANY_PLAN
    ) -> BillReport:
        return bill_once(self.engine, self.target, self.contract, max_gas=max_gas, retry_after_s=retries, own=own)

    def charges(self, subscription_id: int) -> int:
        return self.contract.subscription(subscription_id).charges


@pytest.fixture
def desk(business: Business, new_database: NewDatabase) -> Desk:
    return Desk(business, new_database())


def test_what_is_due_is_charged_and_nothing_else(desk: Desk) -> None:
    plan = desk.business.create_plan()
    early = desk.business.subscribe(desk.business.payer("ada"), plan)
    desk.business.anvil.advance(10 * DAY)
    late = desk.business.subscribe(desk.business.payer("bob"), plan)
    desk.business.anvil.advance(22 * DAY)
    desk.index()
    report = desk.bill()
    assert (report.due, report.charged, report.declined) == (1, 1, [])
    assert (desk.charges(early), desk.charges(late)) == (2, 1)


def test_what_the_mirror_has_not_seen_yet_is_not_charged_twice(desk: Desk) -> None:
    number = desk.business.subscribe(desk.business.payer("ada"), desk.business.create_plan())
    desk.business.anvil.advance(MONTH_AND_MORE)
    desk.index()
    assert desk.bill().charged == 1
    again = desk.bill()
    assert (again.charged, again.already_done, again.transactions) == (0, 1, [])
    assert desk.charges(number) == 2


@pytest.mark.parametrize(
    ("reason", "fault"),
    [(DeclineReason.BALANCE, "empty wallet"), (DeclineReason.ALLOWANCE, "revoked allowance")],
)
def test_a_decline_is_recorded_retried_and_recovered(desk: Desk, reason: DeclineReason, fault: str) -> None:
    business = desk.business
    payer = business.payer("ada", units=2 * PRICE_UNITS)
    number = business.subscribe(payer, business.create_plan())
    if fault == "empty wallet":
        business.token_call(payer, "transfer", business.operator, PRICE_UNITS)
    else:
        business.approve(payer, 0)
    business.anvil.advance(MONTH_AND_MORE)
    desk.index()

    first = desk.bill()
    (declined,) = first.declined
    assert (declined.reason, declined.attempt, first.transactions) == (reason, 1, [])
    assert desk.bill().waiting == 1  # not before its time

    business.anvil.advance(DAY + 1)
    (declined,) = desk.bill().declined
    assert declined.attempt == 2

    business.mint(payer, PRICE_UNITS)
    business.approve(payer, UNLIMITED)
    business.anvil.advance(3 * DAY + 1)
    assert desk.bill().charged == 1
    assert desk.charges(number) == 2


def test_a_used_up_schedule_waits_for_the_next_period(desk: Desk) -> None:
    business = desk.business
    payer = business.payer("ada", units=PRICE_UNITS)
    business.subscribe(payer, business.create_plan())
    business.anvil.advance(MONTH_AND_MORE)
    desk.index()
    (declined,) = desk.bill(retries=()).declined
    assert declined.retry_at is None
    business.anvil.advance(20 * DAY)
    assert desk.bill(retries=()).waiting == 1
    business.anvil.advance(MONTH_AND_MORE)
    (declined,) = desk.bill(retries=()).declined
    assert declined.attempt == 1
    with reading(desk.engine) as connection:
        assert len(last_attempts(connection, 1, [1])) == 2


def test_one_payer_without_money_holds_up_nobody(desk: Desk) -> None:
    business = desk.business
    plan = business.create_plan()
    poor = business.subscribe(business.payer("poor", units=PRICE_UNITS), plan)
    rich = [business.subscribe(business.payer(name), plan) for name in ("ada", "bob")]
    business.anvil.advance(MONTH_AND_MORE)
    desk.index()
    report = desk.bill()
    assert (report.charged, [row.subscription_id for row in report.declined]) == (2, [poor])
    assert [desk.charges(number) for number in rich] == [2, 2]


def test_batches_stay_within_their_gas(desk: Desk) -> None:
    business = desk.business
    ids = business.subscribe_many(12, business.create_plan())
    business.anvil.advance(MONTH_AND_MORE)
    desk.index()
    report = desk.bill(max_gas=1_000_000)
    assert report.charged == len(ids)
    gas = [
        int(business.anvil.rpc("eth_getTransactionByHash", sent)["gas"], 16) * 100 // 125  # without the sender's margin
        for sent in report.transactions
    ]
    assert max(gas) <= 1_000_000


def test_only_the_merchant_s_own_plans_are_charged(desk: Desk) -> None:
    business = desk.business
    mine, cheap = business.create_plan(), business.create_plan(price=1)
    theirs = business.create_plan(payee=business.account("another merchant"))
    ada = business.payer("ada")
    ids = [business.subscribe(ada, plan) for plan in (mine, cheap, theirs)]
    business.anvil.advance(MONTH_AND_MORE)
    desk.index()
    payees, token = frozenset({business.payee}), frozenset({business.token})

    elsewhere = desk.bill(own=OwnPlans(payees, tokens=frozenset({business.payee})))
    assert (elsewhere.due, elsewhere.foreign_due, elsewhere.transactions) == (0, 3, [])
    assert [(found.plan_id, found.what) for found in elsewhere.foreign] == [(1, "token"), (2, "token"), (3, "payee")]

    named = desk.bill(own=OwnPlans(payees, token, frozenset({mine})))
    assert (named.due, named.charged, named.foreign_due) == (1, 1, 2)
    assert [desk.charges(number) for number in ids] == [2, 1, 1]
    desk.index()

    by_payee = desk.bill(own=OwnPlans(payees, token))
    assert (by_payee.due, by_payee.charged, by_payee.foreign_due) == (1, 1, 1)
    assert [desk.charges(number) for number in ids] == [2, 2, 1]
    (left,) = by_payee.foreign
    assert (left.plan_id, left.allowed) == (theirs, (business.payee,))
    with reading(desk.engine) as connection:
        assert last_attempts(connection, 1, ids) == {}


def test_two_billers_at_once_charge_each_once_E72(business: Business, new_database: NewDatabase) -> None:
    """Each with a database and a key of its own, as two companies' keepers would be."""
    ids = business.subscribe_many(20, business.create_plan())
    business.anvil.advance(MONTH_AND_MORE)
    desks = [Desk(business, new_database(), key=key) for key in (1, 2)]
    for desk in desks:
        desk.index()
    reports: list[BillReport] = []
    threads = [
        threading.Thread(target=lambda desk=desk: reports.append(desk.bill(max_gas=1_000_000))) for desk in desks
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [desks[0].charges(number) for number in ids] == [2] * len(ids)
    assert sum(report.charged for report in reports) == len(ids)


def test_of_two_on_one_database_one_leads_E65(desk: Desk) -> None:
    desk.index()
    role = bill_role(desk.target)
    with leading(desk.engine, role, wait=False), pytest.raises(AnotherLeads, match="is doing this work"):
        desk.bill()
    assert desk.bill().due == 0


def test_nothing_is_charged_before_anything_is_mirrored(desk: Desk) -> None:
    with pytest.raises(CorruptionError, match="tallystick index --once"):
        desk.bill()


def test_what_has_ended_by_its_plan_is_neither_tried_nor_due(desk: Desk) -> None:
    """Its grace has passed, or it had all its charges; seats and credit are charged as they are."""
    business = desk.business
    payer = business.payer("ada")
    graceful = business.create_plan(grace=DAY)
    fixed = business.create_plan(max_charges=1)
    seated, small = business.create_plan(seat_price_units=1_000_000), business.create_plan(1_000_000)
    ended = [business.subscribe(payer, graceful), business.subscribe(payer, fixed)]
    going = [business.subscribe(payer, seated, 3), business.subscribe(payer, seated, 2)]
    business.change_plan(payer, going[1], small)
    business.anvil.advance(MONTH_AND_MORE)
    desk.index()
    report = desk.bill()
    assert (report.due, report.charged, report.declined) == (2, 2, [])
    assert [desk.charges(number) for number in (*ended, *going)] == [1, 1, 2, 2]
    assert desk.contract.charge_dry_run(ended) == [DeclineReason.ENDED] * 2
