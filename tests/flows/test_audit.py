"""The audit: agrees with books that are right, and names the row of every lie."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tallystick.chain.rpc import Rpc
from tallystick.errors import CorruptionError
from tallystick.flows.audit import AuditReport, audit
from tallystick.flows.ingest import Target, ingest
from tallystick.storage.database import open_database, transaction
from tallystick.testing import Anvil
from tests.business import PRICE_UNITS, UNLIMITED, Business
from tests.databases import NewDatabase

MONTH_AND_MORE = 32 * 86_400


class Books:
    """A small business, mirrored: three subscriptions, two months, a refund, a cancellation."""

    def __init__(self, anvil: Anvil, url: str) -> None:
        self.business = Business(anvil)
        plan = self.business.create_plan()
        ids = [self.business.subscribe(self.business.payer(name), plan) for name in ("ada", "bob", "eve")]
        anvil.advance(MONTH_AND_MORE)
        self.business.charge(*ids)
        self.business.token_call(self.business.payee, "approve", self.business.subscriptions, UNLIMITED)
        self.business.call(self.business.payee, "refund", ids[0], 1, 5_000_000)
        self.business.call(self.business.payee, "cancel", ids[2])
        anvil.finalize()
        contract = self.business.contract
        self.target = Target(anvil.chain_id, contract.address, contract.start_block, pegs={self.business.token: "USD"})
        self.engine = open_database(url)
        self.rpc = Rpc(anvil.url)
        ingest(self.engine, self.rpc, self.target)

    def audit(self) -> AuditReport:
        return audit(self.engine, self.rpc, self.target)

    def change(self, statement: str) -> None:
        """Tampers with the database; exactly one row must be hit."""
        with transaction(self.engine) as connection:
            if connection.dialect.name == "postgresql":
                statement = statement.replace("x'00'", "'\\x00'")
            assert connection.execute(text(statement)).rowcount == 1


@pytest.fixture
def books(anvil: Anvil, new_database: NewDatabase) -> Books:
    return Books(anvil, new_database())


def test_the_halves_match(books: Books) -> None:
    report = books.audit()
    assert report.ok
    assert report.differences == []
    assert (report.charges_on_chain, report.charges_in_ledger) == (6, 6)
    assert (report.refunds_on_chain, report.refunds_in_ledger) == (1, 1)
    assert report.invoices == 7


LIES = {
    "UPDATE postings SET units = '9990001' WHERE entry_number = 2 AND position = 1": "journal entry 2",
    "UPDATE postings SET account = 'Assets:Elsewhere' WHERE entry_number = 2 AND position = 1": "journal entry 2",
    "UPDATE postings SET side = 'C' WHERE entry_number = 2 AND position = 1": "journal entry 2",
    "DELETE FROM postings WHERE entry_number = 2 AND position = 1": "journal entry 2",
    "DELETE FROM entries WHERE entry_number = 4": "journal entry 4",
    "DELETE FROM entries WHERE entry_number = 7": "journal entry 7",
    "UPDATE entries SET block_time = block_time + 1 WHERE entry_number = 3": "journal entry 3",
    "UPDATE entries SET block_number = block_number + 1000 WHERE entry_number = 3": "journal entry 3",
    "UPDATE entries SET log_index = 9 WHERE entry_number = 3": "journal entry 3",
    "UPDATE entries SET hash = x'00' WHERE entry_number = 3": "journal entry 3",
    "UPDATE entries SET kind = 'refund' WHERE entry_number = 3": "journal entry 3",
    "UPDATE invoices SET total_units = '9990001' WHERE kind = 'invoice' AND number = 5": "invoice 5 of",
    "UPDATE invoices SET fiat_units = '1000' WHERE kind = 'invoice' AND number = 5": "invoice 5 of",
    "UPDATE invoices SET number = 8 WHERE kind = 'invoice' AND number = 6": "invoice 6 of",
    "UPDATE invoices SET period_end = period_end + 1 WHERE kind = 'invoice' AND number = 1": "invoice 1 of",
    "DELETE FROM invoices WHERE kind = 'credit_note'": "credit note 1 of",
    "UPDATE invoice_lines SET amount_units = '1' WHERE kind = 'invoice' AND number = 2": "invoice 2 of",
    "DELETE FROM invoice_lines WHERE kind = 'invoice' AND number = 2": "invoice 2 of",
    "DELETE FROM events WHERE name = 'Refunded'": "event in block",
    "UPDATE events SET data = x'00' WHERE name = 'Refunded'": "event in block",
    "UPDATE events SET block_number = 0 WHERE name = 'Refunded'": "event in block",
    "UPDATE plans SET price_units = '1' WHERE plan_id = 1": "plan 1",
    "UPDATE subscriptions SET status = 'active' WHERE subscription_id = 3": "subscription 3",
    "UPDATE subscriptions SET next_due = next_due - 1 WHERE subscription_id = 1": "subscription 1",
    "UPDATE tokens SET decimals = 2": "token 0x",
    "UPDATE sources SET final_hash = x'00'": "block ",
}


@pytest.mark.parametrize("lie", LIES, ids=[f"{number:02}" for number in range(len(LIES))])
def test_every_lie_in_the_database_is_found_and_named(books: Books, lie: str) -> None:
    books.change(lie)
    report = books.audit()
    assert not report.ok
    assert any(difference.row.startswith(LIES[lie]) for difference in report.differences), report.differences


def test_a_lie_that_is_consistent_in_itself_is_found_by_the_chain(books: Books) -> None:
    """Whoever can write the database can also compute hashes: the chain still says otherwise."""
    from tallystick.core.ledger import entry_hash
    from tallystick.storage.database import reading
    from tallystick.storage.journal import read_entries

    with reading(books.engine) as connection:
        *_, last = read_entries(connection, 1)
    forged = tuple(posting._replace(units=posting.units - 1) for posting in last.postings)
    again = entry_hash(last.number, last.kind, last.origin, forged, last.previous_hash)
    with transaction(books.engine) as connection:
        for position, posting in enumerate(forged, start=1):
            connection.execute(
                text("UPDATE postings SET units = :units WHERE entry_number = :entry AND position = :position"),
                {
                    "units": str(posting.units) if connection.dialect.name == "sqlite" else posting.units,
                    "entry": last.number,
                    "position": position,
                },
            )
        connection.execute(
            text("UPDATE entries SET hash = :hash WHERE entry_number = :entry"), {"hash": again, "entry": last.number}
        )
    rows = [difference.row for difference in books.audit().differences]
    assert any(row.startswith(f"journal entry {last.number}, postings") for row in rows)
    assert any("control total" in row and row.endswith("refund sum") for row in rows)


def test_nothing_to_audit_is_said(anvil: Anvil, new_database: NewDatabase) -> None:
    business = Business(anvil)
    target = Target(anvil.chain_id, business.subscriptions, business.contract.start_block)
    with pytest.raises(CorruptionError, match="tallystick index --once"):
        audit(open_database(new_database()), Rpc(anvil.url), target)


def test_nothing_final_to_audit_is_said(anvil: Anvil, new_database: NewDatabase) -> None:
    business = Business(anvil)
    target = Target(anvil.chain_id, business.subscriptions, business.contract.start_block)
    engine = open_database(new_database())
    ingest(engine, Rpc(anvil.url), target)
    with pytest.raises(CorruptionError, match="wait until the chain has finalized it"):
        audit(engine, Rpc(anvil.url), target)


def test_charges_behind_the_final_block_are_not_yet_in_the_books(books: Books) -> None:
    books.business.anvil.advance(MONTH_AND_MORE)
    books.business.charge(1)
    ingest(books.engine, books.rpc, books.target)
    report = books.audit()
    assert report.ok
    assert report.charges_in_ledger * PRICE_UNITS == 6 * PRICE_UNITS
