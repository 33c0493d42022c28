"""Plans are kept as code: written once, where nothing can call or change it, and found by their number alone."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tallystick.core.period import Unit
from tallystick.core.plan import PlanTerms
from tallystick.core.subscription import DeclineReason
from tests.business import plan_tuple
from tests.contracts.stage import FIRST_DUE, PRICE, SUBSCRIBED, Account, Contract, Stage, deploy, reverts

EDGES = [1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x1_0000, 0xFF_FFFF, 0x100_0000, 0xFFFF_FFFE]
"""Where RLP writes a number with one byte more, and the last but one."""


def address_of(creator: str, nonce: int) -> str:
    """The account that a contract's creation with this nonce has."""
    digits = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    number = digits if nonce < 0x80 else bytes([0x80 + len(digits)]) + digits
    payload = b"\x94" + bytes.fromhex(creator[2:]) + number
    return to_checksum_address(keccak(bytes([0xC0 + len(payload)]) + payload)[12:])


def go_to(stage: Stage, plan_id: int) -> None:
    """The next plan has this number."""
    ((key, counters),) = stage.words_read(stage.subscriptions.planCount).items()
    stage.overwrite(stage.subscriptions, key, counters >> 32 << 32 | plan_id - 1)
    stage.rpc("anvil_setNonce", stage.subscriptions.address, hex(plan_id))


def code_of(stage: Stage, plan_id: int) -> bytes:
    """What is stored of a plan."""
    return bytes.fromhex(stage.rpc("eth_getCode", address_of(stage.subscriptions.address, plan_id), "latest")[2:])


@pytest.mark.parametrize("plan_id", EDGES)
def test_E28_every_number_has_its_place(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, plan_id: int
) -> None:
    go_to(stage, plan_id)
    assert stage.create_plan(price=7, seat_price=5) == plan_id
    assert stage.create_plan(price=8) == plan_id + 1
    terms = PlanTerms(stage.merchant.address, 7, token.address, 1, Unit.MONTH, seat_price_units=5)
    assert bytes(subscriptions.termsHash(plan_id)) == keccak(code_of(stage, plan_id)) == terms.hash(0)
    assert [subscriptions.plan(number).price for number in (plan_id, plan_id + 1)] == [7, 8]
    rows = [stage.subscribe(payer, plan_id, seats=1, at=SUBSCRIBED), stage.subscribe(payer, plan_id + 1)]
    assert stage.charge(*rows, at=FIRST_DUE + 9) == [DeclineReason.NONE] * 2
    assert token.balanceOf(stage.merchant) == 2 * (12 + 8)
    assert subscriptions.subscription(rows[0]).planId == plan_id
    for missing in {0, plan_id - 1, plan_id + 2}:
        if missing == 2**32:
            continue
        with stage.nothing_changes(), reverts("UnknownPlan", planId=missing):
            subscriptions.archivePlan(missing, sender=stage.merchant)


def test_the_code_is_a_stop_and_the_words_of_the_terms(
    stage: Stage, subscriptions: Contract, merchant: Account, token: Contract, accounts: Any
) -> None:
    plain, rich = stage.create_plan(), stage.create_plan(fee_bps=1, fee_receiver=accounts[8])
    for plan_id, words in ((plain, 2), (rich, 6)):
        code = code_of(stage, plan_id)
        assert (len(code), code[0]) == (1 + 32 * words, 0)
        assert int.from_bytes(code[1:33], "big") == int(merchant.address, 16) | PRICE << 160
        assert int.from_bytes(code[33:65], "big") % 2**160 == int(token.address, 16)
    terms = PlanTerms(
        merchant.address, PRICE, token.address, 1, Unit.MONTH, fee_bps=1, fee_receiver=accounts[8].address
    )
    assert keccak(code_of(stage, rich)) == terms.hash(0) == bytes(subscriptions.termsHash(rich))


@pytest.mark.parametrize("data", ["0x", "0x00", "0xffffffff", "0x" + "ff" * 100])
def test_calling_it_does_nothing(stage: Stage, subscriptions: Contract, monthly: int, data: str) -> None:
    at = address_of(subscriptions.address, monthly)
    before = code_of(stage, monthly)
    call = {"from": stage.anyone.address, "to": at, "data": data}
    trace = stage.rpc("debug_traceCall", call, "latest", {"tracer": "callTracer"})
    assert "error" not in trace
    assert "calls" not in trace
    assert trace.get("output", "0x") == "0x"
    with stage.nothing_changes():
        stage.rpc("eth_sendTransaction", call | {"value": "0x1", "gas": hex(100_000)})
    assert code_of(stage, monthly) == before


def test_the_contract_creates_nothing_else(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int
) -> None:
    """Or plans would not be where their numbers say."""
    stage.charge(subscribed, at=FIRST_DUE)
    subscriptions.pause(subscribed, sender=payer)
    subscriptions.resume(subscribed, sender=payer)
    subscriptions.cancel(subscribed, sender=payer)
    assert int(stage.rpc("eth_getTransactionCount", subscriptions.address, "latest"), 16) == 2
    assert stage.create_plan() == 2


def test_a_plan_that_would_lie_elsewhere_is_not_stored(stage: Stage, subscriptions: Contract) -> None:
    """Where CREATE were not Ethereum's, or the nonce not the count."""
    stage.rpc("anvil_setNonce", subscriptions.address, hex(9))
    terms = PlanTerms(stage.merchant.address, PRICE, stage.token.address, 1, Unit.MONTH)
    data = "0x" + subscriptions.createPlan.encode_input(plan_tuple(terms)).hex()
    call = {"from": stage.merchant.address, "to": subscriptions.address, "data": data}
    trace = stage.rpc("debug_traceCall", call, "latest", {"tracer": "callTracer"})
    assert bytes.fromhex(trace["output"][2:]) == keccak(text="PlanNotStored()")[:4]  # an error of the library's


def test_each_contract_keeps_its_own(stage: Stage, project: Any, monthly: int) -> None:
    twin = deploy(project, stage.anyone)
    with reverts("UnknownPlan", planId=monthly):
        twin.archivePlan(monthly, sender=stage.merchant)


def test_a_register_has_room_for_a_billion_less_one(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, monthly: int
) -> None:
    assert subscribed == 1
    opened_at = 192
    words = stage.words_read(subscriptions.controlTotals, stage.merchant, stage.token)
    ((key, word),) = [(key, word) for key, word in words.items() if word >> opened_at & 0xFFFF_FFFF == 1]
    stage.overwrite(subscriptions, key, word + (999_999_997 << opened_at))
    assert stage.opened() == 999_999_998
    assert stage.subscribe(payer, monthly) == 999_999_999
    with stage.nothing_changes(), reverts("RegisterFull", registerId=0):
        stage.subscribe(payer, monthly)
    other = stage.create_plan(payee=stage.anyone)
    assert stage.subscribe(payer, other) == 1_000_000_001
