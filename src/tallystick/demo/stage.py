"""What the demo plays on: a chain, the contracts, a merchant, a keeper and payers, each with a key of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tallystick.chain.node import Node, connect
from tallystick.chain.sender import Call, Sender
from tallystick.chain.signer import KeySigner
from tallystick.chain.subscriptions import Subscriptions
from tallystick.client import Tallystick
from tallystick.config import Config, ConvertConfig, MerchantConfig, PegConfig, RateConfig
from tallystick.contracts import load_artefact
from tallystick.core.deployment import FACTORY
from tallystick.core.money import parse_units
from tallystick.demo.market import Market
from tallystick.flows.bill import BillReport, bill_once
from tallystick.flows.connect import open_contract
from tallystick.flows.deploy import deploy
from tallystick.flows.follow import ingest_once
from tallystick.flows.ingest import Ingested
from tallystick.flows.mirror import Mirror, open_mirror
from tallystick.flows.swapper import deploy_swapper
from tallystick.testing import Anvil

MERCHANT = MerchantConfig(
    name="Northwind Analytics Ltd",
    address=("12 Harbour Row", "Bristol BS1 4RB", "United Kingdom"),
    tax_id="GB 123 4567 89",
    email="billing@northwind.example",
)
ETHER_WEI = 10**18


def account(name: str) -> LocalAccount:
    """The key of an actor, the same in every run."""
    made: LocalAccount = Account.from_key(keccak(text=f"tallystick demo: {name}"))
    return made


class Stage:
    """The chain and everybody on it. What is written lands in `folder`."""

    def __init__(self, anvil: Anvil, folder: Path) -> None:
        self.anvil = anvil
        self.folder = folder
        self.node: Node = connect(anvil.url)
        self.merchant_account = self.funded("merchant")
        self.keeper_account = self.funded("keeper")
        manifest = deploy(self.node.request, self._send, folder / "deployments")
        self.contract_address = manifest.manifest.contract("Subscriptions").address
        self.token = load_artefact("MockUSDC").address
        self._send(FACTORY, load_artefact("MockUSDC").deploy_data, 0)
        self.market = Market(anvil, self.token)
        self.config = Config(
            rpc_url=anvil.url,
            deployment=manifest.path,
            database=f"sqlite:///{folder / 'tallystick.db'}",
            merchant=MERCHANT,
            peg=(PegConfig(token=self.token, currency="USD"),),
            rate=(RateConfig(token=self.market.euro, currency="USD", token_feed=self.market.feed),),
            convert=ConvertConfig(settlement=self.token, currency="USD"),
        )
        if self.market.router is not None:
            keeper = open_contract(self.config, signer=KeySigner(self.keeper_account))
            deploy_swapper(keeper, self.config, self.market.router)
        self.merchant = self.as_(self.merchant_account)
        self.mirror: Mirror = open_mirror(self.config)

    def funded(self, name: str, *, ether: bool = True) -> LocalAccount:
        """An actor, with gas money unless a relayer pays for them."""
        made = account(name)
        if ether:
            self.anvil.fund(made.address, 10 * ETHER_WEI)
        return made

    def as_(self, actor: LocalAccount) -> Tallystick:
        """The SDK in somebody's hands."""
        return Tallystick.connect(self.config, signer=actor)

    def give(self, actor: LocalAccount, amount: str) -> None:
        """Hands out stablecoins; the mock token lets anyone mint."""
        self._token_call(self.keeper_account, "mint", actor.address, parse_units(amount, 6))

    def transfer(self, actor: LocalAccount, to: str, amount: str) -> None:
        """The actor sends stablecoins, as an exchange does."""
        self._token_call(actor, "transfer", to, parse_units(amount, 6))

    def take_all(self, actor: LocalAccount) -> None:
        """The actor spends every stablecoin elsewhere."""
        balance = self.merchant_token_balance(actor.address)
        self._token_call(actor, "transfer", self.keeper_account.address, balance)

    def set_allowance(self, actor: LocalAccount, amount: str) -> None:
        """The actor changes what the contract may move."""
        self._token_call(actor, "approve", self.contract_address, parse_units(amount, 6))

    def block(self, holder: str) -> None:
        """The stablecoin's issuer lets an account neither pay nor receive."""
        self._token_call(self.keeper_account, "blacklist", holder)

    def unblock(self, holder: str) -> None:
        """The issuer lets it again."""
        self._token_call(self.keeper_account, "unBlacklist", holder)

    def merchant_token_balance(self, holder: str) -> int:
        """Base units of the stablecoin."""
        answer = self.node.call(self.token, _call_data("balanceOf", holder))
        return int.from_bytes(answer, "big")

    def at(self, timestamp: int) -> None:
        """Moves the chain's clock there, where it is not later already."""
        if timestamp > self.anvil.timestamp:
            self.anvil.set_time(timestamp)

    def index(self) -> Ingested:
        """Brings the mirror up to the chain."""
        return ingest_once(self.mirror)

    def bill(self) -> BillReport:
        """One round of billing by the keeper, who pays the gas and has no rights."""
        sender = Sender(self.node, KeySigner(self.keeper_account))
        return bill_once(
            self.mirror.engine,
            self.mirror.target,
            Subscriptions(self.node, self.contract_address, sender),
            max_gas=self.config.bill.max_gas,
            retry_after_s=self.config.bill.retry_after_s,
        )

    def _send(self, to: str, data: bytes, value_wei: int) -> str:
        sender = Sender(self.node, KeySigner(self.keeper_account))
        return sender.send(Call(to, data, value_wei)).transaction

    def _token_call(self, actor: LocalAccount, name: str, *values: Any) -> None:
        Sender(self.node, KeySigner(actor)).send(Call(self.token, _call_data(name, *values)))


def _call_data(name: str, *values: Any) -> bytes:
    from eth_abi.abi import encode
    from eth_utils.abi import function_abi_to_4byte_selector

    item: Any = next(part for part in load_artefact("MockUSDC").abi if part.get("name") == name)
    types: Sequence[str] = [argument["type"] for argument in item["inputs"]]
    return bytes(function_abi_to_4byte_selector(item)) + encode(types, values)
