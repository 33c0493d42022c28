"""The books of escrow payments: what each event of `Escrow` does to payments, journal and invoices.

`PaymentBooks.apply` is the only way from an event to anything that is derived from it: for the mirror, for readers of
pending events, and for the audit, as `core.books` for subscriptions.

A payment's id is the digest of its terms, so that terms which a node changed do not pass. What is held is followed to
the last unit, so that an event which was left out is noticed at the payment's next one; how many payments there are,
and of what amount in all, the contract counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NamedTuple

from tallystick.core.act import refuse
from tallystick.core.books import ClaimableBalance
from tallystick.core.invoice import Kind
from tallystick.core.ledger import GENESIS_HASH, Entry, Posting, new_entry
from tallystick.core.payment_events import (
    Authorized,
    Captured,
    DisputeOpened,
    EvidenceSubmitted,
    MilestoneReached,
    PaymentCharged,
    PaymentEvent,
    PaymentRefunded,
    PaymentRevoked,
    PayoutClaimed,
    PayoutKept,
    Reclaimed,
    RecordedPayment,
    Ruled,
    Voided,
)
from tallystick.core.payment_invoice import Occasion, PaymentInvoice, payment_invoice
from tallystick.core.payment_ledger import CLAIM, KEPT, KINDS, MoneyEvent, claimed_postings, kept_postings, postings_for
from tallystick.core.payment_state import (
    Payment,
    Payout,
    captured,
    disputed,
    given_back,
    opened,
    payouts_of,
    refunded,
    require_evidence,
    require_milestone,
    ruled,
)
from tallystick.core.pegs import PegHistory, peg_at


class PaymentTotal(NamedTuple):
    """How many payments to a payee in a token were ever made, and the sum of their amounts, as the contract counts."""

    payee: str
    token: str
    payments: int
    sum_units: int


class PaymentChange(NamedTuple):
    """What one event does: what it makes, and what stands differently after it. What it leaves alone is None."""

    payment: Payment | None = None
    entry: Entry | None = None
    invoice: PaymentInvoice | None = None
    total: PaymentTotal | None = None
    claimable: ClaimableBalance | None = None
    revoked: bytes | None = None


_NOTHING = PaymentChange()


class PaymentBooks:
    """Everything that the next event may need to know, of the contract at one address on one chain.

    Whoever keeps only a part in memory fills in the payments, and the revoked ones, that the coming events touch.
    """

    def __init__(self, chain_id: int, contract: str, pegs: PegHistory) -> None:
        self.chain_id = chain_id
        self.contract = contract
        self.pegs = pegs
        self.payments: dict[bytes, Payment] = {}
        self.revoked: set[bytes] = set()
        self.totals: dict[tuple[str, str], PaymentTotal] = {}
        self.claimables: dict[tuple[str, str], int] = {}
        self.entry_number = 0
        self.entry_hash = GENESIS_HASH
        self.invoice_numbers: dict[tuple[Kind, str], int] = {}
        self._milestone: tuple[RecordedPayment, MilestoneReached] | None = None
        self._paid: list[Payout] = []
        self._paid_in: RecordedPayment | None = None

    def apply(self, recorded: RecordedPayment, *, final: bool = True) -> PaymentChange:
        """The change that an event makes; the books then stand after it.

        Only a final event is journalled and gets an invoice number. Raises EventsInconsistent for an event that cannot
        follow the ones before it.
        """
        event = recorded.event
        if self._milestone is not None and not isinstance(event, Captured):
            refuse(recorded, "it stands where the capture of a milestone is missing")
        if not isinstance(event, PayoutKept):
            self._paid = []
        return self._VERBS[type(event)](self, recorded, event, final)

    def require_whole(self) -> None:
        """Raises EventsInconsistent where a milestone was told and its capture was not."""
        if self._milestone is not None:
            refuse(self._milestone[0], "what belongs to it is missing")

    # --- a payment begins, or never will ---

    def _open(self, recorded: RecordedPayment, event: Authorized | PaymentCharged, final: bool) -> PaymentChange:
        terms, payment_id = event.terms, event.payment_id
        if payment_id in self.payments or payment_id in self.revoked:
            refuse(recorded, f"payment 0x{payment_id.hex()} was made, or revoked, before")
        expected = terms.payment_id(chain_id=self.chain_id, contract=self.contract)
        if payment_id != expected:
            refuse(recorded, f"its terms are those of payment 0x{expected.hex()}, not of 0x{payment_id.hex()}")
        payment = opened(recorded, event)
        before = self.totals.get((terms.payee, terms.token)) or PaymentTotal(terms.payee, terms.token, 0, 0)
        total = before._replace(payments=before.payments + 1, sum_units=before.sum_units + terms.amount_units)
        self.totals[terms.payee, terms.token] = total
        self.payments[payment_id] = payment
        if isinstance(event, Authorized):
            return PaymentChange(payment, self._journal(recorded, event, payment, final), total=total)
        self._pay(recorded, event, payment)
        invoice = self._invoice(recorded, payment, Occasion.CHARGE, terms.amount_units, final)
        return PaymentChange(payment, self._journal(recorded, event, payment, final), invoice, total)

    def _revoke(self, recorded: RecordedPayment, event: PaymentRevoked, _final: bool) -> PaymentChange:
        if event.payment_id in self.payments or event.payment_id in self.revoked:
            refuse(recorded, f"payment 0x{event.payment_id.hex()} was made, or revoked, before")
        self.revoked.add(event.payment_id)
        return PaymentChange(revoked=event.payment_id)

    # --- what is held ---

    def _await_capture(self, recorded: RecordedPayment, event: MilestoneReached, _final: bool) -> PaymentChange:
        require_milestone(recorded, event, self._payment(recorded, event.payment_id))
        self._milestone = recorded, event
        return _NOTHING

    def _capture(self, recorded: RecordedPayment, event: Captured, final: bool) -> PaymentChange:
        before = self._payment(recorded, event.payment_id)
        milestone = self._reached(recorded, event)
        after = captured(recorded, event, before, milestone)
        self._pay(recorded, event, before)
        occasion = Occasion.CAPTURE if milestone is None else Occasion.MILESTONE
        invoice = self._invoice(recorded, before, occasion, event.amount_units, final, milestone)
        return self._changed(recorded, event, before, after, final)._replace(invoice=invoice)

    def _reached(self, recorded: RecordedPayment, event: Captured) -> int | None:
        """The milestone that was told just before, in the same transaction."""
        if self._milestone is None:
            return None
        told, milestone = self._milestone
        same = told.origin.transaction_hash == recorded.origin.transaction_hash
        if not same or milestone.payment_id != event.payment_id:
            refuse(recorded, "it stands where the capture of a milestone is missing")
        self._milestone = None
        return milestone.milestone

    def _give_back(self, recorded: RecordedPayment, event: Voided | Reclaimed, final: bool) -> PaymentChange:
        before = self._payment(recorded, event.payment_id)
        after = given_back(recorded, event, before)
        self._pay(recorded, event, before)
        return self._changed(recorded, event, before, after, final)

    def _refund(self, recorded: RecordedPayment, event: PaymentRefunded, final: bool) -> PaymentChange:
        before = self._payment(recorded, event.payment_id)
        after = refunded(recorded, event, before)
        note = self._invoice(recorded, before, Occasion.REFUND, event.amount_units, final)
        return self._changed(recorded, event, before, after, final)._replace(invoice=note)

    # --- disputes ---

    def _dispute(self, recorded: RecordedPayment, event: DisputeOpened, _final: bool) -> PaymentChange:
        after = disputed(recorded, event, self._payment(recorded, event.payment_id))
        self.payments[event.payment_id] = after
        return PaymentChange(after)

    def _hear(self, recorded: RecordedPayment, event: EvidenceSubmitted, _final: bool) -> PaymentChange:
        require_evidence(recorded, event, self._payment(recorded, event.payment_id))
        return _NOTHING

    def _rule(self, recorded: RecordedPayment, event: Ruled, final: bool) -> PaymentChange:
        before = self._payment(recorded, event.payment_id)
        after = ruled(recorded, event, before)
        self._pay(recorded, event, before)
        gross = event.to_payee_units + event.fee_units
        invoice = self._invoice(recorded, before, Occasion.RULING, gross, final) if gross else None
        return self._changed(recorded, event, before, after, final)._replace(invoice=invoice)

    # --- what could not be received ---

    def _keep(self, recorded: RecordedPayment, event: PayoutKept, final: bool) -> PaymentChange:
        payout = self._payout(recorded, event)
        balance = self._claimable(event.account, event.token, event.amount_units)
        entry = self._write(recorded, KEPT, kept_postings(payout, event.token)) if final else None
        return PaymentChange(entry=entry, claimable=balance)

    def _payout(self, recorded: RecordedPayment, event: PayoutKept) -> Payout:
        """The one that it is: of the event just before, in the same transaction, each once and in the contract's
        order."""
        wanted, paid_in = (event.account, event.amount_units), self._paid_in
        while self._paid and paid_in is not None and self._is_of(event, recorded, paid_in):
            payout = self._paid.pop(0)
            if (payout.account, payout.units) == wanted:
                return payout
        return refuse(recorded, f"nothing before it paid {event.account} {event.amount_units} units of {event.token}")

    def _is_of(self, event: PayoutKept, recorded: RecordedPayment, paid_in: RecordedPayment) -> bool:
        payment = self.payments.get(event.payment_id)
        return (
            payment is not None
            and payment.terms.token == event.token
            and getattr(paid_in.event, "payment_id", None) == event.payment_id
            and paid_in.origin.transaction_hash == recorded.origin.transaction_hash
        )

    def _claim(self, recorded: RecordedPayment, event: PayoutClaimed, final: bool) -> PaymentChange:
        found = self.claimables.get((event.account, event.token), 0)
        if not event.amount_units or event.amount_units != found:
            refuse(recorded, f"{event.amount_units} units are claimed, {found} are kept for {event.account}")
        balance = self._claimable(event.account, event.token, -found)
        entry = self._write(recorded, CLAIM, claimed_postings(event)) if final else None
        return PaymentChange(entry=entry, claimable=balance)

    def _claimable(self, account: str, token: str, units: int) -> ClaimableBalance:
        total = self.claimables.get((account, token), 0) + units
        self.claimables[account, token] = total
        return ClaimableBalance(account, token, total)

    # --- parts ---

    def _payment(self, recorded: RecordedPayment, payment_id: bytes) -> Payment:
        found = self.payments.get(payment_id)
        if found is None:
            refuse(recorded, f"payment 0x{payment_id.hex()} is unknown")
        return found

    def _pay(
        self,
        recorded: RecordedPayment,
        event: PaymentCharged | Captured | Voided | Reclaimed | Ruled,
        payment: Payment,
    ) -> None:
        self._paid, self._paid_in = list(payouts_of(event, payment.terms)), recorded

    def _changed(
        self, recorded: RecordedPayment, event: MoneyEvent, before: Payment, after: Payment, final: bool
    ) -> PaymentChange:
        self.payments[after.payment_id] = after
        return PaymentChange(after, self._journal(recorded, event, before, final))

    def _journal(self, recorded: RecordedPayment, event: MoneyEvent, payment: Payment, final: bool) -> Entry | None:
        return self._write(recorded, KINDS[type(event)], postings_for(event, payment)) if final else None

    def _write(self, recorded: RecordedPayment, kind: str, postings: tuple[Posting, ...]) -> Entry:
        self.entry_number += 1
        entry = new_entry(self.entry_number, kind, recorded.origin, postings, self.entry_hash)
        self.entry_hash = entry.hash
        return entry

    def _invoice(
        self,
        recorded: RecordedPayment,
        payment: Payment,
        occasion: Occasion,
        units: int,
        final: bool,
        milestone: int | None = None,
    ) -> PaymentInvoice | None:
        if payment.collector is not None:
            return None
        terms, number = payment.terms, None
        if final:
            key = Kind.CREDIT_NOTE if occasion is Occasion.REFUND else Kind.INVOICE, terms.payee
            number = self.invoice_numbers[key] = self.invoice_numbers.get(key, 0) + 1
        peg = peg_at(self.pegs, terms.token, recorded.origin.block_number)
        return payment_invoice(payment, occasion, units, recorded.origin, number=number, peg=peg, milestone=milestone)

    _VERBS: ClassVar[dict[type[PaymentEvent], Callable[[PaymentBooks, RecordedPayment, Any, bool], PaymentChange]]] = {
        Authorized: _open,
        PaymentCharged: _open,
        PaymentRevoked: _revoke,
        MilestoneReached: _await_capture,
        Captured: _capture,
        Voided: _give_back,
        Reclaimed: _give_back,
        PaymentRefunded: _refund,
        DisputeOpened: _dispute,
        EvidenceSubmitted: _hear,
        Ruled: _rule,
        PayoutKept: _keep,
        PayoutClaimed: _claim,
    }


def touched_payments(events: Iterable[PaymentEvent]) -> list[bytes]:
    """The payments that these events are about."""
    return sorted({event.payment_id for event in events if not isinstance(event, PayoutClaimed)})
