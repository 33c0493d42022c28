"""Typed calls of `Checkout`, over the one ABI artefact, as `chain.escrow` for `Escrow`.

Every call raises the contract's own errors (`errors.ContractError`) and NodeErrors; writes also SignerErrors and
TransactionErrors. Amounts are base units, times Unix seconds; `None` for a token is the chain's own currency.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

from eth_utils.crypto import keccak

from tallystick.chain.contract import Contract, Sent
from tallystick.chain.decode_checkout import CHECKOUT
from tallystick.chain.decoder import Decoder
from tallystick.chain.payment_totals import CountedTotal
from tallystick.contracts import load_artefact
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.deposit import deposit_address
from tallystick.core.funding import Funding
from tallystick.core.quote_texts import SignedQuote


@functools.cache
def deposit_code_hash() -> bytes:
    """keccak-256 of what is created at deposit addresses, which they are made of."""
    return keccak(load_artefact("Deposit").creation_code)


class CheckoutContract(Contract):
    """The contract at one address on one chain."""

    decoder: ClassVar[Decoder[Any]] = CHECKOUT

    def is_used(self, merchant: str, number: int) -> bool:
        """Whether a merchant's number was paid or withdrawn."""
        return bool(self._read("isUsed", merchant, number))

    def quote_total(self, merchant: str, token: str) -> CountedTotal:
        """How many quotes of a merchant in a token were ever paid, and the sum of their amounts."""
        return CountedTotal(*self._read("quoteTotal", merchant, token))

    def claimable(self, account: str, token: str) -> int:
        """Units that the contract keeps for an account that could not receive them."""
        return int(self._read("claimable", account, token))

    def deposit_address(self, receiver: str, invoice: bytes) -> str:
        """Where to send what is for the receiver and the invoice; worked out here."""
        return deposit_address(receiver, invoice, contract=self.address, code_hash=deposit_code_hash())

    def pay(self, signed: SignedQuote, payer: str, funding: Funding, data: bytes = b"") -> Sent:
        """Pays a quote with the payer's money. Event: QuotePaid."""
        return self._send("pay", signed.quote.words, signed.signature, payer, int(funding), data)

    def try_pay(self, signed: SignedQuote, payer: str, funding: Funding, data: bytes, sender: str) -> None:
        """Raises what `pay` would; sends nothing."""
        self._try("pay", signed.quote.words, signed.signature, payer, int(funding), data, sender=sender)

    def withdraw_quote(self, number: int) -> Sent:
        """The signer, a merchant, will not have a number paid. Event: QuoteWithdrawn."""
        return self._send("withdrawQuote", number)

    def sweep(self, receiver: str, token: str | None, invoices: Sequence[bytes]) -> Sent:
        """Moves what stands on deposit addresses to their receiver. Events: Swept, NotSwept, ReceivedOtherwise."""
        return self._send("sweep", receiver, token or ZERO_ADDRESS, list(invoices))

    def refund(self, invoice: bytes, token: str, to: str, units: int) -> Sent:
        """Moves the signer's money to `to` and says what for. Event: InvoiceRefunded."""
        return self._send("refund", invoice, token, to, units)

    def claim(self, account: str, token: str) -> Sent:
        """Pays what the contract keeps for an account, to that account. Event: PayoutClaimed."""
        return self._send("claim", account, token)
