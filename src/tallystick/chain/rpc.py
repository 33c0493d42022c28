"""JSON-RPC over one keep-alive connection, for reading: typed answers, bounded retries, our own errors.

Transactions go through web3 (`chain.sender`); this is the path on which the mirror and the audit read hundreds of
thousands of events, where web3's formatters would take all the time.
"""

from __future__ import annotations

import http.client
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec
import urllib3

from tallystick.chain.limits import Limit, limit_of
from tallystick.config import shown_url
from tallystick.errors import NodeBusy, NodeError, NodeInvalid, NodeRefused, NodeUnreachable, RangeTooLarge

T = TypeVar("T")

ATTEMPTS: Final = 5
FIRST_PAUSE_S: Final = 0.25
TIMEOUT_S: Final = 60
BATCH_LIMIT: Final = 100
"""Calls in one batch at first; it becomes smaller where the provider refuses so many."""
MOST_BYTES: Final = 32 * 2**20
"""The longest answer that is read, some 40,000 logs: a longer one would only cost memory."""
LONGEST_MESSAGE: Final = 500

_PASSING_CODE = -32603
_PASSING_WORDS = ("header not found", "unknown block", "block not found", "timeout", "timed out", "try again")


class _Failure(msgspec.Struct):
    code: int = 0
    message: str = ""


class _Answer(msgspec.Struct, Generic[T]):
    id: int | None = None
    result: T | msgspec.UnsetType = msgspec.UNSET
    error: _Failure | None = None


class Caller(Protocol):
    """Whoever answers what is asked of a chain: a node, or an audit pack."""

    @property
    def name(self) -> str:
        """As messages show it."""
        ...

    def call(self, kind: Any, method: str, *params: Any) -> Any:
        """The result of one call, decoded and checked as the type `kind`. Raises NodeError."""
        ...

    def batch(self, kind: Any, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """The results of the same method for many parameters, in their order. Raises NodeError."""
        ...


class Rpc:
    """A node at `url`. Not to be shared by threads. `name` is the address as messages may show it.

    Every call raises NodeUnreachable, NodeBusy or NodeInvalid when the node still fails after `attempts` tries with
    doubling pauses, NodeRefused when it answers with an error (retryable where another try may go better),
    RangeTooLarge when that error asks for fewer blocks, or the answer is longer than MOST_BYTES.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "",
        attempts: int = ATTEMPTS,
        timeout_s: float = TIMEOUT_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url
        self.name = name or shown_url(url)
        self._attempts = attempts
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._pool = urllib3.PoolManager(maxsize=1, timeout=timeout_s, retries=False)
        self._ahead = _Ahead(url, timeout_s)
        self._id = 0
        self._batch_limit = BATCH_LIMIT

    def call(self, kind: Any, method: str, *params: Any) -> Any:
        """The result of one call, decoded and checked as the type `kind`."""
        self._id += 1
        number = self._id
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        return self._retried(_Answer[kind], method, body, lambda answer: self._result(answer, number, method))

    def begin(self, kind: Any, method: str, *params: Any) -> Callable[[], Any]:
        """As `call`, without waiting: what is returned waits for the result. Meanwhile the node works, and other calls
        can be made. One that was begun before and not waited for is given up."""
        self._id += 1
        number = self._id
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        is_sent = self._ahead.send(msgspec.json.encode(body))

        def result() -> Any:
            try:
                if is_sent:
                    answer = self._decoded(_Answer[kind], method, *self._ahead.receive())
                    return self._result(answer, number, method)
            except (urllib3.exceptions.HTTPError, OSError, http.client.HTTPException):
                pass  # the connection was dropped, or is slow: the ordinary way has patience
            except (NodeUnreachable, NodeBusy, NodeInvalid):
                self._sleep(FIRST_PAUSE_S)
            return self.call(kind, method, *params)

        return result

    def batch(self, kind: Any, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """The results of the same method for many parameters, in their order."""
        results: list[Any] = []
        while len(results) < len(params):
            part = params[len(results) : len(results) + self._batch_limit]
            try:
                results += self._batch_part(kind, method, part)
            except RangeTooLarge:
                if len(part) == 1:
                    raise
                self._batch_limit = len(part) // 2
        return results

    def _batch_part(self, kind: Any, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        numbers = range(self._id + 1, self._id + 1 + len(params))
        self._id += len(params)
        body = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": values}
            for number, values in zip(numbers, params, strict=True)
        ]

        def results(answers: list[_Answer[Any]]) -> list[Any]:
            by_id = {answer.id: answer for answer in answers}
            if len(answers) != len(numbers) or not by_id.keys() >= set(numbers):
                # Where the batch was refused as a whole, the one answer says why.
                for answer in answers:
                    self._result(answer, answer.id, method)
                raise NodeInvalid(
                    f"{self.name} gave {len(answers)} answers to a batch of {len(numbers)}: use another node"
                )
            return [self._result(by_id[number], number, method) for number in numbers]

        found: list[Any] = self._retried(list[_Answer[kind]], method, body, results)
        return found

    def _result(self, answer: _Answer[Any], expected_id: int | None, method: str) -> Any:
        if answer.error is not None:
            raise _refusal(self.name, method, answer.error)
        if answer.result is msgspec.UNSET or answer.id != expected_id:
            raise NodeInvalid(f"{self.name} answered call {answer.id} without a result, expected {expected_id}")
        return answer.result

    def _retried(self, kind: Any, method: str, body: Any, read: Callable[[Any], Any]) -> Any:
        """What `read` makes of the answer, asked for again where the node may only have stumbled."""
        encoded = msgspec.json.encode(body)
        pause = FIRST_PAUSE_S
        for _ in range(self._attempts - 1):
            try:
                return read(self._post(kind, method, encoded))
            except (NodeUnreachable, NodeBusy, NodeInvalid):
                self._sleep(pause)
                pause *= 2
        return read(self._post(kind, method, encoded))

    def _post(self, kind: Any, method: str, encoded: bytes) -> Any:
        try:
            response = self._pool.request(
                "POST", self.url, body=encoded, headers={"Content-Type": "application/json"}, preload_content=False
            )
            content = response.read(MOST_BYTES + 1)
            if len(content) > MOST_BYTES:
                response.close()
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise NodeUnreachable(
                f"no answer from {self.name} ({type(error).__name__}): start the node, or give its address with --rpc"
            ) from error
        return self._decoded(kind, method, response.status, content)

    def _decoded(self, kind: Any, method: str, status: int, content: bytes) -> Any:
        if status == 429:
            raise NodeBusy(f"{self.name} wants fewer requests (HTTP 429): wait, or use another node")
        if len(content) > MOST_BYTES or status == 413:
            raise RangeTooLarge(f"{self.name} has an answer of more than {MOST_BYTES} bytes: ask for fewer blocks")
        if status >= 500:
            refused = self._refused(method, content)
            if isinstance(refused, RangeTooLarge | NodeBusy):
                raise refused
            raise NodeUnreachable(f"{self.name} failed with HTTP {status}: wait, or use another node")
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.DecodeError, RecursionError) as error:
            raise self._refused(method, content) or NodeInvalid(
                f"{self.name} answered HTTP {status} with {len(content)} bytes that are not the JSON-RPC "
                f"answer expected ({error}): check that this is a node's address"
            ) from error

    def _refused(self, method: str, content: bytes) -> NodeError | None:
        """The one error that stands in place of an answer: a batch may be refused as a whole."""
        try:
            answer = msgspec.json.decode(content, type=_Answer[msgspec.Raw])
        except (msgspec.DecodeError, RecursionError):
            return None
        return None if answer.error is None else _refusal(self.name, method, answer.error)


class _Ahead:
    """A connection of its own on which a request is sent now, and its answer read later."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._connection: urllib3.connection.HTTPConnection | None = None
        self._is_owed = False

    def send(self, encoded: bytes) -> bool:
        """Whether it could be sent."""
        try:
            connection = self._connected()
            connection.request(
                "POST",
                urllib3.util.parse_url(self._url).request_uri,
                body=encoded,
                headers={"Content-Type": "application/json"},
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            self._drop()
            return False
        self._is_owed = True
        return True

    def receive(self) -> tuple[int, bytes]:
        """The HTTP status and the answer, of which no more is read than one byte beyond MOST_BYTES."""
        if self._connection is None:
            raise http.client.NotConnected
        try:
            response = self._connection.getresponse()
            content = response.read(MOST_BYTES + 1)
        except BaseException:
            self._drop()
            raise
        self._is_owed = False
        if len(content) > MOST_BYTES:
            self._drop()
        return response.status, content

    def _connected(self) -> urllib3.connection.HTTPConnection:
        if self._is_owed or (self._connection is not None and not self._connection.is_connected):
            self._drop()
        if self._connection is None:
            url = urllib3.util.parse_url(self._url)
            made = urllib3.connection.HTTPSConnection if url.scheme == "https" else urllib3.connection.HTTPConnection
            self._connection = made(url.host or "", url.port, timeout=self._timeout_s)
            weakref.finalize(self, self._connection.close)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._is_owed = None, False


def _refusal(name: str, method: str, failure: _Failure) -> NodeError:
    said = "".join(character for character in failure.message[:LONGEST_MESSAGE] if character.isprintable())
    limit = limit_of(failure.code, said, sizes=True)
    if limit is Limit.RATE:
        return NodeBusy(f"{name} wants fewer requests ({said}): wait, or use another node")
    if limit is Limit.SIZE:
        return RangeTooLarge(f"{name} asks for fewer blocks at once: {said}")
    refused = NodeRefused(
        f"{name} refused {method} with error {failure.code}: {said}. Look at the node's log, or use another",
        code=failure.code,
    )
    refused.retryable = failure.code == _PASSING_CODE or any(words in said.lower() for words in _PASSING_WORDS)
    return refused
