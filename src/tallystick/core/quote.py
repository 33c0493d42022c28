"""Quotes of a checkout: what a merchant signs, what names a quote, and what a payer signs for one.

`ICheckout.Quote` says what each word means. A quote is named by its EIP-712 digest, of one contract on one chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from eth_utils.crypto import keccak

from tallystick.core import funding
from tallystick.core.funding import Agreement
from tallystick.core.money import split_units
from tallystick.core.permit import TokenDomain
from tallystick.core.signed import DOMAIN_FIELDS, DOMAIN_VERSION, domain, types_of

DOMAIN_NAME = "Tallystick Checkout"
MOST_PAYOUTS = 16
MOST_PAYOUT_UNITS = 2**96 - 1
"""The largest part of a quote."""

_PAYOUT = "Payout(address payee,uint256 amount)"
_QUOTE = (
    "Quote(address merchant,uint256 number,bytes32 invoice,address token,uint256 amount,uint256 validBefore,"
    "Payout[] payouts)"
)
_ACCEPTANCE = "Acceptance(address payer,Quote quote)"
_PAYOUT_TYPEHASH = keccak(text=_PAYOUT)
_QUOTE_TYPEHASH = keccak(text=_QUOTE + _PAYOUT)


class Payout(NamedTuple):
    """Who receives which part of a quote, in base units of its token."""

    payee: str
    units: int


@dataclass(frozen=True, slots=True)
class Quote:
    """What a merchant asks for. `number` is the merchant's and paid once; `invoice` is what it is for, 32 bytes;
    `valid_before` the Unix second at which it can be paid no more."""

    merchant: str
    number: int
    invoice: bytes
    token: str
    valid_before: int
    payouts: tuple[Payout, ...]

    @property
    def amount_units(self) -> int:
        """What the payouts add up to."""
        return sum(payout.units for payout in self.payouts)

    @property
    def words(self) -> tuple[Any, ...]:
        """In the order of the contract's struct."""
        payouts = [tuple(payout) for payout in self.payouts]
        return self.merchant, self.number, self.invoice, self.token, self.amount_units, self.valid_before, payouts

    @property
    def message(self) -> dict[str, Any]:
        """By the names that a wallet shows."""
        message = dict(zip((field["name"] for field in types_of(_QUOTE)["Quote"]), self.words, strict=True))
        return message | {"payouts": [{"payee": payee, "amount": units} for payee, units in self.payouts]}

    def struct_hash(self) -> bytes:
        """`hashStruct` of EIP-712."""
        parts = [keccak(_PAYOUT_TYPEHASH + _address(payee) + _number(units)) for payee, units in self.payouts]
        return keccak(
            b"".join(
                (
                    _QUOTE_TYPEHASH,
                    _address(self.merchant),
                    _number(self.number),
                    self.invoice,
                    _address(self.token),
                    _number(self.amount_units),
                    _number(self.valid_before),
                    keccak(b"".join(parts)),
                )
            )
        )

    def quote_id(self, *, chain_id: int, contract: str) -> bytes:
        """What names the quote everywhere, 32 bytes."""
        separator = TokenDomain(DOMAIN_NAME, DOMAIN_VERSION, chain_id, contract).separator()
        return keccak(b"\x19\x01" + separator + self.struct_hash())


def shared(amount_units: int, shares: Sequence[tuple[str, int]]) -> tuple[Payout, ...]:
    """An amount divided by shares of any whole sum: exact, the largest remainders get the units that are left over.

    Raises AmountInvalid where there is no share above zero. A payee whose part is nothing is left out.
    """
    parts = split_units(amount_units, [share for _, share in shares])
    return tuple(Payout(payee, units) for (payee, _), units in zip(shares, parts, strict=True) if units)


def typed_data(quote: Quote, *, chain_id: int, contract: str) -> dict[str, Any]:
    """What the merchant signs, as `eth_signTypedData_v4` takes it; its digest is the `quote_id`."""
    return _message("Quote", types_of(_QUOTE) | types_of(_PAYOUT), quote.message, chain_id, contract)


def acceptance_typed_data(quote: Quote, payer: str, *, chain_id: int, contract: str) -> dict[str, Any]:
    """What a payer signs whose allowance, or permit, somebody else uses to pay the quote."""
    types = types_of(_ACCEPTANCE) | types_of(_QUOTE) | types_of(_PAYOUT)
    return _message("Acceptance", types, {"payer": payer, "quote": quote.message}, chain_id, contract)


def permit2_typed_data(quote: Quote, *, nonce: int, chain_id: int, contract: str) -> dict[str, Any]:
    """Permit2's SignatureTransfer with the quote as its witness: consent and money by one signature."""
    return funding.permit2_typed_data(
        *(quote.token, quote.amount_units, quote.valid_before, quote.message),
        types_of(_QUOTE) | types_of(_PAYOUT),
        nonce=nonce,
        chain_id=chain_id,
        contract=contract,
    )


def authorization_typed_data(quote: Quote, payer: str, token: TokenDomain, *, contract: str) -> dict[str, Any]:
    """An ERC-3009 authorization to the contract, whose nonce is the quote: consent and money by one signature."""
    quote_id = quote.quote_id(chain_id=token.chain_id, contract=contract)
    asked = token, payer, quote.amount_units, quote.valid_before
    return funding.authorization_typed_data(*asked, nonce=quote_id, contract=contract)


def agreement(quote: Quote, payer: str, *, chain_id: int, contract: str) -> Agreement:
    """What a payer agrees to pay, and signs for it."""
    return Agreement(
        *(quote.token, payer, contract, quote.amount_units, quote.valid_before),
        consent=acceptance_typed_data(quote, payer, chain_id=chain_id, contract=contract),
        by_permit2=lambda nonce: permit2_typed_data(quote, nonce=nonce, chain_id=chain_id, contract=contract),
        by_authorization=lambda token: authorization_typed_data(quote, payer, token, contract=contract),
    )


def _message(
    primary: str, types: dict[str, list[dict[str, str]]], message: dict[str, Any], chain_id: int, contract: str
) -> dict[str, Any]:
    return {
        "types": {"EIP712Domain": DOMAIN_FIELDS} | types,
        "primaryType": primary,
        "domain": domain(chain_id, contract, name=DOMAIN_NAME),
        "message": message,
    }


def _address(value: str) -> bytes:
    return bytes.fromhex(value.removeprefix("0x")).rjust(32, b"\0")


def _number(value: int) -> bytes:
    return value.to_bytes(32, "big")
