"""Pegs: which token a merchant declares to be worth which currency at par, and from which block on.

A declaration is the merchant's word and no fact of the chain, so it is recorded in the books when it takes effect. It
holds for charges in blocks that were not yet final then; what was invoiced before keeps the value that it had.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tallystick.core.invoice import Peg
from tallystick.core.money import Token, currency


class DeclaredPeg(NamedTuple):
    """From block `from_block` on the token is worth `currency` (ISO 4217) at par, or nothing is declared where that is
    None: until the token's next declaration."""

    token: str
    from_block: int
    currency: str | None


PegHistory = Mapping[str, Sequence[tuple[int, Peg | None]]]
"""By token address: from which block on which peg holds, the oldest first."""


def redeclared(found: Iterable[DeclaredPeg], wanted: Mapping[str, str], from_block: int) -> list[DeclaredPeg]:
    """The declarations after which, from block `from_block` on, just the currencies of `wanted` hold, by token address.

    `found` is what was declared before; earlier blocks keep it. Ordered by token and block.
    """
    kept = in_order(peg for peg in found if peg.from_block < from_block)
    now = {peg.token: peg.currency for peg in kept}
    new = [
        DeclaredPeg(token, from_block, wanted.get(token))
        for token in now.keys() | wanted.keys()
        if now.get(token) != wanted.get(token)
    ]
    return in_order(kept + new)


def in_order(declared: Iterable[DeclaredPeg]) -> list[DeclaredPeg]:
    """Declarations by token and block."""
    return sorted(declared, key=lambda peg: (peg.token, peg.from_block))


def peg_history(declared: Iterable[DeclaredPeg], tokens: Mapping[str, Token]) -> PegHistory:
    """The pegs of the known tokens, out of declarations that are ordered by token and block."""
    found: defaultdict[str, list[tuple[int, Peg | None]]] = defaultdict(list)
    for address, from_block, code in declared:
        if token := tokens.get(address):
            peg = None if code is None else Peg(token.symbol, token.decimals, code, currency(code).exponent)
            found[address].append((from_block, peg))
    return found


def peg_at(history: PegHistory, token: str, block: int) -> Peg | None:
    """The peg that holds in a block."""
    held = [peg for from_block, peg in history.get(token, ()) if from_block <= block]
    return held[-1] if held else None
