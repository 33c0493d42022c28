"""The contracts of `tallystick convert`: created by anybody, owned by nobody."""

from __future__ import annotations

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.output import Record, shown
from tallystick.cli.spans import SPAN
from tallystick.config import Config
from tallystick.core.money import Amount
from tallystick.errors import InputError


@click.command(
    "deploy-swapper",
    epilog=examples("tallystick convert deploy-swapper --router 0xE592427A0AEce92De3Edee1F18E0157C05861564"),
)
@click.option("--router", required=True, metavar="ADDRESS", help="Uniswap v3's SwapRouter on this chain.")
@configured
@shown
def deploy_swapper(config: Config, router: str) -> Record:
    """Create the contract that exchanges over Uniswap v3, and write it into the manifest.

    One for each router, whoever creates it: its address follows from the router's, and where it is there already it is
    only verified and written down.
    """
    from tallystick.core.address import parse_address
    from tallystick.flows.connect import open_contract
    from tallystick.flows.swapper import deploy_swapper as deploy

    connection = open_contract(unlocked(config), signing=True)
    made = deploy(connection, config, parse_address(router))
    return Record(
        {"swapper": made.address, "router": parse_address(router), "transaction": made.transaction},
        note="Next: [convert] in tallystick.toml (`tallystick init` shows it), and tallystick convert run",
    )


@click.command(
    "deploy-quoter",
    epilog=examples(
        "tallystick convert deploy-quoter --token 0xUSDC --price-feed 0xEUR_USD --token-feed 0xUSDC_USD",
        "tallystick convert deploy-quoter --token 0xUSDC --price-decimals 6 --price-feed 0xEUR_USD --price-max-age 25h",
        "tallystick convert deploy-quoter --token 0xUSDC --price-feed 0xEUR_USD --sequencer 0xUPTIME --grace 1h",
    ),
)
@click.option("--token", required=True, metavar="ADDRESS", help="What it quotes in.")
@click.option("--price-decimals", type=click.IntRange(0, 24), default=2, show_default=True, help="Of its prices.")
@click.option("--price-feed", metavar="ADDRESS", help="What one of the currency is worth: EUR / USD.")
@click.option("--price-max-age", type=SPAN, default="25h", show_default=True, help="A little above its heartbeat.")
@click.option("--price-least", type=int, metavar="ANSWER", help="In the feed's units.  [default: half of now's]")
@click.option("--price-most", type=int, metavar="ANSWER", help="In the feed's units.  [default: twice now's]")
@click.option("--token-feed", metavar="ADDRESS", help="What one token is worth: USDC / USD.  [default: par]")
@click.option("--token-max-age", type=SPAN, default="25h", show_default=True, help="A little above its heartbeat.")
@click.option("--token-least", type=int, metavar="ANSWER", help="In the feed's units.  [default: 3 % below now's]")
@click.option("--token-most", type=int, metavar="ANSWER", help="In the feed's units.  [default: 3 % above now's]")
@click.option("--sequencer", metavar="ADDRESS", help="Of a rollup: its uptime feed.")
@click.option("--grace", type=SPAN, default="1h", show_default=True, help="No price so long after it came back.")
@configured
@shown
def deploy_quoter(
    config: Config,
    /,
    token: str,
    price_decimals: int,
    price_feed: str | None,
    price_max_age: int,
    price_least: int | None,
    price_most: int | None,
    token_feed: str | None,
    token_max_age: int,
    token_least: int | None,
    token_most: int | None,
    sequencer: str | None,
    grace: int,
) -> Record:
    """Create a quoter: what a price in a currency is in a token, by Chainlink's feeds.

    For a plan's prices (`tallystick plans create --quoter`) with the digits of the currency, and for the limit on
    slippage with the digits of the token that is converted. Nobody can change it; one with the very same values is
    created once, whoever does. Name bounds of your own where the defaults are too wide: they are what is left where a
    feed goes wrong.
    """
    from tallystick.core.address import parse_address
    from tallystick.core.quoter import QuoterTerms
    from tallystick.flows.connect import open_contract
    from tallystick.flows.quoter import PRICE_BAND_BPS, TOKEN_BAND_BPS, open_quoter, trusted
    from tallystick.flows.quoter import deploy_quoter as deploy

    if price_feed is None and token_feed is None:
        raise InputError("found neither --price-feed nor --token-feed: a quoter goes by one feed at least")
    connection = open_contract(unlocked(config), signing=True)
    price = trusted(connection, price_feed, price_max_age, price_least, price_most, PRICE_BAND_BPS)
    of_token = trusted(connection, token_feed, token_max_age, token_least, token_most, TOKEN_BAND_BPS)
    uptime = (parse_address(sequencer), grace) if sequencer else ()
    terms = QuoterTerms(parse_address(token), price_decimals, price, of_token, *uptime)
    made = deploy(connection, terms)
    one = 10**price_decimals
    units = open_quoter(connection, made.address).quote(terms.token, one)
    return Record(
        {
            "quoter": made.address,
            "one_costs": Amount(units, connection.token(terms.token).describe()),
            "price_decimals": price_decimals,
            "price_bounds": [price.least, price.most],
            "token_bounds": [of_token.least, of_token.most],
            "transaction": made.transaction,
        },
        note="Next: tallystick plans create --quoter ADDRESS, or quoter = ADDRESS in a [[convert.rule]]",
    )
