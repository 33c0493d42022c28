"""A business on a test chain: the contracts deployed, plans, payers with money, and every verb of `Subscriptions`.

Goes straight to JSON-RPC with impersonated accounts, so that thousands of charges are on chain within a second. What is
tested here is what reads the chain; what signs and sends has tests of its own.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import function_abi_to_4byte_selector
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tallystick.chain.channels import ChannelsContract
from tallystick.chain.checkout import CheckoutContract
from tallystick.chain.decode import decode_event, event_names
from tallystick.chain.escrow import EscrowContract
from tallystick.chain.node import Node, connect
from tallystick.chain.subscriptions import Subscriptions
from tallystick.chain.swap_collector import SwapCollectorContract
from tallystick.contracts import load_artefact
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.deployment import DeployedContract, Manifest
from tallystick.core.events import Event, PlanCreated, Subscribed
from tallystick.core.period import Unit
from tallystick.core.plan import PlanTerms
from tallystick.flows.connect import Connection
from tallystick.flows.deploy import deploy
from tallystick.testing import Anvil, AnvilError

UNLIMITED = 2**256 - 1
PRICE_UNITS = 9_990_000
GAS = 15_000_000


@functools.cache
def _selector(contract: str, name: str) -> tuple[bytes, list[str]]:
    item = next(item for item in load_artefact(contract).abi if item["type"] == "function" and item["name"] == name)
    return function_abi_to_4byte_selector(item), [_type(argument) for argument in item["inputs"]]  # type: ignore[arg-type]


def _type(argument: dict[str, Any]) -> str:
    if not argument["type"].startswith("tuple"):
        return str(argument["type"])
    return f"({','.join(_type(part) for part in argument['components'])}){argument['type'][5:]}"


def calldata(contract: str, name: str, *arguments: Any) -> str:
    """The calldata of a call."""
    selector, types = _selector(contract, name)
    return "0x" + (selector + encode(types, arguments)).hex()


def plan_tuple(terms: PlanTerms) -> tuple[Any, ...]:
    """Terms as `createPlan` takes them."""
    values = [getattr(terms, field.name) for field in fields(terms)]
    return tuple(ZERO_ADDRESS if value is None else value for value in values)


class Business:
    """A merchant that sells on `anvil`. Its token is MockUSDC, whose units are millionths."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        anvil.rpc("anvil_autoImpersonateAccount", True)
        self.operator = anvil.address(0)
        self.manifest = self._deploy()
        self.subscriptions = self.manifest.contract("Subscriptions").address
        self.token = self._create(load_artefact("MockUSDC").creation_code)
        self.payee = self.account("payee")

    @property
    def contract(self) -> DeployedContract:
        """The deployed contract, as the manifest names it."""
        return self.manifest.contract("Subscriptions")

    def connection(self, node: Node | None = None) -> Connection:
        """To the deployment, for reading; by way of `node` where one is given."""
        node = node or connect(self.anvil.url)
        deployed = self.manifest.contract("Escrow")
        subscriptions, escrow = Subscriptions(node, self.subscriptions), EscrowContract(node, deployed.address)
        sold, start = self.manifest.contract("Checkout"), self.contract.start_block
        checkout = CheckoutContract(node, sold.address)
        channels = ChannelsContract(node, self.manifest.contract("Channels").address)
        collector = SwapCollectorContract(node, self.manifest.contract("SwapCollector").address)
        starts = deployed.start_block, sold.start_block
        return Connection(node, subscriptions, None, start, escrow, starts[0], checkout, starts[1], channels, collector)

    def account(self, name: str | int) -> str:
        """An account with ether, one for each name."""
        address = to_checksum_address(keccak(text=f"account {name}")[12:])
        self.anvil.fund(address)
        return address

    def payer(self, name: str | int, *, units: int = 10**12, allowance: int = UNLIMITED) -> str:
        """An account with ether and money that lets the contract charge it."""
        address = self.account(name)
        self.mint(address, units)
        self.approve(address, allowance)
        return address

    def create_token(self) -> str:
        """Another MockUSDC."""
        return self._create(load_artefact("MockUSDC").creation_code)

    def mint(self, address: str, units: int, *, token: str | None = None) -> None:
        self.token_call(self.operator, "mint", address, units, token=token)

    def approve(self, address: str, allowance: int, *, token: str | None = None) -> None:
        self.token_call(address, "approve", self.subscriptions, allowance, token=token)

    def token_call(self, sender: str, name: str, *arguments: Any, token: str | None = None) -> Any:
        return self.send(sender, token or self.token, calldata("MockUSDC", name, *arguments))

    def call(self, sender: str, name: str, *arguments: Any) -> Any:
        """The receipt of a transaction to Subscriptions."""
        return self.send(sender, self.subscriptions, calldata("Subscriptions", name, *arguments))

    def send(self, sender: str, to: str | None, data: str) -> Any:
        """The receipt of a transaction that must succeed."""
        request = {"from": sender, "data": data, "gas": hex(GAS), **({"to": to} if to else {})}
        receipt = self.anvil.receipt(self.anvil.rpc("eth_sendTransaction", request))
        if receipt["status"] != "0x1":
            self.anvil.rpc("eth_call", request, "latest")  # raises with the reason
            raise AnvilError(f"{receipt['transactionHash']} failed, and would not now")
        return receipt

    def create_plan(
        self,
        price: int = PRICE_UNITS,
        every: int = 1,
        unit: Unit = Unit.MONTH,
        *,
        payee: str | None = None,
        token: str | None = None,
        **more: Any,
    ) -> int:
        """A new plan's number; `more` are further terms, by their names in PlanTerms."""
        terms = PlanTerms(payee or self.payee, price, token or self.token, every, unit, **more)
        self.anvil.fund(terms.payee)
        return self._created(self.call(terms.payee, "createPlan", plan_tuple(terms)), PlanCreated)

    def terms_hash(self, plan_id: int) -> bytes:
        """What a payer agrees to, as the contract has it."""
        return bytes.fromhex(self.read("termsHash", plan_id)[2:])

    def subscribe(self, payer: str, plan_id: int, seats: int = 0) -> int:
        """A new subscription's number; its first period is paid, unless it begins with a trial."""
        return self._created(self.call(payer, "subscribe", plan_id, self.terms_hash(plan_id), seats), Subscribed)

    def change_plan(self, payer: str, subscription_id: int, plan_id: int, seats: int = 0) -> Any:
        """The receipt of a change, whatever it costs."""
        arguments = (subscription_id, plan_id, self.terms_hash(plan_id), seats, UNLIMITED)
        return self.call(payer, "changePlan", *arguments)

    def block(self, account: str) -> None:
        """The token moves nothing more from or to an account."""
        self.token_call(self.operator, "blacklist", account)

    def unblock(self, account: str) -> None:
        """The token moves again from and to an account."""
        self.token_call(self.operator, "unBlacklist", account)

    def events(self, receipt: Any) -> list[Event]:
        """The events of Subscriptions in a receipt."""
        return [
            decode_event(
                event_names()[log["topics"][0]],
                b"".join(bytes.fromhex(topic[2:]) for topic in log["topics"][1:]),
                bytes.fromhex(log["data"][2:]),
            )
            for log in receipt["logs"]
            if to_checksum_address(log["address"]) == self.subscriptions
        ]

    def _created(self, receipt: Any, kind: type[PlanCreated | Subscribed]) -> int:
        return next(event[0] for event in self.events(receipt) if isinstance(event, kind))

    def subscribe_many(self, count: int, plan_id: int, prefix: str = "payer") -> list[int]:
        """Many new payers and their subscriptions, sent in large batches."""
        addresses = [to_checksum_address(keccak(text=f"{prefix} {number}")[12:]) for number in range(count)]
        self.anvil.batch([("anvil_setBalance", [address, hex(10**21)]) for address in addresses])
        mint = [(a, self.token, calldata("MockUSDC", "mint", a, 10**15)) for a in addresses]
        approve = calldata("MockUSDC", "approve", self.subscriptions, UNLIMITED)
        subscribe = calldata("Subscriptions", "subscribe", plan_id, self.terms_hash(plan_id), 0)
        self._send_each(mint)
        self._send_each([(a, self.token, approve) for a in addresses])
        receipts = self._send_each([(a, self.subscriptions, subscribe) for a in addresses])
        return sorted(self._created(receipt, Subscribed) for receipt in receipts)

    def _send_each(self, calls: Sequence[tuple[str, str, str]]) -> list[Any]:
        """The receipts of transactions (sender, to, data), each mined; all must succeed.

        Each has a sender of its own: Anvil works on a batch in parallel, and never mines a transaction whose
        predecessor is mined in the moment between the look at the account's nonce and the way into the pool.
        """
        requests = [{"from": sender, "to": to, "data": data, "gas": hex(GAS)} for sender, to, data in calls]
        hashes = []
        for start in range(0, len(requests), 200):
            hashes += self.anvil.batch([("eth_sendTransaction", [r]) for r in requests[start : start + 200]])
        receipts = [self.anvil.receipt(sent) for sent in hashes]
        if failed := [receipt["transactionHash"] for receipt in receipts if receipt["status"] != "0x1"]:
            raise AnvilError(f"{failed} failed")
        return receipts

    def charge(self, *subscription_ids: int) -> Any:
        """The receipt of one batch of charges."""
        return self.call(self.operator, "charge", list(subscription_ids))

    def read(self, name: str, *arguments: Any) -> str:
        """What a call of Subscriptions answers, as hex."""
        data = calldata("Subscriptions", name, *arguments)
        return str(self.anvil.rpc("eth_call", {"to": self.subscriptions, "data": data}, "latest"))

    def _create(self, creation_code: bytes) -> str:
        return str(to_checksum_address(self.send(self.operator, None, "0x" + creation_code.hex())["contractAddress"]))

    def _deploy(self) -> Manifest:
        def send(to: str, data: bytes, value_wei: int) -> str:
            assert value_wei == 0
            return str(self.send(self.operator, to, "0x" + data.hex())["transactionHash"])

        with tempfile.TemporaryDirectory() as folder:
            return deploy(lambda method, params: self.anvil.rpc(method, *params), send, Path(folder)).manifest
