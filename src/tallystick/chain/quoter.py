"""Typed calls of quoters: `ChainlinkQuoter`, and of any other just what every quoter answers.

Every call raises the contract's own errors (`errors.ContractError`: QuoteStale, AnswerOutOfBounds, SequencerDown and so
on) and NodeErrors. Amounts are base units of the quoter's token, prices units of what it prices in.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tallystick.chain.calls import decoded
from tallystick.chain.contract import Contract
from tallystick.chain.decoder import Decoder
from tallystick.chain.node import Block
from tallystick.core.address import parse_address
from tallystick.core.quoter import QuoterRound, QuoterTerms, TrustedFeed

ARTEFACT = "ChainlinkQuoter"
"""The name of its artefact."""


class QuoterContract(Contract):
    """The contract at one address on one chain. It only answers."""

    decoder: ClassVar[Decoder[Any]] = Decoder(ARTEFACT, {})

    def quote(self, token: str, price_units: int, *, block: Block = "latest") -> int:
        """How many units of `token` a price is, rounded up. Raises AnotherToken, PriceTooHigh, AmountTooHigh,
        QuoteStale, FeedUnavailable, RoundIncomplete, RoundInFuture, AnswerOutOfBounds, SequencerDown or
        SequencerRecovering."""
        return int(self._ask("quote", token, price_units, block=block))

    def rounds(self, *, block: Block = "latest") -> tuple[QuoterRound, QuoterRound]:
        """The rounds that a quote in that block goes by, the currency's and the token's. Raises as `quote`."""
        price, token = self._ask("rounds", block=block)
        return QuoterRound(*price), QuoterRound(*token)

    def terms(self) -> QuoterTerms:
        """What it was created with."""
        token, decimals, price_feed, token_feed, sequencer, grace = self._ask("config", block="latest")
        price, of_token = (TrustedFeed(parse_address(feed[0]), *feed[1:]) for feed in (price_feed, token_feed))
        return QuoterTerms(parse_address(token), decimals, price, of_token, parse_address(sequencer), grace)

    def _ask(self, name: str, *values: object, block: Block) -> Any:
        return decoded(name, self.node.call(self.address, self._data(name, *values), block=block), contract=ARTEFACT)
