"""When a decline is tried again, and what is said to be done about it."""

from __future__ import annotations

import pytest

from tallystick.core.dunning import Remedy, advice, retry_at
from tallystick.core.subscription import DeclineReason
from tallystick.errors.revert import decline_word

REMEDIES = {
    Remedy.NEVER: {"UNKNOWN", "NOT_DUE", "CANCELLED", "ENDED", "PAUSED"},
    Remedy.ASK_PAYER: {"ALLOWANCE", "BALANCE", "BLOCKED", "OVER_MANDATE", "SLIPPAGE"},
    Remedy.RETRY: {"TOKEN_REFUSED", "QUOTE_UNAVAILABLE", "QUOTE_STALE"},
}


@pytest.mark.parametrize("reason", list(DeclineReason))
def test_every_decline_has_one_remedy_and_a_text(reason: DeclineReason) -> None:
    found = advice(reason)
    if reason is DeclineReason.NONE:
        assert found is None
        return
    assert found is not None
    assert reason.name in REMEDIES[found.remedy]
    assert len(found.text) > 15
    assert ("ask the payer" in found.text) == (found.remedy is Remedy.ASK_PAYER)
    assert decline_word(reason) == reason.name.lower().replace("_", " ")


def test_it_is_tried_again_by_the_schedule_unless_that_never_helps() -> None:
    schedule = (60, 600)
    assert [retry_at(attempt, 1_000, schedule, DeclineReason.BLOCKED) for attempt in (1, 2, 3)] == [1_060, 1_600, None]
    for reason in (DeclineReason.NONE, DeclineReason.ENDED, DeclineReason.PAUSED):
        assert retry_at(1, 1_000, schedule, reason) is None
    assert decline_word(99) == "for reason 99"
