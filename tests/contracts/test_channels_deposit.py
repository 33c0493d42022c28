"""deposit and fill: how the money of a channel comes, from whom, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ape.exceptions import ContractLogicError
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.contracts.channels import (
    ALLOWANCE,
    AMOUNT,
    AUTHORIZATION,
    COLLECTOR,
    MAX_DELAY,
    MIN_DELAY,
    OPENING,
    PERMIT,
    PERMIT2_WITNESS,
    Channel,
    Channels,
    Config,
)
from tests.contracts.hostile import play
from tests.contracts.stage import NOBODY, UNLIMITED, Contract, Stage, reverts, reverts_bare
from tests.tricks import Trick

LOCKED = keccak(text="ReentrancyGuardReentrantCall()")[:4]


# --- By allowance, of whoever calls ---


def test_the_first_deposit_opens_a_channel_and_the_next_adds_to_it(channels: Channels) -> None:
    config = channels.config()
    channel_id = channels.id(config)
    deposited = {"channelId": channel_id, "sender": channels.payer, "amount": AMOUNT, "newBalance": AMOUNT}
    with channels.moves(payer=-AMOUNT, contract=AMOUNT):
        receipt = channels.fund(config)
    opened = {"channelId": channel_id, "sender": channels.payer, "amount": AMOUNT}
    assert channels.events(receipt) == [("ChannelOpened", opened)]
    (told,) = [event.config for event in receipt.events if event.event_name == "ChannelOpened"]
    assert channels.same(told, config)
    with channels.moves(payer=-1, contract=1):
        receipt = channels.fund(config, 1)
    assert channels.events(receipt) == [("Deposited", deposited | {"amount": 1, "newBalance": AMOUNT + 1})]
    assert channels.state(config) == Channel(AMOUNT + 1)
    assert channels.sums(config) == (AMOUNT + 1, 0)


def test_anyone_adds_money_of_their_own(channels: Channels, token: Contract) -> None:
    config = channels.opened()
    token.mint(channels.anyone, AMOUNT, sender=channels.anyone)
    token.approve(channels.contract, AMOUNT, sender=channels.anyone)
    with channels.moves(anyone=-AMOUNT, contract=AMOUNT):
        channels.fund(config, sender=channels.anyone)
    assert channels.state(config) == Channel(2 * AMOUNT)


def test_nobody_adds_anybody_elses_by_allowance(channels: Channels) -> None:
    config = channels.config()
    with channels.nothing_changes(), reverts("AllowanceTooLow", found=0, needed=AMOUNT):
        channels.fund(config, sender=channels.anyone)


def test_says_what_is_missing(channels: Channels, token: Contract) -> None:
    config, balance = channels.config(), token.balanceOf(channels.payer)
    with channels.nothing_changes(), reverts("BalanceTooLow", found=balance, needed=balance + 1):
        channels.fund(config, balance + 1)


def test_E10_E11_by_a_permit_also_one_that_was_used(channels: Channels, token: Contract) -> None:
    config = channels.config()
    token.mint(channels.anyone, 2 * AMOUNT, sender=channels.anyone)
    permit = channels.permit(token, channels.anyone, value=2 * AMOUNT)
    for _ in range(2):
        with channels.moves(anyone=-AMOUNT, contract=AMOUNT):
            channels.contract.fill(config, AMOUNT, PERMIT, permit, sender=channels.anyone)
    with channels.nothing_changes(), reverts("AllowanceTooLow", found=0, needed=AMOUNT):
        channels.contract.fill(config, AMOUNT, PERMIT, permit, sender=channels.anyone)


# --- By the payer's signature ---


def test_by_an_authorization_whoever_sends_it(channels: Channels, usdc: Contract) -> None:
    config = channels.config(token=usdc)
    data = channels.authorization(config, AMOUNT)
    with channels.moves(usdc, payer=-AMOUNT, contract=AMOUNT):
        channels.contract.fill(config, AMOUNT, AUTHORIZATION, data, sender=channels.anyone)
    assert channels.state(config) == Channel(AMOUNT)
    with channels.nothing_changes(usdc), pytest.raises(ContractLogicError, match="authorization is used"):
        channels.contract.fill(config, AMOUNT, AUTHORIZATION, data, sender=channels.anyone)


@pytest.mark.parametrize("change", ["payer_authorizer", "receiver", "receiver_authorizer", "salt", "withdraw_delay"])
def test_E12_an_authorization_is_for_one_channel(channels: Channels, usdc: Contract, change: str) -> None:
    config = channels.config(token=usdc)
    data = channels.authorization(config, AMOUNT)
    other: Any = {"salt": bytes(32), "withdraw_delay": MIN_DELAY}.get(change, channels.anyone.address)
    with channels.nothing_changes(usdc), pytest.raises(ContractLogicError, match="invalid signature"):
        channels.contract.fill(config._replace(**{change: other}), AMOUNT, AUTHORIZATION, data, sender=channels.anyone)
    with channels.nothing_changes(usdc), pytest.raises(ContractLogicError, match="invalid signature"):
        channels.contract.fill(config, AMOUNT + 1, AUTHORIZATION, data, sender=channels.anyone)


def test_an_authorization_of_a_contract_account(channels: Channels, usdc: Contract, project: Any) -> None:
    wallet = project.MockWallet.deploy(sender=channels.anyone)
    wallet.setSigner(channels.payers[1], sender=channels.anyone)
    usdc.mint(wallet, AMOUNT, sender=channels.anyone)
    config = channels.config(token=usdc, payer=wallet)
    data = channels.authorization(config, AMOUNT, key=channels.payers[1])
    with channels.moves(usdc, contract=AMOUNT):
        channels.contract.fill(config, AMOUNT, AUTHORIZATION, data, sender=channels.anyone)
    longer = channels.authorization(config, AMOUNT, key=channels.payers[1], salt=8) + b"\x00"  # bytes of another length
    with channels.nothing_changes(usdc), pytest.raises(ContractLogicError, match="invalid signature"):
        channels.contract.fill(config, AMOUNT, AUTHORIZATION, longer, sender=channels.anyone)


@pytest.mark.parametrize("size", [0, 4, 36])
def test_an_authorization_that_is_cut_off(channels: Channels, usdc: Contract, size: int) -> None:
    config = channels.config(token=usdc)
    data = channels.authorization(config, AMOUNT)[:size]
    with channels.nothing_changes(usdc), pytest.raises(ContractLogicError):
        channels.contract.fill(config, AMOUNT, AUTHORIZATION, data, sender=channels.anyone)


def test_by_permit2(channels: Channels, token: Contract, permit2: Contract) -> None:
    config = channels.config()
    token.approve(permit2, UNLIMITED, sender=channels.payer)
    data = channels.permit2_transfer(config, AMOUNT)
    with channels.moves(payer=-AMOUNT, contract=AMOUNT):
        channels.contract.fill(config, AMOUNT, PERMIT2_WITNESS, data, sender=channels.anyone)
    with channels.nothing_changes(), pytest.raises(ContractLogicError):
        channels.contract.fill(config, AMOUNT, PERMIT2_WITNESS, data, sender=channels.anyone)
    other = channels.config()
    data = channels.permit2_transfer(config, AMOUNT, nonce=1)
    with channels.nothing_changes(), pytest.raises(ContractLogicError):
        channels.contract.fill(other, AMOUNT, PERMIT2_WITNESS, data, sender=channels.anyone)


def test_E10_by_permit2_which_a_permit_lets_in(channels: Channels, token: Contract, permit2: Contract) -> None:
    config = channels.config()
    token.approve(permit2, 0, sender=channels.payer)
    permit = channels.permit(token, channels.payer, spender=permit2.address)
    for nonce in range(2):  # the second time, the permit was used
        data = channels.permit2_transfer(config, AMOUNT, nonce=nonce, permit=permit)
        channels.contract.fill(config, AMOUNT, PERMIT2_WITNESS, data, sender=channels.anyone)
    assert channels.state(config) == Channel(2 * AMOUNT)


# --- By collectors ---


def test_a_collector_brings_money_of_its_own(channels: Channels, project: Any, token: Contract) -> None:
    config = channels.config()
    collector = project.MockCollector.deploy(sender=channels.anyone)
    token.mint(collector, AMOUNT, sender=channels.anyone)
    call = channels.contract.fill.encode_input(config, AMOUNT, COLLECTOR, b"")
    with channels.moves(contract=AMOUNT):
        collector.execute(channels.contract, call, sender=channels.anyone)
    assert (bytes(collector.paymentId()), collector.payer()) == (channels.id(config), config.payer)
    assert channels.state(config) == Channel(AMOUNT)


def test_x402s_deposit_asks_the_collector_that_is_named(channels: Channels, deposit_collector: Contract) -> None:
    config = channels.config()
    with channels.moves(contract=AMOUNT):
        receipt = channels.contract.deposit(config, AMOUNT, deposit_collector, b"", sender=channels.anyone)
    deposited = {"channelId": channels.id(config), "sender": channels.anyone, "amount": AMOUNT, "newBalance": AMOUNT}
    assert channels.events(receipt) == [
        ("ChannelCreated", {"channelId": channels.id(config)}),
        ("Deposited", deposited),
    ]
    assert bytes(deposit_collector.channelId()) == channels.id(config)
    assert deposit_collector.payer() == config.payer
    assert channels.state(config) == Channel(AMOUNT)


@pytest.mark.parametrize("short_by", [1, AMOUNT])
def test_E02_one_that_brings_too_little_brings_nothing(
    channels: Channels, deposit_collector: Contract, short_by: int
) -> None:
    config = channels.config()
    deposit_collector.setShortBy(short_by, sender=channels.anyone)
    with channels.nothing_changes(), reverts("AmountMismatch", received=AMOUNT - short_by, expected=AMOUNT):
        channels.contract.deposit(config, AMOUNT, deposit_collector, b"", sender=channels.anyone)


def test_a_collector_is_a_contract(channels: Channels) -> None:
    config = channels.config()
    for collector in (NOBODY, channels.anyone.address):
        with channels.nothing_changes(), reverts("NotAContract", account=collector):
            channels.contract.deposit(config, AMOUNT, collector, b"", sender=channels.payer)


@pytest.mark.parametrize("verb", ["fill", "deposit", "claimRows", "settle", "refund", "multicall"])
def test_E03_a_collector_comes_in_nowhere(channels: Channels, deposit_collector: Contract, verb: str) -> None:
    config, contract = channels.config(receiver=deposit_collector), channels.contract
    call = contract.fill.encode_input(config, AMOUNT, ALLOWANCE, b"")
    calls = {
        "fill": call,
        "deposit": contract.deposit.encode_input(config, AMOUNT, deposit_collector, b""),
        "claimRows": contract.claimRows.encode_input(deposit_collector, channels.authorizer, config.token, 900, b""),
        "settle": contract.settle.encode_input(deposit_collector, config.token),
        "refund": contract.refund.encode_input(config, AMOUNT),
        "multicall": contract.multicall.encode_input([call]),
    }
    detour = encode(["address", "bytes"], [contract.address, bytes(calls[verb])])
    contract.deposit(config, AMOUNT, deposit_collector, detour, sender=channels.anyone)
    assert not deposit_collector.detourSucceeded()
    assert bytes(deposit_collector.detourAnswer()) == LOCKED
    assert channels.state(config) == Channel(AMOUNT)


@pytest.fixture
def collectors(channels: Channels, project: Any) -> tuple[Contract, Contract]:
    """By ERC-3009, by Permit2."""
    of = channels.contract
    by_authorization = project.AuthorizationCollector.deploy(of, sender=channels.anyone)
    by_permit2 = project.Permit2Collector.deploy(of, sender=channels.anyone)
    assert by_authorization.channels() == by_permit2.channels() == of.address
    return by_authorization, by_permit2


def test_x402s_collector_by_erc3009(channels: Channels, usdc: Contract, collectors: tuple[Contract, Contract]) -> None:
    config, (collector, _) = channels.config(token=usdc), collectors
    data = channels.authorization(config, AMOUNT, to=collector.address)
    with channels.moves(usdc, payer=-AMOUNT, contract=AMOUNT):
        channels.contract.deposit(config, AMOUNT, collector, data, sender=channels.anyone)
    assert usdc.balanceOf(collector) == 0
    with channels.nothing_changes(usdc), pytest.raises(ContractLogicError, match="authorization is used"):
        channels.contract.deposit(config, AMOUNT, collector, data, sender=channels.anyone)
    data = channels.authorization(config, AMOUNT, to=collector.address, salt=8)
    other = config._replace(receiver=channels.anyone.address)
    with channels.nothing_changes(usdc), pytest.raises(ContractLogicError, match="invalid signature"):
        channels.contract.deposit(other, AMOUNT, collector, data, sender=channels.anyone)


def test_x402s_collector_by_permit2(
    channels: Channels, token: Contract, permit2: Contract, collectors: tuple[Contract, Contract]
) -> None:
    config, (_, collector) = channels.config(), collectors
    token.approve(permit2, 0, sender=channels.payer)
    permit = channels.permit(token, channels.payer, spender=permit2.address)
    data = channels.permit2_transfer(config, AMOUNT, spender=collector.address, permit=permit)
    with channels.moves(payer=-AMOUNT, contract=AMOUNT):
        channels.contract.deposit(config, AMOUNT, collector, data, sender=channels.anyone)
    data = channels.permit2_transfer(config, AMOUNT, spender=collector.address, nonce=1)
    other = config._replace(receiver=channels.anyone.address)
    with channels.nothing_changes(), pytest.raises(ContractLogicError):
        channels.contract.deposit(other, AMOUNT, collector, data, sender=channels.anyone)


def test_nobody_else_has_collectors_bring_them_the_money(
    channels: Channels, usdc: Contract, collectors: tuple[Contract, Contract]
) -> None:
    config = channels.config(token=usdc)
    for collector, data in (
        (collectors[0], channels.authorization(config, AMOUNT, to=collectors[0].address)),
        (collectors[1], channels.permit2_transfer(config, AMOUNT, spender=collectors[1].address)),
    ):
        with channels.nothing_changes(usdc), reverts("NotAuthorized", caller=channels.anyone):
            collector.collect(config.payer, usdc, AMOUNT, channels.id(config), data, sender=channels.anyone)


# --- What is refused ---


@pytest.mark.parametrize("field", ["payer", "receiver", "receiver_authorizer"])
def test_refuses_nobody(channels: Channels, field: str) -> None:
    with channels.nothing_changes(), reverts("ZeroAddress"):
        channels.fund(channels.config(**{field: NOBODY}))


@pytest.mark.parametrize("field", ["payer", "receiver"])
def test_refuses_itself_as_a_party(channels: Channels, field: str) -> None:
    with channels.nothing_changes(), reverts("PartyRefused", party=channels.contract):
        channels.fund(channels.config(**{field: channels.contract}))


def test_E01_refuses_a_token_that_is_no_contract(channels: Channels) -> None:
    for token in (NOBODY, channels.anyone.address):
        with channels.nothing_changes(), reverts("NotAContract", account=token):
            channels.fund(channels.config(token=token))


def test_E32_refuses_nothing(channels: Channels) -> None:
    with channels.nothing_changes(), reverts("ZeroAmount"):
        channels.fund(channels.config(), 0)


@pytest.mark.parametrize("delay", [0, MIN_DELAY - 1, MAX_DELAY + 1, 2**40 - 1])
def test_E28_refuses_delays_that_no_receiver_or_payer_could_live_with(channels: Channels, delay: int) -> None:
    with channels.nothing_changes(), reverts("WithdrawDelayOutOfRange", found=delay, least=MIN_DELAY, most=MAX_DELAY):
        channels.fund(channels.config(withdraw_delay=delay))


@pytest.mark.parametrize("delay", [MIN_DELAY, MAX_DELAY])
def test_takes_delays_at_their_bounds(channels: Channels, delay: int) -> None:
    assert channels.state(channels.opened(withdraw_delay=delay)) == Channel(AMOUNT)


def test_refuses_more_than_a_channel_takes(channels: Channels, token: Contract) -> None:
    token.mint(channels.payer, 2 * OPENING, sender=channels.payer)
    config = channels.opened(1)
    for amount in (OPENING - 1, 2**128 - 1):
        with channels.nothing_changes(), reverts("DepositTooHigh", amount=amount, most=OPENING - 2):
            channels.fund(config, amount)
    channels.fund(config, OPENING - 2)
    assert channels.state(config) == Channel(OPENING - 1)
    with channels.nothing_changes(), reverts("DepositTooHigh", amount=1, most=0):
        channels.fund(config, 1)


# --- Tokens ---


def hostile_config(channels: Channels, hostile: Contract) -> Config:
    hostile.approve(channels.contract, UNLIMITED, sender=channels.payer)
    return channels.config(token=hostile)


@pytest.mark.parametrize("trick", [Trick.RETURN_FALSE, Trick.RETURN_TWO, Trick.REFUSE, Trick.RETURN_ONE_BYTE])
def test_E01_a_token_that_refuses(channels: Channels, hostile: Contract, trick: Trick) -> None:
    config = hostile_config(channels, hostile)
    play(hostile, "transferFrom", trick)
    with channels.nothing_changes(hostile), reverts("TokenRefused", token=hostile):
        channels.fund(config)


@pytest.mark.parametrize("trick", [Trick.RETURN_TRUE, Trick.RETURN_NOTHING])
def test_E02_a_token_that_moves_nothing(channels: Channels, hostile: Contract, trick: Trick) -> None:
    config = hostile_config(channels, hostile)
    play(hostile, "transferFrom", trick)
    with channels.nothing_changes(hostile), reverts("AmountMismatch", received=0, expected=AMOUNT):
        channels.fund(config)


def test_E02_a_token_that_takes_a_fee(channels: Channels, usdt: Contract, stage: Stage) -> None:
    usdt.approve(channels.contract, UNLIMITED, sender=channels.payer)
    config = channels.config(token=usdt)
    channels.fund(config)
    usdt.setParams(10, AMOUNT, sender=stage.anyone)
    with channels.nothing_changes(usdt), reverts("AmountMismatch", received=AMOUNT - AMOUNT // 1_000, expected=AMOUNT):
        channels.fund(config)


def test_E05_a_token_that_is_paused(channels: Channels, usdc: Contract) -> None:
    config = channels.config(token=usdc)
    data = channels.authorization(config, AMOUNT)
    usdc.pause(sender=channels.anyone)
    with channels.nothing_changes(usdc), pytest.raises(ContractLogicError, match="paused"):
        channels.contract.fill(config, AMOUNT, AUTHORIZATION, data, sender=channels.anyone)
    with channels.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        channels.fund(config)


def test_calldata_that_is_no_address_opens_nothing(channels: Channels) -> None:
    config = channels.config()
    call = bytearray(channels.contract.fill.encode_input(config, AMOUNT, ALLOWANCE, b""))
    call[4 + 32] = 1  # above the authorizer's address
    with channels.nothing_changes(), reverts_bare():
        channels.payer.transfer(channels.contract, 0, data=bytes(call))
