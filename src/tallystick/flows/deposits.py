"""Deposit addresses: where payers send from an exchange, what stands there, and bringing it to the receiver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tallystick.chain.contract import Sent
from tallystick.core.checkout_events import NotSwept, Swept, Unswept
from tallystick.core.money import Amount, Token
from tallystick.core.reference import parse_reference, shown_reference
from tallystick.errors import InputError
from tallystick.flows.connect import Connection

MOST_IN_A_CALL = 100
"""Addresses that are swept in one transaction: some five million gas."""


class DepositAddress(NamedTuple):
    """Where to send what is for a receiver and an invoice, and what stands there of a token."""

    receiver: str
    invoice: str
    address: str
    balance: Amount


@dataclass(frozen=True, slots=True)
class SweptRow:
    """What became of one address: `amount` went to the receiver, or nothing did and `reason` says why. `token` is None
    for the chain's own currency, which comes along."""

    invoice: str
    token: str | None
    amount_units: int
    reason: Unswept | None
    transaction: str


def deposit_addresses(
    connection: Connection, receiver: str, token: str, invoices: Sequence[str]
) -> list[DepositAddress]:
    """The addresses and what stands there at the latest block. Raises InputError for an invoice that cannot be one,
    NotAContract, or a NodeError."""
    contract = connection.token(token)
    described: Token = contract.describe()
    found = []
    for invoice in invoices:
        address = connection.checkout.deposit_address(receiver, parse_reference(invoice))
        found.append(DepositAddress(receiver, invoice, address, Amount(contract.balance(address), described)))
    return found


def sweep(connection: Connection, receiver: str, token: str | None, invoices: Sequence[str]) -> list[SweptRow]:
    """Moves all that stands on the addresses to their receiver; the signer pays the gas, whoever it is. At most 100
    addresses go into one transaction, so that several may be sent, one after the other.

    Raises InputError for none or a repeated one, and what `CheckoutContract.sweep` raises; what was sent before stays.
    """
    references = [parse_reference(invoice) for invoice in invoices]
    if not references or len(set(references)) < len(references):
        raise InputError(f"found {len(references)} invoices, allowed is at least one, and each once: name them so")
    rows: list[SweptRow] = []
    for start in range(0, len(references), MOST_IN_A_CALL):
        sent = connection.checkout.sweep(receiver, token, references[start : start + MOST_IN_A_CALL])
        rows += _rows(sent)
    return rows


def _rows(sent: Sent) -> list[SweptRow]:
    rows = []
    for event in sent.events:
        if isinstance(event, Swept | NotSwept):
            units, reason = (event.amount_units, None) if isinstance(event, Swept) else (0, event.reason)
            invoice = shown_reference(event.invoice)
            rows.append(SweptRow(invoice, event.token, units, reason, sent.receipt.transaction))
    return rows
