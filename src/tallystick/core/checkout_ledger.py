"""The postings of quotes and deposit addresses: one entry for each event that moves money or says whose it is.

The accounts are those of `core.ledger`. A quote is its merchant's income, whoever receives parts of it: what others
receive is the merchant's expense and their income. What comes to a deposit address is the receiver's at once, because
nobody else can move it, but income only when it pays the invoice: before that it is an advance, and what does not count
for the invoice is owed to the customer.
"""

from __future__ import annotations

from tallystick.core.checkout_events import InvoiceRefunded, QuotePaid
from tallystick.core.expected import Returned, Taken
from tallystick.core.ledger import Posting, Side

QUOTE, DEPOSIT, SWEEP, REFUND, KEPT, CLAIM = "quote", "deposit", "sweep", "refund", "kept", "claim"
"""How an entry calls its event."""

_Line = tuple[str, Side, int]


def quote_postings(event: QuotePaid) -> tuple[Posting, ...]:
    """The merchant's income, and who received it."""
    merchant, lines = event.quote.merchant, list[_Line]()
    own = sum(part.units for part in event.quote.payouts if part.payee == merchant)
    lines.append((f"Assets:Wallet:{merchant}", "D", own))
    lines.append((f"Expenses:Shares:{merchant}", "D", event.quote.amount_units - own))
    lines.append((f"Income:Sales:{merchant}", "C", event.quote.amount_units))
    for payee, units in event.quote.payouts:
        if payee != merchant:
            lines += [(f"Assets:Wallet:{payee}", "D", units), (f"Income:Shares:{payee}", "C", units)]
    return _postings(event.quote.token, lines)


def deposit_postings(receiver: str, token: str, taken: Taken) -> tuple[Posting, ...]:
    """What came to a deposit address, and what it counts for."""
    return _postings(token, _received(receiver, taken))


def sweep_postings(
    receiver: str, token: str, swept_units: int, *, found: Taken | None, lost_units: int
) -> tuple[Posting, ...]:
    """What went from a deposit address to its receiver. `found` is what became of money that stood there and that no
    transfer told of, `lost_units` what transfers told of and was not there."""
    lines = _received(receiver, found) if found else []
    lines += [
        (f"Assets:Wallet:{receiver}", "D", swept_units),
        (f"Expenses:Lost:{receiver}", "D", lost_units),
        (f"Assets:Deposits:{receiver}", "C", swept_units + lost_units),
    ]
    return _postings(token, lines)


def refund_postings(event: InvoiceRefunded, returned: Returned, sold_units: int) -> tuple[Posting, ...]:
    """What was given back for an invoice: `sold_units` of what was its income, and beyond that what nobody had paid."""
    by, beyond = event.by, returned.rest_units - sold_units
    lines: list[_Line] = [
        (f"Liabilities:Credit:{by}", "D", returned.credit_units),
        (f"Liabilities:Advances:{by}", "D", returned.advance_units),
        (f"Income:Refunds:{by}:Sales", "D", sold_units),
        (f"Expenses:Refunds:{by}", "D", beyond),
        (f"Assets:Wallet:{by}", "C", returned.credit_units + returned.advance_units + returned.rest_units),
    ]
    return _postings(event.token, lines)


def kept_postings(account: str, token: str, units: int) -> tuple[Posting, ...]:
    """What a payee could not receive: the event before it has it in the payee's wallet."""
    return _postings(token, [(f"Assets:Claimable:{account}", "D", units), (f"Assets:Wallet:{account}", "C", units)])


def _received(receiver: str, taken: Taken) -> list[_Line]:
    units = taken.counted_units + taken.credited_units
    advances, credit = f"Liabilities:Advances:{receiver}", f"Liabilities:Credit:{receiver}"
    lines: list[_Line] = [(f"Assets:Deposits:{receiver}", "D", units)]
    if taken.paid_units is None or taken.waived_units is None:
        return [*lines, (advances, "C", taken.counted_units), (credit, "C", taken.credited_units)]
    return [
        *lines,
        (advances, "D", taken.paid_units - taken.counted_units),
        (f"Expenses:Waived:{receiver}", "D", taken.waived_units),
        (f"Income:Sales:{receiver}", "C", taken.paid_units + taken.waived_units),
        (credit, "C", taken.credited_units),
    ]


def _postings(token: str, lines: list[_Line]) -> tuple[Posting, ...]:
    return tuple(Posting(account, side, token, units) for account, side, units in lines if units)
