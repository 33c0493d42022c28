"""What may be done with a payment, by whom, and from when until when: what a person who looks at one wants to know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.payment import PaymentStatus, PaymentTerms


class Option(NamedTuple):
    """A verb, who may do it, and in which seconds [since, until). `accounts` is empty where anybody may; `until` is
    None where it has no end."""

    verb: str
    by: str
    accounts: tuple[str, ...]
    since: int
    until: int | None

    def is_open(self, time: int) -> bool:
        """Whether it may be done at a time."""
        return self.since <= time and (self.until is None or time < self.until)


def options(
    terms: PaymentTerms, status: PaymentStatus, *, since: int, refundable_units: int, time: int
) -> tuple[Option, ...]:
    """What may be done at `time`, or later if nothing happens; `since` is as the contract has it."""
    found = [option for option in _all(terms, status, since) if option.until is None or time < option.until]
    if refundable_units and time < terms.refund_before:
        found.append(Option("refund", "payee", (terms.payee,), time, terms.refund_before))
    return tuple(found)


def _all(terms: PaymentTerms, status: PaymentStatus, since: int) -> Iterator[Option]:
    payer, payee, arbiter = terms.payer, terms.payee, terms.arbiter
    has_operator, has_milestones = terms.operator != ZERO_ADDRESS, any(terms.milestones_root)
    seller = (payee, terms.operator) if has_operator else (payee,)
    sellers = "payee or operator" if has_operator else "payee"
    if status is PaymentStatus.NONE:
        yield Option("authorize", "payer, or anyone with the payer's signature", (), 0, terms.authorize_before)
        if not terms.dispute_window_s and not has_milestones:
            yield Option("charge", f"{sellers}, or payer", (*seller, payer), 0, terms.authorize_before)
        yield Option("revoke", "payer", (payer,), 0, None)
    if status in {PaymentStatus.OPEN, PaymentStatus.DISPUTED}:
        yield Option("capture", "payer", (payer,), 0, None)
        yield Option("void", sellers, seller, 0, None)
    if status is PaymentStatus.OPEN:
        verb = "milestone" if has_milestones else "capture"
        yield Option(verb, sellers, seller, since + terms.dispute_window_s, terms.capture_before)
        if arbiter != ZERO_ADDRESS:
            yield Option("dispute", "payer or payee", (payer, payee), 0, terms.capture_before)
        yield Option("reclaim", "anyone", (), terms.capture_before, None)
    if status is PaymentStatus.DISPUTED:
        ends = since + terms.ruling_timeout_s
        yield Option("evidence", "payer, payee or arbiter", (payer, payee, arbiter), 0, None)
        yield Option("rule", "arbiter", (arbiter,), 0, ends)
        yield Option("rule --default", "anyone", (), ends, None)
