"""What each function of the contract can emit and refuse, and in which order, as its sources say.

solc's syntax tree is walked as the code runs: arguments before the call, then the body of what is called. Both sides of
an `if` are walked, and what other contracts do is not. So the errors come in the order in which they are checked.

Of what the contract calls in a frame of its own (`ISubscriptionsFrames`) the events are walked; the errors are where
they reach who called, elsewhere they decline a row.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

from tests.docs.blocks import ROOT

PARTS = {
    "Subscriptions": {
        "Subscriptions": "ISubscriptionsCore",
        "SubscriptionsPayee": "ISubscriptionsPayee",
        "SubscriptionsPayer": "ISubscriptionsPayer",
        "SubscriptionsCharges": "ISubscriptionsFrames",
        "SubscriptionsConsent": "ISubscriptionsConsent",
        "SubscriptionsViews": "ISubscriptionsViews",
    },
    "Escrow": {"Escrow": "IEscrow"},
    "CourtArbiter": {"CourtArbiter": "ICourtArbiter"},
    "Checkout": {"Checkout": "ICheckout"},
    "SwapCollector": {"SwapCollector": "ISwapCollector"},
    "Channels": {"Channels": "IChannels"},
    "ChannelPlan": {"ChannelPlan": "IChannelPlan"},
    "UniswapSwapper": {"UniswapSwapper": "ISwapper"},
}
"""Each part of a contract with the interface whose functions it implements, and those that the interface extends."""
CHANGING = {"nonpayable", "payable"}
"""How the functions are declared that change state."""
READING = ("ChainlinkQuoter",)
"""Contracts that only read."""
FRAMES = ("SubscriptionsCharges", "ISubscriptionsFrames")
PASSED_ON = {"chargeFirst"}
"""Frames whose errors are not caught."""
SOURCES = [f"contracts/{part}.sol" for part in (*(part for parts in PARTS.values() for part in parts), *READING)]
REMAPPING = "@openzeppelin/contracts/=node_modules/@openzeppelin/contracts/"

Node = dict[str, Any]


@dataclass(frozen=True)
class Verb:
    """A function of `contract` that changes state. `errors` in the order in which they are checked first, `events`
    without order; `before` has pairs of events of which the first is always emitted before the second, where both are:
    in no part of the code is it the other way round."""

    contract: str
    name: str
    errors: tuple[str, ...]
    events: frozenset[str]
    before: frozenset[tuple[str, str]]


@cache
def verbs(contract: str = "Subscriptions") -> dict[str, Verb]:
    """Every function of a contract's interface that changes state, by its name."""
    tree = _tree()
    return {function["name"]: tree.verb(contract, function) for function in tree.functions(contract)}


@cache
def view(contract: str, name: str) -> Verb:
    """A function of a contract that only reads."""
    return _tree().view(contract, name)


@cache
def _tree() -> _Tree:
    return _Tree()


class _Tree:
    """The sources, analysed. Raises AssertionError where solc finds an error in them."""

    def __init__(self) -> None:
        units = [source["ast"] for source in _analysed().values()]
        self._nodes = {node["id"]: node for unit in units for node in _within(unit)}
        self._contracts = {unit_["name"]: unit_ for unit in units for unit_ in unit["nodes"] if "contractKind" in unit_}

    def functions(self, contract: str) -> Iterator[Node]:
        """As they are implemented."""
        for part, interface in PARTS[contract].items():
            declared = [self._nodes[base] for base in self._contracts[interface]["linearizedBaseContracts"]]
            promised = {
                function["functionSelector"]
                for function in (node for base in declared for node in base["nodes"])
                if function.get("stateMutability") in CHANGING and "functionSelector" in function
            }
            yield from self._implemented(part, promised)

    def view(self, contract: str, name: str) -> Verb:
        """The function of that name, as it is implemented."""
        (function,) = (node for node in self._contracts[contract]["nodes"] if node.get("name") == name)
        return self.verb(contract, function)

    def _implemented(self, part: str, selectors: set[str]) -> list[Node]:
        """By the part itself, or by what it is built of."""
        bases = [self._nodes[base] for base in self._contracts[part]["linearizedBaseContracts"]]
        functions = [node for base in bases for node in base["nodes"] if node.get("implemented")]
        found = [function for function in functions if function.get("functionSelector") in selectors]
        assert len(found) == len(selectors), part
        return found

    def verb(self, contract: str, function: Node) -> Verb:
        happens = list(self._happens(function, frozenset()))
        errors = [self._named(node) for node in happens if node["nodeType"] == "RevertStatement"]
        events = self._events(function)
        pairs = set(self._before(happens))
        before = frozenset((one, other) for one, other in pairs if (other, one) not in pairs)
        return Verb(contract, function["name"], tuple(dict.fromkeys(errors)), events, before)

    def _before(self, happens: list[Node]) -> Iterator[tuple[str, str]]:
        """From every list of statements: what the earlier emits comes before what the later does."""
        for block in (node for node in happens if node["nodeType"] in {"Block", "UncheckedBlock"}):
            emitted = [self._events(statement) for statement in block["statements"]]
            for earlier, later in combinations(emitted, 2):
                yield from ((one, other) for one in earlier - later for other in later - earlier)

    def _events(self, node: Node) -> frozenset[str]:
        found = self._happens(node, frozenset())
        return frozenset(self._named(part) for part in found if part["nodeType"] == "EmitStatement")

    def _named(self, statement: Node) -> str:
        call: Node = statement["eventCall" if statement["nodeType"] == "EmitStatement" else "errorCall"]
        name: str = call["expression"].get("memberName") or call["expression"]["name"]
        return name.rpartition(".")[2]

    def _happens(self, node: Node, running: frozenset[int]) -> Iterator[Node]:
        """Every node in the order in which the code runs, with what is called."""
        if node["nodeType"] == "FunctionDefinition":
            if node["id"] in running:
                return
            running |= {node["id"]}
            for modifier in node["modifiers"]:
                applied = self._nodes[modifier["modifierName"]["referencedDeclaration"]]
                if applied["nodeType"] == "ModifierDefinition":
                    yield from self._happens(applied["body"], running)
            if node["body"]:
                yield from self._happens(node["body"], running)
            return
        yield node
        for part in _parts(node):
            yield from self._happens(part, running)
        if node["nodeType"] == "FunctionCall" and (called := self._called(node)) is not None:
            yield from self._happens(called, running)
        if node["nodeType"] == "FunctionCall" and (frame := self._frame(node)) is not None:
            for inner in self._happens(frame, running):
                if inner["nodeType"] != "RevertStatement" or frame["name"] in PASSED_ON:
                    yield inner

    def _called(self, call: Node) -> Node | None:
        """The function, unless it is of another contract (or of this one from without)."""
        kind = call["expression"]["typeDescriptions"]["typeIdentifier"]
        if not kind.startswith(("t_function_internal", "t_function_delegatecall")):
            return None
        called = self._nodes.get(call["expression"].get("referencedDeclaration", 0))
        return called if called and called["nodeType"] == "FunctionDefinition" else None

    def _frame(self, call: Node) -> Node | None:
        """What the contract calls of itself, as it is implemented."""
        part, interface = FRAMES
        called = self._nodes.get(call["expression"].get("referencedDeclaration", 0))
        if called is None or called.get("scope") != self._contracts[interface]["id"]:
            return None
        (found,) = self._implemented(part, {called["functionSelector"]})
        return found


def _analysed() -> dict[str, Any]:
    request = {
        "language": "Solidity",
        "sources": {name: {"content": (ROOT / name).read_text()} for name in SOURCES},
        "settings": {
            "remappings": [REMAPPING],
            "evmVersion": "cancun",
            "outputSelection": {"*": {"": ["ast"]}},
        },
    }
    done = subprocess.run(
        [ROOT / "toolchain" / "solc-v0.8.37", "--standard-json", "--base-path", "."],
        input=json.dumps(request),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert [error for error in answer.get("errors", []) if error["severity"] == "error"] == []
    sources: dict[str, Any] = answer["sources"]
    return sources


def _parts(node: Node) -> list[Node]:
    """What a node consists of, in the order of the text, but a call's arguments before what is called."""
    values = [part for value in node.values() for part in (value if isinstance(value, list) else [value])]
    parts = [part for part in values if isinstance(part, dict) and "id" in part and "src" in part]
    called = node["expression"] if node["nodeType"] == "FunctionCall" else None
    return sorted(parts, key=lambda part: (part is called, int(part["src"].partition(":")[0])))


def _within(node: Node) -> Iterator[Node]:
    yield node
    for part in _parts(node):
        yield from _within(part)
