"""Euros in the year: a sale that was paid in them, exchanged for dollars at the year's end, and what that gained."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.core.money import Amount
from tallystick.demo.stage import Stage
from tallystick.flows.gains import read_gains, record_rates
from tallystick.flows.mirror import open_books
from tallystick.flows.rates import RateSources

QUOTE, PRICE = 2_004, "190.00"
CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What was exchanged for what; what it had been worth when it was received, and what it gained since."""

    given: Amount
    received: Amount
    least: Amount
    cost: Amount
    gain: Amount


def sell_for_euros(stage: Stage) -> Amount:
    """A quote that is paid in euros, with a permit: the token has no other way without gas."""
    buyer = stage.funded("euro buyer", ether=False)
    stage.market.give(buyer.address, PRICE)
    quote = stage.merchant.checkout_quote(number=QUOTE, amount=PRICE, token=stage.market.euro)
    stage.merchant.pay_quote(stage.as_(buyer).sign_checkout(quote))
    return Amount(quote.quote.amount_units, stage.merchant.token(stage.market.euro))


def exchange_euros(stage: Stage) -> Exchanged:
    """All of them, for at least what the feed's rate says less half a percent; then gain or loss by the lot."""
    stage.anvil.finalize()
    stage.index()
    _record(stage)
    stage.market.say()
    merchant, dollar, euro = stage.merchant, stage.token, stage.market.euro
    quoter = merchant.deploy_quoter(dollar, price_decimals=6, price_feed=stage.market.feed)
    planned = merchant.plan_conversion(euro, into=dollar, quoter=quoter, route=[500])
    done = merchant.convert(planned)
    stage.anvil.finalize()
    stage.index()
    _record(stage)
    books = open_books(stage.config)
    (disposal,) = read_gains(books, CURRENCY, [merchant.address]).disposals
    books.engine.dispose()
    least = done.planned.least_out
    assert least is not None
    return Exchanged(done.used, done.received, least, disposal.cost, disposal.gain)


def _record(stage: Stage) -> None:
    """What received tokens were worth in the blocks in which they came in."""
    books = open_books(stage.config)
    sources = RateSources(stage.config.rate, stage.config.peg)
    recorded = record_rates(books, stage.node, sources, CURRENCY, [stage.merchant.address])
    books.engine.dispose()
    assert not recorded.refused
