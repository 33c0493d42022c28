"""Feeds as they are read off chain: what the quoter's contract refuses is refused here, with the same error, and what
it takes is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from eth_abi.abi import encode

from tallystick.chain.feed import FeedSource, foreseen, place_of, read_feed, read_rate
from tallystick.chain.node import connect
from tallystick.chain.quoter import QuoterContract
from tallystick.contracts import load_artefact
from tallystick.core.quoter import MOST_ANSWER, QuoterTerms, TrustedFeed
from tallystick.core.rate import FeedEvidence
from tallystick.errors import (
    ContractError,
    FeedUnavailable,
    InputError,
    NodeInvalid,
    RoundIncomplete,
    SequencerDown,
    SequencerRecovering,
)
from tallystick.testing import start_anvil
from tests.business import Business, calldata
from tests.exchange import EUR_USD, USDC_USD, Exchange

MAX_AGE_S, GRACE_S = 3_600, 600
FEED = "(address,uint32,uint96,uint96)"


class Feeds:
    """A feed, a sequencer's, and the contract that goes by both."""

    def __init__(self, business: Business) -> None:
        self.exchange, self.business = Exchange(business), business
        self.node = connect(business.anvil.url)
        self.euro = self.exchange.feed("EUR / USD", EUR_USD)
        self.uptime = self.exchange.feed("L2 Sequencer Uptime Status Feed", 0, decimals=0)
        self.exchange.says(self.uptime, 0, at=business.anvil.timestamp - GRACE_S)
        trusted = TrustedFeed(self.euro, MAX_AGE_S, 1, MOST_ANSWER)
        terms = QuoterTerms(business.token, 2, trusted, sequencer=self.uptime, grace_period_s=GRACE_S)
        code = load_artefact("ChainlinkQuoter").creation_code
        created = code + encode([f"(address,uint8,{FEED},{FEED},address,uint32)"], [terms])
        self.quoter = QuoterContract(self.node, business._create(created))
        self.source = FeedSource(
            business.token, "EUR", None, self.euro, MAX_AGE_S, sequencer=self.uptime, grace_s=GRACE_S
        )

    def verdicts(self) -> tuple[object, object]:
        """What the contract says in the newest block, and what is read of the same."""
        return self._verdict(lambda: self.quoter.rounds()[0].round_id), self._verdict(self._round_read)

    @staticmethod
    def _verdict(read: Callable[[], int]) -> object:
        try:
            return read()
        except ContractError as error:
            return type(error), error.args

    def _round_read(self) -> int:
        evidence = read_rate(self.node, self.source).evidence
        assert isinstance(evidence, FeedEvidence)
        assert evidence.currency_feed is not None
        return evidence.currency_feed.round_id


@pytest.fixture(scope="module")
def feeds() -> Iterator[Feeds]:
    with start_anvil() as anvil:
        yield Feeds(Business(anvil))


def words(now: int, *, answer: int = EUR_USD, updated: int | None = None, answered_in: int = 9) -> tuple[int, ...]:
    return 9, answer % 2**256, now, now if updated is None else updated, answered_in


def test_E34_the_contract_and_the_reader_judge_alike(feeds: Feeds) -> None:
    now = feeds.business.anvil.timestamp + 100
    cases = [
        words(now),
        words(now, answered_in=8),
        words(now, answered_in=10),
        words(now, updated=0),
        words(now, updated=1),
        words(now, updated=now + 10**6),
        *(words(now, updated=now + 2 - MAX_AGE_S + second) for second in (-2, -1, 0, 1, 2)),
        *(words(now, answer=answer) for answer in (0, -1, 1, MOST_ANSWER, MOST_ANSWER + 1, 2**255 - 1, -(2**255))),
    ]
    refused = 0
    for number, case in enumerate(cases):
        feeds.business.anvil.rpc("evm_setNextBlockTimestamp", hex(now + 2 + number))
        feeds.exchange.round_words(feeds.euro, case)
        on_chain, here = feeds.verdicts()
        assert on_chain == here, case
        refused += on_chain != 9
    assert 8 < refused < len(cases) - 3
    feeds.exchange.says(feeds.euro, EUR_USD)


@pytest.mark.parametrize(
    ("answer", "since", "error"),
    [(1, 10_000, SequencerDown), (0, 10, SequencerRecovering), (0, GRACE_S + 10, None), (0, None, RoundIncomplete)],
    ids=["down", "just back", "back", "never told"],
)
def test_E34_the_sequencer_is_judged_as_the_contract_does(
    feeds: Feeds, answer: int, since: int | None, error: type[ContractError] | None
) -> None:
    now = feeds.business.anvil.timestamp
    feeds.exchange.round_words(feeds.uptime, (1, answer, 0 if since is None else now - since, now, 1))
    feeds.exchange.says(feeds.euro, EUR_USD)
    on_chain, here = feeds.verdicts()
    assert on_chain == here
    assert (on_chain[0] if isinstance(on_chain, tuple) else None) is error
    feeds.exchange.round_words(feeds.uptime, (1, 0, now - GRACE_S, now, 1))


@pytest.mark.parametrize(
    "trick", [1, 2, 3, 6], ids=["refuses", "answers nothing", "answers short", "reverts at length"]
)
def test_E34_a_feed_that_fails_is_none(feeds: Feeds, trick: int) -> None:
    feeds.business.send(feeds.exchange.provider, feeds.euro, calldata("MockFeed", "play", trick))
    on_chain, here = feeds.verdicts()
    assert on_chain == here == (FeedUnavailable, (feeds.euro,))
    feeds.business.send(feeds.exchange.provider, feeds.euro, calldata("MockFeed", "play", 0))
    feeds.exchange.says(feeds.euro, EUR_USD)
    with pytest.raises(FeedUnavailable):
        read_feed(feeds.node, feeds.business.account("no contract"), place_of(feeds.node), max_age_s=MAX_AGE_S)


def test_a_source_without_feeds_and_a_block_that_there_is_not(feeds: Feeds) -> None:
    with pytest.raises(InputError, match="declare a peg"):
        read_rate(feeds.node, FeedSource(feeds.business.token, "EUR", None, None))
    with pytest.raises(NodeInvalid, match="has no block"):
        place_of(feeds.node, 10**6)


def test_what_was_foreseen_needs_the_node_no_more() -> None:
    with start_anvil() as anvil:
        exchange = Exchange(Business(anvil))
        usdc, eur = exchange.feed("USDC / USD", USDC_USD), exchange.feed("EUR / USD", EUR_USD)
        source = FeedSource(exchange.business.token, "EUR", usdc, eur)
        exchange.says(eur, EUR_USD + 1)
        node, last = connect(anvil.url), anvil.block_number
        wanted = [(source, last - 1), (source, last)]
        alone = [read_rate(node, *found) for found in wanted]
        ahead = foreseen(node, wanted)
    assert [read_rate(ahead, *found) for found in wanted] == alone
    assert alone[0].fraction != alone[1].fraction
