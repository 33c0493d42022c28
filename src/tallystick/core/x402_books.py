"""The books of x402's own contract of `batch-settlement`, which has the events of `Channels` but for two, and another
rule for when a channel closes.

Source of the rule: `x402BatchSettlement.sol` of https://github.com/x402-foundation/x402. A channel is closed where it
has nothing and never had a claim, and can be opened again with the same sums: there are no openings to tell apart.
"""

from __future__ import annotations

from tallystick.core.channel import ChannelState
from tallystick.core.channel_books import ChannelBooks


class X402Books(ChannelBooks):
    """As `ChannelBooks`, of that contract."""

    def closes(self, state: ChannelState, units: int, *, as_announced: bool) -> bool:  # noqa: ARG002 (no matter which)
        """Where all that was deposited goes back, so that nothing of it was claimed."""
        return units == state.deposited

    def announces_closing(self, state: ChannelState, units: int) -> bool:  # noqa: ARG002 (it never does)
        """Never: what comes in meanwhile stays."""
        return False

    def closed(self, state: ChannelState) -> ChannelState:  # noqa: ARG002 (whatever it was)
        """Nothing, as at the beginning."""
        return ChannelState(0, 0, 0)
