"""What tokens tell of wallets: balances at a block, and the transfers to them and from them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from tallystick.chain.checkout_totals import read_standing
from tallystick.chain.decoder import WORD, Decoder, address_at
from tallystick.chain.logs import LogEntry, LogReader, Topic
from tallystick.chain.rpc import Rpc
from tallystick.chain.transfers import TRANSFER, TRANSFER_TOPIC
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.wallets import Holding, Movement
from tallystick.errors import NodeInvalid, NodeRefused

_PADDING: Final = "0x" + "0" * 24


class _TransferDecoder(Decoder[tuple[str, str, int] | None]):
    """Of any token: sender, receiver, base units; None for a log that has not ERC-20's shape, and moved no units."""

    def __init__(self) -> None:
        super().__init__("", {})

    def names(self) -> dict[str, str]:
        """One."""
        return {TRANSFER_TOPIC: TRANSFER}

    def decode(self, name: str, topics: bytes, data: bytes) -> tuple[str, str, int] | None:
        """Anybody can make a token that says anything: what cannot be read is no transfer."""
        del name
        if len(topics) != 2 * WORD or len(data) != WORD:
            return None
        try:
            return address_at(topics, 0), address_at(topics, 1), int.from_bytes(data, "big")
        except ValueError:
            return None


def require_state(rpc: Rpc, block: int) -> None:
    """Raises NodeRefused, in our words, where the node does not keep the state of a block."""
    try:
        rpc.call(str, "eth_getBalance", ZERO_ADDRESS, hex(block))
    except NodeRefused as error:
        raise NodeRefused(
            f"{rpc.name} does not keep the state of block {block}, which balances are read from ({error}): ask a node "
            "that does, an archive node, with --rpc, or for a newer block with --block",
            code=error.code,
        ) from error


def read_balances(rpc: Rpc, holdings: Sequence[Holding], block: int) -> list[int | None]:
    """The balances at the end of a block, in base units; None where a token does not say. The zero address is the
    chain's own currency. Raises NodeRefused where the node does not keep the state of that block."""
    require_state(rpc, block)
    tokens = [holding for holding in holdings if holding.token != ZERO_ADDRESS]
    found: dict[Holding, int | None] = dict(zip(tokens, read_standing(rpc, tokens, block), strict=True))
    for holding in holdings:
        if holding.token == ZERO_ADDRESS:
            found[holding] = _quantity(rpc, rpc.call(str, "eth_getBalance", holding.wallet, hex(block)))
    return [found[holding] for holding in holdings]


def read_transfers(rpc: Rpc, token: str, wallets: Collection[str], start: int, end: int) -> Iterator[Movement]:
    """What a token told of transfers to these wallets and from them, in the blocks from `start` to `end`, both
    included. Between two of them there are two movements."""
    padded: Topic = [_PADDING + wallet[2:].lower() for wallet in sorted(wallets)]
    queries: tuple[list[Topic], ...] = ([TRANSFER_TOPIC, padded], [TRANSFER_TOPIC, None, padded])
    for sign, topics in zip((-1, 1), queries, strict=True):
        reader = LogReader(rpc, token, decoder=_TransferDecoder(), topics=topics)
        for chunk in reader.read(start, end):
            yield from _movements(token, wallets, sign, chunk.logs)


def _movements(token: str, wallets: Collection[str], sign: int, logs: Sequence[LogEntry]) -> Iterator[Movement]:
    for origin, _, _, _, told in logs:
        if told is None:
            continue
        sender, receiver, units = told
        wallet, other = (receiver, sender) if sign > 0 else (sender, receiver)
        if wallet in wallets and units:
            holding = Holding(wallet, token)
            yield Movement(
                holding, origin.block_number, origin.block_time, origin.transaction_hash, sign * units, other
            )


def _quantity(rpc: Rpc, answer: str) -> int:
    try:
        return int(answer, 16)
    except ValueError as error:
        raise NodeInvalid(f"{rpc.name} answered {answer[:80]!r} for a balance: ask another node") from error
