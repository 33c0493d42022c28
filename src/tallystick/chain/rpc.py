"""JSON-RPC over one keep-alive connection, for reading: typed answers, bounded retries, our own errors.

Transactions go through web3 (`chain.sender`); this is the path on which the mirror and the audit read hundreds of
thousands of events, where web3's formatters would take all the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec
import urllib3

from tallystick.config import shown_url
from tallystick.errors import NodeBusy, NodeError, NodeInvalid, NodeRefused, NodeUnreachable, RangeTooLarge

T = TypeVar("T")

ATTEMPTS: Final = 5
FIRST_PAUSE_S: Final = 0.25
TIMEOUT_S: Final = 60
BATCH_LIMIT: Final = 100
"""Calls in one batch; many providers refuse more."""

_RANGE_WORDS = ("block range", "range too", "range is too", "too many", "more than", "limit exceeded", "response size")


class _Failure(msgspec.Struct):
    code: int
    message: str = ""


class _Answer(msgspec.Struct, Generic[T]):
    id: int | None = None
    result: T | msgspec.UnsetType = msgspec.UNSET
    error: _Failure | None = None


class Rpc:
    """A node at `url`. Not to be shared by threads. `name` is the address as messages may show it.

    Every call raises NodeUnreachable, NodeBusy or NodeInvalid when the node still fails after `ATTEMPTS` tries with
    doubling pauses, NodeRefused when it answers with an error, RangeTooLarge when that error asks for fewer blocks.
    """

    def __init__(self, url: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.url = url
        self.name = shown_url(url)
        self._sleep = sleep
        self._pool = urllib3.PoolManager(maxsize=1, timeout=TIMEOUT_S, retries=False)
        self._id = 0

    def call(self, kind: Any, method: str, *params: Any) -> Any:
        """The result of one call, decoded and checked as the type `kind`."""
        self._id += 1
        body = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        return self._result(self._post(_Answer[kind], body), self._id)

    def batch(self, kind: Any, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """The results of the same method for many parameters, in their order."""
        results: list[Any] = []
        for start in range(0, len(params), BATCH_LIMIT):
            part = params[start : start + BATCH_LIMIT]
            first = self._id + 1
            self._id += len(part)
            body = [
                {"jsonrpc": "2.0", "id": first + index, "method": method, "params": values}
                for index, values in enumerate(part)
            ]
            answers = self._post(list[_Answer[kind]], body)
            by_id = {answer.id: answer for answer in answers}
            if len(by_id) != len(part) or first not in by_id:
                raise NodeInvalid(f"{self.name} gave {len(by_id)} answers to a batch of {len(part)}: use another node")
            results += [self._result(by_id.get(first + index, _Answer()), first + index) for index in range(len(part))]
        return results

    def _result(self, answer: _Answer[Any], expected_id: int) -> Any:
        if answer.error is not None:
            raise _refusal(self.name, answer.error)
        if answer.result is msgspec.UNSET or answer.id != expected_id:
            raise NodeInvalid(f"{self.name} answered call {answer.id} without a result, expected {expected_id}")
        return answer.result

    def _post(self, kind: Any, body: Any) -> Any:
        encoded = msgspec.json.encode(body)
        pause = FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._try_post(kind, encoded)
            except NodeError as error:
                if not error.retryable or isinstance(error, RangeTooLarge) or attempt == ATTEMPTS:
                    raise
            self._sleep(pause)
            pause *= 2
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _try_post(self, kind: Any, encoded: bytes) -> Any:
        try:
            response = self._pool.request(
                "POST", self.url, body=encoded, headers={"Content-Type": "application/json"}, preload_content=True
            )
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise NodeUnreachable(
                f"no answer from {self.name} ({type(error).__name__}): start the node, or give its address with --rpc"
            ) from error
        if response.status == 429:
            raise NodeBusy(f"{self.name} wants fewer requests (HTTP 429): wait, or use another node")
        if response.status >= 500:
            raise NodeUnreachable(f"{self.name} failed with HTTP {response.status}: wait, or use another node")
        try:
            return msgspec.json.decode(response.data, type=kind)
        except msgspec.DecodeError as error:
            raise _undecodable(self.name, response, error) from error


def _undecodable(url: str, response: urllib3.BaseHTTPResponse, error: Exception) -> NodeError:
    """A batch that failed as a whole is answered by one object; anything else is no JSON-RPC."""
    try:
        single = msgspec.json.decode(response.data, type=_Answer[Any])
    except msgspec.DecodeError:
        single = _Answer()
    if single.error is not None:
        return _refusal(url, single.error)
    return NodeInvalid(
        f"{url} answered HTTP {response.status} with {len(response.data)} bytes that are not the JSON-RPC answer "
        f"expected ({error}): check that this is a node's address"
    )


def _refusal(url: str, failure: _Failure) -> NodeError:
    text = failure.message.lower()
    if failure.code == -32005 or any(words in text for words in _RANGE_WORDS):
        return RangeTooLarge(f"{url} asks for fewer blocks at once: {failure.message}")
    return NodeRefused(f"{url} refused with error {failure.code}: {failure.message}")
