"""Addresses and manifests, without a chain."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tallystick.contracts import load_artefact
from tallystick.core.deployment import (
    Artefact,
    DeployedContract,
    Manifest,
    check_manifest,
    create2_address,
    parse_artefact,
    parse_manifest,
)
from tallystick.errors import DeploymentMismatch, ManifestInvalid

SUBSCRIPTIONS = load_artefact("Subscriptions")
GOOD: dict[str, Any] = {
    "manifestVersion": 1,
    "chainId": 1,
    "abiVersion": SUBSCRIPTIONS.abi_version,
    "contracts": {
        "Subscriptions": {
            "address": SUBSCRIPTIONS.address,
            "codeHash": SUBSCRIPTIONS.code_hash,
            "startBlock": 12,
            "deployTransaction": None,
        }
    },
}


@pytest.mark.parametrize(
    ("factory", "salt", "code_hash", "address"),
    [  # the examples of EIP-1014; its code hashes are of init codes 0x00 and 0xdeadbeef
        (
            "0x0000000000000000000000000000000000000000",
            "00" * 32,
            "bc36789e7a1e281436464229828f817d6612f7b477d66591ff96a9e064bcc98a",
            "0x4D1A2e2bB4F88F0250f26Ffff098B0b30B26BF38",
        ),
        (
            "0x00000000000000000000000000000000deadbeef",
            "00000000000000000000000000000000000000000000000000000000cafebabe",
            "d4fd4e189132273036449fc9e11198c739161b4c0116a9a2dccdfa1c492006f1",
            "0x60f3f640a8508fC6a86d45DF051962668E1e8AC7",
        ),
    ],
)
def test_create2_addresses_of_the_standard(factory: str, salt: str, code_hash: str, address: str) -> None:
    assert create2_address(factory, bytes.fromhex(salt), bytes.fromhex(code_hash)) == address


def with_change(**changes: Any) -> str:
    """The good manifest with fields of the document or of its contract changed; None as value drops the field."""
    contract = dict(GOOD["contracts"]["Subscriptions"])
    document = {**GOOD, "contracts": {"Subscriptions": contract}}
    for name, value in changes.items():
        place = contract if name in contract else document
        place[name] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ("[]", "Expected `object`, got `array`"),
        ("{}", "missing required field `manifestVersion`"),
        (with_change(manifestVersion=2), "version 2, this Tallystick reads version 1: upgrade"),
        (with_change(chainId=0), r">= 1 - at `\$.chainId`"),
        (with_change(chainId="1"), r"Expected `int`, got `str` - at `\$.chainId`"),
        (with_change(startBlock=-1), r"startBlock`"),
        (with_change(address="0x12"), r"address`"),
        (with_change(codeHash="0x12"), r"codeHash`"),
        (with_change(address=SUBSCRIPTIONS.address.lower()), f"fails its checksum; {SUBSCRIPTIONS.address} would pass"),
        (with_change(surplus=1), "unknown field `surplus`"),
    ],
)
def test_a_bad_manifest_is_refused_with_its_fault(text: str, message: str) -> None:
    with pytest.raises(ManifestInvalid, match=message) as caught:
        parse_manifest(text, source="deployments/1.json")
    assert "deployments/1.json" in str(caught.value)


def test_a_good_manifest_keeps_its_content() -> None:
    manifest = parse_manifest(json.dumps(GOOD), source="x")
    assert json.loads(manifest.render()) == GOOD
    assert manifest.contract("Subscriptions") == DeployedContract(
        SUBSCRIPTIONS.address, SUBSCRIPTIONS.code_hash, 12, None
    )
    with pytest.raises(ManifestInvalid, match="names no Escrow, only Subscriptions"):
        manifest.contract("Escrow")


@pytest.mark.parametrize(
    ("changes", "chain_id", "message"),
    [
        ({}, 5, "for chain 1, the node serves chain 5"),
        ({"abiVersion": SUBSCRIPTIONS.abi_version + 1}, 1, "this Tallystick is the older one"),
        ({"codeHash": "0x" + "ab" * 32}, 1, "has code hash 0xabab"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(changes: dict[str, Any], chain_id: int, message: str) -> None:
    manifest = parse_manifest(with_change(**changes), source="x")
    with pytest.raises(DeploymentMismatch, match=message):
        check_manifest(manifest, SUBSCRIPTIONS, chain_id=chain_id)


def test_a_fitting_manifest_gives_the_contract() -> None:
    manifest = msgspec.convert(GOOD, Manifest)
    assert check_manifest(manifest, SUBSCRIPTIONS, chain_id=1).start_block == 12


def test_a_damaged_artefact_is_refused() -> None:
    damaged: Artefact = msgspec.structs.replace(SUBSCRIPTIONS, bytecode=SUBSCRIPTIONS.bytecode[:-2] + "00")
    with pytest.raises(DeploymentMismatch, match="the artefact of Subscriptions is damaged"):
        parse_artefact(msgspec.json.encode(damaged))
