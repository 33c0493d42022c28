"""x402's unmodified client, server and facilitator with our contract: from the 402 answer to deposit, vouchers, claim,
settlement, refund and withdrawal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from x402.mechanisms.evm.batch_settlement import abi
from x402.mechanisms.evm.batch_settlement.client import RefundOptions
from x402.mechanisms.evm.batch_settlement.facilitator.utils import to_contract_channel_config

from tallystick.testing import start_anvil
from tests.x402.stand import CHANNELS, FUNDS, PAGE, PRICE, Buyer, Chain, Merchant, built, facilitator

DEPOSIT = 10 * PRICE
"""What x402's server asks its buyers to deposit unless it is told otherwise."""
OPENING = 2**96


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    """One for all tests of the module."""
    with start_anvil() as anvil:
        yield Chain(anvil)


@pytest.fixture(scope="module")
def facilitator_url(chain: Chain) -> Iterator[str]:
    """x402's facilitator."""
    with facilitator(chain) as url:
        yield url


@pytest.fixture
def merchant(chain: Chain, facilitator_url: str) -> Merchant:
    """Takes USDC, deposited by ERC-3009."""
    return Merchant(chain, facilitator_url, chain.usdc, "eip3009")


@pytest.fixture
def url(merchant: Merchant) -> Iterator[str]:
    """Of the page that the merchant sells."""
    with merchant.open() as url:
        yield url


def channel_of(merchant: Merchant) -> Any:
    """The one channel that the merchant's server knows."""
    (channel,) = merchant.scheme.get_storage().list()
    return channel


def test_the_contract_has_all_that_the_package_calls_and_reads() -> None:
    def shape(entries: list[dict[str, Any]]) -> list[Any]:
        return [(entry["type"], shape(entry.get("components", []))) for entry in entries]

    ours = {entry["name"]: entry for entry in built("Channels")[1] if entry["type"] in ("function", "event")}
    for entry in abi.BATCH_SETTLEMENT_ABI:
        found = ours[entry["name"]]
        assert shape(found["inputs"]) == shape(entry["inputs"]), entry["name"]
        assert shape(found.get("outputs", [])) == shape(entry.get("outputs", [])), entry["name"]
        assert found.get("stateMutability") == entry.get("stateMutability"), entry["name"]
        indexed = [part.get("indexed") for part in entry["inputs"]]
        assert [part.get("indexed") for part in found["inputs"]] == indexed or entry["type"] == "function"


def test_without_payment_the_answer_is_402(url: str) -> None:
    response = requests.get(url, timeout=60)
    assert response.status_code == 402
    assert "PAYMENT-REQUIRED" in response.headers


@pytest.mark.parametrize(("method", "number"), [("eip3009", 4), ("permit2", 5)])
def test_from_the_first_page_to_the_refund(chain: Chain, facilitator_url: str, method: str, number: int) -> None:
    token = chain.usdc if method == "eip3009" else chain.token
    merchant, buyer = Merchant(chain, facilitator_url, token, method), Buyer(chain, number)
    before = chain.balance(token, merchant.receiver)
    with merchant.open() as url:
        # The first page opens a channel, the next are paid by vouchers, the eleventh by more money.
        for page in range(1, 12):
            response = buyer.buy(url)
            assert (response.status_code, response.text) == (200, PAGE)
            assert chain.sums(channel_of(merchant).channel_id) == (DEPOSIT if page < 11 else 2 * DEPOSIT, 0)
        channel_id = channel_of(merchant).channel_id
        assert chain.balance(token, buyer.address) == FUNDS - 2 * DEPOSIT
        assert chain.balance(token, CHANNELS) >= 2 * DEPOSIT

        # The merchant claims and is paid.
        (claimed,) = merchant.manager.claim()
        assert claimed.vouchers == 1
        assert chain.sums(channel_id) == (2 * DEPOSIT, 11 * PRICE)
        merchant.manager.settle()
        assert chain.balance(token, merchant.receiver) - before == 11 * PRICE

        # One more page, and the buyer asks back what is left: the claim for that page comes with the refund.
        assert buyer.buy(url).status_code == 200
        refunded = buyer.scheme.refund(url)
        assert refunded.success
        assert refunded.amount == str(2 * DEPOSIT - 12 * PRICE)
        assert chain.balance(token, buyer.address) == FUNDS - 12 * PRICE
        assert chain.sums(channel_id) == (OPENING, OPENING)
        merchant.manager.settle()
        assert chain.balance(token, merchant.receiver) - before == 12 * PRICE

        # The same buyer comes back: the channel is opened again, and goes on from its sums.
        for _ in range(2):
            assert buyer.buy(url).text == PAGE
        assert channel_of(merchant).channel_id == channel_id
        assert chain.sums(channel_id) == (OPENING + DEPOSIT, OPENING)
        merchant.manager.claim_and_settle()
        assert chain.sums(channel_id) == (OPENING + DEPOSIT, OPENING + 2 * PRICE)
        assert chain.balance(token, merchant.receiver) - before == 14 * PRICE
    assert merchant.sold == 14


def test_a_page_that_costs_less_than_its_price(chain: Chain, facilitator_url: str) -> None:
    """The voucher says the price, and the merchant claims of it what it charged."""
    merchant, buyer = Merchant(chain, facilitator_url, chain.usdc, "eip3009", charged=PRICE // 4), Buyer(chain, 6)
    with merchant.open() as url:
        for _ in range(3):
            assert buyer.buy(url).status_code == 200
        merchant.manager.claim()
        assert chain.sums(channel_of(merchant).channel_id) == (DEPOSIT, 3 * (PRICE // 4))


def test_a_buyer_who_forgot_everything_goes_on_from_the_chain(chain: Chain, merchant: Merchant, url: str) -> None:
    buyer = Buyer(chain, 7)
    for _ in range(2):
        assert buyer.buy(url).status_code == 200
    merchant.manager.claim()
    buyer.forget()
    assert buyer.buy(url).status_code == 200
    assert chain.balance(chain.usdc, buyer.address) == FUNDS - DEPOSIT
    merchant.manager.claim()
    assert chain.sums(channel_of(merchant).channel_id) == (DEPOSIT, 3 * PRICE)


def test_a_part_given_back_leaves_the_channel_open(chain: Chain, merchant: Merchant, url: str) -> None:
    buyer = Buyer(chain, 8)
    assert buyer.buy(url).status_code == 200
    assert buyer.scheme.refund(url, RefundOptions(amount=str(PRICE))).amount == str(PRICE)
    channel_id = channel_of(merchant).channel_id
    assert chain.sums(channel_id) == (DEPOSIT - PRICE, PRICE)
    assert buyer.buy(url).status_code == 200
    assert chain.sums(channel_id) == (DEPOSIT - PRICE, PRICE)


def test_many_buyers_are_claimed_in_one_batch(chain: Chain, merchant: Merchant, url: str) -> None:
    buyers = [Buyer(chain, number) for number in (4, 5)]
    for buyer in buyers:
        assert buyer.buy(url).status_code == 200
    (claimed,) = merchant.manager.claim()
    assert claimed.vouchers == 2


def test_E52_the_merchant_sees_a_withdrawal_and_claims_before_it_is_paid_out(
    chain: Chain, merchant: Merchant, url: str
) -> None:
    buyer = Buyer(chain, 9)
    assert buyer.buy(url).status_code == 200
    channel = channel_of(merchant)
    terms = to_contract_channel_config(channel.channel_config)
    chain.send(buyer.key, CHANNELS, "Channels", "initiateWithdraw", terms, DEPOSIT)
    assert buyer.buy(url).status_code == 200
    (seen,) = merchant.manager.get_withdrawal_pending_sessions()
    assert seen.withdraw_requested_at > 0
    merchant.manager.claim()
    chain.anvil.advance(channel.channel_config.withdraw_delay)
    chain.send(buyer.key, CHANNELS, "Channels", "finalizeWithdraw", terms)
    assert chain.balance(chain.usdc, buyer.address) == FUNDS - 2 * PRICE
    assert chain.sums(channel.channel_id) == (OPENING, OPENING)
    # Its server goes on from what it remembers of the channel; a server that forgot it sells to the buyer again.
    buyer.forget()
    assert buyer.buy(url).status_code == 402
    merchant.scheme.get_storage().update_channel(channel.channel_id, lambda _: None)
    assert buyer.buy(url).status_code == 200
    assert chain.sums(channel.channel_id) == (OPENING + DEPOSIT, OPENING)
