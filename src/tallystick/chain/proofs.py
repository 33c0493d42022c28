"""What proofs of a contract's code and storage are made of, as a node gives it (EIP-1186)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tallystick.chain.rpc import Rpc
from tallystick.core.state_proof import ContractProof
from tallystick.errors import NodeRefused, Unprovable

SLOTS: Final = 500
"""In one request."""


def read_contract_proof(rpc: Rpc, contract: str, slots: Sequence[int], block: int) -> ContractProof:
    """The proof of a contract's account, and of words of its storage, after a block. Raises Unprovable where the node
    gives none, NodeError."""
    try:
        code: str = rpc.call(str, "eth_getCode", contract, hex(block))
        nodes: dict[str, None] = {}
        account: list[str] = []
        for start in range(0, len(slots) or 1, SLOTS):
            keys = [f"0x{slot:064x}" for slot in slots[start : start + SLOTS]]
            found: dict[str, Any] = rpc.call(dict[str, Any], "eth_getProof", contract, keys, hex(block))
            account = found["accountProof"]
            nodes |= dict.fromkeys(node for one in found["storageProof"] for node in one["proof"])
    except (NodeRefused, KeyError) as error:
        raise Unprovable(
            f"{rpc.name} gives no proof of {contract} in block {block} ({error}): bring the books up to date with "
            "`tallystick index --once`, or ask a node that keeps old states"
        ) from error
    return ContractProof(code[2:], [node[2:] for node in account], [node[2:] for node in nodes])


def read_slot(rpc: Rpc, contract: str, slot: int, block: int) -> int:
    """A word of a contract's storage after a block, unproven. Raises NodeError."""
    found: str = rpc.call(str, "eth_getStorageAt", contract, f"0x{slot:064x}", hex(block))
    return int(found, 16)
