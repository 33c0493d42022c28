"""refund: the caller's own money back to whom it chooses, and what for."""

from __future__ import annotations

import pytest

from tests.contracts.checkouts import Sales
from tests.contracts.payments import AMOUNT, NO_HASH
from tests.contracts.stage import NOBODY, Contract, Stage, reverts


@pytest.fixture(autouse=True)
def _funds(sales: Sales, token: Contract) -> None:
    token.mint(sales.merchant, AMOUNT, sender=sales.anyone)


def test_moves_the_callers_money_and_says_what_for(sales: Sales, token: Contract) -> None:
    invoice = sales.quote().invoice
    with sales.moves(merchant=-7, payer=7):
        receipt = sales.checkout.refund(invoice, token, sales.payer, 7, sender=sales.merchant)
    values = {"from": sales.merchant.address, "invoice": invoice, "to": sales.payer.address}
    assert sales.events(receipt) == [("InvoiceRefunded", values | {"token": token.address, "amount": 7})]


def test_refuses_what_cannot_be(sales: Sales, token: Contract) -> None:
    for to, amount, error in (
        (NOBODY, 1, {"error": "ZeroAddress"}),
        (sales.checkout, 1, {"error": "PartyRefused", "party": sales.checkout}),
        (sales.merchant, 1, {"error": "PartyRefused", "party": sales.merchant}),
        (sales.payer, 0, {"error": "ZeroAmount"}),
    ):
        with sales.nothing_changes(), reverts(**error):
            sales.checkout.refund(NO_HASH, token, to, amount, sender=sales.merchant)


def test_E37_nobody_elses_money_stands_behind_it(sales: Sales, token: Contract, usdc: Contract, stage: Stage) -> None:
    """Neither what the contract keeps for somebody nor what others allow it."""
    usdc.blacklist(sales.second, sender=stage.anyone)
    sales.pay(sales.quote(1, AMOUNT, token=usdc))
    with sales.nothing_changes(usdc), reverts("BalanceTooLow", found=0, needed=1):
        sales.checkout.refund(NO_HASH, usdc, sales.payer, 1, sender=sales.merchant)
    with sales.nothing_changes(), reverts("AllowanceTooLow", found=0, needed=1):
        sales.checkout.refund(NO_HASH, token, sales.payer, 1, sender=sales.anyone)


def test_E02_refuses_to_give_back_less_than_it_says(sales: Sales, usdt: Contract, stage: Stage) -> None:
    usdt.approve(sales.checkout, AMOUNT, sender=sales.payer)
    usdt.setParams(1_000, 2**256 - 1, sender=stage.anyone)
    with sales.nothing_changes(usdt), reverts("AmountMismatch", received=900, expected=1_000):
        sales.checkout.refund(NO_HASH, usdt, sales.second, 1_000, sender=sales.payer)
