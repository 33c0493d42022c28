"""Typed calls of `ChannelPlan`, over the one ABI artefact, as `chain.channels` for `Channels`.

Every call raises the contract's own errors (`errors.ContractError`) and NodeErrors; writes also SignerErrors and
TransactionErrors. Amounts are base units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from tallystick.chain.calls import decoded
from tallystick.chain.contract import Contract, Sent
from tallystick.chain.decoder import WORD, Decoder, Shape, uint_at
from tallystick.chain.node import hex_bytes
from tallystick.chain.sender import Call
from tallystick.core.address import ZERO_ADDRESS, parse_address
from tallystick.core.channel import ChannelTerms
from tallystick.core.channel_plan import ChannelFilled
from tallystick.core.money import UINT256_MAX
from tallystick.errors import NodeRefused, RevertError

ARTEFACT = "ChannelPlan"
"""The name of its artefact."""
DRY_RUN_GAS: Final = 5_000_000
"""For one subscription, far more than it takes: a token may burn what it is given, and the node's time with it."""


def _filled(topics: bytes, data: bytes) -> ChannelFilled:
    numbers = uint_at(topics, 0, UINT256_MAX), uint_at(data, 0, UINT256_MAX), uint_at(data, 1, UINT256_MAX)
    return ChannelFilled(numbers[0], topics[WORD : 2 * WORD], *numbers[1:])


def _amount(answer: str) -> int:
    return int(decoded("fill", hex_bytes(answer), contract=ARTEFACT))


CHANNEL_PLAN: Final = Decoder(ARTEFACT, {"ChannelFilled": Shape(2, 2, _filled)})


class ChannelPlanContract(Contract):
    """The contract at one address on one chain: one plan, of which it is the payee."""

    decoder: ClassVar[Decoder[Any]] = CHANNEL_PLAN

    def plan_id(self) -> int:
        """The plan, to which payers subscribe as to any other."""
        return int(self._read("planId"))

    def contracts(self) -> tuple[str, str]:
        """Of which subscriptions its plan is, and whose channels it fills."""
        return parse_address(self._read("SUBSCRIPTIONS")), parse_address(self._read("CHANNELS"))

    def terms_of(self, subscription_id: int) -> ChannelTerms:
        """The channel into which a subscription's charges go. Raises AnotherPlan."""
        payer, key, receiver, authorizer, token, delay, salt = self._read("channelOf", subscription_id)
        parties = parse_address(payer), None if key == ZERO_ADDRESS else parse_address(key), parse_address(receiver)
        return ChannelTerms(*parties, parse_address(authorizer), parse_address(token), delay, salt)

    def unfilled(self, subscription_id: int) -> tuple[int, int]:
        """Charges that are not in the channel yet, and their units. Raises AnotherPlan."""
        charges, units = self._read("unfilled", subscription_id)
        return int(charges), int(units)

    def fill_each_dry_run(self, subscription_ids: Sequence[int]) -> list[int | RevertError | NodeRefused]:
        """Of each by itself: the units that `fill` would put into its channel in the next block, 0 where all is there,
        or why it would not. Few requests, no key."""
        data = [self._data("fill", [number]) for number in subscription_ids]
        requests = [{"to": self.address, "data": "0x" + each.hex(), "gas": hex(DRY_RUN_GAS)} for each in data]
        answers = self.node.try_many([("eth_call", [request, "pending"]) for request in requests])
        return [answer if isinstance(answer, RevertError | NodeRefused) else _amount(answer) for answer in answers]

    def fill_gas(self, subscription_ids: Sequence[int]) -> int:
        """The gas that `fill` would need in the next block. Raises as `fill`."""
        return self.sender.estimate(Call(self.address, self._data("fill", list(subscription_ids))))

    def fill(self, subscription_ids: Sequence[int]) -> Sent:
        """Anyone puts what these were charged since the last time into their channels. Event: ChannelFilled for each
        of which something was charged. Raises AnotherPlan, and what `ChannelsContract.fill` raises."""
        return self._send("fill", list(subscription_ids))

    def archive(self) -> Sent:
        """The receiver ends the sale; subscriptions go on. Raises NotAuthorized."""
        return self._send("archive")
