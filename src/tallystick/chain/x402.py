"""x402's own contract of payment channels, which is not ours to deploy: what it says of itself."""

from __future__ import annotations

from typing import Final

from eth_abi.exceptions import DecodingError
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address

from tallystick.chain.abi import CODEC
from tallystick.chain.rpc import Rpc
from tallystick.core.channel import DOMAIN_NAME, DOMAIN_VERSION
from tallystick.errors import DeploymentMismatch, DeploymentMissing, NodeRefused, RevertError

_DOMAIN: Final = function_signature_to_4byte_selector("eip712Domain()")
_TYPES: Final = ["bytes1", "string", "string", "uint256", "address", "bytes32", "uint256[]"]


def require_x402(rpc: Rpc, contract: str, chain_id: int) -> None:
    """Raises DeploymentMissing where there is no code, DeploymentMismatch where it does not say by `eip712Domain()`
    (EIP-5267) that it takes signatures under x402's name, here."""
    if rpc.call(str, "eth_getCode", contract, "latest") == "0x":
        raise DeploymentMissing(
            f"there is no contract at {contract} on chain {chain_id}, where x402's channels were to be mirrored: leave "
            "out x402.start_block, or name the contract as x402.contract"
        )
    found = _domain(rpc, contract)
    if found != (DOMAIN_NAME, DOMAIN_VERSION, chain_id, contract):
        says = f"takes signatures for {found}" if found else "does not say for what it takes signatures"
        raise DeploymentMismatch(
            f"{contract} {says}, x402's channels do for {(DOMAIN_NAME, DOMAIN_VERSION, chain_id, contract)}: check "
            "x402.contract"
        )


def _domain(rpc: Rpc, contract: str) -> tuple[str, str, int, str] | None:
    """Name, version, chain and contract; None where it does not say."""
    try:
        answer = rpc.call(str, "eth_call", {"to": contract, "data": "0x" + _DOMAIN.hex()}, "latest")
        _, name, version, chain, verifying, *_ = CODEC.decode(_TYPES, bytes.fromhex(answer.removeprefix("0x")))
    except (RevertError, NodeRefused, DecodingError, ValueError):
        return None
    return name, version, chain, to_checksum_address(verifying)
