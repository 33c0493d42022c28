"""What tokens were worth, with its evidence, for the blocks in which something came in or was converted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, select

from tallystick.core.rate import Rate, parse_evidence, rendered
from tallystick.errors import CorruptionError, InputError
from tallystick.storage.database import add_missing_rows
from tallystick.storage.schema import rates


class RecordedRate(NamedTuple):
    """A rate, and the block for which it was recorded."""

    block_number: int
    rate: Rate


def add_rates(connection: Connection, chain_id: int, new: Iterable[RecordedRate]) -> None:
    """Records rates; one that is recorded already stays as it is."""
    rows = [(chain_id, rate.token, rate.currency, block_number, rendered(rate.evidence)) for block_number, rate in new]
    add_missing_rows(connection, rates, rows)


def read_rates(connection: Connection, chain_id: int, currency: str | None = None) -> list[RecordedRate]:
    """All recorded rates of a chain's tokens, or those in one currency, ordered by token, currency and block. Raises
    CorruptionError where one cannot be read."""
    query = select(rates).where(rates.c.chain_id == chain_id)
    if currency is not None:
        query = query.where(rates.c.currency == currency)
    found = []
    for row in connection.execute(query.order_by(rates.c.token, rates.c.currency, rates.c.block_number)):
        try:
            evidence = parse_evidence(row.evidence)
        except InputError as error:
            raise CorruptionError(
                f"the rate of {row.token} in {row.currency} in block {row.block_number} cannot be read: somebody "
                f"changed it ({error})"
            ) from error
        found.append(RecordedRate(row.block_number, Rate(row.token, row.currency, evidence)))
    return found
