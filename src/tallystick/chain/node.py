"""A connection to a node through web3: one chain, all failures in Tallystick's words. Threads may share it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import requests
from web3 import HTTPProvider
from web3.exceptions import Web3Exception
from web3.providers.rpc.utils import REQUEST_RETRY_ALLOWLIST, ExceptionRetryConfiguration
from web3.types import RPCEndpoint

from tallystick.chain.failures import answered_error, http_failure
from tallystick.config import shown_url
from tallystick.errors import NodeInvalid, NodeRefused, RevertError, WrongChain

TIMEOUT_S = 30
ATTEMPTS = 4
FIRST_PAUSE_S = 0.2
BATCH_LIMIT = 100
"""Calls in one request; many providers refuse more."""

Block = int | Literal["latest", "pending", "safe", "finalized"]


@dataclass(frozen=True, slots=True)
class Node:
    """A node that serves the chain `chain_id`. Made by `connect`."""

    provider: HTTPProvider
    chain_id: int

    @property
    def url(self) -> str:
        """The node's address, which may hold a secret: shown only by `config.shown_url`."""
        return _url(self.provider)

    def request(self, method: str, parameters: Sequence[Any]) -> Any:
        """The `result` of one JSON-RPC call. Raises a NodeError, or a RevertError where code refused a call."""
        return _request(self.provider, method, parameters)

    def request_many(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """The results of many calls in few requests, in their order. Raises as `request`, at the first that fails."""
        results: list[Any] = []
        for start in range(0, len(calls), BATCH_LIMIT):
            results += _request_batch(self.provider, calls[start : start + BATCH_LIMIT])
        return results

    def try_many(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """As `request_many`; but where one call fails, by a RevertError or NodeRefused, that stands in its place."""
        results: list[Any] = []
        for start in range(0, len(calls), BATCH_LIMIT):
            results += _try_batch(self.provider, calls[start : start + BATCH_LIMIT])
        return results

    def call(self, to: str, data: bytes, *, sender: str | None = None, block: Block = "latest") -> bytes:
        """What `eth_call` returns. Raises a RevertError where the code refuses."""
        transaction = {"to": to, "data": "0x" + data.hex()} | ({"from": sender} if sender else {})
        return hex_bytes(self.request("eth_call", [transaction, block_name(block)]))

    def code(self, address: str) -> bytes:
        """The code at an address; empty where there is none."""
        return hex_bytes(self.request("eth_getCode", [address, "latest"]))

    def balance_wei(self, account: str) -> int:
        """What an account has of the chain's own coin."""
        return int(self.request("eth_getBalance", [account, "latest"]), 16)

    def first_block_at(self, time: int, *, start: int) -> int:
        """The first block from `start` on that is not older than a time in Unix seconds; the head where all are."""
        low, high = start, int(self.request("eth_blockNumber", []), 16)
        while low < high:
            middle = (low + high) // 2
            if int(self.request("eth_getBlockByNumber", [hex(middle), False])["timestamp"], 16) < time:
                low = middle + 1
            else:
                high = middle
        return low

    def timestamp(self) -> int:
        """The head's time, in Unix seconds."""
        return int(self.request("eth_getBlockByNumber", ["latest", False])["timestamp"], 16)


def connect(rpc_url: str, *, chain_id: int | None = None, attempts: int = ATTEMPTS) -> Node:
    """A node that answers, and serves the chain `chain_id` where one is expected.

    Calls other than sending are tried `attempts` times, with doubling pauses, before a failure counts.

    Raises NodeUnreachable, NodeBusy, NodeRefused or NodeInvalid when it does not answer as a node does, WrongChain when
    it serves another chain.
    """
    reading = [method for method in REQUEST_RETRY_ALLOWLIST if method != "eth_sendRawTransaction"]
    retrying = ExceptionRetryConfiguration(
        errors=(requests.ConnectionError, requests.HTTPError, requests.Timeout),
        retries=attempts,
        backoff_factor=FIRST_PAUSE_S,
        method_allowlist=reading,
    )
    provider = HTTPProvider(rpc_url, request_kwargs={"timeout": TIMEOUT_S}, exception_retry_configuration=retrying)
    answer = _request(provider, "eth_chainId", [])
    try:
        found = int(answer, 16)
    except (TypeError, ValueError) as error:
        raise NodeInvalid(f"{shown_url(rpc_url)} says its chain is {answer!r}: check that this is a node") from error
    if chain_id is not None and found != chain_id:
        raise WrongChain(
            f"{shown_url(rpc_url)} serves chain {found}, the deployment is on chain {chain_id}: use a node of chain "
            f"{chain_id}, or the manifest of chain {found}",
            found=found,
            expected=chain_id,
        )
    return Node(provider, found)


def block_name(block: Block) -> str:
    """A block as JSON-RPC names it."""
    return hex(block) if isinstance(block, int) else block


def hex_bytes(text: object) -> bytes:
    """The bytes of `0x...`. Raises NodeInvalid for anything else."""
    try:
        return bytes.fromhex(str(text).removeprefix("0x"))
    except ValueError as error:
        raise NodeInvalid(f"the node answered {str(text)[:80]!r} where it should answer bytes: ask another") from error


def _url(provider: HTTPProvider) -> str:
    return str(provider.endpoint_uri)


def _request(provider: HTTPProvider, method: str, parameters: Sequence[Any]) -> Any:
    with _http(provider, method):
        answer: Any = provider.make_request(RPCEndpoint(method), list(parameters))
    return _result(answer, _url(provider), method)


def _request_batch(provider: HTTPProvider, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
    answers, url = _answers(provider, calls), _url(provider)
    return [_result(answer, url, method) for answer, (method, _) in zip(answers, calls, strict=True)]


def _try_batch(provider: HTTPProvider, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
    results: list[Any] = []
    for answer, (method, _) in zip(_answers(provider, calls), calls, strict=True):
        try:
            results.append(_result(answer, _url(provider), method))
        except (RevertError, NodeRefused) as error:
            results.append(error)
    return results


def _answers(provider: HTTPProvider, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
    with _http(provider, calls[0][0]):
        answered: Any = provider.make_batch_request(
            [(RPCEndpoint(method), list(parameters)) for method, parameters in calls]
        )
    url = _url(provider)
    answers = answered if isinstance(answered, list) else [answered] * len(calls)  # refused as a whole, by one error
    if len(answers) != len(calls):
        raise NodeInvalid(f"{shown_url(url)} gave {len(answers)} answers to {len(calls)} calls: use another node")
    return answers


@contextlib.contextmanager
def _http(provider: HTTPProvider, method: str) -> Iterator[None]:
    try:
        yield
    except (requests.RequestException, Web3Exception, ValueError, TypeError, KeyError) as error:
        raise http_failure(error, _url(provider), method) from error


def _result(answer: Any, url: str, method: str) -> Any:
    if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
        raise NodeInvalid(f"{shown_url(url)} gave an answer without a result: check that this is a node's address")
    if failure := answer.get("error"):
        if not isinstance(failure, dict):
            raise NodeRefused(f"{shown_url(url)} refused {method}: {failure}")
        raise answered_error(failure, url, method)
    return answer["result"]
