"""`tallystick checkout`: quotes and deposit addresses, typed as people type them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.business import Business
from tests.cli.conftest import BILLER, MERCHANT, OTHER, PAYER, Run, Say


def test_a_quote_from_the_merchant_to_its_payment(say: Say, write: Callable[..., str], business: Business) -> None:
    business.mint(business.anvil.address(PAYER), 10**9)
    made = ("checkout", "quote", "--number", 1001, "--amount", "25.00", "--token", business.token)
    shares = ("--share", f"{business.anvil.address(MERCHANT)}=97", "--share", f"{business.anvil.address(OTHER)}=3")
    said = write(MERCHANT, *made, "--invoice", "INV-2027-0042", *shares, "--out", "quote.json")
    assert "the payer next: tallystick checkout pay FILE, or sign" in said
    shown = say(None, "checkout", "show", "quote.json")
    assert (shown["status"], shown["number"], shown["invoice"]) == ("payable", "1001", "INV-2027-0042")
    assert [part["amount"]["amount"] for part in shown["payouts"]] == ["24.250000", "0.750000"]
    said = write(PAYER, "checkout", "sign", "quote.json", "--out", "signed.json")
    assert f"{business.anvil.address(PAYER)} agrees, by authorization" in said
    paid = say(BILLER, "checkout", "pay", "signed.json")
    assert (paid["payer"], paid["amount"]["amount"], paid["payees"]) == (
        business.anvil.address(PAYER),
        "25.000000",
        2,
    )
    assert paid["quote"] == json.loads(Path("quote.json").read_text())["quote_id"]
    assert say(None, "checkout", "show", "signed.json")["status"] == "used"
    refused = write(PAYER, "checkout", "pay", "quote.json", exit_code=1)
    assert "error: number 1001 of" in refused


def test_the_payer_pays_without_signing_first(say: Say, write: Callable[..., str], business: Business) -> None:
    business.mint(business.anvil.address(PAYER), 10**9)
    write(MERCHANT, "checkout", "quote", "--number", 7, "--amount", 9, "--token", business.token, "--out", "q.json")
    paid = say(PAYER, "checkout", "pay", "q.json")
    assert (paid["number"], paid["invoice"]) == ("7", "7")
    withdrawn = say(MERCHANT, "checkout", "withdraw", 8)
    assert (withdrawn["merchant"], withdrawn["number"]) == (business.anvil.address(MERCHANT), "8")


def test_a_deposit_address_that_is_underpaid_and_completed(say: Say, business: Business) -> None:
    payer, merchant = business.anvil.address(PAYER), business.anvil.address(MERCHANT)
    business.mint(payer, 10**9)
    asked = ("checkout", "address", "INV-1", "INV-2", "--token", business.token)
    first, second = say(None, *asked, "--receiver", merchant)
    assert say(MERCHANT, *asked) == [first, second]
    business.token_call(payer, "transfer", first["address"], 20_000_000)
    swept = say(OTHER, "checkout", "sweep", "INV-1", "INV-2", "--token", business.token, "--receiver", merchant)
    assert [(row["swept"]["amount"], row["reason"]) for row in swept] == [("20.000000", None), ("0.000000", "empty")]
    business.token_call(payer, "transfer", first["address"], 5_000_000)
    assert say(None, *asked, "--receiver", merchant)[0]["balance"]["amount"] == "5.000000"
    (row,) = say(MERCHANT, "checkout", "sweep", "INV-1", "--token", business.token)
    assert row["swept"]["amount"] == "5.000000"
    refunded = say(
        *(MERCHANT, "checkout", "refund", "INV-1", "--amount", "1.50", "--token", business.token, "--to", payer)
    )
    assert (refunded["invoice"], refunded["refunded"]["amount"]) == ("INV-1", "1.500000")
    business.anvil.rpc("anvil_setBalance", second["address"], hex(10**15))
    (row,) = say(MERCHANT, "checkout", "sweep", "INV-2", "--coin")
    assert (row["swept"]["amount"], row["swept"]["asset"]) == ("0.001000000000000000", "COIN")


def test_what_comes_to_a_deposit_address_in_the_books(
    say: Say, write: Callable[..., str], run: Run, business: Business
) -> None:
    """Expected, underpaid, completed with too much, invoiced, and what was too much given back with a proof."""
    payer, merchant, token = business.anvil.address(PAYER), business.anvil.address(MERCHANT), business.token
    business.mint(payer, 10**9)
    asked = ("checkout", "expect", "INV-1", "--amount", "25.00", "--token", token, "--tolerance", "0.05")
    expected = say(MERCHANT, *asked)
    assert say(None, *asked, "--receiver", merchant) == expected
    assert (
        expected["address"]
        == say(None, "checkout", "address", "INV-1", "--token", token, "--receiver", merchant)[0]["address"]
    )
    assert (
        "in other terms"
        in run(
            "checkout", "expect", "INV-1", "--amount", 26, "--token", token, "--receiver", merchant, exit_code=1
        ).stderr
    )
    say(None, "index", "--once")
    assert "nothing came for INV-1 yet" in run("checkout", "deposit", "INV-1").stdout
    for amount, status, paid, credit in (
        (20, "partly paid", "20.000000", "0.000000"),
        (6, "paid", "25.000000", "1.000000"),
    ):
        business.token_call(payer, "transfer", expected["address"], amount * 10**6)
        say(None, "index", "--once")
        (row,) = say(None, "checkout", "deposits")
        assert (row["status"], row["paid"]["amount"], row["credit"]["amount"]) == (status, paid, credit)
    assert say(None, "checkout", "deposits", "--status", "open") == []
    (pending,) = say(None, "invoices", "list")
    assert (pending["status"], pending["sale"]["reference"]) == ("pending", "INV-1")
    assert run("invoices", "show", "INV-1").stdout.startswith("number")
    say(OTHER, "checkout", "sweep", "INV-1", "--token", token, "--receiver", merchant)
    said = write(PAYER, "checkout", "refund-address", "INV-1", "--receiver", merchant, "--out", "to.json")
    assert f"{payer} is where it is to go" in said
    refused = write(OTHER, "checkout", "refund", "INV-1", "--proof", "to.json", exit_code=1)
    assert "have the payer sign one for it" in refused
    refunded = say(MERCHANT, "checkout", "refund", "INV-1", "--proof", "to.json")
    assert (refunded["to"], refunded["refunded"]["amount"]) == (payer, "1.000000")
    business.anvil.finalize()
    say(None, "index", "--once")
    assert "the books owe nothing for INV-1" in write(
        MERCHANT, "checkout", "refund", "INV-1", "--to", payer, exit_code=1
    )
    assert [row["what"] for row in say(None, "checkout", "deposit", "INV-1")] == [
        "received",
        "received",
        "swept",
        "refunded",
    ]
    (document,) = say(None, "invoices", "list")
    assert (document["number"], document["status"], document["total"]["decimal"]) == (
        "SALE-000001",
        "paid",
        "25.000000",
    )
    assert say(None, "invoices", "show", "SALE-000001") == say(None, "invoices", "show", "INV-1") == document
    entries = say(None, "ledger", "journal", "--of", "checkout")
    assert [entry["kind"] for entry in entries if entry["debit"]] == ["deposit"] * 3 + ["sweep", "refund"]
    proven = say(None, "audit", "verify")
    assert (proven["ok"], proven["checkout"]["expected"], proven["checkout"]["differences"]) == (True, 1, [])
    assert say(None, "status")["deposits"] == {"open": 0, "partly_paid": 0, "paid": 1, "expired": 0}


def test_what_a_payee_could_not_receive(say: Say, write: Callable[..., str], business: Business) -> None:
    other = business.anvil.address(OTHER)
    business.mint(business.anvil.address(PAYER), 10**9)
    business.block(other)
    shares = ("--share", f"{business.anvil.address(MERCHANT)}=1", "--share", f"{other}=1")
    made = ("checkout", "quote", "--number", 1, "--amount", 4, "--token", business.token, *shares)
    write(MERCHANT, *made, "--out", "q.json")
    say(PAYER, "checkout", "pay", "q.json")
    business.unblock(other)
    claimed = say(BILLER, "checkout", "claim", other, business.token)
    assert (claimed["account"], claimed["claimed"]["amount"]) == (other, "2.000000")


@pytest.mark.usefixtures("say")
def test_wrong_input_is_told(run: Run, business: Business) -> None:
    token = business.token
    assert "allowed is a file with one, or -" in run("checkout", "show", "none.json", exit_code=1).stderr
    told = run("checkout", "quote", "--number", 1, "--amount", 1, "--token", token, "--share", "x", exit_code=2)
    assert "allowed is an address and a whole number" in told.stderr
    for options in ((), ("--token", token, "--coin")):
        told = run("checkout", "sweep", "INV-1", *options, exit_code=1)
        assert "say which of them is to be swept" in told.stderr
    Path("bad.json").write_text("{}")
    assert "have the merchant write it anew" in run("checkout", "show", "bad.json", exit_code=1).stderr
