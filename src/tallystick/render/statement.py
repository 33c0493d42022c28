"""An audit in plain words: what was checked, up to which blocks, what differs, and what nobody checked.

It is for somebody who has never seen this project. The fields are described in docs/audit.md; they are only ever added
to. Times are RFC 3339 in UTC and those of blocks: the same audit gives the same bytes, whenever it is written down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

FORMAT: Final = "tallystick/audit/1"


@dataclass(frozen=True, slots=True)
class BlockMark:
    """A block, which its hash names."""

    number: int
    hash: str
    time: str

    @property
    def timestamp(self) -> int:
        """The block's time in Unix seconds."""
        return int(datetime.fromisoformat(self.time).timestamp())


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where books and chain do not match; `meaning` is None where there are no words for it."""

    row: str
    found: str
    expected: str
    meaning: str | None


@dataclass(frozen=True, slots=True)
class Peg:
    """The merchant's word: from a block on a token is worth a currency at par; None: no currency any more."""

    token: str
    from_block: int
    currency: str | None


@dataclass(frozen=True, slots=True)
class Holding:
    """What a contract owes in a token and what it has, in base units as digit text; None: the token does not say.
    `is_declared` where too little of it is a difference."""

    token: str
    owed_units: str
    balance_units: str | None
    is_declared: bool


@dataclass(frozen=True, slots=True)
class TokenSaid:
    """What a token states of itself."""

    address: str
    symbol: str
    decimals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedBooks:
    """The books of one contract. `figures` are those of `--json`; `entries` to `pending_blocks` what else was counted.
    `differences` are those that are listed, `difference_count` is of all."""

    name: str
    contract: str
    first_block: int
    last_block: BlockMark
    figures: Mapping[str, int]
    entries: int
    credit_notes: int
    pending_blocks: int
    tokens: tuple[TokenSaid, ...]
    pegs: tuple[Peg, ...]
    holdings: tuple[Holding, ...]
    difference_count: int
    differences: tuple[Difference, ...]

    @property
    def invoices(self) -> int:
        """Invoices alone, which the figures count together with credit notes."""
        return self.figures.get("invoices", 0) - self.credit_notes

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is in them."""
        return not (any(self.figures.values()) or self.entries or self.credit_notes or self.difference_count)


@dataclass(frozen=True, slots=True)
class PackMember:
    """One member of a pack: its bytes in the file, and their SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedPack:
    """The pack from which everything was taken; the numbers are those of `--json`."""

    pack: str
    size: int
    made_by: str
    blocks: int
    blocks_compared: int
    transactions: int
    unsigned_transactions: int
    proven_answers: int
    unproven_answers: int
    members: tuple[PackMember, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """Something that was checked, or was not, in a sentence or two."""

    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditStatement:
    """The whole report. `as_of` is the last of all blocks that were compared, `pack` None where a node was asked."""

    format: str = FORMAT
    ok: bool
    verdict: str
    software: str
    chain_id: int
    as_of: BlockMark
    difference_count: int
    checked: tuple[Point, ...]
    unchecked: tuple[Point, ...]
    books: tuple[AuditedBooks, ...]
    pack: AuditedPack | None


def statement_json_text(statement: AuditStatement) -> str:
    """As JSON text, indented by two, with a final newline: the same statement, the same bytes."""
    return msgspec.json.format(msgspec.json.encode(statement), indent=2).decode() + "\n"
