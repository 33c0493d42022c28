"""A deliberately bad node: a real one behind a proxy that, by a seed, does whatever nodes have been seen to do.

What no reader could notice it does not do. It leaves out events that the contract counts: a `Declined` or `Cancelled`
event that is not in the only answer in which it should have been is missed by the audit alone. And it does not tell the
same lie twice.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import msgspec
import urllib3

from tallystick.chain.decode import event_names

UNFINAL = 16
COUNTED = {"PlanCreated", "Subscribed", "Charged", "Upgraded", "Refunded"}
RESULT_SHARE = 0.6
"""Of the faults in answers that have logs or headers, so many are in these."""
STRANGER = "0x" + "66" * 20

Answers = list[dict[str, Any]]


class Request(NamedTuple):
    """A call or a batch as it came, and the first of its methods."""

    method: str
    params: list[list[Any]]
    is_batch: bool


class BadNode:
    """Passes requests on to one of `backends`, and spoils a part of the answers. `rate` 0: a good node.

    It knows the blocks up to `head`, of which the last `UNFINAL` are not final. With `only` it does nothing but that,
    wherever it can. `faults` counts what it did, by name.
    """

    def __init__(self, *backends: str, seed: int, rate: float = 0.3, only: str | None = None) -> None:
        self.rate = rate
        self.only = only
        self.backends = list(backends)
        self.head = 2**62
        self.faults: Counter[str] = Counter()
        self._draw = random.Random(seed)
        pool = urllib3.PoolManager(retries=False)
        bad = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = bad._as_of_head(self.rfile.read(int(self.headers["Content-Length"])))
                target = bad._draw.choice(bad.backends)
                answer = pool.request("POST", target, body=body, headers={"Content-Type": "application/json"}).data
                status, content = bad._answer(body, answer)
                if status == 0:  # hangs up in the middle
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(content) + 1))
                    self.end_headers()
                    self.wfile.write(content)
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_request(self, code: object = "-", size: object = "-") -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01])
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _as_of_head(self, body: bytes) -> bytes:
        """What the node is asked, so that it answers as if its head were ours."""
        document = msgspec.json.decode(body)
        for call in document if isinstance(document, list) else [document]:
            params = call["params"]
            if call["method"] == "eth_getBlockByNumber" and self.head < 2**62:
                tags = {"latest": self.head, "finalized": max(0, self.head - UNFINAL)}
                number = tags.get(params[0])
                number = int(params[0], 16) if number is None else number
                params[0] = hex(number if number <= self.head else 2**62)
            elif call["method"] == "eth_getLogs":
                params[0]["toBlock"] = hex(min(int(params[0]["toBlock"], 16), self.head))
        return msgspec.json.encode(document)

    def _answer(self, body: bytes, answer: bytes) -> tuple[int, bytes]:
        call = msgspec.json.decode(body)
        calls = call if isinstance(call, list) else [call]
        request = Request(calls[0]["method"], [one["params"] for one in calls], isinstance(call, list))
        if request.method == "eth_blockNumber" and self.head < 2**62:
            answer = msgspec.json.encode(msgspec.json.decode(answer) | {"result": hex(self.head)})
        name = self._chosen(request.method)
        if name in TRANSPORT_FAULTS:
            self.faults[name] += 1
            return TRANSPORT_FAULTS[name](self._draw, request, answer)
        return (200, answer) if name is None else self._spoiled(name, request, answer)

    def _chosen(self, method: str) -> str | None:
        faults = set(TRANSPORT_FAULTS) | set(RESULT_FAULTS.get(method, ()))
        if self.only is not None:
            return self.only if self.only in faults else None
        if self._draw.random() >= self.rate:
            return None
        likely = RESULT_FAULTS.get(method, {}) if self._draw.random() < RESULT_SHARE else TRANSPORT_FAULTS
        return self._draw.choice(sorted(likely or TRANSPORT_FAULTS))

    def _spoiled(self, name: str, request: Request, answer: bytes) -> tuple[int, bytes]:
        """Spoils the result of one of the calls, where the fault finds something to spoil."""
        document = msgspec.json.decode(answer)
        answers: Answers = document if request.is_batch else [document]
        victim = self._draw.choice(answers)
        if victim.get("result"):
            spoiled = RESULT_FAULTS[request.method][name](self._draw, victim["result"])
            self.faults[name] += spoiled != victim["result"]
            victim["result"] = spoiled
        return 200, msgspec.json.encode(document)


@contextlib.contextmanager
def bad_node(*backends: str, seed: int, rate: float = 0.3, only: str | None = None) -> Iterator[BadNode]:
    """A bad node for as long as the context lasts."""
    node = BadNode(*backends, seed=seed, rate=rate, only=only)
    try:
        yield node
    finally:
        node.stop()


# --- the transport: status and body ---------------------------------------------------------------------------------


def _error(code: int, message: str) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}})


def _one_short(draw: random.Random, request: Request, answer: bytes) -> tuple[int, bytes]:
    if not request.is_batch:
        return 200, b"[]"
    answers = msgspec.json.decode(answer)
    answers.pop(draw.randrange(len(answers)))
    return 200, msgspec.json.encode(answers)


def _other_order(draw: random.Random, request: Request, answer: bytes) -> tuple[int, bytes]:
    """Allowed by JSON-RPC."""
    answers = msgspec.json.decode(answer)
    if request.is_batch:
        draw.shuffle(answers)
    return 200, msgspec.json.encode(answers)


def _other_id(draw: random.Random, request: Request, answer: bytes) -> tuple[int, bytes]:
    answers = msgspec.json.decode(answer)
    victim = draw.choice(answers) if request.is_batch else answers
    victim["id"] += 1
    return 200, msgspec.json.encode(answers)


TRANSPORT_FAULTS: dict[str, Callable[[random.Random, Request, bytes], tuple[int, bytes]]] = {
    "too many requests": lambda *_: (429, b"slow down"),
    "server error": lambda draw, *_: (draw.choice([500, 502, 503, 504]), b"<html>oops</html>"),
    "hung up": lambda draw, _, answer: (0, answer[: draw.randrange(len(answer))]),
    "truncated": lambda draw, _, answer: (200, answer[: draw.randrange(len(answer))]),
    "no JSON": lambda draw, *_: (200, draw.choice([b"", b"\xff\xfe", b"<html>", b"[" * 50_000, b"nullnull", b'"a"'])),
    "wrong type": lambda *_: (200, b'{"jsonrpc":"2.0","id":1,"result":{"a":[1e999,-0.0,null]}}'),
    "rate limit in the body": lambda *_: (200, _error(-32005, "project ID request rate exceeded")),
    "range too large": lambda *_: (200, _error(-32000, "query returned more than 10000 results")),
    "stumble": lambda _, request, __: (200, _error(-32603 if request.method != "eth_call" else 429, "internal error")),
    "an answer is missing": _one_short,
    "batch in another order": _other_order,
    "another call's answer": _other_id,
}


# --- logs -----------------------------------------------------------------------------------------------------------

Logs = list[dict[str, Any]]


def _is_counted(log: dict[str, Any]) -> bool:
    return event_names().get(log["topics"][0]) in COUNTED


def _dropped(draw: random.Random, logs: Logs) -> Logs:
    places = [index for index, log in enumerate(logs) if _is_counted(log)]
    gone = draw.choice(places) if places else -1
    return [log for index, log in enumerate(logs) if index != gone]


def _tail_dropped(draw: random.Random, logs: Logs) -> Logs:
    kept = draw.randrange(len(logs))
    return logs[:kept] if any(map(_is_counted, logs[kept:])) else logs


def _doubled(draw: random.Random, logs: Logs) -> Logs:
    index = draw.randrange(len(logs))
    return [*logs[: index + 1], *logs[index:]]


def _swapped(draw: random.Random, logs: Logs) -> Logs:
    mixed = list(logs)
    draw.shuffle(mixed)
    return mixed


def _changed(changes: Sequence[tuple[str, Any]]) -> Callable[[random.Random, Logs], Logs]:
    """One field of one log."""

    def change(draw: random.Random, logs: Logs) -> Logs:
        index = draw.randrange(len(logs))
        field, value = draw.choice(changes)
        return [*logs[:index], logs[index] | {field: value}, *logs[index + 1 :]]

    return change


def _topics_changed(draw: random.Random, logs: Logs) -> Logs:
    index = draw.randrange(len(logs))
    topics = list(logs[index]["topics"])
    change = draw.choice(["none", "unknown", "short", "more", "huge"])
    if change == "none":
        topics = []
    elif change == "unknown":
        topics[0] = "0x" + "12" * 32
    elif change == "short":
        topics[-1] = topics[-1][:-2]
    elif change == "more":
        topics.append("0x" + "00" * 32)
    elif _is_counted(logs[index]):  # a decline may be of any number
        topics = [topics[0], *("0x" + "ff" * 32 for _ in topics[1:])]
    return [*logs[:index], logs[index] | {"topics": topics}, *logs[index + 1 :]]


HUGE = "0x" + "f" * 64
LOG_FAULTS: dict[str, Callable[[random.Random, Logs], Any]] = {
    "log dropped": _dropped,
    "end of the logs dropped": _tail_dropped,
    "all logs dropped": lambda _, logs: [] if any(map(_is_counted, logs)) else logs,
    "log doubled": _doubled,
    "logs in another order": _swapped,
    "log of another contract": _changed([("address", STRANGER)]),
    "log of another branch": _changed([("blockHash", "0x" + "ab" * 32)]),
    "log of another block": _changed([("blockNumber", value) for value in ("0x0", "0xffffff", HUGE, "-0x1", "")]),
    "log removed": _changed([("removed", True)]),
    "log with another place": _changed([("logIndex", value) for value in (HUGE, "-0x5", "x", "0x")]),
    "log with nulls": _changed([(field, None) for field in ("blockNumber", "blockHash", "topics", "data")]),
    "log with other data": _changed([("data", value) for value in ("0x", "0x1", "no", "0x" + "ff" * 128, 7)]),
    "log with other topics": _topics_changed,
    "logs of another type": lambda draw, _: draw.choice([None, {}, "0x", [None], [[]], [{}], 5]),
}


# --- headers ----------------------------------------------------------------------------------------------------------


def _other_branch(draw: random.Random, header: dict[str, Any]) -> dict[str, Any]:
    return header | {draw.choice(["hash", "parentHash"]): "0x" + draw.randbytes(32).hex()}


def _header_changed(changes: Sequence[tuple[str, Any]]) -> Callable[[random.Random, dict[str, Any]], dict[str, Any]]:
    def change(draw: random.Random, header: dict[str, Any]) -> dict[str, Any]:
        field, value = draw.choice(changes)
        return header | {field: value}

    return change


HEADER_FAULTS: dict[str, Callable[[random.Random, Any], Any]] = {
    "block unknown": lambda *_: None,
    "header of another branch": _other_branch,
    "header of another block": _header_changed([("number", value) for value in ("0x0", HUGE, "-0x1", "ten")]),
    "header from the far future": _header_changed([("timestamp", value) for value in (HUGE, "0xffffffffff", "-0x1")]),
    "header that is no header": _header_changed([("hash", "0x12"), ("hash", None), ("timestamp", 5), ("number", "")]),
}

RESULT_FAULTS: dict[str, dict[str, Callable[[random.Random, Any], Any]]] = {
    "eth_getLogs": LOG_FAULTS,
    "eth_getBlockByNumber": HEADER_FAULTS,
}
