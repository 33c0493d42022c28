"""Reads ahead: while what was read is worked on, the next is being read, in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")

MOST_AHEAD: Final = 1
"""Items that wait beside the one that is being read: more only cost memory."""
_PATIENCE_S: Final = 0.1


class _Read(NamedTuple, Generic[T]):
    """An item, or what ended the reading: an error, or None at the end."""

    item: T | None = None
    error: BaseException | None = None
    is_end: bool = False


@contextmanager
def read_ahead(items: Iterable[T]) -> Generator[Iterable[T]]:
    """The same items, one read while another is worked on. What reading them raises is raised where it would have been.

    Whatever `items` works with belongs to the thread until the context ends, which waits for the item that is being
    read.
    """
    waiting: queue.Queue[_Read[T]] = queue.Queue(MOST_AHEAD)
    stopped = threading.Event()

    def put(read: _Read[T]) -> None:
        while not stopped.is_set():
            try:
                waiting.put(read, timeout=_PATIENCE_S)
            except queue.Full:
                continue
            return

    def run() -> None:
        try:
            for item in items:
                put(_Read(item))
                if stopped.is_set():
                    return
            put(_Read(is_end=True))
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is raised where it matters)
            put(_Read(error=error))

    def taken() -> Generator[T]:
        while True:
            read = waiting.get()
            if read.error is not None:
                raise read.error
            if read.is_end:
                return
            assert read.item is not None
            yield read.item

    thread = threading.Thread(target=run, name="read ahead", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stopped.set()
        thread.join()
