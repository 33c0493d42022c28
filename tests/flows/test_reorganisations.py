"""Whatever a chain takes back and puts in its place, the books are those of who never saw anything else (E60)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tallystick.chain.rpc import Rpc
from tallystick.core.period import Unit
from tallystick.flows.audit import audit
from tallystick.flows.ingest import Target, ingest
from tallystick.storage.database import open_database
from tallystick.testing import STATES_KEPT, Anvil
from tests.business import Business
from tests.databases import NewDatabase
from tests.flows.test_ingest import content, target_of

DEEPEST = 40
PERIOD_S = 31
EXAMPLES = max(4, settings().max_examples // 25)
"""Each is half a minute of a chain: 4 in `make test`, 200 in `make fuzz`."""


class Chain:
    """A chain that is final 48 blocks behind its head, and a business on it. It draws what happens."""

    def __init__(self, anvil: Anvil, draw: random.Random) -> None:
        self.anvil, self.draw = anvil, draw
        self.business = Business(anvil)
        plan = self.business.create_plan(every=30, unit=Unit.SECOND)
        self.ids = self.business.subscribe_many(5, plan)
        anvil.rpc("anvil_mine", "0x40")
        self.settled = self.head
        self.replaced: dict[int, int] = {}

    @property
    def head(self) -> int:
        return int(self.anvil.rpc("eth_blockNumber"), 16)

    @property
    def target(self) -> Target:
        return target_of(self.business)

    def go_on(self) -> None:
        """A block: with nothing, or with charges of some, who pay where they are due."""
        self.anvil.advance(PERIOD_S)
        if self.draw.random() < 0.7:
            self.business.charge(*self.draw.sample(self.ids, self.draw.randint(1, 5)))
        else:
            self.anvil.rpc("anvil_mine", "0x1")

    def take_back(self) -> None:
        """Some of the last blocks, of whose transactions some come again, in another order, in other blocks."""
        depth = self.draw.randint(1, min(DEEPEST, self.head - self.settled))
        blocks = range(self.head - depth + 1, self.head + 1)
        found = [one for number in blocks for one in self._transactions(number)]
        again = [one for one in found if self.draw.random() < 0.6]
        self.draw.shuffle(again)
        places = sorted(self.draw.randrange(depth) for _ in again)
        self.anvil.reorg(depth, list(zip(again, places, strict=True)))
        self.replaced[depth] = len(again)

    def _transactions(self, number: int) -> Iterator[dict[str, Any]]:
        block = self.anvil.rpc("eth_getBlockByNumber", hex(number), True)
        for one in block["transactions"]:
            yield {"from": one["from"], "to": one["to"], "data": one["input"], "gas": one["gas"]}


def never_saw_anything_else(chain: Chain, folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """What the books are of somebody who comes now."""
    engine = open_database(f"sqlite:///{folder}/{chain.draw.getrandbits(64)}.db")
    ingest(engine, Rpc(chain.anvil.url), chain.target)
    found = content(engine)
    engine.dispose()
    return found


def live(seed: int, engine: Engine, folder: Path) -> dict[int, int]:
    """A life with reorganisations, compared after each; how deep they were and how many transactions came again."""
    with Anvil("--slots-in-an-epoch", "24", "--prune-history", str(STATES_KEPT)) as anvil:
        chain = Chain(anvil, random.Random(seed))
        rpc = Rpc(anvil.url)
        ingest(engine, rpc, chain.target)
        for _ in range(4):
            for _ in range(chain.draw.randint(1, 12)):
                chain.go_on()
                if chain.draw.random() < 0.3:
                    ingest(engine, rpc, chain.target)
            chain.take_back()
            ingest(engine, rpc, chain.target)
            assert content(engine) == never_saw_anything_else(chain, folder)
        anvil.rpc("anvil_mine", "0x40")
        ingest(engine, rpc, chain.target)
        assert content(engine) == never_saw_anything_else(chain, folder)
        assert audit(engine, rpc, chain.target).ok
    return chain.replaced


@pytest.mark.fuzz
@settings(max_examples=EXAMPLES)
@given(seed=st.integers(0, 2**32))
def test_any_reorganisation_leaves_the_books_of_the_branch_that_stays_E60(seed: int) -> None:
    with TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{folder}/books.db")
        live(seed, engine, Path(folder))
        engine.dispose()


def test_of_forty_blocks_whose_transactions_come_again_in_another_order_E60(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with Anvil("--slots-in-an-epoch", "24", "--prune-history", str(STATES_KEPT)) as anvil:
        chain = Chain(anvil, random.Random(60))
        engine, rpc = open_database(new_database()), Rpc(anvil.url)
        for _ in range(DEEPEST):
            chain.go_on()
        before = ingest(engine, rpc, chain.target)
        requests = [one for number in range(chain.settled + 1, chain.head + 1) for one in chain._transactions(number)]
        anvil.reorg(DEEPEST, [(one, place) for place, one in enumerate(reversed(requests))])
        after = ingest(engine, rpc, chain.target)
        assert before.pending_blocks == after.pending_blocks
        assert after.rolled_back_events is not None
        assert after.rolled_back_events > len(requests)
        assert content(engine) == never_saw_anything_else(chain, tmp_path)
