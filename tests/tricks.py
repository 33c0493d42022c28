"""The tricks of `HostileToken`, by the names its contract gives them."""

from __future__ import annotations

from enum import IntEnum


class Trick(IntEnum):
    """How a function of the token misbehaves."""

    NONE = 0
    RETURN_FALSE = 1
    RETURN_TRUE = 2
    RETURN_TWO = 3
    RETURN_ONE_BYTE = 4
    RETURN_NOTHING = 5
    REFUSE = 6
    REVERT_BOMB = 7
    RETURN_BOMB = 8
    BURN_GAS = 9
    MOVE_AND_DENY = 10


UNREADABLE = [Trick.RETURN_ONE_BYTE, Trick.RETURN_NOTHING, Trick.REFUSE, Trick.REVERT_BOMB, Trick.BURN_GAS]
"""What a balance or an allowance cannot be read from."""
