"""Proves books by an audit pack alone: the audit of books, with the pack's proofs in the node's place.

What is proven, given the hashes of blocks: that every event of the books happened, in the transaction and block that
they name, and that everything in the books follows from them; that none is left out, as far as the contracts count
them; and that the contracts' code is ours. What is the word of who made the pack: the numbers of logs in their blocks,
what tokens say of themselves, and what the merchant declared.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlalchemy import Engine

from tallystick.chain.logs import LogReader
from tallystick.chain.pack_chain import CallKey, PackChain, ProvenState, Told
from tallystick.chain.rpc import Rpc
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.block_proof import BlockProof, ProvenBlock, read_proof
from tallystick.core.deployment import parse_manifest
from tallystick.core.state_proof import proven_storage
from tallystick.errors import InputError, NodeError, PackInvalid, ProofInvalid
from tallystick.flows.audit_all import Audits, audit_all
from tallystick.flows.deploy import verify
from tallystick.flows.garbage import collector_at_rest
from tallystick.flows.ingest import Progress, Target
from tallystick.flows.mirror import KINDS, Targets
from tallystick.flows.pack import TABLES, VERSION, About, PackedAnswer, PackedState
from tallystick.storage.database import open_database, transaction
from tallystick.storage.dump import load_rows, packed_tables
from tallystick.storage.pack_file import Member, PackFile
from tallystick.storage.sources import CHANNELS, CHECKOUT, CONVERSION, ESCROW, SUBSCRIPTIONS, X402

HASH_OF_A_BLOCK = re.compile(r"([0-9]{1,18})\s+0x([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class PackReport:
    """What a pack proves. `blocks` are numbers and hashes on which all of it rests, `compared` how many of them were
    compared with trusted ones; of `transactions`, `unsigned` are test nodes' own. `proven_answers` of contracts were
    proven by storage, `told_answers` are the word of the node with which the pack was made. `size` is the file's, in
    bytes."""

    name: str
    size: int
    members: list[Member]
    about: About
    blocks: dict[int, bytes]
    compared: int
    transactions: int
    unsigned: int
    proven_answers: int
    told_answers: int
    audits: Audits

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return self.audits.ok


def check_pack(
    path: Path,
    trusted: Mapping[int, bytes] | None = None,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> PackReport:
    """Checks a pack; with `trusted` hashes of blocks, by their numbers, each of its blocks must be among them.

    Raises PackInvalid for a file that is none or was changed, ProofInvalid where a proof does not hold, or a block is
    not a trusted one, DeploymentError where a contract's code is not ours. What the audit finds is in the report.
    """
    pack = PackFile(path)
    about = _about(pack)
    with collector_at_rest(), tempfile.TemporaryDirectory() as folder:
        blocks = _read_blocks(pack, trusted, on_progress)
        kinds = {source.contract.lower(): source.kind for source in about.sources}
        chain = PackChain(about.chain_id, blocks, kinds, _read_states(pack, blocks), _read_answers(pack))
        targets = _targets(about, chain)
        engine = open_database(f"sqlite:///{folder}/books.db")
        try:
            _load(pack, engine)
            audits = audit_all(engine, chain, targets, on_progress=on_progress)
        except NodeError as error:
            raise ProofInvalid(f"the books ask for what the pack does not have: {error}") from error
        finally:
            engine.dispose()
    for source, report in zip(about.sources, audits.reports.values(), strict=True):
        if (source.contract, source.block, source.block_hash) != (
            *(report.contract, report.block_number, report.block_hash.hex()),
        ):
            raise PackInvalid(
                f"the books of {report.contract} end with block {report.block_number}, not {source.block}"
            )
    return PackReport(
        pack.name,
        path.stat().st_size,
        pack.contents.members,
        about,
        {number: block.header.hash for number, block in blocks.items()},
        0 if trusted is None else len(blocks),
        sum(block.transactions for block in blocks.values()),
        sum(block.unsigned for block in blocks.values()),
        len(chain.proven_calls),
        len(chain.told_calls),
        audits,
    )


def block_hashes(path: Path) -> dict[int, bytes]:
    """The hashes of the blocks on which a pack rests, as it has them. Raises PackInvalid or ProofInvalid."""
    return {number: block.header.hash for number, block in _read_blocks(PackFile(path), None, lambda _: None).items()}


def trusted_hashes(rpc_url: str, numbers: Sequence[int]) -> dict[int, bytes]:
    """The hashes of blocks as a node gives them. Raises NodeError."""
    headers = LogReader(Rpc(rpc_url), ZERO_ADDRESS).headers(numbers)
    return {header.number: header.hash for header in headers}


def read_hashes(path: Path) -> dict[int, bytes]:
    """Hashes of blocks from a file: number and hash a line; what begins with `#` says nothing. Raises InputError."""
    found: dict[int, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}): name a file with hashes of blocks") from error
    for place, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = HASH_OF_A_BLOCK.fullmatch(line.strip())
        if match is None or found.get(int(match[1]), match[2]) != match[2]:
            raise InputError(f"line {place} of {path} is {line[:90]!r}: allowed is a number and a hash (0x, 64 digits)")
        found[int(match[1])] = match[2]
    return {number: bytes.fromhex(digits.lower()) for number, digits in found.items()}


def _about(pack: PackFile) -> About:
    try:
        about: About = msgspec.convert(pack.contents.about, About)
    except msgspec.ValidationError as error:
        raise PackInvalid(f"the manifest of {pack.path} does not say what it should ({error})") from error
    if about.version != VERSION:
        raise PackInvalid(
            f"{pack.path} is a pack of version {about.version}, made by Tallystick {about.made_by}; known here is "
            f"version {VERSION}: check it with that Tallystick"
        )
    return about


def _read_blocks(
    pack: PackFile, trusted: Mapping[int, bytes] | None, on_progress: Callable[[Progress], None]
) -> dict[int, ProvenBlock]:
    blocks: dict[int, ProvenBlock] = {}
    last, logs = max((source["block"] for source in pack.contents.about.get("sources", ())), default=0), 0
    for proof in pack.documents("blocks", BlockProof):
        block = read_proof(proof)
        number = block.header.number
        if number in blocks:
            raise ProofInvalid(f"the pack has two blocks {number}")
        if trusted is not None and trusted.get(number) != block.header.hash:
            known = f"0x{trusted[number].hex()}" if number in trusted else "not among them"
            raise ProofInvalid(
                f"block {number} of the pack has the hash 0x{block.header.hash.hex()}, by the trusted hashes it is "
                f"{known}: the pack is of another chain, or somebody made it up"
            )
        blocks[number] = block
        logs += len(block.logs)
        on_progress(Progress(number, last, logs))
    return blocks


def _read_states(pack: PackFile, blocks: Mapping[int, ProvenBlock]) -> dict[tuple[str, str], ProvenState]:
    states = {}
    for state in pack.documents("states", PackedState):
        block = blocks.get(state.block)
        if block is None:
            raise ProofInvalid(f"the pack does not have block {state.block}, after which it has a contract")
        code, read = proven_storage(block.header.state_root, state.contract, state.proof)
        states[state.contract, hex(state.block)] = ProvenState(code, read)
    return states


def _read_answers(pack: PackFile) -> dict[CallKey, Told]:
    return {packed.call: packed.told for packed in pack.documents("answers", PackedAnswer)}


def _targets(about: About, chain: PackChain) -> Targets:
    """The contracts whose books they are, after their code was compared with ours."""
    manifest = parse_manifest(about.manifest, source="the pack's manifest")
    found = {}
    for source in about.sources:
        kind = KINDS.get(source.kind)
        if kind is None or source.kind in found:
            raise PackInvalid(f"the pack has books of the kind {source.kind!r} that it should not have")
        start = source.start_block
        if source.kind != X402:
            deployed = verify(chain.request, manifest, kind.decoder.contract)
            if (deployed.address, deployed.start_block) != (source.contract, start):
                raise PackInvalid(f"the pack's books are of {source.contract}, its manifest has {deployed.address}")
        found[source.kind] = Target(about.chain_id, source.contract, start, kind=kind)
    always = SUBSCRIPTIONS, ESCROW, CHECKOUT, CHANNELS
    if not found.keys() >= set(always):
        raise PackInvalid(f"the pack has books of {', '.join(found)} alone: those of every contract belong into it")
    subscriptions, escrow, checkout, channels = (found[name] for name in always)
    return Targets(subscriptions, escrow, checkout, channels, found.get(CONVERSION), found.get(X402))


def _load(pack: PackFile, engine: Engine) -> None:
    with transaction(engine) as connection:
        for table in packed_tables():
            load_rows(connection, table, pack.documents(TABLES + table.name, list))
