"""What tokens say of themselves, and what is believed of it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from eth_abi.abi import encode

from tallystick.chain.metadata import DECIMALS, SYMBOL, read_token
from tallystick.chain.rpc import Rpc
from tallystick.core.money import Token
from tallystick.errors import NodeInvalid, NodeRefused
from tallystick.testing import STATES_KEPT, Anvil, start_anvil
from tests.business import Business
from tests.chain.conftest import Proxy

TOKEN = "0x" + "7c" * 20
UNNAMED = TOKEN[:8]


@pytest.fixture(scope="module")
def chain() -> Iterator[Anvil]:
    with start_anvil() as anvil:
        anvil.mine(3)
        yield anvil


@pytest.fixture
def front(chain: Anvil) -> Iterator[Proxy]:
    found = Proxy(chain.url)
    yield found
    found.stop()


def push(data: bytes) -> bytes:
    """EVM code that puts data of any length into memory, word by word from 0."""
    code = b""
    for at in range(0, len(data), 32):
        code += b"\x7f" + data[at : at + 32].ljust(32, b"\0") + b"\x61" + at.to_bytes(2, "big") + b"\x52"
    return code


def answering(data: bytes) -> bytes:
    """EVM code that returns data."""
    return push(data) + b"\x61" + len(data).to_bytes(2, "big") + b"\x60\x00\xf3"


def token_code(symbol: bytes, decimals: bytes) -> bytes:
    """The code of a token: `symbol` runs for SYMBOL, `decimals` for whatever else is asked."""
    # PUSH0 CALLDATALOAD PUSH1 224 SHR PUSH4 selector EQ PUSH2 place JUMPI, then decimals, then JUMPDEST symbol
    head = b"\x5f\x35\x60\xe0\x1c\x63" + bytes.fromhex(SYMBOL[2:]) + b"\x14\x61"
    place = len(head) + 3 + len(decimals)
    return head + place.to_bytes(2, "big") + b"\x57" + decimals + b"\x5b" + symbol


REVERT, BURN, NOTHING, INVALID = b"\x5f\x5f\xfd", b"\x5b\x60\x00\x56", b"\x00", b"\xfe"
SIX = answering((6).to_bytes(32, "big"))


def text(value: str | bytes) -> bytes:
    return answering(encode(["bytes"], [value if isinstance(value, bytes) else value.encode()]))


def read(chain: Anvil, symbol: bytes, decimals: bytes) -> Token:
    chain.rpc("anvil_setCode", TOKEN, "0x" + token_code(symbol, decimals).hex())
    return read_token(Rpc(chain.url, sleep=lambda _: None), chain.chain_id, TOKEN)


@pytest.mark.parametrize(
    "symbol", ["USDC", "$WIF", "UNI-V2", "aEthUSDC.e", "x" * 24, "(PoS)", "1INCH", 'a"b', "a;b,c", "</b>"]
)
def test_plain_short_symbols_are_believed(chain: Anvil, symbol: str) -> None:
    assert read(chain, text(symbol), SIX) == Token(chain.chain_id, TOKEN, symbol, 6)


def test_old_tokens_answer_32_bytes(chain: Anvil) -> None:
    assert read(chain, answering(b"MKR".ljust(32, b"\0")), SIX).symbol == "MKR"


HOSTILE_SYMBOLS = {
    "nothing": NOTHING,
    "no such function": REVERT,
    "no instruction": INVALID,
    "all its gas": BURN,
    "empty": text(""),
    "too long": text("x" * 25),
    "blanks": text("US DC"),
    "a line": text("US\nDC"),
    "control characters": text("\x1b[31mUSDC"),
    "look-alikes": text("USDС"),
    "turned around": text("\u202eCDSU"),
    "no UTF-8": text(b"\xff\xfeUSDC"),
    "NUL": text("USDC\0"),
    "a formula": text("=HYPERLINK(1)"),
    "another formula": text("@SUM(A1)"),
    "a length without end": answering(encode(["uint256", "uint256"], [32, 2**256 - 1])),
    "a length beyond the answer": answering(encode(["uint256", "uint256"], [32, 5])),
    "a few bytes": answering(b"USDC"),
}


@pytest.mark.parametrize("hostile", HOSTILE_SYMBOLS)
def test_other_symbols_become_the_start_of_the_address(chain: Anvil, hostile: str) -> None:
    assert read(chain, HOSTILE_SYMBOLS[hostile], SIX) == Token(chain.chain_id, TOKEN, UNNAMED, 6)


@pytest.mark.parametrize(
    ("decimals", "expected"),
    [
        (answering((77).to_bytes(32, "big")), 77),
        (answering((78).to_bytes(32, "big")), 0),
        (answering(b"\xff" * 32), 0),
        (answering(b"\x06"), 0),
        (answering((6).to_bytes(32, "big") + b"more"), 6),
        (REVERT, 0),
        (BURN, 0),
        (INVALID, 0),
        (NOTHING, 0),
    ],
)
def test_decimals_that_cannot_be_become_none_E04(chain: Anvil, decimals: bytes, expected: int) -> None:
    assert read(chain, text("T"), decimals) == Token(chain.chain_id, TOKEN, "T", expected)


def test_an_account_without_code_is_no_token_and_no_error(chain: Anvil) -> None:
    nobody = "0x" + "99" * 20
    assert read_token(Rpc(chain.url), chain.chain_id, nobody) == Token(chain.chain_id, nobody, nobody[:8], 0)


def refusing(method_fails: bool) -> bytes:
    message = "missing trie node" if method_fails else "execution reverted"
    return msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": message}})


def test_a_node_that_fails_is_not_taken_for_a_token_without_decimals(chain: Anvil, front: Proxy) -> None:
    """Else USDC would have no decimals in the books for ever, because a node stumbled once."""
    chain.rpc("anvil_setCode", TOKEN, "0x" + token_code(text("USDC"), SIX).hex())
    rpc = Rpc(front.url, sleep=lambda _: None)
    front.misbehave = lambda method, answer: (200, refusing(True) if method == "eth_call" else answer)
    with pytest.raises((NodeRefused, NodeInvalid), match="missing trie node"):
        read_token(rpc, chain.chain_id, TOKEN)
    front.misbehave = lambda method, answer: (200, answer.replace(b"0x", b"0q") if method == "eth_call" else answer)
    with pytest.raises(NodeInvalid, match="no hex"):
        read_token(rpc, chain.chain_id, TOKEN)
    stumbles = iter([(200, refusing(True))])
    front.misbehave = lambda _, answer: next(stumbles, (200, answer))
    assert read_token(Rpc(front.url), chain.chain_id, TOKEN) == Token(chain.chain_id, TOKEN, "USDC", 6)


def test_a_token_is_described_as_of_a_block_where_the_node_has_its_state() -> None:
    """So that nobody can make books differ from what is audited later by giving a token another name."""
    with start_anvil() as anvil:
        business = Business(anvil)
        business.create_plan()
        block = anvil.block_number
        rpc = Rpc(anvil.url)
        anvil.mine()
        anvil.rpc("anvil_setCode", business.token, "0x" + token_code(text("FAKE"), REVERT).hex())
        anvil.mine(2)
        assert read_token(rpc, anvil.chain_id, business.token, block=block).symbol == "USDC"
        assert read_token(rpc, anvil.chain_id, business.token).symbol == "FAKE"
        anvil.mine(STATES_KEPT + 50)
        assert read_token(rpc, anvil.chain_id, business.token, block=block).symbol == "FAKE"


def test_the_selectors_are_those_of_erc20() -> None:
    from eth_utils.abi import function_signature_to_4byte_selector

    selectors = ["0x" + function_signature_to_4byte_selector(name).hex() for name in ("symbol()", "decimals()")]
    assert selectors == [SYMBOL, DECIMALS]
