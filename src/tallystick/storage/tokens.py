"""What tokens are called and how many decimals they have, as they said when they were first seen."""

from __future__ import annotations

from sqlalchemy import Connection, select

from tallystick.core.money import Token
from tallystick.storage.database import insert_rows
from tallystick.storage.schema import tokens


def read_tokens(connection: Connection, chain_id: int) -> dict[str, Token]:
    """The known tokens of a chain by address."""
    rows = connection.execute(select(tokens).where(tokens.c.chain_id == chain_id))
    return {row.address: Token(row.chain_id, row.address, row.symbol, row.decimals) for row in rows}


def add_token(connection: Connection, token: Token) -> None:
    """Writes a token that is not known yet."""
    insert_rows(connection, tokens, [(token.chain_id, token.address, token.symbol, token.decimals)])
