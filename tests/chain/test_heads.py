"""Hints of new blocks: they end the waiting, and nothing rests on them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.sync.server import ServerConnection, serve

from tallystick.chain.heads import LEAST_PAUSE_S, HeadHints
from tallystick.testing import Anvil, start_anvil

LONG_S = 20.0


@contextmanager
def answering(*messages: str) -> Iterator[str]:
    """A websocket that says this to whoever asks for something, and no more."""

    def say(connection: ServerConnection) -> None:
        for _ in connection:
            for message in messages:
                connection.send(message)

    with serve(say, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
    thread.join()


def seconds(hints: HeadHints, most: float) -> float:
    started = time.monotonic()
    hints.wait(most)
    return time.monotonic() - started


def test_a_new_block_ends_the_waiting(anvil: Anvil) -> None:
    said: list[str] = []
    hints = HeadHints(anvil.url.replace("http", "ws"), said.append)
    assert 0.2 <= seconds(hints, 0.2) < LONG_S / 2, "without a block it is the time that ends it"
    for _ in range(3):
        timer = threading.Timer(0.1, anvil.rpc, ["anvil_mine", "0x3"])
        timer.start()
        assert seconds(hints, LONG_S) < LONG_S / 2
        timer.join()
        assert seconds(hints, LONG_S) < LONG_S / 2, "the node may have told of it too early: one looks again"
    hints.close()
    assert said == []


def test_without_hints_one_looks_as_often_as_ever() -> None:
    """A node that is gone, comes back, takes no subscription, or talks nonsense."""
    said: list[str] = []
    with start_anvil() as anvil:
        url = anvil.url.replace("http", "ws")
        hints = HeadHints(url, said.append)
        hints.wait(0.1)
    for _ in range(2):
        assert 0.2 <= seconds(hints, 0.2) < LONG_S / 2
    assert len(said) == 1, "told once"
    assert said[0].startswith(f"no hints of new blocks from {url}")
    for answer in ('{"id":1,"error":{"code":-32601,"message":"no such method"}}', "nonsense"):
        with answering(answer) as there:
            others: list[str] = []
            hints = HeadHints(there, others.append)
            assert 0.2 <= seconds(hints, 0.2) < LONG_S / 2
            assert len(others) == 1
            hints.close()


def test_whoever_floods_with_hints_does_not_make_one_look_without_a_pause() -> None:
    hint = '{"jsonrpc":"2.0","method":"eth_subscription","params":{}}'
    with answering('{"id":1,"result":"0x1"}', *[hint] * 2_000) as url:
        hints, looks = HeadHints(url, lambda _: None), 0
        while (waited := seconds(hints, LONG_S / 10)) < LONG_S / 10:
            assert waited >= LEAST_PAUSE_S
            looks += 1
        assert 1 < looks < 200, "all that had come were one hint"
        hints.close()
