"""Where the books of a contract and the chain part, once blocks that were final are others: what stands above it.

Writes nothing. The books keep no headers of final blocks, so that the fork is found by the blocks that they know: those
with events, and the last. Between two of them the books have nothing that could be another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Engine

from tallystick.chain.logs import ChainLogs, Header
from tallystick.core.money import Amount, Token
from tallystick.errors import NodeInvalid, TallystickError
from tallystick.flows.ingest import Target, log_reader
from tallystick.flows.mirror import Mirror
from tallystick.storage.database import reading
from tallystick.storage.events import count_known_events, known_blocks
from tallystick.storage.journal import last_number, read_entries
from tallystick.storage.numbered import count_documents_after
from tallystick.storage.sources import Source, find_source
from tallystick.storage.tokens import read_tokens

READ_AT_ONCE = 100


class KnownBlock(NamedTuple):
    """A block as books or node have it."""

    number: int
    hash: bytes


class Testimony(NamedTuple):
    """What a node says of a fork: whether it gives the same as the node that is read, and if not, why."""

    node: str
    agrees: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Fork:
    """Where a contract's books and the chain part. `common` is the last block known to the books that the chain still
    has (None: none of them), `gone` the first that it has not, and `instead` what it has in its place; `last` is the
    books' final block, `last_instead` what the chain has there.

    Above `common` the books have so many events, entries and documents, and their entries moved `moved`, which is the
    sum of debits of each token. `testimonies` are those of all nodes.
    """

    contract: str
    kind: str
    common: KnownBlock | None
    gone: KnownBlock
    instead: KnownBlock
    last: KnownBlock
    last_instead: KnownBlock
    events: int
    entries: int
    documents: int
    moved: tuple[Amount, ...]
    testimonies: tuple[Testimony, ...]
    needed: int

    @property
    def agreeing(self) -> int:
        """How many nodes give the same."""
        return sum(said.agrees for said in self.testimonies)

    @property
    def is_agreed(self) -> bool:
        """Whether as many nodes give the same as must agree before anything is final."""
        return self.agreeing >= self.needed


def find_forks(mirror: Mirror) -> list[Fork]:
    """The forks of all books of the mirror; none where the chain still has every final block of theirs.

    Raises NodeInvalid where the node lags behind the books or gives two chains at once, NodeError for one that cannot
    be used.
    """
    found = (_find_fork(mirror, target) for target in mirror.targets)
    return [fork for fork in found if fork is not None]


def _find_fork(mirror: Mirror, target: Target) -> Fork | None:
    node = log_reader(mirror.rpc, target)
    with reading(mirror.engine) as connection:
        source = find_source(connection, target.chain_id, target.contract)
        if source is None or not source.final_hash:
            return None
        known = [KnownBlock(*block) for block in known_blocks(connection, source.source_id, source.final_number)]
    last = KnownBlock(source.final_number, source.final_hash)
    if not known or known[-1].number != last.number:
        known.append(last)
    last_instead = _now(node, last)
    if last_instead == last:
        return None
    place = first_gone(node, known)
    common, gone = known[place - 1] if place else None, known[place]
    instead = _require_one_chain(node, known, place, last_instead)
    witnesses = [block for block in (common, instead, last_instead) if block is not None]
    testimonies = _testimonies(mirror, target, witnesses)
    after = source.start_block - 1 if common is None else common.number
    counts = _above(mirror.engine, source, after)
    return Fork(
        *(source.contract, source.kind, common, gone, instead, last, last_instead),
        *counts,
        testimonies,
        mirror.quorum,
    )


def first_gone(node: ChainLogs, known: Sequence[KnownBlock]) -> int:
    """The place of the first block that the node has not, where it has not the last: by halving, as a block that is
    there has all before it."""
    there, gone = -1, len(known) - 1
    while gone - there > 1:
        middle = (there + gone) // 2
        if _now(node, known[middle]) == known[middle]:
            there = middle
        else:
            gone = middle
    return gone


def _now(node: ChainLogs, block: KnownBlock) -> KnownBlock:
    header = node.header(block.number)
    if header is None:
        raise NodeInvalid(
            f"the node does not have block {block.number}, which is final in the books: it lags behind, wait, or use "
            "another"
        )
    return _block(header)


def _block(header: Header) -> KnownBlock:
    return KnownBlock(header.number, header.hash)


def _require_one_chain(
    node: ChainLogs, known: Sequence[KnownBlock], place: int, last_instead: KnownBlock
) -> KnownBlock:
    """What is in the place of the first block that is gone, `known[place]`. All after it must be gone, too, and the
    last `READ_AT_ONCE` before it be there, whether halving looked at them or not: else the node gives two chains."""
    first = max(0, place - READ_AT_ONCE)
    answers: list[KnownBlock] = []
    for start in range(first, len(known), READ_AT_ONCE):
        answers += map(_block, node.headers([block.number for block in known[start : start + READ_AT_ONCE]]))
    for at, now in enumerate(answers, start=first):
        if (now == known[at]) != (at < place):
            raise _two_chains(now, known[place])
    if answers[-1] != last_instead:
        raise _two_chains(last_instead, known[place])
    return answers[place - first]


def _two_chains(block: KnownBlock, gone: KnownBlock) -> NodeInvalid:
    return NodeInvalid(
        f"the node gives two chains at once: what it says of block {block.number} does not go with what it says of "
        f"block {gone.number}. Ask again; if this comes back, use another node"
    )


def _testimonies(mirror: Mirror, target: Target, witnesses: Sequence[KnownBlock]) -> tuple[Testimony, ...]:
    said = []
    for member in mirror.nodes.members:
        if not member.is_ours:
            said.append(Testimony(member.name, False, str(member.trouble or "it has not said which chain it serves")))
            continue
        try:
            node = log_reader(member.rpc, target)
            other = next((now for block in witnesses if (now := _now(node, block)) != block), None)
        except TallystickError as error:
            said.append(Testimony(member.name, False, str(error)))
            continue
        why = "" if other is None else f"its block {other.number} is 0x{other.hash.hex()}"
        said.append(Testimony(member.name, other is None, why))
    return tuple(said)


def _above(engine: Engine, source: Source, after: int) -> tuple[int, int, int, tuple[Amount, ...]]:
    """How many final events, entries and documents there are above a block, and what the entries moved."""
    source_id = source.source_id
    moved: Counter[str] = Counter()
    entries = 0
    with reading(engine) as connection:
        tokens = read_tokens(connection, source.chain_id)
        events = count_known_events(connection, source_id, after, source.final_number)
        documents = count_documents_after(connection, source_id, after)
        for entry in read_entries(connection, source_id, first=last_number(connection, source_id, through=after) + 1):
            entries += 1
            for line in entry.postings:
                moved[line.token] += line.units if line.side == "D" else 0
    amounts = [
        Amount(units, tokens.get(token) or Token(source.chain_id, token, f"units of {token}", 0))
        for token, units in sorted(moved.items())
    ]
    return events, entries, documents, tuple(amounts)
