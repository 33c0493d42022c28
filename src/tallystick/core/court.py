"""An arbiter of two instances, as `CourtArbiter` has it: where a case stands, what follows from it, who may do what.

A judge divides a disputed payment; payer or payee may take that to a court (ERC-792) for a while; what is final then
anyone has the escrow do. Times are Unix seconds, parts hundredths of a percent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from tallystick.core.payment import PaymentTerms
from tallystick.core.payment_options import Option

WHOLE_BPS = 10_000


class Stage(IntEnum):
    """Where a case stands, as `ICourtArbiter.Stage`."""

    NONE = 0
    JUDGED = 1
    APPEALED = 2
    RULED = 3


class CourtRuling(IntEnum):
    """What a court can rule, as `ICourtArbiter.CourtRuling`. Where it refuses to, the terms' default applies."""

    REFUSED = 0
    FOR_PAYER = 1
    FOR_PAYEE = 2
    AS_JUDGED = 3


@dataclass(frozen=True, slots=True)
class ArbiterFacts:
    """What an arbiter was created with, for ever. `judge` is None where the court decides first; `court_data` tells the
    court which of its courts it is, and how many jurors."""

    address: str
    court: str
    judge: str | None
    appeal_window_s: int
    court_data: bytes


class CaseFacts(NamedTuple):
    """A case as the contract keeps it; zeros where nothing was decided."""

    stage: Stage
    ruling: CourtRuling
    payee_bps: int
    fee_bps: int
    judged_at: int


class Decision(NamedTuple):
    """How a payment is to be divided: the judge's fee of what is held, and the payee's part of the rest."""

    payee_bps: int
    fee_bps: int


class Division(NamedTuple):
    """What each receives, in base units; the three add up to what was held."""

    payee_units: int
    payer_units: int
    judge_units: int


class Judged(NamedTuple):
    """The judge decided."""

    payment_id: bytes
    payee_bps: int
    fee_bps: int


class Appealed(NamedTuple):
    """A party took it to the court, whose number for it is `dispute_id`."""

    payment_id: bytes
    by: str
    dispute_id: int


class MetaEvidence(NamedTuple):
    """Where the document is that tells the court what it is asked (ERC-1497)."""

    meta_evidence_id: int
    uri: str


class EvidenceShown(NamedTuple):
    """Where a document is that a party, or the judge, shows to the court (ERC-1497)."""

    payment_id: bytes
    by: str
    uri: str


CourtEvent = Judged | Appealed | MetaEvidence | EvidenceShown


def decision(facts: ArbiterFacts, case: CaseFacts, default_payee_bps: int) -> Decision | None:
    """What would be done of a case if nothing more happened; None where nothing was decided yet."""
    if case.stage in {Stage.NONE, Stage.APPEALED}:
        return None
    if case.stage is Stage.RULED and case.ruling is not CourtRuling.AS_JUDGED:
        by_ruling = {CourtRuling.FOR_PAYER: 0, CourtRuling.FOR_PAYEE: WHOLE_BPS}
        return Decision(by_ruling.get(case.ruling, default_payee_bps), 0)
    if facts.judge is None:
        return Decision(default_payee_bps, 0)
    return Decision(case.payee_bps, case.fee_bps)


def division(found: Decision, held_units: int) -> Division:
    """Fee and payee's part are rounded down, the payer has the rest."""
    judge_units = held_units * found.fee_bps // WHOLE_BPS
    payee_units = (held_units - judge_units) * found.payee_bps // WHOLE_BPS
    return Division(payee_units, held_units - judge_units - payee_units, judge_units)


def appeal_before(facts: ArbiterFacts, case: CaseFacts) -> int | None:
    """Until when what was judged can be appealed; None where no judgment has such a time."""
    return case.judged_at + facts.appeal_window_s if case.stage is not Stage.NONE and facts.judge else None


def case_options(
    facts: ArbiterFacts, case: CaseFacts, terms: PaymentTerms, *, since: int, time: int
) -> tuple[Option, ...]:
    """What may be done at `time`, or later if nothing happens, of a payment that is disputed since `since`. Verbs are
    those of `tallystick escrow`."""
    ruling_before = since + terms.ruling_timeout_s
    found = _all(facts, case, terms, since, ruling_before)
    return tuple(option for option in found if option.until is None or time < option.until)


def _all(facts: ArbiterFacts, case: CaseFacts, terms: PaymentTerms, since: int, ends: int) -> Iterator[Option]:
    parties = (terms.payer, terms.payee)
    who, accounts = "payer or payee", parties
    if case.stage is Stage.NONE and facts.judge is not None:
        yield Option("court judge", "judge", (facts.judge,), since, ends)
    elif case.stage is Stage.NONE:
        yield Option("court appeal", who, accounts, since, ends)
    elif case.stage is Stage.JUDGED:
        final = case.judged_at + facts.appeal_window_s
        yield Option("court appeal", who, accounts, case.judged_at, min(final, ends))
        yield Option("court execute", "anyone", (), final, max(final, ends))
    elif case.stage is Stage.APPEALED:
        yield Option("the court's ruling", "court", (facts.court,), since, ends)
    else:
        yield Option("court execute", "anyone", (), since, ends)
    showing = (*parties, facts.judge) if facts.judge else parties
    yield Option("court evidence", "payer, payee or judge" if facts.judge else who, showing, since, ends)
    yield Option("rule --default", "anyone", (), ends, None)
