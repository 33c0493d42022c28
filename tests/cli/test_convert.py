"""Receipts in euros become dollars on the command line: planned, sent, mirrored, valued with evidence, and proven."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from math import isqrt
from pathlib import Path

import pytest

from tallystick.core.swap import route_of
from tests.business import Business
from tests.cli.conftest import MERCHANT, OTHER, Run, Say
from tests.exchange import EUR_USD, MILLION, Exchange

PRICE = 100_000_000
CONFIG = """\
rpc_url = "{url}"
[index]
finality = 0
[[peg]]
token = "{usdc}"
currency = "USD"
[[rate]]
token = "{eurc}"
currency = "USD"
token_feed = "{eur_usd}"
[convert]
settlement = "{usdc}"
currency = "{currency}"
max_slippage_bps = 100
[[convert.rule]]
asset = "{eurc}"
quoter = "{quoter}"
route = [500]
above = {above}
{more}
"""


class Scene:
    """A merchant who is paid in euros and settles in dollars. A euro is 1.08345 of them, in feed and pool."""

    def __init__(self, business: Business, say: Say) -> None:
        self.business, self.say = business, say
        self.exchange = Exchange(business)
        self.eurc, self.usdc = business.create_token(), business.token
        self.eur_usd = self.exchange.feed("EUR / USD", EUR_USD)
        up, down = (EUR_USD, 10**8) if self.eurc.lower() < self.usdc.lower() else (10**8, EUR_USD)
        root = isqrt(2**192 * up // down)
        self.exchange.pool(self.eurc, self.usdc, units=MILLION, square_root=root)
        say(MERCHANT, "convert", "deploy-swapper", "--router", self.exchange.router)
        made = ("--token", self.usdc, "--price-decimals", "6", "--price-feed", self.eur_usd)
        self.quoter = say(MERCHANT, "convert", "deploy-quoter", *made)
        self.configure()

    @property
    def merchant(self) -> str:
        return self.business.anvil.address(MERCHANT)

    def balance(self, token: str) -> int:
        """What the merchant has."""
        return self.business.connection().token(token).balance(self.merchant)

    def configure(self, above: int = 0, more: str = "", currency: str = "USD") -> None:
        values = {"usdc": self.usdc, "eurc": self.eurc, "eur_usd": self.eur_usd, "quoter": self.quoter["quoter"]}
        values |= {"currency": currency, "url": self.business.anvil.url}
        Path("tallystick.toml").write_text(CONFIG.format(above=above, more=more, **values))

    def sell(self, name: str) -> None:
        """100 euros come in."""
        period = ("--every", "1", "--unit", "month")
        plan = self.say(MERCHANT, "plans", "create", "--price", "100", *period, "--token", self.eurc)
        payer = self.business.account(name)
        self.business.mint(payer, PRICE, token=self.eurc)
        self.business.approve(payer, PRICE, token=self.eurc)
        self.business.subscribe(payer, plan["plan_id"])


@pytest.fixture
def scene(business: Business, say: Say) -> Scene:
    return Scene(business, say)


def units(amount: dict[str, str]) -> int:
    return int(amount["units"])


def test_a_plan_shows_the_bound_and_what_the_pools_give_and_sends_nothing(scene: Scene, run: Run, say: Say) -> None:
    scene.sell("first")
    (plan,) = say(MERCHANT, "convert", "run")
    assert (plan["verdict"], units(plan["balance"]), units(plan["amount"])) == ("convert", PRICE, PRICE)
    assert units(plan["quoted"]) == EUR_USD
    assert units(plan["least_out"]) == -(-EUR_USD * 99 // 100)
    assert units(plan["least_out"]) <= units(plan["pools_give"]) < units(plan["quoted"])
    assert 0 < plan["slippage_bps"] <= 100
    assert (plan["transaction"], plan["refusal"], plan["expected_gain"]) == (None, None, None)
    (watched,) = say(None, "convert", "run", "--account", scene.merchant)
    assert watched["pools_give"] == plan["pools_give"], "no key is needed to look, nor an allowance"
    assert scene.balance(scene.usdc) == 0
    assert "Nothing was sent" in run("convert", "run", "--account", scene.merchant).stderr
    assert "only the account that signs" in run("convert", "run", "--account", scene.eurc, "--yes", exit_code=1).stderr
    assert "--amount without --asset" in run("convert", "run", "--amount", "1", exit_code=1).stderr


def test_from_receipts_in_euros_to_a_gain_in_dollars(scene: Scene, run: Run, say: Say) -> None:
    scene.sell("first")
    scene.exchange.says(scene.eur_usd, 120_000_000)
    scene.sell("second")
    scene.exchange.says(scene.eur_usd, EUR_USD + 1_000_000)
    say(None, "index", "--once")
    recorded = say(None, "convert", "record")
    assert recorded == {"currency": "USD", "recorded": 2, "recorded_before": 0, "refused": []}
    assert say(None, "convert", "record")["recorded"] == 0
    (plan,) = say(MERCHANT, "convert", "run")
    cost_cents = 10_834 + 12_000
    assert units(plan["cost"]) == cost_cents, "108.345 is half a cent, which goes to the even one"
    (done,) = say(MERCHANT, "convert", "run", "--yes")
    assert (done["verdict"], done["received"]) == ("converted", plan["pools_give"])
    assert (scene.balance(scene.usdc), scene.balance(scene.eurc)) == (units(done["received"]), 0)
    (again,) = say(MERCHANT, "convert", "run", "--yes")
    assert again["verdict"] == "nothing there"

    say(None, "index", "--once")
    gains = say(None, "convert", "gains")
    proceeds_cents = round(Fraction(units(done["received"]), 10_000))
    (conversion,) = gains["conversions"]
    assert (units(conversion["proceeds"]), units(conversion["cost"])) == (proceeds_cents, cost_cents)
    gain = units(gains["gain"])
    assert gain == units(conversion["gain"]) == proceeds_cents - cost_cents == units(plan["expected_gain"])
    assert [units(lot["cost"]) for lot in gains["lots_used"]] == [10_834, 12_000]
    known = [lot["valued_by"].partition(" (")[0] for lot in gains["lots_used"]]
    assert known == ["EUR / USD 108345000", "EUR / USD 120000000"]
    assert (units(conversion["uncovered"]), units(gains["held"][0]["amount"])) == (0, 0)
    assert conversion["valued_by"].startswith("par, declared")
    proof = say(None, "audit", "verify")["conversion"]
    assert (proof["conversions"], proof["rates"], proof["rates_unchecked"], proof["difference_count"]) == (1, 2, 0, 0)
    assert "conversion conversions" in run("audit", "verify").stdout
    for shown in (("convert", "gains"), ("ledger", "trial-balance", "--of", "conversion")):
        assert "USD" in run(*shown).stdout
    _require_books(scene, run, say, gain, units(done["received"]))


def _require_books(scene: Scene, run: Run, say: Say, gain: int, received: int) -> None:
    """The loss has an account in the trial balance, which balances in each asset."""
    rows = say(None, "ledger", "trial-balance", "--of", "conversion")
    balance = {(row["account"].split(":0x")[0], row["token"]): row for row in rows}
    assert units(balance["Expenses:Losses", "USD"]["debit"]) == -gain > 0
    assert units(balance["Equity:Conversion", "USD"]["credit"]) == -gain
    assert units(balance["Equity:Conversion", scene.eurc]["debit"]) == 2 * PRICE
    assert units(balance["Assets:Wallet", scene.usdc]["debit"]) == received
    for asset in (scene.eurc, scene.usdc, "USD"):
        assert balance["Total", asset]["debit"] == balance["Total", asset]["credit"]
    as_of_then = say(None, "ledger", "trial-balance", "--of", "conversion", "--at", "2199-12-31")
    assert [row["debit"] for row in as_of_then] == [row["debit"] for row in rows]
    assert say(None, "ledger", "trial-balance", "--of", "conversion", "--block", 1) == []
    assert {row["kind"] for row in say(None, "ledger", "journal", "--of", "conversion")} == {"conversion"}
    run("ledger", "export", "--of", "conversion", "--format", "beancount", "--out", "swaps.beancount")
    subprocess.run(["bean-check", "swaps.beancount"], check=True)
    scene.configure(currency="EUR")
    without = run("ledger", "trial-balance", "--of", "conversion")
    assert without.stderr.startswith("gains and losses are left out: nothing says what USDC")
    assert "Equity:Conversion" in without.stdout


def test_rules_wait_for_threshold_and_schedule_and_one_asset_can_go_now(scene: Scene, run: Run, say: Say) -> None:
    scene.configure(above=100)
    scene.sell("first")
    (plan,) = say(MERCHANT, "convert", "run", "--yes")
    assert plan["verdict"] == "below the threshold"
    (plan,) = say(MERCHANT, "convert", "run", "--asset", scene.eurc, "--amount", "40", "--yes")
    assert (plan["verdict"], units(plan["amount"])) == ("converted", 40_000_000)
    scene.configure(more='every = "month"\nkeep = 10')
    (plan,) = say(MERCHANT, "convert", "run", "--yes")
    assert plan["verdict"] == "done this period"
    scene.business.anvil.advance(32 * 86_400)
    (plan,) = say(MERCHANT, "convert", "run", "--yes", exit_code=1)
    assert plan["verdict"] == "no rate"
    assert "is too old" in plan["refusal"]
    scene.exchange.says(scene.eur_usd, EUR_USD)
    (plan,) = say(MERCHANT, "convert", "run", "--yes")
    assert (plan["verdict"], units(plan["amount"])) == ("converted", 50_000_000)
    assert (
        "no [[convert.rule]] is for"
        in run(*("convert", "run", "--asset", scene.usdc), env=key(scene, MERCHANT), exit_code=1).stderr
    )
    assert (
        "the account has"
        in run(
            *("convert", "run", "--asset", scene.eurc, "--amount", "11"), env=key(scene, MERCHANT), exit_code=1
        ).stderr
    )


def key(scene: Scene, index: int) -> dict[str, str]:
    return {"TALLYSTICK_KEY": scene.business.anvil.key(index)}


def test_E35_what_the_pools_give_too_little_for_is_not_sent(scene: Scene, say: Say) -> None:
    scene.sell("first")
    scene.exchange.trade(MILLION // 20, route_of(scene.eurc, scene.usdc, [500]).path)
    (plan,) = say(MERCHANT, "convert", "run", "--yes", exit_code=1)
    assert plan["verdict"] == "convert"
    assert plan["transaction"] is None
    assert "at least" in plan["refusal"]
    assert plan["slippage_bps"] > 100
    assert scene.balance(scene.eurc) == PRICE
    swapper = say(MERCHANT, "convert", "deploy-swapper", "--router", scene.exchange.router)["swapper"]
    assert scene.business.connection().token(scene.eurc).allowance(scene.merchant, swapper) == 0


def test_E34_a_rate_comes_with_its_evidence_or_not_at_all(scene: Scene, run: Run, say: Say) -> None:
    found = say(None, "convert", "rate", scene.eurc)
    assert (found["rate"], found["numerator"], found["denominator"]) == ("1.0834500000", "21669", "20000")
    evidence = found["evidence"]
    assert (evidence["kind"], evidence["token_feed"]["answer"], evidence["currency_feed"]) == ("feeds", EUR_USD, None)
    block = evidence["block_number"]
    scene.exchange.says(scene.eur_usd, 0)
    assert "it is a depeg or a wrong answer" in run("convert", "rate", scene.eurc, exit_code=1).stderr
    scene.exchange.says(scene.eur_usd, 110_000_000)
    assert say(None, "convert", "rate", scene.eurc)["rate"] == "1.1000000000"
    assert say(None, "convert", "rate", scene.eurc, "--block", block)["evidence"] == evidence
    assert say(None, "convert", "rate", scene.usdc)["evidence"] == {"kind": "par", "from_block": block + 2}
    assert "nothing says what" in run("convert", "rate", scene.usdc, "--currency", "GBP", exit_code=1).stderr


def test_E35_a_quote_in_dollars_is_paid_with_euros(
    scene: Scene, run: Run, say: Say, write: Callable[..., str], business: Business
) -> None:
    business.mint(business.anvil.address(OTHER), 10**9, token=scene.eurc)
    made = ("checkout", "quote", "--number", 7, "--amount", "54.00", "--token", scene.usdc)
    write(MERCHANT, *made, "--out", "quote.json")
    way = ("checkout", "pay", "quote.json", "--with", scene.eurc, "--route", "500")
    planned = say(OTHER, *way, "--dry-run")
    assert (planned["payer"], "transaction" in planned) == (business.anvil.address(OTHER), False)
    low = run(*way, "--most", "1.00", "--dry-run", env={"TALLYSTICK_KEY": business.anvil.key(OTHER)})
    assert "Nothing was sent: the pools take" in low.stdout
    assert "error: Uniswap refuses the exchange" in write(OTHER, *way, "--most", "1.00", exit_code=1)
    paid = say(OTHER, *way)
    assert units(paid["used"]) + units(paid["returned"]) == units(paid["most"])
    assert paid["used"] == planned["pools_take"]
    assert say(None, "checkout", "show", "quote.json")["status"] == "used"
    scene.sell("first")
    say(None, "index", "--once")
    say(None, "convert", "record")
    assert say(None, "convert", "gains")["conversions"] == [], "what the collector exchanged is nobody's gain"
    assert "SALE-" in str(say(None, "invoices", "list"))
    assert say(None, "audit", "verify")["ok"]


def test_options_of_a_swap_that_do_not_fit_are_told(
    scene: Scene, write: Callable[..., str], business: Business
) -> None:
    business.mint(business.anvil.address(OTHER), 10**9)
    made = ("checkout", "quote", "--number", 8, "--amount", "54.00", "--token", scene.usdc)
    write(MERCHANT, *made, "--out", "quote.json")
    pay = ("checkout", "pay", "quote.json")
    assert "without --with: say which token pays" in write(OTHER, *pay, "--route", "500", exit_code=1)
    assert "say which token, and by which pools" in write(OTHER, *pay, "--with", scene.eurc, exit_code=1)
    assert "allowed are fees" in write(OTHER, *pay, "--with", scene.eurc, "--route", "500,", exit_code=2)
    ordered = write(OTHER, *pay, "--with", scene.eurc, "--route", "500,3000", exit_code=1)
    assert "found the route [500, 3000]" in ordered
    write(OTHER, "checkout", "sign", "quote.json", "--out", "signed.json")
    signed = write(OTHER, "checkout", "pay", "signed.json", "--with", scene.eurc, "--route", "500", exit_code=1)
    assert "who pays with another token sends it too" in signed
