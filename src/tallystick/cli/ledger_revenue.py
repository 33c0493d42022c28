"""`tallystick ledger deferred` and `revenue`: what was charged, by when it is earned."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from tallystick.cli import configured, examples
from tallystick.cli.output import Table, shown
from tallystick.cli.spans import DATE
from tallystick.config import Config
from tallystick.core.money import Amount

if TYPE_CHECKING:
    from tallystick.core.money import Token
    from tallystick.flows.revenue import PlanKey, Revenue

NOTHING = "no invoices yet: only final blocks have any, and `tallystick index --once` brings the mirror up to date"
_at = click.option("--at", type=DATE, metavar="DATE", help="As of this moment (UTC) instead of the last final block's.")


@click.command(
    "deferred",
    epilog=examples("tallystick ledger deferred", "tallystick ledger deferred --at 2027-01-01 --json"),
)
@_at
@configured
@shown
def deferred(config: Config, at: int | None) -> Table:
    """What was charged of each plan, and how much of it is earned: the rest is deferred, a liability.

    A charge is earned second by second over its period. A refund takes from what is deferred first.
    """
    from tallystick.flows.mirror import open_books
    from tallystick.flows.revenue import revenue_until
    from tallystick.storage.database import reading
    from tallystick.storage.tokens import read_tokens

    books = open_books(config)
    with reading(books.engine) as connection:
        tokens = read_tokens(connection, books.source.chain_id)
        moment = books.source.final_time + 1 if at is None else at
        found = revenue_until(connection, books.source, moment)
    return Table([_row(key, revenue, tokens[key.token]) for key, revenue in found.items()], empty=NOTHING)


@click.command(
    "revenue",
    epilog=examples(
        "tallystick ledger revenue",
        "tallystick ledger revenue --since 2026-01-01 --until 2026-12-31 --json",
    ),
)
@click.option("--since", type=DATE, metavar="DATE", help="From this month on (UTC); the first charge's.")
@click.option("--until", type=DATE, metavar="DATE", help="Up to this month; the last final block's.")
@configured
@shown
def revenue(config: Config, since: int | None, until: int | None) -> Table:
    """Revenue by month: what was charged and given back in each, what was earned in it, what is deferred at its end.

    The months after the last final block show what is earned then of what was charged so far.
    """
    from tallystick.flows.mirror import open_books
    from tallystick.flows.revenue import read_deferrals, revenue_by_month
    from tallystick.storage.database import reading
    from tallystick.storage.tokens import read_tokens

    books = open_books(config)
    with reading(books.engine) as connection:
        tokens = read_tokens(connection, books.source.chain_id)
        if since is None:
            times = (charge.time for _, charge in read_deferrals(connection, books.source))
            since = min(times, default=books.source.final_time)
        last = books.source.final_time if until is None else until
        found = revenue_by_month(connection, books.source, since, max(since, last))
    return Table(
        [
            {"month": dt.datetime.fromtimestamp(start, dt.UTC).strftime("%Y-%m"), **_row(key, part, tokens[key.token])}
            for start, plans in found.months.items()
            for key, part in plans.items()
        ],
        empty=NOTHING,
    )


def _row(key: PlanKey, found: Revenue, token: Token) -> dict[str, object]:
    return {
        "plan": key.plan_id,
        "charged": Amount(found.charged_units, token),
        "refunded": Amount(found.refunded_units, token),
        "earned": Amount(found.earned_units, token),
        "deferred": Amount(found.deferred_units, token),
        "payee": key.payee,
    }
