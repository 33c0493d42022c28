"""Final blocks are others now: where books and chain part, what is above, and which nodes say so (E61)."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import create_engine

from tallystick.storage.database import reading
from tallystick.storage.events import count_known_events, known_blocks
from tallystick.storage.journal import read_entries
from tests.business import PRICE_UNITS, Business
from tests.chain.bad_node import BadNode
from tests.cli.conftest import Run, Say
from tests.flows.test_ingest import content, source_of


class OtherBlocks(BadNode):
    """A node that tells the hashes of some blocks otherwise: `hashes` by number."""

    def __init__(self, backend: str) -> None:
        self.hashes: dict[int, bytes] = {}
        super().__init__(backend, seed=0, rate=0)

    def _answer(self, body: bytes, answer: bytes) -> tuple[int, bytes]:
        document = msgspec.json.decode(answer)
        for one in document if isinstance(document, list) else [document]:
            block = one.get("result")
            if isinstance(block, dict) and int(block.get("number", "0x0"), 16) in self.hashes:
                block["hash"] = "0x" + self.hashes[int(block["number"], 16)].hex()
        return super()._answer(body, msgspec.json.encode(document))


@pytest.fixture
def other(business: Business) -> Iterator[OtherBlocks]:
    node = OtherBlocks(business.anvil.url)
    yield node
    node.stop()


def charged_then_taken_back(business: Business, index: Callable[[], object]) -> int:
    """The chain goes back below what is final, to where one of four had subscribed, and on without the others. Gives
    the last block with events that stays."""
    plan = business.create_plan()
    business.subscribe(business.payer("ada"), plan)
    common = business.anvil.block_number
    business.anvil.finalize()
    mark = business.anvil.snapshot()
    for name in ("bob", "cyd", "eve"):
        business.subscribe(business.payer(name), plan)
    business.anvil.finalize()
    index()
    final = business.anvil.block_number
    business.anvil.revert(mark)
    business.subscribe(business.payer("dan"), plan)
    business.anvil.mine(final + 64 - business.anvil.block_number)
    return common


def test_E61_books_and_chain_part_and_what_is_above_is_named(run: Run, say: Say, business: Business) -> None:
    common = charged_then_taken_back(business, lambda: say(None, "index"))
    engine = create_engine("sqlite:///tallystick.db")
    source, before = source_of(business, engine), content(engine)
    assert "`tallystick audit fork` shows" in run("index", exit_code=1).stderr

    found = say(None, "audit", "fork")
    assert (found["parted"], found["agreed"], found["needed"]) == (True, True, 1)
    fork = next(one for one in found["forks"] if one["contract"] == "Subscriptions")
    with reading(engine) as connection:
        known = known_blocks(connection, source.source_id, source.final_number)
        above = count_known_events(connection, source.source_id, common, source.final_number)
    assert (fork["common_block"], fork["common_hash"]) == next(
        (number, "0x" + hashed.hex()) for number, hashed in known if number == common
    )
    gone = next((number, "0x" + hashed.hex()) for number, hashed in known if number > common)
    assert (fork["gone_block"], fork["gone_hash"]) == gone
    raw = business.anvil.rpc("eth_getBlockByNumber", hex(fork["gone_block"]), False)
    assert fork["instead_hash"] == raw["hash"] != fork["gone_hash"]
    assert (fork["final_block"], fork["final_hash"]) == (source.final_number, "0x" + source.final_hash.hex())
    assert (fork["events"], fork["entries"], fork["documents"]) == (above, 3, 3)
    assert above >= 6  # of each subscription and of its first charge
    (moved,) = [one["moved"] for one in found["moved"] if one["contract"] == "Subscriptions"]
    assert moved["units"] == str(3 * PRICE_UNITS)
    other = next(one for one in found["forks"] if one["contract"] == "Escrow")
    assert (other["common_block"], other["entries"], other["documents"]) == (None, 0, 0)
    text = run("audit", "fork").stdout
    assert "Nothing was changed." in text
    assert content(engine) == before


def test_E61_several_nodes_are_asked_and_one_that_gives_two_chains_is_refused(
    run: Run, say: Say, business: Business, other: OtherBlocks
) -> None:
    charged_then_taken_back(business, lambda: say(None, "index"))
    engine = create_engine("sqlite:///tallystick.db")
    source = source_of(business, engine)
    Path("tallystick.toml").write_text(
        f'rpc_url = "{business.anvil.url}"\n[index]\nrpc_urls = ["{other.url}"]\nquorum = 2\n'
    )

    def agreement() -> tuple[bool, set[str]]:
        found = json.loads(run("audit", "fork", "--json").stdout)
        return found["agreed"], {one["why"] for one in found["nodes"] if not one["agrees"]}

    assert agreement() == (True, set())
    other.hashes = {source.final_number: source.final_hash}
    assert agreement() == (False, {f"its block {source.final_number} is 0x{source.final_hash.hex()}"})
    assert "Too few nodes say so: 2 must." in run("audit", "fork").stdout

    with reading(engine) as connection:
        bob, cyd, eve = known_blocks(connection, source.source_id, source.final_number)[-3:]
    Path("tallystick.toml").write_text(f'rpc_url = "{other.url}"\n')
    other.hashes = dict([cyd])  # and others before and after it
    refused = run("audit", "fork", exit_code=1).stderr
    assert "the node gives two chains at once" in refused
    assert any(f"of block {number} " in refused for number, _ in (bob, cyd, eve))


def test_books_that_are_the_chains_have_no_fork_and_a_node_behind_says_nothing(
    run: Run, say: Say, business: Business
) -> None:
    mark = business.anvil.snapshot()
    business.subscribe(business.payer("ada"), business.create_plan())
    business.anvil.finalize()
    say(None, "index")
    assert say(None, "audit", "fork") == {
        "chain_id": business.anvil.chain_id,
        "parted": False,
        "forks": [],
        "moved": [],
        "nodes": [],
    }
    assert "there is no fork" in run("audit", "fork", env={"TALLYSTICK_RPC_URL": business.anvil.url}).stdout
    business.anvil.revert(mark)
    assert "it lags behind" in run("audit", "fork", env={"TALLYSTICK_RPC_URL": business.anvil.url}, exit_code=1).stderr


def test_E61_however_deep_the_fork_is_it_is_the_one_that_looking_at_each_block_finds(
    run: Run, say: Say, business: Business
) -> None:
    draw = random.Random(61)
    plan = business.create_plan()
    for step in range(12):
        business.subscribe(business.payer(f"payer {step}"), plan)
    for turn in range(6):
        books = ("--db", f"sqlite:///{turn}.db")
        run("index", *books, env={"TALLYSTICK_INDEX_FINALITY": "0"})
        engine = create_engine(f"sqlite:///{turn}.db")
        source = source_of(business, engine)
        with reading(engine) as connection:
            known = known_blocks(connection, source.source_id, source.final_number)
        business.anvil.reorg(draw.randint(1, source.final_number - known[0][0]))
        chain = {number: business.anvil.rpc("eth_getBlockByNumber", hex(number), False)["hash"] for number, _ in known}
        still = [number for number, hashed in known if chain[number] == "0x" + hashed.hex()]
        (fork,) = [one for one in say(None, "audit", "fork", *books)["forks"] if one["contract"] == "Subscriptions"]
        assert fork["common_block"] == still[-1]
        gone = [number for number, _ in known if number not in still]
        assert fork["gone_block"] == (gone[0] if gone else source.final_number)
        with reading(engine) as connection:
            entries = [one.origin.block_number for one in read_entries(connection, source.source_id)]
        assert fork["entries"] == sum(number > still[-1] for number in entries)
        for step in range(4):
            business.subscribe(business.payer(f"payer {turn} {step}"), plan)
