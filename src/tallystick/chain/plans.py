"""Plans as they stand on the chain: their terms, the register that they belong to, whether they are archived.

The contract keeps a plan as the code of an account that it created, at an address that follows from the plan's number
(`PlanCode`). That code says what `plan` leaves out, the register, and its hash is what payers agree to.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tallystick.chain.calls import call_data, decoded
from tallystick.chain.node import Node, hex_bytes
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.period import Unit
from tallystick.core.plan import Plan, PlanTerms
from tallystick.errors import NodeInvalid

_SHORT = 0x80
_REGISTER = slice(35, 39)
"""Behind the STOP, a word, and the 16 highest bits of the second one."""


def read_plans(node: Node, contract: str, plan_ids: Iterable[int]) -> list[Plan]:
    """Many plans in few requests, each compared with the hash of its code; paying who is paid now.

    Raises UnknownPlan, InputError for a number that is none, and NodeInvalid where terms and code differ.
    """
    ids = list(plan_ids)
    calls: list[tuple[str, list[Any]]] = []
    for plan_id in ids:
        for name in ("plan", "isArchived"):
            call = {"to": contract, "data": "0x" + call_data(name, plan_id).hex()}
            calls.append(("eth_call", [call, "latest"]))
        calls.append(("eth_getCode", [plan_address(contract, plan_id), "latest"]))
    answers = [hex_bytes(answer) for answer in node.request_many(calls)]
    plans = []
    for plan_id, answer, archived, code in zip(ids, answers[::3], answers[1::3], answers[2::3], strict=True):
        terms, register_id = _terms(decoded("plan", answer)), int.from_bytes(code[_REGISTER], "big")
        plan = Plan(plan_id, register_id, terms, decoded("isArchived", archived))
        if keccak(code) != plan.terms_hash():
            raise NodeInvalid(
                f"the terms of plan {plan_id} are not those that its code at {plan_address(contract, plan_id)} holds: "
                "ask another node"
            )
        plans.append(plan)
    payees = _payees(node, contract, sorted({plan.register_id for plan in plans}))
    return [plan.paying(payees[plan.register_id] or plan.terms.payee) for plan in plans]


def _payees(node: Node, contract: str, register_ids: list[int]) -> dict[int, str | None]:
    """Who is paid in each register now; None for one that never belonged to another payee."""
    data = [{"to": contract, "data": "0x" + call_data("payeeOf", number).hex()} for number in register_ids]
    answers = node.request_many([("eth_call", [call, "latest"]) for call in data])
    found = [_account(decoded("payeeOf", hex_bytes(answer))) for answer in answers]
    return dict(zip(register_ids, found, strict=True))


def plan_address(contract: str, plan_id: int) -> str:
    """Where a plan's code is: the address of the account that the contract created as its `plan_id`-th."""
    digits = plan_id.to_bytes((plan_id.bit_length() + 7) // 8, "big")
    number = digits if len(digits) == 1 and plan_id < _SHORT else bytes([_SHORT + len(digits)]) + digits
    fields = b"\x94" + bytes.fromhex(contract.removeprefix("0x")) + number
    return to_checksum_address(keccak(bytes([0xC0 + len(fields)]) + fields)[12:])


def terms_values(terms: PlanTerms) -> tuple[object, ...]:
    """The terms as `createPlan` takes them."""
    return (
        *(terms.payee, terms.price_units, terms.token, terms.every, int(terms.unit), terms.catch_up),
        *(terms.seat_price_units, terms.trial, terms.grace, terms.min_charges, terms.max_charges),
        *(terms.fee_bps, terms.family, terms.fee_receiver or ZERO_ADDRESS),
        *(terms.usage_cap_units, terms.usage_price_units, terms.biller or ZERO_ADDRESS),
        *(terms.align_to, terms.quoter or ZERO_ADDRESS, terms.refunds_unused),
        *(terms.protection, terms.arbiter or ZERO_ADDRESS, terms.ruling_timeout),
        *(terms.default_payee_bps, terms.max_arbiter_fee_bps),
    )


def _terms(values: Any) -> PlanTerms:
    payee, price_units, token, every, unit, catch_up, *life = values
    seat_price_units, trial, grace, min_charges, max_charges, fee_bps, family, fee_receiver, *more = life
    usage_cap_units, usage_price_units, biller, align_to, quoter, refunds_unused, *shield = more
    protection, arbiter, ruling_timeout, default_payee_bps, max_arbiter_fee_bps = shield
    return PlanTerms(
        payee=to_checksum_address(payee),
        price_units=price_units,
        token=to_checksum_address(token),
        every=every,
        unit=Unit(unit),
        catch_up=catch_up,
        seat_price_units=seat_price_units,
        trial=trial,
        grace=grace,
        min_charges=min_charges,
        max_charges=max_charges,
        fee_bps=fee_bps,
        family=family,
        fee_receiver=_account(fee_receiver),
        usage_cap_units=usage_cap_units,
        usage_price_units=usage_price_units,
        biller=_account(biller),
        align_to=align_to,
        quoter=_account(quoter),
        refunds_unused=refunds_unused,
        protection=protection,
        arbiter=_account(arbiter),
        ruling_timeout=ruling_timeout,
        default_payee_bps=default_payee_bps,
        max_arbiter_fee_bps=max_arbiter_fee_bps,
    )


def _account(address: str) -> str | None:
    return None if address == ZERO_ADDRESS else to_checksum_address(address)
