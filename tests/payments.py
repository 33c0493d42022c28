"""Escrow payments on a test chain: a payer and a payee with money, and every verb of `Escrow`.

As `tests.business`: straight to JSON-RPC with impersonated accounts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eth_utils.crypto import keccak

from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.deployment import DeployedContract
from tallystick.core.funding import Funding
from tallystick.core.payment import Milestone, PaymentTerms, milestone_proof, milestones_root
from tallystick.flows.ingest import Target
from tallystick.flows.payment_books import ESCROW
from tests.business import UNLIMITED, Business, calldata

DAY = 86_400
AMOUNT = 25_000_000
COLLECTS = "0x63a9059cbb60e01b600052336004526064356024526000600060446000600060243" + "55af100"
"""A collector with money of its own: whatever it is asked for, it transfers to who asks."""


class Payments:
    """Between a payer and a payee, whom `business` funds, in its token."""

    def __init__(self, business: Business) -> None:
        self.business, self.anvil = business, business.anvil
        self.payee, self.token = business.payee, business.token
        self.arbiter, self.platform = business.account("arbiter"), business.account("platform")
        self.payer = self.funded("payer")
        self.approve(self.payee)
        self.salt = 0

    @property
    def contract(self) -> DeployedContract:
        return self.business.manifest.contract("Escrow")

    def target(self, **more: Any) -> Target:
        contract = self.contract
        return Target(self.anvil.chain_id, contract.address, contract.start_block, kind=ESCROW, **more)

    def funded(self, name: str) -> str:
        """An account with ether and money that lets the escrow move it."""
        account = self.business.account(name)
        self.business.mint(account, 10**15)
        self.approve(account)
        return account

    def approve(self, account: str) -> None:
        self.business.token_call(account, "approve", self.contract.address, UNLIMITED)

    def terms(self, amount: int = AMOUNT, **more: Any) -> PaymentTerms:
        """Of another payment than any before."""
        self.salt += 1
        now = self.anvil.timestamp
        terms = PaymentTerms(
            self.payer, self.payee, self.token, amount, now + DAY, now + 30 * DAY, now + 60 * DAY, self.salt
        )
        return replace(terms, **more)

    def disputable(self, amount: int = AMOUNT, **more: Any) -> PaymentTerms:
        """With an arbiter, and a fee for the platform."""
        disputes = {"arbiter": self.arbiter, "ruling_timeout_s": 7 * DAY, "default_payee_bps": 3_333}
        fees = {"max_arbiter_fee_bps": 500, "min_fee_bps": 100, "max_fee_bps": 300, "fee_receiver": self.platform}
        return self.terms(amount, **disputes | fees | more)

    def id_of(self, terms: PaymentTerms) -> bytes:
        return terms.payment_id(chain_id=self.anvil.chain_id, contract=self.contract.address)

    def call(self, sender: str, name: str, *arguments: Any) -> Any:
        """The receipt of a transaction to Escrow."""
        return self.business.send(sender, self.contract.address, calldata("Escrow", name, *arguments))

    def authorize(self, terms: PaymentTerms, sender: str = "", funding: Funding = Funding.ALLOWANCE) -> Any:
        return self.call(sender or terms.payer, "authorize", terms.words, int(funding), b"")

    def held(self, **more: Any) -> PaymentTerms:
        """A new payment that is authorized."""
        terms = self.terms(**more)
        self.authorize(terms)
        return terms

    def disputed(self, **more: Any) -> PaymentTerms:
        """A new payment that is in dispute."""
        terms = self.disputable(**more)
        self.authorize(terms)
        self.call(self.payer, "dispute", terms.words, keccak(text="a photograph"))
        return terms

    def charge(self, terms: PaymentTerms, fee_bps: int = 0) -> Any:
        return self.call(terms.payer, "charge", terms.words, fee_bps, int(Funding.ALLOWANCE), b"")

    def capture(self, terms: PaymentTerms, amount: int, fee_bps: int = 0, sender: str = "") -> Any:
        return self.call(sender or terms.payee, "capture", terms.words, amount, fee_bps)

    def refund(self, terms: PaymentTerms, amount: int) -> Any:
        return self.call(terms.payee, "refund", terms.words, amount)

    def milestones(self, amount: int = AMOUNT) -> tuple[PaymentTerms, list[Milestone]]:
        """A new payment that is authorized, and captured in three parts."""
        parts = [Milestone(index, amount // 3, self.anvil.timestamp) for index in range(3)]
        terms = self.held(amount=amount // 3 * 3, milestones_root=milestones_root(parts))
        return terms, parts

    def reach(self, terms: PaymentTerms, parts: list[Milestone], index: int) -> Any:
        part = parts[index]
        proof = milestone_proof(parts, index)
        values = part.index, part.amount_units, part.releasable_at, 0, proof
        return self.call(terms.payee, "captureMilestone", terms.words, *values)

    def collected(self, terms: PaymentTerms) -> Any:
        """Authorizes a payment as a contract that brings the money."""
        collector = self.business.account("collector")
        self.business.mint(collector, terms.amount_units)
        self.anvil.rpc("anvil_setCode", collector, COLLECTS)
        return self.authorize(terms, collector, Funding.COLLECTOR)

    def every_kind(self) -> None:
        """Every kind of event, and after each something that builds on it where something can."""
        whole, part = self.held(), self.disputable()
        self.authorize(part)
        self.capture(whole, AMOUNT)
        self.capture(part, 10_000_000, 250)
        self.call(self.payer, "dispute", part.words, keccak(text="a photograph"))
        self.call(self.payee, "submitEvidence", part.words, keccak(text="a letter"))
        self.business.block(self.payer)
        self.call(self.arbiter, "rule", part.words, 5_000_000, 500_000)
        self.business.unblock(self.payer)
        self.refund(whole, 1_000_000)
        self.call(self.payer, "claim", self.payer, self.token)
        charged = self.disputable(arbiter=ZERO_ADDRESS, ruling_timeout_s=0, default_payee_bps=0, max_arbiter_fee_bps=0)
        self.charge(charged, 300)
        terms, parts = self.milestones()
        self.reach(terms, parts, 2)
        self.reach(terms, parts, 0)
        self.call(self.payee, "void", terms.words)
        self.call(self.payer, "revoke", self.terms().words)
        brought = self.terms()
        self.collected(brought)
        self.capture(brought, 20_000_000)
        late, silent = self.held(), self.disputed()
        self.anvil.advance(31 * DAY)
        self.call(self.payer, "ruleByDefault", silent.words)
        self.call(self.arbiter, "reclaim", late.words)
        self.call(self.arbiter, "reclaim", brought.words)
        self.business.block(self.payee)
        self.capture_blocked()
        self.business.unblock(self.payee)

    def capture_blocked(self) -> PaymentTerms:
        """A payment whose payee cannot receive it: it is kept for the payee."""
        terms = self.held()
        self.capture(terms, 7_000_000, sender=terms.payer)
        return terms
