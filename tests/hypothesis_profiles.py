"""How long hypothesis tries: `quick` in `make test`, `long` in `make fuzz`; chosen by HYPOTHESIS_PROFILE."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

ROOT = Path(__file__).parents[1]


def load_profile() -> None:
    """Registers the profiles and loads the one asked for. CI draws the same examples each time."""
    database = DirectoryBasedExampleDatabase(ROOT / ".cache" / "hypothesis")
    in_ci = os.environ.get("CI") == "true"
    # A chain call takes as long as it takes.
    common = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("quick", common, derandomize=in_ci, database=None if in_ci else database)
    settings.register_profile("long", common, max_examples=5_000, stateful_step_count=200, database=database)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
