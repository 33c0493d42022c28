"""What commands print: for people, for pipes, for programs."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tallystick.cli.output import Record, Table, Time, shown, to_json, to_text
from tallystick.core.money import Amount, Token
from tallystick.core.subscription import DeclineReason

USDC = Token(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3", "USDC", 6)
ROWS = [
    {"plan_id": 7, "price": Amount(9_990_000, USDC), "due": Time(1769817600), "reason": DeclineReason.NOT_DUE},
    {"plan_id": 12, "price": Amount(1, USDC), "due": Time(0), "reason": DeclineReason.NONE},
]


def test_a_table_is_aligned_text_when_piped() -> None:
    assert to_text(Table(ROWS)).splitlines() == [
        "plan id          price  due                      reason",
        "      7  9.990000 USDC  2026-01-31 00:00:00 UTC  not due",
        "     12  0.000001 USDC  1970-01-01 00:00:00 UTC  none",
    ]
    assert to_text(Table([], empty="no plans yet")) == "no plans yet"


def test_a_table_on_a_terminal_has_the_same_cells() -> None:
    drawn = to_text(Table(ROWS), pretty=True)
    assert "─" in drawn
    assert "9.990000" in drawn
    assert not drawn.endswith("\n")


def test_json_keeps_amounts_exact_and_names_their_asset() -> None:
    assert json.loads(to_json(Table(ROWS)))[0] == {
        "plan_id": 7,
        "price": {"units": "9990000", "amount": "9.990000", "asset": "USDC"},
        "due": "2026-01-31T00:00:00Z",
        "reason": "not_due",
    }
    record = Record(
        {"salt": 2**256 - 1, "hash": b"\x01\x02", "file": Path("a/b"), "token": USDC, "no": None, "yes": True}
    )
    assert json.loads(to_json(record)) == {
        "salt": str(2**256 - 1),
        "hash": "0x0102",
        "file": "a/b",
        "token": {"address": USDC.address, "symbol": "USDC", "decimals": 6},
        "no": None,
        "yes": True,
    }
    with pytest.raises(TypeError, match="no JSON form for float"):
        to_json(Record({"price": 9.99}))


def test_a_record_is_one_line_for_each_value_and_a_note() -> None:
    record = Record({"plan_id": 7, "price": Amount(5, USDC), "ids": [1, 2], "ok": True}, note="next: tallystick bill")
    assert to_text(record).splitlines() == [
        "plan id  7",
        "price    0.000005 USDC",
        "ids      1, 2",
        "ok       yes",
        "",
        "next: tallystick bill",
    ]
    assert "next:" not in to_json(record)


def test_one_decorator_adds_json() -> None:
    @click.command()
    @shown
    def command() -> Table:
        return Table(ROWS)

    runner = CliRunner()
    assert json.loads(runner.invoke(command, ["--json"]).output)[1]["plan_id"] == 12
    assert runner.invoke(command, []).output.startswith("plan id")


def test_a_time_beyond_the_calendar_is_a_number_of_seconds() -> None:
    """Anybody may name one in terms of a payment of theirs, and lists show it beside the others."""
    far = 2**40 - 1
    assert to_text(Record({"until": Time(far)})) == f"until  second {far}"
    assert json.loads(to_json(Record({"until": Time(far)}))) == {"until": f"second {far}"}
