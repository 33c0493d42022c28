"""What tokens are worth, by the sources that the configuration names; and whether kept evidence still holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tallystick.chain.feed import FeedSource, foreseen, place_of, read_feed, read_rate
from tallystick.chain.node import Block, Node
from tallystick.config import PegConfig, RateConfig
from tallystick.core.rate import FeedEvidence, FileEvidence, ParEvidence, Rate
from tallystick.core.rate_file import RateFile, parse_rates
from tallystick.errors import ConfigError, InputError, NodeInvalid, NodeRefused, RevertError

ANY_AGE_S = 2**40
"""For a comparison: whether an answer was too old was judged when it was taken."""


class RateSources:
    """The `[[rate]]` and `[[peg]]` of a configuration. A peg goes first; of several rates of a pair the first one that
    says something. Files are read once, when they are needed."""

    def __init__(self, configured: Sequence[RateConfig], pegs: Sequence[PegConfig] = ()) -> None:
        self._configured: defaultdict[tuple[str, str], list[RateConfig]] = defaultdict(list)
        for source in configured:
            self._configured[source.token, source.currency].append(source)
        self._pegs = {(peg.token, peg.currency) for peg in pegs}
        self._files: dict[Path, RateFile] = {}

    def knows(self, token: str, currency: str) -> bool:
        """Whether there are feeds or a file for a token's worth in a currency."""
        return (token, currency) in self._configured

    def rate(self, node: Node, token: str, currency: str, block: Block = "latest") -> Rate:
        """What a token is worth in a currency in a block, with evidence.

        Raises ConfigError where no source is named; where none of them says anything, what the first one raises:
        InputError for a file that says nothing of that day or cannot be read, and what `read_rate` raises.
        """
        if (token, currency) in self._pegs:
            return Rate(token, currency, ParEvidence(place_of(node, block).number))
        sources = self._configured.get((token, currency), [])
        refusals: list[RevertError | InputError | NodeRefused] = []
        for source in sources:
            try:
                return self._by(source, node, block)
            except (RevertError, InputError, NodeRefused) as error:
                refusals.append(error)
        if not refusals:
            raise ConfigError(
                f"nothing says what {token} is worth in {currency}: name feeds or a file in a [[rate]] of "
                "tallystick.toml, or declare a [[peg]]"
            )
        raise refusals[0]

    def _by(self, source: RateConfig, node: Node, block: Block) -> Rate:
        if source.file is None:
            return read_rate(node, _feeds_of(source), block)
        evidence = self.file(source.file).at(source.asset or source.token, source.currency, place_of(node, block).time)
        return Rate(source.token, source.currency, evidence)

    def foreseen(self, node: Node, currency: str, wanted: Sequence[tuple[str, int]]) -> Node:
        """The node, asked in few requests for what the rates of these tokens in these blocks need."""
        sources = [(source, block) for token, block in wanted for source in self._configured[token, currency][:1]]
        return foreseen(node, [(_feeds_of(source), block) for source, block in sources if source.file is None])

    def file(self, path: Path) -> RateFile:
        """A file of rates. Raises InputError where it cannot be read."""
        if path not in self._files:
            try:
                content = path.read_bytes()
            except OSError as error:
                raise InputError(
                    f"the file of rates {path} cannot be read ({error.strerror}): name a readable one in [[rate]]"
                ) from error
            self._files[path] = parse_rates(content, path.name)
        return self._files[path]

    def named(self, name: str) -> RateFile | None:
        """The configured file of that name."""
        sources = [source for found in self._configured.values() for source in found]
        paths = [source.file for source in sources if source.file and source.file.name == name]
        return self.file(paths[0]) if paths else None


def _feeds_of(source: RateConfig) -> FeedSource:
    return FeedSource(
        source.token,
        source.currency,
        source.token_feed,
        source.currency_feed,
        max_age_s=source.max_age_s,
        sequencer=source.sequencer,
        grace_s=source.grace_s,
    )


def check_evidence(node: Node, sources: RateSources, rate: Rate, block: int) -> str | None:
    """What of the evidence of a rate in a block is not so, in words; None where it holds, as what the merchant declares
    always does.

    Feeds are asked again in that block, whose hash must be the same; of a file, which must be the same one, the line of
    that day is looked up again. Raises NodeRefused where the node does not keep the block's state: then it is unknown.
    """
    match rate.evidence:
        case FeedEvidence() as evidence:
            return _check_feeds(node, evidence, block)
        case FileEvidence() as evidence:
            return _check_line(sources, evidence, rate.currency, place_of(node, block).time)
    return None


def _check_feeds(node: Node, evidence: FeedEvidence, block: int) -> str | None:
    if evidence.block_number != block:
        return f"it is of block {evidence.block_number}, the rate is for block {block}"
    if evidence.chain_id != node.chain_id:
        return f"it is of chain {evidence.chain_id}, the node serves chain {node.chain_id}"
    try:
        place = place_of(node, evidence.block_number)
    except NodeInvalid:
        return f"there is no block {evidence.block_number}"
    if (place.hash, place.time) != (evidence.block_hash, evidence.block_time):
        return f"block {place.number} is {place.hash} of second {place.time}, it says {evidence.block_hash}"
    for kept in (evidence.token_feed, evidence.currency_feed):
        if kept is None:
            continue
        try:
            found = read_feed(node, kept.feed, place, max_age_s=ANY_AGE_S)
        except NodeRefused:
            raise
        except RevertError as error:
            return f"the feed {kept.feed} has no answer in block {place.number}: {error}"
        if found != kept:
            said = f"{found.answer} in round {found.round_id}"
            return f"the feed {kept.feed} says {said}, the evidence {kept.answer} in round {kept.round_id}"
    return None


def _check_line(sources: RateSources, evidence: FileEvidence, currency: str, time: int) -> str | None:
    file = sources.named(evidence.file)
    if file is None:
        return f"no [[rate]] names the file {evidence.file} any more: name it, so that it can be looked at"
    if file.sha256 != evidence.sha256:
        return f"{evidence.file} is another file now (SHA-256 {file.sha256}, it was {evidence.sha256})"
    try:
        found = file.at(evidence.asset, currency, time)
    except InputError as error:
        return str(error)
    said = f"line {found.line} of {found.file}: {found.rate} on {found.date}"
    return None if found == evidence else f"what holds in that block is {said}"
