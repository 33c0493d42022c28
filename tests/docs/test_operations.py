"""docs/operations says of each verb what the contracts' sources say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tallystick.contracts import load_artefact
from tallystick.core.channel_events import Refusal
from tallystick.core.subscription import DeclineReason
from tests.docs.beginnings import OPERATIONS, OPERATIONS_OF, QUOTE
from tests.docs.blocks import ROOT, blocks_of, prose_of, table_of
from tests.docs.verbs import CHANGING, Verb, verbs, view

PAGES_OF = {
    contract: sorted(set(folder.glob("*.md")) - {folder / "README.md", QUOTE})
    for contract, folder in OPERATIONS_OF.items()
}
PAGES = [page for pages in PAGES_OF.values() for page in pages]
SECTIONS = [
    *("Who may call", "What it checks, in order", "What it changes", "What it emits, in order", "What it costs"),
    "Example",
]
ERRORS, EVENTS = "| it checks that | or reverts with | what to do |", "| event | what it says |"
OF_OPENZEPPELIN = {"InvalidShortString", "StringTooLong", "AddressEmptyCode", "FailedCall"}
"""In the ABI because of a name that is too long, which this contract's is not; or of its Multicall."""
INHERITED: dict[str, set[str]] = {"Channels": {"multicall"}}
"""Functions of OpenZeppelin's that are no verbs of the contract's own: its README has them."""
IN_ASSEMBLY: dict[str, dict[str, set[str]]] = {"Channels": {"fill": {"ChannelOpened"}}}
"""Events that a verb emits where the walk through the sources does not see it."""
TOLD_AT_CREATION = {"MetaEvidence"}
"""Events of a constructor, which is no verb."""
OWN_FRAMES: dict[str, set[str]] = {
    "Subscriptions": {"chargeRun", "chargeSpecialRow", "chargeFirst", "collect"},
    "Escrow": set(),
    "CourtArbiter": set(),
    "Checkout": set(),
    "SwapCollector": set(),
    "Channels": set(),
    "ChannelPlan": set(),
    "UniswapSwapper": set(),
}
"""What only the contract itself calls, and the escrow of it."""
AT_CREATION = {
    "UniswapSwapper": {"NotAContract"},
    "ChainlinkQuoter": {"NotAContract", "DecimalsTooHigh", "ConfigContradicts"},
    "ChannelPlan": {"SafeERC20FailedOperation", "ZeroAddress", "PartyRefused", "WithdrawDelayOutOfRange"},
}
"""Errors of the constructor, which stand in the text."""
BY_ALLOWANCE = {"InsufficientGas"}
"""Where money moves by allowance: only through Permit2 is gas reserved for it."""
FIRST_CHARGE = {
    *("NotAuthorized", "ConditionsEnded", "OverMandate", "Claimable", "CreditUsed", "PaidByFallback", "PlanChanged"),
    "PaidInAlternative",
}
"""Of a first charge, which the contract has charged in a frame of its own: what is beyond the conditions is
`FirstChargeDeclined`, nothing is kept for who cannot receive it, and a subscription that begins has no credit, no
fallback and no change scheduled."""
AT_ONCE = {"PlanIsQuoted"}
"""Of a change that is made at once."""
WITHIN_THE_TERMS = {"FeeOutOfRange"}
"""Of a ruling, whose fee is the terms' own."""
CANNOT_HAPPEN: dict[str, dict[str, set[str]]] = {
    "Subscriptions": {
        **dict.fromkeys(("subscribe", "subscribeWithPermit", "submitMandate", "submitMandateWithPermit"), BY_ALLOWANCE),
        **dict.fromkeys(("refund", "refundChanged", "cancelWithRefund"), BY_ALLOWANCE),
        **dict.fromkeys(("subscribeWithConditions", "submitMandateWithConditions"), FIRST_CHARGE),
        **dict.fromkeys(("scheduleChange", "scheduleChangeBySignature"), AT_ONCE),
    },
    "Escrow": dict.fromkeys(("rule", "ruleByDefault"), WITHIN_THE_TERMS),
}
"""Of each contract: errors and events that stand in what a verb runs, in a branch that it does not take."""
CALL = re.compile(r"`((\w+)\(([^`]*)\))`")

contracts = pytest.mark.parametrize("contract", OPERATIONS_OF)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")


def abi_of(contract: str) -> list[dict[str, Any]]:
    return load_artefact(contract).abi


def contract_of(page: Path) -> str:
    return next(contract for contract, folder in OPERATIONS_OF.items() if page.parent == folder)


def signature(function: dict[str, Any]) -> str:
    """As the pages write it: with the names of structs, without where things are stored; not all values have names."""

    def listed(parts: list[dict[str, Any]]) -> str:
        kinds = [re.sub(r"^(struct|enum) (\w+\.)?", "", part["internalType"]) for part in parts]
        return ", ".join(f"{kind} {part['name']}".strip() for kind, part in zip(kinds, parts, strict=True))

    returned = f" returns ({listed(function['outputs'])})" if function["outputs"] else ""
    return f"{function['name']}({listed(function['inputs'])}){returned}"


def told(contract: str, kind: str) -> dict[str, list[str]]:
    """The names of the values of each event, or error."""
    entries = [entry for entry in abi_of(contract) if entry["type"] == kind]
    return {entry["name"]: [part["name"] for part in entry["inputs"]] for entry in entries}


def signatures_on(page: Path) -> list[str]:
    return next(blocks_of(page)).text.splitlines()


def verbs_on(page: Path) -> list[Verb]:
    return [verbs(contract_of(page))[line.partition("(")[0]] for line in signatures_on(page)]


def can_happen(verb: Verb, name: str) -> bool:
    return name not in CANNOT_HAPPEN.get(verb.contract, {}).get(verb.name, set())


def section(page: Path, heading: str) -> str:
    """Its text, in one line."""
    text = prose_of(page).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return " ".join(text.split())


def purpose(page: Path) -> str:
    """What stands below the title."""
    return page.read_text().splitlines()[2]


def named(page: Path, heading: str, column: int) -> list[tuple[str, list[str]]]:
    """Names in this column of a table, and the names of their values; none where there is no such table."""
    if heading not in page.read_text():
        return []
    found = [CALL.fullmatch(f"`{row[column]}`") for row in table_of(page, heading)]
    return [(match[2], [part for part in match[3].split(", ") if part]) for match in found if match]


@contracts
def test_every_function_that_changes_state_has_its_place_and_nothing_else_has(contract: str) -> None:
    called = [entry for entry in abi_of(contract) if entry["type"] == "function"]
    functions = {entry["name"]: signature(entry) for entry in called if entry["stateMutability"] in CHANGING}
    assert {entry["stateMutability"] for entry in called} <= {*CHANGING, "view", "pure"}
    inherited = INHERITED.get(contract, set())
    assert set(functions) == {*verbs(contract), *OWN_FRAMES[contract], *inherited}
    for name in inherited:
        assert f"`{name}`" in (OPERATIONS_OF[contract] / "README.md").read_text()
        del functions[name]
    for name in OWN_FRAMES[contract]:
        assert f"`{name}`" in section(OPERATIONS / "charge.md", SECTIONS[1])
        del functions[name]
    pages = PAGES_OF[contract]
    assert sorted(line for page in pages for line in signatures_on(page)) == sorted(functions.values())
    assert [signatures_on(page)[0].partition("(")[0] for page in pages] == [page.stem for page in pages]


@every_page
def test_a_page_has_every_section(page: Path) -> None:
    lines = prose_of(page).splitlines()
    assert lines[0] == f"# {page.stem}"
    assert re.fullmatch(r"[^.]+\.", purpose(page)), "one sentence"
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == SECTIONS
    assert [heading for heading in SECTIONS if not section(page, heading)] == []


@every_page
def test_the_checks_are_the_contract_s_in_its_order(page: Path) -> None:
    rows = named(page, ERRORS, 1)
    assert len(rows) == len(table_of(page, ERRORS))
    for name, values in rows:
        assert told(contract_of(page), "error")[name] == values, name
    shown = list(dict.fromkeys(name for name, _ in rows))
    expected = {verb.name: [error for error in verb.errors if can_happen(verb, error)] for verb in verbs_on(page)}
    assert set(shown) == {error for errors in expected.values() for error in errors}
    for verb, errors in expected.items():
        assert [error for error in shown if error in errors] == errors, verb


@every_page
def test_the_events_are_the_contract_s_in_its_order(page: Path) -> None:
    if not any(verb.events for verb in verbs_on(page)):
        assert EVENTS not in page.read_text()
        assert section(page, SECTIONS[3]).startswith("Nothing of its own: ")
        return
    rows = named(page, EVENTS, 0)
    assert len(rows) == len(table_of(page, EVENTS))
    for name, values in rows:
        assert told(contract_of(page), "event")[name] == values, name
    shown = [name for name, _ in rows]
    for verb in verbs_on(page):
        emitted = verb.events | IN_ASSEMBLY.get(verb.contract, {}).get(verb.name, set())
        assert set(shown) == {event for event in emitted if can_happen(verb, event)}, verb.name
        pairs = [(one, other) for one, other in verb.before if one in shown and other in shown]
        wrong = [(one, other) for one, other in pairs if shown.index(one) > shown.index(other)]
        assert wrong == [], verb.name


@contracts
def test_every_error_and_event_of_the_contract_is_on_a_page(contract: str) -> None:
    errors = {name for page in PAGES_OF[contract] for name, _ in named(page, ERRORS, 1)}
    at_creation = AT_CREATION.get(contract, set())
    assert errors == told(contract, "error").keys() - OF_OPENZEPPELIN - at_creation
    text = (OPERATIONS_OF[contract] / "README.md").read_text()
    assert [name for name in at_creation if f"`{name}(" not in text] == []
    events = {name for page in PAGES_OF[contract] for name, _ in named(page, EVENTS, 0)}
    assert events == told(contract, "event").keys() - {"EIP712DomainChanged", *TOLD_AT_CREATION}


@every_page
def test_what_is_written_like_an_error_or_an_event_is_one(page: Path) -> None:
    """Or a type that is signed, as the sources have it."""
    sources = "".join(path.read_text() for path in (ROOT / "contracts").glob("*.sol"))
    known = told(contract_of(page), "error") | told(contract_of(page), "event")
    for whole, name, values in CALL.findall(" ".join(prose_of(page).split())):
        if name[0].isupper():
            assert [part for part in values.split(", ") if part] == known.get(name) or whole in sources, whole


def test_every_reason_of_a_decline_is_on_the_page_of_charge() -> None:
    table = table_of(OPERATIONS / "charge.md", "| reason | the row declines because |")
    shown = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", row[0]).upper() for row in table}
    assert shown == {reason.name for reason in DeclineReason} - {"NONE"}


def test_every_reason_of_a_skipped_row_is_on_the_page_of_claim_rows() -> None:
    table = table_of(OPERATIONS / "channels" / "claimRows.md", "| reason | the row pays nothing because |")
    shown = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", row[0]).upper() for row in table}
    assert shown == {reason.name for reason in Refusal} - {"NONE"}


@contracts
def test_the_table_of_all_is_what_the_pages_say(contract: str) -> None:
    folder = OPERATIONS_OF[contract]
    rows = table_of(folder / "README.md", "| function | who may call | what for | page |")
    assert sorted(row[3] for row in rows) == sorted(f"[{page.stem}]({page.name})" for page in PAGES_OF[contract])
    for functions, who, what, link in rows:
        page = folder / link.partition("(")[2].strip(")")
        assert re.findall(r"\w+", functions) == [verb.name for verb in verbs_on(page)]
        assert what == purpose(page)
        said = re.findall(r"anyone|payer|payee", section(page, SECTIONS[0]).lower())
        assert set(re.findall(r"anyone|payer|payee", who)) <= set(said), page.stem
        refused = all("NotAuthorized" in verb.errors and can_happen(verb, "NotAuthorized") for verb in verbs_on(page))
        assert not (refused and "anyone" in who), page.stem


@every_page
def test_what_it_costs_is_what_make_bench_prints(page: Path) -> None:
    text = section(page, "What it costs")
    results = [ROOT / "benchmarks" / "results" / name for name in ("gas.json", "gas-conversion.json")]
    measured = {row["op"] for file in results for row in json.loads(file.read_text())}
    listed = re.search(r"in the rows? (`[^`]+`(?:(?:, | and )`[^`]+`)*)", text)
    rows = re.findall(r"`([^`]+)`", listed[1]) if listed else []
    assert set(rows) <= measured
    assert bool(rows) == (not text.startswith("`make bench` does not measure it."))
    assert not re.search(r"\d{3} gas|\d,\d{3}", text), "numbers are in gas.json"


def test_the_page_of_the_quote_is_what_the_quoter_does() -> None:
    """As a verb's page, of a contract that has none: each error of it, in its order, or at its creation."""
    test_a_page_has_every_section(QUOTE)
    test_what_it_costs_is_what_make_bench_prints(QUOTE)
    errors = told("ChainlinkQuoter", "error")
    rows = named(QUOTE, ERRORS, 1)
    assert [name for name, _ in rows] == list(view("ChainlinkQuoter", "quote").errors)
    assert dict(rows).items() <= errors.items()
    assert {name for name, _ in rows} | AT_CREATION["ChainlinkQuoter"] == errors.keys()
    text = prose_of(QUOTE)
    assert all(f"`{name}({', '.join(errors[name])})`" in text for name in AT_CREATION["ChainlinkQuoter"])
    called = {entry["name"]: entry for entry in abi_of("ChainlinkQuoter") if entry["type"] == "function"}
    assert {entry["stateMutability"] for entry in called.values()} == {"view"}
    assert signatures_on(QUOTE) == [signature(called["quote"])]


@pytest.mark.parametrize("verb", ["pause", "charge"])
def test_the_walk_through_the_sources_sees_what_it_should(verb: str) -> None:
    """Two that can be read at a glance."""
    expected = {
        "pause": ("ReentrancyGuardReentrantCall", "UnknownSubscription", "NotAuthorized", "NotActive", "ChargeDue"),
        "charge": ("ReentrancyGuardReentrantCall", "InsufficientGas", "AmountMismatch"),
    }
    assert verbs()[verb].errors == expected[verb]
    assert ("CreditUsed", "Charged") in verbs()["charge"].before
    assert ("PlanChanged", "Quoted") in verbs()["charge"].before  # of a frame of its own


def test_what_cannot_happen_stands_in_the_code_all_the_same() -> None:
    for contract, of_contract in CANNOT_HAPPEN.items():
        for name, excepted in of_contract.items():
            verb = verbs(contract)[name]
            assert excepted <= {*verb.errors, *verb.events}, name
