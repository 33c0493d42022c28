"""Quotes and deposit addresses on the stage: what merchants and payers sign, written anew from the interface's
documentation, and what of them the tests look at."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tests.contracts.payments import AMOUNT, DOMAIN_FIELDS, RECEIVE_FIELDS, Payments, digest, domain_of, fields, signed
from tests.contracts.permit2 import PERMIT2
from tests.contracts.stage import DAY, START, Account, Contract, Receipt, Stage, balances_move

VALID_BEFORE = START + DAY
PAYOUT_FIELDS = "address payee,uint256 amount"
QUOTE_FIELDS = (
    "address merchant,uint256 number,bytes32 invoice,address token,uint256 amount,uint256 validBefore,Payout[] payouts"
)
EMPTY, REFUSED = range(2)
"""Why nothing was swept."""
COIN = "0x" + "00" * 20
"""In place of a token: the chain's own currency."""


class Quote(NamedTuple):
    """What a merchant asks for, in the order of the contract's struct."""

    merchant: str
    number: int
    invoice: bytes
    token: str
    amount: int
    valid_before: int
    payouts: list[tuple[str, int]]

    def message(self) -> dict[str, Any]:
        """By the names that a wallet shows."""
        message = dict(zip((field["name"] for field in fields(QUOTE_FIELDS)), self, strict=True))
        return message | {"payouts": [{"payee": payee, "amount": amount} for payee, amount in self.payouts]}


class Sales:
    """The contract under test with a merchant, a payer and those who share what is paid; see `conftest.py`."""

    def __init__(self, stage: Stage, checkout: Contract, payments: Payments, creation_code: bytes) -> None:
        self.stage, self.checkout, self.creation_code = stage, checkout, creation_code
        self.payer, self.merchant, self.anyone = payments.payer, stage.merchant, stage.anyone
        self.payee, self.second, self.third = payments.operator, payments.arbiter, payments.receiver
        self.permit = payments.permit  # of any contract's domain, for a spender of one's choice
        self._numbers = itertools.count(1)

    # --- Quotes ---

    def quote(self, *parts: int, **changes: Any) -> Quote:
        """One unlike any before, for the payee alone, or in parts for payee, second and third."""
        number = next(self._numbers)
        shares = parts or (AMOUNT,)
        parties = (self.payee, self.second, self.third)[: len(shares)]
        payouts = [(party.address, part) for party, part in zip(parties, shares, strict=True)]
        usual = {
            "merchant": self.merchant,
            "number": number,
            "invoice": keccak(text=f"invoice {number}"),
            "token": self.stage.token,
            "amount": sum(amount for _, amount in changes.get("payouts", payouts)),
            "valid_before": VALID_BEFORE,
            "payouts": payouts,
        }
        return Quote(**{name: getattr(value, "address", value) for name, value in (usual | changes).items()})

    def data(self, quote: Quote, *, chain_id: int = 31_337, contract: str | None = None) -> dict[str, Any]:
        """The message that a merchant signs."""
        return {
            "types": {
                "EIP712Domain": fields(DOMAIN_FIELDS),
                "Quote": fields(QUOTE_FIELDS),
                "Payout": fields(PAYOUT_FIELDS),
            },
            "primaryType": "Quote",
            "domain": domain_of(contract or self.checkout.address, name="Tallystick Checkout", chain_id=chain_id),
            "message": quote.message(),
        }

    def id(self, quote: Quote) -> bytes:
        """What names the quote."""
        return digest(self.data(quote))

    def offer(self, quote: Quote, key: Account | None = None, **domain: Any) -> bytes:
        """The merchant's signature."""
        return signed(key or self.merchant, self.data(quote, **domain))

    def acceptance(self, quote: Quote, payer: str | None = None, key: Account | None = None, **domain: Any) -> bytes:
        """The payer's, where an allowance pays."""
        data = self.data(quote, **domain)
        data["types"] |= {"Acceptance": fields("address payer,Quote quote")}
        data["primaryType"] = "Acceptance"
        data["message"] = {"payer": payer or self.payer.address, "quote": data["message"]}
        return signed(key or self.payer, data)

    def permit2_data(self, quote: Quote, nonce: int, **changes: Any) -> dict[str, Any]:
        """Permit2's message with the quote as its witness; `changes` are of its own values."""
        message = {
            "permitted": {"token": quote.token, "amount": quote.amount},
            "spender": self.checkout.address,
            "nonce": nonce,
            "deadline": quote.valid_before - 1,
            "witness": quote.message(),
        }
        outer = "TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Quote witness"
        return {
            "types": {
                "EIP712Domain": fields("string name,uint256 chainId,address verifyingContract"),
                "PermitWitnessTransferFrom": fields(outer),
                "TokenPermissions": fields("address token,uint256 amount"),
                "Quote": fields(QUOTE_FIELDS),
                "Payout": fields(PAYOUT_FIELDS),
            },
            "primaryType": "PermitWitnessTransferFrom",
            "domain": {"name": "Permit2", "chainId": 31_337, "verifyingContract": PERMIT2},
            "message": message | changes,
        }

    def by_permit2(self, quote: Quote, nonce: int = 0, key: Account | None = None, **changes: Any) -> bytes:
        """What `PERMIT2_WITNESS` carries."""
        return nonce.to_bytes(32, "big") + signed(key or self.payer, self.permit2_data(quote, nonce, **changes))

    def by_authorization(self, quote: Quote, **changes: Any) -> bytes:
        """What `AUTHORIZATION` carries: USDC's message for the quote."""
        message = {
            "from": self.payer.address,
            "to": self.checkout.address,
            "value": quote.amount,
            "validAfter": 0,
            "validBefore": quote.valid_before,
            "nonce": self.id(quote),
        }
        data = {
            "types": {"EIP712Domain": fields(DOMAIN_FIELDS), "ReceiveWithAuthorization": fields(RECEIVE_FIELDS)},
            "primaryType": "ReceiveWithAuthorization",
            "domain": domain_of(quote.token, name="USD Coin", version="2"),
            "message": message | changes,
        }
        return signed(self.payer, data)

    # --- Verbs ---

    def pay(
        self,
        quote: Quote,
        funding: int = 0,
        data: bytes = b"",
        *,
        payer: Account | Contract | None = None,
        sender: Account | None = None,
        offer: bytes | None = None,
    ) -> Receipt:
        """By default the payer pays by allowance what the merchant signed."""
        signature = self.offer(quote) if offer is None else offer
        return self.checkout.pay(
            quote, signature, payer or self.payer, funding, data, sender=sender or payer or self.payer
        )

    def sweep(self, *invoices: bytes, token: Contract | str | None = None, receiver: Account | None = None) -> Receipt:
        """Anyone sweeps deposit addresses of the merchant, by default of the usual token."""
        wanted = self.stage.token if token is None else token
        return self.checkout.sweep(receiver or self.merchant, wanted, list(invoices), sender=self.anyone)

    # --- What the chain says ---

    def deposit(self, invoice: bytes, receiver: Account | None = None) -> str:
        """The address, worked out from EIP-1014 and what the interface says that it is made of."""
        salt = keccak(encode(["address", "bytes32"], [(receiver or self.merchant).address, invoice]))
        place = b"\xff" + bytes.fromhex(self.checkout.address[2:]) + salt + keccak(self.creation_code)
        return str(to_checksum_address(keccak(place)[12:]))

    def events(self, receipt: Receipt) -> list[tuple[str, dict[str, Any]]]:
        """Name and values of the contract's own events in a transaction, in order; quotes are left out."""
        return [
            (event.event_name, {name: value for name, value in event.event_arguments.items() if name != "quote"})
            for event in receipt.events
            if event.contract_address == self.checkout.address
        ]

    def total(self, token: Contract | None = None) -> tuple[int, int]:
        """Count and sum of the merchant's paid quotes."""
        found = self.checkout.quoteTotal(self.merchant, token or self.stage.token)
        return int(found.count), int(found.sum)

    @contextlib.contextmanager
    def moves(self, token: Contract | None = None, **units: int) -> Iterator[None]:
        """The body changes these balances, of parties by their names here, by so much, and no other party's."""
        parties = {
            name: getattr(self, name)
            for name in ("payer", "payee", "second", "third", "merchant", "anyone", "checkout")
        }
        with balances_move(token or self.stage.token, parties, units):
            yield

    @contextlib.contextmanager
    def nothing_changes(self, *tokens: Contract) -> Iterator[None]:
        """No transaction of the body stores anything in the contract or the tokens."""
        addresses = [self.checkout.address, *(token.address for token in tokens or (self.stage.token,))]
        with self.stage.nothing_stored(addresses):
            yield


def swept(receiver: Account, invoice: bytes, token: Contract | str, amount: int) -> tuple[str, dict[str, Any]]:
    """The event."""
    token = getattr(token, "address", token)
    return "Swept", {"receiver": receiver.address, "invoice": invoice, "token": token, "amount": amount}


def not_swept(receiver: Account, invoice: bytes, token: Contract | str, why: int) -> tuple[str, dict[str, Any]]:
    """The event."""
    token = getattr(token, "address", token)
    return "NotSwept", {"receiver": receiver.address, "invoice": invoice, "token": token, "reason": why}


def names(events: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    """Of events."""
    return [name for name, _ in events]
