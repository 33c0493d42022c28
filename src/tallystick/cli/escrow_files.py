"""What the commands of `tallystick escrow` share: which payment they are about, and what they show of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from tallystick.cli.files import content_of
from tallystick.cli.output import Record, Time
from tallystick.cli.spans import PERCENT
from tallystick.core.money import Amount
from tallystick.core.payment import PaymentStatus
from tallystick.errors import InputError

if TYPE_CHECKING:
    from tallystick.chain.contract import Sent
    from tallystick.config import Config
    from tallystick.core.payment_options import Option
    from tallystick.core.payment_texts import PaymentOffer, SignedPayment
    from tallystick.flows.connect import Connection

P = ParamSpec("P")
R = TypeVar("R")

ID_LENGTH = 66
NEXT = "Next: tallystick index --once brings it into the books"


@dataclass(frozen=True, slots=True)
class Named:
    """A payment as it is named on the command line: by a file, by `-`, or by its id."""

    text: str

    def offer(self, config: Config) -> PaymentOffer:
        """Its terms: out of the file, or for an id out of the mirror. Raises InputError or DatabaseError."""
        from tallystick.core.payment_texts import parse_payment
        from tallystick.flows.find_payments import find_payment
        from tallystick.flows.mirror import open_books

        if self._is_id:
            return find_payment(open_books(config), bytes.fromhex(self.text[2:]))
        return parse_payment(self._content())

    def payment(self) -> PaymentOffer | SignedPayment:
        """The terms, or what the payer signed, out of the file. Raises InputError."""
        from tallystick.core.payment_texts import parse_payment, parse_signed_payment

        if self._is_id:
            raise InputError(f"found the id {self.text}, and the file is needed: of its terms, or of what was signed")
        content = self._content()
        return parse_signed_payment(content) if b'"funding"' in content else parse_payment(content)

    @property
    def _is_id(self) -> bool:
        digits = self.text.removeprefix("0x").lower()
        return len(self.text) == ID_LENGTH and self.text.startswith("0x") and not set(digits) - set("0123456789abcdef")

    def _content(self) -> bytes:
        return content_of(self.text, "a payment", "are a file with its terms, or its id: 0x and 64 digits")


class _PaymentType(click.ParamType):
    name = "payment"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Named:
        """Read when it is used."""
        del param, ctx
        return value if isinstance(value, Named) else Named(str(value))


def payment_argument(function: Callable[P, R]) -> Callable[P, R]:
    """For a command: its argument `named` is a payment."""
    return click.argument("named", type=_PaymentType(), metavar="PAYMENT")(function)


fee_option = click.option(
    "--fee",
    "fee_bps",
    type=PERCENT,
    metavar="PERCENT",
    help="The platform's part.  [default: as little as the terms allow]",
)


def done(connection: Connection, offer: PaymentOffer, sent: Sent, **more: int) -> Record:
    """What a verb did, and how the payment stands now. `more` are amounts in base units."""
    token = connection.token(offer.terms.token).describe()
    facts = connection.escrow.payment(offer.payment_id)
    values: dict[str, object] = {"payment": offer.payment_id, "status": PaymentStatus(facts.status)}
    values |= {name: Amount(units, token) for name, units in more.items()}
    values |= {"held": Amount(facts.held_units, token), "refundable": Amount(facts.refundable_units, token)}
    kept = [event for event in sent.events if type(event).__name__ == "PayoutKept"]
    note = NEXT if not kept else "A receiver could not be paid; the escrow keeps it: tallystick escrow claim TOKEN"
    return Record(values | {"transaction": sent.receipt.transaction}, note=note)


def when(timestamp: int | None) -> Time | None:
    """A time, where there is one."""
    return None if timestamp is None else Time(timestamp)


def option_row(option: Option, time: int) -> dict[str, object]:
    """What may be done, by whom, and from when until when, as seen at a time."""
    return {
        "verb": option.verb,
        "by": option.by,
        "from": None if option.is_open(time) else Time(option.since),
        "until": when(option.until),
    }
