"""Permit2's allowances through the library, against Permit2's own code."""

from __future__ import annotations

from typing import Any

import pytest
from ape.exceptions import ProviderError
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.contracts.hostile import REFUSALS, play
from tests.contracts.permit2 import FOREVER, PERMIT2, UNLIMITED_160, Permit, permit_data, place_permit2
from tests.contracts.signing import signed
from tests.contracts.stage import FUNDS, PRICE, UNLIMITED, Account, Contract, Stage
from tests.tricks import Trick

TOKEN_GAS = 250_000
"""What a token may use, through Permit2 as without it."""


@pytest.fixture(scope="session")
def harness(stage: Stage, project: Any, permit2: Contract) -> Contract:
    """The library's functions; it is the spender of every allowance."""
    assert permit2
    return project.Permit2Harness.deploy(sender=stage.anyone)


@pytest.fixture
def owner(permit2: Contract, token: Contract, payer: Account) -> Account:
    """A payer who lets Permit2 move the token, and so far nobody through it."""
    token.approve(permit2, UNLIMITED, sender=payer)
    return payer


def allow(permit2: Contract, owner: Account, token: Contract, harness: Contract, amount: int = UNLIMITED_160) -> None:
    """Both allowances: the token's to Permit2, and Permit2's to the harness."""
    token.approve(permit2, UNLIMITED, sender=owner)
    permit2.approve(token, harness, amount, FOREVER, sender=owner)


def moved(harness: Contract, token: Any, owner: Any, stage: Stage, amount: int = PRICE) -> bool:
    """What a transfer to the merchant says, after comparing that with what it did."""
    receiver = stage.merchant
    balance = token.balanceOf(receiver) if hasattr(token, "balanceOf") else 0
    receipt = harness.tryTransferFrom(token, owner, receiver, amount, sender=stage.anyone)
    (event,) = receipt.decode_logs(harness.Outcome)
    if hasattr(token, "balanceOf"):
        assert token.balanceOf(receiver) == balance + (amount if event.ok else 0)
    return bool(event.ok)


# --- Permit2 ---


def test_what_is_at_permit2s_address_is_permit2_of_this_chain(
    stage: Stage, permit2: Contract, harness: Contract
) -> None:
    types = ["bytes32", "bytes32", "uint256", "address"]
    domain = keccak(text="EIP712Domain(string name,uint256 chainId,address verifyingContract)")
    expected = keccak(encode(types, [domain, keccak(text="Permit2"), 31_337, PERMIT2]))
    assert bytes(permit2.DOMAIN_SEPARATOR()) == expected
    assert harness.permit2() == PERMIT2
    height = stage.chain.blocks.height
    place_permit2(stage.rpc)
    assert stage.chain.blocks.height == height  # it is there, so nothing is sent


# --- Transfers ---


def test_a_transfer_uses_up_the_allowance(
    stage: Stage, permit2: Contract, harness: Contract, token: Contract, owner: Account
) -> None:
    allow(permit2, owner, token, harness, 2 * PRICE - 1)
    assert moved(harness, token, owner, stage)
    assert tuple(harness.tryAllowance(token, owner, harness)) == (True, PRICE - 1)
    assert not moved(harness, token, owner, stage)
    assert moved(harness, token, owner, stage, PRICE - 1)
    assert tuple(harness.tryAllowance(token, owner, harness)) == (True, 0)


def test_an_unlimited_allowance_is_not_used_up(
    stage: Stage, permit2: Contract, harness: Contract, token: Contract, owner: Account
) -> None:
    allow(permit2, owner, token, harness)
    assert moved(harness, token, owner, stage)
    assert tuple(harness.tryAllowance(token, owner, harness)) == (True, UNLIMITED_160)


def test_a_transfer_needs_both_allowances_and_the_funds(
    stage: Stage, permit2: Contract, harness: Contract, token: Contract, owner: Account
) -> None:
    assert not moved(harness, token, owner, stage)  # none in Permit2
    permit2.approve(token, stage.anyone, UNLIMITED_160, FOREVER, sender=owner)
    assert not moved(harness, token, owner, stage)  # somebody else's
    allow(permit2, owner, token, harness)
    assert not moved(harness, token, owner, stage, FUNDS + 1)
    token.approve(permit2, PRICE - 1, sender=owner)
    assert not moved(harness, token, owner, stage)  # too little in the token
    assert tuple(harness.tryAllowance(token, owner, harness)) == (True, UNLIMITED_160)
    token.approve(permit2, PRICE, sender=owner)
    assert moved(harness, token, owner, stage)


def test_an_amount_above_160_bits_does_not_move(
    stage: Stage, permit2: Contract, harness: Contract, hostile: Contract, payer: Account
) -> None:
    allow(permit2, payer, hostile, harness)
    hostile.mint(payer, 2**160 + PRICE - FUNDS, sender=payer)
    for amount in (2**160, 2**160 + PRICE, UNLIMITED):  # cut to 160 bits, the first two could be paid
        assert not moved(harness, hostile, payer, stage, amount)
    assert moved(harness, hostile, payer, stage, UNLIMITED_160)


def test_E20_an_allowance_is_good_until_and_with_its_last_second(
    stage: Stage, permit2: Contract, harness: Contract, token: Contract, owner: Account
) -> None:
    last = stage.now + 1_000
    permit2.approve(token, harness, 10 * PRICE, last, sender=owner)
    for second, good in [(last - 1, True), (last, True), (last + 1, False)]:
        stage.at(second)
        assert moved(harness, token, owner, stage) is good
        expected = 10 * PRICE - PRICE * (second - last + 2) if good else 0
        block = stage.chain.blocks.head.number
        assert tuple(harness.tryAllowance(token, owner, harness, block_id=block)) == (True, expected)


# --- Tokens ---


def test_E01_a_token_without_code_moves_nothing(
    stage: Stage, permit2: Contract, harness: Contract, payer: Account
) -> None:
    permit2.approve(stage.anyone, harness, UNLIMITED_160, FOREVER, sender=payer)
    assert not moved(harness, stage.anyone, payer, stage)


def test_E01_a_token_that_returns_nothing_moves(
    stage: Stage, permit2: Contract, harness: Contract, usdt: Contract, payer: Account
) -> None:
    usdt.approve(permit2, UNLIMITED, sender=payer)
    permit2.approve(usdt, harness, UNLIMITED_160, FOREVER, sender=payer)
    assert moved(harness, usdt, payer, stage)


@pytest.mark.parametrize("trick", [*REFUSALS, Trick.MOVE_AND_DENY])
def test_E01_E06_what_is_not_success_is_undone(
    stage: Stage, permit2: Contract, harness: Contract, hostile: Contract, payer: Account, trick: Trick
) -> None:
    allow(permit2, payer, hostile, harness, PRICE)
    play(hostile, "transferFrom", trick)
    assert not moved(harness, hostile, payer, stage)
    assert tuple(harness.tryAllowance(hostile, payer, harness)) == (True, PRICE)  # nothing is used up


# --- Gas ---


def request(harness: Contract, data: bytes, gas: int) -> dict[str, str]:
    return {"to": harness.address, "data": "0x" + bytes(data).hex(), "gas": hex(gas)}


def answer(stage: Stage, harness: Contract, data: bytes, gas: int) -> str:
    """What a call with so much gas returns; nothing where it reverts."""
    try:
        return str(stage.rpc("eth_call", request(harness, data, gas), "latest"))
    except ProviderError:
        return ""


def test_E06_a_token_gets_its_gas_through_permit2_and_no_more_than_is_bounded(
    stage: Stage, permit2: Contract, harness: Contract, hostile: Contract, payer: Account
) -> None:
    allow(permit2, payer, hostile, harness, PRICE)
    play(hostile, "transferFrom", Trick.BURN_GAS)
    receipt = harness.tryTransferFrom(hostile, payer, stage.merchant, PRICE, sender=stage.anyone)
    (event,) = receipt.decode_logs(harness.Outcome)
    assert not event.ok
    assert harness.gasLimit() <= event.gasUsed < harness.gasLimit() + 10_000
    outer = stage.rpc("debug_traceTransaction", receipt.txn_hash, {"tracer": "callTracer"})
    (through,) = outer["calls"]
    (token_call,) = through["calls"]
    assert int(through["gas"], 16) == harness.gasLimit()
    assert TOKEN_GAS <= int(token_call["gas"], 16) < TOKEN_GAS + 10_000


def test_E06_too_little_gas_reverts_and_never_looks_like_a_refusal(
    stage: Stage, permit2: Contract, harness: Contract, token: Contract, owner: Account
) -> None:
    allow(permit2, owner, token, harness, 10 * PRICE)
    data = harness.tryTransferFrom.encode_input(token, owner, stage.merchant, PRICE)
    gases = range(30_000, 420_000, 3_000)
    found = [answer(stage, harness, data, gas) for gas in gases]
    assert set(found) == {"", "0x" + encode(["bool"], [True]).hex()}
    assert found == sorted(found)  # never a refusal, and from some amount on always the transfer
    name = keccak(text="InsufficientGas(uint256,uint256)")[:4].hex()
    with pytest.raises(ProviderError, match=name):
        stage.rpc("eth_call", request(harness, data, gases[found.count("") - 1]), "latest")


def test_E06_an_allowance_that_is_read_with_too_little_gas_reverts(
    stage: Stage, permit2: Contract, harness: Contract, token: Contract, owner: Account
) -> None:
    allow(permit2, owner, token, harness, PRICE)
    data = harness.tryAllowance.encode_input(token, owner, harness)
    found = {answer(stage, harness, data, gas) for gas in range(21_000, 40_000, 37)}
    assert found == {"", "0x" + encode(["bool", "uint256"], [True, PRICE]).hex()}


# --- Permits ---


def permit_of(token: Contract, harness: Contract, **values: Any) -> Permit:
    return Permit(token.address, harness.address, **values)


def test_a_permit_gives_the_allowance(stage: Stage, harness: Contract, token: Contract, owner: Account) -> None:
    permit = permit_of(token, harness, amount=PRICE, expiration=stage.now + 100)
    harness.tryPermit(owner, permit.words, signed(owner, permit_data(permit)), sender=stage.anyone)
    assert tuple(harness.tryAllowance(token, owner, harness)) == (True, PRICE)
    assert moved(harness, token, owner, stage)


def test_E10_a_permit_that_was_used_before_fails_nobody(
    stage: Stage, harness: Contract, token: Contract, owner: Account
) -> None:
    permit = permit_of(token, harness, amount=PRICE)
    signature = signed(owner, permit_data(permit))
    for _ in range(2):
        harness.tryPermit(owner, permit.words, signature, sender=stage.anyone)
        assert tuple(harness.tryAllowance(token, owner, harness)) == (True, PRICE)


def test_E10_a_permit_that_permit2_refuses_gives_nothing(
    stage: Stage, harness: Contract, token: Contract, owner: Account
) -> None:
    permit = permit_of(token, harness)
    signature = signed(owner, permit_data(permit))
    late = permit._replace(deadline=stage.now - 1)
    for words, proof in [
        (permit.words, signed(stage.anyone, permit_data(permit))),
        (permit.words, signed(owner, permit_data(permit, chain_id=1))),
        (permit.words, b""),
        (permit.words, signature + b"\0"),
        (permit._replace(amount=1).words, signature),
        (late.words, signed(owner, permit_data(late))),
        (permit._replace(nonce=1).words, signed(owner, permit_data(permit._replace(nonce=1)))),
    ]:
        harness.tryPermit(owner, words, proof, sender=stage.anyone)
        assert tuple(harness.tryAllowance(token, owner, harness)) == (True, 0)


def test_a_permit_with_too_large_a_field_gives_nothing(
    stage: Stage, harness: Contract, token: Contract, owner: Account
) -> None:
    permit = permit_of(token, harness)
    data = bytes(harness.tryPermit.encode_input(owner, permit.words, signed(owner, permit_data(permit))))
    amount_at = 4 + 32 + 32
    assert data[amount_at : amount_at + 32] == UNLIMITED_160.to_bytes(32, "big")
    dirty = data[:amount_at] + b"\1" + data[amount_at + 1 :]
    call = {"from": stage.anyone.address, "to": harness.address, "gas": hex(500_000)}
    for sent, expected in [(dirty, 0), (data, UNLIMITED_160)]:
        receipt = stage.rpc("eth_sendTransactionSync", call | {"data": "0x" + sent.hex()})
        assert receipt["status"] == "0x1"
        assert tuple(harness.tryAllowance(token, owner, harness)) == (True, expected)


def test_a_contract_account_permits(
    stage: Stage, project: Any, harness: Contract, token: Contract, payers: list[Account]
) -> None:
    wallet = project.MockWallet.deploy(sender=stage.anyone)
    wallet.setSigner(payers[1], sender=stage.anyone)
    permit = permit_of(token, harness)
    harness.tryPermit(wallet, permit.words, signed(payers[0], permit_data(permit)), sender=stage.anyone)
    assert tuple(harness.tryAllowance(token, wallet, harness)) == (True, 0)
    wallet.setBurnsGas(True, sender=stage.anyone)
    harness.tryPermit(wallet, permit.words, signed(payers[1], permit_data(permit)), sender=stage.anyone)
    assert tuple(harness.tryAllowance(token, wallet, harness)) == (True, 0)
    wallet.setBurnsGas(False, sender=stage.anyone)
    harness.tryPermit(wallet, permit.words, signed(payers[1], permit_data(permit)), sender=stage.anyone)
    assert tuple(harness.tryAllowance(token, wallet, harness)) == (True, UNLIMITED_160)


# --- Where there is no Permit2 ---


def test_E01_without_permit2_nothing_moves_and_nothing_is_allowed(
    stage: Stage, permit2: Contract, harness: Contract, token: Contract, owner: Account
) -> None:
    allow(permit2, owner, token, harness)
    stage.rpc("anvil_setCode", PERMIT2, "0x")
    permit = permit_of(token, harness)
    assert not moved(harness, token, owner, stage)
    assert tuple(harness.tryAllowance(token, owner, harness)) == (False, 0)
    harness.tryPermit(owner, permit.words, signed(owner, permit_data(permit)), sender=stage.anyone)
