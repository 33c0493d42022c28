"""What every test may ask for."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tallystick.testing import Anvil, start_anvil
from tests.business import Business
from tests.databases import NewDatabase, PostgresServer, postgres_server
from tests.hypothesis_profiles import load_profile

SYSTEM = {"postgres": ("PostgreSQL", "initdb", "postgresql"), "hledger": ("hledger", "hledger", "hledger")}
"""Of each mark for tests that need a system package: what it is called, its program, and Debian's package."""
MISSING = {mark: found for mark, found in SYSTEM.items() if shutil.which(found[1]) is None}
IN_CI = os.environ.get("CI") == "true"


def pytest_configure() -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Started in the background of a shell: programs under test would inherit it, and never hear of Ctrl-C.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "SOLCX_BINARY_PATH" not in os.environ:
        raise pytest.UsageError("not in the project's environment: run `make test`, or `toolchain/run pytest ...`.")
    load_profile()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what needs a program that could not be installed, and says so; never in CI."""
    for mark, (name, program, _) in MISSING.items():
        left_out = [item for item in items if item.get_closest_marker(mark)]
        if left_out and IN_CI:
            raise pytest.UsageError(f"{len(left_out)} tests need {name} ({program}), which is not installed.")
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name, program, package in MISSING.values():
        terminalreporter.write_line(
            f"Not run: tests that need {name} ({program} not found; install Debian's {package})."
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if IN_CI and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    """A fresh chain for this test alone."""
    with start_anvil() as chain:
        yield chain


@pytest.fixture
def business(anvil: Anvil) -> Business:
    """A merchant on a fresh chain."""
    return Business(anvil)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the whole run."""
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> NewDatabase:
    """Makes empty databases; a test that asks for it runs on SQLite and on PostgreSQL."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.create
    numbers = count(1)
    return lambda: f"sqlite:///{tmp_path}/books{next(numbers)}.db"
