"""pay: a merchant's quote, once, by whoever wants to pay it, to each payee its part."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.checkouts import VALID_BEFORE, Sales
from tests.contracts.hostile import REFUSALS, UNMOVED, play
from tests.contracts.payments import AMOUNT, NO_HASH, second_forms, wrapped
from tests.contracts.stage import NOBODY, UNLIMITED, Account, Contract, Stage, reverts
from tests.contracts.test_contract_accounts import delegate
from tests.tricks import Trick


def test_pays_the_payee_at_once_and_says_so(sales: Sales) -> None:
    quote = sales.quote()
    with sales.moves(payer=-AMOUNT, payee=AMOUNT):
        receipt = sales.pay(quote)
    values = {"quoteId": sales.id(quote), "merchant": quote.merchant, "payer": sales.payer.address}
    assert sales.events(receipt) == [("QuotePaid", values | {"collector": NOBODY})]
    (paid,) = receipt.decode_logs(sales.checkout.QuotePaid)
    assert bytes(sales.checkout.quoteId(paid.quote)) == sales.id(quote)
    assert receipt.return_value == sales.id(quote) == bytes(sales.checkout.quoteId(quote))
    assert sales.total() == (1, AMOUNT)
    assert sales.checkout.isUsed(sales.merchant, quote.number)


def test_E38_each_payee_receives_its_part_to_the_unit(sales: Sales) -> None:
    with sales.moves(payer=-101, payee=1, second=99, third=1):
        sales.pay(sales.quote(1, 99, 1))


def test_sixteen_payees_and_no_more(sales: Sales, token: Contract) -> None:
    everyone = [(f"0x{number:040x}", number) for number in range(1, 17)]
    sales.pay(sales.quote(payouts=everyone))
    assert [token.balanceOf(payee) for payee, _ in everyone] == [amount for _, amount in everyone]
    many = sales.quote(payouts=[*everyone, (f"0x{17:040x}", 17)])
    with sales.nothing_changes(), reverts("PayoutsOutOfRange", found=17, most=16):
        sales.pay(many)
    none = sales.quote(payouts=[])
    with sales.nothing_changes(), reverts("PayoutsOutOfRange", found=0, most=16):
        sales.pay(none)


def test_the_same_payee_may_come_twice(sales: Sales) -> None:
    with sales.moves(payer=-10, payee=10):
        sales.pay(sales.quote(payouts=[(sales.payee.address, 4), (sales.payee.address, 6)]))


def test_a_number_is_paid_once_however_it_is_quoted(sales: Sales) -> None:
    quote = sales.quote()
    sales.pay(quote)
    for again in (quote, quote._replace(amount=1, payouts=[(sales.payee.address, 1)]), quote._replace(invoice=NO_HASH)):
        with sales.nothing_changes(), reverts("NumberUsed", merchant=quote.merchant, number=quote.number):
            sales.pay(again)
    assert sales.total() == (1, AMOUNT)


@pytest.mark.parametrize("number", [0, 255, 256, 2**64, UNLIMITED])
def test_any_number_is_one_bit(sales: Sales, number: int) -> None:
    assert not sales.checkout.isUsed(sales.merchant, number)
    sales.pay(sales.quote(number=number))
    assert sales.checkout.isUsed(sales.merchant, number)
    assert sales.checkout.usedNumbers(sales.merchant, number >> 8) == 1 << (number & 255)
    for near in (number - 1, number + 1):
        if 0 <= near <= UNLIMITED:
            assert not sales.checkout.isUsed(sales.merchant, near)


def test_another_merchant_has_the_same_number_to_itself(sales: Sales) -> None:
    quote = sales.quote()
    sales.pay(quote)
    other = quote._replace(merchant=sales.third.address)
    sales.pay(other, offer=sales.offer(other, sales.third))
    assert sales.total() == (1, AMOUNT)


@pytest.mark.parametrize(("second", "good"), [(-1, True), (0, False), (1, False)])
def test_E20_until_it_ends(sales: Sales, stage: Stage, second: int, good: bool) -> None:
    quote, time = sales.quote(), VALID_BEFORE + second
    stage.at(time)
    if good:
        sales.pay(quote)
        return
    with sales.nothing_changes(), reverts("QuoteExpired", validBefore=VALID_BEFORE, time=time):
        sales.pay(quote)


@pytest.mark.parametrize("difference", [-1, 1])
def test_E38_refuses_parts_that_are_not_the_whole(sales: Sales, difference: int) -> None:
    quote = sales.quote(7, 11, amount=18 + difference)
    with sales.nothing_changes(), reverts("SumMismatch", sum=18, amount=18 + difference):
        sales.pay(quote)


def test_E32_refuses_a_part_of_nothing(sales: Sales) -> None:
    with sales.nothing_changes(), reverts("ZeroAmount"):
        sales.pay(sales.quote(5, 0))


def test_refuses_payees_that_cannot_be(sales: Sales) -> None:
    with sales.nothing_changes(), reverts("ZeroAddress"):
        sales.pay(sales.quote(payouts=[(NOBODY, 1)]))
    own = sales.checkout.address
    with sales.nothing_changes(), reverts("PartyRefused", party=own):
        sales.pay(sales.quote(payouts=[(own, 1)]))


def test_E01_refuses_a_token_that_is_none(sales: Sales) -> None:
    with sales.nothing_changes(), reverts("NotAContract", account=sales.anyone):
        sales.pay(sales.quote(token=sales.anyone))


# --- The merchant's signature ---


def test_pays_nothing_that_the_merchant_did_not_sign(sales: Sales) -> None:
    quote = sales.quote(60, 40)
    offer = sales.offer(quote)
    changed = [
        quote._replace(number=quote.number + 1),
        quote._replace(invoice=NO_HASH),
        quote._replace(token=sales.checkout.address),
        quote._replace(valid_before=VALID_BEFORE + 1),
        quote._replace(amount=99, payouts=[(sales.payee.address, 60), (sales.second.address, 39)]),
        quote._replace(payouts=[(sales.payee.address, 40), (sales.second.address, 60)]),
        quote._replace(payouts=list(reversed(quote.payouts))),
        quote._replace(payouts=[(sales.third.address, 100)]),
    ]
    for other in changed:
        with sales.nothing_changes(), reverts("InvalidSignature", signer=sales.merchant):
            sales.pay(other, offer=offer)
    for key in (sales.payer, sales.payee, sales.anyone):
        with sales.nothing_changes(), reverts("InvalidSignature", signer=sales.merchant):
            sales.pay(quote, offer=sales.offer(quote, key))
    sales.pay(quote, offer=offer)


def test_E12_pays_nothing_that_was_signed_for_another_chain_or_contract(sales: Sales, stage: Stage) -> None:
    quote = sales.quote()
    for domain in ({"chain_id": 1}, {"contract": stage.escrow.address}):
        with sales.nothing_changes(), reverts("InvalidSignature", signer=sales.merchant):
            sales.pay(quote, offer=sales.offer(quote, **domain))


def test_E13_pays_nothing_by_a_second_form_of_a_signature(sales: Sales) -> None:
    quote = sales.quote()
    for form in second_forms(sales.offer(quote)):
        with sales.nothing_changes(), reverts("InvalidSignature", signer=sales.merchant):
            sales.pay(quote, offer=form)


def test_the_zero_address_signs_nothing(sales: Sales) -> None:
    quote = sales.quote(merchant=NOBODY)
    for offer in (b"", bytes(65), sales.offer(quote)):
        with sales.nothing_changes(), reverts("InvalidSignature", signer=NOBODY):
            sales.pay(quote, offer=offer)


def test_a_merchant_that_is_a_contract_signs_by_its_code(
    sales: Sales, project: Any, stage: Stage, payers: list[Account]
) -> None:
    wallet = project.MockWallet.deploy(sender=stage.anyone)
    wallet.setSigner(payers[3], sender=stage.anyone)
    quote = sales.quote(merchant=wallet)
    with sales.nothing_changes(), reverts("InvalidSignature", signer=wallet):
        sales.pay(quote)
    sales.pay(quote, offer=sales.offer(quote, payers[3]))


def test_E15_a_merchant_whose_wallet_is_not_there_yet(
    sales: Sales, project: Any, stage: Stage, payers: list[Account]
) -> None:
    factory = project.MockWalletFactory.deploy(sender=stage.anyone)
    quote = sales.quote(merchant=factory.addressFor(payers[3]))
    create = factory.create.encode_input(payers[3])
    sales.pay(quote, offer=wrapped(factory, create, sales.offer(quote, payers[3])))


def test_E16_a_merchant_account_with_code_signs_by_its_key(sales: Sales, project: Any, stage: Stage) -> None:
    silent = project.MockToken.deploy("No", "WALLET", 0, sender=stage.anyone)  # code that knows no ERC-1271
    delegate(stage, sales.merchant, silent.address)
    sales.pay(sales.quote())


# --- Tokens ---


@pytest.mark.parametrize("trick", [*REFUSALS, *UNMOVED])
@pytest.mark.parametrize("parts", [(AMOUNT,), (AMOUNT - 1, 1)])
def test_E01_E06_pays_nothing_with_a_token_that_refuses_or_lies(
    sales: Sales, hostile: Contract, trick: Trick, parts: tuple[int, ...]
) -> None:
    hostile.approve(sales.checkout, UNLIMITED, sender=sales.payer)
    play(hostile, "transferFrom", trick)
    quote = sales.quote(*parts, token=hostile)
    if trick in UNMOVED:
        expected = reverts("AmountMismatch", received=0, expected=AMOUNT)
    else:
        expected = reverts("TokenRefused", token=hostile)
    with sales.nothing_changes(hostile), expected:
        sales.pay(quote)
    play(hostile, "transferFrom", Trick.NONE)
    sales.pay(quote)


@pytest.mark.parametrize("parts", [(1_000,), (400, 600)])
def test_E02_refuses_a_fee_on_transfer(sales: Sales, usdt: Contract, stage: Stage, parts: tuple[int, ...]) -> None:
    usdt.approve(sales.checkout, UNLIMITED, sender=sales.payer)
    usdt.setParams(1_000, UNLIMITED, sender=stage.anyone)
    with sales.nothing_changes(usdt), reverts("AmountMismatch", received=900, expected=1_000):
        sales.pay(sales.quote(*parts, token=usdt))


def test_E05_nothing_while_the_token_is_paused(sales: Sales, usdc: Contract, stage: Stage) -> None:
    quote = sales.quote(token=usdc)
    usdc.pause(sender=stage.anyone)
    with sales.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        sales.pay(quote)
    usdc.unpause(sender=stage.anyone)
    sales.pay(quote)


def test_E07_the_only_payee_is_blocked_so_the_payer_keeps_the_money(sales: Sales, usdc: Contract, stage: Stage) -> None:
    usdc.blacklist(sales.payee, sender=stage.anyone)
    with sales.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        sales.pay(sales.quote(token=usdc))


def test_E07_one_of_several_payees_is_blocked_and_what_is_its_is_kept(
    sales: Sales, usdc: Contract, stage: Stage
) -> None:
    usdc.blacklist(sales.second, sender=stage.anyone)
    quote = sales.quote(50, 30, 20, token=usdc)
    with sales.moves(usdc, payer=-100, payee=50, third=20, checkout=30):
        receipt = sales.pay(quote)
    kept = {"account": sales.second.address, "token": usdc.address, "paymentId": sales.id(quote), "amount": 30}
    assert sales.events(receipt)[1:] == [("PayoutKept", kept)]
    usdc.unBlacklist(sales.second, sender=stage.anyone)
    with sales.moves(usdc, second=30, checkout=-30):
        receipt = sales.checkout.claim(sales.second, usdc, sender=sales.anyone)
    claimed = {"account": sales.second.address, "token": usdc.address, "amount": 30}
    assert sales.events(receipt) == [("PayoutClaimed", claimed)]
    with sales.nothing_changes(usdc), reverts("NothingToClaim", account=sales.second, token=usdc):
        sales.checkout.claim(sales.second, usdc, sender=sales.anyone)


def test_what_is_kept_for_one_pays_nobody_else(sales: Sales, usdc: Contract, stage: Stage) -> None:
    usdc.blacklist(sales.second, sender=stage.anyone)
    sales.pay(sales.quote(1, 10 * AMOUNT, token=usdc))
    usdc.approve(sales.checkout, 0, sender=sales.payer)
    with sales.nothing_changes(usdc), reverts("AllowanceTooLow", found=0, needed=3):
        sales.pay(sales.quote(1, 2, token=usdc))


def test_the_largest_parts(sales: Sales, project: Any, stage: Stage) -> None:
    most = 2**96 - 1
    token = project.MockToken.deploy("Many", "MANY", 24, sender=stage.anyone)  # E04
    token.mint(sales.payer, 3 * most, sender=stage.anyone)
    token.approve(sales.checkout, UNLIMITED, sender=sales.payer)
    with sales.moves(token, payer=-3 * most, payee=most, second=most, third=most):
        sales.pay(sales.quote(most, most, most, token=token))
    assert sales.total(token) == (1, 3 * most)


def test_a_payer_who_is_the_only_payee_is_refused(sales: Sales) -> None:
    quote = sales.quote(payouts=[(sales.payer.address, 5)])
    with sales.nothing_changes(), reverts("AmountMismatch", received=0, expected=5):
        sales.pay(quote)
