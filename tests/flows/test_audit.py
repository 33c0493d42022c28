"""The audit: agrees with books that are right, and names the row of every lie."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from tallystick.chain.logs import LogReader
from tallystick.chain.rpc import Rpc
from tallystick.core import balances
from tallystick.core.balances import Standing
from tallystick.core.books import ClaimableBalance
from tallystick.core.invoice import Kind
from tallystick.core.ledger import Entry, Posting, entry_hash
from tallystick.core.period import Unit
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.subscription import Register, Status, Subscription
from tallystick.errors import CorruptionError, EventsInconsistent, NodeRefused
from tallystick.flows.audit import AuditReport, audit
from tallystick.flows.ingest import Target, ingest
from tallystick.storage import documents, journal
from tallystick.storage.claimables import save_claimables
from tallystick.storage.database import insert_rows, open_database, reading, transaction
from tallystick.storage.invoices import add_invoices, read_invoices
from tallystick.storage.journal import add_entries, read_entries
from tallystick.storage.pending import drop_pending_after
from tallystick.storage.schema import balances as balances_table
from tallystick.storage.schema import past_balances
from tallystick.storage.sources import advance_source, find_source
from tallystick.storage.subscriptions import save_plans, save_registers, save_subscriptions
from tallystick.testing import STATES_KEPT, Anvil
from tests.business import PRICE_UNITS, UNLIMITED, Business
from tests.chain.bad_node import bad_node
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
        self.business.call(self.business.payee, "cancelAtPeriodEnd", ids[0])  # stays pending
        ingest(self.engine, self.rpc, self.target)

    def audit(self) -> AuditReport:
        return audit(self.engine, self.rpc, self.target)

    def change(self, statement: str) -> None:
        """Tampers with the database; exactly one row must be hit."""
        with transaction(self.engine) as connection:
            if connection.dialect.name == "postgresql":
                statement = statement.replace("x'00'", "'\\x00'")
            assert connection.execute(text(statement)).rowcount == 1


@pytest.fixture(autouse=True)
def _short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that balances of so few entries are kept as well, and what is stored is read in several pages."""
    monkeypatch.setattr(balances, "STRETCH", 3)
    monkeypatch.setattr(documents, "READ_BATCH", 2)
    monkeypatch.setattr(journal, "READ_BATCH", 2)


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
    "UPDATE sources SET final_time = final_time + 1": "block ",
    "UPDATE sources SET start_block = start_block + 1": "the source's first block",
    "UPDATE sources SET start_block = start_block - 1": "the source's first block",
    "UPDATE tokens SET symbol = 'USDT'": "token 0x",
    "DELETE FROM tokens": "token 0x",
    "UPDATE entries SET entry_number = 9223372036854775807 WHERE entry_number = 7": "journal entry 7",
    "UPDATE entries SET entry_number = 0 WHERE entry_number = 1": "journal entry 0",
    "UPDATE entries SET previous_hash = x'00' WHERE entry_number = 3": "journal entry 3",
    "UPDATE entries SET kind = 'charge|9' WHERE entry_number = 3": "journal entry 3",
    "UPDATE postings SET token = '0xelsewhere' WHERE entry_number = 2 AND position = 1": "journal entry 2",
    "UPDATE postings SET account = 'Income:Refunds:x:Plan-1' WHERE entry_number = 2 AND position = 2": (
        "control total of 0x"
    ),
    "UPDATE postings SET account = 'Income:Refunds:x:Plan-99' WHERE entry_number = 2 AND position = 2": (
        "control total of  in"
    ),
    "UPDATE registers SET charges = charges + 1 WHERE register_id = 0": "register 0",
    "UPDATE registers SET refunds = refunds + 1 WHERE register_id = 0": "register 0",
    "UPDATE postings SET account = 'Assets:Claimable:x' WHERE entry_number = 2 AND position = 1": "claimable of x in",
    "UPDATE registers SET subscriptions = 4": "register 0",
    "UPDATE registers SET payee = token": "register 0",
    "DELETE FROM registers": "register 0",
    "UPDATE plans SET register_id = 1": "plan 1",
    "UPDATE plans SET archived = 1": "plan 1",
    "UPDATE plans SET fee_bps = 1": "plan 1",
    "UPDATE plans SET fee_receiver = payee": "plan 1",
    "UPDATE subscriptions SET seats = 1 WHERE subscription_id = 1": "subscription 1",
    "UPDATE subscriptions SET credit_units = '1' WHERE subscription_id = 1": "subscription 1",
    "UPDATE subscriptions SET shifted = 1 WHERE subscription_id = 1": "subscription 1",
    "DELETE FROM subscriptions WHERE subscription_id = 3": "control total of 0x",
    "UPDATE invoices SET payer = payee WHERE kind = 'invoice' AND number = 3": "invoice 3 of",
    "UPDATE invoices SET payee = 'nobody' WHERE kind = 'invoice' AND number = 3": "invoice 3 of nobody",
    "UPDATE invoices SET fiat_evidence = 'trust me' WHERE kind = 'invoice' AND number = 3": "invoice 3 of",
    "UPDATE invoices SET fiat_currency = NULL WHERE kind = 'invoice' AND number = 3": "invoice 3 of",
    "UPDATE invoices SET corrects = 2 WHERE kind = 'credit_note'": "credit note 1 of",
    "UPDATE invoice_lines SET description = 'gift' WHERE kind = 'invoice' AND number = 2": "invoice 2 of",
    "UPDATE invoice_lines SET number = 99 WHERE kind = 'invoice' AND number = 2": "lines of invoice 99",
    "UPDATE events SET transaction_hash = x'00' WHERE name = 'Refunded'": "event in block",
    "UPDATE events SET name = 'Charged' WHERE name = 'Refunded'": "event in block",
    "UPDATE pegs SET currency = 'EUR'": "invoice 1 of",
    "UPDATE pegs SET currency = NULL": "invoice 1 of",
    "UPDATE pegs SET from_block = 9999": "invoice 1 of",
    "DELETE FROM pegs": "credit note 1 of",
    "UPDATE plans SET payee = token WHERE plan_id = 1": "plan 1",
    "UPDATE plans SET plan_id = 2 WHERE plan_id = 1": "plan 2",
    "UPDATE subscriptions SET subscription_id = 9 WHERE subscription_id = 3": "subscription 9",
    "UPDATE headers SET hash = x'00' WHERE number = (SELECT min(number) FROM headers)": "pending block",
    "UPDATE headers SET time = time + 1 WHERE number = (SELECT max(number) FROM headers)": "pending block",
    "DELETE FROM events WHERE block_number > (SELECT final_number FROM sources)": "event in block",
    "UPDATE events SET data = x'00' WHERE block_number > (SELECT final_number FROM sources)": "event in block",
    "UPDATE events SET block_number = 99 WHERE block_number > (SELECT final_number FROM sources)": "event in block 99",
    "UPDATE balances SET debit_units = '1' WHERE account LIKE 'Assets:Wallet:%'": "balance of Assets:Wallet:0x",
    "UPDATE balances SET credit_units = '1' WHERE account LIKE 'Income:Refunds:%'": "balance of Income:Refunds:0x",
    "UPDATE balances SET entry_number = 6 WHERE account LIKE 'Income:Refunds:%'": "balance of Income:Refunds:0x",
    "UPDATE balances SET account = 'Assets:Elsewhere' WHERE account LIKE 'Assets:%'": "balance of Assets:Elsewhere in",
    "UPDATE balances SET token = '0xelsewhere' WHERE account LIKE 'Assets:%'": "balance of Assets:Wallet:0x",
    "DELETE FROM balances WHERE account LIKE 'Income:Refunds:%'": "balance of Income:Refunds:0x",
    "UPDATE past_balances SET debit_units = '1' WHERE account LIKE 'Assets:%' AND entry_number = 3": (
        "balance of Assets:Wallet:0x"
    ),
    "UPDATE past_balances SET entry_number = 2 WHERE account LIKE 'Income:%' AND entry_number = 3": (
        "balance of Income:Subscriptions:0x"
    ),
    "DELETE FROM past_balances WHERE account LIKE 'Assets:%' AND entry_number = 6": "balance of Assets:Wallet:0x",
}
"""What is changed, and the beginning of a row that the audit must name."""

UNREADABLE = {
    "UPDATE subscriptions SET status = 'gone' WHERE subscription_id = 3": "subscription 3 has the status 'gone'",
    "UPDATE plans SET unit = 'fortnight' WHERE plan_id = 1": "plan 1 has the unit 'fortnight'",
    "UPDATE sources SET contract = 'elsewhere'": "mirrors nothing of",
    "UPDATE sources SET chain_id = 1": "mirrors nothing of",
}
"""What is changed, and what the audit says that cannot go on."""


@pytest.mark.parametrize("lie", LIES, ids=[f"{number:02}" for number in range(len(LIES))])
def test_every_lie_in_the_database_is_found_and_named(books: Books, lie: str) -> None:
    books.change(lie)
    report = books.audit()
    assert not report.ok
    assert any(difference.row.startswith(LIES[lie]) for difference in report.differences), report.differences


@pytest.mark.parametrize("lie", UNREADABLE, ids=[f"{number:02}" for number in range(len(UNREADABLE))])
def test_a_row_that_cannot_be_read_ends_the_audit_with_its_name(books: Books, lie: str) -> None:
    books.change(lie)
    with pytest.raises(CorruptionError, match=UNREADABLE[lie]):
        books.audit()


def test_an_amount_that_no_token_has_is_told(anvil: Anvil, tmp_path: Path) -> None:
    """PostgreSQL takes no such number; SQLite's text does, and Python would not even read it."""
    books = Books(anvil, f"sqlite:///{tmp_path}/books.db")
    books.change(f"UPDATE postings SET units = '{'9' * 5_000}' WHERE entry_number = 2 AND position = 1")
    with pytest.raises(CorruptionError, match="an amount of 5000 digits, the largest possible has 78"):
        books.audit()


def test_a_sum_that_no_journal_has_is_told(anvil: Anvil, tmp_path: Path) -> None:
    books = Books(anvil, f"sqlite:///{tmp_path}/books.db")
    books.change(f"UPDATE balances SET debit_units = '{'9' * 5_000}' WHERE account LIKE 'Assets:%'")
    with pytest.raises(CorruptionError, match="an amount of 5000 digits, the largest possible has 106"):
        books.audit()


def test_rows_that_belong_to_nothing_are_found(books: Books) -> None:
    """Invoices, plans and subscriptions beside those that follow from the chain, in series of their own."""
    with reading(books.engine) as connection:
        (invoice, *_) = read_invoices(connection, 1, kind=Kind.INVOICE)
    stranger = "0x" + "9" * 40
    with transaction(books.engine) as connection:
        add_invoices(connection, 1, [invoice._replace(payee=stranger), invoice._replace(number=7)])
        save_plans(connection, 1, [Plan(2, 0, PlanTerms(stranger, 1, stranger, 1, Unit.DAY))])
        save_subscriptions(connection, 1, [Subscription(4, stranger, 2, 0, 0, Status.ACTIVE, 1)])
        save_registers(connection, 1, [Register(1, stranger, stranger)])
        save_claimables(connection, 1, [ClaimableBalance(stranger, stranger, 0)])
        add_entries(connection, 1, [Entry(8, "charge", invoice.origin, (), b"", b"")])
        for table, entry in ((balances_table, 9), (past_balances, 6)):
            insert_rows(connection, table, [(1, *Standing(stranger, stranger, entry, 0, 0))])
    rows = {difference.row for difference in books.audit().differences}
    expected = {
        f"invoice 1 of {stranger}",
        f"invoice 7 of {invoice.payee}",
        "plan 2",
        "subscription 4",
        "register 1",
        f"claimable of {stranger} in {stranger}",
        "journal entry 8",
        f"balance of {stranger} in {stranger}",
        f"balance of {stranger} in {stranger}, entry 6",
    }
    assert expected <= rows


def test_two_postings_hidden_in_one_are_found(books: Books) -> None:
    """Their text, and so the entry's hash, is the same; the entry is not."""
    with reading(books.engine) as connection:
        entry = next(read_entries(connection, 1, first=2))
    debit, credit = entry.postings
    hidden = Posting(",".join((*debit[:3], f"{debit.units};{credit.account}")), *credit[1:])
    assert entry_hash(entry.number, entry.kind, entry.origin, (hidden,), entry.previous_hash) == entry.hash
    with transaction(books.engine) as connection:
        connection.execute(text("DELETE FROM postings WHERE entry_number = 2 AND position = 1"))
        connection.execute(
            text("UPDATE postings SET account = :account WHERE entry_number = 2"), {"account": hidden[0]}
        )
    rows = {difference.row for difference in books.audit().differences}
    assert {"journal entry 2, debits less credits", "journal entry 2, postings"} <= rows


def test_a_node_that_leaves_events_out_is_found_by_the_contracts_counts(books: Books) -> None:
    """The database was filled by the same node, so that both agree."""
    hidden = books.business.subscribe(books.business.payer("last"), 1)
    books.business.anvil.finalize()
    with bad_node(books.business.anvil.url, seed=0, rate=0) as node:
        node._answer = lambda _, answer: (200, without_subscription(hidden, answer))  # type: ignore[method-assign, assignment]
        rpc = Rpc(node.url, sleep=lambda _: None)
        with pytest.raises(EventsInconsistent, match=r"the contract counted 4 subscriptions to .* make 3"):
            ingest(books.engine, rpc, books.target)
        with transaction(books.engine) as connection:  # as if the mirror had not noticed
            header = LogReader(rpc, books.target.contract).header("finalized")
            assert header is not None
            source = find_source(connection, books.target.chain_id, books.target.contract)
            assert source is not None
            drop_pending_after(connection, 1, source.final_number)
            advance_source(connection, source, header.number, header.hash, header.time)
        rows = {difference.row for difference in audit(books.engine, rpc, books.target).differences}
    assert any(row.endswith("subscriptions") for row in rows)
    assert any(row.endswith("charge count") for row in rows)


def without_subscription(number: int, answer: bytes) -> bytes:
    """A node's answer without the logs of one subscription."""
    document = msgspec.json.decode(answer)
    if isinstance(document, dict) and isinstance(document["result"], list):
        topic = "0x" + number.to_bytes(32, "big").hex()
        document["result"] = [log for log in document["result"] if topic not in log["topics"]]
    return msgspec.json.encode(document)


def test_books_whose_last_block_has_no_state_any_more_are_not_called_right(books: Books) -> None:
    books.business.anvil.mine(STATES_KEPT + 50)
    with pytest.raises(NodeRefused, match="tallystick index --once"):
        books.audit()


def test_what_is_pending_and_was_reorganised_is_no_difference(books: Books) -> None:
    ingest(books.engine, books.rpc, books.target)
    books.business.anvil.reorg(1)
    assert books.audit().ok


def test_a_lie_that_is_consistent_in_itself_is_found_by_the_chain(books: Books) -> None:
    """Whoever can write the database can also compute hashes: the chain still says otherwise."""
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
    target = Target(anvil.chain_id, business.subscriptions, anvil.block_number)
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


class KeptBooks(Books):
    """As `Books`, and the token moves nothing to the payee and the platform, which gets a fee: one month was kept for
    each, and the platform has claimed its part. A downgrade's credit paid the whole of another charge."""

    def __init__(self, anvil: Anvil, url: str) -> None:
        super().__init__(anvil, url)
        business = self.business
        platform = business.account("platform")
        fee = business.create_plan(fee_bps=250, fee_receiver=platform)
        large, small = business.create_plan(90_000_000), business.create_plan(1_000_000)
        payer = business.payer("fay")
        ids = [business.subscribe(payer, fee), business.subscribe(payer, large)]
        business.change_plan(payer, ids[1], small)
        business.block(business.payee)
        business.block(platform)
        anvil.advance(MONTH_AND_MORE)
        business.charge(*ids)
        business.unblock(platform)
        business.call(business.operator, "claim", platform, business.token)
        anvil.finalize()
        ingest(self.engine, self.rpc, self.target)


@pytest.fixture
def kept(anvil: Anvil, new_database: NewDatabase) -> KeptBooks:
    return KeptBooks(anvil, new_database())


def test_E07_the_halves_match_with_what_is_kept_and_what_credit_paid(kept: KeptBooks) -> None:
    report = kept.audit()
    assert report.differences == []
    assert (report.charges_on_chain, report.charges_in_ledger, report.invoices) == (10, 10, 11)
    with reading(kept.engine) as connection:
        kinds = [entry.kind for entry in read_entries(connection, 1)]
    assert kinds == ["charge"] * 6 + ["refund"] + ["charge"] * 3 + ["claim"]  # the charge of 0 units has none


KEPT_LIES = {
    "UPDATE claimables SET units = '1' WHERE units <> '0'": "claimable of 0x",
    "DELETE FROM claimables WHERE units = '0'": "claimable of 0x",
    "UPDATE postings SET account = replace(account, 'Claimable', 'Wallet') WHERE entry_number = 10 AND position = 1": (
        "claimable of 0x"
    ),
    "DELETE FROM invoices WHERE total_units = '0'": "control total of 0x",
    "UPDATE invoice_lines SET amount_units = '1' WHERE amount_units = '-1000000'": "invoice ",
    "UPDATE postings SET units = '1' WHERE entry_number = 10 AND position = 2": "journal entry 10",
    "UPDATE entries SET kind = 'charge' WHERE kind = 'claim'": "journal entry 11",
    "UPDATE subscriptions SET credit_units = '0' WHERE credit_units <> '0'": "subscription 5",
}
"""As LIES, of what is kept and of credit."""


@pytest.mark.parametrize("lie", KEPT_LIES, ids=[f"{number:02}" for number in range(len(KEPT_LIES))])
def test_every_lie_about_what_is_kept_and_about_credit_is_found(kept: KeptBooks, lie: str) -> None:
    kept.change(lie)
    report = kept.audit()
    rows = [difference.row for difference in report.differences]
    assert any(row.startswith(KEPT_LIES[lie]) for row in rows), rows
