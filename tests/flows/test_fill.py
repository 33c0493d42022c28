"""Filling: what plans that fill channels were charged goes into the channels after each round, by itself, once."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import pytest
from web3 import HTTPProvider
from web3.types import RPCEndpoint

from tallystick.chain.abi import CODEC
from tallystick.chain.channel_plan import ARTEFACT, ChannelPlanContract
from tallystick.chain.channels import ChannelsContract
from tallystick.chain.node import Node
from tallystick.chain.sender import Sender
from tallystick.chain.signer import KeySigner
from tallystick.chain.subscriptions import Subscriptions
from tallystick.chain.token import TokenContract
from tallystick.contracts import load_artefact
from tallystick.core.channel_plan import ChannelPlanTerms
from tallystick.core.period import Unit
from tallystick.errors import (
    AnotherLeads,
    CorruptionError,
    DepositTooHigh,
    InputError,
    TokenRefused,
    TransactionReverted,
)
from tallystick.flows.bill import BillReport, bill_once
from tallystick.flows.channel_plan import _CREATED_WITH
from tallystick.flows.fill import REMEMBER_S, Filler, PlanFill, fill_all
from tallystick.flows.recognise import ANY_PLAN, OwnPlans
from tallystick.storage.database import reading
from tallystick.storage.sources import find_source
from tests.business import UNLIMITED, Business, calldata
from tests.chain.mocks import created
from tests.databases import NewDatabase
from tests.flows.test_bill import DAY, RETRIES, Desk
from tests.flows.test_bill_hostile import call, two_faced
from tests.tricks import Trick

PRICE = 5_000_000
MONTH = 30 * DAY


class Listening(HTTPProvider):
    """A connection to a real node, which writes down what it is asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked: list[str] = []

    def make_request(self, method: RPCEndpoint, params: Any) -> Any:
        self.asked.append(method)
        return super().make_request(method, params)

    def make_batch_request(self, batch_requests: Any) -> Any:
        self.asked.append(f"{len(batch_requests)} of {batch_requests[0][0]}")
        return super().make_batch_request(batch_requests)


class FillingDesk(Desk):
    """A business with a biller, its filler and a mirror. `clock` is the filler's."""

    def __init__(self, business: Business, url: str) -> None:
        super().__init__(business, url)
        self.channels = ChannelsContract(self.node, business.manifest.contract("Channels").address)
        self.clock = 0.0
        self.filler = self.new_filler()

    def new_filler(self) -> Filler:
        """As after a start of the biller: it remembers nothing."""
        return Filler(self.contract, self.channels.address, clock=lambda: self.clock)

    def round(self, own: OwnPlans = ANY_PLAN, *, max_gas: int = 12_000_000) -> BillReport:
        given: dict[str, Any] = {"max_gas": max_gas, "retry_after_s": RETRIES, "own": own, "filler": self.filler}
        return bill_once(self.engine, self.target, self.contract, **given)

    def fill(self, *, max_gas: int = 12_000_000, renew: Callable[[], None] = lambda: None) -> list[PlanFill]:
        """A round without charges."""
        with reading(self.engine) as connection:
            source = find_source(connection, self.target.chain_id, self.target.contract)
        assert source is not None
        return self.filler.fill_once(self.engine, source, own=ANY_PLAN, max_gas=max_gas, renew=renew)

    def create(
        self, *, token: str | None = None, price: int = PRICE, channels: str | None = None
    ) -> ChannelPlanContract:
        """A plan of 30 days that fills channels, to the payee."""
        to, token = self.business.payee, token or self.business.token
        terms = ChannelPlanTerms(to, to, DAY, token, price, 30, Unit.DAY)
        words = [self.business.subscriptions, channels or self.channels.address, *terms.words]
        code = load_artefact(ARTEFACT).creation_code + CODEC.encode(_CREATED_WITH, words)
        return ChannelPlanContract(self.node, self.business._create(code), self.contract.sender)

    def subscribe(self, name: str, plan: ChannelPlanContract, token: str | None = None) -> int:
        """Who pays for the first 30 days at once."""
        business, payer = self.business, self.business.account(name)
        for sender, signature, *values in (
            (business.operator, "mint(address,uint256)", payer, 10**12),
            (payer, "approve(address,uint256)", business.subscriptions, UNLIMITED),
        ):
            business.send(sender, token or business.token, "0x" + call(signature, *values).hex())
        return business.subscribe(payer, plan.plan_id())

    def deposited(self, plan: ChannelPlanContract, number: int) -> int:
        """Units in a subscription's channel."""
        return self.channels.state(self.channels.channel(plan.terms_of(number)).channel_id).deposited


@pytest.fixture
def desk(business: Business, new_database: NewDatabase) -> FillingDesk:
    return FillingDesk(business, new_database())


def told(fills: Collection[PlanFill]) -> list[tuple[int, int, int]]:
    """Of what was filled: subscription, charges, units."""
    return [(event.subscription_id, event.charges, event.amount_units) for fill in fills for event, _ in fill.filled]


def failures(fills: Collection[PlanFill]) -> dict[int, str]:
    return {number: str(error) for fill in fills for number, error in fill.failed.items()}


def test_a_round_charges_and_fills_the_channels_of_those_who_paid(desk: FillingDesk) -> None:
    plan, plain = desk.create(), desk.business.create_plan(1, 30, Unit.DAY)
    ada, bob = desk.subscribe("ada", plan), desk.subscribe("bob", plan)
    desk.business.subscribe(desk.business.payer("eve"), plain)
    desk.business.anvil.advance(MONTH)
    desk.index()
    report = desk.round()
    (fill,) = report.fills
    assert (report.charged, fill.plan.plan_id, fill.failed) == (3, plan.plan_id(), {})
    assert told([fill]) == [(ada, 2, 2 * PRICE), (bob, 2, 2 * PRICE)]
    assert (fill.units, [desk.deposited(plan, number) for number in (ada, bob)]) == (4 * PRICE, [2 * PRICE] * 2)
    (transaction,) = fill.transactions
    assert [sent for _, sent in fill.filled] == [transaction] * 2
    assert fill.gas_used == int(desk.business.anvil.receipt(transaction)["gasUsed"], 16)
    assert TokenContract(desk.node, desk.business.token).balance(plan.address) == 0


def test_a_round_in_which_nothing_was_charged_sends_nothing(desk: FillingDesk) -> None:
    desk.subscribe("ada", desk.create())
    desk.index()
    assert len(told(desk.round().fills)) == 1
    before = desk.business.anvil.block_number
    for filler in (desk.filler, desk.new_filler()):
        desk.filler = filler
        assert desk.round().fills == []
    assert desk.business.anvil.block_number == before


def test_what_somebody_else_charged_is_filled_in_the_next_round(desk: FillingDesk) -> None:
    plan = desk.create()
    number = desk.subscribe("ada", plan)  # charges, by the payer's own transaction
    desk.index()
    assert told(desk.round().fills) == [(number, 1, PRICE)]
    assert desk.round().fills == []
    desk.business.anvil.advance(MONTH)
    desk.business.charge(number)
    desk.index()
    report = desk.round()
    assert (report.charged, told(report.fills)) == (0, [(number, 1, PRICE)])
    assert desk.deposited(plan, number) == 2 * PRICE


def test_what_was_charged_before_a_crash_is_filled_in_the_next_round(desk: FillingDesk) -> None:
    """The mirror has not seen the charge yet: the chain tells that it is not filled."""
    plan = desk.create()
    number = desk.subscribe("ada", plan)
    desk.index()
    desk.round()
    desk.business.anvil.advance(MONTH)
    desk.index()
    assert (desk.bill().charged, desk.deposited(plan, number)) == (1, PRICE)
    desk.filler = desk.new_filler()
    report = desk.round()
    assert (report.charged, told(report.fills)) == (0, [(number, 1, PRICE)])


def test_of_an_ended_subscription_what_was_charged_is_filled(desk: FillingDesk) -> None:
    number = desk.subscribe("ada", desk.create())
    desk.business.call(desk.business.account("ada"), "cancel", number)
    desk.index()
    assert told(desk.round().fills) == [(number, 1, PRICE)]


def listened_to(desk: FillingDesk) -> list[str]:
    """What a biller asks the node that starts now."""
    listening = Listening(desk.business.anvil.url)
    node = Node(listening, desk.node.chain_id)
    signer = KeySigner.from_key(desk.business.anvil.key(1))
    desk.contract = Subscriptions(node, desk.contract.address, Sender(node, signer))
    desk.filler = desk.new_filler()
    return listening.asked


TIME = "eth_getBlockByNumber"
"""Of which the charges want to know, once in each round."""


def test_a_plan_without_money_is_not_asked_for_each_subscription(desk: FillingDesk) -> None:
    plan = desk.create()
    for name in ("ada", "bob", "eve"):
        desk.subscribe(name, plan)
    desk.index()
    asked = listened_to(desk)
    desk.round()
    assert "3 of eth_call" in asked
    desk.filler = desk.new_filler()
    asked.clear()
    assert desk.round().fills == []
    assert asked == [TIME, "eth_getCode", *["eth_call"] * 4]  # what it is; what is kept for it, and what it has
    asked.clear()
    assert desk.round().fills == []
    assert asked == [TIME, *["eth_call"] * 2]  # what it is is remembered


def test_where_a_gift_lies_in_a_plan_only_what_is_new_is_asked_for(desk: FillingDesk) -> None:
    plan = desk.create()
    ids = [desk.subscribe(name, plan) for name in ("ada", "bob", "eve")]
    desk.business.mint(plan.address, PRICE)
    desk.index()
    asked = listened_to(desk)
    assert [number for number, _, _ in told(desk.round().fills)] == ids
    assert desk.round().fills == []  # asked once more, and seen in their channels
    asked.clear()
    assert desk.round().fills == []
    assert asked == [TIME]
    desk.business.anvil.advance(MONTH)
    desk.business.charge(ids[1])
    desk.index()
    asked.clear()
    assert told(desk.round().fills) == [(number, 1, PRICE) for number in (ids[0], ids[2], ids[1])]
    assert ("2 of eth_call" in asked, "1 of eth_call" in asked) == (True, True)


def test_what_a_round_charges_is_filled_at_once_though_the_mirror_has_not_seen_it(desk: FillingDesk) -> None:
    plan = desk.create()
    number = desk.subscribe("ada", plan)
    desk.business.mint(plan.address, PRICE)
    desk.index()
    for _ in range(2):
        desk.round()
    desk.business.anvil.advance(MONTH)
    report = desk.round()
    assert (report.charged, told(report.fills)) == (1, [(number, 1, PRICE)])


@pytest.mark.parametrize("gift", [0, PRICE])
def test_what_a_reorganisation_took_back_is_filled_again(desk: FillingDesk, gift: int) -> None:
    """At once, by the money that lies there; where a gift hides it, after an hour."""
    plan = desk.create()
    number = desk.subscribe("ada", plan)
    desk.business.mint(plan.address, gift)
    desk.index()
    before = desk.business.anvil.rpc("evm_snapshot")
    assert told(desk.round().fills) == [(number, 1, PRICE)]
    assert desk.round().fills == []
    desk.business.anvil.rpc("evm_revert", before)
    if gift:
        assert desk.round().fills == []
        desk.clock = REMEMBER_S
    assert told(desk.round().fills) == [(number, 1, PRICE)]


def test_a_plan_that_pays_a_foreign_contract_is_never_called(desk: FillingDesk) -> None:
    """One answers `fill` as if something was unfilled; the other is our very code, over channels of somebody else."""
    business = desk.business
    impostor = created(business, "BlockingToken")
    selector = call("fill(uint256[])", [])[:4]
    business.send(business.operator, impostor, "0x" + call("play(bytes4,uint8)", selector, 1).hex())
    business.subscribe(business.payer("ada"), business.create_plan(payee=impostor))
    foreign = desk.create(channels=business._create(load_artefact("Channels").creation_code))
    number = desk.subscribe("bob", foreign)
    desk.index()
    before = business.anvil.block_number
    assert desk.round().fills == []
    assert business.anvil.block_number == before
    assert foreign.unfilled(number) == (1, PRICE)


def test_a_plan_that_is_not_the_merchant_s_own_is_not_filled(desk: FillingDesk) -> None:
    mine, theirs = desk.create(), desk.create(price=PRICE + 1)
    number, other = desk.subscribe("ada", mine), desk.subscribe("bob", theirs)
    desk.index()
    assert told(desk.round(OwnPlans(frozenset({mine.address}))).fills) == [(number, 1, PRICE)]
    assert theirs.unfilled(other) == (1, PRICE + 1)


def test_a_contract_that_the_token_blocks_is_told_and_holds_up_no_other(desk: FillingDesk) -> None:
    """What it was charged meanwhile is kept for it, and brought to it when the token lets it."""
    business = desk.business
    blocked, good = desk.create(), desk.create(price=PRICE + 1)
    ada, bob = desk.subscribe("ada", blocked), desk.subscribe("bob", good)
    business.anvil.advance(MONTH)
    desk.index()
    business.block(blocked.address)
    report = desk.round()
    assert (report.charged, told(report.fills)) == (2, [(bob, 2, 2 * (PRICE + 1))])
    assert list(failures(report.fills)) == [ada]
    assert isinstance(report.fills[0].failed[ada], TokenRefused)
    before = business.anvil.block_number
    (again,) = desk.round().fills  # tried again, and told again
    assert (again.plan.terms.payee, list(again.failed), again.transactions) == (blocked.address, [ada], [])
    assert business.anvil.block_number == before
    business.unblock(blocked.address)
    (healed,) = desk.round().fills
    assert (told([healed]), len(healed.transactions)) == ([(ada, 2, 2 * PRICE)], 2)
    assert desk.round().fills == []


def test_what_a_contract_could_not_receive_is_brought_to_it_though_nothing_else_is_there(desk: FillingDesk) -> None:
    business, plan = desk.business, desk.create()
    number = desk.subscribe("ada", plan)
    desk.index()
    assert told(desk.round().fills) == [(number, 1, PRICE)]
    business.block(plan.address)
    business.anvil.advance(MONTH)
    business.charge(number)
    business.unblock(plan.address)
    desk.index()
    assert told(desk.round().fills) == [(number, 1, PRICE)]


@pytest.mark.parametrize(
    "trick",
    [
        *(Trick.RETURN_FALSE, Trick.RETURN_TRUE, Trick.RETURN_TWO, Trick.RETURN_ONE_BYTE, Trick.REFUSE),
        *(Trick.REVERT_BOMB, Trick.RETURN_BOMB, Trick.BURN_GAS),
    ],
)
def test_a_token_that_pays_into_no_channel_costs_no_gas_and_holds_up_no_other(desk: FillingDesk, trick: Trick) -> None:
    business, token = desk.business, created(desk.business, "HostileToken")
    hostile, good = desk.create(token=token), desk.create()
    ids = [desk.subscribe(name, hostile, token) for name in ("ada", "bob")]
    other = desk.subscribe("eve", good)
    to = desk.channels.address
    business.send(business.operator, token, "0x" + call("playTo(address,uint8)", to, int(trick)).hex())
    desk.index()
    before = business.anvil.block_number
    fills = desk.round().fills
    assert told(fills) == [(other, 1, PRICE)]
    assert list(failures(fills)) == ids
    assert business.anvil.block_number == before + 1, "one transaction, of the other plan"


def test_a_channel_that_takes_no_more_holds_up_no_other_of_its_plan(desk: FillingDesk) -> None:
    business, plan = desk.business, desk.create()
    full, other = desk.subscribe("ada", plan), desk.subscribe("bob", plan)
    ada, most = business.account("ada"), 2**96 - 1
    business.mint(ada, most)
    business.token_call(ada, "approve", desk.channels.address, UNLIMITED)
    config = desk.channels.channel(plan.terms_of(full)).terms.words
    business.send(ada, desk.channels.address, calldata("Channels", "fill", config, most, 0, b""))
    desk.index()
    (fill,) = desk.round().fills
    assert told([fill]) == [(other, 1, PRICE)]
    assert {number: type(error) for number, error in fill.failed.items()} == {full: DepositTooHigh}


def test_a_token_that_only_pays_when_it_is_tried_burns_gas_once_and_not_in_each_round(desk: FillingDesk) -> None:
    business = desk.business
    token = two_faced(business, business.anvil.timestamp + DAY, burns=True)
    liar, good = desk.create(token=token), desk.create()
    ids = [desk.subscribe(name, liar, token) for name in ("ada", "bob")]
    business.anvil.advance(2 * DAY)
    desk.index()
    start = business.anvil.block_number
    (fill,) = desk.round(max_gas=1).fills
    assert business.anvil.block_number == start + 1, "the first of two calls: no second try"
    assert (list(fill.failed), fill.transactions) == (ids, [])
    assert fill.mined
    assert isinstance(fill.failed[ids[0]], TransactionReverted)

    number = desk.subscribe("eve", good)
    desk.index()
    before = business.anvil.block_number
    fills = desk.round().fills
    assert (told(fills), list(failures(fills))) == ([(number, 1, PRICE)], ids), "told again, the others are filled"
    assert business.anvil.block_number == before + 1
    desk.clock = REMEMBER_S
    assert list(failures(desk.round().fills)) == ids
    assert business.anvil.block_number == before + 2, "tried again after an hour"


def test_calls_stay_within_their_gas_and_the_lease_is_renewed_between_them(desk: FillingDesk) -> None:
    plan = desk.create()
    ids = desk.business.subscribe_many(12, plan.plan_id())
    desk.index()
    sent_before: list[int] = []
    (fill,) = desk.fill(max_gas=1_000_000, renew=lambda: sent_before.append(desk.business.anvil.block_number))
    assert [number for number, _, _ in told([fill])] == ids
    gas = [
        int(desk.business.anvil.rpc("eth_getTransactionByHash", sent)["gas"], 16) * 100 // 125  # without the margin
        for sent in fill.transactions
    ]
    assert len(gas) > 1
    assert max(gas) <= 1_000_000
    first = desk.business.anvil.block_number - len(gas)
    assert set(range(first, first + len(gas))) <= set(sent_before), "before each transaction"


def test_who_lost_the_lease_sends_nothing_more(desk: FillingDesk) -> None:
    plan = desk.create()
    ids = desk.business.subscribe_many(12, plan.plan_id())
    desk.index()
    start = desk.business.anvil.block_number

    def renew() -> None:
        if desk.business.anvil.block_number > start:
            raise AnotherLeads("another process does this")

    with pytest.raises(AnotherLeads):
        desk.fill(max_gas=1_000_000, renew=renew)
    assert desk.business.anvil.block_number == start + 1
    left = [number for number in ids if plan.unfilled(number)[0]]
    assert 0 < len(left) < len(ids)
    assert told(desk.fill()) == [(number, 1, PRICE) for number in left]


def test_all_of_a_plan_is_filled_by_the_mirror_s_numbers(desk: FillingDesk) -> None:
    plan, impostor = desk.create(), created(desk.business, "BlockingToken")
    ids = [desk.subscribe(name, plan) for name in ("ada", "bob")]
    connection = replace(
        desk.business.connection(desk.node), contract=desk.contract, signer=desk.contract.sender.signer
    )
    with pytest.raises(CorruptionError, match="index --once"):
        fill_all(connection, desk.engine, plan.address, max_gas=12_000_000)
    desk.index()
    with pytest.raises(InputError, match="is not that of ChannelPlan"):
        fill_all(connection, desk.engine, impostor, max_gas=12_000_000)
    for expected in ([(number, 1, PRICE) for number in ids], []):
        assert told([fill_all(connection, desk.engine, plan.address, max_gas=12_000_000)]) == expected
