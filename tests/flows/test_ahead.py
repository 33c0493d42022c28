"""Reading ahead changes when something is read, and nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.flows.ahead import MOST_AHEAD, read_ahead


@given(st.lists(st.integers()))
def test_all_items_come_in_their_order(items: list[int]) -> None:
    with read_ahead(items) as ahead:
        assert list(ahead) == items


def test_an_error_is_raised_after_the_items_before_it() -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("three")

    with read_ahead(failing()) as ahead:
        items = iter(ahead)
        assert [next(items), next(items)] == [1, 2]
        with pytest.raises(ValueError, match="three"):
            next(items)


def test_no_more_is_read_than_may_wait() -> None:
    read = []

    def noted() -> Iterator[int]:
        for item in range(100):
            read.append(item)
            yield item

    with read_ahead(noted()) as ahead:
        for item in ahead:
            time.sleep(0.01)
            assert len(read) <= item + 1 + MOST_AHEAD + 2
            if item == 10:
                break
    assert len(read) <= 11 + MOST_AHEAD + 2, "whoever leaves early stops the reading"
    assert "read ahead" not in {thread.name for thread in threading.enumerate()}


def test_while_one_is_worked_on_the_next_is_read() -> None:
    entered = threading.Event()

    def second_waits() -> Iterator[int]:
        yield 1
        entered.set()
        yield 2

    with read_ahead(second_waits()) as ahead:
        items = iter(ahead)
        assert next(items) == 1
        assert entered.wait(5), "nobody asked for it yet"
        assert list(items) == [2]


def test_an_interrupt_of_the_work_ends_the_reading() -> None:
    def endless() -> Iterator[int]:
        number = 1
        while True:
            yield number
            number += 1

    def work() -> None:
        with read_ahead(endless()) as ahead:
            for item in ahead:
                if item == 3:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert "read ahead" not in {thread.name for thread in threading.enumerate()}
