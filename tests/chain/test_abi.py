"""Values of the ABI are whole or an error, also where Ape is in the process."""

from __future__ import annotations

import subprocess
import sys

import pytest
from eth_abi.exceptions import InsufficientDataBytes
from hypothesis import given
from hypothesis import strategies as st

from tallystick.chain.abi import CODEC

CUT = """
import ape.utils.abi
from eth_abi import decode
assert decode(["uint256"], bytes(16), strict=False) == (0,), "Ape fills numbers up no more: chain.abi may go"
from eth_abi.exceptions import InsufficientDataBytes
from tallystick.chain.abi import CODEC
for strict in (True, False):
    try:
        CODEC.decode(["uint256"], bytes(16), strict=strict)
    except InsufficientDataBytes:
        continue
    raise SystemExit("a number that was cut was read")
"""


@pytest.mark.parametrize("kind", ["uint256", "uint8", "address", "bytes32", "(uint256,address)"])
def test_what_was_cut_is_an_error(kind: str) -> None:
    for size in (0, 1, 31):
        with pytest.raises(InsufficientDataBytes):
            CODEC.decode([kind], bytes(size))


def test_also_where_ape_was_imported_before() -> None:
    subprocess.run([sys.executable, "-c", CUT], check=True)


@given(st.integers(0, 2**256 - 1), st.binary(max_size=70), st.lists(st.integers(0, 2**96 - 1), max_size=5))
def test_what_is_encoded_is_read_back(number: int, data: bytes, numbers: list[int]) -> None:
    kinds = ["uint256", "bytes", "uint96[]"]
    assert CODEC.decode(kinds, CODEC.encode(kinds, [number, data, numbers])) == (number, data, tuple(numbers))
