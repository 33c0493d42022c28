"""The facade that an application imports.

    from tallystick import Tallystick

    tally = Tallystick.connect(rpc_url="https://...", signer=account)          # an eth-account account
    plan = tally.create_plan(price="9.99", token=USDC, every=1, unit="month")
    subscription = tally.subscribe(plan)                                        # as the payer
    tally.charge([subscription.subscription_id])

`AsyncTallystick` has the same methods for programs with an event loop:

    tally = await AsyncTallystick.connect(rpc_url="https://...", signer=account)
    subscription = await tally.subscribe(plan)

It reads from the chain. Amounts are base units of the plan's token unless they are text, which is a decimal number of
the token as people write it; times are Unix seconds, UTC. Everything that goes wrong is a TallystickError; the
contract's own errors have their Solidity names (`tallystick.errors`). Each method tries its call before it sends
anything, so that an error means nothing was changed, unless it is a TransactionError with a `transaction`.
"""

from tallystick.client.asynchronous import AsyncTallystick
from tallystick.client.facade import Tallystick

__all__ = ["AsyncTallystick", "Tallystick"]
