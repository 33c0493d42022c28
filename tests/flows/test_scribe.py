"""Who writes the books makes no difference to them, and a process that writes may end at any moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from sqlalchemy import text

from tallystick.chain.rpc import Rpc
from tallystick.core.period import Unit
from tallystick.errors import CorruptionError, DatabaseUnreachable, NodeInvalid
from tallystick.flows import scribe
from tallystick.flows.audit import audit
from tallystick.flows.ingest import Target, ingest
from tallystick.storage.database import open_database, transaction
from tallystick.testing import Anvil
from tests.business import Business
from tests.databases import NewDatabase
from tests.flows.test_ingest import content, mirror, target_of

SUBSCRIBERS = 5


@pytest.fixture
def business(anvil: Anvil) -> Business:
    """One whose charges refer to what was written ranges before: subscriptions that come late, and refunds."""
    business = Business(anvil)
    plan = business.create_plan(every=30, unit=Unit.SECOND)
    ids = business.subscribe_many(SUBSCRIBERS, plan)
    business.token_call(business.payee, "approve", business.subscriptions, 2**255)
    for month in range(20):
        anvil.advance(31)
        business.charge(*ids)
        if month % 5 == 4:
            ids.append(business.subscribe(business.payer(f"late {month}"), plan))
            business.call(business.payee, "refund", ids[0], month, 1_000)
    anvil.finalize()
    return business


@pytest.fixture
def written_aside(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """All ranges are written by a process; those that were begun."""
    begun: list[subprocess.Popen[bytes]] = []
    begin, ready = subprocess.Popen, scribe.Aside.is_ready

    def remembered(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        begun.append(begin(*arguments, **options))
        return begun[-1]

    def patient(aside: scribe.Aside) -> bool:
        while not ready(aside):
            time.sleep(0.01)
        return True

    monkeypatch.setattr(scribe, "WORTH_A_PROCESS", 0)
    monkeypatch.setattr(scribe.Aside, "is_ready", patient)
    monkeypatch.setattr(subprocess, "Popen", remembered)
    return begun


def in_small_ranges(business: Business) -> Target:
    return replace(target_of(business), events_per_request=7)


def test_a_process_writes_the_same_books(
    business: Business,
    new_database: NewDatabase,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever lies in the folder in which it is begun."""
    folder = tmp_path / "somewhere"
    folder.mkdir()
    (folder / "msgspec.py").write_text("raise SystemExit('this is none of ours')")
    monkeypatch.chdir(folder)
    here = open_database(new_database())
    mirror(business, here)
    begun = request.getfixturevalue("written_aside")
    aside, rpc = open_database(new_database()), Rpc(business.anvil.url)
    ingest(aside, rpc, in_small_ranges(business))
    assert len(begun) == 1
    assert begun[0].returncode == 0
    assert content(aside) == content(here)
    assert audit(aside, rpc, target_of(business)).ok


def test_what_keeps_the_process_from_writing_is_raised_and_what_was_written_stands(
    business: Business, new_database: NewDatabase, written_aside: list[subprocess.Popen[bytes]]
) -> None:
    engine, target = open_database(new_database()), in_small_ranges(business)
    with transaction(engine) as connection:
        connection.execute(text("INSERT INTO postings VALUES (1, 30, 1, 'Assets', 'D', 'USDC', 1)"))
    with pytest.raises(CorruptionError, match="has other rows than the books expect"):
        ingest(engine, Rpc(business.anvil.url), target)
    assert written_aside[0].returncode == 0
    with transaction(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM entries WHERE entry_number < 30")).scalar_one() > 0
        connection.execute(text("DELETE FROM postings WHERE entry_number = 30"))
    ingest(engine, Rpc(business.anvil.url), target)
    assert audit(engine, Rpc(business.anvil.url), target).ok


def test_a_process_that_is_killed_is_told_of_and_nothing_is_lost_E64(
    business: Business, new_database: NewDatabase, written_aside: list[subprocess.Popen[bytes]]
) -> None:
    engine, target = open_database(new_database()), in_small_ranges(business)

    def kill(_progress: object) -> None:
        os.kill(written_aside[-1].pid, signal.SIGKILL)
        written_aside[-1].wait()

    with pytest.raises(DatabaseUnreachable, match="ended with status -9"):
        ingest(engine, Rpc(business.anvil.url), target, on_progress=kill)
    ingest(engine, Rpc(business.anvil.url), target)
    assert audit(engine, Rpc(business.anvil.url), target).ok


def test_pending_events_that_were_others_are_read_again_while_a_process_writes_E62(
    business: Business, new_database: NewDatabase, written_aside: list[subprocess.Popen[bytes]]
) -> None:
    """They are forgotten on top of what it has written, and not of what it had when this was noticed."""
    engine, rpc, target = open_database(new_database()), Rpc(business.anvil.url), in_small_ranges(business)
    ingest(engine, rpc, replace(target, finality=business.anvil.block_number))
    assert written_aside == []
    with transaction(engine) as connection:
        last = connection.execute(text("SELECT max(block_number) FROM events")).scalar_one()
        connection.execute(text("DELETE FROM events WHERE block_number = :last"), {"last": last})
    with pytest.raises(NodeInvalid, match="both are read again"):
        ingest(engine, rpc, target)
    assert len(written_aside) == 1
    ingest(engine, rpc, target)
    assert audit(engine, rpc, target).ok


def test_books_are_written_where_no_process_can_be_begun(
    business: Business, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = open_database(new_database())
    mirror(business, here)
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(scribe, "WORTH_A_PROCESS", 0)
    for executable in (broken, tmp_path / "nothing"):
        monkeypatch.setattr(sys, "executable", str(executable))
        engine = open_database(new_database())
        ingest(engine, Rpc(business.anvil.url), in_small_ranges(business))
        assert content(engine) == content(here)


KILLED = """
import sys, time
from tallystick.chain.rpc import Rpc
from tallystick.flows import scribe
from tallystick.flows.ingest import Target, ingest
from tallystick.storage.database import open_database
scribe.WORTH_A_PROCESS = 0
ready = scribe.Aside.is_ready
def patient(aside):
    while not ready(aside):
        time.sleep(0.01)
    print("ready", flush=True)
    return True
scribe.Aside.is_ready = patient
url, rpc, chain_id, contract, start, token = sys.argv[1:]
target = Target(int(chain_id), contract, int(start), pegs={token: "USD"}, events_per_request=7)
ingest(open_database(url), Rpc(rpc), target)
"""
KILLS = max(3, settings().max_examples // 100)
"""For each database; a hundred in `make fuzz`."""


@pytest.mark.fuzz
def test_whoever_began_the_process_may_be_killed_at_any_moment_E64(
    business: Business, new_database: NewDatabase
) -> None:
    here = open_database(new_database())
    mirror(business, here)
    url, target = new_database(), target_of(business)
    arguments = (url, business.anvil.url, target.chain_id, target.contract, target.start_block, business.token)
    command = [sys.executable, "-c", KILLED, *map(str, arguments)]
    draw = random.Random(64)
    for _ in range(KILLS):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() in {"ready\n", ""}, "it is done when all is written"
        time.sleep(draw.uniform(0.0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert content(open_database(url)) == content(here)
