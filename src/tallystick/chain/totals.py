"""What the contract counts itself: registers, plans, subscriptions, and the control totals of what was charged and
refunded; and what it keeps for those who could not receive it.

It is the judge over a node that leaves events out and over a database in which a row was changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eth_utils.abi import function_signature_to_4byte_selector

from tallystick.chain.rpc import Caller
from tallystick.errors import NodeInvalid

_CONTROL_TOTALS = function_signature_to_4byte_selector("controlTotals(address,address)")
_CLAIMABLE = function_signature_to_4byte_selector("claimable(address,address)")
_PLAN_COUNT = function_signature_to_4byte_selector("planCount()")
_REGISTER_COUNT = function_signature_to_4byte_selector("registerCount()")


class Totals(NamedTuple):
    """How many subscriptions a payee has in a token, and count and sum, in base units, of its charges and refunds."""

    subscriptions: int = 0
    charge_count: int = 0
    charge_sum: int = 0
    refund_count: int = 0
    refund_sum: int = 0


class Counted(NamedTuple):
    """How many plans and registers there are, the control totals of the pairs of payee and token asked for, and the
    base units that the contract keeps for the pairs of account and token asked for."""

    plans: int
    registers: int
    totals: dict[tuple[str, str], Totals]
    claimables: dict[tuple[str, str], int]


def read_counted(
    rpc: Caller, contract: str, pairs: Sequence[tuple[str, str]], accounts: Sequence[tuple[str, str]], block: int
) -> Counted:
    """What the contract had counted by the end of a block for `pairs` of payee and token, and what it kept for
    `accounts`, pairs of account and token; zeros where there was no contract yet.

    Raises NodeRefused where the node does not keep the state of that block any more.
    """
    calls = [_PLAN_COUNT, _REGISTER_COUNT]
    calls += [_CONTROL_TOTALS + address_word(payee) + address_word(token) for payee, token in pairs]
    calls += [_CLAIMABLE + address_word(account) + address_word(token) for account, token in accounts]
    answers = asked(rpc, [(contract, data) for data in calls], block)
    plans, registers = (words_of(rpc, answer, 1)[0] for answer in answers[:2])
    totals = [Totals(*words_of(rpc, answer, len(Totals._fields))) for answer in answers[2 : 2 + len(pairs)]]
    kept = [words_of(rpc, answer, 1)[0] for answer in answers[2 + len(pairs) :]]
    return Counted(plans, registers, dict(zip(pairs, totals, strict=True)), dict(zip(accounts, kept, strict=True)))


def asked(rpc: Caller, calls: Sequence[tuple[str, bytes]], block: int) -> list[str]:
    """What contracts answer calls (address, data) on the state after a block, as hex."""
    if not calls:
        return []
    found: list[str] = rpc.batch(
        str, "eth_call", [({"to": to, "data": "0x" + data.hex()}, hex(block)) for to, data in calls]
    )
    return found


def address_word(address: str) -> bytes:
    """An address as an argument of a call."""
    return bytes(12) + bytes.fromhex(address[2:])


def words_of(rpc: Caller, answer: str, count: int) -> list[int]:
    """The numbers that a call answered; zeros where there is no code to answer. Raises NodeInvalid."""
    try:
        data = bytes.fromhex(answer.removeprefix("0x")) or bytes(32 * count)
    except ValueError:
        data = b""
    if len(data) != 32 * count:
        raise NodeInvalid(f"{rpc.name} answered a call of the contract with {answer[:80]!r}: ask another node")
    return [int.from_bytes(data[at : at + 32], "big") for at in range(0, len(data), 32)]
