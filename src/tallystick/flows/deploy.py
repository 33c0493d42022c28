"""Deploys the contracts to one chain and writes its manifest; safe to run again and again, by several at once.

The command line and the Ape script share this. What they bring are two functions: `Request`, a JSON-RPC call, and
`Send`, which signs and sends a transaction in their own way.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tallystick.contracts import load_artefact
from tallystick.core.deployment import (
    FACTORY,
    FACTORY_DEPLOYER,
    FACTORY_DEPLOYER_NEEDS_WEI,
    FACTORY_RUNTIME,
    FACTORY_TRANSACTION,
    Artefact,
    DeployedContract,
    Manifest,
    check_code,
    check_manifest,
    parse_manifest,
)
from tallystick.errors import DeploymentMismatch, DeploymentMissing, ManifestInvalid, TallystickError

DEPLOYED_CONTRACTS = (
    "Escrow",
    "SubscriptionsViews",
    "SubscriptionsConsent",
    "SubscriptionsCharges",
    "SubscriptionsPayer",
    "SubscriptionsPayee",
    "Subscriptions",
    "Checkout",
    "Channels",
    "AuthorizationCollector",
    "Permit2Collector",
    "SwapCollector",
)
"""What a deployment consists of, in the order of creation. The collectors bring deposits of x402's clients."""
DEPLOYED_APART = ("UniswapSwapper",)
"""What a manifest may name beside them: created with arguments of one's own, by a verb of its own, and kept here."""
CALLED = {
    "Subscriptions": ("SubscriptionsPayee",),
    "SubscriptionsPayee": ("SubscriptionsPayer",),
    "SubscriptionsPayer": ("SubscriptionsCharges",),
    "SubscriptionsCharges": ("SubscriptionsConsent", "Escrow"),
    "SubscriptionsConsent": ("SubscriptionsViews",),
    "AuthorizationCollector": ("Channels",),
    "Permit2Collector": ("Channels",),
    "SwapCollector": ("Checkout",),
}
"""What the contracts call: their addresses are a part of the code that calls them. Most are seldom used functions of
the contract itself, whose code works on its storage."""
DEFAULT_FOLDER = Path("deployments")
FACTORY_TIMEOUT_S = 180
FACTORY_POLL_S = 1

Request = Callable[[str, Sequence[Any]], Any]
"""A JSON-RPC call: method and parameters to `result`. Raises a TallystickError when the node refuses it."""


class Send(Protocol):
    """Signs a transaction, sends it and waits until it is mined; gives its hash, 0x and 64 digits.

    Raises a TallystickError when it cannot be sent or was reverted.
    """

    def __call__(self, to: str, data: bytes, value_wei: int) -> str: ...


@dataclass(frozen=True, slots=True)
class Deployment:
    """What `deploy` did: the manifest, its file, and the names of the contracts that were not there before."""

    manifest: Manifest
    path: Path
    created: tuple[str, ...]


def deploy(request: Request, send: Send, folder: Path = DEFAULT_FOLDER, *, with_factory: bool = False) -> Deployment:
    """Brings every contract onto the chain that is not there yet, verifies all, and writes `<folder>/<chain id>.json`.

    `with_factory` allows to create the CREATE2 factory as well where a chain lacks it. Raises DeploymentMissing when
    the factory is missing and may not be created, DeploymentMismatch when other code is found where ours belongs.
    """
    chain_id = int(request("eth_chainId", []), 16)
    path = manifest_path(folder, chain_id)
    known = _known_contracts(path, chain_id)
    artefacts = [load_artefact(name) for name in DEPLOYED_CONTRACTS]
    missing = []
    for artefact in artefacts:  # all of them are looked at before anything is sent
        if found := _code(request, artefact.address):
            check_code(artefact, artefact.address, found)
        else:
            missing.append(artefact)
    if missing:
        _require_factory(request, send, chain_id, with_factory=with_factory)
    contracts = {name: known[name] for name in DEPLOYED_APART if name in known and _is_shipped(name, known[name])}
    for artefact in artefacts:
        name = artefact.contract_name
        transaction = create(request, send, artefact) if artefact in missing else None
        check_code(artefact, artefact.address, _code(request, artefact.address))
        contracts[name] = _located(request, artefact, transaction, known.get(name))
    in_order = {name: contracts[name] for name in (*DEPLOYED_CONTRACTS, *DEPLOYED_APART) if name in contracts}
    manifest = Manifest(1, chain_id, artefacts[0].abi_version, in_order)
    write_manifest(path, manifest)
    return Deployment(manifest, path, tuple(artefact.contract_name for artefact in missing))


def _is_shipped(name: str, contract: DeployedContract) -> bool:
    """Another version's would be refused by everything that opens the manifest: it is created anew by its own verb."""
    return contract.code_hash == load_artefact(name).code_hash


def create(request: Request, send: Send, artefact: Artefact) -> str | None:
    """Creates one contract through the factory; the transaction's hash, or None when somebody else was quicker.

    Raises DeploymentMissing when the transaction was mined and there is still no code.
    """
    try:
        transaction = send(FACTORY, artefact.deploy_data, 0)
    except TallystickError:
        if _code(request, artefact.address):
            return None  # the factory refuses an address that is taken; another deployer took it just now
        raise
    if not _code(request, artefact.address):
        raise DeploymentMissing(
            f"transaction {transaction} was mined, and {artefact.contract_name} is not at {artefact.address}: look at "
            "the transaction; the factory or the chain does not do as it should (the contract needs EVM cancun)"
        )
    return transaction


def verify(request: Request, manifest: Manifest, name: str) -> DeployedContract:
    """The named contract, after its manifest and the code on the chain were compared with what this package ships; that
    of every contract that it calls, too, because their code runs on its storage or holds its money.

    Raises DeploymentMismatch (another chain, version or code, or a contract elsewhere than where it is called),
    DeploymentMissing (no code) or ManifestInvalid.
    """
    chain_id = int(request("eth_chainId", []), 16)
    _verify_called(request, manifest, name, chain_id)
    return _verify_one(request, manifest, load_artefact(name), chain_id)


def _verify_called(request: Request, manifest: Manifest, caller: str, chain_id: int) -> None:
    for name in CALLED.get(caller, ()):
        artefact = load_artefact(name)
        found = _verify_one(request, manifest, artefact, chain_id)
        if found.address != artefact.address:
            raise DeploymentMismatch(
                f"the manifest has {name} at {found.address}, {caller} calls it at {artefact.address}: write the "
                "manifest anew with `tallystick deploy`"
            )
        _verify_called(request, manifest, name, chain_id)


def _verify_one(request: Request, manifest: Manifest, artefact: Artefact, chain_id: int) -> DeployedContract:
    contract = check_manifest(manifest, artefact, chain_id=chain_id)
    runtime = _code(request, contract.address)
    if not runtime:
        raise DeploymentMissing(
            f"there is no {artefact.contract_name} at {contract.address} on chain {manifest.chain_id}: deploy with "
            "`tallystick deploy`; if it was deployed, the node is behind, or it is a test chain that was started anew"
        )
    check_code(artefact, contract.address, runtime)
    return contract


# --- The manifest's file --------------------------------------------------------------------------------------------


def manifest_path(folder: Path, chain_id: int) -> Path:
    """Where a chain's manifest is kept."""
    return folder / f"{chain_id}.json"


def read_manifest(path: Path) -> Manifest:
    """Raises DeploymentMissing when there is no such file, ManifestInvalid when it is not a manifest."""
    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise DeploymentMissing(
            f"there is no deployment manifest {path}: deploy with `tallystick deploy`, or name an existing one"
        ) from error
    except OSError as error:
        raise ManifestInvalid(f"{path} cannot be read ({error.strerror}): name a readable file") from error
    return parse_manifest(text, source=str(path))


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Writes the file whole or not at all, also when the machine stops meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(manifest.render())
            file.flush()
            os.fsync(file.fileno())
        Path(draft).chmod(0o644)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _known_contracts(path: Path, chain_id: int) -> dict[str, DeployedContract]:
    """What an earlier deployment wrote; a manifest that cannot be read stops us before anything is sent."""
    if not path.exists():
        return {}
    manifest = read_manifest(path)
    if manifest.chain_id != chain_id:
        raise ManifestInvalid(
            f"{path} is the manifest of chain {manifest.chain_id}, not of chain {chain_id}: move it away, or name "
            "another folder"
        )
    return manifest.contracts


# --- What the chain knows -------------------------------------------------------------------------------------------


def _code(request: Request, address: str, block: str = "latest") -> bytes:
    return bytes.fromhex(str(request("eth_getCode", [address, block])).removeprefix("0x"))


def _require_factory(request: Request, send: Send, chain_id: int, *, with_factory: bool) -> None:
    """Makes sure of the CREATE2 factory, creating it by the transaction that makes the same one everywhere."""
    found = _code(request, FACTORY)
    if not found and with_factory:
        balance_wei = int(request("eth_getBalance", [FACTORY_DEPLOYER, "latest"]), 16)
        if balance_wei < FACTORY_DEPLOYER_NEEDS_WEI:
            send(FACTORY_DEPLOYER, b"", FACTORY_DEPLOYER_NEEDS_WEI - balance_wei)
        transaction = request("eth_sendRawTransaction", ["0x" + FACTORY_TRANSACTION.hex()])
        deadline = time.monotonic() + FACTORY_TIMEOUT_S
        while request("eth_getTransactionReceipt", [transaction]) is None and time.monotonic() < deadline:
            time.sleep(FACTORY_POLL_S)
        found = _code(request, FACTORY)
    if not found:
        raise DeploymentMissing(
            f"chain {chain_id} has no CREATE2 factory at {FACTORY}, through which contracts get one address on all: "
            f"deploy with `--with-factory`, which pays {FACTORY_DEPLOYER_NEEDS_WEI} wei to have it created; where a "
            "chain refuses transactions without a chain id, ask its operators for the factory"
        )
    if found != FACTORY_RUNTIME:
        raise DeploymentMismatch(
            f"the code at {FACTORY} on chain {chain_id} is not the CREATE2 factory's: send nothing to it; "
            "check the chain, and ask another node"
        )


def _located(
    request: Request, artefact: Artefact, transaction: str | None, known: DeployedContract | None
) -> DeployedContract:
    """The contract and its first block: from its transaction, this run's or an earlier one's, or by search."""
    if transaction is None and known is not None and known.address == artefact.address:
        transaction = known.deploy_transaction
    receipt = request("eth_getTransactionReceipt", [transaction]) if transaction else None
    if receipt is not None:
        start_block = int(receipt["blockNumber"], 16)
    else:
        start_block, transaction = _search_creation(request, artefact)
    return DeployedContract(artefact.address, artefact.code_hash, start_block, transaction)


def _search_creation(request: Request, artefact: Artefact) -> tuple[int, str | None]:
    """Block and transaction that created the contract.

    (0, None) when that cannot be proven: the node keeps no old state, or another contract called the factory. To read
    from block 0 is always right, only slow.
    """
    try:
        block = first_block_with_code(request, artefact.address)
        transactions = request("eth_getBlockByNumber", [hex(block), True])["transactions"]
    except TallystickError:
        return 0, None
    data = "0x" + artefact.deploy_data.hex()
    for transaction in transactions:
        if transaction["input"] == data and (transaction["to"] or "").lower() == FACTORY.lower():
            return block, str(transaction["hash"])
    return 0, None


def first_block_with_code(request: Request, address: str) -> int:
    """By search, for a node that keeps old state. Raises a NodeError for one that does not."""
    low, high = 0, int(request("eth_blockNumber", []), 16)
    while low < high:
        middle = (low + high) // 2
        if _code(request, address, hex(middle)):
            high = middle
        else:
            low = middle + 1
    return high
