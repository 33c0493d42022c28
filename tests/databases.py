"""Real databases for tests: SQLite files, and PostgreSQL from a server of the test run's own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest


def _as_postgres() -> dict[str, object]:
    """PostgreSQL refuses to run as root: there its own account, that comes with the package, runs it."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam("postgres")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


class PostgresServer:
    """A server on a socket in a folder of its own; it ends with the test run."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tallystick-postgres-"))
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self._identity = _as_postgres()
        self._databases = 0
        self._run("initdb", "-D", str(self.folder / "data"), "-U", "tally", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off"
        self._run(
            "pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", str(self.folder / "log"), "-o", options, "start"
        )

    def create(self) -> str:
        """The URL of a new, empty database."""
        self._databases += 1
        name = f"books{self._databases}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql+psycopg://tally@/{name}?host={self.folder}"

    def restart(self) -> None:
        """Ends every connection at once, as a crash does, and comes back."""
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off"
        data = str(self.folder / "data")
        self._run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        self._run("pg_ctl", "-D", data, "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Ends the server and removes its folder."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _address(self, name: str) -> str:
        return f"host={self.folder} user=tally dbname={name}"

    def _run(self, *command: str) -> None:
        subprocess.run(
            command, check=True, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **self._identity
        )  # type: ignore[call-overload]  # the identity's keys are known only at run time


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server for as long as the context lasts."""
    server = PostgresServer()
    try:
        yield server
    finally:
        server.stop()


NewDatabase = Callable[[], str]
"""Makes a new, empty database and gives its URL."""


RANDOM_LIVES = pytest.mark.parametrize(
    ("new_database", "seed"),
    [("sqlite", 0), ("sqlite", 1), pytest.param("postgresql", 2, marks=pytest.mark.postgres)],
    indirect=["new_database"],
)
"""For tests that play long random lives: another one on each database, because what they show is of the rules, and both
databases have the tests of what is theirs."""
