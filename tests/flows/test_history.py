"""What was paid, read from logs, where one transaction holds a charge and a change of the same subscription: only an
account with code can do that, and whose charge it was is not said by the events."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tallystick.core.change import NO_CHARGE
from tallystick.core.events import PlanChanged, Upgraded
from tallystick.core.period import Unit
from tallystick.flows.history import read_segments
from tests.business import PRICE_UNITS, Business, calldata

DAY_S = 86_400


def batching(to: str, calls: Sequence[str]) -> str:
    """The code of an account that makes these calls, whoever calls it, and reverts where one of them does."""
    payloads = [bytes.fromhex(call[2:]) for call in calls]
    size = 46 * len(payloads) + 1
    code, at = b"", size + 4
    for payload in payloads:
        length = len(payload).to_bytes(2, "big")
        code += b"\x61" + length + b"\x61" + at.to_bytes(2, "big") + b"\x5f\x39"  # CODECOPY(0, at, length)
        code += b"\x5f\x5f\x61" + length + b"\x5f\x5f\x73" + bytes.fromhex(to[2:]) + b"\x5a\xf1"  # CALL
        code += b"\x15\x61" + size.to_bytes(2, "big") + b"\x57"  # JUMPI where it failed
        at += len(payload)
    code = code.ljust(size - 1, b"\x5b") + b"\x00\x5b\x5f\x5f\xfd"  # STOP; JUMPDEST REVERT
    return "0x" + (code + b"".join(payloads)).hex()


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("unit", [Unit.DAY, Unit.MONTH])
@pytest.mark.parametrize("price", [1, PRICE_UNITS, 3 * PRICE_UNITS])
@pytest.mark.parametrize("yearly", [False, True])
def test_a_charge_and_a_change_in_one_transaction(
    business: Business, price: int, unit: Unit, paused: bool, yearly: bool
) -> None:
    every = 30 if unit is Unit.DAY else 1
    first = business.create_plan(every=every, unit=unit)
    second = business.create_plan(price, 1, Unit.YEAR) if yearly else business.create_plan(price, every, unit)
    credited = business.create_plan(1, every, unit)
    payer = business.payer("wallet")
    number = business.subscribe(payer, first)
    connection = business.connection()
    contract = connection.contract
    if paused:  # a credit is there as well
        business.change_plan(payer, number, credited)
        business.change_plan(payer, number, first)
        business.call(payer, "pause", number)
        business.anvil.advance(5 * DAY_S)
        business.call(payer, "resume", number)
    before = len(read_segments(connection, number))

    change = (number, second, business.terms_hash(second), 0, 2**255)
    calls = [
        calldata("Subscriptions", "charge", [number]),
        calldata("Subscriptions", "changePlan", *change),
    ]
    business.anvil.rpc("anvil_setCode", payer, batching(business.subscriptions, calls))
    due = contract.subscription(number).next_due
    business.anvil.rpc("evm_setNextBlockTimestamp", hex(due))
    receipt = business.send(business.operator, payer, "0x")
    assert type(business.events(receipt)[-1]) in {PlanChanged, Upgraded}

    segments = read_segments(connection, number)  # compared with what the contract remembers
    assert len(segments) > before
    dearer = yearly or price > PRICE_UNITS
    assert (segments[-1].next_units != NO_CHARGE) == dearer
