"""The test chain, which lives in `tallystick.testing`."""

from tallystick.testing import Anvil, AnvilError, start_anvil

__all__ = ["Anvil", "AnvilError", "start_anvil"]
