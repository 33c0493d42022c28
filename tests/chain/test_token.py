"""Tokens as they are: allowances that must go to zero first, permits of every kind, things that are no token."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tallystick.chain.node import Node
from tallystick.chain.sender import Sender
from tallystick.chain.token import UNLIMITED_UNITS, TokenContract
from tallystick.core.money import Token
from tallystick.core.permit import TokenDomain
from tallystick.errors import NotAContract, PermitUnsupported, TokenReverted
from tests.business import Business
from tests.chain.mocks import created

OWNER = 2
FAR = 2**40


@pytest.fixture
def owner(sender_of: Callable[[int], Sender]) -> Sender:
    return sender_of(OWNER)


def test_a_token_describes_itself(business: Business, node: Node) -> None:
    dollar = TokenContract(node, business.token)
    assert dollar.describe() == Token(31337, business.token, "USDC", 6)
    business.mint(business.payee, 5)
    assert dollar.balance(business.payee) == 5
    assert dollar.allowance(business.payee, business.operator) == 0


def test_what_is_no_token_is_said_to_be_none(business: Business, node: Node) -> None:
    nobody = TokenContract(node, business.anvil.address(8))
    for read in (nobody.describe, lambda: nobody.balance(business.payee)):
        with pytest.raises(NotAContract, match=f"no token at {nobody.address} on this chain"):
            read()
    with pytest.raises(TokenReverted, match=r"does not answer balanceOf\(address\), as a token would"):
        TokenContract(node, business.subscriptions).balance(business.payee)


def test_approving_sends_only_what_is_needed(business: Business, node: Node, owner: Sender) -> None:
    dollar = TokenContract(node, business.token)
    assert len(dollar.approve(owner, business.subscriptions, 100)) == 1
    assert dollar.approve(owner, business.subscriptions, 100) == []
    assert len(dollar.approve(owner, business.subscriptions, UNLIMITED_UNITS)) == 1
    assert dollar.allowance(owner.address, business.subscriptions) == UNLIMITED_UNITS


def test_E08_an_allowance_that_must_go_to_zero_first_does(business: Business, node: Node, owner: Sender) -> None:
    tether = TokenContract(node, created(business, "MockUSDT"))
    assert len(tether.approve(owner, business.subscriptions, 100)) == 1
    assert len(tether.approve(owner, business.subscriptions, 200)) == 2
    assert tether.allowance(owner.address, business.subscriptions) == 200
    assert len(tether.approve(owner, business.subscriptions, 0)) == 1


def test_a_token_that_refuses_says_why_and_nothing_is_sent(business: Business, node: Node, owner: Sender) -> None:
    business.token_call(business.operator, "pause")
    before = business.anvil.block_number
    with pytest.raises(TokenReverted, match="Pausable: paused"):
        TokenContract(node, business.token).approve(owner, business.subscriptions, 1)
    assert business.anvil.block_number == before


@pytest.mark.parametrize("kind", ["MockUSDC", "MockToken"])
def test_a_permit_is_an_allowance_without_a_transaction(
    business: Business, node: Node, owner: Sender, kind: str
) -> None:
    """MockUSDC has a version of its own, OpenZeppelin's token only eip712Domain()."""
    address = business.token
    if kind == "MockToken":
        address = created(business, kind, ["string", "string", "uint8"], "Some Money", "SOME", 18)
    token = TokenContract(node, address)
    expected = ("USD Coin", "2") if kind == "MockUSDC" else ("Some Money", "1")
    assert token.domain() == TokenDomain(*expected, 31337, address)
    signed = token.sign_permit(owner.signer, business.subscriptions, 77, FAR)
    assert (signed.value_units, signed.deadline, len(signed.r), len(signed.s)) == (77, FAR, 32, 32)
    assert token.allowance(owner.address, business.subscriptions) == 0


def test_a_permit_that_the_token_would_not_take_is_not_handed_out(
    business: Business, node: Node, owner: Sender
) -> None:
    dollar = TokenContract(node, business.token)
    with pytest.raises(PermitUnsupported, match=r"does not take a right permit .*permit is expired"):
        dollar.sign_permit(owner.signer, business.subscriptions, 1, business.anvil.timestamp - 1)
    tether = TokenContract(node, created(business, "MockUSDT"))
    with pytest.raises(PermitUnsupported, match=r"has no DOMAIN_SEPARATOR\(\): give the allowance by a transaction"):
        tether.sign_permit(owner.signer, business.subscriptions, 1, FAR)
    weth = TokenContract(node, created(business, "MockWETH"))
    with pytest.raises(PermitUnsupported):
        weth.sign_permit(owner.signer, business.subscriptions, 1, FAR)
