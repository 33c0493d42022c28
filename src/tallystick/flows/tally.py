"""Adds up what is stored as the contract counts it: subscriptions, charges and refunds of each payee and token, and
what is kept for accounts that could not receive it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tallystick.chain.totals import Totals
from tallystick.core.invoice import Invoice, Kind
from tallystick.core.ledger import Entry
from tallystick.core.subscription import PER_REGISTER, Register


class Tally:
    """The sums so far: `totals` by payee and token, `claimables` in base units by account and token."""

    def __init__(self) -> None:
        self.totals: defaultdict[tuple[str, str], Totals] = defaultdict(Totals)
        self.claimables: defaultdict[tuple[str, str], int] = defaultdict(int)

    def add_entry(self, entry: Entry) -> None:
        """Of the accounts of `core.ledger`; others, which no event gives, count for nothing."""
        for account, side, token, units in entry.postings:
            signed = units if side == "D" else -units
            if account.startswith(("Income:Subscriptions:", "Income:Usage:")):
                self._add(_owner(account), token, 1, -signed, 0, 0)
            elif account.startswith("Income:Refunds:"):
                self._add(_owner(account), token, 0, 0, 1, signed)
            elif account.startswith("Assets:Claimable:"):
                self.claimables[_owner(account), token] += signed

    def add_invoice(self, invoice: Invoice) -> None:
        """A charge that credit paid alone moved nothing, and so has no entry: its invoice counts."""
        if invoice.kind is Kind.INVOICE and not invoice.total_units:
            self._add(invoice.payee, invoice.token, 1, 0, 0, 0)

    def add_subscriptions(self, registers: Iterable[Register], subscription_ids: Iterable[int]) -> None:
        """Each counts for the payee and token of its register."""
        pairs = {register.register_id: (register.payee, register.token) for register in registers}
        for subscription_id in subscription_ids:
            if pair := pairs.get(subscription_id // PER_REGISTER):
                self.totals[pair] = self.totals[pair]._replace(subscriptions=self.totals[pair].subscriptions + 1)

    def _add(self, payee: str, token: str, charges: int, charged: int, refunds: int, refunded: int) -> None:
        subscriptions, charge_count, charge_sum, refund_count, refund_sum = self.totals[payee, token]
        self.totals[payee, token] = Totals(
            subscriptions,
            charge_count + charges,
            charge_sum + charged,
            refund_count + refunds,
            refund_sum + refunded,
        )


def _owner(account: str) -> str:
    return account.split(":")[2]
