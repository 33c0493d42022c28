"""When a declined charge is tried again."""

from __future__ import annotations

from collections.abc import Sequence


def retry_at(attempt: int, time: int, retry_after_s: Sequence[int]) -> int | None:
    """When to try again after the `attempt`-th decline (from 1) of a period, which happened at `time`.

    None when the schedule is used up: then the next period's charge is the next try.
    """
    return time + retry_after_s[attempt - 1] if attempt <= len(retry_after_s) else None
