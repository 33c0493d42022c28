"""The ABI's encoding of values, by decoders of our own.

eth-abi keeps its decoders in one place for the whole process, and Ape, once imported, puts one there that fills short
numbers up with zeros: a node's cut answer would be read as a balance of nothing. What is read here is whole or an
error, whoever else is in the process.
"""

from __future__ import annotations

from typing import Final

from eth_abi import decoding, encoding
from eth_abi.codec import ABICodec
from eth_abi.registry import ABIRegistry, BaseEquals
from eth_abi.registry import registry as shared


def _registry() -> ABIRegistry:
    own: ABIRegistry = shared.copy()  # type: ignore[no-untyped-call]  # as the next, eth-abi's
    own.unregister("uint")
    kind = BaseEquals("uint")  # type: ignore[no-untyped-call]
    own.register(kind, encoding.UnsignedIntegerEncoder, decoding.UnsignedIntegerDecoder, label="uint")
    return own


CODEC: Final = ABICodec(_registry())
"""Encodes, and decodes strictly."""
