"""Deploying on a real chain: the same address everywhere, safe to repeat, never on top of something else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from eth_account import Account

from tallystick.contracts import load_artefact
from tallystick.core.deployment import (
    FACTORY,
    SALT,
    DeployedContract,
    Manifest,
    create2_address,
    parse_manifest,
)
from tallystick.errors import DeploymentMismatch, DeploymentMissing, ManifestInvalid, TallystickError
from tallystick.flows.deploy import (
    CALLED,
    DEPLOYED_CONTRACTS,
    create,
    deploy,
    manifest_path,
    read_manifest,
    verify,
    write_manifest,
)
from tallystick.testing import Anvil, AnvilError, start_anvil

SUBSCRIPTIONS = load_artefact("Subscriptions")
NEXT = load_artefact("SubscriptionsPayee")
PARTS = len(DEPLOYED_CONTRACTS)
PLACE = 1 + DEPLOYED_CONTRACTS.index("Subscriptions")


class Deployer:
    """What the command line brings: a JSON-RPC call and a way to send; counts what it sent."""

    def __init__(self, anvil: Anvil, index: int = 0) -> None:
        self.anvil = anvil
        self.account = Account.from_key(anvil.key(index))
        self.sent: list[str] = []

    def request(self, method: str, parameters: Sequence[Any]) -> Any:
        try:
            return self.anvil.rpc(method, *parameters)
        except AnvilError as error:
            raise TallystickError(str(error)) from error

    def send(self, to: str, data: bytes, value_wei: int) -> str:
        transaction = {
            "to": to,
            "data": "0x" + data.hex(),
            "value": value_wei,
            "gas": 10_000_000,
            "gasPrice": 2 * 10**9,
            "nonce": int(self.request("eth_getTransactionCount", [self.account.address, "pending"]), 16),
            "chainId": self.anvil.chain_id,
        }
        raw = self.account.sign_transaction(transaction).raw_transaction
        sent = str(self.request("eth_sendRawTransaction", ["0x" + bytes(raw).hex()]))
        self.sent.append(sent)
        if self.anvil.receipt(sent)["status"] != "0x1":
            raise TallystickError(f"{sent} was reverted")
        return sent


def test_deploys_once_and_verifies_afterwards(anvil: Anvil, tmp_path: Path) -> None:
    deployer = Deployer(anvil)
    anvil.mine(3)
    first = deploy(deployer.request, deployer.send, tmp_path)
    assert first.created == DEPLOYED_CONTRACTS
    assert first.path == tmp_path / "31337.json"
    contract = first.manifest.contract("Subscriptions")
    assert (contract.address, contract.start_block) == (SUBSCRIPTIONS.address, 3 + PLACE)
    assert contract.deploy_transaction == deployer.sent[PLACE - 1]
    assert verify(deployer.request, read_manifest(first.path), "Subscriptions") == contract

    text = first.path.read_text()
    second = deploy(deployer.request, deployer.send, tmp_path)
    assert second.created == ()
    assert (len(deployer.sent), first.path.read_text()) == (PARTS, text)
    assert json.loads(text) == {
        "manifestVersion": 1,
        "chainId": 31337,
        "abiVersion": SUBSCRIPTIONS.abi_version,
        "contracts": {
            name: {
                "address": load_artefact(name).address,
                "codeHash": load_artefact(name).code_hash,
                "startBlock": 4 + at,
                "deployTransaction": deployer.sent[at],
            }
            for at, name in enumerate(DEPLOYED_CONTRACTS)
        },
    }


def test_finds_block_and_transaction_of_an_earlier_deployment(anvil: Anvil, tmp_path: Path) -> None:
    deployer = Deployer(anvil)
    anvil.mine(7)
    first = deploy(deployer.request, deployer.send, tmp_path / "first")
    anvil.mine(20)
    second = deploy(deployer.request, deployer.send, tmp_path / "second")
    assert second.manifest == first.manifest


def test_a_stale_manifest_of_a_test_chain_is_renewed(tmp_path: Path) -> None:
    with start_anvil() as anvil:
        anvil.mine(9)
        old = deploy(Deployer(anvil).request, Deployer(anvil).send, tmp_path)
    with start_anvil() as anvil:
        deployer = Deployer(anvil, index=1)
        new = deploy(deployer.request, deployer.send, tmp_path)
        assert new.created == DEPLOYED_CONTRACTS
        assert [new.manifest.contract(name).start_block for name in DEPLOYED_CONTRACTS] == list(range(1, PARTS + 1))
        assert new.path == old.path

        again = deploy(deployer.request, deployer.send, tmp_path / "other")
        write_manifest(new.path, old.manifest)
        assert deploy(deployer.request, deployer.send, tmp_path).manifest == again.manifest


def test_the_address_is_the_same_on_another_chain(tmp_path: Path) -> None:
    with start_anvil("--chain-id", "8453") as anvil:
        deployer = Deployer(anvil, index=3)
        done = deploy(deployer.request, deployer.send, tmp_path)
        assert done.path == manifest_path(tmp_path, 8453)
        assert done.manifest.contract("Subscriptions").address == SUBSCRIPTIONS.address


def test_two_deployers_at_once_end_with_one_contract(anvil: Anvil, tmp_path: Path) -> None:
    """The second finds nothing, the first creates, the second's transaction is refused by the factory."""
    slow, quick = Deployer(anvil, 0), Deployer(anvil, 1)

    def overtaken(to: str, data: bytes, value_wei: int) -> str:
        deploy(quick.request, quick.send, tmp_path / "quick")
        return slow.send(to, data, value_wei)

    done = deploy(slow.request, overtaken, tmp_path / "slow")
    assert done.manifest == read_manifest(tmp_path / "quick" / "31337.json")
    assert done.manifest.contract("Subscriptions").deploy_transaction == quick.sent[PLACE - 1]


def test_factory_is_created_where_it_is_missing_and_only_when_asked(tmp_path: Path) -> None:
    with start_anvil("--disable-default-create2-deployer") as anvil:
        deployer = Deployer(anvil)
        assert anvil.rpc("eth_getCode", FACTORY, "latest") == "0x"
        with pytest.raises(DeploymentMissing, match=r"no CREATE2 factory .* deploy with `--with-factory`"):
            deploy(deployer.request, deployer.send, tmp_path)
        assert (deployer.sent, list(tmp_path.iterdir())) == ([], [])
        done = deploy(deployer.request, deployer.send, tmp_path, with_factory=True)
        assert done.manifest.contract("Subscriptions").address == SUBSCRIPTIONS.address


def test_other_code_is_never_taken_for_ours(anvil: Anvil, tmp_path: Path) -> None:
    deployer = Deployer(anvil)
    anvil.rpc("anvil_setCode", SUBSCRIPTIONS.address, "0x60016002")
    with pytest.raises(DeploymentMismatch, match=r"\(4 bytes, .*\) is not Subscriptions's: send nothing to it"):
        deploy(deployer.request, deployer.send, tmp_path)
    anvil.rpc("anvil_setCode", SUBSCRIPTIONS.address, "0x")
    anvil.rpc("anvil_setCode", FACTORY, "0x60016002")
    with pytest.raises(DeploymentMismatch, match="is not the CREATE2 factory's"):
        deploy(deployer.request, deployer.send, tmp_path)
    assert deployer.sent == []


def test_one_changed_byte_of_code_is_found_and_immutables_are_not(anvil: Anvil, tmp_path: Path) -> None:
    deployer = Deployer(anvil)
    manifest = deploy(deployer.request, deployer.send, tmp_path).manifest
    code = bytearray.fromhex(anvil.rpc("eth_getCode", SUBSCRIPTIONS.address, "latest")[2:])
    assert code != bytes.fromhex(SUBSCRIPTIONS.deployed_bytecode[2:])  # the constructor has filled in its immutables
    code[100] ^= 1
    anvil.rpc("anvil_setCode", SUBSCRIPTIONS.address, "0x" + code.hex())
    with pytest.raises(DeploymentMismatch, match="is not Subscriptions's"):
        verify(deployer.request, manifest, "Subscriptions")


def test_missing_parts_are_created_and_the_others_verified(anvil: Anvil, tmp_path: Path) -> None:
    deployer = Deployer(anvil)
    first, *others = DEPLOYED_CONTRACTS
    create(deployer.request, deployer.send, load_artefact(first))
    done = deploy(deployer.request, deployer.send, tmp_path)
    assert done.created == tuple(others)
    assert [done.manifest.contract(name).start_block for name in DEPLOYED_CONTRACTS] == list(range(1, PARTS + 1))


@pytest.mark.parametrize(("caller", "called"), [(caller, name) for caller, names in CALLED.items() for name in names])
def test_each_part_calls_the_one_that_the_package_ships(anvil: Anvil, tmp_path: Path, caller: str, called: str) -> None:
    """Its address is a part of the code that is compared: a part that calls another one is refused."""
    deployer = Deployer(anvil)
    manifest = deploy(deployer.request, deployer.send, tmp_path).manifest
    at = load_artefact(caller).address
    code = anvil.rpc("eth_getCode", at, "latest")
    known = load_artefact(called).address[2:].lower()
    assert known in code
    anvil.rpc("anvil_setCode", at, code.replace(known, deployer.account.address[2:].lower()))
    used = "Subscriptions" if caller.startswith("Subscriptions") else caller
    with pytest.raises(DeploymentMismatch, match=f"is not {caller}'s"):
        verify(deployer.request, manifest, used)


def test_a_manifest_that_names_a_wrong_part_is_refused(anvil: Anvil, tmp_path: Path) -> None:
    deployer = Deployer(anvil)
    manifest = deploy(deployer.request, deployer.send, tmp_path).manifest
    right = manifest.contract("SubscriptionsPayee")

    def naming(extension: DeployedContract | None) -> Manifest:
        others = {name: contract for name, contract in manifest.contracts.items() if contract is not right}
        named = {} if extension is None else {"SubscriptionsPayee": extension}
        return msgspec.structs.replace(manifest, contracts=named | others)

    elsewhere = "0x" + "12" * 20
    anvil.rpc("anvil_setCode", elsewhere, anvil.rpc("eth_getCode", NEXT.address, "latest"))
    copied = msgspec.structs.replace(right, address=elsewhere)
    with pytest.raises(DeploymentMismatch, match=f"has SubscriptionsPayee at {elsewhere}, Subscriptions calls it at"):
        verify(deployer.request, naming(copied), "Subscriptions")
    empty = msgspec.structs.replace(right, address="0x" + "34" * 20)
    with pytest.raises(DeploymentMissing, match="there is no SubscriptionsPayee at 0x3434"):
        verify(deployer.request, naming(empty), "Subscriptions")
    other = msgspec.structs.replace(right, code_hash="0x" + "00" * 32)
    with pytest.raises(DeploymentMismatch, match="the manifest's SubscriptionsPayee has code hash 0x0000"):
        verify(deployer.request, naming(other), "Subscriptions")
    with pytest.raises(ManifestInvalid, match="names no SubscriptionsPayee"):
        verify(deployer.request, naming(None), "Subscriptions")
    anvil.rpc("anvil_setCode", NEXT.address, "0x60016002")
    with pytest.raises(DeploymentMismatch, match="is not SubscriptionsPayee's: send nothing to it"):
        verify(deployer.request, manifest, "Subscriptions")


def test_verify_refuses_another_chain_and_an_empty_one(anvil: Anvil, tmp_path: Path) -> None:
    deployer = Deployer(anvil)
    manifest = deploy(deployer.request, deployer.send, tmp_path).manifest
    with start_anvil("--chain-id", "1") as other, pytest.raises(DeploymentMismatch, match=r"chain 31337, .* chain 1:"):
        verify(Deployer(other).request, manifest, "Subscriptions")
    with start_anvil() as empty, pytest.raises(DeploymentMissing, match="a test chain that was started anew"):
        verify(Deployer(empty).request, manifest, "Subscriptions")


def test_the_demo_s_dollar_is_created_by_the_same_way(anvil: Anvil) -> None:
    deployer = Deployer(anvil)
    dollar = load_artefact("MockUSDC")
    create(deployer.request, deployer.send, dollar)
    code = bytes.fromhex(anvil.rpc("eth_getCode", dollar.address, "latest")[2:])
    assert dollar.is_code(code)
    assert not SUBSCRIPTIONS.is_code(code)


def test_a_manifest_that_cannot_be_read_stops_before_anything_is_sent(anvil: Anvil, tmp_path: Path) -> None:
    deployer = Deployer(anvil)
    manifest_path(tmp_path, 31337).write_text("{")
    with pytest.raises(ManifestInvalid, match="is not JSON"):
        deploy(deployer.request, deployer.send, tmp_path)
    assert deployer.sent == []
    with pytest.raises(DeploymentMissing, match=r"no deployment manifest .*nowhere"):
        read_manifest(tmp_path / "nowhere.json")
    assert [path.name for path in tmp_path.iterdir()] == ["31337.json"]


def test_written_manifests_read_back(tmp_path: Path, anvil: Anvil) -> None:
    deployer = Deployer(anvil)
    done = deploy(deployer.request, deployer.send, tmp_path)
    assert parse_manifest(done.manifest.render(), source="x") == done.manifest
    assert SUBSCRIPTIONS.address == create2_address(FACTORY, SALT, bytes.fromhex(SUBSCRIPTIONS.code_hash[2:]))
