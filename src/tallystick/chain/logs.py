"""Reads a contract's logs and refuses whatever a node should not have answered.

What is checked of every answer: all logs are ours, in the range asked for, in ascending order, each once, not removed,
and in the block that the node's own header names; and the node knows the last block of the range, with the same hash
before and after (a node that lags behind answers `[]` to a range it has not seen).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from tallystick.chain.decode import decode_event, event_names
from tallystick.chain.rpc import Rpc
from tallystick.core.events import Event, Origin
from tallystick.errors import NodeInvalid, RangeTooLarge

TARGET_LOGS: Final = 2_000
"""How many logs an answer should hold: larger ones cost memory, smaller ones round trips."""
FIRST_RANGE: Final = 1_000
LARGEST_RANGE: Final = 100_000
GROWTH: Final = 4


class _RawLog(msgspec.Struct, rename="camel", gc=False):
    address: str
    topics: tuple[str, ...]
    data: str
    block_number: str
    block_hash: str
    transaction_hash: str
    log_index: str
    removed: bool = False


class _RawHeader(msgspec.Struct, rename="camel", gc=False):
    number: str
    hash: str
    parent_hash: str
    timestamp: str


class Header(NamedTuple):
    """A block's header, as far as the mirror needs it. `time` is in Unix seconds."""

    number: int
    hash: bytes
    parent_hash: bytes
    time: int


class LogEntry(NamedTuple):
    """One log: where it stands, what it says, and the bytes that say it."""

    origin: Origin
    name: str
    topics: bytes
    data: bytes
    event: Event


class Chunk(NamedTuple):
    """The logs of the blocks from `start` to `end`, both included, in their order, and the header of `end`."""

    start: int
    end: Header
    logs: list[LogEntry]


class LogReader:
    """Reads the logs of one contract from one node."""

    def __init__(self, rpc: Rpc, contract: str, *, target_logs: int = TARGET_LOGS) -> None:
        self._rpc = rpc
        self._contract = contract.lower()
        self._target = target_logs
        self._range = FIRST_RANGE
        self._ceiling = LARGEST_RANGE

    def header(self, block: int | str) -> Header | None:
        """A header by number or tag (`latest`, `safe`, `finalized`); None where the node has no such block."""
        raw: _RawHeader | None = self._rpc.call(_RawHeader | None, "eth_getBlockByNumber", _block(block), False)
        return None if raw is None else _header(raw)

    def headers(self, numbers: Sequence[int]) -> list[Header]:
        """The headers of blocks that the node must know. Raises NodeInvalid where it does not."""
        raws: list[_RawHeader | None] = self._rpc.batch(
            _RawHeader | None, "eth_getBlockByNumber", [(_block(number), False) for number in numbers]
        )
        headers = []
        for number, raw in zip(numbers, raws, strict=True):
            header = None if raw is None else _header(raw)
            if header is None or header.number != number:
                raise NodeInvalid(f"{self._rpc.name} has no block {number}, which it should: it lags behind, wait")
            headers.append(header)
        return headers

    def read(self, start: int, end: int) -> Iterator[Chunk]:
        """The logs of the blocks from `start` to `end`, both included, in chunks sized by what the node answers.

        Raises NodeInvalid for an answer that cannot be right, RangeTooLarge when the node refuses a single block.
        """
        while start <= end:
            last = min(end, start + self._range - 1)
            try:
                chunk = self._read_chunk(start, last)
            except ValueError as error:
                raise NodeInvalid(
                    f"{self._rpc.name} answered blocks {start} to {last} with a number that is none ({error})"
                ) from error
            except RangeTooLarge:
                if last == start:
                    raise
                self._ceiling = self._range = max(1, (last - start + 1) // 2)
                continue
            self._adapt(len(chunk.logs), last - start + 1)
            yield chunk
            start = last + 1

    def _adapt(self, found: int, asked: int) -> None:
        wanted = asked * GROWTH if found == 0 else asked * self._target // found
        self._range = max(1, min(wanted, asked * GROWTH, self._ceiling))

    def _read_chunk(self, start: int, end: int) -> Chunk:
        before = self.headers([end])[0]
        raws: list[_RawLog] = self._rpc.call(
            list[_RawLog],
            "eth_getLogs",
            {"address": self._contract, "fromBlock": hex(start), "toBlock": hex(end)},
        )
        headers = {
            header.number: header for header in self.headers(sorted({int(raw.block_number, 16) for raw in raws}))
        }
        after = headers.get(end) or self.headers([end])[0]
        if after.hash != before.hash:
            raise NodeInvalid(f"{self._rpc.name} replaced block {end} while its logs were read: read again")
        return Chunk(start, before, self._check(raws, start, end, headers))

    def _check(self, raws: list[_RawLog], start: int, end: int, headers: dict[int, Header]) -> list[LogEntry]:
        names = event_names()
        logs = []
        previous = (-1, -1)
        for raw in raws:
            number, index = int(raw.block_number, 16), int(raw.log_index, 16)
            header = headers[number]
            name = names.get(raw.topics[0]) if raw.topics else None
            block_hash = bytes.fromhex(raw.block_hash[2:])
            if (
                name is None
                or raw.address.lower() != self._contract
                or raw.removed
                or not start <= number <= end
                or (number, index) <= previous
                or block_hash != header.hash
            ):
                raise NodeInvalid(
                    f"{self._rpc.name}, asked for the logs of {self._contract} in blocks {start} to {end}, answered "
                    f"with log {index} of block {number} ({raw.block_hash}) of {raw.address}, which has no place "
                    "there: ask another node"
                )
            previous = (number, index)
            topics = bytes.fromhex("".join([topic[2:] for topic in raw.topics[1:]]))
            data = bytes.fromhex(raw.data[2:])
            origin = Origin(number, block_hash, header.time, bytes.fromhex(raw.transaction_hash[2:]), index)
            logs.append(LogEntry(origin, name, topics, data, decode_event(name, topics, data)))
        return logs


def _block(block: int | str) -> str:
    return hex(block) if isinstance(block, int) else block


def _header(raw: _RawHeader) -> Header:
    return Header(
        int(raw.number, 16),
        bytes.fromhex(raw.hash[2:]),
        bytes.fromhex(raw.parent_hash[2:]),
        int(raw.timestamp, 16),
    )
