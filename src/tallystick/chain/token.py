"""ERC-20 tokens: what they say of themselves, balances, allowances, and permits where they take them."""

from __future__ import annotations

from typing import Any

from eth_abi.exceptions import DecodingError
from eth_utils.abi import function_signature_to_4byte_selector

from tallystick.chain.abi import CODEC
from tallystick.chain.metadata import read_token
from tallystick.chain.node import Node
from tallystick.chain.rpc import Rpc
from tallystick.chain.sender import Call, Receipt, Sender
from tallystick.chain.signer import Signer
from tallystick.core.funding import AUTHORIZATION_TYPEHASH
from tallystick.core.money import Token
from tallystick.core.permit import PERMIT_TYPEHASH, Permit, SignedPermit, TokenDomain, signed_permit, typed_data
from tallystick.errors import NotAContract, PermitUnsupported, RevertError, TokenReverted

UNLIMITED_UNITS = 2**256 - 1
"""An allowance that most tokens do not use up."""
USUAL_VERSIONS = ("1", "2")
_EIP5267_TYPES = ["bytes1", "string", "string", "uint256", "address", "bytes32", "uint256[]"]
_PERMIT = "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"
_PLAIN_DOMAIN = 0x0F
"""EIP-5267: name, version, chain id and verifying contract, and nothing else."""


class TokenContract:
    """The ERC-20 token at one address. Amounts are base units."""

    def __init__(self, node: Node, address: str) -> None:
        self.node = node
        self.address = address

    # --- Reads ---

    def describe(self) -> Token:
        """Symbol and decimals. Raises NotAContract where there is no code at the address."""
        if not self.node.code(self.address):
            raise NotAContract(self.address)
        return read_token(Rpc(self.node.url), self.node.chain_id, self.address)

    def balance(self, account: str) -> int:
        """Units that an account has. Raises NotAContract or TokenReverted where this is no token."""
        return self._number("balanceOf(address)", account)

    def allowance(self, owner: str, spender: str) -> int:
        """Units that `spender` may move of the owner's. Raises as `balance`."""
        return self._number("allowance(address,address)", owner, spender)

    # --- Allowance by transaction ---

    def approve(self, sender: Sender, spender: str, units: int) -> list[Receipt]:
        """Lets `spender` move `units` of the sender's tokens; nothing is sent where it may already move exactly that.

        Tokens that allow a change from zero only (USDT) get a zero first. Raises TokenReverted where the token
        refuses, and what `Sender.send` raises.
        """
        found = self.allowance(sender.address, spender)
        if found == units:
            return []
        change = self._approval(spender, units)
        receipts = []
        if found and units and not self._takes(sender, change):
            receipts.append(sender.send(self._approval(spender, 0)))
        if not self._takes(sender, change):
            sender.dry_run(change)  # raises the token's own reason where it has one
            raise TokenReverted(f"approve at {self.address} answered false")
        return [*receipts, sender.send(change)]

    def _approval(self, spender: str, units: int) -> Call:
        return Call(self.address, approval_data(spender, units))

    def _takes(self, sender: Sender, call: Call) -> bool:
        """Whether the token would take the call; one that answers nothing (USDT) does."""
        try:
            answer = sender.dry_run(call)
        except RevertError:
            return False
        return not answer or any(answer)

    # --- Allowance by signature ---

    def domain(self) -> TokenDomain:
        """For what the token takes signatures. Raises PermitUnsupported where that cannot be found out for certain.

        Asked are `eip712Domain()` (EIP-5267), else `name()` and `version()`; what is found must hash to
        `DOMAIN_SEPARATOR()`.
        """
        separator = self._try("DOMAIN_SEPARATOR()", ["bytes32"])
        if separator is None:
            raise self._unsupported("has no DOMAIN_SEPARATOR()")
        typehash = self._try("PERMIT_TYPEHASH()", ["bytes32"])
        if typehash is not None and typehash[0] != PERMIT_TYPEHASH:
            raise self._unsupported("has another kind of permit than EIP-2612")
        for name, version in self._stated_domains():
            domain = TokenDomain(name, version, self.node.chain_id, self.address)
            if domain.separator() == separator[0]:
                return domain
        raise self._unsupported("has a DOMAIN_SEPARATOR() that its name and version do not explain")

    def _stated_domains(self) -> list[tuple[str, str]]:
        if stated := self._try("eip712Domain()", _EIP5267_TYPES):
            fields, name, version, *_ = stated
            return [(name, version)] if fields[0] == _PLAIN_DOMAIN else []
        name = self._try("name()", ["string"])
        version = self._try("version()", ["string"])
        versions = ([version[0]] if version else []) + [usual for usual in USUAL_VERSIONS if (usual,) != version]
        return [(name[0], candidate) for candidate in versions] if name else []

    def sign_permit(self, signer: Signer, spender: str, units: int, deadline: int) -> SignedPermit:
        """Lets `spender` move `units` of the signer's tokens without a transaction, if used by `deadline`.

        `deadline` is in Unix seconds. Raises PermitUnsupported where the token has no permits, or refuses this one.
        """
        domain = self.domain()
        nonce = self._try("nonces(address)", ["uint256"], signer.address)
        if nonce is None:
            raise self._unsupported("has no nonces()")
        permit = Permit(signer.address, spender, units, nonce[0], deadline)
        signed = signed_permit(permit, signer.sign_typed_data(typed_data(permit, domain)))
        self._try_permit(permit, signed)
        return signed

    def has_authorizations(self) -> bool:
        """Whether the token takes ERC-3009 authorizations of transfers, as USDC does."""
        return self._try("RECEIVE_WITH_AUTHORIZATION_TYPEHASH()", ["bytes32"]) == (AUTHORIZATION_TYPEHASH,)

    def permit(self, sender: Sender, owner: str, spender: str, signed: SignedPermit) -> Receipt:
        """Anyone submits a permit that the owner signed. Raises a RevertError where the token refuses it."""
        values = (owner, spender, signed.value_units, signed.deadline, signed.v, signed.r, signed.s)
        return sender.send(Call(self.address, _data(_PERMIT, *values)))

    def _try_permit(self, permit: Permit, signed: SignedPermit) -> None:
        values = (permit.owner, permit.spender, permit.value_units, permit.deadline, signed.v, signed.r, signed.s)
        try:
            self.node.call(self.address, _data(_PERMIT, *values), block="pending")
        except RevertError as error:
            raise self._unsupported(f"does not take a right permit ({error})") from error

    def _unsupported(self, why: str) -> PermitUnsupported:
        return PermitUnsupported(f"the token {self.address} {why}: give the allowance by a transaction, with `approve`")

    # --- Parts ---

    def _number(self, signature: str, *values: object) -> int:
        answer = self._try(signature, ["uint256"], *values)
        if answer is None:
            if not self.node.code(self.address):
                raise NotAContract(self.address)
            raise TokenReverted(f"{self.address} does not answer {signature}, as a token would")
        return int(answer[0])

    def _try(self, signature: str, outputs: list[str], *values: object) -> tuple[Any, ...] | None:
        """What a function answers; None where the token does not have it."""
        try:
            answer = self.node.call(self.address, _data(signature, *values))
            return tuple(CODEC.decode(outputs, answer))
        except (RevertError, DecodingError):
            return None


def approval_data(spender: str, units: int) -> bytes:
    """The call that lets a spender move so many units."""
    return _data("approve(address,uint256)", spender, units)


def balance_data(account: str) -> bytes:
    """The call that tells what an account has."""
    return _data("balanceOf(address)", account)


def _data(signature: str, *values: object) -> bytes:
    types = signature.partition("(")[2].removesuffix(")")
    return function_signature_to_4byte_selector(signature) + CODEC.encode(types.split(",") if types else [], values)
