"""Merkle-Patricia tries, compared with the `trie` library of the Ethereum Foundation."""

from __future__ import annotations

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from tallystick.core.trie import EMPTY_ROOT, Trie, index_key, nodes_by_hash, proven_value
from tallystick.errors import ProofInvalid

ITEMS = st.lists(st.binary(min_size=1, max_size=80), max_size=300)
WHOLE = st.dictionaries(st.binary(min_size=1, max_size=4), st.binary(min_size=1, max_size=60), max_size=40)


def of_the_library(items: dict[bytes, bytes]) -> HexaryTrie:
    trie = HexaryTrie({})
    for key, value in items.items():
        trie[key] = value
    return trie


@given(ITEMS, st.data())
def test_a_block_s_trie_is_that_of_the_library_and_proves_each_item(items: list[bytes], data: st.DataObject) -> None:
    trie = Trie(items)
    assert trie.root == of_the_library({rlp.encode(index): item for index, item in enumerate(items)}).root_hash
    asked = data.draw(st.sets(st.integers(0, len(items) - 1), max_size=5)) if items else set()
    nodes = nodes_by_hash(trie.proof(asked))
    for index in asked:
        assert proven_value(trie.root, index_key(index), nodes) == items[index]
    assert proven_value(EMPTY_ROOT, index_key(0), {}) is None


@given(WHOLE, st.binary(min_size=1, max_size=4))
def test_whatever_a_trie_has_and_has_not_is_proven(items: dict[bytes, bytes], other: bytes) -> None:
    """By the library's proofs: as accounts and storage are."""
    trie = of_the_library(items)
    for key in [*items, other]:
        nodes = nodes_by_hash(rlp.encode(node) for node in trie.get_proof(key))
        assert proven_value(trie.root_hash, key, nodes) == items.get(key)


@given(st.lists(st.binary(min_size=32, max_size=80), min_size=1, max_size=200), st.data())
def test_a_proof_with_a_byte_changed_or_a_node_missing_proves_nothing(items: list[bytes], data: st.DataObject) -> None:
    trie = Trie(items)
    index = data.draw(st.integers(0, len(items) - 1))
    proof = trie.proof([index])
    place = data.draw(st.integers(0, len(proof) - 1))
    node = bytearray(proof[place])
    at = data.draw(st.integers(0, len(node) - 1))
    node[at] ^= data.draw(st.integers(1, 255))
    for wrong in ([*proof[:place], bytes(node), *proof[place + 1 :]], [*proof[:place], *proof[place + 1 :]]):
        with pytest.raises(ProofInvalid, match="it is not whole"):
            proven_value(trie.root, index_key(index), nodes_by_hash(wrong))


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (b"\xf8", "is no RLP"),
        (rlp.encode(b"x" * 40), "neither branch, extension nor leaf"),
        (rlp.encode([b"a", b"b", b"c"]), "neither branch, extension nor leaf"),
        (rlp.encode([[], b"v"]), "whose path is no bytes"),
        (rlp.encode([b"", b"v"]), "whose path is no bytes"),
        (rlp.encode([b"\x05", b"v"]), "with the path 0x05"),
        (rlp.encode([b"\x40", b"v"]), "with the path 0x40"),
        (rlp.encode([b"\x20\x80", [b"v"]]), "where a value should be"),
    ],
)
def test_what_is_no_node_is_refused(node: bytes, message: str) -> None:
    nodes = nodes_by_hash([node])
    (root,) = nodes
    with pytest.raises(ProofInvalid, match=message):
        proven_value(root, index_key(0), nodes)
