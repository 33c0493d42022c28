"""Opens what buying and selling works on: the node, the contract as the manifest names it, and who signs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tallystick.chain.channels import ChannelsContract
from tallystick.chain.checkout import CheckoutContract
from tallystick.chain.escrow import EscrowContract
from tallystick.chain.history import HistoryReader
from tallystick.chain.node import Node, connect
from tallystick.chain.sender import Sender
from tallystick.chain.signer import Signer, configured_signer
from tallystick.chain.subscriptions import Subscriptions
from tallystick.chain.swap_collector import ARTEFACT as SWAP_COLLECTOR
from tallystick.chain.swap_collector import SwapCollectorContract
from tallystick.chain.swapper import ARTEFACT as SWAPPER
from tallystick.chain.swapper import SwapperContract
from tallystick.chain.token import TokenContract
from tallystick.config import Config
from tallystick.flows.deploy import DEFAULT_FOLDER, manifest_path, read_manifest, verify

ESCROW = "Escrow"
CHECKOUT = "Checkout"
CHANNELS = "Channels"


@dataclass(frozen=True, slots=True)
class Connection:
    """The contracts on a chain, verified, and the account that uses them (None: reading alone). `escrow` is the one of
    escrow payments, `checkout` that of quotes and deposit addresses, `channels` that of payment channels;
    `start_block` is the first that may hold events of `contract`, `escrow_start_block` of `escrow`,
    `checkout_start_block` of `checkout`. `swapper` is what converts, where the manifest names one, and `swap_collector`
    what pays quotes with another token through it."""

    node: Node
    contract: Subscriptions
    signer: Signer | None
    start_block: int
    escrow: EscrowContract
    escrow_start_block: int
    checkout: CheckoutContract
    checkout_start_block: int
    channels: ChannelsContract
    swap_collector: SwapCollectorContract
    swapper: SwapperContract | None = None
    swapper_start_block: int = 0

    @property
    def sender(self) -> Sender:
        """Who sends. Raises KeyMissing where there is no key."""
        return self.contract.sender

    def history(self) -> HistoryReader:
        """What the logs say, from the contract's first block on. Not to be shared by threads."""
        return HistoryReader(self.node.url, self.contract.address, self.start_block)

    def token(self, address: str) -> TokenContract:
        """A token of this chain."""
        return TokenContract(self.node, address)


def open_contract(config: Config, *, signer: Signer | None = None, signing: bool = False) -> Connection:
    """Connects to the configured node, and verifies manifest and code against what this package ships.

    `signing`: the configured key is opened first, so that a missing or locked one is an error before anything else;
    `signer` is taken instead where it is given. Raises SignerError, NodeError, WrongChain or DeploymentError.
    """
    if signer is None and signing:
        signer = configured_signer(config.signer)
    manifest = read_manifest(config.deployment) if config.deployment else None
    node = connect(config.rpc_url, chain_id=manifest.chain_id if manifest else None)
    if manifest is None:
        manifest = read_manifest(manifest_path(DEFAULT_FOLDER, node.chain_id))
    found = verify(node.request, manifest, "Subscriptions")
    sender = Sender(node, signer, config.gas) if signer else None
    deployed = manifest.contract(ESCROW)  # verified, Subscriptions calls it
    escrow = EscrowContract(node, deployed.address, sender)
    subscriptions = Subscriptions(node, found.address, sender)
    sold = verify(node.request, manifest, CHECKOUT)
    checkout = CheckoutContract(node, sold.address, sender)
    channels = ChannelsContract(node, verify(node.request, manifest, CHANNELS).address, sender)
    starts = found.start_block, deployed.start_block, sold.start_block
    collector = SwapCollectorContract(node, verify(node.request, manifest, SWAP_COLLECTOR).address, sender)
    connection = Connection(
        *(node, subscriptions, signer, starts[0], escrow, starts[1], checkout, starts[2], channels, collector)
    )
    if SWAPPER not in manifest.contracts:
        return connection
    swaps = verify(node.request, manifest, SWAPPER)
    return replace(
        connection, swapper=SwapperContract(node, swaps.address, sender), swapper_start_block=swaps.start_block
    )
