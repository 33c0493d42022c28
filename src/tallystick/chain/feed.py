"""Reads Chainlink's feeds at a block, and takes no answer that should not be trusted.

The same is refused as `ChainlinkQuoter` refuses, and with the same errors: rounds that are not complete, are old, zero,
negative or in the future, and any while a rollup's sequencer is down or came back only just now. All of one rate is
read at one block, whose hash is a part of the evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from eth_abi.exceptions import DecodingError
from eth_utils.abi import function_signature_to_4byte_selector

from tallystick.chain.abi import CODEC
from tallystick.chain.node import Block, Node, block_name
from tallystick.core.quoter import MOST_ANSWER
from tallystick.core.rate import MOST_FEED_DECIMALS, FeedAnswer, FeedEvidence, Rate
from tallystick.errors import (
    AnswerOutOfBounds,
    FeedUnavailable,
    InputError,
    NodeInvalid,
    NodeRefused,
    QuoteStale,
    RevertError,
    RoundIncomplete,
    RoundInFuture,
    SequencerDown,
    SequencerRecovering,
)

MAX_AGE_S = 25 * 3_600
"""A little above the day that most feeds let pass without news."""
GRACE_S = 3_600
LONGEST_DESCRIPTION = 64
_ROUND = ["uint80", "int256", "uint256", "uint256", "uint80"]
LATEST_ROUND, DECIMALS, DESCRIPTION = "latestRoundData()", "decimals()", "description()"


@dataclass(frozen=True, slots=True)
class FeedSource:
    """From which feeds a token's worth in a currency follows: `token_feed` says what one token is worth in a third unit
    (USDC / USD), `currency_feed` what one of the currency is (EUR / USD). One of them may be None: par, or the unit
    itself. `sequencer` is a rollup's uptime feed."""

    token: str
    currency: str
    token_feed: str | None
    currency_feed: str | None
    max_age_s: int = MAX_AGE_S
    sequencer: str | None = None
    grace_s: int = GRACE_S


class BlockPlace(NamedTuple):
    """A block that rates are read at. `time` is in Unix seconds."""

    number: int
    hash: str
    time: int


def place_of(node: Node, block: Block = "latest") -> BlockPlace:
    """A block as the node has it. Raises NodeInvalid where it has none."""
    found: Any = node.request("eth_getBlockByNumber", [block_name(block), False])
    if not found:
        raise NodeInvalid(f"the node has no block {block}: it lags behind, or there is none yet")
    return BlockPlace(int(found["number"], 16), str(found["hash"]), int(found["timestamp"], 16))


def read_rate(node: Node, source: FeedSource, block: Block = "latest") -> Rate:
    """What the feeds say of a token in a block, with the evidence.

    Raises FeedUnavailable, RoundIncomplete, RoundInFuture, QuoteStale, AnswerOutOfBounds, SequencerDown or
    SequencerRecovering; InputError for a source without feeds; NodeRefused where the node does not keep the block's
    state.
    """
    if source.token_feed is None and source.currency_feed is None:
        raise InputError(f"no feed says what {source.token} is worth in {source.currency}: name one, or declare a peg")
    place = place_of(node, block)
    if source.sequencer is not None:
        _require_sequencer(node, source.sequencer, source.grace_s, place)
    answers = [
        None if feed is None else read_feed(node, feed, place, max_age_s=source.max_age_s)
        for feed in (source.token_feed, source.currency_feed)
    ]
    return Rate(source.token, source.currency, FeedEvidence(node.chain_id, *place, *answers))


def read_feed(node: Node, feed: str, place: BlockPlace, *, max_age_s: int) -> FeedAnswer:
    """What a feed says in a block: an answer is good in [updatedAt, updatedAt + max_age_s). Raises as `read_rate`."""
    round_id, answer, _, updated_at, answered_in = _round(node, feed, place)
    if not updated_at or answered_in < round_id:
        raise RoundIncomplete(feed, round_id, answered_in)
    if updated_at > place.time:
        raise RoundInFuture(feed, updated_at, place.time)
    oldest = place.time + 1 - min(max_age_s, place.time)
    if updated_at < oldest:
        raise QuoteStale(updated_at, oldest)
    if not 0 < answer <= MOST_ANSWER:
        raise AnswerOutOfBounds(feed, answer, 1, MOST_ANSWER)
    (decimals,) = _call(node, feed, DECIMALS, ["uint8"], place)
    if decimals > MOST_FEED_DECIMALS:
        raise FeedUnavailable(feed)
    return FeedAnswer(feed, _description(node, feed, place), decimals, round_id, answer, updated_at)


@dataclass(frozen=True)
class _Foreseen(Node):
    """A node of which some answers are known already."""

    answers: Mapping[str, Any]

    def request(self, method: str, parameters: Sequence[Any]) -> Any:
        """From what is known, else by asking."""
        key = _key(method, parameters)
        return self.answers[key] if key in self.answers else super().request(method, parameters)


def foreseen(node: Node, wanted: Sequence[tuple[FeedSource, int]]) -> Node:
    """The node, asked in few requests for all that `read_rate` will ask of these sources at these blocks. Where one of
    the answers is an error, it is the node as it was: then they are asked for one by one, and that one tells."""
    asked: dict[str, tuple[str, Sequence[Any]]] = {}
    for source, block in wanted:
        requests: list[tuple[str, Sequence[Any]]] = [("eth_getBlockByNumber", [block_name(block), False])]
        for feed in filter(None, (source.token_feed, source.currency_feed)):
            requests += [_request(feed, signature, block) for signature in (LATEST_ROUND, DECIMALS, DESCRIPTION)]
        if source.sequencer is not None:
            requests.append(_request(source.sequencer, LATEST_ROUND, block))
        asked |= {_key(*request): request for request in requests}
    try:
        answers = node.request_many(list(asked.values()))
    except (RevertError, NodeRefused):
        return node
    return _Foreseen(node.provider, node.chain_id, dict(zip(asked, answers, strict=True)))


def _request(to: str, signature: str, block: int) -> tuple[str, Sequence[Any]]:
    """As `Node.call` makes it."""
    data = "0x" + function_signature_to_4byte_selector(signature).hex()
    return "eth_call", [{"to": to, "data": data}, block_name(block)]


def _key(method: str, parameters: Sequence[Any]) -> str:
    return f"{method} {parameters!r}"


def _require_sequencer(node: Node, feed: str, grace_s: int, place: BlockPlace) -> None:
    """It is up where its feed says 0, since `startedAt`."""
    _, answer, started_at, _, _ = _round(node, feed, place)
    if answer:
        raise SequencerDown(started_at, place.time)
    if not started_at:  # a feed that was never told anything (Arbitrum)
        raise RoundIncomplete(feed, 0, 0)
    if started_at > place.time:
        raise RoundInFuture(feed, started_at, place.time)
    if place.time < started_at + grace_s:
        raise SequencerRecovering(started_at + grace_s, place.time)


def _round(node: Node, feed: str, place: BlockPlace) -> tuple[int, int, int, int, int]:
    found = _call(node, feed, LATEST_ROUND, _ROUND, place)
    return found[0], found[1], found[2], found[3], found[4]


def _description(node: Node, feed: str, place: BlockPlace) -> str:
    """What the feed says that it is of; nothing where it does not say it in plain text."""
    try:
        text = str(_call(node, feed, DESCRIPTION, ["string"], place)[0])
    except FeedUnavailable:
        return ""
    return text if text.isascii() and text.isprintable() and len(text) <= LONGEST_DESCRIPTION else ""


def _call(node: Node, feed: str, signature: str, kinds: list[str], place: BlockPlace) -> tuple[Any, ...]:
    try:
        answer = node.call(feed, function_signature_to_4byte_selector(signature), block=place.number)
        return tuple(CODEC.decode(kinds, answer))
    except (RevertError, DecodingError) as error:
        raise FeedUnavailable(feed) from error
