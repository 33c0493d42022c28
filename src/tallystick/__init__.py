"""Stablecoin billing whose books match the chain.

    from tallystick import Tallystick

`Tallystick` is the way in for applications (`tallystick.client`); `tallystick.errors` has everything that it raises.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tallystick.client import Tallystick as Tallystick
    from tallystick.config import Config as Config
    from tallystick.core.mandate import SignedMandate as SignedMandate
    from tallystick.core.mandate import parse_mandate as parse_mandate
    from tallystick.core.money import Amount as Amount
    from tallystick.core.money import Token as Token
    from tallystick.core.period import Unit as Unit
    from tallystick.core.plan import Plan as Plan
    from tallystick.core.subscription import DeclineReason as DeclineReason
    from tallystick.core.subscription import Status as Status
    from tallystick.core.subscription import Subscription as Subscription
    from tallystick.flows.subscribe import Funding as Funding

_HOMES = {
    "Amount": "tallystick.core.money",
    "Config": "tallystick.config",
    "DeclineReason": "tallystick.core.subscription",
    "Funding": "tallystick.flows.subscribe",
    "Plan": "tallystick.core.plan",
    "SignedMandate": "tallystick.core.mandate",
    "Status": "tallystick.core.subscription",
    "Subscription": "tallystick.core.subscription",
    "Tallystick": "tallystick.client",
    "Token": "tallystick.core.money",
    "Unit": "tallystick.core.period",
    "parse_mandate": "tallystick.core.mandate",
}
__all__ = [
    "Amount",
    "Config",
    "DeclineReason",
    "Funding",
    "Plan",
    "SignedMandate",
    "Status",
    "Subscription",
    "Tallystick",
    "Token",
    "Unit",
    "parse_mandate",
]


def __getattr__(name: str) -> object:
    """Imports what is asked for, and no web3 for a program that only wants to know the version."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
