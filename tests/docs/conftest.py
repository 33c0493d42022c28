"""Where each document begins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.docs.warm import WarmProgram


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmProgram]:
    """`tallystick`, quick to start."""
    with WarmProgram(tmp_path_factory.mktemp("warm")) as program:
        yield program
