"""`Tallystick`'s verbs for money: charges, refunds, claims, totals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tallystick.chain.subscriptions import ControlTotals, Sent
from tallystick.client.base import Client, Money
from tallystick.core.address import parse_address
from tallystick.core.money import Amount
from tallystick.core.subscription import DeclineReason
from tallystick.flows.claim import Claim, find_claims
from tallystick.flows.meter import hash_of_usage
from tallystick.flows.refund import refund, refundable


class MoneyVerbs(Client):
    """What moves, or moved."""

    def charge_dry_run(self, subscription_ids: Sequence[int]) -> list[DeclineReason]:
        """What a charge would do in the next block, row by row: NONE where it would be paid. Sends nothing."""
        return self.contract.charge_dry_run(subscription_ids)

    def charge(self, subscription_ids: Sequence[int]) -> Sent:
        """Charges what is due, in one transaction; anyone may. `Sent.reasons` says how each row went.

        A row that cannot pay is declined and fails no other. Raises InputError for no rows.
        """
        return self.contract.charge(subscription_ids)

    def charge_usage(
        self,
        subscription_id: int,
        amount: Money,
        quantity: int,
        *,
        document: bytes | Path | str | None = None,
        usage_hash: bytes | str | None = None,
        charge_number: int | None = None,
    ) -> Sent:
        """The signer, who is the payee or the plan's biller, charges what was used in the period being served.

        `quantity`: units of usage. `document` lists them, as bytes or as the path of a file; its keccak-256 goes on
        chain, the document stays with the merchant, who gives it to a payer who asks. Where it is elsewhere, its
        `usage_hash` is given instead, as 32 bytes or as text.

        `charge_number`: the number that this charge is to have, one more than the subscription's `charges`. Kept with
        the bill and given, it makes the call safe to repeat: where it was charged already, or another charge was made
        since, AnotherChargeIsNext is raised and nothing charged. Where it is None the count is read and the next number
        taken, so that calling twice charges twice.

        The contract checks that the signer may, that the subscription is active or ending and not in its trial, and
        that the amount is within the plan's price for so much usage and within its cap for the period. Credit pays
        nothing of it. Raises UnknownSubscription, NotAuthorized, ZeroAmount, AnotherChargeIsNext, NotActive,
        TrialRunning, UsageEnded, UsageTooDear, UsageAboveCap, AllowanceTooLow, BalanceTooLow, TokenRefused,
        AmountMismatch, AmountInvalid, AssetMismatch, or InputError where neither document nor hash can be had, or both
        are given.
        """
        hashed = hash_of_usage(document, usage_hash)
        found = self.contract.subscription(subscription_id)
        units = self.units(amount, self.contract.plan(found.plan_id).terms.token)
        number = found.charges + 1 if charge_number is None else charge_number
        return self.contract.charge_usage(subscription_id, number, units, quantity, hashed)

    def usage_left(self, subscription_id: int) -> Amount:
        """What usage may still cost in the period being served; zero where the plan charges none.

        Raises UnknownSubscription.
        """
        token = self.token(self._terms(subscription_id).token)
        return Amount(self.contract.usage_left(subscription_id), token)

    def refund(self, subscription_id: int, charge_number: int, amount: Money | None = None) -> Sent:
        """The signer, who is the payee, gives back a part of a charge, or all that is left of it.

        What was paid before plan or seats were changed, for usage, and where credit was used, is read from the logs.
        The contract checks the payee and that no more is given back than was paid. Raises UnknownSubscription,
        UnknownCharge, NotAuthorized, RefundTooHigh, BalanceTooLow, TokenRefused, AmountInvalid or AssetMismatch.
        """
        units = None
        if amount is not None:
            terms = refundable(self._connection, subscription_id, charge_number).terms
            units = self.units(amount, terms.token)
        return refund(self._connection, subscription_id, charge_number, units)

    def claimable(self, token: str, account: str | None = None) -> Amount:
        """What the contract keeps for an account (the signer) that could not receive its part of a charge."""
        account = parse_address(account) if account else self.address
        return Amount(self.contract.claimable(account, parse_address(token)), self.token(token))

    def claims(self, account: str | None = None) -> list[Claim]:
        """Everything that the contract keeps now, for all accounts or one, as found by its logs."""
        return find_claims(self._connection, parse_address(account) if account else None)

    def claim(self, token: str, account: str | None = None) -> Sent:
        """Has all that the contract keeps for an account (the signer) in a token paid out to it; anyone may.

        Raises NothingToClaim, or TokenRefused where the account still cannot receive it.
        """
        return self.contract.claim(parse_address(account) if account else self.address, parse_address(token))

    def totals(self, payee: str, token: str) -> ControlTotals:
        """Subscriptions, and count and sum of all charges and refunds, of a payee in a token, as the contract counted
        them."""
        return self.contract.control_totals(parse_address(payee), parse_address(token))
