"""The tree of errors: complete against the ABI, drawn as it is, readable."""

from __future__ import annotations

import inspect
import pickle
import re
from dataclasses import fields
from typing import Any

import pytest

from tallystick import errors
from tallystick.chain.failures import OURS
from tallystick.contracts import load_artefact
from tallystick.errors import (
    CallReverted,
    ContractError,
    MandateExpired,
    NodeRefused,
    NodeUnreachable,
    NotActive,
    TallystickError,
    TransactionStuck,
    WrongChain,
)

SAMPLES: dict[str, Any] = {"int": 7, "str": "0x5FbDB2315678afecb367f032d93F642f64180aa3", "bytes": bytes(range(32))}


def classes() -> dict[str, type[TallystickError]]:
    defined = {name: value for name, value in vars(errors).items() if inspect.isclass(value)}
    return {name: value for name, value in defined.items() if issubclass(value, TallystickError)}


def contract_errors() -> dict[str, type[ContractError]]:
    return {cls.__name__: cls for cls in ContractError.__subclasses__()}


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def sample(cls: type[ContractError]) -> ContractError:
    values = [SAMPLES[str(field.type).removeprefix("builtins.")] for field in fields(cls)]
    if cls is NotActive:
        values[1] = 2
    return cls(*values)


def test_the_contract_s_errors_and_their_values_are_the_abi_s() -> None:
    abi = {
        entry["name"]: [snake_case(argument["name"]) for argument in entry["inputs"]]
        for contract in OURS
        for entry in load_artefact(contract).abi
        if entry["type"] == "error" and entry["name"] != "SafeERC20FailedOperation"  # the token's: TokenReverted
    }
    assert "ReentrancyGuardReentrantCall" in abi
    ours = {name: [field.name for field in fields(cls)] for name, cls in contract_errors().items()}
    assert ours == abi


@pytest.mark.parametrize("cls", contract_errors().values(), ids=contract_errors())
def test_a_contract_s_error_shows_its_values_and_survives_pickling(cls: type[ContractError]) -> None:
    error = sample(cls)
    text = str(error)
    for value in error.args:
        shown = value.hex() if isinstance(value, bytes) else str(value)
        assert shown in text or cls in {NotActive, MandateExpired}
    assert len(text) > 40
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.args, str(copy)) == (cls, error.args, text)


def test_other_errors_with_values_survive_pickling_too() -> None:
    for error in (
        WrongChain("chain 1, not 2: use another", found=1, expected=2),
        NodeRefused("no: look", code=-32000, data="0x"),
        TransactionStuck("stuck: wait", transaction="0x12"),
        CallReverted("panic 0x11", b"\x11"),
    ):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_times_are_shown_as_people_read_them() -> None:
    assert "before 1970-01-01 00:00:07 UTC, it is 2026-01-31 00:00:00 UTC" in str(MandateExpired(7, 1769817600))
    assert "before second 1157920892373161954235709850" in str(MandateExpired(2**256 - 1, 7))


def test_the_tree_is_drawn_as_it_is() -> None:
    drawing = errors.__doc__ or ""
    parents: dict[str, str] = {}
    above: list[str] = []
    for line in drawing.splitlines():
        if found := re.match(r" {4}((?:  )*)([A-Z]\w+)(?: {2,}(.*))?$", line):
            depth, name, text = len(found[1]) // 2, found[2], found[3] or ""
            above = [*above[:depth], name]
            parents[name] = above[-2] if depth else "Exception"
            assert vars(errors)[name].retryable == text.startswith("(retryable)"), name
    listed = re.search(r"its values as attributes\n([^.]+?)\n\n", drawing)
    assert listed
    parents |= dict.fromkeys(re.findall(r"\w+", listed[1]), "ContractError")
    assert parents == {name: cls.__bases__[0].__name__ for name, cls in classes().items()}
    assert all(cls.__doc__ for cls in classes().values())


def test_whether_to_retry_is_the_class_s_and_can_be_said_for_one() -> None:
    assert NodeUnreachable("the node is away").retryable
    assert not TallystickError("no").retryable
    assert TallystickError("later", retryable=True).retryable
    assert not NodeUnreachable("gone", retryable=False).retryable
    assert str(TallystickError("found 1, allowed 2: do this")) == "found 1, allowed 2: do this"
