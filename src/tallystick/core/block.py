"""What a block's hash commits to, as far as proofs need it: its header, and the logs of a transaction's receipt.

Source: Ethereum's Yellow Paper, section 4.4, with the headers of EIP-1559, EIP-4788, EIP-4844, EIP-4895 and EIP-7685
and the typed transactions and receipts of EIP-2718. What later forks append to a header is not read, and hashed all the
same.
"""

from __future__ import annotations

import functools
from typing import Any, Final, NamedTuple

import rlp
from eth_utils.crypto import keccak
from rlp.exceptions import RLPException

from tallystick.errors import ProofInvalid

_LEAST_FIELDS: Final = 15
_WORD: Final = 32
_BLOOM: Final = 256
_ADDRESS: Final = 20
_FIRST_OF_A_LIST: Final = 0xC0
"""From this byte on RLP is a list; what begins with less begins with its type (EIP-2718)."""


class SealedHeader(NamedTuple):
    """A block's header, by its own bytes. `time` is in Unix seconds, `bloom` what `may_have` asks."""

    hash: bytes
    number: int
    time: int
    parent_hash: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    bloom: bytes

    def may_have(self, value: bytes) -> bool:
        """Whether a log of the block may be of this address, or have this topic. False is certain."""
        return all(self.bloom[_BLOOM - 1 - bit // 8] >> bit % 8 & 1 for bit in _bits(value))


class ReceiptLog(NamedTuple):
    """A log as a receipt has it: the contract's 20 bytes, up to four topics of 32, and data."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


def parse_header(encoded: bytes) -> SealedHeader:
    """The header of which these are the bytes. Raises ProofInvalid where they are of none."""
    fields = _decoded(encoded, "a header")
    if len(fields) < _LEAST_FIELDS or not all(isinstance(field, bytes) for field in fields):
        raise ProofInvalid(f"a header of {len(fields)} fields is none: {_LEAST_FIELDS} or more are")
    roots = fields[0], fields[3], fields[4], fields[5]
    if any(len(root) != _WORD for root in roots):
        raise ProofInvalid("a header has a hash that is not 32 bytes long")
    parent, state, transactions, receipts = roots
    number, time = int.from_bytes(fields[8], "big"), int.from_bytes(fields[11], "big")
    if len(fields[6]) != _BLOOM:
        raise ProofInvalid(f"a header has a bloom of {len(fields[6])} bytes, {_BLOOM} are one")
    return SealedHeader(keccak(encoded), number, time, parent, state, transactions, receipts, fields[6])


@functools.lru_cache(maxsize=4_096)
def _bits(value: bytes) -> tuple[int, ...]:
    """Which of the bloom's 2,048 bits a value sets: eleven bits of each of the first three pairs of its hash."""
    digest = keccak(value)
    return tuple(int.from_bytes(digest[at : at + 2], "big") & 2_047 for at in (0, 2, 4))


def parse_logs(receipt: bytes) -> list[ReceiptLog]:
    """The logs of a receipt, of whatever type. Raises ProofInvalid for bytes that are none."""
    if not receipt:
        raise ProofInvalid("a receipt is empty")
    fields = _decoded(receipt if receipt[0] >= _FIRST_OF_A_LIST else receipt[1:], "a receipt")
    try:
        return [_log(*parts) for parts in fields[3]]
    except (IndexError, TypeError) as error:
        raise ProofInvalid(f"a receipt has not the form of one ({error})") from error


def _log(address: Any, topics: Any, data: Any) -> ReceiptLog:
    if len(address) != _ADDRESS or not isinstance(data, bytes) or any(len(topic) != _WORD for topic in topics):
        raise ProofInvalid("a receipt has a log that is none")
    return ReceiptLog(address, tuple(topics), data)


def _decoded(encoded: bytes, what: str) -> list[Any]:
    try:
        fields = rlp.decode(encoded)
    except RLPException as error:
        raise ProofInvalid(f"{what} is no RLP ({error})") from error
    if not isinstance(fields, list):
        raise ProofInvalid(f"{what} is no list")
    return fields
