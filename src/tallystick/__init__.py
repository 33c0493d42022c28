"""Stablecoin billing whose books match the chain.

    from tallystick import Tallystick

`Tallystick` is the way in for applications, `AsyncTallystick` for those with an event loop (`tallystick.client`);
`tallystick.errors` has everything that it raises.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tallystick.client import AsyncTallystick as AsyncTallystick
    from tallystick.client import Tallystick as Tallystick
    from tallystick.config import Config as Config
    from tallystick.core.cancellation import SignedEnd as SignedEnd
    from tallystick.core.cancellation import parse_end as parse_end
    from tallystick.core.mandate import SignedMandate as SignedMandate
    from tallystick.core.mandate import parse_mandate as parse_mandate
    from tallystick.core.money import Amount as Amount
    from tallystick.core.money import Token as Token
    from tallystick.core.period import Unit as Unit
    from tallystick.core.plan import Plan as Plan
    from tallystick.core.subscription import DeclineReason as DeclineReason
    from tallystick.core.subscription import Status as Status
    from tallystick.core.subscription import Subscription as Subscription
    from tallystick.flows.describe import SubscriptionState as SubscriptionState
    from tallystick.flows.subscribe import Funding as Funding

_HOMES = {
    "Amount": "tallystick.core.money",
    "AsyncTallystick": "tallystick.client",
    "Config": "tallystick.config",
    "DeclineReason": "tallystick.core.subscription",
    "Funding": "tallystick.flows.subscribe",
    "Plan": "tallystick.core.plan",
    "SignedEnd": "tallystick.core.cancellation",
    "SignedMandate": "tallystick.core.mandate",
    "Status": "tallystick.core.subscription",
    "Subscription": "tallystick.core.subscription",
    "SubscriptionState": "tallystick.flows.describe",
    "Tallystick": "tallystick.client",
    "Token": "tallystick.core.money",
    "Unit": "tallystick.core.period",
    "parse_end": "tallystick.core.cancellation",
    "parse_mandate": "tallystick.core.mandate",
}
__all__ = [
    "Amount",
    "AsyncTallystick",
    "Config",
    "DeclineReason",
    "Funding",
    "Plan",
    "SignedEnd",
    "SignedMandate",
    "Status",
    "Subscription",
    "SubscriptionState",
    "Tallystick",
    "Token",
    "Unit",
    "parse_end",
    "parse_mandate",
]


def __getattr__(name: str) -> object:
    """Imports what is asked for, and no web3 for a program that only wants to know the version."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
