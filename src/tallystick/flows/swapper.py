"""The swapper: created over a router of Uniswap v3, and written into the manifest, where everything finds it."""

from __future__ import annotations

import msgspec
from eth_abi.exceptions import DecodingError
from eth_utils.abi import function_signature_to_4byte_selector

from tallystick.chain.abi import CODEC
from tallystick.chain.swapper import ARTEFACT, SwapperContract
from tallystick.config import Config
from tallystick.contracts import load_artefact
from tallystick.core.deployment import DeployedContract
from tallystick.errors import InputError, NodeError, RevertError
from tallystick.flows.connect import Connection
from tallystick.flows.create import Created, created, require_code
from tallystick.flows.deploy import DEFAULT_FOLDER, first_block_with_code, manifest_path, read_manifest, write_manifest


def deploy_swapper(connection: Connection, config: Config, router: str) -> Created:
    """Creates the swapper over a router, unless it is there (its address follows from the router's), and names it in
    the deployment's manifest, in place of another one.

    Raises InputError for an address that is no `SwapRouter` of Uniswap v3, and what sending raises.
    """
    _require_router(connection, router)
    node = connection.node
    path = config.deployment or manifest_path(DEFAULT_FOLDER, node.chain_id)
    manifest = read_manifest(path)
    made = created(connection, ARTEFACT, CODEC.encode(["address"], [router]))
    require_code(connection.node, made.address, ARTEFACT)
    known = manifest.contracts.get(ARTEFACT)
    if known is not None and known.address == made.address:
        return made
    try:
        start = first_block_with_code(node.request, made.address)
    except NodeError:
        start = 0  # to read from there is always right, only slow
    contract = DeployedContract(made.address, load_artefact(ARTEFACT).code_hash, start, made.transaction)
    write_manifest(path, msgspec.structs.replace(manifest, contracts=manifest.contracts | {ARTEFACT: contract}))
    return made


def require_swapper(connection: Connection) -> SwapperContract:
    """What converts. Raises InputError where the manifest names none."""
    if connection.swapper is None:
        raise InputError(
            f"the deployment on chain {connection.node.chain_id} names no {ARTEFACT}, through which is converted: "
            "create one with `tallystick convert deploy-swapper --router ADDRESS`"
        )
    return connection.swapper


def _require_router(connection: Connection, router: str) -> None:
    """The router of Uniswap v3's periphery, whose calls carry a deadline; its successor's do not and have another
    shape, and is told by knowing Uniswap v2 as well."""
    if not _answers(connection, router, "factory()") or not _answers(connection, router, "WETH9()"):
        raise InputError(
            f"{router} is no SwapRouter of Uniswap v3 on chain {connection.node.chain_id} (it does not answer "
            "`factory()` and `WETH9()`): look its address up at Uniswap"
        )
    if _answers(connection, router, "factoryV2()"):
        raise InputError(
            f"{router} is Uniswap's SwapRouter02, whose calls have no deadline: name the first one, `SwapRouter`"
        )


def _answers(connection: Connection, account: str, signature: str) -> bool:
    try:
        CODEC.decode(["address"], connection.node.call(account, function_signature_to_4byte_selector(signature)))
    except (RevertError, DecodingError):
        return False
    return True
