"""What everything that is signed for a contract has in common: the domain of EIP-712 typed data, and its text form."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tallystick.core.money import UINT256_MAX
from tallystick.errors import AddressInvalid, InputError

DOMAIN_NAME = "Tallystick Subscriptions"
DOMAIN_VERSION = "1"
WORD_BYTES = 32

DOMAIN_FIELDS = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
"""The type `EIP712Domain`."""


def domain(chain_id: int, contract: str, *, name: str = DOMAIN_NAME, version: str = DOMAIN_VERSION) -> dict[str, Any]:
    """For what a contract takes signatures; `Subscriptions` unless another name and version are given."""
    return {"name": name, "version": version, "chainId": chain_id, "verifyingContract": contract}


def types_of(type_text: str) -> dict[str, list[dict[str, str]]]:
    """A type as the contracts write it, `Name(type name,...)`, as typed data lists it."""
    name, _, fields = type_text.removesuffix(")").partition("(")
    return {name: [dict(zip(("type", "name"), field.split(), strict=True)) for field in fields.split(",")]}


def message_of(
    type_text: str, values: Mapping[str, object], *, chain_id: int, contract: str, name: str = DOMAIN_NAME
) -> dict[str, Any]:
    """The whole EIP-712 message, for `Subscriptions` unless another contract's `name` is given, as
    `eth_signTypedData_v4` takes it.

    `type_text` is the type as the contract writes it; `values` are by the names in it.
    """
    types = types_of(type_text)
    return {
        "types": {"EIP712Domain": DOMAIN_FIELDS} | types,
        "primaryType": next(iter(types)),
        "domain": domain(chain_id, contract, name=name),
        "message": dict(values),
    }


# --- The text form: JSON, numbers beyond 64 bits as text, bytes as hex ------------------------------------------------


def rendered(document: msgspec.Struct) -> str:
    """The text that one who signed hands to whoever submits it."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


@contextlib.contextmanager
def reading_signed(what: str, advice: str) -> Iterator[None]:
    """The body reads `what`. Raises InputError, with the `advice`, where it is not that or a value is impossible."""
    try:
        yield
    except (msgspec.DecodeError, ValueError, AddressInvalid) as error:
        raise InputError(f"this is not {what} ({error}): {advice}") from error


def parse_uint256(text: str) -> int:
    """A number as it travels, in text because JSON's lose digits beyond 2^53. Raises ValueError."""
    value = int(text)
    if not 0 <= value <= UINT256_MAX:
        raise ValueError(f"{text} is not between 0 and 2^256 - 1")
    return value


def parse_bytes(text: str) -> bytes:
    """Bytes as they travel: 0x and hex digits. Raises ValueError."""
    if not text.startswith("0x"):
        raise ValueError(f"{text!r} does not begin with 0x")
    return bytes.fromhex(text[2:])


def parse_word(text: str) -> bytes:
    """32 bytes, such as a hash. Raises ValueError."""
    value = parse_bytes(text)
    if len(value) != WORD_BYTES:
        raise ValueError(f"{text} are {len(value)} bytes, not {WORD_BYTES}")
    return value


def shown_bytes(value: bytes) -> str:
    """Bytes as `parse_bytes` takes them."""
    return "0x" + value.hex()
