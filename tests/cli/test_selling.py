"""Selling from the command line on a real chain: deploy, plans, subscriptions, refunds, and what is refused."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from tallystick.cli.init import NO_DEFAULTS, TEMPLATE
from tallystick.config import KEYS, Config, load_config
from tallystick.contracts import load_artefact
from tallystick.flows.deploy import DEPLOYED_CONTRACTS, write_manifest
from tallystick.testing import Anvil, start_anvil
from tests.business import Business
from tests.cli.conftest import Run

MERCHANT, PAYER, BILLER = 1, 2, 3
Say = Callable[..., Any]


@pytest.fixture
def business(anvil: Anvil) -> Business:
    return Business(anvil)


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
def plan(say: Say, business: Business) -> dict[str, Any]:
    made: dict[str, Any] = say(
        MERCHANT, "plans", "create", "--price", "9.99", "--every", 1, "--unit", "month", "--token", business.token
    )
    return made


def units(text: str) -> dict[str, str]:
    whole, _, fraction = text.partition(".")
    return {"units": str(int(whole + fraction)), "amount": text, "asset": "USDC"}


# --- init and deploy --------------------------------------------------------------------------------------------------


def test_init_writes_a_file_whose_comments_are_the_defaults(run: Run) -> None:
    done = run("init")
    assert done.stdout.startswith("file  tallystick.toml\n")
    text = Path("tallystick.toml").read_text()
    assert text == TEMPLATE
    assert load_config(environment={}) == Config()
    shown = {line[1:].partition(" = ")[0] for line in text.splitlines() if line.startswith("#") and " = " in line}
    of_lists = {
        "token",
        "currency",
        "token_feed",
        "currency_feed",
        "asset",
        "quoter",
        "route",
        "above",
        "keep",
        "every",
    }
    lists = {"peg", "rate", "rule"}
    assert shown == {key.rpartition(".")[2] for key in KEYS} - {"key", "password"} - lists | of_lists
    lines = [line[1:] if line.startswith("#") and " = " in line else line for line in text.splitlines()]
    kept = [line for line in lines if line.partition(" = ")[0] not in NO_DEFAULTS]
    Path("defaults.toml").write_text("\n".join(kept))
    assert load_config(Path("defaults.toml"), environment={}) == Config()
    everything = "\n".join(lines).replace("#[[", "[[")
    Path("everything.toml").write_text(everything)
    found = load_config(Path("everything.toml"), environment={})
    assert (found.peg[0].currency, found.rate[0].currency, found.convert.rule[0].every) == ("USD", "EUR", "week")


def test_init_sets_what_it_is_given_and_never_overwrites(run: Run) -> None:
    run("--db", "sqlite:///books.db", "init", "--rpc", "http://node:1", "--out", "new/my.toml")
    assert tomllib.loads(Path("new/my.toml").read_text()) | {"rpc_url": 0, "database": 0} == {
        "rpc_url": 0,
        "database": 0,
        "signer": {},
        "gas": {},
        "index": {},
        "bill": {},
        "merchant": {},
        "convert": {},
        "x402": {},
    }
    found = load_config(Path("new/my.toml"), environment={})
    assert (found.rpc_url, found.database) == ("http://node:1", "sqlite:///new/books.db")
    done = run("init", "--out", "new/my.toml", exit_code=1)
    assert done.stderr.startswith("error: new/my.toml is there already, and is left as it is: move it away")
    assert "begins with http" in run("init", "--rpc", "node", exit_code=1).stderr
    assert not Path("tallystick.toml").exists()


def test_deploy_once_then_verify_without_a_key(run: Run, anvil: Anvil) -> None:
    missing = run("deploy", "--rpc", anvil.url, exit_code=1)
    assert missing.stderr.startswith("error: there is no key to sign with: set TALLYSTICK_KEY")
    assert (anvil.block_number, list(Path().iterdir())) == (0, [])
    first = json.loads(run("deploy", "--rpc", anvil.url, "--json", env={"TALLYSTICK_KEY": anvil.key(0)}).stdout)
    assert (first["chain_id"], first["created"]) == (31337, True)
    assert len(first["transactions"]) == len(DEPLOYED_CONTRACTS)
    parts = ("Views", "Consent", "Charges", "Payer", "Payee")
    assert {part["contract"]: part["address"] for part in first["parts"]} == {
        f"Subscriptions{part}": load_artefact(f"Subscriptions{part}").address for part in parts
    }
    assert first["escrow"] == load_artefact("Escrow").address
    assert first["checkout"] == load_artefact("Checkout").address
    assert first["channels"] == load_artefact("Channels").address
    assert first["manifest"] == "deployments/31337.json"
    again = json.loads(run("deploy", "--rpc", anvil.url, "--json").stdout)
    assert again == first | {"created": False, "transactions": []}
    Path("deployments/31337.json").write_text("{}")
    assert "is not a deployment manifest" in run("deploy", "--rpc", anvil.url, exit_code=1).stderr


# --- The way of a subscription ----------------------------------------------------------------------------------------


def test_plans_are_created_listed_and_shown(say: Say, run: Run, business: Business, plan: dict[str, Any]) -> None:
    assert plan == {
        "plan_id": 1,
        "register_id": 0,
        "price": units("9.990000"),
        "seat_price": None,
        "period": "month",
        "payee": business.anvil.address(MERCHANT),
        "token": business.token,
        "catch_up": 0,
        "trial": None,
        "family": 0,
        "grace": None,
        "min_charges": None,
        "max_charges": None,
        "fee_bps": None,
        "fee_receiver": None,
        "usage_cap": None,
        "usage_price": None,
        "biller": None,
        "align_to": None,
        "quoter": None,
        "quoted_price": None,
        "quoted_seat_price": None,
        "protection": None,
        "arbiter": None,
        "ruling_timeout": None,
        "default_payee_bps": None,
        "max_arbiter_fee_bps": None,
        "refunds_unused": False,
        "archived": False,
        "transaction": plan["transaction"],
    }
    other = say(
        BILLER,
        "plans",
        "create",
        "--price",
        "0.5",
        "--every",
        30,
        "--unit",
        "second",
        "--token",
        business.token.lower(),
        "--catch-up",
        3,
    )
    assert (other["period"], other["payee"], other["catch_up"]) == ("30 seconds", business.anvil.address(BILLER), 3)
    listed = say(None, "plans", "list")
    assert [row["plan_id"] for row in listed] == [1, 2]
    assert [row["plan_id"] for row in say(None, "plans", "list", "--payee", other["payee"])] == [2]
    assert say(None, "plans", "show", 1)["payee_charged"] == units("0.000000")
    text = run("plans", "list").stdout.splitlines()
    heading = ["plan id", "price", "seat price", "period", "trial", "payee", "token", "catch up", "archived"]
    assert text[0].split() == " ".join(heading).split()
    assert text[1].split()[:5] == ["1", "9.990000", "USDC", "-", "month"]


def test_subscribe_show_cancel(say: Say, business: Business, plan: dict[str, Any]) -> None:
    payer = business.anvil.address(PAYER)
    business.mint(payer, 10**9)
    opened = say(PAYER, "subscriptions", "subscribe", plan["plan_id"], "--periods", 3)
    assert (opened["subscription_id"], opened["payer"], opened["paid"]) == (1, payer, units("9.990000"))
    found = say(None, "subscriptions", "show", 1)
    assert found["payer_allowance"] == units("19.980000")
    assert (found["status"], found["charges"], found["paid_until"]) == ("active", 1, opened["paid_until"])
    assert found["next_due"] == opened["paid_until"]
    more = say(PAYER, "subscriptions", "approve", 1, "--periods", 1)
    assert more["allowance"] == units("29.970000")
    ending = say(PAYER, "subscriptions", "cancel", 1, "--at-period-end")
    assert (ending["status"], ending["paid_until"]) == ("ending", opened["paid_until"])
    assert say(MERCHANT, "subscriptions", "cancel", 1)["status"] == "cancelled"
    assert say(None, "subscriptions", "show", 1)["next_due"] is None


def test_a_mandate_goes_from_payer_to_merchant_as_a_file_or_a_pipe(
    say: Say, run: Run, business: Business, plan: dict[str, Any]
) -> None:
    payer = business.anvil.address(PAYER)
    business.mint(payer, 10**9)
    key = {"TALLYSTICK_KEY": business.anvil.key(PAYER)}
    signed = run("subscriptions", "sign", plan["plan_id"], "--out", "mandate.json", env=key)
    assert signed.stdout == ""
    assert signed.stderr.startswith(f"{payer} agrees to plan 1, salt ")
    assert say(MERCHANT, "subscriptions", "submit", "mandate.json")["payer"] == payer
    used = run("subscriptions", "submit", "mandate.json", env=key, exit_code=1)
    assert "was submitted or revoked before, and is good only once" in used.stderr

    piped = run("subscriptions", "sign", 1, "--funding", "allowance", "--valid-hours", 1, env=key)
    assert json.loads(piped.stdout)["permit"] is None
    assert say(MERCHANT, "subscriptions", "submit", "-", text=piped.stdout)["subscription_id"] == 2
    third = json.loads(run("subscriptions", "sign", 1, env=key).stdout)
    assert say(PAYER, "subscriptions", "revoke", third["salt"])["salt"] == third["salt"]
    Path("third.json").write_text(json.dumps(third))
    assert "submitted or revoked before" in run("subscriptions", "submit", "third.json", env=key, exit_code=1).stderr
    Path("third.json").write_text("{}")
    assert "this is not a signed mandate" in run("subscriptions", "submit", "third.json", env=key, exit_code=1).stderr


def test_refunds(say: Say, run: Run, business: Business, plan: dict[str, Any]) -> None:
    business.mint(business.anvil.address(PAYER), 10**9)
    say(PAYER, "subscriptions", "subscribe", plan["plan_id"])
    part = say(MERCHANT, "refunds", "create", 1, 1, "--amount", "4.99")
    assert (part["refunded"], part["left"]) == (units("4.990000"), units("5.000000"))
    rest = say(MERCHANT, "refunds", "create", 1, 1)
    assert (rest["refunded"], rest["left"]) == (units("5.000000"), units("0.000000"))
    key = {"TALLYSTICK_KEY": business.anvil.key(MERCHANT)}
    assert "0 are left of this charge" in run("refunds", "create", 1, 1, "--amount", "1", env=key, exit_code=1).stderr
    assert (
        "digits behind the point"
        in run("refunds", "create", 1, 1, "--amount", "0.0000001", env=key, exit_code=1).stderr
    )


def test_the_mirror_lists_subscriptions_and_refunds(
    say: Say, run: Run, business: Business, plan: dict[str, Any]
) -> None:
    assert "there is no database" in run("subscriptions", "list", exit_code=1).stderr
    business.mint(business.anvil.address(PAYER), 10**9)
    say(None, "index", "--once")
    assert say(None, "subscriptions", "list") == []
    assert "no refunds in the mirror" in run("refunds", "list").stdout
    for _ in range(3):
        say(PAYER, "subscriptions", "subscribe", plan["plan_id"])
    say(PAYER, "subscriptions", "cancel", 2)
    refund = say(MERCHANT, "refunds", "create", 1, 1, "--amount", "4.99")
    say(None, "index", "--once")
    for _ in range(2):  # pending, then final
        rows = say(None, "subscriptions", "list")
        assert [(row["subscription_id"], row["status"]) for row in rows] == [
            (1, "active"),
            (2, "cancelled"),
            (3, "active"),
        ]
        assert rows[0]["price"] == units("9.990000")
        assert [row["subscription_id"] for row in say(None, "subscriptions", "list", "--status", "cancelled")] == [2]
        assert say(None, "subscriptions", "list", "--payer", business.payee) == []
        assert len(say(None, "subscriptions", "list", "--plan", 1)) == 3
        (listed,) = say(None, "refunds", "list")
        assert (listed["amount"], listed["transaction"]) == (units("4.990000"), refund["transaction"])
        business.anvil.finalize()
        say(None, "index", "--once")
    assert say(None, "refunds", "list", "--payer", business.payee) == []


# --- Bad input: each a clear error, exit code 1, nothing sent ---------------------------------------------------------


def test_a_wrong_node(run: Run) -> None:
    done = run("plans", "list", "--rpc", "http://127.0.0.1:1", exit_code=1)
    assert done.stderr == (
        "error: no answer from http://127.0.0.1:1 (ConnectionError): start the node, or give its address with --rpc\n"
    )


@pytest.mark.usefixtures("say")
def test_a_wrong_chain(run: Run) -> None:
    with start_anvil("--chain-id", "10") as other:
        done = run("plans", "list", "--rpc", other.url, "--deployment", "deployments/31337.json", exit_code=1)
        assert done.stderr == (
            f"error: {other.url} serves chain 10, the deployment is on chain 31337: use a node of chain 31337, or the "
            "manifest of chain 10\n"
        )
        missing = run("plans", "list", "--rpc", other.url, exit_code=1)
        assert missing.stderr.startswith("error: there is no deployment manifest deployments/10.json: deploy with")


@pytest.mark.usefixtures("say")
def test_a_missing_deployment(run: Run) -> None:
    done = run("plans", "list", "--deployment", "no.json", exit_code=1)
    assert done.stderr.startswith("error: there is no deployment manifest no.json: deploy with `tallystick deploy`")
    with start_anvil() as empty:
        done = run("plans", "list", "--rpc", empty.url, exit_code=1)
        assert "a test chain that was started anew" in done.stderr


def test_unknown_things_and_bad_addresses(say: Say, run: Run, business: Business, plan: dict[str, Any]) -> None:
    key = {"TALLYSTICK_KEY": business.anvil.key(PAYER)}
    before = business.anvil.block_number
    create = ("plans", "create", "--price", "1", "--token")
    mistyped = business.token[:-1] + ("0" if business.token[-1] != "0" else "1")
    for arguments, message in (
        (("plans", "show", 7), "there is no plan 7 on this chain: `tallystick plans list` shows those there are"),
        (("subscriptions", "subscribe", 7), "there is no plan 7 on this chain"),
        (("subscriptions", "sign", 7), "there is no plan 7 on this chain"),
        (("subscriptions", "show", 7), "there is no subscription 7 on this chain"),
        (("subscriptions", "cancel", 7), "there is no subscription 7 on this chain"),
        (("refunds", "create", 7, 1), "there is no subscription 7 on this chain"),
        (("subscriptions", "show", 2**300), "found a value that subscription(uint256) cannot hold"),
        ((*create, "0x12"), "found '0x12' for an address, allowed are 0x and 40 hex digits: copy it again, whole"),
        ((*create, business.payee), f"there is no token at {business.payee} on this chain"),
        ((*create, mistyped), "fails its checksum (EIP-55), so a digit is mistyped"),
        (("plans", "create", "--price", "nine", "--token", business.token), "found 'nine' for an amount"),
        (("plans", "list", "--payee", "me"), "found 'me' for an address"),
        (("subscriptions", "subscribe", 1), "the account has 0 units of the token, 9990000 are needed"),
    ):
        done = run(*arguments, env=key, exit_code=1)
        assert done.stderr.startswith("error: ")
        assert message in done.stderr
        assert done.stdout == ""
    assert business.anvil.block_number == before
    assert say(None, "plans", "list")[0]["plan_id"] == plan["plan_id"]


def test_E73_keys_that_are_missing_locked_or_none(run: Run, business: Business, plan: dict[str, Any]) -> None:
    subscribe = ("subscriptions", "subscribe", plan["plan_id"])
    before = business.anvil.block_number
    assert "there is no key to sign with" in run(*subscribe, exit_code=1).stderr
    wrong = run(*subscribe, env={"TALLYSTICK_KEY": "0x1234"}, exit_code=1).stderr
    assert "the private key is not 64 hex digits" in wrong
    assert "1234" not in wrong
    encrypted = Account.encrypt(bytes.fromhex(business.anvil.key(PAYER)[2:]), "right", kdf="pbkdf2", iterations=2)
    Path("key.json").write_text(json.dumps(encrypted))
    keystore = {"TALLYSTICK_SIGNER_KEYSTORE": "key.json"}
    locked = run(*subscribe, env=keystore, exit_code=1).stderr
    assert locked == "error: the keystore key.json needs its password: set TALLYSTICK_KEYSTORE_PASSWORD\n"
    wrong = run(*subscribe, env=keystore | {"TALLYSTICK_KEYSTORE_PASSWORD": "wrong"}, exit_code=1).stderr
    assert "the password does not open key.json" in wrong
    assert business.anvil.block_number == before
    business.mint(business.anvil.address(PAYER), 10**9)
    run(*subscribe, env=keystore | {"TALLYSTICK_KEYSTORE_PASSWORD": "right"})
