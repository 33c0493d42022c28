"""Typed calls of `Escrow`, over the one ABI artefact, as `chain.subscriptions` for `Subscriptions`.

Every call raises the contract's own errors (`errors.ContractError`) and NodeErrors; writes also SignerErrors and
TransactionErrors. Amounts are base units of the payment's token, times Unix seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from tallystick.chain.contract import Contract, Sent
from tallystick.chain.decode_payments import PAYMENTS
from tallystick.chain.decoder import Decoder
from tallystick.chain.payment_totals import CountedTotal, PaymentFacts
from tallystick.core.funding import Funding
from tallystick.core.payment import Milestone, PaymentTerms


class EscrowContract(Contract):
    """The contract at one address on one chain."""

    decoder: ClassVar[Decoder[Any]] = PAYMENTS

    # --- Reads ---

    def payment_id(self, terms: PaymentTerms) -> bytes:
        """What names a payment, 32 bytes; worked out here."""
        return terms.payment_id(chain_id=self.node.chain_id, contract=self.address)

    def payment(self, payment_id: bytes) -> PaymentFacts:
        """How a payment stands; zeros where there is none."""
        return PaymentFacts(*self._read("payment", payment_id))

    def payment_total(self, payee: str, token: str) -> CountedTotal:
        """How many payments to a payee in a token were ever made, and the sum of their amounts."""
        return CountedTotal(*self._read("paymentTotal", payee, token))

    def claimable(self, account: str, token: str) -> int:
        """Units that the contract keeps for an account that could not receive them."""
        return int(self._read("claimable", account, token))

    # --- Consent ---

    def authorize(self, terms: PaymentTerms, funding: Funding, data: bytes = b"") -> Sent:
        """Takes the payer's money and holds it. Event: Authorized."""
        return self._send("authorize", terms.words, int(funding), data)

    def try_authorize(self, terms: PaymentTerms, funding: Funding, data: bytes, sender: str) -> None:
        """Raises what `authorize` would; sends nothing."""
        self._try("authorize", terms.words, int(funding), data, sender=sender)

    def charge(self, terms: PaymentTerms, fee_bps: int, funding: Funding, data: bytes = b"") -> Sent:
        """Takes the payer's money for the payee at once. Event: PaymentCharged."""
        return self._send("charge", terms.words, fee_bps, int(funding), data)

    def revoke(self, terms: PaymentTerms) -> Sent:
        """The payer takes back the consent to a payment that was not made. Event: PaymentRevoked."""
        return self._send("revoke", terms.words)

    # --- Held ---

    def capture(self, terms: PaymentTerms, units: int, fee_bps: int) -> Sent:
        """Pays a part of what is held to the payee. Event: Captured."""
        return self._send("capture", terms.words, units, fee_bps)

    def capture_milestone(
        self, terms: PaymentTerms, milestone: Milestone, fee_bps: int, proof: Sequence[bytes]
    ) -> Sent:
        """Pays a milestone to the payee. Events: MilestoneReached, Captured."""
        named = milestone.index, milestone.amount_units, milestone.releasable_at
        return self._send("captureMilestone", terms.words, *named, fee_bps, list(proof))

    def void(self, terms: PaymentTerms) -> Sent:
        """The payee gives back what is held. Event: Voided."""
        return self._send("void", terms.words)

    def reclaim(self, terms: PaymentTerms) -> Sent:
        """Anyone gives back what was not captured in time. Event: Reclaimed."""
        return self._send("reclaim", terms.words)

    def refund(self, terms: PaymentTerms, units: int) -> Sent:
        """The payee gives back what was captured. Event: PaymentRefunded."""
        return self._send("refund", terms.words, units)

    # --- Dispute ---

    def dispute(self, terms: PaymentTerms, evidence_hash: bytes) -> Sent:
        """Payer or payee calls the arbiter. Event: DisputeOpened."""
        return self._send("dispute", terms.words, evidence_hash)

    def submit_evidence(self, terms: PaymentTerms, evidence_hash: bytes) -> Sent:
        """One of the three names a document. Event: EvidenceSubmitted."""
        return self._send("submitEvidence", terms.words, evidence_hash)

    def rule(self, terms: PaymentTerms, payee_units: int, arbiter_fee_units: int) -> Sent:
        """The arbiter divides what is held. Event: Ruled."""
        return self._send("rule", terms.words, payee_units, arbiter_fee_units)

    def rule_by_default(self, terms: PaymentTerms) -> Sent:
        """Anyone divides it as the terms say. Event: Ruled."""
        return self._send("ruleByDefault", terms.words)

    # --- Claim ---

    def claim(self, account: str, token: str) -> Sent:
        """Pays what the contract keeps for an account, to that account. Event: PayoutClaimed."""
        return self._send("claim", account, token)
