"""How long a trial balance takes over a journal of a million entries: as it stands, and as of a block in the middle,
beside adding all postings up, which is what it would take without running balances.

    toolchain/run python -m benchmarks.balances [--entries 1000000]

The journal is written by the ledger's own functions, without a chain: 600 plans of 200 payees in one contract, one
entry in ten with a fee. The middle is the worst place in its stretch, as far as can be from what is kept.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from eth_utils.address import to_checksum_address
from sqlalchemy import Connection, Engine, func, select

from tallystick.core.balances import STRETCH
from tallystick.core.events import Charged, Origin
from tallystick.core.ledger import GENESIS_HASH, Balance, Entry, entry_for
from tallystick.core.money import Token
from tallystick.core.period import Unit
from tallystick.core.plan import PlanTerms
from tallystick.storage.database import open_database, reading, transaction
from tallystick.storage.journal import add_entries, read_balances
from tallystick.storage.schema import past_balances, postings
from tallystick.storage.sources import Source, add_source, advance_source
from tallystick.storage.tokens import add_tokens
from tests.databases import postgres_server

RESULTS = Path(__file__).parent / "results" / "balances.json"
PAYEES, PLANS = 200, 3
PER_BLOCK = 5
RANGE = 5_000
"""Entries that are written at once, as the mirror does."""
RUNS = 5
MOST_S = 1.0
AMOUNT_UNITS = 9_990_000_000_000_000_000

T = TypeVar("T")


def address(number: int) -> str:
    return to_checksum_address(f"0x{number:040x}")


TOKEN = Token(1, address(1), "DAI", 18)


def terms_of(plan: int) -> PlanTerms:
    """One payee in ten has a platform that takes a fee."""
    fee = (250, address(2)) if plan % 10 == 0 else (0, None)
    payee = address(1_000 + plan // PLANS)
    return PlanTerms(payee, AMOUNT_UNITS, TOKEN.address, 1, Unit.MONTH, fee_bps=fee[0], fee_receiver=fee[1])


def journal(count: int) -> Iterator[Entry]:
    """That many charges, chained; the plans take turns in no order that repeats soon."""
    terms = [terms_of(plan) for plan in range(PAYEES * PLANS)]
    previous = GENESIS_HASH
    for number in range(1, count + 1):
        plan = number * number % 7_919 % len(terms)
        block = number // PER_BLOCK
        origin = Origin(block, block.to_bytes(32, "big"), 1_700_000_000 + 12 * block, bytes(32), number % PER_BLOCK)
        event = Charged(number, 1, 0, 1, AMOUNT_UNITS + number)
        entry = entry_for(number, event, origin, plan, terms[plan], previous)
        previous = entry.hash
        yield entry


def build(engine: Engine, count: int) -> Source:
    """The journal in a database, range by range as the mirror writes."""
    entries = journal(count)
    with transaction(engine) as connection:
        source = add_source(connection, TOKEN.chain_id, address(3), 1)
        add_tokens(connection, [TOKEN])
    for _ in range(0, count, RANGE):
        new = [entry for _, entry in zip(range(RANGE), entries, strict=False)]
        end = new[-1].origin
        with transaction(engine) as connection:
            add_entries(connection, source.source_id, new)
            source = advance_source(connection, source, end.block_number, end.block_hash, end.block_time)
    return source


def added_up(connection: Connection, source_id: int) -> list[Balance]:
    """As there would be no other way without running balances."""
    sums: dict[str, defaultdict[tuple[str, str], int]] = {"D": defaultdict(int), "C": defaultdict(int)}
    query = select(postings.c.account, postings.c.token, postings.c.side, postings.c.units).where(
        postings.c.source_id == source_id
    )
    for account, token, side, units in connection.execute(query.execution_options(yield_per=10_000)):
        sums[side][account, token] += units
    return [Balance(*key, sums["D"][key], sums["C"][key]) for key in sorted(sums["D"].keys() | sums["C"].keys())]


def timed(engine: Engine, read: Callable[[Connection], T], runs: int = RUNS) -> tuple[float, T]:
    """The median of several runs, in seconds, and what was read."""
    seconds, answers = [], []
    for _ in range(runs):
        started = time.perf_counter()
        with reading(engine) as connection:
            answers.append(read(connection))
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), answers[-1]


def measure(url: str, count: int) -> dict[str, float | int]:
    """Seconds of everything, and how many rows it takes."""
    engine = open_database(url)
    started = time.perf_counter()
    source = build(engine, count)
    written_s = time.perf_counter() - started
    middle = (count // 2 // STRETCH * STRETCH + STRETCH - 1) // PER_BLOCK
    now_s, now = timed(engine, lambda connection: read_balances(connection, source.source_id))
    middle_s, _ = timed(engine, lambda connection: read_balances(connection, source.source_id, through=middle))
    adding_s, added = timed(engine, lambda connection: added_up(connection, source.source_id), 1)
    if now != added:
        raise AssertionError("the running balances are not what the postings add up to")
    with reading(engine) as connection:
        kept = connection.execute(select(func.count()).select_from(past_balances)).scalar_one()
    engine.dispose()
    started = time.perf_counter()
    command = ("tallystick", "ledger", "trial-balance", "--db", url)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {
        "entries": count,
        "accounts": len(now),
        "kept_balances": kept,
        "entries_written_per_s": round(count / written_s),
        "trial_balance_s": round(now_s, 4),
        "as_of_the_middle_s": round(middle_s, 4),
        "whole_command_s": round(time.perf_counter() - started, 2),
        "adding_it_all_up_s": round(adding_s, 2),
        "times_faster": round(adding_s / now_s),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, default=1_000_000)
    count = parser.parse_args().entries
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        results["sqlite"] = measure(f"sqlite:///{folder}/books.db", count)
    if shutil.which("initdb"):
        with postgres_server() as server:
            results["postgresql"] = measure(server.create(), count)
    for name in next(iter(results.values())):
        print(f"{name.replace('_', ' '):24}" + "".join(f"{row[name]:>14,}  {kind}" for kind, row in results.items()))
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    slowest = max(row[name] for row in results.values() for name in ("trial_balance_s", "as_of_the_middle_s"))
    if slowest > MOST_S:
        raise SystemExit(f"a trial balance takes {slowest} s; the bound is {MOST_S} s")


if __name__ == "__main__":
    main()
