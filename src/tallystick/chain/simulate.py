"""What several calls of one account would do, one after the other: asked of the node, nothing is sent."""

from __future__ import annotations

from collections.abc import Sequence

from tallystick.chain.failures import revert
from tallystick.chain.node import Node, hex_bytes
from tallystick.chain.token import TokenContract, approval_data
from tallystick.errors import NodeRefused

PlainCall = tuple[str, bytes]
"""To whom, and the data."""


def simulated(node: Node, sender: str, calls: Sequence[PlainCall]) -> list[bytes] | None:
    """What the calls answer as that account's next ones (`eth_simulateV1`); needs no key. None where the node does not
    know how. Raises the RevertError of the first that fails, and NodeErrors."""
    asked = [{"from": sender, "to": to, "data": "0x" + data.hex()} for to, data in calls]
    try:
        (block,) = node.request("eth_simulateV1", [{"blockStateCalls": [{"calls": asked}]}, "latest"])
        found = [
            (int(done["status"], 16), hex_bytes(done["returnData"]), (done.get("error") or {}).get("data"))
            for done in block["calls"]
        ]
    except (NodeRefused, TypeError, KeyError, ValueError, AttributeError):
        return None
    if len(found) != len(calls):
        return None
    for is_done, answer, data in found:
        if not is_done:
            raise revert(answer or hex_bytes(data or "0x"))
    return [answer for _, answer, _ in found]


def approvals(token: TokenContract, owner: str, spender: str, units: int) -> list[PlainCall]:
    """What must be called before `spender` may move so many units; nothing where it may already. Tokens that allow a
    change from zero only (USDT) get a zero first."""
    allowance = token.allowance(owner, spender)
    if allowance >= units:
        return []
    steps = [0, units] if allowance else [units]
    return [(token.address, approval_data(spender, step)) for step in steps]
