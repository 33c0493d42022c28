"""What is sold once on a test chain: quotes that a merchant signs, and money that comes to its deposit addresses.

As `tests.business`: straight to JSON-RPC with impersonated accounts; the merchant has a key, to sign quotes with.
"""

from __future__ import annotations

from typing import Any

from eth_account import Account
from eth_utils.crypto import keccak
from sqlalchemy import Engine

from tallystick.chain.checkout import CheckoutContract
from tallystick.chain.rpc import Rpc
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.deployment import DeployedContract
from tallystick.core.expected import Expected
from tallystick.core.funding import Funding
from tallystick.core.quote import Payout, Quote, typed_data
from tallystick.core.reference import parse_reference
from tallystick.flows.checkout_books import CHECKOUT
from tallystick.flows.expect import expect
from tallystick.flows.ingest import Ingested, Target, ingest
from tests.business import UNLIMITED, Business, calldata

DAY = 86_400
AMOUNT = 25_000_000


class Sales:
    """Of a merchant, whom `business` funds, in its token. `other` is worth the same and never expected, `spam` a token
    that the merchant knows nothing of."""

    def __init__(self, business: Business) -> None:
        self.business, self.anvil = business, business.anvil
        self.token, self.other, self.spam = business.token, business.create_token(), business.create_token()
        self.key = Account.from_key(keccak(text="merchant"))
        self.merchant = self.funded(self.key.address)
        self.payer = self.funded(business.account("payer"))
        self.exchange = self.funded(business.account("exchange"))
        self.platform = business.account("platform")
        self.number = 0
        self.connection = business.connection()

    @property
    def contract(self) -> DeployedContract:
        return self.business.manifest.contract("Checkout")

    @property
    def checkout(self) -> CheckoutContract:
        return self.connection.checkout

    def target(self, **more: Any) -> Target:
        contract = self.contract
        pegs = more.pop("pegs", {self.token: "USD", self.other: "USD"})
        return Target(self.anvil.chain_id, contract.address, contract.start_block, kind=CHECKOUT, pegs=pegs, **more)

    def mirror(self, engine: Engine, **more: Any) -> Ingested:
        return ingest(engine, Rpc(self.anvil.url), self.target(**more))

    def funded(self, account: str) -> str:
        """An account with ether and money that lets the checkout move it."""
        self.anvil.fund(account)
        for token in (self.token, self.other, self.spam):
            self.business.mint(account, 10**15, token=token)
            self.business.token_call(account, "approve", self.contract.address, UNLIMITED, token=token)
        return account

    def call(self, sender: str, name: str, *arguments: Any) -> Any:
        """The receipt of a transaction to Checkout."""
        return self.business.send(sender, self.contract.address, calldata("Checkout", name, *arguments))

    # --- quotes ---

    def quote(self, invoice: str, payouts: list[tuple[str, int]] | None = None, *, token: str = "") -> Quote:
        """With a number of its own."""
        self.number += 1
        parts = tuple(Payout(*part) for part in payouts or [(self.merchant, AMOUNT)])
        valid_before = self.anvil.timestamp + DAY
        return Quote(self.merchant, self.number, parse_reference(invoice), token or self.token, valid_before, parts)

    def pay(self, quote: Quote) -> Any:
        data = typed_data(quote, chain_id=self.anvil.chain_id, contract=self.contract.address)
        signature = self.key.sign_typed_data(full_message=data).signature
        return self.call(self.payer, "pay", quote.words, bytes(signature), self.payer, int(Funding.ALLOWANCE), b"")

    # --- deposit addresses ---

    def expect(self, engine: Engine, invoice: str, amount: int = AMOUNT, **more: Any) -> Expected:
        more = {"receiver": self.merchant, "token": self.token} | more
        return expect(engine, self.connection, invoice, amount_units=amount, **more)

    def send(self, invoice: str, units: int, *, token: str = "", sender: str = "", receiver: str = "") -> Any:
        """A plain transfer to an invoice's address."""
        place = self.checkout.deposit_address(receiver or self.merchant, parse_reference(invoice))
        return self.business.token_call(sender or self.exchange, "transfer", place, units, token=token or self.token)

    def send_coins(self, invoice: str, wei: int) -> None:
        place = self.checkout.deposit_address(self.merchant, parse_reference(invoice))
        request = {"from": self.exchange, "to": place, "value": hex(wei)}
        self.anvil.receipt(self.anvil.rpc("eth_sendTransaction", request))

    def sweep(self, *invoices: str, token: str | None = "", receiver: str = "") -> Any:
        wanted = ZERO_ADDRESS if token is None else token or self.token
        references = [parse_reference(invoice) for invoice in invoices]
        return self.call(self.exchange, "sweep", receiver or self.merchant, wanted, references)

    def refund(self, invoice: str, units: int, *, token: str = "", sender: str = "") -> Any:
        by, reference = sender or self.merchant, parse_reference(invoice)
        return self.call(by, "refund", reference, token or self.token, self.payer, units)

    # --- all of it ---

    def expect_each(self, *engines: Engine) -> None:
        """What `every_kind` pays, in databases that see it from one block on."""
        for engine in engines:
            for invoice in ("exact", "short", "over", "late", "twice", "other", "nothing"):
                tolerance = 50_000 if invoice == "short" else 0
                valid_s = DAY if invoice == "late" else None
                self.expect(engine, invoice, valid_s=valid_s, tolerance_units=tolerance)
            self.mirror(engine)

    def every_kind(self) -> None:
        """Each event, and each way in which money can come to a deposit address that `expect_each` expects it at."""
        self.send("exact", AMOUNT)
        self.send("short", 20_000_000)
        self.send("short", 4_960_000)
        self.send("over", AMOUNT + 1)
        self.send("twice", AMOUNT)
        self.send("twice", AMOUNT)
        self.send("other", AMOUNT, token=self.other)
        self.send("other", AMOUNT, token=self.spam)
        self.send_coins("other", 10**18)
        self.send("late", 5_000_000)
        self.anvil.advance(DAY)
        self.send("late", 20_000_000)
        self.sweep("exact", "short", "over", "late", "twice", "nothing")
        self.sweep("other", token=None)
        self.sweep("other", token=self.other)
        self.sweep("other", token=self.spam)
        self.send("never expected", AMOUNT)
        self.sweep("never expected")
        self.refund("twice", AMOUNT)
        self.refund("late", 25_000_000)
        self.refund("exact", 10_000_000)
        self.refund("nothing", 1_000_000)
        self.refund("other", AMOUNT, token=self.other)
        self.business.block(self.platform)
        split = [(self.merchant, 20_000_000), (self.platform, 5_000_000)]
        self.pay(self.quote("quoted", split))
        self.business.unblock(self.platform)
        self.call(self.exchange, "claim", self.platform, self.token)
        self.pay(self.quote("quoted again"))
        self.refund("quoted", 30_000_000)
        self.call(self.merchant, "withdrawQuote", self.number + 1)
