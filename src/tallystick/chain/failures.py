"""What others raise or answer, in Tallystick's words: HTTP, JSON-RPC, reverts, keys. The one place that translates."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Any

import requests
from eth_abi.exceptions import DecodingError
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address
from eth_utils.exceptions import ValidationError

from tallystick import errors
from tallystick.chain.abi import CODEC
from tallystick.chain.limits import Limit, limit_of
from tallystick.config import shown_url
from tallystick.contracts import load_artefact
from tallystick.errors import (
    CallReverted,
    ContractError,
    FundsTooLow,
    KeyInvalid,
    KeyLocked,
    NodeBusy,
    NodeError,
    NodeInvalid,
    NodeRefused,
    NodeUnreachable,
    RangeTooLarge,
    RevertError,
    SignerError,
    TokenReverted,
    TransactionError,
    TransactionRefused,
)

# --- HTTP: what `requests` raises under web3 --------------------------------------------------------------------------


def http_failure(error: Exception, url: str, method: str) -> NodeError | RevertError:
    """For anything that went wrong before there was a JSON-RPC answer; some nodes put one behind an HTTP error."""
    node = shown_url(url)
    response = error.response if isinstance(error, requests.HTTPError) else None
    status = 0 if response is None else response.status_code
    if status == requests.codes.too_many_requests:
        return NodeBusy(f"{node} wants fewer requests (HTTP 429): wait, or use another node")
    if response is not None and (answered := _json_error(response)):
        return answered_error(answered, url, method)
    if requests.codes.bad_request <= status < requests.codes.internal_server_error:
        return NodeRefused(
            f"{node} answered HTTP {status}: check that this is a node's address, and its key", code=status
        )
    if status:
        return NodeUnreachable(f"{node} failed with HTTP {status}: wait, or use another node")
    if isinstance(error, requests.Timeout):
        return NodeUnreachable(f"{node} did not answer in time: wait, or use another node")
    if isinstance(error, requests.RequestException):
        return NodeUnreachable(
            f"no answer from {node} ({type(error).__name__}): start the node, or give its address with --rpc"
        )
    return NodeInvalid(f"{node} gave an answer that is not JSON-RPC ({error}): check that this is a node's address")


def _json_error(response: requests.Response) -> Mapping[str, Any] | None:
    try:
        answer = response.json()
    except requests.JSONDecodeError:
        return None
    found = answer.get("error") if isinstance(answer, Mapping) else None
    return found if isinstance(found, Mapping) else None


# --- JSON-RPC: the `error` of an answer -------------------------------------------------------------------------------

_REVERTED = 3
_REVERT_WORDS = ("revert", "vm execution error", "invalid opcode", "bad instruction")


def answered_error(error: Mapping[str, Any], url: str, method: str) -> NodeError | RevertError:
    """For the `error` of a JSON-RPC answer: a revert where it is one, else the node's refusal."""
    code, message, data = error.get("code"), str(error.get("message", "")), _bytes(error.get("data"))
    if code == _REVERTED or (data and len(data) >= _SELECTOR) or any(word in message.lower() for word in _REVERT_WORDS):
        return revert(data or b"", message)
    node = shown_url(url)
    limit = limit_of(code, message, sizes=method == "eth_getLogs")
    if limit is Limit.RATE:
        return NodeBusy(f"{node} wants fewer requests ({message}): wait, or use another node")
    if limit is Limit.SIZE:
        return RangeTooLarge(f"{node} asks for fewer blocks at once: {message}")
    return NodeRefused(
        f"{node} refused {method} with error {code}: {message}. Look at the node's log, or use another node",
        code=code,
        data=error.get("data"),
    )


def _bytes(data: object) -> bytes | None:
    """Most nodes answer hex digits, some put words before them or an object around them."""
    if isinstance(data, Mapping):
        data = data.get("data") or data.get("result")
    if not isinstance(data, str) or "0x" not in data:
        return None
    try:
        return bytes.fromhex(data[data.index("0x") + 2 :])
    except ValueError:
        return None


class Refusal(Enum):
    """Why a node did not take a signed transaction, as far as the sender acts on it."""

    ALREADY_KNOWN = auto()
    NONCE_TOO_LOW = auto()
    UNDERPRICED = auto()
    """Another transaction with the nonce waits, and offers nearly as much or more."""
    OTHER = auto()


_REFUSALS = {  # what Geth, Erigon, Reth, Nethermind, Besu and Anvil say
    Refusal.ALREADY_KNOWN: ("already known", "already imported", "known transaction", "alreadyknown"),
    Refusal.NONCE_TOO_LOW: ("nonce too low", "nonce is too low", "oldnonce", "nonce_too_low", "below current nonce"),
    Refusal.UNDERPRICED: ("replacement transaction underpriced", "replacement fee too low", "replacementnotallowed"),
}


def refusal_of(error: NodeRefused) -> Refusal:
    """Sorts a node's refusal of `eth_sendRawTransaction`."""
    text = str(error).lower()
    return next((kind for kind, words in _REFUSALS.items() if any(word in text for word in words)), Refusal.OTHER)


def send_failure(error: NodeRefused, sender: str) -> TransactionError:
    """For a transaction that the node did not take, where nothing is left to try."""
    if "insufficient funds" in str(error).lower() or "insufficient balance" in str(error).lower():
        return FundsTooLow(f"{sender} cannot pay for the transaction's gas: send it some of the chain's own coin")
    return TransactionRefused(f"{error} (nothing was sent)")


# --- Reverts ----------------------------------------------------------------------------------------------------------

_SELECTOR = 4
OURS = (
    *("Subscriptions", "Escrow", "CourtArbiter", "Checkout", "Channels"),
    *("ChainlinkQuoter", "UniswapSwapper", "SwapCollector", "ChannelPlan"),
)
"""The contracts whose errors have classes of their own."""
_WORDS = function_signature_to_4byte_selector("Error(string)")
_PANIC = function_signature_to_4byte_selector("Panic(uint256)")
_PANICS = {
    0x00: "generic",
    0x01: "an assertion failed",
    0x11: "arithmetic overflow",
    0x12: "division by zero",
    0x21: "no such enum value",
    0x22: "damaged storage",
    0x31: "pop of an empty array",
    0x32: "array index out of bounds",
    0x41: "out of memory",
    0x51: "call of an empty function",
}
_TOKEN_ERRORS = (
    # ERC-6093, and what OpenZeppelin's tokens add: https://eips.ethereum.org/EIPS/eip-6093
    "ERC20InsufficientBalance(address sender,uint256 balance,uint256 needed)",
    "ERC20InvalidSender(address sender)",
    "ERC20InvalidReceiver(address receiver)",
    "ERC20InsufficientAllowance(address spender,uint256 allowance,uint256 needed)",
    "ERC20InvalidApprover(address approver)",
    "ERC20InvalidSpender(address spender)",
    "ERC2612ExpiredSignature(uint256 deadline)",
    "ERC2612InvalidSigner(address signer,address owner)",
    "InvalidAccountNonce(address account,uint256 currentNonce)",
    "SafeERC20FailedOperation(address token)",
    "EnforcedPause()",
    "ECDSAInvalidSignature()",
)


def revert(data: bytes, message: str = "") -> RevertError:
    """The error that revert data says: ours by its own class, the token's in words, else whatever can be read."""
    selector, values = data[:_SELECTOR], data[_SELECTOR:]
    try:
        if found := _contract_errors().get(selector):
            cls, types = found
            return cls(*_values(types, values))
        if found_token := _token_errors().get(selector):
            name, names, types = found_token
            shown = ", ".join(f"{key} {value}" for key, value in zip(names, _values(types, values), strict=True))
            return TokenReverted(f"{name}({shown})", data)
        if selector == _WORDS:  # our contracts have errors with values only: words are the token's
            return TokenReverted(f"{_values(['string'], values)[0]!r}", data)
        if selector == _PANIC:
            code = _values(["uint256"], values)[0]
            return CallReverted(f"panic 0x{code:02x}, {_PANICS.get(code, 'of a kind unknown')}", data)
    except DecodingError:
        return CallReverted(f"data that does not fit its error, 0x{data.hex()}", data)
    if data:
        return CallReverted(f"an error that is not ours, 0x{data.hex()}", data)
    printable = "".join(character for character in message if character.isprintable())
    return CallReverted(f"no reason given ({printable or 'no data'})", data)


def _values(types: list[str], data: bytes) -> list[Any]:
    decoded = CODEC.decode(types, data, strict=False)
    return [
        to_checksum_address(value) if kind == "address" else value for kind, value in zip(types, decoded, strict=True)
    ]


@functools.cache
def _contract_errors() -> dict[bytes, tuple[Callable[..., ContractError], list[str]]]:
    """By selector: the class of each error of the contracts' ABIs, and the types of its values. What they pass on of
    tokens is left to `_token_errors`."""
    known: dict[str, type[ContractError]] = {
        name: value
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, ContractError)
    }
    table: dict[bytes, tuple[Callable[..., ContractError], list[str]]] = {}
    for entry in (entry for name in OURS for entry in load_artefact(name).abi):
        if entry["type"] == "error":
            types = [str(argument["type"]) for argument in entry["inputs"]]
            selector = function_signature_to_4byte_selector(f"{entry['name']}({','.join(types)})")
            if selector not in _token_errors():
                table[selector] = known[entry["name"]], types
    return table


@functools.cache
def _token_errors() -> dict[bytes, tuple[str, list[str], list[str]]]:
    """By selector: name, names of the values, their types."""
    table = {}
    for declaration in _TOKEN_ERRORS:
        name, _, rest = declaration.removesuffix(")").partition("(")
        arguments = [argument.split() for argument in rest.split(",") if argument]
        types = [argument[0] for argument in arguments]
        selector = function_signature_to_4byte_selector(f"{name}({','.join(types)})")
        table[selector] = name, [argument[1] for argument in arguments], types
    return table


# --- Keys: what eth-account raises ------------------------------------------------------------------------------------

KEY_FAILURES = (ValueError, TypeError, KeyError, NotImplementedError, ValidationError)


def key_failure() -> SignerError:
    """For a private key that eth-account does not take; the key is never part of the message."""
    return KeyInvalid("the private key is not 64 hex digits of a number that can be one: set TALLYSTICK_KEY again")


def keystore_failure(error: Exception, path: Path) -> SignerError:
    """For a keystore file that cannot be opened."""
    if "MAC mismatch" in str(error):
        return KeyLocked(f"the password does not open {path}: set TALLYSTICK_KEYSTORE_PASSWORD to the right one")
    return KeyInvalid(
        f"{path} is not a keystore file ({type(error).__name__}): name one in the Ethereum format, version 3"
    )
