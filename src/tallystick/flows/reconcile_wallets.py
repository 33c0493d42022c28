"""Holds wallets against the ledger: what moved outside of the contracts, in all and transfer by transfer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from tallystick.chain.logs import LogReader
from tallystick.chain.rpc import Rpc
from tallystick.chain.wallet_transfers import read_balances, read_transfers, require_state
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.money import Token
from tallystick.core.wallets import Holding, Unbooked, booked_movements, sums, unbooked
from tallystick.errors import DatabaseError, InputError, NodeInvalid
from tallystick.flows.mirror import StoredBooks
from tallystick.storage.database import reading
from tallystick.storage.journal import read_entries
from tallystick.storage.sources import Source
from tallystick.storage.tokens import read_tokens


class WalletRow(NamedTuple):
    """A wallet in a token: what all journals of the chain have of it, and what the token says that it holds (None: the
    token does not say), in base units."""

    wallet: str
    token: Token
    ledger_units: int
    chain_units: int | None

    @property
    def outside_units(self) -> int | None:
        """What came in (positive) or left outside of the contracts, ever."""
        return None if self.chain_units is None else self.chain_units - self.ledger_units


@dataclass(frozen=True, slots=True)
class WalletReport:
    """Wallets as of the end of a block; `time` is the block's, in Unix seconds."""

    block: int
    time: int
    rows: tuple[WalletRow, ...]


class Explanation(NamedTuple):
    """Of what a wallet's difference in a token is made, in base units: what it held before the first block of the
    books, what moved in transactions since that no journal has, and what no transfer tells of. The three add up to the
    difference."""

    row: WalletRow
    first_block: int
    before_units: int
    moved: tuple[Unbooked, ...]
    untold_units: int


def reconcile_wallets(
    books: StoredBooks, rpc: Rpc, wallets: Sequence[str] = (), block: int | None = None
) -> WalletReport:
    """These wallets, or all that the journals have, in every token of the books in which either side has something: as
    of a block, or of the last one that all journals have reached.

    Raises InputError for a block that the journals have not reached, NodeInvalid where the node is on another branch,
    NodeRefused where it does not keep the block's state.
    """
    sources = _sources(books)
    reached = min(sources, key=lambda source: source.final_number)
    through = reached.final_number if block is None else block
    if not 0 <= through <= reached.final_number:
        raise InputError(
            f"found block {through}, the books have final blocks up to {reached.final_number}: name one of those, or "
            "bring them up to date with `tallystick index --once`"
        )
    time = _time_of(rpc, reached, through)
    require_state(rpc, through)
    with reading(books.engine) as connection:
        tokens = read_tokens(connection, books.source.chain_id)
        entries = (read_entries(connection, source.source_id, through=through) for source in sources)
        booked = sums(booked_movements(chain.from_iterable(entries)))
    wanted = set(wallets) or {holding.wallet for holding in booked}
    holdings = [Holding(wallet, token) for wallet in sorted(wanted) for token in sorted(tokens)]
    balances = read_balances(rpc, holdings, through)
    rows = [
        WalletRow(holding.wallet, tokens[holding.token], booked.get(holding, 0), units)
        for holding, units in zip(holdings, balances, strict=True)
        if holding in booked or units
    ]
    return WalletReport(through, time, tuple(rows))


def explain_wallets(books: StoredBooks, rpc: Rpc, report: WalletReport) -> list[Explanation]:
    """What each difference of a report is made of, by the tokens' transfers since the first block of the books; of
    every wallet in a token that says its balance. The chain's own currency has no transfers to read.

    Raises NodeRefused where the node does not keep the state of the block before the first one.
    """
    sources = _sources(books)
    first = min(source.start_block for source in sources)
    rows = {Holding(row.wallet, row.token.address): row for row in report.rows if row.chain_units is not None}
    by_token: defaultdict[str, set[str]] = defaultdict(set)
    for wallet, token in rows:
        if token != ZERO_ADDRESS:
            by_token[token].add(wallet)
    told = [
        movement
        for token, wallets in sorted(by_token.items())
        for movement in read_transfers(rpc, token, wallets, first, report.block)
    ]
    with reading(books.engine) as connection:
        entries = (read_entries(connection, source.source_id, through=report.block) for source in sources)
        booked = [one for one in booked_movements(chain.from_iterable(entries)) if one.holding.token in by_token]
    left = unbooked(told, booked)
    before = _before(rpc, list(rows), first)
    return [_explained(row, first, before[holding], left) for holding, row in rows.items()]


def _explained(row: WalletRow, first: int, before_units: int, left: Collection[Unbooked]) -> Explanation:
    holding = Holding(row.wallet, row.token.address)
    moved = tuple(one for one in left if one.holding == holding)
    found = row.outside_units or 0
    untold = found - before_units - sum(one.units for one in moved)
    return Explanation(row, first, before_units, moved, untold)


def _before(rpc: Rpc, holdings: Sequence[Holding], first: int) -> dict[Holding, int]:
    """What was held before the first block; nothing before there was any block."""
    if first == 0:
        return dict.fromkeys(holdings, 0)
    balances = read_balances(rpc, holdings, first - 1)
    return {holding: units or 0 for holding, units in zip(holdings, balances, strict=True)}


def _sources(books: StoredBooks) -> tuple[Source, ...]:
    """All journals. Raises DatabaseError where one of them has no final block yet."""
    unread = [source for source in books.sources if not source.final_hash]
    if unread:
        raise DatabaseError(
            f"no block since {unread[0].contract} was deployed (block {unread[0].start_block}) is final in the books: "
            "wait until the chain has finalized it, then run `tallystick index --once`"
        )
    return books.sources


def _time_of(rpc: Rpc, reached: Source, block: int) -> int:
    """The time of a block of the branch that the books are of."""
    node = LogReader(rpc, reached.contract)
    last, wanted = node.headers([reached.final_number, block])
    if last.hash != reached.final_hash:
        raise NodeInvalid(
            f"block {last.number} of {rpc.name} is 0x{last.hash.hex()}, in the books it is "
            f"0x{reached.final_hash.hex()}: the node is on another branch or chain, ask another"
        )
    return wanted.time
