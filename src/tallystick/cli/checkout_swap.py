"""`tallystick checkout pay --with`: paying a quote with another token than it asks for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from tallystick.cli.output import Record
from tallystick.cli.spans import PERCENT
from tallystick.core.reference import shown_reference
from tallystick.errors import InputError

if TYPE_CHECKING:
    from tallystick.core.quote_texts import SignedQuote
    from tallystick.flows.connect import Connection


class _RouteType(click.ParamType):
    """Fees of pools, with a token between two of them."""

    name = "route"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int | str, ...]:
        """From `500`, or `500,0xC02a...,3000`. Whether they are in turn, the route itself says."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if not all(parts):
            self.fail(f"found {value!r}, allowed are fees with a token between two: 500,0xC02a...6Cc2,3000", param, ctx)
        return tuple(int(part) if part.isdigit() else part for part in parts)


@dataclass(frozen=True, slots=True)
class SwapChoice:
    """What the options say; `pay_with` is None where the quote's own token pays."""

    pay_with: str | None
    route: tuple[int | str, ...] | None
    most: str | None
    quoter: str | None
    slippage: int
    dry_run: bool


def swap_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a swap, given to the command as one `SwapChoice`, `swap`."""
    for option in (
        click.option("--dry-run", is_flag=True, help="With --with: only say what it would take now."),
        click.option(
            "--max-slippage",
            "slippage",
            type=PERCENT,
            default="0.5",
            show_default=True,
            metavar="PERCENT",
            help="What may be used on top of the quoter's rate, or of what the pools take now.",
        ),
        click.option("--quoter", metavar="ADDRESS", help="Whose rate bounds what is used.  [default: the pools]"),
        click.option("--most", metavar="AMOUNT", help="Use no more of the other token than this."),
        click.option("--route", type=_RouteType(), metavar="FEE[,TOKEN,FEE]", help="Through which pools of Uniswap."),
        click.option("--with", "pay_with", metavar="ADDRESS", help="Pay with this token, exchanged in the same call."),
    ):
        command = option(command)

    @functools.wraps(command)
    def chosen(*args: Any, **values: Any) -> Any:
        names = SwapChoice.__dataclass_fields__
        return command(*args, swap=SwapChoice(**{name: values.pop(name) for name in names}), **values)

    return chosen


def pay_by_swap(connection: Connection, signed: SignedQuote, swap: SwapChoice) -> Record:
    """Plans, and pays unless that is all. Raises InputError without a route, and as the flow."""
    from tallystick.core.address import parse_address
    from tallystick.core.money import parse_units
    from tallystick.flows.pay_by_swap import pay_by_swap as pay
    from tallystick.flows.pay_by_swap import plan_quote_payment

    if swap.pay_with is None or swap.route is None:
        raise InputError("found one of --with and --route without the other: say which token, and by which pools")
    token = parse_address(swap.pay_with)
    decimals = connection.token(token).describe().decimals
    planned = plan_quote_payment(
        connection,
        signed,
        connection.sender.address,
        token,
        swap.route,
        max_slippage_bps=swap.slippage,
        quoter=None if swap.quoter is None else parse_address(swap.quoter),
        most_units=None if swap.most is None else parse_units(swap.most, decimals),
    )
    values = {
        "quote": signed.quote_id,
        "number": str(signed.quote.number),
        "invoice": shown_reference(signed.quote.invoice),
        "payer": planned.payer,
        "amount": planned.amount,
        "quoted": planned.quoted,
        "pools_take": planned.pool_in,
        "most": planned.most_in,
    }
    if swap.dry_run:
        said = planned.refusal or "it can be paid so"
        return Record(values, note=f"Nothing was sent: {said}.")
    done = pay(connection, planned)
    return Record(values | {"used": done.used, "returned": done.returned, "transaction": done.transaction})


def require_no_swap(swap: SwapChoice) -> None:
    """Raises InputError for options that need `--with`."""
    if swap.route is not None or swap.most is not None or swap.quoter is not None or swap.dry_run:
        raise InputError("found --route, --most, --quoter or --dry-run without --with: say which token pays")
