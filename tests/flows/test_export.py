"""Exports of every journal: programs take them, the same books give the same bytes, a file is whole or not there."""

from __future__ import annotations

import errno
import io
import json
import sqlite3
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pytest
from pyarrow import parquet
from sqlalchemy import Engine

from tallystick.chain.rpc import Rpc
from tallystick.cli.ledger import CONTRACTS
from tallystick.cli.ledger import FORMATS as OFFERED
from tallystick.errors import CorruptionError, InputError
from tallystick.flows.conversion_books import CONVERSIONS
from tallystick.flows.export import FORMATS, export_journal, export_journal_file, journal_name
from tallystick.flows.ingest import Target, ingest
from tallystick.render.journal import KINDS
from tallystick.storage.database import open_database, reading
from tallystick.storage.journal import read_balances, read_entries
from tallystick.storage.sources import Source, find_source
from tallystick.storage.tokens import read_tokens
from tallystick.testing import start_anvil
from tests.business import UNLIMITED, Business
from tests.databases import NewDatabase
from tests.exchange import Exchange
from tests.flows.test_channel_mirror import Life as ChannelsLife
from tests.flows.test_ingest import target_of
from tests.flows.test_x402_mirror import Life as X402Life
from tests.hledger import balances_of, require_accepted
from tests.payments import Payments
from tests.sales import Sales

MONTH_AND_MORE = 32 * 86_400


class Town:
    """All contracts on a chain, used in turns, with every kind of entry; three tokens call themselves USDC."""

    def __init__(self, business: Business, *engines: Engine) -> None:
        """`engines` are the databases that will be `mirrored`."""
        self.business = business
        payments, sales, exchange = Payments(business), Sales(business), Exchange(business)
        channels, x402, swapper = ChannelsLife(business), X402Life(business), exchange.swapper()
        euro = business.create_token()
        exchange.pool(euro, business.token)
        self.targets = (
            *(target_of(business), payments.target(), sales.target(), channels.target()),
            *(Target(business.anvil.chain_id, swapper.address, swapper.start_block, kind=CONVERSIONS), x402.target()),
        )
        sales.expect_each(*engines)
        business.approve(business.payee, UNLIMITED)
        plans = business.create_plan(), business.create_plan(fee_bps=250, fee_receiver=business.operator)
        ids = [business.subscribe(business.payer("ada"), plan) for plan in plans]
        for live in (payments.every_kind, sales.every_kind, channels.live, x402.live):
            live()
            exchange.swap(swapper.address, business.payee, euro, business.token, 1_000_000)
            business.anvil.advance(MONTH_AND_MORE)
            business.charge(*ids)
        business.call(business.payee, "refund", ids[0], 1, 4_000_000)
        business.anvil.finalize()

    def mirrored(self, engine: Engine, *, backwards: bool = False) -> list[Source]:
        """The books of each contract; read one after the other, from the last to the first where `backwards`."""
        for target in reversed(self.targets) if backwards else self.targets:
            ingest(engine, Rpc(self.business.anvil.url), target)
        with reading(engine) as connection:
            found = [find_source(connection, target.chain_id, target.contract) for target in self.targets]
        return [source for source in found if source is not None]


class Stored:
    """A town's books in a SQLite file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "town.db"
        self.engine = open_database(f"sqlite:///{self.path}")
        with start_anvil() as anvil:
            self.sources = Town(Business(anvil), self.engine).mirrored(self.engine)

    def export(self, form: str, *names: str) -> bytes:
        """The journals with these names, or all."""
        return exported(
            self.engine, [found for found in self.sources if not names or journal_name(found) in names], form
        )

    def source_of(self, name: str) -> int:
        return next(source.source_id for source in self.sources if journal_name(source) == name)

    def balances(self, *names: str) -> dict[tuple[str, str], int]:
        """Debits less credits in base units by account and token, as the trial balance has them, but for nothing."""
        sums: defaultdict[tuple[str, str], int] = defaultdict(int)
        with reading(self.engine) as connection:
            for source in self.sources:
                if not names or journal_name(source) in names:
                    for account, token, debit, credit in read_balances(connection, source.source_id):
                        sums[account, token] += debit - credit
        return {key: units for key, units in sums.items() if units}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return Stored(tmp_path_factory.mktemp("town"))


def exported(engine: Engine, sources: Sequence[Source], form: str) -> bytes:
    file = io.BytesIO()
    export_journal(engine, sources, form, file)
    return file.getvalue()


def test_the_command_line_offers_every_format_and_every_journal(stored: Stored) -> None:
    assert sorted(OFFERED) == sorted(FORMATS)
    assert sorted(CONTRACTS) == sorted(journal_name(source) for source in stored.sources)


def test_two_databases_with_the_same_books_give_the_same_bytes(
    business: Business, new_database: NewDatabase, tmp_path: Path
) -> None:
    """One is SQLite, the other SQLite or PostgreSQL, and read the contracts in another order."""
    first, second = open_database(f"sqlite:///{tmp_path}/first.db"), open_database(new_database())
    town = Town(business, first, second)
    mine, theirs = town.mirrored(first), town.mirrored(second, backwards=True)
    assert [source.source_id for source in mine] != [source.source_id for source in theirs]
    for form in FORMATS:
        for one, other in (*(([a], [b]) for a, b in zip(mine, theirs, strict=True)), (mine, theirs)):
            assert exported(first, one, form) == exported(second, other, form), (form, one)


def test_they_have_every_kind_of_entry(stored: Stored) -> None:
    """What the tests below say, they say of all there are."""
    assert {json.loads(line)["kind"] for line in stored.export("jsonl").splitlines()} == set(KINDS)


@pytest.mark.parametrize("name", [*CONTRACTS, ""], ids=lambda name: name or "all")
def test_bean_check_accepts_every_journal(stored: Stored, name: str, tmp_path: Path) -> None:
    path = tmp_path / "books.beancount"
    path.write_bytes(stored.export("beancount", *filter(None, [name])))
    done = subprocess.run(["bean-check", str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.hledger
@pytest.mark.parametrize("name", [*CONTRACTS, ""], ids=lambda name: name or "all")
def test_hledger_accepts_every_journal_and_has_our_trial_balance(stored: Stored, name: str, tmp_path: Path) -> None:
    """To the unit; of all journals in one file it is their sum."""
    names = [name] if name else []
    path = tmp_path / "books.hledger"
    path.write_bytes(stored.export("hledger", *names))
    require_accepted(path)
    with reading(stored.engine) as connection:
        tokens = read_tokens(connection, stored.sources[0].chain_id)
    symbols = [token.symbol for token in tokens.values()]
    commodities = {
        f"{token.symbol}-{address[-6:].upper()}" if symbols.count(token.symbol) > 1 else token.symbol: token
        for address, token in tokens.items()
    }
    found = balances_of(path, {commodity: token.decimals for commodity, token in commodities.items()})
    assert {(account, commodities[name].address): units for (account, name), units in found.items()} == (
        stored.balances(*names)
    )


def test_parquet_has_the_rows_of_csv(stored: Stored) -> None:
    content = io.BytesIO(stored.export("parquet"))
    rows = parquet.read_table(content).to_pylist()
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        sums[row["account"], row["token"]] += int(row["units"]) * (1 if row["side"] == "debit" else -1)
    assert {key: units for key, units in sums.items() if units} == stored.balances()
    assert len(rows) == stored.export("csv").count(b"\r\n") - 1
    assert parquet.ParquetFile(content).metadata.metadata == {
        b"tallystick.chain_id": b"31337",
        **{f"tallystick.contract.{journal_name(made)}".encode(): made.contract.encode() for made in stored.sources},
    }


def test_all_journals_in_one_are_in_the_order_of_the_chain(stored: Stored) -> None:
    rows = [json.loads(line) for line in stored.export("jsonl").splitlines()]
    places = [(row["block"], row["log_index"]) for row in rows]
    assert places == sorted(places)
    assert len({row["journal"] for row in rows[:60]}) > 1  # not one after the other
    for source in stored.sources:
        with reading(stored.engine) as connection:
            hashes = ["0x" + entry.hash.hex() for entry in read_entries(connection, source.source_id)]
        assert [row["hash"] for row in rows if row["journal"] == journal_name(source)] == hashes != []


# --- files ----------------------------------------------------------------------------------------------------------

NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


class Full(io.BytesIO):
    """A file on a full disk."""

    def write(self, _content: object) -> int:
        raise NO_SPACE

    def writelines(self, _parts: object) -> None:
        raise NO_SPACE


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_is_what_would_have_been_printed(stored: Stored, form: str, tmp_path: Path) -> None:
    path = tmp_path / "books"
    for _ in range(2):  # the second one in place of the first
        export_journal_file(stored.engine, stored.sources, form, path)
        assert path.read_bytes() == stored.export(form)
        assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("form", FORMATS)
def test_what_ends_halfway_leaves_the_file_that_was_there(stored: Stored, form: str, tmp_path: Path) -> None:
    """Somebody has deleted a token of which there are entries further on."""
    path, copy = tmp_path / "out" / "books", tmp_path / "copy.db"
    path.parent.mkdir()
    path.write_text("of last month")
    with sqlite3.connect(stored.path) as whole, sqlite3.connect(copy) as changed:
        whole.backup(changed)
        swaps = "SELECT token FROM postings WHERE source_id = ? ORDER BY entry_number, position"
        (last,) = changed.execute(swaps, [stored.source_of("conversion")]).fetchone()
        changed.execute("DELETE FROM tokens WHERE address = ?", [last])
    engine = open_database(f"sqlite:///{copy}")
    with pytest.raises(CorruptionError, match=f"postings in {last}"):
        export_journal_file(engine, stored.sources, form, path)
    assert [file.read_text() for file in path.parent.iterdir()] == ["of last month"]


@pytest.mark.parametrize("form", FORMATS)
def test_where_nothing_can_be_written_it_says_so(
    stored: Stored, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"cannot be written \(No such file or directory\): name a file in a folder"):
        export_journal_file(stored.engine, stored.sources, form, tmp_path / "nowhere" / "books")
    with pytest.raises(OSError, match="No space left"):
        export_journal(stored.engine, stored.sources, form, Full())

    def fails(_engine: Engine, _sources: object, _form: str, file: IO[bytes]) -> None:
        file.write(b"begun")
        raise NO_SPACE

    monkeypatch.setattr("tallystick.flows.export.export_journal", fails)
    with pytest.raises(InputError, match=r"books cannot be written \(No space left on device\)"):
        export_journal_file(stored.engine, stored.sources, form, tmp_path / "books")
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_there_is_none_is_refused(stored: Stored) -> None:
    with pytest.raises(InputError, match="found the format 'xls', allowed are jsonl, csv, beancount, hledger, parquet"):
        stored.export("xls")
