"""Billing among hostile tokens: the good rows are paid once, each hostile one costs its own decline and nothing else.

Every plan here is the same merchant's, who sells in tokens of all kinds.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import pytest
from eth_abi.abi import decode, encode
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address

from tallystick.core.events import Subscribed
from tallystick.core.subscription import DeclineReason
from tallystick.errors import InsufficientGas
from tallystick.flows.bill import MOST_ROWS, BillReport
from tallystick.storage.attempts import last_attempts
from tallystick.storage.database import reading
from tests.business import UNLIMITED, Business
from tests.chain.mocks import created
from tests.databases import NewDatabase
from tests.flows.test_bill import DAY, MONTH_AND_MORE, RETRIES, Desk
from tests.tricks import UNREADABLE, Trick

TRANSFER_FROM, BALANCE_OF, ALLOWANCE = (
    "transferFrom(address,address,uint256)",
    "balanceOf(address)",
    "allowance(address,address)",
)
ROUND_S = 60
"""Far more than a round takes here, far less than one that starves."""


TRICKS = list(Trick)[1:]


def call(signature: str, *values: object) -> bytes:
    """The calldata of a call, by a signature without tuples."""
    types = signature.partition("(")[2].removesuffix(")")
    return function_signature_to_4byte_selector(signature) + encode(types.split(",") if types else [], values)


@dataclass(frozen=True)
class Row:
    """A subscription and its token."""

    subscription_id: int
    token: str
    payer: str


class Market:
    """A business whose plans are in tokens of all kinds, each with payers of its own."""

    def __init__(self, business: Business) -> None:
        self.business = business
        self.people = 0

    def tell(self, sender: str, to: str, signature: str, *values: object) -> Any:
        return self.business.send(sender, to, "0x" + call(signature, *values).hex())

    def plan(self, token: str) -> int:
        return self.business.create_plan(token=token)

    def row(self, token: str, plan: int | None = None) -> Row:
        """A new payer, rich in the token, subscribed to a new plan in it, or to this one."""
        business = self.business
        self.people += 1
        payer = business.account(f"person {self.people}")
        self.tell(business.operator, token, "mint(address,uint256)", payer, 10**12)
        self.tell(payer, token, "approve(address,uint256)", business.subscriptions, UNLIMITED)
        return Row(business.subscribe(payer, plan or self.plan(token)), token, payer)

    def wallet_row(self, token: str, plan: int) -> Row:
        """As `row`, with a contract account for the payer."""
        business = self.business
        wallet = created(business, "MockWallet")
        self.tell(business.operator, token, "mint(address,uint256)", wallet, 10**12)
        approve = call("approve(address,uint256)", business.subscriptions, UNLIMITED)
        subscribe = call("subscribe(uint256,bytes32,uint256)", plan, business.terms_hash(plan), 0)
        self.tell(business.operator, wallet, "execute(address,bytes)", token, approve)
        receipt = self.tell(business.operator, wallet, "execute(address,bytes)", business.subscriptions, subscribe)
        opened = next(event for event in business.events(receipt) if isinstance(event, Subscribed))
        return Row(opened.subscription_id, token, wallet)

    def hostile(self) -> Row:
        return self.row(created(self.business, "HostileToken"))

    def play(self, row: Row, function: str, trick: Trick) -> None:
        selector = function_signature_to_4byte_selector(function)
        self.tell(self.business.operator, row.token, "play(bytes4,uint8)", selector, int(trick))


@pytest.fixture
def market(business: Business) -> Market:
    return Market(business)


@pytest.fixture
def desk(business: Business, new_database: NewDatabase) -> Desk:
    return Desk(business, new_database())


def sent_ids(desk: Desk, report: BillReport) -> list[int]:
    """The subscriptions in the calldata of what a round sent, in its order."""
    found: list[int] = []
    for transaction in report.transactions:
        data = desk.business.anvil.rpc("eth_getTransactionByHash", transaction)["input"]
        found += decode(["uint256[]"], bytes.fromhex(data[10:]))[0]
    return found


def reasons(desk: Desk, rows: list[Row]) -> dict[int, list[tuple[int, str]]]:
    """What the database has of each row's declines: the last attempt's number and its reason."""
    with reading(desk.engine) as connection:
        attempts = last_attempts(connection, 1, [row.subscription_id for row in rows])
    found: dict[int, list[tuple[int, str]]] = {row.subscription_id: [] for row in rows}
    for (number, _), attempt in attempts.items():
        found[number].append((attempt.attempt, attempt.reason))
    return found


def ids(rows: list[Row]) -> list[int]:
    return sorted(row.subscription_id for row in rows)


def test_E06_one_batch_of_good_and_hostile_rows(desk: Desk, market: Market) -> None:
    """Every way not to pay at once, good rows before, between and behind them."""
    business = market.business
    dollar_plan = market.plan(business.token)
    good = [market.row(business.token, dollar_plan)]
    hostile: list[Row] = []
    for trick in TRICKS:
        hostile.append(market.hostile())
        market.play(hostile[-1], TRANSFER_FROM, trick)
    good.append(market.row(business.token))
    for trick in UNREADABLE:
        hostile.append(market.hostile())
        market.play(hostile[-1], BALANCE_OF, trick)
    tether, skimming = created(business, "MockUSDT"), created(business, "MockUSDT")
    good.append(market.row(tether))
    hostile.append(market.row(skimming))
    market.tell(business.operator, skimming, "setParams(uint256,uint256)", 100, 10**6)
    paused, blocking = created(business, "MockUSDC"), created(business, "MockUSDC")
    hostile.append(market.row(paused))
    market.tell(business.operator, paused, "pause()")
    blocking_plan = market.plan(blocking)
    good.append(market.row(blocking, blocking_plan))
    hostile.append(market.row(blocking, blocking_plan))
    blocked = hostile[-1]
    market.tell(business.operator, blocking, "blacklist(address)", blocked.payer)
    good.append(market.row(business.token, dollar_plan))
    business.anvil.advance(MONTH_AND_MORE)
    desk.index()

    report = desk.bill()
    assert (report.due, report.charged) == (len(good) + len(hostile), len(good))
    assert sorted(row.subscription_id for row in report.declined) == ids(hostile)
    assert {row.reason for row in report.declined} == {DeclineReason.TOKEN_REFUSED, DeclineReason.BLOCKED}
    assert sorted(sent_ids(desk, report)) == ids(good)  # no gas for what the dry run declined
    assert {desk.charges(row.subscription_id) for row in good} == {2}
    assert {desk.charges(row.subscription_id) for row in hostile} == {1}
    told = dict.fromkeys(ids(hostile), "token_refused") | {blocked.subscription_id: "blocked"}
    assert reasons(desk, hostile) == {number: [(1, reason)] for number, reason in told.items()}
    assert reasons(desk, good) == {row.subscription_id: [] for row in good}

    desk.index()
    again = desk.bill()
    assert (again.due, again.waiting, again.transactions) == (len(hostile), len(hostile), [])
    business.anvil.advance(DAY + 1)
    second = desk.bill()
    assert (len(second.declined), second.transactions) == (len(hostile), [])
    assert {row.attempt for row in second.declined} == {2}

    market.play(hostile[0], TRANSFER_FROM, Trick.NONE)
    market.tell(business.operator, paused, "unpause()")
    business.anvil.advance(RETRIES[1] + 1)
    third = desk.bill()
    healed = [hostile[0], next(row for row in hostile if row.token == paused)]
    assert (third.charged, len(third.declined)) == (2, len(hostile) - 2)
    assert sorted(sent_ids(desk, third)) == ids(healed)
    assert {row.retry_at for row in third.declined} == {None}  # the schedule of two retries is used up


@pytest.mark.parametrize("burning", [[TRANSFER_FROM, ALLOWANCE], [BALANCE_OF]])
def test_E06_burners_of_gas_starve_nobody(desk: Desk, market: Market, burning: list[str]) -> None:
    """A batch full of them: with allowances, read to say why a transfer failed, it takes more than a node gives."""
    business = market.business
    good = [market.row(business.token)]
    token = created(business, "HostileToken")
    plan = market.plan(token)
    burners = [market.row(token, plan) for _ in range(MOST_ROWS - 2)]
    good.append(market.row(business.token))
    for function in burning:
        market.play(burners[0], function, Trick.BURN_GAS)
    business.anvil.advance(MONTH_AND_MORE)
    desk.index()
    if ALLOWANCE in burning:
        with pytest.raises(InsufficientGas):
            desk.contract.charge_dry_run(ids([*good, *burners]))
    start = time.monotonic()
    report = desk.bill()
    assert time.monotonic() - start < ROUND_S
    assert (report.charged, len(report.declined)) == (2, len(burners))
    assert sorted(sent_ids(desk, report)) == ids(good)
    assert {desk.charges(row.subscription_id) for row in good} == {2}


def test_E03_hooks_that_burn_or_enter_again_decline_alone(desk: Desk, market: Market) -> None:
    business = market.business
    hooked = created(business, "HookedToken")
    plan = market.plan(hooked)
    good = [market.row(hooked, plan)]
    burner, thief = market.wallet_row(hooked, plan), market.wallet_row(hooked, plan)
    good += [market.row(hooked, plan), market.row(business.token)]
    market.tell(business.operator, burner.payer, "setBurnsGas(bool)", True)
    entry = call("charge(uint256[])", [thief.subscription_id])
    market.tell(business.operator, thief.payer, "setHook(address,bytes)", business.subscriptions, entry)
    business.anvil.advance(MONTH_AND_MORE)
    desk.index()
    report = desk.bill()
    assert [row.subscription_id for row in report.declined] == [burner.subscription_id]
    assert sorted(sent_ids(desk, report)) == ids([*good, thief])
    assert {desk.charges(row.subscription_id) for row in (*good, thief)} == {2}  # who enters again pays once, as all


# --- A token with two faces -------------------------------------------------------------------------------------------


def two_faced(business: Business, since: int, *, burns: bool) -> str:
    """A token as HostileToken by delegation, whose transferFrom fails in transactions mined after `since`, and works
    where it is only tried: there the price of gas is zero."""
    implementation = created(business, "HostileToken")[2:]
    lies = f"5f35 60e01c 6323b872dd 14 64{since:010x} 42 11 16 3a 15 15 16"  # transferFrom, and later, and paid for
    forward = f"36 5f 5f 37 5f 5f 36 5f 73{implementation} 5a f4 3d 5f 5f 3e"  # delegatecall; its answer in memory
    refuse = "5b fe" if burns else "5b 5f 5f fd"  # invalid(), which burns all gas it has, or revert(0, 0)
    returns, reverts = "5b 3d 5f f3", "3d 5f fd"  # each with the answer
    lies_size, forward_size, reverts_size, returns_size = (
        len(bytes.fromhex(part)) for part in (lies, forward, reverts, returns)
    )
    jump_size = 3  # PUSH1 where, JUMPI
    returns_at = lies_size + jump_size + forward_size + jump_size + reverts_size
    refuse_at = returns_at + returns_size
    code = bytes.fromhex(f"{lies} 60{refuse_at:02x}57 {forward} 60{returns_at:02x}57 {reverts} {returns} {refuse}")
    deploy = bytes.fromhex(f"60{len(code):02x} 80 6009 5f 39 5f f3")  # returns what follows its 9 bytes
    receipt = business.send(business.operator, None, "0x" + (deploy + code).hex())
    return str(to_checksum_address(receipt["contractAddress"]))


@pytest.mark.parametrize("burns", [False, True])
def test_a_token_that_only_pays_when_it_is_tried(desk: Desk, market: Market, burns: bool) -> None:
    business = market.business
    good = [market.row(business.token)]
    token = two_faced(business, business.anvil.timestamp + DAY, burns=burns)
    plan = market.plan(token)
    liars = [market.row(token, plan) for _ in range(3)]
    good.append(market.row(business.token))
    business.anvil.advance(MONTH_AND_MORE)
    desk.index()

    dry = desk.contract.charge_dry_run([row.subscription_id for row in liars])
    assert dry == [DeclineReason.NONE] * 3
    report = desk.bill()
    assert (report.charged, sorted(row.subscription_id for row in report.declined)) == (2, ids(liars))
    assert {desk.charges(row.subscription_id) for row in good} == {2}
    assert {desk.charges(row.subscription_id) for row in liars} == {1}
    assert reasons(desk, liars) == {row.subscription_id: [(1, "token_refused")] for row in liars}

    desk.index()
    before = business.anvil.block_number
    again = desk.bill()
    assert (again.waiting, again.transactions, business.anvil.block_number) == (3, [], before)
    business.anvil.advance(DAY + 1)
    assert {row.attempt for row in desk.bill().declined} == {2}
    assert {desk.charges(row.subscription_id) for row in good} == {2}


def test_E72_two_billers_among_hostile_rows(business: Business, market: Market, new_database: NewDatabase) -> None:
    """Each with a database and a key of its own: every good row is paid once, whoever comes first."""
    plan = market.plan(business.token)
    good, hostile = [], []
    for trick in (Trick.BURN_GAS, Trick.RETURN_TRUE, Trick.REVERT_BOMB):
        good += [market.row(business.token, plan), market.row(business.token)]
        hostile.append(market.hostile())
        market.play(hostile[-1], TRANSFER_FROM, trick)
    liar = market.row(two_faced(business, business.anvil.timestamp + DAY, burns=True))
    business.anvil.advance(MONTH_AND_MORE)
    desks = [Desk(business, new_database(), key=key) for key in (1, 2)]
    for desk in desks:
        desk.index()
    reports: list[BillReport] = []
    threads = [threading.Thread(target=lambda desk=desk: reports.append(desk.bill())) for desk in desks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(ROUND_S)
    assert len(reports) == 2
    assert {desks[0].charges(row.subscription_id) for row in good} == {2}
    assert {desks[0].charges(row.subscription_id) for row in [*hostile, liar]} == {1}
    assert sum(report.charged for report in reports) == len(good)
    for report in reports:
        assert sorted(row.subscription_id for row in report.declined) == ids([*hostile, liar])
        assert not {row.subscription_id for row in hostile} & set(sent_ids(desks[0], report))
