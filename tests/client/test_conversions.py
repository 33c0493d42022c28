"""A price in euros, and euros into dollars, by the facade."""

from __future__ import annotations

from dataclasses import replace
from math import isqrt
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tallystick import Tallystick
from tallystick.chain.calls import call_data
from tallystick.chain.sender import Call
from tallystick.core.conversion_policy import Verdict
from tallystick.core.swap import Swap
from tallystick.errors import AllowanceTooLow, BalanceTooLow, InputError, QuoteStale, SwapFailed
from tallystick.flows.deploy import write_manifest
from tests.business import Business
from tests.client.conftest import MERCHANT, PAYER, Connect
from tests.exchange import EUR_USD, HEARTBEAT, MILLION, USDC_USD, Exchange

EUROS = 250_000_000


def test_E35_a_conversion_is_planned_bounded_and_made_once(
    business: Business, manifest: Path, as_account: Connect
) -> None:
    exchange, euro, dollar = Exchange(business), business.create_token(), business.token
    up, down = (EUR_USD, 10**8) if euro.lower() < dollar.lower() else (10**8, EUR_USD)
    exchange.pool(euro, dollar, units=MILLION, square_root=isqrt(2**192 * up // down))
    eur, usdc = exchange.feed("EUR / USD", EUR_USD), exchange.feed("USDC / USD", USDC_USD)
    merchant = as_account(MERCHANT)
    quoter = merchant.deploy_quoter(dollar, price_decimals=6, price_feed=eur, token_feed=usdc)
    way: dict[str, Any] = {"into": dollar, "quoter": quoter, "route": [500]}
    with pytest.raises(InputError, match="names no UniswapSwapper"):
        merchant.plan_conversion(euro, **way)
    contracts = business.manifest.contracts | {"UniswapSwapper": exchange.swapper()}
    write_manifest(manifest, msgspec.structs.replace(business.manifest, contracts=contracts))
    merchant, stranger = as_account(MERCHANT), as_account(PAYER)

    assert merchant.plan_conversion(euro, **way).verdict is Verdict.NOTHING_THERE
    business.mint(merchant.address, EUROS, token=euro)
    with pytest.raises(BalanceTooLow):
        merchant.plan_conversion(euro, amount=EUROS + 1, **way)
    planned = merchant.plan_conversion(euro, amount="200", max_slippage_bps=100, **way)
    assert planned.amount is not None
    assert planned.quoted == merchant.ask_quoter(quoter, 200_000_000)
    assert planned.quoted.units == -(-200_000_000 * EUR_USD // USDC_USD)
    assert planned.least_out is not None
    assert planned.pool_out is not None
    assert planned.least_out.units == -(-planned.quoted.units * 99 // 100) <= planned.pool_out.units
    with pytest.raises(InputError, match="plan for that account"):
        stranger.convert(planned)
    done = merchant.convert(planned)
    assert (done.used, done.received) == (planned.amount, planned.pool_out)
    assert balances(merchant, euro, dollar) == (EUROS - 200_000_000, done.received.units)
    _made_once_though_called_twice(business, merchant, way, euro, dollar)
    _within_its_bound_or_not_at_all(business, exchange, merchant, way, (euro, dollar, eur))


def _made_once_though_called_twice(
    business: Business, merchant: Tallystick, way: dict[str, Any], euro: str, dollar: str
) -> None:
    """The first exchange is on its way, not mined, when the process dies; another one begins."""
    connection = merchant._connection
    planned = merchant.plan_conversion(euro, amount="10", max_slippage_bps=100, **way)
    swapper, sender = connection.swapper, connection.sender
    assert swapper is not None
    connection.token(euro).approve(sender, swapper.address, 10_000_000)
    before = balances(merchant, euro, dollar)
    swap = Swap(euro, dollar, 10_000_000, 1, merchant.address, 2**40, planned.rule.route.path)
    business.anvil.rpc("evm_setAutomine", False)
    sender.submit(Call(swapper.address, call_data("swapExactInput", swap.words, contract="UniswapSwapper")))
    with pytest.raises(AllowanceTooLow):
        merchant.convert(planned)
    business.anvil.rpc("evm_setAutomine", True)
    business.anvil.mine()
    after = balances(merchant, euro, dollar)
    assert (before[0] - after[0], after[1] > before[1]) == (10_000_000, True)


def _within_its_bound_or_not_at_all(
    business: Business, exchange: Exchange, merchant: Tallystick, way: dict[str, Any], assets: tuple[str, str, str]
) -> None:
    euro, dollar, eur = assets
    planned = merchant.plan_conversion(euro, max_slippage_bps=100, **way)
    before = balances(merchant, euro, dollar)
    exchange.trade(MILLION // 20, planned.rule.route.path)
    with pytest.raises(SwapFailed, match="Too little received"):
        merchant.convert(planned)
    swapper = merchant._connection.swapper
    assert swapper is not None
    token = merchant._connection.token(euro)
    assert token.allowance(merchant.address, swapper.address) == 0, "nothing was sent at all"
    planned = merchant.plan_conversion(euro, max_slippage_bps=100, **way)
    assert "at least" in str(planned.refusal)
    cents = merchant.deploy_quoter(dollar, price_feed=eur)
    with pytest.raises(InputError, match="for the 6 decimals"):
        merchant.plan_conversion(euro, **(way | {"quoter": cents}))
    business.anvil.advance(2 * HEARTBEAT)
    with pytest.raises(QuoteStale):
        merchant.convert(planned)
    stale = merchant.plan_conversion(euro, **way)
    assert (stale.verdict, stale.amount) == (Verdict.NO_RATE, None)
    with pytest.raises(InputError, match="is not to be converted"):
        merchant.convert(replace(planned, amount=None))
    assert balances(merchant, euro, dollar) == before


def balances(merchant: Tallystick, *tokens: str) -> tuple[int, ...]:
    return tuple(merchant._connection.token(token).balance(merchant.address) for token in tokens)
