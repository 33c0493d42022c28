"""Who signed a voucher: judged as the contract does, by recovering its key with libsecp256k1, and by an account's own
code (ERC-1271) only where no key fits."""

from __future__ import annotations

import functools
from typing import Final

import coincurve
import sha3
from eth_utils.abi import function_signature_to_4byte_selector

from tallystick.chain.abi import CODEC
from tallystick.chain.node import Node, hex_bytes
from tallystick.core.channel import Channel
from tallystick.core.voucher import SpendingKey, Voucher
from tallystick.errors import NodeRefused, RevertError

SIGNATURE_BYTES: Final = 65
_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
CODE_GAS: Final = 250_000
"""What the contract lets an account's code use in a row of a claim (`TokenCall.reserved`): what needs more is refused
there, so here."""
CALL_GAS, BYTE_GAS = 21_000, 16
_MAGIC: Final = function_signature_to_4byte_selector("isValidSignature(bytes32,bytes)")


def recovered(digest: bytes, signature: bytes) -> bytes | None:
    """The 20 bytes of the account whose key signed a digest; None for a signature that is none, or not in the one form
    that the contract takes: 65 bytes, low s, v of 27 or 28 (E13)."""
    if len(signature) != SIGNATURE_BYTES or signature[64] not in {27, 28}:
        return None
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        return None
    try:
        compact = signature[:64] + bytes((signature[64] - 27,))
        key = coincurve.PublicKey.from_signature_and_message(compact, digest, hasher=None)
    except Exception:  # noqa: BLE001 (coincurve raises Exception itself where there is no such point)
        return None
    found: bytes = sha3.keccak_256(key.format(compressed=False)[1:]).digest()[12:]
    return found


@functools.lru_cache(maxsize=65_536)
def _raw(address: str) -> bytes:
    return bytes.fromhex(address[2:])


def is_by_key(account: str, digest: bytes, signature: bytes) -> bool:
    """Whether the key of an account signed."""
    return recovered(digest, signature) == _raw(account)


class VoucherJudge:
    """Judges signatures of vouchers as the contract would. Asks the node only for accounts with code, and once for each
    spending key that such an account signed for. Threads may share it."""

    MOST_KNOWN: Final = 65_536

    def __init__(self, node: Node) -> None:
        self._node = node
        self._keys: set[tuple[bytes, SpendingKey]] = set()

    def is_signed(self, voucher: Voucher) -> bool:
        """Whether who may sign for the channel did. Raises a NodeError."""
        terms, digest = voucher.channel.terms, voucher.digest
        if voucher.spending_key is not None:
            key = voucher.spending_key
            return is_by_key(key.key, digest, voucher.signature) and self.is_granted(voucher.channel, key)
        if terms.payer_authorizer is not None:
            return is_by_key(terms.payer_authorizer, digest, voucher.signature)
        return self._is_by_account(terms.payer, digest, voucher.signature)

    def is_granted(self, channel: Channel, key: SpendingKey) -> bool:
        """Whether the payer signed for a key. One that was good is asked for no more: its payer can take it back by a
        withdrawal alone. Raises a NodeError."""
        known = channel.channel_id, key
        if known in self._keys:
            return True
        if not self._is_by_account(channel.terms.payer, key.digest(channel), key.signature):
            return False
        if len(self._keys) >= self.MOST_KNOWN:
            self._keys.clear()
        self._keys.add(known)
        return True

    def _is_by_account(self, account: str, digest: bytes, signature: bytes) -> bool:
        """By its key, or else by its code (E14, E16)."""
        if is_by_key(account, digest, signature):
            return True
        data = _MAGIC + CODEC.encode(["bytes32", "bytes"], [digest, signature])
        gas = CODE_GAS + CALL_GAS + BYTE_GAS * len(data)
        call = {"to": account, "data": "0x" + data.hex(), "gas": hex(gas)}
        try:
            answer = hex_bytes(self._node.request("eth_call", [call, "latest"]))
        except (RevertError, NodeRefused):  # some nodes tell code that fails so: in doubt it is not signed
            return False
        return answer[:32] == _MAGIC.ljust(32, b"\0")
