"""The audit of what is sold once finds every lie, in the books and in what a node says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from tallystick.chain.decode_checkout import CHECKOUT
from tallystick.chain.rpc import Rpc
from tallystick.chain.transfers import TRANSFER_TOPIC
from tallystick.errors import CorruptionError, EventsInconsistent, NodeInvalid
from tallystick.flows.audit_checkout import CheckoutReport, audit_checkout
from tallystick.flows.ingest import ingest
from tallystick.storage.database import open_database, transaction
from tallystick.testing import start_anvil
from tests.business import Business
from tests.chain.bad_node import bad_node
from tests.flows.test_ingest import content
from tests.sales import AMOUNT, Sales


class Books:
    """Every kind of event, mirrored, in a SQLite file that can be copied."""

    def __init__(self, sales: Sales, folder: Path) -> None:
        self.sales, self.folder = sales, folder
        self.rpc, self.target = Rpc(sales.anvil.url), sales.target()
        self.begun, self.whole = folder / "begun.db", folder / "whole.db"
        engine = open_database(f"sqlite:///{self.whole}")
        sales.expect_each(engine)
        engine.dispose()
        shutil.copy(self.whole, self.begun)
        sales.every_kind()
        sales.anvil.finalize()
        sales.send("nothing", AMOUNT)  # stays pending
        sales.mirror(engine)
        engine.dispose()

    def audit(self, tampering: str = "") -> CheckoutReport:
        """What an audit says of a copy of the books, with one row changed."""
        copy = self.folder / "copy.db"
        shutil.copy(self.whole, copy)
        engine = open_database(f"sqlite:///{copy}")
        try:
            if tampering:
                with transaction(engine) as connection:
                    assert connection.execute(text(tampering)).rowcount >= 1, tampering
            return audit_checkout(engine, self.rpc, self.target)
        finally:
            engine.dispose()


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    with start_anvil() as anvil:
        yield Books(Sales(Business(anvil)), tmp_path_factory.mktemp("books"))


def test_the_halves_match(books: Books) -> None:
    report = books.audit()
    assert (report.ok, report.differences) == (True, [])
    assert report.quotes_on_chain == report.quotes_in_ledger == 2
    assert (report.invoices, report.expected) == (8, 7)
    assert report.standing == 8  # seven in the token that was expected, and one in another that is declared


LIES = {
    "UPDATE postings SET units = '1' WHERE entry_number = 2 AND position = 1": "journal entry 2",
    "DELETE FROM entries WHERE entry_number = 3": "journal entry 3",
    "UPDATE entries SET kind = 'sweep' WHERE entry_number = 2": "journal entry 2",
    "UPDATE postings SET account = 'Income:Sales:x' WHERE account LIKE 'Income:Sales:%'": "control total of x",
    "UPDATE postings SET account = 'Assets:Claimable:x' WHERE account LIKE 'Assets:Claimable:%' AND side = 'D'": (
        "claimable of x in"
    ),
    "UPDATE sale_invoices SET total_units = '1' WHERE kind = 'invoice' AND number = 2": "invoice 2 of",
    "UPDATE sale_invoices SET waived_units = '0' WHERE kind = 'invoice' AND number = 2": "invoice 2 of",
    "UPDATE sale_invoices SET quote_id = NULL WHERE quote_id IS NOT NULL": "invoice 5 of",
    "UPDATE sale_invoices SET payer = payee WHERE kind = 'invoice' AND number = 3": "invoice 3 of",
    "DELETE FROM sale_invoices WHERE kind = 'credit_note' AND number = 2": "credit note 2 of",
    "DELETE FROM events WHERE name = 'Transfer'": "event in block",
    "DELETE FROM events WHERE name = 'Swept'": "event in block",
    "UPDATE events SET data = zeroblob(64) WHERE name = 'Transfer'": "event in block",
    "UPDATE deposits SET credit_units = '5'": "deposit of 0x",
    "UPDATE deposits SET waived_units = NULL": "deposit of 0x",
    "DELETE FROM deposits": "deposit of 0x",
    "UPDATE sales SET refunded_units = '1'": "sale of 0x",
    "DELETE FROM sales": "sale of 0x",
    "UPDATE quote_totals SET quotes = quotes + 1": "quotes of 0x",
    "UPDATE used_numbers SET bits = '1'": "used numbers of 0x",
    "DELETE FROM used_numbers": "used numbers of 0x",
    "UPDATE claimables SET units = '1'": "claimable of 0x",
    "UPDATE tokens SET decimals = 2": "token 0x",
    "UPDATE sources SET final_hash = zeroblob(32)": "block ",
    "UPDATE headers SET time = time + 1 WHERE number IN (SELECT max(number) FROM headers)": "pending block ",
    # What was expected is the merchant's word; that it is not what was expected then shows in what follows from it.
    "UPDATE expected_payments SET amount_units = '26000000'": "journal entry 1",
    "UPDATE expected_payments SET tolerance_units = '0'": "journal entry 3",
    "UPDATE expected_payments SET from_block = from_block + 30": "event in block",
    "DELETE FROM expected_payments": "event in block",
}


@pytest.mark.parametrize("lie", LIES)
def test_each_lie_is_found_and_named(books: Books, lie: str) -> None:
    report = books.audit(lie)
    assert not report.ok
    assert any(difference.row.startswith(LIES[lie]) for difference in report.differences), report.differences


def test_books_of_another_contract_are_refused(books: Books) -> None:
    engine = open_database(f"sqlite:///{books.folder}/empty.db")
    with pytest.raises(CorruptionError, match="mirrors nothing of"):
        audit_checkout(engine, books.rpc, books.target)


def test_money_at_an_address_that_the_books_do_not_have_is_a_difference(books: Books) -> None:
    """It came before it was expected; whoever sweeps it brings it into the books."""
    sales, engine = books.sales, open_database(f"sqlite:///{books.folder}/late.db")
    snapshot = sales.anvil.rpc("evm_snapshot")
    sales.mirror(engine)
    sales.send("early", AMOUNT)
    sales.anvil.finalize()
    sales.mirror(engine)
    place = sales.expect(engine, "early").address
    sales.mirror(engine)
    report = audit_checkout(engine, books.rpc, books.target)
    assert [(one.row, one.found, one.expected) for one in report.differences] == [
        (f"deposit address {place} of early in {sales.token}, on chain", "0", str(AMOUNT))
    ]
    sales.sweep("early")
    sales.anvil.finalize()
    sales.mirror(engine)
    assert audit_checkout(engine, books.rpc, books.target).ok
    sales.anvil.rpc("evm_revert", snapshot)


FOUND_LATER = {"NotSwept", "Swept", "InvoiceRefunded", "Transfer"}
"""The contract counts nothing of these. A transfer or a sweep that is missing shows in what stands at the address, when
an audit asks another node; a refund is the merchant's own, in whose wallet's balance it shows."""


def test_E62_what_the_contract_counts_is_not_left_out_unseen(books: Books) -> None:
    """A node that leaves out one event: the mirror takes nothing of the range, or an audit by another node names it."""
    sales, hidden = books.sales, ""
    query = {"address": sales.contract.address, "fromBlock": "0x0", "toBlock": "finalized"}
    logs = sales.anvil.rpc("eth_getLogs", query)
    places = ["0x" + "0" * 24 + sales.checkout.deposit_address(sales.merchant, b"exact".ljust(32, b"\0"))[2:].lower()]
    logs += sales.anvil.rpc("eth_getLogs", {"fromBlock": "0x0", "topics": [TRANSFER_TOPIC, None, places]})

    def without(_: object, answer: bytes) -> tuple[int, bytes]:
        documents = msgspec.json.decode(answer)
        for document in documents if isinstance(documents, list) else [documents]:
            if isinstance(document.get("result"), list):
                document["result"] = [log for log in document["result"] if log["logIndex"] + log["blockHash"] != hidden]
        return 200, msgspec.json.encode(documents)

    kinds: set[str] = set()
    with bad_node(sales.anvil.url, seed=0, rate=0) as node:
        node._answer = without  # type: ignore[method-assign, assignment]  # an honest node, but for one log
        rpc = Rpc(node.url, sleep=lambda _: None)
        for number, log in enumerate(logs):
            name = CHECKOUT.names().get(log["topics"][0], "Transfer")
            if name in kinds & FOUND_LATER:
                continue
            kinds.add(name)
            hidden = log["logIndex"] + log["blockHash"]
            copy = books.folder / f"without{number}.db"
            shutil.copy(books.begun, copy)
            engine = open_database(f"sqlite:///{copy}")
            if name in FOUND_LATER:
                ingest(engine, rpc, books.target)
                assert not audit_checkout(engine, books.rpc, books.target).ok, name
            else:
                with pytest.raises((EventsInconsistent, NodeInvalid)):
                    ingest(engine, rpc, books.target)
                assert content(engine)["entries"] == []
            engine.dispose()
    assert kinds == set(CHECKOUT.shapes) - {"ReceivedOtherwise"}
