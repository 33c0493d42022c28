"""What each verb of an escrow payment costs: part of `benchmarks.gas`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from benchmarks.scene import DAY_S, FUNDS_UNITS, PRICE_UNITS, Scene, account, calldata, measured
from benchmarks.standards import USDC, Measurement
from tallystick.contracts import load_artefact
from tallystick.core import payment as payments
from tallystick.core.funding import Funding, permit2_data
from tallystick.core.payment import PaymentTerms
from tallystick.core.permit import TokenDomain
from tallystick.core.permit2 import PERMIT2
from tests.contracts.permit2 import place_permit2

TERMS = (
    "(address,address,address,uint96,address,uint40,uint40,uint40,uint32,address,uint32,uint16,uint16,uint16,uint16,"
    "address,bytes32,uint256)"
)
DISPUTES: dict[str, Any] = {"ruling_timeout_s": 7 * DAY_S, "default_payee_bps": 5_000, "max_arbiter_fee_bps": 500}
SOON, LATER, LAST = 2_000_000_000, 2_100_000_000, 2_200_000_000


class Payments:
    """One payer and one payee in a token, each with money, and payments between them."""

    def __init__(self, scene: Scene, kind: str) -> None:
        self.scene, self.kind, self.token = scene, kind, scene.tokens[kind]
        self.contract = load_artefact("Escrow").address
        self.key = keccak(text=f"{kind} payer of payments")
        self.payer, self.payee = Account.from_key(self.key).address, account(f"{kind} payee of payments")
        self.arbiter = account(f"{kind} arbiter")
        self.made = 0
        self.nonce = 0
        place_permit2(scene.anvil.rpc)
        scene.fund(kind, [self.payer, self.payee, self.arbiter], self.contract, PERMIT2)
        scene.send(self.payer, self.token, calldata("mint(address,uint256)", self.contract, FUNDS_UNITS))

    def terms(self, *, disputed: bool = False) -> PaymentTerms:
        """Of another payment than any before; with an arbiter, as merchants sell, where it may be disputed."""
        self.made += 1
        salt = int.from_bytes(keccak(text=f"{self.kind} {self.made}"), "big")
        terms = PaymentTerms(self.payer, self.payee, self.token, PRICE_UNITS, SOON, LATER, LAST, salt)
        return replace(terms, arbiter=self.arbiter, **DISPUTES) if disputed else terms

    def send(self, sender: str, verb: str, terms: PaymentTerms, *others: tuple[str, object]) -> int:
        """The gas that a verb used."""
        kinds = ",".join([TERMS, *(kind for kind, _ in others)])
        data = calldata(f"{verb}({kinds})", terms.words, *(value for _, value in others))
        return self.scene.send(sender, self.contract, data)

    def funded(self, funding: Funding, terms: PaymentTerms) -> list[tuple[str, object]]:
        """What brings the money, signed by the payer where it is by signature."""
        chain_id = self.scene.anvil.chain_id
        data = b""
        if funding is Funding.PERMIT2:
            asked = payments.permit2_typed_data(terms, nonce=self.nonce, chain_id=chain_id, contract=self.contract)
            signature = bytes(Account.sign_typed_data(self.key, full_message=asked).signature)
            data = permit2_data(self.nonce, signature)
            self.nonce += 1  # the next bit of the same word, as the SDK takes it
        elif funding is Funding.AUTHORIZATION:
            token = TokenDomain("USD Coin", "2", chain_id, to_checksum_address(self.token))
            asked = payments.authorization_typed_data(terms, token, contract=self.contract)
            data = bytes(Account.sign_typed_data(self.key, full_message=asked).signature)
        return [("uint8", int(funding)), ("bytes", data)]

    def authorize(self, funding: Funding = Funding.ALLOWANCE, *, disputed: bool = False) -> tuple[PaymentTerms, int]:
        """Another payment that is held: its terms, and the gas that it used."""
        terms = self.terms(disputed=disputed)
        sender = self.payer if funding is Funding.ALLOWANCE else self.scene.operator
        return terms, self.send(sender, "authorize", terms, *self.funded(funding, terms))


def escrow(scene: Scene, kind: str) -> list[Measurement]:
    """Each verb once, after another payment between the two was authorized and captured."""
    with_3009 = kind == USDC
    made = Payments(scene, kind)
    gas: dict[str, int] = {}
    payee, whole = made.payee, (("uint256", PRICE_UNITS), ("uint256", 0))
    before, _ = made.authorize()
    made.send(payee, "capture", before, *whole)
    made.send(payee, "refund", before, ("uint256", PRICE_UNITS // 2))

    held, gas["authorize by the payer"] = made.authorize()
    _, gas["authorize, Permit2, the payer's first"] = made.authorize(Funding.PERMIT2)
    _, gas["authorize, Permit2"] = made.authorize(Funding.PERMIT2)
    if with_3009:
        _, gas["authorize, ERC-3009"] = made.authorize(Funding.AUTHORIZATION)
    gas["capture"] = made.send(payee, "capture", held, *whole)
    gas["refund of a payment"] = made.send(payee, "refund", held, ("uint256", PRICE_UNITS))
    gas["void"] = made.send(payee, "void", made.authorize()[0])
    for name, funding in (("Permit2", Funding.PERMIT2), ("ERC-3009", Funding.AUTHORIZATION)):
        if with_3009 or funding is Funding.PERMIT2:
            terms = made.terms()
            sent = made.send(payee, "charge", terms, ("uint256", 0), *made.funded(funding, terms))
            gas[f"charge in one, {name}"] = sent
    disputed, _ = made.authorize(disputed=True)
    gas["dispute"] = made.send(made.payer, "dispute", disputed, ("bytes32", keccak(text="evidence")))
    half, fee = ("uint256", PRICE_UNITS // 2), ("uint256", PRICE_UNITS // 50)
    gas["rule"] = made.send(made.arbiter, "rule", disputed, half, fee)
    return [measured(op, kind, 1, used) for op, used in gas.items()]
