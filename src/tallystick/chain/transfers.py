"""Transfers of any token to addresses that somebody watches, as the log reader reads them beside a contract's own logs.

Any contract may emit a log under the topic of ERC-20's `Transfer`, with whatever it likes in it, and some do for other
things (ERC-721 has four topics): what has not ERC-20's shape moved no units and is left out. A log is kept as two
topics, sender and address, and two words of data, the token that said it and the amount, so that the row alone tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

TRANSFER: Final = "Transfer"
TRANSFER_TOPIC: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""keccak-256 of `Transfer(address,address,uint256)`."""
ADDRESSES_IN_A_QUERY: Final = 500
"""Nodes limit how many topics a query may name; a thousand is the lowest limit that providers state."""
_TOPICS: Final = 3
_PADDING: Final = "0x" + "0" * 24


def queries(watched: Mapping[str, int], start: int, end: int) -> Iterator[dict[str, Any]]:
    """What `eth_getLogs` is asked for transfers in the blocks from `start` to `end`, both included.

    `watched` has the addresses, in lower case with 0x, and from which block on each is watched.
    """
    found = sorted(address for address, first in watched.items() if first <= end)
    for place in range(0, len(found), ADDRESSES_IN_A_QUERY):
        padded = [_PADDING + address[2:] for address in found[place : place + ADDRESSES_IN_A_QUERY]]
        yield {"fromBlock": hex(start), "toBlock": hex(end), "topics": [TRANSFER_TOPIC, None, padded]}


def is_answer(topics: tuple[str, ...], watched: Mapping[str, int]) -> bool:
    """Whether a log is one that those queries ask for."""
    asked = len(topics) >= _TOPICS and topics[0] == TRANSFER_TOPIC and topics[2].startswith(_PADDING)
    return asked and "0x" + topics[2][len(_PADDING) :] in watched


def is_counted(topics: tuple[str, ...], data: str, block: int, watched: Mapping[str, int]) -> bool:
    """Whether such a log is ERC-20's, and its address was watched by then."""
    has_shape = len(topics) == _TOPICS and topics[1].startswith(_PADDING) and len(data) == 66
    return has_shape and watched["0x" + topics[2][len(_PADDING) :]] <= block


def words_of(token: str, topics: tuple[str, ...], data: str) -> tuple[bytes, bytes]:
    """The topics and the data with which such a log is kept."""
    kept = bytes.fromhex(topics[1][2:] + topics[2][2:])
    return kept, bytes.fromhex(token[2:]).rjust(32, b"\0") + bytes.fromhex(data[2:])
