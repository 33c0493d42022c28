"""Progress of long work: a bar on a terminal, a line now and then elsewhere, both on standard error."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Self

import click

if TYPE_CHECKING:
    from tallystick.flows.ingest import Progress

LINE_EVERY_S = 10.0
BAR_AFTER_S = 0.5
"""Work that is done sooner needs no bar."""


def say(line: str) -> None:
    """One line for a person, on standard error."""
    click.echo(line, err=True)


class Meter:
    """Shows how far something is that counts blocks and events."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._bar: Any = None
        self._task: Any = None
        self._started = time.monotonic()
        self._last_line = self._started
        self._first_block: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, progress: Progress) -> None:
        """Takes the next report."""
        now = time.monotonic()
        if self._first_block is None:
            self._first_block = progress.block
        if sys.stderr.isatty():
            if now - self._started > BAR_AFTER_S:
                self._draw(progress)
        elif now - self._last_line >= LINE_EVERY_S and progress.block < progress.last_block:
            self._last_line = now
            rate = progress.events / (now - self._started)
            say(
                f"{self._unit} {progress.block:,} of {progress.last_block:,}, {progress.events:,} events, "
                f"{rate:,.0f} events/s"
            )

    def _draw(self, progress: Progress) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn(self._unit),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[events]:,} events"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=progress.last_block, events=0)
        self._bar.update(self._task, completed=progress.block, total=progress.last_block, events=progress.events)
