"""What a payer ends by a signature: the typed data, and its text form."""

from __future__ import annotations

import json

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.cancellation import Cancellation, Revocation, SignedEnd, parse_end, typed_data
from tallystick.errors import InputError

PAYER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
WORD = st.integers(0, 2**256 - 1)
ENDS = st.one_of(st.builds(Cancellation, st.just(PAYER), WORD, WORD), st.builds(Revocation, st.just(PAYER), WORD))


@given(ENDS, st.binary(min_size=1, max_size=300), st.integers(1, 2**53))
def test_the_text_form_says_it_all(end: Cancellation | Revocation, signature: bytes, chain_id: int) -> None:
    signed = SignedEnd(chain_id, CONTRACT, end, signature)
    assert parse_end(signed.render()) == signed
    assert parse_end(signed.render().encode()) == signed


@given(ENDS)
def test_it_can_be_signed_as_a_wallet_does(end: Cancellation | Revocation) -> None:
    message = typed_data(end, chain_id=1, contract=CONTRACT)
    account = Account.from_key("0x" + "11" * 32)
    signature = account.sign_message(encode_typed_data(full_message=message)).signature
    assert len(signature) == 65
    assert message["message"]["payer"] == PAYER
    assert [part["name"] for part in message["types"][message["primaryType"]]] == list(message["message"])


def test_the_types_are_the_contract_s() -> None:
    """As `SubscriptionsExtension` hashes them."""
    cancellation = typed_data(Cancellation(PAYER, 7, 9), chain_id=1, contract=CONTRACT)
    revocation = typed_data(Revocation(PAYER, 7), chain_id=1, contract=CONTRACT)

    def written(message: dict[str, object]) -> str:
        name = message["primaryType"]
        parts = message["types"][name]  # type: ignore[index]  # plain JSON
        return f"{name}({','.join(part['type'] + ' ' + part['name'] for part in parts)})"

    assert written(cancellation) == "Cancellation(address payer,uint256 subscriptionId,uint256 validBefore)"
    assert written(revocation) == "Revocation(address payer,uint256 salt)"


def test_what_is_none_is_an_error() -> None:
    text = json.loads(SignedEnd(1, CONTRACT, Cancellation(PAYER, 7, 9), b"\x01").render())
    wrongs: list[dict[str, object]] = [
        {},
        text | {"payer": "0x12"},
        text | {"contract": PAYER[:-1] + "c"},
        text | {"valid_before": "-1"},
        text | {"valid_before": str(2**256)},
        text | {"subscription_id": "seven"},
        text | {"signature": "01"},
        text | {"signature": "0x0"},
        text | {"more": 1},
        text | {"ends": "everything"},
        {key: value for key, value in text.items() if key != "chain_id"},
    ]
    for wrong in wrongs:
        with pytest.raises(InputError, match="this is not a signed cancellation"):
            parse_end(json.dumps(wrong))
    for noise in (b"", b"\xff", "null", "[]"):
        with pytest.raises(InputError):
            parse_end(noise)
