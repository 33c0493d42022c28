"""What stands on an invoice or a credit note, before anybody decides how it looks.

`InvoiceDocument` is complete in itself: a renderer needs nothing else, no database and no chain. It refuses to exist
when it contradicts itself, so that no wrong sum is ever printed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tallystick.core.checkout_invoice import SaleInvoice
from tallystick.core.events import Origin
from tallystick.core.invoice import FiatValue as BooksValue
from tallystick.core.invoice import Invoice, Kind
from tallystick.core.money import Amount, Token, currency
from tallystick.core.payment_invoice import PaymentInvoice
from tallystick.core.reference import shown_reference
from tallystick.errors import DocumentInvalid


class Status(StrEnum):
    """Where a document stands. Pending: the block of its payment is not final, so it has no number and is no invoice
    yet."""

    PENDING = "pending"
    PAID = "paid"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Party:
    """One of the two sides, as far as it is known. `account` is its address on chain."""

    name: str | None = None
    address: tuple[str, ...] = ()
    tax_id: str | None = None
    email: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A whole quantity of something at a price, for the time [period_start, period_end) in Unix seconds where it is for
    one. The line of a credit is negative."""

    description: str
    period_start: int | None
    period_end: int | None
    quantity: int
    unit_price: Amount
    amount: Amount


@dataclass(frozen=True, slots=True)
class FiatValue:
    """What the total was worth in a currency when it was paid, and how one knows."""

    amount: Amount
    evidence: str


@dataclass(frozen=True, slots=True)
class Payment:
    """Where the payment, or the refund, stands on chain; anyone can look it up there. Hashes and addresses are hex with
    0x, `block_time` Unix seconds. The money went from `sender`, who may have paid in the customer's place, to
    `recipient`."""

    chain_id: int
    contract: str
    transaction_hash: str
    log_index: int
    block_number: int
    block_hash: str
    block_time: int
    sender: str
    recipient: str
    token: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a charge of usage is for: so many units of usage, listed in a document of the merchant's with this hash, hex
    with 0x. It stands on chain beside the payment."""

    quantity: int
    usage_hash: str


@dataclass(frozen=True, slots=True)
class QuotedPrice:
    """A price that the plan's quoter, a contract at this address, gave when it was charged: so many units of what it
    prices in were so much of the token. It stands on chain beside the payment."""

    price_units: int
    amount: Amount
    quoter: str


@dataclass(frozen=True, slots=True)
class EscrowPayment:
    """The escrow payment that a document is for: its id, hex with 0x, and the reference in its terms, their salt as a
    decimal number. All that is signed for it, and each call, comes to that id."""

    payment_id: str
    reference: str


@dataclass(frozen=True, slots=True)
class Sale:
    """What a document of something that is sold once is for: what the merchant calls the invoice on chain, how it was
    paid (`quote`, `deposit`) or given back (`refund`), and the id of the quote, hex with 0x, where one was paid."""

    reference: str
    paid_by: str
    quote_id: str | None


@dataclass(frozen=True, slots=True)
class InvoiceDocument:
    """An invoice or a credit note.

    `number` is None while it is pending. `issued_at` is the time of the payment's block, in Unix seconds. A credit note
    has the number of the invoice that it corrects in `refers_to` where that has one, an invoice the sum of its credit
    notes in `refunded` and their numbers in `credit_notes`. An invoice for usage has that in `usage`, one whose price
    was quoted has that in `quoted`. `beneficiary` is the account that the subscription serves, where it is not the
    customer's; `payment_id` names the payment in escrow where the charge is protected, hex with 0x. An invoice for an
    escrow payment itself has that in `escrow`, one for something that is sold once has that in `sale`, and neither has
    subscription and charge; a credit note of them is for the payment or the sale, whose invoices it counts for, the
    oldest first. Raises DocumentInvalid where it contradicts itself.
    """

    kind: Kind
    number: str | None
    status: Status
    issued_at: int
    merchant: Party
    customer: Party
    lines: tuple[Line, ...]
    total: Amount
    fiat: FiatValue | None
    payment: Payment
    subscription_id: int | None
    charge_number: int | None
    refers_to: str | None = None
    refunded: Amount | None = None
    credit_notes: tuple[str, ...] = ()
    usage: Usage | None = None
    quoted: QuotedPrice | None = None
    beneficiary: str | None = None
    payment_id: str | None = None
    escrow: EscrowPayment | None = None
    sale: Sale | None = None

    def __post_init__(self) -> None:
        """Checks that the document adds up."""
        name = self.number or f"the pending one of transaction {self.payment.transaction_hash}"
        if (self.number is None) != (self.status is Status.PENDING):
            raise DocumentInvalid(
                f"document {name} is {self.status} and {'has a' if self.number else 'has no'} number: exactly the "
                "pending ones have none. Run `tallystick audit verify`"
            )
        for line in self.lines:
            if line.amount.asset != self.total.asset or line.unit_price.asset != self.total.asset:
                raise DocumentInvalid(
                    f"document {name} has a line in {line.amount.asset.symbol} and a total in "
                    f"{self.total.asset.symbol}: a document has one asset. Run `tallystick audit verify`"
                )
            if line.quantity * line.unit_price.units != line.amount.units:
                raise DocumentInvalid(
                    f"document {name} has a line of {line.quantity} x {line.unit_price} that says {line.amount}: it "
                    "does not multiply. Run `tallystick audit verify`"
                )
        found = sum(line.amount.units for line in self.lines)
        if found != self.total.units:
            raise DocumentInvalid(
                f"the lines of document {name} add up to {Amount(found, self.total.asset)}, its total says "
                f"{self.total}. Run `tallystick audit verify`"
            )


@dataclass(frozen=True, slots=True)
class Issuer:
    """The merchant as its documents show it, and how they are numbered: `prefix` and six digits or more, for escrow
    payments `payment_prefix`, for what is sold once `sale_prefix`."""

    party: Party
    prefix: str = "INV-"
    payment_prefix: str = "PAY-"
    sale_prefix: str = "SALE-"

    def number_text(self, kind: Kind, number: int) -> str:
        """`INV-000042` for an invoice. Credit notes are a series of their own, `CN-000003`: CN in place of the prefix's
        INV, or behind a prefix that has none (`ACME-000042`, `ACME-CN-000003`)."""
        if kind is Kind.INVOICE:
            return f"{self.prefix}{number:06d}"
        prefix = self.prefix.replace("INV", "CN", 1) if "INV" in self.prefix else f"{self.prefix}CN-"
        return f"{prefix}{number:06d}"

    def payment_number_text(self, kind: Kind, number: int) -> str:
        """`PAY-000042` for an invoice of an escrow payment, `PAY-CN-000003` for a credit note."""
        return f"{self.payment_prefix}{'' if kind is Kind.INVOICE else 'CN-'}{number:06d}"

    def sale_number_text(self, kind: Kind, number: int) -> str:
        """`SALE-000042` for an invoice of something that is sold once, `SALE-CN-000003` for a credit note."""
        return f"{self.sale_prefix}{'' if kind is Kind.INVOICE else 'CN-'}{number:06d}"


def invoice_document(
    invoice: Invoice,
    *,
    issuer: Issuer,
    token: Token,
    contract: str,
    customer: Party | None = None,
    credit_notes: Sequence[Invoice] = (),
) -> InvoiceDocument:
    """The document of an invoice or a credit note of the books.

    `token` is the invoice's, `contract` is where its event came from. `credit_notes` are those of this invoice; only
    the final ones count. `customer` is what the merchant knows of the payer beyond its account. Raises DocumentInvalid
    where the parts do not belong together or the sums are wrong.
    """
    if token.address != invoice.token:
        raise DocumentInvalid(
            f"found the token {token.address}, the invoice was paid in {invoice.token}: give that one"
        )
    final_notes = [note for note in credit_notes if note.number is not None]
    refunded_units = sum(note.total_units for note in final_notes)
    known = customer or Party()
    merchant, payer = issuer.party, invoice.payer
    is_refund = invoice.kind is Kind.CREDIT_NOTE
    parties = (payer if is_refund else invoice.paid_by or payer), invoice.payee
    return InvoiceDocument(
        kind=invoice.kind,
        number=None if invoice.number is None else issuer.number_text(invoice.kind, invoice.number),
        status=_status(invoice.kind, invoice.number, invoice.total_units, refunded_units),
        issued_at=invoice.origin.block_time,
        merchant=Party(merchant.name, merchant.address, merchant.tax_id, merchant.email, invoice.payee),
        customer=Party(known.name, known.address, known.tax_id, known.email, payer),
        lines=tuple(
            Line(
                line.description,
                invoice.period_start,
                invoice.period_end,
                line.quantity,
                Amount(line.price_units, token),
                Amount(line.amount_units, token),
            )
            for line in invoice.lines
        ),
        total=Amount(invoice.total_units, token),
        fiat=_fiat_value(invoice.fiat),
        payment=_payment(invoice.origin, token, contract, *(parties[::-1] if is_refund else parties)),
        subscription_id=invoice.subscription_id,
        charge_number=invoice.charge_number,
        refers_to=None if invoice.corrects is None else issuer.number_text(Kind.INVOICE, invoice.corrects),
        refunded=Amount(refunded_units, token) if final_notes else None,
        credit_notes=tuple(issuer.number_text(note.kind, note.number) for note in final_notes if note.number),
        usage=invoice.usage and Usage(invoice.usage.quantity, f"0x{invoice.usage.usage_hash.hex()}"),
        quoted=_quoted(invoice, token),
        beneficiary=invoice.beneficiary,
        payment_id=f"0x{invoice.payment_id.hex()}" if invoice.payment_id else None,
    )


def payment_document(
    invoice: PaymentInvoice,
    *,
    issuer: Issuer,
    token: Token,
    contract: str,
    refunded_units: int = 0,
    credit_notes: Sequence[PaymentInvoice] = (),
) -> InvoiceDocument:
    """The document of an invoice or a credit note of an escrow payment.

    `refunded_units` is what of an invoice counts as given back by its payment's final `credit_notes`. Raises
    DocumentInvalid where the parts do not belong together or the sums are wrong.
    """
    number_text, named = issuer.payment_number_text, EscrowPayment(f"0x{invoice.payment_id.hex()}", str(invoice.salt))
    document = _once(invoice, issuer.party, token, contract, number_text, refunded_units, credit_notes)
    return replace(document, escrow=named)


def sale_document(
    invoice: SaleInvoice,
    *,
    issuer: Issuer,
    token: Token,
    contract: str,
    refunded_units: int = 0,
    credit_notes: Sequence[SaleInvoice] = (),
) -> InvoiceDocument:
    """The document of an invoice or a credit note of something that is sold once, as `payment_document`."""
    quote_id = None if invoice.quote_id is None else f"0x{invoice.quote_id.hex()}"
    named = Sale(shown_reference(invoice.reference), invoice.by.value, quote_id)
    document = _once(invoice, issuer.party, token, contract, issuer.sale_number_text, refunded_units, credit_notes)
    if invoice.address is not None:
        document = replace(document, payment=replace(document.payment, recipient=invoice.address))
    return replace(document, sale=named)


def _once(
    invoice: PaymentInvoice | SaleInvoice,
    merchant: Party,
    token: Token,
    contract: str,
    number_text: Callable[[Kind, int], str],
    refunded_units: int,
    credit_notes: Sequence[PaymentInvoice | SaleInvoice],
) -> InvoiceDocument:
    """A document of what is no subscription."""
    if token.address != invoice.token:
        raise DocumentInvalid(
            f"found the token {token.address}, the invoice was paid in {invoice.token}: give that one"
        )
    number, parties = invoice.number, (invoice.payer, invoice.payee)
    is_refund = invoice.kind is Kind.CREDIT_NOTE
    return InvoiceDocument(
        kind=invoice.kind,
        number=None if number is None else number_text(invoice.kind, number),
        status=_status(invoice.kind, number, invoice.total_units, refunded_units),
        issued_at=invoice.origin.block_time,
        merchant=Party(merchant.name, merchant.address, merchant.tax_id, merchant.email, invoice.payee),
        customer=Party(account=invoice.payer),
        lines=tuple(
            Line(
                line.description,
                None,
                None,
                line.quantity,
                Amount(line.price_units, token),
                Amount(line.amount_units, token),
            )
            for line in invoice.lines
        ),
        total=Amount(invoice.total_units, token),
        fiat=_fiat_value(invoice.fiat),
        payment=_payment(invoice.origin, token, contract, *(parties[::-1] if is_refund else parties)),
        subscription_id=None,
        charge_number=None,
        refunded=Amount(refunded_units, token) if refunded_units else None,
        credit_notes=tuple(
            number_text(note.kind, note.number) for note in credit_notes if refunded_units and note.number
        ),
    )


def _payment(origin: Origin, token: Token, contract: str, sender: str, recipient: str) -> Payment:
    return Payment(
        chain_id=token.chain_id,
        contract=contract,
        transaction_hash=f"0x{origin.transaction_hash.hex()}",
        log_index=origin.log_index,
        block_number=origin.block_number,
        block_hash=f"0x{origin.block_hash.hex()}",
        block_time=origin.block_time,
        sender=sender,
        recipient=recipient,
        token=token.address,
    )


def _quoted(invoice: Invoice, token: Token) -> QuotedPrice | None:
    if invoice.quoted is None:
        return None
    price_units, amount_units, quoter = invoice.quoted
    return QuotedPrice(price_units, Amount(amount_units, token), quoter)


def _status(kind: Kind, number: int | None, total_units: int, refunded_units: int) -> Status:
    if number is None:
        return Status.PENDING
    if kind is Kind.CREDIT_NOTE or not refunded_units:
        return Status.PAID
    return Status.REFUNDED if refunded_units >= total_units else Status.PARTLY_REFUNDED


def _fiat_value(value: BooksValue | None) -> FiatValue | None:
    return None if value is None else FiatValue(Amount(value.units, currency(value.currency)), value.evidence)
