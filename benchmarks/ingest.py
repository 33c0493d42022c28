"""How fast the mirror brings a chain into the books, beside what the node itself can deliver.

    toolchain/run python -m benchmarks.ingest [--charges 200000]

Builds a chain of charges on Anvil, then reads it, each time in a process of its own so that memory is its own: the bare
answers of the node (the limit), the events alone (checked, decoded, stored, with the cursor), everything derived
(events, entries, postings, invoices, lines, subscriptions, cursor) into SQLite and PostgreSQL, and the audit. The node
shares the machine's cores with what is measured. Last it shows where the time of the whole goes.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from tallystick.chain.rpc import Rpc
from tallystick.core.deployment import Manifest
from tallystick.core.pegs import peg_history
from tallystick.flows.audit import audit
from tallystick.flows.garbage import collector_at_rest
from tallystick.flows.ingest import Target, ingest, log_reader
from tallystick.flows.scribe import Range, write_range
from tallystick.flows.subscription_books import SubscriptionRows
from tallystick.storage.database import open_database, reading, transaction
from tallystick.storage.events import StoredEvent, add_events
from tallystick.storage.sources import add_source
from tallystick.testing import Anvil, start_anvil
from tests.business import Business
from tests.databases import postgres_server

RESULTS = Path(__file__).parent / "results" / "ingest.json"
BATCH = 100
RUNS = 3
MONTH_AND_MORE = 32 * 86_400

LEAST = {"sqlite": (80_000, 20_000), "postgresql": (110_000, 15_000)}
"""Events stored and charges mirrored in a second; what is asked for on an idle machine of two cores."""
MOST_MB = (200, 300)

# From empty store to every row decoded and stored, one chain of 200,000 events on two cores shared with the node.
PEERS = {
    "subsquid evm-processor, PostgreSQL (raw events)": 17_100,
    "envio 2.32, RPC mode (raw events)": 2_723,
    "ponder 0.16.10, PostgreSQL (raw events)": 1_653,
    "eth-ape, SQLite (raw events)": 1_522,
}


def build(anvil: Anvil, charges: int) -> tuple[Target, Manifest]:
    """A chain with that many charges, all final: the contract, and what is deployed beside it."""
    business = Business(anvil)
    ids = business.subscribe_many(BATCH, business.create_plan())
    for _ in range(charges // BATCH - 1):
        anvil.set_time(anvil.timestamp + MONTH_AND_MORE)
        business.charge(*ids)
    anvil.finalize()
    contract = business.contract
    pegs = {business.token: "USD"}
    return Target(anvil.chain_id, contract.address, contract.start_block, pegs=pegs), business.manifest


def read_bare(url: str, target: Target, _database: str) -> int:
    """The node's answers alone, as bytes: what no indexer can beat."""
    import urllib3

    pool = urllib3.PoolManager(maxsize=1)
    head = int(Rpc(url).call(str, "eth_blockNumber"), 16)
    found = 0
    for start in range(target.start_block, head + 1, 10):
        query = {"address": target.contract, "fromBlock": hex(start), "toBlock": hex(min(head, start + 9))}
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [query]}
        found += pool.request("POST", url, json=body).data.count(b'"topics"')
    return found


def store(url: str, target: Target, database: str) -> int:
    """The events alone: every check of the reader, decoded, stored with the cursor."""
    engine, rpc = open_database(database), Rpc(url)
    with transaction(engine) as connection:
        source = add_source(connection, target.chain_id, target.contract, target.start_block, target.kind.name)
    node = log_reader(rpc, target)
    final = node.header(target.finality)
    if final is None:
        raise AssertionError("the chain is not final")
    count = 0
    nothing = SubscriptionRows([], [], [], [], [], [])
    with collector_at_rest():
        for chunk in node.read(target.start_block, final.number):
            rows = [StoredEvent(log.origin, log.name, log.topics, log.data) for log in chunk.logs]
            final_range = Range(source, chunk.start, chunk.end, rows, nothing, (), [])
            write_range(engine, target.kind, final_range)
            source = final_range.after
            count += len(chunk.logs)
    return count


def mirror(url: str, target: Target, database: str) -> int:
    """Everything, from an empty database."""
    engine = open_database(database)
    return ingest(engine, Rpc(url), target).final_events


def verify(url: str, target: Target, database: str) -> int:
    """The audit of what was mirrored."""
    report = audit(open_database(database), Rpc(url), target)
    if not report.ok:
        raise AssertionError(report.differences[:3])
    return report.events


Work = Callable[[str, Target, str], int]


def stages(url: str, target: Target, database: str) -> dict[str, float]:
    """Where the processor's time of one event goes, in microseconds, one after the other and without the node's."""
    engine, rpc, kind = open_database(database), Rpc(url), target.kind
    with transaction(engine) as connection:
        source = add_source(connection, target.chain_id, target.contract, target.start_block, kind.name)
        books = kind.load(connection, source, peg_history([], {}))
    node = log_reader(rpc, target)
    final = node.header(target.finality)
    if final is None:
        raise AssertionError("the chain is not final")
    spent: defaultdict[str, float] = defaultdict(float)
    count, last = 0, time.process_time()

    def lap(stage: str) -> None:
        nonlocal last
        now = time.process_time()
        spent[stage] += now - last
        last = now

    with collector_at_rest():
        for chunk in node.read(target.start_block, final.number):
            lap("read, check, decode")
            with reading(engine) as connection:
                rows = kind.derive(functools.partial(_same, connection), source, books, chunk.logs)
            lap("derive entries and invoices")
            with transaction(engine) as connection:
                stored = [StoredEvent(log.origin, log.name, log.topics, log.data) for log in chunk.logs]
                add_events(connection, source.source_id, stored)
            lap("store events")
            with transaction(engine) as connection:
                kind.write(connection, source.source_id, rows)
            lap("store what was derived")
            count += len(chunk.logs)
    return {stage: seconds / count * 1_000_000 for stage, seconds in spent.items()}


def _same(connection: Connection) -> Connection:
    return connection


def _measured(work: Work, url: str, target: Target, database: str, answer: multiprocessing.SimpleQueue[object]) -> None:
    started = time.perf_counter()
    count = work(url, target, database)
    seconds = time.perf_counter() - started
    # Its own and that of the process which writes, if it had one.
    kilobytes = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    answer.put((count / seconds, kilobytes / (1024 if sys.platform == "linux" else 1024**2)))


def measure(work: Work, url: str, target: Target, database: str = "") -> tuple[float, float]:
    """Events a second, and the most memory in MB, of `work` in a process of its own."""
    context = multiprocessing.get_context("spawn")
    answer = context.SimpleQueue()
    process = context.Process(target=_measured, args=(work, url, target, database, answer))
    process.start()
    process.join()
    if process.exitcode != 0:
        raise SystemExit(f"{work.__name__} failed")
    rate, memory = answer.get()
    return rate, memory


def median_of(runs: list[tuple[float, float]]) -> tuple[float, float]:
    """The run in the middle by rate, with the most memory of all."""
    return sorted(rate for rate, _ in runs)[len(runs) // 2], max(memory for _, memory in runs)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--charges", type=int, default=200_000)
    charges = parser.parse_args().charges
    with start_anvil() as anvil, tempfile.TemporaryDirectory() as folder:
        print(f"building a chain of {charges:,} charges ...", flush=True)
        target, _ = build(anvil, charges)
        limit, _ = median_of([measure(read_bare, anvil.url, target) for _ in range(RUNS)])
        rows = {"sqlite": rows_of(anvil.url, target, [f"sqlite:///{folder}/{number}.db" for number in range(2 * RUNS)])}
        if shutil.which("initdb"):
            with postgres_server() as server:
                rows["postgresql"] = rows_of(anvil.url, target, [server.create() for _ in range(2 * RUNS)])
        where = stages(anvil.url, target, f"sqlite:///{folder}/stages.db")
    report(charges, limit, rows, where)


class Measured(NamedTuple):
    """Of one database: events in a second and most memory in MB, of each work."""

    raw: tuple[float, float]
    whole: tuple[float, float]
    audit: tuple[float, float]


def rows_of(url: str, target: Target, databases: Sequence[str]) -> Measured:
    """The work on a kind of database, on as many new ones as there are runs."""
    raw = median_of([measure(store, url, target, database) for database in databases[:RUNS]])
    whole = median_of([measure(mirror, url, target, database) for database in databases[RUNS:]])
    return Measured(raw, whole, measure(verify, url, target, databases[RUNS]))


def report(charges: int, limit: float, rows: dict[str, Measured], where: dict[str, float]) -> None:
    """Prints the tables, writes the JSON, and fails where a bound is not held."""
    print(f"\n{'':48}{'events/s':>10}{'of the limit':>14}{'peak MB':>9}")
    print(f"{'limit: the bare answers of the node':48}{limit:>10,.0f}{1:>14.2f}")
    labels = {"raw": "events stored", "whole": "whole mirror", "audit": "audit verify"}
    for work, label in labels.items():
        for name, found in rows.items():
            rate, memory = getattr(found, work)
            print(f"{f'{label}, {name}':48}{rate:>10,.0f}{rate / limit:>14.2f}{memory:>9.0f}")
    for name, peer in PEERS.items():
        print(f"{name:48}{peer:>10,}")
    print(f"\n{'where the time of the whole goes (SQLite)':48}{'us/event':>10}{'share':>14}")
    for stage, spent in where.items():
        print(f"{stage:48}{spent:>10.1f}{spent / sum(where.values()):>14.2f}")
    RESULTS.parent.mkdir(exist_ok=True)
    document = {
        "charges": charges,
        "node_limit_events_per_s": round(limit),
        "databases": {
            name: {
                "raw_events_per_s": round(found.raw[0]),
                "raw_peak_mb": round(found.raw[1]),
                "charges_per_s": round(found.whole[0]),
                "peak_mb": round(found.whole[1]),
                "ratio_to_limit": round(found.whole[0] / limit, 3),
            }
            for name, found in rows.items()
        },
        "audit": {
            name: {"events_per_s": round(found.audit[0]), "peak_mb": round(found.audit[1])}
            for name, found in rows.items()
        },
        "stages_us_per_event": {stage: round(spent, 1) for stage, spent in where.items()},
    }
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    missed = []
    for name, found in rows.items():
        for label, (rate, memory), least, most in zip(
            labels.values(), (found.raw, found.whole), LEAST[name], MOST_MB, strict=False
        ):
            if rate < least or memory > most:
                missed.append(f"{label}, {name}: {rate:,.0f}/s in {memory:.0f} MB, asked for are {least:,} in {most}")
    if missed:
        raise SystemExit("\n".join(missed))


if __name__ == "__main__":
    main()
