"""What commands share that take a file which somebody signed, and write one."""

from __future__ import annotations

from pathlib import Path

import click

from tallystick.errors import InputError

out_option = click.option(
    "--out", type=click.File("w", encoding="utf-8"), default="-", metavar="FILE", help="Write it here."
)
funding_option = click.option(
    "--funding",
    type=click.Choice(["auto", "allowance", "permit", "permit2", "authorization"]),
    default="auto",
    show_default=True,
    help="How the money comes: the allowance where it is enough, else what the token takes.",
)


def content_of(name: str, what: str, allowed: str) -> bytes:
    """Of a file; of standard input for `-`. Raises InputError: `what` it should be, and what is `allowed`."""
    if name == "-":
        return click.get_binary_stream("stdin").read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise InputError(f"found {name!r} for {what} ({error.strerror}), allowed {allowed}") from error
