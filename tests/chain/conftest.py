"""A business on a chain, seen through web3, and a node that misbehaves on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
import urllib3

from tallystick.chain.node import Node, connect
from tallystick.chain.sender import Sender
from tallystick.chain.signer import KeySigner
from tallystick.testing import Anvil
from tests.business import Business

Misbehaviour = Callable[[str, bytes], "tuple[int, bytes] | None"]
"""By method and the real node's answer: the status and body to answer instead, or None to hang up."""


class Proxy:
    """An HTTP server before a real node: it passes calls on, and then may spoil the answer."""

    def __init__(self, target: str) -> None:
        self.calls: list[str] = []
        self.swallowed: set[str] = set()
        """Methods whose requests do not reach the node, and are not answered."""
        self.late: list[bytes] = []
        """Those requests: they may still arrive."""
        self.misbehave: Misbehaviour | None = None
        self._target = target
        self._pool = urllib3.PoolManager(retries=False)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                call = msgspec.json.decode(body)
                method = str(call[0]["method"] if isinstance(call, list) else call["method"])
                proxy.calls.append(method)
                if method in proxy.swallowed:
                    proxy.late.append(body)
                    self.close_connection = True
                    return
                answer = proxy._pass_on(body)
                spoiled = (200, answer) if proxy.misbehave is None else proxy.misbehave(method, answer)
                if spoiled is None:
                    self.close_connection = True
                    return
                status, content = spoiled
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

    def always(self, body: bytes, status: int = 200) -> None:
        self.misbehave = lambda _method, _answer: (status, body)

    def deliver_late(self) -> None:
        """Lets the requests that were lost arrive after all; nobody hears the answers."""
        while self.late:
            self._pass_on(self.late.pop(0))

    def _pass_on(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        return self._pool.request("POST", self._target, body=body, headers=headers).data

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def proxy(anvil: Anvil) -> Iterator[Proxy]:
    found = Proxy(anvil.url)
    yield found
    found.stop()


@pytest.fixture
def node(anvil: Anvil) -> Node:
    return connect(anvil.url)


@pytest.fixture
def business(anvil: Anvil) -> Business:
    return Business(anvil)


@pytest.fixture
def sender_of(anvil: Anvil, node: Node) -> Callable[[int], Sender]:
    """Sends for one of Anvil's accounts."""
    return lambda index: Sender(node, KeySigner.from_key(anvil.key(index)))
