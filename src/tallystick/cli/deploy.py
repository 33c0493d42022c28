"""`tallystick deploy`: the contracts, on any chain that a node serves."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.output import Record, shown
from tallystick.config import Config


@click.command(
    epilog=examples(
        "TALLYSTICK_KEY=0x... tallystick deploy --rpc https://mainnet.base.org",
        "tallystick deploy                   again: verifies what is there, and needs no key",
        "TALLYSTICK_KEY=0x... tallystick deploy --test-token        on an Anvil, with money to try it",
    )
)
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("deployments"),
    show_default=True,
    metavar="FOLDER",
    help="Where the manifest <chain id>.json goes.",
)
@click.option("--with-factory", is_flag=True, help="Create the CREATE2 factory as well where the chain lacks it.")
@click.option(
    "--test-token", is_flag=True, help="On a chain of your own: MockUSDC as well, and a million of it for the signer."
)
@configured
@shown
def deploy(config: Config, folder: Path, with_factory: bool, test_token: bool) -> Record:
    """Bring the contracts onto a chain, or verify those there: Subscriptions, Escrow, Checkout, Channels.

    They get the same address on every chain, belong to nobody, and may be deployed by anyone: where somebody has done
    it, this compares the code and writes the manifest, which the other commands read. Safe to repeat.
    """
    from tallystick.chain.node import connect
    from tallystick.chain.sender import Call, Sender
    from tallystick.chain.signer import configured_signer
    from tallystick.flows.deploy import deploy as deploy_contracts
    from tallystick.flows.mint import mint_test_token, require_own_chain

    node = connect(config.rpc_url)
    if test_token:
        require_own_chain(node.chain_id)
    sent = []

    @functools.cache
    def sender() -> Sender:
        return Sender(node, configured_signer(unlocked(config).signer), config.gas)

    def send(to: str, data: bytes, value_wei: int) -> str:
        receipt = sender().send(Call(to, data, value_wei))
        sent.append(receipt.transaction)
        return receipt.transaction

    done = deploy_contracts(node.request, send, folder, with_factory=with_factory)
    contract = done.manifest.contract("Subscriptions")
    values: dict[str, object] = {
        "chain_id": done.manifest.chain_id,
        "subscriptions": contract.address,
        "parts": [
            {"contract": name, "address": part.address}
            for name, part in done.manifest.contracts.items()
            if name.startswith("Subscriptions") and name != "Subscriptions"
        ],
        "escrow": done.manifest.contract("Escrow").address,
        "checkout": done.manifest.contract("Checkout").address,
        "channels": done.manifest.contract("Channels").address,
        "start_block": contract.start_block,
        "created": "Subscriptions" in done.created,
        "transactions": sent,
        "manifest": done.path,
    }
    if test_token:
        values["test_token"] = mint_test_token(node, sender())
    return Record(values, note="Next: tallystick plans create --help")
