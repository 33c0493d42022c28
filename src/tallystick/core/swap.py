"""Exchanges of one token for another, as `UniswapSwapper` makes them: the order, its route, and what it did.

Addresses are checksummed (EIP-55), amounts are base units, times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tallystick.core.address import parse_address
from tallystick.errors import InputError

FEE_BYTES = 3
MOST_FEE = 10**6 - 1
"""A pool's fee is in millionths, and less than all."""
MOST_POOLS = 8
"""More hops than any sensible way has."""


class Swapped(NamedTuple):
    """What the caller paid and the receiver got."""

    caller: str
    token_in: str
    token_out: str
    receiver: str
    amount_in_units: int
    amount_out_units: int


@dataclass(frozen=True, slots=True)
class Route:
    """The way from the first token to the last one, through a pool between each two: its fee, in millionths, says
    which."""

    tokens: tuple[str, ...]
    fees: tuple[int, ...]

    @property
    def path(self) -> bytes:
        """As an exact input takes it: tokens of 20 bytes with a fee of 3 between two of them (Uniswap v3's `Path`)."""
        parts = [bytes.fromhex(self.tokens[0][2:])]
        for fee, token in zip(self.fees, self.tokens[1:], strict=True):
            parts += [fee.to_bytes(FEE_BYTES, "big"), bytes.fromhex(token[2:])]
        return b"".join(parts)

    @property
    def back(self) -> Route:
        """The same way from its end, as an exact output takes it."""
        return Route(self.tokens[::-1], self.fees[::-1])


@dataclass(frozen=True, slots=True)
class Swap:
    """What is to be exchanged, in the order of the contract's struct: all of `amount_in_units`, or at most that for an
    exact output; `amount_out_units` is the least that the receiver gets, or exactly that."""

    token_in: str
    token_out: str
    amount_in_units: int
    amount_out_units: int
    receiver: str
    valid_before: int
    route: bytes

    @property
    def words(self) -> tuple[object, ...]:
        """As the contract takes it."""
        return (
            *(self.token_in, self.token_out, self.amount_in_units, self.amount_out_units),
            *(self.receiver, self.valid_before, self.route),
        )


def route_of(token_in: str, token_out: str, between: Sequence[int | str]) -> Route:
    """The way from one token to another through what lies between: the fee of the only pool, or fees and tokens in
    turn, `[500, "0xC02a...", 3000]`.

    Raises InputError where they are not in turn, for a fee that no pool has, a token twice, or a way too long, and
    AddressInvalid.
    """
    fees = tuple(part for part in between[::2] if isinstance(part, int) and not isinstance(part, bool))
    inner = tuple(parse_address(part) for part in between[1::2] if isinstance(part, str))
    in_turn = len(fees) + len(inner) == len(between) and len(fees) == len(inner) + 1
    if not in_turn or any(not 0 < fee <= MOST_FEE for fee in fees) or len(fees) > MOST_POOLS:
        raise InputError(
            f"found the route {list(between)}, allowed are fees of pools in millionths (1 to {MOST_FEE}) with a token "
            f'between two of them, at most {MOST_POOLS} pools: [500], or [500, "0xC02a...", 3000]'
        )
    tokens = (parse_address(token_in), *inner, parse_address(token_out))
    if len(set(tokens)) < len(tokens):
        raise InputError(f"found a route that comes to a token twice ({', '.join(tokens)}): leave the detour out")
    return Route(tokens, fees)
