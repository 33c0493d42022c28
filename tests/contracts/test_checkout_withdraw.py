"""withdrawQuote: a number that will not be paid."""

from __future__ import annotations

from tests.contracts.checkouts import Sales
from tests.contracts.stage import reverts


def test_what_is_withdrawn_is_paid_no_more(sales: Sales) -> None:
    quote, next_one = sales.quote(), sales.quote()
    receipt = sales.checkout.withdrawQuote(quote.number, sender=sales.merchant)
    values = {"merchant": sales.merchant.address, "number": quote.number}
    assert sales.events(receipt) == [("QuoteWithdrawn", values)]
    with sales.nothing_changes(), reverts("NumberUsed", **values):
        sales.pay(quote)
    assert sales.checkout.isUsed(sales.merchant, quote.number)
    sales.pay(next_one)


def test_what_was_paid_cannot_be_withdrawn_nor_anything_twice(sales: Sales) -> None:
    paid, withdrawn = sales.quote(), sales.quote()
    sales.pay(paid)
    sales.checkout.withdrawQuote(withdrawn.number, sender=sales.merchant)
    for quote in (paid, withdrawn):
        with sales.nothing_changes(), reverts("NumberUsed", merchant=sales.merchant, number=quote.number):
            sales.checkout.withdrawQuote(quote.number, sender=sales.merchant)


def test_anyone_withdraws_a_number_of_their_own_alone(sales: Sales) -> None:
    quote = sales.quote()
    for sender in (sales.anyone, sales.payer, sales.payee):
        sales.checkout.withdrawQuote(quote.number, sender=sender)
    assert not sales.checkout.isUsed(sales.merchant, quote.number)
    sales.pay(quote)


def test_it_counts_for_nothing(sales: Sales) -> None:
    sales.checkout.withdrawQuote(3, sender=sales.merchant)
    assert sales.total() == (0, 0)
