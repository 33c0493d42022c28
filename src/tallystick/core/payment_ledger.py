"""The postings of escrow payments: one entry for each event that moves money or says whose it is.

The accounts are those of `core.ledger`. What is held is no income: it stands in `Assets:Escrow` against
`Liabilities:Held` until it is captured or given back. The parts of a ruling are a capture, a return and a fee.

A payment that a collector brought (another contract of ours, with a journal of its own that has the income already)
stands against `Assets:Protected` instead: its capture makes no income, and what goes back to the payer is a refund.

What an account could not receive has an entry of its own, right after that of the event which paid it: out of its
wallet, where the event's entry put it, into what it can claim. A payer's wallet is in no entry, so there the other side
is `Equity:Returned`.
"""

from __future__ import annotations

from tallystick.core.ledger import Posting, Side
from tallystick.core.payment_events import (
    Authorized,
    Captured,
    PaymentCharged,
    PaymentRefunded,
    PayoutClaimed,
    Reclaimed,
    Ruled,
    Voided,
)
from tallystick.core.payment_state import Part, Payment, Payout

MoneyEvent = Authorized | PaymentCharged | Captured | Voided | Reclaimed | Ruled | PaymentRefunded
"""What has an entry in which a payment is named."""

KINDS: dict[type[MoneyEvent], str] = {
    Authorized: "authorization",
    PaymentCharged: "charge",
    Captured: "capture",
    Voided: "void",
    Reclaimed: "reclaim",
    Ruled: "ruling",
    PaymentRefunded: "refund",
}
"""How an entry calls its event."""
KEPT, CLAIM = "kept", "claim"


def postings_for(event: MoneyEvent, payment: Payment) -> tuple[Posting, ...]:
    """The balanced postings of an event; `payment` is as it was before it, or as it begins."""
    terms, is_collected = payment.terms, payment.collector is not None
    payee, token = terms.payee, terms.token
    escrow, wallet = f"Assets:Escrow:{payee}", f"Assets:Wallet:{payee}"
    held = f"Assets:Protected:{payee}" if is_collected else f"Liabilities:Held:{payee}"
    income = f"Assets:Protected:{payee}" if is_collected else f"Income:Payments:{payee}"
    refunds = f"Income:Refunds:{payee}:Payments"
    lines: list[tuple[str, Side, int]] = []

    def receive(gross: int, fee: int) -> None:
        lines.extend([(wallet, "D", gross - fee), (f"Expenses:Fees:{payee}:Payments", "D", fee)])

    def pay_fee(fee: int) -> None:
        receiver = terms.fee_receiver
        lines.extend([(f"Assets:Wallet:{receiver}", "D", fee), (f"Income:Fees:{receiver}", "C", fee)])

    def capture(gross: int, fee: int) -> None:
        receive(gross, fee)
        lines.append((escrow, "C", gross))
        if not is_collected:
            lines.extend([(held, "D", gross), (income, "C", gross)])
        pay_fee(fee)

    def give_back(units: int) -> None:
        lines.extend([(refunds if is_collected else held, "D", units), (escrow, "C", units)])

    match event:
        case Authorized():
            lines += [(escrow, "D", terms.amount_units), (held, "C", terms.amount_units)]
        case PaymentCharged():
            receive(terms.amount_units, event.fee_units)
            lines.append((income, "C", terms.amount_units))
            pay_fee(event.fee_units)
        case Captured():
            capture(event.amount_units, event.fee_units)
        case Voided() | Reclaimed():
            give_back(event.amount_units)
        case Ruled():
            capture(event.to_payee_units + event.fee_units, event.fee_units)
            give_back(event.to_payer_units)
            fee, arbiter = event.arbiter_fee_units, terms.arbiter
            lines += [(f"Expenses:Rulings:{payee}" if is_collected else held, "D", fee), (escrow, "C", fee)]
            lines += [(f"Assets:Wallet:{arbiter}", "D", fee), (f"Income:Rulings:{arbiter}", "C", fee)]
        case PaymentRefunded():
            lines += [(refunds, "D", event.amount_units), (wallet, "C", event.amount_units)]
    return tuple(Posting(account, side, token, units) for account, side, units in lines if units)


def kept_postings(payout: Payout, token: str) -> tuple[Posting, ...]:
    """What an account was paid and could not receive: it can claim it."""
    account, units = payout.account, payout.units
    other = f"Equity:Returned:{account}" if payout.part is Part.PAYER else f"Assets:Wallet:{account}"
    return Posting(f"Assets:Claimable:{account}", "D", token, units), Posting(other, "C", token, units)


def claimed_postings(event: PayoutClaimed) -> tuple[Posting, ...]:
    """What an account could claim is in its wallet."""
    return (
        Posting(f"Assets:Wallet:{event.account}", "D", event.token, event.amount_units),
        Posting(f"Assets:Claimable:{event.account}", "C", event.token, event.amount_units),
    )
