"""Subscribing, in each of the ways in which a payer may consent and fund: directly or by mandate, by an allowance that
is there, by a permit, or by an approval."""

from __future__ import annotations

import secrets
from enum import Enum

from tallystick.chain.sender import Receipt
from tallystick.chain.subscriptions import Sent
from tallystick.chain.token import UNLIMITED_UNITS
from tallystick.core.mandate import Mandate, SignedMandate, typed_data
from tallystick.core.permit import SignedPermit
from tallystick.core.plan import Plan, PlanTerms
from tallystick.errors import BalanceTooLow, InputError, PermitUnsupported, SeatsOutOfRange
from tallystick.flows.connect import Connection

PERMIT_VALID_S = 3_600
"""How long a permit that goes out at once may take to be mined."""
MANDATE_VALID_S = 7 * 86_400
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


def agreed(connection: Connection, plan: int | Plan) -> Plan:
    """A plan that is to be agreed to: as it was seen, where the plan itself is given; else as it stands now.

    Raises UnknownPlan.
    """
    return plan if isinstance(plan, Plan) else connection.contract.plan(plan)


def subscribe(
    connection: Connection,
    plan: int | Plan,
    *,
    seats: int = 0,
    funding: Funding = Funding.AUTO,
    periods: int = PERIODS,
) -> Sent:
    """The signer subscribes to a plan, on the terms that it has now or as it was seen, and pays the first period where
    no trial comes first.

    `periods`: for how many periods, usage up to its cap included, the allowance is raised by a permit or an approval.
    Raises SeatsOutOfRange and BalanceTooLow before anything is sent, PermitUnsupported where `funding` asks for a
    permit, what `Subscriptions.subscribe` raises, and SignerErrors.
    """
    plan = agreed(connection, plan)
    payer = connection.sender.address
    rate_units = rate_of(plan.terms, seats)
    if not has_trial(connection, plan, payer):
        balance_units = connection.token(plan.terms.token).balance(payer)
        if balance_units < rate_units:
            raise BalanceTooLow(balance_units, rate_units)
    wanted_units = _wanted(connection, plan.terms, rate_units, funding, periods)
    permit = None
    if wanted_units is not None:
        deadline = connection.node.timestamp() + PERMIT_VALID_S
        permit = _permit(connection, plan.terms, funding, wanted_units, deadline)
        if permit is None:
            contract = connection.contract.address
            connection.token(plan.terms.token).approve(connection.sender, contract, wanted_units)
    return connection.contract.subscribe(plan, seats, permit)


def rate_of(terms: PlanTerms, seats: int) -> int:
    """What a period costs with so many seats. Raises SeatsOutOfRange where the plan does not sell as many."""
    fewest, most = terms.seats_allowed()
    if not fewest <= seats <= most:
        raise SeatsOutOfRange(seats, most)
    return terms.rate(seats)


def has_trial(connection: Connection, plan: Plan, payer: str) -> bool:
    """Whether a subscription of this payer would begin with the plan's trial."""
    return plan.terms.trial > 0 and not connection.contract.is_trial_used(plan.plan_id, payer)


def sign_mandate(
    connection: Connection,
    plan: int | Plan,
    *,
    seats: int = 0,
    funding: Funding = Funding.AUTO,
    periods: int = PERIODS,
    valid_s: int = MANDATE_VALID_S,
    salt: int | None = None,
) -> SignedMandate:
    """The signer consents to a plan, for anyone to submit within `valid_s` seconds from now. Nothing is sent.

    With a permit for `periods` periods where the token takes one; where it does not, the payer needs an allowance
    before the mandate is submitted. `salt` is drawn at random unless given. Raises PermitUnsupported where `funding`
    asks for a permit, UnknownPlan, SeatsOutOfRange, KeyMissing, or InputError for an approval, which would be a
    transaction.
    """
    if funding is Funding.APPROVE:
        raise InputError("a mandate sends nothing, so it cannot approve: choose a permit, or approve first")
    signer = connection.sender.signer
    plan = agreed(connection, plan)
    rate_units = rate_of(plan.terms, seats)
    valid_before = connection.node.timestamp() + valid_s
    salt = secrets.randbits(256) if salt is None else salt
    mandate = Mandate(signer.address, plan.plan_id, salt, valid_before, seats)
    wanted_units = _wanted(connection, plan.terms, rate_units, funding, periods)
    permit = None
    if wanted_units is not None:
        permit = _permit(connection, plan.terms, funding, wanted_units, valid_before)
    contract = connection.contract.address
    used = plan.terms.trial > 0 and not has_trial(connection, plan, signer.address)
    message = typed_data(mandate, plan, chain_id=connection.node.chain_id, contract=contract, trial_used=used)
    return SignedMandate(connection.node.chain_id, contract, mandate, signer.sign_typed_data(message), permit)


def submit_mandate(connection: Connection, signed: SignedMandate) -> Sent:
    """Submits a payer's mandate; the signer pays the gas, the payer the first period.

    Raises InputError for a mandate for another chain or contract, and what `Subscriptions.submit_mandate` raises.
    """
    require_here(connection, "mandate", signed.chain_id, signed.contract)
    return connection.contract.submit_mandate(signed.mandate, signed.signature, signed.permit)


def require_here(connection: Connection, what: str, chain_id: int, contract: str) -> None:
    """Raises InputError for a signature (`what` it is) that is good on another chain or for another contract."""
    here = (connection.node.chain_id, connection.contract.address)
    if (chain_id, contract) != here:
        raise InputError(
            f"the {what} is for {contract} on chain {chain_id}, this is {here[1]} on chain {here[0]}: "
            "submit it there, or have the payer sign one for here"
        )


def approve(connection: Connection, plan_id: int, periods: int = PERIODS, seats: int | None = None) -> list[Receipt]:
    """Raises the signer's allowance by `periods` periods of a plan: one transaction, or two where it must go to zero
    first. `seats`: the fewest that the plan sells unless given. Raises UnknownPlan, SeatsOutOfRange, TokenReverted, and
    what `Sender.send` raises."""
    terms = connection.contract.plan(plan_id).terms
    rate_units = rate_of(terms, terms.seats_allowed()[0] if seats is None else seats)
    units = _wanted(connection, terms, rate_units, Funding.APPROVE, periods)
    assert units is not None  # APPROVE always wants one
    return connection.token(terms.token).approve(connection.sender, connection.contract.address, units)


def _wanted(connection: Connection, terms: PlanTerms, rate_units: int, funding: Funding, periods: int) -> int | None:
    """The allowance to give, for the periods and as much usage as they may have; None where the one that is there is to
    do.

    It is raised, not set: in one token it is one number for all subscriptions of a payer.
    """
    if periods < 1:
        raise InputError(
            f"found {periods} periods to give an allowance for, at least 1 is needed: the first is paid now"
        )
    token, contract = connection.token(terms.token), connection.contract.address
    found_units = token.allowance(connection.sender.address, contract)
    needed_units = periods * (rate_units + terms.usage_cap_units)
    if funding is Funding.ALLOWANCE or (funding is Funding.AUTO and found_units >= needed_units):
        return None
    return min(found_units + needed_units, UNLIMITED_UNITS)


def _permit(
    connection: Connection, terms: PlanTerms, funding: Funding, units: int, deadline: int
) -> SignedPermit | None:
    """None where the token takes none and `funding` leaves the choice, or is another."""
    if funding is Funding.APPROVE:
        return None
    try:
        return connection.token(terms.token).sign_permit(
            connection.sender.signer, connection.contract.address, units, deadline
        )
    except PermitUnsupported:
        if funding is Funding.PERMIT:
            raise
        return None
