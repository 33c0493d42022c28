"""Registers, plans and subscriptions as of the final block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, select

from tallystick.core.period import Unit
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.subscription import (
    PER_REGISTER,
    Discount,
    Fallback,
    Limits,
    Register,
    Scheduled,
    Status,
    Subscription,
)
from tallystick.errors import CorruptionError
from tallystick.storage.database import upsert_rows
from tallystick.storage.schema import plans, registers, subscriptions

ID_BATCH = 500

Name = TypeVar("Name", bound=Enum)


def save_registers(connection: Connection, source_id: int, changed: Iterable[Register]) -> None:
    """Writes registers as they now are, new ones and known ones."""
    upsert_rows(connection, registers, [(source_id, *register) for register in changed])


def read_registers(connection: Connection, source_id: int) -> dict[int, Register]:
    """All registers by number."""
    rows = connection.execute(
        select(registers).where(registers.c.source_id == source_id).order_by(registers.c.register_id)
    )
    return {row.register_id: Register(*row[1:]) for row in rows}


def save_plans(connection: Connection, source_id: int, changed: Iterable[Plan]) -> None:
    """Writes plans as they now are, new ones and known ones."""
    upsert_rows(connection, plans, [_plan_row(source_id, plan) for plan in changed])


def _plan_row(source_id: int, plan: Plan) -> tuple[Any, ...]:
    terms = plan.terms
    return (
        source_id,
        plan.plan_id,
        plan.register_id,
        plan.first_payee or terms.payee,
        terms.price_units,
        terms.token,
        terms.every,
        terms.unit.word,
        terms.catch_up,
        terms.seat_price_units,
        terms.trial,
        terms.grace,
        terms.min_charges,
        terms.max_charges,
        terms.fee_bps,
        terms.family,
        terms.fee_receiver,
        terms.usage_cap_units,
        terms.usage_price_units,
        terms.biller,
        terms.align_to,
        terms.quoter,
        int(terms.refunds_unused),
        terms.protection,
        terms.arbiter,
        terms.ruling_timeout,
        terms.default_payee_bps,
        terms.max_arbiter_fee_bps,
        int(plan.archived),
        " ".join(map(str, plan.alternatives)),
    )


def read_plans(connection: Connection, source_id: int) -> dict[int, Plan]:
    """All plans by number, with who is paid now."""
    payees = {number: register.payee for number, register in read_registers(connection, source_id).items()}
    rows = connection.execute(select(plans).where(plans.c.source_id == source_id).order_by(plans.c.plan_id))
    found = [_plan(row) for row in rows]
    return {plan.plan_id: plan.paying(payees.get(plan.register_id, plan.terms.payee)) for plan in found}


def _plan(row: Row[Any]) -> Plan:
    terms = PlanTerms(
        payee=row.payee,
        price_units=row.price_units,
        token=row.token,
        every=row.every,
        unit=_named(Unit, row.unit, f"plan {row.plan_id}"),
        catch_up=row.catch_up,
        seat_price_units=row.seat_price_units,
        trial=row.trial,
        grace=row.grace,
        min_charges=row.min_charges,
        max_charges=row.max_charges,
        fee_bps=row.fee_bps,
        family=row.family,
        fee_receiver=row.fee_receiver,
        usage_cap_units=row.usage_cap_units,
        usage_price_units=row.usage_price_units,
        biller=row.biller,
        align_to=row.align_to,
        quoter=row.quoter,
        refunds_unused=bool(row.refunds_unused),
        protection=row.protection,
        arbiter=row.arbiter,
        ruling_timeout=row.ruling_timeout,
        default_payee_bps=row.default_payee_bps,
        max_arbiter_fee_bps=row.max_arbiter_fee_bps,
    )
    return Plan(
        row.plan_id,
        row.register_id,
        terms,
        archived=bool(row.archived),
        alternatives=_numbers(row.alternatives, f"plan {row.plan_id}"),
    )


def _numbers(text: str, row: str) -> tuple[int, ...]:
    if not text.isascii() or not all(word.isdecimal() for word in text.split()):
        raise CorruptionError(
            f"{row} has the alternatives {text!r} in the database: somebody changed it, build the books anew"
        )
    return tuple(map(int, text.split()))


def save_subscriptions(connection: Connection, source_id: int, changed: Sequence[Subscription]) -> None:
    """Writes subscriptions as they now are, new ones and known ones."""
    upsert_rows(connection, subscriptions, [_subscription_row(source_id, subscription) for subscription in changed])


def _subscription_row(source_id: int, s: Subscription) -> tuple[Any, ...]:
    return (
        source_id,
        s.subscription_id,
        s.payer,
        s.plan_id,
        s.next_due,
        s.charges,
        s.status.name.lower(),
        s.anchor_day,
        s.seats,
        s.credit_units,
        int(s.shifted),
        s.usage_units,
        s.usage_charge,
        *(s.scheduled or (None, None)),
        *s.limits,
        *(s.discount or (None,) * 5),
        s.beneficiary,
        *(s.fallback or (None,) * 4),
        int(s.by_permit2),
        int(s.in_alternative),
    )


def read_subscriptions(
    connection: Connection, source_id: int, ids: Sequence[int] | None = None
) -> dict[int, Subscription]:
    """Subscriptions by number: all, or those asked for that exist."""
    query = select(subscriptions).where(subscriptions.c.source_id == source_id)
    if ids is None:
        rows = list(connection.execute(query.order_by(subscriptions.c.subscription_id)))
    else:
        rows = []
        for start in range(0, len(ids), ID_BATCH):
            batch = ids[start : start + ID_BATCH]
            rows += connection.execute(query.where(subscriptions.c.subscription_id.in_(batch)))
    return {row.subscription_id: _subscription(row) for row in rows}


def _subscription(row: Row[Any]) -> Subscription:
    scheduled = (row.scheduled_plan_id, row.scheduled_seats)
    discount = (
        *(row.basis_points_off, row.amount_off_units, row.discounted_periods),
        *(row.discounted_plan_id, row.last_discount_units),
    )
    fallback = (row.fallback, row.fallback_plan_id, row.fallback_seats, row.fallback_alternative_id)
    return Subscription(
        row.subscription_id,
        row.payer,
        row.plan_id,
        row.next_due,
        row.charges,
        _named(Status, row.status, f"subscription {row.subscription_id}"),
        row.anchor_day,
        row.seats,
        row.credit_units,
        bool(row.shifted),
        row.usage_units,
        row.usage_charge,
        None if scheduled == (None,) * 2 else Scheduled(*scheduled),
        Limits(row.max_per_period_units, row.left_units, row.ends_at),
        None if discount == (None,) * 5 else Discount(*discount),
        row.beneficiary,
        None if fallback == (None,) * 4 else Fallback(*fallback),
        bool(row.by_permit2),
        bool(row.in_alternative),
    )


def due_subscription_ids(connection: Connection, source_id: int, time: int) -> list[int]:
    """The numbers of active subscriptions that are due at `time`, as of the final block."""
    query = select(subscriptions.c.subscription_id).where(
        subscriptions.c.source_id == source_id,
        subscriptions.c.status == Status.ACTIVE.name.lower(),
        subscriptions.c.next_due <= time,
    )
    return list(connection.execute(query.order_by(subscriptions.c.subscription_id)).scalars())


def charge_counts(connection: Connection, source_id: int, register_id: int) -> dict[int, int]:
    """How often each subscription of a register was charged, of those that ever were, as of the final block."""
    first = register_id * PER_REGISTER
    query = select(subscriptions.c.subscription_id, subscriptions.c.charges).where(
        subscriptions.c.source_id == source_id,
        subscriptions.c.subscription_id.between(first, first + PER_REGISTER - 1),
        subscriptions.c.charges > 0,
    )
    return {row.subscription_id: row.charges for row in connection.execute(query)}


def _named(kind: type[Name], name: str, row: str) -> Name:
    found = kind.__members__.get(name.upper())
    if found is None:
        raise CorruptionError(
            f"{row} has the {kind.__name__.lower()} {name!r} in the database, allowed are "
            f"{', '.join(member.lower() for member in kind.__members__)}: somebody changed it, build the books anew"
        )
    return found
