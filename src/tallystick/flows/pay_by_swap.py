"""Paying a quote with another token: planned first, then sent within its bound.

What the quote asks for is bought from Uniswap's pools in the transaction that pays it. The plan says what the pools
take now and the most that may be used; what was planned is the bound, and the contract holds to it. It comes from what
the payer names, from a quoter's rate, or, where there is neither, from the pools themselves: then it bounds what
happens between plan and payment, and not a price that was wrong before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tallystick.chain.contract import Sent
from tallystick.chain.swap_collector import SwapPayment
from tallystick.core.checkout_events import QuotePaid
from tallystick.core.conversion_policy import most_in_down
from tallystick.core.funding import permit_data
from tallystick.core.money import Amount, Token
from tallystick.core.quote_texts import SignedQuote
from tallystick.core.swap import Route, Swapped, route_of
from tallystick.errors import BalanceTooLow, InputError, NodeInvalid, PermitUnsupported
from tallystick.flows.connect import Connection
from tallystick.flows.make_quote import require_checkout
from tallystick.flows.quoter import quoted_in
from tallystick.flows.swapper import require_swapper

SLIPPAGE_BPS = 50
"""Unless told otherwise."""


@dataclass(frozen=True, slots=True)
class PlannedQuotePayment:
    """What paying a quote with another token would take now.

    `amount` is what the quote asks for, `quoted` what a quoter's rate makes of it in the payer's token (None: no quoter
    was named), `pool_in` what the pools take now (None where the node cannot say), `most_in` the most that is used;
    where they take more than that now, `refusal` says so.
    """

    signed: SignedQuote
    payer: str
    amount: Amount
    route: Route
    most_in: Amount
    quoted: Amount | None = None
    pool_in: Amount | None = None

    @property
    def refusal(self) -> str | None:
        """Why it could not be paid so now."""
        if self.pool_in is None or self.pool_in <= self.most_in:
            return None
        return f"the pools take {self.pool_in} now, at most {self.most_in} may be used"


@dataclass(frozen=True, slots=True)
class PaidBySwap:
    """A quote that was paid. `used` went to the pools, `returned` came back to the payer in the same transaction;
    `sent` has the checkout's events."""

    planned: PlannedQuotePayment
    used: Amount
    returned: Amount
    sent: Sent

    @property
    def transaction(self) -> str:
        """Its hash."""
        return self.sent.receipt.transaction


def plan_quote_payment(
    connection: Connection,
    signed: SignedQuote,
    payer: str,
    pay_with: str,
    between: Sequence[int | str],
    *,
    max_slippage_bps: int = SLIPPAGE_BPS,
    quoter: str | None = None,
    most_units: int | None = None,
) -> PlannedQuotePayment:
    """What paying the quote with `pay_with` would take; sends nothing. `between` is the way to the quote's token as
    `route_of` has it.

    The most that is used is `most_units`, or what the quoter's rate makes of the amount, or what the pools take now,
    the latter two with the slippage on top; the least of those that are named, and never more than the payer has.

    Raises QuoteExpired, NumberUsed and what else paying would, SwapFailed also where the payer has too little for the
    pools; InputError where there is nothing to pay with or nothing to bound it by, AmountInvalid, NotAContract, and
    what a quoter raises.
    """
    require_checkout(connection, signed)
    quote = signed.quote
    if pay_with == quote.token:
        raise InputError(f"the quote asks for {pay_with} itself: pay it without a swap")
    route = route_of(pay_with, quote.token, between)
    token, asked = connection.token(pay_with).describe(), connection.token(quote.token).describe()
    amount, balance = Amount(quote.amount_units, asked), connection.token(pay_with).balance(payer)
    if not balance:
        raise InputError(f"{payer} has no {token.symbol} ({pay_with}): get some, or pay with another token")
    quoted = None if quoter is None else quoted_in(connection, quoter, amount, token)
    found = connection.swap_collector.simulate(signed, _payment(connection, route, balance), payer)
    bounds = [most_units] if most_units is not None else []
    if quoted is not None:
        bounds.append(most_in_down(quoted.units, max_slippage_bps))
    if not bounds and found is not None:
        bounds.append(most_in_down(found, max_slippage_bps))
    if not bounds:
        raise InputError(
            "this node does not say what the pools take (it has no `eth_simulateV1`): name the most that may be used, "
            "or a quoter, or ask another node"
        )
    most = Amount(min(*bounds, balance), token)
    return PlannedQuotePayment(signed, payer, amount, route, most, quoted, _amount(found, token))


def pay_by_swap(connection: Connection, planned: PlannedQuotePayment) -> PaidBySwap:
    """Pays the quote of a plan of the signer's, in one transaction: by a permit of exactly the most that is used, or an
    allowance of that where the token takes none, which is sent before.

    Raises SwapFailed where the pools take more, QuoteExpired, NumberUsed, BalanceTooLow and what else paying would
    raise, before anything is sent where the node can simulate it; and InputError for another account's plan. Nothing
    was paid then.
    """
    signed, sender, token = planned.signed, connection.sender, connection.token(planned.route.tokens[0])
    require_checkout(connection, signed)
    if sender.address != planned.payer:
        raise InputError(f"it was planned for {planned.payer}, {sender.address} signs: plan for that account")
    most, balance = planned.most_in.units, token.balance(planned.payer)
    if balance < most:
        raise BalanceTooLow(balance, most)
    collector = connection.swap_collector
    payment = _payment(connection, planned.route, most)
    collector.simulate(signed, payment, planned.payer)
    if token.allowance(planned.payer, collector.address) < most:
        try:
            given = token.sign_permit(sender.signer, collector.address, most, signed.quote.valid_before)
        except PermitUnsupported:
            token.approve(sender, collector.address, most)
        else:
            permit = permit_data(given.value_units, given.deadline, given.v, given.r, given.s)
            payment = payment._replace(permit=permit)
    receipt = collector.pay_quote(signed, payment)
    return _paid(connection, planned, Sent(receipt, connection.checkout.events_in(receipt)))


# --- parts ------------------------------------------------------------------------------------------------------------


def _payment(connection: Connection, route: Route, most_units: int) -> SwapPayment:
    return SwapPayment(require_swapper(connection).address, route.tokens[0], most_units, route.back.path)


def _amount(units: int | None, token: Token) -> Amount | None:
    return None if units is None else Amount(units, token)


def _paid(connection: Connection, planned: PlannedQuotePayment, sent: Sent) -> PaidBySwap:
    """What was used is what the swapper measured; the rest came back. Raises NodeInvalid where the receipt is not that
    of this payment."""
    paid, most = sent.one(QuotePaid), planned.most_in
    swaps = [event for event in require_swapper(connection).events_in(sent.receipt) if isinstance(event, Swapped)]
    if (paid.quote_id, paid.payer) != (planned.signed.quote_id, planned.payer) or len(swaps) != 1:
        raise NodeInvalid(
            f"the receipt of {sent.receipt.transaction} has {len(swaps)} exchanges and quote 0x{paid.quote_id.hex()} "
            f"of {paid.payer}, expected is one and 0x{planned.signed.quote_id.hex()} of {planned.payer}: ask another "
            "node"
        )
    used = Amount(swaps[0].amount_in_units, most.asset)
    return PaidBySwap(planned, used, most - used, sent)
