"""Makes what the package ships of the contracts, so that `pip install tallystick` needs neither solc nor node.

    toolchain/run python toolchain/artefact.py            writes src/tallystick/contracts/*.json (`make artefacts`)
    toolchain/run python toolchain/artefact.py --check    fails when one of them is not what the contracts compile to

Sources and settings are those of Ape's project, read through Ape's Solidity plugin. Two things differ from
`ape compile`, both so that the bytecode, and with it the address, hangs on nothing but the code. The metadata hash that
would change with every comment, is left out. And each contract is compiled with its imports alone, because solc orders
functions by numbers that other files in the same run would shift.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import ape
import solcx
import solcx.install
from eth_utils.crypto import keccak

from tallystick.core.deployment import FACTORY, SALT, create2_address

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src" / "tallystick" / "contracts"
CACHE = ROOT / ".cache" / "artefacts"
SCRATCH = ROOT / ".cache" / "tmp"
CONTRACTS = {
    "SubscriptionsViews": "contracts/SubscriptionsViews.sol",
    "SubscriptionsConsent": "contracts/SubscriptionsConsent.sol",
    "SubscriptionsCharges": "contracts/SubscriptionsCharges.sol",
    "SubscriptionsPayer": "contracts/SubscriptionsPayer.sol",
    "SubscriptionsPayee": "contracts/SubscriptionsPayee.sol",
    "Subscriptions": "contracts/Subscriptions.sol",
    "Escrow": "contracts/Escrow.sol",
    "Checkout": "contracts/Checkout.sol",
    "Deposit": "contracts/Checkout.sol",
    "Channels": "contracts/Channels.sol",
    "AuthorizationCollector": "contracts/AuthorizationCollector.sol",
    "Permit2Collector": "contracts/Permit2Collector.sol",
    "CourtArbiter": "contracts/CourtArbiter.sol",
    "ChainlinkQuoter": "contracts/ChainlinkQuoter.sol",
    "UniswapSwapper": "contracts/UniswapSwapper.sol",
    "SwapCollector": "contracts/SwapCollector.sol",
    "ChannelPlan": "contracts/ChannelPlan.sol",
    "MockUSDC": "contracts/mocks/MockUSDC.sol",
    "MockCourt": "contracts/mocks/MockCourt.sol",
    "MockFeed": "contracts/mocks/MockFeed.sol",
    "MockToken": "contracts/mocks/MockToken.sol",
}
"""Every contract that the package ships, by its source. Arbiter, quoter, swapper and channel plans are created with
arguments of one's own, which their bytecode here does not have. A Deposit is created by Checkout, which is why it is
taken from that one's compilation: deposit addresses are made of its code. MockUSDC is what the demo deploys as its
dollar, MockToken as its euro, MockFeed plays its prices, MockCourt is what an arbiter is tried with on a chain of one's
own."""
EXTENSION_IMMUTABLE = "_NEXT"
CALLED = {
    "Subscriptions": {EXTENSION_IMMUTABLE: "SubscriptionsPayee"},
    "SubscriptionsPayee": {EXTENSION_IMMUTABLE: "SubscriptionsPayer"},
    "SubscriptionsPayer": {EXTENSION_IMMUTABLE: "SubscriptionsCharges"},
    "SubscriptionsCharges": {EXTENSION_IMMUTABLE: "SubscriptionsConsent", "_ESCROW": "Escrow"},
    "SubscriptionsConsent": {EXTENSION_IMMUTABLE: "SubscriptionsViews"},
    "AuthorizationCollector": {"channels": "Channels"},
    "Permit2Collector": {"channels": "Channels"},
    "SwapCollector": {"CHECKOUT": "Checkout"},
}
"""Which contracts a contract calls, by the immutables that keep their addresses, in the order of the constructor's
arguments. The one in `_NEXT` is its next part, whose functions are called at the first part."""
ABI_VERSION = 1
"""Raised with each change of the ABI that software of the version before could not work with."""
OUTPUTS = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences"]
WITHOUT_METADATA = {"appendCBOR": False, "bytecodeHash": "none"}


@functools.cache
def compiler_input(source: str) -> tuple[str, dict[str, Any]]:
    """The compiler's version and standard JSON input for one source and its imports, as Ape has them."""
    tempfile.tempdir = str(SCRATCH)  # as toolchain/run tells Ape, for the reason that stands there
    SCRATCH.mkdir(parents=True, exist_ok=True)
    plugin = ape.compilers.get_compiler("solidity")
    with ape.project.isolate_in_tempdir() as project:  # as `ape compile` does, so that sources have the same names
        by_version = plugin.get_standard_input_json([project.path / source], project=project, metadata=WITHOUT_METADATA)
    ((version, standard_input),) = by_version.items()
    standard_input["settings"]["outputSelection"] = {"*": {"*": OUTPUTS}, source: {"*": OUTPUTS, "": ["ast"]}}
    return str(version), standard_input


def compiled(version: str, standard_input: dict[str, Any]) -> dict[str, Any]:
    """The compiler's output, from `.cache/artefacts` when this very input was compiled before."""
    text = json.dumps([version, standard_input], sort_keys=True)
    cached = CACHE / f"{hashlib.sha256(text.encode()).hexdigest()}.json"
    if cached.exists():
        known: dict[str, Any] = json.loads(cached.read_text())
        return known
    binary = solcx.install.get_executable(version.partition("+")[0])
    output: dict[str, Any] = solcx.compile_standard(standard_input, solc_binary=binary, base_path=ROOT)
    CACHE.mkdir(parents=True, exist_ok=True)
    draft = cached.with_suffix(".draft")
    draft.write_text(json.dumps(output))
    draft.replace(cached)
    return output


@functools.cache  # many are called by several others
def artefact(name: str, source: str) -> dict[str, Any]:
    """What is shipped of one contract. `codeHash` is keccak-256 of the creation code, `bytecode`."""
    version, standard_input = compiler_input(source)
    output = compiled(version, standard_input)
    (found,) = (contracts[name] for contracts in output["contracts"].values() if name in contracts)
    creation, runtime = found["evm"]["bytecode"]["object"], found["evm"]["deployedBytecode"]
    for immutable, called_name in CALLED.get(name, {}).items():
        called = artefact(called_name, CONTRACTS[called_name])
        code_hash = bytes.fromhex(called["codeHash"].removeprefix("0x"))
        argument = create2_address(FACTORY, SALT, code_hash).removeprefix("0x").lower().rjust(64, "0")
        creation += argument
        _fill_in(runtime, _immutable(output["sources"][source]["ast"], immutable), argument)
        if immutable == EXTENSION_IMMUTABLE:
            found["abi"] = _joined(found["abi"], called["abi"])
    settings = {key: value for key, value in standard_input["settings"].items() if key != "outputSelection"}
    return {
        "contractName": name,
        "abiVersion": ABI_VERSION,
        "codeHash": "0x" + keccak(hexstr=creation).hex(),
        "compiler": {"version": version, "settings": dict(sorted(settings.items()))},
        "abi": found["abi"],
        "bytecode": "0x" + creation,
        "deployedBytecode": "0x" + runtime["object"],
        "immutableReferences": runtime.get("immutableReferences", {}),
    }


def _immutable(ast: dict[str, Any], name: str) -> str:
    """The number under which the compiler knows a contract's immutable."""
    (contract,) = (node for node in ast["nodes"] if node["nodeType"] == "ContractDefinition")
    (number,) = (node["id"] for node in contract["nodes"] if node.get("name") == name)
    return str(number)


def _fill_in(runtime: dict[str, Any], immutable: str, value: str) -> None:
    """Writes what is the same on every chain into the runtime code, so that it is compared there."""
    code = runtime["object"]
    for place in runtime["immutableReferences"].pop(immutable):
        start, end = 2 * place["start"], 2 * (place["start"] + place["length"])
        code = code[:start] + value + code[end:]
    runtime["object"] = code


def _joined(core: list[dict[str, Any]], extension: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What can be called at a contract, here or in its extension; each entry once."""
    entries = {json.dumps(entry, sort_keys=True): entry for entry in (*core, *extension)}
    return [entry for entry in entries.values() if entry["type"] not in {"constructor", "fallback"}]


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes or checks the artefacts of the contracts.")
    parser.add_argument("--check", action="store_true", help="only check that the artefacts are fresh")
    check: bool = parser.parse_args().check
    stale = []
    for name, source in CONTRACTS.items():
        path = TARGET / f"{name}.json"
        text = json.dumps(artefact(name, source), indent=2) + "\n"
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT)}")
    if check and stale:
        sys.exit(
            f"src/tallystick/contracts: {', '.join(stale)} is not what the contracts compile to: run `make artefacts`."
        )


if __name__ == "__main__":
    main()
