"""Hints that there is a new block, by a node's websocket (`eth_subscribe`, `newHeads`).

A hint only says when to look: what is looked at is read and checked as ever. Where there is no hint, because the
connection broke or the node is silent, one looks all the same, as often as without it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import msgspec
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from tallystick.config import shown_url

OPEN_S: Final = 10
LEAST_PAUSE_S: Final = 0.02
"""Between two looks, however many hints come."""
AGAIN_S: Final = 0.1
"""A node may tell of a block before it gives it: after each hint one looks once more so much later."""
_SUBSCRIBE: Final = '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'


class _Subscribed(msgspec.Struct):
    result: str | None = None
    error: msgspec.Raw | None = None


class HeadHints:
    """Of a node at a websocket address. `say` tells, once, that there are none any more."""

    def __init__(self, url: str, say: Callable[[str], object]) -> None:
        self._url = url
        self._name = shown_url(url)
        self._say = say
        self._socket: ClientConnection | None = None
        self._told = self._again = False

    def wait(self, seconds: float) -> None:
        """Until there is a new block, or so many seconds have passed."""
        started = time.monotonic()
        if self._again:
            seconds, self._again = min(seconds, AGAIN_S), False
        try:
            socket = self._socket or self._connected()
            left = seconds - (time.monotonic() - started)
            socket.recv(timeout=max(left, 0))
            self._again = True
            time.sleep(LEAST_PAUSE_S)
            while True:  # what came meanwhile is the same hint
                socket.recv(timeout=0)
        except TimeoutError:
            return
        except (OSError, WebSocketException, msgspec.DecodeError) as error:
            self.close()
            if not self._told:
                self._told = True
                self._say(
                    f"no hints of new blocks from {self._name} ({error}): looking every {seconds:.0f} s meanwhile"
                )
            time.sleep(max(0.0, seconds - (time.monotonic() - started)))

    def close(self) -> None:
        """Ends the connection; the next `wait` makes another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> ClientConnection:
        """Raises OSError where the node takes no subscription."""
        socket = connect(self._url, open_timeout=OPEN_S, close_timeout=1)
        try:
            socket.send(_SUBSCRIBE)
            answer = msgspec.json.decode(socket.recv(timeout=OPEN_S), type=_Subscribed)
            if answer.result is None:
                raise OSError(f"it takes no subscription: {bytes(answer.error or b'nothing').decode()[:200]}")
        except BaseException:
            socket.close()
            raise
        self._socket, self._told = socket, False
        return socket
