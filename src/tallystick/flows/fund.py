"""Funding: the right to move a payer's tokens, by an allowance, a permit, or Permit2, which has allowances of its
own."""

from __future__ import annotations

from enum import Enum

from tallystick.chain.permit2 import Permit2Contract
from tallystick.chain.sender import Receipt
from tallystick.chain.token import UNLIMITED_UNITS
from tallystick.core.conditions import NO_CONDITIONS, Conditions
from tallystick.core.permit import SignedPermit
from tallystick.core.permit2 import MOST_UNITS, NO_EXPIRY, PERMIT2, SignedPermit2
from tallystick.core.plan import PlanTerms
from tallystick.errors import InputError, MaximumMissing, PermitUnsupported, SeatsOutOfRange
from tallystick.flows.connect import Connection

PERIODS = 12
"""For how many periods an allowance is given unless told otherwise."""


class Funding(Enum):
    """Where the contract's right to move the payer's tokens comes from."""

    AUTO = "auto"
    """From the allowance where it covers the periods asked for, else by permit, else by approval."""
    PERMIT = "permit"
    APPROVE = "approve"
    ALLOWANCE = "allowance"
    """From an allowance that is there already."""


def rate_of(terms: PlanTerms, seats: int) -> int:
    """What a period costs with so many seats, in units of the token or of the plan's quoter.

    Raises SeatsOutOfRange where the plan does not sell as many.
    """
    fewest, most = terms.seats_allowed()
    if not fewest <= seats <= most:
        raise SeatsOutOfRange(seats, most)
    return terms.rate(seats)


def needed_units(
    terms: PlanTerms, seats: int, periods: int, conditions: Conditions = NO_CONDITIONS, *, plan_id: int = 0
) -> int:
    """What so many periods may cost, usage up to its cap included: by the price, or where that is quoted by the payer's
    maximum. Raises SeatsOutOfRange, InputError for no period, and MaximumMissing where a quoted plan has no maximum."""
    if periods < 1:
        raise InputError(
            f"found {periods} periods to give an allowance for, at least 1 is needed: the first is paid now"
        )
    rate_units = rate_of(terms, seats)
    if terms.quoter is None:
        return periods * (rate_units + terms.usage_cap_units)
    if not conditions.max_per_period_units:
        raise MaximumMissing(plan_id)
    return periods * conditions.max_per_period_units


def allowance_of(connection: Connection, token: str, account: str, *, by_permit2: bool = False) -> int:
    """What the contract may move of an account's tokens now: by the token's allowance, or by the lower one of Permit2's
    in the token and the contract's in Permit2."""
    contract = connection.token(token)
    if not by_permit2:
        return contract.allowance(account, connection.contract.address)
    below = Permit2Contract(connection.node).allowance(account, token, connection.contract.address)
    return min(contract.allowance(account, PERMIT2), below.units_at(connection.node.timestamp()))


def wanted_allowance(connection: Connection, token: str, needed: int, funding: Funding) -> int | None:
    """The allowance to give for `needed` units more; None where the one that is there is to do.

    It is raised, not set: in one token it is one number for all subscriptions of a payer.
    """
    found = connection.token(token).allowance(connection.sender.address, connection.contract.address)
    return _raised(found, needed, funding, UNLIMITED_UNITS)


def _raised(found: int, needed: int, funding: Funding, most: int) -> int | None:
    if funding is Funding.ALLOWANCE or (funding is Funding.AUTO and found >= needed):
        return None
    return min(found + needed, most)


def sign_permit(
    connection: Connection, token: str, spender: str, funding: Funding, units: int, deadline: int
) -> SignedPermit | None:
    """A permit of the signer. None where the token takes none and `funding` leaves the choice, or is another."""
    if funding is Funding.APPROVE:
        return None
    try:
        return connection.token(token).sign_permit(connection.sender.signer, spender, units, deadline)
    except PermitUnsupported:
        if funding is Funding.PERMIT:
            raise
        return None


def approve_needed(
    connection: Connection, token: str, needed: int, funding: Funding, *, by_permit2: bool = False
) -> list[Receipt]:
    """Raises the signer's allowance by `needed` units where `funding` asks for it, through Permit2 in both places; a
    token that takes changes from zero alone is set to zero first. Raises what `Sender.send` does, TokenReverted, and
    InputError where the chain has no Permit2."""
    sender, contract = connection.sender, connection.contract.address
    if not by_permit2:
        wanted = wanted_allowance(connection, token, needed, funding)
        return [] if wanted is None else connection.token(token).approve(sender, contract, wanted)
    permit2 = Permit2Contract(connection.node)
    below = permit2.allowance(sender.address, token, contract).units_at(connection.node.timestamp())
    above = connection.token(token).allowance(sender.address, PERMIT2)
    receipts = []
    wanted = _raised(above, needed, funding, UNLIMITED_UNITS)
    if wanted is not None:
        receipts += connection.token(token).approve(sender, PERMIT2, wanted)
    wanted = _raised(below, needed, funding, MOST_UNITS)
    if wanted is not None:
        receipts.append(permit2.approve(sender, token, contract, wanted))
    return receipts


def sign_permits2(
    connection: Connection, token: str, needed: int, funding: Funding, deadline: int, expiration: int = NO_EXPIRY
) -> tuple[SignedPermit | None, SignedPermit2 | None]:
    """What the signer signs so that the contract may move `needed` units more through Permit2: the token's permit for
    Permit2, where it takes one, and Permit2's for the contract. None for what is enough already."""
    signer, contract = connection.sender.signer, connection.contract.address
    permit2 = Permit2Contract(connection.node)
    below = permit2.allowance(signer.address, token, contract).units_at(connection.node.timestamp())
    above = connection.token(token).allowance(signer.address, PERMIT2)
    permit, single = None, None
    wanted = _raised(above, needed, funding, UNLIMITED_UNITS)
    if wanted is not None:
        permit = sign_permit(connection, token, PERMIT2, funding, wanted, deadline)
    wanted = _raised(below, needed, funding, MOST_UNITS)
    if wanted is not None:
        single = permit2.sign(signer, token, contract, wanted, deadline, expiration)
    return permit, single


def approve(
    connection: Connection,
    plan_id: int,
    periods: int = PERIODS,
    seats: int | None = None,
    *,
    conditions: Conditions = NO_CONDITIONS,
) -> list[Receipt]:
    """Raises the signer's allowance by `periods` periods of a plan: one transaction, or two where it must go to zero
    first; with conditions by Permit2 at Permit2 as well. `seats`: the fewest that the plan sells unless given.

    Of a plan with a quoted price the conditions' maximum counts. Raises UnknownPlan, SeatsOutOfRange, MaximumMissing,
    TokenReverted, and what `Sender.send` raises.
    """
    terms = connection.contract.plan(plan_id).terms
    seats = terms.seats_allowed()[0] if seats is None else seats
    needed = needed_units(terms, seats, periods, conditions, plan_id=plan_id)
    return approve_needed(connection, terms.token, needed, Funding.APPROVE, by_permit2=conditions.by_permit2)
