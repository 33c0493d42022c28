"""What asking ahead gains when the node is far away.

    toolchain/run python -m benchmarks.distant [--charges 20000]

A proxy in a process of its own keeps back each answer of the node for a while, as a long way would. The mirror then
brings a chain of charges into SQLite: as it does, with the next range's logs asked for before the last range is worked
on, and with each request sent when its answer is needed. The ratio of the two is of the same run.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.ingest import build
from tallystick.chain.rpc import Rpc
from tallystick.flows.ingest import Target, ingest
from tallystick.storage.database import open_database
from tallystick.testing import start_anvil

RESULTS = Path(__file__).parent / "results" / "distant.json"
DELAYS_MS = (0, 20, 50, 100)
RUNS = 3
PER_REQUEST = 1_000
"""Logs in an answer: small, so that a short chain has many."""


class WhenNeeded(Rpc):
    """Sends each request when its answer is needed."""

    def begin(self, kind: Any, method: str, *params: Any) -> Callable[[], Any]:
        """A call that is made later."""
        return lambda: self.call(kind, method, *params)


def serve(target: str, delay_ms: int, address: multiprocessing.SimpleQueue[str]) -> None:
    """The proxy."""
    import urllib3

    pool = urllib3.PoolManager(maxsize=4)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = pool.request("POST", target, body=body, headers={"Content-Type": "application/json"}).data
            time.sleep(delay_ms / 1_000)
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    address.put(f"http://127.0.0.1:{server.server_address[1]}")
    server.serve_forever()


def seconds(rpc: Rpc, target: Target, database: str) -> float:
    """How long the mirror takes, into a database that is made before."""
    engine = open_database(database)
    started = time.perf_counter()
    ingest(engine, rpc, target)
    return time.perf_counter() - started


def measure(url: str, target: Target, delay_ms: int) -> dict[str, float]:
    """Median seconds of both ways at a distance, taken in turns."""
    context = multiprocessing.get_context("spawn")
    address = context.SimpleQueue()
    proxy = context.Process(target=serve, args=(url, delay_ms, address), daemon=True)
    proxy.start()
    far = address.get()
    ahead, needed = [], []
    with tempfile.TemporaryDirectory() as folder:
        for run in range(RUNS):
            ahead.append(seconds(Rpc(far), target, f"sqlite:///{folder}/ahead{run}.db"))
            needed.append(seconds(WhenNeeded(far), target, f"sqlite:///{folder}/needed{run}.db"))
    proxy.terminate()
    proxy.join()
    found = statistics.median(ahead), statistics.median(needed)
    return {"delay_ms": delay_ms, "ahead_s": found[0], "when_needed_s": found[1], "ratio": found[1] / found[0]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--charges", type=int, default=20_000)
    charges = parser.parse_args().charges
    with start_anvil() as anvil:
        target, _ = build(anvil, charges)
        target = Target(
            target.chain_id, target.contract, target.start_block, pegs=target.pegs, events_per_request=PER_REQUEST
        )
        rows = [measure(anvil.url, target, delay_ms) for delay_ms in DELAYS_MS]
    print(f"{'the answer takes longer by':30}{'asked ahead':>14}{'when needed':>14}{'ratio':>8}")
    for row in rows:
        print(
            f"{row['delay_ms']:>27.0f} ms{row['ahead_s']:>12.2f} s{row['when_needed_s']:>12.2f} s{row['ratio']:>8.2f}"
        )
    RESULTS.write_text(json.dumps({"charges": charges, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
