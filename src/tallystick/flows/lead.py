"""One leader in each role: of several processes on one database one works, the others wait for it to stop or to die."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Engine

from tallystick.errors import AnotherLeads, DatabaseError
from tallystick.storage.database import transaction
from tallystick.storage.leases import drop_lease, take_lease

LEASE_S = 60
"""How long a leader that died keeps the others waiting."""
WAIT_S = 1.0


class Lease:
    """A role that is ours until it expires; `renew` keeps it."""

    def __init__(self, engine: Engine, role: str, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._role = role
        self._clock = clock
        self._holder = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"

    def renew(self) -> None:
        """Takes or keeps the lease. Raises AnotherLeads when it is somebody else's."""
        with transaction(self._engine) as connection:
            other = take_lease(connection, self._role, self._holder, int(self._clock()), LEASE_S)
        if other is not None:
            raise AnotherLeads(
                f"{other} is doing this work ({self._role}) on the same database: let it, or stop it first; a process "
                f"that died is followed after {LEASE_S} s"
            )

    def drop(self) -> None:
        """Gives the lease back."""
        with transaction(self._engine) as connection:
            drop_lease(connection, self._role, self._holder)


@contextmanager
def leading(engine: Engine, role: str, *, wait: bool, say: Callable[[str], object] = lambda _: None) -> Iterator[Lease]:
    """Holds the lease of a role; with `wait` it waits for it, else it raises AnotherLeads where somebody has it."""
    lease = Lease(engine, role)
    said = False
    while True:
        try:
            lease.renew()
            break
        except AnotherLeads as error:
            if not wait:
                raise
            if not said:
                say(f"waiting: {error}")
                said = True
        time.sleep(WAIT_S)
    try:
        yield lease
    finally:
        with suppress(DatabaseError):  # it expires by itself; what ended the work is what is to be told
            lease.drop()
