"""A document as JSON for programs. The fields are described in docs/invoices.md; they are only ever added to.

Amounts are objects with the base units as digit text (JSON numbers lose digits beyond 2^53) and the exact decimal text;
times are RFC 3339 in UTC.
"""

from __future__ import annotations

import json
from typing import TypedDict

from tallystick.core.money import Amount, Token
from tallystick.render.document import (
    EscrowPayment,
    FiatValue,
    InvoiceDocument,
    Line,
    Party,
    Payment,
    QuotedPrice,
    Sale,
    Usage,
)
from tallystick.render.wording import iso_text

FORMAT = "tallystick/invoice/1"


class AssetJson(TypedDict, total=False):
    """A token (with chain and address) or a currency."""

    symbol: str
    decimals: int
    chain_id: int
    address: str


class AmountJson(TypedDict):
    """`units` and `decimal` say the same thing twice."""

    units: str
    decimal: str
    asset: AssetJson


class PartyJson(TypedDict):
    """A side; what is not known is null."""

    name: str | None
    address: list[str]
    tax_id: str | None
    email: str | None
    account: str | None


class LineJson(TypedDict):
    """A line; the period is [period_start, period_end), null where it is for no time."""

    description: str
    period_start: str | None
    period_end: str | None
    quantity: int
    unit_price: AmountJson
    amount: AmountJson


class FiatValueJson(TypedDict):
    """A value with its evidence."""

    amount: AmountJson
    evidence: str


class PaymentJson(TypedDict):
    """Where the payment stands on chain."""

    chain_id: int
    contract: str
    transaction_hash: str
    log_index: int
    block_number: int
    block_hash: str
    block_time: str
    sender: str
    recipient: str
    token: str


class UsageJson(TypedDict):
    """The quantity is text: JSON numbers lose digits beyond 2^53."""

    quantity: str
    hash: str


class QuotedJson(TypedDict):
    """The price is text, as the units of an amount are: in units of what the quoter prices in."""

    price_units: str
    amount: AmountJson
    quoter: str


class EscrowJson(TypedDict):
    """The reference is text, as it may have 256 bits."""

    payment_id: str
    reference: str


class SaleJson(TypedDict):
    """What is sold once."""

    reference: str
    paid_by: str
    quote_id: str | None


class InvoiceJson(TypedDict):
    """The whole document."""

    format: str
    kind: str
    number: str | None
    status: str
    issued_at: str
    merchant: PartyJson
    customer: PartyJson
    lines: list[LineJson]
    total: AmountJson
    fiat_value: FiatValueJson | None
    payment: PaymentJson
    subscription_id: int | None
    charge_number: int | None
    refers_to: str | None
    refunded: AmountJson | None
    credit_notes: list[str]
    usage: UsageJson | None
    quoted: QuotedJson | None
    beneficiary: str | None
    payment_id: str | None
    escrow: EscrowJson | None
    sale: SaleJson | None


def invoice_json(document: InvoiceDocument) -> InvoiceJson:
    """The document as plain dictionaries and lists, keys always in the same order."""
    return {
        "format": FORMAT,
        "kind": document.kind.value,
        "number": document.number,
        "status": document.status.value,
        "issued_at": iso_text(document.issued_at),
        "merchant": _party(document.merchant),
        "customer": _party(document.customer),
        "lines": [_line(line) for line in document.lines],
        "total": _amount(document.total),
        "fiat_value": _fiat_value(document.fiat),
        "payment": _payment(document.payment),
        "subscription_id": document.subscription_id,
        "charge_number": document.charge_number,
        "refers_to": document.refers_to,
        "refunded": None if document.refunded is None else _amount(document.refunded),
        "credit_notes": list(document.credit_notes),
        "usage": _usage(document.usage),
        "quoted": _quoted(document.quoted),
        "beneficiary": document.beneficiary,
        "payment_id": document.payment_id,
        "escrow": None if document.escrow is None else _escrow(document.escrow),
        "sale": None if document.sale is None else _sale(document.sale),
    }


def invoice_json_text(document: InvoiceDocument) -> str:
    """The document as JSON text in ASCII, indented by two, with a final newline: the same input, the same bytes."""
    return json.dumps(invoice_json(document), indent=2) + "\n"


def _amount(amount: Amount) -> AmountJson:
    asset = amount.asset
    named: AssetJson = {"symbol": asset.symbol, "decimals": asset.exponent}
    if isinstance(asset, Token):
        named |= {"chain_id": asset.chain_id, "address": asset.address}
    return {"units": str(amount.units), "decimal": amount.decimal_text, "asset": named}


def _party(party: Party) -> PartyJson:
    return {
        "name": party.name,
        "address": list(party.address),
        "tax_id": party.tax_id,
        "email": party.email,
        "account": party.account,
    }


def _line(line: Line) -> LineJson:
    return {
        "description": line.description,
        "period_start": None if line.period_start is None else iso_text(line.period_start),
        "period_end": None if line.period_end is None else iso_text(line.period_end),
        "quantity": line.quantity,
        "unit_price": _amount(line.unit_price),
        "amount": _amount(line.amount),
    }


def _fiat_value(fiat: FiatValue | None) -> FiatValueJson | None:
    return None if fiat is None else {"amount": _amount(fiat.amount), "evidence": fiat.evidence}


def _usage(usage: Usage | None) -> UsageJson | None:
    return None if usage is None else {"quantity": str(usage.quantity), "hash": usage.usage_hash}


def _quoted(quoted: QuotedPrice | None) -> QuotedJson | None:
    if quoted is None:
        return None
    return {"price_units": str(quoted.price_units), "amount": _amount(quoted.amount), "quoter": quoted.quoter}


def _escrow(escrow: EscrowPayment) -> EscrowJson:
    return {"payment_id": escrow.payment_id, "reference": escrow.reference}


def _sale(sale: Sale) -> SaleJson:
    return {"reference": sale.reference, "paid_by": sale.paid_by, "quote_id": sale.quote_id}


def _payment(payment: Payment) -> PaymentJson:
    return {
        "chain_id": payment.chain_id,
        "contract": payment.contract,
        "transaction_hash": payment.transaction_hash,
        "log_index": payment.log_index,
        "block_number": payment.block_number,
        "block_hash": payment.block_hash,
        "block_time": iso_text(payment.block_time),
        "sender": payment.sender,
        "recipient": payment.recipient,
        "token": payment.token,
    }
