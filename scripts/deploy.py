"""Deploys Tallystick's contracts with Ape, on any network that Ape knows; safe to run twice.

    ape run deploy --network ethereum:local:foundry                on a test chain that lives as long as the script
    ape run deploy --network base:mainnet:node --account ALIAS     on a real one, paid by an account of `ape accounts`

With APE_FOUNDRY_HOST=http://127.0.0.1:8545 in the environment the first of them uses the Anvil that listens there.

The contracts are created from the bytecode that the package ships, at the same address on every chain. What was done
is written to `deployments/<chain id>.json`, which the SDK and the indexer read. `tallystick deploy` does the same
without Ape.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ape
import click
from ape.api import AccountAPI, ProviderAPI
from ape.cli import ConnectedProviderCommand
from ape.exceptions import AccountsError, ApeException

from tallystick.errors import DeploymentError, TallystickError
from tallystick.flows.deploy import DEFAULT_FOLDER, deploy


def chosen_account(alias: str | None, provider: ProviderAPI) -> AccountAPI:
    """The account that pays: by alias, or the first test account on a local chain. Raises click's UsageError."""
    if alias is not None:
        try:
            return ape.accounts.load(alias)
        except (AccountsError, IndexError, KeyError) as error:
            known = ", ".join(sorted(ape.accounts.aliases)) or "none"
            raise click.BadParameter(f"no account {alias!r}; `ape accounts list` has: {known}.") from error
    if not provider.network.is_local:
        raise click.UsageError(f"--account is needed on {provider.network_choice}: an alias of `ape accounts list`.")
    return ape.accounts.test_accounts[0]


class ApeNode:
    """What the deployment needs, through Ape's provider and account; Ape's errors become Tallystick's."""

    def __init__(self, provider: ProviderAPI, account: AccountAPI) -> None:
        self._provider = provider
        self._account = account

    def request(self, method: str, parameters: Sequence[Any]) -> Any:
        """One JSON-RPC call."""
        try:
            return self._provider.make_request(method, list(parameters))
        except ApeException as error:
            raise DeploymentError(f"{method} failed on {self._provider.network_choice}: {error}") from error

    def send(self, to: str, data: bytes, value_wei: int) -> str:
        """One transaction, waited for."""
        network = self._provider.network
        try:
            transaction = network.ecosystem.create_transaction(receiver=to, data=data, value=value_wei)
            return str(self._account.call(transaction).txn_hash)
        except ApeException as error:
            raise DeploymentError(
                f"the transaction to {to} failed on {self._provider.network_choice}: {error}"
            ) from error


@click.command(cls=ConnectedProviderCommand)
@click.option(
    "--account", "alias", metavar="ALIAS", help="Who pays: an account of Ape's; on a local chain a test account."
)
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="The folder for the manifest.",
)
@click.option("--with-factory", is_flag=True, help="Create the CREATE2 factory as well where the chain lacks it.")
def cli(provider: ProviderAPI, alias: str | None, folder: Path, with_factory: bool) -> None:
    """Deploys the contracts, or verifies those that are there, and writes the manifest."""
    node = ApeNode(provider, chosen_account(alias, provider))
    try:
        done = deploy(node.request, node.send, folder, with_factory=with_factory)
    except TallystickError as error:
        raise click.ClickException(str(error)) from error
    for name, contract in done.manifest.contracts.items():
        what = "deployed" if name in done.created else "already deployed, verified"
        click.echo(
            f"{name} {contract.address} on chain {done.manifest.chain_id}: {what} (block {contract.start_block})"
        )
    click.echo(f"manifest: {done.path}")
