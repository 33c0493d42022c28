"""Permit2 on a chain: what a spender may move there, and changing that by a transaction or a signature."""

from __future__ import annotations

from typing import NamedTuple

from eth_abi.exceptions import EncodingError
from eth_utils.abi import function_signature_to_4byte_selector

from tallystick.chain.abi import CODEC
from tallystick.chain.node import Node
from tallystick.chain.sender import Call, Receipt, Sender
from tallystick.chain.signer import Signer
from tallystick.core.permit2 import NO_EXPIRY, PERMIT2, Permit2, SignedPermit2, typed_data
from tallystick.errors import InputError

_ALL_USED = 2**256 - 1
_PERMIT_SINGLE = "((address,uint160,uint48,uint48),address,uint256)"


class Allowance(NamedTuple):
    """What a spender may move through Permit2, until and with the second `expiration`; `nonce` is that of the owner's
    next signature."""

    units: int
    expiration: int
    nonce: int

    def units_at(self, time: int) -> int:
        """What it may move at a time, in Unix seconds."""
        return self.units if time <= self.expiration else 0


class Permit2Contract:
    """Permit2, at the one address that it has on every chain. Amounts are base units of the token."""

    address = PERMIT2

    def __init__(self, node: Node) -> None:
        self.node = node

    def require(self) -> None:
        """Raises InputError where the chain has no Permit2."""
        if not self.node.code(PERMIT2):
            raise InputError(
                f"there is no Permit2 at {PERMIT2} on chain {self.node.chain_id}: let the contract itself move the "
                "tokens, without Permit2"
            )

    def allowance(self, owner: str, token: str, spender: str) -> Allowance:
        """What `spender` may move. Raises InputError where the chain has no Permit2."""
        self.require()
        data = _data("allowance", ["address"] * 3, owner, token, spender)
        return Allowance(*CODEC.decode(["uint160", "uint48", "uint48"], self.node.call(PERMIT2, data)))

    def free_nonce(self, owner: str) -> int:
        """The first that the owner has not used with a SignatureTransfer: a bit of words of 256, so that in order they
        cost the least gas. Raises InputError where the chain has no Permit2."""
        self.require()
        place = 0
        while (used := self._used(owner, place)) == _ALL_USED:
            place += 1
        bit = next(bit for bit in range(256) if not used >> bit & 1)
        return place << 8 | bit

    def _used(self, owner: str, place: int) -> int:
        answer = self.node.call(PERMIT2, _data("nonceBitmap", ["address", "uint256"], owner, place))
        return int(CODEC.decode(["uint256"], answer)[0])

    def approve(self, sender: Sender, token: str, spender: str, units: int, expiration: int = NO_EXPIRY) -> Receipt:
        """Lets `spender` move `units` of the sender's tokens until `expiration`. Permit2 itself needs the token's
        allowance as well. Raises InputError for values that it cannot hold, and what `Sender.send` raises."""
        self.require()
        data = _data("approve", ["address", "address", "uint160", "uint48"], token, spender, units, expiration)
        return sender.send(Call(PERMIT2, data))

    def sign(
        self, signer: Signer, token: str, spender: str, units: int, deadline: int, expiration: int = NO_EXPIRY
    ) -> SignedPermit2:
        """The same without a transaction, if it is submitted by `deadline` (Unix seconds)."""
        nonce = self.allowance(signer.address, token, spender).nonce
        permit = Permit2(token, units, expiration, nonce, spender, deadline)
        return SignedPermit2(permit, signer.sign_typed_data(typed_data(permit, self.node.chain_id)))

    def permit(self, sender: Sender, owner: str, signed: SignedPermit2) -> Receipt:
        """Anyone submits what the owner signed. Raises CallReverted where Permit2 refuses it."""
        permit = signed.permit
        details = permit.token, permit.amount_units, permit.expiration, permit.nonce
        single = details, permit.spender, permit.deadline
        data = _data("permit", ["address", _PERMIT_SINGLE, "bytes"], owner, single, signed.signature)
        return sender.send(Call(PERMIT2, data))


def _data(name: str, types: list[str], *values: object) -> bytes:
    signature = f"{name}({','.join(types)})"
    try:
        return function_signature_to_4byte_selector(signature) + CODEC.encode(types, values)
    except EncodingError as error:
        raise InputError(f"found a value that Permit2's {signature} cannot hold: {error}") from error
