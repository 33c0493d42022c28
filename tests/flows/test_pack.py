"""An audit pack proves books without a node, to whoever trusts the hashes of its blocks, and nothing else."""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from eth_utils.abi import function_signature_to_4byte_selector
from sqlalchemy import text

from tallystick.chain.pack_chain import PackChain, RecordingRpc
from tallystick.config import Config
from tallystick.core.views import VIEWS
from tallystick.errors import (
    CorruptionError,
    InputError,
    NodeRefused,
    PackError,
    PackInvalid,
    ProofInvalid,
    TallystickError,
)
from tallystick.flows.audit_all import Audits, audit_all
from tallystick.flows.check_pack import (
    _read_blocks,
    _read_states,
    block_hashes,
    check_pack,
    read_hashes,
    trusted_hashes,
)
from tallystick.flows.mirror import Mirror, open_mirror
from tallystick.flows.pack import TABLES, Packed, write_pack
from tallystick.storage.database import transaction
from tallystick.storage.pack_file import PackFile, PackWriter
from tallystick.testing import Anvil, start_anvil
from tests.business import Business
from tests.databases import NewDatabase
from tests.docs.beginnings import FIRST_DAY
from tests.docs.test_differences import TAMPERINGS, rows_of
from tests.whole_books import mirror_everything

Documents = dict[str, list[Any]]


class Books:
    """Mirrored books of every contract, and a pack of them."""

    def __init__(self, anvil: Anvil, folder: Path, database: str | None = None) -> None:
        self.anvil, self.folder = anvil, folder
        self.config: Config = mirror_everything(anvil, folder, database)
        self.mirror: Mirror = open_mirror(self.config)
        self.rpc = RecordingRpc(anvil.url)
        self.audits: Audits = audit_all(self.mirror.engine, self.rpc, self.mirror)
        assert self.audits.ok, rows_of(self.audits)
        self.path = folder / "audit.pack"
        self.packed: Packed = write_pack(self.mirror, self.rpc, self.audits, self.path)
        self.trusted = trusted_hashes(anvil.url, list(block_hashes(self.path)))

    def repacked(self, change: Callable[[Documents], object]) -> Path:
        """The pack with other documents in it, as somebody would make it who knows how."""
        pack = PackFile(self.path)
        documents: Documents = {member.name: list(pack.documents(member.name)) for member in pack.contents.members}
        documents["about"] = [pack.contents.about]
        change(documents)
        (about,) = documents.pop("about")
        path = self.folder / "forged.pack"
        with tempfile.TemporaryFile() as body, path.open("wb") as out:
            writer = PackWriter(body)
            for name, rows in documents.items():
                with writer.member(name) as add:
                    for row in rows:
                        add(row)
            writer.finish(about, out)
        return path


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """One for all tests of the module, which leave it as it is."""
    with start_anvil("--timestamp", str(FIRST_DAY)) as anvil:
        yield Books(anvil, tmp_path_factory.mktemp("books"))


def test_a_pack_proves_the_books_of_every_contract(books: Books) -> None:
    report = check_pack(books.path, books.trusted)
    assert report.ok, rows_of(report.audits)
    assert (report.name, report.compared, len(report.blocks)) == (
        books.packed.name,
        books.packed.blocks,
        len(books.trusted),
    )
    for name, expected in books.audits.reports.items():
        found = report.audits.reports[name]
        assert (found.events, found.invoices, found.block_hash) == (
            expected.events,
            expected.invoices,
            expected.block_hash,
        )
        assert found.events > 0, name
    assert sum(found.events for found in report.audits.reports.values()) == books.packed.events
    assert report.told_answers == books.packed.told


def test_the_same_books_make_the_same_pack(books: Books) -> None:
    again = books.folder / "again.pack"
    assert write_pack(books.mirror, books.rpc, books.audits, again).name == books.packed.name
    assert again.read_bytes() == books.path.read_bytes()
    with pytest.raises(PackError, match="is there already"):
        write_pack(books.mirror, books.rpc, books.audits, again)
    again.unlink()


def test_a_pack_of_a_postgresql_database_is_the_same(tmp_path: Path, new_database: NewDatabase) -> None:
    with start_anvil("--timestamp", str(FIRST_DAY)) as anvil:
        found = Books(anvil, tmp_path, new_database())
        assert check_pack(found.path, found.trusted).ok
        found.mirror.engine.dispose()


def test_what_storage_proves_is_what_contracts_answered(books: Books) -> None:
    """Each view of each contract, worked out from proven words."""
    pack = PackFile(books.path)
    blocks = _read_blocks(pack, None, lambda _: None)
    kinds = {target.contract.lower(): target.kind.name for target in books.mirror.targets}
    chain = PackChain(books.anvil.chain_id, blocks, kinds, _read_states(pack, blocks), {})
    asked = {key: told.answer for key, told in books.rpc.told.items() if key.to in kinds}
    found = {key: chain.call(str, "eth_call", {"to": key.to, "data": key.data}, key.block) for key in asked}
    assert found == asked
    views = {(kinds[key.to], key.data[:10]) for key in asked}
    assert views == {
        (kind, "0x" + function_signature_to_4byte_selector(view).hex()) for kind in VIEWS for view in VIEWS[kind]
    }
    with pytest.raises(NodeRefused, match="the pack cannot answer eth_getLogs"):
        chain.call(str, "eth_getLogs", {})
    with pytest.raises(NodeRefused, match="the pack cannot answer eth_blockNumber"):
        chain.request("eth_blockNumber", [])


@pytest.mark.parametrize("seed", range(3))
def test_any_byte_that_is_changed_is_found(books: Books, seed: int) -> None:
    draw, whole = random.Random(seed), books.path.read_bytes()
    broken = books.folder / "broken.pack"
    head = whole.index(b"\n", whole.index(b"\n", 30) + 1) + 1
    places = [*draw.sample(range(len(whole)), 100), *draw.sample(range(head), 40), len(whole) - 1]
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1 << draw.randrange(8)
        broken.write_bytes(changed)
        with pytest.raises(PackInvalid, match=r"as it was written|no audit pack"):
            check_pack(broken, books.trusted)
    for wrong in (whole[:-1], whole + b"x", whole[: len(whole) // 2], b""):
        broken.write_bytes(wrong)
        with pytest.raises(PackInvalid):
            PackFile(broken)


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_a_row_that_is_changed_is_named(books: Books, tampering: str, tmp_path: Path) -> None:
    """By whoever makes the pack of books that were audited before: with all hashes and proofs as they should be."""
    before = tmp_path / "before.db"
    database = Path(str(books.mirror.engine.url.database))
    books.mirror.engine.dispose()
    before.write_bytes(database.read_bytes())
    try:
        with transaction(books.mirror.engine) as connection:
            assert connection.execute(text(tampering)).rowcount > 0
        path = tmp_path / "forged.pack"
        if "headers" in tampering:  # pending blocks are in no pack
            write_pack(books.mirror, books.rpc, books.audits, path)
            assert check_pack(path, books.trusted).ok
            return
        try:
            write_pack(books.mirror, books.rpc, books.audits, path)
            report = check_pack(path, books.trusted)
        except TallystickError as error:
            assert isinstance(error, PackError), error  # noqa: PT017
        else:
            assert not report.ok
            assert rows_of(report.audits)
    finally:
        books.mirror.engine.dispose()
        for suffix in ("-wal", "-shm"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
        database.write_bytes(before.read_bytes())


def set_at(name: str, place: int, field: str, change: Callable[[Any], Any]) -> Callable[[Documents], None]:
    def apply(documents: Documents) -> None:
        documents[name][place][field] = change(documents[name][place][field])

    return apply


def flipped(digits: str) -> str:
    return digits[:-1] + ("0" if digits[-1] != "0" else "1")


FORGERIES: dict[str, tuple[Callable[[Documents], object], str]] = {
    "a header's time": (set_at("blocks", 3, "header", flipped), "has the hash 0x.* by the trusted hashes it is"),
    "a receipt": (
        set_at("blocks", 3, "receipt_nodes", lambda nodes: [*nodes[:-1], flipped(nodes[-1])]),
        "it is not whole",
    ),
    "a transaction": (
        set_at("blocks", 3, "transaction_nodes", lambda nodes: [*nodes[:-1], flipped(nodes[-1])]),
        "it is not whole",
    ),
    "a block twice": (lambda documents: documents["blocks"].append(documents["blocks"][0]), "has two blocks"),
    "the last block": (lambda documents: documents["blocks"].pop(), "does not have block"),
    "the proof of a contract": (
        set_at("states", 0, "proof", lambda proof: proof | {"storage_nodes": proof["storage_nodes"][:-1]}),
        "it is not whole",
    ),
    "a contract's code": (
        set_at("states", 0, "proof", lambda proof: proof | {"code": flipped(proof["code"])}),
        "is not that of its account",
    ),
    "a contract's state": (lambda documents: documents["states"].clear(), "there is no Subscriptions"),
    "the kind of a contract": (
        lambda documents: documents["about"][0]["sources"][0].update(kind="Escrow"),
        "of the kind 'Escrow' that it should not have|the pack's books are of",
    ),
    "one contract's books": (lambda documents: documents["about"][0]["sources"].pop(0), "belong into it"),
    "where books end": (lambda documents: documents["about"][0]["sources"][0].update(block=1), "end with block"),
    "the version": (lambda documents: documents["about"][0].update(version=2), "is a pack of version 2"),
    "what it says of itself": (lambda documents: documents["about"][0].pop("chain_id"), "does not say what it should"),
    "a row's form": (lambda documents: documents[TABLES + "entries"][0].pop(), "has a row of `entries` that is none"),
    "a log's place": (
        set_at("blocks", 3, "transactions", lambda places: [places[0] | {"first_log": 7}, *places[1:]]),
        "",
    ),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forged_proof_proves_nothing(books: Books, what: str) -> None:
    change, message = FORGERIES[what]
    path = books.repacked(change)
    if not message:
        report = check_pack(path, books.trusted)
        assert not report.ok
        assert any(row.startswith("event in block") for row in rows_of(report.audits))
        return
    with pytest.raises(TallystickError, match=message):
        check_pack(path, books.trusted)


def test_a_charge_that_is_left_out_of_everything_is_found_by_the_contract_s_count(tmp_path: Path) -> None:
    """Books that go on to a later block without the charge between, and a pack that says the same."""
    with start_anvil("--timestamp", str(FIRST_DAY)) as anvil:
        found = Books(anvil, tmp_path)
        business = Business(anvil)
        anvil.advance(70 * 86_400)
        receipt = business.call(business.operator, "charge", [1])
        anvil.finalize()
        end = anvil.rpc("eth_getBlockByNumber", "finalized", False)
        number, end_hash = int(end["number"], 16), bytes.fromhex(end["hash"][2:])
        assert int(receipt["blockNumber"], 16) <= number
        assert receipt["logs"]
        before = hex(found.audits.subscriptions.block_number)
        rpc = RecordingRpc(anvil.url)
        rpc.told = {
            key._replace(block=key.block.replace(before, hex(number))): it for key, it in found.rpc.told.items()
        }
        for report in found.audits.reports.values():
            report.block_number, report.block_hash = number, end_hash
        with transaction(found.mirror.engine) as connection:
            values = {"number": number, "hash": end_hash, "time": int(end["timestamp"], 16)}
            moved = "UPDATE sources SET final_number = :number, final_hash = :hash, final_time = :time"
            connection.execute(text(moved), values)
        path = tmp_path / "later.pack"
        write_pack(found.mirror, rpc, found.audits, path)
        rows = rows_of(check_pack(path, trusted_hashes(anvil.url, list(block_hashes(path)))).audits)
        assert {re.sub("0x[0-9a-fA-F]{40}", "<>", row) for row in rows} == {
            "control total of <> in <>, charge count",
            "control total of <> in <>, charge sum",
        }
        found.mirror.engine.dispose()


def test_what_is_told_of_a_contract_of_ours_counts_for_nothing(books: Books) -> None:
    """Somebody leaves out the proof of a count and tells it instead."""

    def tell(documents: Documents) -> None:
        first = documents["states"][0]
        first["proof"]["storage_nodes"] = []
        for key, told in books.rpc.told.items():
            if key.to == first["contract"]:
                documents["answers"].append(msgspec.to_builtins({"call": key, "told": told}))

    with pytest.raises(ProofInvalid):
        check_pack(books.repacked(tell), books.trusted)


def test_books_that_differ_are_not_packed(books: Books, tmp_path: Path) -> None:
    books.audits.channels.note("a row", 1, 2)
    try:
        with pytest.raises(CorruptionError, match="the audit found 1 differences"):
            write_pack(books.mirror, books.rpc, books.audits, tmp_path / "a.pack")
    finally:
        books.audits.channels.differences.clear()
        books.audits.channels.difference_count = 0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(PackError, match="cannot be written"):
        write_pack(books.mirror, books.rpc, books.audits, tmp_path / "none" / "a.pack")


def test_hashes_are_read_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "trusted.txt"
    path.write_text(f"# of an explorer\n\n7 0x{'aB' * 32}\n8  0x{'00' * 32}\n")
    assert read_hashes(path) == {7: b"\xab" * 32, 8: bytes(32)}
    for wrong in ("7 0x12", "x 0x" + "00" * 32, f"7 0x{'00' * 32}\n7 0x{'11' * 32}"):
        path.write_text(wrong)
        with pytest.raises(InputError, match=r"line [12] of .* allowed is a number and a hash"):
            read_hashes(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_hashes(tmp_path / "none")
