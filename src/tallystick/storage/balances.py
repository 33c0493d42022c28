"""Running balances: of each account and token what was debited and credited until now, and until earlier entries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection, func, select

from tallystick.core.balances import Place, Standing, Standings, kept_before, moves_of
from tallystick.core.ledger import Balance, Entry
from tallystick.storage.database import insert_rows, upsert_rows
from tallystick.storage.schema import balances, past_balances, postings

ACCOUNTS = 500
"""Accounts that are looked up at once."""


def move_balances(connection: Connection, source_id: int, new: Sequence[Entry]) -> None:
    """Brings the balances up to entries that follow those they have."""
    moves = moves_of(new)
    standings = Standings(_standings(connection, source_id, set().union(*moves.values())))
    standings.add(moves)
    insert_rows(connection, past_balances, [(source_id, *standing) for standing in standings.kept])
    upsert_rows(connection, balances, [(source_id, *standing) for standing in standings.now.values()])


def _standings(connection: Connection, source_id: int, places: Iterable[Place]) -> Iterator[Standing]:
    """Of those accounts and tokens. Token by token: no database looks for pairs in an index."""
    accounts: defaultdict[str, list[str]] = defaultdict(list)
    for account, token in places:
        accounts[token].append(account)
    for token, wanted in accounts.items():
        query = select(balances).where(balances.c.source_id == source_id, balances.c.token == token)
        for start in range(0, len(wanted), ACCOUNTS):
            part = balances.c.account.in_(wanted[start : start + ACCOUNTS])
            yield from (Standing(*row[1:]) for row in connection.execute(query.where(part)))


def read_standings(connection: Connection, source_id: int) -> list[Standing]:
    """How every account stands in every token."""
    rows = connection.execute(select(balances).where(balances.c.source_id == source_id))
    return [Standing(*row[1:]) for row in rows]


def read_past_standings(connection: Connection, source_id: int) -> list[Standing]:
    """All that is kept of how accounts stood."""
    rows = connection.execute(select(past_balances).where(past_balances.c.source_id == source_id))
    return [Standing(*row[1:]) for row in rows]


def balances_now(connection: Connection, source_id: int) -> list[Balance]:
    """What was debited and credited per account and token, ordered by both."""
    return [standing.balance for standing in sorted(read_standings(connection, source_id))]


def balances_after(connection: Connection, source_id: int, number: int) -> list[Balance]:
    """The same up to and including an entry: what is kept from before its stretch, and its stretch's postings.

    Added up here and not in SQL: SQLite has no integers above 64 bits.
    """
    kept = kept_before(number)
    sums = {
        (standing.account, standing.token): [standing.debit_units, standing.credit_units]
        for standing in _standings_after(connection, source_id, kept)
    }
    rows = connection.execute(
        select(postings.c.account, postings.c.token, postings.c.side, postings.c.units).where(
            postings.c.source_id == source_id, postings.c.entry_number.between(kept + 1, number)
        )
    )
    for account, token, side, units in rows:
        sums.setdefault((account, token), [0, 0])["DC".index(side)] += units
    return [Balance(*place, *sums[place]) for place in sorted(sums)]


def _standings_after(connection: Connection, source_id: int, kept: int) -> list[Standing]:
    """How accounts stood at the end of a stretch: as now, where they have not moved since, and else as is kept."""
    now, then, other = balances.c, past_balances.c, past_balances.alias().c
    unmoved = select(balances).where(now.source_id == source_id, now.entry_number <= kept)
    same = (other.source_id == now.source_id) & (other.account == now.account) & (other.token == now.token)
    last = select(func.max(other.entry_number)).where(same, other.entry_number <= kept).scalar_subquery()
    moved = (
        select(past_balances)
        .join(balances, (then.source_id == now.source_id) & (then.account == now.account) & (then.token == now.token))
        .where(now.source_id == source_id, now.entry_number > kept, then.entry_number == last)
    )
    return [Standing(*row[1:]) for query in (unmoved, moved) for row in connection.execute(query)]
