"""What the page says, before typst makes it a page."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.invoice import Kind
from tallystick.core.money import UINT256_MAX, Amount
from tallystick.render.document import Status
from tallystick.render.page import WORD_FITS, breakable, page
from tests.render.samples import DAI, MERCHANT, SAMPLES, USDC, credit_note, invoice, line

INVISIBLE = "\N{ZERO WIDTH SPACE}"


def test_only_words_that_are_too_long_get_places_to_break() -> None:
    assert breakable("a short one") == "a short one"
    assert breakable("W" * WORD_FITS) == "W" * WORD_FITS
    assert breakable("W" * (WORD_FITS + 1)) == INVISIBLE.join("W" * (WORD_FITS + 1))
    marked = "e\N{COMBINING ACUTE ACCENT}" * WORD_FITS
    assert breakable(marked) == INVISIBLE.join(["e\N{COMBINING ACUTE ACCENT}"] * WORD_FITS)


@given(st.text())
def test_places_to_break_change_no_letter(text: str) -> None:
    assert breakable(text).replace(INVISIBLE, "") == text.replace(INVISIBLE, "")


def test_the_amounts_of_a_document_have_one_number_of_digits() -> None:
    shown = page(invoice(lines=(line(49_000_000), line(1_234_500, quantity=2))))
    assert [(one["price"], one["amount"]) for one in shown["lines"]] == [
        ("49.0000", "49.0000"),
        ("1.2345", "2.4690"),
    ]
    assert shown["totals"] == [{"label": "Total", "value": "51.4690 USDC", "strong": True}]
    assert not shown["wide"]


def test_amounts_beyond_a_column_may_break_between_their_groups() -> None:
    shown = page(invoice(lines=(line(UINT256_MAX, token=DAI),)))
    assert shown["wide"]
    assert shown["lines"][0]["amount"].replace(INVISIBLE, "").replace(",", "").replace(".", "") == str(UINT256_MAX)


def test_what_was_refunded_stands_below_the_total() -> None:
    document = SAMPLES["partly_refunded"]
    assert [(row["label"], row["value"]) for row in page(document)["totals"]] == [
        ("Total", "49.00 USDC"),
        ("Refunded by CN-000003, CN-000004", "−12.50 USDC"),
        ("Paid after refunds", "36.50 USDC"),
    ]
    many = replace(document, credit_notes=tuple(f"CN-{number:06d}" for number in range(20)))
    assert page(many)["totals"][1]["label"] == "Refunded by 20 credit notes"


def test_a_quoted_price_who_paid_and_for_whom_are_told() -> None:
    shown = page(SAMPLES["quoted"])
    proof = {row["label"]: row["value"] for row in shown["proof"]}
    assert proof["From"] == SAMPLES["quoted"].payment.sender != SAMPLES["quoted"].customer.account
    assert proof["Quoted"].replace(INVISIBLE, "") == "4,900 units of the quoter are 53.021374 USDC"
    assert proof["Quoter"] == "0x" + "9A" * 20
    facts = {row["label"]: row["value"].replace(INVISIBLE, "") for row in shown["facts"]}
    assert facts["For"] == "0x" + "7B" * 20
    plain = page(invoice())
    assert not {"Quoted", "Quoter", "For"} & {row["label"] for row in (*plain["proof"], *plain["facts"])}


def test_each_kind_and_status_says_what_it_is() -> None:
    assert (page(invoice())["title"], page(invoice())["status"]) == ("Invoice", "Paid")
    assert (page(credit_note())["title"], page(credit_note())["status"]) == ("Credit note", "Refunded")
    refunded = page(SAMPLES["refunded"])
    assert (refunded["title"], refunded["status"], refunded["notice"]) == ("Invoice", "Refunded", None)
    pending = page(SAMPLES["pending"])
    assert (pending["title"], pending["status"], pending["watermark"]) == ("Pending invoice", "Pending", "PENDING")
    assert pending["notice"] is not None
    assert pending["notice"].startswith("This is not an invoice yet.")
    assert "Date of issue" not in {fact["label"] for fact in pending["facts"]}
    pending_note = page(credit_note(number=None, status=Status.PENDING, refers_to=None))
    assert pending_note["notice"] is not None
    assert pending_note["notice"].startswith("This is not a credit note yet.")
    assert pending_note["facts"][0]["value"] == "not numbered yet"


def test_a_merchant_without_a_name_is_known_by_its_account() -> None:
    shown = page(SAMPLES["anonymous"])
    assert (shown["merchant"]["name"], shown["merchant"]["account"]) == ("", MERCHANT.account)
    assert page(invoice())["merchant"]["account"] is None
    assert shown["meta_title"] == f"Invoice INV-000042, {MERCHANT.account}"


def test_amounts_refunded_may_be_in_any_token() -> None:
    document = invoice(
        lines=(line(10**18, token=DAI),), status=Status.REFUNDED, refunded=Amount(10**18, DAI), credit_notes=("CN-1",)
    )
    assert page(document)["totals"][2]["value"] == "0.00 DAI"
    assert page(invoice(refunded=Amount(1, USDC)))["totals"][2]["value"] == "48.999999 USDC"


def test_credit_is_a_line_that_is_taken_off() -> None:
    shown = page(SAMPLES["credit"])
    assert [(one["quantity"], one["price"], one["amount"]) for one in shown["lines"]] == [
        ("1", "49.000000", "49.000000"),
        ("12", "7.000000", "84.000000"),
        ("1", "−20.333333", "−20.333333"),
    ]
    assert shown["totals"][0]["value"] == "112.666667 USDC"


def test_what_lists_the_usage_is_named_beside_the_payment() -> None:
    document = SAMPLES["usage"]
    assert document.usage is not None
    row = {"label": "Usage hash", "value": document.usage.usage_hash, "mono": True}
    assert page(document)["proof"] == [*page(invoice())["proof"], row]


def test_where_credit_paid_all_nothing_moved() -> None:
    shown = page(SAMPLES["covered_by_credit"])
    assert shown["totals"] == [{"label": "Total", "value": "0.00 USDC", "strong": True}]
    assert shown["proof_note"].startswith("This transaction moved no money: credit or a discount took all of it.")
    assert page(invoice())["proof_note"].startswith("This transaction moved the money.")
    assert page(credit_note())["proof_note"].startswith("This transaction gave back the money.")


@pytest.mark.parametrize(("salt", "is_short"), [(4711, True), (10**20 - 1, True), (10**20, False), (2**256 - 1, False)])
def test_an_escrow_payment_has_its_reference_and_its_id(salt: int, is_short: bool) -> None:
    """And neither a subscription nor a period; the id stands with the proof, in one piece, and so does a random salt,
    which would push the customer off the page."""
    sample = SAMPLES["escrow"]
    assert sample.escrow is not None
    document = replace(sample, escrow=replace(sample.escrow, reference=str(salt)))
    shown = page(document)
    facts, proof = ({row["label"]: row["value"] for row in shown[part]} for part in ("facts", "proof"))
    assert facts.keys() == {"Date of issue", "Paid at"} | ({"Reference"} if is_short else set())
    if is_short:
        assert facts["Reference"].replace("\u200b", "") == str(salt)
    assert proof.get("Salt") == (None if is_short else hex(salt))
    assert proof["Payment"] == sample.escrow.payment_id
    assert [line["period"] for line in shown["lines"]] == [""]
    refund = replace(document, kind=Kind.CREDIT_NOTE, number="PAY-CN-000001")
    assert "Corrects invoice" not in {row["label"] for row in page(refund)["facts"]}


def test_a_sale_has_its_name_and_the_quote_that_was_paid() -> None:
    sample = SAMPLES["sale"]
    assert sample.sale is not None
    shown = page(sample)
    facts, proof = ({row["label"]: row["value"] for row in shown[part]} for part in ("facts", "proof"))
    assert facts.keys() == {"Date of issue", "Paid at", "Reference"}
    assert facts["Reference"].replace("\u200b", "") == "INV-2027-0042"
    assert proof["Quote"] == sample.sale.quote_id
    assert [line["period"] for line in shown["lines"]] == ["", ""]
    assert "Quote" not in {
        row["label"] for row in page(replace(sample, sale=replace(sample.sale, quote_id=None)))["proof"]
    }
    refund = replace(sample, kind=Kind.CREDIT_NOTE, number="SALE-CN-000001")
    assert "Corrects invoice" not in {row["label"] for row in page(refund)["facts"]}
