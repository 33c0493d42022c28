"""The mirror and the audit of conversions: every exchange once, in its order, and every lie in the books is found; and
the rates that were recorded hold, or it is told which do not."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tallystick.chain.node import connect
from tallystick.chain.rpc import Rpc
from tallystick.config import RateConfig
from tallystick.core.rate import FileEvidence
from tallystick.errors import DatabaseError, InputError, LedgerError
from tallystick.flows.audit_conversions import ConversionsReport, audit_conversions
from tallystick.flows.conversion_books import CONVERSIONS
from tallystick.flows.gains import read_gains, record_rates
from tallystick.flows.ingest import Ingested, Target, ingest
from tallystick.flows.mirror import StoredBooks
from tallystick.flows.rates import RateSources
from tallystick.storage.database import open_database, reading, transaction
from tallystick.storage.journal import read_entries
from tallystick.storage.rates import read_rates
from tallystick.storage.sources import find_source
from tallystick.storage.tokens import read_tokens
from tallystick.testing import Anvil, start_anvil
from tests.business import Business
from tests.databases import NewDatabase
from tests.exchange import EUR_USD, Exchange
from tests.flows.test_ingest import content, target_of

DAY = 86_400


class Swaps:
    """A merchant of `Subscriptions` who converts euros into dollars."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil, self.business = anvil, Business(anvil)
        self.exchange = Exchange(self.business)
        self.euro, self.dollar = self.business.create_token(), self.business.token
        self.exchange.pool(self.euro, self.dollar)
        self.contract = self.exchange.swapper()
        self.feed = self.exchange.feed("EUR / USD", EUR_USD)
        self.rpc, self.node = Rpc(anvil.url), connect(anvil.url)
        self.rates = RateSources([RateConfig(token=self.euro, currency="USD", token_feed=self.feed)])

    @property
    def target(self) -> Target:
        pegs = {self.dollar: "USD"}
        address, start = self.contract.address, self.contract.start_block
        return Target(self.anvil.chain_id, address, start, pegs=pegs, kind=CONVERSIONS, events_per_request=2)

    @property
    def merchant(self) -> str:
        return self.business.payee

    def sell(self, name: str, units: int = 100_000_000) -> None:
        business = self.business
        plan = business.create_plan(units, token=self.euro)
        payer = business.account(name)
        business.mint(payer, units, token=self.euro)
        business.approve(payer, units, token=self.euro)
        business.subscribe(payer, plan)

    def convert(self, units: int) -> None:
        """By the merchant, of tokens that were made for it: what came in before stays in its wallet, for the lots it is
        all the same."""
        self.exchange.swap(self.contract.address, self.merchant, self.euro, self.dollar, units)

    def mirror(self, engine: Engine) -> Ingested:
        ingest(engine, self.rpc, target_of(self.business))
        return ingest(engine, self.rpc, self.target)

    def books(self, engine: Engine) -> StoredBooks:
        with reading(engine) as connection:
            found = find_source(connection, self.anvil.chain_id, self.business.subscriptions)
            swaps = find_source(connection, self.anvil.chain_id, self.contract.address)
        assert found is not None
        return StoredBooks(engine, found, conversion=swaps)

    def audit(self, engine: Engine) -> ConversionsReport:
        return audit_conversions(engine, self.rpc, self.target, self.node, self.rates)


@pytest.fixture
def swaps(anvil: Anvil) -> Swaps:
    return Swaps(anvil)


def test_an_exchange_is_mirrored_once_through_a_reorganisation(swaps: Swaps, new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    swaps.sell("ada")
    swaps.convert(60_000_000)
    swaps.anvil.finalize()
    swaps.convert(10_000_000)
    assert swaps.mirror(engine).pending_blocks > 0
    with reading(engine) as connection:
        source = find_source(connection, swaps.anvil.chain_id, swaps.contract.address)
        assert source is not None
        (entry,) = read_entries(connection, source.source_id)
        tokens = read_tokens(connection, swaps.anvil.chain_id)
    assert source.kind == "Conversion"
    assert tokens.keys() == {swaps.euro, swaps.dollar}
    assert (entry.kind, [line.units for line in entry.postings][:2]) == ("conversion", [60_000_000] * 2)
    swaps.anvil.reorg(1)
    done = swaps.mirror(engine)
    assert done.rolled_back_events == 1
    swaps.convert(5_000_000)
    swaps.anvil.finalize()
    swaps.mirror(engine)
    with reading(engine) as connection:
        entries = list(read_entries(connection, source.source_id))
    assert [found.postings[0].units for found in entries] == [60_000_000, 5_000_000]
    assert entries[1].previous_hash == entries[0].hash
    before = content(engine)
    swaps.mirror(engine)
    assert content(engine) == before
    anew = open_database(new_database())
    swaps.mirror(anew)
    assert content(anew)["entries"] == before["entries"], "whoever reads the chain finds the same books"


def test_gains_are_the_same_whoever_reads_them_and_wait_for_rates(swaps: Swaps, new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    swaps.mirror(engine)
    with pytest.raises(DatabaseError, match="no books of conversions"):
        read_gains(StoredBooks(engine, swaps.books(engine).source), "USD")
    swaps.sell("ada")
    swaps.sell("bob", 50_000_000)
    swaps.convert(120_000_000)
    swaps.anvil.finalize()
    swaps.mirror(engine)
    books = swaps.books(engine)
    with pytest.raises(LedgerError, match="tallystick convert record"):
        read_gains(books, "USD", [swaps.merchant])
    assert read_gains(books, "USD", [swaps.dollar]).disposals == (), "of accounts that never converted"
    done = record_rates(books, swaps.node, swaps.rates, "USD")
    assert (done.new, done.known, done.refused) == (2, 0, ())
    with reading(engine) as connection:
        recorded = read_rates(connection, swaps.anvil.chain_id)
    assert recorded, "asked for in few requests, they are what each says by itself"
    for one in recorded:
        assert one.rate == swaps.rates.rate(swaps.node, swaps.euro, "USD", one.block_number)
    gains = read_gains(books, "USD")
    (found,) = gains.disposals
    assert [part.amount.units for part in found.parts] == [100_000_000, 20_000_000]
    assert [part.cost.units for part in found.parts] == [108_34, 21_66]
    assert gains.gain.units == found.proceeds.units - 130_00
    assert read_gains(books, "USD").disposals == gains.disposals


def test_E34_a_block_without_a_rate_that_could_be_trusted_is_told_until_another_source_says_it(
    swaps: Swaps, new_database: NewDatabase, tmp_path: Path
) -> None:
    engine = open_database(new_database())
    swaps.sell("ada")
    swaps.exchange.says(swaps.feed, -1)
    swaps.sell("bob")
    swaps.anvil.finalize()
    swaps.mirror(engine)
    done = record_rates(swaps.books(engine), swaps.node, swaps.rates, "USD")
    (refused,) = done.refused
    assert (done.new, refused.token) == (1, swaps.euro)
    assert "answers -1" in refused.reason
    file = tmp_path / "bank.csv"
    day = dt.datetime.fromtimestamp(swaps.anvil.timestamp, dt.UTC).date()
    file.write_text(f"date,asset,currency,rate\n{day},EUR,USD,1.05\n")
    feeds = RateConfig(token=swaps.euro, currency="USD", token_feed=swaps.feed)
    both = RateSources([feeds, RateConfig(token=swaps.euro, currency="USD", file=file, asset="EUR")])
    swaps.anvil.mine(140)
    pruned = record_rates(swaps.books(engine), swaps.node, swaps.rates, "USD")
    assert (pruned.new, pruned.known, len(pruned.refused)) == (0, 1, 1)
    again = record_rates(swaps.books(engine), swaps.node, both, "USD")
    assert (again.new, again.known, again.refused) == (1, 1, ()), "the bank says what the feed did not"


def test_rates_of_a_file_are_by_its_line_and_hash(swaps: Swaps, new_database: NewDatabase, tmp_path: Path) -> None:
    engine, file = open_database(new_database()), tmp_path / "ecb.csv"
    swaps.anvil.set_time(1_801_180_800 + DAY)  # 2027-01-30, a Saturday
    swaps.sell("ada")
    swaps.anvil.finalize()
    swaps.mirror(engine)
    file.write_text("date,asset,currency,rate\n2027-01-29,EUR,USD,1.05\n")
    config = RateConfig(token=swaps.euro, currency="USD", file=file, asset="EUR")
    done = record_rates(swaps.books(engine), swaps.node, RateSources([config]), "USD")
    assert (done.new, done.refused) == (1, ())
    with reading(engine) as connection:
        (recorded,) = read_rates(connection, swaps.anvil.chain_id)
    evidence = recorded.rate.evidence
    assert isinstance(evidence, FileEvidence)
    assert (evidence.line, evidence.date, evidence.rate) == (2, "2027-01-29", "1.05")
    swaps.rates = RateSources([config])
    assert swaps.audit(engine).differences == []
    file.write_text("date,asset,currency,rate\n2027-01-29,EUR,USD,1.50\n")
    swaps.rates = RateSources([config])
    (difference,) = swaps.audit(engine).differences
    assert "another file now" in difference.expected
    swaps.rates = RateSources([])
    assert "no [[rate]] names the file" in swaps.audit(engine).differences[0].expected
    file.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        RateSources([config]).rate(swaps.node, swaps.euro, "USD")


# --- The audit --------------------------------------------------------------------------------------------------------


class Stored:
    """Three exchanges and two rates in a SQLite file that can be copied."""

    def __init__(self, swaps: Swaps, folder: Path) -> None:
        self.swaps, self.folder, self.whole = swaps, folder, folder / "whole.db"
        engine = open_database(f"sqlite:///{self.whole}")
        swaps.mirror(engine)
        record_rates(swaps.books(engine), swaps.node, swaps.rates, "USD")
        engine.dispose()

    def audit(self, tampering: str = "") -> ConversionsReport:
        """What an audit says of a copy of the books, with one row changed."""
        copy = self.folder / "copy.db"
        shutil.copy(self.whole, copy)
        engine = open_database(f"sqlite:///{copy}")
        try:
            if tampering:
                with transaction(engine) as connection:
                    assert connection.exec_driver_sql(tampering).rowcount >= 1, tampering
            return self.swaps.audit(engine)
        finally:
            engine.dispose()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    with start_anvil() as anvil:
        swaps = Swaps(anvil)
        swaps.sell("ada")
        for units in (10_000_000, 20_000_000, 30_000_000):
            swaps.convert(units)
        swaps.exchange.says(swaps.feed, EUR_USD + 1)
        swaps.sell("bob")
        anvil.finalize()
        swaps.convert(1_000)  # stays pending
        yield Stored(swaps, tmp_path_factory.mktemp("swaps"))


def test_the_halves_match(stored: Stored) -> None:
    report = stored.audit()
    assert (report.ok, report.differences) == (True, [])
    assert (report.conversions, report.events, report.rates, report.rates_unchecked) == (3, 3, 2, 0)


OF_SWAPS = "source_id = (SELECT source_id FROM sources WHERE kind = 'Conversion')"
LIES = {
    f"UPDATE postings SET units = '1' WHERE {OF_SWAPS} AND entry_number = 2 AND position = 1": "journal entry 2",
    f"DELETE FROM entries WHERE {OF_SWAPS} AND entry_number = 3": "journal entry 3",
    f"UPDATE entries SET kind = 'gift' WHERE {OF_SWAPS} AND entry_number = 1": "journal entry 1",
    f"DELETE FROM events WHERE {OF_SWAPS}": "event in block",
    "UPDATE tokens SET decimals = 7": "token 0x",
    "UPDATE rates SET evidence = replace(evidence, '108345000', '108345001')": "rate of 0x",
    "UPDATE rates SET evidence = replace(evidence, '\"round_id\":', '\"round_id\":1')": "rate of 0x",
    "UPDATE rates SET evidence = replace(evidence, '\"block_time\":', '\"block_time\":1')": "rate of 0x",
    "UPDATE rates SET evidence = replace(evidence, 'EUR / USD', 'GBP / USD')": "rate of 0x",
}


@pytest.mark.parametrize("lie", LIES, ids=list(map(str, range(len(LIES)))))
def test_every_lie_is_named(stored: Stored, lie: str) -> None:
    report = stored.audit(lie)
    assert not report.ok
    assert any(difference.row.startswith(LIES[lie]) for difference in report.differences), report.differences


def test_a_rate_moved_to_another_block_is_found(stored: Stored) -> None:
    report = stored.audit("UPDATE rates SET block_number = block_number + 1 WHERE evidence LIKE '%108345000%'")
    (difference,) = report.differences
    assert "the rate is for block" in difference.expected
