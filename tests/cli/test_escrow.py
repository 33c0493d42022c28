"""`tallystick escrow`: payments from their terms to a ruling, typed as people type it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak
from sqlalchemy import text

from tallystick.storage.database import open_database, transaction
from tests.business import Business
from tests.cli.conftest import BILLER, MERCHANT, OTHER, PAYER, Run, Say

DAY = 86_400
Write = Callable[..., str]


@pytest.fixture
def terms(write: Write, business: Business) -> Callable[..., str]:
    """The merchant writes terms of 25.00 for the payer into a file, with these options; its name."""
    made = 0

    def make(*options: object, amount: str = "25.00") -> str:
        nonlocal made
        made += 1
        name = f"terms{made}.json"
        payer = ("--payer", business.anvil.address(PAYER), "--amount", amount, "--token", business.token)
        assert "the payer signs next" in write(MERCHANT, "escrow", "terms", *payer, *options, "--out", name)
        return name

    return make


def id_in(name: str) -> str:
    found: str = json.loads(Path(name).read_text())["payment_id"]
    return found


def index(run: Run, business: Business) -> None:
    business.anvil.finalize()
    run("index", "--once")


def test_a_payment_from_terms_to_refund_and_its_papers(
    run: Run, say: Say, write: Write, business: Business, terms: Callable[..., str]
) -> None:
    name = terms("--salt", 4711)
    assert "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC agrees, by authorization" in write(
        PAYER, "escrow", "sign", name, "--out", "signed.json"
    )
    held = say(BILLER, "escrow", "authorize", "signed.json")
    assert (held["payment"], held["status"], held["held"]["amount"]) == (id_in(name), "open", "25.000000")
    captured = say(MERCHANT, "escrow", "capture", name, "--amount", "10.00")
    assert (captured["captured"]["amount"], captured["held"]["amount"]) == ("10.000000", "15.000000")
    index(run, business)
    # From now on the id is enough: the mirror knows the terms.
    payment = id_in(name)
    released = say(PAYER, "escrow", "capture", payment)
    assert (released["status"], released["refundable"]["amount"]) == ("closed", "25.000000")
    refunded = say(MERCHANT, "escrow", "refund", payment, "--amount", "12.00")
    assert refunded["refundable"]["amount"] == "13.000000"
    shown = say(None, "escrow", "show", payment)
    assert (shown["status"], shown["reference"], [option["verb"] for option in shown["options"]]) == (
        *("closed", "4711"),
        ["refund"],
    )
    run("index", "--once")
    pending = say(None, "invoices", "list")
    assert (len(pending), pending[-1]["status"], pending[-1]["number"]) == (3, "pending", None)
    index(run, business)
    documents = say(None, "invoices", "list")
    assert [(document["number"], document["status"]) for document in documents] == [
        ("PAY-000001", "refunded"),
        ("PAY-000002", "partly_refunded"),
        ("PAY-CN-000001", "paid"),
    ]
    assert all(document["escrow"] == {"payment_id": payment, "reference": "4711"} for document in documents)
    assert documents[1]["refunded"]["decimal"] == "2.000000"
    one = run("invoices", "show", "PAY-000002").stdout
    assert payment in one
    assert "Payment, captured: 1 x 15.000000 USDC" in one
    assert f"payment {payment} has several documents" in run("invoices", "show", payment, exit_code=1).stderr
    run("invoices", "pdf", "--all", "--out", "papers")
    assert sorted(path.name for path in Path("papers").iterdir()) == [
        *("PAY-000001.pdf", "PAY-000002.pdf", "PAY-CN-000001.pdf"),
    ]
    (listed,) = say(None, "escrow", "list", "--status", "closed", "--payee", business.anvil.address(MERCHANT))
    assert (listed["payment"], listed["captured"]["amount"]) == (payment, "25.000000")
    assert say(None, "escrow", "list", "--status", "open") == []

    audit = say(None, "audit", "verify")
    assert (audit["ok"], audit["escrow"]["payments_on_chain"], audit["escrow"]["invoices"]) == (True, 1, 3)
    assert "escrow payments in ledger" in run("audit", "verify").stdout
    balance = say(None, "ledger", "trial-balance", "--of", "escrow")
    assert {row["account"].rpartition(":")[0] for row in balance[:-1]} >= {"Assets:Escrow", "Income:Payments"}
    journal = say(None, "ledger", "journal", "--of", "escrow")
    assert {row["kind"] for row in journal} == {"authorization", "capture", "refund"}
    for form in ("jsonl", "csv", "beancount", "hledger"):
        written = run("ledger", "export", "--of", "escrow", "--format", form).stdout
        assert "Assets:Escrow:" in written
        if form == "csv":
            assert len(list(csv.DictReader(io.StringIO(written)))) == 12
    status = say(None, "status")
    assert status["payments"] == {"open": 0, "disputed": 0, "closed": 1}


def test_a_dispute_with_its_documents_E45(
    run: Run, say: Say, write: Write, business: Business, terms: Callable[..., str]
) -> None:
    arbiter = ("--arbiter", business.anvil.address(OTHER), "--max-arbiter-fee", "5", "--dispute-window", "3d")
    name = terms(*arbiter, "--ruling-within", "7d", "--default-payee", "25")
    say(PAYER, "escrow", "authorize", name)
    assert (
        "only the payer can release it"
        in run("escrow", "capture", name, env={"TALLYSTICK_KEY": business.anvil.key(MERCHANT)}, exit_code=1).stderr
    )
    Path("photograph.png").write_bytes(b"a broken chair")
    Path("letter.txt").write_text("it was whole when it left")
    say(PAYER, "escrow", "dispute", name, "--evidence", "photograph.png")
    say(MERCHANT, "escrow", "evidence", "submit", name, "letter.txt")
    assert "releases all that is held or nothing" in write(
        *(PAYER, "escrow", "capture", name, "--amount", "1"), exit_code=1
    )
    index(run, business)
    found = say(None, "escrow", "evidence", "show", name, "--out", "case")
    assert [(row["document"], row["name"], row["media_type"]) for row in found] == [
        ("whole", "photograph.png", "image/png"),
        ("whole", "letter.txt", "text/plain"),
    ]
    assert found[0]["hash"] == "0x" + keccak(b"a broken chair").hex()
    assert sorted(path.read_bytes() for path in Path("case").iterdir()) == [
        *(b"a broken chair", b"it was whole when it left"),
    ]
    engine = open_database("sqlite:///tallystick.db")
    with transaction(engine) as connection:
        connection.execute(text("UPDATE evidence SET content = x'00' WHERE name = 'photograph.png'"))
        connection.execute(text("DELETE FROM evidence WHERE name = 'letter.txt'"))
    lost = run("escrow", "evidence", "show", name, exit_code=1)
    assert lost.stderr.count("WARNING") == 2
    assert "is NOT the one in the database (photograph.png)" in lost.stderr
    assert "is not in the database" in lost.stderr
    assert "changed" in lost.stdout
    shown = say(None, "escrow", "show", name)
    assert (shown["status"], shown["ruling_within"]) == ("disputed", 7 * DAY)
    assert [option["verb"] for option in shown["options"]] == ["capture", "void", "evidence", "rule", "rule --default"]
    ruled = say(OTHER, "escrow", "rule", name, "--payee-amount", "10.00", "--arbiter-fee", "1.25")
    assert [ruled[part]["amount"] for part in ("payee", "payer", "arbiter", "fee")] == [
        *("10.000000", "13.750000", "1.250000", "0.000000"),
    ]
    index(run, business)
    assert say(None, "invoices", "list")[0]["lines"][0]["description"] == "Payment, by ruling"
    assert say(None, "audit", "verify")["ok"]


def test_an_arbiter_who_is_silent_and_words_that_do_not_go_together(
    run: Run, say: Say, business: Business, terms: Callable[..., str]
) -> None:
    name = terms("--arbiter", business.anvil.address(OTHER), "--ruling-within", "7d", "--default-payee", "25")
    say(PAYER, "escrow", "authorize", name)
    say(MERCHANT, "escrow", "dispute", name)
    key = {"TALLYSTICK_KEY": business.anvil.key(BILLER)}
    assert "the arbiter can rule until" in run("escrow", "rule", name, "--default", env=key, exit_code=1).stderr
    for options in ((), ("--default", "--payee-amount", "1")):
        assert "name the payee's part" in run("escrow", "rule", name, *options, env=key, exit_code=2).stderr
    business.anvil.advance(7 * DAY)
    assert say(BILLER, "escrow", "rule", name, "--default")["payee"]["amount"] == "6.250000"


def test_milestones_charges_and_what_goes_back(
    run: Run, say: Say, write: Write, business: Business, terms: Callable[..., str]
) -> None:
    parts = terms("--milestone", "10.00", "--milestone", "15.00@2100-01-01")
    say(PAYER, "escrow", "authorize", parts)
    assert say(MERCHANT, "escrow", "milestone", parts, 0)["captured"]["amount"] == "10.000000"
    key = {"TALLYSTICK_KEY": business.anvil.key(MERCHANT)}
    assert "2100-01-01" in run("escrow", "milestone", parts, 1, env=key, exit_code=1).stderr
    assert say(None, "escrow", "show", parts)["milestones_captured"] == [0]
    assert say(MERCHANT, "escrow", "void", parts)["given_back"]["amount"] == "15.000000"

    platform = business.account("platform")
    charged = terms("--min-fee", "1", "--max-fee", "3", "--fee-receiver", platform)
    write(PAYER, "escrow", "sign", charged, "--funding", "permit", "--out", "signed.json")
    assert say(MERCHANT, "escrow", "charge", "signed.json", "--fee", "2.5")["refundable"]["amount"] == "25.000000"
    late, never = terms("--capture-within", "1d"), terms()
    say(PAYER, "escrow", "authorize", late)
    assert say(PAYER, "escrow", "revoke", never)["status"] == "closed"
    assert say(None, "escrow", "show", never)["revoked"] is True
    business.anvil.advance(9 * DAY)
    business.token_call(business.operator, "blacklist", business.anvil.address(PAYER))
    assert "escrow claim TOKEN" in run("escrow", "reclaim", late, env=key).stdout
    business.token_call(business.operator, "unBlacklist", business.anvil.address(PAYER))
    assert say(PAYER, "escrow", "claim", business.token)["claimed"]["amount"] == "25.000000"
    index(run, business)
    assert say(None, "audit", "verify")["ok"]
    assert len(say(None, "escrow", "list", "--payer", business.anvil.address(PAYER))) == 3


def test_a_payment_that_cannot_be_found_or_read(run: Run, business: Business, terms: Callable[..., str]) -> None:
    name = terms()
    run("index", "--once")
    payment = id_in(name)
    assert "the books know no payment" in run("escrow", "show", payment, exit_code=1).stderr
    assert (
        "the file is needed"
        in run("escrow", "authorize", payment, env={"TALLYSTICK_KEY": business.anvil.key(PAYER)}, exit_code=1).stderr
    )
    assert "allowed are a file with its terms" in run("escrow", "show", "nothing.json", exit_code=1).stderr
    Path("broken.json").write_text("{}")
    assert "this is not an escrow payment" in run("escrow", "show", "broken.json", exit_code=1).stderr
    assert run("escrow", "show", "-", text=Path(name).read_text()).stdout.splitlines()[1].split() == ["status", "none"]


def test_help_teaches(run: Run) -> None:
    listed = run("escrow", "--help").stdout
    assert "held until they are earned" in listed
    for command in ("terms", "sign", "authorize", "capture", "dispute", "rule", "show"):
        shown: Any = run("escrow", command, "--help").stdout
        assert "Example" in shown, command
