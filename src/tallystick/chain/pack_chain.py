"""A chain as an audit pack has it: logs by proofs that they are in blocks, counts by proofs of storage.

In an audit it stands in a node's place. What it proves, it proves given the hashes of its blocks. What a token says of
itself (symbol, decimals, balances) it cannot prove: it gives back what the node said with which the pack was made, and
counts how often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from tallystick.chain import transfers
from tallystick.chain.decoder import Decoder
from tallystick.chain.logs import Chunk, Header, LogEntry
from tallystick.chain.rpc import Rpc
from tallystick.core.block_proof import ProvenBlock, ProvenLog
from tallystick.core.views import answer
from tallystick.errors import NodeInvalid, NodeRefused, ProofInvalid

CHUNK_LOGS: Final = 5_000


class Told(NamedTuple):
    """What a node answered a call: hex, or else with which code and words it refused."""

    answer: str | None
    code: int = 0
    refusal: str = ""


class CallKey(NamedTuple):
    """A call by which an answer is found again: of what contract, in lower case, with which data, in which block."""

    to: str
    data: str
    block: str


def call_key(call: Mapping[str, Any], block: str) -> CallKey:
    """The key of an `eth_call`."""
    return CallKey(str(call["to"]).lower(), str(call["data"]), block)


class RecordingRpc(Rpc):
    """A node, of which it is kept what contracts answered."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.told: dict[CallKey, Told] = {}

    def call(self, kind: Any, method: str, *params: Any) -> Any:
        """As the node answers it."""
        if method != "eth_call":
            return super().call(kind, method, *params)
        try:
            found = super().call(kind, method, *params)
        except NodeRefused as error:
            self.told[call_key(*params)] = Told(None, error.code or 0, str(error))
            raise
        self.told[call_key(*params)] = Told(found)
        return found

    def batch(self, kind: Any, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """As the node answers it. Of calls that failed together each is asked alone by whoever wants to know."""
        found = super().batch(kind, method, params)
        if method == "eth_call":
            for asked, one in zip(params, found, strict=True):
                self.told[call_key(*asked)] = Told(one)
        return found


class ProvenState(NamedTuple):
    """A contract after a block: its code, and what reads its storage."""

    code: bytes
    read: Callable[[int], int]


class PackChain:
    """The chain of a pack. `blocks` are those that matter, by their numbers, `kinds` what kinds of sources
    contracts are, `states` contracts after blocks (number in hex), `told` what else a node answered; addresses in lower
    case. `proven_calls` and `told_calls` are what was asked."""

    name = "the pack"

    def __init__(
        self,
        chain_id: int,
        blocks: Mapping[int, ProvenBlock],
        kinds: Mapping[str, str],
        states: Mapping[tuple[str, str], ProvenState],
        told: Mapping[CallKey, Told],
    ) -> None:
        self._chain_id = chain_id
        self._blocks = dict(sorted(blocks.items()))
        self._kinds = kinds
        self._states = states
        self._told = told
        self.proven_calls: set[CallKey] = set()
        self.told_calls: set[CallKey] = set()

    def call(self, kind: Any, method: str, *params: Any) -> Any:  # noqa: ARG002 (as a node has it)
        """What a contract answers. Raises NodeRefused for what is not in the pack."""
        if method != "eth_call":
            raise NodeRefused(f"the pack cannot answer {method}: ask a node")
        key = call_key(*params)
        if key.to in self._kinds:
            return self._proven(key)
        told = self._told.get(key)
        if told is None:
            raise NodeRefused(f"the pack does not have what {key.to} answered {key.data[:10]} in block {key.block}")
        self.told_calls.add(key)
        if told.answer is None:
            raise NodeRefused(told.refusal, code=told.code)
        return told.answer

    def _proven(self, key: CallKey) -> str:
        """Of a contract of ours nothing is believed that is not proven."""
        state = self._states.get((key.to, key.block))
        found = state and answer(self._kinds[key.to], bytes.fromhex(key.data.removeprefix("0x")), state.read)
        if not found:
            raise ProofInvalid(f"the pack does not prove what {key.to} answered {key.data[:10]} in block {key.block}")
        self.proven_calls.add(key)
        return "0x" + found.hex()

    def request(self, method: str, params: Sequence[Any]) -> Any:
        """The chain's number, and the code of contracts in the last block of which it is proven."""
        if method == "eth_chainId":
            return hex(self._chain_id)
        if method != "eth_getCode":
            raise NodeRefused(f"the pack cannot answer {method}: ask a node")
        found = [state.code for (contract, _), state in self._states.items() if contract == params[0].lower()]
        return "0x" + (found[-1].hex() if found else "")

    def batch(self, kind: Any, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """What contracts answer."""
        return [self.call(kind, method, *asked) for asked in params]

    def logs(self, contract: str, decoder: Decoder[Any], watched: Mapping[str, int] = MappingProxyType({})) -> PackLogs:
        """Of a contract, and transfers to the addresses that are watched."""
        return PackLogs(self._blocks, contract, decoder, watched)


class PackLogs:
    """A contract's logs in the blocks of a pack; a `ChainLogs`."""

    def __init__(
        self, blocks: Mapping[int, ProvenBlock], contract: str, decoder: Decoder[Any], watched: Mapping[str, int]
    ) -> None:
        self._blocks, self._decoder, self._watched = blocks, decoder, watched
        self._contract = bytes.fromhex(contract[2:])

    def header(self, block: int | str) -> Header | None:
        """None for a block that is not in the pack, and for every tag."""
        found = self._blocks.get(block) if isinstance(block, int) else None
        return None if found is None else _header(found)

    def headers(self, numbers: Sequence[int]) -> list[Header]:
        """Raises ProofInvalid for a block that is not in the pack."""
        if missing := [number for number in numbers if number not in self._blocks]:
            raise ProofInvalid(f"the pack does not have block {missing[0]}")
        return [_header(self._blocks[number]) for number in numbers]

    def read(self, start: int, end: int, *, parent: bytes = b"") -> Iterator[Chunk]:  # noqa: ARG002 (a node's)
        """What is proven of blocks from `start` to `end`, of which the pack has those with events."""
        logs: list[LogEntry] = []
        for number, block in self._blocks.items():
            if not start <= number <= end:
                continue
            logs += entries_of(block.logs, self._contract, self._decoder, self._watched)
            if len(logs) >= CHUNK_LOGS or number == end:
                yield Chunk(start, _header(block), logs)
                start, logs = number + 1, []
        if logs:
            raise ProofInvalid(f"the pack does not have block {end}, with which the books end")


def entries_of(
    logs: Iterable[ProvenLog], contract: bytes, decoder: Decoder[Any], watched: Mapping[str, int]
) -> Iterator[LogEntry]:
    """Those of a contract, and transfers to the addresses that are watched, decoded."""
    names = decoder.names()
    for origin, (address, topics, data) in logs:
        if address == contract:
            name = names.get("0x" + topics[0].hex()) if topics else None
            if name is None:
                raise NodeInvalid(f"log {origin.log_index} of block {origin.block_number} is of an unknown event")
            joined, words = b"".join(topics[1:]), data
        elif watched:
            name, hexed = transfers.TRANSFER, tuple("0x" + topic.hex() for topic in topics)
            told = "0x" + data.hex()
            if not transfers.is_answer(hexed, watched) or not transfers.is_counted(
                hexed, told, origin.block_number, watched
            ):
                continue
            joined, words = transfers.words_of("0x" + address.hex(), hexed, told)
        else:
            continue
        yield LogEntry(origin, name, joined, words, decoder.decode(name, joined, words))


def _header(block: ProvenBlock) -> Header:
    header = block.header
    return Header(header.number, header.hash, header.parent_hash, header.time)
