"""From the books to a document, and what a document refuses to be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tallystick.core.events import Charged, Origin, Refunded
from tallystick.core.invoice import Invoice, Kind, Peg, QuotedPrice, credit_note_for, invoice_for
from tallystick.core.money import Amount
from tallystick.core.period import Unit
from tallystick.core.plan import PlanTerms
from tallystick.errors import DocumentInvalid
from tallystick.render.document import InvoiceDocument, Issuer, Party, Status, invoice_document
from tests.render.samples import CUSTOMER, DAI, MERCHANT, PAID_AT, PAYMENT, USD, USDC, invoice, line

ISSUER = Issuer(replace(MERCHANT, account=None))
PAYEE, PAYER, OTHER = PAYMENT.recipient, PAYMENT.sender, "0x" + "6C" * 20
ORIGIN = Origin(38_214_907, bytes.fromhex("2b" * 32), PAID_AT, bytes.fromhex("8f" * 32), 17)
LATER = Origin(38_300_000, bytes.fromhex("3c" * 32), PAID_AT + 86_400, bytes.fromhex("9a" * 32), 4)
TERMS = PlanTerms(PAYEE, 49_000_000, USDC.address, 1, Unit.MONTH, 0)
PEG = Peg("USDC", 6, "USD", 2)


def charge(number: int | None = 42) -> Invoice:
    event = Charged(118, 7, PAID_AT, PAID_AT + 30 * 86_400, 49_000_000)
    return invoice_for(event, ORIGIN, number=number, payer=PAYER, plan_id=3, terms=TERMS, peg=PEG)


def refund(units: int, number: int | None = 3, of: Invoice | None = None) -> Invoice:
    event = Refunded(118, 7, units)
    return credit_note_for(event, LATER, of or charge(), payee=PAYEE, payer=PAYER, number=number, peg=PEG)


def document(of: Invoice, *notes: Invoice) -> InvoiceDocument:
    return invoice_document(
        of, issuer=ISSUER, token=USDC, contract=PAYMENT.contract, customer=CUSTOMER, credit_notes=notes
    )


def test_the_document_of_a_charge() -> None:
    made = document(charge())
    assert (made.kind, made.number, made.status) == (Kind.INVOICE, "INV-000042", Status.PAID)
    assert made.total == Amount(49_000_000, USDC)
    assert [(one.description, one.quantity, one.amount) for one in made.lines] == [
        ("Plan 3, one month", 1, Amount(49_000_000, USDC))
    ]
    assert made.fiat is not None
    assert made.fiat.amount == Amount(4_900, USD)
    assert made.fiat.evidence == "par: 1 USDC = 1 USD, declared by the merchant"
    assert made.merchant == MERCHANT
    assert made.customer == CUSTOMER
    assert made.issued_at == made.payment.block_time == PAID_AT
    assert made.payment.transaction_hash == "0x" + "8f" * 32
    assert made.payment.block_hash == "0x" + "2b" * 32
    assert (made.payment.sender, made.payment.recipient) == (PAYER, PAYEE)
    assert (made.payment.chain_id, made.payment.contract, made.payment.log_index) == (8453, PAYMENT.contract, 17)
    assert (made.refers_to, made.refunded, made.credit_notes) == (None, None, ())


def test_the_document_of_a_refund_is_a_credit_note_that_goes_the_other_way() -> None:
    made = document(refund(12_500_000))
    assert (made.kind, made.number, made.status) == (Kind.CREDIT_NOTE, "CN-000003", Status.PAID)
    assert made.refers_to == "INV-000042"
    assert (made.payment.sender, made.payment.recipient) == (PAYEE, PAYER)
    assert made.customer.account == PAYER
    assert made.total == Amount(12_500_000, USDC)


def test_another_wallet_that_paid_is_the_sender_and_a_quote_is_evidence() -> None:
    quoted = QuotedPrice(4_900, 49_000_000, OTHER)
    made = document(charge()._replace(paid_by=OTHER, beneficiary=PAYEE, quoted=quoted))
    assert (made.payment.sender, made.customer.account, made.beneficiary) == (OTHER, PAYER, PAYEE)
    assert made.quoted is not None
    assert made.quoted.amount == made.total
    assert document(charge()).quoted is None


def test_before_its_block_is_final_it_is_pending_and_has_no_number() -> None:
    made = document(charge(None))
    assert (made.number, made.status) == (None, Status.PENDING)
    note = document(refund(1, None, charge(None)))
    assert (note.number, note.status, note.refers_to) == (None, Status.PENDING, None)


@pytest.mark.parametrize(
    ("refunds", "status"),
    [
        ([], Status.PAID),
        ([1], Status.PARTLY_REFUNDED),
        ([48_999_999], Status.PARTLY_REFUNDED),
        ([12_500_000, 36_500_000], Status.REFUNDED),
    ],
)
def test_final_credit_notes_change_the_status_of_the_invoice(refunds: list[int], status: Status) -> None:
    notes = [refund(units, number) for number, units in enumerate(refunds, start=1)]
    made = document(charge(), *notes)
    assert made.status is status
    assert made.refunded == (Amount(sum(refunds), USDC) if refunds else None)
    assert list(made.credit_notes) == [f"CN-{number:06d}" for number in range(1, len(refunds) + 1)]


def test_a_pending_credit_note_changes_nothing_yet() -> None:
    assert document(charge(), refund(49_000_000, None)).status is Status.PAID


@pytest.mark.parametrize(
    ("prefix", "invoice_number", "credit_note_number"),
    [
        ("INV-", "INV-000007", "CN-000007"),
        ("ACME-", "ACME-000007", "ACME-CN-000007"),
        ("2026-INV-", "2026-INV-000007", "2026-CN-000007"),
        ("", "000007", "CN-000007"),
    ],
)
def test_invoices_and_credit_notes_never_share_a_number(
    prefix: str, invoice_number: str, credit_note_number: str
) -> None:
    issuer = Issuer(Party(), prefix)
    assert issuer.number_text(Kind.INVOICE, 7) == invoice_number
    assert issuer.number_text(Kind.CREDIT_NOTE, 7) == credit_note_number
    assert issuer.number_text(Kind.INVOICE, 12_345_678).endswith("12345678")


def test_a_document_that_does_not_add_up_is_refused() -> None:
    with pytest.raises(DocumentInvalid, match=r"add up to 49\.000000 USDC, its total says 48\.999999 USDC"):
        invoice(total=Amount(48_999_999, USDC))
    with pytest.raises(DocumentInvalid, match=r"1 x 49\.000000 USDC that says 50\.000000 USDC"):
        invoice(lines=(replace(line(49_000_000), amount=Amount(50_000_000, USDC)),))
    with pytest.raises(DocumentInvalid, match="a document has one asset"):
        invoice(lines=(line(1), line(1, token=DAI)))


def test_exactly_the_pending_documents_have_no_number() -> None:
    with pytest.raises(DocumentInvalid, match="is paid and has no number"):
        invoice(number=None)
    with pytest.raises(DocumentInvalid, match="is pending and has a number"):
        invoice(status=Status.PENDING)


def test_the_token_of_another_invoice_is_refused() -> None:
    with pytest.raises(DocumentInvalid, match="give that one"):
        invoice_document(charge(), issuer=ISSUER, token=DAI, contract=PAYMENT.contract)
