"""Plans whose charges fill payment channels, as `IChannelPlan` has them. Amounts are base units."""

from __future__ import annotations

from typing import Any, NamedTuple

from tallystick.core.period import Unit


class ChannelPlanTerms(NamedTuple):
    """What such a plan is created with: whom its channels pay and who claims for that, seconds that a withdrawal waits,
    and a price for each period of `every` times `unit`."""

    receiver: str
    receiver_authorizer: str
    withdraw_delay_s: int
    token: str
    price_units: int
    every: int
    unit: Unit

    @property
    def words(self) -> tuple[Any, ...]:
        """In the order of the constructor."""
        return (*self[:-1], int(self.unit))


class ChannelFilled(NamedTuple):
    """So many charges of a subscription went into its channel."""

    subscription_id: int
    channel_id: bytes
    charges: int
    amount_units: int
