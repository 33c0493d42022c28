"""Realised gains and losses, worked out of the stored journals and rates each time they are read; and the recording of
the rates that this needs, with their evidence."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from tallystick.chain.node import Node
from tallystick.config import Config
from tallystick.contracts import load_artefact
from tallystick.core.conversion_books import exchange_of
from tallystick.core.events import Origin
from tallystick.core.gains import Disposal, GainsBook, Place, gain_postings, moves_of
from tallystick.core.ledger import Entry, Posting
from tallystick.core.lots import Lots
from tallystick.core.money import Amount, Currency, Token, currency
from tallystick.core.pegs import PegHistory, peg_at, peg_history
from tallystick.core.rate import Evidence, ParEvidence, Rate, shown
from tallystick.errors import ConfigError, InputError, LedgerError, NodeRefused, RevertError
from tallystick.flows.ingest import Progress
from tallystick.flows.mirror import StoredBooks
from tallystick.flows.rates import RateSources
from tallystick.storage.database import reading, transaction
from tallystick.storage.journal import read_entries
from tallystick.storage.pegs import read_pegs
from tallystick.storage.rates import RecordedRate, add_rates, read_rates
from tallystick.storage.tokens import read_tokens

BATCH = 100
"""Rates that are written at once: an interruption loses no more."""


@dataclass(frozen=True)
class Gains:
    """All conversions of some accounts up to a block that every journal has reached, in the order of the chain, with
    what was gained in `currency`; and the lots that are left, by account and token. `evidence` is how each value is
    known, by the entry it was worked out for and the token."""

    currency: Currency
    through_block: int
    disposals: tuple[Disposal, ...]
    lots: Mapping[tuple[str, str], Lots]
    evidence: Mapping[tuple[Place, str], Evidence]

    @property
    def gain(self) -> Amount:
        """All gains less all losses."""
        return Amount(sum(disposal.gain.units for disposal in self.disposals), self.currency)

    def known_by(self, place: Place, amount: Amount) -> str:
        """In words, how one knows what an amount was worth when an entry was made. What a conversion brought in costs
        what that one was worth."""
        evidence = self.evidence.get((place, _token_of(amount).address))
        return shown(evidence) if evidence else f"the conversion of entry {place.number}"

    def postings_through(self, block: int | None = None) -> list[Posting]:
        """Of all gains and losses up to a block, balanced, with the currency's code in the token's place."""
        return [
            posting
            for disposal in self.disposals
            if block is None or disposal.origin.block_number <= block
            for posting in gain_postings(disposal)
        ]


def currency_of(config: Config) -> str:
    """In which currency gains are: the configured one, or the only one of pegs and rates. Raises ConfigError where that
    does not say."""
    if config.convert.currency is not None:
        return config.convert.currency
    found = {peg.currency for peg in config.peg} | {rate.currency for rate in config.rate}
    if len(found) != 1:
        raise ConfigError(
            f"found {', '.join(sorted(found)) or 'no currency'} in [[peg]] and [[rate]]: say by `convert.currency` in "
            "which one gains and losses are"
        )
    return found.pop()


def read_gains(books: StoredBooks, code: str, accounts: Sequence[str] = ()) -> Gains:
    """The gains of some accounts, or of all that ever converted. Raises DatabaseError where there are no books of
    conversions, LedgerError where nothing says what something was worth: then rates are to be recorded."""
    into = currency(code)
    with reading(books.engine) as connection:
        known = _Known(connection, books, into)
        book, through = _walk(connection, books, known.tokens, into, known.value, accounts)
    return Gains(into, through, tuple(book.disposals), book.lots, known.used)


def expected_gain(
    books: StoredBooks, node: Node, sources: RateSources, code: str, account: str, given: Amount, proceeds: Amount
) -> tuple[Amount, Amount, Amount]:
    """What a conversion that is planned would be: how much of what is given is covered by lots, what that had cost, and
    what its share of the proceeds (in the settlement token) is worth now. Raises as `read_gains`."""
    into = currency(code)
    token, settlement = given.asset, proceeds.asset
    if not isinstance(token, Token) or not isinstance(settlement, Token):
        raise LedgerError(f"found {given} for {proceeds}: only tokens are converted")
    with reading(books.engine) as connection:
        known = _Known(connection, books, into)
        known.tokens.setdefault(token.address, token)
        more = {(account, token.address)}
        book, _ = _walk(connection, books, known.tokens, into, known.value, [account], more)
    rate = sources.rate(node, settlement.address, code)
    covered, cost = book.cost_of(account, given)
    worth, _ = rate.value(proceeds, into).split([covered.units, (given - covered).units])
    return covered, cost, worth


class Refused(NamedTuple):
    """A rate that could not be recorded, and why."""

    token: str
    block_number: int
    reason: str


@dataclass(frozen=True, slots=True)
class RecordedRates:
    """How many rates were recorded now, how many had been before, and which could not be."""

    new: int
    known: int
    refused: tuple[Refused, ...]


def record_rates(
    books: StoredBooks,
    node: Node,
    sources: RateSources,
    code: str,
    accounts: Sequence[str] = (),
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> RecordedRates:
    """Records what the tokens of `sources` were worth, with the evidence, for each block in which an account (one of
    `accounts`, where some are named) received some and no peg says it. What is recorded stays. May be stopped and
    called again.

    A block in which no answer could be trusted, or whose state the node does not keep, is refused with its reason; the
    others go on. Raises DatabaseError and other NodeErrors.
    """
    wanted, known = _missing_rates(books, sources, code, accounts)
    refused: list[Refused] = []
    new = 0
    for start in range(0, len(wanted), BATCH):
        found = []
        batch = wanted[start : start + BATCH]
        asked = sources.foreseen(node, code, batch)
        for number, (token, block) in enumerate(batch, start=start + 1):
            try:
                found.append(RecordedRate(block, sources.rate(asked, token, code, block)))
            except (RevertError, InputError, NodeRefused) as error:
                refused.append(Refused(token, block, str(error)))
            on_progress(Progress(number, len(wanted), number))
        new += len(found)
        with transaction(books.engine) as connection:
            add_rates(connection, books.source.chain_id, found)
    return RecordedRates(new, known, tuple(refused))


def _missing_rates(
    books: StoredBooks, sources: RateSources, code: str, accounts: Sequence[str]
) -> tuple[list[tuple[str, int]], int]:
    """Tokens and blocks, in the order of the chain's journals; and how many rates are recorded."""
    missing: dict[tuple[str, int], None] = {}
    with reading(books.engine) as connection:
        known = _Known(connection, books, currency(code))
        for source in books.sources:
            for entry in read_entries(connection, source.source_id):
                block = entry.origin.block_number
                for (account, token), units in moves_of(entry.postings).items():
                    wanted = units > 0 and (not accounts or account in accounts) and sources.knows(token, code)
                    if wanted and known.rate_at(source.contract, block, token) is None:
                        missing[token, block] = None
    return list(missing), len(known.recorded)


class _Known:
    """What the database says of values in a currency: pegs of each contract's books, and recorded rates."""

    def __init__(self, connection: Connection, books: StoredBooks, into: Currency) -> None:
        chain_id = books.source.chain_id
        self._into = into
        self.tokens = read_tokens(connection, chain_id)
        self._pegs: dict[str, PegHistory] = {
            source.contract: peg_history(read_pegs(connection, source.source_id), self.tokens)
            for source in books.sources
        }
        self.recorded = {
            (found.rate.token, found.block_number): found.rate for found in read_rates(connection, chain_id, into.code)
        }
        self.used: dict[tuple[Place, str], Evidence] = {}

    def par(self, contract: str, block: int, token: str) -> Rate | None:
        """Where a peg to the currency holds in that contract's books."""
        history = self._pegs.get(contract, {})
        peg = peg_at(history, token, block)
        if peg is None or peg.currency != self._into.code:
            return None
        since = max(from_block for from_block, _ in history[token] if from_block <= block)
        return Rate(token, self._into.code, ParEvidence(since))

    def rate_at(self, contract: str, block: int, token: str) -> Rate | None:
        """By a peg of that contract's books, or as recorded."""
        return self.par(contract, block, token) or self.recorded.get((token, block))

    def value(self, place: Place, origin: Origin, amount: Amount) -> Amount:
        """What an amount was worth. Raises LedgerError where nothing says it."""
        token = _token_of(amount)
        rate = self.rate_at(place.contract, origin.block_number, token.address)
        if rate is None:
            raise LedgerError(
                f"nothing says what {token.symbol} ({token.address}) was worth in {self._into.code} in block "
                f"{origin.block_number}: name feeds or a file for it in a [[rate]] and run `tallystick convert "
                "record`; where it is not yours, name your accounts in merchant.payees"
            )
        self.used[place, token.address] = rate.evidence
        return rate.value(amount, self._into)


def _token_of(amount: Amount) -> Token:
    if not isinstance(amount.asset, Token):
        raise LedgerError(f"found {amount} in a journal, in which only tokens are: build the books anew")
    return amount.asset


def _walk(
    connection: Connection,
    books: StoredBooks,
    tokens: Mapping[str, Token],
    into: Currency,
    value: Callable[[Place, Origin, Amount], Amount],
    accounts: Sequence[str],
    more: set[tuple[str, str]] | None = None,
) -> tuple[GainsBook, int]:
    """All entries of the chain's journals in its order, up to the block that each of them has reached."""
    conversion = books.conversions
    through = min(source.final_number for source in books.sources)
    followed = set(more or ())
    collector = load_artefact("SwapCollector").address  # exchanges for who pays a quote: nobody's gain
    for entry in read_entries(connection, conversion.source_id, through=through):
        exchange = exchange_of(entry)
        if exchange is None or (not accounts and exchange.caller == collector):
            continue
        if not accounts or exchange.caller in accounts:
            followed.add((exchange.caller, exchange.token_in))
    book = GainsBook(tokens, into, value, followed)
    for _, contract, entry in heapq.merge(
        *(_placed(connection, source.source_id, source.contract, through) for source in books.sources),
        key=lambda placed: placed[0],
    ):
        book.apply(contract, entry)
    return book, through


def _placed(
    connection: Connection, source_id: int, contract: str, through: int
) -> Iterator[tuple[tuple[int, int], str, Entry]]:
    for entry in read_entries(connection, source_id, through=through):
        yield (entry.origin.block_number, entry.origin.log_index), contract, entry
