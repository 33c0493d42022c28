"""Escrow payments: the terms that a payer agrees to, what names a payment, and what is signed for one.

`IEscrow.PaymentTerms` says what each term means. A payment is named by the EIP-712 digest of its terms, of one contract
on one chain: whoever signs the terms signs just that.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from eth_utils.crypto import keccak

from tallystick.core import funding
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.funding import Agreement
from tallystick.core.permit import TokenDomain
from tallystick.core.signed import DOMAIN_VERSION, message_of, types_of

DOMAIN_NAME = "Tallystick Escrow"
MOST_UNITS = 2**96 - 1
"""The largest payment."""
MOST_MILESTONES = 20

_TYPE = (
    "Payment(address payer,address payee,address token,uint256 amount,address operator,uint256 authorizeBefore,"
    "uint256 captureBefore,uint256 refundBefore,uint256 disputeWindowSeconds,address arbiter,"
    "uint256 rulingTimeoutSeconds,uint256 defaultPayeeBasisPoints,uint256 maxArbiterFeeBasisPoints,"
    "uint256 minFeeBasisPoints,uint256 maxFeeBasisPoints,address feeReceiver,bytes32 milestonesRoot,uint256 salt)"
)
_TYPEHASH = keccak(text=_TYPE)


class PaymentStatus(IntEnum):
    """Where a payment stands, as `IEscrow.Status`."""

    NONE = 0
    OPEN = 1
    DISPUTED = 2
    CLOSED = 3


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """What a payer agrees to. Units are base units of the token; times are Unix seconds at which an interval is over;
    `_s` are seconds and `_bps` hundredths of a percent. Zeros, and the zero address, add nothing."""

    payer: str
    payee: str
    token: str
    amount_units: int
    authorize_before: int
    capture_before: int
    refund_before: int
    salt: int
    operator: str = ZERO_ADDRESS
    dispute_window_s: int = 0
    arbiter: str = ZERO_ADDRESS
    ruling_timeout_s: int = 0
    default_payee_bps: int = 0
    max_arbiter_fee_bps: int = 0
    min_fee_bps: int = 0
    max_fee_bps: int = 0
    fee_receiver: str = ZERO_ADDRESS
    milestones_root: bytes = bytes(32)

    @property
    def words(self) -> tuple[Any, ...]:
        """In the order of the contract's struct."""
        return (
            self.payer,
            self.payee,
            self.token,
            self.amount_units,
            self.operator,
            self.authorize_before,
            self.capture_before,
            self.refund_before,
            self.dispute_window_s,
            self.arbiter,
            self.ruling_timeout_s,
            self.default_payee_bps,
            self.max_arbiter_fee_bps,
            self.min_fee_bps,
            self.max_fee_bps,
            self.fee_receiver,
            self.milestones_root,
            self.salt,
        )

    @property
    def message(self) -> dict[str, Any]:
        """By the names that a wallet shows."""
        return dict(zip((field["name"] for field in types_of(_TYPE)["Payment"]), self.words, strict=True))

    def struct_hash(self) -> bytes:
        """`hashStruct` of EIP-712."""
        return keccak(_TYPEHASH + b"".join(_word(value) for value in self.words))

    def payment_id(self, *, chain_id: int, contract: str) -> bytes:
        """What names the payment everywhere, 32 bytes."""
        separator = TokenDomain(DOMAIN_NAME, DOMAIN_VERSION, chain_id, contract).separator()
        return keccak(b"\x19\x01" + separator + self.struct_hash())


def _word(value: str | int | bytes) -> bytes:
    if isinstance(value, int):
        return value.to_bytes(32, "big")
    raw = bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else value
    return raw.rjust(32, b"\0")


def typed_data(terms: PaymentTerms, *, chain_id: int, contract: str) -> dict[str, Any]:
    """The whole EIP-712 message of the terms, as `eth_signTypedData_v4` takes it; its digest is the `payment_id`."""
    return message_of(_TYPE, terms.message, chain_id=chain_id, contract=contract, name=DOMAIN_NAME)


def permit2_typed_data(terms: PaymentTerms, *, nonce: int, chain_id: int, contract: str) -> dict[str, Any]:
    """Permit2's SignatureTransfer with the terms as its witness: consent and money by one signature."""
    return funding.permit2_typed_data(
        *(terms.token, terms.amount_units, terms.authorize_before, terms.message, types_of(_TYPE)),
        nonce=nonce,
        chain_id=chain_id,
        contract=contract,
    )


def authorization_typed_data(terms: PaymentTerms, token: TokenDomain, *, contract: str) -> dict[str, Any]:
    """An ERC-3009 authorization to the contract, whose nonce is the payment: consent and money by one signature."""
    payment_id = terms.payment_id(chain_id=token.chain_id, contract=contract)
    asked = token, terms.payer, terms.amount_units, terms.authorize_before
    return funding.authorization_typed_data(*asked, nonce=payment_id, contract=contract)


def agreement(terms: PaymentTerms, *, chain_id: int, contract: str) -> Agreement:
    """What the payer agrees to pay, and signs for it."""
    return Agreement(
        *(terms.token, terms.payer, contract, terms.amount_units, terms.authorize_before),
        consent=typed_data(terms, chain_id=chain_id, contract=contract),
        by_permit2=lambda nonce: permit2_typed_data(terms, nonce=nonce, chain_id=chain_id, contract=contract),
        by_authorization=lambda token: authorization_typed_data(terms, token, contract=contract),
    )


@dataclass(frozen=True, slots=True)
class Milestone:
    """A part of a payment that the payee can capture from `releasable_at` (Unix seconds) on, once. `index` is below 20
    and its own within the payment."""

    index: int
    amount_units: int
    releasable_at: int

    def leaf(self) -> bytes:
        """In the tree whose root the terms name: hashed twice, as OpenZeppelin's StandardMerkleTree does."""
        return keccak(keccak(b"".join(_word(value) for value in (self.index, self.amount_units, self.releasable_at))))


def milestones_root(milestones: list[Milestone]) -> bytes:
    """The root of the tree of all of them, 32 bytes."""
    return _levels(milestones)[-1][0]


def milestone_proof(milestones: list[Milestone], index: int) -> list[bytes]:
    """What shows that the milestone with this index is in the tree. Raises StopIteration where there is none."""
    place = next(place for place, milestone in enumerate(milestones) if milestone.index == index)
    proof = []
    for level in _levels(milestones)[:-1]:
        sibling = place ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        place //= 2
    return proof


def _levels(milestones: list[Milestone]) -> list[list[bytes]]:
    """Leaves to root. Two are hashed in the order of their values, one without a sibling goes up as it is: what
    OpenZeppelin's MerkleProof verifies."""
    levels = [[milestone.leaf() for milestone in milestones]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = [below[place : place + 2] for place in range(0, len(below), 2)]
        levels.append([keccak(b"".join(sorted(pair))) if len(pair) == 2 else pair[0] for pair in pairs])
    return levels
