"""What a `ChainlinkQuoter` is created with, and what it quotes by. Nobody can change either."""

from __future__ import annotations

from typing import NamedTuple

from tallystick.core.address import ZERO_ADDRESS


class TrustedFeed(NamedTuple):
    """A feed and which of its answers are taken: those in [updatedAt, updatedAt + `max_age_s`) that lie between `least`
    and `most`, in the feed's own units."""

    aggregator: str = ZERO_ADDRESS
    max_age_s: int = 0
    least: int = 0
    most: int = 0


NO_FEED = TrustedFeed()
"""Left out: the currency is the common unit itself, or the token is taken for one of it at par."""
MOST_ANSWER = 2**96 - 1


class QuoterTerms(NamedTuple):
    """In the order of the contract's struct: quotes in units of `token`, for prices with so many decimals. `price_feed`
    says what one of the currency is worth (EUR / USD), `token_feed` what one token is (USDC / USD). On a rollup its
    uptime feed is the `sequencer`, and for `grace_period_s` after it came back there is no price."""

    token: str
    price_decimals: int
    price_feed: TrustedFeed = NO_FEED
    token_feed: TrustedFeed = NO_FEED
    sequencer: str = ZERO_ADDRESS
    grace_period_s: int = 0


class QuoterRound(NamedTuple):
    """What a quote was made of. Of a feed that is left out: round and time 0, answer 1."""

    round_id: int
    answer: int
    updated_at: int
