"""The books of what is sold once: what each event of `Checkout`, and each transfer to a deposit address, does to
deposits, journal and invoices.

`CheckoutBooks.apply` is the only way from an event to anything that is derived from it: for the mirror, for readers of
pending events, and for the audit, as `core.books` for subscriptions.

Whoever wants can make a token that says anything. So transfers, sweeps and refunds are booked in the tokens that the
merchant knows alone: those that were expected and those with a declared value, and the chain's own currency. Others are
events without an entry. Quotes are booked in any token: their merchant signed it, and their amounts are bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

from tallystick.core.act import refuse
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.books import ClaimableBalance
from tallystick.core.checkout_events import (
    CheckoutEvent,
    InvoiceRefunded,
    QuotePaid,
    QuoteWithdrawn,
    RecordedCheckout,
    Swept,
    TokenReceived,
)
from tallystick.core.checkout_invoice import SaleBy, SaleInvoice
from tallystick.core.checkout_ledger import (
    CLAIM,
    DEPOSIT,
    KEPT,
    QUOTE,
    REFUND,
    SWEEP,
    deposit_postings,
    kept_postings,
    quote_postings,
    refund_postings,
    sweep_postings,
)
from tallystick.core.expected import Deposit, Expected, Returned, Taken, give_back, take
from tallystick.core.invoice import Kind
from tallystick.core.ledger import GENESIS_HASH, Entry, Posting, new_entry
from tallystick.core.payment_events import PayoutClaimed, PayoutKept
from tallystick.core.payment_ledger import claimed_postings
from tallystick.core.pegs import DeclaredPeg, PegHistory, peg_at

NUMBERS_IN_A_WORD = 256


class QuoteTotal(NamedTuple):
    """How many quotes of a merchant in a token were ever paid, and the sum of their amounts, as the contract counts."""

    merchant: str
    token: str
    quotes: int
    sum_units: int


class Sale(NamedTuple):
    """What was sold once for an invoice of a merchant in a token, and what of it was given back, in base units."""

    merchant: str
    invoice: bytes
    token: str
    sold_units: int = 0
    refunded_units: int = 0


class UsedNumbers(NamedTuple):
    """Which of a merchant's 256 numbers from `word * 256` on were paid or withdrawn: a bit for each, as the contract
    has them."""

    merchant: str
    word: int
    bits: int


class CheckoutChange(NamedTuple):
    """What one event does: what it makes, and what stands differently after it. What it leaves alone is None. `taken`
    is what became of money that came in."""

    entry: Entry | None = None
    invoice: SaleInvoice | None = None
    deposit: Deposit | None = None
    sale: Sale | None = None
    total: QuoteTotal | None = None
    used: UsedNumbers | None = None
    claimable: ClaimableBalance | None = None
    taken: Taken | None = None


_NOTHING = CheckoutChange()
_Key = tuple[str, bytes, str]
"""Receiver or merchant, invoice, token."""


class CheckoutBooks:
    """Everything that the next event may need to know, of the contract at one address on one chain.

    Whoever keeps only a part in memory fills in the deposits, sales and numbers that the coming events touch.
    `declared` are the merchant's pegs: the tokens in them are known.
    """

    def __init__(
        self,
        chain_id: int,
        contract: str,
        pegs: PegHistory,
        *,
        expected: Iterable[Expected] = (),
        declared: Sequence[DeclaredPeg] = (),
    ) -> None:
        self.chain_id = chain_id
        self.contract = contract
        self.pegs = pegs
        self.deposits: dict[_Key, Deposit] = {}
        self.sales: dict[_Key, Sale] = {}
        self.totals: dict[tuple[str, str], QuoteTotal] = {}
        self.used: dict[tuple[str, int], UsedNumbers] = {}
        self.claimables: dict[tuple[str, str], int] = {}
        self.entry_number = 0
        self.entry_hash = GENESIS_HASH
        self.invoice_numbers: dict[tuple[Kind, str], int] = {}
        self._by_invoice = {(one.receiver, one.invoice): one for one in expected}
        self._by_address = {one.address: one for one in self._by_invoice.values()}
        self._known = _known_tokens(self._by_invoice.values(), declared)
        self._paid: QuotePaid | None = None
        self._paid_in = b""
        self._left: list[tuple[str, int]] = []

    def apply(self, recorded: RecordedCheckout, *, final: bool = True) -> CheckoutChange:
        """The change that an event makes; the books then stand after it.

        Only a final event is journalled and gets an invoice number. Raises EventsInconsistent for an event that cannot
        follow the ones before it.
        """
        verb = self._VERBS.get(type(recorded.event))
        return verb(self, recorded, recorded.event, final) if verb else _NOTHING

    def expectation(self, address: str) -> Expected | None:
        """What is expected at a deposit address."""
        return self._by_address.get(address)

    def is_known(self, token: str, block: int) -> bool:
        """Whether movements in a token are booked."""
        return any(first <= block and (last is None or block < last) for first, last in self._known.get(token, ()))

    # --- quotes ---

    def _pay(self, recorded: RecordedCheckout, event: QuotePaid, final: bool) -> CheckoutChange:
        quote = event.quote
        expected = quote.quote_id(chain_id=self.chain_id, contract=self.contract)
        if event.quote_id != expected:
            refuse(recorded, f"its words are those of quote 0x{expected.hex()}, not of 0x{event.quote_id.hex()}")
        used = self._use(recorded, quote.merchant, quote.number)
        pair = quote.merchant, quote.token
        before = self.totals.get(pair) or QuoteTotal(*pair, 0, 0)
        units = quote.amount_units
        total = before._replace(quotes=before.quotes + 1, sum_units=before.sum_units + units)
        self.totals[pair] = total
        sale = self._sold(quote.merchant, quote.invoice, quote.token, units)
        self._paid, self._paid_in = event, recorded.origin.transaction_hash
        self._left = list(quote.payouts)
        entry = self._write(recorded, QUOTE, quote_postings(event), final)
        invoice = self._invoice(
            *(recorded, SaleBy.QUOTE, quote.merchant, event.payer, quote.token, quote.invoice, units, final),
            quote_id=event.quote_id,
        )
        return CheckoutChange(entry, invoice, sale=sale, total=total, used=used)

    def _withdraw(self, recorded: RecordedCheckout, event: QuoteWithdrawn, _final: bool) -> CheckoutChange:
        return CheckoutChange(used=self._use(recorded, event.merchant, event.number))

    def _use(self, recorded: RecordedCheckout, merchant: str, number: int) -> UsedNumbers:
        word, bit = number // NUMBERS_IN_A_WORD, 1 << number % NUMBERS_IN_A_WORD
        before = self.used.get((merchant, word)) or UsedNumbers(merchant, word, 0)
        if before.bits & bit:
            refuse(recorded, f"number {number} of {merchant} was paid or withdrawn before")
        after = self.used[merchant, word] = before._replace(bits=before.bits | bit)
        return after

    def _keep(self, recorded: RecordedCheckout, event: PayoutKept, final: bool) -> CheckoutChange:
        """Of the quote just before, in the same transaction, each part once and in the contract's order."""
        paid, wanted = self._paid, (event.account, event.amount_units)
        same = (
            paid is not None
            and (paid.quote_id, paid.quote.token) == (event.payment_id, event.token)
            and self._paid_in == recorded.origin.transaction_hash
        )
        while same and self._left:
            if self._left.pop(0) == wanted:
                entry = self._write(
                    recorded, KEPT, kept_postings(event.account, event.token, event.amount_units), final
                )
                return CheckoutChange(entry, claimable=self._claimable(event.account, event.token, event.amount_units))
        return refuse(recorded, f"nothing before it paid {event.account} {event.amount_units} units of {event.token}")

    def _claim(self, recorded: RecordedCheckout, event: PayoutClaimed, final: bool) -> CheckoutChange:
        found = self.claimables.get((event.account, event.token), 0)
        if not event.amount_units or event.amount_units != found:
            refuse(recorded, f"{event.amount_units} units are claimed, {found} are kept for {event.account}")
        entry = self._write(recorded, CLAIM, claimed_postings(event), final)
        return CheckoutChange(entry, claimable=self._claimable(event.account, event.token, -found))

    def _claimable(self, account: str, token: str, units: int) -> ClaimableBalance:
        total = self.claimables[account, token] = self.claimables.get((account, token), 0) + units
        return ClaimableBalance(account, token, total)

    # --- deposit addresses ---

    def _receive(self, recorded: RecordedCheckout, event: TokenReceived, final: bool) -> CheckoutChange:
        expected, origin = self._by_address.get(event.address), recorded.origin
        if expected is None:
            refuse(recorded, f"nobody watches {event.address}")
        if not event.amount_units or not self.is_known(event.token, origin.block_number):
            return _NOTHING
        before = self._deposit(expected.receiver, expected.invoice, event.token)
        after, taken = take(expected, before, event.amount_units, origin.block_time)
        after = self._stands(after, event.amount_units)
        entry = self._write(recorded, DEPOSIT, deposit_postings(expected.receiver, event.token, taken), final)
        sale, invoice = self._settled(recorded, after, taken, event.sender, final)
        return CheckoutChange(entry, invoice, after, sale, taken=taken)

    def _sweep(self, recorded: RecordedCheckout, event: Swept, final: bool) -> CheckoutChange:
        token, units, origin = event.token or ZERO_ADDRESS, event.amount_units, recorded.origin
        if not self.is_known(token, origin.block_number):
            return _NOTHING
        deposit = self._deposit(event.receiver, event.invoice, token)
        found_units, lost_units = max(0, units - deposit.standing_units), max(0, deposit.standing_units - units)
        found: Taken | None = None
        sale: Sale | None = None
        invoice: SaleInvoice | None = None
        expected = self._by_invoice.get((event.receiver, event.invoice))
        if found_units:
            deposit, found = take(expected, deposit, found_units, origin.block_time)
            sale, invoice = self._settled(recorded, deposit, found, None, final)
        after = self._stands(deposit, -deposit.standing_units)
        postings = sweep_postings(event.receiver, token, units, found=found, lost_units=lost_units)
        return CheckoutChange(self._write(recorded, SWEEP, postings, final), invoice, after, sale, taken=found)

    def _settled(
        self, recorded: RecordedCheckout, deposit: Deposit, taken: Taken, payer: str | None, final: bool
    ) -> tuple[Sale | None, SaleInvoice | None]:
        """What was sold, where what came in has paid an invoice. Where no transfer told of it nobody knows who paid:
        then it is the address itself."""
        if taken.paid_units is None or taken.waived_units is None:
            return None, None
        receiver, reference, token, units = deposit.receiver, deposit.invoice, deposit.token, taken.paid_units
        address = self._by_invoice[receiver, reference].address
        invoice = self._invoice(
            *(recorded, SaleBy.DEPOSIT, receiver, payer or address, token, reference, units, final),
            address=address,
            waived_units=taken.waived_units,
        )
        return self._sold(receiver, reference, token, units), invoice

    def _stands(self, deposit: Deposit, more_units: int) -> Deposit:
        after = deposit._replace(standing_units=deposit.standing_units + more_units)
        self.deposits[deposit.receiver, deposit.invoice, deposit.token] = after
        return after

    def _deposit(self, receiver: str, invoice: bytes, token: str) -> Deposit:
        return self.deposits.get((receiver, invoice, token)) or Deposit(receiver, invoice, token)

    # --- refunds ---

    def _refund(self, recorded: RecordedCheckout, event: InvoiceRefunded, final: bool) -> CheckoutChange:
        key = event.by, event.invoice, event.token
        deposit, returned = give_back(self._deposit(*key), event.amount_units)
        before = self.sales.get(key) or Sale(*key)
        sold = min(returned.rest_units, before.sold_units - before.refunded_units)
        if not self.is_known(event.token, recorded.origin.block_number):
            returned = Returned(returned.credit_units, returned.advance_units, sold)
        change = CheckoutChange(self._write(recorded, REFUND, refund_postings(event, returned, sold), final))
        if returned.credit_units or returned.advance_units:
            self.deposits[key] = deposit
            change = change._replace(deposit=deposit)
        if not sold:
            return change
        sale = self.sales[key] = before._replace(refunded_units=before.refunded_units + sold)
        invoice = self._invoice(recorded, SaleBy.REFUND, event.by, event.to, event.token, event.invoice, sold, final)
        return change._replace(invoice=invoice, sale=sale)

    # --- parts ---

    def _sold(self, merchant: str, invoice: bytes, token: str, units: int) -> Sale:
        key = merchant, invoice, token
        before = self.sales.get(key) or Sale(*key)
        after = self.sales[key] = before._replace(sold_units=before.sold_units + units)
        return after

    def _write(self, recorded: RecordedCheckout, kind: str, postings: tuple[Posting, ...], final: bool) -> Entry | None:
        if not final or not postings:
            return None
        self.entry_number += 1
        entry = new_entry(self.entry_number, kind, recorded.origin, postings, self.entry_hash)
        self.entry_hash = entry.hash
        return entry

    def _invoice(
        self,
        recorded: RecordedCheckout,
        by: SaleBy,
        payee: str,
        payer: str,
        token: str,
        reference: bytes,
        units: int,
        final: bool,
        *,
        quote_id: bytes | None = None,
        address: str | None = None,
        waived_units: int = 0,
    ) -> SaleInvoice:
        kind, number = Kind.CREDIT_NOTE if by is SaleBy.REFUND else Kind.INVOICE, None
        if final:
            number = self.invoice_numbers[kind, payee] = self.invoice_numbers.get((kind, payee), 0) + 1
        peg = peg_at(self.pegs, token, recorded.origin.block_number)
        fiat = peg.value(units) if peg else None
        return SaleInvoice(
            *(kind, number, payee, payer, token, reference, by, quote_id, address, units, waived_units, fiat),
            recorded.origin,
        )

    _VERBS: ClassVar[
        dict[type[CheckoutEvent], Callable[[CheckoutBooks, RecordedCheckout, Any, bool], CheckoutChange]]
    ] = {
        QuotePaid: _pay,
        QuoteWithdrawn: _withdraw,
        PayoutKept: _keep,
        PayoutClaimed: _claim,
        TokenReceived: _receive,
        Swept: _sweep,
        InvoiceRefunded: _refund,
    }
    """`NotSwept` and `ReceivedOtherwise` move nothing that is booked: what a receiver passes on is its own affair."""


def _known_tokens(
    expected: Iterable[Expected], declared: Sequence[DeclaredPeg]
) -> dict[str, list[tuple[int, int | None]]]:
    """By token: the blocks, [first, last), in which it is known. `declared` is ordered by token and block."""
    found: dict[str, list[tuple[int, int | None]]] = {ZERO_ADDRESS: [(0, None)]}
    for one in expected:
        found.setdefault(one.token, []).append((one.from_block, None))
    for position, peg in enumerate(declared):
        if peg.currency is not None:
            after = declared[position + 1] if position + 1 < len(declared) else None
            last = after.from_block if after and after.token == peg.token else None
            found.setdefault(peg.token, []).append((peg.from_block, last))
    return {token: _widest(spans) for token, spans in found.items()}


def _widest(spans: list[tuple[int, int | None]]) -> list[tuple[int, int | None]]:
    """Without those that an open one covers: a token may be expected a thousand times."""
    opened = min((first for first, last in spans if last is None), default=None)
    closed = [span for span in spans if span[1] is not None and (opened is None or span[0] < opened)]
    return closed if opened is None else [*closed, (opened, None)]
