"""Leases: who leads in a role, so that two processes on one database do not do the same work."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select, text

from tallystick.storage.schema import leases


def take_lease(connection: Connection, role: str, holder: str, now: int, seconds: int) -> str | None:
    """Takes or renews the lease of a role for `seconds`; None when it is ours, else who holds it.

    Must run in a transaction of its own that writes: the row decides between two that come at once.
    """
    connection.execute(
        text(
            "INSERT INTO leases (role, holder, expires_at) VALUES (:role, :holder, :expires_at) "
            "ON CONFLICT (role) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at "
            "WHERE leases.holder = excluded.holder OR leases.expires_at <= :now"
        ),
        {"role": role, "holder": holder, "expires_at": now + seconds, "now": now},
    )
    found = connection.execute(select(leases.c.holder).where(leases.c.role == role)).scalar_one()
    return None if found == holder else str(found)


def drop_lease(connection: Connection, role: str, holder: str) -> None:
    """Gives a lease back."""
    connection.execute(delete(leases).where(leases.c.role == role, leases.c.holder == holder))
