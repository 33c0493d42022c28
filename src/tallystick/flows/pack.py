"""Writes an audit pack: books, and what proves that each of their events is on chain, for a machine without a node.

Only books that the audit found right are packed. What it asked contracts was noted: those questions are what the pack
has to answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from tallystick.chain.pack_chain import CallKey, RecordingRpc, Told
from tallystick.chain.proofs import read_contract_proof, read_slot
from tallystick.chain.sealed import read_sealed
from tallystick.core.block_proof import prove_block
from tallystick.core.state_proof import ContractProof
from tallystick.core.views import answer
from tallystick.errors import CorruptionError, PackError
from tallystick.flows.audit_all import Audits
from tallystick.flows.garbage import collector_at_rest
from tallystick.flows.ingest import Progress
from tallystick.flows.mirror import Mirror
from tallystick.storage.database import reading
from tallystick.storage.dump import dump_rows, packed_tables
from tallystick.storage.events import transactions_with_events
from tallystick.storage.pack_file import PackWriter, writing_pack
from tallystick.storage.sources import Source, find_source

VERSION = 1
TABLES = "tables/"
"""What the names of members begin with that are the rows of a table."""


class PackedSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A contract whose books are in the pack, and the last block that is in them."""

    kind: str
    contract: str
    start_block: int
    block: int
    block_hash: str


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a pack says of itself. `manifest` is the deployment's, as its file has it."""

    version: int
    made_by: str
    chain_id: int
    sources: list[PackedSource]
    manifest: str


class PackedState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A contract, in lower case, after a block."""

    contract: str
    block: int
    proof: ContractProof


class PackedAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a node answered where nothing proves it."""

    call: CallKey
    told: Told


@dataclass(frozen=True, slots=True)
class Packed:
    """What was written: the pack's name, how many blocks and events it has, how many words of storage it proves, and
    how many answers nothing proves."""

    name: str
    path: Path
    blocks: int
    events: int
    slots: int
    told: int


def write_pack(
    mirror: Mirror,
    rpc: RecordingRpc,
    audits: Audits,
    path: Path,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Packed:
    """Packs books that were audited with this `rpc`, which has noted what contracts answered, with proofs.

    Raises CorruptionError where the audit found differences, Unprovable where the node does not give what proofs are
    made of, PackError where the file cannot be written. Nothing is left half written.
    """
    if path.exists():
        raise PackError(f"{path} is there already: name another file, or remove it")
    if not audits.ok:
        raise CorruptionError(
            f"the audit found {audits.difference_count} differences between books and chain, so that there is nothing "
            "to prove: `tallystick audit verify` names them"
        )
    with writing_pack(path) as (writer, end), reading(mirror.engine) as connection, collector_at_rest():
        sources = _sources(connection, mirror, audits)
        blocks, events = _write_blocks(writer, connection, rpc, sources, on_progress)
        slots, told = _write_states(writer, rpc, mirror, sources)
        for table in packed_tables():
            with writer.member(TABLES + table.name) as add:
                for row in dump_rows(connection, table, sources):
                    add(row)
        about = About(
            VERSION,
            version("tallystick"),
            mirror.target.chain_id,
            [_packed(source) for source in sources],
            mirror.manifest.render(),
        )
        name = end(msgspec.to_builtins(about))
    return Packed(name, path, blocks, events, slots, told)


def _sources(connection: Connection, mirror: Mirror, audits: Audits) -> list[Source]:
    """Those that were audited, as they were then."""
    found = [find_source(connection, target.chain_id, target.contract) for target in mirror.targets]
    sources = [source for source in found if source is not None]
    ends = {(report.contract, report.block_hash) for report in audits.reports.values()}
    if {(source.contract, source.final_hash) for source in sources} != ends:
        raise PackError("the books went on while they were audited: stop `tallystick index`, or pack a copy of them")
    return sources


def _packed(source: Source) -> PackedSource:
    ends = source.final_number, source.final_hash.hex()
    return PackedSource(source.kind, source.contract, source.start_block, *ends)


def _write_blocks(
    writer: PackWriter,
    connection: Connection,
    rpc: RecordingRpc,
    sources: Sequence[Source],
    on_progress: Callable[[Progress], None],
) -> tuple[int, int]:
    """Every block with an event, and those with which the books end."""
    wanted: defaultdict[int, set[bytes]] = defaultdict(set)
    events = 0
    for source in sources:
        wanted[source.final_number] |= set()
        for number, transaction, count in transactions_with_events(connection, source.source_id, source.final_number):
            wanted[number].add(transaction)
            events += count
    last, done = max(wanted), 0
    with writer.member("blocks") as add:
        for number, transactions in sorted(wanted.items()):
            block = read_sealed(rpc, number)
            if missing := transactions - block.places.keys():
                raise PackError(
                    f"block {number} has no transaction 0x{min(missing).hex()} with events: it was replaced while it "
                    "was read, begin anew"
                )
            places = [block.places[transaction] for transaction in transactions]
            add(prove_block(block.header, block.transactions, block.receipts, places))
            done += len(places)
            on_progress(Progress(number, last, done))
    return len(wanted), events


def _write_states(writer: PackWriter, rpc: RecordingRpc, mirror: Mirror, sources: Sequence[Source]) -> tuple[int, int]:
    """Code and storage of contracts of which the audit asked something, of all others that the manifest names the code;
    and what nothing proves."""
    kinds = {source.contract.lower(): source.kind for source in sources}
    slots: dict[tuple[str, int], dict[int, None]] = {}
    told = 0
    with writer.member("answers") as add:
        for key, found in rpc.told.items():
            if (kind := kinds.get(key.to)) and key.block.startswith("0x"):
                needed = slots.setdefault((key.to, int(key.block, 16)), {})
                if answer(kind, bytes.fromhex(key.data[2:]), _noting(rpc, key, needed)) is not None:
                    continue
            add(PackedAnswer(key, found))
            told += 1
    end = sources[0].final_number
    for deployed in mirror.manifest.contracts.values():
        slots.setdefault((deployed.address.lower(), end), {})
    with writer.member("states") as add:
        for (contract, block), needed in slots.items():
            proof = read_contract_proof(rpc, contract, list(needed), block)
            add(PackedState(contract, block, proof))
    return sum(map(len, slots.values())), told


def _noting(rpc: RecordingRpc, key: CallKey, needed: dict[int, None]) -> Callable[[int], int]:
    """Reads storage of the contract that was called, and notes which."""

    def read(slot: int) -> int:
        needed[slot] = None
        return read_slot(rpc, key.to, slot, int(key.block, 16))

    return read
