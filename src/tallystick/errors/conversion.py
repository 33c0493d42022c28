"""Quotes in a currency and exchanges of tokens that the contracts refuse."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.errors.revert import ContractError, utc

# --- Quotes: feeds, and what a quoter is created with -----------------------------------------------------------------


@dataclass(eq=False)
class AmountTooHigh(ContractError):
    """Units of the token that the price would be, and the most that there can be."""

    found: int
    allowed: int

    def __str__(self) -> str:
        return f"the price is {self.found} units of the token, allowed are {self.allowed}: name a lower price"


@dataclass(eq=False)
class AnotherToken(ContractError):
    """The token that was asked for, and the one that the quoter quotes in."""

    found: str
    allowed: str

    def __str__(self) -> str:
        return f"the quoter quotes in {self.allowed}, not in {self.found}: ask for that, or name another quoter"


@dataclass(eq=False)
class AnswerOutOfBounds(ContractError):
    """The feed, its answer, and the bounds that the quoter was created with."""

    feed: str
    found: int
    min: int
    max: int

    def __str__(self) -> str:
        return (
            f"the feed {self.feed} answers {self.found}, trusted are {self.min} to {self.max}: it is a depeg or a "
            "wrong answer; look at the market before anything is sold by another quoter"
        )


@dataclass(eq=False)
class ConfigContradicts(ContractError):
    """No feed at all, bounds that no answer meets, an answer without age, or one of a pair without the other."""

    def __str__(self) -> str:
        return (
            "with this configuration there would never be a price: name a feed, an age above 0 and bounds from 1 on "
            "for each, and a grace period just where there is a sequencer"
        )


@dataclass(eq=False)
class DecimalsTooHigh(ContractError):
    """Whose decimals they are (a token's, a feed's; the zero address: the price's), and how many there can be."""

    account: str
    found: int
    allowed: int

    def __str__(self) -> str:
        return f"{self.account} has {self.found} decimals, allowed are {self.allowed}: name another token or feed"


@dataclass(eq=False)
class FeedUnavailable(ContractError):
    """The feed."""

    feed: str

    def __str__(self) -> str:
        return f"the feed {self.feed} gives no round: wait; where it goes on, see whether it was replaced by another"


@dataclass(eq=False)
class PriceTooHigh(ContractError):
    """Units of what the quoter prices in, and the most that it takes."""

    found: int
    allowed: int

    def __str__(self) -> str:
        return f"found a price of {self.found} units, allowed are {self.allowed}: name a lower one"


@dataclass(eq=False)
class QuoteStale(ContractError):
    """Unix seconds: when the price was said, and the oldest that is good."""

    updated_at: int
    oldest: int

    def __str__(self) -> str:
        return (
            f"the newest price is of {utc(self.updated_at)}, and one before {utc(self.oldest)} is too old (seconds "
            f"{self.updated_at} and {self.oldest}): wait for the feed's next round"
        )


@dataclass(eq=False)
class RoundIncomplete(ContractError):
    """The feed, its round, and the round in which that was answered."""

    feed: str
    round_id: int
    answered_in_round: int

    def __str__(self) -> str:
        return (
            f"round {self.round_id} of the feed {self.feed} has no answer of its own (it was answered in round "
            f"{self.answered_in_round}): wait for the next one"
        )


@dataclass(eq=False)
class RoundInFuture(ContractError):
    """The feed; Unix seconds: when its round was said, and the block's time."""

    feed: str
    updated_at: int
    time: int

    def __str__(self) -> str:
        return (
            f"the feed {self.feed} says its round is of second {self.updated_at}, it is {self.time}: wait, and look at "
            "the feed"
        )


@dataclass(eq=False)
class SequencerDown(ContractError):
    """Unix seconds: since when, and the block's time."""

    since: int
    time: int

    def __str__(self) -> str:
        return (
            f"the rollup's sequencer is down since second {self.since} (it is {self.time}), so that feeds may be old: "
            "wait until it is back"
        )


@dataclass(eq=False)
class SequencerRecovering(ContractError):
    """Unix seconds: when there are prices again, and the block's time."""

    until: int
    time: int

    def __str__(self) -> str:
        return (
            f"the rollup's sequencer came back just now, and feeds catch up until second {self.until} (it is "
            f"{self.time}): wait until then"
        )


# --- Exchanges --------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class AnotherRoute(ContractError):
    """From which token to which one the route leads."""

    token_in: str
    token_out: str

    def __str__(self) -> str:
        return (
            f"the route leads from {self.token_in} to {self.token_out}, and the swap is another: name a route between "
            "its own tokens"
        )


@dataclass(eq=False)
class InputMismatch(ContractError):
    """Units that the swapper, or the collector, has of the token after the exchange, and that were there before."""

    left: int
    brought: int

    def __str__(self) -> str:
        return (
            f"{self.left} units of the token are left of {self.brought}, which is more than was brought, or less than "
            "may be used: the token changes balances, and cannot be exchanged here"
        )


@dataclass(eq=False)
class OutputTooLow(ContractError):
    """Units of the other token that the receiver got, and the least that it must get."""

    found: int
    needed: int

    def __str__(self) -> str:
        return f"the receiver would get {self.found} units, at least {self.needed} are asked for: nothing was exchanged"


@dataclass(eq=False)
class ReceiverRefused(ContractError):
    """Who was to receive: nobody, the swapper, or the router behind it."""

    receiver: str

    def __str__(self) -> str:
        return f"{self.receiver} cannot receive what is exchanged, it would be anybody's there: name an account"


@dataclass(eq=False)
class RouteMalformed(ContractError):
    """How many bytes the route has."""

    length: int

    def __str__(self) -> str:
        return (
            f"the route has {self.length} bytes; it is tokens of 20 bytes each with a fee of 3 between two of them: "
            "name one with a pool at least"
        )


@dataclass(eq=False)
class SwapExpired(ContractError):
    """Unix seconds: until when the exchange could be made, and the block's time."""

    valid_before: int
    time: int

    def __str__(self) -> str:
        return (
            f"the exchange could be made before {utc(self.valid_before)}, it is {utc(self.time)} (seconds "
            f"{self.valid_before} and {self.time}): plan it anew, prices have moved"
        )


@dataclass(eq=False)
class SwapFailed(ContractError):
    """What the exchange behind said, as it said it."""

    reason: bytes

    def __str__(self) -> str:
        return (
            f"Uniswap refuses the exchange ({_words(self.reason)}): where it is `Too little received`, the pools give "
            "less than the limit on slippage allows, where it is `STF`, they take more than may be used; wait, "
            "exchange less at once, or name another route"
        )


_WORDS_AT = 4 + 32
_LENGTH_BYTES = 32


def _words(reason: bytes) -> str:
    """The text of `Error(string)`, and the bytes behind it."""
    shown = f"0x{reason.hex()}"
    if not reason.startswith(bytes.fromhex("08c379a0")):
        return shown
    start = _WORDS_AT + _LENGTH_BYTES
    length = int.from_bytes(reason[_WORDS_AT:start], "big")
    return f"{reason[start : start + length].decode(errors='replace')!r}, {shown}"
