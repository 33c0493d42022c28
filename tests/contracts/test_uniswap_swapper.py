"""UniswapSwapper over Uniswap v3 as it is: bounds that hold, nothing left behind, hostile routes and tokens (E35)."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.contracts.hostile import play
from tests.contracts.stage import NOBODY, START, UNLIMITED, Account, Contract, Stage, reverts
from tests.contracts.uniswap import Uniswap, container, path, reversed_path
from tests.tricks import Trick
from tests.uniswap import LOW, MEDIUM

LIQUIDITY = 10**12
"""A million of a token with 6 decimals."""
FUNDS = 10**12
WANTED = 50_000_000
"""50 of it."""
LATER = START + 86_400


class Swap(NamedTuple):
    """In the order of the contract's struct."""

    token_in: str
    token_out: str
    amount_in: int
    amount_out: int
    receiver: str
    valid_before: int
    route: bytes


def words(text: str) -> bytes:
    """What a contract reverts with that says so in words."""
    return keccak(text="Error(string)")[:4] + encode(["string"], [text])


class Exchange:
    """Dollars, euros and pounds with real pools between them, and the swapper over them."""

    def __init__(self, stage: Stage, project: Any, accounts: Any, weth: Contract) -> None:
        self.stage, self.project = stage, project
        self.caller, self.receiver, self.attacker, self.provider = accounts[10:14]
        self.uniswap = Uniswap(weth, self.provider)
        self.swapper = project.UniswapSwapper.deploy(self.uniswap.router, sender=self.provider)
        self.usd, self.eur, self.gbp = (self.token(name) for name in ("USD", "EUR", "GBP"))
        for pair in ((self.usd, self.eur), (self.eur, self.gbp)):
            self.uniswap.pool(*pair, units=LIQUIDITY)

    def token(self, name: str) -> Contract:
        """Another token, of which everyone has some."""
        return self.funded(self.project.MockToken.deploy(name, name, 6, sender=self.provider))

    def funded(self, token: Contract) -> Contract:
        """A token, of which everyone gets some, and all of the caller's are for the swapper."""
        for account in (self.caller, self.attacker, self.provider):
            token.mint(account, 10 * FUNDS, sender=account)
        token.approve(self.swapper, UNLIMITED, sender=self.caller)
        return token

    def buying(self, *parts: Contract | int, **changes: Any) -> Swap:
        """WANTED of the last token for at most twice as many of the first."""
        return self._swap(reversed_path(*parts), parts, 2 * WANTED, WANTED, changes)

    def selling(self, *parts: Contract | int, **changes: Any) -> Swap:
        """WANTED of the first token for at least half as many of the last."""
        return self._swap(path(*parts), parts, WANTED, WANTED // 2, changes)

    def _swap(
        self, route: bytes, parts: tuple[Any, ...], amount_in: int, amount_out: int, changes: dict[str, Any]
    ) -> Swap:
        swap = Swap(parts[0].address, parts[-1].address, amount_in, amount_out, self.receiver.address, LATER, route)
        return swap._replace(**changes)

    def buy(self, swap: Swap, caller: Account | None = None) -> Any:
        """An exact output."""
        return self.swapper.swapExactOutput(swap, sender=caller or self.caller)

    def sell(self, swap: Swap) -> Any:
        """An exact input."""
        return self.swapper.swapExactInput(swap, sender=self.caller)

    def balances(self, *tokens: Contract) -> list[tuple[int, int]]:
        """What caller and receiver have of each."""
        return [(token.balanceOf(self.caller), token.balanceOf(self.receiver)) for token in tokens]

    def nothing_is_left(self) -> bool:
        """Neither tokens nor an allowance."""
        return not any(
            token.balanceOf(self.swapper) or token.allowance(self.swapper, self.uniswap.router)
            for token in (self.usd, self.eur, self.gbp)
        )

    def told(self, receipt: Any) -> dict[str, Any]:
        """The one event of a swap."""
        (event,) = [found for found in receipt.events if found.contract_address == self.swapper.address]
        assert event.event_name == "Swapped"
        return dict(event.event_arguments)


@pytest.fixture(scope="session")
def exchange(stage: Stage, project: Any, accounts: Any, weth: Contract) -> Exchange:
    """Everything."""
    return Exchange(stage, project, accounts, weth)


# --- Exactly what is wanted ---


def test_the_receiver_gets_exactly_what_was_wanted_and_the_caller_the_rest_back(exchange: Exchange) -> None:
    usd, eur = exchange.usd, exchange.eur
    cost = exchange.uniswap.cost(WANTED, usd, LOW, eur)
    assert WANTED < cost < WANTED * 101 // 100
    (usd_before, _), (_, eur_before) = exchange.balances(usd, eur)
    receipt = exchange.buy(exchange.buying(usd, LOW, eur))
    assert exchange.balances(usd, eur) == [(usd_before - cost, 0), (10 * FUNDS, eur_before + WANTED)]
    assert exchange.nothing_is_left()
    assert receipt.return_value == cost
    assert exchange.told(receipt) == {
        "caller": exchange.caller,
        "tokenIn": usd,
        "tokenOut": eur,
        "receiver": exchange.receiver,
        "amountIn": cost,
        "amountOut": WANTED,
    }


def test_over_many_pools(exchange: Exchange) -> None:
    parts = (exchange.usd, LOW, exchange.eur, LOW, exchange.gbp)
    cost = exchange.uniswap.cost(WANTED, *parts)
    assert exchange.uniswap.cost(WANTED, *parts[:3]) < cost
    receipt = exchange.buy(exchange.buying(*parts))
    told = exchange.told(receipt)
    assert (receipt.return_value, told["amountIn"], told["amountOut"]) == (cost, cost, WANTED)
    assert (exchange.gbp.balanceOf(exchange.receiver), exchange.nothing_is_left()) == (WANTED, True)
    assert exchange.eur.balanceOf(exchange.uniswap.router) == 0


@pytest.mark.parametrize("missing", [0, 1])
def test_E35_the_maximum_holds_to_the_unit(exchange: Exchange, missing: int) -> None:
    usd, eur = exchange.usd, exchange.eur
    cost = exchange.uniswap.cost(WANTED, usd, LOW, eur)
    swap = exchange.buying(usd, LOW, eur, amount_in=cost - missing)
    if missing:
        with exchange.stage.nothing_changes(usd, eur), reverts("SwapFailed", reason=words("STF")):
            exchange.buy(swap)
    else:
        exchange.buy(swap)
        assert exchange.balances(usd)[0][0] == 10 * FUNDS - cost
        assert exchange.nothing_is_left()


def test_the_caller_may_be_the_receiver(exchange: Exchange) -> None:
    caller = exchange.caller
    cost = exchange.buy(exchange.buying(exchange.usd, LOW, exchange.eur, receiver=caller.address)).return_value
    assert exchange.usd.balanceOf(caller) == 10 * FUNDS - cost
    assert exchange.eur.balanceOf(caller) == 10 * FUNDS + WANTED


def test_a_contract_swaps_what_it_has_and_gets_the_rest_back(exchange: Exchange) -> None:
    """As one that collects a payer's tokens: it allows the most, and afterwards nothing is allowed any more."""
    usd, eur = exchange.usd, exchange.eur
    wallet = exchange.project.MockWallet.deploy(sender=exchange.caller)
    usd.transfer(wallet, 2 * WANTED, sender=exchange.caller)
    wallet.execute(usd, usd.approve.encode_input(exchange.swapper, 2 * WANTED), sender=exchange.caller)
    cost = exchange.uniswap.cost(WANTED, usd, LOW, eur)
    swap = exchange.buying(usd, LOW, eur)
    wallet.execute(exchange.swapper, exchange.swapper.swapExactOutput.encode_input(swap), sender=exchange.caller)
    assert (usd.balanceOf(wallet), usd.allowance(wallet, exchange.swapper)) == (2 * WANTED - cost, 0)
    assert (eur.balanceOf(exchange.receiver), exchange.nothing_is_left()) == (WANTED, True)


# --- As much as there is for it ---


@pytest.mark.parametrize("hops", [1, 2])
@pytest.mark.parametrize("more", [0, 1])
def test_E35_an_exact_input_brings_at_least_the_least(exchange: Exchange, hops: int, more: int) -> None:
    parts = (exchange.usd, LOW, exchange.eur, LOW, exchange.gbp)[: 2 * hops + 1]
    worth = exchange.uniswap.worth(WANTED, *parts)
    swap = exchange.selling(*parts, amount_out=worth + more)
    if more:
        with (
            exchange.stage.nothing_changes(exchange.usd, exchange.eur, exchange.gbp),
            reverts("SwapFailed", reason=words("Too little received")),
        ):
            exchange.sell(swap)
        return
    receipt = exchange.sell(swap)
    assert tuple(receipt.return_value) == (WANTED, worth)
    told = exchange.told(receipt)
    assert (told["amountIn"], told["amountOut"]) == (WANTED, worth)
    bought = exchange.eur if hops == 1 else exchange.gbp
    assert bought.balanceOf(exchange.receiver) == worth
    assert exchange.usd.balanceOf(exchange.caller) == 10 * FUNDS - WANTED
    assert exchange.nothing_is_left()


def test_what_the_pools_cannot_take_comes_back(exchange: Exchange) -> None:
    """Liquidity that ends: the pool takes what there is something for, and the least still holds."""
    chf = exchange.token("CHF")
    exchange.uniswap.pool(exchange.usd, chf, units=WANTED, width=1_000)
    swap = exchange.selling(exchange.usd, LOW, chf, amount_in=10 * WANTED, amount_out=WANTED * 9 // 10)
    used, received = exchange.sell(swap).return_value
    assert WANTED * 9 // 10 <= received < used < 2 * WANTED
    assert exchange.usd.balanceOf(exchange.caller) == 10 * FUNDS - used
    assert (chf.balanceOf(exchange.receiver), exchange.nothing_is_left()) == (received, True)


# --- Around a swap ---


def sandwich(exchange: Exchange, amount_in: int) -> tuple[int, int, int]:
    """An attacker buys before the caller does and sells after it: what a swap cost without, what it costs then (0 where
    it is not made), and what the attacker is left with."""
    usd, eur = exchange.usd, exchange.eur
    fair = exchange.uniswap.cost(WANTED, usd, LOW, eur)
    attacker, before = exchange.attacker, usd.balanceOf(exchange.attacker)
    bought = exchange.uniswap.trade(attacker, FUNDS // 5, usd, LOW, eur)
    swap = exchange.buying(usd, LOW, eur, amount_in=amount_in)
    cost = exchange.uniswap.cost(WANTED, usd, LOW, eur)
    if cost <= amount_in:
        assert exchange.buy(swap).return_value == cost
    else:
        with exchange.stage.nothing_changes(usd, eur), reverts("SwapFailed", reason=words("STF")):
            exchange.buy(swap)
        cost = 0
    exchange.uniswap.trade(attacker, bought, eur, LOW, usd)
    return fair, cost, usd.balanceOf(attacker) - before


def test_E35_a_sandwich_takes_no_more_than_the_maximum_leaves(exchange: Exchange) -> None:
    fair, cost, _ = sandwich(exchange, amount_in=2 * WANTED)
    assert fair * 14 // 10 < cost <= 2 * WANTED  # the price had risen by 44 %: it is the maximum that bounds it
    assert exchange.usd.balanceOf(exchange.caller) == 10 * FUNDS - cost
    assert exchange.nothing_is_left()


def test_E35_a_maximum_near_the_fair_price_leaves_nothing_to_take(exchange: Exchange) -> None:
    fair = exchange.uniswap.cost(WANTED, exchange.usd, LOW, exchange.eur)
    _, cost, gained = sandwich(exchange, amount_in=fair * 1_005 // 1_000)
    assert cost == 0  # it was not made
    assert gained < 0  # and the attacker has paid the pool's fees twice


@pytest.mark.parametrize("late_s", [-1, 0, 1])
def test_E35_E20_after_its_time_it_is_not_made(exchange: Exchange, late_s: int) -> None:
    stage, usd, eur = exchange.stage, exchange.usd, exchange.eur
    for kind, verb in ((exchange.buying, exchange.buy), (exchange.selling, exchange.sell)):
        swap = kind(usd, LOW, eur, valid_before=stage.now + 1_000)
        at = swap.valid_before + late_s
        stage.at(at)
        if late_s < 0:
            verb(swap)
        else:
            with stage.nothing_changes(usd, eur), reverts("SwapExpired", validBefore=swap.valid_before, time=at):
                verb(swap)


# --- What cannot be had ---


def test_E35_too_little_liquidity(exchange: Exchange) -> None:
    """More than a pool has, whatever one pays: where its liquidity ends the router says no more than that it fails, and
    where it never ends, the price rises beyond what the caller has."""
    usd, chf = exchange.usd, exchange.token("CHF")
    exchange.uniswap.pool(usd, chf, units=WANTED, width=1_000)
    asked = {"amount_in": 5 * FUNDS, "amount_out": WANTED + 1}
    with exchange.stage.nothing_changes(usd, chf), reverts("SwapFailed", reason=b""):
        exchange.buy(exchange.buying(usd, LOW, chf, **asked))
    asked = {"amount_in": 5 * FUNDS, "amount_out": LIQUIDITY}
    with exchange.stage.nothing_changes(usd, exchange.eur), reverts("SwapFailed", reason=words("STF")):
        exchange.buy(exchange.buying(usd, LOW, exchange.eur, **asked))
    asked["amount_out"] = 2**255
    with exchange.stage.nothing_changes(usd, exchange.eur), reverts("SwapFailed", reason=b""):
        exchange.buy(exchange.buying(usd, LOW, exchange.eur, **asked))


def test_E35_a_pool_that_does_not_exist(exchange: Exchange) -> None:
    for swap, verb in (
        (exchange.buying(exchange.usd, MEDIUM, exchange.eur), exchange.buy),
        (exchange.selling(exchange.usd, LOW, exchange.gbp), exchange.sell),
    ):
        with exchange.stage.nothing_changes(exchange.usd, exchange.eur), reverts("SwapFailed", reason=b""):
            verb(swap)


def test_only_the_caller_pays(exchange: Exchange) -> None:
    """The attacker allows nothing; that others do is of no use to it."""
    swap = exchange.buying(exchange.usd, LOW, exchange.eur)
    with (
        exchange.stage.nothing_changes(exchange.usd, exchange.eur),
        reverts("AllowanceTooLow", found=0, needed=2 * WANTED),
    ):
        exchange.buy(swap, exchange.attacker)


def test_the_caller_has_the_most_that_is_used(exchange: Exchange) -> None:
    swap = exchange.buying(exchange.usd, LOW, exchange.eur, amount_in=10 * FUNDS + 1)
    found = {"found": 10 * FUNDS, "needed": 10 * FUNDS + 1}
    with exchange.stage.nothing_changes(exchange.usd, exchange.eur), reverts("BalanceTooLow", **found):
        exchange.buy(swap)


def test_what_lies_there_goes_to_who_swaps_next(exchange: Exchange) -> None:
    exchange.usd.transfer(exchange.swapper, 7, sender=exchange.attacker)
    cost = exchange.buy(exchange.buying(exchange.usd, LOW, exchange.eur)).return_value
    assert exchange.usd.balanceOf(exchange.caller) == 10 * FUNDS - cost + 7
    assert exchange.nothing_is_left()


# --- Swaps that contradict themselves ---


def refused(exchange: Exchange, buying: Swap, selling: Swap, error: str, **values: Any) -> None:
    """Neither verb does it."""
    for swap, verb in ((buying, exchange.buy), (selling, exchange.sell)):
        with exchange.stage.nothing_changes(exchange.usd, exchange.eur), reverts(error, **values):
            verb(swap)


def test_E32_without_a_bound_there_is_no_swap(exchange: Exchange) -> None:
    parts = (exchange.usd, LOW, exchange.eur)
    for bound in ("amount_in", "amount_out"):
        nothing = {bound: 0}
        refused(exchange, exchange.buying(*parts, **nothing), exchange.selling(*parts, **nothing), "ZeroAmount")


def test_E35_a_receiver_that_would_lose_it_is_refused(exchange: Exchange) -> None:
    parts = (exchange.usd, LOW, exchange.eur)
    for receiver in (NOBODY, exchange.swapper.address, exchange.uniswap.router.address):
        swaps = exchange.buying(*parts, receiver=receiver), exchange.selling(*parts, receiver=receiver)
        refused(exchange, *swaps, "ReceiverRefused", receiver=receiver)


def test_E35_a_route_between_other_tokens_is_refused(exchange: Exchange) -> None:
    usd, eur, gbp = exchange.usd, exchange.eur, exchange.gbp
    there, back = path(usd, LOW, eur), path(eur, LOW, usd)
    buying, selling = exchange.buying(usd, LOW, eur), exchange.selling(usd, LOW, eur)
    # Each verb by the other one's direction.
    refused(
        exchange, buying._replace(route=there), selling._replace(route=back), "AnotherRoute", tokenIn=eur, tokenOut=usd
    )
    through = (gbp, LOW, eur)
    swaps = buying._replace(route=reversed_path(*through)), selling._replace(route=path(*through))
    refused(exchange, *swaps, "AnotherRoute", tokenIn=gbp, tokenOut=eur)
    through = (usd, LOW, gbp)
    swaps = buying._replace(route=reversed_path(*through)), selling._replace(route=path(*through))
    refused(exchange, *swaps, "AnotherRoute", tokenIn=usd, tokenOut=gbp)


def test_E35_what_is_no_route_is_refused(exchange: Exchange) -> None:
    usd, eur = exchange.usd, exchange.eur
    good = path(usd, LOW, eur)
    for route in (b"", path(usd), good[:-1], good + b"\x00", good + path(LOW), good + good):
        swaps = exchange.buying(usd, LOW, eur, route=route), exchange.selling(usd, LOW, eur, route=route)
        refused(exchange, *swaps, "RouteMalformed", length=len(route))


def test_one_token_for_itself_is_refused(exchange: Exchange) -> None:
    parts = (exchange.usd, LOW, exchange.usd)
    refused(exchange, exchange.buying(*parts), exchange.selling(*parts), "SameToken", token=exchange.usd)


def test_a_router_is_a_contract(exchange: Exchange) -> None:
    code = exchange.project.UniswapSwapper.contract_type.deployment_bytecode.bytecode
    data = "0x" + code.removeprefix("0x") + encode(["address"], [exchange.caller.address]).hex()
    trace = exchange.stage.rpc("debug_traceCall", {"data": data}, "latest", {"tracer": "callTracer"})
    error = keccak(text="NotAContract(address)")[:4] + encode(["address"], [exchange.caller.address])
    assert trace["output"] == "0x" + error.hex()
    assert exchange.swapper.ROUTER() == exchange.uniswap.router


# --- Hostile tokens ---


@pytest.fixture
def hostile_in(exchange: Exchange, hostile: Contract) -> Contract:
    """A token that misbehaves when told to, with a pool to euros."""
    exchange.funded(hostile)
    exchange.uniswap.pool(hostile, exchange.eur, units=LIQUIDITY)
    return hostile


REFUSALS = [Trick.RETURN_FALSE, Trick.RETURN_TWO, Trick.RETURN_ONE_BYTE, Trick.REFUSE, Trick.BURN_GAS]


@pytest.mark.parametrize("trick", REFUSALS)
def test_E01_a_token_that_refuses(exchange: Exchange, hostile_in: Contract, trick: Trick) -> None:
    swap = exchange.buying(hostile_in, LOW, exchange.eur)
    play(hostile_in, "transferFrom", trick)
    with reverts("TokenRefused", token=hostile_in):
        exchange.buy(swap)


def test_E01_a_token_that_says_it_moved(exchange: Exchange, hostile_in: Contract) -> None:
    play(hostile_in, "transferFrom", Trick.RETURN_TRUE)
    with reverts("AmountMismatch", received=0, expected=2 * WANTED):
        exchange.buy(exchange.buying(hostile_in, LOW, exchange.eur))


def test_E01_a_token_that_does_not_say_what_is_there(exchange: Exchange, hostile_in: Contract) -> None:
    play(hostile_in, "balanceOf", Trick.REFUSE)
    with reverts("TokenRefused", token=hostile_in):
        exchange.buy(exchange.buying(hostile_in, LOW, exchange.eur))
    with reverts("TokenRefused", token=hostile_in):
        exchange.buy(exchange.buying(exchange.eur, LOW, hostile_in))


def test_E01_an_account_that_is_no_token(exchange: Exchange) -> None:
    nobody = exchange.attacker
    route = bytes.fromhex(nobody.address[2:])
    swap = exchange.buying(exchange.usd, LOW, exchange.eur)
    swap = swap._replace(token_in=nobody.address, route=swap.route[:-20] + route)
    with reverts("TokenRefused", token=nobody):
        exchange.buy(swap)


def test_E01_E35_a_token_that_keeps_what_the_receiver_should_get(exchange: Exchange, hostile_in: Contract) -> None:
    play(hostile_in, "transfer", Trick.RETURN_TRUE)
    for swap, verb in (
        (exchange.buying(exchange.eur, LOW, hostile_in), exchange.buy),
        (exchange.selling(exchange.eur, LOW, hostile_in), exchange.sell),
    ):
        with reverts("OutputTooLow", found=0, needed=swap.amount_out):
            verb(swap)


def test_E02_a_token_with_a_fee_is_refused_on_either_side(exchange: Exchange, usdt: Contract) -> None:
    exchange.funded(usdt)
    exchange.uniswap.pool(usdt, exchange.eur, units=LIQUIDITY)
    cost = exchange.buy(exchange.buying(usdt, LOW, exchange.eur)).return_value
    assert usdt.balanceOf(exchange.caller) == 10 * FUNDS - cost
    assert (usdt.balanceOf(exchange.swapper), usdt.allowance(exchange.swapper, exchange.uniswap.router)) == (0, 0)
    usdt.setParams(10, UNLIMITED, sender=exchange.caller)
    with reverts("AmountMismatch", received=2 * WANTED * 999 // 1_000, expected=2 * WANTED):
        exchange.buy(exchange.buying(usdt, LOW, exchange.eur))
    with reverts("OutputTooLow", found=WANTED * 999 // 1_000, needed=WANTED):
        exchange.buy(exchange.buying(exchange.eur, LOW, usdt))


def test_E08_one_that_wants_its_allowance_at_zero_first_is_swapped_again_and_again(
    exchange: Exchange, usdt: Contract
) -> None:
    exchange.funded(usdt)
    exchange.uniswap.pool(usdt, exchange.eur, units=LIQUIDITY)
    for _ in range(2):
        exchange.buy(exchange.buying(usdt, LOW, exchange.eur))
        exchange.sell(exchange.selling(usdt, LOW, exchange.eur))
    assert exchange.eur.balanceOf(exchange.receiver) > 2 * WANTED


# --- Calls back ---


@pytest.fixture
def hooked_out(exchange: Exchange, hooked: Contract) -> Contract:
    """A token that calls its receivers, with pools to dollars and pounds."""
    exchange.funded(hooked)
    for other in (exchange.usd, exchange.gbp):
        pool = exchange.uniswap.factory.getPool(hooked, other, LOW)
        assert pool == NOBODY
        hooked.spare(create2_pool(exchange, hooked, other), sender=exchange.caller)
    for account in (exchange.swapper, exchange.uniswap.router, exchange.uniswap.lens):
        hooked.spare(account, sender=exchange.caller)
    for other in (exchange.usd, exchange.gbp):
        exchange.uniswap.pool(hooked, other, units=LIQUIDITY)
    return hooked


def create2_pool(exchange: Exchange, one: Contract, other: Contract) -> str:
    """Where the exchange puts the pool of two tokens."""
    first, second = sorted((one.address, other.address), key=lambda address: int(address, 16))
    salt = keccak(encode(["address", "address", "uint24"], [first, second, LOW]))
    code = keccak(hexstr=container("UniswapV3Pool").contract_type.deployment_bytecode.bytecode)
    packed = b"\xff" + bytes.fromhex(exchange.uniswap.factory.address[2:]) + salt + code
    return "0x" + keccak(packed)[12:].hex()


@pytest.mark.parametrize("verb", ["swapExactOutput", "swapExactInput"])
def test_E03_nobody_comes_in_again(exchange: Exchange, hooked_out: Contract, verb: str) -> None:
    """Neither by the other verb nor by the same, from a receiver's hook in the middle of it."""
    usd = exchange.usd
    wallet = exchange.project.MockWallet.deploy(sender=exchange.attacker)
    inner = exchange.selling(usd, LOW, hooked_out, receiver=wallet.address)
    wallet.setHook(exchange.swapper, getattr(exchange.swapper, verb).encode_input(inner), sender=exchange.attacker)
    exchange.buy(exchange.buying(usd, LOW, hooked_out, receiver=wallet.address))
    assert (wallet.hooks(), wallet.hookSucceeded()) == (1, False)
    assert wallet.hookAnswer()[:4] == keccak(text="ReentrancyGuardReentrantCall()")[:4]
    assert hooked_out.balanceOf(wallet) == WANTED


def test_E03_E35_what_is_brought_back_in_the_middle_is_refused(exchange: Exchange, hooked_out: Contract) -> None:
    """More there afterwards than before: whoever counted on it would count wrong."""
    usd = exchange.usd
    wallet = exchange.project.MockWallet.deploy(sender=exchange.attacker)
    usd.transfer(wallet, 3 * WANTED, sender=exchange.attacker)
    wallet.setHook(usd, usd.transfer.encode_input(exchange.swapper, 3 * WANTED), sender=exchange.attacker)
    cost = exchange.uniswap.cost(WANTED, usd, LOW, hooked_out)
    found = {"left": 2 * WANTED - cost + 3 * WANTED, "brought": 2 * WANTED}
    with exchange.stage.nothing_changes(usd), reverts("InputMismatch", **found):
        exchange.buy(exchange.buying(usd, LOW, hooked_out, receiver=wallet.address))


def test_E35_a_receiver_that_passes_it_on_at_once_is_refused(exchange: Exchange, hooked_out: Contract) -> None:
    wallet = exchange.project.MockWallet.deploy(sender=exchange.attacker)
    onward = hooked_out.transfer.encode_input(exchange.attacker, 1)
    wallet.setHook(hooked_out, onward, sender=exchange.attacker)
    with reverts("OutputTooLow", found=WANTED - 1, needed=WANTED):
        exchange.buy(exchange.buying(exchange.usd, LOW, hooked_out, receiver=wallet.address))


# --- Ether that somebody left at the router ---


@pytest.mark.parametrize("verb", ["buy", "sell"])
def test_E35_ether_at_the_router_costs_the_caller_nothing(exchange: Exchange, weth: Contract, verb: str) -> None:
    """It pays wrapped ether with what lies there, so that nothing is used: it comes back, and nobody can make a swap
    fail by that."""
    for account in (exchange.caller, exchange.provider):
        weth.deposit(value=10**18, sender=account)
    weth.approve(exchange.swapper, UNLIMITED, sender=exchange.caller)
    exchange.uniswap.pool(weth, exchange.eur, units=10**12)
    exchange.uniswap.router.multicall([], value=10**9, sender=exchange.attacker)
    parts = (weth, LOW, exchange.eur)
    if verb == "buy":
        used = exchange.buy(exchange.buying(*parts)).return_value
    else:
        used, _ = exchange.sell(exchange.selling(*parts)).return_value
    assert used == 0
    assert (weth.balanceOf(exchange.caller), weth.balanceOf(exchange.swapper)) == (10**18, 0)
    assert weth.allowance(exchange.swapper, exchange.uniswap.router) == 0
    assert exchange.eur.balanceOf(exchange.receiver) >= WANTED // 2
