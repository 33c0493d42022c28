"""`tallystick channels`: wallet and till, typed as people type them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.batch_settlement import BatchSettlement
from tests.business import Business
from tests.cli.conftest import BILLER, MERCHANT, OTHER, PAYER, Run, Say

Write = Callable[..., str]


def opened(say: Say, business: Business, *more: object) -> Any:
    to = ("--receiver", business.anvil.address(MERCHANT), "--token", business.token)
    return say(PAYER, "channels", "open", *to, "--deposit", "5.00", *more)


def test_a_channel_from_the_deposit_to_the_claim_and_back(say: Say, write: Write, business: Business) -> None:
    token = business.token
    made = opened(say, business, "--delay", "15m", "--per-voucher", "0.05", "--per-day", "1.00")
    name = made["channel"][:12]
    assert (made["deposit"]["amount"], made["delay"]) == ("5.000000", 900)
    said = write(PAYER, "channels", "voucher", name, "--amount", "0.01", "--out", "a.json")
    assert "good for 0.010000 USDC in all; the merchant next: tallystick channels accept FILE" in said
    write(PAYER, "channels", "voucher", name, "--amount", "0.02", "--out", "b.json")
    said = write(PAYER, "channels", "voucher", name, "--amount", "0.06", "--out", "c.json", exit_code=1)
    assert "60000 units were asked for, the wallet allows 50000 at once" in said
    write(PAYER, "channels", "voucher", name, "--again", "--out", "c.json")
    assert Path("c.json").read_text() == Path("b.json").read_text()
    (row,) = say(MERCHANT, "channels", "accept", "a.json", "--at-least", "0.01", "--token", token)
    assert (row["paid"]["amount"], row["in_all"]["amount"], row["refused"]) == ("0.010000", "0.010000", None)
    later, again = say(MERCHANT, "channels", "accept", "b.json", "c.json", "--token", token)
    assert (later["paid"]["amount"], later["in_all"]["amount"]) == ("0.020000", "0.030000")
    assert (again["paid"]["amount"], again["refused"]) == ("0.000000", "stale")
    refused = write(MERCHANT, "channels", "accept", "a.json", "--token", token, exit_code=1)
    assert "is refused (stale): it is for no more than one that was taken or claimed before" in refused
    shown = say(None, "channels", "show", name)
    assert (shown["signed"]["amount"], shown["taken"]["amount"]) == ("0.030000", "0.030000")
    assert (shown["left_to_sign"]["amount"], shown["per_day"]["amount"]) == ("4.970000", "1.000000")
    dear = ("--coin-price", 3_000, "--gas-price-gwei", 1)
    (row,) = say(MERCHANT, "channels", "claim", "--token", token, *dear)
    assert (row["became"], row["amount"]["amount"], row["transaction"]) == ("waits", "0.030000", None)
    (row,) = say(MERCHANT, "channels", "claim", "--token", token, "--dry-run")
    assert (row["became"], row["transaction"]) == ("to claim", None)
    (row,) = say(MERCHANT, "channels", "claim", "--token", token)
    assert (row["became"], row["amount"]["amount"]) == ("claimed", "0.030000")
    assert say(MERCHANT, "channels", "claim", "--token", token) == []
    added = say(OTHER, "channels", "top-up", name, "--amount", "1")
    assert added["added"]["amount"] == "1.000000"
    refunded = say(MERCHANT, "channels", "refund", name, "--amount", "0.97")
    assert (refunded["to"], refunded["refunded"]["amount"]) == (business.anvil.address(PAYER), "0.970000")
    asked = say(PAYER, "channels", "withdraw", name)
    assert asked["asked_back"]["amount"] == "5.000000"
    early = write(PAYER, "channels", "finish-withdrawal", name, exit_code=1)
    assert "the receiver has until" in early
    assert say(None, "channels", "show", name)["asked_back"]["amount"] == "5.000000"
    business.anvil.advance(900)
    done = say(PAYER, "channels", "finish-withdrawal", name)
    assert (done["withdrawn"]["amount"], done["closed"]) == ("5.000000", True)
    rows = say(None, "channels", "list")
    assert sorted((row["kept_by"], row["vouchers"]["amount"]) for row in rows) == [
        ("till", "0.030000"),
        ("wallet", "0.000000"),  # of the new opening
    ]
    settled = say(BILLER, "channels", "settle", "--token", token, "--receiver", business.anvil.address(MERCHANT))
    assert settled["paid"]["amount"] == "0.000000"


def test_what_was_claimed_is_in_the_books(say: Say, write: Write, run: Run, business: Business) -> None:
    name = opened(say, business)["channel"]
    write(PAYER, "channels", "voucher", name, "--amount", "0.03", "--out", "v.json")
    say(MERCHANT, "channels", "accept", "v.json", "--token", business.token)
    say(MERCHANT, "channels", "claim", "--token", business.token)
    business.anvil.finalize()
    run("index", "--once")
    balances = say(None, "ledger", "trial-balance", "--of", "channels")
    assert [(row["account"].split(":0x")[0], row["debit"]["amount"], row["credit"]["amount"]) for row in balances] == [
        ("Assets:Channels", "0.030000", "0.030000"),
        ("Assets:Wallet", "0.030000", "0.000000"),
        ("Income:Channels", "0.000000", "0.030000"),
        ("Total", "0.060000", "0.060000"),
    ]
    proof = say(None, "audit", "verify")
    assert (proof["ok"], proof["channels"]["claims"], proof["channels"]["channels"]) == (True, 1, 1)


def test_x402_s_own_channels_are_in_the_books_when_asked_for(say: Say, run: Run, business: Business) -> None:
    other = BatchSettlement(business, business.anvil.address(MERCHANT))
    channel = other.channel(1)
    other.deposit(channel, 1_000_000)
    other.claim(channel, 30_000, 20_000)
    other.settle()
    business.anvil.finalize()
    assert say(None, "index", "--once")["x402"] is None
    refused = run("ledger", "trial-balance", "--of", "x402", exit_code=1).stderr
    assert "holds no books of x402's own channels: name the block" in refused
    nowhere = {"TALLYSTICK_X402_START_BLOCK": "0"}
    assert "there is no contract at 0x4020" in run("index", "--once", env=nowhere, exit_code=1).stderr
    with Path("tallystick.toml").open("a") as file:
        file.write(f'[x402]\nstart_block = 0\ncontract = "{other.address}"\n')
    assert say(None, "index", "--once")["x402"] == other.address
    balances = say(None, "ledger", "trial-balance", "--of", "x402")
    assert [(row["account"].split(":0x")[0], row["debit"]["amount"], row["credit"]["amount"]) for row in balances] == [
        ("Assets:Channels", "0.020000", "0.020000"),
        ("Assets:Wallet", "0.020000", "0.000000"),
        ("Income:Channels", "0.000000", "0.020000"),
        ("Total", "0.040000", "0.040000"),
    ]
    proof = say(None, "audit", "verify")
    assert (proof["ok"], proof["x402"]["claims"], proof["x402"]["channels"]) == (True, 1, 1)
    assert "x402 claims" in run("audit", "verify").stdout


def test_a_spending_key_spends_by_a_wallet_of_its_own(say: Say, write: Write, business: Business) -> None:
    name = opened(say, business)["channel"]
    asked = ("--key", business.anvil.address(BILLER), "--limit", "0.10", "--valid-for", "7d", "--out", "key.json")
    assert "may spend; with its key next" in write(PAYER, "channels", "key", name, *asked)
    own = ("--db", "sqlite:///agent.db")
    adopted = say(BILLER, "channels", "adopt", "key.json", "--per-voucher", "0.05", *own)
    assert (adopted["left"]["amount"], adopted["signed"]["amount"]) == ("0.100000", "0.000000")
    write(BILLER, "channels", "voucher", name, "--amount", "0.05", "--out", "v.json", *own)
    write(BILLER, "channels", "voucher", name, "--amount", "0.05", "--out", "w.json", *own)
    beyond = write(BILLER, "channels", "voucher", name, "--amount", "0.01", *own, exit_code=1)
    assert "allows 0 by its key" in beyond
    limits = say(None, "channels", "limit", name, "--per-channel", "0.20", *own)
    assert (limits["per_voucher"], limits["per_channel"]["amount"]) == (None, "0.200000")
    rows = say(MERCHANT, "channels", "accept", "v.json", "w.json", "--token", business.token)
    assert [row["paid"]["amount"] for row in rows] == ["0.050000", "0.050000"]
    (row,) = say(MERCHANT, "channels", "claim", "--token", business.token)
    assert row["amount"]["amount"] == "0.100000"


def test_what_is_typed_wrongly_is_told(say: Say, write: Write, run: Run, business: Business) -> None:
    assert run("channels", "list").stdout.startswith("no channels in this database")
    name = opened(say, business)["channel"]
    for arguments, message in (
        (("voucher", name), "neither or both of --amount and --again"),
        (("voucher", name, "--again"), "no voucher of this channel to give again"),
        (("voucher", "0x12", "--amount", "1"), "name one by at least 6 digits"),
        (("adopt", "nothing.json"), "found 'nothing.json' for a spending key"),
        (("accept", "nothing.json"), "found 'nothing.json' for a voucher"),
        (("claim", "--token", business.token, "--gas-price-gwei", "1"), "a gas price without --coin-price"),
        (("refund", name), "may not do this"),
    ):
        said = write(PAYER, "channels", *arguments, exit_code=1)
        assert said.startswith("error: "), said
        assert message in said
    write(PAYER, "channels", "voucher", name, "--amount", "1", "--out", "v.json")
    assert "found no token to take vouchers in" in write(MERCHANT, "channels", "accept", "v.json", exit_code=1)
    assert json.loads(Path("v.json").read_text())["channel"]["channel_id"] == name
    anyone = ("--receiver", business.anvil.address(MERCHANT), "--token", business.token)
    (row,) = say(None, "channels", "accept", "v.json", *anyone)  # a till needs no key
    assert row["paid"]["amount"] == "1.000000"


@pytest.mark.parametrize(
    "verb",
    [
        *("open", "top-up", "voucher", "limit", "key", "adopt", "withdraw", "finish-withdrawal", "list", "show"),
        *("accept", "claim", "refund", "settle"),
    ],
)
def test_every_verb_teaches(run: Run, verb: str) -> None:
    said = run("channels", verb, "--help").stdout
    assert f"tallystick channels {verb}" in said.partition("Example")[2]


Offer = Callable[..., Any]


@pytest.fixture
def offer(say: Say, business: Business) -> Offer:
    """The merchant creates a plan of 30 days that fills channels, and names its contract among the payees."""

    def create(*options: object) -> Any:
        period = ("--token", business.token, "--every", 30, "--unit", "day", "--delay", "1h")
        made = say(MERCHANT, "channels", "create-plan", *period, *options)
        payees = json.dumps([business.anvil.address(MERCHANT), made["contract"]])
        with Path("tallystick.toml").open("a") as config:
            config.write(f"[index]\nfinality = 0\n[merchant]\npayees = {payees}\n")
        return made

    return create


def test_a_plan_is_billed_filled_spent_and_proven(say: Say, write: Write, business: Business, offer: Offer) -> None:
    token, hour = business.token, 3_600
    made = offer("--price", "2.00")
    assert (made["price"]["amount"], made["every"], made["delay"]) == ("2.000000", "30 day", hour)
    number = say(PAYER, "subscriptions", "subscribe", made["plan_id"])["subscription_id"]
    (row,) = say(BILLER, "channels", "fill", made["contract"], number)
    assert (row["charges"], row["filled"]["amount"], row["not_filled"]) == (1, "2.000000", None)
    (row,) = say(BILLER, "channels", "fill", made["contract"], number)
    assert (row["charges"], row["channel"]) == (0, None)
    business.anvil.advance(30 * 86_400 + 1)
    say(None, "index", "--once")
    billed = say(BILLER, "bill", "--once")
    (fill,) = billed["fills"]
    assert (billed["charged"], fill["plan"], fill["contract"]) == (1, made["plan_id"], made["contract"])
    assert (fill["channels"], fill["amount"]["amount"], len(fill["transactions"])) == (1, "2.000000", 1)
    assert (fill["not_filled"], fill["reasons"], fill["gas_used"] > 0) == ([], [], True)
    assert say(BILLER, "bill", "--once")["fills"] == []
    taken = say(PAYER, "channels", "take-up", made["contract"], number)
    assert (taken["receiver"], taken["usable"]["amount"]) == (business.anvil.address(MERCHANT), "4.000000")
    write(PAYER, "channels", "voucher", taken["channel"][:12], "--amount", "3.00", "--out", "a.json")
    say(MERCHANT, "channels", "accept", "a.json", "--token", token)
    claimed = say(MERCHANT, "channels", "claim", "--token", token)
    assert [(line["amount"]["amount"], line["became"]) for line in claimed] == [("3.000000", "claimed")]
    say(None, "index", "--once")
    assert say(None, "audit", "verify")["ok"]
    said = write(OTHER, "channels", "take-up", made["contract"], number, exit_code=1)
    assert f"error: {business.anvil.address(OTHER)} may not do this" in said


def test_channels_that_cannot_be_filled_are_told(
    say: Say, write: Write, run: Run, business: Business, offer: Offer
) -> None:
    made = offer("--price", "2.00")
    number = say(PAYER, "subscriptions", "subscribe", made["plan_id"])["subscription_id"]
    say(None, "index", "--once")
    business.block(made["contract"])
    (fill,) = say(BILLER, "bill")["fills"]
    assert (fill["channels"], fill["amount"]["amount"], fill["transactions"]) == (0, "0.000000", [])
    assert fill["not_filled"] == [number]
    assert "the token" in fill["reasons"][0]
    text = run("bill", env={"TALLYSTICK_KEY": business.anvil.key(BILLER)}).stdout
    assert "fills\n" in text
    said = write(BILLER, "channels", "fill", made["contract"], exit_code=1)
    assert said.startswith("error: the token")
    business.unblock(made["contract"])
    assert [fill["channels"] for fill in say(BILLER, "bill")["fills"]] == [1]


def test_who_does_not_want_to_pay_for_it_lets_others_fill(say: Say, run: Run, business: Business, offer: Offer) -> None:
    made = offer("--price", "2.00")
    ids = [say(index, "subscriptions", "subscribe", made["plan_id"])["subscription_id"] for index in (PAYER, OTHER)]
    missing = run(
        *("channels", "fill", made["contract"]), env={"TALLYSTICK_KEY": business.anvil.key(BILLER)}, exit_code=1
    )
    assert "make it with `tallystick index --once`" in missing.stderr
    say(None, "index", "--once")
    key = {"TALLYSTICK_KEY": business.anvil.key(BILLER), "TALLYSTICK_BILL_FILL_CHANNELS": "false"}
    assert json.loads(run("bill", "--json", env=key).stdout)["fills"] == []
    rows = say(OTHER, "channels", "fill", made["contract"])
    assert [(row["subscription"], row["filled"]["amount"]) for row in rows] == [(each, "2.000000") for each in ids]
    assert say(OTHER, "channels", "fill", made["contract"]) == []


def test_a_biller_that_goes_on_says_what_it_filled_and_once_what_it_could_not(
    say: Say, run: Run, business: Business, offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = offer("--price", "2.00")
    say(PAYER, "subscriptions", "subscribe", made["plan_id"])
    say(None, "index", "--once")
    business.block(made["contract"])

    def rounds(step: Callable[[], None], **_: object) -> None:
        """In place of one every 15 seconds, for ever."""
        step()
        step()
        business.unblock(made["contract"])
        step()
        raise KeyboardInterrupt

    monkeypatch.setattr("tallystick.flows.follow.repeat", rounds)
    done = run("bill", "--follow", env={"TALLYSTICK_KEY": business.anvil.key(BILLER)}, exit_code=130).stderr
    stuck, filled, *_ = done.splitlines()
    assert f"channels not filled 1, of plan {made['plan_id']} ({made['contract']}): the token" in stuck
    assert filled.endswith("charged 0, declined 0, waiting for a retry 0, channels filled 1")
