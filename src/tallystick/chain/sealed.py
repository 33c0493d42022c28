"""Blocks as their hashes are made of them: headers, transactions and receipts of a node's JSON back into bytes.

Nodes give no proofs of receipts. They give what a block has, from which header, trie and hash follow, so that whatever
a node gets wrong is noticed here. Types of transactions: those of Ethereum up to EIP-7702, and the deposits of the OP
stack (https://specs.optimism.io/protocol/deposits.html).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import rlp

from tallystick.chain.rpc import Rpc
from tallystick.core.block import SealedHeader, parse_header, parse_logs
from tallystick.core.block_proof import ProvenLog, TransactionPlace, transaction_hash
from tallystick.core.events import Origin
from tallystick.core.trie import Trie
from tallystick.errors import NodeRefused, Unprovable

OF_EVERY_HEADER: Final = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom"),
    *("difficulty#", "number#", "gasLimit#", "gasUsed#", "timestamp#", "extraData", "mixHash", "nonce"),
)
OF_LATER_HEADERS: Final = (
    *("baseFeePerGas#", "withdrawalsRoot", "blobGasUsed#", "excessBlobGas#", "parentBeaconBlockRoot", "requestsHash"),
)
"""In the order of the forks that brought them; `#` marks a number, which is written without leading zeros."""
_FEES: Final = ("maxPriorityFeePerGas#", "maxFeePerGas#")
_CALL: Final = ("gas#", "to", "value#", "input")
_SIGNED: Final = ("yParity#", "r#", "s#")
TRANSACTIONS: Final[Mapping[int, tuple[str, ...]]] = {
    0: ("nonce#", "gasPrice#", *_CALL, "v#", "r#", "s#"),
    1: ("chainId#", "nonce#", "gasPrice#", *_CALL, "accessList", *_SIGNED),
    2: ("chainId#", "nonce#", *_FEES, *_CALL, "accessList", *_SIGNED),
    3: (
        *("chainId#", "nonce#", *_FEES, *_CALL, "accessList", "maxFeePerBlobGas#", "blobVersionedHashes"),
        *_SIGNED,
    ),
    4: ("chainId#", "nonce#", *_FEES, *_CALL, "accessList", "authorizationList", *_SIGNED),
    0x7E: ("sourceHash", "from", "to", "mint#", "value#", "gas#", "isSystemTx", "input"),
}
"""The fields of each type, by their names in JSON, in the order in which they are hashed."""


class SealedBlock(NamedTuple):
    """A block with everything in it: header and tries fit together. `places` are those of its transactions that have
    logs, by their hashes, `logs` all of its logs."""

    header: bytes
    transactions: Trie
    receipts: Trie
    places: dict[bytes, TransactionPlace]
    logs: list[ProvenLog]


def read_sealed(rpc: Rpc, number: int) -> SealedBlock:
    """A block of a node, whole. Raises Unprovable where the node's parts do not make its hash: it left something out,
    or the chain has blocks of another kind than Ethereum's; NodeError."""
    block: dict[str, Any] | None = rpc.call(dict[str, Any] | None, "eth_getBlockByNumber", hex(number), True)
    if block is None:
        raise Unprovable(f"{rpc.name} has no block {number}: wait until it has, or ask another node")
    try:
        header_bytes, told = encode_header(block), _receipts(rpc, block)
        senders = [_sender(transaction) for transaction in block["transactions"]]
        transactions = [
            encode_transaction(transaction, sender)
            for transaction, sender in zip(block["transactions"], senders, strict=True)
        ]
        receipts = [encode_receipt(receipt) for receipt in told]
        places = {
            transaction_hash(transaction, sender): TransactionPlace(index, first, sender)
            for index, (transaction, sender, receipt, first) in enumerate(
                zip(transactions, senders, told, _first_logs(told), strict=True)
            )
            if receipt["logs"]
        }
    except (KeyError, ValueError, TypeError) as error:
        raise Unprovable(
            f"{rpc.name} has a block {number} that is not of a kind known here ({error!r}): its events cannot be proven"
        ) from error
    header = parse_header(header_bytes)
    tries = Trie(transactions), Trie(receipts)
    made = {
        "header": ("0x" + header.hash.hex(), block["hash"]),
        "transactions": (tries[0].root, header.transactions_root),
        "receipts": (tries[1].root, header.receipts_root),
    }
    if wrong := [name for name, (found, expected) in made.items() if found != expected]:
        raise Unprovable(
            f"the {wrong[0]} of block {number}, as {rpc.name} gave it, do not make its hash {block['hash']}: ask "
            "another node; if all say so, the chain has blocks of another kind, and its events cannot be proven"
        )
    return SealedBlock(header_bytes, *tries, places, list(_logs(header, receipts, places)))


def _first_logs(receipts: Sequence[Mapping[str, Any]]) -> Iterator[int]:
    """The number of each receipt's first log in the block: what nodes call its index, and where they may be wrong."""
    number = 0
    for receipt in receipts:
        yield number
        number += len(receipt["logs"])


def _logs(
    header: SealedHeader, receipts: Sequence[bytes], places: Mapping[bytes, TransactionPlace]
) -> Iterator[ProvenLog]:
    """In their order, each with its number in the block: all of them are there."""
    number = 0
    for transaction, place in places.items():
        for log in parse_logs(receipts[place.index]):
            yield ProvenLog(Origin(header.number, header.hash, header.time, transaction, number), log)
            number += 1


def _receipts(rpc: Rpc, block: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All of a block, one by one where the node cannot give them together."""
    try:
        found: list[dict[str, Any]] = rpc.call(list[dict[str, Any]], "eth_getBlockReceipts", block["number"])
    except NodeRefused:
        asked = [(transaction["hash"],) for transaction in block["transactions"]]
        found = rpc.batch(dict[str, Any], "eth_getTransactionReceipt", asked)
    return found


def encode_header(block: Mapping[str, Any]) -> bytes:
    """The bytes that are hashed."""
    later = [name for name in OF_LATER_HEADERS if block.get(name.rstrip("#")) is not None]
    encoded: bytes = rlp.encode([_field(block, name) for name in (*OF_EVERY_HEADER, *later)])
    return encoded


def _sender(transaction: Mapping[str, Any]) -> str | None:
    """Of a transaction that nobody signed; a test node has sent it for an account whose key it does not have."""
    return None if any(int(transaction.get(part) or "0x1", 16) for part in ("r", "s")) else str(transaction["from"])


def encode_transaction(transaction: Mapping[str, Any], sender: str | None = None) -> bytes:
    """The bytes that are hashed: the type, unless it is the first one, and the fields. Raises ValueError where they do
    not make its hash."""
    kind = int(transaction.get("type") or "0x0", 16)
    encoded: bytes = _typed(kind, [_field(transaction, name) for name in TRANSACTIONS[kind]])
    if "0x" + transaction_hash(encoded, sender).hex() != transaction["hash"]:
        raise ValueError(f"transaction {transaction['hash']} of type {kind}")
    return encoded


def encode_receipt(receipt: Mapping[str, Any]) -> bytes:
    """The bytes that are hashed."""
    outcome = _number(receipt["status"]) if receipt.get("status") is not None else _bytes(receipt["root"])
    logs = [[_bytes(log["address"]), [*map(_bytes, log["topics"])], _bytes(log["data"])] for log in receipt["logs"]]
    fields = [outcome, _number(receipt["cumulativeGasUsed"]), _bytes(receipt["logsBloom"]), logs]
    fields += [_number(receipt[name]) for name in ("depositNonce", "depositReceiptVersion") if receipt.get(name)]
    return _typed(int(receipt.get("type") or "0x0", 16), fields)


def _typed(kind: int, fields: Sequence[Any]) -> bytes:
    encoded: bytes = rlp.encode(fields)
    return bytes([kind]) + encoded if kind else encoded


def _field(document: Mapping[str, Any], name: str) -> Any:
    """As RLP takes it. What is not there is empty: nobody, or nothing."""
    if name.endswith("#"):
        value = document.get(name[:-1])
        if value is None and name == "yParity#":
            value = document["v"]
        return _number(value or "0x0")
    value = document.get(name)
    match name:
        case "accessList":
            return [[_bytes(entry["address"]), [*map(_bytes, entry["storageKeys"])]] for entry in value or ()]
        case "authorizationList":
            return [
                [_field(entry, part) for part in ("chainId#", "address", "nonce#", *_SIGNED)] for entry in value or ()
            ]
        case "blobVersionedHashes":
            return [*map(_bytes, value or ())]
        case "isSystemTx":
            return _number("0x1" if value else "0x0")
    return _bytes(value or "0x")


def _number(text: str) -> bytes:
    number = int(text, 16)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
