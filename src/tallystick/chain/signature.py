"""Whether an account signed something: a key, or a contract by its own rules (ERC-1271)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Final

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.exceptions import BadSignature
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from tallystick.chain.abi import CODEC
from tallystick.chain.node import Node
from tallystick.errors import NodeRefused, RevertError

MAGIC: Final = function_signature_to_4byte_selector("isValidSignature(bytes32,bytes)")
"""What a contract answers for a good signature is the selector of what it is asked by."""

KEY_SIGNATURE_BYTES: Final = 65


def is_signed_by(node: Node, account: str, message: Mapping[str, Any], signature: bytes) -> bool:
    """Whether `signature` is the account's over an EIP-712 message, at the latest block: by its key, also where it has
    code beside it (EIP-7702), or as its code says. Raises NodeError where the node cannot say."""
    signable = encode_typed_data(full_message=dict(message))
    if len(signature) == KEY_SIGNATURE_BYTES:
        with contextlib.suppress(BadSignature, ValidationError):
            if Account.recover_message(signable, signature=signature) == account:
                return True
    if not node.code(account):
        return False
    digest = keccak(b"\x19" + signable.version + signable.header + signable.body)
    try:
        answer = node.call(account, MAGIC + CODEC.encode(["bytes32", "bytes"], [digest, signature]))
    except (RevertError, NodeRefused):
        return False
    return answer == MAGIC.ljust(32, b"\0")
