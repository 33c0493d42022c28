"""Writes what becomes final: each range of blocks in one transaction, and of many in a process of its own, so that the
next range is read and derived while one is written.

Python does one thing at a time in a process, and SQLite's work is most of the mirror's. The process is begun when a
backfill has shown that it is long; it writes in the order in which it is told to, each range only on top of the one
before, and ends with whoever began it.
"""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import Connection, Engine

from tallystick.chain.logs import Header
from tallystick.core.money import Token
from tallystick.core.pegs import DeclaredPeg
from tallystick.errors import DatabaseUnreachable, TallystickError
from tallystick.flows.garbage import collector_at_rest
from tallystick.flows.kind import SourceKind
from tallystick.storage.database import commit_lightly, open_existing, reading, transaction
from tallystick.storage.events import StoredEvent, add_events, drop_events
from tallystick.storage.pegs import check_pegs
from tallystick.storage.pending import drop_headers_through
from tallystick.storage.sources import Source, advance_source, check_source, hold_source
from tallystick.storage.tokens import add_tokens
from tallystick.storage.waits import drop_wait

WORTH_A_PROCESS: Final = 5_000
"""Events in one ingestion, after which there may be many more: a process takes a second to begin, in which the ranges
are written here."""
_LENGTH: Final = struct.Struct(">Q")


class Range(NamedTuple):
    """What becomes final with the blocks from `start` to `end`: events, what follows from them, tokens that they bring
    in. `source` is how the source stands before, `pegs` by what values were derived."""

    source: Source
    start: int
    end: Header
    events: Sequence[StoredEvent]
    rows: Any
    tokens: Sequence[Token]
    pegs: Sequence[DeclaredPeg]

    @property
    def after(self) -> Source:
        """How the source stands with it."""
        return self.source._replace(final_number=self.end.number, final_hash=self.end.hash, final_time=self.end.time)


def write_range(engine: Engine, kind: SourceKind[Any, Any], final: Range) -> None:
    """Events, everything that follows from them, and the cursor, in one transaction.

    Raises AnotherLeads where the source does not stand as it did when the range was derived.
    """
    source_id, (number, block_hash, _, time) = final.source.source_id, final.end
    with transaction(engine) as connection:
        commit_lightly(connection)
        hold_source(connection, final.source)
        check_pegs(connection, final.source, final.pegs)
        add_tokens(connection, final.tokens)
        drop_events(connection, source_id, final.start, number)
        drop_headers_through(connection, source_id, number)
        drop_wait(connection, source_id)
        add_events(connection, source_id, final.events)
        kind.write(connection, source_id, final.rows)
        advance_source(connection, final.source, number, block_hash, time)


class Scribe:
    """Who writes the final ranges of one source. When the context ends, all that was handed to it is written, or it
    raises what kept that from being done. Of a process, this may be told with a later range than it is about."""

    def __init__(self, engine: Engine, kind: SourceKind[Any, Any]) -> None:
        self._engine = engine
        self._kind = kind
        self._events = 0
        self._aside: Aside | None = None
        self._may_begin = bool(engine.url.database)  # of one in memory another process would see nothing

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._aside is not None:
            try:
                self._aside.finish()
            except TallystickError:
                if error is None:
                    raise

    def write(self, final: Range) -> Source:
        """Writes a range, or hands it on to be written; how the source stands after it."""
        if self._may_begin and self._events >= WORTH_A_PROCESS:
            self._may_begin = False
            with suppress(OSError):  # where none can be begun, all is written here
                self._aside = Aside(self._engine, self._kind)
        self._events += len(final.events)
        if self._aside is not None and self._aside.is_ready():
            self._aside.send(final)
        else:
            write_range(self._engine, self._kind, final)
        return final.after

    def drain(self) -> None:
        """Waits until all that was handed on is written: before anything else is done to the source."""
        if self._aside is not None:
            self._aside.drain()

    @contextmanager
    def look_up(self, source: Source) -> Iterator[Callable[[], Connection]]:
        """What gives, to whoever has to look something up, the database as it is when all that was handed on is
        written. Within, it is the same view each time."""
        with ExitStack() as stack:
            opened: list[Connection] = []

            def connection() -> Connection:
                if not opened:
                    self.drain()
                    opened.append(stack.enter_context(reading(self._engine)))
                    check_source(opened[0], source)
                return opened[0]

            yield connection


class Aside:
    """The process that writes, seen from the one that reads. It takes a range when it is done with the one before, so
    that no more than two wait. It is a help and no condition: where it does not begin to work, it is never ready."""

    def __init__(self, engine: Engine, kind: SourceKind[Any, Any]) -> None:
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        self._process = subprocess.Popen(
            # Imports are found where this process finds its own, and not (-P) in whatever folder it was started in.
            (sys.executable, "-P", "-m", __name__),
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            process_group=0,  # an interrupt from the keyboard is this process's to see; what was handed on is written
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        self._unanswered = 0
        self._is_ready = self._is_lost = False
        with suppress(BrokenPipeError):
            _put(self._to.fileno(), (engine.url.render_as_string(hide_password=False), kind.name))

    def is_ready(self) -> bool:
        """Whether it has begun to work."""
        if not self._is_ready and not self._is_lost and self._has_said_something():
            try:
                self._is_ready = _take(self._from.fileno()) is None
            except EOFError:
                self._is_lost = True
        return self._is_ready

    def send(self, final: Range) -> None:
        """Hands a range on. Raises what kept an earlier one from being written."""
        while self._has_said_something():
            self._hear()
        self._send(final)
        self._unanswered += 1

    def drain(self) -> None:
        """Waits until all is written."""
        while self._unanswered:
            self._hear()

    def finish(self) -> None:
        """Waits until all is written, and lets the process go."""
        if not self._is_ready:
            self._process.kill()  # nothing was handed on
        self._to.close()
        try:
            self.drain()
        finally:
            self._from.close()
            self._process.wait()

    def _send(self, message: object) -> None:
        try:
            _put(self._to.fileno(), message)
        except BrokenPipeError:
            while True:
                self._hear()  # it says why, or is gone

    def _has_said_something(self) -> bool:
        with DefaultSelector() as selector:
            selector.register(self._from, EVENT_READ)
            return bool(selector.select(0))

    def _hear(self) -> None:
        try:
            answer = _take(self._from.fileno())
        except EOFError:
            raise DatabaseUnreachable(
                f"the process that writes to the database ended with status {self._process.wait()}: what it had not "
                "finished is not in the books, run again"
            ) from None
        if isinstance(answer, BaseException):
            raise answer
        self._unanswered -= 1


def _put(pipe: int, message: object) -> None:
    content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    for part in (_LENGTH.pack(len(content)), content):
        left = memoryview(part)
        while left:
            left = left[os.write(pipe, left) :]


def _take(pipe: int) -> Any:
    """The next message. Raises EOFError where there is no whole one any more."""
    (length,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size))
    return pickle.loads(_exactly(pipe, length))  # noqa: S301 (from ourselves)


def _exactly(pipe: int, count: int) -> bytearray:
    content = bytearray()
    while len(content) < count:
        part = os.read(pipe, min(count - len(content), 1 << 20))
        if not part:
            raise EOFError
        content += part
    return content


def main() -> None:
    """The process that writes: takes ranges from its standard input, and answers each when it is written, or with the
    error for which it ends."""
    from tallystick.flows.mirror import KINDS

    parent, answers = os.getppid(), os.dup(1)
    os.dup2(2, 1)  # whatever prints must not disturb the answers
    url, name = _take(0)
    engine = open_existing(url)
    _put(answers, None)
    with collector_at_rest():
        while True:
            try:
                final = _take(0)
            except EOFError:
                return
            if os.getppid() != parent:  # it was killed: whoever comes next reads this range again
                return
            try:
                write_range(engine, KINDS[name], final)
            except TallystickError as error:
                _put(answers, error)
                return
            del final  # before the next one takes its room
            _put(answers, None)


if __name__ == "__main__":
    main()
