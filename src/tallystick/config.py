"""The configuration: `tallystick.toml`, overridden by `TALLYSTICK_*` variables, overridden by flags, parsed once.

A variable is named after its key: `rpc_url` is TALLYSTICK_RPC_URL, `gas.bumps` is TALLYSTICK_GAS_BUMPS. Lists are
written as in TOML: TALLYSTICK_BILL_RETRY_AFTER_S='[3600, 86400]'. TALLYSTICK_CONFIG names another file.

Secrets come from the environment alone, TALLYSTICK_KEY and TALLYSTICK_KEYSTORE_PASSWORD: a file that holds them is
refused, and nothing prints them.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from tallystick.errors import ConfigError

DEFAULT_FILE = Path("tallystick.toml")
PREFIX = "TALLYSTICK_"
FILE_VARIABLE = "TALLYSTICK_CONFIG"
SECRET_VARIABLES = {"TALLYSTICK_KEY": "signer.key", "TALLYSTICK_KEYSTORE_PASSWORD": "signer.password"}
WEI_PER_GWEI = 10**9


def _address(value: object) -> object:
    from eth_utils.address import is_checksum_address, is_hex_address, to_checksum_address  # 0.3 s; rarely needed

    text = str(value)
    if not (is_hex_address(text) and text.startswith("0x")):
        raise ValueError("an address is 0x and 40 hex digits")
    if text != text.lower() and not is_checksum_address(text):
        raise ValueError("the address fails its checksum, so a digit is mistyped: copy it again")
    return to_checksum_address(text)


def _url(value: object) -> object:
    if not str(value).startswith(("http://", "https://")):
        raise ValueError("a node's address begins with http:// or https://")
    return value


def _ws_url(value: object) -> object:
    if value is not None and not str(value).startswith(("ws://", "wss://")):
        raise ValueError("a node's websocket begins with ws:// or wss://")
    return value


def _finality(value: object) -> object:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if value in {"finalized", "safe"} or (isinstance(value, int) and value >= 0):
        return value
    raise ValueError("finality is `finalized`, `safe`, or a number of blocks from 0")


Address = Annotated[str, BeforeValidator(_address)]
Url = Annotated[str, BeforeValidator(_url)]
Finality = Annotated[Literal["finalized", "safe"] | int, BeforeValidator(_finality)]
Gwei = Annotated[Decimal, Field(gt=0, max_digits=20, decimal_places=9)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SignerConfig(_Section):
    """Who signs: a keystore file (`keystore`, `password`) or a private key (`key`); the secrets never from the file."""

    keystore: Path | None = None
    key: SecretStr | None = None
    password: SecretStr | None = None


class GasConfig(_Section):
    """Limits of what a transaction may pay per gas, and when and how often one that is not mined is replaced."""

    max_fee_gwei: Gwei = Decimal(300)
    max_priority_fee_gwei: Gwei = Decimal(3)
    wait_s: Annotated[int, Field(gt=0)] = 60
    bumps: Annotated[int, Field(ge=0)] = 6

    @property
    def max_fee_wei(self) -> int:
        """The most to pay per gas, tip included."""
        return int(self.max_fee_gwei * WEI_PER_GWEI)

    @property
    def max_priority_fee_wei(self) -> int:
        """The most to tip per gas, before a transaction has to be replaced."""
        return int(self.max_priority_fee_gwei * WEI_PER_GWEI)


class IndexConfig(_Section):
    """How the chain is read. `finality`: the node's word, or that many blocks behind the head. `rpc_urls`: nodes beside
    `rpc_url`; `quorum`: how many of all nodes must give the same of a block before it is final in the books. `ws_url`:
    where a node tells of new blocks, by a websocket, so that following need not wait for the next look. `proven`: each
    log is proven by the receipts of its block."""

    events_per_request: Annotated[int, Field(gt=0)] = 2_000
    finality: Finality = "finalized"
    rpc_urls: Annotated[tuple[Url, ...], Field(repr=False)] = ()
    quorum: Annotated[int, Field(gt=0)] | None = None
    ws_url: Annotated[str | None, BeforeValidator(_ws_url), Field(repr=False)] = None
    proven: bool = False

    @field_validator("rpc_urls")
    @classmethod
    def _each_once(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        """One node that is named twice would agree with itself."""
        if twice := [shown_url(url) for place, url in enumerate(urls) if url in urls[:place]]:
            raise ValueError(f"{twice[0]} is named twice: name each node once")
        return urls

    @field_validator("quorum")
    @classmethod
    def _no_more_than_nodes(cls, quorum: int | None, info: ValidationInfo) -> int | None:
        nodes = 1 + len(info.data.get("rpc_urls", ()))
        if quorum is not None and quorum > nodes:
            raise ValueError(
                f"there are {nodes} nodes, `rpc_url` and those of `index.rpc_urls`: allowed is 1 to {nodes}"
            )
        return quorum


class BillConfig(_Section):
    """How charges are made: gas of one batch, seconds after a decline at which it is tried again, one by one, and
    whether what plans that fill channels were charged is put into the channels, in batches of the same gas."""

    max_gas: Annotated[int, Field(ge=1_000_000)] = 12_000_000
    retry_after_s: tuple[Annotated[int, Field(gt=0)], ...] = (86_400, 3 * 86_400, 5 * 86_400, 7 * 86_400)
    fill_channels: bool = True


class MerchantConfig(_Section):
    """Who sells, as invoices show it; and which plans are their own, because anyone can create some: those that pay
    `payees` (empty: the account that signs), in `tokens` (empty: any), with the numbers `plans` (empty: any)."""

    name: str = "Unnamed merchant"
    address: tuple[str, ...] = ()
    tax_id: str | None = None
    email: str | None = None
    invoice_prefix: str = "INV-"
    payment_prefix: str = "PAY-"
    sale_prefix: str = "SALE-"
    payees: tuple[Address, ...] = ()
    tokens: tuple[Address, ...] = ()
    plans: tuple[Annotated[int, Field(gt=0)], ...] = ()


class PegConfig(_Section):
    """A token that the merchant's books take for a currency at par."""

    token: Address
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class RateConfig(_Section):
    """What a token is worth in a currency, where no peg says so: by Chainlink's feeds, or by the lines of a file.

    `token_feed` says what one token is worth in a third unit (USDC / USD), `currency_feed` what one of the currency is
    (EUR / USD); one of them can be left out. `asset` is how the file calls the token, its address unless given."""

    token: Address
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    token_feed: Address | None = None
    currency_feed: Address | None = None
    max_age_s: Annotated[int, Field(gt=0)] = 90_000
    sequencer: Address | None = None
    grace_s: Annotated[int, Field(ge=0)] = 3_600
    file: Path | None = None
    asset: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> RateConfig:
        if (self.file is None) == (self.token_feed is None and self.currency_feed is None):
            raise ValueError("a rate comes from feeds (token_feed, currency_feed) or from a file: name one of them")
        return self


class ConvertRuleConfig(_Section):
    """When an asset is converted: when more than `above` is there beyond `keep`, and, where `every` is given, not again
    in the same day, week (from Monday) or month (UTC). `route` leads to the settlement token: fees of pools with tokens
    between them. `quoter` says how many units of it one unit of the asset should bring."""

    asset: Address
    quoter: Address
    route: Annotated[tuple[int | Address, ...], Field(min_length=1)]
    above: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    keep: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    at_most: Annotated[Decimal, Field(gt=0)] | None = None
    every: Literal["day", "week", "month"] | None = None
    max_slippage_bps: Annotated[int, Field(ge=0, le=5_000)] | None = None


class ConvertConfig(_Section):
    """What is converted into which token, and how far below the quoter's rate at most. `currency` is that of gains and
    losses; unless given it is the only one of pegs and rates."""

    settlement: Address | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    max_slippage_bps: Annotated[int, Field(ge=0, le=5_000)] = 50
    valid_s: Annotated[int, Field(gt=0)] = 600
    rule: tuple[ConvertRuleConfig, ...] = ()


class X402Config(_Section):
    """x402's own deployment of payment channels, mirrored beside ours from `start_block` on. `contract`: elsewhere than
    where x402 has it on every chain."""

    start_block: Annotated[int, Field(ge=0)] | None = None
    contract: Address = "0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003"


class Config(_Section):
    """Everything that can be set. `deployment` None: `deployments/<chain id>.json`. Paths are as opened from here."""

    rpc_url: Annotated[Url, Field(repr=False)] = "http://127.0.0.1:8545"
    deployment: Path | None = None
    database: Annotated[str, Field(repr=False, min_length=1)] = "sqlite:///tallystick.db"
    signer: SignerConfig = SignerConfig()
    gas: GasConfig = GasConfig()
    index: IndexConfig = IndexConfig()
    bill: BillConfig = BillConfig()
    merchant: MerchantConfig = MerchantConfig()
    peg: tuple[PegConfig, ...] = ()
    convert: ConvertConfig = ConvertConfig()
    rate: tuple[RateConfig, ...] = ()
    x402: X402Config = X402Config()

    @property
    def nodes(self) -> tuple[str, ...]:
        """The addresses of all nodes, each once: `rpc_url` may be given on the command line, and then be one of
        `index.rpc_urls`."""
        return tuple(dict.fromkeys((self.rpc_url, *self.index.rpc_urls)))


def load_config(
    file: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Config:
    """The configuration from all three places. `flags`: values by key, such as `gas.bumps`; None counts as not given.

    Without `file` TALLYSTICK_CONFIG names it, or `tallystick.toml` is taken where there is one. Raises ConfigError for
    a file that is not there or cannot be read, an unknown key (with the nearest right one), or a wrong value.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, tuple[object, str]] = {}
    if file is None and environment.get(FILE_VARIABLE):
        file = Path(environment[FILE_VARIABLE])
    if file is not None or DEFAULT_FILE.exists():
        values |= _from_file(file or DEFAULT_FILE)
    values |= _from_environment(environment)
    given = {key: (value, "the command line") for key, value in (flags or {}).items() if value is not None}
    for key in given:
        _require_known(key, "the command line", KEYS)
    return _validated(values | given)


def shown_url(url: str) -> str:
    """A URL without what may be secret in it: credentials, the query, and a node's path, where providers put keys."""
    scheme, mark, rest = url.rpartition("://")
    place, slash, path = rest.partition("?")[0].partition("/")
    if path and scheme in {"", "http", "https", "ws", "wss"}:
        path = "..."
    return scheme + mark + place.rpartition("@")[2] + slash + path


# --- The three places: each gives {dotted key: (value, where it was found)} -------------------------------------------


def _from_file(file: Path) -> dict[str, tuple[object, str]]:
    try:
        with file.open("rb") as opened:
            document = tomllib.load(opened, parse_float=Decimal)
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no configuration file {file}: name an existing one, or write one with `tallystick init`"
        ) from error
    except OSError as error:
        raise ConfigError(f"{file} cannot be read ({error.strerror}): name a readable file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not TOML ({error}): correct it there") from error
    values = {key: (value, str(file)) for key, value in _flat(document)}
    for key in values:
        for variable, secret in SECRET_VARIABLES.items():
            if key == secret:
                raise ConfigError(
                    f"{file} holds the secret `{key}`: take it out, and set {variable} in the environment instead"
                )
        _require_known(key, str(file), KEYS)
    return {key: (_located(key, value, file.parent), source) for key, (value, source) in values.items()}


def _flat(document: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in document.items():
        if name in SECTIONS and isinstance(value, Mapping):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield name, value


def _located(key: str, value: object, folder: Path) -> object:
    """Paths in a file are meant from that file's folder."""
    if key in {"deployment", "signer.keystore"} and isinstance(value, str):
        return folder / Path(value).expanduser()
    if key == "rate" and isinstance(value, list):
        return [_located_rate(rate, folder) for rate in value]
    scheme = "sqlite:///"
    if key == "database" and isinstance(value, str) and value.startswith(scheme) and folder != Path():
        name = value.removeprefix(scheme)
        return scheme + (name if name in {"", ":memory:"} else str(folder / name))
    return value


def _located_rate(rate: object, folder: Path) -> object:
    """`rate` is not checked yet, and may be anything."""
    if not isinstance(rate, dict) or not isinstance(rate.get("file"), str):
        return rate
    return rate | {"file": folder / Path(rate["file"]).expanduser()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, tuple[object, str]]:
    values = {}
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name == FILE_VARIABLE or not text:
            continue
        key = SECRET_VARIABLES.get(name) or VARIABLES.get(name)
        if key is None:
            raise ConfigError(_unknown("variable", name, "the environment", [*SECRET_VARIABLES, *VARIABLES]))
        values[key] = (_list(name, text) if key in LISTS else text, name)
    return values


def _list(name: str, text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}", parse_float=Decimal)["value"]
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name} is {text!r}, and should be a list as in TOML, such as [3600, 86400]") from error


# --- Checks ---------------------------------------------------------------------------------------------------------

SECTIONS = {
    name: field.annotation
    for name, field in Config.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, _Section)
}
KEYS = [
    *(name for name in Config.model_fields if name not in SECTIONS),
    *(f"{name}.{key}" for name, section in SECTIONS.items() for key in section.model_fields),
]
LISTS = {
    *(
        "index.rpc_urls",
        "bill.retry_after_s",
        "merchant.address",
        "merchant.payees",
        "merchant.tokens",
        "merchant.plans",
    ),
    *("peg", "rate", "convert.rule"),
}
VARIABLES = {PREFIX + key.upper().replace(".", "_"): key for key in KEYS if key not in SECRET_VARIABLES.values()}


def _require_known(key: str, source: str, known: list[str]) -> None:
    if key not in known:
        raise ConfigError(_unknown("key", key, source, known))


def _unknown(what: str, name: str, source: str, known: list[str]) -> str:
    """By the whole name first, then by its last part: `keystore` is meant for `signer.keystore`."""
    last = {candidate.rpartition(".")[2]: candidate for candidate in known}
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    near = near or [key for key in known if key.startswith(f"{name}.")]
    near = near or [last[found] for found in difflib.get_close_matches(name.rpartition(".")[2], last, n=1)]
    near = near or difflib.get_close_matches(name, known, n=1, cutoff=0)
    return f"{source} has an unknown {what} `{name}`: the nearest one is `{near[0]}`"


def _validated(values: Mapping[str, tuple[object, str]]) -> Config:
    document: dict[str, Any] = {}
    for key, (value, _) in values.items():
        section, _, name = key.rpartition(".")
        (document.setdefault(section, {}) if section else document)[name] = value
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        raise ConfigError("; ".join(_wrong(detail, values) for detail in error.errors())) from None


def _wrong(detail: ErrorDetails, values: Mapping[str, tuple[object, str]]) -> str:
    """One of pydantic's complaints, with where the value came from; inside a list only the wrong element is shown."""
    location = [str(part) for part in detail["loc"]]
    depth = 2 if location[0] in SECTIONS else 1
    key = ".".join(location[:depth])
    _, source = values[key]
    inside = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in location[depth:])
    found = repr(detail["input"])
    if key in SECRET_VARIABLES.values():
        found = "a secret"
    elif key in {"rpc_url", "index.rpc_urls", "index.ws_url", "database"}:
        given = detail["input"]
        found = repr([shown_url(str(url)) for url in given] if isinstance(given, list) else shown_url(str(given)))
    message = detail["msg"].removeprefix("Value error, ")
    return f"{source}: `{key}{inside}` is {found}: {message[:1].lower()}{message[1:]}"
