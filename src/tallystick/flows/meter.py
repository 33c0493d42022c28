"""The documents that list what was used: a charge of usage names the hash of its document on chain.

The document stays with the merchant. A payer who asks for it computes keccak-256 of its bytes and compares.
"""

from __future__ import annotations

from pathlib import Path

from eth_utils.crypto import keccak

from tallystick.errors import InputError

HASH_BYTES = 32


def hash_of_usage(document: bytes | Path | str | None = None, usage_hash: bytes | str | None = None) -> bytes:
    """Keccak-256 of a document, given as bytes or as the path of a file; or the hash itself, as bytes or as text.

    Raises InputError where both or none are given, for a file that cannot be read, and for what is no hash.
    """
    if (document is None) == (usage_hash is None):
        given = "neither a document of the usage nor its hash" if document is None else "both a document and its hash"
        raise InputError(f"found {given}, allowed is one of the two: give what lists the usage, or its hash")
    if usage_hash is not None:
        return _given(usage_hash)
    if isinstance(document, bytes):
        return keccak(document)
    try:
        return keccak(Path(str(document)).read_bytes())
    except OSError as error:
        raise InputError(f"the document of the usage cannot be read ({error}): check its path") from error


def _given(usage_hash: bytes | str) -> bytes:
    found = usage_hash
    if isinstance(found, str):
        try:
            found = bytes.fromhex(found.removeprefix("0x"))
        except ValueError:
            found = b""
    if len(found) != HASH_BYTES:
        raise InputError(f"found {usage_hash!r} for the hash of the usage, allowed are {HASH_BYTES} bytes: 0x5e...")
    return found
