"""The stage of the gas benchmark: the contracts on a chain whose gas costs nothing, and what every measurement does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_abi.grammar import TupleType, parse
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from benchmarks.standards import OZ_FINITE, OZ_INFINITE, PEERS, USDC, Measurement
from tallystick.contracts import load_artefact
from tallystick.core.deployment import FACTORY
from tallystick.core.period import Unit
from tallystick.flows.deploy import DEPLOYED_CONTRACTS
from tallystick.testing import Anvil, start_anvil

APE_BUILD = Path(__file__).parent.parent / ".build" / "__local__.json"

PRICE_UNITS = 9_990_000
FUNDS_UNITS = 10**12
UNLIMITED = 2**256 - 1
DAY_S = 86_400
MONTH_AND_MORE_S = 32 * DAY_S
GAS_LIMIT = 16_000_000

PER_REGISTER = 1_000_000_000
NOBODY = "0x" + "0" * 40
NO_PROTECTION = (0, NOBODY, 0, 0, 0)
CREATE_PLAN = (
    "createPlan((address,uint96,address,uint32,uint8,uint8,uint96,uint32,uint32,uint16,uint16,uint16,uint16,address,"
    "uint96,uint96,address,uint32,address,bool,uint32,address,uint32,uint16,uint16))"
)


@dataclass(frozen=True, slots=True)
class Sale:
    """A plan in one token, its payee, and payers who let the contract and the limit's contract take their money."""

    kind: str
    token: str
    payee: str
    plan_id: int
    payers: list[str]


def calldata(signature: str, *arguments: Any) -> bytes:
    """A call, by the signature of its function."""
    inputs = parse(signature[signature.index("(") :])
    assert isinstance(inputs, TupleType)
    return keccak(text=signature)[:4] + encode([part.to_type_str() for part in inputs.components], arguments)


def account(name: str) -> str:
    """An address as random as any other, the same in each run."""
    return to_checksum_address(keccak(text=name)[12:])


def creation_code(name: str) -> bytes:
    """Of a mock, from Ape's build. Raises FileNotFoundError where nothing was compiled yet (`make compile`)."""
    found = json.loads(APE_BUILD.read_text())["contractTypes"][name]["deploymentBytecode"]["bytecode"]
    return bytes.fromhex(found.removeprefix("0x"))


class Scene:
    """The contracts on a chain whose gas costs nothing, with every account unlocked."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        anvil.rpc("anvil_autoImpersonateAccount", True)
        anvil.rpc("anvil_setBlockTimestampInterval", 12)
        anvil.rpc("evm_setNextBlockTimestamp", 1_801_389_600)  # 31 January 2027, 10:00
        self.operator = account("operator")
        self.merchant = account("merchant")
        for name in DEPLOYED_CONTRACTS:
            self.send(self.operator, FACTORY, load_artefact(name).deploy_data)
        self.subscriptions = load_artefact("Subscriptions").address
        self.loop = self.create(creation_code("TransferLoop"))
        oz = creation_code("MockToken") + encode(["string", "string", "uint8"], ["Mock Dollar", "MUSD", 6])
        self.tokens = {OZ_INFINITE: self.create(oz), USDC: self.create(load_artefact("MockUSDC").creation_code)}
        self.tokens[OZ_FINITE] = self.tokens[OZ_INFINITE]
        self.plans = 0
        self.registers = 0
        self.newest = 0  # number of the newest subscription

    def send(self, sender: str, to: str | None, data: bytes) -> int:
        """One transaction in a block of its own; the gas it used."""
        return self.send_all([(sender, to, data)])[0]

    def send_all(self, calls: Sequence[tuple[str, str | None, bytes]]) -> list[int]:
        """Many of them, each of another sender, in any order."""
        transactions = [
            {"from": sender, "data": "0x" + data.hex(), "gas": hex(GAS_LIMIT), "gasPrice": "0x0"}
            | ({"to": to} if to else {})
            for sender, to, data in calls
        ]
        hashes = self.anvil.batch([("eth_sendTransaction", [transaction]) for transaction in transactions])
        receipts = [self.anvil.receipt(sent) for sent in hashes]
        assert all(receipt["status"] == "0x1" for receipt in receipts), "a transaction of the benchmark failed"
        return [int(receipt["gasUsed"], 16) for receipt in receipts]

    def create(self, code: bytes) -> str:
        """Creates a contract; its address."""
        self.send(self.operator, None, code)
        sent = self.anvil.rpc("eth_getBlockByNumber", "latest", False)["transactions"][0]
        return str(self.anvil.receipt(sent)["contractAddress"])

    def terms_hash(self, plan_id: int) -> bytes:
        """What payers agree to."""
        call = {"to": self.subscriptions, "data": "0x" + calldata("termsHash(uint256)", plan_id).hex()}
        return bytes.fromhex(self.anvil.rpc("eth_call", call, "latest")[2:])

    def fund(self, kind: str, payers: Sequence[str], *spenders: str) -> None:
        """Money, and what lets others take it."""
        token, value = self.tokens[kind], UNLIMITED if kind == OZ_INFINITE else FUNDS_UNITS
        self.send_all([(payer, token, calldata("mint(address,uint256)", payer, FUNDS_UNITS)) for payer in payers])
        for spender in spenders:
            approve = calldata("approve(address,uint256)", spender, value)
            self.send_all([(payer, token, approve) for payer in payers])

    def create_plan(self, kind: str, payee: str, price_units: int = PRICE_UNITS, usage_units: int = 0) -> int:
        """A monthly plan, with as much usage as is said, for a unit each; the gas it used."""
        self.plans += 1
        usage = (usage_units, 1_000_000 if usage_units else 0, NOBODY)
        terms = (
            payee,
            price_units,
            self.tokens[kind],
            1,
            Unit.MONTH,
            *[0] * 8,
            NOBODY,
            *usage,
            0,
            NOBODY,
            False,
            *NO_PROTECTION,
        )
        create = calldata(CREATE_PLAN, terms)
        return self.send(payee, self.subscriptions, create)

    def subscribe(self, payers: Sequence[str], plan_id: int) -> list[int]:
        """They pay the first period; the gas that each used."""
        self.newest += len(payers)
        subscribe = calldata("subscribe(uint256,bytes32,uint256)", plan_id, self.terms_hash(plan_id), 0)
        return self.send_all([(payer, self.subscriptions, subscribe) for payer in payers])

    def charge(self, ids: Sequence[int]) -> int:
        """Anyone charges; the gas it used for each row."""
        return self.send(self.operator, self.subscriptions, calldata("charge(uint256[])", list(ids))) // len(ids)

    def next_month(self) -> None:
        """A little more than a month later."""
        self.anvil.advance(MONTH_AND_MORE_S)


def measured(op: str, kind: str, n: int, gas: int, limit: int | None = None) -> Measurement:
    """A line with the cheapest of the others beside it: those whose payers keep their money."""
    column = 1 if kind == USDC else 0
    offers = {name: gas[column] for name, gas in PEERS.get((op, n), {}).items()}
    free = {name: gas for name, gas in offers.items() if "prefunded" not in name} or offers
    peer = min(free, key=lambda name: free[name], default=None)
    return Measurement(op, kind, n, gas, limit, free[peer] if peer else None, peer)


def start(*options: str) -> Any:
    """The chain for it: Osaka's rules, and gas that costs nothing."""
    return start_anvil("--hardfork", "osaka", "--block-base-fee-per-gas", "0", "--gas-price", "0", *options)
