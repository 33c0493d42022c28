"""Chainlink's feeds and a quoter over them, and what a quote must be, worked out anew from the interface's words."""

from __future__ import annotations

from enum import IntEnum
from fractions import Fraction
from math import ceil
from typing import Any, NamedTuple

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.contracts.stage import NOBODY, START, Contract, Stage

HOUR = 3_600
HEARTBEAT = 86_400
MOST = 2**96 - 1
FEED = "(address,uint32,uint96,uint96)"
CONFIG = f"(address,uint8,{FEED},{FEED},address,uint32)"
EUR_USD = 108_345_000
"""1.08345 dollars, with the 8 decimals of Chainlink's currencies."""
USDC_USD = 99_987_654
ETH_USD = 3_456_123_456_789_012_345_678
"""With 18 decimals."""


class Trick(IntEnum):
    """How a feed misbehaves, by the numbers of its contract."""

    NONE = 0
    REFUSE = 1
    ANSWER_NOTHING = 2
    ANSWER_SHORT = 3
    BURN_GAS = 4
    RETURN_BOMB = 5
    REVERT_BOMB = 6


class Feed(NamedTuple):
    """A feed and what of it is trusted, in the order of the contract's struct."""

    aggregator: str = NOBODY
    max_age: int = 0
    least: int = 0
    most: int = 0


NO_FEED = Feed()


class Config(NamedTuple):
    """What a quoter is created with, in the order of the contract's struct."""

    token: str
    price_decimals: int = 2
    price_feed: Feed = NO_FEED
    token_feed: Feed = NO_FEED
    sequencer: str = NOBODY
    grace_period: int = 0


class Feeds:
    """EUR / USD, USDC / USD and a sequencer's, each with a round as of START; see `test_chainlink_quoter.py`."""

    def __init__(self, stage: Stage, project: Any) -> None:
        self.stage, self.project, self.sender = stage, project, stage.anyone
        self.eur = self.feed("EUR / USD", 8, EUR_USD)
        self.usdc = self.feed("USDC / USD", 8, USDC_USD)
        self.sequencer = self.feed("L2 Sequencer Uptime Status Feed", 0, 0, at=START - 10 * HEARTBEAT)

    def feed(self, description: str, decimals: int, answer: int, *, at: int = START) -> Contract:
        """A feed with one round."""
        feed = self.project.MockFeed.deploy(description, decimals, sender=self.sender)
        self.says(feed, answer, at=at)
        return feed

    def says(self, feed: Contract, answer: int, *, at: int) -> None:
        """The next round, complete."""
        feed.answerAt(answer, at, at, sender=self.sender)

    def trusted(self, feed: Contract, *, max_age: int = HEARTBEAT, least: int = 1, most: int = MOST) -> Feed:
        """A feed within these bounds."""
        return Feed(feed.address, max_age, least, most)

    def config(self, token: Contract, **changes: Any) -> Config:
        """Cents of the euro in a dollar that may be 3 % off its peg, unless `changes` say otherwise."""
        usual = {
            "price_feed": self.trusted(self.eur),
            "token_feed": self.trusted(self.usdc, least=97_000_000, most=103_000_000),
        }
        return Config(token.address, **(usual | changes))

    def quoter(self, config: Config) -> Contract:
        """A quoter of this configuration."""
        return self.project.ChainlinkQuoter.deploy(config, sender=self.sender)

    def refuses(self, config: Config, error: str, *values: str | int) -> None:
        """No quoter is created of this configuration, but this error, by its signature, with these values."""
        refuses_to_create(self.stage, self.project.ChainlinkQuoter, encode([CONFIG], [config]), error, *values)


def refuses_to_create(stage: Stage, container: Any, arguments: bytes, error: str, *values: str | int) -> None:
    """No such contract is created with these arguments, but this error, by its signature, with these values."""
    data = container.contract_type.deployment_bytecode.bytecode.removeprefix("0x") + arguments.hex()
    call = {"from": stage.anyone.address, "data": "0x" + data}
    trace = stage.rpc("debug_traceCall", call, "latest", {"tracer": "callTracer"})
    kinds = [kind for kind in error.partition("(")[2].rstrip(")").split(",") if kind]
    assert trace["output"] == "0x" + (keccak(text=error)[:4] + encode(kinds, values)).hex(), trace.get("error")


def fair(price: int, price_decimals: int, price_rate: Fraction, token_rate: Fraction, token_decimals: int) -> Fraction:
    """What a price is worth in units of the token, exactly."""
    return Fraction(price * 10**token_decimals) * price_rate / token_rate / Fraction(10**price_decimals)


def cents(price: int, eur: int = EUR_USD, usdc: int = USDC_USD) -> int:
    """What so many cents of the euro cost in USDC, rounded up."""
    return ceil(fair(price, 2, Fraction(eur, 10**8), Fraction(usdc, 10**8), 6))
