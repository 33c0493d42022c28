"""Typed calls of a `CourtArbiter`, over the one ABI artefact, as `chain.escrow` for `Escrow`.

Every call raises the contract's own errors (`errors.ContractError`) and NodeErrors; writes also SignerErrors and
TransactionErrors. Parts are hundredths of a percent, times Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from tallystick.chain.contract import Contract, Sent
from tallystick.chain.decode_court import COURT
from tallystick.chain.decoder import Decoder
from tallystick.chain.logs import LogEntry, LogReader, Topic
from tallystick.chain.rpc import Rpc
from tallystick.core.address import ZERO_ADDRESS, parse_address
from tallystick.core.court import (
    Appealed,
    ArbiterFacts,
    CaseFacts,
    CourtRuling,
    EvidenceShown,
    MetaEvidence,
    Stage,
)
from tallystick.core.payment import PaymentTerms

ARTEFACT = "CourtArbiter"
"""The name of its artefact."""


class CourtContract(Contract):
    """The arbiter at one address on one chain."""

    decoder: ClassVar[Decoder[Any]] = COURT

    # --- Reads ---

    def escrow(self) -> str:
        """Whose payments it divides."""
        return parse_address(self._read("ESCROW"))

    def facts(self) -> ArbiterFacts:
        """What it was created with."""
        judge = parse_address(self._read("JUDGE"))
        return ArbiterFacts(
            self.address,
            parse_address(self._read("COURT")),
            None if judge == ZERO_ADDRESS else judge,
            int(self._read("APPEAL_WINDOW")),
            self._read("courtData"),
        )

    def case(self, payment_id: bytes) -> CaseFacts:
        """How a payment's case stands; zeros where there is none."""
        stage, ruling, *rest = self._read("caseOf", payment_id)
        return CaseFacts(Stage(stage), CourtRuling(ruling), *rest)

    def appeal_cost_wei(self) -> int:
        """What the court takes for an appeal now. Raises a RevertError where it does not say."""
        return int(self._read("appealCost"))

    # --- Writes ---

    def judge(self, terms: PaymentTerms, payee_bps: int, fee_bps: int) -> Sent:
        """The judge decides. Event: Judged."""
        return self._send("judge", terms.words, payee_bps, fee_bps)

    def appeal(self, terms: PaymentTerms, cost_wei: int) -> Sent:
        """Payer or payee takes it to the court, and pays it. Events: Appealed, and those of the court."""
        return self._send("appeal", terms.words, value_wei=cost_wei)

    def submit_evidence(self, terms: PaymentTerms, uri: str) -> Sent:
        """Payer, payee or judge show a document. Event: EvidenceShown."""
        return self._send("submitEvidence", terms.words, uri)

    def execute(self, terms: PaymentTerms) -> Sent:
        """Anyone has the escrow divide the payment. The events are the escrow's: Ruled."""
        return self._send("execute", terms.words)

    def pay_judge(self, token: str) -> Sent:
        """Anyone sends the judge all fees in a token."""
        return self._send("payJudge", token)

    # --- What only the logs say ---

    def question(self, start_block: int) -> str:
        """Where the document is that tells the court what it is asked; empty where there is none."""
        found = self._logs(start_block, [COURT.topic_of("MetaEvidence")])
        return next((entry.event.uri for entry in found if isinstance(entry.event, MetaEvidence)), "")

    def dispute_id(self, payment_id: bytes, start_block: int) -> int | None:
        """The court's number of a payment's dispute; None where nobody appealed."""
        found = self._logs(start_block, [COURT.topic_of("Appealed"), "0x" + payment_id.hex()])
        return next((entry.event.dispute_id for entry in found if isinstance(entry.event, Appealed)), None)

    def shown(self, payment_id: bytes, start_block: int) -> list[tuple[EvidenceShown, int]]:
        """What the court was shown of a payment, oldest first, each with the block's time."""
        found = self._logs(start_block, [COURT.topic_of("Evidence"), None, "0x" + payment_id.hex()])
        return [(entry.event, entry.origin.block_time) for entry in found if isinstance(entry.event, EvidenceShown)]

    def _logs(self, start_block: int, topics: list[Topic]) -> Iterator[LogEntry]:
        reader = LogReader(Rpc(self.node.url), self.address, decoder=COURT, topics=topics)
        head = reader.header("latest")
        if head is not None:
            for chunk in reader.read(start_block, head.number):
                yield from chunk.logs
