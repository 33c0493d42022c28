"""What tokens are called and how many decimals they have, as they said when they were first seen."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from tallystick.core.money import Token
from tallystick.storage.database import add_missing_rows
from tallystick.storage.schema import tokens


def read_tokens(connection: Connection, chain_id: int) -> dict[str, Token]:
    """The known tokens of a chain by address."""
    rows = connection.execute(select(tokens).where(tokens.c.chain_id == chain_id))
    return {row.address: Token(row.chain_id, row.address, row.symbol, row.decimals) for row in rows}


def add_tokens(connection: Connection, new: Iterable[Token]) -> None:
    """Writes tokens; one that is known already, by another contract on the chain, stays as it is."""
    rows = [(token.chain_id, token.address, token.symbol, token.decimals) for token in new]
    add_missing_rows(connection, tokens, rows)
