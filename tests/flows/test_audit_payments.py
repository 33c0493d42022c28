"""The audit of escrow payments finds every lie, in the books and in what a node says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from tallystick.chain.decode_payments import PAYMENTS
from tallystick.chain.rpc import Rpc
from tallystick.errors import CorruptionError, EventsInconsistent
from tallystick.flows.audit_payments import Holding, PaymentsReport, audit_payments
from tallystick.flows.ingest import Target, ingest
from tallystick.storage.database import open_database, transaction
from tallystick.testing import start_anvil
from tests.business import Business, calldata
from tests.chain.bad_node import bad_node
from tests.databases import NewDatabase
from tests.flows.test_ingest import content
from tests.payments import Payments

UNSEEN = {"EvidenceSubmitted", "PaymentRevoked"}
"""Nothing is counted of these, and nothing builds on them."""


class Books:
    """Every kind of event, mirrored, in a SQLite file that can be copied."""

    def __init__(self, payments: Payments, folder: Path) -> None:
        self.payments, self.folder = payments, folder
        self.rpc = Rpc(payments.anvil.url)
        self.target = payments.target(pegs={payments.token: "USD"})
        self.whole = folder / "whole.db"
        engine = open_database(f"sqlite:///{self.whole}")
        ingest(engine, self.rpc, self.target)
        engine.dispose()

    def audit(self, tampering: str = "") -> PaymentsReport:
        """What an audit says of a copy of the books, with one row changed."""
        copy = self.folder / "copy.db"
        shutil.copy(self.whole, copy)
        engine = open_database(f"sqlite:///{copy}")
        try:
            if tampering:
                with transaction(engine) as connection:
                    assert connection.execute(text(tampering)).rowcount >= 1, tampering
            return audit_payments(engine, self.rpc, self.target)
        finally:
            engine.dispose()


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    with start_anvil() as anvil:
        payments = Payments(Business(anvil))
        payments.every_kind()
        anvil.finalize()
        payments.held()  # stays pending
        yield Books(payments, tmp_path_factory.mktemp("books"))


def test_the_halves_match(books: Books) -> None:
    report = books.audit()
    assert (report.ok, report.differences) == (True, [])
    assert report.payments_on_chain == report.payments_in_ledger == 8
    assert report.invoices == 9
    (holding,) = report.holdings
    assert (holding.token, holding.is_covered) == (books.payments.token, True)


FIRST = "WHERE payment_id IN (SELECT min(payment_id) FROM payments)"
LIES = {
    "UPDATE postings SET units = '1' WHERE entry_number = 2 AND position = 1": "journal entry 2",
    "DELETE FROM entries WHERE entry_number = 3": "journal entry 3",
    "UPDATE entries SET kind = 'void' WHERE entry_number = 2": "journal entry 2",
    "UPDATE entries SET entry_number = 99 WHERE entry_number = 4": "journal entry 4",
    "UPDATE postings SET account = 'Income:Payments:x' WHERE account LIKE 'Assets:Escrow:%' AND entry_number = 1": (
        "control total of 0x"
    ),
    "UPDATE postings SET account = 'Assets:Escrow:x' WHERE account LIKE 'Assets:Claimable:%'": "held for x in",
    "UPDATE postings SET account = 'Assets:Claimable:x' WHERE account LIKE 'Assets:Escrow:%'": "claimable of x in",
    "UPDATE payment_invoices SET total_units = '1' WHERE kind = 'invoice' AND number = 2": "invoice 2 of",
    "UPDATE payment_invoices SET fiat_units = '1' WHERE kind = 'invoice' AND number = 2": "invoice 2 of",
    "UPDATE payment_invoices SET payer = payee WHERE kind = 'invoice' AND number = 3": "invoice 3 of",
    "UPDATE payment_invoices SET number = 99 WHERE kind = 'invoice' AND number = 3": "invoice 3 of",
    "DELETE FROM payment_invoices WHERE kind = 'credit_note'": "credit note 1 of",
    "UPDATE payment_invoices SET occasion = 'capture' WHERE occasion = 'charge'": "invoice",
    "DELETE FROM events WHERE name = 'Ruled'": "event in block",
    "UPDATE events SET data = zeroblob(32) WHERE name = 'PaymentRefunded'": "event in block",
    f"UPDATE payments SET amount_units = '1' {FIRST}": "payment 0x",
    f"UPDATE payments SET held_units = '99' {FIRST}": "payment 0x",
    "UPDATE payments SET refunded_units = captured_units WHERE refunded_units <> captured_units": "payment 0x",
    f"UPDATE payments SET status = 'disputed' {FIRST}": "payment 0x",
    f"UPDATE payments SET milestones = 7 {FIRST}": "payment 0x",
    f"UPDATE payments SET arbiter = payee {FIRST}": "payment 0x",
    f"DELETE FROM payments {FIRST}": "payment 0x",
    "UPDATE payment_totals SET payments = payments + 1": "payments of 0x",
    "UPDATE payment_totals SET sum_units = '0'": "payments of 0x",
    "DELETE FROM payment_totals": "payments of 0x",
    "DELETE FROM revoked_payments": "revoked payment 0x",
    "INSERT INTO revoked_payments SELECT source_id, zeroblob(32) FROM sources": "revoked payment 0x",
    "UPDATE claimables SET units = '1'": "claimable of 0x",
    "DELETE FROM claimables": "claimable of 0x",
    "UPDATE tokens SET decimals = 2": "token 0x",
    "UPDATE sources SET final_hash = zeroblob(32)": "block ",
    "UPDATE sources SET start_block = start_block + 1": "the source's first block",
    "UPDATE headers SET time = time + 1 WHERE number IN (SELECT max(number) FROM headers)": "pending block ",
}


@pytest.mark.parametrize("lie", LIES)
def test_each_lie_is_found_and_named(books: Books, lie: str) -> None:
    report = books.audit(lie)
    assert not report.ok
    assert any(difference.row.startswith(LIES[lie]) for difference in report.differences), report.differences


def test_what_the_contract_does_not_have_any_more_is_a_difference(books: Books) -> None:
    """As of a later block: money left the contract in a way that no event tells."""
    payments = books.payments
    snapshot = payments.anvil.rpc("evm_snapshot")
    thief = payments.contract.address
    payments.anvil.fund(thief)
    owed = 100_000_000
    payments.business.send(thief, payments.token, calldata("MockUSDC", "transfer", payments.arbiter, owed // 4))
    payments.anvil.finalize()
    engine = open_database(f"sqlite:///{books.folder}/later.db")
    ingest(engine, books.rpc, books.target)
    report = audit_payments(engine, books.rpc, books.target)
    assert [difference.row for difference in report.differences] == [f"balance of the contract in {payments.token}"]
    assert not report.holdings[0].is_covered
    undeclared = open_database(f"sqlite:///{books.folder}/undeclared.db")
    ingest(undeclared, books.rpc, payments.target())
    report = audit_payments(undeclared, books.rpc, payments.target())
    assert (report.ok, report.holdings[0].is_covered) == (True, False)
    assert not Holding(payments.token, 1, None).is_covered
    payments.anvil.rpc("evm_revert", snapshot)


def test_books_of_another_contract_are_refused(books: Books) -> None:
    engine = open_database(f"sqlite:///{books.folder}/empty.db")
    with pytest.raises(CorruptionError, match="mirrors nothing of"):
        audit_payments(engine, books.rpc, books.target)


def test_E62_no_event_that_anything_builds_on_is_left_out_unseen(books: Books, new_database: NewDatabase) -> None:
    """A node that leaves out one event, of any kind: the mirror takes nothing of the range."""
    payments = books.payments
    query = {"address": payments.contract.address, "fromBlock": "0x0", "toBlock": "finalized"}
    logs = payments.anvil.rpc("eth_getLogs", query)
    hidden = ""

    def without(_: object, answer: bytes) -> tuple[int, bytes]:
        document = msgspec.json.decode(answer)
        if isinstance(document, dict) and isinstance(document["result"], list):
            document["result"] = [log for log in document["result"] if log["logIndex"] + log["blockHash"] != hidden]
        return 200, msgspec.json.encode(document)

    kinds = set()
    contract = payments.contract
    target = Target(payments.anvil.chain_id, contract.address, contract.start_block, kind=books.target.kind)
    with bad_node(payments.anvil.url, seed=0, rate=0) as node:
        node._answer = without  # type: ignore[method-assign, assignment]  # an honest node, but for one log
        rpc = Rpc(node.url, sleep=lambda _: None)
        for log in logs:
            name = PAYMENTS.names()[log["topics"][0]]
            if name not in UNSEEN:
                kinds.add(name)
                hidden = log["logIndex"] + log["blockHash"]
                engine = open_database(new_database())
                with pytest.raises(EventsInconsistent):
                    ingest(engine, rpc, target)
                assert content(engine)["entries"] == []
    assert kinds == set(PAYMENTS.shapes) - UNSEEN
