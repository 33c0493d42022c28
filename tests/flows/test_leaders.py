"""Two mirrors on one database, leases that expire, databases that fill up or go away: the books stay whole."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text

from tallystick.chain.rpc import Rpc
from tallystick.core.period import Unit
from tallystick.errors import AnotherLeads, DatabaseUnreachable, NodeInvalid, TallystickError
from tallystick.flows.ingest import Progress, Target, ingest
from tallystick.flows.lead import LEASE_S, Lease, leading
from tallystick.storage.database import open_database, reading, transaction
from tallystick.storage.leases import take_lease
from tallystick.testing import Anvil
from tests.business import UNLIMITED, Business
from tests.databases import NewDatabase, PostgresServer
from tests.flows.test_ingest import content


@pytest.fixture
def business(anvil: Anvil) -> Business:
    """Forty blocks of charges, then blocks in which nothing is charged and subscriptions end one after the other."""
    business = Business(anvil)
    plan = business.create_plan(every=30, unit=Unit.SECOND)
    ids = business.subscribe_many(6, plan)
    business.token_call(business.payee, "approve", business.subscriptions, UNLIMITED)
    for _ in range(40):
        anvil.advance(31)
        business.charge(*ids)
    business.call(business.payee, "refund", ids[0], 1, 7)
    for number in ids:
        business.call(business.payee, "cancel", number)
    anvil.finalize()
    return business


def target_of(business: Business, events_per_request: int = 7) -> Target:
    """Many small ranges, so that there is much between them."""
    contract = business.contract
    pegs = {business.token: "USD"}
    return Target(
        business.anvil.chain_id,
        contract.address,
        contract.start_block,
        pegs=pegs,
        events_per_request=events_per_request,
    )


def mirror(business: Business, engine: Engine, *, on_progress: Callable[[Progress], None] = lambda _: None) -> None:
    rpc = Rpc(business.anvil.url, sleep=lambda _: None)
    ingest(engine, rpc, target_of(business), on_progress=on_progress)


def undisturbed(business: Business, url: str) -> dict[str, list[tuple[object, ...]]]:
    engine = open_database(url)
    mirror(business, engine)
    return content(engine)


# --- two at once ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pause_at", [1, 5, -3], ids=["early", "in the middle", "where nothing is charged"])
def test_a_mirror_that_slept_through_its_lease_writes_nothing_more_E65(
    business: Business, new_database: NewDatabase, pause_at: int
) -> None:
    """It wakes up behind another that went on in its place; what it knows is old, and must not get into the books."""
    expected = undisturbed(business, new_database())
    url = new_database()
    slow, quick = open_database(url), open_database(url)
    ranges: list[int] = []
    mirror(business, open_database(new_database()), on_progress=lambda progress: ranges.append(progress.block))
    block = ranges[pause_at]

    def overtaken(progress: Progress) -> None:
        if progress.block == block:
            mirror(business, quick)

    with pytest.raises(AnotherLeads, match="another process mirrors"):
        mirror(business, slow, on_progress=overtaken)
    assert content(slow) == expected
    mirror(business, slow)
    assert content(slow) == expected


def test_pending_blocks_are_written_by_one_alone_E65(business: Business, new_database: NewDatabase) -> None:
    url = new_database()
    slow, quick = open_database(url), open_database(url)
    mirror(business, slow)
    business.create_plan(price=5)
    rpc = Rpc(business.anvil.url)
    begin, overtaken = rpc.begin, False

    def overtaking(kind: object, method: str, *params: object) -> Callable[[], object]:
        """The other goes ahead while this one reads the new logs."""
        nonlocal overtaken
        if not overtaken:
            overtaken = True
            mirror(business, quick)
        return begin(kind, method, *params)

    rpc.begin = overtaking  # type: ignore[method-assign]  # a moment of the real one
    with pytest.raises(AnotherLeads):
        ingest(slow, rpc, target_of(business))
    assert overtaken
    mirror(business, slow)
    assert content(slow) == undisturbed(business, new_database())


def test_two_mirrors_without_any_lease_end_with_the_same_books_E65(
    business: Business, new_database: NewDatabase
) -> None:
    expected = undisturbed(business, new_database())
    for _ in range(3):
        url = new_database()
        engines = [open_database(url), open_database(url)]
        start = threading.Barrier(len(engines))

        def again_and_again(engine: Engine, start: threading.Barrier = start) -> None:
            start.wait()
            for _ in range(100):
                try:
                    mirror(business, engine)
                except AnotherLeads:
                    continue
                return
            raise AssertionError("never came to an end")

        with ThreadPoolExecutor(len(engines)) as pool:
            list(pool.map(again_and_again, engines))
        assert content(engines[0]) == expected


def test_two_contracts_begin_in_one_database_at_once(business: Business, new_database: NewDatabase) -> None:
    """Each gets a number of its own; a token that both use is written once."""
    code = business.anvil.rpc("eth_getCode", business.subscriptions, "latest")
    other = "0x" + "77" * 20
    business.anvil.rpc("anvil_setCode", other, code)
    for _ in range(3):
        url = new_database()
        start = threading.Barrier(2)

        def begin(contract: str, url: str = url, start: threading.Barrier = start) -> int:
            engine = open_database(url)
            target = target_of(business)
            start.wait()
            done = ingest(engine, Rpc(business.anvil.url), Target(target.chain_id, contract, target.start_block))
            return done.final_events

        with ThreadPoolExecutor(2) as pool:
            ours, theirs = pool.map(begin, [business.subscriptions, other])
        assert (ours > 250, theirs) == (True, 0)
        with reading(open_database(url)) as connection:
            assert connection.execute(text("SELECT count(*) FROM sources")).scalar_one() == 2


def test_a_lease_that_expired_goes_to_another_and_does_not_come_back(new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    now = 1_000_000.0
    first, second = (Lease(engine, "index", lambda: now) for _ in range(2))
    first.renew()
    with pytest.raises(AnotherLeads, match="is doing this work"):
        second.renew()
    now += LEASE_S
    second.renew()
    with pytest.raises(AnotherLeads):
        first.renew()
    first.drop()  # not its own any more
    with pytest.raises(AnotherLeads):
        first.renew()
    second.drop()
    first.renew()


def test_what_ended_the_work_is_told_even_when_the_lease_cannot_be_given_back(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/books.db")

    def work() -> None:
        with leading(engine, "index", wait=False):
            with transaction(engine) as connection:
                connection.execute(text("DROP TABLE leases"))
            raise NodeInvalid("what happened")

    with pytest.raises(NodeInvalid, match="what happened"):
        work()


def test_leases_of_a_dead_process_expire(new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    with transaction(engine) as connection:
        assert take_lease(connection, "bill", "dead", 1_000, LEASE_S) is None
    with transaction(engine) as connection:
        assert take_lease(connection, "bill", "alive", 1_000 + LEASE_S - 1, LEASE_S) == "dead"
    with transaction(engine) as connection:
        assert take_lease(connection, "bill", "alive", 1_000 + LEASE_S, LEASE_S) is None


# --- full and gone ----------------------------------------------------------------------------------------------------


def test_a_database_that_fills_up_goes_on_where_it_was_E74(business: Business, tmp_path: Path) -> None:
    expected = undisturbed(business, f"sqlite:///{tmp_path}/undisturbed.db")
    engine = open_database(f"sqlite:///{tmp_path}/books.db")
    failures = 0
    for pages in range(40, 400, 8):

        def limit(connection: object, _record: object, pages: int = pages) -> None:
            connection.execute(f"PRAGMA max_page_count = {pages}")  # type: ignore[attr-defined]  # sqlite3's

        event.listen(engine, "connect", limit)
        engine.dispose()
        try:
            mirror(business, engine)
            break
        except DatabaseUnreachable as error:
            failures += "full" in str(error)
        finally:
            event.remove(engine, "connect", limit)
    engine.dispose()
    assert failures > 3
    mirror(business, engine)
    assert content(engine) == expected


LIMITED = """
import sys
from tallystick.chain.rpc import Rpc
from tallystick.errors import TallystickError
from tallystick.flows.ingest import Target, ingest
from tallystick.storage.database import open_database
url, rpc, chain_id, contract, start, token = sys.argv[1:]
target = Target(int(chain_id), contract, int(start), pegs={token: "USD"}, events_per_request=7)
try:
    ingest(open_database(url), Rpc(rpc), target)
except TallystickError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def test_a_disk_that_takes_no_more_is_an_error_of_ours_and_loses_nothing_E74(
    business: Business, tmp_path: Path
) -> None:
    """The operating system refuses to let any file grow beyond a limit, as a full disk does."""
    expected = undisturbed(business, f"sqlite:///{tmp_path}/undisturbed.db")
    url = f"sqlite:///{tmp_path}/books.db"
    target = target_of(business)
    arguments = [url, business.anvil.url, target.chain_id, target.contract, target.start_block, business.token]
    failures = 0
    for kilobytes in (100, 250, 400, 1_000):

        def limit(kilobytes: int = kilobytes) -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))

        done = subprocess.run(
            [sys.executable, "-B", "-c", LIMITED, *map(str, arguments)],
            capture_output=True,
            text=True,
            preexec_fn=limit,
            check=False,
        )
        if done.returncode == 0:
            break
        assert done.returncode == 1
        assert done.stderr.startswith("DatabaseUnreachable: "), done.stderr
        failures += 1
    assert failures > 1
    engine = open_database(url)
    mirror(business, engine)
    assert content(engine) == expected


@pytest.mark.postgres
def test_a_server_that_restarts_in_the_middle_goes_on_where_it_was_E74(
    business: Business, postgres: PostgresServer
) -> None:
    expected = undisturbed(business, postgres.create())
    engine = open_database(postgres.create())
    for block in (3, 20, 40, 47):

        def crash(progress: Progress, block: int = block) -> None:
            if progress.block >= block:
                with transaction(engine) as connection:
                    connection.execute(text("UPDATE sources SET final_number = 0"))
                    postgres.restart()

        with pytest.raises(DatabaseUnreachable):
            mirror(business, engine, on_progress=crash)
    mirror(business, engine)
    assert content(engine) == expected


def test_whatever_fails_is_one_of_our_errors(business: Business, new_database: NewDatabase) -> None:
    """A table that is gone, say, because somebody tidied up."""
    engine = open_database(new_database())
    with transaction(engine) as connection:
        connection.execute(text("DROP TABLE invoice_lines"))
    with pytest.raises(TallystickError, match="invoice_lines"):
        mirror(business, engine)
