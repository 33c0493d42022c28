"""The texts of a page: a document as the strings that the PDF's template puts in their places.

The template decides how things look and never what they say. All text of others passes through here, where it is made
printable and, where it is one endless word, breakable.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import TypedDict

from tallystick.core.invoice import Kind
from tallystick.core.money import Amount
from tallystick.render.document import EscrowPayment, InvoiceDocument, Line, Party, Status
from tallystick.render.wording import (
    amount_text,
    date_text,
    decimals_needed,
    money_text,
    period_text,
    printable,
    time_text,
)

WORD_FITS = 28
"""Longer words get places where they may break: the narrowest column holds about so many letters."""

NUMBER_FITS = 24
"""Longer numbers get places where they may break, at their groups of digits."""

REFERENCE_DIGITS = 20
"""The longest number that stands beside the customer's address."""

NOTES_NAMED = 6
"""More credit notes than that are counted instead of named."""

MAY_BREAK = "\N{ZERO WIDTH SPACE}"
_MINUS = "\N{MINUS SIGN}"
_JOINER = "\N{ZERO WIDTH JOINER}"
_TONES = {
    Status.PENDING: "open",
    Status.PAID: "done",
    Status.PARTLY_REFUNDED: "changed",
    Status.REFUNDED: "changed",
}


class Row(TypedDict):
    """A name and its value; `mono` for hashes and addresses."""

    label: str
    value: str
    mono: bool


class LineTexts(TypedDict):
    """A line of the table."""

    description: str
    period: str
    quantity: str
    price: str
    amount: str


class PartyTexts(TypedDict):
    """A block with a side: its name, and what stands below."""

    label: str
    name: str
    lines: list[str]
    account: str | None


class Sum(TypedDict):
    """A line below the table."""

    label: str
    value: str
    strong: bool


class FiatTexts(TypedDict):
    """The fiat value and its evidence."""

    label: str
    value: str
    evidence: str


class Page(TypedDict):
    """Everything that the template shows."""

    title: str
    number: str | None
    status: str
    tone: str
    notice: str | None
    watermark: str | None
    merchant: PartyTexts
    customer: PartyTexts
    facts: list[Row]
    unit: str
    wide: bool
    lines: list[LineTexts]
    totals: list[Sum]
    fiat: FiatTexts | None
    proof_title: str
    proof_note: str
    proof: list[Row]
    footer: str
    meta_title: str
    meta_author: str
    meta_description: str


def page(document: InvoiceDocument) -> Page:
    """The texts of the document's page."""
    is_credit = document.kind is Kind.CREDIT_NOTE
    is_pending = document.status is Status.PENDING
    noun = "Credit note" if is_credit else "Invoice"
    name = f"{noun} {document.number}" if document.number else f"Pending {noun.lower()}"
    author = printable(document.merchant.name or document.merchant.account or "")
    decimals = decimals_needed(
        (units for line in document.lines for units in (line.unit_price.units, line.amount.units)),
        document.total.asset.exponent,
    )
    lines = [_line(line, decimals) for line in document.lines]
    return {
        "title": f"Pending {noun.lower()}" if is_pending else noun,
        "number": None if document.number is None else _free(document.number),
        "status": _status_text(document),
        "tone": _TONES[document.status],
        "notice": _notice(document) if is_pending else None,
        "watermark": "PENDING" if is_pending else None,
        "merchant": _merchant(document.merchant),
        "customer": _party("Credit to" if is_credit else "Billed to", document.customer),
        "facts": _facts(document),
        "unit": _free(document.total.asset.symbol),
        "wide": any(len(line["amount"]) > NUMBER_FITS for line in lines),
        "lines": lines,
        "totals": _totals(document, decimals),
        "fiat": _fiat(document),
        "proof_title": "Refunded on chain" if is_credit else "Paid on chain",
        "proof_note": _proof_note(document, is_credit),
        "proof": _proof(document),
        "footer": _free(" · ".join(part for part in (author, name) if part)),
        "meta_title": printable(f"{name}, {author}" if author else name),
        "meta_author": author,
        "meta_description": printable(f"{noun} over {money_text(document.total)} of {date_text(document.issued_at)}"),
    }


def breakable(text: str, every: int = 1) -> str:
    """The text with invisible places to break in words that are too long for a column, behind each of `every` so many
    letters; never inside a letter with its marks."""
    return re.sub(rf"\S{{{WORD_FITS + 1},}}", lambda word: _broken(word.group(), every), text)


def _broken(word: str, every: int) -> str:
    parts: list[str] = []
    letters = 0
    for character in word:
        joins = unicodedata.category(character).startswith(("M", "Sk")) or character == _JOINER
        if parts and not joins and not parts[-1].endswith(_JOINER):
            letters += 1
            if letters % every == 0:
                parts.append(MAY_BREAK)
        parts.append(character)
    return "".join(parts)


def _free(text: str) -> str:
    return breakable(printable(text))


def _money(amount: Amount, decimals: int | None = None) -> str:
    return f"{_number(amount, decimals)} {_free(amount.asset.symbol)}"


def _number(amount: Amount, decimals: int | None) -> str:
    text = amount_text(amount.units, amount.asset.exponent, decimals).replace("-", _MINUS)
    if len(text) <= NUMBER_FITS:
        return text
    whole, point, fraction = text.partition(".")
    groups = (fraction[at : at + 3] for at in range(0, len(fraction), 3))
    return whole.replace(",", f",{MAY_BREAK}") + point + MAY_BREAK.join(groups)


def _row(label: str, value: object, *, mono: bool = False) -> Row:
    """A hash or an address fits its column, and is copied in one piece if nothing breaks it."""
    text = str(value)
    return {"label": label, "value": printable(text) if mono else _free(text), "mono": mono}


def _status_text(document: InvoiceDocument) -> str:
    if document.kind is Kind.CREDIT_NOTE and document.status is Status.PAID:
        return "Refunded"
    return document.status.value.replace("_", " ").capitalize()


def _notice(document: InvoiceDocument) -> str:
    what = "an invoice" if document.kind is Kind.INVOICE else "a credit note"
    return (
        f"This is not {what} yet. The block that holds the payment is not final and could still be replaced. It gets "
        "its number when the block is final."
    )


def _facts(document: InvoiceDocument) -> list[Row]:
    is_credit = document.kind is Kind.CREDIT_NOTE
    is_pending = document.status is Status.PENDING
    rows = [] if is_pending else [_row("Date of issue", date_text(document.issued_at))]
    if is_credit and document.escrow is None and document.sale is None:
        rows.append(_row("Corrects invoice", document.refers_to or "not numbered yet"))
    rows.append(_row("Refunded at" if is_credit else "Paid at", time_text(document.payment.block_time)))
    if document.escrow is not None:
        reference = _short_reference(document.escrow)
        return [*rows, _row("Reference", reference)] if reference else rows
    if document.sale is not None:
        return [*rows, _row("Reference", document.sale.reference)]
    rows += [_row("Subscription", document.subscription_id), _row("Charge", document.charge_number)]
    return [*rows, _row("For", document.beneficiary)] if document.beneficiary else rows


def _totals(document: InvoiceDocument, decimals: int) -> list[Sum]:
    is_credit = document.kind is Kind.CREDIT_NOTE
    total: Sum = {
        "label": "Total credited" if is_credit else "Total",
        "value": _money(document.total, decimals),
        "strong": True,
    }
    if document.refunded is None:
        return [total]
    notes = document.credit_notes
    by = ", ".join(notes) if len(notes) <= NOTES_NAMED else f"{len(notes)} credit notes"
    kept = Amount(document.total.units - document.refunded.units, document.total.asset)
    return [
        total,
        {"label": _free(f"Refunded by {by}"), "value": _money(-document.refunded, decimals), "strong": False},
        {"label": "Paid after refunds", "value": _money(kept, decimals), "strong": False},
    ]


def _fiat(document: InvoiceDocument) -> FiatTexts | None:
    if document.fiat is None:
        return None
    moment = "refunded" if document.kind is Kind.CREDIT_NOTE else "paid"
    return {
        "label": f"Value when {moment}",
        "value": _money(document.fiat.amount),
        "evidence": _free(document.fiat.evidence),
    }


def _line(line: Line, decimals: int) -> LineTexts:
    return {
        "description": _free(line.description),
        "period": _period(line),
        "quantity": f"{line.quantity:,}",
        "price": _number(line.unit_price, decimals),
        "amount": _number(line.amount, decimals),
    }


def _period(line: Line) -> str:
    if line.period_start is None or line.period_end is None:
        return ""
    return period_text(line.period_start, line.period_end)


def _merchant(party: Party) -> PartyTexts:
    """The letterhead: the account is its last resort, for it stands in the proof of payment anyway."""
    texts = _party("From", party)
    return texts if not texts["name"] else {**texts, "account": None}


def _party(label: str, party: Party) -> PartyTexts:
    lines: Iterable[str] = (*party.address, f"Tax ID {party.tax_id}" if party.tax_id else "", party.email or "")
    return {
        "label": label,
        "name": _free(party.name or ""),
        "lines": [_free(line) for line in lines if line.strip()],
        "account": party.account,
    }


def _proof_note(document: InvoiceDocument, is_credit: bool) -> str:
    did = "gave back the money" if is_credit else "moved the money"
    if not document.total.units:
        did = "moved no money: credit or a discount took all of it"
    return f"This transaction {did}. It can be looked up by anyone on chain {document.payment.chain_id}."


def _short_reference(escrow: EscrowPayment) -> str | None:
    """A number that somebody chose, such as that of an order; a random one is no reference, and too long for a fact."""
    return escrow.reference if len(escrow.reference) <= REFERENCE_DIGITS else None


def _proof(document: InvoiceDocument) -> list[Row]:
    payment, usage, quoted = document.payment, document.usage, document.quoted
    hashes = {
        "Transaction": payment.transaction_hash,
        "Log": payment.log_index,
        "Block": payment.block_number,
        "Block hash": payment.block_hash,
        "From": payment.sender,
        "To": payment.recipient,
        "Token": payment.token,
        "Contract": payment.contract,
    }
    rows = [_row(label, value, mono=True) for label, value in hashes.items()]
    if document.payment_id is not None:
        rows.append(_row("Escrow payment", document.payment_id, mono=True))
    if document.escrow is not None:
        rows.append(_row("Payment", document.escrow.payment_id, mono=True))
        if not _short_reference(document.escrow):
            rows.append(_row("Salt", hex(int(document.escrow.reference)), mono=True))
    if document.sale is not None and document.sale.quote_id is not None:
        rows.append(_row("Quote", document.sale.quote_id, mono=True))
    if usage is not None:
        rows.append(_row("Usage hash", usage.usage_hash, mono=True))
    if quoted is not None:
        rows.append(_row("Quoter", quoted.quoter, mono=True))
        rows.append(_row("Quoted", f"{quoted.price_units:,} units of the quoter are {_money(quoted.amount)}"))
    return [*rows[:4], _row("Block time", time_text(payment.block_time)), *rows[4:]]
