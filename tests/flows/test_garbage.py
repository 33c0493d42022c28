"""The collector of cyclic garbage is as it was before, however the work ends."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tallystick.flows.garbage import collector_at_rest


@pytest.fixture(autouse=True)
def _collecting() -> Iterator[None]:
    assert gc.isenabled()
    yield
    gc.enable()


def test_it_rests_within_and_works_after() -> None:
    with collector_at_rest():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_works_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError), collector_at_rest():
        _ = 1 // 0
    assert gc.isenabled()


def test_it_stays_at_rest_where_the_application_wants_that() -> None:
    gc.disable()
    with collector_at_rest():
        pass
    assert not gc.isenabled()


def test_two_threads_one_after_the_other_leave_it_at_work() -> None:
    first, second = collector_at_rest(), collector_at_rest()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert gc.isenabled()
