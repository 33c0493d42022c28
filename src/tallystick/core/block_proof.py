"""Proofs that logs are in a block: what a block's hash commits to, cut down to the transactions that matter.

A receipt says neither the hash of its transaction nor the place of its logs in the block. The hash is that of the
transaction's own bytes, which the proof has beside the receipt. The number of the first log is told, and is not proven:
it depends on all receipts before. What it may be is bounded: later receipts have later logs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec
import rlp
from eth_utils.crypto import keccak
from rlp.exceptions import RLPException

from tallystick.core.block import ReceiptLog, SealedHeader, parse_header, parse_logs
from tallystick.core.events import Origin
from tallystick.core.trie import Trie, index_key, nodes_by_hash, proven_value
from tallystick.errors import ProofInvalid

_WORDS_OF_A_SIGNATURE = 2


class TransactionPlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One transaction of a block: its number, that of its first log in the block, and, where it has no signature, who
    sent it. Test nodes make such transactions, for accounts whose keys they do not have."""

    index: int
    first_log: int
    sender: str | None = None


class BlockProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A block's header and those of its transactions that matter, with the nodes of both tries that prove them. Bytes
    are hex without 0x."""

    header: str
    transactions: list[TransactionPlace] = []
    receipt_nodes: list[str] = []
    transaction_nodes: list[str] = []


class ProvenLog(NamedTuple):
    """A log with where it is."""

    origin: Origin
    log: ReceiptLog


class ProvenBlock(NamedTuple):
    """A block's header and the logs of its transactions that matter; how many those are, and have no signature."""

    header: SealedHeader
    logs: list[ProvenLog]
    transactions: int
    unsigned: int


def prove_block(header: bytes, transactions: Trie, receipts: Trie, places: Collection[TransactionPlace]) -> BlockProof:
    """The proof of a block's transactions at these places."""
    indexes = [place.index for place in places]
    return BlockProof(
        header.hex(),
        sorted(places, key=lambda place: place.index),
        [node.hex() for node in receipts.proof(indexes)] if indexes else [],
        [node.hex() for node in transactions.proof(indexes)] if indexes else [],
    )


def read_proof(proof: BlockProof) -> ProvenBlock:
    """What a proof proves, given its header's hash. Raises ProofInvalid."""
    try:
        header = parse_header(bytes.fromhex(proof.header))
        receipts = nodes_by_hash(bytes.fromhex(node) for node in proof.receipt_nodes)
        transactions = nodes_by_hash(bytes.fromhex(node) for node in proof.transaction_nodes)
    except ValueError as error:
        raise ProofInvalid(f"a block's proof is no hex ({error})") from error
    logs: list[ProvenLog] = []
    unsigned, last, next_log = 0, -1, 0
    for place in proof.transactions:
        if place.index <= last or place.first_log < next_log:
            raise ProofInvalid(f"block {header.number} has transactions or logs that are not in their order")
        key, last = index_key(place.index), place.index
        receipt = proven_value(header.receipts_root, key, receipts)
        transaction = proven_value(header.transactions_root, key, transactions)
        if receipt is None or transaction is None:
            raise ProofInvalid(f"block {header.number} has no transaction {place.index}")
        unsigned += place.sender is not None
        found = transaction_hash(transaction, place.sender)
        parsed = parse_logs(receipt)
        next_log = place.first_log + len(parsed)
        for number, log in enumerate(parsed, place.first_log):
            logs.append(ProvenLog(Origin(header.number, header.hash, header.time, found, number), log))
    return ProvenBlock(header, logs, len(proof.transactions), unsigned)


def transaction_hash(encoded: bytes, sender: str | None = None) -> bytes:
    """A transaction's hash. One without a signature has on Anvil that of its RLP and its sender, so that two senders'
    transactions differ. Raises ProofInvalid where a sender is told of one that is signed."""
    if sender is None:
        return keccak(encoded)
    try:
        fields: Sequence[object] = rlp.decode(encoded if encoded[0] >= 0xC0 else encoded[1:])
    except RLPException as error:
        raise ProofInvalid(f"a transaction is no RLP ({error})") from error
    if any(fields[-_WORDS_OF_A_SIGNATURE:]):
        raise ProofInvalid("a transaction that is signed is told to have no signature")
    wrapped: bytes = rlp.encode(encoded) if encoded[0] < 0xC0 else encoded
    return keccak(wrapped + bytes.fromhex(sender.removeprefix("0x")))
