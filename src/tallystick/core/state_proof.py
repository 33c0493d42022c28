"""Proofs of what a contract's code and storage are after a block, given the block's state root.

Source: Ethereum's Yellow Paper, section 4.1, and EIP-1186 (`eth_getProof`). Keys of both tries are hashed; an account
is the RLP of its nonce, balance, root of storage and hash of code.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import rlp
from eth_utils.crypto import keccak
from rlp.exceptions import RLPException

from tallystick.core.trie import nodes_by_hash, proven_value
from tallystick.errors import ProofInvalid

_FIELDS = 4


class ContractProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A contract's code, and the nodes that prove its account and what was asked of its storage. Bytes are hex without
    0x."""

    code: str
    account_nodes: list[str]
    storage_nodes: list[str]


def proven_storage(state_root: bytes, contract: str, proof: ContractProof) -> tuple[bytes, Callable[[int], int]]:
    """A contract's code, and what reads a word of its storage by the slot. Both raise ProofInvalid."""
    try:
        code = bytes.fromhex(proof.code)
        nodes = nodes_by_hash(bytes.fromhex(node) for node in proof.account_nodes)
        storage = nodes_by_hash(bytes.fromhex(node) for node in proof.storage_nodes)
    except ValueError as error:
        raise ProofInvalid(f"the proof of {contract} is no hex ({error})") from error
    account = proven_value(state_root, keccak(bytes.fromhex(contract[2:])), nodes)
    if account is None:
        raise ProofInvalid(f"there is no account {contract}")
    fields = _decoded(account)
    if not isinstance(fields, list) or len(fields) != _FIELDS or fields[3] != keccak(code):
        raise ProofInvalid(f"the code of {contract} is not that of its account")
    root = bytes(fields[2])

    def read(slot: int) -> int:
        found = proven_value(root, keccak(slot.to_bytes(32, "big")), storage)
        value = b"" if found is None else _decoded(found)
        if not isinstance(value, bytes):
            raise ProofInvalid(f"slot {slot} of {contract} is no word")
        return int.from_bytes(value, "big")

    return code, read


def _decoded(encoded: bytes) -> bytes | list[bytes]:
    try:
        found: bytes | list[bytes] = rlp.decode(encoded)
    except RLPException as error:
        raise ProofInvalid(f"a proof has a value that is no RLP ({error})") from error
    return found
