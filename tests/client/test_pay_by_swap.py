"""A quote in dollars, paid with euros: planned, bounded, paid whole or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isqrt
from pathlib import Path

import msgspec
import pytest
from eth_abi.abi import encode

from tallystick import SignedQuote, Tallystick
from tallystick.core.checkout_events import QuotePaid
from tallystick.core.swap import route_of
from tallystick.errors import BalanceTooLow, InputError, NumberUsed, QuoteExpired, SwapFailed
from tallystick.flows.deploy import write_manifest
from tests.business import Business
from tests.client.conftest import MERCHANT, PAYER, Connect
from tests.exchange import EUR_USD, MILLION, USDC_USD, Exchange
from tests.uniswap import PACKAGES

ASKED = 100_000_000
PLAIN_TOKEN = (
    PACKAGES / "v3-periphery/node_modules/@openzeppelin/contracts/build/contracts/ERC20PresetMinterPauser.json"
)
"""An ERC-20 token without EIP-2612, as OpenZeppelin compiled it."""


@dataclass
class Shop:
    """A merchant who quotes dollars, and a payer who has a thousand euros; pools and feeds say 1.08345."""

    business: Business
    exchange: Exchange
    euro: str
    merchant: Tallystick
    payer: Tallystick

    def quote(self, number: int) -> SignedQuote:
        return self.merchant.checkout_quote(number=number, amount="100", token=self.business.token)

    def euros(self) -> int:
        return self.payer._connection.token(self.euro).balance(self.payer.address)

    def dollars(self) -> int:
        return self.payer._connection.token(self.business.token).balance(self.merchant.address)

    def allowance(self) -> int:
        connection = self.payer._connection
        return connection.token(self.euro).allowance(self.payer.address, connection.swap_collector.address)


@pytest.fixture
def shop(business: Business, manifest: Path, as_account: Connect) -> Shop:
    exchange, euro, dollar = Exchange(business), business.create_token(), business.token
    up, down = (EUR_USD, 10**8) if euro.lower() < dollar.lower() else (10**8, EUR_USD)
    exchange.pool(euro, dollar, units=MILLION, square_root=isqrt(2**192 * up // down))
    contracts = business.manifest.contracts | {"UniswapSwapper": exchange.swapper()}
    write_manifest(manifest, msgspec.structs.replace(business.manifest, contracts=contracts))
    shop = Shop(business, exchange, euro, as_account(MERCHANT), as_account(PAYER))
    business.mint(shop.payer.address, 10**9, token=euro)
    return shop


def test_E35_a_quote_is_paid_with_another_token_and_the_rest_comes_back(shop: Shop) -> None:
    quote, before = shop.quote(1), (shop.euros(), shop.dollars())
    planned = shop.payer.plan_quote_payment(quote, pay_with=shop.euro, route=[500])
    assert (shop.euros(), shop.dollars()) == before, "a plan sends nothing"
    assert planned.pool_in is not None
    assert planned.refusal is None
    assert planned.most_in.units == planned.pool_in.units * 10_050 // 10_000
    paid = shop.payer.pay_quote_by_swap(planned)
    assert paid.used == planned.pool_in
    assert paid.used + paid.returned == planned.most_in
    assert (shop.euros(), shop.dollars()) == (before[0] - paid.used.units, before[1] + ASKED)
    event = paid.sent.one(QuotePaid)
    assert (event.quote_id, event.payer, event.quote.amount_units) == (quote.quote_id, shop.payer.address, ASKED)
    assert shop.allowance() == 0
    with pytest.raises(NumberUsed):
        shop.payer.plan_quote_payment(quote, pay_with=shop.euro, route=[500])


def test_E35_a_quoters_rate_bounds_what_is_used_and_not_the_pools(shop: Shop) -> None:
    eur, usdc = shop.exchange.feed("EUR / USD", EUR_USD), shop.exchange.feed("USDC / USD", USDC_USD)
    quoter = shop.payer.deploy_quoter(shop.euro, price_decimals=6, price_feed=usdc, token_feed=eur)
    quote = shop.quote(2)
    planned = shop.payer.plan_quote_payment(quote, pay_with=shop.euro, route=[500], quoter=quoter)
    assert planned.quoted is not None
    assert planned.quoted.units == -(-ASKED * USDC_USD // EUR_USD)
    assert planned.most_in.units == planned.quoted.units * 10_050 // 10_000
    shop.exchange.trade(MILLION // 10, route_of(shop.euro, shop.business.token, [500]).path)
    before = shop.euros(), shop.dollars()
    with pytest.raises(SwapFailed, match="take more than may be used"):
        shop.payer.pay_quote_by_swap(planned)
    later = shop.payer.plan_quote_payment(quote, pay_with=shop.euro, route=[500], quoter=quoter)
    assert later.refusal is not None
    assert "the pools take" in later.refusal
    assert (shop.euros(), shop.dollars()) == before
    assert later.most_in == planned.most_in
    lower = shop.payer.plan_quote_payment(quote, pay_with=shop.euro, route=[500], quoter=quoter, most="1")
    assert lower.most_in.units == 1_000_000


def test_E35_what_cannot_be_paid_so_says_why_and_nothing_is_moved(shop: Shop, business: Business) -> None:
    quote, before = shop.quote(3), (shop.euros(), shop.dollars())
    planned = shop.payer.plan_quote_payment(quote, pay_with=shop.euro, route=[500])
    with pytest.raises(InputError, match="plan for that account"):
        shop.merchant.pay_quote_by_swap(planned)
    with pytest.raises(InputError, match="pay it without a swap"):
        shop.payer.plan_quote_payment(quote, pay_with=business.token, route=[500])
    with pytest.raises(InputError, match="get some, or pay with another token"):
        shop.merchant.plan_quote_payment(quote, pay_with=shop.euro, route=[500])
    with pytest.raises(SwapFailed):
        shop.payer.plan_quote_payment(quote, pay_with=shop.euro, route=[3_000])
    business.token_call(shop.payer.address, "transfer", business.operator, 950_000_000, token=shop.euro)
    with pytest.raises(BalanceTooLow):
        shop.payer.pay_quote_by_swap(planned)
    business.token_call(business.operator, "transfer", shop.payer.address, 950_000_000, token=shop.euro)
    business.anvil.advance(2 * 86_400)
    with pytest.raises(QuoteExpired):
        shop.payer.pay_quote_by_swap(planned)
    assert (shop.euros(), shop.dollars()) == before


def test_E35_a_token_without_permits_is_allowed_exactly_what_may_be_used(shop: Shop, business: Business) -> None:
    code = bytes.fromhex(json.loads(PLAIN_TOKEN.read_text())["bytecode"][2:])
    shop.euro = business._create(code + encode(["string", "string"], ["Plain", "PLAIN"]))
    shop.exchange.pool(shop.euro, business.token)
    business.mint(shop.payer.address, 10**9, token=shop.euro)
    planned = shop.payer.plan_quote_payment(shop.quote(4), pay_with=shop.euro, route=[500], most=100_500_000)
    before = shop.euros()
    paid = shop.payer.pay_quote_by_swap(planned)
    assert before - shop.euros() == paid.used.units < planned.most_in.units
    assert shop.allowance() == 0
