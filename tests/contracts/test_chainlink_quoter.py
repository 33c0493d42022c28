"""ChainlinkQuoter: prices in a currency by Chainlink's feeds, or an error that says why there is none (E34); and
charges through `Subscriptions` by it, which never cost more than the payer's maximum."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.contracts.feeds import (
    ETH_USD,
    EUR_USD,
    HEARTBEAT,
    HOUR,
    MOST,
    NO_FEED,
    USDC_USD,
    Config,
    Feed,
    Feeds,
    Trick,
    cents,
    fair,
)
from tests.contracts.signing import Conditions
from tests.contracts.special import PAID, charge, charge_as_foreseen, open_with, reason
from tests.contracts.stage import (
    FIRST_DUE,
    FUNDS,
    NOBODY,
    START,
    SUBSCRIBED,
    UNLIMITED,
    Account,
    Contract,
    Stage,
    reverts,
)

PRICE = 999
"""9.99 euro."""
COST = 10_825_002
"""PRICE at EUR_USD and USDC_USD: 10.8250017... dollars of the token, rounded up."""
PHASE = 1 << 64
STALE = keccak(text="QuoteStale(uint256,uint256)")[:4]


@pytest.fixture
def feeds(stage: Stage, project: Any) -> Feeds:
    """As of START."""
    return Feeds(stage, project)


@pytest.fixture
def quoter(token: Contract, feeds: Feeds) -> Contract:
    """Cents of the euro in the usual token."""
    return feeds.quoter(feeds.config(token))


def ask(stage: Stage, quoter: Contract, token: Contract, price: int = PRICE, *, at: int | None = None) -> int:
    """A quote, as of a time."""
    if at is not None:
        stage.at(at)
        stage.rpc("evm_mine")
        assert stage.now == at
    return int(quoter.quote(token, price))


def refuses(
    stage: Stage,
    quoter: Contract,
    token: Contract,
    error: str,
    *,
    price: int = PRICE,
    at: int | None = None,
    **values: Any,
) -> None:
    """There is no quote, as of a time, but exactly this error."""
    if at is not None:
        stage.at(at)
    with reverts(error, **values):
        quoter.quote.transact(token, price, sender=stage.anyone)  # Ape decodes errors of transactions alone


# --- What a price is ---


def test_a_price_in_a_currency_by_two_feeds(quoter: Contract, token: Contract) -> None:
    exact = fair(PRICE, 2, Fraction(108_345, 100_000), Fraction(99_987_654, 10**8), 6)
    assert COST - 1 < exact < COST
    assert quoter.quote(token, PRICE) == COST == cents(PRICE)


def test_it_is_rounded_up_and_never_to_nothing(feeds: Feeds, project: Any, stage: Stage) -> None:
    whole = project.MockToken.deploy("Whole", "WHO", 0, sender=stage.anyone)
    quoter = feeds.quoter(feeds.config(whole))
    assert [quoter.quote(whole, price) for price in (0, 1, 92, 93, 10_000)] == [0, 1, 1, 2, 109]


def test_one_that_is_worth_whole_units_is_exact(feeds: Feeds, token: Contract) -> None:
    feeds.says(feeds.eur, 125_000_000, at=START)
    feeds.says(feeds.usdc, 100_000_000, at=START)
    assert feeds.quoter(feeds.config(token)).quote(token, 8) == 100_000


def test_dollars_in_a_dollar_need_one_feed(feeds: Feeds, token: Contract) -> None:
    quoter = feeds.quoter(feeds.config(token, price_feed=NO_FEED))
    assert quoter.quote(token, PRICE) == ceil(fair(PRICE, 2, Fraction(1), Fraction(USDC_USD, 10**8), 6)) == 9_991_234
    assert tuple(quoter.rounds()[0]) == (0, 1, 0)


def test_a_token_at_par_needs_one_feed(feeds: Feeds, token: Contract) -> None:
    quoter = feeds.quoter(feeds.config(token, token_feed=NO_FEED))
    assert quoter.quote(token, PRICE) == ceil(fair(PRICE, 2, Fraction(EUR_USD, 10**8), Fraction(1), 6)) == 10_823_666


@pytest.mark.parametrize("price_decimals", [0, 2, 6, 18, 24])
@pytest.mark.parametrize("token_decimals", [0, 6, 18, 24])
def test_E04_any_decimals(stage: Stage, project: Any, feeds: Feeds, price_decimals: int, token_decimals: int) -> None:
    token = project.MockToken.deploy("Any", "ANY", token_decimals, sender=stage.anyone)
    ether = feeds.feed("ETH / USD", 18, ETH_USD)
    config = feeds.config(token, price_decimals=price_decimals, token_feed=feeds.trusted(ether))
    price = 99_900 * 10**price_decimals // 7
    exact = fair(price, price_decimals, Fraction(EUR_USD, 10**8), Fraction(ETH_USD, 10**18), token_decimals)
    assert feeds.quoter(config).quote(token, price) == ceil(exact)


def test_decimals_are_those_of_its_creation(stage: Stage, feeds: Feeds, quoter: Contract, token: Contract) -> None:
    """A feed that changes them leaves its bounds, where they are narrow: there is no price, and not a wrong one."""
    feeds.usdc.changePhase(18, sender=stage.anyone)
    assert quoter.quote(token, PRICE) == COST
    feeds.says(feeds.usdc, USDC_USD * 10**10, at=START + 1)
    found = {"found": USDC_USD * 10**10, "min": 97_000_000, "max": 103_000_000}
    refuses(stage, quoter, token, "AnswerOutOfBounds", feed=feeds.usdc, **found)


def test_rounds_are_the_evidence_of_a_quote(stage: Stage, feeds: Feeds, quoter: Contract) -> None:
    price, token = quoter.rounds()
    assert tuple(price) == (PHASE + 1, EUR_USD, START)
    assert tuple(token) == (PHASE + 1, USDC_USD, START)
    feeds.eur.changePhase(8, sender=stage.anyone)
    feeds.says(feeds.eur, EUR_USD + 1, at=START + 5)
    price, token = quoter.rounds()
    assert tuple(price) == (2 * PHASE + 1, EUR_USD + 1, START + 5)
    assert token[0] == PHASE + 1


def test_it_is_configured_once_and_shows_how(feeds: Feeds, token: Contract) -> None:
    config = feeds.config(token, price_decimals=3, sequencer=feeds.sequencer.address, grace_period=HOUR)
    found = feeds.quoter(config).config()
    assert (found.token, found.priceDecimals, found.sequencer, found.gracePeriod) == (token, 3, feeds.sequencer, HOUR)
    assert (tuple(found.priceFeed), tuple(found.tokenFeed)) == (config.price_feed, config.token_feed)


def test_it_has_nothing_that_anyone_could_change(quoter: Contract) -> None:
    abi = quoter.contract_type.abi
    called = {entry.name: entry.stateMutability for entry in abi if entry.type == "function"}
    assert called == dict.fromkeys(("quote", "rounds", "config"), "view")


# --- Whether there is a price ---


def test_E34_only_its_own_token_is_priced(stage: Stage, quoter: Contract, token: Contract, usdc: Contract) -> None:
    refuses(stage, quoter, usdc, "AnotherToken", found=usdc, allowed=token)


@pytest.mark.parametrize("late_s", [-1, 0, 1])
@pytest.mark.parametrize("name", ["eur", "usdc"])
def test_E34_E20_an_answer_is_good_until_its_age(
    stage: Stage, feeds: Feeds, token: Contract, name: str, late_s: int
) -> None:
    ages = {"eur": 2 * HEARTBEAT, "usdc": 2 * HEARTBEAT} | {name: HEARTBEAT}
    changes = {"price_feed": feeds.trusted(feeds.eur, max_age=ages["eur"])}
    changes["token_feed"] = feeds.trusted(feeds.usdc, max_age=ages["usdc"])
    quoter = feeds.quoter(feeds.config(token, **changes))
    at = START + HEARTBEAT + late_s
    if late_s < 0:
        assert ask(stage, quoter, token, at=at) == COST
    else:
        stage.at(at)
        stage.rpc("evm_mine")
        call = {"to": quoter.address, "data": "0x" + quoter.quote.encode_input(token, PRICE).hex()}
        answer = stage.rpc("debug_traceCall", call, "latest", {"tracer": "callTracer"})["output"]
        assert answer == "0x" + STALE.hex() + encode(["uint256", "uint256"], [START, START + late_s + 1]).hex()
        feeds.says(getattr(feeds, name), EUR_USD if name == "eur" else USDC_USD, at=START + late_s + 2)
        assert ask(stage, quoter, token) == COST


@pytest.mark.parametrize("answer", [0, -1, -EUR_USD, -(2**255)])
@pytest.mark.parametrize("name", ["eur", "usdc"])
def test_E34_zero_and_negative_answers_are_no_price(
    stage: Stage, feeds: Feeds, token: Contract, name: str, answer: int
) -> None:
    wide = {"price_feed": feeds.trusted(feeds.eur), "token_feed": feeds.trusted(feeds.usdc)}
    quoter = feeds.quoter(feeds.config(token, **wide))
    feed = getattr(feeds, name)
    feeds.says(feed, answer, at=START)
    refuses(stage, quoter, token, "AnswerOutOfBounds", feed=feed, found=answer, min=1, max=MOST)


@pytest.mark.parametrize("answer", [96_999_999, 97_000_000, 103_000_000, 103_000_001, 2**255 - 1])
def test_E34_beyond_the_band_of_its_peg_a_stablecoin_has_no_price(
    stage: Stage, feeds: Feeds, quoter: Contract, token: Contract, answer: int
) -> None:
    feeds.says(feeds.usdc, answer, at=START)
    if answer in (97_000_000, 103_000_000):
        assert quoter.quote(token, PRICE) == cents(PRICE, usdc=answer)
    else:
        refuses(
            stage, quoter, token, "AnswerOutOfBounds", feed=feeds.usdc, found=answer, min=97_000_000, max=103_000_000
        )


def test_E34_a_round_without_its_answer_is_none(stage: Stage, feeds: Feeds, quoter: Contract, token: Contract) -> None:
    feeds.eur.setRound([PHASE + 2, EUR_USD, START, 0, PHASE + 2], sender=stage.anyone)
    refuses(stage, quoter, token, "RoundIncomplete", feed=feeds.eur, roundId=PHASE + 2, answeredInRound=PHASE + 2)


def test_E34_nor_is_one_that_carries_over_an_older_one_s(
    stage: Stage, feeds: Feeds, quoter: Contract, token: Contract
) -> None:
    feeds.eur.setRound([PHASE + 2, EUR_USD, START, START, PHASE + 1], sender=stage.anyone)
    refuses(stage, quoter, token, "RoundIncomplete", feed=feeds.eur, roundId=PHASE + 2, answeredInRound=PHASE + 1)


def test_E34_an_answer_from_the_future_is_none(stage: Stage, feeds: Feeds, quoter: Contract, token: Contract) -> None:
    at = START + HOUR
    feeds.says(feeds.usdc, USDC_USD, at=at + 1)
    refuses(stage, quoter, token, "RoundInFuture", at=at, feed=feeds.usdc, updatedAt=at + 1, time=at)
    assert ask(stage, quoter, token, at=at + 1) == COST


@pytest.mark.parametrize("trick", [trick for trick in Trick if trick not in (Trick.NONE, Trick.RETURN_BOMB)])
def test_E34_E06_a_feed_that_fails_gives_no_price(
    stage: Stage, feeds: Feeds, quoter: Contract, token: Contract, trick: Trick
) -> None:
    feeds.usdc.play(trick, sender=stage.anyone)
    refuses(stage, quoter, token, "FeedUnavailable", feed=feeds.usdc)


@pytest.mark.parametrize("place", [0, 4])
def test_E34_words_that_a_round_does_not_have_are_refused(
    stage: Stage, feeds: Feeds, quoter: Contract, token: Contract, place: int
) -> None:
    words = [PHASE + 2, EUR_USD, START, START, PHASE + 2]
    words[place] = 2**80 + PHASE + 2
    feeds.eur.setRound(words, sender=stage.anyone)
    refuses(stage, quoter, token, "FeedUnavailable", feed=feeds.eur)


def test_E06_what_comes_after_a_round_is_not_copied(
    stage: Stage, feeds: Feeds, quoter: Contract, token: Contract
) -> None:
    feeds.usdc.play(Trick.RETURN_BOMB, sender=stage.anyone)
    assert quoter.quote(token, PRICE) == COST


def test_E34_a_feed_that_is_gone_gives_no_price(stage: Stage, feeds: Feeds, quoter: Contract, token: Contract) -> None:
    stage.rpc("anvil_setCode", feeds.eur.address, "0x")
    refuses(stage, quoter, token, "FeedUnavailable", feed=feeds.eur)


# --- A rollup's sequencer ---


@pytest.fixture
def on_rollup(feeds: Feeds, token: Contract) -> Contract:
    """With a sequencer that is up, and an hour after it comes back."""
    return feeds.quoter(feeds.config(token, sequencer=feeds.sequencer.address, grace_period=HOUR))


def test_a_sequencer_that_is_up(on_rollup: Contract, token: Contract) -> None:
    assert on_rollup.quote(token, PRICE) == COST


@pytest.mark.parametrize("answer", [1, 2, -1])
def test_E34_while_the_sequencer_is_down_there_is_no_price(
    stage: Stage, feeds: Feeds, on_rollup: Contract, token: Contract, answer: int
) -> None:
    feeds.says(feeds.sequencer, answer, at=START + 110)
    refuses(stage, on_rollup, token, "SequencerDown", at=START + 120, since=START + 110, time=START + 120)


@pytest.mark.parametrize("late_s", [-1, 0, 1])
def test_E34_E20_nor_before_the_feeds_caught_up(
    stage: Stage, feeds: Feeds, on_rollup: Contract, token: Contract, late_s: int
) -> None:
    feeds.says(feeds.sequencer, 0, at=START + 110)
    at = START + 110 + HOUR + late_s
    if late_s < 0:
        refuses(stage, on_rollup, token, "SequencerRecovering", at=at, until=at + 1, time=at)
    else:
        assert ask(stage, on_rollup, token, at=at) == COST


def test_E34_a_sequencer_s_feed_that_knows_nothing(
    stage: Stage, feeds: Feeds, on_rollup: Contract, token: Contract
) -> None:
    feeds.sequencer.setRound([0, 0, 0, 0, 0], sender=stage.anyone)
    refuses(stage, on_rollup, token, "RoundIncomplete", feed=feeds.sequencer, roundId=0, answeredInRound=0)
    feeds.says(feeds.sequencer, 0, at=START + 2 * HOUR)
    refuses(
        stage,
        on_rollup,
        token,
        "RoundInFuture",
        at=START + HOUR,
        feed=feeds.sequencer,
        updatedAt=START + 2 * HOUR,
        time=START + HOUR,
    )
    feeds.sequencer.play(Trick.REFUSE, sender=stage.anyone)
    refuses(stage, on_rollup, token, "FeedUnavailable", feed=feeds.sequencer)


# --- Numbers at their ends ---


def test_a_price_has_96_bits(stage: Stage, quoter: Contract, token: Contract) -> None:
    refuses(stage, quoter, token, "PriceTooHigh", price=MOST + 1, found=MOST + 1, allowed=MOST)
    refuses(stage, quoter, token, "AmountTooHigh", price=MOST, found=cents(MOST), allowed=MOST)


def test_an_amount_has_96_bits(feeds: Feeds, token: Contract) -> None:
    """One for one: what is quoted is the price itself, to the last unit."""
    par = feeds.feed("USD / USD", 0, 1)
    quoter = feeds.quoter(Config(token.address, 6, NO_FEED, feeds.trusted(par)))
    assert quoter.quote(token, MOST) == MOST
    feeds.says(par, 2, at=START)
    assert quoter.quote(token, MOST) == (MOST + 1) // 2


def test_no_product_overflows(stage: Stage, project: Any, feeds: Feeds) -> None:
    """The highest price and answer against the lowest, with all decimals on either side."""
    token = project.MockToken.deploy("Fine", "FINE", 24, sender=stage.anyone)
    fine, coarse = feeds.feed("fine", 24, 1), feeds.feed("coarse", 0, MOST)
    dear = feeds.quoter(Config(token.address, 0, feeds.trusted(coarse), feeds.trusted(fine)))
    refuses(stage, dear, token, "AmountTooHigh", price=MOST, found=UNLIMITED, allowed=MOST)
    refuses(stage, dear, token, "AmountTooHigh", price=1, found=MOST * 10**48, allowed=MOST)
    whole = project.MockToken.deploy("Whole", "WHO", 0, sender=stage.anyone)
    cheap = feeds.quoter(Config(whole.address, 24, feeds.trusted(fine), feeds.trusted(coarse)))
    assert [cheap.quote(whole, price) for price in (0, 1, MOST)] == [0, 1, 1]


# --- What it can be created with ---


DECIMALS = "DecimalsTooHigh(address,uint256,uint256)"


def changed(config: Config, **changes: Any) -> Config:
    """A configuration with other values."""
    return config._replace(**changes)


def test_contradictions_are_refused(feeds: Feeds, token: Contract) -> None:
    good = feeds.config(token)
    eur = good.price_feed
    wrong = [
        changed(good, price_feed=NO_FEED, token_feed=NO_FEED),
        changed(good, grace_period=HOUR),
        changed(good, sequencer=feeds.sequencer.address),
        *(changed(good, price_feed=feed) for feed in (eur._replace(max_age=0), eur._replace(least=0))),
        changed(good, price_feed=eur._replace(least=10, most=9)),
        *(changed(good, token_feed=Feed(NOBODY, *words)) for words in ((1, 0, 0), (0, 1, 0), (0, 0, 1))),
    ]
    for config in wrong:
        feeds.refuses(config, "ConfigContradicts()")
    feeds.quoter(good)


def test_what_is_no_contract_is_refused(feeds: Feeds, token: Contract, anyone: Account) -> None:
    good = feeds.config(token, sequencer=feeds.sequencer.address, grace_period=HOUR)
    nowhere = Feed(anyone.address, HEARTBEAT, 1, MOST)
    for changes in (
        {"token": anyone.address},
        {"price_feed": nowhere},
        {"token_feed": nowhere},
        {"sequencer": anyone.address},
    ):
        feeds.refuses(changed(good, **changes), "NotAContract(address)", anyone.address)
    feeds.refuses(changed(good, token=NOBODY), "NotAContract(address)", NOBODY)


def test_E04_more_than_24_decimals_are_refused(stage: Stage, project: Any, feeds: Feeds, token: Contract) -> None:
    good = feeds.config(token)
    odd = project.MockToken.deploy("Odd", "ODD", 25, sender=stage.anyone)
    feeds.refuses(changed(good, token=odd.address), DECIMALS, odd.address, 25, 24)
    feeds.refuses(changed(good, price_decimals=25), DECIMALS, NOBODY, 25, 24)
    fine = feeds.feed("fine", 25, 1)
    for name in ("price_feed", "token_feed"):
        feeds.refuses(changed(good, **{name: feeds.trusted(fine)}), DECIMALS, fine.address, 25, 24)


# --- Charges by it ---


@pytest.fixture
def quoted(stage: Stage, payer: Account, quoter: Contract) -> int:
    """The payer's subscription at 9.99 euro a month, opened at SUBSCRIBED, of at most 2 % more than it cost then."""
    plan_id = stage.create_plan(price=PRICE, quoter=quoter)
    open_with(stage, payer, plan_id, Conditions(max_per_period=COST * 102 // 100), at=SUBSCRIBED)
    return 1


def test_a_fiat_price_is_charged_by_what_the_feeds_say_then(
    stage: Stage, feeds: Feeds, token: Contract, payer: Account, quoted: int
) -> None:
    assert token.balanceOf(payer) == FUNDS - COST
    feeds.says(feeds.eur, EUR_USD + 1_000_000, at=FIRST_DUE - HOUR)
    feeds.says(feeds.usdc, USDC_USD - 5, at=FIRST_DUE - HOUR)
    row = charge_as_foreseen(stage, quoted, at=FIRST_DUE)
    assert row.amount == cents(PRICE, EUR_USD + 1_000_000, USDC_USD - 5)
    assert row.events[0] == (
        "Quoted",
        {"subscriptionId": quoted, "chargeNumber": 2, "price": PRICE, "amount": row.amount},
    )


def test_E34_a_price_above_the_payer_s_maximum_is_not_paid(
    stage: Stage, feeds: Feeds, token: Contract, payer: Account, quoted: int
) -> None:
    """The bound holds to the unit, whatever the feeds say: a unit more declines, and nothing moves."""
    most = COST * 102 // 100
    answer = next(eur for eur in range(EUR_USD * 102 // 100 - 99, MOST) if cents(PRICE, eur) > most)
    assert cents(PRICE, answer - 1) <= most
    late = FIRST_DUE + 100
    for found, expected in ((answer, "Slippage"), (10 * EUR_USD, "Slippage"), (answer - 1, PAID)):
        feeds.says(feeds.eur, found, at=FIRST_DUE - HOUR)
        feeds.says(feeds.usdc, USDC_USD, at=FIRST_DUE - HOUR)
        late += 100
        assert charge_as_foreseen(stage, quoted, at=late).reason == expected
    assert token.balanceOf(payer) >= FUNDS - COST - most


def test_E34_a_first_charge_above_it_opens_nothing(stage: Stage, payer: Account, quoter: Contract) -> None:
    plan_id = stage.create_plan(price=PRICE, quoter=quoter)
    values = {"reason": reason("Slippage"), "found": COST, "allowed": COST - 1}
    with stage.nothing_changes(), reverts("FirstChargeDeclined", **values):
        open_with(stage, payer, plan_id, Conditions(max_per_period=COST - 1))


def test_E34_an_old_price_is_a_decline_until_there_is_a_new_one(stage: Stage, feeds: Feeds, quoted: int) -> None:
    assert charge_as_foreseen(stage, quoted, at=FIRST_DUE).reason == "QuoteStale"
    feeds.says(feeds.eur, EUR_USD, at=FIRST_DUE)
    assert charge_as_foreseen(stage, quoted, at=FIRST_DUE + 60).reason == "QuoteStale"
    feeds.says(feeds.usdc, USDC_USD, at=FIRST_DUE)
    row = charge_as_foreseen(stage, quoted, at=FIRST_DUE + 120)
    assert (row.reason, row.amount) == (PAID, COST)


def test_E34_whatever_else_is_wrong_is_a_decline(stage: Stage, feeds: Feeds, quoted: int) -> None:
    """A depeg, a broken round, a feed that fails, burns gas or answers a bomb: the charge is made once it is over."""
    feeds.says(feeds.eur, EUR_USD, at=FIRST_DUE)
    times = iter(range(FIRST_DUE + 60, FIRST_DUE + 6_000, 60))

    def declines(expected: str = "QuoteUnavailable") -> None:
        assert charge_as_foreseen(stage, quoted, at=next(times)).reason == expected

    for answer in (0, -1, 90_000_000, 110_000_000):
        feeds.says(feeds.usdc, answer, at=FIRST_DUE)
        declines()
    feeds.usdc.setRound([PHASE + 9, USDC_USD, FIRST_DUE, FIRST_DUE, PHASE + 8], sender=stage.anyone)
    declines()
    feeds.says(feeds.usdc, USDC_USD, at=FIRST_DUE)
    for trick in Trick:
        feeds.usdc.play(trick, sender=stage.anyone)
        if trick not in (Trick.NONE, Trick.RETURN_BOMB):
            declines()
    feeds.usdc.play(Trick.NONE, sender=stage.anyone)
    declines(PAID)


def test_E34_one_that_has_no_price_harms_no_other_row(
    stage: Stage, feeds: Feeds, payers: list[Account], monthly: int, quoted: int
) -> None:
    assert stage.subscribe(payers[1], monthly, at=SUBSCRIBED + 60) == quoted + 1
    feeds.eur.play(Trick.BURN_GAS, sender=stage.anyone)
    assert charge(stage, quoted, quoted + 1, at=FIRST_DUE + 120) == ["QuoteUnavailable", PAID]
