"""Escrow payments on the stage: their terms, what payers sign for them, written anew from the interface's
documentation, and what of them the tests look at."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from ape.exceptions import CustomError, VirtualMachineError
from eth_abi.abi import encode
from eth_account import Account as Keys
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from tests.contracts.permit2 import PERMIT2
from tests.contracts.signing import PERMIT_FIELDS
from tests.contracts.stage import DAY, NOBODY, START, UNLIMITED, Account, Contract, Receipt, Stage, balances_move

AMOUNT = 100_000_000
"""A hundred of a token with 6 decimals."""
AUTHORIZE_BEFORE = START + DAY
CAPTURE_BEFORE = START + 10 * DAY
REFUND_BEFORE = START + 40 * DAY
TIMEOUT = 7 * DAY
ALLOWANCE, PERMIT, PERMIT2_WITNESS, AUTHORIZATION, COLLECTOR = range(5)
"""How the money comes."""
NONE, OPEN, DISPUTED, CLOSED = range(4)
"""Where a payment stands."""
ALL = UNLIMITED
"""In place of an amount to capture."""
NO_HASH = bytes(32)
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
MAGIC = bytes.fromhex("6492" * 16)
DOMAIN_FIELDS = "string name,string version,uint256 chainId,address verifyingContract"
PAYMENT_FIELDS = (
    "address payer,address payee,address token,uint256 amount,address operator,uint256 authorizeBefore,"
    "uint256 captureBefore,uint256 refundBefore,uint256 disputeWindowSeconds,address arbiter,"
    "uint256 rulingTimeoutSeconds,uint256 defaultPayeeBasisPoints,uint256 maxArbiterFeeBasisPoints,"
    "uint256 minFeeBasisPoints,uint256 maxFeeBasisPoints,address feeReceiver,bytes32 milestonesRoot,uint256 salt"
)
RECEIVE_FIELDS = "address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce"


class Terms(NamedTuple):
    """What a payer agrees to, in the order of the contract's struct."""

    payer: str
    payee: str
    token: str
    amount: int = AMOUNT
    operator: str = NOBODY
    authorize_before: int = AUTHORIZE_BEFORE
    capture_before: int = CAPTURE_BEFORE
    refund_before: int = REFUND_BEFORE
    dispute_window: int = 0
    arbiter: str = NOBODY
    ruling_timeout: int = 0
    default_payee_bps: int = 0
    max_arbiter_fee_bps: int = 0
    min_fee_bps: int = 0
    max_fee_bps: int = 0
    fee_receiver: str = NOBODY
    milestones_root: bytes = NO_HASH
    salt: int = 0

    def message(self) -> dict[str, Any]:
        """By the names that a wallet shows."""
        return dict(zip((field["name"] for field in fields(PAYMENT_FIELDS)), self, strict=True))


class State(NamedTuple):
    """A payment as the contract tells it."""

    status: int
    held: int
    refundable: int
    since: int
    milestones: int = 0


class Milestone(NamedTuple):
    """A leaf: a part that can be captured from a time on."""

    place: int
    amount: int
    releasable_at: int = 0

    def leaf(self) -> bytes:
        """Place, amount and time, hashed twice."""
        return keccak(keccak(encode(["uint256", "uint256", "uint256"], list(self))))


def pair(one: bytes, other: bytes) -> bytes:
    """The node above two others."""
    return keccak(min(one, other) + max(one, other))


def fields(text: str) -> list[dict[str, str]]:
    """Of a struct, as typed data lists them."""
    return [dict(zip(("type", "name"), field.split(" "), strict=True)) for field in text.split(",")]


def domain_of(contract: str, *, name: str = "Tallystick Escrow", version: str = "1", chain_id: int = 31_337) -> Any:
    """An EIP-712 domain."""
    return {"name": name, "version": version, "chainId": chain_id, "verifyingContract": contract}


def digest(data: dict[str, Any]) -> bytes:
    """What is signed of a message."""
    signable = encode_typed_data(full_message=data)
    return keccak(b"\x19\x01" + signable.header + signable.body)


def signed(key: Account, data: dict[str, Any]) -> bytes:
    """65 bytes, r, s and v."""
    return bytes(Keys.sign_typed_data(key.private_key, full_message=data).signature)


def second_forms(signature: bytes) -> list[bytes]:
    """What a curve or a careless library would take for the same signature."""
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    high_s = r + (CURVE_ORDER - s).to_bytes(32, "big") + bytes([55 - v])
    compact = r + (s | (v - 27) << 255).to_bytes(32, "big")
    return [high_s, compact, signature[:64] + bytes([v - 27]), signature + b"\x00", b"", b"\x00" * 65]


def wrapped(factory: Contract, call: bytes, inner: bytes) -> bytes:
    """A signature of ERC-6492: who is to be called with what before the wallet is asked."""
    return encode(["address", "bytes", "bytes"], [factory.address, bytes(call), inner]) + MAGIC


@contextlib.contextmanager
def reverts_as(signature: str, *words: int) -> Iterator[None]:
    """The body reverts with an error, and these values, that the contract which was called does not know."""
    with pytest.raises(VirtualMachineError) as caught:
        yield
    assert not isinstance(caught.value, CustomError), caught.value
    data = keccak(text=signature)[:4] + b"".join(word.to_bytes(32, "big") for word in words)
    assert str(caught.value).removeprefix("0x") == data.hex(), caught.value


class Payments:
    """The contract under test with those who are party to payments; see `conftest.py`."""

    def __init__(self, stage: Stage, escrow: Contract, payer: Account, named: dict[str, Account]) -> None:
        self.stage, self.escrow, self.payer = stage, escrow, payer
        self.payee, self.anyone = stage.merchant, stage.anyone
        self.operator, self.arbiter, self.receiver = named["operator"], named["arbiter"], named["receiver"]
        self._salts = itertools.count(1)

    # --- Terms ---

    def terms(self, **changes: Any) -> Terms:
        """Of a payment unlike any before: an operator, no fees, no disputes, no milestones unless `changes` say so."""
        usual = {"payer": self.payer, "payee": self.payee, "token": self.stage.token, "operator": self.operator}
        usual["salt"] = next(self._salts)
        chosen = {name: getattr(value, "address", value) for name, value in (usual | changes).items()}
        return Terms(**chosen)

    def disputable(self, **changes: Any) -> Terms:
        """With an arbiter, whose default gives the payee a quarter, and who may take 5 %."""
        rules = {"ruling_timeout": TIMEOUT, "default_payee_bps": 2_500, "max_arbiter_fee_bps": 500}
        return self.terms(**({"arbiter": self.arbiter} | rules | changes))

    def with_fee(self, **changes: Any) -> Terms:
        """With a platform that receives between 1 % and 3 %."""
        fees = {"fee_receiver": self.receiver, "min_fee_bps": 100, "max_fee_bps": 300}
        return self.terms(**(fees | changes))

    def with_all(self, **changes: Any) -> Terms:
        """Disputes and fees."""
        fees = {"fee_receiver": self.receiver, "min_fee_bps": 100, "max_fee_bps": 300}
        return self.disputable(**(fees | changes))

    # --- What payers sign ---

    def data(self, terms: Terms, *, contract: str | None = None, chain_id: int = 31_337) -> dict[str, Any]:
        """The message of the terms."""
        return {
            "types": {"EIP712Domain": fields(DOMAIN_FIELDS), "Payment": fields(PAYMENT_FIELDS)},
            "primaryType": "Payment",
            "domain": domain_of(contract or self.escrow.address, chain_id=chain_id),
            "message": terms.message(),
        }

    def id(self, terms: Terms) -> bytes:
        """What names the payment."""
        return digest(self.data(terms))

    def consent(self, terms: Terms, key: Account | None = None, **domain: Any) -> bytes:
        """A signature of the terms, by default the first payer's."""
        return signed(key or self.payer, self.data(terms, **domain))

    def permit(
        self,
        token: Contract,
        owner: Account,
        *,
        value: int = UNLIMITED,
        deadline: int = UNLIMITED,
        version: str = "1",
        spender: Contract | None = None,
    ) -> bytes:
        """The head of what `PERMIT` carries: value, deadline, v, r and s in a word each."""
        message = {
            "owner": owner.address,
            "spender": (spender or self.escrow).address,
            "value": value,
            "nonce": token.nonces(owner),
            "deadline": deadline,
        }
        data = {
            "types": {"EIP712Domain": fields(DOMAIN_FIELDS), "Permit": fields(PERMIT_FIELDS)},
            "primaryType": "Permit",
            "domain": domain_of(token.address, name=token.name(), version=version),
            "message": message,
        }
        signature = signed(owner, data)
        words = [value, deadline, signature[64], signature[:32], signature[32:64]]
        return encode(["uint256", "uint256", "uint8", "bytes32", "bytes32"], words)

    def permit2_data(self, terms: Terms, nonce: int, **changes: Any) -> dict[str, Any]:
        """Permit2's message with the terms as its witness; `changes` are of its own values."""
        message = {
            "permitted": {"token": terms.token, "amount": terms.amount},
            "spender": self.escrow.address,
            "nonce": nonce,
            "deadline": terms.authorize_before - 1,
            "witness": terms.message(),
        }
        outer = "TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Payment witness"
        return {
            "types": {
                "EIP712Domain": fields("string name,uint256 chainId,address verifyingContract"),
                "PermitWitnessTransferFrom": fields(outer),
                "TokenPermissions": fields("address token,uint256 amount"),
                "Payment": fields(PAYMENT_FIELDS),
            },
            "primaryType": "PermitWitnessTransferFrom",
            "domain": {"name": "Permit2", "chainId": 31_337, "verifyingContract": PERMIT2},
            "message": message | changes,
        }

    def by_permit2(self, terms: Terms, nonce: int = 0, key: Account | None = None, **changes: Any) -> bytes:
        """What `PERMIT2_WITNESS` carries."""
        return nonce.to_bytes(32, "big") + signed(key or self.payer, self.permit2_data(terms, nonce, **changes))

    def authorization_data(self, terms: Terms, **changes: Any) -> dict[str, Any]:
        """USDC's message of an ERC-3009 authorization for the payment; `changes` are of its own values."""
        message = {
            "from": terms.payer,
            "to": self.escrow.address,
            "value": terms.amount,
            "validAfter": 0,
            "validBefore": terms.authorize_before,
            "nonce": self.id(terms),
        }
        return {
            "types": {"EIP712Domain": fields(DOMAIN_FIELDS), "ReceiveWithAuthorization": fields(RECEIVE_FIELDS)},
            "primaryType": "ReceiveWithAuthorization",
            "domain": domain_of(terms.token, name="USD Coin", version="2"),
            "message": message | changes,
        }

    def by_authorization(self, terms: Terms, key: Account | None = None, **changes: Any) -> bytes:
        """What `AUTHORIZATION` carries."""
        return signed(key or self.payer, self.authorization_data(terms, **changes))

    # --- Verbs ---

    def authorize(self, terms: Terms, *, at: int | None = None) -> Receipt:
        """The payer authorizes by allowance."""
        if at is not None:
            self.stage.at(at)
        return self.escrow.authorize(terms, ALLOWANCE, b"", sender=self.payer)

    def authorized(self, **changes: Any) -> Terms:
        """A payment that is held."""
        terms = self.terms(**changes)
        self.authorize(terms)
        return terms

    def disputed(self, *, at: int | None = None, **changes: Any) -> Terms:
        """One that the payer disputes."""
        terms = self.with_all(**changes)
        self.authorize(terms)
        if at is not None:
            self.stage.at(at)
        self.escrow.dispute(terms, NO_HASH, sender=self.payer)
        return terms

    # --- What the chain says ---

    def state(self, terms: Terms) -> State:
        """Where the payment stands."""
        found = self.escrow.payment(self.id(terms))
        return State(found.status, found.held, found.refundable, found.since, found.milestones)

    def events(self, receipt: Receipt) -> list[tuple[str, dict[str, Any]]]:
        """Name and values of the contract's own events in a transaction, in order; terms are left out."""
        return [
            (event.event_name, {name: value for name, value in event.event_arguments.items() if name != "terms"})
            for event in receipt.events
            if event.contract_address == self.escrow.address
        ]

    def total(self, payee: Account | None = None, token: Contract | None = None) -> tuple[int, int]:
        """Count and sum of a payee's payments."""
        found = self.escrow.paymentTotal(payee or self.payee, token or self.stage.token)
        return int(found.count), int(found.sum)

    def claimable(self, account: Account, token: Contract | None = None) -> int:
        """What the contract keeps for an account."""
        return int(self.escrow.claimable(account, token or self.stage.token))

    @contextlib.contextmanager
    def moves(self, token: Contract | None = None, **units: int) -> Iterator[None]:
        """The body changes these balances, of parties by their names here, by so much, and no other party's."""
        parties = {
            name: getattr(self, name)
            for name in ("payer", "payee", "operator", "arbiter", "receiver", "anyone", "escrow")
        }
        with balances_move(token or self.stage.token, parties, units):
            yield

    @contextlib.contextmanager
    def nothing_changes(self, *tokens: Contract) -> Iterator[None]:
        """No transaction of the body stores anything in the contract or the tokens."""
        addresses = [self.escrow.address, *(token.address for token in tokens or (self.stage.token,))]
        with self.stage.nothing_stored(addresses):
            yield
