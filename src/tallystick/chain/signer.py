"""Who signs: an account whose key stays in here. Nothing is sent before the key is known to be there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

import msgspec
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tallystick.chain.failures import KEY_FAILURES, key_failure, keystore_failure
from tallystick.config import SignerConfig
from tallystick.errors import ConfigError, KeyInvalid, KeyLocked, KeyMissing

NO_KEY = (
    "there is no key to sign with: set TALLYSTICK_KEY to a private key, or signer.keystore to a keystore file and "
    "TALLYSTICK_KEYSTORE_PASSWORD to its password"
)


class Signer(Protocol):
    """What the sender needs of a key, wherever it is kept."""

    @property
    def address(self) -> str:
        """The account's checksummed address."""
        ...

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """The signed transaction as it goes to the node."""
        ...

    def sign_typed_data(self, message: Mapping[str, Any]) -> bytes:
        """65 bytes (r, s, v) over an EIP-712 message."""
        ...


class KeySigner:
    """Signs with a private key in memory; its text form shows the address only."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    @classmethod
    def from_key(cls, key: str) -> Self:
        """From 64 hex digits, with or without 0x. Raises KeyInvalid."""
        try:
            return cls(Account.from_key(key.strip()))
        except KEY_FAILURES:
            raise key_failure() from None  # without the cause, whose text may hold the key

    @classmethod
    def from_keystore(cls, path: Path, password: str | None) -> Self:
        """From a keystore file (version 3). Raises KeyMissing, KeyLocked or KeyInvalid."""
        try:
            document = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        except FileNotFoundError as error:
            raise KeyMissing(f"there is no keystore file {path}: name an existing one as signer.keystore") from error
        except OSError as error:
            raise KeyInvalid(f"{path} cannot be read ({error.strerror}): name a readable file") from error
        except msgspec.DecodeError as error:
            raise keystore_failure(error, path) from error
        if password is None:
            raise KeyLocked(f"the keystore {path} needs its password: set TALLYSTICK_KEYSTORE_PASSWORD")
        try:
            return cls(Account.from_key(Account.decrypt(document, password)))
        except KEY_FAILURES as error:
            raise keystore_failure(error, path) from None

    @property
    def address(self) -> str:
        """The account's checksummed address."""
        return str(self._account.address)

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """The signed transaction as it goes to the node."""
        return bytes(self._account.sign_transaction(dict(transaction)).raw_transaction)

    def sign_typed_data(self, message: Mapping[str, Any]) -> bytes:
        """65 bytes (r, s, v) over an EIP-712 message."""
        return bytes(self._account.sign_message(encode_typed_data(full_message=dict(message))).signature)

    def __repr__(self) -> str:
        return f"KeySigner({self.address})"


def configured_signer(config: SignerConfig) -> KeySigner:
    """The signer that the configuration names: a keystore, or the key of TALLYSTICK_KEY.

    Raises KeyMissing when it names none, KeyLocked or KeyInvalid when it cannot be opened, ConfigError when it names
    both: who signs must not be a guess.
    """
    if config.keystore is not None and config.key is not None:
        raise ConfigError(
            f"found TALLYSTICK_KEY and the keystore {config.keystore}, one of them can sign: unset TALLYSTICK_KEY, or "
            "take signer.keystore out of the configuration"
        )
    if config.keystore is not None:
        password = config.password.get_secret_value() if config.password else None
        return KeySigner.from_keystore(config.keystore, password)
    if config.key is not None:
        return KeySigner.from_key(config.key.get_secret_value())
    raise KeyMissing(NO_KEY)


def typed_data_digest(message: Mapping[str, Any]) -> bytes:
    """The 32 bytes that are signed for an EIP-712 message."""
    encoded = encode_typed_data(full_message=dict(message))
    return keccak(b"\x19" + encoded.version + encoded.header + encoded.body)
