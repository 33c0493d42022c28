"""SwapCollector: a quote paid with another token, over Uniswap v3 as it is."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from ape.exceptions import VirtualMachineError
from eth_utils.crypto import keccak

from tests.contracts.checkouts import Quote, Sales
from tests.contracts.payments import AMOUNT, NO_HASH, reverts_as
from tests.contracts.stage import UNLIMITED, Account, Contract, Stage, reverts, reverts_bare
from tests.contracts.test_uniswap_swapper import FUNDS, Exchange, exchange
from tests.contracts.uniswap import reversed_path
from tests.uniswap import LOW

__all__ = ["exchange"]  # a fixture


class Payment(NamedTuple):
    """In the order of the contract's struct."""

    swapper: str
    token_in: str
    most_in: int
    route: bytes
    permit: bytes = b""


@pytest.fixture
def collector(sales: Sales, exchange: Exchange, project: Any, stage: Stage) -> Contract:
    """The contract, whom the payer lets take all of its dollars."""
    collector = project.SwapCollector.deploy(sales.checkout, sender=stage.anyone)
    exchange.usd.mint(sales.payer, FUNDS, sender=stage.anyone)
    exchange.usd.approve(collector, UNLIMITED, sender=sales.payer)
    return collector


@pytest.fixture
def payment(exchange: Exchange) -> Payment:
    """Dollars for euros, at most twice as many."""
    route = reversed_path(exchange.usd, LOW, exchange.eur)
    return Payment(exchange.swapper.address, exchange.usd.address, 2 * AMOUNT, route)


def pay(
    sales: Sales, collector: Contract, quote: Quote, payment: Payment, payer: Account | None = None, **more: Any
) -> Any:
    return collector.payQuote(quote, sales.offer(quote), payment, sender=payer or sales.payer, **more)


def nothing_is_left(collector: Contract, exchange: Exchange) -> bool:
    return not any(
        token.balanceOf(collector) or token.allowance(collector, exchange.swapper)
        for token in (exchange.usd, exchange.eur)
    )


@pytest.mark.parametrize("parts", [(AMOUNT,), (AMOUNT - 3, 1, 2)])
def test_E35_payees_have_the_whole_and_the_payer_the_rest(
    sales: Sales, exchange: Exchange, collector: Contract, payment: Payment, parts: tuple[int, ...]
) -> None:
    quote = sales.quote(*parts, token=exchange.eur)
    cost = exchange.uniswap.cost(AMOUNT, exchange.usd, LOW, exchange.eur)
    with sales.moves(exchange.usd, payer=-cost):
        receipt = pay(sales, collector, quote, payment)
    for payee, part in quote.payouts:
        assert exchange.eur.balanceOf(payee) == part
    (paid,) = [event for event in receipt.events if event.event_name == "QuotePaid"]
    assert (paid.event_arguments["payer"], paid.event_arguments["collector"]) == (
        sales.payer.address,
        collector.address,
    )
    assert receipt.return_value == sales.id(quote)
    assert nothing_is_left(collector, exchange)


def test_E35_never_more_than_the_payer_named(
    sales: Sales, exchange: Exchange, collector: Contract, payment: Payment
) -> None:
    quote = sales.quote(token=exchange.eur)
    cost = exchange.uniswap.cost(AMOUNT, exchange.usd, LOW, exchange.eur)
    with sales.moves(exchange.usd), pytest.raises(VirtualMachineError) as caught:
        pay(sales, collector, quote, payment._replace(most_in=cost - 1))
    failed = keccak(text="SwapFailed(bytes)")[:4].hex()
    assert failed in str(caught.value) or type(caught.value).__name__ == "SwapFailed"
    assert not sales.checkout.isUsed(sales.merchant, quote.number)
    with sales.moves(exchange.usd, payer=-cost):
        pay(sales, collector, quote, payment._replace(most_in=cost))
    assert nothing_is_left(collector, exchange)


def test_E10_by_a_permit(sales: Sales, exchange: Exchange, collector: Contract, payment: Payment) -> None:
    exchange.usd.approve(collector, 0, sender=sales.payer)
    quote = sales.quote(token=exchange.eur)
    with sales.moves(exchange.usd), reverts("AllowanceTooLow", found=0, needed=payment.most_in):
        pay(sales, collector, quote, payment)
    permit = sales.permit(exchange.usd, sales.payer, value=payment.most_in, spender=collector)
    pay(sales, collector, quote, payment._replace(permit=permit))
    assert exchange.eur.balanceOf(sales.payee) == AMOUNT


def test_nobody_pays_with_anothers_money(
    sales: Sales, exchange: Exchange, collector: Contract, payment: Payment, payers: list[Account]
) -> None:
    """Who calls pays, whatever the payer of before allows."""
    with sales.moves(exchange.usd), reverts("AllowanceTooLow", found=0, needed=payment.most_in):
        pay(sales, collector, sales.quote(token=exchange.eur), payment, payers[1])


def test_nobody_but_the_checkout_asks_for_money(sales: Sales, exchange: Exchange, collector: Contract) -> None:
    for sender in (sales.anyone, sales.payer, sales.merchant):
        with sales.moves(exchange.usd), reverts("NotAuthorized", caller=sender):
            collector.collect(NO_HASH, exchange.eur, sales.payer, 1, sender=sender)


def test_a_number_that_was_paid_costs_nothing(
    sales: Sales, exchange: Exchange, collector: Contract, payment: Payment
) -> None:
    quote = sales.quote(token=exchange.eur)
    pay(sales, collector, quote, payment)
    with sales.moves(exchange.usd), reverts_as("NumberUsed(address,uint256)", int(quote.merchant, 16), quote.number):
        pay(sales, collector, quote, payment)


def test_E03_a_swapper_that_is_none_keeps_what_the_payer_gave_it_and_no_more(
    sales: Sales, exchange: Exchange, collector: Contract, payment: Payment, project: Any, stage: Stage
) -> None:
    """It does nothing: the checkout finds that nothing came, and everything is undone."""
    idle = project.MockCollector.deploy(sender=stage.anyone)
    quote = sales.quote(token=exchange.eur)
    with sales.moves(exchange.usd), reverts_bare():
        pay(sales, collector, quote, payment._replace(swapper=idle.address))
    assert not sales.checkout.isUsed(sales.merchant, quote.number)


def test_what_lies_there_by_mistake_stays(
    sales: Sales, exchange: Exchange, collector: Contract, payment: Payment, stage: Stage
) -> None:
    exchange.usd.mint(collector, 7, sender=stage.anyone)
    pay(sales, collector, sales.quote(token=exchange.eur), payment)
    assert exchange.usd.balanceOf(collector) == 7


def test_E03_a_token_that_calls_back_comes_in_nowhere(
    sales: Sales, exchange: Exchange, collector: Contract, payment: Payment, project: Any, stage: Stage
) -> None:
    """A swapper that is a contract of the attacker's tries to pay another quote on the way."""
    attacker = project.MockDetour.deploy(sender=stage.anyone)
    quote, other = sales.quote(token=exchange.eur), sales.quote(token=exchange.eur)
    call = collector.payQuote.encode_input(other, sales.offer(other), payment)
    attacker.setDetour(collector, call, sender=stage.anyone)
    exchange.eur.mint(attacker, AMOUNT, sender=stage.anyone)
    pay(sales, collector, quote, payment._replace(swapper=attacker.address))
    assert not attacker.detourSucceeded()
    assert bytes(attacker.detourAnswer()) == keccak(text="ReentrancyGuardReentrantCall()")[:4]
    assert not sales.checkout.isUsed(sales.merchant, other.number)
