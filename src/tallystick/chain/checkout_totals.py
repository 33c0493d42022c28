"""What `Checkout` counts and keeps itself: quotes of each merchant, its numbers that were paid or withdrawn, what it
keeps for those who could not receive it; and what stands at deposit addresses. The judge over a node that leaves events
out and over a database in which a row was changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eth_utils.abi import function_signature_to_4byte_selector

from tallystick.chain.payment_totals import CountedTotal, read_holding
from tallystick.chain.rpc import Caller
from tallystick.chain.totals import address_word, asked, words_of
from tallystick.errors import NodeInvalid, NodeRefused

_QUOTE_TOTAL = function_signature_to_4byte_selector("quoteTotal(address,address)")
_CLAIMABLE = function_signature_to_4byte_selector("claimable(address,address)")
_BALANCE = function_signature_to_4byte_selector("balanceOf(address)")
_USED = function_signature_to_4byte_selector("usedNumbers(address,uint256)")


class CountedQuotes(NamedTuple):
    """The totals of the pairs of merchant and token asked for, what is kept for the pairs of account and token, and the
    bits of the pairs of merchant and word."""

    totals: dict[tuple[str, str], CountedTotal]
    claimables: dict[tuple[str, str], int]
    used: dict[tuple[str, int], int]


def read_counted_quotes(
    rpc: Caller,
    contract: str,
    pairs: Sequence[tuple[str, str]],
    accounts: Sequence[tuple[str, str]],
    words: Sequence[tuple[str, int]],
    block: int,
) -> CountedQuotes:
    """What the contract had by the end of a block; zeros where there was no contract yet.

    Raises NodeRefused where the node does not keep the state of that block any more.
    """
    calls = [_QUOTE_TOTAL + address_word(merchant) + address_word(token) for merchant, token in pairs]
    calls += [_CLAIMABLE + address_word(account) + address_word(token) for account, token in accounts]
    calls += [_USED + address_word(merchant) + word.to_bytes(32, "big") for merchant, word in words]
    answers = asked(rpc, [(contract, data) for data in calls], block)
    second, third = len(pairs), len(pairs) + len(accounts)
    totals = [CountedTotal(*words_of(rpc, answer, len(CountedTotal._fields))) for answer in answers[:second]]
    kept = [words_of(rpc, answer, 1)[0] for answer in answers[second:third]]
    used = [words_of(rpc, answer, 1)[0] for answer in answers[third:]]
    return CountedQuotes(
        dict(zip(pairs, totals, strict=True)),
        dict(zip(accounts, kept, strict=True)),
        dict(zip(words, used, strict=True)),
    )


def read_standing(rpc: Caller, places: Sequence[tuple[str, str]], block: int) -> list[int | None]:
    """What stands at deposit addresses (address, token) at the end of a block whose state the node keeps, in base
    units; None where the token does not say."""
    try:
        answers = asked(rpc, [(token, _BALANCE + address_word(address)) for address, token in places], block)
        return [words_of(rpc, answer, 1)[0] for answer in answers]
    except (NodeRefused, NodeInvalid):  # by one of them; which, each alone tells
        return [read_holding(rpc, address, token, block) for address, token in places]
