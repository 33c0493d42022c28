"""`tallystick subscriptions`: what a payer adds to a plan's terms, as options, and the coupons of its payee."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, ParamSpec, TypeVar

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.output import Record, Time, shown
from tallystick.cli.spans import DATE
from tallystick.config import Config
from tallystick.core.money import Amount, Token, parse_units

if TYPE_CHECKING:
    from tallystick.core.conditions import Conditions
    from tallystick.core.coupon import SignedCoupon

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Stated:
    """Conditions as they were typed: amounts are decimal numbers of a token that is not known yet."""

    max_per_period: str | None
    max_total: str | None
    starts_at: int
    ends_at: int
    beneficiary: str | None
    by_permit2: bool

    def of(self, token: Token) -> Conditions:
        """The conditions in this token. Raises AmountInvalid or AddressInvalid."""
        from tallystick.core.address import parse_address
        from tallystick.core.conditions import Conditions

        return Conditions(
            max_per_period_units=parse_units(self.max_per_period, token.decimals) if self.max_per_period else 0,
            max_total_units=parse_units(self.max_total, token.decimals) if self.max_total else 0,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            beneficiary=parse_address(self.beneficiary) if self.beneficiary else None,
            by_permit2=self.by_permit2,
        )


def conditions_options(*, start: bool) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """For a command: it takes the options of conditions, and gets them as `stated`."""

    def add(function: Callable[..., R]) -> Callable[..., R]:
        @functools.wraps(function)
        def with_conditions(*args: Any, **kwargs: Any) -> R:
            values = {name: kwargs.pop(name, 0) for name in Stated.__slots__}
            return function(*args, stated=Stated(**values), **kwargs)

        found: Callable[..., R] = with_conditions
        for option in reversed(_OPTIONS if start else [option for option in _OPTIONS if option is not _STARTS]):
            found = option(found)
        return found

    return add


_STARTS = click.option(
    "--starts", "starts_at", type=DATE, default=0, metavar="DATE", help="When the first period begins, if later.  (UTC)"
)
_OPTIONS = [
    click.option(
        "--max-per-period",
        metavar="AMOUNT",
        help="The most that a period may cost, usage included.  [default: any]",
    ),
    click.option(
        "--max-total", metavar="AMOUNT", help="The most that all charges from now on may cost.  [default: any]"
    ),
    _STARTS,
    click.option(
        "--ends", "ends_at", type=DATE, default=0, metavar="DATE", help="From when on nothing is charged.  (UTC)"
    ),
    click.option("--beneficiary", metavar="ADDRESS", help="Whom it serves.  [default: the payer]"),
    click.option("--permit2", "by_permit2", is_flag=True, help="Charge through Permit2, by allowances given there."),
]

coupon_option = click.option(
    "--coupon", "coupon_file", type=click.File("rb"), metavar="FILE", help="The payee's `plans sign-coupon`."
)


def read_coupon(file: BinaryIO | None) -> SignedCoupon | None:
    """The coupon in a file, where there is one. Raises InputError where it is something else."""
    from tallystick.core.coupon import parse_coupon

    return None if file is None else parse_coupon(file.read())


@click.command(
    "set-conditions",
    epilog=examples(
        "tallystick subscriptions set-conditions 118 --max-per-period 25 --ends 2027-12-31",
        "tallystick subscriptions set-conditions 118 --beneficiary 0x3C44...93BC",
        "tallystick subscriptions set-conditions 118                       takes all of them back",
    ),
)
@click.argument("subscription_id", type=int)
@conditions_options(start=False)
@configured
@shown
def set_conditions(config: Config, subscription_id: int, stated: Stated) -> Record:
    """State what is added to the plan's terms, all of it anew: what is left out is taken back. Its payer may.

    A charge beyond it declines. --max-total counts from now on.
    """
    from tallystick.core.events import ConditionsSet
    from tallystick.flows.connect import open_contract

    connection = open_contract(unlocked(config), signing=True)
    contract = connection.contract
    terms = contract.plan(contract.subscription(subscription_id).plan_id).terms
    token = connection.token(terms.token).describe()
    sent = contract.set_conditions(subscription_id, stated.of(token))
    found = sent.one(ConditionsSet)
    return Record(
        {
            "subscription_id": subscription_id,
            "max_per_period": Amount(found.max_per_period_units, token) if found.max_per_period_units else None,
            "max_total": Amount(found.max_total_units, token) if found.max_total_units else None,
            "ends_at": Time(found.ends_at) if found.ends_at else None,
            "beneficiary": found.beneficiary,
            "by_permit2": found.by_permit2,
            "transaction": sent.receipt.transaction,
        }
    )


@click.command(
    epilog=examples(
        "tallystick subscriptions redeem 118 coupon.json", "tallystick subscriptions redeem 118 - < coupon.json"
    )
)
@click.argument("subscription_id", type=int)
@click.argument("file", type=click.File("rb"))
@configured
@shown
def redeem(config: Config, subscription_id: int, file: BinaryIO) -> Record:
    """Redeem the coupon in FILE: the next charges of periods cost less. Its payer may, once for each coupon.

    Until the first charge at the full price the subscription takes no other coupon, and changes only when the paid
    period ends. A new subscription redeems it with `subscribe --coupon FILE`.
    """
    from tallystick.core.coupon import parse_coupon
    from tallystick.core.events import CouponRedeemed
    from tallystick.flows.connect import open_contract
    from tallystick.flows.redeem import redeem_coupon

    coupon = parse_coupon(file.read())
    connection = open_contract(unlocked(config), signing=True)
    sent = redeem_coupon(connection, subscription_id, coupon)
    found = sent.one(CouponRedeemed)
    token = connection.token(coupon.token).describe()
    return Record(
        {
            "subscription_id": subscription_id,
            "percent_off": percent(found.basis_points_off),
            "amount_off": Amount(found.amount_off_units, token),
            "periods": found.periods,
            "coupon_hash": found.coupon_hash,
            "transaction": sent.receipt.transaction,
        }
    )


def percent(basis_points: int) -> str:
    """Hundredths of a percent as people read them: `12.50`."""
    return f"{basis_points // 100}.{basis_points % 100:02}"
