"""Logs of `UniswapSwapper` into events, as `chain.decode` does for `Subscriptions`."""

from __future__ import annotations

from typing import Final

from tallystick.chain.decoder import Decoder, Shape, address_at, uint_at
from tallystick.core.money import UINT256_MAX
from tallystick.core.swap import Swapped


def _swapped(topics: bytes, data: bytes) -> Swapped:
    caller, token_in, token_out = (address_at(topics, word) for word in range(3))
    if token_in == token_out:
        raise ValueError("it exchanges a token for itself")
    amounts = uint_at(data, 1, UINT256_MAX), uint_at(data, 2, UINT256_MAX)
    return Swapped(caller, token_in, token_out, address_at(data, 0), *amounts)


SHAPES: Final[dict[str, Shape[Swapped]]] = {"Swapped": Shape(3, 3, _swapped)}

SWAPPER: Final = Decoder("UniswapSwapper", SHAPES)
