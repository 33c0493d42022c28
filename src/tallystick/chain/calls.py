"""Calls of our contracts as bytes, and their answers, by the one ABI artefact of each.

They are of `Subscriptions` unless another contract is named.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.abi import function_signature_to_4byte_selector, get_abi_input_types, get_abi_output_types

from tallystick.chain.abi import CODEC
from tallystick.contracts import load_artefact
from tallystick.errors import InputError, NodeInvalid


class _Function(NamedTuple):
    selector: bytes
    inputs: list[str]
    outputs: list[str]


@functools.cache
def _functions(contract: str) -> dict[str, _Function]:
    table = {}
    for entry in load_artefact(contract).abi:
        if entry["type"] == "function":
            item: Any = entry  # the ABI is plain JSON
            inputs = get_abi_input_types(item)
            selector = function_signature_to_4byte_selector(f"{entry['name']}({','.join(inputs)})")
            table[entry["name"]] = _Function(selector, inputs, get_abi_output_types(item))
    return table


def call_data(name: str, *values: object, contract: str = "Subscriptions") -> bytes:
    """A function's selector and arguments; structs are tuples. Raises InputError for values that it cannot hold."""
    function = _functions(contract)[name]
    try:
        return function.selector + CODEC.encode(function.inputs, values)
    except EncodingError as error:
        raise InputError(f"found a value that {name}({', '.join(function.inputs)}) cannot hold: {error}") from error


def decoded(name: str, answer: bytes, *, contract: str = "Subscriptions") -> Any:
    """The value that a function returns, a tuple where it returns several. Raises NodeInvalid for bytes that cannot be
    its answer."""
    try:
        values = CODEC.decode(_functions(contract)[name].outputs, answer)
    except DecodingError as error:
        raise NodeInvalid(
            f"{name} was answered by {len(answer)} bytes that it cannot answer ({error}): check the contract's address "
            "and the chain, and ask another node"
        ) from error
    return values[0] if len(values) == 1 else values
