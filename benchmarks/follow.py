"""How long after the node has a block its invoices are in the books, while the mirror follows.

    toolchain/run python -m benchmarks.follow [--blocks 60]

The mirror follows in a thread, woken by the node's websocket; each block has a batch of charges and is final at once.
Measured is from the moment in which the node answers with the block to that in which the database has the last invoice
of it: with all of the deployment's contracts mirrored, on the same cores as the node. Beside it, what the node itself
needs to give one block's logs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import threading
import time
from pathlib import Path

from sqlalchemy import func, select

from tallystick.chain.heads import HeadHints
from tallystick.config import Config, IndexConfig
from tallystick.flows.deploy import write_manifest
from tallystick.flows.follow import follow_chain
from tallystick.flows.mirror import open_mirror
from tallystick.storage.database import open_database, reading
from tallystick.storage.schema import invoices
from tallystick.testing import Anvil, start_anvil
from tests.business import Business
from tests.databases import postgres_server

RESULTS = Path(__file__).parent / "results" / "follow.json"
BATCH = 20
MONTH_AND_MORE = 32 * 86_400
MOST_MS = 200
POLL_S = 2.0


class _Stop(BaseException):
    """Ends the following."""


def follow(anvil: Anvil, business: Business, ids: list[int], database: str, blocks: int) -> list[float]:
    """Milliseconds, of each block."""
    with tempfile.TemporaryDirectory() as name:
        write_manifest(Path(name) / "manifest.json", business.manifest)
        config = Config(
            rpc_url=anvil.url, deployment=Path(name) / "manifest.json", database=database, index=IndexConfig(finality=0)
        )
        mirror, watching = open_mirror(config), open_database(database)
        hints = HeadHints(anvil.url.replace("http", "ws"), print)
        stopped = threading.Event()

        def wait(seconds: float) -> None:
            if stopped.is_set():
                raise _Stop
            hints.wait(seconds)

        def run() -> None:
            try:
                follow_chain(mirror, poll_s=POLL_S, say=lambda _: None, wait=wait)
            except _Stop:
                hints.close()

        def count() -> int:
            with reading(watching) as connection:
                return connection.execute(select(func.count()).select_from(invoices)).scalar_one()

        thread = threading.Thread(target=run)
        thread.start()
        expected = wanted(anvil, business)
        found = []
        for _ in range(blocks):
            while count() < expected:
                time.sleep(0.002)
            time.sleep(0.05)  # it waits again
            anvil.set_time(anvil.timestamp + MONTH_AND_MORE)
            business.charge(*ids)  # returns when the node has the block
            started, expected = time.perf_counter(), expected + len(ids)
            while count() < expected:
                time.sleep(0.002)
            found.append((time.perf_counter() - started) * 1_000)
        stopped.set()
        anvil.rpc("anvil_mine", "0x1")
        thread.join()
        mirror.engine.dispose()
        watching.dispose()
    return sorted(found)


def wanted(anvil: Anvil, business: Business) -> int:
    """How many invoices there are to be at first: one for each charge so far."""
    totals = business.connection().contract.control_totals(business.payee, business.token)
    del anvil
    return totals.charge_count


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--blocks", type=int, default=60)
    blocks = parser.parse_args().blocks
    rows = {}
    with start_anvil() as anvil, tempfile.TemporaryDirectory() as folder:
        business = Business(anvil)
        ids = business.subscribe_many(BATCH, business.create_plan())
        rows["sqlite"] = follow(anvil, business, ids, f"sqlite:///{folder}/books.db", blocks)
        if shutil.which("initdb"):
            with postgres_server() as server:
                rows["postgresql"] = follow(anvil, business, ids, server.create(), blocks)
    print(f"{'from block to invoices, ms':32}{'median':>8}{'19 of 20':>10}{'longest':>9}")
    document = {}
    for name, found in rows.items():
        median, most = found[len(found) // 2], found[len(found) * 19 // 20]
        print(f"{name:32}{median:>8.0f}{most:>10.0f}{found[-1]:>9.0f}")
        document[name] = {"median_ms": round(median), "p95_ms": round(most), "longest_ms": round(found[-1])}
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    if late := [name for name, found in rows.items() if found[len(found) // 2] > MOST_MS]:
        raise SystemExit(f"more than {MOST_MS} ms: {', '.join(late)}")


if __name__ == "__main__":
    main()
