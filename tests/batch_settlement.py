"""x402's own contract of channels on a test chain, played by a mock, and a payer and a receiver who use it."""

from __future__ import annotations

from typing import Any

from eth_account import Account

from tallystick.core.channel import Channel, ChannelTerms
from tallystick.core.voucher import voucher_typed_data
from tests.business import Business, calldata
from tests.chain.mocks import created

DAY = 86_400


class BatchSettlement:
    """The contract. The receiver claims for itself; money comes by a collector that has enough."""

    def __init__(self, business: Business, receiver: str | None = None) -> None:
        self.business, self.anvil = business, business.anvil
        self.address = created(business, "MockBatchSettlement")
        self.collector = created(business, "MockDepositCollector")
        self.payer, self.key = business.anvil.address(2), business.anvil.key(2)
        self.receiver = receiver or business.account("receiver")

    def channel(self, salt: int) -> Channel:
        """One between the two."""
        parties = self.payer, None, self.receiver, self.receiver
        terms = ChannelTerms(*parties, self.business.token, DAY, salt.to_bytes(32, "big"))
        return Channel(self.anvil.chain_id, self.address, terms)

    def call(self, sender: str, name: str, *arguments: Any) -> None:
        """A transaction; what it calls has the signature that `Channels` has."""
        self.business.send(sender, self.address, calldata("Channels", name, *arguments))

    def deposit(self, channel: Channel, units: int) -> None:
        """Opens a channel or adds to it."""
        self.business.mint(self.collector, units)
        self.call(self.payer, "deposit", channel.terms.words, units, self.collector, b"")

    def claim(self, channel: Channel, most: int, total: int) -> None:
        """The receiver claims up to `total` of a voucher for `most`."""
        message = voucher_typed_data(channel, most)
        signature = bytes(Account.sign_typed_data(self.key, full_message=message).signature)
        self.call(self.receiver, "claim", [((channel.terms.words, most), signature, total)])

    def settle(self) -> None:
        """The receiver is paid what was claimed."""
        self.call(self.payer, "settle", self.receiver, self.business.token)
