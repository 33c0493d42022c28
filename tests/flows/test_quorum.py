"""Several nodes: what they do not agree on stays pending, who fails is replaced, and the books come out the same."""

from __future__ import annotations

import io
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tallystick.chain.decode import topic_of
from tallystick.chain.nodes import Nodes
from tallystick.chain.rpc import Rpc
from tallystick.errors import NodeUnreachable, ReorganizationTooDeep, TallystickError
from tallystick.flows import ingest as ingest_module
from tallystick.flows import quorum as quorum_module
from tallystick.flows.export import export_journal
from tallystick.flows.follow import Agreement, follow_chain, ingest_from_any
from tallystick.flows.ingest import Ingested, ingest
from tallystick.flows.mirror import Mirror
from tallystick.flows.pending import read_present
from tallystick.storage.database import open_database, reading
from tallystick.storage.pending import pending_headers
from tallystick.storage.sources import Source, find_source
from tallystick.storage.waits import Wait, read_waits
from tallystick.testing import STATES_KEPT, Anvil
from tests.business import Business
from tests.chain.bad_node import UNFINAL, BadNode, bad_node
from tests.chain.conftest import Proxy
from tests.chain.test_logs import ATTEMPTS, Chain, content, require_nothing_wrong
from tests.databases import NewDatabase

FINAL_BUT_NOT_ALL = 30
"""So far behind the head of the chain the books of a test begin: there is more to become final."""


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    """As the reader's tests have it, and all of it final but for empty blocks."""
    with Anvil("--slots-in-an-epoch", str(UNFINAL // 2), "--prune-history", str(STATES_KEPT)) as anvil:
        chain = Chain(anvil)
        anvil.mine(UNFINAL // 2)
        chain.head = anvil.block_number
        yield chain


class Undisturbed:
    """What one good node's mirror has, and reports."""

    def __init__(self, engine: Engine, source: Source, done: Ingested) -> None:
        self.rows = content(engine)
        self.exported = exported(engine, source)
        self.done = done


@pytest.fixture(scope="module")
def alone(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('alone')}/books.db")
    with good_nodes(chain, 1) as (node,):
        done = ingest(engine, Rpc(node.url), chain.target)
    with reading(engine) as connection:
        source = find_source(connection, chain.target.chain_id, chain.target.contract)
    assert source is not None
    return Undisturbed(engine, source, done)


Log = dict[str, object]
Lie = Callable[[Log], Log | None]


class Liar(BadNode):
    """A bad node that tells the same lie each time it is asked: `lie` makes another of each log, or none."""

    def __init__(self, backend: str, lie: Lie, *, seed: int = 0, rate: float = 0) -> None:
        self.lie: Lie = lie
        super().__init__(backend, seed=seed, rate=rate)

    def _answer(self, body: bytes, answer: bytes) -> tuple[int, bytes]:
        call = msgspec.json.decode(body)
        if isinstance(call, dict) and call["method"] == "eth_getLogs":
            document = msgspec.json.decode(answer)
            told = [self.lie(log) for log in document["result"]]
            answer = msgspec.json.encode(document | {"result": [log for log in told if log is not None]})
        return super()._answer(body, answer)


def truth(log: Log) -> Log:
    return log


def without_cancellation(log: Log) -> Log | None:
    """Nothing counts cancellations: by itself no reader would notice."""
    return None if topic_of("Cancelled") in str(log["topics"]) else log


def with_a_forged_amount(log: Log) -> Log:
    """Contracts count refunds, and what was given back is not looked up."""
    data = str(log["data"])
    return log | {"data": data[:-1] + "7"} if topic_of("Refunded") in str(log["topics"]) else log


LIES: dict[str, Lie] = {"leaves out a log": without_cancellation, "forges an amount": with_a_forged_amount}


class Books:
    """A database that is filled from several nodes, and what was said of it."""

    def __init__(self, chain: Chain, url: str, nodes: Sequence[BadNode | Proxy], needed: int) -> None:
        self.chain = chain
        self.engine = open_database(url)
        self.nodes = Nodes([node.url for node in nodes], sleep=lambda _: None)
        self.nodes.open()
        target = replace(chain.target, events_per_request=40)
        manifest = chain.business.manifest
        self.mirror = Mirror(*[target] * 4, engine=self.engine, nodes=self.nodes, manifest=manifest, quorum=needed)
        self.said: list[str] = []

    def ingest(self) -> Ingested:
        self.nodes.glance()
        return ingest_from_any(self.mirror, self.mirror.target, say=self.said.append)

    @property
    def source(self) -> Source:
        with reading(self.engine) as connection:
            source = find_source(connection, self.chain.target.chain_id, self.chain.target.contract)
        assert source is not None
        return source

    @property
    def waits(self) -> list[Wait]:
        """As `status` finds them."""
        with reading(self.engine) as connection:
            return read_waits(connection, self.chain.target.chain_id)

    @property
    def newest(self) -> int:
        """The newest block that is mirrored, pending or final."""
        with reading(self.engine) as connection:
            return pending_headers(connection, self.source.source_id)[-1].number

    def exported(self) -> bytes:
        return exported(self.engine, self.source)


def exported(engine: Engine, source: Source) -> bytes:
    file = io.BytesIO()
    export_journal(engine, [source], "jsonl", file)
    return file.getvalue()


def require_undisturbed(books: Books, alone: Undisturbed) -> None:
    """The books are those of a mirror that reads the chain from one good node, byte for byte."""
    assert content(books.engine) == alone.rows
    assert books.exported() == alone.exported
    assert books.waits == []


@contextmanager
def good_nodes(chain: Chain, count: int) -> Iterator[list[BadNode]]:
    with ExitStack() as stack:
        nodes = [stack.enter_context(bad_node(chain.anvil.url, seed=0, rate=0)) for _ in range(count)]
        for node in nodes:
            node.head = chain.head
        yield nodes


@contextmanager
def liar(chain: Chain, lie: Lie, *, seed: int = 0, rate: float = 0) -> Iterator[Liar]:
    node = Liar(chain.anvil.url, lie, seed=seed, rate=rate)
    node.head = chain.head
    try:
        yield node
    finally:
        node.stop()


# --- who does not agree -----------------------------------------------------------------------------------------------


def test_E63_two_nodes_on_two_branches_stop_finality_and_not_service(
    chain: Chain, alone: Undisturbed, new_database: NewDatabase
) -> None:
    with ExitStack() as stack:
        other = stack.enter_context(
            Anvil("--slots-in-an-epoch", str(UNFINAL // 2), "--prune-history", str(STATES_KEPT))
        )
        other.rpc("anvil_loadState", chain.fork)
        common = other.block_number
        elsewhere = Business(other)
        for price in range(10, 30):
            elsewhere.create_plan(price)
        read, witness = stack.enter_context(good_nodes(chain, 2))
        witness.backends = [other.url]
        books = Books(chain, new_database(), [read, witness], needed=2)

        read.head = witness.head = common
        assert books.ingest().waits == ()
        assert books.source.final_number == common - UNFINAL

        read.head = witness.head = chain.head
        for _ in range(2):
            done = books.ingest()
            assert books.source.final_number <= common
            (wait,) = done.waits
            assert (wait.since_block, wait.agreeing, wait.needed) == (books.source.final_number + 1, 1, 2)
            assert [said.node for said in done.disagreements] == [witness.url]
            assert f"{witness.url} disagrees with {read.url}" in wait.why
            assert chain.block_hash(chain.head - UNFINAL).hex() in wait.why
            assert books.waits == [wait]
            assert done.head_block == books.newest == chain.head
            assert chain.business.account("late") in pending_payers(books)

        witness.backends, witness.head = [chain.anvil.url], chain.head
        assert books.ingest().waits == ()
        require_undisturbed(books, alone)
        assert books.said == []


def pending_payers(books: Books) -> set[str]:
    """Who is seen to have paid, in blocks that are not final."""
    with reading(books.engine) as connection:
        changes = read_present(connection, books.source, {}).changes
    return {change.invoice.payer for _, change in changes if change.invoice is not None}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("place", [0, 1], ids=["read", "witness"])
def test_E63_of_two_nodes_one_lies_and_nothing_wrong_is_final(
    chain: Chain, alone: Undisturbed, tmp_path: Path, lie: str, place: int
) -> None:
    with good_nodes(chain, 1) as (good,), liar(chain, LIES[lie]) as bad:
        nodes = [good, bad]
        nodes.insert(place, nodes.pop())
        books = Books(chain, f"sqlite:///{tmp_path}/books.db", nodes, needed=2)
        done = books.ingest()
        (wait,) = done.waits
        (said,) = done.disagreements
        assert (said.node, nodes[0].url in said.text) == (nodes[1].url, True)
        assert said.text in wait.why
        require_nothing_wrong(books.engine, chain, alone.rows)
        bad.lie = truth
        for _ in range(2):  # where the lie was pending, it is found and forgotten at first
            with_patience(books)
        require_undisturbed(books, alone)


def with_patience(books: Books) -> None:
    """One more attempt. Whatever happens, it may go better the next time."""
    try:
        books.ingest()
    except TallystickError as error:
        if not error.retryable:
            raise


@pytest.mark.parametrize("lie", LIES)
def test_E63_one_liar_of_three_is_outvoted_and_named(
    chain: Chain, alone: Undisturbed, tmp_path: Path, lie: str
) -> None:
    with good_nodes(chain, 2) as good, liar(chain, LIES[lie]) as bad:
        books = Books(chain, f"sqlite:///{tmp_path}/books.db", [good[0], bad, good[1]], needed=2)
        done = books.ingest()
        assert done.waits == ()
        assert {said.node for said in done.disagreements} == {bad.url}
        require_undisturbed(books, alone)
        assert [member.rpc.url for member in books.nodes.by_health()][-1] == bad.url


@pytest.mark.parametrize("lie", LIES)
def test_E63_a_liar_that_is_read_is_outvoted_and_another_is_read(
    chain: Chain, alone: Undisturbed, tmp_path: Path, lie: str
) -> None:
    with good_nodes(chain, 2) as good, liar(chain, LIES[lie]) as bad:
        books = Books(chain, f"sqlite:///{tmp_path}/books.db", [bad, *good], needed=2)
        done = books.ingest()
        assert (done.final_block, done.waits) == (chain.head - UNFINAL, ())
        (said,) = books.said
        assert said.startswith(f"{bad.url} fails, the next node is read: ")
        assert good[0].url in said
        assert good[1].url in said
        assert books.nodes.by_health()[-1].rpc.url == bad.url
        require_undisturbed(books, alone)


def test_E61_a_node_that_replaced_a_final_block_stops_the_mirror_only_when_all_say_so(
    chain: Chain, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        other = stack.enter_context(Anvil("--prune-history", str(STATES_KEPT)))
        other.mine(chain.head + UNFINAL)
        read, second = stack.enter_context(good_nodes(chain, 2))
        books = Books(chain, f"sqlite:///{tmp_path}/books.db", [read, second], needed=2)
        books.ingest()
        before = content(books.engine)
        read.backends = [other.url]
        done = books.ingest()
        assert "was final with hash" in books.said[-1]
        assert done.head_block == chain.head
        second.backends = [other.url]
        with pytest.raises(ReorganizationTooDeep, match="nothing was changed"):
            books.ingest()
        assert content(books.engine) == before


# --- who does not answer ----------------------------------------------------------------------------------------------


def test_the_node_that_is_read_dies_in_the_middle_and_the_next_goes_on(
    chain: Chain, alone: Undisturbed, new_database: NewDatabase
) -> None:
    with ExitStack() as stack:
        proxies = [stack.enter_context(proxy(chain)) for _ in range(2)]
        books = Books(chain, new_database(), proxies, needed=1)
        left = 4

        def dies(method: str, answer: bytes) -> tuple[int, bytes] | None:
            nonlocal left
            left -= method == "eth_getLogs"
            return (200, answer) if left > 0 else None

        proxies[0].misbehave = dies
        done = books.ingest()
        assert left <= 0
        (said,) = books.said
        assert said.startswith(f"{proxies[0].url} fails, the next node is read: no answer from {proxies[0].url}")
        assert done == alone.done
        require_undisturbed(books, alone)

        proxies[0].misbehave = None
        before = len(proxies[0].calls)
        books.ingest()
        assert set(proxies[0].calls[before:]) == {"eth_blockNumber"}  # it is looked at, and not read for some minutes


def test_where_no_node_answers_the_error_says_that_it_may_pass(chain: Chain, tmp_path: Path) -> None:
    with good_nodes(chain, 2) as nodes:
        books = Books(chain, f"sqlite:///{tmp_path}/books.db", nodes, needed=2)
    with pytest.raises(NodeUnreachable) as caught:
        books.ingest()
    assert caught.value.retryable
    assert len(books.said) == 2


def test_finality_waits_for_a_witness_that_lags(chain: Chain, alone: Undisturbed, new_database: NewDatabase) -> None:
    with good_nodes(chain, 2) as (read, witness):
        witness.head = chain.head - FINAL_BUT_NOT_ALL
        books = Books(chain, new_database(), [read, witness], needed=2)
        done = books.ingest()
        assert (done.final_block, done.head_block) == (witness.head - UNFINAL, chain.head)
        (wait,) = done.waits
        assert (wait.since_block, wait.agreeing) == (done.final_block + 1, 1)
        assert wait.why == (f"{witness.url} lags behind, the last block that it calls final is {done.final_block}")
        assert done.disagreements == ()
        assert books.newest == chain.head
        witness.head = chain.head
        assert books.ingest().waits == ()
        require_undisturbed(books, alone)


def test_a_witness_a_few_blocks_behind_is_followed_and_makes_nothing_wait(chain: Chain, tmp_path: Path) -> None:
    with good_nodes(chain, 2) as (read, witness):
        books = Books(chain, f"sqlite:///{tmp_path}/books.db", [read, witness], needed=2)
        for head in range(chain.head - FINAL_BUT_NOT_ALL, chain.head, 4):
            read.head, witness.head = head, head - 2  # always: it never has what is final for the other
            done = books.ingest()
            assert (done.final_block, done.waits) == (head - 2 - UNFINAL, ())


def test_a_witness_that_lags_does_not_matter_where_enough_others_agree(
    chain: Chain, alone: Undisturbed, tmp_path: Path
) -> None:
    with good_nodes(chain, 3) as nodes:
        nodes[1].head = chain.head - FINAL_BUT_NOT_ALL
        books = Books(chain, f"sqlite:///{tmp_path}/books.db", nodes, needed=2)
        assert books.ingest().waits == ()
        require_undisturbed(books, alone)


def test_a_node_far_behind_the_others_is_not_read(chain: Chain, tmp_path: Path) -> None:
    with good_nodes(chain, 3) as nodes:
        books = Books(chain, f"sqlite:///{tmp_path}/books.db", nodes, needed=2)
        nodes[0].head = chain.head - FINAL_BUT_NOT_ALL
        assert books.ingest().head_block == chain.head
        assert books.nodes.by_health()[-1].rpc.url == nodes[0].url
        nodes[0].head = chain.head
        nodes[2].head = 2**60  # whoever boasts does not make the others seem to lag
        books.nodes.glance()
        assert books.nodes.by_health()[0].rpc.url == nodes[0].url


def test_E63_without_its_witness_nothing_becomes_final_and_payments_are_seen(
    chain: Chain, new_database: NewDatabase
) -> None:
    with good_nodes(chain, 1) as (read,):
        with good_nodes(chain, 1) as (witness,):
            books = Books(chain, new_database(), [read, witness], needed=2)
        done = books.ingest()
        assert (done.final_block, done.final_events) == (chain.target.start_block - 1, 0)
        assert f"no answer from {witness.url}" in done.waits[0].why
        assert pending_payers(books) >= {chain.business.account(name) for name in (0, 1, "late")}


def test_while_finality_waits_the_pending_blocks_do_not_grow_without_end(
    chain: Chain, alone: Undisturbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "MOST_PENDING", 20)
    with good_nodes(chain, 2) as (read, witness):
        witness.head = chain.target.start_block + UNFINAL + 3
        books = Books(chain, f"sqlite:///{tmp_path}/books.db", [read, witness], needed=2)
        done = books.ingest()
        assert (done.pending_blocks, done.head_block) == (20, chain.head)
        assert books.newest == done.final_block + 20
        witness.head = chain.head
        assert books.ingest().waits == ()
        require_undisturbed(books, alone)


def test_a_witness_that_never_answers_is_not_waited_for_long(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the connection, and is silent: what is pending goes on, and a lease is kept."""
    monkeypatch.setattr(quorum_module, "PATIENCE_S", 0.5)
    monkeypatch.setattr("tallystick.chain.nodes.GLANCE_S", 0.1)
    answer = threading.Event()

    def silent(_method: str, content: bytes) -> tuple[int, bytes]:
        answer.wait()
        return 200, content

    with good_nodes(chain, 1) as (read,), proxy(chain) as witness:
        books = Books(chain, f"sqlite:///{tmp_path}/books.db", [read, witness], needed=2)
        witness.misbehave = silent
        try:
            done = books.ingest()
            assert "did not answer in time" in done.waits[0].why
            assert done.head_block == books.newest == chain.head
            monkeypatch.setattr(quorum_module, "PATIENCE_S", 60.0)
            started = time.monotonic()
            assert "still owes an answer" in books.ingest().waits[0].why
            assert time.monotonic() - started < 10
        finally:
            witness.misbehave = None
            answer.set()
        while books.ingest().waits:
            assert time.monotonic() - started < 10


@contextmanager
def proxy(chain: Chain) -> Iterator[Proxy]:
    found = Proxy(chain.anvil.url)
    try:
        yield found
    finally:
        found.stop()


# --- whom nobody asks -------------------------------------------------------------------------------------------------


def test_with_one_node_nothing_is_asked_but_what_was_asked_before(chain: Chain, tmp_path: Path) -> None:
    with proxy(chain) as node:
        ingest(
            open_database(f"sqlite:///{tmp_path}/before.db"),
            Rpc(node.url),
            replace(chain.target, events_per_request=40),
        )
        before, node.calls = node.calls, []
        books = Books(chain, f"sqlite:///{tmp_path}/books.db", [node], needed=1)
        books.ingest()
        assert sorted(node.calls) == sorted(["eth_chainId", *before])  # on two connections: in whatever order


def test_nodes_that_need_not_agree_are_only_looked_at(chain: Chain, tmp_path: Path) -> None:
    with proxy(chain) as read, proxy(chain) as other:
        Books(chain, f"sqlite:///{tmp_path}/books.db", [read, other], needed=1).ingest()
        assert set(other.calls) == {"eth_chainId", "eth_blockNumber"}


# --- what is told -----------------------------------------------------------------------------------------------------


def test_what_is_told_while_it_goes_on(chain: Chain, tmp_path: Path) -> None:
    """A wait for a node that lags when it lasts, a disagreement at once, neither again and again; and the end of it."""
    with good_nodes(chain, 1) as (read,), liar(chain, truth) as other:
        books = Books(chain, f"sqlite:///{tmp_path}/books.db", [read, other], needed=2)
        lines: list[str] = []
        agreement = Agreement(lines.append)

        def told() -> list[str]:
            agreement.tell(books.ingest())
            found, lines[:] = list(lines), []
            return found

        other.head = chain.head - FINAL_BUT_NOT_ALL
        assert told() == []
        (waiting,) = told()
        since = other.head - UNFINAL + 1
        assert f"finality waits since block {since}, which goes on as pending, because 1 of the 2 nodes" in waiting
        assert f"{other.url} lags behind" in waiting
        assert told() == []
        other.head, other.lie = chain.head, with_a_forged_amount
        (disagreeing,) = told()
        assert f"{other.url} disagrees with {read.url} on blocks {since} to " in disagreeing
        assert told() == []
        other.lie = truth
        assert told() == [f"{chain.target.contract}: enough nodes agree again, finality goes on"]
        assert told() == []


class Stopped(Exception):
    """Enough was said."""


def test_a_mirror_that_follows_goes_on_by_itself_when_the_nodes_agree_again(chain: Chain, tmp_path: Path) -> None:
    with good_nodes(chain, 1) as (read,), liar(chain, without_cancellation) as other:
        books = Books(chain, f"sqlite:///{tmp_path}/books.db", [read, other], needed=2)

        def say(line: str) -> None:
            books.said.append(line)
            other.lie = truth
            if "finality goes on" in line:
                raise Stopped

        with pytest.raises(Stopped):
            follow_chain(books.mirror, poll_s=0.01, say=say)
        assert len(books.said) == 3
        assert "finality waits since block" in books.said[0]
        assert books.said[1].startswith(f"block {chain.head}, final ")
        assert books.source.final_number == chain.head - UNFINAL


def test_one_that_is_outvoted_is_told_of_once(chain: Chain, tmp_path: Path) -> None:
    with good_nodes(chain, 2) as good, liar(chain, without_cancellation) as bad:
        books = Books(chain, f"sqlite:///{tmp_path}/books.db", [*good, bad], needed=2)
        lines: list[str] = []
        Agreement(lines.append).tell(books.ingest())
        (line,) = lines
        assert line.startswith(f"{bad.url} disagrees with {good[0].url} on blocks ")
        assert line.endswith("; it is outvoted, finality goes on")


def test_the_first_difference_is_named(chain: Chain, alone: Undisturbed, tmp_path: Path) -> None:
    (cancelled,) = [row for row in alone.rows["events"] if "Cancelled" in row]
    with good_nodes(chain, 1) as (read,), liar(chain, without_cancellation) as bad:
        books = Books(chain, f"sqlite:///{tmp_path}/books.db", [read, bad], needed=2)
        assert f"first on block {cancelled[1]}: " in books.ingest().disagreements[0].text


# --- whatever nodes do ------------------------------------------------------------------------------------------------


@pytest.mark.fuzz
@settings(max_examples=settings().max_examples // 40)  # each is some twenty ingestions from three nodes
@given(seed=st.integers(0, 2**32), rate=st.sampled_from([0.1, 0.5, 0.9]), lie=st.sampled_from([truth, *LIES.values()]))
def test_E63_whatever_a_minority_does_the_books_come_out_the_same(
    chain: Chain, alone: Undisturbed, seed: int, rate: float, lie: Lie
) -> None:
    with TemporaryDirectory() as folder, good_nodes(chain, 2) as nodes, liar(chain, lie, seed=seed, rate=rate) as bad:
        draw = random.Random(seed)
        nodes.insert(draw.randrange(3), bad)
        books = Books(chain, f"sqlite:///{folder}/books.db", nodes, needed=2)
        for node in nodes:
            node.head = chain.target.start_block + UNFINAL
        for _ in range(ATTEMPTS):
            for node in nodes:
                node.head = min(chain.head, node.head + draw.randint(-2, 12))
            with_patience(books)
            require_nothing_wrong(books.engine, chain, alone.rows)
        for node in nodes:
            node.head = chain.head
        for _ in range(2):  # the first may find that pending blocks were read wrongly before, and forgets them
            with_patience(books)
        assert books.source.final_number == chain.head - UNFINAL
        bad.rate, bad.lie = 0, truth
        for _ in range(2):
            with_patience(books)
        require_undisturbed(books, alone)
