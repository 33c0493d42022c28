"""Python's collector of cyclic garbage, at rest while rows pass in bulk."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Within, what is in a cycle and no longer used stays in memory; everything else goes as ever, by its count.

    Events, entries and documents hang in no cycles. Left to itself the collector walks all of those that are alive each
    time some hundred more are made.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
