"""Escrow payments as of the final block, how many there are of each payee, and those that were revoked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.payment import PaymentStatus, PaymentTerms
from tallystick.core.payment_books import PaymentTotal
from tallystick.core.payment_state import Payment
from tallystick.errors import CorruptionError
from tallystick.storage.database import add_missing_rows, upsert_rows
from tallystick.storage.schema import payment_totals, payments, revoked_payments

ID_BATCH = 500


def save_payments(connection: Connection, source_id: int, changed: Iterable[Payment]) -> None:
    """Writes payments as they now are, new ones and known ones."""
    upsert_rows(connection, payments, [(source_id, *_row(payment)) for payment in changed])


def _row(payment: Payment) -> tuple[Any, ...]:
    terms = payment.terms
    return (
        payment.payment_id,
        terms.payer,
        terms.payee,
        terms.token,
        terms.amount_units,
        _optional(terms.operator),
        terms.authorize_before,
        terms.capture_before,
        terms.refund_before,
        terms.dispute_window_s,
        _optional(terms.arbiter),
        terms.ruling_timeout_s,
        terms.default_payee_bps,
        terms.max_arbiter_fee_bps,
        terms.min_fee_bps,
        terms.max_fee_bps,
        _optional(terms.fee_receiver),
        terms.milestones_root,
        terms.salt,
        payment.collector,
        payment.status.name.lower(),
        payment.held_units,
        payment.captured_units,
        payment.returned_units,
        payment.arbiter_units,
        payment.refunded_units,
        payment.since,
        payment.milestones,
    )


def _optional(address: str) -> str | None:
    return None if address == ZERO_ADDRESS else address


def read_payments(connection: Connection, source_id: int, ids: Sequence[bytes] | None = None) -> dict[bytes, Payment]:
    """Payments by their ids: all, or those asked for that exist."""
    query = select(payments).where(payments.c.source_id == source_id).order_by(payments.c.payment_id)
    if ids is None:
        rows = list(connection.execute(query))
    else:
        rows = []
        for start in range(0, len(ids), ID_BATCH):
            batch = ids[start : start + ID_BATCH]
            rows += connection.execute(query.where(payments.c.payment_id.in_(batch)))
    return {row.payment_id: _payment(row) for row in rows}


def _payment(row: Row[Any]) -> Payment:
    terms = PaymentTerms(
        payer=row.payer,
        payee=row.payee,
        token=row.token,
        amount_units=row.amount_units,
        operator=row.operator or ZERO_ADDRESS,
        authorize_before=row.authorize_before,
        capture_before=row.capture_before,
        refund_before=row.refund_before,
        dispute_window_s=row.dispute_window,
        arbiter=row.arbiter or ZERO_ADDRESS,
        ruling_timeout_s=row.ruling_timeout,
        default_payee_bps=row.default_payee_bps,
        max_arbiter_fee_bps=row.max_arbiter_fee_bps,
        min_fee_bps=row.min_fee_bps,
        max_fee_bps=row.max_fee_bps,
        fee_receiver=row.fee_receiver or ZERO_ADDRESS,
        milestones_root=row.milestones_root,
        salt=row.salt,
    )
    status = PaymentStatus.__members__.get(row.status.upper())
    if status is None:
        raise CorruptionError(
            f"payment 0x{row.payment_id.hex()} has the status {row.status!r} in the database, allowed are "
            f"{', '.join(member.lower() for member in PaymentStatus.__members__)}: somebody changed it, build the "
            "books anew"
        )
    amounts = row.held_units, row.captured_units, row.returned_units, row.arbiter_units, row.refunded_units
    return Payment(row.payment_id, terms, row.collector, status, *amounts, row.since, row.milestones)


def save_payment_totals(connection: Connection, source_id: int, changed: Iterable[PaymentTotal]) -> None:
    """Writes totals as they now are, new ones and known ones."""
    upsert_rows(connection, payment_totals, [(source_id, *total) for total in changed])


def read_payment_totals(connection: Connection, source_id: int) -> dict[tuple[str, str], PaymentTotal]:
    """All totals by payee and token."""
    rows = connection.execute(select(payment_totals).where(payment_totals.c.source_id == source_id))
    return {(row.payee, row.token): PaymentTotal(*row[1:]) for row in rows}


def add_revoked(connection: Connection, source_id: int, ids: Iterable[bytes]) -> None:
    """Writes payments that their payers will not have made."""
    add_missing_rows(connection, revoked_payments, [(source_id, payment_id) for payment_id in ids])


def read_revoked(connection: Connection, source_id: int, ids: Sequence[bytes] | None = None) -> set[bytes]:
    """Revoked payments: all, or those of the ids asked for."""
    column = revoked_payments.c.payment_id
    query = select(column).where(revoked_payments.c.source_id == source_id)
    if ids is None:
        return set(connection.execute(query).scalars())
    found: set[bytes] = set()
    for start in range(0, len(ids), ID_BATCH):
        found.update(connection.execute(query.where(column.in_(ids[start : start + ID_BATCH]))).scalars())
    return found
