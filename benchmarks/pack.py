"""How fast an audit pack is made and checked, and how large it is, beside the audit that asks the node.

    toolchain/run python -m benchmarks.pack [--charges 20000]

Both derive everything again and compare it with the books; a pack's check also proves each event by its transaction and
receipt. Checked is in a process of its own, without the chain. The node shares the machine's cores with what is
measured.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from benchmarks.ingest import build, measure
from tallystick.chain.pack_chain import RecordingRpc
from tallystick.config import Config
from tallystick.flows.audit_all import audit_all
from tallystick.flows.check_pack import block_hashes, check_pack, trusted_hashes
from tallystick.flows.deploy import write_manifest
from tallystick.flows.follow import ingest_once
from tallystick.flows.ingest import Target
from tallystick.flows.mirror import open_mirror
from tallystick.flows.pack import write_pack
from tallystick.testing import start_anvil

RESULTS = Path(__file__).parent / "results" / "pack.json"
LEAST_EVENTS_PER_S = 2_000


def check(trusted: str, _target: Target, pack: str) -> int:
    """The pack, proven by the hashes in a file; how many events there are."""
    hashes = {int(number): bytes.fromhex(found) for number, found in json.loads(Path(trusted).read_text()).items()}
    report = check_pack(Path(pack), hashes)
    if not report.ok:
        raise AssertionError(report.audits)
    return sum(found.events for found in report.audits.reports.values())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--charges", type=int, default=20_000)
    charges = parser.parse_args().charges
    with start_anvil() as anvil, tempfile.TemporaryDirectory() as name:
        print(f"building a chain of {charges:,} charges ...", flush=True)
        folder = Path(name)
        target, manifest = build(anvil, charges)
        write_manifest(folder / "manifest.json", manifest)
        config = Config(
            rpc_url=anvil.url, deployment=folder / "manifest.json", database=f"sqlite:///{folder}/tallystick.db"
        )
        mirror = open_mirror(config)
        ingest_once(mirror)
        rpc, started = RecordingRpc(anvil.url), time.perf_counter()
        audits = audit_all(mirror.engine, rpc, mirror)
        audited = time.perf_counter() - started
        started = time.perf_counter()
        packed = write_pack(mirror, rpc, audits, folder / "books.pack")
        made = time.perf_counter() - started
        trusted = trusted_hashes(anvil.url, list(block_hashes(packed.path)))
        hashes = {number: found.hex() for number, found in trusted.items()}
        (folder / "trusted.json").write_text(json.dumps(hashes))
        mirror.engine.dispose()
        rate, memory = measure(check, f"{folder}/trusted.json", target, str(packed.path))
        size = packed.path.stat().st_size
    rows = {
        "audit with the node": packed.events / audited,
        "make the pack, after the audit": packed.events / made,
        "check the pack, without the node": rate,
    }
    print(f"\n{'':40}{'events/s':>10}")
    for label, found in rows.items():
        print(f"{label:40}{found:>10,.0f}")
    print(f"{size / packed.events:,.0f} bytes an event, {memory:,.0f} MB for the check")
    document = {
        "events": packed.events,
        "bytes_per_event": round(size / packed.events),
        "check_events_per_s": round(rate),
        "check_peak_mb": round(memory),
        "check_ratio_to_audit": round(rate * audited / packed.events, 3),
        "make_events_per_s": round(packed.events / made),
    }
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    if rate < LEAST_EVENTS_PER_S:
        raise SystemExit(f"checked are {rate:,.0f} events/s, the bound is {LEAST_EVENTS_PER_S:,}")


if __name__ == "__main__":
    main()
