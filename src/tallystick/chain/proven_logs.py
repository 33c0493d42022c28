"""Reads a contract's logs and proves each, and that there are no others, by the hashes of blocks.

For each block the header is hashed again, and must follow the one before it. Where its bloom says that nothing of ours
can be in it, that is certain. Else all of its transactions and receipts are read, which must lead to the header's
roots. A node that is read so can lie about nothing but which blocks there are. It costs a request for each block, and
the whole block where the bloom is full, as on busy chains it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from tallystick.chain import transfers
from tallystick.chain.decode import SUBSCRIPTIONS
from tallystick.chain.decoder import Decoder
from tallystick.chain.logs import TARGET_LOGS, Chunk, Header, LogEntry
from tallystick.chain.pack_chain import entries_of
from tallystick.chain.rpc import Rpc
from tallystick.chain.sealed import encode_header, read_sealed
from tallystick.core.block import SealedHeader, parse_header
from tallystick.errors import NodeInvalid, ProofInvalid, Unprovable

BLOCKS: Final = 100
"""Headers in one request."""
MOST_BLOCKS: Final = 5_000
"""In one chunk."""


class ProvenLogReader:
    """As `LogReader`, a `ChainLogs`. Raises NodeInvalid for whatever is not proven."""

    def __init__(
        self,
        rpc: Rpc,
        contract: str,
        *,
        decoder: Decoder[Any] = SUBSCRIPTIONS,
        target_logs: int = TARGET_LOGS,
        watched: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._rpc, self._decoder, self._target, self._watched = rpc, decoder, target_logs, watched
        self._contract = bytes.fromhex(contract[2:])
        self._topic = bytes.fromhex(transfers.TRANSFER_TOPIC[2:])
        self._topics = [bytes.fromhex(address[2:]).rjust(32, b"\0") for address in watched]

    def header(self, block: int | str) -> Header | None:
        """A header by number or tag; None where the node has no such block."""
        asked = hex(block) if isinstance(block, int) else block
        raw: dict[str, Any] | None = self._rpc.call(dict[str, Any] | None, "eth_getBlockByNumber", asked, False)
        if raw is None:
            return None
        sealed = self._sealed(raw)
        if isinstance(block, int) and sealed.number != block:
            raise NodeInvalid(
                f"{self._rpc.name}, asked for block {block}, gave block {sealed.number}: ask another node"
            )
        return _plain(sealed)

    def headers(self, numbers: Sequence[int]) -> list[Header]:
        """The headers of blocks that the node must know."""
        return [_plain(sealed) for sealed in self._headers(numbers)]

    def read(self, start: int, end: int, *, parent: bytes = b"") -> Iterator[Chunk]:
        """The logs of the blocks from `start` to `end`, both included; `parent` is the hash of the block before."""
        first, logs, before = start, list[LogEntry](), parent
        for at in range(start, end + 1, BLOCKS):
            for sealed in self._headers(range(at, min(at + BLOCKS, end + 1))):
                if before and sealed.parent_hash != before:
                    raise NodeInvalid(
                        f"block {sealed.number} of {self._rpc.name} does not follow the block read before it: the node "
                        "changed its branch, read again"
                    )
                before = sealed.hash
                if self._may_matter(sealed):
                    logs += self._of_block(sealed)
                if len(logs) >= self._target or sealed.number in {end, first + MOST_BLOCKS - 1}:
                    yield Chunk(first, _plain(sealed), logs)
                    first, logs = sealed.number + 1, []

    def _headers(self, numbers: Sequence[int]) -> list[SealedHeader]:
        raws: list[dict[str, Any] | None] = self._rpc.batch(
            dict[str, Any] | None, "eth_getBlockByNumber", [(hex(number), False) for number in numbers]
        )
        found = []
        for number, raw in zip(numbers, raws, strict=True):
            if raw is None:
                raise NodeInvalid(f"{self._rpc.name} has no block {number}, which it should: it lags behind, wait")
            sealed = self._sealed(raw)
            if sealed.number != number:
                raise NodeInvalid(f"{self._rpc.name}, asked for block {number}, gave another: ask another node")
            found.append(sealed)
        return found

    def _sealed(self, raw: dict[str, Any]) -> SealedHeader:
        """By its own bytes, which must make the hash by which the node calls it."""
        try:
            sealed = parse_header(encode_header(raw))
        except (KeyError, ValueError, TypeError, AttributeError, ProofInvalid) as error:
            raise NodeInvalid(f"{self._rpc.name} gave a header that cannot be read ({error!r})") from error
        if "0x" + sealed.hash.hex() != raw.get("hash"):
            raise NodeInvalid(
                f"the header of block {sealed.number}, as {self._rpc.name} gave it, does not make its hash: ask another"
                " node; if all say so, the chain has headers of another kind, and cannot be read with index.proven"
            )
        return sealed

    def _may_matter(self, header: SealedHeader) -> bool:
        watches = bool(self._topics) and header.may_have(self._topic)
        return header.may_have(self._contract) or (watches and any(map(header.may_have, self._topics)))

    def _of_block(self, header: SealedHeader) -> Iterator[LogEntry]:
        try:
            block = read_sealed(self._rpc, header.number)
        except Unprovable as error:
            raise NodeInvalid(str(error)) from error
        if parse_header(block.header).hash != header.hash:
            raise NodeInvalid(f"{self._rpc.name} replaced block {header.number} while it was read: read again")
        return entries_of(block.logs, self._contract, self._decoder, self._watched)


def _plain(header: SealedHeader) -> Header:
    return Header(header.number, header.hash, header.parent_hash, header.time)
