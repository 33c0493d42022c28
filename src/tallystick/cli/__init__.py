"""The command line: parses, calls one flow, shows. Each command lives in a module of its own, imported when it is used.

A new command is one line in `COMMANDS`. What it uses from here and from `tallystick.cli.output`:

    @click.command(epilog=examples("tallystick status --json"))
    @configured        # its first argument is the Config; it takes --config --rpc --deployment --db
    @shown             # it takes --json, and returns a Table or a Record
    def status(config: Config) -> Record: ...

It raises TallystickErrors; `Main` makes a message and the exit code 1 of them. A wrong option ends with 2, Ctrl-C with
130.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, NoReturn, ParamSpec, TypeVar

import click

from tallystick.errors import TallystickError

if TYPE_CHECKING:
    from tallystick.config import Config

P = ParamSpec("P")
R = TypeVar("R")

COMMANDS: dict[str, tuple[str, str]] = {  # name: (module:attribute, what the list of commands says)
    "init": ("tallystick.cli.init:init", "Write a commented tallystick.toml."),
    "deploy": ("tallystick.cli.deploy:deploy", "Bring the contracts onto a chain, or verify those that are there."),
    "plans": ("tallystick.cli.plans:plans", "Create, show and archive plans, sign coupons, hand over."),
    "subscriptions": (
        "tallystick.cli.subscriptions:subscriptions",
        "Subscribe, sign, show, change, cancel, stop.",
    ),
    "bill": ("tallystick.cli.bill:bill", "Charge what is due, and retry declines by their schedule."),
    "index": ("tallystick.cli.index:index", "Mirror the chain into invoices and the ledger."),
    "invoices": ("tallystick.cli.invoices:invoices", "List, show and print invoices."),
    "refunds": ("tallystick.cli.refunds:refunds", "Give back all or a part of a charge."),
    "escrow": ("tallystick.cli.escrow:escrow", "Payments that are held until they are earned."),
    "checkout": ("tallystick.cli.checkout:checkout", "Payments made once: quotes, deposit addresses."),
    "channels": ("tallystick.cli.channels:channels", "Many small payments over one deposit, by vouchers."),
    "convert": ("tallystick.cli.convert:convert", "Receipts into the settlement token, rates, gains."),
    "claims": ("tallystick.cli.claims:claims", "What could not be paid to its account, and paying it out."),
    "ledger": ("tallystick.cli.ledger:ledger", "Trial balance, journal and exports."),
    "reconcile": ("tallystick.cli.reconcile:reconcile", "Expected against received, wallets against the ledger."),
    "audit": ("tallystick.cli.audit:audit", "Prove that chain, ledger and invoices agree."),
    "status": ("tallystick.cli.status:status", "Heads, lag, finality, due and failed charges."),
    "demo": ("tallystick.cli.demo:demo", "A year of a business on a chain of its own."),
}
INTERRUPTED = 130
TERMINATED_BY = 128
"""And the signal's number: the exit code of a process that a signal ended."""


@dataclass
class Invocation:
    """The options that any command takes, as given so far, before or after its name."""

    file: Path | None = None
    flags: dict[str, object] = field(default_factory=dict)

    @functools.cached_property
    def config(self) -> Config:
        """The configuration under these options. Raises ConfigError."""
        from tallystick.config import load_config

        return load_config(self.file, flags=self.flags)


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    invocation = context.ensure_object(Invocation)
    if value is None:
        return
    if parameter.name == "config_file" and isinstance(value, Path):
        invocation.file = value
    elif parameter.name is not None:
        invocation.flags[parameter.name] = value


def common_options(function: Callable[P, R]) -> Callable[P, R]:
    """For a command: it takes the options that any command takes; `Invocation` has their values."""
    path = click.Path(path_type=Path)
    for declarations, kind, metavar, text in (
        (("--db", "database"), str, "URL", "The database  [TALLYSTICK_DATABASE; sqlite:///tallystick.db]"),
        (("--deployment",), path, "FILE", "The manifest  [TALLYSTICK_DEPLOYMENT; deployments/<chain id>.json]"),
        (("--rpc", "rpc_url"), str, "URL", "The node  [TALLYSTICK_RPC_URL; http://127.0.0.1:8545]"),
        (("--config", "config_file"), path, "FILE", "The configuration  [TALLYSTICK_CONFIG; tallystick.toml]"),
    ):
        option = click.option(
            *declarations, type=kind, metavar=metavar, help=text, expose_value=False, callback=_remember
        )
        function = option(function)
    return function


def configured(function: Callable[Concatenate[Config, P], R]) -> Callable[P, R]:
    """For a command: its first argument becomes the configuration, and it takes the common options."""

    @functools.wraps(function)
    def with_config(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(click.get_current_context().ensure_object(Invocation).config, *args, **kwargs)

    return common_options(with_config)


def unlocked(config: Config) -> Config:
    """For a command that signs: asks on a terminal for a keystore's password, where none is set.

    Off a terminal, and where there is no such file or a key beside it, nothing is asked: opening it says what is wrong.
    """
    signer = config.signer
    if signer.keystore is None or signer.key is not None or signer.password is not None:
        return config
    if not (sys.stdin.isatty() and sys.stderr.isatty() and signer.keystore.is_file()):
        return config
    from pydantic import SecretStr

    password = click.prompt(f"Password of {signer.keystore}", hide_input=True, err=True)
    return config.model_copy(update={"signer": signer.model_copy(update={"password": SecretStr(password)})})


class Failure(click.ClickException):
    """What a person sees of a TallystickError."""

    exit_code = 1

    def show(self, file: object = None) -> None:
        """One line on standard error."""
        del file  # click passes none
        click.echo(f"error: {self.message}", err=True)


class Main(click.Group):
    """The commands of `COMMANDS`, imported when called, and the one place where errors become messages."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command's module."""
        if cmd_name not in COMMANDS:
            near = difflib.get_close_matches(cmd_name, COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {cmd_name!r}.{hint}")
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list, without importing anything."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command; what it raises becomes a message and an exit code."""
        # A service manager's request to end is one like Ctrl-C's: leases are given back, Anvil is stopped.
        signal.signal(signal.SIGTERM, _terminate)
        try:
            return super().invoke(ctx)
        except TallystickError as error:
            raise Failure(str(error)) from error
        except (KeyboardInterrupt, click.Abort):
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)


def _terminate(number: int, frame: object) -> NoReturn:
    del frame
    raise SystemExit(TERMINATED_BY + number)


def examples(*lines: str) -> str:
    """The end of a command's help: what to type, line by line."""
    return "\b\n" + "\n".join(["Examples:" if len(lines) > 1 else "Example:", *(f"  {line}" for line in lines)])


@click.group(
    cls=Main,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=examples(
        "tallystick demo                a year of a business on a chain of its own",
        "tallystick init                to start with your own: writes tallystick.toml",
        "tallystick deploy              the contracts onto the chain",
        "tallystick plans create --price 9.99 --every 1 --unit month --token ADDRESS",
        "tallystick index --follow      the mirror: invoices and the ledger",
        "tallystick bill --follow       the charges",
    ),
)
@click.version_option(package_name="tallystick", message="%(prog)s %(version)s")
@common_options
def main() -> None:
    """Stablecoin billing whose books match the chain.

    Charges subscriptions on chain, mirrors every event into invoices and a double-entry ledger, and proves that both
    halves agree.
    """
