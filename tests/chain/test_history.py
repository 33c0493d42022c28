"""One subscription's past, a payer's subscriptions and what can be claimed, read from a real chain's logs, and from a
node that leaves some out."""

from __future__ import annotations

import json

import pytest

from tallystick.chain import logs
from tallystick.chain.decode import topic_of
from tallystick.chain.history import OF_A_SUBSCRIPTION, HistoryReader
from tallystick.chain.node import Node
from tallystick.contracts import load_artefact
from tallystick.core.events import Charged, Claimable, Subscribed
from tallystick.errors import NodeInvalid
from tallystick.flows.history import read_segments
from tests.business import PRICE_UNITS, Business
from tests.chain.conftest import Proxy


def reader(business: Business, url: str | None = None) -> HistoryReader:
    return HistoryReader(url or business.anvil.url, business.subscriptions, business.contract.start_block)


def test_the_events_of_a_subscription_are_those_that_begin_with_its_number() -> None:
    abi = [entry for entry in load_artefact("Subscriptions").abi if entry["type"] == "event"]
    first = {entry["name"]: entry["inputs"][0] for entry in abi if entry["inputs"]}
    assert set(OF_A_SUBSCRIPTION) == {
        name for name, value in first.items() if value["name"] == "subscriptionId" and value["indexed"]
    }


def test_only_its_own_events_in_their_order(business: Business, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = business.create_plan()
    anna, ben = business.payer("anna"), business.payer("ben")
    first, second, third = (business.subscribe(payer, plan) for payer in (anna, ben, anna))
    monkeypatch.setattr(logs, "FIRST_LOGS_PER_BLOCK", logs.TARGET_LOGS)  # the first range is a single block
    business.anvil.mine(40)
    business.anvil.advance(32 * 86_400)
    business.charge(first, second, third)
    found = reader(business).of_subscription(second)
    assert [type(entry.event) for entry in found] == [Subscribed, Charged, Charged]
    assert {entry.event[0] for entry in found} == {second}
    assert found == sorted(found, key=lambda entry: (entry.origin.block_number, entry.origin.log_index))
    assert reader(business).subscriptions_of(anna) == [first, third]
    assert reader(business).subscriptions_of(business.payee) == []
    assert reader(business).of_subscription(2**63) == []


def test_what_was_kept_by_account(business: Business) -> None:
    platform = business.account("platform")
    plan = business.create_plan(fee_bps=1_000, fee_receiver=platform)
    number = business.subscribe(business.payer("anna"), plan)
    assert reader(business).claimables() == []
    for account in (platform, business.payee):
        business.block(account)
    business.anvil.advance(32 * 86_400)
    business.charge(number)
    fee = PRICE_UNITS // 10
    assert reader(business).claimables() == [
        Claimable(business.payee, business.token, number, PRICE_UNITS - fee),
        Claimable(platform, business.token, number, fee),
    ]
    assert [event.amount_units for event in reader(business).claimables(platform)] == [fee]


def test_a_node_that_leaves_events_out_is_found_out(business: Business, node: Node, proxy: Proxy) -> None:
    """The contract remembers a hash of what was paid: no refund is asked for by a wrong history."""
    small, large = business.create_plan(), business.create_plan(3 * PRICE_UNITS)
    payer = business.payer("anna")
    number = business.subscribe(payer, small)
    business.change_plan(payer, number, large)
    assert len(read_segments(business.connection(node), number)) == 1

    def without_upgrades(method: str, answer: bytes) -> tuple[int, bytes] | None:
        if method != "eth_getLogs":
            return 200, answer
        found = json.loads(answer)
        found["result"] = [log for log in found["result"] if log["topics"][0] != topic_of("Upgraded")]
        return 200, json.dumps(found).encode()

    proxy.misbehave = without_upgrades
    lying = business.connection(Node(type(node.provider)(proxy.url), node.chain_id))
    with pytest.raises(NodeInvalid, match="give another history than the contract remembers"):
        read_segments(lying, number)
