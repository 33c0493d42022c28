"""Opens what the mirror's flows work on: the node, the database, and the contract that joins them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, select

from tallystick.chain.rpc import Rpc
from tallystick.config import Config
from tallystick.errors import DatabaseError, NodeInvalid
from tallystick.flows.deploy import DEFAULT_FOLDER, manifest_path, read_manifest, verify
from tallystick.flows.ingest import Target
from tallystick.storage.database import open_database, open_existing, reading
from tallystick.storage.schema import sources
from tallystick.storage.sources import Source


@dataclass(frozen=True, slots=True)
class Mirror:
    """A database, a node, and what of the node's chain belongs into the database."""

    engine: Engine
    rpc: Rpc
    target: Target


@dataclass(frozen=True, slots=True)
class StoredBooks:
    """A database with the books of one contract in it."""

    engine: Engine
    source: Source


def open_mirror(config: Config) -> Mirror:
    """The mirror that a configuration describes, after manifest and code on the chain were verified.

    Raises NodeError, DeploymentError or DatabaseError; nothing is written but the database's empty tables.
    """
    rpc = Rpc(config.rpc_url)
    chain_id = _chain_id(rpc)

    def request(method: str, params: Sequence[Any]) -> Any:
        return rpc.call(Any, method, *params)

    manifest = read_manifest(config.deployment or manifest_path(DEFAULT_FOLDER, chain_id))
    contract = verify(request, manifest, "Subscriptions")
    target = Target(
        chain_id,
        contract.address,
        contract.start_block,
        config.index.finality,
        {peg.token: peg.currency for peg in config.peg},
        config.index.events_per_request,
    )
    return Mirror(open_database(config.database), rpc, target)


def _chain_id(rpc: Rpc) -> int:
    answer = rpc.call(str, "eth_chainId")
    try:
        return int(answer, 16)
    except ValueError as error:
        raise NodeInvalid(
            f"{rpc.name} says its chain is {answer[:80]!r}, a number such as 0x1 is allowed: check that this is a node"
        ) from error


def open_books(config: Config) -> StoredBooks:
    """The books in the configured database, without asking any node.

    Raises DatabaseError where there is no database or nothing in it yet, or where it holds several contracts' books and
    the configuration does not say by its deployment manifest which are meant.
    """
    engine = open_existing(config.database)
    with reading(engine) as connection:
        found = [Source(*row) for row in connection.execute(select(sources).order_by(sources.c.source_id))]
    if config.deployment is not None:
        manifest = read_manifest(config.deployment)
        wanted = (manifest.chain_id, manifest.contract("Subscriptions").address)
        found = [source for source in found if (source.chain_id, source.contract) == wanted]
    if not found:
        raise DatabaseError(
            f"{engine.url} holds no books of this contract yet: fill them with `tallystick index --once`"
        )
    if len(found) > 1:
        names = ", ".join(f"{source.contract} on chain {source.chain_id}" for source in found)
        raise DatabaseError(f"{engine.url} holds the books of {names}: say which with --deployment FILE")
    return StoredBooks(engine, found[0])
