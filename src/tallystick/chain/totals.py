"""What the contract counts itself: plans, subscriptions, and the control totals of what was charged and refunded.

It is the judge over a node that leaves events out and over a database in which a row was changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eth_utils.abi import function_signature_to_4byte_selector

from tallystick.chain.rpc import Rpc
from tallystick.errors import NodeInvalid

_CONTROL_TOTALS = function_signature_to_4byte_selector("controlTotals(address,address)")
_PLAN_COUNT = function_signature_to_4byte_selector("planCount()")
_SUBSCRIPTION_COUNT = function_signature_to_4byte_selector("subscriptionCount()")


class Totals(NamedTuple):
    """Count and sum, in base units, of the charges and refunds of a payee in a token."""

    charge_count: int = 0
    charge_sum: int = 0
    refund_count: int = 0
    refund_sum: int = 0


class Counted(NamedTuple):
    """How many plans and subscriptions there are, and the control totals of the pairs of payee and token asked for."""

    plans: int
    subscriptions: int
    totals: dict[tuple[str, str], Totals]


def read_counted(rpc: Rpc, contract: str, pairs: Sequence[tuple[str, str]], block: int) -> Counted:
    """What the contract had counted by the end of a block; zeros where there was no contract yet.

    Raises NodeRefused where the node does not keep the state of that block any more.
    """
    calls = [_PLAN_COUNT, _SUBSCRIPTION_COUNT]
    calls += [_CONTROL_TOTALS + bytes(12) + _raw(payee) + bytes(12) + _raw(token) for payee, token in pairs]
    answers: list[str] = rpc.batch(
        str, "eth_call", [({"to": contract, "data": "0x" + data.hex()}, hex(block)) for data in calls]
    )
    plans, subscriptions = (_words(rpc, answer, 1)[0] for answer in answers[:2])
    totals = [Totals(*_words(rpc, answer, 4)) for answer in answers[2:]]
    return Counted(plans, subscriptions, dict(zip(pairs, totals, strict=True)))


def _raw(address: str) -> bytes:
    return bytes.fromhex(address[2:])


def _words(rpc: Rpc, answer: str, count: int) -> list[int]:
    try:
        data = bytes.fromhex(answer.removeprefix("0x")) or bytes(32 * count)
    except ValueError:
        data = b""
    if len(data) != 32 * count:
        raise NodeInvalid(f"{rpc.name} answered a call of the contract with {answer[:80]!r}: ask another node")
    return [int.from_bytes(data[at : at + 32], "big") for at in range(0, len(data), 32)]
