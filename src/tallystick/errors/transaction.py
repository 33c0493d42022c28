"""Signing and sending."""

from __future__ import annotations

from tallystick.errors.base import TallystickError


class SignerError(TallystickError):
    """Nothing can be signed; nothing was sent."""


class KeyMissing(SignerError):
    """There is no key to sign with."""


class KeyLocked(SignerError):
    """A keystore without its password, or with a wrong one."""


class KeyInvalid(SignerError):
    """Not a private key, or not a keystore."""


class TransactionError(TallystickError):
    """A transaction that was not sent, or had no effect. `transaction` is its hash where it has one."""

    def __init__(self, message: str, *, transaction: str | None = None, retryable: bool | None = None) -> None:
        super().__init__(message, retryable=retryable)
        self.transaction = transaction


class FundsTooLow(TransactionError):
    """The sender cannot pay the gas."""


class GasTooDear(TransactionError):
    """The chain asks more for gas than the configured limit."""

    retryable = True


class TransactionRefused(TransactionError):
    """The node did not take the transaction."""


class TransactionStuck(TransactionError):
    """Not mined in time, and not to be replaced any more. It may still be mined: look before sending again."""

    retryable = True


class TransactionDropped(TransactionError):
    """Another transaction with its nonce was mined; this one never will be."""

    retryable = True


class TransactionReverted(TransactionError):
    """Mined, without effect."""
