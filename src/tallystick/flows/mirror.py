"""Opens what the mirror's flows work on: the node, the database, and the contract that joins them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Engine

from tallystick.chain.nodes import Nodes
from tallystick.chain.rpc import Rpc
from tallystick.chain.x402 import require_x402
from tallystick.config import Config
from tallystick.core.deployment import Manifest
from tallystick.core.quorum import majority
from tallystick.errors import ConfigError, DatabaseError
from tallystick.flows.channel_books import CHANNELS, X402
from tallystick.flows.checkout_books import CHECKOUT
from tallystick.flows.conversion_books import CONVERSIONS
from tallystick.flows.deploy import DEFAULT_FOLDER, manifest_path, read_manifest, verify
from tallystick.flows.ingest import Target
from tallystick.flows.kind import SourceKind
from tallystick.flows.payment_books import ESCROW
from tallystick.flows.subscription_books import SUBSCRIPTIONS
from tallystick.storage.database import open_database, open_existing, reading
from tallystick.storage.sources import Source, find_sources

KINDS: dict[str, SourceKind[Any, Any]] = {
    kind.name: kind for kind in (SUBSCRIPTIONS, ESCROW, CHECKOUT, CHANNELS, CONVERSIONS, X402)
}
"""Every kind of source, by its name."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What of a chain belongs into a database: `Subscriptions`, `Escrow` and `Checkout`, `Channels`, the swapper where
    the manifest names one, and x402's own channels where the configuration asks for them."""

    target: Target
    escrow: Target
    checkout: Target
    channels: Target
    conversion: Target | None = None
    x402: Target | None = None

    @property
    def targets(self) -> tuple[Target, ...]:
        """All that is mirrored."""
        optional = [found for found in (self.conversion, self.x402) if found is not None]
        return (self.target, self.escrow, self.checkout, self.channels, *optional)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror(Targets):
    """A database, the nodes, and what of their chain belongs into the database. `quorum`: how many nodes must agree."""

    engine: Engine
    nodes: Nodes
    manifest: Manifest
    quorum: int = 1

    @property
    def rpc(self) -> Rpc:
        """The node to read, the healthiest where there are several."""
        return self.nodes.by_health()[0].rpc


@dataclass(frozen=True, slots=True)
class StoredBooks:
    """A database with the books of `Subscriptions` in it, and those of the chain's other contracts where they
    are there. Each contract has a journal and documents of its own."""

    engine: Engine
    source: Source
    escrow: Source | None = None
    checkout: Source | None = None
    channels: Source | None = None
    conversion: Source | None = None
    x402: Source | None = None

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every contract's books that are there."""
        values = (getattr(self, field.name) for field in fields(self))
        return tuple(found for found in values if isinstance(found, Source))

    @property
    def payments(self) -> Source:
        """The books of escrow payments. Raises DatabaseError where there are none."""
        if self.escrow is None:
            raise DatabaseError(
                f"{self.engine.url} holds no books of escrow payments yet: fill them with `tallystick index --once`"
            )
        return self.escrow

    @property
    def sales(self) -> Source:
        """The books of quotes and deposit addresses. Raises DatabaseError where there are none."""
        if self.checkout is None:
            raise DatabaseError(
                f"{self.engine.url} holds no books of quotes and deposits yet: fill them with `tallystick index --once`"
            )
        return self.checkout

    @property
    def claims(self) -> Source:
        """The books of payment channels. Raises DatabaseError where there are none."""
        if self.channels is None:
            raise DatabaseError(
                f"{self.engine.url} holds no books of payment channels yet: fill them with `tallystick index --once`"
            )
        return self.channels

    @property
    def x402_claims(self) -> Source:
        """The books of x402's own payment channels. Raises DatabaseError where there are none."""
        if self.x402 is None:
            raise DatabaseError(
                f"{self.engine.url} holds no books of x402's own channels: name the block from which to mirror them as "
                "x402.start_block in tallystick.toml, and fill them with `tallystick index --once`"
            )
        return self.x402

    @property
    def conversions(self) -> Source:
        """The books of conversions. Raises DatabaseError where there are none."""
        if self.conversion is None:
            raise DatabaseError(
                f"{self.engine.url} holds no books of conversions yet: create a swapper with `tallystick convert "
                "deploy-swapper`, or name a manifest that has one, and fill them with `tallystick index --once`"
            )
        return self.conversion


def open_mirror(config: Config, *, all_nodes: bool = False) -> Mirror:
    """The mirror that a configuration describes, after manifest and code on the chain were verified. `all_nodes`: with
    those of `index.rpc_urls`; else `rpc_url` is the only one.

    Raises ConfigError, NodeError, DeploymentError or DatabaseError; nothing is written but the database's empty tables.
    """
    urls = config.nodes if all_nodes else (config.rpc_url,)
    needed = _quorum(config, len(urls)) if all_nodes else 1
    nodes = Nodes(urls)
    chain_id = nodes.open()
    rpc = nodes.by_health()[0].rpc

    def request(method: str, params: Sequence[Any]) -> Any:
        return rpc.call(Any, method, *params)

    manifest = read_manifest(config.deployment or manifest_path(DEFAULT_FOLDER, chain_id))

    def target(kind: SourceKind[Any, Any], address: str, start_block: int) -> Target:
        return Target(
            *(chain_id, address, start_block, config.index.finality),
            {peg.token: peg.currency for peg in config.peg},
            config.index.events_per_request,
            kind,
            config.index.proven,
        )

    def deployed(kind: SourceKind[Any, Any]) -> Target:
        contract = verify(request, manifest, kind.decoder.contract)
        return target(kind, contract.address, contract.start_block)

    conversion = deployed(CONVERSIONS) if CONVERSIONS.decoder.contract in manifest.contracts else None
    x402 = None
    if config.x402.start_block is not None:
        require_x402(rpc, config.x402.contract, chain_id)
        x402 = target(X402, config.x402.contract, config.x402.start_block)
    always = (deployed(SUBSCRIPTIONS), deployed(ESCROW), deployed(CHECKOUT), deployed(CHANNELS))
    opened = open_database(config.database)
    return Mirror(*always, conversion, x402, engine=opened, nodes=nodes, manifest=manifest, quorum=needed)


def _quorum(config: Config, nodes: int) -> int:
    needed = config.index.quorum or majority(nodes)
    if needed > nodes:
        raise ConfigError(
            f"`index.quorum` is {needed}, and rpc_url is one of index.rpc_urls, so that there are {nodes} nodes: name "
            "another one, or lower it"
        )
    return needed


def open_books(config: Config) -> StoredBooks:
    """The books in the configured database, without asking any node.

    Raises DatabaseError where there is no database or nothing in it yet, or where it holds several contracts' books and
    the configuration does not say by its deployment manifest which are meant.
    """
    engine = open_existing(config.database)
    manifest = None if config.deployment is None else read_manifest(config.deployment)
    with reading(engine) as connection:
        kinds = SUBSCRIPTIONS.name, ESCROW.name, CHECKOUT.name, CHANNELS.name, CONVERSIONS.name, X402.name
        found = {kind: find_sources(connection, kind) for kind in kinds}
    if manifest is not None:
        addresses = config.x402.contract, *(contract.address for contract in manifest.contracts.values())
        wanted = {(manifest.chain_id, address) for address in addresses}
        found = {
            kind: [source for source in sources if (source.chain_id, source.contract) in wanted]
            for kind, sources in found.items()
        }
    if not (subscriptions := found.pop(SUBSCRIPTIONS.name)):
        raise DatabaseError(
            f"{engine.url} holds no books of this contract yet: fill them with `tallystick index --once`"
        )
    chain_id = subscriptions[0].chain_id
    others = [[source for source in sources if source.chain_id == chain_id] for sources in found.values()]
    if any(len(sources) > 1 for sources in (subscriptions, *others)):
        names = ", ".join(
            f"{source.contract} on chain {source.chain_id}"
            for sources in (subscriptions, *others)
            for source in sources
        )
        raise DatabaseError(f"{engine.url} holds the books of {names}: say which with --deployment FILE")
    return StoredBooks(engine, subscriptions[0], *(sources[0] if sources else None for sources in others))
