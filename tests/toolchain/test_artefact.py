"""What is shipped of a contract in parts: one ABI, and runtime code that is the same on every chain."""

from __future__ import annotations

from typing import Any

from eth_utils.crypto import keccak

from tallystick.contracts import load_artefact
from tallystick.core.deployment import FACTORY, SALT, create2_address
from toolchain.artefact import EXTENSION_IMMUTABLE, EXTENSIONS, _fill_in, _immutable, _joined


def test_the_extension_is_called_where_the_factory_puts_it() -> None:
    for name, extension_name in EXTENSIONS.items():
        artefact, extension = load_artefact(name), load_artefact(extension_name)
        at = create2_address(FACTORY, SALT, keccak(extension.creation_code))
        assert extension.address == at
        assert artefact.bytecode.endswith(at[2:].lower().rjust(64, "0"))  # the constructor's argument
        assert artefact.deployed_bytecode.count(at[2:].lower()) == 1
        assert artefact.is_code(bytes.fromhex(artefact.deployed_bytecode[2:]))
        elsewhere = artefact.deployed_bytecode.replace(at[2:].lower(), "12" * 20)
        assert not artefact.is_code(bytes.fromhex(elsewhere[2:]))


def test_what_a_part_answers_can_be_called_at_the_one_before() -> None:
    for name, extension_name in EXTENSIONS.items():
        abi, extension = load_artefact(name).abi, load_artefact(extension_name).abi
        functions = {entry["name"] for entry in abi if entry["type"] == "function"}
        assert {"charge", "changePlan", "pause", "refund", "preview"} <= functions or name != "Subscriptions"
        assert {entry["name"] for entry in extension if entry["type"] == "function"} <= functions
        assert {entry["type"] for entry in abi} == {"function", "event", "error"}


def test_entries_are_joined_once_and_without_what_nobody_calls() -> None:
    shared, own = {"type": "error", "name": "A"}, {"type": "function", "name": "f"}
    assert _joined([shared, {"type": "constructor"}, {"type": "fallback"}], [own, dict(shared)]) == [shared, own]


def test_an_immutable_is_filled_in_wherever_it_is_read() -> None:
    references = {"7": [{"start": 1, "length": 2}, {"start": 4, "length": 2}], "9": [{"start": 7, "length": 1}]}
    runtime: dict[str, Any] = {"object": "aa0000bb0000cc00", "immutableReferences": references}
    _fill_in(runtime, "7", "1234")
    assert runtime == {"object": "aa1234bb1234cc00", "immutableReferences": {"9": [{"start": 7, "length": 1}]}}
    contract = {"nodeType": "ContractDefinition", "nodes": [{"id": 5}, {"id": 7, "name": EXTENSION_IMMUTABLE}]}
    assert _immutable({"nodes": [{"nodeType": "PragmaDirective"}, contract]}, EXTENSION_IMMUTABLE) == "7"
