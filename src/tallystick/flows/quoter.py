"""Quoters: created, one for each currency and token, and recognised."""

from __future__ import annotations

from tallystick.chain.abi import CODEC
from tallystick.chain.feed import place_of, read_feed
from tallystick.chain.quoter import ARTEFACT, QuoterContract
from tallystick.core.address import parse_address
from tallystick.core.money import Amount, Token
from tallystick.core.quoter import NO_FEED, QuoterTerms, TrustedFeed
from tallystick.errors import InputError
from tallystick.flows.connect import Connection
from tallystick.flows.create import Created, created, require_code

PRICE_BAND_BPS = (5_000, 20_000)
"""Between which parts of the present answer a currency's later answers are taken, unless told otherwise."""
TOKEN_BAND_BPS = (9_700, 10_300)
"""The same of a stablecoin, around its peg."""
WHOLE_BPS = 10_000
_FEED = "(address,uint32,uint96,uint96)"
_CREATED_WITH = [f"(address,uint8,{_FEED},{_FEED},address,uint32)"]


def deploy_quoter(connection: Connection, terms: QuoterTerms) -> Created:
    """Creates a quoter, unless one with these very terms is there: its address follows from them.

    Raises ConfigContradicts, NotAContract or DecimalsTooHigh where such a quoter would never give a price, and what
    sending raises.
    """
    made = created(connection, ARTEFACT, CODEC.encode(_CREATED_WITH, [terms]))
    open_quoter(connection, made.address)
    return made


def trusted(
    connection: Connection, feed: str | None, max_age_s: int, least: int | None, most: int | None, band: tuple[int, int]
) -> TrustedFeed:
    """A feed with the bounds given, or those that the band makes of what it answers now; NO_FEED where there is none.

    Raises AddressInvalid, and FeedUnavailable, QuoteStale and so on where it gives no answer now.
    """
    if feed is None:
        return NO_FEED
    address = parse_address(feed)
    now = read_feed(connection.node, address, place_of(connection.node), max_age_s=max_age_s).answer
    lowest, highest = (now * part // WHOLE_BPS for part in band)
    return TrustedFeed(address, max_age_s, lowest if least is None else least, highest if most is None else most)


def open_quoter(connection: Connection, address: str) -> QuoterContract:
    """The quoter at an address, after its code was compared with what this package ships. Raises InputError where it is
    another contract, or none."""
    require_code(connection.node, address, ARTEFACT)
    return QuoterContract(connection.node, address)


def quoted_in(connection: Connection, address: str, amount: Amount, token: Token) -> Amount:
    """What an amount of one token is in another one, by a quoter, rounded up.

    Raises InputError for a quoter that is none for these two tokens, and what it raises where it has no price.
    """
    quoter, asset = open_quoter(connection, address), amount.asset
    terms = quoter.terms()
    if terms.token != token.address or terms.price_decimals != asset.exponent:
        raise InputError(
            f"the quoter {address} quotes in {terms.token} for prices with {terms.price_decimals} decimals, needed is "
            f"one in {token.symbol} ({token.address}) for the {asset.exponent} decimals of {asset.symbol}: create it "
            "with `tallystick convert deploy-quoter`"
        )
    return Amount(quoter.quote(token.address, amount.units), token)
