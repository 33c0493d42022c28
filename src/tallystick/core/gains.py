"""Realised gains and losses: what conversions brought above what the converted holdings had cost, lot by lot (FIFO).

Nothing of it is stored. It follows from the journals of a chain's contracts, in the order of the chain, and from what
tokens were worth in the currency in each block: by the merchant's pegs, or by recorded rates with their evidence. So
whoever has the chain and the evidence finds the same.

For each account and token that it ever converted:

- What the account receives, or can claim, is a lot, which costs what it was worth then.
- A conversion takes from the oldest lots and brings what came in for it was worth in that block. What came in is a lot
  of its own, which costs as much.
- Whatever else leaves it, as a refund does, leaves from the oldest lots at their cost, without gain or loss.
- What is converted beyond all lots came from elsewhere, and nobody here knows what it cost: it is told as uncovered,
  and has no gain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from tallystick.core.conversion_books import CONVERSION, WALLET, Exchange, exchange_of
from tallystick.core.events import Origin
from tallystick.core.ledger import Entry, Posting
from tallystick.core.lots import Lots
from tallystick.core.money import Amount, Currency, Token

HELD = (WALLET, "Assets:Claimable:", "Assets:Deposits:", "Assets:Channels:")
"""What an account has: in its wallet, to claim, at deposit addresses that nobody else can empty, or claimed of channels
and not paid out yet."""
GAINS, LOSSES, CLEARING = "Income:Gains:", "Expenses:Losses:", "Equity:Conversion:"


class Place(NamedTuple):
    """Where an entry stands: the contract whose journal it is in, and its number there."""

    contract: str
    number: int


class Receipt(NamedTuple):
    """A lot as it came in: by which entry, how much, and what that was worth then."""

    place: Place
    origin: Origin
    account: str
    amount: Amount
    cost: Amount


class LotPart(NamedTuple):
    """Of one receipt, what a conversion took."""

    receipt: Receipt
    amount: Amount
    cost: Amount
    proceeds: Amount

    @property
    def gain(self) -> Amount:
        """What it brought above its cost; negative is a loss."""
        return self.proceeds - self.cost


class Disposal(NamedTuple):
    """A conversion. `proceeds` is what came in for all that was given; `uncovered` what was given beyond all lots, and
    `uncovered_proceeds` its share of the proceeds."""

    place: Place
    origin: Origin
    account: str
    given: Amount
    received: Amount
    proceeds: Amount
    parts: tuple[LotPart, ...]
    uncovered: Amount
    uncovered_proceeds: Amount

    @property
    def cost(self) -> Amount:
        """What the lots had cost."""
        return Amount(sum(part.cost.units for part in self.parts), self.proceeds.asset)

    @property
    def gain(self) -> Amount:
        """What the lots brought above their cost; negative is a loss."""
        return Amount(sum(part.gain.units for part in self.parts), self.proceeds.asset)


Value = Callable[[Place, Origin, Amount], Amount]
"""What an amount of a token was worth in the currency when the entry at that place was made."""


class GainsBook:
    """Takes the entries of a chain's journals in the order of the chain. `converted` are the accounts and tokens that
    are followed: the ones that were ever converted."""

    def __init__(
        self, tokens: Mapping[str, Token], into: Currency, value: Value, converted: set[tuple[str, str]]
    ) -> None:
        self._tokens, self._into, self._value, self._converted = tokens, into, value, converted
        self._receipts: list[Receipt] = []
        self.lots: dict[tuple[str, str], Lots] = {
            (account, token): Lots(tokens[token], into) for account, token in sorted(converted)
        }
        self.disposals: list[Disposal] = []

    def apply(self, contract: str, entry: Entry) -> None:
        """One entry. Raises what `value` raises where nothing says what something was worth."""
        place = Place(contract, entry.number)
        exchange = exchange_of(entry) if entry.kind == CONVERSION else None
        if exchange is None:
            self._move(place, entry)
        elif (exchange.caller, exchange.token_in) in self._converted:
            self._convert(place, entry.origin, exchange)
        else:
            self._receive(place, entry.origin, exchange.receiver, exchange.token_out, exchange.units_out)

    def cost_of(self, account: str, amount: Amount) -> tuple[Amount, Amount]:
        """How much of an amount the oldest lots that are left cover, and what that had cost; nothing is taken. Of an
        account and a token that are followed."""
        asset = amount.asset
        lots = self.lots[account, asset.address if isinstance(asset, Token) else asset.symbol]
        covered, cost = 0, 0
        for lot in lots:
            part = min(amount.units - covered, lot.left_units)
            if not part:
                break
            covered, cost = covered + part, cost + lot.take(part)[0]
        return Amount(covered, asset), Amount(cost, self._into)

    def _move(self, place: Place, entry: Entry) -> None:
        for (account, token), units in moves_of(entry.postings).items():
            if (account, token) not in self._converted:
                continue
            if units > 0:
                self._receive(place, entry.origin, account, token, units)
            elif units < 0:
                lots = self.lots[account, token]
                covered = Amount(min(-units, lots.amount.units), self._tokens[token])
                if covered.units:
                    lots.give(covered, Amount(0, self._into))

    def _receive(
        self, place: Place, origin: Origin, account: str, token: str, units: int, cost: Amount | None = None
    ) -> None:
        if (account, token) not in self._converted:
            return
        amount = Amount(units, self._tokens[token])
        cost = self._value(place, origin, amount) if cost is None else cost
        self.lots[account, token].receive(len(self._receipts), amount, cost)
        self._receipts.append(Receipt(place, origin, account, amount, cost))

    def _convert(self, place: Place, origin: Origin, exchange: Exchange) -> None:
        given = Amount(exchange.units_in, self._tokens[exchange.token_in])
        received = Amount(exchange.units_out, self._tokens[exchange.token_out])
        proceeds = self._value(place, origin, received)
        lots = self.lots[exchange.caller, exchange.token_in]
        covered = Amount(min(given.units, lots.amount.units), given.asset)
        uncovered = given - covered
        covered_proceeds, uncovered_proceeds = proceeds.split([covered.units, uncovered.units])
        parts = tuple(
            LotPart(
                self._receipts[part.entry],
                Amount(part.units, given.asset),
                Amount(part.cost_units, self._into),
                Amount(part.proceeds_units, self._into),
            )
            for part in (lots.give(covered, covered_proceeds) if covered.units else ())
        )
        self.disposals.append(
            Disposal(
                *(place, origin, exchange.caller, given, received, proceeds),
                *(parts, uncovered, uncovered_proceeds),
            )
        )
        self._receive(place, origin, exchange.receiver, exchange.token_out, exchange.units_out, proceeds)


def moves_of(postings: Iterable[Posting]) -> dict[tuple[str, str], int]:
    """By account and token: what an entry gave to it, negative for what it took. What a contract keeps for an account,
    what stands at its deposit addresses, and what it claimed of channels is its own already: to have it paid out moves
    nothing."""
    moves: defaultdict[tuple[str, str], int] = defaultdict(int)
    for account, side, token, units in postings:
        if account.startswith(HELD):
            moves[account.rpartition(":")[2], token] += units if side == "D" else -units
    return dict(moves)


def gain_postings(disposal: Disposal) -> tuple[Posting, ...]:
    """The balanced postings of a conversion's gain or loss in the currency, whose code stands in the token's place.
    None where there is neither."""
    gain, code = disposal.gain.units, disposal.gain.asset.symbol
    clearing = f"{CLEARING}{disposal.account}"
    if gain > 0:
        return Posting(clearing, "D", code, gain), Posting(f"{GAINS}{disposal.account}", "C", code, gain)
    if gain < 0:
        return Posting(f"{LOSSES}{disposal.account}", "D", code, -gain), Posting(clearing, "C", code, -gain)
    return ()
