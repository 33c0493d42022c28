"""Keys: where they come from, and that one that is absent, locked or none is a clear error (E73)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_account import Account
from pydantic import SecretStr

from tallystick.chain.signer import KeySigner, configured_signer, typed_data_digest
from tallystick.config import SignerConfig
from tallystick.core.permit import Permit, TokenDomain, typed_data
from tallystick.errors import ConfigError, KeyInvalid, KeyLocked, KeyMissing

KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    path = tmp_path / "biller.json"
    path.write_text(json.dumps(Account.encrypt(bytes.fromhex(KEY[2:]), "open sesame", kdf="pbkdf2", iterations=2)))
    return path


def test_a_key_signs_and_is_never_shown() -> None:
    signer = configured_signer(SignerConfig(key=SecretStr(f" {KEY[2:]} ")))
    assert repr(signer) == f"KeySigner({ADDRESS})"
    message = typed_data(Permit(ADDRESS, ADDRESS, 1, 0, 2), TokenDomain("USD Coin", "2", 1, ADDRESS))
    signature = signer.sign_typed_data(message)
    assert len(signature) == 65
    assert Account._recover_hash(typed_data_digest(message), signature=signature) == ADDRESS


def test_a_keystore_opens_with_its_password(keystore: Path) -> None:
    signer = configured_signer(SignerConfig(keystore=keystore, password=SecretStr("open sesame")))
    assert signer.address == ADDRESS


def test_E73_no_key_is_an_error_that_says_how_to_give_one() -> None:
    with pytest.raises(KeyMissing, match="no key to sign with: set TALLYSTICK_KEY to a private key, or"):
        configured_signer(SignerConfig())


def test_E73_two_keys_are_one_too_many(keystore: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"found TALLYSTICK_KEY and the keystore .*biller\.json, one of them can sign"
    ):
        configured_signer(SignerConfig(keystore=keystore, key=SecretStr(KEY)))


def test_E73_a_locked_keystore_is_an_error(keystore: Path) -> None:
    with pytest.raises(KeyLocked, match=r"biller\.json needs its password: set TALLYSTICK_KEYSTORE_PASSWORD"):
        configured_signer(SignerConfig(keystore=keystore))
    with pytest.raises(KeyLocked, match=r"the password does not open .*biller\.json") as caught:
        configured_signer(SignerConfig(keystore=keystore, password=SecretStr("wrong word")))
    assert "wrong word" not in str(caught.value)


def test_E73_a_keystore_that_is_none_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(KeyMissing, match="there is no keystore file"):
        KeySigner.from_keystore(path, "x")
    for text in ("{", "[]", "{}", '{"version": 7, "crypto": {}}', '{"version": 3, "crypto": {"kdf": "x"}}'):
        path.write_text(text)
        with pytest.raises(KeyInvalid, match="is not a keystore file"):
            KeySigner.from_keystore(path, "x")
    with pytest.raises(KeyInvalid, match="cannot be read"):
        KeySigner.from_keystore(tmp_path, "x")


@pytest.mark.parametrize("key", ["", "0x12", "zz" * 32, "00" * 32, "ff" * 32, KEY + "00"])
def test_E73_a_key_that_is_none_is_an_error_without_the_key(key: str) -> None:
    with pytest.raises(KeyInvalid, match="not 64 hex digits") as caught:
        KeySigner.from_key(key)
    assert caught.value.__cause__ is None
    assert not key or key not in str(caught.value)
