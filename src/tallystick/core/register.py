"""Registers and the plans in them: opened, handed over to another payee, filled; each event checked against those that
there are."""

from __future__ import annotations

from collections.abc import Mapping

from tallystick.core.act import refuse
from tallystick.core.events import PayeeChanged, PlanCreated, Recorded, RegisterOpened
from tallystick.core.plan import Plan
from tallystick.core.subscription import Register


def opened_register(recorded: Recorded, event: RegisterOpened, registers: Mapping[int, Register]) -> Register:
    """The register of a payee's first plan in a token. Raises EventsInconsistent where it cannot follow."""
    if event.register_id != len(registers):
        refuse(recorded, f"register {event.register_id} is opened where {len(registers)} is the next")
    _require_none(recorded, event.payee, event.token, registers)
    return Register(*event)


def moved_register(recorded: Recorded, event: PayeeChanged, registers: Mapping[int, Register]) -> Register:
    """The register after it was handed over. Raises EventsInconsistent where it was not its payee's to give."""
    register = registers.get(event.register_id)
    if register is None or register.payee != event.payee:
        refuse(recorded, f"register {event.register_id} is none of {event.payee}")
    _require_none(recorded, event.new_payee, register.token, registers)
    return register._replace(payee=event.new_payee)


def created_plan(
    recorded: Recorded, event: PlanCreated, registers: Mapping[int, Register], plans: Mapping[int, Plan]
) -> Plan:
    """The plan that an event creates. Raises EventsInconsistent where it cannot follow."""
    plan_id, register_id, terms = event
    if plan_id != len(plans) + 1:
        refuse(recorded, f"plan {plan_id} follows plan {len(plans)}")
    register = registers.get(register_id)
    if register is None or (register.payee, register.token) != (terms.payee, terms.token):
        refuse(recorded, f"it is of register {register_id}, which is not of {terms.payee} and {terms.token}")
    if terms.align_to > recorded.origin.block_time:
        refuse(recorded, f"its grid begins at {terms.align_to}, after it")
    return Plan(plan_id, register_id, terms)


def _require_none(recorded: Recorded, payee: str, token: str, registers: Mapping[int, Register]) -> None:
    if any((known.payee, known.token) == (payee, token) for known in registers.values()):
        refuse(recorded, f"{payee} has a register in {token} already")
