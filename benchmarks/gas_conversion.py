"""What a price in a currency, a swap and a quote paid by one cost in gas, beside the same without.

    toolchain/run python -m benchmarks.gas_conversion        prints a table, writes results/gas-conversion.json

Whole receipts on the stage of `benchmarks.gas`. A quote is what a transaction costs that does nothing else. A charge at
a quoted price stands beside one at a fixed price with the same maximum per period; a swap beside the same swap at
Uniswap's router itself, which judges no balances; a quote that another token pays beside the same that its own token
pays. Feeds are `MockFeed`, which reads five words of storage; Chainlink's read less, behind a proxy.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from rich.console import Console
from rich.table import Table

from benchmarks.gas import FEW, ROWS, SUBSCRIBE_WITH_CONDITIONS
from benchmarks.gas_checkout import QUOTE, Sales
from benchmarks.scene import (
    APE_BUILD,
    CREATE_PLAN,
    FUNDS_UNITS,
    NO_PROTECTION,
    NOBODY,
    PER_REGISTER,
    PRICE_UNITS,
    UNLIMITED,
    Scene,
    account,
    calldata,
    creation_code,
    start,
)
from benchmarks.standards import OZ_INFINITE, USDC, Measurement
from tallystick.contracts import load_artefact
from tallystick.core.funding import Funding
from tallystick.core.period import Unit
from tests.uniswap import HIGHEST_TICK, LOW, PAR, TICK_SPACING, artefact, path_of

RESULTS = Path(__file__).parent / "results" / "gas-conversion.json"
CENTS = 999
EUR_USD, USDC_USD = 108_345_000, 99_987_654
MOST = 2**96 - 1
LIQUIDITY_UNITS = 10**12
FEED = "(address,uint32,uint96,uint96)"
CONFIG = f"(address,uint8,{FEED},{FEED},address,uint32)"
SWAP = "(address,address,uint256,uint256,address,uint256,bytes)"
ROUTED = "(bytes,address,uint256,uint256,uint256)"
PAY_QUOTE = f"payQuote({QUOTE},bytes,(address,address,uint256,bytes,bytes))"
NO_FEED = (NOBODY, 0, 0, 0)
NO_COUPON = (0, 0, 0, 0, NOBODY, 0, 0)
HOUR_S, DAY_S = 3_600, 86_400
LATEST = 2**40


def line(op: str, kind: str, n: int, gas: int, without: int | None) -> Measurement:
    """A line of the table; `without` is the same without quoter or swapper."""
    return Measurement(op, kind, n, gas, without, None, None)


# --- Prices in a currency ---


class Feeds:
    """EUR / USD, USDC / USD and a sequencer that is up."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.eur, self.usdc, self.uptime = (self._feed(decimals) for decimals in (8, 8, 0))
        self.answer()
        scene.send(scene.operator, self.uptime, calldata("answerAt(int256,uint256,uint256)", 0, 1, 1))

    def _feed(self, decimals: int) -> str:
        return self.scene.create(creation_code("MockFeed") + encode(["string", "uint8"], ["a feed", decimals]))

    def answer(self) -> None:
        """Both prices, as of now."""
        for feed, found in ((self.eur, EUR_USD), (self.usdc, USDC_USD)):
            self.scene.send(self.scene.operator, feed, calldata("answer(int256)", found))

    def quoter(self, token: str, *, feeds: int = 2, rollup: bool = False) -> str:
        """Over one feed or two, and a sequencer's."""
        price, usdc = (self.eur, DAY_S, 1, MOST), (self.usdc, DAY_S, 97_000_000, 103_000_000)
        sequencer = (self.uptime, HOUR_S) if rollup else (NOBODY, 0)
        config = (token, 2, price if feeds == 2 else NO_FEED, usdc, *sequencer)
        return self.scene.create(creation_code("ChainlinkQuoter") + encode([CONFIG], [config]))


def quotes(scene: Scene, feeds: Feeds) -> list[Measurement]:
    """The question alone, in a transaction of its own: what is above 21,000 and its calldata, a charge pays too."""
    token = scene.tokens[USDC]
    feeds.answer()
    found = []
    for op, options in (
        ("quote, one feed", {"feeds": 1}),
        ("quote, two feeds", {}),
        ("quote, two feeds on a rollup", {"rollup": True}),
    ):
        quoter = feeds.quoter(token, **options)
        found.append(line(op, USDC, 1, scene.send(scene.operator, quoter, ask(token)), None))
    return found


def ask(token: str) -> bytes:
    """What a plan's quoter is asked."""
    return calldata("quote(address,uint256)", token, CENTS)


def charges(scene: Scene, feeds: Feeds, kind: str) -> list[Measurement]:
    """A hundred payers at a quoted price, and a hundred at a fixed one, all with a maximum per period."""
    quoted, fixed = Payers(scene, kind, feeds.quoter(scene.tokens[kind]), feeds), Payers(scene, kind, NOBODY, feeds)
    found = []
    for n in (ROWS, FEW, 1):
        scene.next_month()
        feeds.answer()
        found.append(line("charge, quoted", kind, n, quoted.charge(n), fixed.charge(n)))
    return [line("subscribe, quoted", kind, 1, quoted.opened, fixed.opened), *reversed(found)]


class Payers:
    """A hundred of them, of one payee and plan, who have paid once."""

    def __init__(self, scene: Scene, kind: str, quoter: str, feeds: Feeds) -> None:
        self.scene = scene
        payee = account(f"{kind} payee with {quoter}")
        price = PRICE_UNITS if quoter == NOBODY else CENTS
        terms = (payee, price, scene.tokens[kind], 1, Unit.MONTH, *[0] * 8, NOBODY, 0, 0, NOBODY, 0, quoter, False)
        scene.send(payee, scene.subscriptions, calldata(CREATE_PLAN, (*terms, *NO_PROTECTION)))
        scene.plans += 1
        self.first = scene.registers * PER_REGISTER + 1
        scene.registers += 1
        payers = [account(f"{kind} paying with {quoter} {row}") for row in range(ROWS)]
        scene.fund(kind, payers, scene.subscriptions)
        conditions = (2 * PRICE_UNITS, 0, 0, 0, NOBODY, False)
        arguments = (scene.plans, scene.terms_hash(scene.plans), 0, conditions, NO_COUPON, b"")
        data = calldata(SUBSCRIBE_WITH_CONDITIONS, *arguments)
        feeds.answer()
        self.opened = scene.send_all([(payer, scene.subscriptions, data) for payer in payers])[-1]

    def charge(self, n: int) -> int:
        """The gas for each of so many rows."""
        return self.scene.charge(range(self.first, self.first + n))


# --- Swaps ---


class Exchange:
    """Uniswap v3 with pools at par, the swapper over it, and a caller who has swapped before."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.caller, self.receiver = scene, account("caller"), account("receiver of swaps")
        weth = scene.create(creation_code("MockWETH"))
        self.factory = self._create("UniswapV3Factory")
        self.router = self._create("SwapRouter", self.factory, weth)
        self.positions = self._create("NonfungiblePositionManager", self.factory, weth, NOBODY)
        self.swapper = scene.create(creation_code("UniswapSwapper") + encode(["address"], [self.router]))
        oz = creation_code("MockToken") + encode(["string", "string", "uint8"], ["Mock Euro", "MEUR", 6])
        self.euro, self.pound = scene.create(oz), scene.create(oz)
        for pair in ((scene.tokens[OZ_INFINITE], self.euro), (scene.tokens[USDC], self.euro), (self.euro, self.pound)):
            self._pool(*pair)
        for token in (scene.tokens[OZ_INFINITE], scene.tokens[USDC]):
            scene.send(self.caller, token, calldata("mint(address,uint256)", self.caller, FUNDS_UNITS))
            for spender in (self.swapper, self.router):
                scene.send(self.caller, token, calldata("approve(address,uint256)", spender, UNLIMITED))

    def _create(self, name: str, *addresses: str) -> str:
        code = bytes.fromhex(artefact(name)["bytecode"].removeprefix("0x"))
        return self.scene.create(code + encode(["address"] * len(addresses), addresses))

    def _pool(self, one: str, other: str) -> None:
        scene, provider = self.scene, account("provider")
        first, second = sorted((one, other), key=lambda token: int(token, 16))
        for token in (first, second):
            scene.send(provider, token, calldata("mint(address,uint256)", provider, LIQUIDITY_UNITS))
            scene.send(provider, token, calldata("approve(address,uint256)", self.positions, UNLIMITED))
        create = "createAndInitializePoolIfNecessary(address,address,uint24,uint160)"
        scene.send(provider, self.positions, calldata(create, first, second, LOW, PAR))
        edge = HIGHEST_TICK // TICK_SPACING[LOW] * TICK_SPACING[LOW]
        amounts = (LIQUIDITY_UNITS, LIQUIDITY_UNITS, 0, 0)
        minted = (first, second, LOW, -edge, edge, *amounts, provider, LATEST)
        mint = "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))"
        scene.send(provider, self.positions, calldata(mint, minted))

    def swap(self, verb: str, way: tuple[Any, ...], *, direct: bool) -> int:
        """One swap of a price, through the swapper or at the router itself; the gas it used."""
        is_output = verb == "exactOutput"
        path = path_of(*reversed(way)) if is_output else path_of(*way)
        most, least = (2 * PRICE_UNITS, PRICE_UNITS) if is_output else (PRICE_UNITS, PRICE_UNITS // 2)
        if direct:
            amounts = (least, most) if is_output else (most, least)
            data = calldata(f"{verb}({ROUTED})", (path, self.receiver, LATEST, *amounts))
            return self.scene.send(self.caller, self.router, data)
        named = (way[0], way[-1], most, least, self.receiver, LATEST, path)
        name = f"swap{verb[0].upper()}{verb[1:]}"
        return self.scene.send(self.caller, self.swapper, calldata(f"{name}({SWAP})", named))


def swaps(scene: Scene, exchange: Exchange, kind: str) -> list[Measurement]:
    """Each verb over one pool and two, after others like it."""
    found = []
    for verb, name in (("exactOutput", "swap, exact output"), ("exactInput", "swap, exact input")):
        for op, tail in ((name, ()), (f"{name}, two pools", (LOW, exchange.pound))):
            way = (scene.tokens[kind], LOW, exchange.euro, *tail)
            gas = [exchange.swap(verb, way, direct=direct) for direct in (False, True, False, True)]
            found.append(line(op, kind, 1, gas[2], gas[3]))
    return found


def paid_quotes(scene: Scene, exchange: Exchange) -> list[Measurement]:
    """Of a price in euros by a payer who has them, and other tokens as well, after others like it."""
    scene.tokens["euro"] = exchange.euro
    sales, collector = Sales(scene, "euro"), load_artefact("SwapCollector").address
    scene.send(sales.payer, exchange.euro, calldata("approve(address,uint256)", sales.contract, UNLIMITED))
    found = []
    for kind in (OZ_INFINITE, USDC):
        token = scene.tokens[kind]
        scene.send(sales.payer, token, calldata("mint(address,uint256)", sales.payer, FUNDS_UNITS))
        scene.send(sales.payer, token, calldata("approve(address,uint256)", collector, UNLIMITED))
        payment = (exchange.swapper, token, 2 * PRICE_UNITS, path_of(exchange.euro, LOW, token), b"")
        paid = [calldata(PAY_QUOTE, quote.words, signed, payment) for quote, signed in (sales.offer(), sales.offer())]
        swapped = [scene.send(sales.payer, collector, data) for data in paid]
        direct = [sales.pay(Funding.ALLOWANCE) for _ in paid]
        found.append(line("pay a quote with another token", kind, 1, swapped[-1], direct[-1]))
    return found


def measure(scene: Scene) -> list[Measurement]:
    """Everything."""
    feeds = Feeds(scene)
    found = quotes(scene, feeds)
    for kind in (OZ_INFINITE, USDC):
        found += charges(scene, feeds, kind)
    exchange = Exchange(scene)
    found += [row for kind in (OZ_INFINITE, USDC) for row in swaps(scene, exchange, kind)]
    return found + paid_quotes(scene, exchange)


def main() -> None:
    assert APE_BUILD.exists(), "run `make compile` first"
    with start() as anvil:
        measurements = measure(Scene(anvil))
    table = Table("operation", "token", "rows", title="gas, whole receipts, per row")
    for heading in ("gas", "without", "more"):
        table.add_column(heading, justify="right")
    for row in measurements:
        beside = (f"{row.limit:,}", f"{row.gas_per_row - row.limit:,}") if row.limit else ("", "")
        table.add_row(row.op, row.token, str(row.n), f"{row.gas_per_row:,}", *beside)
    Console(width=120).print(table)
    RESULTS.write_text(json.dumps([asdict(row) for row in measurements], indent=2) + "\n")


if __name__ == "__main__":
    main()
