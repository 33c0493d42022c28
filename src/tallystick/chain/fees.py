"""What a transaction offers per gas: EIP-1559 where the chain has it, one price where it does not. All in wei."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tallystick.chain.node import Node
from tallystick.config import WEI_PER_GWEI, GasConfig
from tallystick.errors import GasTooDear, NodeRefused

BASE_FEE_ROOM = 2
"""The base fee can double in six full blocks; what it does not reach is not paid."""


@dataclass(frozen=True, slots=True)
class Fees:
    """`tip_wei` None: the chain knows one price only, `max_wei`."""

    max_wei: int
    tip_wei: int | None

    def fields(self) -> dict[str, int]:
        """As a transaction has them."""
        if self.tip_wei is None:
            return {"gasPrice": self.max_wei}
        return {"type": 2, "maxFeePerGas": self.max_wei, "maxPriorityFeePerGas": self.tip_wei}

    def __str__(self) -> str:
        tip = "" if self.tip_wei is None else f" (tip {_gwei(self.tip_wei)})"
        return f"{_gwei(self.max_wei)} gwei{tip}"


def suggested(node: Node, gas: GasConfig, *, capped: bool = False) -> Fees:
    """Fees for the next blocks, within the limits. Raises GasTooDear when the chain asks more than the limits allow;
    `capped` gives the limits instead."""
    header: dict[str, Any] = node.request("eth_getBlockByNumber", ["latest", False])
    if header.get("baseFeePerGas") is None:
        price_wei = int(node.request("eth_gasPrice", []), 16)
        _require_allowed(price_wei, gas, capped=capped)
        return Fees(min(price_wei, gas.max_fee_wei), None)
    base_wei = int(header["baseFeePerGas"], 16)
    tip_wei = min(_tip(node), gas.max_priority_fee_wei, gas.max_fee_wei)
    _require_allowed(base_wei, gas, capped=capped)
    return Fees(min(base_wei * BASE_FEE_ROOM + tip_wei, gas.max_fee_wei), tip_wei)


def bumped(fees: Fees, fresh: Fees, gas: GasConfig) -> Fees | None:
    """The next higher fees, at least an eighth above both parts (nodes ask for 10 or 12.5 percent) and at least the
    fresh ones; None where the limit does not allow that."""
    max_wei = max(_eighth_more(fees.max_wei), fresh.max_wei)
    if max_wei > gas.max_fee_wei:
        return None
    if fees.tip_wei is None:
        return Fees(max_wei, None)
    return Fees(max_wei, min(max(_eighth_more(fees.tip_wei), fresh.tip_wei or 0), max_wei))


def _eighth_more(wei: int) -> int:
    return max(-(-wei * 9 // 8), wei + 1)


def _tip(node: Node) -> int:
    try:
        return int(node.request("eth_maxPriorityFeePerGas", []), 16)
    except NodeRefused:
        return WEI_PER_GWEI  # not every chain has the call


def _require_allowed(wei: int, gas: GasConfig, *, capped: bool) -> None:
    if wei > gas.max_fee_wei and not capped:
        raise GasTooDear(
            f"the chain asks {_gwei(wei)} gwei per gas, allowed are {gas.max_fee_gwei}: wait until it asks less, or "
            "raise gas.max_fee_gwei"
        )


def _gwei(wei: int) -> str:
    whole, rest = divmod(wei, WEI_PER_GWEI)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")
