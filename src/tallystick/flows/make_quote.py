"""Makes quotes: what a merchant asks to be paid, once, signed for whoever pays it."""

from __future__ import annotations

from collections.abc import Sequence

from tallystick.core.money import UINT256_MAX
from tallystick.core.quote import MOST_PAYOUT_UNITS, MOST_PAYOUTS, Quote, shared, typed_data
from tallystick.core.quote_texts import SignedQuote
from tallystick.core.reference import parse_reference
from tallystick.errors import InputError
from tallystick.flows.connect import Connection

VALID_S = 86_400
"""How long a quote can be paid where nothing else is said: a day."""


def make_quote(
    connection: Connection,
    *,
    number: int,
    token: str,
    amount_units: int,
    invoice: str | None = None,
    valid_s: int = VALID_S,
    shares: Sequence[tuple[str, int]] = (),
) -> SignedQuote:
    """A quote of the signer, good for `valid_s` seconds from now; nothing is sent.

    `number` is paid once: quotes for the same thing have the same. `invoice` is what it is for, the number unless
    given. `shares` are payees with their weights, among whom the amount is divided by largest remainder; without any
    the signer receives it. Raises InputError for a quote that the contract would not take, NotAContract or KeyMissing.
    """
    signer = connection.sender.signer
    if not 0 <= number <= UINT256_MAX:
        raise InputError(f"found the number {number}, allowed are 0 to 2^256 - 1")
    if amount_units <= 0 or valid_s <= 0:
        raise InputError(f"found {amount_units} units within {valid_s} seconds: name an amount and a time above zero")
    payees = list(shares) or [(signer.address, 1)]
    if len(payees) > MOST_PAYOUTS:
        raise InputError(f"found {len(payees)} payees, allowed are at most {MOST_PAYOUTS}: pay some of them yourself")
    if any(payee == connection.checkout.address for payee, _ in payees):
        raise InputError(f"found {connection.checkout.address} for a payee, which is the contract itself: name another")
    payouts = shared(amount_units, payees)
    if len(payouts) < len(payees) or any(part.units > MOST_PAYOUT_UNITS for part in payouts):
        raise InputError(
            f"found {amount_units} units for {len(payees)} payees, each has 1 to 2^96 - 1: change the amount or the "
            "shares"
        )
    connection.token(token).describe()
    quote = Quote(
        signer.address,
        number,
        parse_reference(str(number) if invoice is None else invoice),
        token,
        connection.node.timestamp() + valid_s,
        payouts,
    )
    chain_id, contract = connection.node.chain_id, connection.checkout.address
    signature = signer.sign_typed_data(typed_data(quote, chain_id=chain_id, contract=contract))
    return SignedQuote(chain_id, contract, quote, signature)


def require_checkout(connection: Connection, signed: SignedQuote) -> None:
    """Raises InputError for a quote for another chain or contract."""
    here = connection.node.chain_id, connection.checkout.address
    if (signed.chain_id, signed.contract) != here:
        raise InputError(
            f"the quote is for {signed.contract} on chain {signed.chain_id}, this is {here[1]} on chain {here[0]}: pay "
            "it there, or have one made for here"
        )
