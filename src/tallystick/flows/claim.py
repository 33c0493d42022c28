"""What the contract keeps for accounts that could not receive it, and paying it out."""

from __future__ import annotations

from typing import NamedTuple

from tallystick.flows.connect import Connection


class Claim(NamedTuple):
    """Units of a token that an account may claim."""

    account: str
    token: str
    amount_units: int


def find_claims(connection: Connection, account: str | None = None) -> list[Claim]:
    """Everything that can be claimed now, for all accounts or one. Raises NodeErrors."""
    pairs = dict.fromkeys((event.account, event.token) for event in connection.history().claimables(account))
    claims = [Claim(*pair, connection.contract.claimable(*pair)) for pair in pairs]
    return [claim for claim in claims if claim.amount_units]
