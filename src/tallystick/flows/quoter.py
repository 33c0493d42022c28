"""Quoters: created, one for each currency and token, and recognised."""

from __future__ import annotations

from dataclasses import dataclass

from eth_utils.crypto import keccak

from tallystick.chain.abi import CODEC
from tallystick.chain.feed import place_of, read_feed
from tallystick.chain.quoter import ARTEFACT, QuoterContract
from tallystick.chain.sender import Call
from tallystick.contracts import load_artefact
from tallystick.core.address import parse_address
from tallystick.core.deployment import FACTORY, SALT, create2_address
from tallystick.core.money import Amount, Token
from tallystick.core.quoter import NO_FEED, QuoterTerms, TrustedFeed
from tallystick.errors import InputError, TallystickError
from tallystick.flows.connect import Connection

PRICE_BAND_BPS = (5_000, 20_000)
"""Between which parts of the present answer a currency's later answers are taken, unless told otherwise."""
TOKEN_BAND_BPS = (9_700, 10_300)
"""The same of a stablecoin, around its peg."""
WHOLE_BPS = 10_000
_FEED = "(address,uint32,uint96,uint96)"
_CREATED_WITH = [f"(address,uint8,{_FEED},{_FEED},address,uint32)"]


@dataclass(frozen=True, slots=True)
class Created:
    """Where a contract is that anybody can create; `transaction` is None where it was there before."""

    address: str
    transaction: str | None


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
    require_code(connection, address, ARTEFACT)
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


def created(connection: Connection, artefact: str, arguments: bytes) -> Created:
    """A contract of ours without owner that is created with arguments, by the factory that all chains share."""
    code = load_artefact(artefact).creation_code + arguments
    address = create2_address(FACTORY, SALT, keccak(code))
    if connection.node.code(address):
        return Created(address, None)
    sender = connection.sender
    # The factory passes no reason on: what the constructor refuses is asked for by itself.
    sender.node.request("eth_call", [{"from": sender.address, "data": "0x" + code.hex()}, "latest"])
    try:
        return Created(address, sender.send(Call(FACTORY, SALT + code)).transaction)
    except TallystickError:
        if connection.node.code(address):  # somebody else was quicker
            return Created(address, None)
        raise


def require_code(connection: Connection, address: str, artefact: str) -> None:
    """Raises InputError unless the code at an address is that of the artefact."""
    code = connection.node.code(address)
    if not code:
        raise InputError(f"{address} has no code on chain {connection.node.chain_id}: check the address and the chain")
    if not load_artefact(artefact).is_code(code):
        raise InputError(
            f"the code at {address} ({len(code)} bytes) is not that of {artefact} as this Tallystick ships it: use it "
            "for nothing unless you know what it is"
        )
