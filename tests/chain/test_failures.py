"""Revert data in Tallystick's words, and refusals sorted as the clients write them."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from tallystick import errors
from tallystick.chain.failures import Refusal, answered_error, refusal_of, revert, send_failure
from tallystick.contracts import load_artefact
from tallystick.errors import (
    CallReverted,
    FundsTooLow,
    InsufficientGas,
    NodeBusy,
    NodeError,
    NodeRefused,
    RangeTooLarge,
    RevertError,
    TokenReverted,
    TransactionRefused,
    UnknownPlan,
)

ACCOUNT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
SAMPLES: dict[str, Any] = {
    "uint256": 2**256 - 1,
    "uint8": 2,
    "address": ACCOUNT,
    "bytes32": b"\x07" * 32,
    "string": "ä",
}
ERRORS = [entry for entry in load_artefact("Subscriptions").abi if entry["type"] == "error"]


def data_of(signature: str, *values: object) -> bytes:
    types = signature.partition("(")[2].removesuffix(")")
    return function_signature_to_4byte_selector(signature) + encode(types.split(",") if types else [], values)


@pytest.mark.parametrize("entry", ERRORS, ids=[entry["name"] for entry in ERRORS])
def test_every_error_of_the_abi_comes_back_as_its_class_with_its_values(entry: dict[str, Any]) -> None:
    types = [argument["type"] for argument in entry["inputs"]]
    values = tuple(SAMPLES[kind] for kind in types)
    found = revert(data_of(f"{entry['name']}({','.join(types)})", *values))
    assert type(found) is vars(errors)[entry["name"]]
    assert found.args == values


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (data_of("Error(string)", "Pausable: paused"), TokenReverted, "'Pausable: paused'"),
        (data_of("Panic(uint256)", 0x11), CallReverted, "panic 0x11, arithmetic overflow"),
        (data_of("Panic(uint256)", 0x99), CallReverted, "panic 0x99, of a kind unknown"),
        (
            data_of("ERC20InsufficientBalance(address,uint256,uint256)", ACCOUNT, 1, 2),
            TokenReverted,
            f"ERC20InsufficientBalance(sender {ACCOUNT}, balance 1, needed 2)",
        ),
        (data_of("EnforcedPause()"), TokenReverted, "EnforcedPause()"),
        (bytes.fromhex("12345678"), CallReverted, "an error that is not ours, 0x12345678"),
        (data_of("UnknownPlan(uint256)", 7)[:20], CallReverted, "data that does not fit its error"),
        (b"", CallReverted, "no reason given (no data)"),
    ],
)
def test_what_is_not_ours_is_said_in_words(data: bytes, kind: type[RevertError], text: str) -> None:
    found = revert(data)
    assert type(found) is kind
    assert text in str(found)


@given(st.binary(max_size=200))
def test_no_data_is_too_strange(data: bytes) -> None:
    assert isinstance(revert(data), RevertError)


def test_the_shapes_in_which_nodes_answer_a_revert() -> None:
    data = "0x" + data_of("UnknownPlan(uint256)", 7).hex()
    shapes: list[dict[str, Any]] = [
        {"code": 3, "message": "execution reverted", "data": data},  # Geth, Reth, Anvil
        {"code": -32015, "message": "VM execution error.", "data": f"Reverted {data}"},  # OpenEthereum, Nethermind
        {"code": -32000, "message": "execution reverted", "data": {"data": data}},  # Ganache and its heirs
    ]
    for shape in shapes:
        found = answered_error(shape, "http://node", "eth_call")
        assert isinstance(found, UnknownPlan)
        assert found.plan_id == 7
    silent = answered_error({"code": -32000, "message": "execution reverted\x00"}, "http://node", "eth_call")
    assert "no reason given (execution reverted)" in str(silent)
    assert isinstance(
        answered_error({"code": -32000, "message": "header not found"}, "http://n", "eth_call"), NodeRefused
    )


@pytest.mark.parametrize(
    ("code", "message", "method", "kind"),
    [
        (-32005, "daily request count exceeded, request rate limited", "eth_getLogs", NodeBusy),  # Infura
        (-32005, "query returned more than 10000 results", "eth_getLogs", RangeTooLarge),  # Infura
        (-32005, "limit exceeded", "eth_getLogs", RangeTooLarge),
        (-32005, "eth_call is limited to 100 requests per second", "eth_call", NodeBusy),
        (429, "Your app has exceeded its compute units per second capacity", "eth_call", NodeBusy),  # Alchemy
        (-32007, "15/second request limit reached", "eth_call", NodeBusy),  # QuickNode
        (-32602, "query exceeds max block range 1000", "eth_getLogs", RangeTooLarge),
        (-32000, "nonce too low", "eth_sendRawTransaction", NodeRefused),
    ],
)
def test_limits_of_rates_and_of_ranges_are_told_apart(
    code: int, message: str, method: str, kind: type[NodeError]
) -> None:
    assert type(answered_error({"code": code, "message": message}, "http://node", method)) is kind


@pytest.mark.parametrize(
    ("message", "refusal"),
    [
        ("already known", Refusal.ALREADY_KNOWN),  # Geth
        ("AlreadyKnown", Refusal.ALREADY_KNOWN),  # Nethermind
        ("transaction already imported", Refusal.ALREADY_KNOWN),  # Anvil
        ("Known transaction", Refusal.ALREADY_KNOWN),  # Besu
        ("nonce too low: next nonce 5, tx nonce 3", Refusal.NONCE_TOO_LOW),
        ("OldNonce, Current nonce: 5, nonce of rejected tx: 3", Refusal.NONCE_TOO_LOW),
        ("Nonce too low", Refusal.NONCE_TOO_LOW),
        ("replacement transaction underpriced", Refusal.UNDERPRICED),
        ("ReplacementNotAllowed", Refusal.UNDERPRICED),
        ("transaction underpriced: gas tip cap 0, minimum needed 1000000", Refusal.OTHER),
        ("intrinsic gas too low", Refusal.OTHER),
    ],
)
def test_refusals_are_sorted_by_what_the_clients_say(message: str, refusal: Refusal) -> None:
    assert (
        refusal_of(NodeRefused(f"http://node refused eth_sendRawTransaction with error -32000: {message}")) is refusal
    )


def test_what_cannot_be_sent_is_an_error_of_the_transaction() -> None:
    poor = send_failure(NodeRefused("Insufficient funds for gas * price + value"), ACCOUNT)
    assert isinstance(poor, FundsTooLow)
    assert ACCOUNT in str(poor)
    assert isinstance(send_failure(NodeRefused("intrinsic gas too low"), ACCOUNT), TransactionRefused)


def test_checksummed_addresses_and_numbers_are_attributes() -> None:
    found = revert(data_of("InsufficientGas(uint256,uint256)", 5, 9))
    assert isinstance(found, InsufficientGas)
    assert (found.found, found.needed) == (5, 9)
    token = revert(data_of("TokenRefused(address)", ACCOUNT.lower()))
    assert token.args == (to_checksum_address(ACCOUNT),)
