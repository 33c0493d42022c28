"""sweep: what stands on deposit addresses, to the receiver they were made of, by anyone."""

from __future__ import annotations

from typing import Any

import pytest
from ape.exceptions import CustomError
from eth_utils.crypto import keccak

from tests.contracts.checkouts import COIN, EMPTY, REFUSED, Sales, not_swept, swept
from tests.contracts.hostile import REFUSALS, play
from tests.contracts.payments import AMOUNT, NO_HASH
from tests.contracts.stage import NOBODY, UNLIMITED, Contract, Stage, reverts
from tests.tricks import UNREADABLE, Trick

FIRST, OTHER, THIRD = (keccak(text=f"invoice {name}") for name in ("first", "other", "third"))


def send(sales: Sales, token: Contract, invoice: bytes, amount: int = AMOUNT) -> str:
    """The payer sends money to an invoice's address, as an exchange would."""
    place = sales.deposit(invoice)
    token.transfer(place, amount, sender=sales.payer)
    return place


def send_coins(sales: Sales, place: str, wei: int) -> None:
    sales.payer.transfer(place, wei)


def test_the_address_is_known_before_anything_is_there(sales: Sales, stage: Stage) -> None:
    for receiver in (sales.merchant, sales.payee):
        for invoice in (FIRST, OTHER, NO_HASH):
            place = sales.checkout.depositAddress(receiver, invoice)
            assert place == sales.deposit(invoice, receiver)
            assert stage.rpc("eth_getCode", place, "latest") == "0x"


def test_all_that_is_there_goes_to_the_receiver(sales: Sales, token: Contract, stage: Stage) -> None:
    place = send(sales, token, FIRST)
    with sales.moves(merchant=AMOUNT):
        receipt = sales.sweep(FIRST)
    assert sales.events(receipt) == [swept(sales.merchant, FIRST, token, AMOUNT)]
    assert token.balanceOf(place) == 0
    assert stage.rpc("eth_getCode", place, "latest") == "0x"
    assert stage.rpc("eth_getTransactionCount", place, "latest") == "0x0"


def test_as_often_as_something_comes(sales: Sales, token: Contract) -> None:
    """Paid twice, and late."""
    for amount in (AMOUNT, AMOUNT, 1):
        send(sales, token, FIRST, amount)
        with sales.moves(merchant=amount):
            sales.sweep(FIRST)


def test_what_came_in_several_transfers_goes_in_one(sales: Sales, token: Contract) -> None:
    for amount in (1, 2, 3):
        send(sales, token, FIRST, amount)
    with sales.moves(merchant=6):
        sales.sweep(FIRST)


def test_any_token(sales: Sales, token: Contract, usdc: Contract, usdt: Contract) -> None:
    """Also another than was expected, one that returns nothing, and several one after the other."""
    for other in (token, usdc, usdt):
        send(sales, other, FIRST)
    for other in (usdt, token, usdc):
        with sales.moves(other, merchant=AMOUNT):
            sales.sweep(FIRST, token=other)


def test_a_batch_of_which_some_are_empty(sales: Sales, token: Contract) -> None:
    send(sales, token, FIRST, 5)
    send(sales, token, THIRD, 7)
    with sales.moves(merchant=12):
        receipt = sales.sweep(FIRST, OTHER, THIRD)
    assert sales.events(receipt) == [
        swept(sales.merchant, FIRST, token, 5),
        not_swept(sales.merchant, OTHER, token, EMPTY),
        swept(sales.merchant, THIRD, token, 7),
    ]


def test_E23_the_same_address_twice_in_a_batch(sales: Sales, token: Contract) -> None:
    send(sales, token, FIRST)
    with sales.moves(merchant=AMOUNT):
        receipt = sales.sweep(FIRST, FIRST)
    assert sales.events(receipt)[1:] == [not_swept(sales.merchant, FIRST, token, EMPTY)]


def test_no_address_at_all(sales: Sales) -> None:
    with sales.nothing_changes():
        assert sales.events(sales.sweep()) == []


def test_nobody_else_receives_it(sales: Sales, token: Contract) -> None:
    """Whatever receiver and invoice a stranger names, it is another address."""
    place = send(sales, token, FIRST)
    for receiver in (sales.anyone, sales.payee, sales.payer):
        assert sales.checkout.depositAddress(receiver, FIRST) != place
        receipt = sales.sweep(FIRST, OTHER, receiver=receiver)
        assert [values["reason"] for _, values in sales.events(receipt)] == [EMPTY, EMPTY]
    assert token.balanceOf(place) == AMOUNT


def test_another_factory_has_no_say_there(sales: Sales, token: Contract, project: Any, stage: Stage) -> None:
    """The same contract elsewhere has other addresses, for the same receiver and invoice."""
    place = send(sales, token, FIRST)
    other = project.Checkout.deploy(sender=stage.anyone)
    assert other.depositAddress(sales.merchant, FIRST) != place
    other.sweep(sales.merchant, token, [FIRST], sender=sales.anyone)
    assert token.balanceOf(place) == AMOUNT


def test_refuses_receivers_that_cannot_be(sales: Sales, token: Contract) -> None:
    with sales.nothing_changes(), reverts("ZeroAddress"):
        sales.checkout.sweep(NOBODY, token, [FIRST], sender=sales.anyone)
    with sales.nothing_changes(), reverts("PartyRefused", party=sales.checkout):
        sales.checkout.sweep(sales.checkout, token, [FIRST], sender=sales.anyone)


# --- The chain's own currency ---


def test_coins_that_were_sent_by_mistake(sales: Sales) -> None:
    send_coins(sales, sales.deposit(FIRST), 10**15)
    before = sales.merchant.balance
    receipt = sales.sweep(FIRST, OTHER, token=COIN)
    assert sales.merchant.balance - before == 10**15
    assert sales.events(receipt) == [
        swept(sales.merchant, FIRST, COIN, 10**15),
        not_swept(sales.merchant, OTHER, COIN, EMPTY),
    ]


def test_coins_come_along_with_a_token(sales: Sales, token: Contract) -> None:
    send_coins(sales, send(sales, token, FIRST), 3)
    send(sales, token, OTHER, 7)
    before = sales.merchant.balance
    receipt = sales.sweep(FIRST, OTHER)
    assert sales.merchant.balance - before == 3
    assert sales.events(receipt) == [
        swept(sales.merchant, FIRST, COIN, 3),
        swept(sales.merchant, FIRST, token, AMOUNT),
        swept(sales.merchant, OTHER, token, 7),
    ]


def test_tokens_stay_when_coins_alone_are_swept(sales: Sales, token: Contract) -> None:
    place = send(sales, token, FIRST)
    send_coins(sales, place, 3)
    with sales.nothing_changes():
        sales.sweep(FIRST, token=COIN)
    assert token.balanceOf(place) == AMOUNT
    with sales.moves(merchant=AMOUNT):
        sales.sweep(FIRST)


def test_coins_to_a_receiver_that_takes_none(sales: Sales, project: Any, stage: Stage) -> None:
    """It cannot refuse: nothing of it is called."""
    silent = project.MockToken.deploy("No", "COINS", 0, sender=stage.anyone)
    send_coins(sales, sales.deposit(FIRST, silent), 5)
    sales.sweep(FIRST, token=COIN, receiver=silent)
    assert silent.balance == 5


@pytest.mark.parametrize("who", ["anyone", "merchant", "payer"])
def test_nobody_else_says_that_coins_came(sales: Sales, who: str) -> None:
    sender = getattr(sales, who)
    with sales.nothing_changes(), reverts("NotAuthorized", caller=sender):
        sales.checkout.noteCoins(5, sender=sender)


# --- Tokens that misbehave ---


@pytest.mark.parametrize("trick", REFUSALS)
def test_E01_E06_what_the_token_refuses_stays(sales: Sales, hostile: Contract, trick: Trick) -> None:
    place = send(sales, hostile, FIRST)
    play(hostile, "transfer", trick)
    with sales.nothing_changes(hostile):
        receipt = sales.sweep(FIRST, OTHER, token=hostile)
    assert sales.events(receipt) == [
        not_swept(sales.merchant, FIRST, hostile, REFUSED),
        not_swept(sales.merchant, OTHER, hostile, EMPTY),
    ]
    play(hostile, "transfer", Trick.NONE)
    assert hostile.balanceOf(place) == AMOUNT
    with sales.moves(hostile, merchant=AMOUNT):
        sales.sweep(FIRST, token=hostile)


def test_E07_an_address_that_the_token_blocks_stops_no_other(sales: Sales, usdc: Contract, stage: Stage) -> None:
    place = send(sales, usdc, FIRST)
    send(sales, usdc, OTHER, 7)
    usdc.blacklist(place, sender=stage.anyone)
    with sales.moves(usdc, merchant=7):
        receipt = sales.sweep(FIRST, OTHER, token=usdc)
    assert sales.events(receipt)[0] == not_swept(sales.merchant, FIRST, usdc, REFUSED)


def test_E07_a_receiver_that_the_token_blocks(sales: Sales, usdc: Contract, stage: Stage) -> None:
    """It stays where it is: nobody else's it can become."""
    place = send(sales, usdc, FIRST)
    usdc.blacklist(sales.merchant, sender=stage.anyone)
    with sales.nothing_changes(usdc):
        receipt = sales.sweep(FIRST, token=usdc)
    assert sales.events(receipt) == [not_swept(sales.merchant, FIRST, usdc, REFUSED)]
    assert usdc.balanceOf(place) == AMOUNT


@pytest.mark.parametrize("trick", UNREADABLE)
def test_E01_a_token_that_does_not_say_what_the_receiver_has(sales: Sales, hostile: Contract, trick: Trick) -> None:
    send(sales, hostile, FIRST)
    play(hostile, "balanceOf", trick)
    with sales.nothing_changes(hostile), reverts("TokenRefused", token=hostile):
        sales.sweep(FIRST, token=hostile)


def test_E02_a_fee_on_transfer_is_told(sales: Sales, usdt: Contract, stage: Stage) -> None:
    send(sales, usdt, FIRST, 600)
    send(sales, usdt, OTHER, 400)
    usdt.setParams(1_000, UNLIMITED, sender=stage.anyone)
    before = usdt.balanceOf(sales.merchant)
    receipt = sales.sweep(FIRST, OTHER, token=usdt)
    assert usdt.balanceOf(sales.merchant) - before == 900
    told = {"receiver": sales.merchant.address, "token": usdt.address, "received": 900, "swept": 1_000}
    assert sales.events(receipt) == [
        swept(sales.merchant, FIRST, usdt, 600),
        swept(sales.merchant, OTHER, usdt, 400),
        ("ReceivedOtherwise", told),
    ]


def test_E01_a_token_that_moves_nothing_is_told(sales: Sales, hostile: Contract) -> None:
    send(sales, hostile, FIRST)
    play(hostile, "transfer", Trick.RETURN_TRUE)
    receipt = sales.sweep(FIRST, token=hostile)
    told = {"receiver": sales.merchant.address, "token": hostile.address, "received": 0, "swept": AMOUNT}
    assert sales.events(receipt)[1:] == [("ReceivedOtherwise", told)]


def test_E03_a_token_that_calls_the_receiver_lets_nobody_in(
    sales: Sales, hooked: Contract, project: Any, stage: Stage
) -> None:
    wallet = project.MockCollector.deploy(sender=stage.anyone)  # knows no hooks: the transfer to it reverts
    place = sales.deposit(FIRST, wallet)
    hooked.transfer(place, AMOUNT, sender=sales.payer)
    receipt = sales.sweep(FIRST, token=hooked, receiver=wallet)
    assert sales.events(receipt) == [not_swept(wallet, FIRST, hooked, REFUSED)]
    hooked.spare(wallet, sender=stage.anyone)
    sales.sweep(FIRST, token=hooked, receiver=wallet)
    assert hooked.balanceOf(wallet) == AMOUNT


# --- One transaction ---


def test_a_receiver_once_in_a_transaction(
    sales: Sales, token: Contract, usdc: Contract, project: Any, stage: Stage
) -> None:
    """What was emptied there is gone only when the transaction ends: a second time would find the address taken."""
    for asset in (token, usdc):
        send(sales, asset, FIRST)
    batch = project.CallTwice.deploy(sender=stage.anyone)
    calls = [sales.checkout.sweep.encode_input(sales.merchant, asset, [FIRST]) for asset in (token, usdc)]
    batch.run(sales.checkout, calls[0], calls[1], sender=sales.anyone)
    assert (batch.firstSucceeded(), batch.secondSucceeded()) == (True, False)
    assert bytes(batch.answer()) == keccak(text="SweptBefore(address)")[:4] + bytes(12) + bytes.fromhex(
        sales.merchant.address[2:]
    )
    with sales.moves(usdc, merchant=AMOUNT):
        sales.sweep(FIRST, token=usdc)


def test_two_receivers_in_a_transaction(sales: Sales, token: Contract, project: Any, stage: Stage) -> None:
    batch = project.CallTwice.deploy(sender=stage.anyone)
    for receiver in (sales.merchant, sales.payee):
        token.transfer(sales.deposit(FIRST, receiver), AMOUNT, sender=sales.payer)
    calls = [sales.checkout.sweep.encode_input(receiver, token, [FIRST]) for receiver in (sales.merchant, sales.payee)]
    with sales.moves(merchant=AMOUNT, payee=AMOUNT):
        batch.run(sales.checkout, calls[0], calls[1], sender=sales.anyone)


# --- Gas ---


@pytest.mark.parametrize("gas", [120_000, 400_000, 620_000])
def test_E06_too_little_gas_reverts_and_fakes_no_refusal(sales: Sales, token: Contract, gas: int) -> None:
    send(sales, token, FIRST)
    with sales.nothing_changes(), pytest.raises(CustomError) as caught:
        sales.checkout.sweep(sales.merchant, token, [FIRST], sender=sales.anyone, gas_limit=gas)
    assert type(caught.value).__name__ == "InsufficientGas"
    with sales.moves(merchant=AMOUNT):
        sales.checkout.sweep(sales.merchant, token, [FIRST], sender=sales.anyone, gas_limit=750_000)
