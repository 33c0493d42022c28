"""How fast the mirror brings a chain into the books, beside what the node itself can deliver.

    toolchain/run python -m benchmarks.ingest [--charges 20000]

Builds a chain of charges on Anvil, then reads it, each time in a process of its own so that memory is its own: the bare
answers of the node (the limit), everything derived (events, entries, postings, invoices, lines, subscriptions, cursor)
into SQLite and PostgreSQL, and the audit. The node shares the machine's cores with what is measured.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tallystick.chain.rpc import Rpc
from tallystick.core.deployment import Manifest
from tallystick.flows.audit import audit
from tallystick.flows.ingest import Target, ingest
from tallystick.storage.database import open_database
from tallystick.testing import Anvil, start_anvil
from tests.business import Business
from tests.databases import postgres_server

RESULTS = Path(__file__).parent / "results" / "ingest.json"
BATCH = 100
RUNS = 3
MONTH_AND_MORE = 32 * 86_400

LEAST_CHARGES_PER_S = 8_000
MOST_MEMORY_MB = 300

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


def _measured(work: Work, url: str, target: Target, database: str, answer: multiprocessing.SimpleQueue[object]) -> None:
    started = time.perf_counter()
    count = work(url, target, database)
    seconds = time.perf_counter() - started
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
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
    parser.add_argument("--charges", type=int, default=20_000)
    charges = parser.parse_args().charges
    with start_anvil() as anvil, tempfile.TemporaryDirectory() as folder:
        print(f"building a chain of {charges:,} charges ...", flush=True)
        target, _ = build(anvil, charges)
        limit, _ = median_of([measure(read_bare, anvil.url, target) for _ in range(RUNS)])
        runs = [measure(mirror, anvil.url, target, f"sqlite:///{folder}/{run}.db") for run in range(RUNS)]
        rows = {"sqlite": median_of(runs)}
        audits = {"sqlite": measure(verify, anvil.url, target, f"sqlite:///{folder}/0.db")}
        if shutil.which("initdb"):
            with postgres_server() as server:
                databases = [server.create() for _ in range(RUNS)]
                rows["postgresql"] = median_of([measure(mirror, anvil.url, target, url) for url in databases])
                audits["postgresql"] = measure(verify, anvil.url, target, databases[0])
    report(charges, limit, rows, audits)


def report(
    charges: int, limit: float, rows: dict[str, tuple[float, float]], audits: dict[str, tuple[float, float]]
) -> None:
    """Prints the table, writes the JSON, and fails where a bound is not held."""
    print(f"\n{'':48}{'events/s':>10}{'of the limit':>14}{'peak MB':>9}")
    print(f"{'limit: the bare answers of the node':48}{limit:>10,.0f}{1:>14.2f}")
    for name, (rate, memory) in rows.items():
        print(f"{f'whole mirror, {name}':48}{rate:>10,.0f}{rate / limit:>14.2f}{memory:>9.0f}")
    for name, (rate, memory) in audits.items():
        print(f"{f'audit verify, {name}':48}{rate:>10,.0f}{rate / limit:>14.2f}{memory:>9.0f}")
    for name, rate in PEERS.items():
        print(f"{name:48}{rate:>10,}")
    RESULTS.parent.mkdir(exist_ok=True)
    document = {
        "charges": charges,
        "node_limit_events_per_s": round(limit),
        "databases": {
            name: {"charges_per_s": round(rate), "peak_mb": round(memory), "ratio_to_limit": round(rate / limit, 3)}
            for name, (rate, memory) in rows.items()
        },
        "audit": {
            name: {"events_per_s": round(rate), "peak_mb": round(memory)} for name, (rate, memory) in audits.items()
        },
    }
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    rate, memory = rows["sqlite"]
    if rate < LEAST_CHARGES_PER_S or memory > MOST_MEMORY_MB:
        raise SystemExit(
            f"SQLite: {rate:,.0f} charges/s in {memory:.0f} MB; the bounds are {LEAST_CHARGES_PER_S:,} and "
            f"{MOST_MEMORY_MB} MB"
        )


if __name__ == "__main__":
    main()
