"""Expecting something at a deposit address, so that the mirror sees what comes there."""

from __future__ import annotations

from sqlalchemy import Engine

from tallystick.core.expected import Expected, require_sound
from tallystick.core.reference import parse_reference
from tallystick.errors import InputError
from tallystick.flows.connect import Connection
from tallystick.storage import sources
from tallystick.storage.database import transaction
from tallystick.storage.expected import UNSEEN, add_expected
from tallystick.storage.sources import add_source


def expect(
    engine: Engine,
    connection: Connection,
    invoice: str,
    *,
    receiver: str,
    token: str,
    amount_units: int,
    valid_s: int | None = None,
    tolerance_units: int = 0,
) -> Expected:
    """Declares in the books what is expected for an invoice at its deposit address, which is in the answer: show it to
    the payer after this, because what comes before is not seen until it is swept.

    It counts for `valid_s` seconds from now (None: whenever it comes); up to `tolerance_units` may be lacking. The same
    again changes nothing, but for the time: that is the first one's. Raises InputError for what cannot be expected and
    where something else is expected for the invoice already, NotAContract, NodeError or DatabaseError.
    """
    require_sound(amount_units, tolerance_units)
    if valid_s is not None and valid_s <= 0:
        raise InputError(f"found {valid_s} seconds in which it counts: name a time above zero, or none")
    described = connection.token(token).describe()
    checkout, chain_id = connection.checkout, connection.node.chain_id
    reference = parse_reference(invoice)
    wanted = Expected(
        receiver=receiver,
        invoice=reference,
        address=checkout.deposit_address(receiver, reference),
        token=token,
        amount_units=amount_units,
        valid_before=None if valid_s is None else connection.node.timestamp() + valid_s,
        tolerance_units=tolerance_units,
        symbol=described.symbol,
        decimals=described.decimals,
        from_block=UNSEEN,
    )
    with transaction(engine) as database:
        source = add_source(database, chain_id, checkout.address, connection.checkout_start_block, sources.CHECKOUT)
        return add_expected(database, source.source_id, wanted)
