"""How `HostileToken` is told to play its tricks, and what they are to a charge."""

from __future__ import annotations

from eth_utils.crypto import keccak

from tests.contracts.stage import Account, Contract
from tests.tricks import Trick

REFUSALS = [
    Trick.RETURN_FALSE,
    Trick.RETURN_TWO,
    Trick.RETURN_ONE_BYTE,
    Trick.REFUSE,
    Trick.REVERT_BOMB,
    Trick.BURN_GAS,
]
"""What a transfer can answer that is no success."""
DENIALS = [Trick.RETURN_FALSE, Trick.RETURN_TWO, Trick.RETURN_ONE_BYTE]
"""Of these, answers: whether something moved all the same, nobody can tell."""
UNMOVED = [Trick.RETURN_TRUE, Trick.RETURN_NOTHING, Trick.RETURN_BOMB]
"""What looks like success and moves nothing."""


def play(token: Contract, function: str, trick: Trick) -> None:
    """From now on this function of the token plays this trick."""
    signature = getattr(token, function).abis[0].selector
    token.play(keccak(text=signature)[:4], trick, sender=token.provider.account_manager.test_accounts[0])


def play_to(token: Contract, receiver: Account | Contract, trick: Trick) -> None:
    """From now on `transferFrom` plays this trick on one receiver."""
    token.playTo(receiver, trick, sender=token.provider.account_manager.test_accounts[0])
