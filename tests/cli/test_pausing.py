"""Pausing from the command line on a real chain: the payer stops the clock and lets it go on, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tallystick.flows.deploy import write_manifest
from tests.business import Business
from tests.cli.conftest import Run

MERCHANT, PAYER, BILLER = 1, 2, 3
MONTH_AND_MORE = 32 * 86_400
Say = Callable[..., Any]


@pytest.fixture
def say(run: Run, business: Business) -> Say:
    """Runs a command with --json as one of Anvil's accounts, in a folder that has the manifest; its answer."""
    write_manifest(Path("deployments/31337.json"), business.manifest)
    Path("tallystick.toml").write_text(f'rpc_url = "{business.anvil.url}"\n')

    def command(index: int | None, *arguments: object, **options: Any) -> Any:
        key = {} if index is None else {"TALLYSTICK_KEY": business.anvil.key(index)}
        return json.loads(run(*arguments, "--json", env=key, **options).stdout)

    return command


@pytest.fixture
def opened(say: Say, business: Business) -> dict[str, Any]:
    """Anvil's third account subscribes to a monthly plan of the second."""
    business.mint(business.anvil.address(PAYER), 10**9)
    say(MERCHANT, "plans", "create", "--price", "9.99", "--every", 1, "--unit", "month", "--token", business.token)
    found: dict[str, Any] = say(PAYER, "subscriptions", "subscribe", 1, "--periods", 3)
    return found


def seconds(shown: str) -> int:
    return int(datetime.fromisoformat(shown).astimezone(UTC).timestamp())


def now(business: Business) -> int:
    return int(business.anvil.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)


def test_E25_pause_show_resume(say: Say, run: Run, business: Business, opened: dict[str, Any]) -> None:
    key = {"TALLYSTICK_KEY": business.anvil.key(PAYER)}
    paused = say(PAYER, "subscriptions", "pause", 1)
    left_s = seconds(opened["paid_until"]) - now(business)
    assert (paused["subscription_id"], paused["status"], paused["seconds_left"]) == (1, "paused", left_s)
    business.anvil.advance(2 * MONTH_AND_MORE)
    found = say(None, "subscriptions", "show", 1)
    assert (found["status"], found["next_due"], found["paid_until"], found["charges"]) == ("paused", None, None, 1)
    assert "paused" in run("subscriptions", "show", 1).stdout

    resumed = say(PAYER, "subscriptions", "resume", 1)
    assert (resumed["status"], seconds(resumed["next_due"])) == ("active", now(business) + left_s)
    found = say(None, "subscriptions", "show", 1)
    assert (found["status"], found["next_due"]) == ("active", resumed["next_due"])
    said = run("subscriptions", "pause", 1, env=key)
    assert "To go on: tallystick subscriptions resume 1" in said.stdout + said.stderr


def test_E25_cancelled_while_paused_is_paid_until_later(say: Say, business: Business, opened: dict[str, Any]) -> None:
    left_s = say(PAYER, "subscriptions", "pause", opened["subscription_id"])["seconds_left"]
    business.anvil.advance(2 * MONTH_AND_MORE)
    cancelled = say(MERCHANT, "subscriptions", "cancel", 1)
    assert (cancelled["status"], seconds(cancelled["paid_until"])) == ("cancelled", now(business) + left_s)


@pytest.mark.usefixtures("opened")
def test_the_mirror_lists_and_counts_what_is_paused(say: Say, run: Run, business: Business) -> None:
    say(PAYER, "subscriptions", "subscribe", 1)
    say(PAYER, "subscriptions", "pause", 1)
    business.anvil.advance(MONTH_AND_MORE)
    say(None, "index", "--once")
    for _ in range(2):  # pending, then final
        rows = say(None, "subscriptions", "list")
        assert [(row["subscription_id"], row["status"]) for row in rows] == [(1, "paused"), (2, "active")]
        assert rows[0]["next_due"] is None
        assert [row["subscription_id"] for row in say(None, "subscriptions", "list", "--status", "paused")] == [1]
        assert "paused" in run("subscriptions", "list").stdout
        state = say(None, "status")
        assert (state["subscriptions"], state["due"]) == (
            {"active": 1, "ending": 0, "cancelled": 0, "paused": 1},
            1,
        )
        business.anvil.finalize()
        say(None, "index", "--once")
    payees = f'["{business.anvil.address(MERCHANT)}"]'
    Path("tallystick.toml").write_text(f'rpc_url = "{business.anvil.url}"\n[merchant]\npayees = {payees}\n')
    billed = say(BILLER, "bill", "--once")
    assert (billed["due"], billed["charged"], billed["declined"]) == (1, 1, [])
    say(None, "index", "--once")
    assert say(None, "audit", "verify")["differences"] == []


@pytest.mark.usefixtures("opened")
def test_what_is_refused_is_said_and_nothing_is_sent(run: Run, business: Business) -> None:
    payer, merchant = ({"TALLYSTICK_KEY": business.anvil.key(index)} for index in (PAYER, MERCHANT))

    def refused(environment: dict[str, str], *arguments: object) -> str:
        before = business.anvil.block_number
        done = run("subscriptions", *arguments, env=environment, exit_code=1)
        assert (done.stdout, business.anvil.block_number) == ("", before)
        assert done.stderr.startswith("error: ")
        return done.stderr

    assert "there is no subscription 7 on this chain" in refused(payer, "pause", 7)
    assert "there is no subscription 7 on this chain" in refused(payer, "resume", 7)
    assert "found a value that pause(uint256) cannot hold" in refused(payer, "pause", 2**300)
    assert f"{business.anvil.address(MERCHANT)} may not do this" in refused(merchant, "pause", 1)
    assert "subscription 1 is active, not paused: nothing to resume" in refused(payer, "resume", 1)
    run("subscriptions", "pause", 1, env=payer)
    assert "subscription 1 is paused, this needs an active one: resume it first" in refused(payer, "pause", 1)
    assert "resume it first" in refused(merchant, "cancel", 1, "--at-period-end")
    run("subscriptions", "resume", 1, env=payer)
    business.anvil.advance(2 * MONTH_AND_MORE)
    assert "it can be paused or changed within a paid period, and only then" in refused(payer, "pause", 1)
    assert "there is no key to sign with" in refused({}, "pause", 1)
