"""The generated artefacts, ABI and bytecode; `make artefacts` writes the JSON files beside this one."""

from __future__ import annotations

import functools
from importlib import resources

from tallystick.core.deployment import Artefact, parse_artefact


@functools.cache
def load_artefact(name: str) -> Artefact:
    """One contract's artefact, such as `Subscriptions`. Raises FileNotFoundError for a name that is not shipped."""
    return parse_artefact(resources.files(__name__).joinpath(f"{name}.json").read_bytes())
