"""What the checkout answers, beside what the package works out without asking it."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from tallystick.core import quote as package
from tallystick.core.deposit import deposit_address
from tests.contracts.checkouts import COIN, Sales
from tests.contracts.payments import NO_HASH


@pytest.mark.parametrize("parts", [(5,), (1, 2, 3)])
def test_the_package_signs_what_the_contract_reads(sales: Sales, parts: tuple[int, ...]) -> None:
    quote = sales.quote(*parts)
    payouts = tuple(package.Payout(payee, units) for payee, units in quote.payouts)
    known = package.Quote(quote.merchant, quote.number, quote.invoice, quote.token, quote.valid_before, payouts)
    where: Any = {"chain_id": 31_337, "contract": sales.checkout.address}
    assert package.typed_data(known, **where)["message"] == quote.message()
    assert known.quote_id(**where) == bytes(sales.checkout.quoteId(quote)) == sales.id(quote)
    payer = sales.payer.address
    asked = encode_typed_data(full_message=package.acceptance_typed_data(known, payer, **where))
    digest = keccak(b"\x19\x01" + asked.header + asked.body)
    assert digest == bytes(sales.checkout.acceptanceDigest(quote, payer))


def test_the_package_knows_deposit_addresses(sales: Sales) -> None:
    for receiver in (sales.merchant, sales.payee):
        for invoice in (NO_HASH, keccak(text="invoice")):
            code_hash = keccak(sales.creation_code)
            known = deposit_address(receiver.address, invoice, contract=sales.checkout.address, code_hash=code_hash)
            assert known == sales.checkout.depositAddress(receiver, invoice)


def test_nothing_is_swept_between_transactions(sales: Sales) -> None:
    sales.sweep(NO_HASH)
    assert tuple(sales.checkout.nextSweep()) == (COIN, COIN, 0)


def test_totals_are_of_one_merchant_and_token(sales: Sales) -> None:
    assert sales.total() == (0, 0)
    sales.pay(sales.quote(5))
    sales.pay(sales.quote(1, 6))
    assert sales.total() == (2, 12)
    other = sales.checkout.quoteTotal(sales.payee, sales.stage.token)
    assert (other.count, other.sum) == (0, 0)
