"""`tallystick escrow court`: disputes that a judge decides and a court on appeal, typed as people type it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from tallystick.contracts import load_artefact
from tallystick.core.court_documents import multihash
from tests.business import Business, calldata
from tests.cli.conftest import BILLER, MERCHANT, OTHER, PAYER, Run, Say

DAY = 86_400
JUDGE = OTHER
WORDS = ("--max-arbiter-fee", "5", "--ruling-within", "60d", "--capture-within", "90d")
Write = Callable[..., str]


@pytest.fixture
def arbiter(say: Say, business: Business) -> str:
    """An arbiter of a judge and the test court, created from the command line."""
    judge = ("--judge", business.anvil.address(JUDGE), "--appeal-within", "3d", "--question", "/ipfs/Qm/question.json")
    deployed = say(MERCHANT, "escrow", "court", "deploy", "--test-court", "--court-data", "0x0003", *judge)
    assert deployed["created"] is True
    address: str = deployed["arbiter"]
    assert say(PAYER, "escrow", "court", "deploy", "--court", deployed["court"], "--court-data", "0x0003", *judge) == {
        **deployed,
        "created": False,
        "transaction": None,
    }
    described = say(None, "escrow", "court", "describe", address)
    assert described == {
        "arbiter": address,
        "judge": business.anvil.address(JUDGE),
        "court": load_artefact("MockCourt").address,
        "appeal_within": 3 * DAY,
        "court_data": "0x0003",
        "question": "/ipfs/Qm/question.json",
        "appeal_cost": {"units": str(10**16), "amount": "0.010000000000000000", "asset": "coin"},
    }
    return address


@pytest.fixture
def disputed(say: Say, write: Write, business: Business, arbiter: str) -> str:
    """The file of a payment of 25.00 that the payer disputes."""
    payer = ("--payer", business.anvil.address(PAYER), "--amount", "25.00", "--token", business.token)
    write(MERCHANT, "escrow", "terms", *payer, "--arbiter", arbiter, *WORDS, "--out", "terms.json")
    say(PAYER, "escrow", "authorize", "terms.json")
    say(PAYER, "escrow", "dispute", "terms.json")
    return "terms.json"


def verbs(shown: dict[str, Any]) -> list[str]:
    return [option["verb"] for option in shown["options"]]


def test_a_judge_decides_and_it_is_done(
    run: Run, say: Say, write: Write, business: Business, disputed: str, arbiter: str
) -> None:
    assert "tallystick escrow court show" in run("escrow", "show", disputed).stdout
    shown = say(None, "escrow", "court", "show", disputed)
    assert (shown["stage"], shown["status"], shown["appeal_cost"]["units"]) == ("none", "disputed", str(10**16))
    assert verbs(shown) == ["court judge", "court evidence", "rule --default"]
    assert shown["options"][0]["until"] == shown["default_from"]

    assert "may not do this" in write(PAYER, "escrow", "court", "judge", disputed, "--payee", 100, exit_code=1)
    assert "allowed are 500" in write(
        *(JUDGE, "escrow", "court", "judge", disputed, "--payee", 75, "--fee", "5.01"), exit_code=1
    )
    judged = say(JUDGE, "escrow", "court", "judge", disputed, "--payee", 75, "--fee", 2)
    assert (judged["stage"], verbs(judged)[:2]) == ("judged", ["court appeal", "court execute"])
    assert {name: part["amount"] for name, part in judged["would_be"].items()} == {
        "payee": "18.375000",
        "payer": "6.125000",
        "judge_fee": "0.500000",
    }
    assert "can appeal until" in write(BILLER, "escrow", "court", "execute", disputed, exit_code=1)
    business.anvil.advance(3 * DAY)
    assert "an appeal was possible before" in write(
        *(PAYER, "escrow", "court", "appeal", disputed, "--yes"), exit_code=1
    )
    key = {"TALLYSTICK_KEY": business.anvil.key(BILLER)}
    done = run("escrow", "court", "execute", disputed, env=key).stdout
    assert "18.375000 USDC" in done
    assert "tallystick escrow court pay-judge" in done
    paid = say(BILLER, "escrow", "court", "pay-judge", arbiter, business.token)
    assert (paid["judge"], paid["paid"]["amount"]) == (business.anvil.address(JUDGE), "0.500000")
    shown = say(None, "escrow", "court", "show", disputed)
    assert (shown["status"], shown["options"]) == ("closed", [])

    business.anvil.finalize()
    run("index", "--once")
    assert say(None, "audit", "verify")["ok"]
    assert say(None, "invoices", "list")[0]["lines"][0]["description"] == "Payment, by ruling"


def test_an_appeal_says_what_it_costs_and_asks(
    run: Run, say: Say, write: Write, business: Business, disputed: str, arbiter: str
) -> None:
    say(JUDGE, "escrow", "court", "judge", disputed, "--payee", 75)
    key = {"TALLYSTICK_KEY": business.anvil.key(MERCHANT)}
    for answer in ("", "n\n"):
        refused = run("escrow", "court", "appeal", disputed, env=key, text=answer, exit_code=1)
        assert f"takes 0.010000000000000000 coin from {business.anvil.address(MERCHANT)}" in refused.stderr
        assert "so nothing was sent" in refused.stderr
    assert say(None, "escrow", "court", "show", disputed)["stage"] == "judged"
    said = run("escrow", "court", "appeal", disputed, "--json", env=key, text="y\n").stdout
    appealed = json.loads(said[said.index("{") :])  # the runner repeats what was typed
    assert (appealed["stage"], appealed["dispute"], appealed["paid"]["units"]) == ("appealed", 1, str(10**16))
    assert "is at the court" in write(MERCHANT, "escrow", "court", "appeal", disputed, "--yes", exit_code=1)

    court = load_artefact("MockCourt").address
    business.send(business.operator, court, calldata("MockCourt", "giveRuling", 1, 2))
    shown = say(None, "escrow", "court", "show", disputed)
    assert (shown["ruling"], verbs(shown)[0], shown["would_be"]["payee"]["amount"]) == (
        *("for_payee", "court execute"),
        "25.000000",
    )
    assert say(PAYER, "escrow", "court", "execute", disputed)["payee"]["amount"] == "25.000000"
    assert "keeps nothing for" in write(PAYER, "escrow", "court", "pay-judge", arbiter, business.token, exit_code=1)


def test_documents_for_a_court_E45(run: Run, say: Say, write: Write, disputed: str) -> None:
    Path("policy.pdf").write_bytes(b"who breaks it pays for it")
    Path("photograph.png").write_bytes(b"a broken chair")
    run("escrow", "court", "question", "--policy", "policy.pdf", "--policy-uri", "/ipfs/P", "--out", "question.json")
    question = json.loads(Path("question.json").read_text())
    assert question["rulingOptions"]["titles"] == ["For the payer", "For the payee", "As the judge decided"]
    assert (question["fileURI"], question["fileTypeExtension"]) == ("/ipfs/P", "pdf")
    assert question["fileHash"] == multihash(keccak(b"who breaks it pays for it"))
    own = ("--title", "A", "--description", "B", "--text", "C?")
    assert json.loads(run("escrow", "court", "question", *own).stdout)["question"] == "C?"
    for options in (("--policy", "policy.pdf"), ("--policy-uri", "/ipfs/P")):
        assert "or neither" in run("escrow", "court", "question", *options, exit_code=2).stderr

    said = ("--uri", "/ipfs/F", "--description", "Its leg is off.", "--out", "exhibit.json")
    run("escrow", "court", "exhibit", "photograph.png", *said)
    exhibit = json.loads(Path("exhibit.json").read_text())
    assert (exhibit["name"], exhibit["description"]) == ("photograph.png", "Its leg is off.")
    named = run("escrow", "court", "exhibit", "photograph.png", "--uri", "/ipfs/F", "--name", "A chair").stdout
    assert json.loads(named)["name"] == "A chair"

    # The escrow keeps the same hash of the same file.
    say(PAYER, "escrow", "evidence", "submit", disputed, "photograph.png")
    run("index", "--once")
    (kept,) = [row for row in say(None, "escrow", "evidence", "show", disputed) if row["name"] == "photograph.png"]
    assert exhibit["fileHash"] == multihash(bytes.fromhex(kept["hash"][2:]))

    say(PAYER, "escrow", "court", "evidence", disputed, "/ipfs/E/exhibit.json")
    (document,) = say(None, "escrow", "court", "show", disputed)["documents"]
    assert document["document"] == "/ipfs/E/exhibit.json"
    assert "may not do this" in write(BILLER, "escrow", "court", "evidence", disputed, "/ipfs/E", exit_code=1)


def test_words_that_do_not_go_together_or_mean_nothing(
    run: Run, write: Write, business: Business, arbiter: str
) -> None:
    court = ("escrow", "court", "deploy")
    for options in ((), ("--court", arbiter, "--test-court")):
        assert "name the court with --court" in run(*court, *options, exit_code=2).stderr
    assert "pairs of hex digits" in run(*court, "--test-court", "--court-data", "0x1", exit_code=2).stderr
    assert "what it costs" in write(MERCHANT, *court, "--court", arbiter, exit_code=1)
    assert "has no code" in run("escrow", "court", "describe", business.anvil.address(JUDGE), exit_code=1).stderr
    payer = ("--payer", business.anvil.address(PAYER), "--amount", "25.00", "--token", business.token)
    short = (*payer, "--arbiter", arbiter, "--ruling-within", "3d")
    assert "allow more than that" in write(MERCHANT, "escrow", "terms", *short, exit_code=1)
    plain = (*payer, "--arbiter", business.anvil.address(JUDGE))
    write(MERCHANT, "escrow", "terms", *plain, "--out", "plain.json")
    assert "rules with `tallystick escrow rule`" in run("escrow", "court", "show", "plain.json", exit_code=1).stderr


def test_help_teaches(run: Run) -> None:
    assert "payer or payee can take that to" in " ".join(run("escrow", "court", "--help").stdout.split())
    for command in ("deploy", "describe", "show", "judge", "appeal", "evidence", "execute", "pay-judge"):
        shown = run("escrow", "court", command, "--help").stdout
        assert "Example" in shown, command
        assert "--json" in shown, command
