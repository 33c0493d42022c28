"""Whether enough nodes give the same of a range of blocks for it to become final."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple


class Account(NamedTuple):
    """What a node gives of a range of blocks, in short: hash and time of the last block, and the digest of the logs."""

    block_hash: bytes
    block_time: int
    logs_digest: bytes

    def __str__(self) -> str:
        return f"block 0x{self.block_hash.hex()}, logs {self.logs_digest.hex()[:16]}"


class Ruling(Enum):
    """What follows: the range is final, or waits, or is to be read from another node because others agree on something
    else."""

    AGREED = "agreed"
    WAITS = "waits"
    OUTVOTED = "outvoted"


def majority(nodes: int) -> int:
    """More than half of them."""
    return nodes // 2 + 1


def decide(account: Account, others: Sequence[Account], *, needed: int, nodes: int) -> Ruling:
    """What follows where one of `nodes` nodes gives `account`, the `others` that answered give theirs, and `needed`
    must agree, the one counted.

    A node that does not answer counts for neither side. Never is anything final that as many nodes contradict alike.
    Where more nodes are needed than a majority, the majority is enough to show which node is to be read.
    """
    said = Counter(others)
    agreeing = 1 + said.pop(account, 0)
    against = max(said.values(), default=0)
    if agreeing >= needed and agreeing > against:
        return Ruling.AGREED
    if against > agreeing and against >= min(needed, majority(nodes)):
        return Ruling.OUTVOTED
    return Ruling.WAITS


def common_final(own: int, others: Sequence[int], needed: int) -> int | None:
    """The highest block that enough nodes call final, no higher than `own`, what the one that is read says; None where
    too few say anything."""
    finals = sorted((own, *others), reverse=True)
    return min(own, finals[needed - 1]) if needed <= len(finals) else None
