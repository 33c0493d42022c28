"""What one of a token is worth in a currency, as an exact fraction, and how one knows.

A rate is nothing but its evidence: what feeds said in a block, a line of a file, or the merchant's word that a token is
worth a currency at par. The fraction is worked out from that each time it is asked for, so that the two cannot come
apart, and anyone who looks at the same feeds or the same file finds the same rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Any

import msgspec

from tallystick.core.money import Amount, Currency, Token, decimal_text
from tallystick.errors import InputError

Positive = Annotated[int, msgspec.Meta(ge=1)]
Natural = Annotated[int, msgspec.Meta(ge=0)]
MOST_FEED_DECIMALS = 77
"""10^77 is the largest power of ten below 2^256."""
Decimals = Annotated[int, msgspec.Meta(ge=0, le=MOST_FEED_DECIMALS)]


class FeedAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a Chainlink feed said: its round, the answer with so many decimals, and when (Unix seconds). `description`
    is what the feed says that it is of: `EUR / USD`."""

    feed: str
    description: str
    decimals: Decimals
    round_id: Natural
    answer: Positive
    updated_at: Natural

    @property
    def value(self) -> Fraction:
        """One of what it is of, in what it is in."""
        return Fraction(self.answer, 10**self.decimals)


class FeedEvidence(msgspec.Struct, frozen=True, tag="feeds", tag_field="kind", forbid_unknown_fields=True):
    """What feeds said in a block. `token_feed` is what one token is worth in a third unit (USDC / USD), `currency_feed`
    what one of the currency is (EUR / USD); the one that is None is worth one of that unit, at par or because it is it.
    """

    chain_id: Positive
    block_number: Natural
    block_hash: str
    block_time: Natural
    token_feed: FeedAnswer | None
    currency_feed: FeedAnswer | None


class FileEvidence(msgspec.Struct, frozen=True, tag="file", tag_field="kind", forbid_unknown_fields=True):
    """A line of a file, by the file's name and SHA-256. `rate` is the decimal number as it stands there, `date` the day
    (UTC) of which it is."""

    file: str
    sha256: str
    line: Positive
    asset: str
    date: str
    rate: str


class ParEvidence(msgspec.Struct, frozen=True, tag="par", tag_field="kind", forbid_unknown_fields=True):
    """The merchant declared the token to be worth the currency at par, from a block on."""

    from_block: Natural


Evidence = FeedEvidence | FileEvidence | ParEvidence
SHOWN_DIGITS = 10
MOST_RATE_DIGITS = 60
"""Of a decimal number in a file, and of its fraction: no currency has more."""


class Rate(msgspec.Struct, frozen=True):
    """What one of a token (by its checksummed address) is worth in a currency (ISO 4217)."""

    token: str
    currency: str
    evidence: Evidence

    @property
    def fraction(self) -> Fraction:
        """One whole token in whole units of the currency, exactly."""
        return fraction_of(self.evidence)

    def value(self, amount: Amount, into: Currency) -> Amount:
        """An amount of the token in the currency, rounded once, half to even, to a minor unit. Raises InputError for
        another token or currency."""
        asset = amount.asset
        if not isinstance(asset, Token) or asset.address != self.token or into.code != self.currency:
            raise InputError(
                f"found {amount} to be valued in {into.code}, this is a rate of {self.token} in {self.currency}"
            )
        rate = self.fraction
        above, below = amount.units * rate.numerator * 10**into.exponent, rate.denominator * 10**asset.decimals
        whole, rest = divmod(above, below)  # exact, and quicker than a fraction of it
        return Amount(whole + (2 * rest > below or (2 * rest == below and whole % 2 == 1)), into)


def fraction_of(evidence: Evidence) -> Fraction:
    """The rate that evidence is evidence of."""
    match evidence:
        case FeedEvidence():
            above = evidence.token_feed.value if evidence.token_feed else Fraction(1)
            below = evidence.currency_feed.value if evidence.currency_feed else Fraction(1)
            return Fraction(above.numerator * below.denominator, above.denominator * below.numerator)
        case FileEvidence():
            return parse_rate(evidence.rate)
        case ParEvidence():
            return Fraction(1)


def parse_rate(text: str) -> Fraction:
    """A rate as a decimal number above zero, `0.9234`. Raises InputError for anything else."""
    whole, point, digits = text.partition(".")
    plain = (whole + digits).isascii() and (whole + digits).isdigit() and whole != "" and (not point or digits != "")
    if not plain or max(len(whole), len(digits)) > MOST_RATE_DIGITS or not int(whole + digits):
        raise InputError(f"found {text[:80]!r} for a rate, allowed is a decimal number above 0 such as 0.9234")
    return Fraction(int(whole + digits), 10 ** len(digits))


def rendered(evidence: Evidence) -> str:
    """The text that evidence is kept as; the same evidence always gives the same text."""
    return msgspec.json.encode(evidence).decode()


def document(evidence: Evidence) -> dict[str, Any]:
    """The same for people and other programs, by names."""
    found: dict[str, Any] = msgspec.to_builtins(evidence)
    return found


def decimal_of(fraction: Fraction) -> str:
    """A rate with ten digits behind the point, rounded half to even, to be looked at; the fraction is what counts."""
    return decimal_text(round(fraction * 10**SHOWN_DIGITS), SHOWN_DIGITS)


def parse_evidence(text: str | bytes) -> Evidence:
    """Evidence from its text. Raises InputError for what is none, or of which there is no rate."""
    try:
        found: Evidence = msgspec.json.decode(text, type=Evidence)
    except msgspec.DecodeError as error:
        raise InputError(f"this is no evidence of a rate ({error}): record the rate anew") from error
    if isinstance(found, FileEvidence):
        parse_rate(found.rate)
    return found


def shown(evidence: Evidence) -> str:
    """In words, for people."""
    match evidence:
        case FeedEvidence():
            answers: Sequence[FeedAnswer] = [feed for feed in (evidence.token_feed, evidence.currency_feed) if feed]
            parts = (f"{feed.description or feed.feed} {feed.answer} (round {feed.round_id})" for feed in answers)
            return f"{', '.join(parts)} in block {evidence.block_number}"
        case FileEvidence():
            return f"{evidence.file}, line {evidence.line}: {evidence.asset} {evidence.rate} on {evidence.date}"
        case ParEvidence():
            return f"par, declared by the merchant from block {evidence.from_block} on"
