"""Where the contracts are, and how one knows that the code there is theirs.

Tallystick's contracts have the same address on every chain: they are created by the factory that the chains already
share (https://github.com/Arachnid/deterministic-deployment-proxy), and CREATE2 (EIP-1014) makes the address out of that
factory's address, a salt and the creation code. What was deployed is written down in a manifest, one file per chain.

Code at such an address can only come from our creation code. It is compared all the same, because a manifest may name
any address, and a node may answer anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from eth_utils.address import is_checksum_address, to_checksum_address
from eth_utils.crypto import keccak

from tallystick.errors import DeploymentMismatch, ManifestInvalid

FACTORY = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
"""Creates what it is sent, calldata = salt and creation code, by CREATE2. Anybody's; it has no owner and no state."""
FACTORY_RUNTIME = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b"
    "8082525050506014600cf3"
)
FACTORY_DEPLOYER = "0x3fAB184622Dc19b6109349B94811493BF2a45362"
"""The account whose only transaction creates the factory; nobody has its key."""
FACTORY_DEPLOYER_NEEDS_WEI = 10**16
"""What that transaction pays for: 100,000 gas at 100 gwei."""
FACTORY_TRANSACTION = bytes.fromhex(
    "f8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf31ba022222222222222222222222222222222"
    "22222222222222222222222222222222a02222222222222222222222222222222222222222222222222222222222222222"
)
"""Signed by nobody (the signature is all twos), so that it gives the same factory wherever it is sent."""
SALT = keccak(text="tallystick")
"""Part of every address; never changed."""

MANIFEST_VERSION = 1

Address = Annotated[str, msgspec.Meta(pattern="^0x[0-9a-fA-F]{40}$")]
Hash = Annotated[str, msgspec.Meta(pattern="^0x[0-9a-f]{64}$")]
Natural = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]


class CodeRange(msgspec.Struct, frozen=True):
    """Bytes of the runtime code that the constructor fills in (an immutable): they differ from chain to chain."""

    start: Natural
    length: Positive


class Artefact(msgspec.Struct, frozen=True, rename="camel"):
    """What the package ships of one contract, as `toolchain/artefact.py` wrote it. Codes are 0x and hex digits."""

    contract_name: str
    abi_version: Positive
    code_hash: Hash
    abi: list[dict[str, Any]]
    bytecode: str
    deployed_bytecode: str
    immutable_references: dict[str, list[CodeRange]]

    @property
    def creation_code(self) -> bytes:
        """The code that creates the contract; it takes no constructor arguments."""
        return bytes.fromhex(self.bytecode.removeprefix("0x"))

    @property
    def address(self) -> str:
        """Where the factory puts this contract, on every chain."""
        return create2_address(FACTORY, SALT, bytes.fromhex(self.code_hash.removeprefix("0x")))

    @property
    def deploy_data(self) -> bytes:
        """The calldata for the factory."""
        return SALT + self.creation_code

    def is_code(self, runtime: bytes) -> bool:
        """True when `runtime` is this contract's code, whatever its immutables are."""
        expected = bytes.fromhex(self.deployed_bytecode.removeprefix("0x"))
        return len(runtime) == len(expected) and self._masked(runtime) == self._masked(expected)

    def _masked(self, code: bytes) -> bytes:
        masked = bytearray(code)
        for ranges in self.immutable_references.values():
            for part in ranges:
                masked[part.start : part.start + part.length] = bytes(part.length)
        return bytes(masked)


class DeployedContract(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One contract on one chain. `code_hash` is keccak-256 of its creation code, `start_block` the first block that may
    hold its events, `deploy_transaction` None when it could not be found out."""

    address: Address
    code_hash: Hash
    start_block: Natural
    deploy_transaction: Hash | None


class Manifest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What is deployed on one chain; the file that the SDK and the indexer read."""

    manifest_version: Literal[1]
    chain_id: Positive
    abi_version: Positive
    contracts: dict[str, DeployedContract]

    def contract(self, name: str) -> DeployedContract:
        """One of the contracts. Raises ManifestInvalid when the manifest does not name it."""
        if name not in self.contracts:
            raise ManifestInvalid(
                f"the deployment manifest of chain {self.chain_id} names no {name}, only "
                f"{', '.join(self.contracts) or 'nothing'}: deploy again with this version of Tallystick"
            )
        return self.contracts[name]

    def render(self) -> str:
        """The file's text; the same manifest always gives the same text."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode() + "\n"


def create2_address(factory: str, salt: bytes, code_hash: bytes) -> str:
    """The checksummed address of a contract created by CREATE2 (EIP-1014)."""
    preimage = b"\xff" + bytes.fromhex(factory.removeprefix("0x")) + salt + code_hash
    return to_checksum_address(keccak(preimage)[12:])


def parse_artefact(text: bytes | str) -> Artefact:
    """An artefact from its file. Raises DeploymentMismatch when its code is not the code that its hash names."""
    artefact = msgspec.json.decode(text, type=Artefact)
    found = "0x" + keccak(artefact.creation_code).hex()
    if found != artefact.code_hash:
        raise DeploymentMismatch(
            f"the artefact of {artefact.contract_name} is damaged: its code hashes to {found}, it says "
            f"{artefact.code_hash}; install Tallystick again"
        )
    return artefact


def parse_manifest(text: bytes | str, *, source: str) -> Manifest:
    """A manifest from its file's text; `source` is the file's name, for errors.

    Raises ManifestInvalid when it is no JSON, misses or misspells a field, or was written by a newer version.
    """
    advice = "write it again with `tallystick deploy`, or name another file"
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ManifestInvalid(f"{source} is not JSON ({error}): {advice}") from error
    version = document.get("manifestVersion") if isinstance(document, Mapping) else None
    if isinstance(version, int) and version > MANIFEST_VERSION:
        raise ManifestInvalid(
            f"{source} is a manifest of version {version}, this Tallystick reads version {MANIFEST_VERSION}: "
            "upgrade Tallystick"
        )
    try:
        manifest = msgspec.convert(document, Manifest)
    except msgspec.ValidationError as error:
        raise ManifestInvalid(f"{source} is not a deployment manifest ({error}): {advice}") from error
    for name, contract in manifest.contracts.items():
        if not is_checksum_address(contract.address):
            raise ManifestInvalid(
                f"{source}: the address of {name}, {contract.address}, fails its checksum; "
                f"{to_checksum_address(contract.address)} would pass. Compare it with where you have it from"
            )
    return manifest


def check_manifest(manifest: Manifest, artefact: Artefact, *, chain_id: int) -> DeployedContract:
    """The contract that the manifest names for the artefact, when both fit each other and the chain.

    Raises DeploymentMismatch when the manifest is another chain's or another version's, ManifestInvalid when it names
    no such contract.
    """
    if manifest.chain_id != chain_id:
        raise DeploymentMismatch(
            f"the deployment manifest is for chain {manifest.chain_id}, the node serves chain {chain_id}: "
            "use that chain's manifest or another node"
        )
    if manifest.abi_version != artefact.abi_version:
        older = "the deployment" if manifest.abi_version < artefact.abi_version else "this Tallystick"
        raise DeploymentMismatch(
            f"the deployment has ABI version {manifest.abi_version}, this Tallystick version {artefact.abi_version}: "
            f"{older} is the older one, use a version that fits"
        )
    contract = manifest.contract(artefact.contract_name)
    if contract.code_hash != artefact.code_hash:
        raise DeploymentMismatch(
            f"the manifest's {artefact.contract_name} has code hash {contract.code_hash}, this Tallystick ships "
            f"{artefact.code_hash}: use the Tallystick that it was deployed with, or deploy again"
        )
    return contract


def check_code(artefact: Artefact, address: str, runtime: bytes) -> None:
    """Raises DeploymentMismatch unless `runtime`, found at `address`, is the artefact's code."""
    if not artefact.is_code(runtime):
        raise DeploymentMismatch(
            f"the code at {address} ({len(runtime)} bytes, keccak 0x{keccak(runtime).hex()}) is not "
            f"{artefact.contract_name}'s: send nothing to it; check the address and the chain, and ask another node"
        )
