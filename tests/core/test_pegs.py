"""Which peg holds in which block."""

from __future__ import annotations

from tallystick.core.invoice import Peg
from tallystick.core.money import Token
from tallystick.core.pegs import DeclaredPeg, peg_at, peg_history, redeclared

USDC, DAI = "0xA", "0xB"
TOKENS = {USDC: Token(1, USDC, "USDC", 6)}
USD, EUR = (Peg("USDC", 6, code, 2) for code in ("USD", "EUR"))


def test_a_declaration_holds_until_the_next() -> None:
    declared = [DeclaredPeg(USDC, 10, "USD"), DeclaredPeg(USDC, 20, None), DeclaredPeg(USDC, 30, "EUR")]
    history = peg_history(declared, TOKENS)
    found = {block: peg_at(history, USDC, block) for block in (0, 9, 10, 19, 20, 29, 30, 10**9)}
    assert found == {0: None, 9: None, 10: USD, 19: USD, 20: None, 29: None, 30: EUR, 10**9: EUR}
    assert peg_at(history, DAI, 10) is None


def test_a_token_that_no_plan_has_yet_has_no_peg() -> None:
    assert peg_history([DeclaredPeg(DAI, 0, "USD")], TOKENS) == {}


def test_only_what_differs_is_declared() -> None:
    first = redeclared([], {USDC: "USD", DAI: "USD"}, 5)
    assert first == [DeclaredPeg(USDC, 5, "USD"), DeclaredPeg(DAI, 5, "USD")]
    assert redeclared(first, {USDC: "USD", DAI: "USD"}, 9) == first
    second = redeclared(first, {USDC: "USD"}, 9)
    assert second == [DeclaredPeg(USDC, 5, "USD"), DeclaredPeg(DAI, 5, "USD"), DeclaredPeg(DAI, 9, None)]
    assert redeclared(second, {USDC: "USD"}, 12) == second
    assert redeclared(second, {USDC: "EUR", DAI: "USD"}, 12) == [
        *(DeclaredPeg(USDC, 5, "USD"), DeclaredPeg(USDC, 12, "EUR")),
        *(DeclaredPeg(DAI, 5, "USD"), DeclaredPeg(DAI, 9, None), DeclaredPeg(DAI, 12, "USD")),
    ]


def test_what_no_block_has_used_is_taken_back() -> None:
    first = redeclared([], {USDC: "USD"}, 5)
    assert redeclared(redeclared(first, {}, 9), {USDC: "USD"}, 9) == first
    assert redeclared(first, {}, 5) == []
