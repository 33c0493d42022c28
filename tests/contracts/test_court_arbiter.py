"""CourtArbiter: a judge divides a disputed payment, and either party can take that to a court (ERC-792)."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from tests.contracts.stage import DAY, NOBODY, PRICE, SUBSCRIBED, UNLIMITED, Account, Contract, Stage, reverts

APPEAL_WINDOW = 3 * DAY
RULING = 30 * DAY
COST = 10**16
QUESTION = "/ipfs/QmQuestion/question.json"
DOCUMENT = "/ipfs/QmDocument/evidence.json"
DISPUTED_AT = SUBSCRIBED + DAY
JUDGED_AT = DISPUTED_AT + DAY
NONE, JUDGED, APPEALED, RULED = range(4)
REFUSED, FOR_PAYER, FOR_PAYEE, AS_JUDGED = range(4)
DISPUTED, CLOSED = 2, 3
Terms = tuple[Any, ...]


@pytest.fixture
def judge(accounts: Any) -> Account:
    """The first instance."""
    return accounts[9]


@pytest.fixture(scope="session")
def court(project: Any, stage: Stage) -> Contract:
    """The second one."""
    return project.MockCourt.deploy(sender=stage.anyone)


@pytest.fixture
def arbiter(project: Any, stage: Stage, court: Contract, judge: Account) -> Contract:
    """Both."""
    return created(project, stage, court, judge, APPEAL_WINDOW, b"jurors: 3")


def created(
    project: Any, stage: Stage, court: Contract | Account, judge: Account | str, window: int = 0, data: bytes = b""
) -> Contract:
    """An arbiter of this judge and this court."""
    return project.CourtArbiter.deploy(stage.escrow, court, judge, window, data, QUESTION, sender=stage.anyone)


def held(stage: Stage, payer: Account, arbiter: Contract, *, dispute: bool = True, salt: int = 1) -> Terms:
    """A payment that is held since SUBSCRIBED and disputed since DISPUTED_AT: its terms."""
    terms = (
        *(payer.address, stage.merchant.address, stage.token.address, PRICE, NOBODY),
        *(SUBSCRIBED + 1, SUBSCRIBED + 90 * DAY, SUBSCRIBED + 90 * DAY, 0),
        *(arbiter.address, RULING, 4_000, 500, 0, 0, NOBODY, bytes(32), salt),
    )
    stage.token.approve(stage.escrow, UNLIMITED, sender=payer)
    stage.at(SUBSCRIBED)
    stage.escrow.authorize(terms, 0, b"", sender=payer)
    if dispute:
        stage.at(DISPUTED_AT)
        stage.escrow.dispute(terms, bytes(32), sender=payer)
    return terms


@pytest.fixture
def terms(stage: Stage, payer: Account, arbiter: Contract) -> Terms:
    """The first payer's disputed payment."""
    return held(stage, payer, arbiter)


@pytest.fixture
def judged(stage: Stage, arbiter: Contract, judge: Account, terms: Terms) -> Terms:
    """It, three quarters of which the judge gave to the payee, for a fee of 2 %, at JUDGED_AT."""
    stage.at(JUDGED_AT)
    arbiter.judge(terms, 7_500, 200, sender=judge)
    return terms


@pytest.fixture
def appealed(arbiter: Contract, payer: Account, judged: Terms) -> Terms:
    """It, of which the payer is at the court."""
    arbiter.appeal(judged, value=COST, sender=payer)
    return judged


def stage_of(stage: Stage, arbiter: Contract, terms: Terms) -> int:
    """Where a case stands."""
    return int(arbiter.caseOf(stage.escrow.paymentId(terms)).stage)


def parts(stage: Stage, payer: Account, execute: Any) -> tuple[int, int]:
    """What payee and payer receive of what is done."""
    before = stage.token.balanceOf(stage.merchant), stage.token.balanceOf(payer)
    execute()
    return stage.token.balanceOf(stage.merchant) - before[0], stage.token.balanceOf(payer) - before[1]


# --- The judge ---


@pytest.mark.parametrize("late_s", [-1, 0, 1])
def test_E20_what_was_judged_is_done_when_nobody_appealed_in_time(
    stage: Stage, arbiter: Contract, payer: Account, judge: Account, judged: Terms, late_s: int
) -> None:
    stage.at(JUDGED_AT + APPEAL_WINDOW + late_s)
    if late_s < 0:
        until = JUDGED_AT + APPEAL_WINDOW
        with reverts("AppealNotEnded", appealBefore=until, time=until + late_s):
            arbiter.execute(judged, sender=stage.anyone)
        return
    fee = PRICE * 200 // 10_000
    to_payee = (PRICE - fee) * 7_500 // 10_000
    done = parts(stage, payer, lambda: arbiter.execute(judged, sender=stage.anyone))
    assert done == (to_payee, PRICE - fee - to_payee)
    arbiter.payJudge(stage.token, sender=stage.anyone)
    assert stage.token.balanceOf(judge) == fee
    with reverts("NothingToClaim", account=judge, token=stage.token):
        arbiter.payJudge(stage.token, sender=stage.anyone)
    assert stage.escrow.payment(stage.escrow.paymentId(judged)).status == CLOSED


def test_only_the_judge_judges_once_within_the_terms(
    stage: Stage, arbiter: Contract, payer: Account, judge: Account, terms: Terms
) -> None:
    for sender in (payer, stage.merchant, stage.anyone):
        with reverts("NotAuthorized", caller=sender):
            arbiter.judge(terms, 5_000, 0, sender=sender)
    with reverts("BpsOutOfRange", found=10_001, allowed=10_000):
        arbiter.judge(terms, 10_001, 0, sender=judge)
    with reverts("BpsOutOfRange", found=501, allowed=500):
        arbiter.judge(terms, 5_000, 501, sender=judge)
    arbiter.judge(terms, 10_000, 500, sender=judge)
    with reverts("AnotherStage", paymentId=stage.escrow.paymentId(terms), stage=JUDGED):
        arbiter.judge(terms, 0, 0, sender=judge)


def test_what_is_not_disputed_or_is_another_arbiter_s_is_not_judged(
    stage: Stage, project: Any, arbiter: Contract, court: Contract, payer: Account, judge: Account
) -> None:
    calm = held(stage, payer, arbiter, dispute=False)
    with reverts("NotDisputed", paymentId=stage.escrow.paymentId(calm), status=1):
        arbiter.judge(calm, 5_000, 0, sender=judge)
    other = created(project, stage, court, judge)
    with reverts("AnotherArbiter", found=arbiter):
        other.judge(calm, 5_000, 0, sender=judge)


def test_the_payer_may_give_in_meanwhile(stage: Stage, arbiter: Contract, payer: Account, judged: Terms) -> None:
    stage.escrow.capture(judged, PRICE, 0, sender=payer)
    stage.at(JUDGED_AT + APPEAL_WINDOW)
    with reverts("NotDisputed", paymentId=stage.escrow.paymentId(judged), status=CLOSED):
        arbiter.execute(judged, sender=stage.anyone)


def test_nothing_is_done_before_anything_was_decided(
    stage: Stage, arbiter: Contract, payer: Account, terms: Terms
) -> None:
    payment_id = stage.escrow.paymentId(terms)
    with reverts("AnotherStage", paymentId=payment_id, stage=NONE):
        arbiter.execute(terms, sender=stage.anyone)
    with reverts("AnotherStage", paymentId=payment_id, stage=NONE):
        arbiter.appeal(terms, value=COST, sender=payer)


def test_E41_where_the_judge_is_silent_the_terms_default_applies(stage: Stage, payer: Account, terms: Terms) -> None:
    stage.at(DISPUTED_AT + RULING)
    done = parts(stage, payer, lambda: stage.escrow.ruleByDefault(terms, sender=stage.anyone))
    assert done == (PRICE * 4_000 // 10_000, PRICE - PRICE * 4_000 // 10_000)


def test_E07_a_judge_whom_the_token_blocks_is_paid_later(
    stage: Stage, arbiter: Contract, judge: Account, usdc: Contract
) -> None:
    usdc.mint(arbiter, PRICE, sender=stage.anyone)
    usdc.blacklist(judge, sender=stage.anyone)
    with reverts("TokenRefused", token=usdc):
        arbiter.payJudge(usdc, sender=stage.anyone)
    usdc.unBlacklist(judge, sender=stage.anyone)
    arbiter.payJudge(usdc, sender=stage.anyone)
    assert (usdc.balanceOf(judge), usdc.balanceOf(arbiter)) == (PRICE, 0)


# --- The court ---


@pytest.mark.parametrize(
    ("ruling", "payee_bps"), [(REFUSED, 4_000), (FOR_PAYER, 0), (FOR_PAYEE, 10_000)], ids=["refused", "payer", "payee"]
)
def test_the_court_sets_aside_what_was_judged_and_the_judge_has_no_fee(
    stage: Stage, arbiter: Contract, court: Contract, payer: Account, appealed: Terms, ruling: int, payee_bps: int
) -> None:
    court.giveRuling(1, ruling, sender=stage.anyone)
    to_payee = PRICE * payee_bps // 10_000
    done = parts(stage, payer, lambda: arbiter.execute(appealed, sender=stage.anyone))
    assert done == (to_payee, PRICE - to_payee)
    assert stage.token.balanceOf(arbiter) == 0


def test_the_court_lets_stand_what_was_judged(
    stage: Stage, arbiter: Contract, court: Contract, payer: Account, appealed: Terms
) -> None:
    receipt = court.giveRuling(1, AS_JUDGED, sender=stage.anyone)
    (event,) = receipt.decode_logs(arbiter.Ruling)
    assert (event.arbitrator, event.disputeId, event.ruling) == (court, 1, AS_JUDGED)
    fee = PRICE * 200 // 10_000
    to_payee = (PRICE - fee) * 7_500 // 10_000
    done = parts(stage, payer, lambda: arbiter.execute(appealed, sender=stage.anyone))
    assert done == (to_payee, PRICE - fee - to_payee)
    assert stage.token.balanceOf(arbiter) == fee


@pytest.mark.parametrize("late_s", [-1, 0, 1])
def test_E20_an_appeal_is_possible_until_the_window_ends(
    stage: Stage, arbiter: Contract, court: Contract, judged: Terms, late_s: int
) -> None:
    until = JUDGED_AT + APPEAL_WINDOW
    stage.at(until + late_s)
    if late_s >= 0:
        with reverts("AppealEnded", appealBefore=until, time=until + late_s):
            arbiter.appeal(judged, value=COST, sender=stage.merchant)
        return
    disputes = court.disputes()
    arbiter.appeal(judged, value=COST, sender=stage.merchant)
    assert stage_of(stage, arbiter, judged) == APPEALED
    assert court.choices(disputes + 1) == AS_JUDGED
    assert bytes(arbiter.paymentOf(disputes + 1)) == bytes(stage.escrow.paymentId(judged))


def test_an_appeal_costs_what_the_court_asks_and_the_rest_comes_back(
    stage: Stage, arbiter: Contract, court: Contract, payer: Account, judged: Terms
) -> None:
    assert arbiter.appealCost() == COST
    with reverts("AppealUnderpaid", found=COST - 1, needed=COST):
        arbiter.appeal(judged, value=COST - 1, sender=payer)
    court_had, payer_had = court.balance, payer.balance
    receipt = arbiter.appeal(judged, value=5 * COST, sender=payer)
    assert (court.balance, arbiter.balance) == (court_had + COST, 0)
    assert payer.balance == payer_had - COST - receipt.total_fees_paid
    with reverts("AnotherStage", paymentId=stage.escrow.paymentId(judged), stage=APPEALED):
        arbiter.appeal(judged, value=COST, sender=payer)


def test_only_the_parties_appeal_and_only_the_court_rules(
    stage: Stage, arbiter: Contract, judge: Account, judged: Terms, payer: Account
) -> None:
    for sender in (judge, stage.anyone):
        with reverts("NotAuthorized", caller=sender):
            arbiter.appeal(judged, value=COST, sender=sender)
    arbiter.appeal(judged, value=COST, sender=payer)
    for sender in (judge, payer, stage.anyone):
        with reverts("NotAuthorized", caller=sender):
            arbiter.rule(1, FOR_PAYER, sender=sender)
    with reverts("AnotherStage", paymentId=stage.escrow.paymentId(judged), stage=APPEALED):
        arbiter.execute(judged, sender=stage.anyone)


def test_a_ruling_is_one_of_the_choices_and_the_only_one(stage: Stage, court: Contract, appealed: Terms) -> None:
    with reverts("UnknownRuling", found=4, allowed=3):
        court.giveRuling(1, 4, sender=stage.anyone)
    court.giveRuling(1, FOR_PAYEE, sender=stage.anyone)
    with reverts("AnotherStage", paymentId=stage.escrow.paymentId(appealed), stage=RULED):
        court.giveRuling(1, FOR_PAYER, sender=stage.anyone)


def test_a_dispute_that_nobody_appealed_to_is_unknown(stage: Stage, project: Any, judge: Account) -> None:
    lawless = created(project, stage, stage.anyone, judge)
    with reverts("UnknownDispute", disputeId=7):
        lawless.rule(7, FOR_PAYER, sender=stage.anyone)


@pytest.mark.parametrize(("ruling", "payee_bps"), [(FOR_PAYEE, 10_000), (AS_JUDGED, 4_000)])
def test_without_a_judge_the_court_decides_first(
    stage: Stage, project: Any, court: Contract, payer: Account, ruling: int, payee_bps: int
) -> None:
    arbiter = created(project, stage, court, NOBODY)
    terms = held(stage, payer, arbiter)
    arbiter.appeal(terms, value=COST, sender=stage.merchant)
    court.giveRuling(court.disputes(), ruling, sender=stage.anyone)
    done = parts(stage, payer, lambda: arbiter.execute(terms, sender=stage.anyone))
    assert done == (PRICE * payee_bps // 10_000, PRICE - PRICE * payee_bps // 10_000)


def test_E42_it_divides_between_payer_and_payee_and_keeps_nothing_but_the_fee(
    stage: Stage, arbiter: Contract, payer: Account, judge: Account, terms: Terms
) -> None:
    arbiter.judge(terms, 0, 500, sender=judge)
    stage.at(JUDGED_AT + APPEAL_WINDOW + DAY)
    done = parts(stage, payer, lambda: arbiter.execute(terms, sender=stage.anyone))
    assert done == (0, PRICE - PRICE * 500 // 10_000)
    assert stage.token.balanceOf(arbiter) == PRICE * 500 // 10_000


# --- What the court is shown (ERC-1497) ---


def topics_of(receipt: Any, contract: Contract, signature: str) -> list[list[int]]:
    """The indexed values of the logs that the standard's own signature finds, which interfaces of courts look for."""
    wanted = keccak(text=signature)
    logs = [log for log in receipt.logs if log["address"] == contract.address]
    found = [[bytes(HexBytes(topic)) for topic in log["topics"]] for log in logs]
    return [[int.from_bytes(topic, "big") for topic in topics[1:]] for topics in found if topics[0] == wanted]


def test_the_question_is_told_once_when_the_arbiter_is_created(arbiter: Contract) -> None:
    receipt = arbiter.creation_metadata.receipt
    assert topics_of(receipt, arbiter, "MetaEvidence(uint256,string)") == [[0]]
    (event,) = receipt.decode_logs(arbiter.MetaEvidence)
    assert (event.metaEvidenceId, event.evidence) == (0, QUESTION)


def test_an_appeal_names_the_question_and_the_group_of_the_evidence(
    stage: Stage, arbiter: Contract, court: Contract, payer: Account, judged: Terms
) -> None:
    receipt = arbiter.appeal(judged, value=COST, sender=payer)
    dispute = court.disputes()
    group = int.from_bytes(stage.escrow.paymentId(judged), "big")
    signature = "Dispute(address,uint256,uint256,uint256)"
    assert topics_of(receipt, arbiter, signature) == [[int(court.address, 16), dispute]]
    (event,) = receipt.decode_logs(arbiter.Dispute)
    assert (event.disputeId, event.metaEvidenceId, event.evidenceGroupId) == (dispute, 0, group)


def test_E45_the_parties_and_the_judge_show_documents_before_an_appeal_and_after(
    stage: Stage, arbiter: Contract, payer: Account, judge: Account, judged: Terms
) -> None:
    group = int.from_bytes(stage.escrow.paymentId(judged), "big")

    def show() -> None:
        for sender in (payer, stage.merchant, judge):
            receipt = arbiter.submitEvidence(judged, DOCUMENT, sender=sender)
            signature = "Evidence(address,uint256,address,string)"
            expected = [int(arbiter.COURT(), 16), group, int(sender.address, 16)]
            assert topics_of(receipt, arbiter, signature) == [expected]
            (event,) = receipt.decode_logs(arbiter.Evidence)
            assert event.evidence == DOCUMENT

    show()
    arbiter.appeal(judged, value=COST, sender=payer)
    show()
    with reverts("NotAuthorized", caller=stage.anyone):
        arbiter.submitEvidence(judged, DOCUMENT, sender=stage.anyone)


def test_documents_are_shown_of_a_dispute_that_is_this_arbiter_s(
    stage: Stage, project: Any, arbiter: Contract, court: Contract, payer: Account, judge: Account
) -> None:
    calm = held(stage, payer, arbiter, dispute=False)
    with reverts("NotDisputed", paymentId=stage.escrow.paymentId(calm), status=1):
        arbiter.submitEvidence(calm, DOCUMENT, sender=payer)
    with reverts("AnotherArbiter", found=arbiter):
        created(project, stage, court, judge).submitEvidence(calm, DOCUMENT, sender=payer)
