"""`tallystick init`: the configuration file to start from."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tallystick.cli import Invocation, common_options, examples
from tallystick.cli.output import Record, shown

TEMPLATE = """\
# Tallystick's configuration. Each key can be overridden by a variable (rpc_url: TALLYSTICK_RPC_URL, gas.bumps:
# TALLYSTICK_GAS_BUMPS) and by a flag. What stands behind a # is the default. Paths start at this file.
#
# Secrets do not belong here: set TALLYSTICK_KEY to a private key, or name a keystore below and set
# TALLYSTICK_KEYSTORE_PASSWORD.

# The node: the address of its JSON-RPC interface.
#rpc_url = "http://127.0.0.1:8545"

# The manifest that `tallystick deploy` wrote. Unless it is named: deployments/<chain id>.json
#deployment = "deployments/31337.json"

# The books: SQLite in one file, or PostgreSQL as postgresql+psycopg://user@host/name
#database = "sqlite:///tallystick.db"

[signer]
# Who signs: an encrypted key file, as geth, Foundry's cast and Ape write it.
#keystore = "keys/biller.json"

[gas]
# Never pay more per gas than this, nor tip more before a transaction has to be replaced.
#max_fee_gwei = 300
#max_priority_fee_gwei = 3
# Replace a transaction that is not mined after so many seconds, at most so many times.
#wait_s = 60
#bumps = 6

[index]
# Events that one request should bring.
#events_per_request = 2000
# When a block counts as final: the node's word ("finalized", "safe"), or a number of blocks behind the head.
#finality = "finalized"
# Prove each event by the receipts of its block, and that there are no others: then a node can lie about nothing but
# which blocks there are. It costs a request for each block, and the whole block where the chain is busy.
#proven = false
# Where a node tells of new blocks, so that following them need not wait for the next look. A hint only: nothing that
# it says is believed.
#ws_url = "wss://base-rpc.example/ws"
# Nodes beside rpc_url. What is to be final in the books is read from each, and so many of all must agree (unless said:
# more than half). With 1 they are not asked, but take over where the one that is read fails.
#rpc_urls = ["https://another-node.example"]
#quorum = 2

[bill]
# Gas of one batch of charges, or of channels that are filled.
#max_gas = 12000000
# Seconds after a decline at which it is tried again, one by one: after 1, 3, 5 and 7 days.
#retry_after_s = [86400, 259200, 432000, 604800]
# Put what your plans that fill channels were charged into the channels after each round.
#fill_channels = true

[merchant]
# Who sells, as invoices show it.
#name = "Unnamed merchant"
#address = []
#tax_id = "GB123456789"
#email = "billing@example.com"
#invoice_prefix = "INV-"
#payment_prefix = "PAY-"
#sale_prefix = "SALE-"
# Which plans are your own, and so charged, and recognised by the SDK. An account creates plans for itself alone: yours
# are those that pay one of these accounts (the one that signs, where none is named),
#payees = []
# in one of these tokens (any, where none is named),
#tokens = []
# and with one of these numbers (any, where none is named).
#plans = []

# Tokens that the books take for a currency at par; each charge then has its value in it. One block for each token.
#[[peg]]
#token = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
#currency = "USD"

# What tokens are worth in a currency where no peg says so: by Chainlink's feeds, or by the lines of a file (CSV or JSON
# with date, asset, currency, rate). One block for each token.
#[[rate]]
#token = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
#currency = "EUR"
#token_feed = "0x8fFfFfd4AfB6115b954Bd326cbe7B4BA576818f6"
#currency_feed = "0xb49f677943BC038e9857d61E7d053CaA2C1734C1"

[convert]
# Into which token receipts are converted, by the rules below: `tallystick convert run`
#settlement = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
# At most so many hundredths of a percent below the quoter's rate.
#max_slippage_bps = 50
# An exchange that is not mined after so many seconds is not made any more.
#valid_s = 600
# In which currency gains and losses are; unless named, the only one of pegs and rates.
#currency = "USD"

# When an asset is converted, by which quoter it is bounded, and through which pools it goes (their fees in millionths,
# with a token between two of them). One block for each rule; an asset may have several.
#[[convert.rule]]
#asset = "0x1aBaEA1f7C830bD89Acc67eC4af516284b1bC33c"
#quoter = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
#route = [500]
# Only when there is more than this, beyond what is to be kept; and at most once a day, week or month.
#above = 100
#keep = 0
#every = "week"

[x402]
# Mirror x402's own deployment of payment channels too, from this block on (from none, unless one is named).
#start_block = 0
#contract = "0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003"
"""
NO_DEFAULTS = {
    *("deployment", "keystore", "ws_url", "tax_id", "email", "token", "currency", "token_feed", "currency_feed"),
    "settlement",
    *("asset", "quoter", "route", "above", "keep", "every", "start_block", "rpc_urls", "quorum"),
}
"""Keys whose line shows an example, not a default."""


def rendered(values: dict[str, object]) -> str:
    """The template with these keys set."""
    lines = TEMPLATE.splitlines()
    for key, value in values.items():
        position = next(index for index, line in enumerate(lines) if line.startswith(f"#{key} = "))
        text = str(value).replace("\\", "\\\\").replace('"', '\\"')
        lines[position] = f'{key} = "{text}"'
    return "\n".join(lines) + "\n"


@click.command(
    epilog=examples(
        "tallystick init                                        every key, each with its default",
        "tallystick init --rpc https://mainnet.base.org         and this one set",
        "tallystick init --out books/tallystick.toml",
    )
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("tallystick.toml"),
    show_default=True,
    metavar="FILE",
    help="Where to write it.",
)
@common_options
@shown
def init(out: Path) -> Record:
    """Write a commented tallystick.toml to start from.

    A file that is there already stays as it is. --rpc, --db and --deployment are written into the new one.
    """
    from tallystick.config import load_config
    from tallystick.errors import ConfigError

    flags = click.get_current_context().ensure_object(Invocation).flags
    text = rendered(flags)
    load_config(Path(os.devnull), environment={}, flags=flags)  # a wrong value is an error before it is written
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{out} is there already, and is left as it is: move it away, or use --out FILE") from error
    except OSError as error:
        raise ConfigError(
            f"{out} cannot be written ({error.strerror}): choose another place with --out FILE"
        ) from error
    return Record({"file": out}, note="Next: tallystick deploy, then tallystick plans create --help")
