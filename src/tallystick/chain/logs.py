"""Reads a contract's logs and refuses whatever a node should not have answered.

What is checked of every answer: all logs are ours, in the range asked for, in ascending order, each once, not removed,
and in the block that the node's own header names; the node knows the first and the last block of the range, with the
same hashes before and after (a node that lags behind answers `[]` to a range it has not seen); and the first block
follows the range before it (behind one address may be nodes on different branches).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Final, NamedTuple, Protocol

import msgspec

from tallystick.chain import transfers
from tallystick.chain.decode import LAST_TIME, SUBSCRIPTIONS
from tallystick.chain.decoder import Decoder
from tallystick.chain.rpc import Rpc
from tallystick.core.events import Origin
from tallystick.errors import NodeError, NodeInvalid, NodeRefused, NodeUnreachable, RangeTooLarge

TARGET_LOGS: Final = 2_000
"""How many logs an answer should hold: larger ones cost memory, smaller ones round trips."""
FIRST_LOGS_PER_BLOCK: Final = 10
"""How dense the first range is taken to be: what is denser costs memory once."""
LARGEST_RANGE: Final = 100_000
GROWTH: Final = 4
PATIENCE: Final = 20
"""After so many ranges below a ceiling that the node set, a larger one is tried: it may have counted logs."""
LAST_BLOCK_TIME: Final = LAST_TIME - 101 * 366 * 86_400
"""The longest period after it, a hundred years, still ends within the calendar."""
_MOST_INDEX: Final = 2**63 - 1
_SUGGESTED_RANGE: Final = re.compile(r"\[\s*(0x[0-9a-fA-F]{1,16})\s*,\s*(0x[0-9a-fA-F]{1,16})\s*\]")

_Word = Annotated[str, msgspec.Meta(min_length=66, max_length=66)]
_Quantity = Annotated[str, msgspec.Meta(max_length=66)]


Topic = str | list[str] | None
"""A word that a log must have at a place, one of some, or any."""


class _RawLog(msgspec.Struct, rename="camel", gc=False):
    address: str
    topics: tuple[_Word, ...]
    data: str
    block_number: _Quantity
    block_hash: _Word
    transaction_hash: _Word
    log_index: _Quantity
    removed: bool = False


class _RawHeader(msgspec.Struct, rename="camel", gc=False):
    number: _Quantity
    hash: _Word
    parent_hash: _Word
    timestamp: _Quantity


class Header(NamedTuple):
    """A block's header, as far as the mirror needs it. `time` is in Unix seconds."""

    number: int
    hash: bytes
    parent_hash: bytes
    time: int


class LogEntry(NamedTuple):
    """One log: where it stands, what it says, and the bytes that say it. The event is one of the reader's contract."""

    origin: Origin
    name: str
    topics: bytes
    data: bytes
    event: Any


class Chunk(NamedTuple):
    """The logs of the blocks from `start` to `end`, both included, in their order, and the header of `end`."""

    start: int
    end: Header
    logs: list[LogEntry]


class _Begun(NamedTuple):
    """A range whose logs were asked for: its first and last block, as the node had them before, and what waits for the
    logs."""

    first: Header
    last: Header
    answer: Callable[[], list[_RawLog]]

    @property
    def start(self) -> int:
        return self.first.number

    @property
    def end(self) -> int:
        return self.last.number


class ChainLogs(Protocol):
    """Logs of a contract, in the blocks that they are in; `LogReader` says what each means."""

    def header(self, block: int | str) -> Header | None: ...

    def headers(self, numbers: Sequence[int]) -> list[Header]: ...

    def read(self, start: int, end: int, *, parent: bytes = b"") -> Iterator[Chunk]: ...


class LogReader:
    """Reads the logs of one contract from one node. Raises NodeInvalid for whatever cannot be right.

    `decoder` knows its events. `topics`: only those logs whose topics are these, place by place, as `eth_getLogs` takes
    them. `watched`: also transfers of any token to these addresses, in lower case, each from a block on.
    """

    def __init__(
        self,
        rpc: Rpc,
        contract: str,
        *,
        decoder: Decoder[Any] = SUBSCRIPTIONS,
        target_logs: int = TARGET_LOGS,
        topics: Sequence[Topic] = (),
        watched: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._rpc = rpc
        self._decoder = decoder
        self._contract = contract.lower()
        self._topics = list(topics)
        self._watched = watched
        self._target = target_logs
        self._range = max(1, target_logs // FIRST_LOGS_PER_BLOCK)
        self._ceiling = LARGEST_RANGE
        self._calm = 0

    def header(self, block: int | str) -> Header | None:
        """A header by number or tag (`latest`, `safe`, `finalized`); None where the node has no such block."""
        raw: _RawHeader | None = self._rpc.call(_RawHeader | None, "eth_getBlockByNumber", _block(block), False)
        return None if raw is None else self._header(raw, block)

    def headers(self, numbers: Sequence[int]) -> list[Header]:
        """The headers of blocks that the node must know. Raises NodeInvalid where it does not."""
        headers = self._known_headers(numbers)
        for number in numbers:
            if number not in headers:
                raise NodeInvalid(f"{self._rpc.name} has no block {number}, which it should: it lags behind, wait")
        return [headers[number] for number in numbers]

    def _known_headers(self, numbers: Sequence[int]) -> dict[int, Header]:
        """By number, of those blocks that the node knows."""
        raws: list[_RawHeader | None] = self._rpc.batch(
            _RawHeader | None, "eth_getBlockByNumber", [(_block(number), False) for number in numbers]
        )
        return {number: self._header(raw, number) for number, raw in zip(numbers, raws, strict=True) if raw is not None}

    def _header(self, raw: _RawHeader, asked: int | str) -> Header:
        try:
            number, time = int(raw.number, 16), int(raw.timestamp, 16)
            header = Header(number, _word(raw.hash), _word(raw.parent_hash), time)
        except ValueError as error:
            raise NodeInvalid(f"{self._rpc.name} has a block {asked} that cannot be read ({error})") from error
        if not 0 <= number <= _MOST_INDEX or number != (asked if isinstance(asked, int) else number):
            raise NodeInvalid(f"{self._rpc.name}, asked for block {asked}, answered with block {number}: use another")
        if not 0 <= time <= LAST_BLOCK_TIME:
            raise NodeInvalid(
                f"block {number} of {self._rpc.name} has the time {time}, allowed is 0 to {LAST_BLOCK_TIME}: use "
                "another node"
            )
        return header

    def read(self, start: int, end: int, *, parent: bytes = b"") -> Iterator[Chunk]:
        """The logs of the blocks from `start` to `end`, both included, in chunks sized by what the node answers.

        `parent` is the hash of the block before `start` where it is known. Raises RangeTooLarge when the node refuses a
        single block.
        """
        begun: _Begun | None = None
        while start <= end:
            try:
                begun = begun or self._begin(start, min(end, start + self._range - 1))
                chunk, begun = self._complete(begun, parent, end)
            except RangeTooLarge as error:
                last = begun.end if begun else start
                if last == start:
                    raise
                self._shrink(start, last, error)
                begun = None
                continue
            yield chunk
            start, parent = chunk.end.number + 1, chunk.end.hash

    def _shrink(self, start: int, last: int, error: RangeTooLarge) -> None:
        """To what the node suggests in its error, else to a half."""
        half = (last - start + 1) // 2
        suggested = _SUGGESTED_RANGE.search(str(error))
        if suggested and int(suggested[1], 16) == start:
            half = min(last - start, max(1, int(suggested[2], 16) - start + 1))
        self._ceiling = self._range = half
        self._calm = 0

    def _adapt(self, found: int, asked: int) -> None:
        self._calm += 1
        if self._calm % PATIENCE == 0:
            self._ceiling = min(LARGEST_RANGE, self._ceiling * 2)
        wanted = asked * GROWTH if found == 0 else asked * self._target // found
        self._range = max(1, min(wanted, asked * GROWTH, self._ceiling))

    def _begin(self, start: int, end: int) -> _Begun:
        """Asks for the logs of a range, and does not wait."""
        edges = self.headers(sorted({start, end}))
        return self._begin_between(edges[0], edges[-1])

    def _begin_between(self, first: Header, last: Header) -> _Begun:
        query: dict[str, object] = {
            "address": self._contract,
            "fromBlock": hex(first.number),
            "toBlock": hex(last.number),
        }
        if self._topics:
            query["topics"] = self._topics
        return _Begun(first, last, self._rpc.begin(list[_RawLog], "eth_getLogs", query))

    def _complete(self, begun: _Begun, parent: bytes, until: int) -> tuple[Chunk, _Begun | None]:
        """The range that was asked for, once the next one is, up to block `until`: the node works while we do."""
        start, end = begun.start, begun.end
        if parent and begun.first.parent_hash != parent:
            raise NodeInvalid(
                f"block {start} of {self._rpc.name} does not follow the block read before it: the node changed its "
                "branch, read again"
            )
        raws = self._raw_logs(begun)
        try:
            numbers = {int(text, 16) for text in {raw.block_number for raw in raws}}
            if not all(start <= number <= end for number in numbers):
                raise NodeInvalid(
                    f"{self._rpc.name}, asked for blocks {start} to {end}, answered with logs of blocks {min(numbers)} "
                    f"to {max(numbers)}: ask another node"
                )
            self._adapt(len(raws), end - start + 1)
            following = {end + 1, min(until, end + self._range)} if end < until else set()
            headers = self._known_headers(sorted(numbers | {start, end} | following))
            if missing := sorted((numbers | {start, end}) - headers.keys()):
                raise NodeInvalid(f"{self._rpc.name} has no block {missing[0]}, which it should: it lags behind, wait")
            if any(headers[edge.number].hash != edge.hash for edge in (begun.first, begun.last)):
                raise NodeInvalid(
                    f"{self._rpc.name} replaced block {start} or {end} while its logs were read: read again"
                )
            edges = [headers[number] for number in sorted(following) if number in headers]
            begun_next = self._begin_between(edges[0], edges[-1]) if edges and len(edges) == len(following) else None
            return Chunk(start, begun.last, self._check(raws, start, end, headers)), begun_next
        except ValueError as error:
            raise NodeInvalid(
                f"{self._rpc.name} answered blocks {start} to {end} with a number that is none ({error})"
            ) from error

    def _raw_logs(self, begun: _Begun) -> list[_RawLog]:
        try:
            raws: list[_RawLog] = begun.answer()
            if self._watched:
                raws = self._with_transfers(raws, begun.start, begun.end)
        except NodeError as error:
            # A server that gives up does so over the length of the answer, unless it is down: the next call tells.
            gave_up = isinstance(error, NodeUnreachable) or (isinstance(error, NodeRefused) and error.retryable)
            if gave_up and begun.end > begun.start:
                raise RangeTooLarge(str(error)) from error
            raise
        return raws

    def _with_transfers(self, raws: list[_RawLog], start: int, end: int) -> list[_RawLog]:
        """Our logs and the transfers that are watched, in the order of the chain."""
        asked = [(query,) for query in transfers.queries(self._watched, start, end)]
        if not asked:
            return raws
        answers: list[list[_RawLog]] = self._rpc.batch(list[_RawLog], "eth_getLogs", asked)
        found = [raw for answer in answers for raw in answer]
        for raw in found:
            if not transfers.is_answer(raw.topics, self._watched):
                raise NodeInvalid(
                    f"{self._rpc.name}, asked for transfers to deposit addresses in blocks {start} to {end}, answered "
                    f"with another log of {raw.address}: ask another node"
                )
        try:
            return sorted(raws + found, key=lambda raw: (int(raw.block_number, 16), int(raw.log_index, 16)))
        except ValueError as error:
            raise NodeInvalid(
                f"{self._rpc.name} answered blocks {start} to {end} with a number that is none ({error})"
            ) from error

    def _check(self, raws: list[_RawLog], start: int, end: int, headers: dict[int, Header]) -> list[LogEntry]:
        names, decode = self._decoder.names(), self._decoder.decode
        logs = []
        previous = (-1, -1)
        block = transaction = address = ""
        is_ours, number, header, block_hash, transaction_hash = False, start, headers[start], "", b""
        for raw in raws:
            # What is the same as in the log before is not read again.
            if raw.block_number != block:
                block = raw.block_number
                number = int(block, 16)
                header = headers[number]
                block_hash = "0x" + header.hash.hex()
            if raw.transaction_hash != transaction:
                transaction = raw.transaction_hash
                transaction_hash = bytes.fromhex(transaction[2:])
            if raw.address != address:
                address = raw.address
                is_ours = address.lower() == self._contract
            index = int(raw.log_index, 16)
            name = names.get(raw.topics[0]) if raw.topics and is_ours else None
            if not is_ours and self._watched and transfers.is_answer(raw.topics, self._watched):
                name = transfers.TRANSFER
            if (
                name is None
                or raw.removed
                or (number, index) <= previous
                or not 0 <= index <= _MOST_INDEX
                or (raw.block_hash != block_hash and raw.block_hash.lower() != block_hash)
                or len(transaction_hash) != 32
            ):
                raise NodeInvalid(
                    f"{self._rpc.name}, asked for the logs of {self._contract} in blocks {start} to {end}, answered "
                    f"with log {index} of block {number} ({raw.block_hash}) of {raw.address}, which has no place "
                    "there: ask another node"
                )
            previous = (number, index)
            if is_ours:
                topics = bytes.fromhex("".join([topic[2:] for topic in raw.topics[1:]]))
                data = bytes.fromhex(raw.data[2:])
            elif transfers.is_counted(raw.topics, raw.data, number, self._watched):
                topics, data = transfers.words_of(raw.address, raw.topics, raw.data)
            else:
                continue
            origin = Origin(number, header.hash, header.time, transaction_hash, index)
            logs.append(LogEntry(origin, name, topics, data, decode(name, topics, data)))
        return logs


def _block(block: int | str) -> str:
    return hex(block) if isinstance(block, int) else block


def _word(text: str) -> bytes:
    word = bytes.fromhex(text[2:])
    if len(word) != 32:
        raise ValueError(f"{text!r} is no hash")
    return word
