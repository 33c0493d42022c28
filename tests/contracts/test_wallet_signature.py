"""Signatures of every kind of account: of a key, of code, of both, and of code that is not there yet (ERC-6492)."""

from __future__ import annotations

from typing import Any

import pytest
from ape.exceptions import OutOfGasError, ProviderError
from eth_abi.abi import encode
from eth_account import Account as Keys
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.hostile import play
from tests.contracts.stage import FUNDS, NOBODY, UNLIMITED, Account, Contract, Stage
from tests.contracts.test_contract_accounts import delegate
from tests.tricks import Trick

DIGEST = keccak(text="what is signed")
MAGIC = bytes.fromhex("6492" * 16)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""How many keys secp256k1 has: with s, ORDER - s signs the same (E13)."""


def signed(key: Account, digest: bytes = DIGEST) -> bytes:
    """65 bytes: r, s and v."""
    return bytes(Keys.unsafe_sign_hash(digest, key.private_key).signature)


def wrapped(factory: Contract | Account | str, data: bytes, inner: bytes) -> bytes:
    """A signature as ERC-6492 wraps it."""
    address = getattr(factory, "address", factory)
    return encode(["address", "bytes", "bytes"], [address, bytes(data), inner]) + MAGIC


def judged(harness: Contract, signer: Any, signature: bytes, stage: Stage) -> bool:
    """What the harness says in a transaction, so that what the signature does stays done."""
    receipt = harness.isValid(signer, DIGEST, signature, sender=stage.anyone)
    (event,) = receipt.decode_logs(harness.Judged)
    return bool(event.valid)


def has_code(stage: Stage, address: str) -> bool:
    return bool(stage.rpc("eth_getCode", address, "latest") != "0x")


@pytest.fixture(scope="session")
def deployer(stage: Stage, project: Any) -> Contract:
    """The account that calls factories."""
    return project.WalletDeployer.deploy(sender=stage.anyone)


@pytest.fixture(scope="session")
def harness(stage: Stage, project: Any, deployer: Contract) -> Contract:
    """The library, in a contract that has allowances and a guard."""
    return project.SignatureHarness.deploy(deployer, sender=stage.anyone)


@pytest.fixture(scope="session")
def factory(stage: Stage, project: Any) -> Contract:
    """Deploys a wallet for a key, at an address that is known before."""
    return project.MockWalletFactory.deploy(sender=stage.anyone)


@pytest.fixture
def key(payers: list[Account]) -> Account:
    """The key that signs for the wallet."""
    return payers[1]


@pytest.fixture
def wallet(factory: Contract, key: Account) -> str:
    """The address of the key's wallet, which is not there yet."""
    return str(factory.addressFor(key))


@pytest.fixture
def signature(factory: Contract, key: Account) -> bytes:
    """What is valid for that wallet: the call that deploys it, and its key's signature."""
    return wrapped(factory, factory.create.encode_input(key), signed(key))


# --- A key ---


def test_a_key_signs(stage: Stage, harness: Contract, payers: list[Account]) -> None:
    assert judged(harness, payers[0], signed(payers[0]), stage)
    assert not judged(harness, payers[0], signed(payers[1]), stage)
    assert not judged(harness, payers[0], signed(payers[0], keccak(text="another")), stage)


def test_E13_high_s_compact_and_empty_signatures_are_nobodys(stage: Stage, harness: Contract, payer: Account) -> None:
    plain = signed(payer)
    r, s, v = plain[:32], int.from_bytes(plain[32:64], "big"), plain[64]
    mirrored = r + (ORDER - s).to_bytes(32, "big") + bytes([55 - v])
    compact = r + (s | (v - 27) << 255).to_bytes(32, "big")
    for bad in (mirrored, compact, plain + b"\0", plain[:-1], b"", bytes(65)):
        assert not judged(harness, payer, bad, stage)
        assert not judged(harness, NOBODY, bad, stage)


def test_E13_a_precompiled_contract_signs_nothing(harness: Contract, factory: Contract, payer: Account) -> None:
    for number in range(1, 0x12):
        signer = f"0x{number:040x}"
        for inner in (signed(payer), b""):
            assert not harness.isValid.call(signer, DIGEST, inner)
            assert not harness.isValid.call(signer, DIGEST, wrapped(factory, b"", inner))


# --- Code, and both ---


def test_a_contract_account_signs(
    stage: Stage, project: Any, harness: Contract, payers: list[Account], deployer: Contract
) -> None:
    wallet = project.MockWallet.deploy(sender=stage.anyone)
    wallet.setSigner(payers[1], sender=stage.anyone)
    assert judged(harness, wallet, signed(payers[1]), stage)
    assert not judged(harness, wallet, signed(payers[0]), stage)
    assert not judged(harness, deployer, signed(payers[0]), stage)  # code that knows no ERC-1271


def test_E16_an_account_with_key_and_code_signs_by_either(
    stage: Stage, project: Any, harness: Contract, payers: list[Account]
) -> None:
    payer, session_key = payers[0], payers[3]
    delegate(stage, payer, project.MockWallet.deploy(sender=stage.anyone).address)
    project.MockWallet.at(payer.address).setSigner(session_key, sender=stage.anyone)
    assert judged(harness, payer, signed(payer), stage)
    assert judged(harness, payer, signed(session_key), stage)
    assert judged(harness, payer, wrapped(NOBODY, b"", signed(session_key)), stage)
    assert not judged(harness, payer, signed(payers[1]), stage)


# --- Code that is not there yet ---


def test_E15_a_wallet_that_is_not_there_yet_signs_and_is_there_afterwards(
    stage: Stage, harness: Contract, deployer: Contract, factory: Contract, wallet: str, signature: bytes
) -> None:
    assert not has_code(stage, wallet)
    assert judged(harness, wallet, signature, stage)
    assert has_code(stage, wallet)
    assert factory.caller() == deployer.address
    assert judged(harness, wallet, signature, stage)  # the wrap, although the wallet is there
    assert judged(harness, wallet, wrapped(NOBODY, b"", signature[-32 - 96 : -32 - 31]), stage)


def test_E15_without_its_wrap_the_wallets_signature_is_nobodys(
    stage: Stage, harness: Contract, wallet: str, key: Account
) -> None:
    assert not judged(harness, wallet, signed(key), stage)
    assert not has_code(stage, wallet)


def test_E15_a_wrong_inner_signature_is_nobodys(
    stage: Stage, harness: Contract, factory: Contract, wallet: str, key: Account, payer: Account
) -> None:
    creation = factory.create.encode_input(key)
    for inner in (signed(payer), signed(key, keccak(text="another")), b"", signed(key)[:-1]):
        assert not judged(harness, wallet, wrapped(factory, creation, inner), stage)


def test_E15_a_wrap_does_not_make_an_account_without_code_sign(stage: Stage, harness: Contract, payer: Account) -> None:
    assert not judged(harness, payer, wrapped(NOBODY, b"", signed(payer)), stage)


def test_E15_a_factory_that_makes_another_wallet_or_none_is_of_no_use(
    stage: Stage, harness: Contract, factory: Contract, token: Contract, wallet: str, key: Account, payer: Account
) -> None:
    for named, data in [
        (factory, factory.create.encode_input(payer)),  # a wallet elsewhere
        (factory, b"\x12\x34\x56\x78"),  # reverts
        (token, token.totalSupply.encode_input()),  # does nothing
        (payer, b""),  # no contract
    ]:
        assert not judged(harness, wallet, wrapped(named, data, signed(key)), stage)
        assert not has_code(stage, wallet)


def test_E15_a_wallet_that_accepts_at_once_is_not_prepared(
    stage: Stage, harness: Contract, factory: Contract, wallet: str, key: Account, payer: Account
) -> None:
    factory.create(key, sender=payer)
    preparation = factory.create.encode_input(payer)  # a call that would succeed
    assert judged(harness, wallet, wrapped(factory, preparation, signed(key)), stage)
    assert factory.caller() == payer.address  # the last call was not the wrap's


def test_E15_a_wallet_that_refuses_is_prepared_and_asked_again(
    stage: Stage, project: Any, harness: Contract, factory: Contract, wallet: str, key: Account, payer: Account
) -> None:
    factory.create(key, sender=payer)
    rotation = project.MockWallet.at(wallet).setSigner.encode_input(payer)
    assert not judged(harness, wallet, signed(payer), stage)
    assert judged(harness, wallet, wrapped(wallet, rotation, signed(payer)), stage)
    assert not judged(harness, wallet, wrapped(wallet, rotation, signed(key)), stage)


# --- A wrap that is malformed ---


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def test_E15_the_wrap_is_read_as_the_abi_lays_it_out(
    stage: Stage, harness: Contract, factory: Contract, wallet: str, key: Account
) -> None:
    creation, inner = bytes(factory.create.encode_input(key)), signed(key)
    head = bytes(12) + bytes.fromhex(factory.address[2:])
    swapped = head + word(0xE0) + word(0x60) + word(65) + inner + bytes(31) + word(len(creation)) + creation
    assert judged(harness, wallet, swapped + MAGIC, stage)  # the other order, no padding at the end


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0x20, UNLIMITED),  # offsets
        (0x20, UNLIMITED - 31),
        (0x40, UNLIMITED),
        (0x40, 0x140),  # the wrap's end
        (0x40, 0x140 - 31),  # its last 31 bytes
        (0x60, UNLIMITED),  # lengths
        (0x60, 0x140 - 0x80 + 1),  # one byte beyond the end
        (0xC0, UNLIMITED),
        (0xC0, UNLIMITED - 0xE0 + 1),
        (0xC0, 0x140 - 0xE0 + 1),
    ],
)
def test_E15_a_wrap_that_reaches_out_of_itself_is_nobodys(
    stage: Stage, harness: Contract, wallet: str, signature: bytes, at: int, value: int
) -> None:
    assert len(signature) == 0x140 + 32
    assert not judged(harness, wallet, signature[:at] + word(value) + signature[at + 32 :], stage)
    assert not has_code(stage, wallet)  # nobody was called


def test_E15_a_factory_that_is_more_than_an_address_is_not_called(
    stage: Stage, harness: Contract, wallet: str, signature: bytes
) -> None:
    for dirt in (b"\x80" + bytes(11), bytes(11) + b"\1"):
        assert not judged(harness, wallet, dirt + signature[12:], stage)


def test_E15_a_wrap_that_is_cut_off_is_nobodys(harness: Contract, wallet: str, signature: bytes) -> None:
    body = signature[:-32]
    used = 0xE0 + 65  # then padding
    for length in [*range(0, used, 13), 31, 32, 33, 95, 96, 97, used - 1]:
        assert not harness.isValid.call(wallet, DIGEST, body[:length] + MAGIC)
    assert harness.isValid.call(wallet, DIGEST, body[:used] + MAGIC)
    assert not harness.isValid.call(wallet, DIGEST, signature + b"\0")  # the magic is not at the end
    assert not harness.isValid.call(wallet, DIGEST, signature[:-1])


OFFSETS = st.integers(0, 0x160) | st.sampled_from([2**256 - n for n in (1, 31, 32, 33, 64, 96)] + [2**255, 2**64])


@pytest.mark.fuzz
@given(
    words=st.dictionaries(st.sampled_from([0x20, 0x40, 0x60, 0xC0]), OFFSETS, min_size=1),
    length=st.integers(0, 0x140),
)
def test_E15_no_wrap_makes_it_revert(
    harness: Contract, factory: Contract, accounts: Any, words: dict[int, int], length: int
) -> None:
    key = accounts[4]
    body = wrapped(factory, factory.create.encode_input(key), signed(key))[:-32]
    for at, value in words.items():
        body = body[:at] + word(value) + body[at + 32 :]
    assert harness.isValid.call(factory.addressFor(key), DIGEST, body[:length] + MAGIC) in (True, False)


# --- Malice ---


def test_E15_a_factory_call_has_no_say_over_what_is_allowed_to_the_caller(
    stage: Stage, harness: Contract, token: Contract, payer: Account, key: Account, wallet: str
) -> None:
    token.approve(harness, UNLIMITED, sender=payer)
    theft = token.transferFrom.encode_input(payer, key, FUNDS)
    detour = harness.collect.encode_input(token, payer, key, FUNDS)
    with stage.nothing_changes(token):
        assert not judged(harness, wallet, wrapped(token, theft, signed(key)), stage)
        assert not judged(harness, wallet, wrapped(harness, detour, signed(key)), stage)
        assert not judged(harness, payer, wrapped(token, theft, signed(key)), stage)
    assert token.balanceOf(payer) == FUNDS


def test_E03_E15_a_factory_that_calls_back_finds_the_guard(
    stage: Stage, harness: Contract, factory: Contract, token: Contract, wallet: str, key: Account, signature: bytes
) -> None:
    for callback in (
        harness.isValid.encode_input(wallet, DIGEST, signature),
        harness.collect.encode_input(token, factory, key, 0),
    ):
        data = factory.createWithDetour.encode_input(key, harness, callback)
        snapshot = stage.rpc("evm_snapshot")
        assert judged(harness, wallet, wrapped(factory, data, signed(key)), stage)
        assert not factory.detourSucceeded()
        assert factory.detourAnswer() == keccak(text="ReentrancyGuardReentrantCall()")[:4]
        stage.rpc("evm_revert", snapshot)


@pytest.mark.parametrize("trick", [Trick.RETURN_BOMB, Trick.REVERT_BOMB, Trick.BURN_GAS, Trick.REFUSE])
def test_E06_what_a_factory_answers_is_not_looked_at(
    stage: Stage, harness: Contract, hostile: Contract, wallet: str, key: Account, payer: Account, trick: Trick
) -> None:
    play(hostile, "transfer", trick)
    signature = wrapped(hostile, hostile.transfer.encode_input(payer, 1), signed(key))
    assert not judged(harness, wallet, signature, stage)


def test_E06_a_wallet_that_burns_all_gas_harms_its_submitter_alone(
    stage: Stage, project: Any, harness: Contract, factory: Contract, wallet: str, key: Account, signature: bytes
) -> None:
    """It is refused where enough is left to say so; asked twice, it takes all. Only who submits it pays for that."""
    factory.create(key, sender=stage.anyone)
    project.MockWallet.at(wallet).setBurnsGas(True, sender=stage.anyone)
    assert not judged(harness, wallet, signed(key), stage)
    with pytest.raises(OutOfGasError):
        harness.isValid(wallet, DIGEST, signature, sender=stage.anyone)


# --- The deployer ---


def test_E15_the_deployer_calls_and_tells_nothing(
    stage: Stage, deployer: Contract, factory: Contract, wallet: str, key: Account
) -> None:
    deployer.deploy(factory, factory.create.encode_input(key), sender=stage.anyone)
    assert has_code(stage, wallet)
    deployer.deploy(factory, factory.create.encode_input(key), sender=stage.anyone)  # reverts there
    deployer.deploy(stage.anyone, b"", sender=stage.anyone)
    assert factory.caller() == deployer.address


def test_E15_the_deployer_takes_no_ether(stage: Stage, deployer: Contract) -> None:
    for data in ("0x", "0x" + deployer.deploy.encode_input(NOBODY, b"").hex()):
        call = {"from": stage.anyone.address, "to": deployer.address, "value": "0x1", "data": data}
        with pytest.raises(ProviderError, match=r"^execution reverted$"):
            stage.rpc("eth_call", call, "latest")


def test_E15_the_deployer_stores_nothing(stage: Stage, deployer: Contract, factory: Contract, key: Account) -> None:
    receipt = deployer.deploy(factory, factory.create.encode_input(key), sender=stage.anyone)
    trace = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
    difference = stage.rpc("debug_traceTransaction", receipt.txn_hash, trace)
    assert factory.address.lower() in difference["post"]
    assert deployer.address.lower() not in difference["post"]
