"""The configuration: where a value comes from, what is refused, and that secrets stay secret."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from tallystick.config import KEYS, VARIABLES, Config, PegConfig, load_config, shown_url
from tallystick.errors import ConfigError

USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"


def written(folder: Path, text: str) -> Path:
    file = folder / "tallystick.toml"
    file.write_text(text)
    return file


def refused(folder: Path, text: str = "", **environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(written(folder, text), environment=environment)
    return str(caught.value)


def test_without_anything_there_are_defaults(tmp_path: Path) -> None:
    os.chdir(tmp_path)
    assert load_config(environment={"PATH": "/bin"}) == Config()


def test_the_environment_overrides_the_file_and_flags_override_both(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        f"""
        rpc_url = "http://file:1"
        database = "postgresql+psycopg://books"
        [gas]
        max_fee_gwei = 0.05
        bumps = 1
        wait_s = 7
        [[peg]]
        token = "{USDC}"
        currency = "USD"
        """,
    )
    environment = {
        "TALLYSTICK_CONFIG": str(file),
        "TALLYSTICK_GAS_BUMPS": "2",
        "TALLYSTICK_RPC_URL": "http://variable:2",
    }
    config = load_config(environment=environment, flags={"rpc_url": "http://flag:3", "deployment": None})
    assert (config.rpc_url, config.gas.bumps, config.gas.wait_s) == ("http://flag:3", 2, 7)
    assert (config.database, config.deployment) == ("postgresql+psycopg://books", None)
    assert (config.gas.max_fee_gwei, config.gas.max_fee_wei) == (Decimal("0.05"), 50_000_000)
    assert config.peg == (PegConfig(token=USDC, currency="USD"),)


def test_lists_in_variables_are_written_as_in_toml(tmp_path: Path) -> None:
    file = written(tmp_path, "")
    environment = {
        "TALLYSTICK_BILL_RETRY_AFTER_S": "[60, 120]",
        "TALLYSTICK_MERCHANT_ADDRESS": '["1 Mill Lane", "York"]',
        "TALLYSTICK_PEG": f'[{{token = "{USDC.lower()}", currency = "USD"}}]',
        "TALLYSTICK_INDEX_FINALITY": "12",
        "TALLYSTICK_MERCHANT_PAYEES": f'["{USDC.lower()}"]',
        "TALLYSTICK_MERCHANT_TOKENS": f'["{USDC}"]',
        "TALLYSTICK_MERCHANT_PLANS": "[3, 1]",
    }
    config = load_config(file, environment=environment)
    assert (config.merchant.payees, config.merchant.tokens, config.merchant.plans) == ((USDC,), (USDC,), (3, 1))
    assert config.bill.retry_after_s == (60, 120)
    assert config.merchant.address == ("1 Mill Lane", "York")
    assert (config.peg[0].token, config.index.finality) == (USDC, 12)
    assert "should be a list as in TOML" in refused(tmp_path, TALLYSTICK_PEG="[")


def test_paths_in_the_file_start_at_the_file(tmp_path: Path) -> None:
    text = (
        'deployment = "deployments/1.json"\ndatabase = "sqlite:///books.db"\n[signer]\nkeystore = "/keys/biller.json"\n'
    )
    config = load_config(written(tmp_path, text), environment={})
    assert config.deployment == tmp_path / "deployments/1.json"
    assert config.database == f"sqlite:///{tmp_path}/books.db"
    assert config.signer.keystore == Path("/keys/biller.json")
    flags = {"database": "sqlite:///here.db", "deployment": "there.json"}
    config = load_config(written(tmp_path, text), environment={}, flags=flags)
    assert (config.database, config.deployment) == ("sqlite:///here.db", Path("there.json"))


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("rpcurl", "rpc_url"),
        ("databse", "database"),
        ("keystore", "signer.keystore"),
        ("max_fee", "gas.max_fee_gwei"),
        ("colour", "rpc_url"),
    ],
)
def test_an_unknown_key_names_the_nearest_right_one(tmp_path: Path, wrong: str, right: str) -> None:
    message = refused(tmp_path, f"{wrong} = 1")
    assert message.startswith(f"{tmp_path}/tallystick.toml has an unknown key `{wrong}`: the nearest one is `")
    if wrong != "colour":
        assert message.endswith(f"`{right}`")


def test_unknown_keys_in_sections_variables_and_flags_are_named_too(tmp_path: Path) -> None:
    assert refused(tmp_path, "[gas]\nmax_fee_gwi = 3").endswith(
        "`gas.max_fee_gwi`: the nearest one is `gas.max_fee_gwei`"
    )
    message = refused(tmp_path, TALLYSTICK_RPC="http://x")
    assert (
        message == "the environment has an unknown variable `TALLYSTICK_RPC`: the nearest one is `TALLYSTICK_RPC_URL`"
    )
    with pytest.raises(ConfigError, match=r"the command line has an unknown key `db`"):
        load_config(environment={}, flags={"db": "x"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('rpc_url = "ftp://x"', "`rpc_url` is 'ftp://x': a node's address begins with http:// or https://"),
        (
            '[index]\nfinality = "soon"',
            "`index.finality` is 'soon': finality is `finalized`, `safe`, or a number of blocks",
        ),
        (
            '[index]\nrpc_urls = ["ws://x/key"]',
            "`index.rpc_urls[0]` is 'ws://x/...': a node's address begins with http:// or https://",
        ),
        (
            '[index]\nrpc_urls = ["https://x/key", "https://x/key"]',
            "`index.rpc_urls` is ['https://x/...', 'https://x/...']: https://x/... is named twice: name each node once",
        ),
        (
            '[index]\nrpc_urls = ["http://b"]\nquorum = 3',
            "`index.quorum` is 3: there are 2 nodes, `rpc_url` and those of `index.rpc_urls`: allowed is 1 to 2",
        ),
        ("[index]\nquorum = 0", "`index.quorum` is 0: input should be greater than 0"),
        ("[gas]\nmax_fee_gwei = -1", "`gas.max_fee_gwei` is -1: input should be greater than 0"),
        ("[bill]\nretry_after_s = [60, 0]", "`bill.retry_after_s[1]` is 0: input should be greater than 0"),
        ('[[peg]]\ntoken = "0x12"\ncurrency = "USD"', "`peg[0].token` is '0x12': an address is 0x and 40 hex digits"),
        (
            f'[[peg]]\ntoken = "{USDC[:-1]}7"\ncurrency = "USD"',
            "the address fails its checksum, so a digit is mistyped",
        ),
        ('[merchant]\npayees = ["me"]', "`merchant.payees[0]` is 'me': an address is 0x and 40 hex digits"),
        ("[merchant]\nplans = [0]", "`merchant.plans[0]` is 0: input should be greater than 0"),
        ("gas = 3", "has an unknown key `gas`: the nearest one is `gas."),
        ("rpc_url", "is not TOML"),
    ],
)
def test_a_wrong_value_is_shown_with_what_is_allowed(tmp_path: Path, text: str, message: str) -> None:
    found = refused(tmp_path, text)
    assert message in found
    assert found.startswith(f"{tmp_path}/tallystick.toml")


def test_all_wrong_values_are_named_at_once(tmp_path: Path) -> None:
    message = refused(tmp_path, "[gas]\nbumps = -1", TALLYSTICK_GAS_WAIT_S="no")
    assert "tallystick.toml: `gas.bumps` is -1" in message
    assert "TALLYSTICK_GAS_WAIT_S: `gas.wait_s` is 'no'" in message


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    for environment in ({}, {"TALLYSTICK_CONFIG": str(tmp_path / "no.toml")}):
        file = None if environment else tmp_path / "no.toml"
        with pytest.raises(ConfigError, match=r"there is no configuration file .*no\.toml: .*tallystick init"):
            load_config(file, environment=environment)
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\)"):
        load_config(tmp_path, environment={})


def test_secrets_come_from_the_environment_and_are_never_shown(tmp_path: Path) -> None:
    environment = {"TALLYSTICK_KEY": KEY, "TALLYSTICK_KEYSTORE_PASSWORD": "open sesame"}
    config = load_config(written(tmp_path, 'rpc_url = "https://node/v3/provider-key"'), environment=environment)
    assert config.signer.key is not None
    assert config.signer.key.get_secret_value() == KEY
    for shown in (repr(config), str(config), config.model_dump_json()):
        assert KEY not in shown
        assert "sesame" not in shown
    assert "provider-key" not in repr(config)
    message = refused(tmp_path, f'[signer]\nkey = "{KEY}"')
    assert "holds the secret `signer.key`: take it out, and set TALLYSTICK_KEY in the environment" in message
    assert KEY not in message
    assert "TALLYSTICK_SIGNER_KEY" not in VARIABLES


def test_nodes_are_counted_once_and_their_keys_are_not_shown(tmp_path: Path) -> None:
    text = 'rpc_url = "https://a/key-of-a"\n[index]\nrpc_urls = ["https://b/key-of-b"]\n'
    config = load_config(written(tmp_path, text), environment={"TALLYSTICK_INDEX_QUORUM": "2"})
    assert (config.nodes, config.index.quorum) == (("https://a/key-of-a", "https://b/key-of-b"), 2)
    assert "key-of" not in repr(config)
    config = load_config(written(tmp_path, text), environment={}, flags={"rpc_url": "https://b/key-of-b"})
    assert config.nodes == ("https://b/key-of-b",)
    environment = {"TALLYSTICK_INDEX_RPC_URLS": '["http://c", "http://d"]'}
    assert load_config(written(tmp_path, text), environment=environment).nodes[1:] == ("http://c", "http://d")


def test_urls_are_shown_without_what_may_be_secret() -> None:
    assert shown_url("https://user:word@node.example:8545/v3/0123?key=4") == "https://node.example:8545/..."
    assert (
        shown_url("postgresql+psycopg://user:word@host:5432/books?password=x") == "postgresql+psycopg://host:5432/books"
    )
    assert shown_url("sqlite:///books.db") == "sqlite:///books.db"
    assert shown_url("http://127.0.0.1:8545") == "http://127.0.0.1:8545"
    assert shown_url("node.example/v3/0123") == "node.example/..."


RULE = f"""[[convert.rule]]
asset = "{USDC}"
quoter = "{USDC}"
"""


def test_rules_and_rates_of_conversions(tmp_path: Path) -> None:
    rate = f'[[rate]]\ntoken = "{USDC}"\ncurrency = "EUR"\n'
    text = f'{rate}file = "ecb.csv"\n{RULE}route = [500, "{USDC}", 3000]\nabove = 12.50\nevery = "week"\n'
    config = load_config(written(tmp_path, text), environment={"TALLYSTICK_CONVERT_MAX_SLIPPAGE_BPS": "30"})
    (rule,) = config.convert.rule
    assert (rule.route, rule.above, rule.every, config.convert.max_slippage_bps) == (
        *((500, USDC, 3000), Decimal("12.50"), "week"),
        30,
    )
    assert config.rate[0].file == tmp_path / "ecb.csv"
    for wrong, message in (
        (rate, "`rate[0]` is"),
        (f'{rate}file = "x.csv"\ntoken_feed = "{USDC}"', "name one of them"),
        (f"{RULE}route = []", "`convert.rule[0].route` is []"),
        (f'{RULE}route = [500]\nevery = "hour"', "`convert.rule[0].every` is 'hour'"),
        (f"{RULE}route = [500]\nat_most = 0", "`convert.rule[0].at_most` is 0"),
        ("[convert]\nmax_slippage_bps = 5001", "`convert.max_slippage_bps` is 5001"),
        ("[convert]\nsettlment = 1", "the nearest one is `convert.settlement`"),
    ):
        assert message in refused(tmp_path, wrong), wrong


def test_it_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().gas.bumps = 3


def test_every_key_has_a_variable() -> None:
    assert {VARIABLES[name] for name in VARIABLES} == set(KEYS) - {"signer.key", "signer.password"}
