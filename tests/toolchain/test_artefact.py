"""What is shipped of a contract in parts: one ABI, and runtime code that is the same on every chain."""

from __future__ import annotations

from typing import Any

from eth_utils.crypto import keccak

from tallystick.contracts import load_artefact
from tallystick.core.deployment import FACTORY, SALT, create2_address
from toolchain.artefact import CALLED, EXTENSION_IMMUTABLE, _fill_in, _immutable, _joined


def test_what_is_called_is_where_the_factory_puts_it() -> None:
    for name, called in CALLED.items():
        artefact, arguments = load_artefact(name), ""
        for called_name in called.values():
            at = create2_address(FACTORY, SALT, keccak(load_artefact(called_name).creation_code))
            assert load_artefact(called_name).address == at
            assert at[2:].lower() in artefact.deployed_bytecode
            arguments += at[2:].lower().rjust(64, "0")
            elsewhere = artefact.deployed_bytecode.replace(at[2:].lower(), "12" * 20)
            assert not artefact.is_code(bytes.fromhex(elsewhere[2:]))
        assert artefact.bytecode.endswith(arguments)
        assert artefact.is_code(bytes.fromhex(artefact.deployed_bytecode[2:]))


def test_what_a_part_answers_can_be_called_at_the_one_before() -> None:
    for name, called in CALLED.items():
        if EXTENSION_IMMUTABLE not in called:
            continue
        abi, extension = load_artefact(name).abi, load_artefact(called[EXTENSION_IMMUTABLE]).abi
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
