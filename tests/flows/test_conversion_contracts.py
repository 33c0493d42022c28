"""Quoters and the swapper from the SDK: created once by anybody, recognised by their code, with the contracts' errors
as typed ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account

from tallystick import Config
from tallystick.chain.signer import KeySigner
from tallystick.core.quoter import QuoterTerms, TrustedFeed
from tallystick.core.swap import Swap, Swapped, route_of
from tallystick.errors import (
    AllowanceTooLow,
    AnotherRoute,
    AnotherToken,
    AnswerOutOfBounds,
    ConfigContradicts,
    InputError,
    NotAContract,
    QuoteStale,
    RoundIncomplete,
    SequencerDown,
    SwapExpired,
    SwapFailed,
)
from tallystick.flows.connect import Connection, open_contract
from tallystick.flows.deploy import deploy, read_manifest, write_manifest
from tallystick.flows.quoter import deploy_quoter, open_quoter
from tallystick.flows.swapper import deploy_swapper, require_swapper
from tests.business import Business
from tests.exchange import EUR_USD, HEARTBEAT, USDC_USD, Exchange

MERCHANT = 1
FAR = 2**40


@pytest.fixture
def exchange(business: Business) -> Exchange:
    return Exchange(business)


@pytest.fixture
def config(business: Business, tmp_path: Path) -> Config:
    write_manifest(tmp_path / "31337.json", business.manifest)
    return Config(rpc_url=business.anvil.url, deployment=tmp_path / "31337.json")


@pytest.fixture
def connect(config: Config, business: Business) -> Callable[[], Connection]:
    signer = KeySigner(Account.from_key(business.anvil.key(MERCHANT)))
    return lambda: open_contract(config, signer=signer)


def terms_of(exchange: Exchange, eur: str, usdc: str, sequencer: str | None = None) -> QuoterTerms:
    """Cents of the euro in a dollar that may be 3 % off its peg."""
    price, token = TrustedFeed(eur, HEARTBEAT, 1, 2**90), TrustedFeed(usdc, HEARTBEAT, 97_000_000, 103_000_000)
    more = (sequencer, 3_600) if sequencer else ()
    return QuoterTerms(exchange.business.token, 2, price, token, *more)


def send_nothing(to: str, data: bytes, value_wei: int) -> str:
    raise AssertionError(f"{to} was sent {len(data)} bytes and {value_wei} wei")


def test_E34_a_quoter_is_created_once_and_says_why_there_is_no_price(
    connect: Callable[[], Connection], exchange: Exchange, business: Business
) -> None:
    connection = connect()
    eur, usdc = exchange.feed("EUR / USD", EUR_USD), exchange.feed("USDC / USD", USDC_USD)
    terms = terms_of(exchange, eur, usdc)
    made, again = deploy_quoter(connection, terms), deploy_quoter(connection, terms)
    assert made.transaction is not None
    assert (again.address, again.transaction) == (made.address, None)
    quoter = open_quoter(connection, made.address)
    assert quoter.terms() == terms
    block = business.anvil.block_number
    exact_up = -(-999 * EUR_USD * 10**4 // USDC_USD)
    assert quoter.quote(business.token, 999) == quoter.quote(business.token, 999, block=block) == exact_up
    price, token = quoter.rounds()
    assert (price.answer, token.answer) == (EUR_USD, USDC_USD)
    with pytest.raises(AnotherToken):
        quoter.quote(eur, 999)
    exchange.says(usdc, 96_999_999)
    with pytest.raises(AnswerOutOfBounds, match="it is a depeg"):
        quoter.quote(business.token, 999)
    exchange.round_words(usdc, (7, USDC_USD, 1, 1, 6))
    with pytest.raises(RoundIncomplete, match="wait for the next one"):
        quoter.quote(business.token, 999)
    exchange.says(usdc, USDC_USD)
    business.anvil.advance(HEARTBEAT + 1)
    with pytest.raises(QuoteStale, match="is too old"):
        quoter.quote(business.token, 999)
    assert quoter.quote(business.token, 999, block=block) == exact_up, "what was said in a block stays"


def test_E34_a_quoter_without_a_price_for_ever_is_not_created(
    connect: Callable[[], Connection], exchange: Exchange, business: Business
) -> None:
    connection, nobody = connect(), business.account("no contract")
    eur, usdc = exchange.feed("EUR / USD", EUR_USD), exchange.feed("USDC / USD", USDC_USD)
    with pytest.raises(ConfigContradicts):
        deploy_quoter(connection, QuoterTerms(business.token, 2))
    with pytest.raises(NotAContract):
        deploy_quoter(connection, terms_of(exchange, nobody, usdc))
    with pytest.raises(InputError, match="is not that of ChainlinkQuoter"):
        open_quoter(connection, business.token)
    with pytest.raises(InputError, match="has no code"):
        open_quoter(connection, nobody)
    down = exchange.feed("L2 Sequencer Uptime Status Feed", 1, decimals=0)
    quoter = open_quoter(connection, deploy_quoter(connection, terms_of(exchange, eur, usdc, down)).address)
    with pytest.raises(SequencerDown):
        quoter.rounds()


def test_E35_the_swapper_stands_in_the_manifest_and_exchanges_within_its_bound(
    connect: Callable[[], Connection], config: Config, exchange: Exchange, business: Business
) -> None:
    connection = connect()
    with pytest.raises(InputError, match="deploy-swapper"):
        require_swapper(connection)
    with pytest.raises(InputError, match="is no SwapRouter"):
        deploy_swapper(connection, config, exchange.factory)
    made = deploy_swapper(connection, config, exchange.router)
    assert deploy_swapper(connection, config, exchange.router).transaction is None
    assert config.deployment is not None
    manifest = read_manifest(config.deployment)
    assert manifest.contract("UniswapSwapper").address == made.address
    assert manifest.contract("UniswapSwapper").deploy_transaction == made.transaction
    again = deploy(connection.node.request, send_nothing, config.deployment.parent)
    assert again.manifest == manifest, "deploying keeps it"

    connection = connect()
    swapper, merchant = require_swapper(connection), connection.sender.address
    assert (swapper.address, swapper.router()) == (made.address, exchange.router)
    euro = business.create_token()
    exchange.pool(euro, business.token)
    business.mint(merchant, 10**9, token=euro)
    path = route_of(euro, business.token, [500]).path
    swap = Swap(euro, business.token, 10**9, 990_000_000, merchant, FAR, path)
    with pytest.raises(AllowanceTooLow):
        swapper.swap_exact_input(swap)
    connection.token(euro).approve(connection.sender, swapper.address, 10**9)
    expected = exchange.worth(10**9, path)
    assert swapper.try_exact_input(swap, merchant) == (10**9, expected)
    with pytest.raises(SwapFailed, match="Too little received"):
        swapper.swap_exact_input(Swap(euro, business.token, 10**9, expected + 1, merchant, FAR, path))
    with pytest.raises(SwapExpired, match="plan it anew"):
        swapper.swap_exact_input(Swap(euro, business.token, 10**9, 1, merchant, 1, path))
    with pytest.raises(AnotherRoute):
        swapper.swap_exact_input(
            Swap(euro, business.token, 10**9, 1, merchant, FAR, path[23:] + path[20:23] + path[:20])
        )
    sent = swapper.swap_exact_input(swap)
    done = sent.one(Swapped)
    assert done == Swapped(merchant, euro, business.token, merchant, 10**9, expected)
    assert connection.token(business.token).balance(merchant) == expected
    assert connection.token(euro).allowance(merchant, swapper.address) == 0
    (found,) = swapper.swaps_of(merchant, euro, connection.swapper_start_block)
    assert (found.event, found.origin.block_number) == (done, sent.receipt.block_number)
    assert list(swapper.swaps_of(merchant, business.token, 0)) == []
