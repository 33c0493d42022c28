"""Cases before judge and court, and the documents that a court reads, without a chain."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.court import (
    ArbiterFacts,
    CaseFacts,
    CourtRuling,
    Decision,
    Stage,
    appeal_before,
    case_options,
    decision,
    division,
)
from tallystick.core.court_documents import exhibit_document, multihash, question_document
from tallystick.core.payment import MOST_UNITS, PaymentTerms

DAY = 86_400
PAYER, PAYEE, TOKEN, ARBITER, COURT, JUDGE = (f"0x{number:040x}" for number in range(1, 7))
FACTS = ArbiterFacts(ARBITER, COURT, JUDGE, 3 * DAY, b"")
DISPUTED_AT, JUDGED_AT = 1_000_000, 1_000_000 + DAY
ENDS = DISPUTED_AT + 30 * DAY
TERMS = PaymentTerms(
    *(PAYER, PAYEE, TOKEN, 100, ENDS, ENDS, ENDS, 1),
    arbiter=ARBITER,
    ruling_timeout_s=30 * DAY,
    default_payee_bps=4_000,
)
NOTHING = CaseFacts(Stage.NONE, CourtRuling.REFUSED, 0, 0, 0)
JUDGED = CaseFacts(Stage.JUDGED, CourtRuling.REFUSED, 7_500, 200, JUDGED_AT)


def ruled(ruling: CourtRuling) -> CaseFacts:
    return JUDGED._replace(stage=Stage.RULED, ruling=ruling)


def test_what_would_be_done() -> None:
    def found(case: CaseFacts, facts: ArbiterFacts = FACTS) -> Decision | None:
        return decision(facts, case, TERMS.default_payee_bps)

    assert found(NOTHING) is None
    assert found(JUDGED._replace(stage=Stage.APPEALED)) is None
    assert found(JUDGED) == (7_500, 200)
    assert [found(ruled(ruling)) for ruling in CourtRuling] == [(4_000, 0), (0, 0), (10_000, 0), (7_500, 200)]
    assert found(ruled(CourtRuling.AS_JUDGED), replace(FACTS, judge=None)) == (4_000, 0)


@given(st.integers(0, MOST_UNITS), st.integers(0, 10_000), st.integers(0, 10_000))
def test_E38_the_parts_are_what_was_held(held_units: int, payee_bps: int, fee_bps: int) -> None:
    parts = division(Decision(payee_bps, fee_bps), held_units)
    assert sum(parts) == held_units
    assert min(parts) >= 0
    assert parts.judge_units * 10_000 <= held_units * fee_bps


def test_until_when_an_appeal_is_possible() -> None:
    assert appeal_before(FACTS, NOTHING) is None
    assert appeal_before(FACTS, JUDGED) == JUDGED_AT + 3 * DAY
    assert appeal_before(replace(FACTS, judge=None), ruled(CourtRuling.REFUSED)) is None


@pytest.mark.parametrize(
    ("case", "has_judge", "time", "verbs"),
    [
        (NOTHING, True, DISPUTED_AT, ["court judge by judge", "court evidence by payer, payee or judge"]),
        (NOTHING, False, DISPUTED_AT, ["court appeal by payer or payee", "court evidence by payer or payee"]),
        (
            *(JUDGED, True, JUDGED_AT),
            ["court appeal by payer or payee", "court execute by anyone", "court evidence by payer, payee or judge"],
        ),
        (
            *(JUDGED, True, JUDGED_AT + 3 * DAY),
            ["court execute by anyone", "court evidence by payer, payee or judge"],
        ),
        (
            *(JUDGED._replace(stage=Stage.APPEALED), True, JUDGED_AT),
            ["the court's ruling by court", "court evidence by payer, payee or judge"],
        ),
        (
            *(ruled(CourtRuling.FOR_PAYEE), True, JUDGED_AT),
            ["court execute by anyone", "court evidence by payer, payee or judge"],
        ),
        (JUDGED, True, ENDS, []),
    ],
)
def test_E20_who_may_do_what_and_when(case: CaseFacts, has_judge: bool, time: int, verbs: list[str]) -> None:
    facts = FACTS if has_judge else replace(FACTS, judge=None)
    found = case_options(facts, case, TERMS, since=DISPUTED_AT, time=time)
    assert [f"{option.verb} by {option.by}" for option in found] == [*verbs, "rule --default by anyone"]
    executing = [option for option in found if option.verb == "court execute" and case is JUDGED]
    assert all(option.since == JUDGED_AT + 3 * DAY for option in executing)


def test_each_ruling_has_its_title_in_its_place() -> None:
    """A court counts titles from 1: were they in another order, it would rule for the other party."""
    written = json.loads(question_document(title="T", description="D", question="Q"))
    titles = dict(enumerate(written["rulingOptions"]["titles"], start=1))
    assert titles == {
        CourtRuling.FOR_PAYER: "For the payer",
        CourtRuling.FOR_PAYEE: "For the payee",
        CourtRuling.AS_JUDGED: "As the judge decided",
    }
    assert len(written["rulingOptions"]["descriptions"]) == len(titles)
    assert (written["title"], written["description"], written["question"]) == ("T", "D", "Q")
    assert "fileURI" not in written
    policy = question_document(
        title="T",
        description="D",
        question="Q",
        policy_uri="/ipfs/Q",
        policy_hash=keccak(b"policy"),
        policy_extension="pdf",
    )
    assert json.loads(policy)["fileHash"] == multihash(keccak(b"policy"))


def test_an_exhibit_names_its_file_by_the_hash_that_the_escrow_keeps() -> None:
    file_hash = keccak(b"a broken chair")
    written = json.loads(exhibit_document(name="N", description="D", file_uri="/ipfs/Q", file_hash=file_hash))
    own = written.pop("selfHash")
    assert written == {"name": "N", "description": "D", "fileURI": "/ipfs/Q", "fileHash": multihash(file_hash)}
    assert decoded(written["fileHash"]) == b"\x1b\x40" + file_hash.hex().encode()
    text = f'{{"name":"N","description":"D","fileURI":"/ipfs/Q","fileHash":"{multihash(file_hash)}"}}'
    assert decoded(own) == b"\x1b\x40" + keccak(text=text).hex().encode()


def test_a_hash_is_written_as_archon_writes_it() -> None:
    """The example of its documentation, in docs/hashing of https://github.com/kleros/archon."""
    shown = "Bce1WTQa7bfrJMFdEJuWV2xHsmj5JcDDyqBKGXu6PHZsn5e5oxkJ8cMJcuFDK1VsQYBtfrzgWkKCovWSvsacgN1XTj"
    digest = bytes.fromhex("ef4a855d48f9a9fe721879f825b5c05c3aa978ef3db8f47bd26bb53080d0b936")
    assert multihash(digest) == shown


def decoded(text: str) -> bytes:
    """Base 58 read back, written anew: place values from the alphabet without 0, O, I and l."""
    alphabet = [c for c in map(chr, itertools.chain(range(49, 58), range(65, 91), range(97, 123))) if c not in "OIl"]
    number: int = sum(alphabet.index(digit) * 58**place for place, digit in enumerate(reversed(text)))
    return number.to_bytes(66, "big")
