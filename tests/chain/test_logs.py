"""Reading logs: from a good node quickly, from a bad one rightly or not at all."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from tallystick.chain import logs as logs_module
from tallystick.chain.logs import LAST_BLOCK_TIME, LogEntry, LogReader
from tallystick.chain.rpc import Rpc
from tallystick.core.period import Unit
from tallystick.errors import NodeInvalid, RangeTooLarge, TallystickError
from tallystick.flows.audit import audit
from tallystick.flows.ingest import Target, ingest
from tallystick.storage.database import open_database, reading
from tallystick.storage.schema import metadata
from tallystick.storage.sources import find_source
from tallystick.testing import STATES_KEPT, Anvil, start_anvil
from tests.business import UNLIMITED, Business
from tests.chain.bad_node import HEADER_FAULTS, LOG_FAULTS, TRANSPORT_FAULTS, UNFINAL, BadNode, bad_node

APPENDED = ["events", "plans", "entries", "postings", "invoices", "invoice_lines", "tokens"]
"""Tables whose rows, once final, never change."""
ATTEMPTS = 12

Rows = dict[str, list[tuple[Any, ...]]]


class Chain:
    """A business with everything that there is, in some ninety blocks, on a chain whose last sixteen are not final."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        business = self.business = Business(anvil)
        plans = [
            business.create_plan(every=30, unit=Unit.SECOND),
            business.create_plan(price=5, payee=business.account(9)),
        ]
        self.ids = [business.subscribe(business.payer(name), plans[name % 2]) for name in range(4)]
        business.token_call(business.payee, "approve", business.subscriptions, UNLIMITED)
        for step in range(16):
            anvil.advance(31)
            business.charge(*self.ids)  # those of the monthly plan decline
            business.call(business.payee, "refund", self.ids[0], step + 1, 1_000 + step)
        business.call(business.payee, "cancel", self.ids[0])
        self.fork = anvil.rpc("anvil_dumpState")
        business.create_plan(price=7)
        anvil.mine(UNFINAL // 2)
        business.subscribe(business.payer("late"), 3)
        contract = business.contract
        self.target = Target(anvil.chain_id, contract.address, contract.start_block, pegs={business.token: "USD"})
        self.head = anvil.block_number

    def block_hash(self, number: int) -> bytes:
        """As the real node has it."""
        return bytes.fromhex(self.anvil.rpc("eth_getBlockByNumber", hex(number), False)["hash"][2:])

    def undisturbed(self, folder: str, *, head: int | None = None) -> Rows:
        """What a good node makes of the chain up to a block."""
        with bad_node(self.anvil.url, seed=0, rate=0) as node:
            node.head = head or self.head
            engine = open_database(f"sqlite:///{folder}/undisturbed.db")
            ingest(engine, Rpc(node.url), self.target)
            return content(engine)


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with Anvil("--slots-in-an-epoch", str(UNFINAL // 2), "--prune-history", str(STATES_KEPT)) as anvil:
        yield Chain(anvil)


def content(engine: Engine) -> Rows:
    """Every row that follows from the chain."""
    with reading(engine) as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in metadata.sorted_tables
            if table.name not in {"attempts", "leases"}
        }


def require_nothing_wrong(engine: Engine, chain: Chain, expected: Rows) -> None:
    """Whatever is final is as it should be; more may be missing."""
    with reading(engine) as connection:
        source = find_source(connection, chain.target.chain_id, chain.target.contract)
    if source is None:
        return
    if source.final_hash:
        block = chain.anvil.rpc("eth_getBlockByNumber", hex(source.final_number), False)
        assert (source.final_hash.hex(), source.final_time) == (block["hash"][2:], int(block["timestamp"], 16))
    found = content(engine)
    found["events"] = [row for row in found["events"] if row[1] <= source.final_number]
    for table in APPENDED:
        assert set(found[table]) <= set(expected[table]), table
    for table in ("entries", "postings", "invoices"):
        assert found[table] == [row for row in expected[table] if row in set(found[table])]
    final = {row[1:3] for row in found["events"]}
    assert final == {row[1:3] for row in expected["events"] if row[1] <= source.final_number}


def ingest_through(node: BadNode, engine: Engine, target: Target) -> None:
    """One attempt. Whatever a node does, the error says that it may be better next time."""
    try:
        ingest(engine, Rpc(node.url, sleep=lambda _: None), target)
    except TallystickError as error:
        if not error.retryable:
            raise


@pytest.mark.fuzz
@settings(max_examples=settings().max_examples // 4)  # each is a mirror of its own, half a second
@given(seed=st.integers(0, 2**32), rate=st.sampled_from([0.05, 0.2, 0.5]))
def test_whatever_a_node_does_no_wrong_row_becomes_final_E62(chain: Chain, seed: int, rate: float) -> None:
    with TemporaryDirectory() as folder, bad_node(chain.anvil.url, seed=seed, rate=rate) as node:
        expected = chain.undisturbed(folder)
        engine = open_database(f"sqlite:///{folder}/books.db")
        draw = random.Random(seed)
        target = Target(
            chain.target.chain_id,
            chain.target.contract,
            chain.target.start_block,
            pegs=chain.target.pegs,
            events_per_request=draw.choice([1, 5, 2_000]),
        )
        node.head = chain.target.start_block
        for _ in range(ATTEMPTS):
            node.head = min(chain.head, max(chain.target.start_block, node.head + draw.randint(-5, 20)))
            ingest_through(node, engine, target)
            require_nothing_wrong(engine, chain, expected)
        node.rate, node.head = 0, chain.head
        for _ in range(2):  # the first may find that pending blocks were read wrongly before, and forgets them
            ingest_through(node, engine, target)
        assert content(engine) == expected
        assert audit(engine, Rpc(node.url), target).ok


def test_two_nodes_on_two_branches_behind_one_address_E62(chain: Chain, tmp_path: Path) -> None:
    """Each call may go to either. What both have becomes final, nothing of the other's branch does."""
    expected = chain.undisturbed(str(tmp_path))
    with Anvil("--slots-in-an-epoch", str(UNFINAL // 2), "--prune-history", str(STATES_KEPT)) as other:
        other.rpc("anvil_loadState", chain.fork)
        common = other.block_number
        elsewhere = Business(other)
        for price in range(10, 20):
            elsewhere.create_plan(price)
        assert [
            other.rpc("eth_getBlockByNumber", hex(number), False)
            == chain.anvil.rpc("eth_getBlockByNumber", hex(number), False)
            for number in (common, common + 1)
        ] == [True, False]
        for seed in range(6):
            with bad_node(chain.anvil.url, other.url, seed=seed, rate=0) as node:
                engine = open_database(f"sqlite:///{tmp_path}/{seed}.db")
                for head in range(chain.head - 40, chain.head + 1, 3):
                    node.head = head
                    ingest_through(node, engine, chain.target)
                    require_nothing_wrong(engine, chain, expected)
                node.backends, node.head = [chain.anvil.url], chain.head
                ingest(engine, Rpc(node.url), chain.target)
                assert content(engine) == expected


# --- single faults ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", sorted(LOG_FAULTS))
def test_each_fault_in_logs_is_refused_E62(chain: Chain, fault: str, tmp_path: Path) -> None:
    """Every answer to `eth_getLogs` has it, in each of some places: nothing is written, and the error is retryable."""
    for seed in range(5):
        with bad_node(chain.anvil.url, seed=seed, only=fault) as node:
            node.head = chain.head
            engine = open_database(f"sqlite:///{tmp_path}/{seed}.db")
            with pytest.raises(TallystickError) as caught:
                ingest(engine, Rpc(node.url, sleep=lambda _: None), chain.target)
            assert caught.value.retryable, caught.value
            assert node.faults
            rows = content(engine)
            assert not any(rows[table] for table in APPENDED)


@pytest.mark.parametrize("fault", sorted(TRANSPORT_FAULTS))
def test_each_fault_of_the_transport_is_overcome_or_refused(chain: Chain, fault: str, tmp_path: Path) -> None:
    with bad_node(chain.anvil.url, seed=1, only=fault) as node:
        node.head = chain.head
        engine = open_database(f"sqlite:///{tmp_path}/books.db")
        ingest_through(node, engine, chain.target)
        require_nothing_wrong(engine, chain, chain.undisturbed(str(tmp_path)))


# --- ranges -----------------------------------------------------------------------------------------------------------


class Provider:
    """A good node that refuses what its provider's limits refuse, before the real one."""

    def __init__(self, chain: Chain, refuse: Callable[[int, int], bytes | None]) -> None:
        self.asked: list[tuple[int, int]] = []
        provider = self

        class Limited(BadNode):
            def _answer(self, body: bytes, answer: bytes) -> tuple[int, bytes]:
                call = msgspec.json.decode(body)
                if isinstance(call, dict) and call["method"] == "eth_getLogs":
                    start, end = (int(call["params"][0][name], 16) for name in ("fromBlock", "toBlock"))
                    provider.asked.append((start, end))
                    if refused := refuse(start, end):
                        return 200, refused
                return 200, answer

        self.node = Limited(chain.anvil.url, seed=0)

    def read(self, chain: Chain, *, target_logs: int = 2_000) -> list[LogEntry]:
        try:
            reader = LogReader(Rpc(self.node.url, sleep=lambda _: None), chain.target.contract, target_logs=target_logs)
            return [log for chunk in reader.read(0, chain.head) for log in chunk.logs]
        finally:
            self.node.stop()


def refusal(message: str) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": None, "error": {"code": -32005, "message": message}})


@pytest.fixture(scope="module")
def all_logs(chain: Chain) -> list[LogEntry]:
    return Provider(chain, lambda *_: None).read(chain)


def test_a_range_that_is_too_large_is_halved_and_never_asked_for_again(chain: Chain, all_logs: list[LogEntry]) -> None:
    provider = Provider(chain, lambda start, end: refusal("block range too wide") if end - start >= 10 else None)
    assert provider.read(chain) == all_logs
    assert len(set(provider.asked)) == len(provider.asked)
    assert sum(end - start >= 10 for start, end in provider.asked) < 8


def test_the_range_that_the_node_suggests_is_taken(chain: Chain, all_logs: list[LogEntry]) -> None:
    def refuse(start: int, end: int) -> bytes | None:
        words = f"query returned more than 10000 results. Try with this block range [0x{start:x}, 0x{start + 12:X}]."
        return refusal(words) if end - start > 12 else None

    provider = Provider(chain, refuse)
    assert provider.read(chain) == all_logs
    assert provider.asked[1] == (0, 12)


@pytest.mark.parametrize(
    "words", ["[0x0, 0xffffffff]", "[0x0, 0x0]", "[0x5, 0x1]", "[0x1, 0x9]", "[0x0, 0x", "[0xffffffffffffffffff, 0x1]"]
)
def test_a_suggestion_that_is_none_is_not_followed(chain: Chain, all_logs: list[LogEntry], words: str) -> None:
    provider = Provider(chain, lambda start, end: refusal(f"limit exceeded {words}") if end - start > 12 else None)
    assert provider.read(chain) == all_logs
    assert len(set(provider.asked)) == len(provider.asked)


def test_a_limit_of_logs_in_one_place_is_no_limit_everywhere(
    chain: Chain, all_logs: list[LogEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs_module, "PATIENCE", 2)
    provider = Provider(
        chain, lambda start, end: refusal("more than 10 results") if start < 20 and end > start else None
    )
    assert provider.read(chain) == all_logs
    assert max(end - start for start, end in provider.asked if start > 40) > 4


def test_a_node_that_refuses_a_single_block_is_told_of(chain: Chain) -> None:
    with pytest.raises(RangeTooLarge, match="asks for fewer blocks"):
        Provider(chain, lambda *_: refusal("more than 10 results")).read(chain)


def test_a_node_that_gives_up_over_a_long_answer_is_asked_for_less(chain: Chain, all_logs: list[LogEntry]) -> None:
    provider = Provider(chain, lambda start, end: refusal("query timeout exceeded") if end - start > 12 else None)
    assert provider.read(chain) == all_logs


def test_as_many_logs_are_asked_for_as_are_wanted(chain: Chain, all_logs: list[LogEntry]) -> None:
    provider = Provider(chain, lambda *_: None)
    assert provider.read(chain, target_logs=10) == all_logs
    counts = [sum(start <= log.origin.block_number <= end for log in all_logs) for start, end in provider.asked]
    assert sorted(counts)[len(counts) // 2] <= 20


# --- headers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", sorted(HEADER_FAULTS))
def test_each_fault_in_a_header_is_refused(chain: Chain, fault: str) -> None:
    for seed in range(4):
        with bad_node(chain.anvil.url, seed=seed, only=fault) as node:
            reader = LogReader(Rpc(node.url, sleep=lambda _: None), chain.target.contract)
            with pytest.raises(NodeInvalid):
                list(reader.read(5, 9, parent=chain.block_hash(4)))


def test_a_block_after_the_end_of_the_calendar_is_refused_E28() -> None:
    with start_anvil() as anvil:
        reader = LogReader(Rpc(anvil.url), "0x" + "11" * 20)
        anvil.set_time(LAST_BLOCK_TIME)
        found = reader.header("latest")
        assert found is not None
        assert found.time == LAST_BLOCK_TIME
        anvil.set_time(LAST_BLOCK_TIME + 1)
        with pytest.raises(NodeInvalid, match=f"allowed is 0 to {LAST_BLOCK_TIME}"):
            reader.header("latest")


def test_a_range_that_does_not_follow_the_one_before_is_refused(chain: Chain) -> None:
    reader = LogReader(Rpc(chain.anvil.url), chain.target.contract)
    assert list(reader.read(5, 9, parent=chain.block_hash(4)))
    with pytest.raises(NodeInvalid, match="does not follow the block read before it"):
        list(reader.read(5, 9, parent=chain.block_hash(3)))
