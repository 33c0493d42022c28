"""Billing from the command line: whose plans are charged, what status says of them, and asking for a password."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from tallystick.flows.deploy import write_manifest
from tests.business import Business
from tests.cli.conftest import Run

MERCHANT, BILLER = 1, 3
PASSWORD_WAIT_S = 30


@pytest.fixture
def shop(run: Run, business: Business) -> Business:
    """Two plans, of the account MERCHANT and of a stranger, with a due subscription each, mirrored."""
    write_manifest(Path("deployments/31337.json"), business.manifest)
    Path("tallystick.toml").write_text(f'rpc_url = "{business.anvil.url}"\n[index]\nfinality = 0\n')
    ada = business.payer("ada")
    for payee in (business.anvil.address(MERCHANT), business.account("stranger")):
        business.subscribe(ada, business.create_plan(payee=payee))
    business.anvil.advance(32 * 86_400)
    run("index", "--once")
    return business


def key(business: Business, index: int) -> dict[str, str]:
    return {"TALLYSTICK_KEY": business.anvil.key(index)}


def test_without_named_payees_the_signer_is_the_one(run: Run, shop: Business) -> None:
    status = json.loads(run("status", "--json", env=key(shop, MERCHANT)).stdout)
    assert (status["due"], status["due_to_others"]) == (1, 1)
    done = run("bill", "--json", env=key(shop, MERCHANT))
    report = json.loads(done.stdout)
    assert (report["due"], report["charged"], report["due_to_others"], done.stderr) == (1, 1, 1, "")


def test_when_nothing_matches_it_says_what_was_found_what_is_allowed_and_what_to_do(run: Run, shop: Business) -> None:
    before = shop.anvil.block_number
    biller, merchant = shop.anvil.address(BILLER), shop.anvil.address(MERCHANT)
    done = run("bill", "--json", env=key(shop, BILLER)).stderr
    assert (
        "None of your plans is due. 2 subscriptions of other plans are:\n  plan 1 is not the merchant's: it pays"
        in done
    )
    assert f"pays {merchant}, allowed are {biller}." in done
    assert "if it is yours, add the payee to merchant.payees" in done
    assert shop.anvil.block_number == before
    named = {"TALLYSTICK_MERCHANT_PAYEES": json.dumps([merchant]), "TALLYSTICK_MERCHANT_TOKENS": json.dumps([merchant])}
    done = run("bill", env=key(shop, BILLER) | named).stderr
    assert f"is paid in {shop.token}, allowed are {merchant}" in done
    named["TALLYSTICK_MERCHANT_TOKENS"] = json.dumps([shop.token])
    report = json.loads(run("bill", "--json", env=key(shop, BILLER) | named).stdout)
    assert (report["charged"], report["due_to_others"]) == (1, 1)
    assert "merchant.payees" in run("bill", "--help").stdout


def test_many_foreign_plans_are_not_all_listed(run: Run, shop: Business) -> None:
    for number in range(3):
        shop.subscribe(shop.account("ada"), shop.create_plan(payee=shop.account(number)))
    shop.anvil.advance(32 * 86_400)
    run("index", "--once")
    done = run("bill", env=key(shop, BILLER)).stderr
    assert "5 subscriptions of other plans are:" in done
    assert done.count("is not the merchant's") == 3
    assert done.endswith("  and 2 more plans\n")


@pytest.mark.usefixtures("shop")
def test_status_counts_all_that_is_due_where_nothing_says_whose(run: Run) -> None:
    status = json.loads(run("status", "--json").stdout)
    assert (status["due"], status["due_to_others"]) == (2, 0)
    named = {"TALLYSTICK_MERCHANT_PLANS": "[2]"}
    status = json.loads(run("status", "--json", env=named).stdout)
    assert (status["due"], status["due_to_others"]) == (1, 1)


def test_status_shows_the_height_that_is_final_by_the_configuration(run: Run, shop: Business) -> None:
    shop.anvil.mine(5)
    head = shop.anvil.block_number
    for finality, final in (("0", head), ("3", head - 3), ("1000", 0), ("finalized", head - 2)):
        shown = json.loads(run("status", "--json", env={"TALLYSTICK_INDEX_FINALITY": finality}).stdout)
        assert (shown["node_final"], str(shown["finality"])) == (final, finality)


def on_a_terminal(arguments: list[str], environment: dict[str, str], typed: str) -> tuple[int, str, str]:
    """Exit code, standard output, and what the terminal showed: its keyboard and standard error."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["tallystick", *arguments],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=os.environ | environment,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    while not shown.endswith(b": "):  # what is typed before the last character of the prompt is thrown away
        shown += os.read(ours, 1_000)
    os.write(ours, typed.encode() + b"\n")
    try:
        output, _ = process.communicate(timeout=PASSWORD_WAIT_S)
    finally:
        process.kill()
    try:
        while more := os.read(ours, 1_000):
            shown += more
    except OSError:  # how Linux says that the other side was closed
        pass
    os.close(ours)
    return process.returncode, output.decode(), shown.decode()


def test_E73_a_keystore_s_password_is_asked_for_on_a_terminal_alone(run: Run, shop: Business) -> None:
    secret = bytes.fromhex(shop.anvil.key(MERCHANT)[2:])
    Path("key.json").write_text(json.dumps(Account.encrypt(secret, "open sesame", kdf="pbkdf2", iterations=2)))
    keystore: dict[str, Any] = {"TALLYSTICK_SIGNER_KEYSTORE": "key.json"}

    code, output, shown = on_a_terminal(["bill", "--json"], keystore, "open sesame")
    assert (code, json.loads(output)["charged"]) == (0, 1)
    assert shown.startswith("Password of key.json: ")
    assert "sesame" not in shown
    code, output, shown = on_a_terminal(["bill"], keystore, "wrong")
    assert (code, output) == (1, "")
    assert "error: the password does not open key.json" in shown

    locked = run("bill", env=keystore, exit_code=1)
    assert locked.stderr == "error: the keystore key.json needs its password: set TALLYSTICK_KEYSTORE_PASSWORD\n"
    assert json.loads(run("bill", "--json", env=keystore | {"TALLYSTICK_KEYSTORE_PASSWORD": "open sesame"}).stdout)
