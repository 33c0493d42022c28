"""Merkle-Patricia tries: proofs that a value stands under a key of a trie with a given root, and that none does.

Source: Ethereum's Yellow Paper, appendix D, and https://ethereum.org/en/developers/docs/data-structures-and-encoding/
patricia-merkle-trie/. A block's transactions and receipts are tries whose keys are the RLP of their numbers; accounts
and storage are tries whose keys are hashed.

A proof is the nodes from the root down to the value, each as its RLP. Nodes of less than 32 bytes stand within their
parents and are in no proof of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import rlp
from eth_utils.crypto import keccak
from rlp.exceptions import RLPException

from tallystick.errors import ProofInvalid

EMPTY_ROOT: Final = keccak(rlp.encode(b""))
_HASH: Final = 32
_BRANCH: Final = 17
_PAIR: Final = 2

Node = Any
"""As RLP has it: bytes, or a list of nodes."""


def index_key(index: int) -> bytes:
    """The key of a block's transaction or receipt with this number."""
    key: bytes = rlp.encode(index)
    return key


def nodes_by_hash(nodes: Iterable[bytes]) -> dict[bytes, bytes]:
    """The nodes of one proof or several, by what their parents know them by."""
    return {keccak(node): node for node in nodes}


# --- looking up -----------------------------------------------------------------------------------------------------


def proven_value(root: bytes, key: bytes, nodes: Mapping[bytes, bytes]) -> bytes | None:
    """What stands under a key in the trie with this root, None where it is proven that nothing does.

    `nodes` are those of the proof, by their hashes (`nodes_by_hash`). Raises ProofInvalid where one is missing, or is
    none.
    """
    if root == EMPTY_ROOT:
        return None
    path = _nibbles(key)
    node: Node = _resolved(root, nodes)
    at = 0
    while True:
        if len(node) == _BRANCH:
            if at == len(path):
                return _value(node[16])
            node, at = node[path[at]], at + 1
        else:
            part, is_leaf = _unpacked(node[0])
            if path[at : at + len(part)] != part:
                return None
            at += len(part)
            if is_leaf:
                return _value(node[1]) if at == len(path) else None
            node = node[1]
        if node == b"":
            return None
        node = _resolved(node, nodes)


def _resolved(reference: Node, nodes: Mapping[bytes, bytes]) -> Node:
    """The node that a parent refers to: by its hash, or as a part of itself."""
    node = reference
    if isinstance(reference, bytes):
        encoded = nodes.get(reference)
        if encoded is None:
            raise ProofInvalid(f"the proof has no node 0x{reference.hex()}, to which it leads: it is not whole")
        try:
            node = rlp.decode(encoded)
        except RLPException as error:
            raise ProofInvalid(f"node 0x{reference.hex()} of the proof is no RLP ({error})") from error
    if not isinstance(node, list) or len(node) not in {_BRANCH, _PAIR}:
        raise ProofInvalid("the proof leads to a node that is neither branch, extension nor leaf")
    return node


def _value(found: Node) -> bytes | None:
    if not isinstance(found, bytes):
        raise ProofInvalid("the proof has a node where a value should be")
    return found or None


# --- building -------------------------------------------------------------------------------------------------------


class Trie:
    """The trie of a block's transactions or receipts, each as its bytes, in their order."""

    def __init__(self, items: Sequence[bytes]) -> None:
        pairs = sorted((_nibbles(index_key(index)), item) for index, item in enumerate(items))
        self._nodes: dict[bytes, bytes] = {}
        top = self._built(pairs, 0) if pairs else b""
        encoded = rlp.encode(top)
        self.root: bytes = keccak(encoded)
        self._nodes[self.root] = encoded

    def proof(self, indexes: Iterable[int]) -> list[bytes]:
        """The nodes that prove the items with these numbers, each once, from the root down."""
        found: dict[bytes, None] = {}
        for index in indexes:
            kept = _Noted(self._nodes)
            proven_value(self.root, index_key(index), kept)
            found |= dict.fromkeys(kept.asked)
        return list(found)

    def _built(self, pairs: Sequence[tuple[Sequence[int], bytes]], depth: int) -> Node:
        """The node of all whose keys have the first `depth` nibbles in common."""
        if len(pairs) == 1:
            path, value = pairs[0]
            return [_packed(path[depth:], is_leaf=True), value]
        shared = _shared(pairs[0][0], pairs[-1][0], depth)
        if shared > depth:
            return [_packed(pairs[0][0][depth:shared], is_leaf=False), self._reference(self._built(pairs, shared))]
        branch: list[Node] = [b""] * _BRANCH
        start = 0
        if len(pairs[0][0]) == depth:  # sorted: a key that ends here is the first
            branch[16], start = pairs[0][1], 1
        while start < len(pairs):
            nibble, end = pairs[start][0][depth], start
            while end < len(pairs) and pairs[end][0][depth] == nibble:
                end += 1
            branch[nibble] = self._reference(self._built(pairs[start:end], depth + 1))
            start = end
        return branch

    def _reference(self, node: Node) -> Node:
        encoded = rlp.encode(node)
        if len(encoded) < _HASH:
            return node
        found = keccak(encoded)
        self._nodes[found] = encoded
        return found


class _Noted(Mapping[bytes, bytes]):
    """Nodes, of which it is noted which were asked for."""

    def __init__(self, nodes: Mapping[bytes, bytes]) -> None:
        self._nodes = nodes
        self.asked: list[bytes] = []

    def __getitem__(self, key: bytes) -> bytes:
        self.asked.append(self._nodes[key])
        return self._nodes[key]

    def __iter__(self) -> Any:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)


# --- paths ----------------------------------------------------------------------------------------------------------


def _nibbles(key: bytes) -> tuple[int, ...]:
    return tuple(nibble for byte in key for nibble in (byte >> 4, byte & 15))


def _shared(one: Sequence[int], other: Sequence[int], start: int) -> int:
    """How many nibbles are the same from the beginning on, of which `start` are known to be."""
    most = min(len(one), len(other))
    while start < most and one[start] == other[start]:
        start += 1
    return start


def _packed(path: Sequence[int], *, is_leaf: bool) -> bytes:
    """A part of a path with its kind and whether its length is odd ("hex prefix")."""
    odd = len(path) % 2
    nibbles = ((2 * is_leaf + odd) << 4 | path[0],) if odd else (2 * is_leaf << 4,)
    rest = path[odd:]
    return bytes(nibbles) + bytes(rest[at] << 4 | rest[at + 1] for at in range(0, len(rest), 2))


def _unpacked(packed: Node) -> tuple[tuple[int, ...], bool]:
    if not isinstance(packed, bytes) or not packed:
        raise ProofInvalid("the proof has a node whose path is no bytes")
    kind, first, *rest = _nibbles(packed)
    is_leaf, is_odd = bool(kind & 2), bool(kind & 1)
    if kind > 3 or (first and not is_odd):
        raise ProofInvalid(f"the proof has a node with the path 0x{packed.hex()}, which is none")
    return (first, *rest) if is_odd else tuple(rest), is_leaf
