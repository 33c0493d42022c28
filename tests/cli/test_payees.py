"""All that a payee has in a token, handed over to another payee from the command line on a real chain."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tallystick.chain.node import connect
from tallystick.chain.token import TokenContract
from tallystick.core.address import ZERO_ADDRESS
from tests.business import Business
from tests.cli.conftest import BILLER, MERCHANT, OTHER, PAYER, Run, Say

DAY_S = 86_400
SIGN, CHANGE = ("plans", "sign-payee-change"), ("plans", "change-payee")


def test_all_plans_in_a_token_are_handed_over_by_files(
    say: Say, write: Callable[..., str], run: Run, business: Business, sell: Callable[..., Any]
) -> None:
    sell("--price", "10")
    due = datetime.fromisoformat(say(PAYER, "subscriptions", "subscribe", 1)["paid_until"])
    old, new = business.anvil.address(MERCHANT), business.anvil.address(OTHER)
    told = write(MERCHANT, *SIGN, business.token, new.lower(), "--valid", "2d", "--out", "change.json")
    assert f"{new} signs next: tallystick plans sign-payee-change --signed FILE" in told
    change = json.loads(Path("change.json").read_text())
    assert (change["payee"], change["token"], change["new_payee"]) == (old, business.token, new)
    assert int(change["valid_before"]) == business.anvil.timestamp + 2 * DAY_S
    told = write(OTHER, *SIGN, "--signed", "change.json", "--out", "both.json")
    assert "both have signed; to send it: tallystick plans change-payee FILE" in told
    changed = say(BILLER, *CHANGE, "both.json")
    assert changed == {
        "register_id": 0,
        "token": business.token,
        "payee": new,
        "former_payee": old,
        "transaction": changed["transaction"],
    }
    assert say(None, "plans", "show", 1)["payee"] == new
    business.anvil.set_time(int(due.timestamp()))
    token = TokenContract(connect(business.anvil.url), business.token)
    before = token.balance(new)
    business.charge(1)
    assert token.balance(new) - before == 10_000_000
    assert "may not do this" in write(MERCHANT, "refunds", "create", 1, 2, exit_code=1)
    assert say(OTHER, "refunds", "create", 1, 2)["refunded"]["amount"] == "10.000000"

    # back again: the account that gets it begins and signs on standard output, the one that leaves sends it
    key = {"TALLYSTICK_KEY": business.anvil.key(MERCHANT)}
    asked = run(*SIGN, business.token, old, "--payee", new, env=key)
    assert f"{new} signs next" in asked.stderr
    Path("back.json").write_text(asked.stdout)
    text = run(*CHANGE, "back.json", env={"TALLYSTICK_KEY": business.anvil.key(OTHER)}).stdout
    assert f"former payee  {new}" in text
    assert "name the new payee in merchant.payees" in text
    assert say(None, "plans", "show", 1)["payee"] == old


@pytest.fixture
def signed(write: Callable[..., str]) -> Callable[..., str]:
    """The name of a file that one of Anvil's accounts writes."""

    def sign(name: str, index: int, *arguments: object) -> str:
        write(index, *SIGN, *arguments, "--out", name)
        return name

    return sign


def altered(name: str, **values: object) -> str:
    """The name of a file like this one, with these values instead."""
    Path("altered.json").write_text(json.dumps(json.loads(Path(name).read_text()) | values))
    return "altered.json"


def test_what_cannot_be_signed_is_refused(
    write: Callable[..., str], signed: Callable[..., str], business: Business
) -> None:
    old, new = business.anvil.address(MERCHANT), business.anvil.address(OTHER)
    one = signed("one.json", MERCHANT, business.token, new)
    arguments: tuple[str, ...]
    for arguments in ((), (business.token,), (business.token, new, "--signed", one), ("--payee", old, "--signed", one)):
        told = write(MERCHANT, *SIGN, *arguments, exit_code=2)
        assert "name the token and the new payee, or give what was signed with --signed FILE alone" in told
    for arguments in ((business.token, "nobody"), ("USDC", new), (business.token, new, "--payee", "me")):
        assert "allowed are 0x and 40 hex digits" in write(MERCHANT, *SIGN, *arguments, exit_code=1)
    told = write(OTHER, *SIGN, business.token, new, exit_code=1)
    assert f"found {new} as the old and the new payee, allowed are two accounts" in told
    assert "with --payee" in told
    for arguments in ((business.token, new, "--payee", old), ("--signed", one)):
        told = write(BILLER, *SIGN, *arguments, exit_code=1)
        assert "a change of payer or payee is signed by the old and the new one" in told
    told = write(OTHER, *SIGN, "--signed", "tallystick.toml", exit_code=1)
    assert "this is not a signed change of payee" in told
    assert "write it anew with `tallystick plans sign-payee-change`" in told
    told = write(OTHER, *SIGN, "--signed", altered(one, chain_id=1), exit_code=1)
    assert "on chain 1, this is" in told
    assert "have one signed for here" in told


def test_what_cannot_be_sent_is_refused(
    write: Callable[..., str], signed: Callable[..., str], business: Business, sell: Callable[..., Any]
) -> None:
    sell("--price", "10")
    old, new, contract = business.anvil.address(MERCHANT), business.anvil.address(OTHER), business.subscriptions
    one = signed("one.json", MERCHANT, business.token, new)
    both = signed("both.json", OTHER, "--signed", one)
    other_token = signed("token.json", MERCHANT, contract, new)
    before = business.anvil.block_number
    for index, name, told in (
        (BILLER, "tallystick.toml", "this is not a signed change of payee"),
        (BILLER, one, f"found no signature of {new}, both accounts must sign: have it sign the same change with `tall"),
        (BILLER, altered(both, chain_id=1), "on chain 1, this is"),
    ):
        assert told in write(index, *CHANGE, name, exit_code=1)
    assert f"the signature is not {old}'s" in write(BILLER, *CHANGE, altered(both, salt="1"), exit_code=1)
    assert f"{old} has no plans in {contract}" in write(OTHER, *CHANGE, other_token, exit_code=1)
    for account, told in ((contract, f"{contract} is the contract itself"), (ZERO_ADDRESS, "is the zero address")):
        name = altered(signed("nobody.json", MERCHANT, business.token, account), new_payee_signature="0x00")
        assert told in write(MERCHANT, *CHANGE, name, exit_code=1)
    assert business.anvil.block_number == before


def test_what_can_be_sent_no_more_is_refused(
    say: Say, write: Callable[..., str], signed: Callable[..., str], business: Business, sell: Callable[..., Any]
) -> None:
    sell("--price", "10")
    new = business.anvil.address(OTHER)
    one = signed("one.json", MERCHANT, business.token, new)
    both = signed("both.json", OTHER, "--signed", one)
    anew = signed("anew.json", MERCHANT, business.token, new)
    late = signed("late.json", MERCHANT, business.token, new, "--valid", "1h")
    salt = json.loads(Path(one).read_text())["salt"]
    say(OTHER, "subscriptions", "revoke", salt)  # either takes back what it signed
    assert f"with salt {salt} was submitted or revoked before" in write(BILLER, *CHANGE, both, exit_code=1)
    business.anvil.advance(3_600)
    assert "what was signed could be submitted before" in write(OTHER, *CHANGE, late, exit_code=1)
    say(OTHER, "plans", "create", "--price", "1", "--token", business.token)
    assert f"{new} is paid in {business.token} already" in write(OTHER, *CHANGE, anew, exit_code=1)
    third = signed("third.json", MERCHANT, business.token, business.anvil.address(BILLER))
    say(BILLER, *CHANGE, third)
    told = write(BILLER, *CHANGE, third, exit_code=1)
    assert "check both, and who is paid now" in told
