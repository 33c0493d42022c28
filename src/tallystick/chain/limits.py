"""How providers say that they were asked too often, or for too much, in the `error` of a JSON-RPC answer."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

# Infura, Alchemy, QuickNode and others limit rates there as well as by HTTP 429, and -32005 stands for both limits,
# that of rates and that of ranges.
_BUSY_CODES: Final = {429, -32007, -32029, -32090}
_BUSY_WORDS: Final = (
    *("rate limit", "rate-limit", "request rate", "request limit", "request count", "requests per", "per second"),
    *("too many requests", "capacity", "compute units", "throughput", "quota"),
)
_LIMIT_EXCEEDED: Final = -32005
_RANGE_WORDS: Final = (
    *("block range", "range too", "range is too", "too many", "more than", "limit exceeded", "response size"),
    *("batch size", "batch too", "batch limit"),
)


class Limit(Enum):
    """What a provider limits: RATE, how often it is asked; SIZE, how much at once."""

    RATE = auto()
    SIZE = auto()


def limit_of(code: object, message: str, *, sizes: bool) -> Limit | None:
    """The limit that an error tells of, if any. `sizes`: the words alone may tell of a size, because the call asked for
    a range or for several things."""
    text = message.lower()
    if code in _BUSY_CODES or any(words in text for words in _BUSY_WORDS):
        return Limit.RATE
    if code == _LIMIT_EXCEEDED or (sizes and any(words in text for words in _RANGE_WORDS)):
        return Limit.SIZE
    return None
