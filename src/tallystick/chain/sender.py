"""Sends transactions so that each has its effect once or not at all.

What makes it so: a transaction keeps its nonce for life, and the chain takes each nonce once. A transaction that is not
mined in time is sent again with the same nonce and higher fees, and whichever of its versions is mined is the one. When
another transaction has taken the nonce, none of the versions can ever be mined, and the caller is told so.

Not protected: "mined" means in the chain as it now is. When a reorganisation takes that back, the transaction usually
comes again by itself; the mirror, which waits for finality, is what tells.

Every call is tried with `eth_call` before anything is signed, so that what would revert costs nothing.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from eth_utils.crypto import keccak

from tallystick.chain.failures import Refusal, refusal_of, send_failure
from tallystick.chain.fees import Fees, bumped, suggested
from tallystick.chain.node import Node, hex_bytes
from tallystick.chain.signer import Signer
from tallystick.config import GasConfig
from tallystick.errors import (
    NodeBusy,
    NodeError,
    NodeInvalid,
    NodeRefused,
    NodeUnreachable,
    RevertError,
    TransactionDropped,
    TransactionError,
    TransactionRefused,
    TransactionReverted,
    TransactionStuck,
)

GAS_MARGIN_PERCENT = 25
"""Added to the estimate: between it and the block other transactions may change what ours has to do."""
NONCE_ATTEMPTS = 8
"""How often another process may be quicker with a nonce before we give up."""
SETTLE_POLLS = 5
SETTLE_POLL_S = 1.0
"""How often to look for our receipt after the nonce is used: behind one address may be several nodes."""
FIRST_POLL_S = 0.02
SLOWEST_POLL_S = 2.0
POLL_GROWTH = 1.5
UNSURE = (NodeUnreachable, NodeBusy, NodeInvalid)
"""After these nobody knows whether the node has done what was asked."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a transaction does."""

    to: str
    data: bytes
    value_wei: int = 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction that had its effect. `transaction` and `block_hash` are 0x and 64 digits; `logs` as the node
    gives them."""

    transaction: str
    block_number: int
    block_hash: str
    gas_used: int
    gas_price_wei: int
    logs: tuple[Mapping[str, Any], ...] = field(repr=False)


@dataclass(slots=True)
class Submission:
    """A transaction on its way: its versions by hash, all with one nonce."""

    call: Call
    nonce: int
    gas: int
    fees: Fees
    versions: dict[str, bytes] = field(default_factory=dict)
    bumps: int = 0
    obstacle: TransactionError | None = None

    @property
    def transaction(self) -> str:
        """The hash of the version that was sent last."""
        return next(reversed(self.versions))


class Sender:
    """Sends what one account signs. Threads may share it; processes with the same key do not disturb it."""

    def __init__(
        self,
        node: Node,
        signer: Signer,
        gas: GasConfig | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.node = node
        self.signer = signer
        self._gas = gas or GasConfig()
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._flying: set[int] = set()

    @property
    def address(self) -> str:
        """Who sends."""
        return self.signer.address

    def send(self, call: Call) -> Receipt:
        """Tries, signs, sends and waits.

        Raises a RevertError when the call would revert (nothing is sent) or did; and what `submit` and `wait` raise.
        """
        return self.wait(self.submit(call))

    def dry_run(self, call: Call) -> bytes:
        """What the call would return as the next transaction. Raises a RevertError where it would revert."""
        return hex_bytes(self.node.request("eth_call", [self._request_of(call), "pending"]))

    def estimate(self, call: Call) -> int:
        """The gas that the call needs. Raises a RevertError where it would revert."""
        return _number(self.node.request("eth_estimateGas", [self._request_of(call), "pending"]))

    def submit(self, call: Call) -> Submission:
        """Tries the call and sends it, without waiting.

        Raises a RevertError, GasTooDear, FundsTooLow, TransactionRefused or a NodeError; nothing is sent then. A node
        that fails while it is sent to may have taken the transaction all the same: that counts as sent, and `wait`
        finds out.
        """
        self.dry_run(call)
        gas = self.estimate(call) * (100 + GAS_MARGIN_PERCENT) // 100
        fees = suggested(self.node, self._gas)
        with self._lock:
            return self._send_first(call, gas, fees)

    def wait(self, submission: Submission) -> Receipt:
        """Waits until the transaction is mined, replacing it by one with higher fees where it takes too long.

        Raises a RevertError or TransactionReverted when it was mined without effect, TransactionDropped when another
        transaction took its nonce, TransactionStuck when it is still not mined after the last replacement.
        """
        try:
            receipt = self._await_receipt(submission)
        finally:
            with self._lock:
                self._flying.discard(submission.nonce)
        return self._effective(receipt, submission)

    # --- Sending ---

    def _send_first(self, call: Call, gas: int, fees: Fees) -> Submission:
        """With the lowest nonce that is free; one that another process has taken meanwhile is left to it."""
        free = 0
        for _ in range(NONCE_ATTEMPTS):
            nonce = max([free, self._count("pending"), *(taken + 1 for taken in self._flying)])
            submission = Submission(call, nonce, gas, fees)
            if self._send_version(submission, fees) is None:
                self._flying.add(nonce)
                return submission
            free = nonce + 1
        raise TransactionRefused(
            f"{self.address} found {NONCE_ATTEMPTS} nonces taken by others: another program sends with the same key; "
            "give each its own"
        )

    def _send_version(self, submission: Submission, fees: Fees) -> Refusal | None:
        """Signs and sends; a refusal that depends on the nonce is returned, any other raised."""
        raw = self.signer.sign_transaction(
            {
                "to": submission.call.to,
                "data": "0x" + submission.call.data.hex(),
                "value": submission.call.value_wei,
                "gas": submission.gas,
                "nonce": submission.nonce,
                "chainId": self.node.chain_id,
                **fees.fields(),
            }
        )
        refusal = self._broadcast(raw)
        if refusal is None:
            submission.versions["0x" + keccak(raw).hex()] = raw
            submission.fees = fees
        return refusal

    def _broadcast(self, raw: bytes) -> Refusal | None:
        """None where the node has the transaction, or may have it."""
        try:
            self.node.request("eth_sendRawTransaction", ["0x" + raw.hex()])
        except UNSURE:
            return None
        except NodeRefused as error:
            refusal = refusal_of(error)
            if refusal is Refusal.OTHER:
                raise send_failure(error, self.address) from error
            return None if refusal is Refusal.ALREADY_KNOWN else refusal
        return None

    def _replace(self, submission: Submission) -> None:
        """Sends the next version. Raises TransactionStuck where the limits of fees or replacements are reached."""
        fees = bumped(submission.fees, suggested(self.node, self._gas, capped=True), self._gas)
        if submission.bumps >= self._gas.bumps or fees is None:
            raise self._stuck(submission)
        submission.bumps += 1
        try:
            refusal = self._send_version(submission, fees)
        except TransactionError as error:  # not enough coin for the higher fee, say: the version before may still do
            submission.obstacle = error
            return
        if refusal is Refusal.UNDERPRICED:
            submission.fees = fees  # the node wants more: the next one starts from here

    def _stuck(self, submission: Submission) -> TransactionStuck:
        obstacle = f" ({submission.obstacle})" if submission.obstacle else ""
        return TransactionStuck(
            f"nonce {submission.nonce} of {self.address} is not mined after {submission.bumps} of {self._gas.bumps} "
            f"replacements, the last with {submission.fees} of {self._gas.max_fee_gwei} gwei allowed{obstacle}: it may "
            f"still be mined, so look at {', '.join(submission.versions)} before sending again, or raise "
            "gas.max_fee_gwei",
            transaction=submission.transaction,
        )

    # --- Waiting ---

    def _await_receipt(self, submission: Submission) -> Mapping[str, Any]:
        """A node that is away, or refuses, is waited for as long as all replacements would take."""
        deadline = self._clock() + self._gas.wait_s
        last = self._clock() + self._gas.wait_s * (self._gas.bumps + 1)
        pause = FIRST_POLL_S
        used = 0
        while True:
            try:
                if (receipt := self._receipt(submission)) is not None:
                    return receipt
                used = used + 1 if self._count("latest") > submission.nonce else 0
                if used > SETTLE_POLLS:
                    raise self._dropped(submission)
                if used == 0 and self._clock() >= deadline:
                    deadline = self._clock() + self._gas.wait_s
                    self._replace(submission)
                elif used == 0 and pause >= SLOWEST_POLL_S:
                    self._keep_known(submission)
            except NodeError as error:  # refusals too: the transaction is on its way, whatever the node says now
                if self._clock() >= last:
                    raise self._stuck(submission) from error
            self._sleep(max(pause, SETTLE_POLL_S) if used > 1 else pause)
            pause = min(pause * POLL_GROWTH, SLOWEST_POLL_S)

    def _receipt(self, submission: Submission) -> Mapping[str, Any] | None:
        for transaction in submission.versions:
            receipt = self.node.request("eth_getTransactionReceipt", [transaction])
            if not isinstance(receipt, Mapping | None):
                raise NodeInvalid(
                    f"the node answered {str(receipt)[:80]!r} where it should answer a receipt: ask another"
                )
            if receipt is not None and receipt.get("blockNumber") is not None:
                return receipt
        return None

    def _keep_known(self, submission: Submission) -> None:
        """Sends the same bytes again where the node has forgotten them: a full pool, a restart."""
        if self.node.request("eth_getTransactionByHash", [submission.transaction]) is None:
            with contextlib.suppress(TransactionError):
                self._broadcast(submission.versions[submission.transaction])

    def _dropped(self, submission: Submission) -> TransactionDropped:
        return TransactionDropped(
            f"nonce {submission.nonce} of {self.address} was used by another transaction, so that "
            f"{', '.join(submission.versions)} will never be mined: another program sends with the same key; send "
            "again, and give each its own",
            transaction=submission.transaction,
        )

    def _effective(self, receipt: Mapping[str, Any], submission: Submission) -> Receipt:
        transaction = str(receipt["transactionHash"])
        gas_used = int(receipt["gasUsed"], 16)
        if int(receipt["status"], 16) == 1:
            return Receipt(
                transaction,
                int(receipt["blockNumber"], 16),
                str(receipt["blockHash"]),
                gas_used,
                int(receipt.get("effectiveGasPrice", "0x0"), 16),
                tuple(receipt["logs"]),
            )
        why = f"with all of its {gas_used} gas" if gas_used == submission.gas else f"after {gas_used} gas"
        reverted = TransactionReverted(
            f"{transaction} was mined in block {int(receipt['blockNumber'], 16)} and reverted {why}; nothing was "
            "changed. Something else changed the chain between trying and mining: look, and send again",
            transaction=transaction,
        )
        try:
            self.node.request("eth_call", [self._request_of(submission.call), receipt["blockNumber"]])
        except RevertError as reason:
            raise reason from reverted
        except NodeError:
            raise reverted from None  # the block's state is gone: the reason cannot be found out
        raise reverted

    # --- Parts ---

    def _count(self, block: str) -> int:
        return _number(self.node.request("eth_getTransactionCount", [self.address, block]))

    def _request_of(self, call: Call) -> dict[str, str]:
        return {"from": self.address, "to": call.to, "data": "0x" + call.data.hex(), "value": hex(call.value_wei)}


def _number(answer: object) -> int:
    try:
        return int(str(answer), 16)
    except ValueError as error:
        raise NodeInvalid(
            f"the node answered {str(answer)[:80]!r} where it should answer a number: ask another"
        ) from error
