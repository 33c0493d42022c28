"""Disputes before judge and court, by the facade."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from eth_abi.abi import encode
from eth_account import Account
from sqlalchemy import Engine

from tallystick import AsyncTallystick, Config, PaymentOffer, PaymentStatus, Tallystick
from tallystick.chain.rpc import Rpc
from tallystick.contracts import load_artefact
from tallystick.core.court import CourtRuling, Stage
from tallystick.core.payment_events import Ruled
from tallystick.errors import (
    AnotherStage,
    AppealEnded,
    AppealNotEnded,
    AppealUnderpaid,
    BpsOutOfRange,
    FundsTooLow,
    InputError,
    KeyMissing,
    NotAuthorized,
    NotDisputed,
    NothingToClaim,
    RulingEnded,
)
from tallystick.flows.audit_payments import audit_payments
from tallystick.flows.ingest import Target, ingest
from tallystick.flows.payment_books import ESCROW
from tallystick.storage.database import open_database
from tests.business import Business, calldata
from tests.chain.mocks import created
from tests.client.conftest import Connect
from tests.databases import NewDatabase

DAY = 86_400
JUDGE, STRANGER = 4, 5
COST = 10**16
QUESTION, DOCUMENT = "/ipfs/QmQuestion/question.json", "/ipfs/QmDocument/exhibit.json"
RULING_S, APPEAL_S = 60 * DAY, 3 * DAY


class Case(NamedTuple):
    """Who takes part in a payment that is disputed, its arbiter and the court."""

    offer: PaymentOffer
    arbiter: str
    court: str
    judge: Tallystick
    stranger: Tallystick

    def rules(self, business: Business, ruling: CourtRuling) -> None:
        """The court rules on its first dispute."""
        data = calldata("MockCourt", "giveRuling", 1, int(ruling))
        business.send(business.operator, self.court, data)


def coins(business: Business, account: str) -> int:
    """What an account has in wei."""
    return int(business.anvil.rpc("eth_getBalance", account, "latest"), 16)


@pytest.fixture
def court(business: Business) -> str:
    return created(business, "MockCourt")


def disputed(merchant: Tallystick, payer: Tallystick, business: Business, arbiter: str, **more: Any) -> PaymentOffer:
    """A payment of 25.00 that the payer disputes, half of which goes to the payee by default."""
    terms = {"max_arbiter_fee_bps": 500, "ruling_s": RULING_S, "capture_s": 90 * DAY} | more
    offer = merchant.payment_terms(payer=payer.address, amount="25.00", token=business.token, arbiter=arbiter, **terms)
    payer.authorize(offer)
    payer.dispute(offer)
    return offer


@pytest.fixture
def case(merchant: Tallystick, payer: Tallystick, as_account: Connect, business: Business, court: str) -> Case:
    judge = as_account(JUDGE)
    deployed = merchant.deploy_court_arbiter(
        court=court, judge=judge.address, appeal_s=APPEAL_S, court_data=b"jurors: 3", question=QUESTION
    )
    offer = disputed(merchant, payer, business, deployed.address)
    return Case(offer, deployed.address, court, judge, as_account(STRANGER))


def test_an_arbiter_is_created_once_and_says_what_it_is(case: Case, merchant: Tallystick, payer: Tallystick) -> None:
    values: dict[str, Any] = {"court": case.court, "judge": case.judge.address, "court_data": b"jurors: 3"}
    again = payer.deploy_court_arbiter(**values, appeal_s=APPEAL_S, question=QUESTION)
    assert (again.address, again.transaction) == (case.arbiter, None)
    other = payer.deploy_court_arbiter(**values, appeal_s=APPEAL_S + 1, question=QUESTION)
    assert other.address != case.arbiter
    assert other.transaction is not None
    state = merchant.court_arbiter(case.arbiter)
    facts = state.facts
    assert (facts.judge, facts.court, facts.appeal_window_s) == (case.judge.address, case.court, APPEAL_S)
    assert (facts.court_data, state.question) == (b"jurors: 3", QUESTION)
    assert state.appeal_cost is not None
    assert state.appeal_cost.units == COST


def test_what_the_judge_decides_is_done_when_nobody_appealed(
    case: Case, merchant: Tallystick, payer: Tallystick, business: Business
) -> None:
    state = payer.court_case(case.offer)
    assert (state.stage, state.decision, state.appeal_before) == (Stage.NONE, None, None)
    with pytest.raises(AnotherStage):
        payer.appeal(case.offer)
    with pytest.raises(BpsOutOfRange):
        case.judge.judge(case.offer, payee_bps=5_000, fee_bps=501)
    case.judge.judge(case.offer, payee_bps=7_500, fee_bps=200)
    with pytest.raises(AnotherStage):
        case.judge.judge(case.offer, payee_bps=0)
    state = payer.court_case(case.offer)
    assert state.appeal_before == business.anvil.timestamp + APPEAL_S
    assert state.ruling_before == payer.payment(case.offer).since + RULING_S
    assert state.division is not None
    with pytest.raises(AppealNotEnded):
        case.stranger.execute(case.offer)
    business.anvil.advance(APPEAL_S)
    ruled = case.stranger.execute(case.offer).one(Ruled)
    assert (ruled.to_payee_units, ruled.to_payer_units, ruled.arbiter_fee_units) == state.division
    assert ruled == (case.offer.payment_id, 18_375_000, 6_125_000, 500_000, 0, False)
    after = merchant.court_case(case.offer)
    assert (after.status, after.division, after.options) == (PaymentStatus.CLOSED, None, ())
    case.stranger.pay_judge(case.arbiter, business.token)
    balance = {"to": business.token, "data": calldata("MockUSDC", "balanceOf", case.judge.address)}
    assert int(business.anvil.rpc("eth_call", balance, "latest"), 16) == 500_000
    with pytest.raises(NothingToClaim):
        case.stranger.pay_judge(case.arbiter, business.token)


@pytest.mark.parametrize(
    ("ruling", "parts"),
    [
        (CourtRuling.REFUSED, (12_500_000, 12_500_000, 0)),
        (CourtRuling.FOR_PAYER, (0, 25_000_000, 0)),
        (CourtRuling.FOR_PAYEE, (25_000_000, 0, 0)),
        (CourtRuling.AS_JUDGED, (18_375_000, 6_125_000, 500_000)),
    ],
)
def test_what_is_appealed_the_court_divides(
    case: Case,
    merchant: Tallystick,
    business: Business,
    new_database: NewDatabase,
    ruling: CourtRuling,
    parts: tuple[int, int, int],
) -> None:
    case.judge.judge(case.offer, payee_bps=7_500, fee_bps=200)
    had = coins(business, case.court)
    merchant.appeal(case.offer)
    assert coins(business, case.court) == had + COST
    state = merchant.court_case(case.offer)
    assert (state.stage, state.dispute_id, state.decision) == (Stage.APPEALED, 1, None)
    assert state.appeal_cost is None
    with pytest.raises(AnotherStage):
        case.stranger.execute(case.offer)
    case.rules(business, ruling)
    state = merchant.court_case(case.offer)
    assert (state.stage, state.ruling, state.division) == (Stage.RULED, ruling, parts)
    ruled = case.stranger.execute(case.offer).one(Ruled)
    assert (ruled.to_payee_units, ruled.to_payer_units, ruled.arbiter_fee_units) == parts
    business.anvil.finalize()
    assert agrees(business, open_database(new_database()))


def agrees(business: Business, engine: Engine) -> bool:
    """Whether the books, mirrored now, agree with the chain."""
    contract, rpc = business.manifest.contract("Escrow"), Rpc(business.anvil.url)
    target = Target(business.anvil.chain_id, contract.address, contract.start_block, kind=ESCROW)
    ingest(engine, rpc, target)
    return audit_payments(engine, rpc, target).ok


def test_E20_an_appeal_in_the_last_second_and_one_too_late(
    case: Case, payer: Tallystick, merchant: Tallystick, business: Business
) -> None:
    case.judge.judge(case.offer, payee_bps=0)
    until = payer.court_case(case.offer).appeal_before
    assert until is not None
    snapshot = business.anvil.rpc("evm_snapshot")
    business.anvil.rpc("evm_setNextBlockTimestamp", hex(until - 1))
    merchant.appeal(case.offer)
    assert business.anvil.timestamp == until - 1
    business.anvil.rpc("evm_revert", snapshot)
    business.anvil.set_time(until)
    with pytest.raises(AppealEnded) as caught:
        merchant.appeal(case.offer)
    assert caught.value.appeal_before == until
    assert [option.verb for option in payer.court_case(case.offer).options] == [
        *("court execute", "court evidence", "rule --default"),
    ]


def test_strangers_neither_judge_nor_appeal_nor_rule(case: Case, payer: Tallystick, merchant: Tallystick) -> None:
    for anybody in (payer, merchant, case.stranger):
        with pytest.raises(NotAuthorized) as caught:
            anybody.judge(case.offer, payee_bps=10_000)
        assert caught.value.caller == anybody.address
        with pytest.raises(NotAuthorized):
            anybody.rule(case.offer, "25.00")
    case.judge.judge(case.offer, payee_bps=0)
    for other in (case.judge, case.stranger):
        with pytest.raises(NotAuthorized):
            other.appeal(case.offer)
    with pytest.raises(NotAuthorized):
        case.stranger.show_evidence(case.offer, DOCUMENT)
    assert payer.court_case(case.offer).documents == ()


def test_an_appeal_is_paid_in_full_or_not_sent(case: Case, payer: Tallystick, business: Business) -> None:
    case.judge.judge(case.offer, payee_bps=0)
    with pytest.raises(AppealUnderpaid) as caught:
        payer.appeal(case.offer, cost_wei=COST - 1)
    assert (caught.value.found, caught.value.needed) == (COST - 1, COST)
    business.send(business.operator, case.court, calldata("MockCourt", "setCost", 10**24))
    with pytest.raises(FundsTooLow, match="the court asks 1000000000000000000000000"):
        payer.appeal(case.offer)
    business.send(business.operator, case.court, calldata("MockCourt", "setCost", 0))
    assert payer.appeal(case.offer, cost_wei=COST).receipt.transaction  # what is too much returns
    assert coins(business, case.arbiter) == 0


def test_E45_documents_are_shown_before_an_appeal_and_after(
    case: Case, payer: Tallystick, merchant: Tallystick, business: Business
) -> None:
    payer.show_evidence(case.offer, DOCUMENT)
    case.judge.judge(case.offer, payee_bps=0)
    merchant.appeal(case.offer)
    case.judge.show_evidence(case.offer, "ipfs://judgment")
    found = payer.court_case(case.offer).documents
    assert [(document.by, document.uri) for document, _ in found] == [
        (payer.address, DOCUMENT),
        (case.judge.address, "ipfs://judgment"),
    ]
    assert found[1][1] == business.anvil.timestamp
    for wrong in ("", " ", "two\nlines"):
        with pytest.raises(InputError, match="where the document is"):
            payer.show_evidence(case.offer, wrong)
    merchant.void(case.offer)
    with pytest.raises(NotDisputed):
        payer.show_evidence(case.offer, DOCUMENT)


def test_without_a_judge_the_court_decides_first(
    merchant: Tallystick, payer: Tallystick, business: Business, court: str
) -> None:
    deployed = merchant.deploy_court_arbiter(court=court)
    state = payer.court_arbiter(deployed.address)
    assert (state.facts.judge, state.facts.appeal_window_s, state.question) == (None, 0, "")
    offer = disputed(merchant, payer, business, deployed.address)
    payer.appeal(offer)
    business.send(business.operator, court, calldata("MockCourt", "giveRuling", 1, int(CourtRuling.FOR_PAYER)))
    assert payer.execute(offer).one(Ruled).to_payer_units == 25_000_000


def test_E41_where_the_court_is_silent_the_default_applies(
    case: Case, merchant: Tallystick, payer: Tallystick, business: Business
) -> None:
    case.judge.judge(case.offer, payee_bps=0)
    payer.appeal(case.offer)
    business.anvil.advance(RULING_S)
    assert [option.verb for option in payer.court_case(case.offer).options] == ["rule --default"]
    case.rules(business, CourtRuling.FOR_PAYER)
    with pytest.raises(RulingEnded):
        payer.execute(case.offer)
    assert merchant.rule_by_default(case.offer).one(Ruled).to_payee_units == 12_500_000


def test_what_is_no_court_and_no_arbiter_is_refused(
    case: Case, merchant: Tallystick, payer: Tallystick, business: Business
) -> None:
    for wrong in (business.token, payer.address):
        with pytest.raises(InputError, match="what it costs"):
            merchant.deploy_court_arbiter(court=wrong, judge=case.judge.address)
    for window in (0, 2**32):
        with pytest.raises(InputError, match="allowed are 1 to"):
            merchant.deploy_court_arbiter(court=case.court, judge=case.judge.address, appeal_s=window)
    with pytest.raises(InputError, match="has no code"):
        merchant.court_arbiter(payer.address)
    with pytest.raises(InputError, match="is not that of an arbiter"):
        merchant.court_arbiter(business.token)
    values = encode(
        ["address", "address", "address", "uint256", "bytes", "string"],
        [business.token, case.court, case.judge.address, 1, b"", ""],
    )
    code = load_artefact("CourtArbiter").creation_code + values
    elsewhere = business.send(business.operator, None, "0x" + code.hex())["contractAddress"]
    plain: dict[str, Any] = {"payer": payer.address, "amount": "1", "token": business.token}
    for refused in (
        lambda: merchant.court_arbiter(elsewhere),
        lambda: merchant.payment_terms(**plain, arbiter=elsewhere),
    ):
        with pytest.raises(InputError, match="name one that was created for here"):
            refused()
    with pytest.raises(InputError, match="name no arbiter"):
        merchant.court_case(merchant.payment_terms(**plain))


def test_terms_leave_the_parties_time_to_appeal(case: Case, merchant: Tallystick, payer: Tallystick) -> None:
    values: dict[str, Any] = {
        "payer": payer.address,
        "amount": "1",
        "token": case.offer.terms.token,
        "arbiter": case.arbiter,
    }
    with pytest.raises(InputError, match=f"gives the parties {APPEAL_S} to appeal"):
        merchant.payment_terms(**values, ruling_s=APPEAL_S)
    assert merchant.payment_terms(**values, ruling_s=APPEAL_S + 1).terms.ruling_timeout_s == APPEAL_S + 1


def test_who_only_looks_needs_no_key(case: Case, business: Business, manifest: Path) -> None:
    looking = Tallystick.connect(Config(), rpc_url=business.anvil.url, deployment=manifest)
    assert looking.court_case(case.offer).stage is Stage.NONE
    with pytest.raises(KeyMissing):
        looking.judge(case.offer, payee_bps=0)


def test_the_same_in_an_event_loop(case: Case, business: Business, manifest: Path, payer: Tallystick) -> None:
    async def story() -> None:
        judge, party = [
            await AsyncTallystick.connect(
                Config(),
                rpc_url=business.anvil.url,
                deployment=manifest,
                signer=Account.from_key(business.anvil.key(index)),
            )
            for index in (JUDGE, 2)
        ]
        await judge.judge(case.offer, payee_bps=10_000)
        await party.show_evidence(case.offer, DOCUMENT)
        await party.appeal(case.offer)
        case.rules(business, CourtRuling.FOR_PAYER)
        state = await party.court_case(case.offer)
        assert state.division == (0, 25_000_000, 0)
        assert (await party.execute(case.offer)).one(Ruled).to_payer_units == 25_000_000
        assert (await party.court_arbiter(case.arbiter)).question == QUESTION

    asyncio.run(story())
    assert payer.payment(case.offer).status is PaymentStatus.CLOSED
