"""Reads ahead: while what was read is worked on, the next is being read, in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")

MOST_AHEAD: Final = 1
"""Items that wait beside the one that is being read: more only cost memory."""
LONGEST_WAIT_S: Final = 1.0
"""A node that hangs must not keep anybody from leaving: the thread is left to its end, which changes nothing."""
_PATIENCE_S: Final = 0.1


@contextmanager
def read_ahead(items: Iterable[T], *, wanted: bool = True) -> Generator[Iterable[T]]:
    """The same items, one read while another is worked on. What reading them raises is raised where it would have been.
    Where it is not `wanted`, each is read when it is asked for.

    Whatever `items` works with belongs to the thread from then on. When the context ends, it stops with the item that
    it is reading; that one is not waited for long.
    """
    if not wanted:
        yield items
        return
    ahead = _Ahead(items)
    thread = threading.Thread(target=ahead.read, name="read ahead", daemon=True)
    thread.start()
    try:
        yield ahead.taken()
    finally:
        ahead.stopped.set()
        thread.join(LONGEST_WAIT_S)


class _Read(NamedTuple, Generic[T]):
    """An item, or what ended the reading: an error, or that there are no more."""

    items: tuple[T, ...] = ()
    error: BaseException | None = None


class _Ahead(Generic[T]):
    """Between the thread that reads and who works."""

    def __init__(self, items: Iterable[T]) -> None:
        self.stopped = threading.Event()
        self._items = items
        self._waiting: queue.Queue[_Read[T]] = queue.Queue(MOST_AHEAD)

    def read(self) -> None:
        """Until the end, or until nobody wants more."""
        try:
            for item in self._items:
                self._put(_Read((item,)))
                if self.stopped.is_set():
                    return
            self._put(_Read())
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is raised where it matters)
            self._put(_Read(error=error))

    def taken(self) -> Iterator[T]:
        """One after the other."""
        while True:
            read = self._waiting.get()
            if read.error is not None:
                raise read.error
            if not read.items:
                return
            yield from read.items

    def _put(self, read: _Read[T]) -> None:
        while not self.stopped.is_set():
            try:
                self._waiting.put(read, timeout=_PATIENCE_S)
            except queue.Full:
                continue
            return
