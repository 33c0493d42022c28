"""What all parts of `Tallystick` share: the connection, tokens, amounts as people write them."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from eth_account.signers.local import LocalAccount

from tallystick.chain.signer import KeySigner, Signer
from tallystick.chain.subscriptions import Subscriptions
from tallystick.config import Config, load_config
from tallystick.core.address import parse_address
from tallystick.core.conditions import Conditions
from tallystick.core.money import Amount, Token, parse_units
from tallystick.core.plan import PlanTerms
from tallystick.errors import AssetMismatch
from tallystick.flows.connect import Connection, open_contract

Money = str | int | Amount
"""A decimal number of a token as text, base units, or an Amount."""


class Client:
    """Tallystick's contracts on one chain, used by one account."""

    def __init__(self, connection: Connection, config: Config | None = None) -> None:
        self._connection = connection
        self._config = config or Config()
        self._merchant = self._config.merchant
        self._tokens: dict[str, Token] = {}

    @classmethod
    def connect(
        cls,
        config: Config | None = None,
        *,
        rpc_url: str | None = None,
        deployment: Path | str | None = None,
        signer: Signer | LocalAccount | None = None,
        database: str | None = None,
    ) -> Self:
        """Connects to a node and verifies that the contracts there are the ones that this package was made for.

        What is not given here comes from `config`, or from tallystick.toml and the environment; the key too, and where
        there is none everything that only reads works. `deployment` is the manifest's file, `database` the URL of what
        payment channels keep and of the books, which deposits are declared in and read from.

        Raises ConfigError, SignerError, NodeUnreachable, WrongChain, DeploymentMissing or DeploymentMismatch.
        """
        config = config or load_config()
        given: dict[str, object] = {"rpc_url": rpc_url, "database": database}
        given["deployment"] = None if deployment is None else Path(deployment)
        config = config.model_copy(update={key: value for key, value in given.items() if value is not None})
        if isinstance(signer, LocalAccount):
            signer = KeySigner(signer)
        has_key = config.signer.keystore is not None or config.signer.key is not None
        return cls(open_contract(config, signer=signer, signing=has_key), config)

    @property
    def chain_id(self) -> int:
        """The chain."""
        return self._connection.node.chain_id

    @property
    def address(self) -> str:
        """The account that signs and sends. Raises KeyMissing."""
        return self._connection.sender.address

    @property
    def contract(self) -> Subscriptions:
        """The typed calls underneath, whose answers carry receipts and events."""
        return self._connection.contract

    def token(self, address: str) -> Token:
        """A token's symbol and decimals; asked once. Raises AddressInvalid or NotAContract."""
        address = parse_address(address)
        if address not in self._tokens:
            self._tokens[address] = self._connection.token(address).describe()
        return self._tokens[address]

    def units(self, amount: Money, token: str) -> int:
        """Base units of a token. Raises AmountInvalid for text that it cannot hold, AssetMismatch for another asset."""
        if isinstance(amount, Amount):
            if amount.asset != self.token(token):
                raise AssetMismatch(
                    f"found an amount in {amount.asset.symbol}, the token is {self.token(token).symbol}"
                )
            return amount.units
        return amount if isinstance(amount, int) else parse_units(amount, self.token(token).decimals)

    def conditions(
        self,
        token: str,
        *,
        max_per_period: Money = 0,
        max_total: Money = 0,
        starts_at: int = 0,
        ends_at: int = 0,
        beneficiary: str | None = None,
        by_permit2: bool = False,
    ) -> Conditions:
        """Conditions that a payer adds to a plan in this token (`Conditions`), amounts as `units` takes them and an
        address as people type it. Raises AmountInvalid, AssetMismatch, AddressInvalid or NotAContract."""
        return Conditions(
            max_per_period_units=self.units(max_per_period, token),
            max_total_units=self.units(max_total, token),
            starts_at=starts_at,
            ends_at=ends_at,
            beneficiary=parse_address(beneficiary) if beneficiary else None,
            by_permit2=by_permit2,
        )

    def _terms(self, subscription_id: int) -> PlanTerms:
        return self.contract.plan(self.contract.subscription(subscription_id).plan_id).terms
