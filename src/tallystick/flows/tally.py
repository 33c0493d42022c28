"""Adds up what is stored as the contract counts it: subscriptions, charges and refunds of each payee and token, and
what is kept for accounts that could not receive it.

Charges and refunds count for the register of their plan, whoever was its payee when they were made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from tallystick.chain.totals import Totals
from tallystick.core.invoice import Invoice, Kind
from tallystick.core.ledger import Entry
from tallystick.core.plan import Plan
from tallystick.core.subscription import PER_REGISTER, Register


class Tally:
    """The sums so far: `claimables` in base units by account and token, and `totals` at the end."""

    def __init__(self) -> None:
        self.claimables: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._sums: defaultdict[tuple[int, str], list[int]] = defaultdict(lambda: [0] * len(Totals._fields))
        """Charges and refunds by plan and token, in the order of `Totals`: lists, because each charge adds to one."""

    def add_entry(self, entry: Entry) -> None:
        """Of the accounts of `core.ledger`; others, which no event gives, count for nothing."""
        for account, side, token, units in entry.postings:
            signed = units if side == "D" else -units
            if account.startswith(("Income:Subscriptions:", "Income:Usage:")):
                self._add(_plan_of(account), token, 1, -signed, 0, 0)
            elif account.startswith("Income:Refunds:"):
                self._add(_plan_of(account), token, 0, 0, 1, signed)
            elif account.startswith("Assets:Claimable:"):
                self.claimables[account.split(":")[2], token] += signed

    def add_invoice(self, invoice: Invoice) -> None:
        """A charge that moved nothing, as credit or a discount took all of it, has no entry: its invoice counts."""
        if invoice.kind is Kind.INVOICE and not invoice.total_units:
            self._add(invoice.plan_id, invoice.token, 1, 0, 0, 0)

    def totals(
        self, registers: Mapping[int, Register], plans: Mapping[int, Plan], subscription_ids: Iterable[int]
    ) -> dict[tuple[str, str], Totals]:
        """By payee and token. Charges of plans that there are not count for nobody: for an empty name."""
        found: defaultdict[tuple[str, str], Totals] = defaultdict(Totals)
        for subscription_id in subscription_ids:
            if register := registers.get(subscription_id // PER_REGISTER):
                pair = register.payee, register.token
                found[pair] = found[pair]._replace(subscriptions=found[pair].subscriptions + 1)
        for (plan_id, token), more in self._sums.items():
            plan = plans.get(plan_id)
            pair = plan.terms.payee if plan else "", token
            found[pair] = Totals(*(before + added for before, added in zip(found[pair], more, strict=True)))
        return dict(found)

    def _add(self, plan_id: int, token: str, charges: int, charged: int, refunds: int, refunded: int) -> None:
        sums = self._sums[plan_id, token]
        sums[1] += charges
        sums[2] += charged
        sums[3] += refunds
        sums[4] += refunded


def _plan_of(account: str) -> int:
    """The number in `...:Plan-7`; 0, which no plan has, where there is none."""
    number = account.rpartition(":Plan-")[2]
    return int(number) if number.isdecimal() else 0
