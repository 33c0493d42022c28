"""`tallystick invoices` over the books of a business on a real chain."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from pypdf import PdfReader

from tallystick.chain.rpc import Rpc
from tallystick.config import load_config
from tallystick.core.invoice import Kind
from tallystick.core.period import Unit
from tallystick.flows.ingest import Target, ingest
from tallystick.flows.mirror import open_books
from tallystick.flows.present import NUMBERED, Presenter, Selection
from tallystick.render.document import InvoiceDocument, Status
from tallystick.storage.database import open_database
from tallystick.testing import start_anvil
from tests.business import Business
from tests.cli.conftest import Run

PRICE_UNITS = 9_990_000
WHOLE_REFUND, PART_REFUND = PRICE_UNITS, 4_000_000


@dataclass
class Shop:
    """A merchant with mirrored books: subscription 1 with two charges, the first refunded in part; 2 with one, refunded
    whole; 3 with one that is pending, as is a refund of it; the first of another payee with one."""

    business: Business
    config: Path
    payers: list[str]
    other_payee: str

    def index(self) -> None:
        anvil, contract = self.business.anvil, self.business.contract
        pegs = {self.business.token: "USD"}
        target = Target(anvil.chain_id, contract.address, contract.start_block, pegs=pegs)
        ingest(open_database(f"sqlite:///{self.config.parent / 'books.db'}"), Rpc(anvil.url), target)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with start_anvil() as anvil:
        business = Business(anvil)
        other_payee = business.account("other payee")
        monthly = business.create_plan(PRICE_UNITS)
        other = business.create_plan(5_000_000, 30, Unit.SECOND, payee=other_payee)
        payers = [business.payer(number) for number in range(4)]
        config = tmp_path_factory.mktemp("shop") / "tallystick.toml"
        config.write_text(
            f'database = "sqlite:///{config.parent / "books.db"}"\n'
            '[merchant]\nname = "Tea & Sons #panic()"\naddress = ["1 Harbour Road", "Cork"]\n'
            f'[[peg]]\ntoken = "{business.token}"\ncurrency = "USD"\n'
        )
        made = Shop(business, config, payers, other_payee)
        for payer, plan in zip(payers[:3], (monthly, monthly, other), strict=True):
            business.subscribe(payer, plan)
        anvil.advance(32 * 86_400)
        business.charge(1)
        anvil.finalize()
        made.index()  # charges are numbered before they are refunded
        business.mint(business.payee, 10**9)
        business.approve(business.payee, 10**9)
        business.call(business.payee, "refund", 1, 1, PART_REFUND)
        business.call(business.payee, "refund", 2, 1, WHOLE_REFUND)
        anvil.finalize()
        made.index()
        business.subscribe(payers[3], monthly)
        business.call(business.payee, "refund", 3, 1, 1_000_000)
        made.index()
        yield made


@pytest.fixture
def invoices(shop: Shop, run: Run) -> Run:
    """Runs `tallystick invoices` with the shop's configuration."""

    def invoke(*arguments: object, **options: Any) -> Result:
        return run("--config", shop.config, "invoices", *arguments, **options)

    return invoke


def listed(invoices: Run, *arguments: object) -> list[Any]:
    found = json.loads(invoices("list", "--json", *arguments).stdout)
    assert isinstance(found, list)
    return found


def numbers(documents: list[Any]) -> list[tuple[str | None, str, str]]:
    return [(one["number"], one["status"], one["total"]["decimal"]) for one in documents]


def words(path: Path) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(path.read_bytes())).pages).split())


def test_the_list_has_every_charge_and_refund_in_order_on_chain(invoices: Run) -> None:
    assert numbers(listed(invoices)) == [
        ("INV-000001", "partly_refunded", "9.990000"),
        ("INV-000002", "refunded", "9.990000"),
        ("INV-000001", "paid", "5.000000"),
        ("INV-000003", "paid", "9.990000"),
        ("CN-000001", "paid", "4.000000"),
        ("CN-000002", "paid", "9.990000"),
        (None, "pending", "9.990000"),
        (None, "pending", "1.000000"),
    ]


def test_the_table_is_for_people(shop: Shop, invoices: Run) -> None:
    lines = invoices("list").stdout.splitlines()
    assert len(lines) == 9
    assert lines[0].split() == ["number", "kind", "status", "paid", "at", "payer", "charge", "total", "value"]
    assert lines[1].startswith("INV-000001  invoice")
    assert "partly refunded" in lines[1]
    assert lines[1].endswith("9.990000 USDC  9.99 USD")
    assert shop.payers[3] in lines[-1]
    assert "3/1" in lines[-1]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("--status", "pending"), [None, None]),
        (("--status", "paid", "--kind", "invoice"), ["INV-000001", "INV-000003"]),
        (("--status", "refunded", "--status", "partly-refunded"), ["INV-000001", "INV-000002"]),
        (("--kind", "credit-note", "--status", "paid"), ["CN-000001", "CN-000002"]),
        (("--limit", "3"), ["CN-000002", None, None]),
        (("--since", "2100-01-01"), []),
        (("--until", "2000-01-01T00:00:00Z"), []),
    ],
)
def test_filters(invoices: Run, arguments: tuple[str, ...], found: list[str | None]) -> None:
    assert [one["number"] for one in listed(invoices, *arguments)] == found


def test_filters_by_account_take_any_spelling_of_an_address(shop: Shop, invoices: Run) -> None:
    assert [one["number"] for one in listed(invoices, "--payer", shop.payers[1].lower())] == ["INV-000002", "CN-000002"]
    assert [one["number"] for one in listed(invoices, "--payee", shop.other_payee)] == ["INV-000001"]


def test_E20_since_takes_its_second_and_until_does_not(invoices: Run) -> None:
    at = listed(invoices, "--payer", listed(invoices)[2]["customer"]["account"])[0]["issued_at"]
    assert next(one["issued_at"] for one in listed(invoices, "--since", at)) == at
    assert at not in [one["issued_at"] for one in listed(invoices, "--until", at)]


def test_an_empty_list_says_what_to_do(invoices: Run) -> None:
    assert "tallystick index --once" in invoices("list", "--since", "2100-01-01").stdout
    assert invoices("list", "--since", "2100-01-01", "--json").stdout == "[]\n"


def test_show_names_the_payment(shop: Shop, invoices: Run) -> None:
    shown = invoices("show", "INV-000003").stdout
    for expected in ("9.990000 USDC", "9.99 USD", "par: 1 USDC = 1 USD", "Plan 1, one month", shop.payers[0]):
        assert expected in shown
    assert re.search(r"transaction +0x[0-9a-f]{64}", shown)
    assert "tallystick invoices pdf INV-000003" in shown


def test_show_json_is_what_the_docs_describe(shop: Shop, invoices: Run) -> None:
    shown = json.loads(invoices("show", "CN-000001", "--json").stdout)
    assert (shown["kind"], shown["refers_to"], shown["total"]["units"]) == ("credit_note", "INV-000001", "4000000")
    assert (shown["payment"]["sender"], shown["payment"]["recipient"]) == (shop.business.payee, shop.payers[0])
    assert shown["payment"]["contract"] == shop.business.contract.address
    assert shown["payment"]["chain_id"] == shop.business.anvil.chain_id
    charged = json.loads(invoices("show", "1/1", "--json").stdout)
    assert (charged["number"], charged["status"]) == ("INV-000001", "partly_refunded")
    assert charged["refunded"]["units"] == "4000000"
    assert charged["credit_notes"] == ["CN-000001"]


def test_a_pending_invoice_goes_by_its_charge(invoices: Run) -> None:
    shown = json.loads(invoices("show", "3/1", "--json").stdout)
    assert (shown["number"], shown["status"]) == (None, "pending")
    assert "pending" in invoices("show", "3/1").stdout
    assert "it gets its number" in invoices("show", "3/1").stdout


def test_a_number_of_several_payees_needs_one(shop: Shop, invoices: Run) -> None:
    error = invoices("show", "INV-000001", exit_code=1).stderr
    assert "several payees" in error
    assert "--payee" in error
    shown = json.loads(invoices("show", "INV-000001", "--payee", shop.other_payee, "--json").stdout)
    assert shown["merchant"]["account"] == shop.other_payee


@pytest.mark.parametrize("reference", ["INV-000009", "INV-1", "3/2", "9/1", "banana", "", "INV-" + "9" * 40])
def test_an_unknown_number_is_an_error_that_shows_how_numbers_look(invoices: Run, reference: str) -> None:
    error = invoices("show", reference, exit_code=1).stderr
    assert error.startswith("error: there is no invoice or credit note")
    assert "INV-000001 or CN-000001" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("list", "--since", "yesterday"), "'yesterday' is no time"),
        (("list", "--limit", "0"), "0 is not in the range"),
        (("list", "--status", "lost"), "'lost' is not one of"),
        (("pdf",), "Give a NUMBER, or --all."),
        (("pdf", "INV-000001", "--all"), "Give a NUMBER, or --all."),
        (("pdf", "INV-000001", "--since", "2026-01-01"), "Filters go with --all."),
    ],
)
def test_wrong_options_end_with_2(invoices: Run, arguments: tuple[str, ...], message: str) -> None:
    assert message in invoices(*arguments, exit_code=2).stderr


def test_a_mistyped_address_is_refused(invoices: Run) -> None:
    assert "40 hex digits" in invoices("list", "--payer", "0x123", exit_code=1).stderr


def test_without_books_the_error_says_how_to_fill_them(run: Run) -> None:
    error = run("invoices", "list", "--db", "sqlite:///nothing.db", exit_code=1).stderr
    assert "tallystick index --once" in error
    assert not Path("nothing.db").exists()


def test_pdf_writes_one_file_where_it_is_told(invoices: Run) -> None:
    assert invoices("pdf", "INV-000003").stdout == "INV-000003.pdf\n"
    text = words(Path("INV-000003.pdf"))
    assert "Tea & Sons #panic()" in text
    assert "Total 9.99 USDC" in text
    invoices("pdf", "INV-000003", "--out", "letters/january.pdf")
    assert Path("letters/january.pdf").read_bytes() == Path("INV-000003.pdf").read_bytes()
    invoices("pdf", "CN-000001", "--out", "letters")
    assert "Corrects invoice INV-000001" in words(Path("letters/CN-000001.pdf"))
    invoices("pdf", "3/1", "--out", "drafts")
    (draft,) = Path("drafts").iterdir()
    assert draft.name.startswith("pending-0x")
    assert "This is not an invoice yet." in words(draft)


def test_pdf_all_writes_what_is_numbered_and_again_the_same_bytes(shop: Shop, invoices: Run) -> None:
    assert invoices("pdf", "--all", "--out", "out").stdout == f"6 PDFs in {Path('out').resolve()}\n"
    written = {str(path.relative_to("out")): path.read_bytes() for path in Path("out").rglob("*.pdf")}
    mine, other = shop.business.payee, shop.other_payee
    assert sorted(written) == sorted(
        [
            f"{mine}/CN-000001.pdf",
            f"{mine}/CN-000002.pdf",
            f"{mine}/INV-000001.pdf",
            f"{mine}/INV-000002.pdf",
            f"{mine}/INV-000003.pdf",
            f"{other}/INV-000001.pdf",
        ]
    )
    assert "Partly refunded" in words(Path("out") / mine / "INV-000001.pdf")
    invoices("pdf", "--all", "--out", "out")
    assert {
        str(path.relative_to("out")): path.read_bytes() for path in Path("out").rglob("*") if path.is_file()
    } == written


def test_pdf_all_takes_filters(shop: Shop, invoices: Run) -> None:
    assert invoices("pdf", "--all", "--payer", shop.payers[1], "--out", "out").stdout.startswith("2 PDFs in ")
    assert invoices("pdf", "--all", "--status", "pending", "--out", "drafts").stdout.startswith("2 PDFs in ")
    assert invoices("pdf", "--all", "--since", "2100-01-01", "--out", "none").stdout.startswith("0 PDFs in ")


def test_a_place_that_cannot_be_written_is_an_error_and_leaves_nothing(invoices: Run) -> None:
    Path("taken").write_text("a file")
    assert "cannot be written" in invoices("pdf", "INV-000003", "--out", "taken/a.pdf", exit_code=1).stderr
    assert [path.name for path in Path().iterdir()] == ["taken"]


def test_before_anything_is_final_amounts_are_in_units_of_a_token_that_was_not_asked_yet(run: Run) -> None:
    with start_anvil() as anvil:
        business = Business(anvil)
        business.subscribe(business.payer(1), business.create_plan(PRICE_UNITS))
        contract = business.contract
        target = Target(anvil.chain_id, contract.address, contract.start_block, finality=10_000)
        ingest(open_database("sqlite:///young.db"), Rpc(anvil.url), target)
    (found,) = json.loads(run("--db", "sqlite:///young.db", "invoices", "list", "--json").stdout)
    assert (found["number"], found["status"], found["total"]["units"]) == (None, "pending", str(PRICE_UNITS))
    assert found["total"]["asset"]["symbol"] == f"units of {business.token}"
    assert run("--db", "sqlite:///young.db", "invoices", "pdf", "--all").stdout.startswith("0 PDFs in ")
    run("--db", "sqlite:///young.db", "invoices", "pdf", "1/1", "--out", "draft.pdf")
    assert "9,990,000" in words(Path("draft.pdf"))


def test_a_font_that_is_missing_is_told(shop: Shop, run: Run) -> None:
    own = Path("own.toml")
    own.write_text(shop.config.read_text().replace("Tea & Sons", "𓀀"))
    written = run("--config", own, "invoices", "pdf", "INV-000003")
    assert "not PDF/A: the text" in written.stderr
    assert Path("INV-000003.pdf").exists()
    assert "is no folder" in run("--config", own, "invoices", "pdf", "--all", "--fonts", "none", exit_code=1).stderr


def test_a_reorganisation_takes_the_pending_invoice_away(shop: Shop, invoices: Run) -> None:
    assert len(listed(invoices, "--status", "pending")) == 2
    shop.business.anvil.reorg(2)
    shop.index()
    assert listed(invoices, "--status", "pending") == []
    assert "there is no invoice" in invoices("show", "3/1", exit_code=1).stderr
    assert len(listed(invoices)) == 6


def test_the_newest_are_read_from_the_end(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """As all documents sorted by their place on chain, across pages and in every selection."""
    monkeypatch.setattr("tallystick.storage.documents.READ_BATCH", 2)
    config = load_config(shop.config, environment={})
    presenter = Presenter(open_books(config), config)
    selections = [
        Selection(statuses=frozenset({Status.PENDING})),
        Selection(statuses=NUMBERED),
        Selection(kind=Kind.CREDIT_NOTE),
        Selection(payee=shop.other_payee),
        Selection(payer=shop.payers[0]),
        Selection(),
    ]
    everything: list[InvoiceDocument] = []
    for selection in selections:
        everything = sorted(
            presenter.documents(selection),
            key=lambda document: (document.payment.block_number, document.payment.log_index),
            reverse=True,
        )
        for limit in range(1, len(everything) + 2):
            assert presenter.newest(limit, selection) == everything[:limit]
    assert len(everything) > 1
    looked_at = []
    takes = Selection.takes

    def counted(selection: Selection, document: InvoiceDocument) -> bool:
        looked_at.append(document)
        return takes(selection, document)

    monkeypatch.setattr(Selection, "takes", counted)
    presenter.newest(2)
    assert len(looked_at) == 2
