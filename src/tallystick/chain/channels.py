"""Typed calls of `Channels`, over the one ABI artefact, as `chain.checkout` for `Checkout`.

Every call raises the contract's own errors (`errors.ContractError`) and NodeErrors; writes also SignerErrors and
TransactionErrors. Amounts are base units, times Unix seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from tallystick.chain.calls import decoded
from tallystick.chain.contract import Contract, Sent
from tallystick.chain.decode_channels import CHANNELS
from tallystick.chain.decoder import Decoder
from tallystick.chain.node import hex_bytes
from tallystick.core.channel import Channel, ChannelState, ChannelTerms
from tallystick.core.funding import Funding
from tallystick.core.voucher import Voucher

NAME = "Channels"


class ReceiverTotal(NamedTuple):
    """Units of a token that were ever claimed for a receiver, and paid to it."""

    claimed: int
    settled: int


class SeenStates(NamedTuple):
    """What channels have at one block, and its time in Unix seconds."""

    states: list[ChannelState]
    time: int


class ChannelsContract(Contract):
    """The contract at one address on one chain."""

    decoder: ClassVar[Decoder[Any]] = CHANNELS

    def channel(self, terms: ChannelTerms) -> Channel:
        """The channel of these terms, here."""
        return Channel(self.node.chain_id, self.address, terms)

    def state(self, channel_id: bytes) -> ChannelState:
        """What a channel has; zeros where there never was one."""
        return ChannelState(*self._read("channel", channel_id))

    def states(self, channel_ids: Sequence[bytes]) -> SeenStates:
        """The same for many, in few requests, all at the head's block."""
        head = self.node.request("eth_getBlockByNumber", ["latest", False])
        calls = [{"to": self.address, "data": "0x" + self._data("channel", each).hex()} for each in channel_ids]
        answers = self.node.request_many([("eth_call", [call, head["number"]]) for call in calls])
        states = [ChannelState(*decoded("channel", hex_bytes(answer), contract=NAME)) for answer in answers]
        return SeenStates(states, int(head["timestamp"], 16))

    def total(self, receiver: str, token: str) -> ReceiverTotal:
        """All that was ever claimed for a receiver in a token, and paid to it."""
        return ReceiverTotal(*self._read("receivers", receiver, token))

    def fill(self, terms: ChannelTerms, units: int, funding: Funding, data: bytes = b"") -> Sent:
        """Opens a channel or adds to it. Events: ChannelOpened or Deposited."""
        return self._send("fill", terms.words, units, int(funding), data)

    def claim(self, vouchers: Sequence[Voucher]) -> Sent:
        """Claims vouchers of channels that have receiver, authorizer, token and delay in common, and pays out. Events:
        Claimed or ClaimSkipped for each, Settled."""
        return self._send(*self._claim_call(vouchers))

    def claimable(self, vouchers: Sequence[Voucher]) -> int:
        """Units that `claim` would claim now; sends nothing. Raises what it would."""
        name, *values = self._claim_call(vouchers)
        data = self._data(name, *values)
        answer = self.node.call(self.address, data, sender=self.sender.address, block="pending")
        return int(decoded(name, answer, contract=NAME))

    def settle(self, receiver: str, token: str) -> Sent:
        """Anyone has paid to a receiver what was claimed for it. Event: Settled, where there is something."""
        return self._send("settle", receiver, token)

    def refund(self, terms: ChannelTerms, units: int) -> Sent:
        """The receiver gives back what it has not claimed. Events: ChannelRefunded, ChannelClosed."""
        return self._send("refund", terms.words, units)

    def announce_withdrawal(self, terms: ChannelTerms, units: int) -> Sent:
        """The payer asks back what was not claimed. Event: WithdrawalAnnounced."""
        return self._send("initiateWithdraw", terms.words, units)

    def finish_withdrawal(self, terms: ChannelTerms) -> Sent:
        """The payer has it, or what is left of it. Events: Withdrawn, ChannelClosed, ChannelCreated."""
        return self._send("finalizeWithdraw", terms.words)

    @staticmethod
    def _claim_call(vouchers: Sequence[Voucher]) -> tuple[Any, ...]:
        terms = vouchers[0].channel.terms
        common = terms.receiver, terms.receiver_authorizer, terms.token, terms.withdraw_delay_s
        return "claimRows", *common, b"".join(voucher.row() for voucher in vouchers)
