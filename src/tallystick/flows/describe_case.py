"""A case before judge and court as people want to see it: where it stands, what follows, what an appeal costs."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.chain.court import CourtContract
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.court import (
    ArbiterFacts,
    CourtRuling,
    Decision,
    Division,
    EvidenceShown,
    Stage,
    appeal_before,
    case_options,
    decision,
    division,
)
from tallystick.core.money import Amount, Token
from tallystick.core.payment import PaymentStatus
from tallystick.core.payment_options import Option
from tallystick.core.payment_texts import PaymentOffer
from tallystick.errors import RevertError
from tallystick.flows.connect import Connection
from tallystick.flows.court import arbiter_of, open_arbiter

COIN_DECIMALS = 18


def coin(chain_id: int) -> Token:
    """A chain's own coin, in which courts are paid; its units are wei."""
    return Token(chain_id, ZERO_ADDRESS, "coin", COIN_DECIMALS)


@dataclass(frozen=True, slots=True)
class ArbiterState:
    """An arbiter, what its court is asked (where that document is), and what an appeal costs now; None where the court
    does not say."""

    facts: ArbiterFacts
    question: str
    appeal_cost: Amount | None


@dataclass(frozen=True, slots=True)
class CaseState:
    """A case as it stands on chain at `time`, the head's, in Unix seconds.

    `ruling` is the court's, `judged_at` when the judge decided, `dispute_id` the court's number; None before that.
    `decision` and `division` are what would be done if nothing more happened, of what is held now; None where nothing
    was decided, or it is done. Until `appeal_before` what was judged can be appealed, from `ruling_before` on the
    terms' default applies. `documents` are what judge and court were shown, each with its block's time. `options` are
    what may be done now or later.
    """

    offer: PaymentOffer
    arbiter: ArbiterFacts
    status: PaymentStatus
    held: Amount
    stage: Stage
    ruling: CourtRuling | None
    judged_at: int | None
    dispute_id: int | None
    decision: Decision | None
    division: Division | None
    appeal_before: int | None
    ruling_before: int | None
    appeal_cost: Amount | None
    documents: tuple[tuple[EvidenceShown, int], ...]
    options: tuple[Option, ...]
    time: int


def describe_arbiter(connection: Connection, address: str) -> ArbiterState:
    """Raises InputError where there is no arbiter with a court, or a NodeError."""
    contract = open_arbiter(connection, address)
    return ArbiterState(contract.facts(), contract.question(connection.escrow_start_block), _cost(contract))


def describe_case(connection: Connection, offer: PaymentOffer) -> CaseState:
    """Raises InputError for a payment of another chain, or whose arbiter is none with a court, or a NodeError."""
    contract = arbiter_of(connection, offer)
    facts, case = contract.facts(), contract.case(offer.payment_id)
    payment, token = connection.escrow.payment(offer.payment_id), connection.token(offer.terms.token).describe()
    time, status = connection.node.timestamp(), PaymentStatus(payment.status)
    is_disputed = status is PaymentStatus.DISPUTED
    start_block = connection.node.first_block_at(payment.since, start=connection.escrow_start_block)
    was_appealed = case.stage in {Stage.APPEALED, Stage.RULED}
    decided = decision(facts, case, offer.terms.default_payee_bps)
    return CaseState(
        offer,
        facts,
        status,
        Amount(payment.held_units, token),
        case.stage,
        case.ruling if case.stage is Stage.RULED else None,
        case.judged_at or None,
        contract.dispute_id(offer.payment_id, start_block) if was_appealed else None,
        decided,
        division(decided, payment.held_units) if decided and is_disputed else None,
        appeal_before(facts, case),
        payment.since + offer.terms.ruling_timeout_s if is_disputed else None,
        _cost(contract) if is_disputed and not was_appealed else None,
        tuple(contract.shown(offer.payment_id, start_block)),
        case_options(facts, case, offer.terms, since=payment.since, time=time) if is_disputed else (),
        time,
    )


def _cost(contract: CourtContract) -> Amount | None:
    try:
        return Amount(contract.appeal_cost_wei(), coin(contract.node.chain_id))
    except RevertError:
        return None
