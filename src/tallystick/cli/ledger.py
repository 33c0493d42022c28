"""`tallystick ledger`: trial balance, journal, exports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from tallystick.cli import configured, examples
from tallystick.cli.ledger_revenue import deferred, revenue
from tallystick.cli.output import Table, Time, shown
from tallystick.cli.spans import END
from tallystick.config import Config
from tallystick.core.money import Amount, Asset
from tallystick.errors import ConfigError, LedgerError

if TYPE_CHECKING:
    from tallystick.core.ledger import Balance
    from tallystick.core.money import Currency
    from tallystick.flows.mirror import StoredBooks
    from tallystick.storage.sources import Source

FORMATS = ["jsonl", "csv", "parquet", "beancount", "hledger"]
CONTRACTS = ["subscriptions", "escrow", "checkout", "channels", "conversion", "x402"]
ALL = "all"
NO_ENTRIES = (
    "no entries yet: only final blocks are in the ledger (index.finality), and `tallystick index --once` brings the "
    "mirror up to date"
)

P = ParamSpec("P")
R = TypeVar("R")

_of_contract = click.option(
    "--of",
    "contract",
    type=click.Choice(CONTRACTS),
    default="subscriptions",
    show_default=True,
    help="Whose journal: each contract has one.",
)


def _as_of(function: Callable[P, R]) -> Callable[P, R]:
    """For a command: takes `block` or `at`, each None where it is not given."""
    block = click.option(
        "--block", type=int, metavar="NUMBER", help="As of this block instead of the newest final one."
    )
    at = click.option(
        *("--at", "at"),
        type=END,
        metavar="DATE",
        help="As of the end of this day, such as 2026-03-31, or of a second, such as 2026-03-31T12:00 (UTC).",
    )
    return block(at(function))


def _require_one(block: int | None, at: int | None) -> None:
    if block is not None and at is not None:
        raise click.UsageError("name a block with --block or a time with --at, not both")


@click.group()
def ledger() -> None:
    """Trial balance, journal and exports of the double-entry ledger.

    Only final blocks are in it. Each entry names the event on chain that it stands for. Subscriptions, escrow
    payments, what is sold once (checkout), payment channels, conversions and x402's own channels have a journal each.
    """


def _source(books: StoredBooks, contract: str) -> Source:
    match contract:
        case "escrow":
            return books.payments
        case "checkout":
            return books.sales
        case "channels":
            return books.claims
        case "conversion":
            return books.conversions
        case "x402":
            return books.x402_claims
    return books.source


@ledger.command(
    "trial-balance",
    epilog=examples(
        "tallystick ledger trial-balance",
        "tallystick ledger trial-balance --of escrow",
        "tallystick ledger trial-balance --of conversion   with gains and losses in the currency",
        "tallystick ledger trial-balance --at 2026-03-31   as of the end of that day, UTC",
        "tallystick ledger trial-balance --accrual --at 2026-03-31   income as it was earned by then",
        "tallystick ledger trial-balance --block 19000000 --json",
    ),
)
@click.option("--accrual", is_flag=True, help="Income by when it is earned; what is not is a liability. Subscriptions.")
@_as_of
@_of_contract
@configured
@shown
def trial_balance(config: Config, accrual: bool, block: int | None, at: int | None, contract: str) -> Table:
    """What every account was debited and credited, in each token. The totals are equal, or something is wrong.

    That of conversions has their gains and losses as well, in the currency (`tallystick convert gains`). With --block
    or --at each line says as of which final block it is. With --accrual what was paid for a period that is not over
    stands in `Liabilities:Deferred` (`tallystick ledger deferred`).
    """
    from tallystick.flows.mirror import open_books
    from tallystick.flows.revenue import by_accrual
    from tallystick.storage.database import reading
    from tallystick.storage.journal import as_of, read_balances
    from tallystick.storage.tokens import read_tokens

    _require_one(block, at)
    if accrual and (contract != "subscriptions" or block is not None):
        raise click.UsageError("--accrual is of subscriptions alone, and as of a time: name it with --at, or no other")
    books = open_books(config)
    source = _source(books, contract)
    with reading(books.engine) as connection:
        tokens = read_tokens(connection, books.source.chain_id)
        through = as_of(connection, source, block=block, time=at)
        balances = read_balances(connection, source.source_id, through=through)
        if accrual:
            balances = by_accrual(connection, source, balances, source.final_time if at is None else at)
    assets: dict[str, Asset] = dict(tokens)
    if contract == "conversion":
        try:
            more, into = _gains(config, books, through)
        except (ConfigError, LedgerError) as error:
            click.echo(f"gains and losses are left out: {error}", err=True)
        else:
            balances += more
            assets[into.code] = into
    rows = []
    totals: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for balance in balances:
        totals[balance.token][0] += balance.debit_units
        totals[balance.token][1] += balance.credit_units
        rows.append((balance.account, balance.token, balance.debit_units, balance.credit_units))
    rows += [("Total", token, debit, credit) for token, (debit, credit) in sorted(totals.items())]
    return Table(
        [
            {
                "account": account,
                "debit": Amount(debit, assets[token]),
                "credit": Amount(credit, assets[token]),
                "token": token,
            }
            | ({} if through is None else {"block": through})
            for account, token, debit, credit in rows
        ],
        empty=NO_ENTRIES if through is None else f"no entries as of block {through}",
    )


def _gains(config: Config, books: StoredBooks, block: int | None) -> tuple[list[Balance], Currency]:
    """What conversions gained and lost by a block, as balances in the currency."""
    from tallystick.core.ledger import balances_of
    from tallystick.flows.gains import currency_of, read_gains

    found = read_gains(books, currency_of(config), config.merchant.payees)
    return balances_of(found.postings_through(block)), found.currency


@ledger.command(
    epilog=examples(
        "tallystick ledger journal --limit 20",
        "tallystick ledger journal --at 2026-03-31   the newest as of the end of that day, UTC",
        "tallystick ledger journal --json",
    )
)
@click.option("--limit", type=int, default=50, show_default=True, metavar="ENTRIES", help="At most so many entries.")
@_as_of
@_of_contract
@configured
@shown
def journal(config: Config, limit: int, block: int | None, at: int | None, contract: str) -> Table:
    """The newest entries, oldest of them first, one line for each posting."""
    from tallystick.flows.mirror import open_books
    from tallystick.storage.database import reading
    from tallystick.storage.journal import as_of, last_entry, last_number, read_entries
    from tallystick.storage.tokens import read_tokens

    _require_one(block, at)
    books = open_books(config)
    source = _source(books, contract)
    with reading(books.engine) as connection:
        tokens = read_tokens(connection, books.source.chain_id)
        through = as_of(connection, source, block=block, time=at)
        if through is None:
            last, _ = last_entry(connection, source.source_id)
        else:
            last = last_number(connection, source.source_id, through=through)
        newest = read_entries(connection, source.source_id, first=last - limit + 1, through=through)
        entries = list(islice(newest, limit))
    return Table(
        [
            {
                "entry": entry.number,
                "time": Time(entry.origin.block_time),
                "kind": entry.kind,
                "account": posting.account,
                "debit": Amount(posting.units, tokens[posting.token]) if posting.side == "D" else None,
                "credit": Amount(posting.units, tokens[posting.token]) if posting.side == "C" else None,
                "transaction": entry.origin.transaction_hash,
                "log_index": entry.origin.log_index,
            }
            for entry in entries
            for posting in entry.postings
        ],
        empty=NO_ENTRIES if through is None else f"no entries as of block {through}",
    )


@ledger.command(
    epilog=examples(
        "tallystick ledger export --format beancount --out books.beancount",
        "tallystick ledger export --format hledger --of all --out books.hledger",
        "tallystick ledger export --format jsonl | head",
    )
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="jsonl", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Instead of the terminal.")
@click.option(
    "--of",
    "contract",
    type=click.Choice([*CONTRACTS, ALL]),
    default="subscriptions",
    show_default=True,
    help="Whose journal: each contract has one. All: every contract's, in the order of the chain.",
)
@configured
def export(config: Config, form: str, out: Path | None, contract: str) -> None:
    """The whole journal for other programs. Two exports of the same books are equal to the byte.

    Parquet needs --out, and the extra `parquet` installed.
    """
    from tallystick.flows.export import PARQUET, export_journal, export_journal_file
    from tallystick.flows.mirror import open_books

    if form == PARQUET and out is None:
        raise click.UsageError("Parquet is no text for a terminal: say with --out FILE where it is to be written")
    books = open_books(config)
    sources = books.sources if contract == ALL else (_source(books, contract),)
    if out is None:
        export_journal(books.engine, sources, form, click.get_binary_stream("stdout"))
    else:
        export_journal_file(books.engine, sources, form, out)
        click.echo(f"wrote {out}", err=True)


for _command in (deferred, revenue):
    ledger.add_command(_command)
