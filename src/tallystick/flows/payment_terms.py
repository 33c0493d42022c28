"""Makes terms of escrow payments, with what a merchant most often means where nothing else is said."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from tallystick.chain.court import ARTEFACT, CourtContract
from tallystick.contracts import load_artefact
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.payment import MOST_MILESTONES, MOST_UNITS, Milestone, PaymentTerms, milestones_root
from tallystick.core.payment_state import objection
from tallystick.core.payment_texts import PaymentOffer
from tallystick.errors import InputError
from tallystick.flows.connect import Connection

DAY_S = 86_400
AUTHORIZE_S = 7 * DAY_S
"""How long the payer may take to agree."""
CAPTURE_S = 30 * DAY_S
"""And the payee to deliver, after that."""
REFUND_S = 60 * DAY_S
"""And to refund, after that."""
RULING_S = 14 * DAY_S
"""How long the arbiter may take."""
DEFAULT_PAYEE_BPS = 5_000
"""What the payee gets where the arbiter is silent: a half."""


def make_terms(
    connection: Connection,
    *,
    payer: str,
    payee: str,
    token: str,
    amount_units: int,
    authorize_s: int = AUTHORIZE_S,
    capture_s: int = CAPTURE_S,
    refund_s: int = REFUND_S,
    operator: str = ZERO_ADDRESS,
    dispute_window_s: int = 0,
    arbiter: str = ZERO_ADDRESS,
    ruling_s: int = RULING_S,
    default_payee_bps: int = DEFAULT_PAYEE_BPS,
    max_arbiter_fee_bps: int = 0,
    min_fee_bps: int = 0,
    max_fee_bps: int | None = None,
    fee_receiver: str = ZERO_ADDRESS,
    milestones: Sequence[Milestone] = (),
    salt: int | None = None,
) -> PaymentOffer:
    """Terms that begin now: the payer can agree for `authorize_s` seconds, the payee capture for `capture_s` after
    that, and refund for `refund_s` after that. What is said of disputes holds where there is an arbiter. The fee is
    `min_fee_bps` unless `max_fee_bps` allows more. `salt` is random unless given.

    Raises InputError for terms that the contract would not take, or an arbiter with a court that cannot rule by them.
    """
    if not 0 < amount_units <= MOST_UNITS:
        raise InputError(f"found an amount of {amount_units} units, allowed are 1 to 2^96 - 1: name another")
    _require_milestones(milestones, amount_units)
    disputes = arbiter != ZERO_ADDRESS
    now = connection.node.timestamp()
    terms = PaymentTerms(
        payer=payer,
        payee=payee,
        token=token,
        amount_units=amount_units,
        authorize_before=now + authorize_s,
        capture_before=now + authorize_s + capture_s,
        refund_before=now + authorize_s + capture_s + refund_s,
        salt=secrets.randbits(256) if salt is None else salt,
        operator=operator,
        dispute_window_s=dispute_window_s,
        arbiter=arbiter,
        ruling_timeout_s=ruling_s if disputes else 0,
        default_payee_bps=default_payee_bps if disputes else 0,
        max_arbiter_fee_bps=max_arbiter_fee_bps if disputes else 0,
        min_fee_bps=min_fee_bps,
        max_fee_bps=min_fee_bps if max_fee_bps is None else max_fee_bps,
        fee_receiver=fee_receiver,
        milestones_root=milestones_root(list(milestones)) if milestones else bytes(32),
    )
    if wrong := objection(terms):
        raise InputError(f"found terms with {wrong}: the contract makes no such payment, change that")
    if disputes:
        _require_time_to_appeal(connection, arbiter, ruling_s)
    return PaymentOffer(connection.node.chain_id, connection.escrow.address, terms, tuple(milestones))


def _require_time_to_appeal(connection: Connection, arbiter: str, ruling_s: int) -> None:
    """Of an arbiter with a court, whose judge would decide in vain if the default applied before that is final."""
    if not load_artefact(ARTEFACT).is_code(connection.node.code(arbiter)):
        return
    contract = CourtContract(connection.node, arbiter)
    if contract.escrow() != connection.escrow.address:
        raise InputError(
            f"the arbiter {arbiter} divides the payments of {contract.escrow()}, this is {connection.escrow.address}: "
            "name one that was created for here"
        )
    window_s = contract.facts().appeal_window_s
    if ruling_s <= window_s:
        raise InputError(
            f"found {ruling_s} seconds for the ruling, the arbiter {arbiter} gives the parties {window_s} to appeal: "
            "allow more than that, for the judge and for the court too, or the default of the terms applies first"
        )


def _require_milestones(milestones: Sequence[Milestone], amount_units: int) -> None:
    indices = [one.index for one in milestones]
    if len(set(indices)) < len(indices) or any(not 0 <= index < MOST_MILESTONES for index in indices):
        raise InputError(f"found milestones {indices}, allowed are different ones from 0 to {MOST_MILESTONES - 1}")
    total = sum(one.amount_units for one in milestones)
    if milestones and total != amount_units:
        raise InputError(
            f"found milestones of {total} units together, the payment is of {amount_units}: let them add up to it"
        )


def require_escrow(connection: Connection, offer: PaymentOffer) -> None:
    """Raises InputError for a payment on another chain or contract."""
    here = connection.node.chain_id, connection.escrow.address
    if (offer.chain_id, offer.contract) != here:
        raise InputError(
            f"the payment is for {offer.contract} on chain {offer.chain_id}, this is {here[1]} on chain {here[0]}: use "
            "it there, or have terms made for here"
        )
